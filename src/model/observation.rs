//! One answer of one DNS server.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::DomainName;

/// What one server answered to one question, in the form of `dns/observations.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When the answer (or its absence) was final.
    pub at: Timestamp,
    /// Who was asked; its members read as members of the observation.
    #[serde(flatten)]
    pub respondent: Arc<Respondent>,
    /// How the deciding packet travelled.
    pub transport: Transport,
    /// Question name; canonical after decoding.
    #[serde(deserialize_with = "canonical_name")]
    pub name: DomainName,
    /// Question type, upper case.
    #[serde(rename = "type")]
    pub record_type: Arc<str>,
    /// The answer in one word.
    pub outcome: Outcome,
    /// Response code in the IANA spelling; `None` when nothing came back.
    #[serde(default)]
    pub rcode: Option<Arc<str>>,
    /// Answer section in order, CNAME chain included. Servers that say the same share it.
    #[serde(default)]
    pub answers: Arc<[AnswerRecord]>,
    /// Authority section: the SOA of a negative answer, the NS records of a referral.
    #[serde(default)]
    pub authority: Arc<[AnswerRecord]>,
    /// The AA bit of the answer; never judged, for a trace only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aa: bool,
    /// The AD bit of the answer.
    #[serde(default)]
    pub ad: bool,
    /// The CD bit of the question.
    #[serde(default)]
    pub cd: bool,
    /// Extended DNS error (RFC 8914); `None` when the answer carried none.
    #[serde(default)]
    pub ede: Option<Box<ExtendedError>>,
    /// Round-trip time in milliseconds; `None` when nothing came back.
    #[serde(default)]
    pub rtt_ms: Option<f64>,
}

/// Who was asked. There are hundreds of thousands of observations, of a few hundred respondents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Respondent {
    /// In which role.
    pub vantage: Vantage,
    /// Network view of the server: `public`, or a configured name.
    pub view: Arc<str>,
    /// Name server name without trailing dot, or the address of a resolver.
    #[serde(deserialize_with = "canonical_server")]
    pub server: Arc<str>,
    /// Hosted zone whose server this is; `None` for resolvers and foreign servers.
    #[serde(default)]
    pub zone_id: Option<Arc<str>>,
}

/// The role in which a server was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// A server of the parent zone, asked for NS or DS.
    Parent,
    /// A server of the delegated set, RD=0.
    Authoritative,
    /// A resolver, RD=1.
    Recursive,
    /// A control name at the same resolver: tells a broken resolver from a broken name.
    Control,
}

/// Transport of the deciding packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// DNS over TLS.
    Dot,
    /// DNS over HTTPS.
    Doh,
}

/// Extended errors of a resolver that blocks: blocked, censored, filtered, prohibited.
/// Source: RFC 8914, sections 4.16 to 4.19.
const BLOCKED: std::ops::RangeInclusive<u16> = 15..=18;

/// An answer in one word. A timeout belongs to the server and says nothing about the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Records in the answer section, or a referral with NS records in the authority section.
    Answer,
    /// NOERROR without records: the name exists, the type does not.
    Nodata,
    /// The name does not exist.
    Nxdomain,
    /// The server failed.
    Servfail,
    /// The server refuses to answer.
    Refused,
    /// Nothing came back in time.
    Timeout,
    /// The server cannot be reached (port closed, no route, name server name without address).
    Unreachable,
    /// Something came back that is no DNS answer to this question.
    Malformed,
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// Owner name; canonical after decoding.
    #[serde(deserialize_with = "canonical_name")]
    pub name: DomainName,
    /// Record type, upper case.
    #[serde(rename = "type")]
    pub record_type: Arc<str>,
    /// Remaining time to live in seconds.
    pub ttl: u32,
    /// Presentation format of the data.
    pub data: Arc<str>,
}

/// An extended DNS error. Source: RFC 8914.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedError {
    /// Info code.
    pub code: u16,
    /// Extra text; may be empty.
    #[serde(default)]
    pub text: Arc<str>,
}

impl Deref for Observation {
    type Target = Respondent;

    fn deref(&self) -> &Respondent {
        &self.respondent
    }
}

impl Observation {
    /// True if a resolver says that it keeps the name from those who ask.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.ede.as_ref().is_some_and(|error| BLOCKED.contains(&error.code))
    }

    /// The addresses in the answer. What a resolver makes of an IPv4 address for those who have IPv6 only is none that
    /// the name has.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let of_type = self.answers.iter().filter(|record| matches!(&*record.record_type, "A" | "AAAA"));
        let is_resolver = self.vantage == Vantage::Recursive;
        let parsed = of_type.filter_map(|record| record.data.parse().ok());
        parsed.filter(move |ip| !is_resolver || !is_synthesized(ip))
    }

    /// The name servers that an answer to an NS question gives for the asked name, and their time
    /// to live: a referral, or the set itself. `None` for every other answer.
    #[must_use]
    pub fn delegation(&self) -> Option<(BTreeSet<DomainName>, u32)> {
        if &*self.record_type != "NS" || !matches!(self.outcome, Outcome::Answer | Outcome::Nodata) {
            return None;
        }
        let records = self.answers.iter().chain(&*self.authority);
        let own = records.filter(|record| &*record.record_type == "NS" && record.name == self.name);
        let (servers, ttls): (BTreeSet<DomainName>, Vec<u32>) =
            own.map(|record| (DomainName::new(&record.data), record.ttl)).unzip();
        let ttl = ttls.into_iter().max()?;
        Some((servers, ttl))
    }

    /// NOERROR without records and without a SOA, but with name servers: a referral. Gives the name
    /// whose servers they are.
    #[must_use]
    pub fn referral(&self) -> Option<&DomainName> {
        if self.outcome != Outcome::Nodata
            || self.authority.iter().any(|record| &*record.record_type == "SOA")
        {
            return None;
        }
        self.authority.iter().find(|record| &*record.record_type == "NS").map(|record| &record.name)
    }
}

/// An address that nobody can serve a public name from: who gives it blocks the name.
#[must_use]
pub fn leads_nowhere(ip: &IpAddr) -> bool {
    ip.is_unspecified() || ip.is_loopback()
}

/// An address that DNS64 makes of an IPv4 address, by one of the two prefixes that are kept for it. Source: RFC 6147;
/// RFC 6052, section 2.1; RFC 8215.
fn is_synthesized(ip: &IpAddr) -> bool {
    let IpAddr::V6(six) = ip else { return false };
    matches!(six.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _] | [0x64, 0xff9b, 1, ..])
}

impl Outcome {
    /// The word in records, metrics and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Nodata => "nodata",
            Self::Nxdomain => "nxdomain",
            Self::Servfail => "servfail",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Malformed => "malformed",
        }
    }
}

/// Names in their canonical form, addresses as they are written.
fn canonical_server<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let is_address = text.contains(':') || text.parse::<IpAddr>().is_ok();
    Ok(if is_address { text.into() } else { DomainName::new(&text).as_str().into() })
}

fn canonical_name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<DomainName, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    Ok(DomainName::new(&text))
}
