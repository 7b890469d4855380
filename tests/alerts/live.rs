//! Every alert fires and resolves in a real Prometheus, with texts that a person can use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use dns_drift::clock::{Clock as _, SystemClock};
use dns_drift::convergence::{Arrival, Stage};
use dns_drift::finding::{Cause, Kind, Reason, Subject};
use dns_drift::model::DomainName;
use dns_drift::publish::convergence::ConvergenceMetrics;
use dns_drift::publish::cost::{AwsRequests, ChangeCounts, ChangePlace, CostSnapshot, CostSource, NoCosts};
use dns_drift::publish::metrics::registry;
use dns_drift::publish::server::serve;
use dns_drift::publish::web::WebState;
use dns_drift::report::{Finding, Report, Summary};
use dns_drift::snapshot::ViewName;
use jiff::SignedDuration;
use regex::Regex;
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::kinds::{Class, ROOT, alert_name, class};
use crate::rules::Rule;
use crate::servers::{Alerting, DEADLINE, free, logs, prometheus};
use crate::{files, fixture, servers};

/// More than this many findings have no series of their own.
const CAP: usize = 600;

/// Hosts with one and the same cause.
const HOSTS: usize = 500;

/// Counters that go up with each scrape while things are bad.
#[derive(Debug, Default)]
struct Costs {
    bad: AtomicBool,
    count: AtomicU64,
    convergence: ConvergenceMetrics,
}

impl CostSource for Costs {
    fn snapshot(&self) -> CostSnapshot {
        if self.bad.load(Ordering::Relaxed) {
            self.count.fetch_add(100, Ordering::Relaxed);
            let late = Arrival {
                stage: Stage::Live,
                name: DomainName::new("new.example.com"),
                took: None,
                decided: true,
            };
            self.convergence.record(&vec![late; 10]);
        }
        let count = self.count.load(Ordering::Relaxed);
        let place = ChangePlace {
            owner_id: String::from("gke-prod"),
            zone: String::from("example.com"),
            zone_id: String::from("Z1"),
        };
        CostSnapshot {
            changes: ChangeCounts {
                refused: vec![(place.clone(), String::from("cname_conflict"), String::from("log"), count)],
                extra_calls: vec![(place, count)],
                messages_set_aside: count,
                ..ChangeCounts::default()
            },
            aws_requests: vec![AwsRequests {
                operation: String::from("ListHostedZones"),
                outcome: String::from("throttled"),
                count,
            }],
            log_lines_dropped: count,
            ..CostSnapshot::default()
        }
    }

    fn convergence(&self) -> Option<&ConvergenceMetrics> {
        Some(&self.convergence)
    }
}

/// The rules with waits and windows of seconds.
fn rules(folder: &Path) -> Vec<String> {
    let shorter = [(r"(?m)^(\s+for:) \d+[mh]$", "$1 1s"), (r"(?m)^(\s+keep_firing_for:) \d+m$", "$1 2s")];
    let windows = [(r"\[\d+[mhd]\]", "[6s]"), (r"offset 1h", "offset 8s")];
    ["dns-drift.rules.yml", "external-dns.rules.yml"]
        .into_iter()
        .map(|name| {
            let mut text = fs::read_to_string(format!("{ROOT}/alerts/{name}")).unwrap();
            for (pattern, new) in shorter.into_iter().chain(windows) {
                text = Regex::new(pattern).unwrap().replace_all(&text, new).into_owned();
            }
            let file = folder.join(name);
            fs::write(&file, text).unwrap();
            file.display().to_string()
        })
        .collect()
}

/// A finding of each kind, about what its kind is about.
fn findings() -> Vec<Finding> {
    let record = |number: usize| fixture::record(&format!("h{number}.example.com"));
    let of_kind = |(number, kind): (usize, &Kind)| {
        let subject = match class(*kind) {
            Class::Observer => Subject::Source(ViewName::Route53),
            Class::Controller => Subject::Instance("gke-prod".into()),
            Class::Zone => Subject::Zone(DomainName::new("example.com")),
            Class::Wish | Class::Record | Class::Answer => record(number),
        };
        Finding { kind: *kind, ..fixture::finding(&format!("{number:016x}"), subject) }
    };
    let many = (1000..1000 + HOSTS).map(|number| Finding {
        kind: Kind::FailedChange,
        reason: Reason::AliasTargetNotInZone,
        cause: Some(Cause::InvalidDesired(Reason::AliasOnIp)),
        ..fixture::finding(&format!("{number:016x}"), record(number))
    });
    // Beyond the limit: they count, and have no series.
    let rest = (5000..5200).map(|number| fixture::finding(&format!("{number:016x}"), record(number)));
    Kind::ALL.iter().enumerate().map(of_kind).chain(many).chain(rest).collect()
}

fn report(names: usize, unknown: usize, findings: Vec<Finding>, old: bool) -> Arc<Report> {
    let now = SystemClock.now();
    let at = if old { now - SignedDuration::from_hours(1) } else { now };
    let mut report = Report { at, findings, ..fixture::report() };
    report.summary = Summary { names, unknown, ..Summary::default() };
    for view in report.views.values_mut() {
        view.read_at = view.read_at.map(|_| at);
    }
    Arc::new(report)
}

/// The metrics of an ExternalDNS that is well, or not.
async fn external_dns(tasks: &mut JoinSet<()>, bad: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let errors = Arc::new(AtomicU64::default());
    let body = move || async move {
        let bad = bad.load(Ordering::Relaxed);
        let errors = errors.fetch_add(u64::from(bad), Ordering::Relaxed);
        let synced = if bad { 0 } else { SystemClock.now().as_second() };
        // Replicas and shards of dns-drift beside it: nobody leads, and two do not agree how many there are.
        let (leads, other) = if bad { (0, "dns_drift_total_shards{replica=\"1\"} 2\n") } else { (1, "") };
        let beside = format!(
            "# TYPE dns_drift_leader gauge\ndns_drift_leader {leads}\n\
             # TYPE dns_drift_total_shards gauge\ndns_drift_total_shards{{replica=\"0\"}} 1\n{other}"
        );
        format!(
            "{beside}# TYPE external_dns_registry_errors_total counter\nexternal_dns_registry_errors_total {errors}\n\
             # TYPE external_dns_source_errors_total counter\nexternal_dns_source_errors_total 0\n\
             # TYPE external_dns_controller_last_sync_timestamp_seconds gauge\n\
             external_dns_controller_last_sync_timestamp_seconds {synced}\n"
        )
    };
    let app = Router::new().route("/metrics", get(body));
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// What tells the rules of one alert apart; alerts about findings take their severity from these.
fn key(name: &str, severity: &str, window: &str) -> String {
    let words = [name, severity, window].into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<&str>>().join(" ")
}

/// Every rule by its key.
fn rule_keys() -> BTreeSet<String> {
    let rules = files::rules();
    let label = |rule: &Rule, label: &str| rule.labels.get(label).cloned().unwrap_or_default();
    let of_rule =
        |rule: &Rule| Some(key(rule.alert.as_deref()?, &label(rule, "severity"), &label(rule, "window")));
    rules.iter().filter_map(of_rule).collect()
}

/// Alerts that fire, by key; of several with one key one stays.
async fn firing(server: SocketAddr) -> BTreeMap<String, Json> {
    let body = servers::get(server, "/api/v1/alerts", ("x", String::new())).await;
    let alerts = body["data"]["alerts"].as_array().cloned().unwrap_or_default();
    let firing = alerts.into_iter().filter(|alert| alert["state"] == "firing");
    let of_alert = |alert: Json| {
        let label = |label: &str| alert["labels"][label].as_str().unwrap_or_default().to_owned();
        let severity = if label("kind").is_empty() { label("severity") } else { String::new() };
        (key(&label("alertname"), &severity, &label("window")), alert)
    };
    firing.map(of_alert).collect()
}

async fn until(server: SocketAddr, folder: &Path, expected: &BTreeSet<String>) -> BTreeMap<String, Json> {
    let end = Instant::now() + DEADLINE;
    loop {
        let found = firing(server).await;
        let names: BTreeSet<String> = found.keys().cloned().collect();
        if names == *expected {
            return found;
        }
        let missing: Vec<_> = expected.difference(&names).collect();
        let more: Vec<_> = names.difference(expected).collect();
        assert!(Instant::now() < end, "missing {missing:?}, too many {more:?}; {}", logs(folder));
        sleep(Duration::from_millis(200)).await;
    }
}

/// Nothing went wrong in the templates, and the names are there.
fn assert_readable(name: &str, alert: &Json) {
    for key in ["summary", "description", "runbook_url", "dashboard_url"] {
        let text = alert["annotations"][key].as_str().unwrap_or_else(|| panic!("{name}: {key}"));
        for wrong in ["error expanding", "<no value>", "%!", "{{", "NaN", "+Inf"] {
            assert!(!text.contains(wrong), "{name}: {text}");
        }
    }
    let description = alert["annotations"]["description"].as_str().unwrap();
    if Kind::ALL.iter().any(|kind| alert_name(*kind) == name) {
        let since = "since 2026-11-23 09:00:00";
        assert!(description.contains(since) && description.contains("\n- "), "{description}");
        assert!(!description.contains("Next command: dns-drift explain HOST"), "{description}");
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_alert_fires_and_resolves_in_a_real_prometheus() {
    let mut tasks = JoinSet::new();
    let costs = Arc::new(Costs::default());
    costs.bad.store(true, Ordering::Relaxed);
    let controller_bad = Arc::new(AtomicBool::new(true));
    let controller = external_dns(&mut tasks, Arc::clone(&controller_bad)).await;
    let (sender, latest) = watch::channel(Some(report(1000, 500, findings(), true)));
    let registry = Arc::new(registry(latest.clone(), costs.clone(), CAP));
    let state = WebState { latest, registry, costs: Arc::new(NoCosts), config_text: "".into() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut web = JoinSet::new();
    web.spawn(serve(listener, state.clone(), stop.clone()));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (server, files) = (free(), rules(folder));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let alerting = Alerting { rules: &files, alertmanager: None };
    let targets = [("dns-drift", target), ("external-dns", controller)];
    let _prometheus = prometheus(folder, &targets, &alerting, server);

    let down = set(&["DNSDriftDown warning", "DNSDriftDown critical"]);
    let well = set(&["DNSDriftHeartbeat none"]);
    let nothing = "DNSDriftNothingWanted warning";
    let later = down.iter().chain(&well).cloned().chain([nothing.to_owned()]).collect();
    // Everything is bad at once.
    let found = until(server, folder, &rule_keys().difference(&later).cloned().collect()).await;
    for (name, alert) in &found {
        assert_readable(name, alert);
    }
    // Of two causes of this kind one has 500 hosts: one alert, and ten of them in its text.
    let body = servers::get(server, "/api/v1/alerts", ("x", String::new())).await;
    let refused = body["data"]["alerts"].as_array().unwrap().iter();
    let refused: Vec<&Json> =
        refused.filter(|alert| alert["labels"]["reason"] == "alias_target_not_in_zone").collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    let description = refused[0]["annotations"]["description"].as_str().unwrap();
    assert!(description.contains("Affected (500,"), "{description}");
    assert_eq!(description.matches("\n- ").count(), 10, "{description}");

    // All is mended, but nothing is wanted any more.
    costs.bad.store(false, Ordering::Relaxed);
    controller_bad.store(false, Ordering::Relaxed);
    sender.send_replace(Some(report(0, 0, Vec::new(), false)));
    assert_readable(nothing, &firing_within(server, folder, nothing).await);
    // And that is mended too.
    sender.send_replace(Some(report(1000, 0, Vec::new(), false)));
    for (name, alert) in &until(server, folder, &well).await {
        assert_readable(name, alert);
    }

    // dns-drift stops: the heartbeat ends, the dead man is noticed.
    stop.cancel();
    web.join_next().await.unwrap().unwrap().unwrap();
    for (name, alert) in &until(server, folder, &down).await {
        assert_readable(name, alert);
    }
    let stop = CancellationToken::new();
    let listener = TcpListener::bind(target).await.unwrap();
    web.spawn(serve(listener, state, stop.clone()));
    until(server, folder, &well).await;
    stop.cancel();
}

async fn firing_within(server: SocketAddr, folder: &Path, name: &str) -> Json {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(alert) = firing(server).await.remove(name) {
            return alert;
        }
        assert!(Instant::now() < end, "{name} does not fire; {}", logs(folder));
        sleep(Duration::from_millis(200)).await;
    }
}
