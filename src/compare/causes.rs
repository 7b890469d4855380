//! What made a request bad, and what a version of ExternalDNS cannot do. Pure.
//!
//! Source: findings.md sections 2.1 and 10.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::match_same_arms,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::net::IpAddr;
use std::sync::Arc;

use crate::compare::feed::Refusal;
use crate::compare::owner::{is_free, speaks_for_another};
use crate::desired::canonical::canonical_zone;
use crate::desired::record_sets::title_names;
use crate::finding::{Cause, Reason};
use crate::model::Version;
use crate::model::instance::{Instance, NEWEST_KNOWN};
use crate::model::record::{RecordType, Routing, Value};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;

/// The release that sends an alias of a host name as a plain A.
const HOST_AS_ADDRESS: Version = Version::new(0, 14, 0);

/// From this release an IPv6 address makes an AAAA and no A.
const KNOWS_IPV6: Version = Version::new(0, 13, 5);

/// From this release a type change is planned as DELETE and CREATE.
const PLANS_TYPE_CHANGES: Version = Version::new(0, 14, 0);

/// From this release a batch is bounded by the characters of its values, too. Source:
/// kubernetes-sigs/external-dns:provider/aws/aws.go (`--aws-batch-change-size-bytes`).
const BOUNDS_CHARACTERS: Version = Version::new(0, 14, 1);

/// What the comparison knows about the record that was refused.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// The instance and all that it wants.
    pub wants: &'a InstanceWants,
    /// The wish.
    pub want: &'a Want,
    /// Its zone.
    pub zone: &'a ZoneReading,
    /// What the ownership of the name says.
    pub owner: Option<Cause>,
    /// The policy forbids the deletion that would have to come first.
    pub policy_forbids: bool,
}

impl Circumstances<'_> {
    /// The cause of a refused change of a wanted record.
    #[must_use]
    pub fn of_refusal(&self, refusal: &Refusal) -> Option<Cause> {
        if let Some(culprit) = &refusal.culprit {
            return Some(Cause::FailedChangeOf(culprit.clone()));
        }
        let invalid = self.want.invalid.map(Cause::InvalidDesired);
        match refusal.reason {
            // The annotation has gone since: what remains is that nobody has tried again.
            Reason::AliasTargetNotInZone
                if !self.want.demanded_alias && self.want.content.alias().is_none() =>
            {
                invalid
            }
            Reason::AliasTargetNotInZone => {
                let target = refusal.target.as_deref().unwrap_or_default();
                let is_ip = target.trim_end_matches('.').parse::<IpAddr>().is_ok();
                Some(Cause::InvalidDesired(if is_ip { Reason::AliasOnIp } else { Reason::AliasNotInZone }))
            }
            // The AAAA alias that recent versions write for every target.
            Reason::AliasTargetNotFound => {
                invalid.or_else(|| self.want.companion.then_some(Cause::ControllerVersion))
            }
            Reason::IllegalName => Some(Cause::InvalidDesired(self.want.invalid.unwrap_or(Reason::BadChars))),
            Reason::LimitsExceeded => {
                let text = refusal.message.to_ascii_lowercase();
                let is_unbounded = self.wants.instance.effective_version() < BOUNDS_CHARACTERS;
                // Two limits of one request are no quota of the zone: its changes, and the characters of its values.
                if text.contains("rdata") {
                    invalid.or_else(|| is_unbounded.then_some(Cause::ControllerVersion))
                } else {
                    (!text.contains("limit of 1000 ")).then_some(Cause::ZoneQuota)
                }
            }
            Reason::CnameConflict => invalid.or_else(|| self.of_type_change()),
            Reason::AlreadyExists => {
                let owner = invalid.or_else(|| self.owner.clone());
                owner.or_else(|| {
                    match (self.is_blocked(), speaks_for_another(self.wants, self.want, self.zone)) {
                        (true, true) => None,
                        (true, false) => Some(Cause::OwnerOrphan),
                        (false, _) => Some(Cause::OwnerMissing),
                    }
                })
            }
            Reason::RoutingPolicyMix => self.of_routing(Reason::MixedRouting).or(Some(Cause::OwnerMissing)),
            Reason::RoutingDuplicate => self.of_routing(Reason::DuplicateSetIdentifier),
            Reason::InvalidRdata => {
                by_version(&self.wants.instance, self.want, refusal.target.as_deref()).or(invalid)
            }
            _ => invalid,
        }
    }

    /// Nothing stands at the name but its ownership: that is what exists already, whatever the release makes of
    /// it.
    fn is_blocked(&self) -> bool {
        is_free(self.want, self.zone)
            && crate::compare::owner::has_heritage(&self.wants.instance, self.want, self.zone)
    }

    /// The record in the way is somebody else's, or ours and its deletion is never sent.
    fn of_type_change(&self) -> Option<Cause> {
        if let Some(conflict) = self.want.conflict.as_ref().filter(|one| one.reason == Reason::MixedTypes) {
            return Some(Cause::ConflictingDesired(conflict.reason));
        }
        if self.blocks_itself() {
            return Some(Cause::ControllerVersion);
        }
        if let Some(owner) = &self.owner {
            return Some(owner.clone());
        }
        if self.policy_forbids {
            return Some(Cause::Policy);
        }
        let old = self.wants.instance.effective_version() < PLANS_TYPE_CHANGES;
        old.then_some(Cause::ControllerVersion)
    }

    /// Nothing else stands at the name, and the release keeps the ownership of the CNAME under the same one: Route 53
    /// cannot hold both.
    fn blocks_itself(&self) -> bool {
        let (want, instance) = (self.want, &self.wants.instance);
        want.record_type == RecordType::Cname
            && self.zone.at(&want.name).iter().all(|set| set.record_type == RecordType::Cname)
            && title_names(instance, want.name.as_str(), &want.record_type, false)
                .iter()
                .any(|text| *text == want.name.as_str())
    }

    /// Two of our own wishes exclude each other, or the other record is somebody else's.
    fn of_routing(&self, reason: Reason) -> Option<Cause> {
        let rival = self.wants.at(&self.want.name).iter().any(|other| {
            other.record_type == self.want.record_type
                && other.placement == self.want.placement
                && other.set_identifier != self.want.set_identifier
                && (reason == Reason::MixedRouting
                    && is_mix(
                        (&other.set_identifier, other.routing.as_deref()),
                        (&self.want.set_identifier, self.want.routing.as_deref()),
                    )
                    || reason == Reason::DuplicateSetIdentifier && other.routing == self.want.routing)
        });
        let wish = rival.then_some(Cause::ConflictingDesired(reason));
        wish.or_else(|| self.want.invalid.map(Cause::InvalidDesired)).or_else(|| self.owner_of_rival())
    }

    fn owner_of_rival(&self) -> Option<Cause> {
        let here = self.zone.at(&self.want.name).iter();
        let rival = here
            .filter(|set| {
                set.record_type == self.want.record_type && set.set_identifier != self.want.set_identifier
            })
            .find(|set| {
                let (held, wanted) = (set.routing.as_deref(), self.want.routing.as_deref());
                is_mix((&set.set_identifier, held), (&self.want.set_identifier, wanted)) || held == wanted
            })?;
        let wish = Want { set_identifier: rival.set_identifier.clone(), ..self.want.clone() };
        match crate::compare::owner::ownership(&self.wants.instance, &wish, self.zone) {
            crate::compare::owner::Ownership::Foreign(_) => Some(Cause::OwnerForeign),
            crate::compare::owner::Ownership::Missing => Some(Cause::OwnerMissing),
            crate::compare::owner::Ownership::Own if self.policy_forbids => Some(Cause::Policy),
            _ => None,
        }
    }
}

/// True for a simple record beside a routed one, and for members of two routing policies: Route 53 takes neither.
fn is_mix(one: Member<'_>, other: Member<'_>) -> bool {
    let policy = |(_, routing): Member<'_>| routing.map(std::mem::discriminant);
    one.0.is_none() != other.0.is_none()
        || policy(one).zip(policy(other)).is_some_and(|(one, other)| one != other)
}

/// A set identifier and its place in the routing set.
type Member<'a> = (&'a Option<Arc<str>>, Option<&'a Routing>);

/// This version turns the wish into something that cannot be what the object asks for.
#[must_use]
pub fn by_version(instance: &Instance, want: &Want, refused: Option<&str>) -> Option<Cause> {
    let version = instance.effective_version();
    let values = want.content.plain_values();
    let address = matches!(want.record_type, RecordType::A | RecordType::Aaaa);
    let host_as_address =
        version == HOST_AS_ADDRESS && address && values.iter().any(|value| Value::ip(value).is_none());
    let quoted = refused.and_then(|text| text.trim_end_matches('.').parse::<IpAddr>().ok());
    let six_as_four = version < KNOWS_IPV6
        && want.record_type == RecordType::A
        && (quoted.is_some_and(|ip| ip.is_ipv6())
            || values.iter().filter_map(Value::ip).any(|ip| ip.is_ipv6()));
    let apex = want.invalid == Some(Reason::ApexCname)
        && values.iter().filter_map(Value::host).any(|host| {
            canonical_zone(host.as_str(), NEWEST_KNOWN).is_some()
                && canonical_zone(host.as_str(), version).is_none()
        });
    (host_as_address || six_as_four || apex).then_some(Cause::ControllerVersion)
}

#[cfg(test)]
mod tests;
