//! One question over a stream: TCP, or TLS on top of it. Source: RFC 1035 section 4.2.2.

use hickory_resolver::proto::op::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::live::encrypted::no_stream;
use crate::live::prober::Silence;
use crate::live::question::{Match, WireQuestion, packet_id};

/// Stray messages on one connection before it is given up.
const MAX_STRAY_MESSAGES: usize = 4;

/// Asks and waits for the answer. Bounded by the caller, in time; by the framing, in size.
pub(crate) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    question: &WireQuestion,
    with_edns: bool,
) -> Result<Message, Silence> {
    let id = rand::random();
    let packet = question.encode(id, with_edns).ok_or(Silence::NotAskable)?;
    let length = u16::try_from(packet.len()).map_err(|_too_long| Silence::NotAskable)?;
    let mut framed = Vec::with_capacity(packet.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(&packet);
    stream.write_all(&framed).await.map_err(|error| no_stream(&error))?;
    stream.flush().await.map_err(|error| no_stream(&error))?;
    for _ in 0..MAX_STRAY_MESSAGES {
        let length = stream.read_u16().await.map_err(|error| no_stream(&error))?;
        let mut packet = vec![0; usize::from(length)];
        // A length that promises more than comes is no answer.
        stream.read_exact(&mut packet).await.map_err(|_cut_short| Silence::Malformed)?;
        if packet_id(&packet) == Some(id) && question.matches(&packet) == Match::Answer {
            return Message::from_vec(&packet).map_err(|_undecodable| Silence::Malformed);
        }
    }
    Err(Silence::Malformed)
}
