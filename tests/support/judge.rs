//! What `expected.yaml` asks of a report.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

const FIELDS: [&str; 5] = ["kind", "severity", "impact", "reason", "cause"];

/// The file.
#[derive(Deserialize)]
pub(crate) struct Expected {
    #[serde(default)]
    pub(crate) title: String,
    open: Option<Vec<BTreeMap<String, Option<String>>>>,
    allowed: Option<BTreeSet<String>>,
    never: Option<BTreeSet<String>>,
    silent: Option<Vec<String>>,
}

/// What of the expectation does not hold.
pub(crate) fn judge(expected: &Expected, report: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let none = Vec::new();
    let open: Vec<&Value> = report["findings"]
        .as_array()
        .unwrap_or(&none)
        .iter()
        .filter(|finding| finding["state"] == "open")
        .collect();
    let mut wanted = BTreeSet::new();
    for row in expected.open.iter().flatten() {
        let subject = row["subject"].as_deref().expect("a subject");
        wanted.insert(subject);
        judge_row(row, subject, &open, &mut faults);
    }
    for finding in &open {
        let (kind, subject) = (word(finding, "kind"), word(finding, "subject"));
        if expected.never.iter().flatten().any(|never| never == kind) {
            faults.push(format!("{subject}: {kind} must never be open here"));
        } else if !wanted.contains(subject)
            && !expected.allowed.iter().flatten().any(|allowed| allowed == kind)
        {
            faults.push(format!("{subject}: unexpected open {kind} ({})", finding["reason"]));
        }
    }
    let listed = report["silent"].as_array().unwrap_or(&none);
    for reason in expected.silent.iter().flatten() {
        if !listed.iter().any(|row| row["reason"] == reason.as_str()) {
            faults.push(format!("silent reason {reason} is not listed"));
        }
    }
    faults
}

fn judge_row(
    row: &BTreeMap<String, Option<String>>,
    subject: &str,
    open: &[&Value],
    faults: &mut Vec<String>,
) {
    let found: Vec<&&Value> = open.iter().filter(|finding| finding["subject"] == subject).collect();
    let asked: Vec<(&str, &str)> =
        FIELDS.iter().filter_map(|field| Some((*field, row.get(*field)?.as_deref()?))).collect();
    if found.is_empty() {
        faults.push(format!("{subject}: no open finding, wanted {asked:?}"));
    } else if !found.iter().any(|finding| asked.iter().all(|(field, value)| finding[field] == *value)) {
        let got: Vec<Vec<String>> = found
            .iter()
            .map(|finding| FIELDS.iter().map(|field| format!("{field}: {}", finding[field])).collect())
            .collect();
        faults.push(format!("{subject}: wanted {asked:?}, got {got:?}"));
    }
    if found.len() > 1 {
        let kinds: Vec<&str> = found.iter().map(|finding| word(finding, "kind")).collect();
        faults.push(format!("{subject}: {} open findings on one subject: {kinds:?}", found.len()));
    }
}

fn word<'a>(finding: &'a Value, field: &str) -> &'a str {
    finding[field].as_str().unwrap_or_default()
}
