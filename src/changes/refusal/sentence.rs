//! One sentence of a refusal.
//!
//! The texts are facts of the service, collected from public reports; there is no list of them in
//! the API's documentation. Matched in any case and with any blanks, because captures differ.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::changes::pattern;
use crate::finding::Reason;
use crate::model::change::RefusalError;
use crate::model::text::{printable, truncate};
use crate::model::{DomainName, RecordType};

static ALIAS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"create an alias that targets (?P<target>\S+?), type (?P<type>\w+) in zone [^,]+, but (?P<why>.*)",
    )
});

static RECORD_SET: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"resource record set \[name='(?P<name>.*?)', type='(?P<type>[^']*)'(?:, set-?identifier='(?P<set>.*?)')?\]",
    )
});

static NOT_PERMITTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"RRSet (?:of type (?P<type>\w+) )?with DNS name (?P<name>\S+?),?(?: type (?P<type2>\w+),?)?(?: SetIdentifier (?P<set>.+?))? (?:is not permitted|cannot be created)(?P<why>.*)",
    )
});

static INVALID_SET: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"changes for a resource record set '(?P<type>\w+) (?P<name>[^']+)'"));

static PROBLEM: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?P<problem>[a-z]\w+) \([^)]*\) encountered with '(?P<value>.*)'"));

/// Identifiers of the change guardrails. Source: Route 53 Developer Guide, change guardrails; the
/// wording around them is not published.
const GUARDRAILS: [(&str, Reason); 6] = [
    ("ns_format_check", Reason::GuardrailNsFormatCheck),
    ("ns_delegation_authority_check", Reason::GuardrailNsDelegationAuthorityCheck),
    ("ns_occlusion_check", Reason::GuardrailNsOcclusionCheck),
    ("alias_target_check", Reason::GuardrailAliasTargetCheck),
    ("active_record_check", Reason::GuardrailActiveRecordCheck),
    ("active_delegation_check", Reason::GuardrailActiveDelegationCheck),
];

/// Decodes a sentence; an unknown one keeps its text and what it names.
pub(super) fn read(text: &str) -> RefusalError {
    let lower = text.to_ascii_lowercase().split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mut error = RefusalError {
        reason: Reason::Unknown,
        name: None,
        fragment: None,
        record_type: None,
        set_identifier: None,
        target: None,
        message: printable(text).into(),
    };
    // The cheap look chooses the pattern; most patterns are never run on most sentences.
    if lower.contains("encountered with '") {
        read_problem(text, &mut error);
    } else if lower.contains("create an alias that targets") {
        read_alias(text, &mut error);
    } else if lower.contains("resource record set [") {
        read_record_set(text, &lower, &mut error);
    } else if lower.contains("with dns name") {
        read_not_permitted(text, &mut error);
    } else if lower.contains("invalid set of changes") {
        read_invalid_set(text, &mut error);
    } else {
        error.reason = read_plain(&lower);
    }
    if let Some((_, reason)) = GUARDRAILS.iter().find(|(identifier, _)| lower.contains(identifier)) {
        error.reason = *reason;
    }
    error
}

fn read_alias(text: &str, error: &mut RefusalError) {
    let Some(found) = ALIAS.captures(text) else { return };
    error.target = group(&found, "target").map(|target| short(target.strip_suffix('.').unwrap_or(target)));
    error.record_type = group(&found, "type").map(record_type);
    let why = words(group(&found, "why").unwrap_or_default());
    if why.contains("does not lie within the target zone") {
        error.reason = Reason::AliasTargetNotInZone;
    } else if why.contains("target was not found") {
        error.reason = Reason::AliasTargetNotFound;
    }
}

fn read_record_set(text: &str, lower: &str, error: &mut RefusalError) {
    let Some(found) = RECORD_SET.captures(text) else { return };
    error.name = group(&found, "name").map(DomainName::from_route53);
    error.record_type = group(&found, "type").map(record_type);
    error.set_identifier = group(&found, "set").map(short);
    if lower.contains("but it already exists") {
        error.reason = Reason::AlreadyExists;
    } else if lower.contains("but it was not found") {
        error.reason = Reason::DeleteNotFound;
    } else if lower.contains("do not match the current values") {
        error.reason = Reason::DeleteValuesMismatch;
    }
}

fn read_not_permitted(text: &str, error: &mut RefusalError) {
    let Some(found) = NOT_PERMITTED.captures(text) else { return };
    error.name = group(&found, "name").map(DomainName::from_route53);
    error.record_type = group(&found, "type").or_else(|| group(&found, "type2")).map(record_type);
    // Some sentences name the region behind the identifier.
    error.set_identifier = group(&found, "set").map(|set| short(without_place(set)));
    let why = words(group(&found, "why").unwrap_or_default());
    // At the apex it is the SOA and NS records that the CNAME conflicts with.
    error.reason = if why.contains("conflict") || why.starts_with("at apex") {
        Reason::CnameConflict
    } else if why.starts_with("because a") && why.contains("already exists") {
        Reason::RoutingDuplicate
    } else if why.contains("with the same name and type") {
        Reason::RoutingPolicyMix
    } else if why.starts_with("in zone") {
        Reason::NameNotInZone
    } else {
        Reason::Unknown
    };
}

/// Words in front of the place that a routing policy goes by, in any case.
const PLACES: [&str; 10] = [
    ", and region ",
    ", region ",
    ", and geolocation ",
    ", geolocation ",
    ", and geo ",
    ", and continent ",
    ", and country ",
    ", and failover ",
    ", failover ",
    ", and multivalue ",
];

/// A set identifier without what follows it.
fn without_place(set: &str) -> &str {
    let lower = set.to_ascii_lowercase();
    let end = PLACES.iter().filter_map(|mark| lower.find(mark)).min();
    end.and_then(|end| set.get(..end)).unwrap_or(set)
}

/// The same set twice in one batch; findings.md has no word of its own for it.
fn read_invalid_set(text: &str, error: &mut RefusalError) {
    let Some(found) = INVALID_SET.captures(text) else { return };
    error.name = group(&found, "name").map(DomainName::from_route53);
    error.record_type = group(&found, "type").map(record_type);
}

/// `FATAL problem: ARRDATAIllegalIPv4Address (...) encountered with 'value'`.
fn read_problem(text: &str, error: &mut RefusalError) {
    let Some(found) = PROBLEM.captures(text) else { return };
    let problem = group(&found, "problem").unwrap_or_default();
    let value = group(&found, "value").unwrap_or_default();
    // The whole problem is quoted once more behind `Invalid Resource Record: `.
    let wrapped = words(text).contains("invalid resource record: '");
    let value = if wrapped { value.strip_suffix('\'').unwrap_or(value) } else { value };
    let lower = problem.to_ascii_lowercase();
    if lower.starts_with("domain") || lower == "unsupportedcharacter" {
        error.reason = Reason::IllegalName;
        error.fragment = Some(short(value));
    } else {
        error.reason = Reason::InvalidRdata;
        error.target = Some(short(value));
        error.record_type =
            lower.split_once("rrdata").map(|(head, _)| head).filter(|head| !head.is_empty()).map(record_type);
    }
}

fn read_plain(lower: &str) -> Reason {
    if lower.contains("a hostedzone must contain") {
        Reason::ProtectedRecord
    } else if lower.contains("duplicate resource record") {
        Reason::InvalidRdata
    } else if lower.contains("limit of") && lower.contains("exceeded") {
        Reason::LimitsExceeded
    } else if ["domainlabelempty", "domainnameempty", "domainlabeltoolong", "domainnametoolong"]
        .iter()
        .any(|problem| lower.contains(problem))
    {
        Reason::IllegalName
    } else {
        Reason::Unknown
    }
}

fn group<'a>(found: &Captures<'a>, name: &str) -> Option<&'a str> {
    found.name(name).map(|part| part.as_str())
}

/// Lower case, single blanks.
fn words(text: &str) -> String {
    text.to_ascii_lowercase().split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn record_type(text: &str) -> RecordType {
    RecordType::new(&truncate(text, 20))
}

/// Names, values and identifiers as they are shown: far below any text.
fn short(text: &str) -> std::sync::Arc<str> {
    printable(&truncate(text, crate::limits::MAX_NAME)).into()
}
