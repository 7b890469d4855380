//! Findings about a whole instance: it does not run, it fails, its flags read nothing, its names
//! vanish. Pure.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::compare::live::{Expected, Match, judge, says_nothing};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{Cause, FindingKey, Impact, Kind, Reason, Subject};
use crate::model::change::{ChangeEventKind, FeedSource};
use crate::model::observation::Vantage;
use crate::model::record::{RecordKey, Value};
use crate::model::want::{InstanceWants, UnreadAnnotations};
use crate::model::{DomainName, RecordType};
use crate::report::Fix;
use crate::snapshot::ViewName;

/// How long an error of the controller counts after its last line.
const ERROR_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// How long a burst of lost wishes counts.
const BURST_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Judges one instance.
pub fn judge_instance(world: &World<'_>, wants: &InstanceWants, out: &mut Verdicts) {
    let found = stalled(world, wants).or_else(|| failing(world, wants)).or_else(|| prefix_flip(world, wants));
    let flipped = found.as_ref().is_some_and(|one| one.key.kind == Kind::ControllerMisconfigured);
    unread_objects(world, wants, flipped, out);
    let burst = mass_deletion(world, wants);
    for mut candidate in found.into_iter().chain(burst) {
        if candidate.impact == Impact::Latent {
            candidate.impact = worst_impact(wants, out);
        }
        explain(&candidate, wants, out);
        let cause = candidate.cause.clone();
        out.candidates.push(candidate.caused_by(cause));
    }
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

/// The worst that the names of the instance suffer now; with none it is what the next change will.
fn worst_impact(wants: &InstanceWants, out: &Verdicts) -> Impact {
    let ours = out.candidates.iter().filter(|one| {
        one.key.instance.as_ref() == Some(&wants.instance.id)
            && (one.key.kind.is_record_ladder() || matches!(one.key.kind, Kind::FailedChange | Kind::NoZone))
    });
    ours.map(|one| one.impact).max_by_key(|impact| impact.weight()).unwrap_or(Impact::Latent)
}

/// What an instance-level finding explains; a refused change is never explained away.
fn explain(cause: &Candidate, wants: &InstanceWants, out: &mut Verdicts) {
    for one in &mut out.candidates {
        let ours = one.key.instance.as_ref() == Some(&wants.instance.id);
        let explained = match cause.key.kind {
            Kind::MassDeletion => {
                one.key.kind == Kind::NoAddress && one.reason == Reason::Lost
                    || one.key.kind == Kind::MissingRecord
            }
            _ => one.key.kind.is_record_ladder() || one.key.kind == Kind::AnnotationUnread,
        };
        if ours && explained {
            one.explained_by = Some((cause.key.subject.clone(), cause.key.kind));
        }
    }
}

/// No Pod runs, or the Pods crash, or the instance only pretends.
fn stalled(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let instance = &wants.instance;
    instance.workload.as_ref()?;
    let crashing = |pod: &crate::model::instance::PodHealth| {
        pod.waiting.as_deref() == Some("CrashLoopBackOff")
            || (!pod.ready && 3 <= pod.restarts && pod.last_exit.is_some_and(|code| code != 0))
    };
    let reason = if instance.flags.dry_run {
        Reason::DryRun
    } else if instance.replicas == Some(0) {
        Reason::Absent
    } else if !instance.pods.is_empty() && instance.pods.iter().all(crashing) {
        Reason::CrashLoop
    } else {
        return None;
    };
    let mut candidate = start(world, wants, Kind::ControllerStalled, reason, Impact::Latent);
    if reason == Reason::DryRun {
        candidate.cause = Some(Cause::ControllerMisconfigured(Reason::DryRunOn));
    }
    candidate.evidence = instance
        .pods
        .iter()
        .map(|pod| {
            format!("{}/{}: {} restarts, waiting {:?}", pod.namespace, pod.name, pod.restarts, pod.waiting)
        })
        .collect();
    candidate.summary = format!("ExternalDNS {} does not reconcile ({reason}).", instance.id);
    candidate.fix =
        Fix { summary: "Read the log of its Pod and mend what stops it.".to_owned(), ..Fix::default() };
    Some(candidate)
}

/// Reconciles end in an error that belongs to no single record.
fn failing(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let feed = world.snapshot.changes.value()?;
    let ours = |source: &FeedSource| match source {
        FeedSource::Log { namespace, pod, .. } => {
            wants.instance.pods.iter().any(|health| health.namespace == *namespace && health.name == *pod)
        }
        FeedSource::CloudTrail { .. } => false,
    };
    let mut run: Vec<(Timestamp, Reason, &str)> = Vec::new();
    for event in feed.events.iter().filter(|event| ours(&event.source)) {
        match &event.kind {
            ChangeEventKind::RunFailed { reason, message, sums_up_batches: false, .. } => {
                run.push((event.at, *reason, message));
            }
            ChangeEventKind::RunSucceeded | ChangeEventKind::Applied(_) => run.clear(),
            _ => {}
        }
    }
    let (last, reason, message) = *run.last()?;
    let known = matches!(
        reason,
        Reason::AccessDenied
            | Reason::Throttled
            | Reason::Credentials
            | Reason::SourceError
            | Reason::OtherZone
    );
    if run.len() < 2 || !known || ERROR_LIFE < world.at().duration_since(last) {
        return None;
    }
    let mut candidate = start(world, wants, Kind::ControllerFailing, reason, Impact::Latent);
    candidate.certain = true;
    candidate.onset = run.first().map(|(at, _, _)| *at);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Changes];
    candidate.evidence.push(format!("{} times, last at {last}: {message}", run.len()));
    candidate.summary =
        format!("Every reconcile of ExternalDNS {} ends in an error ({reason}).", wants.instance.id);
    candidate.fix =
        Fix { summary: "Mend what the message names; it stops all zones.".to_owned(), ..Fix::default() };
    Some(candidate)
}

/// The annotation prefix in force reads nothing of what the objects carry.
fn prefix_flip(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let unread: Vec<&UnreadAnnotations> =
        wants.unread.iter().filter(|one| one.reason == Reason::OtherPrefix).collect();
    let lost: Vec<&UnreadAnnotations> =
        unread.iter().copied().filter(|one| was_read(world, wants, one)).collect();
    if lost.is_empty() && !(2 <= unread.len() && nobody_uses_prefix(world, wants)) {
        return None;
    }
    let rows = if lost.is_empty() { &unread } else { &lost };
    let impact = rows.iter().map(|one| unread_impact(world, one)).max_by_key(|impact| impact.weight())?;
    let reason = Reason::AnnotationPrefixFlip;
    let mut candidate = start(world, wants, Kind::ControllerMisconfigured, reason, impact);
    candidate.evidence =
        rows.iter().map(|one| format!("{} carries {}", one.object, one.keys.join(", "))).collect();
    candidate.summary = format!(
        "ExternalDNS {} reads annotations under {} only; {} objects carry another prefix.",
        wants.instance.id,
        wants.instance.flags.annotation_prefix,
        rows.len()
    );
    candidate.fix = Fix {
        summary: "Start it with the former --annotation-prefix, or rename the annotations.".to_owned(),
        ..Fix::default()
    };
    Some(candidate)
}

/// An earlier round wanted what the unread annotations ask for, and it is not wanted any more.
fn was_read(world: &World<'_>, wants: &InstanceWants, unread: &UnreadAnnotations) -> bool {
    unread.if_read.iter().any(|(name, record_type, targets)| {
        let sightings = world.past.wishes.iter().filter(|((instance, key), _)| {
            *instance == wants.instance.id && key.name == *name && key.record_type == *record_type
        });
        sightings.flat_map(|(_, sightings)| sightings).any(|sighting| {
            let held: BTreeSet<String> = match &sighting.value {
                crate::model::Content::Values { values, .. } => values.iter().map(Value::to_string).collect(),
                crate::model::Content::Alias(target) => BTreeSet::from([target.dns_name.to_string()]),
                crate::model::Content::TrafficPolicy(_) => BTreeSet::new(),
            };
            sighting.until < world.at() && targets.iter().all(|target| held.contains(&target.to_lowercase()))
        })
    })
}

fn nobody_uses_prefix(world: &World<'_>, wants: &InstanceWants) -> bool {
    let prefix = wants.instance.flags.annotation_prefix.as_str();
    let objects = world.snapshot.kubernetes.value().into_iter().flat_map(|cluster| cluster.objects.values());
    !objects.into_iter().any(|object| object.annotations.keys().any(|key| key.starts_with(prefix)))
}

/// What users of the names get, measured against what the unread annotations ask for.
fn unread_impact(world: &World<'_>, unread: &UnreadAnnotations) -> Impact {
    let each = unread.if_read.iter().map(|(name, record_type, targets)| {
        let (expected, seen) = (wanted_targets(world, record_type, targets), rows(world, name, record_type));
        if seen.is_empty() {
            return Impact::WrongPlace;
        }
        let verdicts: Vec<Match> = seen.iter().map(|answer| judge(answer, &expected)).collect();
        if verdicts.iter().all(|verdict| *verdict == Match::Right) {
            Impact::Latent
        } else if verdicts.iter().all(|verdict| *verdict == Match::Denied) {
            Impact::Down
        } else {
            Impact::WrongPlace
        }
    });
    each.max_by_key(|impact| impact.weight()).unwrap_or(Impact::Latent)
}

fn rows<'a>(
    world: &World<'a>,
    name: &DomainName,
    record_type: &RecordType,
) -> Vec<&'a crate::model::observation::Observation> {
    let asked = if *record_type == RecordType::Aaaa { "AAAA" } else { "A" };
    let all = world.answers.get(name).cloned().unwrap_or_default();
    all.into_iter()
        .filter(|answer| {
            matches!(answer.vantage, Vantage::Authoritative | Vantage::Recursive)
                && &*answer.record_type == asked
                && !says_nothing(answer.outcome)
        })
        .collect()
}

fn wanted_targets(world: &World<'_>, record_type: &RecordType, targets: &[std::sync::Arc<str>]) -> Expected {
    let values = targets.iter().map(|target| match target.parse() {
        Ok(ip) => Value::Ip(ip),
        Err(_not_an_address) => Value::Host(DomainName::new(target)),
    });
    crate::compare::live::expected(world, &crate::model::Content::values(0, values), record_type)
}

fn unread_objects(world: &World<'_>, wants: &InstanceWants, flipped: bool, out: &mut Verdicts) {
    for unread in &wants.unread {
        let key = FindingKey {
            subject: Subject::Object(unread.object.clone()),
            zone_id: None,
            instance: Some(wants.instance.id.clone()),
            kind: Kind::AnnotationUnread,
        };
        let mut candidate = Candidate::new(key, unread.reason, unread_impact(world, unread), world.at());
        candidate.object = Some(unread.object.clone());
        candidate.onset = unread.changed_at;
        candidate.rests_on = &[ViewName::Kubernetes];
        candidate.evidence.push(format!("nobody reads {}", unread.keys.join(", ")));
        candidate.summary = format!("{} carries annotations that no ExternalDNS reads.", unread.object);
        candidate.fix = Fix {
            summary: format!("Rename the keys to the prefix {}.", wants.instance.flags.annotation_prefix),
            ..Fix::default()
        };
        if flipped {
            candidate.explained_by =
                Some((Subject::instance(&wants.instance), Kind::ControllerMisconfigured));
        }
        out.candidates.push(candidate);
    }
}

/// The longest zone of the instance that the name lies in.
fn zone_of(world: &World<'_>, wants: &InstanceWants, name: &DomainName) -> Option<DomainName> {
    let zones = wants.zones.iter().filter_map(|id| world.zone(id)).map(|reading| &reading.zone.name);
    zones.filter(|zone| name.is_within(zone)).max_by_key(|zone| zone.as_str().len()).cloned()
}

/// A large share of the wishes vanished in one round and has not come back.
fn mass_deletion(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    // Names that are not known have not vanished.
    if !wants.unknown.is_empty() {
        return None;
    }
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
