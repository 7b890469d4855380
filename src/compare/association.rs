//! Private zones against the VPCs from which their names are asked. Pure.
//!
//! Source: findings.md, kind `zone_unassociated`.

use std::sync::Arc;

use crate::compare::fix::quote;
use crate::compare::live::{answers_by_name, asks, questions, worst, worst_of_names};
use crate::compare::resolvers::is_from_before;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::observation::{AnswerRecord, Observation, Outcome, Vantage};
use crate::model::want::Want;
use crate::model::zone::ZoneReading;
use crate::policy::NetworkView;
use crate::report::Fix;
use crate::snapshot::{ViewName, ViewState};

/// Judges every private zone in which somebody wants a name.
pub fn judge_associations(world: &World<'_>, out: &mut Verdicts) {
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    for zone in zones.filter(|zone| zone.zone.private && world.wants_in(&zone.zone.id).next().is_some()) {
        out.candidates.extend(unassociated(world, zone));
    }
}

/// A zone that some configured view can see is where it should be: which of several VPCs should see it is
/// nobody's knowledge but its owner's, unless one had it before.
fn unassociated(world: &World<'_>, zone: &ZoneReading) -> Option<Candidate> {
    let vpcs = zone.zone.vpcs.as_deref()?;
    let bound: Vec<&NetworkView> =
        world.policy.views.iter().filter(|view| view.vpc_id.is_some() && !view.internal).collect();
    let lost = |view: &NetworkView| {
        view.vpc_id.as_ref().is_some_and(|vpc| world.past.is_separated(&zone.zone.id, vpc))
    };
    let is_seen = bound.iter().any(|view| sees(zone, view));
    let lacks = |view: &&&NetworkView| {
        (lost(view) || !is_seen) && !sees(zone, view) && !has_another(world, zone, view)
    };
    let lacking: Vec<&NetworkView> = bound.iter().filter(lacks).copied().collect();
    if lacking.is_empty() && !(bound.is_empty() && vpcs.is_empty()) {
        return None;
    }
    let reason = if vpcs.is_empty() { Reason::NoVpc } else { Reason::VpcMissing };
    let here =
        |seen: &Observation| lacking.iter().any(|view| view.name == seen.view) && world.control_works(seen);
    // By a forwarding rule the zone may be there all the same: what its resolvers keep from before a change is no word.
    // A denial by another zone shows that it is not.
    let is_kept = |seen: &Observation| {
        let mut wants = world.wants_at(&zone.zone.id, &seen.name).filter(|_| may_be_of(zone, seen));
        wants.any(|want| {
            asks(&seen.record_type, &want.record_type) && is_from_before(world, None, want, zone, seen)
        })
    };
    let names = answers_by_name(world, zone, &|seen: &Observation| here(seen) && !is_kept(seen));
    // Those who have the names from this zone, or from another one of the name, are served.
    let are_some_served = lacking.len() < bound.len();
    // Whether a VPC is to see it beside them, only its resolvers tell, where they can be asked. What those of a
    // lost one answered before is over.
    let is_lost = lacking.iter().any(|view| lost(view));
    let is_open = are_some_served && world.snapshot.dns.state == ViewState::Read;
    let is_feared = || is_lost || !is_open && !was_served(world, zone, &lacking);
    let is_waiting = || {
        let mut looks = world.wants_in(&zone.zone.id).flat_map(|want| questions(world, &want.name));
        looks.any(|seen| seen.vantage == Vantage::Recursive && here(seen) && is_kept(seen))
    };
    let harm = match worst_of_names(&names) {
        Some(harm) => harm,
        None if names.is_empty() && is_feared() && (is_lost || !is_waiting()) => Impact::Down,
        // A forwarding rule or a shared profile brings the zone into the VPC.
        None => return None,
    };
    let impact = if are_some_served { Impact::Degraded } else { harm };
    let key = FindingKey {
        subject: Subject::Zone(zone.zone.name.clone()),
        zone_id: Some(zone.zone.id.clone()),
        instance: None,
        kind: Kind::ZoneUnassociated,
    };
    let mut candidate = Candidate::new(key, reason, impact, zone.read_at.unwrap_or(world.at()));
    candidate.is_assumed = names.is_empty();
    let denied = names.iter().filter(|(_, rows)| worst(rows).is_some());
    candidate.denied = denied.map(|(name, _)| (*name).clone()).collect();
    let looks = candidate.denied.iter().flat_map(|name| questions(world, name));
    let looks = looks.filter(|seen| seen.vantage == Vantage::Recursive && here(seen));
    candidate.servers = looks.map(|seen| Arc::clone(&seen.server)).collect();
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    describe(world, zone, (&bound, &lacking), &mut candidate);
    Some(candidate)
}

/// True for an answer, and for a denial that the zone itself has signed with its SOA record.
fn may_be_of(zone: &ZoneReading, seen: &Observation) -> bool {
    let is_soa = |record: &AnswerRecord| &*record.record_type == "SOA" && record.name == zone.zone.name;
    seen.outcome == Outcome::Answer || seen.authority.iter().any(is_soa)
}

/// True if the zone is associated with the VPC of the view.
fn sees(zone: &ZoneReading, view: &NetworkView) -> bool {
    zone.zone.vpcs.iter().flatten().any(|vpc| Some(&vpc.id) == view.vpc_id.as_ref())
}

/// ExternalDNS writes a name into every private zone that takes it: a VPC that sees another one with all the
/// names lacks nothing, and of several zones of one name it can have but one.
fn has_another(world: &World<'_>, zone: &ZoneReading, view: &NetworkView) -> bool {
    let is_seen = |other: &ZoneReading| other.zone.private && sees(other, view);
    world.wants_in(&zone.zone.id).all(|want| {
        let mut others = world.zones_over(&want.name).filter(|other| other.zone.id != zone.zone.id);
        others.any(|other| is_seen(other) && world.wants_at(&other.zone.id, &want.name).next().is_some())
    })
}

/// All that stands in the zone was answered as wanted when it was last asked for.
fn was_served(world: &World<'_>, zone: &ZoneReading, views: &[&NetworkView]) -> bool {
    let wants = world.wants_in(&zone.zone.id);
    let stands = |want: &&Want| zone.at(&want.name).iter().any(|set| want.is(&set.key()));
    let mut standing = wants.filter(stands).peekable();
    let is_served =
        |want: &Want| views.iter().any(|view| world.past.answered.is_served_aside(&view.name, &want.name));
    standing.peek().is_some() && standing.all(is_served)
}

fn describe(
    world: &World<'_>,
    zone: &ZoneReading,
    (bound, lacking): (&[&NetworkView], &[&NetworkView]),
    candidate: &mut Candidate,
) {
    let ids = |views: &[&NetworkView]| -> Vec<Arc<str>> {
        views.iter().filter_map(|view| view.vpc_id.clone()).collect()
    };
    let wanted = ids(lacking);
    let has: Vec<&str> = zone.zone.vpcs.iter().flatten().map(|vpc| &*vpc.id).collect();
    candidate.evidence.push(format!("VPCs of the zone: {}", has.join(", ")));
    candidate.evidence.push(format!("VPCs of the configured views: {}", ids(bound).join(", ")));
    let name = &zone.zone.name;
    candidate.summary = if has.is_empty() {
        format!("Private zone {name} belongs to no VPC: nobody can resolve its names.")
    } else if lacking.len() < bound.len() {
        format!(
            "Private zone {name} is not associated with {}, whose users lack its names.",
            wanted.join(", ")
        )
    } else {
        format!("Private zone {name} is not associated with the VPC that resolves its names.")
    };
    candidate.fix = Fix {
        summary: "Associate the VPC with the private zone.".to_owned(),
        commands: wanted
            .iter()
            .map(|vpc| {
                let region = region(world, vpc);
                format!(
                    "aws route53 associate-vpc-with-hosted-zone --hosted-zone-id {} --vpc VPCRegion={region},VPCId={}",
                    zone.zone.id,
                    quote(vpc)
                )
            })
            .collect(),
        ..Fix::default()
    };
}

/// The region of a VPC as a word of a shell, which tells what is missing where no hosted zone shows it.
fn region(world: &World<'_>, vpc: &str) -> String {
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    let mut vpcs = zones.flat_map(|zone| zone.zone.vpcs.iter().flatten());
    match vpcs.find(|one| &*one.id == vpc) {
        Some(one) => quote(&one.region),
        None => "\"${AWS_REGION:?is not set to the region of the VPC}\"".to_owned(),
    }
}
