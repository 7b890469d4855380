//! What to do where a name gets into no zone, or into one that does not serve its users. Pure.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of exceptions over a large vocabulary: a new word must fall into the general row"
)]

use crate::compare::delegation::known_delegated_twin;
use crate::compare::fix::{edit, flags, is_told_by_object, operator, said};
use crate::compare::world::World;
use crate::finding::Reason;
use crate::model::instance::ZoneType;
use crate::model::want::{InstanceWants, NoZone, Placement, Want};
use crate::model::zone::{HostedZone, ZoneReading};
use crate::report::Fix;

/// Why no zone takes the name, as far as the wish tells.
#[must_use]
pub fn lack(want: &Want) -> Option<&NoZone> {
    match &want.placement {
        Placement::NoZone(no_zone) => Some(no_zone),
        Placement::Zone(_) | Placement::Unknown => None,
    }
}

/// For a name that no zone takes.
#[must_use]
pub fn no_zone(world: &World<'_>, reason: Reason, wants: &InstanceWants, want: &Want) -> Fix {
    let objects = || want.objects.iter().map(edit);
    if want.name.defect().is_some() {
        return said("Correct the host in the object: it is no legal DNS name.", objects());
    }
    let nearest = lack(want).and_then(|no_zone| no_zone.nearest.as_ref());
    match (reason, nearest) {
        (Reason::FilteredOut | Reason::WrongType, Some(nearest)) => {
            let mut zones = world.zones_at(nearest).iter().map(|zone| &zone.zone);
            let remedy = zones.find_map(|zone| letting_in(zone, wants));
            let remedy = remedy.unwrap_or_else(|| "Widen the filter that leaves the zone out".to_owned());
            said(&format!("{remedy}, or correct the host."), operator(wants).or_else(|| objects().next()))
        }
        (Reason::FilteredOut, None) => said(
            "The annotation aws-hosted-zone-id names a zone that does not take the host, or that the instance does not handle: correct it, or take it away.",
            objects(),
        ),
        (Reason::NoAccess, _) => said(
            "Its zone is in Route 53, in an account that dns-drift does not read: let it read that account, or correct the host.",
            objects(),
        ),
        (_, Some(nearest)) => said(
            &format!(
                "Is the host a typo of {nearest}? Correct it, or create a zone for it and delegate that."
            ),
            objects(),
        ),
        (_, None) => said("Correct the host, or create a zone for it and delegate that.", objects()),
    }
}

fn letting_in(zone: &HostedZone, wants: &InstanceWants) -> Option<String> {
    Some(flags::letting_in(zone, &wants.instance)).filter(|text| !text.is_empty())
}

/// For a record that is right in a zone that does not serve its users.
#[must_use]
pub fn right_zone(
    world: &World<'_>,
    reason: Reason,
    wants: &InstanceWants,
    want: &Want,
    zone: Option<&ZoneReading>,
) -> Fix {
    match (reason, zone) {
        (Reason::NotTheDelegatedOne, Some(zone)) => {
            let other = known_delegated_twin(world, zone).unwrap_or(zone);
            said(&pinning(world, wants, other), operator(wants))
        }
        (Reason::OccludedByDelegation, Some(zone)) => below_a_delegation(world, wants, want, zone),
        (Reason::ParentZone, Some(zone)) => {
            let filter = letting_in(&zone.zone, wants);
            let command = operator(wants).filter(|_| filter.is_some());
            let remedy =
                filter.unwrap_or_else(|| format!("Let the role of ExternalDNS see zone {}", zone.zone.id));
            said(&format!("{remedy}, or write the record there by hand."), command)
        }
        (Reason::ShadowedByPrivateZone, _) => said(
            "Add the record to the private zone too, in the place of what was left there, or remove that zone from the VPC of the users.",
            [],
        ),
        (_, Some(zone)) => {
            let twin =
                world.zones_at(&zone.zone.name).iter().find(|other| other.zone.private != zone.zone.private);
            let remedy = twin.and_then(|twin| letting_in(&twin.zone, wants));
            let remedy =
                remedy.unwrap_or_else(|| "Let the instance write the zone that serves the users".to_owned());
            said(&format!("{remedy}, or let another instance publish the host there."), operator(wants))
        }
        (_, None) => Fix::default(),
    }
}

/// For a record that NS records of its own zone take away. Where they lead to a zone of ours they are right.
fn below_a_delegation(world: &World<'_>, wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> Fix {
    let is_below = |other: &&ZoneReading| {
        !other.zone.private && other.zone.name != zone.zone.name && other.zone.name.is_within(&zone.zone.name)
    };
    let Some(child) = world.zones_over(&want.name).find(is_below) else {
        return said(
            "Write the record into the zone that the delegation leads to. Remove the NS records that take the name away only if nobody serves from there.",
            [],
        );
    };
    let remedy = letting_in(&child.zone, wants)
        .unwrap_or_else(|| format!("Let ExternalDNS write zone {} ({})", child.zone.id, child.zone.name));
    said(&format!("{remedy}: the name belongs to it, and the NS records are right."), operator(wants))
}

/// How ExternalDNS comes to write the delegated one of two zones of a name. A filter that is new keeps it from all
/// zones that it does not name.
fn pinning(world: &World<'_>, wants: &InstanceWants, delegated: &ZoneReading) -> String {
    let instance = &wants.instance;
    let id = &delegated.zone.id;
    let idle = world
        .zones_at(&delegated.zone.name)
        .iter()
        .find(|other| other.zone.id != *id && other.zone.private == delegated.zone.private);
    let filter = if instance.flags.zone_id_filter.is_empty() {
        let others = if 2 < wants.zones.len() { " and one for each other zone that it writes" } else { "" };
        format!("Start ExternalDNS with --zone-id-filter={id}{others}")
    } else {
        let given = flags::each("--zone-id-filter", &instance.flags.zone_id_filter);
        format!("Name the delegated zone {id} and not the other one in {given}")
    };
    let pin = if flags::has(instance, "aws-hosted-zone-id") {
        format!(", or give the object {}aws-hosted-zone-id: {id}", instance.flags.annotation_prefix)
    } else {
        String::new()
    };
    let duplicate = idle.map(|idle| format!(", or delete zone {} if nobody needs it", idle.zone.id));
    format!("{filter}{pin}{}.", duplicate.unwrap_or_default())
}

/// For a private address in a public zone.
#[must_use]
pub fn private_target(reason: Reason, wants: &InstanceWants, want: &Want) -> Fix {
    let told = want.objects.iter().any(|object| is_told_by_object(wants, object));
    let public =
        if told { "Name a public target in the object" } else { "Give the host a public load balancer" };
    let private = match (reason, wants.instance.flags.zone_type) {
        (Reason::SplitZonesSharedInstance, _) => {
            "let one instance write the public zone (--aws-zone-type=public) and another the private one \
             (--aws-zone-type=private), each with the objects that belong there (--annotation-filter)"
        }
        (_, ZoneType::Public) => {
            "publish it in a private zone with another instance, since --aws-zone-type=public leaves those out"
        }
        (_, ZoneType::Any | ZoneType::Private) => {
            "publish it in a private zone only, with an instance of its own that has --aws-zone-type=private"
        }
    };
    said(&format!("{public}, or {private}."), want.objects.iter().map(edit))
}
