//! The last stage: the record sets that would stand in each zone, ownership records included. Pure.
//!
//! Source: kubernetes-sigs/external-dns:registry/txt, registry/mapper/mapper.go, provider/aws/aws.go
//! (`newChange`).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::desired::endpoint::Endpoint;
use crate::desired::plan::{Planned, View};
use crate::desired::submit::{DEFAULT_TTL, Submitted};
use crate::desired::versions::{Behaviour, does};
use crate::finding::Reason;
use crate::model::instance::{Instance, Registry};
use crate::model::record::{Content, RecordType};
use crate::model::want::Placement;
use crate::model::zone::Zones;
use crate::model::{DomainName, ZoneId};

/// One record set of a zone, as Route 53 would get it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordSetRow {
    /// Hosted zone.
    pub zone: ZoneId,
    /// Owner name as submitted.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// TTL; an alias has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Values; an alias has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Alias target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasRow>,
    /// Set identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    /// Routing policy and health check.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub routing: Map<String, Json>,
    /// Why Route 53 would refuse it; absent when it would take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Reason>,
}

/// The target of an alias.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AliasRow {
    /// Name of the target.
    pub dns_name: String,
    /// Zone of the target.
    pub hosted_zone_id: ZoneId,
    /// Whether the health of the target counts.
    pub evaluate_target_health: bool,
}

/// The value of an ownership record that only the key of the instance can make.
pub const ENCRYPTED: &str = "(encrypted)";

/// Longest label. Source: RFC 1035 section 2.3.4.
pub const MAX_LABEL: usize = 63;

/// The record sets of a plan, sorted by zone, name, type and set identifier.
#[must_use]
pub fn record_sets(records: &[Planned], instance: &Instance, view: &View<'_>) -> Vec<RecordSetRow> {
    let Some((zones, zone_view)) = view else { return Vec::new() };
    let mut rows: BTreeMap<(ZoneId, String, String, Option<String>), RecordSetRow> = BTreeMap::new();
    let mut add = |row: RecordSetRow| {
        let key = (row.zone.clone(), row.name.clone(), row.record_type.clone(), row.set_identifier.clone());
        rows.entry(key).or_insert(row);
    };
    for planned in records.iter().filter(|one| !one.submitted.endpoint.origin.dropped) {
        let Placement::Zone(zone) = &planned.placement else { continue };
        let name = &planned.submitted.endpoint.name;
        if lies_in(name, zone, zones) {
            add(record(planned, zone));
        }
        for text in txt_names(&planned.submitted, instance) {
            let fitting = zone_view.suitable(&DomainName::new(&text));
            let pin = planned.submitted.pinned_zone.as_ref();
            let fitting = fitting.into_iter().filter(|id| pin.is_none_or(|pin| pin == id));
            for zone in fitting.filter(|id| lies_in(&text, id, zones)) {
                add(ownership(planned, &text, zone, instance));
            }
        }
    }
    rows.into_values().collect()
}

/// The choice of zones compares the spelling: a name with capitals in the zone's part goes nowhere.
fn lies_in(name: &str, zone: &ZoneId, zones: &Zones) -> bool {
    let bare = name.strip_suffix('.').unwrap_or(name);
    zones.zones.get(zone).is_some_and(|reading| {
        let zone = reading.zone.name.as_str();
        !zone.is_ascii()
            || !bare.is_ascii() && DomainName::new(bare).is_within(&reading.zone.name)
            || bare.strip_suffix(zone).is_some_and(|head| head.is_empty() || head.ends_with('.'))
    })
}

fn record(planned: &Planned, zone: &ZoneId) -> RecordSetRow {
    let endpoint = &planned.submitted.endpoint;
    let mut row = row(endpoint, &endpoint.name, endpoint.record_type.as_str(), zone.clone());
    row.refused = planned.invalid;
    match &planned.submitted.content {
        Content::Alias(target) => {
            row.alias = Some(AliasRow {
                dns_name: endpoint.targets.first().cloned().unwrap_or_default(),
                hosted_zone_id: target.hosted_zone_id.clone().unwrap_or_else(|| zone.clone()),
                evaluate_target_health: target.evaluate_target_health,
            });
        }
        Content::Values { ttl, .. } => {
            row.ttl = Some(*ttl);
            row.values.clone_from(&endpoint.targets);
        }
        Content::TrafficPolicy(_) => {}
    }
    row
}

fn ownership(planned: &Planned, name: &str, zone: ZoneId, instance: &Instance) -> RecordSetRow {
    let endpoint = &planned.submitted.endpoint;
    let owner = &instance.flags.owner_id;
    let resource =
        endpoint.resource().map(|text| format!(",external-dns/resource={text}")).unwrap_or_default();
    let text = format!("\"heritage=external-dns,external-dns/owner={owner}{resource}\"");
    let mut row = row(endpoint, name, "TXT", zone);
    row.ttl = Some(DEFAULT_TTL);
    row.values = vec![if instance.flags.txt_encrypt { ENCRYPTED.to_owned() } else { text }];
    row
}

fn row(endpoint: &Endpoint, name: &str, record_type: &str, zone: ZoneId) -> RecordSetRow {
    RecordSetRow {
        zone,
        name: name.to_owned(),
        record_type: record_type.to_owned(),
        ttl: None,
        values: Vec::new(),
        alias: None,
        set_identifier: endpoint.set_identifier.as_deref().map(str::to_owned),
        routing: routing(&endpoint.properties),
        refused: None,
    }
}

/// The names of the ownership records that are written.
fn txt_names(submitted: &Submitted, instance: &Instance) -> Vec<String> {
    let mut names = txt_forms(submitted, instance);
    let long = does(instance.effective_version(), Behaviour::LongLabelDropped);
    names.retain(|name| !long || name.split('.').all(|label| label.len() <= MAX_LABEL));
    names
}

/// The names of the ownership records by the formats of the release, the newest first; none without
/// a TXT registry.
#[must_use]
pub fn txt_forms(submitted: &Submitted, instance: &Instance) -> Vec<String> {
    let endpoint = &submitted.endpoint;
    let is_added =
        endpoint.origin.companion && !does(instance.effective_version(), Behaviour::AliasBothFamilies);
    if is_added {
        // The half that was added behind the plan has no ownership record of its own.
        return Vec::new();
    }
    title_names(instance, &endpoint.name, &endpoint.record_type, submitted.content.alias().is_some())
}

/// The same by the name and type of a record that is planned.
#[must_use]
pub fn title_names(instance: &Instance, name: &str, record_type: &RecordType, is_alias: bool) -> Vec<String> {
    let (flags, version) = (&instance.flags, instance.effective_version());
    if flags.registry != Registry::Txt {
        return Vec::new();
    }
    let typed = does(version, Behaviour::TxtTyped);
    let only_typed = flags.details.txt_new_format_only || flags.affixes.has_template() || flags.txt_encrypt;
    let plain =
        does(version, Behaviour::TxtPlain) && !(typed && (only_typed || *record_type == RecordType::Aaaa));
    let as_cname = does(version, Behaviour::TxtAliasAsCname) && *record_type == RecordType::A && is_alias;
    let kind = if as_cname { &RecordType::Cname } else { record_type };
    let mut names = Vec::new();
    if typed {
        names.push(flags.affixes.txt_text(name, Some(kind)));
    }
    if plain {
        names.push(flags.affixes.txt_text(name, None));
    }
    names
}

/// Routing data as Route 53 takes it, and as ExternalDNS reads it out of the properties.
fn routing(properties: &BTreeMap<String, String>) -> Map<String, Json> {
    let get = |name: &str| properties.get(&format!("aws/{name}")).map(String::as_str);
    let mut out = Map::new();
    if let Some(weight) = get("weight") {
        out.insert("weight".to_owned(), json!(weight.parse::<i64>().unwrap_or(0)));
    }
    for (property, member) in
        [("region", "region"), ("failover", "failover"), ("health-check-id", "health_check_id")]
    {
        out.extend(get(property).map(|value| (member.to_owned(), json!(value))));
    }
    out.extend(geolocation(get).map(|place| ("geolocation".to_owned(), Json::Object(place))));
    out.extend(geoproximity(get).map(|place| ("geoproximity".to_owned(), Json::Object(place))));
    if get("multi-value-answer").is_some() {
        out.insert("multi_value_answer".to_owned(), json!(true));
    }
    out
}

fn geolocation<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Map<String, Json>> {
    if let Some(continent) = get("geolocation-continent-code") {
        return Some(Map::from_iter([("continent".to_owned(), json!(continent))]));
    }
    let rows = [("geolocation-country-code", "country"), ("geolocation-subdivision-code", "subdivision")];
    let found: Map<String, Json> = rows
        .into_iter()
        .filter_map(|(property, member)| Some((member.to_owned(), json!(get(property)?))))
        .collect();
    (!found.is_empty()).then_some(found)
}

fn geoproximity<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Map<String, Json>> {
    let mut found = Map::new();
    let rows = [("geoproximity-region", "region"), ("geoproximity-local-zone-group", "local_zone_group")];
    for (property, member) in rows {
        found.extend(get(property).map(|value| (member.to_owned(), json!(value))));
    }
    if let Some((latitude, longitude)) = get("geoproximity-coordinates").and_then(|text| text.split_once(','))
    {
        let place = json!({"latitude": latitude.trim(), "longitude": longitude.trim()});
        found.insert("coordinates".to_owned(), place);
    }
    if found.is_empty() {
        return None;
    }
    if let Some(bias) = get("geoproximity-bias").and_then(|text| text.parse::<i64>().ok()) {
        found.insert("bias".to_owned(), json!(bias));
    }
    Some(found)
}
