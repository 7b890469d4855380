//! Two replicas of the built program: one judges, the other waits; a leader that dies or stops is replaced.
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

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use program::program_with;
use serde_json::{Value, json};
use servers::{Server, free, logs};
use tempfile::TempDir;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use world::World;

const PATIENT: Duration = Duration::from_mins(1);
/// What is promised for a leader that dies without a word.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15);
const LEADS: &str = "\ndns_drift_leader 1\n";
const WAITS: &str = "\ndns_drift_leader 0\n";

struct Replica {
    folder: TempDir,
    address: SocketAddr,
    server: Option<Server>,
}

impl Replica {
    fn start(world: &World, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free();
        let more = ["--leader-elect", "--pod-name", name];
        let server = Some(program_with(folder.path(), world, address, &more));
        Self { folder, address, server }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Status, part and body; nothing while it does not answer.
    async fn get(&self, path: &'static str) -> (u16, String, String) {
        let url = format!("http://{}{path}", self.address);
        let asking = spawn_blocking(move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false).build();
            let mut answer = ureq::Agent::new_with_config(config).get(&url).call().ok()?;
            let role = answer.headers().get("dns-drift-role").and_then(|value| value.to_str().ok());
            let (status, role) = (answer.status().as_u16(), role.unwrap_or_default().to_owned());
            Some((status, role, answer.body_mut().read_to_string().ok()?))
        });
        asking.await.unwrap().unwrap_or_default()
    }

    async fn metrics(&self) -> String {
        self.get("/metrics").await.2
    }

    async fn until(&self, within: Duration, words: &str) -> String {
        let deadline = Instant::now() + within;
        loop {
            let text = self.metrics().await;
            if text.contains(words) {
                return text;
            }
            assert!(Instant::now() < deadline, "no {words} in {text}\n{}", logs(self.folder()));
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn holder(world: &World) -> String {
    let lease = world.kubernetes.object("Lease", "default", "dns-drift").unwrap_or(Value::Null);
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_judges_and_is_replaced_when_it_dies_or_stops() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.records("healthy.example.com");
    world.ingress("healthy", "healthy.example.com", &json!({}));
    let mut first = Replica::start(&world, "dns-drift-a");
    first.until(PATIENT, LEADS).await;
    first.until(PATIENT, "\ndns_drift_names ").await;
    assert!(holder(&world).starts_with("dns-drift-a_"), "{}", holder(&world));
    let mut second = Replica::start(&world, "dns-drift-b");
    let waiting = second.until(PATIENT, WAITS).await;
    // Nothing counts twice, the page says why it is empty, and Kubernetes sees a healthy replica.
    assert!(!waiting.contains("dns_drift_findings") && !waiting.contains("dns_drift_names"), "{waiting}");
    assert!(!waiting.contains("dns_drift_aws_requests_total"), "{waiting}");
    let (status, role, _) = second.get("/-/ready").await;
    assert_eq!((status, role.as_str()), (200, "standby"));
    assert!(second.get("/").await.2.contains("Standby:"));
    // The leader's page tells what is left of its budgets; whoever waits spends nothing.
    let state = first.get("/state").await.2;
    for words in ["account default", "all name servers together", "as configured"] {
        assert!(state.contains(words), "{words} in {state}");
    }
    let (status, role, _) = first.get("/api/v1/report").await;
    assert_eq!((status, role.as_str()), (200, "leader"));
    // The budget of the API is spent once: all requests are those that the leader counts.
    let seen = u64::try_from(world.route53.requests().len()).unwrap();
    let counted = |text: &str| -> u64 {
        let rows = text.lines().filter(|line| line.starts_with("dns_drift_aws_requests_total{"));
        rows.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    let after = counted(&first.metrics().await);
    assert!(0 < seen && seen <= after, "{seen} requests, {after} of them the leader's");

    // Killed without a word.
    let died = Instant::now();
    drop(first.server.take());
    second.until(TAKEN_OVER_WITHIN, LEADS).await;
    assert!(died.elapsed() <= TAKEN_OVER_WITHIN, "{:?}", died.elapsed());
    assert!(holder(&world).starts_with("dns-drift-b_"), "{}", holder(&world));
    second.until(PATIENT, "\ndns_drift_names ").await;

    // Asked to stop: the Lease is free at once, and the next one needs no patience.
    let third = Replica::start(&world, "dns-drift-c");
    third.until(PATIENT, WAITS).await;
    let ended = second.server.take().expect("runs").terminate();
    assert!(ended.success(), "{ended}: {}", logs(second.folder()));
    let stopped = Instant::now();
    third.until(Duration::from_secs(6), LEADS).await;
    assert!(stopped.elapsed() < Duration::from_secs(6), "{:?}", stopped.elapsed());
    stop.cancel();
}
