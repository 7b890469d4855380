//! The status page: plain HTML, complete without a script.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::finding::State;
use crate::limits::MAX_PAGE_ROWS;
use crate::publish::cost::LiveCost;
use crate::publish::html::Html;
use crate::publish::words;
use crate::report::{Finding, Report};

/// The style sheet, served as a file of its own so that the page needs no inline styles.
pub(crate) const STYLE: &str = include_str!("page/style.css");

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<meta name=\"color-scheme\" content=\"light dark\">\n\
<meta http-equiv=\"refresh\" content=\"10\">\n\
<link rel=\"stylesheet\" href=\"/style.css\">\n<title>";

const LINKS: &str = "<nav aria-label=\"Pages\"><a href=\"/metrics\">metrics</a> \
<a href=\"/api/v1/report\">report (JSON)</a> <a href=\"/api/v1/findings\">findings (JSON)</a> \
<a href=\"/config\">configuration</a></nav>\n";

/// The page for the last report; `None` before the first round has ended.
pub(crate) fn render(report: Option<&Report>, cost: Option<LiveCost>) -> String {
    let mut html = Html::default();
    html.raw(HEAD).text(&title(report)).raw("</title>\n</head>\n<body>\n<header><h1>dns-drift</h1>\n");
    html.raw(LINKS).raw("</header>\n<main>\n");
    match report {
        None => {
            html.raw("<p>The first round has not ended yet. Nothing is known so far.</p>\n");
        }
        Some(report) => body(&mut html, report),
    }
    if let Some(LiveCost { names, queries, dollars }) = cost {
        let text = format!(
            "DNS questions about {names} names: some {:.1} million billed queries a month, {dollars:.2} USD.",
            queries / 1e6
        );
        html.element("<p><small>", &text, "</small></p>\n");
    }
    html.raw("</main>\n</body>\n</html>\n");
    html.finish()
}

fn title(report: Option<&Report>) -> String {
    match report {
        None => String::from("dns-drift: starting"),
        Some(report) if report.summary.open == 0 => String::from("dns-drift: no open finding"),
        Some(report) => format!("dns-drift: {} open", report.summary.open),
    }
}

fn body(html: &mut Html, report: &Report) {
    html.raw("<p>State of ");
    time(html, report.at);
    html.raw("; the page renews itself every 10 seconds.</p>\n");
    counts(html, report);
    views(html, report);
    for (state, heading) in [
        (State::Open, "<h2 id=\"open\">Open</h2>\n"),
        (State::Pending, "<h2 id=\"pending\">Pending</h2>\n"),
        (State::Stale, "<h2 id=\"stale\">Frozen, because a view is blind</h2>\n"),
        (State::Explained, "<h2 id=\"explained\">Explained by another finding</h2>\n"),
        (State::Muted, "<h2 id=\"muted\">Muted</h2>\n"),
        (State::Resolved, "<h2 id=\"resolved\">Resolved</h2>\n"),
    ] {
        section(html, report, state, heading);
    }
    silent(html, &report.summary.silent.iter().map(|(reason, count)| (reason.as_str(), *count)).collect());
}

fn counts(html: &mut Html, report: &Report) {
    let summary = &report.summary;
    html.raw("<dl class=\"counts\">\n");
    for (label, count) in [
        ("open", summary.open),
        ("pending", summary.pending),
        ("names", summary.names),
        ("in sync", summary.in_sync),
        ("unknown", summary.unknown),
    ] {
        html.element("<div><dt>", label, "</dt>").element("<dd>", &count.to_string(), "</dd></div>\n");
    }
    html.raw("</dl>\n");
}

fn views(html: &mut Html, report: &Report) {
    html.raw("<table>\n<caption>Views</caption>\n<thead><tr><th scope=\"col\">view</th>");
    html.raw("<th scope=\"col\">state</th><th scope=\"col\">last read</th>");
    html.raw("<th scope=\"col\">problems</th></tr></thead>\n<tbody>\n");
    for (name, view) in &report.views {
        let state = words::view_state(view.state);
        html.element("<tr><th scope=\"row\">", name.as_str(), "</th>");
        html.raw("<td><span class=\"mark ").text(state).element("\">", state, "</span></td><td>");
        match view.read_at {
            Some(at) => time(html, at),
            None => {
                html.raw("never");
            }
        }
        html.raw("</td><td>");
        for problem in view.problems.iter().take(10) {
            html.element("<div>", &problem.scope, ": ").text(problem.code.as_str());
            html.element(" <small>", &problem.message, "</small></div>");
        }
        more(html, view.problems.len(), 10);
        html.raw("</td></tr>\n");
    }
    html.raw("</tbody>\n</table>\n");
}

fn section(html: &mut Html, report: &Report, state: State, heading: &'static str) {
    let count = report.findings.iter().filter(|finding| finding.state == state).count();
    if count == 0 && state != State::Open {
        return;
    }
    html.raw(heading);
    if count == 0 {
        html.raw("<p>Nothing. All that could be compared agrees.</p>\n");
    }
    for finding in report.findings.iter().filter(|finding| finding.state == state).take(MAX_PAGE_ROWS) {
        card(html, report, finding);
    }
    more(html, count, MAX_PAGE_ROWS);
}

fn more(html: &mut Html, count: usize, shown: usize) {
    if shown < count {
        html.element(
            "<p>",
            &(count - shown).to_string(),
            " more in the <a href=\"/api/v1/report\">report</a>.</p>\n",
        );
    }
}

fn card(html: &mut Html, report: &Report, finding: &Finding) {
    let severity = finding.severity.as_str();
    html.raw("<article class=\"").text(severity).raw("\" id=\"f").text(&finding.id).raw("\">\n<h3>");
    html.raw("<span class=\"mark ").text(severity).element("\">", severity, "</span> ");
    html.element("<code>", &finding.subject.to_string(), "</code></h3>\n");
    html.element("<p class=\"summary\">", &finding.summary, "</p>\n");
    facts(html, report, finding);
    html.element("<p>", &finding.fix.summary, "</p>\n");
    if !finding.fix.commands.is_empty() {
        html.raw("<pre>");
        for command in &finding.fix.commands {
            html.lines(command);
        }
        html.raw("</pre>\n");
    }
    html.raw("</article>\n");
}

fn facts(html: &mut Html, report: &Report, finding: &Finding) {
    html.raw("<dl class=\"facts\">\n<div><dt>since</dt><dd>");
    time(html, finding.first_seen);
    let age = report.at.duration_since(finding.first_seen).as_secs();
    html.raw(" (").text(&words::span(age)).raw(")</dd></div>\n");
    let optional = |text: Option<String>| text.unwrap_or_default();
    let rows = [
        ("kind", format!("{} ({})", finding.kind, finding.reason)),
        ("cause", optional(finding.cause.as_ref().map(ToString::to_string))),
        ("impact", finding.impact.to_string()),
        ("object", optional(finding.object.as_ref().map(ToString::to_string))),
        ("zone", optional(finding.zone.as_ref().map(|zone| format!("{} ({})", zone.name, zone.id)))),
        ("instance", optional(finding.instance.as_ref().map(ToString::to_string))),
        ("pending until", optional(finding.pending_until.map(|until| until.to_string()))),
        ("muted by", optional(finding.mute.as_ref().map(ToString::to_string))),
    ];
    let labels = finding.labels.iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in rows.into_iter().chain(labels).filter(|(_, value)| !value.is_empty()) {
        html.element("<div><dt>", name, "</dt>").element("<dd>", &value, "</dd></div>\n");
    }
    if let Some(id) = &finding.explained_by {
        html.raw("<div><dt>explained by</dt><dd><a href=\"#f").text(id).element(
            "\">",
            id,
            "</a></dd></div>\n",
        );
    }
    // Any other scheme could run a script when clicked.
    if finding.runbook.starts_with("https://") || finding.runbook.starts_with("http://") {
        html.raw("<div><dt>runbook</dt><dd><a rel=\"noreferrer\" href=\"").text(&finding.runbook);
        html.element("\">", finding.kind.as_str(), "</a></dd></div>\n");
    }
    html.raw("</dl>\n");
}

fn silent(html: &mut Html, silent: &BTreeMap<&str, usize>) {
    if silent.is_empty() {
        return;
    }
    html.raw("<h2 id=\"silent\">Kept quiet</h2>\n<table>\n<caption>Comparisons that were not made, or made ");
    html.raw("and kept quiet, by rule</caption>\n<thead><tr><th scope=\"col\">rule</th>");
    html.raw("<th scope=\"col\">count</th></tr></thead>\n<tbody>\n");
    for (reason, count) in silent {
        html.element("<tr><th scope=\"row\">", reason, "</th>");
        html.element("<td>", &count.to_string(), "</td></tr>\n");
    }
    html.raw("</tbody>\n</table>\n");
}

fn time(html: &mut Html, at: Timestamp) {
    let text = at.to_string();
    html.raw("<time datetime=\"").text(&text).element("\">", &text, "</time>");
}
