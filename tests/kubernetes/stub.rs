//! An API server that answers by a script.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request};
use axum::response::Response;
use dns_drift::clock::SystemClock;
use dns_drift::desired::client::{Connection, KubeSettings, connect};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A request, as far as scripts tell them apart.
pub(crate) struct Call {
    /// Last part of the path: the plural, or `log`.
    pub(crate) resource: String,
    pub(crate) watch: bool,
    pub(crate) query: BTreeMap<String, String>,
    /// 1 for the first request of the resource, counted apart for lists and watches.
    pub(crate) number: usize,
}

pub(crate) enum Reply {
    Json(u16, Value),
    /// These lines, then the end.
    Ends(Vec<String>),
    /// These lines, then silence.
    Stays(Vec<String>),
    /// No answer at all.
    Hangs,
}

type Script = dyn Fn(&Call) -> Option<Reply> + Send + Sync;

pub(crate) struct Stub {
    pub(crate) connection: Connection,
    counts: Arc<Mutex<BTreeMap<(String, bool), usize>>>,
    _server: JoinSet<()>,
}

impl Stub {
    /// Starts a server; what the script leaves open is an empty list and a quiet watch.
    pub(crate) async fn start(
        read_timeout: Duration,
        script: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let counts: Arc<Mutex<BTreeMap<(String, bool), usize>>> = Arc::default();
        let app = axum::Router::new().fallback({
            let counts = Arc::clone(&counts);
            move |query: Query<BTreeMap<String, String>>, request: Request| {
                let (script, counts) = (Arc::clone(&script), Arc::clone(&counts));
                async move { answer(&*script, &counts, query.0, request.uri().path()).await }
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.expect("serves") });
        let connection = connected(&format!("http://{address}"), read_timeout).await;
        Self { connection, counts, _server: server }
    }

    /// Requests so far.
    pub(crate) fn count(&self, resource: &str, watch: bool) -> usize {
        self.counts.lock().expect("lock").get(&(resource.to_owned(), watch)).copied().unwrap_or(0)
    }
}

async fn connected(server: &str, read_timeout: Duration) -> Connection {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "stub",
        "clusters": [{"name": "stub", "cluster": {"server": server}}],
        "users": [{"name": "stub", "user": {}}],
        "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "stub"}}]});
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), kubeconfig.to_string()).expect("written");
    let settings =
        KubeSettings { kubeconfig: Some(file.path().to_owned()), read_timeout, ..KubeSettings::default() };
    connect(&settings, Arc::new(SystemClock)).await.expect("connected")
}

async fn answer(
    script: &Script,
    counts: &Mutex<BTreeMap<(String, bool), usize>>,
    query: BTreeMap<String, String>,
    path: &str,
) -> Response {
    let resource = path.rsplit('/').next().unwrap_or_default().to_owned();
    let watch = query.contains_key("watch");
    let number = {
        let mut counts = counts.lock().expect("lock");
        let count = counts.entry((resource.clone(), watch)).or_default();
        *count += 1;
        *count
    };
    let call = Call { resource, watch, query, number };
    let reply = script(&call)
        .unwrap_or_else(|| if watch { Reply::Stays(vec![]) } else { Reply::Json(200, list("1", None, &[])) });
    let lines = |lines: Vec<String>| {
        futures::stream::iter(lines.into_iter().map(|line| Ok::<_, Infallible>(Bytes::from(line + "\n"))))
    };
    match reply {
        Reply::Json(status, body) => Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .expect("response"),
        Reply::Ends(texts) => Response::new(Body::from_stream(lines(texts))),
        Reply::Stays(texts) => {
            Response::new(Body::from_stream(lines(texts).chain(futures::stream::pending())))
        }
        Reply::Hangs => std::future::pending().await,
    }
}

pub(crate) fn list(version: &str, token: Option<&str>, items: &[Value]) -> Value {
    json!({"kind": "List", "apiVersion": "v1",
           "metadata": {"resourceVersion": version, "continue": token}, "items": items})
}

pub(crate) fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message,
           "reason": if code == 403 { "Forbidden" } else { "Other" }})
}

pub(crate) fn event(kind: &str, object: &Value) -> String {
    json!({"type": kind, "object": object}).to_string()
}

pub(crate) fn ingress(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": version},
           "spec": {"rules": [{"host": format!("{name}.example.com")}]}})
}

/// An Ingress that no API server would serve.
pub(crate) fn odd(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": version},
           "spec": {"rules": "none"}})
}
