//! An instance that does not reconcile: no Pod runs, the Pods crash, it is silent, or it only
//! pretends. Pure.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use jiff::{SignedDuration, Timestamp};

use crate::compare::instances::filters::SET_POLICY;
use crate::compare::instances::gauges::own_metrics;
use crate::compare::instances::{start, wrote};
use crate::compare::is_feed_unread;
use crate::compare::verdict::Candidate;
use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::finding::{Cause, Impact, Kind, Reason};
use crate::model::change::{ChangeEvent, ChangeEventKind, ControllerMetrics, FeedSource};
use crate::model::instance::{Instance, Origin, PodHealth, Policy};
use crate::model::want::{InstanceWants, Want};
use crate::report::Fix;
use crate::snapshot::{Problem, ViewName, ViewState};

/// Least silence that counts, and the time that a new Pod has to start.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// Readings of one time: a log and a gauge are read one after the other.
const SAME_READING: SignedDuration = SignedDuration::from_mins(1);

/// Two fatal ends within this time are a crash loop.
const CRASH_SPAN: SignedDuration = SignedDuration::from_mins(15);

/// A run that long may still be starting.
const SHORT_RUN: SignedDuration = SignedDuration::from_mins(1);

/// Restarts that make a Pod that is not ready a crashing one.
const MANY_RESTARTS: i32 = 3;

/// Judges whether the instance reconciles. `fails` is what its loops end in.
pub(super) fn stalled(
    world: &World<'_>,
    wants: &InstanceWants,
    fails: Option<&Candidate>,
) -> Option<Candidate> {
    let instance = &wants.instance;
    instance.workload.as_ref()?;
    if instance.flags.details.once && instance.pods.is_empty() {
        return None;
    }
    if is_replaced(world, wants) {
        return None;
    }
    if instance.flags.dry_run {
        let cause = Cause::ControllerMisconfigured(Reason::DryRunOn);
        return Some(stall(world, wants, Reason::DryRun, Some(cause)));
    }
    if is_absent(world, wants) {
        let mut candidate = stall(world, wants, Reason::Absent, None);
        // An older Pod may have worked on.
        let worked = world.past.ready.get(&instance.id).copied();
        candidate.onset = absent_since(instance).map(|at| worked.map_or(at, |worked| at.max(worked)));
        return Some(candidate);
    }
    if crash_loops(world, wants) {
        let cause = if instance.flags.policy == Policy::Missing {
            Some(Cause::ControllerMisconfigured(Reason::PolicyMissing))
        } else {
            fails.map(|_| Cause::ControllerFailing)
        };
        let mut candidate = stall(world, wants, Reason::CrashLoop, cause);
        candidate.onset = fatal_ends(world, wants).first().copied();
        return Some(candidate);
    }
    let silence = silence(world, wants)?;
    let mut candidate = stall(world, wants, Reason::NoReconcile, None);
    candidate.onset = Some(silence.since);
    // Lines can be late or lost, a gauge cannot: a log has to be silent in two looks.
    candidate.certain = silence.by_gauge;
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Changes];
    candidate.evidence.insert(0, format!("the last sign of a reconcile is of {}", silence.since));
    Some(candidate)
}

/// No sign of a reconcile for too long.
struct Silence {
    /// The last sign.
    since: Timestamp,
    /// A metric says it, not the lack of lines in a log.
    by_gauge: bool,
}

/// True for a workload at no replicas, or with `--dry-run`, whose work another one with the same owner id
/// does: the old one of an upgrade, or one to try flags with.
fn is_replaced(world: &World<'_>, wants: &InstanceWants) -> bool {
    let does_it = |other: &InstanceWants| {
        let serves = |want: &Want| {
            other.at(&want.name).iter().any(|one| one.is(&want.key()) && one.placement == want.placement)
        };
        other.instance.id == wants.instance.id && !is_idle(&other.instance) && wants.wants.iter().all(serves)
    };
    is_idle(&wants.instance) && world.wants.iter().any(does_it)
}

/// True for an instance that writes nothing: one at no replicas, or with `--dry-run`.
pub(in crate::compare) fn is_idle(instance: &Instance) -> bool {
    instance.flags.dry_run || instance.replicas == Some(0)
}

/// Nothing runs. A Pod that is just being started is given its time.
fn is_absent(world: &World<'_>, wants: &InstanceWants) -> bool {
    let instance = &wants.instance;
    if instance.replicas == Some(0) {
        return true;
    }
    let known = !world.snapshot.kubernetes.problems.iter().any(|problem| problem.scope == "Pod");
    let was_down = was_down(world, instance);
    if instance.pods.is_empty() {
        let rolled = instance.changed_at.is_some_and(|at| world.at().duration_since(at) < PATIENCE);
        return known && (was_down || !rolled) && instance.ready_replicas == Some(0);
    }
    let has_had_time = |pod: &PodHealth| {
        waits_long(world, pod) || was_down && !pod.ready && pod.started_at.is_none() && pod.restarts == 0
    };
    let waits = instance.pods.iter().all(|pod| !is_crashing(world, pod) && has_had_time(pod));
    known && waits && !is_at_work(world, wants)
}

/// True if no Pod of the instance has been ready for long: that ends when a new one runs, not when it is made.
fn was_down(world: &World<'_>, instance: &Instance) -> bool {
    world.past.ready.get(&instance.id).is_some_and(|at| PATIENCE < world.at().duration_since(*at))
}

/// Since when nothing has run, as Pods that never started tell. A workload without Pods tells no time: what
/// scales it may leave none.
fn absent_since(instance: &Instance) -> Option<Timestamp> {
    let never_ran = |pod: &PodHealth| pod.started_at.is_none() && pod.restarts == 0;
    let all = instance.pods.iter().all(never_ran);
    instance.pods.iter().filter_map(|pod| pod.created_at).min().filter(|_| all)
}

/// True for a Pod that has had the time to start and is not ready.
fn waits_long(world: &World<'_>, pod: &PodHealth) -> bool {
    let created = pod.created_at.or(pod.started_at);
    !pod.ready && created.is_some_and(|at| PATIENCE < world.at().duration_since(at))
}

/// True if the instance has written a line just now: a Pod that is not ready may do its work.
fn is_at_work(world: &World<'_>, wants: &InstanceWants) -> bool {
    let streams = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.streams);
    let last =
        streams.filter(|stream| wrote(wants, &stream.source)).filter_map(|stream| stream.last_at).max();
    last.is_some_and(|last| world.at().duration_since(last) <= limit(&wants.instance))
}

/// The silence that an instance may keep.
pub(super) fn limit(instance: &Instance) -> SignedDuration {
    PATIENCE.max(signed(instance.flags.interval.saturating_mul(3)))
}

fn is_crashing(world: &World<'_>, pod: &PodHealth) -> bool {
    // What has run for long since does not crash again and again.
    let is_young = pod.started_at.is_none_or(|at| world.at().duration_since(at) < CRASH_SPAN);
    let restarts = MANY_RESTARTS <= pod.restarts && pod.last_exit.is_some_and(|code| code != 0);
    pod.waiting.as_deref() == Some("CrashLoopBackOff")
        || restarts && (!pod.ready && is_young || is_between_crashes(world, pod))
}

/// True for a Pod whose last run was short and that has not lived longer by now: without a readiness probe it is
/// ready until it ends again. ExternalDNS waits a minute for a kind that is not served before it gives up.
fn is_between_crashes(world: &World<'_>, pod: &PodHealth) -> bool {
    let Some((begun, lasted)) = pod.started_at.zip(pod.last_run) else { return false };
    lasted < PATIENCE
        && world.at().duration_since(begun) <= lasted.max(SHORT_RUN)
        && !has_succeeded(world, pod, begun)
}

/// True if a loop of the Pod has gone well since then, as far as anything of it is read.
fn has_succeeded(world: &World<'_>, pod: &PodHealth, since: Timestamp) -> bool {
    let Some(feed) = world.snapshot.changes.value() else { return false };
    let is_gauge = |metrics: &ControllerMetrics| {
        metrics.pod == pod.name
            && metrics.namespace == pod.namespace
            && metrics.last_reconcile.is_some_and(|at| since <= at)
    };
    let is_line = |event: &ChangeEvent| {
        since <= event.at
            && matches!(event.kind, ChangeEventKind::RunSucceeded | ChangeEventKind::Applied(_))
            && matches!(&event.source, FeedSource::Log { namespace, pod: name, .. }
                if *namespace == pod.namespace && *name == pod.name)
    };
    feed.controllers.iter().any(is_gauge) || feed.events.iter().any(is_line)
}

/// By the state of the Pods, or by a log that ends fatally again and again. Between two crashes a
/// Pod looks well for a moment.
fn crash_loops(world: &World<'_>, wants: &InstanceWants) -> bool {
    let pods = &wants.instance.pods;
    // The Pod of the next roll-out may not even start.
    if pods.iter().any(|pod| is_crashing(world, pod))
        && pods.iter().all(|pod| is_crashing(world, pod) || waits_long(world, pod))
    {
        return true;
    }
    let ends = fatal_ends(world, wants);
    let recent = ends.iter().filter(|at| world.at().duration_since(**at) < CRASH_SPAN).count();
    2 <= recent && pods.iter().all(|pod| 0 < pod.restarts)
}

/// The fatal ends since the last loop that went well, in the order of time.
fn fatal_ends(world: &World<'_>, wants: &InstanceWants) -> Vec<Timestamp> {
    let mut ends: Vec<Timestamp> = Vec::new();
    for event in world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events) {
        match &event.kind {
            ChangeEventKind::RunFailed { fatal: true, .. } if wrote(wants, &event.source) => {
                ends.push(event.at);
            }
            ChangeEventKind::RunSucceeded if wrote(wants, &event.source) => ends.clear(),
            _ => {}
        }
    }
    ends
}

/// The silence of the instance, if it is too long; `None` while all is well or nobody can say.
fn silence(world: &World<'_>, wants: &InstanceWants) -> Option<Silence> {
    let instance = &wants.instance;
    let limit = limit(instance);
    let too_long = |at: Timestamp, until: Timestamp| limit < until.duration_since(at);
    // The container of a Pod that runs shorter than that has had no time to be silent.
    let is_young = |pod: &PodHealth| {
        let begun = pod.started_at.or(pod.created_at);
        begun.is_none_or(|at| !too_long(at, world.at()))
    };
    if instance.pods.is_empty() || instance.pods.iter().any(is_young) {
        return None;
    }
    // Each tells nothing of what came after it was read; the one that was read last knows most.
    let gauge = last_reconcile(world, wants).map(|(since, until)| (until, true, since));
    let log = last_line(world, wants).map(|(since, until)| (until, false, since));
    let (until, mut by_gauge, mut since) = gauge.max(log)?;
    // A gauge tells when the last reconcile began, and that may take long: of two that were read at one time the
    // newer sign counts.
    for (read, gauge, sign) in gauge.into_iter().chain(log) {
        if since < sign && until.duration_since(read) < SAME_READING {
            (by_gauge, since) = (gauge, sign);
        }
    }
    // A log that cannot be read now has told until then that the process lives.
    let lived = log.is_none().then(|| last_words(world, wants)).flatten();
    too_long(lived.map_or(since, |at| since.max(at)), until).then_some(Silence { since, by_gauge })
}

/// The last line of its logs, whenever it was read.
fn last_words(world: &World<'_>, wants: &InstanceWants) -> Option<Timestamp> {
    let streams = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.streams);
    let ours = streams.filter(|stream| wants.instance.tells_success() && wrote(wants, &stream.source));
    ours.filter_map(|stream| stream.last_at).max()
}

/// What the metrics of its Pods say, where they are read, and when they were.
fn last_reconcile(world: &World<'_>, wants: &InstanceWants) -> Option<(Timestamp, Timestamp)> {
    own_metrics(world, wants).filter_map(|metrics| Some((metrics.last_reconcile?, metrics.at))).max()
}

/// The last line of its logs, and the time until which all of them were read: they tell nothing of what
/// came then. Only an instance that writes a line in every loop can be silent.
fn last_line(world: &World<'_>, wants: &InstanceWants) -> Option<(Timestamp, Timestamp)> {
    let changes = &world.snapshot.changes;
    let talks = wants.instance.tells_success();
    // A clock that jumped is no matter of one log; those of others and the trail say nothing of this one.
    let of_others =
        |problem: &Problem| problem.scope.contains('/') || problem.scope.starts_with("cloudtrail");
    let is_dim = changes.problems.iter().any(|problem| !of_others(problem));
    if changes.state != ViewState::Read || is_dim || is_feed_unread(world.snapshot, wants) || !talks {
        return None;
    }
    let streams = || changes.value().into_iter().flat_map(|feed| &feed.streams);
    let ours = || streams().filter(|stream| wrote(wants, &stream.source));
    Some((ours().filter_map(|stream| stream.last_at).max()?, ours().map(|stream| stream.read_at).min()??))
}

fn stall(world: &World<'_>, wants: &InstanceWants, reason: Reason, cause: Option<Cause>) -> Candidate {
    let instance = &wants.instance;
    let mut candidate = start(world, wants, Kind::ControllerStalled, reason, Impact::Latent);
    candidate.cause = cause;
    candidate.evidence = instance
        .pods
        .iter()
        .map(|pod| {
            let waiting = pod.waiting.as_deref().map(|why| format!(", waiting: {why}")).unwrap_or_default();
            format!("{}/{}: {} restarts{waiting}", pod.namespace, pod.name, pod.restarts)
        })
        .collect();
    let why = match reason {
        Reason::DryRun => "runs with --dry-run and writes nothing",
        Reason::Absent => "does not run: no Pod of it is ready",
        Reason::NoReconcile => "runs, but no longer reconciles",
        _ => "does not reconcile: its Pod crashes again and again",
    };
    let is_gone = instance.origin == Origin::Departed;
    let why = if is_gone { "is gone: its workload was deleted, and nobody follows its objects" } else { why };
    candidate.summary = format!("ExternalDNS {} {why}.", instance.id);
    let no_policy = candidate.cause == Some(Cause::ControllerMisconfigured(Reason::PolicyMissing));
    let advice = match reason {
        Reason::DryRun => "Take --dry-run away.",
        Reason::CrashLoop if no_policy => SET_POLICY,
        Reason::Absent if is_gone => "Install it again; if it went for good, its records are left over.",
        Reason::Absent if instance.replicas == Some(0) => {
            "It is scaled to 0: scale it up again, unless somebody stopped it for a reason."
        }
        Reason::Absent => "See why its Pods do not start.",
        Reason::NoReconcile => "Restart its Pod and keep its log: the process hangs.",
        _ => "Read the log of its Pod and mend what stops it.",
    };
    candidate.fix = Fix { summary: advice.to_owned(), ..Fix::default() };
    candidate
}
