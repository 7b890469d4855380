//! Records that nothing wants any more, and records whose address is somebody else's. Pure.
//!
//! Source: findings.md, kinds `stale_record` and `dangling_record`; evidence rules 7 to 9.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::compare::claimable::claimable;
use crate::compare::fix::batch::Batch;
use crate::compare::live::says_nothing;
use crate::compare::owner::heritage_names;
use crate::compare::show;
use crate::compare::verdict::Candidate;
use crate::compare::wishes::{open, signed};
use crate::compare::world::World;
use crate::desired::sources::roster::source_of_registry_word;
use crate::finding::{FindingKey, Impact, Kind, Reason, Severity, SilentReason, Subject};
use crate::model::heritage::{Heritage, TxtRole};
use crate::model::instance::{Policy as Allowed, Registry};
use crate::model::observation::{Outcome, Vantage};
use crate::model::record::{Content, RecordSet, RecordType, Value};
use crate::model::want::InstanceWants;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef};
use crate::report::Fix;
use crate::snapshot::ViewName;

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

/// Records of an owner that no instance of this cluster has any more, for objects that are gone.
///
/// Other clusters are the usual case: the owner must have been one of ours, or the user asked for
/// left-overs of whole zones and knows no other cluster's addresses.
pub fn ownerless_records(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    let known: BTreeSet<&str> = world
        .wants
        .iter()
        .flat_map(|one| {
            [one.instance.flags.owner_id.as_str(), one.instance.flags.migrate_from_owner.as_str()]
        })
        .collect();
    let asked = world.policy.leftovers_in_zone && world.policy.inventory.is_none();
    let Some(reader) = world.wants.iter().find(|one| one.zones.contains(&zone.zone.id)) else { return };
    for txt in zone.records().iter().filter(|set| set.record_type == RecordType::Txt) {
        let TxtRole::Heritage(heritage) = TxtRole::of(txt) else { continue };
        let Some((owner, object)) = heritage.owner.as_deref().zip(heritage.object()) else { continue };
        let gone = !known.contains(owner) && (asked || world.has_wished(owner));
        if !gone || !is_absent(world, &object) {
            continue;
        }
        for set in owned_sets(reader, zone, txt).into_iter().filter(|set| !is_wanted(world, zone, &set.name))
        {
            let mut candidate = start(world, zone, set, Kind::StaleRecord, Reason::OwnerAbsent, Impact::None);
            candidate.evidence.push(format!("owner {owner}, made for {object}"));
            candidate.summary = format!(
                "{} belongs to the owner id {owner}, which no ExternalDNS of this cluster has.",
                set.key()
            );
            candidate.fix = removal(reader, zone, set, Some(owner));
            out.push(candidate);
        }
    }
}

/// The object is of a kind that we read and is not there.
fn is_absent(world: &World<'_>, object: &ObjectRef) -> bool {
    world
        .snapshot
        .kubernetes
        .value()
        .is_some_and(|cluster| cluster.watches(&object.kind) && !world.is_here(object))
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
#[must_use]
pub fn is_wanted(world: &World<'_>, zone: &ZoneReading, name: &DomainName) -> bool {
    world.lacks_target(name)
        || world.wanted(name).any(|want| want.zone_id().is_none_or(|id| *id == zone.zone.id))
}

/// True if the registry of the instance says that it owns the record.
#[must_use]
pub fn is_owned_by(wants: &InstanceWants, zone: &ZoneReading, set: &RecordSet) -> bool {
    let names = heritage_names(&wants.instance, &set.name, &set.record_type);
    names.iter().flat_map(|name| zone.at(name)).any(|txt| match TxtRole::of(txt) {
        TxtRole::Heritage(heritage) => heritage.owner.as_deref() == Some(&wants.instance.flags.owner_id),
        TxtRole::Encrypted | TxtRole::Other => false,
    })
}

/// The batch that takes a left-over away, with its AAAA half and the ownership of nothing else.
#[must_use]
pub fn removal(wants: &InstanceWants, zone: &ZoneReading, set: &RecordSet, owner: Option<&str>) -> Fix {
    let target = target_host(set);
    let half = |other: &&RecordSet| {
        target.is_some() && other.set_identifier == set.set_identifier && target_host(other) == target
    };
    let mut going: Vec<&RecordSet> = vec![set];
    going.extend(zone.at(&set.name).iter().filter(half));
    let txts = zone.records().iter().filter(|txt| {
        let TxtRole::Heritage(heritage) = TxtRole::of(txt) else { return false };
        let owned = owned_sets(wants, zone, txt);
        // One that speaks for nothing would be left as an orphan, unless it is the TXT of another name.
        let idle = || {
            let names = wants.instance.flags.affixes.owner_name(&txt.name);
            names.is_some_and(|(name, _)| name == set.name)
                && zone.at(&txt.name).iter().all(|other| other.record_type == RecordType::Txt)
        };
        let ours = owner.is_none_or(|owner| heritage.owner.as_deref() == Some(owner));
        ours && if owned.is_empty() { idle() } else { owned.iter().all(|one| going.contains(one)) }
    });
    let sets = going.iter().copied().chain(txts).cloned();
    Batch::deleting(sets).into_fix("Delete the record and its ownership TXT.", zone)
}

/// As [`removal`], by the registry of whichever instance reads the zone.
fn dangling_removal(world: &World<'_>, zone: &ZoneReading, set: &RecordSet) -> Fix {
    match world.wants.iter().find(|one| one.zones.contains(&zone.zone.id)) {
        Some(reader) => removal(reader, zone, set, None),
        None => Batch::deleting([set.clone()]).into_fix("Delete the record.", zone),
    }
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
    let source = source_of_registry_word(&object.kind);
    let watched = cluster.watches(&object.kind)
        && wants.instance.flags.sources.iter().any(|given| Some(given.as_str()) == source);
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
    candidate.fix = removal(wants, zone, set, heritage.owner.as_deref());
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
    let gone = world.remembered(object);
    let renamed = gone.filter(|past| past.deleted_at.is_none()).and_then(|past| past.last.changed_at);
    let wished = world.wished(name);
    let dropped = wished.filter_map(|(_, sightings)| sightings.last()).map(|last| last.until).max();
    let start = gone.and_then(|past| past.deleted_at).or(renamed).or(dropped)?;
    let length = signed(wants.instance.sync_window(world.policy.deleted_floor));
    open(SilentReason::GraceDeleted, start, length, world.at())
}

/// Records that nobody wants and whose target is provably gone: a host name that its own servers
/// deny, or an address outside of a complete inventory.
pub fn dangling_records(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    dead_hosts(world, zone, out);
    foreign_addresses(world, zone, out);
}

fn dead_hosts(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    let complete = world.policy.inventory.as_ref().is_some_and(|inventory| inventory.complete);
    for set in zone.records().iter().filter(|set| set.record_type.is_address()) {
        let Some(host) = target_host(set).filter(|host| is_denied(world, host)) else { continue };
        let owned =
            world.wants.iter().any(|one| one.zones.contains(&zone.zone.id) && is_owned_by(one, zone, set));
        let in_scope = owned || world.policy.leftovers_in_zone;
        if !in_scope || is_wanted(world, zone, &set.name) || policy_keeps(world, zone, &set.name) {
            continue;
        }
        let service = claimable(&host);
        let reason = if service.is_some() { Reason::ClaimableService } else { Reason::TargetNxdomain };
        let mut candidate = start(world, zone, set, Kind::DanglingRecord, reason, Impact::Security);
        if !complete {
            candidate.severity = Severity::Warning;
        }
        candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
        candidate.evidence.push(format!("the servers of {host} deny it"));
        candidate.evidence.extend(service.map(|name| format!("anybody can register it: {name}")));
        candidate.summary = format!("{} points at {host}, which does not exist any more.", set.key());
        candidate.fix = dangling_removal(world, zone, set);
        explain_twin(&mut candidate, zone, set);
        out.push(candidate);
    }
}

/// The AAAA half of an alias goes with its A half.
fn explain_twin(candidate: &mut Candidate, zone: &ZoneReading, set: &RecordSet) {
    let twin = crate::model::RecordKey { record_type: RecordType::A, ..set.key() };
    let kind = candidate.key.kind;
    if set.record_type == RecordType::Aaaa
        && zone
            .at(&set.name)
            .iter()
            .any(|other| other.key() == twin && target_host(other) == target_host(set))
        && target_host(set).is_some()
    {
        candidate.explained_by = Some((Subject::Record(twin), kind));
    }
}

fn target_host(set: &RecordSet) -> Option<DomainName> {
    match &set.content {
        Content::Alias(target) => Some(target.bare_name()),
        Content::Values { values, .. } => values.iter().find_map(Value::host).cloned(),
        Content::TrafficPolicy(_) => None,
    }
}

/// All own servers of the host that said anything said that it does not exist.
fn is_denied(world: &World<'_>, host: &DomainName) -> bool {
    let seen = world.answers.get(host).map(Vec::as_slice).unwrap_or_default();
    let own: Vec<_> = seen
        .iter()
        .filter(|answer| answer.vantage == Vantage::Authoritative && !says_nothing(answer.outcome))
        .collect();
    2 <= own.len() && own.iter().all(|answer| answer.outcome == Outcome::Nxdomain)
}

fn foreign_addresses(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    let Some(inventory) = world.policy.inventory.as_ref().filter(|inventory| inventory.complete) else {
        return;
    };
    for set in zone.records().iter().filter(|set| matches!(set.record_type, RecordType::A | RecordType::Aaaa))
    {
        let addresses: Vec<IpAddr> = set.content.plain_values().iter().filter_map(Value::ip).collect();
        let foreign = !addresses.is_empty() && addresses.iter().all(|ip| !inventory.addresses.contains(ip));
        let owned =
            world.wants.iter().any(|one| one.zones.contains(&zone.zone.id) && is_owned_by(one, zone, set));
        let in_scope = owned || world.policy.leftovers_in_zone;
        if !foreign || !in_scope || is_wanted(world, zone, &set.name) || policy_keeps(world, zone, &set.name)
        {
            continue;
        }
        let mut candidate =
            start(world, zone, set, Kind::DanglingRecord, Reason::IpNotOurs, Impact::Security);
        candidate.evidence = addresses.iter().map(|ip| format!("{ip} is in no inventory")).collect();
        candidate.summary = format!(
            "{} points at an address that is not ours; whoever holds it can speak for the name.",
            set.key()
        );
        candidate.fix = dangling_removal(world, zone, set);
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
