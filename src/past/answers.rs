//! What DNS answered in earlier rounds, as far as a later one needs it. Pure; time is an argument.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::table::{Table, TableSet};
use crate::model::want::InstanceWants;
use crate::model::{DomainName, RecordKey, RecordType, ZoneId};
use crate::snapshot::Snapshot;
use crate::stored::pairs;

/// How long an address counts as one of a host name after it was last answered. Load balancers take new
/// ones within minutes and keep the old ones reachable meanwhile.
const KEEP_ADDRESS: SignedDuration = SignedDuration::from_hours(1);

/// How long it matters when a record began to be answered: no denial is kept for longer than a day.
const KEEP_FIRST: SignedDuration = SignedDuration::from_hours(25);

/// Host names whose addresses are remembered.
const MAX_HOSTS: usize = 10_000;

/// Addresses of one host name that are remembered, the latest ones.
const MAX_ADDRESSES: usize = 64;

/// How long it matters what a zone's servers gave for an alias: no answer is kept for longer than a day.
const KEEP_SERVED: SignedDuration = SignedDuration::from_hours(25);

/// Addresses of one alias that are remembered, the latest ones.
const MAX_SERVED: usize = 32;

/// A record that was seen to come: its key, the last round without it, and the first one with it.
pub type Arrival = ((ZoneId, RecordKey), Option<Timestamp>, Timestamp);

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Addresses of wanted host names, and when each was last answered.
    #[serde(default)]
    hosts: BTreeMap<DomainName, BTreeMap<IpAddr, Timestamp>>,
    /// The first positive answer of a zone's own server for a record that was seen to come.
    #[serde(with = "pairs", default)]
    first: BTreeMap<(ZoneId, RecordKey), Timestamp>,
    /// Addresses that the servers of a zone gave for a wanted alias, and when each was last answered.
    #[serde(with = "pairs", default)]
    served: BTreeMap<(ZoneId, DomainName), BTreeMap<IpAddr, Timestamp>>,
}

// === impl Answered ===

impl Answered {
    /// The addresses that were answered for a host name within the last hour.
    pub fn lately(&self, host: &DomainName) -> impl Iterator<Item = IpAddr> {
        self.hosts.get(host).into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// When a server of the zone was first seen to answer a record that had come.
    #[must_use]
    pub fn first(&self, zone: &ZoneId, key: &RecordKey) -> Option<Timestamp> {
        self.first.get(&(zone.clone(), key.clone())).copied()
    }

    /// The addresses that the zone's own servers gave for an alias within the last day, and when each was
    /// last answered.
    pub fn by_zone(&self, zone: &ZoneId, name: &DomainName) -> impl Iterator<Item = (IpAddr, Timestamp)> {
        let served = self.served.get(&(zone.clone(), name.clone()));
        served.into_iter().flatten().map(|(address, last)| (*address, *last))
    }

    pub(super) fn observe_served(&mut self, snapshot: &Snapshot, wants: &[InstanceWants]) {
        let aliases = wants.iter().flat_map(|one| &one.wants).filter(|want| want.content.alias().is_some());
        let names: TableSet<&DomainName> = aliases.map(|want| &want.name).collect();
        let own = snapshot.observations().filter(|seen| seen.vantage == Vantage::Authoritative);
        for seen in own.filter(|seen| names.contains(&seen.name)) {
            let Some(zone) = &seen.zone_id else { continue };
            let place = (ZoneId::new(zone), seen.name.clone());
            let addresses = seen.answers.iter().filter_map(|record| record.data.parse::<IpAddr>().ok());
            for address in addresses {
                if MAX_HOSTS <= self.served.len() && !self.served.contains_key(&place) {
                    continue;
                }
                let last = self.served.entry(place.clone()).or_default().entry(address).or_insert(seen.at);
                *last = seen.at.max(*last);
            }
        }
        self.served.retain(|_, addresses| forget(addresses, snapshot.at, KEEP_SERVED, MAX_SERVED));
    }

    pub(super) fn observe_hosts(&mut self, snapshot: &Snapshot, wants: &[InstanceWants]) {
        let wanted = wants.iter().flat_map(|one| &one.wants).flat_map(|want| want.content.hosts());
        let wanted: TableSet<DomainName> = wanted.collect();
        for seen in snapshot.observations().filter(|seen| wanted.contains(&seen.name)) {
            let addresses = seen.answers.iter().filter_map(|record| record.data.parse::<IpAddr>().ok());
            for address in addresses {
                if MAX_HOSTS <= self.hosts.len() && !self.hosts.contains_key(&seen.name) {
                    continue;
                }
                let last = self.hosts.entry(seen.name.clone()).or_default().entry(address).or_insert(seen.at);
                *last = seen.at.max(*last);
            }
        }
        self.hosts.retain(|_, addresses| forget(addresses, snapshot.at, KEEP_ADDRESS, MAX_ADDRESSES));
    }

    /// `arrivals`: the records that stand now and were seen to come.
    pub(super) fn observe_first(&mut self, snapshot: &Snapshot, arrivals: impl Iterator<Item = Arrival>) {
        let is_recent = |arrival: &Arrival| snapshot.at.duration_since(arrival.2) < KEEP_FIRST;
        let recent: Vec<Arrival> = arrivals.filter(is_recent).collect();
        let mut by_name: Table<&DomainName, Vec<&Arrival>> = Table::default();
        for arrival in &recent {
            by_name.entry(&arrival.0.1.name).or_default().push(arrival);
        }
        let before = std::mem::take(&mut self.first);
        if by_name.is_empty() {
            return;
        }
        let known = recent.iter().filter_map(|(place, ..)| before.get_key_value(place));
        self.first = known.map(|(place, at)| (place.clone(), *at)).collect();
        for seen in snapshot.observations() {
            for (place, absent, _) in by_name.get(&seen.name).into_iter().flatten() {
                if answers(seen, place) && absent.is_none_or(|absent| absent < seen.at) {
                    let first = self.first.entry(place.clone()).or_insert(seen.at);
                    *first = seen.at.min(*first);
                }
            }
        }
    }

    pub(super) fn set_back(&mut self, now: Timestamp) {
        let addresses = self.hosts.values_mut().chain(self.served.values_mut());
        let all = addresses.flat_map(BTreeMap::values_mut).chain(self.first.values_mut());
        all.for_each(|at| *at = now.min(*at));
    }
}

/// Keeps the latest addresses; false when none is left.
fn forget(
    addresses: &mut BTreeMap<IpAddr, Timestamp>,
    now: Timestamp,
    keep: SignedDuration,
    most: usize,
) -> bool {
    addresses.retain(|_, last| now.duration_since(*last) < keep);
    while most < addresses.len() {
        let oldest = addresses.iter().min_by_key(|(_, last)| **last).map(|(address, _)| *address);
        oldest.and_then(|oldest| addresses.remove(&oldest));
    }
    !addresses.is_empty()
}

/// True if a server of the zone has the record.
fn answers(seen: &Observation, (zone, key): &(ZoneId, RecordKey)) -> bool {
    seen.vantage == Vantage::Authoritative
        && seen.outcome == Outcome::Answer
        && seen.zone_id.as_deref() == Some(zone.as_str())
        && (*seen.record_type == *key.record_type.as_str() || key.record_type == RecordType::Cname)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixture;
    use crate::snapshot::Reading;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("time")
    }

    fn round(seconds: &[i64]) -> Snapshot {
        let seen = |second: &i64| Observation {
            at: at(*second),
            respondent: fixture::respondent(Vantage::Authoritative, "ns-1.example.net", Some("Z1")),
            ..fixture::observation(
                Vantage::Authoritative,
                "ns-1.example.net",
                "app.example.com",
                Outcome::Answer,
            )
        };
        let now = at(200);
        Snapshot {
            at: now,
            kubernetes: Reading::off(),
            route53: Reading::off(),
            dns: Reading::read(now, seconds.iter().map(seen).map(Arc::new).collect()),
            changes: Reading::off(),
        }
    }

    #[test]
    fn the_first_answer_after_the_last_absence_counts() {
        let key = RecordKey {
            name: DomainName::new("app.example.com"),
            record_type: RecordType::A,
            set_identifier: None,
        };
        let place = (ZoneId::new("Z1"), key);
        let arrivals = || std::iter::once((place.clone(), Some(at(60)), at(120)));
        let mut answered = Answered::default();
        answered.observe_first(&round(&[50]), arrivals());
        assert_eq!(answered.first(&place.0, &place.1), None);
        answered.observe_first(&round(&[50, 170, 110]), arrivals());
        answered.observe_first(&round(&[190]), arrivals());
        assert_eq!(answered.first(&place.0, &place.1), Some(at(110)));
        answered.observe_first(&round(&[190]), std::iter::empty());
        assert_eq!(answered, Answered::default());
    }
}
