//! The two listings of zones and the listing of record sets, in pages.

use std::collections::BTreeMap;

use super::Refusal;
use super::fault::R53FaultKind;
use super::world::{World, Zone, no_such_zone};
use super::write::Xml;
use crate::emulator::zones::{RecordSet, SortKey, canonical, reversed};

type Query = BTreeMap<String, String>;

/// `ListResourceRecordSets`.
pub(super) fn record_sets(
    world: &World,
    zone_id: &str,
    query: &Query,
    fault: Option<&R53FaultKind>,
) -> Result<String, Refusal> {
    let zone = world.zone(zone_id).ok_or_else(|| no_such_zone(zone_id))?;
    let start = start(query)?;
    let size = page_size(query, world.record_page)?;
    let mut rows = zone.records.range(start..).map(|(_, record)| record);
    let page: Vec<&RecordSet> = rows.by_ref().take(size).collect();
    let mut next = rows.next();
    if fault == Some(&R53FaultKind::RepeatCursor) {
        next = page.first().copied();
    }
    let truncated = next.is_some() || fault == Some(&R53FaultKind::TruncatedWithoutCursor);
    if fault == Some(&R53FaultKind::TruncatedWithoutCursor) {
        next = None;
    }
    let copies = if fault == Some(&R53FaultKind::DuplicateRows) { 2 } else { 1 };
    Ok(Xml::response("ListResourceRecordSets", |xml| {
        xml.within("ResourceRecordSets", |xml| {
            for record in page.iter().flat_map(|record| std::iter::repeat_n(record, copies)) {
                xml.record_set(record);
            }
        });
        xml.leaf("IsTruncated", truncated);
        if let Some(next) = next {
            xml.leaf("NextRecordName", &next.name);
            xml.leaf("NextRecordType", &next.kind);
            xml.maybe("NextRecordIdentifier", next.set_identifier.as_ref());
        }
        xml.leaf("MaxItems", size);
    }))
}

/// The key at which a page starts, inclusive.
fn start(query: &Query) -> Result<SortKey, Refusal> {
    let text = |key: &str| query.get(key).filter(|value| !value.is_empty());
    let name = text("name");
    if name.is_none() && text("type").is_some() {
        return Err(invalid("The input is not valid: a type was given without a name"));
    }
    if text("type").is_none() && text("identifier").is_some() {
        return Err(invalid("The input is not valid: an identifier was given without a type"));
    }
    Ok(SortKey {
        reversed: name.map(|name| reversed(&canonical(name))).unwrap_or_default(),
        kind: text("type").cloned().unwrap_or_default(),
        identifier: text("identifier").cloned().unwrap_or_default(),
    })
}

/// `ListHostedZones`: in the order of creation, as the cursor is opaque.
pub(super) fn zones(
    world: &World,
    query: &Query,
    count_off: i64,
    principal: &str,
) -> Result<String, Refusal> {
    let size = page_size(query, world.zone_page)?;
    let private_only = query.get("hostedzonetype").is_some_and(|kind| kind == "PrivateHostedZone");
    let marker = query.get("marker");
    let visible = |zone: &&Zone| zone.account.as_deref().is_none_or(|account| principal.ends_with(account));
    let all: Vec<&Zone> = world.zones().iter().filter(visible).collect();
    let from = match marker {
        None => 0,
        Some(marker) => all.iter().position(|zone| zone.id == *marker).ok_or_else(|| no_such_zone(marker))?,
    };
    let mut rows = all.iter().skip(from).filter(|zone| !private_only || zone.private);
    let page: Vec<&Zone> = rows.by_ref().take(size).copied().collect();
    let next = rows.next();
    Ok(Xml::response("ListHostedZones", |xml| {
        write_zones(xml, &page, count_off);
        xml.maybe("Marker", marker);
        xml.leaf("IsTruncated", next.is_some());
        xml.maybe("NextMarker", next.map(|zone| &zone.id));
        xml.leaf("MaxItems", size);
    }))
}

/// `ListHostedZonesByName`.
pub(super) fn zones_by_name(world: &World, query: &Query, count_off: i64) -> Result<String, Refusal> {
    let size = page_size(query, world.zone_page)?;
    let mut all: Vec<(String, &Zone)> =
        world.zones().iter().map(|zone| (reversed(&zone.name), zone)).collect();
    all.sort_by(|a, b| (&a.0, &a.1.id).cmp(&(&b.0, &b.1.id)));
    let name = query.get("dnsname").map(|name| reversed(&canonical(name))).unwrap_or_default();
    let id = query.get("hostedzoneid").map(|id| bare(id)).unwrap_or_default();
    let mut rows = all.iter().filter(|(key, zone)| (key.as_str(), zone.id.as_str()) >= (name.as_str(), id));
    let page: Vec<&Zone> = rows.by_ref().take(size).map(|(_, zone)| *zone).collect();
    let next = rows.next().map(|(_, zone)| *zone);
    Ok(Xml::response("ListHostedZonesByName", |xml| {
        write_zones(xml, &page, count_off);
        xml.maybe("DNSName", query.get("dnsname"));
        xml.maybe("HostedZoneId", query.get("hostedzoneid"));
        xml.leaf("IsTruncated", next.is_some());
        xml.maybe("NextDNSName", next.map(|zone| &zone.name));
        xml.maybe("NextHostedZoneId", next.map(|zone| &zone.id));
        xml.leaf("MaxItems", size);
    }))
}

fn write_zones(xml: &mut Xml, page: &[&Zone], count_off: i64) {
    xml.within("HostedZones", |xml| {
        for zone in page {
            xml.hosted_zone(zone, count_off);
        }
    });
}

/// The page size asked for, capped.
fn page_size(query: &Query, cap: usize) -> Result<usize, Refusal> {
    let Some(asked) = query.get("maxitems") else { return Ok(cap) };
    match asked.parse::<usize>() {
        Ok(asked) if 0 < asked => Ok(asked.min(cap)),
        _ => Err(invalid("The input is not valid: maxitems must be a positive number")),
    }
}

/// An id without its path.
pub(super) fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(400, "InvalidInput", message)
}
