//! The live view against a real name server: knot.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dns_drift::clock::SystemClock;
use dns_drift::live::plan::{ExpectedAnswer, ProbeName, ProbePlan, ProbeZone};
use dns_drift::live::prober::{Prober, ProberSettings};
use dns_drift::live::question::Question;
use dns_drift::live::settings::{Intervals, LiveSettings};
use dns_drift::live::task::{run, sweep};
use dns_drift::model::observation::{Observation, Outcome, Transport, Vantage};
use dns_drift::model::{DomainName, RecordType, ZoneId};
use dns_drift::snapshot::{Reading, ViewState};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const ZONE: &str = r#"
$ORIGIN example.test.
$TTL 300
@        SOA ns1.example.test. hostmaster.example.test. 7 7200 900 1209600 60
@        NS  ns1.example.test.
@        NS  ns2.example.test.
ns1      A   192.0.2.1
ns2      A   192.0.2.2
App      A   203.0.113.10
app      A   203.0.113.11
one      CNAME two
two      CNAME three
three    60 A 203.0.113.12
out      CNAME lb.elsewhere.test.
dangling CNAME gone
*.wild   A   203.0.113.13
deep.ent TXT "below"
child    NS  ns.child.example.org.
big      TXT "@"
"#;

const PARENT: &str = "
$ORIGIN test.
$TTL 3600
@            SOA ns.test. hostmaster.test. 1 7200 900 1209600 60
@            NS  ns.test.
ns           A   192.0.2.9
example      NS  ns1.example.test.
example      NS  ns3.example.test.
example      DS  41207 13 2 C11A72D3198769112A04B673D084C90D40A14B61B634557BABB5D68B84FD6C11
";

/// A running knotd; it ends with the test.
struct Knot {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Knot {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Knot {
    async fn start(zones: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        for inner in ["zones", "run"] {
            std::fs::create_dir(folder.path().join(inner)).unwrap();
        }
        for (name, text) in zones {
            std::fs::write(folder.path().join(format!("zones/{name}.zone")), text).unwrap();
        }
        let config = configuration(folder.path(), address, zones);
        let config_path = folder.path().join("knot.conf");
        std::fs::write(&config_path, config).unwrap();
        let process = Command::new("knotd")
            .arg("-c")
            .arg(&config_path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .expect("knotd is not on the PATH: `apt-get install knot` (it must not start as a service)");
        let knot = Self { process, address, folder };
        knot.wait_until_it_serves(zones).await;
        knot
    }

    async fn wait_until_it_serves(&self, zones: &[(&str, String)]) {
        let serving = async {
            for (name, _) in zones {
                let soa = Question::authoritative((*name).into(), RecordType::Soa);
                loop {
                    // A prober of its own each time, so that the refusals leave no trace.
                    let reply = Prober::new(eager()).ask(self.address, &soa, Transport::Udp).await;
                    if reply.outcome(Vantage::Authoritative) == Outcome::Answer {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        if timeout(Duration::from_secs(20), serving).await.is_err() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
            panic!("knotd does not serve:\n{log}");
        }
    }
}

fn configuration(folder: &Path, address: SocketAddr, zones: &[(&str, String)]) -> String {
    let folder = folder.display();
    let (ip, port) = (address.ip(), address.port());
    let mut text = format!(
        "server:\n    rundir: \"{folder}/run\"\n    listen: [ {ip}@{port} ]\n    udp-workers: 1\n    tcp-workers: 1\n\
         log:\n  - target: stderr\n    any: info\n\
         database:\n    storage: \"{folder}\"\n\
         template:\n  - id: default\n    storage: \"{folder}/zones\"\n    file: \"%s.zone\"\n    zonefile-sync: -1\n    journal-content: none\n\
         zone:\n"
    );
    for (name, _) in zones {
        text.push_str("  - domain: ");
        text.push_str(name);
        text.push('\n');
    }
    text
}

/// An address on loopback whose port is free for both transports.
fn free_address() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind("127.0.53.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn eager() -> ProberSettings {
    let plenty = NonZeroU32::new(100_000).unwrap();
    ProberSettings {
        authoritative_per_second: plenty,
        authoritative_total_per_second: plenty,
        ..ProberSettings::default()
    }
}

fn example_zone() -> String {
    let mut zone = ZONE.to_owned();
    for index in 0..9 {
        let text = "x".repeat(249);
        writeln!(zone, "big TXT \"{index}{text}\"").unwrap();
    }
    zone
}

async fn knot() -> Knot {
    Knot::start(&[("example.test", example_zone())]).await
}

fn settings(map: &[String]) -> LiveSettings {
    LiveSettings {
        server_map: map.iter().map(|line| line.parse().unwrap()).collect(),
        prober: eager(),
        ..LiveSettings::new(Vec::new())
    }
}

fn names(hosts: &[(&str, RecordType)]) -> Vec<Arc<ProbeName>> {
    let probe = |(host, record_type): &(&str, RecordType)| ProbeName {
        name: DomainName::new(host),
        record_types: vec![record_type.clone()],
        expected: Box::new([ExpectedAnswer {
            record_type: record_type.clone(),
            addresses: Box::default(),
            hosts: Box::default(),
            partial: true,
            free: false,
        }]),
        zone_id: Some(ZoneId::new("Z1")),
        name_servers: vec![DomainName::new("ns1.example.test")].into(),
        views: Arc::default(),
        doubtful: true,
        waited: false,
    };
    hosts.iter().map(probe).map(Arc::new).collect()
}

/// One line for each observation: what was asked, over what, and what came.
fn shown(one: &Observation) -> String {
    let section = |records: &[dns_drift::model::observation::AnswerRecord]| {
        let mut data: Vec<String> = records
            .iter()
            .map(|record| {
                let data: String = record.data.chars().take(70).collect();
                format!("{} {} {} {data}", record.name, record.ttl, record.record_type)
            })
            .collect();
        data.sort();
        data.join(", ")
    };
    let transport = if one.transport == Transport::Tcp { "tcp" } else { "udp" };
    format!(
        "{} {}/{transport} {} [{}] [{}]",
        one.name,
        one.record_type,
        one.outcome.as_str(),
        section(&one.answers),
        section(&one.authority)
    )
}

#[tokio::test]
async fn a_sweep_sees_what_the_zone_holds() {
    let knot = knot().await;
    let hosts = [
        ("app.example.test", RecordType::A),
        ("app.example.test.", RecordType::Aaaa),
        ("one.example.test", RecordType::A),
        ("out.example.test", RecordType::A),
        ("dangling.example.test", RecordType::A),
        ("ent.example.test", RecordType::A),
        ("nowhere.example.test", RecordType::A),
        ("www.child.example.test", RecordType::A),
        ("other.org", RecordType::A),
    ];
    let mut seen = Vec::new();
    for host in hosts {
        let plan = ProbePlan { names: names(&[host]), zones: Vec::new() };
        let settings = settings(&[format!("*={}", knot.address)]);
        let prober = Prober::new(settings.prober.clone());
        let (observations, problems) = sweep(settings, &plan, Arc::new(SystemClock), prober).await;
        assert_eq!(problems, []);
        assert!(observations.iter().all(|one| one.rtt_ms.is_some() && &*one.server == "ns1.example.test"));
        seen.extend(observations.iter().map(|one| shown(one)));
    }
    let soa = "example.test 60 SOA ns1.example.test. hostmaster.example.test. 7 7200 900 1209600 60";
    let both = |line: &str| ["udp", "tcp"].map(|transport| line.replace("TRANSPORT", transport));
    let mut expected = Vec::new();
    expected.push("app.example.test A/udp answer [app.example.test 300 A 203.0.113.10, app.example.test 300 A 203.0.113.11] []".to_owned());
    expected.extend(both(&format!("app.example.test AAAA/TRANSPORT nodata [] [{soa}]")));
    expected.push("one.example.test A/udp answer [one.example.test 300 CNAME two.example.test., three.example.test 60 A 203.0.113.12, two.example.test 300 CNAME three.example.test.] []".to_owned());
    expected
        .push("out.example.test A/udp answer [out.example.test 300 CNAME lb.elsewhere.test.] []".to_owned());
    expected.extend(both(&format!("dangling.example.test A/TRANSPORT nxdomain [dangling.example.test 300 CNAME gone.example.test.] [{soa}]")));
    expected.extend(both(&format!("ent.example.test A/TRANSPORT nodata [] [{soa}]")));
    expected.extend(both(&format!("nowhere.example.test A/TRANSPORT nxdomain [] [{soa}]")));
    expected.extend(both(
        "www.child.example.test A/TRANSPORT nodata [] [child.example.test 300 NS ns.child.example.org.]",
    ));
    expected.extend(both("other.org A/TRANSPORT refused [] []"));
    let cut = |line: &String| line.chars().take(150).collect::<String>();
    assert_eq!(seen.iter().map(cut).collect::<Vec<_>>(), expected.iter().map(cut).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_answer_too_large_for_udp_comes_over_tcp() {
    let knot = knot().await;
    let plan = ProbePlan { names: names(&[("big.example.test", RecordType::Txt)]), zones: Vec::new() };
    let settings = settings(&[format!("*={}", knot.address)]);
    let prober = Prober::new(settings.prober.clone());
    let (observations, _) = sweep(settings, &plan, Arc::new(SystemClock), prober).await;
    let [one] = observations.as_slice() else { panic!("{observations:?}") };
    assert_eq!((one.outcome, one.transport, one.answers.len()), (Outcome::Answer, Transport::Tcp, 10));
    assert!(one.answers.iter().any(|record| &*record.data == "\"@\""));
}

#[tokio::test]
async fn a_wildcard_is_asked_for_a_made_up_label() {
    let knot = knot().await;
    let plan = ProbePlan { names: names(&[("*.wild.example.test", RecordType::A)]), zones: Vec::new() };
    let settings = settings(&[format!("*={}", knot.address)]);
    let prober = Prober::new(settings.prober.clone());
    let (observations, _) = sweep(settings, &plan, Arc::new(SystemClock), prober).await;
    let [one] = observations.as_slice() else { panic!("{observations:?}") };
    assert_eq!(one.outcome, Outcome::Answer);
    let label = one.name.labels().next().unwrap();
    assert!(label.len() == 16 && label.bytes().all(|byte| byte.is_ascii_hexdigit()), "{label}");
    assert_eq!(one.name.parent(), Some("wild.example.test".into()));
    assert_eq!(one.answers[0].name, one.name);
}

#[tokio::test]
async fn delegation_is_read_at_the_parent_and_checked_at_every_server() {
    let knot = knot().await;
    let parent = Knot::start(&[("test", PARENT.to_owned())]).await;
    let zone = ProbeZone {
        id: ZoneId::new("Z1"),
        name: "example.test".into(),
        name_servers: vec!["ns1.example.test".into(), "ns2.example.test".into()].into(),
        private: false,
    };
    let private = ProbeZone { id: ZoneId::new("Z2"), private: true, ..zone.clone() };
    let plan = ProbePlan { names: Vec::new(), zones: vec![zone, private] };
    // ns2 is an address where nobody listens; ns3, which only the parent names, has none.
    let dead = free_address();
    let settings = settings(&[
        format!("ns1.example.test={}", knot.address),
        format!("ns2.example.test={dead}"),
        format!("parent={}", parent.address),
    ]);
    let prober = Prober::new(settings.prober.clone());
    let (observations, problems) = sweep(settings, &plan, Arc::new(SystemClock), prober).await;
    assert!(observations.iter().all(|one| one.zone_id.as_deref() == Some("Z1")), "never a private zone");
    let at = |vantage: Vantage, server: &str, record_type: &str| {
        let is_it = |one: &&Arc<Observation>| {
            one.vantage == vantage && &*one.server == server && &*one.record_type == record_type
        };
        observations.iter().filter(is_it).map(|one| shown(one)).collect::<Vec<_>>()
    };
    let parent = parent.address.to_string();
    assert_eq!(
        at(Vantage::Parent, &parent, "NS"),
        [
            "example.test NS/udp answer [] [example.test 3600 NS ns1.example.test., example.test 3600 NS ns3.example.test.]"
        ]
    );
    let signer = at(Vantage::Parent, &parent, "DS");
    assert!(
        signer.len() == 1
            && signer[0].contains("DS 41207 13 2 C11A72D3198769112A04B673D084C90D40A14B61B6345"),
        "{signer:?}"
    );
    let good = at(Vantage::Authoritative, "ns1.example.test", "SOA");
    assert!(
        good.len() == 1 && good[0].starts_with("example.test SOA/udp answer [example.test 300 SOA ns1"),
        "{good:?}"
    );
    assert_eq!(
        at(Vantage::Authoritative, "ns2.example.test", "SOA"),
        ["example.test SOA/udp unreachable [] []", "example.test SOA/tcp unreachable [] []"]
    );
    assert_eq!(
        at(Vantage::Authoritative, "ns3.example.test", "SOA"),
        ["example.test SOA/udp unreachable [] []"]
    );
    let scopes: Vec<&str> = problems.iter().map(|problem| problem.scope.as_str()).collect();
    assert_eq!(scopes, ["ns2.example.test", "ns3.example.test"]);
}

#[tokio::test]
async fn the_task_publishes_follows_the_plan_and_stops() {
    let knot = knot().await;
    let mut settings = settings(&[format!("*={}", knot.address), format!("parent={}", knot.address)]);
    settings.intervals = Intervals { doubtful: Duration::from_millis(50), ..Intervals::default() };
    let prober = Prober::new(settings.prober.clone());
    let (plan, planned) = watch::channel(Arc::new(ProbePlan::default()));
    let (publish, mut readings) = watch::channel(Reading::unread(Vec::new()));
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(run(settings, prober, planned, Arc::new(SystemClock), publish, stop.clone()));

    let app = ("app.example.test", RecordType::A);
    let nowhere = ("nowhere.example.test", RecordType::A);
    let seen = |reading: &Reading<Vec<Arc<Observation>>>, wanted: &[&str]| {
        let mut names: Vec<&str> =
            reading.value().into_iter().flatten().map(|one| one.name.as_str()).collect();
        names.dedup();
        reading.state == ViewState::Read && names == wanted
    };
    plan.send(Arc::new(ProbePlan { names: names(&[app.clone(), nowhere]), zones: Vec::new() })).unwrap();
    let both = ["app.example.test", "nowhere.example.test"];
    let first = timeout(Duration::from_secs(10), readings.wait_for(|reading| seen(reading, &both)));
    let first = first.await.expect("both names in time").unwrap().read_at;
    plan.send(Arc::new(ProbePlan { names: names(&[app]), zones: Vec::new() })).unwrap();
    let one = timeout(Duration::from_secs(10), readings.wait_for(|reading| seen(reading, &both[..1])));
    assert!(first < one.await.expect("one name in time").unwrap().read_at);

    stop.cancel();
    let ended = timeout(Duration::from_secs(5), tasks.join_next()).await.expect("stops in time");
    ended.expect("one task").expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_of_three_seconds_takes_no_name_away() {
    let knot = knot().await;
    let rate = NonZeroU32::new(1_000).unwrap();
    let prober = Prober::new(ProberSettings { authoritative_per_second: rate, ..eager() });
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &knot.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    let mut asking = JoinSet::new();
    for index in 0..2_000 {
        let (prober, address) = (prober.clone(), knot.address);
        let question =
            Question::authoritative(format!("n{index}.wild.example.test").as_str().into(), RecordType::A);
        asking.spawn(async move { prober.ask(address, &question, Transport::Udp).await });
    }
    let mut outcomes = std::collections::BTreeMap::new();
    let mut ended = 0;
    while let Some(reply) = asking.join_next().await {
        *outcomes.entry(reply.unwrap().outcome(Vantage::Authoritative).as_str()).or_insert(0) += 1;
        ended += 1;
        if ended == 500 {
            signal("-STOP");
            // The stall itself, not a wait for something.
            tokio::time::sleep(Duration::from_secs(3)).await;
            signal("-CONT");
        }
    }
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), [("answer", 2_000)]);
    let stats = prober.stats()[&knot.address];
    assert!(0 < stats.retries && stats.retries <= 3 * 128, "{stats:?}");
}
