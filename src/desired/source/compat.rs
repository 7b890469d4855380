//! `--compatibility`: annotations of the programs that ExternalDNS came after. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/compatibility.go.

use std::collections::BTreeMap;

use crate::desired::endpoint::{Endpoint, Shared, endpoints_for};
use crate::desired::source::{SourceInput, node, status_targets};
use crate::desired::versions::Behaviour;
use crate::model::object::{Body, KubeObject, Service};

/// Annotation of kops' dns-controller for the names that the world sees.
pub(super) const EXTERNAL: &str = "dns.alpha.kubernetes.io/external";
/// Annotation of kops' dns-controller for the names inside.
pub(super) const INTERNAL: &str = "dns.alpha.kubernetes.io/internal";

/// What a Service without endpoints of its own yields in compatibility mode.
pub(super) fn of_service(object: &KubeObject, service: &Service, input: &SourceInput<'_>) -> Vec<Endpoint> {
    let annotation = |key: &str| object.annotations.get(key).map(split);
    let balancer = status_targets(&service.addresses);
    match input.instance.flags.details.compatibility.as_str() {
        "mate" => {
            let host = object.annotations.get("zalando.org/dnsname").map(str::to_owned);
            endpoints(object, input, host.as_slice(), &balancer)
        }
        "molecule" if object.labels.get("dns").is_some_and(|value| value == "route53") => {
            endpoints(object, input, &annotation("domainName").unwrap_or_default(), &balancer)
        }
        "kops-dns-controller" => {
            match (service.service_type.as_str(), annotation(EXTERNAL), annotation(INTERNAL)) {
                ("LoadBalancer", external, internal) => {
                    let hosts: Vec<String> = external.into_iter().chain(internal).flatten().collect();
                    endpoints(object, input, &hosts, &balancer)
                }
                ("NodePort", Some(hosts), None) => endpoints(object, input, &hosts, &of_nodes(input, true)),
                ("NodePort", None, Some(hosts)) => endpoints(object, input, &hosts, &of_nodes(input, false)),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// A comma list without blanks.
pub(super) fn split(text: &str) -> Vec<String> {
    text.replace(' ', "").split(',').map(str::to_owned).collect()
}

/// Addresses of the Nodes with the role `node`.
fn of_nodes(input: &SourceInput<'_>, external: bool) -> Vec<String> {
    let ipv6 = node::shows_internal_ipv6(input, Behaviour::InternalIpv6OfPods);
    let counts = |kind: &str, address: &str| match (external, kind) {
        (true, "ExternalIP") | (false, "InternalIP") => true,
        (true, "InternalIP") => ipv6 && address.contains(':'),
        _ => false,
    };
    let nodes = input.of_kind("Node").filter(|row| row.labels.contains_key("node-role.kubernetes.io/node"));
    nodes
        .filter_map(|row| if let Body::Node(node) = &row.body { Some(node) } else { None })
        .flat_map(|node| node.addresses.iter().filter(|(kind, address)| counts(kind, address)))
        .map(|(_, address)| address.clone())
        .collect()
}

fn endpoints(
    object: &KubeObject,
    input: &SourceInput<'_>,
    hosts: &[String],
    targets: &[String],
) -> Vec<Endpoint> {
    let shared = Shared {
        ttl: None,
        set_identifier: None,
        properties: BTreeMap::new(),
        object: object.reference.clone(),
    };
    hosts.iter().flat_map(|host| endpoints_for(host, targets, &shared, input.version())).collect()
}
