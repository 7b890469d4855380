//! One name: the four views side by side, its findings, and what was kept quiet about it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

use crate::board::hosts::{HostState, state_of};
use crate::board::{Board, zone_ref};
use crate::compare::show;
use crate::finding::Reason;
use crate::limits::{MAX_HOST_CHANGES, MAX_HOST_OBSERVATIONS};
use crate::model::change::{ChangeEvent, ChangeEventKind, FeedSource, SkipReason};
use crate::model::observation::Observation;
use crate::model::want::{Placement, Want};
use crate::model::{DomainName, ObjectRef, RecordType};
use crate::report::{Finding, Silent, ZoneRef};

/// Everything that a round knows about one name.
#[derive(Debug, Serialize)]
pub struct Host<'a> {
    /// The name.
    pub name: &'a DomainName,
    /// The time of the round.
    pub at: Timestamp,
    /// How it fares.
    pub state: HostState,
    /// What the objects ask for.
    pub wanted: Vec<Wanted<'a>>,
    /// What the zones hold: one row for each zone that can hold the name.
    pub recorded: Vec<Recorded>,
    /// What the servers answered, the newest first.
    pub live: Vec<&'a Observation>,
    /// What was tried on Route 53, the newest first.
    pub changes: Vec<Change>,
    /// What is wrong, the most urgent first.
    pub findings: Vec<&'a Finding>,
    /// Open findings of others that bear on the name: those that explain its own, and those of its
    /// zones.
    pub outer: Vec<&'a Finding>,
    /// What was kept quiet, and why.
    pub silent: Vec<&'a Silent>,
}

/// One record that an instance wants.
#[derive(Debug, Serialize)]
pub struct Wanted<'a> {
    /// Owner id of the instance.
    pub instance: Arc<str>,
    /// Record type.
    #[serde(rename = "type")]
    pub record_type: &'a RecordType,
    /// Set identifier; `null` for a simple record.
    pub set_identifier: Option<&'a str>,
    /// The zone; `null` when there is none, or when the zones have not been read.
    pub zone: Option<ZoneRef>,
    /// Why no zone takes it; `null` when one does.
    pub no_zone: Option<Reason>,
    /// Why Route 53 cannot take it; `null` when it can.
    pub invalid: Option<Reason>,
    /// Why its claims do not agree; `null` when they do.
    pub conflict: Option<Reason>,
    /// The record.
    pub record: Json,
    /// The objects behind it, the winner first.
    pub objects: &'a [ObjectRef],
    /// Newest change of the objects or their status; `null` when not known.
    pub changed_at: Option<Timestamp>,
}

/// What one zone holds at the name.
#[derive(Debug, Serialize)]
pub struct Recorded {
    /// The zone.
    pub zone: ZoneRef,
    /// When the name was read; `null` before the first reading.
    pub read_at: Option<Timestamp>,
    /// Address records and CNAMEs, one member for each type and set identifier.
    pub records: Json,
}

/// One change that named the name.
#[derive(Debug, Serialize)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Who says so: `log` or `cloudtrail`.
    pub source: &'static str,
    /// The Pod and container, or the id of the event.
    pub origin: String,
    /// How it ended: `refused`, `applied` or `skipped`.
    pub outcome: &'static str,
    /// Why it was refused; `null` when it was not, or when the batch was refused for another name.
    pub reason: Option<Reason>,
    /// The text, printable and bounded; empty when there is none.
    pub message: String,
}

/// The four views of a name; `None` when no view has ever heard of it.
#[must_use]
pub fn host<'a>(board: &'a Board, name: &'a DomainName) -> Option<Host<'a>> {
    let recorded: Vec<Recorded> = zones_of(board, name);
    let stands = recorded.iter().any(|row| row.records.as_object().is_some_and(|sets| !sets.is_empty()));
    let findings: Vec<&Finding> = board.findings_of(name).collect();
    let silent: Vec<&Silent> = board.silent_of(name).collect();
    let wanted: Vec<Wanted<'_>> =
        board.wants_of(name).map(|(one, want)| wanted(board, &one.instance.id, want)).collect();
    let known = stands
        || !findings.is_empty()
        || !silent.is_empty()
        || !wanted.is_empty()
        || !board.left_alone(name).is_empty();
    known.then(|| Host {
        name,
        at: board.report.at,
        state: state_of(board, name, stands),
        outer: board.report.bearing_on(name, &findings),
        wanted,
        recorded,
        live: live(board, name),
        changes: changes(board, name),
        findings,
        silent,
    })
}

fn wanted<'a>(board: &Board, instance: &Arc<str>, want: &'a Want) -> Wanted<'a> {
    let no_zone = match &want.placement {
        Placement::NoZone(no_zone) => Some(no_zone.reason),
        Placement::Zone(_) | Placement::Unknown => None,
    };
    Wanted {
        instance: Arc::clone(instance),
        record_type: &want.record_type,
        set_identifier: want.set_identifier.as_deref(),
        zone: want.zone_id().and_then(|id| board.zone_ref(id)),
        no_zone,
        invalid: want.invalid,
        conflict: want.conflict.as_ref().map(|conflict| conflict.reason),
        record: show::want(want),
        objects: &want.objects,
        changed_at: want.changed_at.max(want.status_changed_at).max(want.created_at),
    }
}

/// The zones that hold the name, and the deepest of those that could.
fn zones_of(board: &Board, name: &DomainName) -> Vec<Recorded> {
    let within = || board.zones().filter(|reading| name.is_within(&reading.zone.name));
    let deepest = within().map(|reading| reading.zone.name.labels().count()).max();
    let rows = within().filter_map(|reading| {
        let records = show::records(reading.at(name));
        let holds = records.as_object().is_some_and(|sets| !sets.is_empty());
        let is_deepest = Some(reading.zone.name.labels().count()) == deepest;
        (holds || is_deepest).then(|| Recorded {
            zone: zone_ref(reading),
            read_at: reading.name_read_at(name).filter(|_| reading.record_sets.is_some()),
            records,
        })
    });
    rows.collect()
}

fn live<'a>(board: &'a Board, name: &DomainName) -> Vec<&'a Observation> {
    let mut live: Vec<&Observation> =
        board.snapshot.observations().filter(|seen| seen.name == *name).collect();
    live.sort_by(|left, right| {
        (right.at, left.vantage, &left.server).cmp(&(left.at, right.vantage, &right.server))
    });
    live.truncate(MAX_HOST_OBSERVATIONS);
    live
}

fn changes(board: &Board, name: &DomainName) -> Vec<Change> {
    let events = board.snapshot.changes.value().into_iter().flat_map(|feed| feed.events.iter().rev());
    events.filter_map(|event| change(event, name)).take(MAX_HOST_CHANGES).collect()
}

fn change(event: &ChangeEvent, name: &DomainName) -> Option<Change> {
    let (outcome, reason, message) = match &event.kind {
        ChangeEventKind::Refused(batch) => {
            let error = batch.errors.iter().find(|error| error.name.as_ref() == Some(name));
            let attempted = batch.attempted.iter().any(|change| change.name == *name);
            if error.is_none() && !attempted {
                return None;
            }
            ("refused", error.map(|error| error.reason), batch.message.to_string())
        }
        ChangeEventKind::Applied(batch) => {
            batch.changes.iter().find(|change| change.name == *name)?;
            ("applied", None, String::new())
        }
        ChangeEventKind::Skipped { name: skipped, why, .. } if skipped == name => {
            ("skipped", None, skipped_because(why))
        }
        ChangeEventKind::Skipped { .. }
        | ChangeEventKind::RunFailed { .. }
        | ChangeEventKind::RunSucceeded => return None,
    };
    let (source, origin) = match &event.source {
        FeedSource::Log { namespace, pod, container } => ("log", format!("{namespace}/{pod}/{container}")),
        FeedSource::CloudTrail { event_id, .. } => ("cloudtrail", event_id.to_string()),
    };
    Some(Change { at: event.at, source, origin, outcome, reason, message })
}

fn skipped_because(why: &SkipReason) -> String {
    match why {
        SkipReason::Owner { found, required } => {
            format!("owner {found:?} holds it, {required:?} is required")
        }
        SkipReason::NoZone => String::from("no hosted zone matches"),
        SkipReason::LabelLength => String::from("a label is longer than 63 octets"),
        SkipReason::BatchTooLarge => String::from("the group is larger than a batch may be"),
        SkipReason::TypeConflict => String::from("A and CNAME candidates; the CNAME was dropped"),
    }
}
