//! What is to be asked, and when. Pure: the time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::live::endpoint::Endpoint;
use crate::live::settings::Intervals;
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::{DomainName, RecordType, ZoneId};

/// Everything that the live view is to know. Made by the caller from what objects want and what
/// zones hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbePlan {
    /// Names, each once per hosted zone.
    pub names: Vec<Arc<ProbeName>>,
    /// Hosted zones, each once.
    pub zones: Vec<ProbeZone>,
}

/// A name to ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeName {
    /// The name. For a wildcard, a made-up label below it is asked.
    pub name: DomainName,
    /// Types to ask for; only those that are wanted or exist, for each costs queries.
    pub record_types: Vec<RecordType>,
    /// The hosted zone that the name belongs to; `None` for a name outside of our zones.
    pub zone_id: Option<ZoneId>,
    /// What its zone holds at the name, or answers for it by a wildcard. Where nobody can ask the
    /// zone's own servers, resolvers are asked for these types.
    pub expected: Box<[ExpectedAnswer]>,
    /// The delegation set of its zone. Empty for a private zone, which only resolvers can see, and
    /// for a foreign name, whose servers are found by asking.
    pub name_servers: Arc<[DomainName]>,
    /// Network views whose resolvers may be asked for it: for a private zone only those inside its
    /// VPCs.
    pub views: Arc<[Arc<str>]>,
    /// True while something about it is new, changed or wrong: asked of all servers, and often.
    pub doubtful: bool,
    /// True while somebody waits for it: asked still more often.
    pub waited: bool,
}

/// What an answer should say. An answer that says otherwise is asked for twice, for no verdict rests
/// on one look.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedAnswer {
    /// Type of the question.
    pub record_type: RecordType,
    /// Addresses, sorted; empty when they are not known.
    pub addresses: Box<[IpAddr]>,
    /// Names that a CNAME chain may pass, sorted.
    pub hosts: Box<[DomainName]>,
    /// True if a part of the addresses is a right answer: routing sets, and targets whose addresses
    /// rotate.
    pub partial: bool,
    /// True if the provider does not bill the question.
    pub free: bool,
}

/// A hosted zone whose delegation is to be checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeZone {
    /// Its id.
    pub id: ZoneId,
    /// Its name.
    pub name: DomainName,
    /// Its delegation set.
    pub name_servers: Arc<[DomainName]>,
    /// A private zone has no delegation and is never asked for.
    pub private: bool,
}

/// What a job is about. Sorted, so that everything derived from it is. There is one for each name, and it is
/// the key of several maps: shared, and without room for what few subjects need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    Control(Box<Endpoint>),
    Zone(ZoneId),
    Name(DomainName, Option<ZoneId>),
}

/// What is to be done for a subject.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Work {
    Control,
    Zone(Arc<ProbeZone>),
    Name(Arc<ProbeName>),
}

/// One thing to do now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Job {
    pub(crate) subject: Arc<Subject>,
    pub(crate) work: Work,
    /// How often the subject was asked before.
    pub(crate) pass: u64,
}

/// Which subject is due when.
#[derive(Debug)]
pub(crate) struct Schedule {
    intervals: Intervals,
    // Orders what is due at the same time, and spreads what comes again.
    seed: u64,
    states: BTreeMap<Arc<Subject>, State>,
    due: BTreeSet<(Instant, u64, Arc<Subject>)>,
    unanswered: usize,
    /// Plans that were taken over.
    plans: u32,
}

/// What a new plan makes of the old one.
#[derive(Debug, Default)]
pub(crate) struct Update {
    /// Subjects that it no longer has.
    pub(crate) gone: Vec<Arc<Subject>>,
    /// Names that are asked for otherwise than before.
    pub(crate) other: Vec<(Arc<Subject>, Arc<ProbeName>)>,
}

#[derive(Debug)]
struct State {
    work: Work,
    /// `None` while in work.
    due: Option<Instant>,
    /// Became due again while in work.
    again: bool,
    /// The latest plan that has it.
    plan: u32,
    pass: u64,
}

// === impl ProbeName ===

impl ProbeName {
    /// True if the zone itself has an answer to a question of this type.
    pub(crate) fn is_held(&self, record_type: &RecordType) -> bool {
        self.expected.iter().any(|one| one.record_type == *record_type)
    }

    /// True if a question of this name can replace the observation.
    pub(crate) fn asks(&self, seen: &Observation) -> bool {
        let is_asked_there = match seen.vantage {
            // The servers of a foreign name are found anew each time.
            Vantage::Authoritative => {
                self.zone_id.is_none()
                    || self.name_servers.iter().any(|server| *server.as_str() == *seen.server)
            }
            Vantage::Recursive => self.views.contains(&seen.view),
            Vantage::Parent | Vantage::Control => false,
        };
        is_asked_there && self.record_types.iter().any(|kind| *kind.as_str() == *seen.record_type)
    }

    /// True for an answer that says what the zone says.
    pub(crate) fn expects(&self, seen: &Observation) -> bool {
        let mut of_type = self.expected.iter().filter(|one| *one.record_type.as_str() == *seen.record_type);
        // Without a record nothing is expected, and an answer is news.
        match of_type.next() {
            Some(expected) => expected.fits(seen),
            None => self.zone_id.is_none() && seen.outcome == Outcome::Answer,
        }
    }
}

// === impl ExpectedAnswer ===

impl ExpectedAnswer {
    fn may_be_empty(&self) -> bool {
        self.record_type == RecordType::Aaaa && !self.hosts.is_empty() && self.addresses.is_empty()
    }

    fn fits(&self, seen: &Observation) -> bool {
        match seen.outcome {
            Outcome::Answer => {}
            // Most load balancers have no IPv6, and their aliases are written for both families.
            Outcome::Nodata => return self.may_be_empty(),
            Outcome::Nxdomain
            | Outcome::Servfail
            | Outcome::Refused
            | Outcome::Timeout
            | Outcome::Unreachable
            | Outcome::Malformed => return false,
        }
        let of_type = |word: &'static str| seen.answers.iter().filter(move |one| &*one.record_type == word);
        let mut chain = of_type("CNAME").map(|one| DomainName::new(&one.data));
        if chain.any(|host| self.hosts.contains(&host)) {
            return true;
        }
        let found: BTreeSet<IpAddr> =
            of_type("A").chain(of_type("AAAA")).filter_map(|one| one.data.parse().ok()).collect();
        match self.partial {
            true if self.addresses.is_empty() => true,
            true => self.addresses.iter().any(|ip| found.contains(ip)),
            false => found.iter().eq(self.addresses.iter()),
        }
    }
}

// === impl Work ===

impl Work {
    fn interval(&self, intervals: &Intervals) -> Duration {
        match self {
            Self::Control => intervals.doubtful,
            Self::Zone(_) => intervals.zone,
            Self::Name(name) if name.waited => intervals.waited.min(intervals.doubtful),
            Self::Name(name) if name.doubtful => intervals.doubtful,
            Self::Name(_) => intervals.stable,
        }
    }

    /// True if it is the same value as the other.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => Arc::ptr_eq(one, other),
            (one, other) => one == other,
        }
    }

    /// True if what was known of the old work does not answer the new one.
    fn is_news(&self, old: &Self) -> bool {
        match (old, self) {
            (Self::Name(old), Self::Name(new)) => {
                let questions = |name: &ProbeName| {
                    // Addresses of a rotating target are no news; a change of the record is.
                    let held: Vec<_> = name
                        .expected
                        .iter()
                        .map(|one| (one.record_type.clone(), one.hosts.clone()))
                        .collect();
                    (name.record_types.clone(), held, name.name_servers.clone(), name.views.clone())
                };
                (new.doubtful && !old.doubtful)
                    || (new.waited && !old.waited)
                    || questions(old) != questions(new)
            }
            (old, new) => old != new,
        }
    }
}

// === impl Schedule ===

impl Schedule {
    pub(crate) fn new(intervals: Intervals, seed: u64, resolvers: &[Endpoint], now: Instant) -> Self {
        let mut schedule =
            Self { intervals, seed, states: BTreeMap::new(), due: BTreeSet::new(), unanswered: 0, plans: 0 };
        for endpoint in resolvers {
            schedule.plan(Subject::Control(Box::new(endpoint.clone())), Work::Control, now);
        }
        schedule
    }

    /// Takes a new plan over.
    pub(crate) fn update(&mut self, plan: &ProbePlan, now: Instant) -> Update {
        self.plans = self.plans.wrapping_add(1);
        let mut other = Vec::new();
        for (subject, work) in works(plan) {
            let name = if let Work::Name(name) = &work { Some(Arc::clone(name)) } else { None };
            let changed = self.plan(subject, work, now);
            other.extend(changed.zip(name));
        }
        let is_gone = |(subject, state): &(&Arc<Subject>, &State)| {
            !matches!(***subject, Subject::Control(_)) && state.plan != self.plans
        };
        let gone: Vec<Arc<Subject>> =
            self.states.iter().filter(is_gone).map(|(subject, _)| Arc::clone(subject)).collect();
        for subject in &gone {
            if let Some(state) = self.states.remove(subject) {
                if state.pass == 0 {
                    self.unanswered = self.unanswered.saturating_sub(1);
                }
                if let Some(due) = state.due {
                    self.due.remove(&(due, self.order(subject, state.pass), Arc::clone(subject)));
                }
            }
        }
        Update { gone, other }
    }

    /// How a name is asked for now; `None` for a name that is not, and for what is no name.
    pub(crate) fn name(&self, subject: &Subject) -> Option<&ProbeName> {
        match &self.states.get(subject)?.work {
            Work::Name(name) => Some(name),
            Work::Control | Work::Zone(_) => None,
        }
    }

    /// The next thing to do, if it is time for one.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Job> {
        if now < self.next_due()? {
            return None;
        }
        let (_, _, subject) = self.due.pop_first()?;
        let state = self.states.get_mut(&subject)?;
        state.due = None;
        Some(Job { subject, work: state.work.clone(), pass: state.pass })
    }

    /// When the next thing is due; `None` while there is nothing to wait for.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _, _)| *due)
    }

    /// A job has ended. False if nobody wants to know any more.
    pub(crate) fn done(&mut self, subject: &Arc<Subject>, now: Instant) -> bool {
        let Some(state) = self.states.get_mut(subject) else { return false };
        if state.pass == 0 {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        state.pass += 1;
        let pass = state.pass;
        let wait = if std::mem::take(&mut state.again) {
            Duration::ZERO
        } else {
            state.work.interval(&self.intervals)
        };
        let order = self.order(subject, pass);
        self.set_due(subject, now + spread(wait, order));
        true
    }

    /// Subjects that were never asked to the end.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Returns the subject unless its work is the same as before.
    fn plan(&mut self, subject: Subject, work: Work, now: Instant) -> Option<Arc<Subject>> {
        let plan = self.plans;
        let Some(state) = self.states.get_mut(&subject) else {
            let subject = Arc::new(subject);
            let state = State { work, due: None, again: false, plan, pass: 0 };
            self.states.insert(Arc::clone(&subject), state);
            self.unanswered += 1;
            self.set_due(&subject, now);
            return Some(subject);
        };
        state.plan = plan;
        if work.is_same(&state.work) {
            return None;
        }
        let is_news = work.is_news(&state.work);
        state.work = work;
        let subject = self.states.get_key_value(&subject).map(|(known, _)| Arc::clone(known))?;
        if is_news {
            self.hasten(&subject, now);
        }
        Some(subject)
    }

    /// Makes due now what waits for its turn.
    fn hasten(&mut self, subject: &Arc<Subject>, now: Instant) {
        let Some(state) = self.states.get_mut(subject) else { return };
        match state.due {
            None => state.again = true,
            Some(due) if now < due => {
                let pass = state.pass;
                self.due.remove(&(due, self.order(subject, pass), Arc::clone(subject)));
                self.set_due(subject, now);
            }
            Some(_already_due) => {}
        }
    }

    fn set_due(&mut self, subject: &Arc<Subject>, due: Instant) {
        let Some(state) = self.states.get_mut(subject) else { return };
        state.due = Some(due);
        let pass = state.pass;
        self.due.insert((due, self.order(subject, pass), Arc::clone(subject)));
    }

    /// A place in the crowd that changes with each pass and follows no name.
    fn order(&self, subject: &Subject, pass: u64) -> u64 {
        hashed(&(self.seed, subject, pass))
    }
}

/// Everything in a plan that can be asked.
pub(crate) fn works(plan: &ProbePlan) -> impl Iterator<Item = (Subject, Work)> + '_ {
    let zones = plan.zones.iter().filter(|zone| !zone.private);
    let zones = zones.map(|zone| (Subject::Zone(zone.id.clone()), Work::Zone(Arc::new(zone.clone()))));
    let names = plan.names.iter().map(|name| {
        let subject = Subject::Name(name.name.clone(), name.zone_id.clone());
        (subject, Work::Name(Arc::clone(name)))
    });
    zones.chain(names)
}

pub(crate) fn hashed(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The interval, up to a tenth more or less.
fn spread(interval: Duration, order: u64) -> Duration {
    let tenth = interval / 10;
    let part = u32::try_from(order % 1_000).unwrap_or(0);
    interval.saturating_sub(tenth) + tenth * 2 * part / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(names: &[(&str, bool)]) -> ProbePlan {
        let probe = |(name, doubtful): &(&str, bool)| ProbeName {
            name: DomainName::new(name),
            record_types: vec![RecordType::A],
            expected: Box::default(),
            zone_id: None,
            name_servers: Arc::default(),
            views: Arc::default(),
            doubtful: *doubtful,
            waited: false,
        };
        ProbePlan { names: names.iter().map(probe).map(Arc::new).collect(), zones: Vec::new() }
    }

    fn take_all(schedule: &mut Schedule, now: Instant) -> Vec<String> {
        let mut taken = Vec::new();
        while let Some(job) = schedule.take(now) {
            let Subject::Name(name, _) = &*job.subject else { panic!("{job:?}") };
            taken.push(name.to_string());
            assert!(schedule.done(&job.subject, now));
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn doubtful_names_come_back_sooner() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Intervals::default(), 1, &[], start);
        schedule.update(&plan(&[("a", false), ("b", true)]), start);
        assert_eq!(schedule.unanswered(), 2);
        assert_eq!(take_all(&mut schedule, start).len(), 2, "all new names at once");
        assert_eq!(schedule.unanswered(), 0);
        assert_eq!(take_all(&mut schedule, start + Duration::from_secs(53)), Vec::<String>::new());
        assert_eq!(take_all(&mut schedule, start + Duration::from_secs(67)), ["b"]);
        let later = start + Duration::from_secs(1_000);
        let mut both = take_all(&mut schedule, later);
        both.sort();
        assert_eq!(both, ["a", "b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_falls_into_doubt_is_asked_at_once() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Intervals::default(), 1, &[], start);
        schedule.update(&plan(&[("a", false), ("b", false)]), start);
        take_all(&mut schedule, start);
        let now = start + Duration::from_secs(5);
        schedule.update(&plan(&[("a", false), ("b", true)]), now);
        assert_eq!(take_all(&mut schedule, now), ["b"]);
        schedule.update(&plan(&[("a", false), ("b", true)]), now);
        assert_eq!(take_all(&mut schedule, now), Vec::<String>::new(), "the same plan is no news");
    }

    #[tokio::test(start_paused = true)]
    async fn news_about_a_name_in_work_make_it_due_again() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Intervals::default(), 1, &[], start);
        schedule.update(&plan(&[("a", false)]), start);
        let job = schedule.take(start).unwrap();
        schedule.update(&plan(&[("a", true)]), start);
        assert_eq!(schedule.take(start), None, "never twice at once");
        schedule.done(&job.subject, start);
        assert_eq!(take_all(&mut schedule, start), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_longer_planned_is_forgotten() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Intervals::default(), 1, &[], start);
        schedule.update(&plan(&[("a", false), ("b", false)]), start);
        let job = schedule.take(start).unwrap();
        assert_eq!(schedule.update(&ProbePlan::default(), start).gone.len(), 2);
        assert!(!schedule.done(&job.subject, start));
        assert_eq!((schedule.unanswered(), schedule.next_due()), (0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn the_order_is_not_that_of_the_plan() {
        let start = Instant::now();
        let names: Vec<String> = (0..50).map(|index| format!("n{index:02}")).collect();
        let plan = plan(&names.iter().map(|name| (name.as_str(), true)).collect::<Vec<_>>());
        let mut orders = [1, 2].map(|seed| {
            let mut schedule = Schedule::new(Intervals::default(), seed, &[], start);
            schedule.update(&plan, start);
            take_all(&mut schedule, start)
        });
        assert_ne!(orders[0], orders[1]);
        for order in &mut orders {
            order.sort();
        }
        assert_eq!(orders[0], names);
        assert_eq!(orders[1], names);
    }
}
