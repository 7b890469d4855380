//! Real DNS servers on loopback addresses: knot as authority, unbound as resolver, and one that is
//! silent.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use dns_drift::live::prober::{Prober, ProberSettings};
use dns_drift::live::question::Question;
use dns_drift::model::RecordType;
use dns_drift::model::observation::{Outcome, Transport, Vantage};
use tokio::time::timeout;

const PATIENT: Duration = Duration::from_secs(30);

/// A zone of a knot.
pub(crate) struct Zone {
    pub(crate) name: &'static str,
    /// Its records, SOA included.
    pub(crate) text: String,
    pub(crate) signed: bool,
    /// Answers over UDP with nothing but the truncation bit.
    pub(crate) truncates: bool,
}

/// A running knotd; it ends with the test.
pub(crate) struct Knot {
    process: Child,
    folder: tempfile::TempDir,
}

/// A running unbound; it ends with the test.
pub(crate) struct Unbound {
    process: Child,
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
}

/// Takes every packet and connection and never says anything.
pub(crate) struct Silent {
    _udp: UdpSocket,
    _tcp: TcpListener,
}

/// A port that is free for both transports at all of the addresses.
pub(crate) fn free_port(addresses: &[IpAddr]) -> u16 {
    loop {
        let port = UdpSocket::bind((addresses[0], 0)).unwrap().local_addr().unwrap().port();
        let is_free =
            |ip: &IpAddr| UdpSocket::bind((*ip, port)).is_ok() && TcpListener::bind((*ip, port)).is_ok();
        if addresses.iter().all(is_free) {
            return port;
        }
    }
}

/// SOA and NS records of a zone with these servers; negative answers live for `minimum` seconds.
pub(crate) fn apex(name: &str, serial: u32, minimum: u32, servers: &[&str]) -> String {
    let mut text = format!(
        "$ORIGIN {name}.\n$TTL 1\n@ {minimum} SOA {}. hostmaster.{name}. {serial} 7200 900 1209600 {minimum}\n",
        servers[0]
    );
    for server in servers {
        writeln!(text, "@ 300 NS {server}.").unwrap();
    }
    text
}

// === impl Zone ===

impl Zone {
    pub(crate) fn plain(name: &'static str, text: String) -> Self {
        Self { name, text, signed: false, truncates: false }
    }
}

// === impl Knot ===

impl Knot {
    /// Serves the zones at every address; returns when all are served.
    pub(crate) async fn start(addresses: &[SocketAddr], zones: &[Zone]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inner in ["zones", "run"] {
            std::fs::create_dir(folder.path().join(inner)).unwrap();
        }
        std::fs::write(folder.path().join("knot.conf"), configuration(folder.path(), addresses, zones))
            .unwrap();
        for zone in zones {
            write_zone(folder.path(), zone.name, &zone.text);
        }
        let process = Command::new("knotd")
            .arg("-c")
            .arg(folder.path().join("knot.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| missing("knotd", "knot", &error));
        let knot = Self { process, folder };
        for zone in zones {
            knot.wait_for(addresses[0], zone.name).await;
        }
        knot
    }

    async fn wait_for(&self, address: SocketAddr, zone: &str) {
        let soa = Question::authoritative(zone.into(), RecordType::Soa);
        if !answers(address, &soa, Vantage::Authoritative, Transport::Tcp).await {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
            panic!("knotd does not serve {zone}:\n{log}");
        }
    }

    /// Replaces a zone; its serial must be higher than before.
    pub(crate) fn reload(&self, zone: &str, text: &str) {
        write_zone(self.folder.path(), zone, text);
        let hangup = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status().unwrap();
        assert!(hangup.success());
    }

    /// The DS record data of a signed zone: `tag algorithm digest-type digest`, by SHA-256.
    pub(crate) fn ds(&self, zone: &str) -> String {
        let text = self.keymgr(&[&format!("{zone}."), "ds"]);
        let line = text.lines().find(|line| line.contains(" 2 ")).expect("a DS record by SHA-256").to_owned();
        line.split_once("DS ").expect("a DS record").1.trim().to_owned()
    }

    fn keymgr(&self, arguments: &[&str]) -> String {
        let output: Output = Command::new("keymgr")
            .arg("-c")
            .arg(self.folder.path().join("knot.conf"))
            .args(arguments)
            .output()
            .unwrap_or_else(|error| missing("keymgr", "knot", &error));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A signed zone as it is served, signatures included.
    pub(crate) async fn signed_text(&self, zone: &str) -> String {
        let path = self.folder.path().join(format!("zones/{zone}.zone"));
        let written = async {
            loop {
                let text = std::fs::read_to_string(&path).unwrap();
                if text.contains("RRSIG") && text.contains(";; Written") {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENT, written).await.expect("the signed zone is written in time")
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn write_zone(folder: &Path, zone: &str, text: &str) {
    std::fs::write(folder.join(format!("zones/{zone}.zone")), text).unwrap();
}

fn configuration(folder: &Path, addresses: &[SocketAddr], zones: &[Zone]) -> String {
    let folder = folder.display();
    let listen: Vec<String> =
        addresses.iter().map(|address| format!("{}@{}", address.ip(), address.port())).collect();
    let mut text = format!(
        "server:\n    rundir: \"{folder}/run\"\n    listen: [ {} ]\n    udp-workers: 1\n    tcp-workers: 1\n\
         log:\n  - target: stderr\n    any: info\n\
         database:\n    storage: \"{folder}\"\n\
         policy:\n  - id: quick\n    algorithm: ecdsap256sha256\n\
         template:\n  - id: default\n    storage: \"{folder}/zones\"\n    file: \"%s.zone\"\n    zonefile-sync: 0\n\
         zone:\n",
        listen.join(", ")
    );
    for zone in zones {
        writeln!(text, "  - domain: {}", zone.name).unwrap();
        if zone.signed {
            text.push_str("    dnssec-signing: on\n    dnssec-policy: quick\n");
        } else {
            text.push_str("    zonefile-sync: -1\n    journal-content: none\n");
        }
        if zone.truncates {
            text.push_str("    module: mod-noudp\n");
        }
    }
    text
}

// === impl Unbound ===

impl Unbound {
    /// A resolver that knows the servers of some zones, and nothing else. `stubs` are zones with the
    /// addresses of their servers; `options` are further lines of its `server:` clause.
    pub(crate) async fn start(
        address: SocketAddr,
        control: &str,
        stubs: &[(&str, Vec<SocketAddr>)],
        options: &[String],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().display();
        let mut text = format!(
            "server:\n  directory: \"{dir}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  use-syslog: no\n  \
             logfile: \"{dir}/log\"\n  num-threads: 1\n  interface: {}@{}\n  access-control: 127.0.0.0/8 allow\n  \
             do-not-query-localhost: no\n  local-zone: \"test.\" nodefault\n  ede: yes\n  \
             qname-minimisation: no\n  target-fetch-policy: \"0 0 0 0 0\"\n  \
             local-data: \"{control}. 3600 IN A 192.0.2.250\"\n",
            address.ip(),
            address.port()
        );
        for option in options {
            writeln!(text, "  {option}").unwrap();
        }
        text.push_str("remote-control:\n  control-enable: no\n");
        for (zone, servers) in stubs {
            writeln!(text, "stub-zone:\n  name: \"{zone}\"").unwrap();
            for server in servers {
                writeln!(text, "  stub-addr: {}@{}", server.ip(), server.port()).unwrap();
            }
        }
        let config = folder.path().join("unbound.conf");
        std::fs::write(&config, text).unwrap();
        let process = Command::new("unbound")
            .args(["-d", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("errors")).unwrap())
            .spawn()
            .unwrap_or_else(|error| missing("unbound", "unbound", &error));
        let unbound = Self { process, address, folder };
        let question = Question::recursive(control.into(), RecordType::A);
        if !answers(address, &question, Vantage::Control, Transport::Udp).await {
            let read =
                |name: &str| std::fs::read_to_string(unbound.folder.path().join(name)).unwrap_or_default();
            panic!("unbound does not answer:\n{}{}", read("errors"), read("log"));
        }
        unbound
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

// === impl Silent ===

impl Silent {
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { _udp: UdpSocket::bind(address).unwrap(), _tcp: TcpListener::bind(address).unwrap() }
    }
}

/// True once there is an answer, false after a while without one.
async fn answers(address: SocketAddr, question: &Question, vantage: Vantage, transport: Transport) -> bool {
    let asking = async {
        loop {
            // A prober of its own each time, so that refusals leave no trace.
            let reply = Prober::new(ProberSettings::default()).ask(address, question, transport).await;
            if reply.outcome(vantage) == Outcome::Answer {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENT, asking).await.is_ok()
}

fn missing(program: &str, package: &str, error: &std::io::Error) -> ! {
    panic!(
        "{program}: {error}; ./test installs it (Debian package {package}), and it must not run as a service"
    )
}
