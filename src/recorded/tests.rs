//! The whole reader against the emulated Route 53, through the real SDK.

mod accounts;
mod credentials;
mod refusals;
mod tested;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::config::Credentials;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, ManualClock, SystemClock};
use crate::emulator::route53::{Change, R53Fault, R53FaultKind, Route53, ZoneOptions};
use crate::emulator::zones::RecordSet;
use crate::finding::Reason;
use crate::model::zone::Zones;
use crate::model::{DomainName, ZoneId};
use crate::recorded::accounts::AccountSettings;
use crate::recorded::budget::{Budget, Pace};
use crate::recorded::client::Client;
use crate::recorded::filter::ZoneFilter;
use crate::recorded::route53::{Route53Settings, read_once};
use crate::recorded::stats::Operation;
use crate::recorded::task::Reader;
use crate::recorded::urgent::UrgentName;
use crate::snapshot::{Reading, ViewState};

const HOSTS: usize = 40;

/// Pages are so small that the zone has several.
const PAGE: usize = 15;

struct Server {
    route53: Route53,
    zone: String,
    _tasks: JoinSet<()>,
}

impl Server {
    fn start() -> Self {
        let mut tasks = JoinSet::new();
        let route53 =
            Route53::start(&mut tasks, CancellationToken::new(), Arc::new(SystemClock)).expect("a port");
        let zone = route53.create_zone("example.com", ZoneOptions::default());
        let sets = (0..HOSTS).map(|n| host(n, "203.0.113.10"));
        route53.change(&zone, sets.map(Change::create).collect(), "test").expect("created");
        route53.set_page_sizes(PAGE, 100);
        Self { route53, zone, _tasks: tasks }
    }

    fn settings(&self) -> Route53Settings {
        Route53Settings {
            endpoint_url: Some(self.route53.url()),
            sts_endpoint_url: Some(self.route53.url()),
            credentials: Some(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test")),
            requests_per_second: 5.0,
            ..Route53Settings::default()
        }
    }

    /// A reader whose pauses are over at once.
    async fn reader(&self) -> Reader {
        let settings = self.settings();
        let client = Client::with(&settings, &settings.default_account(), Arc::new(quick())).await;
        Reader::new(client, ZoneFilter::default(), Arc::new(SystemClock))
    }
}

fn quick() -> Budget {
    let pause = Duration::from_millis(1);
    Budget::with(Pace {
        rate: 100_000.0,
        burst: 1_000.0,
        back_off: pause,
        back_off_cap: pause,
        recover_every: pause,
        retry_after: pause,
    })
}

fn host(n: usize, address: &str) -> RecordSet {
    RecordSet::simple(&format!("h{n:02}.example.com"), "A", 60, &[address])
}

fn records(reading: &Reading<Zones>, zone: &str) -> usize {
    reading.value().map_or(0, |zones| zones.zones[&ZoneId::new(zone)].records().len())
}

/// What may go wrong with a listing, and whether it may count all the same.
#[tokio::test]
async fn no_fault_makes_a_record_vanish() {
    use R53FaultKind as K;
    let listing = "ListResourceRecordSets";
    let rows: &[(K, &str, Option<Reason>)] = &[
        (K::HalfBody, listing, Some(Reason::Parse)),
        (K::Empty, listing, Some(Reason::Parse)),
        (K::UnavailableHtml, listing, Some(Reason::Unreachable)),
        (K::ServerError, listing, Some(Reason::Unreachable)),
        (K::Cut, listing, Some(Reason::Unreachable)),
        (K::TruncatedWithoutCursor, listing, Some(Reason::Parse)),
        (K::RepeatCursor, listing, Some(Reason::Parse)),
        (K::DuplicateRows, listing, None),
        (K::ZoneVanishes, listing, Some(Reason::Parse)),
        (K::NoSuchHostedZone, listing, Some(Reason::Parse)),
        (K::Throttle, listing, Some(Reason::Throttled)),
        (K::PriorRequestNotComplete, listing, Some(Reason::Throttled)),
        (K::AccessDenied, listing, Some(Reason::Forbidden)),
        (K::ExpiredToken, listing, Some(Reason::Forbidden)),
        (K::ClockSkew, listing, Some(Reason::Forbidden)),
        (K::HalfBody, "ListHostedZones", Some(Reason::Parse)),
        (K::Empty, "ListHostedZones", Some(Reason::Parse)),
        (K::AccessDenied, "ListHostedZones", Some(Reason::Forbidden)),
        (K::CountOff(-30), "ListHostedZones", None),
        (K::CountOff(30), "ListHostedZones", None),
        (K::AccessDenied, "GetHostedZone", None),
        (K::AccessDenied, "GetHostedZoneLimit", None),
        (K::AccessDenied, "GetDNSSEC", None),
        (K::AccessDenied, "ListTagsForResources", None),
        (K::ServerError, "ListTagsForResources", None),
    ];
    let server = Server::start();
    for (kind, operation, problem) in rows {
        let mut reader = server.reader().await;
        reader.read_all(|_| ()).await;
        assert!(reader.reading().is_whole(), "{:?}", reader.reading().problems);
        server.route53.set_fault(R53Fault::new(kind.clone()).on(operation));
        reader.read_all(|_| ()).await;
        reader.read_extras(100).await;
        server.route53.clear_faults();
        let reading = reader.reading();
        let what = format!("{kind:?} on {operation}: {:?}", reading.problems);
        assert_eq!(reading.problems.first().map(|problem| problem.code), *problem, "{what}");
        assert_eq!(records(&reading, &server.zone), HOSTS + 2, "{what}");
        reader.read_all(|_| ()).await;
        assert!(reader.reading().is_whole(), "{what}");
    }
}

#[tokio::test]
async fn a_fault_of_the_first_reading_is_not_an_empty_zone() {
    use R53FaultKind as K;
    let server = Server::start();
    for kind in [K::HalfBody, K::Cut, K::TruncatedWithoutCursor, K::ZoneVanishes, K::CountOff(30)] {
        let mut reader = server.reader().await;
        server.route53.set_fault(R53Fault::new(kind.clone()));
        reader.read_all(|_| ()).await;
        server.route53.clear_faults();
        let reading = reader.reading();
        let unread =
            reading.value().is_none_or(|zones| zones.zones.values().all(|zone| zone.record_sets.is_none()));
        assert!(unread && !reading.problems.is_empty(), "{kind:?}: {:?}", reading.problems);
    }
}

#[tokio::test]
async fn faults_that_pass_are_outlasted() {
    use R53FaultKind as K;
    let server = Server::start();
    for kind in [K::HalfBody, K::Cut, K::Empty, K::ServerError, K::Throttle, K::RepeatCursor] {
        let mut reader = server.reader().await;
        server.route53.set_fault(R53Fault::new(kind.clone()).on("ListResourceRecordSets").times(2));
        reader.read_all(|_| ()).await;
        assert!(reader.reading().is_whole(), "{kind:?}: {:?}", reader.reading().problems);
        assert_eq!(records(&reader.reading(), &server.zone), HOSTS + 2, "{kind:?}");
    }
}

#[tokio::test]
async fn an_emptied_zone_is_suspicious_and_a_deleted_one_is_gone() {
    let server = Server::start();
    let other = server.route53.create_zone("example.net", ZoneOptions::default());
    let mut reader = server.reader().await;
    reader.read_all(|_| ()).await;
    assert!(server.route53.delete_zone(&other));
    reader.read_all(|_| ()).await;
    assert!(reader.reading().is_whole());
    assert_eq!(reader.reading().value().map(|zones| zones.zones.len()), Some(1));
    // All records deleted in earnest: count and listing agree.
    let sets = (0..HOSTS).map(|n| host(n, "203.0.113.10"));
    server.route53.change(&server.zone, sets.map(Change::delete).collect(), "test").expect("deleted");
    reader.read_all(|_| ()).await;
    assert_eq!(records(&reader.reading(), &server.zone), 2);
    // The same listing, while the zone says that it is full.
    server.route53.set_fault(R53Fault::new(R53FaultKind::CountOff(3)));
    reader.read_all(|_| ()).await;
    assert_eq!(reader.reading().problems[0].code, Reason::EmptySuspicious);
    // The last zone deleted in earnest.
    server.route53.clear_faults();
    assert!(server.route53.delete_zone(&server.zone));
    reader.read_all(|_| ()).await;
    assert!(reader.reading().is_whole(), "{:?}", reader.reading().problems);
    assert_eq!(reader.reading().value().map(|zones| zones.zones.len()), Some(0));
}

#[tokio::test]
async fn tags_are_read_and_choose_zones() {
    let server = Server::start();
    let other = server.route53.create_zone("example.net", ZoneOptions::default());
    server.route53.set_tags(&other, &[("team", "web")]);
    let mut settings = server.settings();
    settings.filter.tags = vec!["team".parse().expect("a tag")];
    let reading = read_once(settings.clone(), Arc::new(SystemClock)).await;
    assert!(reading.is_whole(), "{:?}", reading.problems);
    let zones = &reading.value().expect("value").zones;
    assert_eq!(zones.keys().map(ZoneId::as_str).collect::<Vec<_>>(), [other.as_str()]);
    let tags = zones[&ZoneId::new(&other)].zone.tags.as_ref().expect("read");
    assert_eq!(tags["team"], "web");
    settings.filter = ZoneFilter { names: vec![DomainName::new("com")], ..ZoneFilter::default() };
    let reading = read_once(settings, Arc::new(SystemClock)).await;
    assert_eq!(records(&reading, &server.zone), HOSTS + 2);
    assert_eq!(reading.value().map(|zones| zones.zones.len()), Some(1));
}

#[tokio::test]
async fn several_accounts_each_with_its_role() {
    let server = Server::start();
    let of = |account: &str| ZoneOptions { account: Some(account.to_owned()), ..ZoneOptions::default() };
    let one = server.route53.create_zone("one.example.net", of("444455556666"));
    let two = server.route53.create_zone("two.example.net", of("777788889999"));
    let role = |arn: &str, external_id: Option<&str>| AccountSettings {
        role_arn: Some(arn.to_owned()),
        external_id: external_id.map(str::to_owned),
        requests_per_second: 5.0,
    };
    let mut settings = server.settings();
    settings.accounts = vec![
        role("arn:aws:iam::444455556666:role/dns-drift", None),
        role("arn:aws:iam::777788889999:role/external", Some("secret-id")),
    ];
    let reading = read_once(settings.clone(), Arc::new(SystemClock)).await;
    assert!(reading.is_whole(), "{:?}", reading.problems);
    let zones = &reading.value().expect("value").zones;
    assert!(zones.contains_key(&ZoneId::new(&one)) && zones.contains_key(&ZoneId::new(&two)));
    assert_eq!(server.route53.count("AssumeRole"), 2);

    settings.accounts[1].external_id = None;
    let reading = read_once(settings, Arc::new(SystemClock)).await;
    assert_eq!(reading.state, ViewState::Read, "the other account is read");
    let zones = &reading.value().expect("value").zones;
    assert!(zones.contains_key(&ZoneId::new(&one)) && !zones.contains_key(&ZoneId::new(&two)));
    let problem = &reading.problems[0];
    assert_eq!(problem.scope, "account arn:aws:iam::777788889999:role/external");
    assert_eq!(problem.code, Reason::Forbidden, "{problem:?}");
}

#[tokio::test]
async fn the_minimal_permissions_suffice_for_the_records() {
    let server = Server::start();
    for operation in Operation::ALL {
        if ![Operation::ListHostedZones, Operation::ListResourceRecordSets].contains(&operation) {
            server.route53.set_fault(R53Fault::new(R53FaultKind::AccessDenied).on(operation.as_str()));
        }
    }
    let mut reader = server.reader().await;
    for _ in 0..3 {
        reader.read_all(|_| ()).await;
        reader.read_extras(100).await;
    }
    let reading = reader.reading();
    assert_eq!(records(&reading, &server.zone), HOSTS + 2);
    assert_eq!(reading.state, ViewState::Read);
    assert_eq!(reading.problems, [], "what is optional is no problem");
    for operation in ["GetHostedZone", "GetHostedZoneLimit", "GetDNSSEC", "ListTagsForResources"] {
        assert_eq!(server.route53.count(operation), 1, "{operation}: asked once a day");
    }
}

#[tokio::test]
async fn a_write_during_the_walk_is_no_drift() {
    let server = Server::start();
    let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
    let settings = server.settings();
    let client = Client::with(&settings, &settings.default_account(), Arc::new(quick())).await;
    let mut reader = Reader::new(client, ZoneFilter::default(), Arc::new(clock.clone()));
    reader.read_all(|_| ()).await;
    let first = reader.reading();
    clock.advance(jiff::SignedDuration::from_secs(60));
    server.route53.change(&server.zone, vec![Change::upsert(host(7, "203.0.113.77"))], "test").expect("ok");
    reader.read_all(|_| ()).await;
    let second = reader.reading();
    let zone =
        |reading: &Reading<Zones>| reading.value().expect("value").zones[&ZoneId::new(&server.zone)].clone();
    assert_eq!(zone(&second).read_at, Some(clock.now()));
    assert_ne!(zone(&first).record_sets, zone(&second).record_sets);
    assert_eq!(zone(&second).records().len(), HOSTS + 2);
}

#[tokio::test]
async fn health_checks_of_urgent_names_are_read_where_that_is_permitted() {
    let server = Server::start();
    server.route53.set_health("hc-1", false);
    let mut set = host(99, "203.0.113.99");
    set.health_check_id = Some("hc-1".to_owned());
    server.route53.change(&server.zone, vec![Change::create(set)], "test").expect("created");
    let refused = R53Fault::new(R53FaultKind::AccessDenied).on("GetHealthCheckStatus");
    for permitted in [true, false] {
        if !permitted {
            server.route53.set_fault(refused.clone());
        }
        let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
        let settings = server.settings();
        let client = Client::with(&settings, &settings.default_account(), Arc::new(quick())).await;
        let reader = Reader::new(client, ZoneFilter::default(), Arc::new(clock.clone()));
        let (ask, urgent) = watch::channel(Arc::default());
        let (out, mut latest) = watch::channel(Reading::unread(Vec::new()));
        let reading = reader.keep_reading(Duration::from_hours(1), urgent, |reading| {
            out.send_replace(reading);
        });
        let asked_before = server.route53.count("GetHealthCheckStatus");
        let check = async {
            latest.wait_for(|reading| reading.state == ViewState::Read).await.expect("alive");
            clock.advance(jiff::SignedDuration::from_secs(5));
            let names = vec![DomainName::new("h99.example.com")];
            let zone_id = ZoneId::new(&server.zone);
            ask.send_replace([UrgentName { zone_id, names, newer_than: clock.now() }].into());
            let votes = |reading: &Reading<Zones>| {
                reading.value().and_then(|zones| zones.health.get("hc-1").copied())
            };
            if permitted {
                let reading = latest.wait_for(|reading| votes(reading).is_some()).await.expect("alive");
                let found = votes(&reading).expect("read");
                assert_eq!((found.success, found.all), (0, 3));
            } else {
                while server.route53.count("GetHealthCheckStatus") == asked_before {
                    tokio::task::yield_now().await;
                }
                let reading = latest.borrow().clone();
                assert!(votes(&reading).is_none() && reading.is_whole(), "{:?}", reading.problems);
            }
        };
        let check = tokio::time::timeout(Duration::from_secs(30), check);
        tokio::select! { () = reading => panic!("it never returns"), done = check => done.expect("in time") }
    }
}
