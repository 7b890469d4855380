//! Look-ups in maps that are sorted by something else first: the few leading keys are tried one by
//! one, so that none of them costs a walk over everything. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use crate::desired::merge::is_same;
use crate::model::zone::Zones;
use crate::model::{Content, DomainName, ObjectRef, RecordKey};
use crate::past::{Sighting, WishKey};

/// The wishes of earlier rounds.
type Wishes = BTreeMap<WishKey, Vec<Sighting<Content>>>;

/// What is held of the object that an ownership record names in its own spelling, among the kinds
/// that there are.
pub fn as_named<'k, T>(
    kinds: impl Iterator<Item = &'k Arc<str>>,
    named: &ObjectRef,
    get: impl Fn(&ObjectRef) -> Option<T>,
) -> Option<T> {
    let at = |kind: &Arc<str>| ObjectRef { kind: kind.clone(), ..named.clone() };
    kinds.map(at).filter(|object| is_same(named, object)).find_map(|object| get(&object))
}

/// The kinds of the objects in a map, each once.
pub fn kinds<T>(objects: &BTreeMap<ObjectRef, T>) -> impl Iterator<Item = &Arc<str>> {
    let none: Arc<str> = Arc::from("");
    let next = move |kind: &&Arc<str>| {
        let last = ObjectRef { kind: after(kind), namespace: none.clone(), name: none.clone() };
        objects.range((Excluded(last), Unbounded)).next().map(|(object, _)| &object.kind)
    };
    std::iter::successors(objects.keys().next().map(|object| &object.kind), next)
}

/// The instances that have ever wanted anything.
pub fn wishers(wishes: &Wishes) -> impl Iterator<Item = &Arc<str>> {
    let next = |id: &&Arc<str>| {
        let last = (after(id), RecordKey::least(&DomainName::new("")));
        wishes.range(last..).next().map(|((id, _), _)| id)
    };
    std::iter::successors(wishes.keys().next().map(|(id, _)| id), next)
}

/// What any instance has wanted at a name, with each content that it had.
pub fn wished<'a>(
    wishes: &'a Wishes,
    name: &'a DomainName,
) -> impl Iterator<Item = (&'a RecordKey, &'a [Sighting<Content>])> {
    let of_one = move |id: &'a Arc<str>| {
        let rows = wishes.range((id.clone(), RecordKey::least(name))..);
        rows.take_while(move |((by, key), _)| by == id && key.name == *name)
    };
    wishers(wishes).flat_map(of_one).map(|((_, key), sightings)| (key, sightings.as_slice()))
}

/// Those among the names that a zone above them holds a record set at or below: a wildcard answers for
/// none of them. Source: RFC 4592, section 2.2.
pub fn existing<'a>(
    zones: Option<&Zones>,
    names: impl Iterator<Item = &'a DomainName>,
) -> HashSet<&'a DomainName> {
    let mut missing: HashMap<&str, &DomainName> = names.map(|name| (name.as_str(), name)).collect();
    let mut found = HashSet::new();
    for zone in zones.into_iter().flat_map(|zones| zones.zones.values()) {
        for set in zone.records() {
            if missing.is_empty() {
                return found;
            }
            let above =
                set.name.suffixes().take_while(|suffix| zone.zone.name.as_str().len() <= suffix.len());
            found.extend(above.filter_map(|suffix| missing.remove(suffix)));
        }
    }
    found
}

/// The least text that is greater than this one.
fn after(text: &str) -> Arc<str> {
    format!("{text}\0").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordType;

    fn object(kind: &str, name: &str) -> ObjectRef {
        ObjectRef::new(kind, "shop", name)
    }

    #[test]
    fn an_object_is_found_under_the_registry_s_spelling_of_its_kind() {
        let objects: BTreeMap<ObjectRef, u32> = BTreeMap::from([
            (object("DNSEndpoint", "web"), 1),
            (object("Gateway", "web"), 2),
            (object("Ingress", "web"), 3),
            (object("Ingress", "api"), 4),
        ]);
        let find = |named: &ObjectRef| as_named(kinds(&objects), named, |object| objects.get(object));
        assert_eq!(find(&object("ingress", "web")), Some(&3));
        assert_eq!(find(&object("crd", "web")), Some(&1));
        assert_eq!(find(&object("ingress", "gone")), None);
        assert_eq!(find(&object("service", "web")), None);
    }

    #[test]
    fn wishes_of_a_name_are_found_under_every_instance() {
        let key = |name: &str, record_type| RecordKey {
            name: DomainName::new(name),
            record_type,
            set_identifier: None,
        };
        let wish = |id: &str, key| ((Arc::from(id), key), Vec::new());
        let wishes: Wishes = BTreeMap::from([
            wish("blue", key("a.example.com", RecordType::A)),
            wish("blue", key("b.example.com", RecordType::A)),
            wish("blue", key("b.example.com", RecordType::Txt)),
            wish("green", key("b.example.com", RecordType::Cname)),
            wish("green", key("c.example.com", RecordType::A)),
        ]);
        let found = |name: &str| -> Vec<RecordType> {
            let name = DomainName::new(name);
            wished(&wishes, &name).map(|(key, _)| key.record_type.clone()).collect()
        };
        assert_eq!(found("b.example.com"), [RecordType::A, RecordType::Txt, RecordType::Cname]);
        assert_eq!(found("c.example.com"), [RecordType::A]);
        assert_eq!(found("d.example.com"), []);
        assert_eq!(wishers(&wishes).map(|id| &**id).collect::<Vec<_>>(), ["blue", "green"]);
    }
}
