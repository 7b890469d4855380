//! The parent's delegation against each public hosted zone. Pure.
//!
//! The parent decides, never the delegation set that Route 53 reports: a zone that nobody delegates
//! to answers perfectly when asked directly. Source: findings.md, kind `delegation_broken`, sections
//! 7 and 8.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::compare::fix::quote;
use crate::compare::live::{
    Match, answers_by_name, asks, chain, judge, resolved, union, worst, worst_of_names,
};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::wishes::open;
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, SilentReason, Subject, Window};
use crate::model::observation::{AnswerRecord, Observation, Outcome, Vantage};
use crate::model::record::{RecordSet, RecordType, Value};
use crate::model::table::Table;
use crate::model::want::Want;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ZoneId};
use crate::report::{Fix, Silent};
use crate::snapshot::ViewName;

/// Observations in one round that a verdict needs: two transports, or two servers.
pub const LOOKS: usize = 2;

/// What the parent's servers say about one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// Not asked, or no usable answer.
    Unknown,
    /// They deny the name.
    Denied,
    /// They delegate to these servers.
    Servers(BTreeSet<DomainName>),
}

/// Reads the parent's answer about a zone. Servers that disagree, as while a change spreads, count
/// by the answer that is best for the zone; a bad answer needs two looks.
#[must_use]
pub fn parent_of(world: &World<'_>, zone: &ZoneReading) -> Parent {
    let own = name_servers(zone);
    let mut said: BTreeMap<BTreeSet<DomainName>, usize> = BTreeMap::new();
    for seen in world.told(&zone.zone.name) {
        if seen.vantage != Vantage::Parent || &*seen.record_type != "NS" {
            continue;
        }
        if let Some((servers, _)) = seen.delegation() {
            *said.entry(servers).or_default() += 1;
        } else if seen.outcome == Outcome::Nxdomain || is_denial(seen) || is_wildcard_answer(seen) {
            *said.entry(BTreeSet::new()).or_default() += 1;
        }
    }
    let best = said.into_iter().max_by_key(|(servers, _)| {
        let ours = servers.intersection(&own).count();
        (ours, std::cmp::Reverse(servers.len() - ours), servers.clone())
    });
    match best {
        Some((servers, looks)) if LOOKS <= looks || !servers.is_disjoint(&own) => {
            if servers.is_empty() {
                Parent::Denied
            } else {
                Parent::Servers(servers)
            }
        }
        Some(_) | None => Parent::Unknown,
    }
}

fn is_denial(seen: &Observation) -> bool {
    seen.outcome == Outcome::Nodata && seen.authority.iter().any(|record| &*record.record_type == "SOA")
}

/// True if the parent answers with a CNAME for the name, which a wildcard of it has: what is delegated has none.
fn is_wildcard_answer(seen: &Observation) -> bool {
    let is_cname = |record: &AnswerRecord| &*record.record_type == "CNAME" && record.name == seen.name;
    seen.outcome == Outcome::Answer && seen.answers.iter().any(is_cname)
}

/// The name servers of a zone: its delegation set and the NS set at its apex, which names further
/// ones where somebody serves copies of the zone.
#[must_use]
pub fn name_servers(zone: &ZoneReading) -> BTreeSet<DomainName> {
    let apex = zone.at(&zone.zone.name).iter().filter(|set| set.record_type == RecordType::Ns);
    let values = apex.flat_map(|set| set.content.plain_values());
    zone.zone.delegation_set.iter().cloned().chain(values.filter_map(|value| value.host().cloned())).collect()
}

/// Other public zones of the name of a public one. A private zone has no delegation that another could have in
/// its place.
pub fn twins<'a>(world: &World<'a>, zone: &'a ZoneReading) -> impl Iterator<Item = &'a ZoneReading> {
    let others = world.zones_at(&zone.zone.name).iter().copied();
    others.filter(move |other| !zone.zone.private && other.zone.id != zone.zone.id && !other.zone.private)
}

/// The public zone of this name that the parent delegates to, if it is another one.
#[must_use]
pub fn delegated_twin<'a>(world: &World<'a>, zone: &'a ZoneReading) -> Option<&'a ZoneReading> {
    // Asked for every name, and nearly no zone has one.
    twins(world, zone).next()?;
    let Parent::Servers(servers) = parent_of(world, zone) else { return None };
    twin_of_servers(world, zone, &servers)
}

/// The wishes whose users are led to a public zone: those placed there, and in the idle twins of it.
#[must_use]
pub fn wants_led_to<'a>(world: &World<'a>, zone: &'a ZoneReading) -> Vec<&'a Want> {
    let is_idle = |twin: &&'a ZoneReading| {
        delegated_twin(world, twin).is_some_and(|other| other.zone.id == zone.zone.id)
    };
    let of_twins = twins(world, zone).filter(is_idle).flat_map(|twin| world.wants_in(&twin.zone.id));
    world.wants_in(&zone.zone.id).chain(of_twins).collect()
}

/// The public zones of the account below a public one: who is led to them passes through it.
#[must_use]
pub fn zones_below(world: &World<'_>, zone: &ZoneReading) -> BTreeSet<ZoneId> {
    let (apex, all) = (&zone.zone.name, world.zones().into_iter().flat_map(|zones| zones.zones.values()));
    let public = all.map(|one| &one.zone).filter(|one| !one.private);
    public.filter(|one| one.name != *apex && one.name.is_within(apex)).map(|one| one.id.clone()).collect()
}

/// As [`delegated_twin`], also by what the parent said when it was last heard: a delegation moves seldom, and
/// a name must not change its zone because nobody could ask for a while.
#[must_use]
pub fn known_delegated_twin<'a>(world: &World<'a>, zone: &'a ZoneReading) -> Option<&'a ZoneReading> {
    twins(world, zone).next()?;
    twin_of_servers(world, zone, &known_delegation(world, zone)?)
}

/// The servers to which the parent delegates, by its latest word; `None` if it denies the zone or was never
/// heard.
#[must_use]
pub fn known_delegation(world: &World<'_>, zone: &ZoneReading) -> Option<BTreeSet<DomainName>> {
    match parent_of(world, zone) {
        Parent::Servers(servers) => Some(servers),
        Parent::Denied => None,
        Parent::Unknown => Some(world.past.delegations.get(&zone.zone.name)?.last()?.value.servers.clone()),
    }
}

/// True if the parent is known to lead to other servers than those of the zone.
#[must_use]
pub fn is_delegated_elsewhere(world: &World<'_>, zone: &ZoneReading) -> bool {
    let own = name_servers(zone);
    !own.is_empty()
        && known_delegation(world, zone)
            .is_some_and(|servers| !servers.is_empty() && servers.is_disjoint(&own))
}

fn twin_of_servers<'a>(
    world: &World<'a>,
    zone: &'a ZoneReading,
    servers: &BTreeSet<DomainName>,
) -> Option<&'a ZoneReading> {
    if !servers.is_disjoint(&name_servers(zone)) {
        return None;
    }
    twins(world, zone).find(|other| !servers.is_disjoint(&name_servers(other)))
}

/// Judges the delegation of every public zone in which somebody wants a name.
pub fn judge_delegations(world: &World<'_>, out: &mut Verdicts) {
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    let mut told: BTreeSet<&DomainName> = BTreeSet::new();
    let servers = by_server(world);
    for zone in zones.filter(|zone| !zone.zone.private) {
        if wants_led_to(world, zone).is_empty() {
            let loses = || loses_those_below(world, zone) || loses_those_led_into(world, zone);
            let lost = broken(world, zone, &servers).filter(|_| loses());
            out.candidates.extend(lost.filter(|_| told.insert(&zone.zone.name)));
            continue;
        }
        note_contradictions(world, zone, out);
        // Of several zones of one name that all lack a delegation the first one speaks.
        if let Some(candidate) = broken(world, zone, &servers).or_else(|| old_servers(world, zone, out))
            && told.insert(&zone.zone.name)
        {
            out.candidates.push(candidate);
        }
    }
}

/// True if a wanted host of another public zone leads to a name of this one, and no resolver of the public view gets an
/// address for it.
fn loses_those_led_into(world: &World<'_>, zone: &ZoneReading) -> bool {
    let leads_here = |want: &&Want| {
        let of_public = want.zone_id().and_then(|id| world.zone(id)).is_some_and(|own| !own.zone.private);
        let mut hosts = want.content.hosts().into_iter();
        of_public
            && hosts.any(|host| world.zones_over(&host).next().is_some_and(|one| one.zone.id == zone.zone.id))
    };
    let is_public = |seen: &&Observation| {
        seen.vantage == Vantage::Recursive && &*seen.view == "public" && world.control_works(seen)
    };
    let is_lost = |want: &Want| {
        let looks = world.told(&want.name);
        let told: Vec<_> = looks.filter(is_public).collect();
        LOOKS <= told.len() && told.iter().all(|seen| seen.outcome != Outcome::Answer)
    };
    let mut wants = world.wants.iter().flat_map(|one| &one.wants).filter(leads_here);
    wants.any(is_lost)
}

/// True if the zone delegates another one of ours whose users are not led to what is wanted there. An idle copy of a zone
/// that somebody else serves loses nobody.
fn loses_those_below(world: &World<'_>, zone: &ZoneReading) -> bool {
    let below = zones_below(world, zone);
    let below = below.iter().filter_map(|id| world.zone(id));
    let delegated =
        below.filter(|one| zone.at(&one.zone.name).iter().any(|set| set.record_type == RecordType::Ns));
    delegated
        .into_iter()
        .any(|one| matches!(impact(world, one, Impact::Down), Some(Impact::Down | Impact::WrongPlace)))
}

/// A server of the parent whose looks contradict each other is listed: the better one counts.
fn note_contradictions(world: &World<'_>, zone: &ZoneReading, out: &mut Verdicts) {
    let mut by_server: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for seen in world.told(&zone.zone.name) {
        if seen.vantage == Vantage::Parent && &*seen.record_type == "NS" {
            let row = by_server.entry(&seen.server).or_default();
            if seen.delegation().is_some() { row.0 = true } else { row.1 = true }
        }
    }
    if by_server.values().any(|(good, bad)| *good && *bad) {
        out.silent.push(Silent {
            subject: Subject::Zone(zone.zone.name.clone()),
            reason: SilentReason::SingleObservation,
            detail: "a second look at the parent contradicts the first".to_owned(),
        });
    }
}

/// The observations at each authoritative server of each zone, in no order.
type ByServer<'a> = BTreeMap<(&'a str, DomainName), Vec<&'a Observation>>;

fn by_server<'a>(world: &World<'a>) -> ByServer<'a> {
    let mut as_asked: Table<(&str, &str), Vec<&Observation>> = Table::default();
    for seen in world.observations().filter(|seen| seen.vantage == Vantage::Authoritative) {
        if let Some(zone) = &seen.zone_id {
            as_asked.entry((zone, &seen.server)).or_default().push(seen);
        }
    }
    let rows = as_asked.into_iter().map(|((zone, server), looks)| ((zone, DomainName::new(server)), looks));
    rows.fold(ByServer::new(), |mut out, (place, looks)| {
        out.entry(place).or_default().extend(looks);
        out
    })
}

fn broken(world: &World<'_>, zone: &ZoneReading, servers: &ByServer<'_>) -> Option<Candidate> {
    let own = name_servers(zone);
    if own.is_empty() {
        return None;
    }
    let delegated = match parent_of(world, zone) {
        Parent::Unknown => return None,
        Parent::Denied => {
            return Some(candidate(world, zone, Reason::NotDelegated, Impact::Down, &BTreeSet::new()));
        }
        Parent::Servers(delegated) => delegated,
    };
    if delegated_twin(world, zone).is_some() {
        // The records of the zone stand in the wrong one; the name itself is delegated well.
        return None;
    }
    let state = |server: &DomainName| {
        let key = (zone.zone.id.as_str(), server.clone());
        service(servers.get(&key).map(Vec::as_slice).unwrap_or_default(), &zone.zone.name)
    };
    let states: BTreeMap<&DomainName, Service> =
        delegated.iter().map(|server| (server, state(server))).collect();
    let stranger = |server: &DomainName| !own.contains(server);
    let misled = |server: &DomainName| {
        let looks = servers.get(&(zone.zone.id.as_str(), server.clone()));
        looks.is_some_and(|looks| misleads(world, zone, looks))
    };
    let is_bad = |server: &DomainName, state: Service| {
        state == Service::Lame || stranger(server) && (state != Service::Answers || misled(server))
    };
    let bad: BTreeSet<DomainName> = states
        .iter()
        .filter(|(server, state)| is_bad(server, **state))
        .map(|(server, _)| (*server).clone())
        .collect();
    let all_lame = states.values().all(|state| *state == Service::Lame);
    if all_lame {
        return Some(candidate(world, zone, Reason::LameAll, Impact::Down, &bad));
    }
    if delegated.is_disjoint(&own) {
        return Some(candidate(world, zone, Reason::DelegatedElsewhere, Impact::Down, &delegated));
    }
    (!bad.is_empty()).then(|| candidate(world, zone, Reason::LamePartial, Impact::Degraded, &bad))
}

/// How long a server of somebody else's may take to follow the zone.
const FOLLOWS_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// True if a server answers a name that stands as it is wanted with what it had at another time: that of a former
/// provider knows the zone as it was.
fn misleads(world: &World<'_>, zone: &ZoneReading, looks: &[&Observation]) -> bool {
    world.wants_in(&zone.zone.id).filter(|want| want.record_type.is_address()).any(|want| {
        let here: Vec<&RecordSet> =
            zone.at(&want.name).iter().filter(|set| set.record_type == want.record_type).collect();
        let since = world.past.record_since(&zone.zone.id, want);
        let is_news = since.is_some_and(|since| {
            world.past.first_at < Some(since) && world.at().duration_since(since) < FOLLOWS_WITHIN
        });
        if is_news || !stands(want, &here) {
            return false;
        }
        let expected = union(world, here.iter().copied());
        let has_plain =
            here.iter().any(|set| set.content.plain_values().iter().any(|value| value.ip().is_some()));
        let is_known = here.iter().all(|set| leads_to_known(world, set));
        let made_up = if want.name.is_wildcard() { world.under_wildcard(&want.name) } else { &[] };
        let is_about =
            |seen: &Observation| seen.name == want.name || made_up.iter().any(|one| std::ptr::eq(*one, seen));
        let other = |seen: &&&Observation| {
            // A load balancer has other addresses for others; what is known of it is compared beside others only.
            let can_tell = expected.hosts.is_empty() || !chain(seen).is_empty() || has_plain && is_known;
            is_about(seen)
                && asks(&seen.record_type, &want.record_type)
                && seen.outcome == Outcome::Answer
                && can_tell
                && judge(seen, &expected) == Match::Elsewhere
        };
        LOOKS <= looks.iter().filter(other).count()
    })
}

/// True if the wish is fulfilled: its addresses are there, or the host name that it leads to.
fn stands(want: &Want, here: &[&RecordSet]) -> bool {
    let hosts = want.content.hosts();
    let mut wanted = want.content.plain_values().iter().filter(|value| value.ip().is_some()).peekable();
    if hosts.is_empty() {
        let held = |value: &Value| here.iter().any(|set| set.content.plain_values().contains(value));
        return wanted.peek().is_some() && wanted.all(held);
    }
    here.iter().any(|set| want.is(&set.key()) && set.content.hosts() == hosts)
}

/// False if the record leads to a host name of which no address is known.
fn leads_to_known(world: &World<'_>, set: &RecordSet) -> bool {
    let hosts = set.content.hosts();
    let is_known = |host: &DomainName| {
        !resolved(world, host).is_empty() || world.past.answered.lately(host).next().is_some()
    };
    hosts.is_empty() || hosts.iter().any(is_known)
}

/// Whether a server serves the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// It has answered with records.
    Answers,
    /// It has denied every name that it was asked for.
    Denies,
    /// It does not know the zone: it refuses, or refers upwards.
    Lame,
    /// It could not be asked; a timeout is no lameness.
    Unknown,
}

fn service(seen: &[&Observation], zone: &DomainName) -> Service {
    let upward = |seen: &&&Observation| {
        // A server of the zone above refers to the zone itself; a question for NS is answered like that.
        let is_itself = |to: &DomainName| to == zone && (seen.name != *zone || &*seen.record_type == "SOA");
        seen.referral().is_some_and(|to| !to.is_within(zone) || is_itself(to))
    };
    let mut lame: Vec<&&Observation> =
        seen.iter().filter(|seen| seen.outcome == Outcome::Refused || upward(seen)).collect();
    let answered = seen.iter().filter(|seen| seen.outcome == Outcome::Answer).map(|seen| seen.at).max();
    if let Some(answered) = answered {
        // Names that are well are asked seldom: their answers may be from before it forgot the zone.
        lame.retain(|seen| answered < seen.at);
        let forgot = lame.iter().any(|seen| seen.name == *zone && &*seen.record_type == "SOA");
        return if forgot && LOOKS <= lame.len() { Service::Lame } else { Service::Answers };
    }
    let denies =
        seen.iter().any(|seen| matches!(seen.outcome, Outcome::Nxdomain | Outcome::Nodata) && !upward(&seen));
    match (denies, lame.len()) {
        (true, _) => Service::Denies,
        (false, looks) if LOOKS <= looks => Service::Lame,
        (false, _) => Service::Unknown,
    }
}

/// What users of the zone's names get from public resolvers; `None` when nobody asked.
fn impact(world: &World<'_>, zone: &ZoneReading, assumed: Impact) -> Option<Impact> {
    let public = |seen: &Observation| &*seen.view == "public" && world.control_works(seen);
    let mut names = answers_by_name(world, zone, &public);
    for rows in names.values_mut() {
        rows.retain(|verdict| *verdict != Match::Unknown);
    }
    if names.values().all(Vec::is_empty) {
        return None;
    }
    if assumed != Impact::Degraded {
        return Some(worst_of_names(&names).unwrap_or(Impact::Latent));
    }
    // Part of the servers is wrong: users of any name meet it now and then, whatever a resolver shows. What is
    // denied to all of them has another fault.
    let all: Vec<Match> = names.into_values().flatten().collect();
    Some(worst(&all).unwrap_or(Impact::Degraded))
}

fn candidate(
    world: &World<'_>,
    zone: &ZoneReading,
    reason: Reason,
    assumed: Impact,
    bad: &BTreeSet<DomainName>,
) -> Candidate {
    let seen = impact(world, zone, assumed);
    let mut candidate = start(world, zone, reason, seen.unwrap_or(assumed));
    candidate.is_assumed = seen.is_none();
    // A second provider may serve the zone, too: the apex names its servers.
    let of_set = &zone.zone.delegation_set;
    let others = name_servers(zone);
    let own = list(of_set.iter().chain(others.iter().filter(|server| !of_set.contains(server))));
    let name = &zone.zone.name;
    candidate.evidence.push(format!("the hosted zone {} is served by {own}", zone.zone.id));
    candidate.summary = match reason {
        Reason::NotDelegated => format!("Nobody delegates {name} to its hosted zone {}.", zone.zone.id),
        Reason::LameAll => format!("No name server that the parent gives for {name} serves it."),
        Reason::DelegatedElsewhere => {
            format!("The parent delegates {name} to other name servers than those of its hosted zone.")
        }
        _ => format!("Some name servers that the parent gives for {name} do not serve it."),
    };
    if !bad.is_empty() {
        candidate.evidence.push(format!("the parent delegates to {}", list(bad.iter())));
    }
    if matches!(reason, Reason::LameAll | Reason::LamePartial) {
        candidate.servers = bad.iter().map(|server| Arc::from(server.as_str())).collect();
    }
    candidate.below = zones_below(world, zone);
    candidate.fix = remedy(zone, reason, bad);
    candidate
}

/// What brings the zone back: other NS records at the parent, or where those are right already, the servers that
/// they name.
fn remedy(zone: &ZoneReading, reason: Reason, bad: &BTreeSet<DomainName>) -> Fix {
    let all = name_servers(zone);
    let is_lame = matches!(reason, Reason::LameAll | Reason::LamePartial);
    if is_lame && bad.iter().all(|server| all.contains(server)) {
        return mend_servers(zone, bad);
    }
    // A second provider may serve the zone, too: the apex names its servers.
    let of_set = &zone.zone.delegation_set;
    let own = of_set.iter().chain(all.iter().filter(|server| !of_set.contains(server)));
    let own = own.filter(|server| !is_lame || of_set.contains(server) || !bad.contains(*server));
    let name = &zone.zone.name;
    Fix {
        summary: format!(
            "At the registrar or in the parent zone of {name}, set the NS records to {}.",
            list(own)
        ),
        commands: vec![format!("dig +trace {} NS", quote(name.as_str()))],
        ..Fix::default()
    }
}

/// The parent names the servers of the zone, and these do not serve it: other NS records there change nothing.
fn mend_servers(zone: &ZoneReading, bad: &BTreeSet<DomainName>) -> Fix {
    let (name, id) = (&zone.zone.name, &zone.zone.id);
    let of_set = &zone.zone.delegation_set;
    // Without a delegation set nobody knows of a second provider.
    let (own, second): (Vec<&DomainName>, Vec<&DomainName>) =
        bad.iter().partition(|server| of_set.is_empty() || of_set.contains(server));
    let of_route53 = (!own.is_empty()).then(|| {
        format!(
            "The parent of {name} is right, and {} do not serve it all the same: see that hosted zone {id} stands \
             and that its account is not suspended, then give the evidence to AWS support.",
            list(own.iter().copied())
        )
    });
    let of_others = (!second.is_empty()).then(|| {
        format!(
            "Let {} serve {name} again, or take them out of the NS records of the parent and of the apex.",
            list(second.into_iter())
        )
    });
    let zone = (!own.is_empty()).then(|| format!("aws route53 get-hosted-zone --id {id}"));
    let look = bad
        .first()
        .map(|server| format!("dig +norecurse {} SOA @{}", quote(name.as_str()), quote(server.as_str())));
    Fix {
        summary: of_route53.into_iter().chain(of_others).collect::<Vec<_>>().join(" "),
        commands: zone.into_iter().chain(look).collect(),
        ..Fix::default()
    }
}

fn list<'a>(names: impl Iterator<Item = &'a DomainName>) -> String {
    names.map(DomainName::as_str).collect::<Vec<_>>().join(", ")
}

fn start(world: &World<'_>, zone: &ZoneReading, reason: Reason, impact: Impact) -> Candidate {
    let key = FindingKey {
        subject: Subject::Zone(zone.zone.name.clone()),
        zone_id: Some(zone.zone.id.clone()),
        instance: None,
        kind: Kind::DelegationBroken,
    };
    let asked = world.told(&zone.zone.name);
    let seen_at = asked.filter(|seen| &*seen.record_type == "NS").map(|seen| seen.at).max();
    let mut candidate = Candidate::new(key, reason, impact, seen_at.unwrap_or(world.at()));
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
    candidate
}

/// No parent gives its delegations longer. Source: findings.md section 7.
const LONGEST_DELEGATION: u32 = 172_800;

/// Until when resolvers may still follow the delegation that the parent of a zone, or of one that users pass through
/// on their way to it, had before.
#[must_use]
pub fn delegation_window(world: &World<'_>, zone: &ZoneReading) -> Option<Window> {
    // Nobody is led to a private zone by any delegation.
    if zone.zone.private {
        return None;
    }
    let passed = std::iter::successors(Some(zone.zone.name.clone()), DomainName::parent);
    let moved = passed.filter_map(|apex| {
        let (before, moved) = world.past.moved_delegation(&apex)?;
        let length = SignedDuration::from_secs(i64::from(before.ttl.min(LONGEST_DELEGATION)));
        open(SilentReason::DelegationTtlWindow, moved, length, world.at())
    });
    moved.max_by_key(|window| window.until)
}

/// While the longest time to live that a parent gives may still run, where no move was seen.
#[must_use]
pub fn moved_before_our_time(world: &World<'_>, zone: &ZoneReading) -> Option<Window> {
    let first = world.past.first_at.filter(|_| world.past.moved_delegation(&zone.zone.name).is_none())?;
    open(SilentReason::DelegationTtlWindow, first, SignedDuration::from_secs(LONGEST_TTL), world.at())
}

/// The resolvers that know other name servers of the zone than its parent and itself, with these.
#[must_use]
pub fn followers<'a>(world: &World<'a>, zone: &ZoneReading) -> BTreeMap<&'a str, BTreeSet<DomainName>> {
    let Parent::Servers(delegated) = parent_of(world, zone) else { return BTreeMap::new() };
    let own: BTreeSet<DomainName> = name_servers(zone).union(&delegated).cloned().collect();
    let mut bad: BTreeMap<&str, (usize, BTreeSet<DomainName>)> = BTreeMap::new();
    let mut good = BTreeSet::new();
    for seen in world.told(&zone.zone.name) {
        let counts =
            seen.vantage == Vantage::Recursive && &*seen.view == "public" && world.control_works(seen);
        let Some((servers, _)) = seen.delegation().filter(|_| counts) else { continue };
        if servers.is_disjoint(&own) {
            let row = bad.entry(&seen.server).or_default();
            row.0 += 1;
            row.1.extend(servers);
        } else {
            good.insert(&*seen.server);
        }
    }
    let odd = bad.into_iter().filter(|(server, (looks, _))| LOOKS <= *looks && !good.contains(server));
    odd.map(|(server, (_, servers))| (server, servers)).collect()
}

/// The parent is right, and a resolver still follows the former delegation.
fn old_servers(world: &World<'_>, zone: &ZoneReading, out: &mut Verdicts) -> Option<Candidate> {
    let bad = followers(world, zone);
    let (_, servers) = bad.first_key_value()?;
    let mut candidate = start(world, zone, Reason::DelegatedElsewhere, Impact::Degraded);
    candidate.window = delegation_window(world, zone).or_else(|| moved_before_our_time(world, zone));
    candidate.servers = bad.keys().map(|server| Arc::from(*server)).collect();
    let list: Vec<&str> = bad.keys().copied().collect();
    let list = crate::model::text::printable(&list.join(", "));
    if let Some(window) = candidate.window {
        out.silent.push(Silent {
            subject: candidate.key.subject.clone(),
            reason: window.reason,
            detail: format!("{list} may still follow the former delegation until {}", window.until),
        });
    }
    let old: Vec<&str> = servers.iter().map(DomainName::as_str).collect();
    candidate.evidence.push(format!("{list} still asks {}", old.join(", ")));
    candidate.summary =
        format!("Resolvers still follow the former delegation of {}: {list}.", zone.zone.name);
    candidate.fix = Fix {
        summary: "Keep the former name servers serving the zone, or flush it at the resolver.".to_owned(),
        ..Fix::default()
    };
    Some(candidate)
}

/// Source: findings.md section 7, delegation TTL.
const LONGEST_TTL: i64 = 172_800;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::fixture;

    fn check(rows: &[(&str, &str, Outcome, i64)], expected: Service) {
        let seen = rows.iter().map(|(name, record_type, outcome, second)| Observation {
            at: Timestamp::from_second(*second).expect("a time"),
            record_type: (*record_type).into(),
            ..fixture::observation(Vantage::Authoritative, "ns-1.awsdns-00.com", name, *outcome)
        });
        let seen: Vec<Observation> = seen.collect();
        let seen: Vec<&Observation> = seen.iter().collect();
        assert_eq!(service(&seen, &"example.com".into()), expected, "{rows:?}");
    }

    #[test]
    fn the_advice_asks_for_no_ns_records_that_stand_at_the_parent_already() {
        let apex = RecordSet {
            name: "example.com".into(),
            record_type: RecordType::Ns,
            set_identifier: None,
            routing: None,
            content: crate::model::Content::values(
                172_800,
                ["ns-1.awsdns-00.com", "ns1.example.net"].map(|host| Value::Host(host.into())),
            ),
            health_check_id: None,
        };
        let mut zone = fixture::zone_reading(fixture::ZONE, "example.com", vec![apex]);
        zone.zone.delegation_set = vec!["ns-1.awsdns-00.com".into()];
        let told = |reason, bad: &[&str]| {
            let bad = bad.iter().map(|server| DomainName::new(server)).collect();
            let fix = remedy(&zone, reason, &bad);
            (fix.summary, fix.commands.len())
        };
        let (own, stranger, second) = ("ns-1.awsdns-00.com", "ns1.example.org", "ns1.example.net");
        let (text, commands) = told(Reason::LameAll, &[own]);
        assert!(text.contains("is right, and ns-1.awsdns-00.com do not serve it") && commands == 2, "{text}");
        let (text, commands) = told(Reason::LamePartial, &[second]);
        assert!(text.starts_with("Let ns1.example.net serve example.com again") && commands == 1, "{text}");
        let (text, _) = told(Reason::LamePartial, &[own, second]);
        assert!(text.contains("AWS support. Let ns1.example.net"), "{text}");
        let (text, _) = told(Reason::LamePartial, &[second, stranger]);
        assert!(text.ends_with("set the NS records to ns-1.awsdns-00.com."), "{text}");
        let (text, _) = told(Reason::DelegatedElsewhere, &[stranger]);
        assert!(text.ends_with("set the NS records to ns-1.awsdns-00.com, ns1.example.net."), "{text}");
    }

    #[test]
    fn an_old_answer_does_not_hide_that_a_server_forgot_the_zone() {
        use Outcome::{Answer, Refused, Timeout};
        let (zone, well) = ("example.com", "well.example.com");
        let soa = |outcome, at| (zone, "SOA", outcome, at);
        check(&[soa(Refused, 100), soa(Refused, 101), (well, "A", Answer, 50)], Service::Lame);
        check(&[soa(Refused, 100), soa(Refused, 101), (well, "A", Answer, 150)], Service::Answers);
        check(&[soa(Answer, 100), (well, "A", Refused, 150), (well, "A", Refused, 151)], Service::Answers);
        check(&[soa(Refused, 100), (well, "A", Answer, 50)], Service::Answers);
        check(&[soa(Timeout, 100), soa(Timeout, 101), (well, "A", Answer, 50)], Service::Answers);
        check(&[soa(Refused, 100), soa(Refused, 101)], Service::Lame);
    }
}
