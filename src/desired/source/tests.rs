//! Table tests of the sources: objects and flags in, endpoints out.

use serde_json::{Value, json};

use super::*;
use crate::fixture::{instance, objects};
use crate::snapshot::Cluster;

mod ingresses;
mod nodes_and_pods;
mod routes;
mod services;
mod templates;

/// `name type target,target` of everything that the objects of the first kind yield, sorted.
fn yields(args: &[&str], values: &[Value]) -> Vec<String> {
    let (objects, instance) = (objects(values), instance(args, "v0.22.0"));
    let input = SourceInput { objects: &objects, instance: &instance, now: Timestamp::UNIX_EPOCH };
    let kind = values[0]["kind"].as_str().expect("kind");
    let mut rows: Vec<String> = input
        .of_kind(kind)
        .flat_map(|object| read_object(object, &input).endpoints)
        .map(|one| format!("{} {} {}", one.name, one.record_type, one.targets.join(",")))
        .collect();
    rows.sort();
    rows
}

/// `name type target,target` of everything that one source asks for, with its TTL, set identifier and
/// properties where it has them; endpoints of one name united, in order.
fn asked(source: &str, args: &[&str], version: &str, values: &[Value]) -> Vec<String> {
    let source = format!("--source={source}");
    let args: Vec<&str> = args.iter().copied().chain([source.as_str()]).collect();
    let instance = Arc::new(instance(&args, version));
    let cluster = Cluster { objects: objects(values), ..Cluster::default() };
    let stage = crate::desired::sources(&cluster, &instance, Timestamp::UNIX_EPOCH);
    let mut rows: Vec<String> = stage.endpoints.iter().map(row).collect();
    rows.sort();
    rows
}

fn row(one: &Endpoint) -> String {
    let mut words = vec![one.name.clone(), one.record_type.to_string(), one.targets.join(",")];
    words.extend(one.ttl.map(|ttl| format!("ttl={ttl}")));
    words.extend(one.set_identifier.as_ref().map(|set| format!("set={set}")));
    words.extend(one.properties.iter().map(|(name, value)| format!("{name}={value}")));
    words.join(" ")
}

fn key(name: &str) -> String {
    format!("external-dns.kubernetes.io/{name}")
}

fn service(annotations: &Value, spec: &Value, status: &Value) -> Value {
    json!({"kind": "Service", "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
           "spec": spec, "status": {"loadBalancer": {"ingress": status}}})
}

fn node(name: &str, external: &str, internal: &str) -> Value {
    let addresses = [("ExternalIP", external), ("InternalIP", internal)];
    let addresses = addresses.iter().filter(|(_, address)| !address.is_empty());
    let addresses: Vec<Value> =
        addresses.map(|(kind, address)| json!({"type": kind, "address": address})).collect();
    json!({"kind": "Node", "metadata": {"name": name, "labels": {"node-role.kubernetes.io/node": ""}},
           "status": {"addresses": addresses}})
}

fn pod(name: &str, on: &str, ready: bool, extra: &Value) -> Value {
    let mut metadata = json!({"name": name, "namespace": "shop", "labels": {"app": "x"}});
    if let (Some(metadata), Some(extra)) = (metadata.as_object_mut(), extra.as_object()) {
        metadata.extend(extra.clone());
    }
    let ready = if ready { "True" } else { "False" };
    json!({"kind": "Pod", "metadata": metadata, "spec": {"nodeName": on, "hostname": name},
           "status": {"phase": "Running", "podIP": "10.2.0.1", "hostIP": "10.1.0.1",
                      "conditions": [{"type": "Ready", "status": ready}]}})
}

const HOST: &str = "external-dns.kubernetes.io/hostname";
const INSIDE: &str = "external-dns.kubernetes.io/internal-hostname";

#[test]
fn services_by_type() {
    let both = json!({HOST: "s.example.com", INSIDE: "i.example.com"});
    let balancer = json!([{"ip": "203.0.113.10"}, {"hostname": "lb.example.net"}]);
    let check = |args: &[&str], spec: Value, expected: &[&str]| {
        assert_eq!(yields(args, &[service(&both, &spec, &balancer)]), expected, "{args:?} {spec}");
    };
    let of = |kind: &str| json!({"type": kind, "clusterIP": "10.0.0.7", "externalName": "ext.example.net"});
    let inside = "i.example.com A 10.0.0.7";
    let outside = ["s.example.com A 203.0.113.10", "s.example.com CNAME lb.example.net"];
    check(&[], of("LoadBalancer"), &[inside, outside[0], outside[1]]);
    check(&[], of("ClusterIP"), &[inside]);
    check(&["--publish-internal-services"], of("ClusterIP"), &[inside, "s.example.com A 10.0.0.7"]);
    let external = ["i.example.com CNAME ext.example.net", "s.example.com CNAME ext.example.net"];
    check(&[], of("ExternalName"), &external);
    check(&["--service-type-filter=NodePort"], of("LoadBalancer"), &[]);
    check(
        &["--ignore-hostname-annotation", "--fqdn-template={{.Name}}.t.com"],
        of("LoadBalancer"),
        &["web.t.com A 203.0.113.10", "web.t.com CNAME lb.example.net"],
    );
    let ips = json!({"type": "LoadBalancer", "externalIPs": ["198.51.100.1"]});
    check(&[], ips, &["s.example.com A 198.51.100.1"]);
}

#[test]
fn a_target_annotation_is_for_every_type() {
    let annotations = json!({HOST: "s.example.com", "external-dns.kubernetes.io/target": "198.51.100.9."});
    for kind in ["LoadBalancer", "ClusterIP", "NodePort", "ExternalName"] {
        let found = yields(&[], &[service(&annotations, &json!({"type": kind}), &json!([]))]);
        assert_eq!(found, ["s.example.com A 198.51.100.9"], "{kind}");
    }
}

#[test]
fn node_ports() {
    let spec = |policy: &str| {
        json!({"type": "NodePort", "externalTrafficPolicy": policy, "selector": {"app": "x"},
               "ports": [{"nodePort": 30080, "protocol": "TCP"}]})
    };
    let around = |annotations: Value, policy: &str| {
        vec![
            service(&annotations, &spec(policy), &json!([])),
            node("n1", "198.51.100.1", "10.1.0.1"),
            node("n2", "198.51.100.2", "10.1.0.2"),
            pod("p1", "n1", false, &json!({})),
            pod("p2", "n2", true, &json!({})),
        ]
    };
    let srv = "_web._tcp.s.example.com SRV 0 50 30080 s.example.com.";
    let host = json!({HOST: "s.example.com"});
    let all = "s.example.com A 198.51.100.1,198.51.100.2";
    assert_eq!(yields(&[], &around(host.clone(), "Cluster")), [srv, all]);
    assert_eq!(yields(&[], &around(host, "Local")), [srv, "s.example.com A 198.51.100.2"]);
    let private = json!({HOST: "s.example.com", "external-dns.kubernetes.io/access": "private"});
    assert_eq!(yields(&[], &around(private, "Cluster")), [srv, "s.example.com A 10.1.0.1,10.1.0.2"]);
    let kops = json!({"dns.alpha.kubernetes.io/internal": "k.example.com"});
    let mode = ["--compatibility=kops-dns-controller"];
    assert_eq!(yields(&mode, &around(kops, "Cluster")), ["k.example.com A 10.1.0.1,10.1.0.2"]);
}

#[test]
fn headless_services() {
    let spec = json!({"type": "ClusterIP", "clusterIP": "None", "selector": {"app": "x"}});
    let slice = json!({"kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "s", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [
            {"addresses": ["10.2.0.1"], "targetRef": {"kind": "Pod", "name": "p1"}},
            {"addresses": ["10.2.0.2"], "targetRef": {"kind": "Pod", "name": "p2"},
             "conditions": {"ready": false}},
            {"addresses": ["10.2.0.3"], "targetRef": {"kind": "Pod", "name": "gone"}}]});
    let around = |annotations: Value| {
        vec![
            service(&annotations, &spec, &json!([])),
            slice.clone(),
            node("n1", "198.51.100.1", "10.1.0.1"),
            pod("p1", "n1", true, &json!({})),
            pod("p2", "n1", false, &json!({})),
        ]
    };
    let host = json!({HOST: "h.example.com"});
    assert_eq!(
        yields(&[], &around(host.clone())),
        ["h.example.com A 10.2.0.1", "p1.h.example.com A 10.2.0.1"]
    );
    assert_eq!(
        yields(&["--always-publish-not-ready-addresses"], &around(host.clone())),
        ["h.example.com A 10.2.0.1,10.2.0.2", "p1.h.example.com A 10.2.0.1", "p2.h.example.com A 10.2.0.2"]
    );
    let hosts = ["h.example.com A 10.1.0.1", "p1.h.example.com A 10.1.0.1"];
    assert_eq!(yields(&["--publish-host-ip"], &around(host)), hosts);
    let external =
        json!({HOST: "h.example.com", "external-dns.kubernetes.io/endpoints-type": "NodeExternalIP"});
    let nodes = ["h.example.com A 198.51.100.1", "p1.h.example.com A 198.51.100.1"];
    assert_eq!(yields(&[], &around(external.clone())), nodes);
    // Nodes are read for Services of type NodePort only, if a filter names types.
    assert_eq!(yields(&["--service-type-filter=ClusterIP"], &around(external.clone())), [""; 0]);
    let with_ports = ["--service-type-filter=ClusterIP", "--service-type-filter=NodePort"];
    assert_eq!(yields(&with_ports, &around(external)), nodes);
}

#[test]
fn nodes_and_pods() {
    let cordoned = json!({"kind": "Node", "metadata": {"name": "n3"}, "spec": {"unschedulable": true},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.1.0.3"}]}});
    let nodes = [node("n1", "198.51.100.1", "10.1.0.1"), node("n2", "", "10.1.0.2"), cordoned];
    assert_eq!(yields(&[], &nodes), ["n1 A 198.51.100.1", "n2 A 10.1.0.2"]);
    let all = ["n1 A 198.51.100.1", "n2 A 10.1.0.2", "n3 A 10.1.0.3"];
    assert_eq!(yields(&["--no-exclude-unschedulable"], &nodes), all);
    let pairs = "--fqdn-target-template={{.Name}}.example.com:lb.example.net,{{.Name}}.{{.APIVersion}}:192.0.2.1,no pair";
    let found = ["n1.example.com CNAME lb.example.net", "n1.v1 A 192.0.2.1"];
    assert_eq!(yields(&[pairs], &nodes[..1]), found);
    let beside = ["n1 A 198.51.100.1", found[0], found[1]];
    assert_eq!(yields(&[pairs, "--combine-fqdn-annotation"], &nodes[..1]), beside);
    let template = ["--fqdn-template={{.Name}}.example.com"];
    assert_eq!(yields(&template, &nodes)[0], "n1.example.com A 198.51.100.1");

    let names = json!({"annotations": {HOST: "p.example.com", INSIDE: "i.example.com"}});
    let pods = [pod("p1", "n1", false, &names), node("n1", "198.51.100.1", "2001:db8::1")];
    let found =
        ["i.example.com A 10.2.0.1", "p.example.com A 198.51.100.1", "p.example.com AAAA 2001:db8::1"];
    assert_eq!(yields(&[], &pods), found);
    assert_eq!(yields(&["--ignore-non-host-network-pods"], &pods), [""; 0]);
    let domain = yields(&["--pod-source-domain=pods.example.com"], &pods);
    assert!(domain.contains(&"p1.pods.example.com A 10.2.0.1".to_owned()), "{domain:?}");
}

/// Names are unknown, not absent, when a template cannot be evaluated.
#[test]
fn a_template_that_cannot_be_evaluated_is_told() {
    let value = json!({"kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}}});
    let instance = instance(&["--fqdn-template={{.Nonsense}}.example.com"], "v0.22.0");
    let objects = objects(&[value]);
    let input = SourceInput { objects: &objects, instance: &instance, now: Timestamp::UNIX_EPOCH };
    let found = read_object(input.object("Ingress", "shop", "web").expect("there"), &input);
    let expected = "Ingress/shop/web: the template cannot be evaluated here: the field Nonsense";
    assert_eq!(found.unknown.as_deref(), Some(expected));
    assert_eq!(found.unwanted, []);
}
