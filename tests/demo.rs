//! The demo as a user sees it: the story on standard output, the finding on `/metrics`, exit codes.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/demo.rs"]
mod demo;

use demo::Demo;

const FINDING: [&str; 5] = [
    "name=\"realtime.example.com\"",
    "kind=\"failed_change\"",
    "reason=\"alias_target_not_in_zone\"",
    "severity=\"critical\"",
    "state=\"open\"",
];

fn metrics(page: &str) -> String {
    let mut answer = ureq::get(format!("{page}metrics")).call().expect("an answer");
    answer.body_mut().read_to_string().expect("text")
}

fn finding(body: &str) -> Option<&str> {
    body.lines().find(|line| {
        line.starts_with("dns_drift_finding{") && FINDING.iter().all(|label| line.contains(label))
    })
}

#[test]
fn the_story_is_told_and_the_finding_is_a_series() {
    let mut demo = Demo::start(&["--keep", "15s"]);
    let first = demo.line("Watch http://");
    let page = first.rsplit("Watch ").next().expect("an address").to_owned();
    demo.line("5. Nobody mends it");
    let body = metrics(&page);
    assert!(finding(&body).is_some(), "no series of the finding in\n{body}");
    demo.line("the finding is gone");
    assert_eq!(finding(&metrics(&page)), None);
    demo.line("Keeps running");
    demo.signal("-INT");
    assert!(demo.child.wait().expect("it ends").success());
}

#[test]
fn one_pass_ends_by_itself() {
    let mut demo = Demo::start(&["--once"]);
    demo.line("the finding is gone");
    assert!(demo.child.wait().expect("it ends").success());
}
