//! When the feed tells that a record was last written: after a restart nothing else does. Pure.
//!
//! Source: findings.md section 2.4, a lower bound from the feed.

use std::sync::Arc;

use jiff::Timestamp;

use crate::compare::world::World;
use crate::model::change::ChangeEventKind;
use crate::model::table::Table;
use crate::model::{DomainName, RecordKey, RecordType, ZoneId};

/// The latest writes of each name that the feed tells.
#[derive(Debug, Default)]
pub struct Writes(Table<DomainName, Vec<Write>>);

#[derive(Debug)]
struct Write {
    at: Timestamp,
    /// `None` where a log does not tell it.
    zone: Option<ZoneId>,
    record_type: RecordType,
    set_identifier: Option<Arc<str>>,
}

// === impl Writes ===

impl Writes {
    /// Reads the feed.
    #[must_use]
    pub fn of(world: &World<'_>) -> Self {
        let mut found = Self::default();
        for event in world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events) {
            let ChangeEventKind::Applied(batch) = &event.kind else { continue };
            // What stands where something was deleted was written later.
            for change in &batch.changes {
                found.0.entry(change.name.clone()).or_default().push(Write {
                    at: event.at,
                    zone: batch.zone_id.clone(),
                    record_type: change.record_type.clone(),
                    set_identifier: change.set_identifier.clone(),
                });
            }
        }
        found
    }

    /// When the record was last written in the zone; `None` where the feed tells nothing of it.
    #[must_use]
    pub fn last(&self, zone: &ZoneId, key: &RecordKey) -> Option<Timestamp> {
        let is_it = |write: &&Write| {
            write.zone.as_ref().is_none_or(|of| of == zone)
                && write.record_type == key.record_type
                && write.set_identifier.as_ref().is_none_or(|id| key.set_identifier.as_ref() == Some(id))
        };
        self.0.get(&key.name)?.iter().filter(is_it).map(|write| write.at).max()
    }
}
