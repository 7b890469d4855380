//! The way back from a mass deletion: what stood at the names that are gone, with its ownership. Pure.
//!
//! The records are those of the last round that saw them. A member of a routing set is left out: its policy
//! is not remembered.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::compare::fix::batch::Batch;
use crate::compare::owner::{Ownership, ownership};
use crate::compare::world::World;
use crate::model::instance::Registry;
use crate::model::record::{RecordSet, RecordType};
use crate::model::want::{InstanceWants, Placement, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef, ZoneId};
use crate::past::names::Held;
use crate::report::Fix;

/// Names in one batch: its command stays below the 128 KiB that Linux takes as one argument, and below the
/// 1,000 changes of a request. Source: `MAX_ARG_STRLEN`; Route 53 quotas.
const NAMES_IN_A_BATCH: usize = 100;

/// Batches in one finding, so that a report stays readable.
const MOST_BATCHES: usize = 5;

/// What brings names back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restoration {
    /// The batches, each with the names that it brings back; none when nothing is known.
    parts: Vec<Part>,
    /// Names that the batches have no room for.
    left: usize,
    /// The ownership cannot be written by hand.
    is_nobodys: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Part {
    names: usize,
    fix: Fix,
}

impl Restoration {
    /// What the zones of the instance held at these names when they were last seen, of what has gone since. Of a
    /// name with a record type only that is lost.
    #[must_use]
    pub fn of(
        world: &World<'_>,
        wants: &InstanceWants,
        names: &BTreeMap<&DomainName, Option<RecordType>>,
        since: Timestamp,
    ) -> Self {
        let mut lost: BTreeMap<ZoneId, BTreeMap<&DomainName, Vec<RecordSet>>> = BTreeMap::new();
        for (name, half) in names {
            let records = world.past.names.records_at(name).iter();
            let of_half = |held: &&Held| half.as_ref().is_none_or(|half| held.record_type == *half);
            for held in records.filter(of_half) {
                if let Some(set) = last_seen(name, held, since).filter(|_| wants.zones.contains(&held.place))
                {
                    lost.entry(held.place.clone()).or_default().entry(name).or_default().push(set);
                }
            }
        }
        let objects = objects(wants);
        let flags = &wants.instance.flags;
        let is_nobodys = flags.registry != Registry::Noop && !flags.shows_ownership();
        let mut all = Self { is_nobodys, ..Self::default() };
        for (id, lost) in lost {
            let Some(zone) = world.zone(&id).filter(|zone| zone.record_sets.is_some()) else { continue };
            all.take_zone(wants, &objects, zone, lost);
        }
        all
    }

    fn take_zone(
        &mut self,
        wants: &InstanceWants,
        objects: &BTreeMap<&DomainName, &ObjectRef>,
        zone: &ZoneReading,
        lost: BTreeMap<&DomainName, Vec<RecordSet>>,
    ) {
        let is_alias = |sets: &[RecordSet]| sets.iter().any(|set| set.content.alias().is_some());
        // The target of an alias into the zone may come back with the same batch.
        let (aliases, plain): (Vec<_>, Vec<_>) = lost.into_iter().partition(|(_, sets)| is_alias(sets));
        let mut queue = plain.into_iter().chain(aliases).peekable();
        while queue.peek().is_some() {
            if self.parts.len() == MOST_BATCHES {
                self.left += queue.count();
                return;
            }
            let (mut batch, mut names) = (Batch::default(), 0);
            for (name, sets) in queue.by_ref().take(NAMES_IN_A_BATCH) {
                let object = objects.get(name).copied();
                let wishes: Vec<Want> = sets.into_iter().map(|set| wish(set, object, zone)).collect();
                let is_taken = |want| matches!(ownership(&wants.instance, want, zone), Ownership::Foreign(_));
                if wishes.iter().any(is_taken) {
                    continue;
                }
                let mut more = batch.clone();
                for want in &wishes {
                    more.bring_back(&wants.instance, want, zone);
                }
                if more.defect(zone).is_none() && more.obstacles(zone).is_empty() {
                    batch = more;
                    names += 1;
                }
            }
            if 0 < names {
                self.parts.push(Part { names, fix: batch.into_fix("", zone) });
            }
        }
    }

    /// Adds the commands, and what they do to the summary. The batch and its inverse are those of the only
    /// one: another would be of another zone, or half of what there is.
    pub fn add_to(mut self, fix: &mut Fix) {
        let names: usize = self.parts.iter().map(|part| part.names).sum();
        if names == 0 {
            return;
        }
        let rest = match self.left {
            0 => String::new(),
            left => format!(" ({left} more have no room here)"),
        };
        let nobodys = if self.is_nobodys {
            " What is written by hand stays nobody's until it is deleted again."
        } else {
            ""
        };
        fix.summary = format!(
            "{} If they were meant to stay, what brings {names} of them back as they were is printed below{rest}.{nobodys}",
            fix.summary
        );
        if let [only] = &mut *self.parts {
            fix.change_batch = only.fix.change_batch.take();
            fix.inverse_batch = only.fix.inverse_batch.take();
        }
        fix.commands.extend(self.parts.into_iter().flat_map(|part| part.fix.commands));
    }
}

/// What stood at the name before it went; `None` for what is there, or went before the others.
fn last_seen(name: &DomainName, held: &Held, since: Timestamp) -> Option<RecordSet> {
    let (gone, before) = held.sightings.split_last()?;
    let is_lost = gone.value.is_none() && since <= gone.since && held.set_identifier.is_none();
    let last = before.last().filter(|_| is_lost)?;
    Some(RecordSet {
        name: name.clone(),
        record_type: held.record_type.clone(),
        set_identifier: None,
        routing: None,
        content: last.value.clone()?,
        health_check_id: None,
    })
}

/// The objects that still name a host, for the label of its ownership.
fn objects(wants: &InstanceWants) -> BTreeMap<&DomainName, &ObjectRef> {
    let wanted = wants.wants.iter().filter_map(|want| Some((&want.name, want.objects.first()?)));
    let without =
        wants.without_target.iter().flat_map(|one| one.names.iter().map(|name| (name, &one.object)));
    without.chain(wanted).collect()
}

/// The wish behind a record that stood there.
fn wish(set: RecordSet, object: Option<&ObjectRef>, zone: &ZoneReading) -> Want {
    let is_alias = set.content.alias().is_some();
    Want {
        companion: is_alias && set.record_type == RecordType::Aaaa,
        objects: object.into_iter().cloned().collect(),
        ..Want::plain(set.name, set.record_type, set.content, Placement::Zone(zone.zone.id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixture::{ZONE, instance, wants, zone_reading};
    use crate::model::record::{AliasTarget, Content, Value};

    const OURS: &str = "\"heritage=external-dns,external-dns/owner=owner\"";
    const THEIRS: &str = "\"heritage=external-dns,external-dns/owner=other\"";

    fn set(name: &str, record_type: RecordType, value: &str) -> RecordSet {
        let content = Content::values(60, [Value::new(&record_type, value)]);
        RecordSet {
            name: DomainName::new(name),
            record_type,
            set_identifier: None,
            routing: None,
            content,
            health_check_id: None,
        }
    }

    fn address(name: &str) -> RecordSet {
        set(name, RecordType::A, "192.0.2.1")
    }

    fn alias(name: &str, target: &str) -> RecordSet {
        let content = Content::Alias(Arc::new(AliasTarget {
            dns_name: DomainName::new(target),
            hosted_zone_id: Some(ZoneId::new(ZONE)),
            evaluate_target_health: false,
        }));
        RecordSet { content, ..address(name) }
    }

    /// The restoration of what was lost from a zone that holds something else now.
    fn restored(args: &[&str], lost: &[RecordSet], held: &[RecordSet]) -> Restoration {
        let wants = InstanceWants { instance: Arc::new(instance(args, "v0.21.0")), ..wants(Vec::new()) };
        let zone = zone_reading(ZONE, "example.com", held.to_vec());
        let mut rows: BTreeMap<&DomainName, Vec<RecordSet>> = BTreeMap::new();
        for one in lost {
            rows.entry(&one.name).or_default().push(one.clone());
        }
        let mut all = Restoration::default();
        all.take_zone(&wants, &BTreeMap::new(), &zone, rows);
        all
    }

    fn created(part: &Part) -> Vec<(String, String)> {
        let changes = part.fix.change_batch.as_ref().unwrap()["Changes"].as_array().unwrap();
        assert!(changes.iter().all(|change| change["Action"] == "CREATE"));
        let text = |value: &serde_json::Value| value.as_str().unwrap().trim_end_matches('.').to_owned();
        let row = |change: &serde_json::Value| {
            let set = &change["ResourceRecordSet"];
            (text(&set["Name"]), text(&set["Type"]))
        };
        changes.iter().map(row).collect()
    }

    const ARGS: [&str; 2] = ["--registry=txt", "--txt-owner-id=owner"];

    #[test]
    fn records_come_back_with_their_ownership() {
        let all = restored(&ARGS, &[alias("a.example.com", "b.example.com"), address("b.example.com")], &[]);
        let [part] = &*all.parts else { panic!("{all:?}") };
        assert_eq!(part.names, 2);
        let mut rows = created(part);
        rows.sort();
        let row = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        // The ownership of an alias is kept as that of a CNAME before v0.22.0.
        let wanted = [
            row("a-b.example.com", "TXT"),
            row("a.example.com", "A"),
            row("b.example.com", "A"),
            row("cname-a.example.com", "TXT"),
        ];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn what_stands_there_by_now_stays() {
        let lost = ["a.example.com", "b.example.com", "c.example.com"].map(address);
        let cname = set("a.example.com", RecordType::Cname, "lb.example.net");
        let theirs = set("a-b.example.com", RecordType::Txt, THEIRS);
        let ours = set("a-c.example.com", RecordType::Txt, OURS);
        let all = restored(&ARGS, &lost, &[cname, theirs, ours]);
        let [part] = &*all.parts else { panic!("{all:?}") };
        assert_eq!(created(part), [("c.example.com".to_owned(), "A".to_owned())]);
    }

    #[test]
    fn a_batch_is_never_too_long() {
        let many = |count: usize| (0..count).map(|one| address(&format!("h{one}.example.com")));
        let all = restored(&ARGS, &many(120).collect::<Vec<_>>(), &[]);
        assert_eq!(all.parts.iter().map(|part| part.names).collect::<Vec<_>>(), [100, 20]);
        let mut fix = Fix { summary: "Stop it.".to_owned(), ..Fix::default() };
        all.add_to(&mut fix);
        assert!(fix.summary.contains("brings 120 of them back") && fix.change_batch.is_none(), "{fix:?}");
        assert!(fix.commands.len() == 2 && fix.commands.iter().all(|one| one.len() < 128 * 1024));
        let mut fix = Fix::default();
        restored(&ARGS, &many(517).collect::<Vec<_>>(), &[]).add_to(&mut fix);
        assert!(fix.summary.contains("brings 500 of them") && fix.summary.contains("(17 more"), "{fix:?}");
    }
}
