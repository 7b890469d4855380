//! Nodes, `EndpointSlice`s and the addresses of Pods, from the API's shapes to ours. Pure.
//!
//! Like [`crate::desired::objects`]: the few members that count, all of them optional.

use serde::Deserialize;

use crate::desired::objects::{RawMeta, nullable};
use crate::model::object::{Body, EndpointSlice, KubeObject, Node, PodAddresses, SliceEndpoint};

/// Label of an `EndpointSlice` that names its Service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// `v1` Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawNode {
    pub metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    pub spec: RawNodeSpec,
    #[serde(deserialize_with = "nullable")]
    pub status: RawNodeStatus,
}

/// Spec of a Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawNodeSpec {
    #[serde(deserialize_with = "nullable")]
    pub unschedulable: bool,
}

/// Status of a Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawNodeStatus {
    #[serde(deserialize_with = "nullable")]
    pub addresses: Vec<RawNodeAddress>,
}

/// One address of a Node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawNodeAddress {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub address_type: String,
    #[serde(deserialize_with = "nullable")]
    pub address: String,
}

/// `discovery.k8s.io/v1` `EndpointSlice`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawSlice {
    pub metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    pub address_type: String,
    #[serde(deserialize_with = "nullable")]
    pub endpoints: Vec<RawSliceEndpoint>,
}

/// One endpoint of an `EndpointSlice`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawSliceEndpoint {
    #[serde(deserialize_with = "nullable")]
    pub addresses: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub conditions: RawEndpointConditions,
    #[serde(deserialize_with = "nullable")]
    pub target_ref: RawTargetRef,
}

/// Conditions of an endpoint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawEndpointConditions {
    pub ready: Option<bool>,
}

/// The object behind an endpoint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawTargetRef {
    #[serde(rename = "apiVersion", deserialize_with = "nullable")]
    pub api_version: String,
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    #[serde(deserialize_with = "nullable")]
    pub name: String,
}

/// `v1` Pod, for its addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPodAddresses {
    pub metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    pub spec: RawPlacement,
    #[serde(deserialize_with = "nullable")]
    pub status: RawPodNetwork,
}

/// Spec of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPlacement {
    #[serde(deserialize_with = "nullable")]
    pub node_name: String,
    #[serde(deserialize_with = "nullable")]
    pub host_network: bool,
    #[serde(deserialize_with = "nullable")]
    pub hostname: String,
}

/// Status of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPodNetwork {
    #[serde(deserialize_with = "nullable")]
    pub phase: String,
    #[serde(rename = "podIP", deserialize_with = "nullable")]
    pub pod_ip: String,
    #[serde(rename = "podIPs", deserialize_with = "nullable")]
    pub pod_ips: Vec<RawPodIp>,
    #[serde(rename = "hostIP", deserialize_with = "nullable")]
    pub host_ip: String,
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<RawPodCondition>,
}

/// One address of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPodIp {
    #[serde(deserialize_with = "nullable")]
    pub ip: String,
}

/// One condition of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawPodCondition {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub condition_type: String,
    #[serde(deserialize_with = "nullable")]
    pub status: String,
}

// === decoding ===

impl RawTargetRef {
    /// ExternalDNS takes a reference to a Pod only without a version, as Kubernetes writes it.
    fn is_pod(&self) -> bool {
        self.kind == "Pod" && self.api_version.is_empty()
    }
}

impl RawNode {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let addresses = self.status.addresses.into_iter().map(|one| (one.address_type, one.address));
        let node = Node { addresses: addresses.collect(), unschedulable: self.spec.unschedulable };
        self.metadata.decode("Node", Body::Node(node))
    }
}

impl RawSlice {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let endpoints = self.endpoints.into_iter().filter(|one| one.target_ref.is_pod());
        let slice = EndpointSlice {
            service: self.metadata.labels.get(SERVICE_LABEL).cloned().unwrap_or_default(),
            address_type: self.address_type,
            endpoints: endpoints
                .map(|one| SliceEndpoint {
                    ready: one.conditions.ready.unwrap_or(true),
                    pod: one.target_ref.name,
                    addresses: one.addresses,
                })
                .collect(),
        };
        self.metadata.decode("EndpointSlice", Body::EndpointSlice(slice))
    }
}

impl RawPodAddresses {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let status = self.status;
        let mut ips: Vec<String> = status.pod_ips.into_iter().map(|one| one.ip).collect();
        if ips.is_empty() {
            ips.push(status.pod_ip);
        }
        ips.retain(|ip| !ip.is_empty());
        let ready = |one: &RawPodCondition| one.condition_type == "Ready" && one.status == "True";
        let pod = PodAddresses {
            node: self.spec.node_name,
            host_network: self.spec.host_network,
            hostname: self.spec.hostname,
            ips,
            host_ip: status.host_ip,
            phase: status.phase,
            ready: status.conditions.iter().any(ready),
        };
        self.metadata.decode("Pod", Body::Pod(pod))
    }
}
