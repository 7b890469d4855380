//! A real Prometheus scrapes us: it takes both formats and shows the finding with its labels.
//!
//! Needs `prometheus` and `promtool` on the path (Debian package `prometheus`).

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/report.rs"]
mod fixture;

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dns_drift::limits::MAX_FINDING_SERIES;
use dns_drift::publish::exposition::Format;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::server::serve;
use dns_drift::publish::web::WebState;
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_mins(1);

/// Ends with the test, also when it fails.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _killed = self.0.kill();
        let _waited = self.0.wait();
    }
}

fn web_state() -> WebState {
    let (_sender, latest) = watch::channel(Some(fixture::shared()));
    let registry = Arc::new(registry(latest.clone(), Arc::new(fixture::Costs), MAX_FINDING_SERIES));
    WebState { latest, registry, config_text: "".into() }
}

fn start(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn missing(error: &std::io::Error) -> ! {
    panic!("a real Prometheus is needed, apt-get install prometheus: {error}")
}

#[test]
fn promtool_has_nothing_to_say() {
    let body = Format::Classic.encode(&web_state().registry).unwrap();
    let mut promtool =
        start("promtool").args(["check", "metrics"]).spawn().unwrap_or_else(|error| missing(&error));
    promtool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&said), "", "in\n{body}");
    assert!(output.status.success());
}

fn prometheus(folder: &Path, target: SocketAddr, listen: SocketAddr) -> Server {
    let config = folder.join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n- job_name: dns-drift\n  \
         static_configs: [{{ targets: ['{target}'] }}]\n"
    );
    fs::write(&config, text).unwrap();
    let log = fs::File::create(folder.join("log")).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={listen}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| missing(&error));
    Server(child)
}

/// The rows of an instant query; none while the server does not answer yet.
fn query(server: SocketAddr, expression: &str) -> Vec<Json> {
    let url = format!("http://{server}/api/v1/query");
    let Ok(mut answer) = ureq::get(&url).query("query", expression).call() else { return Vec::new() };
    let text = answer.body_mut().read_to_string().unwrap();
    let body: Json = serde_json::from_str(&text).unwrap();
    body["data"]["result"].as_array().cloned().unwrap_or_default()
}

/// Waits until the query has rows.
async fn rows(server: SocketAddr, expression: &'static str, folder: &Path) -> Vec<Json> {
    let until = Instant::now() + DEADLINE;
    while Instant::now() < until {
        let found = spawn_blocking(move || query(server, expression)).await.unwrap();
        if !found.is_empty() {
            return found;
        }
        sleep(Duration::from_millis(200)).await;
    }
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("no rows for {expression}; prometheus said\n{log}");
}

#[tokio::test]
async fn a_real_prometheus_shows_the_finding() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, web_state(), stop.clone()));
    let folder = tempfile::tempdir().unwrap();
    let listen = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = prometheus(folder.path(), target, listen);

    rows(listen, "up == 1", folder.path()).await;
    let findings =
        rows(listen, "dns_drift_finding{state=\"open\",kind=\"failed_change\"}", folder.path()).await;
    assert_eq!(findings.len(), 1);
    let labels = &findings[0]["metric"];
    for (label, value) in [
        ("name", "realtime.example.com"),
        ("kind", "failed_change"),
        ("reason", "alias_target_not_in_zone"),
        ("severity", "critical"),
        ("cause", "invalid_desired:alias_on_ip"),
        ("impact", "down"),
        ("zone_id", "Z1"),
        ("owner_id", "gke-prod"),
        ("object_namespace", "shop"),
        ("object", "web"),
        ("label_team", "shop"),
    ] {
        assert_eq!(labels[label], value, "{label}");
    }
    // Prometheus renames labels that it sets itself.
    let ours = rows(listen, "{__name__=~\"dns_drift_.*|process_.*\"}", folder.path()).await;
    let renamed =
        |row: &&Json| row["metric"].as_object().unwrap().keys().any(|label| label.starts_with("exported_"));
    assert!(!ours.iter().any(|row| renamed(&row)), "a label clashes with one of the target");
    let hostile = rows(listen, "dns_drift_finding{state=\"pending\"}", folder.path()).await;
    assert!(hostile[0]["metric"]["object"].as_str().unwrap().contains("<script>"));

    drop(server);
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}
