//! What is kept of each server that is asked.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::live::endpoint::{Endpoint, shown_address};
use crate::live::health::{Admission, Health};
use crate::live::pace::Pacer;
use crate::live::prober::{ProberSettings, Reply, Silence};
use crate::live::socket::UdpChannel;
use crate::model::observation::Transport;

/// Counts of one server since the program started, and its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Packets and connections, retries included.
    pub queries: u64,
    /// Queries that repeat an earlier one.
    pub retries: u64,
    /// Questions that got an answer, whatever it says.
    pub answers: u64,
    /// Questions without an answer in time.
    pub timeouts: u64,
    /// Questions that met a closed port or no route.
    pub refused: u64,
    /// Questions with only useless packets in return.
    pub malformed: u64,
    /// Questions that were not sent because the server is unreachable.
    pub withheld: u64,
    /// True while the server is left alone because it did not answer.
    pub unreachable: bool,
}

/// One server address.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    label: String,
    pub(crate) pacer: Pacer,
    pub(crate) udp_turns: Semaphore,
    pub(crate) tcp_turns: Semaphore,
    // Apart, because a filter often drops one transport and lets the other pass.
    udp_health: Mutex<Health>,
    tcp_health: Mutex<Health>,
    channel: tokio::sync::Mutex<Option<Arc<UdpChannel>>>,
    stale_channel: std::sync::atomic::AtomicBool,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    queries: AtomicU64,
    retries: AtomicU64,
    answers: AtomicU64,
    timeouts: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    withheld: AtomicU64,
}

// === impl Server ===

impl Server {
    pub(crate) fn new(address: SocketAddr, per_second: NonZeroU32, settings: &ProberSettings) -> Self {
        Self {
            address,
            label: shown_address(address),
            pacer: Pacer::new(per_second),
            udp_turns: Semaphore::new(settings.in_flight.max(1)),
            tcp_turns: Semaphore::new(settings.tcp_in_flight.max(1)),
            udp_health: Mutex::default(),
            tcp_health: Mutex::default(),
            channel: tokio::sync::Mutex::default(),
            stale_channel: false.into(),
            counts: Counts::default(),
        }
    }

    /// One that is reached over TLS or HTTPS.
    pub(crate) fn encrypted(endpoint: &Endpoint, per_second: NonZeroU32, settings: &ProberSettings) -> Self {
        let address = endpoint.address().unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 443)));
        Self { label: endpoint.to_string(), ..Self::new(address, per_second, settings) }
    }

    /// The socket of this server; opened when there is none, or when the last one is stale.
    pub(crate) async fn channel(&self) -> io::Result<Arc<UdpChannel>> {
        let mut channel = self.channel.lock().await;
        if self.stale_channel.swap(false, Ordering::Relaxed) {
            *channel = None;
        }
        if let Some(open) = &*channel {
            return Ok(Arc::clone(open));
        }
        // Binds and connects a datagram socket: local, returns at once.
        let open = UdpChannel::open(self.address).await?;
        *channel = Some(Arc::clone(&open));
        Ok(open)
    }

    /// The next question gets a new socket, and with it a new port and a new path through
    /// whatever tracks connections on the way.
    pub(crate) fn discard_channel(&self) {
        self.stale_channel.store(true, Ordering::Relaxed);
    }

    pub(crate) fn admit(&self, transport: Transport) -> Admission {
        self.health(transport).admit(Instant::now())
    }

    pub(crate) fn alive(&self, transport: Transport) {
        let mut health = self.health(transport);
        if health.is_open() {
            tracing::info!(server = %self.label, ?transport, "DNS server answers again");
        }
        health.alive();
    }

    pub(crate) fn timed_out(&self, transport: Transport) {
        if self.health(transport).timed_out(Instant::now()) {
            tracing::warn!(server = %self.label, ?transport, "DNS server does not answer");
            self.discard_channel();
        }
    }

    pub(crate) fn sent(&self, is_retry: bool) {
        increase(&self.counts.queries);
        if is_retry {
            increase(&self.counts.retries);
        }
    }

    pub(crate) fn count(&self, reply: &Reply) {
        match &reply.answer {
            Err(Silence::Timeout) => self.pacer.slow_down(),
            // To a resolver that refuses, we may be the reason.
            Ok(answer) if answer.is_refused_by_resolver() => self.pacer.slow_down(),
            Ok(_) => self.pacer.answered(),
            Err(_not_its_pace) => {}
        }
        match &reply.answer {
            Ok(_) => increase(&self.counts.answers),
            Err(Silence::Timeout) => increase(&self.counts.timeouts),
            Err(Silence::Unreachable) => increase(&self.counts.refused),
            Err(Silence::Malformed) => increase(&self.counts.malformed),
            Err(Silence::CircuitOpen) => increase(&self.counts.withheld),
            Err(Silence::NotAskable) => {}
        }
    }

    pub(crate) fn stats(&self) -> ServerStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ServerStats {
            queries: read(&self.counts.queries),
            retries: read(&self.counts.retries),
            answers: read(&self.counts.answers),
            timeouts: read(&self.counts.timeouts),
            refused: read(&self.counts.refused),
            malformed: read(&self.counts.malformed),
            withheld: read(&self.counts.withheld),
            unreachable: self.health(Transport::Udp).is_open(),
        }
    }

    fn health(&self, transport: Transport) -> MutexGuard<'_, Health> {
        let health = if transport == Transport::Tcp { &self.tcp_health } else { &self.udp_health };
        health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn increase(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
