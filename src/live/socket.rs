//! One connected UDP socket, shared by all questions to a server.
//!
//! A socket per question would cost a port, a connection tracking slot and seven system calls
//! each; one per server costs them once.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::live::question::{Match, WireQuestion, packet_id};

/// Far above the payload that we offer; a longer packet is cut and fails to decode.
const RECEIVE_BUFFER: usize = 4_096;

/// Keeps a socket that only returns errors from spinning.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(5);

/// A local matter of microseconds; longer means that the machine is in trouble.
const SEND_WITHIN: Duration = Duration::from_millis(500);

/// A connected socket and the questions that wait on it.
pub(crate) struct UdpChannel {
    shared: Arc<Shared>,
    // Dropped with the channel, which aborts the reader.
    _reader: JoinSet<()>,
}

/// A question that waits under an id; dropping it gives the id back.
pub(crate) struct Ticket {
    channel: Arc<UdpChannel>,
    id: u16,
    packet: Vec<u8>,
    answer: oneshot::Receiver<Heard>,
}

/// What ended the wait.
pub(crate) enum Heard {
    /// A packet that answers the question; its sections are not decoded yet.
    Packet(Vec<u8>),
    /// The network says that nobody listens there.
    Unreachable,
}

struct Shared {
    socket: UdpSocket,
    waiting: Mutex<HashMap<u16, Waiter>>,
}

struct Waiter {
    question: Arc<WireQuestion>,
    /// `None` once it was used. The id stays taken until the ticket is dropped: given away earlier,
    /// that drop would take it from the next question.
    answer: Option<oneshot::Sender<Heard>>,
    noise: bool,
}

// === impl UdpChannel ===

impl UdpChannel {
    pub(crate) async fn open(server: SocketAddr) -> io::Result<Arc<Self>> {
        let local: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local).await?;
        socket.connect(server).await?;
        let shared = Arc::new(Shared { socket, waiting: Mutex::default() });
        let mut reader = JoinSet::new();
        reader.spawn(read(Arc::clone(&shared)));
        Ok(Arc::new(Self { shared, _reader: reader }))
    }

    /// Takes a free random id for the question. `None` if it cannot be encoded.
    pub(crate) fn register(
        self: &Arc<Self>,
        question: &Arc<WireQuestion>,
        with_edns: bool,
    ) -> Option<Ticket> {
        let (sender, answer) = oneshot::channel();
        let waiter = Waiter { question: Arc::clone(question), answer: Some(sender), noise: false };
        let mut id: u16 = rand::random();
        let packet = {
            let mut waiting = self.shared.waiting();
            // At most 128 of 65,536 ids are taken: this ends at once.
            while waiting.contains_key(&id) {
                id = rand::random();
            }
            let packet = question.encode(id, with_edns)?;
            waiting.insert(id, waiter);
            packet
        };
        Some(Ticket { channel: Arc::clone(self), id, packet, answer })
    }
}

async fn read(shared: Arc<Shared>) {
    let mut buffer = vec![0; RECEIVE_BUFFER];
    loop {
        match shared.socket.recv(&mut buffer).await {
            Ok(length) => shared.deliver(buffer.get(..length).unwrap_or_default()),
            Err(_port_closed_or_no_route) => {
                shared.give_up();
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

// === impl Shared ===

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u16, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, packet: &[u8]) {
        let Some(id) = packet_id(packet) else { return };
        let mut waiting = self.waiting();
        let Some(waiter) = waiting.get_mut(&id) else { return };
        match waiter.question.matches(packet) {
            Match::Noise => waiter.noise = true,
            Match::Answer => {
                if let Some(answer) = waiter.answer.take() {
                    // An error means that nobody waits any more.
                    answer.send(Heard::Packet(packet.to_vec())).ok();
                }
            }
        }
    }

    /// The kernel does not say which packet met the closed port, but all went to the same one.
    fn give_up(&self) {
        let mut waiting = self.waiting();
        for answer in waiting.values_mut().filter_map(|waiter| waiter.answer.take()) {
            answer.send(Heard::Unreachable).ok();
        }
    }
}

// === impl Ticket ===

impl Ticket {
    /// Sends the question, or repeats it. A send buffer that stays full counts as a lost packet.
    pub(crate) async fn send(&self) -> io::Result<()> {
        match timeout(SEND_WITHIN, self.channel.shared.socket.send(&self.packet)).await {
            Ok(sent) => sent.map(|_whole_datagram| ()),
            Err(_buffer_full) => Ok(()),
        }
    }

    /// Waits for the answer to any of the packets that were sent. Must not be called again once
    /// it has returned.
    pub(crate) async fn heard(&mut self) -> Heard {
        (&mut self.answer).await.unwrap_or(Heard::Unreachable)
    }

    /// True if packets came in under this id that answer something else.
    pub(crate) fn saw_noise(&self) -> bool {
        self.channel.shared.waiting().get(&self.id).is_some_and(|waiter| waiter.noise)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.channel.shared.waiting().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::fake::FakeServer;
    use crate::live::question::Question;
    use crate::model::RecordType;

    #[tokio::test]
    async fn an_id_is_free_only_when_its_ticket_is_gone() {
        let server = FakeServer::start().await;
        let channel = UdpChannel::open(server.address).await.unwrap();
        let question = Question::authoritative("ok.example.com".into(), RecordType::A);
        let question = Arc::new(WireQuestion::new(&question).unwrap());
        let mut ticket = channel.register(&question, true).unwrap();
        ticket.send().await.unwrap();
        assert!(matches!(ticket.heard().await, Heard::Packet(_)));
        assert!(channel.shared.waiting().contains_key(&ticket.id));
        drop(ticket);
        assert!(channel.shared.waiting().is_empty());
    }
}
