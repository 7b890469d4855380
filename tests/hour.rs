//! The built program in real time over a cluster that lives: what the process holds stays at its level.
//!
//! A minute in the ordinary run; `SOAK_MINUTES=60 cargo test --test hour -- --nocapture` for an hour.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/servers.rs"]
mod servers;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/world.rs"]
mod world;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use program::program_with;
use serde_json::json;
use servers::{free, get, logs};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use world::World;

/// Something changes so often.
const TURN: Duration = Duration::from_secs(1);

/// Names of preview hosts; each comes, moves, goes and is there again.
const NAMES: usize = 12;

/// Where preview hosts are, and where they go.
const ADDRESSES: [&str; 2] = ["203.0.113.10", "203.0.113.20"];

/// What the allocator may keep over the level of the first part: a round over a world of this size takes
/// less.
const SPARE_MIB: usize = 16;

/// What the process holds at one time.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Resident.
    mib: usize,
    /// Sockets and files.
    descriptors: usize,
    threads: usize,
    series: usize,
}

impl Held {
    async fn now(process: u32, address: SocketAddr) -> Self {
        let folder = format!("/proc/{process}");
        let status = fs::read_to_string(format!("{folder}/status")).expect("it runs");
        let number = |member: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(member)).expect("a member");
            line.split_whitespace().next().expect("a number").parse().expect("a number")
        };
        let url = format!("http://{address}/metrics");
        let scrape =
            spawn_blocking(move || ureq::get(url).call().expect("a scrape").body_mut().read_to_string());
        let metrics = scrape.await.expect("no panic").expect("a body");
        Self {
            mib: number("VmRSS:") >> 10,
            descriptors: fs::read_dir(format!("{folder}/fd")).expect("it runs").count(),
            threads: number("Threads:"),
            series: metrics.lines().filter(|line| line.starts_with("dns_drift_")).count(),
        }
    }

    fn most(self, other: Self) -> Self {
        Self {
            mib: self.mib.max(other.mib),
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
            series: self.series.max(other.series),
        }
    }

    fn is_level(&self, before: &Self) -> bool {
        self.mib <= before.mib + SPARE_MIB
            && self.descriptors <= before.descriptors + 8
            && self.threads <= before.threads + 4
            && self.series <= before.series + before.series / 10
    }
}

/// What happens in a living cluster: hosts come, move and go, and ExternalDNS follows.
fn lives(world: &World, turn: usize) {
    let publish = |turn: usize, address: &str| {
        let name = format!("preview{}", turn % NAMES);
        let host = format!("{name}.example.com");
        world.ingress_at(&name, &host, &json!({}), address);
        world.records_of(&host, &name, address);
    };
    publish(turn, ADDRESSES[0]);
    if NAMES <= turn {
        publish(turn + NAMES / 2, ADDRESSES[1]);
        let gone = format!("preview{}", (turn + 2) % NAMES);
        if world.kubernetes.delete("Ingress", "shop", &gone) {
            world.no_records(&format!("{gone}.example.com"));
        }
    }
    if turn.is_multiple_of(20) {
        world.refused("refused.example.com");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_process_holds_stays_at_its_level() {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
    let minutes = std::env::var("SOAK_MINUTES").map_or(1, |minutes| minutes.parse().expect("a number"));
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    let alias = json!({"external-dns.alpha.kubernetes.io/alias": "true"});
    world.ingress("refused", "refused.example.com", &alias);
    let (folder, address) = (tempfile::tempdir().unwrap(), free());
    let state = folder.path().join("state").display().to_string();
    let running = program_with(folder.path(), &world, address, &["--state-dir", &state]);
    lives(&world, 0);
    is_told(address, folder.path()).await;

    let (start, whole) = (Instant::now(), Duration::from_mins(minutes));
    let (mut early, mut late) = (None::<Held>, None::<Held>);
    let mut turn = 0;
    while start.elapsed() < whole {
        lives(&world, turn);
        turn += 1;
        sleep(TURN).await;
        let now = Held::now(running.id(), address).await;
        let part = if start.elapsed() < whole / 3 { &mut early } else { &mut late };
        *part = Some(part.map_or(now, |before| before.most(now)));
        if turn.is_multiple_of(60) {
            eprintln!("after {:.0?}: {now:?}", start.elapsed());
        }
    }
    let (early, late) = (early.expect("a first part"), late.expect("a second part"));
    eprintln!("the first third: at most {early:?}\nafter it: at most {late:?}");
    is_told(address, folder.path()).await;
    assert!(late.is_level(&early), "{early:?} {late:?}\n{}", logs(folder.path()));
    stop.cancel();
}

/// The refused change is told, at the beginning as at the end.
async fn is_told(address: SocketAddr, folder: &Path) {
    let begin = Instant::now();
    loop {
        let report = get(address, "/api/v1/report", ("", String::new())).await;
        let told = report["findings"].as_array().into_iter().flatten().any(|one| {
            one["subject"] == "refused.example.com/A"
                && one["kind"] == "failed_change"
                && one["state"] == "open"
        });
        if told {
            return;
        }
        assert!(begin.elapsed() < Duration::from_mins(1), "{report:#}\n{}", logs(folder));
        sleep(Duration::from_millis(200)).await;
    }
}
