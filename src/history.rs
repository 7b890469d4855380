//! Findings over time: confirmation, windows, first seen, resolving, freezing. Pure; the time is an
//! argument.
//!
//! A verdict opens after two looks at the deciding view, or after one that a feed confirms; it
//! closes after clean looks; while its views are blind it is frozen. Source: findings.md sections 2,
//! 7 and 8.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::compare::{Candidate, Coverage, Verdicts, explain};
use crate::finding::{Cause, FindingKey, Kind, Reason, SilentReason, State, Subject};
use crate::limits::MAX_STEPS;
use crate::model::{DomainName, ZoneId};
use crate::policy::Policy;
use crate::report::{Mute, Step};
use crate::snapshot::ViewName;
use crate::stored::pairs;

/// The memory of findings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    #[serde(with = "pairs")]
    tracks: BTreeMap<FindingKey, Track>,
}

/// One finding over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// First look of the present run of looks in which users get something worse than the kind alone tells.
    #[serde(default)]
    worse_since: Option<Timestamp>,
    /// When the window closed in which it was first seen: inside of it nothing was wrong yet. `None` for what was
    /// never in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_since: Option<Timestamp>,
    /// When the instance whose fault explained it was mended; `None` for what no instance explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    released_at: Option<Timestamp>,
    /// What became of it: the first step, and the latest ones. Absent in files of older versions.
    #[serde(default)]
    steps: Vec<Step>,
}

/// What one round tells first of a subject, and whether it is more than pending.
struct First<'a> {
    candidate: &'a Candidate,
    stands: bool,
}

/// What becomes of a finding of another kind on the same subject.
enum Over {
    /// It goes on: what is told first now has not shown itself twice yet.
    Beside,
    /// It is over, and the other one takes its place.
    Instead,
    /// It is over by itself.
    Not,
}

impl First<'_> {
    /// A subject on which something graver waits for its second look is not clean.
    fn is_waiting_over(&self, kind: Kind) -> bool {
        self.candidate.window.is_none() && self.candidate.key.kind < kind
    }

    /// It says that the other one holds, too.
    fn names(&self, kind: Kind) -> bool {
        let is_cause = match self.candidate.cause {
            Some(Cause::OwnerForeign) => kind == Kind::OwnerForeign,
            Some(Cause::OwnerMissing) => kind == Kind::OwnerMissing,
            Some(Cause::OwnerOrphan) => kind == Kind::OwnerOrphan,
            _ => false,
        };
        is_cause || self.candidate.also.iter().any(|also| also.kind == kind)
    }

    fn over(&self, kind: Kind) -> Over {
        let is_same = is_one_story(self.candidate.key.kind, kind);
        let waits = self.candidate.window.is_some();
        // What is only expected takes the place of nothing that was told.
        if self.stands {
            Over::Instead
        } else if is_same && !waits || self.is_waiting_over(kind) || self.names(kind) {
            Over::Beside
        } else {
            Over::Not
        }
    }
}

/// True if one of the kinds may become the other without another look: what is wrong with a wish and with
/// its record is one fault, told by whichever kind ranks first.
fn is_one_story(one: Kind, other: Kind) -> bool {
    let of_record = |kind: Kind| matches!(kind.rank(), 10..=26);
    one == other || of_record(one) && of_record(other)
}

/// True for the kinds of the record ladder.
fn is_of_record(kind: Kind) -> bool {
    matches!(kind.rank(), 20..=26)
}

/// A subject and its zone: where at most one finding is open.
type Place = (Subject, Option<ZoneId>);

fn place(key: &FindingKey) -> Place {
    (key.subject.clone(), key.zone_id.clone())
}

impl History {
    /// Takes in the verdicts of one round.
    pub fn advance(&mut self, verdicts: &Verdicts, policy: &Policy, at: Timestamp) {
        let cycle = policy.cycle();
        let mut seen: BTreeMap<FindingKey, &Candidate> = BTreeMap::new();
        for candidate in &verdicts.candidates {
            seen.insert(candidate.key.clone(), candidate);
        }
        let open = self.places(|track| track.state == State::Open);
        self.follow_records(verdicts, &seen);
        // What is known on a dark view still holds: what ranks below it on the same subject is part of it.
        let frozen_first = self.places(|track| {
            matches!(track.state, State::Open | State::Explained | State::Stale)
                && !dark_views(&track.candidate, &verdicts.coverage, seen.contains_key(&track.candidate.key))
                    .is_empty()
        });
        let frozen_live = self.places(|track| {
            track.candidate.key.kind.is_live()
                && track.state == State::Open
                && !seen.contains_key(&track.candidate.key)
                && !dark_views(&track.candidate, &verdicts.coverage, false).is_empty()
        });
        // What a record became after the last word of the cluster is not judged before the next one.
        let waiting: BTreeSet<Place> = verdicts
            .candidates
            .iter()
            .filter(|candidate| is_ahead(candidate, &verdicts.coverage))
            .map(|candidate| place(&candidate.key))
            .collect();
        let open_record =
            self.places(|track| track.state == State::Open && is_of_record(track.candidate.key.kind));
        // A record that is told as wrong and was right for one look is wrong still, and not yet flapping.
        let mut held: BTreeSet<(Place, Kind)> = BTreeSet::new();
        seen.retain(|key, candidate| {
            let kind = open_record.get(&place(key)).filter(|_| key.kind == Kind::Flapping);
            let Some(kind) = kind.filter(|kind| candidate.also.iter().any(|also| also.kind == **kind)) else {
                return true;
            };
            held.insert((place(key), *kind));
            false
        });
        seen.retain(|key, candidate| {
            // Nor is the ownership of a record a subject while its users are known not to get it.
            let is_ownership = matches!(key.kind.rank(), 30..=32);
            let frozen = frozen_first.get(&place(key)).filter(|kind| **kind < key.kind);
            let hidden = frozen.is_some_and(|kind| !self.outdoes(candidate, *kind))
                || is_ownership && frozen_live.contains_key(&place(key));
            // On a view that could not be read nothing is decided anew.
            !hidden
                && !waiting.contains(&place(key))
                && dark_views(candidate, &verdicts.coverage, true).is_empty()
        });
        seen.retain(|key, candidate| {
            !self.tracks.get(key).is_some_and(|track| track.is_over_at(candidate, at))
        });
        for (key, candidate) in &seen {
            // One story under two names keeps its confirmation, unless it becomes louder: a record that one
            // owner gives up and another takes over is gone for a moment. Its age belongs to the kind.
            let confirmed = open.get(&place(key)).is_some_and(|kind| {
                let before = FindingKey { kind: *kind, ..(*key).clone() };
                let loudness = self.tracks.get(&before).map(|track| track.candidate.severity);
                is_one_story(*kind, key.kind)
                    && loudness.is_none_or(|severity| candidate.severity <= severity)
            });
            let track = self
                .tracks
                .entry(key.clone())
                .or_insert_with(|| Track::new((*candidate).clone(), at, confirmed));
            let before = (track.state != State::Resolved).then(|| track.candidate.clone());
            track.see(candidate, at, cycle);
            track.worsen(at, cycle);
            if let Some(before) = before {
                track.keep_what_is_not_seen(&before, &verdicts.coverage);
            }
        }
        let told = self.told(&seen);
        let troubled: BTreeSet<Place> =
            verdicts.candidates.iter().map(|candidate| place(&candidate.key)).collect();
        for (key, track) in &mut self.tracks {
            let is_seen = seen.contains_key(key);
            let mut dark = dark_views(&track.candidate, &verdicts.coverage, is_seen);
            // A refusal counts no longer than the difference that it was about, whatever its feed says.
            if key.kind == Kind::FailedChange
                && !track.candidate.also.is_empty()
                && !troubled.contains(&place(key))
            {
                dark.retain(|view| *view != ViewName::Changes);
            }
            if waiting.contains(&place(key)) {
                dark.push(ViewName::Kubernetes);
            }
            // What is only remembered of an instance or a zone gives way to what stands first of it now.
            let is_outer = matches!(key.subject, Subject::Instance(_) | Subject::Zone(_));
            let is_replaced = |now: Kind| now < key.kind && is_outer;
            let is_outdone = !dark.is_empty()
                && told.get(&place(key)).is_some_and(|first| {
                    let now = first.candidate.key.kind;
                    let is_louder = key.kind < now && track.candidate.severity < first.candidate.severity;
                    first.stands && (is_louder || is_replaced(now))
                });
            if is_outdone {
                track.miss(at, true, policy, cycle);
            } else if !dark.is_empty() {
                track.freeze(&dark, &verdicts.coverage);
            } else if !is_seen && !held.contains(&(place(key), key.kind)) && !is_dim(key, &verdicts.coverage)
            {
                match told.get(&place(key)).map(|first| first.over(key.kind)) {
                    Some(Over::Beside) => {}
                    Some(Over::Instead) => track.miss(at, true, policy, cycle),
                    Some(Over::Not) | None => track.miss(at, false, policy, cycle),
                }
            }
        }
        self.tracks.retain(|_, track| {
            track.state != State::Resolved || at.duration_since(track.last_seen) < KEEP_RESOLVED
        });
        self.tracks.retain(|_, track| track.confirmed || track.clean == 0);
        self.explain(at, policy.sync_floor);
        for track in self.tracks.values_mut() {
            track.note(at);
        }
    }

    /// A feed only adds a cause: a refusal that nothing but its unread feed keeps hurts as much as the record does now.
    fn follow_records(&mut self, verdicts: &Verdicts, seen: &BTreeMap<FindingKey, &Candidate>) {
        let is_kept = |key: &FindingKey, track: &Track| {
            key.kind == Kind::FailedChange
                && !seen.contains_key(key)
                && matches!(track.state, State::Open | State::Explained | State::Stale)
                && dark_views(&track.candidate, &verdicts.coverage, false) == [ViewName::Changes]
        };
        for (key, track) in self.tracks.iter_mut().filter(|(key, track)| is_kept(key, track)) {
            let is_of_it = |one: &&&Candidate| {
                is_one_story(key.kind, one.key.kind)
                    && place(&one.key) == place(key)
                    && one.key.instance == key.instance
            };
            if let Some(now) = seen.values().find(is_of_it).filter(|one| one.window.is_none()) {
                track.candidate.follow(now);
            }
        }
    }

    /// A mute that has begun or ended meanwhile concerns what this round cannot tell anew, too.
    pub fn mute(&mut self, verdicts: &Verdicts, now: impl Fn(&Candidate) -> Option<Mute>) {
        let told: BTreeSet<&FindingKey> = verdicts.candidates.iter().map(|one| &one.key).collect();
        let kept = self
            .tracks
            .iter_mut()
            .filter(|(key, track)| track.state != State::Resolved && !told.contains(key));
        for (_, track) in kept {
            track.candidate.muted = now(&track.candidate);
            track.state = match (&track.candidate.muted, track.state) {
                (Some(_), _) => State::Muted,
                (None, State::Muted) if track.confirmed => State::Open,
                (None, State::Muted) => State::Pending,
                (None, state) => state,
            };
        }
    }

    /// The clock was set back: what was seen is no later than now, so that looks count again.
    pub fn set_back(&mut self, now: Timestamp) {
        for track in self.tracks.values_mut() {
            track.first_seen = track.first_seen.min(now);
            track.last_seen = track.last_seen.min(now);
            track.run_since = track.run_since.map(|at| at.min(now));
            track.worse_since = track.worse_since.map(|at| at.min(now));
            track.clean_at = track.clean_at.map(|at| at.min(now));
            track.due_since = track.due_since.map(|at| at.min(now));
            track.released_at = track.released_at.map(|at| at.min(now));
        }
    }

    /// What this round tells first of each subject.
    fn told<'a>(&self, seen: &BTreeMap<FindingKey, &'a Candidate>) -> BTreeMap<Place, First<'a>> {
        let first = |(key, candidate): (&FindingKey, &&'a Candidate)| {
            let stands = self.tracks.get(key).is_some_and(|track| track.state != State::Pending);
            (place(key), First { candidate, stands })
        };
        seen.iter().map(first).collect()
    }

    /// True if what rests on views that were read is graver than a frozen statement about the same subject, and
    /// no part of it: what is assumed for want of an answer is no news where it was told as harmless before.
    fn outdoes(&self, candidate: &Candidate, frozen: Kind) -> bool {
        let key = FindingKey { kind: frozen, ..candidate.key.clone() };
        let is_part = |frozen: &Candidate| {
            candidate.is_assumed && frozen.also.iter().any(|also| also.kind == candidate.key.kind)
        };
        self.tracks
            .get(&key)
            .is_some_and(|track| track.candidate.severity < candidate.severity && !is_part(&track.candidate))
    }

    /// Everything that is remembered, by key.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.values()
    }

    /// Subjects of the tracks that fit, each with the kind of the lowest rank.
    fn places(&self, fits: impl Fn(&Track) -> bool) -> BTreeMap<Place, Kind> {
        let mut out = BTreeMap::new();
        for (key, _) in self.tracks.iter().filter(|(_, track)| fits(track)) {
            let first = out.entry(place(key)).or_insert(key.kind);
            *first = key.kind.min(*first);
        }
        out
    }

    /// An explained finding counts only while the one that explains it is open. Causes have lower
    /// ranks than what they explain, so one pass in the order of the ranks settles chains too.
    fn explain(&mut self, at: Timestamp, sync_floor: Duration) {
        let mut order: Vec<FindingKey> = self.tracks.keys().cloned().collect();
        // A half comes after its other half, whatever the ranks of both.
        let is_half =
            |key: &FindingKey| self.tracks.get(key).is_some_and(|one| one.candidate.explained_by.is_some());
        // And a zone after those above it.
        let depth = |key: &FindingKey| {
            if let Subject::Zone(zone) = &key.subject { zone.labels().count() } else { 0 }
        };
        order.sort_by_key(|key| (is_half(key), key.kind.rank(), depth(key), key.clone()));
        let mut causes = Causes::default();
        for key in &order {
            let Some(track) = self.tracks.get(key) else { continue };
            let parent = causes.of(track, &self.tracks);
            let raised = parent.as_ref().map(|parent| (parent.clone(), track.candidate.impact));
            let outer = parent.as_ref().and_then(|parent| self.tracks.get(parent));
            let word = outer.and_then(|outer| explain::cause_word(&outer.candidate, &track.candidate));
            // Whoever mutes the cause has not mended it.
            let before = track.explained_by.as_ref().and_then(|outer| self.tracks.get(outer));
            let is_muted = before.is_some_and(|outer| outer.state == State::Muted);
            let Some(track) = self.tracks.get_mut(key) else { continue };
            if let Some(word) = word {
                track.candidate.cause = Some(word);
            }
            if track.state == State::Explained {
                track.state = State::Open;
            }
            track.release(parent.is_some() || is_muted, at);
            // Of what was only explained nobody was told: without its cause it waits for its window like any other.
            let was_told = track.explained_by.is_none();
            let waits = !was_told && track.candidate.window.is_some() || track.is_spared(at, sync_floor);
            if track.state == State::Open {
                track.state = match parent {
                    Some(_) => State::Explained,
                    None if waits => State::Pending,
                    None => State::Open,
                };
            }
            track.explained_by = parent;
            if track.state == State::Open {
                causes.add(&track.candidate);
            }
            // An outer finding hurts as much as what it explains.
            if let Some((parent, impact)) = raised
                && let Some(outer) = self.tracks.get_mut(&parent)
                && matches!(outer.candidate.key.subject, Subject::Instance(_))
            {
                outer.candidate.worsen(impact);
            }
        }
    }
}

/// Open findings that may explain others, by the names that they speak for.
#[derive(Debug, Default)]
struct Causes {
    by_name: BTreeMap<DomainName, Vec<FindingKey>>,
    /// About a view, an instance, or a whole zone.
    outer: Vec<FindingKey>,
}

impl Causes {
    fn add(&mut self, candidate: &Candidate) {
        let key = &candidate.key;
        let wide = !matches!(key.subject, Subject::Record(_) | Subject::Object(_));
        if wide || key.kind == Kind::WrongZone && self.outer.len() < MAX_WIDE {
            self.outer.push(key.clone());
        }
        for name in explain::names(candidate) {
            self.by_name.entry(name.clone()).or_default().push(key.clone());
        }
    }

    /// The open finding with the lowest rank that explains the track.
    fn of(&self, track: &Track, tracks: &BTreeMap<FindingKey, Track>) -> Option<FindingKey> {
        let candidate = &track.candidate;
        let near = explain::names(candidate).filter_map(|name| self.by_name.get(name)).flatten();
        let hit = |key: &&FindingKey| {
            let Some(outer) = tracks.get(*key) else { return false };
            let told = (&outer.candidate, outer.first_seen);
            match track.state {
                // What this round has judged was seen, whatever else was not.
                State::Open | State::Explained => {
                    let since = track.due_since.unwrap_or(track.first_seen);
                    key.kind != Kind::ObserverBlind && explain::explains(told, (candidate, since))
                }
                // A frozen finding waits for its view; it is said whose fault that is.
                State::Stale => {
                    key.kind == Kind::ObserverBlind && explain::explains(told, (candidate, track.first_seen))
                }
                State::Pending | State::Muted | State::Resolved => false,
            }
        };
        near.chain(&self.outer).filter(hit).min_by_key(|key| (key.kind.rank(), *key)).cloned()
    }
}

/// Record-level findings that are asked about a whole zone. A bound, because each is compared with
/// every other finding.
const MAX_WIDE: usize = 100;

/// How long a resolved finding stays in reports.
const KEEP_RESOLVED: SignedDuration = SignedDuration::from_mins(15);

impl Track {
    fn new(candidate: Candidate, at: Timestamp, confirmed: bool) -> Self {
        Self {
            first_seen: candidate.onset.filter(|onset| *onset < at).unwrap_or(at),
            last_seen: at,
            state: State::Pending,
            explained_by: None,
            confirmed,
            run_since: None,
            clean: 0,
            clean_at: None,
            worse_since: None,
            due_since: None,
            released_at: None,
            steps: Vec::new(),
            candidate,
        }
    }

    /// What became of it, the oldest first.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Writes down how it stands, if that is new. The first step is kept, because it tells the
    /// beginning; in the middle a long story may have a gap.
    fn note(&mut self, at: Timestamp) {
        let Candidate { reason, severity, impact, .. } = self.candidate;
        let step = Step { at, state: self.state, reason, severity, impact };
        let same = |last: &Step| Step { at, ..last.clone() } == step;
        if self.steps.last().is_some_and(same) {
            return;
        }
        if MAX_STEPS <= self.steps.len() {
            self.steps.remove(1);
        }
        self.steps.push(step);
    }

    fn see(&mut self, candidate: &Candidate, at: Timestamp, cycle: SignedDuration) {
        if self.state == State::Resolved {
            // The same trouble again has to show itself again, and is as old as it was: an object
            // that was deleted and made anew is the same name.
            let (first_seen, steps) = (self.first_seen, std::mem::take(&mut self.steps));
            *self = Self::new(candidate.clone(), at, false);
            self.first_seen = self.first_seen.min(first_seen);
            self.steps = steps;
        }
        // A window delays a page. What was told and has not gone meanwhile is no news when it closes.
        if let Some(window) = self.candidate.window.filter(|_| !self.confirmed && candidate.window.is_none())
        {
            self.due_since = Some(window.until.min(at));
        }
        let is_told = self.clean == 0 && matches!(self.state, State::Open | State::Explained | State::Stale);
        self.candidate = candidate.clone();
        self.last_seen = at;
        self.clean = 0;
        self.clean_at = None;
        if candidate.window.is_some() {
            self.run_since = None;
            let stays = self.confirmed && (candidate.certain || is_told);
            self.state = if stays { State::Open } else { State::Pending };
        } else {
            let since = *self.run_since.get_or_insert(candidate.evidence_at.min(at));
            let twice = cycle <= candidate.evidence_at.duration_since(since);
            self.confirmed |= candidate.certain || twice;
            self.state = if self.confirmed { State::Open } else { State::Pending };
        }
        if candidate.muted.is_some() {
            self.state = State::Muted;
        }
    }

    /// What a live kind beside it makes worse is louder after a second look.
    fn worsen(&mut self, at: Timestamp, cycle: SignedDuration) {
        let Some(impact) = self.candidate.beside else {
            self.worse_since = None;
            return;
        };
        let since = *self.worse_since.get_or_insert(at);
        if cycle <= at.duration_since(since) {
            self.candidate.worsen(impact);
        }
    }

    /// Remembers when the instance that explained it was mended; called before the new explanation is kept.
    /// `goes_on`: the fault of the instance, or another one that explains it, is there still.
    fn release(&mut self, goes_on: bool, at: Timestamp) {
        let by_instance =
            self.explained_by.as_ref().is_some_and(|outer| matches!(outer.subject, Subject::Instance(_)));
        if goes_on {
            self.released_at = None;
        } else if by_instance {
            self.released_at = Some(at);
        }
    }

    /// True for what an instance that was mended just now has had no time to catch up with. Nobody was told of
    /// it while the instance explained it.
    fn is_spared(&self, at: Timestamp, sync_floor: Duration) -> bool {
        self.released_at.is_some_and(|released| at.duration_since(released).unsigned_abs() < sync_floor)
    }

    /// True if the parent was mended, and what is left is what resolvers may still hold of the delegation before:
    /// that is no continuation of what was told of the parent, nor of what the parent explained.
    fn is_over_at(&self, candidate: &Candidate, at: Timestamp) -> bool {
        let follows = candidate.window.is_some_and(|one| one.reason == SilentReason::DelegationTtlWindow);
        let is_of_parent = match self.state {
            State::Open => candidate.key.kind == Kind::DelegationBroken,
            State::Explained => true,
            // The same round once more.
            State::Resolved => self.last_seen == at,
            State::Pending | State::Muted | State::Stale => false,
        };
        follows && is_of_parent
    }

    /// Less sight makes no fault smaller or larger: what nobody was asked in this round hurts as it did, and a
    /// whole instance as much as its names did when their zones were last read.
    fn keep_what_is_not_seen(&mut self, before: &Candidate, coverage: &Coverage) {
        let candidate = &mut self.candidate;
        let known = candidate.is_assumed && !before.is_assumed && before.reason == candidate.reason;
        if known {
            (candidate.impact, candidate.severity) = (before.impact, before.severity);
            candidate.is_assumed = false;
        }
        let is_vague = matches!(candidate.reason, Reason::NotFound | Reason::ValidationFails)
            && coverage.vague.contains(&candidate.key);
        let was_lost = (before.reason, candidate.reason) == (Reason::Lost, Reason::NeverAssigned);
        if is_vague || was_lost {
            candidate.keep_reason(before);
        }
        let is_dark =
            || !coverage.route53 || coverage.listed.iter().any(|zone| !coverage.zones.contains_key(zone));
        let is_of_names = match candidate.key.subject {
            Subject::Instance(_) => is_dark(),
            Subject::Object(_) => candidate.is_hidden(coverage),
            Subject::Record(_) | Subject::Zone(_) | Subject::Source(_) => false,
        };
        if is_of_names {
            candidate.worsen(before.impact);
            candidate.take_names(before, |name| coverage.hides(name));
        }
    }

    /// A view that it rests on could not be read: the verdict stays what it was, and is stale from
    /// the round on in which the view is stated as blind. One round that failed must not make a page
    /// resolve and come back. What a feed alone told stays told: what it explains must not page one by one.
    fn freeze(&mut self, dark: &[ViewName], coverage: &Coverage) {
        let zone_is_lost =
            || self.candidate.key.zone_id.as_ref().is_some_and(|id| coverage.lost.contains(id));
        let lost = dark
            .iter()
            .filter(|view| **view != ViewName::Changes)
            .any(|view| coverage.blind.contains(view) || *view == ViewName::Route53 && zone_is_lost());
        if lost && matches!(self.state, State::Open | State::Explained) {
            self.state = State::Stale;
        } else if !lost && self.state == State::Stale {
            // What is dark now is not stated as blind.
            self.state = State::Open;
        }
    }

    fn miss(&mut self, at: Timestamp, superseded: bool, policy: &Policy, cycle: SignedDuration) {
        if self.state == State::Resolved {
            return;
        }
        // What nobody was told of while it lasted is no news when it ends.
        if superseded || !self.confirmed || self.state == State::Explained {
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
        if policy.resolve_cycles <= self.clean {
            self.state = State::Resolved;
            self.last_seen = at;
        } else if !matches!(self.state, State::Muted | State::Pending | State::Stale) {
            // What was stale pages again only when it is seen again.
            self.state = State::Open;
        }
    }
}

/// True if the statement compares the cluster with a record that changed after the last word of it.
fn is_ahead(candidate: &Candidate, coverage: &Coverage) -> bool {
    let Some((zone, key)) = candidate.key.zone_id.as_ref().zip(candidate.key.subject.record()) else {
        return false;
    };
    candidate.rests_on.contains(&ViewName::Kubernetes)
        && coverage.ahead.contains(&(zone.clone(), key.name.clone()))
}

/// True for a view that was blind and is so again, though not yet for long: that look was not clean.
fn is_dim(key: &FindingKey, coverage: &Coverage) -> bool {
    matches!(&key.subject, Subject::Source(view) if coverage.dim.contains(view))
}

/// The views that the statement rests on and that could not be read in this round, in which it was made
/// again (`is_seen`) or not.
fn dark_views(candidate: &Candidate, coverage: &Coverage, is_seen: bool) -> Vec<ViewName> {
    let is_dark = |view: &&ViewName| match view {
        ViewName::Kubernetes => {
            let is_odd = !is_seen
                && candidate.object.as_ref().is_some_and(|one| coverage.odd.iter().any(|odd| odd.shows(one)));
            is_odd || !coverage.kubernetes && !stands_without(candidate, coverage, is_seen)
        }
        ViewName::Route53 => match &candidate.key.zone_id {
            // A zone that a whole list no longer has is gone, and its findings with it.
            Some(id) => {
                !coverage.zones.contains_key(id) && (!coverage.route53 || coverage.listed.contains(id))
                    || is_beside_a_dark_zone(candidate, id, coverage)
                    || coverage.unheard.contains(&candidate.key)
            }
            None => match candidate.key.subject {
                Subject::Object(_) => false,
                // How many names there were besides is not known without their zones: what vanished all the
                // same is many.
                Subject::Instance(_) if is_seen && is_of_wishes(candidate) => false,
                Subject::Instance(_) => !coverage.route53 || !coverage.darkened.is_empty(),
                Subject::Record(_) | Subject::Zone(_) | Subject::Source(_) => !coverage.route53,
            },
        },
        ViewName::Dns => {
            (!coverage.dns || coverage.unheard.contains(&candidate.key))
                && !coverage.mended.contains(&candidate.key)
        }
        // A feed only adds a cause: without it the difference itself still decides. What nothing but the
        // feed tells is not over because it tells nothing.
        ViewName::Changes => {
            let instance = candidate.key.instance.as_ref();
            !is_seen && instance.is_some_and(|instance| coverage.unread_feeds.contains(instance))
        }
    };
    candidate.rests_on.iter().filter(is_dark).copied().collect()
}

/// True for a burst of names that are not wanted any more.
fn is_of_wishes(candidate: &Candidate) -> bool {
    candidate.key.kind == Kind::MassDeletion && candidate.reason != Reason::RecordsVanished
}

/// True if another zone that cannot be read just now may hold what the statement is about, and did decide
/// before: a twin, a private zone above or below a private one, and whatever leads users elsewhere.
fn is_beside_a_dark_zone(candidate: &Candidate, own: &ZoneId, coverage: &Coverage) -> bool {
    let kind = candidate.key.kind;
    let name = match &candidate.key.subject {
        Subject::Record(key) => &key.name,
        Subject::Zone(name) => name,
        Subject::Object(_) | Subject::Instance(_) | Subject::Source(_) => return false,
    };
    let Some((apex, private)) = coverage.apexes.get(own) else { return false };
    matches!(kind.rank(), 10..=50 | 60..=65)
        && coverage.darkened.iter().filter(|id| *id != own).any(|id| {
            coverage.apexes.get(id).is_some_and(|(other, other_is_private)| {
                let is_twin = other == apex && other_is_private == private;
                // The ownership of an apex lies in the zone above.
                let is_owned_above = name == apex && matches!(kind.rank(), 30..=33);
                is_twin
                    || name.is_within(other)
                        && (kind == Kind::WrongZone || is_owned_above || *private && *other_is_private)
            })
        })
}

/// True if the statement is about an object that was read, and what could not be listed changes nothing.
///
/// A wish that is there is a fact. That one is gone is known only where nothing that may carry it is
/// missing: its kind, the instances, and for other kinds than Ingresses what they hang on.
fn stands_without(candidate: &Candidate, coverage: &Coverage, is_seen: bool) -> bool {
    // Records that vanished are those of wishes that are there.
    if candidate.reason == Reason::RecordsVanished {
        return is_seen;
    }
    let Some(object) = candidate.object.as_ref().filter(|_| rests_on_presence(candidate.key.kind)) else {
        return false;
    };
    let unread = &coverage.unread_kinds;
    let is_read = !unread.is_empty() && !unread.contains(&*object.kind);
    let runs = |kind: &String| INSTANCE_KINDS.contains(&kind.as_str());
    is_read && (is_seen || &*object.kind == "Ingress" && !unread.iter().any(runs))
}

/// Kinds by which instances are found and known to run.
const INSTANCE_KINDS: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "Pod"];

/// True for kinds that compare a wish that is there with something, and for those that tell what a controller does.
/// An annotation that nobody reads, a left-over and a burst rest on what is not there.
fn rests_on_presence(kind: Kind) -> bool {
    matches!(kind, Kind::ControllerStalled | Kind::ControllerFailing)
        || matches!(kind.rank(), 10..=26 | 30..=32 | 60..=65 | 70..=72) && kind != Kind::AnnotationUnread
}

#[cfg(test)]
mod tests;
