//! From objects to endpoints: which objects count for an instance, and what they ask for. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/ingress.go, source/service.go.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::desired::annotations::{Annotations, HostSource};
use crate::desired::endpoint::{Endpoint, Shared, endpoints_for};
use crate::desired::selector::Selector;
use crate::desired::sources::{SourceInput, named_hosts, read_custom, roster};
use crate::finding::SilentReason;
use crate::limits::MAX_NAMES_PER_OBJECT;
use crate::model::custom::Custom;
use crate::model::instance::{Flags, Instance};
use crate::model::object::{Body, Ingress, KubeObject, LoadBalancerAddress, Service};
use crate::model::want::{Unwanted, WithoutTarget};
use crate::model::{DomainName, Version};

/// How long a cert-manager solver object may live before it is no longer passed over.
const SOLVER_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Label on the objects that cert-manager makes for HTTP-01 challenges.
const SOLVER_LABEL: &str = "acme.cert-manager.io/http01-solver";

/// What one object yields for one instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Yield {
    /// Endpoints, in the order of ExternalDNS.
    pub endpoints: Vec<Endpoint>,
    /// What is left alone.
    pub unwanted: Vec<Unwanted>,
    /// Hosts without a target.
    pub without_target: Option<WithoutTarget>,
    /// Facts worth a line.
    pub notes: Vec<Unwanted>,
}

/// One host and where the object names it.
struct Host<'a> {
    text: &'a str,
    from: From,
}

#[derive(Clone, Copy, PartialEq)]
enum From {
    Rule,
    Tls,
    Annotation,
}

/// What one object yields for one instance.
#[must_use]
pub fn read_object(object: &KubeObject, input: &SourceInput<'_>, now: Timestamp) -> Yield {
    let instance = input.instance;
    let annotations = Annotations::new(&object.annotations, &instance.flags.annotation_prefix);
    let asked = asked_hosts(object, annotations);
    if let Some((reason, detail)) = left_alone(object, instance, annotations, now) {
        return Yield { unwanted: unwanted_hosts(object, &asked, reason, &detail), ..Yield::default() };
    }
    match &object.body {
        Body::Ingress(ingress) => read_ingress(object, ingress, instance, annotations),
        Body::Service(service) => read_service(object, service, instance, annotations),
        Body::Custom(custom) => read_custom(object, custom, input),
    }
}

/// True if no filter of the instance takes the object out.
#[must_use]
pub fn considers(object: &KubeObject, instance: &Instance, now: Timestamp) -> bool {
    let annotations = Annotations::new(&object.annotations, &instance.flags.annotation_prefix);
    left_alone(object, instance, annotations, now).is_none()
}

/// The name that `--source` has for a kind.
#[must_use]
pub fn source_of(kind: &str) -> Option<&'static str> {
    roster::source_of(kind)
}

/// The rule that takes a whole object out, with its words.
fn left_alone(
    object: &KubeObject,
    instance: &Instance,
    annotations: Annotations<'_>,
    now: Timestamp,
) -> Option<(SilentReason, String)> {
    let flags = &instance.flags;
    if !flags.namespace.is_empty() && *object.reference.namespace != *flags.namespace {
        return Some((SilentReason::NamespaceFilter, format!("--namespace={}", flags.namespace)));
    }
    if !selects(&flags.annotation_filter, &object.annotations) {
        return Some((
            SilentReason::AnnotationFilter,
            format!("--annotation-filter={}", flags.annotation_filter),
        ));
    }
    if !selects(&flags.label_filter, &object.labels) {
        return Some((SilentReason::LabelFilter, format!("--label-filter={}", flags.label_filter)));
    }
    if annotations.is_for_other_controller() && heeds_controller(object) {
        let value = annotations.get("controller").unwrap_or_default();
        return Some((
            SilentReason::ControllerAnnotation,
            format!("{}controller: {value}", flags.annotation_prefix),
        ));
    }
    if let Body::Ingress(ingress) = &object.body
        && let Some(detail) = other_class(object, ingress, flags)
    {
        return Some((SilentReason::ClassFilter, detail));
    }
    if is_solver(object) && object.created_at.is_none_or(|created| now.duration_since(created) < SOLVER_LIFE)
    {
        return Some((
            SilentReason::AcmeSolver,
            "a cert-manager HTTP-01 solver lives for minutes".to_owned(),
        ));
    }
    None
}

/// The source of `DNSEndpoint` objects is the only one that takes them whoever is meant.
fn heeds_controller(object: &KubeObject) -> bool {
    !matches!(&object.body, Body::Custom(Custom::DnsEndpoint(_)))
}

/// A selector that does not parse keeps ExternalDNS from starting; we let it match, so that the
/// names stay visible.
fn selects(selector: &str, labels: &BTreeMap<String, String>) -> bool {
    Selector::parse(selector).map_or(true, |selector| selector.matches(labels))
}

/// A cert-manager HTTP-01 solver, by its label and its name.
pub(crate) fn is_solver(object: &KubeObject) -> bool {
    object.labels.get(SOLVER_LABEL).is_some_and(|value| value == "true")
        && object.reference.name.starts_with("cm-acme-http-solver-")
}

fn other_class(object: &KubeObject, ingress: &Ingress, flags: &Flags) -> Option<String> {
    if flags.ingress_classes.is_empty() {
        return None;
    }
    let annotated = object.annotations.get("kubernetes.io/ingress.class").map(String::as_str);
    let class = ingress.class_name.as_deref().or(annotated).unwrap_or_default();
    let wanted = flags.ingress_classes.iter().any(|wanted| wanted == class);
    (!wanted)
        .then(|| format!("class {class:?} is not among --ingress-class={}", flags.ingress_classes.join(",")))
}

/// Every host that the object names anywhere, whatever the rules then say.
fn asked_hosts(object: &KubeObject, annotations: Annotations<'_>) -> BTreeSet<DomainName> {
    let mut hosts: Vec<String> = annotations.list("hostname");
    match &object.body {
        Body::Ingress(ingress) => {
            hosts.extend(ingress.rule_hosts.iter().cloned());
            hosts.extend(ingress.tls_hosts.iter().cloned());
        }
        Body::Service(_) => hosts.extend(annotations.list("internal-hostname")),
        Body::Custom(custom) => hosts.extend(named_hosts(custom)),
    }
    hosts
        .iter()
        .filter(|host| !host.is_empty())
        .take(MAX_NAMES_PER_OBJECT)
        .map(|host| DomainName::new(host))
        .collect()
}

fn unwanted_hosts(
    object: &KubeObject,
    hosts: &BTreeSet<DomainName>,
    reason: SilentReason,
    detail: &str,
) -> Vec<Unwanted> {
    let row = |name: Option<DomainName>| Unwanted {
        object: Some(object.reference.clone()),
        name,
        reason,
        detail: detail.to_owned(),
    };
    if hosts.is_empty() { vec![row(None)] } else { hosts.iter().cloned().map(Some).map(row).collect() }
}

fn read_ingress(
    object: &KubeObject,
    ingress: &Ingress,
    instance: &Instance,
    annotations: Annotations<'_>,
) -> Yield {
    let flags = &instance.flags;
    let annotated = annotations.list("hostname");
    let (hosts, filtered) = ingress_hosts(ingress, &annotated, flags, annotations.ingress_host_source());
    let mut out = Yield::default();
    let kept: BTreeSet<DomainName> = hosts.iter().map(|host| DomainName::new(host.text)).collect();
    let dropped: BTreeSet<DomainName> =
        filtered.iter().map(|host| DomainName::new(host.text)).filter(|name| !kept.contains(name)).collect();
    if !dropped.is_empty() {
        let detail = "the ingress-hostname-source annotation or an --ignore-... flag takes the host out";
        out.unwanted = unwanted_hosts(object, &dropped, SilentReason::HostSourceFilter, detail);
    }
    if hosts.is_empty() {
        if dropped.is_empty() {
            out.unwanted =
                unwanted_hosts(object, &BTreeSet::new(), SilentReason::NoHost, "the Ingress names no host");
        }
        return out;
    }
    note_tls_hosts(object, &hosts, &mut out);
    let targets = targets_of(object, &ingress.addresses, annotations, &mut out);
    let hosts: Vec<&str> = hosts.iter().map(|host| host.text).collect();
    finish(object, instance, annotations, &hosts, &targets, out)
}

/// Hosts that count, and hosts that a rule takes out.
fn ingress_hosts<'a>(
    ingress: &'a Ingress,
    annotated: &'a [String],
    flags: &Flags,
    source: HostSource,
) -> (Vec<Host<'a>>, Vec<Host<'a>>) {
    let all = (ingress.rule_hosts.iter().map(|text| Host { text, from: From::Rule }))
        .chain(ingress.tls_hosts.iter().map(|text| Host { text, from: From::Tls }))
        .chain(annotated.iter().map(|text| Host { text, from: From::Annotation }))
        .filter(|host| !host.text.is_empty())
        .take(MAX_NAMES_PER_OBJECT);
    all.partition(|host| {
        let by_flag = match host.from {
            From::Rule => !flags.ignore_ingress_rules,
            From::Tls => !flags.ignore_ingress_tls,
            From::Annotation => !flags.ignore_hostname_annotation,
        };
        let by_annotation = match source {
            HostSource::All => true,
            HostSource::AnnotationOnly => host.from == From::Annotation,
            HostSource::DefinedHostsOnly => host.from != From::Annotation,
            HostSource::Nothing => false,
        };
        by_flag && by_annotation
    })
}

/// TLS hosts are a host source of their own: users are surprised by it, so it is listed.
fn note_tls_hosts(object: &KubeObject, hosts: &[Host<'_>], out: &mut Yield) {
    let rules: BTreeSet<DomainName> =
        hosts.iter().filter(|host| host.from != From::Tls).map(|host| DomainName::new(host.text)).collect();
    for host in hosts.iter().filter(|host| host.from == From::Tls) {
        let name = DomainName::new(host.text);
        if !rules.contains(&name) {
            out.notes.push(Unwanted {
                object: Some(object.reference.clone()),
                name: Some(name),
                reason: SilentReason::ResolutionOrder,
                detail: "spec.tls[].hosts is a host source of its own".to_owned(),
            });
        }
    }
}

/// The target annotation, or the load balancer's addresses.
fn targets_of(
    object: &KubeObject,
    addresses: &[LoadBalancerAddress],
    annotations: Annotations<'_>,
    out: &mut Yield,
) -> Vec<String> {
    let overriding = annotations.targets();
    let status: Vec<String> = status_targets(addresses);
    if overriding.is_empty() {
        return status;
    }
    if !status.is_empty() && status != overriding {
        for name in asked_hosts(object, annotations) {
            out.notes.push(Unwanted {
                object: Some(object.reference.clone()),
                name: Some(name),
                reason: SilentReason::TargetOverride,
                detail: format!(
                    "target annotation {} over status {}",
                    overriding.join(","),
                    status.join(",")
                ),
            });
        }
    }
    overriding
}

fn status_targets(addresses: &[LoadBalancerAddress]) -> Vec<String> {
    addresses
        .iter()
        .flat_map(|address| address.ip.iter().chain(address.hostname.iter()))
        .map(|text| text.strip_suffix('.').unwrap_or(text).to_owned())
        .collect()
}

fn read_service(
    object: &KubeObject,
    service: &Service,
    instance: &Instance,
    annotations: Annotations<'_>,
) -> Yield {
    let flags = &instance.flags;
    let mut out = Yield::default();
    if !flags.service_types.is_empty() && !flags.service_types.contains(&service.service_type) {
        return out;
    }
    let (external, internal) = if flags.ignore_hostname_annotation {
        (Vec::new(), Vec::new())
    } else {
        (annotations.list("hostname"), annotations.list("internal-hostname"))
    };
    if external.is_empty() && internal.is_empty() {
        return out;
    }
    let overriding = annotations.targets();
    let cluster_ip: Vec<String> = service.cluster_ip.iter().filter(|ip| *ip != "None").cloned().collect();
    let targets = if overriding.is_empty() {
        service_targets(service, flags, &cluster_ip)
    } else {
        targets_of(object, &service.addresses, annotations, &mut out)
    };
    let hosts: Vec<&str> = external.iter().map(String::as_str).collect();
    out = finish(object, instance, annotations, &hosts, &targets, out);
    let inner: Vec<&str> = internal.iter().map(String::as_str).collect();
    let inner_targets = if overriding.is_empty() { cluster_ip } else { overriding };
    let more = finish(object, instance, annotations, &inner, &inner_targets, Yield::default());
    out.endpoints.extend(more.endpoints);
    out
}

/// What `hostname` points at, by Service type; `NodePort` and headless Services need Nodes and
/// `EndpointSlices`, which this view does not read.
fn service_targets(service: &Service, flags: &Flags, cluster_ip: &[String]) -> Vec<String> {
    match service.service_type.as_str() {
        "LoadBalancer" | "ExternalName" if !service.external_ips.is_empty() => service.external_ips.clone(),
        "LoadBalancer" => status_targets(&service.addresses),
        "ClusterIP" if flags.publish_internal_services => cluster_ip.to_vec(),
        "ExternalName" => service.external_name.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

/// Endpoints of all hosts, or the statement that there is nothing to point them at.
pub(crate) fn finish(
    object: &KubeObject,
    instance: &Instance,
    annotations: Annotations<'_>,
    hosts: &[&str],
    targets: &[String],
    mut out: Yield,
) -> Yield {
    if hosts.is_empty() {
        return out;
    }
    if targets.is_empty() {
        let names: BTreeSet<DomainName> = hosts.iter().map(|host| DomainName::new(host)).collect();
        out.without_target = Some(WithoutTarget {
            object: object.reference.clone(),
            names: names.into_iter().collect(),
            created_at: object.created_at,
            status_changed_at: object.status_changed_at,
        });
        return out;
    }
    let shared = Shared {
        ttl: annotations.ttl(),
        set_identifier: annotations.set_identifier(),
        properties: annotations.provider_properties(),
        object: object.reference.clone(),
    };
    let version: Version = instance.effective_version();
    out.endpoints.extend(hosts.iter().flat_map(|host| endpoints_for(host, targets, &shared, version)));
    out
}
