//! One supervised watch of one kind.
//!
//! kube's watcher does the listing, resuming and relisting; what surrounds it here are guards
//! against what it leaves open: its retry pace, a refused resume point that it would repeat for
//! ever, a server that falls silent, and a list that comes back empty.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Api;
use kube::runtime::watcher::{self, Event};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::desired::contact::KubeStats;
use crate::desired::health::{Change, Failure, Patience, Stage};
use crate::desired::intern::Interner;
use crate::desired::kinds::{Kind, Row, ServedKind, Watched};
use crate::error_chain::ErrorChain;
use crate::finding::Reason;
use crate::model::ObjectRef;
use crate::model::instance::Instance;
use crate::model::text::printable;

/// Pace and patience of the watches.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchSettings {
    /// Objects of one list page. Source: facts/kubernetes.md section 5.
    pub page_size: u32,
    /// Length of one watch request, in seconds: rights are checked when a request starts, a dead
    /// connection is noticed 5 s after, and a quiet server is heard of once in this time. What changed
    /// in a zone is judged only after that, so it must be short.
    pub watch_seconds: u32,
    /// Longest time for one list page outside of a watch.
    pub page_timeout: Duration,
    /// First pause after an error; each further one doubles.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// Without errors for so long the pause starts over.
    pub calm: Duration,
    /// Without any word from the server for so long the watch is made anew, with a new list.
    pub renew_after: Duration,
    /// After a suspicious empty list the next one is asked for so much later.
    pub confirm_empty_after: Duration,
    /// How often a custom resource that is not installed is looked for.
    pub look_again_every: Duration,
    /// Shortest time between two published views.
    pub publish_every: Duration,
    /// How often the freshness is judged although nothing happens.
    pub judge_every: Duration,
    /// True if the labels of Namespaces are of interest, whatever the sources read.
    pub namespaces: bool,
    /// Instances that were here: what they read is of interest, although they may be gone.
    pub known: Arc<[Arc<Instance>]>,
}

/// A step of the watch of a kind.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which watch.
    pub kind: Kind,
    /// The step.
    pub change: Change,
}

/// What a watch needs.
pub struct Watch {
    kind: Kind,
    /// The version that is tried now, by its place among those of the kind.
    version: usize,
    client: kube::Client,
    stats: KubeStats,
    settings: WatchSettings,
    updates: mpsc::Sender<Update>,
    pace: Pace,
    /// Hashes of the names of all objects, kept or not: whether an empty list is plausible.
    known: HashSet<u64>,
    confirming: bool,
    interner: Interner,
}

/// Why a stream ended.
enum End {
    Renew,
    ConfirmEmpty,
    NotServed,
    NobodyListens,
}

/// The pause after errors: doubles, and starts over only after a calm time. kube's own starts
/// over with each list that it *begins*, and so never grows while lists fail.
struct Pace {
    next: Duration,
    last_error: Option<Instant>,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            page_size: 500,
            watch_seconds: 30,
            page_timeout: Duration::from_secs(75),
            first_pause: Duration::from_millis(800),
            longest_pause: Duration::from_secs(30),
            calm: Duration::from_mins(1),
            renew_after: Duration::from_mins(5),
            confirm_empty_after: Duration::from_secs(30),
            look_again_every: Duration::from_mins(1),
            publish_every: Duration::from_secs(1),
            judge_every: Duration::from_secs(5),
            namespaces: false,
            known: Arc::default(),
        }
    }
}

impl WatchSettings {
    /// The kinds to watch whatever the instances' sources are: what runs ExternalDNS, and
    /// Ingresses, which stand in for the sources of an instance that is not found.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let always = [Kind::Ingress, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Pod];
        always.into_iter().chain(self.namespaces.then_some(Kind::Namespace)).collect()
    }

    /// Two lost watches and their margins, as facts/kubernetes.md section 6 has it.
    #[must_use]
    pub fn patience(&self) -> Patience {
        let watch = Duration::from_secs(u64::from(self.watch_seconds));
        Patience {
            stale_after: watch.saturating_add(Duration::from_secs(5)).saturating_mul(2),
            calm: self.calm,
        }
    }

    fn watcher(&self) -> watcher::Config {
        watcher::Config::default().page_size(self.page_size).timeout(self.watch_seconds)
    }
}

// === impl Watch ===

impl Watch {
    /// A watch that has not begun.
    #[must_use]
    pub fn new(
        kind: Kind,
        (client, stats): (kube::Client, KubeStats),
        settings: WatchSettings,
        updates: mpsc::Sender<Update>,
    ) -> Self {
        let pace = Pace { next: settings.first_pause, last_error: None };
        let known = HashSet::new();
        Self {
            kind,
            version: 0,
            client,
            stats,
            settings,
            updates,
            pace,
            known,
            confirming: false,
            interner: Interner::default(),
        }
    }

    /// Runs until stopped, or until nobody takes the updates any more.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled_owned(async {
            loop {
                match Box::pin(self.follow_one_stream()).await {
                    End::Renew => {}
                    End::ConfirmEmpty => sleep(self.settings.confirm_empty_after).await,
                    End::NotServed => match self.try_next_version().await {
                        Some(pause) => sleep(pause).await,
                        None => break,
                    },
                    End::NobodyListens => break,
                }
            }
        })
        .await;
    }

    /// After a 404: the next version, or the statement that the kind is not installed. A server
    /// that has just started answers so for a while, so rows are given up only after a second look.
    /// `None` when nobody listens.
    async fn try_next_version(&mut self) -> Option<Duration> {
        self.version = self.version.saturating_add(1);
        if self.version < self.kind.versions().len() {
            return Some(Duration::ZERO);
        }
        self.version = 0;
        if !self.known.is_empty() && !self.confirming {
            self.confirming = true;
            return self.send(Change::SuspiciouslyEmpty).await.then_some(self.settings.confirm_empty_after);
        }
        self.confirming = false;
        self.known.clear();
        self.send(Change::Absent).await.then_some(self.settings.look_again_every)
    }

    async fn follow_one_stream(&mut self) -> End {
        let version = self.kind.versions().get(self.version).copied().unwrap_or("v1");
        let served = ServedKind { kind: self.kind, version };
        let api = Api::<Watched>::all_with(self.client.clone(), &served);
        let mut stream = Box::pin(watcher::watcher(api, self.settings.watcher()));
        let began = Instant::now();
        let mut listed = HashSet::new();
        loop {
            // An error is one more item here, never the end of the stream.
            let Ok(item) = timeout_at(self.silent_until(began), stream.next()).await else {
                if Instant::now() < self.silent_until(began) {
                    continue;
                }
                let message = format!("no word for {} s; starting over", self.settings.renew_after.as_secs());
                let failure = Failure { stage: Stage::Stream, code: Reason::Unreachable, message };
                return self.pause_after(failure).await.unwrap_or(End::Renew);
            };
            let sent = match item {
                None => return End::Renew,
                Some(Err(error)) if self.kind.may_be_absent() && is_not_served(&error) => {
                    return End::NotServed;
                }
                Some(Err(error)) => {
                    let starts_over = must_start_over(&error);
                    match self.pause_after(failure_of(&error)).await {
                        Some(end) => return end,
                        None if starts_over => return End::Renew,
                        None => true,
                    }
                }
                Some(Ok(Event::Init)) => {
                    listed = HashSet::new();
                    self.interner.forget_unused();
                    self.send(Change::Begun).await
                }
                Some(Ok(Event::InitApply(object))) => {
                    let (reference, read) = self.read(object);
                    listed.insert(hash(&reference));
                    self.send(Change::Listed(reference, read)).await
                }
                Some(Ok(Event::InitDone)) => {
                    let listed = std::mem::take(&mut listed);
                    if listed.is_empty() && !self.known.is_empty() && !self.confirming {
                        self.confirming = true;
                        let sent = self.send(Change::SuspiciouslyEmpty).await;
                        return if sent { End::ConfirmEmpty } else { End::NobodyListens };
                    }
                    self.confirming = false;
                    self.known = listed;
                    self.send(Change::Complete).await
                }
                Some(Ok(Event::Apply(object))) => {
                    let (reference, read) = self.read(object);
                    self.known.insert(hash(&reference));
                    self.send(match read {
                        Ok(row) => Change::Applied(reference, row),
                        Err(message) => Change::Broken(reference, message),
                    })
                    .await
                }
                Some(Ok(Event::Delete(object))) => {
                    let reference = object.reference(self.kind);
                    self.known.remove(&hash(&reference));
                    self.send(Change::Deleted(reference)).await
                }
            };
            if !sent {
                return End::NobodyListens;
            }
        }
    }

    /// When to give up on the stream, as far as is known now.
    fn silent_until(&self, began: Instant) -> Instant {
        let heard = self.stats.last_contact(self.kind.resource()).map(|contact| contact.instant);
        began.max(heard.unwrap_or(began)) + self.settings.renew_after
    }

    fn read(&mut self, object: Watched) -> (ObjectRef, Result<Option<Row>, String>) {
        let reference = object.reference(self.kind);
        match self.kind.decode(object.value) {
            Ok(Some(row)) => {
                let (reference, row) = self.interner.share_row(reference, row);
                (reference, Ok(Some(row)))
            }
            Ok(None) => (reference, Ok(None)),
            Err(error) => (reference, Err(printable(&error.to_string()))),
        }
    }

    /// Tells the failure and waits. `Some` when nobody listens.
    async fn pause_after(&mut self, failure: Failure) -> Option<End> {
        tracing::debug!(
            kind = self.kind.as_str(),
            code = failure.code.as_str(),
            "watch: {}",
            failure.message
        );
        if !self.send(Change::Failed(failure)).await {
            return Some(End::NobodyListens);
        }
        sleep(self.pace.after_error(Instant::now(), &self.settings)).await;
        None
    }

    async fn send(&self, change: Change) -> bool {
        self.updates.send(Update { kind: self.kind, change }).await.is_ok()
    }
}

impl Pace {
    fn after_error(&mut self, now: Instant, settings: &WatchSettings) -> Duration {
        if self.last_error.is_some_and(|last| now.duration_since(last) > settings.calm + self.next) {
            self.next = settings.first_pause;
        }
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(settings.longest_pause);
        self.last_error = Some(now);
        // Several watches must not ask in step.
        pause.mul_f64(rand::random_range(0.8..1.2))
    }
}

fn hash(reference: &ObjectRef) -> u64 {
    let mut hasher = DefaultHasher::new();
    reference.hash(&mut hasher);
    hasher.finish()
}

/// kube repeats a resume point that was refused over HTTP for ever.
fn must_start_over(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

/// The server does not have the resource, in this version or at all.
fn is_not_served(error: &watcher::Error) -> bool {
    matches!(
        error,
        watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 404
    )
}

fn failure_of(error: &watcher::Error) -> Failure {
    match error {
        watcher::Error::InitialListFailed(cause) => request_failure(Stage::List, cause),
        watcher::Error::WatchStartFailed(cause) => request_failure(Stage::Start, cause),
        watcher::Error::WatchFailed(cause) => request_failure(Stage::Stream, cause),
        watcher::Error::WatchError(status) => status_failure(Stage::Stream, status),
        watcher::Error::NoResourceVersion => {
            Failure { stage: Stage::Stream, code: Reason::Parse, message: error.to_string() }
        }
    }
}

/// In our words why a request failed.
pub(crate) fn request_failure(stage: Stage, error: &kube::Error) -> Failure {
    if let kube::Error::Api(status) = error {
        return status_failure(stage, status);
    }
    let unreadable = matches!(error, kube::Error::SerdeError(_) | kube::Error::FromUtf8(_));
    let code = if unreadable { Reason::Parse } else { Reason::Unreachable };
    Failure { stage, code, message: printable(&ErrorChain(error).to_string()) }
}

fn status_failure(stage: Stage, status: &kube::core::Status) -> Failure {
    let code = match status.code {
        401 | 403 => Reason::Forbidden,
        429 => Reason::Throttled,
        _ => Reason::Unreachable,
    };
    let message = printable(&format!("HTTP {}: {}", status.code, status.message));
    Failure { stage, code, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_pause_grows_and_starts_over_only_after_calm() {
        let settings = WatchSettings::default();
        let mut pace = Pace { next: settings.first_pause, last_error: None };
        let mut check = |expected_ms: u128| {
            let pause = pace.after_error(Instant::now(), &settings);
            let range = expected_ms * 79 / 100..=expected_ms * 121 / 100;
            assert!(range.contains(&pause.as_millis()), "{pause:?} is about {expected_ms} ms");
            pause
        };
        for expected in [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            tokio::time::advance(check(expected)).await;
        }
        tokio::time::advance(Duration::from_secs(40)).await;
        check(30_000);
        tokio::time::advance(Duration::from_secs(91)).await;
        check(800);
    }
}
