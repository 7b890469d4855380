//! Records that are as wanted, and still not well: ownership, private targets, dead targets, full
//! zones. Pure.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::compare::fix::batch::Batch;
use crate::compare::instances::owners::{Unowned, is_of_sibling};
use crate::compare::leftovers::is_owned_by;
use crate::compare::live::{expected, is_standby, resolved};
use crate::compare::owner::{Ownership, heritage_names, ownership};
use crate::compare::texts::Text;
use crate::compare::verdict::Candidate;
use crate::compare::wildcard::covering;
use crate::compare::world::World;
use crate::compare::wrong_zone::may_stand;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::heritage::TxtRole;
use crate::model::record::{RecordSet, Value};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef, RecordKey, RecordType, ZoneId};
use crate::report::Fix;
use crate::snapshot::ViewName;

/// A private address in a public zone: why, and what public users get.
#[must_use]
pub fn private_target(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
) -> Option<(Reason, Impact)> {
    if zone.zone.private {
        return None;
    }
    let values = want.content.plain_values();
    let classes: Vec<Reason> = values.iter().filter_map(Value::ip).filter_map(private_class).collect();
    let first = *classes.first()?;
    let is_public = |set: &RecordSet| {
        set.record_type.is_address() && !is_standby(set.routing.as_deref()) && leads_to_public(world, set)
    };
    if classes.len() != values.len() || zone.at(&want.name).iter().any(is_public) {
        // Who gets one of the others, another family or another member is served.
        return Some((first, Impact::Degraded));
    }
    let private_twin = wants
        .zones
        .iter()
        .filter_map(|id| world.zone(id))
        .any(|other| other.zone.private && want.name.is_within(&other.zone.name));
    let reason = if private_twin { Reason::SplitZonesSharedInstance } else { first };
    // Whoever writes there serves the rightful ones.
    let served = world
        .zones_over(&want.name)
        .filter(|other| other.zone.private)
        .any(|other| other.record_sets.is_none() || answers_for(other, want));
    Some((reason, if served { Impact::Degraded } else { Impact::Down }))
}

/// True if a record leads to a public address, through a host name, too. Where the addresses of that are not known the
/// answers of the name tell, if they are public alone.
fn leads_to_public(world: &World<'_>, set: &RecordSet) -> bool {
    let is_public = |ip: &IpAddr| private_class(*ip).is_none();
    let led_to = expected(world, &set.content, &set.record_type);
    if !led_to.addresses.is_empty() || led_to.hosts.is_empty() {
        return led_to.addresses.iter().any(is_public);
    }
    let told = resolved(world, &set.name);
    !told.is_empty() && told.iter().all(is_public)
}

/// True if the zone has something to answer for the wish: a record of its own, or a wildcard.
fn answers_for(zone: &ZoneReading, want: &Want) -> bool {
    let serves =
        |set: &RecordSet| set.record_type == want.record_type || set.record_type == RecordType::Cname;
    zone.at(&want.name).iter().chain(covering(&want.name, zone)).any(serves)
}

/// The sort of private address; `None` for a public one.
#[must_use]
pub fn private_class(ip: IpAddr) -> Option<Reason> {
    match ip {
        IpAddr::V4(four) if four.is_private() => Some(Reason::Rfc1918),
        IpAddr::V4(four) if matches!(four.octets(), [100, 64..=127, _, _]) => Some(Reason::Cgnat),
        IpAddr::V4(four) if four.is_loopback() || four.is_link_local() => Some(Reason::Ula),
        IpAddr::V6(six) if six.is_unique_local() || six.is_unicast_link_local() || six.is_loopback() => {
            Some(Reason::Ula)
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// Who owns a record whose values are right.
#[must_use]
pub fn ownership_fault(
    world: &World<'_>,
    wants: &InstanceWants,
    want: &Want,
    zone: &ZoneReading,
) -> Option<(Kind, Reason)> {
    match &world.title(wants, want, zone).ownership {
        // Another instance of the cluster may keep the ownership under its own prefix or suffix.
        Ownership::Missing if owned_by_neighbour(world, wants, want, zone) => None,
        Ownership::Missing => Some((Kind::OwnerMissing, Reason::None)),
        Ownership::Conflict(owners) => {
            let known = |owner: &std::sync::Arc<str>| world.wants.iter().any(|one| one.instance.id == *owner);
            let two = owners.iter().all(known);
            Some((Kind::OwnerConflict, if two { Reason::TwoInstances } else { Reason::LegacyTxt }))
        }
        Ownership::Own if owned_by_neighbour(world, wants, want, zone) => {
            Some((Kind::OwnerConflict, Reason::TwoInstances))
        }
        Ownership::Foreign(owner) if world.policy.report_foreign_owners => {
            let ours = world.wants.iter().any(|one| one.instance.id == *owner);
            Some((Kind::OwnerForeign, if ours { Reason::OtherInstance } else { Reason::OtherCluster }))
        }
        Ownership::Own | Ownership::Foreign(_) | Ownership::Unknown => None,
    }
}

fn owned_by_neighbour(world: &World<'_>, wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> bool {
    let others = world.wants.iter().filter(|other| other.instance.id != wants.instance.id);
    others.into_iter().any(|other| ownership(&other.instance, want, zone) == Ownership::Own)
}

/// Ownership records of an instance under which nothing stands and that nobody wants.
pub fn orphans(world: &World<'_>, wants: &InstanceWants, out: &mut Vec<Candidate>) {
    let flags = &wants.instance.flags;
    if !flags.shows_ownership() {
        return;
    }
    // Few zones have any orphan at all.
    let unowned = OnceCell::new();
    for zone in wants.zones.iter().filter_map(|id| world.zone(id)) {
        for Text { set, heritage, .. } in world.suspects(zone) {
            if heritage.owner != Some(&flags.owner_id) {
                continue;
            }
            let names = readings(world, wants, zone, set);
            let owned = wants.instance.owner_name(&set.name);
            let of_txt = owned.is_some_and(|(_, record_type)| record_type == Some(RecordType::Txt));
            if !is_orphan(world, zone, &names, of_txt) {
                continue;
            }
            let Some(object) = heritage.object() else { continue };
            // Another prefix or suffix is a fault of the instance, and its ownership must not be deleted.
            let unowned = unowned.get_or_init(|| Unowned::of(world, wants));
            let is_of_wish = unowned.owned_by(&set.name, &zone.zone.id, &object)
                && !is_of_sibling(world, wants, zone, &set.name);
            if is_of_wish || is_of_other_affixes(world, wants, zone, set, &object) {
                continue;
            }
            let watched = wants.unknown.is_empty()
                && world.snapshot.kubernetes.value().is_some_and(|cluster| cluster.watches(&object.kind));
            if watched {
                let left_at = left_at(world, wants, &object, &names);
                out.push(orphan(world, wants, zone, &set.key(), left_at));
            }
        }
    }
}

/// Every name that an instance of this owner id reads out of the name of the TXT: several may share the id, each
/// with affixes of its own.
fn readings(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    txt: &RecordSet,
) -> BTreeSet<DomainName> {
    let owner = &wants.instance.flags.owner_id;
    let is_peer =
        |one: &&InstanceWants| one.instance.flags.owner_id == *owner && one.zones.contains(&zone.zone.id);
    let peers = world.wants.iter().filter(is_peer);
    peers.flat_map(|one| one.instance.flags.affixes.readings(&txt.name)).collect()
}

/// True if the TXT may be the ownership that another cluster with this owner id keeps, under affixes of its
/// own, of a record that stands and that is nobody's by ours.
fn is_of_other_affixes(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    txt: &RecordSet,
    object: &ObjectRef,
) -> bool {
    let may_own = |set: &&RecordSet| {
        set.record_type.is_address()
            && set.set_identifier == txt.set_identifier
            && is_affixed(&txt.name, &set.name)
            && !is_owned_by(wants, zone, set)
    };
    world.remembered(object).is_none() && zone.records().iter().any(|set| may_own(&set))
}

/// True if the name of a TXT is that of the record with something before or behind its first label.
fn is_affixed(txt: &DomainName, name: &DomainName) -> bool {
    let split = |name: &DomainName| {
        let (label, rest) = name.as_str().split_once('.')?;
        Some((label.to_owned(), rest.to_owned()))
    };
    let Some((label, rest)) = split(name) else { return false };
    let Some(head) = txt.as_str().strip_suffix(&*rest).and_then(|head| head.strip_suffix('.')) else {
        return false;
    };
    let ends = |text: &str, at_end: bool| {
        let next = if at_end { text.chars().next_back() } else { text.chars().next() };
        next.is_none_or(|next| !next.is_ascii_alphanumeric())
    };
    head.match_indices(&*label).any(|(at, found)| {
        let after = head.get(at + found.len()..).unwrap_or_default();
        ends(head.get(..at).unwrap_or_default(), true) && ends(after, false)
    })
}

/// No reading of the TXT's name leads to a record or to a wish.
fn is_orphan(world: &World<'_>, zone: &ZoneReading, names: &BTreeSet<DomainName>, of_txt: bool) -> bool {
    !names.is_empty()
        && names.iter().all(|name| {
            // Every apex has these two.
            let bare = |set: &&RecordSet| {
                *name != zone.zone.name || !matches!(set.record_type, RecordType::Ns | RecordType::Soa)
            };
            let recorded = zone.at(name).iter().filter(bare).any(|set| {
                set.record_type != RecordType::Txt || of_txt && TxtRole::of(set) == TxtRole::Other
            });
            let is_wanted = || {
                world.wanted(name).any(|want| want.zone_id().is_none())
                    || may_stand(world, zone, name).next().is_some()
            };
            !recorded && !world.may_be_given(name) && !is_wanted()
        })
}

/// When the object went, or no longer asked the instance for any of the names; `None` when that was not seen. What
/// others publish elsewhere is no news here.
fn left_at(
    world: &World<'_>,
    wants: &InstanceWants,
    object: &ObjectRef,
    names: &BTreeSet<DomainName>,
) -> Option<Timestamp> {
    let deleted = world.remembered(object).and_then(|past| past.deleted_at);
    let own = names.iter().flat_map(|name| world.wished(name)).filter(|wish| wish.place == wants.instance.id);
    let wished = own.flat_map(|wish| &wish.sightings);
    // What is wanted still, in another zone, has not left.
    let ended = wished.map(|sighting| sighting.until).filter(|until| *until != world.at());
    ended.chain(deleted).max()
}

fn orphan(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    subject: &RecordKey,
    left_at: Option<Timestamp>,
) -> Candidate {
    let key = FindingKey {
        subject: Subject::Record(subject.clone()),
        zone_id: Some(home(zone, subject)),
        instance: Some(wants.instance.id.clone()),
        kind: Kind::OwnerOrphan,
    };
    let mut candidate = Candidate::new(key, Reason::None, Impact::None, zone.read_at.unwrap_or(world.at()));
    if let Some(at) = left_at {
        let length = wants.instance.sync_window(1, world.policy.deleted_floor);
        candidate.window = crate::compare::wishes::open(
            crate::finding::SilentReason::GraceDeleted,
            at,
            crate::compare::wishes::signed(length),
            world.at(),
        );
    }
    candidate.summary = format!("{subject} claims a record that does not exist and that nobody wants.");
    let txt = zone.at(&subject.name).iter().filter(|set| set.key() == *subject).cloned();
    candidate.fix = Batch::deleting(txt).into_fix("Delete the TXT record.", zone);
    candidate
}

/// Where an ownership record lies.
fn home(zone: &ZoneReading, text: &RecordKey) -> ZoneId {
    let above = zone.above.as_ref().filter(|_| !text.name.is_within(&zone.zone.name));
    above.map_or(&zone.zone.id, |above| above.home(text)).clone()
}

/// The zone is nearly or wholly full.
#[must_use]
pub fn zone_quota(world: &World<'_>, zone: &ZoneReading) -> Option<Candidate> {
    let limit = zone.zone.limit?;
    if limit.limit == 0 || limit.count * 10 < limit.limit * 9 {
        return None;
    }
    let key = FindingKey {
        subject: Subject::Zone(zone.zone.name.clone()),
        zone_id: Some(zone.zone.id.clone()),
        instance: None,
        kind: Kind::ZoneQuota,
    };
    let full = limit.limit <= limit.count;
    let impact = if full { Impact::Down } else { Impact::Latent };
    let mut candidate = Candidate::new(key, Reason::RecordCount, impact, zone.read_at.unwrap_or(world.at()));
    candidate.rests_on = &[ViewName::Route53];
    candidate.summary = format!(
        "Hosted zone {} holds {} of {} record sets; new names {}.",
        zone.zone.name,
        limit.count,
        limit.limit,
        if full { "are refused" } else { "will soon be refused" }
    );
    candidate.fix = Fix {
        summary: "Delete left-over TXT records, or ask AWS for a higher quota.".to_owned(),
        commands: vec![record_limit(zone)],
        ..Fix::default()
    };
    Some(candidate)
}

/// Shows how many record sets the zone has, and may have.
#[must_use]
pub fn record_limit(zone: &ZoneReading) -> String {
    format!("aws route53 get-hosted-zone-limit --type MAX_RRSETS_BY_ZONE --hosted-zone-id {}", zone.zone.id)
}

/// The names of the ownership records, for evidence.
#[must_use]
pub fn expected_txt(wants: &InstanceWants, want: &Want) -> String {
    let names = heritage_names(&wants.instance, &want.name, &want.record_type);
    names.iter().map(DomainName::as_str).collect::<Vec<_>>().join(", ")
}
