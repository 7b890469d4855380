//! Which kinds of objects the instances need, so that no other is watched. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::desired::annotations::Annotations;
use crate::desired::kinds::Kind;
use crate::desired::sources::roster;
use crate::model::instance::Instance;
use crate::model::object::{Body, KubeObject, Service};

/// The kinds that the sources of the instances read.
///
/// Nodes, Pods and `EndpointSlice`s are needed by the source `service` only for Services that have a
/// name and point there: most clusters have none, and watching every Pod costs memory and rights.
#[must_use]
pub fn needed_kinds<'a>(
    instances: &[Arc<Instance>],
    services: &(impl Iterator<Item = &'a Arc<KubeObject>> + Clone),
) -> BTreeSet<Kind> {
    let mut needed = BTreeSet::new();
    for instance in instances {
        needed.extend(roster::kinds_of(instance));
        if instance.flags.sources.iter().any(|source| source == "service") {
            needed.extend(services.clone().flat_map(|object| behind(object, instance)));
        }
    }
    needed
}

/// Kinds that say nothing of a wish: who may read what, what Pods are made of, and what is only told.
const NEVER_READ: [&str; 11] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CronJob",
    "Event",
    "IngressClass",
    "Job",
    "Lease",
    "ReplicaSet",
    "Role",
    "RoleBinding",
    "Secret",
];

/// The kinds that no instance reads, as problems name them: without instances none. Ingresses, workloads,
/// Pods, and what Services may hang on, always count.
#[must_use]
pub fn idle_kinds(instances: &[Arc<Instance>]) -> Vec<Arc<str>> {
    if instances.is_empty() {
        return Vec::new();
    }
    let read: BTreeSet<Kind> = instances.iter().flat_map(|instance| roster::kinds_of(instance)).collect();
    let counts =
        |kind: Kind| kind.is_vital() || !kind.holds_objects() || is_hidden(kind) || read.contains(&kind);
    let idle = Kind::ALL.into_iter().filter(|kind| !counts(*kind)).map(Kind::as_str);
    idle.chain(NEVER_READ).map(Arc::from).collect()
}

/// True for the kinds whose absence no ownership record tells: names of Services hang on them, and
/// those of Pods carry no word about their object.
#[must_use]
pub fn is_hidden(kind: Kind) -> bool {
    matches!(kind, Kind::Node | Kind::PodAddresses | Kind::EndpointSlice)
}

/// The kinds that one Service hangs on.
fn behind(object: &KubeObject, instance: &Instance) -> &'static [Kind] {
    let Body::Service(service) = &object.body else { return &[] };
    let annotations = Annotations::of(&object.annotations, &instance.flags);
    let named = annotations.get("hostname").is_some() || annotations.get("internal-hostname").is_some();
    let flags = &instance.flags;
    let otherwise = !flags.fqdn_templates.is_empty() || !flags.details.compatibility.is_empty();
    if !(named || otherwise) || !annotations.targets().is_empty() {
        return &[];
    }
    of_service(service)
}

fn of_service(service: &Service) -> &'static [Kind] {
    match service.service_type.as_str() {
        "NodePort" if service.local_traffic => &[Kind::Node, Kind::PodAddresses],
        "NodePort" => &[Kind::Node],
        "ClusterIP" if service.cluster_ip.as_deref() == Some("None") => {
            &[Kind::EndpointSlice, Kind::PodAddresses, Kind::Node]
        }
        _ => &[],
    }
}
