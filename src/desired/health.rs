//! What is known of one kind: its rows, and whether they can be trusted. Pure.

mod staged;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::desired::contact::Contact;
use crate::desired::health::staged::Staged;
use crate::desired::kinds::{Kind, Row};
use crate::finding::Reason;
use crate::limits::MAX_BROKEN_OBJECTS;
use crate::model::ObjectRef;
use crate::model::text::printable;
use crate::snapshot::Problem;

/// One step of a watch.
#[derive(Clone, Debug)]
pub enum Change {
    /// A complete list at once.
    Replaced(Listing),
    /// A list begins. Until it is complete the rows stay what they were.
    Begun,
    /// One object of the list that began last: its row, if it is kept, or why it cannot be
    /// understood.
    Listed(ObjectRef, Result<Option<Row>, String>),
    /// The list that began last is complete: whatever is not in it is gone.
    Complete,
    /// A new or changed object; no row for one that needs not be kept.
    Applied(ObjectRef, Option<Row>),
    /// A new or changed object that cannot be understood, and why.
    Broken(ObjectRef, String),
    /// An object is gone.
    Deleted(ObjectRef),
    /// A list came back empty although nobody saw the objects go; a second list will tell.
    SuspiciouslyEmpty,
    /// A request failed.
    Failed(Failure),
    /// The cluster does not have the kind: a custom resource that is not installed.
    Absent,
}

/// A complete list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What is kept.
    pub rows: BTreeMap<ObjectRef, Row>,
    /// Objects that could not be understood, and why.
    pub broken: BTreeMap<ObjectRef, String>,
}

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was being done.
    pub stage: Stage,
    /// In the words of `observer_blind`.
    pub code: Reason,
    /// What happened, printable and bounded.
    pub message: String,
}

/// What was being done when it failed; success of the same heals it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Listing.
    List,
    /// Starting a watch.
    Start,
    /// Reading from a watch.
    Stream,
}

/// Bounds of trust.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without any word for so long the rows are stale.
    pub stale_after: Duration,
    /// A failure of a running watch is over when so much time passed without another.
    pub calm: Duration,
}

/// When the server was last heard of about the kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// In any way.
    pub last: Option<Contact>,
    /// By a watch, its start included.
    pub watch: Option<Contact>,
}

/// Rows and trust of one kind.
#[derive(Clone, Debug)]
pub struct KindState {
    kind: Kind,
    listed: bool,
    absent: bool,
    rows: BTreeMap<ObjectRef, Row>,
    /// The list that is being read; what is left of the watch of another time counts for nothing.
    staged: Option<Staged>,
    broken: BTreeMap<ObjectRef, String>,
    suspicious: bool,
    failing: Option<Failing>,
}

#[derive(Clone, Debug)]
struct Failing {
    failure: Failure,
    at: Instant,
    times: u32,
}

/// The verdict on one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The rows are complete and as new as a watch can be.
    pub fresh: bool,
    /// The first list came, or its failure: there is nothing more to wait for.
    pub settled: bool,
    /// What to tell.
    pub problems: Vec<Problem>,
}

// === impl KindState ===

impl KindState {
    /// Nothing read yet.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            listed: false,
            absent: false,
            rows: BTreeMap::new(),
            staged: None,
            broken: BTreeMap::new(),
            suspicious: false,
            failing: None,
        }
    }

    /// True if the cluster does not have the kind.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.absent
    }

    /// True when a complete list has been seen.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// True when a complete list has been seen, or has failed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.listed || self.failing.is_some()
    }

    /// The rows of the last list and the changes since.
    #[must_use]
    pub fn rows(&self) -> &BTreeMap<ObjectRef, Row> {
        &self.rows
    }

    /// Takes one step. Returns true if the rows changed.
    pub fn apply(&mut self, change: Change, now: Instant) -> bool {
        match change {
            Change::Replaced(listing) => self.replace(listing),
            Change::Begun => {
                self.staged = Some(Staged::default());
                false
            }
            Change::Listed(object, read) => {
                if let Some(staged) = &mut self.staged {
                    staged.take(&self.rows, object, read);
                }
                false
            }
            Change::Complete => self.staged.take().is_some_and(|staged| self.complete(staged)),
            Change::Applied(object, row) => {
                self.progress();
                self.broken.remove(&object);
                match row {
                    Some(row) if self.rows.get(&object) == Some(&row) => false,
                    Some(row) => {
                        self.rows.insert(object, row);
                        true
                    }
                    None => self.rows.remove(&object).is_some(),
                }
            }
            // The old row stays: the object is still there, only not understood.
            Change::Broken(object, message) => {
                self.progress();
                self.broken.insert(object, message);
                false
            }
            Change::Deleted(object) => {
                self.progress();
                self.broken.remove(&object);
                self.rows.remove(&object).is_some()
            }
            Change::SuspiciouslyEmpty => {
                self.suspicious = true;
                false
            }
            Change::Failed(failure) => {
                self.fail(failure, now);
                false
            }
            Change::Absent => self.clear(),
        }
    }

    fn replace(&mut self, listing: Listing) -> bool {
        let mut staged = Staged::default();
        for (object, row) in listing.rows {
            staged.take(&self.rows, object, Ok(Some(row)));
        }
        for (object, message) in listing.broken {
            staged.take(&self.rows, object, Err(message));
        }
        self.complete(staged)
    }

    fn complete(&mut self, staged: Staged) -> bool {
        let (differs, broken) = staged.finish(&mut self.rows);
        let changed = !self.listed || differs || !broken.is_empty();
        self.broken = broken;
        self.listed = true;
        self.absent = false;
        self.suspicious = false;
        // A list says nothing about the right to watch.
        self.failing.take_if(|failing| failing.failure.stage == Stage::List);
        changed
    }

    /// A kind that is not installed has no objects, and that is known for sure.
    fn clear(&mut self) -> bool {
        let changed = !self.absent;
        *self = Self { listed: true, absent: true, ..Self::new(self.kind) };
        changed
    }

    /// An event on a watch heals everything.
    fn progress(&mut self) {
        self.failing = None;
    }

    fn fail(&mut self, failure: Failure, now: Instant) {
        let times = self.failing.as_ref().map_or(0, |failing| failing.times);
        self.failing = Some(Failing { failure, at: now, times: times.saturating_add(1) });
    }

    /// Judges the rows at a time.
    pub fn trust(&mut self, heard: Heard, now: Instant, patience: Patience) -> Trust {
        if self.absent && self.failing.is_none() {
            return Trust { fresh: true, settled: true, problems: Vec::new() };
        }
        self.failing.take_if(|failing| failing.is_over(heard, now, patience));
        let silent_since = match heard.last {
            Some(contact) if now.duration_since(contact.instant) <= patience.stale_after => None,
            other => Some(other),
        };
        let mut problems = Vec::new();
        let failing = self.failing.as_ref().filter(|failing| failing.counts(self.listed));
        if let Some(failing) = failing {
            problems.push(self.problem(failing.failure.code, failing.failure.message.clone()));
        } else if let Some(Some(contact)) = silent_since.filter(|_| self.listed) {
            let message = format!("nothing heard of {} since {:.0}", self.kind.plural(), contact.at);
            problems.push(self.problem(Reason::Unreachable, message));
        }
        if self.suspicious {
            let message = format!("the list of {} came back empty; asking again", self.kind.plural());
            problems.push(self.problem(Reason::EmptySuspicious, message));
        }
        let fresh = self.listed && problems.is_empty() && silent_since.is_none();
        problems.extend(broken_problems(self.kind, &self.broken));
        Trust { fresh, settled: self.is_settled(), problems }
    }

    fn problem(&self, code: Reason, message: String) -> Problem {
        Problem { scope: self.kind.as_str().to_owned(), code, message }
    }
}

/// One problem for each object that could not be understood, and one for those beyond the bound.
#[must_use]
pub fn broken_problems(kind: Kind, broken: &BTreeMap<ObjectRef, String>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = broken
        .iter()
        .take(MAX_BROKEN_OBJECTS)
        .map(|(object, message)| Problem {
            scope: printable(&object.to_string()),
            code: Reason::Parse,
            message: message.clone(),
        })
        .collect();
    let more = broken.len().saturating_sub(MAX_BROKEN_OBJECTS);
    if more > 0 {
        let message = format!("{more} more {} could not be understood", kind.plural());
        problems.push(Problem { scope: kind.as_str().to_owned(), code: Reason::Parse, message });
    }
    problems
}

impl Failing {
    /// A list's failure ends with a list, see [`KindState::complete`].
    fn is_over(&self, heard: Heard, now: Instant, patience: Patience) -> bool {
        let watch_since = heard.watch.is_some_and(|contact| contact.instant > self.at);
        match self.failure.stage {
            Stage::List => false,
            Stage::Start => watch_since,
            // A server may accept each watch and break it off at once.
            Stage::Stream => watch_since && now.duration_since(self.at) >= patience.calm,
        }
    }

    /// One broken connection is life; a refusal, a repetition or no list at all is a problem.
    fn counts(&self, listed: bool) -> bool {
        !listed || self.times > 1 || self.failure.code == Reason::Forbidden
    }
}

#[cfg(test)]
mod tests;
