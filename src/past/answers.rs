//! What DNS answered in earlier rounds, as far as a later one needs it. Pure; time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::observation::{Observation, Outcome, Vantage, leads_nowhere};
use crate::model::table::{Table, TableSet};
use crate::model::want::InstanceWants;
use crate::model::{Content, DomainName, RecordKey, RecordType, ZoneId};
use crate::past::labels::Labels;
use crate::past::names::{Held, Names};
use crate::policy::Policy;
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

/// An address that a zone's servers gave although the record does not have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// When it was last given.
    pub last: Timestamp,
    /// Its time to live in seconds.
    pub ttl: u32,
}

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
    /// When a server of the zone last denied a record that stands there.
    #[serde(with = "pairs", default)]
    denied: BTreeMap<(ZoneId, RecordKey), Timestamp>,
    /// Addresses that the servers of a zone gave for a name whose record has others.
    #[serde(with = "pairs", default)]
    given: BTreeMap<(ZoneId, DomainName), BTreeMap<IpAddr, Given>>,
    /// Host names that the servers of a zone led to for a name whose record leads elsewhere.
    #[serde(with = "pairs", default)]
    led: BTreeMap<(ZoneId, DomainName), BTreeMap<DomainName, Given>>,
    /// When resolvers of a view last gave what is wanted for a name that its zone may not reach: one below a
    /// delegation, or of a private zone, by view and name.
    #[serde(with = "pairs", default)]
    aside: BTreeMap<(Arc<str>, DomainName), Timestamp>,
}

// === impl Answered ===

impl Answered {
    /// The addresses that were answered for a host name within the last hour.
    pub fn lately(&self, host: &DomainName) -> impl Iterator<Item = IpAddr> {
        self.hosts.get(host).into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// When a server of the zone was first seen to answer a record that had come, or that had been denied.
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

    /// The host names that the servers of a zone led to for a name whose record leads elsewhere, within the last
    /// day.
    #[must_use]
    pub fn led(&self, zone: &ZoneId, name: &DomainName) -> Option<&BTreeMap<DomainName, Given>> {
        self.led.get(&(zone.clone(), name.clone()))
    }

    /// The addresses that the zone's own servers gave within the last day without having them in the record;
    /// `None` if they gave no such.
    #[must_use]
    pub fn given(&self, zone: &ZoneId, name: &DomainName) -> Option<&BTreeMap<IpAddr, Given>> {
        self.given.get(&(zone.clone(), name.clone()))
    }

    /// True if the resolvers of a view that were last heard about a name gave what is wanted, although its zone
    /// need not be the one that answers there: one below a delegation, or in the reach of a private zone.
    #[must_use]
    pub fn is_served_aside(&self, view: &str, name: &DomainName) -> bool {
        self.aside.contains_key(&(Arc::from(view), name.clone()))
    }

    /// `names`: with the wishes of this round.
    pub(super) fn observe_served_aside(
        &mut self,
        snapshot: &Snapshot,
        wants: &[InstanceWants],
        (names, labels): (&Names, &Labels<'_>),
    ) {
        for (place, leads) in self.told_aside(snapshot, wants, labels) {
            if !leads {
                self.aside.remove(&place);
            } else if self.aside.len() < MAX_HOSTS || self.aside.contains_key(&place) {
                self.aside.insert(place, snapshot.at);
            }
        }
        // What is wanted now was answered then.
        let is_of_wish = |name: &DomainName, last: Timestamp| {
            let mut latest = names.wishes_at(name).iter().filter_map(|wish| wish.sightings.last());
            latest.any(|wish| wish.since <= last)
        };
        self.aside.retain(|(_, name), last| {
            snapshot.at.duration_since(*last) < KEEP_SERVED && is_of_wish(name, *last)
        });
    }

    /// The wanted names in question that working resolvers were asked for, and whether one gave what is wanted.
    fn told_aside(
        &self,
        snapshot: &Snapshot,
        wants: &[InstanceWants],
        labels: &Labels<'_>,
    ) -> BTreeMap<(Arc<str>, DomainName), bool> {
        let all = || snapshot.observations();
        let works = all().filter(|seen| seen.vantage == Vantage::Control && seen.outcome == Outcome::Answer);
        let works: BTreeSet<(&str, &str)> = works.map(|seen| (&*seen.view, &*seen.server)).collect();
        let sent_on =
            all().filter(|seen| seen.vantage == Vantage::Authoritative && seen.referral().is_some());
        let sent_on: BTreeSet<&DomainName> = sent_on.map(|seen| &seen.name).collect();
        let zones = snapshot.route53.value().into_iter().flat_map(|zones| zones.zones.values());
        let private = zones.map(|zone| &zone.zone).filter(|zone| zone.private);
        let private: BTreeSet<&str> = private.map(|zone| zone.name.as_str()).collect();
        let is_aside = |seen: &Observation| match &*seen.view {
            "public" => sent_on.contains(&seen.name),
            _ => seen.name.suffixes().any(|zone| private.contains(zone)),
        };
        let mut told = BTreeMap::new();
        for seen in all().filter(|seen| seen.vantage == Vantage::Recursive && is_aside(seen)) {
            let says = matches!(seen.outcome, Outcome::Answer | Outcome::Nxdomain | Outcome::Nodata);
            let name = labels.name_of(seen);
            let mut wished = wants.iter().flat_map(|one| one.at(name)).peekable();
            if says && works.contains(&(&*seen.view, &*seen.server)) && wished.peek().is_some() {
                let leads = told.entry((Arc::clone(&seen.view), name.clone())).or_default();
                *leads |= wished.any(|want| self.leads_to(seen, &want.content));
            }
        }
        told
    }

    /// True if an answer gives an address or a host name of the content.
    fn leads_to(&self, seen: &Observation, content: &Content) -> bool {
        let hosts: BTreeSet<DomainName> = content.hosts().into_iter().collect();
        let is_of_host = |ip: &IpAddr| hosts.iter().any(|host| self.lately(host).any(|one| one == *ip));
        let is_own = |ip: &IpAddr| content.plain_values().iter().any(|value| value.ip() == Some(*ip));
        seen.answers.iter().any(|record| match record.data.parse::<IpAddr>() {
            Ok(ip) => is_own(&ip) || is_of_host(&ip),
            Err(_) => &*record.record_type == "CNAME" && hosts.contains(&DomainName::new(&record.data)),
        })
    }

    /// Answers of a zone's servers that are not what it holds: they outlive their cause in every cache.
    pub(super) fn observe_odd(&mut self, snapshot: &Snapshot, (names, labels): (&Names, &Labels<'_>)) {
        let Some(zones) = snapshot.route53.value() else { return };
        for seen in snapshot.observations().filter(|seen| seen.vantage == Vantage::Authoritative) {
            let Some(zone) = &seen.zone_id else { continue };
            let name = labels.name_of(seen);
            for held in names.records_at(name).iter().filter(|held| held.place.as_str() == &**zone) {
                let content = held.sightings.last().and_then(|last| last.value.as_ref());
                if let Some(content) = content.filter(|content| is_odd(seen, held, content))
                    && zones.zones.get(&held.place).is_some_and(|zone| zone.is_served_by(&seen.server))
                {
                    self.note_odd(seen, name, held, content);
                }
            }
        }
        self.denied.retain(|_, last| snapshot.at.duration_since(*last) < KEEP_FIRST);
        let is_kept = |one: &Given| snapshot.at.duration_since(one.last) < KEEP_SERVED;
        self.given.values_mut().for_each(|addresses| addresses.retain(|_, one| is_kept(one)));
        self.led.values_mut().for_each(|hosts| hosts.retain(|_, one| is_kept(one)));
        self.given.retain(|_, addresses| !addresses.is_empty());
        self.led.retain(|_, hosts| !hosts.is_empty());
    }

    fn note_odd(&mut self, seen: &Observation, name: &DomainName, held: &Held, content: &Content) {
        if matches!(seen.outcome, Outcome::Nxdomain | Outcome::Nodata) {
            let place = (held.place.clone(), held.key(name));
            if self.denied.len() < MAX_HOSTS || self.denied.contains_key(&place) {
                let last = self.denied.entry(place).or_insert(seen.at);
                *last = seen.at.max(*last);
            }
        }
        let place = || (held.place.clone(), name.clone());
        for (address, ttl) in foreign(seen, held, content) {
            note_given(&mut self.given, place(), address, Given { last: seen.at, ttl });
        }
        if let Some((host, ttl)) = foreign_host(seen, held, content) {
            note_given(&mut self.led, place(), host, Given { last: seen.at, ttl });
        }
    }

    pub(super) fn observe_served(
        &mut self,
        snapshot: &Snapshot,
        wants: &[InstanceWants],
        labels: &Labels<'_>,
    ) {
        let aliases = wants.iter().flat_map(|one| &one.wants).filter(|want| want.content.alias().is_some());
        let names: TableSet<&DomainName> = aliases.map(|want| &want.name).collect();
        let own = snapshot.observations().filter(|seen| seen.vantage == Vantage::Authoritative);
        for (name, seen) in
            own.map(|seen| (labels.name_of(seen), seen)).filter(|(name, _)| names.contains(name))
        {
            let Some(zone) = &seen.zone_id else { continue };
            let place = (ZoneId::new(zone), name.clone());
            for address in seen.addresses() {
                if MAX_HOSTS <= self.served.len() && !self.served.contains_key(&place) {
                    continue;
                }
                let last = self.served.entry(place.clone()).or_default().entry(address).or_insert(seen.at);
                *last = seen.at.max(*last);
            }
        }
        self.served.retain(|_, addresses| forget(addresses, snapshot.at, KEEP_SERVED, MAX_SERVED));
    }

    /// What the resolver of a cluster makes of a target, and what one that blocks puts in its place, it never had.
    pub(super) fn observe_hosts(&mut self, snapshot: &Snapshot, wants: &[InstanceWants], policy: &Policy) {
        let wanted = wants.iter().flat_map(|one| &one.wants).flat_map(|want| want.content.hosts());
        let wanted: TableSet<DomainName> = wanted.collect();
        let told = snapshot.observations().filter(|seen| wanted.contains(&seen.name));
        for seen in told.filter(|seen| !policy.is_internal(&seen.view) && !seen.is_blocked()) {
            for address in seen.addresses().filter(|ip| !leads_nowhere(ip)) {
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
    pub(super) fn observe_first(
        &mut self,
        snapshot: &Snapshot,
        arrivals: impl Iterator<Item = Arrival>,
        labels: &Labels<'_>,
    ) {
        let is_recent = |arrival: &Arrival| snapshot.at.duration_since(arrival.2) < KEEP_FIRST;
        let mut recent: Vec<Arrival> = arrivals.filter(is_recent).collect();
        // What was denied while it stood begins anew with the next answer.
        let mut denied = self.denied.clone();
        for (place, absent, _) in recent.iter_mut().filter(|_| !self.denied.is_empty()) {
            *absent = denied.remove(place).max(*absent);
        }
        recent.extend(denied.into_iter().map(|(place, last)| (place, Some(last), last)));
        let mut by_name: Table<&DomainName, Vec<&Arrival>> = Table::default();
        for arrival in &recent {
            by_name.entry(&arrival.0.1.name).or_default().push(arrival);
        }
        let before = std::mem::take(&mut self.first);
        if by_name.is_empty() {
            return;
        }
        let known = recent.iter().filter_map(|(place, absent, _)| {
            before.get_key_value(place).filter(|(_, at)| absent.is_none_or(|absent| absent < **at))
        });
        self.first = known.map(|(place, at)| (place.clone(), *at)).collect();
        for seen in snapshot.observations() {
            for (place, absent, _) in by_name.get(labels.name_of(seen)).into_iter().flatten() {
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
        let given = self.given.values_mut().flat_map(BTreeMap::values_mut);
        let led = self.led.values_mut().flat_map(BTreeMap::values_mut);
        let given = given.chain(led).map(|one| &mut one.last);
        let others = self.denied.values_mut().chain(self.aside.values_mut());
        all.chain(others).chain(given).for_each(|at| *at = now.min(*at));
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

/// True if an answer is not what the record says.
fn is_odd(seen: &Observation, held: &Held, content: &Content) -> bool {
    let is_denied = matches!(seen.outcome, Outcome::Nxdomain | Outcome::Nodata);
    let leads_elsewhere =
        || foreign(seen, held, content).next().is_some() || foreign_host(seen, held, content).is_some();
    tells_of(seen, &held.record_type) && (is_denied || leads_elsewhere())
}

/// Keeps what was given for a name, as long as there is room for it.
fn note_given<T: Ord>(
    all: &mut BTreeMap<(ZoneId, DomainName), BTreeMap<T, Given>>,
    place: (ZoneId, DomainName),
    what: T,
    new: Given,
) {
    if MAX_HOSTS <= all.len() && !all.contains_key(&place) {
        return;
    }
    let of_name = all.entry(place).or_default();
    if of_name.len() < MAX_SERVED || of_name.contains_key(&what) {
        let one = of_name.entry(what).or_insert(new);
        *one = Given { last: new.last.max(one.last), ttl: new.ttl.max(one.ttl) };
    }
}

/// The host name that the answer leads to and the record does not.
fn foreign_host(seen: &Observation, held: &Held, content: &Content) -> Option<(DomainName, u32)> {
    let mut cnames = seen.answers.iter().filter(|one| &*one.record_type == "CNAME" && one.name == seen.name);
    let first = cnames.next().filter(|_| held.set_identifier.is_none())?;
    let host = DomainName::new(&first.data);
    let is_own = content.hosts().iter().any(|own| own.bare() == host.bare());
    (!is_own).then_some((host, first.ttl))
}

/// The addresses in an answer that the record does not have. What a host name resolves to is not the zone's, and
/// another member of a routing set has addresses of its own.
fn foreign<'a>(
    seen: &'a Observation,
    held: &Held,
    content: &'a Content,
) -> impl Iterator<Item = (IpAddr, u32)> + use<'a> {
    let values = content.plain_values();
    let is_plain = held.set_identifier.is_none() && values.iter().all(|one| one.ip().is_some());
    let answers = seen.answers.iter().filter(move |_| is_plain && !values.is_empty());
    let addresses = answers.filter_map(|one| Some((one.data.parse::<IpAddr>().ok()?, one.ttl)));
    addresses.filter(|(address, _)| !values.iter().any(|one| one.ip() == Some(*address)))
}

/// True if a server of the zone has the record.
fn answers(seen: &Observation, (zone, key): &(ZoneId, RecordKey)) -> bool {
    seen.vantage == Vantage::Authoritative
        && seen.outcome == Outcome::Answer
        && seen.zone_id.as_deref() == Some(zone.as_str())
        && tells_of(seen, &key.record_type)
}

/// True if the question tells of a record of the type.
fn tells_of(seen: &Observation, record_type: &RecordType) -> bool {
    *seen.record_type == *record_type.as_str() || *record_type == RecordType::Cname
}

#[cfg(test)]
mod tests {
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
        answered.observe_first(&round(&[50]), arrivals(), &Labels::of(&[], &Names::default(), None));
        assert_eq!(answered.first(&place.0, &place.1), None);
        answered.observe_first(
            &round(&[50, 170, 110]),
            arrivals(),
            &Labels::of(&[], &Names::default(), None),
        );
        answered.observe_first(&round(&[190]), arrivals(), &Labels::of(&[], &Names::default(), None));
        assert_eq!(answered.first(&place.0, &place.1), Some(at(110)));
        answered.observe_first(&round(&[190]), std::iter::empty(), &Labels::of(&[], &Names::default(), None));
        assert_eq!(answered, Answered::default());
    }
}
