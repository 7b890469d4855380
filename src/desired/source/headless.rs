//! Headless Services: the addresses of their Pods. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/service.go (`extractHeadlessEndpoints`).

use std::collections::BTreeMap;

use crate::desired::annotations::Annotations;
use crate::desired::endpoint::{Endpoint, Shared, endpoints_for};
use crate::desired::source::{SourceInput, node, service};
use crate::desired::versions::{Behaviour, does};
use crate::model::object::{Body, EndpointSlice, KubeObject, PodAddresses, Service, SliceEndpoint};

/// Which addresses of a Pod count.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Pod,
    Host,
    NodeExternal,
}

/// The endpoints of one host of a headless Service: all Pods under the host, and each Pod that has
/// a host name of its own under that.
pub(super) fn endpoints(
    object: &KubeObject,
    service: &Service,
    input: &SourceInput<'_>,
    shared: &Shared,
    host: &str,
) -> Vec<Endpoint> {
    let by_endpoints = does(input.version(), Behaviour::EndpointsOfHeadless);
    let found =
        if by_endpoints { of_slices(object, service, input) } else { of_running(object, service, input) };
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (pod, addresses) in found {
        let own = (!pod.hostname.is_empty()).then(|| format!("{}.{host}", pod.hostname));
        for name in own.into_iter().chain([host.to_owned()]) {
            names.entry(name).or_default().extend(addresses.iter().cloned());
        }
    }
    names
        .into_iter()
        .flat_map(|(name, mut targets)| {
            targets.sort();
            endpoints_for(&name, &targets, shared, input.version())
        })
        .collect()
}

/// A Pod and which of its addresses count.
type Found<'a> = (&'a PodAddresses, Vec<String>);

fn of_slices<'a>(object: &KubeObject, service: &Service, input: &SourceInput<'a>) -> Vec<Found<'a>> {
    let kind = kind(object, input);
    let not_ready = service.publish_not_ready || input.instance.flags.details.publish_not_ready;
    let mut found = Vec::new();
    // An Endpoints object, which older releases read, holds one family.
    let one_family = !does(input.version(), Behaviour::EndpointSlices);
    let is_four = |slice: &EndpointSlice| slice.address_type == "IPv4";
    let has_four = slices(object, input).any(is_four);
    for slice in slices(object, input).filter(|slice| !one_family || is_four(slice) == has_four) {
        if kind == Kind::Pod && !matches!(slice.address_type.as_str(), "" | "IPv4" | "IPv6") {
            continue;
        }
        for endpoint in slice.endpoints.iter().filter(|endpoint| endpoint.ready || not_ready) {
            let Some((pod, body)) = pod_of(object, service, input, endpoint) else { continue };
            found.push((body, addresses(pod, body, input, (kind, endpoint))));
        }
    }
    found
}

/// Before it read endpoints: every Pod that runs, whether it is ready or not.
fn of_running<'a>(object: &KubeObject, service: &Service, input: &SourceInput<'a>) -> Vec<Found<'a>> {
    let by_host = input.instance.flags.details.publish_host_ip;
    let pods = input.of_kind("Pod").filter(|row| row.reference.namespace == object.reference.namespace);
    pods.filter(|row| selects(service, row))
        .filter_map(|row| if let Body::Pod(pod) = &row.body { Some(pod) } else { None })
        .filter(|pod| pod.phase == "Running")
        .map(|pod| {
            let address = if by_host { Some(&pod.host_ip) } else { pod.ips.first() };
            (pod, address.filter(|ip| !ip.is_empty()).cloned().into_iter().collect())
        })
        .collect()
}

fn kind(object: &KubeObject, input: &SourceInput<'_>) -> Kind {
    let annotations = Annotations::of(&object.annotations, &input.instance.flags);
    let is_read = does(input.version(), Behaviour::TargetOfPodsBehindService);
    match annotations.get("endpoints-type").filter(|_| is_read) {
        Some("NodeExternalIP") => Kind::NodeExternal,
        Some("HostIP") => Kind::Host,
        Some(_) | None if input.instance.flags.details.publish_host_ip => Kind::Host,
        Some(_) | None => Kind::Pod,
    }
}

fn slices<'a>(object: &KubeObject, input: &SourceInput<'a>) -> impl Iterator<Item = &'a EndpointSlice> {
    rows(object, input).map(|(_, slice)| slice)
}

fn rows<'a>(
    object: &KubeObject,
    input: &SourceInput<'a>,
) -> impl Iterator<Item = (&'a KubeObject, &'a EndpointSlice)> {
    let (namespace, name) = (object.reference.namespace.clone(), object.reference.name.clone());
    input.of_kind("EndpointSlice").filter_map(move |row| {
        let Body::EndpointSlice(slice) = &row.body else { return None };
        (row.reference.namespace == namespace && *slice.service == *name).then_some((&**row, slice))
    })
}

/// The slices of a Service without an address of its own: theirs are its addresses.
pub(in crate::desired) fn behind<'a>(
    object: &KubeObject,
    service: &Service,
    input: &SourceInput<'a>,
) -> Vec<&'a KubeObject> {
    if service::is_headless(service) { rows(object, input).map(|(row, _)| row).collect() } else { Vec::new() }
}

/// The Pod behind an endpoint, if the Service selects it.
fn pod_of<'a>(
    object: &KubeObject,
    service: &Service,
    input: &SourceInput<'a>,
    endpoint: &SliceEndpoint,
) -> Option<(&'a KubeObject, &'a PodAddresses)> {
    let pod = input.object("Pod", &object.reference.namespace, &endpoint.pod)?;
    let Body::Pod(body) = &pod.body else { return None };
    selects(service, pod).then_some((pod, body))
}

/// True if the Service selects the Pod; one without a selector selects all.
pub(super) fn selects(service: &Service, pod: &KubeObject) -> bool {
    service.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value.as_str()))
}

/// Nodes are then read only when Services of type `NodePort` may count.
fn without_nodes(input: &SourceInput<'_>) -> bool {
    does(input.version(), Behaviour::NodesForNodePorts) && !service::type_counts("NodePort", input)
}

fn addresses(
    pod: &KubeObject,
    body: &PodAddresses,
    input: &SourceInput<'_>,
    (kind, endpoint): (Kind, &SliceEndpoint),
) -> Vec<String> {
    let overriding = Annotations::of(&pod.annotations, &input.instance.flags).targets();
    if !overriding.is_empty() && does(input.version(), Behaviour::TargetOfPodsBehindService) {
        return overriding;
    }
    match kind {
        Kind::NodeExternal if without_nodes(input) => Vec::new(),
        Kind::NodeExternal => node::external_of(&body.node, input),
        Kind::Host => Some(body.host_ip.clone()).filter(|ip| !ip.is_empty()).into_iter().collect(),
        // Further addresses of one endpoint have no meaning that is defined.
        Kind::Pod => endpoint.addresses.first().cloned().into_iter().collect(),
    }
}
