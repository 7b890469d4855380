//! Findings about a whole instance: it does not run, it fails, its flags read nothing, its names
//! vanish. Pure.

mod explain;
mod failing;
mod filters;
mod owners;
mod prefix;
mod rbac;
mod shared;
mod stalled;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::compare::instances::prefix::rows;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::change::FeedSource;
use crate::model::record::RecordKey;
use crate::model::want::InstanceWants;
use crate::model::{DomainName, RecordType};
use crate::report::{Also, Fix};
use crate::snapshot::ViewName;

/// How long a burst of lost wishes counts.
const BURST_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Judges one instance.
pub fn judge_instance(world: &World<'_>, wants: &InstanceWants, out: &mut Verdicts) {
    let found = instance_fault(world, wants);
    let flipped = found.as_ref().is_some_and(|one| one.reason == Reason::AnnotationPrefixFlip);
    prefix::unread_objects(world, wants, flipped, out);
    let burst = mass_deletion(world, wants);
    for mut candidate in found.into_iter().chain(burst) {
        if candidate.impact == Impact::Latent {
            candidate.impact = explain::worst_impact(&candidate, wants, out);
        }
        explain::explain(&candidate, wants, out);
        let cause = candidate.cause.clone();
        out.candidates.push(candidate.caused_by(cause));
    }
}

/// The fault with the lowest rank; the others that hold besides are attached to it.
fn instance_fault(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let wrong_flags = misconfigured(world, wants);
    let fails = failing::failing(world, wants);
    let stalled = stalled::stalled(world, wants, fails.as_ref());
    let mut all = stalled.into_iter().chain(fails).chain(wrong_flags);
    let mut first = all.next()?;
    first.also = all.map(|other| Also { kind: other.key.kind, reason: other.reason }).collect();
    Some(first)
}

/// Flags that contradict what is there, the cause before its consequences.
fn misconfigured(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let rules: [fn(&World<'_>, &InstanceWants) -> Option<Candidate>; 9] = [
        filters::policy_missing,
        filters::domain_filter_quoted,
        filters::zone_filter_matches_nothing,
        prefix::prefix_flip,
        rbac::watch_missing,
        owners::txt_affix_changed,
        owners::owner_id_changed,
        shared::owner_id_shared,
        owners::overlapping_instances,
    ];
    rules.into_iter().find_map(|rule| rule(world, wants))
}

fn start(world: &World<'_>, wants: &InstanceWants, kind: Kind, reason: Reason, impact: Impact) -> Candidate {
    let key = FindingKey {
        subject: Subject::instance(&wants.instance),
        zone_id: None,
        instance: Some(wants.instance.id.clone()),
        kind,
    };
    let mut candidate = Candidate::new(key, reason, impact, world.at());
    candidate.object.clone_from(&wants.instance.workload);
    candidate.rests_on = &[ViewName::Kubernetes];
    candidate
}

/// True if the line was written by a Pod of the instance.
fn wrote(wants: &InstanceWants, source: &FeedSource) -> bool {
    match source {
        FeedSource::Log { namespace, pod, .. } => {
            wants.instance.pods.iter().any(|health| health.namespace == *namespace && health.name == *pod)
        }
        FeedSource::CloudTrail { .. } => false,
    }
}

/// The longest zone of the instance that the name lies in.
fn zone_of(world: &World<'_>, wants: &InstanceWants, name: &DomainName) -> Option<DomainName> {
    let zones = wants.zones.iter().filter_map(|id| world.zone(id)).map(|reading| &reading.zone.name);
    zones.filter(|zone| name.is_within(zone)).max_by_key(|zone| zone.as_str().len()).cloned()
}

/// A large share of the wishes vanished in one round and has not come back.
fn mass_deletion(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let wanted: BTreeSet<RecordKey> = wants.wants.iter().map(crate::model::want::Want::key).collect();
    // By zone: a burst in one zone must not drown in the names of another.
    let mut lost: BTreeMap<(Timestamp, Option<DomainName>), Vec<&RecordKey>> = BTreeMap::new();
    let mine = world.past.wishes.iter().filter(|((instance, _), _)| *instance == wants.instance.id);
    let spans: Vec<(&RecordKey, Timestamp, Timestamp)> = mine
        .filter_map(|((_, key), sightings)| Some((key, sightings.first()?.since, sightings.last()?.until)))
        .collect();
    for (key, _, until) in spans.iter().filter(|(key, _, _)| !wanted.contains(*key)) {
        if world.at().duration_since(*until) < BURST_LIFE + BURST_LIFE {
            lost.entry((*until, zone_of(world, wants, &key.name))).or_default().push(key);
        }
    }
    let ((until, zone), keys) = lost.into_iter().max_by_key(|(_, keys)| keys.len())?;
    let alive = spans
        .iter()
        .filter(|(key, since, last)| {
            *since <= until && until <= *last && zone_of(world, wants, &key.name) == zone
        })
        .count();
    if keys.len() < 5 || keys.len() * 10 < alive * 3 {
        return None;
    }
    let names: BTreeSet<&DomainName> = keys.iter().map(|key| &key.name).collect();
    let without: BTreeSet<&DomainName> = wants.without_target.iter().flat_map(|one| &one.names).collect();
    let by_address = names.iter().filter(|name| without.contains(*name)).count() * 2 >= names.len();
    let reason = if by_address { Reason::LbStatusLost } else { Reason::WantsVanished };
    let denied = names.iter().any(|name| {
        let seen = rows(world, name, &RecordType::A);
        !seen.is_empty()
            && seen.iter().all(|answer| answer.outcome != crate::model::observation::Outcome::Answer)
    });
    let impact = if denied { Impact::Down } else { Impact::Latent };
    let mut candidate = start(world, wants, Kind::MassDeletion, reason, impact);
    candidate.evidence = names.iter().take(10).map(|name| format!("no longer wanted: {name}")).collect();
    candidate.summary = format!(
        "{} of {alive} names of ExternalDNS {} vanished at once ({reason}).",
        keys.len(),
        wants.instance.id
    );
    candidate.fix = Fix {
        summary: "Stop ExternalDNS (scale it to 0) before it deletes more, then find out why.".to_owned(),
        ..Fix::default()
    };
    Some(candidate)
}
