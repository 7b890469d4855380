//! Custom resources that may ask for names, and what they hang on, reduced to what decides records.
//!
//! No crate of the Gateway API, Istio and the like is used: a few members of each are enough, and
//! such crates lag behind the client library. Texts are as written; an empty text means absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::object::LoadBalancerAddress;
use crate::model::text_map::TextMap;

/// The part of a custom resource that differs by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Custom {
    /// HTTPRoute, GRPCRoute, TLSRoute, TCPRoute or UDPRoute of the Gateway API.
    GatewayRoute(GatewayRoute),
    /// Gateway of the Gateway API.
    Gateway(Gateway),
    /// ListenerSet of the Gateway API.
    ListenerSet(ListenerSet),
    /// `v1` Namespace; its labels are what counts.
    Namespace,
    /// `DNSEndpoint` of ExternalDNS.
    DnsEndpoint(DnsEndpoint),
    /// Gateway of Istio.
    IstioGateway(IstioGateway),
    /// VirtualService of Istio.
    VirtualService(VirtualService),
    /// IngressRoute, IngressRouteTCP or IngressRouteUDP of Traefik.
    TraefikRoute(TraefikRoute),
    /// HTTPProxy of Contour.
    HttpProxy(HttpProxy),
    /// Route of OpenShift.
    OpenshiftRoute(OpenshiftRoute),
}

/// A route of the Gateway API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GatewayRoute {
    /// `spec.hostnames`; always empty for TCP and UDP.
    pub hostnames: Vec<String>,
    /// `spec.parentRefs`.
    pub parent_refs: Vec<ParentRef>,
    /// `status.parents`.
    pub parents: Vec<RouteParent>,
    /// `metadata.generation`; 0 when absent.
    pub generation: i64,
}

/// Names the parent of a route or of a ListenerSet. An empty member has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentRef {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Listener by name.
    pub section: String,
    /// Listener by port; `None` for any.
    pub port: Option<i64>,
}

/// What one parent says about a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteParent {
    /// Which parent.
    pub parent: ParentRef,
    /// The first condition `Accepted` is `True`.
    pub accepted: bool,
    /// `observedGeneration` of that condition; 0 when absent.
    pub observed_generation: i64,
}

/// A Gateway of the Gateway API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// `spec.listeners`.
    pub listeners: Vec<Listener>,
    /// `spec.allowedListeners.namespaces`; absent means none.
    pub allowed_listeners: NamespaceRule,
    /// `status.addresses[].value`, whatever their type.
    pub addresses: Vec<String>,
}

/// A set of listeners that extends a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListenerSet {
    /// `spec.parentRef`.
    pub parent: ParentRef,
    /// The first condition `Accepted` is `True`.
    pub accepted: bool,
    /// `spec.listeners`, each with whether its status says that it is accepted.
    pub listeners: Vec<(Listener, bool)>,
}

/// One listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// Name, to which a route's section refers.
    pub name: String,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP` or a vendor's own.
    pub protocol: String,
    /// Port.
    pub port: i64,
    /// Host name; empty for any.
    pub hostname: String,
    /// `allowedRoutes.namespaces`; absent means the same namespace.
    pub namespaces: NamespaceRule,
    /// `allowedRoutes.kinds`: group and kind; empty for all.
    pub kinds: Vec<(String, String)>,
}

/// Which namespaces may attach themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum NamespaceRule {
    /// Not said; the default differs between routes and ListenerSets.
    #[default]
    Absent,
    /// All.
    All,
    /// That of the owner.
    Same,
    /// None.
    None,
    /// Those with such labels; without a selector none.
    Selector(Option<LabelSelector>),
    /// A word that nobody knows; ExternalDNS lets nothing pass.
    Unknown,
}

/// `metav1.LabelSelector`. The empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelSelector {
    /// `matchLabels`.
    pub labels: BTreeMap<String, String>,
    /// `matchExpressions`.
    pub expressions: Vec<Expression>,
}

/// One row of `matchExpressions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
    pub operator: String,
    /// Values of the first two.
    pub values: Vec<String>,
}

/// A `DNSEndpoint` of ExternalDNS: endpoints, literally.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DnsEndpoint {
    /// `spec.endpoints`.
    pub endpoints: Vec<LiteralEndpoint>,
}

/// One row of `spec.endpoints`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiteralEndpoint {
    /// `dnsName`.
    pub name: String,
    /// `recordType`, in the case that was written: ExternalDNS compares it literally.
    pub record_type: String,
    /// `targets`.
    pub targets: Vec<String>,
    /// `recordTTL`; 0 when unset.
    pub ttl: i64,
    /// `setIdentifier`.
    pub set_identifier: String,
    /// `providerSpecific`.
    pub properties: BTreeMap<String, String>,
}

/// A Gateway of Istio.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IstioGateway {
    /// `spec.selector`: the labels of its Pods.
    pub selector: BTreeMap<String, String>,
    /// `spec.servers[].hosts[]`.
    pub hosts: Vec<String>,
}

/// A VirtualService of Istio.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VirtualService {
    /// `spec.hosts`.
    pub hosts: Vec<String>,
    /// `spec.gateways`: `name` or `namespace/name`, or `mesh`.
    pub gateways: Vec<String>,
    /// `spec.exportTo`; empty for everywhere.
    pub export_to: Vec<String>,
}

/// A route of Traefik.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TraefikRoute {
    /// API group: `traefik.io`, or `traefik.containo.us` of Traefik 2.
    pub legacy: bool,
    /// `spec.routes[].match`; always empty for UDP.
    pub rules: Vec<String>,
}

/// An HTTPProxy of Contour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HttpProxy {
    /// `spec.virtualhost.fqdn`.
    pub fqdn: String,
    /// `status.currentStatus`.
    pub current_status: String,
    /// `status.loadBalancer.ingress[]`.
    pub addresses: Vec<LoadBalancerAddress>,
}

/// A Route of OpenShift.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenshiftRoute {
    /// `spec.host`; empty when absent.
    #[serde(default)]
    pub host: String,
    /// `status.ingress[]`, one for each router that took the route in.
    pub routers: Vec<RouterIngress>,
}

/// What one router says about a Route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterIngress {
    /// `routerName`.
    pub router: String,
    /// `host`.
    pub host: String,
    /// `routerCanonicalHostname`.
    pub canonical_hostname: String,
    /// The first condition `Admitted` is `True`.
    pub admitted: bool,
}

// === impl LabelSelector ===

impl LabelSelector {
    /// True if every requirement holds. A requirement that Kubernetes would refuse matches nothing.
    #[must_use]
    pub fn matches(&self, labels: &TextMap) -> bool {
        let equal = |(key, value): (&String, &String)| labels.get(key) == Some(value.as_str());
        self.labels.iter().all(equal) && self.expressions.iter().all(|one| one.holds(labels))
    }
}

impl Expression {
    fn holds(&self, labels: &TextMap) -> bool {
        let value = labels.get(&self.key);
        let given = !self.values.is_empty();
        match self.operator.as_str() {
            "In" => given && value.is_some_and(|value| self.values.iter().any(|one| one == value)),
            "NotIn" => given && value.is_none_or(|value| !self.values.iter().any(|one| one == value)),
            "Exists" => !given && value.is_some(),
            "DoesNotExist" => !given && value.is_none(),
            _ => false,
        }
    }
}

impl Custom {
    /// The addresses of a load balancer, for the kinds that carry them in their own status.
    #[must_use]
    pub fn addresses(&self) -> &[LoadBalancerAddress] {
        match self {
            Self::HttpProxy(proxy) => &proxy.addresses,
            Self::GatewayRoute(_)
            | Self::Gateway(_)
            | Self::ListenerSet(_)
            | Self::Namespace
            | Self::DnsEndpoint(_)
            | Self::IstioGateway(_)
            | Self::VirtualService(_)
            | Self::TraefikRoute(_)
            | Self::OpenshiftRoute(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_selects_as_the_api_says() {
        let labels = TextMap::from_iter([("team".to_owned(), "a".to_owned())]);
        let check = |operator: &str, key: &str, values: &[&str], expected: bool| {
            let expression = Expression {
                key: key.to_owned(),
                operator: operator.to_owned(),
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            };
            let selector = LabelSelector { expressions: vec![expression], ..LabelSelector::default() };
            assert_eq!(selector.matches(&labels), expected, "{key} {operator} {values:?}");
        };
        check("In", "team", &["a", "b"], true);
        check("In", "team", &["b"], false);
        check("In", "team", &[], false);
        check("NotIn", "team", &["b"], true);
        check("NotIn", "other", &["b"], true);
        check("NotIn", "team", &["a"], false);
        check("Exists", "team", &[], true);
        check("Exists", "other", &[], false);
        check("DoesNotExist", "other", &[], true);
        check("Gt", "team", &["1"], false);
        assert!(LabelSelector::default().matches(&labels));
        let other = BTreeMap::from([("team".to_owned(), "b".to_owned())]);
        assert!(!LabelSelector { labels: other, ..LabelSelector::default() }.matches(&labels));
    }
}
