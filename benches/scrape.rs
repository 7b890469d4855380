//! What a scrape costs with 100,000 names and 1,000 open findings: the promise is under 10 ms and
//! under 1 MiB.
//!
//! `cargo bench --bench scrape`; the sizes are printed before the times.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a measurement may panic"
)]

#[allow(dead_code, reason = "the measurement uses a part")]
#[path = "../tests/support/report.rs"]
mod fixture;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use criterion::{Criterion, criterion_group, criterion_main};
use dns_drift::limits::MAX_FINDING_SERIES;
use dns_drift::model::ZoneId;
use dns_drift::publish::cost::{CostSnapshot, CostSource, NoCosts};
use dns_drift::publish::cost::{RecordState, RecordStates};
use dns_drift::publish::exposition::Format;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::web::{WebState, router};
use dns_drift::report::{Report, Summary};
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt as _;

const NAMES: usize = 100_000;
const FINDINGS: usize = 1_000;
const ZONES: usize = 100;

/// As if every record had a series.
#[derive(Debug)]
struct AllRecords(Arc<RecordStates>);

impl CostSource for AllRecords {
    fn snapshot(&self) -> CostSnapshot {
        CostSnapshot::default()
    }

    fn records(&self) -> Option<Arc<RecordStates>> {
        Some(Arc::clone(&self.0))
    }
}

fn name(number: usize) -> String {
    format!("host-{number}.customer-facing.shop.example.com")
}

fn report() -> Arc<Report> {
    let mut report = fixture::report();
    report.summary =
        Summary { names: NAMES, in_sync: NAMES - FINDINGS, open: FINDINGS, ..Summary::default() };
    let finding = |number: usize| fixture::finding(&format!("{number:016x}"), fixture::record(&name(number)));
    report.findings = (0..FINDINGS).map(finding).collect();
    let zone = report.zones[0].clone();
    report.zones = (0..ZONES)
        .map(|number| {
            let mut zone = zone.clone();
            zone.zone.id = ZoneId::new(&format!("Z{number:020}"));
            zone
        })
        .collect();
    Arc::new(report)
}

fn state(costs: Arc<dyn CostSource>) -> WebState {
    let (_sender, latest) = watch::channel(Some(report()));
    let registry = Arc::new(registry(latest.clone(), costs, MAX_FINDING_SERIES));
    WebState { latest, registry, costs: Arc::new(NoCosts), config_text: "".into() }
}

/// Every name has a finding: the longest list that the page can have.
fn all_broken() -> WebState {
    let mut report = Report::clone(&report());
    let finding = |number: usize| fixture::finding(&format!("{number:016x}"), fixture::record(&name(number)));
    report.findings = (0..NAMES).map(finding).collect();
    let (_sender, latest) = watch::channel(Some(Arc::new(report)));
    let costs = Arc::new(NoCosts);
    let registry = Arc::new(registry(latest.clone(), costs.clone(), MAX_FINDING_SERIES));
    WebState { latest, registry, costs, config_text: "".into() }
}

/// The whole answer of the server, compressed if asked for.
async fn scrape(app: Router, encoding: &str) -> usize {
    ask(app, "/metrics", encoding).await
}

async fn ask(app: Router, path: &str, encoding: &str) -> usize {
    let request = Request::builder()
        .uri(path)
        .header("accept", "application/openmetrics-text;version=1.0.0")
        .header("accept-encoding", encoding);
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    to_bytes(response.into_body(), 1 << 28).await.unwrap().len()
}

/// The shortest of many: what the work takes when nobody else wants the processor meanwhile.
fn least(what: &str, mut work: impl FnMut() -> usize) {
    let once = |_| {
        let start = Instant::now();
        std::hint::black_box(work());
        start.elapsed()
    };
    let least = (0..300).map(once).min().unwrap();
    eprintln!("{what}, 1,000 findings: at least {least:?}");
}

fn scrapes(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let findings = state(Arc::new(NoCosts));
    let rows = (0..NAMES).map(|number| {
        let subject = fixture::record(&name(number));
        RecordState {
            key: subject.record().unwrap().clone(),
            zone: None,
            zone_id: ZoneId::new("Z1"),
            owner_id: "gke-prod".into(),
            in_sync: true,
        }
    });
    let records = RecordStates { rows: rows.collect(), omitted: 0 };
    let all = state(Arc::new(AllRecords(Arc::new(records))));
    // One server answers all scrapes.
    let app = router(findings.clone());
    let plain = runtime.block_on(scrape(app.clone(), "identity"));
    let small = runtime.block_on(scrape(app.clone(), "gzip"));
    let large = runtime.block_on(scrape(router(all.clone()), "identity"));
    eprintln!("1,000 findings: {plain} bytes, {small} with gzip; every record: {large} bytes");
    assert!(plain < 1 << 20, "{plain} bytes are over the promise");

    least("encode OpenMetrics", || Format::OpenMetrics.encode(&findings.registry).unwrap().len());
    least("encode classic", || Format::Classic.encode(&findings.registry).unwrap().len());
    least("serve plain", || runtime.block_on(scrape(app.clone(), "identity")));
    least("serve with gzip", || runtime.block_on(scrape(app.clone(), "gzip")));

    criterion.bench_function("encode OpenMetrics, 1,000 findings", |bencher| {
        bencher.iter(|| Format::OpenMetrics.encode(&findings.registry).unwrap());
    });
    criterion.bench_function("encode classic, 1,000 findings", |bencher| {
        bencher.iter(|| Format::Classic.encode(&findings.registry).unwrap());
    });
    criterion.bench_function("serve with gzip, 1,000 findings", |bencher| {
        bencher.iter(|| runtime.block_on(scrape(app.clone(), "gzip")));
    });
    let mut slow = criterion.benchmark_group("every record");
    slow.sample_size(10);
    slow.bench_function("encode OpenMetrics, 100,000 records", |bencher| {
        bencher.iter(|| Format::OpenMetrics.encode(&all.registry).unwrap());
    });
    slow.finish();
    let broken = router(all_broken());
    let mut pages = criterion.benchmark_group("page");
    for (what, path) in [("first", "/"), ("last", "/?page=1000"), ("free text", "/?q=no+such+text")] {
        pages.bench_function(format!("{what}, 100,000 findings"), |bencher| {
            bencher.iter(|| runtime.block_on(ask(broken.clone(), path, "identity")));
        });
    }
    pages.finish();
}

criterion_group!(benches, scrapes);
criterion_main!(benches);
