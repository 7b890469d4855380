//! A role that lists a source and may not watch it. Pure.

use std::collections::BTreeSet;

use crate::compare::fix::{edit, quote};
use crate::compare::instances::start;
use crate::compare::verdict::Candidate;
use crate::compare::world::World;
use crate::desired::kinds::Kind;
use crate::desired::sources::roster::{kinds_of, source_of};
use crate::finding::{Impact, Kind as Finding, Reason};
use crate::model::grant::Grant;
use crate::model::want::InstanceWants;
use crate::model::{ObjectRef, Version};
use crate::report::Fix;

/// From this release on every source reads what its watch has told.
const CACHES_ALL: Version = Version::new(0, 21, 0);

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
    // Kinds that only lend an address or a label are read by some releases and not by others.
    let is_source = |kind: &Kind| {
        let source = source_of(kind.as_str());
        *kind == Kind::Gateway || instance.flags.sources.iter().any(|given| Some(given.as_str()) == source)
    };
    // These sources list their objects anew in every loop of older releases.
    let lists = |kind: &Kind| {
        matches!(kind, Kind::DnsEndpoint | Kind::IstioGateway) && instance.effective_version() < CACHES_ALL
    };
    let blind: BTreeSet<&str> = kinds_of(instance)
        .filter(|kind| is_source(kind) && !lists(kind))
        .map(|kind| (kind.group(), kind.plural()))
        .filter(|(group, resource)| allows(group, resource, "list") && !allows(group, resource, "watch"))
        .map(|(_, resource)| resource)
        .collect();
    if blind.is_empty() {
        return None;
    }
    let mut candidate =
        start(world, wants, Finding::ControllerMisconfigured, Reason::RbacWatchMissing, Impact::Latent);
    candidate.summary = format!(
        "ExternalDNS {} may list {} and not watch them: it never sees a change.",
        instance.id,
        blind.iter().copied().collect::<Vec<_>>().join(", ")
    );
    candidate.evidence = blind.iter().map(|one| format!("no verb watch on {one}")).collect();
    let account = format!("system:serviceaccount:{namespace}:{}", instance.service_account);
    candidate.fix = Fix {
        summary: format!(
            "Add the verb watch to the role of its service account {}.",
            instance.service_account
        ),
        commands: roles(&ours)
            .into_iter()
            .map(edit)
            .chain([format!("kubectl auth can-i --list --as={}", quote(&account))])
            .collect(),
        ..Fix::default()
    };
    Some(candidate)
}

/// The roles that let the account list something.
fn roles<'a>(grants: &[&'a Grant]) -> BTreeSet<&'a ObjectRef> {
    let lists = |grant: &&&Grant| grant.verbs.iter().any(|verb| verb == "list" || verb == "*");
    grants.iter().filter(lists).map(|grant| &grant.role).collect()
}
