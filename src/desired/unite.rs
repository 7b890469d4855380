//! Endpoints of one source with one name: which of them become one. Pure.
//!
//! Source: kubernetes-sigs/external-dns:endpoint/utils.go (`MergeEndpoints`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::desired::endpoint::Endpoint;
use crate::desired::versions::{Behaviour, does};
use crate::model::{RecordType, Version};

/// Endpoints with one key are united.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    name: String,
    record_type: RecordType,
    set_identifier: Option<Arc<str>>,
    ttl: Option<u32>,
    properties: BTreeMap<String, String>,
}

/// Unites the endpoints of one source, in the order of the first of each.
///
/// ExternalDNS does not look at the properties and takes those of whichever object its cache
/// lists first. Here endpoints that differ in them stay apart, and the plan then names the
/// conflict: no single answer would be right.
#[must_use]
pub fn unite(source: &str, endpoints: Vec<Endpoint>, version: Version) -> Vec<Endpoint> {
    let merge = match source {
        "node" | "pod" => Merge::All,
        _ if does(version, Behaviour::SourceMerge) => Merge::All,
        "service" => Merge::OfOneObject,
        _ => Merge::None,
    };
    let mut places: BTreeMap<Key, usize> = BTreeMap::new();
    let mut out: Vec<Endpoint> = Vec::new();
    for endpoint in endpoints {
        let key = Key {
            name: endpoint.name.to_ascii_lowercase(),
            record_type: endpoint.record_type.clone(),
            set_identifier: endpoint.set_identifier.clone(),
            ttl: endpoint.ttl,
            properties: endpoint.properties.clone(),
        };
        let place = places.get(&key).copied();
        match place.and_then(|index| out.get_mut(index)) {
            Some(known) if may_unite(known, &endpoint, merge) => add(known, endpoint),
            Some(_) => out.push(endpoint),
            None => {
                places.insert(key, out.len());
                out.push(endpoint);
            }
        }
    }
    if sorts_targets(source, version) {
        for endpoint in &mut out {
            endpoint.targets.sort();
        }
    }
    out
}

/// From this release on most sources sort the targets of an endpoint.
const SORTS: Version = Version::new(0, 7, 6);

/// In this release the source `service` does not.
const SERVICE_UNSORTED: Version = Version::new(0, 19, 0);

/// From this release on all targets are sorted, whatever the source.
const SORTS_ALL: Version = Version::new(0, 20, 0);

/// True if the first target, which an alias leads to, is the first in the order of the text and not as it is
/// written in the object.
///
/// Source: kubernetes-sigs/external-dns:source/ingress.go and its like, endpoint/endpoint.go (`NewTargets`).
fn sorts_targets(source: &str, version: Version) -> bool {
    let is_unsorted = source == "crd" || source == "service" && SERVICE_UNSORTED <= version;
    SORTS_ALL <= version || SORTS <= version && !is_unsorted
}

/// Whose endpoints are united. Services were in all releases; of several one is named as a conflict, which
/// it is until the record tells that all are served.
#[derive(Clone, Copy, PartialEq)]
enum Merge {
    All,
    OfOneObject,
    None,
}

fn may_unite(known: &Endpoint, other: &Endpoint, merge: Merge) -> bool {
    // The same name twice, in a rule and in an annotation, is one endpoint in every release.
    if known.targets == other.targets && known.object == other.object && known.name == other.name {
        return true;
    }
    let mergeable = !matches!(known.record_type, RecordType::Cname);
    let covers = merge == Merge::All || merge == Merge::OfOneObject && known.object == other.object;
    covers && mergeable && known.name == other.name
}

fn add(known: &mut Endpoint, other: Endpoint) {
    let mut claims = known.claims();
    for claim in other.claims() {
        match claims.iter_mut().find(|(object, _)| *object == claim.0) {
            Some((_, targets)) => {
                let new: Vec<_> = claim.1.into_iter().filter(|one| !targets.contains(one)).collect();
                targets.extend(new);
            }
            None => claims.push(claim),
        }
    }
    for target in other.targets {
        if !known.targets.contains(&target) {
            known.targets.push(target);
        }
    }
    // The lowest resource label stays.
    if other.object < known.object {
        known.object = other.object;
    }
    known.origin.dropped |= other.origin.dropped;
    if 1 < claims.len() {
        claims.sort();
        known.targets.sort();
        known.origin.claims = claims;
    }
}
