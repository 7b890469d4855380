//! What the sources of custom resources yield, against the code of ExternalDNS. What was executed is
//! in `tests/conformance.rs`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::sync::Arc;

use dns_drift::desired::discover::discover;
use dns_drift::desired::kinds::{Kind, Row};
use dns_drift::desired::source::{SourceInput, Yield, read_object, source_of};
use dns_drift::model::Objects;
use dns_drift::model::instance::Instance;
use jiff::Timestamp;
use serde_json::{Value, json};

fn decode(objects: &[Value]) -> Objects {
    let decoded = |object: &Value| {
        let kind = Kind::of(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap())?;
        if let Ok(Some(Row::Object(row))) = kind.decode(object.clone()) { Some(row) } else { None }
    };
    objects.iter().filter_map(decoded).collect()
}

fn instance(args: &[String], version: &str) -> Arc<Instance> {
    let deployment = json!({
        "metadata": {"name": "external-dns", "namespace": "external-dns"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "external-dns", "image": format!("r/external-dns:v{version}"), "args": args}]}}}});
    let Ok(Some(Row::Workload(workload))) = Kind::Deployment.decode(deployment) else {
        panic!("no workload")
    };
    let mut found = discover(&[workload.as_ref().clone()], &[]).instances;
    Arc::new(found.remove(0))
}

fn read(objects: &Objects, instance: &Instance) -> Yield {
    let input = SourceInput { objects, instance, now: Timestamp::UNIX_EPOCH };
    let mut all = Yield::default();
    for object in objects.values() {
        let source = source_of(&object.reference.kind);
        if source.is_none_or(|source| !instance.flags.sources.iter().any(|given| given == source)) {
            continue;
        }
        let one = read_object(object, &input);
        all.endpoints.extend(one.endpoints);
        all.unwanted.extend(one.unwanted);
        all.without_target = all.without_target.or(one.without_target);
        all.unknown = all.unknown.or(one.unknown);
    }
    all
}

/// What objects yield, as `name=targets` lines, sorted.
fn yields(source: &str, version: &str, more: &[&str], objects: &[Value]) -> Vec<String> {
    let mut args = vec![format!("--source={source}"), "--provider=aws".to_owned()];
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    let found = read(&decode(objects), &instance(&args, version));
    let mut lines: Vec<String> =
        found.endpoints.iter().map(|one| format!("{}={}", one.name, one.targets.join(","))).collect();
    lines.sort();
    lines
}

fn object(version: &str, kind: &str, name: &str, rest: &Value) -> Value {
    let mut object =
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}});
    merge(&mut object, rest);
    object
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn annotated(key: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {format!("external-dns.kubernetes.io/{key}"): value}}})
}

#[test]
fn istio_gateways_take_the_addresses_in_front_of_their_pods() {
    let service = |name: &str, selector: &Value, rest: &Value| {
        let mut one = object("v1", "Service", name, &json!({"spec": {"selector": selector}}));
        merge(&mut one, rest);
        one
    };
    let address =
        json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "hostname": "lb.example.net"}]}}});
    let front = service("front", &json!({"istio": "ingress", "app": "gw"}), &address);
    let other = service("other", &json!({"istio": "egress"}), &address);
    let external =
        service("front", &json!({"istio": "ingress"}), &json!({"spec": {"externalIPs": ["192.0.2.9"]}}));
    let gateway = object(
        "networking.istio.io/v1",
        "Gateway",
        "gw",
        &json!({"spec": {
        "selector": {"istio": "ingress"},
        "servers": [{"hosts": ["ns/a.example.com", "*", "*.b.example.com"]}]}}),
    );
    let check = |version: &str, more: &[&str], objects: &[Value], expected: &[&str]| {
        assert_eq!(yields("istio-gateway", version, more, objects), expected, "v{version} {more:?}");
    };
    let both = ["*.b.example.com=192.0.2.1", "a.example.com=192.0.2.1"];
    check("0.22.0", &[], &[gateway.clone(), front.clone(), other.clone()], &both);
    check("0.22.0", &[], &[gateway.clone(), other], &[]);
    check("0.22.0", &["--namespace=elsewhere"], &[gateway.clone(), front.clone()], &[]);
    check(
        "0.22.0",
        &[],
        &[gateway.clone(), external.clone()],
        &["*.b.example.com=192.0.2.9", "a.example.com=192.0.2.9"],
    );
    check("0.14.0", &[], &[gateway.clone(), external], &[]);

    let ingress = object(
        "networking.k8s.io/v1",
        "Ingress",
        "lb",
        &json!({"status": {"loadBalancer":
        {"ingress": [{"hostname": "ing.example.net"}]}}}),
    );
    let mut by_ingress = gateway.clone();
    merge(&mut by_ingress, &annotated("ingress", "shop/lb"));
    let through = ["*.b.example.com=ing.example.net", "a.example.com=ing.example.net"];
    check("0.22.0", &[], &[by_ingress.clone(), ingress, front.clone()], &through);
    check("0.22.0", &[], &[by_ingress, front.clone()], &[]);

    let mut fixed = gateway;
    merge(&mut fixed, &annotated("target", "198.51.100.1"));
    merge(&mut fixed, &annotated("hostname", "c.example.com"));
    let expected =
        ["*.b.example.com=198.51.100.1", "a.example.com=198.51.100.1", "c.example.com=198.51.100.1"];
    check("0.22.0", &[], &[fixed.clone(), front.clone()], &expected);
    check("0.22.0", &["--ignore-hostname-annotation"], &[fixed, front], &expected[..2]);
}

#[test]
fn virtual_services_take_the_targets_of_the_gateways_that_bind_them() {
    let gateway = |hosts: &Value| {
        let mut one = object(
            "networking.istio.io/v1",
            "Gateway",
            "gw",
            &json!({"spec": {"servers": [{"hosts": hosts}]}}),
        );
        merge(&mut one, &annotated("target", "192.0.2.1"));
        one["metadata"]["namespace"] = json!("infra");
        one
    };
    let service =
        |spec: &Value| object("networking.istio.io/v1beta1", "VirtualService", "web", &json!({"spec": spec}));
    let check = |hosts: &Value, spec: &Value, expected: &[&str]| {
        assert_eq!(
            yields("istio-virtualservice", "0.22.0", &[], &[gateway(hosts), service(spec)]),
            expected,
            "{hosts} {spec}"
        );
    };
    let web = json!({"hosts": ["a.example.com"], "gateways": ["infra/gw"]});
    check(&json!(["*"]), &web, &["a.example.com=192.0.2.1"]);
    check(&json!(["*.example.com"]), &web, &["a.example.com=192.0.2.1"]);
    check(&json!(["shop/*.example.com"]), &web, &["a.example.com=192.0.2.1"]);
    check(&json!(["other/*.example.com"]), &web, &[]);
    check(&json!(["*.example.net"]), &web, &[]);
    check(&json!(["*"]), &json!({"hosts": ["a.example.com"], "gateways": ["mesh"]}), &[]);
    check(&json!(["*"]), &json!({"hosts": ["a.example.com"], "gateways": ["gw"]}), &[]);
    check(&json!(["*"]), &json!({"hosts": ["a.example.com"], "gateways": ["a/b/c"]}), &[]);
    check(&json!(["*"]), &json!({"hosts": ["*"], "gateways": ["infra/gw"]}), &[]);
    let export = |to: &str| json!({"hosts": ["a.example.com"], "gateways": ["infra/gw"], "exportTo": [to]});
    check(&json!(["*"]), &export("."), &[]);
    check(&json!(["*"]), &export("*"), &["a.example.com=192.0.2.1"]);
    check(&json!(["*"]), &export("infra"), &["a.example.com=192.0.2.1"]);
    let mut own = service(&json!({"hosts": ["a.example.com"], "gateways": ["mesh"]}));
    merge(&mut own, &annotated("target", "192.0.2.7"));
    assert_eq!(yields("istio-virtualservice", "0.22.0", &[], &[own]), ["a.example.com=192.0.2.7"]);
}

#[test]
fn traefik_routes_have_only_the_target_annotation() {
    let route = |group: &str, kind: &str, rule: &str| {
        object(&format!("{group}/v1alpha1"), kind, "web", &json!({"spec": {"routes": [{"match": rule}]}}))
    };
    let with_target = |mut route: Value| {
        merge(&mut route, &annotated("target", "lb.example.net"));
        route
    };
    let check = |version: &str, more: &[&str], object: Value, expected: &[&str]| {
        assert_eq!(yields("traefik-proxy", version, more, &[object]), expected, "v{version} {more:?}");
    };
    let plain = route("traefik.io", "IngressRoute", "Host(`a.example.com`) && Path(`/x`)");
    check("0.22.0", &[], plain.clone(), &[]);
    check("0.22.0", &[], with_target(plain.clone()), &["a.example.com=lb.example.net"]);
    check("0.22.0", &["--traefik-disable-new"], with_target(plain), &[]);
    let tcp = with_target(route("traefik.io", "IngressRouteTCP", "HostSNI(`db.example.com`)"));
    check("0.22.0", &[], tcp, &["db.example.com=lb.example.net"]);
    let mut udp = with_target(route("traefik.io", "IngressRouteUDP", ""));
    merge(&mut udp, &annotated("hostname", "udp.example.com"));
    check("0.22.0", &[], udp, &["udp.example.com=lb.example.net"]);
    let old = || with_target(route("traefik.containo.us", "IngressRoute", "Host(`a.example.com`)"));
    check("0.22.0", &[], old(), &[]);
    check("0.22.0", &["--traefik-enable-legacy"], old(), &["a.example.com=lb.example.net"]);
    let before =
        json!({"metadata": {"annotations": {"external-dns.alpha.kubernetes.io/target": "lb.example.net"}}});
    let mut older = old();
    merge(&mut older, &before);
    check("0.18.0", &[], older.clone(), &["a.example.com=lb.example.net"]);
    check("0.18.0", &["--traefik-disable-legacy"], older, &[]);
}

#[test]
fn contour_proxies_and_openshift_routes_read_their_status() {
    let proxy = object(
        "projectcontour.io/v1",
        "HTTPProxy",
        "web",
        &json!({
        "spec": {"virtualhost": {"fqdn": "a.example.com"}},
        "status": {"currentStatus": "invalid", "loadBalancer": {"ingress": [{"ip": "192.0.2.1", "hostname": "lb.example.net"}]}}}),
    );
    let both = ["a.example.com=192.0.2.1", "a.example.com=lb.example.net"];
    assert_eq!(yields("contour-httpproxy", "0.22.0", &[], std::slice::from_ref(&proxy)), both);
    assert_eq!(yields("contour-httpproxy", "0.14.0", &[], &[proxy]), [""; 0]);
    let child = object("projectcontour.io/v1", "HTTPProxy", "child", &json!({"spec": {"routes": []}}));
    assert_eq!(yields("contour-httpproxy", "0.22.0", &[], &[child]), [""; 0]);

    let admitted = |status: &str| json!([{"type": "Admitted", "status": status}]);
    let router = |name: &str, canonical: &str, status: &str| {
        json!({"routerName": name, "host": "a.example.com", "routerCanonicalHostname": canonical,
               "conditions": admitted(status)})
    };
    let route = |routers: &[Value]| {
        object("route.openshift.io/v1", "Route", "web", &json!({"status": {"ingress": routers}}))
    };
    let check = |more: &[&str], routers: &[Value], expected: &[&str]| {
        assert_eq!(yields("openshift-route", "0.22.0", more, &[route(routers)]), expected, "{more:?}");
    };
    let (first, second) =
        (router("default", "r1.example.net", "True"), router("public", "r2.example.net", "True"));
    check(&[], &[first.clone(), second.clone()], &["a.example.com=r1.example.net"]);
    check(&["--openshift-router-name=public"], &[first.clone(), second], &["a.example.com=r2.example.net"]);
    check(&["--openshift-router-name=none"], &[first], &[]);
    check(&[], &[router("default", "r1.example.net", "False")], &[]);
    check(&[], &[router("default", "", "True")], &[]);
}

#[test]
fn routes_meet_gateways_by_namespace_parent_and_version() {
    let gateway = |rest: &Value| {
        let mut one = object(
            "gateway.networking.k8s.io/v1",
            "Gateway",
            "gw",
            &json!({
            "metadata": {"labels": {"tier": "public"}},
            "spec": {"listeners": [{"name": "a", "protocol": "HTTP", "port": 80}]},
            "status": {"addresses": [{"value": "192.0.2.1"}]}}),
        );
        merge(&mut one, rest);
        one
    };
    let route = |rest: &Value| {
        let mut one = object(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            "web",
            &json!({
            "metadata": {"generation": 2},
            "spec": {"hostnames": ["a.example.com"], "parentRefs": [{"name": "gw"}]},
            "status": {"parents": [{"parentRef": {"name": "gw"}, "conditions":
                [{"type": "Accepted", "status": "True", "observedGeneration": 1}]}]}}),
        );
        merge(&mut one, rest);
        one
    };
    let none = json!({});
    let check = |version: &str, more: &[&str], objects: &[Value], expected: bool| {
        let found = yields("gateway-httproute", version, more, objects);
        assert_eq!(found.len(), usize::from(expected), "v{version} {more:?} {found:?}");
    };
    let plain = [gateway(&none), route(&none)];
    for (version, expected) in [("0.16.0", true), ("0.17.0", false), ("0.18.0", true), ("0.22.0", true)] {
        check(version, &[], &plain, expected);
    }
    check("0.22.0", &["--gateway-name=gw"], &plain, true);
    check("0.22.0", &["--gateway-name=other"], &plain, false);
    check("0.22.0", &["--gateway-namespace=infra"], &plain, false);
    check("0.22.0", &["--gateway-label-filter=tier=public"], &plain, true);
    check("0.22.0", &["--gateway-label-filter=tier=private"], &plain, false);

    let unlisted = route(&json!({"spec": {"parentRefs": [{"name": "other"}]}}));
    check("0.22.0", &[], &[gateway(&none), unlisted.clone()], false);
    check("0.16.0", &[], &[gateway(&none), unlisted], true);

    let selecting = gateway(
        &json!({"spec": {"listeners": [{"name": "a", "protocol": "HTTP", "port": 80, "allowedRoutes":
        {"namespaces": {"from": "Selector", "selector": {"matchExpressions":
            [{"key": "team", "operator": "In", "values": ["shop"]}]}}}}]}}),
    );
    let namespace = |team: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": team}}});
    check("0.22.0", &[], &[selecting.clone(), route(&none), namespace("shop")], true);
    check("0.22.0", &[], &[selecting.clone(), route(&none), namespace("other")], false);
    check("0.22.0", &[], &[selecting, route(&none)], false);

    let mut of_other = gateway(&none);
    merge(&mut of_other, &annotated("controller", "other"));
    check("0.22.0", &[], &[of_other.clone(), route(&none)], true);
    check("0.23.0", &[], &[of_other, route(&none)], false);
}

#[test]
fn what_yields_nothing_says_why() {
    let why = |source: &str, more: &[&str], objects: &[Value]| {
        let mut args = vec![format!("--source={source}"), "--provider=aws".to_owned()];
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        let found = read(&decode(objects), &instance(&args, "0.22.0"));
        assert_eq!(found.endpoints, []);
        let rules: Vec<String> = found.unwanted.iter().map(|row| row.reason.to_string()).collect();
        (
            rules,
            found
                .without_target
                .map(|object| object.names.iter().map(ToString::to_string).collect::<Vec<_>>()),
        )
    };
    let route = |parents: &Value| {
        object(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            "web",
            &json!({
            "spec": {"hostnames": ["a.example.com"], "parentRefs": [{"name": "gw"}]}, "status": {"parents": parents}}),
        )
    };
    let gateway = |addresses: &Value| {
        object(
            "gateway.networking.k8s.io/v1",
            "Gateway",
            "gw",
            &json!({
            "spec": {"listeners": [{"name": "a", "protocol": "HTTP", "port": 80}]}, "status": {"addresses": addresses}}),
        )
    };
    let accepted =
        json!([{"parentRef": {"name": "gw"}, "conditions": [{"type": "Accepted", "status": "True"}]}]);
    let address = json!([{"value": "192.0.2.1"}]);
    let names = Some(vec!["a.example.com".to_owned()]);
    let source = "gateway-httproute";
    // A Gateway without an address, and one that has not taken the route: nothing serves it.
    assert_eq!(why(source, &[], &[gateway(&json!([])), route(&accepted)]), (vec![], names.clone()));
    assert_eq!(why(source, &[], &[gateway(&address), route(&json!([]))]), (vec![], names.clone()));
    // Nor where there is no Gateway any more; whether there was one the past tells.
    assert_eq!(why(source, &[], &[route(&accepted)]), (vec![], names));
    // Another instance's Gateway, and no listener that fits.
    let filtered = why(source, &["--gateway-name=mine"], &[gateway(&address), route(&accepted)]);
    assert_eq!(filtered, (vec!["class_filter".to_owned()], None));
    let mut deaf = gateway(&address);
    deaf["spec"]["listeners"][0]["hostname"] = json!("b.example.com");
    assert_eq!(why(source, &[], &[deaf, route(&accepted)]), (vec!["no_host".to_owned()], None));

    let rule = json!({"spec": {"routes": [{"match": "Host(`a.example.com`)"}]}});
    let traefik = object("traefik.io/v1alpha1", "IngressRoute", "web", &rule);
    assert_eq!(why("traefik-proxy", &[], &[traefik]), (vec!["no_host".to_owned()], None));
    let dotted = json!({"spec": {"endpoints": [{"dnsName": "a.example.com", "recordType": "A", "targets": ["192.0.2.1."]}]}});
    let crd = object("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "web", &dotted);
    assert_eq!(why("crd", &[], &[crd]), (vec!["no_host".to_owned()], None));
    let mesh = object(
        "networking.istio.io/v1",
        "VirtualService",
        "web",
        &json!({"spec": {"hosts": ["a.example.com"]}}),
    );
    assert_eq!(why("istio-virtualservice", &[], &[mesh]), (vec!["no_host".to_owned()], None));
}

/// A template speaks where the object itself names nothing, or always with the flag; one that cannot
/// be evaluated leaves the names unknown.
#[test]
fn templates_name_custom_resources() {
    let template = "--fqdn-template={{.Name}}.example.com";
    let both = [template, "--combine-fqdn-annotation"];
    let check = |source: &str, more: &[&str], objects: &[Value], expected: &[&str]| {
        assert_eq!(yields(source, "0.22.0", more, objects), expected, "{source} {more:?}");
    };
    let (own, made) = ("own.example.com=192.0.2.1", "web.example.com=192.0.2.1");

    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    let proxy = |host: &Value| {
        let mut one =
            object("projectcontour.io/v1", "HTTPProxy", "web", &json!({"spec": {"virtualhost": host}}));
        merge(&mut one, &status);
        one
    };
    let named = proxy(&json!({"fqdn": "own.example.com"}));
    check("contour-httpproxy", &[template], &[proxy(&json!({}))], &[made]);
    check("contour-httpproxy", &[template], std::slice::from_ref(&named), &[own]);
    check("contour-httpproxy", &both, std::slice::from_ref(&named), &[own, made]);

    let gateway = |hosts: &[&str]| {
        let servers = json!({"spec": {"servers": [{"hosts": hosts}]}});
        let mut one = object("networking.istio.io/v1", "Gateway", "web", &servers);
        merge(&mut one, &annotated("target", "192.0.2.1"));
        one
    };
    check("istio-gateway", &[template], &[gateway(&["*"])], &[made]);
    check("istio-gateway", &[template], &[gateway(&["own.example.com"])], &[own]);
    check("istio-gateway", &both, &[gateway(&["own.example.com"])], &[own, made]);
    let service =
        object("networking.istio.io/v1", "VirtualService", "web", &json!({"spec": {"gateways": ["web"]}}));
    check("istio-virtualservice", &[template], &[gateway(&["*"]), service.clone()], &[made]);
    check("istio-virtualservice", &[template], &[gateway(&["own.example.com"]), service], &[]);

    let holder = object(
        "gateway.networking.k8s.io/v1",
        "Gateway",
        "gw",
        &json!({"spec": {"listeners": [{"name": "a", "protocol": "HTTP", "port": 80}]},
                "status": {"addresses": [{"value": "192.0.2.1"}]}}),
    );
    let route = |hosts: &[&str]| {
        let parent = json!({"name": "gw"});
        object(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            "web",
            &json!({"spec": {"hostnames": hosts, "parentRefs": [parent]}, "status": {"parents": [
                {"parentRef": parent, "conditions": [{"type": "Accepted", "status": "True"}]}]}}),
        )
    };
    check("gateway-httproute", &[template], &[holder.clone(), route(&[])], &[made]);
    check("gateway-httproute", &[template], &[holder.clone(), route(&["own.example.com"])], &[own]);
    check("gateway-httproute", &both, &[holder.clone(), route(&["own.example.com"])], &[own, made]);
    let mut noted = route(&[]);
    merge(&mut noted, &annotated("hostname", "own.example.com"));
    check("gateway-httproute", &[template], &[holder, noted], &[own, made]);

    let args =
        ["--source=contour-httpproxy", "--provider=aws", "--fqdn-template={{.Spec.Includes}}.example.com"];
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let found = read(&decode(&[proxy(&json!({}))]), &instance(&args, "0.22.0"));
    assert!(found.unknown.is_some_and(|why| why.starts_with("HTTPProxy/shop/web: ")), "unknown, not absent");
    assert_eq!(read(&decode(&[named]), &instance(&args, "0.22.0")).unknown, None);
}
