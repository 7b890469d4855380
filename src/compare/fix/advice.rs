//! What to do about a record that the zone does not hold as wanted, by cause and reason. Pure.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a table of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::collections::BTreeSet;

use crate::compare::verdict::Candidate;
use crate::finding::{Cause, Kind, Reason};
use crate::model::DomainName;
use crate::model::heritage::TxtRole;
use crate::model::instance::{Instance, Policy};
use crate::model::record::{RecordSet, RecordType};
use crate::model::text::printable;
use crate::model::want::Want;
use crate::model::zone::ZoneReading;

/// The sentence above the change batch.
#[must_use]
pub fn advice(candidate: &Candidate, instance: &Instance) -> String {
    let text = match &candidate.cause {
        Some(Cause::FailedChangeOf(culprit)) => {
            let is_same = candidate.key.subject.record().is_some_and(|key| key.name == *culprit);
            if is_same {
                return "Mend the other record of the name first, then ExternalDNS writes this one too; until then it can be written by hand.".to_owned();
            }
            let who = culprits(culprit, &candidate.accomplices);
            return format!(
                "Mend {who} first, then ExternalDNS writes this one too; until then it can be written by hand."
            );
        }
        Some(Cause::OwnerOrphan) => {
            "An ownership TXT of an earlier record blocks ExternalDNS: delete that TXT, or write the record by hand."
        }
        Some(Cause::OwnerMissing) if candidate.key.kind == Kind::FailedChange => {
            "Replace the record of nobody that stands in the way, ownership TXT included, or take the host away."
        }
        Some(Cause::OwnerMissing) => {
            "Nobody owns the record that stands there, so ExternalDNS leaves it alone: replace it, ownership TXT included."
        }
        Some(Cause::ManualChange) => "Somebody changed the record by hand; put it back and find out who.",
        Some(Cause::ZoneQuota) => "The zone is full: remove left-over records or raise the quota.",
        Some(Cause::ControllerStalled | Cause::ControllerFailing) => {
            "Get ExternalDNS to work again; until then the record can be written by hand."
        }
        // The annotation that the message is about has gone since.
        None if candidate.reason == Reason::AliasTargetNotInZone => {
            "Write the record once by hand and find out why ExternalDNS does not."
        }
        None if candidate.reason == Reason::AlreadyExists => {
            "Rename one of the two hosts, or give ExternalDNS a --txt-prefix; until then the record can be written by hand."
        }
        None if candidate.reason == Reason::LimitsExceeded => {
            "Let ExternalDNS write smaller batches (--aws-batch-change-size); until then the record can be written by hand."
        }
        _ if candidate.key.kind == Kind::FailedChange => refused(candidate.reason),
        Some(Cause::Policy) => return forbidden(candidate, instance),
        Some(Cause::ControllerVersion) => {
            "This release of ExternalDNS cannot do it: update it; until then the record can be written by hand."
        }
        Some(Cause::ControllerMisconfigured(Reason::OverlappingInstances)) => {
            "Another ExternalDNS takes the record away: tell the two apart first, or it goes again."
        }
        _ => "Write the record once by hand and find out why ExternalDNS does not.",
    };
    text.to_owned()
}

/// True for a CNAME whose ownership record the release would put beside it: nothing else is in its way.
#[must_use]
pub fn blocks_itself(candidate: &Candidate, want: &Want, zone: &ZoneReading) -> bool {
    candidate.key.kind == Kind::FailedChange
        && candidate.reason == Reason::CnameConflict
        && candidate.cause == Some(Cause::ControllerVersion)
        && zone.at(&want.name).iter().all(|set| set.record_type == RecordType::Cname)
}

/// For such a CNAME.
pub const OWNERSHIP_BESIDE_CNAME: &str = "Update ExternalDNS to v0.18.0 or later, which keeps the ownership elsewhere; until then the record can be written by hand.";

/// True for a refused change that would have written a second ownership record: of the record nothing differs.
#[must_use]
pub fn is_of_ownership_alone(candidate: &Candidate) -> bool {
    candidate.key.kind == Kind::FailedChange && candidate.also.is_empty()
}

/// Names of a batch that are told; a person mends them one by one, and sees the next.
const MAX_CULPRITS: usize = 5;

/// All whose fault it is that a batch is refused: while one is left, it is refused again.
#[must_use]
pub fn culprits(first: &DomainName, more: &[DomainName]) -> String {
    let mut names: Vec<String> = std::iter::once(first).chain(more).map(ToString::to_string).collect();
    if let Some(over) = names.len().checked_sub(MAX_CULPRITS).filter(|over| 0 < *over) {
        names.truncate(MAX_CULPRITS);
        names.push(format!("{over} more"));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// For a record whose ownership ExternalDNS cannot write.
pub const NO_PLACE_FOR_OWNERSHIP: &str = "At the apex the ownership TXT lies outside of the zone; a --txt-prefix that puts it inside makes all other records nobody's, so keep this one by hand.";

/// Where whoever wants takes a name out of a public resolver. Source: the pages themselves.
const FLUSH_PAGES: [(&str, &str); 4] = [
    ("1.0.0.1", "https://one.one.one.one/purge-cache/"),
    ("1.1.1.1", "https://one.one.one.one/purge-cache/"),
    ("8.8.4.4", "https://developers.google.com/speed/public-dns/cache"),
    ("8.8.8.8", "https://developers.google.com/speed/public-dns/cache"),
];

/// Servers that are named; a person tries two or three.
const MAX_SERVERS: usize = 3;

/// The servers that a finding is about, or other words where it names none.
#[must_use]
pub fn servers(candidate: &Candidate, none: &str) -> String {
    let named: Vec<String> =
        candidate.servers.iter().take(MAX_SERVERS).map(|server| printable(server)).collect();
    let more = if MAX_SERVERS < candidate.servers.len() { " and others" } else { "" };
    if named.is_empty() { none.to_owned() } else { format!("{}{more}", named.join(", ")) }
}

/// For resolvers that keep an older answer.
#[must_use]
pub fn flush(candidate: &Candidate) -> String {
    let page =
        |server: &str| FLUSH_PAGES.iter().find(|(address, _)| *address == server).map(|(_, page)| *page);
    let pages: BTreeSet<&str> = candidate.servers.iter().filter_map(|server| page(server)).collect();
    let pages: Vec<&str> = pages.into_iter().collect();
    let pages = if pages.is_empty() { String::new() } else { format!(" ({})", pages.join(", ")) };
    let who = servers(candidate, "the resolver");
    let until = candidate.window.map(|window| format!(" until {}", window.until)).unwrap_or_default();
    format!("Flush the name at {who}{pages}, or wait{until}; the zone is right.")
}

/// The policy that would make the change. Only `sync` deletes, and so replaces a record of another type.
fn forbidden(candidate: &Candidate, instance: &Instance) -> String {
    let replaces = matches!(candidate.key.kind, Kind::WrongType | Kind::FailedChange);
    let (given, other) = match instance.flags.policy {
        Policy::CreateOnly if !replaces => ("create-only", "--policy=upsert-only"),
        Policy::CreateOnly => ("create-only", "--policy=sync, which also deletes what nobody wants any more"),
        Policy::Sync | Policy::UpsertOnly | Policy::Missing => {
            ("upsert-only", "--policy=sync, which also deletes what nobody wants any more")
        }
    };
    format!(
        "The policy {given} of ExternalDNS forbids this change: make it by hand, or start it with {other}."
    )
}

/// For objects that want one record and do not agree.
#[must_use]
pub fn agree(reason: Reason) -> &'static str {
    match reason {
        Reason::DuplicateSetIdentifier => "Give each of the objects a set identifier of its own.",
        Reason::MixedRouting => refused(Reason::RoutingPolicyMix),
        _ => "Settle which object has the host, and take it out of the others.",
    }
}

/// What to do about a wish that DNS or Route 53 cannot hold.
#[must_use]
pub fn impossible(reason: Reason, want: &Want) -> &'static str {
    match reason {
        Reason::BadChars if want.name.defect().is_none() => {
            "Correct the target in the object: it is no address and no legal DNS name."
        }
        Reason::ApexCname => {
            "The name of a zone holds no CNAME: point the host at an address, or at an AWS name, which can be an alias."
        }
        Reason::LabelTooLong | Reason::EmptyLabel | Reason::BadChars | Reason::IllegalName => {
            "Correct the host in the object: it is no legal DNS name."
        }
        Reason::TxtLabelTooLong => {
            "Shorten the host: the name of its ownership TXT would have a label over 63 characters."
        }
        Reason::SelfReference => "Correct the target in the object: it is the host itself.",
        Reason::MixedTypes => "Let the object ask for addresses or for a host name, not for both.",
        Reason::TooManyValues => {
            "Spread the values over several names, or point the host at a load balancer."
        }
        _ => "Correct what the object asks for.",
    }
}

/// What to do about a wish that its release turns into an address record of something else. Source: findings.md
/// section 10.
#[must_use]
pub fn other_release(want: &Want) -> String {
    let text = if is_host_as_address(want) {
        "This release of ExternalDNS writes the host name of an alias as an address: update it to v0.14.1 or later, or take the alias annotation away (a load balancer of AWS gets an alias without it)."
    } else {
        "This release of ExternalDNS knows no AAAA record and writes the IPv6 address as an A: update it to v0.13.5 or later, or give the object an IPv4 address."
    };
    text.to_owned()
}

/// True for an address record of a host name.
#[must_use]
pub fn is_host_as_address(want: &Want) -> bool {
    want.content.plain_values().iter().any(|value| value.ip().is_none())
}

/// What to do where record sets that are not ours to take away keep out what is wanted.
#[must_use]
pub fn blocked(want: &Want, obstacles: &[&RecordSet]) -> String {
    let aside = obstacles.iter().find(|set| set.name != want.name && set.record_type == RecordType::Cname);
    if let Some(cname) = aside {
        return format!(
            "The ownership record {} cannot stand beside the CNAME there: rename one of the two hosts.",
            cname.name
        );
    }
    if obstacles.iter().any(|set| is_in_its_place(want, set)) {
        return refused(Reason::RoutingDuplicate).to_owned();
    }
    let is_text = |set: &&&RecordSet| {
        let beside = !matches!(want.record_type, RecordType::Cname | RecordType::Txt);
        set.record_type == RecordType::Txt && (beside || set.name != want.name)
    };
    // The ownership of another member goes as its record does.
    let is_of_rival = |text: &RecordSet| {
        let mut rivals = obstacles.iter().filter(|set| set.record_type == want.record_type);
        matches!(TxtRole::of(text), TxtRole::Heritage(_))
            && rivals.any(|set| set.name == want.name && set.set_identifier == text.set_identifier)
    };
    if let Some(text) = obstacles.iter().filter(is_text).find(|text| !is_of_rival(text)) {
        if text.name == want.name && TxtRole::of(text) == TxtRole::Other {
            return format!(
                "The text at {} stands where this release keeps ownership, and would be lost: give ExternalDNS a --txt-prefix, or update it to v0.18.0 or later, which keeps it elsewhere.",
                text.name
            );
        }
        return format!(
            "The text at {} keeps the ownership out and is not ours to delete: move it to another name.",
            text.name
        );
    }
    let others: BTreeSet<&RecordType> = obstacles.iter().map(|set| &set.record_type).collect();
    if want.record_type != RecordType::Cname && others.contains(&RecordType::Cname) {
        return format!(
            "A CNAME stands alone at its name, and {} holds one that is not ours to take away: settle who serves the name.",
            want.name
        );
    }
    if want.record_type != RecordType::Cname || others.contains(&RecordType::Cname) {
        return refused(Reason::RoutingPolicyMix).to_owned();
    }
    let others: Vec<&str> = others.into_iter().map(RecordType::as_str).collect();
    format!(
        "A CNAME stands alone at its name, and {} holds {} too: move that to another name, or point the host at an address.",
        want.name,
        others.join(" and ")
    )
}

/// True for another member of the set that has the place of the wanted one, or for the ownership of such a member.
fn is_in_its_place(want: &Want, set: &RecordSet) -> bool {
    let is_other = want.set_identifier.is_some()
        && set.set_identifier.is_some()
        && set.set_identifier != want.set_identifier;
    let is_of_set = set.record_type == want.record_type || matches!(TxtRole::of(set), TxtRole::Heritage(_));
    let is_same_place =
        want.routing.as_deref().zip(set.routing.as_deref()).is_some_and(|(one, other)| one == other);
    is_other && is_of_set && is_same_place
}

/// True if Route 53 refuses the record whoever writes it.
#[must_use]
pub fn is_refused_again(reason: Reason) -> bool {
    reason == Reason::NoSuchHealthCheck || reason.as_str().starts_with("guardrail_")
}

fn refused(reason: Reason) -> &'static str {
    match reason {
        Reason::AccessDenied => {
            "Give the role of ExternalDNS the action that the message names; until then the record can be written by hand."
        }
        Reason::Credentials => {
            "Renew the credentials of ExternalDNS (IRSA, clock); until then the record can be written by hand."
        }
        Reason::Throttled => {
            "Find out who uses up the request rate of the account; ExternalDNS tries again by itself."
        }
        Reason::CnameConflict => "Replace the record of the other type that stands in the way.",
        Reason::RoutingPolicyMix => {
            "All records of a name share one routing policy: give all of its objects the same one, or none."
        }
        Reason::RoutingDuplicate => {
            "One place, one record: give one of the objects another region (or failover role, or location), or both one set identifier."
        }
        reason if reason.as_str().starts_with("guardrail_") => {
            "Settle the guardrail that the message names, or lift it for the zone."
        }
        Reason::NoSuchHealthCheck => "Correct the health check that the annotation names, or create it.",
        Reason::LimitsExceeded => {
            "Make its requests smaller (--aws-batch-change-size); until then the record can be written by hand."
        }
        Reason::NameNotInZone => NO_PLACE_FOR_OWNERSHIP,
        Reason::NoSuchZone => "The zone is gone: restart ExternalDNS, which keeps a list of zones.",
        _ => "Mend what the message names; until then the record can be written by hand.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::want;
    use crate::model::record::{Content, Routing, Value};

    const HOST: &str = "app.example.com";

    fn names(count: usize) -> Vec<DomainName> {
        (0..count).map(|number| DomainName::new(&format!("b{number}.example.com"))).collect()
    }

    #[test]
    fn all_whose_fault_it_is_are_named() {
        let first = DomainName::new("a.example.com");
        assert_eq!(culprits(&first, &[]), "a.example.com");
        assert_eq!(culprits(&first, &names(1)), "a.example.com and b0.example.com");
        assert_eq!(culprits(&first, &names(2)), "a.example.com, b0.example.com and b1.example.com");
        assert!(culprits(&first, &names(4)).ends_with("b2.example.com and b3.example.com"));
        assert!(culprits(&first, &names(5)).ends_with("b3.example.com and 1 more"));
        assert!(culprits(&first, &names(7)).ends_with("b3.example.com and 3 more"));
    }

    /// The member of another object that has the place, and its ownership.
    #[test]
    fn a_place_that_is_taken_is_no_matter_of_a_text() {
        let place = || Some(Box::new(Routing::Latency("eu-west-1".into())));
        let member = |name: &str, record_type: RecordType, value: &str, id: &str| RecordSet {
            name: DomainName::new(name),
            content: Content::values(300, [Value::new(&record_type, value)]),
            record_type,
            set_identifier: Some(id.into()),
            routing: place(),
            health_check_id: None,
        };
        let heritage = "\"heritage=external-dns,external-dns/owner=owner\"";
        let text = member("a-app.example.com", RecordType::Txt, heritage, "a");
        let other = member(HOST, RecordType::A, "192.0.2.1", "a");
        let wish = Want {
            set_identifier: Some("b".into()),
            routing: place(),
            ..want(HOST, RecordType::A, "192.0.2.2")
        };
        let taken = refused(Reason::RoutingDuplicate);
        assert_eq!(blocked(&wish, &[&text, &other]), taken);
        assert_eq!(blocked(&wish, &[&text]), taken);
        // Under its own identifier it is the text of another owner.
        let own = RecordSet { set_identifier: Some("b".into()), ..text.clone() };
        assert!(blocked(&wish, &[&own]).starts_with("The text at a-app.example.com"));
        let plain = RecordSet { routing: None, set_identifier: None, ..text };
        assert!(blocked(&wish, &[&plain]).starts_with("The text at a-app.example.com"));
    }

    #[test]
    fn a_release_is_told_by_what_it_writes() {
        let host = want(HOST, RecordType::A, "lb-1.us-east-1.elb.amazonaws.com");
        assert!(other_release(&host).contains("v0.14.1"));
        assert!(other_release(&want(HOST, RecordType::A, "2001:db8::1")).contains("v0.13.5"));
    }
}
