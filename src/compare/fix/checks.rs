//! Lines for a terminal that show each view of a name, so that nobody has to believe us. Pure.

use crate::compare::fix::quote;
use crate::compare::world::World;
use crate::model::observation::{Observation, Vantage};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, RecordType};

/// Resolvers that are named; a person tries two or three.
const MAX_RESOLVERS: usize = 3;

/// One `dig` for each place where the name can be looked at, and the listing of the record.
#[must_use]
pub fn checks(
    world: &World<'_>,
    name: &DomainName,
    record_type: &RecordType,
    zone: Option<&ZoneReading>,
) -> Vec<String> {
    if name.defect().is_some() {
        // No tool takes such a name.
        return Vec::new();
    }
    // A made-up label shows what a wildcard answers; the star itself does not.
    let asked = match name.as_str().strip_prefix("*.") {
        Some(rest) => format!("any-label.{rest}"),
        None => name.to_string(),
    };
    let asked = quote(&asked);
    let mut out = Vec::new();
    if let Some(zone) = zone {
        if !zone.zone.private
            && let Some(server) = zone.zone.delegation_set.first()
        {
            out.push(format!("dig +norecurse {asked} {record_type} @{}", quote(server.as_str())));
        }
        out.push(format!(
            "aws route53 list-resource-record-sets --hosted-zone-id {} --start-record-name {} --max-items 5",
            zone.zone.id,
            quote(name.as_str())
        ));
    }
    let resolvers = resolvers(world, name);
    if resolvers.is_empty() && zone.is_none_or(|zone| !zone.zone.private) {
        out.push(format!("dig {asked} {record_type}"));
    }
    out.extend(resolvers.iter().map(|server| format!("dig {asked} {record_type} @{}", quote(server))));
    out
}

/// Where to look at a zone's delegation.
#[must_use]
pub fn delegation(world: &World<'_>, zone: &ZoneReading) -> Vec<String> {
    let name = quote(zone.zone.name.as_str());
    let seen = world.answers.get(&zone.zone.name).map(Vec::as_slice).unwrap_or_default();
    let parent = seen.iter().find(|answer| answer.vantage == Vantage::Parent).map(|answer| &answer.server);
    let mut out = match parent {
        Some(server) => vec![
            format!("dig +norecurse {name} NS @{}", quote(server)),
            format!("dig +norecurse {name} DS @{}", quote(server)),
        ],
        None => vec![format!("dig +trace {name} NS")],
    };
    out.push(format!("aws route53 get-hosted-zone --id {}", zone.zone.id));
    out
}

fn resolvers(world: &World<'_>, name: &DomainName) -> Vec<String> {
    let seen = world.answers.get(name).map(Vec::as_slice).unwrap_or_default();
    let recursive = seen.iter().filter(|answer: &&&Observation| answer.vantage == Vantage::Recursive);
    let mut servers: Vec<String> = recursive.map(|answer| answer.server.to_string()).collect();
    servers.sort();
    servers.dedup();
    servers.truncate(MAX_RESOLVERS);
    servers
}
