//! From the values of a record set to the records of a message.

use std::net::IpAddr;

use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};

use crate::emulator::route53::quoted_strings;
use crate::emulator::zones::{RecordSet, labels, spell};

/// The name of a message; the root for a text that is no name.
pub(super) fn name(canonical: &str) -> Name {
    let labels = labels(canonical);
    let mut name =
        Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap_or_else(|_not_a_name| Name::root());
    name.set_fqdn(true);
    name
}

/// The spelling of Route 53 of a name in a message.
pub(super) fn spelled(name: &Name) -> String {
    let mut text = String::new();
    for label in name {
        text.push_str(&spell(label));
        text.push('.');
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// The records of a record set with values, under the given owner. A value that cannot be encoded
/// is left out.
pub(super) fn records(owner: &Name, set: &RecordSet) -> Vec<Record> {
    let ttl = set.ttl.unwrap_or(0);
    set.values()
        .filter_map(|value| data(&set.kind, value))
        .map(|data| Record::from_rdata(owner.clone(), ttl, data))
        .collect()
}

/// An address record; `None` if the address is of the other family.
pub(super) fn address(owner: &Name, ttl: u32, kind: RecordType, address: IpAddr) -> Option<Record> {
    let data = match (kind, address) {
        (RecordType::A, IpAddr::V4(address)) => RData::A(A(address)),
        (RecordType::AAAA, IpAddr::V6(address)) => RData::AAAA(AAAA(address)),
        _ => return None,
    };
    Some(Record::from_rdata(owner.clone(), ttl, data))
}

fn data(kind: &str, value: &str) -> Option<RData> {
    match kind {
        "A" => value.parse().ok().map(|address| RData::A(A(address))),
        "AAAA" => value.parse().ok().map(|address| RData::AAAA(AAAA(address))),
        "CNAME" => Some(RData::CNAME(CNAME(name(value)))),
        "NS" => Some(RData::NS(NS(name(value)))),
        "PTR" => Some(RData::PTR(PTR(name(value)))),
        "TXT" => {
            let strings = quoted_strings(value)?;
            Some(RData::TXT(TXT::from_bytes(strings.iter().map(Vec::as_slice).collect())))
        }
        other => RData::try_from_str(other.parse().ok()?, value).ok(),
    }
}
