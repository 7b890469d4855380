//! Findings about a whole instance: it does not run, it fails, its flags read nothing, its names
//! vanish. Pure.

mod explain;
mod failing;
mod filters;
pub(in crate::compare) mod gauges;
pub(in crate::compare) mod owners;
pub(super) mod prefix;
mod rbac;
mod shared;
pub(super) mod stalled;

use crate::compare::bursts::mass_deletion;
use crate::compare::fix::{describe, edit, kubectl};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::change::FeedSource;
use crate::model::instance::{Origin, Policy};
use crate::model::want::InstanceWants;
use crate::report::Also;
use crate::snapshot::ViewName;

/// Judges one instance.
pub fn judge_instance(world: &World<'_>, wants: &InstanceWants, out: &mut Verdicts) {
    let mut faults = faults(world, wants, out);
    prefix::unread_objects(world, wants, out);
    faults.extend(mass_deletion(world, wants, out));
    if let Some(mut candidate) = told_as_one(wants, faults) {
        if candidate.impact == Impact::Latent {
            candidate.impact = explain::worst_impact(world, &candidate, wants, out);
        }
        if candidate.fix.commands.is_empty() {
            candidate.fix.commands = commands(&candidate, wants);
        }
        let reasons = candidate.also.iter().map(|also| also.reason).chain([candidate.reason]);
        if reasons.into_iter().any(|reason| reason == Reason::OwnerIdShared) {
            shared::spare(wants, &mut out.candidates);
        }
        let cause = candidate.cause.clone();
        out.candidates.push(candidate.caused_by(cause));
    }
}

/// The next lines to type about the workload.
fn commands(candidate: &Candidate, wants: &InstanceWants) -> Vec<String> {
    let instance = &wants.instance;
    let Some(workload) = &instance.workload else { return Vec::new() };
    if instance.origin == Origin::Departed {
        return kubectl::around(workload);
    }
    match (candidate.key.kind, candidate.reason) {
        (Kind::MassDeletion, _) | (Kind::ControllerMisconfigured, Reason::RbacWatchMissing) => Vec::new(),
        (Kind::ControllerStalled, Reason::DryRun) | (Kind::ControllerMisconfigured, _) => {
            vec![edit(workload)]
        }
        (Kind::ControllerStalled, Reason::Absent) => {
            let again = kubectl::scale(workload, 1).filter(|_| instance.replicas == Some(0));
            std::iter::once(describe(workload)).chain(again).collect()
        }
        (Kind::ControllerStalled, Reason::CrashLoop) if instance.flags.policy == Policy::Missing => {
            vec![edit(workload)]
        }
        (Kind::ControllerStalled, Reason::NoReconcile) => {
            let log = kubectl::logs(instance, workload).into_iter().take(1);
            log.chain(kubectl::restart(workload)).collect()
        }
        // A workload without Pods has no log; where they may not be listed somebody else may read it.
        _ if instance.pods.is_empty() && instance.ready_replicas == Some(0) => vec![describe(workload)],
        _ => kubectl::logs(instance, workload),
    }
}

/// Everything that is wrong with the instance, the lowest rank first and the cause before its
/// consequences.
fn faults(world: &World<'_>, wants: &InstanceWants, out: &Verdicts) -> Vec<Candidate> {
    let fails = failing::failing(world, wants).or_else(|| gauges::failing(world, wants, out));
    let stalled = stalled::stalled(world, wants, fails.as_ref());
    stalled.into_iter().chain(fails).chain(misconfigured(world, wants)).collect()
}

/// The first fault, with the others attached: one upgrade can flip the prefix and stop the controller as
/// well. What is told speaks for the objects of all of them, so it weighs as much as the worst.
fn told_as_one(wants: &InstanceWants, faults: Vec<Candidate>) -> Option<Candidate> {
    let hazard = faults.iter().skip(1).find(|fault| deletes_what_is_needed(wants, fault));
    let hazard = hazard.map(|fault| (fault.fix.summary.clone(), commands(fault, wants)));
    let mut faults = faults.into_iter();
    let mut first = faults.next()?;
    // What keeps it from writing protects the records.
    if let Some((remedy, commands)) =
        hazard.filter(|_| matches!(first.key.kind, Kind::ControllerStalled | Kind::ControllerFailing))
    {
        first.fix.summary = format!(
            "It must not write before this is mended, or its first loop deletes records that are needed: {remedy} Only then: {}",
            first.fix.summary
        );
        first.fix.commands = commands;
        if first.fix.commands.is_empty() {
            first.fix.commands.extend(wants.instance.workload.as_ref().map(describe));
        }
    }
    for other in faults {
        first.take_names(&other, |_| true);
        first.also.push(Also { kind: other.key.kind, reason: other.reason });
        first
            .evidence
            .push(format!("besides: {} {}", other.summary, other.fix.summary).trim_end().to_owned());
        if first.impact.weight() < other.impact.weight() {
            first.impact = other.impact;
        }
    }
    Some(first)
}

/// True if an instance that deletes would take away, by this fault, what its own cluster or another one needs.
fn deletes_what_is_needed(wants: &InstanceWants, fault: &Candidate) -> bool {
    let deletes = matches!(wants.instance.flags.policy, Policy::Sync | Policy::Missing);
    let are_gone = fault.key.kind == Kind::MassDeletion
        && matches!(fault.reason, Reason::LbStatusLost | Reason::WantsVanished);
    let is_hazard = are_gone || matches!(fault.reason, Reason::AnnotationPrefixFlip | Reason::OwnerIdShared);
    deletes && is_hazard
}

/// Flags that contradict what is there.
fn misconfigured(world: &World<'_>, wants: &InstanceWants) -> Vec<Candidate> {
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
    rules.into_iter().filter_map(|rule| rule(world, wants)).collect()
}

pub(super) fn start(
    world: &World<'_>,
    wants: &InstanceWants,
    kind: Kind,
    reason: Reason,
    impact: Impact,
) -> Candidate {
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
pub(in crate::compare) fn wrote(wants: &InstanceWants, source: &FeedSource) -> bool {
    wants.instance.wrote(source)
}
