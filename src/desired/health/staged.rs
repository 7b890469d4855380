//! A list that is being read. Pure.
//!
//! It may be as large as what is already held, and mostly says the same: only what differs is kept
//! until the list is complete, so a new list costs little beside the rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::kinds::Row;
use crate::model::ObjectRef;

/// What a list has said so far that is not held already.
#[derive(Clone, Debug, Default)]
pub(super) struct Staged {
    /// Everything that is kept once the list is complete.
    seen: BTreeSet<ObjectRef>,
    changed: BTreeMap<ObjectRef, Row>,
    broken: BTreeMap<ObjectRef, String>,
}

impl Staged {
    /// Takes one object of the list.
    pub(super) fn take(
        &mut self,
        held: &BTreeMap<ObjectRef, Row>,
        object: ObjectRef,
        read: Result<Option<Row>, String>,
    ) {
        let old = held.get_key_value(&object);
        match (read, old) {
            (Ok(Some(row)), Some((key, old))) => {
                self.seen.insert(key.clone());
                if *old != row {
                    self.changed.insert(key.clone(), row);
                }
            }
            (Ok(Some(row)), None) => {
                self.changed.insert(object, row);
            }
            (Ok(None), _) => {}
            // The old row stays: the object is still there, only not understood.
            (Err(message), old) => {
                self.seen.extend(old.map(|(key, _)| key.clone()));
                self.broken.insert(object, message);
            }
        }
    }

    /// The list is complete: whatever was not in it is gone. Returns true if the rows changed, and
    /// what was not understood.
    pub(super) fn finish(self, held: &mut BTreeMap<ObjectRef, Row>) -> (bool, BTreeMap<ObjectRef, String>) {
        let Self { seen, changed, broken } = self;
        let before = held.len();
        held.retain(|object, _| seen.contains(object));
        let differs = held.len() != before || !changed.is_empty();
        if held.is_empty() {
            *held = changed;
        } else {
            held.extend(changed);
        }
        (differs, broken)
    }
}
