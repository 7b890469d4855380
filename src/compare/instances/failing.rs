//! Reconciles that end in an error of no single record. Pure.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use jiff::{SignedDuration, Timestamp};

use crate::compare::fix::flags::{each, known};
use crate::compare::instances::{start, wrote};
use crate::compare::verdict::Candidate;
use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::finding::{Impact, Kind, Reason};
use crate::model::change::ChangeEventKind;
use crate::model::instance::{Flags, Instance, Policy};
use crate::model::want::InstanceWants;
use crate::report::Fix;
use crate::snapshot::ViewName;

/// How long an error of the controller counts after its last line, at least.
const ERROR_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// So many errors of a known kind, and no reconcile that ended well since the first, are told.
const KNOWN_ERRORS: usize = 2;

/// So many errors of an unknown kind in a row are told.
const ERRORS_IN_A_ROW: usize = 3;

/// How much longer than its interval a reconcile may take.
const SLACK: SignedDuration = SignedDuration::from_secs(30);

/// Reconciles end in an error that belongs to no single record.
pub(super) fn failing(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let feed = world.snapshot.changes.value()?;
    let mut run: Vec<(Timestamp, Reason, &str)> = Vec::new();
    for event in feed.events.iter().filter(|event| wrote(wants, &event.source)) {
        match &event.kind {
            ChangeEventKind::RunFailed { reason, message, sums_up_batches: false, .. } => {
                run.push((event.at, *reason, message));
            }
            ChangeEventKind::RunSucceeded | ChangeEventKind::Applied(_) => run.clear(),
            _ => {}
        }
    }
    let life = ERROR_LIFE.max(signed(wants.instance.flags.interval.saturating_mul(3)));
    let (last, ..) = *run.last()?;
    let is_known = |(_, reason, _): &&(Timestamp, Reason, &str)| {
        matches!(
            reason,
            Reason::AccessDenied
                | Reason::Throttled
                | Reason::Credentials
                | Reason::SourceError
                | Reason::OtherZone
        )
    };
    // One of another sort in between does not end the run.
    let (_, reason, message) = *run.iter().rev().find(is_known).or(run.last())?;
    let known = run.iter().any(|one| is_known(&one));
    let told = match (known, wants.instance.tells_success()) {
        (true, true) => KNOWN_ERRORS <= run.len(),
        (true, false) => fails_each_time(&run, KNOWN_ERRORS, wants),
        (false, _) => fails_each_time(&run, ERRORS_IN_A_ROW, wants),
    };
    if !told || life < world.at().duration_since(last) {
        return None;
    }
    let reason = if known { reason } else { Reason::None };
    let mut candidate = start(world, wants, Kind::ControllerFailing, reason, Impact::Latent);
    candidate.certain = true;
    candidate.onset = run.first().map(|(at, _, _)| *at);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Changes];
    candidate.evidence.push(format!("{} times, last at {last}: {message}", run.len()));
    let why = if known { format!(" ({reason})") } else { String::new() };
    candidate.summary =
        format!("Every reconcile of ExternalDNS {} ends in an error{why}.", wants.instance.id);
    candidate.fix = Fix { summary: advice(reason, message, &wants.instance), ..Fix::default() };
    Some(candidate)
}

/// True if the latest reconciles ended in errors one after the other: of an error that is not known, a few
/// now and then are no fault, and a log that tells nothing but errors does not show what went well between.
fn fails_each_time(run: &[(Timestamp, Reason, &str)], times: usize, wants: &InstanceWants) -> bool {
    let rhythm = signed(wants.instance.flags.interval.saturating_mul(2)) + SLACK;
    let follows = |(one, next): (&(Timestamp, Reason, &str), &(Timestamp, Reason, &str))| {
        next.0.duration_since(one.0) <= rhythm
    };
    let latest = run.len().checked_sub(times).and_then(|from| run.get(from..));
    latest.is_some_and(|latest| latest.iter().zip(latest.iter().skip(1)).all(follows))
}

fn advice(reason: Reason, message: &str, instance: &Instance) -> String {
    match (reason, lacking(message)) {
        // It lists the zones first and filters them then.
        (Reason::AccessDenied, Some((action, resource)))
            if resource.is_none() || action.starts_with("route53:ListHostedZones") =>
        {
            let on = resource.map(|resource| format!(" on {resource}")).unwrap_or_default();
            format!("Allow {action}{on} to the role of ExternalDNS; until then no zone is written.")
        }
        (Reason::AccessDenied | Reason::OtherZone, Some((action, Some(resource)))) => {
            let or = without_zone(resource, &instance.flags).map(|text| format!(", or {text}"));
            let or = or.unwrap_or_default();
            format!(
                "Allow {action} on {resource} to the role of ExternalDNS{or}; until then no zone is written."
            )
        }
        (Reason::Throttled, _) => {
            let flags = ["--interval", "--aws-zones-cache-duration", "--provider-cache-time"];
            format!(
                "Slow it down with longer times ({}), or find out who else uses up the requests of the account.",
                known(instance, &flags).join(", ")
            )
        }
        (Reason::Credentials, _) => {
            "Renew its credentials (the IRSA role and its trust, the clock of the node).".to_owned()
        }
        (Reason::SourceError, _) => {
            let sources = each("--source", &instance.flags.sources);
            let or = match instance.flags.policy {
                Policy::Sync | Policy::Missing => format!(
                    ". Its source may be taken away (one of {sources}) only where it owns no record of that kind: it would delete them"
                ),
                Policy::UpsertOnly | Policy::CreateOnly => format!(", or take its source away (one of {sources})"),
            };
            format!("Let it read the kind that the message names (RBAC, missing CRD){or}.")
        }
        // It asks with the whole path for an id. Source: kubernetes-sigs/external-dns#5196.
        (_, _) if message.contains("list tags for zone /hostedzone/") && message.contains("'resourceId'") => {
            "This release of ExternalDNS cannot read the tags of zones: update it (v0.16.0), or take --aws-zone-tags \
             away."
                .to_owned()
        }
        (Reason::OtherZone, _) => {
            let cache = known(instance, &["--aws-zones-cache-duration"]);
            let cache = cache.first().map(|flag| format!(" ({flag})")).unwrap_or_default();
            format!(
                "Mend that zone, or leave it out with --zone-id-filter; one that is gone leaves the cache of \
                 zones{cache} by itself or with a restart. It stops all zones."
            )
        }
        _ => "Mend what the message names; it stops all zones.".to_owned(),
    }
}

/// How the instance leaves the zone of a refusal alone. The filter lists what is handled, and so keeps out what it
/// does not list.
fn without_zone(resource: &str, flags: &Flags) -> Option<String> {
    let (_, id) = resource.split_once("hostedzone/")?;
    if flags.zone_id_filter.is_empty() {
        return Some("name all other zones with --zone-id-filter".to_owned());
    }
    Some(format!("leave {id} out of {}", each("--zone-id-filter", &flags.zone_id_filter)))
}

/// The action of an IAM refusal, and the resource where it is told.
fn lacking(message: &str) -> Option<(&str, Option<&str>)> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let action = rest.split_whitespace().next()?;
    let resource = rest.split_once("on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
    Some((action, resource))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::instance;

    #[test]
    fn a_throttled_release_is_told_of_the_flags_that_it_has() {
        let told = |version| advice(Reason::Throttled, "Throttling: Rate exceeded", &instance(&[], version));
        assert!(told("v0.15.0").contains("(--interval, --aws-zones-cache-duration, --provider-cache-time)"));
        assert!(told("v0.14.2").contains("(--interval, --aws-zones-cache-duration)"));
        assert!(told("v0.7.3").contains("(--interval)"));
    }

    #[test]
    fn a_zone_is_left_out_by_the_filter_that_is_given() {
        let message = "not authorized to perform: route53:ListResourceRecordSets on resource: \
                       arn:aws:route53:::hostedzone/Z2 because";
        let told = |args: &[&str]| advice(Reason::AccessDenied, message, &instance(args, "v0.14.2"));
        assert!(told(&[]).contains("or name all other zones with --zone-id-filter;"));
        let told = told(&["--zone-id-filter=Z1", "--zone-id-filter=Z2"]);
        assert!(told.contains("or leave Z2 out of --zone-id-filter=Z1 --zone-id-filter=Z2;"), "{told}");
    }
}
