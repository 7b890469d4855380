//! A DNS server in the test process. The first label of the name says how it misbehaves.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::EdnsOption;
use hickory_resolver::proto::rr::rdata::{A, CNAME, NS, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

/// What was asked: name, type, over TCP, RD, CD, with EDNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) record_type: String,
    pub(crate) tcp: bool,
    pub(crate) rd: bool,
    pub(crate) cd: bool,
    pub(crate) edns: bool,
    pub(crate) port: u16,
}

/// Runs until it is dropped.
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        // A port that is free for both transports is found by trying.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&log)));
        tasks.spawn(serve_tcp(tcp, Arc::clone(&log)));
        Self { address, log, _tasks: tasks }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// Questions under a name, as `A/udp`, in order.
    pub(crate) fn asked_for(&self, name: &str) -> Vec<String> {
        let shown = |asked: &Asked| {
            let transport = if asked.tcp { "tcp" } else { "udp" };
            let cd = if asked.cd { "/cd" } else { "" };
            format!("{}/{transport}{cd}", asked.record_type)
        };
        self.asked().iter().filter(|asked| asked.name == name).map(shown).collect()
    }
}

fn record(name: &Name, data: RData) -> Record {
    Record::from_rdata(name.clone(), 60, data)
}

pub(crate) fn address(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// The packets to send, each with a delay in milliseconds.
fn behave(packet: &[u8], tcp: bool, port: u16, log: &Mutex<Vec<Asked>>) -> Vec<(u64, Vec<u8>)> {
    let question = Message::from_vec(packet).unwrap();
    let query = question.queries[0].clone();
    let asked_name = query.name().clone();
    let shown = asked_name.to_lowercase().to_ascii().trim_end_matches('.').to_owned();
    let edns = question.edns.is_some();
    log.lock().unwrap().push(Asked {
        name: shown.clone(),
        record_type: query.query_type().to_string(),
        tcp,
        rd: question.metadata.recursion_desired,
        cd: question.metadata.checking_disabled,
        edns,
        port,
    });
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.metadata.authoritative = !question.metadata.recursion_desired;
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.add_query(query.clone());
    if edns {
        reply.set_edns(Edns::new());
    }
    let zone = name("example.com.");
    let soa = || {
        let data = SOA::new(name("ns1.example.com."), name("h.example.com."), 1, 7200, 900, 1_209_600, 300);
        record(&zone, RData::SOA(data))
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other types do not exist here")]
    let good = |reply: &mut Message| match query.query_type() {
        RecordType::A => reply.answers.push(record(&asked_name, address(1))),
        RecordType::SOA => reply.answers.push(soa()),
        RecordType::NS => {
            reply.answers.push(record(&asked_name, RData::NS(NS(name("ns1.example.com.")))));
        }
        _ => reply.authorities.push(soa()),
    };
    let fail = |reply: &mut Message, code: ResponseCode| {
        reply.metadata.response_code = code;
        reply.metadata.authoritative = false;
    };
    let first = |message: &Message| vec![(0, message.to_vec().unwrap())];
    match shown.split('.').next().unwrap() {
        "nxdomain" => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.authorities.push(soa());
        }
        "nodata" => reply.authorities.push(soa()),
        // A resolver answers when it need not check.
        "bogus" if question.metadata.checking_disabled => good(&mut reply),
        "servfail" | "bogus" => {
            fail(&mut reply, ResponseCode::ServFail);
            let ede = EdnsOption::Unknown(15, b"\x00\x09no key".to_vec());
            if let Some(edns) = reply.edns.as_mut() {
                edns.options_mut().insert(ede);
            }
        }
        "refused" => fail(&mut reply, ResponseCode::Refused),
        "drop" => return Vec::new(),
        "second" if log.lock().unwrap().iter().filter(|asked| asked.name == shown).count() < 2 => {
            return Vec::new();
        }
        "truncated" if !tcp => {
            reply.metadata.truncation = true;
            good(&mut reply);
        }
        "wrongid" => {
            good(&mut reply);
            let mut forged = reply.clone();
            forged.metadata.id ^= 1;
            forged.answers = vec![record(&asked_name, address(66))];
            return vec![(0, forged.to_vec().unwrap()), (5, reply.to_vec().unwrap())];
        }
        "wrongquestion" => {
            let mut forged = reply.clone();
            forged.queries[0].set_name(name("other.example.com."));
            forged.answers = vec![record(&asked_name, address(66))];
            return first(&forged);
        }
        "garbage" => return vec![(0, [packet[0], packet[1], 0x80].to_vec()), (0, vec![0xff; 700])],
        "liar" => {
            good(&mut reply);
            let mut bytes = reply.to_vec().unwrap();
            // Promises more answers than there are.
            bytes[6] = 0xff;
            return vec![(0, bytes)];
        }
        "chain" => {
            let (middle, end) = (name("middle.example.com."), name("end.example.com."));
            reply.answers.push(record(&asked_name, RData::CNAME(CNAME(middle.clone()))));
            reply.answers.push(record(&middle, RData::CNAME(CNAME(end.clone()))));
            reply.answers.push(record(&end, address(9)));
        }
        "referral" => {
            reply.metadata.authoritative = false;
            reply
                .authorities
                .push(record(&name("referral.example.com."), RData::NS(NS(name("ns.other.org.")))));
        }
        "old" if edns => {
            // Before EDNS: neither an OPT record nor the question comes back.
            fail(&mut reply, ResponseCode::FormErr);
            reply.edns = None;
            reply.queries.clear();
        }
        "shout" => {
            good(&mut reply);
            reply.queries[0].set_name(name(&format!("{}.", shown.to_ascii_uppercase())));
        }
        _ => good(&mut reply),
    }
    first(&reply)
}

async fn serve_udp(socket: UdpSocket, log: Arc<Mutex<Vec<Asked>>>) {
    let mut buffer = vec![0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        for (delay, packet) in behave(&buffer[..length], false, from.port(), &log) {
            if delay != 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            socket.send_to(&packet, from).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, log: Arc<Mutex<Vec<Asked>>>) {
    loop {
        let (mut stream, from) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut packet = vec![0; usize::from(length)];
        stream.read_exact(&mut packet).await.unwrap();
        for (_, packet) in behave(&packet, true, from.port(), &log) {
            let lie = u16::from(packet.get(6) == Some(&0xff)) * 100;
            stream.write_u16(u16::try_from(packet.len()).unwrap() + lie).await.unwrap();
            stream.write_all(&packet).await.unwrap();
        }
    }
}
