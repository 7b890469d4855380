//! The objects of a cluster, as one sorted list.
//!
//! Each view is a copy of the list before it, and there may be one each second: a copy must cost
//! one pointer for each object.

use std::sync::Arc;

use crate::model::object::{KubeObject, ObjectRef};

/// Objects by kind, namespace and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objects(Vec<Arc<KubeObject>>);

impl Objects {
    /// Takes a list that is sorted by reference, without a second object of one reference.
    #[must_use]
    pub fn from_sorted(objects: Vec<Arc<KubeObject>>) -> Self {
        debug_assert!(objects.is_sorted_by(|a, b| a.reference < b.reference), "sorted");
        Self(objects)
    }

    /// One object.
    #[must_use]
    pub fn get(&self, reference: &ObjectRef) -> Option<&Arc<KubeObject>> {
        self.place(reference).ok().and_then(|place| self.0.get(place))
    }

    /// True if the object is there.
    #[must_use]
    pub fn contains(&self, reference: &ObjectRef) -> bool {
        self.place(reference).is_ok()
    }

    /// All objects of a kind, in the order of namespace and name.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> &[Arc<KubeObject>] {
        let start = self.0.partition_point(|object| *object.reference.kind < *kind);
        let end = self.0.partition_point(|object| *object.reference.kind <= *kind);
        self.0.get(start..end).unwrap_or_default()
    }

    /// The kinds that there are, each once.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<str>> {
        let kind = |place: usize| self.0.get(place).map(|object| &object.reference.kind);
        std::iter::successors(kind(0), move |last| {
            kind(self.0.partition_point(|object| object.reference.kind <= **last))
        })
    }

    /// All objects in order.
    pub fn values(&self) -> std::slice::Iter<'_, Arc<KubeObject>> {
        self.0.iter()
    }

    /// The references of all objects in order.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectRef> {
        self.0.iter().map(|object| &object.reference)
    }

    /// Adds an object, or puts it in the place of the one with its reference.
    pub fn insert(&mut self, object: Arc<KubeObject>) {
        match self.place(&object.reference) {
            Ok(place) => {
                if let Some(old) = self.0.get_mut(place) {
                    *old = object;
                }
            }
            Err(place) => self.0.insert(place, object),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, reference: &ObjectRef) -> Result<usize, usize> {
        self.0.binary_search_by(|object| object.reference.cmp(reference))
    }
}

impl FromIterator<Arc<KubeObject>> for Objects {
    /// Of two objects with one reference the last one counts.
    fn from_iter<I: IntoIterator<Item = Arc<KubeObject>>>(objects: I) -> Self {
        let mut objects: Vec<Arc<KubeObject>> = objects.into_iter().collect();
        objects.reverse();
        objects.sort_by(|a, b| a.reference.cmp(&b.reference));
        objects.dedup_by(|a, b| a.reference == b.reference);
        Self(objects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TextMap;
    use crate::model::custom::Custom;
    use crate::model::object::Body;

    fn object(kind: &str, name: &str, uid: &str) -> Arc<KubeObject> {
        Arc::new(KubeObject {
            reference: ObjectRef::new(kind, "shop", name),
            uid: uid.into(),
            created_at: None,
            deletion_at: None,
            changed_at: None,
            status_changed_at: None,
            labels: TextMap::default(),
            annotations: TextMap::default(),
            body: Body::Custom(Custom::Namespace),
        })
    }

    #[test]
    fn it_is_a_sorted_map() {
        let mut objects: Objects =
            [object("B", "y", ""), object("A", "x", "old"), object("A", "x", "new"), object("AB", "z", "")]
                .into_iter()
                .collect();
        let names = |objects: &Objects| objects.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&objects), ["A/shop/x", "AB/shop/z", "B/shop/y"]);
        let x = ObjectRef::new("A", "shop", "x");
        assert_eq!(objects.get(&x).map(|found| &*found.uid), Some("new"));
        objects.insert(object("A", "x", "newest"));
        objects.insert(object("A", "w", ""));
        assert_eq!(objects.get(&x).map(|found| &*found.uid), Some("newest"));
        assert_eq!(names(&objects), ["A/shop/w", "A/shop/x", "AB/shop/z", "B/shop/y"]);
        assert_eq!(objects.of_kind("A").len(), 2);
        assert!(objects.of_kind("AA").is_empty() && !objects.contains(&ObjectRef::new("AA", "", "")));
        assert_eq!(objects.kinds().map(|kind| &**kind).collect::<Vec<_>>(), ["A", "AB", "B"]);
        assert!(objects.len() == 4 && !objects.is_empty());
    }
}
