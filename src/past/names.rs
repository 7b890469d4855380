//! What earlier rounds have seen of each name that is or was wanted: the wishes for it, and the record sets
//! at it. Pure; time is an argument.
//!
//! All of a name lies in one place, because a round looks up every name several times and a search in a
//! large map costs more than what it finds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::table::Table;
use crate::model::want::Want;
use crate::model::zone::Zones;
use crate::model::{Content, DomainName, RecordKey, RecordSet, RecordType, ZoneId};

/// Changes that are remembered of one record or wish.
const MAX_SIGHTINGS: usize = 32;

/// A wish that is gone for less than this is one that went on: the least sync window.
pub(super) const ABSENCE: SignedDuration = SignedDuration::from_mins(3);

/// A value and the rounds in which it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting<T> {
    /// What was seen.
    pub value: T,
    /// First round with it.
    pub since: Timestamp,
    /// Last round with it.
    pub until: Timestamp,
}

/// A type and set identifier at a name, with each content that was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row<P, T> {
    /// Whose it is: an instance, or a hosted zone.
    pub place: P,
    /// Record type.
    pub record_type: RecordType,
    /// Set identifier; `None` for a simple record.
    pub set_identifier: Option<Arc<str>>,
    /// The contents, oldest first; never empty.
    pub sightings: Vec<Sighting<T>>,
}

/// A wish of an instance, by its id. The zone is left out on purpose: a name that moves to another zone is
/// the same wish.
pub type Wish = Row<Arc<str>, Content>;

/// A record set of a zone; `None` is absence.
pub type Held = Row<ZoneId, Option<Content>>;

/// A record key of which nothing is copied for a look-up.
#[derive(Clone, Copy, Debug)]
pub struct KeyRef<'a> {
    name: &'a DomainName,
    record_type: &'a RecordType,
    set_identifier: Option<&'a Arc<str>>,
}

/// One name over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Name {
    /// The latest round in which anybody wanted it.
    wanted_at: Timestamp,
    wishes: Vec<Wish>,
    records: Vec<Held>,
}

/// All names, in no order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Names(#[serde(with = "rows")] Table<DomainName, Name>);

/// Names that nobody wants whose records are remembered: when one becomes wanted, resolvers may still hold
/// what stood there before. A zone of others may have a million.
const MAX_OTHERS: usize = 10_000;

/// How long it matters what stood there: no answer is kept for longer than a day.
const KEEP_OTHERS: SignedDuration = SignedDuration::from_hours(25);

/// Records at names that nobody wanted when they were seen. Absence is not remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Others(#[serde(with = "rows")] Table<DomainName, Vec<Held>>);

// === impl KeyRef ===

impl<'a> From<&'a RecordKey> for KeyRef<'a> {
    fn from(key: &'a RecordKey) -> Self {
        Self { name: &key.name, record_type: &key.record_type, set_identifier: key.set_identifier.as_ref() }
    }
}

impl<'a> From<&'a Want> for KeyRef<'a> {
    fn from(want: &'a Want) -> Self {
        Self {
            name: &want.name,
            record_type: &want.record_type,
            set_identifier: want.set_identifier.as_ref(),
        }
    }
}

impl<'a> From<&'a RecordSet> for KeyRef<'a> {
    fn from(set: &'a RecordSet) -> Self {
        Self { name: &set.name, record_type: &set.record_type, set_identifier: set.set_identifier.as_ref() }
    }
}

// === impl Row ===

impl<P: PartialEq, T: Clone + PartialEq> Row<P, T> {
    /// The record key at this name.
    #[must_use]
    pub fn key(&self, name: &DomainName) -> RecordKey {
        RecordKey {
            name: name.clone(),
            record_type: self.record_type.clone(),
            set_identifier: self.set_identifier.clone(),
        }
    }

    pub(super) fn is(&self, place: &P, key: KeyRef<'_>) -> bool {
        self.record_type == *key.record_type
            && self.set_identifier.as_ref() == key.set_identifier
            && self.place == *place
    }

    /// Takes in what one round has seen of a key among the rows of its name.
    fn take_in(rows: &mut Vec<Self>, place: &P, key: KeyRef<'_>, value: &T, at: Timestamp)
    where
        P: Clone,
    {
        if let Some(row) = rows.iter_mut().find(|row| row.is(place, key)) {
            return sight(&mut row.sightings, value, at);
        }
        let mut sightings = Vec::new();
        sight(&mut sightings, value, at);
        // Nearly all names have one row for good.
        rows.reserve_exact(1);
        rows.push(Self {
            place: place.clone(),
            record_type: key.record_type.clone(),
            set_identifier: key.set_identifier.cloned(),
            sightings,
        });
    }
}

// === impl Names ===

impl Names {
    /// Takes in a wish of this round. One that had been lost in between is new, also with what it had;
    /// `losses` are the last rounds of those that were.
    pub(super) fn wish_seen(
        &mut self,
        instance: &Arc<str>,
        want: &Want,
        at: Timestamp,
        losses: &BTreeMap<Timestamp, Timestamp>,
    ) {
        let Some(name) = self.0.get_mut(&want.name) else {
            let mut wishes = Vec::new();
            Row::take_in(&mut wishes, instance, want.into(), &want.content, at);
            self.0.insert(want.name.clone(), Name { wanted_at: at, wishes, records: Vec::new() });
            return;
        };
        name.wanted_at = at;
        // Nobody follows a status that is empty for a moment.
        let was_lost = |row: &&mut Wish| {
            let last = row.sightings.last().and_then(|last| losses.get(&last.until));
            last.is_some_and(|lost| ABSENCE <= at.duration_since(*lost))
        };
        if !losses.is_empty()
            && let Some(row) =
                name.wishes.iter_mut().find(|row| row.is(instance, want.into())).filter(was_lost)
        {
            return begin(&mut row.sightings, &want.content, at);
        }
        Row::take_in(&mut name.wishes, instance, want.into(), &want.content, at);
    }

    /// Takes in the record sets of this round at the names that are known. Of types that lead to no address
    /// only what somebody wanted: ownership records stand beside everything.
    pub(super) fn records_seen(&mut self, others: &mut Others, zones: &Zones, at: Timestamp) {
        let read = |id: &ZoneId| zones.zones.get(id).is_some_and(|reading| reading.record_sets.is_some());
        let wished = self.wishes().map(|(_, wish)| &wish.record_type);
        let wished: BTreeSet<RecordType> = wished.filter(|kind| !kind.is_address()).cloned().collect();
        let counts = |kind: &RecordType| kind.is_address() || wished.contains(kind);
        for (id, reading) in &zones.zones {
            for set in reading.records().iter().filter(|set| counts(&set.record_type)) {
                let Some(name) = self.0.get_mut(&set.name) else {
                    others.seen(id, set, at);
                    continue;
                };
                let wished = || name.wishes.iter().any(|wish| wish.is(&wish.place, set.into()));
                if !set.record_type.is_address() && !wished() {
                    continue;
                }
                // Of nearly all nothing is new, and nothing is copied to find that out.
                let row = name.records.iter_mut().find(|row| row.is(id, set.into()));
                match row.and_then(|row| row.sightings.last_mut()) {
                    Some(last) if last.value.as_ref() == Some(&set.content) => last.until = at,
                    Some(_) | None => {
                        Row::take_in(&mut name.records, id, set.into(), &Some(set.content.clone()), at);
                    }
                }
            }
        }
        for row in self.0.values_mut().flat_map(|name| &mut name.records) {
            if row.sightings.last().is_some_and(|last| last.until != at) && read(&row.place) {
                sight(&mut row.sightings, &None, at);
            }
        }
    }

    /// Forgets the names that `keep`, given the latest round in which one was wanted, does not hold. What
    /// stands there goes on as a record that nobody wants.
    pub(super) fn retain(&mut self, others: &mut Others, keep: impl Fn(Timestamp) -> bool) {
        self.0.retain(|name, one| {
            let kept = keep(one.wanted_at);
            if !kept {
                others.take_over(name, std::mem::take(&mut one.records));
            }
            kept
        });
    }

    /// The clock was set back: nothing is later than now.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.0.values_mut().for_each(|name| {
            name.wanted_at = now.min(name.wanted_at);
            earlier(&mut name.wishes, now);
            earlier(&mut name.records, now);
        });
    }

    /// True if the name is or was wanted.
    #[must_use]
    pub fn contains(&self, name: &DomainName) -> bool {
        self.0.contains_key(name)
    }

    /// The wishes for a name, over all instances.
    #[must_use]
    pub fn wishes_at(&self, name: &DomainName) -> &[Wish] {
        self.0.get(name).map(|name| name.wishes.as_slice()).unwrap_or_default()
    }

    /// The record sets at a name, over all zones.
    #[must_use]
    pub fn records_at(&self, name: &DomainName) -> &[Held] {
        self.0.get(name).map(|name| name.records.as_slice()).unwrap_or_default()
    }

    /// Each content of a wish, oldest first; empty for one that is not remembered.
    #[must_use]
    pub fn wish<'a>(&self, instance: &Arc<str>, key: impl Into<KeyRef<'a>>) -> &[Sighting<Content>] {
        let key = key.into();
        let row = self.wishes_at(key.name).iter().find(|row| row.is(instance, key));
        row.map(|row| row.sightings.as_slice()).unwrap_or_default()
    }

    /// Each content of a record set, oldest first; empty for one that is not remembered.
    #[must_use]
    pub fn record<'a>(&self, zone: &ZoneId, key: impl Into<KeyRef<'a>>) -> &[Sighting<Option<Content>>] {
        let key = key.into();
        let row = self.records_at(key.name).iter().find(|row| row.is(zone, key));
        row.map(|row| row.sightings.as_slice()).unwrap_or_default()
    }

    /// All wishes, in no order.
    pub fn wishes(&self) -> impl Iterator<Item = (&DomainName, &Wish)> {
        self.0.iter().flat_map(|(name, one)| one.wishes.iter().map(move |row| (name, row)))
    }

    /// The wishes that may be gone since, in no order: all but those at names with no other wish that were wanted
    /// at that time, which need no look.
    pub fn wishes_but_at(&self, at: Timestamp) -> impl Iterator<Item = (&DomainName, &Wish)> {
        let others = self.0.iter().filter(move |(_, one)| one.wanted_at != at || 1 < one.wishes.len());
        others.flat_map(|(name, one)| one.wishes.iter().map(move |row| (name, row)))
    }

    /// All record sets, in no order.
    pub fn records(&self) -> impl Iterator<Item = (&DomainName, &Held)> {
        self.0.iter().flat_map(|(name, one)| one.records.iter().map(move |row| (name, row)))
    }
}

// === impl Others ===

impl Others {
    fn seen(&mut self, zone: &ZoneId, set: &RecordSet, at: Timestamp) {
        if !set.record_type.is_address() {
            return;
        }
        if !self.0.contains_key(&set.name) {
            if MAX_OTHERS <= self.0.len() {
                return;
            }
            self.0.insert(set.name.clone(), Vec::new());
        }
        if let Some(rows) = self.0.get_mut(&set.name) {
            Row::take_in(rows, zone, set.into(), &Some(set.content.clone()), at);
        }
    }

    /// Takes over the records of a name that is wanted no more.
    fn take_over(&mut self, name: &DomainName, mut rows: Vec<Held>) {
        rows.retain(|row| {
            row.record_type.is_address() && row.sightings.last().is_some_and(|last| last.value.is_some())
        });
        if !rows.is_empty() && self.0.len() < MAX_OTHERS {
            self.0.insert(name.clone(), rows);
        }
    }

    /// Forgets what is long gone.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, rows| {
            rows.retain(|row| {
                row.sightings.last().is_some_and(|last| now.duration_since(last.until) < KEEP_OTHERS)
            });
            !rows.is_empty()
        });
    }

    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.0.values_mut().for_each(|rows| earlier(rows, now));
    }

    /// The record sets that stood at a name while nobody wanted it, over all zones.
    #[must_use]
    pub fn at(&self, name: &DomainName) -> &[Held] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Nothing is later than now.
fn earlier<P, T>(rows: &mut [Row<P, T>], now: Timestamp) {
    for one in rows.iter_mut().flat_map(|row| &mut row.sightings) {
        (one.since, one.until) = (one.since.min(now), one.until.min(now));
    }
}

/// A list of names with what is known of each.
mod rows {
    use super::{Deserialize, Deserializer, DomainName, Serialize, Serializer, Table};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        names: &Table<DomainName, T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(names)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Table<DomainName, T>, D::Error> {
        Vec::<(DomainName, T)>::deserialize(deserializer).map(|rows| rows.into_iter().collect())
    }
}

/// Takes in what one round has seen.
pub(super) fn sight<T: Clone + PartialEq>(sightings: &mut Vec<Sighting<T>>, value: &T, at: Timestamp) {
    match sightings.last_mut() {
        Some(last) if last.value == *value => last.until = at,
        Some(_) | None => begin(sightings, value, at),
    }
}

/// Begins a new sighting, whatever was seen before.
fn begin<T: Clone>(sightings: &mut Vec<Sighting<T>>, value: &T, at: Timestamp) {
    // Most things never change, and there are many of them.
    sightings.reserve_exact(1);
    sightings.push(Sighting { value: value.clone(), since: at, until: at });
    if MAX_SIGHTINGS < sightings.len() {
        sightings.remove(0);
    }
}
