//! Templates that name targets: `--fqdn-target-template`, and those for the routes of Traefik.

use super::*;

const PAIR: &str =
    "--fqdn-target-template={{.Name}}.pair.org:192.0.2.9,{{.Name}}.pair.org:lb.pair.org, broken, :x";

#[track_caller]
fn check(source: &str, args: &[&str], values: &[Value], expected: &[&str]) {
    assert_eq!(asked(source, args, "v0.22.0", values), expected, "{args:?}");
}

#[test]
fn pairs_of_a_host_and_a_target() {
    let of = |annotations: Value| {
        [service(&annotations, &json!({"type": "LoadBalancer"}), &json!([{"ip": "1.2.3.4"}]))]
    };
    let pairs = ["web.pair.org A 192.0.2.9", "web.pair.org CNAME lb.pair.org"];
    check("service", &[PAIR], &of(json!({})), &pairs);
    let named = json!({HOST: "s.example.com", key("ttl"): "60"});
    check("service", &[PAIR], &of(named.clone()), &["s.example.com A 1.2.3.4 ttl=60"]);
    let combined = ["s.example.com A 1.2.3.4 ttl=60", pairs[0], pairs[1]];
    check("service", &[PAIR, "--combine-fqdn-annotation"], &of(named), &combined);
    // The release before reads the flag for other kinds only.
    let old = json!({});
    assert_eq!(asked("service", &[PAIR], "v0.21.0", &of(old)), [""; 0]);
    let both = [PAIR, "--fqdn-template={{.Name}}.t.org"];
    check("service", &both, &of(json!({})), &pairs);

    let on = [pod("p", "n1", true, &json!({})), node("n1", "198.51.100.1", "")];
    check(
        "pod",
        &["--fqdn-target-template={{.Name}}.pair.org:{{.Status.PodIP}}"],
        &on,
        &["p.pair.org A 10.2.0.1"],
    );
    let nodes = [node("n1", "198.51.100.1", "")];
    check(
        "node",
        &["--fqdn-target-template={{.Name}}.pair.org:192.0.2.9"],
        &nodes,
        &["n1.pair.org A 192.0.2.9"],
    );
    let combine = ["--fqdn-target-template={{.Name}}.pair.org:192.0.2.9", "--combine-fqdn-annotation"];
    check("node", &combine, &nodes, &["n1 A 198.51.100.1", "n1.pair.org A 192.0.2.9"]);
    // An Ingress has no such pairs.
    let ingress = json!({"kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"}, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}});
    check("ingress", &[PAIR], &[ingress], &[]);
}

#[test]
fn routes_of_traefik() {
    let of = |annotations: Value| {
        [json!({"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute",
            "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
            "spec": {"routes": [{"match": "Host(`a.example.com`)"}]}})]
    };
    let source = "traefik-proxy";
    let template = ["--fqdn-template={{.Name}}.t.org", "--target-template=192.0.2.1,lb.t.org"];
    let made = ["web.t.org A 192.0.2.1", "web.t.org CNAME lb.t.org"];
    check(source, &template, &of(json!({})), &made);
    check(source, &template, &of(json!({key("target"): "198.51.100.1"})), &["a.example.com A 198.51.100.1"]);
    let combined = [template[0], template[1], "--combine-fqdn-annotation"];
    let all = ["a.example.com A 198.51.100.1", made[0], made[1]];
    check(source, &combined, &of(json!({key("target"): "198.51.100.1"})), &all);
    check(source, &[PAIR], &of(json!({})), &["web.pair.org A 192.0.2.9", "web.pair.org CNAME lb.pair.org"]);
    check(source, &template[..1], &of(json!({})), &[]);
    assert_eq!(asked(source, &template, "v0.21.0", &of(json!({}))), [""; 0]);
}

/// Whatever a template leaves open is said, never guessed.
#[test]
fn what_cannot_be_evaluated_is_told() {
    let unknown = |source: &str, args: &[&str], value: Value| {
        let source = format!("--source={source}");
        let args: Vec<&str> = args.iter().copied().chain([source.as_str()]).collect();
        let instance = Arc::new(instance(&args, "v0.22.0"));
        let cluster = Cluster { objects: objects(&[value]), ..Cluster::default() };
        crate::desired::sources(&cluster, &instance, Timestamp::UNIX_EPOCH).unknown
    };
    let plain = service(&json!({}), &json!({"type": "LoadBalancer"}), &json!([]));
    let pair = unknown("service", &["--fqdn-target-template={{.Nonsense}}:x"], plain);
    assert_eq!(
        pair,
        [
            "Service/shop/web: --fqdn-target-template: the template cannot be evaluated here: the field Nonsense"
        ]
    );
    let route = json!({"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": "web", "namespace": "shop"}});
    let target = ["--fqdn-template={{.Name}}.t.org", "--target-template={{.Spec.Nonsense}}"];
    assert_eq!(unknown("traefik-proxy", &target, route).len(), 1);
}

/// A source that reads any kind of object by templates is not computed, and that is said.
#[test]
fn unstructured_objects_are_not_modelled() {
    let one = instance(
        &[
            "--source=unstructured",
            "--source=ingress",
            "--unstructured-resource=virtualmachines.v1.kubevirt.io",
        ],
        "v0.22.0",
    );
    assert_eq!(roster::unmodelled(&one), ["unstructured"]);
}
