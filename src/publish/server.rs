//! Serving the routes on a listener: bounded, with an end.
//!
//! `axum::serve` knows no limit of connections and no timeout for the head of a request, and its
//! connections are nobody's; so this loop owns each of them.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::limits::{
    CONNECTION_WITHIN, CONNECTIONS_STOP_WITHIN, HANDSHAKE_WITHIN, MAX_CONNECTIONS, MAX_CONNECTIONS_OF_PEER,
    MAX_REQUEST_HEAD, MAX_REQUEST_HEADERS, REQUEST_HEAD_WITHIN, STALLED_WRITE_WITHIN,
};
use crate::publish::web::{WebState, router};
use crate::publish::web_config::guard::WebGuard;

/// Pause after a failed accept, so that running out of descriptors is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Open connections of each address.
type Peers = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// The right to hold one connection; given back when dropped.
struct Slot {
    _of_all: OwnedSemaphorePermit,
    peers: Peers,
    peer: IpAddr,
}

/// Serves plain HTTP to everybody until `stop` is cancelled; then no new connection is taken and the
/// open ones have [`CONNECTIONS_STOP_WITHIN`] to end.
///
/// # Errors
///
/// When the listener is broken from the start: its address cannot be told.
pub async fn serve(listener: TcpListener, state: WebState, stop: CancellationToken) -> io::Result<()> {
    serve_routes(listener, router(state), stop).await
}

/// The same for routes that are made already.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_routes(listener: TcpListener, routes: Router, stop: CancellationToken) -> io::Result<()> {
    serve_guarded(listener, routes, WebGuard::default(), stop).await
}

/// As [`serve`], with TLS, logins and headers as the guard says. A change of them concerns new
/// connections (TLS) and new requests (the rest); the listener stays.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_guarded(
    listener: TcpListener,
    routes: Router,
    guard: WebGuard,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, tls = guard.current().tls.is_some(), "serving HTTP");
    let app = guard.before(routes);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let peers = Peers::default();
    let mut connections = JoinSet::new();
    while let Some(Some((stream, slot))) = stop.run_until_cancelled(next(&listener, &slots, &peers)).await {
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, slot, guard.clone(), app.clone(), stop.clone()));
    }
    drop(listener);
    let drained =
        timeout(CONNECTIONS_STOP_WITHIN, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(connections = connections.len(), "connections had to be cut");
    }
    connections.shutdown().await;
    Ok(())
}

/// The next connection, once there is a slot for it; `None` never comes while slots are open.
async fn next(listener: &TcpListener, slots: &Arc<Semaphore>, peers: &Peers) -> Option<(TcpStream, Slot)> {
    let mut of_all = slots.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match Slot::take(of_all, peers, peer.ip()) {
                Ok(slot) => return Some((stream, slot)),
                Err(back) => {
                    tracing::debug!(peer = %peer.ip(), "too many connections of one address");
                    of_all = back;
                }
            },
            Err(error) => {
                tracing::debug!(%error, "accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, slot: Slot, guard: WebGuard, app: Router, stop: CancellationToken) {
    let _slot = slot;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED_WRITE_WITHIN));
    let stream = Box::pin(stream);
    let Some(tls) = guard.current().tls.clone() else { return exchange(stream, app, stop).await };
    let shaking = timeout(HANDSHAKE_WITHIN, TlsAcceptor::from(tls).accept(stream));
    match stop.run_until_cancelled(shaking).await {
        Some(Ok(Ok(stream))) => exchange(stream, app, stop).await,
        Some(Ok(Err(error))) => tracing::debug!(%error, "TLS handshake"),
        Some(Err(_elapsed)) => tracing::debug!("TLS handshake: too slow"),
        None => {}
    }
}

async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin, app: Router, stop: CancellationToken) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_WITHIN)
        .max_headers(MAX_REQUEST_HEADERS)
        .max_buf_size(MAX_REQUEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = &mut served => Some(ended),
        () = stop.cancelled() => None,
        () = sleep(CONNECTION_WITHIN) => None,
    };
    let ended = if let Some(ended) = ended {
        Ok(ended)
    } else {
        served.as_mut().graceful_shutdown();
        timeout(CONNECTIONS_STOP_WITHIN, served).await
    };
    if let Ok(Err(error)) = ended {
        tracing::debug!(%error, "serve a connection");
    }
}

// === impl Slot ===

impl Slot {
    fn take(of_all: OwnedSemaphorePermit, peers: &Peers, peer: IpAddr) -> Result<Self, OwnedSemaphorePermit> {
        let mut counts = peers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(peer).or_default();
        if MAX_CONNECTIONS_OF_PEER <= *count {
            return Err(of_all);
        }
        *count += 1;
        drop(counts);
        Ok(Self { _of_all: of_all, peers: Arc::clone(peers), peer })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let left = counts.get(&self.peer).copied().unwrap_or_default().saturating_sub(1);
        if left == 0 {
            counts.remove(&self.peer);
        } else {
            counts.insert(self.peer, left);
        }
    }
}
