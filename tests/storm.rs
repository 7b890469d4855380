//! Many broken hosts through the real Prometheus and Alertmanager with the shipped files: one cause is
//! one page, with count, cause and some of the hosts, and it ends once.
//!
//! The files are copies with shorter times; what is longer than what stays so.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/report.rs"]
mod fixture;
#[path = "support/pager.rs"]
mod pager;
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/servers.rs"]
mod servers;
#[path = "support/world.rs"]
mod world;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use dns_drift::clock::{Clock as _, SystemClock};
use dns_drift::finding::{Cause, Kind, Reason};
use dns_drift::limits::MAX_FINDING_SERIES;
use dns_drift::publish::cost::NoCosts;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::server::serve;
use dns_drift::publish::web::WebState;
use dns_drift::report::{Finding, Report, Summary};
use pager::{Receiver, alertmanager};
use program::program;
use regex::Regex;
use serde_json::{Value as Json, json};
use servers::{Alerting, DEADLINE, free, get, logs, prometheus, rows};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;
use world::World;

const ALERTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/alerts");
const HOSTS: usize = 500;
const CAUSE: &str = "failed_change, alias_target_not_in_zone, because of invalid_desired:alias_on_ip";

/// The shipped rules with seconds in the place of minutes, so that what begins first still does. What
/// keeps an alert alive is three times as long: 500 hosts do not heal in one moment on a busy machine.
fn rules(folder: &Path) -> String {
    let mut text = fs::read_to_string(format!("{ALERTS}/dns-drift.rules.yml")).unwrap();
    for (pattern, new) in [
        (r"(?m)^(\s+for: \d+)m$", "${1}s"),
        (r"(?m)^(\s+for): (\d+)h$", "$1: ${2}m"),
        (r"(?m)^(\s+keep_firing_for): 5m$", "$1: 15s"),
        (r"(?m)^(\s+keep_firing_for): 10m$", "$1: 30s"),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        assert!(pattern.is_match(&text), "{pattern}");
        text = pattern.replace_all(&text, new).into_owned();
    }
    let file = folder.join("dns-drift.rules.yml");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// The shipped example with our receiver, and with waits that keep their places among those of the rules.
fn routes(receiver: SocketAddr) -> String {
    let text = fs::read_to_string(format!("{ALERTS}/alertmanager.example.yml")).unwrap();
    let waits = Regex::new(r"(group_wait|group_interval): \w+").unwrap();
    assert!(waits.is_match(&text));
    waits.replace_all(&text, "$1: 1s").replace("127.0.0.1:9999", &receiver.to_string())
}

/// Prometheus and Alertmanager beside a target, and who gets the pages.
struct OnCall {
    receiver: Receiver,
    prometheus_at: SocketAddr,
    _servers: [servers::Server; 2],
}

impl OnCall {
    async fn start(tasks: &mut JoinSet<()>, folder: &Path, target: SocketAddr) -> Self {
        let receiver = Receiver::default();
        let hook = receiver.start(tasks).await;
        let (prometheus_at, alertmanager_at) = (free(), free());
        let rules = rules(folder);
        let alertmanager = alertmanager(folder, &routes(hook), alertmanager_at);
        let alerting = Alerting { rules: &[&rules], alertmanager: Some(alertmanager_at) };
        let prometheus = prometheus(folder, &[("dns-drift", target)], &alerting, prometheus_at);
        Self { receiver, prometheus_at, _servers: [alertmanager, prometheus] }
    }

    /// One page to this receiver and its end, and nothing to the other.
    async fn one_page_and_its_end(
        &self,
        receiver: &str,
        other: &str,
        folder: &Path,
        mend: impl FnOnce(),
    ) -> Json {
        let page = self.receiver.until(receiver, folder, |body| body["status"] == "firing").await;
        let all = format!("count(dns_drift_finding{{kind=\"failed_change\",state=\"open\"}}) == {HOSTS}");
        rows(self.prometheus_at, &all, folder).await;
        rows(self.prometheus_at, "absent(ALERTS{alertstate=\"pending\",severity=\"critical\"})", folder)
            .await;
        mend();
        let gone = "absent(ALERTS{severity=~\"critical|warning\"})";
        rows(self.prometheus_at, gone, folder).await;
        self.receiver.until(receiver, folder, |body| body["status"] == "resolved").await;
        // Whatever else Alertmanager wants to say about the end comes with the next flush of its groups.
        sleep(Duration::from_secs(5)).await;
        let told = self.receiver.of(receiver);
        assert_eq!(told.len(), 2, "one page and its end: {told:#?}");
        assert_eq!(self.receiver.of(other), Vec::<Json>::new());
        let alerts = page["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 1, "{page:#}");
        alerts[0].clone()
    }
}

fn host(number: usize) -> String {
    format!("h{number}.example.com")
}

/// Nearly everything is broken: the alert about the mass is the page, and those that it mutes say
/// nothing, neither before nor behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_of_one_cause_are_one_page_of_the_real_program() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.records("healthy.example.com");
    world.ingress("healthy", "healthy.example.com", &json!({}));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let target = free();
    let on_call = OnCall::start(&mut tasks, folder, target).await;
    let _program = program(folder, &world, target);
    rows(on_call.prometheus_at, "sum(dns_drift_view_up) == 4", folder).await;

    let hosts: Vec<String> = (0..HOSTS).map(host).collect();
    let alias = json!({"external-dns.alpha.kubernetes.io/alias": "true"});
    for (number, host) in hosts.iter().enumerate() {
        world.ingress(&format!("h{number}"), host, &alias);
    }
    world.refused_batch(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
    let mend = || {
        for (number, host) in hosts.iter().enumerate() {
            world.ingress(&format!("h{number}"), host, &json!({}));
            world.records(host);
        }
    };
    let alert = on_call.one_page_and_its_end("platform-page", "shop-page", folder, mend).await;
    assert_eq!(alert["labels"]["alertname"], "DNSDriftMassDrift");
    let description = alert["annotations"]["description"].as_str().unwrap();
    assert!(description.contains(CAUSE), "{description}");
    assert_eq!(description.matches(".example.com/A since 20").count(), 5, "{description}");
    stop.cancel();
}

fn report(broken: usize) -> Arc<Report> {
    let refused = |number: usize| Finding {
        kind: Kind::FailedChange,
        reason: Reason::AliasTargetNotInZone,
        cause: Some(Cause::InvalidDesired(Reason::AliasOnIp)),
        ..fixture::finding(&format!("{number:016x}"), fixture::record(&host(number)))
    };
    let findings = (0..broken).map(refused).collect();
    let mut report = Report { at: SystemClock.now(), findings, ..fixture::report() };
    report.summary = Summary { names: 10 * HOSTS, ..Summary::default() };
    for view in report.views.values_mut() {
        view.read_at = view.read_at.map(|_| report.at);
    }
    Arc::new(report)
}

/// A tenth of everything is broken: the alert about the kind is the page, to the team of the objects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_of_one_cause_are_one_page_for_their_team() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let (sender, latest) = watch::channel(Some(report(0)));
    let registry = Arc::new(registry(latest.clone(), Arc::new(NoCosts), MAX_FINDING_SERIES));
    let state = WebState { latest, registry, costs: Arc::new(NoCosts), config_text: "".into() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let mut web = JoinSet::new();
    web.spawn(serve(listener, state, stop.clone()));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let on_call = OnCall::start(&mut tasks, folder, target).await;
    rows(on_call.prometheus_at, "dns_drift_names > 0", folder).await;

    sender.send_replace(Some(report(HOSTS)));
    let mend = || drop(sender.send_replace(Some(report(0))));
    let alert = on_call.one_page_and_its_end("shop-page", "platform-page", folder, mend).await;
    assert_eq!(alert["labels"]["alertname"], "DNSDriftFailedChange");
    assert!(alert["annotations"]["summary"].as_str().unwrap().contains(": 500 in zone example.com"));
    let description = alert["annotations"]["description"].as_str().unwrap();
    assert!(
        description.contains("Affected (500, at most 10 shown") && description.contains(CAUSE),
        "{description}"
    );
    assert_eq!(
        description.matches(".example.com/A of Ingress shop/web: down since").count(),
        10,
        "{description}"
    );
    stop.cancel();
    web.join_next().await.unwrap().unwrap().unwrap();
}

/// Alerts as Prometheus would send them.
async fn post(server: SocketAddr, alerts: &Json) {
    let (body, end) = (alerts.to_string(), Instant::now() + DEADLINE);
    loop {
        let body = body.clone();
        let sending = spawn_blocking(move || {
            let agent = ureq::Agent::new_with_defaults();
            agent.post(format!("http://{server}/api/v2/alerts")).content_type("application/json").send(&body)
        });
        match sending.await.unwrap() {
            Ok(_) => return,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Each effect is muted by its cause, and the same alert of somebody else is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn causes_mute_their_effects_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let listen = free();
    let _alertmanager = alertmanager(folder, &routes(free()), listen);
    let alert = |name: &str, severity: &str, owner: &str, zone: &str| {
        json!({"labels": {"alertname": name, "severity": severity, "owner_id": owner, "zone": zone, "zone_id": zone,
                          "job": owner}})
    };
    // Cause, effect, and what is like the effect but of another owner and zone.
    let trios: Vec<[Json; 3]> = [
        ("DNSDriftMassDrift", "DNSDriftMissingRecord", "critical"),
        ("DNSDriftControllerStalled", "DNSDriftStaleTarget", "critical"),
        ("DNSDriftDelegationBroken", "DNSDriftAuthMismatch", "critical"),
        ("DNSDriftWrongTarget", "DNSDriftWrongTarget", "warning"),
        ("DNSDriftFailedChange", "DNSDriftPoisonedBatches", "warning"),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, (cause, effect, severity))| {
        let (own, other) = (format!("own-{number}"), format!("other-{number}"));
        [
            alert(cause, "critical", &own, &own),
            alert(effect, severity, &own, &own),
            alert(effect, severity, &other, &other),
        ]
    })
    .collect();
    post(listen, &Json::from(trios.iter().flatten().cloned().collect::<Vec<Json>>())).await;
    let found = get_alerts(listen, folder).await;
    let state = |wanted: &Json| {
        let found = found.iter().find(|one| one["labels"] == wanted["labels"]);
        found.unwrap_or_else(|| panic!("{wanted} in {found:#?}"))["status"]["state"].clone()
    };
    for [cause, effect, other] in &trios {
        assert_eq!(state(cause), "active", "{cause}");
        assert_eq!(state(effect), "suppressed", "{effect}");
        assert_eq!(state(other), "active", "{other}");
    }
}

/// All alerts of Alertmanager, once it has judged them.
async fn get_alerts(server: SocketAddr, folder: &Path) -> Vec<Json> {
    let end = Instant::now() + DEADLINE;
    loop {
        let body = get(server, "/api/v2/alerts", ("active", String::from("true"))).await;
        let alerts = body.as_array().cloned().unwrap_or_default();
        if alerts.len() == 15 && alerts.iter().all(|one| one["status"]["state"] != "unprocessed") {
            return alerts;
        }
        assert!(Instant::now() < end, "{alerts:#?}; {}", logs(folder));
        sleep(Duration::from_millis(200)).await;
    }
}
