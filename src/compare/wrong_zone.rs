//! The right record in a zone that does not serve the view. Pure.
//!
//! Route 53 allows any number of zones of one name, and a name may lie in several zones: what a zone
//! holds helps only those who are led to it. Source: findings.md, kind `wrong_zone`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::compare::answer_class::is_private;
use crate::compare::delegation::{LOOKS, known_delegated_twin, known_delegation, name_servers, twins};
use crate::compare::ladder::{Step, targets};
use crate::compare::live::{
    Match, addresses, answers, asks, expected, questions, says_nothing, serves, worst,
};
use crate::compare::mismatch::{is_referral, occluded};
use crate::compare::owner::{Ownership, ownership};
use crate::compare::resolvers::is_from_before;
use crate::compare::wildcard::covering;
use crate::compare::world::World;
use crate::finding::{Impact, Kind, Reason};
use crate::model::observation::{Observation, Vantage};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::model::{Content, DomainName, RecordSet, ZoneId};
use crate::past::names::Held;
use crate::policy::NetworkView;
use crate::snapshot::ViewState;

/// A record in the wrong zone.
pub struct Misplaced {
    /// Why.
    pub reason: Reason,
    /// What users of the view get.
    pub impact: Impact,
    /// What shows it.
    pub evidence: String,
    /// The resolvers that do not give it, where they alone decide.
    pub servers: BTreeSet<Arc<str>>,
}

/// The zone in which a wish is judged.
///
/// Of two public zones of one name ExternalDNS takes either, so which of them it is does not follow from the
/// wish. What users get stands in the one that the parent leads to. A record that stands as wanted in the other
/// one stays there: it is told as misplaced, unless the delegated one has it, too, and then it is the instance's
/// that counts.
#[must_use]
pub fn home<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    want: &Want,
    zone: &'a ZoneReading,
) -> &'a ZoneReading {
    let twin = known_delegated_twin(world, zone);
    let twin = twin.filter(|twin| twin.record_sets.is_some() && wants.zones.contains(&twin.zone.id));
    let owned = |zone: &ZoneReading| ownership(&wants.instance, want, zone) == Ownership::Own;
    twin.filter(|twin| !holds(zone, want) || holds(twin, want) && owned(twin)).unwrap_or(zone)
}

/// True if users are led to another zone of this name that the instance writes, too, and whose records nobody could
/// read: what this one holds says nothing then.
#[must_use]
pub fn has_unread_twin(world: &World<'_>, wants: &InstanceWants, zone: &ZoneReading) -> bool {
    let is_led_to = |twin: &ZoneReading| {
        let servers = known_delegation(world, zone);
        servers.is_some_and(|servers| !servers.is_disjoint(&name_servers(twin)))
    };
    !zone.zone.private
        && unread_twins(world, zone).any(|twin| wants.zones.contains(&twin.zone.id) && is_led_to(twin))
}

/// Zones of the same name and sort that could not be read.
fn unread_twins<'a>(world: &World<'a>, zone: &ZoneReading) -> impl Iterator<Item = &'a ZoneReading> {
    let is_twin =
        |one: &&'a ZoneReading| one.zone.private == zone.zone.private && one.zone.name == zone.zone.name;
    world.unread.iter().copied().filter(is_twin)
}

/// The wishes for a name that may stand in a zone: those that are placed there or in a twin that could not be read,
/// and those that are judged there.
pub fn may_stand<'a, 's>(
    world: &'s World<'a>,
    zone: &'s ZoneReading,
    name: &'s DomainName,
) -> impl Iterator<Item = &'a Want> + 's {
    let all = world.wants.iter().flat_map(move |one| one.at(name).iter().map(move |want| (one, want)));
    let is_here = move |wants: &InstanceWants, want: &Want| {
        want.zone_id().is_some_and(|id| {
            *id == zone.zone.id
                || match world.zone(id) {
                    Some(placed) => home(world, wants, want, placed).zone.id == zone.zone.id,
                    None => unread_twins(world, zone).any(|twin| twin.zone.id == *id),
                }
        })
    };
    all.filter(move |(wants, want)| is_here(wants, want)).map(|(_, want)| want)
}

/// Tells whether the wanted record stands, but in a zone that its users are not led to.
#[must_use]
pub fn wrong_zone(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
    step: Option<&Step>,
) -> Option<Misplaced> {
    let is_minor = |step: &Step| step.kind == Kind::WrongTtl || step.reason == Reason::EvaluateTargetHealth;
    let stands = step.is_none_or(is_minor);
    let is_missing = step.is_some_and(|step| step.kind == Kind::MissingRecord);
    match (stands, zone.zone.private) {
        (true, true) => {
            above_a_private_zone(world, wants, want, zone).or_else(|| private_only(world, wants, want, zone))
        }
        (true, false) => misled(world, wants, want, zone),
        (false, true) => None,
        (false, false) if is_missing => elsewhere(world, want, zone),
        (false, false) => written_to_the_twin(world, wants, want, zone),
    }
}

/// True if a zone holds the wanted record set. Its TTL, the spelling of its target and whether it looks
/// at the health of that make it no other one.
#[must_use]
pub fn holds(zone: &ZoneReading, want: &Want) -> bool {
    let same = |held: &Content| {
        held.alias().is_some() == want.content.alias().is_some() && targets(held) == targets(&want.content)
    };
    zone.at(&want.name).iter().any(|set| want.is(&set.key()) && same(&set.content))
}

/// The record is here, and its users are led elsewhere.
fn misled<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    want: &Want,
    zone: &'a ZoneReading,
) -> Option<Misplaced> {
    not_delegated(world, want, zone)
        .or_else(|| below_a_delegation(world, wants, want, zone))
        .or_else(|| behind_a_private_zone(world, wants, want, zone))
}

/// True if users of the public view get what is wanted, wherever it stands.
pub(super) fn is_served_in_public(world: &World<'_>, want: &Want) -> bool {
    seen_in_public(world, want) && public_impact(world, want).is_none()
}

fn public_zones<'a>(world: &World<'a>) -> impl Iterator<Item = &'a ZoneReading> {
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    zones.filter(|zone| !zone.zone.private && zone.record_sets.is_some())
}

/// The parent leads users to another zone of the same name.
fn not_delegated(world: &World<'_>, want: &Want, zone: &ZoneReading) -> Option<Misplaced> {
    let other = known_delegated_twin(world, zone).filter(|other| !holds(other, want))?;
    Some(Misplaced {
        reason: Reason::NotTheDelegatedOne,
        impact: public_impact(world, want).unwrap_or(Impact::Latent),
        evidence: format!("the parent delegates {} to zone {}", zone.zone.name, other.zone.id),
        servers: BTreeSet::new(),
    })
}

/// NS records below the apex give the name to somebody else.
fn below_a_delegation<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    want: &Want,
    zone: &'a ZoneReading,
) -> Option<Misplaced> {
    let deeper = |other: &ZoneReading| {
        other.zone.name != zone.zone.name
            && other.zone.name.is_within(&zone.zone.name)
            && want.name.is_within(&other.zone.name)
    };
    let here = world.here(wants, want, zone);
    if !occluded(zone, want, here) || public_zones(world).any(|other| deeper(other) && holds(other, want)) {
        return None;
    }
    // Whoever was last heard may get it from the zone below: the next change does not arrive there.
    let is_heard = seen_in_public(world, want);
    if !is_heard && answers_itself(world, want, zone) {
        return None;
    }
    let is_served = !is_heard && world.past.answered.is_served_aside("public", &want.name);
    let impact = public_impact(world, want).filter(|_| !is_served).unwrap_or(Impact::Latent);
    Some(Misplaced {
        reason: Reason::OccludedByDelegation,
        impact,
        evidence: format!("NS records in {} delegate the name away", zone.zone.name),
        servers: BTreeSet::new(),
    })
}

/// True if a server of the zone gave anything for the name but a referral.
fn answers_itself(world: &World<'_>, want: &Want, zone: &ZoneReading) -> bool {
    let own = |seen: &&Observation| {
        seen.vantage == Vantage::Authoritative
            && seen.zone_id.as_deref() == Some(zone.zone.id.as_str())
            && world.is_own_server(zone, &seen.server)
            && asks(&seen.record_type, &want.record_type)
            && !says_nothing(seen.outcome)
    };
    questions(world, &want.name).into_iter().filter(own).any(|seen| !is_referral(seen))
}

/// A private zone of the VPC answers for the name in the place of the public one.
fn behind_a_private_zone(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
) -> Option<Misplaced> {
    let must_work = |view: &&NetworkView| view.resolves_public && !view.internal;
    world.policy.views.iter().filter(must_work).find_map(|view| {
        let shadow = shadow(world, wants, want, view)?;
        let seen = |seen: &Observation| seen.view == view.name && world.control_works(seen);
        // What may be from before the last change tells nothing of who answers.
        let is_kept = |seen: &Observation| is_from_before(world, wants.instance.changed_at, want, zone, seen);
        let rows = verdicts(world, want, Vantage::Recursive, &|one: &Observation| seen(one) && !is_kept(one));
        let is_waiting = || {
            let all = questions(world, &want.name).into_iter();
            let mut asked = all.filter(|one| asks(&one.record_type, &want.record_type));
            asked.any(|one| one.vantage == Vantage::Recursive && seen(one) && is_kept(one))
        };
        let is_served = if rows.is_empty() {
            is_waiting() || world.past.answered.is_served_aside(&view.name, &want.name)
        } else {
            worst(&rows).is_none()
        };
        if is_served {
            return None;
        }
        Some(Misplaced {
            reason: Reason::ShadowedByPrivateZone,
            // What users of the public view get is told beside it.
            impact: Impact::Degraded,
            evidence: format!(
                "in view {} the private zone {} answers in the place of {}",
                view.name, shadow.zone.id, zone.zone.id
            ),
            servers: BTreeSet::new(),
        })
    })
}

/// The private zone that hides a public name from a view: it has no set for the name, or one that its instance left
/// behind, and it does not pass the question on.
fn shadow<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    want: &Want,
    view: &NetworkView,
) -> Option<&'a ZoneReading> {
    // The most specific private zone answers.
    let shadow = world.zones_over(&want.name).find(|zone| in_vpc(zone, view))?;
    let fallback = world.policy.zones.get(&shadow.zone.id).is_some_and(|facts| facts.public_dns_fallback);
    let own = |name: &DomainName| {
        shadow.at(name).iter().any(|set| set.record_type.is_address())
            || world.wants_at(&shadow.zone.id, name).next().is_some()
    };
    // No wildcard answers for a name that exists because of another one below it.
    let exists = shadow.is_empty_non_terminal(&want.name);
    let by_wildcard = || {
        covering(&want.name, shadow).iter().any(|set| set.record_type.is_address())
            || !exists && want.name.wildcard_sibling().is_some_and(|name| own(&name))
    };
    // Filters that no longer take the zone leave its records to nobody.
    let is_left = || {
        world.wants_at(&shadow.zone.id, &want.name).next().is_none()
            && ownership(&wants.instance, want, shadow) == Ownership::Own
            && !holds(shadow, want)
    };
    let answered = if own(&want.name) { !is_left() } else { by_wildcard() };
    (shadow.record_sets.is_some() && !fallback && !answered).then_some(shadow)
}

/// A deeper private zone of the VPC answers in the place of this one. The instance does not have it: what it lacks
/// is told nowhere else. Of several views some may see this zone alone.
fn above_a_private_zone(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
) -> Option<Misplaced> {
    let views: Vec<&NetworkView> =
        world.policy.views.iter().filter(|view| !view.internal && in_vpc(zone, view)).collect();
    let harms: Vec<Misplaced> =
        views.iter().filter_map(|view| covered(world, wants, want, zone, view)).collect();
    let is_served_somewhere = harms.len() < views.len();
    let servers = harms.iter().flat_map(|harm| &harm.servers).cloned().collect();
    let worst = harms.into_iter().max_by_key(|harm| harm.impact.weight())?;
    let is_spared = is_served_somewhere && Impact::Degraded.weight() < worst.impact.weight();
    let impact = if is_spared { Impact::Degraded } else { worst.impact };
    Some(Misplaced { impact, servers, ..worst })
}

/// What users of one view get of a deeper private zone that lacks the record; `None` if they are served, or nobody
/// asked.
fn covered(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
    view: &NetworkView,
) -> Option<Misplaced> {
    let deepest = world.zones_over(&want.name).find(|other| in_vpc(other, view))?;
    let is_ours = deepest.zone.name == zone.zone.name || wants.zones.contains(&deepest.zone.id);
    let leads_there = |set: &RecordSet| {
        set.record_type == want.record_type && targets(&set.content) == targets(&want.content)
    };
    let by_wildcard =
        || deepest.at(&want.name).is_empty() && covering(&want.name, deepest).iter().any(leads_there);
    if is_ours || deepest.record_sets.is_none() || holds(deepest, want) || by_wildcard() {
        return None;
    }
    let target = expected(world, &want.content, &want.record_type);
    let seen = |seen: &Observation| seen.view == view.name && world.control_works(seen);
    let rows = answers(world, &want.name, &want.record_type, Vantage::Recursive, &seen, &target).rows;
    let zones_alone = world.snapshot.dns.state == ViewState::Off || world.past.dns_at.is_none();
    let verdicts: Vec<Match> = rows.iter().map(|row| row.1).collect();
    let impact = match (verdicts.is_empty(), zones_alone) {
        (true, true) => Impact::Down,
        (true, false) => return None,
        (false, _) => worst(&verdicts)?,
    };
    Some(Misplaced {
        reason: Reason::ParentZone,
        impact,
        evidence: format!(
            "in view {} the private zone {} ({}) answers in the place of {}",
            view.name, deepest.zone.id, deepest.zone.name, zone.zone.id
        ),
        servers: rows.iter().map(|row| Arc::clone(&row.2.server)).collect(),
    })
}

/// True for a private zone that the VPC of the view is associated with.
fn in_vpc(zone: &ZoneReading, view: &NetworkView) -> bool {
    let is_its = |id: &str| zone.zone.vpcs.iter().flatten().any(|vpc| &*vpc.id == id);
    zone.zone.private && view.vpc_id.as_deref().is_some_and(is_its)
}

/// A zone, private or public, that held the wanted record and is in no list any more.
pub(super) fn lost_zone<'a>(world: &World<'a>, want: &Want, private: bool) -> Option<&'a ZoneId> {
    let zones = world.zones().filter(|_| world.snapshot.accounts_read())?;
    let is_own =
        |held: &&Held| held.record_type == want.record_type && held.set_identifier == want.set_identifier;
    let is_lost = |id: &&ZoneId| !zones.zones.contains_key(*id) && world.past.was_public(id) != private;
    let held = world.past.names.records_at(&want.name).iter().filter(is_own);
    held.map(|held| &held.place).find(is_lost)
}

/// A host with public targets stands in a private zone only, although a public zone could hold it, or did. Whoever
/// names the zone in the object, or has another instance for the public one, means it so.
fn private_only(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
) -> Option<Misplaced> {
    if want.pinned {
        return None;
    }
    let others = || world.wants.iter().filter(|one| !std::ptr::eq(*one, wants));
    let target = expected(world, &want.content, &want.record_type);
    // Where nobody asked for the target itself, those who are served tell what it has.
    let served = || {
        let inside =
            |seen: &&Observation| seen.vantage == Vantage::Recursive && serves(world, seen, Some(zone));
        questions(world, &want.name).into_iter().filter(inside).flat_map(addresses).collect()
    };
    let found: BTreeSet<IpAddr> = if target.addresses.is_empty() { served() } else { target.addresses };
    let public_target = !found.is_empty() && found.iter().all(|ip| !is_private(*ip));
    let evidence = match public_zones(world).find(|other| other.zone.name == zone.zone.name) {
        Some(home) if others().any(|one| one.zones.contains(&home.zone.id)) => None,
        Some(home) => {
            let is_known =
                !home.at(&want.name).is_empty() || world.wants_at(&home.zone.id, &want.name).next().is_some();
            let text = format!("the public zone {} of that name has no record for it", home.zone.id);
            (!is_known).then_some(text)
        }
        None => lost_zone(world, want, false).map(|id| format!("the public zone {id} that had it is gone")),
    }?;
    // A wildcard that no public zone ever had may be meant for the VPC alone.
    if !public_target || want.name.is_wildcard() && lost_zone(world, want, false).is_none() {
        return None;
    }
    let public = |seen: &Observation| &*seen.view == "public";
    let resolvers = verdicts(world, want, Vantage::Recursive, &public);
    let servers = verdicts(world, want, Vantage::Authoritative, &public);
    let denied = |rows: &[Match]| !rows.is_empty() && rows.iter().all(|row| *row == Match::Denied);
    let blind = world.snapshot.dns.state != ViewState::Read;
    let looks = questions(world, &want.name).into_iter().filter(|seen| public(seen)).count();
    let seen = LOOKS <= looks && (denied(&resolvers) || resolvers.is_empty() && denied(&servers));
    if !blind && !seen {
        return None;
    }
    Some(Misplaced {
        reason: Reason::PrivateVsPublic,
        impact: Impact::Down,
        evidence,
        servers: BTreeSet::new(),
    })
}

/// A zone of the same name that the parent does not lead to, and that has the record.
fn idle_twin<'a>(world: &World<'a>, want: &Want, zone: &'a ZoneReading) -> Option<&'a ZoneReading> {
    let other = twins(world, zone).find(|other| holds(other, want))?;
    let served = |servers: BTreeSet<_>| !servers.is_disjoint(&name_servers(zone));
    known_delegation(world, zone).is_some_and(served).then_some(other)
}

/// The instance wrote its record into the twin; what stands here is of somebody else.
fn written_to_the_twin(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
) -> Option<Misplaced> {
    let owned = |zone: &ZoneReading| ownership(&wants.instance, want, zone) == Ownership::Own;
    let twin = idle_twin(world, want, zone).filter(|twin| owned(twin) && !owned(zone))?;
    Some(Misplaced {
        reason: Reason::NotTheDelegatedOne,
        impact: public_impact(world, want).unwrap_or(Impact::Latent),
        evidence: format!("zone {} of the same name holds the record; nobody is led there", twin.zone.id),
        servers: BTreeSet::new(),
    })
}

/// The zone lacks the record, and a zone that does not serve the name has it.
fn elsewhere(world: &World<'_>, want: &Want, zone: &ZoneReading) -> Option<Misplaced> {
    let twin = idle_twin(world, want, zone);
    let above = |other: &&ZoneReading| {
        other.zone.name != zone.zone.name && zone.zone.name.is_within(&other.zone.name) && holds(other, want)
    };
    let (reason, other) = match twin {
        Some(twin) => (Reason::NotTheDelegatedOne, twin),
        None => (Reason::ParentZone, public_zones(world).find(above)?),
    };
    Some(Misplaced {
        reason,
        impact: public_impact(world, want).unwrap_or(Impact::Latent),
        evidence: format!("zone {} ({}) holds the record", other.zone.id, other.zone.name),
        servers: BTreeSet::new(),
    })
}

fn verdicts(
    world: &World<'_>,
    want: &Want,
    vantage: Vantage,
    view: &dyn Fn(&Observation) -> bool,
) -> Vec<Match> {
    let target = expected(world, &want.content, &want.record_type);
    let rows = answers(world, &want.name, &want.record_type, vantage, view, &target).rows;
    rows.into_iter().map(|row| row.1).collect()
}

fn seen_in_public(world: &World<'_>, want: &Want) -> bool {
    !verdicts(world, want, Vantage::Recursive, &|seen| &*seen.view == "public").is_empty()
}

/// What public resolvers answer; `None` when they are right. Assumed down when nobody asked, and elsewhere
/// when the answers cannot be compared.
fn public_impact(world: &World<'_>, want: &Want) -> Option<Impact> {
    let rows = verdicts(world, want, Vantage::Recursive, &|seen| &*seen.view == "public");
    match rows.iter().all(|verdict| *verdict == Match::Unknown) {
        true if rows.is_empty() => Some(Impact::Down),
        // It is not this zone that answers, and nobody knows that they are led to the wanted target.
        true => Some(Impact::WrongPlace),
        false => worst(&rows),
    }
}
