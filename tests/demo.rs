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

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

const FINDING: [&str; 5] = [
    "name=\"realtime.example.com\"",
    "kind=\"failed_change\"",
    "reason=\"alias_target_not_in_zone\"",
    "severity=\"critical\"",
    "state=\"open\"",
];

struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dns-drift"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// The first line that holds the words. The demo itself bounds how long it may take.
    fn line(&mut self, words: &str) -> String {
        for line in &mut self.lines {
            let line = line.expect("text");
            if line.contains(words) {
                return line;
            }
        }
        panic!("the demo ended before it said {words:?}");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

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
    let pid = demo.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    assert!(demo.child.wait().expect("it ends").success());
}

#[test]
fn one_pass_ends_by_itself() {
    let mut demo = Demo::start(&["--once"]);
    demo.line("the finding is gone");
    assert!(demo.child.wait().expect("it ends").success());
}
