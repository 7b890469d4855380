//! How loud a statement is: a function of kind and impact, never of the kind alone. Pure.
//!
//! Source: findings.md section 6.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use crate::finding::{Cause, Impact, Kind, Reason, Severity};

/// The severity of a statement.
#[must_use]
pub fn severity(kind: Kind, reason: Reason, impact: Impact, cause: Option<&Cause>) -> Severity {
    match kind {
        Kind::ObserverBlind => Severity::Warning,
        Kind::ControllerStalled
        | Kind::ControllerFailing
        | Kind::ControllerMisconfigured
        | Kind::MassDeletion => harm(impact, Severity::Critical, Severity::Warning, Severity::Warning),
        Kind::NoAddress if reason == Reason::NeverAssigned && impact != Impact::None => Severity::Warning,
        Kind::FailedChange => harm(impact, Severity::Warning, Severity::Warning, Severity::Warning),
        Kind::NoZone
        | Kind::WrongZone
        | Kind::AnnotationUnread
        | Kind::InvalidDesired
        | Kind::ConflictingDesired
        | Kind::NoAddress
        | Kind::TargetUnresolvable => harm(impact, Severity::Warning, Severity::Warning, Severity::Info),
        Kind::MissingRecord
        | Kind::WrongAlias
        | Kind::WrongType
        | Kind::WrongRouting
        | Kind::StaleTarget
        | Kind::WrongTarget
        | Kind::WrongTtl => ladder(kind, reason, impact, cause),
        Kind::PrivateTargetInPublicZone => {
            harm(impact, Severity::Warning, Severity::Warning, Severity::Warning)
        }
        Kind::OwnerConflict | Kind::OwnerForeign | Kind::OwnerMissing | Kind::OwnerOrphan => Severity::Info,
        Kind::DanglingRecord => match reason {
            Reason::IpNotOurs | Reason::ClaimableService => Severity::Critical,
            _ => Severity::Warning,
        },
        Kind::StaleRecord if reason == Reason::NotDeleted => Severity::Warning,
        Kind::StaleRecord => Severity::Info,
        Kind::DnssecBroken => harm(impact, Severity::Critical, Severity::Warning, Severity::Warning),
        Kind::DelegationBroken | Kind::ZoneUnassociated | Kind::ZoneQuota => {
            harm(impact, Severity::Warning, Severity::Warning, Severity::Warning)
        }
        Kind::WildcardShadow
        | Kind::AuthMismatch
        | Kind::HealthWithdrawn
        | Kind::ResolverStale
        | Kind::ResolverMismatch
        | Kind::ResolverUnreachable => harm(impact, Severity::Warning, Severity::Warning, Severity::Info),
        Kind::Flapping => harm(impact, Severity::Critical, Severity::Warning, Severity::Info),
        Kind::Churn => Severity::Info,
    }
}

/// Critical for `down` and `wrong_place`; the three others as given: degraded, latent, none.
fn harm(impact: Impact, degraded: Severity, latent: Severity, none: Severity) -> Severity {
    match impact {
        Impact::Down | Impact::WrongPlace | Impact::Security => Severity::Critical,
        Impact::Degraded => degraded,
        Impact::Latent => latent,
        Impact::None => none,
    }
}

fn ladder(kind: Kind, reason: Reason, impact: Impact, cause: Option<&Cause>) -> Severity {
    let quiet =
        kind == Kind::WrongTtl || matches!(reason, Reason::EvaluateTargetHealth | Reason::AliasExpectedCname);
    match impact {
        Impact::WrongPlace if cause == Some(&Cause::OwnerForeign) => Severity::Warning,
        Impact::Down | Impact::WrongPlace | Impact::Security => Severity::Critical,
        Impact::Degraded => Severity::Warning,
        Impact::Latent if quiet => Severity::Info,
        Impact::Latent => Severity::Warning,
        Impact::None => Severity::Info,
    }
}
