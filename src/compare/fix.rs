//! One sentence for a tired person, and the next command. Pure.
//!
//! Commands are text for a person to read and run; every foreign word in them is quoted for a shell.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

pub mod advice;
pub mod batch;
pub mod checks;
pub mod churn;
pub mod flags;
pub mod kubectl;
pub mod restore;
pub mod sentence;
pub mod takeover;
pub mod zones;

use std::net::Ipv6Addr;

use crate::compare::after::record_limit;
use crate::compare::fix::batch::Batch;
use crate::compare::followers::bereft;
use crate::compare::ladder::targets;
use crate::compare::owner::{Ownership, ownership};
use crate::compare::verdict::Candidate;
use crate::compare::world::World;
use crate::desired::kinds::Kind as Kinds;
use crate::finding::{Cause, Impact, Kind, Reason, SilentReason};
use crate::model::instance::{Instance, Origin, Registry};
use crate::model::record::{RecordSet, RecordType};
use crate::model::want::{InstanceWants, Unwanted, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef};
use crate::report::Fix;

/// Fills in summary and fix of a finding about a wanted record.
pub fn fill(
    world: &World<'_>,
    candidate: &mut Candidate,
    wants: &InstanceWants,
    want: &Want,
    zone: Option<&ZoneReading>,
) {
    candidate.summary = sentence::summary(candidate, want, zone);
    candidate.fix = fix(world, candidate, wants, want, zone);
    candidate.fix.checks = checks::checks(world, &want.name, &want.record_type, zone);
    if matches!(candidate.cause, Some(Cause::UnknownSilent | Cause::ControllerFailing)) {
        // No feed told why: the log is the place that is left.
        candidate.fix.checks.extend(log(&wants.instance));
    }
}

fn fix(
    world: &World<'_>,
    candidate: &Candidate,
    wants: &InstanceWants,
    want: &Want,
    zone: Option<&ZoneReading>,
) -> Fix {
    if let Some(reason) = alias_fault(candidate) {
        return without_alias(world, wants, want, reason);
    }
    if let Some(fix) = for_release(world, candidate, wants, want) {
        return fix;
    }
    let objects = || want.objects.iter();
    match candidate.key.kind {
        Kind::InvalidDesired => said(advice::impossible(candidate.reason, want), claimants(want).map(edit)),
        Kind::ConflictingDesired => said(advice::agree(candidate.reason), claimants(want).map(edit)),
        Kind::NoZone => zones::no_zone(world, candidate.reason, wants, want),
        Kind::TargetUnresolvable => living_target(world, candidate.reason, wants, want),
        Kind::PrivateTargetInPublicZone => zones::private_target(candidate.reason, wants, want),
        Kind::WrongZone => zones::right_zone(world, candidate.reason, wants, want, zone),
        Kind::OwnerMissing | Kind::OwnerConflict => owning(wants, want, zone),
        Kind::OwnerForeign => said(&foreign(&wants.instance, want, zone), []),
        Kind::HealthWithdrawn => match (candidate.reason, &want.health_check_id) {
            (Reason::HealthCheck, Some(id)) => said(
                "See why the health check fails, and mend what it looks at; the record comes back by itself.",
                [format!("aws route53 get-health-check-status --health-check-id {}", quote(id))],
            ),
            _ => said(
                "Mend the targets behind the load balancer; the record comes back by itself.",
                objects().map(describe),
            ),
        },
        Kind::AuthMismatch if (candidate.reason, candidate.impact) == (Reason::Different, Impact::Down) => {
            said(
                "Give the evidence to AWS support, or to whoever runs the name servers: the zone is right.",
                [],
            )
        }
        Kind::AuthMismatch => {
            said("Wait for Route 53 to spread the change; if it stays, give the evidence to AWS support.", [])
        }
        Kind::WildcardShadow => said(
            "Give the name a record of its own, or move the name below it out of the way.",
            objects().map(edit),
        ),
        Kind::ResolverStale => said(&advice::flush(candidate), []),
        Kind::ResolverMismatch => {
            let who = advice::servers(candidate, "the resolver");
            said(&format!("Ask whoever runs {who} why the answer is another one; the zone is right."), [])
        }
        Kind::ResolverUnreachable => said(
            "Look for a finding about the zone's delegation or DNSSEC first, then at the resolvers' own state.",
            [],
        ),
        // A refused change, and what differs in the zone.
        _ => zone_fix(world, candidate, wants, want, zone),
    }
}

/// Opens the workload of the instance; `None` for one that nobody found, or that is gone.
fn operator(wants: &InstanceWants) -> Option<String> {
    let instance = &wants.instance;
    instance.workload.as_ref().filter(|_| instance.origin != Origin::Departed).map(edit)
}

/// For the record of an object that a rule of the instance leaves out, while it asks for it: whoever takes the
/// record away takes down a host.
#[must_use]
pub fn let_in(wants: &InstanceWants, rule: &Unwanted) -> Fix {
    let is_of_object = rule.reason == SilentReason::ControllerAnnotation;
    let (object, workload) = (rule.object.iter().map(edit), operator(wants));
    if is_of_object {
        return said(
            "Take the controller annotation off the object, or let whoever it names own the record; delete it only where the host may go.",
            object,
        );
    }
    said(
        "Let the filter take the object in, or let another instance own the record; delete it only where the host may go.",
        workload.into_iter().chain(object),
    )
}

/// A fix without a batch.
fn said(summary: &str, commands: impl IntoIterator<Item = String>) -> Fix {
    Fix { summary: summary.to_owned(), commands: commands.into_iter().collect(), ..Fix::default() }
}

/// The log of an instance that is there.
fn log(instance: &Instance) -> Option<String> {
    let workload = instance.workload.as_ref().filter(|_| instance.origin != Origin::Departed)?;
    kubectl::logs(instance, workload).into_iter().next()
}

/// The batch that writes the ownership of a right record.
fn owning(wants: &InstanceWants, want: &Want, zone: Option<&ZoneReading>) -> Fix {
    let summary = "Write the ownership TXT that ExternalDNS looks for, and delete those that contradict it.";
    match zone {
        Some(zone) if batch::lacks_place(&wants.instance, want, zone) => {
            said(advice::NO_PLACE_FOR_OWNERSHIP, [])
        }
        Some(zone) => {
            let batch = Batch::owning(wants, want, zone);
            match *batch.obstacles(zone) {
                [] => batch.into_fix(summary, zone),
                ref obstacles => said(&advice::blocked(want, obstacles), []),
            }
        }
        None => said(summary, []),
    }
}

/// What to do about the record of another owner.
fn foreign(instance: &Instance, want: &Want, zone: Option<&ZoneReading>) -> String {
    let other = match zone.map(|zone| ownership(instance, want, zone)) {
        Some(Ownership::Foreign(owner)) => format!("The owner id {owner}"),
        _ => "Another owner id".to_owned(),
    };
    format!("{other} holds the record: settle with its team who serves the name, before anybody changes it.")
}

/// The wish of another instance for what stands in the place of the record, as it stands.
fn rightful<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
) -> Option<&'a Want> {
    let mut in_place = of_others(world, wants, want, zone).filter(|other| {
        let is_key = other.record_type == want.record_type
            && (other.set_identifier == want.set_identifier
                || other.set_identifier.is_none()
                || want.set_identifier.is_none());
        is_key || other.record_type.excludes(&want.record_type)
    });
    in_place.find(|other| {
        let mut here = zone.at(&want.name).iter();
        here.any(|set| other.is(&set.key()) && targets(&set.content) == targets(&other.content))
    })
}

/// The wish of another instance for a type that cannot stand beside the record, while that does not stand.
fn rival<'a>(world: &World<'a>, wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> Option<&'a Want> {
    let excludes = |other: &&Want| other.record_type.excludes(&want.record_type);
    of_others(world, wants, want, zone).find(excludes).filter(|_| !stands(want, zone))
}

/// What other instances ask for at the name in the same zone.
fn of_others<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
) -> impl Iterator<Item = &'a Want> {
    let others = world.wants.iter().filter(move |one| !std::ptr::eq(*one, wants));
    others.flat_map(|one| one.at(&want.name)).filter(|other| other.zone_id() == Some(&zone.zone.id))
}

/// True if a record set of the wanted key stands, whatever it says.
fn stands(want: &Want, zone: &ZoneReading) -> bool {
    zone.at(&want.name).iter().any(|set| want.is(&set.key()))
}

/// A record below a delegation that is not there yet: the zone would answer for it no more. The addresses of its name
/// servers belong there.
fn lost_below<'a>(want: &Want, zone: &'a ZoneReading) -> Option<&'a RecordSet> {
    let is_new = want.record_type == RecordType::Ns && want.name != zone.zone.name && !stands(want, zone);
    let is_server = |name: &DomainName| want.content.hosts().contains(name);
    let records = is_new.then(|| zone.records()).into_iter().flatten();
    let mut below = records.filter(|set| set.name != want.name && set.name.is_within(&want.name));
    below.find(|set| set.record_type.is_address() && !is_server(&set.name))
}

/// The batch that makes the zone hold what is wanted.
fn zone_fix(
    world: &World<'_>,
    candidate: &Candidate,
    wants: &InstanceWants,
    want: &Want,
    zone: Option<&ZoneReading>,
) -> Fix {
    let Some(zone) = zone else { return said(&advice::advice(candidate, &wants.instance), []) };
    let is_unownable =
        candidate.cause == Some(Cause::OwnerMissing) && batch::lacks_place(&wants.instance, want, zone);
    let summary = if is_unownable {
        advice::NO_PLACE_FOR_OWNERSHIP.to_owned()
    } else if advice::blocks_itself(candidate, want, zone) {
        advice::OWNERSHIP_BESIDE_CNAME.to_owned()
    } else if advice::is_of_ownership_alone(candidate) {
        "Users are served: write the ownership TXT by hand, or delete what stands under its name.".to_owned()
    } else {
        advice::advice(candidate, &wants.instance)
    };
    if want.name.defect().is_some() || want.invalid.is_some() {
        // Route 53 cannot hold what is wanted: no batch can mend it.
        let summary = advice::impossible(want.invalid.unwrap_or(candidate.reason), want);
        return said(summary, want.objects.iter().map(edit));
    }
    if candidate.cause == Some(Cause::OwnerForeign) {
        // The other one would put its record back, and each would undo the other's.
        return said(&foreign(&wants.instance, want, Some(zone)), []);
    }
    if let Some(other) = rightful(world, wants, want, zone) {
        // Whoever replaces it takes down a host of somebody else.
        return said(
            "Another instance asks for what stands there: settle which of the objects has the host, and take it out of the other.",
            want.objects.iter().chain(&other.objects).map(edit),
        );
    }
    if let Some(other) = rival(world, wants, want, zone) {
        // The second of two batches would be refused, or undo the first.
        return said(
            &format!(
                "Another instance asks for the type {} at this name: settle which of the objects has the host, and take it out of the other.",
                other.record_type
            ),
            want.objects.iter().chain(&other.objects).map(edit),
        );
    }
    if candidate.cause == Some(Cause::ZoneQuota) {
        // A full zone refuses our batch as it refuses that of ExternalDNS.
        return said(&summary, [record_limit(zone)]);
    }
    if advice::is_refused_again(candidate.reason) {
        return said(&summary, want.objects.iter().map(edit));
    }
    if let Some(Cause::ConflictingDesired(reason)) = candidate.cause {
        let is_told = matches!(candidate.reason, Reason::RoutingPolicyMix | Reason::RoutingDuplicate);
        let summary = if is_told { &*summary } else { advice::agree(reason) };
        let rivals = wants.at(&want.name).iter().filter(|other| other.record_type == want.record_type);
        let rivals = rivals.flat_map(|other| &other.objects);
        let mut objects: Vec<&ObjectRef> = claimants(want).chain(rivals).collect();
        objects.sort();
        objects.dedup();
        return said(summary, objects.into_iter().map(edit));
    }
    if let Ownership::Foreign(owner) = ownership(&wants.instance, want, zone)
        && !stands(want, zone)
    {
        // What is written beside it would be the record of that owner.
        return said(
            &format!(
                "The ownership TXT of owner {owner} stands where ours would, and what is written beside it is its record: settle with it, and delete that TXT."
            ),
            [],
        );
    }
    let summary = if is_nobodys(&wants.instance, want, zone) {
        format!("{summary} What is written by hand stays nobody's until it is deleted again.")
    } else {
        summary
    };
    if let Some(set) = lost_below(want, zone) {
        return said(
            &format!(
                "{} would be answered no more: put what lies below {} into the delegated zone first. {summary}",
                set.key(),
                want.name
            ),
            want.objects.iter().map(edit),
        );
    }
    let summary = match Batch::defect_of_half(wants, want, zone) {
        Some(defect) if candidate.key.kind == Kind::MissingRecord => format!(
            "ExternalDNS asks for A and AAAA at once, and Route 53 refuses both for the sake of the AAAA. {defect}"
        ),
        _ => summary,
    };
    let batch = Batch::mending(wants, want, zone);
    if let Some(defect) = batch.defect(zone) {
        return said(defect, want.objects.iter().map(edit));
    }
    match *batch.obstacles(zone) {
        [] => match bereft(world, zone, &batch.delete, &batch.create) {
            Some(follower) => said(
                &format!("{} leads to what stands here: point it elsewhere first. {summary}", follower.key),
                want.objects.iter().map(edit),
            ),
            None => batch.into_fix(&summary, zone),
        },
        ref obstacles => {
            // Who else of the instance asks for what stands in the way has to decide, too.
            let others = wants
                .at(&want.name)
                .iter()
                .filter(|other| !other.is(&want.key()) && obstacles.iter().any(|set| other.is(&set.key())));
            let objects = want.objects.iter().chain(others.flat_map(|other| &other.objects));
            said(&advice::blocked(want, obstacles), objects.map(edit))
        }
    }
}

/// True if the record is not there and the ownership that ExternalDNS would look for cannot be written by hand.
fn is_nobodys(instance: &Instance, want: &Want, zone: &ZoneReading) -> bool {
    let flags = &instance.flags;
    flags.registry != Registry::Noop && !flags.shows_ownership() && !stands(want, zone)
}

/// All objects that claim the record, the winner first.
fn claimants(want: &Want) -> impl Iterator<Item = &ObjectRef> {
    let claims = want.conflict.iter().flat_map(|conflict| &conflict.claims).map(|(object, _)| object);
    want.objects.iter().chain(claims.filter(|object| !want.objects.contains(object)))
}

/// What lets a target resolve again: whoever names it, or the zone that lost it, or the load balancer.
fn living_target(world: &World<'_>, reason: Reason, wants: &InstanceWants, want: &Want) -> Fix {
    if reason == Reason::Loop {
        return said(
            "Break the circle: let one of its CNAMEs lead to an address.",
            want.objects.iter().map(edit),
        );
    }
    let is_lost = |host: &DomainName| {
        let zone = world.zones_over(host).find(|zone| zone.record_sets.is_some())?;
        zone.at(host).is_empty().then(|| format!("{host} back into zone {}", zone.zone.name))
    };
    if let Some(lost) = want.content.hosts().iter().find_map(is_lost) {
        return said(
            &format!("Put the record of {lost}, or correct the target."),
            want.objects.iter().map(edit),
        );
    }
    if want.objects.iter().any(|object| is_told_by_object(wants, object)) {
        return said("Correct the target that the object names.", want.objects.iter().map(edit));
    }
    said(
        "Repair the load balancer or its status, not DNS; the record follows by itself.",
        want.objects.iter().map(describe),
    )
}

/// True if the object names the target itself, in place of a load balancer.
pub(super) fn is_told_by_object(wants: &InstanceWants, object: &ObjectRef) -> bool {
    let is_note =
        |note: &Unwanted| note.reason == SilentReason::TargetOverride && note.object.as_ref() == Some(object);
    &*object.kind == "DNSEndpoint" || wants.notes.iter().any(is_note)
}

/// Why the alias that is asked for cannot be. One that nobody asks for any more has another cause.
fn alias_fault(candidate: &Candidate) -> Option<Reason> {
    let is_fault = |reason: &Reason| matches!(reason, Reason::AliasOnIp | Reason::AliasNotInZone);
    let of_cause = match candidate.cause {
        Some(Cause::InvalidDesired(reason)) => Some(reason),
        _ => None,
    };
    [Some(candidate.reason), of_cause].into_iter().flatten().find(is_fault)
}

/// What a release writes as an address is no address, or none of the family: another release writes it rightly.
fn for_release(world: &World<'_>, candidate: &Candidate, wants: &InstanceWants, want: &Want) -> Option<Fix> {
    let is_of_release =
        candidate.cause == Some(Cause::ControllerVersion) && want.invalid == Some(Reason::MixedTypes);
    is_of_release.then(|| {
        let commands = unannotating(world, wants, want, "alias");
        said(&advice::other_release(want), commands.into_iter().chain(operator(wants)))
    })
}

/// An annotation goes by a command of its own, under each prefix that is read; a property of a DNSEndpoint is left
/// to an editor, which can decline what `--prefer-alias` asks for.
fn without_alias(world: &World<'_>, wants: &InstanceWants, want: &Want, reason: Reason) -> Fix {
    let zone = "aws-target-hosted-zone";
    let pinned = unannotating(world, wants, want, zone);
    if reason == Reason::AliasNotInZone && !pinned.is_empty() {
        return said(
            &format!("Take the annotation {zone} away, or name the zone of the target in it."),
            pinned,
        );
    }
    let flags = &wants.instance.flags;
    let is_six_text = |text: &String| text.trim_end_matches('.').parse::<Ipv6Addr>().is_ok();
    let is_six = want.content.targets().iter().any(is_six_text);
    let why = if reason == Reason::AliasOnIp && is_six {
        "an IPv6 address needs a plain AAAA record"
    } else if reason == Reason::AliasOnIp {
        "an IP address needs a plain A record"
    } else {
        "an alias leads to an AWS name or to a record of the zone, and a CNAME does for other hosts"
    };
    let commands = unannotating(world, wants, want, "alias");
    let is_annotated = want.objects.iter().all(|object| &*object.kind != "DNSEndpoint");
    // The flag marks host names only.
    if flags.prefer_alias && reason == Reason::AliasNotInZone && is_annotated {
        // No annotation declines it: nothing but the word `true` is read.
        let summary = format!(
            "--prefer-alias makes the alias: take the flag away, or publish the host by a DNSEndpoint with the \
             property alias=false; {why}."
        );
        return said(&summary, operator(wants).into_iter().chain(commands));
    }
    if !commands.is_empty() {
        return said(&format!("Remove the alias annotation: {why}."), commands);
    }
    said(&format!("Remove what asks for the alias: {why}."), want.objects.iter().map(edit))
}

/// The lines that take an annotation of ExternalDNS from the objects of a wish, under each prefix that is read.
fn unannotating(world: &World<'_>, wants: &InstanceWants, want: &Want, word: &str) -> Vec<String> {
    let lines = |object: &ObjectRef| -> Vec<String> {
        let keys = annotations(world, wants, object, word);
        keys.iter().map(|key| kubectl::unannotate(object, key)).collect()
    };
    want.objects.iter().flat_map(lines).collect()
}

/// The keys of an annotation of ExternalDNS that the object has, under each prefix that is read.
fn annotations(world: &World<'_>, wants: &InstanceWants, object: &ObjectRef, word: &str) -> Vec<String> {
    let flags = &wants.instance.flags;
    let objects = world.snapshot.kubernetes.value().map(|cluster| &cluster.objects);
    let Some(held) = objects.and_then(|objects| objects.get(object)) else { return Vec::new() };
    let prefixes = [Some(flags.annotation_prefix.as_str()), flags.legacy_prefix()].into_iter().flatten();
    let keys = prefixes.map(|prefix| format!("{prefix}{word}"));
    keys.filter(|key| held.annotations.contains_key(key)).collect()
}

/// The kind as `kubectl` takes it: a custom resource with its group, because others have a Gateway, a Route or an
/// Ingress of their own, and `kubectl` takes any of them for the bare word. What comes with Kubernetes wins over
/// custom resources of the same word.
#[must_use]
pub fn kind_word(object: &ObjectRef) -> String {
    match Kinds::from_word(&object.kind).filter(|kind| kind.may_be_absent()) {
        Some(kind) => format!("{}.{}", kind.plural(), kind.group()),
        None => object.kind.to_lowercase(),
    }
}

/// Opens an object in the editor.
#[must_use]
pub fn edit(object: &ObjectRef) -> String {
    kubectl::on(object, "edit", "")
}

/// Shows an object with its events.
#[must_use]
pub fn describe(object: &ObjectRef) -> String {
    kubectl::on(object, "describe", "")
}

/// One shell word.
#[must_use]
pub fn quote(text: &str) -> String {
    let safe = |character: char| character.is_ascii_alphanumeric() || "-_./:@".contains(character);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    // A command that is cut is none.
    format!("'{}'", crate::model::text::escaped(text).replace('\'', "'\\''"))
}
