//! One name: four views, findings, history, mend, and why something about it is quiet.

use askama::Template;

use crate::finding::State;
use crate::limits::{MAX_PAGE_CARDS, MAX_PAGE_ROWS};
use crate::model::DomainName;
use crate::publish::explain::{candidates, is_about, outer};
use crate::publish::page::card::{Card, StepRow, steps};
use crate::publish::page::frame::Frame;
use crate::publish::page::list::{Row, zone_href};
use crate::publish::page::state::ViewRow;
use crate::publish::page::time::When;
use crate::report::{Finding, Report};

#[derive(Debug, Template)]
#[template(path = "host.html")]
struct Host<'a> {
    frame: Frame,
    name: &'a str,
    zones: Vec<ZoneLine>,
    verdict: &'static str,
    cards: Vec<Card<'a>>,
    left_out: usize,
    history: Vec<StepRow>,
    silent: Vec<Quiet>,
    silent_left_out: usize,
    outer: Vec<Row>,
    blind: Vec<ViewRow>,
}

#[derive(Debug)]
struct ZoneLine {
    text: String,
    href: String,
    read_at: Option<When>,
}

#[derive(Debug)]
struct Quiet {
    subject: String,
    reason: &'static str,
    detail: String,
}

/// Renders the page. A name that nobody knows has one too: the question was a good one.
pub(super) fn render(report: &Report, name: &DomainName) -> askama::Result<String> {
    let own: Vec<&Finding> =
        report.findings.iter().filter(|finding| is_about(&finding.subject, name)).collect();
    let silent = || report.silent.iter().filter(|silent| is_about(&silent.subject, name));
    let quiet = silent().take(MAX_PAGE_ROWS).map(|silent| Quiet {
        subject: silent.subject.to_string(),
        reason: silent.reason.as_str(),
        detail: silent.detail.clone(),
    });
    let shown = || own.iter().take(MAX_PAGE_CARDS);
    let mut history: Vec<StepRow> = shown().flat_map(|finding| steps(report, finding)).collect();
    history.sort_by(|left, right| right.at.machine.cmp(&left.at.machine));
    Host {
        frame: Frame::new(report, format!("{name} - dns-drift"), ""),
        name: name.as_str(),
        zones: zones(report, name),
        verdict: verdict(&own),
        cards: shown().map(|finding| Card::new(report, finding)).collect(),
        left_out: own.len().saturating_sub(MAX_PAGE_CARDS),
        history,
        silent: quiet.collect(),
        silent_left_out: silent().count().saturating_sub(MAX_PAGE_ROWS),
        outer: outer(report, name, &own).into_iter().map(|finding| Row::new(report, finding)).collect(),
        blind: ViewRow::all(report)
            .into_iter()
            .filter(|view| matches!(view.state, "stale" | "unread"))
            .collect(),
    }
    .render()
}

fn verdict(own: &[&Finding]) -> &'static str {
    let any = |state: State| own.iter().any(|finding| finding.state == state);
    if own.is_empty() {
        "No finding. Either all views agree, or no instance wants the name."
    } else if any(State::Open) {
        "Something is wrong with this name."
    } else if any(State::Stale) {
        "Something was wrong, and a view is blind: what is below may be over."
    } else if any(State::Explained) {
        "Another finding explains what is wrong here."
    } else if any(State::Pending) {
        "Something differs; it may still settle by itself."
    } else if any(State::Muted) {
        "Something is wrong, and somebody asked to be quiet about it."
    } else {
        "Healed: what was wrong is over."
    }
}

fn zones(report: &Report, name: &DomainName) -> Vec<ZoneLine> {
    let line = |zone: &crate::report::ZoneReport| ZoneLine {
        text: format!(
            "{} ({}, {})",
            zone.zone.name,
            if zone.zone.private { "private" } else { "public" },
            zone.zone.id
        ),
        href: zone_href(zone.zone.id.as_str()),
        read_at: zone.read_at.map(|at| When::new(at, report.at)),
    };
    candidates(report, name).into_iter().map(line).collect()
}
