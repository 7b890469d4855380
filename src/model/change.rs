//! The change feed: what was tried on Route 53, by whom, and how it ended.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::Reason;
use crate::model::{DomainName, ObjectRef, RecordType, Version, ZoneId};

/// Everything that is known about changes, oldest first. Bounded by
/// [`crate::limits::MAX_CHANGE_EVENTS`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeFeed {
    /// Sorted by time.
    pub events: Vec<ChangeEvent>,
    /// The streams that are followed, with the time of the last line or event.
    pub streams: Vec<FeedStream>,
    /// What the Pods of ExternalDNS say about themselves on `/metrics`, sorted by namespace and
    /// Pod; empty when nobody scrapes.
    pub controllers: Vec<ControllerMetrics>,
    /// What ExternalDNS complains about in Events, sorted by object, name and type. Weak: on an
    /// error every change of the plan gets one, those that went through too.
    pub notices: Vec<Notice>,
}

/// An Event of ExternalDNS about a record of an object. Never more than an evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When it was seen last.
    pub at: Timestamp,
    /// The object.
    pub object: ObjectRef,
    /// The record's name.
    pub name: DomainName,
    /// Its type, when told.
    pub record_type: Option<RecordType>,
    /// The note, printable and bounded.
    pub message: Arc<str>,
}

/// The metrics of one ExternalDNS process. What a version does not export is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerMetrics {
    /// Namespace of the Pod.
    pub namespace: Arc<str>,
    /// Pod name.
    pub pod: Arc<str>,
    /// When they were read.
    pub at: Timestamp,
    /// The last reconcile without any error (v0.7 and later); `None` also before the first.
    pub last_sync: Option<Timestamp>,
    /// The last reconcile that began (v0.14.0 and later).
    pub last_reconcile: Option<Timestamp>,
    /// Reconciles that failed in a row (v0.18.0 and later).
    pub soft_errors: Option<u64>,
    /// Reconciles that failed on the side of Route 53, since the process started.
    pub registry_errors: Option<u64>,
    /// Reconciles that failed on the side of Kubernetes, since the process started.
    pub source_errors: Option<u64>,
    /// The first reading in which one of the two had grown last; `None` while neither was seen to.
    pub errors_grew_at: Option<Timestamp>,
    /// Creates that another owner blocks (v0.21.0 and later).
    pub owner_mismatches: Option<u64>,
    /// Version (v0.19.0 and later).
    pub version: Option<Version>,
    /// Start of the process.
    pub started_at: Option<Timestamp>,
}

/// What CloudTrail tells about a caller beside its principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// ARN with the name of the session, which often is a person; empty when not told.
    pub session: Arc<str>,
    /// `userAgent`; empty when not told.
    pub user_agent: Arc<str>,
    /// `sourceIPAddress`: an address or the name of an AWS service; empty when not told.
    pub source: Arc<str>,
}

/// One followed stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedStream {
    /// Where it comes from.
    pub source: FeedSource,
    /// Time of its last line or event; `None` before the first.
    pub last_at: Option<Timestamp>,
    /// When it was last read to its end; `None` when nobody has told yet.
    pub read_at: Option<Timestamp>,
}

/// Where an event was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FeedSource {
    /// The log of a container.
    Log {
        /// Namespace of the Pod.
        namespace: Arc<str>,
        /// Pod name.
        pod: Arc<str>,
        /// Container name.
        container: Arc<str>,
    },
    /// A CloudTrail record.
    CloudTrail {
        /// `eventID`.
        event_id: Arc<str>,
        /// ARN of the session issuer (the role) or of the user; empty when not told.
        principal: Arc<str>,
    },
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeEvent {
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// Who says so.
    pub source: FeedSource,
    /// What.
    pub kind: ChangeEventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ChangeEventKind {
    /// A `ChangeResourceRecordSets` call was refused, or never sent for a reason that names it.
    Refused(RefusedBatch),
    /// A `ChangeResourceRecordSets` call went through.
    Applied(AppliedBatch),
    /// A reconcile ended in an error.
    RunFailed {
        /// In the words of `controller_failing`: `access_denied`, throttled, credentials,
        /// `source_error`, `other_zone`; `unknown` when the text names no cause of its own.
        reason: Reason,
        /// The text, printable and bounded.
        message: Arc<str>,
        /// The zones that it names.
        zones: Vec<ZoneId>,
        /// True if it only sums up refused batches ("failed to submit all changes ...").
        sums_up_batches: bool,
        /// True if the process ended with it.
        fatal: bool,
    },
    /// A reconcile ended well ("All records are already up to date", a success line).
    RunSucceeded,
    /// The instance left a name alone and said why (mostly at debug level).
    Skipped {
        /// The name.
        name: DomainName,
        /// The type, when told.
        record_type: Option<RecordType>,
        /// Why.
        why: SkipReason,
    },
}

/// Why an instance left a name alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SkipReason {
    /// Another owner, or none, holds the record: found and required owner id.
    Owner {
        /// Owner in the record's heritage; empty for none.
        found: Arc<str>,
        /// The instance's own id.
        required: Arc<str>,
    },
    /// No hosted zone matches the name.
    NoZone,
    /// The label is longer than 63 octets.
    LabelLength,
    /// The group of changes is larger than a batch may be.
    BatchTooLarge,
    /// A and CNAME candidates for one name; the CNAME was dropped.
    TypeConflict,
}

/// A refused `ChangeResourceRecordSets` call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RefusedBatch {
    /// Zone id; `None` when the line does not tell it.
    pub zone_id: Option<ZoneId>,
    /// Zone name; `None` when the line does not tell it.
    pub zone_name: Option<DomainName>,
    /// What the batch held, as far as it is known; TXT changes included.
    pub attempted: Vec<AttemptedChange>,
    /// What Route 53 said, one for each sentence.
    pub errors: Vec<RefusalError>,
    /// Error code, for example `InvalidChangeBatch`.
    pub code: Arc<str>,
    /// The whole text, printable and bounded.
    pub message: Arc<str>,
    /// Request id; `None` when the line does not tell it.
    pub request_id: Option<Arc<str>>,
    /// True for a group that was sent alone after its batch had been refused: all its changes
    /// belong to one name, which the line does not tell.
    pub alone: bool,
    /// Who called; `None` in a log.
    pub caller: Option<Arc<Caller>>,
}

/// A `ChangeResourceRecordSets` call that went through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AppliedBatch {
    /// Zone id; `None` when the line does not tell it.
    pub zone_id: Option<ZoneId>,
    /// What was changed, as far as it is known; TXT changes included.
    pub changes: Vec<AttemptedChange>,
    /// Number of changes that the line claims; `None` when it tells none.
    pub count: Option<u64>,
    /// Who called; `None` in a log.
    pub caller: Option<Arc<Caller>>,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptedChange {
    /// What was to be done.
    pub action: Action,
    /// Owner name of the record, TXT names as they are.
    pub name: DomainName,
    /// Record type.
    pub record_type: RecordType,
    /// Set identifier; `None` for a simple record or when the feed does not tell it.
    pub set_identifier: Option<Arc<str>>,
    /// Values or alias target as written; empty when the feed does not tell them (logs do not).
    pub targets: Vec<Arc<str>>,
    /// `Some(true)` for an alias, `Some(false)` for plain values, `None` when not told.
    pub alias: Option<bool>,
}

/// The action of a change. Source: Route 53 API, data type `Change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// `CREATE`.
    Create,
    /// `UPSERT`.
    Upsert,
    /// `DELETE`.
    Delete,
}

/// One sentence of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalError {
    /// The reason, in the words of findings.md section 4. Never `batch_victim`: who is a victim
    /// is judged where the desired view is known.
    pub reason: Reason,
    /// The record that the sentence names; `None` when it names none (an alias refusal does not).
    pub name: Option<DomainName>,
    /// The text in quotes that names a record only in part (`encountered with '.sub.example.com'`).
    pub fragment: Option<Arc<str>>,
    /// Its type, when named.
    pub record_type: Option<RecordType>,
    /// Its set identifier, when named.
    pub set_identifier: Option<Arc<str>>,
    /// The alias target or value that the sentence quotes, without the dot that Route 53 appends.
    pub target: Option<Arc<str>>,
    /// The sentence, printable and bounded.
    pub message: Arc<str>,
}

/// What an event costs beside its texts, roughly, in bytes: itself, its key, its place.
const EVENT_BYTES: usize = 512;

/// What a change or a sentence costs beside its texts, roughly, in bytes.
const PART_BYTES: usize = 160;

// === impl ChangeEvent ===

impl ChangeEvent {
    /// What it takes in memory, roughly, in bytes; in the state file it takes about as much.
    #[must_use]
    pub fn rough_bytes(&self) -> usize {
        let changes = |changes: &[AttemptedChange]| -> usize {
            let texts =
                |change: &AttemptedChange| change.targets.iter().map(|text| 16 + text.len()).sum::<usize>();
            changes.iter().map(|change| PART_BYTES + change.name.as_str().len() + texts(change)).sum()
        };
        let parts = match &self.kind {
            ChangeEventKind::Refused(batch) => {
                let errors = batch.errors.iter().map(|error| PART_BYTES + error.message.len()).sum::<usize>();
                batch.message.len() + errors + changes(&batch.attempted)
            }
            ChangeEventKind::Applied(batch) => changes(&batch.changes),
            ChangeEventKind::RunFailed { message, zones, .. } => message.len() + 40 * zones.len(),
            ChangeEventKind::Skipped { name, .. } => 3 * name.as_str().len(),
            ChangeEventKind::RunSucceeded => 0,
        };
        let caller = match &self.kind {
            ChangeEventKind::Refused(RefusedBatch { caller, .. })
            | ChangeEventKind::Applied(AppliedBatch { caller, .. }) => caller.as_deref(),
            ChangeEventKind::RunFailed { .. }
            | ChangeEventKind::Skipped { .. }
            | ChangeEventKind::RunSucceeded => None,
        };
        let caller = caller.map_or(0, |one| one.session.len() + one.user_agent.len() + one.source.len());
        EVENT_BYTES + parts + caller
    }
}

// === impl FeedSource ===

impl FeedSource {
    /// Of which stream it is: all of CloudTrail is one, without id and principal.
    #[must_use]
    pub fn stream(&self) -> Self {
        match self {
            Self::Log { .. } => self.clone(),
            Self::CloudTrail { .. } => Self::CloudTrail { event_id: "".into(), principal: "".into() },
        }
    }
}
