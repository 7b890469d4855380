//! Everything that a report knows about one name, as text for a terminal.

use serde_json::Value as Json;

use crate::finding::Subject;
use crate::model::DomainName;
use crate::model::text::printable;
use crate::publish::table::{Style, commands, empty, line};
use crate::publish::words;
use crate::report::{Finding, Report};

/// The views of the name side by side, the verdict, the fix, and the rules that kept something
/// about it quiet. Says so when the report has nothing about the name.
#[must_use]
pub fn name(report: &Report, name: &DomainName, style: Style) -> String {
    let mut out = String::new();
    line(&mut out, &format!("{name}\n{}", zone(report, name)));
    let own: Vec<&Finding> =
        report.findings.iter().filter(|one| one.subject.is_about(name) || is_about_host(one, name)).collect();
    for finding in &own {
        verdict(&mut out, report, finding, style);
    }
    let silents = silents(report, name);
    out.push_str(&silents);
    if own.is_empty() && silents.is_empty() {
        line(&mut out, "\nNo finding. Either all views agree, or no instance wants the name.");
    }
    for outer in report.bearing_on(name, &own) {
        line(&mut out, &format!("\nSee also {}: {}", outer.subject, printable(&outer.summary)));
    }
    out.push_str(&blind_spots(report));
    out
}

/// An object without an address has one finding for all its hosts, which its words name.
fn is_about_host(finding: &Finding, name: &DomainName) -> bool {
    let mut words = finding.summary.split([' ', ',', ';']).map(|word| word.trim_end_matches('.'));
    matches!(finding.subject, Subject::Object(_)) && words.any(|word| word == name.as_str())
}

fn zone(report: &Report, name: &DomainName) -> String {
    let zones: Vec<String> = report
        .zones_for(name)
        .iter()
        .map(|zone| {
            let kind = if zone.zone.private { "private" } else { "public" };
            let read = if zone.record_sets.is_some() { "" } else { ", not read yet" };
            format!("hosted zone {} ({}, {kind}{read})", zone.zone.name, zone.zone.id)
        })
        .collect();
    if zones.is_empty() { String::from("no hosted zone that was read takes it") } else { zones.join("\n") }
}

fn verdict(out: &mut String, report: &Report, finding: &Finding, style: Style) {
    let age = words::span(report.at.duration_since(finding.first_seen).as_secs());
    let Finding { kind, reason, severity, impact, state, .. } = finding;
    line(out, &format!("\n{}: {kind} ({reason})", finding.subject));
    line(out, &format!("{state}, {severity}, impact {impact}, since {} ({age})", finding.first_seen));
    line(out, &printable(&finding.summary));
    let mut table = empty(style);
    table.set_header(["desired", "recorded", "live"]);
    table.add_row([side(&finding.desired), side(&finding.recorded), side(&finding.live)]);
    line(out, &table.to_string());
    let optional = |text: Option<String>| text.unwrap_or_default();
    let also: Vec<String> =
        finding.also.iter().map(|also| format!("{} ({})", also.kind, also.reason)).collect();
    for (title, text) in [
        ("cause", optional(finding.cause.as_ref().map(ToString::to_string))),
        ("also", also.join(", ")),
        ("object", optional(finding.object.as_ref().map(ToString::to_string))),
        ("instance", optional(finding.instance.as_ref().map(ToString::to_string))),
        ("pending until", optional(finding.pending_until.map(|until| until.to_string()))),
        ("muted by", optional(finding.mute.as_ref().map(ToString::to_string))),
        ("explained by", optional(finding.explained_by.clone())),
        ("fix", finding.fix.summary.clone()),
    ] {
        if !text.is_empty() {
            line(out, &format!("{title}: {}", printable(&text)));
        }
    }
    commands(out, &finding.fix.commands);
    if !finding.runbook.is_empty() {
        line(out, &format!("runbook: {}", printable(&finding.runbook)));
    }
    for evidence in &finding.evidence {
        line(out, &format!("  | {}", printable(evidence)));
    }
    if !finding.fix.checks.is_empty() {
        line(out, "  look for yourself:");
    }
    commands(out, &finding.fix.checks);
}

/// One view of the name: a line for each member.
fn side(value: &Json) -> String {
    match value {
        Json::Null => String::from("-"),
        Json::Object(members) if members.is_empty() => String::from("-"),
        Json::Object(members) => {
            let rows = members.iter().map(|(name, value)| format!("{}: {}", printable(name), leaf(value)));
            rows.collect::<Vec<String>>().join("\n")
        }
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => leaf(value),
    }
}

fn leaf(value: &Json) -> String {
    match value {
        Json::String(text) => printable(text),
        Json::Array(values) => values.iter().map(leaf).collect::<Vec<String>>().join(", "),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => printable(&value.to_string()),
    }
}

fn silents(report: &Report, name: &DomainName) -> String {
    let mut out = String::new();
    for silent in report.silent.iter().filter(|silent| silent.subject.is_about(name)) {
        let detail = printable(&silent.detail);
        line(&mut out, &format!("\n{}: kept quiet, {}: {detail}", silent.subject, silent.reason));
    }
    out
}

/// Views without which the verdict is incomplete.
fn blind_spots(report: &Report) -> String {
    let mut out = String::new();
    for (view, state) in report.views.iter().map(|(name, view)| (name.as_str(), view.state)) {
        if state.is_missed() {
            line(
                &mut out,
                &format!("\nThe view {view} is {}: not read is not absent.", words::view_state(state)),
            );
        }
    }
    out
}
