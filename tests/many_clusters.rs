//! Two clusters write to one hosted zone: each process judges its own owner's records and leaves the
//! other's alone.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dns_drift::finding::State;
use dns_drift::replay::replay;
use serde_json::{Value, json};

const OWNERS: [&str; 2] = ["blue", "green"];

fn write(path: &Path, value: &Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, value.to_string()).unwrap();
}

/// What stands in the zone that both share: of each owner a name that is wanted and one that is left
/// over.
fn record_sets() -> Value {
    let set = |name: &str, record_type: &str, value: &str| json!({"Name": format!("{name}."), "Type": record_type, "TTL": 300, "ResourceRecords": [{"Value": value}]});
    let mut sets = vec![
        set("example.com", "NS", "ns-34.awsdns-04.com."),
        set(
            "example.com",
            "SOA",
            "ns-34.awsdns-04.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",
        ),
    ];
    for owner in OWNERS {
        for name in [format!("{owner}.example.com"), format!("old-{owner}.example.com")] {
            let heritage = format!(
                "\"heritage=external-dns,external-dns/owner={owner},external-dns/resource=ingress/shop/{owner}\""
            );
            sets.push(set(&name, "A", "203.0.113.10"));
            sets.push(set(&name, "TXT", &heritage));
            sets.push(set(&format!("a-{name}"), "TXT", &heritage));
        }
    }
    sets.sort_by_key(|set| set["Name"].as_str().unwrap().to_owned());
    json!({"ResourceRecordSets": sets})
}

fn recording(dir: &Path, owner: &str) {
    let rounds = ["09:00:00", "09:20:00", "09:40:00", "10:00:00"];
    let index: Vec<Value> = rounds
        .iter()
        .enumerate()
        .map(|(index, at)| json!({"dir": format!("{index:03}"), "at": format!("2026-11-23T{at}Z")}))
        .collect();
    write(&dir.join("recording.yaml"), &json!({"format": "dns-drift-recording/1", "rounds": index}));
    let list = |items: Value| json!({"apiVersion": "v1", "kind": "List", "items": items});
    let containers = json!([{"name": "external-dns", "image": "registry.k8s.io/external-dns/external-dns:v0.14.2",
        "args": ["--source=ingress", "--provider=aws", "--policy=sync", "--registry=txt", format!("--txt-owner-id={owner}")]}]);
    let old = "2026-10-14T10:00:00Z";
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "dns", "name": "external-dns", "uid": "d1", "creationTimestamp": old},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}}});
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"namespace": "shop", "name": owner, "uid": "i1", "creationTimestamp": old},
        "spec": {"rules": [{"host": format!("{owner}.example.com")}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}}});
    let zone = json!({"Id": "/hostedzone/Z1", "Name": "example.com.", "CallerReference": "x",
        "Config": {"PrivateZone": false}, "ResourceRecordSetCount": 14});
    for round in 0..rounds.len() {
        let dir = dir.join(format!("{round:03}"));
        write(&dir.join("kubernetes/deployments.yaml"), &list(json!([deployment])));
        write(&dir.join("kubernetes/ingresses.yaml"), &list(json!([ingress])));
        write(&dir.join("route53/hosted-zones.json"), &json!({"HostedZones": [zone]}));
        let servers = json!({"NameServers": ["ns-34.awsdns-04.com"]});
        write(
            &dir.join("route53/Z1/hosted-zone.json"),
            &json!({"HostedZone": zone, "DelegationSet": servers}),
        );
        write(&dir.join("route53/Z1/record-sets.json"), &record_sets());
    }
}

#[test]
fn each_cluster_judges_its_own_owner() {
    for owner in OWNERS {
        let folder = tempfile::tempdir().unwrap();
        recording(folder.path(), owner);
        let report = replay(folder.path()).expect("judged");
        let there = report.findings.iter().filter(|finding| finding.state != State::Resolved);
        // Whether a Pod runs is no matter of this test.
        let about_records = there.filter(|finding| finding.subject.record().is_some());
        let found: BTreeSet<String> =
            about_records.map(|finding| format!("{} {}", finding.subject, finding.kind)).collect();
        let own = BTreeSet::from([format!("old-{owner}.example.com/A stale_record")]);
        assert_eq!(found, own, "{owner}: {report:#?}");
    }
}
