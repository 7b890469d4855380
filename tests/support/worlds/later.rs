//! What happens in a world afterwards: hosts that were well until something changed.

use std::collections::BTreeSet;

use dns_drift::emulator::route53::Change;
use dns_drift::emulator::zones::RecordSet;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::instances::Role;
use super::{Builder, Host, Poured, Verdict};

/// Who changes the zones by hand.
const SOMEBODY: &str = "arn:aws:iam::111122223333:user/somebody";

/// What is to happen, and what it is worth for each cluster.
pub(crate) struct Later {
    pub(crate) expected: Vec<BTreeSet<Verdict>>,
    /// Objects that change, with the time of the change put in when it comes.
    objects: Vec<(usize, Value)>,
    deleted: Vec<(usize, Host)>,
    batches: Vec<(String, Vec<Change>)>,
}

impl Builder {
    /// One host for each thing that can happen, in each cluster.
    pub(super) fn later(&mut self) -> Later {
        let count = self.world.clusters.len();
        let expected = vec![BTreeSet::new(); count];
        let mut later = Later { expected, objects: Vec::new(), deleted: Vec::new(), batches: Vec::new() };
        for cluster in 0..count {
            self.moves(cluster, &mut later);
            self.moves_and_is_followed(cluster, &mut later);
            self.loses_its_record(cluster, &mut later);
            self.goes_without_its_record(cluster, &mut later);
            self.loses_its_address(cluster, &mut later);
        }
        later
    }

    /// A host that is well, and its record.
    fn well(&mut self, cluster: usize) -> (Host, RecordSet) {
        let host = self.host(cluster);
        let address = self.address();
        self.ingress(&host, Role::Public, &[], &address);
        let record = host.addresses(&[&address]);
        self.owned(&host, Role::Public, [record.clone()]);
        (host, record)
    }

    fn zone_id(&self, host: &Host) -> String {
        self.world.zones[host.zone].id.clone()
    }

    /// Another load balancer, and the record stays with the old one.
    fn moves(&mut self, cluster: usize, later: &mut Later) {
        let (host, _) = self.well(cluster);
        let moved = self.ingress_of(&host, Role::Public, &[], &[&host.name], "198.51.100.9");
        later.objects.push((cluster, moved));
        later.expect(&host, format!("{}/A", host.name), ["stale_target", "previous_lb", "unknown_silent"]);
    }

    fn moves_and_is_followed(&mut self, cluster: usize, later: &mut Later) {
        let (host, _) = self.well(cluster);
        let moved = self.ingress_of(&host, Role::Public, &[], &[&host.name], "198.51.100.10");
        later.objects.push((cluster, moved));
        let record = host.addresses(&["198.51.100.10"]);
        later.batches.push((self.zone_id(&host), vec![Change::upsert(record)]));
    }

    /// Somebody deletes the record, with its ownership.
    fn loses_its_record(&mut self, cluster: usize, later: &mut Later) {
        let (host, record) = self.well(cluster);
        let owned = Role::Public.heritage(cluster, &host.resource(Role::Public), &record);
        let changes = owned.into_iter().chain([record]).map(Change::delete).collect();
        later.batches.push((self.zone_id(&host), changes));
        later.expect(&host, format!("{}/A", host.name), ["missing_record", "deleted", "unknown_silent"]);
    }

    /// The object goes, its records stay.
    fn goes_without_its_record(&mut self, cluster: usize, later: &mut Later) {
        let (host, _) = self.well(cluster);
        later.expect(&host, format!("{}/A", host.name), ["stale_record", "not_deleted", ""]);
        later.deleted.push((cluster, host));
    }

    fn loses_its_address(&mut self, cluster: usize, later: &mut Later) {
        let (host, _) = self.well(cluster);
        let lost = self.ingress_of(&host, Role::Public, &[], &[&host.name], "");
        later.objects.push((cluster, lost));
        let subject = format!("object/Ingress/{}/{}", host.namespace, host.object);
        later.expect(&host, subject, ["no_address", "lost", ""]);
    }
}

impl Later {
    fn expect(&mut self, host: &Host, subject: String, [kind, reason, cause]: [&str; 3]) {
        self.expected[host.cluster].insert(Verdict::new(subject, kind, reason, cause));
    }
}

impl Poured {
    /// Lets it happen now.
    pub(crate) fn go_on(&self, later: Later, now: Timestamp) {
        for (cluster, mut object) in later.objects {
            let managers = object["metadata"]["managedFields"].as_array_mut().expect("managers");
            let status = managers.iter_mut().find(|row| row["subresource"] == "status");
            status.expect("a manager of the status")["time"] = json!(format!("{now:.0}"));
            self.kubernetes[cluster].apply(object);
        }
        for (cluster, host) in later.deleted {
            assert!(self.kubernetes[cluster].delete("Ingress", &host.namespace, &host.object));
        }
        for (zone, changes) in later.batches {
            self.route53.change(&zone, changes, SOMEBODY).expect("accepted");
        }
    }
}
