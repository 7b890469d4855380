//! What Route 53 refuses, in its own words.
//!
//! Source of the texts: public reports of the real service, collected with the project's facts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::world::{Zone, apply};
use super::{Change, Refusal};
use crate::emulator::zones::{AliasTarget, RecordSet, SortKey, is_within, labels};

/// Elements of one batch; those of an UPSERT count twice.
const MAX_ELEMENTS: usize = 1_000;

/// Names that the service resolves to other zones than those of a user.
const ALIAS_SUFFIXES: [&str; 9] = [
    ".elb.amazonaws.com.",
    ".elb.amazonaws.com.cn.",
    ".cloudfront.net.",
    ".awsglobalaccelerator.com.",
    ".elasticbeanstalk.com.",
    ".vpce.amazonaws.com.",
    ".amazonaws.com.",
    ".amazonaws.com.cn.",
    ".appsync-api.com.",
];

/// A batch that may be carried out.
pub(super) struct Batch {
    /// In the spelling of the service.
    pub(super) changes: Vec<Change>,
    /// All record sets of the zone afterwards.
    pub(super) after: BTreeMap<SortKey, RecordSet>,
}

/// Judges a batch against a zone.
pub(super) fn check(zone: &Zone, changes: Vec<Change>) -> Result<Batch, Refusal> {
    let changes: Vec<Change> = changes
        .into_iter()
        .map(|change| Change { resource_record_set: change.resource_record_set.normalised(), ..change })
        .collect();
    well_formed(&changes)?;
    let mut problems = Vec::new();
    collect(
        &mut problems,
        changes.iter().filter_map(|change| name_problem(zone, &change.resource_record_set)),
    );
    collect(&mut problems, changes.iter().flat_map(|change| value_problems(&change.resource_record_set)));
    collect(&mut problems, repeated(&changes));
    collect(&mut problems, presence_problems(zone, &changes));
    let mut after = zone.records.clone();
    apply(&mut after, &changes);
    let written = || changes.iter().filter(|change| change.action != "DELETE");
    collect(
        &mut problems,
        written().filter_map(|change| neighbour_problem(zone, &after, &change.resource_record_set)),
    );
    collect(
        &mut problems,
        written().flat_map(|change| alias_problems(zone, &after, &change.resource_record_set)),
    );
    collect(&mut problems, apex_problems(zone, &after));
    if problems.is_empty() { Ok(Batch { changes, after }) } else { Err(invalid_batch(&problems)) }
}

fn invalid_batch(problems: &[String]) -> Refusal {
    Refusal::new(400, "InvalidChangeBatch", format!("[{}]", problems.join(", ")))
}

/// Adds each problem once.
fn collect(problems: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for problem in more {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

// === the shape of the request ===

fn well_formed(changes: &[Change]) -> Result<(), Refusal> {
    if changes.is_empty() {
        return Err(Refusal::new(400, "InvalidInput", "Invalid request: Change batch is empty"));
    }
    let elements: usize = changes.iter().map(elements).sum();
    if MAX_ELEMENTS < elements {
        let text = format!("Number of records limit of {MAX_ELEMENTS} exceeded.");
        return Err(Refusal::new(400, "InvalidChangeBatch", text));
    }
    for change in changes {
        if !["CREATE", "UPSERT", "DELETE"].contains(&change.action.as_str()) {
            let text = format!(
                "Invalid XML ; cvc-enumeration-valid: Value '{}' is not facet-valid with respect to enumeration '[CREATE, DELETE, UPSERT]'.",
                change.action
            );
            return Err(Refusal::new(400, "InvalidInput", text));
        }
        if let Some(found) = wrong_content(&change.resource_record_set) {
            let record = &change.resource_record_set;
            let text = format!(
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found {found} in Change with [Action={}, Name={}, Type={}, SetIdentifier={}]",
                change.action,
                record.name,
                record.kind,
                record.set_identifier.as_deref().unwrap_or("null"),
            );
            return Err(Refusal::new(400, "InvalidInput", text));
        }
    }
    Ok(())
}

fn elements(change: &Change) -> usize {
    let count = change.resource_record_set.values().count().max(1);
    if change.action == "UPSERT" { count.saturating_mul(2) } else { count }
}

/// `none` or `more than one` of the three contents; `None` if it is exactly one.
fn wrong_content(record: &RecordSet) -> Option<&'static str> {
    let valued = record.ttl.is_some() && record.values().next().is_some();
    let partly = record.ttl.is_some() || record.values().next().is_some();
    let policy = record.traffic_policy_instance_id.is_some();
    match (record.alias_target.is_some(), valued, policy) {
        (true, _, false) if partly => Some("more than one"),
        (true, false, false) | (false, true, false) | (false, false, true) => None,
        (false, false, false) => Some("none"),
        _ => Some("more than one"),
    }
}

// === names and values ===

fn name_problem(zone: &Zone, record: &RecordSet) -> Option<String> {
    let labels = labels(&record.name);
    let spelled = |label: &[u8]| String::from_utf8_lossy(label).into_owned();
    if let Some(long) = labels.iter().find(|label| 63 < label.len()) {
        return Some(format!(
            "FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '{}'",
            spelled(long)
        ));
    }
    if labels.iter().any(Vec::is_empty) {
        return Some(format!(
            "FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '{}'",
            record.name
        ));
    }
    if labels.is_empty() {
        return Some("FATAL problem: DomainNameEmpty (Domain name is empty) encountered with ''".to_owned());
    }
    (!is_within(&record.name, &zone.name))
        // The zone's name ends with its dot, which also ends the sentence.
        .then(|| format!("RRSet with DNS name {} is not permitted in zone {}", record.name, zone.name))
}

fn value_problems(record: &RecordSet) -> Vec<String> {
    record.values().filter_map(|value| value_problem(&record.kind, value)).collect()
}

fn value_problem(kind: &str, value: &str) -> Option<String> {
    let (code, reason) = match kind {
        "A" if value.contains(' ') => ("ARRDATANotSingleField", "Value contains spaces"),
        "AAAA" if value.contains(' ') => ("AAAARRDATANotSingleField", "Value contains spaces"),
        "A" if value.parse::<Ipv4Addr>().is_err() => {
            ("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address")
        }
        "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
            ("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address")
        }
        "TXT" | "SPF" => text_problem(value)?,
        _ => return None,
    };
    Some(format!("Invalid Resource Record: 'FATAL problem: {code} ({reason}) encountered with '{value}''"))
}

/// Quoted strings of at most 255 bytes each.
fn text_problem(value: &str) -> Option<(&'static str, &'static str)> {
    let strings = quoted_strings(value);
    match strings {
        None => Some(("InvalidCharacterString", "Value should be enclosed in quotation marks")),
        Some(strings) => strings
            .iter()
            .any(|string| 255 < string.len())
            .then_some(("CharacterStringTooLong", "Value is too long")),
    }
}

/// The strings of a TXT value; `None` if it is not a row of quoted strings.
pub(in crate::emulator) fn quoted_strings(value: &str) -> Option<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    let mut rest = value.trim();
    while !rest.is_empty() {
        rest = rest.strip_prefix('"')?;
        let mut string = String::new();
        let mut characters = rest.char_indices();
        loop {
            match characters.next()? {
                (at, '"') => {
                    rest = rest.get(at.saturating_add(1)..)?.trim_start();
                    break;
                }
                (_, '\\') => match characters.next()? {
                    (_, digit) if digit.is_ascii_digit() => {
                        string.push('\\');
                        string.push(digit);
                    }
                    (_, escaped) => string.push(escaped),
                },
                (_, plain) => string.push(plain),
            }
        }
        strings.push(crate::model::name::decode_octal(&string));
    }
    (!strings.is_empty()).then_some(strings)
}

// === against what is there ===

/// The same record set may be deleted and then created, and nothing else twice.
fn repeated(changes: &[Change]) -> Vec<String> {
    let mut seen: BTreeMap<SortKey, Vec<bool>> = BTreeMap::new();
    let mut problems = Vec::new();
    for change in changes {
        let record = &change.resource_record_set;
        let deletes = change.action == "DELETE";
        let earlier = seen.entry(record.sort_key()).or_default();
        let fine = match earlier.as_slice() {
            [] => true,
            [deleted] => *deleted && !deletes,
            _ => false,
        };
        earlier.push(deletes);
        if !fine {
            problems.push(format!(
                "The request contains an invalid set of changes for a resource record set '{} {}'",
                record.kind, record.name
            ));
        }
    }
    problems
}

/// Judges each change against the zone as the changes before it leave it.
fn presence_problems(zone: &Zone, changes: &[Change]) -> Vec<String> {
    let mut deleted: Vec<SortKey> = Vec::new();
    let mut problems = Vec::new();
    for change in changes {
        let record = &change.resource_record_set;
        let key = record.sort_key();
        let present = zone.records.get(&key).filter(|_| !deleted.contains(&key));
        let identifier =
            record.set_identifier.as_ref().map(|id| format!(", set-identifier='{id}'")).unwrap_or_default();
        let shown = format!("[name='{}', type='{}'{identifier}]", record.name, record.kind);
        let problem = match (change.action.as_str(), present) {
            ("CREATE", Some(_)) => {
                Some(format!("Tried to create resource record set {shown} but it already exists"))
            }
            ("DELETE", None) => {
                Some(format!("Tried to delete resource record set {shown} but it was not found"))
            }
            ("DELETE", Some(present)) if !same_content(present, record) => Some(format!(
                "Tried to delete resource record set {shown} but the values provided do not match the current values"
            )),
            _ => None,
        };
        problems.extend(problem);
        if change.action == "DELETE" {
            deleted.push(key);
        }
    }
    problems
}

fn same_content(present: &RecordSet, given: &RecordSet) -> bool {
    let sorted = |record: &RecordSet| {
        let mut values: Vec<String> = record.values().map(str::to_owned).collect();
        values.sort_unstable();
        values
    };
    present.ttl == given.ttl
        && sorted(present) == sorted(given)
        && present.alias_target == given.alias_target
        && present.weight == given.weight
}

// === against the zone as it would be ===

fn neighbour_problem(
    zone: &Zone,
    after: &BTreeMap<SortKey, RecordSet>,
    record: &RecordSet,
) -> Option<String> {
    let name = &record.name;
    if record.kind == "CNAME" && *name == zone.name {
        return Some(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {}",
            zone.name
        ));
    }
    let same_name = || same_name(after, record);
    if record.kind == "CNAME" && same_name().any(|other| other.kind != "CNAME") {
        return Some(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the same DNS name in zone {}",
            zone.name
        ));
    }
    if record.kind != "CNAME" && same_name().any(|other| other.kind == "CNAME") {
        // The two blanks are the service's own.
        return Some(format!(
            "RRSet of type {} with DNS name {name} is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone {}",
            record.kind, zone.name
        ));
    }
    same_name()
        .any(|other| other.kind == record.kind && policy(other) != policy(record))
        .then(|| {
            format!(
                "RRSet with DNS name {name}, type {} cannot be created as other RRSets exist with the same name and type.",
                record.kind
            )
        })
}

fn same_name<'a>(
    after: &'a BTreeMap<SortKey, RecordSet>,
    record: &RecordSet,
) -> impl Iterator<Item = &'a RecordSet> {
    let reversed = record.sort_key().reversed;
    let from = SortKey { reversed: reversed.clone(), ..SortKey::default() };
    after.range(from..).take_while(move |(key, _)| key.reversed == reversed).map(|(_, other)| other)
}

/// The routing policy; a name and type has members of one only.
fn policy(record: &RecordSet) -> &'static str {
    let present = [
        (record.weight.is_some(), "weighted"),
        (record.region.is_some(), "latency"),
        (record.geo_location.is_some(), "geolocation"),
        (record.geo_proximity_location.is_some(), "geoproximity"),
        (record.cidr_routing_config.is_some(), "ip"),
        (record.failover.is_some(), "failover"),
        (record.multi_value_answer.is_some(), "multivalue"),
    ];
    present.iter().find(|(is, _)| *is).map_or("simple", |(_, name)| name)
}

fn alias_problems(zone: &Zone, after: &BTreeMap<SortKey, RecordSet>, record: &RecordSet) -> Vec<String> {
    let Some(alias) = &record.alias_target else { return Vec::new() };
    let opening = format!(
        "Tried to create an alias that targets {}, type {} in zone {}",
        alias.dns_name, record.kind, alias.hosted_zone_id
    );
    let outside = format!("{opening}, but the alias target name does not lie within the target zone");
    let missing = format!("{opening}, but that target was not found");
    if alias.hosted_zone_id == zone.id {
        if !is_within(&alias.dns_name, &zone.name) {
            return vec![outside, missing];
        }
        return if has_target(after, alias, record) { Vec::new() } else { vec![missing] };
    }
    let canonical = ALIAS_SUFFIXES.iter().any(|suffix| alias.dns_name.ends_with(suffix));
    if canonical { Vec::new() } else { vec![outside, missing] }
}

fn has_target(after: &BTreeMap<SortKey, RecordSet>, alias: &AliasTarget, record: &RecordSet) -> bool {
    let target = RecordSet { name: alias.dns_name.clone(), ..RecordSet::default() };
    same_name(after, &target).any(|other| other.kind == record.kind && *other != *record)
}

fn apex_problems(zone: &Zone, after: &BTreeMap<SortKey, RecordSet>) -> Vec<String> {
    let apex = RecordSet { name: zone.name.clone(), ..RecordSet::default() };
    let has = |kind: &str| same_name(after, &apex).any(|record| record.kind == kind);
    let mut problems = Vec::new();
    if !has("NS") {
        problems.push("A HostedZone must contain at least one NS record for the zone itself.".to_owned());
    }
    if !has("SOA") {
        problems.push("A HostedZone must contain exactly one SOA record.".to_owned());
    }
    problems
}
