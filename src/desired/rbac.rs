//! From roles and their bindings to what each service account may do. Pure.

use std::sync::Arc;

use serde::Deserialize;

use crate::desired::objects::{RawMeta, nullable};
use crate::model::ObjectRef;
use crate::model::grant::Grant;

/// Grants that are kept; a cluster's own roles for service accounts are far fewer.
const MAX_GRANTS: usize = 10_000;

/// The roles and bindings of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    roles: Vec<(String, RawRole)>,
    bindings: Vec<RawBinding>,
}

/// A `Role` or `ClusterRole`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RawRole {
    #[serde(deserialize_with = "nullable")]
    metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    rules: Vec<RawRule>,
}

/// One rule of a role.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawRule {
    #[serde(deserialize_with = "nullable")]
    api_groups: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    resources: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    verbs: Vec<String>,
}

/// A `RoleBinding` or `ClusterRoleBinding`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawBinding {
    #[serde(deserialize_with = "nullable")]
    metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    role_ref: RawRef,
    #[serde(deserialize_with = "nullable")]
    subjects: Vec<RawRef>,
}

/// Whom a binding names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RawRef {
    #[serde(deserialize_with = "nullable")]
    kind: String,
    #[serde(deserialize_with = "nullable")]
    namespace: String,
    #[serde(deserialize_with = "nullable")]
    name: String,
}

// === impl Roles ===

impl Roles {
    /// Takes an object if it is a role or a binding. Returns false for any other kind.
    ///
    /// # Errors
    ///
    /// A member has another type than the API says.
    pub fn take(&mut self, kind: &str, object: &serde_json::Value) -> Result<bool, serde_json::Error> {
        match kind {
            "Role" | "ClusterRole" => self.roles.push((kind.to_owned(), RawRole::deserialize(object)?)),
            "RoleBinding" | "ClusterRoleBinding" => self.bindings.push(RawBinding::deserialize(object)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The grants, sorted; `None` when there was no role or no binding to read.
    #[must_use]
    pub fn grants(&self) -> Option<Vec<Grant>> {
        if self.roles.is_empty() || self.bindings.is_empty() {
            return None;
        }
        let mut grants: Vec<Grant> =
            self.bindings.iter().flat_map(|binding| self.of_binding(binding)).take(MAX_GRANTS).collect();
        grants.sort();
        grants.dedup();
        Some(grants)
    }

    fn of_binding<'a>(&'a self, binding: &'a RawBinding) -> impl Iterator<Item = Grant> + 'a {
        let role = self.roles.iter().find(|(kind, role)| {
            *kind == binding.role_ref.kind
                && role.metadata.name == binding.role_ref.name
                && (kind == "ClusterRole" || role.metadata.namespace == binding.metadata.namespace)
        });
        let accounts = binding.subjects.iter().filter(|subject| subject.kind == "ServiceAccount");
        accounts.flat_map(move |account| {
            let namespace =
                if account.namespace.is_empty() { &binding.metadata.namespace } else { &account.namespace };
            let rules = role
                .into_iter()
                .flat_map(|(kind, role)| role.rules.iter().map(move |rule| (kind, role, rule)));
            rules.map(move |(kind, role, rule)| Grant {
                role: ObjectRef::new(kind, &role.metadata.namespace, &role.metadata.name),
                namespace: Arc::from(namespace.as_str()),
                service_account: Arc::from(account.name.as_str()),
                groups: rule.api_groups.clone(),
                resources: rule.resources.clone(),
                verbs: rule.verbs.clone(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bound_role_becomes_grants() {
        let mut roles = Roles::default();
        let role = json!({"kind": "ClusterRole", "metadata": {"name": "external-dns"}, "rules": [
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["get", "list"]}]});
        assert!(roles.take("ClusterRole", &role).expect("read"));
        assert_eq!(roles.grants(), None);
        let binding = json!({"kind": "ClusterRoleBinding", "roleRef": {"kind": "ClusterRole", "name": "external-dns"},
            "subjects": [{"kind": "ServiceAccount", "namespace": "dns", "name": "edns"}, {"kind": "User", "name": "u"}]});
        assert!(roles.take("ClusterRoleBinding", &binding).expect("read"));
        assert!(!roles.take("Pod", &json!({})).expect("read"));
        assert!(roles.take("Role", &json!({"rules": 1})).is_err());
        let grants = roles.grants().expect("grants");
        assert_eq!(grants.len(), 1);
        assert_eq!((&*grants[0].namespace, &*grants[0].service_account), ("dns", "edns"));
        assert!(grants[0].allows("networking.k8s.io", "ingresses", "list"));
        assert!(!grants[0].allows("networking.k8s.io", "ingresses", "watch"));
    }
}
