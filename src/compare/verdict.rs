//! What one comparison says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::compare::severity::severity;
use crate::finding::{Cause, FindingKey, Impact, Kind, Reason, Severity, Subject, Window};
use crate::model::want::Want;
use crate::model::{DomainName, ObjectRef, RecordType, ZoneId};
use crate::report::{Also, Fix, Mute, MuteReport, Silent};
use crate::snapshot::ViewName;
use crate::stored;

/// The outcome of one comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// At most one for each subject and zone, sorted by key.
    pub candidates: Vec<Candidate>,
    /// What was kept quiet, sorted; nothing twice.
    pub silent: Vec<Silent>,
    /// The mutes that are declared.
    pub mutes: Vec<MuteReport>,
    /// What could be judged.
    pub coverage: Coverage,
    /// Wanted records, and those among them that could not be judged.
    pub names: usize,
    /// Wanted records that could not be judged.
    pub unknown: usize,
}

/// What could be judged in this round; the rest is frozen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// The objects of the cluster were read.
    pub kubernetes: bool,
    /// Objects that cannot be understood: what they ask for is not known.
    pub odd: BTreeSet<ObjectRef>,
    /// Kinds that could not be listed in a cluster that could else be read; empty when all were listed,
    /// and when nothing was.
    pub unread_kinds: BTreeSet<String>,
    /// The zones that were read, with the time of the reading.
    pub zones: BTreeMap<ZoneId, Timestamp>,
    /// The zones that are known, whether their records were read or not.
    pub listed: BTreeSet<ZoneId>,
    /// Those among them that were read before and could not be in this round; each may hold what others lack.
    pub darkened: BTreeSet<ZoneId>,
    /// Name of each zone, and whether it is private; empty while no zone is darkened.
    pub apexes: BTreeMap<ZoneId, (DomainName, bool)>,
    /// The list of zones was read.
    pub route53: bool,
    /// DNS was asked.
    pub dns: bool,
    /// Views that have been unreadable for so long that they are stated as blind.
    pub blind: BTreeSet<ViewName>,
    /// Zones that were read too long ago, or that are stated as blind themselves.
    pub lost: BTreeSet<ZoneId>,
    /// Names whose records changed after the cluster was last heard of: whoever changed them may have
    /// known more of it than we do.
    pub ahead: BTreeSet<(ZoneId, DomainName)>,
    /// Findings about what DNS answers, of which this round heard nothing: nobody who was asked said
    /// anything. Those that rest on facts of a zone which it has not read, too.
    pub unheard: BTreeSet<FindingKey>,
    /// Findings that DNS helped to make and that are over by what their zone holds.
    pub mended: BTreeSet<FindingKey>,
    /// Findings whose more precise reason of before rests on what this round has not heard or read.
    pub vague: BTreeSet<FindingKey>,
    /// Views that could not be read in this round, whether that is stated yet or not.
    pub dim: BTreeSet<ViewName>,
    /// Instances whose log could not be read, or of which no feed could.
    pub unread_feeds: BTreeSet<Arc<str>>,
}

impl Coverage {
    /// True if a zone that may hold the name was read before and could not be in this round.
    #[must_use]
    pub fn hides(&self, name: &DomainName) -> bool {
        let covers = |id: &ZoneId| self.apexes.get(id).is_some_and(|(apex, _)| name.is_within(apex));
        !self.route53 || self.darkened.iter().any(covers)
    }

    /// True for a wish that stands as it was last read: all kinds of objects behind it cannot be listed now.
    #[must_use]
    pub fn is_kept(&self, want: &Want) -> bool {
        let is_unread = |object: &ObjectRef| self.unread_kinds.contains(&*object.kind);
        !self.unread_kinds.is_empty() && !want.objects.is_empty() && want.objects.iter().all(is_unread)
    }
}

/// One statement, before time has had its say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Subject, zone, instance and kind.
    pub key: FindingKey,
    /// Why.
    pub reason: Reason,
    /// Where it comes from.
    pub cause: Option<Cause>,
    /// What users get now.
    pub impact: Impact,
    /// True if nobody was asked in this round: the impact is what is to be feared.
    #[serde(default)]
    pub is_assumed: bool,
    /// What users get by a live kind that holds beside it and is worse: like any of these it needs two looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Impact>,
    /// How loud it is.
    pub severity: Severity,
    /// Expected for now; `None` when no window is open.
    pub window: Option<Window>,
    /// True when one look is enough, because a feed says the same.
    pub certain: bool,
    /// When the deciding view was read.
    pub evidence_at: Timestamp,
    /// When it had demonstrably begun; `None` when only the first sight tells.
    pub onset: Option<Timestamp>,
    /// The object behind it.
    pub object: Option<ObjectRef>,
    /// Labels of the object, from the allow-list.
    pub labels: BTreeMap<String, String>,
    /// Kinds that hold beside it.
    pub also: Vec<Also>,
    /// Names that a statement about an instance or an object speaks for.
    pub covers: BTreeSet<DomainName>,
    /// Of these, the names of which it concerns one record type only: the address family that they have lost.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub halves: BTreeSet<(DomainName, RecordType)>,
    /// The half of the same thing that explains this one (the A record of an AAAA alias); all
    /// else is in the table of [`crate::compare::explain`].
    #[serde(with = "stored::statement")]
    pub explained_by: Option<(Subject, Kind)>,
    /// Somebody asked for quiet; `None` when nobody did.
    pub muted: Option<Mute>,
    /// For a change that is lost with its batch: others that are at fault beside the one that the cause names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accomplices: Vec<DomainName>,
    /// The servers whose answers it is about; empty for statements about none or any of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub servers: BTreeSet<Arc<str>>,
    /// Names whose answers show what is told of their zone; empty where others do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub denied: BTreeSet<DomainName>,
    /// For a statement about a public zone: the public zones of the account below it, which are reached through it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub below: BTreeSet<ZoneId>,
    /// What is wanted.
    pub desired: Json,
    /// What stands in the zone.
    pub recorded: Json,
    /// What DNS answers.
    pub live: Json,
    /// Lines that show it.
    pub evidence: Vec<String>,
    /// One sentence.
    pub summary: String,
    /// What to do.
    pub fix: Fix,
    /// The views that it rests on.
    #[serde(with = "stored::views")]
    pub rests_on: &'static [ViewName],
}

impl Candidate {
    /// A bare statement; the caller fills in what it knows.
    #[must_use]
    pub fn new(key: FindingKey, reason: Reason, impact: Impact, evidence_at: Timestamp) -> Self {
        Self {
            severity: severity(key.kind, reason, impact, None),
            key,
            reason,
            cause: None,
            impact,
            is_assumed: false,
            beside: None,
            window: None,
            certain: false,
            evidence_at,
            onset: None,
            object: None,
            labels: BTreeMap::new(),
            also: Vec::new(),
            covers: BTreeSet::new(),
            halves: BTreeSet::new(),
            explained_by: None,
            muted: None,
            accomplices: Vec::new(),
            servers: BTreeSet::new(),
            denied: BTreeSet::new(),
            below: BTreeSet::new(),
            desired: Json::Object(serde_json::Map::new()),
            recorded: Json::Object(serde_json::Map::new()),
            live: Json::Object(serde_json::Map::new()),
            evidence: Vec::new(),
            summary: String::new(),
            fix: Fix::default(),
            rests_on: &[ViewName::Kubernetes, ViewName::Route53],
        }
    }

    /// Sets the cause, and the severity that depends on it.
    #[must_use]
    pub fn caused_by(mut self, cause: Option<Cause>) -> Self {
        self.severity = severity(self.key.kind, self.reason, self.impact, cause.as_ref());
        self.cause = cause;
        self
    }

    /// Raises the impact to one that is worse, and the severity with it.
    pub fn worsen(&mut self, impact: Impact) {
        if self.impact.weight() < impact.weight() {
            self.impact = impact;
            self.severity = severity(self.key.kind, self.reason, impact, self.cause.as_ref());
        }
    }

    /// Takes over what another statement about the same record says of it now, unless that is known already.
    pub fn follow(&mut self, now: &Self) {
        let own = Also { kind: now.key.kind, reason: now.reason };
        let said: Vec<Also> = std::iter::once(own).chain(now.also.iter().cloned()).collect();
        if said.iter().all(|one| self.also.contains(one)) {
            return;
        }
        self.also = said;
        (self.impact, self.is_assumed) = (now.impact, now.is_assumed);
        self.severity = severity(self.key.kind, self.reason, self.impact, self.cause.as_ref());
        self.recorded.clone_from(&now.recorded);
        self.live.clone_from(&now.live);
    }

    /// Says why as it was said before, and what to do about that.
    pub fn keep_reason(&mut self, before: &Self) {
        self.reason = before.reason;
        self.severity = severity(self.key.kind, self.reason, self.impact, self.cause.as_ref());
        self.evidence.clone_from(&before.evidence);
        self.summary.clone_from(&before.summary);
        self.fix.clone_from(&before.fix);
    }

    /// Some users are served after all.
    pub fn spare(&mut self) {
        self.impact = Impact::Degraded;
        self.severity = severity(self.key.kind, self.reason, self.impact, self.cause.as_ref());
    }

    /// Speaks for those names of another statement as well. Where the two do not say the same half of a name it
    /// is the whole one.
    pub fn take_names(&mut self, other: &Self, is_meant: impl Fn(&DomainName) -> bool) {
        let is_shared = |one: &Self, half: &(DomainName, RecordType)| {
            !one.covers.contains(&half.0) || one.halves.contains(half)
        };
        let own = self.halves.iter().filter(|half| !is_meant(&half.0) || is_shared(other, half));
        let more = other.halves.iter().filter(|half| is_meant(&half.0) && is_shared(self, half));
        self.halves = own.chain(more).cloned().collect();
        self.covers.extend(other.covers.iter().filter(|name| is_meant(name)).cloned());
    }

    /// True if it concerns the record type at one of its names, too.
    #[must_use]
    pub fn concerns(&self, name: &DomainName, record_type: &RecordType) -> bool {
        self.halves.iter().find(|(half, _)| half == name).is_none_or(|(_, kind)| kind == record_type)
    }

    /// True if a zone of one of the names that it speaks for could not be read.
    #[must_use]
    pub fn is_hidden(&self, coverage: &Coverage) -> bool {
        self.covers.iter().any(|name| coverage.hides(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_two_statements_are_halves_where_both_say_so() {
        let key = FindingKey {
            subject: Subject::Instance("prod".into()),
            zone_id: None,
            instance: Some("prod".into()),
            kind: Kind::MassDeletion,
        };
        let told = |covers: &[&str], halves: &[(&str, RecordType)]| {
            let reason = Reason::WantsVanished;
            let mut told = Candidate::new(key.clone(), reason, Impact::Latent, Timestamp::UNIX_EPOCH);
            told.covers = covers.iter().map(|name| (*name).into()).collect();
            told.halves = halves.iter().map(|(name, kind)| ((*name).into(), kind.clone())).collect();
            told
        };
        let (a, aaaa) = (RecordType::A, RecordType::Aaaa);
        let own = [("half", a.clone()), ("both", a.clone()), ("whole", a.clone())];
        let mut first = told(&["half", "both", "whole", "other"], &own);
        let more = [("both", aaaa), ("other", a.clone()), ("new", a.clone()), ("unmeant", a.clone())];
        first.take_names(&told(&["both", "whole", "other", "new", "unmeant"], &more), |name| {
            *name != DomainName::from("unmeant")
        });
        let wanted = told(&["half", "both", "whole", "other", "new"], &[("half", a.clone()), ("new", a)]);
        assert_eq!((first.covers, first.halves), (wanted.covers, wanted.halves));
    }
}
