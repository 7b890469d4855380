//! The list of all names: those that are wanted, those that stand in zones, those with a finding.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use serde::Serialize;

use crate::board::heard::{Heard, heard};
use crate::board::{Board, zone_ref};
use crate::finding::State;
use crate::model::want::{Placement, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef, RecordType, ZoneId};
use crate::report::{Finding, ZoneRef};

/// Objects of one row; the host's own page has all.
const MAX_OBJECTS: usize = 10;

/// How a name fares, in one word. Order: the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// It has an open finding.
    Open,
    /// A view is blind; the last verdict is frozen.
    Stale,
    /// It has a finding that waits for its window or a second look.
    Pending,
    /// Its findings are muted.
    Muted,
    /// Its findings are explained by another one.
    Explained,
    /// It is wanted and could not be judged.
    Unknown,
    /// It is wanted and nothing is wrong.
    InSync,
    /// An object gives it and a rule says to leave it alone.
    Silent,
    /// It stands in a zone and nobody wants it.
    Unwanted,
}

impl HostState {
    /// Every state, the worst first.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Stale,
        Self::Pending,
        Self::Muted,
        Self::Explained,
        Self::Unknown,
        Self::InSync,
        Self::Silent,
        Self::Unwanted,
    ];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Stale => "stale",
            Self::Pending => "pending",
            Self::Muted => "muted",
            Self::Explained => "explained",
            Self::Unknown => "unknown",
            Self::InSync => "in_sync",
            Self::Silent => "silent",
            Self::Unwanted => "unwanted",
        }
    }

    /// The state of a word; `None` for a word that is none.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    const fn of_finding(state: State) -> Option<Self> {
        match state {
            State::Open => Some(Self::Open),
            State::Stale => Some(Self::Stale),
            State::Pending => Some(Self::Pending),
            State::Muted => Some(Self::Muted),
            State::Explained => Some(Self::Explained),
            State::Resolved => None,
        }
    }
}

/// One name of the list.
#[derive(Clone, Debug, Serialize)]
pub struct HostRow {
    /// The name.
    pub name: DomainName,
    /// How it fares.
    pub state: HostState,
    /// True if an instance wants it.
    pub wanted: bool,
    /// True if a zone has an address record or a CNAME for it.
    pub recorded: bool,
    /// What DNS says about it; `null` if nobody was asked, or nobody has answered yet.
    pub live: Option<Heard>,
    /// The kind of its worst finding, or the rule that leaves it alone; `null` when it is well.
    pub why: Option<&'static str>,
    /// The types that are wanted or recorded.
    pub types: BTreeSet<RecordType>,
    /// The zones that hold it or are to hold it.
    pub zones: Vec<ZoneRef>,
    /// Owner ids of the instances that want it.
    pub instances: BTreeSet<String>,
    /// Objects that ask for it, at most ten.
    pub objects: Vec<ObjectRef>,
    /// The labels `team` of its objects.
    pub teams: BTreeSet<String>,
    /// Ids of its findings that are not over.
    pub findings: Vec<String>,
}

/// What narrows the list down; `None` means all.
#[derive(Clone, Debug, Default)]
pub struct HostFilter {
    /// Id or name of a zone.
    pub zone: Option<String>,
    /// Namespace of an object that asks for the name.
    pub namespace: Option<String>,
    /// The label `team` of such an object, with or without a prefix.
    pub team: Option<String>,
    /// How it fares.
    pub state: Option<HostState>,
    /// A part of the name, in lower case.
    pub text: Option<String>,
}

/// A part of the list.
#[derive(Clone, Debug)]
pub struct HostPage {
    /// Sorted by name.
    pub rows: Vec<HostRow>,
    /// The last name of the page; `None` when no further one passes the filter.
    pub next: Option<DomainName>,
}

/// A name of the list, and the zones that hold it.
#[derive(Debug)]
pub struct Found {
    name: DomainName,
    zones: Vec<ZoneId>,
}

type Names<'a> = Box<dyn Iterator<Item = &'a DomainName> + 'a>;

/// Merges sorted lists of names; each name comes once.
struct Merged<'a> {
    lists: Vec<(Names<'a>, Option<&'a ZoneReading>)>,
    heads: BinaryHeap<Reverse<(&'a DomainName, usize)>>,
}

impl<'a> Merged<'a> {
    fn new(lists: Vec<(Names<'a>, Option<&'a ZoneReading>)>) -> Self {
        let mut merged = Self { lists, heads: BinaryHeap::new() };
        for list in 0..merged.lists.len() {
            merged.advance(list);
        }
        merged
    }

    fn advance(&mut self, list: usize) {
        if let Some(name) = self.lists.get_mut(list).and_then(|(names, _)| names.next()) {
            self.heads.push(Reverse((name, list)));
        }
    }
}

impl Iterator for Merged<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let Reverse((name, _)) = *self.heads.peek()?;
        let mut found = Found { name: name.clone(), zones: Vec::new() };
        while let Some(Reverse((next, list))) = self.heads.peek().copied() {
            if next != name {
                break;
            }
            self.heads.pop();
            self.advance(list);
            // A list has a name once for each of its records.
            let zone = self.lists.get(list).and_then(|(_, zone)| zone.map(|zone| &zone.zone.id));
            found.zones.extend(zone.filter(|id| !found.zones.contains(id)).cloned());
        }
        Some(found)
    }
}

/// The names after one, as many as fit.
#[must_use]
pub fn hosts(board: &Board, filter: &HostFilter, after: Option<&DomainName>, limit: usize) -> HostPage {
    let sieve = Sieve::new(board, filter);
    let found: Vec<Found> =
        merged(board, after).filter(|found| sieve.passes(found)).take(limit.saturating_add(1)).collect();
    let shown: Vec<&Found> = found.iter().take(limit).collect();
    let next = shown.last().filter(|_| limit < found.len()).map(|found| found.name.clone());
    HostPage { rows: rows(board, &shown), next }
}

/// All names that pass the filter, sorted. Their rows are made by [`rows`], when they are shown.
#[must_use]
pub fn passing<'a>(board: &'a Board, filter: &HostFilter) -> Vec<&'a Found> {
    let sieve = Sieve::new(board, filter);
    let roll = board.roll.get_or_init(|| merged(board, None).collect());
    roll.iter().filter(|found| sieve.passes(found)).collect()
}

/// The rows of some names.
#[must_use]
pub fn rows(board: &Board, found: &[&Found]) -> Vec<HostRow> {
    let heard = heard(board, found.iter().map(|found| &found.name));
    found.iter().map(|found| row(board, found, heard.get(&found.name).copied())).collect()
}

fn merged<'a>(board: &'a Board, after: Option<&DomainName>) -> Merged<'a> {
    let mut lists: Vec<(Names<'a>, Option<&'a ZoneReading>)> = Vec::new();
    for one in board.wants.iter() {
        let start = after.map_or(0, |after| one.wants.partition_point(|want| want.name <= *after));
        let rest = one.wants.get(start..).unwrap_or_default();
        lists.push((Box::new(rest.iter().map(|want| &want.name)), None));
    }
    for zone in board.zones() {
        let records = zone.records();
        let start = after.map_or(0, |after| records.partition_point(|set| set.name <= *after));
        let rest = records.get(start..).unwrap_or_default().iter();
        lists.push((
            Box::new(rest.filter(|set| set.record_type.is_address()).map(|set| &set.name)),
            Some(zone),
        ));
    }
    lists.extend(board.index().names(after).map(|names| (names, None)));
    Merged::new(lists)
}

/// How a name fares; `recorded` is true if a zone has an address record or a CNAME for it.
#[must_use]
pub fn state_of(board: &Board, name: &DomainName, recorded: bool) -> HostState {
    let of_findings =
        board.findings_of(name).filter_map(|finding| HostState::of_finding(finding.state)).min();
    if let Some(state) = of_findings {
        return state;
    }
    let wants: Vec<&Want> = board.wants_of(name).map(|(_, want)| want).collect();
    if wants.iter().any(|want| board.is_unknown(want)) {
        HostState::Unknown
    } else if wants.iter().any(|want| want.zone_id().is_some()) {
        HostState::InSync
    } else if !wants.is_empty()
        || !board.left_alone(name).is_empty()
        || board.silent_of(name).next().is_some()
    {
        HostState::Silent
    } else if recorded {
        HostState::Unwanted
    } else {
        // Only a finding that is over tells of it.
        HostState::InSync
    }
}

fn row(board: &Board, found: &Found, live: Option<Heard>) -> HostRow {
    let name = &found.name;
    let holding = || found.zones.iter().filter_map(|id| board.zone(id));
    let recorded = !found.zones.is_empty();
    let state = state_of(board, name, recorded);
    let wants: Vec<_> = board.wants_of(name).collect();
    let mut zones: Vec<ZoneRef> = holding().map(zone_ref).collect();
    zones.extend(wants.iter().filter_map(|(_, want)| board.zone_ref(want.zone_id()?)));
    zones.extend(board.findings_of(name).filter_map(|finding| finding.zone.clone()));
    zones.sort_by(|left, right| (&left.name, &left.id).cmp(&(&right.name, &right.id)));
    zones.dedup();
    let mut types: BTreeSet<RecordType> = wants.iter().map(|(_, want)| want.record_type.clone()).collect();
    let sets = holding().flat_map(|zone| zone.at(name)).filter(|set| set.record_type.is_address());
    types.extend(sets.map(|set| set.record_type.clone()));
    let present = board.findings_of(name).filter(|finding| finding.state != State::Resolved);
    HostRow {
        name: name.clone(),
        state,
        wanted: !wants.is_empty(),
        recorded,
        live,
        why: why(board, name, state),
        types,
        zones,
        instances: wants.iter().map(|(one, _)| one.instance.id.to_string()).collect(),
        objects: objects(board, name)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .take(MAX_OBJECTS)
            .cloned()
            .collect(),
        teams: teams(board, name).map(str::to_owned).collect(),
        findings: present.map(|finding| finding.id.clone()).collect(),
    }
}

/// The findings that make the state, the most urgent first; else the rule.
fn why(board: &Board, name: &DomainName, state: HostState) -> Option<&'static str> {
    let mut worst = board.findings_of(name).filter(|one| HostState::of_finding(one.state) == Some(state));
    let rule = || board.silent_of(name).next().map(|silent| silent.reason.as_str());
    let nowhere = || {
        board.wants_of(name).find_map(|(_, want)| match &want.placement {
            Placement::NoZone(no_zone) => Some(no_zone.reason.as_str()),
            Placement::Zone(_) | Placement::Unknown => None,
        })
    };
    let kind = worst.next().map(|finding| finding.kind.as_str());
    kind.or_else(|| if state == HostState::Silent { rule().or_else(nowhere) } else { None })
}

/// The objects that ask for a name, those of its findings, and those that are left alone; some of them
/// more than once.
fn objects<'a>(board: &'a Board, name: &'a DomainName) -> impl Iterator<Item = &'a ObjectRef> {
    let wanting = board.wants_of(name).flat_map(|(_, want)| &want.objects);
    let found = board.findings_of(name).filter_map(|finding| finding.object.as_ref());
    wanting.chain(found).chain(board.left_alone(name))
}

fn teams<'a>(board: &'a Board, name: &'a DomainName) -> impl Iterator<Item = &'a str> {
    let of_objects = objects(board, name).filter_map(|object| board.team_of(object));
    of_objects.chain(board.findings_of(name).filter_map(Finding::team))
}

/// A filter at work.
struct Sieve<'a> {
    board: &'a Board,
    filter: &'a HostFilter,
    /// What `zone` is as a name.
    zone: Option<DomainName>,
}

impl<'a> Sieve<'a> {
    fn new(board: &'a Board, filter: &'a HostFilter) -> Self {
        Self { board, filter, zone: filter.zone.as_deref().map(DomainName::new) }
    }

    /// What costs least is looked at first.
    fn passes(&self, found: &Found) -> bool {
        let Self { board, filter, .. } = self;
        let name = &found.name;
        let of_team = |team: &String| teams(board, name).any(|one| one == team);
        let in_namespace = |word: &String| objects(board, name).any(|object| *object.namespace == **word);
        let fares = |wanted: HostState| wanted == state_of(board, name, !found.zones.is_empty());
        filter.text.as_ref().is_none_or(|text| name.as_str().contains(text))
            && self.zone.as_ref().is_none_or(|zone| self.in_zone(found, zone))
            && filter.namespace.as_ref().is_none_or(in_namespace)
            && filter.team.as_ref().is_none_or(of_team)
            && filter.state.is_none_or(fares)
    }

    fn in_zone(&self, found: &Found, zone: &DomainName) -> bool {
        let word = self.filter.zone.as_deref().unwrap_or_default();
        let is = |id: &ZoneId, name: &DomainName| id.as_str() == word || name == zone;
        let known = |id: &ZoneId| {
            let reading = self.board.zone(id);
            reading.is_some_and(|reading| is(&reading.zone.id, &reading.zone.name))
        };
        found.zones.iter().any(known)
            || self.board.wants_of(&found.name).any(|(_, want)| want.zone_id().is_some_and(known))
            || self
                .board
                .findings_of(&found.name)
                .filter_map(|one| one.zone.as_ref())
                .any(|one| is(&one.id, &one.name))
    }
}
