//! The labels that a finding takes over, so that alerts find the team of its object.

use std::collections::BTreeMap;

use crate::compare::world::World;
use crate::model::ObjectRef;
use crate::model::object::KubeObject;
use crate::model::text::truncate;

/// Longest value; Kubernetes allows 63 bytes, a recording may hold anything.
const MAX_LABEL: usize = 100;

/// Labels of an object that the allow-list names; those that it lacks from its namespace, if that is
/// wished for.
#[must_use]
pub fn labels_of(world: &World<'_>, object: &KubeObject) -> BTreeMap<String, String> {
    let allowed = &world.policy.label_allow_list;
    let keep = |(key, _): &(&str, &str)| allowed.iter().any(|one| one == key);
    let namespace = world.policy.namespace_labels.then(|| namespace_of(world, object)).flatten();
    // The object's own come last and win.
    let both =
        namespace.into_iter().flat_map(|namespace| namespace.labels.iter()).chain(object.labels.iter());
    both.filter(keep).map(|(key, value)| (key.to_owned(), truncate(value, MAX_LABEL))).collect()
}

fn namespace_of<'a>(world: &World<'a>, object: &KubeObject) -> Option<&'a KubeObject> {
    let name = &object.reference.namespace;
    let cluster = world.snapshot.kubernetes.value()?;
    cluster.objects.get(&ObjectRef::new("Namespace", "", name)).map(AsRef::as_ref)
}
