//! The rounds: what changed is judged soon, everything is judged each interval.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::clock::Clock;
use crate::convergence::Convergence;
use crate::engine::Engine;
use crate::limits::ROUND_WHILE_WAITED;
use crate::live::cost::monthly;
use crate::live::plan::ProbePlan;
use crate::live::settings::LiveSettings;
use crate::model::change::ChangeFeed;
use crate::model::instance::Instance;
use crate::model::observation::Observation;
use crate::model::zone::Zones;
use crate::policy::Policy;
use crate::publish::api::waiters::Waited;
use crate::recorded::urgent::UrgentName;
use crate::report::Report;
use crate::run::costs::Costs;
use crate::run::plan::{PlanInput, probe_plan, resolved};
use crate::run::records::states;
use crate::run::saver::Saver;
use crate::run::urgent::{UrgentInput, UrgentNames};
use crate::snapshot::{Cluster, Reading, Snapshot, ViewState};

/// The first report waits so long for Kubernetes and Route 53; then it says what is missing.
const FIRST_ROUND_WITHIN: Duration = Duration::from_secs(30);

/// The receivers of the four views.
pub(super) struct Views {
    pub(super) kubernetes: watch::Receiver<Reading<Cluster>>,
    pub(super) route53: watch::Receiver<Reading<Zones>>,
    pub(super) dns: watch::Receiver<Reading<Vec<Observation>>>,
    pub(super) changes: watch::Receiver<Reading<ChangeFeed>>,
}

/// Judges round after round.
pub(super) struct Rounds {
    pub(super) views: Views,
    pub(super) engine: Engine,
    pub(super) saver: Option<Saver>,
    pub(super) convergence: Convergence,
    pub(super) policy: Policy,
    /// The rhythm of the questions, which decides what they cost.
    pub(super) pricing: LiveSettings,
    pub(super) min_round: Duration,
    pub(super) assumed: Assumption,
    pub(super) resolver_views: BTreeSet<Arc<str>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) costs: Costs,
    pub(super) max_record_series: usize,
    pub(super) latest: watch::Sender<Option<Arc<Report>>>,
    pub(super) boards: watch::Sender<Option<Arc<Board>>>,
    /// Names that somebody waits for.
    pub(super) waited: watch::Receiver<Arc<Waited>>,
    pub(super) plan: watch::Sender<Arc<ProbePlan>>,
    pub(super) urgent: UrgentNames,
    pub(super) urgent_out: watch::Sender<Arc<[UrgentName]>>,
}

/// The instance that is taken for granted when the cluster shows none.
#[derive(Debug, Default)]
pub(crate) struct Assumption {
    instance: Option<Arc<Instance>>,
    /// The cluster it was last added to, and the result: kept so that equal views stay the same.
    last: Option<(Arc<Cluster>, Arc<Cluster>)>,
}

// === impl Views ===

impl Views {
    fn snapshot(&mut self, at: Timestamp) -> Snapshot {
        Snapshot {
            at,
            kubernetes: self.kubernetes.borrow_and_update().clone(),
            route53: self.route53.borrow_and_update().clone(),
            dns: self.dns.borrow_and_update().clone(),
            changes: self.changes.borrow_and_update().clone(),
        }
    }

    /// Ends when a view changed, or when the tasks behind them are gone.
    async fn changed(&mut self) {
        // An error means that a task ended; the supervisor sees it, here it is only a wake-up.
        tokio::select! {
            ended = self.kubernetes.changed() => drop(ended),
            ended = self.route53.changed() => drop(ended),
            ended = self.dns.changed() => drop(ended),
            ended = self.changes.changed() => drop(ended),
        }
    }

    fn spoke(&self) -> bool {
        fn spoke<T>(reading: &watch::Receiver<Reading<T>>) -> bool {
            let reading = reading.borrow();
            reading.state != ViewState::Unread || !reading.problems.is_empty()
        }
        spoke(&self.kubernetes) && spoke(&self.route53)
    }
}

// === impl Rounds ===

impl Rounds {
    /// Judges until stopped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.first()).await.is_none() {
            return;
        }
        loop {
            let start = Instant::now();
            self.round();
            if let Some(saver) = &mut self.saver {
                saver.save_sometimes(self.engine.memory(), self.clock.now()).await;
            }
            let waiting = !self.waited.borrow_and_update().is_empty();
            let pause =
                if waiting { self.policy.interval.min(ROUND_WHILE_WAITED) } else { self.policy.interval };
            let next = start + pause;
            let rest = start + self.min_round;
            let wait = async {
                sleep_until(rest).await;
                tokio::select! {
                    () = self.views.changed() => {}
                    // An error means that nobody can ask any more, because the program ends.
                    ended = self.waited.changed() => drop(ended),
                    () = sleep_until(next) => {}
                }
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                break;
            }
        }
        if let Some(saver) = &mut self.saver {
            saver.save(self.engine.memory(), self.clock.now()).await;
        }
    }

    async fn first(&mut self) {
        let deadline = Instant::now() + FIRST_ROUND_WITHIN;
        while !self.views.spoke() {
            tokio::select! {
                () = self.views.changed() => tokio::task::yield_now().await,
                () = sleep_until(deadline) => return,
            }
        }
    }

    fn round(&mut self) {
        let start = Instant::now();
        let mut snapshot = self.views.snapshot(self.clock.now());
        self.assumed.apply(&mut snapshot);
        let waited = Arc::clone(&self.waited.borrow());
        let report = Arc::new(self.engine.round(&snapshot));
        let wants = self.engine.own_wants();
        if let Some(zones) = snapshot.route53.value() {
            let resolved = resolved(snapshot.dns.value().map(Vec::as_slice).unwrap_or_default());
            let plan = probe_plan(PlanInput {
                resolved: &resolved,
                wants: &wants,
                zones,
                report: Some(&report),
                policy: &self.policy,
                resolver_views: &self.resolver_views,
                waited: &waited,
                at: snapshot.at,
            });
            if !plan.names.is_empty() || !plan.zones.is_empty() {
                self.costs.set_live(plan.names.len(), monthly(&plan, &self.pricing));
            }
            self.plan.send_if_modified(|last| {
                let news = **last != plan;
                if news {
                    *last = Arc::new(plan);
                }
                news
            });
            let urgent = self.urgent.consider(UrgentInput {
                wants: &wants,
                changes: snapshot.changes.value(),
                report: &report,
                zones,
                waited: &waited,
                at: snapshot.at,
            });
            self.urgent_out.send_replace(urgent);
        }
        let arrivals = self.convergence.observe(&wants, &snapshot, &report);
        self.costs.convergence.record(&arrivals);
        self.costs.convergence.set_pending(|stage| self.convergence.pending(stage));
        if 0 < self.max_record_series {
            let zones = snapshot.route53.value();
            self.costs.set_records(states(&wants, zones, &report, self.max_record_series));
        }
        let took = start.elapsed();
        self.costs.update(|counted| {
            counted.rounds = counted.rounds.saturating_add(1);
            counted.round_seconds = Some(took.as_secs_f64());
        });
        tracing::debug!(open = report.summary.open, took_ms = took.as_millis(), "round ended");
        let board =
            Board::new(Arc::clone(&report), snapshot, self.engine.shared_wants(), self.engine.lost().clone());
        self.boards.send_replace(Some(Arc::new(board)));
        self.latest.send_replace(Some(report));
    }
}

// === impl Assumption ===

impl Assumption {
    pub(crate) fn new(instance: Option<Arc<Instance>>) -> Self {
        Self { instance, last: None }
    }

    /// Adds the instance to a cluster that shows none.
    pub(crate) fn apply(&mut self, snapshot: &mut Snapshot) {
        let Some(instance) = &self.instance else { return };
        let Some(cluster) = snapshot.kubernetes.value.clone().filter(|one| one.instances.is_empty()) else {
            return;
        };
        let known = self.last.as_ref().filter(|(seen, _)| Arc::ptr_eq(seen, &cluster));
        let with = if let Some((_, with)) = known {
            Arc::clone(with)
        } else {
            if self.last.is_none() {
                tracing::info!(
                    owner = %instance.id,
                    version = %instance.effective_version(),
                    "no ExternalDNS among the workloads; one is assumed"
                );
            }
            Arc::new(Cluster { instances: vec![Arc::clone(instance)], ..Cluster::clone(&cluster) })
        };
        self.last = Some((cluster, Arc::clone(&with)));
        snapshot.kubernetes.value = Some(with);
    }
}
