//! From record sets back to Route 53's own shapes, for recordings. Pure.

use crate::model::HostedZone;
use crate::model::record::{Content, RecordSet, Routing, Value};
use crate::recorded::decode::{
    RawAliasTarget, RawCidr, RawCoordinates, RawGeoLocation, RawGeoProximity, RawHostedZone, RawRecord,
    RawRecordSet, RawZoneConfig, to_route53,
};

impl From<&RecordSet> for RawRecordSet {
    /// The opposite of [`RawRecordSet::decode`]: names escaped, with trailing dots.
    fn from(set: &RecordSet) -> Self {
        let mut raw = Self {
            name: to_route53(&set.name),
            record_type: set.record_type.to_string(),
            set_identifier: set.set_identifier.as_deref().map(str::to_owned),
            health_check_id: set.health_check_id.as_deref().map(str::to_owned),
            ..Self::default()
        };
        put_content(&mut raw, &set.content);
        if let Some(routing) = &set.routing {
            put_routing(&mut raw, routing);
        }
        raw
    }
}

impl From<&HostedZone> for RawHostedZone {
    /// The opposite of [`RawHostedZone::decode`].
    fn from(zone: &HostedZone) -> Self {
        Self {
            id: format!("/hostedzone/{}", zone.id),
            name: to_route53(&zone.name),
            caller_reference: String::new(),
            config: RawZoneConfig { comment: None, private_zone: zone.private },
            resource_record_set_count: zone.record_set_count,
        }
    }
}

fn put_content(raw: &mut RawRecordSet, content: &Content) {
    match content {
        Content::Values { ttl, values } => {
            raw.ttl = Some(i64::from(*ttl));
            raw.resource_records = values.iter().map(|value| RawRecord { value: text(value) }).collect();
        }
        Content::Alias(target) => {
            raw.alias_target = Some(RawAliasTarget {
                hosted_zone_id: target.hosted_zone_id.as_ref().map(ToString::to_string).unwrap_or_default(),
                dns_name: to_route53(&target.dns_name),
                evaluate_target_health: target.evaluate_target_health,
            });
        }
        Content::TrafficPolicy(id) => raw.traffic_policy_instance_id = Some(id.to_string()),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Host(name) => to_route53(name),
        Value::Ip(_) | Value::Named(_) | Value::Text(_) => value.to_string(),
    }
}

fn put_routing(raw: &mut RawRecordSet, routing: &Routing) {
    match routing {
        Routing::Weighted(weight) => raw.weight = Some(*weight),
        Routing::Latency(region) => raw.region = Some(region.to_string()),
        Routing::Failover(primary) => {
            raw.failover = Some(if *primary { "PRIMARY" } else { "SECONDARY" }.to_owned());
        }
        Routing::FailoverWord(role) => raw.failover = Some(role.to_string()),
        Routing::Geolocation { continent, country, subdivision } => {
            raw.geo_location = Some(RawGeoLocation {
                continent_code: continent.as_deref().map(str::to_owned),
                country_code: country.as_deref().map(str::to_owned),
                subdivision_code: subdivision.as_deref().map(str::to_owned),
            });
        }
        Routing::Geoproximity(place) => raw.geo_proximity_location = Some(geo_proximity(place)),
        Routing::Cidr(place) => {
            let (collection, location) = place.split_once('/').unwrap_or((place, ""));
            raw.cidr_routing_config =
                Some(RawCidr { collection_id: collection.to_owned(), location_name: location.to_owned() });
        }
        Routing::Multivalue => raw.multi_value_answer = Some(true),
    }
}

/// Reads the canonical text of [`RawGeoProximity::canonical`].
fn geo_proximity(text: &str) -> RawGeoProximity {
    let (place, bias) = text.rsplit_once(";bias=").unwrap_or((text, "0"));
    let mut raw = RawGeoProximity { bias: bias.parse().ok(), ..RawGeoProximity::default() };
    match place.split_once('=') {
        Some(("region", region)) => raw.aws_region = Some(region.to_owned()),
        Some(("group", group)) => raw.local_zone_group = Some(group.to_owned()),
        Some(("at", at)) => {
            let (latitude, longitude) = at.split_once(',').unwrap_or((at, ""));
            raw.coordinates =
                Some(RawCoordinates { latitude: latitude.to_owned(), longitude: longitude.to_owned() });
        }
        _ => {}
    }
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let records = r#"[
            {"Name":"\\052.example.com.","Type":"CNAME","TTL":300,"ResourceRecords":[{"Value":"\\052x.example.net."}]},
            {"Name":"a.example.com.","Type":"TXT","TTL":300,"ResourceRecords":[{"Value":"\"heritage=external-dns\" \"b\""}]},
            {"Name":"b.example.com.","Type":"AAAA","TTL":300,"ResourceRecords":[{"Value":"2001:db8::1"},{"Value":"no address"}]},
            {"Name":"c.example.com.","Type":"A","AliasTarget":{"HostedZoneId":"Z2","DNSName":"dualstack.lb.example.net.","EvaluateTargetHealth":true}},
            {"Name":"d.example.com.","Type":"A","TrafficPolicyInstanceId":"t-1"},
            {"Name":"e.example.com.","Type":"A","SetIdentifier":"w","Weight":0,"HealthCheckId":"h","TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]},
            {"Name":"f.example.com.","Type":"A","SetIdentifier":"l","Region":"us-east-1","TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]},
            {"Name":"g.example.com.","Type":"A","SetIdentifier":"f","Failover":"SECONDARY","TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]},
            {"Name":"h.example.com.","Type":"A","SetIdentifier":"g","GeoLocation":{"CountryCode":"US","SubdivisionCode":"CA"},"TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]},
            {"Name":"i.example.com.","Type":"A","SetIdentifier":"p","GeoProximityLocation":{"Coordinates":{"Latitude":"1.5","Longitude":"-2"},"Bias":-9},"TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]},
            {"Name":"j.example.com.","Type":"A","SetIdentifier":"c","CidrRoutingConfig":{"CollectionId":"x","LocationName":"y"},"TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]},
            {"Name":"k.example.com.","Type":"A","SetIdentifier":"m","MultiValueAnswer":true,"TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]},
            {"Name":"l.example.com.","Type":"HTTPS","TTL":60,"ResourceRecords":[{"Value":"1 . alpn=h2"}]}
        ]"#;
        let raw: Vec<RawRecordSet> = serde_json::from_str(records).expect("json");
        for raw in raw {
            let set = raw.decode().expect("decodes");
            let again = RawRecordSet::from(&set);
            assert_eq!(again.decode().as_ref(), Ok(&set), "{raw:?}");
            if raw.resource_records.len() < 2 {
                assert_eq!(again, raw, "the same members as the API writes");
            }
        }
    }
}
