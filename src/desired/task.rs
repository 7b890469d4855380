//! Keeps the Kubernetes view: runs the watches, takes in their steps, publishes the view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::desired::client::Connection;
use crate::desired::contact::{Channel, KubeStats};
use crate::desired::health::Heard;
use crate::desired::kinds::Kind;
use crate::desired::view::View;
use crate::desired::watch::{Update, Watch, WatchSettings};
use crate::limits::WATCH_QUEUE;
use crate::model::instance::Instance;
use crate::model::workload::LogTarget;
use crate::snapshot::{Cluster, Reading, ViewState};

/// Why the view is not kept any more.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A watch ended although nobody asked for it: its rows would only grow old.
    #[error("watch {}: ended", .kind.plural())]
    EndedEarly {
        /// Which watch.
        kind: Kind,
    },
    /// A watch panicked.
    #[error("watch of the cluster")]
    Panicked(#[source] JoinError),
}

struct Keeper {
    view: View,
    stats: KubeStats,
    settings: WatchSettings,
    publish: watch::Sender<Reading<Cluster>>,
    pods: watch::Sender<Arc<Vec<LogTarget>>>,
    needed: watch::Sender<BTreeSet<Kind>>,
    known: watch::Receiver<KnownInstances>,
    published_at: Option<Instant>,
    due: Option<Instant>,
}

/// Instances that were seen here, gone or not.
pub type KnownInstances = Arc<[Arc<Instance>]>;

/// Watches the cluster and publishes the view and the containers whose logs are of interest,
/// until stopped. What the `known` instances read is watched whether they are still there or not.
///
/// Receivers of the view are woken when something changed, at most once each
/// `settings.publish_every`; a newer `read_at` alone wakes nobody, but is there to be seen.
///
/// # Errors
///
/// Only when a watch ends by itself; trouble with the server is a problem of the view.
pub async fn run(
    connection: Connection,
    settings: WatchSettings,
    known: watch::Receiver<KnownInstances>,
    publish: watch::Sender<Reading<Cluster>>,
    pods: watch::Sender<Arc<Vec<LogTarget>>>,
    stop: CancellationToken,
) -> Result<(), TaskError> {
    let (sender, mut updates) = mpsc::channel(WATCH_QUEUE);
    let (needed, mut wanted) = watch::channel(settings.kinds().into_iter().collect::<BTreeSet<Kind>>());
    let mut watches = Watches {
        connection: connection.clone(),
        settings: settings.clone(),
        sender,
        stop: stop.clone(),
        tasks: JoinSet::new(),
        running: BTreeMap::new(),
    };
    let mut keeper = Keeper::new(connection.stats, settings, known, (publish, pods), needed);
    let ended = tokio::select! {
        ended = watches.keep(&mut wanted) => ended,
        never = keeper.keep(&mut updates) => never,
    };
    watches.tasks.shutdown().await;
    ended
}

/// The running watches, one for each kind that is needed.
struct Watches {
    connection: Connection,
    settings: WatchSettings,
    sender: mpsc::Sender<Update>,
    stop: CancellationToken,
    /// Each ends with its kind, unless it was told to stop.
    tasks: JoinSet<Option<Kind>>,
    running: BTreeMap<Kind, CancellationToken>,
}

impl Watches {
    /// Starts and stops watches as the sources of the instances come and go.
    async fn keep(&mut self, wanted: &mut watch::Receiver<BTreeSet<Kind>>) -> Result<(), TaskError> {
        loop {
            let kinds = wanted.borrow_and_update().clone();
            self.adjust(&kinds);
            tokio::select! {
                ended = first_end(&mut self.tasks, &self.stop) => match ended {
                    // A watch that was told to stop because nobody needs its kind any more.
                    Ok(Ended::One) => {}
                    Ok(Ended::All) => return Ok(()),
                    Err(error) => return Err(error),
                },
                changed = wanted.changed() => if changed.is_err() {
                    return Ok(());
                },
            }
        }
    }

    fn adjust(&mut self, kinds: &BTreeSet<Kind>) {
        self.running.retain(|kind, stop| {
            let needed = kinds.contains(kind);
            if !needed {
                stop.cancel();
            }
            needed
        });
        for kind in kinds {
            if !self.running.contains_key(kind) {
                self.start(*kind);
            }
        }
    }

    fn start(&mut self, kind: Kind) {
        let place = (self.connection.client.clone(), self.connection.stats.clone());
        let one = Watch::new(kind, place, self.settings.clone(), self.sender.clone());
        let stop = self.stop.child_token();
        self.running.insert(kind, stop.clone());
        self.tasks.spawn(async move {
            one.run(stop.clone()).await;
            (!stop.is_cancelled()).then_some(kind)
        });
    }
}

/// What ended as it should.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// One watch, whose kind nobody needs any more.
    One,
    /// All of them.
    All,
}

/// Watches end when stopped, and never else: without one the view would grow old unseen.
async fn first_end(
    watches: &mut JoinSet<Option<Kind>>,
    stop: &CancellationToken,
) -> Result<Ended, TaskError> {
    let ended = stop.run_until_cancelled(watches.join_next()).await.flatten();
    match ended {
        None => Ok(Ended::All),
        Some(Ok(_)) if stop.is_cancelled() => Ok(Ended::All),
        Some(Ok(None)) => Ok(Ended::One),
        Some(Ok(Some(kind))) => Err(TaskError::EndedEarly { kind }),
        Some(Err(error)) => Err(TaskError::Panicked(error)),
    }
}

// === impl Keeper ===

impl Keeper {
    fn new(
        stats: KubeStats,
        settings: WatchSettings,
        known: watch::Receiver<KnownInstances>,
        (publish, pods): (watch::Sender<Reading<Cluster>>, watch::Sender<Arc<Vec<LogTarget>>>),
        needed: watch::Sender<BTreeSet<Kind>>,
    ) -> Self {
        let view = View::new(&settings.kinds());
        Self { view, stats, settings, publish, pods, needed, known, published_at: None, due: None }
    }

    async fn keep(&mut self, updates: &mut mpsc::Receiver<Update>) -> ! {
        let mut judge = interval(self.settings.judge_every);
        judge.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.due;
            let publishing = async move {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                update = updates.recv() => match update {
                    Some(update) => self.take_in(update),
                    // No watch is left; their supervisor sees it too.
                    None => std::future::pending().await,
                },
                () = publishing => self.publish(),
                _ = judge.tick() => self.publish_soon(),
            }
        }
    }

    fn take_in(&mut self, update: Update) {
        self.view.apply(update.kind, update.change, Instant::now());
        self.publish_soon();
    }

    /// The kinds that the sources of the instances read are watched from now on. Before they are
    /// listed the view is not complete, so this comes before it is made.
    fn ask_for_needed(&mut self) {
        let Some(needed) = self.view.needed() else { return };
        let kinds: BTreeSet<Kind> = self.settings.kinds().into_iter().chain(needed).collect();
        self.view.require(&kinds);
        self.needed.send_if_modified(|last| {
            let changed = *last != kinds;
            if changed {
                *last = kinds;
            }
            changed
        });
    }

    /// Changes come in bursts; one view of all of them is enough.
    fn publish_soon(&mut self) {
        let now = Instant::now();
        let earliest = self.published_at.map_or(now, |last| last + self.settings.publish_every);
        self.due.get_or_insert(earliest.max(now));
    }

    fn publish(&mut self) {
        let now = Instant::now();
        self.due = None;
        self.published_at = Some(now);
        self.view.remember(Arc::clone(&self.known.borrow()));
        self.ask_for_needed();
        let stats = &self.stats;
        let heard = |kind: Kind| Heard {
            last: stats.last_contact(kind.resource()),
            watch: [Channel::Start, Channel::Watch]
                .into_iter()
                .filter_map(|channel| stats.last_contact_by(kind.resource(), channel))
                .max_by_key(|contact| contact.instant),
        };
        let Some(reading) = self.view.reading(heard, now, self.settings.patience()) else { return };
        let targets = self.view.log_targets();
        // First, so that whoever sees the cluster knows whose logs there are.
        self.pods.send_if_modified(|last| {
            let changed = **last != targets;
            if changed {
                *last = Arc::new(targets);
            }
            changed
        });
        self.publish.send_if_modified(|last| {
            let changed = differs(last, &reading);
            tell(last, &reading);
            *last = reading;
            changed
        });
    }
}

/// The value is compared by identity: it is made anew only when rows changed.
fn differs(last: &Reading<Cluster>, next: &Reading<Cluster>) -> bool {
    let same_value = match (&last.value, &next.value) {
        (Some(last), Some(next)) => Arc::ptr_eq(last, next),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    !same_value || last.state != next.state || last.problems != next.problems
}

/// One line for each change of state or of problems.
fn tell(last: &Reading<Cluster>, next: &Reading<Cluster>) {
    for problem in next.problems.iter().filter(|problem| !last.problems.contains(problem)) {
        tracing::warn!(
            scope = problem.scope,
            code = problem.code.as_str(),
            "kubernetes: {}",
            problem.message
        );
    }
    if last.state != next.state && next.state == ViewState::Read {
        let value = next.value.as_ref();
        tracing::info!(
            objects = value.map_or(0, |cluster| cluster.objects.len()),
            instances = value.map_or(0, |cluster| cluster.instances.len()),
            "kubernetes: read"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(
        watch: impl Future<Output = Option<Kind>> + Send + 'static,
        stop: &CancellationToken,
    ) -> String {
        let mut watches = JoinSet::new();
        watches.spawn(watch);
        watches.spawn(std::future::pending());
        match first_end(&mut watches, stop).await {
            Ok(ended) => format!("{ended:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn a_watch_that_ends_or_panics_is_an_error() {
        let stop = CancellationToken::new();
        assert_eq!(outcome(async { Some(Kind::Pod) }, &stop).await, "watch pods: ended");
        assert_eq!(outcome(async { None }, &stop).await, "One");
        assert_eq!(outcome(async { panic!("on purpose") }, &stop).await, "watch of the cluster");
        stop.cancel();
        assert_eq!(outcome(async { None }, &stop).await, "All");
    }
}
