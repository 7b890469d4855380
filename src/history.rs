//! Findings over time: confirmation, windows, first seen, resolving, freezing. Pure; the time is an
//! argument.
//!
//! A verdict opens after two looks at the deciding view, or after one that a feed confirms; it
//! closes after clean looks; while its views are blind it is frozen. Source: findings.md sections 2,
//! 7 and 8.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::compare::{Candidate, Coverage, Verdicts};
use crate::finding::{FindingKey, State, Subject};
use crate::policy::Policy;
use crate::snapshot::ViewName;

/// The memory of findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    tracks: BTreeMap<FindingKey, Track>,
}

/// One finding over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The latest statement.
    pub candidate: Candidate,
    /// When it was first seen, or had demonstrably begun.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Where it stands.
    pub state: State,
    /// The key of the finding that explains it.
    pub explained_by: Option<FindingKey>,
    /// It has been open at least once.
    confirmed: bool,
    /// First look of the present run of looks outside of any window.
    run_since: Option<Timestamp>,
    /// Clean looks in a row, and the time of the latest.
    clean: u32,
    clean_at: Option<Timestamp>,
}

impl History {
    /// Takes in the verdicts of one round.
    pub fn advance(&mut self, verdicts: &Verdicts, policy: &Policy, at: Timestamp) {
        let cycle = policy.cycle();
        let mut seen: BTreeMap<FindingKey, &Candidate> = BTreeMap::new();
        for candidate in &verdicts.candidates {
            seen.insert(candidate.key.clone(), candidate);
        }
        for (key, candidate) in &seen {
            let inherited = self.inherited(key);
            let track = self
                .tracks
                .entry(key.clone())
                .or_insert_with(|| Track::new((*candidate).clone(), at, inherited));
            track.see(candidate, at, cycle);
        }
        for (key, track) in &mut self.tracks {
            if seen.contains_key(key) {
                continue;
            }
            if frozen(&track.candidate, &verdicts.coverage) {
                if track.state != State::Resolved {
                    track.state = State::Stale;
                }
                continue;
            }
            let superseded =
                seen.keys().any(|other| other.subject == key.subject && other.zone_id == key.zone_id);
            track.miss(at, superseded, policy, cycle);
        }
        self.tracks.retain(|_, track| {
            track.state != State::Resolved || at.duration_since(track.last_seen) < KEEP_RESOLVED
        });
        self.tracks.retain(|_, track| track.confirmed || track.clean == 0);
        self.explain();
    }

    /// Everything that is remembered, by key.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.values()
    }

    /// A subject whose kind changes keeps its age and its confirmation: it is one story.
    fn inherited(&self, key: &FindingKey) -> Option<(Timestamp, bool)> {
        let same = self.tracks.values().filter(|track| {
            track.candidate.key.subject == key.subject
                && track.candidate.key.zone_id == key.zone_id
                && track.state != State::Resolved
        });
        same.map(|track| (track.first_seen, track.state == State::Open)).min()
    }

    /// An explained finding counts only while the one that explains it is open.
    fn explain(&mut self) {
        let open: Vec<FindingKey> = self
            .tracks
            .iter()
            .filter(|(_, track)| matches!(track.state, State::Open | State::Explained))
            .map(|(key, _)| key.clone())
            .collect();
        for (key, track) in &mut self.tracks {
            track.explained_by = None;
            let Some((subject, _)) = &track.candidate.explained_by else { continue };
            let parent = open.iter().find(|other| {
                other.subject == *subject
                    && (other.zone_id.is_none() || other.zone_id == key.zone_id)
                    && *other != key
            });
            if let Some(parent) = parent.filter(|_| matches!(track.state, State::Open | State::Explained)) {
                track.state = State::Explained;
                track.explained_by = Some(parent.clone());
            }
        }
    }
}

/// How long a resolved finding stays in reports.
const KEEP_RESOLVED: SignedDuration = SignedDuration::from_mins(15);

impl Track {
    fn new(candidate: Candidate, at: Timestamp, inherited: Option<(Timestamp, bool)>) -> Self {
        let onset = candidate.onset.filter(|onset| *onset < at).unwrap_or(at);
        let (first_seen, confirmed) = inherited.unwrap_or((onset, false));
        Self {
            first_seen: first_seen.min(onset),
            last_seen: at,
            state: State::Pending,
            explained_by: None,
            confirmed,
            run_since: None,
            clean: 0,
            clean_at: None,
            candidate,
        }
    }

    fn see(&mut self, candidate: &Candidate, at: Timestamp, cycle: SignedDuration) {
        if self.state == State::Resolved {
            // The same trouble again is a new story.
            *self = Self::new(candidate.clone(), at, None);
        }
        self.candidate = candidate.clone();
        self.last_seen = at;
        self.clean = 0;
        self.clean_at = None;
        if candidate.window.is_some() {
            self.run_since = None;
            self.state = if self.confirmed && candidate.certain { State::Open } else { State::Pending };
        } else {
            let since = *self.run_since.get_or_insert(candidate.evidence_at);
            let twice = cycle <= candidate.evidence_at.duration_since(since);
            self.confirmed |= candidate.certain || twice;
            self.state = if self.confirmed { State::Open } else { State::Pending };
        }
        if candidate.muted.is_some() {
            self.state = State::Muted;
        }
    }

    fn miss(&mut self, at: Timestamp, superseded: bool, policy: &Policy, cycle: SignedDuration) {
        if self.state == State::Resolved {
            return;
        }
        if superseded || !self.confirmed {
            self.state = State::Resolved;
            self.confirmed &= !superseded;
            self.clean = self.clean.max(1);
            self.last_seen = at;
            return;
        }
        let counts = self.clean_at.is_none_or(|last| cycle <= at.duration_since(last));
        if counts {
            self.clean += 1;
            self.clean_at = Some(at);
        }
        self.state = if policy.resolve_cycles <= self.clean { State::Resolved } else { State::Open };
        if self.state == State::Resolved {
            self.last_seen = at;
        }
    }
}

/// True if a view that the statement rests on could not be read in this round.
fn frozen(candidate: &Candidate, coverage: &Coverage) -> bool {
    candidate.rests_on.iter().any(|view| match view {
        ViewName::Kubernetes => !coverage.kubernetes,
        ViewName::Route53 => match &candidate.key.zone_id {
            Some(id) => {
                !coverage.zones.contains_key(id) && !coverage.route53
                    || coverage.route53 && !coverage.zones.contains_key(id) && !coverage.zones.is_empty()
            }
            None => !coverage.route53 && !matches!(candidate.key.subject, Subject::Object(_)),
        },
        ViewName::Dns => !coverage.dns,
        // A feed only adds a cause: without it the difference itself still decides.
        ViewName::Changes => false,
    })
}
