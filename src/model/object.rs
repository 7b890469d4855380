//! Kubernetes objects as the desired view needs them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::custom::Custom;
use crate::model::text_map::TextMap;

/// Names one object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Kind as the API spells it, for example `Ingress`; with its group where two kinds of one
    /// spelling are read.
    pub kind: Arc<str>,
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: Arc<str>,
    /// Object name.
    pub name: Arc<str>,
}

/// One object that may ask for DNS names, reduced to what decides its records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KubeObject {
    /// Kind, namespace, name.
    pub reference: ObjectRef,
    /// `metadata.uid`; empty when a hand-made file has none.
    pub uid: Arc<str>,
    /// `metadata.creationTimestamp`; `None` when a hand-made file has none.
    pub created_at: Option<Timestamp>,
    /// `metadata.deletionTimestamp`.
    pub deletion_at: Option<Timestamp>,
    /// Newest change of spec or annotations: the newest `managedFields[].time` without a
    /// subresource, else the creation.
    pub changed_at: Option<Timestamp>,
    /// Newest change of the status: the newest `managedFields[].time` of subresource `status`.
    pub status_changed_at: Option<Timestamp>,
    /// Labels, all of them.
    pub labels: TextMap,
    /// Annotations that can matter; the large bookkeeping ones are dropped by the decoder.
    pub annotations: TextMap,
    /// What is special about the kind.
    pub body: Body,
}

/// The part of an object that differs by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// `networking.k8s.io/v1` Ingress.
    Ingress(Ingress),
    /// `v1` Service.
    Service(Box<Service>),
    /// `v1` Node.
    Node(Node),
    /// `v1` Pod, as its own addresses ask for names.
    Pod(PodAddresses),
    /// `discovery.k8s.io/v1` `EndpointSlice`.
    EndpointSlice(EndpointSlice),
    /// A custom resource, or what one hangs on.
    Custom(Custom),
}

/// Spec and status of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ingress {
    /// `spec.ingressClassName`; `None` when absent or empty.
    pub class_name: Option<String>,
    /// `spec.rules[].host` as written, in order, without the empty ones.
    pub rule_hosts: Box<[Arc<str>]>,
    /// `spec.tls[].hosts[]` as written, in order.
    pub tls_hosts: Box<[Arc<str>]>,
    /// `status.loadBalancer.ingress[]`, in order.
    pub addresses: Vec<LoadBalancerAddress>,
}

/// Spec and status of a Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// `spec.type`; empty in a hand-made file without one, and then nothing has a name.
    pub service_type: String,
    /// `spec.clusterIP`; `None` when absent or empty, `Some("None")` for a headless Service.
    pub cluster_ip: Option<String>,
    /// `spec.externalIPs[]`.
    pub external_ips: Vec<String>,
    /// `spec.selector`.
    pub selector: BTreeMap<String, String>,
    /// `spec.externalName`.
    pub external_name: Option<String>,
    /// `status.loadBalancer.ingress[]`, in order.
    pub addresses: Vec<LoadBalancerAddress>,
    /// `spec.ports[]`.
    pub ports: Vec<ServicePort>,
    /// `spec.externalTrafficPolicy` is `Local`.
    pub local_traffic: bool,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
}

/// One row of `spec.ports[]` of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// `name`; empty when there is none.
    #[serde(default)]
    pub name: String,
    /// `port`; 0 when it is no port.
    #[serde(default)]
    pub port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// `nodePort`; 0 when there is none.
    pub node_port: u16,
}

/// What counts of a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `status.addresses[]`: type and address, in order.
    pub addresses: Vec<(String, String)>,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
}

/// What counts of a Pod whose addresses may get names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodAddresses {
    /// `spec.nodeName`; empty before it is placed.
    pub node: String,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// `spec.hostname`; empty when absent.
    pub hostname: String,
    /// `status.podIPs[]`, or `status.podIP` alone.
    pub ips: Vec<String>,
    /// `status.hostIP`; empty when absent.
    pub host_ip: String,
    /// `status.phase`.
    pub phase: String,
    /// Condition Ready.
    pub ready: bool,
}

/// What counts of an `EndpointSlice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSlice {
    /// Label `kubernetes.io/service-name`.
    pub service: String,
    /// `addressType`.
    pub address_type: String,
    /// `endpoints[]` that are Pods.
    pub endpoints: Vec<SliceEndpoint>,
}

/// One row of `endpoints[]` of an `EndpointSlice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceEndpoint {
    /// `conditions.ready`; absent counts as ready.
    pub ready: bool,
    /// Name of the Pod.
    pub pod: String,
    /// `addresses[]`.
    pub addresses: Vec<String>,
}

/// One row of `status.loadBalancer.ingress[]`. Either, both or none may be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerAddress {
    /// `ip`, as written.
    pub ip: Option<String>,
    /// `hostname`, as written.
    pub hostname: Option<String>,
}

// === impl ObjectRef ===

impl ObjectRef {
    /// Names an object.
    #[must_use]
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// The kind as the ownership registry spells it.
    #[must_use]
    pub fn registry_word(&self) -> String {
        registry_word(&self.kind)
    }

    /// Reads what `Display` wrote, with or without the group that it leaves out; `None` for a kind alone.
    #[must_use]
    pub fn from_shown(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        let (namespace, name) = rest.split_once('/').unwrap_or(("", rest));
        Some(Self::new(kind.split('.').next().unwrap_or_default(), namespace, name))
    }

    /// True if this is what [`Self::from_shown`] read of the text that shows the other.
    #[must_use]
    pub fn shows(&self, other: &Self) -> bool {
        self.name == other.name
            && self.namespace == other.namespace
            && other.kind.split('.').next() == Some(&*self.kind)
    }
}

/// A kind as the `resource` label of the ownership registry spells it. Total.
///
/// Source: kubernetes-sigs/external-dns:source/crd.go, `contour_httpproxy.go` and the other
/// sources, each with a spelling of its own.
#[must_use]
pub fn registry_word(kind: &str) -> String {
    match kind.strip_suffix(".traefik.containo.us").unwrap_or(kind) {
        "DNSEndpoint" => "crd".to_owned(),
        "HTTPProxy" => "HTTPProxy".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

impl fmt::Display for ObjectRef {
    /// `Ingress/shop/web`; `Node//n1` has no namespace and is shown as `Node/n1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The group that tells two kinds of one spelling apart is for us, not for a reader.
        let kind = self.kind.split('.').next().unwrap_or_default();
        if self.namespace.is_empty() {
            write!(f, "{kind}/{}", self.name)
        } else {
            write!(f, "{kind}/{}/{}", self.namespace, self.name)
        }
    }
}

// === impl KubeObject ===

impl KubeObject {
    /// The load balancer's addresses, for the kinds that have one.
    #[must_use]
    pub fn addresses(&self) -> &[LoadBalancerAddress] {
        match &self.body {
            Body::Ingress(ingress) => &ingress.addresses,
            Body::Service(service) => &service.addresses,
            Body::Node(_) | Body::Pod(_) | Body::EndpointSlice(_) => &[],
            Body::Custom(custom) => custom.addresses(),
        }
    }

    /// A text of the object that is exactly this one, as hosts and annotations hold it.
    #[must_use]
    pub fn shared_text(&self, text: &str) -> Option<&Arc<str>> {
        let hosts: [&[Arc<str>]; 2] = match &self.body {
            Body::Ingress(ingress) => [&*ingress.rule_hosts, &*ingress.tls_hosts],
            Body::Service(_) | Body::Node(_) | Body::Pod(_) | Body::EndpointSlice(_) | Body::Custom(_) => {
                [&[], &[]]
            }
        };
        let mut hosts = hosts.into_iter().flatten();
        hosts.find(|host| ***host == *text).or_else(|| self.annotations.shared_value(text))
    }

    /// The class of an Ingress: the field, else the annotation of old.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        match &self.body {
            Body::Ingress(ingress) => {
                ingress.class_name.as_deref().or_else(|| self.annotations.get("kubernetes.io/ingress.class"))
            }
            Body::Service(_) | Body::Node(_) | Body::Pod(_) | Body::EndpointSlice(_) | Body::Custom(_) => {
                None
            }
        }
    }
}

/// Who looks after something with these labels: the label `team`, or one with a prefix
/// (`example.com/team`).
pub fn team<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
    let mut prefixed = None;
    for (name, value) in labels {
        match name.strip_suffix("team") {
            Some("") => return Some(value),
            Some(prefix) if prefix.ends_with('/') => prefixed = prefixed.or(Some(value)),
            Some(_) | None => {}
        }
    }
    prefixed
}
