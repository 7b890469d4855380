//! The built program over generated worlds: it says every fault that was put in, and nothing else.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/worlds.rs"]
mod worlds;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dns_drift::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::worlds::{Fault, Program, Size, Verdict, World};

/// Two readings that are an interval apart confirm a finding; a busy machine may take a multiple.
const PATIENCE: Duration = Duration::from_mins(3);

/// What is right must stay right for two more readings of Route 53.
const STEADY: Duration = Duration::from_secs(25);

fn size(seed: u64, clusters: usize) -> Size {
    Size {
        seed,
        names: 240,
        clusters,
        names_in_zone: 80,
        faults: Fault::ALL.map(|fault| (fault, 2)).to_vec(),
        at: SystemClock.now(),
    }
}

#[test]
fn a_seed_gives_one_world() {
    let at = SystemClock.now();
    let worlds = [7, 7, 8].map(|seed| World::generate(&Size { at, ..size(seed, 2) }));
    let shown = |world: &World| {
        let zones: Vec<_> = world.zones.iter().map(|zone| (&zone.name, &zone.sets)).collect();
        let clusters: Vec<_> =
            world.clusters.iter().map(|cluster| (&cluster.objects, &cluster.expected)).collect();
        format!("{zones:?} {clusters:?}")
    };
    let [first, again, other] = worlds.each_ref().map(shown);
    assert!(first == again, "one seed gave two worlds");
    assert!(first != other, "two seeds gave one world");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_world_is_found_and_nothing_else() {
    let (world, later) = World::with_later(&size(1, 2));
    let expected: Vec<BTreeSet<Verdict>> =
        world.clusters.iter().map(|cluster| cluster.expected.clone()).collect();
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let poured = Arc::new(world.pour(&mut tasks, &stop));
    let folders = expected.iter().map(|_| tempfile::tempdir().expect("a folder")).collect::<Vec<_>>();
    let quick = json!({"interval": "10s", "dns": {"doubtful_interval": "1s", "zone_interval": "10s"}});
    let programs: Vec<Program> = folders
        .iter()
        .enumerate()
        .map(|(cluster, folder)| Program::start(folder.path(), &poured, cluster, &quick))
        .collect();
    let acting = Arc::clone(&poured);
    let judging = spawn_blocking(move || {
        stays(&programs, &expected);
        let all =
            expected.iter().zip(&later.expected).map(|(first, more)| first.union(more).cloned().collect());
        let all: Vec<_> = all.collect();
        acting.go_on(later, SystemClock.now());
        stays(&programs, &all);
    });
    let beating = async {
        loop {
            poured.heartbeat();
            sleep(Duration::from_secs(10)).await;
        }
    };
    tokio::select! {
        judged = judging => judged.expect("the verdicts of both clusters"),
        () = beating => {}
    }
    stop.cancel();
}

/// Waits until every program says what its cluster is worth, and wants it said for a while.
fn stays(programs: &[Program], expected: &[BTreeSet<Verdict>]) {
    let deadline = Instant::now() + PATIENCE;
    for (program, expected) in programs.iter().zip(expected) {
        wait(program, expected, deadline);
    }
    std::thread::sleep(STEADY);
    for (program, expected) in programs.iter().zip(expected) {
        let report = report(program);
        assert_eq!(differences(&Verdict::open_in(&report), expected), "", "{:#}", report["summary"]);
        assert_eq!(report["summary"]["unknown"], 0, "{:#}", report["summary"]);
    }
}

fn report(program: &Program) -> Value {
    let text = program.get("/api/v1/report").unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn wait(program: &Program, expected: &BTreeSet<Verdict>, deadline: Instant) {
    loop {
        let report = report(program);
        let different = differences(&Verdict::open_in(&report), expected);
        if different.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "not in time:\n{different}\n{:#}\n{}",
            report["summary"],
            others(&report)
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// One line for each verdict that is missing or too many.
fn differences(found: &BTreeSet<Verdict>, expected: &BTreeSet<Verdict>) -> String {
    let missing = expected.difference(found).map(|one| format!("missing   {one:?}\n"));
    let wrong = found.difference(expected).map(|one| format!("unexpected {one:?}\n"));
    missing.chain(wrong).collect()
}

/// What is not open, one line for each finding.
fn others(report: &Value) -> String {
    let findings = report["findings"].as_array().into_iter().flatten();
    let others = findings.filter(|one| one["state"] != "open" && one["state"] != "resolved");
    let lines: Vec<String> = others
        .map(|one| format!("{} {} {}: {}", one["state"], one["subject"], one["kind"], one["summary"]))
        .collect();
    lines.join("\n")
}
