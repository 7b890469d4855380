//! A refused change is one finding, whichever source tells of it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::path::{Path, PathBuf};

use dns_drift::finding::State;
use dns_drift::replay::replay;

/// A copy of a scenario without the files that `leave_out` chooses.
fn copy(from: &Path, to: &Path, leave_out: &dyn Fn(&Path) -> bool) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let path = entry.expect("entry").path();
        let target = to.join(path.file_name().expect("name"));
        if path.is_dir() {
            copy(&path, &target, leave_out);
        } else if !leave_out(&path) {
            std::fs::copy(&path, &target).expect("copied");
        }
    }
}

/// The open findings: subject, kind, reason, cause.
fn open(dir: &Path) -> Vec<String> {
    let report = replay(dir).expect("a recording");
    let open = report.findings.iter().filter(|finding| finding.state == State::Open);
    let shown = open.map(|finding| {
        let cause = finding.cause.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{} {} {} {cause}", finding.subject, finding.kind, finding.reason)
    });
    shown.collect()
}

fn scenario(id: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(id)
}

#[test]
fn log_only_trail_only_and_both() {
    let is_log = |path: &Path| path.extension().is_some_and(|end| end == "log");
    let is_trail = |path: &Path| path.ends_with("cloudtrail/events.json");
    let cases = [
        ("D003", "app.example.com/A failed_change alias_target_not_in_zone invalid_desired:alias_on_ip"),
        ("D005", "demo.example.com/A failed_change cname_conflict owner_missing"),
    ];
    for (id, expected) in cases {
        assert_eq!(open(&scenario(id)), [expected], "{id} with both");
        let dir = tempfile::tempdir().expect("folder");
        let (log_only, trail_only) = (dir.path().join("log"), dir.path().join("trail"));
        copy(&scenario(id), &log_only, &is_trail);
        assert_eq!(open(&log_only), [expected], "{id} with the log only");
        copy(&scenario(id), &trail_only, &is_log);
        assert_eq!(open(&trail_only), [expected], "{id} with CloudTrail only");
    }
}

/// Who changed a record by hand, with what and from where.
#[test]
fn a_manual_change_names_its_caller() {
    let report = replay(&scenario("D067")).expect("a recording");
    let by_hand = report
        .findings
        .iter()
        .find(|finding| finding.cause.as_ref().is_some_and(|cause| cause.to_string() == "manual_change"));
    let evidence = &by_hand.expect("a manual change").evidence;
    assert!(
        evidence.iter().any(|line| line.starts_with("changed at ")
            && line.contains(" by arn:aws:iam::111122223333:role/Admin as arn:aws:sts::111122223333:assumed-role/Admin/alice with Mozilla")
            && line.ends_with(" from 192.0.2.200")),
        "{evidence:?}"
    );
}
