//! A role that lists a source and may not watch it. Pure.

use crate::compare::instances::start;
use crate::compare::verdict::Candidate;
use crate::compare::world::World;
use crate::finding::{Impact, Kind, Reason};
use crate::model::want::InstanceWants;
use crate::report::Fix;

/// What each source lists and watches first. Source: kubernetes-sigs/external-dns:docs/sources.
const SOURCES: [(&str, &str, &str); 6] = [
    ("ingress", "networking.k8s.io", "ingresses"),
    ("service", "", "services"),
    ("pod", "", "pods"),
    ("node", "", "nodes"),
    ("crd", "externaldns.k8s.io", "dnsendpoints"),
    ("gateway-httproute", "gateway.networking.k8s.io", "httproutes"),
];

/// The instance sees the objects of its start and no change of them.
pub(super) fn watch_missing(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let instance = &wants.instance;
    let grants = world.snapshot.kubernetes.value()?.grants.as_ref()?;
    let namespace = &instance.workload.as_ref()?.namespace;
    let ours: Vec<_> = grants
        .iter()
        .filter(|grant| grant.service_account == instance.service_account && grant.namespace == *namespace)
        .collect();
    let allows = |group: &str, resource: &str, verb: &str| {
        ours.iter().any(|grant| grant.allows(group, resource, verb))
    };
    let blind: Vec<String> = SOURCES
        .iter()
        .filter(|(source, _, _)| instance.flags.sources.iter().any(|given| given == source))
        .filter(|(_, group, resource)| allows(group, resource, "list") && !allows(group, resource, "watch"))
        .map(|(_, _, resource)| (*resource).to_owned())
        .collect();
    if blind.is_empty() {
        return None;
    }
    let mut candidate =
        start(world, wants, Kind::ControllerMisconfigured, Reason::RbacWatchMissing, Impact::Latent);
    candidate.summary = format!(
        "ExternalDNS {} may list {} and not watch them: it never sees a change.",
        instance.id,
        blind.join(", ")
    );
    candidate.evidence = blind.iter().map(|one| format!("no verb watch on {one}")).collect();
    candidate.fix = Fix {
        summary: "Add the verb watch to the role of its service account.".to_owned(),
        ..Fix::default()
    };
    Some(candidate)
}
