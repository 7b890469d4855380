//! Routes of OpenShift. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/openshift_route.go.

use crate::desired::source::{SourceInput, Yield, finish};
use crate::desired::sources::left_alone;
use crate::desired::versions::{Behaviour, does};
use crate::finding::SilentReason;
use crate::model::custom::OpenshiftRoute;
use crate::model::object::KubeObject;

/// What a Route yields: the host at the canonical name of the router that took it in.
#[must_use]
pub fn read(object: &KubeObject, route: &OpenshiftRoute, input: &SourceInput<'_>) -> Yield {
    let annotations = input.annotations(object);
    let wanted = &input.instance.flags.details.openshift_router_name;
    let by_admission = does(input.version(), Behaviour::AdmittedRoutes);
    let router = route.routers.iter().find(|router| {
        (router.admitted || !by_admission)
            && !router.canonical_hostname.is_empty()
            && (wanted.is_empty() || *wanted == router.router)
    });
    let annotated = input.annotated_hosts(annotations);
    let admitted = router.map(|router| router.host.as_str());
    let named = if by_admission { admitted } else { Some(route.host.as_str()) };
    let named = named.filter(|host| !host.is_empty());
    let mut hosts: Vec<&str> = named.into_iter().chain(annotated.iter().map(String::as_str)).collect();
    let overriding = annotations.targets();
    let canonical = router.map(|router| router.canonical_hostname.clone());
    let targets = if overriding.is_empty() { canonical.into_iter().collect() } else { overriding };
    let mut out = Yield::default();
    let templated = input.templated(object, !hosts.is_empty() && !targets.is_empty(), &mut out);
    hosts.extend(templated.iter().map(String::as_str));
    if hosts.is_empty() {
        let detail = "no router that counts has admitted the Route";
        let named: Vec<String> = route.routers.iter().map(|router| router.host.clone()).collect();
        let left = left_alone(object, &named, SilentReason::NoHost, detail);
        return Yield { unknown: out.unknown, ..left };
    }
    finish(object, input.instance, annotations, &hosts, &targets, out)
}
