//! How long the status page takes with 100,000 hosts and 1,000 findings: the overview, a filtered list,
//! one host, and the list of all hosts.
//!
//! `cargo bench --bench page`; the sizes are printed before the times.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stderr,
    missing_docs,
    reason = "a bench may panic"
)]

#[allow(dead_code, reason = "the measurement uses a part")]
#[path = "compare/world.rs"]
mod world;

use std::hint::black_box;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use criterion::{Criterion, criterion_group, criterion_main};
use dns_drift::board::Board;
use dns_drift::clock::SystemClock;
use dns_drift::engine::Engine;
use dns_drift::policy::Policy;
use dns_drift::publish::api::Api;
use dns_drift::publish::api::waiters::Waiters;
use dns_drift::publish::cost::NoCosts;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::web::{WebState, router_with};
use jiff::Timestamp;
use tokio::sync::watch;
use tower::ServiceExt as _;

const NAMES: usize = 100_000;

/// Largest page in bytes: a hundred rows, and the suggestions of the filter.
const MOST: usize = 200_000;

fn served() -> (Router, Vec<String>) {
    let at: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
    let snapshot = world::snapshot(NAMES, at);
    let mut engine = Engine::new(Policy::default());
    let report = Arc::new(engine.round(&snapshot));
    assert_eq!(report.findings.len(), NAMES / 100);
    let broken = report.findings[0].subject.record().expect("a record").name.to_string();
    let wants = engine.shared_wants();
    let well = wants[0].wants[NAMES / 2 + 1].name.to_string();
    let board = Board::new(report, snapshot, wants, engine.lost().clone());
    let (_rounds, boards) = watch::channel(Some(Arc::new(board)));
    let (_reports, latest) = watch::channel(None);
    let registry = Arc::new(registry(latest.clone(), Arc::new(NoCosts), 10));
    let state = WebState { latest, registry, costs: Arc::new(NoCosts), config_text: "{}".into() };
    let (waiters, _seen) = Waiters::new();
    (router_with(state, Api::of_boards(boards, waiters, Arc::new(SystemClock))), vec![broken, well])
}

async fn page(app: &Router, path: &str) -> usize {
    let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
    let answer = app.clone().oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    to_bytes(answer.into_body(), 1 << 26).await.expect("a body").len()
}

fn pages(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let (app, names) = served();
    let mut group = criterion.benchmark_group(format!("{NAMES} hosts"));
    group.sample_size(10);
    for (what, path) in [
        ("overview", String::from("/")),
        ("findings, filtered by text", String::from("/?state=open&q=0.")),
        ("a host with a finding", format!("/hosts/{}", names[0])),
        ("a host without", format!("/hosts/{}", names[1])),
        ("hosts, first page", String::from("/hosts")),
        ("hosts, page 500", String::from("/hosts?page=500")),
        ("hosts, filtered by state", String::from("/hosts?state=in_sync&page=500")),
        ("hosts, filtered by text", String::from("/hosts?q=99")),
        ("hosts, filtered by zone", format!("/hosts?zone={}", zone_of(&names[1]))),
        ("hosts of the API, a page in the middle", format!("/api/v1/hosts?after={}", names[1])),
    ] {
        let size = runtime.block_on(page(&app, &path));
        assert!(size < MOST, "{path}: {size} bytes");
        eprintln!("{what}: {size} bytes");
        group.bench_function(what, |bench| {
            bench.iter(|| black_box(runtime.block_on(page(&app, &path))));
        });
    }
    group.finish();
}

fn zone_of(name: &str) -> &str {
    name.split_once('.').expect("a name of a zone").1
}

criterion_group!(benches, pages);
criterion_main!(benches);
