//! One sentence for a tired person about each kind of finding of a wanted record. Pure.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use crate::compare::after::private_class;
use crate::compare::fix::advice::{blocks_itself, culprits, is_host_as_address, is_of_ownership_alone};
use crate::compare::fix::zones::lack;
use crate::compare::verdict::Candidate;
use crate::compare::wrong_zone::holds;
use crate::finding::{Cause, Impact, Kind, Reason};
use crate::model::RecordKey;
use crate::model::record::{Content, Value};
use crate::model::want::Want;
use crate::model::zone::ZoneReading;

/// What is wrong with a wanted record.
#[must_use]
pub fn summary(candidate: &Candidate, want: &Want, zone: Option<&ZoneReading>) -> String {
    let key = want.key();
    let targets = want.targets();
    let wanted = if targets.len() == 1 { "is wanted" } else { "are wanted" };
    let targets = targets.join(", ");
    let zone_name = zone.map_or_else(String::new, |reading| reading.zone.name.to_string());
    let object = want.objects.first().map_or_else(String::new, |object| format!(" ({object})"));
    match candidate.key.kind {
        Kind::FailedChange => refused(candidate, want, zone, &object),
        Kind::InvalidDesired
            if candidate.cause == Some(Cause::ControllerVersion)
                && candidate.reason == Reason::MixedTypes =>
        {
            let what = if is_host_as_address(want) { "a host name" } else { "an IPv6 address" };
            format!(
                "{key}{object} asks for {what}, which this release of ExternalDNS writes as the address of an A."
            )
        }
        Kind::InvalidDesired => format!(
            "{key}{object} asks for something that Route 53 cannot hold: {}.",
            match candidate.reason {
                Reason::MixedTypes => "addresses and host names in one record",
                Reason::BadChars if want.name.defect().is_none() => "a target that is no name for DNS",
                other => plain(other),
            }
        ),
        Kind::ConflictingDesired => {
            format!("Several objects ask for {key} and do not agree: {}.", plain(candidate.reason))
        }
        Kind::NoZone => match candidate.reason {
            Reason::NotFound => {
                let nearest = lack(want).and_then(|no_zone| no_zone.nearest.as_ref());
                let nearest = nearest.map(|zone| format!(" The nearest zone is {zone}.")).unwrap_or_default();
                format!("No hosted zone takes {key}{object}; the host will never get a record.{nearest}")
            }
            Reason::FilteredOut => {
                format!("A hosted zone for {key}{object} exists, but a filter of the instance takes it out.")
            }
            Reason::WrongType => format!(
                "The only hosted zone for {key}{object} is of the other type (public or private) than the instance handles."
            ),
            _ => format!(
                "None of the hosted zones that dns-drift reads takes {key}{object}; another account has one."
            ),
        },
        Kind::MissingRecord => format!("Zone {zone_name} has no record {key}; {targets} {wanted}{object}."),
        Kind::WrongAlias => format!(
            "{key} in zone {zone_name} {}; {} {wanted}{object}.",
            plain(candidate.reason),
            if want.content.alias().is_some() { format!("an alias to {targets}") } else { targets }
        ),
        Kind::WrongType => {
            format!("{key} is wanted{object}, but zone {zone_name} {}.", plain(candidate.reason))
        }
        Kind::WrongRouting => format!(
            "The routing of {key} in zone {zone_name} differs from what {} asks for ({}).",
            want.objects.first().map_or_else(|| "its object".to_owned(), ToString::to_string),
            candidate.reason
        ),
        Kind::StaleTarget => format!(
            "{key} in zone {zone_name} still points at the previous load balancer; {targets} {wanted}{object}."
        ),
        Kind::WrongTarget => {
            format!("{key} in zone {zone_name} {}; {targets} {wanted}{object}.", plain(candidate.reason))
        }
        Kind::WrongTtl => ttl(&key, want, zone, &object),
        Kind::HealthWithdrawn => format!("Route 53 withholds {key}{object}: its target counts as unhealthy."),
        Kind::AuthMismatch => format!(
            "Zone {zone_name} holds {key} rightly, but {}.",
            match candidate.reason {
                Reason::Nxdomain => "its authoritative servers deny the name",
                // Another answer leads somewhere.
                Reason::Different if candidate.impact == Impact::Down => "its authoritative servers fail",
                other => plain(other),
            }
        ),
        Kind::TargetUnresolvable => {
            format!("{targets}, the target of {key}{object}, leads nowhere: {}.", plain(candidate.reason))
        }
        Kind::WrongZone => {
            let id = zone.map_or_else(String::new, |reading| format!(" ({})", reading.zone.id));
            if zone.is_some_and(|reading| holds(reading, want)) {
                let why = plain(candidate.reason);
                format!(
                    "{key} is right in zone {zone_name}{id}, but that zone does not answer its users: {why}."
                )
            } else {
                format!(
                    "{key} stands in a zone that does not answer its users; zone {zone_name}{id} does, and lacks it."
                )
            }
        }
        Kind::PrivateTargetInPublicZone => {
            let private = private_values(want);
            let what = if private.len() == 1 { "address" } else { "addresses" };
            let private = private.join(", ");
            format!("{key} in the public zone {zone_name} points at the private {what} {private}{object}.")
        }
        Kind::OwnerConflict => {
            format!(
                "Ownership records in zone {zone_name} name several owners for {key}; its next change may be ignored."
            )
        }
        Kind::OwnerForeign => {
            format!("Another owner holds {key} in zone {zone_name}; ExternalDNS will ignore its next change.")
        }
        Kind::OwnerMissing => {
            format!("Nobody owns {key} in zone {zone_name}; ExternalDNS will ignore its next change.")
        }
        Kind::WildcardShadow => {
            format!("A wildcard of zone {zone_name} decides what {key} answers: {}.", plain(candidate.reason))
        }
        Kind::ResolverStale => {
            let wait = if candidate.window.is_some() {
                "until its TTL has run out"
            } else {
                "although its TTL has run out"
            };
            format!("Resolvers still answer an older state of {key}, {wait}.")
        }
        Kind::ResolverMismatch => {
            format!("Resolvers answer for {key} what its zone never held: {}.", plain(candidate.reason))
        }
        Kind::ResolverUnreachable => {
            format!(
                "Most resolvers of a view fail for {key}, though the zone answers: {}.",
                plain(candidate.reason)
            )
        }
        other => format!("{key}: {other} ({}).", candidate.reason),
    }
}

/// The private ones among the wanted addresses.
fn private_values(want: &Want) -> Vec<String> {
    let ips = want.content.plain_values().iter().filter_map(Value::ip);
    ips.filter(|ip| private_class(*ip).is_some()).map(|ip| ip.to_string()).collect()
}

/// Both values: the number is what a person compares.
fn ttl(key: &RecordKey, want: &Want, zone: Option<&ZoneReading>, object: &str) -> String {
    let seconds = |content: &Content| match content {
        Content::Values { ttl, .. } => Some(*ttl),
        Content::Alias(_) | Content::TrafficPolicy(_) => None,
    };
    let set = zone.and_then(|zone| zone.at(&want.name).iter().find(|set| set.key() == *key));
    match (set.and_then(|set| seconds(&set.content)), seconds(&want.content)) {
        (Some(held), Some(asked)) => {
            format!("The TTL of {key} is {held} s; the annotation asks for {asked} s{object}.")
        }
        _ => format!("The TTL of {key} differs from the annotation{object}."),
    }
}

fn refused(candidate: &Candidate, want: &Want, zone: Option<&ZoneReading>, object: &str) -> String {
    let key = &want.key();
    match (&candidate.cause, candidate.reason) {
        (Some(Cause::FailedChangeOf(culprit)), _) if *culprit == key.name => {
            format!(
                "The change of {key}{object} is lost because another record of that name is refused with it."
            )
        }
        (Some(Cause::ZoneQuota), Reason::LimitsExceeded) => {
            format!("Route 53 refuses the change of {key}{object}: the zone is full.")
        }
        (Some(Cause::FailedChangeOf(culprit)), _) => {
            let who = culprits(culprit, &candidate.accomplices);
            let are = if candidate.accomplices.is_empty() { "is" } else { "are" };
            format!("The change of {key}{object} is lost because {who} in the same batch {are} refused.")
        }
        (Some(Cause::OwnerOrphan), Reason::AlreadyExists) => format!(
            "Route 53 refuses the change of {key}{object}: the ownership TXT of an earlier record is still there."
        ),
        (None, Reason::AlreadyExists) => format!(
            "Route 53 refuses the change of {key}{object}: its ownership record has the name of that of another host."
        ),
        (Some(Cause::InvalidDesired(Reason::AliasOnIp)), Reason::AliasTargetNotInZone) => format!(
            "Route 53 refuses {key}{object}: ExternalDNS asks for an alias to an IP address, which cannot exist."
        ),
        (Some(Cause::InvalidDesired(_)), Reason::AliasTargetNotInZone) => format!(
            "Route 53 refuses {key}{object}: ExternalDNS asks for an alias to a name outside of the zone that it gives for the target."
        ),
        (None, Reason::LimitsExceeded) => format!(
            "Route 53 refuses the change of {key}{object}: the batch that it is in has too many changes or too long values."
        ),
        (_, Reason::AliasTargetNotInZone) => format!(
            "Route 53 refused {key}{object}: ExternalDNS asked for an alias that cannot exist, and has not tried again since."
        ),
        _ if zone.is_some_and(|zone| blocks_itself(candidate, want, zone)) => format!(
            "Route 53 refuses {key}{object}: this release of ExternalDNS puts the ownership TXT beside the CNAME, which must stand alone."
        ),
        (_, Reason::AlreadyExists) if is_of_ownership_alone(candidate) => format!(
            "Route 53 refuses the ownership TXT that {key}{object} lacks: it exists already. The record itself is right."
        ),
        _ => format!("Route 53 refuses the change of {key}{object}: {}.", plain(candidate.reason)),
    }
}

/// A reason in words.
#[must_use]
pub fn plain(reason: Reason) -> &'static str {
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
        Reason::AliasTargetNotFound => "the target of the alias has no record of this type",
        Reason::BatchVictim => "another change of the same batch is refused",
        Reason::Credentials => "the credentials of ExternalDNS are not accepted",
        Reason::DeleteNotFound => "what it would delete is not there",
        Reason::DeleteValuesMismatch => "what stands there is not what ExternalDNS would delete",
        Reason::InvalidRdata => "the value does not fit the type",
        Reason::LimitsExceeded => "a limit of Route 53 is exceeded",
        Reason::NameNotInZone => "a name in the change lies outside of the zone",
        Reason::NoSuchHealthCheck => "its health check does not exist",
        Reason::NoSuchZone => "the hosted zone is gone",
        Reason::ProtectedRecord => "the zone cannot be without it",
        Reason::RoutingDuplicate => "another record has the same place in its routing",
        Reason::TxtLabelTooLong => "a name whose ownership TXT has a label over 63 characters",
        Reason::Unknown => "see the message",
        Reason::Throttled => "too many requests in the account",
        Reason::AccessDenied => "the role of ExternalDNS lacks the permission",
        Reason::IllegalName => "the name is no legal DNS name",
        Reason::RoutingPolicyMix => "all records of a name have one routing policy, or none has one",
        Reason::Nxdomain => "its own name servers say that it does not exist",
        Reason::Loop => "its CNAMEs run in a circle",
        Reason::NoAddress => "it has no address",
        Reason::NotTheDelegatedOne => "the parent delegates to another zone of this name",
        Reason::OccludedByDelegation => "a delegation below the apex takes the name away",
        Reason::ShadowedByPrivateZone => "a private zone answers in its place",
        Reason::ParentZone => "the child zone is the one that answers",
        Reason::PrivateVsPublic => "it is private, and the public zone of that name has no such record",
        Reason::OtherTarget => "the wildcard leads elsewhere",
        Reason::Rewritten => "somebody rewrites the answer",
        Reason::Filtered => "somebody filters the answer",
        Reason::OtherView => "it is the answer of another view",
        Reason::ServfailQuorum => "they answer SERVFAIL or REFUSED",
        Reason::TimeoutQuorum => "they do not answer",
        Reason::AliasExpected => "holds plain values",
        Reason::AliasExpectedCname => "is a CNAME",
        Reason::AliasUnexpected => "is an alias",
        Reason::EvaluateTargetHealth => "is an alias whose EvaluateTargetHealth differs",
        Reason::AliasZoneId => "is an alias with another zone id",
        Reason::CnameInsteadOfA => "holds a CNAME",
        Reason::AInsteadOfCname => "holds an address record",
        Reason::Disjoint => "points somewhere else",
        Reason::Subset => "lacks some of the values",
        Reason::Superset => "holds other values besides the right ones",
        Reason::DifferentTargets => "they want different targets",
        Reason::MergedTargets => "their targets are merged into one record",
        Reason::MixedTypes => "they want different record types",
        Reason::MixedRouting => "some want a routing policy and some a simple record",
        Reason::DuplicateSetIdentifier => "they use the same set identifier",
        Reason::NsDisagree => "its authoritative servers disagree",
        Reason::Nodata => "its authoritative servers answer no data",
        Reason::Different => "its authoritative servers answer something else",
        other if other.as_str().starts_with("guardrail_") => "a change guardrail of the zone forbids it",
        other => other.as_str(),
    }
}
