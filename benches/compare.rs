//! How long a verdict takes: 100,000 wanted names against 300,000 record sets with live answers.
//!
//! `cargo bench --bench compare`; `DNS_DRIFT_BENCH_NAMES` sets another size.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stderr,
    missing_docs,
    reason = "a bench may panic"
)]

#[path = "compare/world.rs"]
mod world;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dns_drift::compare::compare;
use dns_drift::desired;
use dns_drift::engine::Engine;
use dns_drift::past::Past;
use dns_drift::policy::Policy;
use dns_drift::snapshot::Snapshot;
use jiff::{SignedDuration, Timestamp};

fn names() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    std::env::var("DNS_DRIFT_BENCH_NAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

fn verdicts(criterion: &mut Criterion) {
    let at: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
    let before = resident();
    let first = world::snapshot(names(), at);
    eprintln!("a snapshot of {} names holds {} MiB", names(), (resident() - before) >> 20);
    let later = at + SignedDuration::from_mins(1);
    let changed = world::with_one_change(&first, later);
    let policy = Policy::default();
    let cluster = first.kubernetes.value().expect("a cluster");
    let wants = desired::compute(cluster, first.route53.value(), at);
    let mut past = Past::default();
    past.observe(&first, &wants, &policy);
    let mut engine = Engine::new(policy.clone());
    let faults = engine.round(&first).findings.len();
    assert_eq!(faults, names().div_ceil(100), "each missing record is found, and nothing else");

    let mut group = criterion.benchmark_group(format!("{} names", names()));
    group.sample_size(10);
    group.bench_function("compare", |bench| {
        bench.iter(|| black_box(compare(&first, &wants, &past, &policy)));
    });
    group.bench_function("desired", |bench| {
        bench.iter(|| black_box(desired::compute(cluster, first.route53.value(), at)));
    });
    group.bench_function("round after one changed object", |bench| {
        bench.iter_batched(
            || engine.clone(),
            |mut engine| black_box(engine.round(&changed)),
            BatchSize::PerIteration,
        );
    });
    let again = Snapshot { at: later, ..first.clone() };
    group.bench_function("round after the same once more", |bench| {
        bench.iter_batched(
            || engine.clone(),
            |mut engine| black_box(engine.round(&again)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Resident bytes of this process; 0 where the system does not tell.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
