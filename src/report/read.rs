//! Reads a report that another process has made. Pure.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::finding::Subject;
use crate::model::text::printable;
use crate::model::{DomainName, ObjectRef, RecordKey, RecordType};
use crate::report::{FORMAT, Report};
use crate::snapshot::ViewName;

/// Why a text is no report that can be read here.
#[derive(Debug, thiserror::Error)]
pub enum ReadReportError {
    /// Not the JSON of any report.
    #[error("it is no report of dns-drift")]
    NoReport,
    /// One of another format.
    #[error("its format is {0:?} and not {FORMAT:?}")]
    Format(String),
    /// One with words or members that this version does not know, or without some that it needs.
    #[error("another version of dns-drift has made it")]
    Version(#[source] serde_json::Error),
}

/// What every report has had from the first one on.
#[derive(Deserialize)]
struct Head {
    format: String,
}

/// Reads what `check -o json` prints and `/api/v1/report` serves.
///
/// # Errors
///
/// When it is nothing of that kind, or of a version that speaks another language.
pub fn report(text: &[u8]) -> Result<Report, ReadReportError> {
    let head: Head = serde_json::from_slice(text).map_err(|_no_json| ReadReportError::NoReport)?;
    if head.format != FORMAT {
        let is_ours = head.format.starts_with("dns-drift-report/");
        return Err(if is_ours {
            ReadReportError::Format(printable(&head.format))
        } else {
            ReadReportError::NoReport
        });
    }
    serde_json::from_slice(text).map_err(ReadReportError::Version)
}

pub(super) fn format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    if text == FORMAT { Ok(FORMAT) } else { Err(D::Error::custom("another format")) }
}

pub(super) fn subject<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("no such subject: {:?}", printable(&text))))
}

/// Reads what [`Subject`] shows.
fn parse(text: &str) -> Option<Subject> {
    let known = |key: &RecordKey| !matches!(key.record_type, RecordType::Other(_));
    let record = record(text);
    // A record can have any name, `zone` too; but no zone, instance or object is called like a type.
    if let Some(key) = record.clone().filter(known) {
        return Some(Subject::Record(key));
    }
    match text.split_once('/') {
        Some(("zone", name)) => Some(Subject::Zone(DomainName::new(name))),
        Some(("instance", id)) => Some(Subject::Instance(id.into())),
        Some(("object", words)) => {
            let mut words = words.splitn(3, '/');
            let (kind, namespace) = (words.next()?, words.next()?);
            // What belongs to no namespace has none between.
            let (namespace, name) = words.next().map_or(("", namespace), |name| (namespace, name));
            Some(Subject::Object(ObjectRef::new(kind, namespace, name)))
        }
        Some(("source", view)) => {
            let views = [ViewName::Kubernetes, ViewName::Route53, ViewName::Dns, ViewName::Changes];
            views.into_iter().find(|known| known.as_str() == view).map(Subject::Source)
        }
        Some(_) | None => record.map(Subject::Record),
    }
}

/// `NAME/TYPE`, `NAME/TYPE#IDENTIFIER`. A name may have a slash, an identifier everything.
fn record(text: &str) -> Option<RecordKey> {
    text.match_indices('/').find_map(|(place, _)| {
        let (name, rest) = (text.get(..place)?, text.get(place + 1..)?);
        let (word, identifier) =
            rest.split_once('#').map_or((rest, None), |(word, identifier)| (word, Some(identifier)));
        let is_type =
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        is_type.then(|| RecordKey {
            name: DomainName::new(name),
            record_type: RecordType::new(word),
            set_identifier: identifier.map(Into::into),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_come_back() {
        let key = |name: &str, record_type, identifier: Option<&str>| {
            Subject::Record(RecordKey {
                name: DomainName::new(name),
                record_type,
                set_identifier: identifier.map(Into::into),
            })
        };
        for subject in [
            key("shop.example.com", RecordType::A, None),
            key("*.example.com", RecordType::Cname, Some("blue/A#1")),
            key("zone", RecordType::Aaaa, None),
            key("a/b#c.example.com", RecordType::A, None),
            key("x.example.com", RecordType::other("TYPE65"), None),
            Subject::Zone(DomainName::new("example.com")),
            Subject::Instance("gke-prod/two".into()),
            Subject::Object(ObjectRef::new("Ingress", "shop", "web")),
            Subject::Object(ObjectRef::new("Node", "", "n1")),
            Subject::Source(ViewName::Dns),
        ] {
            assert_eq!(parse(&subject.to_string()), Some(subject));
        }
        for text in ["", "nothing", "source/taste", "object/x", "a/b"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_report_says_so() {
        let said = |text: &str| report(text.as_bytes()).expect_err("no report").to_string();
        assert_eq!(said("<html>"), "it is no report of dns-drift");
        assert_eq!(said("{\"format\": \"dns-drift-api/1\"}"), "it is no report of dns-drift");
        assert_eq!(
            said("{\"format\": \"dns-drift-report/2\"}"),
            "its format is \"dns-drift-report/2\" and not \"dns-drift-report/1\""
        );
        assert_eq!(said("{\"format\": \"dns-drift-report/1\"}"), "another version of dns-drift has made it");
    }
}
