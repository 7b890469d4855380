//! The report as text for a terminal.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, Color, ContentArrangement, Table};

use crate::finding::{Kind, Severity, State};
use crate::model::text::{escaped, printable};
use crate::publish::words;
use crate::report::baseline::Against;
use crate::report::{Finding, Report};
use crate::snapshot::ViewState;

/// How to write for the reader at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Columns to fit into; `None` asks the terminal, and wraps nothing but what is long where there
    /// is none.
    pub width: Option<u16>,
    /// Every column, and one line for each finding, however wide the terminal is.
    pub wide: bool,
    /// Whether severities are coloured.
    pub colour: bool,
}

/// Columns of a terminal that does not say.
const PLAIN: u16 = 80;

/// A sentence is no longer than this in one line, however wide the terminal is; where there is none, too.
const SENTENCE: u16 = 100;

/// Fewer columns leave a letter a line; wrapping by the terminal is better than that.
const NARROWEST: u16 = 40;

/// The whole report: the findings, the counts, the views and what could not be read.
#[must_use]
pub fn report(report: &Report, against: Option<&Against>, style: Style) -> String {
    let mut out = String::new();
    let shown: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.state != State::Resolved).collect();
    if style.wide && !shown.is_empty() {
        line(&mut out, &wide(report, &shown, style));
    } else {
        let width = sentence_width(style);
        for finding in shown {
            block(&mut out, report, finding, width, style);
            out.push('\n');
        }
    }
    line(&mut out, &summary(report));
    if let Some(against) = against {
        line(&mut out, &words::against(against));
    }
    line(&mut out, &views(report));
    out
}

/// One finding: a line with all its words, for the eye and for `grep`, then what is wrong and what to do. Commands
/// stand alone in their lines and are never broken, so that they can be copied, and cut out by their four blanks.
fn block(out: &mut String, report: &Report, finding: &Finding, width: Option<usize>, style: Style) {
    let since = words::span(report.at.duration_since(finding.first_seen).as_secs());
    let Finding { kind, reason, severity, state, impact, subject, .. } = finding;
    let reason = if reason.as_str() == "none" { String::new() } else { format!(" ({reason})") };
    let object = finding.object.as_ref().map(|object| printable(&object.to_string()));
    let rest = [Some(format!("{state} for {since}")), Some(format!("impact {impact}")), object];
    let rest = rest.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let head = format!("{subject}  {kind}{reason}");
    let severity = coloured_text(*severity, style);
    match width {
        Some(width) => {
            line(out, &format!("{severity}  {head}"));
            sentence(out, &rest, width);
        }
        None => line(out, &format!("{severity}  {head}  {rest}")),
    }
    let width = width.unwrap_or(usize::from(SENTENCE));
    sentence(out, &printable(&finding.summary), width);
    let by = finding.explained_by.as_ref().and_then(|id| report.findings.iter().find(|one| one.id == *id));
    if let Some(by) = by {
        // What to do stands there.
        sentence(out, &format!("Explained by {}.", by.subject), width);
        return;
    }
    if let Some(message) = finding.evidence.first().filter(|_| tells_by_message(*kind)) {
        sentence(out, &printable(message), width);
    }
    if !finding.fix.summary.is_empty() {
        sentence(out, &format!("Fix: {}", printable(&finding.fix.summary)), width);
    }
    commands(out, &finding.fix.commands);
}

/// Kinds that somebody else's message is about, which names what is to be mended.
fn tells_by_message(kind: Kind) -> bool {
    matches!(kind, Kind::FailedChange | Kind::ControllerFailing | Kind::ObserverBlind)
}

/// Commands, each in a line of its own. One that is cut is none.
pub(crate) fn commands(out: &mut String, commands: &[String]) {
    for command in commands {
        line(out, &format!("    {}", escaped(command)));
    }
}

/// Words that are filled into lines; a word that is longer than a line stays whole.
fn sentence(out: &mut String, text: &str, width: usize) {
    let mut filled = String::new();
    for word in text.split_whitespace() {
        let length = filled.chars().count().saturating_add(1).saturating_add(word.chars().count());
        if !filled.is_empty() && width < length {
            line(out, &filled);
            filled.clear();
        }
        filled.push_str(if filled.is_empty() { "  " } else { " " });
        filled.push_str(word);
    }
    if !filled.is_empty() {
        line(out, &filled);
    }
}

/// Columns that the sentences may take; `None` where there is no terminal.
fn sentence_width(style: Style) -> Option<usize> {
    let width = empty(style).width()?;
    Some(usize::from(width.min(SENTENCE)))
}

fn coloured_text(severity: Severity, style: Style) -> String {
    if !style.colour {
        return severity.to_string();
    }
    let code = match severity {
        Severity::Critical => 31,
        Severity::Warning => 33,
        Severity::Info => 34,
    };
    format!("\u{1b}[{code}m{severity}\u{1b}[0m")
}

fn wide(report: &Report, shown: &[&Finding], style: Style) -> String {
    let mut table = empty(style);
    table.set_header(["severity", "state", "subject", "kind", "impact", "since", "object", "summary"]);
    for finding in shown {
        let since = words::span(report.at.duration_since(finding.first_seen).as_secs());
        let object = finding.object.as_ref().map(ToString::to_string).unwrap_or_default();
        let object = printable(&object);
        let mut summary = printable(&finding.summary);
        if !finding.fix.summary.is_empty() {
            summary = format!("{summary} Fix: {}", printable(&finding.fix.summary));
        }
        for command in &finding.fix.commands {
            summary = format!("{summary} $ {}", escaped(command));
        }
        let Finding { kind, reason, severity, state, impact, subject, .. } = finding;
        table.add_row([
            coloured(Cell::new(severity), *severity, style),
            Cell::new(state),
            Cell::new(subject),
            Cell::new(format!("{kind} {reason}")),
            Cell::new(impact),
            Cell::new(since),
            Cell::new(object),
            Cell::new(summary),
        ]);
    }
    table.to_string()
}

/// One line: how many names, how many of them agree, what is open.
fn summary(report: &Report) -> String {
    let summary = &report.summary;
    let silent: usize = summary.silent.values().sum();
    format!(
        "{} names: {} in sync, {} unknown. {} open, {} pending. {silent} kept quiet.",
        summary.names, summary.in_sync, summary.unknown, summary.open, summary.pending
    )
}

/// One line for the views and one for each thing that could not be read.
fn views(report: &Report) -> String {
    let mut problems = String::new();
    let mut states = Vec::new();
    for (name, view) in &report.views {
        let age = view
            .read_at
            .filter(|_| view.state == ViewState::Stale)
            .map(|at| format!(" ({} old)", words::span(report.at.duration_since(at).as_secs())));
        states.push(format!(
            "{} {}{}",
            name.as_str(),
            words::view_state(view.state),
            age.unwrap_or_default()
        ));
        for problem in &view.problems {
            let (scope, message) = (printable(&problem.scope), printable(&problem.message));
            line(
                &mut problems,
                &format!("could not read {} {scope}: {}: {message}", name.as_str(), problem.code),
            );
        }
    }
    format!("views: {}\n{problems}", states.join(", ")).trim_end().to_owned()
}

fn coloured(cell: Cell, severity: Severity, style: Style) -> Cell {
    if !style.colour {
        return cell;
    }
    cell.fg(match severity {
        Severity::Critical => Color::Red,
        Severity::Warning => Color::Yellow,
        Severity::Info => Color::Blue,
    })
}

/// A table in our form.
pub(crate) fn empty(style: Style) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    if style.colour {
        table.enforce_styling();
    }
    if style.wide {
        return table;
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    // A terminal without a size, as some runners of CI jobs give, says 0 columns.
    match style.width.or_else(|| table.width()) {
        None => {}
        Some(0) => drop(table.set_width(PLAIN)),
        Some(width) => drop(table.set_width(width.max(NARROWEST))),
    }
    table
}

/// Adds a text and a line end.
pub(crate) fn line(out: &mut String, text: &str) {
    // Writing to a text cannot fail.
    let _written = writeln!(out, "{text}");
}
