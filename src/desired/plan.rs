//! The plan: which endpoints are managed, who wins a name, which zones take it, and whether Route 53
//! could. Pure.
//!
//! Source: kubernetes-sigs/external-dns:plan/plan.go, provider/aws/aws.go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::annotations::Annotations;
use crate::desired::endpoint::Claim;
use crate::desired::invalid::{invalid_reason, txt_label_too_long};
use crate::desired::merge::{Resolved, resolve};
use crate::desired::placement::{Destination, ZoneView};
use crate::desired::source::SourceInput;
use crate::desired::sources::behind;
use crate::desired::submit::Submitted;
use crate::desired::versions::{Behaviour, does};
use crate::finding::{Reason, SilentReason};
use crate::model::by_name::ByName;
use crate::model::custom::Custom;
use crate::model::heritage::TxtRole;
use crate::model::instance::{Flags, Instance};
use crate::model::object::{Body, KubeObject};
use crate::model::share::Pool;
use crate::model::table::TableSet;
use crate::model::want::{Conflict, Placement, Unwanted, Want};
use crate::model::zone::Zones;
use crate::model::{DomainName, ObjectRef, RecordType, ZoneId};

/// The plan of one instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The records, each once for every zone.
    pub records: Vec<Planned>,
    /// Names that are left alone.
    pub unwanted: Vec<Unwanted>,
    /// What rules of precedence explain.
    pub notes: Vec<Unwanted>,
}

/// One record of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Owner name.
    pub name: DomainName,
    /// What would be submitted.
    pub submitted: Submitted,
    /// The objects behind it, the winner first.
    pub objects: Vec<ObjectRef>,
    /// Claims that do not agree; `None` when all do.
    pub conflict: Option<Conflict>,
    /// Where it goes.
    pub placement: Placement,
    /// Why Route 53 cannot take it; `None` when it can.
    pub invalid: Option<Reason>,
}

/// The zones that have been read, and how the instance sees them.
pub type View<'a> = Option<(&'a Zones, ZoneView<'a>)>;

/// Makes the plan.
#[must_use]
pub fn plan(submitted: Vec<Submitted>, instance: &Instance, view: &View<'_>) -> Plan {
    let mut out = Plan::default();
    let groups = group(submitted, instance, &mut out.unwanted);
    for ((name, _), candidates) in groups {
        place(&name, candidates, instance, view.as_ref(), &mut out);
    }
    out
}

type Groups = BTreeMap<(DomainName, Option<Arc<str>>), Vec<Submitted>>;

/// Groups by name and set identifier, and takes out what the instance does not manage.
fn group(submitted: Vec<Submitted>, instance: &Instance, unwanted: &mut Vec<Unwanted>) -> Groups {
    let (flags, mut groups) = (&instance.flags, Groups::new());
    let does = |behaviour| does(instance.effective_version(), behaviour);
    // Before it was written unasked, the second half of an alias was added behind the plan.
    let behind = !does(Behaviour::AliasBothFamilies);
    for one in submitted {
        let name = DomainName::new(&one.endpoint.name);
        if name.as_str().is_empty() {
            continue;
        }
        let is_added = behind && one.endpoint.origin.companion;
        let is_cname = one.content.alias().is_some() && does(Behaviour::AliasIsCname);
        let planned = if is_cname { &RecordType::Cname } else { one.record_type() };
        if !is_added && !flags.managed_types.contains(planned) {
            unwanted.push(Unwanted {
                object: Some(one.endpoint.object.clone()),
                name: Some(name),
                reason: SilentReason::RecordTypeFilter,
                detail: format!("type {} is not among --managed-record-types", one.record_type()),
            });
            continue;
        }
        groups.entry((name, one.endpoint.set_identifier.clone())).or_default().push(one);
    }
    for candidates in groups.values_mut() {
        // What ExternalDNS drops itself never competes; alone it is kept, because it is wanted.
        if candidates.iter().any(|one| !one.endpoint.origin.dropped) {
            candidates.retain(|one| !one.endpoint.origin.dropped);
        }
    }
    groups
}

fn place(
    name: &DomainName,
    candidates: Vec<Submitted>,
    instance: &Instance,
    view: Option<&(&Zones, ZoneView<'_>)>,
    out: &mut Plan,
) {
    let version = instance.effective_version();
    let Some((zones, view)) = view else {
        let resolved = resolve(name, candidates, None, version);
        push(name, resolved, &Placement::Unknown, None, instance, out);
        return;
    };
    let pinned = candidates.iter().find_map(|one| one.pinned_zone.clone());
    match view.destination(name, pinned.as_ref()) {
        Destination::Zones(ids) => {
            for id in ids {
                let zone = zones.zones.get(&id);
                // It only decides between several.
                let holder = zone
                    .filter(|_| 1 < candidates.len())
                    .and_then(|_| holder(zones, &id, name, &instance.flags));
                let resolved = resolve(name, candidates.clone(), holder.as_ref(), version);
                let zone_name = zone.map(|reading| reading.zone.name.clone());
                push(name, resolved, &Placement::Zone(id), zone_name.as_ref(), instance, out);
            }
        }
        Destination::NoZone(no_zone) => {
            let resolved = resolve(name, candidates, None, version);
            push(name, resolved, &Placement::NoZone(no_zone), None, instance, out);
        }
        Destination::FilteredName(detail) => {
            leave(name, &candidates, SilentReason::DomainFilter, &detail, out);
        }
        Destination::Outside(detail) => {
            leave(name, &candidates, SilentReason::OutsideManagedZones, &detail, out);
        }
    }
}

fn leave(name: &DomainName, candidates: &[Submitted], reason: SilentReason, detail: &str, out: &mut Plan) {
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
            TxtRole::Heritage(heritage) if heritage.owner == Some(&flags.owner_id) => heritage.object(),
            TxtRole::Heritage(_) | TxtRole::Encrypted | TxtRole::Other => None,
        })
}

fn push(
    name: &DomainName,
    resolved: Resolved,
    placement: &Placement,
    zone_name: Option<&DomainName>,
    instance: &Instance,
    out: &mut Plan,
) {
    out.notes.extend(resolved.notes);
    out.records.extend(resolved.kept.into_iter().map(|(submitted, objects, conflict)| {
        Planned {
            name: name.clone(),
            invalid: invalid_reason(name, &submitted, zone_name.map(|zone| (placement.zone_id(), zone)))
                .or_else(|| txt_label_too_long(name, &submitted, instance)),
            placement: placement.clone(),
            conflict: conflict.map(|conflict| of_set(conflict, submitted.endpoint.set_identifier.is_some())),
            submitted,
            objects,
        }
    }));
}

/// Claims to one member of a routing set: what they do not agree on is the set identifier.
fn of_set(conflict: Conflict, routed: bool) -> Conflict {
    let by_target = matches!(conflict.reason, Reason::DifferentTargets | Reason::MergedTargets);
    if routed && by_target {
        return Conflict { reason: Reason::DuplicateSetIdentifier, ..conflict };
    }
    conflict
}

/// The wishes of a plan, with what the cluster knows about the objects behind them.
#[must_use]
pub fn wants(records: Vec<Planned>, input: &SourceInput<'_>) -> ByName<Want> {
    let mut wants: Vec<Want> = records.into_iter().map(|one| want(one, input)).collect();
    let mut pool = Pool::default();
    for want in &mut wants {
        pool.share(&mut want.content);
    }
    mark_mixed_routing(&mut wants);
    ByName::new(wants)
}

fn want(planned: Planned, input: &SourceInput<'_>) -> Want {
    let Planned { name, submitted, objects, conflict, placement, invalid } = planned;
    let found: Vec<&Arc<KubeObject>> =
        objects.iter().filter_map(|object| input.objects.get(object)).collect();
    // A new address of a Gateway is news for each of its routes.
    let holders: Vec<&KubeObject> = found.iter().flat_map(|object| behind(object, input)).collect();
    let all = || found.iter().map(AsRef::as_ref).chain(holders.iter().copied());
    // What the spec or an annotation gives is as old as these: no status tells of it.
    let gives = |object: &KubeObject| gives_its_targets(object, input);
    let given = || {
        let by_holders = !holders.is_empty() && holders.iter().all(|one| gives(one));
        by_holders || found.iter().all(|object| gives(object))
    };
    let spec_changed_at = || all().filter_map(|object| object.changed_at).max().filter(|_| given());
    let respelled = is_respelled(&name, &submitted);
    // A wish that is made anew has the same text for its name as what was made from the one before.
    let text = found.iter().find_map(|object| object.shared_text(name.as_str()));
    let name = text.map_or(name, DomainName::of_shared);
    let endpoint = submitted.endpoint;
    Want {
        name,
        set_identifier: endpoint.set_identifier,
        placement,
        demanded_ttl: endpoint.ttl,
        changed_at: all().filter_map(|object| object.changed_at).max(),
        created_at: found.iter().filter_map(|object| object.created_at).min(),
        status_changed_at: all().filter_map(|object| object.status_changed_at).max().or_else(spec_changed_at),
        record_type: endpoint.record_type,
        content: submitted.content,
        routing: submitted.routing,
        health_check_id: submitted.health_check_id,
        demanded_health: endpoint.origin.demanded_health,
        demanded_alias: endpoint.origin.demanded_alias,
        companion: endpoint.origin.companion,
        respelled,
        repeated: endpoint.origin.repeated,
        pinned: submitted.pinned_zone.is_some(),
        objects,
        conflict: conflict.map(Box::new),
        invalid,
    }
}

/// True if the object names its targets itself, in its spec or by an annotation.
fn gives_its_targets(object: &KubeObject, input: &SourceInput<'_>) -> bool {
    let in_spec = match &object.body {
        Body::Custom(Custom::DnsEndpoint(_)) => true,
        Body::Service(service) => service.service_type == "ExternalName",
        Body::Ingress(_) | Body::Node(_) | Body::Pod(_) | Body::EndpointSlice(_) | Body::Custom(_) => false,
    };
    in_spec || !Annotations::of(&object.annotations, &input.instance.flags).targets().is_empty()
}

/// True if the winner spells the name, or a target that is a name, otherwise than DNS compares it.
fn is_respelled(name: &DomainName, submitted: &Submitted) -> bool {
    let endpoint = &submitted.endpoint;
    let hosts = submitted.content.alias().is_some()
        || matches!(endpoint.record_type, RecordType::Cname | RecordType::Ns | RecordType::Ptr);
    endpoint.origin.dotted
        || *endpoint.name != *name.as_str()
        || hosts && !endpoint.targets.iter().all(|target| DomainName::is_canonical(target))
}

/// Simple and routed claims of one name and type cannot live together.
fn mark_mixed_routing(wants: &mut [Want]) {
    type Key = (DomainName, RecordType, Placement);
    let key = |want: &Want| -> Key { (want.name.clone(), want.record_type.clone(), want.placement.clone()) };
    let mut sides: BTreeMap<Key, (Vec<Claim>, Vec<Claim>)> = BTreeMap::new();
    // Nearly every name has no routed claim at all.
    let routed: TableSet<DomainName> =
        wants.iter().filter(|want| want.set_identifier.is_some()).map(|want| want.name.clone()).collect();
    for want in wants.iter().filter(|want| routed.contains(&want.name)) {
        let side = sides.entry(key(want)).or_default();
        let list = if want.set_identifier.is_none() { &mut side.0 } else { &mut side.1 };
        let targets: Vec<Arc<str>> = want.targets().into_iter().map(Arc::from).collect();
        list.extend(want.objects.iter().map(|object| (object.clone(), targets.clone())));
    }
    for want in wants.iter_mut().filter(|want| routed.contains(&want.name)) {
        let Some((simple, routed)) = sides.get(&key(want)) else { continue };
        if simple.is_empty() || routed.is_empty() || want.conflict.is_some() {
            continue;
        }
        let claims = simple.iter().chain(routed).cloned().collect();
        want.conflict = Some(Box::new(Conflict { reason: Reason::MixedRouting, claims }));
    }
}
