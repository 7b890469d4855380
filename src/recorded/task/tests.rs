//! The reader against an HTTP server that answers as the test says.

use std::collections::VecDeque;
use std::sync::Mutex;

use aws_sdk_route53::config::Credentials;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use jiff::Timestamp;

use super::*;
use crate::clock::ManualClock;
use crate::finding::Reason;
use crate::model::DomainName;
use crate::recorded::budget::{Budget, Pace};
use crate::recorded::route53::Route53Settings;

/// Answers in order for each operation; the last one is repeated.
#[derive(Default)]
struct Script {
    zones: VecDeque<(u16, String)>,
    records: VecDeque<(u16, String)>,
    zone: VecDeque<(u16, String)>,
    extras: VecDeque<(u16, String)>,
    requests: Vec<String>,
}

type Shared = Arc<Mutex<Script>>;

async fn answer(State(script): State<Shared>, request: Request) -> impl IntoResponse {
    let mut script = script.lock().expect("lock");
    let path = request.uri().path().to_owned();
    script.requests.push(request.uri().to_string());
    let extra = ["/dnssec", "hostedzonelimit", "/tags/"].iter().any(|part| path.contains(part));
    let queue = if path.ends_with("/rrset") {
        &mut script.records
    } else if extra {
        &mut script.extras
    } else if path.ends_with("/hostedzone") {
        &mut script.zones
    } else {
        &mut script.zone
    };
    let (status, body) = if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() }
        .unwrap_or((404, String::new()));
    (StatusCode::from_u16(status).expect("status"), [("content-type", "text/xml")], body)
}

struct Stub {
    script: Shared,
    settings: Route53Settings,
    _server: tokio::task::JoinSet<()>,
}

impl Stub {
    async fn start() -> Self {
        let script = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.expect("serves") });
        let settings = Route53Settings {
            endpoint_url: Some(url),
            credentials: Some(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test")),
            interval: Duration::from_millis(10),
            ..Route53Settings::default()
        };
        let stub = Self { script, settings, _server: server };
        stub.set(|script| {
            script.zones = one(&zone_list(&["Z1"], 3));
            script.zone = one(&zone_body("Z1", 3));
            script.extras = [error(403, "AccessDenied", "not authorized to perform")].into();
        });
        stub
    }

    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("lock"));
    }

    fn asked(&self, part: &str) -> usize {
        self.script.lock().expect("lock").requests.iter().filter(|uri| uri.contains(part)).count()
    }

    /// A client whose pauses are over at once.
    async fn client(&self) -> Client {
        let quick = Duration::from_millis(1);
        let pace = Pace {
            rate: 100_000.0,
            burst: 1_000.0,
            back_off: quick,
            back_off_cap: quick,
            recover_every: quick,
            retry_after: quick,
        };
        Client::with(&self.settings, &self.settings.default_account(), Arc::new(Budget::with(pace))).await
    }

    async fn reader(&self) -> Reader {
        let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
        Reader::new(self.client().await, ZoneFilter::default(), Arc::new(clock))
    }
}

fn one(body: &str) -> VecDeque<(u16, String)> {
    [(200, body.to_owned())].into()
}

fn error(status: u16, code: &str, message: &str) -> (u16, String) {
    (
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        ),
    )
}

fn zone_xml(id: &str, count: usize) -> String {
    format!(
        "<HostedZone><Id>/hostedzone/{id}</Id><Name>example.com.</Name><CallerReference>x</CallerReference><Config><PrivateZone>false</PrivateZone></Config><ResourceRecordSetCount>{count}</ResourceRecordSetCount></HostedZone>"
    )
}

fn zone_list(ids: &[&str], count: usize) -> String {
    let zones: String = ids.iter().map(|id| zone_xml(id, count)).collect();
    format!(
        "<ListHostedZonesResponse><HostedZones>{zones}</HostedZones><Marker></Marker><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>"
    )
}

fn zone_body(id: &str, count: usize) -> String {
    let servers =
        ["1", "2", "3", "4"].map(|n| format!("<NameServer>ns-{n}.awsdns.example</NameServer>")).concat();
    format!(
        "<GetHostedZoneResponse>{}<DelegationSet><NameServers>{servers}</NameServers></DelegationSet></GetHostedZoneResponse>",
        zone_xml(id, count)
    )
}

fn record(name: &str) -> String {
    format!(
        "<ResourceRecordSet><Name>{name}</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
    )
}

fn page(names: &[&str], next: Option<&str>) -> String {
    let rows: String = names.iter().map(|name| record(name)).collect();
    let tail = next.map_or_else(
        || "<IsTruncated>false</IsTruncated>".to_owned(),
        |name| {
            format!("<IsTruncated>true</IsTruncated><NextRecordName>{name}</NextRecordName><NextRecordType>A</NextRecordType>")
        },
    );
    format!(
        "<ListResourceRecordSetsResponse><ResourceRecordSets>{rows}</ResourceRecordSets>{tail}<MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
    )
}

fn three() -> String {
    page(&["a.example.com.", "b.example.com.", "\\052.example.com."], None)
}

/// The text in the middle of the second row: everything before it is well-formed.
fn cut(body: &str) -> String {
    let at = body.rfind("<Type>A</Type>").expect("a row");
    body.get(..at).expect("a border").to_owned()
}

const ZONE: &str = "Z1";

async fn walked(stub: &Stub, expected: u64) -> Result<walk::Walk, ReadError> {
    walk::record_sets(&stub.client().await, &ZoneId::new(ZONE), Some(expected)).await
}

#[tokio::test]
async fn pages_follow_the_cursor_and_repeated_rows_count_once() {
    let stub = Stub::start().await;
    stub.set(|script| {
        script.records = [
            (200, page(&["a.example.com.", "\\052.example.com."], Some("\\052.example.com."))),
            (200, page(&["\\052.example.com.", "b.example.com."], None)),
        ]
        .into();
    });
    let walk = walked(&stub, 3).await.expect("whole");
    let names: Vec<&str> = walk.record_sets.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["*.example.com", "a.example.com", "b.example.com"]);
    assert_eq!(walk.duplicate_rows, 1);
    assert_eq!(stub.settings.stats.duplicate_rows(), 1);
    assert_eq!(stub.asked("name=%5C052.example.com.&type=A"), 1, "the cursor is sent back unchanged");
}

#[tokio::test]
async fn a_rejected_page_is_asked_for_twice_more_and_never_published() {
    let bad = [
        ("no MaxItems", cut(&three())),
        ("no NextRecordName", page(&["a.example.com."], Some(""))),
        ("without a type", three().replacen("<Type>A</Type>", "", 1)),
        ("without a name", three().replacen("<Name>a.example.com.</Name>", "<Name></Name>", 1)),
        (
            "neither values",
            three().replacen("<ResourceRecord><Value>192.0.2.1</Value></ResourceRecord>", "", 1),
        ),
        (
            "without a target",
            three().replacen(
                "<TTL>60</TTL>",
                "<AliasTarget><HostedZoneId>Z9</HostedZoneId></AliasTarget>",
                1,
            ),
        ),
    ];
    for (reason, body) in bad {
        let stub = Stub::start().await;
        stub.set(|script| script.records = one(&body));
        let error = walked(&stub, 3).await.expect_err(reason);
        assert!(error.to_string().contains(reason), "{error} / {reason}");
        assert_eq!(error.code(), Reason::Parse);
        assert_eq!(stub.asked("rrset"), 3, "{reason}");
        stub.set(|script| script.records = [(200, body), (200, three())].into());
        assert_eq!(walked(&stub, 3).await.expect("good at the second try").record_sets.len(), 3, "{reason}");
    }
}

#[tokio::test]
async fn a_cursor_that_stands_still_or_never_ends_is_given_up() {
    let stub = Stub::start().await;
    stub.set(|script| script.records = one(&page(&["a.example.com."], Some("b.example.com."))));
    let error = walked(&stub, 3).await.expect_err("stands still");
    assert!(error.to_string().contains("does not move on"), "{error}");
    let there = (200, page(&["a.example.com."], Some("b.example.com.")));
    let back = (200, page(&["b.example.com."], Some("a.example.com.")));
    stub.set(|script| {
        script.requests.clear();
        script.records = std::iter::repeat_n([there, back], 50).flatten().collect();
    });
    let error = walked(&stub, 3).await.expect_err("in circles");
    assert!(error.to_string().contains("does not end"), "{error}");
    assert_eq!(stub.asked("rrset"), 20);
}

#[tokio::test]
async fn missing_rows_make_a_listing_incomplete_unless_the_zone_really_shrank() {
    let stub = Stub::start().await;
    stub.set(|script| {
        script.records = one(&three());
        script.zone = one(&zone_body(ZONE, 400));
    });
    assert_eq!(
        walked(&stub, 400).await,
        Err(ReadError::Incomplete { zone: ZoneId::new(ZONE), listed: 3, expected: 400 })
    );
    assert!(walked(&stub, 8).await.is_ok(), "five may be missing because of a race");
    stub.set(|script| script.zone = one(&zone_body(ZONE, 3)));
    assert!(walked(&stub, 400).await.is_ok(), "deleted during the walk, and the count agrees");
    stub.set(|script| script.records = one(&page(&[], None)));
    let error = walked(&stub, 0).await.expect_err("a zone has NS and SOA");
    assert_eq!(error.code(), Reason::EmptySuspicious);
}

#[tokio::test]
async fn failures_keep_the_last_good_view() {
    let denied = error(
        403,
        "AccessDenied",
        "User: arn:x is not authorized to perform: route53:ListResourceRecordSets",
    );
    let rows = [
        (denied, Reason::Forbidden, "Z1", ViewState::Stale, 1, "route53:ListResourceRecordSets"),
        (
            error(400, "Throttling", "Rate exceeded"),
            Reason::Throttled,
            "all",
            ViewState::Stale,
            4,
            "Rate exceeded",
        ),
        (error(500, "InternalFailure", "oops"), Reason::Unreachable, "Z1", ViewState::Stale, 3, "oops"),
        ((503, "<html>busy".to_owned()), Reason::Unreachable, "Z1", ViewState::Stale, 3, "HTTP 503"),
        ((200, String::new()), Reason::Parse, "Z1", ViewState::Stale, 3, "HTTP 200"),
        ((200, page(&[], None)), Reason::EmptySuspicious, "Z1", ViewState::Stale, 1, "no record sets"),
        ((200, cut(&three())), Reason::Parse, "Z1", ViewState::Stale, 3, "cut off"),
    ];
    for (answer, code, scope, state, requests, text) in rows {
        let stub = Stub::start().await;
        let mut reader = stub.reader().await;
        stub.set(|script| script.records = [answer.clone()].into());
        reader.read_all(|_| ()).await;
        let first = reader.reading();
        assert_eq!((first.state, first.value.is_none()), (ViewState::Unread, true), "{text}");
        assert_eq!(first.problems[0].code, code, "{text}");

        stub.set(|script| script.records = one(&three()));
        reader.read_all(|_| ()).await;
        assert!(reader.reading().is_whole(), "{:?}", reader.reading());

        stub.set(|script| {
            script.requests.clear();
            script.records = [answer].into();
        });
        reader.read_all(|_| ()).await;
        let after = reader.reading();
        let problem = &after.problems[0];
        assert_eq!((problem.code, problem.scope.as_str(), after.state), (code, scope, state), "{text}");
        assert!(problem.message.contains(text), "{}", problem.message);
        let zone = &after.value().expect("kept").zones[&ZoneId::new(ZONE)];
        assert_eq!(zone.records().len(), 3, "{text}");
        assert_eq!(stub.asked("rrset"), requests, "{text}");
    }
}

#[tokio::test]
async fn attempts_are_counted_by_operation_and_outcome() {
    let stub = Stub::start().await;
    stub.set(|script| script.records = [error(400, "Throttling", "Rate exceeded"), (200, three())].into());
    let client = stub.client().await;
    walk::record_sets(&client, &ZoneId::new(ZONE), Some(3)).await.expect("second try");
    let counted: Vec<_> = stub
        .settings
        .stats
        .totals()
        .into_iter()
        .map(|(operation, outcome, totals)| (operation.as_str(), outcome.as_str(), totals.attempts))
        .collect();
    assert_eq!(counted, [("ListResourceRecordSets", "ok", 1), ("ListResourceRecordSets", "throttled", 1)]);
    assert_eq!(stub.settings.stats.throttles(), 1);
}

#[tokio::test]
async fn zones_come_and_go_only_by_a_complete_list() {
    let stub = Stub::start().await;
    let mut reader = stub.reader().await;
    stub.set(|script| {
        script.zones = one(&zone_list(&["Z1", "Z2"], 3));
        script.records = one(&three());
    });
    reader.read_all(|_| ()).await;
    let zones = |reader: &Reader| reader.reading().value().map(|zones| zones.zones.len());
    assert_eq!(zones(&reader), Some(2));

    let whole = zone_list(&["Z1", "Z2"], 3);
    for bad in [zone_list(&[], 3), whole.split("<Marker>").next().expect("a part").to_owned()] {
        stub.set(|script| script.zones = one(&bad));
        reader.read_all(|_| ()).await;
        assert_eq!((zones(&reader), reader.reading().state), (Some(2), ViewState::Stale));
    }

    let gone = error(404, "NoSuchHostedZone", "No hosted zone found with ID");
    stub.set(|script| {
        script.zones = one(&zone_list(&["Z1", "Z2"], 3));
        script.records = [(200, three()), gone.clone()].into();
    });
    reader.read_all(|_| ()).await;
    assert_eq!(zones(&reader), Some(2), "still listed: kept");
    assert_eq!(reader.reading().problems.len(), 1);

    stub.set(|script| {
        script.zones = [(200, zone_list(&["Z1", "Z2"], 3)), (200, zone_list(&["Z1"], 3))].into();
        script.records = [(200, three()), gone].into();
    });
    reader.read_all(|_| ()).await;
    assert_eq!(zones(&reader), Some(1), "the list agrees: dropped");
    assert!(reader.reading().is_whole());
}

#[tokio::test]
async fn a_page_of_zones_must_be_whole_too() {
    let whole = zone_list(&["Z1", "Z2"], 3);
    let more = whole.replace("<IsTruncated>false", "<NextMarker>Z2</NextMarker><IsTruncated>true");
    let bad = [
        ("no NextMarker", whole.replace("<IsTruncated>false", "<IsTruncated>true")),
        ("without id", whole.replacen("<Id>/hostedzone/Z1</Id>", "<Id></Id>", 1)),
        ("no MaxItems", whole.split("<Marker>").next().expect("a part").to_owned()),
    ];
    for (reason, body) in bad {
        let stub = Stub::start().await;
        stub.set(|script| script.zones = one(&body));
        let error = walk::hosted_zones(&stub.client().await).await.expect_err(reason);
        assert!(error.to_string().contains(reason), "{error} / {reason}");
        assert_eq!(stub.asked("hostedzone"), 3, "{reason}");
    }
    let stub = Stub::start().await;
    stub.set(|script| script.zones = [(200, more.clone()), (200, zone_list(&["Z2", "Z3"], 3))].into());
    let zones = walk::hosted_zones(&stub.client().await).await.expect("two pages");
    assert_eq!(zones.len(), 3, "a zone on both pages counts once");
    assert_eq!(stub.asked("marker=Z2"), 1);
    stub.set(|script| script.zones = one(&more));
    let error = walk::hosted_zones(&stub.client().await).await.expect_err("stands still");
    assert!(error.to_string().contains("does not move on"), "{error}");
}

#[tokio::test]
async fn named_zones_are_read_without_the_list() {
    let stub = Stub::start().await;
    stub.set(|script| {
        script.zone =
            [(200, zone_body("Z1", 3)), error(404, "NoSuchHostedZone", "No hosted zone found")].into();
        script.records = one(&three());
    });
    let clock = Arc::new(ManualClock::starting_at(Timestamp::UNIX_EPOCH));
    let ids = vec![ZoneId::new("Z1"), ZoneId::new("Z9")];
    let only = ZoneFilter { ids, ..ZoneFilter::default() };
    let mut reader = Reader::new(stub.client().await, only, clock);
    reader.read_all(|_| ()).await;
    let reading = reader.reading();
    assert_eq!(reading.state, ViewState::Read);
    assert_eq!(reading.value().expect("value").zones.len(), 1);
    assert_eq!(reading.problems.iter().map(|problem| problem.scope.as_str()).collect::<Vec<_>>(), ["Z9"]);
    assert_eq!(stub.asked("/hostedzone?"), 0);
}

#[tokio::test]
async fn one_zone_that_fails_leaves_the_view_read() {
    let stub = Stub::start().await;
    stub.set(|script| {
        script.zones = one(&zone_list(&["Z1", "Z2"], 3));
        script.records = [(200, three()), error(403, "AccessDenied", "not authorized")].into();
    });
    let mut reader = stub.reader().await;
    reader.read_all(|_| ()).await;
    let reading = reader.reading();
    assert_eq!((reading.state, reading.problems.len()), (ViewState::Read, 1));
    let zones = &reading.value().expect("value").zones;
    assert_eq!(zones[&ZoneId::new("Z1")].records().len(), 3);
    assert!(zones[&ZoneId::new("Z2")].record_sets.is_none(), "not read is not empty");
}

#[tokio::test]
async fn optional_facts_that_are_forbidden_are_asked_for_once() {
    let stub = Stub::start().await;
    stub.set(|script| script.records = one(&three()));
    let mut reader = stub.reader().await;
    for _ in 0..3 {
        reader.read_all(|_| ()).await;
        reader.read_extras(10).await;
    }
    assert_eq!((stub.asked("dnssec"), stub.asked("hostedzonelimit")), (1, 1));
    assert_eq!(
        stub.asked("/hostedzone/Z1") - stub.asked("rrset") - stub.asked("dnssec"),
        1,
        "kept five minutes"
    );
    let reading = reader.reading();
    assert!(reading.is_whole(), "{:?}", reading.problems);
    let zone = &reading.value().expect("value").zones[&ZoneId::new(ZONE)].zone;
    assert_eq!(zone.delegation_set.len(), 4);
    assert_eq!((zone.limit, zone.vpcs.clone()), (None, Some(Vec::new())));
}

#[tokio::test]
async fn one_name_is_read_with_one_small_page() {
    let stub = Stub::start().await;
    stub.set(|script| {
        script.records = one(&page(&["\\052.example.com.", "a.example.com."], Some("b.example.com.")));
    });
    let client = stub.client().await;
    let name = DomainName::new("*.example.com");
    let found = walk::read_name(&client, &ZoneId::new(ZONE), &name).await.expect("read");
    assert_eq!(found.len(), 1);
    assert_eq!(stub.asked("rrset"), 1);
    assert_eq!(
        stub.asked("name=%5C052.example.com.&maxitems=20"),
        1,
        "{:?}",
        stub.script.lock().expect("lock").requests
    );
}

#[tokio::test]
async fn the_task_publishes_reads_urgent_names_and_stops() {
    let mut stub = Stub::start().await;
    stub.settings.interval = Duration::from_hours(1);
    stub.settings.requests_per_second = 5.0;
    stub.set(|script| script.records = one(&three()));
    let (ask, urgent) = watch::channel(Arc::default());
    let (publish, mut latest) = watch::channel(Reading::unread(Vec::new()));
    let stop = tokio_util::sync::CancellationToken::new();
    let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
    let running = crate::recorded::route53::run(
        stub.settings.clone(),
        BTreeSet::new(),
        urgent,
        Arc::new(clock.clone()),
        publish,
        stop.clone(),
    );
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(running);
    let deadline = Duration::from_secs(30);
    let records = |reading: &Reading<Zones>| {
        reading.value().and_then(|zones| zones.zones.get(&ZoneId::new(ZONE))).map(|zone| zone.records().len())
    };
    tokio::time::timeout(deadline, latest.wait_for(|reading| records(reading) == Some(3)))
        .await
        .expect("in time")
        .expect("alive");
    stub.set(|script| {
        script.records = one(&page(&["a.example.com.", "b.example.com."], None));
        script.zone = one(&zone_body(ZONE, 2));
    });
    clock.advance(jiff::SignedDuration::from_secs(5));
    ask.send_replace([group(&["a.example.com"], clock.now())].into());
    let reading = tokio::time::timeout(deadline, latest.wait_for(|reading| records(reading) == Some(2)))
        .await
        .expect("in time")
        .expect("alive")
        .clone();
    let zone = &reading.value().expect("value").zones[&ZoneId::new(ZONE)];
    assert_eq!(zone.read_at, Some(clock.now()), "one page is cheaper than any name: the zone was listed");
    stop.cancel();
    tokio::time::timeout(deadline, tasks.join_next())
        .await
        .expect("stops")
        .expect("one task")
        .expect("no panic");
}

fn group(names: &[&str], newer_than: Timestamp) -> UrgentName {
    let names = names.iter().map(|name| DomainName::new(name)).collect();
    UrgentName { zone_id: ZoneId::new(ZONE), names, newer_than }
}

#[tokio::test]
async fn names_in_a_large_zone_are_read_alone_and_merged_whole() {
    let stub = Stub::start().await;
    let names: Vec<String> = (0..900).map(|n| format!("h{n:04}.example.com.")).collect();
    let rows: Vec<&str> = names.iter().map(String::as_str).collect();
    let pages = |script: &mut Script| {
        script.zones = one(&zone_list(&["Z1"], 900));
        script.records = [
            (200, page(&rows[..300], Some(rows[300]))),
            (200, page(&rows[300..600], Some(rows[600]))),
            (200, page(&rows[600..], None)),
        ]
        .into();
    };
    stub.set(pages);
    let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
    let mut reader = Reader::new(stub.client().await, ZoneFilter::default(), Arc::new(clock.clone()));
    reader.read_all(|_| ()).await;
    assert_eq!(lock(&reader.view).zones[&ZoneId::new(ZONE)].records().len(), 900);
    clock.advance(jiff::SignedDuration::from_secs(5));
    stub.set(|script| {
        script.requests.clear();
        // The record is gone; its ownership record is a failure first, and then gone too.
        script.records = [
            (200, page(&[rows[8]], None)),
            error(500, "InternalFailure", "oops"),
            (200, page(&[rows[8]], None)),
        ]
        .into();
    });
    let (_ask, urgent) =
        watch::channel([group(&["h0007.example.com", "a-h0007.example.com"], clock.now())].into());
    let (client, view) = (Arc::clone(&reader.client), Arc::clone(&reader.view));
    let (published, mut count) = watch::channel(0);
    let urgent = UrgentReader::new(client, Arc::clone(&reader.clock), view, urgent);
    let reading = urgent.keep_reading(|| published.send_modify(|count| *count += 1));
    let heard = tokio::time::timeout(Duration::from_secs(30), count.wait_for(|count| *count == 1));
    tokio::select! {
        () = reading => panic!("it never returns"),
        heard = heard => drop(heard.expect("in time").expect("alive")),
    }
    assert_eq!(stub.asked("maxitems=20"), 3, "two names and one more try, no page of 300");
    let reading = reader.reading();
    let zone = &reading.value().expect("value").zones[&ZoneId::new(ZONE)];
    assert_eq!(zone.records().len(), 899);
    assert_eq!(zone.at(&DomainName::new("h0007.example.com")).len(), 0);
    assert_eq!(zone.name_read_at(&DomainName::new("h0007.example.com")), Some(clock.now()));
    assert_eq!(zone.read_at, Some(Timestamp::UNIX_EPOCH), "the rest is as old as it was");
}

#[tokio::test]
async fn an_urgent_name_that_cannot_be_read_changes_nothing() {
    let stub = Stub::start().await;
    stub.set(|script| script.records = one(&three()));
    let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
    let mut reader = Reader::new(stub.client().await, ZoneFilter::default(), Arc::new(clock.clone()));
    reader.read_all(|_| ()).await;
    let before = reader.reading();
    clock.advance(jiff::SignedDuration::from_secs(5));
    stub.set(|script| script.records = [error(403, "AccessDenied", "no")].into());
    let (_ask, urgent) = watch::channel([group(&["a.example.com"], clock.now())].into());
    let (client, view) = (Arc::clone(&reader.client), Arc::clone(&reader.view));
    let urgent = UrgentReader::new(client, Arc::clone(&reader.clock), view, urgent);
    stub.set(|script| script.requests.clear());
    let reading = urgent.keep_reading(|| panic!("nothing to publish"));
    let asked = async {
        while stub.asked("rrset") == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { () = reading => {}, () = asked => {} }
    assert_eq!(stub.asked("rrset"), 1, "and it is not asked again at once");
    assert_eq!(reader.reading().value, before.value);
}

#[tokio::test]
async fn a_full_zone_that_seems_emptied_is_not_believed() {
    let stub = Stub::start().await;
    stub.set(|script| {
        script.records = one(&page(&["a.example.com.", "b.example.com."], None));
        script.zone = one(&zone_body(ZONE, 6));
    });
    let error = walked(&stub, 6).await.expect_err("four records cannot vanish unseen");
    assert_eq!(error.code(), Reason::EmptySuspicious);
    stub.set(|script| script.zone = one(&zone_body(ZONE, 2)));
    assert!(walked(&stub, 6).await.is_ok(), "the zone itself says so: confirmed");
}

#[tokio::test]
async fn an_empty_list_is_believed_when_the_zones_themselves_are_gone() {
    let stub = Stub::start().await;
    stub.set(|script| script.records = one(&three()));
    let mut reader = stub.reader().await;
    reader.read_all(|_| ()).await;
    stub.set(|script| script.zones = one(&zone_list(&[], 0)));
    reader.read_all(|_| ()).await;
    let reading = reader.reading();
    assert_eq!(reading.problems[0].code, Reason::EmptySuspicious);
    assert_eq!(reading.value().expect("kept").zones.len(), 1);
    stub.set(|script| {
        script.zone = [error(404, "NoSuchHostedZone", "No hosted zone found with ID: Z1")].into();
    });
    reader.read_all(|_| ()).await;
    assert!(reader.reading().is_whole(), "{:?}", reader.reading().problems);
    assert_eq!(reader.reading().value().expect("empty").zones.len(), 0);
}

#[tokio::test]
async fn an_empty_list_after_a_restart_is_as_suspicious() {
    let stub = Stub::start().await;
    stub.set(|script| {
        script.records = one(&three());
        script.zones = one(&zone_list(&[], 0));
    });
    let mut reader = stub.reader().await.remembering([ZoneId::new(ZONE)].into());
    reader.read_all(|_| ()).await;
    let reading = reader.reading();
    assert_eq!((reading.state, reading.problems[0].code), (ViewState::Unread, Reason::EmptySuspicious));
    stub.set(|script| script.zones = one(&zone_list(&[ZONE], 3)));
    reader.read_all(|_| ()).await;
    assert!(reader.reading().is_whole(), "{:?}", reader.reading().problems);
    let mut fresh = stub.reader().await;
    stub.set(|script| script.zones = one(&zone_list(&[], 0)));
    fresh.read_all(|_| ()).await;
    assert!(fresh.reading().is_whole(), "an account without zones");
}

#[tokio::test]
async fn tags_are_believed_when_two_answers_agree() {
    let stub = Stub::start().await;
    let tags = |value: &str| {
        format!(
            "<ListTagsForResourcesResponse><ResourceTagSets><ResourceTagSet><ResourceType>hostedzone</ResourceType><ResourceId>Z1</ResourceId><Tags>{value}</Tags></ResourceTagSet></ResourceTagSets></ListTagsForResourcesResponse>"
        )
    };
    let whole = tags("<Tag><Key>team</Key><Value>web</Value></Tag>");
    stub.set(|script| {
        script.records = one(&three());
        script.extras = [(200, tags("")), (200, whole.clone()), (200, whole.clone())].into();
    });
    let filter = ZoneFilter { tags: vec!["team=web".parse().expect("a tag")], ..ZoneFilter::default() };
    let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
    let mut reader = Reader::new(stub.client().await, filter.clone(), Arc::new(clock.clone()));
    reader.read_all(|_| ()).await;
    let reading = reader.reading();
    let zone = &reading.value().expect("value").zones[&ZoneId::new(ZONE)].zone;
    assert_eq!(zone.tags.as_ref().map(|tags| tags["team"].clone()), Some("web".to_owned()));
    assert_eq!(stub.asked("/tags/"), 3);

    // Without the permission the filter cannot choose, which is no empty view.
    stub.set(|script| script.extras = [error(403, "AccessDenied", "no")].into());
    let mut reader = Reader::new(stub.client().await, filter, Arc::new(clock));
    reader.read_all(|_| ()).await;
    let reading = reader.reading();
    assert_eq!((reading.state, reading.problems[0].code), (ViewState::Unread, Reason::Forbidden));
    assert!(reading.problems[0].message.contains("route53:ListTagsForResources"), "{:?}", reading.problems);
}

#[tokio::test]
async fn a_shard_lists_every_zone_and_reads_its_own() {
    let stub = Stub::start().await;
    stub.set(|script| script.records = one(&three()));
    let shard = |ordinal| crate::model::shard::Shard::new(ordinal, 2).expect("one of two");
    for ordinal in [0, 1] {
        let filter = ZoneFilter { shard: Some(shard(ordinal)), ..ZoneFilter::default() };
        let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
        let mut reader = Reader::new(stub.client().await, filter, Arc::new(clock));
        reader.read_all(|_| ()).await;
        let reading = reader.reading();
        assert_eq!((reading.state, reading.problems.len()), (ViewState::Read, 0));
        let zones = reading.value().expect("read");
        let reads = shard(ordinal).is_first() || shard(ordinal).owns_zone(&ZoneId::new("Z1"));
        assert_eq!(zones.zones.len(), 1, "every zone is listed");
        assert!(zones.zones.values().all(|zone| zone.record_sets.is_some() == reads), "{ordinal}");
    }
    let asked = stub.script.lock().expect("lock").requests.clone();
    let listings = asked.iter().filter(|path| path.contains("/rrset")).count();
    assert_eq!(listings, 1 + usize::from(shard(1).owns_zone(&ZoneId::new("Z1"))));
}
