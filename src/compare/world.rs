//! One round's views with the indexes that judging needs. Pure.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::compare::delegation::name_servers;
use crate::compare::dnssec::{Refused, refusals};
use crate::compare::followers::{Followers, followers};
use crate::compare::lookups::{self, as_named};
use crate::compare::owner::{Ownership, Title};
use crate::compare::resolvers::ALIAS_TTL;
use crate::compare::solvers::{Borrowed, borrowed};
use crate::compare::strangers::{Strangers, strangers};
use crate::compare::texts::{Lent, Text, lent, suspects, text_at};
use crate::compare::told::Told;
use crate::compare::wishes::blame::writers;
use crate::compare::wishes::signed;
use crate::compare::written::Writes;
use crate::desired::merge::is_same;
use crate::model::by_name::{Finger, Row};
use crate::model::heritage::TxtRole;
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::table::{Table, TableSet};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::{ZoneReading, Zones};
use crate::model::{DomainName, ObjectRef, RecordKey, RecordSet, RecordType, ZoneId};
use crate::past::names::{Held, Wish};
use crate::past::{ObjectPast, Past};
use crate::policy::Policy;
use crate::snapshot::Snapshot;

/// Everything that a rule may look at.
#[derive(Debug)]
pub struct World<'a> {
    /// The round.
    pub snapshot: &'a Snapshot,
    /// What the instances want.
    pub wants: &'a [InstanceWants],
    /// Earlier rounds.
    pub past: &'a Past,
    /// The rules in force.
    pub policy: &'a Policy,
    /// Observations by question name, without those that are never judged.
    told: Told<'a>,
    /// Those: what the resolvers of a cluster say, which may rewrite any name.
    told_inside: Told<'a>,
    /// Observations of names that do not exist, by the wanted wildcard beside them.
    beside_wildcards: Table<DomainName, Vec<&'a Observation>>,
    /// Wishes by zone, sorted by name.
    by_zone: Table<&'a ZoneId, Vec<Wished<'a>>>,
    /// Names that an object gives and has no target for.
    without_target: BTreeSet<&'a DomainName>,
    /// Objects that are there and could not be understood.
    odd: Vec<ObjectRef>,
    /// Names that ownership records give to one of them.
    undecided: BTreeSet<DomainName>,
    /// Resolvers whose control name works, by view and server, with the latest time at which it did.
    controls: BTreeMap<(&'a str, &'a str), Timestamp>,
    /// What these gave for it.
    told_for_control: BTreeMap<(&'a str, &'a str), BTreeSet<IpAddr>>,
    /// Names that a resolver failed to answer, hardly ever any.
    failing: TableSet<&'a DomainName>,
    /// Hosted zones by name, read or not; several of one name in the order of their ids.
    by_apex: Table<&'a str, Vec<&'a ZoneReading>>,
    /// The name servers of each hosted zone.
    servers: Table<&'a ZoneId, BTreeSet<DomainName>>,
    /// The instances that have ever wanted anything.
    wishers: OnceCell<BTreeSet<Arc<str>>>,
    /// Principals that need not be people; found when first asked for.
    writers: OnceCell<BTreeSet<Arc<str>>>,
    /// How many wishes of each instance changed in each round; counted when first asked for.
    changes: OnceCell<Table<(Arc<str>, Timestamp), usize>>,
    /// When records were written, as the feed tells; read when first asked for.
    writes: OnceCell<Writes>,
    /// Resolvers that refuse a zone for its signatures; found when first asked for.
    refusals: OnceCell<BTreeSet<Refused>>,
    /// Hosts that certificate solvers borrow; found when first asked for.
    borrowed: OnceCell<Vec<Borrowed>>,
    /// When the objects of the wishes of each instance were last touched, in order; found when first asked for.
    touched: OnceCell<BTreeMap<Arc<str>, Vec<Timestamp>>>,
    /// What leads to names of our zones; found when first asked for.
    followers: OnceCell<Followers>,
    /// Names that others own whose registry nobody here reads; found when first asked for.
    strangers: OnceCell<Strangers>,
    /// What was found out about each wish in its own zone, by instance and place.
    found: Vec<Vec<Found<'a>>>,
    /// The places of all wishes, those of one zone together.
    order: Vec<(Option<&'a ZoneId>, Vec<Place>)>,
    /// Where the ownership records of each zone are that need a look; found when first asked for.
    suspects: Table<&'a ZoneId, OnceCell<Vec<usize>>>,
    /// What zones keep for a zone below.
    lent: Lent<'a>,
    /// Those zones.
    lenders: TableSet<&'a ZoneId>,
    /// Zones that have been read completely.
    zones: Table<&'a ZoneId, &'a ZoneReading>,
    /// Zones of which no records were read, hardly ever any.
    pub unread: Vec<&'a ZoneReading>,
}

/// A wish in its own zone.
#[derive(Clone, Copy, Debug)]
pub struct Wished<'a> {
    /// The wish.
    pub want: &'a Want,
    /// Whose it is, by its place among the instances.
    pub instance: usize,
    /// The record sets at its name; empty also where the zone was not read.
    pub here: &'a [RecordSet],
}

/// A wish with whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The place of the instance among the instances.
    pub instance: usize,
    /// All that the instance wants.
    pub wants: &'a InstanceWants,
    /// The wish.
    pub want: &'a Want,
}

/// What several rules ask about one wish in its own zone.
#[derive(Clone, Debug)]
struct Found<'a> {
    /// The record sets at its name; `None` where the zone was not read.
    here: Option<&'a [RecordSet]>,
    /// Its ownership; read when first asked for.
    title: OnceCell<Title>,
}

// === impl Wished ===

impl Row for Wished<'_> {
    fn name(&self) -> &DomainName {
        &self.want.name
    }

    fn order(&self, other: &Self) -> Ordering {
        self.want.name.cmp(&other.want.name)
    }
}

// === impl World ===

/// How long after its control name a resolver is taken to work still: both are asked in one round, in any order.
const VOUCHES_FOR: SignedDuration = SignedDuration::from_secs(25);

impl<'a> World<'a> {
    /// Indexes a round.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        wants: &'a [InstanceWants],
        past: &'a Past,
        policy: &'a Policy,
    ) -> Self {
        let seen = snapshot.dns.value().map(Vec::as_slice).unwrap_or_default();
        // A name is asked twice and more.
        let mut told = Told::with_room(seen.len() / 2);
        let internal: BTreeSet<&str> =
            policy.views.iter().filter(|view| view.internal).map(|view| &*view.name).collect();
        let mut told_inside = Told::default();
        let mut controls: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
        let mut told_for_control: BTreeMap<(&str, &str), BTreeSet<IpAddr>> = BTreeMap::new();
        let mut failing = TableSet::default();
        // The answers of a name come together.
        for about in seen.chunk_by(|one, other| one.name == other.name) {
            let Some(name) = about.first().map(|first| &first.name) else { continue };
            if internal.is_empty() {
                told.add(name, about);
            } else {
                let (own, judged): (Vec<_>, Vec<_>) =
                    about.iter().map(Arc::as_ref).partition(|seen| internal.contains(&*seen.view));
                told_inside.add_some(name, own);
                told.add_some(name, judged);
            }
            for observation in about {
                let is_judged = internal.is_empty() || !internal.contains(&*observation.view);
                if is_judged
                    && observation.vantage == Vantage::Recursive
                    && observation.outcome == Outcome::Servfail
                {
                    failing.insert(name);
                }
                if observation.vantage == Vantage::Control && observation.outcome == Outcome::Answer {
                    let server = (&*observation.view, &*observation.server);
                    let at = controls.entry(server).or_insert(observation.at);
                    *at = observation.at.max(*at);
                    told_for_control.entry(server).or_default().extend(observation.addresses());
                }
            }
        }
        let without_target =
            wants.iter().flat_map(|one| &one.without_target).flat_map(|object| &object.names).collect();
        let mut by_apex: Table<&str, Vec<&ZoneReading>> = Table::default();
        for zone in snapshot.route53.value().into_iter().flat_map(|zones| zones.zones.values()) {
            by_apex.entry(zone.zone.name.as_str()).or_default().push(zone);
        }
        let zones = by_apex.values().flatten();
        let servers = zones.map(|zone| (&zone.zone.id, name_servers(zone))).collect();
        let zones = snapshot.route53.value().into_iter().flat_map(|zones| zones.zones.values());
        let (read, unread): (Vec<_>, Vec<_>) = zones.partition(|reading| reading.record_sets.is_some());
        let zones: Table<&ZoneId, &ZoneReading> =
            read.into_iter().map(|reading| (&reading.zone.id, reading)).collect();
        let lent = lent(zones.values().copied());
        let Ordered { found, order, by_zone } = Ordered::of(wants, &zones);
        let odd = snapshot.odd_objects();
        let undecided = undecided(snapshot, wants, &odd);
        let lingers = |name: &DomainName| lingers(past, policy, snapshot.at, name);
        let beside_wildcards = beside_wildcards(&told, wants, snapshot.route53.value(), lingers);
        Self {
            snapshot,
            wants,
            past,
            policy,
            told,
            told_inside,
            beside_wildcards,
            by_zone,
            without_target,
            odd,
            undecided,
            controls,
            told_for_control,
            failing,
            by_apex,
            servers,
            wishers: OnceCell::new(),
            changes: OnceCell::new(),
            writers: OnceCell::new(),
            writes: OnceCell::new(),
            refusals: OnceCell::new(),
            borrowed: OnceCell::new(),
            touched: OnceCell::new(),
            followers: OnceCell::new(),
            strangers: OnceCell::new(),
            found,
            order,
            suspects: zones.keys().map(|id| (*id, OnceCell::new())).collect(),
            lenders: lent.iter().map(|(zone, _)| *zone).collect(),
            lent,
            zones,
            unread,
        }
    }

    /// When the feed tells that a record was last written which has been as it is since the first look; `None` for
    /// one that was seen to change.
    #[must_use]
    pub fn written_before_the_first_look(&self, zone: &ZoneId, key: &RecordKey) -> Option<Timestamp> {
        let since = self.past.record_since(zone, key)?;
        let first = self.past.first_at.filter(|first| since <= *first)?;
        let written = self.writes.get_or_init(|| Writes::of(self)).last(zone, key);
        written.filter(|at| *at <= first)
    }

    /// The time of the round.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.snapshot.at
    }

    /// True if the control name works at the resolver that was asked; without that a resolver says
    /// nothing about any other name.
    #[must_use]
    pub fn control_works(&self, seen: &Observation) -> bool {
        self.controls.contains_key(&(&*seen.view, &*seen.server))
    }

    /// True if the resolver answered its control name before this look and after it, or shortly before: what fell
    /// silent between two control questions has said nothing about the name, and two rounds tell.
    #[must_use]
    pub fn vouches_for(&self, seen: &Observation) -> bool {
        let latest = self.controls.get(&(&*seen.view, &*seen.server));
        let after = latest.is_some_and(|at| seen.at.duration_since(*at) <= VOUCHES_FOR);
        after && self.past.has_worked_since(seen)
    }

    /// True if a resolver gives the very same addresses for its control name: it has one answer for everything.
    #[must_use]
    pub fn is_portal(&self, seen: &Observation) -> bool {
        let control = self.told_for_control.get(&(&*seen.view, &*seen.server));
        let found: BTreeSet<IpAddr> = seen.addresses().collect();
        !found.is_empty() && control == Some(&found)
    }

    /// True if a resolver failed to answer a name of the zone.
    #[must_use]
    pub fn fails_in(&self, zone: &ZoneReading) -> bool {
        self.failing.iter().any(|name| name.is_within(&zone.zone.name))
    }

    /// True if the cluster was heard of since: what changed before is known.
    #[must_use]
    pub fn heard_since(&self, at: Timestamp) -> bool {
        self.snapshot.kubernetes.read_at.is_none_or(|heard| at <= heard)
    }

    /// Since when a wish has been in trouble: since it changed, unless we have looked on since before that
    /// without seeing the trouble.
    #[must_use]
    pub fn since_change(&self, changed_at: Option<Timestamp>) -> Option<Timestamp> {
        let first = self.past.first_at.filter(|first| *first < self.at());
        changed_at.filter(|at| first.is_none_or(|first| first <= *at))
    }

    /// Observations of a question name, without those that are never judged.
    pub fn told(&self, name: &DomainName) -> impl Iterator<Item = &'a Observation> + Clone + use<'_, 'a> {
        self.told.about(name)
    }

    /// Those: what the resolvers of a cluster say, which may rewrite any name.
    pub fn told_inside(
        &self,
        name: &DomainName,
    ) -> impl Iterator<Item = &'a Observation> + Clone + use<'_, 'a> {
        self.told_inside.about(name)
    }

    /// All observations, in no order that means anything.
    pub fn observations(&self) -> impl Iterator<Item = &'a Observation> + use<'a> {
        self.snapshot.observations()
    }

    /// The recorded view.
    #[must_use]
    pub fn zones(&self) -> Option<&'a Zones> {
        self.snapshot.route53.value()
    }

    /// One zone that has been read completely.
    #[must_use]
    pub fn zone(&self, id: &ZoneId) -> Option<&'a ZoneReading> {
        self.zones.get(id).copied()
    }

    /// The ownership records of a zone that may be left over, or that nobody here owns. They are found when first asked
    /// for: best when the records of the zone have just been looked at.
    pub fn suspects(&self, zone: &ZoneReading) -> impl Iterator<Item = Text<'a>> + use<'_, 'a> {
        let id = &zone.zone.id;
        let known = self.zone(id).zip(self.suspects.get(id)).map(|(zone, places)| {
            let find = || suspects(self.wants, zone, self.wished_in(id), &self.lent);
            (zone, places.get_or_init(find))
        });
        known.into_iter().flat_map(|(zone, places)| places.iter().filter_map(|at| text_at(zone, *at)))
    }

    /// What the registry says about a wish; of one in its own zone it is read once.
    #[must_use]
    pub fn title(&self, wants: &InstanceWants, want: &Want, zone: &'a ZoneReading) -> Cow<'_, Title> {
        let read = || {
            let here = self.here(wants, want, zone);
            let title = Title::of(&wants.instance, want, zone, here);
            let stranger = || self.strangers.get_or_init(|| strangers(self)).owner(zone, &want.key());
            let is_unowned =
                title.ownership == Ownership::Missing && here.iter().any(|set| want.is(&set.key()));
            match is_unowned.then(stranger).flatten() {
                Some(owner) => Title { ownership: Ownership::Foreign(owner), is_strange: true, ..title },
                None => title,
            }
        };
        let found = self.found(wants, want, zone);
        found.map_or_else(|| Cow::Owned(read()), |found| Cow::Borrowed(found.title.get_or_init(read)))
    }

    /// The record sets at the name of a wish; of one in its own zone they are looked up once.
    #[must_use]
    pub fn here(&self, wants: &InstanceWants, want: &Want, zone: &'a ZoneReading) -> &'a [RecordSet] {
        self.found(wants, want, zone).and_then(|found| found.here).unwrap_or_else(|| zone.at(&want.name))
    }

    /// Where to keep what is found out about a wish in its own zone.
    fn found(&self, wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> Option<&Found<'a>> {
        let place = self.wants.iter().position(|one| std::ptr::eq(one, wants));
        let here = place.filter(|_| want.zone_id() == Some(&zone.zone.id))?;
        self.found.get(here)?.get(wants.wants.element_offset(want)?)
    }

    /// All zones that have been read with the wishes in each, those in other zones, and those without: what is looked up
    /// for one lies beside what was looked up for the one before it, and is still at hand when it is looked at again. In
    /// the order of their names each look would be a wait for memory.
    pub fn zone_by_zone(
        &self,
    ) -> impl Iterator<Item = (Option<&'a ZoneReading>, Vec<Wanted<'a>>)> + use<'_, 'a> {
        let wanted = |(instance, place): &Place| {
            let wants = self.wants.get(*instance)?;
            Some(Wanted { instance: *instance, wants, want: wants.wants.get(*place)? })
        };
        self.order.iter().map(move |(id, places)| {
            (id.and_then(|id| self.zone(id)), places.iter().filter_map(wanted).collect())
        })
    }

    /// True if a zone keeps the ownership records of the apex of one below.
    #[must_use]
    pub fn is_lender(&self, zone: &ZoneReading) -> bool {
        self.lenders.contains(&zone.zone.id)
    }

    /// The hosted zones of exactly this name.
    #[must_use]
    pub fn zones_at(&self, apex: &DomainName) -> &[&'a ZoneReading] {
        self.by_apex.get(apex.as_str()).map(Vec::as_slice).unwrap_or_default()
    }

    /// True if the server is one of the zone's own, or the zone's are not known: what a stranger answers
    /// is a matter of the delegation.
    #[must_use]
    pub fn is_own_server(&self, zone: &ZoneReading, server: &str) -> bool {
        self.servers.get(&zone.zone.id).is_none_or(|own| {
            // Nearly always it is written as we write names.
            own.is_empty() || own.contains(server) || own.contains(&DomainName::new(server))
        })
    }

    /// The hosted zones that the name lies in, the most specific first.
    pub fn zones_over<'s>(&'s self, name: &'s DomainName) -> impl Iterator<Item = &'a ZoneReading> + 's {
        name.suffixes().filter_map(|suffix| self.by_apex.get(suffix)).flatten().copied()
    }

    /// True if the cluster has the object; `object` as an ownership record names it.
    #[must_use]
    pub fn is_here(&self, object: &ObjectRef) -> bool {
        if self.is_odd(object) {
            return true;
        }
        let Some(cluster) = self.snapshot.kubernetes.value() else { return false };
        as_named(cluster.objects.kinds(), object, |object| cluster.objects.get(object)).is_some()
    }

    /// True if the object is there and could not be understood; `object` as an ownership record names it.
    #[must_use]
    pub fn is_odd(&self, object: &ObjectRef) -> bool {
        self.odd.iter().any(|odd| is_same(object, odd))
    }

    /// True if any object could not be understood.
    #[must_use]
    pub fn has_odd_objects(&self) -> bool {
        !self.odd.is_empty()
    }

    /// True if the name belongs to an object that could not be understood: it may want it still.
    #[must_use]
    pub fn is_undecided(&self, name: &DomainName) -> bool {
        self.undecided.contains(name)
    }

    /// What is remembered of an object; `object` as an ownership record names it.
    #[must_use]
    pub fn remembered(&self, object: &ObjectRef) -> Option<&'a ObjectPast> {
        as_named(lookups::kinds(&self.past.objects), object, |object| self.past.objects.get(object))
    }

    /// What any instance has wanted at a name, with each content that it had.
    #[must_use]
    pub fn wished(&self, name: &DomainName) -> &'a [Wish] {
        self.past.names.wishes_at(name)
    }

    /// True if an instance of this id has ever wanted anything.
    #[must_use]
    pub fn has_wished(&self, instance: &str) -> bool {
        let wishers = || self.past.names.wishes().map(|(_, wish)| Arc::clone(&wish.place)).collect();
        self.wishers.get_or_init(wishers).contains(instance)
    }

    /// See [`writers`].
    #[must_use]
    pub fn writers(&self) -> &BTreeSet<Arc<str>> {
        self.writers.get_or_init(|| writers(self))
    }

    /// See [`refusals`].
    #[must_use]
    pub fn refusals(&self) -> &BTreeSet<Refused> {
        self.refusals.get_or_init(|| refusals(self))
    }

    /// See [`borrowed`].
    #[must_use]
    pub fn borrowed(&self) -> &[Borrowed] {
        self.borrowed.get_or_init(|| borrowed(self))
    }

    /// See [`followers`].
    #[must_use]
    pub fn followers(&self) -> &Followers {
        self.followers.get_or_init(|| followers(self))
    }

    /// How many wishes of an instance have objects that were last touched within one of its loops of a time.
    #[must_use]
    pub fn touched_about(&self, wants: &InstanceWants, at: Timestamp) -> usize {
        let all = || {
            let mut times: BTreeMap<Arc<str>, Vec<Timestamp>> = BTreeMap::new();
            for one in self.wants {
                let told = one.wants.iter().filter_map(|want| want.changed_at.max(want.status_changed_at));
                times.entry(Arc::clone(&one.instance.id)).or_default().extend(told);
            }
            for times in times.values_mut() {
                times.sort_unstable();
            }
            times
        };
        let Some(times) = self.touched.get_or_init(all).get(&wants.instance.id) else { return 1 };
        let span = signed(wants.instance.flags.interval);
        let (from, to) = (at.saturating_sub(span).unwrap_or(at), at.saturating_add(span).unwrap_or(at));
        times.partition_point(|one| *one <= to) - times.partition_point(|one| *one < from)
    }

    /// How many wishes of an instance got their present content in one round.
    #[must_use]
    pub fn wished_since(&self, instance: &Arc<str>, since: Timestamp) -> usize {
        if self.past.first_at == Some(since) {
            return 1;
        }
        let count = || {
            let mut counts: Table<(Arc<str>, Timestamp), usize> = Table::default();
            for (_, wish) in self.past.names.wishes() {
                if let Some(last) = wish.sightings.last() {
                    let of_round = counts.entry((Arc::clone(&wish.place), last.since)).or_default();
                    *of_round = of_round.saturating_add(1);
                }
            }
            counts
        };
        self.changes.get_or_init(count).get(&(Arc::clone(instance), since)).copied().unwrap_or(1)
    }

    /// All wants of a name in a zone, over all instances.
    pub fn wants_at(&self, zone: &'a ZoneId, name: &'a DomainName) -> impl Iterator<Item = &'a Want> {
        self.wanted(name).filter(move |want| want.zone_id() == Some(zone))
    }

    /// All wants of a name, over all instances and zones.
    pub fn wanted(&self, name: &DomainName) -> impl Iterator<Item = &'a Want> {
        self.wants.iter().flat_map(move |one| one.at(name))
    }

    /// Observations of the labels that were made up under a wanted wildcard, and of other names there
    /// that nobody wants and no zone has.
    #[must_use]
    pub fn under_wildcard(&self, wildcard: &DomainName) -> &[&'a Observation] {
        self.beside_wildcards.get(wildcard).map(Vec::as_slice).unwrap_or_default()
    }

    /// All wants that lie in a zone, over all instances.
    pub fn wants_in(&self, zone: &ZoneId) -> impl Iterator<Item = &'a Want> + use<'a, '_> {
        self.wished_in(zone).iter().map(|wished| wished.want)
    }

    /// The same with what stands at their names, sorted by name.
    #[must_use]
    pub fn wished_in(&self, zone: &ZoneId) -> &[Wished<'a>] {
        self.by_zone.get(zone).map(Vec::as_slice).unwrap_or_default()
    }

    /// True if an object gives the name and has nothing to point it at, or may give it.
    #[must_use]
    pub fn may_be_given(&self, name: &DomainName) -> bool {
        self.without_target.contains(name) || self.is_undecided(name)
    }
}

/// The wishes of each instance by place and in order, and all of them by zone, with what stands at their names.
struct Ordered<'a> {
    found: Vec<Vec<Found<'a>>>,
    order: Vec<(Option<&'a ZoneId>, Vec<Place>)>,
    by_zone: Table<&'a ZoneId, Vec<Wished<'a>>>,
}

// === impl Ordered ===

impl<'a> Ordered<'a> {
    fn of(wants: &'a [InstanceWants], zones: &Table<&'a ZoneId, &'a ZoneReading>) -> Self {
        let nothing = Found { here: None, title: OnceCell::new() };
        let mut all = Self {
            found: wants.iter().map(|one| vec![nothing.clone(); one.wants.len()]).collect(),
            order: Vec::new(),
            by_zone: Table::default(),
        };
        let (of_zones, homeless) = places_by_zone(wants, zones);
        for (id, places) in of_zones {
            let wished = all.add(wants, &places, zones.get(id).copied());
            all.by_zone.insert(id, wished);
            all.order.push((Some(id), places));
        }
        all.order.push((None, homeless));
        all
    }

    /// What is wanted in one zone, sorted by name.
    fn add(
        &mut self,
        wants: &'a [InstanceWants],
        places: &[Place],
        zone: Option<&'a ZoneReading>,
    ) -> Vec<Wished<'a>> {
        let mut wished = Vec::with_capacity(places.len());
        for of_instance in places.chunk_by(|one, other| one.0 == other.0) {
            // They are sorted by name, as the record sets of the zone are.
            let mut finger = zone.map(|zone| Finger::new(zone.records()));
            for (instance, place) in of_instance {
                let Some(want) = wants.get(*instance).and_then(|one| one.wants.get(*place)) else { continue };
                let here = finger.as_mut().map(|finger| finger.at_text(want.name.as_str()));
                if let Some(found) = self.found.get_mut(*instance).and_then(|found| found.get_mut(*place)) {
                    found.here = here;
                }
                wished.push(Wished { want, instance: *instance, here: here.unwrap_or_default() });
            }
        }
        if places.first().map(|one| one.0) != places.last().map(|one| one.0) {
            wished.sort_by(Row::order);
        }
        wished
    }
}

/// Where a wish is: the instance, and its place there.
type Place = (usize, usize);

/// The places of the wishes in each zone, zones without any among them, and of those wishes that have no zone.
fn places_by_zone<'a>(
    wants: &'a [InstanceWants],
    zones: &Table<&'a ZoneId, &'a ZoneReading>,
) -> (Vec<(&'a ZoneId, Vec<Place>)>, Vec<Place>) {
    let mut homeless = Vec::new();
    let mut of_zones: Table<&ZoneId, Vec<Place>> = zones.keys().map(|id| (*id, Vec::new())).collect();
    for (instance, one) in wants.iter().enumerate() {
        for (place, want) in one.wants.iter().enumerate() {
            let places = match want.zone_id() {
                Some(id) => of_zones.entry(id).or_default(),
                None => &mut homeless,
            };
            places.push((instance, place));
        }
    }
    let mut of_zones: Vec<_> = of_zones.into_iter().collect();
    of_zones.sort_unstable_by_key(|(id, _)| *id);
    (of_zones, homeless)
}

/// The names that odd objects own; of several readings of an ownership record each counts.
fn undecided(snapshot: &Snapshot, wants: &[InstanceWants], odd: &[ObjectRef]) -> BTreeSet<DomainName> {
    let mut names = BTreeSet::new();
    if odd.is_empty() {
        return names;
    }
    let zones = snapshot.route53.value().into_iter().flat_map(|zones| zones.zones.values());
    for set in zones.flat_map(ZoneReading::records).filter(|set| set.record_type == RecordType::Txt) {
        let TxtRole::Heritage(heritage) = TxtRole::of(set) else { continue };
        if heritage.object().is_some_and(|object| odd.iter().any(|odd| is_same(&object, odd))) {
            names.extend(wants.iter().flat_map(|one| one.instance.flags.affixes.readings(&set.name)));
        }
    }
    names
}

/// True if resolvers may still hold a record of the name that is gone.
fn lingers(past: &Past, policy: &Policy, now: Timestamp, name: &DomainName) -> bool {
    let gone = |held: &&Held| held.sightings.last().is_some_and(|last| last.value.is_none());
    past.names.records_at(name).iter().filter(gone).any(|held| {
        let ends = held.sightings.iter().skip(1).map(|next| next.since);
        // The last content is not always the one that is kept for the longest time.
        held.sightings.iter().zip(ends).any(|(seen, ended)| {
            seen.value.as_ref().is_some_and(|content| {
                let kept = SignedDuration::from_secs(content.ttl().unwrap_or(ALIAS_TTL).into());
                now.duration_since(ended) < kept + signed(policy.propagation)
            })
        })
    })
}

/// A wildcard is judged by names that nobody wants: walking all answers for each would make a round
/// grow with the product of both. It answers for none that exists, be it for what lies below, and not yet
/// for one whose own record somebody may hold still.
fn beside_wildcards<'a>(
    told: &Told<'a>,
    wants: &[InstanceWants],
    zones: Option<&Zones>,
    lingers: impl Fn(&DomainName) -> bool,
) -> Table<DomainName, Vec<&'a Observation>> {
    let without_target = wants.iter().flat_map(|one| &one.without_target).flat_map(|object| &object.names);
    let without_target: BTreeSet<&DomainName> = without_target.filter(|name| name.is_wildcard()).collect();
    if without_target.is_empty() && !wants.iter().any(|one| one.wildcards().next().is_some()) {
        return Table::default();
    }
    let wanted =
        |name: &DomainName| without_target.contains(name) || wants.iter().any(|one| !one.at(name).is_empty());
    let unwanted = told.names().filter(|name| !wanted(name));
    let mut made_up: BTreeMap<&DomainName, DomainName> = unwanted
        .filter_map(|name| Some((name, name.wildcard_sibling().filter(|wildcard| wanted(wildcard))?)))
        .collect();
    let existing = lookups::existing(zones, made_up.keys().copied());
    made_up.retain(|name, _| !existing.contains(*name) && !lingers(name));
    let mut beside: Table<DomainName, Vec<&Observation>> = Table::default();
    for (name, wildcard) in made_up {
        beside.entry(wildcard).or_default().extend(told.about(name));
    }
    beside
}
