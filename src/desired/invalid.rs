//! Wishes that Route 53 cannot take. Pure.
//!
//! Source: findings.md section 3, kind `invalid_desired`; Route 53 Developer Guide, "Choosing
//! between alias and non-alias records".

use std::net::IpAddr;

use crate::desired::record_sets::{MAX_LABEL, txt_forms};
use crate::desired::submit::Submitted;
use crate::finding::Reason;
use crate::model::instance::Instance;
use crate::model::name::NameDefect;
use crate::model::record::{AliasTarget, Content, RecordType};
use crate::model::{DomainName, ZoneId};

/// Values that one record set may hold. Source: Route 53 quotas.
const MAX_VALUES: usize = 400;

/// Why Route 53 would refuse the record; `None` when it would take it.
///
/// `zone` is the zone that the record goes to, its id where it is known; without it only the name and the
/// values are judged.
#[must_use]
pub fn invalid_reason(
    name: &DomainName,
    wanted: &Submitted,
    zone: Option<(Option<&ZoneId>, &DomainName)>,
) -> Option<Reason> {
    match name.defect() {
        Some(NameDefect::EmptyLabel) => return Some(Reason::EmptyLabel),
        Some(NameDefect::LabelTooLong | NameDefect::NameTooLong) => return Some(Reason::LabelTooLong),
        Some(NameDefect::BadCharacters) => return Some(Reason::BadChars),
        None => {}
    }
    match &wanted.content {
        Content::Alias(target) => invalid_alias(name, target, zone),
        Content::Values { values, .. } => {
            invalid_values(name, wanted, values.len(), zone.map(|(_, name)| name))
        }
        Content::TrafficPolicy(_) => None,
    }
}

/// The ownership TXT of the record cannot exist: the registry's addition makes a label too long.
#[must_use]
pub fn txt_label_too_long(name: &DomainName, wanted: &Submitted, instance: &Instance) -> Option<Reason> {
    if name.defect().is_some() {
        return None;
    }
    let written = DomainName::new(txt_forms(wanted, instance).first()?);
    written.labels().any(|label| MAX_LABEL < label.len()).then_some(Reason::TxtLabelTooLong)
}

fn invalid_alias(
    name: &DomainName,
    target: &AliasTarget,
    zone: Option<(Option<&ZoneId>, &DomainName)>,
) -> Option<Reason> {
    if target.dns_name.as_str().parse::<IpAddr>().is_ok() {
        return Some(Reason::AliasOnIp);
    }
    // An annotation may name it.
    let own = zone.and_then(|(id, _)| id);
    let is_own = |id: &ZoneId| id.as_str().is_empty() || Some(id) == own;
    let same_zone = target.hosted_zone_id.as_ref().is_none_or(is_own);
    if !same_zone {
        return None;
    }
    if target.dns_name == *name {
        return Some(Reason::SelfReference);
    }
    zone.is_some_and(|(_, zone)| !target.dns_name.is_within(zone)).then_some(Reason::AliasNotInZone)
}

fn invalid_values(
    name: &DomainName,
    wanted: &Submitted,
    count: usize,
    zone_name: Option<&DomainName>,
) -> Option<Reason> {
    if *wanted.record_type() == RecordType::Cname {
        let targets = wanted.content.plain_values();
        if targets.iter().any(|target| target.host().is_some_and(|host| host == name)) {
            return Some(Reason::SelfReference);
        }
        if targets.iter().any(|target| {
            target.host().is_some_and(|host| host.defect().is_some() || host.as_str().is_empty())
        }) {
            return Some(Reason::BadChars);
        }
        if zone_name == Some(name) {
            return Some(Reason::ApexCname);
        }
        return (1 < count).then_some(Reason::TooManyValues);
    }
    if !wanted.endpoint.origin.from_dns && !fits_family(wanted) {
        // An alias on an IPv6 address that some releases write as an A.
        let is_alias = wanted.endpoint.origin.demanded_alias
            && wanted.content.plain_values().iter().all(|value| value.ip().is_some());
        return Some(if is_alias { Reason::AliasOnIp } else { Reason::MixedTypes });
    }
    (MAX_VALUES < count).then_some(Reason::TooManyValues)
}

/// True unless an A or AAAA record has a value that is no address of its family.
fn fits_family(wanted: &Submitted) -> bool {
    let all = |fits: fn(&IpAddr) -> bool| {
        wanted.content.plain_values().iter().all(|value| value.ip().is_some_and(|ip| fits(&ip)))
    };
    match wanted.record_type() {
        RecordType::A => all(IpAddr::is_ipv4),
        RecordType::Aaaa => all(IpAddr::is_ipv6),
        RecordType::Cname
        | RecordType::Txt
        | RecordType::Ns
        | RecordType::Soa
        | RecordType::Ds
        | RecordType::Mx
        | RecordType::Srv
        | RecordType::Ptr
        | RecordType::Naptr
        | RecordType::Caa
        | RecordType::Other(_) => true,
    }
}
