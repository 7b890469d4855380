//! Annotations that nobody reads although they would change something. Pure.
//!
//! Source: facts on the prefix change of v0.22.0; findings.md, kind `annotation_unread`.

use std::cell::OnceCell;
use std::sync::Arc;

use jiff::Timestamp;

use crate::desired::endpoint::Endpoint;
use crate::desired::placement::takes;
use crate::desired::plan::View;
use crate::desired::source::{SourceInput, Yield, considers, read_object};
use crate::desired::sources::behind;
use crate::desired::submit::{Submitted, submit};
use crate::desired::{objects_of, provider, watches, zone_view};
use crate::finding::Reason;
use crate::model::custom::Custom;
use crate::model::instance::{ALPHA_PREFIX, GA_PREFIX, Instance};
use crate::model::object::{Body, KubeObject};
use crate::model::want::UnreadAnnotations;
use crate::model::zone::Zones;
use crate::model::{DomainName, RecordType};
use crate::snapshot::Cluster;

/// Annotation names that ExternalDNS reads, and those that the AWS provider does. Any other `aws-<x>` is
/// carried and changes no record. Source: facts/external-dns.md section 1.1.
const KNOWN: [&str; 28] = [
    "access",
    "alias",
    "aws-evaluate-target-health",
    "aws-failover",
    "aws-geolocation-continent-code",
    "aws-geolocation-country-code",
    "aws-geolocation-subdivision-code",
    "aws-geoproximity-bias",
    "aws-geoproximity-coordinates",
    "aws-geoproximity-local-zone-group",
    "aws-geoproximity-region",
    "aws-health-check-id",
    "aws-hosted-zone-id",
    "aws-multi-value-answer",
    "aws-region",
    "aws-target-hosted-zone",
    "aws-weight",
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
    "ttl",
];

/// Most edits by which one word still passes for another one.
const MAX_EDITS: usize = 2;
/// The length for each edit of an annotation name: a short word is soon another word.
const NAME_PER_EDIT: usize = 3;
/// The same for a prefix, whose end (`.io/`) is that of many others.
const PREFIX_PER_EDIT: usize = 12;

/// A prefix that ExternalDNS has, or that looks like one of its own, and why it is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OtherPrefix {
    text: String,
    reason: Reason,
}

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
    holders
        .filter_map(|holder| {
            let mut others = under_other_prefixes(holder, own, readers);
            let by_prefix = others.find_map(|(prefix, renamed)| {
                let if_read = changes_of_hanging(holder, renamed, own)?;
                Some(other_prefix_of(holder, &prefix, if_read))
            });
            by_prefix.or_else(|| {
                corrections(holder, own).into_iter().find_map(|(key, corrected)| {
                    let if_read = changes_of_hanging(holder, corrected, own)?;
                    Some(typo_of(holder, key, if_read))
                })
            })
        })
        .collect()
}

fn is_holder(object: &KubeObject) -> bool {
    matches!(&object.body, Body::Custom(Custom::Gateway(_) | Custom::ListenerSet(_)))
}

/// What the objects that hang on a holder would want with other annotations of it; `None` when nothing
/// changes.
fn changes_of_hanging(holder: &Arc<KubeObject>, other: KubeObject, own: &Reader<'_>) -> Option<Wanted> {
    let mut objects = own.cluster.objects.clone();
    objects.insert(Arc::new(other));
    let after = SourceInput { objects: &objects, ..own.input };
    let mut if_read = Wanted::new();
    for object in own.hanging_on(holder) {
        let read = read_object(object, &after);
        if read.endpoints != read_object(object, &own.input).endpoints {
            if_read.extend(own.wanted(read));
        }
    }
    (!if_read.is_empty()).then_some(if_read)
}

fn other_prefix(
    object: &Arc<KubeObject>,
    own: &Reader<'_>,
    readers: &OtherReaders<'_>,
) -> Option<UnreadAnnotations> {
    under_other_prefixes(object, own, readers).find_map(|(prefix, renamed)| {
        own.changes(object, &renamed).map(|if_read| other_prefix_of(object, &prefix, if_read))
    })
}

/// The object with the keys that nobody reads under the prefix in force, for each prefix they have.
fn under_other_prefixes(
    object: &KubeObject,
    own: &Reader<'_>,
    readers: &OtherReaders<'_>,
) -> impl Iterator<Item = (OtherPrefix, KubeObject)> {
    let in_force = own.input.instance.flags.annotation_prefix.as_str();
    // Whoever gave an instance a prefix of its own knows whom the keys are for.
    let is_given = move |text: &str| {
        let mut instances = own.cluster.instances.iter();
        instances.any(|instance| instance.flags.reads_prefix(text))
    };
    let flags = &own.input.instance.flags;
    let prefixes = other_prefixes(object, in_force).into_iter().filter(|one| !flags.reads_prefix(&one.text));
    prefixes
        .filter(move |prefix| [ALPHA_PREFIX, GA_PREFIX].contains(&&*prefix.text) || !is_given(&prefix.text))
        .filter_map(move |prefix| Some((renamed(object, &prefix.text, in_force)?, prefix)))
        .map(|(renamed, prefix)| (prefix, renamed))
        .filter(|(prefix, _)| !readers.any(object, &prefix.text))
}

/// The prefixes other than the one in force under which an object has keys of ExternalDNS: its own
/// first.
fn other_prefixes(object: &KubeObject, in_force: &str) -> Vec<OtherPrefix> {
    let own = [ALPHA_PREFIX, GA_PREFIX].into_iter().filter(|prefix| *prefix != in_force);
    let carried = own.filter(|prefix| object.annotations.keys().any(|key| key.starts_with(prefix)));
    let mut found: Vec<OtherPrefix> =
        carried.map(|prefix| OtherPrefix { text: prefix.to_owned(), reason: Reason::OtherPrefix }).collect();
    for (prefix, reason) in object.annotations.keys().filter_map(|key| foreign_key(key, in_force)) {
        if found.iter().all(|known| known.text != prefix) {
            found.push(OtherPrefix { text: prefix.to_owned(), reason });
        }
    }
    found
}

/// The prefix of a key that is meant for ExternalDNS and that it does not read; `None` for its own keys
/// and for those of others.
///
/// Such a key ends in a word of ExternalDNS, and its prefix is a misspelling of one that is read or
/// carries the name of the program.
fn foreign_key<'a>(key: &'a str, in_force: &str) -> Option<(&'a str, Reason)> {
    // A dot in the place of the slash is a misspelling, too.
    let cut = key.rfind('/').or_else(|| key.rfind('.'))? + 1;
    let (prefix, name) = key.split_at_checked(cut)?;
    if !KNOWN.contains(&name) || [ALPHA_PREFIX, GA_PREFIX, in_force].contains(&prefix) {
        return None;
    }
    if [ALPHA_PREFIX, GA_PREFIX, in_force]
        .into_iter()
        .any(|right| is_misspelling(prefix, right, PREFIX_PER_EDIT))
    {
        return Some((prefix, Reason::Typo));
    }
    let named = ["external-dns", "externaldns"].iter().any(|program| prefix.contains(program));
    named.then_some((prefix, Reason::OtherPrefix))
}

/// True if one word is nearly another one, of which each edit needs so much.
fn is_misspelling(word: &str, right: &str, per_edit: usize) -> bool {
    let most = MAX_EDITS.min(right.len() / per_edit);
    // Keys differ by the case of a single letter.
    let word = word.to_ascii_lowercase();
    // The distance is at least the difference of the lengths, which costs nothing.
    word.len().abs_diff(right.len()) <= most && strsim::damerau_levenshtein(&word, right) <= most
}

fn other_prefix_of(object: &KubeObject, prefix: &OtherPrefix, if_read: Wanted) -> UnreadAnnotations {
    let keys = object.annotations.keys().filter(|key| key.starts_with(&prefix.text));
    UnreadAnnotations {
        object: object.reference.clone(),
        reason: prefix.reason,
        keys: keys.map(str::to_owned).collect(),
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
        let mut waiting = read.without_target.iter().flat_map(|one| &one.names).peekable();
        // An object that gives no name at all may do so because of its annotations.
        if read.endpoints.is_empty() && waiting.peek().is_none() {
            return true;
        }
        read.endpoints.iter().any(|one| self.takes(one)) || waiting.any(|name| self.takes_name(name))
    }

    /// The objects of the instance that hang on a Gateway or `ListenerSet`.
    fn hanging_on(&self, holder: &KubeObject) -> impl Iterator<Item = &'a Arc<KubeObject>> {
        objects_of(self.cluster, self.input.instance).filter(move |object| {
            behind(object, &self.input).iter().any(|one| one.reference == holder.reference)
        })
    }

    /// False if the filters of the instance leave the name to others.
    fn takes(&self, endpoint: &Endpoint) -> bool {
        self.takes_name(&DomainName::new(&endpoint.name))
    }

    fn takes_name(&self, name: &DomainName) -> bool {
        takes(name, self.input.instance, self.view.as_ref().map(|(_, view)| view))
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

    /// True if the records would be the same. What no record shows does not count: an unknown property,
    /// the spelling of a name.
    fn same(&self, before: &Yield, after: &Yield) -> bool {
        let records = |read: &Yield| {
            let taken = read.endpoints.iter().filter(|one| self.takes(one)).cloned().collect();
            let adjusted = provider(taken, self.input.instance).into_iter();
            adjusted.map(|one| record(submit(one, self.input.instance))).collect::<Vec<_>>()
        };
        let (before, after) = (records(before), records(after));
        // A host that is named twice gets one record.
        before == after
            || before.iter().all(|one| after.contains(one)) && after.iter().all(|one| before.contains(one))
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
        let readers = views.iter().filter(|(instance, _)| instance.flags.reads_prefix(prefix));
        readers
            .map(|(instance, view)| Reader {
                cluster: self.cluster,
                input: SourceInput { objects: &self.cluster.objects, instance, now: self.now },
                view,
            })
            .any(|reader| reader.acts_on(object))
    }
}

/// What a record would show of an endpoint.
fn record(submitted: Submitted) -> impl PartialEq {
    let Submitted { endpoint, content, routing, health_check_id, pinned_zone } = submitted;
    let name = DomainName::new(&endpoint.name);
    (name, endpoint.record_type, endpoint.set_identifier, content, routing, health_check_id, pinned_zone)
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
    corrections(object, own).into_iter().find_map(|(key, corrected)| {
        own.changes(object, &corrected).map(|if_read| typo_of(object, key, if_read))
    })
}

/// The misspelt keys, and the object with each of them as it is meant.
fn corrections<'a>(object: &'a KubeObject, own: &Reader<'_>) -> Vec<(&'a str, KubeObject)> {
    let prefix = own.input.instance.flags.annotation_prefix.as_str();
    let misspelt = object.annotations.keys().filter_map(|key| {
        let name = key.strip_prefix(prefix)?;
        if KNOWN.contains(&name) {
            return None;
        }
        let near = KNOWN.iter().filter(|known| is_misspelling(name, known, NAME_PER_EDIT));
        let meant = near.min_by_key(|known| strsim::damerau_levenshtein(known, name))?;
        Some((key, *meant))
    });
    misspelt
        .filter_map(|(key, meant)| {
            let mut annotations = object.annotations.to_map();
            let value = annotations.remove(key)?;
            annotations.entry(format!("{prefix}{meant}")).or_insert(value);
            Some((key, KubeObject { annotations: annotations.into(), ..object.clone() }))
        })
        .collect()
}

fn typo_of(object: &KubeObject, key: &str, if_read: Wanted) -> UnreadAnnotations {
    UnreadAnnotations {
        object: object.reference.clone(),
        reason: Reason::Typo,
        keys: vec![key.to_owned()],
        if_read,
        changed_at: object.changed_at,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture;

    #[test]
    fn prefixes_that_are_meant_for_external_dns() {
        let check = |key: &str, in_force: &str, expected: Option<(&str, Reason)>| {
            assert_eq!(foreign_key(key, in_force), expected, "{key} {in_force}");
        };
        let typo = |prefix| Some((prefix, Reason::Typo));
        let other = |prefix| Some((prefix, Reason::OtherPrefix));
        check("externaldns.alpha.kubernetes.io/target", GA_PREFIX, typo("externaldns.alpha.kubernetes.io/"));
        check("external-dns.alpha.kuberentes.io/ttl", GA_PREFIX, typo("external-dns.alpha.kuberentes.io/"));
        check("external-dns.kubernets.io/hostname", ALPHA_PREFIX, typo("external-dns.kubernets.io/"));
        check("external-dns.kubernetes.io.target", GA_PREFIX, typo("external-dns.kubernetes.io."));
        check("names.corp.example.com/target", "name.corp.example.com/", typo("names.corp.example.com/"));
        check("external-dns.beta.kubernetes.io/alias", GA_PREFIX, other("external-dns.beta.kubernetes.io/"));
        check("externaldns.example.com/aws-weight", GA_PREFIX, other("externaldns.example.com/"));
        // Its own, with and without the instance: not foreign.
        check("external-dns.kubernetes.io/target", GA_PREFIX, None);
        check("external-dns.alpha.kubernetes.io/target", GA_PREFIX, None);
        // Of others: another word, or another program.
        check("external-dns.example.com/owner", GA_PREFIX, None);
        check("external-dns.example.com/aws-account", GA_PREFIX, None);
        check("nginx.ingress.kubernetes.io/target", GA_PREFIX, None);
        check("dns.alpha.kubernetes.io/hostname", GA_PREFIX, None);
        check("external-secrets.kubernetes.io/target", GA_PREFIX, None);
        check("d.io/target", "c.io/", None);
        check("target", GA_PREFIX, None);
        check("", GA_PREFIX, None);
    }

    /// Reasons and keys of an Ingress with these annotations, for instances with these arguments.
    fn unread(annotations: &[(&str, &str)], instances: &[&[&str]]) -> Vec<(Reason, Vec<String>)> {
        let annotations: std::collections::BTreeMap<_, _> = annotations.iter().copied().collect();
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"namespace": "shop", "name": "web", "annotations": annotations},
            "spec": {"rules": [{"host": "app.example.com"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
        });
        let instance = |args: &&[&str]| {
            let args: Vec<&str> = args.iter().copied().chain(["--source=ingress"]).collect();
            Arc::new(fixture::instance(&args, "0.22.0"))
        };
        let cluster = Cluster {
            objects: fixture::objects(&[ingress]),
            instances: instances.iter().map(instance).collect(),
            ..Cluster::default()
        };
        let first = cluster.instances.first().expect("an instance");
        let found = unread_annotations(&cluster, first, None, &None, Timestamp::UNIX_EPOCH);
        found.into_iter().map(|one| (one.reason, one.keys)).collect()
    }

    #[test]
    fn only_what_would_change_a_record_is_told() {
        let check = |annotations: &[(&str, &str)], expected: Option<(Reason, &str)>| {
            let expected: Vec<_> =
                expected.into_iter().map(|(reason, key)| (reason, vec![key.to_owned()])).collect();
            assert_eq!(unread(annotations, &[&[]]), expected, "{annotations:?}");
        };
        let told = |key: &'static str, value: &str, reason| check(&[(key, value)], Some((reason, key)));
        told("external-dns.kubernetes.io/targt", "192.0.2.9", Reason::Typo);
        told("external-dns.kubernetes.io/tll", "60", Reason::Typo);
        told("external-dns.kubernetes.io/aws-wieght", "10", Reason::Typo);
        told("external-dns.kubernets.io/target", "192.0.2.9", Reason::Typo);
        told("external-dns.beta.kubernetes.io/target", "192.0.2.9", Reason::OtherPrefix);
        let quiet = |key: &str, value: &str| check(&[(key, value)], None);
        // As it is already.
        quiet("external-dns.kubernetes.io/targt", "192.0.2.1");
        quiet("external-dns.kubernets.io/target", "192.0.2.1");
        quiet("external-dns.kubernets.io/hostname", "App.example.com.");
        quiet("external-dns.kubernetes.io/tll", "300");
        // Another word.
        quiet("external-dns.kubernetes.io/tls", "yes");
        quiet("external-dns.kubernetes.io/aws-account", "111122223333");
        // Both spellings: the right one is in force.
        let [right, wrong] =
            ["weight", "wieght"].map(|word| format!("external-dns.kubernetes.io/aws-{word}"));
        check(&[(&right, "10"), (&wrong, "20")], None);
    }

    #[test]
    fn a_prefix_that_an_instance_was_given_is_its_own_business() {
        let annotations = [("external-dns.example.com/target", "192.0.2.9")];
        assert_eq!(unread(&annotations, &[&[]]).len(), 1);
        let other: &[&str] =
            &["--annotation-prefix=external-dns.example.com/", "--annotation-filter=nobody=has"];
        assert_eq!(unread(&annotations, &[&[], other]), []);
    }
}
