//! Ingresses, after the cases that upstream tests.

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "written where it is used")]
fn ingress(name: &str, spec: Value, addresses: &[&str], annotations: Value) -> Value {
    let row = |text: &&str| match text.parse::<std::net::IpAddr>() {
        Ok(_) => json!({"ip": text}),
        Err(_) => json!({"hostname": text}),
    };
    let rows: Vec<Value> = addresses.iter().map(row).collect();
    json!({"kind": "Ingress", "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
           "spec": spec, "status": {"loadBalancer": {"ingress": rows}}})
}

fn rules(hosts: &[&str]) -> Value {
    json!({"rules": hosts.iter().map(|host| json!({"host": host})).collect::<Vec<_>>()})
}

fn tls(hosts: &[&[&str]]) -> Value {
    json!({"tls": hosts.iter().map(|hosts| json!({"hosts": hosts})).collect::<Vec<_>>()})
}

#[track_caller]
fn check(args: &[&str], values: &[Value], expected: &[&str]) {
    assert_eq!(asked("ingress", args, "v0.22.0", values), expected, "{args:?}");
}

#[test]
fn hosts_and_targets() {
    let none = || json!({});
    check(&[], &[ingress("a", rules(&["foo.bar"]), &["lb.com"], none())], &["foo.bar CNAME lb.com"]);
    check(&[], &[ingress("a", rules(&["foo.bar"]), &["8.8.8.8"], none())], &["foo.bar A 8.8.8.8"]);
    check(&[], &[ingress("a", rules(&["foo.bar"]), &["2001:db8::1"], none())], &["foo.bar AAAA 2001:db8::1"]);
    let many = ["8.8.8.8", "127.0.0.1", "2001:db8::1", "2001:db8::2", "lb.com", "alb.com"];
    let all = [
        "foo.bar A 127.0.0.1,8.8.8.8",
        "foo.bar AAAA 2001:db8::1,2001:db8::2",
        "foo.bar CNAME alb.com,lb.com",
    ];
    check(&[], &[ingress("a", rules(&["foo.bar"]), &many, none())], &all);
    check(&[], &[ingress("a", json!({}), &many, none())], &[]);
    check(&[], &[ingress("a", rules(&[""]), &many, none())], &[]);
    check(&[], &[ingress("a", rules(&["foo.bar"]), &[], none())], &[]);
    let both = json!([{"ip": "8.8.8.8", "hostname": "lb.com"}]);
    let mut value = ingress("a", rules(&["foo.bar"]), &[], none());
    value["status"]["loadBalancer"]["ingress"] = both;
    check(&[], &[value], &["foo.bar A 8.8.8.8", "foo.bar CNAME lb.com"]);
    check(&["--ignore-ingress-rules-spec"], &[ingress("a", rules(&["foo.bar"]), &["lb.com"], none())], &[]);
}

#[test]
fn tls_hosts() {
    let hosts = tls(&[&["a.org", "b.org"], &["*.c.org"]]);
    let value = ingress("a", hosts, &["1.2.3.4"], json!({}));
    check(&[], std::slice::from_ref(&value), &["*.c.org A 1.2.3.4", "a.org A 1.2.3.4", "b.org A 1.2.3.4"]);
    check(&["--ignore-ingress-tls-spec"], &[value], &[]);
}

#[test]
fn hostname_annotation_and_its_source() {
    let with = |source: Option<&str>| {
        let mut annotations = json!({key("hostname"): "dns.org, dns2.org"});
        if let Some(source) = source {
            annotations[key("ingress-hostname-source")] = json!(source);
        }
        [ingress("a", rules(&["example.org"]), &["1.2.3.4"], annotations)]
    };
    let annotated = ["dns.org A 1.2.3.4", "dns2.org A 1.2.3.4"];
    let defined = "example.org A 1.2.3.4";
    check(&[], &with(None), &[annotated[0], annotated[1], defined]);
    check(&["--ignore-hostname-annotation"], &with(None), &[defined]);
    check(&[], &with(Some("defined-hosts-only")), &[defined]);
    check(&[], &with(Some("Annotation-Only")), &annotated);
    check(&["--ignore-hostname-annotation"], &with(Some("annotation-only")), &[]);
    check(&[], &with(Some("both")), &[]);
}

#[test]
fn target_ttl_and_properties() {
    let with = |annotations: Value| [ingress("a", rules(&["e.org"]), &["1.2.3.4"], annotations)];
    check(&[], &with(json!({key("target"): "lb.com"})), &["e.org CNAME lb.com"]);
    check(&[], &with(json!({key("target"): "5.6.7.8,lb.com."})), &["e.org A 5.6.7.8", "e.org CNAME lb.com"]);
    check(&[], &with(json!({key("target"): ""})), &["e.org A 1.2.3.4"]);
    check(&[], &with(json!({key("ttl"): "6"})), &["e.org A 1.2.3.4 ttl=6"]);
    check(&[], &with(json!({key("ttl"): "1m"})), &["e.org A 1.2.3.4 ttl=60"]);
    check(&[], &with(json!({key("ttl"): "foo"})), &["e.org A 1.2.3.4"]);
    check(&[], &with(json!({key("alias"): "true"})), &["e.org A 1.2.3.4 alias=true"]);
    check(&[], &with(json!({key("alias"): "false"})), &["e.org A 1.2.3.4"]);
    let weighted = json!({key("set-identifier"): "x", key("aws-weight"): "10"});
    check(&[], &with(weighted), &["e.org A 1.2.3.4 set=x aws/weight=10"]);
}

#[test]
fn filters() {
    let plain = |annotations: Value| {
        let mut value = ingress("a", rules(&["e.org"]), &["8.8.8.8"], annotations);
        value["metadata"]["labels"] = json!({"app": "web"});
        [value]
    };
    let class = || json!({"kubernetes.io/ingress.class": "nginx"});
    let all: &[&str] = &["e.org A 8.8.8.8"];
    check(&["--annotation-filter=kubernetes.io/ingress.class in (alb, nginx)"], &plain(class()), all);
    check(&["--annotation-filter=kubernetes.io/ingress.class in (alb)"], &plain(class()), &[]);
    check(&["--annotation-filter=kubernetes.io/ingress.class=nginx"], &plain(class()), all);
    check(&["--annotation-filter=!kubernetes.io/ingress.class"], &plain(class()), &[]);
    check(&["--label-filter=app=web"], &plain(json!({})), all);
    check(&["--label-filter=app in (web, other),app!=other"], &plain(json!({})), all);
    check(&["--label-filter=app notin (web)"], &plain(json!({})), &[]);
    check(&["--label-filter=absent notin (web)"], &plain(json!({})), all);
    check(&["--namespace=shop"], &plain(json!({})), all);
    check(&["--namespace=other"], &plain(json!({})), &[]);
    check(&[], &plain(json!({key("controller"): "dns-controller"})), all);
    check(&[], &plain(json!({key("controller"): "other"})), &[]);
    check(&["--fqdn-template={{.Name}}.org"], &plain(json!({key("controller"): ""})), &[]);
}

/// A class in the spec alone decides; an empty one leaves it to the annotation.
#[test]
fn classes() {
    let of = |name: &str, class: Option<&str>, annotated: Option<&str>| {
        let mut spec = rules(&[&format!("{name}.org")]);
        if let Some(class) = class {
            spec["ingressClassName"] = json!(class);
        }
        let annotations =
            annotated.map_or_else(|| json!({}), |class| json!({"kubernetes.io/ingress.class": class}));
        ingress(name, spec, &["1.2.3.4"], annotations)
    };
    let values = [
        of("none", None, None),
        of("public", Some("public"), None),
        of("internal", Some("internal"), None),
        of("annotated-dmz", None, Some("dmz")),
        of("internal-annotated-dmz", Some("internal"), Some("dmz")),
        of("dmz-annotated-internal", Some("dmz"), Some("internal")),
        of("empty-annotated-dmz", Some(""), Some("dmz")),
        of("empty-annotated-internal", Some(""), Some("internal")),
    ];
    let expected = [
        "annotated-dmz.org A 1.2.3.4",
        "dmz-annotated-internal.org A 1.2.3.4",
        "empty-annotated-dmz.org A 1.2.3.4",
        "public.org A 1.2.3.4",
    ];
    check(&["--ingress-class=public", "--ingress-class=dmz"], &values, &expected);
    check(&["--ingress-class="], &values, &[]);
}

#[test]
fn several_ingresses() {
    let with =
        |name: &str, hosts: &[&str], addresses: &[&str]| ingress(name, rules(hosts), addresses, json!({}));
    let two = [with("a", &["x.org"], &["1.2.3.4"]), with("b", &["x.org"], &["4.3.2.1", "1.2.3.4"])];
    check(&[], &two, &["x.org A 1.2.3.4,4.3.2.1"]);
    let apart = ["x.org A 1.2.3.4", "x.org A 1.2.3.4,4.3.2.1"];
    assert_eq!(asked("ingress", &[], "v0.20.0", &two), apart);
    let names = [with("a", &["x.org"], &["a.lb.com"]), with("b", &["x.org"], &["b.lb.com"])];
    check(&[], &names, &["x.org CNAME a.lb.com", "x.org CNAME b.lb.com"]);
}

#[test]
fn names_by_template() {
    let template = "--fqdn-template={{.Name}}.ext-dns.test.com";
    let bare = || ingress("fake1", json!({}), &["8.8.8.8"], json!({}));
    check(&[template], &[bare()], &["fake1.ext-dns.test.com A 8.8.8.8"]);
    let two = "--fqdn-template={{.Name}}.ext-dns.test.com,{{.Name}}.ext-dna.test.com";
    check(&[two], &[bare()], &["fake1.ext-dna.test.com A 8.8.8.8", "fake1.ext-dns.test.com A 8.8.8.8"]);
    let own = ingress("fake1", rules(&["e.org"]), &["8.8.8.8"], json!({}));
    check(&[template], std::slice::from_ref(&own), &["e.org A 8.8.8.8"]);
    let combined = ["e.org A 8.8.8.8", "fake1.ext-dns.test.com A 8.8.8.8"];
    check(&[template, "--combine-fqdn-annotation"], &[own], &combined);
    let targeted = ingress("fake1", json!({}), &[], json!({key("target"): "t.com"}));
    check(&[template], &[targeted], &["fake1.ext-dns.test.com CNAME t.com"]);
}
