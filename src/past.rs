//! What earlier rounds have seen, as far as a verdict needs it. Pure; time is an argument.
//!
//! Only names that an instance wants or has wanted are remembered, each with a bounded number of
//! changes, so the memory follows the wishes and not the size of the zones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::heritage::TxtRole;
use crate::model::object::KubeObject;
use crate::model::observation::{Outcome, Vantage};
use crate::model::want::InstanceWants;
use crate::model::zone::Zones;
use crate::model::{Content, DomainName, ObjectRef, RecordKey, RecordSet, RecordType, ZoneId};
use crate::snapshot::{Cluster, Problem, Reading, Snapshot, ViewName, ViewState};
use crate::stored::pairs;

/// Changes that are remembered of one record or wish.
const MAX_SIGHTINGS: usize = 32;

/// How long a name that nobody wants any more is remembered.
const KEEP_UNWANTED: SignedDuration = SignedDuration::from_hours(48);

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
    /// Wishes, with each content that they had.
    #[serde(with = "pairs")]
    pub wishes: BTreeMap<WishKey, Vec<Sighting<Content>>>,
    /// Record sets at wanted names, with each content that they had; `None` is absence.
    #[serde(with = "pairs")]
    pub records: BTreeMap<(ZoneId, RecordKey), Vec<Sighting<Option<Content>>>>,
    /// Objects.
    #[serde(with = "pairs")]
    pub objects: BTreeMap<ObjectRef, ObjectPast>,
    /// What the parents said about the delegation of each hosted zone, by zone name.
    #[serde(with = "pairs")]
    pub delegations: BTreeMap<DomainName, Vec<Sighting<Delegation>>>,
    /// Objects that ownership records of an instance name and that were never here, with the
    /// rounds in which a record stood for them.
    #[serde(with = "pairs")]
    pub strangers: BTreeMap<(Arc<str>, ObjectRef), Span>,
    /// Views that cannot be read, by view and scope.
    #[serde(with = "pairs")]
    pub blind: BTreeMap<(ViewName, String), Blind>,
    /// Names that were wanted when they were last seen wanted.
    names: BTreeMap<DomainName, Timestamp>,
}

/// A value and the rounds in which it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting<T> {
    /// What was seen.
    pub value: T,
    /// First round with it.
    pub since: Timestamp,
    /// Last round with it.
    pub until: Timestamp,
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
    /// First round without an address after one with: the loss.
    pub lost_at: Option<Timestamp>,
    /// First round without the object after one with.
    pub deleted_at: Option<Timestamp>,
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
}

impl Past {
    /// Takes in one round. `cycle` is the least distance of two rounds that count as two cycles.
    pub fn observe(&mut self, snapshot: &Snapshot, wants: &[InstanceWants], cycle: SignedDuration) {
        let at = snapshot.at;
        self.first_at.get_or_insert(at);
        if lists_are_whole(snapshot) {
            self.observe_objects(snapshot, at);
            self.observe_wishes(wants, at);
        }
        if let Some(zones) = snapshot.route53.value() {
            self.observe_records(zones, at);
            if lists_are_whole(snapshot) {
                self.observe_strangers(zones, wants, at);
            }
        }
        if snapshot.dns.state == ViewState::Read {
            self.observe_delegations(snapshot, at);
        }
        for view in ViewName::ALL {
            self.observe_problems(view, snapshot, cycle);
        }
        self.last_at = Some(at);
    }

    fn observe_objects(&mut self, snapshot: &Snapshot, at: Timestamp) {
        let Some(cluster) = snapshot.kubernetes.value() else { return };
        for object in cluster.objects.values() {
            let reference = &object.reference;
            let has_address = !object.addresses().is_empty();
            let past = self.objects.entry(reference.clone()).or_insert_with(|| ObjectPast {
                last: object.clone(),
                first_at: at,
                first_address_at: None,
                lost_at: None,
                deleted_at: None,
            });
            past.last = object.clone();
            past.deleted_at = None;
            if has_address {
                past.first_address_at.get_or_insert(at);
                past.lost_at = None;
            } else if past.first_address_at.is_some() {
                past.lost_at.get_or_insert(at);
            }
        }
        for (reference, past) in &mut self.objects {
            if !cluster.objects.contains(reference) {
                past.deleted_at.get_or_insert(at);
            }
        }
        self.objects
            .retain(|_, past| past.deleted_at.is_none_or(|gone| at.duration_since(gone) < KEEP_UNWANTED));
    }

    fn observe_wishes(&mut self, wants: &[InstanceWants], at: Timestamp) {
        for one in wants {
            for want in &one.wants {
                self.names.insert(want.name.clone(), at);
                let sightings = self.wishes.entry((one.instance.id.clone(), want.key())).or_default();
                sight(sightings, &want.content, at);
            }
        }
        self.names.retain(|_, seen| at.duration_since(*seen) < KEEP_UNWANTED);
        let names = &self.names;
        self.wishes.retain(|(_, key), _| names.contains_key(&key.name));
    }

    fn observe_records(&mut self, zones: &Zones, at: Timestamp) {
        for (id, reading) in &zones.zones {
            if reading.record_sets.is_none() {
                continue;
            }
            let names = &self.names;
            let is_known = |set: &&RecordSet| set.record_type.is_address() && names.contains_key(&set.name);
            for set in reading.records().iter().filter(is_known) {
                let sightings = self.records.entry((id.clone(), set.key())).or_default();
                sight(sightings, &Some(set.content.clone()), at);
            }
            for (_, sightings) in of_zone(&mut self.records, id) {
                if sightings.last().is_some_and(|last| last.until != at) {
                    sight(sightings, &None, at);
                }
            }
        }
        let names = &self.names;
        self.records.retain(|(_, key), _| names.contains_key(&key.name));
    }

    /// Servers of one parent may disagree while a change spreads: the larger set is kept, so that the
    /// order of the answers does not matter.
    fn observe_delegations(&mut self, snapshot: &Snapshot, at: Timestamp) {
        let Some(zones) = snapshot.route53.value() else { return };
        let public = zones.zones.values().filter(|reading| !reading.zone.private);
        let names: BTreeSet<&DomainName> = public.map(|reading| &reading.zone.name).collect();
        let mut seen: BTreeMap<&DomainName, (BTreeSet<DomainName>, u32)> = BTreeMap::new();
        for answer in snapshot.dns.value().into_iter().flatten() {
            let asked = answer.vantage == Vantage::Parent && &*answer.record_type == "NS";
            if !asked || !names.contains(&answer.name) {
                continue;
            }
            let said = match answer.outcome {
                Outcome::Nxdomain => Some((BTreeSet::new(), 0)),
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

    fn observe_strangers(&mut self, zones: &Zones, wants: &[InstanceWants], at: Timestamp) {
        let seen: BTreeSet<ObjectRef> = self.objects.keys().map(as_registry_spells).collect();
        for one in wants {
            let flags = &one.instance.flags;
            let ours = |owner: &str| {
                owner == flags.owner_id || !owner.is_empty() && owner == flags.migrate_from_owner
            };
            let readings = one.zones.iter().filter_map(|id| zones.zones.get(id));
            for reading in readings.filter(|reading| reading.record_sets.is_some()) {
                let texts = reading.records().iter().filter(|set| set.record_type == RecordType::Txt);
                for set in texts {
                    let TxtRole::Heritage(heritage) = TxtRole::of(set) else { continue };
                    let Some(object) =
                        heritage.object().filter(|_| heritage.owner.as_deref().is_some_and(ours))
                    else {
                        continue;
                    };
                    let stands = flags.affixes.owner_name(&set.name).is_some_and(|(name, _)| {
                        reading.at(&name).iter().any(|set| set.record_type.is_address())
                    });
                    let known = seen.contains(&as_registry_spells(&object));
                    if stands && !known && self.strangers.len() < MAX_STRANGERS {
                        let key = (one.instance.id.clone(), object);
                        self.strangers.entry(key).or_insert(Span { since: at, until: at }).until = at;
                    }
                }
            }
        }
        self.strangers.retain(|_, span| at.duration_since(span.until) < KEEP_UNWANTED);
    }

    fn observe_problems(&mut self, view: ViewName, snapshot: &Snapshot, cycle: SignedDuration) {
        let at = snapshot.at;
        let problems = problems_of(view, snapshot);
        let scopes: BTreeSet<&str> = problems.iter().map(|problem| problem.scope.as_str()).collect();
        self.blind.retain(|(of, scope), _| *of != view || scopes.contains(scope.as_str()));
        for problem in problems {
            let key = (view, problem.scope.clone());
            let first = Blind { cycles: 0, since: at, counted_at: at, problem: problem.clone() };
            let blind = self.blind.entry(key).or_insert(first);
            if blind.cycles == 0 || cycle <= at.duration_since(blind.counted_at) {
                blind.cycles = blind.cycles.saturating_add(1);
                blind.counted_at = at;
            }
            blind.problem = problem;
        }
    }

    /// The delegation that a zone had before its present one, and the time when it was seen to have
    /// changed; `None` when no change was seen.
    #[must_use]
    pub fn moved_delegation(&self, zone: &DomainName) -> Option<(&Delegation, Timestamp)> {
        let mut newest = self.delegations.get(zone)?.iter().rev();
        let (present, before) = (newest.next()?, newest.next()?);
        Some((&before.value, present.since))
    }

    /// Contents that a record set had before its present one with the time when each ended, the
    /// newest first; `None` is absence.
    pub fn earlier_records(
        &self,
        zone: &ZoneId,
        key: &RecordKey,
    ) -> impl Iterator<Item = (Option<&Content>, Timestamp)> {
        let sightings = self.records.get(&(zone.clone(), key.clone())).map(Vec::as_slice).unwrap_or_default();
        let ended = sightings.iter().rev().map(|sighting| sighting.since);
        sightings.iter().rev().skip(1).map(|sighting| sighting.value.as_ref()).zip(ended)
    }

    /// Since when the record set has had its present content; `None` when it is not remembered.
    #[must_use]
    pub fn record_since(&self, zone: &ZoneId, key: &RecordKey) -> Option<Timestamp> {
        let sightings = self.records.get(&(zone.clone(), key.clone()))?;
        sightings.last().map(|last| last.since)
    }

    /// True if the record set was there in an earlier round.
    #[must_use]
    pub fn record_was_there(&self, zone: &ZoneId, key: &RecordKey) -> bool {
        self.records
            .get(&(zone.clone(), key.clone()))
            .is_some_and(|sightings| sightings.iter().any(|sighting| sighting.value.is_some()))
    }

    /// True if the record set had this content in a round after that time: what was refused then
    /// has been repaired since.
    #[must_use]
    pub fn held_after(&self, zone: &ZoneId, key: &RecordKey, content: &Content, after: Timestamp) -> bool {
        let sightings = self.records.get(&(zone.clone(), key.clone()));
        sightings
            .is_some_and(|all| all.iter().any(|one| after < one.until && one.value.as_ref() == Some(content)))
    }

    /// Since when the wish has had its present content; `None` before the first round with it.
    #[must_use]
    pub fn wish_since(&self, instance: &Arc<str>, key: &RecordKey) -> Option<Timestamp> {
        self.wishes
            .get(&(instance.clone(), key.clone()))
            .and_then(|sightings| sightings.last())
            .map(|last| last.since)
    }

    /// Contents that the wish had before the present one, oldest first.
    pub fn earlier_wishes(&self, instance: &Arc<str>, key: &RecordKey) -> impl Iterator<Item = &Content> {
        let sightings =
            self.wishes.get(&(instance.clone(), key.clone())).map(Vec::as_slice).unwrap_or_default();
        sightings.iter().rev().skip(1).rev().map(|sighting| &sighting.value)
    }
}

/// True if no kind of objects is missing from the view; one odd object spoils only itself.
#[must_use]
pub fn lists_are_whole(snapshot: &Snapshot) -> bool {
    let kubernetes = &snapshot.kubernetes;
    kubernetes.state == ViewState::Read
        && kubernetes.problems.iter().all(|problem| problem.scope.contains('/'))
}

/// True if the absence of such an object would be seen.
#[must_use]
pub fn is_watched(cluster: &Cluster, object: &ObjectRef) -> bool {
    cluster.watches(&object.kind)
}

/// Ownership records spell kinds in lower case.
/// An object as the ownership registry spells it.
fn as_registry_spells(object: &ObjectRef) -> ObjectRef {
    ObjectRef { kind: object.registry_word().to_ascii_lowercase().into(), ..object.clone() }
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
        // Nobody has asked DNS or a feed yet: that is less sight, and no fault of sight.
        ViewState::Unread if matches!(view, ViewName::Dns | ViewName::Changes) => Vec::new(),
        ViewState::Stale | ViewState::Unread => vec![Problem {
            scope: "all".to_owned(),
            code: crate::finding::Reason::Unreachable,
            message: "the view was not read in this round".to_owned(),
        }],
    }
}

/// What is remembered of the record sets at one name of a zone.
pub fn records_at<'a, T>(
    records: &'a BTreeMap<(ZoneId, RecordKey), T>,
    zone: &'a ZoneId,
    name: &'a DomainName,
) -> impl Iterator<Item = (&'a RecordKey, &'a T)> {
    let from = records.range((zone.clone(), RecordKey::least(name))..);
    from.take_while(move |((id, key), _)| id == zone && key.name == *name).map(|((_, key), one)| (key, one))
}

/// What is remembered of the record sets of one zone.
fn of_zone<'a, T>(
    records: &'a mut BTreeMap<(ZoneId, RecordKey), T>,
    zone: &'a ZoneId,
) -> impl Iterator<Item = (&'a (ZoneId, RecordKey), &'a mut T)> {
    let least = RecordKey::least(&DomainName::new(""));
    records.range_mut((zone.clone(), least)..).take_while(move |((id, _), _)| id == zone)
}

fn sight<T: Clone + PartialEq>(sightings: &mut Vec<Sighting<T>>, value: &T, at: Timestamp) {
    match sightings.last_mut() {
        Some(last) if last.value == *value => last.until = at,
        Some(_) | None => sightings.push(Sighting { value: value.clone(), since: at, until: at }),
    }
    if MAX_SIGHTINGS < sightings.len() {
        sightings.remove(0);
    }
}
