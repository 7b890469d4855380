//! A Kubernetes API server of a few hundred lines: lists, watches, logs, plain writes, discovery,
//! and faults.
//!
//! It keeps the wire contract that clients rely on (one global version, paging, bookmarks, too-old
//! versions, Status errors). It validates nothing and knows no authorization.

mod discovery;
mod fault;
mod kinds;
mod list;
mod logs;
mod route;
mod selector;
mod status;
mod store;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::store::Store;
use super::fault::Faults;
use super::http;
use crate::clock::Clock;

pub use self::fault::{KubeFault, KubeFaultKind};
pub use self::kinds::ResourceKind;

/// How often a watch gets a bookmark unless told otherwise; what real servers do.
const BOOKMARK_INTERVAL: Duration = Duration::from_mins(1);

/// Distinct (verb, path) pairs that are counted; further ones are not.
const MAX_COUNTED: usize = 10_000;

/// The emulated API server. Clones share it; it serves until its token is cancelled.
#[derive(Clone)]
pub struct Kubernetes {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the requests in flight share.
struct Shared {
    store: Mutex<Store>,
    /// Counts every change of objects, logs and faults.
    wake: tokio::sync::watch::Sender<u64>,
    faults: Faults<KubeFault>,
    cuts: Mutex<BTreeMap<Option<String>, u64>>,
    requests: Mutex<BTreeMap<(String, String), u64>>,
    bookmark_interval: Mutex<Duration>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

// === impl Kubernetes ===

impl Kubernetes {
    /// Starts on a free loopback port. Call inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound.
    pub fn start(
        tasks: &mut JoinSet<()>,
        stop: CancellationToken,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            store: Mutex::new(Store::new()),
            wake: tokio::sync::watch::Sender::new(0),
            faults: Faults::default(),
            cuts: Mutex::default(),
            requests: Mutex::default(),
            bookmark_interval: Mutex::new(BOOKMARK_INTERVAL),
            clock,
            stop: stop.clone(),
        });
        let router = Router::new().fallback(route::handle).with_state(Arc::clone(&shared));
        Ok(Self { address: http::serve(tasks, stop, router)?, shared })
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig with this server as its only cluster.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: emulator\nclusters:\n- name: emulator\n  cluster:\n    \
             server: {}\nusers:\n- name: emulator\n  user:\n    token: emulated\ncontexts:\n- name: emulator\n  \
             context:\n    cluster: emulator\n    user: emulator\n",
            self.url()
        )
    }

    /// Makes another kind known, for instance of a custom resource.
    pub fn register(&self, kind: ResourceKind) {
        self.shared.store().register(kind);
    }

    /// Creates or replaces an object; one that is equal to the stored one changes nothing.
    ///
    /// A `status` in the object is taken over; without one the stored status stays. `uid`,
    /// `creationTimestamp` and `managedFields` are kept if given and made up if not. An object of an
    /// unknown kind is registered as namespaced, with the kind's lower-case plural.
    pub fn apply(&self, object: Value) {
        let now = self.shared.clock.now();
        self.shared.store().apply(object, now);
        self.shared.wake();
    }

    /// Applies many objects; the watches are woken once.
    pub fn apply_all(&self, objects: impl IntoIterator<Item = Value>) {
        let now = self.shared.clock.now();
        let mut store = self.shared.store();
        for object in objects {
            store.apply(object, now);
        }
        drop(store);
        self.shared.wake();
    }

    /// Replaces the status of an object; false if there is no such object.
    pub fn set_status(&self, kind: &str, namespace: &str, name: &str, status: Value) -> bool {
        let now = self.shared.clock.now();
        let found = self.shared.store().set_status(kind, namespace, name, status, now);
        self.shared.wake();
        found
    }

    /// An object as it stands; `None` if there is no such object.
    #[must_use]
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        self.shared.store().object(kind, namespace, name)
    }

    /// Deletes an object; false if there is no such object.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let found = self.shared.store().delete(kind, namespace, name);
        self.shared.wake();
        found
    }

    /// Appends a line to the running container's log, stamped with the current time.
    pub fn append_log(&self, namespace: &str, pod: &str, container: &str, line: &str) {
        let now = self.shared.clock.now();
        self.shared.store().append_log(namespace, pod, container, line, now);
        self.shared.wake();
    }

    /// What a Pod answers on `/metrics` at a port, through the API's proxy.
    pub fn set_metrics(&self, namespace: &str, pod: &str, port: u16, text: &str) {
        let key = (namespace.to_owned(), format!("{pod}:{port}"));
        self.shared.store().metrics.insert(key, text.to_owned());
    }

    /// Rotates the running container's log: new readers see only its last `keep` lines, as the
    /// kubelet serves the newest file only. Followers go on.
    pub fn rotate_log(&self, namespace: &str, pod: &str, container: &str, keep: usize) {
        self.shared.store().rotate_log(namespace, pod, container, keep);
        self.shared.wake();
    }

    /// Ends the container and starts it anew: its log becomes the previous one, followers end, and
    /// the pod's restart count rises.
    pub fn restart_container(&self, namespace: &str, pod: &str, container: &str) {
        let now = self.shared.clock.now();
        self.shared.store().restart_container(namespace, pod, container, now);
        self.shared.wake();
    }

    /// Forgets the history, so that every watch from an older version is too old.
    pub fn compact(&self) {
        self.shared.store().compact();
    }

    /// How often an idle watch gets a bookmark.
    pub fn set_bookmark_interval(&self, interval: Duration) {
        *lock(&self.shared.bookmark_interval) = interval;
    }

    /// Puts a fault in force; several may be.
    pub fn set_fault(&self, fault: KubeFault) {
        if fault.kind == KubeFaultKind::CutWatches {
            let mut cuts = lock(&self.shared.cuts);
            let count = cuts.entry(fault.plural).or_default();
            *count = count.saturating_add(1);
        } else {
            let times = fault.times;
            self.shared.faults.set(fault, times);
        }
        self.shared.wake();
    }

    /// Lifts all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
        self.shared.wake();
    }

    /// How often each (verb, path) was asked for, refused requests included. Verbs are those of
    /// RBAC (`list`, `watch`, `get`, `create`, `patch`, `delete`), `log`, `discovery` and `other`.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<(String, String), u64> {
        lock(&self.shared.requests).clone()
    }

    /// Requests of a verb whose path ends with `/<plural>` (or contains it, for logs).
    #[must_use]
    pub fn count(&self, verb: &str, plural: &str) -> u64 {
        let part = format!("/{plural}");
        self.requests()
            .iter()
            .filter(|((v, path), _)| v == verb && path.contains(&part))
            .map(|(_, n)| n)
            .sum()
    }
}

// === impl Shared ===

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    fn wake(&self) {
        self.wake.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn cuts_of(&self, plural: &str) -> u64 {
        let cuts = lock(&self.cuts);
        let of = |key: &Option<String>| cuts.get(key).copied().unwrap_or_default();
        of(&None).saturating_add(of(&Some(plural.to_owned())))
    }

    fn count(&self, verb: &str, path: &str) {
        let mut requests = lock(&self.requests);
        let key = (verb.to_owned(), path.to_owned());
        if requests.len() < MAX_COUNTED || requests.contains_key(&key) {
            let count = requests.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn takes(&self, plural: &str, kind: &KubeFaultKind) -> bool {
        self.faults.take(|fault| fault.concerns(plural) && fault.kind == *kind).is_some()
    }

    fn has(&self, plural: &str, kind: &KubeFaultKind) -> bool {
        self.faults.any(|fault| fault.concerns(plural) && fault.kind == *kind)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
