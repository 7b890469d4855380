//! Annotations under a prefix that the instance does not read. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::compare::feed::spelled;
use crate::compare::fix::flags::has;
use crate::compare::fix::{edit, kubectl};
use crate::compare::instances::start;
use crate::compare::live::{Expected, Match, judge, told_to_users};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::observation::{Observation, Outcome};
use crate::model::record::{RecordSet, Value};
use crate::model::text::printable;
use crate::model::want::{InstanceWants, UnreadAnnotations, Want};
use crate::model::{DomainName, RecordType};
use crate::past::names::Wish;
use crate::report::Fix;
use crate::snapshot::ViewName;

/// The annotation prefix in force reads nothing of what the objects carry.
pub(super) fn prefix_flip(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let unread: Vec<&UnreadAnnotations> =
        wants.unread.iter().filter(|one| one.reason == Reason::OtherPrefix).collect();
    let lost: Vec<&UnreadAnnotations> =
        unread.iter().copied().filter(|one| was_read(world, wants, one)).collect();
    if lost.is_empty() && !(2 <= unread.len() && nobody_uses_prefix(world, wants)) {
        return None;
    }
    let rows = if lost.is_empty() { &unread } else { &lost };
    let impact =
        rows.iter().map(|one| unread_impact(world, wants, one)).max_by_key(|impact| impact.weight())?;
    let reason = Reason::AnnotationPrefixFlip;
    let mut candidate = start(world, wants, Kind::ControllerMisconfigured, reason, impact);
    candidate.onset = wants.instance.changed_at;
    candidate.evidence =
        rows.iter().map(|one| format!("{} carries {}", one.object, one.keys.join(", "))).collect();
    candidate.summary = format!(
        "ExternalDNS {} reads annotations under {} only; {} objects carry another prefix.",
        wants.instance.id,
        wants.instance.flags.annotation_prefix,
        rows.len()
    );
    candidate.fix = Fix { summary: advice(world, wants, rows), ..Fix::default() };
    Some(candidate)
}

/// The former prefix takes away what others say under the one in force.
fn advice(world: &World<'_>, wants: &InstanceWants, rows: &[&UnreadAnnotations]) -> String {
    let instance = &wants.instance;
    if !nobody_uses_prefix(world, wants) {
        return format!(
            "Rename the annotations to the prefix {}, which other objects use already.",
            instance.flags.annotation_prefix
        );
    }
    let flag = match former_prefix(rows) {
        Some(prefix) => format!("--annotation-prefix={prefix}"),
        None => "the former --annotation-prefix".to_owned(),
    };
    if !has(instance, "--annotation-prefix") {
        return format!("Rename the annotations, or update it to v0.20.0 or later and start it with {flag}.");
    }
    format!("Start it with {flag}, or rename the annotations.")
}

/// The prefix that all of the keys carry.
fn former_prefix<'a>(rows: &[&'a UnreadAnnotations]) -> Option<&'a str> {
    let keys = rows.iter().flat_map(|one| &one.keys);
    let prefixes: BTreeSet<&str> = keys.filter_map(|key| Some(key.split_once('/')?.0)).collect();
    // With the slash, as the flag wants it.
    let key = rows.first()?.keys.first()?;
    if prefixes.len() == 1 { key.get(..=key.find('/')?) } else { None }
}

/// One command for each key; an editor where nothing says how the key should read.
fn renaming(world: &World<'_>, wants: &InstanceWants, unread: &UnreadAnnotations) -> Vec<String> {
    let objects = world.snapshot.kubernetes.value().map(|cluster| &cluster.objects);
    let object = objects.and_then(|objects| objects.get(&unread.object));
    let prefix = &wants.instance.flags.annotation_prefix;
    let lines: Option<Vec<String>> = unread
        .keys
        .iter()
        .map(|key| {
            let value = object?.annotations.get(key)?;
            let (_, word) = key.split_once('/')?;
            let read = format!("{prefix}{word}");
            if object?.annotations.contains_key(&read) || word == "alias" && is_on_ip(unread, value) {
                // What is in force stays, and an alias to an address would be refused from then on.
                return Some(kubectl::unannotate(&unread.object, key));
            }
            Some(kubectl::rename_annotation(&unread.object, key, &read, value))
        })
        .collect();
    match lines {
        Some(lines) if unread.reason == Reason::OtherPrefix => lines,
        Some(_) | None => vec![edit(&unread.object)],
    }
}

/// True if the annotation would ask for an alias to an IP address.
fn is_on_ip(unread: &UnreadAnnotations, value: &str) -> bool {
    let mut targets = unread.if_read.iter().flat_map(|(_, _, targets)| targets);
    value == "true" && targets.any(|target| target.parse::<IpAddr>().is_ok())
}

/// An earlier round wanted what the unread annotations ask for, and it is not wanted any more. An instance
/// that is as it was then reads what it did: somebody renamed the keys.
fn was_read(world: &World<'_>, wants: &InstanceWants, unread: &UnreadAnnotations) -> bool {
    unread.if_read.iter().any(|(name, record_type, targets)| {
        let wishes = world
            .wished(name)
            .iter()
            .filter(|wish| wish.place == wants.instance.id && wish.record_type == *record_type);
        let with_end = |wish: &'_ Wish| {
            let next = wish.sightings.iter().skip(1).map(|next| Some(next.since)).chain([None]);
            wish.sightings.iter().cloned().zip(next).collect::<Vec<_>>()
        };
        wishes.flat_map(with_end).any(|(sighting, next)| {
            let held: BTreeSet<String> = match &sighting.value {
                crate::model::Content::Values { values, .. } => values.iter().map(Value::to_string).collect(),
                crate::model::Content::Alias(target) => BTreeSet::from([target.dns_name.to_string()]),
                crate::model::Content::TrafficPolicy(_) => BTreeSet::new(),
            };
            let lost = next.unwrap_or_else(|| world.past.lost_after(sighting.until));
            // The object changed with the wish; or later, while the instance says that it never did.
            let rolled = wants.instance.changed_at;
            let with_instance = rolled.is_some_and(|at| sighting.until < at && at <= lost);
            let renamed = unread.changed_at.is_some_and(|at| {
                let is_older = rolled.is_some_and(|changed| changed <= sighting.until);
                sighting.until < at && (at <= lost && !with_instance || is_older)
            });
            !renamed
                && sighting.until < world.at()
                && targets.iter().all(|target| held.contains(&target.to_lowercase()))
        })
    })
}

fn nobody_uses_prefix(world: &World<'_>, wants: &InstanceWants) -> bool {
    let prefix = wants.instance.flags.annotation_prefix.as_str();
    let objects = world.snapshot.kubernetes.value().into_iter().flat_map(|cluster| cluster.objects.values());
    !objects.into_iter().any(|object| object.annotations.keys().any(|key| key.starts_with(prefix)))
}

/// What users of the names get, measured against what the unread annotations ask for.
fn unread_impact(world: &World<'_>, wants: &InstanceWants, unread: &UnreadAnnotations) -> Impact {
    // An alias is asked for in both families with one target, and most load balancers have IPv4 only.
    let has_served_twin = |name: &DomainName, record_type: &RecordType, targets: &[std::sync::Arc<str>]| {
        unread.if_read.iter().any(|(other, twin, same)| {
            let is_twin = other == name && twin != record_type && twin.is_address() && **same == *targets;
            let told = || told_to_users(world, wants, name, Some(twin));
            is_twin && told().iter().any(|answer| answer.outcome == Outcome::Answer)
        })
    };
    // Of two families with targets of their own the users of one may be served.
    let is_other_family_served = |name: &DomainName, record_type: &RecordType| {
        unread.if_read.iter().any(|(other, twin, targets)| {
            let is_twin = other == name && twin != record_type && twin.is_address();
            let told = || told_to_users(world, wants, name, Some(twin));
            let expected = || wanted_targets(world, twin, targets);
            is_twin && record_type.is_address() && is_all_right(&told(), &expected())
        })
    };
    // What is wanted all the same is led nowhere else by reading the keys: what else is wrong has findings of its own.
    let is_wanted_so = |name: &DomainName, record_type: &RecordType, targets: &[std::sync::Arc<str>]| {
        let asked: BTreeSet<String> = targets.iter().map(|target| spelled(target)).collect();
        let leads =
            |want: &Want| want.content.targets().iter().map(|one| spelled(one)).collect::<BTreeSet<_>>();
        wants.at(name).iter().any(|want| want.record_type == *record_type && leads(want) == asked)
    };
    let each = unread.if_read.iter().map(|(name, record_type, targets)| {
        if is_wanted_so(name, record_type, targets) {
            return Impact::Latent;
        }
        let (expected, seen) = (
            wanted_targets(world, record_type, targets),
            told_to_users(world, wants, name, Some(record_type)),
        );
        if seen.is_empty() {
            // Nobody asked: what the zones hold is assumed to be answered.
            return assumed(world, name, targets);
        }
        let verdicts: Vec<Match> = seen.iter().map(|answer| judge(answer, &expected)).collect();
        // Nobody asks for the targets of a wish that is not read; the record tells where it leads.
        let leads_there = || {
            let here = world.zones_over(name).flat_map(|zone| zone.at(name));
            here.into_iter().any(|set| !set.content.hosts().is_disjoint(&expected.hosts))
        };
        let is_right = |verdict: &Match| match verdict {
            Match::Right => true,
            Match::Unknown => leads_there(),
            Match::Partial | Match::Elsewhere | Match::Denied => false,
        };
        if verdicts.iter().all(is_right) {
            Impact::Latent
        } else if verdicts.iter().all(|verdict| *verdict == Match::Denied) {
            if has_served_twin(name, record_type, targets) {
                Impact::Latent
            } else if is_other_family_served(name, record_type) {
                Impact::Degraded
            } else {
                Impact::Down
            }
        } else {
            Impact::WrongPlace
        }
    });
    each.max_by_key(|impact| impact.weight()).unwrap_or(Impact::Latent)
}

/// True if there are answers, and all are what is asked for.
fn is_all_right(told: &[&Observation], expected: &Expected) -> bool {
    !told.is_empty() && told.iter().all(|answer| judge(answer, expected) == Match::Right)
}

/// What users get of a name whose answers nobody knows.
fn assumed(world: &World<'_>, name: &DomainName, targets: &[std::sync::Arc<str>]) -> Impact {
    let asked: BTreeSet<String> = targets.iter().map(|target| spelled(target)).collect();
    let mut held = world.zones_over(name).flat_map(|zone| zone.at(name)).peekable();
    let leads_there = |set: &RecordSet| {
        !set.content
            .targets()
            .iter()
            .map(|target| spelled(target))
            .collect::<BTreeSet<_>>()
            .is_disjoint(&asked)
    };
    match (held.peek().is_some(), held.any(leads_there)) {
        (false, _) => Impact::Down,
        (true, true) => Impact::Latent,
        (true, false) => Impact::WrongPlace,
    }
}

fn wanted_targets(world: &World<'_>, record_type: &RecordType, targets: &[std::sync::Arc<str>]) -> Expected {
    let values = targets.iter().map(|target| match target.parse() {
        Ok(ip) => Value::Ip(ip),
        Err(_not_an_address) => Value::Host(DomainName::new(target)),
    });
    crate::compare::live::expected(world, &crate::model::Content::values(0, values), record_type)
}

/// One statement for each object whose annotations nobody reads.
pub(super) fn unread_objects(world: &World<'_>, wants: &InstanceWants, out: &mut Verdicts) {
    for unread in &wants.unread {
        let key = FindingKey {
            subject: Subject::Object(unread.object.clone()),
            zone_id: None,
            instance: Some(wants.instance.id.clone()),
            kind: Kind::AnnotationUnread,
        };
        let mut candidate =
            Candidate::new(key, unread.reason, unread_impact(world, wants, unread), world.at());
        candidate.object = Some(unread.object.clone());
        candidate.covers = unread.if_read.iter().map(|(name, ..)| name.clone()).collect();
        candidate.onset = world.since_change(unread.changed_at);
        candidate.rests_on = &[ViewName::Kubernetes];
        candidate.evidence.push(format!("nobody reads {}", unread.keys.join(", ")));
        candidate.summary = format!("{} carries annotations that no ExternalDNS reads.", unread.object);
        candidate.fix = Fix {
            summary: if unread.reason == Reason::OtherPrefix {
                let prefix = &wants.instance.flags.annotation_prefix;
                let is_alias = |key: &&String| key.ends_with("/alias");
                let commands = renaming(world, wants, unread);
                let goes = commands.iter().any(|line| line.ends_with("/alias-") && !line.contains("alias="));
                match unread.keys.iter().find(is_alias).filter(|_| goes) {
                    Some(key) => format!(
                        "Rename the keys to the prefix {prefix}, and take {key} away: no alias leads to an IP address."
                    ),
                    None => format!("Rename the keys to the prefix {prefix}."),
                }
            } else {
                format!("Correct the keys: nobody reads {}.", printable(&unread.keys.join(", ")))
            },
            commands: renaming(world, wants, unread),
            ..Fix::default()
        };
        out.candidates.push(candidate);
    }
}
