//! The policies that operators copy hold what the program asks for, and nothing that writes.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dns_drift::recorded::stats::Operation;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Actions of every policy, by file name.
fn policies() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for item in std::fs::read_dir(root().join("deploy/iam")).expect("deploy/iam") {
        let path = item.expect("folder item").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let shown = path.display();
        let policy: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(policy["Version"], "2012-10-17", "{shown}");
        let mut actions = BTreeSet::new();
        for statement in policy["Statement"].as_array().expect("statements") {
            assert_eq!(statement["Effect"], "Allow", "{shown}");
            let one = statement["Action"].as_str().into_iter();
            let list = statement["Action"].as_array().into_iter().flatten().filter_map(Value::as_str);
            actions.extend(one.chain(list).map(str::to_owned));
        }
        assert!(!actions.is_empty(), "{shown}");
        all.insert(path.file_name().unwrap().to_string_lossy().into_owned(), actions);
    }
    all
}

#[test]
fn every_call_stands_in_the_full_policy_and_in_the_page() {
    let policies = policies();
    let page = std::fs::read_to_string(root().join("docs/route53.md")).expect("docs/route53.md");
    let called: BTreeSet<String> = Operation::ALL.iter().map(|operation| operation.action()).collect();
    assert_eq!(policies["3-full.json"], called, "no action is missing, and none is there for nothing");
    for action in &called {
        assert!(page.contains(&format!("`{action}`")), "docs/route53.md does not explain {action}");
    }
    for file in policies.keys() {
        assert!(page.contains(&format!("`{file}`")), "docs/route53.md does not name {file}");
    }
}

#[test]
fn policies_grow_from_the_smallest_to_the_full_one() {
    let policies = policies();
    let minimal = ["ListHostedZones", "ListResourceRecordSets"].map(|name| format!("route53:{name}"));
    assert_eq!(policies["1-minimal.json"], BTreeSet::from(minimal));
    assert!(policies["1-minimal.json"].is_subset(&policies["2-recommended.json"]));
    assert!(policies["2-recommended.json"].is_subset(&policies["3-full.json"]));
    assert!(policies["named-zones.json"].is_subset(&policies["3-full.json"]));
}

#[test]
fn no_policy_writes() {
    for (file, actions) in policies() {
        for action in actions {
            let (service, name) = action.split_once(':').expect("service:Action");
            let reads = ["List", "Get", "Test"].iter().any(|verb| name.starts_with(verb));
            assert!(reads && !name.contains('*') || service == "sts", "{file}: {action}");
        }
    }
}
