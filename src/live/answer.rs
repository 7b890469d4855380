//! What a DNS message says, in the words of an observation. Pure.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use hickory_resolver::proto::op::{Edns, Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record};

use crate::limits::MAX_TEXT;
use crate::live::names::{from_wire, type_from_wire};
use crate::model::RecordType;
use crate::model::observation::{AnswerRecord, ExtendedError, Outcome, Vantage};
use crate::model::text::{printable, truncate};

/// Records that are kept of each section. Route 53 allows 400 values in a record set, but nothing
/// that is judged has more than a handful, and a hostile server could send thousands.
pub const MAX_RECORDS: usize = 64;

/// Option code of an extended DNS error. Source: RFC 8914 section 2.
const EXTENDED_ERROR: u16 = 15;

/// One answer, decoded and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Response code in the IANA spelling.
    pub rcode: Arc<str>,
    /// The AA bit.
    pub authoritative: bool,
    /// The AD bit.
    pub authentic: bool,
    /// Answer section in order, at most [`MAX_RECORDS`].
    pub answers: Vec<AnswerRecord>,
    /// Authority section in order, at most [`MAX_RECORDS`].
    pub authority: Vec<AnswerRecord>,
    /// Extended DNS error; `None` when the answer carried none.
    pub ede: Option<ExtendedError>,
    code: ResponseCode,
    /// The RD bit, which comes back as it was sent.
    recursive: bool,
}

// === impl Answer ===

impl Answer {
    /// Decodes a message that was matched to its question.
    #[must_use]
    pub fn read(message: &Message) -> Self {
        let code = message.metadata.response_code;
        Self {
            rcode: rcode_word(code),
            authoritative: message.metadata.authoritative,
            authentic: message.metadata.authentic_data,
            answers: section(&message.answers),
            authority: section(&message.authorities),
            ede: message.edns.as_ref().and_then(extended_error),
            code,
            recursive: message.metadata.recursion_desired,
        }
    }

    /// The answer in one word, as seen from where the question was asked.
    ///
    /// A referral is what a parent is asked for; from the zone's own server it means that a
    /// delegation takes the name away; from a resolver it is no answer at all.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of codes is open")]
    #[must_use]
    pub fn outcome(&self, vantage: Vantage) -> Outcome {
        match self.code {
            ResponseCode::NoError if !self.answers.is_empty() => Outcome::Answer,
            ResponseCode::NoError if self.is_referral() => match vantage {
                Vantage::Parent => Outcome::Answer,
                Vantage::Authoritative => Outcome::Nodata,
                Vantage::Recursive | Vantage::Control => Outcome::Malformed,
            },
            ResponseCode::NoError => Outcome::Nodata,
            ResponseCode::NXDomain => Outcome::Nxdomain,
            // NOTAUTH says of a zone what REFUSED says: this server does not serve it.
            ResponseCode::Refused | ResponseCode::NotAuth => Outcome::Refused,
            _the_server_could_not => Outcome::Servfail,
        }
    }

    /// True if NS records in the authority section point elsewhere: no SOA, not authoritative.
    #[must_use]
    pub fn is_referral(&self) -> bool {
        let has = |word: &str| self.authority.iter().any(|record| &*record.record_type == word);
        self.answers.is_empty() && !self.authoritative && has("NS") && !has("SOA")
    }

    #[cfg(test)]
    pub(crate) fn referral_for_test(authority: Vec<AnswerRecord>) -> Self {
        Self {
            rcode: "NOERROR".into(),
            authoritative: false,
            authentic: false,
            answers: Vec::new(),
            authority,
            ede: None,
            code: ResponseCode::NoError,
            recursive: false,
        }
    }

    /// True for an answer that an old server gives to a question with EDNS.
    #[must_use]
    pub(crate) fn dislikes_edns(message: &Message) -> bool {
        matches!(message.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp)
            && message.edns.is_none()
    }

    /// True if a resolver does not want to answer; a name server that refuses does not have the zone.
    pub(crate) fn is_refused_by_resolver(&self) -> bool {
        self.code == ResponseCode::Refused && self.recursive
    }

    /// True if the server failed in the way that DNSSEC validation fails.
    #[must_use]
    pub fn is_servfail(&self) -> bool {
        self.code == ResponseCode::ServFail
    }
}

fn section(records: &[Record]) -> Vec<AnswerRecord> {
    let of_internet = |record: &&Record| record.dns_class == DNSClass::IN;
    records.iter().filter(of_internet).take(MAX_RECORDS).map(answer_record).collect()
}

fn answer_record(record: &Record) -> AnswerRecord {
    let data = presentation(&record.data);
    AnswerRecord {
        name: from_wire(&record.name),
        record_type: type_word(&type_from_wire(record.record_type())),
        ttl: record.ttl,
        data: truncate(&data, MAX_TEXT).into(),
    }
}

/// The word of a type.
pub(crate) fn type_word(record_type: &RecordType) -> Arc<str> {
    shared(record_type.as_str())
}

/// The words that are in every observation share one allocation.
fn shared(word: &str) -> Arc<str> {
    static COMMON: LazyLock<[Arc<str>; 9]> = LazyLock::new(|| {
        ["A", "AAAA", "CNAME", "NS", "SOA", "TXT", "DS", "NOERROR", "NXDOMAIN"].map(Arc::from)
    });
    COMMON.iter().find(|known| ***known == *word).map_or_else(|| word.into(), Arc::clone)
}

/// The response code as IANA spells it. Source: IANA registry "DNS RCODEs".
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of codes is open")]
fn rcode_word(code: ResponseCode) -> Arc<str> {
    let word = match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::YXDomain => "YXDOMAIN",
        ResponseCode::YXRRSet => "YXRRSET",
        ResponseCode::NXRRSet => "NXRRSET",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::NotZone => "NOTZONE",
        ResponseCode::BADVERS => "BADVERS",
        ResponseCode::BADCOOKIE => "BADCOOKIE",
        other => return format!("RCODE{}", u16::from(other)).into(),
    };
    shared(word)
}

fn extended_error(edns: &Edns) -> Option<ExtendedError> {
    let Some(EdnsOption::Unknown(_, bytes)) = edns.option(EdnsCode::from(EXTENDED_ERROR)) else {
        return None;
    };
    let (code, text) = bytes.split_at_checked(2)?;
    let code = u16::from_be_bytes(code.try_into().ok()?);
    // Some servers end the text with a zero octet, which RFC 8914 forbids.
    let text = String::from_utf8_lossy(text);
    Some(ExtendedError { code, text: printable(text.trim_end_matches('\0')).into() })
}

/// Data as `dig` prints it; names canonical with the trailing dot.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library prints what is never judged")]
fn presentation(data: &RData) -> String {
    match data {
        RData::A(address) => address.0.to_string(),
        RData::AAAA(address) => address.0.to_string(),
        RData::CNAME(name) => absolute(&name.0),
        RData::NS(name) => absolute(&name.0),
        RData::PTR(name) => absolute(&name.0),
        RData::MX(mx) => format!("{} {}", mx.preference, absolute(&mx.exchange)),
        RData::SRV(srv) => {
            format!("{} {} {} {}", srv.priority, srv.weight, srv.port, absolute(&srv.target))
        }
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            absolute(&soa.mname),
            absolute(&soa.rname),
            soa.serial,
            // The library reads these 32-bit numbers as signed; on the wire they are not.
            soa.refresh.cast_unsigned(),
            soa.retry.cast_unsigned(),
            soa.expire.cast_unsigned(),
            soa.minimum
        ),
        RData::TXT(txt) => txt.txt_data.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" "),
        RData::Unknown { code, rdata } if type_from_wire(*code) == RecordType::Ds => {
            delegation_signer(&rdata.anything).unwrap_or_else(|| opaque(&rdata.anything))
        }
        RData::Unknown { code, rdata } if u16::from(*code) == 99 => {
            character_strings(&rdata.anything).unwrap_or_else(|| opaque(&rdata.anything))
        }
        RData::Unknown { rdata, .. } => opaque(&rdata.anything),
        other => printable(&other.to_string()),
    }
}

fn absolute(name: &Name) -> String {
    from_wire(name).fqdn()
}

/// A character string in quotes; unprintable octets in decimal. Source: RFC 1035 section 5.1.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b' '..=b'~' => text.push(char::from(*byte)),
            // Writing to a String cannot fail.
            other => {
                write!(text, "\\{other:03}").ok();
            }
        }
    }
    text.push('"');
    text
}

/// Length-prefixed strings, as in TXT; `None` if a length lies.
fn character_strings(bytes: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some((length, tail)) = rest.split_first() {
        let (part, after) = tail.split_at_checked(usize::from(*length))?;
        parts.push(quoted(part));
        rest = after;
    }
    Some(parts.join(" "))
}

/// `tag algorithm digest-type digest`. Source: RFC 4034 section 5.
fn delegation_signer(bytes: &[u8]) -> Option<String> {
    let (&[tag_high, tag_low, algorithm, digest_type], digest) = bytes.split_first_chunk::<4>()?;
    let tag = u16::from_be_bytes([tag_high, tag_low]);
    Some(format!("{tag} {algorithm} {digest_type} {}", hex(digest)))
}

/// Data of a type without a form of its own. Source: RFC 3597 section 5.
fn opaque(bytes: &[u8]) -> String {
    format!("\\# {} {}", bytes.len(), hex(bytes)).trim_end().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(MAX_TEXT / 2).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{MessageType, OpCode};
    use hickory_resolver::proto::rr::RecordType as WireType;
    use hickory_resolver::proto::rr::rdata::{A, CNAME, MX, NS, NULL, SOA, TXT};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn message(
        code: ResponseCode,
        authoritative: bool,
        answers: Vec<RData>,
        authority: Vec<RData>,
    ) -> Message {
        let mut message = Message::new(1, MessageType::Response, OpCode::Query);
        message.metadata.response_code = code;
        message.metadata.authoritative = authoritative;
        let record = |data| Record::from_rdata(name("App.Example.com."), 60, data);
        message.answers = answers.into_iter().map(record).collect();
        message.authorities = authority.into_iter().map(record).collect();
        message
    }

    fn a() -> RData {
        RData::A(A::new(192, 0, 2, 1))
    }

    fn ns() -> RData {
        RData::NS(NS(name("NS1.example.com.")))
    }

    fn soa() -> RData {
        let (mname, rname) = (name("ns1.Example.com."), name("h.example.com."));
        RData::SOA(SOA::new(mname, rname, 7, 7200, 900, 1_209_600, 300))
    }

    #[test]
    fn outcomes() {
        use Outcome::{Answer as Found, Malformed, Nodata, Nxdomain, Refused, Servfail};
        use ResponseCode as Code;
        // Expected from the parent, from the zone's own server, from a resolver.
        let check = |message: &Message, expected: [Outcome; 3]| {
            let answer = Answer::read(message);
            let vantages = [Vantage::Parent, Vantage::Authoritative, Vantage::Recursive];
            assert_eq!(vantages.map(|vantage| answer.outcome(vantage)), expected, "{answer:?}");
        };
        check(&message(Code::NoError, true, vec![a()], vec![]), [Found; 3]);
        check(&message(Code::NoError, true, vec![], vec![soa()]), [Nodata; 3]);
        check(&message(Code::NoError, true, vec![], vec![]), [Nodata; 3]);
        check(&message(Code::NoError, false, vec![], vec![ns()]), [Found, Nodata, Malformed]);
        check(&message(Code::NoError, false, vec![], vec![ns(), soa()]), [Nodata; 3]);
        check(&message(Code::NXDomain, true, vec![], vec![soa()]), [Nxdomain; 3]);
        // A CNAME to a name that is gone denies the name asked for.
        let dangling = RData::CNAME(CNAME(name("gone.example.com.")));
        check(&message(Code::NXDomain, true, vec![dangling], vec![soa()]), [Nxdomain; 3]);
        check(&message(Code::ServFail, false, vec![], vec![]), [Servfail; 3]);
        check(&message(Code::Refused, false, vec![], vec![]), [Refused; 3]);
        check(&message(Code::NotAuth, false, vec![], vec![]), [Refused; 3]);
        check(&message(Code::NotImp, false, vec![], vec![]), [Servfail; 3]);
    }

    #[test]
    fn data_in_presentation_format() {
        let check = |data: RData, expected: &str| {
            let answer = Answer::read(&message(ResponseCode::NoError, true, vec![data], vec![]));
            let record = &answer.answers[0];
            assert_eq!((record.name.as_str(), &*record.data), ("app.example.com", expected));
        };
        check(a(), "192.0.2.1");
        check(ns(), "ns1.example.com.");
        check(soa(), "ns1.example.com. h.example.com. 7 7200 900 1209600 300");
        check(RData::MX(MX::new(10, name("Mail.example.com."))), "10 mail.example.com.");
        check(
            RData::TXT(TXT::from_bytes(vec![b"a\"b\\c", b"\x00\xff d"])),
            "\"a\\\"b\\\\c\" \"\\000\\255 d\"",
        );
        let unknown = |code: u16, bytes: &[u8]| RData::Unknown {
            code: WireType::from(code),
            rdata: NULL::with(bytes.to_vec()),
        };
        check(unknown(43, &[0xa0, 0xf7, 13, 2, 0xC1, 0x1a]), "41207 13 2 C11A");
        check(unknown(43, &[1, 2]), "\\# 2 0102");
        check(unknown(99, b"\x06v=spf1"), "\"v=spf1\"");
        check(unknown(99, b"\x09v=spf1"), "\\# 7 09763D73706631");
    }

    #[test]
    fn a_hostile_answer_is_bounded() {
        let text = "\u{1b}".repeat(255);
        let long = RData::TXT(TXT::new(vec![text; 200]));
        let answer = Answer::read(&message(ResponseCode::NoError, true, vec![long; 500], vec![ns(); 500]));
        assert_eq!((answer.answers.len(), answer.authority.len()), (MAX_RECORDS, MAX_RECORDS));
        assert!(answer.answers.iter().all(|record| record.data.len() <= MAX_TEXT));
        assert!(answer.answers.iter().all(|record| record.data.bytes().all(|byte| !byte.is_ascii_control())));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_decoded_or_refused(
            changes in proptest::collection::vec((0..400usize, 0..=255u8), 0..8),
            end in 12..400usize,
        ) {
            let mut good = message(ResponseCode::NoError, true, vec![a(), soa(), ns()], vec![soa()]);
            good.set_edns(Edns::new());
            let mut packet = good.to_vec().unwrap();
            for (at, value) in changes {
                if let Some(byte) = packet.get_mut(at) {
                    *byte = value;
                }
            }
            packet.truncate(end);
            if let Ok(message) = Message::from_vec(&packet) {
                let answer = Answer::read(&message);
                assert!(!answer.outcome(Vantage::Authoritative).as_str().is_empty());
                assert!(answer.answers.iter().all(|record| record.data.len() <= MAX_TEXT));
            }
        }
    }

    #[test]
    fn extended_errors() {
        let check = |bytes: &[u8], expected: Option<(u16, &str)>| {
            let mut message = message(ResponseCode::ServFail, false, vec![], vec![]);
            let mut edns = Edns::new();
            edns.options_mut().insert(EdnsOption::Unknown(15, bytes.to_vec()));
            message.set_edns(edns);
            let ede = Answer::read(&message).ede;
            assert_eq!(ede.as_ref().map(|ede| (ede.code, &*ede.text)), expected);
        };
        check(b"\x00\x09no SEP matching the DS found", Some((9, "no SEP matching the DS found")));
        check(b"\x00\x16", Some((22, "")));
        check(b"\x00\x16bad\x1b[31m\xff\x00", Some((22, "bad\\u{1b}[31m\u{fffd}")));
        check(b"\x00", None);
    }
}
