//! Asks DNS servers, politely and without being fooled.
//!
//! A general resolver library hides what we must see: which server answered, the answer behind a
//! failure, the referral behind an empty answer. So the questions go out through our own sockets,
//! and only the messages are the library's.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::live::answer::Answer;
use crate::live::encrypted::{Encrypted, no_stream};
use crate::live::endpoint::Endpoint;
use crate::live::health::Admission;
use crate::live::pace::Pacer;
pub use crate::live::pace::Speed;
use crate::live::question::{Question, WireQuestion};
use crate::live::server::Server;
use crate::live::socket::Heard;
use crate::live::stream::exchange;
use crate::model::observation::{Outcome, Transport, Vantage};

pub use crate::live::server::ServerStats;

/// Servers that are remembered; past it, those that nobody is asking are forgotten.
const MAX_SERVERS: usize = 4_096;

/// How the prober behaves.
#[derive(Clone, Debug)]
pub struct ProberSettings {
    /// Packets a second to one authoritative server. Route 53 publishes no limit and bills each
    /// query.
    pub authoritative_per_second: NonZeroU32,
    /// Packets a second to all authoritative servers together.
    pub authoritative_total_per_second: NonZeroU32,
    /// Packets a second to one resolver on a public address: far below the 1,000 and more that
    /// public resolvers allow.
    pub resolver_per_second: NonZeroU32,
    /// Packets a second to one resolver on a private address, which workloads share.
    pub internal_resolver_per_second: NonZeroU32,
    /// UDP questions that may wait for one server at once. More than 128 answers at once overflow
    /// a default receive buffer, and the loss looks like a timeout.
    pub in_flight: usize,
    /// TCP connections to one server at once.
    pub tcp_in_flight: usize,
    /// How long each try over UDP waits; its length is the number of tries.
    pub tries: Vec<Duration>,
    /// How long a question over TCP may take, connecting included.
    pub tcp_timeout: Duration,
    /// Whom to trust where resolvers are asked over TLS or HTTPS; `None` where none is.
    pub tls: Option<Arc<ClientConfig>>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing came back in time.
    Timeout,
    /// The port is closed, or there is no route.
    Unreachable,
    /// Only packets came back that answer something else, or that cannot be decoded.
    Malformed,
    /// The server did not answer many questions before; this one was not sent.
    CircuitOpen,
    /// No DNS message can carry this question; it was not sent.
    NotAskable,
}

/// What came of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Transport of the deciding packet: TCP after a truncated answer over UDP.
    pub transport: Transport,
    /// The answer, or why there is none.
    pub answer: Result<Answer, Silence>,
    /// Time between the last packet and its answer; `None` when nothing came back.
    pub rtt: Option<Duration>,
}

/// The client. Clones share sockets, rates and counts.
#[derive(Clone)]
pub struct Prober(Arc<Inner>);

struct Inner {
    settings: ProberSettings,
    authoritative_total: Pacer,
    servers: Mutex<HashMap<SocketAddr, Arc<Server>>>,
    encrypted: Mutex<BTreeMap<Endpoint, Arc<(Server, Encrypted)>>>,
}

struct Received {
    message: Message,
    rtt: Duration,
}

// === impl ProberSettings ===

impl Default for ProberSettings {
    fn default() -> Self {
        let rate = |per_second| NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            authoritative_per_second: rate(50),
            authoritative_total_per_second: rate(200),
            resolver_per_second: rate(100),
            internal_resolver_per_second: rate(50),
            in_flight: 128,
            tcp_in_flight: 8,
            tries: [500, 1_000, 2_000].map(Duration::from_millis).to_vec(),
            tcp_timeout: Duration::from_secs(3),
            tls: None,
        }
    }
}

// === impl Reply ===

impl Reply {
    fn silence(transport: Transport, why: Silence) -> Self {
        Self { transport, answer: Err(why), rtt: None }
    }

    /// The reply in one word, as seen from where the question was asked.
    #[must_use]
    pub fn outcome(&self, vantage: Vantage) -> Outcome {
        match &self.answer {
            Ok(answer) => answer.outcome(vantage),
            Err(Silence::Timeout) => Outcome::Timeout,
            Err(Silence::Unreachable | Silence::CircuitOpen) => Outcome::Unreachable,
            Err(Silence::Malformed | Silence::NotAskable) => Outcome::Malformed,
        }
    }
}

// === impl Prober ===

impl Prober {
    /// Opens nothing yet: a server gets its socket with the first question.
    #[must_use]
    pub fn new(settings: ProberSettings) -> Self {
        let authoritative_total = Pacer::new(settings.authoritative_total_per_second);
        let (servers, encrypted) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { settings, authoritative_total, servers, encrypted }))
    }

    /// Asks one server one question.
    ///
    /// Waits for its turn first, so a call may take longer than all tries together; dropping the
    /// future gives the turn up. Never fails: what went wrong is part of the reply. Transports
    /// other than TCP are asked over UDP.
    pub async fn ask(&self, address: SocketAddr, question: &Question, transport: Transport) -> Reply {
        let transport = if transport == Transport::Tcp { Transport::Tcp } else { Transport::Udp };
        let Some(wire) = WireQuestion::new(question).map(Arc::new) else {
            return Reply::silence(transport, Silence::NotAskable);
        };
        let server = self.server(address, question.recursion_desired);
        let asking = Asking { prober: &self.0, server: &server, question: &wire };
        let reply = match transport {
            Transport::Tcp => asking.over_tcp().await,
            Transport::Udp | Transport::Dot | Transport::Doh => asking.over_udp().await,
        };
        server.count(&reply);
        reply
    }

    /// Asks a resolver one question, in the way that it is spoken to.
    pub async fn ask_at(&self, endpoint: &Endpoint, question: &Question, transport: Transport) -> Reply {
        match endpoint {
            Endpoint::Plain(address) => self.ask(*address, question, transport).await,
            Endpoint::Tls { .. } => self.ask_encrypted(endpoint, question, Transport::Dot).await,
            Endpoint::Https { .. } => self.ask_encrypted(endpoint, question, Transport::Doh).await,
        }
    }

    async fn ask_encrypted(&self, endpoint: &Endpoint, question: &Question, transport: Transport) -> Reply {
        let Some(wire) = WireQuestion::new(question).map(Arc::new) else {
            return Reply::silence(transport, Silence::NotAskable);
        };
        let Some(way) = self.way_to(endpoint) else {
            return Reply::silence(transport, Silence::Unreachable);
        };
        let (server, channel) = &*way;
        let asking = Asking { prober: &self.0, server, question: &wire };
        let reply = asking.over(channel, transport).await;
        server.count(&reply);
        reply
    }

    /// `None` without certificate authorities. Resolvers are configured, so there are few.
    fn way_to(&self, endpoint: &Endpoint) -> Option<Arc<(Server, Encrypted)>> {
        let settings = &self.0.settings;
        let tls = settings.tls.as_ref()?;
        let mut ways = self.0.encrypted.lock().unwrap_or_else(PoisonError::into_inner);
        let way = ways.entry(endpoint.clone()).or_insert_with(|| {
            let outside = endpoint.address().is_none_or(|address| is_public(address.ip()));
            let per_second =
                if outside { settings.resolver_per_second } else { settings.internal_resolver_per_second };
            let server = Server::encrypted(endpoint, per_second, settings);
            Arc::new((server, Encrypted::new(endpoint.clone(), tls)))
        });
        Some(Arc::clone(way))
    }

    /// What happened with each resolver that is asked over TLS or HTTPS.
    #[must_use]
    pub fn encrypted_stats(&self) -> BTreeMap<Endpoint, ServerStats> {
        let ways = self.0.encrypted.lock().unwrap_or_else(PoisonError::into_inner);
        ways.iter().map(|(endpoint, way)| (endpoint.clone(), way.0.stats())).collect()
    }

    /// What happened with each server so far.
    #[must_use]
    pub fn stats(&self) -> BTreeMap<SocketAddr, ServerStats> {
        self.servers().iter().map(|(address, server)| (*address, server.stats())).collect()
    }

    /// How fast all authoritative servers together are asked.
    #[must_use]
    pub fn total_speed(&self) -> Speed {
        self.0.authoritative_total.speed()
    }

    /// How fast each server is asked that has been asked so far.
    #[must_use]
    pub fn speeds(&self) -> Vec<(Endpoint, Speed)> {
        let ways = self.0.encrypted.lock().unwrap_or_else(PoisonError::into_inner);
        let encrypted = ways.iter().map(|(endpoint, way)| (endpoint.clone(), way.0.pacer.speed()));
        let mut speeds: Vec<(Endpoint, Speed)> = encrypted.collect();
        drop(ways);
        let servers = self.servers();
        // Their order is that of a hash.
        speeds
            .extend(servers.iter().map(|(address, server)| (Endpoint::from(*address), server.pacer.speed())));
        drop(servers);
        speeds.sort_by(|(left, _), (right, _)| left.cmp(right));
        speeds
    }

    /// True while a server is left alone because it did not answer.
    #[must_use]
    pub fn is_unreachable(&self, address: SocketAddr) -> bool {
        self.servers().get(&address).is_some_and(|server| server.stats().unreachable)
    }

    fn servers(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Arc<Server>>> {
        self.0.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self, address: SocketAddr, is_resolver: bool) -> Arc<Server> {
        let mut servers = self.servers();
        if let Some(server) = servers.get(&address) {
            return Arc::clone(server);
        }
        if MAX_SERVERS <= servers.len() {
            servers.retain(|_, server| 1 < Arc::strong_count(server));
        }
        let settings = &self.0.settings;
        let per_second = match (is_resolver, is_public(address.ip())) {
            (false, _) => settings.authoritative_per_second,
            (true, true) => settings.resolver_per_second,
            (true, false) => settings.internal_resolver_per_second,
        };
        let server = Arc::new(Server::new(address, per_second, settings));
        servers.insert(address, Arc::clone(&server));
        server
    }
}

/// One question on its way.
struct Asking<'a> {
    prober: &'a Inner,
    server: &'a Server,
    question: &'a Arc<WireQuestion>,
}

// === impl Asking ===

impl Asking<'_> {
    async fn over_udp(&self) -> Reply {
        let Ok(_permit) = self.server.udp_turns.acquire().await else {
            return Reply::silence(Transport::Udp, Silence::Unreachable);
        };
        let tries = self.prober.settings.tries.as_slice();
        let tries = match self.server.admit(Transport::Udp) {
            Admission::Ask => tries,
            Admission::Trial => tries.last_chunk::<1>().map_or(tries, |last| last.as_slice()),
            Admission::Refuse => return Reply::silence(Transport::Udp, Silence::CircuitOpen),
        };
        let mut received = self.udp_exchange(tries, true).await;
        if let Ok(first) = &received
            && Answer::dislikes_edns(&first.message)
        {
            // Only an answer counts: a server that then falls silent has already shown its error.
            received = self.udp_exchange(tries, false).await.or(received);
        }
        match received {
            Ok(received) if received.message.metadata.truncation => self.over_tcp().await,
            Ok(received) => Reply {
                transport: Transport::Udp,
                answer: Ok(Answer::read(&received.message)),
                rtt: Some(received.rtt),
            },
            Err(why) => Reply::silence(Transport::Udp, why),
        }
    }

    async fn udp_exchange(&self, tries: &[Duration], with_edns: bool) -> Result<Received, Silence> {
        let channel = self.server.channel().await.map_err(|_no_socket| Silence::Unreachable)?;
        let mut ticket = channel.register(self.question, with_edns).ok_or(Silence::NotAskable)?;
        let mut sent_at = Instant::now();
        for (index, patience) in tries.iter().enumerate() {
            // An answer that comes late, while the next try waits for its turn, still counts.
            tokio::select! {
                biased;
                heard = ticket.heard() => return self.udp_answer(heard, sent_at),
                () = self.pace() => {}
            }
            self.server.sent(0 < index);
            sent_at = Instant::now();
            if ticket.send().await.is_err() {
                // The route may have changed; the next question opens a new socket.
                self.server.discard_channel();
                return Err(Silence::Unreachable);
            }
            if let Ok(heard) = timeout(with_jitter(*patience), ticket.heard()).await {
                return self.udp_answer(heard, sent_at);
            }
        }
        if ticket.saw_noise() {
            self.server.alive(Transport::Udp);
            return Err(Silence::Malformed);
        }
        self.server.timed_out(Transport::Udp);
        Err(Silence::Timeout)
    }

    fn udp_answer(&self, heard: Heard, sent_at: Instant) -> Result<Received, Silence> {
        self.server.alive(Transport::Udp);
        match heard {
            Heard::Unreachable => Err(Silence::Unreachable),
            Heard::Packet(packet) => {
                let message = Message::from_vec(&packet).map_err(|_undecodable| Silence::Malformed)?;
                Ok(Received { message, rtt: sent_at.elapsed() })
            }
        }
    }

    async fn over_tcp(&self) -> Reply {
        let Ok(_permit) = self.server.tcp_turns.acquire().await else {
            return Reply::silence(Transport::Tcp, Silence::Unreachable);
        };
        if self.server.admit(Transport::Tcp) == Admission::Refuse {
            return Reply::silence(Transport::Tcp, Silence::CircuitOpen);
        }
        let mut received = self.tcp_try(true).await;
        if let Ok(first) = &received
            && Answer::dislikes_edns(&first.message)
        {
            received = self.tcp_try(false).await.or(received);
        }
        if matches!(received, Err(Silence::Timeout)) {
            self.server.timed_out(Transport::Tcp);
        } else {
            self.server.alive(Transport::Tcp);
        }
        match received {
            Ok(received) => Reply {
                transport: Transport::Tcp,
                answer: Ok(Answer::read(&received.message)),
                rtt: Some(received.rtt),
            },
            Err(why) => Reply::silence(Transport::Tcp, why),
        }
    }

    async fn tcp_try(&self, with_edns: bool) -> Result<Received, Silence> {
        self.pace().await;
        self.server.sent(false);
        let received = timeout(self.prober.settings.tcp_timeout, self.tcp_exchange(with_edns)).await;
        received.unwrap_or(Err(Silence::Timeout))
    }

    async fn tcp_exchange(&self, with_edns: bool) -> Result<Received, Silence> {
        let mut stream = TcpStream::connect(self.server.address).await.map_err(|error| no_stream(&error))?;
        let sent_at = Instant::now();
        let message = exchange(&mut stream, self.question, with_edns).await?;
        Ok(Received { message, rtt: sent_at.elapsed() })
    }

    /// Over TLS or HTTPS: one try, for the transport repeats what is lost.
    async fn over(&self, channel: &Encrypted, transport: Transport) -> Reply {
        let Ok(_permit) = self.server.tcp_turns.acquire().await else {
            return Reply::silence(transport, Silence::Unreachable);
        };
        if self.server.admit(Transport::Tcp) == Admission::Refuse {
            return Reply::silence(transport, Silence::CircuitOpen);
        }
        self.pace().await;
        self.server.sent(false);
        let sent_at = Instant::now();
        let asked = timeout(self.prober.settings.tcp_timeout, channel.ask(self.question)).await;
        match asked.unwrap_or(Err(Silence::Timeout)) {
            Ok(message) => {
                self.server.alive(Transport::Tcp);
                Reply { transport, answer: Ok(Answer::read(&message)), rtt: Some(sent_at.elapsed()) }
            }
            Err(why) => {
                if why == Silence::Timeout {
                    self.server.timed_out(Transport::Tcp);
                }
                Reply::silence(transport, why)
            }
        }
    }

    /// Every packet pays, a retry as well as a first try: a server in trouble is not asked more.
    async fn pace(&self) {
        self.server.pacer.ready().await;
        if !self.question.is_recursive() {
            self.prober.authoritative_total.ready().await;
        }
    }
}

/// Up to a fifth more, so that questions lost together are not repeated together; never less, for all
/// tries together outlast a server that stands still for three seconds.
fn with_jitter(patience: Duration) -> Duration {
    patience.mul_f64(rand::random_range(1.0..1.2))
}

/// True for an address that is reached over the internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && second & 0xc0 == 64; // RFC 6598
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::fake::FakeServer;
    use crate::model::RecordType;

    fn quick() -> ProberSettings {
        let plenty = NonZeroU32::new(100_000).unwrap();
        ProberSettings {
            authoritative_per_second: plenty,
            authoritative_total_per_second: plenty,
            internal_resolver_per_second: plenty,
            tries: vec![Duration::from_millis(150); 2],
            tcp_timeout: Duration::from_millis(500),
            ..ProberSettings::default()
        }
    }

    fn question(label: &str) -> Question {
        Question::authoritative(format!("{label}.example.com").as_str().into(), RecordType::A)
    }

    /// Outcome, transport and data of one answer, and what the server was asked for it.
    async fn check(label: &str, transport: Transport, expected: &str, asked: &[&str]) {
        let server = FakeServer::start().await;
        let prober = Prober::new(quick());
        let reply = prober.ask(server.address, &question(label), transport).await;
        let data: Vec<&str> = match &reply.answer {
            Ok(answer) => answer.answers.iter().map(|record| &*record.data).collect(),
            Err(_) => Vec::new(),
        };
        let outcome = reply.outcome(Vantage::Authoritative).as_str();
        assert_eq!(
            format!("{outcome} {:?} {}", reply.transport, data.join(" ")).trim_end(),
            expected,
            "{label}"
        );
        assert_eq!(server.asked_for(&format!("{label}.example.com")), asked, "{label}");
        assert_eq!(reply.rtt.is_some(), reply.answer.is_ok());
    }

    #[tokio::test]
    async fn every_behaviour_over_udp() {
        let udp = Transport::Udp;
        check("ok", udp, "answer Udp 192.0.2.1", &["A/udp"]).await;
        check("shout", udp, "answer Udp 192.0.2.1", &["A/udp"]).await;
        check("chain", udp, "answer Udp middle.example.com. end.example.com. 192.0.2.9", &["A/udp"]).await;
        check("nxdomain", udp, "nxdomain Udp", &["A/udp"]).await;
        check("nodata", udp, "nodata Udp", &["A/udp"]).await;
        check("referral", udp, "nodata Udp", &["A/udp"]).await;
        check("servfail", udp, "servfail Udp", &["A/udp"]).await;
        check("refused", udp, "refused Udp", &["A/udp"]).await;
        check("truncated", udp, "answer Tcp 192.0.2.1", &["A/udp", "A/tcp"]).await;
        check("wrongid", udp, "answer Udp 192.0.2.1", &["A/udp"]).await;
        check("second", udp, "answer Udp 192.0.2.1", &["A/udp", "A/udp"]).await;
        check("drop", udp, "timeout Udp", &["A/udp", "A/udp"]).await;
        check("wrongquestion", udp, "malformed Udp", &["A/udp", "A/udp"]).await;
        check("garbage", udp, "malformed Udp", &["A/udp", "A/udp"]).await;
        check("liar", udp, "malformed Udp", &["A/udp"]).await;
        check("old", udp, "answer Udp 192.0.2.1", &["A/udp", "A/udp"]).await;
    }

    #[tokio::test]
    async fn every_behaviour_over_tcp() {
        let tcp = Transport::Tcp;
        check("ok", tcp, "answer Tcp 192.0.2.1", &["A/tcp"]).await;
        check("nxdomain", tcp, "nxdomain Tcp", &["A/tcp"]).await;
        check("wrongid", tcp, "answer Tcp 192.0.2.1", &["A/tcp"]).await;
        check("wrongquestion", tcp, "unreachable Tcp", &["A/tcp"]).await;
        check("garbage", tcp, "malformed Tcp", &["A/tcp"]).await;
        check("liar", tcp, "malformed Tcp", &["A/tcp"]).await;
        check("old", tcp, "answer Tcp 192.0.2.1", &["A/tcp", "A/tcp"]).await;
        check("drop", tcp, "unreachable Tcp", &["A/tcp"]).await;
    }

    #[tokio::test]
    async fn the_answer_keeps_what_a_resolver_library_would_drop() {
        let server = FakeServer::start().await;
        let prober = Prober::new(quick());
        let reply = prober.ask(server.address, &question("servfail"), Transport::Udp).await;
        let ede = reply.answer.unwrap().ede.unwrap();
        assert_eq!((ede.code, &*ede.text), (9, "no key"));
    }

    #[tokio::test]
    async fn a_closed_port_is_known_at_once() {
        let gone = FakeServer::start().await.address;
        let prober = Prober::new(ProberSettings { tries: vec![Duration::from_mins(1)], ..quick() });
        for transport in [Transport::Udp, Transport::Tcp] {
            let ask = async { prober.ask(gone, &question("ok"), transport).await };
            let reply = timeout(Duration::from_secs(5), ask).await.unwrap();
            assert_eq!(reply.answer, Err(Silence::Unreachable));
        }
        assert_eq!(prober.stats()[&gone].refused, 2);
    }

    #[tokio::test]
    async fn one_socket_carries_all_questions() {
        let server = FakeServer::start().await;
        let prober = Prober::new(quick());
        let mut asking = tokio::task::JoinSet::new();
        for index in 0..500 {
            let (prober, address) = (prober.clone(), server.address);
            asking.spawn(async move {
                prober.ask(address, &question(&format!("n{index}")), Transport::Udp).await
            });
        }
        while let Some(reply) = asking.join_next().await {
            assert_eq!(reply.unwrap().outcome(Vantage::Authoritative), Outcome::Answer);
        }
        let ports: std::collections::BTreeSet<u16> = server.asked().iter().map(|asked| asked.port).collect();
        assert_eq!(ports.len(), 1);
        assert_eq!(prober.stats()[&server.address].answers, 500);
    }

    #[tokio::test]
    async fn a_silent_server_is_left_alone() {
        let server = FakeServer::start().await;
        let prober = Prober::new(ProberSettings { tries: vec![Duration::from_millis(50)], ..quick() });
        let ask = |label: &'static str| {
            let (prober, address) = (prober.clone(), server.address);
            async move { prober.ask(address, &question(label), Transport::Udp).await }
        };
        futures::future::join_all((0..20).map(|_| ask("drop"))).await;
        assert!(prober.is_unreachable(server.address));
        assert_eq!(ask("ok").await.answer, Err(Silence::CircuitOpen));
        assert!(server.asked_for("ok.example.com").is_empty());
        let stats = prober.stats()[&server.address];
        assert_eq!((stats.timeouts, stats.withheld), (20, 1));
    }

    #[tokio::test]
    async fn retries_pay_for_their_tokens() {
        let server = FakeServer::start().await;
        let rate = NonZeroU32::new(40).unwrap();
        let tries = vec![Duration::from_millis(20); 3];
        let prober = Prober::new(ProberSettings { authoritative_per_second: rate, tries, ..quick() });
        let start = Instant::now();
        let drop = question("drop");
        let asking = (0..15).map(|_| prober.ask(server.address, &drop, Transport::Udp));
        futures::future::join_all(asking).await;
        let took = start.elapsed();
        let sent = u32::try_from(server.asked().len()).unwrap();
        assert_eq!(sent, 45);
        // 45 packets at 40 a second, two of them saved up at the start.
        assert!(Duration::from_secs(1) <= took, "{sent} packets in {took:?}");
    }

    #[tokio::test]
    async fn what_cannot_exist_is_not_asked() {
        let prober = Prober::new(quick());
        let question = Question::authoritative("..sub.example.com".into(), RecordType::A);
        let reply = prober.ask("127.0.0.1:1".parse().unwrap(), &question, Transport::Udp).await;
        assert_eq!(reply.answer, Err(Silence::NotAskable));
        assert!(prober.stats().is_empty());
    }
}
