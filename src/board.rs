//! What one round knows about every name, published beside its report. Pure.
//!
//! A report lists what is wrong; a board also answers for the names that are well. It copies
//! nothing: it shares the readings that the round was made from, and looks names up when asked.

pub mod heard;
pub mod host;
pub mod hosts;
pub mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use crate::board::hosts::Found;
use crate::finding::Subject;
use crate::model::object::team;
use crate::model::want::{InstanceWants, Placement, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef, ZoneId};
use crate::report::{Finding, Report, Silent, ZoneRef};
use crate::snapshot::{Reading, Snapshot};

/// One round: its report and what it was made from.
#[derive(Debug)]
pub struct Board {
    /// What the round says.
    pub report: Arc<Report>,
    /// What it has seen.
    pub snapshot: Snapshot,
    /// What the instances want.
    pub wants: Arc<[InstanceWants]>,
    /// Zones that were read too long ago to judge by.
    pub lost: BTreeSet<ZoneId>,
    index: OnceLock<Index>,
    /// All names; made when somebody asks for a list of them, and kept for the next page of it.
    roll: OnceLock<Vec<Found>>,
}

/// Where a name occurs in lists that are not sorted by name. Made when somebody asks.
#[derive(Debug, Default)]
struct Index {
    findings: BTreeMap<DomainName, Vec<usize>>,
    silent: BTreeMap<DomainName, Vec<usize>>,
    /// Objects that give a name which nobody writes.
    left_alone: BTreeMap<DomainName, Vec<ObjectRef>>,
}

impl Board {
    /// Puts a round together.
    #[must_use]
    pub fn new(
        report: Arc<Report>,
        snapshot: Snapshot,
        wants: Arc<[InstanceWants]>,
        lost: BTreeSet<ZoneId>,
    ) -> Self {
        Self { report, snapshot, wants, lost, index: OnceLock::new(), roll: OnceLock::new() }
    }

    /// A report of which nothing else is known.
    #[must_use]
    pub fn bare(report: Arc<Report>) -> Self {
        let snapshot = Snapshot {
            at: report.at,
            kubernetes: Reading::unread(Vec::new()),
            route53: Reading::unread(Vec::new()),
            dns: Reading::unread(Vec::new()),
            changes: Reading::unread(Vec::new()),
        };
        Self::new(report, snapshot, Arc::default(), BTreeSet::new())
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(self))
    }

    /// The findings about a name, the most urgent first.
    pub fn findings_of(&self, name: &DomainName) -> impl Iterator<Item = &Finding> {
        let rows = self.index().findings.get(name).into_iter().flatten();
        rows.filter_map(|row| self.report.findings.get(*row))
    }

    /// What was kept quiet about a name.
    pub fn silent_of(&self, name: &DomainName) -> impl Iterator<Item = &Silent> {
        let rows = self.index().silent.get(name).into_iter().flatten();
        rows.filter_map(|row| self.report.silent.get(*row))
    }

    /// Objects that give a name which no instance writes for them.
    fn left_alone(&self, name: &DomainName) -> &[ObjectRef] {
        self.index().left_alone.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the instances want at a name.
    pub fn wants_of(&self, name: &DomainName) -> impl Iterator<Item = (&InstanceWants, &Want)> {
        self.wants.iter().flat_map(move |one| one.at(name).iter().map(move |want| (one, want)))
    }

    /// Who looks after an object: its label `team`, with or without a prefix.
    #[must_use]
    pub fn team_of(&self, object: &ObjectRef) -> Option<&str> {
        team(self.snapshot.kubernetes.value()?.objects.get(object)?.labels.iter())
    }

    /// The hosted zones.
    pub fn zones(&self) -> impl Iterator<Item = &ZoneReading> {
        self.snapshot.route53.value().into_iter().flat_map(|zones| zones.zones.values())
    }

    fn zone(&self, id: &ZoneId) -> Option<&ZoneReading> {
        self.snapshot.route53.value()?.zones.get(id)
    }

    fn zone_ref(&self, id: &ZoneId) -> Option<ZoneRef> {
        self.zone(id).map(zone_ref)
    }

    /// True if the round could not judge the wish.
    fn is_unknown(&self, want: &Want) -> bool {
        match &want.placement {
            Placement::Unknown => true,
            Placement::NoZone(_) => !self.snapshot.accounts_read(),
            Placement::Zone(id) => {
                let read = self.zone(id).is_some_and(|zone| zone.record_sets.is_some());
                !read || self.lost.contains(id)
            }
        }
    }
}

impl Index {
    fn of(board: &Board) -> Self {
        let mut index = Self::default();
        for (row, finding) in board.report.findings.iter().enumerate() {
            if let Subject::Record(key) = &finding.subject {
                index.findings.entry(key.name.clone()).or_default().push(row);
            }
        }
        for (row, silent) in board.report.silent.iter().enumerate() {
            if let Subject::Record(key) = &silent.subject {
                index.silent.entry(key.name.clone()).or_default().push(row);
            }
        }
        for one in board.wants.iter() {
            for unwanted in &one.unwanted {
                let Some(name) = &unwanted.name else { continue };
                index.left_alone.entry(name.clone()).or_default().extend(unwanted.object.clone());
            }
            for object in &one.without_target {
                for name in &object.names {
                    index.left_alone.entry(name.clone()).or_default().push(object.object.clone());
                }
            }
        }
        index
    }

    /// Sorted names of each list, those after one or all.
    fn names(&self, after: Option<&DomainName>) -> [Box<dyn Iterator<Item = &DomainName> + '_>; 3] {
        [names(&self.findings, after), names(&self.silent, after), names(&self.left_alone, after)]
    }
}

fn names<'a, T>(
    rows: &'a BTreeMap<DomainName, T>,
    after: Option<&DomainName>,
) -> Box<dyn Iterator<Item = &'a DomainName> + 'a> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    Box::new(rows.range::<DomainName, _>((from, Bound::Unbounded)).map(|(name, _)| name))
}

fn zone_ref(reading: &ZoneReading) -> ZoneRef {
    ZoneRef { id: reading.zone.id.clone(), name: reading.zone.name.clone(), private: reading.zone.private }
}
