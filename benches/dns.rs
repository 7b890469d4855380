//! What asking costs: the prober beside dnsperf, massdns and `blackbox_exporter`, against one knot on
//! loopback, in one run.
//!
//! `cargo bench --bench dns` prints a table; `DNS_DRIFT_BENCH_NAMES` sets another number of names. A
//! program that is not installed has no row. CPU is user and system time of the client alone.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::panic,
    missing_docs,
    reason = "a bench may panic"
)]

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dns_drift::clock::SystemClock;
use dns_drift::live::plan::{ExpectedAnswer, ProbeName, ProbePlan};
use dns_drift::live::prober::{Prober, ProberSettings};
use dns_drift::live::question::Question;
use dns_drift::live::settings::LiveSettings;
use dns_drift::live::task::{sweep, sweep_to};
use dns_drift::model::observation::{Observation, Outcome, Transport, Vantage};
use dns_drift::model::{DomainName, RecordType, ZoneId};
use tokio::task::JoinSet;
use tokio::time::Instant;

const ZONE: &str = "bench.test";
/// Ticks of the CPU times under /proc: always 100 on Linux.
const TICKS: f64 = 100.0;
const IN_FLIGHT: usize = 100;
/// Questions for `blackbox_exporter`, which is slow.
const FEW: usize = 2_000;

struct Row {
    client: String,
    questions: usize,
    seconds: f64,
    cpu: f64,
    failed: usize,
}

/// Ends with the bench.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn main() {
    // `cargo test --benches` only asks whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    let names =
        std::env::var("DNS_DRIFT_BENCH_NAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let _knot = knot(folder.path(), address, names);
    runtime.block_on(ready(address));

    // First, so that what others have left in the allocator is not counted as free.
    runtime.block_on(paced(address, names, false));
    runtime.block_on(paced(address, names, true));
    let mut rows = vec![runtime.block_on(prober(address, names))];
    rows.extend(dnsperf(folder.path(), address, names));
    rows.extend(massdns(folder.path(), address, names));
    rows.extend(runtime.block_on(blackbox(folder.path(), address)));
    println!(
        "| client | questions | queries/s | CPU s per 10,000 | failed |\n| --- | --- | --- | --- | --- |"
    );
    for Row { client, questions, seconds, cpu, failed } in rows {
        let (rate, per) = (questions as f64 / seconds, cpu * 10_000.0 / questions as f64);
        println!("| {client} | {questions} | {rate:.0} | {per:.3} | {failed} |");
    }
}

fn free_address() -> SocketAddr {
    loop {
        let address = UdpSocket::bind("127.0.64.1:0").unwrap().local_addr().unwrap();
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn host(index: usize) -> String {
    format!("n{index}.{ZONE}")
}

fn knot(folder: &Path, address: SocketAddr, names: usize) -> Running {
    let mut zone = format!(
        "$ORIGIN {ZONE}.\n$TTL 60\n@ SOA ns.{ZONE}. h.{ZONE}. 1 7200 900 1209600 60\n@ NS ns.{ZONE}.\nns A 192.0.2.1\n"
    );
    for index in 0..names {
        writeln!(zone, "n{index} A 192.0.2.1\nn{index} AAAA 2001:db8::1").unwrap();
    }
    std::fs::write(folder.join("zone"), zone).unwrap();
    let dir = folder.display();
    let config = format!(
        "server:\n    rundir: \"{dir}\"\n    listen: {}@{}\n    udp-workers: 1\n    tcp-workers: 1\n\
         database:\n    storage: \"{dir}\"\n\
         zone:\n  - domain: {ZONE}\n    file: \"{dir}/zone\"\n    zonefile-sync: -1\n    journal-content: none\n",
        address.ip(),
        address.port()
    );
    std::fs::write(folder.join("knot.conf"), config).unwrap();
    let mut command = Command::new("knotd");
    command.arg("-c").arg(folder.join("knot.conf")).stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().expect("knotd: Debian package knot"))
}

async fn ready(address: SocketAddr) {
    let question = Question::authoritative(ZONE.into(), RecordType::Soa);
    for _ in 0..500 {
        let reply = Prober::new(ProberSettings::default()).ask(address, &question, Transport::Udp).await;
        if reply.outcome(Vantage::Authoritative) == Outcome::Answer {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("knotd does not serve");
}

fn settings(per_second: u32) -> ProberSettings {
    let rate = NonZeroU32::new(per_second).unwrap();
    ProberSettings {
        authoritative_per_second: rate,
        authoritative_total_per_second: rate,
        ..ProberSettings::default()
    }
}

async fn prober(address: SocketAddr, names: usize) -> Row {
    let prober = Prober::new(settings(10_000_000));
    let (next, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (start, cpu) = (Instant::now(), own_cpu());
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (prober, next, failed) = (prober.clone(), Arc::clone(&next), Arc::clone(&failed));
        workers.spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if names <= index {
                    break;
                }
                let question = Question::authoritative(host(index).as_str().into(), RecordType::A);
                let reply = prober.ask(address, &question, Transport::Udp).await;
                if reply.outcome(Vantage::Authoritative) != Outcome::Answer {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while workers.join_next().await.is_some() {}
    Row {
        client: "dns-drift".to_owned(),
        questions: names,
        seconds: start.elapsed().as_secs_f64(),
        cpu: own_cpu() - cpu,
        failed: failed.load(Ordering::Relaxed),
    }
}

/// A whole sweep at the pace of a minute: the asking alone, or as `check --sweep` makes it, which keeps every
/// answer.
async fn paced(address: SocketAddr, names: usize, keep: bool) {
    let expected = |record_type: RecordType, value: &str| ExpectedAnswer {
        record_type,
        addresses: [value.parse().unwrap()].into(),
        hosts: Box::default(),
        partial: false,
        free: false,
    };
    let name_servers: Arc<[DomainName]> = vec!["ns.bench.test".into()].into();
    let name = |index: usize| ProbeName {
        name: host(index).as_str().into(),
        record_types: vec![RecordType::A, RecordType::Aaaa],
        expected: Box::new([expected(RecordType::A, "192.0.2.1"), expected(RecordType::Aaaa, "2001:db8::1")]),
        zone_id: Some(ZoneId::new("Z1")),
        name_servers: Arc::clone(&name_servers),
        views: Arc::default(),
        doubtful: false,
        waited: false,
    };
    let plan = ProbePlan { names: (0..names).map(name).map(Arc::new).collect(), zones: Vec::new() };
    let mut live = LiveSettings::new(Vec::new()).for_sweep();
    live.server_map = [format!("*={address}").parse().unwrap()].into_iter().collect();
    live.prober = settings(1_850);
    let prober = Prober::new(live.prober.clone());
    let (start, cpu, memory) = (Instant::now(), own_cpu(), resident());
    let (mut asked, mut failed) = (0_usize, 0_usize);
    let mut count = |one: &Observation| {
        asked += 1;
        failed += usize::from(one.outcome != Outcome::Answer);
    };
    let mut kept = Vec::new();
    if keep {
        (kept, _) = sweep(live, &plan, Arc::new(SystemClock), prober).await;
        for one in &kept {
            count(one);
        }
    } else {
        sweep_to(live, &plan, Arc::new(SystemClock), prober, |one| count(&one)).await;
    }
    println!(
        "A paced sweep of {names} names x 2 types, {} answers kept: {:.1} s, {:.2} CPU s, {} MiB more, {asked} observations, {failed} failed\n",
        kept.len(),
        start.elapsed().as_secs_f64(),
        own_cpu() - cpu,
        resident().saturating_sub(memory) >> 10,
    );
}

fn dnsperf(folder: &Path, address: SocketAddr, names: usize) -> Option<Row> {
    let mut questions = String::new();
    for index in 0..names {
        writeln!(questions, "{} A", host(index)).unwrap();
    }
    std::fs::write(folder.join("questions"), questions).unwrap();
    let mut command = Command::new("dnsperf");
    command.args(["-s", &address.ip().to_string(), "-p", &address.port().to_string(), "-n", "1"]);
    command.args(["-q", &IN_FLIGHT.to_string(), "-d"]).arg(folder.join("questions"));
    measured("dnsperf", command, names)
}

fn massdns(folder: &Path, address: SocketAddr, names: usize) -> Option<Row> {
    let hosts = (0..names).map(|index| format!("{}\n", host(index))).collect::<Vec<_>>().concat();
    std::fs::write(folder.join("hosts"), hosts).unwrap();
    std::fs::write(folder.join("resolvers"), format!("{address}\n")).unwrap();
    let mut command = Command::new("massdns");
    command.args(["-q", "-t", "A", "-o", "Snl", "-s", &IN_FLIGHT.to_string(), "-r"]);
    command.arg(folder.join("resolvers")).arg(folder.join("hosts"));
    measured("massdns", command, names)
}

fn measured(client: &str, mut command: Command, questions: usize) -> Option<Row> {
    let (start, cpu) = (Instant::now(), childrens_cpu());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    let seconds = start.elapsed().as_secs_f64();
    let failed = usize::from(!status.success());
    Some(Row { client: client.to_owned(), questions, seconds, cpu: childrens_cpu() - cpu, failed })
}

async fn blackbox(folder: &Path, address: SocketAddr) -> Option<Row> {
    let config = format!(
        "modules:\n  dns:\n    prober: dns\n    timeout: 3s\n    dns:\n      query_name: {}\n      query_type: A\n",
        host(1)
    );
    std::fs::write(folder.join("blackbox.yml"), config).unwrap();
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("prometheus-blackbox-exporter");
    command.arg(format!("--config.file={}", folder.join("blackbox.yml").display()));
    command.arg(format!("--web.listen-address={listen}")).stdout(Stdio::null()).stderr(Stdio::null());
    let exporter = Running(command.spawn().ok()?);
    let url = Arc::new(format!("http://{listen}/probe?module=dns&target={address}"));
    let get = |agent: ureq::Agent, url: Arc<String>| {
        let body =
            agent.get(&*url).call().ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
        body.is_some_and(|body| body.contains("probe_success 1"))
    };
    for _ in 0..200 {
        let (url, agent) = (Arc::clone(&url), ureq::agent());
        if tokio::task::spawn_blocking(move || get(agent, url)).await.unwrap() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (start, cpu) = (Instant::now(), cpu_of(&exporter.0.id().to_string()).0);
    let mut clients = JoinSet::new();
    for _ in 0..10 {
        let url = Arc::clone(&url);
        clients.spawn_blocking(move || {
            let agent = ureq::agent();
            (0..FEW / 10).filter(|_| !get(agent.clone(), Arc::clone(&url))).count()
        });
    }
    let mut failed = 0;
    while let Some(lost) = clients.join_next().await {
        failed += lost.unwrap();
    }
    let cpu = cpu_of(&exporter.0.id().to_string()).0 - cpu;
    Some(Row {
        client: "blackbox_exporter".to_owned(),
        questions: FEW,
        seconds: start.elapsed().as_secs_f64(),
        cpu,
        failed,
    })
}

/// CPU seconds of a process, and of its children that have ended. Source: proc(5), `stat`.
fn cpu_of(process: &str) -> (f64, f64) {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let words: Vec<f64> =
        text.rsplit_once(')').unwrap().1.split_whitespace().map(|word| word.parse().unwrap_or(0.0)).collect();
    ((words[11] + words[12]) / TICKS, (words[13] + words[14]) / TICKS)
}

fn own_cpu() -> f64 {
    cpu_of("self").0
}

fn childrens_cpu() -> f64 {
    cpu_of("self").1
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
