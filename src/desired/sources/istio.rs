//! Gateways and VirtualServices of Istio. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/istio_gateway.go, `istio_virtualservice.go` and
//! endpoints.go.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::desired::annotations::Annotations;
use crate::desired::source::{SourceInput, Yield, finish};
use crate::desired::sources::{left_alone, one_of_each};
use crate::desired::versions::{Behaviour, does};
use crate::finding::SilentReason;
use crate::limits::MAX_NAMES_PER_OBJECT;
use crate::model::Version;
use crate::model::custom::{Custom, IstioGateway, VirtualService};
use crate::model::instance::{ALPHA_PREFIX, GA_PREFIX};
use crate::model::object::{Body, KubeObject};

/// From this release the targets may come from an Ingress.
const FROM_INGRESS: Version = Version::new(0, 13, 6);
/// The one release that cannot read which Ingress.
const WITHOUT_INGRESS: Version = Version::new(0, 20, 0);
/// From this release external addresses of Services count, before their load balancer.
const EXTERNAL_IPS: Version = Version::new(0, 14, 1);

/// Why a VirtualService yields nothing.
const UNBOUND: &str = "no Gateway that is read binds the VirtualService with this host";

/// What a Gateway yields: its servers' hosts at the addresses of the Services in front of its Pods.
#[must_use]
pub fn read_gateway(object: &KubeObject, gateway: &IstioGateway, input: &SourceInput<'_>) -> Yield {
    let annotations = input.annotations(object);
    let mut hosts = hosts(&gateway.hosts);
    hosts.extend(input.annotated_hosts(annotations));
    hosts.truncate(MAX_NAMES_PER_OBJECT);
    let mut out = Yield::default();
    hosts.extend(input.templated(object, !hosts.is_empty(), &mut out));
    if hosts.is_empty() {
        let left = left_alone(object, &[], SilentReason::NoHost, "the Gateway names no host");
        return Yield { unknown: out.unknown, ..left };
    }
    let targets = gateway_targets(object, gateway, input);
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    finish(object, input.instance, annotations, &hosts, &targets, out)
}

/// What a VirtualService yields: each host at the targets of the Gateways that it binds to.
#[must_use]
pub fn read_virtual_service(object: &KubeObject, service: &VirtualService, input: &SourceInput<'_>) -> Yield {
    let annotations = input.annotations(object);
    let mut hosts = hosts(&service.hosts);
    hosts.extend(input.annotated_hosts(annotations));
    hosts.truncate(MAX_NAMES_PER_OBJECT);
    let mut out = at_gateways(object, service, input, &hosts, Yield::default());
    let templated = input.templated(object, !out.endpoints.is_empty(), &mut out);
    out = at_gateways(object, service, input, &templated, out);
    if hosts.is_empty() && templated.is_empty() && out.unknown.is_none() {
        out.unwanted.extend(left_alone(object, &[], SilentReason::NoHost, UNBOUND).unwanted);
    }
    out
}

/// Adds what hosts of a VirtualService yield: at its own targets, else at those of its Gateways.
fn at_gateways(
    object: &KubeObject,
    service: &VirtualService,
    input: &SourceInput<'_>,
    hosts: &[String],
    mut out: Yield,
) -> Yield {
    let flags = &input.instance.flags;
    let annotations = Annotations::of(&object.annotations, flags);
    let overriding = annotations.targets();
    if !overriding.is_empty() {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        return finish(object, input.instance, annotations, &hosts, &overriding, out);
    }
    let gateways = gateways(object, service, input);
    let (mut unbound, mut unserved) = (Vec::new(), Vec::new());
    for host in hosts {
        let bound: Vec<&Bindable<'_>> =
            gateways.iter().filter(|gateway| gateway.binds(object, service, host)).collect();
        let mut targets: Vec<String> = Vec::new();
        for target in bound.iter().flat_map(|gateway| &gateway.targets) {
            if !targets.contains(target) {
                targets.push(target.clone());
            }
        }
        if !targets.is_empty() {
            out = finish(object, input.instance, annotations, &[host], &targets, out);
        } else if bound.is_empty() {
            unbound.push(host.clone());
        } else {
            unserved.push(host.as_str());
        }
    }
    let mut out = finish(object, input.instance, annotations, &unserved, &[], out);
    if !unbound.is_empty() {
        out.unwanted.extend(left_alone(object, &unbound, SilentReason::NoHost, UNBOUND).unwanted);
    }
    out
}

/// Host names of servers and VirtualServices: the namespace cut, the host for all left out.
#[must_use]
pub fn hosts(written: &[String]) -> Vec<String> {
    let bare = |host: &String| match host.split('/').collect::<Vec<_>>().as_slice() {
        [_, host] => (*host).to_owned(),
        _ => host.clone(),
    };
    let counts = |host: &&String| !host.is_empty() && *host != "*";
    written.iter().filter(counts).map(bare).filter(|host| host != "*").collect()
}

/// A Gateway that a VirtualService names.
struct Bindable<'a> {
    object: &'a KubeObject,
    gateway: &'a IstioGateway,
    targets: Vec<String>,
}

fn gateways<'a>(object: &KubeObject, service: &VirtualService, input: &SourceInput<'a>) -> Vec<Bindable<'a>> {
    named_gateways(object, service, input)
        .map(|(object, gateway)| Bindable {
            object,
            gateway,
            targets: gateway_targets(object, gateway, input),
        })
        .collect()
}

fn named_gateways<'a>(
    object: &KubeObject,
    service: &VirtualService,
    input: &SourceInput<'a>,
) -> impl Iterator<Item = (&'a KubeObject, &'a IstioGateway)> {
    // `mesh` means the sidecars, which no record leads to.
    let named = service.gateways.iter().filter(|name| !name.is_empty() && *name != "mesh");
    named.filter_map(|name| {
        let (namespace, name) = place(name, &object.reference.namespace)?;
        let anywhere = !does(input.version(), Behaviour::GatewayInNamespace);
        let found =
            input.object("Gateway", namespace, name).filter(|one| anywhere || in_scope(one, input))?;
        if let Body::Custom(Custom::IstioGateway(gateway)) = &found.body {
            Some((found, gateway))
        } else {
            None
        }
    })
}

/// `name` or `namespace/name`; anything else ends ExternalDNS' reconcile.
fn place<'a>(text: &'a str, default: &'a str) -> Option<(&'a str, &'a str)> {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => Some((default, name)),
        [namespace, name] => Some((if namespace.is_empty() { default } else { namespace }, name)),
        _ => None,
    }
}

/// With `--namespace` ExternalDNS sees the Gateways, Services and Ingresses of that one only.
fn in_scope(object: &KubeObject, input: &SourceInput<'_>) -> bool {
    let namespace = &input.instance.flags.namespace;
    namespace.is_empty() || **namespace == *object.reference.namespace
}

fn gateway_targets(object: &KubeObject, gateway: &IstioGateway, input: &SourceInput<'_>) -> Vec<String> {
    let flags = &input.instance.flags;
    let overriding = Annotations::of(&object.annotations, flags).targets();
    if !overriding.is_empty() {
        return overriding;
    }
    let mut targets = BTreeSet::new();
    for object in behind_gateway(object, gateway, input) {
        match &object.body {
            Body::Service(service) if EXTERNAL_IPS <= input.version() && !service.external_ips.is_empty() => {
                targets.extend(service.external_ips.iter().cloned());
            }
            Body::Service(_) | Body::Ingress(_) => targets.extend(one_of_each(object)),
            Body::Custom(_) | Body::Node(_) | Body::Pod(_) | Body::EndpointSlice(_) => {}
        }
    }
    targets.into_iter().collect()
}

/// Where a Gateway's addresses come from: the Ingress that it names, or the Services whose own
/// selector holds that of the Gateway. The empty selector is held by all.
#[must_use]
pub fn behind_gateway<'a>(
    object: &KubeObject,
    gateway: &IstioGateway,
    input: &SourceInput<'a>,
) -> Vec<&'a KubeObject> {
    if let Some(text) = ingress_annotation(object, input).filter(|text| !text.is_empty()) {
        let found = place(text, &object.reference.namespace)
            .and_then(|(namespace, name)| input.object("Ingress", namespace, name))
            .filter(|ingress| in_scope(ingress, input));
        return found.into_iter().collect();
    }
    let services = input.of_kind("Service").map(Arc::as_ref);
    let holds = |object: &&KubeObject| match &object.body {
        Body::Service(service) => {
            gateway.selector.iter().all(|(key, value)| service.selector.get(key) == Some(value))
        }
        Body::Ingress(_) | Body::Custom(_) | Body::Node(_) | Body::Pod(_) | Body::EndpointSlice(_) => false,
    };
    services.filter(holds).filter(|object| in_scope(object, input)).collect()
}

/// The Ingress that a Gateway names. The key is made when ExternalDNS starts, before it reads its flags: one
/// release has none then, and those after it have that of the default prefix. Source:
/// kubernetes-sigs/external-dns#6186.
fn ingress_annotation<'a>(object: &'a KubeObject, input: &SourceInput<'a>) -> Option<&'a str> {
    let version = input.version();
    if version < FROM_INGRESS || version == WITHOUT_INGRESS {
        return None;
    }
    if version < WITHOUT_INGRESS {
        return Annotations::of(&object.annotations, &input.instance.flags).get("ingress");
    }
    let prefix = if does(version, Behaviour::GaPrefix) { GA_PREFIX } else { ALPHA_PREFIX };
    object.annotations.get(&format!("{prefix}ingress"))
}

/// The Gateways that a VirtualService names, and what is behind them.
#[must_use]
pub fn behind_virtual_service<'a>(
    object: &KubeObject,
    service: &VirtualService,
    input: &SourceInput<'a>,
) -> Vec<&'a KubeObject> {
    let named = named_gateways(object, service, input);
    named
        .flat_map(|(found, gateway)| std::iter::once(found).chain(behind_gateway(found, gateway, input)))
        .collect()
}

// === impl Bindable ===

impl Bindable<'_> {
    /// Source: istio.io documentation of `Gateway.Server.hosts` and `VirtualService.exportTo`.
    fn binds(&self, object: &KubeObject, service: &VirtualService, host: &str) -> bool {
        let (own, theirs) = (&*object.reference.namespace, &*self.object.reference.namespace);
        let visible = service.export_to.is_empty()
            || service.export_to.iter().any(|to| to == "*" || to == theirs || (to == "." && own == theirs));
        visible && self.gateway.hosts.iter().any(|server| serves(server, host, own, theirs))
    }
}

fn serves(server: &str, host: &str, own: &str, theirs: &str) -> bool {
    let (namespace, pattern) = match server.split('/').collect::<Vec<_>>().as_slice() {
        [pattern] => ("*", *pattern),
        [namespace, pattern] => (*namespace, *pattern),
        _ => return false,
    };
    let open = namespace == "*" || namespace == own || (namespace == "." && own == theirs);
    let suffix = pattern.strip_prefix('*').filter(|suffix| suffix.starts_with('.'));
    open && (pattern == "*" || pattern == host || suffix.is_some_and(|suffix| host.ends_with(suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_bare() {
        let written =
            ["*", "", "a.example.com", "ns/b.example.com", "*/c.example.com", "ns/*", "*.d.example.com"];
        let written: Vec<String> = written.iter().map(|host| (*host).to_owned()).collect();
        assert_eq!(hosts(&written), ["a.example.com", "b.example.com", "c.example.com", "*.d.example.com"]);
    }

    #[test]
    fn servers_serve_by_namespace_and_suffix() {
        let check = |server: &str, host: &str, expected: bool| {
            assert_eq!(serves(server, host, "shop", "istio"), expected, "{server} {host}");
        };
        check("*", "a.example.com", true);
        check("*.example.com", "a.b.example.com", true);
        check("*.example.com", "example.com", false);
        check("a.example.com", "a.example.com", true);
        check("shop/a.example.com", "a.example.com", true);
        check("other/a.example.com", "a.example.com", false);
        check("./a.example.com", "a.example.com", false);
        check("a/b/c", "c", false);
        assert!(serves("./a.example.com", "a.example.com", "istio", "istio"));
    }
}
