//! One sentence for a tired person, and the next command. Pure.
//!
//! Commands are text for a person to read and run; every foreign word in them is quoted for a shell.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use serde_json::{Value as Json, json};

use crate::compare::verdict::Candidate;
use crate::finding::{Cause, Kind, Reason};
use crate::model::record::{AliasTarget, Content, RecordSet};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::model::{ObjectRef, RecordKey};
use crate::report::Fix;

/// Fills in summary and fix of a finding about a wanted record.
pub fn fill(candidate: &mut Candidate, wants: &InstanceWants, want: &Want, zone: Option<&ZoneReading>) {
    candidate.summary = summary(candidate, want, zone);
    candidate.fix = fix(candidate, wants, want, zone);
}

fn summary(candidate: &Candidate, want: &Want, zone: Option<&ZoneReading>) -> String {
    let key = want.key();
    let targets = want.targets().join(", ");
    let zone_name = zone.map_or_else(String::new, |reading| reading.zone.name.to_string());
    let object = want.objects.first().map_or_else(String::new, |object| format!(" ({object})"));
    match candidate.key.kind {
        Kind::FailedChange => refused(candidate, &key, &object),
        Kind::InvalidDesired => format!(
            "{key}{object} asks for something that Route 53 cannot hold: {}.",
            plain(candidate.reason)
        ),
        Kind::ConflictingDesired => {
            format!("Several objects ask for {key} and do not agree ({}).", candidate.reason)
        }
        Kind::NoZone => match candidate.reason {
            Reason::NotFound => {
                format!("No hosted zone takes {key}{object}; the host will never get a record.")
            }
            Reason::FilteredOut => {
                format!("A hosted zone for {key}{object} exists, but a filter of the instance takes it out.")
            }
            _ => format!(
                "No hosted zone that the instance handles takes {key}{object} ({}).",
                candidate.reason
            ),
        },
        Kind::MissingRecord => format!("Zone {zone_name} has no record {key}; {targets} is wanted{object}."),
        Kind::WrongAlias => format!(
            "{key} in zone {zone_name} has the wrong alias form ({}); {targets} is wanted.",
            candidate.reason
        ),
        Kind::WrongType => {
            format!("{key} is wanted, but zone {zone_name} holds another type ({}).", candidate.reason)
        }
        Kind::WrongRouting => format!(
            "The routing of {key} in zone {zone_name} differs from the annotation ({}).",
            candidate.reason
        ),
        Kind::StaleTarget => format!(
            "{key} in zone {zone_name} still points at the previous load balancer; {targets} is wanted{object}."
        ),
        Kind::WrongTarget => {
            format!("{key} in zone {zone_name} points somewhere else; {targets} is wanted{object}.")
        }
        Kind::WrongTtl => format!("The TTL of {key} in zone {zone_name} differs from the annotation."),
        Kind::HealthWithdrawn => format!(
            "Route 53 withholds {key}{object}: its target counts as unhealthy, and users get no answer."
        ),
        Kind::AuthMismatch => format!(
            "Zone {zone_name} holds {key} rightly, but authoritative servers answer otherwise ({}).",
            candidate.reason
        ),
        Kind::TargetUnresolvable => {
            format!("{key}{object} points at {targets}, which has no address ({}).", candidate.reason)
        }
        Kind::WrongZone => {
            format!("{key} is right in its zone, but users are led to another one ({}).", candidate.reason)
        }
        Kind::WildcardShadow => format!("{key} has no record of its own; a wildcard answers elsewhere."),
        Kind::ResolverStale => format!(
            "Resolvers keep an old answer for {key} longer than its time to live allows ({}).",
            candidate.reason
        ),
        Kind::ResolverMismatch => {
            format!("Resolvers answer for {key} what was never published ({}).", candidate.reason)
        }
        Kind::ResolverUnreachable => {
            format!("Resolvers fail for {key}, although they work for other names ({}).", candidate.reason)
        }
        other => format!("{key}: {other} ({}).", candidate.reason),
    }
}

fn refused(candidate: &Candidate, key: &RecordKey, object: &str) -> String {
    match (&candidate.cause, candidate.reason) {
        (Some(Cause::FailedChangeOf(culprit)), _) => {
            format!("The change of {key}{object} is lost because {culprit} in the same batch is refused.")
        }
        (_, Reason::AliasTargetNotInZone) => format!(
            "Route 53 refuses {key}{object}: ExternalDNS asks for an alias to an IP address or a foreign name, which cannot exist."
        ),
        _ => format!("Route 53 refuses the change of {key}{object}: {}.", plain(candidate.reason)),
    }
}

/// A reason in words.
fn plain(reason: Reason) -> &'static str {
    match reason {
        Reason::AliasOnIp => "an alias to an IP address",
        Reason::AliasNotInZone => "an alias to a name outside of the zone",
        Reason::ApexCname => "a CNAME at the apex of the zone",
        Reason::EmptyLabel => "a name with an empty label",
        Reason::LabelTooLong => "a name with a label over 63 octets",
        Reason::BadChars => "a name with characters that DNS does not know",
        Reason::SelfReference => "a CNAME to itself",
        Reason::TooManyValues => "more values than a record may hold",
        Reason::CnameConflict => "a record of another type stands in the way",
        Reason::AlreadyExists => "the record exists already and is not owned",
        Reason::LimitsExceeded => "the zone is full",
        Reason::Throttled => "too many requests in the account",
        Reason::AccessDenied => "the role of ExternalDNS lacks the permission",
        Reason::IllegalName => "the name is no legal DNS name",
        Reason::RoutingPolicyMix => "simple and routed records cannot share a name",
        other => other.as_str(),
    }
}

fn fix(candidate: &Candidate, wants: &InstanceWants, want: &Want, zone: Option<&ZoneReading>) -> Fix {
    let alias_fault =
        matches!(candidate.reason, Reason::AliasOnIp | Reason::AliasTargetNotInZone | Reason::AliasNotInZone)
            || matches!(
                candidate.cause,
                Some(Cause::InvalidDesired(Reason::AliasOnIp | Reason::AliasNotInZone))
            );
    if alias_fault {
        return Fix {
            summary: "Remove the alias annotation: an IP address needs a plain A record.".to_owned(),
            commands: want
                .objects
                .iter()
                .map(|object| unannotate(object, &wants.instance.flags.annotation_prefix))
                .collect(),
            change_batch: None,
        };
    }
    match candidate.key.kind {
        Kind::InvalidDesired | Kind::ConflictingDesired => Fix {
            summary: "Correct the objects that ask for it.".to_owned(),
            commands: want.objects.iter().map(edit).collect(),
            change_batch: None,
        },
        Kind::NoZone => Fix {
            summary: "Correct the host, create the zone, or widen the filter of the instance.".to_owned(),
            commands: want.objects.iter().map(edit).collect(),
            change_batch: None,
        },
        Kind::TargetUnresolvable => Fix {
            summary: "Repair the load balancer or its status; DNS follows by itself.".to_owned(),
            commands: want.targets().iter().map(|host| format!("dig {}", quote(host))).collect(),
            change_batch: None,
        },
        Kind::WrongZone => Fix {
            summary: "Pin the zone that serves the name (--zone-id-filter, --aws-zone-type, or from v0.22.0 the \
                      annotation aws-hosted-zone-id), or delete the zone that serves nobody."
                .to_owned(),
            commands: vec![format!("dig +trace {} {}", quote(want.name.as_str()), want.record_type)],
            change_batch: None,
        },
        Kind::ResolverStale => Fix {
            summary: "Flush the name at the resolver, or wait until its cache has run out.".to_owned(),
            commands: vec![format!("dig {} {} @<resolver>", quote(want.name.as_str()), want.record_type)],
            change_batch: None,
        },
        Kind::ResolverMismatch => Fix {
            summary: "Ask the owner of the resolver which policy or zone makes that answer.".to_owned(),
            commands: vec![format!("dig {} {} @<resolver>", quote(want.name.as_str()), want.record_type)],
            change_batch: None,
        },
        Kind::ResolverUnreachable => Fix {
            summary: "Look at the delegation and at DNSSEC first, then at the way from the resolvers to the name servers."
                .to_owned(),
            commands: vec![format!("dig +cd {} {} @<resolver>", quote(want.name.as_str()), want.record_type)],
            change_batch: None,
        },
        Kind::HealthWithdrawn => Fix {
            summary: "Mend the targets behind the load balancer; the record comes back by itself.".to_owned(),
            ..Fix::default()
        },
        Kind::AuthMismatch => Fix {
            summary: "Wait for Route 53 to spread the change; if it stays, give the evidence to AWS support."
                .to_owned(),
            commands: vec![format!(
                "dig +norecurse {} {} @<name server>",
                quote(want.name.as_str()),
                want.record_type
            )],
            change_batch: None,
        },
        kind if kind.is_record_ladder() || matches!(kind, Kind::FailedChange | Kind::WrongTtl) => {
            zone_fix(candidate, want, zone)
        }
        _ => Fix::default(),
    }
}

/// The batch that makes the zone hold what is wanted.
fn zone_fix(candidate: &Candidate, want: &Want, zone: Option<&ZoneReading>) -> Fix {
    let summary = match candidate.cause {
        Some(Cause::OwnerMissing) => {
            "ExternalDNS does not own the record that stands there; let it own it, or write the record once by hand."
        }
        Some(Cause::OwnerForeign) => "Another owner holds the record; settle with it who serves the name.",
        Some(Cause::ManualChange) => "Somebody changed the record by hand; put it back and find out who.",
        Some(Cause::ZoneQuota) => "The zone is full: remove left-over records or raise the quota.",
        _ => "Write the record once by hand and find out why ExternalDNS does not.",
    };
    let Some(zone) = zone else { return Fix { summary: summary.to_owned(), ..Fix::default() } };
    let batch = change_batch(want, zone);
    let command = format!(
        "aws route53 change-resource-record-sets --hosted-zone-id {} --change-batch {}",
        zone.zone.id,
        quote(&batch.to_string())
    );
    Fix { summary: summary.to_owned(), commands: vec![command], change_batch: Some(batch) }
}

/// Deletes what stands in the way and creates what is wanted, in one atomic batch.
#[must_use]
pub fn change_batch(want: &Want, zone: &ZoneReading) -> Json {
    let here = zone.at(&want.name);
    let in_the_way = here.iter().filter(|set| {
        let same_key = set.key() == want.key();
        let other_type = set.record_type.is_address()
            && (set.record_type == crate::model::RecordType::Cname)
                != (want.record_type == crate::model::RecordType::Cname);
        let other_policy = set.record_type == want.record_type
            && set.set_identifier.is_none() != want.set_identifier.is_none();
        same_key || other_type || other_policy
    });
    let mut changes: Vec<Json> =
        in_the_way.map(|set| json!({ "Action": "DELETE", "ResourceRecordSet": raw(set) })).collect();
    let wanted = RecordSet {
        name: want.name.clone(),
        record_type: want.record_type.clone(),
        set_identifier: want.set_identifier.clone(),
        routing: want.routing.clone(),
        content: in_zone(&want.content, zone),
        health_check_id: want.health_check_id.clone(),
    };
    changes.push(json!({ "Action": "CREATE", "ResourceRecordSet": raw(&wanted) }));
    json!({ "Comment": "suggested by dns-drift", "Changes": changes })
}

/// An alias without a zone id lies in the record's own zone.
fn in_zone(content: &Content, zone: &ZoneReading) -> Content {
    match content {
        Content::Alias(target) if target.hosted_zone_id.is_none() => {
            Content::Alias(AliasTarget { hosted_zone_id: Some(zone.zone.id.clone()), ..target.clone() })
        }
        other => other.clone(),
    }
}

fn raw(set: &RecordSet) -> Json {
    // The shape of the API, so that the batch can be given to the command as it is.
    serde_json::to_value(crate::recorded::decode::RawRecordSet::from(set)).unwrap_or(Json::Null)
}

fn unannotate(object: &ObjectRef, prefix: &str) -> String {
    format!(
        "kubectl -n {} annotate {} {} {}",
        quote(&object.namespace),
        object.kind.to_lowercase(),
        quote(&object.name),
        quote(&format!("{prefix}alias-"))
    )
}

fn edit(object: &ObjectRef) -> String {
    format!(
        "kubectl -n {} edit {} {}",
        quote(&object.namespace),
        object.kind.to_lowercase(),
        quote(&object.name)
    )
}

/// One shell word.
#[must_use]
pub fn quote(text: &str) -> String {
    let safe = |character: char| character.is_ascii_alphanumeric() || "-_./:@".contains(character);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", crate::model::text::printable(text).replace('\'', "'\\''"))
}
