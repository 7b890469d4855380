//! Keeps the live view: asks what the plan says, when it is due, and publishes what came back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
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
use crate::model::observation::Observation;
use crate::snapshot::{Problem, Reading, ViewState};

/// Readers get news at most this often.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// Publishing copies everything; with many names it may take at most this part of the time.
const PUBLISH_SHARE: u32 = 20;

/// Keeps the live view until `stop` is cancelled.
///
/// The prober is given, so that the caller can show its counts. Nothing is published before the
/// first plan with content has been answered completely, or [`Intervals::first_publish`] has passed since.
/// What a reading does not hold was not asked, and says nothing.
///
/// [`Intervals::first_publish`]: crate::live::settings::Intervals::first_publish
pub async fn run(
    settings: LiveSettings,
    prober: Prober,
    plan: watch::Receiver<Arc<ProbePlan>>,
    clock: Arc<dyn Clock>,
    publish: watch::Sender<Reading<Vec<Arc<Observation>>>>,
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
) -> (Vec<Arc<Observation>>, Vec<Problem>) {
    let mut store = Store::default();
    each_harvest(settings, plan, clock, prober, |subject, harvest| store.keep(subject, harvest)).await;
    (store.observations(), store.problems())
}

/// As [`sweep`], for whoever keeps nothing: hands each observation on as it comes.
pub async fn sweep_to(
    settings: LiveSettings,
    plan: &ProbePlan,
    clock: Arc<dyn Clock>,
    prober: Prober,
    mut each: impl FnMut(Observation),
) {
    let hand_on = |_, harvest: Harvest| {
        harvest.groups.into_iter().flat_map(|group| group.observations).for_each(&mut each);
    };
    each_harvest(settings, plan, clock, prober, hand_on).await;
}

async fn each_harvest(
    settings: LiveSettings,
    plan: &ProbePlan,
    clock: Arc<dyn Clock>,
    prober: Prober,
    mut take: impl FnMut(Arc<Subject>, Harvest),
) {
    let controls: BTreeSet<_> = settings.resolvers.iter().map(|resolver| resolver.endpoint.clone()).collect();
    let controls = controls.into_iter().map(|endpoint| (Subject::Control(Box::new(endpoint)), Work::Control));
    let (concurrency, names) = (settings.concurrency.max(1), plan.names.len());
    let probe = Probe::new(settings, prober, clock);
    let nothing = BTreeSet::new();
    let mut harvests = stream::iter(controls.chain(works(plan)))
        .map(|(subject, work)| {
            let job = Job { subject: Arc::new(subject), work, pass: 0 };
            let (probe, nothing) = (&probe, &nothing);
            async move {
                let harvest = probe.run(&job, nothing, names).await;
                (job.subject, harvest)
            }
        })
        .buffer_unordered(concurrency);
    while let Some((subject, harvest)) = harvests.next().await {
        take(subject, harvest);
    }
}

struct LiveView {
    probe: Arc<Probe>,
    concurrency: usize,
    first_publish: Duration,
    clock: Arc<dyn Clock>,
    publish: watch::Sender<Reading<Vec<Arc<Observation>>>>,
    schedule: Schedule,
    store: Store,
    jobs: JoinSet<(Arc<Subject>, Harvest)>,
    names: usize,
    planned_at: Option<Instant>,
    /// When the next reading may go out; `None` while nothing is new.
    publish_at: Option<Instant>,
    published_until: Instant,
    /// When the last reading was published that held a word of anybody.
    heard_at: Option<Timestamp>,
    had_content: bool,
    was_complete: bool,
}

// === impl LiveView ===

impl LiveView {
    fn new(
        settings: LiveSettings,
        prober: Prober,
        clock: Arc<dyn Clock>,
        publish: watch::Sender<Reading<Vec<Arc<Observation>>>>,
    ) -> Self {
        let now = Instant::now();
        let resolvers: Vec<_> = settings.resolvers.iter().map(|resolver| resolver.endpoint.clone()).collect();
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
            heard_at: None,
            had_content: false,
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
                    Ok((subject, harvest)) => self.take_harvest(&subject, harvest),
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
        let has_content = !plan.names.is_empty() || !plan.zones.is_empty();
        if has_content && !self.had_content {
            // Before this the plan was empty, most likely because the other views were not read.
            self.had_content = true;
            self.planned_at = None;
            self.publish_at = None;
        }
        self.planned_at.get_or_insert(now);
        self.names = plan.names.len();
        let update = self.schedule.update(plan, now);
        for gone in update.gone {
            self.store.forget(&gone);
        }
        for (subject, name) in update.other {
            self.store.retain(&subject, |seen| name.asks(seen));
        }
        self.has_news(now);
    }

    fn take_harvest(&mut self, subject: &Arc<Subject>, harvest: Harvest) {
        let now = Instant::now();
        if self.schedule.done(subject, now) {
            self.store.keep(Arc::clone(subject), harvest);
            // The plan may have changed while it was under way.
            if let Some(name) = self.schedule.name(subject) {
                self.store.retain(subject, |seen| name.asks(seen));
            }
            self.has_news(now);
        }
    }

    fn has_news(&mut self, now: Instant) {
        let Some(planned_at) = self.planned_at else { return };
        self.was_complete |= self.had_content && self.schedule.unanswered() == 0;
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
        if reading.problems.iter().any(|problem| problem.scope == "all") {
            // What was said before is still there, and no round may take it for an answer of now.
            (reading.state, reading.read_at) = (ViewState::Stale, self.heard_at);
        }
        self.heard_at = reading.read_at;
        self.publish.send_replace(reading);
        let took = start.elapsed();
        self.publish_at = None;
        self.published_until = start + PUBLISH_EVERY.max(took * PUBLISH_SHARE);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::time::timeout;

    use super::*;
    use crate::clock::SystemClock;
    use crate::live::fake::FakeServer;
    use crate::live::plan::{ExpectedAnswer, ProbeName};
    use crate::live::prober::ProberSettings;
    use crate::live::settings::{Intervals, ResolverSettings};
    use crate::model::observation::{Outcome, Vantage};
    use crate::model::{DomainName, RecordType, ZoneId};

    /// One fake authority and one fake resolver in view `vpc`.
    struct World {
        authority: FakeServer,
        resolver: FakeServer,
    }

    impl World {
        async fn start() -> Self {
            Self { authority: FakeServer::start().await, resolver: FakeServer::start().await }
        }

        fn settings(&self) -> LiveSettings {
            let plenty = NonZeroU32::new(100_000).unwrap();
            let resolver = ResolverSettings::new(self.resolver.address, "vpc");
            LiveSettings {
                server_map: [format!("*={}", self.authority.address).parse().unwrap()].into_iter().collect(),
                prober: ProberSettings {
                    authoritative_per_second: plenty,
                    authoritative_total_per_second: plenty,
                    internal_resolver_per_second: plenty,
                    tries: vec![Duration::from_millis(150); 2],
                    ..ProberSettings::default()
                },
                intervals: Intervals {
                    doubtful: Duration::from_millis(20),
                    stable: Duration::from_millis(20),
                    ..Intervals::default()
                },
                control_name: "control.example.org".into(),
                ..LiveSettings::new(vec![resolver])
            }
        }

        async fn sweep(&self, names: Vec<ProbeName>) -> Vec<String> {
            let settings = self.settings();
            let prober = Prober::new(settings.prober.clone());
            let plan = ProbePlan { names: names.into_iter().map(Arc::new).collect(), zones: Vec::new() };
            let (observations, _) = sweep(settings, &plan, Arc::new(SystemClock), prober).await;
            let shown = |one: &Arc<Observation>| {
                let (outcome, cd) = (one.outcome.as_str(), if one.cd { " cd" } else { "" });
                format!("{:?} {} {:?} {outcome}{cd}", one.vantage, one.name, one.transport)
            };
            observations.iter().filter(|one| one.vantage != Vantage::Control).map(shown).collect()
        }
    }

    fn name(label: &str) -> ProbeName {
        ProbeName {
            name: DomainName::new(&format!("{label}.example.com")),
            record_types: vec![RecordType::A],
            expected: Box::new([ExpectedAnswer {
                record_type: RecordType::A,
                addresses: ["192.0.2.1".parse().unwrap()].into(),
                hosts: Box::default(),
                partial: false,
                free: false,
            }]),
            zone_id: Some(ZoneId::new("Z1")),
            name_servers: vec![DomainName::new("ns1.example.com")].into(),
            views: vec!["vpc".into()].into(),
            doubtful: true,
            waited: false,
        }
    }

    #[tokio::test]
    async fn resolvers_are_asked_only_for_what_exists() {
        let world = World::start().await;
        assert_eq!(
            world.sweep(vec![name("ok"), name("nxdomain"), name("nodata")]).await,
            [
                "Authoritative nodata.example.com Udp nodata",
                "Authoritative nodata.example.com Tcp nodata",
                "Authoritative nxdomain.example.com Udp nxdomain",
                "Authoritative nxdomain.example.com Tcp nxdomain",
                "Authoritative ok.example.com Udp answer",
                "Recursive ok.example.com Udp answer",
            ]
        );
        assert!(world.resolver.asked_for("nxdomain.example.com").is_empty());
        assert_eq!(world.resolver.asked_for("control.example.org"), ["A/udp"]);
        assert!(world.resolver.asked().iter().all(|asked| asked.rd && asked.edns));
        assert!(world.authority.asked().iter().all(|asked| !asked.rd && asked.edns));
    }

    #[tokio::test]
    async fn other_views_are_not_asked_and_a_private_name_only_there() {
        let world = World::start().await;
        let elsewhere = ProbeName { views: vec!["public".into()].into(), ..name("ok") };
        let private = ProbeName { name_servers: Arc::default(), ..name("private") };
        assert_eq!(
            world.sweep(vec![elsewhere, private]).await,
            ["Authoritative ok.example.com Udp answer", "Recursive private.example.com Udp answer"]
        );
        assert!(world.authority.asked_for("private.example.com").is_empty());
    }

    #[tokio::test]
    async fn a_failure_is_repeated_without_validation() {
        let world = World::start().await;
        let outright = ProbeName { name_servers: Arc::default(), ..name("bogus") };
        assert_eq!(
            world.sweep(vec![outright]).await,
            [
                "Recursive bogus.example.com Udp servfail",
                "Recursive bogus.example.com Tcp servfail",
                "Recursive bogus.example.com Udp answer cd",
            ]
        );
        assert_eq!(world.resolver.asked_for("bogus.example.com"), ["A/udp", "A/tcp", "A/udp/cd"]);
    }

    #[tokio::test]
    async fn a_stable_name_is_asked_at_one_server_a_pass() {
        let world = World::start().await;
        let settings = world.settings();
        let servers: Vec<DomainName> = ["ns1", "ns2", "ns3", "ns4"].map(DomainName::new).to_vec();
        let stable = ProbeName { name_servers: servers.into(), doubtful: false, ..name("ok") };
        let plan = Arc::new(ProbePlan { names: vec![stable.into()], zones: Vec::new() });
        let prober = Prober::new(settings.prober.clone());
        let (_planner, planned) = watch::channel(plan);
        let (publish, mut readings) = watch::channel(Reading::unread(Vec::new()));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(run(settings, prober, planned, Arc::new(SystemClock), publish, stop.clone()));

        let is_read = |reading: &Reading<Vec<Arc<Observation>>>| {
            let observations = reading.value().map_or(&[][..], Vec::as_slice);
            let of = |vantage| observations.iter().filter(|one| one.vantage == vantage).count();
            reading.state == ViewState::Read
                && [Vantage::Authoritative, Vantage::Recursive, Vantage::Control].map(of) == [4, 1, 1]
        };
        let reading = timeout(Duration::from_secs(5), readings.wait_for(is_read)).await.unwrap().unwrap();
        assert!(reading.value().unwrap().iter().all(|one| one.outcome == Outcome::Answer));
        drop(reading);
        // Four at first, then one a pass beside one question to the resolver.
        let enough = async {
            while world.authority.asked_for("ok.example.com").len() < 12 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(5), enough).await.unwrap();
        stop.cancel();
        tasks.join_next().await.unwrap().unwrap();
        let recursive = world.resolver.asked_for("ok.example.com").len();
        let authoritative = world.authority.asked_for("ok.example.com").len();
        assert!(
            authoritative - 4 <= recursive && recursive <= authoritative - 3,
            "{authoritative} {recursive}"
        );
    }
}
