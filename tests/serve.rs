//! The whole program against emulated Kubernetes, Route 53 and DNS: a refused change becomes an
//! open finding.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::config::Credentials;
use dns_drift::changes::follow::FollowSettings;
use dns_drift::changes::lookup::LookupSettings;
use dns_drift::clock::{Clock, SystemClock};
use dns_drift::desired::client::KubeSettings;
use dns_drift::desired::watch::WatchSettings;
use dns_drift::emulator::dns::CONTROL_NAME;
use dns_drift::emulator::kubernetes::{KubeFault, KubeFaultKind};
use dns_drift::finding::State;
use dns_drift::live::settings::{LiveSettings, ResolverSettings};
use dns_drift::model::DomainName;
use dns_drift::once::Observer;
use dns_drift::policy::Policy;
use dns_drift::recorded::route53::Route53Settings;
use dns_drift::recording::write::write_recording;
use dns_drift::replay::replay;
use dns_drift::report::Report;
use dns_drift::run::feeds::FeedSettings;
use dns_drift::run::{RunError, RunSettings, serve};
use dns_drift::state::StateFile;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use world::World;

const PATIENT: Duration = Duration::from_mins(1);

fn settings(world: &World, kubeconfig: &std::path::Path) -> RunSettings {
    let resolver = ResolverSettings::new(world.dns.resolver(), "public");
    let mut live = LiveSettings::new(vec![resolver]);
    let lines = world.dns.server_map().into_iter().map(|(name, address)| format!("{name}={address}"));
    let lines = lines.chain([format!("parent={}", world.dns.parent())]);
    live.server_map = lines.map(|line| line.parse().expect("a line")).collect();
    live.control_name = DomainName::new(CONTROL_NAME);
    live.intervals.doubtful = Duration::from_secs(1);
    live.intervals.first_publish = Duration::from_secs(3);
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
        follow: FollowSettings { first_pause: Duration::from_millis(100), ..FollowSettings::default() },
        feeds: FeedSettings::default(),
        min_round: Duration::from_millis(200),
        max_finding_series: 100,
        max_record_series: 1,
        config_text: "{}".into(),
        assumed: None,
        web_config_file: None,
        leader: None,
    }
}

async fn get(url: String) -> (u16, String) {
    let asking = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent = ureq::Agent::new_with_config(config);
        let mut answer = agent.get(&url).call().ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
    });
    asking.await.expect("no panic").unwrap_or((0, String::new()))
}

/// Polls the report until it is as wanted.
async fn until(base: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENT;
    loop {
        let (status, text) = get(format!("{base}/api/v1/report")).await;
        let report: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status == 200 && wanted(&report) {
            return report;
        }
        assert!(Instant::now() < deadline, "not in time: {what}; last: {status} {text}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn open<'a>(report: &'a Value, subject: &str) -> Option<&'a Value> {
    let findings = report["findings"].as_array()?;
    findings.iter().find(|finding| finding["subject"] == subject && finding["state"] == "open")
}

/// Open findings of a report, as far as two reports of one world must agree.
fn verdicts(report: &Report) -> BTreeSet<String> {
    let open = report.findings.iter().filter(|finding| finding.state == State::Open);
    open.map(|one| format!("{} {} {} {:?}", one.subject, one.kind, one.reason, one.cause)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_of_a_hostile_world_gives_the_verdicts_of_the_live_check() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.records("healthy.example.com");
    world.ingress("healthy", "healthy.example.com", &json!({}));
    world.ingress(
        "realtime",
        "realtime.example.com",
        &json!({"external-dns.alpha.kubernetes.io/alias": "true"}),
    );
    world.refused("realtime.example.com");
    let long = format!("{}.example.com", "a".repeat(10_000));
    world.ingress("long", &long, &json!({}));
    world.ingress("control", "a\u{1b}[31m\n.example.com", &json!({}));
    let broken = json!({"external-dns.alpha.kubernetes.io/ttl": "soon",
        "external-dns.alpha.kubernetes.io/target": "203.0.113.10.",
        "external-dns.alpha.kubernetes.io/aws-weight": "heavy"});
    world.ingress("broken", "healthy.example.com", &broken);
    world.kubernetes.append_log("dns", world::POD, "external-dns", &"x".repeat(1 << 20));
    let mut kubeconfig = tempfile::NamedTempFile::new().expect("file");
    kubeconfig.write_all(world.kubernetes.kubeconfig().as_bytes()).expect("written");

    let pause = Duration::from_secs(3);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = || settings(&world, kubeconfig.path());
    let mut live = Observer::new(settings(), Arc::clone(&clock)).await.expect("a client");
    let live = live.check(pause).await;
    let mut recorder = Observer::new(settings(), clock).await.expect("a client");
    let mut rounds = vec![recorder.record().await];
    tokio::time::sleep(pause).await;
    rounds.push(recorder.record().await);
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path().join("recording");
    let windows = json!({"sync_floor": "1s", "new_object": "1s", "first_address": "1s",
        "deleted_floor": "1s", "propagation": "1s"});
    let config = json!({"interval": "10s", "windows": windows});
    write_recording(&dir, &rounds, Some(&config)).expect("written");
    let replayed = replay(&dir).expect("judged");

    let found = verdicts(&live);
    assert_eq!(found, verdicts(&replayed));
    let said = |words: &str| found.iter().any(|row| row.contains(words));
    assert!(said("realtime.example.com/A failed_change alias_target_not_in_zone"), "{found:#?}");
    assert!(said("invalid_desired label_too_long") && said("invalid_desired bad_chars"), "{found:#?}");
    assert!(!said("healthy.example.com/A missing_record"), "{found:#?}");
    let text = serde_json::to_string(&replayed).expect("JSON");
    assert!(text.len() < 100_000, "{} bytes", text.len());
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_alias_is_found_and_the_healthy_name_stays_quiet() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.records("healthy.example.com");
    world.ingress("healthy", "healthy.example.com", &json!({}));
    let mut kubeconfig = tempfile::NamedTempFile::new().expect("file");
    kubeconfig.write_all(world.kubernetes.kubeconfig().as_bytes()).expect("written");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (running, mut serving) = (stop.child_token(), settings(&world, kubeconfig.path()));
    let state = tempfile::tempdir().expect("folder");
    serving.state_dir = Some(state.path().to_owned());
    let mut program = JoinSet::new();
    program.spawn(serve(serving, listener, Arc::new(SystemClock), running.clone()));

    let report = until(&base, "all four views", |report| {
        ["kubernetes", "route53", "dns", "changes"]
            .iter()
            .all(|view| report["views"][view]["state"] == "read")
    });
    let report = report.await;
    assert_eq!(report["instances"][0]["id"], "gke-prod");
    assert!(open(&report, "healthy.example.com/A").is_none(), "{report:#}");

    let annotations = json!({"external-dns.alpha.kubernetes.io/alias": "true"});
    world.ingress("realtime", "realtime.example.com", &annotations);
    world.refused("realtime.example.com");
    let subject = "realtime.example.com/A";
    let report = until(&base, "the refused change", |report| open(report, subject).is_some()).await;
    let finding = open(&report, subject).expect("open");
    assert_eq!(finding["kind"], "failed_change", "{finding:#}");
    assert_eq!(finding["reason"], "alias_target_not_in_zone", "{finding:#}");
    assert!(open(&report, "healthy.example.com/A").is_none(), "{report:#}");

    // A new host that arrives is timed.
    world.ingress("fresh", "fresh.example.com", &json!({}));
    world.records("fresh.example.com");
    let arrived = "dns_drift_convergence_duration_seconds_count{stage=\"live\"} 1\n";
    let deadline = Instant::now() + PATIENT;
    while !get(format!("{base}/metrics")).await.1.contains(arrived) {
        assert!(Instant::now() < deadline, "{}", get(format!("{base}/metrics")).await.1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // Every wanted record has a series where they are wanted, up to the limit.
    let (_, metrics) = get(format!("{base}/metrics")).await;
    assert_eq!(metrics.matches("\ndns_drift_record_in_sync{").count(), 1, "{metrics}");
    assert!(metrics.contains("\ndns_drift_record_series_omitted 2\n"), "{metrics}");
    assert!(metrics.contains("ListResourceRecordSets"), "{metrics}");
    running.cancel();
    let ended = tokio::time::timeout(PATIENT, program.join_next()).await.expect("stops in time");
    ended.expect("one task").expect("no panic").expect("no error");
    let kept = StateFile::open(state.path()).expect("a folder").load().expect("readable");
    let kept = kept.expect("a state");
    let kept: Vec<_> = kept.history.tracks().map(|track| track.candidate.key.subject.to_string()).collect();
    assert!(kept.iter().any(|one| one == subject), "{kept:?}");
    stop.cancel();
}

/// The program in one run after another, with its state.
struct Runs {
    running: CancellationToken,
    program: JoinSet<Result<(), RunError>>,
    base: String,
}

impl Runs {
    async fn start(settings: RunSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let (running, mut program) = (CancellationToken::new(), JoinSet::new());
        program.spawn(serve(settings, listener, Arc::new(SystemClock), running.clone()));
        Self { running, program, base }
    }

    async fn stop(mut self) {
        self.running.cancel();
        let ended = tokio::time::timeout(PATIENT, self.program.join_next()).await.expect("stops in time");
        ended.expect("one task").expect("no panic").expect("no error");
    }

    /// What is not over about a subject, in each of the reports of the next time.
    async fn says(&self, subject: &str, during: Duration) -> BTreeSet<String> {
        let (mut said, start) = (BTreeSet::new(), Instant::now());
        while start.elapsed() < during {
            let (status, text) = get(format!("{}/api/v1/report", self.base)).await;
            if status == 200 {
                let report: Value = serde_json::from_str(&text).expect("JSON");
                let findings = report["findings"].as_array().expect("findings").iter();
                let told: Vec<String> = findings
                    .filter(|one| one["subject"] == subject && one["state"] != "resolved")
                    .map(|one| format!("{} {}", one["kind"], one["state"]))
                    .collect();
                said.insert(format!("{} {}", told.join(", "), report["views"]["changes"]["state"]));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        said
    }
}

/// Whoever told of a refusal may be gone after a restart, or silent: what was told is remembered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_no_refusal() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    let annotations = json!({"external-dns.alpha.kubernetes.io/alias": "true"});
    let subject = "realtime.example.com/A";
    world.ingress("realtime", "realtime.example.com", &annotations);
    world.refused("realtime.example.com");
    let mut kubeconfig = tempfile::NamedTempFile::new().expect("file");
    kubeconfig.write_all(world.kubernetes.kubeconfig().as_bytes()).expect("written");
    let state = tempfile::tempdir().expect("folder");
    let settings = || {
        let mut settings = settings(&world, kubeconfig.path());
        settings.state_dir = Some(state.path().to_owned());
        settings.follow.start_within = Duration::from_secs(4);
        settings
    };
    let run = Runs::start(settings()).await;
    let is_told = |report: &Value| open(report, subject).is_some_and(|one| one["kind"] == "failed_change");
    until(&run.base, "the refusal", is_told).await;
    run.stop().await;

    // The line is gone, and the loops since then went well.
    world.kubernetes.rotate_log("dns", world::POD, "external-dns", 0);
    world.log("info", "All records are already up to date");
    let run = Runs::start(settings()).await;
    let said = run.says(subject, Duration::from_secs(8)).await;
    run.stop().await;
    assert_eq!(said, BTreeSet::from(["\"failed_change\" \"open\" \"read\"".to_owned()]));

    // Nobody can read the log, and the first verdicts do not wait for ever.
    world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::SilentLogs));
    let run = Runs::start(settings()).await;
    let said = run.says(subject, Duration::from_secs(8)).await;
    run.stop().await;
    assert_eq!(said, BTreeSet::from(["\"failed_change\" \"open\" \"stale\"".to_owned()]));
    stop.cancel();
}

/// Whoever deletes ExternalDNS does not take along what it was to do for Services, which nobody else reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deleted_instance_wanted_is_still_judged() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns_with(
        &["--source=service", "--policy=upsert-only", "--interval=1s"],
        "2026-11-23T00:00:00Z",
    );
    world.kubernetes.apply(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "shop", "name": "web",
                     "annotations": {"external-dns.alpha.kubernetes.io/hostname": "web.example.com"}},
        "spec": {"type": "LoadBalancer"}}));
    let status = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}});
    assert!(world.kubernetes.set_status("Service", "shop", "web", status));
    let mut kubeconfig = tempfile::NamedTempFile::new().expect("file");
    kubeconfig.write_all(world.kubernetes.kubeconfig().as_bytes()).expect("written");
    let state = tempfile::tempdir().expect("folder");
    let settings = || {
        let mut settings = settings(&world, kubeconfig.path());
        settings.state_dir = Some(state.path().to_owned());
        settings
    };
    let subject = "web.example.com/A";
    let run = Runs::start(settings()).await;
    until(&run.base, "the missing record", |report| open(report, subject).is_some()).await;

    assert!(world.kubernetes.delete("Deployment", "dns", "external-dns"));
    assert!(world.kubernetes.delete("Pod", "dns", world::POD));
    let is_missed = |report: &Value| open(report, "instance/gke-prod").is_some();
    let report = until(&run.base, "the instance is missed", is_missed).await;
    assert_eq!(open(&report, "instance/gke-prod").expect("open")["kind"], "controller_stalled");
    let is_known = |said: &BTreeSet<String>| said.iter().all(|one| one.starts_with("\"missing_record\""));
    let said = run.says(subject, Duration::from_secs(5)).await;
    run.stop().await;
    assert!(is_known(&said), "{said:?}");
    let run = Runs::start(settings()).await;
    let said = run.says(subject, Duration::from_secs(8)).await;
    run.stop().await;
    assert!(is_known(&said) && !said.is_empty(), "after a restart: {said:?}");
    stop.cancel();
}

/// Where logs may not be read, CloudTrail alone tells of the refusal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_change_is_found_without_any_log() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::ForbidLogs));
    world.external_dns();
    let annotations = json!({"external-dns.alpha.kubernetes.io/alias": "true"});
    world.ingress("realtime", "realtime.example.com", &annotations);
    world.refused_call("realtime.example.com");
    let mut kubeconfig = tempfile::NamedTempFile::new().expect("file");
    kubeconfig.write_all(world.kubernetes.kubeconfig().as_bytes()).expect("written");
    let mut serving = settings(&world, kubeconfig.path());
    serving.feeds.lookup = Some(LookupSettings {
        endpoint_url: Some(world.route53.url()),
        credentials: Some(Credentials::new("id", "secret", None, None, "test")),
        interval: Duration::from_millis(500),
        pause: Duration::from_millis(50),
        ..LookupSettings::default()
    });

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let running = stop.child_token();
    let mut program = JoinSet::new();
    program.spawn(serve(serving, listener, Arc::new(SystemClock), running.clone()));

    let subject = "realtime.example.com/A";
    let is_told = |report: &Value| open(report, subject).is_some_and(|one| one["kind"] == "failed_change");
    let report = until(&base, "the refusal of the trail", is_told).await;
    let finding = open(&report, subject).expect("open");
    assert_eq!(finding["reason"], "alias_target_not_in_zone", "{finding:#}");
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.iter().filter(|one| one["subject"] == subject).count(), 1, "{report:#}");
    running.cancel();
    let ended = tokio::time::timeout(PATIENT, program.join_next()).await.expect("stops in time");
    ended.expect("one task").expect("no panic").expect("no error");
    stop.cancel();
}

/// A pipeline waits for its host: through a refusal and its heal, and until the host is gone again.
/// No resolver hears of the name before a name server has it, so nobody caches a denial.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_waits_for_its_host() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.records("healthy.example.com");
    world.ingress("healthy", "healthy.example.com", &json!({}));
    let mut kubeconfig = tempfile::NamedTempFile::new().expect("file");
    kubeconfig.write_all(world.kubernetes.kubeconfig().as_bytes()).expect("written");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let mut program = JoinSet::new();
    let settings = settings(&world, kubeconfig.path());
    program.spawn(serve(settings, listener, Arc::new(SystemClock), stop.child_token()));

    let host = "fresh.example.com";
    let wait = |until: &str| {
        let mut waiting = JoinSet::new();
        waiting.spawn(get(format!("{base}/api/v1/hosts/{host}/wait?until={until}&timeout=60s")));
        waiting
    };
    let by_resolver =
        || {
            world.dns.queries().keys().any(|(server, name, _)| {
                *server == world.dns.resolver() && name.trim_end_matches('.') == host
            })
        };
    // Asked before anybody wants it, as a pipeline may.
    let mut live = wait("live");
    world.ingress("fresh", host, &json!({"external-dns.alpha.kubernetes.io/alias": "true"}));
    world.refused(host);
    until(&base, "the refused change", |report| open(report, &format!("{host}/A")).is_some()).await;
    assert!(!by_resolver(), "a resolver was asked for a name that no name server has");
    assert!(live.try_join_next().is_none(), "not live yet");
    let (status, view) = get(format!("{base}/api/v1/hosts/{host}")).await;
    assert_eq!(status, 200, "{view}");

    world.ingress("fresh", host, &json!({}));
    world.records(host);
    let (status, text) = live.join_next().await.expect("one").expect("no panic");
    assert_eq!(status, 200, "{text}");
    let reached: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&reached["stage"], &reached["missing"]), (&json!("live"), &json!([])), "{reached}");
    assert!(by_resolver(), "live means that resolvers answer too");
    let (status, text) = wait("recorded").join_next().await.expect("one").expect("no panic");
    assert_eq!(status, 200, "{text}");

    let mut absent = wait("absent");
    assert!(world.kubernetes.delete("Ingress", "shop", "fresh"));
    world.no_records(host);
    let (status, text) = absent.join_next().await.expect("one").expect("no panic");
    assert_eq!(status, 200, "{text}");
    stop.cancel();
}
