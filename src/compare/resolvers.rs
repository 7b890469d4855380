//! Resolvers against the authoritative answer: old answers, answers that were never valid, no
//! answer. Pure.
//!
//! A resolver whose control name fails says nothing, and every verdict needs two looks. Source:
//! findings.md, kinds `resolver_stale`, `resolver_mismatch` and `resolver_unreachable`, sections 6 to
//! 8.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::compare::answer_class::{Class, Name, classify, ttl_in_other_zone, ttl_of_target};
use crate::compare::delegation::{LOOKS, delegation_window, followers, moved_before_our_time};
use crate::compare::dnssec::is_refused;
use crate::compare::live::{Match, addresses, answers, asks, questions, serves, union};
use crate::compare::mismatch::{empty_family, health_may_withdraw, health_withdrawn, is_alive};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::wildcard::above;
use crate::compare::wishes::{open, signed};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, SilentReason, Subject, Window};
use crate::model::DomainName;
use crate::model::observation::{Observation, Outcome, Transport, Vantage};
use crate::model::record::{RecordSet, RecordType};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::report::Silent;
use crate::snapshot::ViewName;

/// Longest time that a resolver may keep an answer. Source: findings.md section 7.
const LONGEST_TTL: u32 = 86_400;

/// Time to live of an alias to a load balancer. Source: findings.md section 7.
pub(super) const ALIAS_TTL: u32 = 60;

/// What a negative answer lives when the zone's SOA is not known: the default of Route 53.
const NEGATIVE_TTL: u32 = 900;

/// What one resolver says about one name.
struct Row<'a> {
    view: &'a str,
    server: &'a str,
    class: Class,
    seen: &'a Observation,
    window: Option<Window>,
}

/// Judges what resolvers say about a record that is right in its zone.
pub fn judge_resolvers(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
    out: &mut Verdicts,
) -> Vec<Candidate> {
    if want.record_type == RecordType::Ns {
        // Resolvers tell the name servers that the zone below gives itself.
        return Vec::new();
    }
    let mut members = answering(zone, want, |kind| *kind == want.record_type);
    // What stands in the place of the wish answers in its place; of two address families each does so in part.
    let is_other = members.is_empty() && want.record_type.is_address();
    if is_other {
        members = answering(zone, want, RecordType::is_address);
    }
    let expected = union(world, members.iter().copied());
    if empty_family(world, want, &expected) {
        return Vec::new();
    }
    let routed = is_other || members.iter().any(|set| set.set_identifier.is_some());
    let flags_since = wants.instance.changed_at;
    let name = Name { want, zone, members: &members, expected: &expected, routed, flags_since };
    let authority = authority(world, &name);
    if authority == Authority::Wrong {
        return Vec::new();
    }
    let rows = rows(world, &name, out);
    let asked_alone = zone.zone.private || authority == Authority::Unasked;
    if let Some(withdrawn) = asked_alone.then(|| withdrawn(world, wants, &name, &rows)).flatten() {
        return vec![withdrawn];
    }
    let mut found = Vec::new();
    for kind in [Kind::ResolverStale, Kind::ResolverMismatch, Kind::ResolverUnreachable] {
        // Only a failure can be told without the right answer beside it.
        if authority == Authority::Right || kind == Kind::ResolverUnreachable {
            found.extend(candidate(wants, &name, kind, &rows));
        }
    }
    for window in found.iter().filter_map(|one| one.window.map(|window| (window, one))) {
        out.silent.push(Silent {
            subject: window.1.key.subject.clone(),
            reason: window.0.reason,
            detail: format!("resolvers may keep an earlier answer until {}", window.0.until),
        });
    }
    found
}

/// True if what a resolver says of a record that stands may be from before its last change.
#[must_use]
pub fn is_from_before(
    world: &World<'_>,
    flags_since: Option<Timestamp>,
    want: &Want,
    zone: &ZoneReading,
    seen: &Observation,
) -> bool {
    let members = answering(zone, want, |kind| *kind == want.record_type);
    let expected = union(world, members.iter().copied());
    let routed = members.iter().any(|set| set.set_identifier.is_some());
    let name = Name { want, zone, members: &members, expected: &expected, routed, flags_since };
    !members.is_empty() && window(world, &name, classify(world, &name, seen), seen).is_some()
}

/// The record sets at the name of a wish that are of a type.
fn answering<'a>(zone: &'a ZoneReading, want: &Want, of: impl Fn(&RecordType) -> bool) -> Vec<&'a RecordSet> {
    zone.at(&want.name).iter().filter(|set| of(&set.record_type)).collect()
}

/// In a VPC, and where nobody can ask the servers of the zone, only resolvers tell that the record is withheld: all
/// of them say that the name is there and has nothing.
fn withdrawn(
    world: &World<'_>,
    wants: &InstanceWants,
    name: &Name<'_>,
    rows: &[Row<'_>],
) -> Option<Candidate> {
    let is_empty = |row: &Row<'_>| row.class == Class::Denied && row.seen.outcome == Outcome::Nodata;
    let holds = !rows.is_empty()
        && rows.iter().all(is_empty)
        && health_may_withdraw(name.members)
        && is_alive(world, name.expected);
    let bad: Vec<_> = rows.iter().map(|row| (row.server, Match::Denied, row.seen)).collect();
    let mut candidate =
        holds.then(|| health_withdrawn(world, wants, name.want, name.zone, name.expected, &bad))?;
    candidate.window = rows.iter().filter_map(|row| row.window).max_by_key(|window| window.until);
    candidate.servers = rows.iter().map(|row| row.server.into()).collect();
    Some(candidate)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Authority {
    Right,
    Wrong,
    /// They disagree.
    Unknown,
    /// None of them said anything.
    Unasked,
}

/// Nobody can ask the servers of a private zone: there the zone itself is the authority.
fn authority(world: &World<'_>, name: &Name<'_>) -> Authority {
    if name.zone.zone.private {
        return Authority::Right;
    }
    let id = name.zone.zone.id.as_str();
    let here = |seen: &Observation| {
        seen.zone_id.as_deref() == Some(id) && world.is_own_server(name.zone, &seen.server)
    };
    let want = name.want;
    let rows =
        answers(world, &want.name, &want.record_type, Vantage::Authoritative, &here, name.expected).rows;
    let right = |verdict: Match| match verdict {
        Match::Right | Match::Unknown => true,
        Match::Partial => name.routed,
        Match::Elsewhere | Match::Denied => false,
    };
    match rows.iter().filter(|row| right(row.1)).count() {
        0 if rows.is_empty() => Authority::Unasked,
        0 => Authority::Wrong,
        count if count == rows.len() => Authority::Right,
        // Those that disagree tell nothing of what is right, and take nothing from a failure.
        _ => Authority::Unknown,
    }
}

/// One row for each resolver whose view the zone serves and whose control name works.
fn rows<'a>(world: &World<'a>, name: &Name<'_>, out: &mut Verdicts) -> Vec<Row<'a>> {
    let want = name.want;
    let mut asked: BTreeMap<(&str, &str), Vec<&'a Observation>> = BTreeMap::new();
    for seen in questions(world, &want.name) {
        let same_type = || asks(&seen.record_type, &want.record_type);
        if seen.vantage == Vantage::Recursive && same_type() && judged_view(world, seen, name.zone, want) {
            asked.entry((&seen.view, &seen.server)).or_default().push(seen);
        }
    }
    let (mut rows, mut single) = (Vec::new(), Vec::new());
    for ((view, server), seen) in asked {
        if !seen.iter().any(|one| world.control_works(one)) {
            continue;
        }
        let (looked, contradicted) = one_resolver(world, name, &seen);
        if contradicted {
            out.silent.push(Silent {
                subject: Subject::Record(want.key()),
                reason: SilentReason::SingleObservation,
                detail: "a second look at a resolver contradicts the first".to_owned(),
            });
        }
        if let Looked::Seen(class, one) | Looked::Once(class, one) = looked
            && matches!(class, Class::Sinkhole | Class::OtherView | Class::Rewritten)
            && world.is_portal(one)
        {
            out.silent.push(Silent {
                subject: Subject::Record(want.key()),
                reason: SilentReason::ResolverFault,
                detail: "a resolver has one answer for everything, its control name too".to_owned(),
            });
            continue;
        }
        let row = |(class, seen)| Row { view, server, class, seen, window: window(world, name, class, seen) };
        match looked {
            Looked::Seen(class, seen) => rows.push(row((class, seen))),
            Looked::Once(class, seen) => single.push(row((class, seen))),
            Looked::Nothing => {}
        }
    }
    // Where TCP is blocked each tells it once only: two that say the same are two looks.
    let shares = |row: &Row<'_>| {
        let of_view = rows.iter().chain(&single).filter(|other| other.view == row.view);
        LOOKS <= of_view.filter(|other| same(other.class, row.class)).count()
    };
    let shared: Vec<bool> = single.iter().map(shares).collect();
    rows.extend(single.into_iter().zip(shared).filter_map(|(row, is_shared)| is_shared.then_some(row)));
    excuse_by_delegation(world, name.zone, &mut rows);
    rows
}

/// True if the resolver should see what the zone holds.
fn judged_view(world: &World<'_>, seen: &Observation, zone: &ZoneReading, want: &Want) -> bool {
    let view = world.policy.view(&seen.view);
    if zone.zone.private {
        return serves(world, seen, Some(zone)) && !is_behind_another(world, seen, zone);
    }
    if &*seen.view == "public" {
        return true;
    }
    let Some(view) = view.filter(|view| view.resolves_public) else { return false };
    // A private zone of that VPC answers in the place of the public one.
    let hidden = world.zones_over(&want.name).any(|other| {
        let vpcs = other.zone.vpcs.as_deref().unwrap_or_default();
        let passes_on = world.policy.zones.get(&other.zone.id).is_some_and(|facts| facts.public_dns_fallback)
            && other.at(&want.name).is_empty();
        other.zone.private
            && !passes_on
            && view.vpc_id.as_ref().is_some_and(|id| vpcs.iter().any(|vpc| vpc.id == *id))
    });
    !hidden
}

/// Of several private zones of a name the most specific one answers in a VPC.
fn is_behind_another(world: &World<'_>, seen: &Observation, zone: &ZoneReading) -> bool {
    let Some(vpc) = world.policy.view(&seen.view).and_then(|view| view.vpc_id.as_ref()) else { return false };
    let mut nearer = world.zones_over(&seen.name).take_while(|other| other.zone.name != zone.zone.name);
    nearer.any(|other| other.zone.private && other.zone.vpcs.iter().flatten().any(|one| one.id == *vpc))
}

/// What the looks at one resolver show, with an answer that shows it.
enum Looked<'a> {
    /// The same by two looks, or once as it should be.
    Seen(Class, &'a Observation),
    /// Something wrong by UDP, and nothing at all by TCP.
    Once(Class, &'a Observation),
    /// Nothing that could be told.
    Nothing,
}

/// What a resolver says, and whether its looks contradict each other.
fn one_resolver<'a>(world: &World<'_>, name: &Name<'_>, seen: &[&'a Observation]) -> (Looked<'a>, bool) {
    let looks: Vec<(Class, &'a Observation)> = seen
        .iter()
        .filter(|one| !one.cd)
        .map(|one| (classify(world, name, one), *one))
        // Validation that fails is a fault of the zone, not of this resolver, and told as that.
        .filter(|(class, one)| *class != Class::Fails || !is_refused(world, name.zone, one))
        // Nor is it one of the name while the resolver answered nothing at all.
        .filter(|(class, one)| {
            !matches!(class, Class::Fails | Class::Empty | Class::Silent) || world.vouches_for(one)
        })
        .collect();
    let right = looks.iter().find(|(class, _)| *class == Class::Right);
    let bad: Vec<&(Class, &'a Observation)> =
        looks.iter().filter(|(class, _)| !matches!(class, Class::Right | Class::Nothing)).collect();
    if let Some((class, one)) = right {
        return (Looked::Seen(*class, one), !bad.is_empty());
    }
    let spoken: Vec<&(Class, &'a Observation)> = bad
        .iter()
        .copied()
        .filter(|(class, one)| *class != Class::Silent || one.transport != Transport::Tcp)
        .collect();
    if let [(class, one)] = *spoken
        && spoken.len() < bad.len()
        && !is_failure(*class)
    {
        return (Looked::Once(*class, one), false);
    }
    // A failure by one transport and none by the other are two words for the same.
    let alike = |one: Class, other: Class| same(one, other) || is_failure(one) && is_failure(other);
    match bad.first() {
        Some((class, one))
            if LOOKS <= of_one_name(&bad) && bad.iter().all(|other| alike(other.0, *class)) =>
        {
            (Looked::Seen(*class, one), false)
        }
        Some(_) | None => (Looked::Nothing, false),
    }
}

/// Looks at the name that was asked for most often: a wildcard is asked by several.
fn of_one_name(looks: &[&(Class, &Observation)]) -> usize {
    let mut names: BTreeMap<&DomainName, usize> = BTreeMap::new();
    for (_, one) in looks {
        *names.entry(&one.name).or_default() += 1;
    }
    names.into_values().max().unwrap_or_default()
}

fn same(left: Class, right: Class) -> bool {
    std::mem::discriminant(&left) == std::mem::discriminant(&right)
}

fn is_failure(class: Class) -> bool {
    kind_of(class).is_some_and(|(kind, _)| kind == Kind::ResolverUnreachable)
}

/// Until when this answer is to be expected.
fn window(world: &World<'_>, name: &Name<'_>, class: Class, seen: &Observation) -> Option<Window> {
    if class == Class::Right {
        return None;
    }
    let propagation = signed(world.policy.propagation);
    let lives = |ttl: u32| SignedDuration::from_secs(i64::from(ttl.min(LONGEST_TTL)));
    let after = |reason, start: Timestamp, ttl: u32| {
        open(reason, start, lives(ttl).saturating_add(propagation), world.at())
    };
    // Before the first look a wildcard may have answered for it, or a CNAME; a mail record never did.
    let kind = &name.want.record_type;
    let answers = |set: &&RecordSet| {
        set.record_type == *kind || [&set.record_type, kind].iter().all(|one| one.is_address())
    };
    let own_ttl = name
        .zone
        .at(&name.want.name)
        .iter()
        .chain(above(&name.want.name, name.zone))
        .filter(answers)
        .map(|set| {
            set.content.ttl().or_else(|| ttl_of_target(world, name.zone, &set.content)).unwrap_or(ALIAS_TTL)
        })
        .max()
        .unwrap_or(ALIAS_TTL);
    // Before a VPC could see the zone, it got what the public DNS gives.
    let vpc = world.policy.view(&seen.view).and_then(|view| view.vpc_id.as_ref());
    let joined = vpc.and_then(|vpc| world.past.associated_at(&name.zone.zone.id, vpc));
    let of_other =
        || joined.and_then(|at| after(SilentReason::TtlWindow, at, ttl_in_other_zone(world, name, seen)?));
    match class {
        Class::OtherView if of_other().is_some() => of_other(),
        Class::Stale { ended, ttl } => after(SilentReason::TtlWindow, ended, ttl.unwrap_or(ALIAS_TTL)),
        Class::Denied | Class::Empty => {
            let (reason, ttl) = (SilentReason::NegativeTtlWindow, denial_ttl(world, name.zone, seen));
            let of_record = match world.past.answered.first(&name.zone.zone.id, &name.want.key()) {
                // From then on nobody hands out a denial that could be kept.
                Some(first) => open(reason, first, lives(ttl), world.at()),
                None => change_start(world, name).and_then(|start| after(reason, start, ttl)),
            };
            let of_view = joined.and_then(|joined| after(reason, joined, ttl));
            // Before its zone was delegated the one above denied it.
            let above = seen.authority.iter().any(|record| {
                &*record.record_type == "SOA"
                    && record.name != name.zone.zone.name
                    && name.zone.zone.name.is_within(&record.name)
            });
            let led = world.past.moved_delegation(&name.zone.zone.name);
            let led = led.filter(|(before, _)| above && before.servers.is_empty());
            let of_zone = led.and_then(|(_, led)| after(SilentReason::DelegationTtlWindow, led, ttl));
            [of_record, of_view, of_zone].into_iter().flatten().max_by_key(|window| window.until)
        }
        // What stood there before we first looked may have been anything.
        Class::Rewritten | Class::OtherView if !saw_change(world, name) => {
            let start = change_start(world, name)?;
            // A host that is new, and waits for its load balancer perhaps, had no earlier record.
            let grown = name.want.created_at.and_then(|at| at.checked_add(lives(USUAL_TTL)).ok());
            let is_older = grown.is_some_and(|grown| grown < start);
            let before = is_older.then(|| of_before(seen, start, own_ttl, name.want)).flatten();
            let ttl = before.unwrap_or(own_ttl);
            after(SilentReason::TtlWindow, start, ttl)
        }
        Class::Right
        | Class::Sinkhole
        | Class::Filtered
        | Class::Rewritten
        | Class::OtherView
        | Class::Fails
        | Class::Silent
        | Class::Nothing => None,
    }
}

/// What a resolver that follows the former delegation hands out serves somebody still: an old answer, or a
/// denial that others do not share. A failure is no answer, and where most deny the name nobody is served.
fn excuse_by_delegation(world: &World<'_>, zone: &ZoneReading, rows: &mut [Row<'_>]) {
    if rows.iter().all(|row| matches!(row.class, Class::Right | Class::Nothing)) {
        return;
    }
    let seen = delegation_window(world, zone);
    let Some(moved) = seen.or_else(|| moved_before_our_time(world, zone)) else { return };
    // Of a move that nobody saw only those are excused that are seen to follow it.
    let known = seen.is_none().then(|| followers(world, zone));
    let is_denial = |row: &Row<'_>| matches!(row.class, Class::Denied | Class::Empty);
    let shares = |view: &str| {
        let of_view = || rows.iter().filter(|row| row.view == view);
        let denials = of_view().filter(|row| is_denial(row)).count();
        1 < denials && of_view().count() < denials * 2
    };
    let follows = |row: &Row<'_>| match row.class {
        _ if known.as_ref().is_some_and(|known| !known.contains_key(row.server)) => false,
        Class::Stale { .. } | Class::Rewritten | Class::OtherView => true,
        Class::Denied | Class::Empty => !shares(row.view),
        _ => false,
    };
    let excused: Vec<bool> = rows.iter().map(follows).collect();
    for (row, _) in rows.iter_mut().zip(excused).filter(|(_, is_excused)| *is_excused) {
        row.window = [row.window, Some(moved)].into_iter().flatten().max_by_key(|window| window.until);
    }
}

/// The longest time for which records of hosts are usually kept, in seconds.
const USUAL_TTL: u32 = 3_600;

/// The time to live that a record had before it changed, if an answer is of that one: whoever keeps it for longer than
/// the present record says was told so before. Nobody saw that record; a time that no record of the host is likely to
/// have had makes it no former answer.
fn of_before(seen: &Observation, changed: Timestamp, own_ttl: u32, want: &Want) -> Option<u32> {
    let own = seen.answers.iter().filter(|record| record.name == seen.name);
    let left = own.map(|record| record.ttl).max().filter(|left| own_ttl < *left)?;
    let passed = u32::try_from(seen.at.duration_since(changed).as_secs()).ok()?;
    let likely = want.demanded_ttl.unwrap_or_default().max(USUAL_TTL);
    passed.checked_add(left).filter(|ttl| *ttl <= likely)
}

/// True if the record was seen to change, between two looks that leave no room for a third content.
fn saw_change(world: &World<'_>, name: &Name<'_>) -> bool {
    let sightings = world.past.names.record(&name.zone.zone.id, name.want);
    let mut newest = sightings.iter().rev();
    let gap = newest.next().zip(newest.next()).map(|(now, before)| now.since.duration_since(before.until));
    gap.is_some_and(|gap| gap <= signed(world.policy.interval.saturating_mul(3)))
}

/// When the record got its present content. Without a change that we saw: the last change of the
/// wish before the first round, after which the controller wrote it.
fn change_start(world: &World<'_>, name: &Name<'_>) -> Option<Timestamp> {
    let since = world.past.record_since(&name.zone.zone.id, name.want)?;
    let first = world.past.first_at?;
    if first < since {
        return Some(since);
    }
    let want = name.want;
    if let Some(written) = world.written_before_the_first_look(&name.zone.zone.id, &want.key()) {
        return Some(written);
    }
    // Other flags make other wishes of the same objects.
    let wished = want.changed_at.max(want.status_changed_at).max(want.created_at).max(name.flags_since);
    let written = wished.and_then(|wished| wished.saturating_add(signed(world.policy.sync_floor)).ok());
    Some(written.map_or(since, |written| written.min(since)))
}

/// What a denial lives: as long as the zone says whose SOA comes with it, which before a VPC saw the private zone was
/// the public one. Source: RFC 2308, section 5.
fn denial_ttl(world: &World<'_>, zone: &ZoneReading, seen: &Observation) -> u32 {
    let Some(soa) = seen.authority.iter().find(|record| &*record.record_type == "SOA") else {
        return negative_ttl(zone);
    };
    let is_it = |set: &RecordSet| {
        set.record_type == RecordType::Soa
            && set.content.plain_values().iter().any(|value| is_same_soa(&value.to_string(), &soa.data))
    };
    let denier = world.zones_at(&soa.name).iter().find(|other| other.at(&soa.name).iter().any(is_it));
    let minimum = || soa.data.split_whitespace().last()?.parse::<u32>().ok();
    match denier {
        Some(denier) => negative_ttl(denier),
        None if soa.name == zone.zone.name => negative_ttl(zone),
        None => minimum().unwrap_or_else(|| negative_ttl(zone)),
    }
}

/// True if both are one SOA: the last dots of names are spelling.
fn is_same_soa(left: &str, right: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace().map(|word| word.trim_end_matches('.').to_ascii_lowercase()).collect()
    };
    words(left) == words(right)
}

/// What a denial lives: the smaller of the SOA's time to live and its minimum.
fn negative_ttl(zone: &ZoneReading) -> u32 {
    let soa = zone.at(&zone.zone.name).iter().find(|set| set.record_type == RecordType::Soa);
    let read = |set: &RecordSet| {
        let text = set.content.plain_values().first()?.to_string();
        let minimum = text.split_whitespace().last()?.parse::<u32>().ok()?;
        Some(minimum.min(set.content.ttl()?))
    };
    soa.and_then(read).unwrap_or(NEGATIVE_TTL)
}

/// The kind and reason that a class of answers stands for.
fn kind_of(class: Class) -> Option<(Kind, Reason)> {
    match class {
        Class::Stale { .. } => Some((Kind::ResolverStale, Reason::Positive)),
        Class::Denied => Some((Kind::ResolverStale, Reason::Negative)),
        Class::Sinkhole | Class::Rewritten => Some((Kind::ResolverMismatch, Reason::Rewritten)),
        Class::Filtered => Some((Kind::ResolverMismatch, Reason::Filtered)),
        Class::OtherView => Some((Kind::ResolverMismatch, Reason::OtherView)),
        Class::Fails | Class::Empty => Some((Kind::ResolverUnreachable, Reason::ServfailQuorum)),
        Class::Silent => Some((Kind::ResolverUnreachable, Reason::TimeoutQuorum)),
        Class::Right | Class::Nothing => None,
    }
}

fn candidate(wants: &InstanceWants, name: &Name<'_>, kind: Kind, rows: &[Row<'_>]) -> Option<Candidate> {
    let of_kind = |row: &&Row<'_>| kind_of(row.class).is_some_and(|(of, _)| of == kind);
    let mut bad: Vec<&Row<'_>> = rows.iter().filter(of_kind).collect();
    if bad.iter().any(|row| row.window.is_none()) {
        bad.retain(|row| row.window.is_none());
    }
    if kind == Kind::ResolverUnreachable {
        let all: Vec<&Row<'_>> = rows.iter().filter(of_kind).collect();
        bad.retain(|row| is_quorum(row.view, &all, rows));
    }
    let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
    for (_, reason) in bad.iter().filter_map(|row| kind_of(row.class)) {
        *reasons.entry(reason).or_default() += 1;
    }
    let (reason, _) =
        reasons.into_iter().max_by_key(|(reason, count)| (*count, std::cmp::Reverse(*reason)))?;
    let key = FindingKey {
        subject: Subject::Record(name.want.key()),
        zone_id: Some(name.zone.zone.id.clone()),
        instance: Some(wants.instance.id.clone()),
        kind,
    };
    let seen_at = bad.iter().map(|row| row.seen.at).max()?;
    let mut candidate = Candidate::new(key, reason, impact(name, reason, &bad, rows), seen_at);
    candidate.window = bad.iter().filter_map(|row| row.window).max_by_key(|window| window.until);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
    candidate.evidence = bad.iter().map(|row| describe(row)).collect();
    candidate.servers = bad.iter().map(|row| row.server.into()).collect();
    Some(candidate)
}

/// More than half of the resolvers of a view that could be judged.
fn is_quorum(view: &str, bad: &[&Row<'_>], rows: &[Row<'_>]) -> bool {
    let judged = rows.iter().filter(|row| row.view == view).count();
    judged < bad.iter().filter(|row| row.view == view).count() * 2
}

/// What users get: a single resolver of several, or a view beside the one that the zone is for,
/// leaves the others served.
fn impact(name: &Name<'_>, reason: Reason, bad: &[&Row<'_>], rows: &[Row<'_>]) -> Impact {
    let private = name.zone.zone.private;
    let mut views: Vec<&str> = bad.iter().map(|row| row.view).collect();
    views.dedup();
    let quorum = views.into_iter().any(|view| {
        let judged = rows.iter().filter(|row| row.view == view).count();
        // Each may be wrong in a way of its own: together they leave nobody served.
        let wrong: Vec<&Row<'_>> =
            rows.iter().filter(|row| kind_of(row.class).is_some() && row.window.is_none()).collect();
        let is_quorum = is_quorum(view, bad, rows) || is_quorum(view, &wrong, rows);
        (private || view == "public" && 1 < judged) && is_quorum
    });
    // An answer that shares an address with the wish leads some to the right place.
    let overlaps = |row: &&Row<'_>| !addresses(row.seen).is_disjoint(&name.expected.addresses);
    match reason {
        _ if !quorum => Impact::Degraded,
        Reason::Positive | Reason::Rewritten | Reason::OtherView if bad.iter().all(overlaps) => {
            Impact::Degraded
        }
        // What is kept leads to a target that is gone.
        Reason::Positive if bad.iter().all(|row| row.seen.outcome != Outcome::Answer) => Impact::Down,
        Reason::Positive | Reason::Rewritten | Reason::OtherView => Impact::WrongPlace,
        _ => Impact::Down,
    }
}

fn describe(row: &Row<'_>) -> String {
    let server = crate::model::text::printable(row.server);
    let code = row.seen.ede.as_ref().map(|ede| format!(" (extended error {})", ede.code)).unwrap_or_default();
    format!("{server} ({}) answers {}{code}", row.view, crate::compare::live::said(row.seen))
}
