//! Container logs, once and followed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use jiff::Timestamp;
use serde_json::Value;

use super::kinds::ResourceKind;
use super::store::ContainerKey;
use super::{KubeFaultKind, Shared, status};
use crate::emulator::http;

/// Lines that are kept of one container; the oldest go first, as rotation does.
const MAX_LINES: usize = 100_000;

/// The log of one container.
#[derive(Clone, Debug, Default)]
pub(super) struct ContainerLog {
    lines: std::collections::VecDeque<(Timestamp, String)>,
    /// Lines of this run that were rotated away.
    dropped: usize,
    previous: Option<Vec<(Timestamp, String)>>,
    /// Lines of the run before that were rotated away.
    previous_dropped: usize,
    /// Which run of the container this is.
    run: u64,
}

// === impl ContainerLog ===

impl ContainerLog {
    pub(super) fn append(&mut self, line: &str, now: Timestamp) {
        self.lines.push_back((now, line.to_owned()));
        self.rotate(MAX_LINES);
    }

    /// Keeps the last `keep` lines for new readers. Whoever follows has the others already.
    pub(super) fn rotate(&mut self, keep: usize) {
        let gone = self.lines.len().saturating_sub(keep);
        self.lines.drain(..gone);
        self.dropped = self.dropped.saturating_add(gone);
    }

    pub(super) fn restart(&mut self) {
        self.previous = Some(std::mem::take(&mut self.lines).into());
        self.previous_dropped = std::mem::take(&mut self.dropped);
        self.run = self.run.saturating_add(1);
    }
}

/// What a log request asks for.
struct Request {
    key: ContainerKey,
    follow: bool,
    timestamps: bool,
    previous: bool,
    since: Option<Timestamp>,
    tail: Option<usize>,
    limit_bytes: Option<usize>,
}

struct Follow {
    shared: Arc<Shared>,
    wake: tokio::sync::watch::Receiver<u64>,
    request: Request,
    run: u64,
    /// Position of the next line, counted from the start of the run.
    next: usize,
    bytes_left: usize,
}

/// Answers `pods/<name>/log`.
pub(super) fn answer(
    shared: &Arc<Shared>,
    (index, kind): (usize, &ResourceKind),
    namespace: &str,
    pod: &str,
    query: &BTreeMap<String, String>,
) -> Response {
    let object = {
        let store = shared.store();
        store.objects.get(&(index, namespace.to_owned(), pod.to_owned())).cloned()
    };
    let Some(object) = object else { return status::not_found(kind, pod) };
    let container = match container_of(&object, pod, query.get("container").map(String::as_str)) {
        Ok(container) => container,
        Err(message) => return status::failure(400, "BadRequest", &message),
    };
    let flag = |key: &str| query.get(key).is_some_and(|value| value == "true" || value == "1");
    let number = |key: &str| query.get(key).and_then(|value| value.parse().ok());
    let request = Request {
        key: (namespace.to_owned(), pod.to_owned(), container.clone()),
        follow: flag("follow"),
        timestamps: flag("timestamps"),
        previous: flag("previous"),
        since: since(query, shared.clock.now()),
        tail: number("tailLines"),
        limit_bytes: number("limitBytes"),
    };
    let log = shared.store().logs.get(&request.key).cloned().unwrap_or_default();
    if request.previous {
        let Some(lines) = &log.previous else {
            let message = format!("previous terminated container \"{container}\" in pod \"{pod}\" not found");
            return status::failure(400, "BadRequest", &message);
        };
        let skip = request.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
        let body = request.render(lines.iter().skip(skip), request.limit_bytes.unwrap_or(usize::MAX));
        return http::answer(200, "text/plain", body);
    }
    let length = log.lines.len();
    let start = request.tail.map_or(0, |tail| length.saturating_sub(tail));
    let follow = Follow {
        shared: Arc::clone(shared),
        wake: shared.wake.subscribe(),
        run: log.run,
        next: log.dropped.saturating_add(start),
        bytes_left: request.limit_bytes.unwrap_or(usize::MAX),
        request,
    };
    http::answer(200, "text/plain", Body::from_stream(stream::unfold(follow, Follow::next)))
}

// === impl Follow ===

impl Follow {
    /// The lines since the last look; ends with the run of the container.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            self.wake.mark_unchanged();
            let silent = self.shared.has("pods", &KubeFaultKind::SilentLogs);
            if !silent {
                let (text, ended) = self.collect();
                if !text.is_empty() {
                    self.bytes_left = self.bytes_left.saturating_sub(text.len());
                    return Some((Ok(text.into()), self));
                }
                if ended || !self.request.follow || self.bytes_left == 0 {
                    return None;
                }
            }
            let stop = self.shared.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return None,
                changed = self.wake.changed() => changed.ok()?,
            }
        }
    }

    /// New text of this run, and whether the run is over.
    fn collect(&mut self) -> (String, bool) {
        let store = self.shared.store();
        let (namespace, pod, _) = &self.request.key;
        let pod_there = store.objects.keys().any(|(index, ns, name)| {
            ns == namespace && name == pod && store.kinds.get(*index).is_some_and(|kind| kind.kind == "Pod")
        });
        let Some(log) = store.logs.get(&self.request.key) else { return (String::new(), !pod_there) };
        if log.run == self.run {
            let skip = self.next.saturating_sub(log.dropped);
            let text = self.request.render(log.lines.iter().skip(skip), self.bytes_left);
            self.next = log.dropped.saturating_add(log.lines.len());
            return (text, !pod_there);
        }
        // The last lines of a run that just ended are in the previous log.
        let last = log.previous.as_ref().filter(|_| log.run == self.run.saturating_add(1));
        let text = last.map_or_else(String::new, |lines| {
            let skip = self.next.saturating_sub(log.previous_dropped);
            self.request.render(lines.iter().skip(skip), self.bytes_left)
        });
        self.next = usize::MAX;
        (text, true)
    }
}

// === impl Request ===

impl Request {
    fn render<'a>(&self, lines: impl Iterator<Item = &'a (Timestamp, String)>, limit: usize) -> String {
        let mut text = String::new();
        for (at, line) in lines.filter(|(at, _)| self.since.is_none_or(|since| since <= *at)) {
            if self.timestamps {
                text.extend([&*format!("{at:.9}"), " "]);
            }
            text.push_str(line);
            text.push('\n');
        }
        crate::model::text::truncate(&text, limit.max(3))
            .get(..limit.min(text.len()))
            .map_or_else(String::new, str::to_owned)
    }
}

fn since(query: &BTreeMap<String, String>, now: Timestamp) -> Option<Timestamp> {
    if let Some(text) = query.get("sinceTime") {
        return text.parse().ok();
    }
    let seconds: i64 = query.get("sinceSeconds")?.parse().ok()?;
    now.checked_sub(jiff::SignedDuration::from_secs(seconds)).ok()
}

/// The container to read: the one asked for, else the only one.
fn container_of(pod: &Value, name: &str, asked: Option<&str>) -> Result<String, String> {
    let rows = pod.get("spec").and_then(|spec| spec.get("containers")).and_then(Value::as_array);
    let names: Vec<&str> =
        rows.into_iter().flatten().filter_map(|row| row.get("name").and_then(Value::as_str)).collect();
    match (asked, names.as_slice()) {
        (Some(asked), names) if names.contains(&asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(format!("container {asked} is not valid for pod {name}")),
        (None, [only]) => Ok((*only).to_owned()),
        (None, names) => Err(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            names.join(" ")
        )),
    }
}
