//! One finding by its id, and pages that say that something is not there.

use askama::Template;

use crate::publish::page::card::Card;
use crate::publish::page::frame::{Frame, Scene};
use crate::publish::role::Role;

#[derive(Debug, Template)]
#[template(path = "finding.html")]
struct Single<'a> {
    frame: Frame,
    card: Card<'a>,
}

#[derive(Debug, Template)]
#[template(path = "error.html")]
struct Failure<'a> {
    frame: Frame,
    message: &'a str,
}

/// Renders the finding; `None` if there is none with this id.
pub(super) fn render(scene: Scene<'_>, id: &str) -> askama::Result<Option<String>> {
    let report = scene.report();
    let Some(finding) = report.findings.iter().find(|finding| finding.id == id) else { return Ok(None) };
    let title = format!("{} on {} - dns-drift", finding.kind, finding.subject);
    Single { frame: scene.frame(title, ""), card: Card::new(report, finding) }.render().map(Some)
}

/// Renders what went wrong with the question.
pub(super) fn failure(role: Role, title: &str, message: &str) -> askama::Result<String> {
    Failure { frame: Frame::bare(role, format!("{title} - dns-drift"), ""), message }.render()
}
