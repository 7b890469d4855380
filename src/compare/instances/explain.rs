//! What a fault of an instance explains, and what users suffer of it. Pure.
//!
//! Source: findings.md section 5.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use crate::compare::verdict::{Candidate, Verdicts};
use crate::finding::{Cause, Impact, Kind, Reason};
use crate::model::want::InstanceWants;

/// The worst that the names of the instance suffer now; with none it is what the next change will.
pub(super) fn worst_impact(cause: &Candidate, wants: &InstanceWants, out: &Verdicts) -> Impact {
    let ours = out.candidates.iter().filter(|one| {
        one.key.instance.as_ref() == Some(&wants.instance.id)
            && (explains(cause, one) || is_left_unserved(cause, one))
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

/// Marks what an instance-level finding explains; a refused change is never explained away.
pub(super) fn explain(cause: &Candidate, wants: &InstanceWants, out: &mut Verdicts) {
    for one in &mut out.candidates {
        if one.key.instance.as_ref() != Some(&wants.instance.id) || !explains(cause, one) {
            continue;
        }
        one.explained_by = Some((cause.key.subject.clone(), cause.key.kind));
        let told = !matches!(one.cause, None | Some(Cause::UnknownSilent));
        if let Some(word) = cause_word(cause).filter(|_| !told && one.key.kind.is_record_ladder()) {
            *one = one.clone().caused_by(Some(word));
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

fn explains(cause: &Candidate, one: &Candidate) -> bool {
    let kind = one.key.kind;
    let ladder = kind.is_record_ladder();
    match (cause.key.kind, cause.reason) {
        (Kind::MassDeletion, _) => {
            kind == Kind::NoAddress && one.reason == Reason::Lost || kind == Kind::MissingRecord
        }
        (_, Reason::AnnotationPrefixFlip) => ladder || kind == Kind::AnnotationUnread,
        (_, Reason::OwnerIdChanged) => {
            ladder && one.cause == Some(Cause::OwnerForeign)
                || matches!(kind, Kind::OwnerForeign | Kind::OwnerConflict)
        }
        (_, Reason::TxtAffixChanged) => {
            ladder && one.cause == Some(Cause::OwnerMissing) || kind == Kind::OwnerMissing
        }
        (_, Reason::OwnerIdShared) => {
            matches!(kind, Kind::StaleRecord | Kind::OwnerOrphan)
                || kind == Kind::MissingRecord && one.reason == Reason::Deleted
        }
        (_, Reason::OverlappingInstances) => {
            ladder && one.cause == Some(Cause::OwnerForeign) || kind == Kind::OwnerConflict
        }
        (_, Reason::ZoneFilterMatchesNothing | Reason::DomainFilterQuoted) => {
            ladder || matches!(kind, Kind::NoZone | Kind::StaleRecord)
        }
        _ => ladder || kind == Kind::StaleRecord,
    }
}
