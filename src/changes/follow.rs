//! Follows the logs of the ExternalDNS containers. Best effort: a rotation between two
//! connections can lose lines, so logs are never the only source.

mod lines;
mod one;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::changes::follow::one::Follower;
pub use crate::changes::follow::one::{LogError, read_tail};
use crate::finding::Reason;
use crate::limits::{KEEP_CHANGE_EVENTS, MAX_LOG_FOLLOWERS};
pub use crate::model::workload::LogTarget;
use crate::snapshot::Problem;

/// One line of a container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Whose.
    pub target: LogTarget,
    /// When the container runtime took it; `None` when the line carries no time.
    pub at: Option<Timestamp>,
    /// The line without the runtime's time, at most [`crate::limits::MAX_LOG_LINE`] bytes. Not
    /// made printable: it is for parsing.
    pub text: String,
}

/// Pace and patience of the followers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowSettings {
    /// How far back the first reading goes.
    pub first_window: Duration,
    /// Lines that it takes at most.
    pub first_lines: i64,
    /// ExternalDNS writes a line a minute; after so much silence the connection is taken for
    /// dead and made anew, well before the silence could be taken for that of the controller.
    pub idle: Duration,
    /// How long a connection may take to begin.
    pub start_within: Duration,
    /// First pause between two connections; doubles while nothing comes.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
}

/// How the followers fare. Clones share the same figures.
#[derive(Clone, Debug, Default)]
pub struct LogHealth(Arc<Mutex<Figures>>);

#[derive(Debug, Default)]
struct Figures {
    followers: BTreeMap<Key, Figure>,
    too_many: usize,
}

/// How one follower fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// Lines handed on.
    pub lines: u64,
    /// Connections begun.
    pub connections: u64,
    /// Why the last connection failed; `None` once one succeeded.
    pub failure: Option<(Reason, String)>,
    /// What was written before it was followed has been read.
    pub caught_up: bool,
}

/// One run of a Pod's container: namespace, Pod, uid, container.
pub type Key = (Arc<str>, Arc<str>, Arc<str>, Arc<str>);

struct Running {
    stop: CancellationToken,
    target: watch::Sender<LogTarget>,
}

impl Default for FollowSettings {
    fn default() -> Self {
        Self {
            first_window: KEEP_CHANGE_EVENTS,
            first_lines: 10_000,
            idle: Duration::from_mins(2),
            start_within: Duration::from_secs(30),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// Follows the given containers and hands their lines on, until stopped: each line once, with
/// the end of a container's last run after each of its restarts.
///
/// Waits while nobody takes lines; ends also when nobody ever will.
pub async fn run(
    client: kube::Client,
    mut targets: watch::Receiver<Arc<Vec<LogTarget>>>,
    settings: FollowSettings,
    lines: mpsc::Sender<LogLine>,
    health: LogHealth,
    stop: CancellationToken,
) {
    let mut running: BTreeMap<Key, Running> = BTreeMap::new();
    let mut tasks: JoinSet<Key> = JoinSet::new();
    let mut told = true;
    loop {
        let wanted = Arc::clone(&targets.borrow_and_update());
        let wanted = chosen(&wanted, &health);
        running.retain(|key, follower| {
            let kept = wanted.contains_key(key);
            if !kept {
                follower.stop.cancel();
                health.forget(key);
            }
            kept
        });
        for (key, target) in wanted {
            if let Some(follower) = running.get(&key) {
                follower.target.send_if_modified(|last| std::mem::replace(last, target.clone()) != target);
                continue;
            }
            let (sender, receiver) = watch::channel(target);
            let one = Follower::new(&client, receiver, settings.clone(), lines.clone(), health.clone());
            let stop = stop.child_token();
            tasks.spawn({
                let (stop, key) = (stop.clone(), key.clone());
                async move {
                    stop.run_until_cancelled_owned(one.run()).await;
                    key
                }
            });
            running.insert(key, Running { stop, target: sender });
        }
        // Ended followers are reaped until there is news.
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = lines.closed() => break,
                changed = targets.changed(), if told => match changed {
                    Ok(()) => break,
                    // The last word stands.
                    Err(_nobody_tells) => told = false,
                },
                Some(ended) = tasks.join_next() => match ended {
                    Ok(key) => tracing::debug!(pod = %key.1, "a log follower ended"),
                    Err(error) => tracing::error!(%error, "a log follower failed"),
                },
            }
        }
        if stop.is_cancelled() || lines.is_closed() {
            break;
        }
    }
    tasks.shutdown().await;
}

/// The first ones in order, when there are too many.
fn chosen(targets: &[LogTarget], health: &LogHealth) -> BTreeMap<Key, LogTarget> {
    let all: BTreeMap<Key, LogTarget> =
        targets.iter().map(|target| (key_of(target), target.clone())).collect();
    health.set_too_many(all.len().saturating_sub(MAX_LOG_FOLLOWERS));
    all.into_iter().take(MAX_LOG_FOLLOWERS).collect()
}

fn key_of(target: &LogTarget) -> Key {
    let LogTarget { namespace, pod, uid, container, .. } = target.clone();
    (namespace, pod, uid, container)
}

// === impl LogHealth ===

impl LogHealth {
    /// What could not be read, sorted by scope: `log <namespace>/<pod>/<container>`.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let figures = self.lock();
        let mut problems: Vec<Problem> = figures
            .followers
            .iter()
            .filter_map(|((namespace, pod, _, container), figure)| {
                let (code, message) = figure.failure.clone()?;
                Some(Problem { scope: format!("log {namespace}/{pod}/{container}"), code, message })
            })
            .collect();
        if figures.too_many > 0 {
            let message = format!("{} containers more than are followed", figures.too_many);
            problems.push(Problem { scope: "log".to_owned(), code: Reason::LimitsExceeded, message });
        }
        problems.sort();
        problems
    }

    /// True once each log that is followed of these has been read so far, or could not be.
    #[must_use]
    pub fn spoke(&self, targets: &[LogTarget]) -> bool {
        let figures = self.lock();
        let keys: BTreeSet<Key> = targets.iter().map(key_of).collect();
        keys.iter()
            .take(MAX_LOG_FOLLOWERS)
            .all(|key| figures.followers.get(key).is_some_and(|one| one.caught_up || one.failure.is_some()))
    }

    /// How each follower fares, sorted.
    #[must_use]
    pub fn figures(&self) -> Vec<(Key, Figure)> {
        self.lock().followers.iter().map(|(key, figure)| (key.clone(), figure.clone())).collect()
    }

    fn update(&self, key: &Key, change: impl FnOnce(&mut Figure)) {
        change(self.lock().followers.entry(key.clone()).or_default());
    }

    fn forget(&self, key: &Key) {
        self.lock().followers.remove(key);
    }

    fn set_too_many(&self, count: usize) {
        self.lock().too_many = count;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
