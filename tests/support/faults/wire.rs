//! A TCP connection that can be cut, refused or frozen: what a server cannot do to itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They go through.
    Pass,
    /// Connections are broken off, new ones at once.
    Broken,
    /// Connections stand, and nothing comes through: a network that swallows.
    Frozen,
}

/// Stands before one server.
pub(crate) struct Wire {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    open: Arc<AtomicUsize>,
}

impl Wire {
    /// Passes everything on to `server`.
    pub(crate) async fn start(tasks: &mut JoinSet<()>, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (mode, listened) = watch::channel(Mode::Pass);
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (client, _) = accepted.expect("a connection");
                        let (listened, counted) = (listened.clone(), Arc::clone(&counted));
                        connections.spawn(async move {
                            counted.fetch_add(1, Ordering::Relaxed);
                            connect(client, server, listened).await;
                            counted.fetch_sub(1, Ordering::Relaxed);
                        });
                    }
                    Some(ended) = connections.join_next() => ended.expect("no panic"),
                }
            }
        });
        Self { address, mode, open }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Connections that stand now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

async fn connect(client: TcpStream, server: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let (up, down) = (mode.clone(), mode.clone());
    let piping = async move {
        let Ok(server) = TcpStream::connect(server).await else { return };
        // A part that waited for the acknowledgement of the last one would be late by many beats.
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("an open connection");
        }
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::select! {
            () = pipe(from_client, to_server, up) => {}
            () = pipe(from_server, to_client, down) => {}
        }
    };
    tokio::select! {
        ended = mode.wait_for(|mode| *mode == Mode::Broken) => drop(ended),
        () = piping => {}
    }
}

async fn pipe(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 16 * 1_024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let passes = mode.wait_for(|mode| *mode == Mode::Pass).await.is_ok();
        if !passes || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
