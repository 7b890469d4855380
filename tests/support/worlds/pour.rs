//! A world in the emulators, where its instances go on working.

use std::net::IpAddr;
use std::sync::Arc;

use dns_drift::clock::{Clock, SystemClock};
use dns_drift::emulator::dns::Dns;
use dns_drift::emulator::kubernetes::Kubernetes;
use dns_drift::emulator::route53::{Route53, ZoneOptions};
use dns_drift::emulator::zones::{RecordSet, ServedZone, ZoneSource};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::instances::NAMESPACE;
use super::{Cluster, World};

/// Zones of load balancers and of others that are nobody's here.
const OUTSIDE: [&str; 2] = ["us-east-1.elb.amazonaws.com", "example.net"];

/// Who is named by a parent that delegates elsewhere.
const ELSEWHERE: [&str; 2] = ["ns1.elsewhere.test.", "ns2.elsewhere.test."];

pub(crate) struct Poured {
    /// An API server for each cluster.
    pub(crate) kubernetes: Vec<Kubernetes>,
    pub(crate) route53: Route53,
    pub(crate) dns: Dns,
    pods: Vec<Vec<String>>,
}

/// What the name servers serve: the account's zones, and those of others.
struct Everything {
    route53: Route53,
    outside: Vec<Arc<ServedZone>>,
}

impl ZoneSource for Everything {
    fn zones(&self) -> Vec<Arc<ServedZone>> {
        let mut zones = self.route53.zones();
        zones.extend(self.outside.iter().cloned());
        zones
    }
}

impl World {
    /// Starts the emulators with everything that stands in this world.
    pub(crate) fn pour(self, tasks: &mut JoinSet<()>, stop: &CancellationToken) -> Poured {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let route53 = Route53::start(tasks, stop.clone(), Arc::clone(&clock)).expect("Route 53");
        let outside = OUTSIDE.iter().map(|zone| Arc::new(self.outside(zone))).collect();
        for zone in self.zones {
            let vpcs = if zone.private { vec![("us-east-1".to_owned(), "vpc-1".to_owned())] } else { vec![] };
            let options = ZoneOptions {
                private: zone.private,
                id: Some(zone.id.clone()),
                vpcs,
                delegation_set: Some(zone.servers),
                ..ZoneOptions::default()
            };
            route53.create_zone(&zone.name, options);
            assert!(route53.fill_zone(&zone.id, zone.sets), "{} was made just now", zone.name);
        }
        let source = Everything { route53: route53.clone(), outside };
        let dns = Dns::start(tasks, stop.clone(), Arc::new(source)).expect("DNS");
        for (name, addresses) in &self.targets {
            dns.set_foreign(name, addresses);
        }
        for zone in &self.lame {
            dns.set_delegation(zone, Some(&ELSEWHERE));
        }
        let mut poured = Poured { kubernetes: Vec::new(), route53, dns, pods: Vec::new() };
        for cluster in self.clusters {
            let kubernetes = Kubernetes::start(tasks, stop.clone(), Arc::clone(&clock)).expect("Kubernetes");
            poured.add(kubernetes, cluster);
        }
        poured.heartbeat();
        poured
    }

    /// A zone of somebody else with those targets that are in it.
    fn outside(&self, zone: &str) -> ServedZone {
        let within = self.targets.iter().filter(|(name, _)| name.ends_with(&format!(".{zone}")));
        let sets = within.map(|(name, addresses)| {
            let values: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            RecordSet::simple(name, "A", 60, &values)
        });
        ServedZone::new(&format!("Z{zone}"), zone, &[&format!("ns1.{zone}"), &format!("ns2.{zone}")], sets)
    }
}

impl Poured {
    fn add(&mut self, kubernetes: Kubernetes, cluster: Cluster) {
        kubernetes.apply_all(cluster.objects);
        let now = format!("{:.0}", SystemClock.now());
        for (role, line) in cluster.logs {
            let instance = cluster.instances.iter().find(|instance| instance.role == role);
            let pod = &instance.expect("an instance of each role").pod;
            kubernetes.append_log(NAMESPACE, pod, "external-dns", &format!("time=\"{now}\" {line}"));
        }
        self.kubernetes.push(kubernetes);
        self.pods.push(cluster.instances.into_iter().map(|instance| instance.pod).collect());
    }

    /// What every instance logs now and then; one that stays silent for five minutes is stalled.
    pub(crate) fn heartbeat(&self) {
        let now = format!("{:.0}", SystemClock.now());
        let line = format!("time=\"{now}\" level=info msg=\"All records are already up to date\"");
        for (kubernetes, pods) in self.kubernetes.iter().zip(&self.pods) {
            for pod in pods {
                kubernetes.append_log(NAMESPACE, pod, "external-dns", &line);
            }
        }
    }
}
