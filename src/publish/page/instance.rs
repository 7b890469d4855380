//! Instances of ExternalDNS: all of them, and one by its owner id.

use askama::Template;
use jiff::Timestamp;

use crate::finding::Subject;
use crate::limits::{MAX_PAGE_CARDS, MAX_PAGE_ROWS};
use crate::model::ZoneId;
use crate::model::instance::{PodHealth, Trap};
use crate::publish::page::card::Card;
use crate::publish::page::filter::Filter;
use crate::publish::page::frame::{Frame, Scene};
use crate::publish::page::list::{Paging, Row, instance_href, zone_href};
use crate::publish::page::time::When;
use crate::publish::words;
use crate::report::{Finding, InstanceReport, Report};

#[derive(Debug, Template)]
#[template(path = "instances.html")]
struct AllInstances<'a> {
    frame: Frame,
    instances: Vec<InstanceRow<'a>>,
    paging: Paging,
}

#[derive(Debug, Template)]
#[template(path = "instance.html")]
struct Instance<'a> {
    frame: Frame,
    id: &'a str,
    known: Vec<InstanceRow<'a>>,
    cards: Vec<Card<'a>>,
    rows: Vec<Row>,
    total: usize,
    all: String,
}

/// One instance.
#[derive(Debug)]
struct InstanceRow<'a> {
    id: &'a str,
    href: String,
    origin: &'static str,
    workload: String,
    /// Empty if it is not known.
    version: String,
    policy: &'static str,
    sources: String,
    not_modelled: String,
    wants: usize,
    ready: usize,
    pods: usize,
    flags: &'a [(&'static str, String)],
    unknown_flags: String,
    traps: Vec<(&'static str, String)>,
    pod_rows: Vec<PodRow>,
    zones: Vec<ZoneLine>,
    changed_at: Option<When>,
}

#[derive(Debug)]
struct ZoneLine {
    name: String,
    id: String,
    href: String,
    wants: usize,
    read_at: Option<When>,
}

#[derive(Debug)]
struct PodRow {
    name: String,
    ready: bool,
    restarts: i32,
    waiting: String,
    last_exit: Option<i32>,
    started_at: Option<When>,
}

/// Renders the list.
pub(super) fn render_all(scene: Scene<'_>, page: &str) -> askama::Result<String> {
    let report = scene.report();
    let paging = Paging::new(report.instances.len(), page, |page| format!("/instances?page={page}"));
    let instances = paging.of(&report.instances).iter().map(|one| InstanceRow::new(report, one)).collect();
    let frame = scene.frame(String::from("Instances - dns-drift"), "/instances");
    AllInstances { frame, instances, paging }.render()
}

/// Renders one; `None` if neither an instance nor a finding has the owner id.
pub(super) fn render(scene: Scene<'_>, id: &str) -> askama::Result<Option<String>> {
    let report = scene.report();
    // Two workloads with one owner id are a finding of their own, and both are shown.
    let known: Vec<&InstanceReport> = report.instances.iter().filter(|one| &*one.id == id).collect();
    let is_own = |finding: &&Finding| matches!(&finding.subject, Subject::Instance(one) if **one == *id);
    let own: Vec<&Finding> = report.findings.iter().filter(is_own).collect();
    let filter = Filter { instance: id.to_owned(), ..Filter::default() };
    let inside: Vec<&Finding> = filter
        .select(report)
        .into_iter()
        .filter(|finding| !matches!(finding.subject, Subject::Instance(_)))
        .collect();
    if known.is_empty() && own.is_empty() && inside.is_empty() {
        return Ok(None);
    }
    let page = Instance {
        frame: scene.frame(format!("{id} - dns-drift"), "/instances"),
        id,
        known: known.into_iter().map(|one| InstanceRow::new(report, one)).collect(),
        cards: own.into_iter().take(MAX_PAGE_CARDS).map(|finding| Card::new(report, finding)).collect(),
        rows: inside.iter().take(MAX_PAGE_ROWS).map(|finding| Row::new(report, finding)).collect(),
        total: inside.len(),
        all: filter.url(1),
    };
    page.render().map(Some)
}

// === impl InstanceRow ===

impl<'a> InstanceRow<'a> {
    fn new(report: &Report, one: &'a InstanceReport) -> Self {
        let details = &one.details;
        let when = |at| When::new(at, report.at);
        Self {
            id: &one.id,
            href: instance_href(&one.id),
            origin: words::origin(one.origin),
            workload: one.workload.as_ref().map(ToString::to_string).unwrap_or_default(),
            version: one.version.map(|version| version.to_string()).unwrap_or_default(),
            policy: words::policy(one.policy),
            sources: one.sources.join(", "),
            not_modelled: one.sources_not_modelled.join(", "),
            wants: one.wants,
            ready: one.ready_pods,
            pods: one.pods,
            flags: &details.flags,
            unknown_flags: details.unknown_flags.join(", "),
            traps: details.traps.iter().map(|trap| (trap.text, told_by(trap))).collect(),
            pod_rows: details.pods.iter().take(MAX_PAGE_ROWS).map(|pod| PodRow::new(pod, when)).collect(),
            zones: zones(report, one),
            changed_at: details.changed_at.map(when),
        }
    }
}

/// The table of releases names pull requests, documents, and what was seen by running both sides.
fn told_by(trap: &Trap) -> String {
    trap.source.replace("executed", "seen by running it")
}

fn zones(report: &Report, one: &InstanceReport) -> Vec<ZoneLine> {
    let line = |(id, wants): (&ZoneId, &usize)| {
        let zone = report.zones.iter().find(|zone| zone.zone.id == *id);
        ZoneLine {
            name: zone.map_or_else(|| id.to_string(), |zone| zone.zone.name.to_string()),
            id: id.to_string(),
            href: zone_href(id.as_str()),
            wants: *wants,
            read_at: zone.and_then(|zone| zone.read_at).map(|at| When::new(at, report.at)),
        }
    };
    one.details.zones.iter().take(MAX_PAGE_ROWS).map(line).collect()
}

// === impl PodRow ===

impl PodRow {
    fn new(pod: &PodHealth, when: impl Fn(Timestamp) -> When) -> Self {
        Self {
            name: format!("{}/{}", pod.namespace, pod.name),
            ready: pod.ready,
            restarts: pod.restarts,
            waiting: pod.waiting.as_deref().unwrap_or_default().to_owned(),
            last_exit: pod.last_exit,
            started_at: pod.started_at.map(when),
        }
    }
}
