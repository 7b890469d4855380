//! From Route 53's own shapes to record sets and zones. Pure.
//!
//! The `Raw*` types have the member names of the API, so that the JSON which `aws route53 ...`
//! prints reads straight into them; the SDK's types are copied into them field by field.
//! Unknown members are ignored: the service adds some every year.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::record::{AliasTarget, Content, RecordSet, RecordType, Routing, Value};
use crate::model::{DomainName, HostedZone, ZoneId};

/// `ResourceRecordSet`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawRecordSet {
    pub name: String,
    #[serde(rename = "Type")]
    pub record_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_location: Option<RawGeoLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_value_answer: Option<bool>,
    #[serde(rename = "TTL", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_records: Vec<RawRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_target: Option<RawAliasTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy_instance_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr_routing_config: Option<RawCidr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_proximity_location: Option<RawGeoProximity>,
}

/// `ResourceRecord`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawRecord {
    pub value: String,
}

/// `AliasTarget`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawAliasTarget {
    pub hosted_zone_id: String,
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    pub evaluate_target_health: bool,
}

/// `GeoLocation`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawGeoLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continent_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdivision_code: Option<String>,
}

/// `CidrRoutingConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawCidr {
    pub collection_id: String,
    pub location_name: String,
}

/// `GeoProximityLocation`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawGeoProximity {
    #[serde(rename = "AWSRegion", skip_serializing_if = "Option::is_none")]
    pub aws_region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_zone_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<RawCoordinates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<i64>,
}

/// `Coordinates`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawCoordinates {
    pub latitude: String,
    pub longitude: String,
}

/// `HostedZone`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawHostedZone {
    pub id: String,
    pub name: String,
    pub caller_reference: String,
    pub config: RawZoneConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_record_set_count: Option<u64>,
}

/// `HostedZoneConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawZoneConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    pub private_zone: bool,
}

/// A record set that no complete answer can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordSetError {
    /// The name is empty: the answer was cut.
    #[error("a record set without a name")]
    NoName,
    /// The type is missing: the answer was cut.
    #[error("record set {0:?} without a type")]
    NoType(String),
    /// Neither alias, values nor traffic policy: the answer was cut.
    #[error("record set {0:?} type {1} has neither values, nor an alias target, nor a traffic policy")]
    NoContent(String, String),
}

/// The name as the Route 53 API writes it: with a trailing dot, `*` as `\\052`.
///
/// The opposite of [`DomainName::from_route53`]. Source: Route 53 Developer Guide, "DNS domain
/// name format".
#[must_use]
pub fn to_route53(name: &DomainName) -> String {
    let mut out = String::with_capacity(name.as_str().len() + 4);
    for byte in name.as_str().bytes() {
        // A backslash is already the beginning of an escape in the canonical form.
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.\\".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(format!("\\{byte:03o}").chars());
        }
    }
    out.push('.');
    out
}

impl RawRecordSet {
    /// Decodes one record set.
    ///
    /// # Errors
    ///
    /// When it lacks what every complete record set has: proof that the answer was cut.
    pub fn decode(&self) -> Result<RecordSet, RecordSetError> {
        if self.name.is_empty() {
            return Err(RecordSetError::NoName);
        }
        if self.record_type.is_empty() {
            return Err(RecordSetError::NoType(self.name.clone()));
        }
        let record_type = RecordType::new(&self.record_type);
        Ok(RecordSet {
            name: DomainName::from_route53(&self.name),
            set_identifier: self.set_identifier.as_deref().map(Arc::from),
            routing: self.routing().map(Box::new),
            content: self.content(&record_type)?,
            health_check_id: self.health_check_id.as_deref().map(Arc::from),
            record_type,
        })
    }

    fn content(&self, record_type: &RecordType) -> Result<Content, RecordSetError> {
        if let Some(alias) = &self.alias_target {
            return Ok(Content::Alias(Arc::new(AliasTarget {
                dns_name: DomainName::from_route53(&alias.dns_name),
                hosted_zone_id: Some(ZoneId::new(&alias.hosted_zone_id)),
                evaluate_target_health: alias.evaluate_target_health,
            })));
        }
        if let Some(id) = &self.traffic_policy_instance_id {
            return Ok(Content::TrafficPolicy(id.as_str().into()));
        }
        if self.resource_records.is_empty() {
            return Err(RecordSetError::NoContent(self.name.clone(), self.record_type.clone()));
        }
        let values = self.resource_records.iter().map(|record| Value::new(record_type, &record.value));
        Ok(Content::values(self.ttl.and_then(|ttl| ttl.try_into().ok()).unwrap_or(0), values))
    }

    fn routing(&self) -> Option<Routing> {
        let arc = |text: &Option<String>| text.as_deref().map(Arc::from);
        if let Some(weight) = self.weight {
            return Some(Routing::Weighted(weight));
        }
        if let Some(region) = &self.region {
            return Some(Routing::Latency(region.as_str().into()));
        }
        if let Some(failover) = &self.failover {
            return Some(Routing::Failover(failover.eq_ignore_ascii_case("PRIMARY")));
        }
        if let Some(geo) = &self.geo_location {
            return Some(Routing::Geolocation {
                continent: arc(&geo.continent_code),
                country: arc(&geo.country_code),
                subdivision: arc(&geo.subdivision_code),
            });
        }
        if let Some(place) = &self.geo_proximity_location {
            return Some(Routing::Geoproximity(place.canonical().into()));
        }
        if let Some(cidr) = &self.cidr_routing_config {
            return Some(Routing::Cidr(format!("{}/{}", cidr.collection_id, cidr.location_name).into()));
        }
        self.multi_value_answer.filter(|on| *on).map(|_| Routing::Multivalue)
    }
}

impl RawGeoProximity {
    /// `region=..`, `group=..` or `at=lat,long`, then `;bias=n`.
    #[must_use]
    pub fn canonical(&self) -> String {
        let place = match (&self.aws_region, &self.local_zone_group, &self.coordinates) {
            (Some(region), _, _) => format!("region={region}"),
            (None, Some(group), _) => format!("group={group}"),
            (None, None, Some(at)) => format!("at={},{}", at.latitude, at.longitude),
            (None, None, None) => String::new(),
        };
        format!("{place};bias={}", self.bias.unwrap_or(0))
    }
}

impl RawHostedZone {
    /// Decodes a zone as the list operations tell it: no delegation set, VPCs or limits.
    ///
    /// `None` when id or name is missing: proof that the answer was cut.
    #[must_use]
    pub fn decode(&self) -> Option<HostedZone> {
        if self.id.is_empty() || self.name.is_empty() {
            return None;
        }
        Some(HostedZone {
            id: ZoneId::new(&self.id),
            name: DomainName::from_route53(&self.name),
            private: self.config.private_zone,
            record_set_count: self.resource_record_set_count,
            delegation_set: Vec::new(),
            vpcs: None,
            limit: None,
            dnssec: None,
            tags: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(json: &str) -> Result<RecordSet, RecordSetError> {
        serde_json::from_str::<RawRecordSet>(json).expect("json").decode()
    }

    #[test]
    fn plain_alias_and_cut() {
        let plain = decode(
            r#"{"Name":"\\052.Example.com.","Type":"A","TTL":300,"ResourceRecords":[{"Value":"192.0.2.2"},{"Value":"192.0.2.1"}]}"#,
        )
        .expect("plain");
        assert_eq!(plain.name.as_str(), "*.example.com");
        assert_eq!(plain.content.plain_values().len(), 2);
        let alias = decode(
            r#"{"Name":"a.example.com.","Type":"AAAA","AliasTarget":{"HostedZoneId":"Z1","DNSName":"LB.example.net.","EvaluateTargetHealth":true}}"#,
        )
        .expect("alias");
        assert_eq!(
            alias.content.alias().map(|target| target.dns_name.to_string()),
            Some("lb.example.net".into())
        );
        assert_eq!(
            decode(r#"{"Name":"a.example.com.","Type":"A","TTL":300}"#),
            Err(RecordSetError::NoContent("a.example.com.".into(), "A".into()))
        );
        assert_eq!(decode(r#"{"Type":"A"}"#), Err(RecordSetError::NoName));
    }

    #[test]
    fn names_go_out_as_they_came_in() {
        for text in
            ["\\052.example.com.", "a\\056b.example.com.", "\\100.x_y.example.com.", "\\040.example.com."]
        {
            assert_eq!(to_route53(&DomainName::from_route53(text)), text);
        }
    }

    #[test]
    fn routing_policies() {
        let routing = |part: &str| {
            let json = format!(
                r#"{{"Name":"a.example.com.","Type":"A","SetIdentifier":"x",{part},"TTL":60,"ResourceRecords":[{{"Value":"192.0.2.1"}}]}}"#
            );
            decode(&json).expect("decodes").routing.map(|routing| *routing)
        };
        assert_eq!(routing(r#""Weight":0"#), Some(Routing::Weighted(0)));
        assert_eq!(routing(r#""Failover":"SECONDARY""#), Some(Routing::Failover(false)));
        assert_eq!(routing(r#""MultiValueAnswer":true"#), Some(Routing::Multivalue));
        assert_eq!(
            routing(r#""GeoProximityLocation":{"AWSRegion":"eu-west-1","Bias":10}"#),
            Some(Routing::Geoproximity("region=eu-west-1;bias=10".into()))
        );
    }
}
