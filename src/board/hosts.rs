//! The list of all names: those that are wanted, those that stand in zones, those with a finding.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use serde::Serialize;

use crate::board::{Board, zone_ref};
use crate::finding::State;
use crate::model::want::Want;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef, RecordType};
use crate::report::ZoneRef;

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
    /// The types that are wanted or recorded.
    pub types: BTreeSet<RecordType>,
    /// The zones that hold it or are to hold it.
    pub zones: Vec<ZoneRef>,
    /// Owner ids of the instances that want it.
    pub instances: BTreeSet<String>,
    /// Objects that ask for it, at most ten.
    pub objects: Vec<ObjectRef>,
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

/// A name and the zones among the lists that hold it.
struct Found<'a> {
    name: &'a DomainName,
    zones: Vec<&'a ZoneReading>,
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

impl<'a> Iterator for Merged<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let Reverse((name, _)) = *self.heads.peek()?;
        let mut found = Found { name, zones: Vec::new() };
        while let Some(Reverse((next, list))) = self.heads.peek().copied() {
            if next != name {
                break;
            }
            self.heads.pop();
            self.advance(list);
            // A list has a name once for each of its records.
            let zone = self.lists.get(list).and_then(|(_, zone)| *zone);
            found
                .zones
                .extend(zone.filter(|zone| !found.zones.iter().any(|known| std::ptr::eq(*known, *zone))));
        }
        Some(found)
    }
}

/// The names after one, as many as fit.
#[must_use]
pub fn hosts(board: &Board, filter: &HostFilter, after: Option<&DomainName>, limit: usize) -> HostPage {
    let mut rows: Vec<HostRow> = Vec::new();
    for found in merged(board, after) {
        let Some(row) = row(board, &found, filter) else { continue };
        if limit <= rows.len() {
            let next = rows.last().map(|row| row.name.clone());
            return HostPage { rows, next };
        }
        rows.push(row);
    }
    HostPage { rows, next: None }
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

fn row(board: &Board, found: &Found<'_>, filter: &HostFilter) -> Option<HostRow> {
    let name = found.name;
    if filter.text.as_ref().is_some_and(|text| !name.as_str().contains(text)) {
        return None;
    }
    let recorded = !found.zones.is_empty();
    let state = state_of(board, name, recorded);
    if filter.state.is_some_and(|wanted| wanted != state) {
        return None;
    }
    let wants: Vec<_> = board.wants_of(name).collect();
    let mut zones: Vec<ZoneRef> = found.zones.iter().map(|zone| zone_ref(zone)).collect();
    zones.extend(wants.iter().filter_map(|(_, want)| board.zone_ref(want.zone_id()?)));
    zones.extend(board.findings_of(name).filter_map(|finding| finding.zone.clone()));
    zones.sort_by(|left, right| (&left.name, &left.id).cmp(&(&right.name, &right.id)));
    zones.dedup();
    let in_zone = |word: &String| {
        let named = DomainName::new(word);
        zones.iter().any(|zone| zone.id.as_str() == word || zone.name == named)
    };
    if filter.zone.as_ref().is_some_and(|word| !in_zone(word)) {
        return None;
    }
    let objects = objects(board, name, &wants);
    let in_namespace = |word: &String| objects.iter().any(|object| *object.namespace == **word);
    if filter.namespace.as_ref().is_some_and(|word| !in_namespace(word)) {
        return None;
    }
    let mut types: BTreeSet<RecordType> = wants.iter().map(|(_, want)| want.record_type.clone()).collect();
    let sets = found.zones.iter().flat_map(|zone| zone.at(name)).filter(|set| set.record_type.is_address());
    types.extend(sets.map(|set| set.record_type.clone()));
    let present = board.findings_of(name).filter(|finding| finding.state != State::Resolved);
    Some(HostRow {
        name: name.clone(),
        state,
        wanted: !wants.is_empty(),
        recorded,
        types,
        zones,
        instances: wants.iter().map(|(one, _)| one.instance.id.to_string()).collect(),
        objects: objects.into_iter().take(MAX_OBJECTS).collect(),
        findings: present.map(|finding| finding.id.clone()).collect(),
    })
}

fn objects(
    board: &Board,
    name: &DomainName,
    wants: &[(&crate::model::want::InstanceWants, &Want)],
) -> BTreeSet<ObjectRef> {
    let wanting = wants.iter().flat_map(|(_, want)| &want.objects).cloned();
    let found = board.findings_of(name).filter_map(|finding| finding.object.clone());
    wanting.chain(found).chain(board.left_alone(name).iter().cloned()).collect()
}
