//! The state of the watch itself: views, costs, mutes, and what is kept quiet.

use askama::Template;

use crate::limits::MAX_PAGE_ROWS;
use crate::publish::cost::{Allowance, CostSnapshot, LiveCost};
use crate::publish::page::frame::{Frame, Scene};
use crate::publish::page::time::When;
use crate::publish::words;
use crate::report::{MuteState, Report};

/// The page.
#[derive(Debug, Template)]
#[template(path = "state.html")]
struct State {
    frame: Frame,
    views: Vec<ViewRow>,
    allowances: Vec<AllowanceRow>,
    allowances_left_out: usize,
    /// What the DNS questions cost a month.
    bill: Option<String>,
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

/// One budget; rates in requests per second.
#[derive(Debug)]
struct AllowanceRow {
    service: &'static str,
    whom: String,
    configured: String,
    allowed: String,
    used: String,
    /// Free of what is allowed now, in percent.
    left: String,
    /// True if less is allowed than configured.
    slowed: bool,
    state: String,
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
pub(super) fn render(scene: Scene<'_>, costs: &CostSnapshot) -> askama::Result<String> {
    let report = scene.report();
    let mutes = report.mutes.iter().take(MAX_PAGE_ROWS).map(|mute| MuteRow {
        by: mute.by.clone(),
        kinds: if mute.kinds.is_empty() { String::from("all") } else { mute.kinds.join(", ") },
        until: mute.until.map(|until| When::new(until, report.at)),
        reason: mute.reason.clone().unwrap_or_default(),
        state: mute_state(mute.state),
        problem: mute.problem.clone().unwrap_or_default(),
    });
    State {
        frame: scene.frame(String::from("State of the watch - dns-drift"), "/state"),
        views: ViewRow::all(report),
        allowances: costs.allowances.iter().take(MAX_PAGE_ROWS).map(AllowanceRow::new).collect(),
        allowances_left_out: costs.allowances.len().saturating_sub(MAX_PAGE_ROWS),
        bill: costs.live.map(bill),
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

fn bill(cost: LiveCost) -> String {
    let LiveCost { names, queries, dollars } = cost;
    let millions = queries / 1e6;
    format!(
        "With the present rhythm, asking for {names} names makes some {millions:.1} million questions a month that Route 53 bills: {dollars:.2} USD."
    )
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
    let logs = [
        row("Log lines read", String::new(), costs.log_lines),
        row("Log lines dropped", String::new(), costs.log_lines_dropped),
        row("Rounds", String::new(), costs.rounds),
    ];
    let rows = aws.chain(dns).chain(kubernetes).filter(|row| 0 < row.count).take(MAX_PAGE_ROWS);
    logs.into_iter().chain(rows).collect()
}

// === impl AllowanceRow ===

impl AllowanceRow {
    fn new(allowance: &Allowance) -> Self {
        let Allowance { service, whom, configured, allowed, used, paused_seconds } = allowance;
        let slowed = allowed < configured;
        // A burst may use more than the mean that is allowed.
        let left = if *allowed <= 0.0 { 0.0 } else { (1.0 - used / allowed).clamp(0.0, 1.0) };
        let state = if 0.0 < *paused_seconds {
            format!("throttled: paused for {:.0} s more", paused_seconds.ceil())
        } else if slowed {
            String::from("slowed down, recovers by itself")
        } else {
            String::from("as configured")
        };
        Self {
            service,
            whom: whom.clone(),
            configured: rate(*configured),
            allowed: rate(*allowed),
            used: rate(*used),
            left: format!("{:.0} %", left * 100.0),
            slowed,
            state,
        }
    }
}

/// Two digits where it is slow.
fn rate(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.2}") } else { format!("{per_second:.0}") }
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
