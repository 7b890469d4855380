//! Ingresses. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/ingress.go.

use std::collections::BTreeSet;

use crate::desired::adjust::{both_families, is_dualstack};
use crate::desired::annotations::{Annotations, HostSource};
use crate::desired::source::{SourceInput, Yield, finish, targets_of, unwanted_hosts};
use crate::desired::versions::{Behaviour, does};
use crate::finding::SilentReason;
use crate::limits::MAX_NAMES_PER_OBJECT;
use crate::model::DomainName;
use crate::model::instance::Flags;
use crate::model::object::{Ingress, KubeObject};
use crate::model::want::Unwanted;

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

/// What an Ingress yields.
pub(super) fn read(
    object: &KubeObject,
    ingress: &Ingress,
    input: &SourceInput<'_>,
    annotations: Annotations<'_>,
) -> Yield {
    let instance = input.instance;
    let flags = &instance.flags;
    let annotated = annotations.list("hostname");
    let knows = does(instance.effective_version(), Behaviour::HostSourceAnnotation);
    let host_source = if knows { annotations.ingress_host_source() } else { HostSource::All };
    let (hosts, filtered) = ingress_hosts(ingress, &annotated, flags, host_source);
    let mut out = Yield::default();
    let kept: BTreeSet<DomainName> = hosts.iter().map(|host| DomainName::new(host.text)).collect();
    let dropped: BTreeSet<DomainName> = filtered
        .iter()
        .filter(|host| !host.text.is_empty())
        .map(|host| DomainName::new(host.text))
        .filter(|name| !kept.contains(name))
        .collect();
    if !dropped.is_empty() {
        let detail = "the ingress-hostname-source annotation or an --ignore-... flag takes the host out";
        out.unwanted = unwanted_hosts(object, &dropped, SilentReason::HostSourceFilter, detail);
    }
    note_tls_hosts(object, &hosts, &mut out);
    let own: Vec<&str> = hosts.iter().map(|host| host.text).collect();
    let targets = targets_of(object, &ingress.addresses, annotations, &mut out);
    let has_own = !own.is_empty() && !targets.is_empty();
    let templated = input.templated(object, has_own, &mut out);
    if own.is_empty() && templated.is_empty() {
        if dropped.is_empty() && out.unknown.is_none() {
            out.unwanted =
                unwanted_hosts(object, &BTreeSet::new(), SilentReason::NoHost, "the Ingress names no host");
        }
        return out;
    }
    let all: Vec<&str> = own.into_iter().chain(templated.iter().map(String::as_str)).collect();
    let mut out = finish(object, instance, annotations, &all, &targets, out);
    if does(instance.effective_version(), Behaviour::DualstackAnnotation) && is_dualstack(object) {
        out.endpoints.iter_mut().for_each(both_families);
    }
    out
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
        .filter(|host| !host.text.is_empty() || host.from == From::Annotation)
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
    for host in hosts.iter().filter(|host| host.from == From::Tls && !host.text.is_empty()) {
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
