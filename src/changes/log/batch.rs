//! The last batch of one zone, as its `Desired change` lines tell it.

use std::mem;

use jiff::{SignedDuration, Timestamp};

use crate::limits::{MAX_BATCH_CHANGES, MAX_CANDIDATES};
use crate::model::change::{Action, AttemptedChange, RefusalError};
use crate::model::{DomainName, RecordType};

/// The lines of a batch are written at once, before it is sent. A later one belongs to another
/// reconcile, even if nothing between them says so (dry run, very old versions).
const ONE_BATCH: SignedDuration = SignedDuration::from_secs(5);

/// A batch and how it went.
#[derive(Clone, Debug, Default)]
pub(super) struct ZoneBatch {
    /// Zone name, as soon as a line tells it.
    pub(super) name: Option<DomainName>,
    /// How it went.
    pub(super) outcome: Outcome,
    changes: Vec<AttemptedChange>,
    /// True if `changes` lacks some.
    cut: bool,
    last_at: Option<Timestamp>,
    /// Debug lines since the last group that was refused alone.
    group: Vec<AttemptedChange>,
}

/// How a batch went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No result yet.
    #[default]
    Open,
    /// Refused as a whole.
    Refused,
    /// All of it, or what was left of it after a refusal, went through.
    Applied,
    /// Its reconcile ended without a word about it.
    Unknown,
}

// === impl ZoneBatch ===

impl ZoneBatch {
    /// Adds a change, to a new batch if the last one is over. False if it was dropped.
    pub(super) fn push(&mut self, change: AttemptedChange, at: Timestamp) -> bool {
        let late = self.last_at.is_some_and(|last| ONE_BATCH < at.duration_since(last));
        if self.outcome != Outcome::Open || late {
            *self = Self { name: self.name.take(), ..Self::default() };
        }
        self.last_at = Some(at);
        if MAX_BATCH_CHANGES <= self.changes.len() {
            self.cut = true;
            return false;
        }
        self.changes.push(change);
        true
    }

    /// Adds a change of the repetition group by group. False if it was dropped.
    pub(super) fn push_group(&mut self, change: AttemptedChange) -> bool {
        let fits = self.group.len() < MAX_BATCH_CHANGES;
        if fits {
            self.group.push(change);
        }
        fits
    }

    /// True if the batch holds exactly this number of changes.
    pub(super) fn counts_to(&self, count: u64) -> bool {
        !self.cut && u64::try_from(self.changes.len()) == Ok(count)
    }

    /// Ends the batch and gives its changes. A batch that its reconcile left behind tells nothing
    /// about what came later.
    pub(super) fn close(&mut self, outcome: Outcome) -> Vec<AttemptedChange> {
        let was = mem::replace(&mut self.outcome, outcome);
        self.group.clear();
        if was == Outcome::Open { self.changes.clone() } else { Vec::new() }
    }

    /// What the group that was just refused alone may be: exactly it when the log is at debug
    /// level, else the changes of its batch that fit the errors. Empty when that says too little.
    pub(super) fn take_candidates(&mut self, errors: &[RefusalError]) -> Vec<AttemptedChange> {
        if !self.group.is_empty() {
            let start = last_group(&self.group);
            let group = self.group.split_off(start);
            self.group.clear();
            return if group.len() <= MAX_CANDIDATES { group } else { Vec::new() };
        }
        if self.outcome != Outcome::Refused {
            return Vec::new();
        }
        if self.changes.len() <= MAX_CANDIDATES {
            return self.changes.clone();
        }
        let fitting = self.changes.iter().filter(|change| errors.iter().any(|error| fits(change, error)));
        let candidates: Vec<AttemptedChange> = fitting.take(MAX_CANDIDATES + 1).cloned().collect();
        if candidates.len() <= MAX_CANDIDATES { candidates } else { Vec::new() }
    }
}

/// True if the error may be about this change.
fn fits(change: &AttemptedChange, error: &RefusalError) -> bool {
    let name = error.name.as_ref().is_none_or(|name| *name == change.name);
    let part = error.fragment.as_deref().is_none_or(|part| change.name.as_str().contains(part));
    let record_type = error.record_type.as_ref().is_none_or(|record_type| *record_type == change.record_type);
    // A refusal that quotes a target is about writing it.
    let writes = error.target.is_none() || change.action != Action::Delete;
    name && part && record_type && writes
}

/// Where the last group of names begins. Groups follow each other without a mark; each belongs
/// to one name, with the ownership TXTs of that name under names of their own.
fn last_group(lines: &[AttemptedChange]) -> usize {
    let is_ownership = |change: &AttemptedChange| change.record_type == RecordType::Txt;
    let Some(main) = lines.iter().rev().find(|change| !is_ownership(change)) else {
        return 0;
    };
    let other = lines.iter().rposition(|change| !is_ownership(change) && change.name != main.name);
    let start = other.map_or(0, |index| index + 1);
    // TXTs of the group before stand between its last name and ours.
    let foreign = lines.iter().skip(start).take_while(|change| !belongs(&change.name, &main.name)).count();
    start + foreign
}

/// True if the name can be that of an ownership TXT of `main`, or `main` itself.
fn belongs(name: &DomainName, main: &DomainName) -> bool {
    let (name, main) = (name.as_str(), main.as_str());
    let main = main.strip_prefix("*.").unwrap_or(main);
    if name.ends_with(main) {
        return true;
    }
    // A suffix is put behind the first label.
    let (Some((label, rest)), Some((main_label, main_rest))) = (name.split_once('.'), main.split_once('.'))
    else {
        return false;
    };
    rest == main_rest && label.contains(main_label)
}
