//! A small world on loopback - cluster, hosted zone, name servers - for tests of the whole program.

use std::sync::Arc;

use dns_drift::clock::{Clock, SystemClock};
use dns_drift::emulator::dns::Dns;
use dns_drift::emulator::kubernetes::Kubernetes;
use dns_drift::emulator::route53::{Change, Route53, ZoneOptions};
use dns_drift::emulator::zones::RecordSet;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The Pod of the instance.
pub(crate) const POD: &str = "external-dns-6d5f7c9b8-x2x4z";

/// Who writes for the instance.
const ROLE: &str = "arn:aws:iam::111122223333:role/external-dns";

pub(crate) struct World {
    pub(crate) kubernetes: Kubernetes,
    pub(crate) route53: Route53,
    pub(crate) dns: Dns,
    zone: String,
    clock: Arc<dyn Clock>,
}

impl World {
    /// Starts the emulators, with an empty zone.
    #[allow(dead_code, reason = "not every test runs in real time")]
    pub(crate) fn start(tasks: &mut JoinSet<()>, stop: &CancellationToken) -> Self {
        Self::start_at(tasks, stop, Arc::new(SystemClock))
    }

    /// The same in a time of choice.
    pub(crate) fn start_at(tasks: &mut JoinSet<()>, stop: &CancellationToken, clock: Arc<dyn Clock>) -> Self {
        let kubernetes = Kubernetes::start(tasks, stop.clone(), Arc::clone(&clock)).expect("Kubernetes");
        let route53 = Route53::start(tasks, stop.clone(), Arc::clone(&clock)).expect("Route 53");
        let zone = route53.create_zone("example.com.", ZoneOptions::default());
        let dns = Dns::start(tasks, stop.clone(), Arc::new(route53.clone())).expect("DNS");
        Self { kubernetes, route53, dns, zone, clock }
    }

    /// The instance that all is about, with one line of log.
    #[allow(dead_code, reason = "not every test takes this one")]
    pub(crate) fn external_dns(&self) {
        self.external_dns_with(&["--policy=upsert-only", "--interval=1s"], "2026-11-23T00:00:00Z");
    }

    /// The same with flags of choice, up since then.
    pub(crate) fn external_dns_with(&self, flags: &[&str], since: &str) {
        let own = ["--source=ingress", "--provider=aws", "--txt-owner-id=gke-prod"];
        let args = [&own, flags].concat();
        let containers = json!([{"name": "external-dns",
            "image": "registry.k8s.io/external-dns/external-dns:v0.14.2",
            "args": args}]);
        self.kubernetes.apply(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "dns", "name": "external-dns"},
            "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}}}));
        self.kubernetes.apply(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "dns", "name": POD, "uid": "u1", "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "external-dns-6d5f7c9b8", "uid": "r1",
                 "controller": true}]},
            "spec": {"containers": containers}}));
        self.kubernetes.set_status(
            "Pod",
            "dns",
            POD,
            json!({"phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "external-dns", "restartCount": 0,
                                   "state": {"running": {"startedAt": since}}}]}),
        );
        self.log("info", "All records are already up to date");
    }

    /// An Ingress that has its address.
    pub(crate) fn ingress(&self, name: &str, host: &str, annotations: &Value) {
        self.ingress_at(name, host, annotations, "203.0.113.10");
    }

    /// The same with an address of choice.
    pub(crate) fn ingress_at(&self, name: &str, host: &str, annotations: &Value, address: &str) {
        self.kubernetes.apply(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"namespace": "shop", "name": name, "annotations": annotations},
            "spec": {"rules": [{"host": host}]}}));
        let status = json!({"loadBalancer": {"ingress": [{"ip": address}]}});
        assert!(self.kubernetes.set_status("Ingress", "shop", name, status));
    }

    /// What ExternalDNS would have written for a host.
    #[allow(dead_code, reason = "not every test takes these")]
    pub(crate) fn records(&self, host: &str) {
        self.records_of(host, "healthy", "203.0.113.10");
    }

    /// The same for an Ingress and an address of choice, new or changed.
    pub(crate) fn records_of(&self, host: &str, ingress: &str, address: &str) {
        let heritage = format!(
            "\"heritage=external-dns,external-dns/owner=gke-prod,external-dns/resource=ingress/shop/{ingress}\""
        );
        let changes = vec![
            Change::upsert(RecordSet::simple(&format!("{host}."), "A", 300, &[address])),
            Change::upsert(RecordSet::simple(&format!("{host}."), "TXT", 300, &[&heritage])),
            Change::upsert(RecordSet::simple(&format!("a-{host}."), "TXT", 300, &[&heritage])),
        ];
        self.route53.change(&self.zone, changes, "external-dns").expect("accepted");
    }

    /// What ExternalDNS asks Route 53 for and does not get: an alias to an IP address.
    #[allow(dead_code, reason = "not every test asks")]
    pub(crate) fn refused_call(&self, host: &str) {
        let alias = Change::create(RecordSet::alias(host, "A", &self.zone, "203.0.113.10"));
        self.route53.change(&self.zone, vec![alias], ROLE).expect_err("refused");
    }

    /// What ExternalDNS with policy sync would have deleted for a host.
    #[allow(dead_code, reason = "not every test deletes")]
    pub(crate) fn no_records(&self, host: &str) {
        let names = [format!("{host}."), format!("a-{host}.")];
        let sets = self.route53.record_sets(&self.zone).into_iter().filter(|set| names.contains(&set.name));
        let changes = sets.map(Change::delete).collect();
        self.route53.change(&self.zone, changes, "external-dns").expect("accepted");
    }

    /// A line of the instance's log.
    pub(crate) fn log(&self, level: &str, message: &str) {
        let now = self.clock.now();
        let now = now.round(jiff::Unit::Second).expect("a second");
        let line = format!("time=\"{now}\" level={level} msg={message:?}");
        self.kubernetes.append_log("dns", POD, "external-dns", &line);
    }

    /// The log of an alias to an IP address that Route 53 does not take.
    #[allow(dead_code, reason = "not every test has a single refusal")]
    pub(crate) fn refused(&self, host: &str) {
        self.refused_batch(&[host]);
    }

    /// The same for several hosts in one batch.
    pub(crate) fn refused_batch(&self, hosts: &[&str]) {
        let zone = &self.zone;
        for host in hosts {
            self.log("info", &format!("Desired change: CREATE {host} A [Id: /hostedzone/{zone}]"));
            self.log("info", &format!("Desired change: CREATE {host} TXT [Id: /hostedzone/{zone}]"));
            self.log("info", &format!("Desired change: CREATE a-{host} TXT [Id: /hostedzone/{zone}]"));
        }
        self.log(
            "error",
            &format!(
                "Failure in zone example.com. [Id: /hostedzone/{zone}] when submitting change batch: \
                 InvalidChangeBatch: [Tried to create an alias that targets 203.0.113.10., type A in zone {zone}, \
                 but the alias target name does not lie within the target zone]\n\tstatus code: 400, request id: \
                 6a1b0f0e-0000-4000-8000-000000000001"
            ),
        );
        self.log(
            "error",
            &format!(
                "Failed to do run once: soft error\nfailed to submit all changes for the following zones: \
                 [/hostedzone/{zone}]"
            ),
        );
    }
}
