//! The rounds: what changed is judged soon, everything is judged each interval.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::clock::Clock;
use crate::convergence::Convergence;
use crate::desired::task::KnownInstances;
use crate::engine::Engine;
use crate::limits::ROUND_WHILE_WAITED;
use crate::live::cost::monthly;
use crate::live::plan::ProbePlan;
use crate::live::settings::LiveSettings;
use crate::model::change::{ChangeEventKind, ChangeFeed, Notice};
use crate::model::instance::Instance;
use crate::model::observation::Observation;
use crate::model::want::InstanceWants;
use crate::model::zone::Zones;
use crate::policy::Policy;
use crate::publish::api::waiters::Waited;
use crate::recorded::urgent::UrgentName;
use crate::report::Report;
use crate::run::costs::Costs;
use crate::run::jumps::Jumps;
use crate::run::plan::{PlanInput, resolved};
use crate::run::planner::Planner;
use crate::run::records::states;
use crate::run::saver::Saver;
use crate::run::urgent::{UrgentInput, UrgentNames};
use crate::snapshot::{Cluster, Problem, Reading, Snapshot, ViewState};

/// The first report waits so long for the cluster, Route 53 and the feeds; then it says what is missing.
const FIRST_ROUND_WITHIN: Duration = Duration::from_secs(30);

/// Zones and answers are read over and over, and each reading is a change. Rounds for these alone
/// leave so many times as long as they take to everything else: without that a large world would be
/// judged without a pause although nothing happens in it.
const ROUTINE_PAUSE: u32 = 4;

/// The receivers of the four views, and what the last snapshot heard of changes.
pub(super) struct Views {
    pub(super) kubernetes: watch::Receiver<Reading<Cluster>>,
    pub(super) route53: watch::Receiver<Reading<Zones>>,
    pub(super) dns: watch::Receiver<Reading<Vec<Arc<Observation>>>>,
    pub(super) changes: watch::Receiver<Reading<ChangeFeed>>,
    pub(super) heard: Option<Tidings>,
}

/// Judges round after round.
pub(super) struct Rounds {
    pub(super) views: Views,
    pub(super) engine: Engine,
    pub(super) own: OwnWants,
    pub(super) saver: Option<Saver>,
    pub(super) convergence: Convergence,
    pub(super) policy: Policy,
    /// The rhythm of the questions, which decides what they cost.
    pub(super) pricing: LiveSettings,
    pub(super) min_round: Duration,
    pub(super) assumed: Assumption,
    pub(super) resolver_views: BTreeSet<Arc<str>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) jumps: Jumps,
    pub(super) costs: Costs,
    pub(super) max_record_series: usize,
    pub(super) latest: watch::Sender<Option<Arc<Report>>>,
    pub(super) boards: watch::Sender<Option<Arc<Board>>>,
    /// Names that somebody waits for.
    pub(super) waited: watch::Receiver<Arc<Waited>>,
    pub(super) planner: Planner,
    pub(super) plan: watch::Sender<Arc<ProbePlan>>,
    pub(super) urgent: UrgentNames,
    pub(super) urgent_out: watch::Sender<Arc<[UrgentName]>>,
    /// Whose objects are read on.
    pub(super) known_out: watch::Sender<KnownInstances>,
}

/// What the feed tells of what happened, without the reconciles that ended well.
#[derive(Debug, PartialEq)]
pub(super) struct Tidings {
    state: ViewState,
    problems: Vec<Problem>,
    events: usize,
    last: Option<Timestamp>,
    notices: Vec<Notice>,
    /// When the errors of each process grew last, how many there are in a row, and what other owners block.
    controllers: Vec<(Option<Timestamp>, Option<u64>, Option<u64>)>,
}

/// Those wishes that are ours to judge: the same value as long as all wishes are the same.
#[derive(Debug, Default)]
pub(super) struct OwnWants(Option<(AllWants, AllWants)>);

type AllWants = Arc<[InstanceWants]>;

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
        let changes = self.changes.borrow_and_update().clone();
        self.heard = Some(Tidings::of(&changes));
        Snapshot {
            at,
            kubernetes: self.kubernetes.borrow_and_update().clone(),
            route53: self.route53.borrow_and_update().clone(),
            dns: self.dns.borrow_and_update().clone(),
            changes,
        }
    }

    /// Ends when a view changed. What comes by routine is not looked at before `routine`; what the cluster
    /// and its logs tell is, because only they say that something happened. A view whose task is gone
    /// never changes again: the supervisor sees that.
    async fn changed(&mut self, routine: Instant) {
        // Each instance says every minute that all is well, at a time of its own.
        let mut all_is_well = false;
        loop {
            let (route53, dns) = (&mut self.route53, &mut self.dns);
            let by_routine = async {
                sleep_until(routine).await;
                if all_is_well {
                    return;
                }
                tokio::select! {
                    () = news(route53) => {}
                    () = news(dns) => {}
                }
            };
            tokio::select! {
                () = news(&mut self.kubernetes) => return,
                () = news(&mut self.changes) => {}
                () = by_routine => return,
            }
            if self.heard.as_ref() != Some(&Tidings::of(&self.changes.borrow())) {
                return;
            }
            all_is_well = true;
        }
    }

    /// True once each view that says whose fault something is has been read, or could not be. Without the
    /// cluster nobody knows whose logs there are.
    fn spoke(&self) -> bool {
        fn spoke<T>(reading: &watch::Receiver<Reading<T>>) -> bool {
            let reading = reading.borrow();
            !reading.state.is_missed() || !reading.problems.is_empty()
        }
        let has_cluster = self.kubernetes.borrow().value.is_some();
        spoke(&self.kubernetes) && spoke(&self.route53) && (spoke(&self.changes) || !has_cluster)
    }
}

// === impl Tidings ===

impl Tidings {
    fn of(reading: &Reading<ChangeFeed>) -> Self {
        let feed = reading.value();
        let events = feed.into_iter().flat_map(|feed| &feed.events);
        let told = events.filter(|event| event.kind != ChangeEventKind::RunSucceeded);
        let (count, last) =
            told.fold((0, None), |(count, last), event| (count + 1, last.max(Some(event.at))));
        let controllers = feed.into_iter().flat_map(|feed| &feed.controllers);
        Self {
            state: reading.state,
            problems: reading.problems.clone(),
            events: count,
            last,
            notices: feed.map(|feed| feed.notices.clone()).unwrap_or_default(),
            controllers: controllers
                .map(|one| (one.errors_grew_at, one.soft_errors, one.owner_mismatches))
                .collect(),
        }
    }
}

/// Ends when there is news; never once nobody can tell any. Taken for news, the end of a task would
/// make one round, or one look at the views, follow the other without a pause.
async fn news<T>(from: &mut watch::Receiver<T>) {
    if from.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

// === impl Rounds ===

impl Rounds {
    /// Judges until stopped. A round of a large world takes seconds of a processor; on a thread of the
    /// runtime it would hold up whatever waits there, so it has one of its own.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.first()).await.is_none() {
            return;
        }
        loop {
            let start = Instant::now();
            let judging = spawn_blocking(move || {
                self.round();
                self
            });
            self = match judging.await {
                Ok(rounds) => rounds,
                Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
                // The runtime ends, and nobody waits for a verdict any more.
                Err(_cancelled) => return,
            };
            if let Some(saver) = &mut self.saver {
                saver.save_sometimes(self.engine.memory(), self.clock.now()).await;
            }
            let waiting = !self.waited.borrow_and_update().is_empty();
            let pause =
                if waiting { self.policy.interval.min(ROUND_WHILE_WAITED) } else { self.policy.interval };
            let next = start + pause;
            let rest = start + self.min_round;
            let routine = routine_at(start, Instant::now(), next);
            let wait = async {
                sleep_until(rest).await;
                tokio::select! {
                    () = self.views.changed(routine) => {}
                    () = news(&mut self.waited) => {}
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
                () = self.views.changed(Instant::now()) => tokio::task::yield_now().await,
                () = sleep_until(deadline) => return,
            }
        }
    }

    fn round(&mut self) {
        let start = Instant::now();
        let mut snapshot = self.views.snapshot(self.clock.now());
        self.assumed.apply(&mut snapshot);
        self.jumps.apply(&mut snapshot);
        let waited = Arc::clone(&self.waited.borrow());
        let report = Arc::new(self.engine.round(&snapshot));
        self.known_out.send_if_modified(|last| {
            let known = known_instances(&self.engine);
            let differs = *last != known;
            *last = known;
            differs
        });
        let wants = self.engine.shared_wants();
        self.tell(&report, snapshot.clone(), &wants);
        // Whoever waits for the verdicts does not wait for what follows from them.
        let wants = self.own.of(wants, &self.engine);
        if let Some(zones) = snapshot.route53.value() {
            let input = PlanInput {
                resolved: &resolved(snapshot.dns.value().map(Vec::as_slice).unwrap_or_default()),
                wants: &wants,
                zones,
                report: Some(&report),
                policy: &self.policy,
                resolver_views: &self.resolver_views,
                waited: &waited,
                at: snapshot.at,
                before: &[],
            };
            let plan = self.planner.plan(&wants, input);
            self.ask(plan);
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
        self.costs.update(|counted| counted.round_seconds = Some(took.as_secs_f64()));
        tracing::debug!(open = report.summary.open, took_ms = took.as_millis(), "round ended");
    }

    fn tell(&self, report: &Arc<Report>, snapshot: Snapshot, wants: &Arc<[InstanceWants]>) {
        let lost = self.engine.lost().clone();
        let board = Board::new(Arc::clone(report), snapshot, Arc::clone(wants), lost);
        self.costs.update(|counted| counted.rounds = counted.rounds.saturating_add(1));
        self.boards.send_replace(Some(Arc::new(board)));
        self.latest.send_replace(Some(Arc::clone(report)));
    }

    /// Lets DNS be asked by this plan from now on.
    fn ask(&self, plan: Arc<ProbePlan>) {
        if Arc::ptr_eq(&plan, &self.plan.borrow()) {
            return;
        }
        if !plan.names.is_empty() || !plan.zones.is_empty() {
            self.costs.set_live(plan.names.len(), monthly(&plan, &self.pricing));
        }
        self.plan.send_replace(plan);
    }
}

/// The instances that were seen, gone or not.
pub(super) fn known_instances(engine: &Engine) -> KnownInstances {
    engine.memory().departed.known().cloned().collect()
}

/// From when on what comes by routine may start a round again, after one that lasted from `start` to
/// `end`; `next` comes anyway.
fn routine_at(start: Instant, end: Instant, next: Instant) -> Instant {
    (end + (end - start) * ROUTINE_PAUSE).min(next)
}

// === impl OwnWants ===

impl OwnWants {
    fn of(&mut self, all: Arc<[InstanceWants]>, engine: &Engine) -> Arc<[InstanceWants]> {
        if let Some((_, own)) = self.0.as_ref().filter(|(seen, _)| Arc::ptr_eq(seen, &all)) {
            return Arc::clone(own);
        }
        let own = match engine.own_wants() {
            Cow::Borrowed(_) => Arc::clone(&all),
            Cow::Owned(own) => own.into(),
        };
        self.0 = Some((all, Arc::clone(&own)));
        own
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
        let Some(cluster) = snapshot.kubernetes.value.clone().filter(|one| one.lacks(instance)) else {
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

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::finding::Reason;
    use crate::model::change::{ChangeEvent, FeedSource, RefusedBatch};

    #[tokio::test(start_paused = true)]
    async fn a_view_whose_task_is_gone_is_no_news_and_hides_none() {
        let (kubernetes_out, kubernetes) = watch::channel(Reading::unread(Vec::new()));
        let (route53_out, route53) = watch::channel(Reading::unread(Vec::new()));
        let (dns_out, dns) = watch::channel(Reading::off());
        let (changes_out, changes) = watch::channel(Reading::off());
        let mut views = Views { kubernetes, route53, dns, changes, heard: None };
        drop((kubernetes_out, dns_out, changes_out));
        let hour = Duration::from_hours(1);
        assert!(timeout(hour, views.changed(Instant::now())).await.is_err(), "nothing was said");
        route53_out.send_replace(Reading::off());
        assert!(timeout(hour, views.changed(Instant::now())).await.is_ok(), "one still speaks");
        views.snapshot(Timestamp::UNIX_EPOCH);
        drop(route53_out);
        assert!(timeout(hour, views.changed(Instant::now())).await.is_err(), "nobody is left");
    }

    /// Nothing is judged before it is known what was refused, unless nobody can say whose logs there are.
    #[tokio::test(start_paused = true)]
    async fn the_first_round_waits_for_the_feeds() {
        let told = |state| Reading { state, read_at: None, value: None, problems: Vec::new() };
        let views = |kubernetes: Reading<Cluster>, changes: Reading<ChangeFeed>| Views {
            kubernetes: watch::channel(kubernetes).1,
            route53: watch::channel(Reading::read(Timestamp::UNIX_EPOCH, Zones::default())).1,
            dns: watch::channel(Reading::unread(Vec::new())).1,
            changes: watch::channel(changes).1,
            heard: None,
        };
        let cluster = || Reading::read(Timestamp::UNIX_EPOCH, Cluster::default());
        let spoke = |changes| views(cluster(), changes).spoke();
        assert!(!spoke(told(ViewState::Unread)), "not read yet");
        assert!(!spoke(told(ViewState::Stale)), "known from before a restart");
        assert!(spoke(told(ViewState::Off)) && spoke(told(ViewState::Read)));
        assert!(spoke(Reading { problems: vec![problem()], ..told(ViewState::Unread) }), "it cannot be read");
        let blind = Reading { problems: vec![problem()], ..Reading::unread(Vec::new()) };
        assert!(views(blind, told(ViewState::Unread)).spoke());
        assert!(!views(Reading::unread(Vec::new()), told(ViewState::Off)).spoke());
    }

    #[tokio::test(start_paused = true)]
    async fn routine_waits_in_proportion_to_the_round_but_not_for_ever() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(routine_at(start, start, at(60)), start, "a round that costs nothing holds up nothing");
        assert_eq!(routine_at(start, at(3), at(60)), at(15));
        assert_eq!(routine_at(start, at(30), at(60)), at(60));
    }

    #[tokio::test(start_paused = true)]
    async fn the_cluster_is_heard_at_once_and_routine_later() {
        let (kubernetes_out, kubernetes) = watch::channel(Reading::unread(Vec::new()));
        let (_route53_out, route53) = watch::channel(Reading::unread(Vec::new()));
        let (dns_out, dns) = watch::channel(Reading::unread(Vec::new()));
        let (_changes_out, changes) = watch::channel(Reading::off());
        let mut views = Views { kubernetes, route53, dns, changes, heard: None };
        let start = Instant::now();
        let routine = start + Duration::from_secs(20);

        dns_out.send_replace(Reading::unread(Vec::new()));
        views.changed(routine).await;
        assert_eq!(start.elapsed(), Duration::from_secs(20), "answers of DNS come all the time");

        let routine = Instant::now() + Duration::from_secs(20);
        dns_out.send_replace(Reading::unread(Vec::new()));
        kubernetes_out.send_replace(Reading::unread(Vec::new()));
        views.changed(routine).await;
        assert_eq!(start.elapsed(), Duration::from_secs(20), "an object may have changed");
    }

    /// A reading after these events, each at a second of its own.
    fn feed(kinds: &[ChangeEventKind]) -> Reading<ChangeFeed> {
        let event = |(second, kind): (i64, &ChangeEventKind)| ChangeEvent {
            at: Timestamp::from_second(second).expect("a time"),
            source: FeedSource::CloudTrail { event_id: "1".into(), principal: "".into() },
            kind: kind.clone(),
        };
        let events = (0..).zip(kinds).map(event).collect();
        Reading::read(Timestamp::UNIX_EPOCH, ChangeFeed { events, ..ChangeFeed::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_that_says_that_all_is_well_waits_as_routine_does() {
        let well = ChangeEventKind::RunSucceeded;
        let refused = ChangeEventKind::Refused(RefusedBatch::default());
        let (_kubernetes_out, kubernetes) = watch::channel(Reading::unread(Vec::new()));
        let (_route53_out, route53) = watch::channel(Reading::unread(Vec::new()));
        let (_dns_out, dns) = watch::channel(Reading::unread(Vec::new()));
        let (changes_out, changes) = watch::channel(feed(&[]));
        let mut views = Views { kubernetes, route53, dns, changes, heard: None };
        let mut after = async |reading: Reading<ChangeFeed>| {
            views.snapshot(Timestamp::UNIX_EPOCH);
            let start = Instant::now();
            changes_out.send_replace(reading);
            views.changed(start + Duration::from_secs(20)).await;
            start.elapsed().as_secs()
        };
        assert_eq!(after(feed(std::slice::from_ref(&well))).await, 20);
        assert_eq!(after(feed(&[well.clone(), well.clone()])).await, 20);
        assert_eq!(
            after(feed(&[well.clone(), refused.clone(), well.clone()])).await,
            0,
            "something happened"
        );
        assert_eq!(after(feed(&[well.clone(), refused.clone(), well.clone(), well.clone()])).await, 20);
        assert_eq!(after(feed(&[refused.clone(), refused])).await, 0, "and again");
        let silent = Reading { problems: vec![problem()], ..feed(&[well]) };
        assert_eq!(after(silent).await, 0, "a log cannot be read");
    }

    fn problem() -> Problem {
        Problem { scope: "log".to_owned(), code: Reason::Forbidden, message: String::new() }
    }
}
