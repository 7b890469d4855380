//! `DNSEndpoint`: endpoints as they are written. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/crd.go.

use std::sync::Arc;

use crate::desired::endpoint::{Endpoint, Origin};
use crate::desired::source::{SourceInput, Yield};
use crate::desired::sources::left_alone;
use crate::desired::sources::roster::has_other_crd;
use crate::finding::SilentReason;
use crate::limits::MAX_NAMES_PER_OBJECT;
use crate::model::custom::{DnsEndpoint, LiteralEndpoint};
use crate::model::object::KubeObject;
use crate::model::{RecordType, Version};

/// From this release endpoints without targets pass, so that `--default-targets` can fill them.
const EMPTY_PASSES: Version = Version::new(0, 18, 0);

/// From which release a type's targets are free, as far as a trailing dot goes.
const FREE_OF_DOTS: [(&str, Version); 5] = [
    ("TXT", Version::new(0, 20, 0)),
    ("MX", Version::new(0, 21, 0)),
    ("CNAME", Version::new(0, 21, 0)),
    ("SRV", Version::new(0, 22, 0)),
    ("DNAME", Version::new(0, 22, 0)),
];

/// From this release targets of NAPTR must end with a dot; before, no target might.
const NAPTR_WITH_DOT: Version = Version::new(0, 14, 1);

/// What a `DNSEndpoint` yields.
#[must_use]
pub fn read(object: &KubeObject, endpoint: &DnsEndpoint, input: &SourceInput<'_>) -> Yield {
    let mut out = Yield::default();
    // With flags for another kind the source reads no object of this one.
    if has_other_crd(input.instance) {
        return out;
    }
    if endpoint.endpoints.is_empty() {
        return left_alone(object, &[], SilentReason::NoHost, "the DNSEndpoint has no endpoint");
    }
    for one in endpoint.endpoints.iter().take(MAX_NAMES_PER_OBJECT) {
        match fault(one, input.version()) {
            Some(detail) => {
                let names = [one.name.clone()];
                out.unwanted.extend(left_alone(object, &names, SilentReason::NoHost, &detail).unwanted);
            }
            None => out.endpoints.push(literal(object, one)),
        }
    }
    out
}

fn literal(object: &KubeObject, one: &LiteralEndpoint) -> Endpoint {
    Endpoint {
        name: one.name.clone(),
        record_type: literal_type(&one.record_type),
        targets: one.targets.clone(),
        ttl: u32::try_from(one.ttl).ok().filter(|ttl| *ttl != 0),
        set_identifier: Some(Arc::from(one.set_identifier.as_str()))
            .filter(|text: &Arc<str>| !text.is_empty()),
        properties: one.properties.clone(),
        object: object.reference.clone(),
        origin: Origin::default(),
    }
}

/// The type in the case that was written: `a` is not `A`, and nobody manages it.
fn literal_type(text: &str) -> RecordType {
    let known = RecordType::new(text);
    if known.as_str() == text { known } else { RecordType::other(text) }
}

/// Why ExternalDNS skips an endpoint.
fn fault(one: &LiteralEndpoint, version: Version) -> Option<String> {
    let kind = one.record_type.as_str();
    if one.targets.is_empty() && matches!(kind, "A" | "AAAA" | "CNAME") && version < EMPTY_PASSES {
        return Some(format!("ExternalDNS v{version} skips an endpoint without targets"));
    }
    let is_free = FREE_OF_DOTS.iter().any(|(free, since)| *free == kind && *since <= version);
    if is_free {
        return None;
    }
    let dotted = kind == "NAPTR" && NAPTR_WITH_DOT <= version;
    let illegal = one.targets.iter().find(|target| target.ends_with('.') != dotted)?;
    let illegal = crate::model::text::printable(illegal);
    let rule = if dotted { "must end" } else { "must not end" };
    Some(format!("ExternalDNS skips the endpoint: its target {illegal:?} of type {kind} {rule} with a dot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_by_type_and_version() {
        let check = |kind: &str, target: &str, version: Version, skipped: bool| {
            let one = LiteralEndpoint {
                record_type: kind.to_owned(),
                targets: vec![target.to_owned()],
                ..LiteralEndpoint::default()
            };
            assert_eq!(fault(&one, version).is_some(), skipped, "{kind} {target} v{version}");
        };
        let newest = Version::new(0, 22, 0);
        check("A", "192.0.2.1", newest, false);
        check("A", "192.0.2.1.", newest, true);
        check("NS", "ns.example.net.", newest, true);
        check("CNAME", "lb.example.net.", newest, false);
        check("CNAME", "lb.example.net.", Version::new(0, 20, 0), true);
        check("TXT", "v=spf1.", newest, false);
        check("TXT", "v=spf1.", Version::new(0, 19, 0), true);
        check("SRV", "0 50 80 a.example.com.", newest, false);
        check("SRV", "0 50 80 a.example.com.", Version::new(0, 21, 0), true);
        check("NAPTR", "1 1 \"u\" \"\" \"\" .", newest, false);
        check("NAPTR", "1 1 \"u\" \"\" \"\" a", newest, true);
        check("NAPTR", "1 1 \"u\" \"\" \"\" .", Version::new(0, 14, 0), true);
    }

    #[test]
    fn types_are_literal() {
        assert_eq!(literal_type("A"), RecordType::A);
        assert_eq!(literal_type("a").as_str(), "a");
        assert_eq!(literal_type("").as_str(), "");
    }
}
