use super::*;
use crate::finding::{Impact, Reason, Severity};
use crate::model::{RecordKey, RecordType, ZoneId};
use crate::report::Mute;
use std::collections::BTreeSet;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).expect("a time")
}

fn fault(kind: Kind, minute: i64) -> Candidate {
    let key = FindingKey {
        subject: Subject::Record(RecordKey {
            name: "app.example.com".into(),
            record_type: RecordType::A,
            set_identifier: None,
        }),
        zone_id: Some(ZoneId::new("Z1")),
        instance: Some("prod".into()),
        kind,
    };
    Candidate::new(key, Reason::Absent, Impact::Down, at(minute))
}

fn outer(kind: Kind, minute: i64) -> Candidate {
    let mut candidate = fault(kind, minute);
    candidate.key.subject = Subject::Instance("prod".into());
    candidate.key.zone_id = None;
    candidate.impact = Impact::Latent;
    candidate.severity = Severity::Warning;
    candidate.certain = true;
    candidate
}

/// A round that sees everything, or is blind for Route 53.
fn round(history: &mut History, minute: i64, candidates: Vec<Candidate>, sees: bool) -> Vec<(Kind, State)> {
    let zones = if sees { BTreeMap::from([(ZoneId::new("Z1"), at(minute))]) } else { BTreeMap::new() };
    // The view is stated as blind after the third round that could not be read.
    let blind = if sees || minute < 6 { BTreeSet::new() } else { BTreeSet::from([ViewName::Route53]) };
    let coverage =
        Coverage { kubernetes: true, zones, route53: sees, dns: true, blind, ..Coverage::default() };
    let verdicts = Verdicts { candidates, coverage, ..Verdicts::default() };
    history.advance(&verdicts, &Policy::default(), at(minute));
    history.tracks().map(|track| (track.candidate.key.kind, track.state)).collect()
}

const MISSING: Kind = Kind::MissingRecord;

#[test]
fn opens_after_two_looks_and_closes_after_two() {
    let mut history = History::default();
    let mut go = |minute, faulty: bool| {
        let faults = if faulty { vec![fault(MISSING, minute)] } else { Vec::new() };
        round(&mut history, minute, faults, true)
    };
    assert_eq!(go(0, true), [(MISSING, State::Pending)]);
    assert_eq!(go(0, true), [(MISSING, State::Pending)], "the same round is no second look");
    assert_eq!(go(1, true), [(MISSING, State::Open)]);
    assert_eq!(go(2, false), [(MISSING, State::Open)]);
    assert_eq!(go(2, false), [(MISSING, State::Open)], "the same round is no second clean look");
    assert_eq!(go(3, false), [(MISSING, State::Resolved)]);
    assert_eq!(go(30, false), []);
}

#[test]
fn one_look_that_nobody_confirms_leaves_nothing() {
    let mut history = History::default();
    assert_eq!(round(&mut history, 0, vec![fault(MISSING, 0)], true), [(MISSING, State::Pending)]);
    assert_eq!(round(&mut history, 1, Vec::new(), true), []);
}

#[test]
fn a_blind_view_opens_and_closes_nothing() {
    let mut history = History::default();
    round(&mut history, 0, vec![fault(MISSING, 0)], true);
    assert_eq!(round(&mut history, 1, vec![fault(MISSING, 1)], false), [(MISSING, State::Pending)]);
    assert_eq!(round(&mut history, 2, vec![fault(MISSING, 2)], true), [(MISSING, State::Open)]);
    assert_eq!(round(&mut history, 3, Vec::new(), false), [(MISSING, State::Open)], "one dark round");
    assert_eq!(round(&mut history, 9, Vec::new(), false), [(MISSING, State::Stale)]);
    assert_eq!(round(&mut history, 10, vec![fault(MISSING, 10)], true), [(MISSING, State::Open)]);
    let first = history.tracks().map(|track| track.first_seen).collect::<Vec<_>>();
    assert_eq!(first, [at(0)]);
    let mut certain = fault(Kind::WrongTarget, 0);
    certain.certain = true;
    let mut new = History::default();
    assert_eq!(round(&mut new, 0, vec![certain], false), [], "nothing is decided on what was not read");
}

#[test]
fn the_age_belongs_to_name_and_kind_and_survives_a_short_absence() {
    let mut history = History::default();
    for (minute, faulty) in [(0, true), (1, true), (2, false), (3, false), (4, true), (5, true)] {
        let faults = if faulty { vec![fault(MISSING, minute)] } else { Vec::new() };
        round(&mut history, minute, faults, true);
    }
    let track = history.tracks().next().expect("a track");
    assert_eq!((track.state, track.first_seen), (State::Open, at(0)));
    // The kind changes: the story goes on, the age is that of the kind.
    let states = round(&mut history, 6, vec![fault(Kind::WrongTarget, 6)], true);
    assert_eq!(states, [(Kind::WrongTarget, State::Open)]);
    let ages: Vec<_> = history.tracks().map(|track| track.first_seen).collect();
    assert_eq!(ages, [at(6)]);
}

#[test]
fn only_an_open_finding_explains_and_it_hurts_as_much() {
    let stalled = || outer(Kind::ControllerStalled, 0);
    let mut history = History::default();
    round(&mut history, 0, vec![stalled(), fault(MISSING, 0)], true);
    let states = round(&mut history, 1, vec![stalled(), fault(MISSING, 1)], true);
    assert_eq!(states, [(MISSING, State::Explained), (Kind::ControllerStalled, State::Open)]);
    let outer = history.tracks().last().expect("a track");
    assert_eq!((outer.candidate.impact, outer.candidate.severity), (Impact::Down, Severity::Critical));
    // Once the cause is muted, the effect alerts itself.
    let mut muted = stalled();
    muted.muted = Some(Mute { by: "maintenance".to_owned(), reason: None, until: None });
    let states = round(&mut history, 2, vec![muted, fault(MISSING, 2)], true);
    assert_eq!(states, [(MISSING, State::Open), (Kind::ControllerStalled, State::Muted)]);
}

#[test]
fn a_chain_of_causes_ends_at_the_open_one() {
    let mut history = History::default();
    let mut no_address = outer(Kind::NoAddress, 0);
    no_address.key.subject = Subject::Object(crate::model::ObjectRef::new("Ingress", "shop", "web"));
    no_address.reason = Reason::Lost;
    let mut burst = outer(Kind::MassDeletion, 0);
    for candidate in [&mut no_address, &mut burst] {
        candidate.covers.insert("app.example.com".into());
    }
    for minute in [0, 1] {
        round(&mut history, minute, vec![no_address.clone(), burst.clone(), fault(MISSING, minute)], true);
    }
    for track in history.tracks().filter(|track| track.candidate.key.kind != Kind::MassDeletion) {
        assert_eq!(track.state, State::Explained, "{:?}", track.candidate.key);
        assert_eq!(track.explained_by.as_ref().map(|key| key.kind), Some(Kind::MassDeletion));
    }
}

#[test]
fn the_story_of_a_finding_is_kept_and_bounded() {
    let mut history = History::default();
    let told = |history: &History| {
        let track = history.tracks().next().expect("one track");
        track.steps().iter().map(|step| (step.at, step.state)).collect::<Vec<_>>()
    };
    round(&mut history, 0, vec![fault(MISSING, 0)], true);
    round(&mut history, 1, vec![fault(MISSING, 1)], true);
    round(&mut history, 2, vec![fault(MISSING, 2)], true);
    round(&mut history, 3, Vec::new(), true);
    round(&mut history, 4, Vec::new(), true);
    let healed = [(at(0), State::Pending), (at(1), State::Open), (at(4), State::Resolved)];
    assert_eq!(told(&history), healed, "a round without news is no step");
    round(&mut history, 5, vec![fault(MISSING, 5)], true);
    assert_eq!(told(&history).len(), 4, "what comes back goes on with its story");
    for minute in 6..200 {
        let mut candidate = fault(MISSING, minute);
        candidate.severity = if minute % 2 == 0 { Severity::Warning } else { Severity::Critical };
        round(&mut history, minute, vec![candidate], true);
    }
    let steps = told(&history);
    assert_eq!(steps.len(), MAX_STEPS);
    assert_eq!(steps.first(), Some(&(at(0), State::Pending)), "the beginning stays");
    assert_eq!(steps.last().map(|step| step.0), Some(at(199)));
}

/// The record was changed by somebody who may know more of the cluster than we have heard.
#[test]
fn a_record_that_is_ahead_of_the_cluster_opens_nothing_and_still_closes() {
    let mut history = History::default();
    let mut go = |minute, candidates: Vec<Candidate>, is_ahead: bool| {
        let zone = ZoneId::new("Z1");
        let ahead = (zone.clone(), "app.example.com".into());
        let coverage = Coverage {
            kubernetes: true,
            zones: BTreeMap::from([(zone, at(minute))]),
            route53: true,
            dns: true,
            ahead: if is_ahead { BTreeSet::from([ahead]) } else { BTreeSet::new() },
            ..Coverage::default()
        };
        let verdicts = Verdicts { candidates, coverage, ..Verdicts::default() };
        history.advance(&verdicts, &Policy::default(), at(minute));
        history.tracks().map(|track| (track.candidate.key.kind, track.state)).collect::<Vec<_>>()
    };
    assert_eq!(go(0, vec![fault(MISSING, 0)], true), []);
    assert_eq!(go(1, vec![fault(MISSING, 1)], true), []);
    assert_eq!(go(2, vec![fault(MISSING, 2)], false), [(MISSING, State::Pending)], "heard of");
    assert_eq!(go(3, vec![fault(MISSING, 3)], false), [(MISSING, State::Open)]);
    // It turns into something else while nobody hears: the story waits.
    assert_eq!(go(4, vec![fault(Kind::WrongTarget, 4)], true), [(MISSING, State::Open)]);
    assert_eq!(go(5, vec![fault(Kind::WrongTarget, 5)], true), [(MISSING, State::Open)]);
    // What is as wanted needs nobody's word.
    go(6, Vec::new(), true);
    assert_eq!(go(7, Vec::new(), true), [(MISSING, State::Resolved)]);
}

/// A server that says nothing does not say that all is well.
#[test]
fn what_nobody_said_anything_about_stays_as_it_was() {
    const LIE: Kind = Kind::ResolverMismatch;
    let mut history = History::default();
    let mut go = |minute, faulty: bool, heard: bool, blind: bool| {
        let mut lie = fault(LIE, minute);
        lie.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
        let coverage = Coverage {
            kubernetes: true,
            zones: BTreeMap::from([(ZoneId::new("Z1"), at(minute))]),
            route53: true,
            dns: true,
            unheard: if heard { BTreeSet::new() } else { BTreeSet::from([lie.key.clone()]) },
            blind: if blind { BTreeSet::from([ViewName::Dns]) } else { BTreeSet::new() },
            ..Coverage::default()
        };
        let candidates = if faulty { vec![lie] } else { Vec::new() };
        history.advance(
            &Verdicts { candidates, coverage, ..Verdicts::default() },
            &Policy::default(),
            at(minute),
        );
        history.tracks().map(|track| track.state).collect::<Vec<_>>()
    };
    go(0, true, true, false);
    assert_eq!(go(1, true, true, false), [State::Open]);
    assert_eq!(go(2, false, false, false), [State::Open]);
    assert_eq!(go(9, false, false, true), [State::Stale], "stated as blind");
    assert_eq!(go(10, true, true, false), [State::Open]);
    go(11, false, true, false);
    assert_eq!(go(12, false, true, false), [State::Resolved], "somebody said that all is well");
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_a_finding_from_closing() {
    let mut history = History::default();
    round(&mut history, 100, vec![fault(MISSING, 100)], true);
    assert_eq!(round(&mut history, 101, vec![fault(MISSING, 101)], true), [(MISSING, State::Open)]);
    round(&mut history, 102, Vec::new(), true);
    history.set_back(at(40));
    assert_eq!(round(&mut history, 40, Vec::new(), true), [(MISSING, State::Open)], "no second look yet");
    assert_eq!(round(&mut history, 41, Vec::new(), true), [(MISSING, State::Resolved)]);
}

/// A zone that is listed and cannot be read keeps its findings, also when it is the only one; those of a
/// zone that is gone go with it.
#[test]
fn a_zone_that_cannot_be_read_freezes_what_was_found_in_it() {
    let mut history = History::default();
    let mut go = |minute, is_listed: bool, is_read: bool| {
        let zone = ZoneId::new("Z1");
        let candidates = if is_read { vec![fault(MISSING, minute)] } else { Vec::new() };
        let coverage = Coverage {
            kubernetes: true,
            zones: is_read.then(|| (zone.clone(), at(minute))).into_iter().collect(),
            listed: is_listed.then_some(zone).into_iter().collect(),
            route53: true,
            ..Coverage::default()
        };
        let verdicts = Verdicts { candidates, coverage, ..Verdicts::default() };
        history.advance(&verdicts, &Policy::default(), at(minute));
        history.tracks().map(|track| track.state).collect::<Vec<_>>()
    };
    go(0, true, true);
    assert_eq!(go(1, true, true), [State::Open]);
    go(2, true, false);
    assert_eq!(go(3, true, false), [State::Open]);
    go(4, false, false);
    assert_eq!(go(5, false, false), [State::Resolved]);
}
