//! The comparison: four views and the past in, statements out. Pure and total.
//!
//! A view that could not be read yields no statement about it: absence of knowledge is not drift.
//! Confirmation, windows and states over time are the business of [`crate::history`].

pub mod after;
pub mod blind;
pub mod feed;
pub mod fix;
pub mod instances;
pub mod ladder;
pub mod leftovers;
pub mod live;
pub mod mismatch;
pub mod notes;
pub mod objects;
pub mod owner;
pub mod severity;
pub mod show;
pub mod verdict;
pub mod wishes;
pub mod world;

pub use verdict::{Candidate, Coverage, Verdicts};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::finding::{Kind, SilentReason, Subject};
use crate::model::want::InstanceWants;
use crate::model::zone::ZoneReading;
use crate::past::Past;
use crate::policy::Policy;
use crate::report::Silent;
use crate::snapshot::{Snapshot, ViewName, ViewState};

/// Compares one snapshot with itself and with the past.
///
/// At most one statement for each subject and zone; sorted by key.
#[must_use]
pub fn compare(snapshot: &Snapshot, wants: &[InstanceWants], past: &Past, policy: &Policy) -> Verdicts {
    let snapshot = &without_old_zones(snapshot, past, policy);
    let world = World::new(snapshot, wants, past, policy);
    let mut out = Verdicts { coverage: coverage(snapshot), ..Verdicts::default() };
    blind::judge_views(&world, &mut out);
    if snapshot.kubernetes.is_whole() || snapshot.kubernetes.state == ViewState::Read {
        for one in wants {
            wishes::judge_wants(&world, one, &mut out);
            objects::judge_objects(&world, one, &mut out);
            after::orphans(&world, one, &mut out.candidates);
            if out.coverage.kubernetes {
                leftovers::stale_records(&world, one, &mut out.candidates);
            }
            instances::judge_instance(&world, one, &mut out);
        }
        if out.coverage.kubernetes {
            for zone in world.zones().into_iter().flat_map(|zones| zones.zones.values()) {
                leftovers::dangling_records(&world, zone, &mut out.candidates);
            }
        }
        notes::list_silent(&world, &mut out);
    }
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    out.candidates.extend(zones.filter_map(|zone| after::zone_quota(&world, zone)));
    out.candidates = one_for_each_subject(std::mem::take(&mut out.candidates));
    for candidate in &mut out.candidates {
        finish(&world, candidate, &mut out.silent);
    }
    out
}

/// What was read too long ago proves nothing any more, and neither does what has been unreadable for
/// so long that the view is stated as blind: such a zone counts as not read.
fn without_old_zones<'a>(snapshot: &'a Snapshot, past: &Past, policy: &Policy) -> Cow<'a, Snapshot> {
    let bound = signed(policy.zone_age.max(policy.interval.saturating_mul(3)));
    let blind = |scope: &str| {
        let blind = past.blind.get(&(ViewName::Route53, scope.to_owned()));
        blind.is_some_and(|blind| policy.blind_cycles < blind.cycles)
    };
    let all_blind = snapshot.route53.state != ViewState::Read && blind("all");
    let is_old = |reading: &ZoneReading| {
        let age = reading.read_at.map(|at| snapshot.at.duration_since(at)).unwrap_or_default();
        // A problem of a zone may concern less than its records: what was just read counts.
        let unreadable = signed(policy.interval) < age && blind(reading.zone.id.as_str());
        all_blind || unreadable || bound < age
    };
    let Some(zones) = snapshot.route53.value().filter(|zones| zones.zones.values().any(is_old)) else {
        return Cow::Borrowed(snapshot);
    };
    let mut zones = zones.clone();
    for reading in zones.zones.values_mut().filter(|reading| is_old(reading)) {
        reading.record_sets = None;
    }
    let mut fresh = snapshot.clone();
    fresh.route53.value = Some(Arc::new(zones));
    Cow::Owned(fresh)
}

fn coverage(snapshot: &Snapshot) -> Coverage {
    let whole_list = snapshot.route53.state == ViewState::Read;
    let zones = snapshot.route53.value().into_iter().flat_map(|zones| zones.zones.values());
    let readable = zones.filter(|reading| {
        let spoiled =
            snapshot.route53.problems.iter().any(|problem| problem.scope == reading.zone.id.as_str());
        whole_list && !spoiled && reading.record_sets.is_some()
    });
    Coverage {
        kubernetes: snapshot.kubernetes.state == ViewState::Read && !spoils_objects(snapshot),
        zones: readable
            .map(|reading| (reading.zone.id.clone(), reading.read_at.unwrap_or(snapshot.at)))
            .collect(),
        route53: whole_list && snapshot.accounts_read(),
        dns: snapshot.dns.state == ViewState::Read,
    }
}

/// A problem with a whole kind of objects; one odd object spoils only itself.
fn spoils_objects(snapshot: &Snapshot) -> bool {
    snapshot.kubernetes.problems.iter().any(|problem| !problem.scope.contains('/'))
}

/// Of several kinds on one subject the one with the lowest rank stays; the others become `also`.
fn one_for_each_subject(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|left, right| {
        (&left.key.subject, &left.key.zone_id, left.key.kind).cmp(&(
            &right.key.subject,
            &right.key.zone_id,
            right.key.kind,
        ))
    });
    let mut kept: BTreeMap<(Subject, Option<crate::model::ZoneId>), Candidate> = BTreeMap::new();
    for candidate in candidates {
        let place = (candidate.key.subject.clone(), candidate.key.zone_id.clone());
        match kept.get_mut(&place) {
            Some(first) => {
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
    kept.into_values().collect()
}

/// Labels, opt-outs and maintenance, which every statement about an object shares.
fn finish(world: &World<'_>, candidate: &mut Candidate, silent: &mut std::collections::BTreeSet<Silent>) {
    let cluster = world.snapshot.kubernetes.value();
    let object = candidate.object.as_ref().and_then(|reference| cluster?.objects.get(reference));
    if let Some(object) = object {
        candidate.labels = wishes::labels_of(world, object);
        candidate.muted = opt_out(&object.annotations, candidate.key.kind, world.at());
    }
    let mut quiet = |reason, detail: &str| {
        silent.insert(Silent { subject: candidate.key.subject.clone(), reason, detail: detail.to_owned() });
    };
    if candidate.muted.is_some() {
        quiet(SilentReason::OptedOut, "the dns-drift/mute annotation of the object");
    }
    if candidate.key.kind != Kind::ObserverBlind
        && world.policy.in_maintenance(candidate.key.instance.as_ref(), world.at())
    {
        quiet(SilentReason::Maintenance, "a declared maintenance period");
        candidate.muted = Some(None);
    }
}

/// Reads `dns-drift/mute` and `dns-drift/mute-until`.
#[expect(clippy::option_option, reason = "the outer one says whether, the inner one until when")]
fn opt_out(annotations: &BTreeMap<String, String>, kind: Kind, now: Timestamp) -> Option<Option<Timestamp>> {
    let kinds = annotations.get("dns-drift/mute")?;
    let named = kinds.split(',').map(str::trim).any(|word| word == "all" || word == kind.as_str());
    let until =
        annotations.get("dns-drift/mute-until").and_then(|text| text.trim().parse::<Timestamp>().ok());
    (named && until.is_none_or(|until| now < until)).then_some(until)
}
