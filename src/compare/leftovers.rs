//! Records that nothing wants any more, and records whose address is somebody else's. Pure.
//!
//! Source: findings.md, kinds `stale_record` and `dangling_record`; evidence rules 7 to 9.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::compare::show;
use crate::compare::verdict::Candidate;
use crate::compare::wishes::{open, signed};
use crate::compare::world::World;
use crate::desired::merge::is_same;
use crate::finding::{FindingKey, Impact, Kind, Reason, SilentReason, Subject};
use crate::model::heritage::{Heritage, TxtRole};
use crate::model::instance::{Policy as Allowed, Registry};
use crate::model::record::{RecordSet, RecordType, Value};
use crate::model::want::InstanceWants;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef};
use crate::report::Fix;

/// Owned records of one instance whose objects are gone or want something else.
pub fn stale_records(world: &World<'_>, wants: &InstanceWants, out: &mut Vec<Candidate>) {
    let flags = &wants.instance.flags;
    if flags.registry != Registry::Txt || flags.txt_encrypt || !wants.unknown.is_empty() {
        return;
    }
    for zone in wants.zones.iter().filter_map(|id| world.zone(id)) {
        let mut seen = BTreeSet::new();
        for txt in zone.records().iter().filter(|set| set.record_type == RecordType::Txt) {
            let TxtRole::Heritage(heritage) = TxtRole::of(txt) else { continue };
            if heritage.owner.as_deref() != Some(&flags.owner_id) {
                continue;
            }
            for set in owned_sets(wants, zone, txt) {
                if seen.insert(set.key()) && !is_wanted(world, zone, &set.name) {
                    out.extend(stale_record(world, wants, zone, set, &heritage));
                }
            }
        }
    }
}

/// The records that an ownership TXT speaks for.
fn owned_sets<'a>(wants: &InstanceWants, zone: &'a ZoneReading, txt: &RecordSet) -> Vec<&'a RecordSet> {
    let Some((name, record_type)) = wants.instance.flags.affixes.owner_name(&txt.name) else {
        return Vec::new();
    };
    let fits = |set: &&RecordSet| {
        set.record_type.is_address()
            && set.set_identifier == txt.set_identifier
            && record_type.as_ref().is_none_or(|kind| *kind == set.record_type || *kind == RecordType::Cname)
    };
    zone.at(&name).iter().filter(fits).collect()
}

/// Anybody wants the name there, or names it without having a target for it.
fn is_wanted(world: &World<'_>, zone: &ZoneReading, name: &DomainName) -> bool {
    world.wants.iter().any(|one| {
        one.wants.iter().any(|want| want.name == *name && want.zone_id().is_none_or(|id| *id == zone.zone.id))
            || one.without_target.iter().any(|object| object.names.contains(name))
    })
}

fn stale_record(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    set: &RecordSet,
    heritage: &Heritage,
) -> Option<Candidate> {
    let object = heritage.object()?;
    let cluster = world.snapshot.kubernetes.value()?;
    let watched = cluster.watched_kinds.iter().any(|kind| kind.eq_ignore_ascii_case(&object.kind))
        && wants.instance.flags.sources.iter().any(|source| source.eq_ignore_ascii_case(&object.kind));
    if !watched {
        return None;
    }
    let keeps = wants.instance.flags.policy != Allowed::Sync;
    let reason = if keeps { Reason::PolicyKeeps } else { Reason::NotDeleted };
    let mut candidate = start(world, zone, set, Kind::StaleRecord, reason, Impact::None);
    candidate.key.instance = Some(wants.instance.id.clone());
    candidate.window = grace_deleted(world, wants, &object, &set.name);
    candidate.summary =
        format!("{} stays in zone {}, but {object} no longer asks for it.", set.key(), zone.zone.name);
    candidate.fix = Fix { summary: "Delete the record and its ownership TXT.".to_owned(), ..Fix::default() };
    Some(candidate)
}

fn start(
    world: &World<'_>,
    zone: &ZoneReading,
    set: &RecordSet,
    kind: Kind,
    reason: Reason,
    impact: Impact,
) -> Candidate {
    let key = FindingKey {
        subject: Subject::Record(set.key()),
        zone_id: Some(zone.zone.id.clone()),
        instance: None,
        kind,
    };
    let mut candidate = Candidate::new(key, reason, impact, zone.read_at.unwrap_or(world.at()));
    candidate.recorded = show::records(zone.at(&set.name));
    candidate.live = show::live(world, &set.name);
    candidate
}

/// From the deletion of the object, or from the round in which it stopped to want the name.
fn grace_deleted(
    world: &World<'_>,
    wants: &InstanceWants,
    object: &ObjectRef,
    name: &DomainName,
) -> Option<crate::finding::Window> {
    let gone = world.past.objects.values().find(|past| is_same(object, &past.last.reference));
    let renamed = gone.filter(|past| past.deleted_at.is_none()).and_then(|past| past.last.changed_at);
    let dropped = world.past.wishes.iter().filter(|((_, key), _)| key.name == *name);
    let dropped = dropped.filter_map(|(_, sightings)| sightings.last()).map(|last| last.until).max();
    let start = gone.and_then(|past| past.deleted_at).or(renamed).or(dropped)?;
    let length = signed(wants.instance.sync_window(world.policy.deleted_floor));
    open(SilentReason::GraceDeleted, start, length, world.at())
}

/// Records of a zone that point at addresses outside of a complete inventory.
pub fn dangling_records(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    let Some(inventory) = world.policy.inventory.as_ref().filter(|inventory| inventory.complete) else {
        return;
    };
    if !world.policy.leftovers_in_zone {
        return;
    }
    for set in zone.records().iter().filter(|set| matches!(set.record_type, RecordType::A | RecordType::Aaaa))
    {
        let addresses: Vec<IpAddr> = set.content.plain_values().iter().filter_map(Value::ip).collect();
        let foreign = !addresses.is_empty() && addresses.iter().all(|ip| !inventory.addresses.contains(ip));
        if !foreign || is_wanted(world, zone, &set.name) || policy_keeps(world, zone, &set.name) {
            continue;
        }
        let mut candidate =
            start(world, zone, set, Kind::DanglingRecord, Reason::IpNotOurs, Impact::Security);
        candidate.evidence = addresses.iter().map(|ip| format!("{ip} is in no inventory")).collect();
        candidate.summary = format!(
            "{} points at an address that is not ours; whoever holds it can speak for the name.",
            set.key()
        );
        candidate.fix = Fix { summary: "Delete the record.".to_owned(), ..Fix::default() };
        out.push(candidate);
    }
}

/// A left-over that the policy of a running instance keeps is never dangling.
fn policy_keeps(world: &World<'_>, zone: &ZoneReading, name: &DomainName) -> bool {
    world.wants.iter().filter(|one| one.instance.flags.policy != Allowed::Sync).any(|one| {
        zone.records().iter().filter(|set| set.record_type == RecordType::Txt).any(|txt| {
            let ours = matches!(TxtRole::of(txt), TxtRole::Heritage(heritage)
                if heritage.owner.as_deref() == Some(&one.instance.flags.owner_id));
            ours && one.instance.flags.affixes.owner_name(&txt.name).is_some_and(|(owned, _)| owned == *name)
        })
    })
}
