//! The web configuration file with real TLS: certificates, client certificates, logins, rotation, and
//! clients that hang on.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dns_drift::clock::SystemClock;
use dns_drift::limits::{MAX_CONNECTIONS_OF_PEER, MAX_REQUEST_HEAD};
use dns_drift::publish::cost::NoCosts;
use dns_drift::publish::role::alone;
use dns_drift::publish::web::WebState;
use dns_drift::publish::web_config::guard::WebGuard;
use dns_drift::publish::web_config::{WebConfig, WebConfigHealth, follow};
use dns_drift::publish::{metrics, server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

const PATIENT: Duration = Duration::from_secs(30);
const TLS: &str = "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n";

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A served folder with a web configuration.
struct Served {
    folder: TempDir,
    address: SocketAddr,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key for a name, in PEM form.
fn leaf(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn pair(folder: &Path, authority: &Authority, name: &str) {
    let (certificate, key) = leaf(authority, name);
    fs::write(folder.join("tls.crt"), certificate).unwrap();
    fs::write(folder.join("tls.key"), key).unwrap();
}

impl Served {
    async fn start(text: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let file = folder.path().join("web.yml");
        fs::write(&file, text).unwrap();
        let (out, current) = watch::channel(Arc::new(WebConfig::load(&file).unwrap()));
        let health = WebConfigHealth::default();
        let (_latest_out, latest) = watch::channel(None);
        let mut registry = metrics::registry(latest.clone(), Arc::new(NoCosts), 10);
        registry.register_collector(Box::new(health.clone()));
        let state = WebState { latest, registry: Arc::new(registry), config_text: "a: 1\n".into() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let every = Duration::from_millis(50);
        tasks.spawn(follow(file, out, health, Arc::new(SystemClock), every, stop.clone()));
        let serving = server::serve_guarded(listener, state, WebGuard::new(current, alone()), stop.clone());
        tasks.spawn(async move { serving.await.unwrap() });
        Self { folder, address, tasks, stop }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("web.yml")
    }

    async fn get(&self, path: &str, headers: &str) -> String {
        let stream = TcpStream::connect(self.address).await.unwrap();
        exchange(stream, path, headers).await.unwrap_or_default()
    }

    /// Over TLS; `None` if there is no handshake or no answer.
    async fn get_tls(&self, trusted: &Authority, identity: Option<(String, String)>) -> Option<String> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
        exchange(stream, "/config", "").await.filter(|answer| !answer.is_empty())
    }

    async fn end(mut self) {
        self.stop.cancel();
        let ended = timeout(PATIENT, async { while self.tasks.join_next().await.is_some() {} });
        ended.await.expect("stops in time");
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    headers: &str,
) -> Option<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    timeout(PATIENT, stream.read_to_end(&mut answer)).await.expect("an end").ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

fn login(text: &str) -> String {
    format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(text))
}

async fn until(what: &str, mut good: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENT;
    while !good().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_rotate_and_a_bad_file_changes_nothing() {
    let (first, second) = (authority(), authority());
    let served = Served::start(TLS, |folder| pair(folder, &first, "localhost")).await;
    let answer = served.get_tls(&first, None).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("a: 1\n"), "{answer}");
    assert_eq!(served.get_tls(&second, None).await, None, "another authority");

    pair(served.folder.path(), &second, "localhost");
    until("the new certificate", async || served.get_tls(&second, None).await.is_some()).await;
    assert_eq!(served.get_tls(&first, None).await, None, "the old certificate is gone");

    fs::write(served.file(), format!("{TLS}  min_version: SSL3\n")).unwrap();
    let failed = "dns_drift_web_config_last_reload_successful 0\n";
    until("the metric", async || {
        let mut roots = RootCertStore::empty();
        roots.add(second.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(served.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        exchange(stream, "/metrics", "").await.is_some_and(|text| text.contains(failed))
    })
    .await;
    assert!(served.get_tls(&second, None).await.is_some(), "the last good one stays");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_certificates_are_verified_and_named() {
    let (own, other) = (authority(), authority());
    let text = format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  \
         client_allowed_sans: [prometheus.example.com]\n"
    );
    let served = Served::start(&text, |folder| {
        pair(folder, &own, "localhost");
        fs::write(folder.join("ca.crt"), own.pem()).unwrap();
    })
    .await;
    let right = leaf(&own, "prometheus.example.com");
    let answer = served.get_tls(&own, Some(right)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(served.get_tls(&own, None).await, None, "no certificate");
    let foreign = leaf(&other, "prometheus.example.com");
    assert_eq!(served.get_tls(&own, Some(foreign)).await, None, "of another authority");
    let unnamed = leaf(&own, "grafana.example.com");
    assert_eq!(served.get_tls(&own, Some(unnamed)).await, None, "of another name");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_headers_and_the_rate_limit() {
    let hash = bcrypt::hash("right", 4).unwrap();
    let text = format!(
        "basic_auth_users:\n  ann: {hash}\nhttp_server_config:\n  headers:\n    X-Frame-Options: SAMEORIGIN\n"
    );
    let served = Served::start(&text, |_| {}).await;
    let answer = served.get("/metrics", "").await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Basic"), "{answer}");
    assert!(!answer.contains("dns_drift_"), "{answer}");
    assert!(served.get("/metrics", &login("ann:wrong")).await.starts_with("HTTP/1.1 401"));
    assert!(served.get("/metrics", &login("bob:right")).await.starts_with("HTTP/1.1 401"));
    let answer = served.get("/metrics", &login("ann:right")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("x-frame-options: SAMEORIGIN") && !answer.contains("DENY"), "{answer}");
    assert!(served.get("/-/healthy", "").await.starts_with("HTTP/1.1 200"), "probes need no login");

    fs::write(served.file(), "rate_limit:\n  interval: 1h\n  burst: 2\n").unwrap();
    until("the limit", async || served.get("/config", "").await.starts_with("HTTP/1.1 429")).await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_greedy_clients_lock_nobody_out() {
    let served = Served::start("", |_| {}).await;
    // Half a request each, from one address: never more than its share.
    let mut held = Vec::new();
    for _ in 0..MAX_CONNECTIONS_OF_PEER * 2 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        drop(stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await);
        held.push(stream);
    }
    let mut last = held.pop().expect("one");
    let mut byte = [0];
    let cut = timeout(PATIENT, last.read(&mut byte)).await.expect("cut off at once");
    assert!(matches!(cut, Ok(0) | Err(_)), "{cut:?}");
    // Another address is served meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = socket.connect(served.address).await.unwrap();
    let answer = exchange(stream, "/-/healthy", "").await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(held);
    until("the slots are free again", async || {
        served.get("/-/healthy", "").await.starts_with("HTTP/1.1 200")
    })
    .await;
    let long = format!("X-Long: {}\r\n", "x".repeat(2 * MAX_REQUEST_HEAD));
    let answer = served.get("/", &long).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = "X-Many: x\r\n".repeat(200);
    let answer = served.get("/", &many).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    served.end().await;
}
