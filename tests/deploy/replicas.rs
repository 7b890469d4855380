//! Several Pods, TLS, and the third way to be scraped.

use std::fs;

use serde_json::{Value, json};

use crate::chart::{refusals, render, with};
use crate::check_config;

fn container(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"][0]
}

fn has(list: &Value, text: &str) -> bool {
    list.as_array().unwrap().iter().any(|one| one == text)
}

#[test]
fn replicas_that_elect_may_write_one_lease_and_nothing_else() {
    let rendered = with(json!({"leaderElect": {"enabled": true}, "podDisruptionBudget": {"enabled": true}}));
    assert_eq!(rendered.problems, Vec::<String>::new());
    let deployment = rendered.one("Deployment");
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(deployment["spec"]["strategy"]["type"], "RollingUpdate");
    let args = &container(deployment)["args"];
    assert!(has(args, "--leader-elect") && has(args, "--leader-elect-lease=dns-drift"), "{args}");
    let role = rendered.named("Role", "dns-drift-leader");
    assert_eq!(role["metadata"]["namespace"], "dns-drift");
    let leases =
        |verbs: Value| json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs});
    let mut named = leases(json!(["get", "update"]));
    named["resourceNames"] = json!(["dns-drift"]);
    assert_eq!(role["rules"], json!([leases(json!(["create"])), named]));
    let writes = ["create", "update", "patch", "delete", "deletecollection", "*"];
    for other in rendered.objects().filter(|one| one.get("rules").is_some() && *one != role) {
        for rule in other["rules"].as_array().unwrap() {
            assert!(!writes.iter().any(|verb| has(&rule["verbs"], verb)), "{rule}");
        }
    }
    assert!(!with(json!({})).objects().any(|one| one["metadata"]["name"] == "dns-drift-leader"));
}

#[test]
fn shards_are_a_stateful_set() {
    let rendered = with(json!({"shards": {"total": 3},
        "state": {"persistence": {"enabled": true, "storageClass": "standard", "annotations": {"a": "b"}}}}));
    assert_eq!(rendered.problems, Vec::<String>::new());
    let set = rendered.one("StatefulSet");
    assert_eq!((&set["spec"]["replicas"], &set["spec"]["serviceName"]), (&json!(3), &json!("dns-drift")));
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "state");
    assert!(has(&container(set)["args"], "--shard=auto/3"));
    let pod_name = json!({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    assert!(container(set)["env"].as_array().unwrap().contains(&pod_name));
    assert!(
        !rendered.objects().any(|one| one["kind"] == "Deployment" || one["kind"] == "PersistentVolumeClaim")
    );
    let cases = [
        (json!({"shards": {"total": 2}, "leaderElect": {"enabled": true}}), "exclude each other"),
        (
            json!({"leaderElect": {"enabled": true}, "state": {"persistence": {"enabled": true}}}),
            "ReadWriteMany",
        ),
        (
            json!({"shards": {"total": 2}, "state": {"persistence": {"enabled": true, "existingClaim": "x"}}}),
            "a claim each",
        ),
        (json!({"scrapeConfig": {"enabled": true}, "podMonitor": {"enabled": true}}), "count twice"),
        (json!({"shards": {"total": 0}}), "/shards/total"),
    ];
    let values: Vec<Value> = cases.iter().map(|(values, _)| values.clone()).collect();
    for (refused, (values, named)) in refusals(&values).iter().zip(&cases) {
        assert!(refused.contains(named), "{values}: {refused}");
    }
}

#[test]
fn tls_reaches_probes_and_scrapes() {
    let web = json!({"secretName": "dns-drift-web"});
    let rendered = render(&[
        json!({"webConfig": web, "serviceMonitor": {"enabled": true, "endpoint": {"tlsConfig": {"insecureSkipVerify": true}}}}),
        json!({"webConfig": {"secretName": "x", "clientCertificates": true}, "scrapeConfig": {"enabled": true, "labels": {"a": "b"},
            "spec": {"tlsConfig": {"insecureSkipVerify": true}}}}),
        json!({"webConfig": {"secretName": "x", "scheme": "HTTP"}, "podMonitoring": {"enabled": true}}),
    ]);
    for one in &rendered {
        assert_eq!(one.problems, Vec::<String>::new());
    }
    let pod = container(rendered[0].one("Deployment"));
    assert!(has(&pod["args"], "--web.config.file=/etc/dns-drift-web/web.yml"));
    assert_eq!(pod["livenessProbe"]["httpGet"]["scheme"], "HTTPS");
    let endpoint = &rendered[0].one("ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(
        (&endpoint["scheme"], &endpoint["tlsConfig"]["insecureSkipVerify"]),
        (&json!("https"), &json!(true))
    );
    assert_eq!(container(rendered[1].one("Deployment"))["readinessProbe"]["tcpSocket"]["port"], "http");
    let scrape = &rendered[1].one("ScrapeConfig")["spec"];
    assert_eq!((&scrape["jobName"], &scrape["scheme"]), (&json!("dns-drift"), &json!("HTTPS")));
    assert_eq!(scrape["kubernetesSDConfigs"][0]["namespaces"]["names"], json!(["dns-drift"]));
    assert!(container(rendered[2].one("Deployment"))["livenessProbe"]["httpGet"].get("scheme").is_none());
    assert!(rendered[2].one("PodMonitoring")["spec"]["endpoints"][0].get("scheme").is_none());
}

#[test]
fn the_program_takes_the_arguments_of_replicas() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    for values in
        [json!({"leaderElect": {"enabled": true}}), json!({"config": {"sharding": {"split_zones": ["Z1"]}}})]
    {
        let rendered = with(values);
        fs::write(&file, rendered.one("ConfigMap")["data"]["config.yaml"].as_str().unwrap()).unwrap();
        check_config(&rendered, &file);
    }
}
