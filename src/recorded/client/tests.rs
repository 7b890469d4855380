//! A day of reading in simulated time, over an HTTP client in memory.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_route53::config::{Credentials, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::*;
use crate::clock::Clock;
use crate::recorded::budget::DEFAULT_RATE;
use crate::recorded::filter::ZoneFilter;
use crate::recorded::task::Reader;
use crate::recorded::urgent::UrgentName;
use crate::snapshot::ViewState;

/// Requests that its full listing takes.
const PAGES: usize = 34;

/// Record sets of the zone.
const RECORDS: usize = 10_000;

/// The service: one zone, whose names are `h00000` and so on.
#[derive(Clone)]
struct Service {
    seen: Arc<Mutex<Vec<Seen>>>,
    start: Instant,
    /// Every so many requests one is throttled during the third hour.
    throttle_every: usize,
}

/// A request, and what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    Page(Instant),
    Name(Instant),
    Throttled(Instant),
    Other(Instant),
}

/// Wall-clock time that follows tokio's.
struct SimulatedClock(Instant);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.0.elapsed()).expect("short enough");
        Timestamp::UNIX_EPOCH + passed
    }
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
        let (status, body) = self.answer(request.uri());
        let status = StatusCode::try_from(status).expect("a status");
        let response = HttpResponse::new(status, body.into());
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(Duration::from_millis(80)).await;
            Ok(response)
        })
    }
}

impl Service {
    fn answer(&self, uri: &str) -> (u16, String) {
        let now = Instant::now();
        let mut seen = self.seen.lock().expect("lock");
        let hour = now.duration_since(self.start).as_secs() / 3_600;
        if hour == 2 && seen.len().is_multiple_of(self.throttle_every) {
            seen.push(Seen::Throttled(now));
            return (400, "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>".to_owned());
        }
        if uri.contains("/rrset") {
            let from = uri
                .split("name=h")
                .nth(1)
                .and_then(|rest| rest.get(..5))
                .map_or(0, |n| n.parse().expect("n"));
            let alone = uri.contains("maxitems=20");
            seen.push(if alone { Seen::Name(now) } else { Seen::Page(now) });
            let size = if alone { 20 } else { 300 };
            return (200, page(from, size));
        }
        seen.push(Seen::Other(now));
        let zone = format!(
            "<HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name><CallerReference>x</CallerReference><Config><PrivateZone>false</PrivateZone></Config><ResourceRecordSetCount>{RECORDS}</ResourceRecordSetCount></HostedZone>"
        );
        if uri.contains("/hostedzone/Z1") {
            let servers = "<NameServer>ns.example</NameServer>".repeat(4);
            return (
                200,
                format!(
                    "<GetHostedZoneResponse>{zone}<DelegationSet><NameServers>{servers}</NameServers></DelegationSet></GetHostedZoneResponse>"
                ),
            );
        }
        if uri.ends_with("/hostedzone?maxitems=100") {
            return (
                200,
                format!(
                    "<ListHostedZonesResponse><HostedZones>{zone}</HostedZones><Marker></Marker><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>"
                ),
            );
        }
        (
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
                .to_owned(),
        )
    }
}

fn page(from: usize, size: usize) -> String {
    let next = RECORDS.min(from + size);
    let row = |n| {
        format!(
            "<ResourceRecordSet><Name>h{n:05}.example.com.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
        )
    };
    let rows = (from..next).map(row).collect::<Vec<_>>().concat();
    let more = if next < RECORDS {
        format!(
            "<IsTruncated>true</IsTruncated><NextRecordName>h{next:05}.example.com.</NextRecordName><NextRecordType>A</NextRecordType>"
        )
    } else {
        "<IsTruncated>false</IsTruncated>".to_owned()
    };
    format!(
        "<ListResourceRecordSetsResponse><ResourceRecordSets>{rows}</ResourceRecordSets>{more}<MaxItems>{size}</MaxItems></ListResourceRecordSetsResponse>"
    )
}

fn client(service: &Service) -> Client {
    let config = aws_sdk_route53::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(SharedHttpClient::new(service.clone()));
    let budget = Budget::new(DEFAULT_RATE).expect("legal");
    Client::from_config(config, Arc::new(budget), Arc::default())
}

#[tokio::test(start_paused = true)]
async fn a_day_stays_within_the_budget_and_asks_for_each_page_once_an_interval() {
    const INTERVAL: Duration = Duration::from_hours(1);
    let start = Instant::now();
    let service = Service { seen: Arc::default(), start, throttle_every: 10 };
    let clock = Arc::new(SimulatedClock(start));
    let reader = Reader::new(client(&service), ZoneFilter::default(), clock.clone());
    let (ask, urgent) = watch::channel(Arc::default());
    let latest = Mutex::new(None);
    let reading =
        reader.keep_reading(INTERVAL, urgent, |reading| *latest.lock().expect("lock") = Some(reading));
    let mut asked: Vec<Instant> = Vec::new();
    let day = async {
        for hour in 0..24 {
            // Each hour a wish changes: one name, with its ownership record.
            tokio::time::sleep(Duration::from_hours(1)).await;
            let names = ["h00007", "a-h00007"].map(|name| DomainName::new(&format!("{name}.example.com")));
            let wanted =
                UrgentName { zone_id: ZoneId::new("Z1"), names: names.to_vec(), newer_than: clock.now() };
            ask.send_replace([wanted].into());
            asked.push(Instant::now());
            let reading = latest.lock().expect("lock").clone().expect("published");
            let zone = &reading.value().expect("value").zones[&ZoneId::new("Z1")];
            assert_eq!(zone.records().len(), RECORDS, "hour {hour}");
            let age = clock.now().duration_since(zone.read_at.expect("read"));
            assert!(age < SignedDuration::from_mins(122), "hour {hour}: {age}");
            assert!(hour == 2 || reading.state == ViewState::Read, "hour {hour}: {:?}", reading.problems);
        }
    };
    tokio::select! { () = reading => panic!("it never returns"), () = day => {} }

    let seen = service.seen.lock().expect("lock").clone();
    let at: Vec<Instant> = seen.iter().map(|seen| seen.at()).collect();
    for window in [1_usize, 10, 60, 600] {
        let most = most_within(&at, Duration::from_secs(u64::try_from(window).expect("small")));
        // Two requests a second, and a burst of two.
        assert!(most <= 2 * window + 2, "{most} requests within {window} s");
    }
    let count = |wanted: fn(&Seen) -> bool| seen.iter().filter(|seen| wanted(seen)).count();
    let pages = count(|seen| matches!(seen, Seen::Page(_)));
    assert!((24 * PAGES..=25 * PAGES).contains(&pages), "{pages}: each page once an interval");
    let names = count(|seen| matches!(seen, Seen::Name(_)));
    // The last wish came when the day was over.
    let (wishes, asked) = (asked.len() - 1, &asked[..asked.len() - 1]);
    assert!(2 * wishes <= names && names <= 2 * wishes + 2, "{names} for {wishes} changed wishes");
    for at in asked {
        let soon = seen.iter().any(|seen| {
            matches!(seen, Seen::Name(_)) && *at <= seen.at() && seen.at() < *at + Duration::from_secs(10)
        });
        assert!(soon || at.duration_since(start) < Duration::from_hours(4), "read within 10 s");
    }
    assert!(0 < count(|seen| matches!(seen, Seen::Throttled(_))));
    let others = count(|seen| matches!(seen, Seen::Other(_)));
    assert!(others <= 24 * 4, "{others} for the list of zones and their facts");
    // A wish that changed is seen after two requests; listing the zone for it takes all its pages.
    assert!(10 * names < wishes * PAGES);
    // ExternalDNS lists all pages each minute, whatever happens.
    let external_dns = 24 * 60 * (1 + PAGES);
    assert!(seen.len() * 50 < external_dns, "{} against {external_dns}", seen.len());
}

impl Seen {
    fn at(self) -> Instant {
        match self {
            Self::Page(at) | Self::Name(at) | Self::Throttled(at) | Self::Other(at) => at,
        }
    }
}

/// The most requests within any stretch of this length.
fn most_within(seen: &[Instant], length: Duration) -> usize {
    let mut most = 0;
    let mut first = 0;
    for (last, at) in seen.iter().enumerate() {
        while seen[first] + length <= *at {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}
