//! Gateways, ListenerSets and their listeners: to what a route may attach itself. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/gateway.go.

use std::net::IpAddr;

use crate::desired::annotations::Annotations;
use crate::desired::kinds::GATEWAY_API_GATEWAY;
use crate::desired::selector::Selector;
use crate::desired::source::{SourceInput, selects};
use crate::desired::versions::{Behaviour, does};
use crate::model::Version;
use crate::model::custom::{Custom, Gateway, GatewayRoute, Listener, ListenerSet, NamespaceRule, ParentRef};
use crate::model::object::{Body, KubeObject};

/// The group of the Gateway API.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// From this release ListenerSets are parents, with `--gateway-listener-sets`.
const LISTENER_SETS: Version = Version::new(0, 21, 0);
/// After this release Gateways and ListenerSets with another controller annotation are left out.
const GATEWAYS_OF_ANY_CONTROLLER: Version = Version::new(0, 22, 0);
/// From this release a Gateway's target annotation counts.
const TARGET_ON_GATEWAY: Version = Version::new(0, 14, 0);
/// From this release TCP routes take TLS listeners.
const TCP_ON_TLS: Version = Version::new(0, 14, 1);

/// A parent as a route finds it.
pub enum Parent<'a> {
    /// Of a kind that ExternalDNS does not follow, or hidden by a filter.
    Missing,
    /// There is no such object.
    Gone,
    /// A filter of the instance takes it out; in words.
    Filtered(String),
    /// It is there, but does not hold: a ListenerSet that its Gateway does not admit.
    Detached,
    /// Routes may attach themselves.
    Attached(Attached<'a>),
}

/// An attached parent.
pub struct Attached<'a> {
    /// Namespace of the Gateway or ListenerSet.
    owner: &'a str,
    /// What its routes point at.
    pub targets: Vec<String>,
    /// The addresses of the Gateway, which a target annotation may stand over.
    pub addresses: &'a [String],
    listeners: Vec<&'a Listener>,
}

/// A route as listeners look at it.
pub struct Guest<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its kind.
    pub kind: &'a str,
}

/// Finds the parent that a route's status names.
#[must_use]
pub fn find<'a>(input: &SourceInput<'a>, parent: &ParentRef, route_namespace: &str) -> Parent<'a> {
    let namespace = or(&parent.namespace, route_namespace);
    match (or(&parent.group, GROUP), or(&parent.kind, "Gateway")) {
        (GROUP, "Gateway") => find_gateway(input, namespace, &parent.name),
        (GROUP, "ListenerSet") => find_set(input, namespace, &parent.name),
        _ => Parent::Missing,
    }
}

/// The Gateways and ListenerSets that a route's status names.
#[must_use]
pub fn behind<'a>(
    input: &SourceInput<'a>,
    route: &GatewayRoute,
    route_namespace: &str,
) -> Vec<&'a KubeObject> {
    let mut found = Vec::new();
    for said in &route.parents {
        let namespace = or(&said.parent.namespace, route_namespace);
        if or(&said.parent.kind, "Gateway") == "Gateway" {
            found.extend(gateway(input, namespace, &said.parent.name).map(|(object, _)| object));
            continue;
        }
        let Some(object) = input.object("ListenerSet", namespace, &said.parent.name) else { continue };
        found.push(object);
        if let Body::Custom(Custom::ListenerSet(set)) = &object.body {
            let over = or(&set.parent.namespace, namespace);
            found.extend(gateway(input, over, &set.parent.name).map(|(object, _)| object));
        }
    }
    found
}

/// True if both name the same parent of a route; section and port do not count.
#[must_use]
pub fn is_same_parent(left: &ParentRef, right: &ParentRef, route_namespace: &str) -> bool {
    or(&left.group, GROUP) == or(&right.group, GROUP)
        && or(&left.kind, "Gateway") == or(&right.kind, "Gateway")
        && or(&left.namespace, route_namespace) == or(&right.namespace, route_namespace)
        && left.name == right.name
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

fn find_gateway<'a>(input: &SourceInput<'a>, namespace: &str, name: &str) -> Parent<'a> {
    let Some((object, gateway)) = gateway(input, namespace, name) else {
        let details = &input.instance.flags.details;
        let fits = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
        let is_in_view = fits(&details.gateway_name, name) && fits(&details.gateway_namespace, namespace);
        return if is_in_view { Parent::Gone } else { Parent::Missing };
    };
    if let Some(detail) = filtered(input, object, name) {
        return Parent::Filtered(detail);
    }
    Parent::Attached(Attached {
        owner: &object.reference.namespace,
        targets: targets(input, object, gateway),
        addresses: &gateway.addresses,
        listeners: gateway.listeners.iter().collect(),
    })
}

fn find_set<'a>(input: &SourceInput<'a>, namespace: &str, name: &str) -> Parent<'a> {
    if !input.instance.flags.details.gateway_listener_sets || input.version() < LISTENER_SETS {
        return Parent::Missing;
    }
    let Some(object) = input.object("ListenerSet", namespace, name) else { return Parent::Gone };
    let Body::Custom(Custom::ListenerSet(set)) = &object.body else { return Parent::Missing };
    if is_of_other_controller(input, object) {
        return Parent::Filtered("the controller annotation of the ListenerSet".to_owned());
    }
    let filter = &input.instance.flags.annotation_filter;
    if GATEWAYS_OF_ANY_CONTROLLER < input.version() && !selects(filter, &object.annotations) {
        return Parent::Filtered(format!("--annotation-filter={filter} and the ListenerSet"));
    }
    let over = or(&set.parent.namespace, namespace);
    let Some((holder, gateway)) = gateway(input, over, &set.parent.name) else { return Parent::Detached };
    if let Some(detail) = filtered(input, holder, &set.parent.name) {
        return Parent::Filtered(detail);
    }
    if !set.accepted || !admits(input, holder, gateway, namespace) {
        return Parent::Detached;
    }
    Parent::Attached(attached_set(input, object, set, (holder, gateway)))
}

fn attached_set<'a>(
    input: &SourceInput<'a>,
    object: &'a KubeObject,
    set: &'a ListenerSet,
    (holder, gateway): (&'a KubeObject, &'a Gateway),
) -> Attached<'a> {
    let own = input.annotations(object).targets();
    Attached {
        owner: &object.reference.namespace,
        targets: if own.is_empty() { targets(input, holder, gateway) } else { own },
        addresses: &gateway.addresses,
        listeners: set
            .listeners
            .iter()
            .filter(|(_, accepted)| *accepted)
            .map(|(listener, _)| listener)
            .collect(),
    }
}

fn gateway<'a>(
    input: &SourceInput<'a>,
    namespace: &str,
    name: &str,
) -> Option<(&'a KubeObject, &'a Gateway)> {
    let object = input.object(GATEWAY_API_GATEWAY, namespace, name)?;
    if let Body::Custom(Custom::Gateway(gateway)) = &object.body { Some((object, gateway)) } else { None }
}

/// The flag that takes a Gateway out of view.
fn filtered(input: &SourceInput<'_>, gateway: &KubeObject, name: &str) -> Option<String> {
    let details = &input.instance.flags.details;
    let given = |text: &str| !text.is_empty();
    if given(&details.gateway_name) && details.gateway_name != name {
        return Some(format!("--gateway-name={}", details.gateway_name));
    }
    if given(&details.gateway_namespace) && *details.gateway_namespace != *gateway.reference.namespace {
        return Some(format!("--gateway-namespace={}", details.gateway_namespace));
    }
    let selector = &details.gateway_label_filter;
    let selects = |selector: Selector| selector.matches(&gateway.labels);
    if given(selector) && !Selector::parse(selector).is_ok_and(selects) {
        return Some(format!("--gateway-label-filter={selector}"));
    }
    is_of_other_controller(input, gateway).then(|| "the controller annotation of the Gateway".to_owned())
}

fn is_of_other_controller(input: &SourceInput<'_>, object: &KubeObject) -> bool {
    let flags = &input.instance.flags;
    let annotations = Annotations::of(&object.annotations, flags);
    GATEWAYS_OF_ANY_CONTROLLER < input.version() && annotations.is_for_other_controller()
}

fn targets(input: &SourceInput<'_>, object: &KubeObject, gateway: &Gateway) -> Vec<String> {
    let flags = &input.instance.flags;
    let annotated = Annotations::of(&object.annotations, flags).targets();
    if annotated.is_empty() || input.version() < TARGET_ON_GATEWAY {
        gateway.addresses.clone()
    } else {
        annotated
    }
}

/// True if a Gateway takes in ListenerSets of a namespace. Without a word it takes none.
fn admits(input: &SourceInput<'_>, holder: &KubeObject, gateway: &Gateway, namespace: &str) -> bool {
    match &gateway.allowed_listeners {
        NamespaceRule::All => true,
        NamespaceRule::Same => *holder.reference.namespace == *namespace,
        NamespaceRule::Selector(Some(selector)) => {
            input.object("Namespace", "", namespace).is_some_and(|one| selector.matches(&one.labels))
        }
        NamespaceRule::Absent
        | NamespaceRule::None
        | NamespaceRule::Selector(None)
        | NamespaceRule::Unknown => false,
    }
}

// === impl Attached ===

impl<'a> Attached<'a> {
    /// The listeners that take a route in, of those that its parent reference means.
    pub fn listeners(
        &self,
        input: &SourceInput<'_>,
        parent: &ParentRef,
        guest: &Guest<'_>,
    ) -> impl Iterator<Item = &'a Listener> {
        // The last of several listeners of one name is the one that a section means.
        let by_port = does(input.version(), Behaviour::PortOfParent);
        let section = self.listeners.iter().rposition(|listener| listener.name == parent.section);
        self.listeners
            .iter()
            .enumerate()
            .filter(|(at, _)| parent.section.is_empty() || section == Some(*at))
            .map(|(_, listener)| *listener)
            .filter(|listener| protocols_match(guest.kind, &listener.protocol, input.version()))
            .filter(|listener| !by_port || parent.port.is_none_or(|port| port == listener.port))
            .filter(|listener| self.allows(input, listener, guest))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn allows(&self, input: &SourceInput<'_>, listener: &Listener, guest: &Guest<'_>) -> bool {
        let by_namespace = match &listener.namespaces {
            NamespaceRule::All => true,
            NamespaceRule::Absent | NamespaceRule::Same => self.owner == guest.namespace,
            NamespaceRule::Selector(Some(selector)) => input
                .object("Namespace", "", guest.namespace)
                .is_some_and(|one| selector.matches(&one.labels)),
            NamespaceRule::None | NamespaceRule::Selector(None) | NamespaceRule::Unknown => false,
        };
        let by_kind = listener.kinds.is_empty()
            || listener.kinds.iter().any(|(group, kind)| or(group, GROUP) == GROUP && kind == guest.kind);
        by_namespace && by_kind
    }
}

/// HTTP and HTTPS are one; a TCP route takes TLS listeners too.
fn protocols_match(kind: &str, listener: &str, version: Version) -> bool {
    match kind {
        "HTTPRoute" | "GRPCRoute" => matches!(listener, "HTTP" | "HTTPS"),
        "TLSRoute" => listener == "TLS",
        "TCPRoute" => listener == "TCP" || (listener == "TLS" && TCP_ON_TLS <= version),
        "UDPRoute" => listener == "UDP",
        _ => false,
    }
}

/// The most specific host that both sides cover; an empty side covers everything, and a leading
/// `*.` covers any depth, or one label only.
#[must_use]
pub fn common_host(left: &str, right: &str, any_depth: bool) -> Option<String> {
    let (left, right) = (canonical(left)?, canonical(right)?);
    if left.is_empty() {
        return Some(right);
    }
    if right.is_empty() || left == right {
        return Some(left);
    }
    if !any_depth && left.split('.').count() != right.split('.').count() {
        return None;
    }
    let swap = right.len() < left.len() || (right.len() == left.len() && right.starts_with("*."));
    let (wide, narrow) = if swap { (right, left) } else { (left, right) };
    let suffix = wide.strip_prefix('*').filter(|suffix| suffix.starts_with('.'))?;
    narrow.ends_with(suffix).then_some(narrow)
}

/// Lower case; `None` for what is no host name, addresses among them.
fn canonical(host: &str) -> Option<String> {
    if host.is_empty() {
        return Some(String::new());
    }
    let bare = host.strip_prefix("*.").unwrap_or(host);
    let labels = bare.strip_suffix('.').unwrap_or(bare);
    let legal = host.parse::<IpAddr>().is_err() && bare.len() <= 255 && labels.split('.').all(is_label);
    legal.then(|| host.to_ascii_lowercase())
}

fn is_label(label: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = label.as_bytes();
    label.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_meet_at_the_narrower_one() {
        let check = |left: &str, right: &str, expected: Option<&str>| {
            assert_eq!(common_host(left, right, true).as_deref(), expected, "{left:?} {right:?}");
            assert_eq!(common_host(right, left, true).as_deref(), expected, "{right:?} {left:?}");
        };
        check("", "", Some(""));
        check("", "A.example.com", Some("a.example.com"));
        check("a.example.com", "a.example.com", Some("a.example.com"));
        check("*.example.com", "a.b.example.com", Some("a.b.example.com"));
        check("*.example.com", "*.b.example.com", Some("*.b.example.com"));
        assert_eq!(common_host("*.example.com", "a.b.example.com", false), None);
        assert_eq!(common_host("*.example.com", "a.example.com", false).as_deref(), Some("a.example.com"));
        check("*.example.com", "x.example.com", Some("x.example.com"));
        check("*.example.com", "example.com", None);
        check("*.example.com", "a.example.net", None);
        check("a.example.com", "b.example.com", None);
        check("", "192.0.2.1", None);
        check("", "a_b.example.com", None);
        check("", "a..example.com", None);
        check("", "-a.example.com", None);
        check("*", "a.example.com", None);
    }

    #[test]
    fn protocols() {
        let check = |kind: &str, listener: &str, expected: bool| {
            assert_eq!(
                protocols_match(kind, listener, Version::new(0, 22, 0)),
                expected,
                "{kind} {listener}"
            );
        };
        check("HTTPRoute", "HTTPS", true);
        check("HTTPRoute", "TLS", false);
        check("GRPCRoute", "HTTP", true);
        check("TLSRoute", "HTTPS", false);
        check("TCPRoute", "TLS", true);
        check("TCPRoute", "UDP", false);
        check("UDPRoute", "UDP", true);
        assert!(!protocols_match("TCPRoute", "TLS", Version::new(0, 14, 0)));
    }
}
