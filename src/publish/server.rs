//! Serving the routes on a listener: bounded, with an end.
//!
//! `axum::serve` knows no limit of connections and no timeout for the head of a request, and its
//! connections are nobody's; so this loop owns each of them.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::limits::{CONNECTION_WITHIN, CONNECTIONS_STOP_WITHIN, MAX_CONNECTIONS, REQUEST_HEAD_WITHIN};
use crate::publish::web::{WebState, router};

/// Pause after a failed accept, so that running out of descriptors is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is cancelled; then no new connection is taken and the open ones have
/// [`CONNECTIONS_STOP_WITHIN`] to end.
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
pub async fn serve_routes(listener: TcpListener, app: Router, stop: CancellationToken) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "serving HTTP");
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Some(Some((stream, slot))) = stop.run_until_cancelled(next(&listener, &slots)).await {
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, slot, app.clone(), stop.clone()));
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
async fn next(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => return Some((stream, slot)),
            Err(error) => {
                tracing::debug!(%error, "accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, slot: OwnedSemaphorePermit, app: Router, stop: CancellationToken) {
    let _slot = slot;
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_HEAD_WITHIN)
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
