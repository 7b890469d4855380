//! How much vanished at once: hosts, and of hosts with both address families the one that went. Pure.
//!
//! A host counts once, whatever it lost.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::compare::world::World;
use crate::model::{DomainName, RecordType, ZoneId};

/// How long a burst counts after its last loss.
const BURST_LIFE: SignedDuration = SignedDuration::from_hours(2);

/// Fewer names than this are housekeeping. Source: findings.md section 3, rank 5.
pub(super) const LEAST_NAMES: usize = 5;

/// A smaller share than this is housekeeping, in tenths.
const LEAST_TENTHS: usize = 3;

/// Something that was there at a name.
pub(super) struct Loss<'a> {
    pub name: &'a DomainName,
    /// The address family that went; `None` for what is of both or of none.
    pub family: Option<RecordType>,
    /// Nothing is left at the name.
    pub is_whole: bool,
    /// Last round with it.
    pub until: Timestamp,
    /// First round without it.
    pub gone_at: Timestamp,
    pub zone: Option<ZoneId>,
}

/// What is or was there at a name: its first and its last round, and where it lies.
pub(super) struct Life<'a> {
    pub name: &'a DomainName,
    pub record_type: &'a RecordType,
    pub since: Timestamp,
    pub last: Timestamp,
    pub zone: Option<ZoneId>,
}

/// Since when each name was there, as a whole and in each address family.
pub(super) type Came<'a> = BTreeMap<(Option<RecordType>, &'a DomainName), Timestamp>;

/// Names that vanished together, and how many there were before.
pub(super) struct Burst<'a> {
    /// Each with the one address family that it lost, as its record type; `None` where nothing is left.
    pub names: BTreeMap<&'a DomainName, Option<RecordType>>,
    pub alive: usize,
    pub until: Timestamp,
    /// Zones that lost so much of their names; empty where only all of them together did.
    pub zones: BTreeSet<ZoneId>,
}

/// Where names are counted together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// In one zone, or in none.
    Zone(Option<ZoneId>),
    /// In all of them.
    Everywhere,
}

/// What is counted together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    place: Place,
    /// One address family; `None` for the hosts altogether.
    family: Option<RecordType>,
}

/// The address family of a record type; `None` for one that leads users of both, or of none.
pub(super) fn family_of(record_type: &RecordType) -> Option<RecordType> {
    Some(record_type).filter(|kind| matches!(kind, RecordType::A | RecordType::Aaaa)).cloned()
}

/// True if a record of this type leads users of the address family somewhere.
pub(super) fn serves(record_type: &RecordType, family: &RecordType) -> bool {
    record_type == family || *record_type == RecordType::Cname
}

/// Since when the names were there.
pub(super) fn came<'a>(alive: &[Life<'a>]) -> Came<'a> {
    let mut came = Came::new();
    for life in alive {
        let families = [RecordType::A, RecordType::Aaaa].into_iter();
        let families = families.filter(|family| serves(life.record_type, family)).map(Some);
        for family in families.chain([None]) {
            let at = came.entry((family, life.name)).or_insert(life.since);
            *at = life.since.min(*at);
        }
    }
    came
}

/// By zone, because a burst in one zone must not drown in the names of another, and of all zones
/// together, because one cause may hit a few names in each. Losses within two cycles are one burst; as many
/// names as came meanwhile took the place of others.
pub(super) fn burst<'a>(
    world: &World<'_>,
    mut lost: Vec<Loss<'a>>,
    alive: &[Life<'a>],
    came: &Came<'_>,
) -> Option<Burst<'a>> {
    // What went while nobody looked for hours did not go at once.
    lost.retain(|loss| world.at().duration_since(loss.until) < BURST_LIFE);
    let cycles = two_cycles(world)?;
    let starts: BTreeSet<(Scope, Timestamp)> = lost.iter().flat_map(starts).collect();
    let mut scopes: BTreeSet<Scope> = BTreeSet::new();
    let mut names: BTreeMap<&'a DomainName, Option<RecordType>> = BTreeMap::new();
    let mut until = Timestamp::MAX;
    for (scope, start) in starts {
        let together: Vec<&Loss<'a>> = lost
            .iter()
            .filter(|loss| scope.takes(loss) && start <= loss.gone_at)
            // Or in the very next round, however long after it was.
            .filter(|loss| loss.gone_at.duration_since(start) <= cycles || loss.until <= start)
            .collect();
        let vanished: BTreeSet<&DomainName> = together.iter().map(|loss| loss.name).collect();
        let first = together.iter().filter(|loss| loss.gone_at == start).map(|loss| loss.until).min();
        let Some(first) = first else { continue };
        let before = vanished.union(&there(alive, &scope, first)).count();
        // Hosts that are renamed may have both names for a moment.
        let since = first.min(start.saturating_sub(cycles).unwrap_or(start));
        let is_new = |((family, name), came): &(&(Option<RecordType>, &DomainName), &Timestamp)| {
            let is_meanwhile = since < **came && came.duration_since(start) <= cycles;
            *family == scope.family && is_meanwhile && !vanished.contains(*name)
        };
        let drop = vanished.len().saturating_sub(came.iter().filter(is_new).count());
        // Hosts that are gone altogether are no matter of one family: of a rare one a few would be all there are.
        let halves = together.iter().filter(|loss| scope.family.is_none() || !loss.is_whole);
        let drop = drop.min(halves.map(|loss| loss.name).collect::<BTreeSet<_>>().len());
        if LEAST_NAMES <= drop && before * LEAST_TENTHS <= drop * 10 {
            scopes.insert(scope);
            until = until.min(first);
            for loss in together {
                add(&mut names, loss);
            }
        }
    }
    // Where all have lost the same family those count that had it.
    let family = common_family(&names);
    let of_family = |scope: &Scope| Scope { family: family.clone(), ..scope.clone() };
    let before = scopes.iter().flat_map(|scope| there(alive, &of_family(scope), until));
    let alive = before.chain(names.keys().copied()).collect::<BTreeSet<_>>().len();
    let zones = scopes.into_iter().filter_map(|scope| scope.place.zone()).collect();
    (!names.is_empty()).then_some(Burst { names, alive, until, zones })
}

/// What may pass between the losses of one burst.
pub(super) fn two_cycles(world: &World<'_>) -> Option<SignedDuration> {
    SignedDuration::try_from(world.policy.interval.saturating_mul(2)).ok()
}

/// Where and when a burst may begin with this loss.
fn starts(loss: &Loss<'_>) -> BTreeSet<(Scope, Timestamp)> {
    let places = [Place::Zone(loss.zone.clone()), Place::Everywhere].into_iter();
    let scopes = places.flat_map(|place| {
        [None, loss.family.clone()].map(|family| (Scope { place: place.clone(), family }, loss.gone_at))
    });
    scopes.collect()
}

/// The names of a scope at a time.
fn there<'a>(alive: &[Life<'a>], scope: &Scope, until: Timestamp) -> BTreeSet<&'a DomainName> {
    let there = alive.iter().filter(|life| life.since <= until && until <= life.last);
    there.filter(|life| scope.has(life)).map(|life| life.name).collect()
}

/// Who has lost one family in one zone and the other in another has lost both.
fn add<'a>(names: &mut BTreeMap<&'a DomainName, Option<RecordType>>, loss: &Loss<'a>) {
    let half = loss.half();
    let known = names.entry(loss.name).or_insert_with(|| half.cloned());
    if known.as_ref() != half {
        *known = None;
    }
}

/// The one address family that all the names have lost.
pub(super) fn common_family(names: &BTreeMap<&DomainName, Option<RecordType>>) -> Option<RecordType> {
    let first = names.values().next()?.as_ref()?;
    names.values().all(|half| half.as_ref() == Some(first)).then(|| first.clone())
}

// === impl Loss ===

impl Loss<'_> {
    /// The address family that went, where the other one stays.
    fn half(&self) -> Option<&RecordType> {
        self.family.as_ref().filter(|_| !self.is_whole)
    }
}

// === impl Burst ===

impl Burst<'_> {
    /// True if a record of this type went with it.
    pub(super) fn took(&self, name: &DomainName, record_type: &RecordType) -> bool {
        let half = self.names.get(&name);
        half.is_some_and(|half| half.as_ref().is_none_or(|half| half == record_type))
    }
}

// === impl Place ===

impl Place {
    fn holds(&self, zone: Option<&ZoneId>) -> bool {
        match self {
            Self::Zone(own) => own.as_ref() == zone,
            Self::Everywhere => true,
        }
    }

    fn zone(self) -> Option<ZoneId> {
        match self {
            Self::Zone(zone) => zone,
            Self::Everywhere => None,
        }
    }
}

// === impl Scope ===

impl Scope {
    fn takes(&self, loss: &Loss<'_>) -> bool {
        self.place.holds(loss.zone.as_ref()) && (self.family.is_none() || self.family == loss.family)
    }

    fn has(&self, life: &Life<'_>) -> bool {
        let is_of_family = self.family.as_ref().is_none_or(|family| serves(life.record_type, family));
        self.place.holds(life.zone.as_ref()) && is_of_family
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).expect("a time")
    }

    fn loss(name: &DomainName, family: Option<RecordType>, is_whole: bool) -> Loss<'_> {
        Loss { name, family, is_whole, until: at(0), gone_at: at(1), zone: Some(ZoneId::new("Z1")) }
    }

    #[test]
    fn a_host_loses_one_family_or_all_that_it_has() {
        let (one, two, three) = ("a.example.com".into(), "b.example.com".into(), "c.example.com".into());
        let half = |name, family| loss(name, Some(family), false);
        let mut names = BTreeMap::new();
        add(&mut names, &half(&one, RecordType::A));
        add(&mut names, &half(&one, RecordType::A));
        add(&mut names, &half(&two, RecordType::A));
        assert_eq!(common_family(&names), Some(RecordType::A));
        add(&mut names, &half(&two, RecordType::Aaaa));
        assert_eq!(common_family(&names), None);
        add(&mut names, &loss(&three, None, true));
        let burst = Burst { names, alive: 3, until: at(0), zones: BTreeSet::new() };
        let took = [&one, &two, &three].map(|name| burst.took(name, &RecordType::Aaaa));
        assert_eq!(took, [false, true, true]);
        assert!(burst.took(&one, &RecordType::A));
    }

    #[test]
    fn a_cname_is_of_both_families_and_what_came_first_counts() {
        let name: DomainName = "a.example.com".into();
        let life = |record_type, since| Life { name: &name, record_type, since, last: at(9), zone: None };
        let alive =
            [life(&RecordType::Aaaa, at(5)), life(&RecordType::Cname, at(3)), life(&RecordType::A, at(1))];
        let came = came(&alive);
        let since = |family| came.get(&(family, &name)).copied();
        assert_eq!(since(None), Some(at(1)));
        assert_eq!(since(Some(RecordType::A)), Some(at(1)));
        assert_eq!(since(Some(RecordType::Aaaa)), Some(at(3)));
        let scope = |family| Scope { place: Place::Everywhere, family: Some(family) };
        let names = |family, until| there(&alive, &scope(family), until).len();
        assert_eq!((names(RecordType::Aaaa, at(2)), names(RecordType::A, at(2))), (0, 1));
    }
}
