//! The kinds that the emulated API server knows.

use serde_json::{Value, json};

/// A kind of object and where its collection lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Version, for instance `v1`.
    pub version: String,
    /// Plural in paths, for instance `ingresses`.
    pub plural: String,
    /// Kind in objects, for instance `Ingress`.
    pub kind: String,
    /// False for cluster-scoped kinds.
    pub namespaced: bool,
}

const BUILT_IN: [(&str, &str, &str, bool); 11] = [
    ("networking.k8s.io", "ingresses", "Ingress", true),
    ("", "services", "Service", true),
    ("", "pods", "Pod", true),
    ("", "namespaces", "Namespace", false),
    ("", "nodes", "Node", false),
    ("discovery.k8s.io", "endpointslices", "EndpointSlice", true),
    ("apps", "deployments", "Deployment", true),
    ("apps", "statefulsets", "StatefulSet", true),
    ("apps", "daemonsets", "DaemonSet", true),
    ("apps", "replicasets", "ReplicaSet", true),
    ("coordination.k8s.io", "leases", "Lease", true),
];

/// The plural that code generators give a kind.
fn plural_of(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{stem}ies"),
        _ if kind.ends_with(['s', 'x']) => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

// === impl ResourceKind ===

impl ResourceKind {
    /// A namespaced kind.
    #[must_use]
    pub fn namespaced(group: &str, version: &str, plural: &str, kind: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            kind: kind.to_owned(),
            namespaced: true,
        }
    }

    pub(super) fn built_in() -> Vec<Self> {
        BUILT_IN
            .iter()
            .map(|(group, plural, kind, namespaced)| Self {
                namespaced: *namespaced,
                ..Self::namespaced(group, "v1", plural, kind)
            })
            .collect()
    }

    /// A guess for an object that nobody registered.
    pub(super) fn guess(object: &Value) -> Self {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let kind = text("kind");
        Self::namespaced(group, version, &plural_of(&kind.to_lowercase()), kind)
    }

    /// `v1` or `group/version`.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `ingresses.networking.k8s.io`, or the bare plural in the core group.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Its line of an `APIResourceList`.
    pub(super) fn discovery(&self) -> Value {
        json!({
            "name": self.plural, "singularName": self.kind.to_lowercase(), "namespaced": self.namespaced,
            "kind": self.kind, "verbs": ["create", "delete", "get", "list", "patch", "watch"],
        })
    }

    /// The object of a bookmark: as empty as the kind allows.
    pub(super) fn bookmark(&self, version: u64, initial_end: bool) -> Value {
        let mut object = json!({
            "kind": self.kind, "apiVersion": self.api_version(),
            "metadata": {"resourceVersion": version.to_string(), "creationTimestamp": null},
        });
        if self.kind == "Ingress"
            && let Some(members) = object.as_object_mut()
        {
            members.insert("spec".to_owned(), json!({}));
            members.insert("status".to_owned(), json!({"loadBalancer": {}}));
        }
        if initial_end && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("annotations".to_owned(), json!({"k8s.io/initial-events-end": "true"}));
        }
        object
    }
}
