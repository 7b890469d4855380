use super::*;
use crate::changes::log::LogParser;
use crate::model::change::{AppliedBatch, AttemptedChange, RefusedBatch};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn log(pod: &str) -> FeedSource {
    FeedSource::Log { namespace: "dns".into(), pod: pod.into(), container: "edns".into() }
}

fn trail(id: &str) -> FeedSource {
    FeedSource::CloudTrail { event_id: id.into(), principal: "arn".into() }
}

fn refused() -> ChangeEventKind {
    ChangeEventKind::Refused(RefusedBatch::default())
}

fn event(time: &str, source: FeedSource, kind: ChangeEventKind) -> ChangeEvent {
    ChangeEvent { at: at(time), source, kind }
}

const NOW: &str = "2026-11-23T10:00:00Z";

#[test]
fn sorted_by_time_and_stream_and_each_trail_event_once() {
    let applied = || ChangeEventKind::Applied(AppliedBatch::default());
    let mut builder = FeedBuilder::default();
    builder.add(
        [
            event("2026-11-23T09:02:00Z", trail("2"), applied()),
            event("2026-11-23T09:01:00Z", log("b"), refused()),
            event("2026-11-23T09:01:00Z", log("b"), applied()),
            event("2026-11-23T09:01:00Z", log("a"), refused()),
            event("2026-11-23T09:02:00Z", trail("2"), applied()),
            event("2026-11-23T09:02:00Z", trail("1"), applied()),
        ],
        at(NOW),
    );
    let feed = builder.feed(at(NOW));
    let order: Vec<&FeedSource> = feed.events.iter().map(|event| &event.source).collect();
    assert_eq!(order, [&log("a"), &log("b"), &log("b"), &trail("1"), &trail("2")]);
    assert!(matches!(feed.events[1].kind, ChangeEventKind::Refused(_)), "order of arrival in one second");
    assert_eq!(feed.streams.len(), 3);
    assert_eq!(feed.streams[2].last_at, Some(at("2026-11-23T09:02:00Z")));
    assert_eq!(builder.counts().events, 5);
}

#[test]
fn successes_and_skips_are_thinned_out_and_refusals_are_not() {
    let mut builder = FeedBuilder::default();
    let skipped = || ChangeEventKind::Skipped {
        name: DomainName::new("a.example.com"),
        record_type: None,
        why: SkipReason::NoZone,
    };
    for minute in 10..20 {
        let time = format!("2026-11-23T09:{minute}:00Z");
        let kind = if minute == 15 { refused() } else { ChangeEventKind::RunSucceeded };
        builder.add(
            [
                event(&time, log("a"), kind),
                event(&time, log("b"), refused()),
                event(&time, log("a"), skipped()),
            ],
            at(NOW),
        );
    }
    let feed = builder.feed(at(NOW));
    let minutes = |wanted: fn(&ChangeEventKind) -> bool, pod: &str| -> Vec<String> {
        let events = feed.events.iter().filter(|event| wanted(&event.kind) && event.source == log(pod));
        events.map(|event| event.at.to_string().get(14..16).unwrap_or_default().to_owned()).collect()
    };
    let succeeded = |kind: &ChangeEventKind| matches!(kind, ChangeEventKind::RunSucceeded);
    assert_eq!(minutes(succeeded, "a"), ["10", "14", "16", "19"]);
    assert_eq!(minutes(|kind| matches!(kind, ChangeEventKind::Refused(_)), "b").len(), 10);
    assert_eq!(minutes(|kind| matches!(kind, ChangeEventKind::Skipped { .. }), "a"), ["19"]);
    let expected = 4 + 1 + 10 + 1;
    assert_eq!(builder.size(), (expected, builder.events.values().map(ChangeEvent::rough_bytes).sum()));
}

#[test]
fn old_events_go_and_future_ones_are_not_believed() {
    let mut builder = FeedBuilder::default();
    builder.add(
        [
            event("2026-11-23T03:59:59Z", log("a"), refused()),
            event("2026-11-23T04:00:01Z", log("a"), refused()),
            event("2036-01-01T00:00:00Z", log("a"), refused()),
        ],
        at(NOW),
    );
    let feed = builder.feed(at(NOW));
    assert_eq!(
        feed.events.iter().map(|event| event.at).collect::<Vec<_>>(),
        [at("2026-11-23T04:00:01Z"), at(NOW)]
    );
    assert_eq!(builder.counts().dropped_events, 1);
    assert!(builder.feed(at("2026-11-23T16:00:01Z")).events.is_empty());
    assert_eq!(builder.size(), (0, 0));
}

#[test]
fn streams_and_line_counts() {
    let mut builder = FeedBuilder::default();
    let mut follow = |lines: u64, oversize: u64| {
        let counts = LineCounts { lines, oversize, dropped_changes: 0 };
        builder.follow(&FeedStream { source: log("a"), last_at: None, read_at: None }, counts, at(NOW));
        builder.drop_lines(1);
        (builder.counts().lines, builder.counts().oversize_lines, builder.counts().dropped_lines)
    };
    assert_eq!(follow(10, 1), (10, 1, 1));
    assert_eq!(follow(12, 1), (12, 1, 2));
    assert_eq!(follow(3, 0), (15, 2 - 1, 3), "a parser that began again");
    assert_eq!(builder.feed(at(NOW)).streams.len(), 1);
    builder.follow_only(&BTreeSet::new());
    assert!(builder.feed(at(NOW)).streams.is_empty());
}

/// After a restart the log is read from the middle of a batch on: what is known of it stays.
#[test]
fn what_was_known_before_a_restart_is_not_told_twice() {
    let zone = |id: &str| {
        let zone_id = Some(crate::model::ZoneId::new(id));
        ChangeEventKind::Refused(RefusedBatch { zone_id, ..RefusedBatch::default() })
    };
    let told =
        |minute: u32, kind: ChangeEventKind| event(&format!("2026-11-23T09:{minute}:00Z"), log("a"), kind);
    let mut before = FeedBuilder::default();
    before.add([told(10, zone("Z1")), told(10, zone("Z2"))], at(NOW));
    before.add((11..15).map(|minute| told(minute, ChangeEventKind::RunSucceeded)), at(NOW));
    before.add([event("2026-11-23T09:12:00Z", trail("1"), refused())], at(NOW));
    let known = before.feed(at(NOW));

    let mut after = FeedBuilder::default();
    assert!(after.is_empty());
    after.restore(&known, at(NOW));
    assert_eq!(after.feed(at(NOW)), known);
    assert_eq!((after.counts().events, after.is_empty()), (0, false), "known is not counted anew");
    after.add([told(10, refused()), told(10, refused())], at(NOW));
    after.add((11..15).map(|minute| told(minute, ChangeEventKind::RunSucceeded)), at(NOW));
    after.add([event("2026-11-23T09:12:00Z", trail("1"), refused())], at(NOW));
    assert_eq!(after.feed(at(NOW)).events, known.events);
    after.add([told(10, refused()), told(20, refused())], at(NOW));
    assert_eq!(after.feed(at(NOW)).events.len(), known.events.len() + 2, "the third of a moment is news");
    assert_eq!(after.size().1, after.events.values().map(ChangeEvent::rough_bytes).sum::<usize>());

    let mut late = FeedBuilder::default();
    late.restore(&known, at("2026-11-23T15:11:00Z"));
    let feed = late.feed(at("2026-11-23T15:11:00Z"));
    assert_eq!(feed.events.len(), 3, "what is old is not taken: {feed:?}");
    assert_eq!(feed.streams, known.streams, "since when a log is silent stays known");
}

/// 100,000 lines of a zone that fails again and again, with a few huge batches among them.
#[test]
fn a_storm_stays_bounded() {
    let mut builder = FeedBuilder::default();
    let mut parser = LogParser::new(log("a"), at(NOW));
    let start = at("2026-11-23T04:00:10Z");
    for run in 0..20_000_i64 {
        let time = start.saturating_add(SignedDuration::from_secs(run)).unwrap();
        let batch = if run % 1_000 == 0 { 1_000 } else { 3 };
        let mut push = |level: &str, text: &str| {
            let events = parser.push(&format!("time=\"{time}\" level={level} msg=\"{text}\""));
            builder.add(events, at(NOW));
        };
        for index in 0..batch {
            push("info", &format!("Desired change: CREATE n{index}.example.com A [Id: /hostedzone/Z1]"));
        }
        push(
            "error",
            "Failure in zone example.com. [Id: /hostedzone/Z1] when submitting change batch: InvalidChangeBatch: [Tried to create an alias that targets 203.0.113.1., type A in zone Z1, but that target was not found]",
        );
        push("error", "failed to submit all changes for the following zones: [/hostedzone/Z1]");
    }
    let (events, bytes) = builder.size();
    assert_eq!(events, MAX_CHANGE_EVENTS);
    assert!(bytes <= MAX_CHANGE_FEED_BYTES);
    assert_eq!(builder.counts().events, 40_000);
    assert_eq!(builder.counts().dropped_events, 20_000);
    assert!(parser.counts().lines > 100_000);
}

#[test]
fn huge_batches_push_out_the_oldest() {
    let mut builder = FeedBuilder::default();
    let change = AttemptedChange {
        action: crate::model::change::Action::Create,
        name: DomainName::new("a.example.com"),
        record_type: RecordType::A,
        set_identifier: None,
        targets: vec!["x".repeat(1_000).into()],
        alias: None,
    };
    for minute in 0..60 {
        let batch = RefusedBatch { attempted: vec![change.clone(); 4_000], ..RefusedBatch::default() };
        builder.add(
            [event(&format!("2026-11-23T09:{minute:02}:00Z"), log("a"), ChangeEventKind::Refused(batch))],
            at(NOW),
        );
    }
    let (events, bytes) = builder.size();
    assert!(5 < events && events < 60 && bytes <= MAX_CHANGE_FEED_BYTES, "{events} {bytes}");
    assert_eq!(builder.feed(at(NOW)).events.last().unwrap().at, at("2026-11-23T09:59:00Z"));
}

/// A storm in one log must not push out what CloudTrail told hours ago.
#[test]
fn a_storm_of_one_stream_leaves_the_others_alone() {
    let mut builder = FeedBuilder::default();
    let applied = || ChangeEventKind::Applied(AppliedBatch::default());
    builder.add([event("2026-11-23T05:00:00Z", trail("1"), applied())], at(NOW));
    let start = at("2026-11-23T09:00:00Z");
    for number in 0..i64::try_from(MAX_CHANGE_EVENTS).unwrap() + 100 {
        let time = start.saturating_add(SignedDuration::from_millis(number)).unwrap().to_string();
        builder.add([event(&time, log("a"), refused())], at(NOW));
    }
    let feed = builder.feed(at(NOW));
    assert_eq!(feed.events.len(), MAX_CHANGE_EVENTS);
    assert_eq!(feed.events[0].source, trail("1"));
    assert_eq!(builder.counts().dropped_events, 101);
}

#[test]
fn growing_errors_of_a_controller() {
    let metrics = |time: &str, errors: Option<u64>| ControllerMetrics {
        namespace: "dns".into(),
        pod: "a".into(),
        at: at(time),
        last_sync: None,
        last_reconcile: None,
        soft_errors: None,
        registry_errors: errors,
        source_errors: None,
        errors_grew_at: None,
        owner_mismatches: None,
        version: None,
        started_at: None,
    };
    let mut builder = FeedBuilder::default();
    let mut grew = |minute: u8, errors: Option<u64>| {
        builder.scraped(metrics(&format!("2026-11-23T09:{minute:02}:00Z"), errors));
        builder.feed(at(NOW)).controllers[0].errors_grew_at.map(|at| at.to_string())
    };
    let shown = |minute: u8| Some(format!("2026-11-23T09:{minute:02}:00Z"));
    assert_eq!(grew(0, Some(5)), None, "the first reading tells nothing about growth");
    assert_eq!(grew(1, Some(5)), None);
    assert_eq!(grew(2, Some(6)), shown(2));
    assert_eq!(grew(3, Some(6)), shown(2));
    assert_eq!(grew(4, Some(0)), shown(2), "another process, no error yet");
    assert_eq!(grew(5, Some(1)), shown(5));
    assert_eq!(grew(6, None), shown(5));
}
