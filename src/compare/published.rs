//! What the feed tells of records that an instance took away before anybody looked. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::compare::instances::wrote;
use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::desired::merge::is_same;
use crate::model::change::{Action, AppliedBatch, ChangeEventKind, FeedSource};
use crate::model::want::{InstanceWants, WithoutTarget};
use crate::model::{DomainName, Heritage, ObjectRef, RecordType};

/// The latest deletion of each name by one instance, and the object that the name was published for, where the
/// feed tells it.
#[derive(Debug, Default)]
pub struct Deletions {
    by_name: BTreeMap<DomainName, (Timestamp, Option<ObjectRef>)>,
    /// A loop comes later than the object that it finds: what it takes away then is that of the former one.
    late: SignedDuration,
}

// === impl Deletions ===

impl Deletions {
    /// Reads the feed. Whose a call in CloudTrail was its ownership records tell.
    #[must_use]
    pub fn of(world: &World<'_>, wants: &InstanceWants) -> Self {
        let late = signed(wants.instance.sync_window(1, world.policy.sync_floor));
        let mut found = Self { late, ..Self::default() };
        for event in world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events) {
            let ChangeEventKind::Applied(batch) = &event.kind else { continue };
            match event.source {
                FeedSource::Log { .. } if wrote(wants, &event.source) => {
                    for change in batch.changes.iter().filter(|change| change.action == Action::Delete) {
                        if change.record_type.is_address() {
                            found.by_name.insert(change.name.clone(), (event.at, None));
                        }
                    }
                }
                FeedSource::CloudTrail { .. } => {
                    for (name, object) in owned(batch, wants) {
                        found.by_name.insert(name, (event.at, Some(object)));
                    }
                }
                FeedSource::Log { .. } => {}
            }
        }
        found
    }

    /// When a host of the object was taken away while there was this object.
    pub fn hosts<'a>(
        &'a self,
        object: &'a WithoutTarget,
    ) -> impl Iterator<Item = (&'a DomainName, Timestamp)> {
        object.names.iter().filter_map(|name| {
            let (at, held) = self.by_name.get(name)?;
            let is_its_own = held.as_ref().is_none_or(|held| is_same(held, &object.object));
            let was_there = object.created_at.is_none_or(|created| self.late < at.duration_since(created));
            (is_its_own && was_there).then_some((name, *at))
        })
    }
}

/// The names whose ownership by the instance a call took away, and their objects.
fn owned(batch: &AppliedBatch, wants: &InstanceWants) -> Vec<(DomainName, ObjectRef)> {
    let flags = &wants.instance.flags;
    let texts = batch
        .changes
        .iter()
        .filter(|change| change.action == Action::Delete && change.record_type == RecordType::Txt);
    let told = texts.filter_map(|change| {
        let heritage = change.targets.iter().find_map(|value| Heritage::parse(value))?;
        let is_ours = heritage.owner.is_some_and(|owner| flags.owns(owner));
        let (name, _) = wants.instance.owner_name(&change.name).filter(|_| is_ours)?;
        Some((name, heritage.object()?))
    });
    told.collect()
}
