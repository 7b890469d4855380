//! Records that nothing wants any more, and records whose address is somebody else's. Pure.
//!
//! Source: findings.md, kinds `stale_record` and `dangling_record`; evidence rules 7 to 9.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::compare::claimable::claimable;
use crate::compare::fix;
use crate::compare::fix::batch::Batch;
use crate::compare::followers::{bereft, covered};
use crate::compare::instances::wrote;
use crate::compare::live::says_nothing;
use crate::compare::owner::heritage_names;
use crate::compare::show;
use crate::compare::texts::Text;
use crate::compare::verdict::Candidate;
use crate::compare::wishes::{open, signed};
use crate::compare::world::World;
use crate::compare::wrong_zone::may_stand;
use crate::desired::merge::is_same;
use crate::desired::record_sets::title_names;
use crate::desired::sources::roster::source_of_registry_word;
use crate::finding::{FindingKey, Impact, Kind, Reason, Severity, SilentReason, Subject};
use crate::model::change::ChangeEventKind;
use crate::model::heritage::{Heritage, TxtRole};
use crate::model::instance::Policy as Allowed;
use crate::model::observation::{Outcome, Vantage};
use crate::model::record::{RecordSet, RecordType, Value};
use crate::model::want::{InstanceWants, UnreadAnnotations, Unwanted, Want};
use crate::model::zone::ZoneReading;
use crate::model::{Content, DomainName, ObjectRef};
use crate::report::Fix;
use crate::snapshot::ViewName;

/// Owned records of one instance whose objects are gone or want something else.
pub fn stale_records(world: &World<'_>, wants: &InstanceWants, out: &mut Vec<Candidate>) {
    let flags = &wants.instance.flags;
    if !flags.shows_ownership() || !wants.unknown.is_empty() {
        return;
    }
    for zone in wants.zones.iter().filter_map(|id| world.zone(id)) {
        let mut seen = BTreeSet::new();
        let own = world.suspects(zone).filter(|text| text.heritage.owner == Some(&flags.owner_id));
        // What is the ownership of another name as well tells the object of either.
        let (shared, single): (Vec<Text<'_>>, Vec<Text<'_>>) = own.partition(|text| {
            let name = wants.instance.owner_name(&text.set.name);
            name.is_some_and(|(name, _)| is_title_elsewhere(wants, zone, text.set, &name))
        });
        for Text { set: txt, heritage, .. } in single.into_iter().chain(shared) {
            for set in owned_by(wants, zone, txt) {
                // Under a plain name nothing tells of which type the owned record is.
                let names_type =
                    || wants.instance.owner_name(&txt.name).is_some_and(|(_, kind)| kind.is_some());
                let is_managed = || flags.managed_types.contains(&set.record_type);
                let over = if is_wanted(world, zone, set) {
                    is_former_member(world, zone, set) && !stands_for_another(world, zone, set, heritage)
                        || names_type() && is_managed() && is_former_family(world, zone, set)
                } else {
                    let is_bare = || world.wanted(&set.name).next().is_none();
                    !asks_still(world, set, heritage)
                        && (is_bare() || names_type() || set.record_type.is_address())
                };
                if over && seen.insert(set.key()) {
                    out.extend(stale_record(world, wants, zone, set, heritage));
                }
            }
        }
    }
}

/// Records of an owner that no instance of this cluster has any more, for objects that are gone.
///
/// Other clusters are the usual case: the owner must have been one of ours, or the user asked for
/// left-overs of whole zones and knows no other cluster's addresses.
pub fn ownerless_records(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    let known: BTreeSet<&str> = world
        .wants
        .iter()
        .flat_map(|one| {
            [one.instance.flags.owner_id.as_str(), one.instance.flags.migrate_from_owner.as_str()]
        })
        .collect();
    let asked = world.policy.leftovers_in_zone && world.policy.inventory.is_none();
    // Which affixes a former owner had, nobody knows: those of each that reads the zone count.
    let readers: Vec<_> = world.wants.iter().filter(|one| one.zones.contains(&zone.zone.id)).collect();
    for Text { set: txt, heritage, .. } in world.suspects(zone) {
        let Some((owner, object)) = heritage.owner.zip(heritage.object()) else { continue };
        // Another cluster may go on with an id that was shared.
        let was_ours = || world.has_wished(owner) && world.remembered(&object).is_some();
        let gone = !known.contains(owner) && (asked || was_ours());
        if !gone || !is_absent(world, &object) {
            continue;
        }
        let mut told = BTreeSet::new();
        let owned = readers
            .iter()
            .flat_map(|reader| owned_by(reader, zone, txt).into_iter().map(move |set| (*reader, set)));
        for (reader, set) in owned.filter(|(_, set)| !is_wanted(world, zone, set)) {
            if !told.insert(set.key()) {
                continue;
            }
            let mut candidate = start(world, zone, set, Kind::StaleRecord, Reason::OwnerAbsent, Impact::None);
            candidate.evidence.push(format!("owner {owner}, made for {object}"));
            candidate.summary = format!(
                "{} belongs to the owner id {owner}, which no ExternalDNS of this cluster has.",
                set.key()
            );
            candidate.window = grace_deleted(world, reader, zone, &object, set);
            candidate.object = made_for(world, &object);
            candidate.fix = removal(world, reader, zone, set, Some(owner));
            unless_used(&mut candidate.fix, owner);
            out.push(candidate);
        }
    }
}

/// The object is of a kind that we read and is not there.
fn is_absent(world: &World<'_>, object: &ObjectRef) -> bool {
    world
        .snapshot
        .kubernetes
        .value()
        .is_some_and(|cluster| cluster.watches(&object.kind) && !world.is_here(object))
}

/// The records that an ownership TXT speaks for, as the instance reads its name.
fn owned_by<'a>(wants: &InstanceWants, zone: &'a ZoneReading, txt: &RecordSet) -> Vec<&'a RecordSet> {
    match wants.instance.owner_name(&txt.name) {
        Some((name, record_type)) => owned_sets(zone, txt, name.as_str(), record_type.as_ref()).collect(),
        None => Vec::new(),
    }
}

/// The records that an ownership TXT speaks for, by the name and type that its own name tells.
pub(super) fn owned_sets<'a>(
    zone: &'a ZoneReading,
    txt: &RecordSet,
    name: &str,
    record_type: Option<&RecordType>,
) -> impl Iterator<Item = &'a RecordSet> {
    owned_among(zone.at_text(name), txt, record_type)
}

/// The same of the record sets at the name.
pub(super) fn owned_among<'a>(
    here: &'a [RecordSet],
    txt: &RecordSet,
    record_type: Option<&RecordType>,
) -> impl Iterator<Item = &'a RecordSet> {
    let fits = move |set: &&RecordSet| {
        titled_as(set).any(|kind| kind == record_type)
            && set.set_identifier == txt.set_identifier
            && (set.record_type != RecordType::Txt || TxtRole::of(set) == TxtRole::Other)
    };
    here.iter().filter(fits)
}

/// The types under whose names the ownership of a record is kept; `None` for the name without a type.
///
/// Under a plain name only what every version manages is kept, and under that of a CNAME besides CNAMEs the aliases of
/// releases before v0.22.0.
pub(super) fn titled_as(set: &RecordSet) -> impl Iterator<Item = Option<&RecordType>> {
    let is_alias = set.record_type.is_address() && set.content.alias().is_some();
    let is_plain = set.record_type.is_address() && (set.record_type != RecordType::Aaaa || is_alias);
    let as_cname = is_alias.then_some(Some(&RecordType::Cname));
    [Some(Some(&set.record_type)), as_cname, is_plain.then_some(None)].into_iter().flatten()
}

/// Anybody wants the record there or one that excludes it, names it without having a target for it, or may
/// want it. Beside a mail record nothing is said of an address, and the other way round.
#[must_use]
pub fn is_wanted(world: &World<'_>, zone: &ZoneReading, set: &RecordSet) -> bool {
    world.may_be_given(&set.name)
        || world.wanted(&set.name).any(|want| want.zone_id().is_none() && concerns(want, &set.record_type))
        || may_stand(world, zone, &set.name).any(|want| concerns(want, &set.record_type))
}

/// As above, but for a former member and a former family of ours, which the wish for another one does not hold.
fn is_held(world: &World<'_>, zone: &ZoneReading, set: &RecordSet, owner: Option<&Arc<str>>) -> bool {
    let is_former = || {
        is_former_member(world, zone, set)
            || is_former_family(world, zone, set)
            || is_former_alias(world, zone, set)
    };
    is_wanted(world, zone, set) && !(owner.is_some() && is_former())
}

/// An alias of one family at a name that is wanted with the other only, and leads there.
fn is_former_alias(world: &World<'_>, zone: &ZoneReading, set: &RecordSet) -> bool {
    if !matches!(set.record_type, RecordType::A | RecordType::Aaaa)
        || set.content.alias().is_none()
        || world.may_be_given(&set.name)
    {
        return false;
    }
    let mut here = addresses_wanted(world, zone, &set.name).peekable();
    here.peek().is_some()
        && here.all(|want| {
            let met = |set: &RecordSet| want.is(&set.key()) && set.content == want.content;
            want.record_type != set.record_type && zone.at(&want.name).iter().any(met)
        })
}

/// True if a wish is about a record of this type: addresses, aliases and CNAMEs stand for each other, and
/// beside a CNAME nothing else can stand.
fn concerns(want: &Want, record_type: &RecordType) -> bool {
    want.record_type == *record_type
        || want.record_type.is_address() && record_type.is_address()
        || want.record_type == RecordType::Cname
        || *record_type == RecordType::Cname
}

/// A member of a routing set whose name is wanted by other members only.
fn is_former_member(world: &World<'_>, zone: &ZoneReading, set: &RecordSet) -> bool {
    let here = || may_stand(world, zone, &set.name);
    set.set_identifier.is_some()
        && !world.may_be_given(&set.name)
        && here().next().is_some()
        && here().all(|want| want.set_identifier.is_some() && want.set_identifier != set.set_identifier)
}

/// Addresses of one family at a name that is wanted with those of the other only, and has them.
///
/// As long as the wanted record lacks or is an alias, the pair is the fault of that one.
pub(super) fn is_former_family(world: &World<'_>, zone: &ZoneReading, set: &RecordSet) -> bool {
    if !matches!(set.record_type, RecordType::A | RecordType::Aaaa) || world.may_be_given(&set.name) {
        return false;
    }
    let mut here = addresses_wanted(world, zone, &set.name).peekable();
    here.peek().is_some()
        && here.all(|want| {
            let met = |set: &RecordSet| want.is(&set.key()) && is_plain(&set.content);
            // The addresses of a host name that ExternalDNS resolves are of both families.
            let plain = is_plain(&want.content) && !want.is_resolved();
            plain && want.record_type != set.record_type && zone.at(&want.name).iter().any(met)
        })
}

fn is_plain(content: &Content) -> bool {
    matches!(content, Content::Values { .. })
}

/// The wishes for addresses or an alias at a name of the zone.
fn addresses_wanted<'a, 's>(
    world: &'s World<'a>,
    zone: &'s ZoneReading,
    name: &'s DomainName,
) -> impl Iterator<Item = &'a Want> + 's {
    may_stand(world, zone, name).filter(|want| want.record_type.is_address())
}

/// The wishes of the object that the record was made for, in any zone.
fn wishes_of<'a>(
    world: &World<'a>,
    set: &RecordSet,
    heritage: Heritage<'_>,
) -> impl Iterator<Item = &'a Want> {
    let object = heritage.object();
    let is_of = move |want: &&Want| {
        object.as_ref().is_some_and(|object| want.objects.iter().any(|one| is_same(object, one)))
    };
    world.wanted(&set.name).filter(is_of)
}

/// The object still asks for the name, in another zone.
fn asks_still(world: &World<'_>, set: &RecordSet, heritage: Heritage<'_>) -> bool {
    wishes_of(world, set, heritage).any(|want| concerns(want, &set.record_type))
}

/// The object asks for another identifier, whose record is not there yet: that is the fault.
fn stands_for_another(
    world: &World<'_>,
    zone: &ZoneReading,
    set: &RecordSet,
    heritage: Heritage<'_>,
) -> bool {
    wishes_of(world, set, heritage).any(|want| {
        want.zone_id() == Some(&zone.zone.id) && !zone.at(&want.name).iter().any(|set| want.is(&set.key()))
    })
}

/// True if the registry of the instance says that it owns the record.
#[must_use]
pub fn is_owned_by(wants: &InstanceWants, zone: &ZoneReading, set: &RecordSet) -> bool {
    let names = heritage_names(&wants.instance, &set.name, &set.record_type);
    let texts = names.iter().flat_map(|name| zone.at(name));
    let mut of_member = texts.filter(|txt| txt.set_identifier == set.set_identifier);
    of_member.any(|txt| match TxtRole::of(txt) {
        TxtRole::Heritage(heritage) => heritage.owner == Some(&wants.instance.flags.owner_id),
        TxtRole::Encrypted | TxtRole::Other => false,
    })
}

/// True if the TXT is, by whichever reading of its name, what the release writes for a wish, or for a record of
/// another name that the instance owns.
fn is_title_elsewhere(
    wants: &InstanceWants,
    zone: &ZoneReading,
    txt: &RecordSet,
    own_name: &DomainName,
) -> bool {
    let instance = &wants.instance;
    let is_written = |name: &DomainName, record_type: &RecordType, content: &Content| {
        let texts = title_names(instance, name.as_str(), record_type, content.alias().is_some());
        texts.iter().any(|text| DomainName::new(text) == txt.name)
    };
    let is_held = |set: &RecordSet| {
        set.set_identifier == txt.set_identifier
            && is_written(&set.name, &set.record_type, &set.content)
            && is_owned_by(wants, zone, set)
    };
    let is_wanted = |want: &Want| {
        want.set_identifier == txt.set_identifier
            && want.zone_id() == Some(&zone.zone.id)
            && is_written(&want.name, &want.record_type, &want.content)
    };
    let names = instance.flags.affixes.readings(&txt.name);
    names.iter().any(|name| {
        wants.at(name).iter().any(is_wanted) || name != own_name && zone.at(name).iter().any(is_held)
    })
}

/// What the batch for a left-over does.
const DELETE: &str = "Delete the record and its ownership TXT.";

/// The batch that takes a left-over away, with its AAAA half and the ownership of nothing else.
#[must_use]
pub fn removal(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    set: &RecordSet,
    owner: Option<&str>,
) -> Fix {
    let batch = removing(wants, zone, set, owner);
    if let Some(follower) = bereft(world, zone, &batch.delete, &batch.create) {
        let summary = format!(
            "{} leads here: point it elsewhere before the record and its ownership TXT are deleted.",
            follower.key
        );
        return Fix { summary, ..Fix::default() };
    }
    if let Some(host) = covered(world, zone, &batch.delete) {
        let summary = format!(
            "It answers for {host}, which an object gives and no instance writes: give that a record of its own before this one and its ownership TXT are deleted."
        );
        return Fix { summary, ..Fix::default() };
    }
    batch.into_fix(DELETE, zone)
}

fn removing(wants: &InstanceWants, zone: &ZoneReading, set: &RecordSet, owner: Option<&str>) -> Batch {
    let affixes = &wants.instance.flags.affixes;
    let target = target_host(set);
    let half = |other: &&RecordSet| {
        target.is_some() && other.set_identifier == set.set_identifier && target_host(other) == target
    };
    let mut going: Vec<&RecordSet> = vec![set];
    going.extend(zone.at(&set.name).iter().filter(half));
    let txts = zone.records().iter().chain(zone.texts_above()).filter(|txt| {
        let TxtRole::Heritage(heritage) = TxtRole::of(txt) else { return false };
        let owned = owned_by(wants, zone, txt);
        // One that speaks for nothing would be left as an orphan, unless it is the TXT of another name.
        let idle = || {
            // A later version may have run in between.
            let names = [wants.instance.owner_name(&txt.name), affixes.owner_name(&txt.name)];
            names.into_iter().flatten().any(|(name, _)| name == set.name)
                && txt.set_identifier == set.set_identifier
                && zone.at(&txt.name).iter().all(|other| other.record_type == RecordType::Txt)
        };
        let ours = owner.is_none_or(|owner| heritage.owner == Some(owner));
        ours && !is_title_elsewhere(wants, zone, txt, &set.name)
            && if owned.is_empty() { idle() } else { owned.iter().all(|one| going.contains(one)) }
    });
    let sets = going.iter().copied().chain(txts).cloned();
    Batch::deleting(sets)
}

/// As [`removal`], by the registry of the instance that owns the record, else of whichever reads the zone.
fn dangling_removal(world: &World<'_>, zone: &ZoneReading, set: &RecordSet) -> Fix {
    let readers = || world.wants.iter().filter(|one| one.zones.contains(&zone.zone.id));
    // Several may read the zone, each under a prefix of its own.
    let owner = owner_in(world, zone, set);
    if owner.is_some_and(|one| !one.zones.contains(&zone.zone.id)) {
        // An object may ask for the host still.
        let summary = "The filters of its instance leave the zone out, and nobody mends or deletes what stands there: delete the record where the host is served elsewhere, or let the instance handle the zone again.";
        return Fix { summary: summary.to_owned(), ..Fix::default() };
    }
    match owner.or_else(|| readers().next()) {
        // Its target is dead: nobody is served by what leads here.
        Some(reader) => removing(reader, zone, set, None).into_fix(DELETE, zone),
        None => Batch::deleting([set.clone()]).into_fix("Delete the record.", zone),
    }
}

fn stale_record(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    set: &RecordSet,
    heritage: Heritage<'_>,
) -> Option<Candidate> {
    let object = heritage.object()?;
    let cluster = world.snapshot.kubernetes.value()?;
    let source = source_of_registry_word(&object.kind);
    let watched = cluster.watches(&object.kind)
        && wants.instance.flags.sources.iter().any(|given| Some(given.as_str()) == source);
    // An object that is as new as its record may not have reached us yet.
    let stranger = world.past.strangers.get(&(wants.instance.id.clone(), object.clone()));
    let first = world.past.first_at;
    let is_news = stranger.is_some_and(|seen| first < Some(seen.since) && !world.heard_since(seen.since));
    if !watched || is_news || asks_in_vain(wants, set, &object) {
        return None;
    }
    let keeps = wants.instance.flags.policy != Allowed::Sync;
    let reason = if keeps { Reason::PolicyKeeps } else { Reason::NotDeleted };
    let mut candidate = start(world, zone, set, Kind::StaleRecord, reason, Impact::None);
    candidate.key.instance = Some(wants.instance.id.clone());
    candidate.window = grace_deleted(world, wants, zone, &object, set);
    candidate.object = made_for(world, &object);
    candidate.summary =
        format!("{} stays in zone {}, but {object} no longer asks for it.", set.key(), zone.zone.name);
    if let Some(held) = asks_unread(wants, set, &object) {
        candidate.summary = format!(
            "{} stays in zone {}; {held} asks for it by annotations that nobody reads.",
            set.key(),
            zone.zone.name
        );
        candidate.object = Some(held.clone());
        candidate.fix = mend_annotations(held);
        return Some(candidate);
    }
    if let Some(rule) = left_alone(wants, set, &object) {
        let held = rule.object.as_ref().unwrap_or(&object);
        candidate.summary = format!(
            "{} stays in zone {}, and {held} asks for it still; the instance leaves that alone: {}.",
            set.key(),
            zone.zone.name,
            rule.detail
        );
        candidate.fix = fix::let_in(wants, rule);
        return Some(candidate);
    }
    if reason == Reason::NotDeleted && is_kept_by_its_instance(world, wants, set) {
        candidate.fix.summary = format!(
            "ExternalDNS deletes what is not wanted and says that all is up to date: see whether {object} is really gone before anything is deleted."
        );
        return Some(candidate);
    }
    candidate.fix = removal(world, wants, zone, set, heritage.owner);
    if candidate.object.is_none() {
        // The object was gone before the first look, or never was here.
        unless_used(&mut candidate.fix, &wants.instance.flags.owner_id);
    }
    Some(candidate)
}

/// The rule that takes an object out of the scope of the instance which asks for the name as ever, be it that of the
/// record or another one: nobody will keep its record, and yet it serves.
fn left_alone<'a>(wants: &'a InstanceWants, set: &RecordSet, object: &ObjectRef) -> Option<&'a Unwanted> {
    let is_rule = |reason: SilentReason| {
        matches!(
            reason,
            SilentReason::NamespaceFilter
                | SilentReason::ClassFilter
                | SilentReason::LabelFilter
                | SilentReason::AnnotationFilter
                | SilentReason::ControllerAnnotation
        )
    };
    let asks = |row: &&'a Unwanted| row.name.as_ref() == Some(&set.name) && is_rule(row.reason);
    let is_own = |row: &&'a Unwanted| row.object.as_ref().is_some_and(|held| is_same(object, held));
    let own = wants.unwanted.iter().filter(asks).find(is_own);
    own.or_else(|| wants.unwanted.iter().filter(asks).find(|row| row.object.is_some()))
}

/// What to do about a record whose object asks for it as ever, where a rule of the instance or an annotation that
/// nobody reads leaves it out: to take the record away would take a host down. `None` where no object does.
#[must_use]
pub(super) fn unless_asked(wants: &InstanceWants, zone: &ZoneReading, set: &RecordSet) -> Option<Fix> {
    let names = heritage_names(&wants.instance, &set.name, &set.record_type);
    let mut objects = names.iter().flat_map(|name| zone.at(name)).filter_map(|txt| match TxtRole::of(txt) {
        TxtRole::Heritage(heritage) if heritage.owner == Some(&wants.instance.flags.owner_id) => {
            heritage.object()
        }
        TxtRole::Heritage(_) | TxtRole::Encrypted | TxtRole::Other => None,
    });
    objects.find_map(|object| {
        if let Some(held) = asks_unread(wants, set, &object) {
            return Some(mend_annotations(held));
        }
        left_alone(wants, set, &object).map(|rule| fix::let_in(wants, rule))
    })
}

fn mend_annotations(object: &ObjectRef) -> Fix {
    Fix { summary: format!("Mend the annotations of {object}, as its own finding says."), ..Fix::default() }
}

/// True if the object asks for the name as ever, and its record is no left-over: that of a solver goes before anybody
/// need look at it, and what the flags leave alone is in no plan and serves on.
///
/// Source: kubernetes-sigs/external-dns:plan/plan.go (`filterRecordsForPlan`).
fn asks_in_vain(wants: &InstanceWants, set: &RecordSet, object: &ObjectRef) -> bool {
    let is_unplanned = |reason: SilentReason| {
        let is_unmanaged = || !wants.instance.flags.managed_types.contains(&set.record_type);
        matches!(reason, SilentReason::AcmeSolver | SilentReason::DomainFilter)
            || reason == SilentReason::RecordTypeFilter && is_unmanaged()
    };
    wants.unwanted.iter().any(|row| {
        row.name.as_ref() == Some(&set.name)
            && is_unplanned(row.reason)
            && row.object.as_ref().is_some_and(|held| is_same(object, held))
    })
}

/// True if the instance has gone through a loop without a word since it should have deleted the record: what it
/// sees of the cluster is not what we see.
fn is_kept_by_its_instance(world: &World<'_>, wants: &InstanceWants, set: &RecordSet) -> bool {
    let wished = world.wished(&set.name).iter().filter(|wish| wish.place == wants.instance.id);
    let Some(ended) = wished.filter_map(|wish| wish.sightings.last()).map(|last| last.until).max() else {
        return false;
    };
    let length = signed(wants.instance.sync_window(1, world.policy.deleted_floor));
    let Ok(due) = ended.checked_add(length) else { return false };
    let mut events = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
    ended < world.at()
        && events.any(|event| {
            due <= event.at && event.kind == ChangeEventKind::RunSucceeded && wrote(wants, &event.source)
        })
}

/// The object of a record, or another one, if it asks for the name still, by annotations that no instance reads: to
/// delete the record would take away what it means to keep.
fn asks_unread<'a>(wants: &'a InstanceWants, set: &RecordSet, object: &ObjectRef) -> Option<&'a ObjectRef> {
    let means = |one: &&'a UnreadAnnotations| one.if_read.iter().any(|(name, ..)| *name == set.name);
    let own = wants.unread.iter().filter(means).find(|one| is_same(object, &one.object));
    own.or_else(|| wants.unread.iter().find(means)).map(|one| &one.object)
}

/// Says what nobody here can see: another cluster with the same owner id may want the record.
fn unless_used(fix: &mut Fix, owner: &str) {
    if fix.change_batch.is_some() {
        fix.summary = format!(
            "Delete the record and its ownership TXT, unless another cluster uses the owner id {owner}."
        );
    }
}

fn start(
    world: &World<'_>,
    zone: &ZoneReading,
    set: &RecordSet,
    kind: Kind,
    reason: Reason,
    impact: Impact,
) -> Candidate {
    let key = FindingKey {
        subject: Subject::Record(set.key()),
        zone_id: Some(zone.zone.id.clone()),
        instance: None,
        kind,
    };
    let mut candidate = Candidate::new(key, reason, impact, zone.read_at.unwrap_or(world.at()));
    candidate.recorded = show::records(zone.at(&set.name));
    candidate.live = show::live(world, &set.name);
    candidate
}

/// The object that an ownership record names, as the cluster names it: whoever mutes it means its left-overs
/// too. `None` for one that was never here.
fn made_for(world: &World<'_>, object: &ObjectRef) -> Option<ObjectRef> {
    world.remembered(object).map(|past| past.last.reference.clone())
}

/// From the deletion of the object, or from the round in which it stopped to want the name.
///
/// What the object itself says is believed within the rounds between which the wish ended: it may be touched
/// every minute, and a wish may end with the flags of the instance or with a Gateway.
fn grace_deleted(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    object: &ObjectRef,
    set: &RecordSet,
) -> Option<crate::finding::Window> {
    let known = world.remembered(object);
    let renamed = known.and_then(|past| past.last.changed_at.max(wants.instance.changed_at));
    // Other members of a routing set may be wanted still.
    let wished = world.wished(&set.name).iter().filter(|wish| wish.set_identifier == set.set_identifier);
    let ended = wished.filter_map(|wish| wish.sightings.last()).map(|last| last.until);
    let dropped = ended.filter(|until| *until != world.at()).max();
    let deleted = known.and_then(|past| past.deleted_at);
    if let Some(at) = deleted.or(dropped.filter(|_| renamed.is_none())) {
        let length = signed(wants.instance.sync_window(1, world.policy.deleted_floor));
        return open(SilentReason::GraceDeleted, at, length, world.at());
    }
    renamed?;
    let ended = if let Some(last) = dropped {
        let lost = world.past.lost_after(last);
        let told = [renamed, known?.last.status_changed_at].into_iter().flatten();
        told.filter(|at| last < *at && *at <= lost).max().unwrap_or(lost)
    } else {
        let stands = world.past.stands_since(&zone.zone.id, set).or(world.past.first_at);
        renamed?.min(stands.unwrap_or(Timestamp::MAX))
    };
    let length = signed(wants.instance.sync_window(1, world.policy.sync_floor));
    open(SilentReason::SyncWindow, ended, length, world.at())
}

/// The same for a record as its ownership tells; `None` where that is not ours to read.
fn grace_of(world: &World<'_>, zone: &ZoneReading, set: &RecordSet) -> Option<crate::finding::Window> {
    world.wants.iter().filter(|one| one.zones.contains(&zone.zone.id)).find_map(|one| {
        let names = heritage_names(&one.instance, &set.name, &set.record_type);
        let texts = names.iter().flat_map(|name| zone.at(name)).filter_map(|txt| match TxtRole::of(txt) {
            TxtRole::Heritage(heritage) if heritage.owner == Some(&one.instance.flags.owner_id) => {
                heritage.object()
            }
            TxtRole::Heritage(_) | TxtRole::Encrypted | TxtRole::Other => None,
        });
        texts.into_iter().find_map(|object| grace_deleted(world, one, zone, &object, set))
    })
}

/// Records that nobody wants and whose target is provably gone: a host name that its own servers
/// deny, or an address outside of a complete inventory.
pub fn dangling_records(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    dead_hosts(world, zone, out);
    foreign_addresses(world, zone, out);
}

fn dead_hosts(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    let complete = world.policy.inventory.as_ref().is_some_and(|inventory| inventory.complete);
    for set in zone.records().iter().filter(|set| set.record_type.is_address()) {
        let Some(host) = target_host(set).filter(|host| is_denied(world, host)) else { continue };
        if stands_privately(world, zone, &host) {
            continue;
        }
        let owner = owner_of(world, zone, set);
        let in_scope = owner.is_some() || world.policy.leftovers_in_zone;
        if !in_scope || is_held(world, zone, set, owner.as_ref()) || policy_keeps(world, zone, &set.name) {
            continue;
        }
        let service = claimable(&host);
        let reason = if service.is_some() { Reason::ClaimableService } else { Reason::TargetNxdomain };
        let mut candidate = start(world, zone, set, Kind::DanglingRecord, reason, Impact::Security);
        if !complete {
            candidate.severity = Severity::Warning;
        }
        candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
        candidate.evidence.push(format!("the servers of {host} deny it"));
        candidate.evidence.extend(service.map(|name| format!("anybody can register it: {name}")));
        candidate.summary = format!("{} points at {host}, which does not exist any more.", set.key());
        candidate.key.instance = owner;
        candidate.window = grace_of(world, zone, set);
        candidate.fix = dangling_removal(world, zone, set);
        explain_twin(&mut candidate, zone, set);
        out.push(candidate);
    }
}

/// The AAAA half of an alias goes with its A half.
fn explain_twin(candidate: &mut Candidate, zone: &ZoneReading, set: &RecordSet) {
    let twin = crate::model::RecordKey { record_type: RecordType::A, ..set.key() };
    let kind = candidate.key.kind;
    if set.record_type == RecordType::Aaaa
        && zone
            .at(&set.name)
            .iter()
            .any(|other| other.key() == twin && target_host(other) == target_host(set))
        && target_host(set).is_some()
    {
        candidate.explained_by = Some((Subject::Record(twin), kind));
    }
}

fn target_host(set: &RecordSet) -> Option<DomainName> {
    set.content.hosts().pop_first()
}

/// A host of a private zone is there for those that see this one, whatever the public zone of its name says.
pub(super) fn stands_privately(world: &World<'_>, zone: &ZoneReading, host: &DomainName) -> bool {
    let sees = |other: &&ZoneReading| match (&zone.zone.vpcs, &other.zone.vpcs) {
        (Some(ours), Some(theirs)) => ours.iter().any(|one| theirs.iter().any(|other| one.id == other.id)),
        (None, _) | (_, None) => true,
    };
    let mut private = world.zones_over(host).filter(|other| other.zone.private).filter(sees);
    zone.zone.private && private.any(|other| !other.at(host).is_empty())
}

/// All own servers of the host that said anything said that it does not exist.
pub(super) fn is_denied(world: &World<'_>, host: &DomainName) -> bool {
    let seen = world.told(host);
    let own: Vec<_> = seen
        .filter(|answer| answer.vantage == Vantage::Authoritative && !says_nothing(answer.outcome))
        .collect();
    2 <= own.len() && own.iter().all(|answer| answer.outcome == Outcome::Nxdomain)
}

fn foreign_addresses(world: &World<'_>, zone: &ZoneReading, out: &mut Vec<Candidate>) {
    let Some(inventory) = world.policy.inventory.as_ref().filter(|inventory| inventory.complete) else {
        return;
    };
    for set in zone.records().iter().filter(|set| matches!(set.record_type, RecordType::A | RecordType::Aaaa))
    {
        let addresses: Vec<IpAddr> = set.content.plain_values().iter().filter_map(Value::ip).collect();
        let foreign = !addresses.is_empty() && addresses.iter().all(|ip| !inventory.addresses.contains(ip));
        let owner = owner_of(world, zone, set);
        let in_scope = owner.is_some() || world.policy.leftovers_in_zone;
        if !foreign
            || !in_scope
            || is_held(world, zone, set, owner.as_ref())
            || policy_keeps(world, zone, &set.name)
        {
            continue;
        }
        let mut candidate =
            start(world, zone, set, Kind::DanglingRecord, Reason::IpNotOurs, Impact::Security);
        candidate.evidence = addresses.iter().map(|ip| format!("{ip} is in no inventory")).collect();
        candidate.summary = format!(
            "{} points at an address that is not ours; whoever holds it can speak for the name.",
            set.key()
        );
        candidate.key.instance = owner;
        candidate.window = grace_of(world, zone, set);
        candidate.fix = dangling_removal(world, zone, set);
        out.push(candidate);
    }
}

/// The instance that owns a record, if it is one of ours.
fn owner_of(world: &World<'_>, zone: &ZoneReading, set: &RecordSet) -> Option<Arc<str>> {
    owner_in(world, zone, set).map(|one| Arc::clone(&one.instance.id))
}

/// That instance. What a filter has taken from it since is its own still, and nobody else deletes it.
fn owner_in<'a>(world: &World<'a>, zone: &ZoneReading, set: &RecordSet) -> Option<&'a InstanceWants> {
    let owners = || world.wants.iter().filter(|one| is_owned_by(one, zone, set));
    owners().find(|one| one.zones.contains(&zone.zone.id)).or_else(|| owners().next())
}

/// A left-over that the policy of a running instance keeps is never dangling.
fn policy_keeps(world: &World<'_>, zone: &ZoneReading, name: &DomainName) -> bool {
    world.wants.iter().filter(|one| one.instance.flags.policy != Allowed::Sync).any(|one| {
        zone.records().iter().filter(|set| set.record_type == RecordType::Txt).any(|txt| {
            let ours = matches!(TxtRole::of(txt), TxtRole::Heritage(heritage)
                if heritage.owner == Some(&one.instance.flags.owner_id));
            ours && one.instance.owner_name(&txt.name).is_some_and(|(owned, _)| owned == *name)
        })
    })
}
