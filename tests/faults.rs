//! Faults of everything around the program, one after the other and in pairs, in simulated time.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/faults/list.rs"]
mod list;
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/servers.rs"]
mod servers;
#[path = "support/faults/stage.rs"]
mod stage;
#[path = "support/faults/story.rs"]
mod story;
#[path = "support/faults/time.rs"]
mod time;
#[path = "support/faults/wire.rs"]
mod wire;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dns_drift::emulator::route53::{R53Fault, R53FaultKind};
use dns_drift::limits::STOP_WITHIN;
use program::program_with;
use serde_json::json;
use servers::{free, get, logs};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use world::World;

use list::{DNS, Fault, KUBERNETES, OWN, ROUTE53};
use stage::{Stage, address_of};
use story::Story;
use wire::{Mode, Wire};

const PATIENT: Duration = Duration::from_mins(1);

/// Faults that come together.
const PAIRS: [(&str, &str); 5] = [
    ("api_gone", "route53_throttled"),
    ("api_frozen", "dns_black_hole"),
    ("watch_silent", "route53_5xx"),
    ("rbac_revoked", "disk_full"),
    ("route53_expired_token", "logs_forbidden"),
];

fn all() -> impl Iterator<Item = &'static Fault> {
    [KUBERNETES, ROUTE53, DNS, OWN].into_iter().flatten()
}

fn named(name: &str) -> &'static Fault {
    all().find(|fault| fault.name == name).expect("a fault")
}

async fn one_after_the_other(faults: &[Fault]) {
    let mut story = Story::begin().await;
    for fault in faults {
        story.fails(&[fault]).await;
    }
    story.end();
}

/// Set in the process of one story.
const ALONE: &str = "DNS_DRIFT_TEST_ALONE";

/// A story in a process of its own: what it holds can be counted there.
fn alone(test: &str, story: impl Future<Output = ()>) {
    if std::env::var_os(ALONE).is_some() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        return runtime.enable_all().start_paused(true).build().expect("a runtime").block_on(story);
    }
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    again.args(["--exact", test, "--nocapture"]).env(ALONE, "1");
    let output = again.output().expect("this program starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "{test}: {}", output.status);
}

#[test]
fn faults_of_the_kubernetes_api() {
    alone("faults_of_the_kubernetes_api", one_after_the_other(KUBERNETES));
}

#[test]
fn faults_of_route53() {
    alone("faults_of_route53", one_after_the_other(ROUTE53));
}

#[test]
fn faults_of_dns() {
    alone("faults_of_dns", one_after_the_other(DNS));
}

#[test]
fn faults_of_logs_disk_and_clock() {
    alone("faults_of_logs_disk_and_clock", one_after_the_other(OWN));
}

#[test]
fn faults_in_pairs() {
    alone("faults_in_pairs", async {
        let mut story = Story::begin().await;
        for (one, other) in PAIRS {
            story.fails(&[named(one), named(other)]).await;
        }
        story.end();
    });
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_nothing() {
    let mut story = Story::begin().await;
    story.restarts().await;
    story.end();
}

/// A leader that is cut off from the cluster steps down before the other one takes over, and does not
/// come back as a second one.
#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_is_replaced_and_never_doubled() {
    let mut stage = Stage::start().await;
    let (mut wires, server) = (JoinSet::new(), address_of(&stage.world.kubernetes.url()));
    let (left, right) = (Wire::start(&mut wires, server).await, Wire::start(&mut wires, server).await);
    let first = stage.replica("dns-drift-a", &left).await;
    let leads =
        |address| async move { stage::get(address, "/metrics").await.1.contains("\ndns_drift_leader 1\n") };
    while !leads(first).await {
        sleep(Duration::from_secs(1)).await;
    }
    let second = stage.replica("dns-drift-b", &right).await;
    sleep(Duration::from_mins(1)).await;
    assert!(leads(first).await && !leads(second).await);

    left.set(Mode::Frozen);
    let cut = Instant::now();
    let mut taken_over = None;
    while cut.elapsed() < Duration::from_mins(5) {
        let (one, other) = (leads(first).await, leads(second).await);
        assert!(!(one && other), "two leaders after {:?}", cut.elapsed());
        if other {
            taken_over.get_or_insert(cut.elapsed());
        }
        if Duration::from_mins(3) < cut.elapsed() {
            left.set(Mode::Pass);
        }
        sleep(Duration::from_millis(500)).await;
    }
    assert!(leads(second).await && !leads(first).await, "the one that came back waits");
    let taken_over = taken_over.expect("taken over");
    assert!(taken_over < Duration::from_secs(16), "{taken_over:?}");
    stage.runs();
}

/// The page lists the faults that are tested, what is seen of them and how long they leave a trace.
#[test]
fn the_page_tells_what_is_tested() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let rows: BTreeMap<&str, &str> =
        page.lines().filter_map(|line| Some((line.strip_prefix("| `")?.split_once("`:")?.0, line))).collect();
    let names: Vec<&str> = all().map(|fault| fault.name).collect();
    assert_eq!(rows.len(), names.len(), "{:?}", rows.keys());
    for fault in all() {
        let row = rows.get(fault.name).unwrap_or_else(|| panic!("no row for {}", fault.name));
        let bound = format!("| {} min |", fault.recovers.as_secs() / 60);
        assert!(row.ends_with(&bound), "{row}: not {bound}");
        let shown = fault.shows.rsplit_once(' ').map_or(fault.shows, |(metric, _)| metric);
        assert!(row.contains(shown), "{row}: not {shown}");
        assert_eq!(row.contains("`observer_blind`"), !fault.blind.is_empty(), "{row}");
        assert!(fault.says.iter().all(|(_, kind)| row.contains(kind)), "{row}");
    }
    for (one, other) in PAIRS {
        assert!(page.contains(&format!("`{one}` with `{other}`")), "no pair {one}, {other}");
    }
}

/// The real program, in real time: what it knew when it was told to stop is what the next one begins
/// with, although the listing of that moment never ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_in_the_middle_of_a_listing_keeps_what_was_known() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.ingress(
        "realtime",
        "realtime.example.com",
        &json!({"external-dns.alpha.kubernetes.io/alias": "true"}),
    );
    world.refused("realtime.example.com");
    let (folder, address) = (tempfile::tempdir().unwrap(), free());
    let state = folder.path().join("state").display().to_string();
    let start = || program_with(folder.path(), &world, address, &["--state-dir", &state]);
    let running = start();
    let before = known(address, folder.path()).await;

    // From now on every answer comes after the program should be gone.
    let slow = R53FaultKind::Delay(Duration::from_mins(1));
    let asked = world.route53.requests().len();
    world.route53.set_fault(R53Fault::new(slow));
    let deadline = Instant::now() + PATIENT;
    while world.route53.requests().len() == asked {
        assert!(Instant::now() < deadline, "no listing begins");
        sleep(Duration::from_millis(50)).await;
    }
    let told = Instant::now();
    let ended = spawn_blocking(move || running.terminate()).await.unwrap();
    assert!(ended.success(), "{ended}: {}", logs(folder.path()));
    assert!(told.elapsed() < STOP_WITHIN, "{:?}", told.elapsed());

    // Route 53 still does not answer: what is told comes out of the state.
    let _next = start();
    assert_eq!(known(address, folder.path()).await, before);
    stop.cancel();
}

/// The refused change as the report has it: state and age.
async fn known(address: SocketAddr, folder: &Path) -> (bool, String) {
    let deadline = Instant::now() + PATIENT;
    loop {
        let report = get(address, "/api/v1/report", ("", String::new())).await;
        let all = report["findings"].as_array().into_iter().flatten();
        let mut ours = all.filter(|one| one["subject"] == "realtime.example.com/A");
        if let Some(one) = ours.find(|one| matches!(one["state"].as_str(), Some("open" | "stale"))) {
            let is_refusal = one["kind"] == "failed_change";
            return (is_refusal, one["first_seen"].as_str().unwrap_or_default().to_owned());
        }
        assert!(Instant::now() < deadline, "{report:#}\n{}", logs(folder));
        sleep(Duration::from_millis(200)).await;
    }
}
