//! Findings about what DNS answers, of which a round heard nothing. Pure.
//!
//! A server that is asked and says nothing, or only that it will not, does not say that all is well
//! again: what was found by its answers stays as it was. Nor does one denial where a verdict needs two.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table over a large vocabulary: a new word must fall into the general row"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::compare::delegation::{LOOKS, name_servers};
use crate::compare::live::{Expected, Match, addresses, asks, chain, judge, may_be_of, says_nothing};
use crate::compare::lookups::existing;
use crate::compare::mismatch::occluded;
use crate::compare::target::is_loop;
use crate::compare::verdict::Candidate;
use crate::finding::{FindingKey, Kind, Reason, Subject};
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::record::{Content, RecordType, Value};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::{ZoneReading, Zones};
use crate::model::{DomainName, ZoneId};
use crate::past::{Past, not_after};
use crate::policy::Policy;
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

/// What was heard about one name from each server or resolver.
type ByServer<'a> = BTreeMap<&'a str, Words>;

/// The looks at the names in question, without those that ask without validation, and since when each resolver
/// answers its control name.
struct Looks<'a> {
    policy: &'a Policy,
    zones: Option<&'a Zones>,
    by_name: BTreeMap<&'a DomainName, Vec<&'a Observation>>,
    works: BTreeMap<(&'a str, &'a str), Timestamp>,
}

/// What a name should be answered with, as far as that is known.
#[derive(Default)]
struct Wished {
    /// `None` if any question tells.
    record_type: Option<RecordType>,
    expected: Option<Expected>,
    /// A part of it is a right answer.
    routed: bool,
}

/// Those among the findings whose name was asked for and about which nobody said anything. What this round
/// has found again (`found`) was heard.
pub fn unheard<'a>(
    snapshot: &Snapshot,
    wants: &[InstanceWants],
    (past, policy): (&Past, &Policy),
    found: &[Candidate],
    findings: impl Iterator<Item = &'a Candidate>,
) -> BTreeSet<FindingKey> {
    let found: BTreeSet<&FindingKey> = found.iter().map(|one| &one.key).collect();
    let rests = |one: &&Candidate| {
        (one.rests_on.contains(&ViewName::Dns) || !one.denied.is_empty()) && !found.contains(&one.key)
    };
    let findings: Vec<&Candidate> = findings.filter(rests).collect();
    let live: Vec<&FindingKey> = findings.iter().map(|one| &one.key).collect();
    let denied = findings.iter().flat_map(|one| &one.denied);
    let names: BTreeSet<&DomainName> = live.iter().filter_map(|key| name_of(key)).chain(denied).collect();
    if names.is_empty() {
        return BTreeSet::new();
    }
    let looks = Looks::new(snapshot, policy, &names);
    let silent = |words: Words| words.asked && !words.heard;
    let targets: BTreeMap<&FindingKey, BTreeSet<DomainName>> =
        live.iter().map(|key| (*key, targets_of(snapshot, wants, key))).collect();
    let told = told_of(snapshot, policy, targets.values().flatten());
    // What some servers were found to answer is not told by the others.
    let present: BTreeSet<&str> = snapshot.observations().map(|one| &*one.server).collect();
    let are_mute = |by_server: &ByServer<'_>, one: &Candidate| {
        // Who is asked for nothing any more is no server of ours now, unless it could not be asked.
        let is_troubled = |server: &str| snapshot.dns.problems.iter().any(|problem| problem.scope == server);
        let is_ours = |server: &&Arc<str>| present.contains(&***server) || is_troubled(server);
        let servers = one.servers.iter().filter(is_ours);
        let words: Vec<_> = servers.map(|server| by_server.get(&**server)).collect();
        let is_asked = words.iter().any(Option::is_some);
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
        if key.kind == Kind::ZoneUnassociated {
            return are_denied_untold(&looks, wants, one);
        }
        if key.kind == Kind::DnssecBroken {
            return key.zone_id.as_ref().is_some_and(|zone| {
                are_resolvers_mute(snapshot, wants, policy, zone)
                    || is_validation_untold(snapshot, wants, policy, zone)
            });
        }
        if is_incomparable(snapshot, policy, wants, one) {
            return true;
        }
        if !one.servers.is_empty()
            && key.kind == Kind::DelegationBroken
            && are_lame_untold(snapshot, wants, past, one)
        {
            return true;
        }
        let Some(name) = name_of(key) else { return false };
        let wished = Wished::of(snapshot, wants, past, key);
        // Of a record in the wrong zone those tell who are not led to it.
        let zone = key.zone_id.as_ref().filter(|_| key.kind != Kind::WrongZone);
        let Some((heard, by_server)) = looks.hear(name, zone, &wished) else {
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
                    || are_mute(&by_server, one)
                    || untold(heard.servers, key) && !is_mended(snapshot, &wished, one)
            }
            // Here silence about the name is what was found, as long as the resolver itself works.
            Kind::ResolverUnreachable if heard.resolvers.asked => {
                !heard.a_resolver_works || looks.fail_still(name, &wished, one)
            }
            Kind::ResolverUnreachable => silent(heard.servers) || untold(heard.resolvers, key),
            Kind::AuthMismatch => untold(heard.servers, key) || are_mute(&by_server, one),
            // Of a private zone the resolvers of its VPC tell.
            Kind::HealthWithdrawn if !one.servers.is_empty() => {
                untold(heard.resolvers, key) || are_mute(&by_server, one)
            }
            Kind::HealthWithdrawn => untold(heard.servers, key),
            // Of one that is as it should be at the parent the resolvers tell that follow the former one.
            Kind::DelegationBroken => {
                let is_of_resolvers = one.reason == Reason::DelegatedElsewhere;
                untold(heard.parents, key) || is_of_resolvers && are_mute(&by_server, one)
            }
            Kind::WrongZone if !one.servers.is_empty() => {
                are_mute(&by_server, one) && is_misplaced_still(snapshot, wants, one)
            }
            Kind::WrongZone => untold(heard.public, key) && is_misplaced_still(snapshot, wants, one),
            // What is known of other names decides.
            _ => false,
        }
    };
    findings.iter().filter(is_unheard).map(|one| one.key.clone()).collect()
}

/// Findings whose reason of before rests on what this round has not heard from the parent, or not read of the
/// keys of the zone: without that a more general one is told.
pub fn vague<'a>(snapshot: &Snapshot, findings: impl Iterator<Item = &'a Candidate>) -> BTreeSet<FindingKey> {
    let is_told = |record_type: &str, is_of: &dyn Fn(&DomainName) -> bool| {
        snapshot.observations().any(|seen| {
            seen.vantage == Vantage::Parent
                && &*seen.record_type == record_type
                && is_of(&seen.name)
                && !says_nothing(seen.outcome)
        })
    };
    let zones = snapshot.route53.value();
    let are_keys_read = |id: &ZoneId| {
        zones.and_then(|zones| zones.zones.get(id)).is_some_and(|zone| zone.zone.dnssec.is_some())
    };
    let rests = |one: &&Candidate| match (one.key.kind, one.reason, name_of(&one.key)) {
        (Kind::NoZone, Reason::NoAccess, Some(host)) => !is_told("NS", &|name| host.is_within(name)),
        (Kind::DnssecBroken, Reason::DsMismatch | Reason::SigningError, Some(zone)) => {
            !is_told("DS", &|name| name == zone) || !one.key.zone_id.as_ref().is_some_and(are_keys_read)
        }
        _ => false,
    };
    findings.filter(rests).map(|one| one.key.clone()).collect()
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

/// Those among the names to which somebody was led, but for the resolvers of a cluster. That a name is denied, or leads
/// in a circle, does not speak against its having no address.
fn told_of<'a>(
    snapshot: &Snapshot,
    policy: &Policy,
    names: impl Iterator<Item = &'a DomainName>,
) -> BTreeSet<&'a DomainName> {
    let mut names: BTreeSet<&DomainName> = names.collect();
    let mut told = BTreeSet::new();
    let leads = |one: &&Observation| one.outcome == Outcome::Answer && !is_loop(one);
    for one in snapshot.observations().filter(leads).filter(|one| !policy.is_internal(&one.view)) {
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
    let is_deeper = |other: &&ZoneReading| {
        other.zone.private
            && other.zone.name != zone.zone.name
            && other.zone.name.is_within(&zone.zone.name)
            && record.name.is_within(&other.zone.name)
    };
    stands
        && match one.reason {
            Reason::OccludedByDelegation => wished.any(|want| occluded(zone, want, zone.at(&want.name))),
            Reason::PrivateVsPublic => {
                let mut twins = zones.zones.values().filter(is_public_twin);
                wished.next().is_some() && twins.all(|twin| twin.at(&record.name).is_empty())
            }
            Reason::ParentZone if zone.zone.private => {
                let mut deeper = zones.zones.values().filter(is_deeper);
                wished.next().is_some() && deeper.any(|other| other.at(&record.name).is_empty())
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
fn are_resolvers_mute(snapshot: &Snapshot, wants: &[InstanceWants], policy: &Policy, zone: &ZoneId) -> bool {
    let here = wants.iter().flat_map(|one| &one.wants).filter(|want| want.zone_id() == Some(zone));
    let names: BTreeSet<&DomainName> = here.map(|want| &want.name).collect();
    let looks = Looks::new(snapshot, policy, &names);
    let mut heard = names.iter().filter_map(|name| looks.hear(name, Some(zone), &Wished::default()));
    !names.is_empty() && heard.all(|(heard, _)| !heard.resolvers.heard)
}

/// Nobody who was found not to get the names of a private zone was heard about those that are wanted there still.
fn are_denied_untold(looks: &Looks<'_>, wants: &[InstanceWants], one: &Candidate) -> bool {
    let zone = one.key.zone_id.as_ref();
    let is_wanted =
        |name: &&DomainName| wants.iter().flat_map(|all| all.at(name)).any(|want| want.zone_id() == zone);
    let mut wanted = one.denied.iter().filter(is_wanted).peekable();
    let is_heard = |name: &DomainName| {
        // The resolvers that the finding is about lack the zone.
        let heard = looks.hear(name, None, &Wished::default());
        heard.is_some_and(|(_, words)| {
            one.servers.iter().any(|server| words.get(&**server).is_some_and(|words| words.heard))
        })
    };
    wanted.peek().is_some() && !wanted.any(is_heard)
}

/// The servers that were found lame said nothing, or mislead those who ask as before, and the parent still
/// delegates to them.
fn are_lame_untold(snapshot: &Snapshot, wants: &[InstanceWants], past: &Past, one: &Candidate) -> bool {
    let Some(zone) = name_of(&one.key) else { return false };
    let is_of =
        |server: &str| one.servers.iter().any(|lame| DomainName::new(lame) == DomainName::new(server));
    let own = || {
        snapshot.observations().filter(|seen| {
            seen.vantage == Vantage::Authoritative
                && seen.zone_id.as_deref() == one.key.zone_id.as_ref().map(ZoneId::as_str)
                && is_of(&seen.server)
        })
    };
    // What they answer to other questions they answered while they were found lame, too.
    let served = own().filter(|seen| seen.outcome == Outcome::Answer).filter_map(|seen| {
        let record_type = RecordType::new(&seen.record_type);
        Wished::at(snapshot, wants, past, one.key.zone_id.as_ref(), &seen.name, record_type).leads(seen)
    });
    let served: BTreeSet<bool> = served.collect();
    let mislead = served.contains(&false) && !served.contains(&true);
    let mut parents = snapshot.observations().filter(|seen| seen.vantage == Vantage::Parent);
    let delegates = |seen: &Observation| {
        let delegated = (seen.name == *zone).then(|| seen.delegation()).flatten();
        delegated.is_some_and(|(servers, _)| servers.iter().any(|server| is_of(server.as_str())))
    };
    parents.any(delegates) && (mislead || own().all(|seen| says_nothing(seen.outcome)))
}

/// The names of a zone fail still, and nobody asked without validation, by which it was known why.
fn is_validation_untold(
    snapshot: &Snapshot,
    wants: &[InstanceWants],
    policy: &Policy,
    zone: &ZoneId,
) -> bool {
    let here = wants.iter().flat_map(|one| &one.wants).filter(|want| want.zone_id() == Some(zone));
    let names: BTreeSet<&DomainName> = here.map(|want| &want.name).collect();
    let zones = snapshot.route53.value();
    let reading = zones.and_then(|zones| zones.zones.get(zone));
    let looks = snapshot.observations().filter(|seen| seen.vantage == Vantage::Recursive);
    let looks = looks.filter(|seen| names.contains(&seen.name));
    let mut looks = looks.filter(|seen| may_be_of(policy, zones, reading, seen)).peekable();
    let fails = |seen: &Observation| !seen.cd && seen.outcome == Outcome::Servfail;
    looks.peek().is_some() && looks.all(fails)
}

/// An alias was answered with other addresses than those of its target, and nobody was heard about the target:
/// what is answered now may be anything.
fn is_incomparable(snapshot: &Snapshot, policy: &Policy, wants: &[InstanceWants], one: &Candidate) -> bool {
    let by_address = matches!(one.reason, Reason::Different | Reason::Rewritten | Reason::OtherView);
    let of_kind = matches!(one.key.kind, Kind::AuthMismatch | Kind::ResolverMismatch);
    let Some(record) = one.key.subject.record().filter(|_| of_kind && by_address) else { return false };
    let wished = wants.iter().flat_map(|one| one.at(&record.name)).filter(|want| want.is(record));
    let targets: BTreeSet<DomainName> =
        wished.filter(|want| want.content.alias().is_some()).flat_map(|want| want.content.hosts()).collect();
    !targets.is_empty() && told_of(snapshot, policy, targets.iter()).is_empty()
}

/// A resolver that was found wrong gives what is wanted, whether its zone's servers were asked or not. Those of a
/// private zone never are.
fn is_mended(snapshot: &Snapshot, wished: &Wished, one: &Candidate) -> bool {
    let zones = snapshot.route53.value();
    let zone = one.key.zone_id.as_ref().and_then(|id| zones?.zones.get(id));
    let Some(record) = one.key.subject.record().filter(|_| zone.is_some_and(|zone| !zone.zone.private))
    else {
        return true;
    };
    let is_made_up = |seen: &Observation| {
        record.name.is_wildcard()
            && seen.name.wildcard_sibling().as_ref() == Some(&record.name)
            && existing(zones, std::iter::once(&seen.name)).is_empty()
    };
    let is_about = |seen: &Observation| seen.name == record.name || is_made_up(seen);
    let mut looks = snapshot.observations().filter(|seen| {
        seen.vantage == Vantage::Recursive && one.servers.contains(&seen.server) && is_about(seen)
    });
    looks.any(|seen| seen.outcome == Outcome::Answer && wished.leads(seen) == Some(true))
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

// === impl Looks ===

impl<'a> Looks<'a> {
    fn new(snapshot: &'a Snapshot, policy: &'a Policy, names: &BTreeSet<&'a DomainName>) -> Self {
        let all = || snapshot.observations();
        let mut works: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
        for one in all().filter(|one| one.vantage == Vantage::Control && one.outcome == Outcome::Answer) {
            let at = works.entry((&*one.view, &*one.server)).or_insert(one.at);
            *at = one.at.max(*at);
        }
        let beside = all().map(|one| &one.name).filter(|name| !names.contains(*name));
        let beside = beside.filter(|name| name.wildcard_sibling().is_some_and(|star| names.contains(&star)));
        let existing = existing(snapshot.route53.value(), beside);
        let mut by_name: BTreeMap<&DomainName, Vec<&Observation>> = BTreeMap::new();
        // Without validation it is not known whether the name is served with it.
        for one in all().filter(|one| !one.cd && !existing.contains(&one.name)) {
            if let Some(name) = asked_for(names, one) {
                by_name.entry(name).or_default().push(one);
            }
        }
        Self { policy, zones: snapshot.route53.value(), by_name, works }
    }

    /// The looks that tell of what is wished; `None` if nobody asked for the name.
    fn at(&self, name: &DomainName, zone: Option<&ZoneId>, wished: &Wished) -> Option<Vec<&'a Observation>> {
        let zone = zone.and_then(|id| self.zones?.zones.get(id));
        let looks = self.by_name.get(name)?.iter().copied();
        let looks = looks.filter(|one| may_be_of(self.policy, self.zones, zone, one));
        let looks: Vec<&Observation> = looks.filter(|one| wished.asks(one)).collect();
        (!looks.is_empty()).then_some(looks)
    }

    /// What was heard of a name. One look is enough that shows what should be; whatever else is shown, a verdict
    /// needs two.
    fn hear(
        &self,
        name: &DomainName,
        zone: Option<&ZoneId>,
        wished: &Wished,
    ) -> Option<(Heard, ByServer<'a>)> {
        let looks = self.at(name, zone, wished)?;
        // A resolver that refuses and says why has said something about the name.
        let says = |one: &Observation| !says_nothing(one.outcome) || one.is_blocked();
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for one in looks.iter().filter(|one| says(one)) {
            *counts.entry((&one.name, &*one.server, &*one.record_type)).or_default() += 1;
        }
        let is_enough = |one: &Observation| {
            let count = counts.get(&(&one.name, &*one.server, &*one.record_type));
            let suits = one.outcome == Outcome::Answer && wished.leads(one) != Some(false);
            suits || count.is_some_and(|count| LOOKS <= *count)
        };
        let mut heard = Heard::default();
        let mut by_server = ByServer::new();
        for one in &looks {
            let works = self.works.get(&(&*one.view, &*one.server));
            let tells = one.vantage != Vantage::Recursive || works.is_some();
            let says = tells && says(one) && is_enough(one);
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
            by_server.entry(&*one.server).or_default().take(says);
        }
        Some((heard, by_server))
    }

    /// The resolvers that were found to fail do so in each look, and each was looked at once only.
    fn fail_still(&self, name: &DomainName, wished: &Wished, one: &Candidate) -> bool {
        let looks = self.at(name, one.key.zone_id.as_ref(), wished).unwrap_or_default();
        let is_named =
            |seen: &&&Observation| seen.vantage == Vantage::Recursive && one.servers.contains(&seen.server);
        let mut counts: BTreeMap<(&DomainName, &str, &str), usize> = BTreeMap::new();
        for seen in looks.iter().filter(is_named) {
            if seen.outcome != Outcome::Servfail && !says_nothing(seen.outcome) {
                return false;
            }
            *counts.entry((&seen.name, &*seen.server, &*seen.record_type)).or_default() += 1;
        }
        !counts.is_empty() && counts.values().all(|count| *count < LOOKS)
    }
}

// === impl Wished ===

impl Wished {
    /// What would show that a finding is over.
    fn of(snapshot: &Snapshot, wants: &[InstanceWants], past: &Past, key: &FindingKey) -> Self {
        if let Subject::Record(record) = &key.subject {
            let record_type = record.record_type.clone();
            return Self::at(snapshot, wants, past, key.zone_id.as_ref(), &record.name, record_type);
        }
        let zones = snapshot.route53.value();
        let zone = key.zone_id.as_ref().and_then(|id| zones?.zones.get(id));
        let Some(zone) = zone.filter(|_| key.kind == Kind::DelegationBroken) else { return Self::default() };
        let servers = name_servers(zone).into_iter().map(Value::Host).collect();
        let expected =
            Expected { values: Some((RecordType::Ns, servers)), rotating: true, ..Expected::default() };
        Self { record_type: Some(RecordType::Ns), expected: Some(expected), routed: true }
    }

    /// What the wishes and the zone say about a name and type; a host name leads to what it had lately.
    fn at(
        snapshot: &Snapshot,
        wants: &[InstanceWants],
        past: &Past,
        zone: Option<&ZoneId>,
        name: &DomainName,
        record_type: RecordType,
    ) -> Self {
        let zones = snapshot.route53.value();
        let sets = zone.and_then(|id| zones?.zones.get(id)).map(|zone| zone.at(name)).unwrap_or_default();
        let tells =
            |of: &RecordType| *of == record_type || *of == RecordType::Cname && record_type.is_address();
        let sets: Vec<_> = sets.iter().filter(|set| tells(&set.record_type)).collect();
        // What a private twin is to hold nobody else is to get.
        let is_here = |want: &Want| zone.is_none() || want.zone_id().is_none_or(|id| Some(id) == zone);
        let wished = wants.iter().flat_map(|one| one.at(name));
        let wished = wished.filter(|want| tells(&want.record_type) && is_here(want));
        let contents = wished.map(|want| &want.content).chain(sets.iter().map(|set| &set.content));
        let contents: Vec<&Content> = contents.collect();
        let expected = (!contents.is_empty()).then(|| expected(past, &contents, &record_type));
        let routed = sets.iter().any(|set| set.routing.is_some());
        Self { record_type: Some(record_type), expected, routed }
    }

    fn asks(&self, seen: &Observation) -> bool {
        self.record_type.as_ref().is_none_or(|of| asks(&seen.record_type, of))
    }

    /// True if an answer is as it should be, false if it is not, `None` if that is not known.
    fn leads(&self, seen: &Observation) -> Option<bool> {
        match judge(seen, self.expected.as_ref()?) {
            Match::Right => Some(true),
            Match::Partial => Some(self.routed),
            Match::Unknown => None,
            Match::Elsewhere | Match::Denied => Some(false),
        }
    }
}

fn expected(past: &Past, contents: &[&Content], record_type: &RecordType) -> Expected {
    let values = || contents.iter().flat_map(|content| content.plain_values());
    if !record_type.is_address() {
        let values = Some((record_type.clone(), values().cloned().collect()));
        return Expected { values, ..Expected::default() };
    }
    let hosts: BTreeSet<DomainName> = contents.iter().flat_map(|content| content.hosts()).collect();
    let lately = hosts.iter().flat_map(|host| past.answered.lately(host));
    let addresses = values().filter_map(Value::ip).chain(lately).collect();
    Expected { addresses, rotating: !hosts.is_empty(), hosts, ..Expected::default() }
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
    use crate::model::RecordKey;
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
        let unheard =
            unheard(&snapshot, &[], (&Past::default(), &Policy::default()), &[], std::iter::once(&finding));
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
