//! A real API server out of the programs `etcd` and `kube-apiserver`, one for each test program.
//!
//! There are no controllers: a namespace never finishes its deletion, nothing is collected, and a
//! Deployment makes no Pods.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kube::config::Kubeconfig;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::json;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use super::choice::Programs;
use super::connected;

/// It needs some seconds; a busy machine some more.
const START: Duration = Duration::from_mins(2);

const TOKEN: &str = "dns-drift-test";

/// Runs a program, ends it when standard input ends, and then removes a folder, if one is named.
/// The tests' own end closes the pipe, however they end: nothing of a static is ever dropped.
const KEEPER: &str = r#"folder=$1; shift
"$@" </dev/null & child=$!
cat >/dev/null
kill -9 "$child" 2>/dev/null
wait "$child" 2>/dev/null
[ -z "$folder" ] || rm -rf "$folder""#;

/// The server of this test program.
struct Server {
    kubeconfig: PathBuf,
    /// Of the API server, then of etcd.
    keepers: [Child; 2],
}

/// The files and ports that one server has.
struct Plan {
    folder: PathBuf,
    etcd: SocketAddr,
    etcd_peer: SocketAddr,
    apiserver: SocketAddr,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

/// Starts it, or finds it started; the kubeconfig of an administrator.
pub(super) async fn server(programs: &Programs) -> PathBuf {
    SERVER.get_or_init(|| start(programs)).await.kubeconfig.clone()
}

async fn start(programs: &Programs) -> Server {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let plan = Plan { etcd: free(), etcd_peer: free(), apiserver: free(), folder };
    plan.write_keys();
    let kubeconfig = plan.file("kubeconfig");
    fs::write(&kubeconfig, plan.kubeconfig()).expect("written");
    let etcd = keep(&programs.etcd, &plan.etcd_arguments(), &plan.file("etcd.log"), "");
    let folder = plan.folder.display().to_string();
    let log = plan.file("apiserver.log");
    let apiserver = keep(&programs.apiserver, &plan.apiserver_arguments(), &log, &folder);
    let connection = connected(&kubeconfig).await;
    let deadline = Instant::now() + START;
    loop {
        let request = http::Request::get("/readyz").body(Vec::new()).expect("a request");
        let answer =
            tokio::time::timeout(Duration::from_secs(5), connection.client.request_text(request)).await;
        if matches!(&answer, Ok(Ok(text)) if text == "ok") {
            break;
        }
        if deadline <= Instant::now() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(20).collect();
            panic!("the API server is not ready: {answer:?}; its last words, newest first: {last:#?}");
        }
        sleep(Duration::from_millis(200)).await;
    }
    Server { kubeconfig, keepers: [apiserver, etcd] }
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address")
}

fn keep(program: &Path, arguments: &[String], log: &Path, folder: &str) -> Child {
    let log = fs::File::create(log).expect("a log");
    Command::new("sh")
        .args(["-c", KEEPER, "keeper", folder])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("sh runs")
}

// === impl Plan ===

impl Plan {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn etcd_arguments(&self) -> Vec<String> {
        let (client, peer) = (format!("http://{}", self.etcd), format!("http://{}", self.etcd_peer));
        vec![
            "--unsafe-no-fsync".to_owned(),
            format!("--data-dir={}", self.file("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
        ]
    }

    fn apiserver_arguments(&self) -> Vec<String> {
        let file = |flag: &str, name: &str| format!("--{flag}={}", self.file(name).display());
        vec![
            format!("--etcd-servers=http://{}", self.etcd),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.apiserver.port()),
            "--endpoint-reconciler-type=none".to_owned(),
            file("cert-dir", "generated"),
            file("tls-cert-file", "server.crt"),
            file("tls-private-key-file", "server.key"),
            file("client-ca-file", "ca.crt"),
            file("token-auth-file", "tokens.csv"),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            file("service-account-key-file", "accounts.pub"),
            file("service-account-signing-key-file", "accounts.key"),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ]
    }

    /// Writes certificates, keys and the token.
    fn write_keys(&self) {
        let write = |name: &str, text: &str| fs::write(self.file(name), text).expect("written");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        write("ca.crt", &authority);
        write("server.crt", &certificate.pem());
        write("server.key", &key.serialize_pem());
        let accounts = KeyPair::generate().expect("a key");
        write("accounts.key", &accounts.serialize_pem());
        write("accounts.pub", &accounts.public_key_pem());
        write("tokens.csv", &format!("{TOKEN},admin,admin,system:masters\n"));
    }

    fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": format!("https://{}", self.apiserver),
                "certificate-authority": self.file("ca.crt").display().to_string()}}],
            "users": [{"name": "test", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]})
        .to_string()
    }
}

/// As much of an API server as the start needs: TLS with the given key, and the token.
const STAND_IN: &str = r#"#!/usr/bin/env python3
import http.server, ssl, sys
flags = dict(argument[2:].split("=", 1) for argument in sys.argv[1:])
for name in ("client-ca-file", "service-account-key-file", "service-account-signing-key-file"):
    assert "-----BEGIN" in open(flags[name]).read(), name
token = open(flags["token-auth-file"]).read().split(",")[0]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/readyz" and self.headers["authorization"] == "Bearer " + token
        self.send_response(200 if known else 403)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok" if known else b"no")
server = http.server.HTTPServer((flags["bind-address"], int(flags["secure-port"])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(flags["tls-cert-file"], flags["tls-private-key-file"])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// The whole way but the API itself: arguments, certificates, token, readiness, and the end.
#[tokio::test]
async fn programs_are_started_with_keys_that_fit_and_end_with_the_test() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("folder");
    let program = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
        path
    };
    let etcd = program("etcd", "#!/bin/sh\nexec sleep 600\n");
    let programs = Programs { etcd, apiserver: program("kube-apiserver", STAND_IN) };
    let mut server = start(&programs).await;
    let config = Kubeconfig::read_from(&server.kubeconfig).expect("a kubeconfig");
    let address = config.clusters[0].cluster.as_ref().and_then(|cluster| cluster.server.clone());
    let address = address.expect("a server").trim_start_matches("https://").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    for keeper in &mut server.keepers {
        drop(keeper.stdin.take());
        keeper.wait().expect("the keeper ends");
    }
    assert!(std::net::TcpStream::connect(&address).is_err(), "still served at {address}");
    assert!(!server.kubeconfig.exists());
}
