//! What a source yields: one name and type with its targets. Pure.
//!
//! Source: kubernetes-sigs/external-dns:endpoint/endpoint.go.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::desired::versions::{Behaviour, does};
use crate::model::{ObjectRef, RecordType, Version};

/// One endpoint: what a source yields, and what the provider makes of it.
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
    /// How it came to be.
    pub origin: Origin,
}

/// How an endpoint came to be: what its own members do not tell any more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The objects whose targets were united, each with its own; empty for one object.
    pub claims: Vec<Claim>,
    /// The source sets no `resource` label: Pods, and the PTR of an address.
    pub unlabelled: bool,
    /// ExternalDNS drops it with a word in its log. It is kept here, because a person wants it.
    pub dropped: bool,
    /// The object demanded an alias; the target alone would not have made one.
    pub demanded_alias: bool,
    /// `aws/evaluate-target-health` as the object gives it.
    pub demanded_health: Option<bool>,
    /// The AAAA half beside an alias A.
    pub companion: bool,
    /// ExternalDNS resolves host names among the targets itself: its values are not known.
    pub from_dns: bool,
    /// The object wrote the name with the trailing dot.
    pub dotted: bool,
    /// The object gives a target more than once.
    pub repeated: bool,
}

/// An object and the targets that it asks for.
pub type Claim = (ObjectRef, Vec<Arc<str>>);

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

/// Longest label of a name. Source: RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;

// === impl Endpoint ===

impl Endpoint {
    /// Who asks for it, each with its own targets.
    #[must_use]
    pub fn claims(&self) -> Vec<Claim> {
        if self.origin.claims.is_empty() {
            let targets = self.targets.iter().map(|target| Arc::from(target.as_str())).collect();
            return vec![(self.object.clone(), targets)];
        }
        self.origin.claims.clone()
    }

    /// The `resource` label, as the registry writes it.
    #[must_use]
    pub fn resource(&self) -> Option<String> {
        if self.origin.unlabelled {
            return None;
        }
        let object = &self.object;
        let kind = object.registry_word();
        Some(if object.namespace.is_empty() {
            format!("{kind}/{}", object.name)
        } else {
            format!("{kind}/{}/{}", object.namespace, object.name)
        })
    }

    /// The `alias` property.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        self.properties.get("alias").map(String::as_str)
    }
}

/// The type of a target by its shape.
///
/// An IPv4-mapped IPv6 address is AAAA. Before v0.13.5 every address was typed A.
#[must_use]
pub fn suitable_type(target: &str, version: Version) -> RecordType {
    match target.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => RecordType::A,
        Ok(IpAddr::V6(_)) if !does(version, Behaviour::Ipv6IsAaaa) => RecordType::A,
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
            let (mut of_type, mut repeated): (Vec<String>, bool) = (Vec::new(), false);
            for target in targets.iter().filter(|target| suitable_type(target, version) == record_type) {
                let bare = target.strip_suffix('.').unwrap_or(target);
                if of_type.iter().any(|known| known == bare) {
                    repeated = true;
                } else {
                    of_type.push(bare.to_owned());
                }
            }
            (!of_type.is_empty()).then(|| {
                let one = endpoint(host, record_type, of_type, shared, version);
                Endpoint { origin: Origin { repeated, ..one.origin }, ..one }
            })
        })
        .collect()
}

/// One endpoint with these targets, whatever their shape.
#[must_use]
pub fn endpoint(
    host: &str,
    record_type: RecordType,
    targets: Vec<String>,
    shared: &Shared,
    version: Version,
) -> Endpoint {
    let dotted = host.ends_with('.');
    let name = host.strip_suffix('.').unwrap_or(host).to_owned();
    let too_long = name.split('.').any(|label| MAX_LABEL < label.len());
    let dropped = too_long && does(version, Behaviour::LongLabelDropped);
    Endpoint {
        name,
        record_type,
        targets,
        ttl: shared.ttl,
        set_identifier: shared.set_identifier.clone(),
        properties: shared.properties.clone(),
        object: shared.object.clone(),
        origin: Origin { dropped, dotted, ..Origin::default() },
    }
}
