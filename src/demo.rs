//! The `demo` command: the whole world on loopback, and the anchor story played out in it.
//!
//! Needs no cluster, no account and no internet. The watcher is the real one; only the world is
//! emulated.

pub mod controller;
pub mod http;
pub mod plan;
pub mod serve;
pub mod story;
pub mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::controller::Running;
use self::plan::Release;
use self::story::Story;
use self::world::Endpoints;
use crate::clock::SystemClock;

pub use self::story::DemoOutcome;

/// How long the emulators may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Long enough to open the page, find the host and read its fix.
const KEEP: Duration = Duration::from_mins(1);
/// Long enough to see that the finding does not come and go.
const KEEP_ONCE: Duration = Duration::from_secs(5);

/// What the user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// End after the story, and fail if it did not go as told.
    pub once: bool,
    /// Where dns-drift is served.
    pub listen: SocketAddr,
    /// How long the broken host stays broken; `None` for [`KEEP`], or [`KEEP_ONCE`] with `once`.
    pub keep: Option<Duration>,
}

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The address is taken or not ours.
    #[error("listen on {address}: choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("wait for the signal USR1")]
    Signal(#[source] io::Error),
    /// An emulator did not start.
    #[error("start the emulated cluster, Route 53 and DNS")]
    World(#[source] io::Error),
    /// The watcher did not start, or ended by itself.
    #[error("run dns-drift")]
    Serve(#[source] serve::ServeError),
    /// The watcher ended without an error before the story did.
    #[error("run dns-drift: it ended before the story did")]
    EndedEarly,
    /// The story cannot be printed.
    #[error("print the story")]
    Tell(#[source] io::Error),
    /// The report of dns-drift could not be read in the middle of the story.
    #[error(transparent)]
    Report(#[from] http::GetError),
    /// A state did not come.
    #[error("wait for {what}: it did not come in time; last seen: {last}")]
    TooLate {
        /// The state.
        what: &'static str,
        /// What was there instead.
        last: String,
    },
    /// A finding that the story does not foresee.
    #[error("unexpected finding: {finding}")]
    Unexpected {
        /// Which.
        finding: String,
    },
    /// A finding that closed before its cause was mended.
    #[error("{finding} was no longer open although nothing was mended")]
    Lost {
        /// Which.
        finding: String,
    },
}

/// Plays the story; without `once`, keeps the world running until Ctrl-C.
///
/// # Errors
///
/// When a part cannot start, the watcher ends, or the story does not go as told.
pub async fn run(options: Options) -> Result<DemoOutcome, DemoError> {
    let listen = |source| DemoError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
    let served = reachable(listener.local_addr().map_err(listen)?);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let started = Endpoints::start(&mut tasks, &stop, Arc::new(SystemClock)).map_err(DemoError::World);
    let outcome = match started {
        Ok(endpoints) => play(options, listener, served, &endpoints, &mut tasks, &stop).await,
        Err(error) => Err(error),
    };
    stop.cancel();
    if timeout(STOP_WITHIN, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("the emulators did not end in time");
    }
    tasks.shutdown().await;
    outcome
}

async fn play(
    options: Options,
    listener: TcpListener,
    served: SocketAddr,
    endpoints: &Endpoints,
    tasks: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Result<DemoOutcome, DemoError> {
    endpoints.open_shop();
    let release = Release::V0_13_6;
    let pod = endpoints.deploy(release, None);
    let (running, seen) = watch::channel(Running { release, pod });
    tasks.spawn(controller::run(endpoints.clone(), seen, stop.clone()));
    let mut story = Story {
        endpoints,
        running: &running,
        served,
        out: io::stdout(),
        keep: options.keep.unwrap_or(if options.once { KEEP_ONCE } else { KEEP }),
        mend: signal(SignalKind::user_defined1()).map_err(DemoError::Signal)?,
        strict: options.once,
    };
    let telling = async {
        let outcome = story.play().await?;
        if options.once {
            return Ok(outcome);
        }
        let line =
            format!("Keeps running; open http://{served}/ and http://{served}/metrics; Ctrl-C to stop.");
        story.say(&line)?;
        std::future::pending().await
    };
    let mut serving = Box::pin(serve::start(endpoints.clone(), listener, stop.clone()));
    let outcome = tokio::select! {
        told = Box::pin(telling) => told,
        ended = &mut serving => return Err(ended.map_or_else(DemoError::Serve, |()| DemoError::EndedEarly)),
        _ = tokio::signal::ctrl_c() => Ok(DemoOutcome::default()),
    };
    stop.cancel();
    match timeout(STOP_WITHIN, serving).await {
        Ok(Err(error)) => outcome.and(Err(DemoError::Serve(error))),
        _ => outcome,
    }
}

/// An address that a client can use for a listener on all addresses.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        };
        address.set_ip(loopback);
    }
    address
}
