//! The sources that read custom resources: what each object asks for. Pure.
//!
//! One file for each family, after kubernetes-sigs/external-dns:source/. A source looks at one
//! object and at what it hangs on: Gateways, Namespaces, Services.

pub mod contour;
pub mod crd;
pub mod gateway;
pub mod gateway_listeners;
pub mod istio;
pub mod openshift;
pub mod roster;
pub mod traefik;

use crate::desired::source::{SourceInput, Yield, headless};
use crate::finding::SilentReason;
use crate::model::DomainName;
use crate::model::custom::Custom;
use crate::model::object::{Body, KubeObject};
use crate::model::want::Unwanted;

/// What a custom resource yields. Kinds that ask for nothing themselves yield nothing.
#[must_use]
pub fn read_custom(object: &KubeObject, custom: &Custom, input: &SourceInput<'_>) -> Yield {
    match custom {
        Custom::GatewayRoute(route) => gateway::read(object, route, input),
        Custom::DnsEndpoint(endpoint) => crd::read(object, endpoint, input),
        Custom::IstioGateway(gateway) => istio::read_gateway(object, gateway, input),
        Custom::VirtualService(service) => istio::read_virtual_service(object, service, input),
        Custom::TraefikRoute(route) => traefik::read(object, route, input),
        Custom::HttpProxy(proxy) => contour::read(object, proxy, input),
        Custom::OpenshiftRoute(route) => openshift::read(object, route, input),
        Custom::Gateway(_) | Custom::ListenerSet(_) | Custom::Namespace => Yield::default(),
    }
}

/// The objects whose change changes what another one yields: the Gateways, Services and Ingresses of a custom resource,
/// the slices of a headless Service.
/// Without repetitions, and without the object itself.
#[must_use]
pub fn behind<'a>(object: &'a KubeObject, input: &SourceInput<'a>) -> Vec<&'a KubeObject> {
    let custom = match &object.body {
        Body::Custom(custom) => custom,
        Body::Service(service) => return headless::behind(object, service, input),
        Body::Ingress(_) | Body::Node(_) | Body::Pod(_) | Body::EndpointSlice(_) => return Vec::new(),
    };
    let mut found = match custom {
        Custom::GatewayRoute(route) => gateway_listeners::behind(input, route, &object.reference.namespace),
        Custom::IstioGateway(gateway) => istio::behind_gateway(object, gateway, input),
        Custom::VirtualService(service) => istio::behind_virtual_service(object, service, input),
        Custom::Gateway(_)
        | Custom::ListenerSet(_)
        | Custom::Namespace
        | Custom::DnsEndpoint(_)
        | Custom::TraefikRoute(_)
        | Custom::HttpProxy(_)
        | Custom::OpenshiftRoute(_) => Vec::new(),
    };
    found.sort_by_key(|object| &object.reference);
    found.dedup_by_key(|object| &object.reference);
    found
}

/// Every host that a custom resource names itself, annotations left out.
#[must_use]
pub fn named_hosts(custom: &Custom) -> Vec<String> {
    match custom {
        Custom::GatewayRoute(route) => route.hostnames.clone(),
        Custom::DnsEndpoint(endpoint) => endpoint.endpoints.iter().map(|one| one.name.clone()).collect(),
        Custom::IstioGateway(gateway) => istio::hosts(&gateway.hosts),
        Custom::VirtualService(service) => istio::hosts(&service.hosts),
        Custom::TraefikRoute(route) => traefik::hosts(route),
        Custom::HttpProxy(proxy) => {
            Some(proxy.fqdn.clone()).filter(|fqdn| !fqdn.is_empty()).into_iter().collect()
        }
        Custom::OpenshiftRoute(route) => route.routers.iter().map(|router| router.host.clone()).collect(),
        Custom::Gateway(_) | Custom::ListenerSet(_) | Custom::Namespace => Vec::new(),
    }
}

/// The statement that a rule leaves an object's hosts alone; one row if it names none.
fn left_alone(object: &KubeObject, hosts: &[String], reason: SilentReason, detail: &str) -> Yield {
    let row = |name: Option<DomainName>| Unwanted {
        object: Some(object.reference.clone()),
        name,
        reason,
        detail: detail.to_owned(),
    };
    let mut names: Vec<DomainName> =
        hosts.iter().filter(|host| !host.is_empty()).map(|host| DomainName::new(host)).collect();
    names.sort();
    names.dedup();
    let unwanted =
        if names.is_empty() { vec![row(None)] } else { names.into_iter().map(Some).map(row).collect() };
    Yield { unwanted, ..Yield::default() }
}

/// Addresses of a load balancer where both members of a row count.
fn both_of_each(object: &KubeObject) -> Vec<String> {
    let addresses = match &object.body {
        Body::Ingress(ingress) => &ingress.addresses[..],
        Body::Service(service) => &service.addresses[..],
        Body::Custom(custom) => custom.addresses(),
        Body::Node(_) | Body::Pod(_) | Body::EndpointSlice(_) => &[],
    };
    addresses.iter().flat_map(|address| address.ip.iter().chain(address.hostname.iter())).cloned().collect()
}

/// Addresses of a load balancer where the IP address of a row hides its host name.
fn one_of_each(object: &KubeObject) -> Vec<String> {
    object
        .addresses()
        .iter()
        .filter_map(|address| address.ip.clone().or_else(|| address.hostname.clone()))
        .collect()
}
