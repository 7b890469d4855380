//! The report of a round: what metrics, pages, the JSON API and the command line render.
//!
//! Its serialised form is the contract of recording.md, "Report of a check". A report is immutable
//! once published. Pure.

mod about;
pub mod baseline;
mod narrow;
pub mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::finding::{Cause, Impact, Kind, Reason, Severity, SilentReason, State, Subject};
use crate::model::instance::{Origin, PodHealth, Trap};
use crate::model::{DomainName, ObjectRef, ZoneId};
use crate::snapshot::{Problem, ViewName, ViewState};

/// The word in `format`.
pub const FORMAT: &str = "dns-drift-report/1";

/// A word of this program. Under this name, because a reader would take a plain reference for a part of
/// the text that it reads.
pub type FormatWord = &'static str;

/// The outcome of one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Always [`FORMAT`].
    #[serde(deserialize_with = "read::format")]
    pub format: FormatWord,
    /// The time of the round.
    pub at: Timestamp,
    /// How fresh each view is.
    pub views: BTreeMap<ViewName, ViewReport>,
    /// Counts.
    pub summary: Summary,
    /// Findings, the most urgent first: state, severity, then subject.
    pub findings: Vec<Finding>,
    /// What was not compared, or compared and kept quiet, and why.
    pub silent: Vec<Silent>,
    /// The mutes that are declared.
    pub mutes: Vec<MuteReport>,
    /// The running instances.
    pub instances: Vec<InstanceReport>,
    /// The hosted zones.
    pub zones: Vec<ZoneReport>,
}

/// One view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ViewReport {
    /// How fresh it is.
    pub state: ViewState,
    /// When it was last complete; absent before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// Counts over all names. A name here is a record that an instance wants, in its zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Wanted records.
    pub names: usize,
    /// Those without any finding.
    pub in_sync: usize,
    /// Findings that wait for a window or a second look.
    pub pending: usize,
    /// Findings that are open.
    pub open: usize,
    /// Wanted records that could not be judged.
    pub unknown: usize,
    /// Mutes in force that never end: each hides its findings for ever.
    pub mutes_without_end: usize,
    /// How often each silent reason applied.
    pub silent: BTreeMap<SilentReason, usize>,
}

/// One finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Stable across rounds and restarts for the same subject and kind: 16 hex digits.
    pub id: String,
    /// What is wrong.
    pub kind: Kind,
    /// Why.
    pub reason: Reason,
    /// Where it comes from; `null` when that is not known.
    pub cause: Option<Cause>,
    /// Where it stands.
    pub state: State,
    /// How loud it is.
    pub severity: Severity,
    /// What users get now.
    pub impact: Impact,
    /// What it is about.
    #[serde(deserialize_with = "read::subject")]
    pub subject: Subject,
    /// The hosted zone; `null` when it lives in none.
    pub zone: Option<ZoneRef>,
    /// The instance's owner id; `null` when no instance is concerned.
    pub instance: Option<Arc<str>>,
    /// The object that asks for it; `null` when there is none.
    pub object: Option<ObjectRef>,
    /// Labels copied from the object (the configured allow-list, `team` by default).
    pub labels: BTreeMap<String, String>,
    /// When it was first seen, or had demonstrably begun.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// While pending: when its window closes, if one is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_until: Option<Timestamp>,
    /// While muted: who asked for it, why, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mute: Option<Mute>,
    /// What is wanted: `{"type","ttl","values"}` or `{"type","alias"}`; `{}` when nothing is.
    pub desired: Json,
    /// What stands in the zone, one member for each record type found.
    pub recorded: Json,
    /// What DNS answers, one member for each view.
    pub live: Json,
    /// Lines of logs and answers that show it, bounded and escaped.
    pub evidence: Vec<String>,
    /// The other kinds that hold for the subject.
    pub also: Vec<Also>,
    /// The id of the finding that explains this one; `null` when none does.
    pub explained_by: Option<String>,
    /// One sentence that a tired person understands.
    pub summary: String,
    /// What to do.
    pub fix: Fix,
    /// Where the page about the kind is.
    pub runbook: String,
    /// What became of it over time, the oldest first, bounded. For the page; not part of the
    /// contract.
    #[serde(skip)]
    pub steps: Vec<Step>,
}

/// How a finding stood from one moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The round that saw it first.
    pub at: Timestamp,
    /// Where it stood.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// How loud it was.
    pub severity: Severity,
    /// What users got.
    pub impact: Impact,
}

/// Why a finding is kept quiet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Who: `annotation of <object>`, `mutes[<index>]` of the configuration, or `maintenance`.
    pub by: String,
    /// The words of whoever asked for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When it ends; `null` for never.
    pub until: Option<Timestamp>,
}

/// One mute that is declared, whether it applies to a finding or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MuteReport {
    /// Who, as in [`Mute`].
    pub by: String,
    /// The kinds that it names; empty for all of a rule.
    pub kinds: Vec<String>,
    /// When it ends; `null` for never.
    pub until: Option<Timestamp>,
    /// The words of whoever asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it stands.
    pub state: MuteState,
    /// What could not be understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Where a mute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MuteState {
    /// In force.
    Active,
    /// Its end has passed.
    Ended,
    /// It cannot be read, so it mutes nothing.
    Malformed,
}

/// A kind that holds beside the primary one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Also {
    /// What else is wrong.
    pub kind: Kind,
    /// Why.
    pub reason: Reason,
}

/// Names a hosted zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRef {
    /// Bare id.
    pub id: ZoneId,
    /// Zone name.
    pub name: DomainName,
    /// True for a private zone.
    pub private: bool,
}

/// What mends a finding. Commands are printed for a person; dns-drift never runs them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// One sentence.
    pub summary: String,
    /// Commands to copy, the first one first.
    pub commands: Vec<String>,
    /// A change batch for `aws route53 change-resource-record-sets`; absent when the mend is not
    /// in Route 53.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_batch: Option<Json>,
    /// The batch that takes `change_batch` back; absent with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inverse_batch: Option<Json>,
    /// Commands that only look: one for each view that takes part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}

/// One suppressed comparison.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Silent {
    /// What it is about.
    #[serde(deserialize_with = "read::subject")]
    pub subject: Subject,
    /// The rule.
    pub reason: SilentReason,
    /// The rule's own words.
    pub detail: String,
}

/// One instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceReport {
    /// Owner id.
    pub id: Arc<str>,
    /// How it became known.
    pub origin: Origin,
    /// The workload that runs it; `null` when configured or assumed.
    pub workload: Option<ObjectRef>,
    /// Version; `null` when not known.
    pub version: Option<crate::model::Version>,
    /// The annotation prefix that it reads.
    pub annotation_prefix: String,
    /// Its sources.
    pub sources: Vec<String>,
    /// Those of its sources that are not computed: what they want is not known, and records that
    /// they made are never called stale.
    pub sources_not_modelled: Vec<String>,
    /// Its policy.
    pub policy: crate::model::instance::Policy,
    /// Records that it wants.
    pub wants: usize,
    /// Pods that are ready.
    pub ready_pods: usize,
    /// Pods.
    pub pods: usize,
    /// What a person wants to see of it. For the page; not part of the contract.
    #[serde(skip)]
    pub details: InstanceDetails,
}

/// What shapes and what ails an instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstanceDetails {
    /// Flags in force with their values, defaults of the version included; empty ones left out.
    pub flags: Vec<(&'static str, String)>,
    /// Names of flags that are not known here.
    pub unknown_flags: Vec<String>,
    /// What this version is known to get wrong.
    pub traps: Vec<Trap>,
    /// Its Pods, sorted by name.
    pub pods: Vec<PodHealth>,
    /// The zones of the records that it wants, each with their number.
    pub zones: BTreeMap<ZoneId, usize>,
    /// When the workload's spec last changed; `None` when unknown.
    pub changed_at: Option<Timestamp>,
}

/// One hosted zone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ZoneReport {
    /// Id, name, type.
    #[serde(flatten)]
    pub zone: ZoneRef,
    /// Record sets; `null` while the zone has not been read.
    pub record_sets: Option<usize>,
    /// When it was last read completely; `null` before that.
    pub read_at: Option<Timestamp>,
    /// Records that instances want in it.
    pub wants: usize,
    /// Those with an open finding.
    pub out_of_sync: usize,
}

impl fmt::Display for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.by)?;
        match self.until {
            Some(until) => write!(f, " until {until}")?,
            None => f.write_str(" without an end")?,
        }
        self.reason.iter().try_for_each(|reason| write!(f, ": {reason}"))
    }
}

impl Report {
    /// True if a view that a verdict cannot do without was not read, or so little of the hosted zones that
    /// not one of the names could be judged.
    pub fn is_blind(&self) -> bool {
        let nothing_judged = 0 < self.summary.names && self.summary.unknown == self.summary.names;
        nothing_judged || [ViewName::Kubernetes, ViewName::Route53].into_iter().any(|view| self.lacks(view))
    }

    /// True if a verdict cannot do without the view.
    pub const fn is_vital(view: ViewName) -> bool {
        matches!(view, ViewName::Kubernetes | ViewName::Route53)
    }

    /// True if what the view shows is old, or nothing.
    pub fn lacks(&self, view: ViewName) -> bool {
        let lacks = |state| matches!(state, ViewState::Unread | ViewState::Stale);
        self.views.get(&view).is_none_or(|view| lacks(view.state))
    }

    /// Open findings at least as loud as `floor`.
    pub fn open_from(&self, floor: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.state == State::Open && floor <= finding.severity)
    }
}
