//! The state of the watch itself: views, costs, mutes, and what is kept quiet.

use askama::Template;

use crate::limits::MAX_PAGE_ROWS;
use crate::publish::cost::CostSnapshot;
use crate::publish::page::frame::Frame;
use crate::publish::page::time::When;
use crate::publish::words;
use crate::report::{MuteState, Report};

/// The page.
#[derive(Debug, Template)]
#[template(path = "state.html")]
struct State {
    frame: Frame,
    views: Vec<ViewRow>,
    costs: Vec<CostRow>,
    mutes: Vec<MuteRow>,
    mutes_left_out: usize,
    silent: Vec<(&'static str, usize)>,
}

/// One view.
#[derive(Debug)]
pub(super) struct ViewRow {
    pub(super) name: &'static str,
    pub(super) state: &'static str,
    pub(super) read_at: Option<When>,
    pub(super) problems: Vec<ProblemRow>,
    /// Problems beyond those.
    pub(super) more: usize,
}

/// What could not be read.
#[derive(Debug)]
pub(super) struct ProblemRow {
    pub(super) scope: String,
    pub(super) code: &'static str,
    pub(super) message: String,
}

#[derive(Debug)]
struct CostRow {
    what: String,
    detail: String,
    count: u64,
}

#[derive(Debug)]
struct MuteRow {
    by: String,
    kinds: String,
    until: Option<When>,
    reason: String,
    state: &'static str,
    problem: String,
}

/// Problems of one view that are shown.
const PROBLEMS: usize = 20;

/// Renders the page.
pub(super) fn render(report: &Report, costs: &CostSnapshot) -> askama::Result<String> {
    let mutes = report.mutes.iter().take(MAX_PAGE_ROWS).map(|mute| MuteRow {
        by: mute.by.clone(),
        kinds: if mute.kinds.is_empty() { String::from("all") } else { mute.kinds.join(", ") },
        until: mute.until.map(|until| When::new(until, report.at)),
        reason: mute.reason.clone().unwrap_or_default(),
        state: mute_state(mute.state),
        problem: mute.problem.clone().unwrap_or_default(),
    });
    State {
        frame: Frame::new(report, String::from("State of the watch - dns-drift"), "/state"),
        views: ViewRow::all(report),
        costs: cost_rows(costs),
        mutes: mutes.collect(),
        mutes_left_out: report.mutes.len().saturating_sub(MAX_PAGE_ROWS),
        silent: report.summary.silent.iter().map(|(reason, count)| (reason.as_str(), *count)).collect(),
    }
    .render()
}

const fn mute_state(state: MuteState) -> &'static str {
    match state {
        MuteState::Active => "active",
        MuteState::Ended => "ended",
        MuteState::Malformed => "malformed",
    }
}

fn cost_rows(costs: &CostSnapshot) -> Vec<CostRow> {
    let row = |what: &str, detail: String, count| CostRow { what: what.to_owned(), detail, count };
    let aws = costs
        .aws_requests
        .iter()
        .map(|one| row("Requests to AWS", format!("{}, {}", one.operation, one.outcome), one.count));
    let dns = costs
        .dns_queries
        .iter()
        .map(|one| row("Questions to DNS", format!("{}, {}", one.server, one.outcome), one.count));
    let kubernetes = costs.kubernetes_requests.iter().map(|one| {
        let detail = format!("{} {}, {}", one.verb, one.resource, one.class);
        row("Requests to Kubernetes", detail, one.count)
    });
    let live = costs.live.map(|cost| {
        let (millions, dollars) = (cost.queries / 1e6, cost.dollars);
        let detail = format!("some {millions:.1} million billed questions a month, {dollars:.2} USD");
        row("Names that are asked for", detail, u64::try_from(cost.names).unwrap_or(u64::MAX))
    });
    let logs = [
        row("Log lines read", String::new(), costs.log_lines),
        row("Log lines dropped", String::new(), costs.log_lines_dropped),
        row("Rounds", String::new(), costs.rounds),
    ];
    let rows = aws.chain(dns).chain(kubernetes).filter(|row| 0 < row.count).take(MAX_PAGE_ROWS);
    logs.into_iter().chain(live).chain(rows).collect()
}

// === impl ViewRow ===

impl ViewRow {
    /// All views of a report.
    pub(super) fn all(report: &Report) -> Vec<Self> {
        let row = |(name, view): (&crate::snapshot::ViewName, &crate::report::ViewReport)| Self {
            name: name.as_str(),
            state: words::view_state(view.state),
            read_at: view.read_at.map(|at| When::new(at, report.at)),
            problems: view
                .problems
                .iter()
                .take(PROBLEMS)
                .map(|problem| ProblemRow {
                    scope: problem.scope.clone(),
                    code: problem.code.as_str(),
                    message: problem.message.clone(),
                })
                .collect(),
            more: view.problems.len().saturating_sub(PROBLEMS),
        };
        report.views.iter().map(row).collect()
    }
}
