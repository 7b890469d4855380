//! Pods. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/pod.go.

use crate::desired::annotations::Annotations;
use crate::desired::endpoint::endpoints_for;
use crate::desired::source::{SourceInput, Yield, bare, node};
use crate::model::object::{KubeObject, PodAddresses};

/// What a Pod yields; whether it is ready does not count.
pub(super) fn read(
    object: &KubeObject,
    pod: &PodAddresses,
    input: &SourceInput<'_>,
    annotations: Annotations<'_>,
) -> Yield {
    let mut out = Yield::default();
    let details = &input.instance.flags.details;
    if details.ignore_non_host_network_pods && !pod.host_network {
        return out;
    }
    let own: Vec<String> = pod.ips.first().cloned().into_iter().collect();
    let mut wanted: Vec<(String, Vec<String>)> = Vec::new();
    if !input.instance.flags.ignore_hostname_annotation {
        wanted.extend(annotations.list("internal-hostname").into_iter().map(|host| (host, own.clone())));
        let node = node::external_of(&pod.node, input);
        wanted.extend(annotations.list("hostname").into_iter().map(|host| (host, node.clone())));
    }
    if !details.pod_source_domain.is_empty() {
        wanted.push((format!("{}.{}", object.reference.name, details.pod_source_domain), own));
    }
    let templated = input.templated(object, !wanted.is_empty(), &mut out);
    wanted.extend(templated.into_iter().map(|host| (host, pod.ips.clone())));
    let (overriding, shared) = (annotations.targets(), bare(object, annotations));
    for (host, derived) in wanted {
        let targets = if overriding.is_empty() { &derived } else { &overriding };
        out.endpoints.extend(endpoints_for(&host, targets, &shared, input.version()));
    }
    for endpoint in &mut out.endpoints {
        endpoint.origin.unlabelled = true;
    }
    out
}
