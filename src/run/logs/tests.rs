use jiff::SignedDuration;

use super::*;
use crate::clock::ManualClock;
use crate::limits::MAX_LINES_A_MINUTE;
use crate::model::change::ChangeEventKind;

const STORM: u64 = 100_000;

fn line(text: &str) -> LogLine {
    let target = LogTarget {
        namespace: "dns".into(),
        pod: "edns-1".into(),
        uid: "u".into(),
        container: "edns".into(),
        restarts: 0,
    };
    LogLine { target, at: None, text: text.to_owned() }
}

fn desired(name: &str) -> LogLine {
    line(&format!(
        "time=\"2026-11-23T10:00:00Z\" level=info msg=\"Desired change: CREATE {name}.example.com A [Id: /hostedzone/Z1]\""
    ))
}

fn updated() -> LogLine {
    line(
        "time=\"2026-11-23T10:01:30Z\" level=info msg=\"1 record(s) in zone example.com. [Id: /hostedzone/Z1] were successfully updated\"",
    )
}

#[test]
fn a_storm_is_counted_and_what_follows_is_not_mixed_with_what_came_before() {
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().expect("a time"));
    let mut streams = Streams::default();
    streams.push(&desired("before"), &clock);
    for _ in 1..STORM {
        streams.push(&line("time=\"2026-11-23T10:00:01Z\" level=info msg=noise"), &clock);
    }
    let dropped = STORM - u64::from(MAX_LINES_A_MINUTE);
    assert_eq!(streams.builder.counts().dropped_lines, dropped);
    assert_eq!(streams.builder.size().0, 0);

    clock.advance(SignedDuration::from_secs(61));
    streams.push(&updated(), &clock);
    assert_eq!(streams.builder.counts().dropped_lines, dropped, "a new minute");
    let feed = streams.builder.feed(clock.now());
    let kinds: Vec<&ChangeEventKind> = feed.events.iter().map(|event| &event.kind).collect();
    let [ChangeEventKind::Applied(batch)] = kinds.as_slice() else { panic!("{kinds:?}") };
    assert_eq!(batch.changes, [], "the batch of before is not what went through");
}

#[test]
fn another_stream_has_a_budget_of_its_own() {
    let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().expect("a time"));
    let mut streams = Streams::default();
    for _ in 0..=MAX_LINES_A_MINUTE {
        streams.push(&line("noise"), &clock);
    }
    let mut other = desired("other");
    other.target.pod = "edns-2".into();
    streams.push(&other, &clock);
    assert_eq!(streams.builder.counts().dropped_lines, 1);
}
