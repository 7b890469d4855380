//! Keeps the live view: asks what the plan says, when it is due, and publishes what came back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::live::plan::{Job, ProbePlan, Schedule, Subject, Work, works};
use crate::live::probe::{Harvest, Probe};
use crate::live::prober::Prober;
use crate::live::settings::LiveSettings;
use crate::live::store::Store;
use crate::model::observation::{Observation, Vantage};
use crate::snapshot::{Problem, Reading};

/// Readers get news at most this often.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// Publishing copies everything; with many names it may take at most this part of the time.
const PUBLISH_SHARE: u32 = 20;

/// Keeps the live view until `stop` is cancelled.
///
/// The prober is given, so that the caller can show its counts. Nothing is published before the
/// first plan with content has been answered, or [`Intervals::first_publish`] has passed since.
/// What a reading does not hold was not asked, and says nothing.
///
/// [`Intervals::first_publish`]: crate::live::settings::Intervals::first_publish
pub async fn run(
    settings: LiveSettings,
    prober: Prober,
    plan: watch::Receiver<Arc<ProbePlan>>,
    clock: Arc<dyn Clock>,
    publish: watch::Sender<Reading<Vec<Observation>>>,
    stop: CancellationToken,
) {
    let mut view = LiveView::new(settings, prober, clock, publish);
    view.keep(plan, &stop).await;
}

/// Asks everything in a plan once, and every resolver's control name.
///
/// Returns the observations in the order of names, and what could not be asked. Ends when all
/// answers or timeouts are in; dropping the future stops it.
pub async fn sweep(
    settings: LiveSettings,
    plan: &ProbePlan,
    clock: Arc<dyn Clock>,
    prober: Prober,
) -> (Vec<Observation>, Vec<Problem>) {
    let controls: BTreeSet<_> = settings.resolvers.iter().map(|resolver| resolver.address).collect();
    let controls = controls.into_iter().map(|address| (Subject::Control(address), Work::Control));
    let (concurrency, names) = (settings.concurrency.max(1), plan.names.len());
    let probe = Probe::new(settings, prober, clock);
    let nothing = BTreeSet::new();
    let mut harvests = stream::iter(controls.chain(works(plan)))
        .map(|(subject, work)| {
            let job = Job { subject, work, pass: 0 };
            let (probe, nothing) = (&probe, &nothing);
            async move {
                let harvest = probe.run(&job, nothing, names).await;
                (job.subject, harvest)
            }
        })
        .buffer_unordered(concurrency);
    let mut store = Store::default();
    while let Some((subject, harvest)) = harvests.next().await {
        store.keep(subject, harvest);
    }
    (store.observations(), store.problems())
}

struct LiveView {
    probe: Arc<Probe>,
    concurrency: usize,
    first_publish: Duration,
    clock: Arc<dyn Clock>,
    publish: watch::Sender<Reading<Vec<Observation>>>,
    schedule: Schedule,
    store: Store,
    jobs: JoinSet<(Subject, Harvest)>,
    names: usize,
    planned_at: Option<Instant>,
    /// When the next reading may go out; `None` while nothing is new.
    publish_at: Option<Instant>,
    published_until: Instant,
    was_complete: bool,
}

// === impl LiveView ===

impl LiveView {
    fn new(
        settings: LiveSettings,
        prober: Prober,
        clock: Arc<dyn Clock>,
        publish: watch::Sender<Reading<Vec<Observation>>>,
    ) -> Self {
        let now = Instant::now();
        let resolvers: Vec<_> = settings.resolvers.iter().map(|resolver| resolver.address).collect();
        Self {
            concurrency: settings.concurrency.max(1),
            first_publish: settings.intervals.first_publish,
            schedule: Schedule::new(settings.intervals, rand::random(), &resolvers, now),
            probe: Arc::new(Probe::new(settings, prober, Arc::clone(&clock))),
            clock,
            publish,
            store: Store::default(),
            jobs: JoinSet::new(),
            names: 0,
            planned_at: None,
            publish_at: None,
            published_until: now,
            was_complete: false,
        }
    }

    async fn keep(&mut self, mut plan: watch::Receiver<Arc<ProbePlan>>, stop: &CancellationToken) {
        plan.mark_changed();
        let mut planner_lives = true;
        while !stop.is_cancelled() {
            self.start_due();
            let wake = self.wake();
            tokio::select! {
                () = stop.cancelled() => break,
                changed = plan.changed(), if planner_lives => match changed {
                    Ok(()) => {
                        let new = Arc::clone(&plan.borrow_and_update());
                        self.take_plan(&new);
                    }
                    // The last plan stays in force.
                    Err(_planner_ended) => planner_lives = false,
                },
                Some(ended) = self.jobs.join_next() => match ended {
                    Ok((subject, harvest)) => self.take_harvest(subject, harvest),
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_aborted) => {}
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.publish_if_due(),
            }
        }
        self.jobs.shutdown().await;
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        while self.jobs.len() < self.concurrency {
            let Some(job) = self.schedule.take(now) else { break };
            let had = self.store.answered_by_resolvers(&job.subject);
            let (probe, names) = (Arc::clone(&self.probe), self.names);
            self.jobs.spawn(async move {
                let harvest = probe.run(&job, &had, names).await;
                (job.subject, harvest)
            });
        }
    }

    /// When something must happen even if nobody calls.
    fn wake(&self) -> Option<Instant> {
        let is_full = self.concurrency <= self.jobs.len();
        let due = self.schedule.next_due().filter(|_| !is_full);
        due.into_iter().chain(self.publish_at).min()
    }

    fn take_plan(&mut self, plan: &ProbePlan) {
        let now = Instant::now();
        if self.planned_at.is_none() && plan.names.is_empty() && plan.zones.is_empty() {
            return;
        }
        self.planned_at.get_or_insert(now);
        self.names = plan.names.len();
        for gone in self.schedule.update(plan, now) {
            self.store.forget(&gone);
        }
        for name in &plan.names {
            let subject = Subject::Name(name.name.clone(), name.zone_id.clone());
            self.store.retain(&subject, |slot| {
                let is_asked_there = match slot.vantage {
                    Vantage::Authoritative => {
                        name.name_servers.iter().any(|server| *server.as_str() == *slot.server)
                    }
                    Vantage::Recursive => name.views.contains(&slot.view),
                    Vantage::Parent | Vantage::Control => false,
                };
                is_asked_there && name.record_types.contains(&slot.record_type)
            });
        }
        self.has_news(now);
    }

    fn take_harvest(&mut self, subject: Subject, harvest: Harvest) {
        let now = Instant::now();
        if self.schedule.done(&subject, now) {
            self.store.keep(subject, harvest);
            self.has_news(now);
        }
    }

    fn has_news(&mut self, now: Instant) {
        let Some(planned_at) = self.planned_at else { return };
        self.was_complete |= self.schedule.unanswered() == 0;
        let earliest = if self.was_complete { now } else { planned_at + self.first_publish };
        let at = earliest.max(self.published_until);
        self.publish_at = Some(self.publish_at.map_or(at, |before| before.min(at)));
    }

    fn publish_if_due(&mut self) {
        let start = Instant::now();
        if self.publish_at.is_none_or(|at| start < at) {
            return;
        }
        let mut reading = Reading::read(self.clock.now(), self.store.observations());
        reading.problems = self.store.problems();
        self.publish.send_replace(reading);
        let took = start.elapsed();
        self.publish_at = None;
        self.published_until = start + PUBLISH_EVERY.max(took * PUBLISH_SHARE);
    }
}
