//! From a request to its answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use http::Method;

use super::kinds::ResourceKind;
use super::selector::{Filter, Selector};
use super::{KubeFaultKind, Shared, discovery, list, logs, status, watch, write};
use crate::emulator::http as wire;

/// Longest watch when the client names no time; real servers choose 30 to 60 minutes.
const WATCH_LASTS: u64 = 1_800;

/// A path below a group and version.
struct Target<'a> {
    index: usize,
    kind: ResourceKind,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    subresource: Option<&'a str>,
}

/// Answers any request.
pub(super) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let uri = request.uri().clone();
    let path: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let query = wire::query(&uri);
    if let ["api", "v1", "namespaces", namespace, "pods", pod, "proxy", "metrics"] = path.as_slice() {
        return proxied(&shared, namespace, pod);
    }
    let kinds = shared.store().kinds.clone();
    let Some(target) = target(&shared, &path) else {
        shared.count("discovery", uri.path());
        if shared.takes("", &KubeFaultKind::Unauthorized) {
            return status::unauthorized();
        }
        return match path.as_slice() {
            ["healthz" | "livez" | "readyz"] => wire::answer(200, "text/plain", "ok"),
            _ => discovery::answer(&path, &kinds).unwrap_or_else(|| missing(&path, &kinds)),
        };
    };
    if request.method() != Method::GET {
        shared.count(write_verb(request.method()), uri.path());
        let (parts, body) = request.into_parts();
        return write::answer(&shared, &target.place(), &parts, body).await;
    }
    let verb = target.verb(&query);
    shared.count(verb, uri.path());
    if let Some(failure) = ordered_failure(&shared, &target, verb).await {
        return failure;
    }
    target.answer(&shared, &query)
}

/// `/metrics` of a Pod through the proxy. Without the right to logs there is none to the proxy.
fn proxied(shared: &Shared, namespace: &str, pod: &str) -> Response {
    shared.count("proxy", &format!("/api/v1/namespaces/{namespace}/pods/{pod}/proxy"));
    if shared.takes("pods", &KubeFaultKind::ForbidLogs) {
        return status::failure(
            403,
            "Forbidden",
            &format!("pods \"{pod}\" is forbidden: cannot get pods/proxy"),
        );
    }
    let text = shared.store().metrics.get(&(namespace.to_owned(), pod.to_owned())).cloned();
    match text {
        Some(text) => wire::answer(200, "text/plain", text),
        None => status::failure(503, "ServiceUnavailable", &format!("error trying to reach pod {pod}")),
    }
}

/// The fault in force for a request, if it answers the request.
async fn ordered_failure(shared: &Shared, target: &Target<'_>, verb: &str) -> Option<Response> {
    let plural = target.kind.plural.as_str();
    let find = |wanted: fn(&KubeFaultKind) -> bool| {
        shared.faults.take(|fault| fault.concerns(plural) && wanted(&fault.kind)).map(|fault| fault.kind)
    };
    if let Some(KubeFaultKind::Slow(delay)) = find(|kind| matches!(kind, KubeFaultKind::Slow(_))) {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(delay) => {}
        }
    }
    if verb == "list" && shared.takes(plural, &KubeFaultKind::HangList) {
        shared.stop.cancelled().await;
        return Some(status::ordered(503, None));
    }
    if shared.takes(plural, &KubeFaultKind::Unauthorized) {
        return Some(status::unauthorized());
    }
    if let Some(KubeFaultKind::Status { code, retry_after }) =
        find(|kind| matches!(kind, KubeFaultKind::Status { .. }))
    {
        return Some(status::ordered(code, retry_after));
    }
    let (forbids, subresource, denied) = match verb {
        "list" => (KubeFaultKind::ForbidList, "", "list"),
        "watch" => (KubeFaultKind::ForbidWatch, "", "watch"),
        "log" => (KubeFaultKind::ForbidLogs, "/log", "get"),
        _ => return None,
    };
    shared
        .takes(plural, &forbids)
        .then(|| status::forbidden(denied, &target.kind, subresource, target.namespace))
}

fn write_verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

fn target<'a>(shared: &Shared, path: &[&'a str]) -> Option<Target<'a>> {
    let (group, version, rest) = match path {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let store = shared.store();
    let of = |plural, namespace, name, subresource| {
        let (index, kind) = store.kind_at(group, version, plural)?;
        Some(Target { index, kind, namespace, name, subresource })
    };
    match rest {
        ["namespaces", namespace, plural] => of(plural, Some(*namespace), None, None),
        ["namespaces", namespace, plural, name] => of(plural, Some(*namespace), Some(*name), None),
        ["namespaces", namespace, plural, name, subresource] => {
            of(plural, Some(*namespace), Some(*name), Some(*subresource))
        }
        [plural] => of(plural, None, None, None),
        [plural, name] => of(plural, None, Some(*name), None),
        _ => None,
    }
}

/// 404 in the form that depends on whether the group and version exist.
fn missing(path: &[&str], kinds: &[ResourceKind]) -> Response {
    let known = match path {
        ["api", "v1", _, ..] => true,
        ["apis", group, version, _, ..] => {
            kinds.iter().any(|kind| kind.group == *group && kind.version == *version)
        }
        _ => false,
    };
    if known { status::unknown_resource() } else { status::unknown_path() }
}

// === impl Target ===

impl Target<'_> {
    fn verb(&self, query: &BTreeMap<String, String>) -> &'static str {
        match (self.name, self.subresource) {
            (_, Some("log")) => "log",
            (Some(_), _) => "get",
            (None, _) if is_true(query, "watch") => "watch",
            (None, _) => "list",
        }
    }

    fn place(&self) -> write::Place<'_> {
        write::Place {
            index: self.index,
            kind: &self.kind,
            namespace: self.namespace,
            name: self.name,
            subresource: self.subresource,
        }
    }

    fn answer(self, shared: &Arc<Shared>, query: &BTreeMap<String, String>) -> Response {
        let text = |key: &str| query.get(key).map(String::as_str).filter(|value| !value.is_empty());
        let filter = Filter {
            namespace: self.namespace.map(str::to_owned),
            labels: Selector::parse(text("labelSelector").unwrap_or_default()),
            fields: Selector::parse(text("fieldSelector").unwrap_or_default()),
        };
        match (self.verb(query), self.name) {
            ("log", Some(pod)) => {
                logs::answer(shared, (self.index, &self.kind), self.namespace.unwrap_or_default(), pod, query)
            }
            ("get", Some(name)) => self.get(shared, name),
            ("watch", _) => {
                let request = watch::Request {
                    version: text("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0),
                    bookmarks: is_true(query, "allowWatchBookmarks"),
                    initial_events: is_true(query, "sendInitialEvents"),
                    lasts: Duration::from_secs(
                        text("timeoutSeconds")
                            .and_then(|seconds| seconds.parse().ok())
                            .unwrap_or(WATCH_LASTS),
                    ),
                    index: self.index,
                    kind: self.kind,
                    filter,
                };
                watch::answer(shared, request)
            }
            _ => {
                let limit = text("limit").and_then(|limit| limit.parse().ok()).filter(|limit| 0 < *limit);
                let token = text("continue").map(str::to_owned);
                let request = list::Request { index: self.index, kind: self.kind, filter, limit, token };
                list::answer(shared, &request)
            }
        }
    }

    fn get(&self, shared: &Shared, name: &str) -> Response {
        let key = (self.index, self.namespace.unwrap_or_default().to_owned(), name.to_owned());
        let object = shared.store().objects.get(&key).cloned();
        object.map_or_else(|| status::not_found(&self.kind, name), |object| status::success(&object))
    }
}

fn is_true(query: &BTreeMap<String, String>, key: &str) -> bool {
    query.get(key).is_some_and(|value| value == "true" || value == "1")
}
