//! The desired view: what the cluster's objects ask for, as each running ExternalDNS reads them.
//!
//! The stages are those of ExternalDNS itself: [`source`] yields endpoints and [`mod@unite`] merges
//! them ([`sources`]); [`mod@wrap`], [`mod@adjust`] and [`mod@submit`] are the wrappers and the AWS
//! provider ([`provider`]); [`mod@plan`] with [`merge`] and [`placement`] chooses winners and zones,
//! [`record_sets`] adds the ownership records. [`compute`] runs them for the verdicts, and the
//! `desired` command prints them. All of that is pure, and so is finding the instances
//! ([`discover`], [`flags`]); [`client`], [`watch`], [`read`] and [`task`] talk with the API server.

pub mod addresses;
pub mod adjust;
pub mod annotations;
pub mod canonical;
pub mod client;
pub mod contact;
pub mod custom;
pub mod departed;
pub mod discover;
pub mod duration;
pub mod endpoint;
pub mod flags;
pub mod health;
pub mod intern;
pub mod invalid;
pub mod kinds;
pub mod memo;
pub mod merge;
pub mod nearest;
pub mod needs;
pub mod objects;
pub mod placement;
pub mod plan;
pub mod prune;
pub mod rbac;
pub mod read;
pub mod record_sets;
pub mod selector;
pub mod source;
pub mod sources;
pub mod submit;
pub mod task;
pub mod template;
pub mod traps;
pub mod unite;
pub mod unread;
pub mod versions;
pub mod view;
pub mod watch;
pub mod workloads;
pub mod wrap;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::desired::adjust::adjust;
use crate::desired::endpoint::Endpoint;
use crate::desired::placement::{ZoneView, leaves_alone};
use crate::desired::plan::{View, plan, wants};
use crate::desired::source::{SourceInput, passed_over, read_object, source_of};
use crate::desired::submit::submit;
use crate::desired::unite::unite;
use crate::desired::wrap::wrap;
use crate::model::instance::Instance;
use crate::model::object::KubeObject;
use crate::model::want::{InstanceWants, Unwanted, WithoutTarget};
use crate::model::zone::Zones;
use crate::snapshot::Cluster;

/// What the sources of an instance yield: the first stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceStage {
    /// Endpoints, source by source.
    pub endpoints: Vec<Endpoint>,
    /// What is left alone.
    pub unwanted: Vec<Unwanted>,
    /// Hosts without a target.
    pub without_target: Vec<WithoutTarget>,
    /// Facts worth a line.
    pub notes: Vec<Unwanted>,
    /// Why names of some objects cannot be known, one line each.
    pub unknown: Vec<String>,
}

/// Names that are told although no instance looks at their objects.
const MAX_PASSED_OVER: usize = 1_000;

/// Flags without which nobody can tell which objects ask for names, and for which.
const SHAPING: [&str; 27] = [
    "annotation-filter",
    "annotation-prefix",
    "combine-fqdn-annotation",
    "crd-source-apiversion",
    "crd-source-kind",
    "default-targets",
    "exclude-record-types",
    "exclude-target-net",
    "force-default-targets",
    "fqdn-target-template",
    "fqdn-template",
    "gateway-label-filter",
    "gateway-name",
    "gateway-namespace",
    "ignore-hostname-annotation",
    "ignore-ingress-rules-spec",
    "ignore-ingress-tls-spec",
    "ingress-class",
    "label-filter",
    "managed-record-types",
    "namespace",
    "openshift-router-name",
    "service-type-filter",
    "source",
    "target-net-filter",
    "target-template",
    "unstructured-resource",
];

/// Lines that say why names cannot be known: one template fails alike for every object.
const MAX_UNKNOWN: usize = 20;

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
    let view = zone_view(zones, instance);
    let mut stage = sources(cluster, instance, now);
    let without_target = std::mem::take(&mut stage.without_target);
    let without_target = expecting(without_target, instance, &view, &mut stage.unwanted);
    let zones_of = view.as_ref().map(|(_, view)| view);
    stage.notes.retain(|note| {
        note.name.as_ref().is_none_or(|name| leaves_alone(name, instance, zones_of).is_none())
    });
    let submitted = provider(stage.endpoints, instance).into_iter().map(|one| submit(one, instance));
    let plan = plan(submitted.collect(), instance, &view);
    let mut out = InstanceWants {
        instance: instance.clone(),
        zones: view.as_ref().map(|(_, view)| view.ids()).unwrap_or_default(),
        wants: wants(plan.records, &SourceInput { objects: &cluster.objects, instance, now }),
        unwanted: stage.unwanted,
        without_target,
        unread: if untold(instance).is_none() {
            unread::unread_annotations(cluster, instance, zones, &view, now)
        } else {
            Vec::new()
        },
        notes: stage.notes,
        unknown: stage.unknown,
    };
    out.unwanted.extend(plan.unwanted);
    out.notes.extend(plan.notes);
    out.unwanted.sort();
    out.unwanted.dedup();
    out.notes.sort();
    out.notes.dedup();
    out
}

/// The objects without a target that the instance would publish if they had one. The names that its
/// filters leave to others go to `unwanted`: nobody waits for their addresses here.
fn expecting(
    objects: Vec<WithoutTarget>,
    instance: &Instance,
    view: &View<'_>,
    unwanted: &mut Vec<Unwanted>,
) -> Vec<WithoutTarget> {
    let view = view.as_ref().map(|(_, view)| view);
    let mut kept = Vec::with_capacity(objects.len());
    for mut object in objects {
        let reference = &object.object;
        object.names.retain(|name| {
            let Some((reason, detail)) = leaves_alone(name, instance, view) else { return true };
            let (object, name) = (Some(reference.clone()), Some(name.clone()));
            unwanted.push(Unwanted { object, name, reason, detail });
            false
        });
        if !object.names.is_empty() {
            kept.push(object);
        }
    }
    kept
}

/// The zones as an instance sees them.
#[must_use]
pub fn zone_view<'a>(zones: Option<&'a Zones>, instance: &Instance) -> View<'a> {
    zones.map(|zones| (zones, ZoneView::new(zones, instance)))
}

/// Those among them that give names beside the ones of the objects.
const TEMPLATES: [&str; 2] = ["fqdn-target-template", "fqdn-template"];

/// The first stage: what the sources yield.
#[must_use]
pub fn sources(cluster: &Cluster, instance: &Arc<Instance>, now: Timestamp) -> SourceStage {
    if let Some(flag) = untold(instance) {
        let why = format!("its object does not tell the value of --{flag}");
        let unknown = vec![why];
        if !only_adds(instance) {
            return SourceStage { unknown, ..SourceStage::default() };
        }
        return read_sources(cluster, instance, now, unknown, names_itself);
    }
    read_sources(cluster, instance, now, unread_kinds(cluster, instance), |_| true)
}

/// What the objects that `counts` holds for yield.
fn read_sources(
    cluster: &Cluster,
    instance: &Arc<Instance>,
    now: Timestamp,
    unknown: Vec<String>,
    counts: impl Fn(&KubeObject) -> bool,
) -> SourceStage {
    let input = SourceInput { objects: &cluster.objects, instance, now };
    let mut out = SourceStage { unknown, ..SourceStage::default() };
    let mut by_source: BTreeMap<&str, Vec<Endpoint>> = BTreeMap::new();
    for object in objects_of(cluster, instance).filter(|object| counts(object)) {
        let found = read_object(object, &input);
        out.unwanted.extend(found.unwanted);
        out.without_target.extend(found.without_target);
        out.notes.extend(found.notes);
        out.unknown.extend(found.unknown.filter(|_| out.unknown.len() < MAX_UNKNOWN));
        let source = source_of(&object.reference.kind).unwrap_or_default();
        by_source.entry(source).or_default().extend(found.endpoints);
    }
    out.notes.extend(passed_over_by_all(cluster, instance));
    for source in &instance.flags.sources {
        let endpoints = by_source.remove(source.as_str()).unwrap_or_default();
        out.endpoints.extend(unite(source, endpoints, instance.effective_version()));
    }
    out
}

/// True if nothing but templates is untold: they add names to those that the objects give themselves.
fn only_adds(instance: &Instance) -> bool {
    let flags = &instance.flags;
    let mut shaping = flags.untold.iter().filter(|flag| SHAPING.contains(flag));
    !flags.sources.is_empty() && shaping.all(|flag| TEMPLATES.contains(flag))
}

/// Objects whose own names count whatever the templates are; a Node or a Pod may lose them to one.
/// Source: source/ingress.go and source/service.go, `Endpoints`.
fn names_itself(object: &KubeObject) -> bool {
    matches!(&*object.reference.kind, "Ingress" | "Service")
}

/// A flag that nobody can tell and that decides what the instance wants. Without a source no ExternalDNS
/// starts: one that seems to have none was not understood.
fn untold(instance: &Instance) -> Option<&'static str> {
    let flags = &instance.flags;
    let untold = flags.untold.iter().copied().find(|flag| SHAPING.contains(flag));
    untold.or_else(|| flags.sources.is_empty().then_some("source"))
}

/// Objects that ask for names by a source that no instance has. The live watches read few of them; a
/// recording may have all.
fn passed_over_by_all(cluster: &Cluster, instance: &Instance) -> Vec<Unwanted> {
    let given = |source: &str| {
        cluster.instances.iter().any(|one| one.flags.sources.iter().any(|given| given == source))
            || instance.flags.sources.iter().any(|given| given == source)
    };
    // Every cluster has Pods and Nodes; few of them ask for a name.
    let asks = |source: &&str| !matches!(*source, "node" | "pod");
    let objects = cluster.objects.values().filter_map(|object| {
        let source = source_of(&object.reference.kind).filter(|source| !given(source)).filter(asks)?;
        Some(passed_over(object, source, instance))
    });
    objects.flatten().take(MAX_PASSED_OVER).collect()
}

/// Kinds that the instance needs and that could not be read, although no ownership record tells that
/// a name hangs on them: its names are then not all known.
fn unread_kinds(cluster: &Cluster, instance: &Arc<Instance>) -> Vec<String> {
    if cluster.unread_kinds.is_empty() {
        return Vec::new();
    }
    let services = cluster.objects.values().filter(|object| &*object.reference.kind == "Service");
    let needed = needs::needed_kinds(std::slice::from_ref(instance), &services);
    // Nor does a route tell whether the Gateway that it hangs on is there.
    let is_parent = |kind: &kinds::Kind| matches!(kind, kinds::Kind::Gateway | kinds::Kind::ListenerSet);
    let hidden = needed.iter().filter(|kind| needs::is_hidden(**kind) || is_parent(kind));
    let unread = hidden.filter(|kind| cluster.unread_kinds.iter().any(|one| **one == *kind.as_str()));
    unread.map(|kind| format!("objects of kind {} cannot be read", kind.as_str())).collect()
}

/// The second stage: what the wrappers and the AWS provider make of the endpoints.
#[must_use]
pub fn provider(endpoints: Vec<Endpoint>, instance: &Instance) -> Vec<Endpoint> {
    wrap(endpoints, instance).into_iter().flat_map(|endpoint| adjust(endpoint, instance)).collect()
}

/// Objects of the kinds that the instance watches.
fn objects_of<'a>(cluster: &'a Cluster, instance: &'a Instance) -> impl Iterator<Item = &'a Arc<KubeObject>> {
    cluster.objects.values().filter(|object| watches(instance, object))
}

/// True if the instance has the source that reads objects of this kind.
fn watches(instance: &Instance, object: &KubeObject) -> bool {
    source_of(&object.reference.kind)
        .is_some_and(|source| instance.flags.sources.iter().any(|given| given == source))
}
