//! What is in `deploy/`: the chart renders with Helm's own engine into what Kubernetes takes, grants reads
//! only, and says the same as docs, alerts, dashboards and the program itself.
//!
//! Needs a Python with helm-python-sdk and kubernetes-validate, which `./test` installs.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "deploy/around.rs"]
mod around;
#[path = "deploy/chart.rs"]
mod chart;
#[path = "deploy/page.rs"]
mod page;
#[path = "deploy/replicas.rs"]
mod replicas;
#[path = "deploy/roles.rs"]
mod roles;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chart::{CHART, Rendered, lint, refusals, render, with};
use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn text(path: &str) -> String {
    fs::read_to_string(format!("{ROOT}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Documents of a YAML file.
fn yaml(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files(folder: &str, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(format!("{ROOT}/{folder}")).unwrap() {
        let item = item.unwrap();
        let below = format!("{folder}/{}", item.file_name().to_string_lossy());
        match item.file_type().unwrap().is_dir() {
            true if !below.ends_with("/.terraform") => files(&below, found),
            true => {}
            false => found.push(PathBuf::from(below)),
        }
    }
}

fn words(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_yaml_and_json_file_parses() {
    let mut found = Vec::new();
    files("deploy", &mut found);
    files(".github", &mut found);
    let mut count = 0;
    for path in found {
        let path = path.to_str().unwrap();
        let is = |ending: &str| Path::new(path).extension().is_some_and(|is| is == ending);
        // Templates are no YAML before they are rendered; CloudFormation has tags of its own.
        if path.contains("/templates/") || path.contains("/cloudtrail/") {
            continue;
        }
        if is("yaml") || is("yml") {
            assert!(!yaml(path).is_empty(), "{path}");
            count += 1;
        } else if is("json") {
            serde_json::from_str::<Value>(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
    assert!(count > 15, "{count} files only");
}

#[test]
fn the_chart_renders_into_what_kubernetes_takes() {
    assert_eq!(lint(), Vec::<String>::new());
    let with_everything = json!({
        "aws": {"roleArn": "arn:aws:iam::111122223333:role/dns-drift"},
        "state": {"persistence": {"enabled": true, "storageClass": "standard", "annotations": {"a": "b"}}},
        "serviceAccount": {"annotations": {"a": "b"}}, "imagePullSecrets": [{"name": "registry"}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]}, "priorityClassName": "high",
        "tolerations": [{"operator": "Exists"}], "affinity": {"nodeAffinity": {}},
        "podLabels": {"a": "b"}, "podAnnotations": {"a": "b"}, "commonLabels": {"team": "platform"},
        "extraArgs": ["--route53-region=us-east-1"], "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}],
        "extraVolumes": [{"name": "x", "emptyDir": {}}], "extraVolumeMounts": [{"name": "x", "mountPath": "/x"}],
        "service": {"annotations": {"a": "b"}, "labels": {"a": "b"}},
        "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"},
            "relabelings": [{"action": "labeldrop", "regex": "x"}]},
        "podMonitoring": {"enabled": true}, "prometheusRule": {"enabled": true, "labels": {"a": "b"}},
        "dashboards": {"enabled": true, "annotations": {"grafana_folder": "DNS"}},
        "networkPolicy": {"ingressFrom": [{"podSelector": {}}], "extraEgress": [{"ports": [{"port": 5353}]}]},
        "podDisruptionBudget": {"enabled": true}, "global": {"anything": 1}});
    let rendered = render(&[json!({}), with_everything, json!({"podMonitor": {"enabled": true}})]);
    for one in &rendered {
        assert_eq!(one.problems, Vec::<String>::new());
        for object in one.objects() {
            assert_ne!(object["kind"], "Secret");
            assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/name"], "dns-drift");
        }
    }
    let kinds =
        |index: usize| rendered[index].objects().map(|one| one["kind"].as_str().unwrap()).collect::<Vec<_>>();
    assert!(kinds(2).contains(&"PodMonitor"));
    for kind in ["ServiceMonitor", "PodMonitoring", "PersistentVolumeClaim", "PodDisruptionBudget"] {
        assert!(kinds(1).contains(&kind) && !kinds(0).contains(&kind), "{kind}");
    }
    // The check itself must be able to fail.
    assert_ne!(with(json!({"extraEnv": [{"nmae": "x"}]})).problems, Vec::<String>::new());
}

#[test]
fn wrong_values_are_refused_by_name() {
    let cases = [
        (json!({"state_dir": "x"}), "state_dir"),
        (json!({"config": {"listen": "0.0.0.0:1"}}), "/config/listen"),
        (json!({"config": {"state_dir": "/x"}}), "/config/state_dir"),
        (json!({"sources": ["skipper-routegroup"]}), "/sources/0"),
        (json!({"sources": []}), "/sources"),
        (json!({"aws": {"roleArn": "dns-drift"}}), "/aws/roleArn"),
        (json!({"externalDns": {"namespaces": ["a b"]}}), "/externalDns/namespaces/0"),
        (json!({"serviceMonitor": {"enabled": true}, "podMonitor": {"enabled": true}}), "count twice"),
        (json!({"serviceAccount": {"create": false}}), "serviceAccount.name"),
        (json!({"prometheusRule": {"docsUrl": "https://x\"\n"}}), "/prometheusRule/docsUrl"),
    ];
    let values: Vec<Value> = cases.iter().map(|(values, _)| values.clone()).collect();
    for (refused, (values, named)) in refusals(&values).iter().zip(&cases) {
        assert!(refused.contains(named), "{values}: {refused}");
    }
}

/// Every default is in the schema and every key of the schema has a default, so that neither forgets one.
#[test]
fn values_and_schema_have_the_same_keys() {
    fn same(values: &Value, schema: &Value, path: &str) {
        let Some(properties) =
            schema["properties"].as_object().filter(|_| schema["additionalProperties"] == false)
        else {
            return;
        };
        let Some(values) = values.as_object() else { panic!("{path} is no mapping") };
        for key in properties.keys().filter(|key| *key != "global" && !path.ends_with("Probe")) {
            assert!(values.contains_key(key), "values.yaml lacks {path}.{key}");
        }
        for (key, value) in values {
            assert!(properties.contains_key(key), "values.schema.json lacks {path}.{key}");
            same(value, &properties[key], &format!("{path}.{key}"));
        }
    }
    let schema: Value = serde_json::from_str(&text(&format!("{CHART}/values.schema.json"))).unwrap();
    same(&yaml(&format!("{CHART}/values.yaml"))[0], &schema, "");
    let table = &yaml(&format!("{CHART}/files/sources.yaml"))[0];
    let known: BTreeSet<String> = table["sources"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(words(&schema["properties"]["sources"]["items"]["enum"]), known);
}

#[test]
fn the_pod_is_hardened() {
    let rendered = with(json!({}));
    let spec = &rendered.one("Deployment")["spec"];
    assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(1), &json!("Recreate")));
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["securityContext"]["capabilities"], json!({"drop": ["ALL"]}));
    for (probe, path) in [("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")] {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}));
    }
    assert_eq!(container["ports"][0]["containerPort"], 9853);
    assert!(container["resources"]["limits"]["memory"].is_string());
    // As OpenShift wants it: the user comes from the namespace, everything else stays.
    let own = with(json!({"podSecurityContext": {"runAsUser": null, "runAsGroup": null, "fsGroup": null}}));
    let own = &own.one("Deployment")["spec"]["template"]["spec"]["securityContext"];
    assert!(own.get("runAsUser").is_none() && own["runAsNonRoot"] == true, "{own}");
    assert_eq!(
        yaml("deploy/manifests/namespace.yaml")[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "restricted"
    );
}

/// The program takes its arguments and its configuration just as the Pod gets them.
#[test]
fn the_program_takes_arguments_and_configuration_of_the_chart() {
    let folder = tempfile::tempdir().unwrap();
    let page = text("docs/configuration.md");
    let example = page.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let example: Value = serde_saphyr::from_str(example).unwrap();
    for values in
        [json!({}), json!({"config": example, "listenAddress": "[::]"}), json!({"state": {"enabled": false}})]
    {
        let rendered = with(values);
        let file = folder.path().join("config.yaml");
        fs::write(&file, rendered.one("ConfigMap")["data"]["config.yaml"].as_str().unwrap()).unwrap();
        check_config(&rendered, &file);
    }
    check_config(&with(json!({})), Path::new(&format!("{ROOT}/deploy/kustomize/base/config.yaml")));
}

fn check_config(rendered: &Rendered, file: &Path) {
    let container = &rendered.one("Deployment")["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
    let args: Vec<String> = args
        .map(|arg| arg.replace("/etc/dns-drift/config.yaml", file.to_str().unwrap()))
        .chain(["--check-config".to_owned()])
        .collect();
    let env =
        container["env"].as_array().unwrap().iter().map(|one| (one["name"].as_str(), one["value"].as_str()));
    let env = env.map(|(name, value)| (name, value.or(Some("dns-drift-0"))));
    let output = Command::new(env!("CARGO_BIN_EXE_dns-drift"))
        .args(&args)
        .envs(env.map(|(name, value)| (name.unwrap(), value.unwrap())))
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Links do not survive `helm package`, so the chart has copies.
#[test]
fn alerts_and_dashboards_of_the_chart_are_the_shipped_ones() {
    let copies = ["dns-drift", "external-dns"]
        .map(|name| (format!("alerts/{name}.rules.yml"), format!("files/rules/{name}.rules.yml")));
    let dashboards = fs::read_dir(format!("{ROOT}/dashboards")).unwrap().filter_map(|item| {
        let name = item.unwrap().file_name().into_string().unwrap();
        Path::new(&name)
            .extension()
            .is_some_and(|is| is == "json")
            .then(|| (format!("dashboards/{name}"), format!("files/dashboards/{name}")))
    });
    for (from, to) in copies.into_iter().chain(dashboards) {
        chart::check(&format!("{CHART}/{to}"), &text(&from));
    }
    let rendered = render(&[
        json!({"prometheusRule": {"enabled": true}, "dashboards": {"enabled": true}}),
        json!({"prometheusRule": {"enabled": true, "externalDns": false, "docsUrl": "https://docs.example.org/d/"}}),
    ]);
    let rules: Vec<&Value> = rendered[0].objects().filter(|one| one["kind"] == "PrometheusRule").collect();
    assert_eq!(rules.len(), 2);
    for (object, name) in rules.iter().zip(["dns-drift", "external-dns"]) {
        assert_eq!(object["spec"], yaml(&format!("alerts/{name}.rules.yml"))[0], "{name}");
    }
    let data = rendered[0].named("ConfigMap", "dns-drift-dashboards")["data"].as_object().unwrap();
    assert_eq!(data.len(), 4);
    for (name, dashboard) in data {
        let shipped = text(&format!("dashboards/{}", name.trim_start_matches("dns-drift-")));
        assert_eq!(dashboard.as_str().unwrap().trim_end(), shipped.trim_end(), "{name}");
    }
    let own = serde_json::to_string(&rendered[1].one("PrometheusRule")["spec"]).unwrap();
    assert!(
        own.contains("https://docs.example.org/d/docs/runbooks/") && !own.contains("dns-drift.example.com")
    );
}

#[test]
fn plain_manifests_are_the_rendering_of_the_chart() {
    chart::check("deploy/manifests/dns-drift.yaml", &with(json!({})).manifest(None));
    for (name, key) in [("servicemonitor", "serviceMonitor"), ("podmonitoring", "podMonitoring")] {
        let rendered = with(json!({key: {"enabled": true}}));
        chart::check(
            &format!("deploy/manifests/{name}.yaml"),
            &rendered.manifest(Some(&format!("{name}.yaml"))),
        );
    }
}
