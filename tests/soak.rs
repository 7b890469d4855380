//! Days of rounds over the pure engine, and hours of the whole program in simulated time, with hosts
//! that come, go and move: nothing that is kept grows without an end.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/churn.rs"]
mod churn;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/faults/stage.rs"]
mod stage;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/faults/time.rs"]
mod time;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/faults/wire.rs"]
mod wire;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use churn::Churn;
use dns_drift::engine::Engine;
use dns_drift::policy::Policy;
use dns_drift::publish::cost::NoCosts;
use dns_drift::publish::exposition::Format;
use dns_drift::publish::metrics::registry;
use dns_drift::report::Report;
use dns_drift::state::encode;
use jiff::SignedDuration;
use stage::{FIRST, SECOND, Stage};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

/// What a run takes at one time.
#[derive(Debug)]
struct Size {
    /// Bytes of the state file.
    state: usize,
    /// Bytes of the report as JSON.
    report: usize,
    /// Lines of `/metrics`.
    series: usize,
    /// Changes in the feed.
    events: usize,
}

fn size(engine: &Engine, churn: &Churn, report: Report) -> Size {
    let state = encode(engine.memory(), report.at).expect("a form").len();
    let text = serde_json::to_string(&report).expect("JSON").len();
    let (_out, latest) = watch::channel(Some(Arc::new(report)));
    let metrics = Format::Classic.encode(&registry(latest, Arc::new(NoCosts), 10_000)).expect("a text");
    let series = metrics.lines().filter(|line| line.starts_with("dns_drift_")).count();
    Size { state, report: text, series, events: churn.events() }
}

/// Runs for so many hours, and gives the sizes at the hours asked for.
fn run(churn: &mut Churn, every: SignedDuration, hours: &[i64]) -> Vec<Size> {
    let mut engine = Engine::new(Policy::default());
    let mut sizes = Vec::new();
    let begin = churn.now();
    for hour in hours {
        loop {
            let report = engine.round(&churn.round(every));
            assert!(!report.findings.is_empty(), "the world has faults");
            if SignedDuration::from_hours(*hour) <= churn.now().duration_since(begin) {
                sizes.push(size(&engine, churn, report));
                break;
            }
        }
    }
    sizes
}

/// The same within a tenth: the hour cuts the churn at another point each time.
fn is_level(before: usize, after: usize) -> bool {
    after <= before + before / 10
}

fn check(sizes: &[Size]) {
    let [early, late] = sizes else { panic!("two sizes") };
    eprintln!("{early:?}\n{late:?}");
    for (before, after) in [
        (early.state, late.state),
        (early.report, late.report),
        (early.series, late.series),
        (early.events, late.events),
    ] {
        assert!(0 < before && is_level(before, after), "{early:?}\n{late:?}");
    }
}

/// Preview hosts of a team: each is there again some hours later.
#[test]
fn two_days_of_hosts_that_come_and_go_leave_nothing_behind() {
    // Each name keeps its last changes, which takes most of a day to fill.
    check(&run(&mut Churn::of_the_same_hosts(), SignedDuration::from_mins(1), &[24, 48]));
}

/// Names that nobody has ever seen before are forgotten two days after they are gone.
#[test]
fn five_days_of_new_names_are_as_large_as_three() {
    check(&run(&mut Churn::of_new_hosts(), SignedDuration::from_mins(20), &[60, 120]));
}

/// What the tests above look at does grow where something is kept.
#[test]
fn the_first_days_of_new_names_do_grow() {
    let sizes = run(&mut Churn::of_new_hosts(), SignedDuration::from_mins(20), &[10, 40]);
    assert!(!is_level(sizes[0].state, sizes[1].state), "{sizes:?}");
}

/// What the whole program takes at one time.
#[derive(Debug)]
struct Usage {
    tasks: usize,
    /// Sockets and files of the process, those of the emulators included.
    files: usize,
    series: usize,
}

async fn usage(stage: &Stage) -> Usage {
    let (_, metrics) = stage.get("/metrics").await;
    Usage {
        tasks: Handle::current().metrics().num_alive_tasks(),
        files: std::fs::read_dir("/proc/self/fd").expect("Linux").count(),
        series: metrics.lines().filter(|line| !line.starts_with('#')).count(),
    }
}

/// Preview hosts come and go, one moves, one is refused each minute; `SOAK_HOURS` says for how long.
#[tokio::test(start_paused = true)]
async fn hours_of_a_living_cluster_leave_nothing_behind() {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
    let hours = std::env::var("SOAK_HOURS").map_or(2, |hours| hours.parse().expect("a number"));
    let mut stage = Stage::start().await;
    let mut early = None;
    for turn in 0..hours * 12 {
        stage.publish(&format!("preview{}", turn % 12), FIRST);
        stage.publish(&format!("preview{}", (turn + 9) % 12), SECOND);
        if 6 <= turn {
            stage.withdraw(&format!("preview{}", (turn + 6) % 12));
        }
        sleep(Duration::from_mins(5)).await;
        stage.runs();
        if turn % 12 == 11 {
            let now = usage(&stage).await;
            eprintln!("after {} h: {now:?}", turn / 12 + 1);
            let before: &Usage = early.get_or_insert(now);
            let after = usage(&stage).await;
            assert!(
                after.tasks <= before.tasks + 8 && after.files <= before.files + 8,
                "{before:?} {after:?}"
            );
            assert!(is_level(before.series, after.series), "{before:?} {after:?}");
        }
    }
}
