//! An owner id that somebody in another cluster uses too. Pure.
//!
//! A left-over of an object that is gone looks alike. What tells them apart: a left-over is never
//! written anew, and an instance that deletes does not keep several of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::compare::fix::takeover;
use crate::compare::instances::start;
use crate::compare::texts::texts;
use crate::compare::verdict::Candidate;
use crate::compare::world::World;
use crate::desired::sources::roster::source_of_registry_word;
use crate::finding::{Impact, Kind, Reason};
use crate::model::change::{Action, AttemptedChange, ChangeEventKind, FeedSource};
use crate::model::heritage::TxtRole;
use crate::model::instance::Policy;
use crate::model::want::InstanceWants;
use crate::model::{DomainName, Heritage, ObjectRef, RecordType, Version};
use crate::report::Fix;
use crate::snapshot::ViewName;

/// How long a sign of the other writer counts.
const LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Strange objects that are no accident where the instance would have deleted them, and times that one came
/// again.
const ENOUGH: usize = 2;

/// From this release on the ownership of old aliases is never deleted, and their records stay.
const KEEPS_OLD_ALIASES: Version = Version::new(0, 22, 0);

/// The owner id also stands for objects that this cluster does not have.
pub(super) fn owner_id_shared(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let mut strange: BTreeSet<ObjectRef> = written_anew(world, wants);
    strange.extend(written_by_others(world, wants));
    let standing = standing(world, wants);
    if strange.is_empty() && (migrates(wants) || are_too_many(world, wants, &standing)) {
        strange = standing;
    }
    if strange.is_empty() {
        return None;
    }
    let mut candidate =
        start(world, wants, Kind::ControllerMisconfigured, Reason::OwnerIdShared, Impact::Latent);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    candidate.evidence =
        strange.iter().take(5).map(|object| format!("this cluster has no {object}")).collect();
    let flags = &wants.instance.flags;
    if migrates(wants) && !strange.iter().any(|object| is_owned(world, wants, object)) {
        let former = &flags.migrate_from_owner;
        candidate.summary = format!(
            "The owner id {former}, which {} migrates from, is in use for objects that this cluster does not have; it takes over and deletes the records of another cluster.",
            wants.instance.id
        );
        candidate.fix =
            Fix { summary: format!("Take --migrate-from-txt-owner={former} away."), ..Fix::default() };
        return Some(candidate);
    }
    candidate.summary = format!(
        "The owner id {} is in use for objects that this cluster does not have; the instances delete each other's records.",
        wants.instance.id
    );
    candidate.fix = Fix { summary: takeover::apart(&wants.instance, "each cluster"), ..Fix::default() };
    Some(candidate)
}

/// Takes away the batches that would delete what may be the record of the other one: of objects that were never
/// here.
pub(super) fn spare(wants: &InstanceWants, candidates: &mut [Candidate]) {
    let of_instance = |one: &&mut Candidate| {
        let is_left = matches!(one.key.kind, Kind::StaleRecord | Kind::OwnerOrphan);
        is_left && one.object.is_none() && one.key.instance.as_ref() == Some(&wants.instance.id)
    };
    for one in candidates.iter_mut().filter(of_instance) {
        let summary = format!(
            "Let it be: it may belong to the other one that uses the owner id {}. Give each an id of its own first.",
            wants.instance.id
        );
        one.fix = Fix { summary, checks: std::mem::take(&mut one.fix.checks), ..Fix::default() };
    }
}

/// True if a record of the object stands under the instance's own id, and not the one that it migrates from.
fn is_owned(world: &World<'_>, wants: &InstanceWants, object: &ObjectRef) -> bool {
    let zones = wants.zones.iter().filter_map(|id| world.zone(id));
    zones.flat_map(texts).any(|text| {
        text.heritage.owner == Some(&wants.instance.flags.owner_id)
            && text.heritage.object().as_ref() == Some(object)
    })
}

/// Objects that nobody here has ever seen, whose records appeared while we looked. The object of a
/// record that is newer than our last word of the cluster may be just as new.
fn written_anew(world: &World<'_>, wants: &InstanceWants) -> BTreeSet<ObjectRef> {
    let first = world.past.first_at;
    let rows = world.past.strangers.iter().filter(|((instance, _), _)| *instance == wants.instance.id);
    rows.filter(|((_, object), seen)| {
        is_strange(world, wants, object)
            && first.is_some_and(|first| first < seen.since)
            && world.heard_since(seen.since)
            && world.at().duration_since(seen.until) < LIFE
    })
    .map(|((_, object), _)| object.clone())
    .collect()
}

/// What a trail tells of one ownership record.
#[derive(Default)]
struct Trail {
    is_deleted: bool,
    /// How often it came again after it had been deleted.
    returns: usize,
    /// The strange object that it was written for, since we look or again.
    object: Option<ObjectRef>,
}

/// Objects that a caller of Route 53 wrote ownership for, and that nobody here has ever seen: since we look, or
/// again after it had been deleted. An object that came and went between two looks, and its record with it, is
/// no sign: the ownership stands, or comes again and again.
fn written_by_others(world: &World<'_>, wants: &InstanceWants) -> BTreeSet<ObjectRef> {
    let mut trails: BTreeMap<&DomainName, Trail> = BTreeMap::new();
    for event in world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events) {
        let changes = match (&event.kind, &event.source) {
            (ChangeEventKind::Applied(batch), FeedSource::CloudTrail { .. }) => &batch.changes,
            _ => continue,
        };
        let is_late = world.past.first_at < Some(event.at) && world.heard_since(event.at);
        let is_fresh = world.at().duration_since(event.at) < LIFE;
        for change in changes {
            let trail = trails.entry(&change.name).or_default();
            if change.action == Action::Delete {
                trail.is_deleted = true;
                continue;
            }
            let object = heritage_of(wants, change).and_then(Heritage::object);
            let Some(object) = object.filter(|object| is_fresh && is_strange(world, wants, object)) else {
                continue;
            };
            let returns = std::mem::take(&mut trail.is_deleted);
            trail.returns += usize::from(returns);
            if is_late || returns {
                trail.object = Some(object);
            }
        }
    }
    let told = trails.into_iter().filter_map(|(name, trail)| {
        let object = trail.object?;
        (ENOUGH <= trail.returns || stands(world, wants, name, &object)).then_some(object)
    });
    told.collect()
}

/// True if ownership of ours stands under the name for the object.
fn stands(world: &World<'_>, wants: &InstanceWants, name: &DomainName, object: &ObjectRef) -> bool {
    let sets = wants.zones.iter().filter_map(|id| world.zone(id)).flat_map(|zone| zone.at(name));
    sets.into_iter().any(|set| match TxtRole::of(set) {
        TxtRole::Heritage(heritage) => {
            heritage.owner == Some(&wants.instance.flags.owner_id)
                && heritage.object().as_ref() == Some(object)
        }
        TxtRole::Encrypted | TxtRole::Other => false,
    })
}

fn heritage_of<'a>(wants: &InstanceWants, change: &'a AttemptedChange) -> Option<Heritage<'a>> {
    let heritage = Heritage::parse(change.targets.first()?)?;
    (heritage.owner == Some(&wants.instance.flags.owner_id)).then_some(heritage)
}

/// Strange objects whose records stand now.
fn standing(world: &World<'_>, wants: &InstanceWants) -> BTreeSet<ObjectRef> {
    let rows = world.past.strangers.iter();
    rows.filter(|((instance, object), seen)| {
        *instance == wants.instance.id
            && Some(seen.until) == world.past.last_at
            && world.heard_since(seen.since)
            && is_strange(world, wants, object)
    })
    .map(|((_, object), _)| object.clone())
    .collect()
}

/// What the instance takes over belongs to somebody who still uses it.
fn migrates(wants: &InstanceWants) -> bool {
    !wants.instance.flags.migrate_from_owner.is_empty()
}

/// An instance that deletes would not leave them, unless it is refused; and they stand where this
/// cluster has nothing.
fn are_too_many(world: &World<'_>, wants: &InstanceWants, standing: &BTreeSet<ObjectRef>) -> bool {
    let instance = &wants.instance;
    if instance.flags.policy != Policy::Sync || standing.len() < ENOUGH {
        return false;
    }
    let spaces: BTreeSet<&str> = world.past.objects.keys().map(|object| &*object.namespace).collect();
    let refused = world.snapshot.changes.value().is_some_and(|feed| {
        feed.events.iter().any(|event| matches!(event.kind, ChangeEventKind::Refused(_)))
    });
    let foreign = standing.iter().filter(|object| !spaces.contains(&*object.namespace));
    let foreign =
        foreign.filter(|object| !is_old_alias(world, wants, object) && !is_adopted(world, wants, object));
    !refused && ENOUGH <= foreign.count()
}

/// True if another object of this cluster wants all that stands for the object, as it is: nobody writes the ownership of
/// a right record anew when its object moves to another namespace.
fn is_adopted(world: &World<'_>, wants: &InstanceWants, object: &ObjectRef) -> bool {
    let zones = wants.zones.iter().filter_map(|id| world.zone(id));
    !zones.flat_map(|zone| world.suspects(zone)).any(|text| {
        text.heritage.owner == Some(&wants.instance.flags.owner_id)
            && text.heritage.object().as_ref() == Some(object)
    })
}

/// True if all that stands for the object are old aliases, which this release never deletes.
fn is_old_alias(world: &World<'_>, wants: &InstanceWants, object: &ObjectRef) -> bool {
    let instance = &wants.instance;
    if instance.effective_version() < KEEPS_OLD_ALIASES {
        return false;
    }
    let zones = wants.zones.iter().filter_map(|id| world.zone(id));
    let mut of_object = zones.flat_map(texts).filter(|text| {
        text.heritage.owner == Some(&instance.flags.owner_id)
            && text.heritage.object().as_ref() == Some(object)
    });
    of_object.all(|text| match instance.owner_text(&text.set.name) {
        Some((name, Some(RecordType::Cname))) => {
            let mut here = text.zone.at_text(&name).iter();
            here.any(|set| set.content.alias().is_some())
        }
        Some(_) | None => false,
    })
}

/// An object of a kind that the instance and we read, that never was here. Solvers of cert-manager
/// live shorter than a round.
fn is_strange(world: &World<'_>, wants: &InstanceWants, object: &ObjectRef) -> bool {
    let cluster = world.snapshot.kubernetes.value();
    let watched = cluster.is_some_and(|cluster| cluster.watches(&object.kind));
    let source = source_of_registry_word(&object.kind);
    let source = wants.instance.flags.sources.iter().any(|given| Some(given.as_str()) == source);
    let known = world.remembered(object).is_some() || world.is_odd(object);
    let in_reach =
        wants.instance.flags.namespace.is_empty() || *object.namespace == *wants.instance.flags.namespace;
    watched && source && in_reach && !known && !object.name.starts_with("cm-acme-http-solver-")
}
