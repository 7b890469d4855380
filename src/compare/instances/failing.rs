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
    let (last, reason, message) = *run.last()?;
    let known = matches!(
        reason,
        Reason::AccessDenied
            | Reason::Throttled
            | Reason::Credentials
            | Reason::SourceError
            | Reason::OtherZone
    );
    if run.len() < 2 || !known || life < world.at().duration_since(last) {
        return None;
    }
    let mut candidate = start(world, wants, Kind::ControllerFailing, reason, Impact::Latent);
    candidate.certain = true;
    candidate.onset = run.first().map(|(at, _, _)| *at);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Changes];
    candidate.evidence.push(format!("{} times, last at {last}: {message}", run.len()));
    candidate.summary =
        format!("Every reconcile of ExternalDNS {} ends in an error ({reason}).", wants.instance.id);
    candidate.fix = Fix { summary: advice(reason, message), ..Fix::default() };
    Some(candidate)
}

fn advice(reason: Reason, message: &str) -> String {
    match (reason, lacking(message)) {
        (Reason::AccessDenied | Reason::OtherZone, Some((action, resource))) => format!(
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
        _ => "Mend what the message names; it stops all zones.".to_owned(),
    }
}

/// The action and the resource of an IAM refusal.
fn lacking(message: &str) -> Option<(&str, &str)> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let action = rest.split_whitespace().next()?;
    let (_, rest) = rest.split_once("on resource: ")?;
    Some((action, rest.split_whitespace().next()?))
}
