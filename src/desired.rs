//! The desired view: what the cluster's objects ask for, as each running ExternalDNS reads them.
//!
//! The stages are those of ExternalDNS itself: [`source`] yields endpoints, [`mod@adjust`] is the AWS
//! provider, [`merge`] is the plan, [`placement`] chooses zones. All of that is pure, and so is
//! finding the instances ([`discover`], [`flags`]); [`client`], [`watch`], [`read`] and [`task`] talk
//! with the API server.

pub mod adjust;
pub mod annotations;
pub mod canonical;
pub mod client;
pub mod contact;
pub mod custom;
pub mod discover;
pub mod duration;
pub mod endpoint;
pub mod flags;
pub mod health;
pub mod invalid;
pub mod kinds;
pub mod merge;
pub mod objects;
pub mod placement;
pub mod rbac;
pub mod read;
pub mod selector;
pub mod source;
pub mod sources;
pub mod task;
pub mod unread;
pub mod view;
pub mod watch;
pub mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::desired::adjust::{Adjusted, adjust};
use crate::desired::merge::{Resolved, resolve};
use crate::desired::placement::{Destination, ZoneView};
use crate::desired::source::{Yield, read_object, source_of};
use crate::desired::sources::{SourceInput, behind};
use crate::finding::{Reason, SilentReason};
use crate::model::heritage::TxtRole;
use crate::model::instance::{Flags, Instance};
use crate::model::object::KubeObject;
use crate::model::want::{Conflict, InstanceWants, Placement, Unwanted, Want};
use crate::model::zone::Zones;
use crate::model::{DomainName, Heritage, ObjectRef, RecordType, ZoneId};
use crate::snapshot::Cluster;

/// Computes what every instance of the cluster wants.
///
/// Without `zones` the wants are known and their places are not.
#[must_use]
pub fn compute(cluster: &Cluster, zones: Option<&Zones>, now: Timestamp) -> Vec<InstanceWants> {
    cluster.instances.iter().map(|instance| of_instance(cluster, instance, zones, now)).collect()
}

fn of_instance(
    cluster: &Cluster,
    instance: &Arc<Instance>,
    zones: Option<&Zones>,
    now: Timestamp,
) -> InstanceWants {
    let view = zones.map(|zones| (zones, ZoneView::new(zones, &instance.flags)));
    let mut out = InstanceWants {
        instance: instance.clone(),
        zones: view.as_ref().map(|(_, view)| view.ids()).unwrap_or_default(),
        wants: Vec::new(),
        unwanted: Vec::new(),
        without_target: Vec::new(),
        unread: unread::unread_annotations(cluster, instance, now),
        notes: Vec::new(),
    };
    let input = SourceInput { objects: &cluster.objects, instance };
    let mut adjusted = Vec::new();
    for object in objects_of(cluster, instance) {
        let Yield { endpoints, unwanted, without_target, notes } = read_object(object, &input, now);
        out.unwanted.extend(unwanted);
        out.without_target.extend(without_target);
        out.notes.extend(notes);
        adjusted.extend(endpoints.into_iter().flat_map(|endpoint| adjust(endpoint, instance)));
    }
    let groups = group(adjusted, &instance.flags, &mut out.unwanted);
    for ((name, _), candidates) in groups {
        place(&name, candidates, cluster, view.as_ref(), &mut out);
    }
    mark_mixed_routing(&mut out.wants);
    out.wants.sort_by(|left, right| (left.key(), &left.placement).cmp(&(right.key(), &right.placement)));
    out.unwanted.sort();
    out.unwanted.dedup();
    out.notes.sort();
    out.notes.dedup();
    out
}

/// Objects of the kinds that the instance watches.
fn objects_of<'a>(cluster: &'a Cluster, instance: &'a Instance) -> impl Iterator<Item = &'a Arc<KubeObject>> {
    cluster.objects.values().filter(|object| {
        source_of(&object.reference.kind)
            .is_some_and(|source| instance.flags.sources.iter().any(|given| given == source))
    })
}

type Groups = BTreeMap<(DomainName, Option<Arc<str>>), Vec<Adjusted>>;

/// Groups by name and set identifier, and takes out what the instance does not manage.
fn group(adjusted: Vec<Adjusted>, flags: &Flags, unwanted: &mut Vec<Unwanted>) -> Groups {
    let mut groups = Groups::new();
    for one in adjusted {
        let name = DomainName::new(&one.endpoint.name);
        if name.as_str().is_empty() {
            continue;
        }
        if !flags.managed_types.contains(&one.record_type) {
            unwanted.push(Unwanted {
                object: Some(one.endpoint.object.clone()),
                name: Some(name),
                reason: SilentReason::RecordTypeFilter,
                detail: format!("type {} is not among --managed-record-types", one.record_type),
            });
            continue;
        }
        groups.entry((name, one.endpoint.set_identifier.clone())).or_default().push(one);
    }
    groups
}

fn place(
    name: &DomainName,
    candidates: Vec<Adjusted>,
    cluster: &Cluster,
    view: Option<&(&Zones, ZoneView<'_>)>,
    out: &mut InstanceWants,
) {
    let version = out.instance.effective_version();
    let Some((zones, view)) = view else {
        let resolved = resolve(name, candidates, version, None);
        push(name, resolved, &Placement::Unknown, None, cluster, out);
        return;
    };
    let pinned = candidates.iter().find_map(|one| one.pinned_zone.clone());
    match view.destination(name, pinned.as_ref()) {
        Destination::Zones(ids) => {
            for id in ids {
                let zone = zones.zones.get(&id);
                let holder = zone.and_then(|_| holder(zones, &id, name, &out.instance.flags));
                let resolved = resolve(name, candidates.clone(), version, holder.as_ref());
                let zone_name = zone.map(|reading| reading.zone.name.clone());
                push(name, resolved, &Placement::Zone(id), zone_name.as_ref(), cluster, out);
            }
        }
        Destination::NoZone(no_zone) => {
            let resolved = resolve(name, candidates, version, None);
            push(name, resolved, &Placement::NoZone(no_zone), None, cluster, out);
        }
        Destination::FilteredName(detail) => {
            leave(name, &candidates, SilentReason::DomainFilter, &detail, out);
        }
        Destination::Outside(detail) => {
            leave(name, &candidates, SilentReason::OutsideManagedZones, &detail, out);
        }
    }
}

fn leave(
    name: &DomainName,
    candidates: &[Adjusted],
    reason: SilentReason,
    detail: &str,
    out: &mut InstanceWants,
) {
    let objects: BTreeSet<&ObjectRef> = candidates.iter().map(|one| &one.endpoint.object).collect();
    out.unwanted.extend(objects.into_iter().map(|object| Unwanted {
        object: Some(object.clone()),
        name: Some(name.clone()),
        reason,
        detail: detail.to_owned(),
    }));
}

/// The object that the existing ownership record names, if it is ours.
fn holder(zones: &Zones, id: &ZoneId, name: &DomainName, flags: &Flags) -> Option<ObjectRef> {
    let reading = zones.zones.get(id)?;
    let typed = [RecordType::A, RecordType::Aaaa, RecordType::Cname];
    let names = typed
        .iter()
        .map(|record_type| flags.affixes.typed_name(name, record_type))
        .chain([flags.affixes.plain_name(name)]);
    names
        .flat_map(|txt| {
            reading
                .at(&txt)
                .iter()
                .filter(|set| set.record_type == RecordType::Txt)
                .map(TxtRole::of)
                .collect::<Vec<_>>()
        })
        .find_map(|role| match role {
            TxtRole::Heritage(heritage) if heritage.owner.as_deref() == Some(&flags.owner_id) => {
                Heritage::object(&heritage)
            }
            TxtRole::Heritage(_) | TxtRole::Encrypted | TxtRole::Other => None,
        })
}

fn push(
    name: &DomainName,
    resolved: Resolved,
    placement: &Placement,
    zone_name: Option<&DomainName>,
    cluster: &Cluster,
    out: &mut InstanceWants,
) {
    out.notes.extend(resolved.notes);
    for (one, objects, conflict) in resolved.kept {
        let found: Vec<&Arc<KubeObject>> =
            objects.iter().filter_map(|object| cluster.objects.get(object)).collect();
        // A new address of a Gateway is news for each of its routes.
        let input = SourceInput { objects: &cluster.objects, instance: &out.instance };
        let holders: Vec<&KubeObject> = found.iter().flat_map(|object| behind(object, &input)).collect();
        let all = || found.iter().map(AsRef::as_ref).chain(holders.iter().copied());
        let invalid = invalid::invalid_reason(name, &one, zone_name)
            .or_else(|| invalid::txt_label_too_long(name, &one, &out.instance));
        let conflict = conflict.map(|conflict| of_set(conflict, one.endpoint.set_identifier.is_some()));
        out.wants.push(Want {
            name: name.clone(),
            set_identifier: one.endpoint.set_identifier.clone(),
            placement: placement.clone(),
            demanded_ttl: demanded_ttl(&one, &out.instance.flags),
            changed_at: all().filter_map(|object| object.changed_at).max(),
            created_at: found.iter().filter_map(|object| object.created_at).min(),
            status_changed_at: all().filter_map(|object| object.status_changed_at).max(),
            record_type: one.record_type,
            content: one.content,
            routing: one.routing,
            health_check_id: one.health_check_id,
            demanded_health: one.demanded_health,
            demanded_alias: one.demanded_alias,
            companion: one.companion,
            objects,
            conflict,
            invalid,
        });
    }
}

/// Claims to one member of a routing set: what they do not agree on is the set identifier.
fn of_set(conflict: Conflict, routed: bool) -> Conflict {
    let by_target = matches!(conflict.reason, Reason::DifferentTargets | Reason::MergedTargets);
    if routed && by_target {
        return Conflict { reason: Reason::DuplicateSetIdentifier, ..conflict };
    }
    conflict
}

/// The TTL counts only on plain records; on an alias it has no effect.
fn demanded_ttl(one: &Adjusted, flags: &Flags) -> Option<u32> {
    let minimum = u32::try_from(flags.min_ttl.as_secs()).ok().filter(|seconds| *seconds != 0);
    one.endpoint.ttl.or(minimum)
}

/// Simple and routed claims of one name and type cannot live together.
fn mark_mixed_routing(wants: &mut [Want]) {
    type Key = (DomainName, RecordType, Placement);
    let key = |want: &Want| -> Key { (want.name.clone(), want.record_type.clone(), want.placement.clone()) };
    let mut sides: BTreeMap<Key, (Vec<ObjectRef>, Vec<ObjectRef>)> = BTreeMap::new();
    for want in wants.iter() {
        let side = sides.entry(key(want)).or_default();
        let list = if want.set_identifier.is_none() { &mut side.0 } else { &mut side.1 };
        list.extend(want.objects.iter().cloned());
    }
    for want in wants.iter_mut() {
        let Some((simple, routed)) = sides.get(&key(want)) else { continue };
        if simple.is_empty() || routed.is_empty() || want.conflict.is_some() {
            continue;
        }
        let claims = simple.iter().chain(routed).map(|object| (object.clone(), Vec::new())).collect();
        want.conflict = Some(Conflict { reason: Reason::MixedRouting, claims });
    }
}
