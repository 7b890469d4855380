//! The full report of every corpus case, as a reviewed snapshot: what a person on call would read.
//!
//! A change of a text shows here as the sentence that somebody gets. Read it as that person before
//! it is accepted with `cargo insta review` (or `INSTA_UPDATE=always cargo test --test reports`).
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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dns_drift::replay::replay;

/// The cases of the corpus, in order.
fn cases() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let items = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    let cases = items.filter(|path| path.join("expected.yaml").is_file());
    cases.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_report_reads_as_it_was_reviewed() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/reports");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let changed: Vec<String> = cases()
        .into_iter()
        .filter(|case| {
            let report = replay(&scenarios.join(case)).unwrap_or_else(|error| panic!("{case}: {error}"));
            // All that changed are shown at once, not only the first.
            let compare = || settings.bind(|| insta::assert_yaml_snapshot!(case.as_str(), report));
            catch_unwind(AssertUnwindSafe(compare)).is_err()
        })
        .collect();
    assert!(changed.is_empty(), "reports that read differently: {changed:?}");
}

#[test]
fn no_snapshot_is_left_over() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/reports");
    let names = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    let snapshots: BTreeSet<String> = names
        .filter(|path| path.extension().is_some_and(|extension| extension == "snap"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(snapshots, cases());
}
