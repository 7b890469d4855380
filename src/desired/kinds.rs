//! The kinds that are read, and how an object of each becomes a row. Pure but for the trait that
//! lets kube list and watch them.

use std::borrow::Cow;
use std::sync::Arc;

use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::de::{DeserializeOwned, DeserializeSeed as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::desired::addresses::{RawNode, RawPodAddresses, RawSlice};
use crate::desired::custom::{
    RawDnsEndpoint, RawGateway, RawHttpProxy, RawIstioGateway, RawListenerSet, RawNamespace,
    RawOpenshiftRoute, RawRoute, RawTraefikRoute, RawVirtualService,
};
use crate::desired::discover::runs_external_dns;
use crate::desired::objects::{RawIngress, RawService};
use crate::desired::prune::Place;
use crate::desired::workloads::{RawPod, RawWorkload};
use crate::limits::MAX_NAME;
use crate::model::ObjectRef;
use crate::model::object::KubeObject;
use crate::model::text::truncate;
use crate::model::workload::{Pod, Workload};

/// A kind of object that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `v1` Service.
    Service,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `v1` Pod, for the instances.
    Pod,
    /// `v1` Pod again, every one of them: for their addresses.
    PodAddresses,
    /// `v1` Node.
    Node,
    /// `discovery.k8s.io/v1` `EndpointSlice`.
    EndpointSlice,
    /// `v1` Namespace, for its labels.
    Namespace,
    /// Gateway API.
    Gateway,
    /// Gateway API.
    ListenerSet,
    /// Gateway API.
    HttpRoute,
    /// Gateway API.
    GrpcRoute,
    /// Gateway API.
    TlsRoute,
    /// Gateway API.
    TcpRoute,
    /// Gateway API.
    UdpRoute,
    /// `externaldns.k8s.io` DNSEndpoint.
    DnsEndpoint,
    /// Istio.
    IstioGateway,
    /// Istio.
    VirtualService,
    /// Traefik.
    IngressRoute,
    /// Traefik.
    IngressRouteTcp,
    /// Traefik.
    IngressRouteUdp,
    /// Traefik 2, by its old API group.
    LegacyIngressRoute,
    /// Traefik 2, by its old API group.
    LegacyIngressRouteTcp,
    /// Traefik 2, by its old API group.
    LegacyIngressRouteUdp,
    /// Contour.
    HttpProxy,
    /// OpenShift.
    OpenshiftRoute,
}

/// A kind as the API server serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedKind {
    /// The kind.
    pub kind: Kind,
    /// The version, for example `v1`.
    pub version: &'static str,
}

/// How the API spells a kind.
struct Spelling {
    word: &'static str,
    kind: &'static str,
    plural: &'static str,
    resource: &'static str,
    group: &'static str,
    versions: &'static [&'static str],
}

/// The word for the Gateway of the Gateway API; the bare one is that of Istio, which is what
/// ExternalDNS calls `gateway` in its ownership records.
pub const GATEWAY_API_GATEWAY: &str = "Gateway.gateway.networking.k8s.io";

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const ISTIO: &str = "networking.istio.io";
const TRAEFIK: &str = "traefik.io";
const TRAEFIK_2: &str = "traefik.containo.us";

/// What is kept of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// It may ask for names.
    Object(Arc<KubeObject>),
    /// It runs ExternalDNS.
    Workload(Arc<Workload>),
    /// It runs ExternalDNS.
    Pod(Arc<Pod>),
}

/// An object as kube sees it: the metadata that a watch needs, and the rest unparsed.
///
/// Parsing it later, one by one, keeps one odd object from hiding a whole list. The largest
/// useless parts are dropped while reading.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Name, namespace and resource version only.
    pub metadata: ObjectMeta,
    /// The object less the field sets of its managers and kubectl's copy of itself.
    pub value: Value,
}

// === impl Kind ===

impl Spelling {
    const fn new(
        word: &'static str,
        plural: &'static str,
        group: &'static str,
        versions: &'static [&'static str],
    ) -> Self {
        Self { word, kind: word, plural, resource: plural, group, versions }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::Ingress,
        Self::Service,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Pod,
        Self::PodAddresses,
        Self::Node,
        Self::EndpointSlice,
        Self::Namespace,
        Self::Gateway,
        Self::ListenerSet,
        Self::HttpRoute,
        Self::GrpcRoute,
        Self::TlsRoute,
        Self::TcpRoute,
        Self::UdpRoute,
        Self::DnsEndpoint,
        Self::IstioGateway,
        Self::VirtualService,
        Self::IngressRoute,
        Self::IngressRouteTcp,
        Self::IngressRouteUdp,
        Self::LegacyIngressRoute,
        Self::LegacyIngressRouteTcp,
        Self::LegacyIngressRouteUdp,
        Self::HttpProxy,
        Self::OpenshiftRoute,
    ];

    const fn spelling(self) -> Spelling {
        match self {
            Self::Ingress => Spelling::new("Ingress", "ingresses", "networking.k8s.io", &["v1"]),
            Self::Service => Spelling::new("Service", "services", "", &["v1"]),
            Self::Deployment => Spelling::new("Deployment", "deployments", "apps", &["v1"]),
            Self::StatefulSet => Spelling::new("StatefulSet", "statefulsets", "apps", &["v1"]),
            Self::DaemonSet => Spelling::new("DaemonSet", "daemonsets", "apps", &["v1"]),
            Self::Pod | Self::PodAddresses => Spelling::new("Pod", "pods", "", &["v1"]),
            Self::Node => Spelling::new("Node", "nodes", "", &["v1"]),
            Self::EndpointSlice => {
                Spelling::new("EndpointSlice", "endpointslices", "discovery.k8s.io", &["v1"])
            }
            Self::Namespace => Spelling::new("Namespace", "namespaces", "", &["v1"]),
            Self::Gateway => Spelling {
                kind: "Gateway",
                ..Spelling::new(GATEWAY_API_GATEWAY, "gateways", GATEWAY_API, &["v1", "v1beta1"])
            },
            Self::ListenerSet => Spelling::new("ListenerSet", "listenersets", GATEWAY_API, &["v1"]),
            Self::HttpRoute => Spelling::new("HTTPRoute", "httproutes", GATEWAY_API, &["v1", "v1beta1"]),
            Self::GrpcRoute => Spelling::new("GRPCRoute", "grpcroutes", GATEWAY_API, &["v1", "v1alpha2"]),
            Self::TlsRoute => {
                Spelling::new("TLSRoute", "tlsroutes", GATEWAY_API, &["v1", "v1alpha3", "v1alpha2"])
            }
            Self::TcpRoute => Spelling::new("TCPRoute", "tcproutes", GATEWAY_API, &["v1", "v1alpha2"]),
            Self::UdpRoute => Spelling::new("UDPRoute", "udproutes", GATEWAY_API, &["v1", "v1alpha2"]),
            Self::DnsEndpoint => {
                Spelling::new("DNSEndpoint", "dnsendpoints", "externaldns.k8s.io", &["v1alpha1"])
            }
            Self::IstioGateway => Spelling {
                resource: "gateways.networking.istio.io",
                ..Spelling::new("Gateway", "gateways", ISTIO, &["v1", "v1beta1", "v1alpha3"])
            },
            Self::VirtualService => {
                Spelling::new("VirtualService", "virtualservices", ISTIO, &["v1", "v1beta1", "v1alpha3"])
            }
            Self::IngressRoute => Spelling::new("IngressRoute", "ingressroutes", TRAEFIK, &["v1alpha1"]),
            Self::IngressRouteTcp => {
                Spelling::new("IngressRouteTCP", "ingressroutetcps", TRAEFIK, &["v1alpha1"])
            }
            Self::IngressRouteUdp => {
                Spelling::new("IngressRouteUDP", "ingressrouteudps", TRAEFIK, &["v1alpha1"])
            }
            Self::LegacyIngressRoute => Spelling {
                word: "IngressRoute.traefik.containo.us",
                resource: "ingressroutes.traefik.containo.us",
                ..Spelling::new("IngressRoute", "ingressroutes", TRAEFIK_2, &["v1alpha1"])
            },
            Self::LegacyIngressRouteTcp => Spelling {
                word: "IngressRouteTCP.traefik.containo.us",
                resource: "ingressroutetcps.traefik.containo.us",
                ..Spelling::new("IngressRouteTCP", "ingressroutetcps", TRAEFIK_2, &["v1alpha1"])
            },
            Self::LegacyIngressRouteUdp => Spelling {
                word: "IngressRouteUDP.traefik.containo.us",
                resource: "ingressrouteudps.traefik.containo.us",
                ..Spelling::new("IngressRouteUDP", "ingressrouteudps", TRAEFIK_2, &["v1alpha1"])
            },
            Self::HttpProxy => Spelling::new("HTTPProxy", "httpproxies", "projectcontour.io", &["v1"]),
            Self::OpenshiftRoute => Spelling::new("Route", "routes", "route.openshift.io", &["v1"]),
        }
    }

    /// The word for it in references and problems: as the API spells it, with its group where two
    /// kinds share the spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.spelling().word
    }

    /// As it stands in objects.
    #[must_use]
    pub const fn api_kind(self) -> &'static str {
        self.spelling().kind
    }

    /// As it stands in paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.spelling().plural
    }

    /// The word for it in the counts of requests: the plural, unless two kinds share it.
    #[must_use]
    pub const fn resource(self) -> &'static str {
        self.spelling().resource
    }

    /// API group; empty for the core.
    #[must_use]
    pub const fn group(self) -> &'static str {
        self.spelling().group
    }

    /// The versions that we can read, the most wanted first; never empty.
    #[must_use]
    pub const fn versions(self) -> &'static [&'static str] {
        self.spelling().versions
    }

    /// The kind of a word, of Pods the one that finds the instances; `None` for one that we do not
    /// read.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The kind of an object. Other groups use the same spellings: Knative has a Service and a
    /// Route of its own. A hand-made file may leave the API version out.
    #[must_use]
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let fits = |one: &Self| {
            one.api_kind() == kind
                && (api_version.is_empty()
                    || group == one.group()
                    || (*one == Self::Ingress && group == "extensions"))
        };
        Self::ALL.into_iter().find(fits)
    }

    /// True if the view is worth nothing without the kind.
    #[must_use]
    pub const fn is_vital(self) -> bool {
        matches!(self, Self::Ingress)
    }

    /// True if a row of it may decide what is wanted.
    #[must_use]
    pub const fn holds_objects(self) -> bool {
        !matches!(self, Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::Pod)
    }

    /// True if the cluster may not have the kind at all: a custom resource.
    #[must_use]
    pub const fn may_be_absent(self) -> bool {
        !matches!(
            self,
            Self::Ingress
                | Self::Service
                | Self::Deployment
                | Self::StatefulSet
                | Self::DaemonSet
                | Self::Pod
                | Self::PodAddresses
                | Self::Node
                | Self::EndpointSlice
                | Self::Namespace
        )
    }

    /// Makes the row of an object; `None` for one that needs not be kept, because it neither
    /// asks for names nor runs ExternalDNS.
    ///
    /// # Errors
    ///
    /// A member has another type than the API says.
    pub fn decode(self, value: Value) -> Result<Option<Row>, serde_json::Error> {
        let object = match self {
            Self::Ingress => read::<RawIngress>(value)?.decode(),
            Self::Service => read::<RawService>(value)?.decode(),
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => {
                let workload = read::<RawWorkload>(value)?.decode(self.as_str());
                let kept = workload.containers.iter().any(runs_external_dns);
                return Ok(kept.then(|| Row::Workload(Arc::new(workload))));
            }
            Self::Pod => {
                let pod = read::<RawPod>(value)?.decode();
                let kept = pod.containers.iter().any(runs_external_dns);
                return Ok(kept.then(|| Row::Pod(Arc::new(pod))));
            }
            Self::PodAddresses => read::<RawPodAddresses>(value)?.decode(),
            Self::Node => read::<RawNode>(value)?.decode(),
            Self::EndpointSlice => read::<RawSlice>(value)?.decode(),
            Self::Namespace => read::<RawNamespace>(value)?.decode(),
            Self::Gateway => read::<RawGateway>(value)?.decode(self.as_str()),
            Self::ListenerSet => read::<RawListenerSet>(value)?.decode(),
            Self::HttpRoute | Self::GrpcRoute | Self::TlsRoute | Self::TcpRoute | Self::UdpRoute => {
                read::<RawRoute>(value)?.decode(self.as_str())
            }
            Self::DnsEndpoint => read::<RawDnsEndpoint>(value)?.decode(),
            Self::IstioGateway => read::<RawIstioGateway>(value)?.decode(),
            Self::VirtualService => read::<RawVirtualService>(value)?.decode(),
            Self::IngressRoute | Self::IngressRouteTcp | Self::IngressRouteUdp => {
                read::<RawTraefikRoute>(value)?.decode(self.as_str(), false)
            }
            Self::LegacyIngressRoute | Self::LegacyIngressRouteTcp | Self::LegacyIngressRouteUdp => {
                read::<RawTraefikRoute>(value)?.decode(self.as_str(), true)
            }
            Self::HttpProxy => read::<RawHttpProxy>(value)?.decode(),
            Self::OpenshiftRoute => read::<RawOpenshiftRoute>(value)?.decode(),
        };
        Ok(Some(Row::Object(Arc::new(object))))
    }
}

// === impl ServedKind ===

impl ServedKind {
    /// `networking.k8s.io/v1`, `apps/v1`, `v1`.
    #[must_use]
    pub fn api_version(self) -> String {
        let group = self.kind.group();
        if group.is_empty() { self.version.to_owned() } else { format!("{group}/{}", self.version) }
    }

    /// The ways in which a kind may be served, the most wanted first.
    pub fn ways(kind: Kind) -> impl Iterator<Item = Self> {
        kind.versions().iter().map(move |version| Self { kind, version })
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    T::deserialize(value)
}

// === impl Watched ===

impl Watched {
    /// Kind, namespace and name; a nameless object has an empty name.
    #[must_use]
    pub fn reference(&self, kind: Kind) -> ObjectRef {
        let text = |text: &Option<String>| truncate(text.as_deref().unwrap_or_default(), MAX_NAME);
        ObjectRef::new(kind.as_str(), &text(&self.metadata.namespace), &text(&self.metadata.name))
    }
}

impl<'de> Deserialize<'de> for Watched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Place::Object.deserialize(deserializer)?;
        let member =
            |name: &str| value.get("metadata").and_then(|meta| meta.get(name)?.as_str().map(str::to_owned));
        let metadata = ObjectMeta {
            name: member("name"),
            namespace: member("namespace"),
            resource_version: member("resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, value })
    }
}

impl kube::Resource for Watched {
    type DynamicType = ServedKind;
    type Scope = NamespaceResourceScope;

    fn kind(served: &ServedKind) -> Cow<'_, str> {
        served.kind.api_kind().into()
    }

    fn group(served: &ServedKind) -> Cow<'_, str> {
        served.kind.group().into()
    }

    fn version(served: &ServedKind) -> Cow<'_, str> {
        served.version.into()
    }

    fn plural(served: &ServedKind) -> Cow<'_, str> {
        served.kind.plural().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::desired::prune::LAST_APPLIED;

    #[test]
    fn an_odd_object_is_read_but_not_decoded() {
        let odd = json!({"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7"},
                         "spec": {"rules": "none"}});
        let watched: Watched = serde_json::from_value(odd).expect("read");
        assert_eq!(watched.reference(Kind::Ingress).to_string(), "Ingress/shop/web");
        assert!(Kind::Ingress.decode(watched.value).is_err());
        let nonsense: Watched = serde_json::from_value(json!([1])).expect("read");
        assert!(Kind::Ingress.decode(nonsense.value).is_err());
    }

    #[test]
    fn the_largest_parts_are_dropped_and_times_kept() {
        let watched: Watched = serde_json::from_value(json!({"metadata": {
            "annotations": {LAST_APPLIED: "{}", "a": "b"},
            "managedFields": [{"time": "2026-11-22T10:01:00Z", "fieldsV1": {"f:spec": {}}}]}}))
        .expect("read");
        let expected = json!({"metadata": {"annotations": {"a": "b"}, "managedFields": [{"time": "2026-11-22T10:01:00Z"}]}});
        assert_eq!(watched.value, expected);
    }

    #[test]
    fn kinds_of_one_spelling_are_told_apart() {
        let check = |version: &str, kind: &str, expected: Option<Kind>| {
            assert_eq!(Kind::of(version, kind), expected, "{version} {kind}");
        };
        check("gateway.networking.k8s.io/v1beta1", "Gateway", Some(Kind::Gateway));
        check("networking.istio.io/v1", "Gateway", Some(Kind::IstioGateway));
        check("traefik.containo.us/v1alpha1", "IngressRoute", Some(Kind::LegacyIngressRoute));
        check("extensions/v1beta1", "Ingress", Some(Kind::Ingress));
        check("serving.knative.dev/v1", "Service", None);
        check("serving.knative.dev/v1", "Route", None);
        check("", "Service", Some(Kind::Service));
        check("v1", "Ingress", None);
        for kind in Kind::ALL {
            let expected = if kind == Kind::PodAddresses { Kind::Pod } else { kind };
            assert_eq!(Kind::from_word(kind.as_str()), Some(expected), "{kind:?}");
        }
    }

    #[test]
    fn only_external_dns_is_kept_of_workloads_and_pods() {
        let nginx = json!({"spec": {"template": {"spec": {"containers": [{"image": "nginx"}]}}}});
        assert_eq!(Kind::Deployment.decode(nginx).expect("decoded"), None);
        let ours = json!({"spec": {"containers": [{"image": "r/external-dns:v0.14.2"}]}});
        assert!(Kind::Pod.decode(ours).expect("decoded").is_some());
    }
}
