//! Shapes of the Gateway API.
//!
//! Source: gateway.networking.k8s.io/v1, types `HTTPRoute`, `Gateway`, `ListenerSet`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{RawCondition, RawObject, condition, is_true};
use crate::desired::objects::nullable;
use crate::model::custom::{
    Custom, Expression, Gateway, GatewayRoute, LabelSelector, Listener, ListenerSet, NamespaceRule,
    ParentRef, RouteParent,
};
use crate::model::object::{Body, KubeObject};

/// HTTPRoute and its siblings.
pub type RawRoute = RawObject<RawRouteSpec, RawRouteStatus>;
/// Gateway.
pub type RawGateway = RawObject<RawGatewaySpec, RawGatewayStatus>;
/// ListenerSet.
pub type RawListenerSet = RawObject<RawListenerSetSpec, RawListenerSetStatus>;

/// Spec of a route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawRouteSpec {
    #[serde(deserialize_with = "nullable")]
    pub hostnames: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub parent_refs: Vec<RawParentRef>,
}

/// Names a parent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawParentRef {
    #[serde(deserialize_with = "nullable")]
    pub group: String,
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    #[serde(deserialize_with = "nullable")]
    pub namespace: String,
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub section_name: String,
    pub port: Option<i64>,
}

/// Status of a route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawRouteStatus {
    #[serde(deserialize_with = "nullable")]
    pub parents: Vec<RawRouteParent>,
}

/// What one parent says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawRouteParent {
    #[serde(deserialize_with = "nullable")]
    pub parent_ref: RawParentRef,
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<RawCondition>,
}

/// Spec of a Gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawGatewaySpec {
    #[serde(deserialize_with = "nullable")]
    pub listeners: Vec<RawListener>,
    #[serde(deserialize_with = "nullable")]
    pub allowed_listeners: RawAllowed,
}

/// Status of a Gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawGatewayStatus {
    #[serde(deserialize_with = "nullable")]
    pub addresses: Vec<RawAddress>,
}

/// One address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawAddress {
    #[serde(deserialize_with = "nullable")]
    pub value: String,
}

/// Spec of a ListenerSet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawListenerSetSpec {
    #[serde(deserialize_with = "nullable")]
    pub parent_ref: RawParentRef,
    #[serde(deserialize_with = "nullable")]
    pub listeners: Vec<RawListener>,
}

/// Status of a ListenerSet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawListenerSetStatus {
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<RawCondition>,
    #[serde(deserialize_with = "nullable")]
    pub listeners: Vec<RawListenerStatus>,
}

/// Status of one listener of a ListenerSet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawListenerStatus {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<RawCondition>,
}

/// A listener.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawListener {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub protocol: String,
    #[serde(deserialize_with = "nullable")]
    pub port: i64,
    #[serde(deserialize_with = "nullable")]
    pub hostname: String,
    #[serde(deserialize_with = "nullable")]
    pub allowed_routes: RawAllowed,
}

/// `allowedRoutes` and `allowedListeners`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawAllowed {
    #[serde(deserialize_with = "nullable")]
    pub namespaces: RawNamespaces,
    #[serde(deserialize_with = "nullable")]
    pub kinds: Vec<RawGroupKind>,
}

/// `namespaces` of the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawNamespaces {
    pub from: Option<String>,
    pub selector: Option<RawSelector>,
}

/// `metav1.LabelSelector`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawSelector {
    #[serde(deserialize_with = "nullable")]
    pub match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub match_expressions: Vec<RawExpression>,
}

/// One row of `matchExpressions`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawExpression {
    #[serde(deserialize_with = "nullable")]
    pub key: String,
    #[serde(deserialize_with = "nullable")]
    pub operator: String,
    #[serde(deserialize_with = "nullable")]
    pub values: Vec<String>,
}

/// A kind that may attach itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawGroupKind {
    #[serde(deserialize_with = "nullable")]
    pub group: String,
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
}

// === decoding ===

impl RawRoute {
    /// The compact row of a route of one of the five kinds. TCP and UDP routes have no host names,
    /// whatever the object says.
    #[must_use]
    pub fn decode(self, kind: &str) -> KubeObject {
        let named = !matches!(kind, "TCPRoute" | "UDPRoute");
        let route = GatewayRoute {
            hostnames: if named { self.spec.hostnames } else { Vec::new() },
            parent_refs: self.spec.parent_refs.into_iter().map(RawParentRef::decode).collect(),
            parents: self.status.parents.into_iter().map(RawRouteParent::decode).collect(),
            generation: self.metadata.generation,
        };
        self.metadata.decode(kind, Body::Custom(Custom::GatewayRoute(route)))
    }
}

impl RawGateway {
    /// The compact row; `kind` is the word that tells it from the Gateway of Istio.
    #[must_use]
    pub fn decode(self, kind: &str) -> KubeObject {
        let gateway = Gateway {
            listeners: self.spec.listeners.into_iter().map(RawListener::decode).collect(),
            allowed_listeners: self.spec.allowed_listeners.namespaces.decode(),
            addresses: self.status.addresses.into_iter().map(|address| address.value).collect(),
        };
        self.metadata.decode(kind, Body::Custom(Custom::Gateway(gateway)))
    }
}

impl RawListenerSet {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let status = self.status;
        let is_accepted = |name: &str| {
            let row = status.listeners.iter().find(|row| row.name == name);
            row.is_some_and(|row| is_true(&row.conditions, "Accepted"))
        };
        let with_status = |listener: RawListener| {
            let accepted = is_accepted(&listener.name);
            (listener.decode(), accepted)
        };
        let set = ListenerSet {
            parent: self.spec.parent_ref.decode(),
            accepted: is_true(&status.conditions, "Accepted"),
            listeners: self.spec.listeners.into_iter().map(with_status).collect(),
        };
        self.metadata.decode("ListenerSet", Body::Custom(Custom::ListenerSet(set)))
    }
}

impl RawParentRef {
    fn decode(self) -> ParentRef {
        ParentRef {
            group: self.group,
            kind: self.kind,
            namespace: self.namespace,
            name: self.name,
            section: self.section_name,
            port: self.port,
        }
    }
}

impl RawRouteParent {
    fn decode(self) -> RouteParent {
        let accepted = condition(&self.conditions, "Accepted");
        RouteParent {
            accepted: accepted.is_some_and(|condition| condition.status == "True"),
            observed_generation: accepted.map_or(0, |condition| condition.observed_generation),
            parent: self.parent_ref.decode(),
        }
    }
}

impl RawListener {
    fn decode(self) -> Listener {
        Listener {
            name: self.name,
            protocol: self.protocol,
            port: self.port,
            hostname: self.hostname,
            namespaces: self.allowed_routes.namespaces.decode(),
            kinds: self.allowed_routes.kinds.into_iter().map(|one| (one.group, one.kind)).collect(),
        }
    }
}

impl RawNamespaces {
    fn decode(self) -> NamespaceRule {
        match self.from.as_deref() {
            None => NamespaceRule::Absent,
            Some("All") => NamespaceRule::All,
            Some("Same") => NamespaceRule::Same,
            Some("None") => NamespaceRule::None,
            Some("Selector") => NamespaceRule::Selector(self.selector.map(RawSelector::decode)),
            Some(_) => NamespaceRule::Unknown,
        }
    }
}

impl RawSelector {
    fn decode(self) -> LabelSelector {
        let expression =
            |row: RawExpression| Expression { key: row.key, operator: row.operator, values: row.values };
        LabelSelector {
            labels: self.match_labels,
            expressions: self.match_expressions.into_iter().map(expression).collect(),
        }
    }
}
