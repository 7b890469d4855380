//! The AWS provider's part: the alias decision, TTL, routing. Pure.
//!
//! Source: kubernetes-sigs/external-dns:provider/aws/aws.go (`AdjustEndpoints`, `useAlias`,
//! `newChange`) and the version matrix that was executed for twenty releases.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::desired::canonical::canonical_zone;
use crate::desired::endpoint::Endpoint;
use crate::model::instance::Instance;
use crate::model::record::{AliasTarget, Content, RecordType, Routing, Value};
use crate::model::{DomainName, Version, ZoneId};

/// TTL of plain records when nobody demands one.
pub const DEFAULT_TTL: u32 = 300;

/// An endpoint as the provider would submit it, not yet in a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjusted {
    /// The endpoint it came from.
    pub endpoint: Endpoint,
    /// Final type.
    pub record_type: RecordType,
    /// Final content; an alias without a zone id stays in the record's own zone.
    pub content: Content,
    /// Routing policy.
    pub routing: Option<Routing>,
    /// Health check.
    pub health_check_id: Option<Arc<str>>,
    /// `EvaluateTargetHealth` by annotation.
    pub demanded_health: Option<bool>,
    /// The alias was demanded by the object, not derived from the target.
    pub demanded_alias: bool,
    /// The AAAA half beside an alias A.
    pub companion: bool,
    /// Zone that the object pins the record to.
    pub pinned_zone: Option<ZoneId>,
}

/// Adjusts one endpoint; an alias of a host name can become two.
#[must_use]
pub fn adjust(endpoint: Endpoint, instance: &Instance) -> Vec<Adjusted> {
    let version = instance.effective_version();
    let property = endpoint.properties.get("alias").map(String::as_str);
    let demanded = property == Some("true");
    match endpoint.record_type {
        RecordType::Cname => adjust_cname(endpoint, instance, version, demanded),
        RecordType::A | RecordType::Aaaa if demanded && ALIAS_ON_ADDRESS <= version => {
            let record_type = endpoint.record_type.clone();
            vec![alias(endpoint, instance, record_type, true, false)]
        }
        RecordType::A
        | RecordType::Aaaa
        | RecordType::Txt
        | RecordType::Ns
        | RecordType::Soa
        | RecordType::Ds
        | RecordType::Mx
        | RecordType::Srv
        | RecordType::Ptr
        | RecordType::Naptr
        | RecordType::Caa
        | RecordType::Other(_) => {
            let record_type = endpoint.record_type.clone();
            vec![plain(endpoint, instance, record_type)]
        }
    }
}

/// From this release the alias property is honoured on A and AAAA: kubernetes-sigs/external-dns#4707.
const ALIAS_ON_ADDRESS: Version = Version::new(0, 14, 0);
/// The release that turned alias=true on a host name into a plain A with the host name as value.
const ALIAS_BROKEN: Version = Version::new(0, 14, 0);
/// From this release an alias annotation makes an alias of any host name.
const ALIAS_BEYOND_TABLE: Version = Version::new(0, 8, 0);
/// From this release every alias comes as A and AAAA.
const ALIAS_BOTH_FAMILIES: Version = Version::new(0, 16, 0);
/// Annotation that gave the AAAA half before [`ALIAS_BOTH_FAMILIES`].
const DUALSTACK_PROPERTY: &str = "dualstack";

fn adjust_cname(endpoint: Endpoint, instance: &Instance, version: Version, demanded: bool) -> Vec<Adjusted> {
    let first = endpoint.targets.first().map(|target| DomainName::new(target));
    let known = first.as_ref().is_some_and(|target| canonical_zone(target, version).is_some());
    let beyond_table = demanded && ALIAS_BEYOND_TABLE <= version;
    let prefer_alias = instance.flags.prefer_alias && !endpoint.properties.contains_key("alias");
    let derived = known && !instance.flags.prefer_cname;
    if !(beyond_table || prefer_alias || derived) {
        return vec![plain(endpoint, instance, RecordType::Cname)];
    }
    if demanded && version == ALIAS_BROKEN {
        return vec![plain(endpoint, instance, RecordType::A)];
    }
    let by_wish = beyond_table || prefer_alias;
    let both = ALIAS_BOTH_FAMILIES <= version || endpoint.properties.contains_key(DUALSTACK_PROPERTY);
    let mut out = vec![alias(endpoint.clone(), instance, RecordType::A, by_wish, false)];
    if both {
        out.push(alias(endpoint, instance, RecordType::Aaaa, by_wish, true));
    }
    out
}

fn alias(
    endpoint: Endpoint,
    instance: &Instance,
    record_type: RecordType,
    demanded_alias: bool,
    companion: bool,
) -> Adjusted {
    let version = instance.effective_version();
    let target = DomainName::new(endpoint.targets.first().map_or("", String::as_str));
    let demanded_health = endpoint.properties.get("aws/evaluate-target-health").map(|value| value == "true");
    let zone = endpoint.properties.get("aws/target-hosted-zone").map(|id| ZoneId::new(id));
    let content = Content::Alias(AliasTarget {
        hosted_zone_id: zone.or_else(|| canonical_zone(&target, version)),
        dns_name: target,
        evaluate_target_health: demanded_health.unwrap_or(instance.flags.evaluate_target_health),
    });
    Adjusted { demanded_health, demanded_alias, companion, ..build(endpoint, record_type, content) }
}

fn plain(endpoint: Endpoint, instance: &Instance, record_type: RecordType) -> Adjusted {
    let minimum = u32::try_from(instance.flags.min_ttl.as_secs()).unwrap_or(u32::MAX);
    let ttl = endpoint.ttl.unwrap_or(if minimum == 0 { DEFAULT_TTL } else { minimum });
    let values: Vec<Value> = endpoint.targets.iter().map(|target| Value::new(&record_type, target)).collect();
    let content = Content::values(ttl, values);
    build(endpoint, record_type, content)
}

fn build(endpoint: Endpoint, record_type: RecordType, content: Content) -> Adjusted {
    let properties = &endpoint.properties;
    Adjusted {
        routing: routing(properties),
        health_check_id: properties.get("aws/health-check-id").map(|id| id.as_str().into()),
        pinned_zone: properties.get("aws/hosted-zone-id").map(|id| ZoneId::new(id)),
        record_type,
        content,
        demanded_health: None,
        demanded_alias: false,
        companion: false,
        endpoint,
    }
}

fn routing(properties: &BTreeMap<String, String>) -> Option<Routing> {
    let text = |key: &str| properties.get(key).map(|value| Arc::<str>::from(value.as_str()));
    if let Some(weight) = properties.get("aws/weight") {
        // A weight that does not parse is logged by ExternalDNS and sent as 0.
        return Some(Routing::Weighted(weight.parse().unwrap_or(0)));
    }
    if let Some(region) = text("aws/region") {
        return Some(Routing::Latency(region));
    }
    if let Some(role) = properties.get("aws/failover") {
        return Some(Routing::Failover(role == "PRIMARY"));
    }
    let continent = text("aws/geolocation-continent-code");
    let (country, subdivision) = if continent.is_some() {
        (None, None)
    } else {
        (text("aws/geolocation-country-code"), text("aws/geolocation-subdivision-code"))
    };
    if continent.is_some() || country.is_some() || subdivision.is_some() {
        return Some(Routing::Geolocation { continent, country, subdivision });
    }
    if let Some(place) = geoproximity(properties) {
        return Some(Routing::Geoproximity(place.into()));
    }
    properties.contains_key("aws/multi-value-answer").then_some(Routing::Multivalue)
}

/// The same canonical text as the recorded side makes.
fn geoproximity(properties: &BTreeMap<String, String>) -> Option<String> {
    let place = if let Some(region) = properties.get("aws/geoproximity-region") {
        format!("region={region}")
    } else if let Some(group) = properties.get("aws/geoproximity-local-zone-group") {
        format!("group={group}")
    } else {
        format!("at={}", properties.get("aws/geoproximity-coordinates")?)
    };
    let bias = properties.get("aws/geoproximity-bias").and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    Some(format!("{place};bias={bias}"))
}
