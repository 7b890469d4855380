//! Everything that the streams tell, in one bounded, sorted feed.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::limits::{
    KEEP_CHANGE_EVENTS, MAX_CHANGE_EVENTS, MAX_CHANGE_FEED_BYTES, MAX_CLOCK_SKEW, MAX_FEED_ZONES, MAX_NOTICES,
};
use crate::model::change::{
    ChangeEvent, ChangeEventKind, ChangeFeed, ControllerMetrics, FeedSource, FeedStream, Notice, SkipReason,
};
use crate::model::{DomainName, ObjectRef, RecordType};

use super::log::LineCounts;
use super::tally::Tally;

/// Holds the events of all streams.
///
/// What is kept: refusals, applied batches and failed reconciles as they are, however often they
/// repeat; of an unbroken row of successful reconciles the first and the last; of the same name
/// skipped for the same reason the last. Past a bound the oldest events of the stream with the
/// largest share go first, so that a storm in one log does not push out what the others told.
#[derive(Clone, Debug, Default)]
pub struct FeedBuilder {
    events: BTreeMap<EventKey, ChangeEvent>,
    /// Arrival number of the next event.
    next: u64,
    bytes: usize,
    shares: BTreeMap<FeedSource, Share>,
    streams: BTreeMap<FeedSource, Stream>,
    skips: BTreeMap<SkipKey, EventKey>,
    /// Events of logs from before a restart, which the logs may tell again.
    retold: BTreeSet<EventKey>,
    controllers: BTreeMap<(Arc<str>, Arc<str>), ControllerMetrics>,
    notices: BTreeMap<(ObjectRef, DomainName, Option<RecordType>), Notice>,
    counts: FeedCounts,
    tally: Tally,
}

/// Time, stream, order of arrival.
type EventKey = (Timestamp, FeedSource, u64);

/// Stream, name, type and reason of a skipped name.
type SkipKey = (FeedSource, DomainName, Option<RecordType>, Arc<str>);

/// What one stream takes of the room.
#[derive(Clone, Debug, Default)]
struct Share {
    keys: BTreeSet<EventKey>,
    bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Stream {
    last_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    /// The successful reconciles since the last trouble: the first, and the last if not the same.
    successes: (Option<EventKey>, Option<EventKey>),
    lines: LineCounts,
}

/// What was counted since the start, for metrics. Only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// Log lines that were read.
    pub lines: u64,
    /// Log lines whose end was dropped.
    pub oversize_lines: u64,
    /// Log lines that were dropped before they were read.
    pub dropped_lines: u64,
    /// Changes that were dropped from huge batches.
    pub dropped_changes: u64,
    /// Events that were taken.
    pub events: u64,
    /// Events that a bound pushed out before their time, or that were too old on arrival.
    pub dropped_events: u64,
}

// === impl FeedBuilder ===

impl FeedBuilder {
    /// Says that a stream is followed, how far, and that it was read to its end now.
    ///
    /// `lines` are the parser's counts since its start; a parser that started again may begin at
    /// zero again.
    pub fn follow(&mut self, stream: &FeedStream, lines: LineCounts, now: Timestamp) {
        let Some(known) = self.stream(&stream.source) else { return };
        // A clock that was set back must not make the log one of later.
        known.last_at = known.last_at.max(stream.last_at).map(|at| at.min(now));
        known.read_at = Some(now);
        let before = std::mem::replace(&mut known.lines, lines);
        let grown = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        let counts = &mut self.counts;
        counts.lines = counts.lines.saturating_add(grown(lines.lines, before.lines));
        counts.oversize_lines = counts.oversize_lines.saturating_add(grown(lines.oversize, before.oversize));
        counts.dropped_changes =
            counts.dropped_changes.saturating_add(grown(lines.dropped_changes, before.dropped_changes));
    }

    /// Forgets the logs that are not followed any more; their events stay until they are old.
    pub fn follow_only(&mut self, wanted: &BTreeSet<FeedSource>) {
        let is_log = |source: &FeedSource| matches!(source, FeedSource::Log { .. });
        self.streams.retain(|source, _| !is_log(source) || wanted.contains(source));
    }

    /// Takes what was known before a restart. It is not counted, and what a log tells of it again is not
    /// taken twice.
    pub fn restore(&mut self, known: &ChangeFeed, now: Timestamp) {
        for event in known.events.iter().filter(|event| oldest(now) <= event.at) {
            let is_log = matches!(event.source, FeedSource::Log { .. });
            let key = self.keep(ChangeEvent { at: event.at.min(add(now, MAX_CLOCK_SKEW)), ..event.clone() });
            if is_log {
                self.retold.insert(key);
            }
        }
        for told in &known.streams {
            if let Some(stream) = self.stream(&told.source) {
                stream.last_at = stream.last_at.max(told.last_at.map(|at| at.min(now)));
            }
        }
        for metrics in &known.controllers {
            self.scraped(metrics.clone());
        }
        self.noticed(known.notices.iter().cloned(), now);
        self.prune(now);
    }

    /// True if nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.controllers.is_empty()
    }

    /// Counts lines that the reader of a stream could not take.
    pub fn drop_lines(&mut self, lines: u64) {
        self.counts.dropped_lines = self.counts.dropped_lines.saturating_add(lines);
    }

    /// Takes events in any order. A CloudTrail event that is known already is ignored.
    pub fn add(&mut self, events: impl IntoIterator<Item = ChangeEvent>, now: Timestamp) {
        for mut event in events {
            // A clock that runs ahead must not make an event that never grows old.
            if add(now, MAX_CLOCK_SKEW) < event.at {
                event.at = now;
            }
            if event.at < oldest(now) {
                self.counts.dropped_events = self.counts.dropped_events.saturating_add(1);
                continue;
            }
            self.take(event);
        }
        self.prune(now);
    }

    /// Takes a reading of the metrics of a Pod; it replaces the last one.
    pub fn scraped(&mut self, mut metrics: ControllerMetrics) {
        let key = (Arc::clone(&metrics.namespace), Arc::clone(&metrics.pod));
        if MAX_FEED_ZONES <= self.controllers.len() && !self.controllers.contains_key(&key) {
            return;
        }
        if let Some(last) = self.controllers.get(&key) {
            if metrics.at < last.at {
                return;
            }
            // A counter that fell belongs to another process, whose errors are all new.
            let grew = |now: Option<u64>, before: Option<u64>| match now {
                Some(now) if before.is_some_and(|before| before <= now) => before < Some(now),
                Some(now) => 0 < now && before.is_some(),
                None => false,
            };
            let any = grew(metrics.registry_errors, last.registry_errors)
                || grew(metrics.source_errors, last.source_errors);
            metrics.errors_grew_at = if any { Some(metrics.at) } else { last.errors_grew_at };
        }
        self.controllers.insert(key, metrics);
    }

    /// Takes Events in any order, perhaps not for the first time; of each record the newest stays.
    pub fn noticed(&mut self, notices: impl IntoIterator<Item = Notice>, now: Timestamp) {
        for notice in notices {
            let key = (notice.object.clone(), notice.name.clone(), notice.record_type.clone());
            let newest = self.notices.get(&key).is_none_or(|known| known.at <= notice.at);
            let room = self.notices.len() < MAX_NOTICES || self.notices.contains_key(&key);
            if newest && room && oldest(now) <= notice.at && notice.at <= add(now, MAX_CLOCK_SKEW) {
                self.notices.insert(key, notice);
            }
        }
    }

    /// The newest reading of any Pod's metrics; `None` without one.
    #[must_use]
    pub fn controllers_read_at(&self) -> Option<Timestamp> {
        self.controllers.values().map(|metrics| metrics.at).max()
    }

    /// What was refused and applied, summed up since the start.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Says which instance writes a stream, for the sums.
    pub fn name_stream(&mut self, source: &FeedSource, owner_id: &Arc<str>) {
        self.tally.name_stream(source, owner_id);
    }

    /// The feed as it is now, sorted by time and stream.
    pub fn feed(&mut self, now: Timestamp) -> ChangeFeed {
        self.prune(now);
        ChangeFeed {
            events: self.events.values().cloned().collect(),
            streams: self
                .streams
                .iter()
                .map(|(source, stream)| FeedStream {
                    source: source.clone(),
                    last_at: stream.last_at,
                    read_at: stream.read_at,
                })
                .collect(),
            controllers: self.controllers.values().cloned().collect(),
            notices: self.notices.values().cloned().collect(),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> FeedCounts {
        self.counts
    }

    /// Number of events and their rough size in bytes.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.events.len(), self.bytes)
    }

    fn take(&mut self, event: ChangeEvent) {
        if self.is_known(&event) {
            return;
        }
        self.counts.events = self.counts.events.saturating_add(1);
        self.tally.count(&event);
        self.keep(event);
    }

    /// True for a record of CloudTrail that was told before, and for what a log tells again after a restart.
    /// There the beginning of a batch may be missing, so the kind and the time decide.
    fn is_known(&mut self, event: &ChangeEvent) -> bool {
        let place = |number: u64| (event.at, event.source.clone(), number);
        let same_place = place(0)..=place(u64::MAX);
        if !matches!(event.source, FeedSource::Log { .. }) {
            return self.events.range(same_place).next().is_some();
        }
        let is_same = |key: &&EventKey| {
            let known = self.events.get(*key);
            known.is_some_and(|known| discriminant(&known.kind) == discriminant(&event.kind))
        };
        let told = self.retold.range(same_place).find(is_same).cloned();
        told.is_some_and(|key| self.retold.remove(&key))
    }

    fn keep(&mut self, event: ChangeEvent) -> EventKey {
        let key = (event.at, event.source.clone(), self.next);
        self.next = self.next.saturating_add(1);
        if let Some(stream) = self.stream(&event.source) {
            stream.last_at = stream.last_at.max(Some(event.at));
        }
        self.thin_out(&event, &key);
        let bytes = event.rough_bytes();
        self.bytes = self.bytes.saturating_add(bytes);
        let share = self.shares.entry(event.source.stream()).or_default();
        share.bytes = share.bytes.saturating_add(bytes);
        share.keys.insert(key.clone());
        self.events.insert(key.clone(), event);
        key
    }

    /// Removes the earlier event that this one makes superfluous.
    fn thin_out(&mut self, event: &ChangeEvent, key: &EventKey) {
        let replaced = match &event.kind {
            ChangeEventKind::Skipped { name, record_type, why } => {
                let skip = (event.source.clone(), name.clone(), record_type.clone(), word_of(why));
                self.skips.insert(skip, key.clone())
            }
            ChangeEventKind::RunSucceeded => self.stream(&event.source).and_then(|stream| {
                if stream.successes.0.is_none() {
                    stream.successes.0 = Some(key.clone());
                    None
                } else {
                    stream.successes.1.replace(key.clone())
                }
            }),
            ChangeEventKind::Refused(_) | ChangeEventKind::RunFailed { .. } => {
                if let Some(stream) = self.stream(&event.source) {
                    stream.successes = (None, None);
                }
                None
            }
            ChangeEventKind::Applied(_) => None,
        };
        if let Some(earlier) = replaced {
            self.remove(&earlier);
        }
    }

    fn prune(&mut self, now: Timestamp) {
        let oldest = oldest(now);
        // A clock that was set back must not make a reading one that no other replaces.
        self.controllers.values_mut().for_each(|metrics| metrics.at = metrics.at.min(now));
        self.controllers.retain(|_, metrics| oldest <= metrics.at);
        self.notices.retain(|_, notice| oldest <= notice.at);
        while let Some((key, _)) = self.events.first_key_value().filter(|(key, _)| key.0 < oldest) {
            let key = key.clone();
            self.remove(&key);
        }
        while let Some(key) = self.superfluous() {
            self.remove(&key);
            self.counts.dropped_events = self.counts.dropped_events.saturating_add(1);
        }
    }

    /// The oldest event of the stream that takes the most of what is scarce.
    fn superfluous(&self) -> Option<EventKey> {
        let shares = self.shares.values();
        let largest = if MAX_CHANGE_EVENTS < self.events.len() {
            shares.max_by_key(|share| share.keys.len())
        } else if MAX_CHANGE_FEED_BYTES < self.bytes {
            shares.max_by_key(|share| share.bytes)
        } else {
            return None;
        };
        largest?.keys.first().cloned()
    }

    fn remove(&mut self, key: &EventKey) {
        let Some(event) = self.events.remove(key) else { return };
        self.retold.remove(key);
        let bytes = event.rough_bytes();
        self.bytes = self.bytes.saturating_sub(bytes);
        let stream = event.source.stream();
        if let Some(share) = self.shares.get_mut(&stream) {
            share.bytes = share.bytes.saturating_sub(bytes);
            share.keys.remove(key);
            if share.keys.is_empty() {
                self.shares.remove(&stream);
            }
        }
        if let ChangeEventKind::Skipped { name, record_type, why } = event.kind {
            let skip = (event.source, name, record_type, word_of(&why));
            if self.skips.get(&skip) == Some(key) {
                self.skips.remove(&skip);
            }
        }
    }

    /// The state of the event's stream; `None` if there are too many streams.
    fn stream(&mut self, source: &FeedSource) -> Option<&mut Stream> {
        let source = source.stream();
        if MAX_FEED_ZONES <= self.streams.len() && !self.streams.contains_key(&source) {
            return None;
        }
        Some(self.streams.entry(source).or_default())
    }
}

fn oldest(now: Timestamp) -> Timestamp {
    let keep = SignedDuration::try_from(KEEP_CHANGE_EVENTS).unwrap_or(SignedDuration::MAX);
    now.saturating_sub(keep).unwrap_or(Timestamp::MIN)
}

fn add(now: Timestamp, by: std::time::Duration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn word_of(why: &SkipReason) -> Arc<str> {
    match why {
        SkipReason::Owner { found, required: _ } => format!("owner {found}").into(),
        SkipReason::NoZone => "no zone".into(),
        SkipReason::LabelLength => "label length".into(),
        SkipReason::BatchTooLarge => "batch too large".into(),
        SkipReason::TypeConflict => "type conflict".into(),
    }
}

#[cfg(test)]
mod tests;
