//! Reconciles that end in an error of no single record. Pure.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use jiff::{SignedDuration, Timestamp};

use crate::compare::instances::{start, wrote};
use crate::compare::verdict::Candidate;
use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::finding::{Impact, Kind, Reason};
use crate::model::change::ChangeEventKind;
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
    candidate.fix = Fix { summary: advice(reason, message), ..Fix::default() };
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

fn advice(reason: Reason, message: &str) -> String {
    match (reason, lacking(message)) {
        // It lists the zones first and filters them then.
        (Reason::AccessDenied, Some((action, resource)))
            if resource.is_none() || action.starts_with("route53:ListHostedZones") =>
        {
            let on = resource.map(|resource| format!(" on {resource}")).unwrap_or_default();
            format!("Allow {action}{on} to the role of ExternalDNS; until then no zone is written.")
        }
        (Reason::AccessDenied | Reason::OtherZone, Some((action, Some(resource)))) => format!(
            "Allow {action} on {resource} to the role of ExternalDNS, or take the zone out with --zone-id-filter; \
             until then no zone is written."
        ),
        (Reason::Throttled, _) => {
            "Slow it down (--interval, --aws-zones-cache-duration, --provider-cache-time), or find out who else \
             uses up the requests of the account."
                .to_owned()
        }
        (Reason::Credentials, _) => {
            "Renew its credentials (the IRSA role and its trust, the clock of the node).".to_owned()
        }
        (Reason::SourceError, _) => {
            "Let it read the kind that the message names (RBAC, missing CRD), or take it out of --source.".to_owned()
        }
        (Reason::OtherZone, _) => {
            "Mend that zone, or take it out with --zone-id-filter; one that is gone leaves the cache of zones \
             (--aws-zones-cache-duration) by itself or with a restart. It stops all zones."
                .to_owned()
        }
        _ => "Mend what the message names; it stops all zones.".to_owned(),
    }
}

/// The action of an IAM refusal, and the resource where it is told.
fn lacking(message: &str) -> Option<(&str, Option<&str>)> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let action = rest.split_whitespace().next()?;
    let resource = rest.split_once("on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
    Some((action, resource))
}
