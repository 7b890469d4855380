//! A Kubernetes API for tests: the emulator, or a real API server where there is one.
//!
//! The same test body runs on both, so that the emulator stays honest. In this order:
//! `DNS_DRIFT_TEST_KUBECONFIG` names the kubeconfig of a cluster that tests may write to;
//! `KUBEBUILDER_ASSETS` names a folder with `etcd` and `kube-apiserver`; else it is the emulator,
//! which `DNS_DRIFT_REQUIRE_REAL_K8S=1` makes a failure.

#[path = "cluster/assets.rs"]
mod assets;
#[path = "cluster/choice.rs"]
mod choice;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dns_drift::clock::SystemClock;
use dns_drift::desired::client::{Connection, KubeSettings, connect};
use dns_drift::emulator::kubernetes::{KubeFault, KubeFaultKind, Kubernetes};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{AuthInfo, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) use self::choice::{Choice, Variables};

/// For each wait of a test.
const SOON: Duration = Duration::from_secs(30);

/// More than a cluster for tests has: a guard against the wrong kubeconfig.
const MANY_NAMESPACES: usize = 20;

/// Kinds without a namespace, as far as tests write them.
const CLUSTER_WIDE: [&str; 3] = ["Namespace", "ClusterRole", "ClusterRoleBinding"];

/// One API server, and a namespace of its own for one test.
pub(crate) struct TestCluster {
    /// As a whole cluster's user.
    pub(crate) connection: Connection,
    /// Fresh, and gone after the test.
    pub(crate) namespace: String,
    /// The emulator, for what no real server does to order.
    pub(crate) emulator: Option<Kubernetes>,
    kubeconfig: PathBuf,
    /// Names of the roles that were made.
    roles: Mutex<Vec<String>>,
    folder: tempfile::TempDir,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

/// Runs a test body on the chosen backend, and cleans up whether it fails or not.
pub(crate) async fn run<F>(test: &str, body: impl FnOnce(Arc<TestCluster>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let cluster = Arc::new(TestCluster::start(test, &Variables::of_the_process()).await);
    finish(cluster, body).await;
}

/// The same on a cluster that is there already.
pub(crate) async fn finish<F>(cluster: Arc<TestCluster>, body: impl FnOnce(Arc<TestCluster>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    running.spawn(body(Arc::clone(&cluster)));
    let ended = running.join_next().await.expect("one body");
    cluster.clean_up().await;
    cluster.stop.cancel();
    if let Err(failed) = ended {
        std::panic::resume_unwind(failed.into_panic());
    }
}

// === impl TestCluster ===

impl TestCluster {
    /// Starts or finds the API server and creates the namespace.
    pub(crate) async fn start(test: &str, variables: &Variables) -> Self {
        let choice = variables.choose().unwrap_or_else(|refusal| panic!("{test}: {refusal}"));
        eprintln!("{test}: Kubernetes is {choice}");
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let folder = tempfile::tempdir().expect("a folder");
        let (kubeconfig, emulator) = match &choice {
            Choice::Existing(file) => (file.clone(), None),
            Choice::Assets(programs) => (assets::server(programs).await, None),
            Choice::Emulator => {
                let server =
                    Kubernetes::start(&mut tasks, stop.clone(), Arc::new(SystemClock)).expect("a port");
                let file = folder.path().join("kubeconfig");
                std::fs::write(&file, server.kubeconfig()).expect("written");
                (file, Some(server))
            }
        };
        let connection = connected(&kubeconfig).await;
        if matches!(choice, Choice::Existing(_)) && !variables.busy_is_fine {
            refuse_a_busy_cluster(&connection).await;
        }
        let namespace = format!("dns-drift-test-{:08x}", rand::random::<u32>());
        let cluster = Self {
            connection,
            namespace,
            emulator,
            kubeconfig,
            roles: Mutex::default(),
            folder,
            stop,
            _tasks: tasks,
        };
        let labels = json!({"dns-drift-test": "true"});
        let itself = json!({"apiVersion": "v1", "kind": "Namespace",
                            "metadata": {"name": cluster.namespace, "labels": labels}});
        cluster.apply(itself).await;
        cluster
    }

    /// Creates an object or merges into the one that is there; its status is not written.
    pub(crate) async fn apply(&self, object: Value) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            match self.try_apply(object.clone()).await {
                Ok(stored) => return stored,
                // A new namespace has no service account for Pods until a controller made it.
                Err(kube::Error::Api(status))
                    if status.message.contains("serviceaccount") && Instant::now() < deadline =>
                {
                    sleep(Duration::from_millis(200)).await;
                }
                Err(error) => panic!("apply {object}: {error}"),
            }
        }
    }

    /// The same; a refusal is the result.
    pub(crate) async fn try_apply(&self, object: Value) -> Result<Value, kube::Error> {
        let (api, _) = self.api_of(&object);
        let new: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        match within("create", api.create(&PostParams::default(), &new)).await {
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => self.patch(&object).await,
            stored => stored.map(|stored| serde_json::to_value(stored).expect("JSON")),
        }
    }

    /// Merges into an object that is there.
    pub(crate) async fn patch(&self, object: &Value) -> Result<Value, kube::Error> {
        let (api, name) = self.api_of(object);
        let stored = within("patch", api.patch(&name, &PatchParams::default(), &Patch::Merge(object))).await;
        stored.map(|stored| serde_json::to_value(stored).expect("JSON"))
    }

    /// Merges into the status of an object.
    pub(crate) async fn status(&self, api_version: &str, kind: &str, name: &str, status: Value) -> Value {
        let (api, _) = self.api_of(&object(api_version, kind, name));
        let (params, patch) = (PatchParams::default(), Patch::Merge(json!({"status": status})));
        let stored = within("patch the status", api.patch_status(name, &params, &patch)).await;
        serde_json::to_value(stored.unwrap_or_else(|error| panic!("status of {kind} {name}: {error}")))
            .expect("JSON")
    }

    pub(crate) async fn delete(&self, api_version: &str, kind: &str, name: &str) {
        let (api, _) = self.api_of(&object(api_version, kind, name));
        within("delete", api.delete(name, &DeleteParams::default()))
            .await
            .unwrap_or_else(|error| panic!("delete {kind} {name}: {error}"));
    }

    /// A connection of somebody who may read everything that we read, except this.
    pub(crate) async fn connection_without(&self, group: &str, plural: &str) -> Connection {
        if let Some(emulator) = &self.emulator {
            emulator.set_fault(KubeFault::new(KubeFaultKind::ForbidList).on(plural));
            return connected(&self.kubeconfig).await;
        }
        let account = self.grant_all_but(group, plural).await;
        let token = self.token_of(&account).await;
        let mut config = Kubeconfig::read_from(&self.kubeconfig).expect("a kubeconfig");
        for own in &mut config.auth_infos {
            own.auth_info = Some(AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() });
        }
        let file = self.folder.path().join("restricted");
        std::fs::write(&file, serde_json::to_string(&config).expect("JSON")).expect("written");
        connected(&file).await
    }

    async fn grant_all_but(&self, group: &str, plural: &str) -> String {
        let all = [
            ("networking.k8s.io", "ingresses"),
            ("", "services"),
            ("", "pods"),
            ("apps", "deployments"),
            ("apps", "statefulsets"),
            ("apps", "daemonsets"),
        ];
        let rules: Vec<Value> = all
            .iter()
            .filter(|row| **row != (group, plural))
            .map(|(group, plural)| json!({"apiGroups": [group], "resources": [plural], "verbs": ["list", "watch"]}))
            .collect();
        // One of its own for each, or the old rights would still hold for a moment.
        let name = format!("{}-{plural}", self.namespace);
        self.roles.lock().expect("lock").push(name.clone());
        self.apply(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": name}, "rules": rules}))
            .await;
        self.apply(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": self.namespace, "name": name}]}))
            .await;
        self.apply(object("v1", "ServiceAccount", &name)).await;
        name
    }

    async fn token_of(&self, account: &str) -> String {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.connection.client.clone(), &self.namespace);
        let (params, request) = (PostParams::default(), TokenRequest::default());
        let asked = accounts.create_token_request(account, &params, &request);
        let answer = within("ask for a token", asked).await.expect("a token");
        answer.status.expect("a token").token
    }

    /// The namespaced API, or the cluster's for kinds without a namespace, and the object's name.
    fn api_of(&self, object: &Value) -> (Api<DynamicObject>, String) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
        let client = self.connection.client.clone();
        let api = if CLUSTER_WIDE.contains(&text("/kind")) {
            Api::all_with(client, &resource)
        } else {
            Api::namespaced_with(client, &self.namespace, &resource)
        };
        (api, text("/metadata/name").to_owned())
    }

    /// Best effort: without controllers a namespace stays in its deletion for ever.
    async fn clean_up(&self) {
        let rbac = "rbac.authorization.k8s.io/v1";
        let roles = self.roles.lock().expect("lock").clone();
        let of_role =
            |name: &String| ["ClusterRoleBinding", "ClusterRole"].map(|kind| object(rbac, kind, name));
        let all = roles.iter().flat_map(of_role).chain([object("v1", "Namespace", &self.namespace)]);
        for one in all {
            let (api, name) = self.api_of(&one);
            let kind = &one["kind"];
            let deleted = timeout(SOON, api.delete(&name, &DeleteParams::default())).await;
            match deleted {
                Ok(Err(kube::Error::Api(status))) if status.code == 404 => {}
                Ok(Ok(_)) => {}
                Ok(Err(error)) => eprintln!("{kind} {name} stays behind: {error}"),
                Err(_) => eprintln!("{kind} {name} stays behind: no answer"),
            }
        }
    }
}

/// As much of an object as names it.
fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

async fn within<T: Debug>(
    what: &str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, kube::Error> {
    timeout(SOON, request).await.unwrap_or_else(|_| panic!("{what}: no answer in time"))
}

async fn connected(kubeconfig: &Path) -> Connection {
    let settings = KubeSettings { kubeconfig: Some(kubeconfig.to_owned()), ..KubeSettings::default() };
    connect(&settings, Arc::new(SystemClock)).await.expect("connected")
}

async fn refuse_a_busy_cluster(connection: &Connection) {
    let all: Api<Namespace> = Api::all(connection.client.clone());
    let list = within("list the namespaces", all.list(&ListParams::default())).await.expect("namespaces");
    let ours: BTreeMap<bool, usize> = list.items.iter().fold(BTreeMap::new(), |mut counts, namespace| {
        let labels = namespace.metadata.labels.as_ref();
        let own = labels.is_some_and(|labels| labels.contains_key("dns-drift-test"));
        *counts.entry(own).or_default() += 1;
        counts
    });
    let others = ours.get(&false).copied().unwrap_or_default();
    assert!(
        others <= MANY_NAMESPACES,
        "{} has {others} namespaces and looks like no cluster for tests; \
         DNS_DRIFT_TEST_KUBECONFIG_BUSY=1 if it is one all the same",
        connection.server
    );
}
