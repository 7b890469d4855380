//! Hosts that are well, in the shares that real clusters have them.

use std::net::IpAddr;

use super::instances::Role;
use super::{Builder, Host};

/// What kind of host, and its share in a hundred.
#[derive(Clone, Copy, Debug)]
enum Sort {
    Address,
    TwoAddresses,
    Balancer,
    Cdn,
    Service,
    Internal,
    BothSides,
    Weighted,
    Wildcard,
    SharedWithAnotherOwner,
    NotForUs,
}

const SHARES: [(Sort, usize); 11] = [
    (Sort::Address, 42),
    (Sort::TwoAddresses, 3),
    (Sort::Balancer, 22),
    (Sort::Cdn, 4),
    (Sort::Service, 10),
    (Sort::Internal, 8),
    (Sort::BothSides, 1),
    (Sort::Weighted, 4),
    (Sort::Wildcard, 1),
    (Sort::SharedWithAnotherOwner, 3),
    (Sort::NotForUs, 2),
];

impl Builder {
    /// Adds one host that is well, with its object, its records and their ownership.
    pub(super) fn add_healthy(&mut self) {
        let mut drawn = self.random.below(SHARES.iter().map(|(_, share)| share).sum());
        let hit = SHARES.iter().find(|(_, share)| {
            let hit = drawn < *share;
            drawn = drawn.saturating_sub(*share);
            hit
        });
        let (sort, _) = hit.expect("one of all");
        let cluster = self.made % self.world.clusters.len();
        match sort {
            Sort::Address => self.plain(cluster, 1),
            Sort::TwoAddresses => self.plain(cluster, 2),
            Sort::Balancer => self.balanced(cluster),
            Sort::Cdn => self.behind_a_cdn(cluster),
            Sort::Service => self.of_a_service(cluster),
            Sort::Internal => self.internal(cluster),
            Sort::BothSides => self.on_both_sides(cluster),
            Sort::Weighted => self.weighted(cluster),
            Sort::Wildcard => self.wildcard(cluster),
            Sort::SharedWithAnotherOwner => self.shared(cluster),
            Sort::NotForUs => self.not_for_us(cluster),
        }
    }

    fn plain(&mut self, cluster: usize, count: usize) {
        let host = self.host(cluster);
        let addresses: Vec<String> = (0..count).map(|number| self.nth_address(number)).collect();
        let mut object = self.ingress_of(&host, Role::Public, &[], &[&host.name], &addresses[0]);
        let rows: Vec<_> = addresses.iter().map(|ip| serde_json::json!({"ip": ip})).collect();
        object["status"]["loadBalancer"]["ingress"] = rows.into();
        self.world.clusters[cluster].objects.push(object);
        let values: Vec<&str> = addresses.iter().map(String::as_str).collect();
        self.owned(&host, Role::Public, [host.addresses(&values)]);
    }

    /// Addresses of different numbers differ.
    fn nth_address(&mut self, number: usize) -> String {
        if number == 0 { self.address() } else { format!("198.51.100.{}", 1 + self.random.below(200)) }
    }

    fn balanced(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let balancer = self.balancer(host.number);
        self.ingress(&host, Role::Public, &[], &balancer);
        self.owned(&host, Role::Public, host.aliases(&balancer));
    }

    fn behind_a_cdn(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let edge = format!("edge-{}.cdn.example.net", host.number % 20);
        let address: IpAddr = self.address().parse().expect("an address");
        self.world.targets.entry(edge.clone()).or_insert_with(|| vec![address]);
        let origin = self.address();
        self.ingress(&host, Role::Public, &[("target", &edge)], &origin);
        let record = dns_drift::emulator::zones::RecordSet::simple(&host.name, "CNAME", 300, &[&edge]);
        self.owned(&host, Role::Public, [record]);
    }

    fn of_a_service(&mut self, cluster: usize) {
        let host = self.host(cluster);
        if host.number.is_multiple_of(2) {
            let balancer = self.balancer(host.number);
            self.service(&host, &balancer);
            return self.owned(&host, Role::Services, host.aliases(&balancer));
        }
        let address = self.address();
        self.service(&host, &address);
        self.owned(&host, Role::Services, [host.addresses(&[&address])]);
    }

    fn internal(&mut self, cluster: usize) {
        let zone = self.private[self.made % self.private.len()];
        let host = self.host_in(zone, cluster);
        self.inner_side(&host);
    }

    fn inner_side(&mut self, host: &Host) {
        let address = format!("10.20.{}.{}", host.number / 250 % 250, 1 + host.number % 250);
        self.ingress(host, Role::Internal, &[], &address);
        self.owned(host, Role::Internal, [host.addresses(&[&address])]);
    }

    /// One name, with another answer inside: the first private zone has a public twin.
    fn on_both_sides(&mut self, cluster: usize) {
        let host = self.host_in(self.public[0], cluster);
        let address = self.address();
        self.ingress(&host, Role::Public, &[], &address);
        self.owned(&host, Role::Public, [host.addresses(&[&address])]);
        let inner = Host { zone: self.private[0], object: format!("{}-inner", host.object), ..host };
        self.inner_side(&inner);
    }

    /// Two owners hold a member each of one weighted set.
    fn weighted(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let address = self.address();
        self.member(&host, "100", &address);
        self.other_member(&host);
    }

    pub(super) fn member(&mut self, host: &Host, weight: &str, address: &str) {
        let identifier = format!("c{}", host.cluster);
        self.ingress(host, Role::Public, &[("set-identifier", &identifier), ("aws-weight", weight)], address);
        let record = host.addresses(&[address]).weighted(&identifier, 100);
        self.owned(host, Role::Public, [record]);
    }

    /// The member of the next cluster; one that nobody here watches where there is only one.
    pub(super) fn other_member(&mut self, host: &Host) {
        let next = host.cluster + 1;
        let address = self.address();
        if next < self.world.clusters.len() {
            return self.member(&Host { cluster: next, ..host.clone() }, "100", &address);
        }
        let record = host.addresses(&[&address]).weighted("elsewhere", 100);
        self.put(host.zone, Role::Public.heritage_of("elsewhere", &host.resource(Role::Public), &record));
        self.put(host.zone, [record]);
    }

    fn wildcard(&mut self, cluster: usize) {
        let mut host = self.host(cluster);
        host.name = format!("*.{}", host.name);
        let address = self.address();
        self.ingress(&host, Role::Public, &[], &address);
        self.owned(&host, Role::Public, [host.addresses(&[&address])]);
    }

    /// Another owner serves the same host at the same address: no harm.
    fn shared(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let address = self.address();
        self.ingress(&host, Role::Public, &[], &address);
        self.of_another(&host, &address);
    }

    /// The record of another owner: of the next cluster, which then wants it, or of none of these.
    pub(super) fn of_another(&mut self, host: &Host, address: &str) {
        let next = host.cluster + 1;
        if next < self.world.clusters.len() {
            let other = Host { cluster: next, ..host.clone() };
            self.ingress(&other, Role::Public, &[], address);
            return self.owned(&other, Role::Public, [other.addresses(&[address])]);
        }
        let record = host.addresses(&[address]);
        self.put(host.zone, Role::Public.heritage_of("elsewhere", &host.resource(Role::Public), &record));
        self.put(host.zone, [record]);
    }

    /// Objects that no instance publishes.
    fn not_for_us(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let address = self.address();
        match host.number % 3 {
            0 => self.ingress(&host, Role::Public, &[("controller", "somebody-else")], &address),
            1 => {
                let object = self.ingress_of(&host, Role::Public, &[], &[], &address);
                self.world.clusters[cluster].objects.push(object);
            }
            _ => {
                let mut object = self.ingress_of(&host, Role::Public, &[], &[&host.name], &address);
                object["spec"]["ingressClassName"] = "nobody".into();
                self.world.clusters[cluster].objects.push(object);
            }
        }
    }
}
