//! What is known of the zones of one account: old until the new is complete, never a part.
//!
//! Shared by the listing and by the reading of single names. Pure; whoever reads says when it began.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::zone::{
    CheckerVotes, RecordSets, TestedAnswer, TestedName, ZoneReading, Zones, sort_record_sets,
};
use crate::model::{DomainName, HostedZone, RecordSet, ZoneId};
use crate::snapshot::{Problem, Reading, ViewState};

/// Zones, and what stood in the way of reading them.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) zones: BTreeMap<ZoneId, ZoneReading>,
    pub(crate) zone_problems: BTreeMap<ZoneId, Problem>,
    pub(crate) health: BTreeMap<Arc<str>, CheckerVotes>,
    pub(crate) tested: BTreeMap<TestedName, TestedAnswer>,
    /// What kept the last listing from ending: belongs to no single zone.
    pub(crate) common_problem: Option<Problem>,
    /// Begin of the last listing that came to its end with at least one zone read.
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) state: ViewState,
}

// === impl View ===

impl View {
    /// Nothing read.
    pub(crate) fn new() -> Self {
        Self {
            zones: BTreeMap::new(),
            zone_problems: BTreeMap::new(),
            health: BTreeMap::new(),
            tested: BTreeMap::new(),
            common_problem: None,
            read_at: None,
            state: ViewState::Unread,
        }
    }

    /// The clock was set back if anything was read later than now. Without this, everything that is
    /// read from now on would count as older than what is known, until the clock has caught up.
    pub(crate) fn set_back(&mut self, now: Timestamp) {
        self.read_at = self.read_at.map(|at| at.min(now));
        for reading in self.zones.values_mut() {
            reading.read_at = reading.read_at.map(|at| at.min(now));
            for at in reading.names_read.values_mut() {
                *at = now.min(*at);
            }
        }
    }

    /// As the rounds get it.
    pub(crate) fn reading(&self) -> Reading<Zones> {
        let problems = self.common_problem.iter().chain(self.zone_problems.values()).cloned().collect();
        let value = self.read_at.map(|_| {
            let (health, tested) = (self.health.clone(), self.tested.clone());
            Arc::new(Zones { zones: self.zones.clone(), changes: Vec::new(), health, tested })
        });
        Reading { state: self.state, read_at: self.read_at, value, problems }
    }

    /// Forgets all other zones.
    pub(crate) fn retain(&mut self, alive: &BTreeSet<ZoneId>) {
        self.zones.retain(|id, _| alive.contains(id));
        self.zone_problems.retain(|id, _| alive.contains(id));
        self.tested.retain(|name, _| alive.contains(&name.zone_id));
    }

    /// Takes over what is told about a zone and its complete listing; true if either differs.
    pub(crate) fn store(
        &mut self,
        zone: HostedZone,
        records: Vec<RecordSet>,
        began: Timestamp,
        problem: Option<&Problem>,
    ) -> bool {
        let id = zone.id.clone();
        let reading = self.zones.entry(id.clone()).or_insert_with(|| ZoneReading::unread(zone.clone()));
        let other_zone = reading.zone != zone;
        reading.zone = zone;
        let other_records = put(reading, records, began);
        let before = match problem {
            Some(problem) => self.zone_problems.insert(id, problem.clone()),
            None => self.zone_problems.remove(&id),
        };
        other_zone || other_records || before.as_ref() != problem
    }

    /// Takes over a complete listing of a zone that is known; true if it differs.
    pub(crate) fn store_records(&mut self, id: &ZoneId, records: Vec<RecordSet>, began: Timestamp) -> bool {
        self.zones.get_mut(id).is_some_and(|reading| put(reading, records, began))
    }

    /// Takes over the record sets of some names, read alone; true if they differ from before.
    ///
    /// A zone without a complete listing stays unread.
    pub(crate) fn store_names(
        &mut self,
        id: &ZoneId,
        names: &[DomainName],
        found: &[RecordSet],
        began: Timestamp,
    ) -> bool {
        let Some(reading) = self.zones.get_mut(id) else { return false };
        let Some(records) = &reading.record_sets else { return false };
        let newer: BTreeSet<DomainName> =
            names.iter().filter(|name| reading.name_read_at(name) < Some(began)).cloned().collect();
        let differs = newer.iter().any(|name| {
            let new = found.iter().filter(|set| set.name == *name);
            !new.eq(reading.at(name))
        });
        if differs {
            let is_newer = |set: &RecordSet| newer.contains(&set.name);
            let mut merged: Vec<RecordSet> = records.iter().filter(|set| !is_newer(set)).cloned().collect();
            merged.extend(found.iter().filter(|set| is_newer(set)).cloned());
            reading.record_sets = Some(Arc::new(RecordSets::new(merged)));
        }
        reading.names_read.extend(newer.into_iter().map(|name| (name, began)));
        differs
    }

    /// Notes that a zone could not be read; what was known stays. True if the problem is new.
    pub(crate) fn keep(&mut self, zone: HostedZone, problem: Problem) -> bool {
        let id = zone.id.clone();
        self.zones.entry(id.clone()).or_insert_with(|| ZoneReading::unread(zone)).list_failed = true;
        self.zone_problems.insert(id, problem.clone()) != Some(problem)
    }

    /// Notes that nothing can be read of a zone, known or not.
    pub(crate) fn fail(&mut self, id: &ZoneId, problem: Problem) {
        if let Some(reading) = self.zones.get_mut(id) {
            reading.list_failed = true;
        }
        self.zone_problems.insert(id.clone(), problem);
    }

    /// Notes a zone whose record sets are another shard's to read.
    pub(crate) fn list_only(&mut self, zone: HostedZone) -> bool {
        self.zone_problems.remove(&zone.id);
        let same = |known: &ZoneReading| known.zone == zone && known.record_sets.is_none();
        let differs = !self.zones.get(&zone.id).is_some_and(same);
        if differs {
            self.zones.insert(zone.id.clone(), ZoneReading::unread(zone));
        }
        differs
    }

    pub(crate) fn forget(&mut self, id: &ZoneId) {
        self.zones.remove(id);
        self.zone_problems.remove(id);
    }
}

/// A listing takes a while: names that were read alone since it began keep what they have.
fn put(reading: &mut ZoneReading, mut records: Vec<RecordSet>, began: Timestamp) -> bool {
    reading.list_failed = false;
    if Some(began) < reading.read_at {
        return false;
    }
    reading.names_read.retain(|_, at| began < *at);
    let newer: Vec<DomainName> = reading.names_read.keys().cloned().collect();
    if !newer.is_empty() {
        records.retain(|set| !reading.names_read.contains_key(&set.name));
        for name in &newer {
            records.extend(reading.at(name).iter().cloned());
        }
    }
    sort_record_sets(&mut records);
    reading.read_at = Some(began);
    // An unchanged listing keeps its place in memory, so that readers can compare by address.
    if reading.record_sets.as_deref().is_some_and(|known| **known == *records) {
        return false;
    }
    reading.record_sets = Some(Arc::new(RecordSets::new(records)));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, RecordType};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn set(name: &str, ttl: u32) -> RecordSet {
        RecordSet {
            name: DomainName::new(name),
            record_type: RecordType::A,
            set_identifier: None,
            routing: None,
            content: Content::values(ttl, []),
            health_check_id: None,
        }
    }

    fn view(names: &[&str], began: i64) -> (View, ZoneId) {
        let raw = crate::recorded::decode::RawHostedZone {
            id: "Z1".to_owned(),
            name: "example.com.".to_owned(),
            ..Default::default()
        };
        let zone = raw.decode().expect("a zone");
        let id = zone.id.clone();
        let mut view = View::new();
        view.read_at = Some(at(began));
        view.store(zone, names.iter().map(|name| set(name, 60)).collect(), at(began), None);
        (view, id)
    }

    fn ttl(view: &View, id: &ZoneId, name: &str) -> Option<u32> {
        let reading = &view.zones[id];
        reading.at(&DomainName::new(name)).first().and_then(|set| match set.content {
            Content::Values { ttl, .. } => Some(ttl),
            Content::Alias(_) | Content::TrafficPolicy(_) => None,
        })
    }

    #[test]
    fn a_name_read_alone_is_merged_with_its_own_time() {
        let (mut view, id) = view(&["a.example.com", "c.example.com"], 10);
        let names = ["a.example.com", "b.example.com", "c.example.com"].map(DomainName::new);
        let found = vec![set("a.example.com", 60), set("b.example.com", 5)];
        assert!(view.store_names(&id, &names, &found, at(20)));
        assert_eq!(ttl(&view, &id, "a.example.com"), Some(60));
        assert_eq!(ttl(&view, &id, "b.example.com"), Some(5), "it appeared");
        assert_eq!(ttl(&view, &id, "c.example.com"), None, "it is gone");
        let reading = &view.zones[&id];
        assert_eq!(reading.read_at, Some(at(10)), "the rest of the zone is as old as it was");
        assert_eq!(reading.name_read_at(&names[1]), Some(at(20)));
        assert_eq!(reading.name_read_at(&DomainName::new("x.example.com")), Some(at(10)));
        let before = Arc::clone(reading.record_sets.as_ref().expect("read"));
        assert!(!view.store_names(&id, &names[..1], &[set("a.example.com", 60)], at(30)));
        assert!(Arc::ptr_eq(&before, view.zones[&id].record_sets.as_ref().expect("read")));
        assert!(!view.store_names(&id, &names[..1], &[], at(25)), "late answers change nothing");
    }

    #[test]
    fn a_listing_that_began_earlier_does_not_undo_a_newer_name() {
        let (mut view, id) = view(&["a.example.com"], 10);
        let name = [DomainName::new("b.example.com")];
        view.store_names(&id, &name, &[set("b.example.com", 5)], at(30));
        assert!(!view.store_records(&id, vec![set("a.example.com", 60)], at(20)));
        assert_eq!(ttl(&view, &id, "b.example.com"), Some(5));
        assert_eq!(view.zones[&id].read_at, Some(at(20)));
        assert!(view.store_records(&id, vec![set("a.example.com", 60)], at(40)));
        assert_eq!(ttl(&view, &id, "b.example.com"), None);
        assert!(view.zones[&id].names_read.is_empty());
        assert!(!view.store_records(&id, Vec::new(), at(39)), "an older listing that ends later");
        assert_eq!(ttl(&view, &id, "a.example.com"), Some(60));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hide_what_is_read_now() {
        let (mut view, id) = view(&["a.example.com"], 100);
        let name = [DomainName::new("b.example.com")];
        view.store_names(&id, &name, &[set("b.example.com", 5)], at(110));
        assert!(!view.store_records(&id, vec![set("c.example.com", 60)], at(50)));
        view.set_back(at(50));
        assert!(view.store_records(&id, vec![set("c.example.com", 60)], at(50)));
        assert_eq!(ttl(&view, &id, "c.example.com"), Some(60));
        assert_eq!(view.read_at, Some(at(50)));
        view.set_back(at(60));
        assert_eq!(view.zones[&id].read_at, Some(at(50)), "a clock that goes on changes nothing");
    }

    #[test]
    fn no_listing_no_names() {
        let (mut view, id) = view(&["a.example.com"], 10);
        view.zones.get_mut(&id).expect("zone").record_sets = None;
        let name = [DomainName::new("b.example.com")];
        assert!(!view.store_names(&id, &name, &[set("b.example.com", 5)], at(30)));
        assert!(view.zones[&id].record_sets.is_none(), "never a part of a zone");
    }
}
