//! What users suffer of a fault of an instance. Pure.
//!
//! Source: findings.md section 6.

use crate::compare::explain::leaves_undone;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::finding::{Impact, Kind};
use crate::model::want::InstanceWants;

/// The worst that the names of the instance suffer now; with none it is what the next change will.
pub(super) fn worst_impact(cause: &Candidate, wants: &InstanceWants, out: &Verdicts) -> Impact {
    // What is in its window is expected to be mended, unless nobody does that any more.
    let does_nothing = matches!(cause.key.kind, Kind::ControllerStalled | Kind::ControllerFailing);
    let ours = out.candidates.iter().filter(|one| {
        one.key.instance.as_ref() == Some(&wants.instance.id)
            && (one.window.is_none() || does_nothing)
            && (leaves_undone(cause, one) || is_left_unserved(cause, one))
    });
    // A left-over that is explained makes the fault itself no smaller.
    let suffered = ours.map(|one| one.impact).chain([Impact::Latent]);
    suffered.max_by_key(|impact| impact.weight()).unwrap_or(Impact::Latent)
}

/// Names whose repair has to wait for the instance.
fn is_left_unserved(cause: &Candidate, one: &Candidate) -> bool {
    matches!(cause.key.kind, Kind::ControllerStalled | Kind::ControllerFailing)
        && matches!(one.key.kind, Kind::FailedChange | Kind::NoZone)
}
