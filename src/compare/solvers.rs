//! Certificate solvers: objects of cert-manager that borrow the host of another object for minutes, and that
//! `ExternalDNS` takes for objects like any other. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::compare::ladder::{Step, targets};
use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::desired::source::{SOLVER_LIFE, SourceInput, is_solver, read_object};
use crate::finding::{Kind, SilentReason, Window};
use crate::model::DomainName;
use crate::model::record::{RecordSet, Value};
use crate::model::want::{InstanceWants, Want};
use crate::past::ObjectPast;

/// What one solver leads a host to, as one instance reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Borrowed {
    /// The instance, by its place.
    instance: usize,
    /// The host.
    name: DomainName,
    /// The targets of the solver.
    targets: BTreeSet<Value>,
    /// How long they may stand in the record: as long as the solver may live, or until the loop after it went.
    until: Timestamp,
}

/// All hosts that solvers borrow, or borrowed lately.
#[must_use]
pub fn borrowed(world: &World<'_>) -> Vec<Borrowed> {
    let Some(cluster) = world.snapshot.kubernetes.value() else { return Vec::new() };
    let lately =
        |past: &&ObjectPast| past.deleted_at.is_none_or(|gone| world.at().duration_since(gone) < SOLVER_LIFE);
    let solvers = world.past.objects.values().filter(|past| is_solver(&past.last)).filter(lately);
    let solvers: Vec<&ObjectPast> = solvers.collect();
    let mut out = Vec::new();
    for (instance, wants) in world.wants.iter().enumerate() {
        // At a time when none is young any more nothing sets them apart.
        let input = SourceInput { objects: &cluster.objects, instance: &wants.instance, now: Timestamp::MAX };
        for past in &solvers {
            let Some(until) = until(world, wants, past) else { continue };
            let read = read_object(&past.last, &input);
            let named = read.endpoints.iter().map(|endpoint| {
                let targets = endpoint.targets.iter().map(|text| Value::new(&endpoint.record_type, text));
                (DomainName::new(&endpoint.name), targets.collect())
            });
            let waiting = read.without_target.iter().flat_map(|object| &object.names);
            let all = named.chain(waiting.map(|name| (name.clone(), BTreeSet::new())));
            out.extend(all.map(|(name, targets)| Borrowed { instance, name, targets, until }));
        }
    }
    out
}

fn until(world: &World<'_>, wants: &InstanceWants, past: &ObjectPast) -> Option<Timestamp> {
    match past.deleted_at {
        Some(gone) => gone.checked_add(signed(wants.instance.sync_window(1, world.policy.sync_floor))).ok(),
        None => past.last.created_at?.checked_add(SOLVER_LIFE).ok(),
    }
}

/// True if a solver borrows the host, or did so within the last hour.
#[must_use]
pub fn is_borrowed(world: &World<'_>, name: &DomainName) -> bool {
    world.borrowed().iter().any(|one| one.name == *name)
}

/// Open where nothing but the targets of a solver sets the record apart from what is wanted.
pub(super) fn window(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    here: &[RecordSet],
    step: &Step,
) -> Option<Window> {
    if !matches!(step.kind, Kind::WrongTarget | Kind::StaleTarget) {
        return None;
    }
    let wanted = targets(&want.content);
    let held = targets(&here.iter().find(|set| want.is(&set.key()))?.content);
    let mut strange = held.difference(&wanted).peekable();
    strange.peek()?;
    let is_of = |one: &&Borrowed| {
        world.wants.get(one.instance).is_some_and(|of| std::ptr::eq(of, wants)) && one.name == want.name
    };
    let of_name: Vec<&Borrowed> = world.borrowed().iter().filter(is_of).collect();
    let until =
        |target: &Value| of_name.iter().filter(|one| one.targets.contains(target)).map(|one| one.until).max();
    let until = strange.map(until).collect::<Option<Vec<_>>>()?.into_iter().min()?;
    (world.at() < until).then_some(Window { reason: SilentReason::AcmeSolver, until })
}
