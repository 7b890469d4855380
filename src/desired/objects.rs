//! From the Kubernetes API's shapes to our objects. Pure.
//!
//! The `Raw*` types hold the few members that decide records; everything else is skipped while
//! parsing, so a watch of fifty thousand Ingresses costs what our rows cost. Every member is
//! optional: one odd object must not hide the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::desired::prune::LAST_APPLIED;
use crate::limits::MAX_ANNOTATION;
use crate::model::TextMap;
use crate::model::object::{Body, Ingress, KubeObject, LoadBalancerAddress, ObjectRef, Service, ServicePort};

/// `metadata` of any object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawMeta {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub namespace: String,
    #[serde(deserialize_with = "nullable")]
    pub uid: String,
    #[serde(deserialize_with = "nullable")]
    pub resource_version: String,
    #[serde(deserialize_with = "nullable")]
    pub generation: i64,
    pub creation_timestamp: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub managed_fields: Vec<RawManagedField>,
}

/// One row of `metadata.managedFields`; the field set itself is never read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawManagedField {
    pub time: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    pub subresource: String,
}

/// `networking.k8s.io/v1` Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawIngress {
    pub metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    pub spec: RawIngressSpec,
    #[serde(deserialize_with = "nullable")]
    pub status: RawLoadBalancerStatus,
}

/// Spec of an Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawIngressSpec {
    #[serde(deserialize_with = "nullable")]
    pub ingress_class_name: String,
    #[serde(deserialize_with = "nullable")]
    pub rules: Vec<RawIngressRule>,
    #[serde(deserialize_with = "nullable")]
    pub tls: Vec<RawIngressTls>,
}

/// One rule of an Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawIngressRule {
    #[serde(deserialize_with = "nullable")]
    pub host: String,
}

/// One TLS row of an Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawIngressTls {
    #[serde(deserialize_with = "nullable")]
    pub hosts: Vec<String>,
}

/// `v1` Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawService {
    pub metadata: RawMeta,
    #[serde(deserialize_with = "nullable")]
    pub spec: RawServiceSpec,
    #[serde(deserialize_with = "nullable")]
    pub status: RawLoadBalancerStatus,
}

/// Spec of a Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawServiceSpec {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub service_type: String,
    #[serde(rename = "clusterIP", deserialize_with = "nullable")]
    pub cluster_ip: String,
    #[serde(rename = "externalIPs", deserialize_with = "nullable")]
    pub external_ips: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub external_name: String,
    #[serde(deserialize_with = "nullable")]
    pub selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub ports: Vec<RawServicePort>,
    #[serde(deserialize_with = "nullable")]
    pub external_traffic_policy: String,
    #[serde(deserialize_with = "nullable")]
    pub publish_not_ready_addresses: bool,
}

/// One port of a Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawServicePort {
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub port: u16,
    #[serde(deserialize_with = "nullable")]
    pub protocol: String,
    #[serde(deserialize_with = "nullable")]
    pub node_port: u16,
}

/// `status` of an Ingress or Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawLoadBalancerStatus {
    #[serde(deserialize_with = "nullable")]
    pub load_balancer: RawLoadBalancer,
}

/// `status.loadBalancer`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawLoadBalancer {
    #[serde(deserialize_with = "nullable")]
    pub ingress: Vec<RawLoadBalancerIngress>,
}

/// One row of `status.loadBalancer.ingress`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the API's own type")]
pub struct RawLoadBalancerIngress {
    #[serde(deserialize_with = "nullable")]
    pub ip: String,
    #[serde(deserialize_with = "nullable")]
    pub hostname: String,
}

/// Reads `null` like an absent member: hand-written YAML has both.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

// === decoding ===

impl RawIngress {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let hosts = self.spec.rules.into_iter().map(|rule| rule.host).filter(|host| !host.is_empty());
        let rule_hosts: Box<[Arc<str>]> = hosts.map(Arc::from).collect();
        // Mostly the same hosts again.
        let shared = |host: String| match rule_hosts.iter().find(|one| ***one == *host) {
            Some(known) => Arc::clone(known),
            None => host.into(),
        };
        let tls_hosts = self.spec.tls.into_iter().flat_map(|tls| tls.hosts).map(shared).collect();
        let body = Body::Ingress(Ingress {
            class_name: Some(self.spec.ingress_class_name).filter(|name| !name.is_empty()),
            rule_hosts,
            tls_hosts,
            addresses: self.status.decode(),
        });
        self.metadata.decode("Ingress", body)
    }
}

impl RawService {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let spec = self.spec;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let body = Body::Service(Box::new(Service {
            service_type: spec.service_type,
            cluster_ip: given(spec.cluster_ip),
            external_ips: spec.external_ips,
            external_name: given(spec.external_name),
            selector: spec.selector,
            ports: spec.ports.into_iter().map(RawServicePort::decode).collect(),
            local_traffic: spec.external_traffic_policy == "Local",
            publish_not_ready: spec.publish_not_ready_addresses,
            addresses: self.status.decode(),
        }));
        self.metadata.decode("Service", body)
    }
}

impl RawServicePort {
    fn decode(self) -> ServicePort {
        let protocol = if self.protocol.is_empty() { "TCP".to_owned() } else { self.protocol };
        ServicePort { name: self.name, port: self.port, protocol, node_port: self.node_port }
    }
}

impl RawLoadBalancerStatus {
    pub(crate) fn decode(self) -> Vec<LoadBalancerAddress> {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let rows = self.load_balancer.ingress.into_iter();
        let mut addresses: Vec<LoadBalancerAddress> = rows
            .map(|row| LoadBalancerAddress { ip: given(row.ip), hostname: given(row.hostname) })
            .filter(|address| address.ip.is_some() || address.hostname.is_some())
            .collect();
        // Kept for long, and by the tens of thousands.
        addresses.shrink_to_fit();
        addresses
    }
}

impl RawMeta {
    /// Name of the object.
    #[must_use]
    pub fn reference(&self, kind: &str) -> ObjectRef {
        ObjectRef::new(kind, &self.namespace, &self.name)
    }

    /// Newest change outside of the status: the newest field manager's time, else the creation.
    #[must_use]
    pub fn changed_at(&self) -> Option<Timestamp> {
        self.newest("").or(self.creation_timestamp)
    }

    fn newest(&self, subresource: &str) -> Option<Timestamp> {
        let fields = self.managed_fields.iter().filter(|field| field.subresource == subresource);
        fields.filter_map(|field| field.time).max()
    }

    /// The compact row of an object of any kind.
    pub(crate) fn decode(self, kind: &str, body: Body) -> KubeObject {
        KubeObject {
            reference: self.reference(kind),
            uid: Arc::from(self.uid.as_str()),
            created_at: self.creation_timestamp,
            deletion_at: self.deletion_timestamp,
            changed_at: self.changed_at(),
            status_changed_at: self.newest("status"),
            labels: self.labels.into(),
            annotations: bounded(self.annotations),
            body,
        }
    }
}

fn bounded(annotations: BTreeMap<String, String>) -> TextMap {
    annotations
        .into_iter()
        // Large, frequent, and no filter is about it.
        .filter(|(key, _)| key != LAST_APPLIED)
        .map(|(key, value)| {
            if value.len() <= MAX_ANNOTATION {
                (key, value)
            } else {
                (key, crate::model::text::truncate(&value, MAX_ANNOTATION))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ingress_in_a_few_words() {
        let text = r#"{
            "metadata": {"name": "web", "namespace": "shop", "labels": null,
              "creationTimestamp": "2026-11-22T10:00:00Z",
              "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "shop"},
              "managedFields": [
                {"time": "2026-11-22T10:01:00Z", "fieldsV1": {"f:spec": {}}},
                {"time": "2026-11-22T10:03:00Z", "subresource": "status"}]},
            "spec": {"rules": [{"host": "a.example.com", "http": {"paths": []}}, {}], "tls": [{"hosts": ["*.example.com"]}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ports": []}, {}]}}}"#;
        let object = serde_json::from_str::<RawIngress>(text).expect("parses").decode();
        assert_eq!(object.reference.to_string(), "Ingress/shop/web");
        assert_eq!(object.changed_at, Some("2026-11-22T10:01:00Z".parse().expect("time")));
        assert_eq!(object.status_changed_at, Some("2026-11-22T10:03:00Z".parse().expect("time")));
        assert_eq!(object.annotations.keys().collect::<Vec<_>>(), ["team"]);
        let Body::Ingress(ingress) = &object.body else { panic!("an Ingress") };
        assert_eq!(*ingress.rule_hosts, [Arc::from("a.example.com")]);
        assert_eq!(*ingress.tls_hosts, [Arc::from("*.example.com")]);
        assert_eq!(ingress.addresses.len(), 1);
    }

    #[test]
    fn null_and_absent_are_empty() {
        let object = serde_json::from_str::<RawIngress>(
            r#"{"metadata":{"name":"x"},"spec":{"rules":null},"status":null}"#,
        );
        assert_eq!(object.expect("parses").decode().addresses(), &[]);
    }
}
