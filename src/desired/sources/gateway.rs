//! Routes of the Gateway API. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/gateway.go.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::adjust::both_families;
use crate::desired::annotations::Annotations;
use crate::desired::source::{SourceInput, Yield, finish, note_left_out, overridden};
use crate::desired::sources::gateway_listeners::{Guest, Parent, common_host, find, is_same_parent};
use crate::desired::sources::left_alone;
use crate::desired::versions::{Behaviour, does};
use crate::finding::SilentReason;
use crate::limits::MAX_NAMES_PER_OBJECT;
use crate::model::custom::{GatewayRoute, RouteParent};
use crate::model::object::KubeObject;
use crate::model::want::{Lack, Unwanted};
use crate::model::{DomainName, Version};

/// From this release the annotation `gateway-hostname-source` counts.
const HOSTNAME_SOURCE: Version = Version::new(0, 21, 0);
/// From this release a parent in the status must be one of the spec.
const PARENT_IN_SPEC: Version = Version::new(0, 17, 0);
/// The one release that compared the generation with that of the condition.
const GENERATION_COMPARED: Version = Version::new(0, 17, 0);

/// The annotation that asks for the AAAA alias; its prefix is no matter of a flag.
const DUALSTACK_ROUTE: &str = "external-dns.alpha.kubernetes.io/dualstack";

/// Why nothing came of a parent; of several the last one is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Nothing,
    Filtered(String),
    NoListener,
    Gone,
    NotAccepted,
}

/// What the parents of a route take.
#[derive(Default)]
struct Bound {
    /// The hosts of the route that some listener takes.
    hosts: BTreeSet<String>,
    /// What is published, and where it leads.
    targets: BTreeMap<String, BTreeSet<String>>,
    /// Words about hosts of which a target annotation stands over the status of a Gateway.
    notes: Vec<Unwanted>,
}

/// What a route yields.
#[must_use]
pub fn read(object: &KubeObject, route: &GatewayRoute, input: &SourceInput<'_>) -> Yield {
    let annotations = Annotations::of(&object.annotations, &input.instance.flags);
    let mut out = Yield::default();
    let hosts = hosts(object, route, annotations, input, &mut out);
    let mut bound = Bound::default();
    let mut trouble = spec_trouble(object, route, input);
    for parent in &route.parents {
        trouble = trouble.max(bind(object, route, parent, &hosts, input, &mut bound));
    }
    if bound.targets.is_empty() {
        let mut rest = unbound(object, &hosts, trouble, input, annotations);
        rest.notes.append(&mut out.notes);
        return Yield { unknown: out.unknown, ..rest };
    }
    out.notes.append(&mut bound.notes);
    let is_left = |host: &&String| !host.is_empty() && !bound.hosts.contains(*host);
    let left: Vec<String> = hosts.iter().filter(is_left).cloned().collect();
    if !left.is_empty() {
        let rest = unbound(object, &left, trouble, input, annotations);
        out.without_target = rest.without_target;
        out.endpoints.extend(rest.endpoints);
        out.unwanted.extend(rest.unwanted);
    }
    // Hosts with the same targets are one step, so that one without targets hides no other.
    for (host, targets) in bound.targets {
        let targets: Vec<String> = targets.into_iter().collect();
        out = united(out, object, input, annotations, (&[&host], &targets));
    }
    if does(input.version(), Behaviour::DualstackRoute)
        && object.annotations.get(DUALSTACK_ROUTE).is_some_and(|value| value == "true")
    {
        out.endpoints.iter_mut().for_each(both_families);
    }
    out
}

/// Adds the endpoints of some hosts, and unites the hosts without a target in one statement.
fn united(
    mut out: Yield,
    object: &KubeObject,
    input: &SourceInput<'_>,
    annotations: Annotations<'_>,
    (hosts, targets): (&[&str], &[String]),
) -> Yield {
    let before = out.without_target.take();
    let mut out = finish(object, input.instance, annotations, hosts, targets, out);
    if let Some(before) = before {
        match &mut out.without_target {
            Some(now) => {
                now.names.extend(before.names);
                now.names.sort();
                now.names.dedup();
                now.lack = now.lack.max(before.lack);
            }
            None => out.without_target = Some(before),
        }
    }
    out
}

fn unbound(
    object: &KubeObject,
    hosts: &[String],
    trouble: Trouble,
    input: &SourceInput<'_>,
    annotations: Annotations<'_>,
) -> Yield {
    let named: Vec<&str> = hosts.iter().map(String::as_str).filter(|host| !host.is_empty()).collect();
    match trouble {
        // The route stands, and nothing serves it: like an Ingress without a load balancer.
        Trouble::NotAccepted | Trouble::Gone if !named.is_empty() => {
            let mut out = finish(object, input.instance, annotations, &named, &[], Yield::default());
            if let Some(waiting) = &mut out.without_target {
                let is_gone = trouble == Trouble::Gone;
                waiting.lack = if is_gone { Lack::Gateway } else { Lack::Acceptance };
            }
            out
        }
        Trouble::Filtered(detail) => left_alone(object, hosts, SilentReason::ClassFilter, &detail),
        Trouble::NoListener => {
            let detail = "no listener of its Gateway takes the route with one of its hosts";
            left_alone(object, hosts, SilentReason::NoHost, detail)
        }
        Trouble::NotAccepted | Trouble::Gone | Trouble::Nothing => {
            left_alone(object, hosts, SilentReason::NoHost, "no Gateway that is read has accepted the route")
        }
    }
}

/// What the references of the spec alone say: a parent in view that has said nothing yet.
fn spec_trouble(object: &KubeObject, route: &GatewayRoute, input: &SourceInput<'_>) -> Trouble {
    let namespace = &object.reference.namespace;
    let silent = |parent: &&crate::model::custom::ParentRef| {
        !route.parents.iter().any(|said| is_same_parent(&said.parent, parent, namespace))
    };
    let troubles =
        route.parent_refs.iter().filter(silent).map(|parent| match find(input, parent, namespace) {
            Parent::Missing => Trouble::Nothing,
            Parent::Gone => Trouble::Gone,
            Parent::Filtered(detail) => Trouble::Filtered(detail),
            Parent::Detached | Parent::Attached(_) => Trouble::NotAccepted,
        });
    troubles.max().unwrap_or(Trouble::Nothing)
}

/// Binds the hosts of a route to the targets of one parent of its status.
fn bind(
    object: &KubeObject,
    route: &GatewayRoute,
    said: &RouteParent,
    hosts: &[String],
    input: &SourceInput<'_>,
    bound: &mut Bound,
) -> Trouble {
    let namespace = &object.reference.namespace;
    let listed = route.parent_refs.iter().any(|parent| is_same_parent(parent, &said.parent, namespace));
    if !listed && PARENT_IN_SPEC <= input.version() {
        return Trouble::Nothing;
    }
    let attached = match find(input, &said.parent, namespace) {
        // What is in the status alone is of another time.
        Parent::Gone if listed => return Trouble::Gone,
        Parent::Missing | Parent::Gone => return Trouble::Nothing,
        Parent::Filtered(detail) => return Trouble::Filtered(detail),
        Parent::Detached => return Trouble::NotAccepted,
        Parent::Attached(attached) => attached,
    };
    let older = input.version() == GENERATION_COMPARED && said.observed_generation != route.generation;
    if !said.accepted || older {
        return Trouble::NotAccepted;
    }
    let guest = Guest { namespace, kind: &object.reference.kind };
    for listener in attached.listeners(input, &said.parent, &guest) {
        for host in hosts {
            let any_depth = does(input.version(), Behaviour::SuffixListeners);
            let Some(common) =
                common_host(&listener.hostname, host, any_depth).filter(|host| !host.is_empty())
            else {
                continue;
            };
            bound.hosts.insert(host.clone());
            let name = DomainName::new(&common);
            let note = overridden(object, name, &attached.targets, attached.addresses);
            bound.notes.extend(note.filter(|note| !bound.notes.contains(note)));
            if bound.targets.len() < MAX_NAMES_PER_OBJECT || bound.targets.contains_key(&common) {
                bound.targets.entry(common).or_default().extend(attached.targets.iter().cloned());
            }
        }
    }
    Trouble::NoListener
}

/// Those of the hosts that are not among the others.
fn without(hosts: &[String], others: &[String]) -> Vec<String> {
    hosts.iter().filter(|host| !others.contains(host)).cloned().collect()
}

/// Hosts of the route; the empty one means whatever a listener says.
fn hosts(
    object: &KubeObject,
    route: &GatewayRoute,
    annotations: Annotations<'_>,
    input: &SourceInput<'_>,
    out: &mut Yield,
) -> Vec<String> {
    let mut defined = route.hostnames.clone();
    defined.truncate(MAX_NAMES_PER_OBJECT);
    let mut annotated = input.annotated_hosts(annotations);
    annotated.truncate(MAX_NAMES_PER_OBJECT);
    let has_source = HOSTNAME_SOURCE <= input.version();
    // Releases without the annotation count its hosts before they ask the template.
    let has_own = !route.hostnames.is_empty() || !(has_source || annotated.is_empty());
    defined.extend(input.templated(object, has_own, out));
    let word = annotations.get("gateway-hostname-source").filter(|_| has_source).map(str::to_ascii_lowercase);
    let detail = "the gateway-hostname-source annotation takes the host out";
    match word.as_deref() {
        Some("annotation-only") => {
            note_left_out(object, &without(&defined, &annotated), detail, out);
            annotated
        }
        Some("defined-hosts-only") => {
            note_left_out(object, &without(&annotated, &defined), detail, out);
            defined
        }
        // Any other word is as if it were absent, unlike that of an Ingress.
        Some(_) | None => {
            if route.hostnames.is_empty() {
                defined.push(String::new());
            }
            defined.into_iter().chain(annotated).collect()
        }
    }
}
