//! For any host the report says why it is wanted or not.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::fs;
use std::path::Path;

use dns_drift::finding::SilentReason;
use dns_drift::model::DomainName;
use dns_drift::publish::explain;
use dns_drift::publish::table::Style;
use dns_drift::replay::{last_snapshot, replay};
use dns_drift::snapshot::ViewState;
use serde_json::{Value, json};

const PREFIX: &str = "external-dns.alpha.kubernetes.io/";

/// A recording of one round: these objects, and the hosted zone `example.com`.
fn recording(objects: &[Value], problems: &[Value]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let round = folder.path().join("000");
    fs::create_dir_all(round.join("kubernetes")).expect("made");
    let index = "format: dns-drift-recording/1\nrounds:\n- {dir: '000', at: '2026-11-23T10:00:00Z'}\n";
    fs::write(folder.path().join("recording.yaml"), index).expect("written");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(round.join("kubernetes/all.json"), list.to_string()).expect("written");
    if !problems.is_empty() {
        fs::write(round.join("problems.yaml"), json!(problems).to_string()).expect("written");
    }
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/D096/001/route53");
    copy(&zones, &round.join("route53"));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for one in fs::read_dir(from).expect("the shared corpus") {
        let one = one.expect("a file").path();
        let place = to.join(one.file_name().expect("a name"));
        if one.is_dir() {
            copy(&one, &place);
        } else {
            fs::copy(&one, &place).expect("copied");
        }
    }
}

fn external_dns(args: &[&str]) -> Value {
    let common = ["--provider=aws", "--registry=txt", "--txt-owner-id=a", "--policy=sync"];
    let args: Vec<&str> = args.iter().chain(&common).copied().collect();
    let container = json!({"name": "external-dns", "image": "registry.k8s.io/external-dns/external-dns:v0.21.0", "args": args});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "external-dns", "namespace": "dns"},
        "spec": {"template": {"spec": {"containers": [container]}}}})
}

/// An Ingress of the wanted class for `<name>.example.com` that passes each filter.
fn ingress(name: &str) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": "shop", "annotations": {"public": "yes"},
            "creationTimestamp": "2026-11-01T10:00:00Z"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": format!("{name}.example.com")}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
}

fn with(mut value: Value, pointer: &str, member: &str, new: Value) -> Value {
    value.pointer_mut(pointer).expect("there")[member] = new;
    value
}

fn service(name: &str, spec: &Value) -> Value {
    let mut annotations = json!({"public": "yes"});
    annotations[format!("{PREFIX}hostname")] = json!(format!("{name}.example.com"));
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations}, "spec": spec})
}

#[test]
fn every_rule_is_told() {
    let controller =
        |value: Value| with(value, "/metadata/annotations", &format!("{PREFIX}controller"), json!("other"));
    let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "source", "namespace": "shop"}, "spec": {"hostnames": ["source.example.com"]}});
    let mut inside = service("inside", &json!({"type": "ClusterIP", "clusterIP": "10.0.0.1"}));
    inside["metadata"]["annotations"][format!("{PREFIX}internal-hostname")] = json!("i.example.com");
    let objects = [
        external_dns(&[
            "--source=ingress",
            "--source=service",
            "--domain-filter=example.com",
            "--exclude-domains=drop.example.com",
            "--ingress-class=nginx",
            "--annotation-filter=public=yes",
            "--namespace=shop",
            "--label-filter=tier!=dev",
        ]),
        with(ingress("class"), "/spec", "ingressClassName", json!("alb")),
        with(ingress("annotation"), "/metadata", "annotations", json!({})),
        with(ingress("label"), "/metadata", "labels", json!({"tier": "dev"})),
        with(ingress("namespace"), "/metadata", "namespace", json!("other")),
        with(
            ingress("domain"),
            "/spec",
            "rules",
            json!([{"host": "app.other.net"}, {"host": "app.drop.example.com"}]),
        ),
        with(ingress("address"), "/status/loadBalancer", "ingress", json!([])),
        controller(ingress("controller")),
        route,
        inside,
        service("pods", &json!({"type": "ClusterIP", "clusterIP": "None"})),
        service("nodes", &json!({"type": "NodePort"})),
    ];
    let folder = recording(&objects, &[]);
    let report = replay(folder.path()).expect("judged");
    let check = |host: &str, words: &str| {
        let text =
            explain::name(&report, &DomainName::new(host), Style { width: Some(120), ..Style::default() });
        assert!(text.contains(words) && !text.contains("No finding"), "{host}: {words:?} in {text}");
    };
    check("class.example.com", "class_filter");
    check("annotation.example.com", "annotation_filter");
    check("label.example.com", "label_filter");
    check("namespace.example.com", "namespace_filter");
    check("app.other.net", "--domain-filter=example.com");
    check("app.drop.example.com", "domain_filter");
    check("controller.example.com", "controller_annotation");
    check("address.example.com", "no_address");
    check("source.example.com", "--source=gateway-httproute is not given");
    check("inside.example.com", "--publish-internal-services");
    check("pods.example.com", "no Pod of the headless Service");
    check("nodes.example.com", "no Node that counts");
}

/// As in a watch: what needs the kind is unknown, the rest is judged.
#[test]
fn a_refused_kind_blinds_only_what_needs_it() {
    let refused = json!({"view": "kubernetes", "scope": "Service", "code": "forbidden", "message": "no"});
    let objects = [external_dns(&["--source=ingress", "--source=service"]), ingress("app")];
    let folder = recording(&objects, &[refused]);
    let snapshot = last_snapshot(folder.path(), &Value::Null).expect("read");
    assert_eq!(snapshot.kubernetes.state, ViewState::Read);
    let cluster = snapshot.kubernetes.value().expect("a view");
    assert!(!cluster.watches("service") && cluster.watches("ingress"));
    assert_eq!(cluster.unread_kinds.iter().map(|kind| &**kind).collect::<Vec<_>>(), ["Service"]);
    assert_eq!(snapshot.kubernetes.problems.len(), 1);
}

/// The addresses that ExternalDNS itself finds are not known: any record will do, and none is missing.
#[test]
fn a_name_that_external_dns_resolves_is_wanted_with_any_address() {
    let mut balancer = service("app", &json!({"type": "LoadBalancer"}));
    balancer["status"] = json!({"loadBalancer": {"ingress": [{"hostname": "lb.example.net"}]}});
    balancer["metadata"]["creationTimestamp"] = json!("2026-11-01T10:00:00Z");
    let mut other = balancer.clone();
    other["metadata"]["name"] = json!("absent");
    other["metadata"]["annotations"][format!("{PREFIX}hostname")] = json!("absent.example.com");
    let flag = "--resolve-service-load-balancer-hostname";
    let folder = recording(&[external_dns(&["--source=service", flag]), balancer, other], &[]);
    let report = replay(folder.path()).expect("judged");
    let kinds = |host: &str| {
        let own = report
            .findings
            .iter()
            .filter(|one| one.subject.record().is_some_and(|key| key.name.as_str() == host));
        own.map(|one| one.kind.as_str()).collect::<Vec<_>>()
    };
    assert!(!kinds("app.example.com").contains(&"wrong_target"), "{:?}", kinds("app.example.com"));
    assert!(!kinds("app.example.com").contains(&"invalid_desired"), "{:?}", kinds("app.example.com"));
    assert_eq!(kinds("absent.example.com"), ["missing_record"]);
}

/// What is kept quiet about an Ingress whose record is there with this address and belongs to another
/// owner.
fn held_by_another(name: &str, address: &str) -> Vec<(String, SilentReason)> {
    let folder = recording(&[external_dns(&["--source=ingress"]), ingress(name)], &[]);
    let values = |name: &str, record_type: &str, value: &str| json!({"Name": name, "Type": record_type, "TTL": 300, "ResourceRecords": [{"Value": value}]});
    let host = format!("{name}.example.com.");
    let heritage = "\"heritage=external-dns,external-dns/owner=other\"";
    let sets = [values(&host, "A", address), values(&format!("a-{host}"), "TXT", heritage)];
    let zone = folder.path().join("000/route53/ZPUB0000000001");
    fs::remove_dir_all(&zone).expect("there");
    fs::create_dir_all(&zone).expect("made");
    let listed = json!({ "ResourceRecordSets": sets, "IsTruncated": false });
    fs::write(zone.join("record-sets.json"), listed.to_string()).expect("written");
    let zones = json!({"HostedZones": [{"Id": "/hostedzone/ZPUB0000000001", "Name": "example.com."}]});
    fs::write(folder.path().join("000/route53/hosted-zones.json"), zones.to_string()).expect("written");
    let report = replay(folder.path()).expect("judged");
    report.silent.iter().map(|silent| (silent.subject.to_string(), silent.reason)).collect()
}

#[test]
fn another_owner_agrees_only_where_the_record_is_as_wanted() {
    let agrees = |address: &str| {
        held_by_another("app", address)
            .contains(&("app.example.com/A".to_owned(), SilentReason::ForeignOwnerAgrees))
    };
    assert!(agrees("192.0.2.1"));
    assert!(!agrees("192.0.2.9"));
}
