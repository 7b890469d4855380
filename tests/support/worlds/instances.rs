//! The instances of a cluster: three releases of ExternalDNS that divide the objects between them.

use dns_drift::emulator::zones::RecordSet;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Cluster;

/// Their namespace.
pub(super) const NAMESPACE: &str = "dns";

/// What an instance is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Ingresses of the class `public`, in public zones.
    Public,
    /// Ingresses of the class `internal`, in private zones.
    Internal,
    /// Services, in public zones; never deletes.
    Services,
}

pub(super) struct Instance {
    pub(super) role: Role,
    pub(super) pod: String,
}

/// The instances of a cluster that runs since some weeks.
pub(super) fn cluster(number: usize, at: Timestamp) -> Cluster {
    let mut cluster = Cluster::default();
    for role in [Role::Public, Role::Internal, Role::Services] {
        let name = format!("external-dns-{}", role.word());
        let pod = format!("{name}-6d5f7c9b8-x2x4z");
        cluster.objects.extend(workload(role, number, &name, &pod, at));
        cluster.instances.push(Instance { role, pod });
    }
    cluster
}

fn workload(role: Role, cluster: usize, name: &str, pod: &str, at: Timestamp) -> [Value; 2] {
    let mut args = vec![
        "--provider=aws".to_owned(),
        "--registry=txt".to_owned(),
        format!("--txt-owner-id={}", role.owner(cluster)),
        "--interval=10s".to_owned(),
    ];
    args.extend(role.arguments().iter().map(|argument| (*argument).to_owned()));
    let image = format!("registry.k8s.io/external-dns/external-dns:{}", role.release());
    let containers = json!([{"name": "external-dns", "image": image, "args": args}]);
    let old = format!("{:.0}", at - SignedDuration::from_hours(24 * 30));
    let started = format!("{:.0}", at - SignedDuration::from_hours(48));
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{name}-6d5f7c9b8"),
        "uid": format!("r-{name}"), "controller": true}]);
    [
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": NAMESPACE, "name": name, "creationTimestamp": old, "managedFields": [
                {"manager": "helm", "operation": "Update", "apiVersion": "apps/v1", "time": old,
                 "fieldsType": "FieldsV1", "fieldsV1": {}}]},
            "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}}}),
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": NAMESPACE, "name": pod, "creationTimestamp": started,
                         "ownerReferences": owner},
            "spec": {"containers": containers},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "external-dns", "restartCount": 0, "ready": true,
                    "state": {"running": {"startedAt": started}}}]}}),
    ]
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Services => "services",
        }
    }

    pub(super) fn owner(self, cluster: usize) -> String {
        format!("c{cluster}-{}", self.word())
    }

    fn release(self) -> &'static str {
        match self {
            Self::Public => "v0.16.1",
            Self::Internal => "v0.19.0",
            Self::Services => "v0.22.0",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            // Without a prefix the old format would stand beside CNAMEs, which DNS forbids.
            Self::Public => &[
                "--source=ingress",
                "--ingress-class=public",
                "--aws-zone-type=public",
                "--policy=sync",
                "--txt-prefix=edns-",
            ],
            Self::Internal => {
                &["--source=ingress", "--ingress-class=internal", "--aws-zone-type=private", "--policy=sync"]
            }
            Self::Services => &["--source=service", "--aws-zone-type=public", "--policy=upsert-only"],
        }
    }

    /// The prefix of its annotations. Source: ExternalDNS 0.22.0, release notes.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Public | Self::Internal => "external-dns.alpha.kubernetes.io",
            Self::Services => "external-dns.kubernetes.io",
        }
    }

    /// The ownership records of a record of an instance. Source: `registry/txt.go` at its release:
    /// two formats up to 0.17, aliases as `cname-` up to 0.21, AAAA in the new format only.
    pub(super) fn heritage(self, cluster: usize, resource: &str, record: &RecordSet) -> Vec<RecordSet> {
        self.heritage_of(&self.owner(cluster), resource, record)
    }

    /// The same under another owner's name.
    pub(super) fn heritage_of(self, owner: &str, resource: &str, record: &RecordSet) -> Vec<RecordSet> {
        let host = record.name.trim_end_matches('.').replace("\\052", "*");
        let alias = record.alias_target.is_some();
        let word = match (record.kind.as_str(), self) {
            ("A", Self::Public | Self::Internal) if alias => "cname",
            ("A", _) => "a",
            ("AAAA", _) => "aaaa",
            _ => "cname",
        };
        let names = match self {
            Self::Public if record.kind == "AAAA" => vec![format!("edns-aaaa-{host}")],
            Self::Public => vec![format!("edns-{host}"), format!("edns-{word}-{host}")],
            Self::Internal | Self::Services => vec![format!("{word}-{host}")],
        };
        let value =
            format!("\"heritage=external-dns,external-dns/owner={owner},external-dns/resource={resource}\"");
        let sets = names.iter().map(|name| RecordSet {
            set_identifier: record.set_identifier.clone(),
            weight: record.weight,
            ..RecordSet::simple(name, "TXT", 300, &[&value])
        });
        sets.collect()
    }
}
