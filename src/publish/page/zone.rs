//! Hosted zones: all of them, and one by its id or name.

use askama::Template;

use crate::finding::Subject;
use crate::limits::{MAX_PAGE_CARDS, MAX_PAGE_ROWS};
use crate::model::DomainName;
use crate::publish::page::card::Card;
use crate::publish::page::filter::Filter;
use crate::publish::page::frame::{Frame, Scene};
use crate::publish::page::list::{Paging, Row, zone_href};
use crate::publish::page::time::When;
use crate::report::{Finding, Report, ZoneReport};

#[derive(Debug, Template)]
#[template(path = "zones.html")]
struct AllZones {
    frame: Frame,
    zones: Vec<ZoneRow>,
    paging: Paging,
}

#[derive(Debug, Template)]
#[template(path = "zone.html")]
struct Zone<'a> {
    frame: Frame,
    name: String,
    zones: Vec<ZoneRow>,
    cards: Vec<Card<'a>>,
    rows: Vec<Row>,
    total: usize,
    all: String,
}

/// One zone.
#[derive(Debug)]
struct ZoneRow {
    id: String,
    name: String,
    href: String,
    private: bool,
    record_sets: Option<usize>,
    read_at: Option<When>,
    wants: usize,
    out_of_sync: usize,
}

/// Renders the list.
pub(super) fn render_all(scene: Scene<'_>, page: &str) -> askama::Result<String> {
    let report = scene.report();
    let paging = Paging::new(report.zones.len(), page, |page| format!("/zones?page={page}"));
    let zones = paging.of(&report.zones).iter().map(|zone| ZoneRow::new(report, zone)).collect();
    AllZones { frame: scene.frame(String::from("Zones - dns-drift"), "/zones"), zones, paging }.render()
}

/// Renders one zone, or all zones of one name; `None` if neither a zone nor a finding has it.
pub(super) fn render(scene: Scene<'_>, word: &str) -> askama::Result<Option<String>> {
    let report = scene.report();
    let name = DomainName::new(word);
    let is_named = |zone: &&ZoneReport| zone.zone.id.as_str() == word || zone.zone.name == name;
    let zones: Vec<&ZoneReport> = report.zones.iter().filter(is_named).collect();
    // A zone's own findings carry its name only.
    let title = zones.first().map_or(&name, |zone| &zone.zone.name);
    let is_own = |finding: &&Finding| matches!(&finding.subject, Subject::Zone(zone) if zone == title);
    let own: Vec<&Finding> = report.findings.iter().filter(is_own).collect();
    let filter = Filter { zone: word.to_owned(), ..Filter::default() };
    let inside: Vec<&Finding> = filter
        .select(report)
        .into_iter()
        .filter(|finding| !matches!(finding.subject, Subject::Zone(_)))
        .collect();
    if zones.is_empty() && own.is_empty() && inside.is_empty() {
        return Ok(None);
    }
    let page = Zone {
        frame: scene.frame(format!("{title} - dns-drift"), "/zones"),
        name: title.to_string(),
        zones: zones.into_iter().take(MAX_PAGE_ROWS).map(|zone| ZoneRow::new(report, zone)).collect(),
        cards: own.into_iter().take(MAX_PAGE_CARDS).map(|finding| Card::new(report, finding)).collect(),
        rows: inside.iter().take(MAX_PAGE_ROWS).map(|finding| Row::new(report, finding)).collect(),
        total: inside.len(),
        all: filter.url(1),
    };
    page.render().map(Some)
}

// === impl ZoneRow ===

impl ZoneRow {
    fn new(report: &Report, zone: &ZoneReport) -> Self {
        Self {
            id: zone.zone.id.to_string(),
            name: zone.zone.name.to_string(),
            href: zone_href(zone.zone.id.as_str()),
            private: zone.zone.private,
            record_sets: zone.record_sets,
            read_at: zone.read_at.map(|at| When::new(at, report.at)),
            wants: zone.wants,
            out_of_sync: zone.out_of_sync,
        }
    }
}
