//! Validation that fails although the answer is there. Pure.
//!
//! Source: findings.md, kind `dnssec_broken`.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::compare::delegation::{LOOKS, delegated_twin, wants_led_to, zones_below};
use crate::compare::live::questions;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::zone::{Dnssec, ZoneReading};
use crate::model::{DomainName, RecordType, ZoneId};
use crate::report::Fix;
use crate::snapshot::ViewName;

/// Extended errors that name a signature: expired, not yet valid, missing.
/// Source: RFC 8914, sections 4.8, 4.9 and 4.11.
const SIGNATURE: [u16; 3] = [7, 8, 10];

/// Judges every public zone in which somebody wants a name.
pub fn judge_dnssec(world: &World<'_>, out: &mut Verdicts) {
    for zone in judged(world) {
        out.candidates.extend(broken(world, zone));
    }
}

/// What one resolver does with the names of a zone.
#[derive(Default)]
struct Resolver<'a> {
    unchecked: bool,
    questions: BTreeMap<(&'a DomainName, &'a str), Question<'a>>,
}

/// One name and type at one resolver. What it still holds of others proves nothing about this one.
#[derive(Default)]
struct Question<'a> {
    works: bool,
    failures: usize,
    shown: Option<&'a Observation>,
}

impl<'a> Resolver<'a> {
    fn works(&self) -> bool {
        self.questions.values().any(|one| one.works)
    }

    /// A look that fails although the answer is there. Where a name leads out of the zone, that may be the
    /// fault of the other one, unless nothing of this zone works.
    fn fails(&self, zone: &ZoneReading) -> Option<&'a Observation> {
        let mut bad = self.questions.iter().filter(|(_, one)| LOOKS <= one.failures && !one.works);
        let counts = |name: &DomainName| !self.works() || !leads_out(zone, name);
        bad.find(|((name, _), _)| self.unchecked && counts(name)).and_then(|(_, one)| one.shown)
    }
}

/// True if the resolver that was asked refuses the zone, or the one that users are led to in its place, for its
/// signatures.
#[must_use]
pub fn is_refused(world: &World<'_>, zone: &ZoneReading, seen: &Observation) -> bool {
    let zone = delegated_twin(world, zone).unwrap_or(zone);
    world.refusals().contains(&(zone.zone.id.clone(), Arc::clone(&seen.view), Arc::clone(&seen.server)))
}

/// A zone, and a resolver that refuses it for its signatures, by view and server.
pub type Refused = (ZoneId, Arc<str>, Arc<str>);

/// Which resolvers refuse which zones.
#[must_use]
pub fn refusals(world: &World<'_>) -> BTreeSet<Refused> {
    let mut out = BTreeSet::new();
    for zone in judged(world) {
        let all = resolvers(world, zone).into_iter().filter(|(_, one)| one.fails(zone).is_some());
        out.extend(all.map(|((view, server), _)| (zone.zone.id.clone(), view.into(), server.into())));
    }
    out
}

/// Public zones that users may be led to, of which a resolver fails to answer a name.
fn judged<'a, 's>(world: &'s World<'a>) -> impl Iterator<Item = &'a ZoneReading> + use<'a, 's> {
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    let zones = zones.filter(|zone| !zone.zone.private && world.fails_in(zone));
    zones.filter(|zone| delegated_twin(world, zone).is_none())
}

fn leads_out(zone: &ZoneReading, name: &DomainName) -> bool {
    // A label that was made up has the record of its wildcard.
    let wildcard = name.wildcard_sibling().filter(|_| zone.at(name).is_empty());
    let sets = zone.at(wildcard.as_ref().unwrap_or(name));
    let hosts = sets.iter().filter(|set| set.record_type == RecordType::Cname);
    hosts.flat_map(|set| set.content.hosts()).any(|host| !host.is_within(&zone.zone.name))
}

fn broken<'a>(world: &World<'a>, zone: &'a ZoneReading) -> Option<Candidate> {
    if is_known_unsigned(world, zone) {
        return None;
    }
    let resolvers = resolvers(world, zone);
    let bad: Vec<&Observation> = resolvers.values().filter_map(|one| one.fails(zone)).collect();
    let seen_at = bad.iter().map(|seen| seen.at).max()?;
    // What users get is read from the public view, where it is asked.
    let judged = || resolvers.iter().filter(|(_, one)| one.works() || one.fails(zone).is_some());
    let of_public = judged().any(|((view, _), _)| *view == "public");
    let mut heard = judged().filter(|((view, _), _)| !of_public || *view == "public");
    let is_down = heard.all(|(_, one)| one.fails(zone).is_some());
    let impact = if is_down { Impact::Down } else { Impact::Degraded };
    let reason = reason(world, zone, &bad);
    let key = FindingKey {
        subject: Subject::Zone(zone.zone.name.clone()),
        zone_id: Some(zone.zone.id.clone()),
        instance: None,
        kind: Kind::DnssecBroken,
    };
    let mut candidate = Candidate::new(key, reason, impact, seen_at);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
    candidate.evidence = bad.iter().map(|seen| describe(seen)).collect();
    candidate.below = zones_below(world, zone);
    describe_zone(world, zone, &mut candidate);
    Some(candidate)
}

/// Resolvers whose control name works, asked for names that somebody wants in the zone.
fn resolvers<'a>(world: &World<'a>, zone: &'a ZoneReading) -> BTreeMap<(&'a str, &'a str), Resolver<'a>> {
    let mut out: BTreeMap<(&str, &str), Resolver<'_>> = BTreeMap::new();
    let names: BTreeSet<_> = wants_led_to(world, zone).into_iter().map(|want| &want.name).collect();
    for seen in names.into_iter().flat_map(|name| questions(world, name)) {
        if seen.vantage != Vantage::Recursive || !world.control_works(seen) {
            continue;
        }
        let resolver = out.entry((&seen.view, &seen.server)).or_default();
        let said = matches!(seen.outcome, Outcome::Answer | Outcome::Nodata | Outcome::Nxdomain);
        if seen.cd {
            resolver.unchecked |= said;
            continue;
        }
        let row = resolver.questions.entry((&seen.name, &seen.record_type)).or_default();
        row.works |= said;
        if seen.outcome == Outcome::Servfail {
            row.failures += 1;
            row.shown = Some(seen);
        }
    }
    out
}

fn reason(world: &World<'_>, zone: &ZoneReading, bad: &[&Observation]) -> Reason {
    let parent = ds_at_parent(world, zone);
    let Some(dnssec) = &zone.zone.dnssec else { return by_error(bad) };
    let held = |record: &Arc<str>| parent.contains(&normal_ds(record));
    if !parent.is_empty() && !dnssec.published().any(held) {
        return Reason::DsMismatch;
    }
    // The parent may be right about a key that cannot sign.
    if dnssec.cannot_sign() || !parent.is_empty() && !dnssec.ds_records.iter().any(held) {
        return Reason::SigningError;
    }
    by_error(bad)
}

fn by_error(bad: &[&Observation]) -> Reason {
    let codes = bad.iter().filter_map(|seen| seen.ede.as_ref()).map(|error| error.code);
    let mut codes = codes.peekable();
    if codes.peek().is_some() && codes.all(|code| SIGNATURE.contains(&code)) {
        Reason::SigningError
    } else {
        Reason::ValidationFails
    }
}

/// True if the zone does not sign and its parent has no DS for it: nobody looks for signatures, and what fails lies above
/// it, or where its names lead.
fn is_known_unsigned(world: &World<'_>, zone: &ZoneReading) -> bool {
    let is_signed = zone.zone.dnssec.as_ref().is_none_or(Dnssec::is_signed);
    let seen = world.told(&zone.zone.name);
    let mut asked = seen.filter(|one| one.vantage == Vantage::Parent && &*one.record_type == "DS").peekable();
    !is_signed && asked.peek().is_some() && asked.all(|one| one.outcome == Outcome::Nodata)
}

fn ds_at_parent(world: &World<'_>, zone: &ZoneReading) -> BTreeSet<String> {
    let seen = world.told(&zone.zone.name);
    let asked = seen.filter(|seen| seen.vantage == Vantage::Parent && &*seen.record_type == "DS");
    let records = asked.flat_map(|seen| &*seen.answers).filter(|record| &*record.record_type == "DS");
    records.map(|record| normal_ds(&record.data)).collect()
}

/// Tag, algorithm and digest type as they are; the digest may be broken by blanks and in any case.
fn normal_ds(text: &str) -> String {
    let mut words = text.split_whitespace();
    let head: Vec<&str> = words.by_ref().take(3).collect();
    format!("{} {}", head.join(" "), words.collect::<String>().to_ascii_uppercase())
}

fn describe(seen: &Observation) -> String {
    let error = seen.ede.as_ref().map(|error| {
        format!(" (extended error {}: {})", error.code, crate::model::text::printable(&error.text))
    });
    format!(
        "{} fails for {} and answers it with checking disabled{}",
        crate::model::text::printable(&seen.server),
        seen.name,
        error.unwrap_or_default()
    )
}

fn describe_zone(world: &World<'_>, zone: &ZoneReading, candidate: &mut Candidate) {
    let name = &zone.zone.name;
    let parent: Vec<String> = ds_at_parent(world, zone).into_iter().collect();
    if !parent.is_empty() {
        candidate.evidence.push(format!("DS at the parent: {}", parent.join(", ")));
    }
    let own: Vec<&str> = zone.zone.dnssec.iter().flat_map(Dnssec::published).map(|one| &**one).collect();
    let own = own.join(", ");
    let own = crate::model::text::printable(&own);
    let why = match candidate.reason {
        Reason::DsMismatch if own.is_empty() => "the parent has a DS record, and the zone is not signed",
        Reason::DsMismatch => "the DS record at the parent fits no key of the zone",
        Reason::SigningError => "Route 53 cannot sign the zone",
        _ => "its signatures do not validate",
    };
    candidate.summary = format!("Validating resolvers refuse {name}: {why}.");
    candidate.fix = Fix {
        summary: match candidate.reason {
            Reason::DsMismatch if own.is_empty() => {
                format!("Remove the DS records of {name} at the parent: the zone is not signed.")
            }
            Reason::DsMismatch => format!("Set the DS record of {name} at the parent to {own}."),
            _ => format!("Look at the key-signing keys of {name} and at their KMS keys."),
        },
        commands: vec![format!("aws route53 get-dnssec --hosted-zone-id {}", zone.zone.id)],
        ..Fix::default()
    };
}

#[cfg(test)]
mod tests {
    use super::normal_ds;

    #[test]
    fn a_ds_record_is_the_same_in_every_spelling() {
        let plain = "28571 13 2 4860C1710DE466BC";
        for spelling in ["28571 13 2 4860c1710de466bc", " 28571  13 2 4860C171 0DE466BC "] {
            assert_eq!(normal_ds(spelling), plain);
        }
        assert_ne!(normal_ds("28571 13 1 4860C1710DE466BC"), plain);
    }
}
