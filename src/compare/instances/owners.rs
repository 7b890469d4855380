//! An instance whose owner id or TXT affixes no longer fit the ownership that is recorded, or that
//! writes the names of another one. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::compare::fix::{edit, takeover};
use crate::compare::instances::stalled::is_idle;
use crate::compare::instances::start;
use crate::compare::owner::{Ownership, heritages, ownership};
use crate::compare::verdict::Candidate;
use crate::compare::world::World;
use crate::desired::merge::is_same;
use crate::desired::placement::takes;
use crate::finding::{Impact, Kind, Reason};
use crate::model::change::{Action, ChangeEventKind};
use crate::model::heritage::TxtRole;
use crate::model::instance::{Policy as Allowed, Registry};
use crate::model::record::RecordSet;
use crate::model::record::{RecordKey, RecordType};
use crate::model::table::Table;
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef, ZoneId};
use crate::report::Fix;
use crate::snapshot::ViewName;

/// Names that must agree where no earlier round shows the former id: another cluster may be made
/// of the same manifests.
const ENOUGH_NAMES: usize = 2;

/// How long a record that went counts against whoever may have deleted it.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// Everything that the instance wants and that is recorded belongs to one other id, made for the
/// very same objects.
pub(super) fn owner_id_changed(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let mut owners: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut names: BTreeSet<&DomainName> = BTreeSet::new();
    for (want, zone) in recorded(world, wants) {
        match &world.title(wants, want, zone).ownership {
            // A neighbour in this cluster publishes the same name: that says nothing about our id.
            Ownership::Foreign(owner) if world.wants.iter().any(|other| other.instance.id == *owner) => {}
            Ownership::Foreign(owner) if made_for(wants, want, zone) => {
                owners.insert(Arc::clone(owner));
                names.insert(&want.name);
            }
            Ownership::Missing => {}
            Ownership::Own | Ownership::Foreign(_) | Ownership::Conflict(_) | Ownership::Unknown => {
                return None;
            }
        }
    }
    let former = owners.pop_first().filter(|_| owners.is_empty())?;
    let was_ours = world.has_wished(&former);
    if !was_ours && names.len() < ENOUGH_NAMES {
        return None;
    }
    let id = &wants.instance.id;
    let mut candidate = change(world, wants, Reason::OwnerIdChanged);
    candidate.evidence = names.iter().map(|name| format!("{name} belongs to {former}")).collect();
    candidate.summary = format!(
        "All {} recorded names of ExternalDNS {id} belong to the owner id {former}; it will neither update nor delete them.",
        names.len()
    );
    candidate.fix = Fix { summary: takeover::back_or_over(&wants.instance, &former), ..Fix::default() };
    Some(candidate)
}

/// The ownership of the wanted names stands under another prefix or suffix.
pub(super) fn txt_affix_changed(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let mut found: Vec<String> = Vec::new();
    let mut is_in_use = false;
    for (want, zone) in recorded(world, wants) {
        match &world.title(wants, want, zone).ownership {
            Ownership::Missing => found.extend(elsewhere(world, wants, want, zone)),
            // Names that came later carry the new affixes.
            Ownership::Own => is_in_use = true,
            Ownership::Foreign(_) | Ownership::Conflict(_) | Ownership::Unknown => {}
        }
    }
    if found.is_empty() {
        return None;
    }
    found.sort();
    found.dedup();
    let mut candidate = change(world, wants, Reason::TxtAffixChanged);
    let which = if is_in_use { "Some ownership records" } else { "The ownership records" };
    candidate.summary = format!(
        "{which} of ExternalDNS {} stand under another --txt-prefix or --txt-suffix; their records count as nobody's.",
        wants.instance.id
    );
    candidate.evidence = found;
    // The former affix would make nobody's what carries the one in force.
    let summary = if is_in_use {
        "Keep the affix in force and write the missing ownership TXTs under it, as the findings of these names show."
    } else {
        "Start it with the former --txt-prefix or --txt-suffix."
    };
    candidate.fix = Fix { summary: summary.to_owned(), ..Fix::default() };
    Some(candidate)
}

/// Two instances of this cluster write the same records. The one that owns less of them is told.
pub(super) fn overlapping_instances(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    both_write(world, wants).or_else(|| each_deletes(world, wants))
}

/// Under one owner id each deletes what only the other wants; once may have been a person.
fn each_deletes(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let (other, undone) = twins(world, wants)
        .map(|other| (other, undone(world, wants, other)))
        .find(|(_, undone)| 1 < undone.len())?;
    let name = |one: &InstanceWants| match &one.instance.workload {
        Some(workload) => workload.to_string(),
        None => one.instance.id.to_string(),
    };
    let mut candidate = change(world, wants, Reason::OverlappingInstances);
    let went = undone.iter().take(5);
    candidate.evidence =
        went.map(|(key, at)| format!("{key} went at {at}, while one of both wanted it")).collect();
    if other.instance.flags.registry == Registry::Noop {
        candidate.summary =
            format!("{} has no registry and deletes the records of {}.", name(other), name(wants));
        // Whoever changes the owner id of the victim makes its records foreign, and they go all the same.
        candidate.fix = Fix {
            summary: format!(
                "Give {} a registry (--registry=txt with a --txt-owner-id of its own), a filter of its own, or --policy=upsert-only.",
                name(other)
            ),
            commands: other.instance.workload.iter().map(edit).collect(),
            ..Fix::default()
        };
        return Some(candidate);
    }
    candidate.summary = format!(
        "{} and {} share the owner id {}: each deletes the records of the other.",
        name(wants),
        name(other),
        wants.instance.flags.owner_id
    );
    candidate.fix = Fix {
        summary: format!(
            "Let one serve all, or keep them apart. {}",
            takeover::apart(&wants.instance, "each")
        ),
        ..Fix::default()
    };
    Some(candidate)
}

/// Other instances that delete under the same owner id and see the same ownership, where this one does, too;
/// and those without a registry, which delete whatever they do not want. Who stands still deletes nothing.
fn twins<'a>(world: &World<'a>, wants: &InstanceWants) -> impl Iterator<Item = &'a InstanceWants> {
    let deletes = |one: &InstanceWants, registry: Registry| {
        let flags = &one.instance.flags;
        flags.policy == Allowed::Sync && flags.registry == registry && !is_idle(&one.instance)
    };
    world.wants.iter().filter(move |other| {
        let is_alike = || {
            other.instance.id == wants.instance.id
                && other.instance.flags.affixes == wants.instance.flags.affixes
                && [other, wants].into_iter().all(|one| deletes(one, Registry::Txt))
        };
        are_two(other, wants) && (deletes(other, Registry::Noop) || is_alike())
    })
}

/// True for two instances, in one Pod or in two.
fn are_two(one: &InstanceWants, other: &InstanceWants) -> bool {
    let place = |of: &InstanceWants| (of.instance.workload.clone(), Arc::clone(&of.instance.container));
    place(one) != place(other)
}

/// True if another instance with the same owner id deletes the record, which it does not want.
pub(in crate::compare) fn is_deleted_by_twin(world: &World<'_>, wants: &InstanceWants, want: &Want) -> bool {
    let mut twins = twins(world, wants).peekable();
    twins.peek().is_some() && {
        let deleted = deletions(world);
        twins.any(|twin| !went(world, &deleted, (wants, twin), want).is_empty())
    }
}

/// Records that only one of two wants, and when they went.
fn undone(
    world: &World<'_>,
    wants: &InstanceWants,
    other: &InstanceWants,
) -> BTreeSet<(RecordKey, Timestamp)> {
    let deleted = deletions(world);
    let sides = [(wants, other), (other, wants)].into_iter();
    let all = sides.flat_map(|(one, twin)| one.wants.iter().map(move |want| (one, twin, want)));
    all.flat_map(|(one, twin, want)| {
        went(world, &deleted, (one, twin), want).into_iter().map(|at| (want.key(), at))
    })
    .collect()
}

/// When a record that only the first of two wants went within the hour, although it wanted it then: as it
/// was seen, or as the feed tells.
fn went(
    world: &World<'_>,
    deleted: &Deletions<'_>,
    (one, twin): (&InstanceWants, &InstanceWants),
    want: &Want,
) -> Vec<Timestamp> {
    let zone = want.zone_id().filter(|id| twin.zones.contains(id) && twin.at(&want.name).is_empty());
    // What its filters and types leave to others it never deletes.
    let flags = &twin.instance.flags;
    let zone = zone.filter(|_| {
        flags.managed_types.contains(&want.record_type) && takes(&want.name, &twin.instance, None)
    });
    let seen = world.past.names.wish(&one.instance.id, want).first().map(|first| first.since);
    let told = want.changed_at.max(want.status_changed_at);
    let Some((zone, wished)) = zone.zip(told.into_iter().chain(seen).min()) else { return Vec::new() };
    let held = world.past.names.record(zone, want).iter().skip(1);
    let went = held.filter(|one| one.value.is_none()).map(|one| one.since);
    let told = deleted.get(&(&want.name, &want.record_type)).into_iter().flatten().copied();
    let counts = |at: &Timestamp| wished < *at && world.at().duration_since(*at) < LATELY;
    // One deletion may be seen by us and told by the feed, at another time each.
    let (went, told): (Vec<_>, Vec<_>) = (went.filter(counts).collect(), told.filter(counts).collect());
    if went.len() < told.len() { told } else { went }
}

/// Deletions by name and type.
type Deletions<'a> = BTreeMap<(&'a DomainName, &'a RecordType), Vec<Timestamp>>;

/// When each record was deleted, as the feed tells.
fn deletions<'a>(world: &World<'a>) -> Deletions<'a> {
    let mut all = Deletions::new();
    for event in world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events) {
        let ChangeEventKind::Applied(batch) = &event.kind else { continue };
        for change in batch.changes.iter().filter(|change| change.action == Action::Delete) {
            all.entry((&change.name, &change.record_type)).or_default().push(event.at);
        }
    }
    all
}

fn both_write(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let (other, shared) = world
        .wants
        .iter()
        .filter(|other| are_two(other, wants))
        .map(|other| (other, common_keys(wants, other)))
        .find(|(other, shared)| !shared.is_empty() && yields(world, wants, other, shared))?;
    let mut candidate = change(world, wants, Reason::OverlappingInstances);
    candidate.evidence = shared.iter().take(5).map(|(key, _)| format!("both write {key}")).collect();
    candidate.summary = format!(
        "ExternalDNS {} and {} write the same {} records.",
        wants.instance.id,
        other.instance.id,
        shared.len()
    );
    candidate.fix = Fix {
        summary: "Let each take other objects or names (--namespace, --annotation-filter, --domain-filter)."
            .to_owned(),
        ..Fix::default()
    };
    Some(candidate)
}

/// True if both really write, and `wants` is the one to tell. Where one owns all of the common
/// records the other is only kept from writing, which hurts nobody while they agree.
fn yields(
    world: &World<'_>,
    wants: &InstanceWants,
    other: &InstanceWants,
    shared: &BTreeSet<(RecordKey, &ZoneId)>,
) -> bool {
    let common = |one: &InstanceWants| -> Vec<Want> {
        let is_shared = |want: &&Want| want.zone_id().is_some_and(|id| shared.contains(&(want.key(), id)));
        one.wants.iter().filter(is_shared).cloned().collect()
    };
    let owned = |one: &InstanceWants| {
        let of_zone = |want: &&Want| {
            let zone = want.zone_id().and_then(|id| world.zone(id));
            zone.is_some_and(|zone| ownership(&one.instance, want, zone) == Ownership::Own)
        };
        common(one).iter().filter(of_zone).count()
    };
    let (mine, theirs) = (owned(wants), owned(other));
    if wants.instance.id == other.instance.id {
        // One id: what the one does not want, or wants otherwise, it takes away from the other.
        let contents =
            |one: &InstanceWants| common(one).into_iter().map(|want| want.content).collect::<Vec<_>>();
        return keys(wants) != keys(other) || contents(wants) != contents(other);
    }
    let tells_me = (mine, &other.instance.id) < (theirs, &wants.instance.id);
    0 < mine && 0 < theirs && tells_me
}

/// The records that both want.
fn common_keys<'a>(wants: &InstanceWants, other: &'a InstanceWants) -> BTreeSet<(RecordKey, &'a ZoneId)> {
    let both = other.wants.iter().filter_map(|want| {
        let (key, zone) = (want.key(), want.zone_id()?);
        let twin = |mine: &Want| mine.is(&key) && mine.zone_id() == Some(zone);
        wants.at(&want.name).iter().any(twin).then_some((key, zone))
    });
    both.collect()
}

fn keys(wants: &InstanceWants) -> BTreeSet<(RecordKey, &ZoneId)> {
    wants.wants.iter().filter_map(|want| Some((want.key(), want.zone_id()?))).collect()
}

fn change(world: &World<'_>, wants: &InstanceWants, reason: Reason) -> Candidate {
    let mut candidate = start(world, wants, Kind::ControllerMisconfigured, reason, Impact::Latent);
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    candidate
}

/// The wants under whose name something stands.
fn recorded<'a>(
    world: &'a World<'a>,
    wants: &'a InstanceWants,
) -> impl Iterator<Item = (&'a Want, &'a ZoneReading)> {
    wants.wants.iter().filter_map(|want| {
        let zone = want.zone_id().and_then(|id| world.zone(id))?;
        let here = world.here(wants, want, zone);
        here.iter().any(|set| set.record_type == want.record_type).then_some((want, zone))
    })
}

/// The ownership record names one of the objects behind the wish.
fn made_for(wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> bool {
    heritages(&wants.instance, want, zone).iter().any(|heritage| {
        heritage.object().is_some_and(|held| want.objects.iter().any(|object| is_same(&held, object)))
    })
}

/// True if the name of a TXT could be made of the name with some prefix or suffix.
fn looks_related(txt: &DomainName, name: &DomainName) -> bool {
    let text = name.as_str();
    let (label, rest) = text.split_once('.').unwrap_or((text, ""));
    let (first, tail) = txt.as_str().split_once('.').unwrap_or((txt.as_str(), ""));
    txt.as_str().ends_with(text) || tail == rest && (label == "*" || first.contains(label))
}

/// Records that stand as wanted and that nobody owns under the affixes of the instance, by the objects that
/// want them.
pub(in crate::compare) struct Unowned<'a>(Table<(&'a str, &'a str), Vec<(&'a Want, &'a ZoneId)>>);

impl<'a> Unowned<'a> {
    pub(in crate::compare) fn of(world: &'a World<'_>, wants: &'a InstanceWants) -> Self {
        let mut by_object: Table<(&str, &str), Vec<(&Want, &ZoneId)>> = Table::default();
        for (want, zone) in recorded(world, wants) {
            if world.title(wants, want, zone).ownership == Ownership::Missing {
                for object in &want.objects {
                    let rows = by_object.entry((&object.namespace, &object.name)).or_default();
                    rows.push((want, &zone.zone.id));
                }
            }
        }
        Self(by_object)
    }

    /// True if the TXT is the ownership of one of them under another prefix or suffix.
    pub(in crate::compare) fn owned_by(&self, txt: &DomainName, zone: &ZoneId, object: &ObjectRef) -> bool {
        let rows = self.0.get(&(&*object.namespace, &*object.name)).map(Vec::as_slice).unwrap_or_default();
        rows.iter().any(|(want, id)| {
            *id == zone
                && looks_related(txt, &want.name)
                && want.objects.iter().any(|one| is_same(object, one))
        })
    }
}

/// True for the ownership of a sibling: the same object may have several hosts, or have had them.
pub(in crate::compare) fn is_of_sibling(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    txt: &DomainName,
) -> bool {
    wants.instance.owner_name(txt).is_some_and(|(name, _)| {
        !wants.at(&name).is_empty()
            || !world.wished(&name).is_empty()
            || zone.at(&name).iter().any(|one| one.record_type.is_address())
    })
}

/// Ownership records of this instance for the wish under names that its affixes do not give.
fn elsewhere(world: &World<'_>, wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> Vec<String> {
    // Under the name itself stands that of the old format, whatever it is read as: `srv-app` is no SRV of `app`. With an
    // affix nobody looks there.
    let affixes = &wants.instance.flags.affixes;
    let has_affix = !affixes.prefix.is_empty() || !affixes.suffix.is_empty();
    let is_other = |set: &&RecordSet| {
        set.record_type == RecordType::Txt
            && (has_affix || set.name != want.name)
            && looks_related(&set.name, &want.name)
    };
    let sets = zone.records().iter().filter(is_other);
    sets.filter(|set| match TxtRole::of(set) {
        TxtRole::Heritage(heritage) => {
            heritage.owner == Some(&wants.instance.flags.owner_id)
                && heritage
                    .object()
                    .is_some_and(|held| want.objects.iter().any(|object| is_same(&held, object)))
        }
        TxtRole::Encrypted | TxtRole::Other => false,
    })
    .filter(|set| !is_of_sibling(world, wants, zone, &set.name))
    .map(|set| format!("the ownership of {} stands at {}", want.name, set.name))
    .collect()
}
