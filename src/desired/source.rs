//! From objects to endpoints: which objects count for an instance, and what they ask for. Pure.
//!
//! One file for each source. Source: kubernetes-sigs/external-dns:source.

mod compat;
pub(in crate::desired) mod headless;
mod ingress;
mod node;
mod node_port;
mod pod;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::desired::annotations::Annotations;
use crate::desired::endpoint::{Endpoint, Shared, endpoints_for};
use crate::desired::selector::Selector;
use crate::desired::sources::{named_hosts, read_custom, roster};
use crate::desired::template;
use crate::desired::versions::{Behaviour, does};
use crate::desired::wrap::RECORD_TYPE;
use crate::finding::SilentReason;
use crate::limits::MAX_NAMES_PER_OBJECT;
use crate::model::custom::Custom;
use crate::model::instance::{Flags, Instance};
use crate::model::object::{Body, KubeObject, LoadBalancerAddress};
use crate::model::want::{Lack, Unwanted, WithoutTarget};
use crate::model::{DomainName, ObjectRef, Objects, TextMap, Version};

/// How long a cert-manager solver object may live before it is no longer passed over.
pub(crate) const SOLVER_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Label on the objects that cert-manager makes for HTTP-01 challenges.
const SOLVER_LABEL: &str = "acme.cert-manager.io/http01-solver";

/// What a source may look at.
#[derive(Clone, Copy, Debug)]
pub struct SourceInput<'a> {
    /// The objects, those included that others hang on: Nodes, Pods, `EndpointSlice`s, Gateways.
    pub objects: &'a Objects,
    /// For whom.
    pub instance: &'a Instance,
    /// The time of the round.
    pub now: Timestamp,
}

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
    /// Why the names of the object cannot be known: a template that we cannot evaluate.
    pub unknown: Option<String>,
}

// === impl SourceInput ===

impl<'a> SourceInput<'a> {
    /// The annotations of an object as the instance reads them.
    #[must_use]
    pub fn annotations(&self, object: &'a KubeObject) -> Annotations<'a> {
        Annotations::of(&object.annotations, &self.instance.flags)
    }

    /// The version whose rules apply.
    #[must_use]
    pub fn version(&self) -> Version {
        self.instance.effective_version()
    }

    /// One object.
    #[must_use]
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a KubeObject> {
        self.objects.get(&ObjectRef::new(kind, namespace, name)).map(Arc::as_ref)
    }

    /// All objects of a kind, in the order of namespace and name.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &'a Arc<KubeObject>> + use<'a> {
        self.objects.of_kind(kind).iter()
    }

    /// Targets of the target annotation, where this release reads it from such an object.
    #[must_use]
    pub(crate) fn overriding(&self, object: &KubeObject, annotations: Annotations<'_>) -> Vec<String> {
        let since = match &object.body {
            Body::Service(_) => Some(Behaviour::TargetOfServices),
            Body::Node(_) | Body::Pod(_) => Some(Behaviour::TargetOfNodesAndPods),
            Body::Ingress(_) | Body::EndpointSlice(_) | Body::Custom(_) => None,
        };
        let is_read = since.is_none_or(|since| does(self.version(), since));
        if is_read { annotations.targets() } else { Vec::new() }
    }

    /// Hosts of the hostname annotation, unless the instance ignores it.
    #[must_use]
    pub fn annotated_hosts(&self, annotations: Annotations<'_>) -> Vec<String> {
        if self.instance.flags.ignore_hostname_annotation { Vec::new() } else { annotations.list("hostname") }
    }

    /// True if names come from pairs of a host and a target.
    pub(crate) fn has_pairs(&self) -> bool {
        does(self.version(), Behaviour::NameTargetPairs)
            && !self.instance.flags.details.fqdn_target_templates.is_empty()
    }

    /// Endpoints of `--fqdn-target-template`: they have neither a TTL nor properties nor a label.
    pub(crate) fn paired(&self, object: &KubeObject, has_own: bool, out: &mut Yield) -> Vec<Endpoint> {
        let flags = &self.instance.flags;
        if !self.has_pairs() || (has_own && !flags.combine_fqdn) {
            return Vec::new();
        }
        let templates = &flags.details.fqdn_target_templates;
        let pairs = Self::evaluated("--fqdn-target-template", templates, object, out);
        let split = |pair: &String| {
            let (host, target) = pair.split_once(':')?;
            let (host, target) = (host.trim(), target.trim().to_owned());
            (!host.is_empty() && !target.is_empty()).then(|| (host.to_owned(), target))
        };
        pairs
            .iter()
            .filter_map(split)
            .flat_map(|(host, target)| self.literal(object, &host, &[target]))
            .collect()
    }

    /// Endpoints that templates alone make, without a word from the object's annotations.
    pub(crate) fn literal(&self, object: &KubeObject, host: &str, targets: &[String]) -> Vec<Endpoint> {
        let object = object.reference.clone();
        let shared = Shared { ttl: None, set_identifier: None, properties: BTreeMap::new(), object };
        let mut endpoints = endpoints_for(host, targets, &shared, self.version());
        for endpoint in &mut endpoints {
            endpoint.origin.unlabelled = true;
        }
        endpoints
    }

    /// What templates of a flag make of an object; nothing, and a word about it, where they cannot
    /// be evaluated.
    pub(crate) fn evaluated(
        flag: &str,
        templates: &[String],
        object: &KubeObject,
        out: &mut Yield,
    ) -> Vec<String> {
        template::names(templates, object).unwrap_or_else(|error| {
            out.unknown = Some(format!("{}: {flag}: {error}", object.reference));
            Vec::new()
        })
    }

    /// The first name that the templates of the instance write; nothing where it has none, or where that is
    /// empty.
    pub(crate) fn first_templated(&self, object: &KubeObject, out: &mut Yield) -> Option<String> {
        let written = template::written(&self.instance.flags.fqdn_templates, object);
        let names = written.unwrap_or_else(|error| {
            out.unknown = Some(format!("{}: {error}", object.reference));
            Vec::new()
        });
        names.into_iter().next().filter(|name| !name.is_empty())
    }

    /// Names by the templates of the instance: none where it has none, or where the endpoints of
    /// the object itself count alone.
    pub(crate) fn templated(&self, object: &KubeObject, has_own: bool, out: &mut Yield) -> Vec<String> {
        let flags = &self.instance.flags;
        if flags.fqdn_templates.is_empty() || (has_own && !flags.combine_fqdn) {
            return Vec::new();
        }
        template::names(&flags.fqdn_templates, object).unwrap_or_else(|error| {
            out.unknown = Some(format!("{}: {error}", object.reference));
            Vec::new()
        })
    }
}

/// What one object yields for one instance.
#[must_use]
pub fn read_object(object: &KubeObject, input: &SourceInput<'_>) -> Yield {
    let annotations = Annotations::of(&object.annotations, &input.instance.flags);
    if let Some((reason, detail)) = left_alone(object, input.instance, annotations, input.now) {
        let asked = asked_hosts(object, annotations);
        return Yield { unwanted: unwanted_hosts(object, &asked, reason, &detail), ..Yield::default() };
    }
    let mut out = match &object.body {
        Body::Ingress(ingress) => ingress::read(object, ingress, input, annotations),
        Body::Service(service) => service::read(object, service, input, annotations),
        Body::Node(node) => node::read(object, node, input, annotations),
        Body::Pod(pod) => pod::read(object, pod, input, annotations),
        Body::EndpointSlice(_) => Yield::default(),
        Body::Custom(custom) => read_custom(object, custom, input),
    };
    if input.instance.flags.ignore_hostname_annotation && !matches!(object.body, Body::Node(_)) {
        let annotated = [annotations.list("hostname"), annotations.list("internal-hostname")].concat();
        note_left_out(object, &annotated, "--ignore-hostname-annotation takes the host out", &mut out);
    }
    out
}

/// Says why hosts are not wanted, those that nothing else of the object asks for or speaks of.
pub(crate) fn note_left_out(object: &KubeObject, hosts: &[String], detail: &str, out: &mut Yield) {
    let mut names = names_of(hosts);
    let waiting = out.without_target.iter().flat_map(|object| &object.names);
    let told = out.unwanted.iter().chain(&out.notes).filter_map(|row| row.name.as_ref());
    for name in waiting.chain(told) {
        names.remove(name);
    }
    for endpoint in &out.endpoints {
        names.remove(&DomainName::new(&endpoint.name));
    }
    if !names.is_empty() {
        out.notes.extend(unwanted_hosts(object, &names, SilentReason::HostSourceFilter, detail));
    }
}

/// Words about the hosts of an object that no instance looks at, because the source is not given.
#[must_use]
pub fn passed_over(object: &KubeObject, source: &str, instance: &Instance) -> Vec<Unwanted> {
    let annotations = Annotations::of(&object.annotations, &instance.flags);
    let hosts = asked_hosts(object, annotations);
    if hosts.is_empty() {
        return Vec::new();
    }
    let detail = format!("no instance reads it: --source={source} is not given");
    unwanted_hosts(object, &hosts, SilentReason::SourceNotWatched, &detail)
}

/// The name that `--source` has for a kind.
#[must_use]
pub fn source_of(kind: &str) -> Option<&'static str> {
    roster::source_of(kind)
}

/// True if no filter of the instance takes the object out.
#[must_use]
pub fn considers(object: &KubeObject, instance: &Instance, now: Timestamp) -> bool {
    let annotations = Annotations::of(&object.annotations, &instance.flags);
    left_alone(object, instance, annotations, now).is_none()
}

/// The rule that takes a whole object out, with its words.
fn left_alone(
    object: &KubeObject,
    instance: &Instance,
    annotations: Annotations<'_>,
    now: Timestamp,
) -> Option<(SilentReason, String)> {
    let flags = &instance.flags;
    // A Node has none and is read wherever.
    let is_elsewhere =
        !object.reference.namespace.is_empty() && *object.reference.namespace != *flags.namespace;
    if !flags.namespace.is_empty() && is_elsewhere {
        return Some((SilentReason::NamespaceFilter, format!("--namespace={}", flags.namespace)));
    }
    let version = instance.effective_version();
    let heeds = |filter: Option<Behaviour>| filter.is_none_or(|since| does(version, since));
    let is_pod = matches!(object.body, Body::Pod(_));
    if heeds(annotation_filter(object)) && !selects(&flags.annotation_filter, &object.annotations) {
        return Some((
            SilentReason::AnnotationFilter,
            format!("--annotation-filter={}", flags.annotation_filter),
        ));
    }
    let forgotten =
        is_pod && flags.fqdn_templates.is_empty() && does(version, Behaviour::LabelsOfPodsForgotten);
    let none = TextMap::default();
    let labels = if forgotten { &none } else { &object.labels };
    if heeds(label_filter(object)) && !selects(&flags.label_filter, labels) {
        return Some((SilentReason::LabelFilter, format!("--label-filter={}", flags.label_filter)));
    }
    let is_traefik = matches!(object.body, Body::Custom(Custom::TraefikRoute(_)));
    let controlled = (is_pod || is_traefik).then_some(Behaviour::ControllerOfPods);
    if annotations.is_for_other_controller() && heeds_controller(object) && heeds(controlled) {
        let value = annotations.get("controller").unwrap_or_default();
        return Some((
            SilentReason::ControllerAnnotation,
            format!("{}controller: {value}", flags.annotation_prefix),
        ));
    }
    if matches!(object.body, Body::Ingress(_))
        && let Some(detail) = other_class(object, flags)
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

/// From which release on a source heeds `--annotation-filter`; `None` for one that always did.
fn annotation_filter(object: &KubeObject) -> Option<Behaviour> {
    match &object.body {
        Body::Pod(_) => Some(Behaviour::FiltersOfPods),
        Body::Custom(Custom::DnsEndpoint(_)) => Some(Behaviour::AnnotationsOfEndpoints),
        Body::Ingress(_) | Body::Service(_) | Body::Node(_) | Body::EndpointSlice(_) | Body::Custom(_) => {
            None
        }
    }
}

/// From which release on a source heeds `--label-filter`; `None` for one that always did.
fn label_filter(object: &KubeObject) -> Option<Behaviour> {
    match &object.body {
        Body::Ingress(_) | Body::Service(_) | Body::Custom(Custom::OpenshiftRoute(_)) => {
            Some(Behaviour::LabelsOfIngresses)
        }
        Body::Node(_) => Some(Behaviour::LabelsOfNodes),
        Body::Pod(_) => Some(Behaviour::FiltersOfPods),
        Body::Custom(Custom::DnsEndpoint(_)) => Some(Behaviour::LabelsOfEndpoints),
        Body::Custom(Custom::IstioGateway(_) | Custom::VirtualService(_)) => Some(Behaviour::LabelsOfIstio),
        Body::Custom(Custom::HttpProxy(_) | Custom::TraefikRoute(_)) => {
            Some(Behaviour::LabelsOfContourAndTraefik)
        }
        Body::EndpointSlice(_)
        | Body::Custom(
            Custom::GatewayRoute(_) | Custom::Gateway(_) | Custom::ListenerSet(_) | Custom::Namespace,
        ) => None,
    }
}

/// The source of `DNSEndpoint` objects is the only one that takes them whoever is meant.
fn heeds_controller(object: &KubeObject) -> bool {
    !matches!(&object.body, Body::Custom(Custom::DnsEndpoint(_)))
}

/// A selector that does not parse keeps ExternalDNS from starting; we let it match, so that the
/// names stay visible.
pub(crate) fn selects(selector: &str, labels: &TextMap) -> bool {
    Selector::parse(selector).map_or(true, |selector| selector.matches(labels))
}

/// A cert-manager HTTP-01 solver, by its label and its name.
pub(crate) fn is_solver(object: &KubeObject) -> bool {
    object.reference.name.starts_with("cm-acme-http-solver-")
        && object.labels.get(SOLVER_LABEL).is_some_and(|value| value == "true")
}

fn other_class(object: &KubeObject, flags: &Flags) -> Option<String> {
    if flags.ingress_classes.is_empty() {
        return None;
    }
    let class = object.class();
    let wanted = class.is_some_and(|class| flags.ingress_classes.iter().any(|wanted| wanted == class));
    let class = class.unwrap_or_default();
    (!wanted)
        .then(|| format!("class {class:?} is not among --ingress-class={}", flags.ingress_classes.join(",")))
}

/// Every host that the object names anywhere, whatever the rules then say.
fn asked_hosts(object: &KubeObject, annotations: Annotations<'_>) -> BTreeSet<DomainName> {
    let mut hosts: Vec<String> = annotations.list("hostname");
    match &object.body {
        Body::Ingress(ingress) => {
            hosts.extend(ingress.rule_hosts.iter().map(ToString::to_string));
            hosts.extend(ingress.tls_hosts.iter().map(ToString::to_string));
        }
        Body::Service(_) | Body::Pod(_) => hosts.extend(annotations.list("internal-hostname")),
        Body::Node(_) | Body::EndpointSlice(_) => hosts.clear(),
        Body::Custom(custom) => hosts.extend(named_hosts(custom)),
    }
    names_of(&hosts)
}

fn names_of(hosts: &[String]) -> BTreeSet<DomainName> {
    let named = hosts.iter().filter(|host| !host.is_empty());
    named.take(MAX_NAMES_PER_OBJECT).map(|host| DomainName::new(host)).collect()
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
    for name in asked_hosts(object, annotations) {
        out.notes.extend(overridden(object, name, &overriding, &status));
    }
    overriding
}

/// Words about a target annotation that stands over another status.
pub(crate) fn overridden(
    object: &KubeObject,
    name: DomainName,
    overriding: &[String],
    status: &[String],
) -> Option<Unwanted> {
    (!status.is_empty() && status != overriding).then(|| Unwanted {
        object: Some(object.reference.clone()),
        name: Some(name),
        reason: SilentReason::TargetOverride,
        detail: format!("target annotation {} over status {}", overriding.join(","), status.join(",")),
    })
}

fn status_targets(addresses: &[LoadBalancerAddress]) -> Vec<String> {
    addresses
        .iter()
        .flat_map(|address| address.ip.iter().chain(address.hostname.iter()))
        .map(|text| text.strip_suffix('.').unwrap_or(text).to_owned())
        .collect()
}

/// Endpoints of all hosts, or the statement that there is nothing to point them at.
#[must_use]
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
            set_identifier: shared(object, instance, annotations).set_identifier,
            lack: Lack::Address,
            created_at: object.created_at,
            status_changed_at: object.status_changed_at,
        });
        return out;
    }
    let shared = shared(object, instance, annotations);
    let version = instance.effective_version();
    out.endpoints.extend(hosts.iter().flat_map(|host| endpoints_for(host, targets, &shared, version)));
    out
}

/// What the annotations of an object say about all its endpoints.
fn shared(object: &KubeObject, instance: &Instance, annotations: Annotations<'_>) -> Shared {
    let version = instance.effective_version();
    let mut properties = annotations.provider_properties();
    let routes = does(version, Behaviour::RoutingAnnotations);
    properties.retain(|name, _| routes || !name.starts_with("aws/"));
    if let Some(word) = annotations.get(RECORD_TYPE)
        && does(version, Behaviour::Ptr)
    {
        properties.insert(RECORD_TYPE.to_owned(), word.to_owned());
    }
    Shared {
        ttl: annotations.ttl(version),
        set_identifier: annotations.set_identifier().filter(|_| routes),
        properties,
        object: object.reference.clone(),
    }
}

/// The TTL alone: Nodes and Pods have no other property.
fn bare(object: &KubeObject, annotations: Annotations<'_>, version: Version) -> Shared {
    Shared {
        ttl: annotations.ttl(version),
        set_identifier: None,
        properties: BTreeMap::new(),
        object: object.reference.clone(),
    }
}

#[cfg(test)]
mod tests;
