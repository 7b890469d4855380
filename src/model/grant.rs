//! What a service account may do, flattened out of roles and their bindings.

use std::sync::Arc;

use crate::model::ObjectRef;

/// One rule of a role that is bound to one service account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Namespace of the service account.
    pub namespace: Arc<str>,
    /// Name of the service account.
    pub service_account: Arc<str>,
    /// The role whose rule it is; a `ClusterRole` has no namespace.
    pub role: ObjectRef,
    /// API groups; `*` for all.
    pub groups: Vec<String>,
    /// Resources; `*` for all.
    pub resources: Vec<String>,
    /// Verbs; `*` for all.
    pub verbs: Vec<String>,
}

impl Grant {
    /// True if the rule allows the verb on the resource.
    #[must_use]
    pub fn allows(&self, group: &str, resource: &str, verb: &str) -> bool {
        let has = |list: &[String], word: &str| list.iter().any(|given| given == "*" || given == word);
        has(&self.groups, group) && has(&self.resources, resource) && has(&self.verbs, verb)
    }
}
