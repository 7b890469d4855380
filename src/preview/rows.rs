//! Rows in the shapes that ExternalDNS and Route 53 use.

use serde_json::{Map, Value, json};

use crate::desired::adjust::DUALSTACK;
use crate::desired::endpoint::Endpoint;
use crate::desired::record_sets::RecordSetRow;

/// Endpoints that ExternalDNS itself would not drop; absent members have the zero value.
pub(super) fn endpoints(endpoints: &[Endpoint]) -> Vec<Value> {
    let kept = endpoints.iter().filter(|endpoint| !endpoint.origin.dropped);
    kept.map(|endpoint| Value::Object(row(endpoint))).collect()
}

fn row(endpoint: &Endpoint) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("dnsName", json!(endpoint.name));
    put("targets", json!(endpoint.targets));
    put("recordType", json!(endpoint.record_type.as_str()));
    if let Some(ttl) = endpoint.ttl {
        put("recordTTL", json!(ttl));
    }
    if let Some(identifier) = &endpoint.set_identifier {
        put("setIdentifier", json!(identifier));
    }
    if let Some(resource) = endpoint.resource() {
        put("labels", json!({"resource": resource}));
    }
    let properties = endpoint.properties.iter().filter(|(name, _)| *name != DUALSTACK);
    let properties: Vec<Value> =
        properties.map(|(name, value)| json!({"name": name, "value": value})).collect();
    if !properties.is_empty() {
        put("providerSpecific", Value::Array(properties));
    }
    out
}

/// Record sets as they are.
pub(super) fn records(rows: Vec<RecordSetRow>) -> Vec<Value> {
    rows.into_iter().filter_map(|row| serde_json::to_value(row).ok()).collect()
}
