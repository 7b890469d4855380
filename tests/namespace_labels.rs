//! A finding carries the labels of its object, and those that the object lacks from its namespace,
//! if that is asked for; a recording that holds Namespaces is judged alike.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

/// One open finding about Ingress `shop/web`, which has the label `team: shop`.
const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/missing_record-member");

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
        let place = to.join(file.file_name().unwrap());
        if file.is_dir() { copy(&file, &place) } else { fs::copy(&file, &place).map(drop).unwrap() }
    }
}

/// The case with Namespaces in each round, and with these labels at the Ingress.
fn recording(folder: &Path, labels: &Json) {
    copy(Path::new(CASE), folder);
    for round in ["000", "001", "002", "003"] {
        let objects = folder.join(round).join("kubernetes/objects.json");
        let mut list: Json = serde_json::from_str(&fs::read_to_string(&objects).unwrap()).unwrap();
        assert_eq!(list["items"][0]["kind"], "Ingress");
        list["items"][0]["metadata"]["labels"] = labels.clone();
        fs::write(&objects, list.to_string()).unwrap();
        let namespace = |name: &str, labels: Json| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        let items = [
            namespace("shop", json!({"team": "platform", "tier": "gold", "secret": "of no concern"})),
            namespace("other", json!({"team": "other", "tier": "lead", "extra": "of another namespace"})),
        ];
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        fs::write(folder.join(round).join("kubernetes/namespaces.json"), list.to_string()).unwrap();
    }
}

/// The labels of the one finding that `check` tells of.
fn labels(folder: &Path, arguments: &[&str]) -> Json {
    let output = Command::new(env!("CARGO_BIN_EXE_dns-drift"))
        .args(["check", "-o", "json", "--recording"])
        .arg(folder)
        .args(arguments)
        .env_clear()
        .output()
        .unwrap();
    let report: Json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{report:#}");
    assert_eq!(report["views"]["kubernetes"]["problems"].as_array().map(Vec::len).unwrap_or_default(), 0);
    findings[0]["labels"].clone()
}

const ALLOW: &str = "--label-allow-list=team,tier,extra";

#[test]
fn the_labels_of_the_object_win_over_those_of_its_namespace() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), &json!({"team": "shop"}));
    let found = labels(folder.path(), &[ALLOW, "--namespace-labels"]);
    assert_eq!(found, json!({"team": "shop", "tier": "gold"}));
    assert_eq!(labels(folder.path(), &[ALLOW]), json!({"team": "shop"}), "not asked for");
}

#[test]
fn an_object_without_labels_has_those_of_its_namespace() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), &json!({}));
    assert_eq!(labels(folder.path(), &[]), json!({}));
    assert_eq!(labels(folder.path(), &["--namespace-labels"]), json!({"team": "platform"}));

    // What a recording says about its own configuration is enough.
    let file = folder.path().join("recording.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\nconfig: {{namespace_labels: true}}\n")).unwrap();
    assert_eq!(labels(folder.path(), &[]), json!({"team": "platform"}));
}
