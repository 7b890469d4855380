//! From log lines to the changes view: a parser for each stream, one feed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::changes::feed::{FeedBuilder, FeedCounts};
use crate::changes::follow::{LogHealth, LogLine};
use crate::changes::inbox::{Delivery, SourceHealth};
use crate::changes::log::LogParser;
use crate::changes::storm::{LineBudget, Verdict};
use crate::clock::Clock;
use crate::model::change::{ChangeFeed, FeedSource};
use crate::model::workload::LogTarget;
use crate::past::told::Told;
use crate::run::costs::Costs;
use crate::snapshot::{Cluster, Problem, Reading, ViewState};

/// How often the health of the followers is looked at although no line comes.
const JUDGE_EVERY: Duration = Duration::from_secs(5);

/// Lines of a burst are taken together: publishing copies the feed.
const SETTLE: Duration = Duration::from_millis(300);

/// Reads lines into a feed.
#[derive(Default)]
pub(crate) struct Streams {
    parsers: BTreeMap<FeedSource, LogParser>,
    budgets: BTreeMap<FeedSource, LineBudget>,
    pub(crate) builder: FeedBuilder,
}

impl Streams {
    /// Goes on from what was told before a restart.
    pub(super) fn resume(told: &Told, now: Timestamp) -> Self {
        let mut streams = Self::default();
        if let Some(feed) = &told.feed {
            streams.builder.restore(feed, now);
        }
        streams
    }

    /// The feed before anything of it was read: what was told before still holds.
    pub(super) fn before(&mut self, told: &Told, now: Timestamp) -> Reading<ChangeFeed> {
        if told.feed.is_none() {
            return Reading::unread(Vec::new());
        }
        let value = Some(Arc::new(self.builder.feed(now)));
        Reading { state: ViewState::Stale, read_at: told.read_at, value, problems: Vec::new() }
    }

    /// True if anything was told, now or before a restart.
    fn has_told(&self) -> bool {
        let counts = self.builder.counts();
        0 < counts.lines || 0 < counts.events || !self.builder.is_empty()
    }

    /// Takes one line of a followed log, unless there are too many.
    pub(crate) fn push(&mut self, line: &LogLine, clock: &dyn Clock) {
        let source = source_of(&line.target);
        match self.budgets.entry(source.clone()).or_default().line(clock.now()) {
            Verdict::Drop => return self.builder.drop_lines(1),
            Verdict::TakeAfterGap => {
                let events = self.parsers.get_mut(&source).map(LogParser::interrupt).unwrap_or_default();
                self.builder.add(events, clock.now());
            }
            Verdict::Take => {}
        }
        self.read(line, clock);
    }

    /// Takes one line of a log whose length is bounded.
    pub(crate) fn read(&mut self, line: &LogLine, clock: &dyn Clock) {
        let source = source_of(&line.target);
        let now = clock.now();
        let parser = self
            .parsers
            .entry(source.clone())
            .or_insert_with(|| LogParser::new(source, line.at.unwrap_or(now)));
        let events = match line.at {
            Some(at) => parser.push(&format!("{at} {}", line.text)),
            None => parser.push(&line.text),
        };
        self.builder.add(events, now);
    }

    /// Says which streams are followed.
    pub(crate) fn follow(&mut self, targets: &[LogTarget], clock: &dyn Clock) {
        let wanted: BTreeSet<FeedSource> = targets.iter().map(source_of).collect();
        self.builder.follow_only(&wanted);
        self.parsers.retain(|source, _| wanted.contains(source));
        self.budgets.retain(|source, _| wanted.contains(source));
        for source in wanted {
            let parser = self.parsers.entry(source.clone());
            let parser = parser.or_insert_with(|| LogParser::new(source, clock.now()));
            self.builder.follow(&parser.stream(), parser.counts(), clock.now());
        }
    }

    /// Takes what another source brought.
    pub(crate) fn deliver(&mut self, delivery: Delivery, clock: &dyn Clock) {
        match delivery {
            Delivery::Trail(events) => self.builder.add(events, clock.now()),
            Delivery::Metrics(metrics) => self.builder.scraped(metrics),
            Delivery::Notices(notices) => self.builder.noticed(notices, clock.now()),
        }
    }

    /// Says which instance writes which stream, as far as the cluster shows it.
    fn name(&mut self, targets: &[LogTarget], cluster: &Cluster) {
        for target in targets {
            let runs = cluster.instances.iter().find(|instance| {
                instance.pods.iter().any(|pod| pod.name == target.pod && pod.namespace == target.namespace)
            });
            if let Some(instance) = runs {
                self.builder.name_stream(&source_of(target), &instance.id);
            }
        }
    }

    /// Completes what waits for a line that will not come.
    pub(crate) fn finish(&mut self, clock: &dyn Clock) {
        let events: Vec<_> = self.parsers.values_mut().flat_map(LogParser::finish).collect();
        self.builder.add(events, clock.now());
    }
}

fn source_of(target: &LogTarget) -> FeedSource {
    FeedSource::Log {
        namespace: Arc::clone(&target.namespace),
        pod: Arc::clone(&target.pod),
        container: Arc::clone(&target.container),
    }
}

/// What was published last; the same is not published again.
#[derive(PartialEq)]
struct Published {
    counts: FeedCounts,
    problems: Vec<Problem>,
    state: ViewState,
    controllers: Option<Timestamp>,
}

/// What the parser task needs.
pub(super) struct LogTask {
    /// What is read, and what was told before.
    pub(super) streams: Streams,
    /// Every source has been read once, or could not be. Before that nothing tells what is missing.
    pub(super) has_begun: bool,
    pub(super) lines: mpsc::Receiver<LogLine>,
    pub(super) deliveries: mpsc::Receiver<Delivery>,
    pub(super) targets: watch::Receiver<Arc<Vec<LogTarget>>>,
    pub(super) cluster: watch::Receiver<Reading<Cluster>>,
    pub(super) health: LogHealth,
    pub(super) sources: SourceHealth,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) costs: Costs,
    pub(super) publish: watch::Sender<Reading<ChangeFeed>>,
}

impl LogTask {
    /// Reads lines until stopped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut judge = interval(JUDGE_EVERY);
        judge.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut due: Option<Instant> = None;
        let mut told: Option<Published> = None;
        // Closed from the start when no such source is in use.
        let mut delivers = true;
        loop {
            let at = due;
            let settled = async move {
                match at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                line = self.lines.recv() => match line {
                    Some(line) => {
                        if !self.streams.parsers.contains_key(&source_of(&line.target)) {
                            self.name();
                        }
                        self.streams.push(&line, &*self.clock);
                        due.get_or_insert_with(|| Instant::now() + SETTLE);
                    }
                    None => stop.cancelled().await,
                },
                delivery = self.deliveries.recv(), if delivers => match delivery {
                    Some(delivery) => {
                        self.streams.deliver(delivery, &*self.clock);
                        due.get_or_insert_with(|| Instant::now() + SETTLE);
                    }
                    None => delivers = false,
                },
                () = settled => {
                    due = None;
                    self.publish(&mut told);
                }
                () = sleep(SETTLE), if !self.has_begun => if self.has_all_spoken() {
                    self.publish(&mut told);
                },
                _ = judge.tick() => self.publish(&mut told),
            }
        }
    }

    fn name(&mut self) {
        let targets = Arc::clone(&self.targets.borrow());
        let cluster = self.cluster.borrow().value.clone();
        if let Some(cluster) = cluster {
            self.streams.name(&targets, &cluster);
        }
    }

    /// True once it is known whose logs there are, and nothing is left to read of what was written before.
    fn has_all_spoken(&self) -> bool {
        self.cluster.borrow().value.is_some()
            && self.health.spoke(&self.targets.borrow())
            && self.sources.spoke()
            && self.lines.is_empty()
            && self.deliveries.is_empty()
    }

    fn publish(&mut self, told: &mut Option<Published>) {
        self.has_begun = self.has_begun || self.has_all_spoken();
        let targets = Arc::clone(&self.targets.borrow());
        self.name();
        if self.has_begun {
            self.streams.follow(&targets, &*self.clock);
        }
        let counts = self.streams.builder.counts();
        let tally = Arc::new(self.streams.builder.tally().clone());
        self.costs.update(|counted| (counted.feed, counted.tally) = (counts, tally));
        let mut problems = self.health.problems();
        let state = self.state(&targets, problems.len());
        problems.extend(self.sources.problems());
        if !self.has_begun && self.cluster.borrow().value.is_some() {
            // Others have not spoken yet; what fails does so still when they have.
            problems.clear();
        }
        let now = self.clock.now();
        let controllers = self.streams.builder.controllers_read_at();
        let value = match state {
            ViewState::Off | ViewState::Unread => None,
            ViewState::Read | ViewState::Stale => Some(Arc::new(self.streams.builder.feed(now))),
        };
        let next = Published { counts, problems: problems.clone(), state, controllers };
        let news = told.as_ref() != Some(&next);
        *told = Some(next);
        self.publish.send_if_modified(|last| {
            let read_at = if state == ViewState::Read { Some(now) } else { last.read_at };
            *last = Reading { state, read_at, value, problems };
            news
        });
    }

    fn state(&self, targets: &[LogTarget], failed_logs: usize) -> ViewState {
        let before = if self.streams.has_told() { ViewState::Stale } else { ViewState::Unread };
        if !self.has_begun {
            return before;
        }
        let (sources, read) = self.sources.sources();
        let logs_read = failed_logs < targets.len();
        match (targets.is_empty() && sources == 0, logs_read || 0 < read) {
            // The last container is gone: what it told still counts.
            (true, _) if self.streams.has_told() => ViewState::Read,
            (true, _) => ViewState::Off,
            (false, true) => ViewState::Read,
            (false, false) => before,
        }
    }
}

#[cfg(test)]
mod tests;
