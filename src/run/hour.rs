//! An hour in simulated time: the rounds as they run, fed by the reader, over an account whose
//! request bucket belongs to others too.
//!
//! The emulated service answers in memory, because nothing may wait for a socket while time is
//! simulated.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_route53::config::retry::RetryConfig;
use aws_sdk_route53::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep, sleep_until};

use super::*;
use crate::config::Config;
use crate::emulator::route53::{Change, Route53, ZoneOptions};
use crate::emulator::zones::RecordSet;
use crate::finding::{Kind, State};
use crate::live::prober::ProberSettings;
use crate::model::ObjectRef;
use crate::model::TextMap;
use crate::model::object::{Body, Ingress, KubeObject, LoadBalancerAddress};
use crate::recorded::budget::{Budget, DEFAULT_RATE};
use crate::recorded::client::Client;
use crate::recorded::filter::ZoneFilter;
use crate::recorded::stats::{ApiStats, Outcome};
use crate::recorded::task::Reader;
use crate::report::{Finding, Report};
use crate::snapshot::Cluster;

/// Names with a record and its ownership record each.
const HOSTS: usize = 150;

/// Record sets in an answer: so few that a listing has several pages, and throttling hits its middle.
const PAGE: usize = 60;

/// Hosts that a fault or a change hits, in the order of the story.
const DELETED: usize = 7;
const OVERWRITTEN: usize = 50;
const DELETED_UNSEEN: usize = 100;
const MOVED: usize = 120;

/// Requests of everybody else while the account is busy, each second.
const OTHERS: u32 = 20;

/// Wall-clock time that follows tokio's.
struct SimulatedClock(Instant);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.0.elapsed()).expect("short enough");
        "2026-01-02T00:00:00Z".parse::<Timestamp>().expect("a time") + passed
    }
}

/// The way to the emulated service.
#[derive(Clone)]
struct Wire(Route53);

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut passed = http::Request::builder().method(request.method()).uri(request.uri());
        for (name, value) in request.headers() {
            passed = passed.header(name, value);
        }
        let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
        let passed = passed.body(body).expect("a request");
        let service = self.0.clone();
        HttpConnectorFuture::new(async move {
            sleep(Duration::from_millis(80)).await;
            let answer = service.answer(passed).await;
            let answer = answer.map_err(|error| ConnectorError::io(Box::new(error)))?;
            let (parts, body) = answer.into_parts();
            let status = parts.status.as_u16().try_into().expect("a status");
            let mut passed = HttpResponse::new(status, body.to_vec().into());
            for (name, value) in &parts.headers {
                let value = value.to_str().expect("text").to_owned();
                passed.headers_mut().append(name.as_str().to_owned(), value);
            }
            Ok(passed)
        })
    }
}

/// The world, and what is truly wrong in it.
struct World {
    route53: Route53,
    zone: String,
    clock: Arc<dyn Clock>,
    addresses: BTreeMap<usize, String>,
    kubernetes: watch::Sender<Reading<Cluster>>,
    /// Names that are wrong now or were until then.
    wrong: Arc<Mutex<BTreeMap<String, Option<Timestamp>>>>,
}

fn host(n: usize) -> String {
    format!("h{n:03}.example.com")
}

fn address(n: usize) -> String {
    format!("203.0.{}.{}", n / 200, n % 200 + 1)
}

fn record(n: usize, address: &str) -> RecordSet {
    RecordSet::simple(&host(n), "A", 300, &[address])
}

// === impl World ===

impl World {
    fn start(tasks: &mut JoinSet<()>, clock: Arc<dyn Clock>) -> Self {
        let route53 = Route53::start(tasks, CancellationToken::new(), Arc::clone(&clock)).expect("a port");
        let zone = route53.create_zone("example.com", ZoneOptions::default());
        let sets: Vec<Change> = (0..HOSTS)
            .flat_map(|n| {
                let text = format!(
                    "\"heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/web-{n}\""
                );
                let owner = RecordSet::simple(&format!("a-{}", host(n)), "TXT", 300, &[&text]);
                [record(n, &address(n)), owner]
            })
            .map(Change::create)
            .collect();
        for batch in sets.chunks(100) {
            route53.change(&zone, batch.to_vec(), "external-dns").expect("created");
        }
        let kubernetes = watch::Sender::new(Reading::unread(Vec::new()));
        let addresses = (0..HOSTS).map(|n| (n, address(n))).collect();
        let world = Self { route53, zone, clock, addresses, kubernetes, wrong: Arc::default() };
        world.watch();
        world
    }

    /// The cluster as the watches see it now.
    fn watch(&self) {
        let now = self.clock.now();
        let born = self.clock.now() - SignedDuration::from_hours(24);
        let objects = self.addresses.iter().map(|(n, ip)| {
            let moved = *ip != address(*n);
            let object = KubeObject {
                reference: ObjectRef::new("Ingress", "shop", &format!("web-{n}")),
                uid: format!("uid-{n}").into(),
                created_at: Some(born),
                deletion_at: None,
                changed_at: Some(born),
                status_changed_at: Some(if moved { now } else { born }),
                labels: TextMap::default(),
                annotations: TextMap::default(),
                body: Body::Ingress(Ingress {
                    rule_hosts: [host(*n).into()].into(),
                    addresses: vec![LoadBalancerAddress { ip: Some(ip.clone()), hostname: None }],
                    ..Ingress::default()
                }),
            };
            Arc::new(object)
        });
        let cluster = Cluster {
            objects: objects.collect(),
            instances: vec![Config::from_value(&serde_json::json!({})).expect("defaults").assumed()],
            watched_kinds: vec!["Ingress".into()],
            ..Cluster::default()
        };
        self.kubernetes.send_replace(Reading::read(now, cluster));
    }

    fn write(&self, change: Change) {
        self.route53.change(&self.zone, vec![change], "somebody").expect("accepted");
    }

    fn breaks(&self, n: usize, change: Change) {
        self.wrong.lock().expect("lock").insert(host(n), None);
        self.write(change);
    }

    fn repairs(&self, n: usize) {
        self.wrong.lock().expect("lock").insert(host(n), Some(self.clock.now()));
        self.write(Change::upsert(record(n, &address(n))));
    }

    /// What everybody else asks of the account: each minute a burst that empties the bucket, and
    /// enough for twenty seconds more that it stays empty.
    async fn busy(&self, until: Instant) {
        while Instant::now() < until {
            let next = Instant::now() + Duration::from_mins(1);
            for asked in 0..60 + 20 * OTHERS {
                let request = http::Request::get("/2013-04-01/hostedzone")
                    .header("authorization", "AWS4-HMAC-SHA256 Credential=AKIDOTHERS/x")
                    .body(Bytes::new())
                    .expect("a request");
                drop(self.route53.answer(request).await.expect("answered"));
                if 60 <= asked {
                    sleep(Duration::from_secs(1) / OTHERS).await;
                }
            }
            // Their writes meet our listings.
            let name = format!("n{}.example.com", self.clock.now().as_second());
            self.write(Change::create(RecordSet::simple(&name, "A", 60, &["192.0.2.1"])));
            sleep_until(next).await;
        }
    }
}

/// The watches are quiet and alive, which wakes nobody.
async fn stays_in_touch(kubernetes: watch::Sender<Reading<Cluster>>, clock: Arc<dyn Clock>) {
    loop {
        sleep(Duration::from_secs(30)).await;
        kubernetes.send_if_modified(|reading| {
            reading.read_at = Some(clock.now());
            false
        });
    }
}

fn reader(world: &World, stats: Arc<ApiStats>) -> Reader {
    let config = aws_sdk_route53::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url("http://route53.invalid")
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(SharedHttpClient::new(Wire(world.route53.clone())));
    let budget = Budget::new(DEFAULT_RATE).expect("legal");
    let client = Client::from_config(config, Arc::new(budget), stats);
    Reader::new(client, ZoneFilter::default(), Arc::clone(&world.clock))
}

fn name_of(finding: &Finding) -> Option<String> {
    finding.subject.record().map(|key| key.name.to_string())
}

/// Names with a finding in this state.
fn names(report: &Report, state: State) -> Vec<String> {
    report.findings.iter().filter(|finding| finding.state == state).filter_map(name_of).collect()
}

/// Every open finding is about a name that is wrong, or was a moment ago.
fn check(report: &Report, wrong: &BTreeMap<String, Option<Timestamp>>, read_at: Option<Timestamp>) {
    for finding in report.findings.iter().filter(|finding| finding.state == State::Open) {
        let Some(name) = name_of(finding) else {
            assert_eq!(finding.kind, Kind::ObserverBlind, "{}: {finding:#?}", report.at);
            continue;
        };
        let true_now = wrong.get(&name).is_some_and(|until| {
            // It closes after two clean readings. While others empty the bucket each minute, how long these
            // take is a matter of luck; that it has closed is asked for when the account is quiet again.
            until.is_none_or(|until| report.at.duration_since(until) < SignedDuration::from_mins(10))
        });
        assert!(true_now, "{}: a false finding of {name}: {finding:#?}", report.at);
        let age = read_at.map(|at| report.at.duration_since(at)).unwrap_or_default();
        assert!(age <= SignedDuration::from_mins(15), "{}: open, but read {age:#} ago", report.at);
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_at_a_busy_account_keeps_every_verdict_right() {
    let start = Instant::now();
    let clock: Arc<dyn Clock> = Arc::new(SimulatedClock(start));
    let mut tasks = JoinSet::new();
    let mut world = World::start(&mut tasks, Arc::clone(&clock));
    world.route53.limit_requests(50, 10);
    world.route53.set_page_sizes(PAGE, 100);
    let stats = Arc::new(ApiStats::default());
    let (route53_out, route53) = watch::channel(Reading::unread(Vec::new()));
    let (urgent_out, urgent) = watch::channel(Arc::default());
    let (latest_out, mut latest) = watch::channel(None);
    let policy = Policy::default();
    let reader = reader(&world, Arc::clone(&stats));
    let interval = policy.interval;
    let reading = reader.keep_reading(interval, urgent, move |reading| {
        route53_out.send_replace(reading);
    });
    let (dns, changes) = (watch::channel(Reading::off()).1, watch::channel(Reading::off()).1);
    let views = Views { kubernetes: world.kubernetes.subscribe(), route53, dns, changes, heard: None };
    let sources = SourceHealth::default();
    let prober = Prober::new(ProberSettings::default());
    let rounds = Rounds {
        views,
        engine: Engine::new(policy.clone()),
        own: OwnWants::default(),
        saver: None,
        convergence: Convergence::default(),
        policy,
        pricing: LiveSettings::new(Vec::new()),
        min_round: Duration::from_secs(5),
        assumed: Assumption::new(None),
        resolver_views: std::collections::BTreeSet::new(),
        clock: Arc::clone(&clock),
        jumps: Jumps::default(),
        costs: Costs::new(
            desired::contact::KubeStats::new(Arc::clone(&clock)),
            Arc::clone(&stats),
            prober,
            &[],
            sources,
        ),
        max_record_series: 0,
        latest: latest_out,
        boards: watch::channel(None).0,
        waited: watch::channel(Arc::default()).1,
        planner: Planner::default(),
        plan: watch::channel(Arc::default()).0,
        urgent: UrgentNames::default(),
        urgent_out,
        known_out: watch::channel(Arc::default()).0,
    };
    let kubernetes = world.kubernetes.clone();
    let wrong = Arc::clone(&world.wrong);
    let last: Mutex<Option<Arc<Report>>> = Mutex::default();
    let checking = async {
        while latest.changed().await.is_ok() {
            let report = latest.borrow_and_update().clone().expect("a report");
            let read_at = report.zones.first().and_then(|zone| zone.read_at);
            check(&report, &wrong.lock().expect("lock"), read_at);
            *last.lock().expect("lock") = Some(report);
        }
    };
    let report = || last.lock().expect("lock").clone().expect("a report");
    let minute = |n: u64| start + Duration::from_mins(n);
    let story = async {
        sleep_until(minute(4)).await;
        assert_eq!(report().summary.in_sync, HOSTS, "{:#?}", report().summary);
        world.breaks(DELETED, Change::delete(record(DELETED, &address(DELETED))));
        sleep_until(minute(10)).await;
        assert_eq!(names(&report(), State::Open), [host(DELETED)]);
        world.repairs(DELETED);

        // Everybody works: the account throttles them and us.
        let quiet = throttled(&stats);
        assert_eq!(quiet, 0, "nobody is in the way yet");
        world.busy(minute(12)).await;
        world.breaks(OVERWRITTEN, Change::upsert(record(OVERWRITTEN, "198.51.100.66")));
        world.busy(minute(22)).await;
        assert!(0 < throttled(&stats));
        assert_eq!(names(&report(), State::Open), [host(OVERWRITTEN)]);

        // Nothing is answered any more. One record goes, another one moves as it was asked to.
        world.route53.limit_requests(0, 0);
        sleep_until(minute(24)).await;
        world.breaks(DELETED_UNSEEN, Change::delete(record(DELETED_UNSEEN, &address(DELETED_UNSEEN))));
        sleep_until(minute(26)).await;
        world.addresses.insert(MOVED, "198.51.100.30".to_owned());
        world.write(Change::upsert(record(MOVED, "198.51.100.30")));
        world.watch();
        sleep_until(minute(42)).await;
        let blind = report();
        assert_eq!(names(&blind, State::Open), [""; 0], "stated as stale");
        assert!(names(&blind, State::Stale).contains(&host(OVERWRITTEN)), "{:#?}", blind.findings);
        assert!(
            blind.findings.iter().any(|one| one.kind == Kind::ObserverBlind && one.state == State::Open),
            "{:#?}",
            blind.findings
        );

        world.route53.limit_requests(50, 10);
        sleep_until(minute(54)).await;
        let mut open = names(&report(), State::Open);
        open.sort();
        assert_eq!(open, [host(OVERWRITTEN), host(DELETED_UNSEEN)]);
        world.repairs(OVERWRITTEN);
        world.repairs(DELETED_UNSEEN);
        sleep_until(minute(60)).await;
        assert_eq!(report().summary.in_sync, HOSTS, "{:#?}", report().findings);
    };
    tokio::select! {
        () = reading => panic!("it never returns"),
        () = rounds.run(CancellationToken::new()) => panic!("nobody stopped it"),
        () = checking => panic!("the rounds ended"),
        () = stays_in_touch(kubernetes, clock) => panic!("it never returns"),
        () = story => {}
    }
}

fn throttled(stats: &ApiStats) -> u64 {
    stats
        .totals()
        .iter()
        .filter(|(_, outcome, _)| *outcome == Outcome::Throttled)
        .map(|(_, _, totals)| totals.attempts)
        .sum()
}
