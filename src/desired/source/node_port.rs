//! Services of type `NodePort`: the addresses of Nodes, and where the ports are. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/service.go (`extractNodePortTargets`,
//! `extractNodePortEndpoints`).

use std::collections::BTreeMap;

use crate::desired::annotations::Annotations;
use crate::desired::endpoint::{Endpoint, Shared, endpoint};
use crate::desired::source::{SourceInput, headless, node};
use crate::desired::versions::{Behaviour, does};
use crate::model::object::{Body, KubeObject, Node, Service};
use crate::model::{RecordType, Version};

/// The addresses that a Service of type `NodePort` is reached at.
pub(super) fn targets(object: &KubeObject, service: &Service, input: &SourceInput<'_>) -> Vec<String> {
    let annotations = Annotations::of(&object.annotations, &input.instance.flags);
    let serving = service.local_traffic.then(|| serving_nodes(object, service, input));
    let nodes: Vec<&Node> = input
        .of_kind("Node")
        .filter(|row| {
            serving.as_ref().is_none_or(|names| names.iter().any(|name| **name == *row.reference.name))
        })
        .filter_map(|row| if let Body::Node(node) = &row.body { Some(node) } else { None })
        .filter(|node| node::counts(node, input, Behaviour::UnschedulableLeftOutOfServices))
        .collect();
    let of = |kind: &str| nodes.iter().flat_map(|node| node::addresses(node, kind)).collect::<Vec<_>>();
    let (mut external, internal) = (of("ExternalIP"), of("InternalIP"));
    let any_external = !external.is_empty();
    if node::shows_internal_ipv6(input, Behaviour::InternalIpv6OfNodePorts) {
        external.extend(internal.iter().filter(|one| one.contains(':')).cloned());
    }
    let is_read = does(input.version(), Behaviour::AccessOfNodePorts);
    match annotations.get("access").filter(|_| is_read) {
        Some("public") => external,
        Some("private") => internal,
        Some(_) | None if any_external => external,
        Some(_) | None => internal,
    }
}

/// The Nodes that run Pods of the Service, of the best class that there is: ready, ready on its
/// way out, running.
fn serving_nodes(object: &KubeObject, service: &Service, input: &SourceInput<'_>) -> Vec<String> {
    let mut classes: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for row in input.of_kind("Pod").filter(|row| row.reference.namespace == object.reference.namespace) {
        let Body::Pod(pod) = &row.body else { continue };
        let placed = input.object("Node", "", &pod.node).is_some();
        if pod.phase != "Running" || !placed || !headless::selects(service, row) {
            continue;
        }
        let class = match (pod.ready, row.deletion_at.is_some()) {
            _ if !does(input.version(), Behaviour::ReadyForLocalTraffic) => 0,
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => 2,
        };
        classes.entry(class).or_default().push(pod.node.clone());
    }
    classes.pop_first().map(|(_, nodes)| nodes).unwrap_or_default()
}

/// One SRV for each port that Nodes listen at.
pub(super) fn services(
    object: &KubeObject,
    service: &Service,
    shared: &Shared,
    host: &str,
    version: Version,
) -> Vec<Endpoint> {
    let ports = service.ports.iter().filter(|port| port.node_port != 0);
    ports
        .map(|port| {
            let name = format!("_{}._{}.{host}", object.reference.name, port.protocol.to_ascii_lowercase());
            let target = format!("0 50 {} {host}.", port.node_port);
            endpoint(&name, RecordType::Srv, vec![target], shared, version)
        })
        .collect()
}
