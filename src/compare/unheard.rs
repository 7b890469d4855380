//! Findings about what DNS answers, of which a round heard nothing. Pure.
//!
//! A server that is asked and says nothing, or only that it will not, does not say that all is well
//! again: what was found by its answers stays as it was.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table over a large vocabulary: a new word must fall into the general row"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::compare::answer_class::is_blocked;
use crate::compare::live::{chain, says_nothing};
use crate::compare::lookups::existing;
use crate::compare::verdict::Candidate;
use crate::finding::{FindingKey, Kind, Reason, Subject};
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::want::InstanceWants;
use crate::model::{DomainName, ZoneId};
use crate::past::not_after;
use crate::snapshot::{Snapshot, ViewName};

/// What was heard about one name: by nobody asked, by some who say nothing, or by somebody.
#[derive(Clone, Copy, Debug, Default)]
struct Words {
    asked: bool,
    heard: bool,
}

/// What was heard about one name from its own servers, its parent's included, and from resolvers.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    servers: Words,
    resolvers: Words,
    /// A resolver that was asked for it answers its control name.
    a_resolver_works: bool,
}

/// What was heard about one name from one server or resolver.
type ByServer<'a> = BTreeMap<(&'a DomainName, &'a str), Words>;

/// Those among the findings whose name was asked for and about which nobody said anything.
pub fn unheard<'a>(
    snapshot: &Snapshot,
    wants: &[InstanceWants],
    findings: impl Iterator<Item = &'a Candidate>,
) -> BTreeSet<FindingKey> {
    // A loop is seen in the zones.
    let rests = |one: &&Candidate| one.rests_on.contains(&ViewName::Dns) && one.reason != Reason::Loop;
    let findings: Vec<&Candidate> = findings.filter(rests).collect();
    let live: Vec<&FindingKey> = findings.iter().map(|one| &one.key).collect();
    let names: BTreeSet<&DomainName> = live.iter().filter_map(|key| name_of(key)).collect();
    if names.is_empty() {
        return BTreeSet::new();
    }
    let (heard, by_server) = heard(snapshot, &names);
    let silent = |words: Words| words.asked && !words.heard;
    let targets: BTreeMap<&FindingKey, BTreeSet<DomainName>> =
        live.iter().map(|key| (*key, targets_of(snapshot, wants, key))).collect();
    let told = told_of(snapshot, targets.values().flatten());
    // What some servers were found to answer is not told by the others.
    let present: BTreeSet<&str> = snapshot.observations().map(|one| &*one.server).collect();
    let are_mute = |name: &DomainName, one: &Candidate| {
        // Who is asked for nothing any more is no server of ours now, unless it could not be asked.
        let is_troubled = |server: &str| snapshot.dns.problems.iter().any(|problem| problem.scope == server);
        let is_ours = |server: &&Arc<str>| present.contains(&***server) || is_troubled(server);
        let servers = one.servers.iter().filter(is_ours);
        let words: Vec<_> = servers.map(|server| by_server.get(&(name, &**server))).collect();
        let is_asked = words.iter().flatten().any(|words| words.asked);
        !words.is_empty()
            && words.iter().flatten().all(|words| !words.heard)
            && (is_asked || is_open_question(snapshot, wants, &one.key))
    };
    let untold = |words: Words, key: &FindingKey| {
        !words.heard && (words.asked || is_open_question(snapshot, wants, key))
    };
    let is_unheard = |one: &&&Candidate| {
        let key = &one.key;
        let targets = targets.get(key).filter(|targets| !targets.is_empty());
        if let Some(targets) = targets {
            return targets.iter().all(|target| !told.contains(target));
        }
        if key.kind == Kind::DnssecBroken {
            return key.zone_id.as_ref().is_some_and(|zone| {
                are_resolvers_mute(snapshot, wants, zone) || is_validation_untold(snapshot, wants, zone)
            });
        }
        if !one.servers.is_empty() && key.kind == Kind::DelegationBroken && are_lame_untold(snapshot, one) {
            return true;
        }
        let Some(name) = name_of(key) else { return false };
        let Some(heard) = heard.get(name) else {
            return of_the_name(key.kind) && is_open_question(snapshot, wants, key);
        };
        match key.kind {
            // A resolver is judged by what the servers say.
            Kind::ResolverStale | Kind::ResolverMismatch => {
                silent(heard.servers) || untold(heard.resolvers, key) || are_mute(name, one)
            }
            // Here silence about the name is what was found, as long as the resolver itself works.
            Kind::ResolverUnreachable if heard.resolvers.asked => !heard.a_resolver_works,
            Kind::ResolverUnreachable => silent(heard.servers) || untold(heard.resolvers, key),
            Kind::AuthMismatch => untold(heard.servers, key) || are_mute(name, one),
            Kind::HealthWithdrawn => untold(heard.servers, key),
            Kind::DelegationBroken => silent(heard.servers),
            // What is known of other names decides.
            _ => false,
        }
    };
    findings.iter().filter(is_unheard).map(|one| one.key.clone()).collect()
}

/// The host names whose own answers decide: those that a wish or a record leads to. Empty for a finding
/// about the name itself, and where nothing leads anywhere any more.
fn targets_of(snapshot: &Snapshot, wants: &[InstanceWants], key: &FindingKey) -> BTreeSet<DomainName> {
    let Subject::Record(record) = &key.subject else { return BTreeSet::new() };
    match key.kind {
        Kind::TargetUnresolvable => {
            let wished = wants.iter().flat_map(|one| one.at(&record.name)).filter(|want| want.is(record));
            wished.flat_map(|want| want.content.hosts()).collect()
        }
        Kind::DanglingRecord => {
            let zones = snapshot.route53.value();
            let zone = key.zone_id.as_ref().and_then(|id| zones?.zones.get(id));
            let here = zone.map(|zone| zone.at(&record.name)).unwrap_or_default();
            here.iter().filter(|set| set.key() == *record).flat_map(|set| set.content.hosts()).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// Those among the names of which somebody said anything, be it that a chain to them ends in nothing.
fn told_of<'a>(snapshot: &Snapshot, names: impl Iterator<Item = &'a DomainName>) -> BTreeSet<&'a DomainName> {
    let mut names: BTreeSet<&DomainName> = names.collect();
    let mut told = BTreeSet::new();
    for one in snapshot.observations().filter(|one| !says_nothing(one.outcome)) {
        if names.is_empty() {
            break;
        }
        told.extend(names.take(&one.name));
        if matches!(one.outcome, Outcome::Nxdomain | Outcome::Nodata) {
            told.extend(chain(one).iter().filter_map(|name| names.take(name)));
        }
    }
    told
}

/// True for what answers about the name itself decide.
fn of_the_name(kind: Kind) -> bool {
    kind.is_live() && kind != Kind::WildcardShadow
        || matches!(kind, Kind::DelegationBroken | Kind::DnssecBroken)
}

/// No working resolver says anything about the wanted names of a zone: those, and not its apex, decide
/// whether validation fails.
fn are_resolvers_mute(snapshot: &Snapshot, wants: &[InstanceWants], zone: &ZoneId) -> bool {
    let here = wants.iter().flat_map(|one| &one.wants).filter(|want| want.zone_id() == Some(zone));
    let names: BTreeSet<&DomainName> = here.map(|want| &want.name).collect();
    !names.is_empty() && heard(snapshot, &names).0.values().all(|heard| !heard.resolvers.heard)
}

/// The servers that were found lame were asked for nothing, and the parent still delegates to them.
fn are_lame_untold(snapshot: &Snapshot, one: &Candidate) -> bool {
    let Some(zone) = name_of(&one.key) else { return false };
    let is_of =
        |server: &str| one.servers.iter().any(|lame| DomainName::new(lame) == DomainName::new(server));
    let mut own = snapshot.observations().filter(|seen| {
        seen.vantage == Vantage::Authoritative
            && seen.zone_id.as_deref() == one.key.zone_id.as_ref().map(ZoneId::as_str)
    });
    let mut parents = snapshot.observations().filter(|seen| seen.vantage == Vantage::Parent);
    let delegates = |seen: &Observation| {
        let delegated = (seen.name == *zone).then(|| seen.delegation()).flatten();
        delegated.is_some_and(|(servers, _)| servers.iter().any(|server| is_of(server.as_str())))
    };
    parents.any(delegates) && !own.any(|seen| is_of(&seen.server))
}

/// The names of a zone fail still, and nobody asked without validation, by which it was known why.
fn is_validation_untold(snapshot: &Snapshot, wants: &[InstanceWants], zone: &ZoneId) -> bool {
    let here = wants.iter().flat_map(|one| &one.wants).filter(|want| want.zone_id() == Some(zone));
    let names: BTreeSet<&DomainName> = here.map(|want| &want.name).collect();
    let looks = snapshot.observations().filter(|seen| seen.vantage == Vantage::Recursive);
    let mut looks = looks.filter(|seen| names.contains(&seen.name)).peekable();
    let fails = |seen: &Observation| !seen.cd && seen.outcome == Outcome::Servfail;
    looks.peek().is_some() && looks.all(fails)
}

/// Nobody asked in this round, although the name is still wanted, or the zone still there.
fn is_open_question(snapshot: &Snapshot, wants: &[InstanceWants], key: &FindingKey) -> bool {
    match &key.subject {
        Subject::Record(record) => {
            wants.iter().any(|one| one.at(&record.name).iter().any(|want| want.is(record)))
        }
        Subject::Zone(_) => {
            let zones = snapshot.route53.value();
            key.zone_id.as_ref().is_some_and(|id| zones.is_some_and(|zones| zones.zones.contains_key(id)))
        }
        Subject::Instance(_) | Subject::Object(_) | Subject::Source(_) => false,
    }
}

fn name_of(key: &FindingKey) -> Option<&DomainName> {
    match &key.subject {
        Subject::Record(record) => Some(&record.name),
        Subject::Zone(name) => Some(name),
        Subject::Instance(_) | Subject::Object(_) | Subject::Source(_) => None,
    }
}

fn heard<'a>(
    snapshot: &'a Snapshot,
    names: &BTreeSet<&'a DomainName>,
) -> (BTreeMap<&'a DomainName, Heard>, ByServer<'a>) {
    let all = || snapshot.observations();
    let mut works: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
    for one in all().filter(|one| one.vantage == Vantage::Control && one.outcome == Outcome::Answer) {
        let at = works.entry((&*one.view, &*one.server)).or_insert(one.at);
        *at = one.at.max(*at);
    }
    let beside = all().map(|one| &one.name).filter(|name| !names.contains(*name));
    let beside = beside.filter(|name| name.wildcard_sibling().is_some_and(|star| names.contains(&star)));
    let existing = existing(snapshot.route53.value(), beside);
    let mut heard: BTreeMap<&DomainName, Heard> = BTreeMap::new();
    let mut by_server = ByServer::new();
    for one in all().filter(|one| !existing.contains(&one.name)) {
        let Some(name) = asked_for(names, one) else { continue };
        let heard = heard.entry(name).or_default();
        let (words, tells) = match one.vantage {
            Vantage::Authoritative | Vantage::Parent => (&mut heard.servers, true),
            Vantage::Recursive => {
                let works = works.get(&(&*one.view, &*one.server));
                // Before its control name is asked again nobody knows whether it is silent about all names.
                heard.a_resolver_works |= works.is_some_and(|at| not_after(one.at, *at));
                (&mut heard.resolvers, works.is_some())
            }
            Vantage::Control => continue,
        };
        // A resolver that refuses and says why has said something about the name.
        let says = tells && (!says_nothing(one.outcome) || is_blocked(one));
        words.asked = true;
        words.heard |= says;
        let words = by_server.entry((name, &*one.server)).or_default();
        words.asked = true;
        words.heard |= says;
    }
    (heard, by_server)
}

/// The name that a question is about: a wildcard is asked by a made-up label.
fn asked_for<'a>(names: &BTreeSet<&'a DomainName>, one: &Observation) -> Option<&'a DomainName> {
    let star = || names.get(&one.name.wildcard_sibling()?).copied();
    names.get(&one.name).copied().or_else(star)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Impact;
    use crate::fixture;
    use crate::model::{RecordKey, RecordType};
    use crate::snapshot::Reading;

    const LIED: &str = "lied.example.com";

    fn check(kind: Kind, rows: &[(Vantage, &str, Outcome)], expected: bool) {
        let at = Timestamp::UNIX_EPOCH;
        let seen = |(vantage, name, outcome): &(Vantage, &str, Outcome)| {
            Arc::new(fixture::observation(*vantage, "192.0.2.53:53", name, *outcome))
        };
        let snapshot = Snapshot {
            at,
            kubernetes: Reading::off(),
            route53: Reading::off(),
            dns: Reading::read(at, rows.iter().map(seen).collect()),
            changes: Reading::off(),
        };
        let record = RecordKey { name: LIED.into(), record_type: RecordType::A, set_identifier: None };
        let subject = Subject::Record(record);
        let key = FindingKey { subject, zone_id: None, instance: None, kind };
        let mut finding = Candidate::new(key, Reason::Rewritten, Impact::Down, at);
        finding.rests_on = &[ViewName::Dns];
        let unheard = unheard(&snapshot, &[], std::iter::once(&finding));
        assert_eq!(!unheard.is_empty(), expected, "{kind}: {snapshot:#?}");
    }

    #[test]
    fn silence_is_no_word_and_no_question_is_no_silence() {
        use Outcome::{Answer, Refused, Timeout};
        use Vantage::{Authoritative, Control, Recursive};
        let control = (Control, "control.example.org", Answer);
        let right = (Authoritative, LIED, Answer);
        let lie = (Recursive, LIED, Answer);
        check(Kind::ResolverMismatch, &[control, right, lie], false);
        check(Kind::ResolverMismatch, &[], false);
        check(Kind::ResolverMismatch, &[right, lie], true);
        check(Kind::ResolverMismatch, &[control, right, (Recursive, LIED, Timeout)], true);
        check(Kind::ResolverMismatch, &[control, (Authoritative, LIED, Refused), lie], true);
        check(Kind::ResolverUnreachable, &[control, right, (Recursive, LIED, Timeout)], false);
        check(Kind::ResolverUnreachable, &[right, (Recursive, LIED, Timeout)], true);
        let mute = (Authoritative, LIED, Timeout);
        check(Kind::ResolverUnreachable, &[control, mute, (Recursive, LIED, Timeout)], false);
        check(Kind::ResolverUnreachable, &[control, mute], true);
        check(Kind::AuthMismatch, &[control, (Authoritative, LIED, Refused), lie], true);
        check(Kind::AuthMismatch, &[control, (Authoritative, LIED, Refused), right], false);
        check(Kind::MissingRecord, &[(Authoritative, LIED, Timeout)], false);
    }
}
