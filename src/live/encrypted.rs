//! Resolvers over TLS and over HTTPS. Connections are kept and shared.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hickory_resolver::proto::op::Message;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::live::endpoint::Endpoint;
use crate::live::prober::Silence;
use crate::live::question::{Match, WireQuestion};
use crate::live::stream::exchange;

/// Largest message that DNS can frame.
const MAX_MESSAGE: usize = 65_535;

/// Idle connections to one resolver that are kept.
const MAX_IDLE: usize = 8;

/// Addresses of one host that are tried.
const MAX_ADDRESSES: usize = 3;

const MEDIA_TYPE: &str = "application/dns-message";

/// Why encrypted resolvers cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file with further authorities.
    #[error("read certificates from {path}")]
    Authorities {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// What is in it.
    #[error("use the certificates of {path}")]
    Certificate {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The library cannot do what it is built for.
    #[error("set TLS up")]
    Setup(#[source] rustls::Error),
}

/// Trusts the authorities of the machine and those of a PEM file. Blocking: reads files.
///
/// # Errors
///
/// When the PEM file cannot be used. A machine without authorities is none: then only those of the
/// file are trusted.
pub fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let shown = || path.display().to_string();
        let unreadable = |source| TlsError::Authorities { path: shown(), source };
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            let certificate = certificate.map_err(unreadable)?;
            roots.add(certificate).map_err(|source| TlsError::Certificate { path: shown(), source })?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(Arc::new(builder.map_err(TlsError::Setup)?.with_root_certificates(roots).with_no_client_auth()))
}

/// The way to one resolver. Every call may wait for the network: the caller bounds it.
pub(crate) struct Encrypted {
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    idle: Mutex<Vec<TlsStream<TcpStream>>>,
    http: tokio::sync::Mutex<Option<SendRequest<Full<Bytes>>>>,
    drivers: Drivers,
}

/// Runs what drives the HTTP connections; ends it with the last owner.
#[derive(Clone, Default)]
struct Drivers(Arc<Mutex<JoinSet<()>>>);

// === impl Encrypted ===

impl Encrypted {
    pub(crate) fn new(endpoint: Endpoint, tls: &Arc<ClientConfig>) -> Self {
        let mut tls = ClientConfig::clone(tls);
        if matches!(endpoint, Endpoint::Https { .. }) {
            tls.alpn_protocols = vec![b"h2".to_vec()];
        }
        Self {
            endpoint,
            tls: Arc::new(tls),
            idle: Mutex::default(),
            http: tokio::sync::Mutex::default(),
            drivers: Drivers::default(),
        }
    }

    pub(crate) async fn ask(&self, question: &WireQuestion) -> Result<Message, Silence> {
        match &self.endpoint {
            Endpoint::Plain(_) => Err(Silence::NotAskable),
            Endpoint::Tls { address, name } => self.over_tls(*address, name, question).await,
            Endpoint::Https { host, port, path } => self.over_https(host, *port, path, question).await,
        }
    }

    async fn over_tls(
        &self,
        address: SocketAddr,
        name: &str,
        question: &WireQuestion,
    ) -> Result<Message, Silence> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut stream) = kept {
            // The other side closes what is idle for long; then a new one decides.
            if let Ok(message) = exchange(&mut stream, question, true).await {
                self.keep(stream);
                return Ok(message);
            }
        }
        let mut stream = self.connect(address, name).await?;
        let message = exchange(&mut stream, question, true).await?;
        self.keep(stream);
        Ok(message)
    }

    fn keep(&self, stream: TlsStream<TcpStream>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(stream);
        }
    }

    async fn connect(&self, address: SocketAddr, name: &str) -> Result<TlsStream<TcpStream>, Silence> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_no_name| Silence::NotAskable)?;
        let stream = TcpStream::connect(address).await.map_err(|_no_way| Silence::Unreachable)?;
        stream.set_nodelay(true).map_err(|_closed| Silence::Unreachable)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        connector.connect(name, stream).await.map_err(|error| {
            tracing::debug!(resolver = %self.endpoint, %error, "no TLS session");
            Silence::Unreachable
        })
    }

    async fn over_https(
        &self,
        host: &str,
        port: u16,
        path: &str,
        question: &WireQuestion,
    ) -> Result<Message, Silence> {
        let mut fresh = false;
        loop {
            let mut sender = {
                // Held while connecting, so that a burst makes one connection.
                let mut kept = self.http.lock().await;
                if let Some(sender) = kept.take().filter(|sender| !sender.is_closed()) {
                    kept.insert(sender).clone()
                } else {
                    fresh = true;
                    kept.insert(self.open(host, port).await?).clone()
                }
            };
            match self.post(&mut sender, host, port, path, question).await {
                Err(Silence::Unreachable) if !fresh => *self.http.lock().await = None,
                answered => return answered,
            }
        }
    }

    async fn open(&self, host: &str, port: u16) -> Result<SendRequest<Full<Bytes>>, Silence> {
        let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_a_name) => {
                let found = lookup_host((host, port)).await.map_err(|_unknown| Silence::Unreachable)?;
                found.take(MAX_ADDRESSES).collect()
            }
        };
        for address in addresses {
            let Ok(stream) = self.connect(address, host).await else { continue };
            let handshake = http2::Builder::new(self.drivers.clone())
                .timer(TokioTimer::new())
                .handshake(TokioIo::new(stream));
            let Ok((sender, connection)) = handshake.await else { continue };
            self.drivers.execute(async move {
                // Its end shows at the sender.
                drop(connection.await);
            });
            return Ok(sender);
        }
        Err(Silence::Unreachable)
    }

    /// Source: RFC 8484 section 4.1. The id is zero, so that answers can be cached on the way.
    async fn post(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        host: &str,
        port: u16,
        path: &str,
        question: &WireQuestion,
    ) -> Result<Message, Silence> {
        let packet = question.encode(0, true).ok_or(Silence::NotAskable)?;
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("https://{authority}{path}"))
            .header(header::CONTENT_TYPE, MEDIA_TYPE)
            .header(header::ACCEPT, MEDIA_TYPE)
            .body(Full::new(Bytes::from(packet)))
            .map_err(|_no_url| Silence::NotAskable)?;
        sender.ready().await.map_err(|_closed| Silence::Unreachable)?;
        let response = sender.send_request(request).await.map_err(|_broken| Silence::Unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(Silence::Malformed);
        }
        let body = Limited::new(response.into_body(), MAX_MESSAGE).collect().await;
        let packet = body.map_err(|_too_long_or_broken| Silence::Malformed)?.to_bytes();
        if question.matches(&packet) != Match::Answer {
            return Err(Silence::Malformed);
        }
        Message::from_vec(&packet).map_err(|_undecodable| Silence::Malformed)
    }
}

// === impl Drivers ===

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Drivers {
    fn execute(&self, task: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are taken out, so that the set does not grow.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

/// What a broken stream means.
pub(crate) fn no_stream(error: &io::Error) -> Silence {
    if error.kind() == io::ErrorKind::TimedOut { Silence::Timeout } else { Silence::Unreachable }
}
