//! Watches: JSON lines that begin where a list ended.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::kinds::ResourceKind;
use super::list::unparsable;
use super::selector::Filter;
use super::store::{Change, Store};
use super::{KubeFaultKind, Shared, lock, status};
use crate::emulator::http;

/// What a watch request asks for.
pub(super) struct Request {
    pub(super) index: usize,
    pub(super) kind: ResourceKind,
    pub(super) filter: Filter,
    /// 0 begins with the present objects.
    pub(super) version: u64,
    pub(super) bookmarks: bool,
    /// Streaming list: the present objects, a marked bookmark, then changes.
    pub(super) initial_events: bool,
    pub(super) lasts: Duration,
}

struct Watch {
    shared: Arc<Shared>,
    wake: tokio::sync::watch::Receiver<u64>,
    request: Request,
    /// Everything up to this version was sent.
    seen: u64,
    queue: VecDeque<Bytes>,
    ends: Instant,
    bookmark_at: Instant,
    cuts: u64,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is queued is the last.
    Closing,
    Cut,
}

/// Answers a watch.
pub(super) fn answer(shared: &Arc<Shared>, request: Request) -> Response {
    let plural = request.kind.plural.clone();
    let store = shared.store();
    let asked = request.version;
    let too_old = status::too_old(asked, store.version);
    if shared.takes(&plural, &KubeFaultKind::GoneAtWatchStart) {
        return http::answer(410, "application/json", too_old.to_string());
    }
    let now = Instant::now();
    let mut watch = Watch {
        shared: Arc::clone(shared),
        wake: shared.wake.subscribe(),
        seen: asked,
        queue: VecDeque::new(),
        ends: now.checked_add(request.lasts).unwrap_or(now),
        bookmark_at: now,
        cuts: shared.cuts_of(&plural),
        phase: Phase::Open,
        request,
    };
    watch.plan_bookmark(now);
    let history_reaches = asked == 0 || store.forgotten <= asked;
    if !history_reaches || shared.takes(&plural, &KubeFaultKind::GoneInStream) {
        watch.push("ERROR", &too_old);
        watch.phase = Phase::Closing;
    } else if watch.request.initial_events || asked == 0 {
        watch.begin(&store);
    }
    drop(store);
    let body = Body::from_stream(stream::unfold(watch, Watch::next));
    http::answer(200, "application/json", body)
}

// === impl Watch ===

impl Watch {
    /// The next line, or the end.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            if self.phase == Phase::Cut {
                return None;
            }
            if self.shared.cuts_of(&self.request.kind.plural) != self.cuts {
                self.phase = Phase::Cut;
                return Some((Err(io::Error::other("watch cut to order")), self));
            }
            if self.shared.has(&self.request.kind.plural, &KubeFaultKind::SilentWatch) {
                if self.pause(None).await {
                    continue;
                }
                return None;
            }
            if let Some(line) = self.queue.pop_front() {
                return Some((Ok(line), self));
            }
            if self.phase == Phase::Closing {
                return None;
            }
            self.collect();
            if !self.queue.is_empty() {
                continue;
            }
            let now = Instant::now();
            if self.ends <= now {
                self.phase = Phase::Closing;
                self.bookmark(false);
            } else if self.request.bookmarks && self.bookmark_at <= now {
                self.bookmark(false);
                self.plan_bookmark(now);
            } else if !self.pause(Some(self.ends.min(self.bookmark_at))).await {
                return None;
            }
        }
    }

    /// Waits for a change or the given time; false when the server stops.
    async fn pause(&mut self, until: Option<Instant>) -> bool {
        let stop = self.shared.stop.clone();
        let timer = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => false,
            changed = self.wake.changed() => changed.is_ok(),
            () = timer => true,
        }
    }

    /// Queues what changed since the last look.
    fn collect(&mut self) {
        self.wake.mark_unchanged();
        let (changes, version) = {
            let store = self.shared.store();
            (store.changes_after(self.seen, self.request.index), store.version)
        };
        for change in changes {
            if let Some((kind, object)) = self.event(&change) {
                let hit = self.shared.takes(&self.request.kind.plural, &KubeFaultKind::UnparsableInWatch);
                let object = if hit { unparsable(&object) } else { object };
                self.push(kind, &object);
            }
        }
        self.seen = self.seen.max(version);
    }

    /// What a change is to this watch: an object that leaves the selection is deleted for it.
    fn event(&self, change: &Change) -> Option<(&'static str, Value)> {
        let selected = |object: &Option<Arc<Value>>| {
            object.as_ref().filter(|object| self.request.filter.selects(object)).cloned()
        };
        match (selected(&change.before), selected(&change.after)) {
            (None, None) => None,
            (None, Some(after)) => Some(("ADDED", Value::clone(&after))),
            (Some(_), Some(after)) => Some(("MODIFIED", Value::clone(&after))),
            (Some(before), None) => {
                let mut last = Value::clone(change.after.as_ref().unwrap_or(&before));
                if let Some(meta) = last.get_mut("metadata").and_then(Value::as_object_mut) {
                    meta.insert("resourceVersion".to_owned(), json!(change.version.to_string()));
                }
                Some(("DELETED", last))
            }
        }
    }

    /// Queues the present objects.
    fn begin(&mut self, store: &Store) {
        let start = (self.request.index, String::new(), String::new());
        let present: Vec<Arc<Value>> = store
            .objects
            .range(start..)
            .take_while(|((index, _, _), _)| *index == self.request.index)
            .map(|(_, object)| Arc::clone(object))
            .filter(|object| self.request.filter.selects(object))
            .collect();
        for object in present {
            self.push("ADDED", &object);
        }
        self.seen = store.version;
        if self.request.initial_events {
            self.bookmark(true);
        }
    }

    fn bookmark(&mut self, initial_end: bool) {
        if self.request.bookmarks || initial_end {
            let object = self.request.kind.bookmark(self.seen, initial_end);
            self.push("BOOKMARK", &object);
        }
    }

    fn plan_bookmark(&mut self, now: Instant) {
        let interval = *lock(&self.shared.bookmark_interval);
        self.bookmark_at = now.checked_add(interval).unwrap_or(self.ends);
    }

    fn push(&mut self, kind: &str, object: &Value) {
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        self.queue.push_back(line.into());
    }
}
