//! From the SDK's types to the raw types of [`decode`](crate::recorded::decode), field by field.
//!
//! The SDK's types are large (512 bytes for one record set) and accept a cut answer as whole, so
//! they end here, page by page.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_route53::operation::test_dns_answer::TestDnsAnswerOutput;
use aws_sdk_route53::types as sdk;

use crate::model::ZoneId;
use crate::model::zone::{Dnssec, Vpc};
use crate::recorded::decode::{
    RawAliasTarget, RawCidr, RawCoordinates, RawGeoLocation, RawGeoProximity, RawHostedZone, RawRecord,
    RawRecordSet, RawZoneConfig,
};

/// What the SDK puts where an answer ended before a required element.
const NOT_SET: &str = "no value was set";

/// Copies a record set. A type that was cut off becomes empty, which decoding refuses.
pub(crate) fn record_set(set: sdk::ResourceRecordSet) -> RawRecordSet {
    RawRecordSet {
        record_type: present(set.r#type.as_str()),
        name: set.name,
        set_identifier: set.set_identifier,
        weight: set.weight,
        region: set.region.map(|region| region.as_str().to_owned()),
        geo_location: set.geo_location.map(geo_location),
        failover: set.failover.map(|failover| failover.as_str().to_owned()),
        multi_value_answer: set.multi_value_answer,
        ttl: set.ttl,
        resource_records: set
            .resource_records
            .unwrap_or_default()
            .into_iter()
            .map(|record| RawRecord { value: record.value })
            .collect(),
        alias_target: set.alias_target.map(alias_target),
        health_check_id: set.health_check_id,
        traffic_policy_instance_id: set.traffic_policy_instance_id,
        cidr_routing_config: set
            .cidr_routing_config
            .map(|cidr| RawCidr { collection_id: cidr.collection_id, location_name: cidr.location_name }),
        geo_proximity_location: set.geo_proximity_location.map(geo_proximity),
    }
}

/// Copies a hosted zone.
pub(crate) fn hosted_zone(zone: sdk::HostedZone) -> RawHostedZone {
    let config = zone.config.map_or_else(RawZoneConfig::default, |config| RawZoneConfig {
        comment: config.comment,
        private_zone: config.private_zone,
    });
    RawHostedZone {
        id: zone.id,
        name: zone.name,
        caller_reference: zone.caller_reference,
        config,
        resource_record_set_count: zone.resource_record_set_count.and_then(|count| count.try_into().ok()),
    }
}

/// Copies the VPCs of a private zone, sorted; those without an id are left out.
pub(crate) fn vpcs(vpcs: Vec<sdk::Vpc>) -> Vec<Vpc> {
    let mut vpcs: Vec<Vpc> = vpcs
        .into_iter()
        .filter_map(|vpc| {
            let region = vpc.vpc_region.as_ref().map_or("", sdk::VpcRegion::as_str);
            Some(Vpc { region: region.into(), id: vpc.vpc_id?.into() })
        })
        .collect();
    vpcs.sort();
    vpcs
}

/// Copies the tags of zones.
pub(crate) fn tags(sets: Vec<sdk::ResourceTagSet>) -> BTreeMap<ZoneId, BTreeMap<String, String>> {
    let of = |tag: sdk::Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    let sets = sets.into_iter().filter_map(|set| {
        let tags = set.tags.unwrap_or_default().into_iter().filter_map(of).collect();
        Some((ZoneId::new(&set.resource_id?), tags))
    });
    sets.collect()
}

/// Counts the checkers, and those of them that report success.
pub(crate) fn checker_votes(observations: &[sdk::HealthCheckObservation]) -> (usize, usize) {
    let statuses = observations.iter().filter_map(|one| one.status_report.as_ref()?.status.as_deref());
    let healthy: Vec<bool> = statuses.map(|status| status.starts_with("Success")).collect();
    (healthy.len(), healthy.iter().filter(|healthy| **healthy).count())
}

/// Values of one answer that are kept.
const MAX_TESTED_VALUES: usize = 100;

/// The response code and the sorted values of a tested answer; `None` when the answer ended before its
/// response code, which comes after the values.
pub(crate) fn tested(answer: &TestDnsAnswerOutput) -> Option<(Arc<str>, Vec<Arc<str>>)> {
    let rcode = Some(answer.response_code.as_str()).filter(|code| !code.is_empty() && *code != NOT_SET)?;
    let kept = answer.record_data.iter().take(MAX_TESTED_VALUES);
    let mut values: Vec<Arc<str>> = kept.map(|value| value.trim().into()).collect();
    values.sort();
    Some((rcode.into(), values))
}

/// Copies the signing state.
pub(crate) fn dnssec(status: Option<sdk::DnssecStatus>, keys: Vec<sdk::KeySigningKey>) -> Option<Dnssec> {
    let serve_signature = status?.serve_signature?;
    let keys = keys.into_iter().filter_map(|key| Some((key.status?, key.ds_record?)));
    Some(Dnssec::new(&serve_signature, keys))
}

fn present(text: &str) -> String {
    if text == NOT_SET { String::new() } else { text.to_owned() }
}

fn alias_target(target: sdk::AliasTarget) -> RawAliasTarget {
    RawAliasTarget {
        hosted_zone_id: target.hosted_zone_id,
        dns_name: target.dns_name,
        evaluate_target_health: target.evaluate_target_health,
    }
}

fn geo_location(place: sdk::GeoLocation) -> RawGeoLocation {
    RawGeoLocation {
        continent_code: place.continent_code,
        country_code: place.country_code,
        subdivision_code: place.subdivision_code,
    }
}

fn geo_proximity(place: sdk::GeoProximityLocation) -> RawGeoProximity {
    RawGeoProximity {
        aws_region: place.aws_region,
        local_zone_group: place.local_zone_group,
        coordinates: place
            .coordinates
            .map(|at| RawCoordinates { latitude: at.latitude, longitude: at.longitude }),
        bias: place.bias.map(i64::from),
    }
}
