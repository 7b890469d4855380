//! What depends on the release of ExternalDNS: one table, each row with its source. Pure data.
//!
//! A behaviour holds from `since` on and, where `before` is given, up to the release before it.
//! Canonical hosted zones have a table of their own, [`crate::desired::canonical`].

pub mod words;

use crate::model::Version;
use crate::model::instance::TYPED_TXT;

/// Something that not every release does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// The annotation prefix without `alpha` is the default.
    GaPrefix,
    /// `--policy` has no default.
    PolicyRequired,
    /// AAAA is managed without being named.
    AaaaManaged,
    /// IPv6 text makes AAAA, and not A.
    Ipv6IsAaaa,
    /// `alias=true` makes an alias of any host name.
    AliasBeyondTable,
    /// `alias=false` makes a CNAME of a host name that AWS could alias.
    AliasFalse,
    /// `alias=true` counts on A and AAAA, addresses included.
    AliasOnAddress,
    /// `alias=true` on a host name makes a plain A with the host name as value.
    AliasBroken,
    /// `alias=true` on AAAA makes a plain A with the IPv6 address as value.
    AliasAaaaBroken,
    /// Every alias of a host name comes as A and AAAA.
    AliasBothFamilies,
    /// `alias=A` and `alias=AAAA` make one alias of that type.
    AliasByType,
    /// Canonical zones are matched by whole labels.
    CanonicalByLabel,
    /// Ownership TXT in the old format, without the type.
    TxtPlain,
    /// An owned record of which one of its ownership records is missing is written anew, both of them.
    MissingTxtForces,
    /// Ownership TXT in the new format, with the type.
    TxtTyped,
    /// The ownership TXT of an alias of type A carries `cname-`.
    TxtAliasAsCname,
    /// Targets of several objects of one source with one name are united.
    SourceMerge,
    /// A filter on types of Services without `NodePort` leaves the nodes unread.
    NodesForNodePorts,
    /// `--fqdn-target-template` works for Services, Nodes and Pods.
    NameTargetPairs,
    /// Endpoints with illegal targets are dropped.
    Validation,
    /// `--default-targets` fills in only where there is no target.
    DefaultTargetsFillIn,
    /// `--default-targets` make records of their own types, whatever the type of what they replace.
    DefaultTargetsTyped,
    /// Names with a label beyond 63 octets are dropped.
    LongLabelDropped,
    /// A record can be pinned to one hosted zone.
    ZonePin,
    /// PTR records are made.
    Ptr,
    /// The ALB annotation on an Ingress gives the AAAA alias.
    DualstackAnnotation,
    /// The `target` annotation of a Pod counts for its headless Service, and so does `endpoints-type`.
    TargetOfPodsBehindService,
    /// The `target` annotation of a Service counts.
    TargetOfServices,
    /// Those of Nodes and Pods do.
    TargetOfNodesAndPods,
    /// The TTL annotation of a Pod counts.
    TtlOfPods,
    /// A `ClusterIP` Service has its `internal-hostname` without a flag.
    InternalHostname,
    /// `spec.externalIPs` of an `ExternalName` Service count.
    ExternalNameIps,
    /// With a local traffic policy the Nodes of Pods that are ready count before others.
    ReadyForLocalTraffic,
    /// A wildcard listener takes hosts of any depth.
    SuffixListeners,
    /// `--combine-fqdn-annotation` and further names of a template count for Nodes.
    NodeNamesCombine,
    /// `--label-filter` counts for Ingresses, Services and Routes.
    LabelsOfIngresses,
    /// It counts for Nodes.
    LabelsOfNodes,
    /// It counts for Pods, and so does `--annotation-filter`.
    FiltersOfPods,
    /// It counts for the objects of Istio.
    LabelsOfIstio,
    /// It counts for those of Contour and Traefik.
    LabelsOfContourAndTraefik,
    /// The `controller` annotation of a Pod counts, and that of a route of Traefik.
    ControllerOfPods,
    /// `--regex-domain-exclusion` counts beside `--regex-domain-filter`, and alone.
    BothRegexes,
    /// `--exclude-domains` alone keeps names out, not only zones.
    ExclusionOfNames,
    /// `ingress-hostname-source` says which hosts of an Ingress count.
    HostSourceAnnotation,
    /// An annotation of a route gives the AAAA alias.
    DualstackRoute,
    /// The ALB annotation on an object of Traefik does.
    DualstackTraefik,
    /// A template alone decides the names of Pods; their annotations count only when both are combined.
    TemplateOverPods,
    /// Headless Services are read from `EndpointSlice` objects.
    EndpointSlices,
    /// An empty `--service-type-filter` takes every Service.
    EmptyTypeIsAny,
    /// The port of a parent of a route counts.
    PortOfParent,
    /// `--fqdn-template` gives names to Pods.
    TemplateOfPods,
    /// Routing counts without a set identifier, and Route 53 refuses it.
    RoutingAlone,
    /// `--crd-source-kind` and its API version choose what the `crd` source reads.
    CrdKind,
    /// To the plan an alias is a CNAME.
    AliasIsCname,
    /// The labels of Pods are forgotten before `--label-filter` looks at them, but for templates.
    LabelsOfPodsForgotten,
    /// The Gateway of a `VirtualService` is read in its own namespace only, with `--namespace`.
    GatewayInNamespace,
    /// `--ignore-hostname-annotation` counts for Traefik.
    HostnameOfTraefik,
    /// Only Pods on the network of their host get names.
    HostNetworkOnly,
    /// The source of Nodes leaves out those that take no Pods, although nobody said so.
    UnschedulableLeftOut,
    /// So does that of Services.
    UnschedulableLeftOutOfServices,
    /// Internal IPv6 addresses of Nodes join the external ones.
    InternalIpv6,
    /// The source of Nodes lets a flag say so.
    InternalIpv6OfNodes,
    /// Services do for the Nodes of their Pods.
    InternalIpv6OfPods,
    /// Services of type `NodePort` do.
    InternalIpv6OfNodePorts,
    /// The plan has a record for each type of a name, and not one for all.
    TypesApart,
    /// Among several claims addresses come before host names, and in their own order; text before.
    AddressesFirst,
    /// The annotation `internal-hostname` counts.
    InternalHostnameKey,
    /// `spec.externalIPs` of a Service of type `LoadBalancer` count.
    LoadBalancerIps,
    /// The `access` annotation of a Service of type `NodePort` counts.
    AccessOfNodePorts,
    /// A headless Service has the Pods of its endpoints, and not all that run.
    EndpointsOfHeadless,
    /// A set identifier and the annotations of AWS count.
    RoutingAnnotations,
    /// A health check does.
    HealthCheck,
    /// A TTL may be a duration.
    TtlAsDuration,
    /// Empty values among those of `--domain-filter` and `--exclude-domains` are passed over.
    EmptyFiltersSkipped,
    /// `--annotation-filter` counts for `DNSEndpoint` objects.
    AnnotationsOfEndpoints,
    /// `--label-filter` does.
    LabelsOfEndpoints,
    /// A route of OpenShift has the host of the router that admitted it, and that router's name.
    AdmittedRoutes,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which behaviour.
    pub behaviour: Behaviour,
    /// First release.
    pub since: Version,
    /// First release without it again.
    pub before: Option<Version>,
    /// Where it is from.
    pub source: &'static str,
}

/// True if the release behaves so.
#[must_use]
pub fn does(version: Version, behaviour: Behaviour) -> bool {
    TABLE
        .iter()
        .filter(|row| row.behaviour == behaviour)
        .any(|row| row.since <= version && row.before.is_none_or(|before| version < before))
}

const EVER: Version = Version::new(0, 0, 0);

const fn from(behaviour: Behaviour, since: Version, source: &'static str) -> Row {
    Row { behaviour, since, before: None, source }
}

const fn between(behaviour: Behaviour, since: Version, before: Version, source: &'static str) -> Row {
    Row { behaviour, since, before: Some(before), source }
}

/// The table. Sources are pull requests and issues of kubernetes-sigs/external-dns, or "executed"
/// where the code of the releases was run on the two sides of the border.
pub const TABLE: &[Row] = &[
    from(Behaviour::GaPrefix, Version::new(0, 22, 0), "#6424, #6666"),
    from(Behaviour::PolicyRequired, Version::new(0, 22, 0), "#6508"),
    from(Behaviour::AaaaManaged, Version::new(0, 13, 5), "executed"),
    from(Behaviour::Ipv6IsAaaa, Version::new(0, 13, 5), "executed"),
    from(Behaviour::AliasBeyondTable, Version::new(0, 8, 0), "executed"),
    from(Behaviour::AliasFalse, Version::new(0, 8, 0), "executed"),
    from(Behaviour::AliasOnAddress, Version::new(0, 14, 0), "#4707, #3910"),
    between(Behaviour::AliasBroken, Version::new(0, 14, 0), Version::new(0, 14, 1), "#4026, #4178"),
    between(Behaviour::AliasAaaaBroken, Version::new(0, 14, 0), Version::new(0, 16, 0), "#3910, executed"),
    from(Behaviour::AliasBothFamilies, Version::new(0, 16, 0), "#5111"),
    from(Behaviour::AliasByType, Version::new(0, 22, 0), "executed"),
    from(Behaviour::CanonicalByLabel, Version::new(0, 16, 0), "executed"),
    between(Behaviour::TxtPlain, EVER, Version::new(0, 18, 0), "docs/registry/registry.md"),
    from(Behaviour::MissingTxtForces, Version::new(0, 13, 6), "registry/txt.go"),
    from(Behaviour::TxtTyped, TYPED_TXT, "docs/registry/registry.md"),
    between(Behaviour::TxtAliasAsCname, Version::new(0, 12, 0), Version::new(0, 22, 0), "#6523"),
    from(Behaviour::SourceMerge, Version::new(0, 21, 0), "executed"),
    from(Behaviour::NodesForNodePorts, Version::new(0, 19, 0), "#5613"),
    from(Behaviour::NameTargetPairs, Version::new(0, 22, 0), "#6497"),
    from(Behaviour::Validation, Version::new(0, 21, 0), "executed"),
    from(Behaviour::DefaultTargetsTyped, Version::new(0, 13, 6), "source/multisource.go"),
    from(Behaviour::DefaultTargetsFillIn, Version::new(0, 18, 0), "executed"),
    from(Behaviour::LongLabelDropped, Version::new(0, 13, 0), "#2839, executed"),
    from(Behaviour::ZonePin, Version::new(0, 22, 0), "executed"),
    from(Behaviour::Ptr, Version::new(0, 21, 0), "executed"),
    between(Behaviour::DualstackAnnotation, EVER, Version::new(0, 16, 0), "source/ingress.go, #5111"),
    from(Behaviour::TargetOfPodsBehindService, Version::new(0, 12, 0), "source/service.go"),
    from(Behaviour::TargetOfServices, Version::new(0, 13, 5), "source/service.go"),
    from(Behaviour::TargetOfNodesAndPods, Version::new(0, 14, 0), "source/node.go, source/pod.go"),
    from(Behaviour::TtlOfPods, Version::new(0, 18, 0), "source/pod.go"),
    from(Behaviour::InternalHostname, Version::new(0, 14, 0), "source/service.go"),
    from(Behaviour::ExternalNameIps, Version::new(0, 14, 1), "source/service.go"),
    from(Behaviour::ReadyForLocalTraffic, Version::new(0, 14, 0), "source/service.go"),
    from(Behaviour::SuffixListeners, Version::new(0, 14, 1), "source/gateway.go"),
    from(Behaviour::NodeNamesCombine, Version::new(0, 18, 0), "source/node.go"),
    from(Behaviour::LabelsOfIngresses, Version::new(0, 10, 1), "source/ingress.go"),
    from(Behaviour::LabelsOfNodes, Version::new(0, 14, 0), "source/node.go"),
    from(Behaviour::FiltersOfPods, Version::new(0, 19, 0), "source/pod.go"),
    from(Behaviour::LabelsOfIstio, Version::new(0, 21, 0), "source/istio_gateway.go"),
    from(
        Behaviour::LabelsOfContourAndTraefik,
        Version::new(0, 22, 0),
        "source/contour_httpproxy.go, source/traefik_proxy.go",
    ),
    from(Behaviour::ControllerOfPods, Version::new(0, 22, 0), "source/pod.go"),
    from(Behaviour::BothRegexes, Version::new(0, 21, 0), "endpoint/domain_filter.go"),
    between(Behaviour::ExclusionOfNames, EVER, Version::new(0, 9, 0), "plan/plan.go"),
    from(Behaviour::ExclusionOfNames, Version::new(0, 13, 2), "endpoint/domain_filter.go"),
    from(Behaviour::HostSourceAnnotation, Version::new(0, 9, 0), "source/ingress.go"),
    between(Behaviour::DualstackRoute, Version::new(0, 15, 0), Version::new(0, 16, 0), "source/gateway.go"),
    between(
        Behaviour::DualstackTraefik,
        Version::new(0, 13, 6),
        Version::new(0, 16, 0),
        "source/traefik_proxy.go",
    ),
    between(Behaviour::TemplateOverPods, Version::new(0, 18, 0), Version::new(0, 21, 0), "source/pod.go"),
    from(Behaviour::EndpointSlices, Version::new(0, 18, 0), "source/service.go"),
    from(Behaviour::EmptyTypeIsAny, Version::new(0, 18, 0), "source/service.go"),
    from(Behaviour::PortOfParent, Version::new(0, 13, 0), "source/gateway.go"),
    from(Behaviour::TemplateOfPods, Version::new(0, 18, 0), "source/pod.go"),
    from(Behaviour::RoutingAlone, Version::new(0, 21, 0), "provider/aws/aws.go"),
    between(Behaviour::CrdKind, EVER, Version::new(0, 21, 0), "source/crd.go"),
    between(Behaviour::AliasIsCname, EVER, Version::new(0, 14, 0), "provider/aws/aws.go"),
    between(
        Behaviour::LabelsOfPodsForgotten,
        Version::new(0, 19, 0),
        Version::new(0, 21, 0),
        "source/pod.go",
    ),
    from(Behaviour::GatewayInNamespace, Version::new(0, 16, 0), "source/istio_virtualservice.go"),
    from(Behaviour::HostnameOfTraefik, Version::new(0, 14, 1), "source/traefik_proxy.go"),
    between(Behaviour::HostNetworkOnly, EVER, Version::new(0, 16, 0), "source/pod.go"),
    from(Behaviour::UnschedulableLeftOut, Version::new(0, 15, 1), "source/node.go"),
    from(Behaviour::UnschedulableLeftOutOfServices, Version::new(0, 21, 0), "source/service.go"),
    from(Behaviour::InternalIpv6, Version::new(0, 13, 5), "source/node.go, source/service.go"),
    from(Behaviour::InternalIpv6OfNodes, Version::new(0, 17, 0), "source/node.go"),
    from(Behaviour::InternalIpv6OfPods, Version::new(0, 18, 0), "source/service.go"),
    from(Behaviour::InternalIpv6OfNodePorts, Version::new(0, 19, 0), "source/service.go"),
    from(Behaviour::TypesApart, Version::new(0, 13, 5), "plan/plan.go"),
    from(Behaviour::AddressesFirst, Version::new(0, 12, 1), "endpoint/endpoint.go"),
    from(Behaviour::InternalHostnameKey, Version::new(0, 7, 6), "source/source.go"),
    from(Behaviour::LoadBalancerIps, Version::new(0, 7, 4), "source/service.go"),
    from(Behaviour::AccessOfNodePorts, Version::new(0, 7, 4), "source/service.go"),
    from(Behaviour::EndpointsOfHeadless, Version::new(0, 7, 0), "source/service.go"),
    from(Behaviour::RoutingAnnotations, Version::new(0, 5, 18), "source/source.go"),
    from(Behaviour::HealthCheck, Version::new(0, 7, 5), "provider/aws/aws.go"),
    from(Behaviour::TtlAsDuration, Version::new(0, 6, 0), "source/source.go"),
    from(Behaviour::EmptyFiltersSkipped, Version::new(0, 13, 2), "endpoint/domain_filter.go"),
    from(Behaviour::AnnotationsOfEndpoints, Version::new(0, 7, 2), "source/crd.go"),
    from(Behaviour::LabelsOfEndpoints, Version::new(0, 7, 4), "source/crd.go"),
    from(Behaviour::AdmittedRoutes, Version::new(0, 12, 0), "source/openshift_route.go"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders() {
        let check = |behaviour: Behaviour, version: Version, expected: bool| {
            assert_eq!(does(version, behaviour), expected, "{behaviour:?} {version}");
        };
        check(Behaviour::AliasOnAddress, Version::new(0, 13, 6), false);
        check(Behaviour::AliasOnAddress, Version::new(0, 14, 0), true);
        check(Behaviour::AliasBroken, Version::new(0, 14, 0), true);
        check(Behaviour::AliasBroken, Version::new(0, 14, 1), false);
        check(Behaviour::TxtPlain, Version::new(0, 5, 0), true);
        check(Behaviour::TxtPlain, Version::new(0, 18, 0), false);
        check(Behaviour::GaPrefix, Version::new(0, 22, 0), true);
    }

    #[test]
    fn ranges_are_not_empty_and_sources_are_given() {
        for row in TABLE {
            assert!(row.before.is_none_or(|before| row.since < before), "{row:?}");
            assert!(!row.source.is_empty(), "{row:?}");
        }
    }
}
