//! Faults that are put in on purpose, each with the one verdict that it is worth.
//!
//! The verdicts are those of the specification, not those that the program gave.

use dns_drift::emulator::zones::RecordSet;

use super::instances::Role;
use super::{Builder, Host};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing was ever written, and nobody says why.
    NoRecord,
    /// Somebody wrote an address by hand.
    WrongAddress,
    /// Another owner holds the host with another address.
    ForeignOwner,
    /// Right, but nobody's.
    NoOwner,
    /// Two owners claim one record.
    TwoOwners,
    /// Addresses of a load balancer where its alias should be.
    NoAlias,
    /// A CNAME where an address should be.
    Cname,
    /// Another weight than the annotation says.
    Weight,
    /// Another TTL than the annotation says.
    Ttl,
    /// An alias to an address, which Route 53 cannot take; nobody has tried yet.
    AliasOnAddress,
    /// The same, and the log tells of the refusal.
    RefusedAlias,
    /// A host of no zone.
    NoZone,
    /// The load balancer is gone.
    DeadBalancer,
    /// An address that public users cannot reach.
    PrivateAddress,
    /// Two objects want one host for themselves.
    TwoClaims,
    /// A host that its object has no more.
    Leftover,
    /// The same of an instance that never deletes.
    KeptLeftover,
    /// An ownership record without a record.
    LoneOwnership,
    /// An annotation with a prefix that the reader of the object does not read.
    UnreadAnnotation,
    /// An object that never got an address.
    NoLoadBalancer,
    /// A zone that its parent delegates to others.
    LameZone,
}

impl Fault {
    #[allow(dead_code, reason = "a measurement picks some")]
    pub(crate) const ALL: [Self; 21] = [
        Self::NoRecord,
        Self::WrongAddress,
        Self::ForeignOwner,
        Self::NoOwner,
        Self::TwoOwners,
        Self::NoAlias,
        Self::Cname,
        Self::Weight,
        Self::Ttl,
        Self::AliasOnAddress,
        Self::RefusedAlias,
        Self::NoZone,
        Self::DeadBalancer,
        Self::PrivateAddress,
        Self::TwoClaims,
        Self::Leftover,
        Self::KeptLeftover,
        Self::LoneOwnership,
        Self::UnreadAnnotation,
        Self::NoLoadBalancer,
        Self::LameZone,
    ];
}

impl Builder {
    /// Adds a host with the fault to a cluster, and what is to be said of it.
    pub(super) fn add_fault(&mut self, fault: Fault, cluster: usize) {
        match fault {
            Fault::NoRecord => self.no_record(cluster),
            Fault::WrongAddress => self.wrong_address(cluster),
            Fault::ForeignOwner => self.foreign_owner(cluster),
            Fault::NoOwner => self.no_owner(cluster),
            Fault::TwoOwners => self.two_owners(cluster),
            Fault::NoAlias => self.no_alias(cluster),
            Fault::Cname => self.cname(cluster),
            Fault::Weight => self.weight(cluster),
            Fault::Ttl => self.ttl(cluster),
            Fault::AliasOnAddress => self.alias_on_address(cluster, false),
            Fault::RefusedAlias => self.alias_on_address(cluster, true),
            Fault::NoZone => self.no_zone(cluster),
            Fault::DeadBalancer => self.dead_balancer(cluster),
            Fault::PrivateAddress => self.private_address(cluster),
            Fault::TwoClaims => self.two_claims(cluster),
            Fault::Leftover => self.leftover(cluster),
            Fault::KeptLeftover => self.kept_leftover(cluster),
            Fault::LoneOwnership => self.lone_ownership(cluster),
            Fault::UnreadAnnotation => self.unread_annotation(cluster),
            Fault::NoLoadBalancer => self.no_load_balancer(cluster),
            Fault::LameZone => self.lame_zone(cluster),
        }
    }

    /// A host with a plain address as its wish.
    fn wish(&mut self, cluster: usize) -> (Host, String) {
        let host = self.host(cluster);
        let address = self.address();
        self.ingress(&host, Role::Public, &[], &address);
        (host, address)
    }

    fn expect_a(&mut self, host: &Host, kind: &str, reason: &str, cause: &str) {
        self.expect(host.cluster, format!("{}/A", host.name), kind, reason, cause);
    }

    fn no_record(&mut self, cluster: usize) {
        let (host, _) = self.wish(cluster);
        self.expect_a(&host, "missing_record", "absent", "unknown_silent");
    }

    fn wrong_address(&mut self, cluster: usize) {
        let (host, _) = self.wish(cluster);
        self.owned(&host, Role::Public, [host.addresses(&["192.0.2.66"])]);
        self.expect_a(&host, "wrong_target", "disjoint", "unknown_silent");
    }

    fn foreign_owner(&mut self, cluster: usize) {
        let (host, _) = self.wish(cluster);
        self.of_another(&host, "192.0.2.67");
        self.expect_a(&host, "wrong_target", "disjoint", "owner_foreign");
    }

    fn no_owner(&mut self, cluster: usize) {
        let (host, address) = self.wish(cluster);
        self.put(host.zone, [host.addresses(&[&address])]);
        self.expect_a(&host, "owner_missing", "none", "");
    }

    fn two_owners(&mut self, cluster: usize) {
        let (host, address) = self.wish(cluster);
        let record = host.addresses(&[&address]);
        let resource = host.resource(Role::Public);
        let own = Role::Public.heritage(cluster, &resource, &record);
        let other = Role::Public.heritage_of("elsewhere", &resource, &record);
        // The old format names one owner, the new one another.
        self.put(host.zone, own.into_iter().take(1).chain(other.into_iter().skip(1)));
        self.put(host.zone, [record]);
        self.expect_a(&host, "owner_conflict", "legacy_txt", "");
    }

    fn no_alias(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let balancer = self.balancer(host.number);
        self.ingress(&host, Role::Public, &[], &balancer);
        let [alias, alias_six] = host.aliases(&balancer);
        let seen: Vec<String> = self.world.targets[&balancer].iter().map(ToString::to_string).collect();
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        let heritage = Role::Public.heritage(cluster, &host.resource(Role::Public), &alias);
        self.put(host.zone, heritage);
        self.put(host.zone, [host.addresses(&seen)]);
        self.owned(&host, Role::Public, [alias_six]);
        self.expect_a(&host, "wrong_alias", "alias_expected", "unknown_silent");
    }

    fn cname(&mut self, cluster: usize) {
        let (host, _) = self.wish(cluster);
        let balancer = self.balancer(host.number);
        let record = RecordSet::simple(&host.name, "CNAME", 300, &[&balancer]);
        self.owned(&host, Role::Public, [record]);
        self.expect_a(&host, "wrong_type", "cname_instead_of_a", "unknown_silent");
    }

    fn weight(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let address = self.address();
        // The record has the weight 100, whatever the annotation says.
        self.member(&host, "10", &address);
        self.other_member(&host);
        let subject = format!("{}/A#c{cluster}", host.name);
        self.expect(cluster, subject, "wrong_routing", "weight", "unknown_silent");
    }

    fn ttl(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let address = self.address();
        self.ingress(&host, Role::Public, &[("ttl", "60")], &address);
        self.owned(&host, Role::Public, [host.addresses(&[&address])]);
        self.expect_a(&host, "wrong_ttl", "none", "unknown_silent");
    }

    fn alias_on_address(&mut self, cluster: usize, logged: bool) {
        let host = self.host(cluster);
        let address = self.address();
        self.ingress(&host, Role::Public, &[("alias", "true")], &address);
        if !logged {
            return self.expect_a(&host, "invalid_desired", "alias_on_ip", "");
        }
        let (zone, name) = (self.world.zones[host.zone].id.clone(), &host.name);
        let apex = &self.world.zones[host.zone].name;
        let lines = [
            format!("level=info msg=\"Desired change: CREATE {name} A [Id: /hostedzone/{zone}]\""),
            format!(
                "level=error msg=\"Failure in zone {apex}. [Id: /hostedzone/{zone}] when submitting change batch: \
                 operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 400, \
                 RequestID: 6a1b0f0e-0000-4000-8000-{:012}, InvalidChangeBatch: [Tried to create an alias that \
                 targets {address}., type A in zone {zone}, but the alias target name does not lie within the \
                 target zone]\"",
                host.number
            ),
            format!(
                "level=error msg=\"Failed to do run once: soft error\\nfailed to submit all changes for the \
                 following zones: [/hostedzone/{zone}]\""
            ),
        ];
        self.world.clusters[cluster].logs.extend(lines.map(|line| (Role::Public, line)));
        self.expect_a(&host, "failed_change", "alias_target_not_in_zone", "invalid_desired:alias_on_ip");
    }

    fn no_zone(&mut self, cluster: usize) {
        let mut host = self.host(cluster);
        host.name = format!("shop-{}.exmaple.com", host.number);
        let address = self.address();
        self.ingress(&host, Role::Public, &[], &address);
        self.expect_a(&host, "no_zone", "not_found", "");
    }

    fn dead_balancer(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let balancer = format!("gone-{:06}.us-east-1.elb.amazonaws.com", host.number);
        self.ingress(&host, Role::Public, &[], &balancer);
        self.owned(&host, Role::Public, host.aliases(&balancer));
        self.expect_a(&host, "target_unresolvable", "nxdomain", "");
    }

    fn private_address(&mut self, cluster: usize) {
        let host = self.host(cluster);
        self.ingress(&host, Role::Public, &[], "10.1.2.3");
        self.owned(&host, Role::Public, [host.addresses(&["10.1.2.3"])]);
        self.expect_a(&host, "private_target_in_public_zone", "rfc1918", "");
    }

    fn two_claims(&mut self, cluster: usize) {
        let (host, _) = self.wish(cluster);
        let rival = Host { object: format!("{}-rival", host.object), ..host.clone() };
        self.ingress(&rival, Role::Public, &[], "198.51.100.250");
        // This release takes one of them, the one that the heritage names.
        self.owned(&rival, Role::Public, [rival.addresses(&["198.51.100.250"])]);
        self.expect_a(&host, "conflicting_desired", "different_targets", "");
    }

    fn leftover(&mut self, cluster: usize) {
        let (host, address) = self.wish(cluster);
        self.owned(&host, Role::Public, [host.addresses(&[&address])]);
        let old = Host { name: format!("old-{}", host.name), ..host };
        self.owned(&old, Role::Public, [old.addresses(&[&address])]);
        self.expect_a(&old, "stale_record", "not_deleted", "");
    }

    fn kept_leftover(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let address = self.address();
        self.service(&host, &address);
        self.owned(&host, Role::Services, [host.addresses(&[&address])]);
        let old = Host { name: format!("old-{}", host.name), ..host };
        self.owned(&old, Role::Services, [old.addresses(&[&address])]);
        self.expect_a(&old, "stale_record", "policy_keeps", "");
    }

    fn lone_ownership(&mut self, cluster: usize) {
        let (host, address) = self.wish(cluster);
        self.owned(&host, Role::Public, [host.addresses(&[&address])]);
        let name = format!("edns-a-gone-{}", host.name);
        let object = format!("{}-gone", host.object);
        let gone = Host { name: format!("gone-{}", host.name), object, ..host };
        let record = gone.addresses(&[&address]);
        let heritage = Role::Public.heritage(cluster, &gone.resource(Role::Public), &record);
        self.put(gone.zone, heritage.into_iter().skip(1));
        self.expect(cluster, format!("{name}/TXT"), "owner_orphan", "none", "");
    }

    fn unread_annotation(&mut self, cluster: usize) {
        let host = self.host(cluster);
        let address = self.address();
        let strange = format!("{}/target", Role::Services.prefix());
        self.ingress(&host, Role::Public, &[(&strange, "192.0.2.77")], &address);
        self.owned(&host, Role::Public, [host.addresses(&[&address])]);
        let subject = format!("object/Ingress/{}/{}", host.namespace, host.object);
        self.expect(cluster, subject, "annotation_unread", "other_prefix", "");
    }

    fn no_load_balancer(&mut self, cluster: usize) {
        let host = self.host(cluster);
        self.ingress(&host, Role::Public, &[], "");
        let subject = format!("object/Ingress/{}/{}", host.namespace, host.object);
        self.expect(cluster, subject, "no_address", "never_assigned", "");
    }

    /// The clusters that want nothing in it have no part in it.
    fn lame_zone(&mut self, cluster: usize) {
        let name = format!("lame{}.example.com", self.made);
        let zone = self.add_zone(&name);
        let host = self.host_in(zone, cluster);
        let address = self.address();
        self.ingress(&host, Role::Public, &[], &address);
        self.owned(&host, Role::Public, [host.addresses(&[&address])]);
        self.world.lame.push(name.clone());
        self.expect(cluster, format!("zone/{name}"), "delegation_broken", "delegated_elsewhere", "");
    }
}
