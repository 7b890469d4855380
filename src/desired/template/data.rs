//! What templates see of an object: the members that we keep, under their names in Go.

use std::collections::BTreeMap;

use crate::model::object::{Body, KubeObject, LoadBalancerAddress, Node, PodAddresses, Service};

/// A value within a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    /// `nil`.
    Nil,
    /// A string.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A truth value.
    Bool(bool),
    /// A list.
    List(Vec<Self>),
    /// A map of strings to strings: a missing key is the empty string.
    Strings(BTreeMap<String, String>),
    /// A map of anything.
    Map(BTreeMap<String, Self>),
    /// A struct: a field that it does not have is an error in Go, or one that we do not keep.
    Struct(BTreeMap<&'static str, Self>),
}

/// The object as the data of a template.
pub(super) fn of_object(object: &KubeObject) -> Data {
    let meta = BTreeMap::from([
        ("Name", text(&object.reference.name)),
        ("Namespace", text(&object.reference.namespace)),
        ("UID", text(&object.uid)),
        ("Labels", Data::Strings(object.labels.to_map())),
        ("Annotations", Data::Strings(object.annotations.to_map())),
    ]);
    // Go promotes the members of the embedded metadata.
    let mut all = meta.clone();
    all.insert("ObjectMeta", Data::Struct(meta));
    all.insert("Kind", text(&object.reference.kind));
    if let Some(version) = api_version(&object.body) {
        all.insert("APIVersion", text(version));
    }
    let (spec, status) = body(&object.body);
    all.insert("Spec", spec);
    all.insert("Status", status);
    Data::Struct(all)
}

/// The version of the API that ExternalDNS reads; `None` where we do not keep it.
fn api_version(body: &Body) -> Option<&'static str> {
    match body {
        Body::Ingress(_) => Some("networking.k8s.io/v1"),
        Body::Service(_) | Body::Node(_) | Body::Pod(_) => Some("v1"),
        Body::EndpointSlice(_) | Body::Custom(_) => None,
    }
}

fn body(body: &Body) -> (Data, Data) {
    match body {
        Body::Ingress(ingress) => {
            let rules = ingress.rule_hosts.iter().map(|host| fields([("Host", text(host))]));
            let hosts = Data::List(ingress.tls_hosts.iter().map(|host| text(host)).collect());
            let tls =
                if ingress.tls_hosts.is_empty() { Vec::new() } else { vec![fields([("Hosts", hosts)])] };
            let class = ingress.class_name.as_deref().map_or(Data::Nil, text);
            let spec = fields([
                ("Rules", Data::List(rules.collect())),
                ("TLS", Data::List(tls)),
                ("IngressClassName", class),
            ]);
            (spec, load_balancer(&ingress.addresses))
        }
        Body::Service(service) => (of_service(service), load_balancer(&service.addresses)),
        Body::Node(node) => of_node(node),
        Body::Pod(pod) => of_pod(pod),
        Body::EndpointSlice(_) | Body::Custom(_) => (fields([]), fields([])),
    }
}

fn of_service(service: &Service) -> Data {
    let ports = service.ports.iter().map(|port| {
        fields([
            ("Name", text(&port.name)),
            ("Port", Data::Number(port.port.into())),
            ("Protocol", text(&port.protocol)),
            ("NodePort", Data::Number(port.node_port.into())),
        ])
    });
    fields([
        ("Type", text(&service.service_type)),
        ("ClusterIP", text(service.cluster_ip.as_deref().unwrap_or_default())),
        ("ExternalIPs", texts(&service.external_ips)),
        ("ExternalName", text(service.external_name.as_deref().unwrap_or_default())),
        ("Selector", Data::Strings(service.selector.clone())),
        ("Ports", Data::List(ports.collect())),
    ])
}

fn of_node(node: &Node) -> (Data, Data) {
    let addresses = node
        .addresses
        .iter()
        .map(|(kind, address)| fields([("Type", text(kind)), ("Address", text(address))]));
    let status = fields([("Addresses", Data::List(addresses.collect()))]);
    (fields([("Unschedulable", Data::Bool(node.unschedulable))]), status)
}

fn of_pod(pod: &PodAddresses) -> (Data, Data) {
    let spec = fields([
        ("NodeName", text(&pod.node)),
        ("HostNetwork", Data::Bool(pod.host_network)),
        ("Hostname", text(&pod.hostname)),
    ]);
    let ips = pod.ips.iter().map(|ip| fields([("IP", text(ip))]));
    let status = fields([
        ("PodIP", text(pod.ips.first().map_or("", String::as_str))),
        ("PodIPs", Data::List(ips.collect())),
        ("HostIP", text(&pod.host_ip)),
        ("Phase", text(&pod.phase)),
    ]);
    (spec, status)
}

fn load_balancer(addresses: &[LoadBalancerAddress]) -> Data {
    let row = |address: &LoadBalancerAddress| {
        fields([
            ("IP", text(address.ip.as_deref().unwrap_or_default())),
            ("Hostname", text(address.hostname.as_deref().unwrap_or_default())),
        ])
    };
    let ingress = Data::List(addresses.iter().map(row).collect());
    fields([("LoadBalancer", fields([("Ingress", ingress)]))])
}

fn fields<const N: usize>(rows: [(&'static str, Data); N]) -> Data {
    Data::Struct(BTreeMap::from(rows))
}

fn text(text: &str) -> Data {
    Data::Text(text.to_owned())
}

fn texts(all: &[String]) -> Data {
    Data::List(all.iter().map(|one| text(one)).collect())
}
