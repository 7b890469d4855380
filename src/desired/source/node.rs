//! Nodes. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/node.go.

use crate::desired::annotations::Annotations;
use crate::desired::endpoint::endpoints_for;
use crate::desired::source::{SourceInput, Yield, bare};
use crate::desired::versions::{Behaviour, does};
use crate::model::object::{Body, KubeObject, Node};

/// What a Node yields: its own name, or those of the templates.
pub(super) fn read(
    object: &KubeObject,
    node: &Node,
    input: &SourceInput<'_>,
    annotations: Annotations<'_>,
) -> Yield {
    let mut out = Yield::default();
    if !counts(node, input, Behaviour::UnschedulableLeftOut) {
        return out;
    }
    let overriding = input.overriding(object, annotations);
    let targets = if overriding.is_empty() { reachable(node, input) } else { overriding };
    let flags = &input.instance.flags;
    let by_template = !flags.fqdn_templates.is_empty() || input.has_pairs();
    let shared = bare(object, annotations, input.version());
    let of = |host: &str| endpoints_for(host, &targets, &shared, input.version());
    let mut endpoints = Vec::new();
    let combines = does(input.version(), Behaviour::NodeNamesCombine);
    if !by_template || flags.combine_fqdn && combines {
        endpoints.extend(of(&object.reference.name));
    }
    endpoints.extend(input.paired(object, !endpoints.is_empty(), &mut out));
    let templated = if combines {
        input.templated(object, !endpoints.is_empty(), &mut out)
    } else {
        input.first_templated(object, &mut out).into_iter().collect()
    };
    endpoints.extend(templated.iter().flat_map(|host| of(host)));
    out.endpoints = endpoints;
    out
}

/// True unless the Node takes no Pods and such are left out, as a source does from some release on.
pub(super) fn counts(node: &Node, input: &SourceInput<'_>, leaves_out: Behaviour) -> bool {
    let left_out = input.instance.flags.details.exclude_unschedulable && does(input.version(), leaves_out);
    !(node.unschedulable && left_out)
}

/// True if internal IPv6 addresses count as external. `by_flag`: whoever asks lets a flag decide.
pub(super) fn shows_internal_ipv6(input: &SourceInput<'_>, by_flag: Behaviour) -> bool {
    if does(input.version(), by_flag) {
        return input.instance.flags.details.expose_internal_ipv6;
    }
    does(input.version(), Behaviour::InternalIpv6)
}

/// External addresses, or internal ones if there is none.
fn reachable(node: &Node, input: &SourceInput<'_>) -> Vec<String> {
    let internal: Vec<String> = addresses(node, "InternalIP").collect();
    let external = external(node, input, Behaviour::InternalIpv6OfNodes);
    if addresses(node, "ExternalIP").next().is_none() { internal } else { external }
}

/// External addresses, and the internal ones of IPv6 where they count.
fn external(node: &Node, input: &SourceInput<'_>, by_flag: Behaviour) -> Vec<String> {
    let mut found: Vec<String> = addresses(node, "ExternalIP").collect();
    if shows_internal_ipv6(input, by_flag) {
        found.extend(addresses(node, "InternalIP").filter(|one| one.contains(':')));
    }
    found
}

/// External addresses of the Node of that name.
pub(super) fn external_of(name: &str, input: &SourceInput<'_>) -> Vec<String> {
    let Some(Body::Node(node)) = input.object("Node", "", name).map(|row| &row.body) else {
        return Vec::new();
    };
    external(node, input, Behaviour::InternalIpv6OfPods)
}

/// The same with every IPv6 address: Pods get those whatever the flag says.
pub(super) fn external_or_ipv6(name: &str, input: &SourceInput<'_>) -> Vec<String> {
    let Some(Body::Node(node)) = input.object("Node", "", name).map(|row| &row.body) else {
        return Vec::new();
    };
    if !does(input.version(), Behaviour::InternalIpv6) {
        return addresses(node, "ExternalIP").collect();
    }
    let counts =
        |kind: &str, address: &str| kind == "ExternalIP" || kind == "InternalIP" && address.contains(':');
    let found = node.addresses.iter().filter(|(kind, address)| counts(kind, address));
    found.map(|(_, address)| address.clone()).collect()
}

/// Addresses of one type, in order.
pub(super) fn addresses<'a>(node: &'a Node, kind: &'a str) -> impl Iterator<Item = String> + 'a {
    node.addresses.iter().filter(move |(found, _)| found == kind).map(|(_, address)| address.clone())
}
