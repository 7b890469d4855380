//! Every scenario recording is judged by the built program exactly as its `expected.yaml` says.
//!
//! `tests/scenarios` is the shared corpus; `tests/cases` holds the project's own cases in the same
//! form, for reasons that the corpus does not show.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/advice.rs"]
mod advice;
#[path = "support/judge.rs"]
mod judge;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use self::judge::{Expected, judge};

/// Cases that are known to be judged wrongly today. One that passes must leave the list.
const NOT_YET: &[&str] = &[];

/// Far above what a case needs; only a hang is longer.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn every_scenario_is_judged_as_expected() {
    let cases = cases();
    assert!(cases.len() >= 90, "only {} scenarios found", cases.len());
    let faults = judge_all(&cases);
    let mut complaints = Vec::new();
    for (id, (title, faults)) in &faults {
        let excused = NOT_YET.contains(&id.as_str());
        match (faults.is_empty(), excused) {
            (true, true) => complaints.push(format!("{id}: passes now: remove it from the list NOT_YET")),
            (false, false) => complaints.push(format!("{id}  {title}\n     {}", faults.join("\n     "))),
            (true, false) | (false, true) => {}
        }
    }
    for id in NOT_YET {
        if !faults.contains_key(*id) {
            complaints.push(format!("{id}: stands in NOT_YET and is no scenario"));
        }
    }
    let wrong = faults.values().filter(|(_, faults)| !faults.is_empty()).count();
    assert!(
        complaints.is_empty(),
        "{} passed, {wrong} failed, {} of them expected to\n{}",
        faults.len() - wrong,
        NOT_YET.len(),
        complaints.join("\n")
    );
}

#[test]
fn the_judge_sees_each_kind_of_fault() {
    let expected: Expected = serde_saphyr::from_str(
        "open:\n- {subject: a.example.com/A, kind: missing_record, severity: critical}\n\
         allowed: [churn]\nnever: [wrong_ttl]\nsilent: [weight_zero]\n",
    )
    .expect("valid YAML");
    let check = |findings: Value, count: usize| {
        let report = serde_json::json!({"findings": findings, "silent": [{"reason": "weight_zero"}]});
        let faults = judge(&expected, &report);
        assert_eq!(faults.len(), count, "{faults:?}");
    };
    let finding = |subject: &str, kind: &str, state: &str| serde_json::json!({"subject": subject, "kind": kind, "state": state, "severity": "critical"});
    let good = finding("a.example.com/A", "missing_record", "open");
    check(serde_json::json!([good]), 0);
    check(serde_json::json!([]), 1);
    check(serde_json::json!([finding("a.example.com/A", "missing_record", "pending")]), 1);
    check(serde_json::json!([finding("a.example.com/A", "wrong_target", "open")]), 1);
    check(serde_json::json!([good, good]), 1);
    check(serde_json::json!([good, finding("b.example.com/A", "churn", "open")]), 0);
    check(serde_json::json!([good, finding("b.example.com/A", "flapping", "open")]), 1);
    check(serde_json::json!([good, finding("b.example.com/A", "wrong_ttl", "open")]), 1);
    assert_eq!(judge(&expected, &serde_json::json!({"findings": [good]})).len(), 1);
}

// === the corpus ===

fn cases() -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut cases: Vec<PathBuf> = ["scenarios", "cases"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(tests.join(folder)).expect("a folder of cases"))
        .map(|item| item.expect("folder item").path())
        .filter(|path| path.join("expected.yaml").is_file())
        .collect();
    cases.sort();
    cases
}

type Faults = BTreeMap<String, (String, Vec<String>)>;

fn judge_all(cases: &[PathBuf]) -> Faults {
    let queue = Mutex::new(cases.iter());
    let done = Mutex::new(Faults::new());
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(8);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().next() else { break };
                    let id = case.file_name().unwrap().to_string_lossy().into_owned();
                    let judged = judge_case(case);
                    done.lock().unwrap().insert(id, judged);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn judge_case(case: &Path) -> (String, Vec<String>) {
    let text = std::fs::read_to_string(case.join("expected.yaml")).expect("expected.yaml");
    let expected: Expected =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
    let faults = match run(case) {
        Ok(report) => [judge(&expected, &report), advice::unknown_words(&report)].concat(),
        Err(problem) => vec![problem],
    };
    (expected.title, faults)
}

// === the program ===

fn run(case: &Path) -> Result<Value, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dns-drift"))
        .args(["check", "--recording"])
        .arg(case)
        .args(["-o", "json", "--fail-on", "info"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run: {error}"))?;
    let stdout = drain(child.stdout.take().expect("piped"));
    let stderr = drain(child.stderr.take().expect("piped"));
    // Both streams end when the program does.
    let Ok(output) = stdout.recv_timeout(PATIENCE) else {
        drop(child.kill());
        drop(child.wait());
        return Err(format!("no answer within {} s", PATIENCE.as_secs()));
    };
    let messages = stderr.recv_timeout(PATIENCE).unwrap_or_default();
    let status = child.wait().map_err(|error| format!("cannot wait: {error}"))?;
    if !matches!(status.code(), Some(0 | 1 | 3)) {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&messages).trim()));
    }
    serde_json::from_slice(&output).map_err(|error| format!("{status}, not JSON: {error}"))
}

fn drain(mut stream: impl Read + Send + 'static) -> std::sync::mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes));
        drop(sender.send(bytes));
    });
    receiver
}
