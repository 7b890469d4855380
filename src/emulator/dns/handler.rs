//! Between hickory's server and our answers: one responder per address.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, MessageType, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::rdata::NULL;
use hickory_server::proto::rr::{RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;

use super::answer::{Answer, answer};
use super::fault::DnsFaultKind;
use super::rdata::{address, spelled};
use super::{Role, Shared};

/// Largest UDP answer that is promised; what resolvers agreed on in 2020.
const PAYLOAD: u16 = 1232;

/// Answers the queries that arrive at one address.
pub(super) struct Responder {
    pub(super) role: Role,
    pub(super) server: SocketAddr,
    pub(super) shared: Arc<Shared>,
}

impl RequestHandler for Responder {
    // What `async_trait` makes of the trait's `async fn`; the macro itself is not worth a dependency.
    fn handle_request<'me, 'request, 'future, R, T>(
        &'me self,
        request: &'request Request,
        handle: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'future>>
    where
        R: ResponseHandler + 'future,
        T: Time + 'future,
        'me: 'future,
        'request: 'future,
        Self: 'future,
    {
        Box::pin(self.respond(request, handle))
    }
}

/// An answer ready to be sent.
struct Reply {
    metadata: Metadata,
    answer: Answer,
}

// === impl Responder ===

impl Responder {
    async fn respond(&self, request: &Request, mut handle: impl ResponseHandler) -> ResponseInfo {
        let nothing = no_response(request);
        let Some(Reply { metadata, answer }) = self.reply(request) else { return nothing };
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD);
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if request.edns.is_some() {
            builder.edns(&edns);
        }
        let response = builder.build(metadata, &answer.answers, &answer.authority, None, &answer.additional);
        handle.send_response(response).await.unwrap_or(nothing)
    }

    /// What to send; `None` to stay silent.
    fn reply(&self, request: &Request) -> Option<Reply> {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let question = match (request.metadata.op_code, request.request_info()) {
            (OpCode::Query, Ok(info)) => info.query.original().clone(),
            (_, Ok(_)) => {
                metadata.response_code = ResponseCode::NotImp;
                return Some(Reply { metadata, answer: Answer::empty(ResponseCode::NotImp, false) });
            }
            (_, Err(_)) => {
                metadata.response_code = ResponseCode::FormErr;
                return Some(Reply { metadata, answer: Answer::empty(ResponseCode::FormErr, false) });
            }
        };
        let kind = question.query_type();
        let name = spelled(question.name());
        self.shared.count(self.server, &name, &kind.to_string());
        let mut answer = answer(&self.shared, self.role, question.name(), kind);
        metadata.recursion_available = self.role == Role::Resolver;
        if let Some(fault) = self.shared.faults.take(|fault| fault.concerns(self.server, &name)) {
            let udp = request.protocol() == Protocol::Udp;
            spoil(fault.kind, udp, (question.name(), kind), &mut metadata, &mut answer)?;
        }
        metadata.authoritative = answer.authoritative;
        metadata.response_code = answer.code;
        Some(Reply { metadata, answer })
    }
}

/// Damages an answer; `None` suppresses it.
fn spoil(
    fault: DnsFaultKind,
    udp: bool,
    (owner, kind): (&hickory_server::proto::rr::Name, RecordType),
    metadata: &mut Metadata,
    answer: &mut Answer,
) -> Option<()> {
    let raw = |code: RecordType, bytes: &[u8]| {
        let data = RData::Unknown { code, rdata: NULL::with(bytes.to_vec()) };
        vec![Record::from_rdata(owner.clone(), 60, data)]
    };
    match fault {
        DnsFaultKind::ServFail => *answer = Answer::empty(ResponseCode::ServFail, false),
        DnsFaultKind::Refused => *answer = Answer::empty(ResponseCode::Refused, false),
        DnsFaultKind::NxDomain => *answer = Answer::empty(ResponseCode::NXDomain, answer.authoritative),
        DnsFaultKind::Truncated | DnsFaultKind::TruncatedWithoutTcp if udp => {
            *answer = Answer::empty(ResponseCode::NoError, answer.authoritative);
            metadata.truncation = true;
        }
        DnsFaultKind::Truncated => {}
        DnsFaultKind::Drop | DnsFaultKind::TruncatedWithoutTcp => return None,
        DnsFaultKind::Lie(lie) => {
            *answer = Answer::empty(ResponseCode::NoError, answer.authoritative);
            answer.answers.extend(address(owner, 60, kind, lie));
        }
        DnsFaultKind::RewriteDenials(lie) => {
            if answer.code == ResponseCode::NXDomain {
                *answer = Answer::empty(ResponseCode::NoError, false);
                answer.answers.extend(address(owner, 60, kind, lie));
            }
        }
        DnsFaultKind::WrongId => metadata.id ^= 0x5555,
        DnsFaultKind::Malformed => {
            *answer = Answer::empty(ResponseCode::NoError, true);
            answer.answers = raw(RecordType::A, &[192, 0, 2]);
        }
        DnsFaultKind::LyingLength => {
            *answer = Answer::empty(ResponseCode::NoError, true);
            answer.answers = raw(RecordType::TXT, &[250, b'x']);
        }
    }
    Some(())
}

/// What the server is told when nothing was sent.
fn no_response(request: &Request) -> ResponseInfo {
    let metadata = Metadata::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
    Header { metadata, counts: HeaderCounts::default() }.into()
}
