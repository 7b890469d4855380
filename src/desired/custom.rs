//! From the shapes of custom resources to our rows. Pure.
//!
//! Like [`crate::desired::objects`]: only the members that decide records are read, every one is
//! optional, and what is unknown is skipped.

mod gateway;
mod mesh;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::desired::objects::{RawLoadBalancerStatus, RawMeta, nullable};
use crate::model::custom::{
    Custom, DnsEndpoint, HttpProxy, LiteralEndpoint, OpenshiftRoute, RouterIngress, TraefikRoute,
};
use crate::model::object::{Body, KubeObject};

pub use gateway::{RawGateway, RawListenerSet, RawRoute};
pub use mesh::{RawIstioGateway, RawVirtualService};

/// Any object with a spec and a status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "S: DeserializeOwned + Default, T: DeserializeOwned + Default"))]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawObject<S, T> {
    pub metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    pub spec: S,
    #[serde(deserialize_with = "nullable")]
    pub status: T,
}

/// A part that is not read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Unread {}

/// One row of `status.conditions`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawCondition {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub condition_type: String,
    #[serde(deserialize_with = "nullable")]
    pub status: String,
    #[serde(deserialize_with = "nullable")]
    pub observed_generation: i64,
}

/// `v1` Namespace.
pub type RawNamespace = RawObject<Unread, Unread>;
/// `externaldns.k8s.io` DNSEndpoint.
pub type RawDnsEndpoint = RawObject<RawDnsEndpointSpec, Unread>;
/// `traefik.io` IngressRoute and its siblings.
pub type RawTraefikRoute = RawObject<RawTraefikSpec, Unread>;
/// `projectcontour.io` HTTPProxy.
pub type RawHttpProxy = RawObject<RawHttpProxySpec, RawHttpProxyStatus>;
/// `route.openshift.io` Route.
pub type RawOpenshiftRoute = RawObject<RawOpenshiftSpec, RawOpenshiftStatus>;

/// Spec of a DNSEndpoint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawDnsEndpointSpec {
    #[serde(deserialize_with = "nullable")]
    pub endpoints: Vec<Option<RawEndpoint>>,
}

/// One endpoint of a DNSEndpoint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawEndpoint {
    #[serde(deserialize_with = "nullable")]
    pub dns_name: String,
    #[serde(deserialize_with = "nullable")]
    pub record_type: String,
    #[serde(deserialize_with = "nullable")]
    pub targets: Vec<String>,
    #[serde(rename = "recordTTL", deserialize_with = "nullable")]
    pub record_ttl: i64,
    #[serde(deserialize_with = "nullable")]
    pub set_identifier: String,
    #[serde(deserialize_with = "nullable")]
    pub provider_specific: Vec<RawProperty>,
}

/// One provider property.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawProperty {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub value: String,
}

/// Spec of a route of Traefik; a UDP route has no rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawTraefikSpec {
    #[serde(deserialize_with = "nullable")]
    pub routes: Vec<RawTraefikRule>,
}

/// One rule of a route of Traefik.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawTraefikRule {
    #[serde(rename = "match", deserialize_with = "nullable")]
    pub rule: String,
}

/// Spec of an HTTPProxy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawHttpProxySpec {
    #[serde(deserialize_with = "nullable")]
    pub virtualhost: RawVirtualHost,
}

/// `spec.virtualhost` of an HTTPProxy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawVirtualHost {
    #[serde(deserialize_with = "nullable")]
    pub fqdn: String,
}

/// Status of an HTTPProxy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawHttpProxyStatus {
    #[serde(deserialize_with = "nullable")]
    pub current_status: String,
    #[serde(flatten)]
    pub addresses: RawLoadBalancerStatus,
}

/// Spec of an OpenShift Route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawOpenshiftSpec {
    #[serde(deserialize_with = "nullable")]
    pub host: String,
}

/// Status of an OpenShift Route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawOpenshiftStatus {
    #[serde(deserialize_with = "nullable")]
    pub ingress: Vec<RawRouterIngress>,
}

/// What one router says about a Route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawRouterIngress {
    #[serde(deserialize_with = "nullable")]
    pub router_name: String,
    #[serde(deserialize_with = "nullable")]
    pub host: String,
    #[serde(deserialize_with = "nullable")]
    pub router_canonical_hostname: String,
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<RawCondition>,
}

/// The first condition of a type.
fn condition<'a>(conditions: &'a [RawCondition], condition_type: &str) -> Option<&'a RawCondition> {
    conditions.iter().find(|condition| condition.condition_type == condition_type)
}

fn is_true(conditions: &[RawCondition], condition_type: &str) -> bool {
    condition(conditions, condition_type).is_some_and(|condition| condition.status == "True")
}

// === decoding ===

impl RawNamespace {
    /// The compact row; only the labels of a namespace are of interest.
    #[must_use]
    pub fn decode(mut self) -> KubeObject {
        self.metadata.annotations = BTreeMap::new();
        self.metadata.decode("Namespace", Body::Custom(Custom::Namespace))
    }
}

impl RawDnsEndpoint {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let endpoints = self.spec.endpoints.into_iter().flatten().map(RawEndpoint::decode).collect();
        self.metadata.decode("DNSEndpoint", Body::Custom(Custom::DnsEndpoint(DnsEndpoint { endpoints })))
    }
}

impl RawEndpoint {
    fn decode(self) -> LiteralEndpoint {
        LiteralEndpoint {
            name: self.dns_name,
            record_type: self.record_type,
            targets: self.targets,
            ttl: self.record_ttl,
            set_identifier: self.set_identifier,
            properties: self.provider_specific.into_iter().map(|one| (one.name, one.value)).collect(),
        }
    }
}

impl RawTraefikRoute {
    /// The compact row of an object of one of the three kinds.
    #[must_use]
    pub fn decode(self, kind: &str, legacy: bool) -> KubeObject {
        let rules = self.spec.routes.into_iter().map(|route| route.rule).collect();
        self.metadata.decode(kind, Body::Custom(Custom::TraefikRoute(TraefikRoute { legacy, rules })))
    }
}

impl RawHttpProxy {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let proxy = HttpProxy {
            fqdn: self.spec.virtualhost.fqdn,
            current_status: self.status.current_status,
            addresses: self.status.addresses.decode(),
        };
        self.metadata.decode("HTTPProxy", Body::Custom(Custom::HttpProxy(proxy)))
    }
}

impl RawOpenshiftRoute {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let router = |ingress: RawRouterIngress| RouterIngress {
            admitted: is_true(&ingress.conditions, "Admitted"),
            router: ingress.router_name,
            host: ingress.host,
            canonical_hostname: ingress.router_canonical_hostname,
        };
        let routers = self.status.ingress.into_iter().map(router).collect();
        let route = OpenshiftRoute { host: self.spec.host, routers };
        self.metadata.decode("Route", Body::Custom(Custom::OpenshiftRoute(route)))
    }
}
