//! Names and types between our model and the wire.

use std::fmt::Write as _;

use hickory_resolver::proto::rr::{Name, RecordType as WireType};

use crate::model::name::decode_octal;
use crate::model::{DomainName, RecordType};

/// The wire form of a name; `None` for one that no DNS message can carry (an empty or overlong
/// label, an overlong name).
#[must_use]
pub(crate) fn to_wire(name: &DomainName) -> Option<Name> {
    let labels: Vec<Vec<u8>> = name.labels().map(decode_octal).collect();
    let mut wire = Name::from_labels(labels).ok()?;
    wire.set_fqdn(true);
    // The root label counts: 255 octets on the wire are 253 characters of text.
    (wire.iter().map(|label| label.len() + 1).sum::<usize>() < 255).then_some(wire)
}

/// The canonical form of a name from the wire.
///
/// Octets that would change the meaning of the text (a dot or a backslash within a label,
/// anything unprintable) become `\ooo` octal escapes, as everywhere in [`DomainName`].
#[must_use]
pub(crate) fn from_wire(name: &Name) -> DomainName {
    let mut text = String::with_capacity(name.len());
    for label in name {
        if !text.is_empty() {
            text.push('.');
        }
        for byte in label {
            if byte.is_ascii_graphic() && *byte != b'.' && *byte != b'\\' {
                text.push(char::from(byte.to_ascii_lowercase()));
            } else {
                // Writing to a String cannot fail.
                write!(text, "\\{byte:03o}").ok();
            }
        }
    }
    DomainName::new(&text)
}

/// The number of a type; `None` for a text that names none.
#[must_use]
pub(crate) fn type_to_wire(record_type: &RecordType) -> Option<WireType> {
    Some(match record_type {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Cname => WireType::CNAME,
        RecordType::Txt => WireType::TXT,
        RecordType::Ns => WireType::NS,
        RecordType::Soa => WireType::SOA,
        RecordType::Ds => WireType::DS,
        RecordType::Mx => WireType::MX,
        RecordType::Srv => WireType::SRV,
        RecordType::Ptr => WireType::PTR,
        RecordType::Naptr => WireType::NAPTR,
        RecordType::Caa => WireType::CAA,
        RecordType::Other(text) if &***text == "SPF" => WireType::from(99),
        RecordType::Other(text) => match text.strip_prefix("TYPE") {
            Some(number) => WireType::from(number.parse::<u16>().ok()?),
            None => text.parse().ok()?,
        },
    })
}

/// The type of a number; one without a name is spelled `TYPE` and its number.
/// Source: RFC 3597 section 5.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list of types is open")]
pub(crate) fn type_from_wire(wire: WireType) -> RecordType {
    match wire {
        WireType::A => RecordType::A,
        WireType::AAAA => RecordType::Aaaa,
        WireType::CNAME => RecordType::Cname,
        WireType::TXT => RecordType::Txt,
        WireType::NS => RecordType::Ns,
        WireType::SOA => RecordType::Soa,
        WireType::DS => RecordType::Ds,
        WireType::MX => RecordType::Mx,
        WireType::SRV => RecordType::Srv,
        WireType::PTR => RecordType::Ptr,
        WireType::NAPTR => RecordType::Naptr,
        WireType::CAA => RecordType::Caa,
        WireType::Unknown(99) => RecordType::new("SPF"),
        WireType::Unknown(number) => RecordType::other(&format!("TYPE{number}")),
        other => RecordType::new(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_wire() {
        for text in
            ["", "example.com", "*.example.com", "_a.b-c.example.com", "a\\040b\\056c\\134.example.com"]
        {
            let name = DomainName::new(text);
            assert_eq!(from_wire(&to_wire(&name).unwrap()), name, "{text}");
        }
        assert_eq!(from_wire(&Name::from_ascii("ApP.Example.COM.").unwrap()).as_str(), "app.example.com");
    }

    #[test]
    fn a_name_that_cannot_exist_is_not_asked() {
        for text in
            ["..sub.example.com", &format!("{}.com", "a".repeat(64)), &vec!["a".repeat(60); 5].join(".")]
        {
            assert_eq!(to_wire(&DomainName::new(text)), None, "{text}");
        }
        assert!(to_wire(&DomainName::new(&vec!["a".repeat(62); 4].join("."))).is_some());
    }

    #[test]
    fn types_survive_the_wire() {
        for text in [
            "A",
            "AAAA",
            "CNAME",
            "TXT",
            "NS",
            "SOA",
            "DS",
            "MX",
            "SRV",
            "PTR",
            "NAPTR",
            "CAA",
            "SPF",
            "HTTPS",
            "TYPE65280",
        ] {
            let record_type = RecordType::new(text);
            assert_eq!(type_from_wire(type_to_wire(&record_type).unwrap()), record_type, "{text}");
        }
        assert_eq!(type_to_wire(&RecordType::new("nonsense")), None);
    }
}
