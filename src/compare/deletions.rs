//! Deletions that Route 53 refuses: the record stays although nobody wants it. Pure.

use std::collections::BTreeSet;

use crate::compare::feed::{Refusal, Refusals, still_counts};
use crate::compare::fix::sentence::plain;
use crate::compare::leftovers::{is_former_family, is_owned_by, is_wanted, removal, unless_asked};
use crate::compare::show;
use crate::compare::verdict::Candidate;
use crate::compare::world::World;
use crate::finding::{Cause, FindingKey, Impact, Kind, Reason, Subject};
use crate::model::Version;
use crate::model::ZoneId;
use crate::model::change::{Action, AttemptedChange, ChangeEventKind};
use crate::model::heritage::TxtRole;
use crate::model::instance::{Flags, Registry};
use crate::model::record::{RecordKey, RecordSet, RecordType};
use crate::model::want::InstanceWants;
use crate::model::zone::ZoneReading;
use crate::report::Fix;
use crate::snapshot::ViewName;

/// From this release on the ownership of an alias is deleted under `a-<name>`, where older
/// releases have never put it.
const DELETES_OTHER_TXT: Version = Version::new(0, 22, 0);

/// Refused changes of records that stand and that nobody wants.
pub fn refused_deletions(
    world: &World<'_>,
    wants: &InstanceWants,
    refused: &Refusals,
    out: &mut Vec<Candidate>,
) {
    let mut told: BTreeSet<(&ZoneId, RecordKey)> = BTreeSet::new();
    for (key, called, refusal) in refused.iter() {
        let zones = wants.zones.iter().filter(|id| called.is_none_or(|called| called == *id));
        let zones = zones.filter_map(|id| world.zone(id));
        for zone in zones.filter(|zone| key.name.is_within(&zone.zone.name)) {
            let read_at = zone.read_at.unwrap_or(world.at());
            if !still_counts(refusal, &wants.instance, read_at) || !was_deletion(world, refusal, key) {
                continue;
            }
            let is_meant = |set: &&RecordSet| {
                set.key() == *key || may_be_member(world, wants, zone, set, (key, refusal))
            };
            for set in zone.at(&key.name).iter().filter(is_meant) {
                let unwanted = !is_wanted(world, zone, set) || is_former_family(world, zone, set);
                if unwanted
                    && !went_through(world, zone, set, refusal)
                    && told.insert((&zone.zone.id, set.key()))
                {
                    out.push(candidate(world, wants, zone, set, refusal));
                }
            }
        }
    }
}

/// True if the record was deleted later: what stands there is another one.
fn went_through(world: &World<'_>, zone: &ZoneReading, set: &RecordSet, refusal: &Refusal) -> bool {
    let events = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
    events.filter(|event| refusal.at < event.at).any(|event| {
        let ChangeEventKind::Applied(batch) = &event.kind else { return false };
        batch.zone_id.as_ref().is_none_or(|id| *id == zone.zone.id)
            && batch.changes.iter().any(|change| {
                change.action == Action::Delete
                    && change.name == set.name
                    && change.record_type == set.record_type
                    && (change.set_identifier.is_none() || change.set_identifier == set.set_identifier)
            })
    })
}

/// A log tells no set identifiers: any member that the instance owns and nobody wants may be meant.
fn may_be_member(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    set: &RecordSet,
    (key, refusal): (&RecordKey, &Refusal),
) -> bool {
    let tells_none = || {
        attempted(world, refusal).any(|change| {
            change.action == Action::Delete
                && change.name == key.name
                && change.record_type == key.record_type
                && change.set_identifier.is_none()
        })
    };
    set.set_identifier.is_some()
        && set.record_type == key.record_type
        && is_owned_by(wants, zone, set)
        && tells_none()
}

/// What the calls that were refused just then would have changed.
fn attempted<'a>(world: &World<'a>, refusal: &Refusal) -> impl Iterator<Item = &'a AttemptedChange> {
    let at = refusal.at;
    let events = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
    let refused = events.filter(move |event| event.at == at).filter_map(|event| match &event.kind {
        ChangeEventKind::Refused(batch) => Some(&batch.attempted),
        ChangeEventKind::Applied(_)
        | ChangeEventKind::RunFailed { .. }
        | ChangeEventKind::RunSucceeded
        | ChangeEventKind::Skipped { .. } => None,
    });
    refused.flatten()
}

/// The sentence says so, or the batch asked for it.
fn was_deletion(world: &World<'_>, refusal: &Refusal, key: &RecordKey) -> bool {
    if matches!(
        refusal.reason,
        Reason::DeleteNotFound | Reason::DeleteValuesMismatch | Reason::ProtectedRecord
    ) {
        return true;
    }
    attempted(world, refusal).any(|change| {
        change.action == Action::Delete && change.name == key.name && change.record_type == key.record_type
    })
}

fn candidate(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    set: &RecordSet,
    refusal: &Refusal,
) -> Candidate {
    let key = FindingKey {
        subject: Subject::Record(set.key()),
        zone_id: Some(zone.zone.id.clone()),
        instance: Some(wants.instance.id.clone()),
        kind: Kind::FailedChange,
    };
    let mut candidate = Candidate::new(key, refusal.reason, Impact::None, zone.read_at.unwrap_or(world.at()));
    candidate.certain = true;
    candidate.onset = Some(refusal.since);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Changes];
    candidate.recorded = show::records(zone.at(&set.name));
    candidate.live = show::live(world, &set.name);
    candidate
        .evidence
        .push(format!("refused {} times, last at {}: {}", refusal.count, refusal.at, refusal.message));
    candidate.summary = format!(
        "Route 53 refuses to delete {}, which nobody wants any more: {}.",
        set.key(),
        plain(refusal.reason)
    );
    let asked = unless_asked(wants, zone, set);
    if asked.is_some() {
        candidate.summary = format!(
            "ExternalDNS would delete {}, for which its object asks still; Route 53 refuses that: {}.",
            set.key(),
            plain(refusal.reason)
        );
    }
    candidate.fix = if let Some(fix) = asked {
        fix
    } else if is_owned_by(wants, zone, set) {
        removal(world, wants, zone, set, Some(&wants.instance.flags.owner_id))
    } else {
        Fix { summary: keeping(refusal.reason, set, &wants.instance.flags), ..Fix::default() }
    };
    explain_companion(&mut candidate, zone, set);
    candidate.caused_by(cause(wants, zone, set, refusal))
}

/// What to do where the instance tries to delete what nobody made for it: the deletion is the fault, and not
/// its refusal.
fn keeping(reason: Reason, set: &RecordSet, flags: &Flags) -> String {
    if reason == Reason::ProtectedRecord {
        let record_type = &set.record_type;
        return format!(
            "Take {record_type} out of --managed-record-types: the {record_type} records at the apex belong to the zone."
        );
    }
    let remedy = if flags.registry == Registry::Noop {
        "give it a registry (--registry=txt with a --txt-owner-id of its own), or --policy=upsert-only"
    } else {
        "give it --policy=upsert-only"
    };
    format!("Keep ExternalDNS from deleting what it did not make: {remedy}.")
}

/// The AAAA half of an alias stays with its A half.
fn explain_companion(candidate: &mut Candidate, zone: &ZoneReading, set: &RecordSet) {
    let twin = RecordKey { record_type: RecordType::A, ..set.key() };
    let has_twin =
        zone.at(&set.name).iter().any(|other| other.key() == twin && other.content.alias().is_some());
    if set.record_type == RecordType::Aaaa && set.content.alias().is_some() && has_twin {
        candidate.explained_by = Some((Subject::Record(twin), Kind::FailedChange));
    }
}

fn cause(wants: &InstanceWants, zone: &ZoneReading, set: &RecordSet, refusal: &Refusal) -> Option<Cause> {
    if let Some(culprit) = &refusal.culprit {
        return Some(Cause::FailedChangeOf(culprit.clone()));
    }
    let instance = &wants.instance;
    let old = instance.flags.affixes.typed_name(&set.name, &RecordType::Cname);
    let by_old_name = zone.at(&old).iter().any(|txt| matches!(TxtRole::of(txt), TxtRole::Heritage(_)));
    let by_version = refusal.reason == Reason::DeleteNotFound
        && DELETES_OTHER_TXT <= instance.effective_version()
        && zone.at(&set.name).iter().any(|one| one.content.alias().is_some())
        && by_old_name;
    if by_version {
        return Some(Cause::ControllerVersion);
    }
    (!is_owned_by(wants, zone, set)).then_some(Cause::OwnerMissing)
}
