//! What logs and CloudTrail alone tell about refused changes: the diagnosis for somebody who has
//! nothing but a file.
//!
//! Without the cluster nobody knows what was wanted, so a refusal that names no record (an alias
//! refusal does not) is narrowed down by what was tried: a record that stands in every batch that
//! was refused this way is the one.

mod advice;
mod blame;
mod collect;
mod input;
mod show;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::finding::{Cause, Reason, Subject};
use crate::model::{DomainName, Version, ZoneId};

use self::collect::Collector;
pub use self::input::{InputError, Inputs, read};
pub use self::show::table;

/// The word in `format`.
pub const FORMAT: &str = "dns-drift-changes/1";

/// The diagnosis.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// Always [`FORMAT`].
    pub format: &'static str,
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// Refused changes: those that still stand first, then the most frequent.
    pub refused: Vec<Refused>,
    /// Reconciles that failed for another reason than a refused change.
    pub failed_runs: Vec<FailedRuns>,
}

/// One file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputReport {
    /// Its name; `-` for standard input.
    pub name: String,
    /// Lines of a log; absent for CloudTrail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Records of CloudTrail about changes; absent for a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<usize>,
    /// Version of ExternalDNS, where the log tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What could not be understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One refused change.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    /// `<fqdn>/<TYPE>`; `null` when nothing tells which record it was.
    pub subject: Option<Subject>,
    /// False if it is one of several that it may have been.
    pub certain: bool,
    /// What is known of it now.
    pub state: RefusedState,
    /// Bare id; `null` when the input does not tell it.
    pub zone_id: Option<ZoneId>,
    /// Zone name; `null` when the input does not tell it.
    pub zone: Option<DomainName>,
    /// Why, in the words of `failed_change`.
    pub reason: Reason,
    /// What made the request bad; `null` when the input does not tell it.
    pub cause: Option<Cause>,
    /// The alias target or value that Route 53 quotes.
    pub target: Option<Arc<str>>,
    /// How often, one for each reconcile.
    pub count: u64,
    /// First time.
    pub first_at: Timestamp,
    /// Last time.
    pub last_at: Timestamp,
    /// AWS request id of the last time.
    pub request_id: Option<Arc<str>>,
    /// Who tried, where CloudTrail tells it: the role or user.
    pub principal: Option<Arc<str>>,
    /// What Route 53 said.
    pub message: Arc<str>,
    /// What to do.
    pub advice: String,
}

/// What is known of a refused change now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedState {
    /// Refused, and nothing later says otherwise.
    Refused,
    /// A later reconcile had no trouble. Whether the record is right is not known.
    NoLongerTried,
    /// A later change of the record went through.
    Applied,
}

/// Reconciles that failed alike.
#[derive(Clone, Debug, Serialize)]
pub struct FailedRuns {
    /// Why, in the words of `controller_failing`.
    pub reason: Reason,
    /// How often.
    pub count: u64,
    /// First time.
    pub first_at: Timestamp,
    /// Last time.
    pub last_at: Timestamp,
    /// True if a process ended with it.
    pub fatal: bool,
    /// The last text.
    pub message: Arc<str>,
}

// === impl Diagnosis ===

impl Diagnosis {
    /// True if a change is refused as far as the input tells.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.refused.iter().any(|one| one.state == RefusedState::Refused)
    }
}

#[cfg(test)]
mod tests;
