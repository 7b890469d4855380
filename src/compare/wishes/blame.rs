//! Where the fault of a record comes from: who owns what stands in the way, who changed it last, what the
//! instance says itself. Pure.
//!
//! Source: findings.md section 2.1.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use crate::compare::causes::by_version;
use crate::compare::feed::{key_of, spelled};
use crate::compare::instances::gauges::{FailingLoops, failing_loops, own_metrics};
use crate::compare::instances::owners::is_deleted_by_twin;
use crate::compare::ladder::Step;
use crate::compare::owner::{Ownership, has_heritage, is_free, ownership, speaks_for_another};
use crate::compare::wishes::Context;
use crate::compare::world::World;
use crate::finding::{Cause, Kind, Reason};
use crate::model::change::{
    Action, AppliedBatch, AttemptedChange, ChangeEvent, ChangeEventKind, FeedSource, SkipReason,
};
use crate::model::heritage::TxtRole;
use crate::model::instance::Policy as Allowed;
use crate::model::record::{RecordSet, RecordType};
use crate::model::want::{InstanceWants, Want};
use crate::model::{Content, Version};
use crate::past::Sighting;

/// From this release an ownership record that stands there is no obstacle. Source:
/// kubernetes-sigs/external-dns#6617.
const ADOPTS_TXT: Version = Version::new(0, 19, 0);

/// In these releases a record of another type at the name keeps nothing from being created. Source:
/// kubernetes-sigs/external-dns:plan/plan.go (`planKey`, later the owners of all types at a name).
const PLANS_EACH_TYPE: Range<Version> = Version::new(0, 13, 5)..Version::new(0, 14, 0);

/// Before this release the ownership of a name spoke for its A and its CNAME, whatever type it was written for.
/// Source: kubernetes-sigs/external-dns:registry/txt.go (`Records`, the keys of `labelMap`).
const READS_TYPES: Version = Version::new(0, 13, 6);

impl Context<'_> {
    pub(super) fn cause(&self, step: &Step) -> Option<Cause> {
        // The role of another instance may be a stranger to the feed.
        let by_twin =
            step.kind == Kind::MissingRecord && is_deleted_by_twin(self.world, self.wants, self.want);
        if by_twin {
            return Some(Cause::ControllerMisconfigured(Reason::OverlappingInstances));
        }
        if self.changed_by_hand().is_some() {
            return Some(Cause::ManualChange);
        }
        if let Some(cause) = self.owner_cause() {
            return Some(cause);
        }
        if self.policy_forbids(step) {
            return Some(Cause::Policy);
        }
        if let Some(cause) = by_version(&self.wants.instance, self.want, None) {
            return Some(cause);
        }
        if self.zone.zone.limit.is_some_and(|limit| limit.limit <= limit.count)
            && step.kind == Kind::MissingRecord
        {
            return Some(Cause::ZoneQuota);
        }
        if self.failing_loops().is_some() {
            return Some(Cause::ControllerFailing);
        }
        is_heard(self.world, self.wants).then_some(Cause::UnknownSilent)
    }

    /// What the metrics of the instance tell of its loops, where no feed tells more.
    pub(super) fn failing_loops(&self) -> Option<FailingLoops> {
        failing_loops(self.world, self.wants)
    }

    pub(super) fn owner_cause(&self) -> Option<Cause> {
        let owners: Vec<Ownership> = self.in_the_way().into_iter().map(|set| self.owner_of(set)).collect();
        if owners.iter().any(|owner| matches!(owner, Ownership::Foreign(_))) {
            return Some(Cause::OwnerForeign);
        }
        if owners.contains(&Ownership::Missing) {
            return Some(Cause::OwnerMissing);
        }
        // Since then a new record takes over the ownership record that it finds.
        let heeds = self.wants.instance.effective_version() < ADOPTS_TXT;
        // A sibling of another identifier blocks nothing, and neither does what it leaves open.
        let is_blocked = heeds
            && is_free(self.want, self.zone)
            && has_heritage(&self.wants.instance, self.want, self.zone)
            && !speaks_for_another(self.wants, self.want, self.zone);
        is_blocked.then_some(Cause::OwnerOrphan)
    }

    /// The record that the wish would change; else those beside which ExternalDNS or Route 53 creates none:
    /// others of the same name and identifier, and simple ones beside routed ones.
    fn in_the_way(&self) -> Vec<&RecordSet> {
        let here = self.zone.at(&self.want.name);
        if let Some(own) = here.iter().find(|set| self.want.is(&set.key())) {
            return vec![own];
        }
        let wanted = self.want.set_identifier.as_ref();
        let flags = &self.wants.instance.flags;
        let by_type = PLANS_EACH_TYPE.contains(&self.wants.instance.effective_version());
        let blocks = |set: &&RecordSet| {
            let held = set.set_identifier.as_ref();
            // A CNAME stands alone, whatever the identifiers, and beside no other type.
            let is_cname = self.want.record_type == RecordType::Cname;
            let excludes = (set.record_type == RecordType::Cname) != is_cname;
            let is_address = set.record_type.is_address();
            // What is not managed is not in the plan, and some plans look at one type at a time.
            let is_planned = flags.managed_types.contains(&set.record_type)
                && (!by_type || set.record_type == self.want.record_type);
            let of_addresses =
                is_planned && is_address && (held == wanted || held.is_none() != wanted.is_none());
            of_addresses || excludes && (is_address || is_cname && TxtRole::of(set) == TxtRole::Other)
        };
        here.iter().filter(blocks).collect()
    }

    /// Who owns a record at the name. To old releases what is ours under any type is ours.
    ///
    /// Where the instance sees no ownership another one of the cluster may, under its own prefix or suffix.
    fn owner_of(&self, set: &RecordSet) -> Ownership {
        let owner = |record_type: &RecordType| self.owner_by(self.wants, record_type, set);
        let reads_names = self.wants.instance.effective_version() < READS_TYPES;
        let kinds = [RecordType::A, RecordType::Cname];
        match owner(&set.record_type) {
            Ownership::Missing
                if reads_names
                    && kinds.contains(&set.record_type)
                    && kinds.iter().any(|record_type| owner(record_type) == Ownership::Own) =>
            {
                Ownership::Own
            }
            Ownership::Missing => {
                let others = self.world.wants.iter().filter(|other| {
                    other.instance.id != self.wants.instance.id && other.zones.contains(&self.zone.zone.id)
                });
                let mut owners = others
                    .filter(|other| self.owner_by(other, &set.record_type, set) == Ownership::Own)
                    .map(|other| Arc::<str>::from(other.instance.flags.owner_id.as_str()));
                owners.next().map_or(Ownership::Missing, Ownership::Foreign)
            }
            owner => owner,
        }
    }

    /// Who owns a record as the given instance reads it, under the names of the type.
    fn owner_by(&self, wants: &InstanceWants, record_type: &RecordType, set: &RecordSet) -> Ownership {
        let set_identifier = set.set_identifier.clone();
        let wish = Want { record_type: record_type.clone(), set_identifier, ..self.want.clone() };
        ownership(&wants.instance, &wish, self.zone)
    }

    pub(super) fn policy_forbids(&self, step: &Step) -> bool {
        match self.wants.instance.flags.policy {
            Allowed::Sync | Allowed::Missing => false,
            // A change of type, of alias-ness to a CNAME or of the set begins with a deletion.
            Allowed::UpsertOnly => {
                step.kind == Kind::WrongType
                    || step.reason == Reason::AliasExpectedCname
                    || matches!(step.reason, Reason::PolicyMissing | Reason::PolicyUnwanted)
            }
            // Another identifier is another record.
            Allowed::CreateOnly => step.kind != Kind::MissingRecord && step.reason != Reason::SetIdentifier,
        }
    }

    /// The feed shows a successful change of this record by somebody who is not the controller.
    fn changed_by_hand(&self) -> Option<&ChangeEvent> {
        let feed = self.world.snapshot.changes.value()?;
        let controllers = self.world.writers();
        let last = feed.events.iter().rev().find(|event| match &event.kind {
            ChangeEventKind::Applied(batch) => {
                matches!(event.source, FeedSource::CloudTrail { .. })
                    && batch.zone_id.as_ref().is_none_or(|id| *id == self.zone.zone.id)
                    && batch.changes.iter().any(|change| self.touches(change))
            }
            _ => false,
        });
        last.filter(|event| match (&event.source, &event.kind) {
            (FeedSource::CloudTrail { principal, .. }, ChangeEventKind::Applied(batch)) => {
                let own = batch.changes.iter().filter(|change| self.touches(change));
                let counts =
                    |change: &AttemptedChange| self.stands(change) && self.was_against(change, event.at);
                !controllers.contains(principal) && own.into_iter().any(counts)
            }
            _ => false,
        })
    }

    /// True if a change is about the wanted record or one that would stand in its way.
    fn touches(&self, change: &AttemptedChange) -> bool {
        let kind = &change.record_type;
        let same_type = *kind == self.want.record_type
            || kind.is_address()
                && (*kind == RecordType::Cname || self.want.record_type == RecordType::Cname);
        let other_member = match (&change.set_identifier, &self.want.set_identifier) {
            (Some(changed), Some(wanted)) => changed != wanted,
            (None, _) | (_, None) => false,
        };
        change.name == self.want.name && same_type && !other_member
    }

    /// True if the zone is now as the change left it: whatever came later, this made the difference.
    fn stands(&self, change: &AttemptedChange) -> bool {
        let here = self.zone.at(&self.want.name).iter();
        let mut held = here.filter(|set| {
            let same_member = change.set_identifier.is_none() || set.set_identifier == change.set_identifier;
            set.record_type == change.record_type && same_member
        });
        let told: BTreeSet<String> = change.targets.iter().map(|target| spelled(target)).collect();
        match change.action {
            Action::Delete => held.next().is_none(),
            Action::Create | Action::Upsert => held.any(|set| {
                let targets: BTreeSet<String> =
                    set.content.targets().iter().map(|one| spelled(one)).collect();
                told.is_empty() || told == targets
            }),
        }
    }

    /// True if the change went against what was wanted then: a record that is taken away before anybody wants
    /// it, and the address of that day, are no fault of whoever wrote them.
    fn was_against(&self, change: &AttemptedChange, at: Timestamp) -> bool {
        match change.action {
            Action::Delete => self.want.created_at.is_none_or(|created| created < at),
            Action::Create | Action::Upsert => {
                let told: BTreeSet<String> = change.targets.iter().map(|target| spelled(target)).collect();
                let sightings = self.world.past.names.wish(&self.wants.instance.id, self.want);
                let ends = sightings.iter().skip(1).map(|next| Some(next.since)).chain([None]);
                let mut then = sightings.iter().zip(ends).filter(|(_, end)| end.is_none_or(|end| at < end));
                // Another TTL is written with the same targets.
                let now: BTreeSet<String> =
                    self.want.content.targets().iter().map(|one| spelled(one)).collect();
                if told == now {
                    return true;
                }
                if self.was_before_wish(at) {
                    return false;
                }
                // What was wanted then, or when we first looked.
                let wished = then.next().map(|(one, _)| one.value.targets());
                let wished: Option<BTreeSet<String>> =
                    wished.map(|targets| targets.iter().map(|one| spelled(one)).collect());
                told.is_empty() || wished.is_none_or(|wished| wished != told)
            }
        }
    }

    /// The wish changed after that time, and before we first looked: nobody knows what was wanted then.
    fn was_before_wish(&self, at: Timestamp) -> bool {
        let sightings = self.world.past.names.wish(&self.wants.instance.id, self.want);
        is_unknown_at(self.wants, self.want, sightings, at)
    }

    /// The instance says that it leaves the name alone, for the sake of its owner.
    pub(super) fn was_left_alone(&self) -> bool {
        let mut events = self.world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
        events.any(|event| match &event.kind {
            ChangeEventKind::Skipped { name, why: SkipReason::Owner { .. }, .. } => *name == self.want.name,
            _ => false,
        })
    }

    /// Who changed it, with what and from where.
    pub(super) fn caller(&self) -> Option<String> {
        let event = self.changed_by_hand()?;
        let FeedSource::CloudTrail { principal, .. } = &event.source else { return None };
        let ChangeEventKind::Applied(AppliedBatch { caller, .. }) = &event.kind else { return None };
        let caller = caller.as_deref().cloned().unwrap_or_default();
        let part =
            |word: &str, text: &str| if text.is_empty() { String::new() } else { format!(" {word} {text}") };
        let session = Some(&*caller.session).filter(|session| **session != **principal).unwrap_or_default();
        Some(format!(
            "changed at {} by {principal}{}{}{}",
            event.at,
            part("as", session),
            part("with", &caller.user_agent),
            part("from", &caller.source)
        ))
    }
}

/// True if what went wrong with the instance would have been told: its own log or metrics were read, one that no
/// instance is known to write, or CloudTrail. The log of another instance tells nothing of this one.
pub(in crate::compare) fn is_heard(world: &World<'_>, wants: &InstanceWants) -> bool {
    let Some(feed) = world.snapshot.changes.value().filter(|_| world.snapshot.changes.is_whole()) else {
        return false;
    };
    let by_others = |source: &FeedSource| {
        !wants.instance.wrote(source) && world.wants.iter().any(|other| other.instance.wrote(source))
    };
    let is_trail = |event: &ChangeEvent| matches!(event.source, FeedSource::CloudTrail { .. });
    // A trail without events leaves nothing behind but that something was read.
    feed.streams.is_empty() && feed.controllers.is_empty()
        || feed.streams.iter().any(|stream| !by_others(&stream.source))
        || own_metrics(world, wants).next().is_some()
        || feed.events.iter().any(is_trail)
}

/// Principals that write ownership records: those are the controllers. Whoever only takes them away tidies up.
pub(crate) fn controller_principals(world: &World<'_>) -> BTreeSet<Arc<str>> {
    let events = world.snapshot.changes.value().map(|feed| feed.events.as_slice()).unwrap_or_default();
    let writes_heritage = |changes: &[AttemptedChange]| {
        changes.iter().any(|change| {
            change.record_type == RecordType::Txt
                && change.action != Action::Delete
                && change.targets.iter().any(|value| crate::model::Heritage::parse(value).is_some())
        })
    };
    events
        .iter()
        .filter_map(|event| {
            let heritage = match &event.kind {
                ChangeEventKind::Applied(batch) => writes_heritage(&batch.changes),
                ChangeEventKind::Refused(batch) => writes_heritage(&batch.attempted),
                _ => false,
            };
            match &event.source {
                FeedSource::CloudTrail { principal, .. } if heritage => Some(principal.clone()),
                _ => None,
            }
        })
        .collect()
}

/// Principals that need not be people: the controllers, and whoever writes what an instance wants or has
/// wanted, where ownership is not kept in readable TXT records and no call tells who writes for it.
pub(crate) fn writers(world: &World<'_>) -> BTreeSet<Arc<str>> {
    let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
    let controllers = controller_principals(world);
    let mut strangers: BTreeSet<Arc<str>> = BTreeSet::new();
    let silent: Vec<&InstanceWants> =
        world.wants.iter().filter(|one| !one.instance.flags.shows_ownership()).collect();
    if silent.is_empty() {
        return controllers;
    }
    for event in world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events) {
        let (FeedSource::CloudTrail { principal, .. }, ChangeEventKind::Applied(batch)) =
            (&event.source, &event.kind)
        else {
            continue;
        };
        for (one, change) in
            silent.iter().flat_map(|one| batch.changes.iter().map(move |change| (one, change)))
        {
            match was_wished(world, one, change, event.at) {
                Some(true) => known.insert(Arc::clone(principal)),
                Some(false) => strangers.insert(Arc::clone(principal)),
                None => false,
            };
        }
    }
    // Who writes what nobody ever wanted there is no controller, whatever else it sets right.
    known.retain(|principal| !strangers.contains(principal));
    known.extend(controllers);
    known
}

/// True if the wish changed after that time and before the first round with it.
fn is_unknown_at(wants: &InstanceWants, want: &Want, sightings: &[Sighting<Content>], at: Timestamp) -> bool {
    let touched = want.changed_at.max(want.status_changed_at).max(wants.instance.changed_at);
    let first = sightings.first().map(|first| first.since);
    touched.zip(first).is_some_and(|(touched, first)| at < touched && touched <= first)
}

/// True if the change writes what the instance wants for the record, or has wanted; `None` where it never wanted
/// any or nobody knows what it wanted then, or the trail does not tell the value.
fn was_wished(
    world: &World<'_>,
    wants: &InstanceWants,
    change: &AttemptedChange,
    at: Timestamp,
) -> Option<bool> {
    let told: BTreeSet<String> = change.targets.iter().map(|target| spelled(target)).collect();
    let key = key_of(change);
    let is_told = |content: &Content| {
        told == content.targets().iter().map(|one| spelled(one)).collect::<BTreeSet<String>>()
    };
    let wished = world.past.names.wish(&wants.instance.id, &key);
    let wanted = || wants.at(&change.name).iter().filter(|want| want.is(&key));
    let contents = wished.iter().map(|one| &one.value).chain(wanted().map(|want| &want.content));
    let mut contents = contents.peekable();
    let tells = change.action != Action::Delete && !told.is_empty() && contents.peek().is_some();
    let is_unknown = || wanted().any(|want| is_unknown_at(wants, want, wished, at));
    tells.then(|| contents.any(is_told)).filter(|was| *was || !is_unknown())
}
