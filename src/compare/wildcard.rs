//! Wildcards that answer where they should not, and wildcards that cannot answer. Pure.
//!
//! Source: findings.md, kind `wildcard_shadow`; RFC 4592 for closest enclosers and empty
//! non-terminals.

use std::collections::BTreeMap;

use crate::compare::live::{Match, expected, judge};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::record::{RecordKey, RecordSet, RecordType};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ZoneId};
use crate::report::Fix;

/// The wildcard set that answers for a name without a set of its own, if it leads elsewhere.
#[must_use]
pub fn answers_elsewhere<'a>(want: &Want, zone: &'a ZoneReading) -> Option<&'a RecordSet> {
    let mut answering = covering(&want.name, zone)
        .iter()
        .filter(|set| set.record_type == want.record_type || set.record_type.as_str() == "CNAME");
    answering.find(|set| set.content != want.content)
}

/// True if a wildcard leads those who ask for a name without a set of its own to the wanted host names.
#[must_use]
pub fn is_covered(want: &Want, zone: &ZoneReading) -> bool {
    let wanted = want.content.hosts();
    let leads = |set: &RecordSet| set.record_type == want.record_type || set.record_type == RecordType::Cname;
    let mut sets = covering(&want.name, zone).iter().filter(|set| leads(set));
    !wanted.is_empty() && sets.any(|set| set.content.hosts() == wanted)
}

/// The sets of the wildcard that answers for a name without a set of its own; empty where none does.
#[must_use]
pub fn covering<'a>(name: &DomainName, zone: &'a ZoneReading) -> &'a [RecordSet] {
    let wildcard = if zone.at(name).is_empty() { above(name, zone) } else { &[] };
    // Looked at last: hardly any name has a wildcard above it.
    let Some(base) = wildcard.first().and_then(|set| set.name.parent()) else { return &[] };
    let exists = |name: &str| zone.is_empty_non_terminal(&DomainName::new(name));
    if name.suffixes().take_while(|name| *name != base.as_str()).any(exists) { &[] } else { wildcard }
}

/// The sets of the wildcard that would answer for a name if it had no set of its own, and made no name above it
/// exist.
#[must_use]
pub fn above<'a>(name: &DomainName, zone: &'a ZoneReading) -> &'a [RecordSet] {
    if name.is_wildcard() {
        return &[];
    }
    let mut name = name.clone();
    loop {
        let above = name.parent().filter(|above| above.is_within(&zone.zone.name));
        let Some((above, sibling)) = above.zip(name.wildcard_sibling()) else { return &[] };
        let wildcard = zone.at(&sibling);
        // Where the closest encloser exists, no wildcard further up answers.
        if !wildcard.is_empty() || !zone.at(&above).is_empty() {
            return wildcard;
        }
        name = above;
    }
}

/// Names between a wildcard and a deeper name: they exist because the deeper one does, hold nothing,
/// and the wildcard no longer answers for them.
pub fn empty_non_terminals(world: &World<'_>, wants: &InstanceWants, out: &mut Verdicts) {
    let mut bases: BTreeMap<(ZoneId, DomainName), &Want> = BTreeMap::new();
    for want in wants.wants.iter().filter(|want| want.name.is_wildcard() && !want.companion) {
        let recorded = want
            .zone_id()
            .and_then(|id| world.zone(id))
            .is_some_and(|zone| zone.at(&want.name).iter().any(|set| set.record_type == want.record_type));
        if let (true, Some(id), Some(base)) = (recorded, want.zone_id(), want.name.parent()) {
            bases.entry((id.clone(), base)).or_insert(want);
        }
    }
    if bases.is_empty() {
        return;
    }
    let mut found: BTreeMap<(ZoneId, DomainName), (&Want, DomainName)> = BTreeMap::new();
    for want in world.wants.iter().flat_map(|one| &one.wants) {
        let Some(zone) = want.zone_id().and_then(|id| world.zone(id)) else { continue };
        if zone.at(&want.name).is_empty() {
            continue;
        }
        if let Some((wildcard, hole)) = hole_above(world, want, zone, &bases) {
            found.entry((zone.zone.id.clone(), hole)).or_insert_with(|| (wildcard, want.name.clone()));
        }
    }
    for ((id, hole), (wildcard, by)) in found {
        let Some(zone) = world.zone(&id) else { continue };
        out.candidates.push(hidden(world, wants, wildcard, zone, hole, &by));
    }
}

/// The name directly under the base of the nearest wanted wildcard, if it holds nothing.
fn hole_above<'a>(
    world: &World<'_>,
    want: &Want,
    zone: &ZoneReading,
    bases: &BTreeMap<(ZoneId, DomainName), &'a Want>,
) -> Option<(&'a Want, DomainName)> {
    let mut hole = want.name.parent()?;
    loop {
        let base = hole.parent().filter(|base| base.is_within(&zone.zone.name))?;
        if !zone.at(&hole).is_empty() || world.wants_at(&zone.zone.id, &hole).next().is_some() {
            return None;
        }
        if let Some(wildcard) = bases.get(&(zone.zone.id.clone(), base.clone())) {
            let target = expected(world, &wildcard.content, &wildcard.record_type);
            let mut seen = world.told(&hole);
            let served = seen.any(|answer| matches!(judge(answer, &target), Match::Right | Match::Unknown));
            return (!served).then_some((*wildcard, hole));
        }
        hole = base;
    }
}

fn hidden(
    world: &World<'_>,
    wants: &InstanceWants,
    wildcard: &Want,
    zone: &ZoneReading,
    hole: DomainName,
    by: &DomainName,
) -> Candidate {
    let summary = format!(
        "{by} makes {hole} exist without records, so the wildcard {} does not answer for it.",
        wildcard.name
    );
    let subject = RecordKey { name: hole, record_type: wildcard.record_type.clone(), set_identifier: None };
    let key = FindingKey {
        subject: Subject::Record(subject),
        zone_id: Some(zone.zone.id.clone()),
        instance: Some(wants.instance.id.clone()),
        kind: Kind::WildcardShadow,
    };
    let read_at = zone.read_at.unwrap_or(world.at());
    let mut candidate = Candidate::new(key, Reason::EmptyNonTerminal, Impact::None, read_at);
    candidate.object = wildcard.objects.first().cloned();
    candidate.desired = crate::compare::show::want(wildcard);
    candidate.summary = summary;
    candidate.fix = Fix {
        summary: "If that name should answer, ask for it with a host of its own.".to_owned(),
        ..Fix::default()
    };
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ZONE, zone_reading};
    use crate::model::record::{Content, Value};

    #[test]
    fn a_wildcard_answers_for_what_does_not_exist() {
        let set = |name: &str| RecordSet {
            name: DomainName::new(name),
            record_type: RecordType::A,
            set_identifier: None,
            routing: None,
            content: Content::values(300, [Value::new(&RecordType::A, "192.0.2.1")]),
            health_check_id: None,
        };
        let sets = ["example.com", "*.example.com", "x.a.b.example.com"].map(set).to_vec();
        let zone = zone_reading(ZONE, "example.com", sets);
        let covered = |name: &str| !covering(&DomainName::new(name), &zone).is_empty();
        assert!(covered("app.example.com") && covered("app.c.example.com"));
        for name in [
            "x.a.b.example.com",
            "b.example.com",
            "a.b.example.com",
            "app.b.example.com",
            "y.a.b.example.com",
        ] {
            assert!(!covered(name), "{name}");
        }
        // What a deeper name answered before it had a record is not known from the zone of today.
        assert!(!above(&DomainName::new("x.a.b.example.com"), &zone).is_empty());
    }
}
