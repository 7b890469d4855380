//! What explains what: one table. Pure.
//!
//! Source: findings.md section 5. A statement that another *open* one explains does not alert;
//! whether it is open is the business of [`crate::history`].

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use jiff::Timestamp;

use crate::compare::verdict::Candidate;
use crate::finding::{Cause, Kind, Reason, Subject};
use crate::model::DomainName;
use crate::snapshot::ViewName;

/// A statement and when it was first seen.
pub type Told<'a> = (&'a Candidate, Timestamp);

/// True if `outer` explains `inner`, provided that `outer` is open.
#[must_use]
pub fn explains(outer: Told<'_>, inner: Told<'_>) -> bool {
    let ((cause, _), (effect, _)) = (outer, inner);
    if cause.key == effect.key {
        return false;
    }
    if is_half_of(cause, effect) {
        return true;
    }
    // Of a record one statement is told. Within a round the others are attached to it; what an earlier one left open,
    // because DNS is dark now, is part of it, too.
    let is_of_same_record =
        cause.key.subject == effect.key.subject && cause.key.zone_id == effect.key.zone_id;
    if effect.key.kind.is_live() && is_of_same_record && cause.key.kind < effect.key.kind {
        return true;
    }
    if is_louder(effect, cause) {
        return false;
    }
    match cause.key.kind {
        Kind::ObserverBlind => blinds(cause, effect),
        Kind::ControllerStalled | Kind::ControllerFailing | Kind::ControllerMisconfigured => {
            controls(outer, inner) || burst(cause, effect)
        }
        Kind::MassDeletion => burst(cause, effect),
        Kind::NoZone | Kind::FailedChange | Kind::InvalidDesired | Kind::NoAddress => {
            // What another object asks for has its address.
            let of_another = cause.key.kind == Kind::NoAddress
                && effect.object.as_ref().is_some_and(|object| Some(object) != cause.object.as_ref());
            let is_live = effect.key.kind.is_live()
                && (matches!(cause.key.kind, Kind::NoZone | Kind::NoAddress) || same_type(cause, effect));
            // What harms the users of the other address family more is no consequence of this one.
            let is_of_name = matches!(cause.key.kind, Kind::NoZone | Kind::NoAddress);
            let is_own = is_of_name || same_type(cause, effect) || effect.severity <= cause.severity;
            !of_another
                && is_own
                && same_place(cause, effect)
                && (effect.key.kind.is_record_ladder() || is_live || effect.key.kind == Kind::OwnerOrphan)
        }
        // The object asks for the record still, only nobody reads it.
        Kind::AnnotationUnread => {
            effect.key.kind == Kind::StaleRecord
                && effect.object == cause.object
                && effect.key.subject.record().is_some_and(|key| cause.covers.contains(&key.name))
        }
        Kind::ConflictingDesired => {
            let of_claims = matches!(effect.key.kind, Kind::Flapping | Kind::WrongTarget | Kind::StaleTarget);
            // The record of the other address family has claims of its own, and what harms its users more is no
            // consequence of this one.
            let is_own = same_type(cause, effect) || effect.severity <= cause.severity;
            of_claims && is_own && same_place(cause, effect)
        }
        Kind::TargetUnresolvable => {
            let of_target = match effect.key.kind {
                Kind::AuthMismatch => effect.reason == Reason::Nodata,
                Kind::HealthWithdrawn | Kind::DanglingRecord => true,
                _ => false,
            };
            of_target && same_place(cause, effect) || is_sibling_silenced(cause, effect)
        }
        // A delegation below the apex, or a private zone, takes single names away: neighbours have a fault of
        // their own.
        Kind::WrongZone if cause.reason != Reason::NotTheDelegatedOne => {
            effect.key.kind.is_live() && same_place(cause, effect)
        }
        Kind::WrongZone | Kind::DelegationBroken | Kind::DnssecBroken | Kind::ZoneUnassociated => {
            let is_below = effect.key.zone_id.as_ref().is_some_and(|zone| cause.below.contains(zone));
            // A chain of trust that is broken is so for all below it, signed or not.
            let is_chain =
                is_below && (cause.key.kind, effect.key.kind) == (Kind::DnssecBroken, Kind::DnssecBroken);
            let is_here = cause.key.zone_id == effect.key.zone_id;
            effect.key.kind.is_live() && (is_here || is_below) || is_chain
        }
        Kind::MissingRecord => {
            effect.key.kind.is_live() && same_place(cause, effect) && same_type(cause, effect)
        }
        Kind::DanglingRecord => {
            effect.key.kind == Kind::StaleRecord
                && effect.key.subject == cause.key.subject
                && effect.key.zone_id == cause.key.zone_id
        }
        _ => false,
    }
}

/// What DNS answers is a louder matter than what would explain it: the whole is no consequence of a part, an
/// outage of one address family or of all servers none of a single server's. What is told of an instance or
/// a view is as loud as what it explains.
fn is_louder(effect: &Candidate, cause: &Candidate) -> bool {
    effect.key.kind.is_live() && matches!(cause.key.kind.rank(), 10..=52) && cause.severity < effect.severity
}

/// A half of the same thing says so itself. The other half speaks for both when it is as loud, and no
/// matter of a lesser sort: an ownership record says nothing of one that is missing.
fn is_half_of(cause: &Candidate, effect: &Candidate) -> bool {
    let sort = |one: &Candidate| one.key.kind.rank() / 30;
    let names_it = effect.explained_by.as_ref().is_some_and(|(subject, _)| *subject == cause.key.subject);
    names_it
        && (cause.key.zone_id.is_none() || effect.key.zone_id == cause.key.zone_id)
        && sort(cause) <= sort(effect)
        && effect.severity <= cause.severity
}

/// What rests on a view that is blind.
fn blinds(cause: &Candidate, effect: &Candidate) -> bool {
    let kind = effect.key.kind;
    match &cause.key.subject {
        Subject::Source(ViewName::Kubernetes) => {
            matches!(kind, Kind::StaleRecord | Kind::DanglingRecord | Kind::MassDeletion)
        }
        Subject::Source(ViewName::Route53) => matches!(kind.rank(), 20..=41 | 72),
        Subject::Source(ViewName::Dns) => {
            kind.is_live() || matches!(kind, Kind::DelegationBroken | Kind::DnssecBroken)
        }
        _ => false,
    }
}

/// What a controller that does not work leaves undone. What was wrong before it stopped has a
/// cause of its own, and a refused change is what a human must mend in any case.
fn controls(outer: Told<'_>, inner: Told<'_>) -> bool {
    let ((cause, onset), (effect, first_seen)) = (outer, inner);
    // Where ownership is confused the cause of each record says so; other flags do nothing before they are in
    // force, and a controller that stands still leaves everything.
    let mut undone = faults(cause).filter(|(_, reason)| leaves(*reason, effect));
    same_instance(cause, effect)
        && undone.any(|(kind, reason)| {
            let is_matched = kind == Kind::ControllerMisconfigured && tells_by_cause(reason, effect);
            is_matched || onset <= first_seen
        })
}

/// True for flags whose work is told from that of others by what it does, whenever it began.
fn tells_by_cause(reason: Reason, effect: &Candidate) -> bool {
    match reason {
        Reason::OwnerIdChanged
        | Reason::TxtAffixChanged
        | Reason::OwnerIdShared
        | Reason::OverlappingInstances => true,
        // Neither flag nor filter tells since when it is so; what is never read is never old.
        Reason::AnnotationPrefixFlip => !effect.key.kind.is_record_ladder(),
        Reason::ZoneFilterMatchesNothing | Reason::DomainFilterQuoted => effect.key.kind == Kind::NoZone,
        _ => false,
    }
}

/// The faults of an instance that one statement tells. Of those that it tells besides, only flags with a
/// row of their own say more than the first one does.
fn faults(told: &Candidate) -> impl Iterator<Item = (Kind, Reason)> {
    let also = told.also.iter().map(|also| (also.kind, also.reason));
    let more = also.filter(|(kind, reason)| *kind == Kind::ControllerMisconfigured && has_row(*reason));
    std::iter::once((told.key.kind, told.reason)).chain(more)
}

/// True if a fault of a controller leaves this undone.
#[must_use]
pub fn leaves_undone(cause: &Candidate, effect: &Candidate) -> bool {
    if cause.key.kind == Kind::MassDeletion {
        return burst(cause, effect);
    }
    faults(cause).any(|(_, reason)| leaves(reason, effect))
}

/// True if the flags tell what of the instance's work they spoil; others spoil all of it.
fn has_row(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AnnotationPrefixFlip
            | Reason::OwnerIdChanged
            | Reason::TxtAffixChanged
            | Reason::OwnerIdShared
            | Reason::OverlappingInstances
            | Reason::ZoneFilterMatchesNothing
            | Reason::DomainFilterQuoted
    )
}

fn leaves(fault: Reason, effect: &Candidate) -> bool {
    let kind = effect.key.kind;
    let ladder = kind.is_record_ladder();
    match fault {
        // The flip is one finding for all the objects that carry the former prefix.
        // Their records are left over meanwhile.
        Reason::AnnotationPrefixFlip => ladder || matches!(kind, Kind::AnnotationUnread | Kind::StaleRecord),
        Reason::OwnerIdChanged => {
            ladder && effect.cause == Some(Cause::OwnerForeign)
                || matches!(kind, Kind::OwnerForeign | Kind::OwnerConflict)
        }
        Reason::TxtAffixChanged => {
            ladder && effect.cause == Some(Cause::OwnerMissing) || kind == Kind::OwnerMissing
        }
        Reason::OwnerIdShared => {
            matches!(kind, Kind::StaleRecord | Kind::OwnerOrphan)
                || kind == Kind::MissingRecord && effect.reason == Reason::Deleted
        }
        Reason::OverlappingInstances => {
            let of_both = [Cause::OwnerForeign, Cause::ControllerMisconfigured(fault)];
            let is_of_both = effect.cause.as_ref().is_some_and(|cause| of_both.contains(cause));
            is_of_both && (ladder || kind == Kind::Flapping) || kind == Kind::OwnerConflict
        }
        Reason::ZoneFilterMatchesNothing => ladder || matches!(kind, Kind::NoZone | Kind::StaleRecord),
        _ => {
            ladder
                || matches!(kind, Kind::WrongTtl | Kind::StaleRecord)
                || kind == Kind::NoZone && effect.reason == Reason::FilteredOut
        }
    }
}

/// The cause that an explaining finding is to what it explains; `None` where the explained one needs
/// none.
#[must_use]
pub fn cause_word(outer: &Candidate, inner: &Candidate) -> Option<Cause> {
    let told = !matches!(inner.cause, None | Some(Cause::UnknownSilent));
    if told || !inner.key.kind.is_record_ladder() {
        return None;
    }
    let (kind, reason) =
        faults(outer).find(|(_, reason)| leaves(*reason, inner)).unwrap_or((outer.key.kind, outer.reason));
    match kind {
        Kind::ControllerStalled => Some(Cause::ControllerStalled),
        Kind::ControllerFailing => Some(Cause::ControllerFailing),
        Kind::ControllerMisconfigured => Some(Cause::ControllerMisconfigured(reason)),
        _ => None,
    }
}

/// A name of a mass deletion, which may be told besides: who stops the controller stops the deletion.
fn burst(cause: &Candidate, effect: &Candidate) -> bool {
    let told =
        cause.key.kind == Kind::MassDeletion || cause.also.iter().any(|also| also.kind == Kind::MassDeletion);
    // What is left of wishes that vanished together is as doubtful as that they did.
    let is_left = effect.key.kind == Kind::StaleRecord && cause.reason == Reason::WantsVanished;
    told && same_instance(cause, effect) && (is_left || is_of_burst(effect)) && went_with(cause, effect)
}

/// A name that it lists. Of one that has lost one address family the record of the other has a fault of its own.
fn went_with(cause: &Candidate, effect: &Candidate) -> bool {
    let record = effect.key.subject.record();
    let is_other = record.is_some_and(|key| !cause.concerns(&key.name, &key.record_type));
    !is_other && shares_name(cause, effect)
}

fn is_of_burst(effect: &Candidate) -> bool {
    effect.key.kind == Kind::MissingRecord
        || effect.key.kind == Kind::NoAddress && effect.reason == Reason::Lost
}

fn same_instance(cause: &Candidate, effect: &Candidate) -> bool {
    cause.key.instance.is_some() && cause.key.instance == effect.key.instance
}

/// The same name in the same zone. What lives in no zone speaks for its instance.
fn same_place(cause: &Candidate, effect: &Candidate) -> bool {
    let zone = match (&cause.key.zone_id, &effect.key.zone_id) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => cause.key.instance == effect.key.instance,
    };
    let member = |one: &Candidate| one.key.subject.record().and_then(|key| key.set_identifier.clone());
    let same_member = match (member(cause), member(effect)) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => true,
    };
    zone && same_member && shares_name(cause, effect)
}

/// What DNS answers for the other address family is no matter of this one; a wildcard answers for both.
fn same_type(cause: &Candidate, effect: &Candidate) -> bool {
    let record_type = |one: &Candidate| one.key.subject.record().map(|key| key.record_type.clone());
    effect.key.kind == Kind::WildcardShadow || record_type(cause) == record_type(effect)
}

/// Another member of the routing set to which the target belongs: whoever is sent to the dead one is
/// answered nothing, by those servers that are asked just then.
fn is_sibling_silenced(cause: &Candidate, effect: &Candidate) -> bool {
    let of = |one: &Candidate| one.key.subject.record().cloned();
    let (Some(dead), Some(other)) = (of(cause), of(effect)) else { return false };
    effect.key.kind == Kind::AuthMismatch
        && matches!(effect.reason, Reason::Nodata | Reason::NsDisagree)
        && dead.set_identifier.is_some()
        && other.set_identifier.is_some()
        && (dead.name, dead.record_type) == (other.name, other.record_type)
        && cause.key.zone_id == effect.key.zone_id
}

fn shares_name(cause: &Candidate, effect: &Candidate) -> bool {
    names(effect).any(|name| names(cause).any(|other| other == name))
}

/// The names that a statement is about.
pub fn names(candidate: &Candidate) -> impl Iterator<Item = &DomainName> {
    candidate.key.subject.record().map(|key| &key.name).into_iter().chain(&candidate.covers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{FindingKey, Impact};
    use crate::model::{RecordKey, RecordType, ZoneId};
    use crate::report::Also;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).expect("a time")
    }

    /// `app.example.com/A missing_record absent`, or `instance mass_deletion lb_status_lost`.
    fn candidate(words: &str) -> Candidate {
        let mut words = words.split(' ');
        let mut next = || words.next().expect("a word");
        let (subject, kind, reason) = (next(), next(), next());
        let (subject, zone) = match subject.split_once('/') {
            Some(("zone", name)) => (Subject::Zone(name.into()), Some("Z1")),
            Some(("source", view)) => {
                let view = ViewName::ALL.into_iter().find(|one| one.as_str() == view);
                (Subject::Source(view.expect("a view")), None)
            }
            Some((name, record_type)) => {
                let (record_type, set) = record_type.split_once('#').unwrap_or((record_type, ""));
                let key = RecordKey {
                    name: name.into(),
                    record_type: RecordType::new(record_type),
                    set_identifier: Some(set.into()).filter(|_| !set.is_empty()),
                };
                (Subject::Record(key), Some("Z1"))
            }
            None => (Subject::Instance(subject.into()), None),
        };
        let kind = Kind::from_word(kind).expect("a kind");
        let key = FindingKey {
            subject,
            zone_id: zone.map(ZoneId::new),
            instance: (kind != Kind::ObserverBlind).then(|| "prod".into()),
            kind,
        };
        Candidate::new(key, Reason::from_word(reason).expect("a reason"), Impact::Latent, at(0))
    }

    fn check(outer: &str, inner: &str, expected: bool) {
        let told = explains((&candidate(outer), at(0)), (&candidate(inner), at(0)));
        assert_eq!(told, expected, "{outer} -> {inner}");
    }

    #[test]
    fn the_rows_of_the_table() {
        let (app, other) = ("app.example.com", "b.example.com");
        let missing = format!("{app}/A missing_record absent");
        check("prod controller_stalled crash_loop", &missing, true);
        check("prod controller_stalled crash_loop", &format!("{app}/A failed_change cname_conflict"), false);
        check("prod controller_failing throttled", &format!("{app}/A no_zone filtered_out"), true);
        check("prod controller_failing throttled", &format!("{app}/A no_zone not_found"), false);
        check("prod controller_failing throttled", &format!("{app}/A flapping two_values"), false);
        check("prod mass_deletion records_vanished", &missing, false);
        check(
            &format!("{app}/A failed_change cname_conflict"),
            &format!("{app}/AAAA missing_record absent"),
            true,
        );
        check(
            &format!("{app}/A failed_change cname_conflict"),
            &format!("{other}/A missing_record absent"),
            false,
        );
        check(
            &format!("{app}/A#a failed_change unknown"),
            &format!("{app}/A#b missing_record absent"),
            false,
        );
        check(
            &format!("{app}/A conflicting_desired merged_targets"),
            &format!("{app}/AAAA wrong_target subset"),
            true,
        );
        check(&format!("{app}/A conflicting_desired merged_targets"), &missing, false);
        check(
            &format!("{app}/A target_unresolvable nxdomain"),
            &format!("{app}/AAAA auth_mismatch nodata"),
            true,
        );
        check(
            &format!("{app}/A target_unresolvable nxdomain"),
            &format!("{app}/AAAA auth_mismatch different"),
            false,
        );
        check(
            "zone/example.com delegation_broken lame_all",
            &format!("{app}/A resolver_unreachable servfail_quorum"),
            true,
        );
        check("zone/example.com delegation_broken lame_all", &missing, false);
        check(&missing, &format!("{app}/AAAA wildcard_shadow other_target"), true);
        check(
            &format!("{app}/A wrong_type cname_instead_of_a"),
            &format!("{app}/AAAA resolver_stale positive"),
            false,
        );
        check(&format!("{app}/A owner_missing none"), &missing, false);
        check(
            "source/kubernetes observer_blind forbidden",
            &format!("{app}/A stale_record not_deleted"),
            true,
        );
        check("source/kubernetes observer_blind forbidden", &missing, false);
        check("source/route53 observer_blind throttled", &missing, true);
        check("source/dns observer_blind unreachable", &format!("{app}/A auth_mismatch nxdomain"), true);
        check(&missing, &missing, false);
    }

    #[test]
    fn what_was_wrong_before_has_a_cause_of_its_own() {
        let stalled = candidate("prod controller_stalled no_reconcile");
        let mut missing = candidate("app.example.com/A missing_record absent");
        assert_eq!(cause_word(&stalled, &missing), Some(Cause::ControllerStalled));
        assert!(explains((&stalled, at(5)), (&missing, at(6))));
        assert!(!explains((&stalled, at(5)), (&missing, at(4))));
        let flags = candidate("prod controller_misconfigured zone_filter_matches_nothing");
        assert!(explains((&flags, at(5)), (&missing, at(5))), "what they leave undone");
        assert!(!explains((&flags, at(5)), (&missing, at(4))), "what was wrong before them");
        let shared = candidate("prod controller_misconfigured owner_id_shared");
        let deleted = candidate("app.example.com/A missing_record deleted");
        assert!(explains((&shared, at(5)), (&deleted, at(4))), "the cause tells whose work it is");
        missing.key.instance = Some("other".into());
        assert!(!explains((&stalled, at(5)), (&missing, at(6))), "another instance");
    }

    #[test]
    fn a_fault_that_is_told_besides_explains_what_it_leaves_undone() {
        let mut stalled = candidate("prod controller_stalled crash_loop");
        let unread = candidate("app.example.com/A annotation_unread other_prefix");
        let missing = candidate("app.example.com/A missing_record absent");
        assert!(!explains((&stalled, at(5)), (&unread, at(6))));
        let also = |reason| Also { kind: Kind::ControllerMisconfigured, reason };
        stalled.also = vec![also(Reason::PolicyMissing)];
        assert!(!explains((&stalled, at(5)), (&missing, at(4))), "the flags of the stall are the stall");
        stalled.also.push(also(Reason::AnnotationPrefixFlip));
        assert!(explains((&stalled, at(5)), (&unread, at(4))));
        assert!(explains((&stalled, at(5)), (&missing, at(5))), "what is not read any more");
        assert!(!explains((&stalled, at(5)), (&missing, at(4))), "it was wrong before");
        assert_eq!(cause_word(&stalled, &missing), Some(Cause::ControllerStalled));
    }

    #[test]
    fn a_burst_explains_its_own_names() {
        let mut burst = candidate("prod mass_deletion records_vanished");
        burst.covers.insert("app.example.com".into());
        let told = |inner: &str| explains((&burst, at(0)), (&candidate(inner), at(0)));
        assert!(told("app.example.com/A missing_record deleted"));
        assert!(!told("b.example.com/A missing_record deleted"));
        assert!(!told("app.example.com/A wrong_target disjoint"));
        burst.halves.insert(("app.example.com".into(), RecordType::A));
        let told = |inner: &str| explains((&burst, at(0)), (&candidate(inner), at(0)));
        assert!(told("app.example.com/A missing_record one_family"));
        assert!(!told("app.example.com/AAAA missing_record one_family"), "it did not go with the others");
    }
}
