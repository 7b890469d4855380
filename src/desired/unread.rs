//! Annotations that nobody reads although they would change something. Pure.
//!
//! Source: facts on the prefix change of v0.22.0; findings.md, kind `annotation_unread`.

use std::cell::OnceCell;
use std::sync::Arc;

use jiff::Timestamp;

use crate::desired::endpoint::Endpoint;
use crate::desired::placement::Destination;
use crate::desired::plan::View;
use crate::desired::source::{SourceInput, Yield, considers, read_object};
use crate::desired::sources::behind;
use crate::desired::{objects_of, provider, watches, zone_view};
use crate::finding::Reason;
use crate::model::custom::Custom;
use crate::model::instance::{ALPHA_PREFIX, GA_PREFIX, Instance};
use crate::model::object::{Body, KubeObject};
use crate::model::want::UnreadAnnotations;
use crate::model::zone::Zones;
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

/// Names with their types and targets.
type Wanted = Vec<(DomainName, RecordType, Vec<Arc<str>>)>;

/// The objects of an instance with annotations that neither it nor any other instance reads.
///
/// `view` is the instance's own; `zones` are for the views of the others. Without zones no name is
/// left out by a filter on names.
#[must_use]
pub fn unread_annotations(
    cluster: &Cluster,
    instance: &Instance,
    zones: Option<&Zones>,
    view: &View<'_>,
    now: Timestamp,
) -> Vec<UnreadAnnotations> {
    let own = Reader { cluster, input: SourceInput { objects: &cluster.objects, instance, now }, view };
    let readers = OtherReaders { cluster, zones, now, views: OnceCell::new() };
    let found = objects_of(cluster, instance)
        .filter_map(|object| other_prefix(object, &own, &readers).or_else(|| typo(object, &own)));
    found.chain(holders(&own, &readers)).collect()
}

/// Gateways and ListenerSets, which ask for nothing themselves: their target annotation decides for
/// all routes that hang on them.
fn holders(own: &Reader<'_>, readers: &OtherReaders<'_>) -> Vec<UnreadAnnotations> {
    let holders = own.cluster.objects.values().filter(|object| is_holder(object));
    holders.filter_map(|holder| holder_with_other_prefix(holder, own, readers)).collect()
}

fn is_holder(object: &KubeObject) -> bool {
    matches!(&object.body, Body::Custom(Custom::Gateway(_) | Custom::ListenerSet(_)))
}

fn holder_with_other_prefix(
    holder: &Arc<KubeObject>,
    own: &Reader<'_>,
    readers: &OtherReaders<'_>,
) -> Option<UnreadAnnotations> {
    let (prefix, renamed) = under_other_prefix(holder, own, readers)?;
    let mut objects = own.cluster.objects.clone();
    objects.insert(Arc::new(renamed));
    let after = SourceInput { objects: &objects, ..own.input };
    let mut if_read = Wanted::new();
    for object in own.hanging_on(holder) {
        let read = read_object(object, &after);
        if read.endpoints != read_object(object, &own.input).endpoints {
            if_read.extend(own.wanted(read));
        }
    }
    (!if_read.is_empty()).then(|| other_prefix_of(holder, prefix, if_read))
}

fn other_prefix(
    object: &Arc<KubeObject>,
    own: &Reader<'_>,
    readers: &OtherReaders<'_>,
) -> Option<UnreadAnnotations> {
    let (prefix, renamed) = under_other_prefix(object, own, readers)?;
    own.changes(object, &renamed).map(|if_read| other_prefix_of(object, prefix, if_read))
}

/// The object with the keys that nobody reads under the prefix in force, and the prefix they have.
fn under_other_prefix(
    object: &KubeObject,
    own: &Reader<'_>,
    readers: &OtherReaders<'_>,
) -> Option<(&'static str, KubeObject)> {
    [ALPHA_PREFIX, GA_PREFIX]
        .into_iter()
        .filter_map(|prefix| {
            Some((prefix, renamed(object, prefix, &own.input.instance.flags.annotation_prefix)?))
        })
        .find(|(prefix, _)| !readers.any(object, prefix))
}

fn other_prefix_of(object: &KubeObject, prefix: &str, if_read: Wanted) -> UnreadAnnotations {
    UnreadAnnotations {
        object: object.reference.clone(),
        reason: Reason::OtherPrefix,
        keys: object.annotations.keys().filter(|key| key.starts_with(prefix)).map(str::to_owned).collect(),
        if_read,
        changed_at: object.changed_at,
    }
}

/// One instance, as far as it reads annotations.
struct Reader<'a> {
    cluster: &'a Cluster,
    input: SourceInput<'a>,
    view: &'a View<'a>,
}

/// The instances of a cluster, with views that are made when the first is asked for.
struct OtherReaders<'a> {
    cluster: &'a Cluster,
    zones: Option<&'a Zones>,
    now: Timestamp,
    views: OnceCell<Vec<(&'a Instance, View<'a>)>>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// True if the instance asks for a name because of the object. One that only looks at it, and
    /// whose filters leave its names to others, does not do what the annotations say.
    fn acts_on(&self, object: &KubeObject) -> bool {
        if is_holder(object) {
            return self.hanging_on(object).any(|hanging| self.acts_on(hanging));
        }
        let instance = self.input.instance;
        if !watches(instance, object) || !considers(object, instance, self.input.now) {
            return false;
        }
        let read = read_object(object, &self.input);
        // Without a target yet nothing tells the names apart: the object counts as read.
        read.endpoints.is_empty() || read.endpoints.iter().any(|one| self.takes(one))
    }

    /// The objects of the instance that hang on a Gateway or `ListenerSet`.
    fn hanging_on(&self, holder: &KubeObject) -> impl Iterator<Item = &'a Arc<KubeObject>> {
        objects_of(self.cluster, self.input.instance).filter(move |object| {
            behind(object, &self.input).iter().any(|one| one.reference == holder.reference)
        })
    }

    /// False if the filters of the instance leave the name to others.
    fn takes(&self, endpoint: &Endpoint) -> bool {
        let Some((_, view)) = self.view else { return true };
        match view.destination(&DomainName::new(&endpoint.name), None) {
            Destination::Zones(_) => true,
            Destination::NoZone(none) => !matches!(none.reason, Reason::FilteredOut | Reason::WrongType),
            Destination::FilteredName(_) | Destination::Outside(_) => false,
        }
    }

    /// What the object would want with other annotations; `None` when nothing changes.
    fn changes(&self, object: &KubeObject, other: &KubeObject) -> Option<Wanted> {
        let before = read_object(object, &self.input);
        let after = read_object(other, &self.input);
        let all = || before.endpoints.iter().chain(&after.endpoints);
        if all().next().is_some() && !all().any(|one| self.takes(one)) {
            return None;
        }
        if before.unwanted.len() == after.unwanted.len() && self.same(&before, &after) {
            return None;
        }
        Some(self.wanted(after))
    }

    fn same(&self, before: &Yield, after: &Yield) -> bool {
        let taken = |read: &Yield| read.endpoints.iter().filter(|one| self.takes(one)).cloned().collect();
        let (before, after): (Vec<Endpoint>, Vec<Endpoint>) = (taken(before), taken(after));
        before == after
    }

    fn wanted(&self, read: Yield) -> Wanted {
        let taken = read.endpoints.into_iter().filter(|one| self.takes(one)).collect();
        provider(taken, self.input.instance)
            .into_iter()
            .map(|one| {
                let targets = one.targets.iter().map(|target| Arc::from(target.as_str())).collect();
                (DomainName::new(&one.name), one.record_type, targets)
            })
            .collect()
    }
}

// === impl OtherReaders ===

impl OtherReaders<'_> {
    /// True if an instance with that prefix acts on the object.
    fn any(&self, object: &KubeObject, prefix: &str) -> bool {
        let views = self.views.get_or_init(|| {
            let instances = self.cluster.instances.iter();
            instances.map(|instance| (instance.as_ref(), zone_view(self.zones, instance))).collect()
        });
        let readers = views.iter().filter(|(instance, _)| instance.flags.annotation_prefix == prefix);
        readers
            .map(|(instance, view)| Reader {
                cluster: self.cluster,
                input: SourceInput { objects: &self.cluster.objects, instance, now: self.now },
                view,
            })
            .any(|reader| reader.acts_on(object))
    }
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
fn typo(object: &Arc<KubeObject>, own: &Reader<'_>) -> Option<UnreadAnnotations> {
    let prefix = own.input.instance.flags.annotation_prefix.as_str();
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
    own.changes(object, &corrected).map(|if_read| UnreadAnnotations {
        object: object.reference.clone(),
        reason: Reason::Typo,
        keys: vec![key.to_owned()],
        if_read,
        changed_at: object.changed_at,
    })
}
