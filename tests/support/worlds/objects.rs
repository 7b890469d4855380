//! The objects that want hosts, and the record sets that satisfy them.

use dns_drift::emulator::zones::RecordSet;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::instances::Role;
use super::{Builder, Host};

/// The zone of load balancers. Source: AWS General Reference, "Elastic Load Balancing endpoints".
const BALANCERS: &str = "Z35SXDOTRQ7X7K";

/// TTL of records without an annotation. Source: ExternalDNS, `provider/aws`.
const TTL: u32 = 300;

impl Host {
    /// The object as the heritage names it.
    pub(super) fn resource(&self, role: Role) -> String {
        let kind = if role == Role::Services { "service" } else { "ingress" };
        format!("{kind}/{}/{}", self.namespace, self.object)
    }

    pub(super) fn addresses(&self, values: &[&str]) -> RecordSet {
        RecordSet::simple(&self.name, "A", TTL, values)
    }

    /// Both aliases that the release makes of a load balancer's name.
    pub(super) fn aliases(&self, balancer: &str) -> [RecordSet; 2] {
        ["A", "AAAA"].map(|kind| {
            let mut set = RecordSet::alias(&self.name, kind, BALANCERS, balancer);
            if let Some(target) = &mut set.alias_target {
                target.evaluate_target_health = true;
            }
            set
        })
    }
}

impl Builder {
    /// Adds an Ingress for the host; `address` is an IP address, a host name or empty for none yet.
    pub(super) fn ingress(&mut self, host: &Host, role: Role, annotations: &[(&str, &str)], address: &str) {
        let object = self.ingress_of(host, role, annotations, &[&host.name], address);
        self.world.clusters[host.cluster].objects.push(object);
    }

    pub(super) fn ingress_of(
        &self,
        host: &Host,
        role: Role,
        annotations: &[(&str, &str)],
        hosts: &[&str],
        address: &str,
    ) -> Value {
        let class = if role == Role::Internal { "internal" } else { "public" };
        let rules: Vec<Value> = hosts
            .iter()
            .map(|name| {
                json!({"host": name, "http": {"paths": [{"path": "/", "pathType": "Prefix",
                    "backend": {"service": {"name": host.object, "port": {"number": 80}}}}]}})
            })
            .collect();
        self.object(
            host,
            ("networking.k8s.io/v1", "Ingress"),
            &annotated(role, annotations),
            &json!({"ingressClassName": class, "rules": rules}),
            address,
        )
    }

    /// Adds a Service of a load balancer with the host as annotation.
    pub(super) fn service(&mut self, host: &Host, address: &str) {
        let annotations = annotated(Role::Services, &[("hostname", &host.name)]);
        let spec = json!({"type": "LoadBalancer", "clusterIP": "10.96.0.10",
            "ports": [{"port": 443, "targetPort": 8443}], "selector": {"app": host.object}});
        let object = self.object(host, ("v1", "Service"), &annotations, &spec, address);
        self.world.clusters[host.cluster].objects.push(object);
    }

    fn object(
        &self,
        host: &Host,
        (api_version, kind): (&str, &str),
        annotations: &Map<String, Value>,
        spec: &Value,
        address: &str,
    ) -> Value {
        let made = format!("{:.0}", self.world.at - SignedDuration::from_hours(48));
        let manager = |name: &str| {
            json!({"manager": name, "operation": "Update", "apiVersion": api_version, "time": made,
                   "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}, "f:metadata": {"f:annotations": {}}}})
        };
        let mut status_manager = manager("ingress-controller");
        status_manager["subresource"] = json!("status");
        let mut object = json!({"apiVersion": api_version, "kind": kind,
            "metadata": {"namespace": host.namespace, "name": host.object, "annotations": annotations,
                "labels": {"app.kubernetes.io/name": host.object, "team": host.namespace},
                "creationTimestamp": made, "managedFields": [manager("helm"), status_manager]},
            "spec": spec});
        let ip = address.parse::<std::net::IpAddr>().is_ok();
        let row = if ip { json!({"ip": address}) } else { json!({"hostname": address}) };
        let rows = if address.is_empty() { json!([]) } else { json!([row]) };
        object["status"] = json!({"loadBalancer": {"ingress": rows}});
        object
    }

    /// Puts record sets with their ownership, as the instance of that role leaves them.
    pub(super) fn owned(&mut self, host: &Host, role: Role, records: impl IntoIterator<Item = RecordSet>) {
        for record in records {
            let heritage = role.heritage(host.cluster, &host.resource(role), &record);
            self.put(host.zone, heritage);
            self.put(host.zone, [record]);
        }
    }
}

/// Annotations as that instance reads them, among others that it does not.
fn annotated(role: Role, annotations: &[(&str, &str)]) -> Map<String, Value> {
    let mut all = Map::new();
    all.insert("cert-manager.io/cluster-issuer".to_owned(), json!("letsencrypt"));
    all.insert("meta.helm.sh/release-name".to_owned(), json!("shop"));
    for (key, value) in annotations {
        let key = if key.contains('/') { (*key).to_owned() } else { format!("{}/{key}", role.prefix()) };
        all.insert(key, json!(value));
    }
    all
}
