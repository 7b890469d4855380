//! The report as SARIF 2.1.0, for code scanning pages and security dashboards.
//!
//! Written as JSON here rather than through a crate of generated types: we fill a small corner of
//! the format, and the published schema checks it in the tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::finding::{Kind, Severity, State};
use crate::model::text::printable;
use crate::report::baseline::Against;
use crate::report::{Finding, Report};

/// The published schema.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The report. Resolved findings are left out; whatever is not open is there with a level of `none` or
/// a suppression, so that a page counts only what is open.
#[must_use]
pub fn report(report: &Report, against: Option<&Against>) -> Json {
    let shown: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.state != State::Resolved).collect();
    let rules: BTreeMap<Kind, &Finding> =
        shown.iter().rev().map(|finding| (finding.kind, *finding)).collect();
    let index = |kind: Kind| rules.keys().position(|known| *known == kind);
    let results: Vec<Json> =
        shown.iter().map(|finding| result(finding, index(finding.kind), against.is_some())).collect();
    let rules: Vec<Json> = rules.values().map(|finding| rule(finding)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "dns-drift",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [{
                "executionSuccessful": !report.is_blind(),
                "endTimeUtc": report.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "toolExecutionNotifications": notifications(report),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(finding: &Finding) -> Json {
    let kind = finding.kind.as_str();
    let mut rule = json!({
        "id": kind,
        "shortDescription": {"text": kind.replace('_', " ")},
    });
    // A page makes a link of it.
    if finding.runbook.starts_with("https://") || finding.runbook.starts_with("http://") {
        let address = encoded(&finding.runbook, b"-._~:/?#[]@!$&'()*+,;=%");
        if let Some(members) = rule.as_object_mut() {
            members.insert(String::from("helpUri"), Json::String(address));
        }
    }
    rule
}

fn result(finding: &Finding, rule: Option<usize>, is_new: bool) -> Json {
    let subject = finding.subject.to_string();
    let object = finding.object.as_ref().map(ToString::to_string);
    let (kind, level) = match finding.state {
        State::Open | State::Muted => ("fail", level(finding.severity)),
        State::Pending | State::Stale => ("review", "none"),
        State::Explained | State::Resolved => ("informational", "none"),
    };
    // Code scanning takes no result without a file; the object is the nearest thing to one.
    let place = object.clone().unwrap_or_else(|| subject.clone());
    let mut result = json!({
        "ruleId": finding.kind.as_str(),
        "kind": kind,
        "level": level,
        "message": {"text": message(finding)},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": encoded(&place, b"-._~/")},
                "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": printable(&subject), "kind": "resource"}],
        }],
        "partialFingerprints": {"dnsDriftId/v1": finding.id},
        "properties": {
            "state": finding.state.as_str(),
            "severity": finding.severity.as_str(),
            "impact": finding.impact.as_str(),
            "reason": finding.reason.as_str(),
            "firstSeen": finding.first_seen.to_string(),
            "zone": finding.zone.as_ref().map(|zone| zone.id.to_string()),
            "instance": finding.instance.as_deref().map(printable),
            "object": object.as_deref().map(printable),
        },
    });
    let Some(members) = result.as_object_mut() else { return result };
    members.extend(rule.map(|index| (String::from("ruleIndex"), json!(index))));
    members.extend(is_new.then(|| (String::from("baselineState"), json!("new"))));
    if finding.state == State::Muted {
        let why = finding.mute.as_ref().map(|mute| printable(&mute.to_string())).unwrap_or_default();
        let suppressions = json!([{"kind": "external", "status": "accepted", "justification": why}]);
        members.insert(String::from("suppressions"), suppressions);
    }
    result
}

/// Plain text: what starts like a link or a placeholder of the format is escaped.
fn message(finding: &Finding) -> String {
    let mut text = printable(&finding.summary);
    if !finding.fix.summary.is_empty() {
        // Writing to a text cannot fail.
        let _written = write!(text, " Fix: {}", printable(&finding.fix.summary));
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '[' | ']' | '\\' => escaped.extend(['\\', character]),
            '{' | '}' => escaped.extend([character, character]),
            plain => escaped.push(plain),
        }
    }
    escaped
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn notifications(report: &Report) -> Vec<Json> {
    let mut all = Vec::new();
    for (view, read) in &report.views {
        for problem in &read.problems {
            let (scope, message) = (printable(&problem.scope), printable(&problem.message));
            let text = format!("could not read {} {scope}: {}: {message}", view.as_str(), problem.code);
            all.push(json!({"level": "warning", "message": {"text": text}}));
        }
    }
    all
}

/// Percent-encodes all but letters, digits and the bytes named.
fn encoded(text: &str, plain: &[u8]) -> String {
    let mut uri = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _written = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
