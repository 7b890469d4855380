//! The record ladder: what a zone holds against what an instance wants there. Pure.
//!
//! The kinds are cut so that two of them never hold for one name key; the order of the checks is
//! the order of the ranks. Source: findings.md section 3, ranks 20 to 25 and 72.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::compare::answer_class::pool;
use crate::compare::leftovers::is_denied;
use crate::compare::owner::former_members;
use crate::compare::world::World;
use crate::desired::canonical::canonical_zone;
use crate::finding::{Kind, Reason};
use crate::model::DomainName;
use crate::model::instance::NEWEST_KNOWN;
use crate::model::record::{AliasTarget, Content, RecordSet, RecordType, Routing, Value};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;

/// One step of the ladder, and what else differs below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The kind with the lowest rank.
    pub kind: Kind,
    /// Why.
    pub reason: Reason,
    /// Kinds of higher rank that hold too.
    pub also: Vec<(Kind, Reason)>,
}

/// Compares one wanted record with its zone; empty when they agree.
#[must_use]
pub fn differences<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    want: &Want,
    zone: &'a ZoneReading,
) -> Option<Step> {
    let (here, instance) = (world.here(wants, want, zone), &wants.instance.id);
    let same_type = |set: &&RecordSet| set.record_type == want.record_type;
    let found = match here.iter().filter(same_type).find(|set| set.set_identifier == want.set_identifier) {
        Some(set) => found_differences(world, instance, want, set),
        None => vec![absent_differences(world, instance, want, zone, here)],
    };
    let mut found = found.into_iter();
    let (kind, reason) = found.next()?;
    Some(Step { kind, reason, also: found.collect() })
}

/// The key exists: alias-ness, routing, targets and TTL, in the order of the ranks.
fn found_differences(
    world: &World<'_>,
    instance: &Arc<str>,
    want: &Want,
    set: &RecordSet,
) -> Vec<(Kind, Reason)> {
    let mut out = Vec::new();
    match (&want.content, &set.content) {
        (_, Content::TrafficPolicy(_)) | (Content::TrafficPolicy(_), _) => return out,
        (Content::Alias(_), Content::Values { .. }) => out.push((Kind::WrongAlias, Reason::AliasExpected)),
        (Content::Values { .. }, Content::Alias(_)) => out.push((Kind::WrongAlias, Reason::AliasUnexpected)),
        (Content::Alias(wanted), Content::Alias(held)) => {
            out.extend(alias_attributes(
                want,
                wanted,
                held,
                want.zone_id().map(crate::model::ZoneId::as_str),
            ));
        }
        (Content::Values { .. }, Content::Values { .. }) => {}
    }
    out.extend(routing_difference(want, set).map(|reason| (Kind::WrongRouting, reason)));
    if out.iter().all(|(_, reason)| !matches!(reason, Reason::AliasExpected | Reason::AliasUnexpected)) {
        out.extend(target_difference(world, instance, want, set));
    }
    if let (Some(wanted), Some(held)) = (want.demanded_ttl, set.content.ttl())
        && want.content.ttl().is_some()
        && wanted != held
    {
        out.push((Kind::WrongTtl, Reason::None));
    }
    out
}

fn alias_attributes(
    want: &Want,
    wanted: &AliasTarget,
    held: &AliasTarget,
    own_zone: Option<&str>,
) -> Option<(Kind, Reason)> {
    if wanted.bare_name() != held.bare_name() {
        return None;
    }
    let wanted_zone = wanted.hosted_zone_id.as_ref().map(crate::model::ZoneId::as_str).or(own_zone);
    let held_zone = held.hosted_zone_id.as_ref().map(crate::model::ZoneId::as_str);
    if wanted_zone.is_some() && held_zone.is_some() && wanted_zone != held_zone {
        return Some((Kind::WrongAlias, Reason::AliasZoneId));
    }
    let demanded = want.demanded_health.filter(|health| *health != held.evaluate_target_health);
    demanded.map(|_| (Kind::WrongAlias, Reason::EvaluateTargetHealth))
}

/// Routing differs from what annotations demand.
fn routing_difference(want: &Want, set: &RecordSet) -> Option<Reason> {
    if let Some(wanted) = &want.health_check_id
        && set.health_check_id.as_ref() != Some(wanted)
    {
        return Some(Reason::HealthCheck);
    }
    match (want.routing.as_deref(), set.routing.as_deref()) {
        (Some(wanted), Some(held)) if wanted == held => None,
        (None, None) => None,
        (Some(_), None) => Some(Reason::PolicyMissing),
        (None, Some(_)) => Some(Reason::PolicyUnwanted),
        (Some(Routing::Weighted(_)), Some(Routing::Weighted(_))) => Some(Reason::Weight),
        (Some(Routing::Latency(_)), Some(Routing::Latency(_))) => Some(Reason::Region),
        (Some(Routing::Failover(_) | Routing::FailoverWord(_)), Some(Routing::Failover(_))) => {
            Some(Reason::Failover)
        }
        (Some(Routing::Geolocation { .. }), Some(Routing::Geolocation { .. }))
        | (Some(Routing::Geoproximity(_)), Some(Routing::Geoproximity(_))) => Some(Reason::Geo),
        (Some(_), Some(_)) => Some(Reason::PolicyUnwanted),
    }
}

/// The target sets differ: stale if the zone holds what was wanted earlier, else wrong.
fn target_difference(
    world: &World<'_>,
    instance: &Arc<str>,
    want: &Want,
    set: &RecordSet,
) -> Option<(Kind, Reason)> {
    // The usual case, without making sets.
    if want.content == set.content {
        return None;
    }
    let (wanted, held) = (targets(&want.content), targets(&set.content));
    if wanted == held {
        return None;
    }
    if want.is_resolved() {
        return resolved_difference(world, instance, want, set);
    }
    if was_wanted(world, instance, want, &held, &wanted) || is_gone(world, &held) {
        return Some((Kind::StaleTarget, Reason::PreviousLb));
    }
    let reason = if held.is_disjoint(&wanted) {
        Reason::Disjoint
    } else if held.is_subset(&wanted) {
        Reason::Subset
    } else if wanted.is_subset(&held) {
        Reason::Superset
    } else {
        Reason::Disjoint
    };
    Some((Kind::WrongTarget, reason))
}

/// ExternalDNS looks up the wanted host names itself, and any of their addresses will do. Those of another host are
/// stale if they stand there since that was wanted. Source: findings.md section 6, rule 2.
fn resolved_difference(
    world: &World<'_>,
    instance: &Arc<str>,
    want: &Want,
    set: &RecordSet,
) -> Option<(Kind, Reason)> {
    let held: BTreeSet<IpAddr> = set.content.plain_values().iter().filter_map(Value::ip).collect();
    let mut known: BTreeSet<IpAddr> = want.content.plain_values().iter().filter_map(Value::ip).collect();
    for host in want.content.hosts() {
        known.extend(pool(world, &host, want.record_type == RecordType::Aaaa)?);
    }
    if held.is_empty() || !held.is_disjoint(&known) {
        return None;
    }
    let wished = world.past.earlier_wishes(instance, want).next().and(world.past.wish_since(instance, want));
    let stands = want.zone_id().and_then(|zone| world.past.record_since(zone, want));
    let is_former = stands.zip(wished).is_some_and(|(stands, wished)| stands < wished);
    Some(if is_former {
        (Kind::StaleTarget, Reason::PreviousLb)
    } else {
        (Kind::WrongTarget, Reason::Disjoint)
    })
}

/// One earlier wish had these targets, or several had them and none of them is wanted any more.
fn was_wanted(
    world: &World<'_>,
    instance: &Arc<str>,
    want: &Want,
    held: &BTreeSet<Value>,
    wanted: &BTreeSet<Value>,
) -> bool {
    let earlier: Vec<BTreeSet<Value>> = world.past.earlier_wishes(instance, want).map(targets).collect();
    let each_was = || held.iter().all(|target| earlier.iter().any(|targets| targets.contains(target)));
    !held.is_empty() && (earlier.contains(held) || held.is_disjoint(wanted) && each_was())
}

/// True if only the answers of the former load balancer's own servers tell that its record is stale.
#[must_use]
pub fn is_stale_by_denial(world: &World<'_>, instance: &Arc<str>, want: &Want, zone: &ZoneReading) -> bool {
    let wanted = targets(&want.content);
    let held = zone.at(&want.name).iter().find(|set| want.is(&set.key())).map(|set| targets(&set.content));
    held.is_some_and(|held| !was_wanted(world, instance, want, &held, &wanted))
}

/// Nothing but names of AWS load balancers that their own servers deny.
fn is_gone(world: &World<'_>, held: &BTreeSet<Value>) -> bool {
    let gone =
        |host: &DomainName| canonical_zone(host.as_str(), NEWEST_KNOWN).is_some() && is_denied(world, host);
    !held.is_empty() && held.iter().all(|target| target.host().is_some_and(gone))
}

/// Targets as a set; an alias counts as its bare name.
pub(crate) fn targets(content: &Content) -> BTreeSet<Value> {
    match content {
        Content::Values { values, .. } => values.iter().cloned().collect(),
        Content::Alias(target) => BTreeSet::from([Value::Host(target.bare_name())]),
        Content::TrafficPolicy(_) => BTreeSet::new(),
    }
}

/// The key does not exist: what stands in its place decides.
fn absent_differences(
    world: &World<'_>,
    instance: &Arc<str>,
    want: &Want,
    zone: &ZoneReading,
    here: &[RecordSet],
) -> (Kind, Reason) {
    let of_type = |kind: &RecordType| here.iter().find(|set| set.record_type == *kind);
    if let Some(other) = of_type(&want.record_type) {
        return match (&want.set_identifier, &other.set_identifier) {
            (None, Some(_)) => (Kind::WrongRouting, Reason::PolicyUnwanted),
            (Some(_), None) => (Kind::WrongRouting, Reason::PolicyMissing),
            (Some(_), Some(_)) if was_another_member(world, instance, want, zone) => {
                (Kind::WrongRouting, Reason::SetIdentifier)
            }
            (Some(_), Some(_)) | (None, None) => missing(world, want, zone),
        };
    }
    if want.record_type == RecordType::Cname {
        let address = of_type(&RecordType::A).or_else(|| of_type(&RecordType::Aaaa));
        return match address {
            Some(_) => (Kind::WrongType, Reason::AInsteadOfCname),
            None => missing(world, want, zone),
        };
    }
    let Some(cname) = of_type(&RecordType::Cname) else { return missing(world, want, zone) };
    let same_target = want.content.alias().is_some_and(|target| {
        cname.content.plain_values().iter().filter_map(Value::host).any(|host| {
            let bare = host.as_str().strip_prefix("dualstack.").unwrap_or(host.as_str());
            *bare == *target.bare_name().as_str()
        })
    });
    if same_target {
        (Kind::WrongAlias, Reason::AliasExpectedCname)
    } else {
        (Kind::WrongType, Reason::CnameInsteadOfA)
    }
}

/// The record stands under the identifier that its object asked for before.
fn was_another_member(world: &World<'_>, instance: &Arc<str>, want: &Want, zone: &ZoneReading) -> bool {
    let wants = world.wants.iter().find(|one| one.instance.id == *instance);
    wants.is_some_and(|wants| !former_members(wants, want, zone).is_empty())
}

fn missing(world: &World<'_>, want: &Want, zone: &ZoneReading) -> (Kind, Reason) {
    if world.past.record_was_there(&zone.zone.id, want) {
        return (Kind::MissingRecord, Reason::Deleted);
    }
    let sibling = match want.record_type {
        RecordType::A => RecordType::Aaaa,
        _ => RecordType::A,
    };
    let has_sibling = want.record_type.is_address()
        && want.record_type != RecordType::Cname
        && zone
            .at(&want.name)
            .iter()
            .any(|set| set.record_type == sibling && set.set_identifier == want.set_identifier);
    (Kind::MissingRecord, if has_sibling { Reason::OneFamily } else { Reason::Absent })
}
