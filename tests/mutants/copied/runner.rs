//! Judges the recorded cases under one change after the other. Reads numbers from standard input, a line
//! each, and answers each with a line.
//!
//! An answer is `killed CASE`, `reported CASE` (a report differs, and nothing asserts what differs),
//! `survived`, or `unreached`.

#[path = "../../tests/support/judge.rs"]
#[allow(dead_code)]
mod judge;

use std::collections::BTreeSet;
use std::io::{BufRead, Write, stdout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use dns_drift::engine::Engine;
use dns_drift::mutant;
use dns_drift::policy::Policy;
use dns_drift::replay::each_round;
use dns_drift::snapshot::Snapshot;
use serde_json::Value;

use self::judge::{Expected, judge};

struct Case {
    id: String,
    rounds: Vec<(Policy, Snapshot)>,
    expected: Expected,
    /// A test compares the whole report.
    is_whole: bool,
    /// As it is without a change.
    report: Value,
    reached: BTreeSet<u32>,
    took: Duration,
}

fn main() {
    // What a change breaks is no news.
    std::panic::set_hook(Box::new(|_| {}));
    let mut cases = load("tests/scenarios", true);
    cases.extend(load("tests/cases", false));
    // Whoever kills fast comes first.
    cases.sort_by_key(|case| case.took);
    let total: Duration = cases.iter().map(|case| case.took).sum();
    say(&format!("{} cases in {} ms", cases.len(), total.as_millis()));
    for line in std::io::stdin().lock().lines() {
        let number = line.expect("a line").parse().expect("a number");
        let reached = cases.iter().filter(|case| case.reached.contains(&number));
        say(&answer(number, reached));
    }
}

fn say(line: &str) {
    println!("{line}");
    stdout().flush().expect("a reader");
}

fn load(folder: &str, is_whole: bool) -> Vec<Case> {
    let folders = std::fs::read_dir(folder).expect("a folder of cases").map(|item| item.expect("an item").path());
    folders.filter(|path| path.join("expected.yaml").is_file()).map(|path| read(&path, is_whole)).collect()
}

fn read(path: &Path, is_whole: bool) -> Case {
    mutant::set(0);
    let text = std::fs::read_to_string(path.join("expected.yaml")).expect("expected.yaml");
    let expected = serde_saphyr::from_str(&text).expect("valid YAML");
    let mut rounds = Vec::new();
    each_round(path, |policy, snapshot| rounds.push((policy.clone(), snapshot.clone()))).expect("a recording");
    let id = path.file_name().expect("a name").to_string_lossy().into_owned();
    mutant::reached();
    let start = Instant::now();
    let report = play(&rounds);
    let (took, reached) = (start.elapsed(), mutant::reached().into_iter().collect());
    let faults = judge(&expected, &report);
    assert!(faults.is_empty(), "{id}: {faults:?}");
    Case { id, rounds, expected, is_whole, report, reached, took }
}

/// The last report.
fn play(rounds: &[(Policy, Snapshot)]) -> Value {
    let mut engine = Engine::new(rounds[0].0.clone());
    let reports = rounds.iter().map(|(_, snapshot)| engine.round(snapshot)).collect::<Vec<_>>();
    serde_json::to_value(reports.last()).expect("JSON")
}

fn answer<'a>(number: u32, cases: impl Iterator<Item = &'a Case>) -> String {
    let mut best = "unreached".to_owned();
    mutant::set(number);
    for case in cases {
        let Ok(report) = catch_unwind(AssertUnwindSafe(|| play(&case.rounds))) else {
            best = format!("killed {} (panic)", case.id);
            break;
        };
        let differs = report != case.report;
        if differs && (case.is_whole || !judge(&case.expected, &report).is_empty()) {
            best = format!("killed {}", case.id);
            break;
        }
        if differs && !best.starts_with("reported") {
            best = format!("reported {}", case.id);
        } else if best == "unreached" {
            best = "survived".to_owned();
        }
    }
    mutant::set(0);
    best
}
