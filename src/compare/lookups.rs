//! Look-ups in maps that are sorted by something else first: the few leading keys are tried one by
//! one, so that none of them costs a walk over everything. Pure.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use crate::desired::merge::is_same;
use crate::model::table::{Table, TableSet};
use crate::model::zone::Zones;
use crate::model::{DomainName, ObjectRef};

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

/// Those among the names that a zone above them holds a record set at or below: a wildcard answers for
/// none of them. Source: RFC 4592, section 2.2.
pub fn existing<'a>(
    zones: Option<&Zones>,
    names: impl Iterator<Item = &'a DomainName>,
) -> TableSet<&'a DomainName> {
    let mut missing: Table<&str, &DomainName> = names.map(|name| (name.as_str(), name)).collect();
    let mut found = TableSet::default();
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
}
