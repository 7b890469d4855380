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
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/servers.rs"]
mod servers;
#[path = "support/world.rs"]
mod world;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use dns_drift::limits::MAX_FINDING_SERIES;
use dns_drift::publish::exposition::Format;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::server::serve;
use dns_drift::publish::web::WebState;
use program::program;
use serde_json::{Value as Json, json};
use servers::{Alerting, free, missing, prometheus, rows};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;
use world::World;

fn web_state() -> WebState {
    let (_sender, latest) = watch::channel(Some(fixture::shared()));
    let registry = Arc::new(registry(latest.clone(), Arc::new(fixture::Costs::new()), MAX_FINDING_SERIES));
    WebState { latest, registry, config_text: "".into(), live_cost: dns_drift::publish::cost::no_live_cost() }
}

fn start(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
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
    let _prometheus = prometheus(folder.path(), &[("dns-drift", target)], &Alerting::default(), listen);

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
    let _prometheus = prometheus(folder.path(), &[("fixture", target)], &Alerting::default(), listen);

    let refused = "dns_drift_finding{state=\"open\",kind=\"failed_change\"}";
    let findings = rows(listen, refused, folder.path()).await;
    assert_labels(&findings[0], &[("zone_id", "Z1"), ("object", "web"), ("label_team", "shop")]);
    assert_no_label_clashes(listen, folder.path()).await;
    let hostile = rows(listen, "dns_drift_finding{state=\"pending\"}", folder.path()).await;
    assert!(hostile[0]["metric"]["object"].as_str().unwrap().contains("<script>"));

    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}
