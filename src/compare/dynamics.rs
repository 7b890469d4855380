//! Records that move too much: back and forth (`flapping`), or written without need (`churn`). Pure.
//!
//! Judged from what our own rounds have seen of the record set and from the change feed, never from
//! live answers: those rotate by design. Each source is counted alone, because their clocks and
//! their sight differ and a merged line would show changes that nobody made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::compare::fix::churn;
use crate::compare::instances::owners::is_deleted_by_twin;
use crate::compare::instances::wrote;
use crate::compare::ladder::targets;
use crate::compare::show;
use crate::compare::solvers::is_borrowed;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::wishes::a_half;
use crate::compare::wishes::blame::is_heard;
use crate::compare::world::World;
use crate::finding::{Cause, FindingKey, Impact, Kind, Reason, Subject};
use crate::model::change::{Action, AttemptedChange, ChangeEvent, ChangeEventKind, FeedSource};
use crate::model::heritage::Heritage;
use crate::model::record::{RecordKey, Value};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::model::{Content, DomainName, RecordType, ZoneId};
use crate::past::Sighting;
use crate::past::names::Wish;
use crate::report::Fix;

/// The time in which changes and writes count. Source: findings.md section 3, ranks 70 and 71.
const SPAN: SignedDuration = SignedDuration::from_hours(1);

/// So many changes are back and forth.
const FLAPS: usize = 3;

/// More values than these are a series and no flapping; absence is a value.
const MAX_VALUES: usize = 3;

/// So many writes without a change are churn.
const NEEDLESS_WRITES: usize = 5;

/// What stood under a key, as far as a source tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// Nothing.
    Absent,
    /// Something; logs do not tell what.
    Present,
    /// These targets.
    Targets(BTreeSet<Value>),
}

/// One applied change of a record, as the feed tells it.
#[derive(Debug)]
struct Write<'a> {
    event: &'a ChangeEvent,
    change: &'a AttemptedChange,
}

/// Applied writes of the last hour by name and type.
type Writes<'a> = BTreeMap<(&'a DomainName, &'a RecordType), Vec<(Option<&'a ZoneId>, Write<'a>)>>;

/// Judges the record sets that stand at wanted names.
pub fn judge_dynamics(world: &World<'_>, out: &mut Verdicts) {
    let writes = writes(world);
    for (name, held) in world.past.names.records() {
        let (zone_id, sightings) = (&held.place, &held.sightings);
        let none = Vec::new();
        let all = writes.get(&(name, &held.record_type)).unwrap_or(&none);
        // An absence can hold other types at the name: what was seen twice may have changed often.
        if sightings.len() < 2 && all.is_empty() {
            continue;
        }
        let Some(zone) = world.zone(zone_id).filter(|_| out.coverage.zones.contains_key(zone_id)) else {
            continue;
        };
        let key = held.key(name);
        let Some((wants, want)) = claim(world, zone_id, &key) else { continue };
        let mine: Vec<&Write<'_>> = all
            .iter()
            .filter(|(zone, _)| zone.is_none_or(|zone| zone == zone_id))
            .map(|(_, write)| write)
            .filter(|write| is_of_member(wants, want, write))
            .collect();
        let record = Record { world, wants, want, zone, key, sightings, writes: mine };
        // Members of a routing set come and go as their traffic is shifted.
        let flapping = || record.flapping().filter(|_| want.set_identifier.is_none());
        out.candidates.extend(flapping().or_else(|| record.churn()));
    }
}

/// True if the write is that of the wish's own member. A log names none: what its writer says of a name is about
/// the one member that it wants there, and of several nobody knows which.
fn is_of_member(wants: &InstanceWants, want: &Want, write: &Write<'_>) -> bool {
    let same = |other: &&Want| other.record_type == want.record_type && other.placement == want.placement;
    let FeedSource::Log { .. } = write.event.source else {
        return write.change.set_identifier == want.set_identifier;
    };
    want.set_identifier.is_none()
        || wrote(wants, &write.event.source) && wants.at(&want.name).iter().filter(same).count() == 1
}

/// Who wants the record; another type of the same name is the other half of somebody's finding.
fn claim<'a>(world: &World<'a>, zone: &ZoneId, key: &RecordKey) -> Option<(&'a InstanceWants, &'a Want)> {
    world.wants.iter().find_map(|one| {
        let want = one.at(&key.name).iter().find(|want| want.is(key) && want.zone_id() == Some(zone))?;
        Some((one, want))
    })
}

fn writes<'a>(world: &World<'a>) -> Writes<'a> {
    let mut all = Writes::new();
    let Some(feed) = world.snapshot.changes.value() else { return all };
    for event in feed.events.iter().filter(|event| is_recent(world.at(), event.at)) {
        let ChangeEventKind::Applied(batch) = &event.kind else { continue };
        for change in batch.changes.iter().filter(|change| world.past.names.contains(&change.name)) {
            let key = (&change.name, &change.record_type);
            all.entry(key).or_default().push((batch.zone_id.as_ref(), Write { event, change }));
        }
    }
    all
}

fn is_recent(now: Timestamp, at: Timestamp) -> bool {
    now.duration_since(at) < SPAN
}

struct Record<'a> {
    world: &'a World<'a>,
    wants: &'a InstanceWants,
    want: &'a Want,
    zone: &'a ZoneReading,
    key: RecordKey,
    sightings: &'a [Sighting<Option<Content>>],
    writes: Vec<&'a Write<'a>>,
}

impl Record<'_> {
    fn start(&self, kind: Kind, reason: Reason, impact: Impact) -> Candidate {
        let key = FindingKey {
            subject: Subject::Record(self.key.clone()),
            zone_id: Some(self.zone.zone.id.clone()),
            instance: Some(self.wants.instance.id.clone()),
            kind,
        };
        let read_at = self.zone.read_at.unwrap_or(self.world.at());
        let mut candidate = Candidate::new(key, reason, impact, read_at);
        // Several rounds or feed lines are in it already.
        candidate.certain = true;
        candidate.object = self.want.objects.first().cloned();
        candidate.desired = show::want(self.want);
        candidate.recorded = show::records(self.zone.at(&self.key.name));
        candidate.live = show::live(self.world, &self.key.name);
        // The AAAA that a release writes beside an alias comes and goes with it.
        if self.want.companion {
            candidate.explained_by = Some((Subject::Record(a_half(self.want)), kind));
        }
        candidate
    }

    // === flapping ===

    fn flapping(&self) -> Option<Candidate> {
        let lines = [self.seen_by_us(), self.told(true), self.told(false)];
        let (held, onset) = lines.into_iter().max_by_key(|(held, _)| held.len())?;
        let values: BTreeSet<&Held> = held.iter().collect();
        if held.len() <= FLAPS || MAX_VALUES < values.len() || is_borrowed(self.world, &self.key.name) {
            return None;
        }
        let absent = values.contains(&Held::Absent);
        let reason = if absent { Reason::CreateDelete } else { Reason::TwoValues };
        let wrong = values.iter().any(|held| matches!(held, Held::Targets(set) if !self.was_wanted(set)));
        let impact = if absent || wrong { Impact::Degraded } else { Impact::None };
        let mut candidate = self.start(Kind::Flapping, reason, impact);
        candidate.onset = onset;
        let changes = held.len() - 1;
        candidate.evidence.push(format!("{changes} changes within an hour between {} values", values.len()));
        let shown: Vec<String> = held.iter().take(6).map(Held::to_string).collect();
        candidate.evidence.push(format!("in order: {}", shown.join(", then ")));
        candidate.summary = format!("{} goes back and forth: {changes} changes within an hour.", self.key);
        let cause = self.cause();
        let summary = if cause == Some(Cause::ManualChange) {
            "Somebody changes the record by hand: find out who (CloudTrail), and let one alone write it."
        } else {
            "Find the other writer; each ExternalDNS needs an owner id of its own."
        };
        candidate.fix = Fix { summary: summary.to_owned(), ..Fix::default() };
        Some(candidate.caused_by(cause))
    }

    /// What our rounds saw, from the value in force an hour ago on; the first time of change.
    fn seen_by_us(&self) -> (Vec<Held>, Option<Timestamp>) {
        let recent = |sighting: &Sighting<_>| is_recent(self.world.at(), sighting.since);
        let first = self.sightings.iter().position(recent).unwrap_or(self.sightings.len());
        let span = self.sightings.iter().skip(first.saturating_sub(1));
        let held = span.flat_map(|sighting| match Held::of(sighting.value.as_ref()) {
            Held::Absent if self.is_unwished(sighting.since) => Vec::new(),
            Held::Absent => self.seen_instead(sighting),
            held @ (Held::Present | Held::Targets(_)) => vec![held],
        });
        let mut held: Vec<Held> = held.collect();
        // A new TTL is another content with the same targets.
        held.dedup();
        let start = first.max(1);
        (held, self.sightings.get(start).map(|sighting| sighting.since))
    }

    /// True if nobody wanted the record when it went, as far as we were looking: it follows its wishes, and users
    /// miss nothing.
    fn is_unwished(&self, at: Timestamp) -> bool {
        let of_key = self.wishes();
        // One that comes and goes asks for nothing meanwhile; its wish is remembered as one.
        let objects = &self.want.objects;
        if !objects.is_empty() && objects.iter().all(|object| self.world.past.was_away(object, at)) {
            return true;
        }
        let mut sightings = of_key.flat_map(|wish| &wish.sightings);
        self.world.past.first_at.is_some_and(|first| first < at)
            && !sightings.any(|wish| wish.since < at && at <= wish.until)
    }

    /// What stood at the name in the place of this type, in order: beside a CNAME nothing else can stand,
    /// so a record that becomes one has another value and is gone only before and after it. Source: RFC 1034
    /// section 3.6.2.
    fn seen_instead(&self, absence: &Sighting<Option<Content>>) -> Vec<Held> {
        let here = self.world.past.names.records_at(&self.key.name).iter();
        let sightings = here
            .filter(|held| held.place == self.zone.zone.id)
            .filter(|held| held.record_type.excludes(&self.key.record_type))
            .flat_map(|held| &held.sightings);
        let mut others: Vec<(Timestamp, Timestamp, Held)> = sightings
            .filter(|other| other.since <= absence.until && absence.since <= other.until)
            .filter_map(|other| {
                Some((other.since, other.until, Held::Targets(targets(other.value.as_ref()?))))
            })
            .collect();
        others.sort();
        let mut held = Vec::new();
        // The round in which the other one came is the round in which this one went.
        let mut bare_from = absence.since;
        for (since, until, other) in others {
            if bare_from < since {
                held.push(Held::Absent);
            }
            held.push(other);
            bare_from = until;
        }
        let is_bare = held.is_empty() || bare_from < absence.until;
        held.extend(is_bare.then_some(Held::Absent));
        held
    }

    /// What a batch that deletes the record puts into its place.
    fn told_instead(&self, write: &Write<'_>) -> Option<Held> {
        let ChangeEventKind::Applied(batch) = &write.event.kind else { return None };
        let mut others = batch.changes.iter().filter(|other| {
            other.name == self.key.name
                && other.action != Action::Delete
                && other.record_type.excludes(&self.key.record_type)
        });
        others.next().map(Held::after)
    }

    /// True if the batch takes away what cannot stand beside the record.
    fn replaces_another(&self, write: &Write<'_>) -> bool {
        let ChangeEventKind::Applied(batch) = &write.event.kind else { return false };
        batch.changes.iter().any(|other| {
            other.name == self.key.name
                && other.action == Action::Delete
                && other.record_type.excludes(&self.key.record_type)
        })
    }

    /// What CloudTrail or the logs tell; each creation and deletion implies what was there before.
    fn told(&self, by_trail: bool) -> (Vec<Held>, Option<Timestamp>) {
        let mut held: Vec<Held> = Vec::new();
        let (mut onset, mut is_left_out) = (None, false);
        for (at, writes) in self.batches(by_trail) {
            onset.get_or_insert(at);
            // Deleted and created in one batch is one change.
            let written = writes.iter().rev().find(|write| write.change.action != Action::Delete);
            if written.is_none() && self.is_unwished(at) {
                is_left_out = true;
                continue;
            }
            let Some(write) = written.or(writes.last()) else { continue };
            let replaces = written.is_some() && writes.iter().any(|one| one.change.action == Action::Delete);
            let before = match write.change.action {
                Action::Delete => Some(Held::Present),
                Action::Create
                    if !replaces
                        && !self.replaces_another(write)
                        && !std::mem::take(&mut is_left_out)
                        && !self.is_unwished(at) =>
                {
                    Some(Held::Absent)
                }
                Action::Create | Action::Upsert => None,
            };
            let contradicts = |last: &Held| match before {
                Some(Held::Absent) => *last != Held::Absent,
                _ => *last == Held::Absent,
            };
            if let Some(before) = before.clone()
                && held.last().is_none_or(contradicts)
            {
                held.push(before);
            }
            let after = match Held::after(write.change) {
                Held::Absent => self.told_instead(write).unwrap_or(Held::Absent),
                after @ (Held::Present | Held::Targets(_)) => after,
            };
            held.push(after);
        }
        held.dedup();
        (known_only(held), onset)
    }

    fn batches(&self, by_trail: bool) -> BTreeMap<Timestamp, Vec<&Write<'_>>> {
        let mut batches: BTreeMap<Timestamp, Vec<&Write<'_>>> = BTreeMap::new();
        for write in &self.writes {
            if by_trail == matches!(write.event.source, FeedSource::CloudTrail { .. }) {
                batches.entry(write.event.at).or_default().push(write);
            }
        }
        batches
    }

    /// The wishes for the record over time, of instances that may write into its zone: one of a private twin wants
    /// another record.
    fn wishes(&self) -> impl Iterator<Item = &Wish> {
        let writes_here = |id: &str| {
            let mut of_id = self.world.wants.iter().filter(|one| *one.instance.id == *id).peekable();
            of_id.peek().is_none() || of_id.any(|one| one.zones.contains(&self.zone.zone.id))
        };
        self.world.wished(&self.key.name).iter().filter(move |wish| {
            wish.record_type == self.key.record_type
                && wish.set_identifier == self.key.set_identifier
                && writes_here(&wish.place)
        })
    }

    fn was_wanted(&self, held: &BTreeSet<Value>) -> bool {
        self.wishes().flat_map(|wish| &wish.sightings).any(|sighting| targets(&sighting.value) == *held)
    }

    fn cause(&self) -> Option<Cause> {
        if self.shares_owner_id() {
            return Some(Cause::ControllerMisconfigured(Reason::OwnerIdShared));
        }
        let controllers = self.world.writers();
        let is_by_hand = |write: &&Write<'_>| match &write.event.source {
            FeedSource::CloudTrail { principal, .. } => !controllers.contains(principal),
            FeedSource::Log { .. } => false,
        };
        // Who writes is known: that others may write is a guess then.
        if !self.writes.is_empty() && self.writes.iter().all(is_by_hand) {
            return Some(Cause::ManualChange);
        }
        let others = self.world.wants.iter().filter(|other| !std::ptr::eq(*other, self.wants));
        let here = |want: &Want| want.zone_id() == Some(&self.zone.zone.id) && want.is(&self.key);
        let both_want = others.into_iter().any(|other| other.at(&self.key.name).iter().any(here));
        if both_want || is_deleted_by_twin(self.world, self.wants, self.want) {
            return Some(Cause::ControllerMisconfigured(Reason::OverlappingInstances));
        }
        if let Some(conflict) = &self.want.conflict {
            return Some(Cause::ConflictingDesired(conflict.reason));
        }
        if self.writes.iter().any(is_by_hand) {
            return Some(Cause::ManualChange);
        }
        is_heard(self.world, self.wants).then_some(Cause::UnknownSilent)
    }

    /// Somebody writes ownership under our owner id for objects that this cluster does not have.
    fn shares_owner_id(&self) -> bool {
        let owner = self.wants.instance.flags.owner_id.as_str();
        let Some(cluster) = self.world.snapshot.kubernetes.value() else { return false };
        let first = self.world.past.first_at;
        // A left-over of long ago is none of theirs.
        let seen = self.world.past.strangers.iter().filter(|(_, seen)| first < Some(seen.since));
        let ours = seen.map(|(key, _)| key).filter(|(instance, _)| *instance == self.wants.instance.id);
        if ours.map(|(_, object)| object).any(|object| crate::past::is_watched(cluster, object)) {
            return true;
        }
        let batches = self.world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
        let applied = batches.filter_map(|event| {
            let ChangeEventKind::Applied(batch) = &event.kind else { return None };
            (batch.zone_id.as_ref() == Some(&self.zone.zone.id)).then_some(batch)
        });
        applied.flat_map(|batch| &batch.changes).flat_map(|change| &change.targets).any(|value| {
            let heritage = Heritage::parse(value).filter(|one| one.owner == Some(owner));
            heritage.and_then(Heritage::object).is_some_and(|object| {
                crate::past::is_watched(cluster, &object)
                    && self.world.remembered(&object).is_none()
                    && !self.world.is_odd(&object)
            })
        })
    }

    // === churn ===

    /// Writes since the record has had its present content.
    /// When the record was written as it was. A trail tells what stood there before; a log does not, and what
    /// it tells counts while the record has not changed.
    fn needless(&self, by_trail: bool, since: Timestamp) -> BTreeSet<Timestamp> {
        let held = Held::of(self.sightings.last().and_then(|last| last.value.as_ref()));
        let mut before: Option<Held> = None;
        let mut times = BTreeSet::new();
        for (at, writes) in self.batches(by_trail) {
            for write in writes {
                let told = Held::after(write.change);
                let same = match &told {
                    Held::Present => since <= at,
                    Held::Absent | Held::Targets(_) => told == *before.as_ref().unwrap_or(&held),
                };
                if same && write.change.action == Action::Upsert {
                    // Two containers may tell of one write.
                    times.insert(at);
                }
                before = Some(told).filter(|told| *told != Held::Present);
            }
        }
        times
    }

    fn churn(&self) -> Option<Candidate> {
        let since = self.sightings.last().filter(|last| last.value.is_some())?.since;
        let times = [self.needless(true, since), self.needless(false, since)];
        let times = times.into_iter().max_by_key(BTreeSet::len)?;
        if times.len() < NEEDLESS_WRITES {
            return None;
        }
        let mut candidate = self.start(Kind::Churn, Reason::NoOpUpsert, Impact::None);
        candidate.onset = times.first().copied();
        candidate.evidence.extend(times.last().map(|last| {
            format!("written {} times within an hour without any change, last at {last}", times.len())
        }));
        candidate.summary = format!(
            "{} is written again and again although nothing changes; it costs API requests.",
            self.key
        );
        candidate.fix = churn::settling(self.world, self.wants, self.want);
        Some(candidate)
    }
}

/// Logs do not tell values: beside told ones they are no value of their own.
fn known_only(held: Vec<Held>) -> Vec<Held> {
    let mut out: Vec<Held> = Vec::new();
    let mut rest = held.into_iter().peekable();
    while let Some(one) = rest.next() {
        let known = if one == Held::Present {
            rest.peek().cloned().filter(|next| *next != Held::Absent)
        } else {
            None
        };
        out.push(known.unwrap_or(one));
    }
    out.dedup();
    out
}

// === impl Held ===

impl Held {
    fn of(content: Option<&Content>) -> Self {
        match content {
            None => Self::Absent,
            Some(content) => Self::Targets(targets(content)),
        }
    }

    fn after(change: &AttemptedChange) -> Self {
        if change.action == Action::Delete {
            return Self::Absent;
        }
        if change.targets.is_empty() {
            return Self::Present;
        }
        let value = |text: &Arc<str>| match (change.alias, Value::new(&change.record_type, text)) {
            (Some(true), _) => {
                let name = DomainName::from_route53(text);
                let bare = name.as_str().strip_prefix("dualstack.").map(DomainName::new);
                Value::Host(bare.unwrap_or(name))
            }
            (_, value) => value,
        };
        Self::Targets(change.targets.iter().map(value).collect())
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("no record"),
            Self::Present => f.write_str("a record"),
            Self::Targets(targets) => {
                let all: Vec<String> = targets.iter().take(5).map(ToString::to_string).collect();
                f.write_str(&all.join(", "))
            }
        }
    }
}
