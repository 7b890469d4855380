//! From the API's workloads and Pods to our own. Pure.
//!
//! Like the objects that ask for names: the few members that count, all of them optional.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::desired::objects::{RawMeta, nullable};
use crate::limits::MAX_ARGUMENTS;
use crate::model::ObjectRef;
use crate::model::text::truncate;
use crate::model::workload::{Container, ContainerStatus, Pod, Workload};

/// `apps/v1` Deployment, StatefulSet or DaemonSet; they share what counts here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawWorkload {
    pub metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    pub spec: RawWorkloadSpec,
    pub status: Option<RawWorkloadStatus>,
}

/// `status` of a workload.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawWorkloadStatus {
    pub observed_generation: Option<i64>,
    pub ready_replicas: Option<i32>,
    pub number_ready: Option<i32>,
}

/// Spec of a workload.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawWorkloadSpec {
    pub replicas: Option<i32>,
    #[serde(deserialize_with = "nullable")]
    pub template: RawTemplate,
}

/// Pod template of a workload.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawTemplate {
    #[serde(deserialize_with = "nullable")]
    pub metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    pub spec: RawPodSpec,
}

/// `v1` Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPod {
    pub metadata: RawPodMeta,
    #[serde(deserialize_with = "nullable")]
    pub spec: RawPodSpec,
    #[serde(deserialize_with = "nullable")]
    pub status: RawPodStatus,
}

/// `metadata` of a Pod: that of any object and its owners.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPodMeta {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub namespace: String,
    #[serde(deserialize_with = "nullable")]
    pub uid: String,
    pub creation_timestamp: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub owner_references: Vec<RawOwner>,
}

/// One row of `metadata.ownerReferences`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawOwner {
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub controller: bool,
}

/// Spec of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPodSpec {
    #[serde(deserialize_with = "nullable")]
    pub service_account_name: String,
    #[serde(deserialize_with = "nullable")]
    pub containers: Vec<RawContainer>,
}

/// One container of a Pod's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawContainer {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub image: String,
    #[serde(deserialize_with = "nullable")]
    pub command: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub args: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub env: Vec<RawEnv>,
    #[serde(rename = "envFrom", deserialize_with = "nullable")]
    pub env_from: Vec<RawEnvFrom>,
}

/// Where variables come from that the container does not name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawEnvFrom {
    pub config_map_ref: Option<serde::de::IgnoredAny>,
}

/// One environment variable.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawEnv {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub value: String,
    pub value_from: Option<RawValueFrom>,
}

/// Where a variable takes its value from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawValueFrom {
    #[serde(deserialize_with = "nullable")]
    pub field_ref: RawFieldRef,
}

/// A member of the Pod's own object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawFieldRef {
    #[serde(deserialize_with = "nullable")]
    pub field_path: String,
}

/// `status` of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPodStatus {
    #[serde(deserialize_with = "nullable")]
    pub phase: String,
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<RawCondition>,
    #[serde(deserialize_with = "nullable")]
    pub container_statuses: Vec<RawContainerStatus>,
}

/// One condition of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawCondition {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub condition_type: String,
    #[serde(deserialize_with = "nullable")]
    pub status: String,
}

/// State of one container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawContainerStatus {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    pub ready: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    pub restart_count: i32,
    #[serde(deserialize_with = "nullable")]
    pub state: RawState,
    #[serde(deserialize_with = "nullable")]
    pub last_state: RawState,
}

/// `state` or `lastState` of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawState {
    pub waiting: Option<RawWaiting>,
    pub running: Option<RawRun>,
    pub terminated: Option<RawRun>,
}

/// Why a container waits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawWaiting {
    #[serde(deserialize_with = "nullable")]
    pub reason: String,
}

/// One run of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawRun {
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub exit_code: Option<i32>,
}

// === decoding ===

impl RawRun {
    fn length(&self) -> Option<SignedDuration> {
        Some(self.finished_at?.duration_since(self.started_at?))
    }
}

impl RawWorkload {
    /// The compact row. `kind` is the kind of the list or file that it comes from.
    #[must_use]
    pub fn decode(self, kind: &str) -> Workload {
        let reference = self.metadata.reference(kind);
        Workload {
            changed_at: self.metadata.changed_at(),
            labels: self.metadata.labels,
            template_labels: self.spec.template.metadata.labels,
            replicas: if kind == "DaemonSet" { None } else { Some(self.spec.replicas.unwrap_or(1)) },
            ready_replicas: ready_replicas(kind, self.status.as_ref()),
            service_account: self.spec.template.spec.service_account_name.as_str().into(),
            containers: self.spec.template.spec.decode(&reference.namespace),
            reference,
        }
    }
}

/// The API leaves a zero out. A status that no controller has filled in yet tells nothing.
fn ready_replicas(kind: &str, status: Option<&RawWorkloadStatus>) -> Option<i32> {
    // That of a DaemonSet is written out.
    if kind == "DaemonSet" {
        return status?.number_ready;
    }
    let status = status.filter(|status| status.observed_generation.is_some())?;
    Some(status.ready_replicas.unwrap_or(0))
}

impl RawPod {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> Pod {
        let meta = self.metadata;
        let owner = meta.owner_references.iter().find(|owner| owner.controller);
        Pod {
            reference: ObjectRef::new("Pod", &meta.namespace, &meta.name),
            uid: meta.uid.into(),
            created_at: meta.creation_timestamp,
            deletion_at: meta.deletion_timestamp,
            owner: owner.map(|owner| ObjectRef::new(&owner.kind, &meta.namespace, &owner.name)),
            labels: meta.labels,
            service_account: self.spec.service_account_name.as_str().into(),
            containers: self.spec.decode(&meta.namespace),
            statuses: self.status.container_statuses.into_iter().map(RawContainerStatus::decode).collect(),
            ready: self
                .status
                .conditions
                .iter()
                .any(|row| row.condition_type == "Ready" && row.status == "True"),
            phase: self.status.phase.into(),
        }
    }
}

impl RawPodSpec {
    fn decode(self, namespace: &str) -> Vec<Container> {
        self.containers.into_iter().map(|container| container.decode(namespace)).collect()
    }
}

impl RawContainer {
    fn decode(self, namespace: &str) -> Container {
        let mut env = BTreeMap::new();
        for variable in self.env {
            // In order: a value may refer to the variables before it.
            let value = match variable.known_value(namespace) {
                Some(value) => expand(&value, &env),
                None => format!("$({})", variable.name),
            };
            env.insert(variable.name, value);
        }
        let expanded = |texts: Vec<String>| texts.iter().map(|text| expand(text, &env)).collect();
        Container {
            name: self.name.into(),
            image: self.image.into(),
            command: expanded(self.command),
            args: expanded(self.args),
            env,
            more_env: !self.env_from.is_empty(),
            more_flags: self.env_from.iter().any(|from| from.config_map_ref.is_some()),
        }
    }
}

impl RawEnv {
    fn known_value(&self, namespace: &str) -> Option<String> {
        match &self.value_from {
            None => Some(self.value.clone()),
            Some(from) if from.field_ref.field_path == "metadata.namespace" => Some(namespace.to_owned()),
            Some(_) => None,
        }
    }
}

impl RawContainerStatus {
    fn decode(self) -> ContainerStatus {
        let runs = [&self.state.running, &self.state.terminated, &self.last_state.terminated];
        ContainerStatus {
            name: self.name.as_str().into(),
            ready: self.ready,
            restarts: self.restart_count,
            waiting: self.state.waiting.as_ref().map(|waiting| waiting.reason.as_str().into()),
            last_exit: self.last_state.terminated.as_ref().and_then(|run| run.exit_code),
            last_run: self.last_state.terminated.as_ref().and_then(RawRun::length),
            started_at: runs.into_iter().find_map(|run| run.as_ref()?.started_at),
        }
    }
}

/// Replaces `$(NAME)` by the variable's value. An unknown name stays as it is, and `$$(NAME)` is
/// the written-out `$(NAME)`; both as the kubelet does it.
///
/// Source: `kubernetes/kubernetes:third_party/forked/golang/expansion/expand.go`.
fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(escaped) = after.strip_prefix('$') {
            out.push('$');
            rest = escaped;
            continue;
        }
        let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        if let Some((value, tail)) = reference.and_then(|(name, tail)| Some((env.get(name)?, tail))) {
            out.push_str(value);
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
        if out.len() > MAX_ARGUMENTS {
            return truncate(&out, MAX_ARGUMENTS);
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_as_the_kubelet_does() {
        let env = BTreeMap::from([("A".to_owned(), "x".to_owned())]);
        let check = |text: &str, expected: &str| assert_eq!(expand(text, &env), expected, "{text}");
        check("--txt-owner-id=$(A)-1", "--txt-owner-id=x-1");
        check("$(A)$(A)", "xx");
        check("$(B) $(A", "$(B) $(A");
        check("$$(A)", "$(A)");
        check("100$", "100$");
        check("^a$|^b$", "^a$|^b$");
    }

    #[test]
    fn doubling_references_stay_bounded() {
        let mut env = BTreeMap::new();
        let mut value = "x".repeat(64);
        for index in 0..40 {
            env.insert(format!("V{index}"), value);
            value = expand(&format!("$(V{index})$(V{index})"), &env);
        }
        assert!(value.len() <= MAX_ARGUMENTS);
    }

    #[test]
    fn a_crashing_pod() {
        let pod: RawPod = serde_json::from_str(
            r#"{"metadata":{"name":"p","namespace":"dns","uid":"u","ownerReferences":[
                 {"kind":"Other","name":"o"},{"kind":"ReplicaSet","name":"external-dns-6d","controller":true}]},
               "spec":{"containers":[{"name":"c","image":"i","env":[
                 {"name":"NS","valueFrom":{"fieldRef":{"fieldPath":"metadata.namespace"}}},
                 {"name":"SECRET","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}],
                 "args":["--txt-owner-id=$(NS)","--txt-prefix=$(SECRET)"]}]},
               "status":{"phase":"Running","conditions":[{"type":"Ready","status":"False"}],
                 "containerStatuses":[{"name":"c","restartCount":7,
                   "state":{"waiting":{"reason":"CrashLoopBackOff"}},
                   "lastState":{"terminated":{"exitCode":1,"startedAt":"2026-11-22T10:00:00Z"}}}]}}"#,
        )
        .expect("parses");
        let pod = pod.decode();
        assert_eq!(pod.owner, Some(ObjectRef::new("ReplicaSet", "dns", "external-dns-6d")));
        assert_eq!(pod.containers[0].args, ["--txt-owner-id=dns", "--txt-prefix=$(SECRET)"]);
        let status = pod.status("c").expect("status");
        assert_eq!((status.restarts, status.waiting.as_deref()), (7, Some("CrashLoopBackOff")));
        assert_eq!(status.last_exit, Some(1));
        assert!(status.started_at.is_some() && !pod.ready);
    }

    #[test]
    fn replicas_have_the_defaults_of_the_kind() {
        let decode = |kind: &str| RawWorkload::default().decode(kind).replicas;
        assert_eq!(decode("Deployment"), Some(1));
        assert_eq!(decode("DaemonSet"), None);
    }
}
