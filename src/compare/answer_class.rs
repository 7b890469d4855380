//! What one answer of a resolver is, against a record that is right. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::compare::delegation::LOOKS;
use crate::compare::live::{Expected, Match, addresses, chain, judge, resolved, values};
use crate::compare::mismatch::is_of_other_places;
use crate::compare::resolvers::ALIAS_TTL;
use crate::compare::wildcard::above;
use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::model::observation::{Observation, Outcome, Vantage, leads_nowhere};
use crate::model::record::{Content, RecordSet, RecordType, Value};
use crate::model::want::Want;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ZoneId};
use crate::past::names::Held;

/// A wanted record with its zone and what it should lead to.
pub struct Name<'a> {
    /// The wish.
    pub want: &'a Want,
    /// Its zone.
    pub zone: &'a ZoneReading,
    /// The record sets of the name and type.
    pub members: &'a [&'a RecordSet],
    /// What any of them may answer.
    pub expected: &'a Expected,
    /// True if a part of that is a right answer.
    pub routed: bool,
    /// When the instance that wants it was last changed, if that is known.
    pub flags_since: Option<Timestamp>,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// As it should be.
    Right,
    /// What the zone held before.
    Stale {
        /// When it ended.
        ended: Timestamp,
        /// The time to live that it had; `None` for an alias.
        ttl: Option<u32>,
    },
    /// A denial by the zone's own authority.
    Denied,
    /// An address that leads nowhere, or one that the resolver says is forged.
    Sinkhole,
    /// A denial that comes from the resolver itself.
    Filtered,
    /// What another zone of ours holds, or a private address for a public name.
    OtherView,
    /// Something that was never published.
    Rewritten,
    /// A failure.
    Fails,
    /// No error and nothing else, not even who says so: some leave that out of a denial that they keep.
    Empty,
    /// No answer.
    Silent,
    /// Nothing that can be judged.
    Nothing,
}

/// The extended error of a forged answer. Source: RFC 8914, section 4.5.
const FORGED: u16 = 4;

/// No resolver keeps an answer for longer. Source: findings.md section 7, the cap of the positive TTL.
const LONGEST_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Classifies one answer.
#[must_use]
pub fn classify(world: &World<'_>, name: &Name<'_>, seen: &Observation) -> Class {
    let forged = seen.ede.as_ref().is_some_and(|error| error.code == FORGED);
    let blocked = seen.is_blocked();
    let is_nowhere = || {
        let found = addresses(seen);
        !found.is_empty() && found.iter().all(leads_nowhere)
    };
    match seen.outcome {
        Outcome::Answer => match judge(seen, name.expected) {
            Match::Elsewhere | Match::Unknown if blocked || forged || is_nowhere() => Class::Sinkhole,
            // The wanted CNAME, and behind it what the resolver puts in the place of its target.
            Match::Right if !chain(seen).is_empty() && (blocked || forged || is_nowhere() && lives(name)) => {
                Class::Sinkhole
            }
            Match::Unknown if is_flattened(name, seen) => elsewhere(world, name, seen),
            Match::Right | Match::Unknown => Class::Right,
            Match::Partial if name.routed => Class::Right,
            Match::Partial => earlier(world, name, seen).unwrap_or_else(|| {
                // A resolver may hand out a part; what it adds was never published.
                let is_part = addresses(seen).is_subset(&name.expected.addresses);
                if is_part { Class::Nothing } else { Class::Rewritten }
            }),
            Match::Elsewhere => elsewhere(world, name, seen),
            Match::Denied => Class::Nothing,
        },
        Outcome::Nxdomain | Outcome::Nodata | Outcome::Refused if blocked => Class::Filtered,
        // Its own servers answer for the target: whoever denies it does so on his own.
        Outcome::Nxdomain if name.expected.is_led_to(&chain(seen)) && is_served_at_home(world, name) => {
            Class::Denied
        }
        // The resolver has our CNAME; that its target is dead is another story.
        Outcome::Nxdomain | Outcome::Nodata if name.expected.is_led_to(&chain(seen)) => Class::Right,
        Outcome::Nodata if is_of_other_places(name.members, seen) => Class::Nothing,
        // A kept CNAME whose target is gone, or lacks the family, is an old answer and no denial of the name.
        Outcome::Nxdomain | Outcome::Nodata => {
            let kept = (!chain(seen).is_empty()).then(|| earlier(world, name, seen)).flatten();
            kept.unwrap_or_else(|| denial(name, seen))
        }
        // One that answers its control name refuses or garbles this name alone.
        Outcome::Servfail | Outcome::Refused | Outcome::Malformed => Class::Fails,
        Outcome::Timeout | Outcome::Unreachable => Class::Silent,
    }
}

/// True if the servers of the wanted targets were asked for them and none denies them.
fn is_served_at_home(world: &World<'_>, name: &Name<'_>) -> bool {
    let looks = name.expected.hosts.iter().flat_map(|host| world.told(host));
    let own: Vec<_> = looks.filter(|seen| seen.vantage == Vantage::Authoritative).collect();
    LOOKS <= own.len() && own.iter().all(|seen| seen.outcome == Outcome::Answer)
}

/// True if the wanted targets have an address that leads somewhere.
fn lives(name: &Name<'_>) -> bool {
    name.expected.addresses.iter().any(|ip| !leads_nowhere(ip))
}

/// A denial is signed with the SOA of a zone above the name; a block list has none, or its own.
fn denial(name: &Name<'_>, seen: &Observation) -> Class {
    let soa = seen.authority.iter().find(|record| &*record.record_type == "SOA");
    match soa {
        Some(soa) if name.want.name.is_within(&soa.name) => Class::Denied,
        Some(_) => Class::Filtered,
        None if seen.outcome == Outcome::Nxdomain => Class::Filtered,
        // NOERROR without anything is a resolver that hands out a bare referral, and answers nobody.
        None => Class::Empty,
    }
}

fn elsewhere(world: &World<'_>, name: &Name<'_>, seen: &Observation) -> Class {
    let found = addresses(seen);
    if let Some(stale) = earlier(world, name, seen) {
        return stale;
    }
    let hidden = !found.is_empty() && found.iter().all(|ip| is_private(*ip));
    let public = name.expected.addresses.iter().any(|ip| !is_private(*ip));
    if in_other_zone(world, name, seen) || hidden && public {
        return Class::OtherView;
    }
    if name.expected.rotating && !is_flattened(name, seen) && !is_of_nobody(world, name, seen) {
        // The addresses of a load balancer change faster than anybody can look.
        return Class::Nothing;
    }
    Class::Rewritten
}

/// Something else in the place of a CNAME, or a CNAME in the place of an alias: whoever resolves by the book shows the
/// CNAME that led there, and for an alias there is none.
fn is_flattened(name: &Name<'_>, seen: &Observation) -> bool {
    let is_alias = name.want.content.alias().is_some();
    let is_plain = name.want.record_type == RecordType::Cname && !is_alias;
    is_plain && !(chain(seen).is_empty() && addresses(seen).is_empty()) || is_alias && !chain(seen).is_empty()
}

/// Targets that answer with other addresses at each place.
const WORLDWIDE: [&str; 1] = ["cloudfront.net"];

fn is_worldwide(host: &DomainName) -> bool {
    WORLDWIDE.iter().any(|zone| host.is_within(&DomainName::new(zone)))
}

/// True if nobody gives these addresses to the wanted targets, nor do the servers of the zone to the name.
fn is_of_nobody(world: &World<'_>, name: &Name<'_>, seen: &Observation) -> bool {
    let found = addresses(seen);
    let mut served = world.past.answered.by_zone(&name.zone.zone.id, &name.want.name);
    let mut hosts = name.expected.hosts.iter().filter(|host| !host.as_str().starts_with("dualstack."));
    // A record of a zone of ours may have any of its members, and what stood there before the first look.
    let is_ours = name.expected.hosts.iter().any(|host| world.zones_over(host).next().is_some());
    !found.is_empty()
        && !is_ours
        && !served.any(|(ip, _)| found.contains(&ip))
        && hosts.all(|host| is_foreign_to(world, host, seen, &found))
}

/// True if a host name is known never to have had these addresses: the same resolver was asked for it, and
/// all that was answered anywhere within the last hour is of the few addresses that it has.
fn is_foreign_to(world: &World<'_>, host: &DomainName, seen: &Observation, found: &BTreeSet<IpAddr>) -> bool {
    let is_six = found.iter().any(IpAddr::is_ipv6);
    let looks = world.told(host);
    let tells = |look: &&Observation| addresses(look).iter().any(|ip| ip.is_ipv6() == is_six);
    let mut looks = looks.filter(tells);
    let is_asked_here = looks.any(|look| look.server == seen.server && look.view == seen.view);
    is_asked_here && pool(world, host, is_six).is_some_and(|pool| pool.is_disjoint(found))
}

/// All addresses of one family that a host name has had within the last hour; `None` where nobody has seen the
/// whole: each answer shows another part of a large pool, and what is served worldwide differs by place.
pub(super) fn pool(world: &World<'_>, host: &DomainName, is_six: bool) -> Option<BTreeSet<IpAddr>> {
    let of_family = |ip: &IpAddr| ip.is_ipv6() == is_six;
    let looks = world.told(host);
    let told = looks.map(|look| addresses(look).into_iter().filter(of_family).collect());
    let told: Vec<BTreeSet<IpAddr>> = told.filter(|told: &BTreeSet<_>| !told.is_empty()).collect();
    let largest = told.iter().map(BTreeSet::len).max()?;
    let lately = world.past.answered.lately(host).filter(of_family);
    let pool: BTreeSet<IpAddr> = told.into_iter().flatten().chain(lately).collect();
    (!is_worldwide(host) && pool.len() < largest * 2).then_some(pool)
}

/// Something that the zone held earlier at this name, under this key, as another member or as another type,
/// or that a wildcard answered before the name had a record of its own.
fn earlier(world: &World<'_>, name: &Name<'_>, seen: &Observation) -> Option<Class> {
    let own = &name.want.record_type;
    let stale = |content: &Content, ended: Timestamp| {
        let ttl = content.ttl().or_else(|| ttl_of_target(world, name.zone, content));
        Class::Stale { ended, ttl }
    };
    let led = |former: &Former<'_>| {
        leads_to(former.content, own, seen) || led_to(world, name, former.content, former.ended, seen)
    };
    let led: Vec<Former<'_>> = former(world, name).into_iter().filter(led).collect();
    // Of another member that is wanted, that one tells.
    let is_told = |one: &Former<'_>| !is_of(name.want, one.held) && is_wanted(world, name, one.held);
    if led.first().is_some_and(is_told) {
        return Some(Class::Nothing);
    }
    // The same values may have stood there several times, also as another member, each time to be kept for a time of
    // its own.
    let before = led.iter().max_by_key(|one| kept_until(world, name.zone, one.content, one.ended));
    let before = before.map(|one| (one.content, one.ended));
    let covered = || {
        let all = of_wildcard(world, name)?.into_iter();
        let fits = all.filter(|(content, ended)| {
            leads_to(content, own, seen) || led_to(world, name, content, *ended, seen)
        });
        fits.max_by_key(|(content, ended)| kept_until(world, name.zone, content, *ended))
    };
    before.or_else(covered).map(|(content, ended)| stale(content, ended)).or_else(|| given(world, name, seen))
}

/// What the wildcard above said before the name got a record of its own, each until when: what it says now, and what it
/// said before that, under the TTL of its time.
fn of_wildcard<'a>(world: &World<'a>, name: &Name<'a>) -> Option<Vec<(&'a Content, Timestamp)>> {
    let came = came_at(world, name)?;
    let sets = above(&name.want.name, name.zone);
    let standing = sets.iter().map(|set| (&set.content, came));
    let Some(wildcard) = sets.first().map(|set| &set.name) else { return Some(Vec::new()) };
    let held = world.past.names.records_at(wildcard).iter().chain(world.past.others.at(wildcard));
    let held = held.filter(|held| held.place == name.zone.zone.id);
    let former = held.flat_map(|held| {
        let ends = held.sightings.iter().skip(1).map(|next| next.since);
        let pairs = held.sightings.iter().zip(ends);
        pairs.filter_map(|(seen, ended)| Some((seen.value.as_ref()?, ended.min(came))))
    });
    Some(standing.chain(former).collect())
}

/// Addresses that the zone never held and that its own servers gave all the same: whoever asked them then holds
/// what he was given.
fn given(world: &World<'_>, name: &Name<'_>, seen: &Observation) -> Option<Class> {
    let mut cnames = seen.answers.iter().filter(|one| &*one.record_type == "CNAME" && one.name == seen.name);
    if let Some(first) = cnames.next() {
        let led = world.past.answered.led(&name.zone.zone.id, &name.want.name)?;
        let one = led.get(&DomainName::new(&first.data))?;
        return Some(Class::Stale { ended: one.last, ttl: Some(one.ttl) });
    }
    let given = world.past.answered.given(&name.zone.zone.id, &name.want.name)?;
    let found: Option<Vec<_>> = addresses(seen).iter().map(|address| given.get(address)).collect();
    let found = found?;
    let ended = found.iter().map(|one| one.last).max()?;
    Some(Class::Stale { ended, ttl: found.iter().map(|one| one.ttl).max() })
}

/// Until when a resolver may keep a content that ended then, but for the time that a change takes to spread.
fn kept_until(world: &World<'_>, zone: &ZoneReading, content: &Content, ended: Timestamp) -> Timestamp {
    let ttl = content.ttl().or_else(|| ttl_of_target(world, zone, content)).unwrap_or(ALIAS_TTL);
    ended.saturating_add(SignedDuration::from_secs(ttl.into())).unwrap_or(Timestamp::MAX)
}

/// A content that stood at a name and stands no more.
struct Former<'a> {
    content: &'a Content,
    ended: Timestamp,
    held: &'a Held,
}

fn is_of(want: &Want, held: &Held) -> bool {
    held.record_type == want.record_type && held.set_identifier == want.set_identifier
}

/// A member of a routing set that somebody here wants.
fn is_wanted(world: &World<'_>, name: &Name<'_>, held: &Held) -> bool {
    let here = |want: &&Want| want.zone_id() == Some(&name.zone.zone.id);
    held.set_identifier.is_some() && world.wanted(&name.want.name).filter(here).any(|want| is_of(want, held))
}

/// What stood at the name and stands no more: under the own key first, the newest first.
fn former<'a>(world: &World<'a>, name: &Name<'_>) -> Vec<Former<'a>> {
    let (id, own) = (&name.zone.zone.id, name.want);
    let alike = |held: &Held| {
        held.record_type == own.record_type || held.record_type.is_address() && own.record_type.is_address()
    };
    // Before the zone came another one of its sort, above it, served the name.
    let (private, apex) = (name.zone.zone.private, &name.zone.zone.name);
    let served = |place: &ZoneId| {
        let other = world.zone(place).map(|one| &one.zone);
        *place == *id || other.is_some_and(|one| one.private == private && one.name != *apex)
    };
    let fits = |held: &&'a Held| served(&held.place) && alike(held);
    let rows = || world.past.names.records_at(&own.name).iter().filter(fits);
    let ended = |held: &'a Held| {
        let ends = held.sightings.iter().skip(1).map(|next| next.since);
        let pairs = held.sightings.iter().zip(ends).rev();
        pairs.filter_map(move |(seen, ended)| Some(Former { content: seen.value.as_ref()?, ended, held }))
    };
    let is_own = |held: &&'a Held| is_of(own, held);
    let known = rows().filter(is_own).chain(rows().filter(|held| !is_own(held))).flat_map(ended);
    let others = || world.past.others.at(&own.name).iter();
    // What stood there before anybody here wanted the name ended when something else was first seen, at the
    // latest.
    let seen = rows().chain(others().filter(fits)).flat_map(|held| &held.sightings);
    let starts: Vec<Timestamp> = seen.map(|one| one.since).collect();
    let stands = |held: &Held, content: &Content| {
        let here = name.zone.at(&own.name).iter();
        here.filter(|set| set.record_type == held.record_type && set.set_identifier == held.set_identifier)
            .any(|set| set.content == *content)
    };
    let mut all: Vec<Former<'a>> = known.collect();
    // What still stands above ended for users when the own record came.
    let came = came_at(world, name);
    for held in rows().filter(|held| held.place != *id) {
        let stands = held.sightings.last().and_then(|last| last.value.as_ref());
        if let (Some(content), Some(ended)) = (stands, came) {
            all.push(Former { content, ended, held });
        }
    }
    // Of a zone that is gone nobody tells the end.
    let is_gone = |held: &&Held| {
        alike(held) && world.zones().is_some_and(|zones| !zones.zones.contains_key(&held.place))
    };
    for held in world.past.names.records_at(&own.name).iter().chain(others()).filter(is_gone) {
        if let Some(last) = held.sightings.last()
            && let Some(content) = &last.value
        {
            all.push(Former { content, ended: last.until, held });
        }
    }
    for held in others().filter(fits) {
        for seen in held.sightings.iter().rev() {
            let Some(content) = seen.value.as_ref().filter(|content| !stands(held, content)) else {
                continue;
            };
            let ended = starts.iter().copied().filter(|start| seen.until < *start).min();
            all.push(Former { content, ended: ended.unwrap_or(seen.until), held });
        }
    }
    all
}

/// When the name got a record of its own, if that was seen: before, a wildcard answered for it.
fn came_at(world: &World<'_>, name: &Name<'_>) -> Option<Timestamp> {
    let (id, own) = (&name.zone.zone.id, &name.want.name);
    let here = world.past.names.records_at(own).iter().filter(|held| held.place == *id);
    let runs = here.filter_map(|held| {
        held.sightings.iter().rev().take_while(|one| one.value.is_some()).last().map(|one| one.since)
    });
    let stood = world.past.others.at(own).iter().any(|held| held.place == *id);
    runs.min().filter(|came| !stood && world.past.first_at < Some(*came))
}

/// True if the answer is what the content says.
fn leads_to(content: &Content, record_type: &RecordType, seen: &Observation) -> bool {
    let plain = content.plain_values();
    if !record_type.is_address() {
        let found = values(seen, record_type);
        return !found.is_empty() && found.iter().all(|value| plain.contains(value));
    }
    let found = addresses(seen);
    let ips: BTreeSet<IpAddr> = plain.iter().filter_map(Value::ip).collect();
    let mut hosts: BTreeSet<DomainName> = plain.iter().filter_map(|value| value.host().cloned()).collect();
    hosts.extend(content.alias().map(crate::model::record::AliasTarget::bare_name));
    !found.is_empty() && found.is_subset(&ips) || !chain(seen).is_disjoint(&hosts)
}

/// True if the answer may be what an alias led to that stood there earlier: its answers name no target.
/// Addresses that are known must agree; others pass for what was resolved then, for as long as any resolver
/// may keep them, unless the present target has changing addresses of its own.
fn led_to(
    world: &World<'_>,
    name: &Name<'_>,
    content: &Content,
    ended: Timestamp,
    seen: &Observation,
) -> bool {
    let Some(target) = content.alias() else { return false };
    let found = addresses(seen);
    // An alias may end and its target stay, whose addresses change as before.
    let is_former = !name.expected.hosts.contains(&target.bare_name());
    // Other members answer, too, and all that is served worldwide has the same addresses.
    let mut hosts = name.expected.hosts.iter();
    let is_former =
        is_former && !name.routed && !is_worldwide(&target.bare_name()) && !hosts.any(is_worldwide);
    if is_former && was_served(world, name, ended, &found) {
        return true;
    }
    let known = resolved(world, &target.bare_name());
    if found.is_empty() || !known.is_empty() {
        return !found.is_disjoint(&known);
    }
    let lately = seen.at.duration_since(ended) < LONGEST_KEPT;
    !name.expected.rotating && lately && found.iter().all(|ip| !is_private(*ip))
}

/// True if the zone's own servers gave such an address for the name until its content ended, and none
/// since: a former load balancer may be gone, and nobody asks for it any more.
fn was_served(world: &World<'_>, name: &Name<'_>, ended: Timestamp, found: &BTreeSet<IpAddr>) -> bool {
    let spread = ended.saturating_add(signed(world.policy.propagation)).unwrap_or(ended);
    let mut served = world.past.answered.by_zone(&name.zone.zone.id, &name.want.name);
    served.any(|(ip, last)| found.contains(&ip) && last <= spread)
}

/// An alias of a record in its own zone is kept as long as that record, or as long as that was to be kept when the
/// alias was asked for.
pub(super) fn ttl_of_target(world: &World<'_>, zone: &ZoneReading, content: &Content) -> Option<u32> {
    let target = content.alias()?.bare_name();
    let here = zone.at(&target).iter().filter(|set| set.record_type.is_address());
    let held = world.past.names.records_at(&target).iter().chain(world.past.others.at(&target));
    let held = held.filter(|held| held.place == zone.zone.id && held.record_type.is_address());
    let before = held.flat_map(|held| &held.sightings).filter_map(|seen| seen.value.as_ref()?.ttl());
    here.filter_map(|set| set.content.ttl()).chain(before).max()
}

fn in_other_zone(world: &World<'_>, name: &Name<'_>, seen: &Observation) -> bool {
    told_by_other_zones(world, name, seen).next().is_some()
}

/// How long what another zone of ours gives may be kept; `None` if the answer is of none.
pub(super) fn ttl_in_other_zone(world: &World<'_>, name: &Name<'_>, seen: &Observation) -> Option<u32> {
    let ttl = |(zone, content): (&ZoneReading, &Content)| {
        content.ttl().or_else(|| ttl_of_target(world, zone, content)).unwrap_or(ALIAS_TTL)
    };
    told_by_other_zones(world, name, seen).map(ttl).max()
}

/// What other zones of ours hold for the name that the answer is.
fn told_by_other_zones<'a, 's>(
    world: &'s World<'a>,
    name: &'s Name<'_>,
    seen: &'s Observation,
) -> impl Iterator<Item = (&'a ZoneReading, &'a Content)> + 's {
    let own = &name.want.record_type;
    let tells = move |kind: &RecordType| kind == own || kind.is_address() && own.is_address();
    let zones = world.zones_over(&name.want.name).filter(|zone| zone.zone.id != name.zone.zone.id);
    let sets = zones.flat_map(|zone| zone.at(&name.want.name).iter().map(move |set| (zone, set)));
    let sets = sets.filter(move |(_, set)| tells(&set.record_type));
    sets.map(|(zone, set)| (zone, &set.content)).filter(move |(_, content)| leads_to(content, own, seen))
}

/// An address of private networks. Source: RFC 1918, RFC 6598, RFC 4193, RFC 3927, RFC 4291.
#[must_use]
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(four) => {
            four.is_private() || four.is_link_local() || matches!(four.octets(), [100, 64..=127, _, _])
        }
        IpAddr::V6(six) => six.is_unique_local() || six.is_unicast_link_local(),
    }
}
