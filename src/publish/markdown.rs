//! The report as Markdown, for the summary page of a CI job or a comment on a pull request.
//!
//! Foreign text stands in code spans or is escaped, so that it can neither mark anything up nor
//! notify anybody.

use crate::finding::State;
use crate::model::text::{self, printable};
use crate::publish::table::line;
use crate::publish::words;
use crate::report::baseline::Against;
use crate::report::{Finding, Report};

/// Findings that are shown; a comment on a pull request has room for 65,536 characters.
const MAX_ROWS: usize = 100;

/// Findings whose commands are shown.
const MAX_FIXES: usize = 20;

/// The report.
#[must_use]
pub fn report(report: &Report, against: Option<&Against>) -> String {
    let shown: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.state != State::Resolved).collect();
    let mut out = String::new();
    line(&mut out, &format!("## dns-drift: {}\n", headline(report, against)));
    findings(&mut out, report, &shown);
    if MAX_ROWS < shown.len() {
        line(&mut out, &format!("\n{} more findings are not shown.", shown.len().saturating_sub(MAX_ROWS)));
    }
    let open = shown.iter().filter(|finding| finding.state == State::Open);
    for finding in open.filter(|finding| !finding.fix.commands.is_empty()).take(MAX_FIXES) {
        fix(&mut out, finding);
    }
    if !shown.is_empty() {
        out.push('\n');
    }
    line(&mut out, &counts(report, against));
    problems(&mut out, report);
    out
}

fn headline(report: &Report, against: Option<&Against>) -> String {
    let new = if against.is_some() { "new " } else { "" };
    let words = match report.summary.open {
        0 => format!("no {new}open finding"),
        1 => format!("1 {new}open finding"),
        open => format!("{open} {new}open findings"),
    };
    if report.is_blind() { format!("{words}, but not all could be read") } else { words }
}

fn findings(out: &mut String, report: &Report, shown: &[&Finding]) {
    if shown.is_empty() {
        return;
    }
    line(out, "| severity | state | subject | kind | impact | since | object | summary |");
    line(out, "| --- | --- | --- | --- | --- | --- | --- | --- |");
    for finding in shown.iter().take(MAX_ROWS) {
        let since = words::span(report.at.duration_since(finding.first_seen).as_secs());
        let object = finding.object.as_ref().map(|object| code(&object.to_string())).unwrap_or_default();
        let cells = [
            finding.severity.as_str().to_owned(),
            finding.state.as_str().to_owned(),
            code(&finding.subject.to_string()),
            format!("{}<br>{}", code(finding.kind.as_str()), code(finding.reason.as_str())),
            finding.impact.as_str().to_owned(),
            since,
            object,
            escaped(&finding.summary),
        ];
        line(out, &format!("| {} |", cells.join(" | ")));
    }
}

fn fix(out: &mut String, finding: &Finding) {
    let title = format!("{}: {}", code(&finding.subject.to_string()), escaped(&finding.fix.summary));
    let lines = finding.fix.commands.iter().flat_map(|command| command.lines());
    // A command that is cut is none.
    let text = lines.map(text::escaped).collect::<Vec<String>>().join("\n");
    let fence = "`".repeat(longest_run(&text).saturating_add(1).max(3));
    line(out, &format!("\n{title}\n\n{fence}sh\n{text}\n{fence}"));
}

fn counts(report: &Report, against: Option<&Against>) -> String {
    let summary = &report.summary;
    let silent: usize = summary.silent.values().sum();
    let mut text = format!(
        "{} names: {} in sync, {} unknown. {} open, {} pending. {silent} kept quiet.",
        summary.names, summary.in_sync, summary.unknown, summary.open, summary.pending
    );
    if let Some(against) = against {
        text.push_str("\n\n");
        text.push_str(&words::against(against));
    }
    text
}

fn problems(out: &mut String, report: &Report) {
    for (view, read) in &report.views {
        let name = view.as_str();
        if report.lacks(*view) {
            line(
                out,
                &format!("\nThe view {name} is {}: not read is not absent.", words::view_state(read.state)),
            );
        }
        for problem in &read.problems {
            let (scope, message) = (code(&problem.scope), code(&problem.message));
            line(out, &format!("\nCould not read {name} {scope}: {}: {message}", problem.code));
        }
    }
}

/// A code span: fenced by more backticks than it holds. A bar would end the cell.
fn code(text: &str) -> String {
    let text = printable(text).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&text).saturating_add(1));
    let pad = if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

/// Text that means nothing but itself: no markup, no link, no mention.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            // These survive a backslash: an entity takes them out of sight of the Markdown parser, and
            // the comment cuts the word that would notify somebody.
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' | ':' => {
                out.extend(['\\', character]);
            }
            plain => out.push(plain),
        }
    }
    out.replace("www.", "www\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_means_only_itself() {
        let check = |text: &str, expected: &str| assert_eq!(escaped(text), expected);
        check("a|b", "a\\|b");
        check("[x](http://e)", "\\[x\\]\\(http\\://e\\)");
        check("@team <b>", "@<!-- -->team &lt;b&gt;");
        check("line\nend www.example.com", "line\\\\nend www\\.example.com");
    }

    #[test]
    fn a_code_span_outlasts_its_backticks() {
        let check = |text: &str, expected: &str| assert_eq!(code(text), expected);
        check("plain", "`plain`");
        check("a`b", "``a`b``");
        check("`` | x", "``` `` \\| x ```");
    }
}
