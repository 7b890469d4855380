//! One name: four views, findings, history, mend, and why something about it is quiet.

use askama::Template;

use crate::board::host::{self as board, host};
use crate::board::hosts::HostState;
use crate::finding::State;
use crate::limits::{MAX_PAGE_CARDS, MAX_PAGE_ROWS};
use crate::model::DomainName;
use crate::model::text::printable;
use crate::publish::page::card::{Card, Side, StepRow, members, steps};
use crate::publish::page::frame::{Frame, Scene};
use crate::publish::page::list::{Row, zone_href};
use crate::publish::page::state::ViewRow;
use crate::publish::page::time::When;
use crate::report::{Finding, Report};

/// Objects behind one wish that are named.
const MAX_OBJECTS: usize = 10;

#[derive(Debug, Template)]
#[template(path = "host.html")]
struct Host<'a> {
    frame: Frame,
    name: &'a str,
    zones: Vec<ZoneLine>,
    verdict: &'static str,
    /// The four views of a name about which nothing is said; none where a card has them, or where no
    /// view has ever heard of it.
    sides: Vec<Side>,
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
pub(super) fn render(scene: Scene<'_>, name: &DomainName) -> askama::Result<String> {
    let (board, report) = (scene.board, scene.report());
    let own: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.subject.is_about(name)).collect();
    let silent = || report.silent.iter().filter(|silent| silent.subject.is_about(name));
    let quiet = silent().take(MAX_PAGE_ROWS).map(|silent| Quiet {
        subject: silent.subject.to_string(),
        reason: silent.reason.as_str(),
        detail: silent.detail.clone(),
    });
    let shown = || own.iter().take(MAX_PAGE_CARDS);
    let mut history: Vec<StepRow> = shown().flat_map(|finding| steps(report, finding)).collect();
    history.sort_by(|left, right| right.at.machine.cmp(&left.at.machine));
    let known = host(board, name);
    Host {
        frame: scene.frame(format!("{name} - dns-drift"), "/hosts"),
        name: name.as_str(),
        zones: zones(report, name),
        verdict: verdict(&own, known.as_ref()),
        sides: known.as_ref().filter(|_| own.is_empty()).map(of_host).unwrap_or_default(),
        cards: shown().map(|finding| Card::new(report, finding)).collect(),
        left_out: own.len().saturating_sub(MAX_PAGE_CARDS),
        history,
        silent: quiet.collect(),
        silent_left_out: silent().count().saturating_sub(MAX_PAGE_ROWS),
        outer: report.bearing_on(name, &own).into_iter().map(|finding| Row::new(report, finding)).collect(),
        blind: ViewRow::all(report)
            .into_iter()
            .filter(|view| matches!(view.state, "stale" | "unread"))
            .collect(),
    }
    .render()
}

fn verdict(own: &[&Finding], known: Option<&board::Host<'_>>) -> &'static str {
    let any = |state: State| own.iter().any(|finding| finding.state == state);
    if own.is_empty() {
        well(known.map(|host| host.state))
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

const fn well(state: Option<HostState>) -> &'static str {
    match state {
        None => "No view has ever heard of this name.",
        Some(HostState::InSync) => "Nothing is wrong: what is wanted is recorded and answered.",
        Some(HostState::Unknown) => "It is wanted, and could not be judged: a view is missing.",
        Some(HostState::Silent) => "It is left alone, by a rule.",
        Some(HostState::Unwanted) => "It stands in a zone, and no instance wants it.",
        Some(
            HostState::Open | HostState::Stale | HostState::Pending | HostState::Muted | HostState::Explained,
        ) => "No finding.",
    }
}

/// The four views of a name, as the cards of findings show them.
fn of_host(host: &board::Host<'_>) -> Vec<Side> {
    let wanted = host.wanted.iter().flat_map(|want| {
        let by: Vec<String> = want.objects.iter().take(MAX_OBJECTS).map(ToString::to_string).collect();
        [members(&want.record), vec![(String::from("by"), by)]].concat()
    });
    let recorded = host.recorded.iter().flat_map(|row| {
        let named = members(&row.records).into_iter();
        named.map(|(word, lines)| (format!("{word} in {}", row.zone.name), lines))
    });
    let live = host.live.iter().take(MAX_PAGE_ROWS).map(|seen| {
        let data = seen
            .answers
            .iter()
            .map(|one| printable(&format!("{} {} {}", one.record_type, one.ttl, one.data)));
        let said: Vec<String> = std::iter::once(seen.outcome.as_str().to_owned()).chain(data).collect();
        (printable(&format!("{} to {}", seen.server, seen.record_type)), said)
    });
    let changes = host.changes.iter().map(|change| {
        let reason = change.reason.map(|reason| reason.to_string()).unwrap_or_default();
        (format!("{} {reason}", change.outcome), vec![change.at.to_string(), printable(&change.message)])
    });
    let side = |title, hint, rows, nothing| Side { title, hint, rows, nothing };
    vec![
        side("Wanted", "what the objects ask for", wanted.collect(), "nothing is wanted"),
        side("Recorded", "what Route 53 holds", recorded.collect(), "no such record"),
        side("Live", "what DNS answers", live.collect(), "not asked"),
        side("Changes", "what was tried", changes.collect(), "no change is known"),
    ]
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
    report.zones_for(name).into_iter().map(line).collect()
}
