//! The report as text for a terminal.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, Width};

use crate::finding::{Severity, State};
use crate::model::text::printable;
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

/// Narrower than this, eight columns break every word: what belongs together shares a column.
const ROOMY: u16 = 130;

/// Columns of a terminal that does not say.
const PLAIN: u16 = 80;

/// Where there is no terminal, lines are for `grep`: a finding begins on a line of its own with all its
/// words on it. Only sentences and commands go on below, at this width.
const SENTENCE: u16 = 60;

/// Fewer columns leave a letter a line; wrapping by the terminal is better than that.
const NARROWEST: u16 = 40;

/// The whole report: a table of findings, the counts, the views and what could not be read.
#[must_use]
pub fn report(report: &Report, against: Option<&Against>, style: Style) -> String {
    let mut out = String::new();
    let shown: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.state != State::Resolved).collect();
    if !shown.is_empty() {
        line(&mut out, &findings(report, &shown, style));
    }
    line(&mut out, &summary(report));
    if let Some(against) = against {
        line(&mut out, &words::against(against));
    }
    line(&mut out, &views(report));
    out
}

fn findings(report: &Report, shown: &[&Finding], style: Style) -> String {
    let mut table = empty(style);
    let width = table.width().filter(|_| !style.wide);
    let is_narrow = width.is_some_and(|width| width < ROOMY);
    if is_narrow {
        table.set_header(["severity", "subject", "summary"]);
    } else {
        table.set_header(["severity", "state", "subject", "kind", "impact", "since", "object", "summary"]);
    }
    let apart = if style.wide { " " } else { "\n" };
    for finding in shown {
        let since = words::span(report.at.duration_since(finding.first_seen).as_secs());
        let object = finding.object.as_ref().map(ToString::to_string).unwrap_or_default();
        let object = printable(&object);
        let mut summary = printable(&finding.summary);
        if let Some(command) = finding.fix.commands.first() {
            summary = format!("{summary}{apart}$ {}", printable(command));
        }
        let Finding { kind, reason, severity, state, impact, subject, .. } = finding;
        if is_narrow {
            table.add_row([
                coloured(Cell::new(format!("{severity}\n{state}\n{since}")), *severity, style),
                Cell::new(format!("{subject}\n{kind}\n{reason}\n{object}").trim_end()),
                Cell::new(format!("{summary}\nimpact: {impact}")),
            ]);
        } else {
            table.add_row([
                coloured(Cell::new(severity), *severity, style),
                Cell::new(state),
                Cell::new(subject),
                Cell::new(format!("{kind}{apart}{reason}")),
                Cell::new(impact),
                Cell::new(since),
                Cell::new(object),
                Cell::new(summary),
            ]);
        }
    }
    let is_free = width.is_none() && !style.wide;
    if let Some(sentences) = table.column_mut(7).filter(|_| is_free) {
        sentences.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(SENTENCE)));
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
