//! Private zones against the VPCs from which their names are asked. Pure.
//!
//! Source: findings.md, kind `zone_unassociated`.

use std::sync::Arc;

use crate::compare::fix::quote;
use crate::compare::live::{answers_by_name, worst, worst_of_names};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::observation::{Observation, Vantage};
use crate::model::want::Want;
use crate::model::zone::ZoneReading;
use crate::policy::NetworkView;
use crate::report::Fix;
use crate::snapshot::ViewName;

/// Judges every private zone in which somebody wants a name.
pub fn judge_associations(world: &World<'_>, out: &mut Verdicts) {
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    for zone in zones.filter(|zone| zone.zone.private && !world.wants_in(&zone.zone.id).is_empty()) {
        out.candidates.extend(unassociated(world, zone));
    }
}

/// A zone that some configured view can see is where it should be: which of several VPCs should
/// see it is nobody's knowledge but its owner's.
fn unassociated(world: &World<'_>, zone: &ZoneReading) -> Option<Candidate> {
    let vpcs = zone.zone.vpcs.as_deref()?;
    let bound: Vec<&NetworkView> =
        world.policy.views.iter().filter(|view| view.vpc_id.is_some() && !view.internal).collect();
    let sees = |view: &&&NetworkView| vpcs.iter().any(|vpc| Some(&vpc.id) == view.vpc_id.as_ref());
    if bound.iter().any(|view| sees(&view)) || bound.is_empty() && !vpcs.is_empty() {
        return None;
    }
    if bound.iter().any(|view| has_another(world, zone, view)) {
        return None;
    }
    let reason = if vpcs.is_empty() { Reason::NoVpc } else { Reason::VpcMissing };
    let here =
        |seen: &Observation| bound.iter().any(|view| view.name == seen.view) && world.control_works(seen);
    let names = answers_by_name(world, zone, &here);
    let impact = match worst_of_names(&names) {
        Some(harm) => harm,
        None if names.is_empty() && !was_served(world, zone, &bound) => Impact::Down,
        // A forwarding rule or a shared profile brings the zone into the VPC.
        None => return None,
    };
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
    let looks = candidate.denied.iter().filter_map(|name| world.answers.get(name)).flatten();
    let looks = looks.filter(|seen| seen.vantage == Vantage::Recursive && here(seen));
    candidate.servers = looks.map(|seen| Arc::clone(&seen.server)).collect();
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    describe(world, zone, &bound, &mut candidate);
    Some(candidate)
}

/// ExternalDNS writes a name into every private zone that takes it: a VPC that sees another one with all the
/// names lacks nothing, and of several zones of one name it can have but one.
fn has_another(world: &World<'_>, zone: &ZoneReading, view: &NetworkView) -> bool {
    let is_seen = |other: &ZoneReading| {
        other.zone.private
            && other.zone.vpcs.iter().flatten().any(|vpc| Some(&vpc.id) == view.vpc_id.as_ref())
    };
    world.wants_in(&zone.zone.id).iter().all(|want| {
        let mut others = world.zones_over(&want.name).filter(|other| other.zone.id != zone.zone.id);
        others.any(|other| is_seen(other) && world.wants_at(&other.zone.id, &want.name).next().is_some())
    })
}

/// All that stands in the zone was answered as wanted when it was last asked for.
fn was_served(world: &World<'_>, zone: &ZoneReading, bound: &[&NetworkView]) -> bool {
    let wants = world.wants_in(&zone.zone.id).iter();
    let stands = |want: &&&Want| zone.at(&want.name).iter().any(|set| want.is(&set.key()));
    let mut standing = wants.filter(stands).peekable();
    let is_served =
        |want: &&Want| bound.iter().any(|view| world.past.answered.is_served_aside(&view.name, &want.name));
    standing.peek().is_some() && standing.all(is_served)
}

fn describe(world: &World<'_>, zone: &ZoneReading, bound: &[&NetworkView], candidate: &mut Candidate) {
    let wanted: Vec<&str> = bound.iter().filter_map(|view| view.vpc_id.as_deref()).collect();
    let has: Vec<&str> = zone.zone.vpcs.iter().flatten().map(|vpc| &*vpc.id).collect();
    candidate.evidence.push(format!("VPCs of the zone: {}", has.join(", ")));
    candidate.evidence.push(format!("VPCs of the configured views: {}", wanted.join(", ")));
    let name = &zone.zone.name;
    candidate.summary = if has.is_empty() {
        format!("Private zone {name} belongs to no VPC: nobody can resolve its names.")
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
