//! Hosts that come in time, late, never, or out of sight.

use super::*;
use crate::fixture;
use crate::model::observation::Vantage;
use crate::model::record::{Content, RecordSet, Value};
use crate::model::zone::{ZoneReading, Zones};
use crate::report::{FORMAT, Summary};
use crate::snapshot::{Cluster, Reading};

const TARGET: &str = "203.0.113.10";

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_795_000_000 + seconds, 0).expect("a time")
}

fn content() -> Content {
    Content::values(300, [Value::Ip(TARGET.parse().expect("an address"))])
}

fn want(name: &str, changed: i64) -> Want {
    Want { status_changed_at: Some(at(changed)), ..fixture::want(name, RecordType::A, TARGET) }
}

fn wants(wants: Vec<Want>) -> Arc<[InstanceWants]> {
    [fixture::wants(wants)].into()
}

/// A round in which these names have records, and these answer.
fn snapshot(seconds: i64, recorded: &[&str], answers: &[(&str, Outcome)]) -> Snapshot {
    let set = |name: &&str| RecordSet {
        name: DomainName::new(name),
        record_type: RecordType::A,
        set_identifier: None,
        routing: None,
        content: content(),
        health_check_id: None,
    };
    let sets = recorded.iter().map(set).collect();
    let reading =
        ZoneReading { read_at: Some(at(seconds)), ..fixture::zone_reading("Z1", "example.com", sets) };
    let zones = Zones { zones: BTreeMap::from([(ZoneId::new("Z1"), reading)]), ..Zones::default() };
    let observation = |(name, outcome): &(&str, Outcome)| Observation {
        at: at(seconds),
        respondent: fixture::respondent(Vantage::Authoritative, "ns-1.example.net", Some("Z1")),
        ..fixture::observation(Vantage::Authoritative, "ns-1.example.net", name, *outcome)
    };
    Snapshot {
        at: at(seconds),
        kubernetes: Reading::read(at(seconds), Cluster::default()),
        route53: Reading::read(at(seconds), zones),
        dns: Reading::read(at(seconds), answers.iter().map(observation).map(Arc::new).collect()),
        changes: Reading::off(),
    }
}

fn quiet(seconds: i64) -> Report {
    Report {
        format: FORMAT,
        at: at(seconds),
        views: BTreeMap::new(),
        summary: Summary::default(),
        findings: Vec::new(),
        silent: Vec::new(),
        mutes: Vec::new(),
        instances: Vec::new(),
        zones: Vec::new(),
    }
}

fn round(
    convergence: &mut Convergence,
    wanted: &Arc<[InstanceWants]>,
    snapshot: &Snapshot,
) -> Vec<(Stage, Option<i64>, bool)> {
    let arrivals = convergence.observe(wanted, snapshot, &quiet(0));
    arrivals.iter().map(|one| (one.stage, one.took.map(|took| took.as_secs()), one.decided)).collect()
}

const NEW: &str = "new.example.com";

#[test]
fn what_the_first_round_finds_is_not_timed() {
    let mut convergence = Convergence::default();
    let old = wants(vec![want("old.example.com", -90_000)]);
    assert_eq!(round(&mut convergence, &old, &snapshot(0, &[], &[])), vec![]);
    assert_eq!(round(&mut convergence, &old, &snapshot(60, &["old.example.com"], &[])), vec![]);
    assert_eq!(convergence.pending(Stage::Recorded), 0);
}

#[test]
fn a_new_host_comes_in_two_steps_from_its_address_on() {
    let mut convergence = Convergence::default();
    let (none, new) = (wants(Vec::new()), wants(vec![want(NEW, 50)]));
    round(&mut convergence, &none, &snapshot(0, &[], &[]));
    assert_eq!(round(&mut convergence, &new, &snapshot(60, &[], &[(NEW, Outcome::Nxdomain)])), vec![]);
    assert_eq!((convergence.pending(Stage::Recorded), convergence.pending(Stage::Live)), (1, 1));
    let recorded = round(&mut convergence, &new, &snapshot(120, &[NEW], &[(NEW, Outcome::Nxdomain)]));
    assert_eq!(recorded, vec![(Stage::Recorded, Some(70), true)]);
    let live = round(&mut convergence, &new, &snapshot(180, &[NEW], &[(NEW, Outcome::Answer)]));
    assert_eq!(live, vec![(Stage::Live, Some(130), true)]);
    assert_eq!((convergence.pending(Stage::Recorded), convergence.pending(Stage::Live)), (0, 0));
    assert_eq!(round(&mut convergence, &new, &snapshot(240, &[NEW], &[(NEW, Outcome::Answer)])), vec![]);
}

#[test]
fn who_is_late_is_counted_when_the_objective_has_passed_and_only_once() {
    let mut convergence = Convergence::default();
    let new = wants(vec![want(NEW, 50)]);
    round(&mut convergence, &wants(Vec::new()), &snapshot(0, &[], &[]));
    let denied = [(NEW, Outcome::Nxdomain)];
    assert_eq!(round(&mut convergence, &new, &snapshot(60, &[], &denied)), vec![]);
    assert_eq!(round(&mut convergence, &new, &snapshot(650, &[], &denied)), vec![], "exactly in time");
    let late = vec![(Stage::Recorded, None, true), (Stage::Live, None, true)];
    assert_eq!(round(&mut convergence, &new, &snapshot(651, &[], &denied)), late);
    assert_eq!(round(&mut convergence, &new, &snapshot(700, &[], &denied)), vec![]);
    // It comes at last: its time counts, its lateness was counted.
    let both = vec![(Stage::Recorded, Some(850), false), (Stage::Live, Some(850), false)];
    assert_eq!(round(&mut convergence, &new, &snapshot(900, &[NEW], &[(NEW, Outcome::Answer)])), both);
}

#[test]
fn what_cannot_be_seen_is_neither_in_time_nor_late() {
    let mut convergence = Convergence::default();
    let new = wants(vec![want(NEW, 50)]);
    round(&mut convergence, &wants(Vec::new()), &snapshot(0, &[], &[]));
    let mut blind = snapshot(60, &[], &[]);
    blind.route53 = Reading::unread(Vec::new());
    assert_eq!(round(&mut convergence, &new, &blind), vec![]);
    blind.at = at(5_000);
    assert_eq!(round(&mut convergence, &new, &blind), vec![]);
    // The record is there and nobody was asked: only the first step is known.
    let recorded = vec![(Stage::Recorded, Some(5_950), true)];
    assert_eq!(round(&mut convergence, &new, &snapshot(6_000, &[NEW], &[])), recorded);
    assert_eq!(convergence.pending(Stage::Live), 1);
    // A kind of objects that cannot be listed makes wishes vanish; they are not new afterwards.
    let mut partial = snapshot(6_060, &[NEW], &[]);
    partial.kubernetes.problems.push(crate::snapshot::Problem {
        scope: String::from("ingresses"),
        code: crate::finding::Reason::Forbidden,
        message: String::new(),
    });
    assert_eq!(round(&mut convergence, &wants(Vec::new()), &partial), vec![]);
    assert_eq!(convergence.pending(Stage::Live), 1);
    // Who is wanted no more is forgotten.
    assert_eq!(round(&mut convergence, &wants(Vec::new()), &snapshot(6_120, &[], &[])), vec![]);
    assert_eq!(convergence.pending(Stage::Live), 0);
}

#[test]
fn a_known_object_with_old_times_counts_from_the_round_before() {
    let mut convergence = Convergence::default();
    round(&mut convergence, &wants(Vec::new()), &snapshot(0, &[], &[]));
    // A filter was taken off an instance: the object is years old, the wish is new.
    let new = wants(vec![want(NEW, -900_000)]);
    let found = round(&mut convergence, &new, &snapshot(60, &[NEW], &[(NEW, Outcome::Answer)]));
    assert_eq!(found, vec![(Stage::Recorded, Some(60), true), (Stage::Live, Some(60), true)]);
}
