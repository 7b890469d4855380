//! What users suffer of a fault of an instance. Pure.
//!
//! Source: findings.md section 6.

use crate::compare::explain::leaves_undone;
use crate::compare::instances::stalled::is_idle;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{Cause, Impact, Kind};
use crate::model::instance::Origin;
use crate::model::want::InstanceWants;

/// The worst that the names of the instance suffer now; with none it is what the next change will.
pub(super) fn worst_impact(
    world: &World<'_>,
    cause: &Candidate,
    wants: &InstanceWants,
    out: &Verdicts,
) -> Impact {
    // What is in its window is expected to be mended, unless nobody does that any more.
    let does_nothing = matches!(cause.key.kind, Kind::ControllerStalled | Kind::ControllerFailing);
    let ours = out.candidates.iter().filter(|one| {
        one.key.instance.as_ref() == Some(&wants.instance.id)
            && (one.window.is_none() || does_nothing && !is_written_by_another(world, wants, one))
            // What another owner holds it would leave as it is.
            && one.cause != Some(Cause::OwnerForeign)
            && (leaves_undone(cause, one) || is_left_unserved(cause, one))
    });
    // A left-over that is explained makes the fault itself no smaller.
    let suffered = ours.map(|one| one.impact).chain([Impact::Latent]);
    suffered.max_by_key(|impact| impact.weight()).unwrap_or(Impact::Latent)
}

/// True if an instance that runs wants the record as well, in the same zone: what is in its window it will write.
fn is_written_by_another(world: &World<'_>, wants: &InstanceWants, one: &Candidate) -> bool {
    let Some(key) = one.key.subject.record() else { return false };
    let runs = |other: &&InstanceWants| {
        other.instance.id != wants.instance.id
            && other.instance.origin != Origin::Departed
            && !is_idle(&other.instance)
    };
    let others = world.wants.iter().filter(runs);
    others
        .flat_map(|other| other.at(&key.name))
        .any(|want| want.is(key) && want.zone_id() == one.key.zone_id.as_ref())
}

/// Names whose repair has to wait for the instance.
fn is_left_unserved(cause: &Candidate, one: &Candidate) -> bool {
    matches!(cause.key.kind, Kind::ControllerStalled | Kind::ControllerFailing)
        && matches!(one.key.kind, Kind::FailedChange | Kind::NoZone)
}
