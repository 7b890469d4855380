//! What the recorded view costs: 300,000 record sets in 1,000 hosted zones, read through the SDK.
//!
//! `cargo bench --bench route53`; `DNS_DRIFT_BENCH_ZONES` sets another number of zones. The service
//! answers in memory and time is simulated, so that neither network nor request budget is measured.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::print_stderr,
    missing_docs,
    reason = "a bench may panic"
)]

use std::fmt;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_route53::config::{Credentials, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use dns_drift::clock::ManualClock;
use dns_drift::recorded::route53::{Route53Settings, read_once};
use jiff::Timestamp;

/// Record sets of a zone: one full page.
const IN_ZONE: usize = 300;

/// Zones in an answer of `ListHostedZones`.
const ZONES_PER_PAGE: usize = 100;

/// Answers from the request alone, so that it holds no memory that could be taken for ours.
#[derive(Clone)]
struct Service {
    zones: usize,
    pages: Arc<AtomicU64>,
    /// Time that the service itself took.
    own: Arc<Mutex<Duration>>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

impl HttpClient for Service {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let before = now();
        let (status, body) = self.answer(request.uri());
        *self.own.lock().expect("lock") += before.elapsed();
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body.into())))
    }
}

impl Service {
    fn answer(&self, uri: &str) -> (u16, String) {
        let path = uri.split('?').next().unwrap_or_default();
        if path.ends_with("/rrset") {
            self.pages.fetch_add(1, Ordering::Relaxed);
            return (200, record_sets(number(path)));
        }
        if path.contains("/hostedzone/Z") {
            let servers = "<NameServer>ns-1.awsdns-01.example</NameServer>".repeat(4);
            let zone = zone(number(path));
            return (
                200,
                format!(
                    "<GetHostedZoneResponse>{zone}<DelegationSet><NameServers>{servers}</NameServers></DelegationSet></GetHostedZoneResponse>"
                ),
            );
        }
        if path.ends_with("/hostedzone") {
            let from = digits(uri, "marker=Z").unwrap_or(0);
            return (200, self.list(from));
        }
        // The optional facts are of no interest here.
        (
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
                .into(),
        )
    }

    fn list(&self, from: usize) -> String {
        let to = self.zones.min(from + ZONES_PER_PAGE);
        let zones: String = (from..to).map(zone).collect();
        let more = if to < self.zones {
            format!("<IsTruncated>true</IsTruncated><NextMarker>Z{to:06}</NextMarker>")
        } else {
            "<IsTruncated>false</IsTruncated>".to_owned()
        };
        format!(
            "<ListHostedZonesResponse><HostedZones>{zones}</HostedZones><Marker></Marker>{more}<MaxItems>100</MaxItems></ListHostedZonesResponse>"
        )
    }
}

fn number(path: &str) -> usize {
    digits(path, "/hostedzone/Z").expect("a zone")
}

/// The six digits after a mark.
fn digits(text: &str, mark: &str) -> Option<usize> {
    text.split(mark).nth(1)?.get(..6)?.parse().ok()
}

fn zone(zone: usize) -> String {
    format!(
        "<HostedZone><Id>/hostedzone/Z{zone:06}</Id><Name>z{zone}.example.com.</Name><CallerReference>x</CallerReference><Config><PrivateZone>false</PrivateZone></Config><ResourceRecordSetCount>{IN_ZONE}</ResourceRecordSetCount></HostedZone>"
    )
}

/// A page as ExternalDNS leaves it: an address and its two ownership records for each name.
fn record_sets(zone: usize) -> String {
    let mut rows = String::with_capacity(96 * 1024);
    for index in 0..IN_ZONE / 3 {
        let host = format!("host-{index}.z{zone}.example.com.");
        let owner = format!(
            "&quot;heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/team-{zone}/web-{index}&quot;"
        );
        let address = format!("203.0.{}.{}", zone % 250, index % 250);
        for (name, kind, value) in [
            (host.clone(), "A", address.as_str()),
            (host.clone(), "TXT", &owner),
            (format!("a-{host}"), "TXT", &owner),
        ] {
            write!(rows, "<ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>").expect("written");
        }
    }
    format!(
        "<ListResourceRecordSetsResponse><ResourceRecordSets>{rows}</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
    )
}

#[expect(clippy::disallowed_methods, reason = "tokio's clock is paused, and this measures")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Resident bytes of this process; 0 where the system does not tell.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

fn main() {
    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    let zones =
        std::env::var("DNS_DRIFT_BENCH_ZONES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let read = |zones: usize| {
        let service = Service { zones, pages: Arc::default(), own: Arc::default() };
        let settings = Route53Settings {
            endpoint_url: Some("http://route53.invalid".to_owned()),
            credentials: Some(Credentials::new("AKIDEXAMPLE", "secret", None, None, "bench")),
            http_client: Some(SharedHttpClient::new(service.clone())),
            requests_per_second: 5.0,
            ..Route53Settings::default()
        };
        let clock = Arc::new(ManualClock::starting_at(Timestamp::UNIX_EPOCH));
        let before = now();
        let reading = runtime.block_on(read_once(settings, clock));
        let took = before.elapsed().saturating_sub(*service.own.lock().expect("lock"));
        assert!(reading.is_whole(), "{:?}", reading.problems.first());
        (reading, took, service.pages.load(Ordering::Relaxed))
    };
    drop(read(10));
    let before = resident();
    let (reading, took, pages) = read(zones);
    let held = resident() - before;
    let records: usize = reading.value().expect("read").zones.values().map(|zone| zone.records().len()).sum();
    assert_eq!(records, zones * (IN_ZONE / 3 * 3));
    eprintln!(
        "{records} record sets in {zones} hosted zones: {} MiB resident, {} bytes each",
        held >> 20,
        held / records
    );
    eprintln!(
        "{pages} pages, all other requests included: {:.2} ms each",
        took.as_secs_f64() * 1_000.0 / pages as f64
    );
}
