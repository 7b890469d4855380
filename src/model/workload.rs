//! Workloads and Pods of the cluster, reduced to what tells an ExternalDNS and its health.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::ObjectRef;

/// A Deployment, StatefulSet or DaemonSet.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Kind, namespace, name.
    pub reference: ObjectRef,
    /// Newest change of the spec; `None` when a hand-made file has no times.
    pub changed_at: Option<Timestamp>,
    /// Labels of the workload.
    pub labels: BTreeMap<String, String>,
    /// Labels of the Pod template.
    pub template_labels: BTreeMap<String, String>,
    /// `spec.replicas`; the API's default 1 for a Deployment or StatefulSet that names none,
    /// `None` for a DaemonSet.
    pub replicas: Option<i32>,
    /// `status.readyReplicas`, 0 when a status is there and names none; `None` without a status.
    pub ready_replicas: Option<i32>,
    /// `spec.template.spec.serviceAccountName`; empty when absent.
    pub service_account: Arc<str>,
    /// Containers of the Pod template, in order; init containers are not among them.
    pub containers: Vec<Container>,
}

/// A Pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// Kind `Pod`, namespace, name.
    pub reference: ObjectRef,
    /// `metadata.uid`; empty when a hand-made file has none.
    pub uid: Arc<str>,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// `metadata.deletionTimestamp`: the Pod is being stopped.
    pub deletion_at: Option<Timestamp>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The controlling owner, for example the `ReplicaSet`; `None` for a bare Pod.
    pub owner: Option<ObjectRef>,
    /// `spec.serviceAccountName`; empty when absent.
    pub service_account: Arc<str>,
    /// Containers, in order.
    pub containers: Vec<Container>,
    /// State of the containers, in the order of the API.
    pub statuses: Vec<ContainerStatus>,
    /// Condition Ready.
    pub ready: bool,
    /// `status.phase`, for example `Running`; empty when absent.
    pub phase: Arc<str>,
}

/// What a container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Container name.
    pub name: Arc<str>,
    /// Image as written.
    pub image: Arc<str>,
    /// `command` with known `$(NAME)` references replaced; empty for the image's own.
    pub command: Vec<String>,
    /// `args` with known `$(NAME)` references replaced.
    pub args: Vec<String>,
    /// Environment variables whose value the object itself tells.
    pub env: BTreeMap<String, String>,
}

/// State of one container of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Container name.
    pub name: Arc<str>,
    /// Restarts so far.
    pub restarts: i32,
    /// `state.waiting.reason`; `None` when the container does not wait.
    pub waiting: Option<Arc<str>>,
    /// `lastState.terminated.exitCode`; `None` before the first restart.
    pub last_exit: Option<i32>,
    /// Start of the running container, or of the last one that ran.
    pub started_at: Option<Timestamp>,
}

/// A container whose log is of interest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTarget {
    /// Namespace of the Pod.
    pub namespace: Arc<str>,
    /// Pod name.
    pub pod: Arc<str>,
    /// `metadata.uid` of the Pod: a StatefulSet's Pod keeps its name over re-creation.
    pub uid: Arc<str>,
    /// Container name.
    pub container: Arc<str>,
    /// Restarts so far.
    pub restarts: i32,
}

// === impl Workload ===

impl Container {
    /// Everything that the program gets as arguments: `command` without the program, then `args`.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        self.command.iter().skip(1).chain(&self.args).cloned().collect()
    }
}

impl Pod {
    /// State of the container of that name.
    #[must_use]
    pub fn status(&self, container: &str) -> Option<&ContainerStatus> {
        self.statuses.iter().find(|status| &*status.name == container)
    }

    /// True if the Pod has run to its end or was evicted: what remains is only its object.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(&*self.phase, "Succeeded" | "Failed")
    }
}
