//! Routes of Traefik. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/traefik_proxy.go.

use std::sync::LazyLock;

use regex::Regex;

use crate::desired::adjust::{both_families, is_dualstack};
use crate::desired::source::{SourceInput, Yield, finish};
use crate::desired::sources::left_alone;
use crate::desired::versions::{Behaviour, does};
use crate::finding::SilentReason;
use crate::limits::MAX_NAMES_PER_OBJECT;
use crate::model::Version;
use crate::model::custom::TraefikRoute;
use crate::model::object::KubeObject;

/// From this release the API group of Traefik 2 must be asked for.
const LEGACY_BY_WISH: Version = Version::new(0, 19, 0);

/// From this release templates count.
const TEMPLATES: Version = Version::new(0, 22, 0);

/// A matcher of hosts with its values.
#[expect(clippy::expect_used, reason = "a constant pattern, which a test compiles")]
static MATCHER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:HostSNI|HostHeader|Host)\s*\(\s*(`.*?`)\s*\)").expect("a constant pattern")
});
/// One value of a matcher.
#[expect(clippy::expect_used, reason = "a constant pattern, which a test compiles")]
static VALUE: LazyLock<Regex> = LazyLock::new(|| Regex::new("`([^,`]+)`").expect("a constant pattern"));

/// What a route yields. Its only targets are those of the annotation.
#[must_use]
pub fn read(object: &KubeObject, route: &TraefikRoute, input: &SourceInput<'_>) -> Yield {
    let annotations = input.annotations(object);
    let ignores = does(input.version(), Behaviour::HostnameOfTraefik);
    let mut all = if ignores { input.annotated_hosts(annotations) } else { annotations.list("hostname") };
    all.extend(hosts(route));
    all.truncate(MAX_NAMES_PER_OBJECT);
    if let Some(detail) = other_group(route, input) {
        return left_alone(object, &all, SilentReason::ClassFilter, detail);
    }
    let out = templated(object, &all, input);
    if !out.endpoints.is_empty() || out.unknown.is_some() {
        return out;
    }
    if all.is_empty() {
        return left_alone(object, &[], SilentReason::NoHost, "the route names no host");
    }
    let targets = annotations.targets();
    if targets.is_empty() {
        let detail = "ExternalDNS publishes a route of Traefik only with a target annotation";
        return left_alone(object, &all, SilentReason::NoHost, detail);
    }
    own(object, &all, &targets, input)
}

fn own(object: &KubeObject, hosts: &[String], targets: &[String], input: &SourceInput<'_>) -> Yield {
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let mut out =
        finish(object, input.instance, input.annotations(object), &hosts, targets, Yield::default());
    if does(input.version(), Behaviour::DualstackTraefik) && is_dualstack(object) {
        out.endpoints.iter_mut().for_each(both_families);
    }
    out
}

/// What a route yields where templates are given: they may name the targets too.
fn templated(object: &KubeObject, hosts: &[String], input: &SourceInput<'_>) -> Yield {
    let flags = &input.instance.flags;
    let given = input.has_pairs() || !flags.fqdn_templates.is_empty();
    if !given || input.version() < TEMPLATES {
        return Yield::default();
    }
    let targets = input.annotations(object).targets();
    let mut out = if targets.is_empty() { Yield::default() } else { own(object, hosts, &targets, input) };
    let paired = input.paired(object, !out.endpoints.is_empty(), &mut out);
    out.endpoints.extend(paired);
    let names = input.templated(object, !out.endpoints.is_empty(), &mut out);
    if !names.is_empty() {
        let targets =
            SourceInput::evaluated("--target-template", &flags.details.target_templates, object, &mut out);
        out.endpoints.extend(names.iter().flat_map(|name| input.literal(object, name, &targets)));
    }
    out
}

/// The flag that takes the API group of the route out.
fn other_group(route: &TraefikRoute, input: &SourceInput<'_>) -> Option<&'static str> {
    let details = &input.instance.flags.details;
    match (route.legacy, input.version() < LEGACY_BY_WISH) {
        (true, true) if details.traefik_disable_legacy => Some("--traefik-disable-legacy"),
        (true, false) if !details.traefik_enable_legacy => Some("--traefik-enable-legacy is not given"),
        (false, _) if details.traefik_disable_new => Some("--traefik-disable-new"),
        (true | false, _) => None,
    }
}

/// Hosts in the rules of a route, in order.
#[must_use]
pub fn hosts(route: &TraefikRoute) -> Vec<String> {
    let matchers = route.rules.iter().flat_map(|rule| MATCHER.find_iter(rule));
    matchers
        .flat_map(|found| VALUE.find_iter(found.as_str()))
        .map(|value| value.as_str().trim_matches('`').to_owned())
        .filter(|host| host != "*" && !host.is_empty())
        .take(MAX_NAMES_PER_OBJECT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_rules() {
        let check = |rule: &str, expected: &[&str]| {
            let route = TraefikRoute { rules: vec![rule.to_owned()], ..TraefikRoute::default() };
            assert_eq!(hosts(&route), expected, "{rule}");
        };
        check("Host(`a.example.com`)", &["a.example.com"]);
        check("Host(`a.example.com`) && PathPrefix(`/x`)", &["a.example.com"]);
        check(
            "Host( `a.example.com`, `b.example.com` ) || Host(`c.example.com`)",
            &["a.example.com", "b.example.com", "c.example.com"],
        );
        check("HostSNI(`*`)", &[]);
        check("HostSNI(`db.example.com`)", &["db.example.com"]);
        check("HostHeader(`h.example.com`)", &["h.example.com"]);
        check("HostRegexp(`{sub:.*}.example.com`)", &[]);
        check("Host(\"a.example.com\")", &[]);
        check("PathPrefix(`/a`)", &[]);
    }
}
