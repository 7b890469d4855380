//! What a source yields: one name and type with its targets. Pure.
//!
//! Source: kubernetes-sigs/external-dns:endpoint/endpoint.go.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{ObjectRef, RecordType, Version};

/// One endpoint, before the provider has adjusted it.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Name as written, without the trailing dot.
    pub name: String,
    /// Type by the shape of the targets.
    pub record_type: RecordType,
    /// Targets as written, in order, without trailing dots.
    pub targets: Vec<String>,
    /// TTL that the object demands.
    pub ttl: Option<u32>,
    /// Set identifier.
    pub set_identifier: Option<Arc<str>>,
    /// Provider properties: `alias`, `aws/weight`, ...
    pub properties: BTreeMap<String, String>,
    /// The object behind it.
    pub object: ObjectRef,
}

/// What all endpoints of one object share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// TTL that the object demands.
    pub ttl: Option<u32>,
    /// Set identifier.
    pub set_identifier: Option<Arc<str>>,
    /// Provider properties.
    pub properties: BTreeMap<String, String>,
    /// The object.
    pub object: ObjectRef,
}

/// The type of a target by its shape.
///
/// An IPv4-mapped IPv6 address is AAAA. Before v0.13.5 every address was typed A.
#[must_use]
pub fn suitable_type(target: &str, version: Version) -> RecordType {
    match target.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => RecordType::A,
        Ok(IpAddr::V6(_)) if version < Version::new(0, 13, 5) => RecordType::A,
        Ok(IpAddr::V6(_)) => RecordType::Aaaa,
        Err(_not_an_address) => RecordType::Cname,
    }
}

/// One endpoint for each type among the targets, in the order A, AAAA, CNAME.
#[must_use]
pub fn endpoints_for(host: &str, targets: &[String], shared: &Shared, version: Version) -> Vec<Endpoint> {
    [RecordType::A, RecordType::Aaaa, RecordType::Cname]
        .into_iter()
        .filter_map(|record_type| {
            let of_type: Vec<String> = targets
                .iter()
                .filter(|target| suitable_type(target, version) == record_type)
                .cloned()
                .collect();
            (!of_type.is_empty()).then(|| Endpoint {
                name: host.strip_suffix('.').unwrap_or(host).to_owned(),
                record_type,
                targets: of_type,
                ttl: shared.ttl,
                set_identifier: shared.set_identifier.clone(),
                properties: shared.properties.clone(),
                object: shared.object.clone(),
            })
        })
        .collect()
}
