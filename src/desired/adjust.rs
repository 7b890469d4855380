//! The AWS provider's part: the alias decision. Pure.
//!
//! Source: kubernetes-sigs/external-dns:provider/aws/aws.go (`AdjustEndpoints`, `useAlias`) and the
//! version matrix that was executed for twenty releases.

use crate::desired::canonical::canonical_zone;
use crate::desired::endpoint::Endpoint;
use crate::desired::submit::DEFAULT_TTL;
use crate::desired::versions::{Behaviour, does};
use crate::model::Version;
use crate::model::instance::Instance;
use crate::model::object::KubeObject;
use crate::model::record::RecordType;

/// Property of an alias record; plain ones do not have it.
const HEALTH: &str = "aws/evaluate-target-health";
/// How near the asker is to count.
const BIAS: &str = "aws/geoproximity-bias";
/// What an Ingress of the AWS load balancer controller carries for IPv6 (up to v0.15.1).
pub const DUALSTACK: &str = "dualstack";

/// The annotation of the AWS load balancer controller.
pub(crate) fn is_dualstack(object: &KubeObject) -> bool {
    object
        .annotations
        .get("alb.ingress.kubernetes.io/ip-address-type")
        .is_some_and(|kind| kind == "dualstack")
}

/// Asks for the AAAA half of an alias, in releases that do not write it unasked.
pub(crate) fn both_families(endpoint: &mut Endpoint) {
    endpoint.properties.insert(DUALSTACK.to_owned(), String::new());
}

/// What the alias property says to a release.
#[derive(Clone, Copy, PartialEq)]
enum Wish {
    Absent,
    True,
    False,
    Only(Family),
}

#[derive(Clone, Copy, PartialEq)]
enum Family {
    V4,
    V6,
}

/// Adjusts one endpoint; an alias of a host name can become two.
#[must_use]
pub fn adjust(mut endpoint: Endpoint, instance: &Instance) -> Vec<Endpoint> {
    let version = instance.effective_version();
    let wish = wish(&endpoint, version);
    endpoint.origin.demanded_health = endpoint.properties.get(HEALTH).map(|value| value == "true");
    let dualstack = endpoint.properties.remove(DUALSTACK).is_some();
    endpoint = with_bias(endpoint);
    match endpoint.record_type {
        RecordType::Cname => host_name(endpoint, instance, wish, dualstack),
        RecordType::A | RecordType::Aaaa => vec![address(endpoint, instance, wish)],
        RecordType::Txt
        | RecordType::Ns
        | RecordType::Soa
        | RecordType::Ds
        | RecordType::Mx
        | RecordType::Srv
        | RecordType::Ptr
        | RecordType::Naptr
        | RecordType::Caa
        | RecordType::Other(_) => vec![endpoint],
    }
}

fn wish(endpoint: &Endpoint, version: Version) -> Wish {
    let typed = |family| if does(version, Behaviour::AliasByType) { Wish::Only(family) } else { Wish::False };
    match endpoint.alias() {
        _ if !does(version, Behaviour::AliasFalse) => Wish::Absent,
        Some("true") => Wish::True,
        Some("false") => Wish::False,
        Some("A") => typed(Family::V4),
        Some("AAAA") => typed(Family::V6),
        // Any other word was no `true`, and from then on is no word.
        Some(_) if !does(version, Behaviour::AliasByType) => Wish::False,
        Some(_) | None => Wish::Absent,
    }
}

fn host_name(endpoint: Endpoint, instance: &Instance, wish: Wish, dualstack: bool) -> Vec<Endpoint> {
    let version = instance.effective_version();
    let known = endpoint.targets.first().is_some_and(|target| canonical_zone(target, version).is_some());
    let both = does(version, Behaviour::AliasBothFamilies) || dualstack;
    let families: &[RecordType] = match wish {
        Wish::Absent if !known || instance.flags.prefer_cname => &[],
        Wish::True if does(version, Behaviour::AliasBroken) => return vec![broken(endpoint)],
        Wish::False => &[],
        Wish::Only(Family::V6) => &[RecordType::Aaaa],
        Wish::Absent | Wish::True if both => &[RecordType::A, RecordType::Aaaa],
        Wish::Absent | Wish::True | Wish::Only(Family::V4) => &[RecordType::A],
    };
    if families.is_empty() {
        let mut endpoint = endpoint;
        endpoint.properties.insert("alias".to_owned(), "false".to_owned());
        endpoint.properties.remove(HEALTH);
        return vec![endpoint];
    }
    families
        .iter()
        .map(|family| {
            let mut one = alias(endpoint.clone(), instance, wish != Wish::Absent);
            one.record_type = family.clone();
            one.origin.companion = 1 < families.len() && *family == RecordType::Aaaa;
            one
        })
        .collect()
}

fn address(mut endpoint: Endpoint, instance: &Instance, wish: Wish) -> Endpoint {
    let version = instance.effective_version();
    if wish == Wish::True && does(version, Behaviour::AliasOnAddress) {
        if endpoint.record_type == RecordType::Aaaa && does(version, Behaviour::AliasAaaaBroken) {
            return broken(endpoint);
        }
        return alias(endpoint, instance, true);
    }
    endpoint.properties.remove("alias");
    endpoint.properties.remove(HEALTH);
    endpoint
}

/// A plain record of type A whose values are no IPv4 addresses.
fn broken(mut endpoint: Endpoint) -> Endpoint {
    endpoint.origin.demanded_alias = true;
    endpoint.record_type = RecordType::A;
    endpoint.properties.remove("alias");
    endpoint.properties.remove(HEALTH);
    endpoint.ttl = endpoint.ttl.map(|_| DEFAULT_TTL);
    endpoint
}

fn alias(mut endpoint: Endpoint, instance: &Instance, demanded: bool) -> Endpoint {
    endpoint.origin.demanded_alias = demanded;
    endpoint.properties.insert("alias".to_owned(), "true".to_owned());
    // Any word but `true` is false.
    let health = endpoint.origin.demanded_health.unwrap_or(instance.flags.evaluate_target_health);
    endpoint.properties.insert(HEALTH.to_owned(), health.to_string());
    endpoint.ttl = endpoint.ttl.map(|_| DEFAULT_TTL);
    endpoint
}

/// A place without a bias gets the bias 0, so that what is read back is the same.
fn with_bias(mut endpoint: Endpoint) -> Endpoint {
    let places =
        ["aws/geoproximity-region", "aws/geoproximity-local-zone-group", "aws/geoproximity-coordinates"];
    let placed = places.iter().any(|place| endpoint.properties.contains_key(*place));
    if placed && endpoint.set_identifier.is_some() {
        endpoint.properties.entry(BIAS.to_owned()).or_insert_with(|| "0".to_owned());
    }
    endpoint
}
