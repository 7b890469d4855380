//! A real Prometheus scrapes the real program, and a report with one of everything: it takes both
//! and shows the findings with their labels.
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
#[path = "support/world.rs"]
mod world;

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dns_drift::emulator::dns::CONTROL_NAME;
use dns_drift::limits::MAX_FINDING_SERIES;
use dns_drift::publish::exposition::Format;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::server::serve;
use dns_drift::publish::web::WebState;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use world::World;

/// The program reads Route 53 every 10 s, and believes what two readings say.
const DEADLINE: Duration = Duration::from_mins(3);

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

/// What `promtool check metrics` says: nothing, if all is well.
fn promtool(body: &str) -> String {
    let mut promtool =
        start("promtool").args(["check", "metrics"]).spawn().unwrap_or_else(|error| missing(&error));
    promtool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said} in\n{body}");
    said
}

#[test]
fn promtool_has_nothing_to_say() {
    let body = Format::Classic.encode(&web_state().registry).unwrap();
    assert_eq!(promtool(&body), "", "in\n{body}");
}

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn prometheus(folder: &Path, targets: &[(&str, SocketAddr)], listen: SocketAddr) -> Server {
    let config = folder.join("prometheus.yml");
    let jobs = targets
        .iter()
        .map(|(job, target)| json!({"job_name": job, "static_configs": [{"targets": [target.to_string()]}]}));
    let text = json!({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs.collect::<Vec<_>>()});
    fs::write(&config, text.to_string()).unwrap();
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

/// The built program against the emulators, as a user would start it.
fn program(folder: &Path, world: &World, listen: SocketAddr) -> Server {
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, world.kubernetes.kubeconfig()).unwrap();
    let servers = world.dns.server_map().into_iter().map(|(name, address)| format!("{name}={address}"));
    let servers: Vec<String> = servers.chain([format!("parent={}", world.dns.parent())]).collect();
    let resolver = json!({"address": world.dns.resolver().to_string(), "view": "public"});
    let config = json!({
        "listen": listen.to_string(), "interval": "10s",
        "kubernetes": {"kubeconfig": kubeconfig.display().to_string()},
        "route53": {"endpoint_url": world.route53.url(), "requests_per_second": 5},
        "dns": {"resolvers": [resolver], "server_map": servers, "control_name": CONTROL_NAME,
                "doubtful_interval": "1s"},
        "windows": {"sync_floor": "1s", "new_object": "1s", "first_address": "1s", "deleted_floor": "1s",
                    "propagation": "1s"}});
    let file = folder.join("config.yaml");
    fs::write(&file, config.to_string()).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_dns-drift"))
        .args(["serve", "--config"])
        .arg(&file)
        .env_clear()
        .envs([("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("program.log")).unwrap())
        .spawn()
        .unwrap();
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
    let log = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    panic!(
        "no rows for {expression}; prometheus said\n{}\nthe program said\n{}",
        log("log"),
        log("program.log")
    );
}

/// Has these labels.
fn assert_labels(row: &Json, expected: &[(&str, &str)]) {
    for (label, value) in expected {
        assert_eq!(row["metric"][label], *value, "{label} of {row:#}");
    }
}

/// Prometheus renames labels that it sets itself.
async fn assert_no_label_clashes(server: SocketAddr, folder: &Path) {
    let ours = rows(server, "{__name__=~\"dns_drift_.*|process_.*\"}", folder).await;
    let renamed =
        |row: &&Json| row["metric"].as_object().unwrap().keys().any(|label| label.starts_with("exported_"));
    assert_eq!(ours.iter().find(renamed), None, "a label clashes with one of the target");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_shows_the_finding_of_the_real_program() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.records("healthy.example.com");
    world.ingress("healthy", "healthy.example.com", &json!({}));
    let alias = json!({"external-dns.alpha.kubernetes.io/alias": "true"});
    world.ingress("realtime", "realtime.example.com", &alias);
    world.refused("realtime.example.com");
    let folder = tempfile::tempdir().unwrap();
    let (target, listen) = (free(), free());
    let _program = program(folder.path(), &world, target);
    let _prometheus = prometheus(folder.path(), &[("dns-drift", target)], listen);

    rows(listen, "up{job=\"dns-drift\"} == 1", folder.path()).await;
    // What users get is known a moment later than that the change was refused.
    let down = "dns_drift_finding{job=\"dns-drift\",state=\"open\",impact=\"down\"}";
    let findings = rows(listen, down, folder.path()).await;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_labels(
        &findings[0],
        &[
            ("name", "realtime.example.com"),
            ("record_type", "A"),
            ("zone", "example.com"),
            ("owner_id", "gke-prod"),
            ("object_kind", "Ingress"),
            ("object_namespace", "shop"),
            ("object", "realtime"),
            ("kind", "failed_change"),
            ("reason", "alias_target_not_in_zone"),
            ("cause", "invalid_desired:alias_on_ip"),
            ("severity", "critical"),
            ("impact", "down"),
        ],
    );
    // One fault, one alert: nothing else is open, in particular nothing of the healthy name.
    let all = rows(listen, "dns_drift_finding{state=\"open\"}", folder.path()).await;
    assert_eq!(all.len(), 1, "{all:#?}");
    let views = rows(listen, "sum(dns_drift_view_up) == 4", folder.path()).await;
    assert_eq!(views.len(), 1);
    assert_no_label_clashes(listen, folder.path()).await;
    let body = spawn_blocking(move || {
        ureq::get(format!("http://{target}/metrics")).call().unwrap().body_mut().read_to_string().unwrap()
    });
    let body = body.await.unwrap();
    assert_eq!(promtool(&body), "", "in\n{body}");
    stop.cancel();
}

/// One of everything, with texts that an attacker would choose.
#[tokio::test]
async fn a_real_prometheus_takes_every_series() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, web_state(), stop.clone()));
    let folder = tempfile::tempdir().unwrap();
    let listen = free();
    let _prometheus = prometheus(folder.path(), &[("fixture", target)], listen);

    let refused = "dns_drift_finding{state=\"open\",kind=\"failed_change\"}";
    let findings = rows(listen, refused, folder.path()).await;
    assert_labels(&findings[0], &[("zone_id", "Z1"), ("object", "web"), ("label_team", "shop")]);
    assert_no_label_clashes(listen, folder.path()).await;
    let hostile = rows(listen, "dns_drift_finding{state=\"pending\"}", folder.path()).await;
    assert!(hostile[0]["metric"]["object"].as_str().unwrap().contains("<script>"));

    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}
