//! Nodes and Pods, after the cases that upstream tests.

use super::*;

#[track_caller]
fn check(source: &str, args: &[&str], values: &[Value], expected: &[&str]) {
    assert_eq!(asked(source, args, "v0.22.0", values), expected, "{args:?}");
}

fn named(name: &str, addresses: &[(&str, &str)], meta: &Value) -> Value {
    let addresses: Vec<Value> =
        addresses.iter().map(|(kind, address)| json!({"type": kind, "address": address})).collect();
    let mut value = json!({"kind": "Node", "metadata": {"name": name}, "status": {"addresses": addresses}});
    for (key, one) in meta.as_object().into_iter().flatten() {
        value["metadata"][key] = one.clone();
    }
    value
}

const OUT: &str = "ExternalIP";
const IN: &str = "InternalIP";

#[test]
fn addresses_of_nodes() {
    let of = |args: &[&str], addresses: &[(&str, &str)], expected: &[&str]| {
        check("node", args, &[named("n.example.org", addresses, &json!({}))], expected);
    };
    of(&[], &[(OUT, "1.2.3.4")], &["n.example.org A 1.2.3.4"]);
    of(&[], &[(IN, "2001:db8::1")], &["n.example.org AAAA 2001:db8::1"]);
    of(&[], &[(OUT, "1.2.3.4"), (OUT, "5.6.7.8")], &["n.example.org A 1.2.3.4,5.6.7.8"]);
    of(&[], &[(OUT, "1.2.3.4"), (IN, "10.0.0.1")], &["n.example.org A 1.2.3.4"]);
    let mixed = [(OUT, "1.2.3.4"), (IN, "10.0.0.1"), (IN, "2001:db8::1")];
    of(&[], &mixed, &["n.example.org A 1.2.3.4"]);
    let both = ["n.example.org A 1.2.3.4", "n.example.org AAAA 2001:db8::1"];
    of(&["--expose-internal-ipv6"], &mixed, &both);
    let inner = [(IN, "10.0.0.1"), (IN, "2001:db8::1")];
    of(&[], &inner, &["n.example.org A 10.0.0.1", "n.example.org AAAA 2001:db8::1"]);
    of(&[], &[("Hostname", "n1"), (IN, "10.0.0.1")], &["n.example.org A 10.0.0.1"]);
    of(&[], &[], &[]);
}

#[test]
fn nodes_that_count() {
    let of = |args: &[&str], meta: &Value, expected: &[&str]| {
        check("node", args, &[named("n", &[(OUT, "1.2.3.4")], meta)], expected);
    };
    let annotated = |name: &str, value: &str| json!({"annotations": {key(name): value}});
    of(&[], &json!({}), &["n A 1.2.3.4"]);
    of(&["--fqdn-template={{.Name}}.example.org"], &json!({}), &["n.example.org A 1.2.3.4"]);
    let combined = ["--fqdn-template={{.Name}}.example.org", "--combine-fqdn-annotation"];
    of(&combined, &json!({}), &["n A 1.2.3.4", "n.example.org A 1.2.3.4"]);
    of(&[], &annotated("target", "203.2.45.7"), &["n A 203.2.45.7"]);
    of(&[], &annotated("controller", "dns-controller"), &["n A 1.2.3.4"]);
    of(&[], &annotated("controller", "not-dns-controller"), &[]);
    of(&[], &annotated("ttl", "10"), &["n A 1.2.3.4 ttl=10"]);
    of(&[], &annotated("ttl", "foo"), &["n A 1.2.3.4"]);
    of(&[], &annotated("alias", "true"), &["n A 1.2.3.4"]);
    of(&[], &annotated("hostname", "other.example.org"), &["n A 1.2.3.4"]);
    of(&["--annotation-filter=x=1"], &json!({"annotations": {"x": "1"}}), &["n A 1.2.3.4"]);
    of(&["--annotation-filter=x=1"], &json!({"annotations": {"x": "2"}}), &[]);
    of(&["--label-filter=x=1"], &json!({"labels": {"x": "1"}}), &["n A 1.2.3.4"]);
    of(&["--label-filter=x=1"], &json!({}), &[]);
    let shared = "--fqdn-template=nodes.example.org";
    let two = [named("a", &[(OUT, "1.2.3.4")], &json!({})), named("b", &[(OUT, "1.2.3.5")], &json!({}))];
    check("node", &[shared], &two, &["nodes.example.org A 1.2.3.4,1.2.3.5"]);
}

/// One Pod with these annotations on a Node with these addresses.
fn around(annotations: &Value, host_network: bool, addresses: &[(&str, &str)]) -> Vec<Value> {
    let mut one = pod("p", "node1", true, &json!({"annotations": annotations}));
    one["spec"]["hostNetwork"] = json!(host_network);
    one["status"]["podIPs"] = json!([{"ip": "10.0.1.1"}, {"ip": "2001:db8::9"}]);
    one["status"]["podIP"] = json!("10.0.1.1");
    vec![one, named("node1", addresses, &json!({}))]
}

#[test]
fn pods_and_their_nodes() {
    let dual = [(OUT, "54.10.11.1"), (IN, "10.0.1.9"), (IN, "2001:db8::1")];
    let both = json!({HOST: "a.foo.example.org", INSIDE: "internal.a.foo.example.org"});
    let outside = ["a.foo.example.org A 54.10.11.1", "a.foo.example.org AAAA 2001:db8::1"];
    let inside = "internal.a.foo.example.org A 10.0.1.1";
    check("pod", &[], &around(&both, true, &dual), &[outside[0], outside[1], inside]);
    check("pod", &[], &around(&both, false, &dual), &[outside[0], outside[1], inside]);
    let strict = ["--ignore-non-host-network-pods"];
    check("pod", &strict, &around(&both, false, &dual), &[]);
    check("pod", &strict, &around(&both, true, &dual), &[outside[0], outside[1], inside]);
    let two = json!({HOST: "a.example.org, b.example.org"});
    check(
        "pod",
        &[],
        &around(&two, true, &[(OUT, "1.2.3.4")]),
        &["a.example.org A 1.2.3.4", "b.example.org A 1.2.3.4"],
    );
    check("pod", &[], &around(&two, true, &[(IN, "10.0.0.1")]), &[]);
    check("pod", &[], &around(&json!({HOST: "a.example.org"}), true, &[])[..1], &[]);
    let ttl = json!({HOST: "a.example.org", key("ttl"): "1s", key("alias"): "true"});
    check("pod", &[], &around(&ttl, true, &[(OUT, "1.2.3.4")]), &["a.example.org A 1.2.3.4 ttl=1"]);
}

#[test]
fn pods_with_targets_and_domains() {
    let nodes = [(OUT, "54.10.11.1")];
    let target =
        json!({HOST: "a.example.org", INSIDE: "i.example.org", key("target"): "208.1.2.1,lb.example.com"});
    let expected = [
        "a.example.org A 208.1.2.1",
        "a.example.org CNAME lb.example.com",
        "i.example.org A 208.1.2.1",
        "i.example.org CNAME lb.example.com",
    ];
    check("pod", &[], &around(&target, true, &nodes), &expected);
    let domain = ["--pod-source-domain=pods.example.org"];
    check("pod", &domain, &around(&json!({}), false, &nodes), &["p.pods.example.org A 10.0.1.1"]);
    let with_target = json!({key("target"): "208.1.2.1"});
    check("pod", &domain, &around(&with_target, false, &nodes), &["p.pods.example.org A 208.1.2.1"]);
    let template = ["--fqdn-template={{.Name}}.t.example.org"];
    let by_template = ["p.t.example.org A 10.0.1.1", "p.t.example.org AAAA 2001:db8::9"];
    check("pod", &template, &around(&json!({}), false, &nodes), &by_template);
    check("pod", &[template[0], "--namespace=other"], &around(&json!({}), false, &nodes), &[]);
    check("pod", &[template[0], "--label-filter=app=x"], &around(&json!({}), false, &nodes), &by_template);
    check("pod", &template, &around(&json!({key("controller"): "other"}), false, &nodes), &[]);
}

/// The annotations of kops count only in that mode, and a target annotation not for them.
#[test]
fn pods_of_kops() {
    let annotations = json!({"dns.alpha.kubernetes.io/internal": "i.example.org",
        "dns.alpha.kubernetes.io/external": "a.example.org", key("target"): "208.1.2.1"});
    let mode = ["--compatibility=kops-dns-controller"];
    let expected = ["a.example.org A 54.10.11.1", "i.example.org A 10.0.1.1"];
    check("pod", &mode, &around(&annotations, true, &[(OUT, "54.10.11.1")]), &expected);
    check("pod", &[], &around(&annotations, true, &[(OUT, "54.10.11.1")]), &[]);
}

#[test]
fn several_pods_of_one_name() {
    let one = |name: &str, on: &str| {
        let mut value = pod(name, on, true, &json!({"annotations": {HOST: "a.example.org"}}));
        value["spec"]["hostNetwork"] = json!(true);
        value
    };
    let values = [
        one("p1", "node1"),
        one("p2", "node2"),
        named("node1", &[(OUT, "54.10.11.1")], &json!({})),
        named("node2", &[(OUT, "54.10.11.2")], &json!({})),
    ];
    check("pod", &[], &values, &["a.example.org A 54.10.11.1,54.10.11.2"]);
}
