//! The sources that ExternalDNS has, and what we read for each. Pure.
//!
//! Source: kubernetes-sigs/external-dns:docs/sources/about.md and the flag `--source` at each
//! release.

use crate::desired::kinds::Kind;
use crate::desired::versions::{Behaviour, does};
use crate::model::instance::Instance;

/// A source that is modelled.
#[derive(Debug)]
struct Modelled {
    /// As `--source` spells it.
    name: &'static str,
    /// The kinds whose objects ask for names.
    asks: &'static [Kind],
    /// The kinds that decide what becomes of them.
    needs: &'static [Kind],
}

const ROUTES_NEED: &[Kind] = &[Kind::Gateway, Kind::Namespace];

const MODELLED: [Modelled; 14] = [
    Modelled { name: "ingress", asks: &[Kind::Ingress], needs: &[] },
    Modelled { name: "service", asks: &[Kind::Service], needs: &[] },
    Modelled { name: "node", asks: &[Kind::Node], needs: &[] },
    Modelled { name: "pod", asks: &[Kind::PodAddresses], needs: &[Kind::Node] },
    Modelled { name: "gateway-httproute", asks: &[Kind::HttpRoute], needs: ROUTES_NEED },
    Modelled { name: "gateway-grpcroute", asks: &[Kind::GrpcRoute], needs: ROUTES_NEED },
    Modelled { name: "gateway-tlsroute", asks: &[Kind::TlsRoute], needs: ROUTES_NEED },
    Modelled { name: "gateway-tcproute", asks: &[Kind::TcpRoute], needs: ROUTES_NEED },
    Modelled { name: "gateway-udproute", asks: &[Kind::UdpRoute], needs: ROUTES_NEED },
    Modelled { name: "crd", asks: &[Kind::DnsEndpoint], needs: &[] },
    Modelled { name: "istio-gateway", asks: &[Kind::IstioGateway], needs: &[Kind::Ingress, Kind::Service] },
    Modelled {
        name: "istio-virtualservice",
        asks: &[Kind::VirtualService],
        needs: &[Kind::IstioGateway, Kind::Ingress, Kind::Service],
    },
    Modelled { name: "contour-httpproxy", asks: &[Kind::HttpProxy], needs: &[] },
    Modelled { name: "openshift-route", asks: &[Kind::OpenshiftRoute], needs: &[] },
];

const TRAEFIK: &str = "traefik-proxy";
const TRAEFIK_NEW: &[Kind] = &[Kind::IngressRoute, Kind::IngressRouteTcp, Kind::IngressRouteUdp];
const TRAEFIK_LEGACY: &[Kind] =
    &[Kind::LegacyIngressRoute, Kind::LegacyIngressRouteTcp, Kind::LegacyIngressRouteUdp];

/// The source that yields nothing.
const EMPTY: &str = "empty";

/// The source that reads a kind; `None` for a kind that asks for nothing.
#[must_use]
pub fn source_of(kind: &str) -> Option<&'static str> {
    let holds = |kinds: &[Kind]| kinds.iter().any(|one| one.as_str() == kind);
    if holds(TRAEFIK_NEW) || holds(TRAEFIK_LEGACY) {
        return Some(TRAEFIK);
    }
    MODELLED.iter().find(|source| holds(source.asks)).map(|source| source.name)
}

/// The source of a kind as the ownership registry spells it; `None` for one that is not modelled.
#[must_use]
pub fn source_of_registry_word(word: &str) -> Option<&'static str> {
    let spelled = |kind: &Kind| crate::model::object::registry_word(kind.as_str()).eq_ignore_ascii_case(word);
    Kind::ALL.into_iter().filter(spelled).find_map(|kind| source_of(kind.as_str()))
}

/// The kinds that an instance's sources read, in no order, with repetitions.
pub fn kinds_of(instance: &Instance) -> impl Iterator<Item = Kind> {
    let given = |name: &str| instance.flags.sources.iter().any(|source| source == name);
    let sets = given("gateway-httproute") || instance.flags.sources.iter().any(|source| is_route(source));
    let sets = (sets && instance.flags.details.gateway_listener_sets).then_some(Kind::ListenerSet);
    let crd_is_other = has_other_crd(instance);
    let modelled = MODELLED.iter().filter(move |source| {
        instance.flags.sources.iter().any(|given| given == source.name)
            && !(source.name == "crd" && crd_is_other)
    });
    let traefik = given(TRAEFIK).then_some([TRAEFIK_NEW, TRAEFIK_LEGACY]);
    modelled
        .flat_map(|source| source.asks.iter().chain(source.needs))
        .copied()
        .chain(sets)
        .chain(traefik.into_iter().flatten().flatten().copied())
}

/// The kinds that must have been read before objects of a kind can be judged.
#[must_use]
pub fn needs(kind: Kind) -> &'static [Kind] {
    MODELLED.iter().find(|source| source.asks.contains(&kind)).map_or(&[], |source| source.needs)
}

/// True if objects of some of these kinds may be read wrongly while those of the kind are old: Services take the
/// addresses of Nodes and Pods, routes those of their Gateways.
#[must_use]
pub fn is_relied_on(kind: Kind, kinds: impl IntoIterator<Item = Kind>) -> bool {
    let lends = matches!(
        kind,
        Kind::EndpointSlice
            | Kind::Gateway
            | Kind::ListenerSet
            | Kind::Namespace
            | Kind::Node
            | Kind::PodAddresses
    );
    lends || kinds.into_iter().any(|other| other != kind && needs(other).contains(&kind))
}

/// The sources of an instance that we do not compute, sorted: their records are never called stale.
#[must_use]
pub fn unmodelled(instance: &Instance) -> Vec<String> {
    let known =
        |name: &str| MODELLED.iter().any(|source| source.name == name) || name == TRAEFIK || name == EMPTY;
    let mut names: Vec<String> = instance
        .flags
        .sources
        .iter()
        .filter(|name| !known(name) || (*name == "crd" && has_other_crd(instance)))
        .map(|name| crate::model::text::printable(name))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn is_route(source: &str) -> bool {
    source.starts_with("gateway-")
}

/// True if the `crd` source reads another kind than ExternalDNS' own.
pub(super) fn has_other_crd(instance: &Instance) -> bool {
    let details = &instance.flags.details;
    if !does(instance.effective_version(), Behaviour::CrdKind) {
        return false;
    }
    details.crd_kind != Kind::DnsEndpoint.api_kind()
        || !details.crd_api_version.starts_with(Kind::DnsEndpoint.group())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_asks_has_a_source() {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.holds_objects()) {
            let depends =
                matches!(kind, Kind::Gateway | Kind::ListenerSet | Kind::Namespace | Kind::EndpointSlice);
            assert_eq!(source_of(kind.as_str()).is_none(), depends, "{kind:?}");
        }
    }

    #[test]
    fn words_of_the_registry() {
        let check = |word: &str, expected: Option<&str>| {
            assert_eq!(source_of_registry_word(word), expected, "{word}");
        };
        check("ingress", Some("ingress"));
        check("httproute", Some("gateway-httproute"));
        check("crd", Some("crd"));
        check("gateway", Some("istio-gateway"));
        check("HTTPProxy", Some("contour-httpproxy"));
        check("route", Some("openshift-route"));
        check("ingressroutetcp", Some("traefik-proxy"));
        check("node", Some("node"));
        check("routegroup", None);
        check("dnsendpoint", None);
    }
}
