//! Services. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/service.go.

use std::collections::BTreeSet;

use crate::desired::annotations::Annotations;
use crate::desired::endpoint::{Endpoint, Shared, endpoint, endpoints_for};
use crate::desired::source::{
    SourceInput, Yield, compat, headless, names_of, node_port, shared, status_targets, targets_of,
    unwanted_hosts,
};
use crate::desired::versions::{Behaviour, does};
use crate::finding::SilentReason;
use crate::model::instance::Flags;
use crate::model::object::{KubeObject, Service};
use crate::model::want::{Lack, WithoutTarget};
use crate::model::{DomainName, RecordType, Version};

/// Which of the two names of a Service.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// `hostname` and the templates.
    External,
    /// `internal-hostname`.
    Internal,
}

/// What a Service yields.
pub(super) fn read(
    object: &KubeObject,
    service: &Service,
    input: &SourceInput<'_>,
    annotations: Annotations<'_>,
) -> Yield {
    let flags = &input.instance.flags;
    let mut out = Yield::default();
    let names =
        |name: &str| if flags.ignore_hostname_annotation { Vec::new() } else { annotations.list(name) };
    let external = names("hostname");
    let knows_internal = does(input.version(), Behaviour::InternalHostnameKey);
    let internal = if knows_internal { names("internal-hostname") } else { Vec::new() };
    if !type_counts(&service.service_type, input) {
        let detail = format!("--service-type-filter={}", flags.service_types.join(","));
        return leave(object, &[external, internal].concat(), &detail, out);
    }
    let shared = shared(object, input.instance, annotations);
    if !external.is_empty() || !internal.is_empty() {
        // For the note about an overriding target.
        if does(input.version(), Behaviour::TargetOfServices) {
            drop(targets_of(object, &service.addresses, annotations, &mut out));
        }
    }
    let mut endpoints = Vec::new();
    let asked: [(&[String], Side); 2] = [(&external, Side::External), (&internal, Side::Internal)];
    for (hosts, side) in asked {
        endpoints.extend(of_hosts(object, service, input, &shared, (hosts, side)));
    }
    if endpoints.is_empty() {
        endpoints = compat::of_service(object, service, input);
    }
    endpoints.extend(input.paired(object, !endpoints.is_empty(), &mut out));
    let templated = input.templated(object, !endpoints.is_empty(), &mut out);
    endpoints.extend(of_hosts(object, service, input, &shared, (&templated, Side::External)));
    out.endpoints = endpoints;
    let names = [external, templated].concat();
    if names.is_empty() {
        return out;
    }
    // Those that the cluster serves inside have nothing to do with its load balancer.
    let is_left = |name: &&String| {
        let bare = name.strip_suffix('.').unwrap_or(name);
        !out.endpoints.iter().any(|one| one.name == bare)
    };
    let names: Vec<String> = names.iter().filter(is_left).cloned().collect();
    if is_inside(service, flags) && input.overriding(object, annotations).is_empty() {
        return leave(object, &names, "a ClusterIP has a name only with --publish-internal-services", out);
    }
    if names.is_empty() { out } else { nothing(object, service, (&names, &shared), out) }
}

fn of_hosts(
    object: &KubeObject,
    service: &Service,
    input: &SourceInput<'_>,
    shared: &Shared,
    (hosts, side): (&[String], Side),
) -> Vec<Endpoint> {
    let annotations = Annotations::of(&object.annotations, &input.instance.flags);
    let (overriding, version) = (input.overriding(object, annotations), input.version());
    let of_host = |host: &str| {
        if !overriding.is_empty() {
            return endpoints_for(host, &overriding, shared, version);
        }
        if service.service_type == "ClusterIP" && is_headless(service) {
            return headless::endpoints(object, service, input, shared, host);
        }
        if side == Side::External && is_resolved(service, &input.instance.flags) {
            return vec![resolved(service, shared, host, version)];
        }
        let ports = (service.service_type == "NodePort")
            .then(|| node_port::services(object, service, shared, host, version));
        let own = endpoints_for(host, &targets(object, service, input, side), shared, version);
        ports.into_iter().flatten().chain(own).collect()
    };
    let mut endpoints = Vec::new();
    for host in hosts {
        let bare = host.strip_suffix('.').unwrap_or(host);
        endpoints.extend(of_host(bare).into_iter().map(|mut endpoint| {
            endpoint.origin.dotted |= bare.len() != host.len();
            endpoint
        }));
    }
    endpoints
}

/// True if Services of a type count; an empty word among the types means all of them, or was a type that no
/// Service has.
pub(super) fn type_counts(service_type: &str, input: &SourceInput<'_>) -> bool {
    let types = &input.instance.flags.service_types;
    let any_type = does(input.version(), Behaviour::EmptyTypeIsAny);
    types.is_empty() || types.iter().any(|one| any_type && one.is_empty() || one == service_type)
}

/// ExternalDNS itself asks DNS for the addresses of the load balancer's host name.
fn is_resolved(service: &Service, flags: &Flags) -> bool {
    flags.details.resolve_load_balancer_hostname
        && service.service_type == "LoadBalancer"
        && service.external_ips.is_empty()
        && service.addresses.iter().any(|address| address.hostname.is_some())
}

/// Which addresses it finds is not known here, and may change each minute.
fn resolved(service: &Service, shared: &Shared, host: &str, version: Version) -> Endpoint {
    let targets = status_targets(&service.addresses);
    let mut endpoint = endpoint(host, RecordType::A, targets, shared, version);
    endpoint.origin.from_dns = true;
    endpoint
}

/// What a name of the Service points at, by its type.
fn targets(object: &KubeObject, service: &Service, input: &SourceInput<'_>, side: Side) -> Vec<String> {
    let cluster_ip = || service.cluster_ip.iter().filter(|ip| *ip != "None").cloned().collect();
    let has_ips = |since: Behaviour| !service.external_ips.is_empty() && does(input.version(), since);
    match service.service_type.as_str() {
        "LoadBalancer" if side == Side::Internal => cluster_ip(),
        "LoadBalancer" if has_ips(Behaviour::LoadBalancerIps) => service.external_ips.clone(),
        "ExternalName" if has_ips(Behaviour::ExternalNameIps) => service.external_ips.clone(),
        "LoadBalancer" => status_targets(&service.addresses),
        "ClusterIP" if input.instance.flags.publish_internal_services => cluster_ip(),
        "ClusterIP" if side == Side::Internal && does(input.version(), Behaviour::InternalHostname) => {
            cluster_ip()
        }
        "ExternalName" => service.external_name.iter().cloned().collect(),
        "NodePort" => node_port::targets(object, service, input),
        _ => Vec::new(),
    }
}

/// A Service inside of the cluster whose address is not published.
fn is_inside(service: &Service, flags: &Flags) -> bool {
    service.service_type == "ClusterIP" && !is_headless(service) && !flags.publish_internal_services
}

pub(super) fn is_headless(service: &Service) -> bool {
    service.cluster_ip.as_deref() == Some("None")
}

/// A load balancer that is missing is worth a finding. Pods and Nodes come and go: without them the
/// name is only said to be quiet.
fn nothing(
    object: &KubeObject,
    service: &Service,
    (names, shared): (&[String], &Shared),
    mut out: Yield,
) -> Yield {
    match service.service_type.as_str() {
        "LoadBalancer" | "ExternalName" => {
            let names: BTreeSet<DomainName> = names_of(names);
            out.without_target = Some(WithoutTarget {
                object: object.reference.clone(),
                names: names.into_iter().collect(),
                set_identifier: shared.set_identifier.clone(),
                lack: Lack::Address,
                created_at: object.created_at,
                status_changed_at: object.status_changed_at,
            });
            out
        }
        kind => {
            let detail = match kind {
                "NodePort" => "no Node that counts has an address",
                "ClusterIP" => "no Pod of the headless Service has an address that counts",
                _ => "the Service has no type that gets a name",
            };
            let rows = unwanted_hosts(object, &names_of(names), SilentReason::NoDnsTargetYet, detail);
            out.notes.extend(rows);
            out
        }
    }
}

fn leave(object: &KubeObject, names: &[String], detail: &str, mut out: Yield) -> Yield {
    let names = names_of(names);
    if !names.is_empty() {
        out.unwanted = unwanted_hosts(object, &names, SilentReason::HostSourceFilter, detail);
    }
    out
}
