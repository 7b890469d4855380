//! What the program can say is what the docs explain, both ways.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dns_drift::finding::Kind;

const HEADINGS: [&str; 7] = [
    "## Meaning",
    "## In the four views",
    "## What users notice",
    "## First three steps",
    "## Fix",
    "## When it is silent",
    "## Example",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings")
}

fn pages() -> BTreeSet<String> {
    std::fs::read_dir(folder())
        .expect("docs/findings")
        .map(|item| item.expect("folder item").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect()
}

#[test]
fn every_kind_has_a_page_and_every_page_a_kind() {
    let kinds: BTreeSet<String> = Kind::ALL.iter().map(|kind| format!("{kind}.md")).collect();
    let pages = pages();
    let missing: Vec<_> = kinds.difference(&pages).collect();
    let left_over: Vec<_> = pages.difference(&kinds).collect();
    assert!(missing.is_empty() && left_over.is_empty(), "missing {missing:?}, left over {left_over:?}");
}

#[test]
fn every_page_answers_the_same_questions() {
    for page in pages() {
        let text = std::fs::read_to_string(folder().join(&page)).expect("readable page");
        let kind = page.trim_end_matches(".md");
        assert!(text.starts_with(&format!("# {kind}\n")), "{page}: the title is not the kind");
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, HEADINGS, "{page}");
    }
}

#[test]
fn the_index_lists_every_kind_with_its_rank() {
    let index = std::fs::read_to_string(folder().join("README.md")).expect("index");
    for kind in Kind::ALL {
        let row = format!("| {} | [{kind}]({kind}.md) |", kind.rank());
        assert!(index.contains(&row), "docs/findings/README.md lacks: {row}");
    }
}

/// The keys of the configuration in the page are keys that the program knows, and its example is valid.
#[test]
fn the_configuration_page_speaks_of_real_keys() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md"))
        .expect("the page");
    let example = page.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let value: serde_json::Value = serde_saphyr::from_str(example).expect("YAML");
    dns_drift::config::Config::from_value(&value).expect("a valid example");
    let keys = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    for key in keys.filter(|key| !key.starts_with("dns-drift/")) {
        let mut wrong = serde_json::json!(["not of this type"]);
        for part in key.rsplit('.') {
            wrong = serde_json::json!({ part: wrong });
        }
        let text = match dns_drift::config::Config::from_value(&wrong) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(!text.contains("unknown key"), "{key}: {text}");
    }
}
