//! What the metrics of an instance say about its loops. Pure.

use jiff::Timestamp;

use crate::compare::instances::stalled::limit;
use crate::compare::instances::{start, wrote};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{Impact, Kind, Reason};
use crate::model::change::{ChangeEventKind, ControllerMetrics};
use crate::model::instance::Instance;
use crate::model::want::InstanceWants;
use crate::report::Fix;
use crate::snapshot::ViewName;

/// So many reconciles that failed in a row are told.
const ERRORS_IN_A_ROW: u64 = 3;

/// Loops that run and fail, as the metrics tell it: neither why, nor which record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::compare) struct FailingLoops {
    /// The last reconcile without an error; `None` where there was none.
    pub(in crate::compare) since: Option<Timestamp>,
    /// In words.
    pub(in crate::compare) evidence: String,
}

/// True signs of failing loops in the metrics, where no feed tells what they end in.
///
/// A refused record makes every loop fail: where the feed tells of one, the metrics tell nothing more. Source:
/// findings.md section 4, "Metrics".
pub(in crate::compare) fn failing_loops(world: &World<'_>, wants: &InstanceWants) -> Option<FailingLoops> {
    let signs: Vec<Option<FailingLoops>> =
        own_metrics(world, wants).map(|metrics| sign(world.at(), &wants.instance, metrics)).collect();
    // Of several Pods one that does its work is enough.
    let signs: Vec<FailingLoops> = signs.into_iter().collect::<Option<_>>()?;
    let last = signs.into_iter().max_by_key(|sign| sign.since)?;
    (!is_told(world, wants, last.since)).then_some(last)
}

/// The instance fails, and there is no record of it for whose sake it might: the loops end in an error that belongs
/// to none.
pub(super) fn failing(world: &World<'_>, wants: &InstanceWants, out: &Verdicts) -> Option<Candidate> {
    let loops = failing_loops(world, wants)?;
    let differs = |one: &Candidate| {
        let kind = one.key.kind;
        let is_of_wish = kind.is_record_ladder()
            || matches!(
                kind,
                Kind::FailedChange
                    | Kind::InvalidDesired
                    | Kind::ConflictingDesired
                    | Kind::NoZone
                    | Kind::WrongZone
                    | Kind::WrongTtl
                    | Kind::StaleRecord
                    | Kind::DanglingRecord
                    | Kind::ZoneQuota
            );
        is_of_wish && one.key.instance.as_ref().is_none_or(|id| *id == wants.instance.id)
    };
    if out.candidates.iter().any(differs) {
        return None;
    }
    let mut candidate = start(world, wants, Kind::ControllerFailing, Reason::None, Impact::Latent);
    candidate.onset = loops.since;
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Changes];
    candidate.evidence.push(loops.evidence);
    candidate.summary =
        format!("The reconciles of ExternalDNS {} end in an error, by its metrics.", wants.instance.id);
    candidate.fix = Fix {
        summary: "Read its log and mend what the error names; a change may not arrive until then.".to_owned(),
        ..Fix::default()
    };
    Some(candidate)
}

/// The metrics of the Pods that the instance has now.
pub(in crate::compare) fn own_metrics<'a>(
    world: &World<'a>,
    wants: &'a InstanceWants,
) -> impl Iterator<Item = &'a ControllerMetrics> + use<'a> {
    let all = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.controllers);
    let pods = &wants.instance.pods;
    all.filter(|metrics| pods.iter().any(|pod| pod.name == metrics.pod && pod.namespace == metrics.namespace))
}

/// Loops that begin while the last good one is long ago. Releases before v0.14.0 tell no beginning: there an error
/// that was just counted shows it.
fn sign(now: Timestamp, instance: &Instance, metrics: &ControllerMetrics) -> Option<FailingLoops> {
    let limit = limit(instance);
    if limit < now.duration_since(metrics.at) {
        return None;
    }
    let errors = [metrics.registry_errors, metrics.source_errors].into_iter().flatten().sum::<u64>();
    let begun = metrics.last_reconcile.or(metrics.errors_grew_at);
    let good = metrics.last_sync.or(metrics.started_at);
    let is_late = begun.zip(good).is_some_and(|(begun, good)| limit < begun.duration_since(good));
    let in_a_row = metrics.soft_errors.unwrap_or(if is_late { errors } else { 0 });
    if in_a_row < ERRORS_IN_A_ROW {
        return None;
    }
    let row = match metrics.soft_errors {
        Some(count) => format!("{count} reconciles in a row have failed"),
        None => format!("{errors} reconciles have failed"),
    };
    let last = match metrics.last_sync {
        Some(at) => format!("the last good one was at {at}"),
        None => "none has gone well yet".to_owned(),
    };
    let evidence = format!("by the metrics of {}/{} {row}, {last}", metrics.namespace, metrics.pod);
    Some(FailingLoops { since: metrics.last_sync, evidence })
}

/// True if the feed tells what the loops end in.
fn is_told(world: &World<'_>, wants: &InstanceWants, since: Option<Timestamp>) -> bool {
    let events = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
    events.filter(|event| since.is_none_or(|since| since <= event.at)).any(|event| match &event.kind {
        // CloudTrail does not tell the instance.
        ChangeEventKind::Refused(_) => true,
        ChangeEventKind::RunFailed { .. } => wrote(wants, &event.source),
        ChangeEventKind::Applied(_) | ChangeEventKind::RunSucceeded | ChangeEventKind::Skipped { .. } => {
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    /// Metrics of the minute 240: when the last reconcile began and the last good one ended, and the counters.
    fn metrics(
        begun: Option<i64>,
        good: Option<i64>,
        soft: Option<u64>,
        errors: Option<u64>,
    ) -> ControllerMetrics {
        ControllerMetrics {
            namespace: "dns".into(),
            pod: "edns-1".into(),
            at: minute(240),
            last_sync: good.map(minute),
            last_reconcile: begun.map(minute),
            soft_errors: soft,
            registry_errors: errors,
            source_errors: Some(0),
            errors_grew_at: None,
            owner_mismatches: None,
            version: None,
            started_at: Some(minute(0)),
        }
    }

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).expect("a time")
    }

    #[test]
    fn loops_that_begin_and_do_not_end_well_are_failing() {
        let instance = fixture::instance(&["--interval=1m"], "v0.18.0");
        let fails = |now: i64, metrics: &ControllerMetrics| sign(minute(now), &instance, metrics).is_some();
        assert!(fails(240, &metrics(Some(239), Some(120), Some(120), Some(120))));
        assert!(!fails(240, &metrics(Some(239), Some(239), Some(0), Some(120))));
        assert!(!fails(240, &metrics(Some(239), Some(237), Some(2), Some(2))));
        // Read too long ago.
        assert!(!fails(250, &metrics(Some(239), Some(120), Some(120), Some(120))));
        // Before v0.18.0 nothing counts the failures in a row.
        assert!(fails(240, &metrics(Some(239), Some(120), None, Some(120))));
        assert!(fails(240, &metrics(Some(239), None, None, Some(239))));
        assert!(!fails(240, &metrics(Some(239), Some(120), None, Some(0))));
        assert!(!fails(240, &metrics(Some(239), Some(238), None, Some(120))));
        // A reconcile that hangs or takes long is no failing one.
        assert!(!fails(240, &metrics(Some(120), Some(119), None, Some(120))));
        // Before v0.14.0 nothing tells that one began, but an error that was counted just now.
        let old = metrics(None, Some(120), None, Some(120));
        assert!(!fails(240, &old));
        assert!(fails(240, &ControllerMetrics { errors_grew_at: Some(minute(239)), ..old }));
    }
}
