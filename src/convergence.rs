//! How long new hosts take from their first address to the record, and to the live answer. Pure.
//!
//! Only names that appear while somebody watches are timed: what the first round finds may be years
//! old. What cannot be seen is not judged: a name in a zone that cannot be read, or that nobody
//! answers for, is neither in time nor late.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};

use jiff::{SignedDuration, Timestamp};

use crate::finding::{State, Subject};
use crate::limits::{KEEP_JOURNEY, MAX_JOURNEYS};
use crate::model::observation::{Observation, Outcome};
use crate::model::want::{InstanceWants, Want};
use crate::model::{DomainName, RecordKey, RecordType, ZoneId};
use crate::report::Report;
use crate::snapshot::{Snapshot, ViewState};

/// New hosts are meant to be there within this time.
pub const OBJECTIVE: SignedDuration = SignedDuration::from_mins(10);

/// How far a host has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The hosted zone holds the record.
    Recorded,
    /// DNS answers with it.
    Live,
}

/// What happened to a host in a round.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// How far it came.
    pub stage: Stage,
    /// Which host.
    pub name: DomainName,
    /// How long it took; `None` if it is still on its way and too late by now.
    pub took: Option<SignedDuration>,
    /// True once for each host and stage: whether it was in time is decided now.
    pub decided: bool,
}

/// Hosts on their way.
#[derive(Clone, Debug, Default)]
pub struct Convergence {
    /// Wishes of the latest round as sorted hashes; `None` before the first.
    known: Option<Vec<u64>>,
    /// Those wishes. Weak, so that they are not kept for this; their place in memory is not used again meanwhile.
    seen: Option<Weak<[InstanceWants]>>,
    last_at: Option<Timestamp>,
    journeys: BTreeMap<JourneyKey, Journey>,
}

type JourneyKey = (Arc<str>, RecordKey);

#[derive(Clone, Copy, Debug)]
struct Journey {
    since: Timestamp,
    recorded: bool,
    late: [bool; 2],
}

/// What a round knows about one host.
struct Sight {
    /// `None` where it cannot be seen.
    recorded: Option<bool>,
    live: Option<bool>,
}

/// What a round shows, made once for all hosts on their way.
struct View<'a> {
    snapshot: &'a Snapshot,
    /// Records that are not in order, and whether only DNS disagrees.
    troubled: BTreeMap<(RecordKey, Option<ZoneId>), bool>,
    answers: BTreeMap<&'a DomainName, Vec<&'a Observation>>,
}

// === impl Stage ===

impl Stage {
    /// In the order of the way.
    pub const ALL: [Self; 2] = [Self::Recorded, Self::Live];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Live => "live",
        }
    }
}

// === impl Convergence ===

impl Convergence {
    /// Takes in one round; tells who arrived and who is late.
    pub fn observe(
        &mut self,
        wants: &Arc<[InstanceWants]>,
        snapshot: &Snapshot,
        report: &Report,
    ) -> Vec<Arrival> {
        // With a kind of objects unread, wishes vanish and come back that were never gone.
        let whole_kinds = snapshot.kubernetes.problems.iter().all(|problem| problem.scope.contains('/'));
        if snapshot.kubernetes.state != ViewState::Read || !whole_kinds {
            return Vec::new();
        }
        let at = snapshot.at;
        self.depart(wants, at);
        if self.journeys.is_empty() {
            return Vec::new();
        }
        let view = View { snapshot, troubled: troubled(report), answers: answers(snapshot) };
        let mut arrivals = Vec::new();
        let mut on_their_way = BTreeMap::new();
        for (instance, want) in all(wants) {
            let key = (Arc::clone(instance), want.key());
            let Some(mut journey) = self.journeys.remove(&key) else { continue };
            let sight = view.sight(want, journey.since);
            let there = journey.advance(want, &sight, at, &mut arrivals);
            if !there && at.duration_since(journey.since) < KEEP_JOURNEY {
                on_their_way.insert(key, journey);
            }
        }
        // What is left in the old list is wanted no more.
        self.journeys = on_their_way;
        arrivals
    }

    /// Hosts that have not arrived at the stage.
    #[must_use]
    pub fn pending(&self, stage: Stage) -> usize {
        self.journeys.values().filter(|journey| stage == Stage::Live || !journey.recorded).count()
    }

    fn depart(&mut self, wants: &Arc<[InstanceWants]>, at: Timestamp) {
        let seen = Arc::downgrade(wants);
        if self.seen.as_ref().is_some_and(|last| last.ptr_eq(&seen)) {
            self.last_at = Some(at);
            return;
        }
        let mut now = Vec::new();
        for (instance, want) in all(wants) {
            let key = (Arc::clone(instance), want.key());
            let hash = hash(&key);
            now.push(hash);
            let new = self.known.as_ref().is_some_and(|known| known.binary_search(&hash).is_err());
            if let Some(last_at) = self.last_at.filter(|_| new && want.zone_id().is_some())
                && self.journeys.len() < MAX_JOURNEYS
            {
                let since = address_since(want, last_at, at);
                self.journeys.insert(key, Journey { since, recorded: false, late: [false; 2] });
            }
        }
        now.sort_unstable();
        self.known = Some(now);
        self.seen = Some(seen);
        self.last_at = Some(at);
    }
}

// === impl Journey ===

impl Journey {
    /// True when the host has arrived.
    fn advance(&mut self, want: &Want, sight: &Sight, at: Timestamp, arrivals: &mut Vec<Arrival>) -> bool {
        let took = at.duration_since(self.since);
        let arrival = |stage, took, decided| Arrival { stage, name: want.name.clone(), took, decided };
        let [recorded_late, live_late] = &mut self.late;
        if !self.recorded && sight.recorded == Some(true) {
            self.recorded = true;
            arrivals.push(arrival(Stage::Recorded, Some(took), !*recorded_late));
        }
        let there = self.recorded && sight.live == Some(true);
        if there {
            arrivals.push(arrival(Stage::Live, Some(took), !*live_late));
        }
        if OBJECTIVE < took {
            if !self.recorded && sight.recorded == Some(false) && !*recorded_late {
                *recorded_late = true;
                arrivals.push(arrival(Stage::Recorded, None, true));
            }
            if !there && sight.live == Some(false) && !*live_late {
                *live_late = true;
                arrivals.push(arrival(Stage::Live, None, true));
            }
        }
        there
    }
}

fn all(wants: &[InstanceWants]) -> impl Iterator<Item = (&Arc<str>, &Want)> {
    wants.iter().flat_map(|one| one.wants.iter().map(|want| (&one.instance.id, want)))
}

/// When the host got its address: between the last round, which did not see it, and this one.
fn address_since(want: &Want, last_at: Timestamp, at: Timestamp) -> Timestamp {
    let newest = [want.created_at, want.changed_at, want.status_changed_at].into_iter().flatten().max();
    newest.unwrap_or(at).clamp(last_at.min(at), at)
}

fn troubled(report: &Report) -> BTreeMap<(RecordKey, Option<ZoneId>), bool> {
    let open = report.findings.iter().filter(|finding| finding.state != State::Resolved);
    open.filter_map(|finding| {
        let Subject::Record(key) = &finding.subject else { return None };
        let zone = finding.zone.as_ref().map(|zone| zone.id.clone());
        Some(((key.clone(), zone), finding.kind.is_live()))
    })
    .collect()
}

fn answers(snapshot: &Snapshot) -> BTreeMap<&DomainName, Vec<&Observation>> {
    let mut answers: BTreeMap<&DomainName, Vec<&Observation>> = BTreeMap::new();
    for one in snapshot.observations() {
        answers.entry(&one.name).or_default().push(one);
    }
    answers
}

fn hash(key: &JourneyKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

// === impl View ===

impl View<'_> {
    fn sight(&self, want: &Want, since: Timestamp) -> Sight {
        let key = want.key();
        let trouble = self.troubled.get(&(key.clone(), want.zone_id().cloned()));
        let zones = self.snapshot.route53.value().filter(|_| self.snapshot.route53.state == ViewState::Read);
        let reading = zones.and_then(|zones| zones.zones.get(want.zone_id()?));
        let recorded = reading.filter(|reading| reading.record_sets.is_some()).map(|reading| {
            let there = reading.at(&want.name).iter().any(|set| set.key() == key);
            there && trouble.is_none_or(|only_live| *only_live)
        });
        let live = recorded.and_then(|recorded| {
            let answered = self.answered(want, since)?;
            Some(recorded && answered && trouble.is_none())
        });
        Sight { recorded, live }
    }

    /// Whether somebody answers since the host got its address and nobody denies it; `None` if
    /// nobody was asked.
    fn answered(&self, want: &Want, since: Timestamp) -> Option<bool> {
        if self.snapshot.dns.state != ViewState::Read {
            return None;
        }
        // A CNAME is asked for by the addresses behind it.
        let of_type = |one: &Observation| {
            want.record_type == RecordType::Cname || *one.record_type == *want.record_type.as_str()
        };
        let asked = self.answers.get(&want.name).into_iter().flatten();
        let outcomes: Vec<Outcome> =
            asked.filter(|one| since <= one.at && of_type(one)).map(|one| one.outcome).collect();
        let denied =
            |outcome: &Outcome| matches!(outcome, Outcome::Nxdomain | Outcome::Nodata | Outcome::Servfail);
        if outcomes.is_empty() {
            return None;
        }
        Some(outcomes.contains(&Outcome::Answer) && !outcomes.iter().any(denied))
    }
}

#[cfg(test)]
mod tests;
