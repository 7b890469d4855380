//! The service under test with everything around it, in simulated time.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::config::Credentials;
use dns_drift::cli::settings;
use dns_drift::clock::Clock;
use dns_drift::config::Config;
use dns_drift::emulator::dns::CONTROL_NAME;
use dns_drift::emulator::dns::{DnsFault, DnsFaultKind};
use dns_drift::run::{RunError, serve};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::time::{START, SimulatedClock, metronome};
use crate::wire::{Mode, Wire};
use crate::world::World;

/// Hosts that are well, whatever happens.
pub(crate) const HEALTHY: [&str; 4] = ["one", "two", "three", "four"];

/// Faults of one world at most: each takes hosts of its own, for a host that changes again and again is
/// a finding.
pub(crate) const STORIES: usize = 8;

/// Where hosts are, and where those go that move.
pub(crate) const FIRST: &str = "203.0.113.10";
pub(crate) const SECOND: &str = "203.0.113.20";

/// The host whose resolver answers with somebody else's address.
pub(crate) const LIED: &str = "lied.example.com.";

pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) clock: Arc<SimulatedClock>,
    /// Before the Kubernetes API.
    pub(crate) cluster: Wire,
    /// Before Route 53.
    pub(crate) aws: Wire,
    /// Where the state is kept.
    pub(crate) state: TempDir,
    address: SocketAddr,
    kubeconfig: NamedTempFile,
    program: JoinSet<Result<(), RunError>>,
    running: CancellationToken,
    /// Emulators, wires, time: they end with the stage.
    _tasks: JoinSet<()>,
}

// === impl Stage ===

impl Stage {
    /// The world as it stands before a fault, and the service with its defaults.
    pub(crate) async fn start() -> Self {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(metronome());
        let clock = Arc::new(SimulatedClock::new());
        let shared: Arc<dyn Clock> = clock.clone();
        let world = Arc::new(World::start_at(&mut tasks, &stop, shared));
        populate(&world);
        let cluster = Wire::start(&mut tasks, address_of(&world.kubernetes.url())).await;
        let aws = Wire::start(&mut tasks, address_of(&world.route53.url())).await;
        let mut kubeconfig = NamedTempFile::new().expect("a file");
        let text = world.kubernetes.kubeconfig().replace(&world.kubernetes.url(), &cluster.url());
        kubeconfig.write_all(text.as_bytes()).expect("written");
        tasks.spawn(reconcile(Arc::clone(&world)));
        let mut stage = Self {
            world,
            clock,
            cluster,
            aws,
            state: tempfile::tempdir().expect("a folder"),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            kubeconfig,
            program: JoinSet::new(),
            running: CancellationToken::new(),
            _tasks: tasks,
        };
        stage.lie();
        stage.run().await;
        stage
    }

    /// Starts the service; it must not run.
    pub(crate) async fn run(&mut self) {
        self.running = CancellationToken::new();
        self.address = self.run_with(&self.config()).await;
    }

    /// Starts one more program, as one of several replicas, with its own way to the cluster.
    pub(crate) async fn replica(&mut self, name: &str, cluster: &Wire) -> SocketAddr {
        let folder = self.state.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        let kubeconfig = folder.join("kubeconfig");
        let text = self.world.kubernetes.kubeconfig().replace(&self.world.kubernetes.url(), &cluster.url());
        fs::write(&kubeconfig, text).expect("written");
        let mut config = self.config();
        config["kubernetes"]["kubeconfig"] = json!(kubeconfig.display().to_string());
        config["leader_election"] = json!({"enabled": true});
        config["pod_name"] = json!(name);
        config["state_dir"] = json!(folder.display().to_string());
        self.run_with(&config).await
    }

    async fn run_with(&mut self, config: &Value) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let clock: Arc<dyn Clock> = self.clock.clone();
        let mut settings = settings(&Config::from_value(config).expect("a configuration"));
        settings.route53.credentials = Some(Credentials::new("id", "secret", None, None, "test"));
        self.program.spawn(Box::pin(serve(settings, listener, clock, self.running.clone())));
        address
    }

    fn config(&self) -> Value {
        let dns = &self.world.dns;
        let servers = dns.server_map().into_iter().map(|(name, address)| format!("{name}={address}"));
        let servers: Vec<String> = servers.chain([format!("parent={}", dns.parent())]).collect();
        json!({
            "kubernetes": {"kubeconfig": self.kubeconfig.path().display().to_string()},
            "route53": {"endpoint_url": self.aws.url()},
            "dns": {"resolvers": [{"address": dns.resolver().to_string(), "view": "public"}],
                    "server_map": servers, "control_name": CONTROL_NAME},
            "state_dir": self.state.path().display().to_string()})
    }

    /// Asks the service to end, as a signal does.
    pub(crate) async fn stop(&mut self) {
        self.running.cancel();
        let ended = timeout(Duration::from_secs(15), self.program.join_next()).await.expect("ends in time");
        ended.expect("one program").expect("no panic").expect("no error");
    }

    /// The standing fault of a resolver; lifting all faults lifts it too.
    pub(crate) fn lie(&self) {
        let lie = DnsFaultKind::Lie("198.51.100.66".parse().expect("an address"));
        self.world.dns.set_fault(DnsFault::new(lie).at(self.world.dns.resolver()).on(LIED));
    }

    /// The report of now; null while there is none.
    pub(crate) async fn report(&self) -> Value {
        let (status, text) = self.get("/api/v1/report").await;
        if status == 200 { serde_json::from_str(&text).expect("JSON") } else { Value::Null }
    }

    /// Status and body of an answer; 0 while nobody answers.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        get(self.address, path).await
    }

    /// The program must not have ended.
    pub(crate) fn runs(&mut self) {
        let ended = self.program.try_join_next();
        assert!(ended.is_none(), "the program ended: {ended:?}");
    }

    /// Lifts every fault but the standing one.
    pub(crate) fn heal(&self) {
        self.cluster.set(Mode::Pass);
        self.aws.set(Mode::Pass);
        self.world.kubernetes.clear_faults();
        self.world.route53.clear_faults();
        self.world.dns.clear_faults();
        self.lie();
        self.free_disk();
    }

    /// The next state is written there, and cannot be.
    pub(crate) fn temporary_state(&self) -> PathBuf {
        self.state.path().join("state.json.tmp")
    }

    fn free_disk(&self) {
        let path = self.temporary_state();
        let there = fs::symlink_metadata(&path);
        match there {
            Ok(there) if there.is_dir() => fs::remove_dir(&path).expect("removed"),
            Ok(_) => fs::remove_file(&path).expect("removed"),
            Err(_) => {}
        }
    }

    /// A host with its record, as ExternalDNS leaves it.
    pub(crate) fn publish(&self, host: &str, address: &str) {
        publish(&self.world, host, address);
    }

    /// The end of a host, object and records.
    pub(crate) fn withdraw(&self, host: &str) {
        assert!(self.world.kubernetes.delete("Ingress", "shop", host));
        self.world.no_records(&format!("{host}.example.com"));
    }
}

fn publish(world: &World, host: &str, address: &str) {
    world.ingress_at(host, &format!("{host}.example.com"), &json!({}), address);
    world.records_of(&format!("{host}.example.com"), host, address);
}

fn populate(world: &World) {
    world.external_dns_with(&["--policy=sync"], START);
    for host in HEALTHY.iter().chain(&["lied"]) {
        publish(world, host, FIRST);
    }
    for n in 0..STORIES {
        for word in ["guest", "moved", "broken"] {
            publish(world, &format!("{word}{n}"), FIRST);
        }
    }
    world.ingress("missing", "missing.example.com", &json!({}));
    world.ingress("wrong", "wrong.example.com", &json!({}));
    world.records_of("wrong.example.com", "wrong", "198.51.100.30");
    world.records_of("left.example.com", "left", FIRST);
    let alias = json!({"external-dns.alpha.kubernetes.io/alias": "true"});
    world.ingress("refused", "refused.example.com", &alias);
}

/// Status and body of an answer; 0 while nobody answers.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    asked(address, path).await.unwrap_or_default()
}

async fn asked(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    // Version 1.0: the answer ends with the connection.
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

pub(crate) fn address_of(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().expect("an address")
}

/// What ExternalDNS says each minute.
async fn reconcile(world: Arc<World>) {
    loop {
        world.refused("refused.example.com");
        sleep(Duration::from_mins(1)).await;
    }
}
