//! Pods. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/pod.go.

use crate::desired::annotations::Annotations;
use crate::desired::endpoint::endpoints_for;
use crate::desired::source::{SourceInput, Yield, bare, compat, node};
use crate::desired::versions::{Behaviour, does};
use crate::model::object::{KubeObject, PodAddresses};

/// What a Pod yields; whether it is ready does not count.
pub(super) fn read(
    object: &KubeObject,
    pod: &PodAddresses,
    input: &SourceInput<'_>,
    annotations: Annotations<'_>,
) -> Yield {
    let mut out = Yield::default();
    let overriding = input.overriding(object, annotations);
    let mut shared = bare(object, annotations, input.version());
    shared.ttl = shared.ttl.filter(|_| does(input.version(), Behaviour::TtlOfPods));
    let flags = &input.instance.flags;
    let by_template = !flags.fqdn_templates.is_empty() && !flags.combine_fqdn;
    let annotated = !(by_template && does(input.version(), Behaviour::TemplateOverPods));
    let names = if annotated { own_names(object, pod, input, annotations) } else { Vec::new() };
    for (host, derived) in names {
        let targets = if overriding.is_empty() { derived } else { overriding.clone() };
        out.endpoints.extend(endpoints_for(&host, &targets, &shared, input.version()));
    }
    let kops = if annotated { kops_names(object, pod, input) } else { Vec::new() };
    for (host, targets) in kops {
        out.endpoints.extend(endpoints_for(&host, &targets, &shared, input.version()));
    }
    let paired = input.paired(object, !out.endpoints.is_empty(), &mut out);
    out.endpoints.extend(paired);
    let has_own = !out.endpoints.is_empty();
    let by_template = does(input.version(), Behaviour::TemplateOfPods);
    let templated = if by_template { input.templated(object, has_own, &mut out) } else { Vec::new() };
    for host in templated {
        out.endpoints.extend(endpoints_for(&host, &pod.ips, &shared, input.version()));
    }
    for endpoint in &mut out.endpoints {
        endpoint.origin.unlabelled = true;
    }
    out
}

/// A Pod on a network of its own, where only those of the host count.
fn is_left_out(pod: &PodAddresses, input: &SourceInput<'_>) -> bool {
    let hosts_only = does(input.version(), Behaviour::HostNetworkOnly);
    !pod.host_network && (hosts_only || input.instance.flags.details.ignore_non_host_network_pods)
}

/// Hosts that the Pod asks for itself, each with the addresses that it leads to.
fn own_names(
    object: &KubeObject,
    pod: &PodAddresses,
    input: &SourceInput<'_>,
    annotations: Annotations<'_>,
) -> Vec<(String, Vec<String>)> {
    let details = &input.instance.flags.details;
    if is_left_out(pod, input) {
        return Vec::new();
    }
    let own: Vec<String> = pod.ips.first().cloned().into_iter().collect();
    let mut wanted: Vec<(String, Vec<String>)> = Vec::new();
    wanted.extend(annotations.list("internal-hostname").into_iter().map(|host| (host, own.clone())));
    let node = node::external_or_ipv6(&pod.node, input);
    wanted.extend(annotations.list("hostname").into_iter().map(|host| (host, node.clone())));
    if !details.pod_source_domain.is_empty() {
        wanted.push((format!("{}.{}", object.reference.name, details.pod_source_domain), own));
    }
    wanted
}

/// Hosts in the annotations of kops; a target annotation does not count for them.
fn kops_names(
    object: &KubeObject,
    pod: &PodAddresses,
    input: &SourceInput<'_>,
) -> Vec<(String, Vec<String>)> {
    let details = &input.instance.flags.details;
    if details.compatibility != "kops-dns-controller" || is_left_out(pod, input) {
        return Vec::new();
    }
    let own: Vec<String> = pod.ips.first().cloned().into_iter().collect();
    let node = node::external_or_ipv6(&pod.node, input);
    let hosts = |key: &str| object.annotations.get(key).map(compat::split).unwrap_or_default();
    let internal = hosts(compat::INTERNAL).into_iter().map(|host| (host, own.clone()));
    internal.chain(hosts(compat::EXTERNAL).into_iter().map(|host| (host, node.clone()))).collect()
}
