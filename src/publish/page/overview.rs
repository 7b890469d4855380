//! The first page: how things stand, and the findings, the most urgent first.

use askama::Template;

use crate::publish::page::filter::{Choices, Filter};
use crate::publish::page::frame::{Frame, Scene};
use crate::publish::page::list::{Paging, Row};
use crate::publish::page::state::ViewRow;
use crate::report::Report;

/// The page.
#[derive(Debug, Template)]
#[template(path = "overview.html")]
pub(super) struct Overview<'a> {
    frame: Frame,
    counts: Vec<Count>,
    views: Vec<ViewRow>,
    filter: &'a Filter,
    choices: Choices,
    rows: Vec<Row>,
    paging: Paging,
}

/// Before the first round.
#[derive(Debug, Template)]
#[template(path = "starting.html")]
pub(super) struct Starting {
    pub(super) frame: Frame,
}

#[derive(Debug)]
struct Count {
    label: &'static str,
    number: usize,
    href: &'static str,
}

/// Renders the page.
pub(super) fn render(scene: Scene<'_>, filter: &Filter) -> askama::Result<String> {
    let report = scene.report();
    let found = filter.select(report);
    let paging = Paging::new(found.len(), &filter.page, |page| filter.url(page));
    let rows = paging.of(&found).iter().map(|finding| Row::new(report, finding)).collect();
    Overview {
        frame: scene.frame(title(report), "/"),
        counts: counts(report),
        views: ViewRow::all(report),
        choices: filter.choices(report),
        filter,
        rows,
        paging,
    }
    .render()
}

fn title(report: &Report) -> String {
    match report.summary.open {
        0 => String::from("dns-drift: no open finding"),
        open => format!("dns-drift: {open} open"),
    }
}

fn counts(report: &Report) -> Vec<Count> {
    let summary = &report.summary;
    let count = |label, number, href| Count { label, number, href };
    vec![
        count("open", summary.open, "/?state=open"),
        count("pending", summary.pending, "/?state=pending"),
        count("in sync", summary.in_sync, ""),
        count("unknown", summary.unknown, ""),
        count("names", summary.names, "/hosts"),
    ]
}
