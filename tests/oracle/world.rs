//! A small world, written as a recording of three rounds.

use std::path::Path;

use serde_json::{Value, json};

/// What the Ingress of a host wants, by the form of its load balancer address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wish {
    A,
    Aaaa,
    Cname,
}

/// What the zone holds in place of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    /// It never stood there.
    Absent,
    /// It stood there in the first round.
    Deleted,
    OtherValue,
    OtherType,
    Alias,
}

/// Whom the ownership TXT names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Owner {
    Ours,
    Nobody,
    Other,
}

/// One host and its fate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    pub(crate) wish: Wish,
    pub(crate) fault: Fault,
    pub(crate) owner: Owner,
    /// The log tells of a refused change.
    pub(crate) refused: bool,
}

impl Wish {
    pub(crate) const ALL: [Self; 3] = [Self::A, Self::Aaaa, Self::Cname];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::A => "203.0.113.10",
            Self::Aaaa => "2001:db8::10",
            Self::Cname => "lb.example.net",
        }
    }

    fn other_value(self) -> &'static str {
        match self {
            Self::A => "198.51.100.7",
            Self::Aaaa => "2001:db8::7",
            Self::Cname => "old.example.net",
        }
    }
}

impl Fault {
    pub(crate) const ALL: [Self; 6] =
        [Self::None, Self::Absent, Self::Deleted, Self::OtherValue, Self::OtherType, Self::Alias];
}

/// The host of a number.
pub(crate) fn name(number: usize) -> String {
    format!("h{number}.example.com")
}

const ZONE: &str = "Z0000000000001";
const ROUNDS: [(&str, &str); 3] =
    [("000", "2026-11-23T09:50:00Z"), ("001", "2026-11-23T09:59:00Z"), ("002", "2026-11-23T10:00:00Z")];
const POD: &str = "external-dns-d8b68db89-9b2d7";
const OLD: &str = "2026-11-22T10:00:00Z";

/// Writes the recording.
pub(crate) fn record(folder: &Path, hosts: &[Host]) {
    let rounds: Vec<Value> = ROUNDS.iter().map(|(dir, at)| json!({ "dir": dir, "at": at })).collect();
    write(&folder.join("recording.yaml"), &json!({ "format": "dns-drift-recording/1", "rounds": rounds }));
    for (round, (dir, _)) in ROUNDS.iter().enumerate() {
        let dir = folder.join(dir);
        let ingresses = hosts.iter().enumerate().map(|(number, host)| ingress(number, *host));
        let objects: Vec<Value> = ingresses.chain([deployment(), pod()]).collect();
        write(
            &dir.join("kubernetes/objects.json"),
            &json!({ "apiVersion": "v1", "kind": "List", "items": objects }),
        );
        let wanted = hosts.iter().enumerate().flat_map(|(number, host)| records(round, number, *host));
        let sets: Vec<Value> = apex().into_iter().chain(wanted).collect();
        let zone = json!({
            "Id": format!("/hostedzone/{ZONE}"), "Name": "example.com.", "CallerReference": "1",
            "Config": { "PrivateZone": false }, "ResourceRecordSetCount": sets.len(),
        });
        write(&dir.join("route53/hosted-zones.json"), &json!({ "HostedZones": [zone] }));
        let sets = json!({ "ResourceRecordSets": sets });
        write(&dir.join(format!("route53/{ZONE}/record-sets.json")), &sets);
        let log = dir.join(format!("external-dns/external-dns__{POD}__external-dns.log"));
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        let refused = hosts.iter().enumerate().filter(|(_, host)| host.refused);
        let lines = refused.flat_map(|(number, host)| refusal(round, number, *host));
        let lines: String = std::iter::once(loop_line(round)).chain(lines).collect();
        std::fs::write(log, lines).unwrap();
    }
}

fn write(path: &Path, value: &Value) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, value.to_string()).unwrap();
}

// === Kubernetes ===

fn ingress(number: usize, host: Host) -> Value {
    let key = if host.wish == Wish::Cname { "hostname" } else { "ip" };
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "name": format!("h{number}"), "namespace": "shop", "uid": format!("{number}"),
            "creationTimestamp": OLD,
        },
        "spec": { "rules": [{ "host": name(number) }] },
        "status": { "loadBalancer": { "ingress": [{ key: host.wish.value() }] } },
    })
}

fn containers() -> Value {
    json!([{
        "name": "external-dns", "image": "registry.k8s.io/external-dns/external-dns:v0.21.0",
        "args": [
            "--source=ingress", "--provider=aws", "--policy=sync", "--registry=txt",
            "--txt-owner-id=ours", "--managed-record-types=A", "--managed-record-types=AAAA",
            "--managed-record-types=CNAME",
        ],
    }])
}

fn deployment() -> Value {
    let labels = json!({ "app.kubernetes.io/name": "external-dns" });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "external-dns", "namespace": "external-dns", "creationTimestamp": OLD },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": containers() } },
        },
        "status": { "replicas": 1, "readyReplicas": 1, "availableReplicas": 1 },
    })
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": POD, "namespace": "external-dns", "creationTimestamp": OLD,
            "labels": { "app.kubernetes.io/name": "external-dns", "pod-template-hash": "d8b68db89" },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "external-dns-d8b68db89", "uid": "1",
                "controller": true,
            }],
        },
        "spec": { "containers": containers() },
        "status": {
            "phase": "Running", "startTime": OLD,
            "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": OLD }],
            "containerStatuses": [{
                "name": "external-dns", "ready": true, "restartCount": 0, "started": true,
                "image": "registry.k8s.io/external-dns/external-dns:v0.21.0", "imageID": "",
                "state": { "running": { "startedAt": OLD } },
            }],
        },
    })
}

// === Route 53 ===

/// What every zone holds.
fn apex() -> [Value; 2] {
    let set = |kind: &str, value: &str| json!({ "Name": "example.com.", "Type": kind, "TTL": 900, "ResourceRecords": [{ "Value": value }] });
    let soa = "ns-34.awsdns-04.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400";
    [set("NS", "ns-34.awsdns-04.com."), set("SOA", soa)]
}

fn records(round: usize, number: usize, host: Host) -> Vec<Value> {
    let (name, wish) = (name(number), host.wish);
    let plain = |wish: Wish, value: &str| {
        json!({
            "Name": format!("{name}."), "Type": wish.as_str(), "TTL": 300,
            "ResourceRecords": [{ "Value": value }],
        })
    };
    let set = match host.fault {
        Fault::None => Some(plain(wish, wish.value())),
        Fault::Deleted if round == 0 => Some(plain(wish, wish.value())),
        Fault::Absent | Fault::Deleted => None,
        Fault::OtherValue => Some(plain(wish, wish.other_value())),
        Fault::OtherType => {
            let other = if wish == Wish::Cname { Wish::A } else { Wish::Cname };
            Some(plain(other, other.other_value()))
        }
        Fault::Alias => Some(json!({
            "Name": format!("{name}."), "Type": if wish == Wish::Aaaa { "AAAA" } else { "A" },
            "AliasTarget": {
                "HostedZoneId": "Z35SXDOTRQ7X7K", "EvaluateTargetHealth": false,
                "DNSName": "app-123456.us-east-1.elb.amazonaws.com.",
            },
        })),
    };
    let txt = match host.owner {
        Owner::Ours => Some(format!("external-dns/owner=ours,external-dns/resource=ingress/shop/h{number}")),
        Owner::Other => Some("external-dns/owner=theirs,external-dns/resource=ingress/theirs/x".to_owned()),
        Owner::Nobody => None,
    };
    let txt = txt.map(|text| {
        json!({
            "Name": format!("{}-{name}.", wish.as_str().to_lowercase()), "Type": "TXT", "TTL": 300,
            "ResourceRecords": [{ "Value": format!("\"heritage=external-dns,{text}\"") }],
        })
    });
    set.into_iter().chain(txt).collect()
}

// === the log ===

const LOOPS: [&str; 3] = ["2026-11-23T09:49:40Z", "2026-11-23T09:58:40Z", "2026-11-23T09:59:40Z"];

/// What every loop says.
fn loop_line(round: usize) -> String {
    let at = LOOPS[round];
    format!(
        "time=\"{at}\" level=info msg=\"Applying provider record filter for domains: [example.com. .example.com.]\"\n"
    )
}

fn refusal(round: usize, number: usize, host: Host) -> Vec<String> {
    let at = LOOPS[round];
    let (name, kind) = (name(number), host.wish.as_str());
    vec![
        format!(
            "time=\"{at}\" level=info msg=\"Desired change: CREATE {name} {kind}\" profile=default zoneID=/hostedzone/{ZONE} zoneName=example.com.\n"
        ),
        format!(
            "time=\"{at}\" level=error msg=\"Failure in zone example.com. when submitting change batch: operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 400, RequestID: 00000000-0000-0000-0000-00000000000{number}, InvalidChangeBatch: [RRSet of type {kind} with DNS name {name}. is not permitted because a conflicting RRSet of type TXT with the same DNS name already exists in zone example.com.]\" profile=default zoneID=/hostedzone/{ZONE} zoneName=example.com.\n"
        ),
    ]
}
