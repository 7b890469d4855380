//! An earlier report as a baseline: what stood then is known, the rest is new. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{Severity, State};
use crate::model::text::printable;
use crate::report::{FORMAT, Finding, Report};

/// What has to be known of an earlier report. Its words are texts, so that a report of another
/// version can serve too: a word that we do not know equals none of ours.
#[derive(Clone, Debug, Deserialize)]
pub struct Baseline {
    format: String,
    at: Timestamp,
    findings: Vec<Earlier>,
}

/// A finding of the earlier report.
#[derive(Clone, Debug, Deserialize)]
struct Earlier {
    id: String,
    reason: String,
    state: String,
    severity: String,
}

/// How a report stands against its baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Against {
    /// The time of the baseline.
    pub at: Timestamp,
    /// Findings left out because the baseline has them.
    pub known: usize,
    /// Findings that stood in the baseline and do not stand now.
    pub gone: usize,
}

/// Why a text is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Not the JSON of a report.
    #[error("not a report; write one with `dns-drift check -o json`")]
    Json(#[from] serde_json::Error),
    /// The JSON of something else.
    #[error("the format is {0:?} and not {FORMAT:?}; write one with `dns-drift check -o json`")]
    Format(String),
}

impl Baseline {
    /// Reads what `check -o json` printed.
    ///
    /// # Errors
    ///
    /// When it is no report.
    pub fn parse(text: &[u8]) -> Result<Self, BaselineError> {
        let baseline: Self = serde_json::from_slice(text)?;
        if baseline.format != FORMAT {
            return Err(BaselineError::Format(printable(&baseline.format)));
        }
        Ok(baseline)
    }

    /// Leaves in the report only what is new, and counts only that as open and pending.
    ///
    /// Known is what stood with the same reason and at least the same severity. What was merely
    /// pending then, or explained by something else, had not been judged: it is new.
    pub fn apply(&self, report: &mut Report) -> Against {
        let stood: BTreeMap<&str, &Earlier> = self
            .findings
            .iter()
            .filter(|earlier| earlier.stood())
            .map(|earlier| (earlier.id.as_str(), earlier))
            .collect();
        let stands: BTreeSet<&str> = report
            .findings
            .iter()
            .filter(|finding| finding.state != State::Resolved)
            .map(|finding| finding.id.as_str())
            .collect();
        let gone = stood.keys().filter(|id| !stands.contains(*id)).count();
        let before = report.findings.len();
        report.findings.retain(|finding| {
            finding.state == State::Resolved
                || stood.get(finding.id.as_str()).is_none_or(|earlier| !earlier.covers(finding))
        });
        let count = |state| report.findings.iter().filter(|finding| finding.state == state).count();
        (report.summary.open, report.summary.pending) = (count(State::Open), count(State::Pending));
        Against { at: self.at, known: before.saturating_sub(report.findings.len()), gone }
    }
}

impl Earlier {
    fn stood(&self) -> bool {
        matches!(State::from_word(&self.state), Some(State::Open | State::Muted | State::Stale))
    }

    fn covers(&self, finding: &Finding) -> bool {
        let as_loud = Severity::from_word(&self.severity).is_some_and(|then| finding.severity <= then);
        as_loud && self.reason == finding.reason.as_str()
    }
}
