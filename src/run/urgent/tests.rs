use std::path::Path;

use super::*;
use crate::fixture;
use crate::model::change::{Action, AttemptedChange, ChangeEvent, FeedSource};
use crate::model::want::Want;
use crate::model::zone::ZoneReading;
use crate::recorded::decode::RawHostedZone;
use crate::replay::replay;

const ZONE: &str = "Z1";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn want(name: &str, address: &str) -> Want {
    fixture::want(name, RecordType::A, address)
}

fn wants(all: Vec<Want>) -> Arc<[InstanceWants]> {
    [fixture::wants(all)].into()
}

fn zones() -> Zones {
    let raw = RawHostedZone { id: ZONE.to_owned(), name: "example.com.".to_owned(), ..Default::default() };
    let zone = raw.decode().expect("a zone");
    let reading = ZoneReading {
        zone,
        record_sets: None,
        read_at: None,
        names_read: BTreeMap::new(),
        list_failed: false,
        above: None,
    };
    Zones { zones: [(ZoneId::new(ZONE), reading)].into(), changes: Vec::new(), ..Zones::default() }
}

/// The end of a recording in which `realtime.example.com` is refused again and again.
fn report() -> Report {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/D001");
    replay(&dir).expect("a recording")
}

fn quiet() -> Report {
    Report { findings: Vec::new(), ..report() }
}

fn shown(names: &[UrgentName]) -> Vec<String> {
    let one = |group: &UrgentName| {
        let names: Vec<&str> = group.names.iter().map(DomainName::as_str).collect();
        format!("{} since {}", names.join(" "), group.newer_than.as_second())
    };
    names.iter().map(one).collect()
}

fn consider(
    names: &mut UrgentNames,
    wants: &Arc<[InstanceWants]>,
    changes: Option<&ChangeFeed>,
    report: &Report,
    second: i64,
) -> Vec<String> {
    let zones = zones();
    shown(&names.consider(UrgentInput {
        wants,
        changes,
        report,
        zones: &zones,
        waited: &Waited::default(),
        at: at(second),
    }))
}

#[test]
fn a_changed_wish_is_read_once_with_its_ownership_records() {
    let (mut names, calm) = (UrgentNames::default(), quiet());
    let before = wants(vec![want("a.example.com", "203.0.113.1"), want("b.example.com", "203.0.113.2")]);
    let after = wants(vec![want("a.example.com", "203.0.113.9"), want("c.example.com", "203.0.113.3")]);
    assert!(consider(&mut names, &before, None, &calm, 0).is_empty(), "the first round was just listed");
    assert!(consider(&mut names, &before, None, &calm, 10).is_empty());
    let news = consider(&mut names, &after, None, &calm, 20);
    assert_eq!(news.len(), 3, "changed, gone and new: {news:?}");
    assert_eq!(news[0], "a-a.example.com a.example.com cname-a.example.com since 20");
    assert_eq!(consider(&mut names, &after, None, &calm, 40).len(), 3, "the time stays, so one reading does");
    assert!(consider(&mut names, &after, None, &calm, 80).is_empty(), "no longer news");
}

#[test]
fn a_refusal_is_read_when_it_is_new() {
    let (mut names, calm, wants) = (UrgentNames::default(), quiet(), wants(Vec::new()));
    let mut feed = ChangeFeed::default();
    assert!(consider(&mut names, &wants, Some(&feed), &calm, 0).is_empty());
    let attempted = |name: &str| AttemptedChange {
        action: Action::Create,
        name: DomainName::new(name),
        record_type: RecordType::A,
        set_identifier: None,
        targets: Vec::new(),
        alias: None,
    };
    let names_of_batch = vec![attempted("a.example.com"), attempted("a.example.net")];
    let batch = RefusedBatch { attempted: names_of_batch, ..RefusedBatch::default() };
    feed.events.push(ChangeEvent {
        at: at(5),
        source: FeedSource::CloudTrail { event_id: "1".into(), principal: "".into() },
        kind: ChangeEventKind::Refused(batch),
    });
    let first = consider(&mut names, &wants, Some(&feed), &calm, 10);
    assert_eq!(first.len(), 1, "only the name that a zone can hold: {first:?}");
    assert!(first[0].ends_with("since 10"), "{first:?}");
    assert!(consider(&mut names, &wants, Some(&feed), &calm, 75).is_empty(), "the same event is old news");
}

#[test]
fn names_in_trouble_are_read_again_and_again() {
    let (mut names, trouble, wants) = (UrgentNames::default(), report(), wants(Vec::new()));
    let since = |rows: &[String]| {
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(rows[0].starts_with("realtime.example.com"), "{rows:?}");
        rows[0].rsplit(' ').next().map(str::to_owned)
    };
    for (second, expected) in [(0, "0"), (30, "0"), (60, "60"), (90, "60"), (120, "120")] {
        let rows = consider(&mut names, &wants, None, &trouble, second);
        assert_eq!(since(&rows).as_deref(), Some(expected), "at {second}");
    }
    assert!(consider(&mut names, &wants, None, &quiet(), 200).is_empty(), "settled");
}
