//! Findings about what DNS answers, of which a round heard nothing. Pure.
//!
//! A server that is asked and says nothing, or only that it will not, does not say that all is well
//! again: what was found by its answers stays as it was. Nor does one denial where a verdict needs two.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table over a large vocabulary: a new word must fall into the general row"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::compare::answer_class::is_blocked;
use crate::compare::delegation::LOOKS;
use crate::compare::live::{addresses, chain, says_nothing};
use crate::compare::lookups::existing;
use crate::compare::mismatch::occluded;
use crate::compare::target::is_loop;
use crate::compare::verdict::Candidate;
use crate::finding::{FindingKey, Kind, Reason, Subject};
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::record::Value;
use crate::model::want::InstanceWants;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ZoneId};
use crate::past::not_after;
use crate::snapshot::{Snapshot, ViewName};

/// What was heard about one name: by nobody asked, by some who say nothing, or by somebody.
#[derive(Clone, Copy, Debug, Default)]
struct Words {
    asked: bool,
    heard: bool,
}

impl Words {
    fn take(&mut self, heard: bool) {
        self.asked = true;
        self.heard |= heard;
    }
}

/// What was heard about one name from its own servers, from those of its parent, and from resolvers.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    servers: Words,
    parents: Words,
    resolvers: Words,
    /// From resolvers of the public view among them.
    public: Words,
    /// A resolver that was asked for it answers its control name.
    a_resolver_works: bool,
}

/// What was heard about one name from one server or resolver.
type ByServer<'a> = BTreeMap<(&'a DomainName, &'a str), Words>;

/// Those among the findings whose name was asked for and about which nobody said anything. What this round
/// has found again (`found`) was heard.
pub fn unheard<'a>(
    snapshot: &Snapshot,
    wants: &[InstanceWants],
    found: &[Candidate],
    findings: impl Iterator<Item = &'a Candidate>,
) -> BTreeSet<FindingKey> {
    let found: BTreeSet<&FindingKey> = found.iter().map(|one| &one.key).collect();
    let rests = |one: &&Candidate| one.rests_on.contains(&ViewName::Dns) && !found.contains(&one.key);
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
        if is_incomparable(snapshot, wants, one) {
            return true;
        }
        if !one.servers.is_empty() && key.kind == Kind::DelegationBroken && are_lame_untold(snapshot, one) {
            return true;
        }
        let Some(name) = name_of(key) else { return false };
        let Some(heard) = heard.get(name) else {
            return match key.kind {
                Kind::WrongZone => is_misplaced_still(snapshot, wants, one),
                kind => of_the_name(kind) && is_open_question(snapshot, wants, key),
            };
        };
        match key.kind {
            // A resolver is judged by what the servers say.
            Kind::ResolverStale | Kind::ResolverMismatch => {
                silent(heard.servers)
                    || untold(heard.resolvers, key)
                    || are_mute(name, one)
                    || untold(heard.servers, key) && !is_mended(snapshot, wants, one)
            }
            // Here silence about the name is what was found, as long as the resolver itself works.
            Kind::ResolverUnreachable if heard.resolvers.asked => !heard.a_resolver_works,
            Kind::ResolverUnreachable => silent(heard.servers) || untold(heard.resolvers, key),
            Kind::AuthMismatch => untold(heard.servers, key) || are_mute(name, one),
            // Of a private zone the resolvers of its VPC tell.
            Kind::HealthWithdrawn if !one.servers.is_empty() => {
                untold(heard.resolvers, key) || are_mute(name, one)
            }
            Kind::HealthWithdrawn => untold(heard.servers, key),
            Kind::DelegationBroken => untold(heard.parents, key),
            Kind::WrongZone => untold(heard.public, key) && is_misplaced_still(snapshot, wants, one),
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
        Kind::DanglingRecord | Kind::StaleTarget => {
            let zones = snapshot.route53.value();
            let zone = key.zone_id.as_ref().and_then(|id| zones?.zones.get(id));
            let here = zone.map(|zone| zone.at(&record.name)).unwrap_or_default();
            here.iter().filter(|set| set.key() == *record).flat_map(|set| set.content.hosts()).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// Those among the names to which somebody was led. That a name is denied, or leads in a circle, does not speak
/// against its having no address.
fn told_of<'a>(snapshot: &Snapshot, names: impl Iterator<Item = &'a DomainName>) -> BTreeSet<&'a DomainName> {
    let mut names: BTreeSet<&DomainName> = names.collect();
    let mut told = BTreeSet::new();
    let leads = |one: &&Observation| one.outcome == Outcome::Answer && !is_loop(one);
    for one in snapshot.observations().filter(leads) {
        if names.is_empty() {
            break;
        }
        told.extend(names.take(&one.name));
        // The servers of a zone show where a name leads to, and not whether there is anything.
        if !addresses(one).is_empty() {
            told.extend(chain(one).iter().filter_map(|name| names.take(name)));
        }
    }
    told
}

/// The record stands still where its users do not get it, as far as the zones tell. Where the zones or the parent
/// decide alone, they do so in each round.
fn is_misplaced_still(snapshot: &Snapshot, wants: &[InstanceWants], one: &Candidate) -> bool {
    let Some(zones) = snapshot.route53.value() else { return false };
    let zone = one.key.zone_id.as_ref().and_then(|id| zones.zones.get(id));
    let Some((zone, record)) = zone.zip(one.key.subject.record()) else { return false };
    let mut wished = wants.iter().flat_map(|one| one.at(&record.name)).filter(|want| want.is(record));
    let stands = zone.at(&record.name).iter().any(|set| set.key() == *record);
    let is_public_twin = |other: &&ZoneReading| !other.zone.private && other.zone.name == zone.zone.name;
    stands
        && match one.reason {
            Reason::OccludedByDelegation => wished.any(|want| occluded(zone, want)),
            Reason::PrivateVsPublic => {
                let mut twins = zones.zones.values().filter(is_public_twin);
                wished.next().is_some() && twins.all(|twin| twin.at(&record.name).is_empty())
            }
            _ => false,
        }
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

/// The servers that were found lame said nothing, and the parent still delegates to them.
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
    parents.any(delegates) && !own.any(|seen| is_of(&seen.server) && !says_nothing(seen.outcome))
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

/// An alias was answered with other addresses than those of its target, and nobody was heard about the target:
/// what is answered now may be anything.
fn is_incomparable(snapshot: &Snapshot, wants: &[InstanceWants], one: &Candidate) -> bool {
    let by_address = matches!(one.reason, Reason::Different | Reason::Rewritten | Reason::OtherView);
    let of_kind = matches!(one.key.kind, Kind::AuthMismatch | Kind::ResolverMismatch);
    let Some(record) = one.key.subject.record().filter(|_| of_kind && by_address) else { return false };
    let wished = wants.iter().flat_map(|one| one.at(&record.name)).filter(|want| want.is(record));
    let targets: BTreeSet<DomainName> =
        wished.filter(|want| want.content.alias().is_some()).flat_map(|want| want.content.hosts()).collect();
    !targets.is_empty() && told_of(snapshot, targets.iter()).is_empty()
}

/// A resolver that was found wrong gives what is wanted, whether its zone's servers were asked or not. Those of a
/// private zone never are.
fn is_mended(snapshot: &Snapshot, wants: &[InstanceWants], one: &Candidate) -> bool {
    let zones = snapshot.route53.value();
    let zone = one.key.zone_id.as_ref().and_then(|id| zones?.zones.get(id));
    let Some(record) = one.key.subject.record().filter(|_| zone.is_some_and(|zone| !zone.zone.private))
    else {
        return true;
    };
    let wished: Vec<_> = wants.iter().flat_map(|one| one.at(&record.name)).collect();
    let values = || wished.iter().flat_map(|want| want.content.plain_values());
    let ips: BTreeSet<IpAddr> = values().filter_map(Value::ip).collect();
    let leads = |seen: &Observation| {
        let found = addresses(seen);
        // What the target of an alias has is not told here.
        ips.is_empty() || !found.is_disjoint(&ips)
    };
    let mut looks = snapshot.observations().filter(|seen| {
        seen.vantage == Vantage::Recursive && seen.name == record.name && one.servers.contains(&seen.server)
    });
    looks.any(|seen| seen.outcome == Outcome::Answer && leads(seen))
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
    // Without validation it is not known whether the name is served with it.
    let looks = || all().filter(|one| !one.cd && !existing.contains(&one.name));
    // A resolver that refuses and says why has said something about the name.
    let says = |one: &Observation| !says_nothing(one.outcome) || is_blocked(one);
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for one in looks().filter(|one| says(one)) {
        *counts.entry((&one.name, &*one.server, &*one.record_type)).or_default() += 1;
    }
    let is_enough = |one: &Observation| {
        let count = counts.get(&(&one.name, &*one.server, &*one.record_type));
        one.outcome == Outcome::Answer || count.is_some_and(|count| LOOKS <= *count)
    };
    let mut heard: BTreeMap<&DomainName, Heard> = BTreeMap::new();
    let mut by_server = ByServer::new();
    for one in looks() {
        let Some(name) = asked_for(names, one) else { continue };
        let works = works.get(&(&*one.view, &*one.server));
        let tells = one.vantage != Vantage::Recursive || works.is_some();
        let says = tells && says(one) && is_enough(one);
        let heard = heard.entry(name).or_default();
        match one.vantage {
            Vantage::Authoritative => heard.servers.take(says),
            Vantage::Parent if &*one.record_type == "NS" => heard.parents.take(says),
            Vantage::Recursive => {
                // Before its control name is asked again nobody knows whether it is silent about all names.
                heard.a_resolver_works |= works.is_some_and(|at| not_after(one.at, *at));
                heard.resolvers.take(says);
                if &*one.view == "public" {
                    heard.public.take(says);
                }
            }
            Vantage::Parent | Vantage::Control => continue,
        }
        by_server.entry((name, &*one.server)).or_default().take(says);
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
        let unheard = unheard(&snapshot, &[], &[], std::iter::once(&finding));
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
