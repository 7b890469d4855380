//! Objects that name hosts and have no address. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::compare::live::{addresses, chain, impact_of, resolved, told_to_users, union};
use crate::compare::published::Deletions;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::wishes::{open, signed};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, SilentReason, Subject};
use crate::model::heritage::TxtRole;
use crate::model::instance::Policy as Allowed;
use crate::model::observation::{Observation, Outcome};
use crate::model::record::{RecordSet, Value};
use crate::model::want::{InstanceWants, Lack, Want, WithoutTarget};
use crate::model::zone::ZoneReading;
use crate::model::{Content, DomainName, RecordType};
use crate::past::Sighting;
use crate::past::names::Wish;
use crate::report::{Fix, Silent};

/// Judges the objects of one instance that have nothing to point their hosts at.
pub fn judge_objects(world: &World<'_>, wants: &InstanceWants, out: &mut Verdicts) {
    if wants.without_target.is_empty() {
        return;
    }
    let deletions = Deletions::of(world, wants);
    for object in &wants.without_target {
        let subject = Subject::Object(object.object.clone());
        let (object, others) = ours(world, wants, object);
        if object.names.is_empty() {
            let detail = format!("instance {} has a zone for it", others.join(", "));
            out.silent.push(Silent { subject, reason: SilentReason::SplitHorizon, detail });
            continue;
        }
        let object = object.as_ref();
        let lost = was_served(world, wants, object) || deletions.hosts(object).next().is_some();
        if object.lack == Lack::Gateway && !(lost && wants.unknown.is_empty()) {
            // It may be meant for a Gateway that is yet to come, or that nobody lets us see.
            let detail = "no Gateway that is read has accepted the route".to_owned();
            out.silent.push(Silent { subject, reason: SilentReason::NoHost, detail });
            continue;
        }
        let reason = if lost { Reason::Lost } else { Reason::NeverAssigned };
        let key = FindingKey {
            subject: subject.clone(),
            zone_id: None,
            instance: Some(wants.instance.id.clone()),
            kind: Kind::NoAddress,
        };
        let read_at = world.snapshot.kubernetes.read_at.unwrap_or(world.at());
        let mut candidate = Candidate::new(key, reason, impact(world, wants, object), read_at);
        candidate.object = Some(object.object.clone());
        // What another object keeps alive is not lost with this one.
        let (kept, alone): (Vec<DomainName>, Vec<DomainName>) =
            object.names.iter().cloned().partition(|name| is_kept(world, wants, object, name));
        candidate.covers = alone.iter().cloned().collect();
        candidate.onset = if lost { object.status_changed_at } else { object.created_at };
        if !lost && let Some(created) = object.created_at {
            candidate.window =
                open(SilentReason::NoDnsTargetYet, created, signed(world.policy.new_object), world.at());
        }
        if let Some(window) = candidate.window {
            let detail = format!("a young object without an address, until {}", window.until);
            out.silent.push(Silent { subject, reason: window.reason, detail });
        }
        if alone.is_empty() {
            describe_kept(&mut candidate, object, &kept);
        } else {
            let object = &WithoutTarget { names: alone, ..object.clone() };
            describe(&mut candidate, object, lost.then(|| fate(world, wants, object)));
        }
        out.candidates.push(candidate);
    }
}

/// The object with the hosts that this instance would publish, and the instances that would publish the
/// others: a host for which only another instance has a zone is that instance's business.
fn ours<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    object: &'a WithoutTarget,
) -> (Cow<'a, WithoutTarget>, Vec<&'a str>) {
    let mut others: Vec<&str> = Vec::new();
    let mut names = object.names.clone();
    names.retain(|name| match publisher(world, wants, object, name) {
        Some(other) => {
            others.push(other);
            false
        }
        None => true,
    });
    if others.is_empty() {
        return (Cow::Borrowed(object), others);
    }
    others.sort_unstable();
    others.dedup();
    (Cow::Owned(WithoutTarget { names, ..object.clone() }), others)
}

/// Another instance that waits for the same object and has a zone for the name, while this one has none.
fn publisher<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    object: &WithoutTarget,
    name: &DomainName,
) -> Option<&'a str> {
    let waits = |one: &InstanceWants| {
        let mut same = one.without_target.iter().filter(|other| other.object == object.object);
        same.any(|other| other.names.contains(name))
    };
    let has_zone = |one: &InstanceWants| world.zones_over(name).any(|zone| one.zones.contains(&zone.zone.id));
    if has_zone(wants) {
        return None;
    }
    world.wants.iter().find(|other| has_zone(other) && waits(other)).map(|other| &*other.instance.id)
}

/// True if the object had an address or was published in an earlier round, or a record that names it still stands.
fn was_served(world: &World<'_>, wants: &InstanceWants, object: &WithoutTarget) -> bool {
    let past = world.past.objects.get(&object.object);
    // Another instance may have published it for other zones.
    let is_former = || object.names.iter().any(|name| former(world, wants, name).next().is_some());
    past.is_some_and(|past| past.first_address_at.is_some() || past.published_at.is_some() && is_former())
        || holders(world, wants, object)
            .any(|one| object.names.iter().any(|name| has_record(world, one, object, name)))
}

/// The instance, and the others that wait for the same object: whoever wrote its record, it was served.
fn holders<'a>(
    world: &'a World<'_>,
    wants: &'a InstanceWants,
    object: &'a WithoutTarget,
) -> impl Iterator<Item = &'a InstanceWants> {
    let waits = |one: &&InstanceWants| one.without_target.iter().any(|other| other.object == object.object);
    let others = world.wants.iter().filter(move |one| !std::ptr::eq(*one, wants) && waits(one));
    std::iter::once(wants).chain(others)
}

/// What the instance wanted at a name before.
fn former<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    name: &DomainName,
) -> impl Iterator<Item = &'a Sighting<Content>> {
    let wished = world.wished(name).iter().filter(|wish| wish.place == wants.instance.id);
    wished.flat_map(|wish| &wish.sightings)
}

/// True if answers lead to none of the addresses that the name was wanted with; false where those are not known.
///
/// A host name counts with the addresses that it has or lately had. Source: findings.md section 6, rule 2.
fn leads_elsewhere(
    world: &World<'_>,
    wants: &InstanceWants,
    name: &DomainName,
    told: &[&Observation],
) -> bool {
    let of_address = |wish: &&Wish| wish.place == wants.instance.id && wish.record_type.is_address();
    let wished = world.wished(name).iter().filter(of_address);
    let ends = wished.filter_map(|wish| wish.sightings.last()).map(|last| led_to(world, &last.value));
    // Of what was wanted last all must be known, of what was wanted before as much as there is.
    let mut ends = ends.peekable();
    if ends.peek().is_none() || ends.any(|addresses| addresses.is_empty()) {
        return false;
    }
    let wanted: BTreeSet<IpAddr> =
        former(world, wants, name).flat_map(|sighting| led_to(world, &sighting.value)).collect();
    let hosts: BTreeSet<DomainName> =
        former(world, wants, name).flat_map(|sighting| sighting.value.hosts()).collect();
    let is_other =
        |seen: &&Observation| addresses(seen).is_disjoint(&wanted) && chain(seen).is_disjoint(&hosts);
    let mut found = told.iter().filter(|seen| !addresses(seen).is_empty()).peekable();
    found.peek().is_some() && found.all(is_other)
}

/// What those suffer whom answers lead elsewhere than the name was wanted.
pub(super) fn misled_to(
    world: &World<'_>,
    wants: &InstanceWants,
    name: &DomainName,
    told: &[&Observation],
) -> Impact {
    if !leads_elsewhere(world, wants, name, told) {
        Impact::None
    } else if leads_to_siblings(world, wants, name, told) {
        Impact::Degraded
    } else {
        Impact::WrongPlace
    }
}

/// True if the name was wanted as a member of a routing set, and answers lead to the members that stand: these serve
/// all users now. Source: findings.md section 6, rule 3.
fn leads_to_siblings(
    world: &World<'_>,
    wants: &InstanceWants,
    name: &DomainName,
    told: &[&Observation],
) -> bool {
    let mut wished = world.wished(name).iter().filter(|wish| wish.place == wants.instance.id).peekable();
    if wished.peek().is_none() || wished.any(|wish| wish.set_identifier.is_none()) {
        return false;
    }
    let zones = wants.zones.iter().filter_map(|id| world.zone(id));
    let sets = zones.flat_map(|zone| zone.at(name)).filter(|set| set.set_identifier.is_some());
    let others = union(world, sets);
    let is_theirs = |seen: &&Observation| {
        let found = addresses(seen);
        !found.is_empty() && found.is_subset(&others.addresses) || others.is_led_to(&chain(seen))
    };
    !told.is_empty() && told.iter().all(is_theirs)
}

/// The addresses of a content, those of a host name as they are and lately were.
fn led_to(world: &World<'_>, content: &Content) -> BTreeSet<IpAddr> {
    let plain = content.plain_values().iter().filter_map(Value::ip);
    let of_host = |host: DomainName| {
        let lately: Vec<IpAddr> = world.past.answered.lately(&host).collect();
        resolved(world, &host).into_iter().chain(lately)
    };
    plain.chain(content.hosts().into_iter().flat_map(of_host)).collect()
}

fn has_record(world: &World<'_>, wants: &InstanceWants, object: &WithoutTarget, name: &DomainName) -> bool {
    let types = [RecordType::A, RecordType::Aaaa, RecordType::Cname];
    let txt: BTreeSet<DomainName> = types
        .iter()
        .flat_map(|record_type| crate::compare::owner::heritage_names(&wants.instance, name, record_type))
        .collect();
    wants.zones.iter().filter_map(|id| world.zone(id)).any(|zone| {
        txt.iter().flat_map(|name| zone.at(name)).any(|set| match TxtRole::of(set) {
            TxtRole::Heritage(heritage) => {
                heritage.owner == Some(&wants.instance.flags.owner_id)
                    && heritage
                        .object()
                        .is_some_and(|held| crate::desired::merge::is_same(&held, &object.object))
            }
            TxtRole::Encrypted | TxtRole::Other => false,
        })
    })
}

/// True if another object asks for the name, and for every record that stands there: none goes with this object. A
/// member of a routing set goes with the last object that asks for it, whatever other members stay.
fn is_kept(world: &World<'_>, wants: &InstanceWants, object: &WithoutTarget, name: &DomainName) -> bool {
    let wanted = wants.at(name);
    let is_same_member = |want: &Want| want.set_identifier == object.set_identifier;
    if object.set_identifier.is_some() && !wanted.iter().any(is_same_member) {
        return false;
    }
    let stays = |zone: &ZoneReading, set: &RecordSet| {
        wanted.iter().any(|want| want.is(&set.key()) && want.zone_id() == Some(&zone.zone.id))
    };
    let mut zones = wants.zones.iter().filter_map(|id| world.zone(id));
    wanted.iter().any(|want| want.record_type.is_address())
        && zones.all(|zone| {
            let member = object.set_identifier.as_ref();
            let is_of_member = |set: &RecordSet| member.is_none() || set.set_identifier.as_ref() == member;
            let mut sets =
                zone.at(name).iter().filter(|set| set.record_type.is_address() && is_of_member(set));
            sets.all(|set| stays(zone, set))
        })
}

/// Down when a host of the object is denied now, in the wrong place when the answers lead elsewhere, a wildcard's
/// perhaps; else the next loop decides. A host that other objects keep suffers nothing.
fn impact(world: &World<'_>, wants: &InstanceWants, object: &WithoutTarget) -> Impact {
    let (mut seen, mut misled) = (false, Impact::None);
    let alone = || object.names.iter().filter(|name| !is_kept(world, wants, object, name));
    if alone().next().is_none() {
        return Impact::None;
    }
    for name in alone() {
        // A host that another object serves is not this object's harm.
        if let Some(other) = wants.at(name).first()
            && impact_of(world, other, other.zone_id().and_then(|id| world.zone(id))).harm.is_none()
        {
            // But those whom its member served are left to the others.
            if object.set_identifier.is_some() && !stands(world, wants, object, name) {
                misled = worse(misled, Impact::Degraded);
            }
            continue;
        }
        let told = told_to_users(world, wants, name, None);
        seen |= !told.is_empty();
        if !told.is_empty() && told.iter().all(|answer| answer.outcome != Outcome::Answer) {
            return Impact::Down;
        }
        misled = worse(misled, misled_to(world, wants, name, &told));
    }
    if misled != Impact::None {
        return misled;
    }
    let recorded = alone().any(|name| stands(world, wants, object, name));
    if seen || recorded { Impact::Latent } else { Impact::Down }
}

/// The graver of two, in any order.
fn worse(one: Impact, other: Impact) -> Impact {
    if one.weight() < other.weight() { other } else { one }
}

/// True if a zone of the instance still has what the object asked for: its own member of a routing set.
fn stands(world: &World<'_>, wants: &InstanceWants, object: &WithoutTarget, name: &DomainName) -> bool {
    let is_own = |set: &RecordSet| {
        set.record_type.is_address()
            && (object.set_identifier.is_none() || set.set_identifier == object.set_identifier)
    };
    wants.zones.iter().filter_map(|id| world.zone(id)).any(|zone| zone.at(name).iter().any(is_own))
}

/// What becomes of the records of an object that has lost its address.
fn fate(world: &World<'_>, wants: &InstanceWants, object: &WithoutTarget) -> &'static str {
    match (object.names.iter().any(|name| stands(world, wants, object, name)), wants.instance.flags.policy) {
        (false, _) => "there is no record any more for",
        (true, Allowed::Sync) => "ExternalDNS will delete the records of",
        (true, _) => "the policy of ExternalDNS keeps the old records of",
    }
}

/// For an object all of whose hosts others ask for, too.
fn describe_kept(candidate: &mut Candidate, object: &WithoutTarget, kept: &[DomainName]) {
    let (reference, names) = (&object.object, listed(kept));
    let lack = match object.lack {
        Lack::Address => "has no load balancer address",
        Lack::Gateway => "has no Gateway",
        Lack::Acceptance => "is accepted by no Gateway",
    };
    candidate.summary =
        format!("{reference} {lack}; other objects ask for {names} as well, so the records stay.");
    candidate.fix = remedy(object);
}

/// The first of several names.
fn listed(names: &[DomainName]) -> String {
    names.iter().take(5).map(DomainName::as_str).collect::<Vec<_>>().join(", ")
}

fn describe(candidate: &mut Candidate, object: &WithoutTarget, fate: Option<&str>) {
    let (reference, names) = (&object.object, listed(&object.names));
    candidate.summary = match (object.lack, fate) {
        (Lack::Address, Some(fate)) => {
            format!("{reference} has lost its load balancer address; {fate} {names}.")
        }
        (Lack::Address, None) => {
            format!("{reference} has never got a load balancer address; {names} cannot be published.")
        }
        (Lack::Gateway, Some(fate)) => {
            format!("The Gateway of {reference} is not there any more; {fate} {names}.")
        }
        (Lack::Gateway, None) => {
            format!("The Gateway of {reference} is not there; {names} cannot be published.")
        }
        (Lack::Acceptance, Some(fate)) => {
            format!("No Gateway accepts {reference} for its hosts any more; {fate} {names}.")
        }
        (Lack::Acceptance, None) => {
            format!("No Gateway has accepted {reference} for its hosts; {names} cannot be published.")
        }
    };
    candidate.fix = remedy(object);
}

fn remedy(object: &WithoutTarget) -> Fix {
    let summary = match object.lack {
        Lack::Address => "Repair the load balancer or its controller; DNS follows by itself.",
        Lack::Gateway => {
            "Bring back the Gateway that the route names in its parentRefs, or name the one that is to serve it; DNS \
             follows by itself."
        }
        Lack::Acceptance => {
            "Read the condition Accepted in the status of the route: its Gateway, a listener or the namespaces \
             allowed there do not fit; DNS follows by itself."
        }
    };
    Fix {
        summary: summary.to_owned(),
        commands: vec![crate::compare::fix::describe(&object.object)],
        ..Fix::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_that_others_serve_makes_the_harm_of_another_no_smaller() {
        for (one, other) in [
            (Impact::WrongPlace, Impact::Degraded),
            (Impact::Down, Impact::Latent),
            (Impact::Latent, Impact::None),
        ] {
            assert_eq!((worse(one, other), worse(other, one)), (one, one));
        }
    }
}
