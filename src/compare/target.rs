//! Wanted targets that lead nowhere. Pure.
//!
//! Source: findings.md, kind `target_unresolvable`.

use std::collections::BTreeSet;

use crate::compare::delegation::{LOOKS, delegated_twin};
use crate::compare::leftovers::stands_privately;
use crate::compare::live::{addresses, chain, may_be_of, questions, resolved, says_nothing};
use crate::compare::world::World;
use crate::finding::Reason;
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::record::{Content, RecordSet, RecordType, Value};
use crate::model::want::Want;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ZoneId};

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
    let own = want.zone_id().and_then(|id| world.zone(id));
    if loops_in_zones(world, want)
        || [&want.name, &host].iter().any(|name| loops_in_answers(world, name, own))
    {
        return Some(Reason::Loop);
    }
    if own.is_some_and(|zone| stands_privately(world, zone, &host)) {
        return None;
    }
    let Some(end) = end_of_chain(world, &host) else { return Some(Reason::Loop) };
    let empty = |reason: &Reason| *reason != Reason::NoAddress || resolved(world, &host).is_empty();
    let own = own_servers(world, &end);
    let denied = denied(&own).filter(|_| own.iter().all(|answer| answer.referral().is_none()));
    denied
        .or_else(|| denied_behind(world, want, &host))
        .filter(empty)
        .or_else(|| lost_in_zones(world, want, &end))
}

/// What the servers of a name say about it.
fn own_servers<'a>(world: &World<'a>, name: &DomainName) -> Vec<&'a Observation> {
    let seen = questions(world, name);
    // A zone that nobody delegates to answers perfectly when it is asked directly.
    let is_idle = |answer: &Observation| {
        let zone = answer.zone_id.as_ref().and_then(|id| world.zone(&ZoneId::new(id)));
        zone.is_some_and(|zone| delegated_twin(world, zone).is_some())
    };
    let says = |answer: &&Observation| {
        answer.vantage == Vantage::Authoritative && !says_nothing(answer.outcome) && !is_idle(answer)
    };
    seen.iter().copied().filter(says).collect()
}

/// Why there is no address, where all who were asked say the same.
fn denied(own: &[&Observation]) -> Option<Reason> {
    let all = |outcome: Outcome| LOOKS <= own.len() && own.iter().all(|answer| answer.outcome == outcome);
    if all(Outcome::Nxdomain) {
        return Some(Reason::Nxdomain);
    }
    (all(Outcome::Nodata) && own.iter().any(|answer| &*answer.record_type == "A"))
        .then_some(Reason::NoAddress)
}

/// The name to which the servers of a host name lead in the end; `None` if they lead in a circle.
fn end_of_chain(world: &World<'_>, host: &DomainName) -> Option<DomainName> {
    let mut passed = BTreeSet::from([host.clone()]);
    let mut name = host.clone();
    while let Some(next) = next_in_chain(world, &name).filter(|_| passed.len() < MAX_CHAIN) {
        if !passed.insert(next.clone()) {
            return None;
        }
        name = next;
    }
    Some(name)
}

/// The one name to which all servers of a name that were asked send on.
fn next_in_chain(world: &World<'_>, name: &DomainName) -> Option<DomainName> {
    let own = own_servers(world, name);
    let step = |answer: &&Observation| {
        let mut records = answer.answers.iter().filter(|one| &*one.record_type == "CNAME");
        records.find(|one| one.name == *name).map(|one| DomainName::new(&one.data))
    };
    let mut steps: Vec<Option<DomainName>> = own.iter().map(step).collect();
    let is_enough = LOOKS <= steps.len();
    steps.dedup();
    steps.pop().flatten().filter(|_| is_enough && steps.is_empty())
}

/// The servers of the zone follow a target that lies in it, too: they show the record and that its end is not
/// there. Source: RFC 6604, section 3.
fn denied_behind(world: &World<'_>, want: &Want, host: &DomainName) -> Option<Reason> {
    let mut own = own_servers(world, &want.name);
    own.retain(|answer| answer.zone_id.as_deref() == want.zone_id().map(ZoneId::as_str));
    // An alias shows no chain.
    let zone = want.zone_id().and_then(|id| world.zone(id));
    let is_alias = want.content.alias().is_some() && zone.is_some_and(|zone| zone.at(host).is_empty());
    let is_hidden = || is_alias && host_is_of(zone, host) && stands_for(world, want, host);
    let is_behind = || is_hidden() || own.iter().all(|answer| chain(answer).contains(host));
    denied(&own).filter(|_| is_behind())
}

/// The zone of ours in which the target would lie does not have it, and all resolvers deny it.
fn lost_in_zones(world: &World<'_>, want: &Want, host: &DomainName) -> Option<Reason> {
    let zone = want.zone_id().and_then(|id| world.zone(id));
    let is_private = zone.map(|zone| zone.zone.private);
    let mut over = world.zones_over(host).filter(|zone| Some(zone.zone.private) == is_private);
    let nearest = over.next()?;
    // What stays beside it makes NODATA of NXDOMAIN, and no wildcard answers. A delegation hands it to others.
    let leads_on = |set: &RecordSet| set.record_type.is_address() || set.record_type == RecordType::Ns;
    let lacks = |zone: &&ZoneReading| {
        let here = zone.at(host);
        zone.record_sets.is_some()
            && !here.iter().any(leads_on)
            && (!here.is_empty() || !is_answered_above(zone, host))
    };
    let looks = questions(world, &want.name);
    let by_resolver = |seen: &&&Observation| {
        seen.vantage == Vantage::Recursive
            && world.control_works(seen)
            && may_be_of(world.policy, world.zones(), zone, seen)
    };
    let is_hidden = stands_for(world, want, host);
    let denies = |seen: &&Observation| {
        let is_denial = matches!(seen.outcome, Outcome::Nxdomain | Outcome::Nodata);
        let shows_end = is_denial && chain(seen).contains(host);
        shows_end || is_denial && is_hidden
    };
    let told: Vec<&&Observation> = looks.iter().filter(by_resolver).collect();
    let is_lost = LOOKS <= told.len()
        && told.iter().all(|seen| denies(seen))
        && lacks(&nearest)
        && over.take_while(|zone| zone.zone.name == nearest.zone.name).all(|zone| lacks(&zone));
    let is_there = want.content.alias().is_none() && told.iter().all(|seen| seen.outcome == Outcome::Nodata);
    is_lost.then_some(if is_there { Reason::NoAddress } else { Reason::Nxdomain })
}

/// True if the host lies in the zone and nothing above it there answers in its place.
fn host_is_of(zone: Option<&ZoneReading>, host: &DomainName) -> bool {
    zone.is_some_and(|zone| host.is_within(&zone.zone.name) && !is_answered_above(zone, host))
}

/// True if the record stands and leads to the host: answers need not show where it leads.
fn stands_for(world: &World<'_>, want: &Want, host: &DomainName) -> bool {
    let zone = want.zone_id().and_then(|id| world.zone(id));
    let here = zone.map(|zone| zone.at(&want.name)).unwrap_or_default();
    here.iter().any(|set| want.is(&set.key()) && target_host(&set.content).as_ref() == Some(host))
}

/// True if the wanted target is known to have no address of the wanted family: a record of that type leads
/// nobody anywhere.
#[must_use]
pub fn lacks_family(world: &World<'_>, want: &Want) -> bool {
    let Some(host) = target_host(&want.content) else { return false };
    let seen = world.told(&host);
    // A failure says nothing of the family.
    let tells = |answer: &&Observation| {
        *answer.record_type == *want.record_type.as_str()
            && matches!(answer.outcome, Outcome::Answer | Outcome::Nodata)
    };
    let mut empty = seen.filter(tells).map(|answer| addresses(answer).is_empty()).peekable();
    empty.peek().is_some() && empty.all(|is_empty| is_empty)
}

fn target_host(content: &Content) -> Option<DomainName> {
    match content {
        Content::Alias(target) => Some(target.bare_name()),
        Content::Values { values, .. } => values.iter().find_map(Value::host).cloned(),
        Content::TrafficPolicy(_) => None,
    }
}

/// A delegation or a wildcard on the way down to a name: the zone itself denies nothing then.
fn is_answered_above(zone: &ZoneReading, host: &DomainName) -> bool {
    let below = host.suffixes().take_while(|name| zone.zone.name.as_str().len() < name.len());
    below.into_iter().any(|name| {
        let star = DomainName::new(name).wildcard_sibling();
        zone.at_text(name).iter().any(|set| set.record_type == RecordType::Ns)
            || star.is_some_and(|star| !zone.at(&star).is_empty())
    })
}

/// Follows the target through our own zones.
#[must_use]
pub fn loops_in_zones(world: &World<'_>, want: &Want) -> bool {
    let Some(host) = target_host(&want.content) else { return false };
    let mut passed = BTreeSet::from([want.name.clone()]);
    let mut name = host;
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

/// A chain in one answer that comes back to a name that it has passed. `zone`: that of the wish.
fn loops_in_answers(world: &World<'_>, name: &DomainName, zone: Option<&ZoneReading>) -> bool {
    let seen = world.told(name);
    let is_of_zone = |seen: &&Observation| may_be_of(world.policy, world.zones(), zone, seen);
    let seen: Vec<_> = seen.filter(is_of_zone).collect();
    LOOKS <= seen.iter().filter(|answer| is_loop(answer)).count()
        && !seen.iter().any(|answer| !addresses(answer).is_empty())
}

/// The chain of the answer comes back to a name that it has passed.
pub(super) fn is_loop(answer: &Observation) -> bool {
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
