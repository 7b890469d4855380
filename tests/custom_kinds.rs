//! Watching custom resources: only those that an instance reads, when they are installed, and
//! without going blind where they are refused.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dns_drift::clock::{Clock, SystemClock};
use dns_drift::desired;
use dns_drift::desired::client::{Connection, KubeSettings, connect};
use dns_drift::desired::read::{list_raw, read_once};
use dns_drift::desired::task::{self, TaskError};
use dns_drift::desired::watch::WatchSettings;

use dns_drift::emulator::kubernetes::{KubeFault, KubeFaultKind, Kubernetes, ResourceKind};
use dns_drift::finding::Reason;
use dns_drift::snapshot::{Cluster, Reading, ViewState};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

struct World {
    kubernetes: Kubernetes,
    connection: Connection,
    readings: watch::Receiver<Reading<Cluster>>,
    stop: CancellationToken,
    watching: JoinSet<Result<(), TaskError>>,
    serving: JoinSet<()>,
}

fn settings() -> WatchSettings {
    WatchSettings {
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(200),
        confirm_empty_after: Duration::from_millis(200),
        look_again_every: Duration::from_millis(100),
        publish_every: Duration::from_millis(20),
        judge_every: Duration::from_millis(100),
        ..WatchSettings::default()
    }
}

fn external_dns(sources: &[&str]) -> Value {
    let mut args: Vec<String> = sources.iter().map(|source| format!("--source={source}")).collect();
    args.extend(["--provider=aws".to_owned(), "--txt-owner-id=gke-prod".to_owned()]);
    let container = json!({"name": "external-dns", "image": "r/external-dns:v0.21.0", "args": args});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "external-dns", "namespace": "dns"},
           "spec": {"template": {"spec": {"containers": [container]}}}})
}

fn ingress() -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"},
           "spec": {"rules": [{"host": "web.example.com"}]},
           "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
}

fn gateway() -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
           "metadata": {"name": "gw", "namespace": "infra"},
           "spec": {"listeners": [{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces":
               {"from": "Selector", "selector": {"matchLabels": {"public": "yes"}}}}}]},
           "status": {"addresses": [{"value": "192.0.2.2"}]}})
}

fn route() -> Value {
    let parent = json!({"name": "gw", "namespace": "infra"});
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
           "metadata": {"name": "api", "namespace": "shop"},
           "spec": {"parentRefs": [parent], "hostnames": ["api.example.com"]},
           "status": {"parents": [{"parentRef": parent, "conditions": [{"type": "Accepted", "status": "True"}]}]}})
}

fn namespace() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"public": "yes"}}})
}

impl World {
    async fn start(objects: &[Value], faults: Vec<KubeFault>) -> Self {
        Self::start_with(settings(), objects, faults).await
    }

    async fn start_with(settings: WatchSettings, objects: &[Value], faults: Vec<KubeFault>) -> Self {
        let (mut serving, stop) = (JoinSet::new(), CancellationToken::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let kubernetes = Kubernetes::start(&mut serving, stop.clone(), Arc::clone(&clock)).expect("server");
        for object in objects {
            kubernetes.apply(object.clone());
        }
        for fault in faults {
            kubernetes.set_fault(fault);
        }
        let mut file = tempfile::NamedTempFile::new().expect("file");
        file.write_all(kubernetes.kubeconfig().as_bytes()).expect("written");
        let place = KubeSettings { kubeconfig: Some(file.path().to_owned()), ..KubeSettings::default() };
        let connection = connect(&place, clock).await.expect("connected");
        let (publish, readings) = watch::channel(Reading::unread(vec![]));
        let (pods, _) = watch::channel(Arc::default());
        let known = watch::channel(Arc::default()).1;
        let mut watching = JoinSet::new();
        watching.spawn(task::run(connection.clone(), settings, known, publish, pods, stop.clone()));
        Self { kubernetes, connection, readings, stop, watching, serving }
    }

    async fn until(&mut self, what: &str, wanted: impl Fn(&Reading<Cluster>) -> bool) -> Reading<Cluster> {
        if let Ok(reading) = timeout(SOON, self.readings.wait_for(|reading| wanted(reading))).await {
            return reading.expect("the watch runs").clone();
        }
        panic!("no view in time: {what}; the last: {:?}", self.readings.borrow())
    }

    async fn end(mut self) {
        self.stop.cancel();
        let ended = timeout(SOON, self.watching.join_next()).await.expect("stops in time");
        ended.expect("one task").expect("no panic").expect("no error");
        self.serving.shutdown().await;
    }
}

fn watched(reading: &Reading<Cluster>) -> Vec<&str> {
    reading.value().into_iter().flat_map(|cluster| &cluster.watched_kinds).map(AsRef::as_ref).collect()
}

fn is_watched(reading: &Reading<Cluster>, kind: &str) -> bool {
    watched(reading).contains(&kind)
}

fn wants(reading: &Reading<Cluster>) -> Vec<String> {
    let found = desired::compute(reading.value().expect("read"), None, Timestamp::UNIX_EPOCH);
    found
        .iter()
        .flat_map(|one| &one.wants)
        .map(|want| format!("{}={}", want.name, want.targets().join(",")))
        .collect()
}

#[tokio::test]
async fn a_kind_that_is_installed_later_is_picked_up() {
    let objects = [external_dns(&["ingress", "gateway-httproute"]), ingress(), namespace()];
    let mut world = World::start(&objects, vec![]).await;
    let first = world.until("without Gateway API", |reading| reading.state == ViewState::Read).await;
    assert_eq!(watched(&first), ["Ingress", "Namespace"]);
    assert_eq!((first.problems.len(), wants(&first)), (0, vec!["web.example.com=192.0.2.1".to_owned()]));

    world.kubernetes.apply(gateway());
    world.kubernetes.apply(route());
    let second = world.until("the route", |reading| is_watched(reading, "HTTPRoute")).await;
    let second = if wants(&second).len() == 2 {
        second
    } else {
        world.until("its name", |reading| reading.value().is_some() && wants(reading).len() == 2).await
    };
    assert_eq!(wants(&second), ["api.example.com=192.0.2.2", "web.example.com=192.0.2.1"]);
    assert_eq!(second.problems, []);
    assert_eq!(world.kubernetes.count("list", "services"), 0, "nobody reads Services");

    world.kubernetes.delete("HTTPRoute", "shop", "api");
    let third = world.until("without the route", |reading| wants(reading).len() == 1).await;
    assert!(is_watched(&third, "HTTPRoute"), "its absence is known");

    world.kubernetes.apply(external_dns(&["ingress"]));
    let last = world.until("ingress alone", |reading| watched(reading) == ["Ingress"]).await;
    assert_eq!(last.value().expect("read").objects.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn an_older_version_of_the_kind_is_read() {
    let mut old = route();
    old["apiVersion"] = json!("gateway.networking.k8s.io/v1beta1");
    let mut holder = gateway();
    holder["apiVersion"] = json!("gateway.networking.k8s.io/v1beta1");
    let objects = [external_dns(&["gateway-httproute"]), namespace(), old, holder];
    let mut world = World::start(&objects, vec![]).await;
    let reading = world.until("the route", |reading| is_watched(reading, "HTTPRoute")).await;
    assert_eq!(wants(&reading), ["api.example.com=192.0.2.2"]);

    let (once, _) = read_once(&world.connection, &settings(), &SystemClock).await;
    assert_eq!((once.state, wants(&once)), (ViewState::Read, wants(&reading)));
    let (raw, problems) = list_raw(&world.connection, &settings()).await;
    let mut kinds: Vec<String> =
        raw.iter().map(|object| format!("{} {}", object["apiVersion"], object["kind"])).collect();
    kinds.sort();
    assert_eq!(
        kinds,
        [
            "\"apps/v1\" \"Deployment\"",
            "\"gateway.networking.k8s.io/v1beta1\" \"Gateway\"",
            "\"gateway.networking.k8s.io/v1beta1\" \"HTTPRoute\"",
            "\"v1\" \"Namespace\"",
        ]
    );
    assert_eq!(problems, []);
    world.end().await;
}

#[tokio::test]
async fn a_forbidden_kind_is_named_and_blinds_nothing_else() {
    let objects = [external_dns(&["ingress", "crd"]), ingress()];
    let forbidden = KubeFault::new(KubeFaultKind::ForbidList).on("dnsendpoints");
    let mut world = World::start(&objects, vec![forbidden]).await;
    world.kubernetes.register(ResourceKind::namespaced(
        "externaldns.k8s.io",
        "v1alpha1",
        "dnsendpoints",
        "DNSEndpoint",
    ));
    let named = |reading: &Reading<Cluster>| {
        reading
            .problems
            .iter()
            .any(|problem| problem.scope == "DNSEndpoint" && problem.code == Reason::Forbidden)
    };
    let reading =
        world.until("the refusal", |reading| reading.state == ViewState::Read && named(reading)).await;
    assert_eq!((watched(&reading), wants(&reading).len()), (vec!["Ingress"], 1));

    world.kubernetes.clear_faults();
    let reading = world.until("allowed", |reading| is_watched(reading, "DNSEndpoint")).await;
    assert_eq!((reading.state, reading.problems.len()), (ViewState::Read, 0));
    world.end().await;
}

#[tokio::test]
async fn an_odd_object_is_named_and_hides_no_other() {
    let good = json!({"apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint",
        "metadata": {"name": "good", "namespace": "shop"},
        "spec": {"endpoints": [{"dnsName": "a.example.com", "recordType": "A", "targets": ["192.0.2.3"]}]}});
    let mut odd = good.clone();
    odd["metadata"]["name"] = json!("odd");
    odd["spec"]["endpoints"] = json!("none");
    let mut world = World::start(&[external_dns(&["crd"]), good, odd], vec![]).await;
    let reading = world.until("the good one", |reading| is_watched(reading, "DNSEndpoint")).await;
    assert_eq!(wants(&reading), ["a.example.com=192.0.2.3"]);
    let problems: Vec<&str> = reading.problems.iter().map(|problem| problem.scope.as_str()).collect();
    assert_eq!((reading.state, problems), (ViewState::Read, vec!["DNSEndpoint/shop/odd"]));
    world.end().await;
}

/// A server that has just started answers 404 for a while: the objects are not gone.
#[tokio::test]
async fn a_kind_that_goes_away_is_believed_only_after_a_second_look() {
    let objects = [external_dns(&["gateway-httproute"]), namespace(), gateway(), route()];
    let mut world = World::start(&objects, vec![]).await;
    world.until("the route", |reading| is_watched(reading, "HTTPRoute")).await;
    let missing = KubeFaultKind::Status { code: 404, retry_after: None };
    world.kubernetes.set_fault(KubeFault::new(missing).on("httproutes"));
    world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::CutWatches));
    let doubt = |reading: &Reading<Cluster>| {
        reading.problems.iter().any(|problem| problem.code == Reason::EmptySuspicious)
    };
    let doubtful = world.until("doubt", |reading| doubt(reading)).await;
    assert_eq!((doubtful.state, wants(&doubtful).len()), (ViewState::Read, 1), "the last value stands");
    // A problem with the kind, and so no proof that anything was deleted.
    assert!(doubtful.problems.iter().any(|problem| problem.scope == "HTTPRoute"), "{:?}", doubtful.problems);
    let gone = world.until("gone", |reading| !is_watched(reading, "HTTPRoute")).await;
    assert_eq!((gone.state, wants(&gone).len()), (ViewState::Read, 0));
    world.kubernetes.clear_faults();
    world.until("back", |reading| is_watched(reading, "HTTPRoute") && wants(reading).len() == 1).await;
    world.end().await;
}

/// A watch lives as long as an instance needs its kind, and begins anew when one does again.
#[tokio::test]
async fn a_watch_ends_with_the_need_for_it() {
    let with_routes = || external_dns(&["ingress", "gateway-httproute"]);
    let objects = [with_routes(), ingress(), namespace(), gateway(), route()];
    let mut world = World::start(&objects, vec![]).await;
    world.until("the route", |reading| is_watched(reading, "HTTPRoute") && wants(reading).len() == 2).await;

    world.kubernetes.apply(external_dns(&["ingress"]));
    let alone = world.until("ingress alone", |reading| watched(reading) == ["Ingress"]).await;
    assert_eq!(alone.value().expect("read").objects.len(), 1, "its rows are gone");
    let (before, ingresses) =
        (world.kubernetes.count("watch", "httproutes"), world.kubernetes.count("watch", "ingresses"));
    world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::CutWatches));
    let others_are_back = async {
        while world.kubernetes.count("watch", "ingresses") == ingresses {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, others_are_back).await.expect("a new watch of Ingresses");
    assert_eq!(world.kubernetes.count("watch", "httproutes"), before, "nobody watches routes any more");

    world.kubernetes.apply(with_routes());
    let again = world
        .until("the route again", |reading| is_watched(reading, "HTTPRoute") && wants(reading).len() == 2)
        .await;
    assert_eq!((again.state, again.problems.len()), (ViewState::Read, 0));
    world.end().await;
}

/// For their labels alone Namespaces are watched only if asked; losing them freezes no verdict.
#[tokio::test]
async fn namespaces_lend_their_labels_and_nothing_hangs_on_them() {
    let objects = [external_dns(&["ingress"]), ingress(), namespace()];
    let mut without = World::start(&objects, vec![]).await;
    without.until("the name", |reading| reading.state == ViewState::Read).await;
    assert_eq!(without.kubernetes.count("list", "namespaces"), 0, "nobody asked for them");
    without.end().await;

    let asked = WatchSettings { namespaces: true, ..settings() };
    let mut world = World::start_with(asked.clone(), &objects, vec![]).await;
    let team = |reading: &Reading<Cluster>| {
        let shop = reading.value()?.objects.of_kind("Namespace").first()?.clone();
        shop.labels.get("team").map(str::to_owned)
    };
    let first = world.until("the namespace", |reading| reading.value().is_some()).await;
    assert_eq!(watched(&first), ["Ingress", "Namespace"]);
    assert_eq!(wants(&first), ["web.example.com=192.0.2.1"]);
    let mut labelled = namespace();
    labelled["metadata"]["labels"]["team"] = json!("shop");
    world.kubernetes.apply(labelled);
    world.until("the label wakes the view", |reading| team(reading).as_deref() == Some("shop")).await;
    let (raw, _) = list_raw(&world.connection, &asked).await;
    assert!(raw.iter().any(|object| object["kind"] == "Namespace"), "recordings hold them");
    world.end().await;

    let forbidden = KubeFault::new(KubeFaultKind::ForbidList).on("namespaces");
    let mut world = World::start_with(asked, &objects, vec![forbidden]).await;
    let reading = world.until("the refusal", |reading| !reading.problems.is_empty()).await;
    assert_eq!((reading.state, &*reading.problems[0].scope), (ViewState::Read, "Namespace"));
    assert_eq!(wants(&reading), ["web.example.com=192.0.2.1"]);
    world.end().await;
}
