//! HTTPProxies of Contour. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/contour_httpproxy.go.

use crate::desired::source::{SourceInput, Yield, finish};
use crate::desired::sources::{both_of_each, left_alone};
use crate::finding::SilentReason;
use crate::model::Version;
use crate::model::custom::HttpProxy;
use crate::model::object::KubeObject;

/// From this release proxies count whatever Contour says of them.
const ANY_STATUS: Version = Version::new(0, 14, 1);

/// What an HTTPProxy yields; those that others include name no host.
#[must_use]
pub fn read(object: &KubeObject, proxy: &HttpProxy, input: &SourceInput<'_>) -> Yield {
    let annotations = input.annotations(object);
    let annotated = input.annotated_hosts(annotations);
    let named = Some(proxy.fqdn.as_str()).filter(|fqdn| !fqdn.is_empty());
    let mut hosts: Vec<&str> = named.into_iter().chain(annotated.iter().map(String::as_str)).collect();
    let mut out = Yield::default();
    let overriding = annotations.targets();
    let targets = if overriding.is_empty() { both_of_each(object) } else { overriding };
    let templated = input.templated(object, !hosts.is_empty() && !targets.is_empty(), &mut out);
    hosts.extend(templated.iter().map(String::as_str));
    if hosts.is_empty() {
        let left = left_alone(object, &[], SilentReason::NoHost, "the HTTPProxy names no host");
        return Yield { unknown: out.unknown, ..left };
    }
    if input.version() < ANY_STATUS && proxy.current_status != "valid" {
        return finish(object, input.instance, annotations, &hosts, &[], Yield::default());
    }
    finish(object, input.instance, annotations, &hosts, &targets, out)
}
