//! Objects, their history and the containers' logs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::kinds::ResourceKind;
use super::logs::ContainerLog;

/// Changes that are remembered for watches; older versions are too old.
const MAX_HISTORY: usize = 100_000;

/// Kind (index), namespace (empty for cluster-scoped), name.
pub(super) type ObjectKey = (usize, String, String);

/// Namespace, pod, container.
pub(super) type ContainerKey = (String, String, String);

/// Everything that the server serves.
pub(super) struct Store {
    pub(super) kinds: Vec<ResourceKind>,
    /// Counts all changes of all objects, as etcd does.
    pub(super) version: u64,
    pub(super) objects: BTreeMap<ObjectKey, Arc<Value>>,
    history: VecDeque<Change>,
    /// Changes up to this version are forgotten.
    pub(super) forgotten: u64,
    pub(super) logs: BTreeMap<ContainerKey, ContainerLog>,
    /// What Pods answer on `/metrics`, by namespace and `<pod>:<port>`.
    pub(super) metrics: BTreeMap<(String, String), String>,
}

/// One change of one object. `before` is `None` for a creation, `after` for a deletion.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) kind: usize,
    pub(super) before: Option<Arc<Value>>,
    pub(super) after: Option<Arc<Value>>,
}

// === impl Store ===

impl Store {
    pub(super) fn new() -> Self {
        Self {
            kinds: ResourceKind::built_in(),
            version: 1,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            forgotten: 0,
            logs: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }

    pub(super) fn register(&mut self, kind: ResourceKind) {
        let same = |known: &ResourceKind| known.kind == kind.kind && known.group == kind.group;
        match self.kinds.iter_mut().find(|known| same(known)) {
            Some(known) => *known = kind,
            None => self.kinds.push(kind),
        }
    }

    /// The index and the row of a collection.
    pub(super) fn kind_at(&self, group: &str, version: &str, plural: &str) -> Option<(usize, ResourceKind)> {
        let same =
            |kind: &ResourceKind| kind.group == group && kind.version == version && kind.plural == plural;
        let index = self.kinds.iter().position(same)?;
        self.kinds.get(index).map(|kind| (index, kind.clone()))
    }

    fn kind_of(&mut self, object: &Value) -> usize {
        let guess = ResourceKind::guess(object);
        let same = |known: &ResourceKind| known.kind == guess.kind && known.group == guess.group;
        self.kinds.iter().position(same).unwrap_or_else(|| {
            self.kinds.push(guess);
            self.kinds.len().saturating_sub(1)
        })
    }

    fn key(&self, kind: &str, namespace: &str, name: &str) -> Option<ObjectKey> {
        let index = self.kinds.iter().position(|known| known.kind == kind)?;
        let namespaced = self.kinds.get(index)?.namespaced;
        Some((index, if namespaced { namespace } else { "" }.to_owned(), name.to_owned()))
    }

    pub(super) fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        self.objects.get(&self.key(kind, namespace, name)?).map(|object| Value::clone(object))
    }

    pub(super) fn apply(&mut self, mut object: Value, now: Timestamp) {
        let index = self.kind_of(&object);
        let Some(kind) = self.kinds.get(index).cloned() else { return };
        let meta = metadata(&mut object);
        let name = meta.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let namespace = if kind.namespaced {
            let given = meta.get("namespace").and_then(Value::as_str).unwrap_or("default").to_owned();
            meta.insert("namespace".to_owned(), json!(given));
            given
        } else {
            meta.remove("namespace");
            String::new()
        };
        let key = (index, namespace, name);
        let old = self.objects.get(&key).map(Arc::clone);
        complete(&mut object, old.as_deref(), &key, &kind, now, self.version);
        if old.as_deref().is_some_and(|old| same_but_version(old, &object)) {
            return;
        }
        self.put(key, object);
    }

    pub(super) fn set_status(
        &mut self,
        kind: &str,
        namespace: &str,
        name: &str,
        status: Value,
        now: Timestamp,
    ) -> bool {
        let Some(key) = self.key(kind, namespace, name) else { return false };
        let Some(old) = self.objects.get(&key) else { return false };
        if old.get("status") == Some(&status) {
            return true;
        }
        let mut object = Value::clone(old);
        let api_version = self.kinds.get(key.0).map(ResourceKind::api_version).unwrap_or_default();
        note_manager(metadata(&mut object), &api_version, true, now);
        set(&mut object, "status", status);
        self.put(key, object);
        true
    }

    pub(super) fn delete(&mut self, kind: &str, namespace: &str, name: &str) -> bool {
        let Some(key) = self.key(kind, namespace, name) else { return false };
        let Some(before) = self.objects.remove(&key) else { return false };
        if kind == "Pod" {
            self.logs.retain(|(own_namespace, pod, _), _| own_namespace != namespace || pod != name);
        }
        self.version = self.version.saturating_add(1);
        self.remember(Change { version: self.version, kind: key.0, before: Some(before), after: None });
        true
    }

    /// Deletes everything in a namespace, as its deletion does in the end.
    pub(super) fn empty(&mut self, namespace: &str) {
        let inside: Vec<ObjectKey> =
            self.objects.keys().filter(|(_, own, _)| own == namespace).cloned().collect();
        for (index, namespace, name) in inside {
            if let Some(kind) = self.kinds.get(index).map(|kind| kind.kind.clone()) {
                self.delete(&kind, &namespace, &name);
            }
        }
    }

    fn put(&mut self, key: ObjectKey, mut object: Value) {
        self.version = self.version.saturating_add(1);
        metadata(&mut object).insert("resourceVersion".to_owned(), json!(self.version.to_string()));
        let kind = key.0;
        let after = Arc::new(object);
        let before = self.objects.insert(key, Arc::clone(&after));
        self.remember(Change { version: self.version, kind, before, after: Some(after) });
    }

    fn remember(&mut self, change: Change) {
        self.history.push_back(change);
        while MAX_HISTORY < self.history.len() {
            if let Some(oldest) = self.history.pop_front() {
                self.forgotten = oldest.version;
            }
        }
    }

    pub(super) fn compact(&mut self) {
        self.history.clear();
        self.forgotten = self.version;
    }

    /// Changes of a kind after a version, oldest first.
    pub(super) fn changes_after(&self, version: u64, kind: usize) -> Vec<Change> {
        let start = self.history.partition_point(|change| change.version <= version);
        self.history.iter().skip(start).filter(|change| change.kind == kind).cloned().collect()
    }

    pub(super) fn append_log(
        &mut self,
        namespace: &str,
        pod: &str,
        container: &str,
        line: &str,
        now: Timestamp,
    ) {
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned());
        self.logs.entry(key).or_default().append(line, now);
    }

    pub(super) fn rotate_log(&mut self, namespace: &str, pod: &str, container: &str, keep: usize) {
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned());
        self.logs.entry(key).or_default().rotate(keep);
    }

    pub(super) fn restart_container(&mut self, namespace: &str, pod: &str, container: &str, now: Timestamp) {
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned());
        self.logs.entry(key).or_default().restart();
        let Some(key) = self.key("Pod", namespace, pod) else { return };
        let Some(old) = self.objects.get(&key) else { return };
        let mut status = old.get("status").cloned().unwrap_or_else(|| json!({}));
        count_restart(&mut status, container);
        self.set_status("Pod", namespace, pod, status, now);
    }
}

// === helpers ===

fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    member(object, "metadata")
}

/// A member that is a map, made so if it is not.
fn member<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    let slot = map(object).entry(key).or_insert_with(|| json!({}));
    map(slot)
}

fn map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            unreachable!("it was made a map above")
        }
    }
}

fn set(object: &mut Value, key: &str, value: Value) {
    map(object).insert(key.to_owned(), value);
}

/// Fills in what the server sets, from the stored object where there is one.
fn complete(
    object: &mut Value,
    old: Option<&Value>,
    (_, namespace, name): &ObjectKey,
    kind: &ResourceKind,
    now: Timestamp,
    version: u64,
) {
    let api_version = kind.api_version();
    set(object, "apiVersion", json!(api_version));
    set(object, "kind", json!(kind.kind));
    let spec_changed = old.is_none_or(|old| old.get("spec") != object.get("spec"));
    let annotations = |of: &Value| of.get("metadata").and_then(|meta| meta.get("annotations")).cloned();
    let annotated = old.is_none_or(|old| annotations(old) != annotations(object));
    let status_given = object.get("status").is_some();
    let status_changed = status_given && old.and_then(|old| old.get("status")) != object.get("status");
    if !status_given && let Some(status) = old.and_then(|old| old.get("status")) {
        set(object, "status", status.clone());
    }
    let meta = metadata(object);
    let was = |key: &str| old.and_then(|old| old.get("metadata")?.get(key).cloned());
    let uid = || json!(format!("{version:08x}-0000-4000-8000-{:012x}", fingerprint(namespace, name)));
    meta.entry("uid").or_insert_with(|| was("uid").unwrap_or_else(uid));
    meta.entry("creationTimestamp")
        .or_insert_with(|| was("creationTimestamp").unwrap_or_else(|| json!(format!("{now:.0}"))));
    let generation = was("generation").and_then(|value| value.as_u64()).unwrap_or(0);
    meta.insert("generation".to_owned(), json!(generation.saturating_add(u64::from(spec_changed))));
    if !meta.contains_key("managedFields") {
        if let Some(fields) = was("managedFields") {
            meta.insert("managedFields".to_owned(), fields);
        }
        if spec_changed || annotated {
            note_manager(meta, &api_version, false, now);
        }
        if status_changed {
            note_manager(meta, &api_version, true, now);
        }
    }
}

/// Keeps one row for the spec and one for the status, with the time of their last change.
fn note_manager(meta: &mut Map<String, Value>, api_version: &str, status: bool, now: Timestamp) {
    let mut row = json!({
        "manager": "emulator", "operation": "Update", "apiVersion": api_version,
        "time": format!("{now:.0}"), "fieldsType": "FieldsV1", "fieldsV1": {},
    });
    if status {
        set(&mut row, "subresource", json!("status"));
    }
    let rows = meta.entry("managedFields").or_insert_with(|| json!([]));
    if let Value::Array(rows) = rows {
        rows.retain(|row| row.get("subresource").is_some() != status);
        rows.push(row);
    }
}

fn same_but_version(old: &Value, new: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        metadata(&mut object).remove("resourceVersion");
        object
    };
    bare(old) == bare(new)
}

fn count_restart(status: &mut Value, container: &str) {
    let rows = map(status).entry("containerStatuses").or_insert_with(|| json!([]));
    let Value::Array(rows) = rows else { return };
    let same = |row: &&mut Value| row.get("name").and_then(Value::as_str) == Some(container);
    match rows.iter_mut().find(same) {
        Some(row) => {
            let count = row.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
            set(row, "restartCount", json!(count.saturating_add(1)));
        }
        None => rows.push(json!({"name": container, "restartCount": 1, "ready": true})),
    }
}

/// 48 bits that differ between names: FNV-1a.
fn fingerprint(namespace: &str, name: &str) -> u64 {
    let bytes = namespace.bytes().chain([b'/']).chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash >> 16
}
