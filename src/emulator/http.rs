//! Serving HTTP on loopback, and the ways in which an answer can go wrong.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use futures::stream;
use http::StatusCode;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Largest request body that is read; a batch of Route 53 holds at most 32,000 characters of values.
pub(super) const MAX_BODY: usize = 1 << 20;

/// How long open connections may take to end after a stop.
const GRACE: Duration = Duration::from_secs(3);

/// Serves a router on a free loopback port until `stop`.
pub(super) fn serve(
    tasks: &mut JoinSet<()>,
    stop: CancellationToken,
    router: Router,
) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    tasks.spawn(async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let deadline = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = serving => if let Err(error) = ended {
                tracing::warn!(%error, "emulated HTTP server ended");
            },
            // A client that sends half of a request must not hold up the stop.
            () = deadline => {}
        }
    });
    Ok(address)
}

/// An answer with a body of the given type.
pub(super) fn answer(status: u16, content_type: &str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(http::header::CONTENT_TYPE, value);
    }
    response
}

/// A body that announces `full` bytes, sends half of them and then loses its connection.
pub(super) fn cut_short(status: u16, content_type: &str, full: &[u8]) -> Response {
    let half = Bytes::copy_from_slice(full.get(..full.len().div_euclid(2)).unwrap_or_default());
    let parts = stream::iter([Ok(half), Err(io::Error::other("connection cut to order"))]);
    let mut response = answer(status, content_type, Body::from_stream(parts));
    response.headers_mut().insert(http::header::CONTENT_LENGTH, full.len().into());
    response
}

/// Decoded query parameters; the last of two with the same name wins.
pub(super) fn query(uri: &http::Uri) -> std::collections::BTreeMap<String, String> {
    axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(pairs)| pairs).unwrap_or_default()
}
