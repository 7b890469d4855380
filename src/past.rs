//! What earlier rounds have seen, as far as a verdict needs it. Pure; time is an argument.
//!
//! Only names that an instance wants or has wanted are remembered, each with a bounded number of
//! changes, so the memory follows the wishes and not the size of the zones.

pub mod answers;
mod labels;
pub mod names;
pub mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::finding::Reason;
use crate::limits::MAX_SEPARATIONS;
use crate::model::change::{Action, ChangeEventKind};
use crate::model::heritage::TxtRole;
use crate::model::instance::Instance;
use crate::model::object::{KubeObject, registry_word};
use crate::model::observation::{AnswerRecord, Observation, Outcome, Vantage};
use crate::model::packed::pack;
use crate::model::shard::Shard;
use crate::model::table::TableSet;
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::{HostedZone, ZoneReading, Zones};
use crate::model::{Content, DomainName, ObjectRef, RecordKey, RecordSet, RecordType, ZoneId};
use crate::past::answers::{Answered, Arrival};
use crate::past::labels::Labels;
use crate::past::names::{ABSENCE, sight};
pub use crate::past::names::{KeyRef, Names, Others, Sighting};
use crate::past::told::Told;
use crate::policy::Policy;
use crate::snapshot::{Cluster, Problem, Reading, Snapshot, ViewName, ViewState};
use crate::stored::pairs;

/// The looks of one moment: a name and a control name are asked in any order.
const ONE_LOOK: SignedDuration = SignedDuration::from_secs(10);

/// True if `one` was before `other`, or of the same look.
#[must_use]
pub fn not_after(one: Timestamp, other: Timestamp) -> bool {
    one <= other.saturating_add(ONE_LOOK).unwrap_or(Timestamp::MAX)
}

/// How long a name that nobody wants any more is remembered.
const KEEP_UNWANTED: SignedDuration = SignedDuration::from_hours(48);

/// Objects that live shorter than this are seldom: two looks that are not further apart see all others.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// How long it matters that an object was away and came back: a record is watched for an hour.
const KEEP_AWAY: SignedDuration = SignedDuration::from_hours(2);

/// Objects that come and go of which the times are remembered.
const MAX_AWAY: usize = 1000;

/// Objects of others that are remembered: enough to say that there are some.
const MAX_STRANGERS: usize = 1000;

/// A wish over time: instance, name, type and set identifier. The zone is left out on purpose: a
/// name that moves to another zone is the same wish.
pub type WishKey = (Arc<str>, RecordKey);

/// Everything that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The first round.
    pub first_at: Option<Timestamp>,
    /// The latest round.
    pub last_at: Option<Timestamp>,
    /// Wishes and the record sets at wanted names, with each content that they had.
    pub names: Names,
    /// Records at names while nobody wanted them.
    pub others: Others,
    /// Objects.
    #[serde(with = "pairs")]
    pub objects: BTreeMap<ObjectRef, ObjectPast>,
    /// When objects were away: from the last round with one to the first in which it was back, or to the latest.
    #[serde(with = "pairs", default)]
    away: BTreeMap<ObjectRef, Vec<Span>>,
    /// What the parents said about the delegation of each hosted zone, by zone name.
    #[serde(with = "pairs")]
    pub delegations: BTreeMap<DomainName, Vec<Sighting<Delegation>>>,
    /// Objects that ownership records of an instance name and that were never here, with the
    /// rounds in which a record stood for them.
    #[serde(with = "pairs")]
    pub strangers: BTreeMap<(Arc<str>, ObjectRef), Span>,
    /// The same while no record stood for them: from v0.19.0 a new record takes over the ownership record
    /// that it finds, whoever that was made for.
    #[serde(with = "pairs", default)]
    idle: BTreeMap<(Arc<str>, ObjectRef), Span>,
    /// The first reading of each hosted zone.
    #[serde(with = "pairs", default)]
    zones: BTreeMap<ZoneId, Timestamp>,
    /// The first list with each hosted zone.
    #[serde(with = "pairs", default)]
    listed: BTreeMap<ZoneId, Timestamp>,
    /// The hosted zones that are or were public, while anything is remembered of what they held.
    #[serde(default)]
    public: BTreeSet<ZoneId>,
    /// Views that cannot be read, by view and scope.
    #[serde(with = "pairs")]
    pub blind: BTreeMap<(ViewName, String), Blind>,
    /// Since when the control name of a resolver has been answered without a failure between, by view
    /// and server.
    #[serde(with = "pairs", default)]
    controls: BTreeMap<(Arc<str>, Arc<str>), Timestamp>,
    /// Routing and health check of wishes that have or had any, and since when they have been so.
    #[serde(with = "pairs", default)]
    attributes: BTreeMap<WishKey, Attributes>,
    /// The latest round in which DNS was read; `None` while it never was.
    #[serde(default)]
    pub dns_at: Option<Timestamp>,
    /// Cycles since then in which nobody asked DNS, and when the last of them was counted.
    #[serde(default)]
    unasked: Option<(u32, Timestamp)>,
    /// What DNS answered lately.
    #[serde(default)]
    pub answered: Answered,
    /// Since when a private zone has been seen to be associated with a VPC, by zone and VPC id.
    #[serde(with = "pairs", default)]
    associations: BTreeMap<(ZoneId, Arc<str>), Timestamp>,
    /// When a private zone was first seen without a VPC that it had, by zone and VPC id.
    #[serde(with = "pairs", default)]
    separations: BTreeMap<(ZoneId, Arc<str>), Timestamp>,
    /// The first round without a wish, by the last one with it: rounds may lie far apart.
    #[serde(with = "pairs", default)]
    losses: BTreeMap<Timestamp, Timestamp>,
    /// The latest round in which a Pod of an instance was ready, by owner id.
    #[serde(default)]
    pub ready: BTreeMap<Arc<str>, Timestamp>,
    /// What the feeds told.
    #[serde(default)]
    pub told: Told,
}

/// Routing and health check of a wish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Attributes {
    text: Arc<str>,
    /// The first of the changes that the record has not followed.
    since: Timestamp,
    /// The latest change.
    #[serde(default)]
    changed_at: Option<Timestamp>,
}

/// The delegation of a zone as its parent gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Name servers; empty when the parent denies the zone.
    pub servers: BTreeSet<DomainName>,
    /// Time to live of the NS records in seconds; 0 for a denial.
    pub ttl: u32,
}

/// The rounds in which something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First round with it.
    pub since: Timestamp,
    /// Last round with it.
    pub until: Timestamp,
}

/// An object over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectPast {
    /// The newest version.
    pub last: Arc<KubeObject>,
    /// First round with the object.
    pub first_at: Timestamp,
    /// First round with a load balancer address.
    pub first_address_at: Option<Timestamp>,
    /// First round in which an instance wanted a record for it.
    #[serde(default)]
    pub published_at: Option<Timestamp>,
    /// First round without an address after one with: the loss.
    pub lost_at: Option<Timestamp>,
    /// First round without the object after one with.
    pub deleted_at: Option<Timestamp>,
    /// First round with another class than before: the load balancer is about to change.
    #[serde(default)]
    pub class_changed_at: Option<Timestamp>,
}

/// A part of a view that cannot be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blind {
    /// Cycles in a row with the problem.
    pub cycles: u32,
    /// The first one.
    pub since: Timestamp,
    /// The latest cycle that counted.
    pub counted_at: Timestamp,
    /// The latest problem.
    pub problem: Problem,
    /// True for a zone whose records were read beside the problem when the view last was: its signing may be unread, or
    /// its limit.
    #[serde(default)]
    pub is_aside: bool,
}

/// Looks that show a list to be suspiciously empty: one may be a slip, and waiting for more proves nothing.
const EMPTY_LOOKS: u32 = 2;

// === impl Blind ===

impl Blind {
    /// True if the problem has lasted for more cycles than are borne.
    #[must_use]
    pub fn is_stated(&self, borne: u32) -> bool {
        borne < self.cycles || self.problem.code == Reason::EmptySuspicious && EMPTY_LOOKS <= self.cycles
    }
}

// === impl ObjectPast ===

impl ObjectPast {
    fn begin(object: &Arc<KubeObject>, at: Timestamp) -> Self {
        let mut past = Self {
            last: Arc::clone(object),
            first_at: at,
            first_address_at: None,
            published_at: None,
            lost_at: None,
            deleted_at: None,
            class_changed_at: None,
        };
        past.note_address(at);
        past
    }

    /// Takes in what one round has seen of it, but for its return.
    fn go_on(&mut self, object: &Arc<KubeObject>, at: Timestamp) {
        let differ = self.last.created_at.zip(object.created_at).is_some_and(|(old, new)| old != new);
        // What it lost is not given back by making it anew: its users still wait.
        let is_lost_still = self.lost_at.is_some() && self.deleted_at.is_none();
        if differ && !is_lost_still {
            // Of its namesake it has nothing but the name.
            (self.first_at, self.first_address_at, self.lost_at) = (at, None, None);
            self.published_at = None;
        }
        if self.last.class() != object.class() {
            self.class_changed_at = Some(at);
        }
        self.last = Arc::clone(object);
        self.note_address(at);
    }

    fn note_address(&mut self, at: Timestamp) {
        if !self.last.addresses().is_empty() {
            self.first_address_at.get_or_insert(at);
            self.lost_at = None;
        } else if self.first_address_at.is_some() {
            self.lost_at.get_or_insert(at);
        }
    }
}

// === impl Past ===

impl Past {
    /// Takes in one round.
    pub fn observe(&mut self, snapshot: &Snapshot, wants: &[InstanceWants], policy: &Policy) {
        let (at, cycle) = (snapshot.at, policy.cycle());
        self.first_at.get_or_insert(at);
        let mut forgotten = Vec::new();
        // A wish that is there is a fact, whatever could not be listed beside it.
        if snapshot.kubernetes.state == ViewState::Read {
            self.observe_objects(snapshot, at);
            self.observe_wishes(wants, snapshot.route53.value(), at);
            self.observe_ready(wants, at);
        }
        if lists_are_whole(snapshot) {
            forgotten = self.observe_deletions(snapshot, at);
            self.observe_losses(at);
        }
        if let Some(zones) = snapshot.route53.value() {
            self.names.records_seen(&mut self.others, zones, at);
            self.others.forget(at);
            for reading in zones.zones.values().filter(|reading| reading.record_sets.is_some()) {
                self.zones.entry(reading.zone.id.clone()).or_insert(at);
            }
            for id in zones.zones.keys() {
                self.listed.entry(id.clone()).or_insert(at);
            }
            self.zones.retain(|id, _| zones.zones.contains_key(id));
            self.listed.retain(|id, _| zones.zones.contains_key(id));
            self.observe_public(zones);
            self.observe_associations(zones, at);
            if lists_are_whole(snapshot) {
                self.observe_strangers(snapshot, zones, wants, (&snapshot.odd_objects(), &forgotten));
            }
        }
        if snapshot.dns.state == ViewState::Read {
            self.dns_at = Some(at);
            self.observe_delegations(snapshot, at);
            self.answered.observe_hosts(snapshot, wants, policy);
            let labels = Labels::of(wants, &self.names, snapshot.route53.value());
            self.answered.observe_served(snapshot, wants, &labels);
            self.answered.observe_odd(snapshot, (&self.names, &labels));
            self.answered.observe_served_aside(snapshot, wants, (&self.names, &labels));
            self.answered.observe_first(snapshot, arrivals(&self.names, self.first_at), &labels);
        }
        self.observe_unasked(snapshot, cycle);
        self.observe_controls(snapshot);
        self.told.observe(&snapshot.changes);
        for view in ViewName::ALL {
            self.observe_problems(view, snapshot, cycle, policy.shard.as_ref());
        }
        self.last_at = Some(at);
    }

    /// The clock was set back: what is remembered is no later than now, or nothing would ever be long
    /// ago until the clock has caught up.
    pub fn set_back(&mut self, now: Timestamp) {
        fn sighted<T>(all: &mut Vec<Sighting<T>>, now: Timestamp) {
            for one in all {
                (one.since, one.until) = (one.since.min(now), one.until.min(now));
            }
        }
        let earlier = |at: &mut Option<Timestamp>| *at = at.map(|at| at.min(now));
        for at in [&mut self.first_at, &mut self.last_at] {
            earlier(at);
        }
        self.names.set_back(now);
        self.others.set_back(now);
        self.delegations.values_mut().for_each(|all| sighted(all, now));
        for past in self.objects.values_mut() {
            past.first_at = past.first_at.min(now);
            for at in [
                &mut past.first_address_at,
                &mut past.published_at,
                &mut past.lost_at,
                &mut past.deleted_at,
                &mut past.class_changed_at,
            ] {
                earlier(at);
            }
        }
        let spans = self.strangers.values_mut().chain(self.idle.values_mut());
        for span in spans.chain(self.away.values_mut().flatten()) {
            *span = Span { since: span.since.min(now), until: span.until.min(now) };
        }
        self.zones.values_mut().chain(self.listed.values_mut()).for_each(|at| *at = now.min(*at));
        for blind in self.blind.values_mut() {
            (blind.since, blind.counted_at) = (blind.since.min(now), blind.counted_at.min(now));
        }
        self.losses.clear();
        earlier(&mut self.dns_at);
        self.unasked = self.unasked.map(|(cycles, last)| (cycles, last.min(now)));
        self.answered.set_back(now);
        for one in self.attributes.values_mut() {
            one.since = one.since.min(now);
            earlier(&mut one.changed_at);
        }
        let of_vpcs = self.associations.values_mut().chain(self.separations.values_mut());
        let others = self.controls.values_mut().chain(of_vpcs);
        others.for_each(|at| *at = now.min(*at));
        self.ready.values_mut().for_each(|at| *at = now.min(*at));
    }

    /// The hosted zones of the last list that was believed.
    pub fn known_zones(&self) -> impl Iterator<Item = &ZoneId> {
        self.listed.keys()
    }

    /// True if the resolver has worked since before this look: silence about a name from a time when it
    /// answered nothing at all is no word about the name.
    #[must_use]
    pub fn has_worked_since(&self, look: &Observation) -> bool {
        let since = self.controls.get(&(Arc::clone(&look.view), Arc::clone(&look.server)));
        since.is_some_and(|since| not_after(*since, look.at))
    }

    /// A control name counts as answered when any of its looks is.
    fn observe_controls(&mut self, snapshot: &Snapshot) {
        let mut seen: BTreeMap<(Arc<str>, Arc<str>), Option<Timestamp>> = BTreeMap::new();
        for look in snapshot.observations().filter(|look| look.vantage == Vantage::Control) {
            let answered = seen.entry((Arc::clone(&look.view), Arc::clone(&look.server))).or_default();
            if look.outcome == Outcome::Answer {
                *answered = Some(answered.map_or(look.at, |at| at.min(look.at)));
            }
        }
        let before = std::mem::take(&mut self.controls);
        let works = seen.into_iter().filter_map(|(resolver, answered)| Some((resolver, answered?)));
        self.controls = works
            .map(|(resolver, answered)| {
                let since = before.get(&resolver).copied().unwrap_or(answered);
                (resolver, since)
            })
            .collect();
    }

    fn observe_objects(&mut self, snapshot: &Snapshot, at: Timestamp) {
        let Some(cluster) = snapshot.kubernetes.value() else { return };
        let mut new = Vec::new();
        // Both are in order: nothing is searched for.
        let mut known = self.objects.iter_mut().peekable();
        for object in cluster.objects.values() {
            while known.next_if(|(reference, _)| **reference < object.reference).is_some() {}
            let Some((reference, past)) = known.next_if(|(reference, _)| **reference == object.reference)
            else {
                new.push((object.reference.clone(), ObjectPast::begin(object, at)));
                continue;
            };
            past.go_on(object, at);
            if past.deleted_at.take().is_some()
                && let Some(last) = self.away.get_mut(reference).and_then(|spans| spans.last_mut())
            {
                last.until = at;
            }
        }
        let before = self.objects.len();
        self.objects.extend(new);
        pack(&mut self.objects, before);
    }

    /// Objects that a round that saw all does not have. Gives those that are forgotten in this round.
    fn observe_deletions(&mut self, snapshot: &Snapshot, at: Timestamp) -> Vec<ObjectRef> {
        let Some(cluster) = snapshot.kubernetes.value() else { return Vec::new() };
        let odd = snapshot.odd_objects();
        let is_odd = |reference: &ObjectRef| odd.iter().any(|one| one.shows(reference));
        // Both are in order: nothing is searched for.
        let mut there = cluster.objects.keys().peekable();
        for (reference, past) in &mut self.objects {
            while there.next_if(|one| *one < reference).is_some() {}
            if there.peek() != Some(&reference) && !is_odd(reference) {
                let is_new = past.deleted_at.is_none();
                past.deleted_at.get_or_insert(at);
                if MAX_AWAY <= self.away.len() && !self.away.contains_key(reference) {
                    continue;
                }
                let spans = self.away.entry(reference.clone()).or_default();
                match spans.last_mut().filter(|_| !is_new) {
                    Some(last) => last.until = at,
                    None => spans.push(Span { since: self.last_at.unwrap_or(at), until: at }),
                }
            }
        }
        for spans in self.away.values_mut() {
            spans.retain(|span| at.duration_since(span.until) < KEEP_AWAY);
        }
        self.away.retain(|reference, spans| !spans.is_empty() && self.objects.contains_key(reference));
        let is_kept =
            |past: &ObjectPast| past.deleted_at.is_none_or(|gone| at.duration_since(gone) < KEEP_UNWANTED);
        let gone = self.objects.iter().filter(|(_, past)| !is_kept(past));
        let forgotten = gone.map(|(reference, _)| reference.clone()).collect();
        self.objects.retain(|_, past| is_kept(past));
        forgotten
    }

    /// Instances of which a Pod is ready.
    fn observe_ready(&mut self, wants: &[InstanceWants], at: Timestamp) {
        self.ready.retain(|id, _| wants.iter().any(|one| one.instance.id == *id));
        let is_ready = |one: &&InstanceWants| one.instance.pods.iter().any(|pod| pod.ready);
        self.ready.extend(wants.iter().filter(is_ready).map(|one| (Arc::clone(&one.instance.id), at)));
    }

    fn observe_wishes(&mut self, wants: &[InstanceWants], zones: Option<&Zones>, at: Timestamp) {
        for one in wants {
            for want in &one.wants {
                self.observe_attributes(one, want, zones, at);
                self.names.wish_seen(&one.instance.id, want, at, &self.losses);
            }
        }
        // Nearly every object that anything is made of was published long ago.
        let mut unpublished =
            self.objects.iter_mut().filter(|(_, past)| past.published_at.is_none()).peekable();
        if unpublished.peek().is_none() {
            return;
        }
        let objects: TableSet<&ObjectRef> =
            wants.iter().flat_map(|one| &one.wants).flat_map(|want| &want.objects).collect();
        for (_, past) in unpublished.filter(|(reference, _)| objects.contains(reference)) {
            past.published_at = Some(at);
        }
    }

    /// A zone that is gone no longer tells whom it served.
    fn observe_public(&mut self, zones: &Zones) {
        let public = zones.zones.values().filter(|reading| !reading.zone.private);
        self.public.extend(public.map(|reading| reading.zone.id.clone()));
        if self.public.iter().any(|id| !zones.zones.contains_key(id)) {
            let held: BTreeSet<&ZoneId> = self.names.records().map(|(_, held)| &held.place).collect();
            self.public.retain(|id| zones.zones.contains_key(id) || held.contains(id));
        }
    }

    /// What was not wanted in a round that saw all.
    fn observe_losses(&mut self, at: Timestamp) {
        self.names.retain(&mut self.others, |wanted| at.duration_since(wanted) < KEEP_UNWANTED);
        let ends = self.names.wishes().filter_map(|(_, wish)| wish.sightings.last()).map(|last| last.until);
        let ends: BTreeSet<Timestamp> = ends.filter(|until| *until != at).collect();
        // A wish that came back has another end by now.
        self.losses.retain(|last, _| ends.contains(last));
        for until in ends {
            self.losses.entry(until).or_insert(at);
        }
        let names = &self.names;
        self.attributes.retain(|(_, key), _| names.contains(&key.name));
    }

    /// Most wishes have no attributes and never had any.
    fn observe_attributes(&mut self, one: &InstanceWants, want: &Want, zones: Option<&Zones>, at: Timestamp) {
        let has_any = want.routing.is_some() || want.health_check_id.is_some();
        if !has_any && self.attributes.is_empty() {
            return;
        }
        let instance = &one.instance.id;
        let key = (Arc::clone(instance), want.key());
        if !has_any && !self.attributes.contains_key(&key) {
            return;
        }
        let text: Arc<str> = format!("{:?} {:?}", want.routing, want.health_check_id).into();
        // Of a wish that was there without them they are news.
        let since = if self.names.wish(instance, want).is_empty() { self.first_at } else { Some(at) };
        match self.attributes.get_mut(&key) {
            Some(known) if known.text == text => {}
            // Changes that follow each other so fast that none has a window of its own have one together, unless
            // the record follows them.
            Some(known) => {
                let stood = at.duration_since(known.changed_at.unwrap_or(known.since)).unsigned_abs();
                let window = one.instance.sync_window(1, ABSENCE.unsigned_abs());
                let begins = window <= stood || has_attributes(zones, want, &known.text);
                let since = if begins { at } else { known.since };
                *known = Attributes { text, since, changed_at: Some(at) };
            }
            None => {
                let since = since.unwrap_or(at);
                self.attributes.insert(key, Attributes { text, since, changed_at: Some(since) });
            }
        }
    }

    /// Servers of one parent may disagree while a change spreads: the larger set is kept, so that the
    /// order of the answers does not matter.
    fn observe_delegations(&mut self, snapshot: &Snapshot, at: Timestamp) {
        let Some(zones) = snapshot.route53.value() else { return };
        let public = zones.zones.values().filter(|reading| !reading.zone.private);
        let names: BTreeSet<&DomainName> = public.map(|reading| &reading.zone.name).collect();
        let mut seen: BTreeMap<&DomainName, (BTreeSet<DomainName>, u32)> = BTreeMap::new();
        for answer in snapshot.observations() {
            let asked = answer.vantage == Vantage::Parent && &*answer.record_type == "NS";
            if !asked || !names.contains(&answer.name) {
                continue;
            }
            let is_soa = |record: &AnswerRecord| &*record.record_type == "SOA";
            let said = match answer.outcome {
                Outcome::Nxdomain => Some((BTreeSet::new(), 0)),
                // Other names below it stand in the zone above.
                Outcome::Nodata if answer.authority.iter().any(is_soa) => Some((BTreeSet::new(), 0)),
                Outcome::Answer
                | Outcome::Nodata
                | Outcome::Servfail
                | Outcome::Refused
                | Outcome::Timeout
                | Outcome::Unreachable
                | Outcome::Malformed => answer.delegation(),
            };
            let Some(said) = said else { continue };
            let row = seen.entry(&answer.name).or_insert_with(|| said.clone());
            if (row.0.len(), &row.0) < (said.0.len(), &said.0) {
                *row = said;
            }
        }
        for (name, (servers, ttl)) in seen {
            let sightings = self.delegations.entry(name.clone()).or_default();
            // The time to live belongs to the set: a parent may change it without moving the zone.
            let ttl = match sightings.last() {
                Some(last) if last.value.servers == servers => last.value.ttl.max(ttl),
                Some(_) | None => ttl,
            };
            match sightings.last_mut() {
                Some(last) if last.value.servers == servers => {
                    last.value.ttl = ttl;
                    last.until = at;
                }
                Some(_) | None => sight(sightings, &Delegation { servers, ttl }, at),
            }
        }
        self.delegations.retain(|name, _| names.contains(name));
    }

    fn observe_associations(&mut self, zones: &Zones, at: Timestamp) {
        let before = std::mem::take(&mut self.associations);
        let of_zone = |reading: &ZoneReading| {
            let id = reading.zone.id.clone();
            let ids = reading.zone.vpcs.iter().flatten().map(|vpc| Arc::clone(&vpc.id));
            ids.map(|vpc| (id.clone(), vpc)).collect::<Vec<_>>()
        };
        let seen = zones.zones.values().flat_map(of_zone);
        self.associations = seen.map(|key| (key.clone(), before.get(&key).copied().unwrap_or(at))).collect();
        // What was not read in this round is not gone.
        let unread = |id: &ZoneId| zones.zones.get(id).is_some_and(|reading| reading.zone.vpcs.is_none());
        let (unread, gone): (Vec<_>, Vec<_>) = before.into_iter().partition(|((zone, _), _)| unread(zone));
        self.associations.extend(unread);
        let gone = gone.into_iter().filter(|(key, _)| !self.associations.contains_key(key));
        self.separations.extend(gone.map(|(key, _)| (key, at)));
        let is_here = |zone: &ZoneId| zones.zones.contains_key(zone);
        self.separations.retain(|key, _| is_here(&key.0) && !self.associations.contains_key(key));
        while MAX_SEPARATIONS < self.separations.len() {
            let oldest = self.separations.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.separations.remove(&key));
        }
    }

    /// True for a VPC that a private zone had, and that it has no more.
    #[must_use]
    pub fn is_separated(&self, zone: &ZoneId, vpc: &Arc<str>) -> bool {
        self.separations.contains_key(&(zone.clone(), Arc::clone(vpc)))
    }

    /// When a private zone was seen to become visible from a VPC; `None` if it was so from the first look on.
    #[must_use]
    pub fn associated_at(&self, zone: &ZoneId, vpc: &Arc<str>) -> Option<Timestamp> {
        let since = self.associations.get(&(zone.clone(), Arc::clone(vpc))).copied();
        since.filter(|since| self.first_at < Some(*since))
    }

    fn observe_strangers(
        &mut self,
        snapshot: &Snapshot,
        zones: &Zones,
        wants: &[InstanceWants],
        (odd, forgotten): (&[ObjectRef], &[ObjectRef]),
    ) {
        let at = snapshot.at;
        // What came while nobody looked may be of an object that lived then.
        let unseen = self.last_at.is_some_and(|last| LIFE < at.duration_since(last));
        // Nearly every record is of an object that is here, so that nothing is copied to find that out.
        let seen: TableSet<(&str, &str, &str)> =
            self.objects.keys().chain(odd).map(|one| (&*one.kind, &*one.namespace, &*one.name)).collect();
        let kinds: BTreeSet<&str> = seen.iter().map(|(kind, _, _)| *kind).collect();
        let words: Vec<(String, &str)> = kinds.into_iter().map(|kind| (registry_word(kind), kind)).collect();
        // Ownership records have a spelling of their own.
        let is_known = |(word, namespace, name): (&str, &str, &str)| {
            let same = words.iter().filter(|(known, _)| known.eq_ignore_ascii_case(word));
            same.into_iter().any(|(_, kind)| seen.contains(&(*kind, namespace, name)))
        };
        let is_forgotten = |(word, namespace, name): (&str, &str, &str)| {
            forgotten.iter().any(|one| {
                registry_word(&one.kind).eq_ignore_ascii_case(word)
                    && (&*one.namespace, &*one.name) == (namespace, name)
            })
        };
        for one in wants {
            let flags = &one.instance.flags;
            let readings = one.zones.iter().filter_map(|id| zones.zones.get(id));
            for reading in readings.filter(|reading| reading.record_sets.is_some()) {
                let texts = reading.records().iter().filter(|set| set.record_type == RecordType::Txt);
                for set in texts {
                    let TxtRole::Heritage(heritage) = TxtRole::of(set) else { continue };
                    if !heritage.owner.is_some_and(|owner| flags.owns(owner))
                        || heritage.parts().is_none_or(is_known)
                    {
                        continue;
                    }
                    let Some(object) = heritage.object() else { continue };
                    let owned = flags.affixes.owner_name(&set.name).map(|(name, _)| name);
                    let owned = owned.iter().flat_map(|name| reading.at(name));
                    let owned: Vec<&RecordSet> = owned.filter(|set| set.record_type.is_address()).collect();
                    let stands = !owned.is_empty();
                    let key = (one.instance.id.clone(), object);
                    // A zone that is read for the first time, and an object that is forgotten while its
                    // record stays, show nothing new.
                    let id = &reading.zone.id;
                    let is_first = self.zones.get(id) == Some(&at);
                    let stood = owned.iter().map(|set| self.stands_since(id, set)).min().flatten();
                    let came_unseen = unseen && stood.is_none_or(|since| since == at);
                    let is_old = is_first || came_unseen || stands && stood.is_none();
                    let is_left_over = heritage.parts().is_some_and(is_forgotten);
                    // An object that lived between two looks, too.
                    let is_new = !is_old && !is_left_over && !has_logged(snapshot, &one.instance, &set.name);
                    let begun = if is_new { stood } else { self.first_at };
                    let since = self.idle.get(&key).map_or(begun.unwrap_or(at), |idle| idle.since);
                    let rows = if stands { &mut self.strangers } else { &mut self.idle };
                    if rows.len() < MAX_STRANGERS {
                        rows.entry(key).or_insert(Span { since, until: at }).until = at;
                    }
                }
            }
        }
        for rows in [&mut self.strangers, &mut self.idle] {
            rows.retain(|_, span| at.duration_since(span.until) < KEEP_UNWANTED);
        }
    }

    /// Counts the cycles in which nobody asked DNS, although it was read before.
    fn observe_unasked(&mut self, snapshot: &Snapshot, cycle: SignedDuration) {
        let at = snapshot.at;
        let is_unasked = snapshot.dns.state.is_missed();
        self.unasked = match self.unasked {
            _ if !is_unasked => None,
            Some((cycles, last)) if at.duration_since(last) < cycle => Some((cycles, last)),
            before => Some((before.map_or(0, |(cycles, _)| cycles).saturating_add(1), at)),
        };
    }

    /// True if nobody has asked DNS for more cycles than are borne. After a start the first round has nothing to
    /// ask yet.
    #[must_use]
    pub fn is_unasked(&self, borne: u32) -> bool {
        self.unasked.is_some_and(|(cycles, _)| borne < cycles)
    }

    fn observe_problems(
        &mut self,
        view: ViewName,
        snapshot: &Snapshot,
        cycle: SignedDuration,
        shard: Option<&Shard>,
    ) {
        let at = snapshot.at;
        let mut problems = problems_of(view, snapshot);
        match view {
            ViewName::Route53 => problems.extend(self.unread_zones(snapshot, &problems, shard)),
            ViewName::Dns => problems.extend(self.muteness(snapshot)),
            ViewName::Kubernetes | ViewName::Changes => {}
        }
        let scopes: BTreeSet<String> = problems.iter().map(|problem| problem.scope.clone()).collect();
        let is_dark = scopes.contains("all");
        if is_dark {
            // What could not be read before is a part of that.
            let parts = self.blind.iter().filter(|((of, scope), _)| *of == view && !scopes.contains(scope));
            problems.extend(parts.map(|(_, blind)| blind.problem.clone()).collect::<Vec<_>>());
        } else {
            self.blind.retain(|(of, scope), _| *of != view || scopes.contains(scope));
        }
        for problem in problems {
            let key = (view, problem.scope.clone());
            let first =
                Blind { cycles: 0, since: at, counted_at: at, problem: problem.clone(), is_aside: false };
            let blind = self.blind.entry(key).or_insert(first);
            if view == ViewName::Route53 && !is_dark {
                blind.is_aside = reads_records(snapshot, &problem.scope);
            }
            // Logs come through the API server: that it cannot be reached is told once.
            let is_of_api = view == ViewName::Changes
                && problem.scope.starts_with("log")
                && snapshot.kubernetes.state != ViewState::Read;
            if is_of_api {
                (blind.cycles, blind.counted_at) = (0, at);
            } else if blind.cycles == 0 || cycle <= at.duration_since(blind.counted_at) {
                blind.cycles = blind.cycles.saturating_add(1);
                blind.counted_at = at;
            }
            blind.problem = problem;
        }
    }

    /// Nobody who was asked since the last round said anything, the resolvers about their control names included:
    /// that is the way to them. It stays so until somebody says something.
    fn muteness(&self, snapshot: &Snapshot) -> Option<Problem> {
        if snapshot.dns.state != ViewState::Read {
            return None;
        }
        let is_new = |seen: &&Observation| self.last_at.is_none_or(|last| last < seen.at);
        let (mut is_controlled, mut servers) = (false, BTreeSet::new());
        for seen in snapshot.observations().filter(is_new) {
            if !matches!(seen.outcome, Outcome::Timeout | Outcome::Unreachable) {
                return None;
            }
            is_controlled |= seen.vantage == Vantage::Control;
            servers.insert(&*seen.server);
        }
        let mute = Problem {
            scope: "all".to_owned(),
            code: Reason::Unreachable,
            message: "no name server and no resolver answers anything".to_owned(),
        };
        let before = self.blind.get(&(ViewName::Dns, mute.scope.clone()));
        let was_mute = before.is_some_and(|blind| blind.problem == mute);
        // One resolver alone may be down itself.
        (was_mute || is_controlled && 1 < servers.len()).then_some(mute)
    }

    /// Zones that were read before, and of which a list says nothing more, not even why. A shard reads no zone any
    /// more whose relative, for which it read it, is gone.
    fn unread_zones(&self, snapshot: &Snapshot, told: &[Problem], shard: Option<&Shard>) -> Vec<Problem> {
        let zones = snapshot.route53.value().filter(|_| snapshot.route53.state == ViewState::Read);
        let all: Vec<HostedZone> = match (shard, zones) {
            (Some(_), Some(zones)) => zones.zones.values().map(|reading| reading.zone.clone()).collect(),
            (Some(_) | None, _) => Vec::new(),
        };
        let is_ours = |zone: &HostedZone| shard.is_none_or(|shard| shard.reads(zone, &all));
        let is_told = |id: &ZoneId| told.iter().any(|one| one.scope == id.as_str() || one.scope == "all");
        let unread = zones.into_iter().flat_map(|zones| zones.zones.values()).filter(|reading| {
            reading.record_sets.is_none()
                && self.was_read(&reading.zone.id)
                && !is_told(&reading.zone.id)
                && is_ours(&reading.zone)
        });
        let problem = |reading: &ZoneReading| Problem {
            scope: reading.zone.id.as_str().to_owned(),
            code: Reason::Unreachable,
            message: "the record sets of the zone were not read in this round".to_owned(),
        };
        unread.map(problem).collect()
    }

    /// The delegation that a zone had before its present one, and the time when it was seen to have
    /// changed; `None` when no change was seen.
    #[must_use]
    pub fn moved_delegation(&self, zone: &DomainName) -> Option<(&Delegation, Timestamp)> {
        let mut newest = self.delegations.get(zone)?.iter().rev();
        let (present, before) = (newest.next()?, newest.next()?);
        Some((&before.value, present.since))
    }

    /// True if the object was away at that time, between the rounds that saw it.
    #[must_use]
    pub fn was_away(&self, object: &ObjectRef, at: Timestamp) -> bool {
        let spans = self.away.get(object).map(Vec::as_slice).unwrap_or_default();
        spans.iter().any(|span| span.since <= at && at <= span.until)
    }

    /// Since when the record set has had its present content; `None` when it is not remembered.
    #[must_use]
    pub fn record_since<'k>(&self, zone: &ZoneId, key: impl Into<KeyRef<'k>>) -> Option<Timestamp> {
        self.names.record(zone, key).last().map(|last| last.since)
    }

    /// True if the hosted zone is public, or was when it was last listed.
    #[must_use]
    pub fn was_public(&self, zone: &ZoneId) -> bool {
        self.public.contains(zone)
    }

    /// True if the record sets of the zone were read in any round.
    #[must_use]
    pub fn was_read(&self, zone: &ZoneId) -> bool {
        self.zones.contains_key(zone)
    }

    /// When a hosted zone was first listed, if lists before it had others; `None` for one that was there.
    #[must_use]
    pub fn zone_came(&self, zone: &ZoneId) -> Option<Timestamp> {
        let first = self.listed.values().min()?;
        self.listed.get(zone).filter(|since| first < since).copied()
    }

    /// Since when the record set has had its present content, at a name that was wanted or not; `None` when it
    /// is not remembered.
    #[must_use]
    pub fn stands_since(&self, zone: &ZoneId, set: &RecordSet) -> Option<Timestamp> {
        let held = self.others.at(&set.name).iter().find(|held| held.is(zone, set.into()));
        let unwanted = held.and_then(|held| held.sightings.last()).map(|last| last.since);
        self.record_since(zone, set).or(unwanted)
    }

    /// The first round without a wish that was last seen then; that time itself when no round is known.
    #[must_use]
    pub fn lost_after(&self, last: Timestamp) -> Timestamp {
        self.losses.get(&last).copied().unwrap_or(last)
    }

    /// True if the record set was there in an earlier round.
    #[must_use]
    pub fn record_was_there<'k>(&self, zone: &ZoneId, key: impl Into<KeyRef<'k>>) -> bool {
        self.names.record(zone, key).iter().any(|sighting| sighting.value.is_some())
    }

    /// Since when the wish has had its present content; `None` before the first round with it.
    #[must_use]
    pub fn wish_since(&self, instance: &Arc<str>, want: &Want) -> Option<Timestamp> {
        let since = self.names.wish(instance, want).last().map(|last| last.since);
        if self.attributes.is_empty() {
            return since;
        }
        let attributes = self.attributes.get(&(Arc::clone(instance), want.key()));
        since.max(attributes.map(|one| one.since))
    }

    /// When the instance last wanted any of the records that count; `None` when no such wish is remembered.
    #[must_use]
    pub fn last_wish(&self, instance: &Arc<str>, counts: impl Fn(&RecordKey) -> bool) -> Option<Timestamp> {
        let own = self.names.wishes().filter(|(_, wish)| wish.place == *instance);
        let own = own.filter(|(name, wish)| counts(&wish.key(name)));
        own.filter_map(|(_, wish)| wish.sightings.last()).map(|last| last.until).max()
    }

    /// Contents that the wish had before the present one, oldest first.
    pub fn earlier_wishes(&self, instance: &Arc<str>, want: &Want) -> impl Iterator<Item = &Content> {
        let sightings = self.names.wish(instance, want);
        sightings.iter().rev().skip(1).rev().map(|sighting| &sighting.value)
    }
}

/// True if the record has these attributes, as they are told of wishes.
fn has_attributes(zones: Option<&Zones>, want: &Want, text: &str) -> bool {
    let zone = zones.zip(want.zone_id()).and_then(|(zones, id)| zones.zones.get(id));
    let here = zone.map(|zone| zone.at(&want.name)).unwrap_or_default();
    let mut own = here.iter().filter(|set| want.is(&set.key()));
    own.any(|set| format!("{:?} {:?}", set.routing, set.health_check_id) == *text)
}

/// True if no kind of objects is missing from the view; one odd object spoils only itself, unless others
/// get their names by it.
#[must_use]
pub fn lists_are_whole(snapshot: &Snapshot) -> bool {
    let kubernetes = &snapshot.kubernetes;
    kubernetes.state == ViewState::Read
        && !kubernetes.problems.iter().any(|problem| spoils(problem, kubernetes.value()))
}

/// The kinds that are missing from a view that has all else; empty when nothing is missing or everything
/// may be.
#[must_use]
pub fn unread_kinds(snapshot: &Snapshot) -> BTreeSet<String> {
    let kubernetes = &snapshot.kubernetes;
    let spoiling = kubernetes.problems.iter().filter(|problem| spoils(problem, kubernetes.value()));
    let kind = |scope: &str| scope.split('/').next().unwrap_or_default().to_owned();
    let kinds: BTreeSet<String> = spoiling.map(|problem| kind(&problem.scope)).collect();
    let all = kubernetes.state != ViewState::Read || kinds.contains("all");
    if all { BTreeSet::new() } else { kinds }
}

/// Kinds without which objects of other kinds ask for nothing.
const CARRIERS: [&str; 3] = ["Gateway", "ListenerSet", "Namespace"];

/// True if objects or instances may be missing for this problem: not for that of one object, or of a kind
/// that no instance reads.
fn spoils(problem: &Problem, cluster: Option<&Cluster>) -> bool {
    let (kind, is_object) = match problem.scope.split_once('/') {
        Some((kind, _)) => (kind, true),
        None => (problem.scope.as_str(), false),
    };
    let idle = cluster.is_some_and(|cluster| cluster.idle_kinds.iter().any(|idle| **idle == *kind));
    let carries = kind.split('.').next().is_some_and(|word| CARRIERS.contains(&word));
    !idle && (!is_object || carries)
}

/// True if the absence of such an object would be seen.
#[must_use]
pub fn is_watched(cluster: &Cluster, object: &ObjectRef) -> bool {
    cluster.watches(&object.kind)
}

/// True if a problem has a zone as its scope whose records were read in this round.
fn reads_records(snapshot: &Snapshot, scope: &str) -> bool {
    let zones = snapshot.route53.value().filter(|_| snapshot.route53.state == ViewState::Read);
    let reading = zones.and_then(|zones| zones.zones.get(&ZoneId::new(scope)));
    reading.is_some_and(|reading| !reading.list_failed && reading.record_sets.is_some())
}

/// The problems of one view; a view that is not readable at all has at least one.
#[must_use]
pub fn problems_of(view: ViewName, snapshot: &Snapshot) -> Vec<Problem> {
    fn of<T>(reading: &Reading<T>) -> (ViewState, &[Problem]) {
        (reading.state, &reading.problems)
    }
    let (state, problems) = match view {
        ViewName::Kubernetes => of(&snapshot.kubernetes),
        ViewName::Route53 => of(&snapshot.route53),
        ViewName::Dns => of(&snapshot.dns),
        ViewName::Changes => of(&snapshot.changes),
    };
    match state {
        ViewState::Off => Vec::new(),
        ViewState::Read => problems.to_vec(),
        ViewState::Stale | ViewState::Unread if !problems.is_empty() => problems.to_vec(),
        // Nobody asks DNS or a feed: that is less sight, and no fault of sight.
        ViewState::Stale | ViewState::Unread if matches!(view, ViewName::Dns | ViewName::Changes) => {
            Vec::new()
        }
        ViewState::Stale | ViewState::Unread => vec![Problem {
            scope: "all".to_owned(),
            code: Reason::Unreachable,
            message: "the view was not read in this round".to_owned(),
        }],
    }
}

/// The records that stand now and did not when their zone was first read.
fn arrivals(names: &Names, first_at: Option<Timestamp>) -> impl Iterator<Item = Arrival> {
    names.records().filter_map(move |(name, held)| {
        let newest = || held.sightings.iter().rev();
        let standing = newest().take_while(|one| one.value.is_some()).last()?;
        let absent = newest().find(|one| one.value.is_none()).map(|one| one.until);
        (absent.is_some() || first_at < Some(standing.since))
            .then(|| ((held.place.clone(), held.key(name)), absent, standing.since))
    })
}

/// True if a log of the instance tells that it wrote the ownership record itself.
fn has_logged(snapshot: &Snapshot, instance: &Instance, name: &DomainName) -> bool {
    let events = snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
    events.filter(|event| instance.wrote(&event.source)).any(|event| {
        let ChangeEventKind::Applied(batch) = &event.kind else { return false };
        batch.changes.iter().any(|change| {
            change.action != Action::Delete && change.record_type == RecordType::Txt && change.name == *name
        })
    })
}
