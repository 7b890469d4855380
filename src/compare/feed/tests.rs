use super::*;
use crate::fixture;
use crate::model::by_name::ByName;
use crate::model::change::{Action, ChangeFeed};
use crate::past::Past;
use crate::policy::Policy;
use crate::snapshot::{Reading, Snapshot};

const TARGET: &str = "203.0.113.10";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).expect("in range")
}

fn want(name: &str) -> Want {
    Want { demanded_alias: true, ..fixture::want(name, RecordType::A, TARGET) }
}

fn wants(names: &str) -> InstanceWants {
    fixture::wants(names.split_whitespace().map(want).collect())
}

/// A refused batch of these names; the sentence tells the target only.
fn batch(names: &str, request_id: &str) -> RefusedBatch {
    let attempted = names.split_whitespace().map(|name| AttemptedChange {
        action: Action::Create,
        name: DomainName::new(name),
        record_type: RecordType::A,
        set_identifier: None,
        targets: Vec::new(),
        alias: None,
    });
    let error = RefusalError {
        reason: Reason::AliasTargetNotInZone,
        name: None,
        fragment: None,
        record_type: Some(RecordType::A),
        set_identifier: None,
        target: Some(TARGET.into()),
        message: "Tried to create an alias".into(),
    };
    RefusedBatch {
        zone_id: Some(ZoneId::new("Z1")),
        attempted: attempted.collect(),
        errors: vec![error],
        request_id: Some(request_id.into()),
        ..RefusedBatch::default()
    }
}

fn in_log(second: i64, batch: RefusedBatch) -> ChangeEvent {
    let source = FeedSource::Log { namespace: "dns".into(), pod: "edns-1".into(), container: "edns".into() };
    ChangeEvent { at: at(second), source, kind: ChangeEventKind::Refused(batch) }
}

fn in_trail(second: i64, mut batch: RefusedBatch, bad: &str) -> ChangeEvent {
    for change in &mut batch.attempted {
        let is_bad = change.name.as_str() == bad;
        change.alias = Some(is_bad);
        change.targets = vec![if is_bad { TARGET } else { "192.0.2.1" }.into()];
    }
    let id: &str = batch.request_id.as_deref().unwrap_or_default();
    let source = FeedSource::CloudTrail { event_id: format!("e-{id}").into(), principal: "arn".into() };
    ChangeEvent { at: at(second), source, kind: ChangeEventKind::Refused(batch) }
}

fn alone(batch: RefusedBatch) -> RefusedBatch {
    RefusedBatch { alone: true, ..batch }
}

fn unread() -> Snapshot {
    Snapshot {
        at: at(1_000),
        kubernetes: Reading::off(),
        route53: Reading::off(),
        dns: Reading::off(),
        changes: Reading::off(),
    }
}

/// Name, reason, how often, one of how many.
fn judged(names: &str, events: Vec<ChangeEvent>) -> Vec<(String, Reason, usize, usize)> {
    let feed = ChangeFeed { events, ..ChangeFeed::default() };
    let snapshot = Snapshot { changes: Reading::read(at(1_000), feed), ..unread() };
    let all = [wants(names)];
    let (past, policy) = (Past::default(), Policy::default());
    let world = World::new(&snapshot, &all, &past, &policy);
    let found = refusals(&world, &all[0]);
    found
        .iter()
        .map(|(key, _, refusal)| (key.name.to_string(), refusal.reason, refusal.count, refusal.one_of))
        .collect()
}

fn culprit(name: &str, count: usize, one_of: usize) -> (String, Reason, usize, usize) {
    (name.to_owned(), Reason::AliasTargetNotInZone, count, one_of)
}

fn victim(name: &str, count: usize) -> (String, Reason, usize, usize) {
    (name.to_owned(), Reason::BatchVictim, count, 1)
}

#[test]
fn a_call_that_log_and_trail_tell_counts_once() {
    let events = vec![
        in_log(1, batch("a.example.com b.example.com", "r1")),
        in_trail(0, batch("a.example.com b.example.com", "r1"), "a.example.com"),
        in_log(61, batch("a.example.com b.example.com", "r2")),
    ];
    let expected = [culprit("a.example.com", 2, 1), victim("b.example.com", 2)];
    assert_eq!(judged("a.example.com b.example.com", events), expected);
}

#[test]
fn an_id_that_one_source_repeats_is_no_repetition() {
    let events = vec![in_log(0, batch("a.example.com", "r1")), in_log(60, batch("a.example.com", "r1"))];
    assert_eq!(judged("a.example.com", events), [culprit("a.example.com", 2, 1)]);
}

#[test]
fn groups_of_a_batch_do_not_count_again() {
    let both = "a.example.com b.example.com";
    let by_log = vec![
        in_log(0, batch(both, "r1")),
        in_log(2, alone(batch(both, "r2"))),
        in_log(90, batch(both, "r3")),
        in_log(92, alone(batch("a.example.com", "r4"))),
    ];
    assert_eq!(judged(both, by_log), [culprit("a.example.com", 2, 1), victim("b.example.com", 2)]);
    let slowly = (0..5).map(|group| in_log(50 * group, alone(batch("a.example.com", &format!("s{group}")))));
    let slowly = std::iter::once(in_log(0, batch(both, "s"))).chain(slowly).collect();
    assert_eq!(judged(both, slowly), [culprit("a.example.com", 1, 1), victim("b.example.com", 1)]);
    let by_trail = vec![
        in_trail(0, batch(both, "r1"), "a.example.com"),
        in_trail(2, batch("a.example.com", "r2"), "a.example.com"),
        in_trail(90, batch(both, "r3"), "a.example.com"),
        in_trail(92, batch("a.example.com", "r4"), "a.example.com"),
    ];
    assert_eq!(judged(both, by_trail), [culprit("a.example.com", 2, 1), victim("b.example.com", 2)]);
}

#[test]
fn who_stands_in_every_batch_is_to_blame() {
    let all = "a.example.com b.example.com c.example.com";
    let first = in_log(0, batch("a.example.com b.example.com", "r1"));
    let doubtful = [culprit("a.example.com", 1, 2), culprit("b.example.com", 1, 2)];
    assert_eq!(judged(all, vec![first.clone()]), doubtful);
    let second = in_log(90, batch("b.example.com c.example.com", "r2"));
    let certain = [victim("a.example.com", 1), culprit("b.example.com", 2, 1), victim("c.example.com", 1)];
    assert_eq!(judged(all, vec![first, second]), certain);
}

#[test]
fn a_plain_record_is_not_refused_for_its_alias_target() {
    let both = "a.example.com b.example.com";
    let mut mixed = wants(both);
    let mut all = mixed.wants.to_vec();
    all[1].demanded_alias = false;
    mixed.wants = ByName::new(all);
    let one = batch(both, "r1");
    let attempted = attempted_records(&one, &mixed);
    let (snapshot, past, policy) = (unread(), Past::default(), Policy::default());
    let world = World::new(&snapshot, &[], &past, &policy);
    let wished = Wished { world: &world, wants: &mixed, by_target: OnceCell::new() };
    let hit = records_of(&one.errors[0], &one, &attempted, &wished);
    assert_eq!(hit.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["a.example.com"]);
}

#[test]
fn a_victim_knows_all_whose_fault_it_is() {
    let names = "a.example.com b.example.com c.example.com d.example.com";
    let named = |name: &str| RefusalError {
        reason: Reason::CnameConflict,
        name: Some(DomainName::new(name)),
        target: None,
        ..batch(name, "r1").errors.remove(0)
    };
    let whole = RefusedBatch {
        errors: vec![named("a.example.com"), named("b.example.com"), named("b.example.com")],
        ..batch(names, "r1")
    };
    let feed = ChangeFeed { events: vec![in_log(1, whole)], ..ChangeFeed::default() };
    let snapshot = Snapshot { changes: Reading::read(at(1_000), feed), ..unread() };
    let all = [wants(names)];
    let (past, policy) = (Past::default(), Policy::default());
    let world = World::new(&snapshot, &all, &past, &policy);
    let found = refusals(&world, &all[0]);
    let told: Vec<_> =
        found.iter().map(|(_, _, one)| (one.culprit.clone(), one.accomplices.clone())).collect();
    let (a, b) = (DomainName::new("a.example.com"), DomainName::new("b.example.com"));
    let victim = (Some(a), vec![b]);
    assert_eq!(told, [(None, Vec::new()), (None, Vec::new()), victim.clone(), victim]);
}
