//! How an authoritative server answers out of one zone. Source: RFC 1034 section 4.3.2, RFC 4592.

use std::net::IpAddr;

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::{Name, Record, RecordType};

use super::Shared;
use super::answer::{Answer, MAX_CHAIN};
use super::rdata::{address, name, records, spelled};
use crate::emulator::zones::{RecordSet, ServedZone, SortKey, is_within, parent, reversed};

/// TTL of an alias to a load balancer.
const ALIAS_TTL: u32 = 60;

/// Members of a multivalue group in one answer.
const MULTIVALUE: usize = 8;

/// An answer, and the CNAME target outside the zone where a resolver would go on.
pub(super) struct Found {
    pub(super) answer: Answer,
    pub(super) continues: Option<Name>,
}

// === impl Found ===

impl Found {
    pub(super) fn ended(answer: Answer) -> Self {
        Self { answer, continues: None }
    }
}

/// The answer of the zone's server.
pub(super) fn answer(shared: &Shared, zone: &ServedZone, asked: &Name, kind: RecordType) -> Answer {
    find(shared, zone, asked, kind).answer
}

/// The same, with the target of a chain that leaves the zone.
pub(super) fn find(shared: &Shared, zone: &ServedZone, asked: &Name, kind: RecordType) -> Found {
    let mut answer = Answer::empty(ResponseCode::NoError, true);
    let mut current = asked.clone();
    for _ in 0..MAX_CHAIN {
        let text = spelled(&current);
        if let Some(cut) = delegation_at(zone, &text, kind) {
            // A referral after a chain keeps the chain and its authority.
            answer.authoritative = !answer.answers.is_empty();
            answer.authority = records(&name(&cut.name), cut);
            answer.additional = glue(zone, cut);
            return Found::ended(answer);
        }
        match step(shared, zone, &current, &text, kind) {
            Step::Records(found) => answer.answers.extend(found),
            Step::NoData => answer.authority.extend(negative_soa(zone)),
            Step::NoName => {
                answer.code = ResponseCode::NXDomain;
                answer.authority.extend(negative_soa(zone));
            }
            Step::Chain(record, target) => {
                let repeats = answer.answers.contains(&record);
                answer.answers.push(*record);
                if repeats {
                    return Found::ended(answer);
                }
                if !is_within(&spelled(&target), &zone.name) {
                    return Found { answer, continues: Some(target) };
                }
                current = target;
                continue;
            }
        }
        break;
    }
    Found::ended(answer)
}

enum Step {
    Records(Vec<Record>),
    NoData,
    NoName,
    Chain(Box<Record>, Name),
}

/// One name, without following a CNAME.
fn step(shared: &Shared, zone: &ServedZone, owner: &Name, text: &str, kind: RecordType) -> Step {
    let Some(source) = source_of(zone, text) else {
        return if exists(zone, text) { Step::NoData } else { Step::NoName };
    };
    let kind_text = kind.to_string();
    let chosen = choose(shared, zone.record_sets(&source, "CNAME"));
    if let Some(cname) = chosen.first()
        && kind != RecordType::CNAME
    {
        let mut chain = records(owner, cname);
        if let Some(record) = chain.pop()
            && let Some(target) = cname.values().next()
        {
            return Step::Chain(Box::new(record), name(target));
        }
    }
    let found: Vec<Record> = choose(shared, zone.record_sets(&source, &kind_text))
        .into_iter()
        .flat_map(|set| expand(shared, zone, owner, set, kind, MAX_CHAIN))
        .collect();
    if found.is_empty() { Step::NoData } else { Step::Records(found) }
}

/// The reversed name whose record sets answer for a name: its own or a wildcard's.
fn source_of(zone: &ServedZone, text: &str) -> Option<String> {
    let own = reversed(text);
    if has_records(zone, &own) {
        return Some(own);
    }
    if exists(zone, text) {
        return None;
    }
    let mut encloser = parent(text)?;
    while !exists(zone, encloser) {
        encloser = parent(encloser)?;
    }
    let wildcard = format!("{}\\052.", reversed(encloser));
    has_records(zone, &wildcard).then_some(wildcard)
}

fn has_records(zone: &ServedZone, reversed: &str) -> bool {
    first_from(zone, reversed).is_some_and(|key| key.reversed == reversed)
}

/// True for a name with records and for one with names below it (an empty non-terminal).
fn exists(zone: &ServedZone, text: &str) -> bool {
    let own = reversed(text);
    first_from(zone, &own).is_some_and(|key| key.reversed.starts_with(&own))
}

fn first_from<'a>(zone: &'a ServedZone, reversed: &str) -> Option<&'a SortKey> {
    let from = SortKey { reversed: reversed.to_owned(), ..SortKey::default() };
    zone.records.range(from..).next().map(|(key, _)| key)
}

/// The NS record set below the apex that hides a name, the highest one.
fn delegation_at<'a>(zone: &'a ServedZone, text: &str, kind: RecordType) -> Option<&'a RecordSet> {
    let mut cut = None;
    let mut current = Some(text);
    while let Some(name) = current.filter(|name| *name != zone.name && is_within(name, &zone.name)) {
        let at_cut = name == text && kind == RecordType::DS;
        if !at_cut {
            let key = SortKey { reversed: reversed(name), kind: "NS".to_owned(), identifier: String::new() };
            cut = zone.records.get(&key).or(cut);
        }
        current = parent(name);
    }
    cut
}

/// Addresses of name servers that the zone itself holds.
fn glue(zone: &ServedZone, cut: &RecordSet) -> Vec<Record> {
    let mut glue = Vec::new();
    for server in cut.values().map(crate::emulator::zones::canonical) {
        for kind in ["A", "AAAA"] {
            let sets = zone.record_sets(&reversed(&server), kind);
            glue.extend(sets.iter().flat_map(|set| records(&name(&server), set)));
        }
    }
    glue
}

/// The members of a group that answer this time.
fn choose<'a>(shared: &Shared, sets: Vec<&'a RecordSet>) -> Vec<&'a RecordSet> {
    let is_default = |set: &&RecordSet| {
        let country = |geo: &crate::emulator::zones::GeoLocation| geo.country_code.as_deref() == Some("*");
        set.failover.as_deref() == Some("PRIMARY") || set.geo_location.as_ref().is_some_and(country)
    };
    match sets.first() {
        Some(first) if first.weight.is_some() => weighted(&sets, shared.next_turn()).into_iter().collect(),
        Some(first) if first.multi_value_answer == Some(true) => sets.into_iter().take(MULTIVALUE).collect(),
        Some(first) if first.set_identifier.is_some() => {
            vec![sets.iter().copied().find(is_default).unwrap_or(first)]
        }
        _ => sets,
    }
}

/// Takes turns in proportion to the weights; all members alike if every weight is 0.
fn weighted<'a>(sets: &[&'a RecordSet], turn: u64) -> Option<&'a RecordSet> {
    let zero = sets.iter().all(|set| set.weight.unwrap_or(0) == 0);
    let weight = |set: &RecordSet| if zero { 1 } else { set.weight.unwrap_or(0) };
    let total: u64 = sets.iter().map(|set| weight(set)).sum();
    let mut left = turn.checked_rem(total)?;
    sets.iter().copied().find(|set| {
        let hit = left < weight(set);
        left = left.saturating_sub(weight(set));
        hit
    })
}

/// The records of a set; an alias gives the addresses of its target under its own name.
fn expand(
    shared: &Shared,
    zone: &ServedZone,
    owner: &Name,
    set: &RecordSet,
    kind: RecordType,
    depth: usize,
) -> Vec<Record> {
    let Some(alias) = &set.alias_target else { return records(owner, set) };
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    if alias.hosted_zone_id == zone.id {
        let Some(source) = source_of(zone, &alias.dns_name) else { return Vec::new() };
        let targets = choose(shared, zone.record_sets(&source, &set.kind));
        return targets
            .into_iter()
            .flat_map(|target| expand(shared, zone, owner, target, kind, depth))
            .collect();
    }
    let addresses: Vec<IpAddr> = shared.foreign(&alias.dns_name).unwrap_or_default();
    addresses.into_iter().filter_map(|own| address(owner, ALIAS_TTL, kind, own)).collect()
}

/// The SOA of a negative answer: its TTL is the time that absence may be cached.
fn negative_soa(zone: &ServedZone) -> Option<Record> {
    let set = zone.record_sets(&reversed(&zone.name), "SOA").into_iter().next()?;
    let minimum = set.values().next()?.split_whitespace().last()?.parse().unwrap_or(u32::MAX);
    let mut record = records(&name(&zone.name), set).pop()?;
    record.ttl = record.ttl.min(minimum);
    Some(record)
}
