//! The report as `JUnit` XML, for the test pages of CI systems.
//!
//! A finding is a test case: failed when it decides the exit code, skipped while it does not, passed
//! once it is resolved. A view that must be read and was not is an error.
//!
//! Our own types: the known crates bring a second time library, and there is little to model.

use jiff::Timestamp;
use quick_xml::se::Serializer;
use serde::Serialize;

use crate::finding::{Kind, Severity, State};
use crate::model::text::printable;
use crate::publish::words;
use crate::report::{Finding, Report};

#[derive(Serialize)]
#[serde(rename = "testsuites")]
struct Suites {
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@tests")]
    tests: usize,
    #[serde(rename = "@failures")]
    failures: usize,
    #[serde(rename = "@errors")]
    errors: usize,
    #[serde(rename = "testsuite")]
    parts: Vec<Suite>,
}

#[derive(Serialize)]
struct Suite {
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@timestamp")]
    timestamp: String,
    #[serde(rename = "@time")]
    time: u8,
    #[serde(rename = "@tests")]
    tests: usize,
    #[serde(rename = "@failures")]
    failures: usize,
    #[serde(rename = "@errors")]
    errors: usize,
    #[serde(rename = "@skipped")]
    skipped: usize,
    properties: Properties,
    #[serde(rename = "testcase")]
    cases: Vec<Case>,
}

#[derive(Serialize)]
struct Properties {
    property: [Property; 5],
}

#[derive(Serialize)]
struct Property {
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@value")]
    value: String,
}

#[derive(Serialize)]
struct Case {
    #[serde(rename = "@name")]
    name: String,
    #[serde(rename = "@classname")]
    class: &'static str,
    #[serde(rename = "@time")]
    time: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Told>,
}

#[derive(Serialize)]
struct Told {
    #[serde(rename = "@message")]
    message: String,
    #[serde(rename = "@type", skip_serializing_if = "Option::is_none")]
    word: Option<&'static str>,
    #[serde(rename = "$text", skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// The report; an open finding from `fail_on` on is a failure.
///
/// # Errors
///
/// When it has no XML form, which would be a mistake of ours.
pub fn report(report: &Report, fail_on: Severity) -> Result<String, quick_xml::SeError> {
    let findings = report.findings.iter().map(|finding| of_finding(report, finding, fail_on)).collect();
    let suites = vec![suite(report, "views", of_views(report)), suite(report, "findings", findings)];
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum();
    let all = Suites {
        name: "dns-drift",
        tests: sum(|suite| suite.tests),
        failures: sum(|suite| suite.failures),
        errors: sum(|suite| suite.errors),
        parts: suites,
    };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut serializer = Serializer::new(&mut out);
    serializer.indent(' ', 2);
    all.serialize(serializer)?;
    out.push('\n');
    Ok(out)
}

fn suite(report: &Report, name: &'static str, cases: Vec<Case>) -> Suite {
    let summary = &report.summary;
    let counts = [
        ("names", summary.names),
        ("in_sync", summary.in_sync),
        ("unknown", summary.unknown),
        ("open", summary.open),
        ("pending", summary.pending),
    ];
    let property = counts.map(|(name, count)| Property { name, value: count.to_string() });
    let count = |is: fn(&Case) -> bool| cases.iter().filter(|case| is(case)).count();
    Suite {
        name,
        timestamp: without_zone(report.at),
        time: 0,
        tests: cases.len(),
        failures: count(|case| case.failure.is_some()),
        errors: count(|case| case.error.is_some()),
        skipped: count(|case| case.skipped.is_some()),
        properties: Properties { property },
        cases,
    }
}

/// The schema allows neither fractions nor a zone; UTC is meant.
fn without_zone(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn of_views(report: &Report) -> Vec<Case> {
    let mut cases = Vec::new();
    for (view, read) in &report.views {
        let problems = read.problems.iter().map(|problem| {
            text(&format!("{}: {}: {}", printable(&problem.scope), problem.code, printable(&problem.message)))
        });
        let lines: Vec<String> = problems.collect();
        let told = Told {
            message: format!("the view {} is {}", view.as_str(), words::view_state(read.state)),
            word: None,
            text: (!lines.is_empty()).then(|| lines.join("\n")),
        };
        let mut case = Case::new(view.as_str().to_owned(), "view");
        if Report::is_vital(*view) && report.lacks(*view) {
            case.error = Some(Told { word: Some(Kind::ObserverBlind.as_str()), ..told });
        } else if report.lacks(*view) || !read.problems.is_empty() {
            case.skipped = Some(told);
        }
        cases.push(case);
    }
    cases
}

fn of_finding(report: &Report, finding: &Finding, fail_on: Severity) -> Case {
    let zone = finding.zone.as_ref().map(|zone| format!(" in {}", zone.id)).unwrap_or_default();
    let mut case = Case::new(text(&format!("{}{zone}", finding.subject)), finding.kind.as_str());
    let message = text(&printable(&finding.summary));
    match finding.state {
        State::Resolved => {}
        State::Open if fail_on <= finding.severity => {
            let body = Some(body(report, finding));
            case.failure = Some(Told { message, word: Some(finding.reason.as_str()), text: body });
        }
        state @ (State::Open | State::Pending | State::Muted | State::Explained | State::Stale) => {
            let message = format!("{state}, {}: {message}", finding.severity);
            case.skipped = Some(Told { message, word: None, text: None });
        }
    }
    case
}

/// What a person needs who sees nothing but the failed test.
fn body(report: &Report, finding: &Finding) -> String {
    let since = words::span(report.at.duration_since(finding.first_seen).as_secs());
    let mut lines = vec![
        format!("{}, impact {}, since {} ({since})", finding.severity, finding.impact, finding.first_seen),
        format!("reason: {}", finding.reason),
    ];
    lines.extend(finding.cause.as_ref().map(|cause| format!("cause: {cause}")));
    lines.extend(finding.object.as_ref().map(|object| format!("object: {object}")));
    lines.push(format!("fix: {}", finding.fix.summary));
    lines.extend(
        finding.fix.commands.iter().flat_map(|command| command.lines().map(|line| format!("$ {line}"))),
    );
    lines.extend(finding.evidence.iter().map(|line| format!("| {line}")));
    lines.push(format!("runbook: {}", finding.runbook));
    let lines: Vec<String> = lines.iter().map(|line| text(&printable(line))).collect();
    lines.join("\n")
}

impl Case {
    fn new(name: String, class: &'static str) -> Self {
        Self { name, class, time: 0, skipped: None, failure: None, error: None }
    }
}

/// Without the two characters that XML 1.0 cannot hold and that are no control characters; those
/// are gone already.
fn text(printable: &str) -> String {
    printable.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
