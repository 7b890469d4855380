//! From a reason to its cause and to what a person should do, without the cluster.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a table of exceptions over a large vocabulary: a new word must fall into the general row"
)]

use std::net::IpAddr;

use crate::desired::versions::words::knows;
use crate::diagnose::collect::{Row, RowKey};
use crate::finding::{Cause, Reason};
use crate::model::Version;
use crate::model::instance::NEWEST_KNOWN;

/// What made the request bad, as far as the refusal tells.
pub(super) fn cause(key: &RowKey, row: &Row) -> Option<Cause> {
    if let Some(culprit) = &row.culprit {
        return Some(Cause::FailedChangeOf(culprit.clone()));
    }
    let (target, record) = (row.target.as_deref(), key.record.as_ref());
    let is_address = |text: &str| text.trim_end_matches('.').parse::<IpAddr>().is_ok();
    match key.reason {
        Reason::AliasTargetNotInZone | Reason::AliasTargetNotFound if target.is_some_and(is_address) => {
            Some(Cause::InvalidDesired(Reason::AliasOnIp))
        }
        Reason::AliasTargetNotInZone => Some(Cause::InvalidDesired(Reason::AliasNotInZone)),
        Reason::IllegalName => {
            let name = record.map(|record| &record.name);
            let empty = name.is_some_and(|name| name.as_str().split('.').any(str::is_empty));
            let long = name.is_some_and(|name| name.labels().any(|label| 63 < label.len()));
            Some(Cause::InvalidDesired(match (empty, long) {
                (true, _) => Reason::EmptyLabel,
                (false, true) => Reason::LabelTooLong,
                (false, false) => Reason::BadChars,
            }))
        }
        // The TXT stands and the record does not, or both would have been named.
        Reason::AlreadyExists if row.about_txt => Some(Cause::OwnerOrphan),
        Reason::LimitsExceeded => Some(Cause::ZoneQuota),
        _ => None,
    }
}

/// One or two sentences for a tired person.
///
/// `version` is the release that made the request, where a log tells it.
pub(super) fn advice(
    reason: Reason,
    cause: Option<&Cause>,
    target: Option<&str>,
    version: Option<Version>,
) -> String {
    let target = target.unwrap_or("its target");
    let text = match (reason, cause) {
        (_, Some(Cause::InvalidDesired(Reason::AliasOnIp))) => {
            return format!(
                "ExternalDNS asks for an alias to the IP address {target}, which cannot exist: remove the \
                 annotation .../alias: \"true\" from the object that asks for the name (or make its target a \
                 load balancer's host name)."
            );
        }
        (Reason::AliasTargetNotInZone, _) => {
            return format!(
                "The alias target {target} does not belong to the hosted zone that the request names: remove the \
                 alias annotation, or set the right zone id of the target."
            );
        }
        (Reason::AliasTargetNotFound, _) => {
            return format!(
                "{target} has no record of this type: create it, or take the alias (often the AAAA beside an A) away."
            );
        }
        (Reason::BatchVictim, _) => {
            "Nothing is wrong with this record: mend the refused one, or upgrade to v0.13.4 or later, which sends a \
             refused batch again name by name."
        }
        (Reason::CnameConflict, _) => {
            "A record of another type stands at the name: look at it, delete it if nobody needs it, or change the \
             object."
        }
        (Reason::AlreadyExists, _) => {
            "The record exists already and this ExternalDNS does not own it: find out who made it; delete a \
             left-over ownership TXT, or add the missing one."
        }
        (Reason::DeleteNotFound | Reason::DeleteValuesMismatch, _) => {
            "ExternalDNS wants to delete what is not there in this form: compare the record and its ownership TXT \
             in the zone with the log, and delete the left-over by hand."
        }
        (Reason::RoutingPolicyMix, _) => {
            "Simple and routed records cannot share name and type: give every object a set identifier and a policy, \
             or none."
        }
        (Reason::RoutingDuplicate, _) => {
            "Two records with the same region or location: give one of the objects another one."
        }
        (Reason::InvalidRdata, _) => {
            return format!(
                "{target} is no valid value for this type: correct the target (a host name needs a CNAME or an alias)."
            );
        }
        (Reason::IllegalName, _) => {
            "The name is no legal DNS name: correct the host, the template or the prefix of the ownership TXT."
        }
        (Reason::NameNotInZone, _) => {
            "The name lies outside of the zone, at the apex mostly because of --txt-prefix: use a prefix that ends \
             with a dot, or --txt-suffix."
        }
        (Reason::ProtectedRecord, _) => {
            "NS and SOA at the apex cannot be removed: take the host of the zone itself out of ExternalDNS' hands."
        }
        (Reason::Throttled, _) => {
            let flags = ["--interval", "--aws-zones-cache-duration", "--provider-cache-time"];
            let known = |flag: &&str| knows(version.unwrap_or(NEWEST_KNOWN), flag);
            let flags: Vec<&str> = flags.into_iter().filter(known).collect();
            return format!(
                "The account's request rate is used up: slow it down with longer times ({}), and look for other \
                 writers.",
                flags.join(", ")
            );
        }
        (Reason::AccessDenied, _) => {
            "Allow route53:ChangeResourceRecordSets on the hosted zone for the role that the message names."
        }
        (Reason::Credentials, _) => {
            "The credentials of ExternalDNS are not accepted: look at its role, its token and the clock of its node."
        }
        (Reason::NoSuchZone, _) => {
            "The hosted zone is gone: restart ExternalDNS or lower its zone cache, and look who deleted the zone."
        }
        (Reason::NoSuchHealthCheck, _) => {
            "The health check of the annotation does not exist: correct its id."
        }
        (Reason::LimitsExceeded, _) => {
            "The zone or the batch is full: ask AWS for a higher quota, remove left-overs, or lower \
             --aws-batch-change-size."
        }
        (
            Reason::GuardrailNsFormatCheck
            | Reason::GuardrailNsDelegationAuthorityCheck
            | Reason::GuardrailNsOcclusionCheck
            | Reason::GuardrailAliasTargetCheck
            | Reason::GuardrailActiveRecordCheck
            | Reason::GuardrailActiveDelegationCheck,
            _,
        ) => "A change guardrail of the hosted zone forbids it: ask whoever set the guardrail.",
        _ => "Read the message of Route 53.",
    };
    text.to_owned()
}
