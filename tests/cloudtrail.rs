//! CloudTrail and the metrics of ExternalDNS, read live from the emulators.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use dns_drift::changes::feed::FeedBuilder;
use dns_drift::changes::inbox::{Delivery, SourceHealth};
use dns_drift::changes::lookup::{self, Credentials, LookupSettings};
use dns_drift::changes::scrape::live::{self as scrape, ScrapeSettings};
use dns_drift::clock::{Clock, ManualClock, SystemClock};
use dns_drift::emulator::kubernetes::Kubernetes;
use dns_drift::emulator::route53::{Change, R53Fault, R53FaultKind, Route53, ZoneOptions};
use dns_drift::emulator::zones::RecordSet;
use dns_drift::finding::Reason;
use dns_drift::model::change::{ChangeEventKind, ControllerMetrics};
use dns_drift::model::workload::LogTarget;
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(30);
const ROLE: &str = "arn:aws:iam::111122223333:role/external-dns";

struct Trail {
    route53: Route53,
    zone: String,
    clock: ManualClock,
    deliveries: mpsc::Receiver<Delivery>,
    builder: FeedBuilder,
    health: SourceHealth,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Trail {
    fn start(prepare: impl FnOnce(&Route53, &str)) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let clock = ManualClock::starting_at("2026-11-23T10:00:00Z".parse().unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let route53 = Route53::start(&mut tasks, stop.clone(), Arc::clone(&shared)).expect("Route 53");
        let zone = route53.create_zone("example.com.", ZoneOptions::default());
        prepare(&route53, &zone);
        let settings = LookupSettings {
            endpoint_url: Some(route53.url()),
            credentials: Some(Credentials::new("id", "secret", None, None, "test")),
            interval: Duration::from_millis(20),
            pause: Duration::from_millis(1),
            ..LookupSettings::default()
        };
        let (out, deliveries) = mpsc::channel(8);
        let health = SourceHealth::default();
        tasks.spawn(lookup::run(settings, shared, out, health.clone(), stop.clone()));
        Self { route53, zone, clock, deliveries, builder: FeedBuilder::default(), health, stop, tasks }
    }

    async fn take(&mut self) -> usize {
        let delivery = timeout(SOON, self.deliveries.recv()).await.expect("soon").expect("runs");
        let Delivery::Trail(events) = delivery else { panic!("{delivery:?}") };
        let count = events.len();
        self.builder.add(events, self.clock.now());
        count
    }

    async fn questions(&self, more: usize) {
        let before = self.route53.count("LookupEvents");
        let asked = async {
            while self.route53.count("LookupEvents") < before + more {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, asked).await.expect("asked again");
    }

    async fn problem(&self, wanted: bool) -> Option<dns_drift::snapshot::Problem> {
        let told = async {
            while self.health.problems().is_empty() == wanted || self.health.sources().0 == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, told).await.expect("told");
        self.health.problems().into_iter().next()
    }

    async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = timeout(SOON, self.tasks.join_next()).await.expect("stops in time") {
            ended.expect("no panic");
        }
    }
}

fn host(number: usize) -> Change {
    Change::create(RecordSet::simple(&format!("h{number}.example.com"), "A", 300, &["192.0.2.1"]))
}

fn alias_to_address(zone: &str) -> Change {
    Change::create(RecordSet::alias("realtime.example.com", "A", zone, "203.0.113.10"))
}

/// Several pages, overlapping questions and late events: each event once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_once() {
    let mut trail = Trail::start(|route53, zone| {
        for number in 0..120 {
            route53.change(zone, vec![host(number)], ROLE).expect("applied");
        }
    });
    let mut count = 0;
    while count < 120 {
        count += trail.take().await;
    }
    assert!(3 <= trail.route53.count("LookupEvents"), "pages of 50");
    // Late, but within the overlap: the event carries a time that was asked about already.
    trail.route53.set_trail_delay(Duration::from_mins(15));
    let refused =
        trail.route53.change(&trail.zone, vec![alias_to_address(&trail.zone)], ROLE).expect_err("refused");
    trail.clock.advance(SignedDuration::from_mins(14));
    trail.questions(3).await;
    assert!(trail.deliveries.try_recv().is_err(), "nothing is told before its time, nothing twice");
    trail.clock.advance(SignedDuration::from_mins(1));
    count += trail.take().await;
    trail.questions(3).await;
    assert!(trail.deliveries.try_recv().is_err());
    assert_eq!((count, trail.builder.counts().events), (121, 121));
    let feed = trail.builder.feed(trail.clock.now());
    let is_refused = |kind: &ChangeEventKind| matches!(kind, ChangeEventKind::Refused(_));
    let last = feed.events.iter().find(|event| is_refused(&event.kind)).expect("the refused batch");
    let ChangeEventKind::Refused(batch) = &last.kind else { panic!("{last:?}") };
    assert_eq!(batch.errors[0].reason, Reason::AliasTargetNotInZone);
    assert_eq!(batch.attempted[0].name.as_str(), "realtime.example.com");
    assert_eq!(batch.request_id.as_deref(), Some(refused.request_id.as_str()));
    assert_eq!(&*batch.caller.as_ref().expect("a caller").user_agent, "emulator");
    assert_eq!(trail.health.problems(), []);
    trail.end().await;
}

/// The missing permission is named once, and the reader recovers by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_throttled_and_well_again() {
    let mut trail = Trail::start(|route53, zone| {
        route53.change(zone, vec![host(1)], ROLE).expect("applied");
        let fault = |kind, times| R53Fault {
            times: Some(times),
            operation: Some("LookupEvents".to_owned()),
            ..R53Fault::new(kind)
        };
        route53.set_fault(fault(R53FaultKind::Throttle, 1));
        route53.set_fault(fault(R53FaultKind::AccessDenied, 2));
    });
    let problem = trail.problem(true).await.expect("a problem");
    assert_eq!((problem.scope.as_str(), problem.code), ("cloudtrail", Reason::Forbidden));
    assert!(problem.message.starts_with("no permission for cloudtrail:LookupEvents: User: "), "{problem:?}");
    assert_eq!(trail.health.problems().len(), 1);
    assert_eq!(trail.take().await, 1);
    assert_eq!(trail.problem(false).await, None);
    let requests = trail.health.requests();
    let count = |outcome: &str| requests.iter().find(|row| row.1 == outcome).map(|row| row.2);
    assert_eq!((count("denied"), count("throttled")), (Some(2), Some(1)), "{requests:?}");
    trail.end().await;
}

/// `/metrics` of the Pods through the API's proxy; a Pod that does not answer is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_of_the_pods() {
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let server = Kubernetes::start(&mut tasks, stop.clone(), Arc::clone(&clock)).expect("Kubernetes");
    server.set_metrics("dns", "a", 7979, "external_dns_registry_errors_total 3\n");
    let target = |pod: &str| LogTarget {
        namespace: "dns".into(),
        pod: pod.into(),
        uid: "u".into(),
        container: "external-dns".into(),
        restarts: 0,
    };
    let client =
        kube::Client::try_from(kube::Config::new(server.url().parse().expect("URL"))).expect("client");
    let (_targets, receiver) = watch::channel(Arc::new(vec![target("a"), target("b")]));
    let (out, mut deliveries) = mpsc::channel(4);
    let health = SourceHealth::default();
    let settings = ScrapeSettings { interval: Duration::from_millis(20), ..ScrapeSettings::default() };
    tasks.spawn(scrape::run(client, receiver, settings, clock, out, health.clone(), stop.clone()));
    let mut next = async || -> ControllerMetrics {
        let delivery = timeout(SOON, deliveries.recv()).await.expect("soon").expect("runs");
        let Delivery::Metrics(metrics) = delivery else { panic!("{delivery:?}") };
        metrics
    };
    let mut builder = FeedBuilder::default();
    let first = next().await;
    assert_eq!((&*first.pod, first.registry_errors), ("a", Some(3)));
    builder.scraped(first);
    server.set_metrics("dns", "a", 7979, "external_dns_registry_errors_total 4\n");
    loop {
        let metrics = next().await;
        let (grown, at) = (metrics.registry_errors == Some(4), metrics.at);
        builder.scraped(metrics);
        if grown {
            let feed = builder.feed(SystemClock.now());
            assert_eq!(feed.controllers[0].errors_grew_at, Some(at));
            break;
        }
    }
    let problems = health.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].scope.as_str(), problems[0].code), ("metrics dns/b", Reason::Unreachable));
    stop.cancel();
    drop(deliveries);
    while let Some(ended) = timeout(SOON, tasks.join_next()).await.expect("stops in time") {
        ended.expect("no panic");
    }
}
