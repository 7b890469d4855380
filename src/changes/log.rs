//! What the log of one ExternalDNS container tells, line by line.
//!
//! A state machine: `Desired change` lines make a batch, the lines after them say how it ended.
//! At info level a group that is refused alone is anonymous; its candidates are the changes of
//! the batch that was split. Source: kubernetes-sigs/external-dns:provider/aws/aws.go.

mod batch;
mod message;
mod startup;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use startup::{StartupInfo, startup};

use crate::changes::framing::{self, Level, LogLine};
use crate::changes::refusal;
use crate::finding::Reason;
use crate::limits::MAX_FEED_ZONES;
use crate::model::change::{
    AppliedBatch, AttemptedChange, ChangeEvent, ChangeEventKind, FeedSource, FeedStream, RefusedBatch,
};
use crate::model::text::printable;
use crate::model::{DomainName, ZoneId};
use batch::{Outcome, ZoneBatch};
use message::{Message, ZoneRef};

/// Counts of one stream, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines that were read.
    pub lines: u64,
    /// Of these, lines longer than [`crate::limits::MAX_LOG_LINE`], whose end was dropped.
    pub oversize: u64,
    /// Changes that were dropped because their batch was larger than
    /// [`crate::limits::MAX_BATCH_CHANGES`].
    pub dropped_changes: u64,
}

/// Reads one container's log. One parser for each stream; a restarted container continues it.
#[derive(Clone, Debug)]
pub struct LogParser {
    source: FeedSource,
    /// Time for lines that tell none.
    assumed_at: Timestamp,
    last_at: Option<Timestamp>,
    /// Time of the last line with a level, in the format of ExternalDNS.
    spoke_at: Option<Timestamp>,
    counts: LineCounts,
    /// The last batch of each zone.
    zones: BTreeMap<ZoneKey, ZoneBatch>,
    /// The zone that a line without a zone speaks about.
    current: Option<ZoneKey>,
    /// `Failure in zone` without its error, which is the next line (up to v0.13.2).
    headless: Option<Headless>,
    /// True if something was refused since the present reconcile began.
    refused_in_run: bool,
}

/// The zone of a batch; `None` up to v0.5, whose lines name no zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ZoneKey(Option<ZoneId>);

/// The first of two lines.
#[derive(Clone, Debug)]
struct Headless {
    at: Timestamp,
    zone: ZoneRef,
    text: Arc<str>,
}

// === impl LogParser ===

impl LogParser {
    /// Starts a stream. `assumed_at` is the time of lines before the first that tells one: the
    /// time of the reading, or the start of the container.
    #[must_use]
    pub fn new(source: FeedSource, assumed_at: Timestamp) -> Self {
        Self {
            source,
            assumed_at,
            last_at: None,
            spoke_at: None,
            counts: LineCounts::default(),
            zones: BTreeMap::new(),
            current: None,
            headless: None,
            refused_in_run: false,
        }
    }

    /// Reads the next line, with or without its line end; gives what it completes.
    pub fn push(&mut self, line: &str) -> Vec<ChangeEvent> {
        let parts = framing::read(line);
        self.counts.lines = self.counts.lines.saturating_add(1);
        self.counts.oversize = self.counts.oversize.saturating_add(u64::from(parts.oversize));
        self.last_at = parts.at.or(self.last_at);
        if parts.level.is_some() {
            self.spoke_at = parts.at.or(self.spoke_at);
        }
        let at = self.last_at.unwrap_or(self.assumed_at);
        let mut events = Vec::new();
        self.read(&parts, at, &mut events);
        events
    }

    /// Gives what waits for a line that will not come. The parser can go on afterwards.
    pub fn finish(&mut self) -> Vec<ChangeEvent> {
        let mut events = Vec::new();
        self.flush_headless(&mut events);
        events
    }

    /// Says that lines are missing here: what was open got no result that the log tells, and what
    /// follows tells nothing about the batches from before.
    pub fn interrupt(&mut self) -> Vec<ChangeEvent> {
        let events = self.finish();
        self.zones.clear();
        self.current = None;
        // A refusal may be among what is missing.
        self.refused_in_run = true;
        events
    }

    /// The stream, with the time of its last line of ExternalDNS itself: what client-go writes beside it goes on
    /// while no reconcile comes to its end.
    #[must_use]
    pub fn stream(&self) -> FeedStream {
        FeedStream { source: self.source.clone(), last_at: self.spoke_at, read_at: None }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> LineCounts {
        self.counts
    }

    fn read(&mut self, line: &LogLine<'_>, at: Timestamp, events: &mut Vec<ChangeEvent>) {
        let message = message::read(&line.message, line.level);
        if let Message::AwsError = message {
            self.aws_error(line, at, events);
            return;
        }
        if line.level.is_some() {
            // Framed, and no AWS error: the second line is missing.
            self.flush_headless(events);
        }
        match message {
            Message::Desired { change, zone_id } => {
                let zone_id = line.zone_id.clone().or(zone_id);
                self.desired(change, (zone_id, line.zone_name.clone()), line.level, at);
            }
            Message::ZoneFailure { zone, error } => {
                self.zone_failure(zone.or_fields(line), error, line, at, events);
            }
            Message::SingleFailure { error } => self.single_failure(error, line, at, events),
            Message::Updated { count, zone } => self.updated(count, &zone.or_fields(line), at, events),
            Message::UpToDate => {
                self.end_run();
                self.emit(at, ChangeEventKind::RunSucceeded, events);
            }
            Message::Recovered => self.emit(at, ChangeEventKind::RunSucceeded, events),
            Message::RunBegins => self.end_run(),
            Message::RunFailed { sums_up_batches } => {
                self.end_run();
                self.run_failed(line, sums_up_batches, at, events);
            }
            Message::Skipped { name, record_type, why } => {
                self.emit(at, ChangeEventKind::Skipped { name, record_type, why }, events);
            }
            Message::AwsError | Message::Other => {}
        }
    }

    fn desired(
        &mut self,
        change: AttemptedChange,
        (zone_id, zone_name): (Option<ZoneId>, Option<DomainName>),
        level: Option<Level>,
        at: Timestamp,
    ) {
        let key = ZoneKey(zone_id);
        if MAX_FEED_ZONES <= self.zones.len() && !self.zones.contains_key(&key) {
            self.zones.clear();
        }
        let zone = self.zones.entry(key.clone()).or_default();
        zone.name = zone_name.or(zone.name.take());
        // Only the repetition group by group is written at debug level.
        let kept = if level == Some(Level::Debug) { zone.push_group(change) } else { zone.push(change, at) };
        self.counts.dropped_changes = self.counts.dropped_changes.saturating_add(u64::from(!kept));
        self.current = Some(key);
    }

    fn zone_failure(
        &mut self,
        zone: ZoneRef,
        error: Option<&str>,
        line: &LogLine<'_>,
        at: Timestamp,
        events: &mut Vec<ChangeEvent>,
    ) {
        match error {
            Some(error) => self.refused(&zone, error, at, events),
            None => self.headless = Some(Headless { at, zone, text: printable(&line.message).into() }),
        }
    }

    /// A bare AWS error: the second line of a failure, or the only one (up to v0.5).
    fn aws_error(&mut self, line: &LogLine<'_>, at: Timestamp, events: &mut Vec<ChangeEvent>) {
        if let Some(headless) = self.headless.take() {
            self.refused(&headless.zone, &line.message, headless.at, events);
        } else if self.is_write_error(&line.message) {
            self.refused(&ZoneRef::default().or_fields(line), &line.message, at, events);
        } else {
            self.end_run();
            self.run_failed(line, false, at, events);
            return;
        }
        if line.level == Some(Level::Fatal) {
            self.run_failed(line, true, at, events);
        }
    }

    /// Only a write is refused with `InvalidChangeBatch`; other codes end a read just as well, so
    /// they count as a refusal only while a batch waits for its result.
    fn is_write_error(&self, text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        if lower.contains("invalidchangebatch") || lower.contains("changeresourcerecordsets") {
            return true;
        }
        let waits = self
            .current
            .as_ref()
            .and_then(|key| self.zones.get(key))
            .is_some_and(|zone| zone.outcome == Outcome::Open);
        waits
            && !["route53:list", "route53:get", "listhostedzones", "listresourcerecordsets", "failed to list"]
                .iter()
                .any(|word| lower.contains(word))
    }

    fn refused(&mut self, zone: &ZoneRef, error: &str, at: Timestamp, events: &mut Vec<ChangeEvent>) {
        self.refused_in_run = true;
        let key = self.key_of(zone);
        let mut batch = refused_batch(error);
        batch.zone_id = zone.id.clone().or_else(|| key.clone().and_then(|key| key.0));
        batch.zone_name.clone_from(&zone.name);
        if let Some(state) = key.as_ref().and_then(|key| self.zones.get_mut(key)) {
            batch.attempted = state.close(Outcome::Refused);
            state.name = batch.zone_name.take().or(state.name.take());
            batch.zone_name.clone_from(&state.name);
        }
        self.current = key.or(self.current.take());
        self.emit(at, ChangeEventKind::Refused(batch), events);
    }

    fn single_failure(
        &mut self,
        error: &str,
        line: &LogLine<'_>,
        at: Timestamp,
        events: &mut Vec<ChangeEvent>,
    ) {
        self.refused_in_run = true;
        let zone = ZoneRef::default().or_fields(line);
        let key = self.key_of(&zone);
        let mut batch = refused_batch(error);
        batch.alone = true;
        batch.zone_id = zone.id.or_else(|| key.clone().and_then(|key| key.0));
        batch.zone_name = zone.name;
        if let Some(state) = key.as_ref().and_then(|key| self.zones.get_mut(key)) {
            batch.zone_name = batch.zone_name.or_else(|| state.name.clone());
            batch.attempted = state.take_candidates(&batch.errors);
        }
        self.emit(at, ChangeEventKind::Refused(batch), events);
    }

    fn updated(&mut self, count: u64, zone: &ZoneRef, at: Timestamp, events: &mut Vec<ChangeEvent>) {
        let key = self.key_of(zone);
        let mut applied = AppliedBatch { count: Some(count), ..AppliedBatch::default() };
        applied.zone_id = zone.id.clone().or_else(|| key.clone().and_then(|key| key.0));
        if let Some(state) = key.and_then(|key| self.zones.get_mut(&key)) {
            let whole = state.outcome == Outcome::Open && state.counts_to(count);
            let changes = state.close(Outcome::Applied);
            if whole {
                applied.changes = changes;
            }
        }
        self.emit(at, ChangeEventKind::Applied(applied), events);
        if !self.refused_in_run {
            self.emit(at, ChangeEventKind::RunSucceeded, events);
        }
    }

    fn run_failed(
        &mut self,
        line: &LogLine<'_>,
        sums_up_batches: bool,
        at: Timestamp,
        events: &mut Vec<ChangeEvent>,
    ) {
        let reason = if sums_up_batches { Reason::Unknown } else { message::run_reason(&line.message) };
        let kind = ChangeEventKind::RunFailed {
            reason,
            message: printable(&line.message).into(),
            zones: refusal::zones_named(&line.message),
            sums_up_batches,
            fatal: line.level == Some(Level::Fatal) || line.message.starts_with("panic: "),
        };
        self.emit(at, kind, events);
    }

    /// Whatever was open got no result that the log tells.
    fn end_run(&mut self) {
        for zone in self.zones.values_mut() {
            zone.outcome = Outcome::Unknown;
        }
        self.refused_in_run = false;
    }

    fn flush_headless(&mut self, events: &mut Vec<ChangeEvent>) {
        if let Some(Headless { at, zone, text }) = self.headless.take() {
            let before = events.len();
            self.refused(&zone, "", at, events);
            for event in events.iter_mut().skip(before) {
                if let ChangeEventKind::Refused(batch) = &mut event.kind {
                    batch.message = Arc::clone(&text);
                    batch.errors.clear();
                }
            }
        }
    }

    /// The batch that a line speaks about: by id, by name, else the last one.
    fn key_of(&self, zone: &ZoneRef) -> Option<ZoneKey> {
        if zone.id.is_some() {
            // Lines of batches without ids: then there is only one.
            let keys = [ZoneKey(zone.id.clone()), ZoneKey(None)];
            return keys.into_iter().find(|key| self.zones.contains_key(key));
        }
        if let Some(name) = &zone.name {
            let by_name = self.zones.iter().find(|(_, batch)| batch.name.as_ref() == Some(name));
            if let Some((key, _)) = by_name {
                return Some(key.clone());
            }
        }
        self.current.clone()
    }

    fn emit(&self, at: Timestamp, kind: ChangeEventKind, events: &mut Vec<ChangeEvent>) {
        events.push(ChangeEvent { at, source: self.source.clone(), kind });
    }
}

fn refused_batch(error: &str) -> RefusedBatch {
    let refusal = refusal::read(error);
    RefusedBatch {
        errors: refusal.errors,
        code: refusal.code,
        message: refusal.message,
        request_id: refusal.request_id,
        ..RefusedBatch::default()
    }
}

#[cfg(test)]
mod tests;
