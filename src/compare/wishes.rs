//! Judging every wanted record: zone, refusals, impossible wishes, conflicts, the ladder, live
//! answers. Pure.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

pub(in crate::compare) mod blame;
mod refused;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::compare::after;
use crate::compare::assumed;
use crate::compare::causes::{Circumstances, by_version};
use crate::compare::feed::{Refusal, Refusals, spelled, still_counts};
use crate::compare::fix;
use crate::compare::ladder::{Step, differences, is_stale_by_denial, targets};
use crate::compare::live::{Judged, impact_of, is_standby, questions, served_exactly, shows_member};
use crate::compare::mismatch::auth_mismatch;
use crate::compare::mute;
use crate::compare::owner::Ownership;
use crate::compare::resolvers::judge_resolvers;
use crate::compare::show;
use crate::compare::solvers;
use crate::compare::target::{dead_target, lacks_family, loops_in_zones};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::wildcard::answers_elsewhere;
use crate::compare::world::{Wanted, World};
use crate::compare::wrong_zone::{has_unread_twin, home, is_served_in_public, lost_zone, wrong_zone};
use crate::finding::{Cause, FindingKey, Impact, Kind, Reason, Severity, SilentReason, Subject, Window};
use crate::model::instance::{Policy as Allowed, ZoneType};
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::record::{RecordKey, RecordSet, RecordType, Routing, Value};
use crate::model::want::{InstanceWants, NoZone, Placement, Want};
use crate::model::zone::ZoneReading;
use crate::model::{Content, DomainName, ObjectRef, ZoneId};
use crate::past::Sighting;
use crate::report::{Also, Silent};
use crate::snapshot::{ViewName, ViewState};

/// Judges some of what is wanted. `refused`: the changes that were refused to each instance.
pub fn judge_wants(world: &World<'_>, wanted: &[Wanted<'_>], refused: &[Refusals], out: &mut Verdicts) {
    for Wanted { instance, wants, want } in wanted {
        let Some(refused) = refused.get(*instance) else { continue };
        let own = usize::from(world.policy.owns(want));
        out.names += own;
        // Judged all the same: what is wrong with it stays told.
        let own = if out.coverage.is_kept(want) {
            out.unknown += own;
            0
        } else {
            own
        };
        match &want.placement {
            Placement::Unknown => out.unknown += own,
            // The zone may be in an account that could not be read.
            Placement::NoZone(_) if !world.snapshot.accounts_read() => out.unknown += own,
            Placement::NoZone(no_zone) => {
                match publisher(world, wants, want).filter(|_| !is_bereft(world, wants, want)) {
                    Some(other) => {
                        let detail = format!("instance {other} has a zone for it");
                        let subject = Subject::Record(want.key());
                        out.silent.push(Silent { subject, reason: SilentReason::SplitHorizon, detail });
                    }
                    None => out.candidates.push(no_zone_of(world, wants, want, no_zone)),
                }
            }
            Placement::Zone(id) => match world.zone(id) {
                None => out.unknown += own,
                Some(zone) if has_unread_twin(world, wants, zone) => out.unknown += own,
                Some(zone) => {
                    judge_in_zone(world, wants, want, home(world, wants, want, zone), refused, out);
                }
            },
        }
    }
}

fn judge_in_zone(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
    refused: &Refusals,
    out: &mut Verdicts,
) {
    if by_other_family(want, zone) {
        return;
    }
    let step = differences(world, wants, want, zone);
    let read_at = zone.name_read_at(&want.name).unwrap_or(world.at());
    let exactly = served_exactly(world, want, zone);
    let judged = exactly.unwrap_or_else(|| impact_of(world, want, Some(zone)));
    let context = Context { world, wants, want, zone, judged, is_exact: exactly.is_some(), read_at };
    let mut holds = Vec::new();
    if let Some(step) = &step
        && let Some(refusal) = context.refusal(refused, step)
    {
        holds.push(context.failed_change(refusal, step));
    }
    if let (Some(reason), Some(step)) = (want.invalid, &step) {
        holds.push(context.invalid(reason, step));
    }
    if want.conflict.as_ref().is_some_and(|one| counts(one.reason, step.as_ref())) {
        holds.extend(context.conflict(step.as_ref()));
    }
    if let Some(reason) = dead_target(world, want) {
        let dead = context.dead_target(reason);
        note_window(&dead, out);
        holds.push(dead);
    }
    holds.extend(context.wrong_zone(step.as_ref()));
    if let Some(step) = &step {
        let ladder = context.ladder(step);
        holds.extend(context.wildcard(step));
        if holds.is_empty() {
            note_window(&ladder, out);
        }
        holds.push(ladder);
        holds.extend(context.unreached(step));
    }
    if step.is_none() {
        holds.extend(context.ownership_refused(refused));
    }
    if step.as_ref().is_none_or(|step| step.kind == Kind::WrongTtl) {
        holds.extend(context.unowned_for_good());
        holds.extend(context.agreeing(out));
    }
    let fails_alone = fails_alone(want, &zone.zone.id, refused);
    out.candidates.extend(holds.into_iter().map(|candidate| context.dress(candidate, fails_alone)));
}

/// True for the half of an alias that was refused for its own sake and takes the other half along: its
/// ownership is in the way, or the target has no address of the family.
fn fails_alone(half: &Want, zone: &ZoneId, refused: &Refusals) -> bool {
    let Some(own) = refused.of(&half.key(), zone).filter(|own| own.culprit.is_none()) else { return false };
    match refused.of(&a_half(half), zone) {
        Some(other) if other.culprit.as_ref() == Some(&half.name) => true,
        Some(other) => {
            own.reason == Reason::AliasTargetNotFound && other.reason != Reason::AliasTargetNotFound
        }
        None => own.reason == Reason::AliasTargetNotFound,
    }
}

/// The host name that ExternalDNS resolves has addresses of the other family only.
fn by_other_family(want: &Want, zone: &ZoneReading) -> bool {
    let has = |kind: RecordType| zone.at(&want.name).iter().any(|set| set.record_type == kind);
    want.is_resolved() && !has(RecordType::A) && has(RecordType::Aaaa)
}

/// A statement that waits for its window is listed as silent, with the end of the wait.
fn note_window(candidate: &Candidate, out: &mut Verdicts) {
    let Some(window) = candidate.window else { return };
    out.silent.push(Silent {
        subject: candidate.key.subject.clone(),
        reason: window.reason,
        detail: format!("{} ({}) until {}", candidate.key.kind, candidate.reason, window.until),
    });
}

/// Of simple and routed claims the one that stands is not the one in trouble.
fn counts(conflict: Reason, step: Option<&Step>) -> bool {
    conflict != Reason::MixedRouting || step.is_some()
}

struct Context<'a> {
    world: &'a World<'a>,
    wants: &'a InstanceWants,
    want: &'a Want,
    zone: &'a ZoneReading,
    judged: Judged,
    /// Every look gave exactly what is wanted.
    is_exact: bool,
    read_at: Timestamp,
}

impl Context<'_> {
    fn start(&self, kind: Kind, reason: Reason, impact: Impact) -> Candidate {
        let key = FindingKey {
            subject: Subject::Record(self.want.key()),
            zone_id: Some(self.zone.zone.id.clone()),
            instance: Some(self.wants.instance.id.clone()),
            kind,
        };
        Candidate::new(key, reason, impact, self.read_at)
    }

    /// What every finding about a wanted record carries. `fails_alone`: this half of an alias was refused for a
    /// reason of its own.
    fn dress(&self, mut candidate: Candidate, fails_alone: bool) -> Candidate {
        candidate.object = self.want.objects.first().cloned();
        self.prefer_who_is_not_muted(&mut candidate);
        candidate.desired = show::want(self.want);
        candidate.recorded = show::records(self.zone.at(&self.want.name));
        candidate.live = show::live(self.world, &self.want.name);
        if !self.judged.seen && self.want.name.defect().is_none() {
            candidate.is_assumed = true;
            let why = if self.judged.answered {
                "the addresses of the wanted target were not seen; the impact is assumed"
            } else {
                "no live answer was seen; the impact is assumed"
            };
            candidate.evidence.push(why.to_owned());
        }
        let is_alone = candidate.key.kind == Kind::FailedChange && fails_alone;
        if self.want.companion && !is_alone {
            candidate.explained_by = Some((Subject::Record(a_half(self.want)), candidate.key.kind));
        }
        fix::fill(self.world, &mut candidate, self.wants, self.want, Some(self.zone));
        candidate
    }

    /// One of several objects that ask for the record does not speak for the quiet of the others.
    fn prefer_who_is_not_muted(&self, candidate: &mut Candidate) {
        if self.want.objects.len() < 2 {
            return;
        }
        for object in &self.want.objects {
            let first = candidate.object.replace(object.clone());
            if mute::of(self.world, candidate).is_none() {
                return;
            }
            candidate.object = first;
        }
    }

    /// The refused change that keeps the record from what is wanted.
    fn refusal<'r>(&self, refused: &'r Refusals, step: &Step) -> Option<&'r Refusal> {
        let zone = &self.zone.zone.id;
        let counts = |refusal: &&Refusal| {
            still_counts(refusal, &self.wants.instance, self.read_at) && !self.is_over(refusal, step)
        };
        let own = refused.of(&self.want.key(), zone).filter(counts);
        own.or_else(|| {
            refused.of_zone(zone).filter(|refusal| counts(refusal) && self.may_be_of_call(refusal, step))
        })
    }

    fn failed_change(&self, refusal: &Refusal, step: &Step) -> Candidate {
        let impact = self.impact(step.kind, step.reason);
        let mut candidate = self.start(Kind::FailedChange, refusal.reason, impact);
        candidate.also = vec![Also { kind: step.kind, reason: step.reason }];
        if let Some(reason) = self.want.invalid {
            candidate.also.insert(0, Also { kind: Kind::InvalidDesired, reason });
        }
        describe_refusal(refusal, &mut candidate);
        candidate.caused_by(self.cause_of_refusal(refusal))
    }

    fn cause_of_refusal(&self, refusal: &Refusal) -> Option<Cause> {
        let circumstances = Circumstances {
            wants: self.wants,
            want: self.want,
            zone: self.zone,
            owner: self.owner_cause(),
            policy_forbids: self.wants.instance.flags.policy != Allowed::Sync,
        };
        circumstances.of_refusal(refusal)
    }

    fn invalid(&self, reason: Reason, step: &Step) -> Candidate {
        let impact = self.impact(step.kind, step.reason);
        let mut candidate = self.start(Kind::InvalidDesired, reason, impact);
        candidate.onset = self.world.since_change(self.want.changed_at);
        candidate.also = vec![Also { kind: step.kind, reason: step.reason }];
        candidate.caused_by(by_version(&self.wants.instance, self.want, None))
    }

    /// The record stands and its ownership cannot: it will never be updated.
    fn unowned_for_good(&self) -> Option<Candidate> {
        let too_long = self.want.invalid == Some(Reason::TxtLabelTooLong);
        let title = || self.world.title(self.wants, self.want, self.zone);
        let unowned = || title().ownership == Ownership::Missing;
        (too_long && self.judged.harm.is_none() && unowned())
            .then(|| self.start(Kind::InvalidDesired, Reason::TxtLabelTooLong, Impact::Latent))
    }

    fn conflict(&self, step: Option<&Step>) -> Option<Candidate> {
        let conflict = self.want.conflict.as_ref()?;
        let reason =
            if self.holds_all_claims(&conflict.claims) { Reason::MergedTargets } else { conflict.reason };
        let of_claims = match reason {
            Reason::DifferentTargets | Reason::MixedTypes => Impact::WrongPlace,
            _ => Impact::Degraded,
        };
        // What users get is worse where the record is none of the claims.
        let waits = step.and_then(|step| self.window(step));
        let of_record = step.filter(|_| waits.is_none() && !self.holds_a_claim(&conflict.claims));
        let of_record = of_record.map_or(Impact::None, |step| self.impact(step.kind, step.reason));
        let impact = if of_claims.weight() < of_record.weight() { of_record } else { of_claims };
        let mut candidate = self.start(Kind::ConflictingDesired, reason, impact);
        candidate.onset = self.world.since_change(self.want.changed_at);
        candidate.evidence = conflict
            .claims
            .iter()
            .map(|(object, targets)| format!("{object} asks for {}", targets.join(", ")))
            .collect();
        candidate.also = step.map(|step| Also { kind: step.kind, reason: step.reason }).into_iter().collect();
        let sync = sync_window(self.world, self.wants, self.want);
        candidate.window = waits.or(sync);
        Some(candidate)
    }

    /// What stands there leads to a target of one of the claims.
    fn holds_a_claim(&self, claims: &[(ObjectRef, Vec<Arc<str>>)]) -> bool {
        let told: BTreeSet<String> =
            claims.iter().flat_map(|(_, targets)| targets).map(|one| spelled(one)).collect();
        let held = self.zone.at(&self.want.name).iter().flat_map(|set| set.content.targets());
        held.into_iter().any(|target| told.contains(&spelled(&target)))
    }

    /// Some sources merge the targets of several objects in releases in which others pick one: the record
    /// tells which.
    fn holds_all_claims(&self, claims: &[(ObjectRef, Vec<Arc<str>>)]) -> bool {
        let held = self.zone.at(&self.want.name).iter().find(|set| self.want.is(&set.key()));
        let told: BTreeSet<String> =
            claims.iter().flat_map(|(_, targets)| targets).map(|one| spelled(one)).collect();
        held.is_some_and(|set| {
            let held: BTreeSet<String> = set.content.targets().iter().map(|one| spelled(one)).collect();
            1 < held.len() && held == told
        })
    }

    fn dead_target(&self, reason: Reason) -> Candidate {
        let served = (self.judged.seen || self.judged.answered) && reason != Reason::Loop;
        let harm = self.judged.harm.or_else(|| self.is_left_out().then_some(Impact::Degraded));
        // The half of an alias is empty where the target has no address of its family.
        let harm = harm.map(|harm| match harm {
            Impact::Down if self.want.companion && self.is_twin_answered() => Impact::Latent,
            harm => harm,
        });
        let impact = harm.unwrap_or(if served { Impact::Latent } else { Impact::Down });
        let mut candidate = self.start(Kind::TargetUnresolvable, reason, impact);
        // A loop within the zones is seen there, whatever DNS says.
        if !loops_in_zones(self.world, self.want) {
            candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
        }
        // The name of a load balancer that is being built may not exist yet.
        candidate.window = self.grace_new();
        candidate
    }

    /// True if users of the other address family get an answer. Beside a dead target none can be compared.
    fn is_twin_answered(&self) -> bool {
        let Some(twin) = self.twin_type() else { return false };
        let twins = self.wants.at(&self.want.name).iter().filter(|other| other.record_type == twin);
        let mut judged = twins.map(|other| impact_of(self.world, other, Some(self.zone)));
        judged.any(|judged| judged.answered && judged.harm != Some(Impact::Down))
    }

    /// True for a member of a routing set that should be served, while only others are.
    fn is_left_out(&self) -> bool {
        self.want.set_identifier.is_some()
            && self.judged.answered
            && !is_standby(self.want.routing.as_deref())
            && !shows_member(self.world, self.want)
    }

    fn wrong_zone(&self, step: Option<&Step>) -> Option<Candidate> {
        let dns = self.world.snapshot.dns.state;
        // Without DNS the zones themselves say it, but for the one that the parent leads to. Where DNS is
        // only dark for now, what it showed of a zone stands, and what is new is told without it.
        let zones_alone = dns == ViewState::Off || self.world.past.dns_at.is_none();
        if dns != ViewState::Read && !zones_alone {
            return None;
        }
        let misplaced = wrong_zone(self.world, self.wants, self.want, self.zone, step)?;
        // Of two address families the other one may be served.
        let is_empty = || self.want.companion && lacks_family(self.world, self.want);
        let impact = match misplaced.impact {
            Impact::Down if is_empty() => Impact::None,
            Impact::Down if self.has_other_family_in_public() => Impact::Degraded,
            impact => impact,
        };
        let mut candidate = self.start(Kind::WrongZone, misplaced.reason, impact);
        if !zones_alone || misplaced.reason == Reason::NotTheDelegatedOne {
            candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
        }
        candidate.evidence.push(misplaced.evidence);
        candidate.servers = misplaced.servers;
        candidate.window = sync_window(self.world, self.wants, self.want);
        Some(candidate)
    }

    /// A wildcard answers in the place of the missing record.
    fn wildcard(&self, step: &Step) -> Option<Candidate> {
        let set = answers_elsewhere(self.want, self.zone)?;
        let impact = self.impact(step.kind, step.reason);
        let mut candidate = self.start(Kind::WildcardShadow, Reason::OtherTarget, impact);
        candidate.evidence.push(format!("{} answers for it", set.name));
        candidate.window = self.window(step);
        Some(candidate)
    }

    /// Kinds that need a record that is as wanted. The ownership of a record that users do not get
    /// is no subject: the live fault is what a person must see, and what else holds stands beside it.
    fn agreeing(&self, out: &mut Verdicts) -> Vec<Candidate> {
        let mut holds = Vec::new();
        if let Some((reason, impact)) = after::private_target(self.world, self.wants, self.want, self.zone) {
            holds.push(self.start(Kind::PrivateTargetInPublicZone, reason, impact));
        }
        let mut live = if self.is_exact { Vec::new() } else { self.live(out) };
        let ownership = self.ownership();
        let is_told = live.iter().any(|candidate| candidate.window.is_none());
        if !is_told && (live.is_empty() || self.judged.harm.is_none()) {
            holds.extend(ownership);
        } else if let Some(beside) = ownership.filter(|one| one.window.is_none()) {
            let beside = Also { kind: beside.key.kind, reason: beside.reason };
            for one in &mut live {
                one.also.push(beside.clone());
            }
        }
        holds.extend(live);
        holds
    }

    /// What the zone's own servers answer, else what resolvers do.
    fn live(&self, out: &mut Verdicts) -> Vec<Candidate> {
        let mut live: Vec<Candidate> =
            auth_mismatch(self.world, self.wants, self.want, self.zone, out).into_iter().collect();
        // Of one server that differs nobody may notice anything while all resolvers fail.
        if live.iter().all(|one| one.impact == Impact::Degraded) {
            live.extend(judge_resolvers(self.world, self.wants, self.want, self.zone, out));
        }
        self.spare_other_family(&mut live);
        live
    }

    /// Resolvers that fail for the name, deny it or lead elsewhere although the zone's own servers answer as they
    /// should, and those that fail where these do not: whatever is wrong with the record, its users get nothing or
    /// something else.
    fn unreached(&self, step: &Step) -> Vec<Candidate> {
        let is_right = self.judged.seen && self.judged.harm.is_none();
        // A member that is missing leaves its users to the others.
        let is_member = self.want.set_identifier.is_some()
            && !matches!(self.judged.harm, Some(Impact::Down | Impact::WrongPlace));
        let is_told =
            step.kind == Kind::WrongTtl || step.kind == Kind::MissingRecord && !is_right && !is_member;
        if self.is_exact || is_told {
            return Vec::new();
        }
        let out = &mut Verdicts::default();
        let mut live = judge_resolvers(self.world, self.wants, self.want, self.zone, out);
        live.retain(|one| one.window.is_none() && (is_right || one.key.kind == Kind::ResolverUnreachable));
        self.spare_other_family(&mut live);
        live.retain(|one| Impact::Degraded.weight() < one.impact.weight());
        live
    }

    fn ownership(&self) -> Option<Candidate> {
        let (kind, reason) = after::ownership_fault(self.world, self.wants, self.want, self.zone)?;
        let mut candidate = self.start(kind, reason, Impact::Latent);
        candidate.window = sync_window(self.world, self.wants, self.want);
        candidate
            .evidence
            .push(format!("ownership is kept at {}", after::expected_txt(self.wants, self.want)));
        // The load balancer is about to change, and the record will not follow.
        let mut values = self.want.content.plain_values().iter().filter_map(Value::ip);
        let released = values.any(|ip| self.world.policy.is_released(&ip));
        let signs = [
            released.then(|| "its address is in no inventory any more".to_owned()),
            self.changed_class().map(|at| format!("its object has had another class since {at}")),
        ];
        for sign in signs.into_iter().flatten() {
            candidate.severity = Severity::Warning;
            candidate.evidence.push(sign);
        }
        Some(candidate)
    }

    /// When the object got another class, while its address is still that of the load balancer before.
    fn changed_class(&self) -> Option<Timestamp> {
        let past = self.world.past.objects.get(self.want.objects.first()?)?;
        let changed = past.class_changed_at?;
        self.want.status_changed_at.is_none_or(|addressed| addressed < changed).then_some(changed)
    }

    fn ladder(&self, step: &Step) -> Candidate {
        let mut candidate = self.start(step.kind, step.reason, self.impact(step.kind, step.reason));
        candidate.also =
            step.also.iter().map(|(kind, reason)| Also { kind: *kind, reason: *reason }).collect();
        // Of ownership only a contradiction is no cause.
        if let Some((Kind::OwnerConflict, reason)) =
            after::ownership_fault(self.world, self.wants, self.want, self.zone)
        {
            candidate.also.push(Also { kind: Kind::OwnerConflict, reason });
        }
        candidate.window = self.window(step);
        let is_of_target = matches!(step.kind, Kind::StaleTarget | Kind::WrongTarget);
        if is_of_target && self.want.is_resolved() {
            candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
        }
        if step.kind == Kind::StaleTarget
            && is_stale_by_denial(self.world, &self.wants.instance.id, self.want, self.zone)
        {
            candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
        }
        let cause = self.cause(step);
        if cause == Some(Cause::ManualChange) {
            candidate.evidence.extend(self.caller());
        }
        if cause == Some(Cause::ControllerFailing) {
            candidate.evidence.extend(self.failing_loops().map(|loops| loops.evidence));
        }
        // One look is enough where the feed says the same.
        candidate.certain = cause == Some(Cause::ManualChange) || self.was_left_alone();
        let mut candidate = candidate.caused_by(cause);
        // A whole address family that is denied is no wrong answer of the other one.
        if candidate.impact == Impact::Degraded && self.judged.grave {
            candidate.severity = Severity::Critical;
        }
        candidate
    }

    /// What users get, for a fault of this kind. Source: findings.md section 6.
    fn impact(&self, kind: Kind, reason: Reason) -> Impact {
        if self.want.name.defect().is_some() {
            return Impact::None;
        }
        if kind == Kind::WrongTtl {
            return Impact::Latent;
        }
        if kind == Kind::MissingRecord && self.want.companion && lacks_family(self.world, self.want) {
            return Impact::None;
        }
        if !self.judged.seen {
            return match assumed::impact(self.want, self.zone, kind, reason) {
                // Somebody answers in the place of the record.
                Impact::Down if self.judged.answered => Impact::WrongPlace,
                impact => impact,
            };
        }
        // Nobody is to get an address of a family that the target lacks.
        let is_empty = self.want.companion && lacks_family(self.world, self.want);
        match self.judged.harm {
            Some(harm) if is_empty && harm != Impact::WrongPlace => Impact::Latent,
            Some(Impact::Down) if self.has_other_family() => Impact::Degraded,
            Some(harm) => harm,
            None if reason == Reason::Weight && self.is_never_served() => Impact::Degraded,
            None if reason == Reason::Failover && self.stands_by() => Impact::Degraded,
            // A secondary has to be there when the primary is not.
            None if kind == Kind::MissingRecord
                && self.want.routing.as_deref() == Some(&Routing::Failover(false)) =>
            {
                Impact::Latent
            }
            None if reason == Reason::AliasExpectedCname || kind == Kind::MissingRecord => Impact::None,
            None => Impact::Latent,
        }
    }

    /// The member has weight 0 in the zone, where it is to be served and others are.
    fn is_never_served(&self) -> bool {
        let weight = |set: &RecordSet| match set.routing.as_deref() {
            Some(Routing::Weighted(weight)) => Some(*weight),
            _ => None,
        };
        let set =
            || self.zone.at(&self.want.name).iter().filter(|set| set.record_type == self.want.record_type);
        let own = set().find(|set| self.want.is(&set.key())).and_then(weight);
        let is_wanted = !matches!(self.want.routing.as_deref(), Some(Routing::Weighted(0)));
        own == Some(0) && is_wanted && set().any(|set| weight(set) != Some(0))
    }

    /// The member is to be the primary, stands as the secondary, and is not answered.
    fn stands_by(&self) -> bool {
        let is_wanted = matches!(self.want.routing.as_deref(), Some(Routing::Failover(true)));
        is_wanted && !shows_member(self.world, self.want)
    }

    /// One address family of two is missing: users of the other one are served.
    fn has_other_family(&self) -> bool {
        self.other_family().is_some()
    }

    /// The same where the record stands in a zone that nobody is led to.
    fn has_other_family_in_public(&self) -> bool {
        let twin = self.twin_type();
        self.wants
            .at(&self.want.name)
            .iter()
            .any(|other| twin.as_ref() == Some(&other.record_type) && is_served_in_public(self.world, other))
    }

    fn twin_type(&self) -> Option<RecordType> {
        match self.want.record_type {
            RecordType::A => Some(RecordType::Aaaa),
            RecordType::Aaaa => Some(RecordType::A),
            _ => None,
        }
    }

    /// The wish for the other address family, if its users are served.
    fn other_family(&self) -> Option<&Want> {
        let twin = self.twin_type()?;
        self.wants.at(&self.want.name).iter().find(|other| {
            // A part that is wrong is a fault of its own.
            let is_lost = |harm: Impact| matches!(harm, Impact::Down | Impact::WrongPlace);
            let serves = |judged: Judged| judged.seen && !judged.harm.is_some_and(is_lost);
            other.record_type == twin && serves(impact_of(self.world, other, Some(self.zone)))
        })
    }

    /// As above for what DNS answers: there resolvers have to serve the other address family, too.
    fn spare_other_family(&self, live: &mut [Candidate]) {
        let is_down = |one: &Candidate| one.impact == Impact::Down;
        let Some(twin) = live.iter().any(is_down).then(|| self.other_family()).flatten() else { return };
        let answers_it = |seen: &&Observation| {
            seen.vantage == Vantage::Recursive
                && seen.outcome == Outcome::Answer
                && *seen.record_type == *twin.record_type.as_str()
        };
        // Of a family that nobody was asked for nothing is known.
        if !questions(self.world, &twin.name).iter().any(answers_it) {
            return;
        }
        let of_twin = judge_resolvers(self.world, self.wants, twin, self.zone, &mut Verdicts::default());
        if of_twin.iter().all(|one| one.impact == Impact::Degraded) {
            live.iter_mut().filter(|one| is_down(one)).for_each(Candidate::spare);
        }
    }

    fn window(&self, step: &Step) -> Option<Window> {
        if step.kind == Kind::MissingRecord && step.reason == Reason::Deleted && !self.is_made_anew() {
            return None;
        }
        let here = self.zone.at(&self.want.name);
        let of_solver = solvers::window(self.world, self.wants, self.want, here, step);
        let sync = of_solver.or_else(|| sync_window(self.world, self.wants, self.want));
        let grace = (step.kind == Kind::MissingRecord).then(|| self.grace_new()).flatten();
        match (grace, sync) {
            (Some(grace), Some(sync)) if grace.until < sync.until => {
                Some(Window { until: sync.until, ..grace })
            }
            (Some(grace), _) => Some(grace),
            (None, sync) => sync,
        }
    }

    /// The record went while nobody wanted it, as it should, and is wanted again.
    fn is_made_anew(&self) -> bool {
        let held = self.world.past.names.record(&self.zone.zone.id, self.want);
        let wished = self.world.past.names.wish(&self.wants.instance.id, self.want);
        let wanted_at = |at: Timestamp| wished.iter().any(|wish| wish.since <= at && at <= wish.until);
        // Between two rounds: a wish that came up with the loss counts only if it was there before.
        let stood = held.iter().rev().nth(1).map(|last| last.until);
        let came_with_it = |gone: Timestamp| wished.iter().any(|wish| wish.since == gone);
        if remade_at(self.world, self.want).is_some() {
            return true;
        }
        self.world.past.record_since(&self.zone.zone.id, self.want).is_some_and(|gone| {
            !wanted_at(gone) || came_with_it(gone) && stood.is_some_and(|stood| !wanted_at(stood))
        })
    }

    fn grace_new(&self) -> Option<Window> {
        let policy = self.world.policy;
        // A status that is written again and again tells nothing of the first address.
        let seen = unfollowed_since(self.world, self.wants, self.want, signed(policy.first_address))
            .or_else(|| asked_since(self.world, self.wants, self.want));
        let written = self.want.status_changed_at.map(|at| seen.map_or(at, |seen| at.min(seen)));
        let addressed = written.or_else(|| self.first_address_seen());
        match (addressed, self.want.created_at) {
            (Some(at), _) => open(SilentReason::GraceNew, at, signed(policy.first_address), self.world.at()),
            (None, Some(created)) => {
                open(SilentReason::GraceNew, created, signed(policy.new_object), self.world.at())
            }
            (None, None) => None,
        }
    }

    /// The first address counts as news only if an earlier round saw the object without one.
    fn first_address_seen(&self) -> Option<Timestamp> {
        let past = self.world.past.objects.get(self.want.objects.first()?)?;
        past.first_address_at.filter(|at| past.first_at < *at)
    }
}

/// What the feed tells of a refusal.
fn describe_refusal(refusal: &Refusal, candidate: &mut Candidate) {
    candidate.certain = true;
    candidate.onset = Some(refusal.since);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Changes];
    let times = if refusal.count == 1 { "once".to_owned() } else { format!("{} times", refusal.count) };
    candidate.evidence.push(format!("refused {times}, last at {}: {}", refusal.at, refusal.message));
    match refusal.one_of {
        0 => candidate
            .evidence
            .push("nothing tells the records of the call; this one waits for one".to_owned()),
        1 => {}
        several => {
            let text = "Route 53 names no record; this is one of";
            candidate.evidence.push(format!("{text} {several} that fit what it says"));
        }
    }
    candidate.evidence.extend(refusal.request_id.iter().map(|id| format!("AWS request id {id}")));
    candidate.accomplices.clone_from(&refusal.accomplices);
}

/// A wish that is again what it was so shortly before goes back and forth.
const GOES_BACK: SignedDuration = SignedDuration::from_mins(10);

/// A wish that comes up later than this after its object and its instance were touched came by others.
const LATELY: SignedDuration = SignedDuration::from_mins(10);

/// From the last change of the wish: the time of the object or the instance, or the round in which the wish is known to
/// have changed, whichever is earlier. An object that somebody touches every minute must not stay in
/// its window for ever.
pub(super) fn sync_window(world: &World<'_>, wants: &InstanceWants, want: &Want) -> Option<Window> {
    // What an instance wants is new with its flags, too.
    let touched = want.changed_at.max(want.status_changed_at).max(wants.instance.changed_at);
    let seen = asked_since(world, wants, want);
    // Without a time of the status an address is as new as its first sight. And what the object did not
    // bring about came with the flags of the instance, a Gateway or a Node.
    let earlier = || world.past.names.wish(&wants.instance.id, want).iter().rev().skip(1);
    // Claims that change places are not news each time, with or without a time of the status.
    let returns = seen.is_some_and(|seen| {
        earlier().any(|one| one.value == want.content && seen.duration_since(one.until) < GOES_BACK)
    });
    let by_others = want.conflict.is_none()
        && touched.zip(seen).is_some_and(|(touched, seen)| match earlier().next() {
            Some(before) => touched < before.until && !returns,
            None => LATELY < seen.duration_since(touched),
        });
    let is_told_before = returns && want.conflict.is_some();
    let is_news = seen.is_some_and(|seen| {
        let is_of_others = by_others && world.past.first_at.is_some_and(|first| first < seen);
        !is_told_before && (want.status_changed_at.is_none() || is_of_others)
    });
    let told = want.changed_at.max(want.status_changed_at);
    let records = match seen {
        // What was there when we began is not all of one day.
        Some(seen) if world.past.first_at == Some(seen) => {
            told.map_or(1, |told| world.touched_about(wants, told))
        }
        Some(seen) => world.wished_since(&wants.instance.id, seen),
        None => 1,
    };
    let length = signed(wants.instance.sync_window(records, world.policy.sync_floor));
    let since = unfollowed_since(world, wants, want, length).or(seen);
    let start = match (touched, since) {
        (Some(_), Some(since)) if is_news => since,
        (Some(touched), Some(since)) => touched.min(since),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return None,
    };
    // A zone that came while we looked has to be seen by the instance first.
    let zone_since = want.zone_id().and_then(|id| world.past.zone_came(id));
    open(SilentReason::SyncWindow, zone_since.map_or(start, |since| start.max(since)), length, world.at())
}

/// Since when the instance is known to want what it does. What an object asks for that took the place of another one
/// unseen is no older than itself: the record went with the first one, as it should.
fn asked_since(world: &World<'_>, wants: &InstanceWants, want: &Want) -> Option<Timestamp> {
    let seen = world.past.wish_since(&wants.instance.id, want)?;
    Some(remade_at(world, want).map_or(seen, |made| seen.max(made)))
}

/// When the object was made, where it is younger than the last sight of the record, which another one had.
fn remade_at(world: &World<'_>, want: &Want) -> Option<Timestamp> {
    let held = world.past.names.record(want.zone_id()?, want);
    let stood = held.iter().rev().find(|sighting| sighting.value.is_some())?.until;
    let is_gone = held.last().is_some_and(|last| last.value.is_none());
    want.created_at.filter(|made| is_gone && stood < *made)
}

/// The first change of the wish that the record has not followed: a wish that changes every minute must not
/// keep its window open for ever. A wish that stood for the length of a window had one of its own, and a record
/// that changes is being followed.
fn unfollowed_since(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    length: SignedDuration,
) -> Option<Timestamp> {
    let held = world.past.names.record(want.zone_id()?, want);
    let is_followed = |wish: &Sighting<Content>| {
        let wanted = targets(&wish.value);
        let mut later = held.iter().filter(|record| wish.since <= record.until);
        later.any(|record| record.value.as_ref().is_some_and(|content| targets(content) == wanted))
    };
    let seen = asked_since(world, wants, want)?;
    let mut next = seen;
    let sightings = world.past.names.wish(&wants.instance.id, want).iter().rev();
    let run = sightings.take_while(|one| {
        let is_short = next.duration_since(one.since) < length;
        next = one.since;
        is_short && !is_followed(one)
    });
    let since = run.last()?.since;
    Some(held.last().map_or(since, |record| since.max(record.since)).min(seen))
}

/// Another instance of the cluster that has a zone for the same record.
///
/// Where one instance serves the public zones and one the private ones, both see every object, and
/// each skips the hosts that only the other has a zone for.
fn publisher<'a>(world: &World<'a>, wants: &InstanceWants, want: &Want) -> Option<&'a str> {
    let others = world.wants.iter().filter(|other| !std::ptr::eq(*other, wants));
    others
        .into_iter()
        .find(|other| other.at(&want.name).iter().any(|one| one.zone_id().is_some()))
        .map(|other| &*other.instance.id)
}

/// True if the instance published the record itself, in a zone that is gone, and its users are not answered any more,
/// those of a private zone not as they should be: what another instance has for the others is no excuse.
fn is_bereft(world: &World<'_>, wants: &InstanceWants, want: &Want) -> bool {
    let judged = || impact_of(world, want, None);
    if wants.instance.flags.zone_type == ZoneType::Private {
        return lost_zone(world, want, true).is_some()
            && matches!(judged().harm, Some(Impact::Down | Impact::WrongPlace));
    }
    lost_zone(world, want, false).is_some() && !judged().answered
}

/// The A record of the same name: an AAAA that a release writes unasked beside an alias has no fault of
/// its own as long as that one has.
pub(super) fn a_half(want: &Want) -> RecordKey {
    RecordKey { record_type: RecordType::A, ..want.key() }
}

fn no_zone_of(world: &World<'_>, wants: &InstanceWants, want: &Want, no_zone: &NoZone) -> Candidate {
    let judged = impact_of(world, want, None);
    // What is no legal name never gets a record, whatever zones there are.
    let is_illegal = want.name.defect().is_some();
    let harm = match judged.harm {
        // Nobody is to get an address of a family that the target lacks.
        Some(Impact::Down) if want.companion && lacks_family(world, want) => Some(Impact::Latent),
        Some(Impact::Down) if is_other_family_served(world, wants, want) => Some(Impact::Degraded),
        harm => harm,
    };
    let impact = harm.filter(|_| !is_illegal).unwrap_or(match (judged.seen, judged.answered) {
        _ if is_illegal => Impact::None,
        (true, _) => Impact::Latent,
        (false, true) => Impact::WrongPlace,
        (false, false) => left_from_before(world, want),
    });
    let key = FindingKey {
        subject: Subject::Record(want.key()),
        zone_id: None,
        instance: Some(wants.instance.id.clone()),
        kind: Kind::NoZone,
    };
    let read_at = world.snapshot.route53.read_at.unwrap_or(world.at());
    let elsewhere = no_zone.reason == Reason::NotFound && served_elsewhere(world, &want.name);
    let reason = if elsewhere { Reason::NoAccess } else { no_zone.reason };
    let mut candidate = Candidate::new(key, reason, impact, read_at);
    candidate.is_assumed = !judged.seen && want.name.defect().is_none();
    candidate.object = want.objects.first().cloned();
    candidate.onset = world.since_change(want.changed_at);
    candidate.desired = show::want(want);
    candidate.live = show::live(world, &want.name);
    // It is the name that has no zone, whatever its types.
    if want.record_type == RecordType::Aaaa {
        candidate.explained_by = Some((Subject::Record(a_half(want)), Kind::NoZone));
    }
    if let Some(nearest) = &no_zone.nearest {
        candidate.evidence.push(format!("the nearest hosted zone is {nearest}"));
    }
    fix::fill(world, &mut candidate, wants, want, None);
    candidate
}

/// True if users of the other address family of a name without a zone get what is wanted.
fn is_other_family_served(world: &World<'_>, wants: &InstanceWants, want: &Want) -> bool {
    let is_twin = |other: &&Want| other.record_type.is_address() && other.record_type != want.record_type;
    wants.at(&want.name).iter().filter(is_twin).any(|other| {
        let judged = impact_of(world, other, None);
        judged.seen && !matches!(judged.harm, Some(Impact::Down | Impact::WrongPlace))
    })
}

/// What users of a name get that the instance has no zone for, where nobody asked: a zone that it may not write
/// any more may hold the record of before.
fn left_from_before(world: &World<'_>, want: &Want) -> Impact {
    let here = || world.zones_over(&want.name).flat_map(|zone| zone.at(&want.name));
    let leads_there = |set: &RecordSet| targets(&set.content) == targets(&want.content);
    match here().find(|set| want.is(&set.key())) {
        Some(set) if leads_there(set) => Impact::Latent,
        Some(_) => Impact::WrongPlace,
        // The other half of an alias stands, and this one may be empty.
        None if want.companion && here().any(|set| set.record_type.is_address() && leads_there(set)) => {
            Impact::Latent
        }
        None => Impact::Down,
    }
}

/// The parent refers to Route 53 for a zone of the name: it is there, in an account that we cannot
/// read.
pub(crate) fn served_elsewhere(world: &World<'_>, name: &DomainName) -> bool {
    let mut zone = Some(name.clone());
    while let Some(name) = zone.filter(|name| 1 < name.labels().count()) {
        let seen = world.told(&name);
        let at_parent = seen.filter(|answer| answer.vantage == Vantage::Parent);
        let refers =
            at_parent.flat_map(|answer| answer.answers.iter().chain(&*answer.authority)).any(|record| {
                &*record.record_type == "NS" && record.data.to_ascii_lowercase().contains(".awsdns-")
            });
        if refers {
            return true;
        }
        zone = name.parent();
    }
    false
}

/// A window that is still open; `None` when it has passed.
#[must_use]
pub fn open(
    reason: SilentReason,
    start: Timestamp,
    length: SignedDuration,
    now: Timestamp,
) -> Option<Window> {
    let until = start.saturating_add(length).ok()?;
    (now < until).then_some(Window { reason, until })
}

/// A configured length as the time library wants it.
#[must_use]
pub fn signed(length: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}
