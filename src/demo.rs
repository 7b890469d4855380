//! The demo: everything on this machine, without cluster and account.

use std::net::SocketAddr;
use std::process::ExitCode;

/// How the demo runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// One pass through the story, then the end.
    pub once: bool,
    /// Where HTTP is served; `None` for a free port.
    pub listen: Option<SocketAddr>,
}

/// Plays the story.
#[expect(clippy::unused_async, reason = "the story awaits")]
pub async fn run(options: Options) -> ExitCode {
    tracing::error!(once = options.once, listen = ?options.listen, "the demo is not part of this build");
    ExitCode::from(2)
}
