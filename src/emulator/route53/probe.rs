//! `TestDNSAnswer`: what the service computes for one of its names, without any name server. Names that
//! only a wildcard answers are not computed.

use std::collections::BTreeMap;

use super::Refusal;
use super::world::{World, Zone, no_such_zone};
use super::write::Xml;
use crate::emulator::zones::{RecordSet, canonical, is_within};

/// Aliases that are followed.
const MAX_ALIASES: usize = 5;

/// The answer to the question in the query.
pub(super) fn test_answer(world: &World, query: &BTreeMap<String, String>) -> Result<String, Refusal> {
    let text = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
    let id = text("hostedzoneid");
    let zone = world.zone(id).ok_or_else(|| no_such_zone(id))?;
    let (name, kind) = (canonical(text("recordname")), text("recordtype"));
    if zone.private || !is_within(&name, &zone.name) {
        return Err(Refusal::new(400, "InvalidInput", "The record name is not in a public hosted zone"));
    }
    let known = zone.records.values().any(|set| set.name == name);
    let values = values(world, zone, &name, kind, MAX_ALIASES);
    Ok(Xml::response("TestDNSAnswer", |xml| {
        xml.leaf("Nameserver", zone.name_servers.first().map(String::as_str).unwrap_or_default());
        xml.leaf("RecordName", &name);
        xml.leaf("RecordType", kind);
        xml.within("RecordData", |xml| {
            for value in &values {
                xml.leaf("RecordDataEntry", value);
            }
        });
        xml.leaf("ResponseCode", if known { "NOERROR" } else { "NXDOMAIN" });
        xml.leaf("Protocol", "UDP");
    }))
}

fn values(world: &World, zone: &Zone, name: &str, kind: &str, aliases: usize) -> Vec<String> {
    let mut sets = zone.records.values().filter(|set| set.name == name && set.kind == kind);
    let served = |set: &&RecordSet| set.weight != Some(0) && is_healthy(world, set);
    let Some(chosen) = sets.find(served) else { return Vec::new() };
    let Some(alias) = chosen.alias_target.as_ref().filter(|_| 0 < aliases) else {
        return chosen.values().map(str::to_owned).collect();
    };
    let target = world.zone(&alias.hosted_zone_id);
    target.map(|zone| values(world, zone, &alias.dns_name, kind, aliases - 1)).unwrap_or_default()
}

fn is_healthy(world: &World, set: &RecordSet) -> bool {
    set.health_check_id.as_ref().is_none_or(|id| world.health_checks.get(id).copied().unwrap_or(true))
}
