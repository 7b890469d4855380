//! From the provider's endpoints to what it would submit: content, TTL, routing. Pure.
//!
//! Source: kubernetes-sigs/external-dns:provider/aws/aws.go (`newChange`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::desired::canonical::canonical_zone;
use crate::desired::endpoint::Endpoint;
use crate::desired::versions::{Behaviour, does};
use crate::model::instance::Instance;
use crate::model::record::{AliasTarget, Content, RecordType, Routing, Value};
use crate::model::{DomainName, ZoneId};

/// TTL of plain records when nobody demands one.
pub const DEFAULT_TTL: u32 = 300;

/// An endpoint as the provider would submit it, not yet in a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The endpoint it came from, after the provider adjusted it.
    pub endpoint: Endpoint,
    /// Final content; an alias without a zone id stays in the record's own zone.
    pub content: Content,
    /// Routing policy.
    pub routing: Option<Box<Routing>>,
    /// Health check.
    pub health_check_id: Option<Arc<str>>,
    /// Zone that the object pins the record to.
    pub pinned_zone: Option<ZoneId>,
}

/// What the provider would submit for an endpoint.
#[must_use]
pub fn submit(mut endpoint: Endpoint, instance: &Instance) -> Submitted {
    let version = instance.effective_version();
    if endpoint.set_identifier.is_none() && !does(version, Behaviour::RoutingAlone) {
        endpoint.properties.retain(|name, _| !is_routing(name));
    }
    let properties = &endpoint.properties;
    let content = match endpoint.targets.first() {
        Some(target) if endpoint.alias() == Some("true") && endpoint.record_type.is_address() => {
            let zone = properties.get("aws/target-hosted-zone").map(|id| ZoneId::new(id));
            Content::Alias(Arc::new(AliasTarget {
                hosted_zone_id: zone.or_else(|| canonical_zone(target, version)),
                dns_name: DomainName::new(target),
                evaluate_target_health: properties
                    .get("aws/evaluate-target-health")
                    .is_some_and(|value| value == "true"),
            }))
        }
        Some(_) | None => plain(&endpoint),
    };
    let pin = properties.get("aws/hosted-zone-id").filter(|_| does(version, Behaviour::ZonePin));
    let health = properties.get("aws/health-check-id").filter(|_| does(version, Behaviour::HealthCheck));
    Submitted {
        routing: routing(properties).map(Box::new),
        health_check_id: health.map(|id| id.as_str().into()),
        pinned_zone: pin.map(|id| ZoneId::new(id)),
        content,
        endpoint,
    }
}

/// True for a property that chooses among several records of a name.
#[must_use]
pub fn is_routing(property: &str) -> bool {
    let words = ["weight", "region", "failover", "geolocation-", "geoproximity-", "multi-value-answer"];
    property.strip_prefix("aws/").is_some_and(|name| words.iter().any(|word| name.starts_with(word)))
}

fn plain(endpoint: &Endpoint) -> Content {
    let value = |target: &String| {
        if endpoint.origin.from_dns && target.parse::<IpAddr>().is_err() {
            return Value::Host(DomainName::new(target));
        }
        Value::new(&endpoint.record_type, target)
    };
    Content::values(endpoint.ttl.unwrap_or(DEFAULT_TTL), endpoint.targets.iter().map(value))
}

// === impl Submitted ===

impl Submitted {
    /// Final type.
    #[must_use]
    pub fn record_type(&self) -> &RecordType {
        &self.endpoint.record_type
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
    if let Some(role) = text("aws/failover") {
        return Some(match &*role {
            "PRIMARY" => Routing::Failover(true),
            "SECONDARY" => Routing::Failover(false),
            _ => Routing::FailoverWord(role),
        });
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
