//! The way of a page, with the real program, Debian's Prometheus and Alertmanager, and the shipped
//! files: a broken host pages once, with host, cause and fix; the page ends after the repair; a
//! restart of dns-drift changes nothing; a stopped dns-drift is noticed.
//!
//! The files are copies with shorter times, nothing else is changed in them.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/pager.rs"]
mod pager;
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/servers.rs"]
mod servers;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use pager::{Receiver, alertmanager};
use program::program;
use regex::Regex;
use serde_json::{Value as Json, json};
use servers::{Alerting, free, get, prometheus, rows};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use world::World;

const ALERTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/alerts");

/// The shipped rules with waits of seconds. What bridges a restart stays long enough to bridge one.
fn rules(folder: &Path) -> String {
    let text = fs::read_to_string(format!("{ALERTS}/dns-drift.rules.yml")).unwrap();
    let waits = Regex::new(r"(?m)^(\s+for:) \d+[mh]$").unwrap();
    let keeps = Regex::new(r"(?m)^(\s+keep_firing_for:) \d+m$").unwrap();
    assert!(waits.is_match(&text) && keeps.is_match(&text));
    // A page for the silence of the watch itself must outlast the start of a program on a busy machine.
    let hour = Regex::new(r"(?m)^(\s+for:) 1h$").unwrap();
    assert!(hour.is_match(&text));
    let text = hour.replace_all(&text, "$1 30s");
    let text = waits.replace_all(&text, "$1 2s");
    let text = keeps.replace_all(&text, "$1 45s");
    let file = folder.join("dns-drift.rules.yml");
    fs::write(&file, &*text).unwrap();
    file.display().to_string()
}

/// The shipped example with waits of seconds, and with our receiver.
fn routes(receiver: SocketAddr) -> String {
    let text = fs::read_to_string(format!("{ALERTS}/alertmanager.example.yml")).unwrap();
    let waits = Regex::new(r"(group_wait|group_interval): \w+").unwrap();
    assert!(waits.is_match(&text));
    waits.replace_all(&text, "$1: 1s").replace("127.0.0.1:9999", &receiver.to_string())
}

fn alerts(notification: &Json) -> Vec<&Json> {
    notification["alerts"].as_array().unwrap().iter().collect()
}

fn text<'a>(alert: &'a Json, annotation: &str) -> &'a str {
    alert["annotations"][annotation].as_str().unwrap_or_default()
}

/// Names of the alerts that Prometheus holds as firing.
async fn firing(server: SocketAddr) -> BTreeSet<String> {
    let body = get(server, "/api/v1/alerts", ("x", String::new())).await;
    let alerts = body["data"]["alerts"].as_array().cloned().unwrap_or_default();
    let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
    firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_host_pages_once_until_it_is_mended() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.records("healthy.example.com");
    world.ingress("healthy", "healthy.example.com", &json!({}));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let receiver = Receiver::default();
    let hook = receiver.start(&mut tasks).await;
    let (target, prometheus_at, alertmanager_at) = (free(), free(), free());
    let rules = rules(folder);
    let _alertmanager = alertmanager(folder, &routes(hook), alertmanager_at);
    let alerting = Alerting { rules: &[&rules], alertmanager: Some(alertmanager_at) };
    let first = program(folder, &world, target);
    let _prometheus = prometheus(folder, &[("dns-drift", target)], &alerting, prometheus_at);

    // All is well: only the heartbeat beats.
    rows(prometheus_at, "sum(dns_drift_view_up) == 4", folder).await;
    receiver.until("heartbeat", folder, |body| body["status"] == "firing").await;
    assert_eq!(receiver.of("platform-page"), Vec::<Json>::new());

    let alias = json!({"external-dns.alpha.kubernetes.io/alias": "true"});
    world.ingress("realtime", "realtime.example.com", &alias);
    world.refused("realtime.example.com");
    let page = receiver.until("platform-page", folder, |body| body["status"] == "firing").await;
    let [alert] = alerts(&page)[..] else { panic!("{page:#}") };
    for (label, value) in [
        ("alertname", "DNSDriftFailedChange"),
        ("severity", "critical"),
        ("reason", "alias_target_not_in_zone"),
        ("cause", "invalid_desired:alias_on_ip"),
        ("zone", "example.com"),
        ("owner_id", "gke-prod"),
    ] {
        assert_eq!(alert["labels"][label], value, "{label} in {alert:#}");
    }
    let description = text(alert, "description");
    for words in [
        "realtime.example.com/A of Ingress shop/realtime: down since 20",
        "because of invalid_desired:alias_on_ip",
        "kubectl -n shop annotate ingress realtime external-dns.alpha.kubernetes.io/alias-",
        "Next command: dns-drift explain realtime.example.com",
    ] {
        assert!(description.contains(words), "{words} in\n{description}");
    }
    assert!(!description.contains("healthy"), "{description}");
    assert!(text(alert, "runbook_url").ends_with("/docs/runbooks/DNSDriftFailedChange.md"));

    // A restart: Prometheus sees the target go and come back with its findings.
    drop(first);
    rows(prometheus_at, "up{job=\"dns-drift\"} == 0", folder).await;
    let second = program(folder, &world, target);
    rows(
        prometheus_at,
        "dns_drift_finding{kind=\"failed_change\",state=\"open\"} and on (job) up == 1",
        folder,
    )
    .await;
    assert_eq!(receiver.of("platform-page").len(), 1, "{:#?}", receiver.of("platform-page"));
    assert!(firing(prometheus_at).await.contains("DNSDriftFailedChange"));

    // The repair: the annotation goes, ExternalDNS writes the record.
    world.ingress("realtime", "realtime.example.com", &json!({}));
    world.records("realtime.example.com");
    let end = receiver.until("platform-page", folder, |body| body["status"] == "resolved").await;
    assert_eq!(alerts(&end)[0]["fingerprint"], alert["fingerprint"]);
    let told = receiver.of("platform-page");
    assert_eq!(told.len(), 2, "one page and its end: {told:#?}");

    // The watch itself is gone.
    drop(second);
    let down = |body: &Json| body["status"] == "firing" && body["groupLabels"]["alertname"] == "DNSDriftDown";
    let page = receiver.until("platform-page", folder, down).await;
    assert!(text(alerts(&page)[0], "description").contains("nobody would be told"), "{page:#}");
    stop.cancel();
}
