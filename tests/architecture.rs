//! The arrows between modules point one way: sources never see the comparison, and what is pure
//! names nothing that does I/O.
//!
//! Reads the `use` lines only. Refer to other modules by `use crate::...`, not by inline paths, or
//! this test cannot see the arrow.
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
use std::path::{Path, PathBuf};

/// What each module may use. A module that is not listed assembles the others and may use all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("error_chain", &[]),
    ("limits", &[]),
    ("meter", &[]),
    ("model", &["finding", "limits"]),
    ("snapshot", &["finding", "model"]),
    ("finding", &["model", "snapshot", "stored"]),
    ("stored", &["finding", "model", "snapshot"]),
    ("policy", &["finding", "model"]),
    ("report", &["finding", "model", "snapshot"]),
    ("past", &["finding", "limits", "model", "policy", "snapshot", "stored"]),
    ("compare", &["desired", "finding", "limits", "model", "past", "policy", "report", "snapshot", "stored"]),
    ("history", &["compare", "finding", "limits", "model", "past", "policy", "report", "snapshot", "stored"]),
    (
        "engine",
        &[
            "compare", "desired", "finding", "history", "limits", "model", "past", "policy", "report",
            "snapshot",
        ],
    ),
    ("board", &["compare", "finding", "limits", "model", "report", "snapshot"]),
    ("convergence", &["finding", "limits", "model", "report", "snapshot"]),
    ("changes", &["clock", "error_chain", "finding", "limits", "model", "snapshot"]),
    ("desired", &["clock", "error_chain", "finding", "limits", "model", "snapshot"]),
    ("live", &["clock", "error_chain", "finding", "limits", "meter", "model", "snapshot"]),
    ("recorded", &["clock", "error_chain", "finding", "limits", "meter", "model", "snapshot"]),
    (
        "recording",
        &[
            "changes",
            "clock",
            "desired",
            "error_chain",
            "finding",
            "limits",
            "live",
            "model",
            "recorded",
            "snapshot",
        ],
    ),
    (
        "publish",
        &["board", "clock", "convergence", "error_chain", "finding", "limits", "model", "report", "snapshot"],
    ),
    ("emulator", &["clock", "error_chain", "limits", "model"]),
];

/// No I/O, no runtime, no foreign type.
const PURE: &[&str] = &[
    "board",
    "compare",
    "convergence",
    "engine",
    "finding",
    "history",
    "model",
    "past",
    "policy",
    "report",
    "snapshot",
    "stored",
];

/// Crates that the pure modules never name.
const FOREIGN: &[&str] =
    &["tokio", "axum", "kube", "k8s_openapi", "aws_", "hickory", "tracing", "prometheus_client", "hyper"];

#[test]
fn arrows_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut turned = BTreeSet::new();
    for (module, path, uses) in sources() {
        for used in uses.iter().filter_map(|line| line.strip_prefix("crate::")) {
            let used = first_word(used);
            let known = allowed.get(module.as_str());
            if used != module && known.is_some_and(|may| !may.contains(&used)) {
                turned.insert(format!("{module} uses {used} ({})", path.display()));
            }
        }
    }
    assert!(turned.is_empty(), "{turned:#?}");
}

#[test]
fn pure_modules_stay_pure() {
    let mut foreign = BTreeSet::new();
    for (module, path, uses) in sources() {
        if !PURE.contains(&module.as_str()) {
            continue;
        }
        for used in &uses {
            if FOREIGN.iter().any(|name| first_word(used).starts_with(name)) {
                foreign.insert(format!("{}: {used}", path.display()));
            }
        }
    }
    assert!(foreign.is_empty(), "{foreign:#?}");
}

#[test]
fn the_reader_of_use_lines_sees_them() {
    let check = |text: &str, expected: &[&str]| assert_eq!(uses(text), expected, "{text}");
    check("use crate::publish;\npub use tokio::time;\n", &["crate::publish", "tokio::time"]);
    check("    pub(crate) use crate::a::{b,\n c};\n", &["crate::a::{b,"]);
    check("use crate::a;\n#[cfg(test)]\nmod tests {\n    use crate::b;\n}\n", &["crate::a"]);
    check("// use crate::a;\n", &[]);
    check("use crate::{a::B, c};\n", &["crate::a", "crate::c"]);
}

/// Module, file and what it uses, tests left out.
fn sources() -> Vec<(String, PathBuf, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 50, "only {} files under src", files.len());
    files
        .into_iter()
        .filter(|path| path.file_name().is_none_or(|name| name != "tests.rs"))
        .map(|path| {
            let relative = path.strip_prefix(&root).unwrap().to_owned();
            let first = relative.iter().next().unwrap().to_string_lossy().into_owned();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).expect("readable source");
            (module, relative, uses(&text))
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for item in std::fs::read_dir(folder).expect("folder") {
        let path = item.expect("folder item").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn uses(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for line in code.lines().map(str::trim_start) {
        let Some((before, path)) = line.split_once("use ") else { continue };
        if !(before.is_empty() || before.starts_with("pub")) {
            continue;
        }
        let path = path.trim_end_matches(';');
        if let Some(group) = path.strip_prefix("crate::{") {
            let inner = group.trim_end_matches('}').split(',').map(str::trim);
            found.extend(inner.map(|one| format!("crate::{}", first_word(one))));
        } else {
            found.push(path.to_owned());
        }
    }
    found
}

fn first_word(path: &str) -> &str {
    path.split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .next()
        .unwrap_or_default()
}
