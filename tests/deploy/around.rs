//! What stands around the chart: kustomize, image, compose, workflows.

use std::env;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{ROOT, text, yaml};

/// The overlays build and differ in how the Pod proves itself to AWS. Needs `kubectl`; without it only
/// the form of the files is looked at, and the output says so.
#[test]
fn overlays_build() {
    for overlay in ["gke", "eks-irsa", "eks-pod-identity"] {
        let folder = format!("{ROOT}/deploy/kustomize/overlays/{overlay}");
        assert_eq!(
            yaml(&format!("deploy/kustomize/overlays/{overlay}/kustomization.yaml"))[0]["resources"][0],
            "../../base"
        );
        let Ok(output) = Command::new("kubectl").args(["kustomize", &folder]).output() else {
            eprintln!("kubectl is NOT THERE: {overlay} was not built");
            continue;
        };
        assert!(output.status.success(), "{overlay}: {}", String::from_utf8_lossy(&output.stderr));
        let objects: Vec<Value> =
            serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap();
        let one = |kind: &str| {
            objects.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
        };
        let pod = &one("Deployment")["spec"]["template"]["spec"];
        let config = &one("ConfigMap")["metadata"]["name"];
        assert_ne!(config, "dns-drift", "without a hash a changed configuration starts no new Pod");
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(volumes.iter().any(|volume| volume["configMap"]["name"] == *config));
        let token = volumes
            .iter()
            .find_map(|volume| volume["projected"]["sources"][0]["serviceAccountToken"].as_object());
        assert_eq!(token.is_some(), overlay == "gke");
        assert!(token.is_none_or(|token| token["audience"] == "sts.amazonaws.com"));
        let annotated =
            one("ServiceAccount")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].is_string();
        assert_eq!(annotated, overlay == "eks-irsa");
    }
}

/// One version everywhere, so that a release cannot mix two.
#[test]
fn versions_agree() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = &yaml(&format!("{}/Chart.yaml", crate::CHART))[0];
    assert_eq!((&chart["version"], &chart["appVersion"]), (&version.into(), &version.into()));
    assert_eq!(yaml("deploy/kustomize/base/kustomization.yaml")[0]["images"][0]["newTag"], version);
}

#[test]
fn the_image_runs_as_nobody_and_has_no_shell() {
    let dockerfile = text("Dockerfile");
    let runtime = dockerfile.split(" AS runtime").nth(1).unwrap().split("\nFROM rust").next().unwrap();
    assert!(dockerfile.contains("\nFROM scratch AS runtime\n"));
    assert!(runtime.contains("USER 65532:65532") && !runtime.contains("RUN "));
    assert!(!dockerfile.lines().any(|line| line.starts_with("HEALTHCHECK")));
}

/// The linters are beside the Python that `./test` names, or on the path.
#[test]
fn linters_have_nothing_to_say() {
    let folder =
        env::var("DNS_DRIFT_TEST_HELM").ok().and_then(|python| Some(Path::new(&python).parent()?.to_owned()));
    for (linter, args) in [
        ("hadolint", vec!["Dockerfile"]),
        ("zizmor", vec!["--offline", "--no-progress", "--quiet", ".github/workflows"]),
    ] {
        let path = folder.as_ref().map_or_else(|| linter.into(), |folder| folder.join(linter));
        let output = Command::new(&path).args(&args).current_dir(ROOT).output();
        let output =
            output.unwrap_or_else(|error| panic!("{}, which ./test installs: {error}", path.display()));
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{linter}: {said}");
    }
}

/// A tag of an action can be moved, a commit cannot; and no workflow has more rights than it names.
#[test]
fn actions_are_pinned_by_commit() {
    for path in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        let workflow = &yaml(path)[0];
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{path}");
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["permissions"].is_object() && job["timeout-minutes"].is_number(), "{path}: {name}");
            for uses in job["steps"].as_array().unwrap().iter().filter_map(|step| step["uses"].as_str()) {
                let commit = uses.split('@').nth(1).unwrap_or_default();
                assert!(
                    commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()),
                    "{path}: {uses}"
                );
            }
        }
    }
}

/// What the compose file mounts is there, and its ports are open on this machine only.
#[test]
fn compose_mounts_what_exists() {
    let compose = &yaml("deploy/compose/compose.yaml")[0];
    for (name, service) in compose["services"].as_object().unwrap() {
        for mount in service["volumes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let from = mount.split(':').next().unwrap();
            let is_there = Path::new(&format!("{ROOT}/deploy/compose/{from}")).exists();
            assert!(is_there || compose["volumes"].as_object().unwrap().contains_key(from), "{name}: {from}");
        }
        for port in service["ports"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}
