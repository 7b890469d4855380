//! Everything that one round has seen, as plain values.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::Reason;
use crate::model::change::ChangeFeed;
use crate::model::grant::Grant;
use crate::model::instance::{Instance, Origin};
use crate::model::object::registry_word;
use crate::model::observation::Observation;
use crate::model::zone::Zones;
use crate::model::{ObjectRef, Objects};

/// The four views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewName {
    /// What the cluster's objects ask for.
    Kubernetes,
    /// What the hosted zones hold.
    Route53,
    /// What DNS answers.
    Dns,
    /// What was tried on Route 53.
    Changes,
}

/// How fresh a view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewState {
    /// Read in this round.
    Read,
    /// Not read in this round; the last value is kept.
    Stale,
    /// Never read.
    Unread,
    /// Not asked for.
    Off,
}

impl ViewState {
    /// True for a view that is asked for and was not read in this round.
    #[must_use]
    pub const fn is_missed(self) -> bool {
        matches!(self, Self::Stale | Self::Unread)
    }
}

/// One view as a round sees it.
#[derive(Clone, Debug)]
pub struct Reading<T> {
    /// How fresh it is.
    pub state: ViewState,
    /// When it was last complete; `None` before that.
    pub read_at: Option<Timestamp>,
    /// The last complete value; `None` before the first, never partial.
    pub value: Option<Arc<T>>,
    /// What could not be read in this round.
    pub problems: Vec<Problem>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// `all`, a hosted zone id, a resource kind, a server, or one object.
    pub scope: String,
    /// In the words of `observer_blind`: forbidden, throttled, unreachable, parse, `empty_suspicious`.
    pub code: Reason,
    /// What happened, printable and bounded.
    pub message: String,
}

/// Scope of a problem with one whole account among several: this and the account's name.
pub const ACCOUNT_SCOPE: &str = "account ";

/// The Kubernetes view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// The objects that may ask for names.
    pub objects: Objects,
    /// The running instances, sorted by id.
    pub instances: Vec<Arc<Instance>>,
    /// True if there is any ExternalDNS that writes to another DNS provider: where it is the only one, none
    /// is to be assumed beside it.
    pub has_other_providers: bool,
    /// Kinds of objects that are watched, as the API spells them; absence of an object counts
    /// only for these.
    pub watched_kinds: Vec<Arc<str>>,
    /// Kinds that some instance needs and that could not be read.
    pub unread_kinds: Vec<Arc<str>>,
    /// Kinds that no instance reads: a problem with one of them hides nothing. Empty when not known.
    pub idle_kinds: Vec<Arc<str>>,
    /// What service accounts may do; `None` when no role was readable.
    pub grants: Option<Vec<Grant>>,
}

impl Cluster {
    /// True if the instance is to stand in because the cluster shows none. One that is merely assumed does
    /// not where somebody writes the names to another provider.
    #[must_use]
    pub fn lacks(&self, instance: &Instance) -> bool {
        self.instances.is_empty() && !(self.has_other_providers && instance.origin == Origin::Assumed)
    }

    /// True if objects of a kind are watched; the kind as the ownership registry spells it.
    #[must_use]
    pub fn watches(&self, word: &str) -> bool {
        let same = |kind: &Arc<str>| registry_word(kind).eq_ignore_ascii_case(word);
        self.watched_kinds.iter().any(same)
    }
}

/// The input of a comparison: what the four views say now.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The time of the round.
    pub at: Timestamp,
    /// Kubernetes.
    pub kubernetes: Reading<Cluster>,
    /// Route 53.
    pub route53: Reading<Zones>,
    /// Live DNS: the observations of this round (the newest of each server and question).
    pub dns: Reading<Vec<Arc<Observation>>>,
    /// Failed and applied changes.
    pub changes: Reading<ChangeFeed>,
}

// === impl Snapshot ===

impl Snapshot {
    /// What live DNS said; nothing when it was not asked.
    pub fn observations(&self) -> impl Iterator<Item = &Observation> {
        self.dns.value().into_iter().flatten().map(Arc::as_ref)
    }

    /// The objects that were listed and could not be understood: they are there, and what they ask for is
    /// not known.
    #[must_use]
    pub fn odd_objects(&self) -> Vec<ObjectRef> {
        self.kubernetes.problems.iter().filter_map(|problem| ObjectRef::from_shown(&problem.scope)).collect()
    }

    /// False if a whole account could not be read: then a zone that is not seen may still exist.
    #[must_use]
    pub fn accounts_read(&self) -> bool {
        !self.route53.problems.iter().any(|problem| problem.scope.starts_with(ACCOUNT_SCOPE))
    }
}

// === impl ViewName ===

impl ViewName {
    /// All views, in reading order.
    pub const ALL: [Self; 4] = [Self::Kubernetes, Self::Route53, Self::Dns, Self::Changes];

    /// The word in reports, labels and `source/<view>` subjects.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Route53 => "route53",
            Self::Dns => "dns",
            Self::Changes => "changes",
        }
    }
}

// === impl Reading ===

impl<T> Reading<T> {
    /// A view that was read completely.
    #[must_use]
    pub fn read(at: Timestamp, value: T) -> Self {
        Self { state: ViewState::Read, read_at: Some(at), value: Some(Arc::new(value)), problems: Vec::new() }
    }

    /// A view that has never been read.
    #[must_use]
    pub fn unread(problems: Vec<Problem>) -> Self {
        Self { state: ViewState::Unread, read_at: None, value: None, problems }
    }

    /// A view that nobody asked for.
    #[must_use]
    pub fn off() -> Self {
        Self { state: ViewState::Off, read_at: None, value: None, problems: Vec::new() }
    }

    /// True if the value is of this round and nothing is missing from it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state == ViewState::Read && self.problems.is_empty()
    }

    /// The last complete value.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.value.as_deref()
    }
}
