//! The comparison: four views and the past in, statements out. Pure and total.
//!
//! A view that could not be read yields no statement about it: absence of knowledge is not drift.
//! Confirmation, windows and states over time are the business of [`crate::history`].

pub mod after;
pub mod answer_class;
pub mod apex;
pub mod association;
pub mod assumed;
pub mod blind;
pub mod bursts;
pub mod causes;
pub mod claimable;
pub mod delegation;
pub mod deletions;
pub mod dnssec;
pub mod dynamics;
pub mod explain;
pub mod feed;
pub mod fix;
pub mod followers;
pub mod hearsay;
pub mod instances;
pub mod labels;
pub mod ladder;
pub mod leftovers;
pub mod live;
pub mod lookups;
pub mod mended;
pub mod mismatch;
pub mod mute;
pub mod notes;
pub mod objects;
pub mod owner;
pub mod published;
pub mod resolvers;
pub mod severity;
pub mod show;
pub mod solvers;
pub mod strangers;
pub mod target;
pub mod texts;
pub mod told;
pub mod unheard;
pub mod verdict;
pub mod wildcard;
pub mod wishes;
pub mod world;
pub mod written;
pub mod wrong_zone;

pub use verdict::{Candidate, Coverage, Verdicts};

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::finding::{Impact, Kind, Reason, SilentReason, Subject};
use crate::model::instance::PodHealth;
use crate::model::want::InstanceWants;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ZoneId};
use crate::past::{Past, lists_are_whole, unread_kinds};
use crate::policy::Policy;
use crate::report::Silent;
use crate::snapshot::{Snapshot, ViewName, ViewState};

/// Compares one snapshot with itself and with the past.
///
/// At most one statement for each subject and zone; sorted by key.
#[must_use]
pub fn compare(snapshot: &Snapshot, wants: &[InstanceWants], past: &Past, policy: &Policy) -> Verdicts {
    let (snapshot, lost) = without_old_zones(snapshot, past, policy);
    let snapshot = &*apex::with_zones_above(snapshot, wants);
    let world = World::new(snapshot, wants, past, policy);
    let mut out = Verdicts {
        coverage: Coverage {
            blind: blind_views(snapshot, past, policy),
            lost,
            ahead: ahead(snapshot, past),
            dim: blind::dim_views(past, snapshot),
            unread_feeds: unread_feeds(snapshot, wants),
            ..coverage(snapshot, past)
        },
        ..Verdicts::default()
    };
    blind::judge_views(&world, &mut out);
    if snapshot.kubernetes.is_whole() || snapshot.kubernetes.state == ViewState::Read {
        let refused: Vec<_> = wants.iter().map(|one| feed::refusals(&world, one)).collect();
        for (zone, wanted) in world.zone_by_zone() {
            wishes::judge_wants(&world, &wanted, &refused, &mut out);
            notes::about_wants(&world, &wanted, &mut out);
            if let Some(zone) = zone {
                notes::about_zone(&world, zone, &mut out);
            }
        }
        for (one, refused) in wants.iter().zip(&refused) {
            objects::judge_objects(&world, one, &mut out);
            wildcard::empty_non_terminals(&world, one, &mut out);
            let before = out.candidates.len();
            after::orphans(&world, one, &mut out.candidates);
            note_windows(&mut out, before);
            if out.coverage.kubernetes {
                let before = out.candidates.len();
                leftovers::stale_records(&world, one, &mut out.candidates);
                note_windows(&mut out, before);
                note_kept(&mut out, before);
            }
            deletions::refused_deletions(&world, one, refused, &mut out.candidates);
            instances::judge_instance(&world, one, &mut out);
        }
        if out.coverage.kubernetes {
            for zone in world.zones().into_iter().flat_map(|zones| zones.zones.values()) {
                let before = out.candidates.len();
                leftovers::dangling_records(&world, zone, &mut out.candidates);
                leftovers::ownerless_records(&world, zone, &mut out.candidates);
                note_windows(&mut out, before);
            }
        }
        delegation::judge_delegations(&world, &mut out);
        dnssec::judge_dnssec(&world, &mut out);
        association::judge_associations(&world, &mut out);
        dynamics::judge_dynamics(&world, &mut out);
        notes::list_silent(&world, &mut out);
    } else {
        // What was wanted when the cluster was last read, and nobody can judge now.
        let own = wants.iter().flat_map(|one| &one.wants).filter(|want| policy.owns(want)).count();
        (out.names, out.unknown) = (own, own);
    }
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    out.candidates.extend(zones.filter_map(|zone| after::zone_quota(&world, zone)));
    out.mutes = mute::list(&world);
    out.candidates = one_for_each_subject(&world, std::mem::take(&mut out.candidates));
    leftover_in_wrong_zone(&mut out.candidates);
    for candidate in &mut out.candidates {
        finish(&world, candidate, &mut out.silent);
    }
    out.silent = in_order(std::mem::take(&mut out.silent));
    out
}

/// Rows in their order, each once. There are many, and most differ in the first letters of their names: held beside the
/// row, these are compared without a wait for memory.
fn in_order(rows: Vec<Silent>) -> Vec<Silent> {
    let mut rows: Vec<(u128, Silent)> = rows.into_iter().map(|row| (beginning(&row.subject), row)).collect();
    rows.sort_by(|one, other| one.0.cmp(&other.0).then_with(|| one.1.cmp(&other.1)));
    rows.dedup();
    rows.into_iter().map(|(_, row)| row).collect()
}

/// A number that is the smaller, the earlier a subject comes; the same for some that differ.
fn beginning(subject: &Subject) -> u128 {
    let Subject::Record(key) = subject else { return u128::MAX };
    let mut begin = [0; 16];
    for (to, from) in begin.iter_mut().zip(key.name.as_str().bytes()) {
        *to = from;
    }
    u128::from_be_bytes(begin)
}

/// Left-overs that wait for their window are listed as silent.
fn note_windows(out: &mut Verdicts, from: usize) {
    let new = out.candidates.get(from..).unwrap_or_default();
    let waits = new.iter().filter_map(|candidate| {
        let window = candidate.window.as_ref()?;
        let detail = format!("{} ({}) until {}", candidate.key.kind, candidate.reason, window.until);
        Some(Silent { subject: candidate.key.subject.clone(), reason: window.reason, detail })
    });
    out.silent.extend(waits.collect::<Vec<_>>());
}

/// A left-over that the policy keeps is listed beside its finding, whatever sort of left-over it is.
fn note_kept(out: &mut Verdicts, from: usize) {
    let new = out.candidates.get(from..).unwrap_or_default();
    let kept = new.iter().filter(|candidate| candidate.reason == Reason::PolicyKeeps);
    let kept = kept.map(|candidate| Silent {
        subject: candidate.key.subject.clone(),
        reason: SilentReason::PolicyLeftover,
        detail: "the policy of the instance never deletes".to_owned(),
    });
    out.silent.extend(kept.collect::<Vec<_>>());
}

/// What was read too long ago proves nothing any more, and neither does what has been unreadable for
/// so long that the view is stated as blind: such a zone counts as not read.
fn without_old_zones<'a>(
    snapshot: &'a Snapshot,
    past: &Past,
    policy: &Policy,
) -> (Cow<'a, Snapshot>, BTreeSet<ZoneId>) {
    let bound = signed(policy.zone_age.max(policy.interval.saturating_mul(3)));
    let blind = |scope: &str| {
        let blind = past.blind.get(&(ViewName::Route53, scope.to_owned()));
        blind.is_some_and(|blind| !blind.is_aside && blind.is_stated(policy.blind_cycles))
    };
    let all_blind = snapshot.route53.state != ViewState::Read && blind("all");
    let is_old = |reading: &ZoneReading| {
        let age = reading.read_at.map(|at| snapshot.at.duration_since(at)).unwrap_or_default();
        // A problem of a zone may concern less than its records: what was just read counts.
        let unreadable = signed(policy.interval) < age && blind(reading.zone.id.as_str());
        all_blind || unreadable || bound < age
    };
    let Some(zones) = snapshot.route53.value().filter(|zones| zones.zones.values().any(is_old)) else {
        return (Cow::Borrowed(snapshot), BTreeSet::new());
    };
    let mut zones = zones.clone();
    let mut lost = BTreeSet::new();
    for reading in zones.zones.values_mut().filter(|reading| is_old(reading)) {
        reading.record_sets = None;
        lost.insert(reading.zone.id.clone());
    }
    let mut fresh = snapshot.clone();
    fresh.route53.value = Some(Arc::new(zones));
    (Cow::Owned(fresh), lost)
}

/// Views of which nothing is known any more. Live answers that nobody asks for are as old as the last
/// round that did.
fn blind_views(snapshot: &Snapshot, past: &Past, policy: &Policy) -> BTreeSet<ViewName> {
    let mut views = blind::stated_views(past, snapshot, policy.blind_cycles);
    let is_unasked = snapshot.dns.state == ViewState::Off || past.is_unasked(policy.blind_cycles);
    if is_unasked && snapshot.dns.state != ViewState::Read && snapshot.dns.problems.is_empty() {
        views.insert(ViewName::Dns);
    }
    views
}

/// Names whose records changed in a round after the cluster was last heard of. Only a change that was
/// seen counts: how long a record has been as it was at the first look is not known.
fn ahead(snapshot: &Snapshot, past: &Past) -> BTreeSet<(ZoneId, DomainName)> {
    let Some(heard) = snapshot.kubernetes.read_at else { return BTreeSet::new() };
    let changed = past.names.records().filter(|(_, held)| {
        1 < held.sightings.len() && held.sightings.last().is_some_and(|last| heard < last.since)
    });
    changed.map(|(name, held)| (held.place.clone(), name.clone())).collect()
}

fn coverage(snapshot: &Snapshot, past: &Past) -> Coverage {
    let whole_list = snapshot.route53.state == ViewState::Read;
    let zones = snapshot.route53.value().into_iter().flat_map(|zones| zones.zones.values());
    // A problem with the zone's DNSSEC or quota is no problem with its records.
    let is_read = |reading: &ZoneReading| whole_list && !reading.list_failed && reading.record_sets.is_some();
    let readable = zones.clone().filter(|reading| is_read(reading));
    let darkened = zones.clone().filter(|reading| !is_read(reading) && past.was_read(&reading.zone.id));
    let darkened: BTreeSet<ZoneId> = darkened.map(|reading| reading.zone.id.clone()).collect();
    let apexes = zones
        .clone()
        .filter(|_| !darkened.is_empty())
        .map(|reading| (reading.zone.id.clone(), (reading.zone.name.clone(), reading.zone.private)));
    Coverage {
        apexes: apexes.collect(),
        odd: snapshot.odd_objects().into_iter().collect(),
        darkened,
        kubernetes: lists_are_whole(snapshot),
        unread_kinds: unread_kinds(snapshot),
        zones: readable
            .map(|reading| (reading.zone.id.clone(), reading.read_at.unwrap_or(snapshot.at)))
            .collect(),
        listed: zones.clone().map(|reading| reading.zone.id.clone()).collect(),
        route53: whole_list && snapshot.accounts_read(),
        dns: snapshot.dns.state == ViewState::Read,
        ..Coverage::default()
    }
}

/// The instances of whose feed this round could read nothing, although there is one.
fn unread_feeds(snapshot: &Snapshot, wants: &[InstanceWants]) -> BTreeSet<Arc<str>> {
    let unread = wants.iter().filter(|one| is_feed_unread(snapshot, one));
    unread.map(|one| Arc::clone(&one.instance.id)).collect()
}

/// True if a log of the instance could not be read, or no feed at all.
fn is_feed_unread(snapshot: &Snapshot, wants: &InstanceWants) -> bool {
    snapshot.changes.state.is_missed()
        || snapshot.changes.problems.iter().any(|problem| {
            let log = problem.scope.strip_prefix("log ").unwrap_or(&problem.scope);
            let of = |pod: &PodHealth| log.starts_with(&format!("{}/{}/", pod.namespace, pod.name));
            matches!(&*problem.scope, "all" | "log") || wants.instance.pods.iter().any(of)
        })
}

/// A record in the zone that does not serve its name is the other half of that fault, no left-over
/// of its own.
fn leftover_in_wrong_zone(candidates: &mut Vec<Candidate>) {
    let misplaced: BTreeSet<Subject> = candidates
        .iter()
        .filter(|one| one.key.kind == Kind::WrongZone)
        .map(|one| one.key.subject.clone())
        .collect();
    candidates.retain(|one| one.key.kind != Kind::StaleRecord || !misplaced.contains(&one.key.subject));
}

/// Of several kinds on one subject the one with the lowest rank stays; the others become `also`.
fn one_for_each_subject(world: &World<'_>, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let flapping: BTreeSet<(Subject, Option<ZoneId>)> = candidates
        .iter()
        .filter(|one| one.key.kind == Kind::Flapping)
        .map(|one| (one.key.subject.clone(), one.key.zone_id.clone()))
        .collect();
    let flaps = |one: &Candidate| {
        !flapping.is_empty() && flapping.contains(&(one.key.subject.clone(), one.key.zone_id.clone()))
    };
    // What waits for a window does not hold yet: of ownership and live kinds it must not hide one
    // that does. A wish or a record that is still settling does explain what lies below it, but for a
    // record that comes and goes: each of its states is new.
    let waits = |one: &Candidate| match one.key.kind {
        // A wildcard answers in the place of a record that comes and goes.
        kind if kind == Kind::WildcardShadow && flaps(one) => one.window.is_some() || is_news(world, one),
        kind if Kind::OwnerConflict <= kind => one.window.is_some(),
        kind if Kind::MissingRecord <= kind => flaps(one) && (one.window.is_some() || is_news(world, one)),
        _ => false,
    };
    // Of two that say the same the graver one stays: two instances may have one id.
    candidates.sort_by(|left, right| {
        let order = |one: &Candidate| (waits(one), one.key.kind, Reverse(one.severity), one.reason);
        (&left.key.subject, &left.key.zone_id, order(left)).cmp(&(
            &right.key.subject,
            &right.key.zone_id,
            order(right),
        ))
    });
    let harms = harms(world, &candidates);
    let mut kept: BTreeMap<Place, Candidate> = BTreeMap::new();
    for candidate in candidates {
        let place = (candidate.key.subject.clone(), candidate.key.zone_id.clone());
        match kept.get_mut(&place) {
            // What is muted for one instance is not for another.
            Some(first) if speaks_for(world, first, &candidate) => {
                let also = std::mem::take(&mut first.also);
                *first = Candidate { also, ..candidate };
            }
            Some(first) => {
                // An object may concern other names for each instance.
                if first.key.kind == candidate.key.kind {
                    first.take_names(&candidate, |_| true);
                }
                let also = crate::report::Also { kind: candidate.key.kind, reason: candidate.reason };
                if first.key.kind != also.kind && !first.also.contains(&also) {
                    first.also.push(also);
                }
            }
            None => {
                kept.insert(place, candidate);
            }
        }
    }
    for (place, impact) in harms {
        if let Some(first) = kept.get_mut(&place).filter(|first| first.impact.weight() < impact.weight()) {
            first.beside = Some(impact);
        }
    }
    kept.into_values().collect()
}

/// A subject and its zone.
type Place = (Subject, Option<ZoneId>);

/// What users get by the live kinds that hold for a name beside what is told first of it: impact is a matter of
/// what DNS answers, whatever the kind. What a fault of the whole zone explains is told there. Source: findings.md
/// section 6.
///
/// `candidates` are sorted by subject and zone. Nearly all live findings stand alone, all those of an outage of
/// resolvers among them: only beside a milder one is anything looked up.
fn harms(world: &World<'_>, candidates: &[Candidate]) -> BTreeMap<Place, Impact> {
    let is_harm = |one: &Candidate| {
        one.key.kind.is_live() && one.window.is_none() && Impact::Degraded.weight() < one.impact.weight()
    };
    let is_told_by =
        |outer: &Candidate, live: &Candidate| explain::explains((outer, world.at()), (live, world.at()));
    let is_wide = |one: &&Candidate| !matches!(one.key.subject, Subject::Record(_));
    let wide: Vec<&Candidate> = candidates.iter().filter(is_wide).collect();
    let place = |one: &Candidate| (one.key.subject.clone(), one.key.zone_id.clone());
    let of_one_place = candidates.chunk_by(|one, other| {
        (&one.key.subject, &one.key.zone_id) == (&other.key.subject, &other.key.zone_id)
    });
    let several = of_one_place.filter(|here| 1 < here.len());
    let harms = several.flat_map(|here| here.iter().filter(|one| is_harm(one)));
    let alone = harms.filter(|live| !wide.iter().any(|outer| is_told_by(outer, live)));
    let mut worst: BTreeMap<Place, Impact> = BTreeMap::new();
    for live in alone {
        let impact = worst.entry(place(live)).or_insert(live.impact);
        if impact.weight() < live.impact.weight() {
            *impact = live.impact;
        }
    }
    worst
}

/// True if the second statement says the same and nobody asked for quiet about it.
fn speaks_for(world: &World<'_>, first: &Candidate, second: &Candidate) -> bool {
    first.key.kind == second.key.kind
        && first.severity == second.severity
        && mute::of(world, first).is_some()
        && mute::of(world, second).is_none()
}

/// True if the record has been as it is for less than two looks.
fn is_news(world: &World<'_>, candidate: &Candidate) -> bool {
    let place = candidate.key.zone_id.as_ref().zip(candidate.key.subject.record());
    let last = place.and_then(|(zone, key)| world.past.names.record(zone, key).last());
    last.is_some_and(|last| world.at().duration_since(last.since) < world.policy.cycle())
}

/// Labels and mutes, which every statement about an object shares.
fn finish(world: &World<'_>, candidate: &mut Candidate, silent: &mut Vec<Silent>) {
    let cluster = world.snapshot.kubernetes.value();
    let object = candidate.object.as_ref().and_then(|reference| cluster?.objects.get(reference));
    if let Some(object) = object {
        candidate.labels = labels::labels_of(world, object);
    }
    hearsay::attach(world, candidate);
    if let Some((mute, reason, detail)) = mute::of(world, candidate) {
        silent.push(Silent { subject: candidate.key.subject.clone(), reason, detail });
        candidate.muted = Some(mute);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RecordKey, RecordType};

    #[test]
    fn rows_come_in_the_order_of_their_subjects_and_once() {
        let of =
            |subject: Subject| Silent { subject, reason: SilentReason::ValueOrder, detail: String::new() };
        let named = |name: &str| {
            let name = DomainName::new(name);
            of(Subject::Record(RecordKey { name, record_type: RecordType::A, set_identifier: None }))
        };
        let long = "a-name-of-more-than-sixteen-letters";
        let names = ["b.example.com", "a", &format!("{long}-2"), "", &format!("{long}-1"), "a.b", "a-b", "a"];
        let mut rows: Vec<Silent> = names.into_iter().map(named).collect();
        rows.insert(2, of(Subject::Zone(DomainName::new("a.example.com"))));
        rows.insert(0, of(Subject::Instance("a".into())));
        let mut sorted = rows.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(in_order(rows), sorted);
    }
}
