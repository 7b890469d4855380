//! Following logs on the emulated API server: replicas, rotation, crashes, reconnects.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dns_drift::changes::follow::{self, FollowSettings, LogHealth, LogLine, LogTarget};
use dns_drift::clock::SystemClock;
use dns_drift::emulator::kubernetes::Kubernetes;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

struct Cluster {
    server: Kubernetes,
    targets: watch::Sender<Arc<Vec<LogTarget>>>,
    lines: mpsc::Receiver<LogLine>,
    /// What came, by Pod.
    seen: BTreeMap<String, Vec<String>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

fn target(pod: &str, restarts: i32) -> LogTarget {
    LogTarget {
        namespace: "dns".into(),
        pod: pod.into(),
        uid: "u".into(),
        container: "external-dns".into(),
        restarts,
    }
}

impl Cluster {
    fn start(pods: &[&str], settings: FollowSettings) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let server = Kubernetes::start(&mut tasks, stop.clone(), Arc::new(SystemClock)).expect("starts");
        for pod in pods {
            server.apply(json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "dns", "name": pod},
                "spec": {"containers": [{"name": "external-dns"}]},
            }));
        }
        let config = kube::Config::new(server.url().parse().expect("URL"));
        let client = kube::Client::try_from(config).expect("client");
        let all = pods.iter().map(|pod| target(pod, 0)).collect();
        let (targets, receiver) = watch::channel(Arc::new(all));
        let (sender, lines) = mpsc::channel(4);
        let following = follow::run(client, receiver, settings, sender, LogHealth::default(), stop.clone());
        tasks.spawn(following);
        Self { server, targets, lines, seen: BTreeMap::new(), stop, tasks }
    }

    fn write(&self, pod: &str, line: &str) {
        self.server.append_log("dns", pod, "external-dns", line);
    }

    /// Takes lines until this one of this Pod has come, unless it has already.
    async fn until(&mut self, pod: &str, last: &str) {
        while !self.seen.get(pod).is_some_and(|lines| lines.iter().any(|line| line == last)) {
            let line =
                timeout(SOON, self.lines.recv()).await.unwrap_or_else(|_| panic!("{last}: {:?}", self.seen));
            let line = line.expect("the follower runs");
            self.seen.entry(line.target.pod.to_string()).or_default().push(line.text);
        }
    }

    async fn end(mut self) -> BTreeMap<String, Vec<String>> {
        self.stop.cancel();
        while let Some(ended) = timeout(SOON, self.tasks.join_next()).await.expect("stops in time") {
            ended.expect("no panic");
        }
        while let Ok(line) = self.lines.try_recv() {
            self.seen.entry(line.target.pod.to_string()).or_default().push(line.text);
        }
        self.seen
    }
}

fn quick() -> FollowSettings {
    FollowSettings {
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
        ..FollowSettings::default()
    }
}

fn numbered(pod: &str, numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{pod} {number}")).collect()
}

/// Two replicas, one log rotated under its reader, the other's container crashed twice; every line
/// once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_rotation_and_crashes() {
    let mut cluster = Cluster::start(&["a", "b"], quick());
    for number in 1..=3 {
        cluster.write("a", &format!("a {number}"));
        cluster.write("b", &format!("b {number}"));
    }
    cluster.until("a", "a 3").await;
    cluster.write("a", "a 4");
    cluster.server.rotate_log("dns", "a", "external-dns", 1);
    cluster.write("a", "a 5");
    cluster.until("a", "a 5").await;

    // The last words before a crash, whether the connection still brought them or not.
    cluster.write("b", "b 4");
    cluster.server.restart_container("dns", "b", "external-dns");
    cluster.targets.send_replace(Arc::new(vec![target("a", 0), target("b", 1)]));
    cluster.write("b", "b 5");
    cluster.until("b", "b 5").await;
    // Of a container only the log before the last one is kept: what the first one said must be read by now.
    cluster.until("b", "b 4").await;
    cluster.write("b", "b 6");
    cluster.server.rotate_log("dns", "b", "external-dns", 1);
    cluster.server.restart_container("dns", "b", "external-dns");
    cluster.targets.send_replace(Arc::new(vec![target("a", 0), target("b", 2)]));
    cluster.write("b", "b 7");
    cluster.until("b", "b 7").await;
    cluster.until("b", "b 6").await;

    let seen = cluster.end().await;
    assert_eq!(seen["a"], numbered("a", 1..=5));
    let mut of_b = seen["b"].clone();
    of_b.sort();
    assert_eq!(of_b, numbered("b", 1..=7), "each once");
}

/// Each reconnect reads a second again; nothing may come twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reconnects_double_nothing() {
    let settings = FollowSettings { idle: Duration::from_millis(50), ..quick() };
    let mut cluster = Cluster::start(&["a"], settings);
    for number in 1..=30 {
        let line = format!("a {number}");
        cluster.write("a", &line);
        cluster.until("a", &line).await;
        if number % 10 == 0 {
            cluster.server.rotate_log("dns", "a", "external-dns", 2);
        }
    }
    assert_eq!(cluster.end().await["a"], numbered("a", 1..=30));
}
