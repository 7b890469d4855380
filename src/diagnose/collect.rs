//! Sums over all events, and who is to blame once they are all in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::changes::log::StartupInfo;
use crate::diagnose::{
    Diagnosis, FORMAT, FailedRuns, InputReport, Refused, RefusedState, advice, blame, input,
};
use crate::finding::{Reason, Subject};
use crate::limits::{MAX_CHANGE_EVENTS, MAX_FINDING_SERIES};
use crate::model::change::{
    AppliedBatch, ChangeEvent, ChangeEventKind, FeedSource, RefusalError, RefusedBatch,
};
use crate::model::heritage::TxtAffixes;
use crate::model::record::RecordKey;
use crate::model::suspects::{SAME_RECONCILE, Suspects, Unnamed};
use crate::model::{DomainName, RecordType, Version, ZoneId};

/// Records that one doubtful refusal may name; more say nothing.
const MAX_DOUBTFUL: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    pub(super) record: Option<RecordKey>,
    zone_id: Option<ZoneId>,
    pub(super) reason: Reason,
}

/// What happened again and again.
#[derive(Clone, Debug)]
pub(super) struct Row {
    zone: Option<DomainName>,
    pub(super) target: Option<Arc<str>>,
    pub(super) culprit: Option<DomainName>,
    /// It is the ownership TXT of the record that Route 53 complains about.
    pub(super) about_txt: bool,
    tally: Tally,
}

#[derive(Clone, Debug)]
struct Tally {
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    request_id: Option<Arc<str>>,
    principal: Option<Arc<str>>,
    message: Arc<str>,
    stream: FeedSource,
}

/// A refusal that names no record.
#[derive(Clone, Debug)]
struct Doubt {
    row: Row,
    suspects: Suspects,
}

/// Takes events one by one and keeps sums, so that the size of the input does not matter.
#[derive(Debug, Default)]
pub(super) struct Collector {
    affixes: TxtAffixes,
    /// The release that a log tells; the newest of several.
    version: Option<Version>,
    rows: BTreeMap<RowKey, Row>,
    doubts: BTreeMap<Unnamed, Doubt>,
    failed_runs: BTreeMap<Reason, FailedRuns>,
    applied: BTreeMap<(DomainName, RecordType), Timestamp>,
    succeeded: BTreeMap<FeedSource, Timestamp>,
    /// The last batch of each zone, and whether groups of it were sent alone.
    batches: BTreeMap<(FeedSource, Option<ZoneId>), LastBatch>,
    requests: BTreeSet<Arc<str>>,
}

#[derive(Clone, Debug)]
struct LastBatch {
    at: Timestamp,
    records: Vec<RecordKey>,
    split: bool,
}

// === impl Collector ===

impl Collector {
    /// Learns the names of ownership records from the options that the process logged.
    pub(super) fn start_up(&mut self, info: &StartupInfo) {
        self.version = self.version.max(info.version);
        let Some(flags) = &info.flags else { return };
        let field = |key: &str| input::option(flags, key).unwrap_or_default().to_ascii_lowercase();
        self.affixes = TxtAffixes {
            prefix: field("TXTPrefix"),
            suffix: field("TXTSuffix"),
            wildcard_replacement: field("TXTWildcardReplacement"),
        };
    }

    /// Takes one event. CloudTrail first: it tells more about a call than the log does.
    pub(super) fn take(&mut self, event: &ChangeEvent) {
        let stream = event.source.stream();
        match &event.kind {
            ChangeEventKind::Refused(batch) => self.refused(event, &stream, batch),
            ChangeEventKind::Applied(batch) => self.applied(event.at, batch),
            ChangeEventKind::RunFailed { reason, message, sums_up_batches: false, fatal, .. } => {
                let runs = self.failed_runs.entry(*reason).or_insert_with(|| FailedRuns {
                    reason: *reason,
                    count: 0,
                    first_at: event.at,
                    last_at: event.at,
                    fatal: false,
                    message: Arc::clone(message),
                });
                runs.count = runs.count.saturating_add(1);
                runs.last_at = event.at;
                runs.fatal |= fatal;
                runs.message = Arc::clone(message);
            }
            ChangeEventKind::RunSucceeded => drop(self.succeeded.insert(stream, event.at)),
            ChangeEventKind::RunFailed { .. } | ChangeEventKind::Skipped { .. } => {}
        }
    }

    fn applied(&mut self, at: Timestamp, batch: &AppliedBatch) {
        for change in &batch.changes {
            let key = (change.name.clone(), change.record_type.clone());
            if self.applied.len() < MAX_CHANGE_EVENTS || self.applied.contains_key(&key) {
                let last = self.applied.entry(key).or_insert(at);
                *last = at.max(*last);
            }
        }
    }

    fn refused(&mut self, event: &ChangeEvent, stream: &FeedSource, batch: &RefusedBatch) {
        if let Some(id) = &batch.request_id
            && self.requests.len() < MAX_CHANGE_EVENTS
            && !self.requests.insert(Arc::clone(id))
        {
            return;
        }
        let records = blame::records(batch, &self.affixes);
        let counts = self.note_batch(event.at, stream, batch, &records);
        let mut culprits: Vec<RecordKey> = Vec::new();
        let mut at_once: BTreeMap<Unnamed, usize> = BTreeMap::new();
        let mut counted: BTreeSet<(RecordKey, Reason)> = BTreeSet::new();
        for error in &batch.errors {
            let hit = blame::named(error, batch, &records, &self.affixes);
            let row = row(event, stream, batch, error, counts);
            if hit.is_empty() {
                let key = Unnamed::of(batch, error);
                let times = at_once.entry(key.clone()).or_default();
                *times += 1;
                let candidates = blame::candidates(error, batch, &records);
                culprits.extend(candidates.iter().cloned());
                self.doubt(key, row, candidates, *times);
                continue;
            }
            for record in hit {
                let mut row = row.clone();
                // A record and its ownership TXT in one list are one refusal.
                if !counted.insert((record.clone(), error.reason)) {
                    row.tally.count = 0;
                }
                self.add(Some(record.clone()), error.reason, batch, row);
                culprits.push(record);
            }
        }
        if !batch.alone {
            self.victims(event, stream, batch, (&records, &culprits), counts);
        }
    }

    /// Remembers the batch; false if the event repeats it group by group.
    fn note_batch(
        &mut self,
        at: Timestamp,
        stream: &FeedSource,
        batch: &RefusedBatch,
        records: &[RecordKey],
    ) -> bool {
        let key = (stream.clone(), batch.zone_id.clone());
        if let Some(last) = self.batches.get_mut(&key)
            && batch.alone
        {
            last.split = true;
            return SAME_RECONCILE < at.duration_since(last.at);
        }
        if self.batches.len() < MAX_CHANGE_EVENTS || self.batches.contains_key(&key) {
            let split = self.batches.get(&key).is_some_and(|last| last.split);
            self.batches.insert(key, LastBatch { at, records: records.to_vec(), split });
        }
        true
    }

    fn victims(
        &mut self,
        event: &ChangeEvent,
        stream: &FeedSource,
        batch: &RefusedBatch,
        (records, culprits): (&[RecordKey], &[RecordKey]),
        counts: bool,
    ) {
        let Some(culprit) = culprits.first() else { return };
        for victim in records.iter().filter(|key| !culprits.iter().any(|other| other.name == key.name)) {
            let mut row = Row {
                zone: batch.zone_name.clone(),
                target: None,
                culprit: Some(culprit.name.clone()),
                about_txt: false,
                tally: tally(event, stream, batch, &batch.message),
            };
            row.tally.count = u64::from(counts);
            self.add(Some(victim.clone()), Reason::BatchVictim, batch, row);
        }
    }

    fn add(&mut self, record: Option<RecordKey>, reason: Reason, batch: &RefusedBatch, row: Row) {
        let key = RowKey { record, zone_id: batch.zone_id.clone(), reason };
        if let Some(known) = self.rows.get_mut(&key) {
            known.merge(row);
        } else if self.rows.len() < MAX_FINDING_SERIES {
            self.rows.insert(key, row);
        }
    }

    fn doubt(&mut self, key: Unnamed, mut row: Row, candidates: Vec<RecordKey>, times: usize) {
        if 1 < times {
            row.tally.count = 0;
        }
        let room = self.doubts.len() < MAX_FINDING_SERIES || self.doubts.contains_key(&key);
        if !room {
            return;
        }
        let doubt = self.doubts.entry(key).or_insert_with(|| Doubt {
            row: Row { tally: Tally { count: 0, ..row.tally.clone() }, ..row.clone() },
            suspects: Suspects::default(),
        });
        doubt.row.merge(row);
        doubt.suspects.narrow(candidates, times);
    }

    /// The diagnosis over all that was taken.
    pub(super) fn finish(mut self, inputs: Vec<InputReport>) -> Diagnosis {
        let mut refused: Vec<Refused> = self.settle_doubts();
        let rows = std::mem::take(&mut self.rows);
        let guilty: BTreeSet<&RecordKey> = rows
            .keys()
            .filter(|key| key.reason != Reason::BatchVictim)
            .filter_map(|key| key.record.as_ref())
            .chain(refused.iter().filter_map(|one| one.subject.as_ref()?.record()))
            .collect::<BTreeSet<_>>();
        let kept: Vec<(&RowKey, &Row)> = rows
            .iter()
            .filter(|(key, row)| key.reason != Reason::BatchVictim || self.is_lost(key, row, &guilty))
            .collect();
        let sure: Vec<Refused> = kept.iter().map(|(key, row)| self.show(key, row, true)).collect();
        refused.extend(sure);
        refused.sort_by(|left, right| {
            let order = |one: &Refused| (one.state, one.reason == Reason::BatchVictim);
            order(left)
                .cmp(&order(right))
                .then(right.count.cmp(&left.count))
                .then_with(|| left.subject.cmp(&right.subject))
                .then_with(|| left.reason.cmp(&right.reason))
        });
        let failed_runs = self.failed_runs.into_values().collect();
        Diagnosis { format: FORMAT, inputs, refused, failed_runs }
    }

    /// A victim is lost as long as its batch is not sent again name by name.
    fn is_lost(&self, key: &RowKey, row: &Row, guilty: &BTreeSet<&RecordKey>) -> bool {
        let Some(record) = &key.record else { return false };
        let last = self.batches.get(&(row.tally.stream.clone(), key.zone_id.clone()));
        !guilty.contains(record) && last.is_some_and(|last| !last.split && last.records.contains(record))
    }

    fn settle_doubts(&self) -> Vec<Refused> {
        let mut out = Vec::new();
        for (key, doubt) in &self.doubts {
            let candidates = doubt.suspects.common();
            // Another feed, or a log at debug level, told the name of the very same refusal.
            let told = self.rows.iter().any(|(known, row)| {
                known.reason == key.reason
                    && row.target == key.target
                    && known.record.as_ref().is_some_and(|record| candidates.contains(record))
            });
            if told {
                continue;
            }
            let certain = doubt.suspects.is_certain();
            let row = |record: Option<RecordKey>, certain: bool| {
                let key = RowKey { record, zone_id: key.zone_id.clone(), reason: key.reason };
                self.show(&key, &doubt.row, certain)
            };
            if candidates.is_empty() || MAX_DOUBTFUL < candidates.len() && !certain {
                out.push(row(None, false));
            } else {
                out.extend(candidates.iter().map(|record| row(Some(record.clone()), certain)));
            }
        }
        out
    }

    fn show(&self, key: &RowKey, row: &Row, certain: bool) -> Refused {
        let cause = advice::cause(key, row);
        Refused {
            subject: key.record.clone().map(Subject::Record),
            certain,
            state: self.state(key, &row.tally),
            zone_id: key.zone_id.clone(),
            zone: row.zone.clone(),
            reason: key.reason,
            target: row.target.clone(),
            count: row.tally.count.max(1),
            first_at: row.tally.first_at,
            last_at: row.tally.last_at,
            request_id: row.tally.request_id.clone(),
            principal: row.tally.principal.clone(),
            message: Arc::clone(&row.tally.message),
            advice: advice::advice(key.reason, cause.as_ref(), row.target.as_deref(), self.version),
            cause,
        }
    }

    fn state(&self, key: &RowKey, tally: &Tally) -> RefusedState {
        let applied = key
            .record
            .as_ref()
            .and_then(|record| self.applied.get(&(record.name.clone(), record.record_type.clone())));
        if applied.is_some_and(|at| tally.last_at < *at) {
            return RefusedState::Applied;
        }
        if self.succeeded.get(&tally.stream).is_some_and(|at| tally.last_at < *at) {
            return RefusedState::NoLongerTried;
        }
        RefusedState::Refused
    }
}

fn row(
    event: &ChangeEvent,
    stream: &FeedSource,
    batch: &RefusedBatch,
    error: &RefusalError,
    counts: bool,
) -> Row {
    let mut tally = tally(event, stream, batch, &error.message);
    tally.count = u64::from(counts);
    let about_txt = error.record_type == Some(RecordType::Txt);
    Row { zone: batch.zone_name.clone(), target: error.target.clone(), culprit: None, about_txt, tally }
}

fn tally(event: &ChangeEvent, stream: &FeedSource, batch: &RefusedBatch, message: &Arc<str>) -> Tally {
    let principal = match &event.source {
        FeedSource::CloudTrail { principal, .. } if !principal.is_empty() => Some(Arc::clone(principal)),
        FeedSource::CloudTrail { .. } | FeedSource::Log { .. } => None,
    };
    Tally {
        count: 1,
        first_at: event.at,
        last_at: event.at,
        request_id: batch.request_id.clone(),
        principal,
        message: Arc::clone(message),
        stream: stream.clone(),
    }
}

// === impl Row ===

impl Row {
    fn merge(&mut self, other: Self) {
        let (mine, theirs) = (&mut self.tally, other.tally);
        mine.count = mine.count.saturating_add(theirs.count);
        mine.first_at = mine.first_at.min(theirs.first_at);
        if mine.last_at <= theirs.last_at {
            mine.last_at = theirs.last_at;
            mine.request_id = theirs.request_id.or(mine.request_id.take());
            mine.message = theirs.message;
            mine.stream = theirs.stream;
        }
        mine.principal = mine.principal.take().or(theirs.principal);
        self.zone = self.zone.take().or(other.zone);
        self.target = self.target.take().or(other.target);
        self.culprit = other.culprit.or(self.culprit.take());
        self.about_txt &= other.about_txt;
    }
}
