//! What a release of ExternalDNS does that surprises people, in words. Pure.
//!
//! Which release does what is [`crate::desired::versions`]' business; here are only the sentences.

use crate::desired::versions::{Behaviour, TABLE, does};
use crate::model::Version;
use crate::model::instance::Trap;

/// The traps of a release, in the order of the table.
#[must_use]
pub fn traps(version: Version) -> Vec<Trap> {
    let behaviours = TABLE.iter().fold(Vec::new(), |mut seen: Vec<(Behaviour, &'static str)>, row| {
        if !seen.iter().any(|(behaviour, _)| *behaviour == row.behaviour) {
            seen.push((row.behaviour, row.source));
        }
        seen
    });
    let sentence = |(behaviour, source): (Behaviour, &'static str)| {
        let (with, without) = sentences(behaviour);
        let text = if does(version, behaviour) { with } else { without };
        text.map(|text| Trap { text, source })
    };
    behaviours.into_iter().filter_map(sentence).collect()
}

/// What to know of a release that does it, and of one that does not.
const fn sentences(behaviour: Behaviour) -> (Option<&'static str>, Option<&'static str>) {
    match behaviour {
        Behaviour::GaPrefix => (
            Some(
                "Reads annotations under external-dns.kubernetes.io/ unless --annotation-prefix says otherwise; the old prefix with alpha is not read.",
            ),
            None,
        ),
        Behaviour::PolicyRequired => {
            (Some("Does not start without --policy."), Some("Without --policy it deletes too (sync)."))
        }
        Behaviour::AaaaManaged => {
            (None, Some("AAAA records are not managed unless --managed-record-types names them."))
        }
        Behaviour::Ipv6IsAaaa => {
            (None, Some("IPv6 addresses are written as A records, which Route 53 refuses."))
        }
        Behaviour::AliasOnAddress => (
            Some(
                "alias=\"true\" on a plain IP address asks Route 53 for an alias to that address; the whole batch is refused.",
            ),
            None,
        ),
        Behaviour::AliasBroken => (
            Some("alias=\"true\" on a host name writes a plain A record with the host name as its value."),
            None,
        ),
        Behaviour::AliasAaaaBroken => {
            (Some("alias=\"true\" on IPv6 writes a plain A record with the IPv6 address as its value."), None)
        }
        Behaviour::AliasBothFamilies => {
            (Some("Every alias of a host name comes as A and AAAA, also where the target has no IPv6."), None)
        }
        Behaviour::CanonicalByLabel => {
            (None, Some("A target that merely ends like an AWS name is taken for one, and becomes an alias."))
        }
        Behaviour::TxtAliasAsCname => {
            (Some("The ownership TXT of an alias of type A carries cname- in its name."), None)
        }
        Behaviour::SourceMerge => {
            (None, Some("Of several objects of one source with the same name only one decides the targets."))
        }
        Behaviour::NodesForNodePorts => (
            Some(
                "--service-type-filter without NodePort leaves Nodes unread: headless Services with endpoints-type NodeExternalIP yield nothing.",
            ),
            None,
        ),
        Behaviour::NameTargetPairs => {
            (None, Some("--fqdn-target-template does nothing for Services, Nodes and Pods."))
        }
        Behaviour::Validation => (
            Some("Endpoints with illegal targets are dropped and never reach Route 53."),
            Some("Illegal targets are sent as they are; Route 53 refuses the batch."),
        ),
        Behaviour::DefaultTargetsFillIn => {
            (None, Some("--default-targets replaces the targets of every object, not only missing ones."))
        }
        Behaviour::LongLabelDropped => {
            (Some("Names with a label of more than 63 octets are dropped and never reach Route 53."), None)
        }
        Behaviour::UnschedulableLeftOut => {
            (Some("Nodes that take no Pods are left out unless --no-exclude-unschedulable is given."), None)
        }
        Behaviour::BothRegexes => (
            None,
            Some(
                "--regex-domain-exclusion makes --regex-domain-filter count for nothing, and does nothing alone.",
            ),
        ),
        Behaviour::CrdKind => (
            None,
            Some(
                "--crd-source-kind and --crd-source-apiversion are read by nobody: DNSEndpoint is what counts.",
            ),
        ),
        Behaviour::LabelsOfPodsForgotten => (
            Some("A --label-filter that asks for a label takes no Pod unless --fqdn-template is given."),
            None,
        ),
        Behaviour::TypesApart => (
            None,
            Some(
                "A name has one record: of A and CNAME the one with fewer targets is written, the other is not.",
            ),
        ),
        Behaviour::EmptyFiltersSkipped => {
            (None, Some("An empty --domain-filter lets every name pass, whatever the others say."))
        }
        Behaviour::HostNetworkOnly => {
            (Some("Pods that are not on the network of their host get no names."), None)
        }
        Behaviour::AliasBeyondTable
        | Behaviour::AliasFalse
        | Behaviour::AliasByType
        | Behaviour::TxtPlain
        | Behaviour::MissingTxtForces
        | Behaviour::TxtTyped
        | Behaviour::ZonePin
        | Behaviour::Ptr
        | Behaviour::UnschedulableLeftOutOfServices
        | Behaviour::InternalIpv6
        | Behaviour::AliasIsCname
        | Behaviour::GatewayInNamespace
        | Behaviour::HostnameOfTraefik
        | Behaviour::TemplateOfPods
        | Behaviour::RoutingAlone
        | Behaviour::EndpointSlices
        | Behaviour::EmptyTypeIsAny
        | Behaviour::PortOfParent
        | Behaviour::TargetOfPodsBehindService
        | Behaviour::TargetOfServices
        | Behaviour::TargetOfNodesAndPods
        | Behaviour::TtlOfPods
        | Behaviour::InternalHostname
        | Behaviour::ExternalNameIps
        | Behaviour::ReadyForLocalTraffic
        | Behaviour::SuffixListeners
        | Behaviour::NodeNamesCombine
        | Behaviour::LabelsOfIngresses
        | Behaviour::LabelsOfNodes
        | Behaviour::FiltersOfPods
        | Behaviour::LabelsOfIstio
        | Behaviour::LabelsOfContourAndTraefik
        | Behaviour::ControllerOfPods
        | Behaviour::ExclusionOfNames
        | Behaviour::HostSourceAnnotation
        | Behaviour::DefaultTargetsTyped
        | Behaviour::DualstackRoute
        | Behaviour::DualstackTraefik
        | Behaviour::TemplateOverPods
        | Behaviour::InternalIpv6OfNodes
        | Behaviour::InternalIpv6OfPods
        | Behaviour::InternalIpv6OfNodePorts
        | Behaviour::AddressesFirst
        | Behaviour::InternalHostnameKey
        | Behaviour::LoadBalancerIps
        | Behaviour::AccessOfNodePorts
        | Behaviour::EndpointsOfHeadless
        | Behaviour::RoutingAnnotations
        | Behaviour::HealthCheck
        | Behaviour::TtlAsDuration
        | Behaviour::AnnotationsOfEndpoints
        | Behaviour::LabelsOfEndpoints
        | Behaviour::AdmittedRoutes
        | Behaviour::DualstackAnnotation => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_its_own_traps() {
        let has = |version: Version, words: &str| traps(version).iter().any(|trap| trap.text.contains(words));
        assert!(!has(Version::new(0, 13, 6), "plain IP address"));
        assert!(has(Version::new(0, 14, 2), "plain IP address"));
        assert!(has(Version::new(0, 14, 0), "host name as its value"));
        assert!(!has(Version::new(0, 14, 2), "host name as its value"));
        assert!(has(Version::new(0, 22, 0), "Does not start without --policy"));
        assert!(has(Version::new(0, 13, 0), "AAAA records are not managed"));
    }

    #[test]
    fn every_trap_is_said_once_with_its_source() {
        for minor in 5..25 {
            let all = traps(Version::new(0, minor, 0));
            assert!(all.iter().all(|trap| !trap.source.is_empty()));
            let mut texts: Vec<&str> = all.iter().map(|trap| trap.text).collect();
            texts.sort_unstable();
            texts.dedup();
            assert_eq!(texts.len(), all.len());
        }
    }
}
