//! Names that vanish together: `mass_deletion`. Pure.
//!
//! A burst is told by what is still gone: a wish or a record that came back is no loss. A view that
//! could not be read whole shows no absence, so it never makes a burst. A host with both address families may lose
//! one of them only.

mod count;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;

use crate::compare::bursts::count::{
    Burst, Came, LEAST_NAMES, Life, Loss, burst, came, common_family, family_of, serves, two_cycles,
};
use crate::compare::fix::restore::Restoration;
use crate::compare::fix::{is_told_by_object, kubectl};
use crate::compare::instances::stalled::is_idle;
use crate::compare::instances::{start, wrote};
use crate::compare::live::told_to_users;
use crate::compare::objects::misled_to;
use crate::compare::published::Deletions;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{Impact, Kind, Reason};
use crate::model::change::{Action, ChangeEvent, ChangeEventKind};
use crate::model::heritage::TxtRole;
use crate::model::instance::{Instance, Origin, Policy};
use crate::model::object::LoadBalancerAddress;
use crate::model::observation::Outcome;
use crate::model::record::RecordSet;
use crate::model::want::{InstanceWants, Want};
use crate::model::{DomainName, RecordType, ZoneId};
use crate::past::names::{Held, Wish};
use crate::report::Fix;
use crate::snapshot::ViewName;

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
        let (is_whole, family) = (wants.at(name).is_empty(), family_of(&wish.record_type));
        let gone_at = world.past.lost_after(until);
        let loss = Loss { name, family, is_whole, until, gone_at, zone: None };
        (is_whole || is_half_lost(world, wants, wish, &loss)).then_some(loss)
    });
    let mut lost: Vec<Loss<'_>> =
        gone.map(|loss| Loss { zone: zone_of(world, wants, loss.name), ..loss }).collect();
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
            let zone = zone_of(world, wants, name);
            Some(Life { name, record_type: &wish.record_type, since, last, zone })
        })
        .collect();
    let came = came(&alive);
    // What another owner keeps is neither ours to lose nor ours to have, and what another instance asks for in the
    // same zone has only changed hands.
    let foreign = names_of_others(world, wants);
    // Flags that leave the zone to another instance leave the name without a zone here.
    let is_taken_over = |loss: &Loss<'_>| {
        let zone = loss.zone.as_ref();
        let is_in_place = |want: &Want| {
            loss.is_whole || loss.family.as_ref().is_none_or(|family| serves(&want.record_type, family))
        };
        world
            .wanted(loss.name)
            .filter(|want| is_in_place(want))
            .any(|want| want.zone_id().is_some() && (zone.is_none() || want.zone_id() == zone))
    };
    lost.retain(|loss| {
        !foreign.contains(loss.name) && !world.is_undecided(loss.name) && !is_taken_over(loss)
    });
    alive.retain(|life| !foreign.contains(life.name));
    let burst = burst(world, lost, &alive, &came)?;
    let without: BTreeSet<&DomainName> = wants.without_target.iter().flat_map(|one| &one.names).collect();
    let by_address = burst.names.iter().filter(|(name, half)| match half {
        None => without.contains(*name),
        Some(half) => lacks_address(world, wants, name, half),
    });
    let reason = if by_address.count() * 2 >= burst.names.len() {
        Reason::LbStatusLost
    } else {
        Reason::WantsVanished
    };
    let mut candidate = start(world, wants, Kind::MassDeletion, reason, Impact::Latent);
    weigh(world, wants, &burst, &mut candidate);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    candidate.evidence = lines("no longer wanted", &burst);
    candidate.certain = is_told(world, &burst);
    Some(dress(world, wants, candidate, &burst))
}

/// True if nothing that is wanted at the name leads users of the address family anywhere, while what leads those of the
/// other was there before: a host that moves from one to the other has lost nothing, and the AAAA half of an alias
/// falls with its A.
fn is_half_lost(world: &World<'_>, wants: &InstanceWants, wish: &Wish, loss: &Loss<'_>) -> bool {
    let (Some(family), Some(cycles)) = (&loss.family, two_cycles(world)) else { return false };
    let is_alias = wish.sightings.last().is_some_and(|last| last.value.alias().is_some());
    // What the instance does not manage any more it leaves as it is.
    if is_alias && *family == RecordType::Aaaa || !wants.instance.flags.managed_types.contains(family) {
        return false;
    }
    let here = wants.at(loss.name);
    let shortly_before = loss.until.min(loss.gone_at.saturating_sub(cycles).unwrap_or(loss.gone_at));
    let was_there = |want: &Want| {
        let since = world.past.names.wish(&wants.instance.id, want).first().map(|first| first.since);
        since.is_some_and(|since| Some(since) == world.past.first_at || since <= shortly_before)
    };
    !here.iter().any(|want| serves(&want.record_type, family))
        && here.iter().any(|want| want.record_type.is_address() && was_there(want))
}

/// True if the objects behind what is left of a host have a load balancer without an address of this family.
fn lacks_address(world: &World<'_>, wants: &InstanceWants, name: &DomainName, family: &RecordType) -> bool {
    let mut objects = wants.at(name).iter().flat_map(|want| &want.objects);
    objects.any(|object| {
        let past = world.past.objects.get(object).filter(|past| past.first_address_at.is_some());
        let is_of_family = |ip: IpAddr| ip.is_ipv4() == (*family == RecordType::A);
        let has_family = |one: &LoadBalancerAddress| {
            let ip = one.ip.as_ref().and_then(|ip| ip.parse().ok());
            one.hostname.is_some() || ip.is_some_and(is_of_family)
        };
        let lacks = past.is_some_and(|past| !past.last.addresses().iter().any(has_family));
        lacks && !is_told_by_object(wants, object)
    })
}

/// Hosts of objects without an address that the instance took away without a wish having been seen: what was
/// lost before the first look may have gone after it.
fn lost_before<'a>(world: &World<'_>, wants: &'a InstanceWants, deletions: &'a Deletions) -> Vec<Loss<'a>> {
    let hosts = wants.without_target.iter().flat_map(|object| deletions.hosts(object));
    let gone = hosts.filter(|(name, _)| wants.at(name).is_empty());
    let loss = |(name, at)| {
        let zone = zone_of(world, wants, name);
        Loss { name, family: None, is_whole: true, until: at, gone_at: at, zone }
    };
    gone.map(loss).collect()
}

/// Names in the zones of the instance whose ownership records all name somebody else. Members of a routing set have
/// one each.
fn names_of_others(world: &World<'_>, wants: &InstanceWants) -> BTreeSet<DomainName> {
    let flags = &wants.instance.flags;
    let mut owners: BTreeMap<DomainName, bool> = BTreeMap::new();
    for zone in wants.zones.iter().filter_map(|id| world.zone(id)) {
        for set in zone.records().iter().filter(|set| set.record_type == RecordType::Txt) {
            let TxtRole::Heritage(heritage) = TxtRole::of(set) else { continue };
            let owned = flags.affixes.owner_name(&set.name).map(|(name, _)| name);
            if let Some(name) = owned.filter(|name| !is_of_other_member(world, wants, name, set)) {
                *owners.entry(name).or_default() |= heritage.owner.is_some_and(|owner| flags.owns(owner));
            }
        }
    }
    owners.into_iter().filter(|(_, ours)| !ours).map(|(name, _)| name).collect()
}

/// True if an ownership record belongs to a member of a routing set beside the one that the instance wanted.
fn is_of_other_member(world: &World<'_>, wants: &InstanceWants, name: &DomainName, text: &RecordSet) -> bool {
    let wished = world.wished(name).iter().filter(|wish| wish.place == wants.instance.id);
    let mut members = wished.map(|wish| wish.set_identifier.as_deref()).peekable();
    let text = text.set_identifier.as_deref();
    text.is_some() && members.peek().is_some() && members.all(|member| member.is_some() && member != text)
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
    // Nearly always nothing is gone.
    let gone = world.past.names.records().filter_map(|(name, held)| {
        let gone = held.sightings.last().filter(|last| last.value.is_none())?;
        world.heard_since(gone.since).then_some((name, held, gone.since))
    });
    let gone = gone.filter(|(name, held, _)| counts(&(name, held)));
    let lost = gone.filter_map(|(name, held, gone_at)| {
        let (family, zone) = (family_of(&held.record_type), Some(held.place.clone()));
        let is_whole = is_gone(world, name, held, RecordType::is_address);
        let loss = Loss { name, family, is_whole, until: span(held)?.1, gone_at, zone };
        (is_whole || is_half_gone(world, wants, held, &loss)).then_some(loss)
    });
    let lost: Vec<Loss<'_>> = lost.collect();
    if lost.len() < LEAST_NAMES {
        return None;
    }
    let own = world.past.names.records().filter(counts);
    let life = |(name, held)| {
        let (since, last) = span(held)?;
        Some(Life { name, record_type: &held.record_type, since, last, zone: Some(held.place.clone()) })
    };
    let alive: Vec<Life<'_>> = own.filter_map(life).collect();
    let burst = burst(world, lost, &alive, &Came::new())?;
    let reason = Reason::RecordsVanished;
    let mut candidate = start(world, wants, Kind::MassDeletion, reason, Impact::Latent);
    weigh(world, wants, &burst, &mut candidate);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    candidate.evidence = lines("no longer recorded", &burst);
    candidate.certain = is_told(world, &burst);
    Some(dress(world, wants, candidate, &burst))
}

/// True if the zone of the record has nothing of such a type at its name.
fn is_gone(
    world: &World<'_>,
    name: &DomainName,
    held: &Held,
    is_meant: impl Fn(&RecordType) -> bool,
) -> bool {
    let zone = world.zone(&held.place);
    zone.is_none_or(|zone| !zone.at(name).iter().any(|set| is_meant(&set.record_type)))
}

/// True if a record of one address family is wanted still, and nothing in the zone takes its place. The AAAA half of an
/// alias falls with its A.
fn is_half_gone(world: &World<'_>, wants: &InstanceWants, held: &Held, loss: &Loss<'_>) -> bool {
    let Some(family) = &loss.family else { return false };
    let is_same = |want: &Want| want.zone_id() == Some(&held.place) && want.record_type == *family;
    wants.at(loss.name).iter().any(|want| is_same(want) && !want.companion)
        && is_gone(world, loss.name, held, |kind| serves(kind, family))
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
    let names = deleted.filter(|change| burst.took(&change.name, &change.record_type));
    LEAST_NAMES <= names.map(|change| &change.name).collect::<BTreeSet<_>>().len()
}

/// Down when the host of a lost name is denied now, in the wrong place when its answers lead elsewhere, else the next
/// loop decides. Of a host that has lost one address family the users of the other may be served still.
fn weigh(world: &World<'_>, wants: &InstanceWants, burst: &Burst<'_>, candidate: &mut Candidate) {
    candidate.is_assumed = true;
    for (name, half) in &burst.names {
        let told = told_to_users(world, wants, name, half.as_ref());
        if told.is_empty() {
            continue;
        }
        candidate.is_assumed = false;
        if told.iter().all(|seen| seen.outcome != Outcome::Answer) {
            let is_degraded = half.as_ref().is_some_and(|half| !is_rest_denied(world, wants, name, half));
            candidate.worsen(if is_degraded { Impact::Degraded } else { Impact::Down });
        } else {
            candidate.worsen(misled_to(world, wants, name, &told));
        }
    }
}

/// True if users of the address family that stays are known to get nothing either.
fn is_rest_denied(world: &World<'_>, wants: &InstanceWants, name: &DomainName, lost: &RecordType) -> bool {
    let rest = if *lost == RecordType::A { RecordType::Aaaa } else { RecordType::A };
    let told = told_to_users(world, wants, name, Some(&rest));
    !told.is_empty() && told.iter().all(|seen| seen.outcome != Outcome::Answer)
}

fn lines(what: &str, burst: &Burst<'_>) -> Vec<String> {
    let line = |(name, half): (&&DomainName, &Option<RecordType>)| match half {
        Some(half) => format!("{what}: {name}/{half}"),
        None => format!("{what}: {name}"),
    };
    burst.names.iter().take(10).map(line).collect()
}

/// True if the instance tells what it does and took none of the names away: what is wanted still it will write
/// again.
fn is_innocent(world: &World<'_>, wants: &InstanceWants, burst: &Burst<'_>) -> bool {
    let Some(feed) = world.snapshot.changes.value() else { return false };
    let mut own = feed.events.iter().filter(|event| burst.until <= event.at && wrote(wants, &event.source));
    let took = |event: &ChangeEvent| {
        let ChangeEventKind::Applied(batch) = &event.kind else { return false };
        let mut deleted = batch.changes.iter().filter(|change| change.action == Action::Delete);
        deleted.any(|change| burst.took(&change.name, &change.record_type))
    };
    feed.streams.iter().any(|stream| wrote(wants, &stream.source)) && !own.any(took)
}

fn dress(world: &World<'_>, wants: &InstanceWants, mut candidate: Candidate, burst: &Burst<'_>) -> Candidate {
    let instance = &*wants.instance;
    candidate.onset = Some(burst.until);
    candidate.covers = burst.names.keys().map(|name| (*name).clone()).collect();
    let halves = burst.names.iter().filter_map(|(name, half)| Some(((*name).clone(), half.clone()?)));
    candidate.halves = halves.collect();
    candidate.summary = sentence(instance, candidate.reason, burst);
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

/// What vanished, of how much, and why: the address family where all have lost the same one only.
fn sentence(instance: &Instance, reason: Reason, burst: &Burst<'_>) -> String {
    let family = common_family(&burst.names);
    let why = if reason == Reason::LbStatusLost && family.is_some() {
        "their objects have lost the load balancer address of that family"
    } else if reason == Reason::LbStatusLost {
        "their objects have lost the load balancer address"
    } else if reason == Reason::WantsVanished {
        "no object asks for them any more"
    } else {
        "their records are gone from the zone"
    };
    let (lost, alive, id) = (burst.names.len(), burst.alive, &instance.id);
    if let Some(family) = family {
        let family = if family == RecordType::A { "IPv4" } else { "IPv6" };
        return format!(
            "{lost} of {alive} names of ExternalDNS {id} with {family} addresses lost these at once, and only these: {why}."
        );
    }
    let what = match burst.names.values().flatten().count() {
        0 => "vanished at once".to_owned(),
        halves if halves == lost => "lost one of their address families at once".to_owned(),
        halves => format!("vanished at once ({halves} of them lost one address family only)"),
    };
    format!("{lost} of {alive} names of ExternalDNS {id} {what}: {why}.")
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
