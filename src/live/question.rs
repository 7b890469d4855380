//! A question, on the wire and off it. Pure.

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_resolver::proto::rr::{DNSClass, Name, RecordType as WireType};

use crate::live::names::{to_wire, type_to_wire};
use crate::model::{DomainName, RecordType};

/// Largest UDP answer that is asked for: fits into every path without fragments.
/// Source: DNS flag day 2020.
pub const MAX_UDP_PAYLOAD: u16 = 1232;

/// Octets of the fixed part of a message.
const HEADER: usize = 12;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Name asked for.
    pub name: DomainName,
    /// Type asked for.
    pub record_type: RecordType,
    /// The RD bit: set for resolvers, clear for authoritative servers.
    pub recursion_desired: bool,
    /// The CD bit: the resolver must not hide what fails validation.
    pub checking_disabled: bool,
}

/// A question encoded once; only the id differs between packets.
#[derive(Clone, Debug)]
pub(crate) struct WireQuestion {
    name: Name,
    record_type: WireType,
    recursion_desired: bool,
    checking_disabled: bool,
    section: Box<[u8]>,
}

/// How a packet relates to a question that is waiting under its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// It answers this question.
    Answer,
    /// It carries the id and something else: a stray or forged packet, or a broken server.
    Noise,
}

// === impl Question ===

impl Question {
    /// A question to an authoritative server.
    #[must_use]
    pub fn authoritative(name: DomainName, record_type: RecordType) -> Self {
        Self { name, record_type, recursion_desired: false, checking_disabled: false }
    }

    /// A question to a resolver.
    #[must_use]
    pub fn recursive(name: DomainName, record_type: RecordType) -> Self {
        Self { name, record_type, recursion_desired: true, checking_disabled: false }
    }
}

// === impl WireQuestion ===

impl WireQuestion {
    /// `None` for a name or type that no message can carry.
    pub(crate) fn new(question: &Question) -> Option<Self> {
        let name = to_wire(&question.name)?;
        let record_type = type_to_wire(&question.record_type)?;
        let mut section = Vec::with_capacity(name.len() + 5);
        for label in &name {
            section.push(u8::try_from(label.len()).ok()?);
            section.extend_from_slice(label);
        }
        section.push(0);
        section.extend_from_slice(&u16::from(record_type).to_be_bytes());
        section.extend_from_slice(&u16::from(DNSClass::IN).to_be_bytes());
        Some(Self {
            name,
            record_type,
            recursion_desired: question.recursion_desired,
            checking_disabled: question.checking_disabled,
            section: section.into(),
        })
    }

    /// True if it goes to a resolver.
    pub(crate) fn is_recursive(&self) -> bool {
        self.recursion_desired
    }

    /// The packet with this id; `None` if the library cannot encode it.
    pub(crate) fn encode(&self, id: u16, with_edns: bool) -> Option<Vec<u8>> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = self.recursion_desired;
        message.metadata.checking_disabled = self.checking_disabled;
        // Asks a validating resolver for its verdict without asking for signatures.
        // Source: RFC 6840 section 5.7.
        message.metadata.authentic_data = self.recursion_desired;
        message.add_query(Query::query(self.name.clone(), self.record_type));
        if with_edns {
            let mut edns = Edns::new();
            edns.set_max_payload(MAX_UDP_PAYLOAD);
            message.set_edns(edns);
        }
        message.to_vec().ok()
    }

    /// Judges a packet whose id is the one this question was sent under.
    ///
    /// The question section must come back as it was sent, in any letter case; only an error may
    /// leave it out, as old servers do.
    pub(crate) fn matches(&self, packet: &[u8]) -> Match {
        let Some((header, body)) = packet.split_first_chunk::<HEADER>() else { return Match::Noise };
        let [_, _, flags, more_flags, count_high, count_low, ..] = *header;
        let is_answer = flags & 0x80 != 0 && flags & 0x78 == 0;
        let is_error = more_flags & 0x0f != 0;
        let same_question = || {
            let (Some(echo), Some(split)) =
                (body.get(..self.section.len()), self.section.len().checked_sub(4))
            else {
                return false;
            };
            let (Some((name, rest)), Some((echo_name, echo_rest))) =
                (self.section.split_at_checked(split), echo.split_at_checked(split))
            else {
                return false;
            };
            name.eq_ignore_ascii_case(echo_name) && rest == echo_rest
        };
        match u16::from_be_bytes([count_high, count_low]) {
            _ if !is_answer => Match::Noise,
            0 if is_error => Match::Answer,
            1 if same_question() => Match::Answer,
            _ => Match::Noise,
        }
    }
}

/// The id of a packet; `None` for one that is too short to have one.
pub(crate) fn packet_id(packet: &[u8]) -> Option<u16> {
    packet.first_chunk().map(|id| u16::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str) -> WireQuestion {
        WireQuestion::new(&Question::authoritative(name.into(), RecordType::A)).unwrap()
    }

    fn reply(packet: &[u8]) -> Vec<u8> {
        let mut reply = packet.to_vec();
        reply[2] |= 0x80;
        reply
    }

    #[test]
    fn a_packet_must_echo_the_question() {
        let asked = question("app.example.com");
        let packet = asked.encode(0xbeef, true).unwrap();
        assert_eq!(packet_id(&packet), Some(0xbeef));
        assert_eq!(asked.matches(&packet), Match::Noise, "a query is no answer");
        assert_eq!(asked.matches(&reply(&packet)), Match::Answer);
        let shouted = reply(&question("APP.example.COM").encode(0xbeef, false).unwrap());
        assert_eq!(asked.matches(&shouted), Match::Answer);
        let other = reply(&question("app.example.org").encode(0xbeef, false).unwrap());
        assert_eq!(asked.matches(&other), Match::Noise);
        for end in 0..packet.len() {
            let cut = &reply(&packet)[..end.max(3)];
            assert_eq!(asked.matches(cut) == Match::Answer, end >= HEADER + asked.section.len(), "{end}");
        }
    }

    #[test]
    fn only_an_error_may_leave_the_question_out() {
        let asked = question("app.example.com");
        let mut packet = [0xbe, 0xef, 0x80, 0x01, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(asked.matches(&packet), Match::Answer);
        packet[3] = 0;
        assert_eq!(asked.matches(&packet), Match::Noise);
    }
}
