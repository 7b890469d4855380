//! HTTP routes and `DNSEndpoint`s, after the cases that upstream tests.

use super::*;

#[track_caller]
fn check(args: &[&str], values: &[Value], expected: &[&str]) {
    assert_eq!(asked("gateway-httproute", args, "v0.22.0", values), expected, "{args:?}");
}

const API: &str = "gateway.networking.k8s.io/v1";

/// A Gateway with listeners `name protocol port hostname`.
fn gateway(namespace: &str, name: &str, address: &str, listeners: &[(&str, &str, u16, &str)]) -> Value {
    let listener = |(name, protocol, port, host): &(&str, &str, u16, &str)| {
        let mut value = json!({"name": name, "protocol": protocol, "port": port,
            "allowedRoutes": {"namespaces": {"from": "All"}}});
        if !host.is_empty() {
            value["hostname"] = json!(host);
        }
        value
    };
    json!({"apiVersion": API, "kind": "Gateway", "metadata": {"name": name, "namespace": namespace},
        "spec": {"listeners": listeners.iter().map(listener).collect::<Vec<_>>()},
        "status": {"addresses": [{"type": "IPAddress", "value": address}]}})
}

fn parent(namespace: &str, name: &str) -> Value {
    json!({"namespace": namespace, "name": name})
}

/// A route in `shop` that these parents have accepted.
fn route(name: &str, hosts: &[&str], annotations: &Value, parents: &[Value]) -> Value {
    let said =
        |parent: &Value| json!({"parentRef": parent, "conditions": [{"type": "Accepted", "status": "True"}]});
    json!({"apiVersion": API, "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": {"hostnames": hosts, "parentRefs": parents},
        "status": {"parents": parents.iter().map(said).collect::<Vec<_>>()}})
}

fn plain(hosts: &[&str]) -> Value {
    route("r", hosts, &json!({}), &[parent("gw", "main")])
}

const HTTP: (&str, &str, u16, &str) = ("http", "HTTP", 80, "");

#[test]
fn gateways_that_count() {
    let values = [
        plain(&["r.example"]),
        route("other", &["o.example"], &json!({}), &[parent("gw2", "other")]),
        gateway("gw", "main", "1.2.3.4", &[HTTP]),
        gateway("gw2", "other", "2.3.4.5", &[HTTP]),
    ];
    check(&[], &values, &["o.example A 2.3.4.5", "r.example A 1.2.3.4"]);
    check(&["--gateway-name=main"], &values, &["r.example A 1.2.3.4"]);
    check(&["--gateway-namespace=gw2"], &values, &["o.example A 2.3.4.5"]);
    check(&["--namespace=shop"], &values, &["o.example A 2.3.4.5", "r.example A 1.2.3.4"]);
    check(&["--namespace=gw"], &values, &[]);
    let mut labelled = values.clone();
    labelled[2]["metadata"]["labels"] = json!({"foo": "bar"});
    labelled[1]["metadata"]["labels"] = json!({"foo": "bar"});
    check(&["--gateway-label-filter=foo=bar"], &labelled, &["r.example A 1.2.3.4"]);
    check(&["--label-filter=foo=bar"], &labelled, &["o.example A 2.3.4.5"]);
    check(&[], &values[..2], &[]);
}

#[test]
fn routes_that_count() {
    let gateway = gateway("gw", "main", "1.2.3.4", &[HTTP]);
    let with = |annotations: Value| {
        [route("r", &["r.example"], &annotations, &[parent("gw", "main")]), gateway.clone()]
    };
    check(&["--annotation-filter=foo=bar"], &with(json!({"foo": "bar"})), &["r.example A 1.2.3.4"]);
    check(&["--annotation-filter=foo=bar"], &with(json!({"foo": "x"})), &[]);
    check(&[], &with(json!({key("controller"): "something-else"})), &[]);
    check(&[], &with(json!({key("ttl"): "15s"})), &["r.example A 1.2.3.4 ttl=15"]);
    let routed = json!({key("set-identifier"): "s", key("aws-weight"): "1"});
    check(&[], &with(routed), &["r.example A 1.2.3.4 set=s aws/weight=1"]);
    // A target on the route does not count, on the Gateway it does.
    check(&[], &with(json!({key("target"): "5.6.7.8"})), &["r.example A 1.2.3.4"]);
    let mut over = with(json!({}));
    over[1]["metadata"]["annotations"] = json!({key("target"): "4.3.2.1, lb.example.com"});
    check(&[], &over, &["r.example A 4.3.2.1", "r.example CNAME lb.example.com"]);
    let mut refused = with(json!({}));
    refused[0]["status"]["parents"][0]["conditions"] = json!([{"type": "Accepted", "status": "False"}]);
    check(&[], &refused, &[]);
    let mut other = with(json!({}));
    other[0]["spec"]["parentRefs"] = json!([{"namespace": "gw", "name": "another"}]);
    check(&[], &other, &[]);
    let mut without = with(json!({}));
    without[0]["spec"]["parentRefs"] = json!([]);
    check(&[], &without, &[]);
}

#[test]
fn hosts_and_listeners() {
    let of = |hosts: &[&str], listeners: &[(&str, &str, u16, &str)], expected: &[&str]| {
        check(&[], &[plain(hosts), gateway("gw", "main", "1.2.3.4", listeners)], expected);
    };
    let http = |name: &'static str, host: &'static str| (name, "HTTP", 80, host);
    of(&["r.example"], &[http("a", "r.example")], &["r.example A 1.2.3.4"]);
    of(&["R.example"], &[http("a", "*.EXAMPLE")], &["r.example A 1.2.3.4"]);
    of(
        &["foo.example", "bar.example"],
        &[http("a", "foo.example"), http("b", "bar.example")],
        &["bar.example A 1.2.3.4", "foo.example A 1.2.3.4"],
    );
    of(&["*.example"], &[http("a", "foo.example"), http("b", "bar.test")], &["foo.example A 1.2.3.4"]);
    of(&["foo.example"], &[http("a", "*.example")], &["foo.example A 1.2.3.4"]);
    of(&["*.example"], &[http("a", "*.foo.example")], &["*.foo.example A 1.2.3.4"]);
    of(&[], &[http("a", "foo.example")], &["foo.example A 1.2.3.4"]);
    of(&[], &[HTTP], &[]);
    of(&["r.example"], &[("a", "HTTPS", 443, "")], &["r.example A 1.2.3.4"]);
    of(&["r.example"], &[("a", "TLS", 443, "")], &[]);
    of(&["r.example"], &[("a", "TCP", 443, ""), ("b", "UDP", 53, "")], &[]);
    of(&["r.example", "192.0.2.1"], &[HTTP], &["r.example A 1.2.3.4"]);
}

#[test]
fn sections_and_ports() {
    let listeners = [("foo", "HTTP", 80, "foo.example"), ("bar", "HTTP", 8080, "bar.example")];
    let to = |member: &str, value: Value| {
        let mut parent = parent("gw", "main");
        parent[member] = value;
        [route("r", &["*.example"], &json!({}), &[parent]), gateway("gw", "main", "1.2.3.4", &listeners)]
    };
    check(&[], &to("sectionName", json!("foo")), &["foo.example A 1.2.3.4"]);
    check(&[], &to("sectionName", json!("absent")), &[]);
    check(&[], &to("port", json!(8080)), &["bar.example A 1.2.3.4"]);
    check(&[], &to("group", json!("example.com")), &[]);
    check(&[], &to("kind", json!("Service")), &[]);
}

#[test]
fn several_parents() {
    let both = [parent("gw", "one"), parent("gw", "two")];
    let of = |one: &str, two: &str| {
        let listener = |host: &'static str| [("http", "HTTP", 80_u16, host)];
        let hosts = [one == "a.example", two == "b.example"].iter().all(|own| *own);
        let (first, second) = if hosts { ("a.example", "b.example") } else { ("", "") };
        [
            route("r", &["a.example", "b.example"], &json!({}), &both),
            gateway("gw", "one", "1.2.3.4", &listener(first)),
            gateway("gw", "two", "2.3.4.5", &listener(second)),
        ]
    };
    check(&[], &of("", ""), &["a.example A 1.2.3.4,2.3.4.5", "b.example A 1.2.3.4,2.3.4.5"]);
    check(&[], &of("a.example", "b.example"), &["a.example A 1.2.3.4", "b.example A 2.3.4.5"]);
    let mut over = of("", "");
    over[2]["metadata"]["annotations"] = json!({key("target"): "9.9.9.9"});
    check(&[], &over, &["a.example A 1.2.3.4,9.9.9.9", "b.example A 1.2.3.4,9.9.9.9"]);
}

#[test]
fn annotations_and_templates_for_hosts() {
    let of = |hosts: &[&str], annotations: Value| {
        [route("r", hosts, &annotations, &[parent("gw", "main")]), gateway("gw", "main", "1.2.3.4", &[HTTP])]
    };
    let named = |source: Option<&str>| {
        let mut annotations = json!({HOST: "annotation.example"});
        if let Some(source) = source {
            annotations[key("gateway-hostname-source")] = json!(source);
        }
        annotations
    };
    let (a, r) = ("annotation.example A 1.2.3.4", "r.example A 1.2.3.4");
    check(&[], &of(&["r.example"], named(None)), &[a, r]);
    check(&[], &of(&[], named(None)), &[a]);
    check(&["--ignore-hostname-annotation"], &of(&["r.example"], named(None)), &[r]);
    check(&[], &of(&["r.example"], named(Some("annotation-only"))), &[a]);
    check(&["--ignore-hostname-annotation"], &of(&["r.example"], named(Some("annotation-only"))), &[]);
    check(&[], &of(&["r.example"], named(Some("defined-hosts-only"))), &[r]);
    check(&[], &of(&["r.example"], named(Some("nonsense"))), &[a, r]);
    let template = "--fqdn-template={{.Name}}.internal, {{.Name}}.example";
    check(&[template], &of(&["x.example"], json!({})), &["x.example A 1.2.3.4"]);
    check(&[template], &of(&[], json!({})), &["r.example A 1.2.3.4", "r.internal A 1.2.3.4"]);
    let combined = ["r.example A 1.2.3.4", "r.internal A 1.2.3.4", "x.example A 1.2.3.4"];
    check(&[template, "--combine-fqdn-annotation"], &of(&["x.example"], json!({})), &combined);
}

#[test]
fn namespaces_of_routes() {
    let with = |rule: Value| {
        let mut holder = gateway("gw", "main", "1.2.3.4", &[HTTP]);
        holder["spec"]["listeners"][0]["allowedRoutes"] = rule;
        let namespace = json!({"kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "foo"}}});
        [plain(&["r.example"]), holder, namespace]
    };
    let all: &[&str] = &["r.example A 1.2.3.4"];
    let from = |word: &str| json!({"namespaces": {"from": word}});
    let selecting =
        |team: &str| json!({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": team}}}});
    check(&[], &with(from("All")), all);
    check(&[], &with(from("Same")), &[]);
    check(&[], &with(json!({})), &[]);
    check(&[], &with(selecting("foo")), all);
    check(&[], &with(selecting("bar")), &[]);
    check(&[], &with(selecting("foo"))[..2], &[]);
    let kinds = |kind: &str| json!({"namespaces": {"from": "All"}, "kinds": [{"kind": kind}]});
    check(&[], &with(kinds("HTTPRoute")), all);
    check(&[], &with(kinds("GRPCRoute")), &[]);
}

#[test]
fn dns_endpoints() {
    let of = |args: &[&str], endpoint: Value, expected: &[&str]| {
        let value = json!({"kind": "DNSEndpoint", "metadata": {"name": "e", "namespace": "foo",
            "labels": {"test": "that"}, "annotations": {"test": "this"}}, "spec": {"endpoints": [endpoint]}});
        assert_eq!(asked("crd", args, "v0.22.0", &[value]), expected, "{args:?}");
    };
    let one = |kind: &str, target: &str| json!({"dnsName": "abc.example.org", "recordType": kind, "recordTTL": 180, "targets": [target]});
    let a = "abc.example.org A 1.2.3.4 ttl=180";
    of(&[], one("A", "1.2.3.4"), &[a]);
    of(&["--namespace=foo"], one("A", "1.2.3.4"), &[a]);
    of(&["--namespace=bar"], one("A", "1.2.3.4"), &[]);
    of(&["--label-filter=test=that"], one("A", "1.2.3.4"), &[a]);
    of(&["--label-filter=test=other"], one("A", "1.2.3.4"), &[]);
    of(&["--annotation-filter=test=this"], one("A", "1.2.3.4"), &[a]);
    of(&["--annotation-filter=test=other"], one("A", "1.2.3.4"), &[]);
    of(&[], one("A", "1.2.3.4."), &[]);
    for (kind, target) in [
        ("NS", "ns1.k8s.io"),
        ("SRV", "0 0 80 abc.example.org."),
        ("NAPTR", "100 10 \"S\" \"SIP+D2U\" \"!^.*$!sip:a@b.org!\" _sip._udp.example.org."),
        ("CNAME", "target.example.com."),
        ("CNAME", "target.example.com"),
        ("DNAME", "target.example.com."),
        ("TXT", "example.com."),
        ("MX", "10 mail.example.com."),
        ("MX", "10 mail.example.com"),
    ] {
        of(&[], one(kind, target), &[&format!("abc.example.org {kind} {target} ttl=180")]);
    }
    of(&[], one("NAPTR", "100 10 \"S\" \"SIP+D2U\" \"!^.*$!\" _sip._udp.example.org"), &[]);
    let empty = json!({"dnsName": "abc.example.org", "recordType": "CNAME", "targets": []});
    of(&[], empty, &["abc.example.org CNAME "]);
    let properties = json!({"dnsName": "abc.example.org", "recordType": "A", "targets": ["1.2.3.4"], "setIdentifier": "s",
        "providerSpecific": [{"name": "aws/failover", "value": "PRIMARY"}, {"name": "aws/health-check-id", "value": "h"}]});
    of(&[], properties, &["abc.example.org A 1.2.3.4 set=s aws/failover=PRIMARY aws/health-check-id=h"]);
}
