//! The Kubernetes watch: against a server that misbehaves in every way that was seen, and, in
//! `kubernetes/both.rs`, against the emulator or a real API server.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "kubernetes/both.rs"]
mod both;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "kubernetes/logs.rs"]
mod logs;
#[path = "kubernetes/stub.rs"]
mod stub;

use std::sync::Arc;
use std::time::Duration;

use dns_drift::clock::SystemClock;
use dns_drift::desired::client::Connection;
use dns_drift::desired::read::{list_raw, read_once};
use dns_drift::desired::task::{self, TaskError};
use dns_drift::desired::watch::WatchSettings;
use dns_drift::finding::Reason;
use dns_drift::model::workload::LogTarget;
use dns_drift::snapshot::{Cluster, Reading, ViewState};
use serde_json::{Value, json};
use stub::{Reply, Stub, event, ingress, list, odd, status};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(10);
const PATIENT: Duration = Duration::from_mins(1);

fn settings() -> WatchSettings {
    WatchSettings {
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(200),
        calm: Duration::from_secs(2),
        confirm_empty_after: Duration::from_millis(300),
        publish_every: Duration::from_millis(20),
        judge_every: Duration::from_millis(100),
        ..WatchSettings::default()
    }
}

/// A running watch.
struct Running {
    readings: watch::Receiver<Reading<Cluster>>,
    targets: watch::Receiver<Arc<Vec<LogTarget>>>,
    stop: CancellationToken,
    task: JoinSet<Result<(), TaskError>>,
}

impl Running {
    fn start(connection: &Connection, settings: WatchSettings) -> Self {
        let (publish, readings) = watch::channel(Reading::unread(vec![]));
        let (pods, targets) = watch::channel(Arc::default());
        let known = watch::channel(Arc::default()).1;
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(task::run(connection.clone(), settings, known, publish, pods, stop.clone()));
        Self { readings, targets, stop, task }
    }

    /// Waits for a view like this.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Reading<Cluster>) -> bool) -> Reading<Cluster> {
        if let Ok(reading) = timeout(SOON, self.readings.wait_for(|reading| wanted(reading))).await {
            return reading.expect("the watch runs").clone();
        }
        panic!("no view in time: {what}; the last: {:?}", self.readings.borrow())
    }

    async fn end(mut self) {
        self.stop.cancel();
        let ended = timeout(SOON, self.task.join_next()).await.expect("stops in time");
        ended.expect("one task").expect("no panic").expect("no error");
    }
}

fn names(reading: &Reading<Cluster>) -> Vec<String> {
    let objects = reading.value().into_iter().flat_map(|cluster| cluster.objects.keys());
    objects.map(|reference| reference.name.to_string()).collect()
}

fn problems(reading: &Reading<Cluster>) -> Vec<(&str, Reason)> {
    reading.problems.iter().map(|problem| (problem.scope.as_str(), problem.code)).collect()
}

fn external_dns() -> Value {
    json!([{"name": "external-dns", "image": "registry.k8s.io/external-dns/external-dns:v0.14.0",
            "args": ["--source=ingress", "--provider=aws", "--txt-owner-id=gke-prod"]}])
}

fn deployments() -> Value {
    let of = |name: &str, containers: Value| {
        json!({"metadata": {"name": name, "namespace": "dns", "resourceVersion": "3"},
               "spec": {"template": {"spec": {"containers": containers}}}})
    };
    list("3", None, &[of("external-dns", external_dns()), of("web", json!([{"image": "nginx"}]))])
}

fn pods() -> Value {
    let pod = json!({
        "metadata": {"name": "external-dns-6d-x", "namespace": "dns", "uid": "u1", "resourceVersion": "4",
                     "ownerReferences": [{"kind": "ReplicaSet", "name": "external-dns-6d", "controller": true}]},
        "spec": {"containers": external_dns()},
        "status": {"phase": "Running", "containerStatuses": [{"name": "external-dns", "restartCount": 2}]}});
    list("4", None, &[pod])
}

/// Two pages with an odd object in each way it can come, and the instance with its log.
#[tokio::test]
async fn pages_and_events_become_the_view() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch) {
        ("ingresses", false) => Some(Reply::Json(
            200,
            match call.query.get("continue").map(String::as_str) {
                None => list("9", Some("more"), &[ingress("a", "1"), odd("b", "2")]),
                Some(token) => {
                    assert_eq!((token, call.query["limit"].as_str()), ("more", "500"));
                    list("9", None, &[ingress("c", "3"), ingress("d", "4")])
                }
            },
        )),
        ("ingresses", true) if call.number == 1 => {
            assert_eq!(call.query["resourceVersion"], "9");
            Some(Reply::Stays(vec![
                event("ADDED", &ingress("e", "10")),
                event("DELETED", &ingress("d", "11")),
                event("MODIFIED", &odd("c", "12")),
                event("MODIFIED", &ingress("a", "13")),
            ]))
        }
        ("deployments", false) => Some(Reply::Json(200, deployments())),
        ("pods", false) => Some(Reply::Json(200, pods())),
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let odd_ones = [("Ingress/shop/b", Reason::Parse), ("Ingress/shop/c", Reason::Parse)];
    let reading = running
        .until("all events", |reading| names(reading) == ["a", "c", "e"] && problems(reading) == odd_ones)
        .await;
    assert_eq!(reading.state, ViewState::Read);
    assert!(reading.read_at.is_some());
    let cluster = reading.value().expect("value");
    assert_eq!(cluster.watched_kinds, ["Ingress".into()]);
    assert_eq!(cluster.instances.len(), 1);
    assert_eq!((&*cluster.instances[0].id, cluster.instances[0].pods[0].restarts), ("gke-prod", 2));
    let targets = running.targets.borrow().clone();
    assert_eq!((targets.len(), &*targets[0].uid, &*targets[0].container), (1, "u1", "external-dns"));
    assert!(stub.connection.stats.last_contact("ingresses").is_some());
    running.end().await;
}

/// Nobody must see an empty or half view, whatever the order of the answers.
#[tokio::test]
async fn errors_are_told_at_once_and_not_hidden_by_retries() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch, call.number) {
        ("ingresses", false, 1 | 2) => Some(Reply::Json(503, status(503, "try later"))),
        ("ingresses", false, 3) => Some(Reply::Json(429, status(429, "too many"))),
        ("ingresses", false, _) => Some(Reply::Json(200, list("1", None, &[ingress("a", "1")]))),
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let reading = running.until("the refusal", |reading| !reading.problems.is_empty()).await;
    assert_eq!((reading.state, reading.value.is_none()), (ViewState::Unread, true));
    assert_eq!(reading.problems[0].message, "HTTP 503: try later");
    let reading = running.until("the list", |reading| reading.state == ViewState::Read).await;
    assert_eq!((names(&reading), problems(&reading)), (vec!["a".to_owned()], vec![]));
    let refused = stub.connection.stats.requests().into_iter().find(|(kind, _)| kind.status == "5xx");
    assert_eq!(refused.expect("counted").1, 2);
    running.end().await;
}

#[tokio::test]
async fn a_list_without_an_answer_ends_and_is_told() {
    let stub = Stub::start(Duration::from_millis(500), |call| {
        match (call.resource.as_str(), call.watch, call.number) {
            ("ingresses", false, 1) => Some(Reply::Hangs),
            ("ingresses", false, _) => Some(Reply::Json(200, list("1", None, &[ingress("a", "1")]))),
            _ => None,
        }
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let reading = running.until("the silence", |reading| !reading.problems.is_empty()).await;
    assert_eq!(problems(&reading)[0], ("Ingress", Reason::Unreachable));
    running.until("the list", |reading| names(reading) == ["a"]).await;
    running.end().await;
}

/// kube would repeat the refused resume point for ever.
#[tokio::test]
async fn a_gone_resume_point_leads_to_a_new_list() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch) {
        ("ingresses", false) => {
            let name = if call.number == 1 { "old" } else { "new" };
            Some(Reply::Json(200, list(&call.number.to_string(), None, &[ingress(name, "1")])))
        }
        ("ingresses", true) if call.query["resourceVersion"] == "1" => {
            Some(Reply::Json(410, status(410, "too old resource version")))
        }
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    running
        .until("the new list", |reading| names(reading) == ["new"] && reading.state == ViewState::Read)
        .await;
    assert_eq!(stub.count("ingresses", false), 2);
    running.end().await;
}

#[tokio::test]
async fn a_watch_that_falls_silent_is_made_anew() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch) {
        ("ingresses", false) => {
            let name = if call.number == 1 { "old" } else { "new" };
            Some(Reply::Json(200, list("1", None, &[ingress(name, "1")])))
        }
        _ => None,
    })
    .await;
    let settings = WatchSettings { renew_after: Duration::from_millis(700), ..settings() };
    let mut running = Running::start(&stub.connection, settings);
    running.until("the first list", |reading| names(reading) == ["old"]).await;
    running.until("the second list", |reading| names(reading) == ["new"]).await;
    running.end().await;
}

/// The store of kube stays "ready" here, and never changes.
#[tokio::test]
async fn a_forbidden_watch_makes_stale_although_the_list_is_allowed() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch) {
        ("ingresses", false) => Some(Reply::Json(200, list("1", None, &[ingress("a", "1")]))),
        ("ingresses", true) => Some(Reply::Json(403, status(403, "cannot watch resource"))),
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let reading = running.until("stale", |reading| reading.state == ViewState::Stale).await;
    assert_eq!(
        (names(&reading), problems(&reading)),
        (vec!["a".to_owned()], vec![("Ingress", Reason::Forbidden)])
    );
    running.end().await;
}

#[tokio::test]
async fn an_empty_list_out_of_nowhere_is_asked_for_twice() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch, call.number) {
        ("ingresses", false, 1) => Some(Reply::Json(200, list("1", None, &[ingress("a", "1")]))),
        ("ingresses", true, 1) => Some(Reply::Ends(vec![event("ERROR", &status(410, "too old"))])),
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let suspicious =
        |reading: &Reading<Cluster>| problems(reading).contains(&("Ingress", Reason::EmptySuspicious));
    let reading = running.until("suspicion", suspicious).await;
    assert_eq!((reading.state, names(&reading)), (ViewState::Stale, vec!["a".to_owned()]));
    let reading = running
        .until("confirmation", |reading| reading.state == ViewState::Read && names(reading).is_empty())
        .await;
    assert_eq!(problems(&reading), []);
    assert_eq!(stub.count("ingresses", false), 3);
    running.end().await;
}

/// The last object that is seen to go leaves an honest empty list.
#[tokio::test]
async fn deletions_that_were_seen_need_no_confirmation() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch, call.number) {
        ("ingresses", false, 1) => Some(Reply::Json(200, list("1", None, &[ingress("a", "1")]))),
        ("ingresses", true, 1) => Some(Reply::Ends(vec![
            event("DELETED", &ingress("a", "2")),
            event("ERROR", &status(410, "too old")),
        ])),
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    running.until("empty", |reading| reading.state == ViewState::Read && names(reading).is_empty()).await;
    let relisted = async {
        while stub.count("ingresses", true) < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, relisted).await.expect("a second watch");
    assert_eq!(stub.count("ingresses", false), 2);
    assert_eq!(running.readings.borrow().problems, []);
    running.end().await;
}

#[tokio::test]
async fn without_the_right_to_workloads_the_ingresses_still_count() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch) {
        ("ingresses", false) => Some(Reply::Json(200, list("1", None, &[ingress("a", "1")]))),
        ("ingresses", true) => None,
        _ => Some(Reply::Json(403, status(403, "forbidden"))),
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let reading = running.until("the view", |reading| reading.value.is_some()).await;
    assert_eq!((reading.state, names(&reading)), (ViewState::Read, vec!["a".to_owned()]));
    let kinds = ["DaemonSet", "Deployment", "Pod", "StatefulSet"];
    assert_eq!(problems(&reading), kinds.map(|kind| (kind, Reason::Forbidden)));
    running.end().await;
}

#[tokio::test]
async fn reading_once_survives_an_expired_page() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch, call.number) {
        ("ingresses", false, 1) => Some(Reply::Json(200, list("1", Some("t"), &[ingress("gone", "1")]))),
        ("ingresses", false, 2) => {
            Some(Reply::Json(410, status(410, "the provided continue parameter is too old")))
        }
        ("ingresses", false, _) => {
            Some(Reply::Json(200, list("2", None, &[ingress("a", "1"), odd("b", "1")])))
        }
        ("deployments", false, _) => Some(Reply::Json(200, deployments())),
        ("pods", false, _) => Some(Reply::Json(200, pods())),
        ("daemonsets", false, _) => Some(Reply::Json(403, status(403, "forbidden"))),
        _ => None,
    })
    .await;
    let (reading, targets) = read_once(&stub.connection, &settings(), &SystemClock).await;
    assert_eq!((reading.state, names(&reading)), (ViewState::Read, vec!["a".to_owned()]));
    assert_eq!(problems(&reading), [("DaemonSet", Reason::Forbidden), ("Ingress/shop/b", Reason::Parse)]);
    assert_eq!(targets.len(), 1);

    let (objects, problems) = list_raw(&stub.connection, &settings()).await;
    let kinds: Vec<String> = objects
        .iter()
        .map(|object| {
            format!("{} {} {}", object["apiVersion"], object["kind"], object["metadata"]["name"])
                .replace('"', "")
        })
        .collect();
    let expected = [
        "networking.k8s.io/v1 Ingress a",
        "networking.k8s.io/v1 Ingress b",
        "apps/v1 Deployment external-dns",
        "v1 Pod external-dns-6d-x",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(problems.len(), 1);
}

/// What an instance with the source `service` needs is found out on the way: Services, and Nodes
/// as soon as a Service with a name points at them. Without the right to Nodes the rest counts, and
/// the view says that names are missing.
#[tokio::test]
async fn only_what_an_instance_needs_is_watched() {
    let containers = json!([{"name": "external-dns", "image": "registry.k8s.io/external-dns/external-dns:v0.14.0",
        "args": ["--source=ingress", "--source=service", "--provider=aws"]}]);
    let service = |name: &str, kind: &str| {
        json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": "5",
                   "annotations": {"external-dns.alpha.kubernetes.io/hostname": format!("{name}.example.com")}},
               "spec": {"type": kind}})
    };
    let stub = Stub::start(PATIENT, move |call| match (call.resource.as_str(), call.watch) {
        ("ingresses", false) => Some(Reply::Json(200, list("9", None, &[ingress("a", "1")]))),
        ("deployments", false) => {
            let one = json!({"metadata": {"name": "external-dns", "namespace": "dns", "resourceVersion": "3"},
                "spec": {"template": {"spec": {"containers": containers}}}});
            Some(Reply::Json(200, list("3", None, &[one])))
        }
        ("services", false) => {
            let both = [service("lb", "LoadBalancer"), service("ports", "NodePort")];
            Some(Reply::Json(200, list("5", None, &both)))
        }
        ("nodes", _) => Some(Reply::Json(403, status(403, "nodes is forbidden"))),
        ("endpointslices", _) => panic!("no headless Service needs them"),
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let reading = running
        .until("Services, and Nodes refused", |reading| {
            reading
                .value()
                .is_some_and(|cluster| cluster.watched_kinds.iter().any(|kind| &**kind == "Service"))
                && problems(reading).contains(&("Node", Reason::Forbidden))
        })
        .await;
    assert_eq!(reading.state, ViewState::Read);
    assert_eq!(names(&reading), ["a", "lb", "ports"]);
    let cluster = reading.value().expect("a view");
    assert_eq!(cluster.unread_kinds.iter().map(|kind| &**kind).collect::<Vec<_>>(), ["Node"]);
    running.end().await;
    let (reading, _) = read_once(&stub.connection, &settings(), &SystemClock).await;
    assert_eq!(names(&reading), ["a", "lb", "ports"]);
    assert_eq!(problems(&reading), [("Node", Reason::Forbidden)]);
}

/// What is told twice counts once, and what is not there cannot go.
#[tokio::test]
async fn events_that_are_repeated_change_nothing() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch, call.number) {
        ("ingresses", false, _) => {
            let objects = [ingress("a", "1"), ingress("a", "1"), ingress("b", "2")];
            Some(Reply::Json(200, list("9", None, &objects)))
        }
        ("ingresses", true, 1) => Some(Reply::Stays(vec![
            event("ADDED", &ingress("a", "1")),
            event("ADDED", &ingress("c", "10")),
            event("ADDED", &ingress("c", "10")),
            event("MODIFIED", &ingress("c", "11")),
            event("MODIFIED", &ingress("c", "11")),
            event("DELETED", &ingress("b", "12")),
            event("DELETED", &ingress("b", "12")),
            event("DELETED", &ingress("never", "13")),
            event("MODIFIED", &ingress("d", "14")),
        ])),
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let reading = running.until("all events", |reading| names(reading) == ["a", "c", "d"]).await;
    assert_eq!((reading.state, problems(&reading)), (ViewState::Read, vec![]));
    running.end().await;
}

/// A new list that breaks off between two pages says nothing about what it did not reach.
#[tokio::test]
async fn a_list_that_breaks_off_takes_nothing_away() {
    let stub = Stub::start(PATIENT, |call| match (call.resource.as_str(), call.watch, call.number) {
        ("ingresses", false, 1) => {
            Some(Reply::Json(200, list("1", None, &[ingress("a", "1"), ingress("b", "1")])))
        }
        ("ingresses", true, 1) => Some(Reply::Ends(vec![event("ERROR", &status(410, "too old"))])),
        ("ingresses", false, 2 | 4) => {
            Some(Reply::Json(200, list("2", Some("more"), &[ingress("a", "1"), ingress("c", "2")])))
        }
        ("ingresses", false, 3 | 5) => Some(Reply::Json(500, status(500, "etcd has no leader"))),
        ("ingresses", false, 6) => Some(Reply::Hangs),
        _ => None,
    })
    .await;
    let mut running = Running::start(&stub.connection, settings());
    let broken = |reading: &Reading<Cluster>| problems(reading).contains(&("Ingress", Reason::Unreachable));
    let reading = running.until("the trouble", broken).await;
    assert_eq!((reading.state, names(&reading)), (ViewState::Stale, vec!["a".to_owned(), "b".to_owned()]));
    running.end().await;
}
