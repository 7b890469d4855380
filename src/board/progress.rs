//! How far a name has come: what somebody who waits for it wants to know.

use jiff::Timestamp;
use serde::Serialize;

use crate::board::Board;
use crate::finding::{Kind, State};
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::want::{Placement, Want};
use crate::model::{DomainName, RecordType};
use crate::snapshot::ViewState;

/// Reasons that are told at once.
const MAX_MISSING: usize = 20;

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Its hosted zones hold what is wanted.
    Recorded,
    /// The name servers, and the resolvers that are asked, answer with it.
    Live,
    /// Nobody wants it, no zone holds it, and no name server answers for it.
    Absent,
}

/// How far a name has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nobody wants it.
    Unwanted,
    /// An instance wants it.
    Wanted,
    /// Its zones hold what is wanted.
    Recorded,
    /// DNS answers with it.
    Live,
}

/// What one round says to somebody who waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The name.
    pub name: DomainName,
    /// What is waited for.
    pub until: Goal,
    /// True once it is so.
    pub reached: bool,
    /// How far it has come.
    pub stage: Stage,
    /// The time of the round.
    pub at: Timestamp,
    /// What is not so yet, in words; empty when reached.
    pub missing: Vec<String>,
    /// Ids of its findings that are not over.
    pub findings: Vec<String>,
}

impl Goal {
    /// Every goal.
    pub const ALL: [Self; 3] = [Self::Recorded, Self::Live, Self::Absent];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Live => "live",
            Self::Absent => "absent",
        }
    }

    /// The goal of a word; `None` for a word that is none.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|goal| goal.as_str() == word)
    }
}

/// How far the name has come, counting only what was read after `since`: what was read before may
/// be from before the change that is waited for.
#[must_use]
pub fn progress(board: &Board, name: &DomainName, until: Goal, since: Timestamp) -> Progress {
    let look = Look { board, name, since };
    let mut missing = look.not_wanted();
    let mut stage = Stage::Unwanted;
    if missing.is_empty() {
        stage = Stage::Wanted;
        missing = look.not_recorded();
    }
    if stage == Stage::Wanted && missing.is_empty() {
        stage = Stage::Recorded;
        missing = look.not_live();
        if missing.is_empty() {
            stage = Stage::Live;
        }
    }
    let reached = match until {
        Goal::Recorded => Stage::Recorded <= stage,
        Goal::Live => stage == Stage::Live,
        Goal::Absent => {
            missing = look.not_absent();
            missing.is_empty()
        }
    };
    if reached {
        missing.clear();
    }
    missing.truncate(MAX_MISSING);
    let present = board.findings_of(name).filter(|finding| finding.state != State::Resolved);
    let findings = present.map(|finding| finding.id.clone()).collect();
    Progress { name: name.clone(), until, reached, stage, at: board.report.at, missing, findings }
}

struct Look<'a> {
    board: &'a Board,
    name: &'a DomainName,
    since: Timestamp,
}

impl<'a> Look<'a> {
    fn wants(&self) -> impl Iterator<Item = &'a Want> {
        let board = self.board;
        board.wants_of(self.name).map(|(_, want)| want)
    }

    fn not_wanted(&self) -> Vec<String> {
        if self.board.snapshot.kubernetes.state != ViewState::Read {
            return vec![String::from("the objects of the cluster could not be read")];
        }
        if self.wants().next().is_none() {
            return vec![String::from("no instance of ExternalDNS wants the name")];
        }
        Vec::new()
    }

    fn not_recorded(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut placed = false;
        for want in self.wants() {
            let key = want.key();
            let Placement::Zone(id) = &want.placement else { continue };
            placed = true;
            let reading = self.board.zone(id).filter(|reading| reading.record_sets.is_some());
            let Some(reading) = reading else {
                missing.push(format!("zone {id} could not be read"));
                continue;
            };
            if reading.name_read_at(self.name).is_none_or(|at| at < self.since) {
                missing.push(format!("zone {} has not been read since", reading.zone.name));
            } else if !reading.at(self.name).iter().any(|set| set.key() == key) {
                missing.push(format!("zone {} has no {}", reading.zone.name, want.record_type));
            }
        }
        if !placed {
            missing.push(String::from("no hosted zone takes the name"));
        }
        missing.extend(self.trouble(|kind| !kind.is_live() && !leaves_the_answer(kind)));
        missing
    }

    fn not_live(&self) -> Vec<String> {
        let mut missing: Vec<String> = self.trouble(|kind| !leaves_the_answer(kind)).collect();
        let seen: Vec<&Observation> = self.seen().collect();
        let mut types: Vec<&RecordType> = self.wants().map(|want| &want.record_type).collect();
        types.sort();
        types.dedup();
        for record_type in types {
            // A CNAME is asked for by the addresses behind it.
            let of_type = |one: &&&Observation| {
                *record_type == RecordType::Cname || *one.record_type == *record_type.as_str()
            };
            let mut answered = false;
            for one in seen.iter().filter(of_type) {
                answered |= one.outcome == Outcome::Answer;
                if denies(one.outcome) {
                    missing.push(format!("{} says {} to {record_type}", one.server, one.outcome.as_str()));
                }
            }
            if !answered {
                missing.push(format!("no server has answered for {record_type} since"));
            }
        }
        missing
    }

    fn not_absent(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.board.snapshot.kubernetes.state != ViewState::Read {
            missing.push(String::from("the objects of the cluster could not be read"));
        }
        if self.wants().next().is_some() {
            missing.push(String::from("an instance of ExternalDNS wants the name"));
        }
        if self.board.snapshot.route53.state != ViewState::Read {
            missing.push(String::from("the hosted zones could not be read"));
        }
        let mut asked = false;
        for reading in self.board.zones().filter(|reading| self.name.is_within(&reading.zone.name)) {
            let zone = &reading.zone;
            asked |= !zone.private;
            if reading.record_sets.is_none()
                || reading.name_read_at(self.name).is_none_or(|at| at < self.since)
            {
                missing.push(format!("zone {} has not been read since", zone.name));
            } else if reading.at(self.name).iter().any(|set| set.record_type.is_address()) {
                missing.push(format!("zone {} has a record", zone.name));
            }
        }
        // Resolvers may keep an answer until its time to live is over; nobody can call that back.
        let mut answers = self.seen().filter(|one| one.vantage == Vantage::Authoritative).peekable();
        if asked && answers.peek().is_none() {
            missing.push(String::from("no name server has been asked since"));
        }
        for one in answers.filter(|one| !matches!(one.outcome, Outcome::Nxdomain | Outcome::Nodata)) {
            missing.push(format!("{} says {}", one.server, one.outcome.as_str()));
        }
        missing
    }

    /// Answers about the name since it is waited for.
    fn seen(&self) -> impl Iterator<Item = &'a Observation> {
        let (name, since) = (self.name, self.since);
        self.board.snapshot.observations().filter(move |one| one.name == *name && since <= one.at)
    }

    fn trouble(&self, counts: impl Fn(Kind) -> bool) -> impl Iterator<Item = String> {
        let present = self.board.findings_of(self.name);
        present
            .filter(|finding| finding.state != State::Resolved)
            .filter(move |finding| counts(finding.kind))
            .map(|finding| {
                format!("finding {}: {} ({}), {}", finding.id, finding.kind, finding.reason, finding.state)
            })
    }
}

fn denies(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Nxdomain | Outcome::Nodata | Outcome::Servfail)
}

/// Kinds beside which the wanted answer is given all the same.
fn leaves_the_answer(kind: Kind) -> bool {
    [
        Kind::PrivateTargetInPublicZone,
        Kind::OwnerConflict,
        Kind::OwnerForeign,
        Kind::OwnerMissing,
        Kind::OwnerOrphan,
        Kind::Churn,
        Kind::WrongTtl,
    ]
    .contains(&kind)
}
