//! Sums over all events since the start: what metrics show. Only ever grows.
//!
//! Labels come from outside, so the number of rows is bounded; what goes beyond is summed up without
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::finding::Reason;
use crate::limits::MAX_COST_ROWS;
use crate::model::change::{ChangeEvent, ChangeEventKind, FeedSource, RefusedBatch};
use crate::model::heritage::Heritage;
use crate::model::{DomainName, RecordType, ZoneId};

/// Who told of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The log of ExternalDNS.
    Log,
    /// CloudTrail.
    CloudTrail,
}

/// Whose zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Owner id of the instance; empty when not known.
    pub owner_id: Arc<str>,
    /// Bare zone id; empty when not told.
    pub zone_id: Arc<str>,
}

/// Sums since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    owners: BTreeMap<FeedSource, Arc<str>>,
    zone_names: BTreeMap<Arc<str>, DomainName>,
    /// Refused changes by place, reason and origin: one for each sentence of a refused batch.
    pub refused: BTreeMap<(Place, Reason, Origin), u64>,
    /// The last refusal.
    pub last_refused: BTreeMap<Place, Timestamp>,
    /// The last change that went through.
    pub last_applied: BTreeMap<Place, Timestamp>,
    /// Calls that were only needed because a refused batch was sent again group by group.
    pub extra_calls: BTreeMap<Place, u64>,
    /// Groups of the last refused batch of a stream and zone that was not sent again yet.
    open: BTreeMap<(FeedSource, Arc<str>), (Place, u64)>,
}

// === impl Origin ===

impl Origin {
    /// The word in labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::CloudTrail => "cloudtrail",
        }
    }
}

// === impl Tally ===

impl Tally {
    /// The name of a zone, as far as a log told it; empty otherwise.
    #[must_use]
    pub fn zone_name(&self, zone_id: &str) -> &str {
        self.zone_names.get(zone_id).map_or("", DomainName::as_str)
    }

    pub(super) fn name_stream(&mut self, source: &FeedSource, owner_id: &Arc<str>) {
        let known = self.owners.contains_key(source) || self.owners.len() < MAX_COST_ROWS;
        if known && self.owners.get(source) != Some(owner_id) {
            self.owners.insert(source.clone(), Arc::clone(owner_id));
        }
    }

    pub(super) fn count(&mut self, event: &ChangeEvent) {
        match &event.kind {
            ChangeEventKind::Refused(batch) => self.refused(event, batch),
            ChangeEventKind::Applied(batch) => {
                let owner = || owner_of(batch.changes.iter().flat_map(|change| &change.targets));
                let place = self.place(&event.source, batch.zone_id.as_ref(), owner);
                self.sent_again(&event.source, &place);
                note_time(&mut self.last_applied, place, event.at);
            }
            ChangeEventKind::RunFailed { .. } | ChangeEventKind::RunSucceeded => {
                // The reconcile is over, and nobody sent the batch again.
                self.open.retain(|(source, _), _| *source != event.source);
            }
            ChangeEventKind::Skipped { .. } => {}
        }
    }

    fn refused(&mut self, event: &ChangeEvent, batch: &RefusedBatch) {
        let owner = || owner_of(batch.attempted.iter().flat_map(|change| &change.targets));
        let place = self.place(&event.source, batch.zone_id.as_ref(), owner);
        if let Some(name) = &batch.zone_name
            && !place.zone_id.is_empty()
            && self.zone_names.len() < MAX_COST_ROWS
        {
            self.zone_names.entry(Arc::clone(&place.zone_id)).or_insert_with(|| name.clone());
        }
        if batch.alone {
            // The same refusal once more; the batch before has counted it.
            self.sent_again(&event.source, &place);
        } else {
            let origin = match event.source {
                FeedSource::Log { .. } => Origin::Log,
                FeedSource::CloudTrail { .. } => Origin::CloudTrail,
            };
            for error in &batch.errors {
                bump(&mut self.refused, (place.clone(), error.reason, origin), 1);
            }
            let key = (event.source.clone(), Arc::clone(&place.zone_id));
            if matches!(event.source, FeedSource::Log { .. })
                && (self.open.contains_key(&key) || self.open.len() < MAX_COST_ROWS)
            {
                self.open.insert(key, (place.clone(), groups(batch)));
            }
        }
        note_time(&mut self.last_refused, place, event.at);
    }

    /// A batch that was refused is sent again: one call for each of its groups.
    fn sent_again(&mut self, source: &FeedSource, place: &Place) {
        let key = (source.clone(), Arc::clone(&place.zone_id));
        if let Some((place, groups)) = self.open.remove(&key) {
            bump(&mut self.extra_calls, place, groups);
        }
    }

    fn place(
        &self,
        source: &FeedSource,
        zone_id: Option<&ZoneId>,
        owner: impl FnOnce() -> Option<Arc<str>>,
    ) -> Place {
        Place {
            owner_id: self.owners.get(source).cloned().or_else(owner).unwrap_or_default(),
            zone_id: zone_id.map(|id| id.as_str().into()).unwrap_or_default(),
        }
    }
}

/// The owner id in an ownership record of the batch; only CloudTrail tells values.
fn owner_of<'a>(mut values: impl Iterator<Item = &'a Arc<str>>) -> Option<Arc<str>> {
    values.find_map(|value| Heritage::parse(value)?.owner).map(Arc::from)
}

/// Names of a batch, as ExternalDNS groups them: the ownership TXTs go with their record.
fn groups(batch: &RefusedBatch) -> u64 {
    let plain = batch.attempted.iter().filter(|change| change.record_type != RecordType::Txt);
    let names: BTreeSet<&DomainName> = plain.map(|change| &change.name).collect();
    u64::try_from(names.len()).unwrap_or(u64::MAX).max(1)
}

fn bump<K: Ord>(sums: &mut BTreeMap<K, u64>, key: K, by: u64) {
    let known = sums.contains_key(&key) || sums.len() < MAX_COST_ROWS;
    if !known {
        return;
    }
    let sum = sums.entry(key).or_default();
    *sum = sum.saturating_add(by);
}

fn note_time(times: &mut BTreeMap<Place, Timestamp>, place: Place, at: Timestamp) {
    if times.len() < MAX_COST_ROWS || times.contains_key(&place) {
        let last = times.entry(place).or_insert(at);
        *last = at.max(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::cloudtrail;
    use crate::changes::log::LogParser;

    fn source() -> FeedSource {
        FeedSource::Log { namespace: "dns".into(), pod: "p".into(), container: "c".into() }
    }

    fn count(tally: &mut Tally, log: &[&str]) {
        let mut parser = LogParser::new(source(), Timestamp::UNIX_EPOCH);
        for (second, text) in log.iter().enumerate() {
            let level = if text.starts_with("Fail") { "error" } else { "info" };
            let line = format!(
                "time=\"2026-11-23T09:00:{second:02}Z\" level={level} msg=\"{text}\" zoneID=/hostedzone/Z1 zoneName=example.com."
            );
            parser.push(&line).iter().for_each(|event| tally.count(event));
        }
    }

    const REFUSED: &str = "Failure in zone example.com. when submitting change batch: InvalidChangeBatch: [Tried to create an alias that targets 203.0.113.1., type A in zone Z1, but that target was not found]";

    #[test]
    fn a_poisoned_batch_costs_a_call_for_each_group() {
        let mut tally = Tally::default();
        tally.name_stream(&source(), &"gke-prod".into());
        let alone = REFUSED.replace(
            "Failure in zone example.com. when submitting change batch: ",
            "Failed submitting change (error: ",
        ) + "), it will be retried in a separate change batch in the next iteration";
        let batch = [
            "Desired change: CREATE a.example.com A",
            "Desired change: CREATE a-a.example.com TXT",
            "Desired change: CREATE b.example.com A",
            "Desired change: CREATE c.example.com A",
            REFUSED,
            &alone,
            "3 record(s) were successfully updated",
        ];
        count(&mut tally, &batch);
        let place = Place { owner_id: "gke-prod".into(), zone_id: "Z1".into() };
        assert_eq!(tally.extra_calls, BTreeMap::from([(place.clone(), 3)]));
        assert_eq!(
            tally.refused,
            BTreeMap::from([((place.clone(), Reason::AliasTargetNotFound, Origin::Log), 1)])
        );
        assert_eq!(tally.last_refused[&place].to_string(), "2026-11-23T09:00:05Z");
        assert_eq!(tally.last_applied[&place].to_string(), "2026-11-23T09:00:06Z");
        assert_eq!(tally.zone_name("Z1"), "example.com");
        // A batch of one group is not sent again.
        count(
            &mut tally,
            &["Desired change: CREATE a.example.com A", REFUSED, "Failed to do run once: soft error"],
        );
        assert_eq!(tally.extra_calls[&place], 3);
        assert_eq!(tally.refused.values().sum::<u64>(), 2);
    }

    #[test]
    fn cloudtrail_names_the_owner_by_its_heritage() {
        let mut tally = Tally::default();
        let record = serde_json::json!({
            "eventID": "1", "eventTime": "2026-11-23T09:00:00Z", "eventName": "ChangeResourceRecordSets",
            "errorCode": "ThrottlingException", "requestParameters": {"hostedZoneId": "Z1", "changeBatch": {"changes": [
                {"action": "CREATE", "resourceRecordSet": {"name": "a-x.example.com", "type": "TXT", "resourceRecords":
                 [{"value": "\"heritage=external-dns,external-dns/owner=eks,external-dns/resource=ingress/a/b\""}]}}]}}
        });
        cloudtrail::read(&record.to_string()).events.iter().for_each(|event| tally.count(event));
        let place = Place { owner_id: "eks".into(), zone_id: "Z1".into() };
        assert_eq!(tally.refused, BTreeMap::from([((place, Reason::Throttled, Origin::CloudTrail), 1)]));
    }
}
