//! The forms of a verdict: valid for those who read them, and harmless whatever outsiders wrote.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/report.rs"]
#[allow(dead_code, reason = "the costs are for the exposition")]
mod fixture;

use std::process::Command;

use dns_drift::finding::{Reason, Severity, State};
use dns_drift::model::text;
use dns_drift::publish::table::Style;
use dns_drift::publish::{document, junit, markdown, sarif, table};
use dns_drift::report::baseline::{Against, Baseline};
use dns_drift::report::{Mute, Report};
use serde_json::{Value, json};

/// The fixture with a muted finding besides.
fn report() -> Report {
    let mut report = fixture::report();
    let mut muted = fixture::finding("0000000000000009", fixture::record("quiet.example.com"));
    muted.state = State::Muted;
    muted.mute = Some(Mute { by: fixture::HOSTILE.to_owned(), reason: None, until: None });
    report.findings.push(muted);
    report
}

/// What the published schema has against the text.
fn validate(form: &str, text: &str) -> String {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("verdict");
    std::fs::write(&path, text).expect("written");
    #[expect(clippy::disallowed_methods, reason = "the place of the peer is no configuration of the program")]
    let python = std::env::var("DNS_DRIFT_TEST_FORMATS").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/validate.py");
    let output = Command::new(&python)
        .args([script, form])
        .arg(&path)
        .output()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "./test installs validators and schemas and names their Python in DNS_DRIFT_TEST_FORMATS: {errors}"
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn junit_is_valid_and_agrees_with_the_exit_code() {
    let text = junit::report(&report(), Severity::Critical).expect("XML");
    assert_eq!(validate("junit", &text), "");
    insta::assert_snapshot!("junit", text);
    for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
        let text = junit::report(&report(), severity).expect("XML");
        let failures = report().open_from(severity).count();
        // Route 53 is stale: without it there is no verdict.
        let counts = format!("tests=\"13\" failures=\"{failures}\" errors=\"1\"");
        assert!(text.contains(&counts), "{counts} in {text}");
    }
}

#[test]
fn no_character_breaks_the_xml() {
    let mut report = report();
    for finding in &mut report.findings {
        finding.summary = String::from("]]> &amp; <!-- \u{0}\u{8}\u{1b}\u{fffe}\u{ffff}\u{85} \u{1f600} \"'");
        finding.evidence = vec![finding.summary.clone()];
    }
    let text = junit::report(&report, Severity::Info).expect("XML");
    assert_eq!(validate("junit", &text), "");
}

#[test]
fn sarif_is_valid_and_counts_only_what_is_open() {
    let found = sarif::report(&report(), None);
    assert_eq!(validate("sarif", &found.to_string()), "");
    let mut stable = found.clone();
    stable["runs"][0]["tool"]["driver"]["semanticVersion"] = json!("VERSION");
    insta::assert_json_snapshot!("sarif", stable);
    let results = found["runs"][0]["results"].as_array().expect("results");
    let loud = |result: &&Value| result["level"] != "none" && result.get("suppressions").is_none();
    assert_eq!(results.iter().filter(loud).count(), report().summary.open);
    assert!(results.iter().all(|result| result.get("baselineState").is_none()));
    assert_eq!(found["runs"][0]["invocations"][0]["executionSuccessful"], false);
    let rules = &found["runs"][0]["tool"]["driver"]["rules"];
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let mut later = report();
    let against = baseline(&fixture::report(), |_| {}).apply(&mut later);
    let found = sarif::report(&later, Some(&against));
    assert_eq!(validate("sarif", &found.to_string()), "");
}

#[test]
fn yaml_says_what_json_says() {
    let json: Value = serde_json::from_str(&document::json(&report(), None).expect("JSON")).expect("JSON");
    let yaml = document::yaml(&report(), None).expect("YAML");
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).expect("YAML"), json);
    assert_eq!(json.get("baseline"), None);
}

#[test]
fn markdown_for_a_pull_request() {
    insta::assert_snapshot!("markdown", markdown::report(&report(), None));
    let mut well = report();
    well.findings.clear();
    well.summary.open = 0;
    let against = Against { at: well.at, known: 2, gone: 1 };
    insta::assert_snapshot!("markdown_well", markdown::report(&well, Some(&against)));
    let mut many = report();
    many.findings = vec![many.findings[0].clone(); 150];
    let text = markdown::report(&many, None);
    assert!(text.contains("\n50 more findings are not shown.\n"), "{text}");
    assert!(text.len() < 65_536, "{}", text.len());
}

/// A pipe has no width: what somebody may look for is never broken, sentences are.
#[test]
fn a_piped_table_is_for_grep() {
    let mut long = report();
    long.findings[0].summary = "nobody reads so much of one finding on one line ".repeat(20);
    long.findings[0].fix.commands = vec!["kubectl annotate ingress web x ".repeat(30)];
    let piped = |style| table::report(&long, None, style);
    let text = piped(Style::default());
    let finding = &long.findings[0];
    let line = text.lines().find(|line| line.contains(&finding.subject.to_string())).expect("a line");
    let object = finding.object.as_ref().expect("an object").to_string();
    for word in [finding.severity.as_str(), finding.state.as_str(), finding.kind.as_str(), &object] {
        assert!(line.contains(word), "{word} in {line}");
    }
    assert!(line.contains(finding.reason.as_str()) && !text.contains(finding.summary.trim()), "{text}");
    // A command alone is never broken, and nothing else stands behind four blanks.
    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let shown = long.findings.iter().filter(|one| one.explained_by.is_none() && one.state != State::Resolved);
    let all: Vec<String> = shown.flat_map(|one| &one.fix.commands).map(|line| text::escaped(line)).collect();
    assert_eq!(commands, all);
    let wide = piped(Style { wide: true, ..Style::default() });
    let line = wide.lines().find(|line| line.contains(finding.summary.trim())).expect("one line");
    let command = finding.fix.commands.first().expect("a command");
    for word in [finding.severity.as_str(), finding.kind.as_str(), finding.reason.as_str(), command] {
        assert!(line.contains(word), "{word} in {line}");
    }
    // However narrow the terminal is.
    assert_eq!(wide, piped(Style { wide: true, width: Some(40), ..Style::default() }));
}

#[test]
fn a_table_fits_its_terminal() {
    for width in [40, 60, 80, 120, 129, 130, 200] {
        let style = Style { width: Some(width), ..Style::default() };
        let text = table::report(&report(), None, style);
        // The first line of a finding has its names, and a command is whole.
        let sentences = text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("    "));
        for line in sentences.filter(|line| 1 < line.split_whitespace().count()) {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
    // Some runners of jobs have a terminal of no size.
    let none = table::report(&report(), None, Style { width: Some(0), ..Style::default() });
    assert_eq!(none, table::report(&report(), None, Style { width: Some(80), ..Style::default() }));
    insta::assert_snapshot!("table_narrow", none);
}

/// The report as a baseline, changed first.
fn baseline(report: &Report, change: impl Fn(&mut Vec<Value>)) -> Baseline {
    let mut json: Value = serde_json::to_value(report).expect("JSON");
    change(json["findings"].as_array_mut().expect("findings"));
    Baseline::parse(json.to_string().as_bytes()).expect("a report")
}

/// What is left of the fixture: states of the findings, and how it stands.
fn left(change: impl Fn(&mut Vec<Value>)) -> (Vec<State>, usize, Against) {
    let mut report = fixture::report();
    let against = baseline(&report, change).apply(&mut report);
    let states = report.findings.iter().map(|finding| finding.state).collect();
    (states, report.summary.open, against)
}

#[test]
fn what_stood_in_the_baseline_is_known() {
    let (states, open, against) = left(|_| {});
    // Neither what was pending nor what another finding explained had been judged.
    assert_eq!(states, [State::Pending, State::Explained, State::Resolved]);
    assert_eq!((open, against.known, against.gone), (0, 5, 0));
    // A mute or a frozen verdict does not make it new.
    for state in ["muted", "stale"] {
        assert_eq!(left(|findings| findings[0]["state"] = json!(state)).1, 0, "{state}");
    }
}

#[test]
fn everything_else_is_new() {
    assert_eq!(left(Vec::clear).1, 5);
    let new = |change: fn(&mut Value)| left(|findings| change(&mut findings[0])).1;
    for state in ["pending", "explained", "resolved", "a_word_of_tomorrow"] {
        assert_eq!(left(|findings| findings[0]["state"] = json!(state)).1, 1, "{state}");
    }
    assert_eq!(new(|finding| finding["severity"] = json!("warning")), 1, "louder than it was");
    assert_eq!(new(|finding| finding["reason"] = json!(Reason::Throttled)), 1, "refused for another reason");
    assert_eq!(new(|finding| finding["id"] = json!("ffffffffffffffff")), 1, "of another subject");
    let (_, _, against) = left(|findings| findings[0]["id"] = json!("ffffffffffffffff"));
    assert_eq!((against.known, against.gone), (4, 1));
}

#[test]
fn what_is_no_baseline() {
    let message = |text: &str| Baseline::parse(text.as_bytes()).expect_err("no baseline").to_string();
    assert!(message("").starts_with("not a report"), "{}", message(""));
    assert!(message("{}").starts_with("not a report"));
    let other = r#"{"format": "dns-drift-changes/1\u001b", "at": "2026-11-23T10:00:00Z", "findings": []}"#;
    assert!(message(other).starts_with("the format is \"dns-drift-changes/1"), "{}", message(other));
    assert!(!message(other).contains('\u{1b}'));
}
