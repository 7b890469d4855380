//! All names that a round knows, whether something is wrong with them or not.

use askama::Template;
use serde::Deserialize;

use crate::board::Board;
use crate::board::heard::Heard;
use crate::board::hosts::{HostFilter, HostRow, HostState, passing, rows};
use crate::model::RecordType;
use crate::model::object::{KubeObject, team};
use crate::publish::page::filter::{Choice, address, menu, some, tidy};
use crate::publish::page::frame::{Frame, Scene};
use crate::publish::page::list::{Paging, host_href, instance_href, zone_href};
use crate::report::ZoneRef;

/// Zones, objects and instances of one row that are named.
const NAMED: usize = 3;

/// What narrows the list down, as it stands in the URL. An empty word narrows nothing down.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct Words {
    q: String,
    state: String,
    zone: String,
    namespace: String,
    team: String,
    page: String,
    /// Out of the form on top of each page: the one host that is looked up.
    pub(super) host: String,
}

#[derive(Debug, Template)]
#[template(path = "hosts.html")]
struct Hosts<'a> {
    frame: Frame,
    words: &'a Words,
    states: Vec<Choice>,
    zones: Vec<String>,
    namespaces: Vec<String>,
    teams: Vec<String>,
    rows: Vec<Row>,
    paging: Paging,
}

/// One name.
#[derive(Debug)]
struct Row {
    name: String,
    href: String,
    state: &'static str,
    why: &'static str,
    wanted: bool,
    recorded: bool,
    live: &'static str,
    types: String,
    zones: Links,
    instances: Links,
    objects: Vec<String>,
    objects_left_out: usize,
    teams: String,
}

/// A few of the things that a name belongs to.
#[derive(Debug)]
struct Links {
    shown: Vec<(String, String)>,
    left_out: usize,
}

/// Renders a page of the list.
pub(super) fn render(scene: Scene<'_>, words: &Words) -> askama::Result<String> {
    let board = scene.board;
    let found = words.filter().map(|filter| passing(board, &filter)).unwrap_or_default();
    let paging = Paging::new(found.len(), &words.page, |page| address("/hosts", &words.pairs(), page));
    let report = scene.report();
    let namespaces = objects(board).map(|object| &*object.reference.namespace);
    let named = report.findings.iter().filter_map(|finding| finding.object.as_ref());
    let teams = objects(board).filter_map(|object| team(object.labels.iter()));
    Hosts {
        frame: scene.frame(String::from("Hosts - dns-drift"), "/hosts"),
        states: menu(&HostState::ALL, |state| state.as_str(), &words.state),
        zones: some(report.zones.iter().map(|zone| zone.zone.name.as_str())),
        namespaces: some(namespaces.chain(named.map(|object| &*object.namespace))),
        teams: some(teams.chain(report.findings.iter().filter_map(|finding| finding.team()))),
        rows: rows(board, paging.of(&found)).iter().map(Row::new).collect(),
        words,
        paging,
    }
    .render()
}

/// What was read of the cluster.
fn objects(board: &Board) -> impl Iterator<Item = &KubeObject> {
    let clusters = board.snapshot.kubernetes.value().into_iter();
    clusters.flat_map(|cluster| cluster.objects.values()).map(|object| &**object)
}

// === impl Words ===

impl Words {
    /// Bounded and without space at the ends.
    pub(super) fn tidy(&self) -> Self {
        Self {
            q: tidy(&self.q),
            state: tidy(&self.state),
            zone: tidy(&self.zone),
            namespace: tidy(&self.namespace),
            team: tidy(&self.team),
            page: tidy(&self.page),
            host: String::new(),
        }
    }

    fn pairs(&self) -> [(&'static str, &str); 5] {
        [
            ("q", &self.q),
            ("state", &self.state),
            ("zone", &self.zone),
            ("namespace", &self.namespace),
            ("team", &self.team),
        ]
    }

    /// True if it narrows anything down.
    fn narrows(&self) -> bool {
        self.pairs().iter().any(|(_, value)| !value.is_empty())
    }

    /// `None` for a state that does not exist: no host is in it.
    fn filter(&self) -> Option<HostFilter> {
        let word = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let state = word(&self.state).map(|state| HostState::from_word(&state));
        if state == Some(None) {
            return None;
        }
        Some(HostFilter {
            zone: word(&self.zone),
            namespace: word(&self.namespace),
            team: word(&self.team),
            state: state.flatten(),
            text: word(&self.q).map(|text| text.to_lowercase()),
        })
    }
}

// === impl Row ===

impl Row {
    fn new(row: &HostRow) -> Self {
        let types: Vec<&str> = row.types.iter().map(RecordType::as_str).collect();
        let teams: Vec<&str> = row.teams.iter().map(String::as_str).collect();
        Self {
            name: row.name.to_string(),
            href: host_href(row.name.as_str()),
            state: row.state.as_str(),
            why: row.why.unwrap_or_default(),
            wanted: row.wanted,
            recorded: row.recorded,
            live: row.live.map_or("not asked", Heard::as_str),
            types: types.join(", "),
            zones: Links::new(row.zones.iter().map(zone_link)),
            instances: Links::new(row.instances.iter().map(|id| (id.clone(), instance_href(id)))),
            objects: row.objects.iter().take(NAMED).map(ToString::to_string).collect(),
            objects_left_out: row.objects.len().saturating_sub(NAMED),
            teams: teams.join(", "),
        }
    }
}

fn zone_link(zone: &ZoneRef) -> (String, String) {
    let text = if zone.private { format!("{} (private)", zone.name) } else { zone.name.to_string() };
    (text, zone_href(zone.id.as_str()))
}

// === impl Links ===

impl Links {
    fn new(all: impl ExactSizeIterator<Item = (String, String)>) -> Self {
        let left_out = all.len().saturating_sub(NAMED);
        Self { shown: all.take(NAMED).collect(), left_out }
    }
}
