//! Services, after the cases that upstream tests.

use super::*;

#[track_caller]
fn check(args: &[&str], values: &[Value], expected: &[&str]) {
    assert_eq!(asked("service", args, "v0.22.0", values), expected, "{args:?}");
}

fn balancer(annotations: &Value, addresses: &Value) -> Value {
    service(annotations, &json!({"type": "LoadBalancer", "clusterIP": "10.0.0.7"}), addresses)
}

fn host() -> Value {
    json!({HOST: "foo.example.org."})
}

#[test]
fn load_balancers() {
    let ip = json!([{"ip": "1.2.3.4"}]);
    check(&[], &[balancer(&json!({}), &ip)], &[]);
    check(&[], &[balancer(&host(), &ip)], &["foo.example.org A 1.2.3.4"]);
    check(&["--ignore-hostname-annotation"], &[balancer(&host(), &ip)], &[]);
    let two = json!({HOST: "foo.example.org., bar.example.org"});
    check(&[], &[balancer(&two, &ip)], &["bar.example.org A 1.2.3.4", "foo.example.org A 1.2.3.4"]);
    check(
        &[],
        &[balancer(&host(), &json!([{"hostname": "lb.example.com"}]))],
        &["foo.example.org CNAME lb.example.com"],
    );
    let mixed =
        json!([{"ip": "1.2.3.4", "hostname": "lb.example.com"}, {"ip": "8.8.8.8"}, {"ip": "2001:db8::1"}]);
    let all = [
        "foo.example.org A 1.2.3.4,8.8.8.8",
        "foo.example.org AAAA 2001:db8::1",
        "foo.example.org CNAME lb.example.com",
    ];
    check(&[], &[balancer(&host(), &mixed)], &all);
    check(&[], &[balancer(&host(), &json!([]))], &[]);
    let outside = json!({"type": "LoadBalancer", "externalIPs": ["10.2.3.4", "11.2.3.4"]});
    check(&[], &[service(&host(), &outside, &ip)], &["foo.example.org A 10.2.3.4,11.2.3.4"]);
    let inside = json!({INSIDE: "foo.internal.example.org", HOST: "foo.example.org"});
    check(
        &[],
        &[balancer(&inside, &ip)],
        &["foo.example.org A 1.2.3.4", "foo.internal.example.org A 10.0.0.7"],
    );
    check(
        &[],
        &[balancer(&json!({HOST: "foo.example.org", key("ttl"): "10"}), &ip)],
        &["foo.example.org A 1.2.3.4 ttl=10"],
    );
    check(
        &[],
        &[balancer(&json!({HOST: "foo.example.org", key("ttl"): "1m"}), &ip)],
        &["foo.example.org A 1.2.3.4 ttl=60"],
    );
    check(
        &[],
        &[balancer(&json!({HOST: "foo.example.org", key("ttl"): "-10"}), &ip)],
        &["foo.example.org A 1.2.3.4"],
    );
    let weighted = json!({HOST: "foo.example.org", key("aws-weight"): "10"});
    check(&[], &[balancer(&weighted, &ip)], &["foo.example.org A 1.2.3.4 aws/weight=10"]);
}

#[test]
fn filters() {
    let ip = json!([{"ip": "1.2.3.4"}]);
    let all: &[&str] = &["foo.example.org A 1.2.3.4"];
    let value = || [balancer(&host(), &ip)];
    check(&["--service-type-filter=LoadBalancer"], &value(), all);
    check(&["--service-type-filter=NodePort", "--service-type-filter=LoadBalancer"], &value(), all);
    check(&["--service-type-filter=ClusterIP"], &value(), &[]);
    check(&["--service-type-filter="], &value(), all);
    check(&["--namespace=shop"], &value(), all);
    check(&["--namespace=testing"], &value(), &[]);
    let foreign = json!({HOST: "foo.example.org", key("controller"): "other"});
    check(&["--fqdn-template={{.Name}}.example.org"], &[balancer(&foreign, &ip)], &[]);
    let named = json!({HOST: "foo.example.org", "service.beta.kubernetes.io/external-traffic": "Global"});
    let key = "service.beta.kubernetes.io/external-traffic";
    check(&[&format!("--annotation-filter={key} in (Global, OnlyLocal)")], &[balancer(&named, &ip)], all);
    check(&[&format!("--annotation-filter={key} in (OnlyLocal)")], &[balancer(&named, &ip)], &[]);
    check(&["--label-filter=app=x"], &value(), &[]);
}

#[test]
fn templates() {
    let ip = json!([{"ip": "1.2.3.4"}]);
    let template = "--fqdn-template={{.Name}}.fqdn.org,{{.Name}}.fqdn.com";
    let by_template = ["web.fqdn.com A 1.2.3.4", "web.fqdn.org A 1.2.3.4"];
    check(&[template], &[balancer(&json!({}), &ip)], &by_template);
    check(&[template], &[balancer(&host(), &ip)], &["foo.example.org A 1.2.3.4"]);
    let both = ["foo.example.org A 1.2.3.4", by_template[0], by_template[1]];
    check(&[template, "--combine-fqdn-annotation"], &[balancer(&host(), &ip)], &both);
    let ignoring = ["--ignore-hostname-annotation", "--combine-fqdn-annotation", template];
    check(&ignoring, &[balancer(&host(), &ip)], &by_template);
}

#[test]
fn compatibility() {
    let ip = json!([{"ip": "1.2.3.4"}]);
    let mate = json!({"zalando.org/dnsname": "foo.example.org."});
    check(&[], &[balancer(&mate, &ip)], &[]);
    check(&["--compatibility=mate"], &[balancer(&mate, &ip)], &["foo.example.org A 1.2.3.4"]);
    let mut molecule = balancer(&json!({"domainName": "foo.example.org., bar.example.org"}), &ip);
    molecule["metadata"]["labels"] = json!({"dns": "route53"});
    check(
        &["--compatibility=molecule"],
        &[molecule],
        &["bar.example.org A 1.2.3.4", "foo.example.org A 1.2.3.4"],
    );
}

#[test]
fn cluster_addresses() {
    let of = |annotations: &Value| {
        [service(annotations, &json!({"type": "ClusterIP", "clusterIP": "1.2.3.4"}), &json!([]))]
    };
    check(&[], &of(&host()), &[]);
    let publish = "--publish-internal-services";
    check(&[publish], &of(&host()), &["foo.example.org A 1.2.3.4"]);
    let to = |target: &str| json!({HOST: "foo.example.org", key("target"): target});
    check(&[], &of(&to("4.3.2.1")), &["foo.example.org A 4.3.2.1"]);
    check(&[publish], &of(&to("bar.example.org")), &["foo.example.org CNAME bar.example.org"]);
    check(&[publish], &of(&to("2001:db8::1")), &["foo.example.org AAAA 2001:db8::1"]);
    let three = ["foo.example.org AAAA 2001:db8::1", "foo.example.org CNAME bar.example.org"];
    check(&[publish], &of(&to("bar.example.org,2001:db8::1")), &three);
    check(&[publish, "--ignore-hostname-annotation"], &of(&to("4.3.2.1")), &[]);
    check(
        &[publish, "--fqdn-template={{.Name}}.bar.example.com"],
        &of(&json!({})),
        &["web.bar.example.com A 1.2.3.4"],
    );
    let headless = |annotations: &Value| {
        [service(annotations, &json!({"type": "ClusterIP", "clusterIP": "None"}), &json!([]))]
    };
    check(&[publish], &headless(&host()), &[]);
    check(&[publish], &headless(&to("bar.example.org")), &["foo.example.org CNAME bar.example.org"]);
}

#[test]
fn external_names() {
    let of = |spec: Value| [service(&host(), &spec, &json!([]))];
    let name = |name: &str| json!({"type": "ExternalName", "externalName": name});
    check(&[], &of(name("remote.example.com")), &["foo.example.org CNAME remote.example.com"]);
    check(&[], &of(name("111.111.111.111")), &["foo.example.org A 111.111.111.111"]);
    check(&[], &of(name("2001:db8::111")), &["foo.example.org AAAA 2001:db8::111"]);
    let spec = json!({"type": "ExternalName", "externalName": "remote.example.com", "externalIPs": ["10.2.3.4", "2001:db8::4"]});
    check(&[], &of(spec), &["foo.example.org A 10.2.3.4", "foo.example.org AAAA 2001:db8::4"]);
}

#[test]
fn several_services_of_one_name() {
    let of = |name: &str, annotations: Value, address: Value| {
        let mut value = balancer(&annotations, &json!([address]));
        value["metadata"]["name"] = json!(name);
        value
    };
    let three = [
        of("foo1.2.3.5", host(), json!({"ip": "1.2.3.5"})),
        of("foo1.2.3.4", host(), json!({"ip": "1.2.3.4"})),
        of("foo1.2.3.6", host(), json!({"ip": "1.2.3.6"})),
        of("bar", json!({HOST: "bar.example.org"}), json!({"ip": "10.1.1.1"})),
    ];
    check(&[], &three, &["bar.example.org A 10.1.1.1", "foo.example.org A 1.2.3.4,1.2.3.5,1.2.3.6"]);
    let set = |set: &str| json!({HOST: "foo.example.org", key("set-identifier"): set});
    let routed = [of("a", set("a"), json!({"ip": "1.2.3.5"})), of("b", set("b"), json!({"ip": "10.1.1.3"}))];
    check(&[], &routed, &["foo.example.org A 1.2.3.5 set=a", "foo.example.org A 10.1.1.3 set=b"]);
    let names = [
        of("a", host(), json!({"hostname": "a.elb.com"})),
        of("b", host(), json!({"hostname": "b.elb.com"})),
    ];
    check(&[], &names, &["foo.example.org CNAME a.elb.com", "foo.example.org CNAME b.elb.com"]);
}

fn cluster_node(name: &str, addresses: &[(&str, &str)]) -> Value {
    let addresses: Vec<Value> =
        addresses.iter().map(|(kind, address)| json!({"type": kind, "address": address})).collect();
    json!({"kind": "Node", "metadata": {"name": name}, "status": {"addresses": addresses}})
}

fn two_nodes() -> [Value; 2] {
    let of = |name: &str, four: &str, six: &str, inner: &str, inner_six: &str| {
        let (outside, inside) = ("ExternalIP", "InternalIP");
        cluster_node(name, &[(outside, four), (inside, inner), (outside, six), (inside, inner_six)])
    };
    [
        of("node1", "54.10.11.1", "2001:db8::1", "10.0.1.1", "2001:db8::2"),
        of("node2", "54.10.11.2", "2001:db8::3", "10.0.1.2", "2001:db8::4"),
    ]
}

const SRV: &str = "_web._tcp.foo.example.org SRV 0 50 30192 foo.example.org.";
const A: &str = "foo.example.org A 54.10.11.1,54.10.11.2";
const AAAA: &str = "foo.example.org AAAA 2001:db8::1,2001:db8::3";

fn node_port(policy: &str, access: Option<&str>) -> Value {
    let mut annotations = host();
    if let Some(access) = access {
        annotations[key("access")] = json!(access);
    }
    let spec = json!({"type": "NodePort", "externalTrafficPolicy": policy, "selector": {"app": "x"},
        "ports": [{"nodePort": 30192}, {"port": 80}]});
    service(&annotations, &spec, &json!([]))
}

#[test]
fn node_ports_and_their_nodes() {
    let with = |value: Value, nodes: &[Value]| [&[value], nodes].concat();
    let nodes = two_nodes();
    check(&[], &with(node_port("Cluster", None), &nodes), &[SRV, A, AAAA]);
    check(&["--ignore-hostname-annotation"], &with(node_port("Cluster", None), &nodes), &[]);
    let private = ["foo.example.org A 10.0.1.1,10.0.1.2", "foo.example.org AAAA 2001:db8::2,2001:db8::4"];
    check(&[], &with(node_port("Cluster", Some("private")), &nodes), &[SRV, private[0], private[1]]);
    check(&[], &with(node_port("Cluster", Some("public")), &nodes), &[SRV, A, AAAA]);
    let exposed = "foo.example.org AAAA 2001:db8::1,2001:db8::3,2001:db8::2,2001:db8::4";
    let expose = ["--expose-internal-ipv6"];
    let found = asked("service", &expose, "v0.22.0", &with(node_port("Cluster", Some("public")), &nodes));
    let sorted = |text: &str| text.split([' ', ',']).map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(sorted(found.last().expect("a row")), sorted(exposed));
    let inner = [cluster_node("node1", &[("InternalIP", "10.0.1.1"), ("InternalIP", "2001:db8::2")])];
    let only = ["foo.example.org A 10.0.1.1", "foo.example.org AAAA 2001:db8::2"];
    check(&[], &with(node_port("Cluster", None), &inner), &[SRV, only[0], only[1]]);
    let mut cordoned = nodes;
    cordoned[0]["spec"] = json!({"unschedulable": true});
    let one = ["foo.example.org A 54.10.11.2", "foo.example.org AAAA 2001:db8::3"];
    check(&[], &with(node_port("Cluster", Some("public")), &cordoned), &[SRV, one[0], one[1]]);
}

/// Only Nodes with the best Pods that there are, and only those that exist.
#[test]
fn local_traffic() {
    let one = |number: usize| {
        [
            format!("foo.example.org A 54.10.11.{number}"),
            format!("foo.example.org AAAA 2001:db8::{}", 2 * number - 1),
        ]
    };
    let local = |pods: &[Value], expected: &[String]| {
        let values = [&[node_port("Local", None)], &two_nodes()[..], pods].concat();
        let expected: Vec<&str> = std::iter::once(SRV).chain(expected.iter().map(String::as_str)).collect();
        check(&[], &values, &expected);
    };
    let going = json!({"deletionTimestamp": "2026-11-22T10:00:00Z"});
    let here = json!({});
    local(&[pod("a", "node2", true, &here)], &one(2));
    local(&[pod("a", "node2", true, &here), pod("b", "node2", true, &here)], &one(2));
    local(&[pod("a", "node1", true, &here), pod("b", "node2", false, &here)], &one(1));
    local(&[pod("a", "node1", true, &going), pod("b", "node2", true, &here)], &one(2));
    local(&[pod("a", "node1", true, &going), pod("b", "node2", false, &here)], &one(1));
    local(&[pod("a", "gone", true, &here), pod("b", "node2", false, &here)], &one(2));
    local(&[], &[]);
    let mut starting = pod("a", "node1", true, &here);
    starting["status"]["phase"] = json!("Pending");
    local(&[starting], &[]);
}

fn headless(annotations: &Value, not_ready: bool) -> Value {
    let spec = json!({"type": "ClusterIP", "clusterIP": "None", "selector": {"app": "x"}, "publishNotReadyAddresses": not_ready});
    service(annotations, &spec, &json!([]))
}

/// A slice with its Pods: name, host name, address, readiness.
fn behind(pods: &[(&str, &str, &str, bool)]) -> Vec<Value> {
    let endpoint = |(name, _, address, ready): &(&str, &str, &str, bool)| json!({"addresses": [address], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": name}});
    let slice = json!({"kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "s", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": pods.iter().map(endpoint).collect::<Vec<_>>()});
    let of = |(name, hostname, address, _): &(&str, &str, &str, bool)| {
        let mut value = pod(name, "node1", true, &json!({}));
        value["spec"]["hostname"] = json!(hostname);
        value["status"]["podIP"] = json!(address);
        value["status"]["hostIP"] = json!("1.2.3.4");
        value
    };
    std::iter::once(slice).chain(pods.iter().map(of)).collect()
}

#[test]
fn headless_services_and_their_pods() {
    let annotations = json!({HOST: "service.example.org"});
    let with =
        |pods: &[(&str, &str, &str, bool)]| [vec![headless(&annotations, false)], behind(pods)].concat();
    let two = with(&[("foo-0", "foo-0", "1.1.1.1", true), ("foo-1", "foo-1", "1.1.1.2", true)]);
    let own = ["foo-0.service.example.org A 1.1.1.1", "foo-1.service.example.org A 1.1.1.2"];
    check(&[], &two, &[own[0], own[1], "service.example.org A 1.1.1.1,1.1.1.2"]);
    check(
        &["--service-type-filter=ClusterIP"],
        &two,
        &[own[0], own[1], "service.example.org A 1.1.1.1,1.1.1.2"],
    );
    check(&["--ignore-hostname-annotation"], &two, &[]);
    let six = with(&[
        ("foo-0", "", "2001:db8::1", true),
        ("foo-1", "", "2001:db8::1", true),
        ("foo-2", "", "2001:db8::2", true),
    ]);
    check(&[], &six, &["service.example.org AAAA 2001:db8::1,2001:db8::2"]);
    let half = [("foo-0", "foo-0", "1.1.1.1", true), ("foo-1", "foo-1", "1.1.1.2", false)];
    check(&[], &with(&half), &[own[0], "service.example.org A 1.1.1.1"]);
    let all = [vec![headless(&annotations, true)], behind(&half)].concat();
    check(&[], &all, &[own[0], own[1], "service.example.org A 1.1.1.1,1.1.1.2"]);
    let mut targeted = with(&[("foo", "", "1.1.1.1", true)]);
    targeted[2]["metadata"]["annotations"] = json!({key("target"): "2001:db8::4"});
    check(&[], &targeted, &["service.example.org AAAA 2001:db8::4"]);
    let mut versioned = with(&[("foo", "", "1.1.1.1", true)]);
    versioned[1]["endpoints"][0]["targetRef"]["apiVersion"] = json!("v1");
    check(&[], &versioned, &[]);
    let ttl = json!({HOST: "service.example.org", key("ttl"): "1", key("set-identifier"): "x"});
    let with_ttl = [vec![headless(&ttl, false)], behind(&[("foo", "", "1.1.1.1", true)])].concat();
    check(&[], &with_ttl, &["service.example.org A 1.1.1.1 ttl=1 set=x"]);
}

#[test]
fn headless_services_and_their_nodes() {
    let of = |kind: &str, addresses: &[(&str, &str)]| {
        let annotations = json!({HOST: "service.example.org", key("endpoints-type"): kind});
        let pods = behind(&[("foo", "", "1.1.1.1", true)]);
        [vec![headless(&annotations, false)], pods, vec![cluster_node("node1", addresses)]].concat()
    };
    let (outside, inside) = ("ExternalIP", "InternalIP");
    let four = "service.example.org A 1.2.3.4";
    check(&[], &of("NodeExternalIP", &[(outside, "1.2.3.4"), (inside, "10.0.0.1")]), &[four]);
    let both = [(inside, "2001:db8::4"), (outside, "2001:db8::5")];
    check(&[], &of("NodeExternalIP", &both), &["service.example.org AAAA 2001:db8::5"]);
    let dual = [(outside, "1.2.3.4"), (inside, "2001:db8::4")];
    let expose = ["--expose-internal-ipv6"];
    check(&expose, &of("NodeExternalIP", &dual), &[four, "service.example.org AAAA 2001:db8::4"]);
    check(&[], &of("HostIP", &[]), &[four]);
    // Without Services of type NodePort ExternalDNS does not look at Nodes at all.
    let filter = ["--service-type-filter=ClusterIP"];
    check(&filter, &of("NodeExternalIP", &dual), &[]);
    let wider = ["--service-type-filter=ClusterIP", "--service-type-filter=NodePort"];
    check(&wider, &of("NodeExternalIP", &dual), &[four]);
    let alpha =
        |text: String| text.replace("external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/");
    let older: Vec<Value> =
        serde_json::from_str(&alpha(json!(of("NodeExternalIP", &dual)).to_string())).expect("JSON");
    assert_eq!(asked("service", &filter, "v0.18.0", &older), [four]);
    // The release before shows internal IPv6 addresses whatever it is told.
    let six = "service.example.org AAAA 2001:db8::4";
    assert_eq!(asked("service", &filter, "v0.17.0", &older), [four, six]);
}

/// The addresses are those of the moment in which ExternalDNS asks; its name is wanted all the same.
#[test]
fn a_load_balancer_that_external_dns_resolves() {
    let name = json!([{"hostname": "lb.example.com"}]);
    let flag = ["--resolve-service-load-balancer-hostname"];
    let annotations = json!({HOST: "foo.example.org", INSIDE: "in.example.org"});
    let expected = ["foo.example.org A lb.example.com", "in.example.org A 10.0.0.7"];
    check(&flag, &[balancer(&annotations, &name)], &expected);
    check(&flag, &[balancer(&host(), &json!([{"ip": "1.2.3.4"}]))], &["foo.example.org A 1.2.3.4"]);
    let target = json!({HOST: "foo.example.org", key("target"): "t.example.com"});
    check(&flag, &[balancer(&target, &name)], &["foo.example.org CNAME t.example.com"]);
    let instance = Arc::new(instance(&[flag[0], "--source=service"], "v0.22.0"));
    let cluster = Cluster {
        objects: objects(&[balancer(&host(), &name)]),
        instances: vec![instance],
        ..Cluster::default()
    };
    let wants = crate::desired::compute(&cluster, None, Timestamp::UNIX_EPOCH);
    let [want] = &wants[0].wants[..] else { panic!("one want: {:?}", wants[0].wants) };
    assert!(want.is_resolved() && want.invalid.is_none(), "{want:?}");
}
