//! Wanted targets that lead nowhere. Pure.
//!
//! Source: findings.md, kind `target_unresolvable`.

use std::collections::BTreeSet;

use crate::compare::delegation::LOOKS;
use crate::compare::leftovers::stands_privately;
use crate::compare::live::{resolved, says_nothing};
use crate::compare::world::World;
use crate::finding::Reason;
use crate::model::DomainName;
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::record::{Content, RecordType, Value};
use crate::model::want::Want;

/// Longest CNAME chain that is followed; a longer one is no loop, only more than resolvers follow.
const MAX_CHAIN: usize = 16;

/// The wanted target is a host name that has no address.
#[must_use]
pub fn dead_target(world: &World<'_>, want: &Want) -> Option<Reason> {
    let host = target_host(&want.content)?;
    if host == want.name {
        // That is an impossible wish of its own.
        return None;
    }
    if loops_in_zones(world, want, &host) || loops_in_answers(world, want) {
        return Some(Reason::Loop);
    }
    let zone = want.zone_id().and_then(|id| world.zone(id));
    if zone.is_some_and(|zone| stands_privately(world, zone, &host)) {
        return None;
    }
    let seen = world.answers.get(&host)?;
    let own: Vec<&Observation> = seen
        .iter()
        .copied()
        .filter(|answer| answer.vantage == Vantage::Authoritative && !says_nothing(answer.outcome))
        .collect();
    let all = |outcome: Outcome| LOOKS <= own.len() && own.iter().all(|answer| answer.outcome == outcome);
    if all(Outcome::Nxdomain) {
        return Some(Reason::Nxdomain);
    }
    let empty = all(Outcome::Nodata)
        && own.iter().all(|answer| answer.referral().is_none())
        && own.iter().any(|answer| &*answer.record_type == "A");
    (empty && resolved(world, &host).is_empty()).then_some(Reason::NoAddress)
}

/// True if the wanted target is known to have no address of the wanted family: a record of that type leads
/// nobody anywhere.
#[must_use]
pub fn lacks_family(world: &World<'_>, want: &Want) -> bool {
    let Some(host) = target_host(&want.content) else { return false };
    let seen = world.answers.get(&host).map(Vec::as_slice).unwrap_or_default();
    let asked = seen
        .iter()
        .filter(|answer| *answer.record_type == *want.record_type.as_str() && !says_nothing(answer.outcome));
    let mut empty = asked.map(|answer| answer.outcome == Outcome::Nodata).peekable();
    empty.peek().is_some() && empty.all(|is_empty| is_empty)
}

fn target_host(content: &Content) -> Option<DomainName> {
    match content {
        Content::Alias(target) => Some(target.bare_name()),
        Content::Values { values, .. } => values.iter().find_map(Value::host).cloned(),
        Content::TrafficPolicy(_) => None,
    }
}

/// Follows the target through our own zones.
fn loops_in_zones(world: &World<'_>, want: &Want, host: &DomainName) -> bool {
    let mut passed = BTreeSet::from([want.name.clone()]);
    let mut name = host.clone();
    for _ in 0..MAX_CHAIN {
        if !passed.insert(name.clone()) {
            return true;
        }
        let Some(next) = leads_to(world, want, &name) else { return false };
        name = next;
    }
    false
}

fn leads_to(world: &World<'_>, want: &Want, name: &DomainName) -> Option<DomainName> {
    let own = world.zone(want.zone_id()?)?.zone.private;
    let nearest = world.zones_over(name).find(|zone| zone.zone.private == own)?;
    let address = |kind: &RecordType| *kind == RecordType::Cname || *kind == want.record_type;
    let mut sets = nearest.at(name).iter().filter(|set| address(&set.record_type));
    sets.find_map(|set| target_host(&set.content))
}

/// A chain in one answer that comes back to a name that it has passed.
fn loops_in_answers(world: &World<'_>, want: &Want) -> bool {
    let seen = world.answers.get(&want.name).map(Vec::as_slice).unwrap_or_default();
    LOOKS <= seen.iter().filter(|answer| is_loop(answer)).count()
        && !seen.iter().any(|answer| !crate::compare::live::addresses(answer).is_empty())
}

fn is_loop(answer: &Observation) -> bool {
    let mut passed = BTreeSet::from([answer.name.clone()]);
    let mut name = answer.name.clone();
    for _ in 0..MAX_CHAIN {
        let step =
            answer.answers.iter().find(|record| &*record.record_type == "CNAME" && record.name == name);
        let Some(step) = step else { return false };
        name = DomainName::new(&step.data);
        if !passed.insert(name.clone()) {
            return true;
        }
    }
    false
}
