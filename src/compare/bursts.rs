//! Names that vanish together: `mass_deletion`. Pure.
//!
//! A burst is told by what is still gone: a wish or a record that came back is no loss. A view that
//! could not be read whole shows no absence, so it never makes a burst.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::compare::fix::kubectl;
use crate::compare::fix::restore::Restoration;
use crate::compare::instances::stalled::is_idle;
use crate::compare::instances::{start, wrote};
use crate::compare::live::told_to_users;
use crate::compare::objects::leads_elsewhere;
use crate::compare::published::Deletions;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{Impact, Kind, Reason};
use crate::model::change::{Action, ChangeEvent, ChangeEventKind};
use crate::model::heritage::TxtRole;
use crate::model::instance::{Instance, Origin, Policy};
use crate::model::observation::Outcome;
use crate::model::want::InstanceWants;
use crate::model::{DomainName, RecordType, ZoneId};
use crate::past::names::{Held, Wish};
use crate::report::Fix;
use crate::snapshot::ViewName;

/// How long a burst counts after its last loss.
const BURST_LIFE: SignedDuration = SignedDuration::from_hours(2);

/// Fewer names than this are housekeeping. Source: findings.md section 3, rank 5.
const LEAST_NAMES: usize = 5;

/// A smaller share than this is housekeeping, in tenths.
const LEAST_TENTHS: usize = 3;

/// A name that was there.
struct Loss<'a> {
    name: &'a DomainName,
    /// Last round with it.
    until: Timestamp,
    /// First round without it.
    gone_at: Timestamp,
    zone: Option<ZoneId>,
}

/// A name while it was there: its first and its last round, and where it lies.
struct Life<'a> {
    name: &'a DomainName,
    since: Timestamp,
    last: Timestamp,
    zone: Option<ZoneId>,
}

/// Names that vanished together, and how many there were before.
struct Burst<'a> {
    names: BTreeSet<&'a DomainName>,
    alive: usize,
    until: Timestamp,
    /// Zones that lost so much of their names; empty where only all of them together did.
    zones: BTreeSet<ZoneId>,
}

/// What is counted together: one zone, or all of them.
type Scope = Option<Option<ZoneId>>;

/// What one instance lost at once: of its wishes, else of its records.
pub(super) fn mass_deletion(world: &World<'_>, wants: &InstanceWants, out: &Verdicts) -> Option<Candidate> {
    // Names that are not known have not vanished. Which are those of an odd object its ownership tells.
    let flags = &wants.instance.flags;
    let told = !world.has_odd_objects() || flags.shows_ownership();
    let are_known = out.coverage.kubernetes && wants.unknown.is_empty() && told;
    let by_wishes = are_known.then(|| wishes_vanished(world, wants)).flatten();
    // What is wanted still and gone rests on no absence in the cluster.
    by_wishes.or_else(|| records_vanished(world, wants, out))
}

/// A large share of the wishes vanished and has not come back.
fn wishes_vanished(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let mine = || world.past.names.wishes().filter(|(_, wish)| wish.place == wants.instance.id);
    let span = |wish: &Wish| Some((wish.sightings.first()?.since, wish.sightings.last()?.until));
    // Nearly always nothing is gone: what was wanted in this round is not looked up.
    let others =
        world.past.names.wishes_but_at(world.at()).filter(|(_, wish)| wish.place == wants.instance.id);
    let gone = others.filter_map(|(name, wish)| {
        let (_, until) = span(wish).filter(|(_, until)| *until != world.at())?;
        wants.at(name).is_empty().then_some((name, until))
    });
    let mut lost: Vec<Loss<'_>> = gone
        .map(|(name, until)| {
            let (gone_at, zone) = (world.past.lost_after(until), zone_of(world, wants, name));
            Loss { name, until, gone_at, zone }
        })
        .collect();
    let deletions =
        if wants.without_target.is_empty() { Deletions::default() } else { Deletions::of(world, wants) };
    lost.extend(lost_before(world, wants, &deletions));
    if lost.len() < LEAST_NAMES {
        return None;
    }
    let first = world.past.first_at;
    let mut alive: Vec<Life<'_>> = mine()
        .filter_map(|(name, wish)| {
            let (since, last) = span(wish)?;
            // What the first look found had been there before it.
            let since = if Some(since) == first { Timestamp::MIN } else { since };
            Some(Life { name, since, last, zone: zone_of(world, wants, name) })
        })
        .collect();
    let mut came: BTreeMap<&DomainName, Timestamp> = BTreeMap::new();
    for Life { name, since, .. } in &alive {
        let at = came.entry(*name).or_insert(*since);
        *at = (*since).min(*at);
    }
    // What another owner keeps is neither ours to lose nor ours to have, and what another instance asks for in the
    // same zone has only changed hands.
    let foreign = names_of_others(world, wants);
    // Flags that leave the zone to another instance leave the name without a zone here.
    let is_taken_over = |loss: &Loss<'_>| {
        let zone = loss.zone.as_ref();
        world
            .wanted(loss.name)
            .any(|want| want.zone_id().is_some() && (zone.is_none() || want.zone_id() == zone))
    };
    lost.retain(|loss| {
        !foreign.contains(loss.name) && !world.is_undecided(loss.name) && !is_taken_over(loss)
    });
    alive.retain(|life| !foreign.contains(life.name));
    let burst = burst(world, lost, &alive, &came)?;
    let without: BTreeSet<&DomainName> = wants.without_target.iter().flat_map(|one| &one.names).collect();
    let by_address =
        burst.names.iter().filter(|name| without.contains(*name)).count() * 2 >= burst.names.len();
    let reason = if by_address { Reason::LbStatusLost } else { Reason::WantsVanished };
    let mut candidate = start(world, wants, Kind::MassDeletion, reason, Impact::Latent);
    weigh(world, wants, &burst, &mut candidate);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    candidate.evidence = lines("no longer wanted", &burst);
    candidate.certain = is_told(world, &burst);
    Some(dress(world, wants, candidate, &burst))
}

/// Hosts of objects without an address that the instance took away without a wish having been seen: what was
/// lost before the first look may have gone after it.
fn lost_before<'a>(world: &World<'_>, wants: &'a InstanceWants, deletions: &'a Deletions) -> Vec<Loss<'a>> {
    let hosts = wants.without_target.iter().flat_map(|object| deletions.hosts(object));
    let gone = hosts.filter(|(name, _)| wants.at(name).is_empty());
    gone.map(|(name, at)| Loss { name, until: at, gone_at: at, zone: zone_of(world, wants, name) }).collect()
}

/// Names in the zones of the instance whose ownership records all name somebody else.
fn names_of_others(world: &World<'_>, wants: &InstanceWants) -> BTreeSet<DomainName> {
    let flags = &wants.instance.flags;
    let mut owners: BTreeMap<DomainName, bool> = BTreeMap::new();
    for zone in wants.zones.iter().filter_map(|id| world.zone(id)) {
        for set in zone.records().iter().filter(|set| set.record_type == RecordType::Txt) {
            let TxtRole::Heritage(heritage) = TxtRole::of(set) else { continue };
            if let Some((name, _)) = flags.affixes.owner_name(&set.name) {
                *owners.entry(name).or_default() |= heritage.owner.is_some_and(|owner| flags.owns(owner));
            }
        }
    }
    owners.into_iter().filter(|(_, ours)| !ours).map(|(name, _)| name).collect()
}

/// A large share of the records that are still wanted vanished from a zone.
fn records_vanished(world: &World<'_>, wants: &InstanceWants, out: &Verdicts) -> Option<Candidate> {
    let is_wanted =
        |zone: &ZoneId, name: &DomainName| wants.at(name).iter().any(|want| want.zone_id() == Some(zone));
    let counts = |(name, held): &(&DomainName, &Held)| {
        is_wanted(&held.place, name) && out.coverage.zones.contains_key(&held.place)
    };
    let span = |held: &Held| {
        let mut there = held.sightings.iter().filter(|sighting| sighting.value.is_some());
        let first = there.next()?;
        Some((first.since, there.next_back().unwrap_or(first).until))
    };
    let is_served = |name: &DomainName, held: &Held| {
        let zone = world.zone(&held.place);
        zone.is_some_and(|zone| zone.at(name).iter().any(|set| set.record_type.is_address()))
    };
    // Nearly always nothing is gone.
    let gone = world.past.names.records().filter_map(|(name, held)| {
        let gone = held.sightings.last().filter(|last| last.value.is_none())?;
        world.heard_since(gone.since).then_some((name, held, gone.since))
    });
    let gone = gone.filter(|(name, held, _)| counts(&(name, held)) && !is_served(name, held));
    let lost = gone.filter_map(|(name, held, gone_at)| {
        Some(Loss { name, until: span(held)?.1, gone_at, zone: Some(held.place.clone()) })
    });
    let lost: Vec<Loss<'_>> = lost.collect();
    if lost.len() < LEAST_NAMES {
        return None;
    }
    let own = world.past.names.records().filter(counts);
    let life = |(name, held)| {
        let (since, last) = span(held)?;
        Some(Life { name, since, last, zone: Some(held.place.clone()) })
    };
    let alive: Vec<Life<'_>> = own.filter_map(life).collect();
    let burst = burst(world, lost, &alive, &BTreeMap::new())?;
    let reason = Reason::RecordsVanished;
    let mut candidate = start(world, wants, Kind::MassDeletion, reason, Impact::Latent);
    weigh(world, wants, &burst, &mut candidate);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    candidate.evidence = lines("no longer recorded", &burst);
    candidate.certain = is_told(world, &burst);
    Some(dress(world, wants, candidate, &burst))
}

/// By zone, because a burst in one zone must not drown in the names of another, and of all zones
/// together, because one cause may hit a few names in each. Losses within two cycles are one burst; as many
/// names as came meanwhile took the place of others.
fn burst<'a>(
    world: &World<'_>,
    mut lost: Vec<Loss<'a>>,
    alive: &[Life<'a>],
    came: &BTreeMap<&DomainName, Timestamp>,
) -> Option<Burst<'a>> {
    // What went while nobody looked for hours did not go at once.
    lost.retain(|loss| world.at().duration_since(loss.until) < BURST_LIFE);
    let cycles = SignedDuration::try_from(world.policy.interval.saturating_mul(2)).ok()?;
    let scopes = lost.iter().flat_map(|loss| [(Some(loss.zone.clone()), loss.gone_at), (None, loss.gone_at)]);
    let starts: BTreeSet<(Scope, Timestamp)> = scopes.collect();
    let there = |scope: &Scope, until: Timestamp| {
        let there = alive.iter().filter(|life| life.since <= until && until <= life.last);
        let there = there.filter(|life| is_in(scope, life.zone.as_ref()));
        there.map(|life| life.name).collect::<BTreeSet<_>>()
    };
    let mut scopes: BTreeSet<Scope> = BTreeSet::new();
    let mut names: BTreeSet<&'a DomainName> = BTreeSet::new();
    let mut until = Timestamp::MAX;
    for (scope, start) in starts {
        let together: Vec<&Loss<'a>> = lost
            .iter()
            .filter(|loss| is_in(&scope, loss.zone.as_ref()) && start <= loss.gone_at)
            // Or in the very next round, however long after it was.
            .filter(|loss| loss.gone_at.duration_since(start) <= cycles || loss.until <= start)
            .collect();
        let vanished: BTreeSet<&DomainName> = together.iter().map(|loss| loss.name).collect();
        let first = together.iter().filter(|loss| loss.gone_at == start).map(|loss| loss.until).min();
        let Some(first) = first else { continue };
        let before = vanished.union(&there(&scope, first)).count();
        // Hosts that are renamed may have both names for a moment.
        let since = first.min(start.saturating_sub(cycles).unwrap_or(start));
        let is_new = |(name, came): &(&&DomainName, &Timestamp)| {
            since < **came && came.duration_since(start) <= cycles && !vanished.contains(**name)
        };
        let drop = vanished.len().saturating_sub(came.iter().filter(is_new).count());
        if LEAST_NAMES <= drop && before * LEAST_TENTHS <= drop * 10 {
            scopes.insert(scope);
            names.extend(vanished);
            until = until.min(first);
        }
    }
    let before = scopes.iter().flat_map(|scope| there(scope, until)).chain(names.iter().copied());
    let alive = before.collect::<BTreeSet<_>>().len();
    let zones = scopes.into_iter().flatten().flatten().collect();
    (!names.is_empty()).then_some(Burst { names, alive, until, zones })
}

fn is_in(scope: &Scope, zone: Option<&ZoneId>) -> bool {
    scope.as_ref().is_none_or(|scope| scope.as_ref() == zone)
}

/// The longest zone of the instance that the name lies in.
fn zone_of(world: &World<'_>, wants: &InstanceWants, name: &DomainName) -> Option<ZoneId> {
    let zones = wants.zones.iter().filter_map(|id| world.zone(id)).map(|reading| &reading.zone);
    let zones = zones.filter(|zone| name.is_within(&zone.name));
    zones.max_by_key(|zone| (zone.name.as_str().len(), !zone.private)).map(|zone| zone.id.clone())
}

/// The feed shows that so many of the names were deleted: one look is enough then. Source: findings.md
/// section 8, rule 1.
fn is_told(world: &World<'_>, burst: &Burst<'_>) -> bool {
    let events = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
    let batches = events.filter(|event| burst.until <= event.at).filter_map(|event| {
        let ChangeEventKind::Applied(batch) = &event.kind else { return None };
        Some(batch)
    });
    let deleted = batches.flat_map(|batch| &batch.changes).filter(|change| change.action == Action::Delete);
    let names = deleted.map(|change| &change.name).filter(|name| burst.names.contains(name));
    LEAST_NAMES <= names.collect::<BTreeSet<_>>().len()
}

/// Down when the host of a lost name is denied now, in the wrong place when its answers lead elsewhere, else the next
/// loop decides.
fn weigh(world: &World<'_>, wants: &InstanceWants, burst: &Burst<'_>, candidate: &mut Candidate) {
    candidate.is_assumed = true;
    for name in &burst.names {
        let told = told_to_users(world, wants, name, None);
        if told.is_empty() {
            continue;
        }
        candidate.is_assumed = false;
        if told.iter().all(|seen| seen.outcome != Outcome::Answer) {
            candidate.worsen(Impact::Down);
        } else if leads_elsewhere(world, wants, name, &told) {
            candidate.worsen(Impact::WrongPlace);
        }
    }
}

fn lines(what: &str, burst: &Burst<'_>) -> Vec<String> {
    burst.names.iter().take(10).map(|name| format!("{what}: {name}")).collect()
}

/// True if the instance tells what it does and took none of the names away: what is wanted still it will write
/// again.
fn is_innocent(world: &World<'_>, wants: &InstanceWants, burst: &Burst<'_>) -> bool {
    let Some(feed) = world.snapshot.changes.value() else { return false };
    let mut own = feed.events.iter().filter(|event| burst.until <= event.at && wrote(wants, &event.source));
    let took = |event: &ChangeEvent| {
        let ChangeEventKind::Applied(batch) = &event.kind else { return false };
        let mut deleted = batch.changes.iter().filter(|change| change.action == Action::Delete);
        deleted.any(|change| burst.names.contains(&change.name))
    };
    feed.streams.iter().any(|stream| wrote(wants, &stream.source)) && !own.any(took)
}

fn dress(world: &World<'_>, wants: &InstanceWants, mut candidate: Candidate, burst: &Burst<'_>) -> Candidate {
    let instance = &*wants.instance;
    candidate.onset = Some(burst.until);
    candidate.covers = burst.names.iter().map(|name| (*name).clone()).collect();
    let why = if candidate.reason == Reason::LbStatusLost {
        "their objects have lost the load balancer address"
    } else if candidate.reason == Reason::WantsVanished {
        "no object asks for them any more"
    } else {
        "their records are gone from the zone"
    };
    candidate.summary = format!(
        "{} of {} names of ExternalDNS {id} vanished at once: {}.",
        burst.names.len(),
        burst.alive,
        why,
        id = instance.id
    );
    candidate.evidence.extend(burst.zones.iter().take(5).map(|zone| format!("in hosted zone {zone}")));
    let is_danger = deletes(instance)
        && (candidate.reason != Reason::RecordsVanished || !is_innocent(world, wants, burst));
    let stop = instance.workload.as_ref().filter(|_| is_danger).map(kubectl::stop);
    candidate.fix = Fix {
        summary: remedy(candidate.reason, is_danger, instance).to_owned(),
        commands: stop.into_iter().collect(),
        ..Fix::default()
    };
    if is_danger || candidate.reason != Reason::RecordsVanished {
        // What it would write again by itself is not brought back by hand.
        Restoration::of(world, wants, &burst.names, burst.until).add_to(&mut candidate.fix);
    }
    candidate
}

/// An instance that deletes nothing is no danger, and writes again what somebody else deletes. One that does not run
/// does neither.
fn remedy(reason: Reason, is_danger: bool, instance: &Instance) -> &'static str {
    match (is_danger, reason) {
        (true, _) => "Stop ExternalDNS (scale it to 0) before it deletes more, then find out why.",
        (false, Reason::RecordsVanished) if stands_still(instance) => {
            "ExternalDNS does not run: find who deletes (CloudTrail), then start it again, which writes the records."
        }
        (false, _) if stands_still(instance) => {
            "ExternalDNS does not run and deletes nothing now: find out why the objects changed before you start it again."
        }
        (false, Reason::RecordsVanished) if deletes(instance) => {
            "ExternalDNS did not delete them: find who did (CloudTrail), and leave it running, it writes the records again."
        }
        (false, Reason::RecordsVanished) => {
            "Its policy deletes nothing: find who does (CloudTrail), and leave ExternalDNS running, which writes the records again."
        }
        (false, _) => "Its policy keeps the records: find out why the objects changed.",
    }
}

fn stands_still(instance: &Instance) -> bool {
    instance.origin == Origin::Departed || is_idle(instance)
}

/// True if the instance deletes records: it runs, and its policy lets it.
fn deletes(instance: &Instance) -> bool {
    instance.flags.policy == Policy::Sync && !stands_still(instance)
}
