//! Kubernetes Events: a line under a finding that holds without them, and nothing more.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::path::Path;

use dns_drift::replay::replay;
use dns_drift::report::Report;

const LINE: &str = "an Event of ExternalDNS";

fn report(folder: &str) -> Report {
    replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder)).expect("a recording")
}

#[test]
fn an_event_adds_one_line_of_evidence_and_no_cause() {
    let with = report("cases/missing_record-with_event");
    let without = report("scenarios/D055");
    let lines = |report: &Report| -> usize {
        let evidence = report.findings.iter().flat_map(|finding| &finding.evidence);
        evidence.filter(|line| line.contains(LINE)).count()
    };
    assert!(0 < lines(&with));
    assert_eq!(lines(&without), 0);
    let told = |report: &Report| -> Vec<String> {
        let findings = report.findings.iter();
        findings
            .map(|one| format!("{} {:?} {:?} {:?}", one.subject, one.kind, one.reason, one.cause))
            .collect()
    };
    assert_eq!(told(&with), told(&without));
}

#[test]
fn an_event_about_a_good_record_says_nothing() {
    assert!(report("cases/quiet-event_of_a_good_record").findings.is_empty());
}
