//! Annotations that nobody reads although they would change something. Pure.
//!
//! Source: facts on the prefix change of v0.22.0; findings.md, kind `annotation_unread`.

use std::sync::Arc;

use jiff::Timestamp;

use crate::desired::source::{SourceInput, Yield, considers, read_object};
use crate::desired::sources::behind;
use crate::desired::{objects_of, provider};
use crate::finding::Reason;
use crate::model::custom::Custom;
use crate::model::instance::{ALPHA_PREFIX, GA_PREFIX, Instance};
use crate::model::object::{Body, KubeObject};
use crate::model::want::UnreadAnnotations;
use crate::model::{DomainName, RecordType};
use crate::snapshot::Cluster;

/// Annotation names that ExternalDNS reads. Source: facts/external-dns.md section 1.1.
const KNOWN: [&str; 12] = [
    "access",
    "alias",
    "controller",
    "endpoints-type",
    "gateway-hostname-source",
    "hostname",
    "ingress",
    "ingress-hostname-source",
    "internal-hostname",
    "record-type",
    "set-identifier",
    "target",
];

/// The objects of an instance with annotations that neither it nor any other instance reads.
#[must_use]
pub fn unread_annotations(cluster: &Cluster, instance: &Instance, now: Timestamp) -> Vec<UnreadAnnotations> {
    let input = SourceInput { objects: &cluster.objects, instance, now };
    let own = objects_of(cluster, instance)
        .filter_map(|object| other_prefix(cluster, object, &input).or_else(|| typo(object, &input)));
    own.chain(holders(cluster, &input)).collect()
}

/// Gateways and ListenerSets, which ask for nothing themselves: their target annotation decides for
/// all routes that hang on them.
fn holders(cluster: &Cluster, input: &SourceInput<'_>) -> Vec<UnreadAnnotations> {
    let is_holder = |object: &&Arc<KubeObject>| {
        matches!(&object.body, Body::Custom(Custom::Gateway(_) | Custom::ListenerSet(_)))
    };
    let holders = cluster.objects.values().filter(is_holder);
    holders.filter_map(|holder| holder_with_other_prefix(cluster, holder, input)).collect()
}

fn holder_with_other_prefix(
    cluster: &Cluster,
    holder: &Arc<KubeObject>,
    before: &SourceInput<'_>,
) -> Option<UnreadAnnotations> {
    let instance = before.instance;
    let in_force = &instance.flags.annotation_prefix;
    let (prefix, renamed) = [ALPHA_PREFIX, GA_PREFIX]
        .into_iter()
        .filter(|prefix| !read_by_somebody(cluster, holder, prefix, before.now))
        .find_map(|prefix| Some((prefix, renamed(holder, prefix, in_force)?)))?;
    let mut objects = cluster.objects.clone();
    objects.insert(Arc::new(renamed));
    let after = SourceInput { objects: &objects, ..*before };
    let hangs = |object: &&Arc<KubeObject>| {
        behind(object, before).iter().any(|one| one.reference == holder.reference)
    };
    let mut if_read = Wanted::new();
    for object in objects_of(cluster, instance).filter(hangs) {
        let read = read_object(object, &after);
        if read.endpoints != read_object(object, before).endpoints {
            if_read.extend(wanted(read, instance));
        }
    }
    (!if_read.is_empty()).then(|| UnreadAnnotations {
        object: holder.reference.clone(),
        reason: Reason::OtherPrefix,
        keys: holder.annotations.keys().filter(|key| key.starts_with(prefix)).map(str::to_owned).collect(),
        if_read,
        changed_at: holder.changed_at,
    })
}

fn other_prefix(
    cluster: &Cluster,
    object: &Arc<KubeObject>,
    input: &SourceInput<'_>,
) -> Option<UnreadAnnotations> {
    let (instance, now) = (input.instance, input.now);
    let (prefix, renamed) = [ALPHA_PREFIX, GA_PREFIX]
        .into_iter()
        .filter(|prefix| !read_by_somebody(cluster, object, prefix, now))
        .find_map(|prefix| Some((prefix, renamed(object, prefix, &instance.flags.annotation_prefix)?)))?;
    let keys = object.annotations.keys().filter(|key| key.starts_with(prefix)).map(str::to_owned).collect();
    changes(object, &renamed, input).map(|if_read| UnreadAnnotations {
        object: object.reference.clone(),
        reason: Reason::OtherPrefix,
        keys,
        if_read,
        changed_at: object.changed_at,
    })
}

/// An instance with that prefix looks at the object.
fn read_by_somebody(cluster: &Cluster, object: &KubeObject, prefix: &str, now: Timestamp) -> bool {
    let reads =
        |other: &Arc<Instance>| other.flags.annotation_prefix == prefix && considers(object, other, now);
    cluster.instances.iter().any(reads)
}

/// The object with the keys of another prefix under the one in force; `None` when it has none.
fn renamed(object: &KubeObject, from: &str, to: &str) -> Option<KubeObject> {
    let mut annotations = object.annotations.to_map();
    let mut any = false;
    for (key, value) in object.annotations.iter() {
        if let Some(name) = key.strip_prefix(from) {
            annotations.entry(format!("{to}{name}")).or_insert_with(|| value.to_owned());
            any = true;
        }
    }
    any.then(|| KubeObject { annotations: annotations.into(), ..object.clone() })
}

/// A key under the right prefix whose name is nearly one that is read.
fn typo(object: &Arc<KubeObject>, input: &SourceInput<'_>) -> Option<UnreadAnnotations> {
    let prefix = input.instance.flags.annotation_prefix.as_str();
    let (key, meant) = object.annotations.keys().find_map(|key| {
        let name = key.strip_prefix(prefix)?;
        if KNOWN.contains(&name) || name == "ttl" || name.starts_with("aws-") {
            return None;
        }
        let meant = KNOWN.iter().find(|known| strsim::damerau_levenshtein(known, name) <= 2)?;
        Some((key, *meant))
    })?;
    let mut annotations = object.annotations.to_map();
    let value = annotations.remove(key)?;
    annotations.entry(format!("{prefix}{meant}")).or_insert(value);
    let corrected = KubeObject { annotations: annotations.into(), ..(**object).clone() };
    changes(object, &corrected, input).map(|if_read| UnreadAnnotations {
        object: object.reference.clone(),
        reason: Reason::Typo,
        keys: vec![key.to_owned()],
        if_read,
        changed_at: object.changed_at,
    })
}

type Wanted = Vec<(DomainName, RecordType, Vec<Arc<str>>)>;

/// What the object would want with other annotations; `None` when nothing changes.
fn changes(object: &KubeObject, other: &KubeObject, input: &SourceInput<'_>) -> Option<Wanted> {
    let before = read_object(object, input);
    let after = read_object(other, input);
    if before.endpoints == after.endpoints && before.unwanted.len() == after.unwanted.len() {
        return None;
    }
    Some(wanted(after, input.instance))
}

fn wanted(read: Yield, instance: &Instance) -> Wanted {
    provider(read.endpoints, instance)
        .into_iter()
        .map(|one| {
            let targets = one.targets.iter().map(|target| Arc::from(target.as_str())).collect();
            (DomainName::new(&one.name), one.record_type, targets)
        })
        .collect()
}
