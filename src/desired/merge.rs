//! Several endpoints under one name: what the plan makes of them. Pure.
//!
//! Source: kubernetes-sigs/external-dns:plan/conflict.go, endpoint/utils.go (`MergeEndpoints`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::desired::endpoint::Claim;
use crate::desired::submit::Submitted;
use crate::finding::{Reason, SilentReason};
use crate::model::record::RecordType;
use crate::model::want::{Conflict, Unwanted};
use crate::model::{Content, DomainName, ObjectRef};

/// What is left of the endpoints of one name and set identifier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// The winners, each with all objects that asked for the same, and its conflict.
    pub kept: Vec<(Submitted, Vec<ObjectRef>, Option<Conflict>)>,
    /// What the rules of precedence explain.
    pub notes: Vec<Unwanted>,
}

/// Resolves all endpoints of one name and set identifier.
///
/// `holder` is the `resource` label of the existing ownership record: its object wins.
#[must_use]
pub fn resolve(name: &DomainName, candidates: Vec<Submitted>, holder: Option<&ObjectRef>) -> Resolved {
    let mut out = Resolved::default();
    let (cnames, others): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| *candidate.record_type() == RecordType::Cname);
    let mixed = !cnames.is_empty() && !others.is_empty();
    let losers: BTreeSet<&ObjectRef> = cnames.iter().map(|candidate| &candidate.endpoint.object).collect();
    let mixed_conflict =
        mixed.then(|| mixed_types(name, &cnames, &others, &losers, &mut out.notes)).flatten();
    let survivors = if others.is_empty() { cnames } else { others };
    let mut by_type: BTreeMap<RecordType, Vec<Submitted>> = BTreeMap::new();
    for candidate in survivors {
        by_type.entry(candidate.record_type().clone()).or_default().push(candidate);
    }
    for claims in by_type.into_values() {
        let Some((winner, objects, conflict)) = resolve_type(name, claims, holder, &mut out.notes) else {
            continue;
        };
        out.kept.push((winner, objects, conflict.or_else(|| mixed_conflict.clone())));
    }
    out
}

/// A beside CNAME: documented precedence within one object, a conflict between two.
fn mixed_types(
    name: &DomainName,
    cnames: &[Submitted],
    others: &[Submitted],
    losers: &BTreeSet<&ObjectRef>,
    notes: &mut Vec<Unwanted>,
) -> Option<Conflict> {
    let winners: BTreeSet<&ObjectRef> = others.iter().map(|candidate| &candidate.endpoint.object).collect();
    if losers.iter().all(|object| winners.contains(*object)) {
        notes.push(Unwanted {
            object: losers.first().map(|object| (*object).clone()),
            name: Some(name.clone()),
            reason: SilentReason::ResolutionOrder,
            detail: "A and AAAA beat CNAME when a status carries addresses and host names".to_owned(),
        });
        return None;
    }
    Some(Conflict { reason: Reason::MixedTypes, claims: claims_of(cnames.iter().chain(others)) })
}

fn resolve_type(
    name: &DomainName,
    mut claims: Vec<Submitted>,
    holder: Option<&ObjectRef>,
    notes: &mut Vec<Unwanted>,
) -> Option<(Submitted, Vec<ObjectRef>, Option<Conflict>)> {
    claims.sort_by_cached_key(order);
    if let Some(index) =
        holder.and_then(|held| claims.iter().position(|claim| is_same(held, &claim.endpoint.object)))
    {
        let winner = claims.remove(index);
        claims.insert(0, winner);
    }
    let all = claims_of(claims.iter());
    let mut rest = claims.into_iter();
    let winner = rest.next()?;
    let mut objects = vec![winner.endpoint.object.clone()];
    let mut reason = united(&winner.endpoint.claims()).then_some(Reason::MergedTargets);
    // One name for all Nodes or Pods is what those who give them one name want.
    let is_pool = all.iter().all(|(object, _)| matches!(&*object.kind, "Node" | "Pod"));
    reason = reason.filter(|_| !is_pool);
    objects.extend(winner.endpoint.claims().into_iter().map(|(object, _)| object));
    for claim in rest {
        if !leads_alike(&claim.content, &winner.content) {
            reason = Some(Reason::DifferentTargets);
        }
        objects.extend(claim.endpoint.claims().into_iter().map(|(object, _)| object));
    }
    let mut seen = BTreeSet::new();
    objects.retain(|object| seen.insert(object.clone()));
    objects.shrink_to_fit();
    if reason.is_none() && 1 < objects.len() {
        notes.push(Unwanted {
            object: objects.get(1).cloned(),
            name: Some(name.clone()),
            reason: SilentReason::SameTargetClaims,
            detail: format!("{} objects ask for the same", objects.len()),
        });
    }
    // Targets of one object never conflict with themselves.
    let reason = reason.filter(|_| 1 < objects.len());
    Some((winner, objects, reason.map(|reason| Conflict { reason, claims: all })))
}

/// True if both lead to the same targets: with another time to live or health evaluation only one of them
/// survives, and nobody is led elsewhere.
fn leads_alike(one: &Content, other: &Content) -> bool {
    one == other || one.alias().is_some() == other.alias().is_some() && one.targets() == other.targets()
}

/// True if objects whose targets were united asked for different ones.
fn united(claims: &[Claim]) -> bool {
    let sorted = |targets: &[Arc<str>]| {
        let mut targets = targets.to_vec();
        targets.sort();
        targets
    };
    let mut all = claims.iter().map(|(_, targets)| sorted(targets));
    all.next().is_some_and(|first| all.any(|other| other != first))
}

/// Whether it is no address, the address, the text.
type TargetOrder = (bool, Option<IpAddr>, String);

/// ExternalDNS' order: fewer targets first, then target by target, addresses before host names.
fn order(claim: &Submitted) -> (usize, Vec<TargetOrder>, ObjectRef) {
    let mut targets: Vec<_> = claim
        .endpoint
        .targets
        .iter()
        .map(|target| {
            let ip = target.parse::<IpAddr>().ok();
            (ip.is_none(), ip, target.clone())
        })
        .collect();
    targets.sort();
    (targets.len(), targets, claim.endpoint.object.clone())
}

fn claims_of<'a>(claims: impl Iterator<Item = &'a Submitted>) -> Vec<Claim> {
    let mut all: Vec<Claim> = claims.flat_map(|claim| claim.endpoint.claims()).collect();
    all.sort();
    all.dedup();
    all
}

/// The registry spells kinds in lower case.
#[must_use]
pub fn is_same(heritage: &ObjectRef, object: &ObjectRef) -> bool {
    heritage.kind.eq_ignore_ascii_case(&object.registry_word())
        && heritage.namespace == object.namespace
        && heritage.name == object.name
}
