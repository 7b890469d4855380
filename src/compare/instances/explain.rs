//! What users suffer of a fault of an instance, and the cause that it is to others. Pure.
//!
//! Source: findings.md sections 2.1 and 6.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use crate::compare::explain::leaves_undone;
use crate::compare::verdict::{Candidate, Verdicts};
use crate::finding::{Cause, Impact, Kind};
use crate::model::want::InstanceWants;

/// The worst that the names of the instance suffer now; with none it is what the next change will.
pub(super) fn worst_impact(cause: &Candidate, wants: &InstanceWants, out: &Verdicts) -> Impact {
    let ours = out.candidates.iter().filter(|one| {
        one.key.instance.as_ref() == Some(&wants.instance.id)
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

/// A difference without a known cause has the fault of its instance for one.
pub(super) fn name_cause(cause: &Candidate, wants: &InstanceWants, out: &mut Verdicts) {
    let Some(word) = cause_word(cause) else { return };
    for one in &mut out.candidates {
        let ours = one.key.instance.as_ref() == Some(&wants.instance.id) && leaves_undone(cause, one);
        let told = !matches!(one.cause, None | Some(Cause::UnknownSilent));
        if ours && !told && one.key.kind.is_record_ladder() {
            *one = one.clone().caused_by(Some(word.clone()));
        }
    }
}

fn cause_word(cause: &Candidate) -> Option<Cause> {
    match cause.key.kind {
        Kind::ControllerStalled => Some(Cause::ControllerStalled),
        Kind::ControllerFailing => Some(Cause::ControllerFailing),
        Kind::ControllerMisconfigured => Some(Cause::ControllerMisconfigured(cause.reason)),
        _ => None,
    }
}
