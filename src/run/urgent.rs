//! Which names matter now, so that their records are read before their zone's turn. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::compare::owner::heritage_names;
use crate::finding::State;
use crate::model::change::{ChangeEventKind, ChangeFeed, RefusedBatch};
use crate::model::table::Table;
use crate::model::want::InstanceWants;
use crate::model::zone::Zones;
use crate::model::{DomainName, RecordKey, RecordType, ZoneId};
use crate::publish::api::waiters::Waited;
use crate::recorded::urgent::UrgentName;
use crate::report::Report;

/// How often a name is read whose finding is not confirmed yet.
const PENDING_EVERY: SignedDuration = SignedDuration::from_secs(20);

/// How often a name is read whose finding is open: it closes soon after the repair.
const OPEN_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How often a name is read that somebody waits for.
const WAITED_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// How long a change of a wish and a refusal are news.
const NEWS_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Names at once. Beyond that the listing is the better way.
const MAX_URGENT: usize = 200;

/// Types whose ownership records are read along.
const OWNED: [RecordType; 3] = [RecordType::A, RecordType::Aaaa, RecordType::Cname];

type Place = (ZoneId, DomainName);

/// What one round has learned.
#[derive(Clone, Copy, Debug)]
pub(super) struct UrgentInput<'a> {
    pub(super) wants: &'a Arc<[InstanceWants]>,
    pub(super) changes: Option<&'a ChangeFeed>,
    pub(super) report: &'a Report,
    pub(super) zones: &'a Zones,
    pub(super) waited: &'a Waited,
    pub(super) at: Timestamp,
}

/// Remembers what was wanted and refused, to see what is new.
#[derive(Debug, Default)]
pub(super) struct UrgentNames {
    /// The wishes themselves: the board of the round holds them anyway.
    wanted: Option<Arc<[InstanceWants]>>,
    refused_at: Option<Timestamp>,
    /// Since when what was read of a name does not count.
    newer_than: BTreeMap<Place, Timestamp>,
}

// === impl UrgentNames ===

impl UrgentNames {
    /// The names of this round, the most urgent first.
    pub(super) fn consider(&mut self, input: UrgentInput<'_>) -> Arc<[UrgentName]> {
        let mut news = self.changed_wishes(input.wants);
        news.extend(self.refused(input.changes, input.zones));
        for place in &news {
            self.newer_than.insert(place.clone(), input.at);
        }
        let (pending, open) = troubled(input.report);
        let waited = places_of_waited(input.waited, input.zones);
        for (places, every) in [(&pending, PENDING_EVERY), (&open, OPEN_EVERY), (&waited, WAITED_EVERY)] {
            for place in places {
                let since = self.newer_than.entry(place.clone()).or_insert(input.at);
                if every <= input.at.duration_since(*since) {
                    *since = input.at;
                }
            }
        }
        self.newer_than.retain(|place, since| {
            pending.contains(place)
                || open.contains(place)
                || waited.contains(place)
                || input.at.duration_since(*since) < NEWS_FOR
        });
        let rank = |place: &Place| (!waited.contains(place), open.contains(place), pending.contains(place));
        let mut places: Vec<&Place> = self.newer_than.keys().collect();
        places.sort_by_key(|place| rank(place));
        places.truncate(MAX_URGENT);
        places.into_iter().filter_map(|place| self.group(place, input.wants)).collect()
    }

    /// Wishes that came, went or changed. The first round has just had its listing.
    fn changed_wishes(&mut self, wants: &Arc<[InstanceWants]>) -> BTreeSet<Place> {
        let Some(before) = self.wanted.replace(Arc::clone(wants)) else { return BTreeSet::new() };
        if Arc::ptr_eq(&before, wants) {
            return BTreeSet::new();
        }
        let (before, now) = (wishes(&before), wishes(wants));
        let came = now.iter().filter(|(key, hash)| before.get(key) != Some(hash)).map(|(key, _)| key);
        let went = before.keys().filter(|key| !now.contains_key(key));
        came.chain(went).map(|(zone, key)| ((*zone).clone(), key.name.clone())).collect()
    }

    /// Names of refusals that are newer than all before.
    fn refused(&mut self, changes: Option<&ChangeFeed>, zones: &Zones) -> BTreeSet<Place> {
        let events = changes.into_iter().flat_map(|feed| &feed.events);
        let mut found = BTreeSet::new();
        let mut newest = self.refused_at;
        for event in events {
            let ChangeEventKind::Refused(batch) = &event.kind else { continue };
            newest = newest.max(Some(event.at));
            if self.refused_at < Some(event.at) {
                found.extend(places_of(batch, zones));
            }
        }
        self.refused_at = newest;
        found
    }

    fn group(&self, (zone_id, name): &Place, wants: &[InstanceWants]) -> Option<UrgentName> {
        if name.defect().is_some() {
            return None;
        }
        let mut names: BTreeSet<DomainName> = [name.clone()].into();
        for one in wants.iter().filter(|one| one.zones.contains(zone_id)) {
            let wanted = one.wants.iter().filter(|want| want.name == *name).map(|want| &want.record_type);
            let mut types: Vec<&RecordType> = wanted.collect();
            if types.is_empty() {
                types.extend(&OWNED);
            }
            names.extend(types.into_iter().flat_map(|kind| heritage_names(&one.instance, name, kind)));
        }
        names.retain(|name| name.defect().is_none());
        let newer_than = *self.newer_than.get(&(zone_id.clone(), name.clone()))?;
        Some(UrgentName { zone_id: zone_id.clone(), names: names.into_iter().collect(), newer_than })
    }
}

/// The wishes in zones, each with a hash of what all instances want there.
fn wishes(wants: &[InstanceWants]) -> Table<(&ZoneId, RecordKey), u64> {
    let mut wishes = Table::default();
    for want in wants.iter().flat_map(|instance| &instance.wants) {
        let Some(zone) = want.zone_id() else { continue };
        let wish: &mut u64 = wishes.entry((zone, want.key())).or_default();
        let mut hasher = DefaultHasher::new();
        (want.targets(), *wish).hash(&mut hasher);
        *wish = hasher.finish();
    }
    wishes
}

/// Records with a finding that waits for its confirmation, and those with an open one.
fn troubled(report: &Report) -> (BTreeSet<Place>, BTreeSet<Place>) {
    let places = |state: State| -> BTreeSet<Place> {
        let findings = report.findings.iter().filter(|finding| finding.state == state);
        findings
            .filter_map(|finding| {
                let zone = finding.zone.as_ref()?.id.clone();
                Some((zone, finding.subject.record()?.name.clone()))
            })
            .collect()
    };
    (places(State::Pending), places(State::Open))
}

/// Where the names that somebody waits for can stand.
fn places_of_waited(waited: &Waited, zones: &Zones) -> BTreeSet<Place> {
    let zones = || zones.zones.values().map(|reading| &reading.zone);
    let within = |name: &DomainName| {
        let name = name.clone();
        zones().filter(move |zone| name.is_within(&zone.name)).map(|zone| zone.id.clone()).collect::<Vec<_>>()
    };
    waited.keys().flat_map(|name| within(name).into_iter().map(|zone| (zone, name.clone()))).collect()
}

/// What a refused batch would have changed, in the zone that it names or in all that can hold it.
fn places_of(batch: &RefusedBatch, zones: &Zones) -> BTreeSet<Place> {
    let attempted = batch.attempted.iter().map(|change| &change.name);
    let named = batch.errors.iter().filter_map(|error| error.name.as_ref());
    let mut places = BTreeSet::new();
    for name in attempted.chain(named).take(MAX_URGENT) {
        for reading in zones.zones.values() {
            let zone = &reading.zone;
            if batch.zone_id.as_ref().map_or_else(|| name.is_within(&zone.name), |id| *id == zone.id) {
                places.insert((zone.id.clone(), name.clone()));
            }
        }
    }
    places
}

#[cfg(test)]
mod tests;
