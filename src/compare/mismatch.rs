//! Authoritative servers against the zone: the record is right, the answer is not. Pure.
//!
//! Source: findings.md, kind `auth_mismatch`; sections 7 and 8.

use std::collections::BTreeSet;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::compare::answer_class::{is_private, pool};
use crate::compare::live::{
    Expected, Match, Row, addresses, answers, asks, chain, judge, questions, resolved, said, says_nothing,
    speaks, union, worst,
};
use crate::compare::target::lacks_family;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::wishes::{open, signed};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, SilentReason, Subject, Window};
use crate::model::observation::{Observation, Outcome, Transport, Vantage, leads_nowhere};
use crate::model::record::{Content, RecordSet, RecordType, Routing};
use crate::model::text::printable;
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::{TestedAnswer, TestedName, ZoneReading};
use crate::model::{DomainName, RecordKey, ZoneId};
use crate::past::Sighting;
use crate::report::Silent;
use crate::snapshot::ViewName;

/// Observations of one server in one round that a verdict needs: two transports.
const LOOKS: usize = 2;

/// Judges the authoritative answers of a record that is right in its zone.
pub fn auth_mismatch(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
    out: &mut Verdicts,
) -> Option<Candidate> {
    // Nobody can ask its servers.
    if zone.zone.private {
        return None;
    }
    let members: Vec<&RecordSet> =
        zone.at(&want.name).iter().filter(|set| set.record_type == want.record_type).collect();
    let expected = union(world, members.iter().copied());
    if all_right(world, want, zone, &expected) {
        return None;
    }
    let id = zone.zone.id.clone();
    let since = world.past.record_since(&id, want).filter(|since| world.past.first_at < Some(*since));
    // An answer from before the record had its present content says nothing about it.
    let here = |observation: &Observation| {
        observation.zone_id.as_deref() == Some(id.as_str())
            && world.is_own_server(zone, &observation.server)
            && since.is_none_or(|since| since < observation.at)
    };
    let rows = answers(world, &want.name, &want.record_type, Vantage::Authoritative, &here, &expected).rows;
    let routed = members.iter().any(|set| set.routing.is_some());
    let is_wrong = |verdict: Match| match verdict {
        Match::Right | Match::Unknown => false,
        // Multivalue and routed sets answer with a part of the union.
        Match::Partial => !routed,
        Match::Elsewhere | Match::Denied => true,
    };
    let wrong = rows.iter().filter(|row| is_wrong(row.1));
    let wrong: Vec<_> = wrong.filter(|row| !is_of_open_pool(world, want, &expected, row)).collect();
    // Where TCP is blocked each tells it once only: two that say the same are two looks.
    let alike = |verdict: Match| wrong.iter().filter(|row| row.1 == verdict).count();
    let holds = |(server, verdict, _, count): &(&str, Match, &Observation, usize)| {
        LOOKS <= *count || LOOKS <= alike(*verdict) && is_deaf_to_tcp(world, want, server)
    };
    let bad: Vec<_> = wrong
        .iter()
        .filter(|row| holds(row))
        .map(|(server, verdict, seen, _)| (*server, *verdict, *seen))
        .collect();
    note_contradictions(world, want, &id, &expected, out);
    let (_, _, first) = bad.first()?;
    if empty_family(world, want, &expected) || occluded(zone, want, zone.at(&want.name)) || is_referral(first)
    {
        return None;
    }
    if bad.iter().all(|(_, _, seen)| is_of_other_places(&members, seen)) {
        return None;
    }
    let all = bad.len() == rows.len();
    // The name of a withheld record exists still, and each server withholds it; that its target resolves
    // has to be known.
    let empty = all && bad.iter().all(|(_, _, seen)| seen.outcome == Outcome::Nodata);
    let is_withdrawn = empty && health_may_withdraw(&members) && is_alive(world, &expected);
    let subject = Subject::Record(want.key());
    let window = propagation(world, &id, &want.key());
    if let Some(window) = window {
        out.silent.push(Silent {
            subject: subject.clone(),
            reason: window.reason,
            detail: format!("Route 53 may still be spreading the change until {}", window.until),
        });
    }
    if is_withdrawn {
        let withdrawn = health_withdrawn(world, wants, want, zone, &expected, &bad);
        return Some(Candidate { window, ..withdrawn });
    }
    let (reason, impact) = reason_and_impact(all, &bad);
    let key = FindingKey {
        subject,
        zone_id: Some(id),
        instance: Some(wants.instance.id.clone()),
        kind: Kind::AuthMismatch,
    };
    let seen_at = rows.iter().map(|(_, _, seen, _)| seen.at).max().unwrap_or(world.at());
    let mut candidate = Candidate::new(key, reason, impact, seen_at);
    candidate.window = window;
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
    candidate.evidence = bad.iter().map(|(server, _, seen)| describe(server, seen)).collect();
    candidate.evidence.extend(tested(world, want, zone, &expected));
    candidate.servers = bad.iter().map(|(server, ..)| Arc::from(*server)).collect();
    Some(candidate)
}

/// True for an answer of which nobody can say whether it is the target's: of targets whose addresses no one has seen as
/// a whole, or that are others at each place, another address tells nothing. Source: findings.md section 8, rule 5.
pub(super) fn is_of_open_pool(
    world: &World<'_>,
    want: &Want,
    expected: &Expected,
    (_, verdict, seen, _): &Row<'_>,
) -> bool {
    let is_six = want.record_type == RecordType::Aaaa;
    let mut hosts = expected.hosts.iter().filter(|host| !host.as_str().starts_with("dualstack.")).peekable();
    let found = addresses(seen);
    *verdict == Match::Elsewhere
        && chain(seen).is_empty()
        && expected.rotating
        && hosts.peek().is_some()
        && hosts.all(|host| {
            let is_ours = world.zones_over(host).next().is_some();
            let is_told = || resolved(world, host).iter().any(|ip| ip.is_ipv6() == is_six);
            !is_ours && is_told() && pool(world, host, is_six).is_none()
        })
        && !found.iter().all(|ip| is_private(*ip) || leads_nowhere(ip))
}

/// True if a second look at the server, by TCP, got no answer at all.
fn is_deaf_to_tcp(world: &World<'_>, want: &Want, server: &str) -> bool {
    let looks = questions(world, &want.name).into_iter();
    let mut own = looks.filter(|seen| &*seen.server == server && asks(&seen.record_type, &want.record_type));
    own.any(|seen| {
        seen.transport == Transport::Tcp && matches!(seen.outcome, Outcome::Timeout | Outcome::Unreachable)
    })
}

/// True if every look at the zone's servers is as it should be, whatever its time: the usual case, told
/// without asking what was there before.
fn all_right(world: &World<'_>, want: &Want, zone: &ZoneReading, expected: &Expected) -> bool {
    let counts = |seen: &&Observation| {
        seen.zone_id.as_deref() == Some(zone.zone.id.as_str()) && asks(&seen.record_type, &want.record_type)
    };
    // A wildcard is judged by other names.
    let mut looks = world.told(&want.name).filter(|_| !want.name.is_wildcard()).peekable();
    looks.peek().is_some() && looks.filter(counts).all(|seen| judge(seen, expected) == Match::Right)
}

/// True if the targets have addresses; of those that nobody said anything about in this round the last word
/// counts.
#[must_use]
pub fn is_alive(world: &World<'_>, expected: &Expected) -> bool {
    let is_told = |host: &DomainName| world.told(host).any(|seen| speaks(world, seen));
    let is_known = !expected.lately.is_empty() && !expected.hosts.iter().any(is_told);
    !expected.addresses.is_empty() || is_known
}

/// Route 53 withholds the record although its target resolves: health says no. `bad`: who answers nothing.
#[must_use]
pub fn health_withdrawn(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
    expected: &Expected,
    bad: &[(&str, Match, &Observation)],
) -> Candidate {
    let key = FindingKey {
        subject: Subject::Record(want.key()),
        zone_id: Some(zone.zone.id.clone()),
        instance: Some(wants.instance.id.clone()),
        kind: Kind::HealthWithdrawn,
    };
    let here = zone.at(&want.name).iter().find(|set| want.is(&set.key()));
    let looks_at_target =
        here.and_then(|set| set.content.alias()).is_some_and(|one| one.evaluate_target_health);
    let reason = if looks_at_target { Reason::EvaluateTargetHealth } else { Reason::HealthCheck };
    let seen_at = bad.iter().map(|(_, _, seen)| seen.at).max().unwrap_or(world.at());
    let mut candidate = Candidate::new(key, reason, Impact::Down, seen_at);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
    candidate.evidence = bad.iter().map(|(server, _, seen)| describe(server, seen)).collect();
    candidate.evidence.extend(votes(world, want, zone));
    candidate.evidence.extend(tested(world, want, zone, expected));
    candidate
}

/// What the checkers say, where that was read.
fn votes(world: &World<'_>, want: &Want, zone: &ZoneReading) -> Vec<String> {
    let sets = zone.at(&want.name).iter().filter(|set| set.record_type == want.record_type);
    let ids: BTreeSet<_> = sets.filter_map(|set| set.health_check_id.as_ref()).collect();
    let of = |id: &Arc<str>| {
        let votes = world.zones()?.health.get(id)?;
        let (success, all, at) = (votes.success, votes.all, votes.read_at);
        Some(format!("health check {id}: {success} of {all} checkers report success at {at}"))
    };
    ids.into_iter().filter_map(of).collect()
}

/// What Route 53 itself computes for the name, where that was asked: it tells on which side of the name
/// servers the trouble is.
fn tested(world: &World<'_>, want: &Want, zone: &ZoneReading, expected: &Expected) -> Option<String> {
    let asked = TestedName {
        zone_id: zone.zone.id.clone(),
        name: want.name.clone(),
        record_type: want.record_type.clone(),
    };
    Some(computed(world.zones()?.tested.get(&asked)?, expected))
}

fn computed(answer: &TestedAnswer, expected: &Expected) -> String {
    let values: Vec<&str> = answer.values.iter().map(|value| &**value).collect();
    let said = if values.is_empty() { &*answer.rcode } else { &values.join(" ") };
    let wanted = |value: &&str| value.parse::<IpAddr>().is_ok_and(|one| expected.addresses.contains(&one));
    let is_right = !values.is_empty() && values.iter().all(wanted);
    let side = if is_right {
        "so the record is served from there, and what the name servers answer is late or from elsewhere"
    } else {
        "so a routing policy or a health check withholds the record"
    };
    format!("Route 53 computes {} at {}, {side}", printable(said), answer.read_at)
}

/// One bad look that a second one contradicts is listed, and is no verdict.
fn note_contradictions(world: &World<'_>, want: &Want, id: &ZoneId, expected: &Expected, out: &mut Verdicts) {
    let observations = questions(world, &want.name);
    let ours = observations.into_iter().filter(|seen| seen.zone_id.as_deref() == Some(id.as_str()));
    let mut by_server: std::collections::BTreeMap<_, (usize, usize)> = std::collections::BTreeMap::new();
    for seen in ours.filter(|seen| asks(&seen.record_type, &want.record_type)) {
        let row = by_server.entry((&*seen.server, &seen.name, &*seen.record_type)).or_default();
        let good = judge(seen, expected) == Match::Right;
        if good { row.0 += 1 } else { row.1 += 1 }
    }
    if by_server.values().any(|(good, bad)| 0 < *good && 0 < *bad) {
        out.silent.push(Silent {
            subject: Subject::Record(want.key()),
            reason: SilentReason::SingleObservation,
            detail: "a second look contradicts the first".to_owned(),
        });
    }
}

/// An alias with health evaluation or a health check may be withdrawn.
#[must_use]
pub fn health_may_withdraw(members: &[&RecordSet]) -> bool {
    members.iter().any(|set| {
        set.health_check_id.is_some()
            || set.content.alias().is_some_and(|target| target.evaluate_target_health)
    })
}

/// An empty answer of a set without a default location, which has nothing for those who are nowhere in
/// it: it says nothing about the name. Source: findings.md section 9, `routing_view`.
#[must_use]
pub fn is_of_other_places(members: &[&RecordSet], seen: &Observation) -> bool {
    let routings = || members.iter().filter_map(|set| set.routing.as_deref());
    seen.outcome == Outcome::Nodata
        && routings().any(|one| matches!(one, Routing::Geolocation { .. } | Routing::Cidr(_)))
        && !routings().any(is_default)
}

/// The member for all who are in no other place.
#[must_use]
pub fn is_default(routing: &Routing) -> bool {
    match routing {
        Routing::Geolocation { country, .. } => country.as_deref() == Some("*"),
        Routing::Cidr(place) => place.ends_with("/*"),
        Routing::Weighted(_)
        | Routing::Latency(_)
        | Routing::Failover(_)
        | Routing::FailoverWord(_)
        | Routing::Geoproximity(_)
        | Routing::Multivalue => false,
    }
}

/// The alias of a target without an address of its family has nothing to answer. That a target has no IPv6 is
/// usual; that it has nothing else has to be known.
#[must_use]
pub fn empty_family(world: &World<'_>, want: &Want, expected: &Expected) -> bool {
    let Some(target) = want.content.alias() else { return false };
    let has_six = || resolved(world, &target.bare_name()).iter().any(IpAddr::is_ipv6);
    if want.record_type == RecordType::Aaaa {
        return !expected.addresses.iter().any(IpAddr::is_ipv6);
    }
    want.record_type == RecordType::A
        && expected.addresses.is_empty()
        && lacks_family(world, want)
        && has_six()
}

/// A delegation below the apex takes the name away from the zone. `here`: the record sets at the name.
#[must_use]
pub fn occluded(zone: &ZoneReading, want: &Want, here: &[RecordSet]) -> bool {
    let apex = &zone.zone.name;
    let below = want.name.suffixes().take_while(|suffix| apex.as_str().len() < suffix.len());
    want.name.is_within(apex)
        && below.into_iter().any(|current| {
            let is_itself = *current == *want.name.as_str();
            let sets = if is_itself { here } else { zone.at_text(current) };
            // A wanted NS or DS record is the delegation itself.
            let is_cut_itself = is_itself && matches!(want.record_type, RecordType::Ns | RecordType::Ds);
            !is_cut_itself && sets.iter().any(|set| set.record_type == RecordType::Ns)
        })
}

/// A server that sends those who ask to the servers of a zone below.
#[must_use]
pub fn is_referral(seen: &Observation) -> bool {
    let has = |kind: &str| seen.authority.iter().any(|record| &*record.record_type == kind);
    seen.outcome == Outcome::Nodata && has("NS") && !has("SOA")
}

/// How long before it was seen a change may have been submitted.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// How far the clock of Route 53 may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// While Route 53 may still be spreading the latest change of the record, or of another member of its set:
/// any of them may be answered.
fn propagation(world: &World<'_>, zone: &ZoneId, key: &RecordKey) -> Option<Window> {
    let here = world.past.names.records_at(&key.name).iter();
    let of_set = here.filter(|held| held.place == *zone && held.record_type == key.record_type);
    let windows = of_set.filter_map(|held| {
        propagation_of(world, zone, &held.sightings)
            .or_else(|| propagation_before(world, zone, &held.key(&key.name)))
    });
    windows.max_by_key(|window| window.until)
}

/// The same for a change from before the first look, as the feed tells it.
fn propagation_before(world: &World<'_>, zone: &ZoneId, key: &RecordKey) -> Option<Window> {
    let written = world.written_before_the_first_look(zone, key)?;
    let changes = world.zones().into_iter().flat_map(|zones| &zones.changes);
    let mut later = changes.filter(|change| change.zone_id == *zone && written - SKEW <= change.submitted_at);
    if later.any(|change| change.in_sync) {
        return None;
    }
    open(SilentReason::PropagationWindow, written, signed(world.policy.propagation), world.at())
}

/// While Route 53 may still be spreading the change that gave one record its present content.
///
/// A change names its zone only. That of the record was submitted between the last look at the former
/// content and the first at the present one; those before and after are of other records.
fn propagation_of(
    world: &World<'_>,
    zone: &ZoneId,
    sightings: &[Sighting<Option<Content>>],
) -> Option<Window> {
    let (last, former) = sightings.split_last()?;
    let (before, since) = (former.last().map(|one| one.until), last.since);
    let earliest = before.unwrap_or(since - SEEN_WITHIN).max(since - SEEN_WITHIN);
    let changes = world.zones().into_iter().flat_map(|zones| &zones.changes);
    let mut own = changes
        .filter(|change| change.zone_id == *zone)
        .filter(|change| earliest <= change.submitted_at && change.submitted_at <= since + SKEW)
        .peekable();
    let is_told = own.peek().is_some();
    let is_pending = own.any(|change| !change.in_sync);
    // What stood there at the first look may be old.
    let is_new = world.past.first_at < Some(since);
    let start = if is_pending {
        world.at()
    } else if is_new && !is_told {
        since
    } else {
        return None;
    };
    open(SilentReason::PropagationWindow, start, signed(world.policy.propagation), world.at())
}

fn reason_and_impact(all: bool, bad: &[(&str, Match, &Observation)]) -> (Reason, Impact) {
    if !all {
        return (Reason::NsDisagree, Impact::Degraded);
    }
    if bad.iter().any(|(_, verdict, _)| *verdict != Match::Denied) {
        // With some of the wanted targets in the answers some users are served.
        let verdicts: Vec<Match> = bad.iter().map(|(_, verdict, _)| *verdict).collect();
        return (Reason::Different, worst(&verdicts).unwrap_or(Impact::WrongPlace));
    }
    // A server that fails says nothing about the name.
    let told = bad.iter().map(|(_, _, seen)| seen.outcome).find(|outcome| !is_failure(*outcome));
    let reason = match told {
        Some(Outcome::Nxdomain) => Reason::Nxdomain,
        Some(_) => Reason::Nodata,
        None => Reason::Different,
    };
    (reason, Impact::Down)
}

/// True if the server could not tell what it has.
fn is_failure(outcome: Outcome) -> bool {
    says_nothing(outcome) || outcome == Outcome::Servfail
}

fn describe(server: &str, seen: &Observation) -> String {
    format!("{server} answers {}", said(seen))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_service_s_own_answer_tells_the_side() {
        let addresses = BTreeSet::from([IpAddr::from([203, 0, 113, 1]), IpAddr::from([203, 0, 113, 2])]);
        let expected = Expected { addresses, ..Expected::default() };
        let check = |rcode: &str, values: &[&str], start: &str, side: &str| {
            let values = values.iter().map(|value| (*value).into()).collect();
            let read_at = Timestamp::UNIX_EPOCH;
            let said = computed(&TestedAnswer { rcode: rcode.into(), values, read_at }, &expected);
            assert!(said.starts_with(start) && said.contains(side), "{said}");
        };
        check("NOERROR", &["203.0.113.1"], "Route 53 computes 203.0.113.1 at", "late or from elsewhere");
        check("NOERROR", &[], "Route 53 computes NOERROR at", "withholds");
        check("NXDOMAIN", &[], "Route 53 computes NXDOMAIN at", "withholds");
        check("NOERROR", &["198.51.100.1"], "Route 53 computes 198.51.100.1 at", "withholds");
        check("NOERROR", &["203.0.113.1", "not an address"], "Route 53 computes", "withholds");
    }
}
