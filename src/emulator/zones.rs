//! Record sets and zones as the emulated name servers serve them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::name::decode_octal;

/// Where the DNS side takes its zones from.
pub trait ZoneSource: Send + Sync {
    /// The zones as served at this moment, oldest first. Cheap: the zones are shared.
    fn zones(&self) -> Vec<Arc<ServedZone>>;
}

/// One hosted zone as its name servers serve it: the state of the last propagated change.
#[derive(Clone, Debug, Default)]
pub struct ServedZone {
    /// Zone id without `/hostedzone/`.
    pub id: String,
    /// Name in the spelling of Route 53, with the trailing dot.
    pub name: String,
    /// Private zones are served by no public name server.
    pub private: bool,
    /// Delegation set, with trailing dots; empty for a private zone.
    pub name_servers: Vec<String>,
    /// Record sets in the order of the listing.
    pub records: BTreeMap<SortKey, RecordSet>,
}

/// Zones that never change, for tests that need no Route 53.
#[derive(Clone, Debug, Default)]
pub struct StaticZones(pub Vec<Arc<ServedZone>>);

/// The order of a listing: reversed name, type, set identifier.
///
/// Source: Route 53 API, `ListResourceRecordSets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey {
    /// Labels reversed, with a trailing dot: `com.example.www.`.
    pub reversed: String,
    /// Record type.
    pub kind: String,
    /// Set identifier; empty for a simple record set.
    pub identifier: String,
}

/// A record set with the elements of the Route 53 API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the elements of the API's own type")]
pub struct RecordSet {
    pub name: String,
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_location: Option<GeoLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_value_answer: Option<bool>,
    #[serde(rename = "TTL", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_records: Option<Values>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_target: Option<AliasTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy_instance_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr_routing_config: Option<CidrRoutingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_proximity_location: Option<GeoProximity>,
}

/// The values of a record set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the elements of the API's own type")]
pub struct Values {
    #[serde(rename = "ResourceRecord", default)]
    pub records: Vec<Value>,
}

/// One value, in presentation format.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the elements of the API's own type")]
pub struct Value {
    #[serde(rename = "Value", default)]
    pub text: String,
}

/// What an alias points at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the elements of the API's own type")]
pub struct AliasTarget {
    pub hosted_zone_id: String,
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    pub evaluate_target_health: bool,
}

/// Geolocation routing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the elements of the API's own type")]
pub struct GeoLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continent_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdivision_code: Option<String>,
}

/// IP-based routing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the elements of the API's own type")]
pub struct CidrRoutingConfig {
    pub collection_id: String,
    pub location_name: String,
}

/// Geoproximity routing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the elements of the API's own type")]
pub struct GeoProximity {
    #[serde(rename = "AWSRegion", skip_serializing_if = "Option::is_none")]
    pub aws_region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_zone_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<i32>,
}

// === impl StaticZones ===

impl ZoneSource for StaticZones {
    fn zones(&self) -> Vec<Arc<ServedZone>> {
        self.0.clone()
    }
}

// === impl ServedZone ===

impl ServedZone {
    /// A public zone with an SOA, its NS record set and the given record sets.
    #[must_use]
    pub fn new(
        id: &str,
        name: &str,
        name_servers: &[&str],
        records: impl IntoIterator<Item = RecordSet>,
    ) -> Self {
        let name = canonical(name);
        let name_servers: Vec<String> = name_servers.iter().map(|server| canonical(server)).collect();
        let mut zone = Self { id: id.to_owned(), name, private: false, name_servers, ..Self::default() };
        for record in zone.apex().into_iter().chain(records) {
            let record = record.normalised();
            zone.records.insert(record.sort_key(), record);
        }
        zone
    }

    /// The NS and SOA record sets that every new zone gets.
    pub(super) fn apex(&self) -> [RecordSet; 2] {
        const DEFAULT_SERVER: &str = "ns-0.awsdns-00.com.";
        let servers: Vec<&str> = if self.name_servers.is_empty() {
            vec![DEFAULT_SERVER]
        } else {
            self.name_servers.iter().map(String::as_str).collect()
        };
        let first = servers.first().copied().unwrap_or(DEFAULT_SERVER);
        let soa = format!("{first} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400");
        [
            RecordSet::simple(&self.name, "NS", 172_800, &servers),
            RecordSet::simple(&self.name, "SOA", 900, &[&soa]),
        ]
    }

    /// All record sets of a name and type, in the order of their set identifiers.
    pub(super) fn record_sets(&self, reversed: &str, kind: &str) -> Vec<&RecordSet> {
        let from =
            SortKey { reversed: reversed.to_owned(), kind: kind.to_owned(), identifier: String::new() };
        self.records
            .range(from..)
            .take_while(|(key, _)| key.reversed == reversed && key.kind == kind)
            .map(|(_, record)| record)
            .collect()
    }
}

// === impl RecordSet ===

impl RecordSet {
    /// A record set with values.
    #[must_use]
    pub fn simple(name: &str, kind: &str, ttl: u32, values: &[&str]) -> Self {
        let records = values.iter().map(|value| Value { text: (*value).to_owned() }).collect();
        Self {
            name: canonical(name),
            kind: kind.to_owned(),
            ttl: Some(ttl),
            resource_records: Some(Values { records }),
            ..Self::default()
        }
    }

    /// An alias that does not evaluate the health of its target.
    #[must_use]
    pub fn alias(name: &str, kind: &str, target_zone_id: &str, target: &str) -> Self {
        Self {
            name: canonical(name),
            kind: kind.to_owned(),
            alias_target: Some(AliasTarget {
                hosted_zone_id: target_zone_id.to_owned(),
                dns_name: target.to_owned(),
                evaluate_target_health: false,
            }),
            ..Self::default()
        }
    }

    /// The same record set as a member of a weighted group.
    #[must_use]
    pub fn weighted(mut self, identifier: &str, weight: u8) -> Self {
        self.set_identifier = Some(identifier.to_owned());
        self.weight = Some(u64::from(weight));
        self
    }

    /// Its place in the listing.
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        SortKey {
            reversed: reversed(&self.name),
            kind: self.kind.clone(),
            identifier: self.set_identifier.clone().unwrap_or_default(),
        }
    }

    /// The spelling in which Route 53 stores and returns it.
    #[must_use]
    pub(super) fn normalised(mut self) -> Self {
        self.name = canonical(&self.name);
        if let Some(alias) = &mut self.alias_target {
            alias.dns_name = canonical(&alias.dns_name);
        }
        self
    }

    /// The values; none for an alias.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.resource_records.iter().flat_map(|values| values.records.iter().map(|value| value.text.as_str()))
    }
}

// === names ===

/// The spelling of Route 53: lower case, odd characters as `\ooo`, a trailing dot.
///
/// Source: Route 53 Developer Guide, "DNS domain name format".
pub(super) fn canonical(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len().saturating_add(1));
    for label in labels(name) {
        spelled.push_str(&spell(&label));
        spelled.push('.');
    }
    if spelled.is_empty() { ".".to_owned() } else { spelled }
}

/// One label in the spelling of Route 53.
pub(super) fn spell(label: &[u8]) -> String {
    let mut spelled = String::with_capacity(label.len());
    for byte in label.iter().map(u8::to_ascii_lowercase) {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            spelled.push(char::from(byte));
        } else {
            spelled.extend(["\\", &*format!("{byte:03o}")]);
        }
    }
    spelled
}

/// The labels of a name with their escapes decoded, host first. An inner empty label stays.
pub(super) fn labels(name: &str) -> Vec<Vec<u8>> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.is_empty() {
        return Vec::new();
    }
    bare.split('.').map(decode_octal).collect()
}

/// Labels of a canonical name reversed, with a trailing dot. A dot inside a label is an escape, so
/// splitting is safe.
pub(super) fn reversed(canonical: &str) -> String {
    let bare = canonical.strip_suffix('.').unwrap_or(canonical);
    if bare.is_empty() {
        return String::new();
    }
    bare.rsplit('.').flat_map(|label| [label, "."]).collect()
}

/// True for the zone's own name and everything below it; both canonical.
pub(super) fn is_within(name: &str, zone: &str) -> bool {
    zone == "." || name == zone || name.strip_suffix(zone).is_some_and(|head| head.ends_with('.'))
}

/// The name without its first label; `.` for a single label, `None` for the root.
pub(super) fn parent(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once('.')?;
    match (name, rest) {
        (".", _) => None,
        (_, "") => Some("."),
        (_, rest) => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_and_its_order() {
        let check = |input: &str, name: &str, key: &str| {
            assert_eq!(canonical(input), name);
            assert_eq!(reversed(name), key);
        };
        check("*.Example.com", "\\052.example.com.", "com.example.\\052.");
        check("\\052.example.com.", "\\052.example.com.", "com.example.\\052.");
        check("a\\056b.example.com", "a\\056b.example.com.", "com.example.a\\056b.");
        check("", ".", "");
        // Characters below the dot sort before it.
        assert!(reversed("a-b.example.com.") < reversed("a.example.com."));
        assert_eq!(parent("com."), Some("."));
        assert_eq!(parent("."), None);
    }
}
