//! What must hold on a real API server as on the emulator.
//!
//! Other tests may use the same server at the same time, so each looks at its own namespace only.

use std::sync::Arc;
use std::time::Duration;

use dns_drift::clock::SystemClock;
use dns_drift::desired::client::{KubeSettings, connect};
use dns_drift::desired::read::read_once;
use dns_drift::emulator::kubernetes::Kubernetes;
use dns_drift::finding::Reason;
use dns_drift::model::instance::Instance;
use dns_drift::model::object::Body;
use dns_drift::snapshot::{Cluster, Reading, ViewState};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::cluster::{self, TestCluster, Variables};
use crate::{Running, SOON, settings};

const NETWORKING: &str = "networking.k8s.io/v1";

fn ingress(name: &str, host: &str) -> Value {
    json!({"apiVersion": NETWORKING, "kind": "Ingress", "metadata": {"name": name},
           "spec": {"rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix",
               "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}})
}

fn address(ip: &str) -> Value {
    json!({"loadBalancer": {"ingress": [{"ip": ip}]}})
}

/// `name host address` of each Ingress of the namespace.
fn rows(reading: &Reading<Cluster>, namespace: &str) -> Vec<String> {
    let objects = reading.value().into_iter().flat_map(|cluster| cluster.objects.values());
    let own = objects.filter(|object| &*object.reference.namespace == namespace);
    own.map(|object| {
        let reference = &object.reference;
        let Body::Ingress(body) = &object.body else { panic!("{reference:?} is no Ingress") };
        let ip = body.addresses.first().and_then(|address| address.ip.clone()).unwrap_or_default();
        format!("{} {} {ip}", reference.name, body.rule_hosts.join(",")).trim_end().to_owned()
    })
    .collect()
}

/// Problems of the namespace, and of whole kinds.
fn problems(reading: &Reading<Cluster>, namespace: &str) -> Vec<(String, Reason)> {
    let own = format!("/{namespace}/");
    let ours = reading.problems.iter().filter(|one| !one.scope.contains('/') || one.scope.contains(&own));
    ours.map(|one| (one.scope.replace(&own, "/"), one.code)).collect()
}

fn instances<'a>(reading: &'a Reading<Cluster>, namespace: &str) -> Vec<&'a Instance> {
    let all = reading.value().map(|cluster| &cluster.instances).into_iter().flatten();
    let own = |one: &&Arc<Instance>| one.workload.as_ref().is_some_and(|own| &*own.namespace == namespace);
    all.filter(own).map(AsRef::as_ref).collect()
}

impl Running {
    async fn until_rows(&mut self, namespace: &str, wanted: &[&str]) -> Reading<Cluster> {
        let namespace = namespace.to_owned();
        self.until(&format!("{wanted:?}"), |reading| {
            reading.state == ViewState::Read && rows(reading, &namespace) == wanted
        })
        .await
    }
}

/// Added, changed, given an address, deleted.
async fn follows_what_happens(cluster: Arc<TestCluster>) {
    let own = cluster.namespace.as_str();
    cluster.apply(ingress("a", "a.example.com")).await;
    cluster.apply(ingress("b", "b.example.com")).await;
    let mut running = Running::start(&cluster.connection, settings());
    let reading = running.until_rows(own, &["a a.example.com", "b b.example.com"]).await;
    assert_eq!(problems(&reading, own), []);

    cluster.apply(ingress("c", "c.example.com")).await;
    running.until_rows(own, &["a a.example.com", "b b.example.com", "c c.example.com"]).await;
    cluster.status(NETWORKING, "Ingress", "a", address("203.0.113.10")).await;
    running.until_rows(own, &["a a.example.com 203.0.113.10", "b b.example.com", "c c.example.com"]).await;
    cluster.apply(ingress("a", "z.example.com")).await;
    cluster.delete(NETWORKING, "Ingress", "b").await;
    let left = ["a z.example.com 203.0.113.10", "c c.example.com"];
    let watched = running.until_rows(own, &left).await;

    let (once, _) = read_once(&cluster.connection, &settings(), &SystemClock).await;
    assert_eq!((once.state, rows(&once, own)), (ViewState::Read, left.map(str::to_owned).to_vec()));
    let objects = |reading: &Reading<Cluster>| {
        let all = reading.value().expect("read").objects.values();
        let own = all.filter(|object| &*object.reference.namespace == own);
        own.cloned().collect::<Vec<_>>()
    };
    assert_eq!(objects(&once), objects(&watched), "a list shows what the watch has seen");
    running.end().await;
}

/// What happens between two watches is not missed.
async fn lists_anew_after_a_restart(cluster: Arc<TestCluster>) {
    let own = cluster.namespace.as_str();
    cluster.apply(ingress("a", "a.example.com")).await;
    let mut first = Running::start(&cluster.connection, settings());
    first.until_rows(own, &["a a.example.com"]).await;
    first.end().await;
    cluster.delete(NETWORKING, "Ingress", "a").await;
    cluster.apply(ingress("b", "b.example.com")).await;
    let mut second = Running::start(&cluster.connection, settings());
    second.until_rows(own, &["b b.example.com"]).await;
    second.end().await;
}

/// A Deployment, its `ReplicaSet` and its Pod.
///
/// Where there are controllers and nodes they must leave this alone: the Deployment is paused and
/// has what it wants, and no scheduler takes the Pod.
async fn external_dns(cluster: &TestCluster) -> Value {
    let labels = json!({"app": "external-dns", "pod-template-hash": "6d5f7c9b8"});
    let pod = json!({"schedulerName": "nobody", "containers": [{"name": "external-dns",
        "image": "registry.k8s.io/external-dns/external-dns:v0.14.2",
        "args": ["--source=ingress", "--provider=aws", "--policy=upsert-only",
                 format!("--txt-owner-id={}", cluster.namespace)]}]});
    let template = json!({"metadata": {"labels": labels}, "spec": pod});
    let owner = |object: &Value| {
        json!([{"apiVersion": "apps/v1", "kind": object["kind"], "name": object["metadata"]["name"],
                "uid": object["metadata"]["uid"], "controller": true}])
    };
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "external-dns"},
        "spec": {"replicas": 1, "paused": true, "selector": {"matchLabels": {"app": "external-dns"}},
                 "template": template}});
    let deployment = cluster.apply(deployment).await;
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "external-dns-6d5f7c9b8", "labels": labels, "ownerReferences": owner(&deployment)},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}});
    // Before the ReplicaSet, so that nobody makes another Pod for it.
    let loose = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "external-dns-6d5f7c9b8-x2x4z", "labels": labels}, "spec": pod});
    cluster.apply(loose).await;
    let set = cluster.apply(set).await;
    let owned = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "external-dns-6d5f7c9b8-x2x4z", "ownerReferences": owner(&set)}});
    cluster.patch(&owned).await.expect("patched")
}

async fn finds_the_instance(cluster: Arc<TestCluster>) {
    let own = cluster.namespace.as_str();
    let mut running = Running::start(&cluster.connection, settings());
    running.until_rows(own, &[]).await;
    let pod = external_dns(&cluster).await;
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "external-dns", "image": "external-dns", "imageID": "i", "ready": true,
            "restartCount": 2, "state": {"running": {"startedAt": "2026-11-23T00:00:00Z"}}}]});
    let name = "external-dns-6d5f7c9b8-x2x4z";
    cluster.status("v1", "Pod", name, status).await;
    let reading = running
        .until("the instance with its Pod", |reading| {
            instances(reading, own)
                .first()
                .and_then(|one| one.pods.first())
                .is_some_and(|pod| pod.restarts == 2)
        })
        .await;
    let found = instances(&reading, own);
    assert_eq!(found.len(), 1, "{found:#?}");
    let instance = found[0];
    let workload = instance.workload.as_ref().expect("discovered");
    assert_eq!((&*workload.kind, &*workload.name), ("Deployment", "external-dns"));
    assert_eq!((&*instance.id, instance.replicas), (own, Some(1)));
    assert_eq!(instance.version.map(|version| version.to_string()).as_deref(), Some("v0.14.2"));
    let health = &instance.pods[0];
    assert_eq!((&*health.name, health.ready), (name, true));
    assert_eq!(json!(&*health.uid), pod["metadata"]["uid"]);
    let targets = running.targets.borrow().clone();
    let logs: Vec<_> = targets.iter().filter(|target| &*target.namespace == own).collect();
    assert_eq!((logs.len(), &*logs[0].pod, &*logs[0].container), (1, name, "external-dns"));

    cluster.delete("apps/v1", "Deployment", "external-dns").await;
    cluster.delete("v1", "Pod", name).await;
    running.until("no instance", |reading| instances(reading, own).is_empty()).await;
    running.end().await;
}

/// A real API server does not take such an object, which is worth knowing; where it got in, it is
/// named and hides no other.
async fn one_odd_object_hides_no_other(cluster: Arc<TestCluster>) {
    let own = cluster.namespace.as_str();
    cluster.apply(ingress("good", "good.example.com")).await;
    let mut odd = ingress("odd", "odd.example.com");
    odd["spec"]["rules"] = json!("none");
    let taken = cluster.try_apply(odd).await;
    let expected = match &taken {
        Ok(_) => {
            assert!(cluster.emulator.is_some(), "a real API server checks types");
            vec![("Ingress/odd".to_owned(), Reason::Parse)]
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => vec![],
        Err(error) => panic!("{error}"),
    };
    let mut running = Running::start(&cluster.connection, settings());
    let reading = running.until_rows(own, &["good good.example.com"]).await;
    assert_eq!(problems(&reading, own), expected);
    running.end().await;
}

async fn a_kind_without_permission_is_a_problem_of_its_own(cluster: Arc<TestCluster>) {
    let own = cluster.namespace.as_str();
    cluster.apply(ingress("a", "a.example.com")).await;
    let connection = cluster.connection_without("apps", "daemonsets").await;
    let mut running = Running::start(&connection, settings());
    let forbidden = [("DaemonSet".to_owned(), Reason::Forbidden)];
    // New rights take a moment to reach a real server's authorizer.
    let reading = running
        .until("all but DaemonSets", |reading| {
            problems(reading, own) == forbidden && rows(reading, own) == ["a a.example.com"]
        })
        .await;
    assert_eq!(reading.state, ViewState::Read);
    running.end().await;

    let connection = cluster.connection_without("networking.k8s.io", "ingresses").await;
    let mut running = Running::start(&connection, settings());
    running
        .until("nothing without Ingresses", |reading| {
            reading.state == ViewState::Unread
                && reading.value.is_none()
                && problems(reading, own).contains(&("Ingress".to_owned(), Reason::Forbidden))
        })
        .await;
    running.end().await;
}

fn refusal(error: kube::Error) -> (u16, String) {
    let kube::Error::Api(status) = error else { panic!("{error}") };
    (status.code, status.reason.clone())
}

/// What the emulator promises about lists, versions and writes.
async fn the_wire_contract(cluster: Arc<TestCluster>) {
    let all: Api<Ingress> = Api::namespaced(cluster.connection.client.clone(), &cluster.namespace);
    for name in ["a", "b", "c"] {
        cluster.apply(ingress(name, "a.example.com")).await;
    }
    let first = all.list(&ListParams::default().limit(2)).await.expect("a page");
    assert_eq!((first.items.len(), first.metadata.remaining_item_count), (2, Some(1)));
    let token = first.metadata.continue_.clone().expect("a token");
    let second = all.list(&ListParams::default().limit(2).continue_token(&token)).await.expect("a page");
    assert_eq!(second.items[0].metadata.name.as_deref(), Some("c"));
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    let bad = all.list(&ListParams::default().limit(2).continue_token("no token")).await;
    assert_eq!(refusal(bad.expect_err("no token")), (400, "BadRequest".to_owned()));

    let before = all.get("a").await.expect("there");
    let version = first.metadata.resource_version.expect("a version");
    let mut events = all.watch(&WatchParams::default(), &version).await.expect("a watch").boxed();
    let same = all.create(&PostParams::default(), &before_creation(&before)).await;
    assert_eq!(refusal(same.expect_err("there already")), (409, "AlreadyExists".to_owned()));
    let patch = |patch: Value| {
        let all = all.clone();
        async move { all.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.expect("patched") }
    };
    let unchanged = patch(json!({"status": address("192.0.2.1"), "spec": {"ingressClassName": null}})).await;
    assert_eq!(unchanged.metadata.resource_version, before.metadata.resource_version);
    assert_eq!(unchanged.status.and_then(|status| status.load_balancer?.ingress), None);
    let changes = json!({"status": address("203.0.113.10"), "spec": {"rules": []}});
    let status = all.patch_status("a", &PatchParams::default(), &Patch::Merge(&changes)).await;
    let status = status.expect("patched");
    assert_eq!((status.metadata.generation, &status.spec), (Some(1), &before.spec));
    let annotated = patch(json!({"metadata": {"annotations": {"note": "x"}}})).await;
    assert_eq!((annotated.metadata.generation, &annotated.status), (Some(1), &status.status));
    let changed = patch(json!({"spec": {"ingressClassName": "gce"}})).await;
    assert_eq!((changed.metadata.generation, changed.metadata.uid), (Some(2), before.metadata.uid));
    cluster.delete(NETWORKING, "Ingress", "a").await;
    assert_eq!(refusal(all.get("a").await.expect_err("gone")), (404, "NotFound".to_owned()));

    let mut versions = Vec::new();
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let event = timeout(SOON, events.next()).await.expect("in time").expect("goes on").expect("an event");
        let (kind, object) = match event {
            WatchEvent::Added(object) => ("added", object),
            WatchEvent::Modified(object) => ("modified", object),
            WatchEvent::Deleted(object) => ("deleted", object),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(status) => panic!("{status:?}"),
        };
        versions.push(object.metadata.resource_version.expect("a version").parse::<u64>().expect("a number"));
        seen.push(format!(
            "{kind} {} {}",
            object.metadata.name.expect("named"),
            object.metadata.generation.unwrap_or(0)
        ));
    }
    assert_eq!(seen, ["modified a 1", "modified a 1", "modified a 2", "deleted a 2"]);
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

/// The object as one would create it again.
fn before_creation(object: &Ingress) -> Ingress {
    let mut new = object.clone();
    new.metadata.resource_version = None;
    new.metadata.uid = None;
    new
}

#[tokio::test]
async fn the_view_follows_what_happens() {
    cluster::run("the_view_follows_what_happens", follows_what_happens).await;
}

#[tokio::test]
async fn a_new_watch_lists_anew() {
    cluster::run("a_new_watch_lists_anew", lists_anew_after_a_restart).await;
}

#[tokio::test]
async fn the_instance_is_found() {
    cluster::run("the_instance_is_found", finds_the_instance).await;
}

#[tokio::test]
async fn one_odd_object() {
    cluster::run("one_odd_object", one_odd_object_hides_no_other).await;
}

#[tokio::test]
async fn no_permission_for_one_kind() {
    cluster::run("no_permission_for_one_kind", a_kind_without_permission_is_a_problem_of_its_own).await;
}

#[tokio::test]
async fn lists_versions_and_writes() {
    cluster::run("lists_versions_and_writes", the_wire_contract).await;
}

/// The way of `DNS_DRIFT_TEST_KUBECONFIG`, shown on a server that is always there; the namespace
/// and all that is in it is gone afterwards.
#[tokio::test]
async fn a_cluster_of_a_kubeconfig_is_left_as_it_was() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let server = Kubernetes::start(&mut tasks, stop.clone(), Arc::new(SystemClock)).expect("a port");
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, server.kubeconfig()).expect("written");
    let variables = Variables { kubeconfig: Some(file.clone()), require_real: true, ..Variables::default() };
    let start = || async { Arc::new(TestCluster::start("a_cluster_of_a_kubeconfig", &variables).await) };
    let first = start().await;
    assert!(first.emulator.is_none());
    cluster::finish(first, follows_what_happens).await;
    cluster::finish(start().await, finds_the_instance).await;
    let settings_of_it = KubeSettings { kubeconfig: Some(file), ..KubeSettings::default() };
    let connection = connect(&settings_of_it, Arc::new(SystemClock)).await.expect("connected");
    let namespaces: Api<Namespace> = Api::all(connection.client.clone());
    let namespaces = namespaces.list(&ListParams::default()).await.expect("namespaces");
    assert_eq!(namespaces.items, []);
    let (left, _) = read_once(&connection, &settings(), &SystemClock).await;
    let left = left.value().expect("read");
    assert!(left.objects.is_empty() && left.instances.is_empty(), "{left:?}");
    stop.cancel();
    let ended = async { while tasks.join_next().await.is_some() {} };
    timeout(Duration::from_secs(30), ended).await.expect("the server ends");
}
