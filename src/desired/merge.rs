//! Several endpoints under one name: what the plan makes of them. Pure.
//!
//! Source: kubernetes-sigs/external-dns:plan/conflict.go, endpoint/utils.go (`MergeEndpoints`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::desired::endpoint::Claim;
use crate::desired::submit::Submitted;
use crate::desired::versions::{Behaviour, does};
use crate::finding::{Reason, SilentReason};
use crate::model::record::RecordType;
use crate::model::want::{Conflict, Unwanted};
use crate::model::{Content, DomainName, ObjectRef, Version};

/// Who wins where a name may have several types, and where it has one record.
const ADDRESSES_WIN: &str = "A and AAAA beat CNAME when a status carries addresses and host names";
const FEWER_WIN: &str = "one name has one record: of addresses and host names the fewer ones";

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
pub fn resolve(
    name: &DomainName,
    candidates: Vec<Submitted>,
    holder: Option<&ObjectRef>,
    version: Version,
) -> Resolved {
    let mut out = Resolved::default();
    let apart = does(version, Behaviour::TypesApart);
    let (survivors, losers) =
        if apart { before_cname(candidates) } else { of_one_type(candidates, holder, version) };
    let mixed_conflict = if losers.is_empty() {
        None
    } else {
        let rule = if apart { ADDRESSES_WIN } else { FEWER_WIN };
        mixed_types(name, &survivors, &losers, rule, &mut out.notes)
    };
    let mut by_type: BTreeMap<RecordType, Vec<Submitted>> = BTreeMap::new();
    for candidate in survivors {
        by_type.entry(candidate.record_type().clone()).or_default().push(candidate);
    }
    for claims in by_type.into_values() {
        let Some((winner, objects, conflict)) = resolve_type(name, claims, (holder, version), &mut out.notes)
        else {
            continue;
        };
        out.kept.push((winner, objects, conflict.or_else(|| mixed_conflict.clone())));
    }
    out
}

/// What is left of claims of several types, and what is not.
type Parted = (Vec<Submitted>, Vec<Submitted>);

/// A CNAME only where nothing else is asked for.
fn before_cname(candidates: Vec<Submitted>) -> Parted {
    let (cnames, others): Parted =
        candidates.into_iter().partition(|candidate| *candidate.record_type() == RecordType::Cname);
    if others.is_empty() { (cnames, others) } else { (others, cnames) }
}

/// The type of the holder's claim, or of the least of all. The second half of an alias follows the first.
fn of_one_type(candidates: Vec<Submitted>, holder: Option<&ObjectRef>, version: Version) -> Parted {
    let is_held = |one: &Submitted| holder.is_some_and(|held| is_same(held, &one.endpoint.object));
    let planned = candidates.iter().filter(|one| !one.endpoint.origin.companion);
    let winner = planned.min_by_key(|one| (!is_held(one), order(one, version)));
    let Some(winner) = winner else { return (candidates, Vec::new()) };
    let (record_type, is_alias) = (winner.record_type().clone(), winner.content.alias().is_some());
    let survives =
        |one: &Submitted| *one.record_type() == record_type || is_alias && one.endpoint.origin.companion;
    candidates.into_iter().partition(survives)
}

/// Several types: documented precedence within one object, a conflict between two.
fn mixed_types(
    name: &DomainName,
    survivors: &[Submitted],
    losers: &[Submitted],
    rule: &str,
    notes: &mut Vec<Unwanted>,
) -> Option<Conflict> {
    let objects = |claims: &[Submitted]| -> BTreeSet<ObjectRef> {
        claims.iter().map(|claim| claim.endpoint.object.clone()).collect()
    };
    let (winners, lost) = (objects(survivors), objects(losers));
    if lost.is_subset(&winners) {
        notes.push(Unwanted {
            object: lost.into_iter().next(),
            name: Some(name.clone()),
            reason: SilentReason::ResolutionOrder,
            detail: rule.to_owned(),
        });
        return None;
    }
    Some(Conflict { reason: Reason::MixedTypes, claims: claims_of(survivors.iter().chain(losers)) })
}

fn resolve_type(
    name: &DomainName,
    mut claims: Vec<Submitted>,
    (holder, version): (Option<&ObjectRef>, Version),
    notes: &mut Vec<Unwanted>,
) -> Option<(Submitted, Vec<ObjectRef>, Option<Conflict>)> {
    claims.sort_by_cached_key(|claim| order(claim, version));
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

/// ExternalDNS' order: fewer targets first, then target by target, addresses before host names or as text.
fn order(claim: &Submitted, version: Version) -> (usize, Vec<TargetOrder>, ObjectRef) {
    let mut targets: Vec<_> = claim
        .endpoint
        .targets
        .iter()
        .map(|target| {
            let ip = target.parse::<IpAddr>().ok().filter(|_| does(version, Behaviour::AddressesFirst));
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
