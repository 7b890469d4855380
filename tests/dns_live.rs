//! From real name servers to findings: knot and unbound on loopback addresses answer, the whole
//! program asks, and says what is wrong and nothing else.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/name_servers.rs"]
mod name_servers;
#[path = "dns_live/network.rs"]
mod network;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::config::Credentials;
use dns_drift::changes::follow::FollowSettings;
use dns_drift::clock::SystemClock;
use dns_drift::desired::client::KubeSettings;
use dns_drift::desired::watch::WatchSettings;
use dns_drift::emulator::kubernetes::Kubernetes;
use dns_drift::emulator::route53::{Change, Route53, ZoneOptions};
use dns_drift::emulator::zones::RecordSet;
use dns_drift::live::settings::{LiveSettings, ResolverSettings};
use dns_drift::once::Observer;
use dns_drift::policy::{NetworkView, Policy};
use dns_drift::publish::trace;
use dns_drift::recorded::route53::Route53Settings;
use dns_drift::run::feeds::FeedSettings;
use dns_drift::run::{RunSettings, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use network::{CONTROL, Network, VPC, VPC_CONTROL, ZONES};

const PATIENT: Duration = Duration::from_mins(2);

/// Cluster and account; the name servers are the real ones of the network.
struct World {
    kubernetes: Kubernetes,
    route53: Route53,
    /// Zone ids by name.
    zones: BTreeMap<&'static str, String>,
}

impl World {
    fn start(network: &Network, tasks: &mut JoinSet<()>, stop: &CancellationToken) -> Self {
        let kubernetes = Kubernetes::start(tasks, stop.clone(), Arc::new(SystemClock)).unwrap();
        let route53 = Route53::start(tasks, stop.clone(), Arc::new(SystemClock)).unwrap();
        let mut zones = BTreeMap::new();
        for (name, servers) in ZONES {
            let servers = servers.iter().map(|server| format!("{server}.")).collect();
            let options = ZoneOptions { delegation_set: Some(servers), ..ZoneOptions::default() };
            let id = route53.create_zone(&format!("{name}."), options);
            let soa = format!("{}. hostmaster.{name}. 1 7200 900 1209600 1", network::SERVERS[0]);
            let soa = RecordSet::simple(&format!("{name}."), "SOA", 1, &[&soa]);
            route53.change(&id, vec![Change::upsert(soa)], "terraform").unwrap();
            zones.insert(*name, id);
        }
        for (zone, ds) in &network.signed {
            let status = if *zone == "unkeyed.test" { "ACTION_NEEDED" } else { "SIGNING" };
            route53.set_dnssec(&zones[zone], status, std::slice::from_ref(ds));
        }
        let vpcs = vec![("eu-west-1".to_owned(), VPC.to_owned())];
        let private = ZoneOptions { private: true, vpcs, ..ZoneOptions::default() };
        zones.insert("private", route53.create_zone("split.test.", private));
        let world = Self { kubernetes, route53, zones };
        world.external_dns();
        world
    }

    fn external_dns(&self) {
        let containers = json!([{"name": "external-dns",
            "image": "registry.k8s.io/external-dns/external-dns:v0.14.2",
            "args": ["--source=ingress", "--provider=aws", "--policy=sync", "--aws-zone-type=public",
                     "--txt-owner-id=gke-prod", "--interval=1s"]}]);
        self.kubernetes.apply(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "dns", "name": "external-dns"},
            "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}}}));
    }

    /// An Ingress with its address or host name, and everything that ExternalDNS writes for it.
    fn publish(&self, zone: &str, host: &str, target: &str) {
        self.ingress(host, target);
        self.record(zone, host, target);
    }

    fn ingress(&self, host: &str, target: &str) {
        let name = host.replace(['.', '*'], "-").trim_start_matches('-').to_owned();
        self.kubernetes.apply(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"namespace": "shop", "name": name}, "spec": {"rules": [{"host": host}]}}));
        let kind = if target.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "hostname" };
        let status = json!({"loadBalancer": {"ingress": [{kind: target}]}});
        assert!(self.kubernetes.set_status("Ingress", "shop", &name, status));
    }

    fn record(&self, zone: &str, host: &str, target: &str) {
        let is_ip = target.parse::<std::net::IpAddr>().is_ok();
        let kind = if is_ip { "A" } else { "CNAME" };
        let heritage =
            "\"heritage=external-dns,external-dns/owner=gke-prod,external-dns/resource=ingress/shop/x\"";
        let typed = format!("{}-{}.", kind.to_ascii_lowercase(), host);
        let mut changes = vec![
            Change::upsert(RecordSet::simple(&format!("{host}."), kind, 1, &[target])),
            Change::upsert(RecordSet::simple(&typed, "TXT", 1, &[heritage])),
        ];
        if is_ip {
            changes.push(Change::upsert(RecordSet::simple(&format!("{host}."), "TXT", 1, &[heritage])));
        }
        self.route53.change(&self.zones[zone], changes, "external-dns").expect("accepted");
    }
}

fn settings(world: &World, network: &Network, kubeconfig: &std::path::Path) -> RunSettings {
    let vpc = ResolverSettings {
        control_name: Some(VPC_CONTROL.into()),
        ..ResolverSettings::new(network.vpc, "vpc")
    };
    let mut live = LiveSettings::new(vec![
        ResolverSettings::new(network.validating, "public"),
        ResolverSettings::new(network.lying, "public"),
        vpc,
    ]);
    live.server_map = network.server_map().iter().map(|line| line.parse().expect("a line")).collect();
    live.control_name = CONTROL.into();
    live.intervals.doubtful = Duration::from_secs(1);
    live.intervals.stable = Duration::from_secs(2);
    live.intervals.zone = Duration::from_secs(2);
    live.intervals.first_publish = Duration::from_secs(10);
    live.prober.tries = vec![Duration::from_millis(300); 2];
    live.prober.tcp_timeout = Duration::from_secs(1);
    let second = Duration::from_secs(1);
    RunSettings {
        state_dir: None,
        policy: Policy {
            interval: second,
            sync_floor: second,
            new_object: second,
            first_address: second,
            deleted_floor: second,
            propagation: second,
            views: vec![NetworkView {
                name: "vpc".into(),
                vpc_id: Some(VPC.into()),
                resolves_public: true,
                internal: false,
            }],
            ..Policy::default()
        },
        kube: KubeSettings { kubeconfig: Some(kubeconfig.to_owned()), ..KubeSettings::default() },
        watch: WatchSettings { publish_every: Duration::from_millis(100), ..WatchSettings::default() },
        route53: Route53Settings {
            endpoint_url: Some(world.route53.url()),
            credentials: Some(Credentials::new("id", "secret", None, None, "test")),
            requests_per_second: 5.0,
            interval: second,
            ..Route53Settings::default()
        },
        live,
        follow: FollowSettings::default(),
        feeds: FeedSettings::default(),
        min_round: Duration::from_millis(500),
        max_finding_series: 100,
        max_record_series: 0,
        config_text: "{}".into(),
        assumed: None,
        web_config_file: None,
        leader: None,
    }
}

/// Open findings: `subject kind reason`.
fn open(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().into_iter().flatten();
    let open = findings.filter(|one| one["state"] == "open");
    let word = |one: &Value, member: &str| one[member].as_str().unwrap_or_default().to_owned();
    let row = |one: &Value| format!("{} {} {}", word(one, "subject"), word(one, "kind"), word(one, "reason"));
    let mut rows: Vec<String> = open.map(row).collect();
    rows.sort();
    rows
}

async fn report(base: &str) -> Value {
    let url = format!("{base}/api/v1/report");
    let asking = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let mut answer = ureq::Agent::new_with_config(config).get(&url).call().ok()?;
        serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
    });
    asking.await.expect("no panic").unwrap_or(Value::Null)
}

/// Polls the report until exactly these findings are open.
async fn until(base: &str, expected: &[&str]) -> Value {
    let deadline = Instant::now() + PATIENT;
    let mut expected: Vec<String> = expected.iter().map(|row| (*row).to_owned()).collect();
    expected.sort();
    loop {
        let report = report(base).await;
        let rows = open(&report);
        if rows == expected {
            return report;
        }
        assert!(
            Instant::now() < deadline,
            "expected {expected:#?}\nopen: {rows:#?}\nproblems: {:#}\nsilent: {:#}\nall: {:#}",
            report["views"],
            report["silent"],
            report["findings"]
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn start_program(
    world: &World,
    network: &Network,
    kubeconfig: &std::path::Path,
    stop: &CancellationToken,
) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let settings = settings(world, network, kubeconfig);
    let mut program = JoinSet::new();
    let stop = stop.clone();
    program.spawn(async move {
        Box::pin(serve(settings, listener, Arc::new(SystemClock), stop)).await.expect("no error");
    });
    (format!("http://{address}"), program)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_real_servers_answer_becomes_the_right_findings() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let network = Network::start().await;
    let world = World::start(&network, &mut tasks, &stop);
    let mut kubeconfig = tempfile::NamedTempFile::new().expect("file");
    kubeconfig.write_all(world.kubernetes.kubeconfig().as_bytes()).expect("written");
    for (zone, _) in ZONES {
        world.publish(zone, &format!("app.{zone}"), "203.0.113.10");
    }
    world.publish("good.test", "*.wild.good.test", "203.0.113.10");
    world.publish("good.test", "x.b.wild.good.test", "203.0.113.10");
    world.publish("good.test", "lb.good.test", "lb.elsewhere.net");
    world.publish("good.test", "dead.good.test", "dead.elsewhere.net");
    world.record("good.test", "cdn.good.test", "shop-cdn.azurewebsites.net");
    world.ingress("missing.good.test", "203.0.113.10");
    world.publish("good.test", "rewritten.good.test", "203.0.113.10");
    world.publish("split.test", "leak.split.test", "203.0.113.10");
    for host in ["app", "leak"] {
        let inside = RecordSet::simple(&format!("{host}.split.test."), "A", 1, &["10.0.0.9"]);
        world.route53.change(&world.zones["private"], vec![Change::upsert(inside)], "terraform").unwrap();
    }
    let (base, _program) = start_program(&world, &network, kubeconfig.path(), &stop).await;

    let standing = [
        "zone/lame.test delegation_broken lame_partial",
        "zone/upward.test delegation_broken lame_partial",
        "zone/wrong.test delegation_broken delegated_elsewhere",
        "zone/nobody.test delegation_broken not_delegated",
        "zone/bogus.test dnssec_broken ds_mismatch",
        "zone/forged.test dnssec_broken validation_fails",
        "zone/unkeyed.test dnssec_broken signing_error",
        "app.old.test/A auth_mismatch ns_disagree",
        "b.wild.good.test/A wildcard_shadow empty_non_terminal",
        "dead.good.test/CNAME target_unresolvable nxdomain",
        "cdn.good.test/CNAME dangling_record claimable_service",
        "missing.good.test/A missing_record absent",
        "rewritten.good.test/A resolver_mismatch rewritten",
        "leak.split.test/A resolver_mismatch other_view",
    ];
    until(&base, &standing).await;

    // One look by hand shows the same, question by question.
    let mut observer =
        Observer::new(settings(&world, &network, kubeconfig.path()), Arc::new(SystemClock)).await.unwrap();
    let checked = Box::pin(observer.check(Duration::from_secs(2))).await;
    assert!(checked.findings.iter().any(|one| one.subject.to_string() == "zone/lame.test"));
    let shown = trace::text(&observer.trace(&"app.good.test".into()).await, &"app.good.test".into());
    for words in [
        "The parent's servers\n; 127.0.61.16:",
        "ns-4.dns-set.org app.good.test. A udp no rd: ",
        "NOERROR (answer), flags aa\n  app.good.test. 1 IN A 203.0.113.10\n",
        " (public) app.good.test. A udp rd: ",
        // The zone is signed, and one of the resolvers validates.
        "NOERROR (answer), flags ad\n  app.good.test. ",
        " (vpc) control.corp.internal. A udp rd: ",
        "authority good.test. 300 IN NS ns-1.dns-set.org.\n",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    let unknown = trace::text(&observer.trace(&"nobody.good.test".into()).await, &"nobody.good.test".into());
    assert!(unknown.contains("NXDOMAIN (nxdomain), flags aa"), "{unknown}");
    assert!(unknown.contains("\nNot asked for the name: "), "{unknown}");

    // The lying resolver keeps what it has seen once; the other one goes with the time to live.
    network.ask_lying("new.stale.test").await;
    network.serve_stale(2, "app A 203.0.113.20\nnew A 203.0.113.10\n");
    world.publish("stale.test", "app.stale.test", "203.0.113.20");
    world.publish("stale.test", "new.stale.test", "203.0.113.10");
    let mut all = standing.to_vec();
    all.extend(["app.stale.test/A resolver_stale positive", "new.stale.test/A resolver_stale negative"]);
    let report = until(&base, &all).await;
    let zones = report["findings"].as_array().unwrap();
    let bogus = zones.iter().find(|one| one["subject"] == "zone/bogus.test").unwrap();
    assert!(bogus["evidence"].to_string().contains("answers it with checking disabled"), "{bogus:#}");
    stop.cancel();
}
