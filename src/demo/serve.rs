//! The one place where the demo starts the real `serve` code.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::demo::world::Endpoints;

/// Why the watcher ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// This build has no `serve`.
    #[error("start dns-drift: this build does not contain the serve command")]
    Absent,
}

/// Runs the watcher against the emulators until `stop`.
///
/// # Errors
///
/// When it cannot start or ends by itself.
#[expect(clippy::unused_async, reason = "the real call awaits")]
pub async fn start(
    _endpoints: Endpoints,
    _listener: TcpListener,
    _stop: CancellationToken,
) -> Result<(), ServeError> {
    Err(ServeError::Absent)
}
