//! What a whole watcher costs, end to end: the built program against emulated Kubernetes, Route 53 and
//! DNS, over generated worlds of growing size with known faults.
//!
//! `cargo bench --bench scale`; `DNS_DRIFT_BENCH_NAMES=1000,10000` sets other sizes. Prints tables in
//! Markdown and draws `docs/pictures/scale.svg`. A size whose verdicts are not exactly the faults that
//! were put in ends the run.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a measurement may panic"
)]

#[path = "scale/plot.rs"]
mod plot;
#[path = "scale/process.rs"]
mod process;
#[path = "scale/samples.rs"]
mod samples;
#[path = "scale/table.rs"]
mod table;
#[path = "../tests/support/worlds.rs"]
mod worlds;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use dns_drift::clock::{Clock, SystemClock};
use dns_drift::emulator::kubernetes::Kubernetes;
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::process::Usage;
use self::samples::Samples;
use self::worlds::{Fault, Program, Size, Verdict, World};

const SIZES: &str = "1000,10000,50000,100000";

/// As teams have them: two or three hundred hosts, each with two or three record sets more.
const NAMES_IN_ZONE: usize = 1_000;

/// Every so many names there is one of each fault.
const NAMES_OF_A_FAULT: usize = 2_500;

/// Refusals come with lines of a log, of which only the newest are read.
const MAX_REFUSED: usize = 20;

/// Questions a second to all name servers: the sweep of docs/live.md. The default of 200 would let the
/// largest world wait a quarter of an hour for its first answers.
const QUESTIONS: usize = 2_000;

/// How long a size may take until everything is said.
const PATIENCE: Duration = Duration::from_mins(20);

/// How long the steady state is watched: two readings of Route 53 at the least.
const STEADY: Duration = Duration::from_mins(2);

const SCRAPES: usize = 9;

const DETECTIONS: usize = 5;

/// What one size has cost.
#[derive(Clone, Debug, Default)]
struct Row {
    names: usize,
    objects: usize,
    record_sets: usize,
    zones: usize,
    /// Seconds from the start of the process.
    ready: f64,
    whole: f64,
    said: f64,
    /// Requests of Route 53 until the first whole reading.
    first_requests: f64,
    /// Questions to DNS until all is said.
    first_questions: f64,
    findings: usize,
    /// In the steady state, for each minute.
    rounds: f64,
    requests: f64,
    questions: f64,
    cpu: f64,
    /// Median of a round, seconds.
    round: f64,
    resident: f64,
    peak: f64,
    scrape: f64,
    scrape_size: usize,
    scrape_gzip: usize,
    /// Seconds from a new object to its finding on `/metrics`.
    detection: f64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    let sizes = std::env::var("DNS_DRIFT_BENCH_NAMES").unwrap_or_else(|_| SIZES.to_owned());
    let sizes = sizes.split(',').map(|size| size.parse().expect("a number of names"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures/scale.svg");
    let mut rows = Vec::new();
    for names in sizes {
        rows.push(measured(names).await);
        println!("{}", table::table(&rows));
        // After each size, for the largest takes longest.
        std::fs::write(&path, plot::plot(&rows)).expect("written");
    }
    eprintln!("drawn: {}", path.display());
}

/// Pours a world and measures the program over it, while its instances go on logging.
async fn measured(names: usize) -> Row {
    let faults = names.div_ceil(NAMES_OF_A_FAULT);
    // A delegation is checked every five minutes, and twice: that would be all that is measured.
    let faults = Fault::ALL
        .into_iter()
        .filter(|fault| *fault != Fault::LameZone)
        .map(|fault| (fault, if fault == Fault::RefusedAlias { faults.min(MAX_REFUSED) } else { faults }));
    let world = World::generate(&Size {
        seed: 1,
        names,
        clusters: 1,
        names_in_zone: NAMES_IN_ZONE,
        faults: faults.collect(),
        at: SystemClock.now(),
    });
    let row = Row {
        names,
        objects: world.clusters[0].objects.len(),
        record_sets: world.record_sets(),
        zones: world.zones.len(),
        ..Row::default()
    };
    let expected = world.clusters[0].expected.clone();
    eprintln!("{names} names: {} objects, {} record sets", row.objects, row.record_sets);
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let poured = Arc::new(world.pour(&mut tasks, &stop));
    let folder = tempfile::tempdir().expect("a folder");
    let dns = json!({"authoritative_per_second": 1_000, "authoritative_total_per_second": QUESTIONS});
    let program = Program::start(folder.path(), &poured, 0, &json!({"dns": dns}));
    let kubernetes = poured.kubernetes[0].clone();
    let run = Run { program, kubernetes, began: Instant::now(), row };
    let measuring = spawn_blocking(move || run.measure(&expected));
    let beating = async {
        loop {
            poured.heartbeat();
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
    };
    let row = tokio::select! {
        row = measuring => row.expect("measured"),
        () = beating => unreachable!("it beats for ever"),
    };
    stop.cancel();
    tasks.shutdown().await;
    row
}

/// The program at work, and what is known of it so far.
struct Run {
    program: Program,
    kubernetes: Kubernetes,
    began: Instant,
    row: Row,
}

impl Run {
    fn measure(mut self, expected: &BTreeSet<Verdict>) -> Row {
        self.row.ready =
            self.until("ready", Duration::from_millis(100), || self.program.get("/-/ready").is_some());
        let zones = self.row.zones;
        self.row.whole = self.until("a whole reading", Duration::from_secs(1), || {
            let samples = self.samples();
            samples.count("dns_drift_zone_last_read_timestamp_seconds{") == zones
                && samples.sum("dns_drift_view_up{") >= 2.0
                && samples.sum("dns_drift_names_unknown ") < 1.0
        });
        self.row.first_requests = self.samples().sum("dns_drift_aws_requests_total{");
        self.row.said =
            self.until("every verdict", Duration::from_secs(2), || self.differences(expected).is_empty());
        self.row.first_questions = self.samples().sum("dns_drift_dns_queries_total{");
        self.row.findings = expected.len();
        // Until every name has been asked for both types.
        sleep(Duration::from_secs(15) + Duration::from_secs((2 * self.row.names / QUESTIONS) as u64));
        self.steady();
        self.scrapes();
        let different = self.differences(expected);
        assert!(different.is_empty(), "not what was put in: {different:#?}");
        self.detections();
        self.row
    }

    /// A few new objects that ask for what Route 53 cannot take, one after the other.
    fn detections(&mut self) {
        let mut times = Vec::new();
        for number in 0..DETECTIONS {
            let host = format!("detection-{number}.z0.example.com");
            self.kubernetes.apply(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"namespace": "team-0", "name": format!("detection-{number}"),
                    "annotations": {"external-dns.alpha.kubernetes.io/alias": "true"}},
                "spec": {"ingressClassName": "public", "rules": [{"host": host}]},
                "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.250"}]}}}));
            let (began, label) = (Instant::now(), format!("name=\"{host}\""));
            while !self.program.get("/metrics").unwrap_or_default().contains(&label) {
                assert!(began.elapsed() < PATIENCE, "{host} was not found in time");
                sleep(Duration::from_millis(50));
            }
            times.push(began.elapsed().as_secs_f64());
            // So that they do not meet one and the same round.
            sleep(Duration::from_secs(3));
        }
        self.row.detection = median(times);
    }

    /// Seconds since the start when it became true.
    fn until(&self, what: &str, pause: Duration, is_true: impl Fn() -> bool) -> f64 {
        while !is_true() {
            let late = PATIENCE < self.began.elapsed();
            assert!(!late, "{} names: no {what} in time", self.row.names);
            sleep(pause);
        }
        let took = self.began.elapsed().as_secs_f64();
        eprintln!("{} names: {what} after {took:.1} s", self.row.names);
        took
    }

    fn samples(&self) -> Samples {
        Samples::new(self.program.get("/metrics").unwrap_or_default())
    }

    fn differences(&self, expected: &BTreeSet<Verdict>) -> Vec<Verdict> {
        // Not the report: it lists whatever was kept quiet, too, and the program would pay for that.
        let open = self.program.get("/api/v1/findings?state=open&limit=1000").unwrap_or_default();
        let open: Value = serde_json::from_str(&open).unwrap_or_default();
        Verdict::open_in(&open).symmetric_difference(expected).cloned().collect()
    }

    /// Two minutes in which nothing changes, for each minute.
    fn steady(&mut self) {
        let (began, before, used) = (Instant::now(), self.samples(), Usage::of(self.program.id()));
        let mut rounds = Vec::new();
        while began.elapsed() < STEADY {
            sleep(Duration::from_secs(2));
            rounds.push(self.samples().sum("dns_drift_round_duration_seconds "));
        }
        let (after, usage) = (self.samples(), Usage::of(self.program.id()));
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        let rate = |metric: &str| (after.sum(metric) - before.sum(metric)) / minutes;
        self.row.rounds = rate("dns_drift_rounds_total ");
        self.row.requests = rate("dns_drift_aws_requests_total{");
        self.row.questions = rate("dns_drift_dns_queries_total{");
        self.row.cpu = (usage.cpu - used.cpu) / minutes;
        self.row.round = median(rounds);
        (self.row.resident, self.row.peak) = (usage.resident, usage.peak);
    }

    fn scrapes(&mut self) {
        let mut times = Vec::new();
        for _ in 0..SCRAPES {
            let began = Instant::now();
            let body = self.program.get("/metrics").expect("metrics");
            times.push(began.elapsed().as_secs_f64());
            self.row.scrape_size = body.len();
        }
        self.row.scrape = median(times);
        let mut packed = ureq::get(format!("http://{}/metrics", self.program.listen))
            .header("accept-encoding", "gzip")
            .call()
            .expect("metrics");
        self.row.scrape_gzip = packed.body_mut().read_to_vec().expect("a body").len();
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
