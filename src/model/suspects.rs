//! Which record a refusal is about that names none: the one that stands in every batch that was
//! refused in this way. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::finding::Reason;
use crate::model::change::{RefusalError, RefusedBatch};
use crate::model::record::RecordKey;
use crate::model::{RecordType, ZoneId};

/// A group that is refused alone within this time belongs to the refused batch right before it.
pub const SAME_RECONCILE: SignedDuration = SignedDuration::from_secs(60);

/// What refusals without a name have in common that are about the same record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unnamed {
    /// Zone; `None` when not told.
    pub zone_id: Option<ZoneId>,
    /// Why.
    pub reason: Reason,
    /// The quoted alias target or value.
    pub target: Option<Arc<str>>,
    /// The quoted type.
    pub record_type: Option<RecordType>,
}

/// The records that repeated refusals may be about; the more refusals, the fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspects {
    common: BTreeSet<RecordKey>,
    at_once: usize,
}

// === impl Unnamed ===

impl Unnamed {
    /// The key of one sentence.
    #[must_use]
    pub fn of(batch: &RefusedBatch, error: &RefusalError) -> Self {
        Self {
            zone_id: batch.zone_id.clone(),
            reason: error.reason,
            target: error.target.clone(),
            record_type: error.record_type.clone(),
        }
    }
}

// === impl Suspects ===

impl Suspects {
    /// Takes one more refusal: who may be meant, and which sentence of its kind it is in its
    /// answer, from 1. Nothing is learned from a refusal whose batch is not known.
    ///
    /// Where no record is in all batches the trouble of before is over, and the newest batch counts.
    pub fn narrow(&mut self, candidates: impl IntoIterator<Item = RecordKey>, sentence: usize) {
        self.at_once = self.at_once.max(sentence);
        let candidates: BTreeSet<RecordKey> = candidates.into_iter().collect();
        if candidates.is_empty() {
            return;
        }
        let both: BTreeSet<RecordKey> = self.common.intersection(&candidates).cloned().collect();
        self.common = if both.is_empty() { candidates } else { both };
    }

    /// Who is left.
    #[must_use]
    pub fn common(&self) -> &BTreeSet<RecordKey> {
        &self.common
    }

    /// True if no more records are left than were complained about at once.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.common.len() <= self.at_once
    }

    /// Who is meant by one refusal: those who are left, unless it is of an earlier trouble. Of a
    /// refusal whose batch is not known nothing speaks against them.
    #[must_use]
    pub fn among(&self, candidates: Vec<RecordKey>) -> Vec<RecordKey> {
        let same_trouble =
            candidates.is_empty() || self.common.iter().all(|suspect| candidates.contains(suspect));
        if same_trouble && !self.common.is_empty() {
            self.common.iter().cloned().collect()
        } else {
            candidates
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DomainName;

    fn keys(names: &str) -> Vec<RecordKey> {
        let key = |name| RecordKey {
            name: DomainName::new(name),
            record_type: RecordType::A,
            set_identifier: None,
        };
        names.split_whitespace().map(key).collect()
    }

    #[test]
    fn each_batch_leaves_fewer_and_a_new_trouble_begins_anew() {
        let mut suspects = Suspects::default();
        suspects.narrow(keys("a b c"), 1);
        assert!(!suspects.is_certain());
        assert_eq!(suspects.among(keys("a b c")), keys("a b c"));
        suspects.narrow(Vec::new(), 1);
        suspects.narrow(keys("b c d"), 1);
        suspects.narrow(keys("a c"), 1);
        assert!(suspects.is_certain());
        assert_eq!(suspects.among(keys("a b c")), keys("c"));
        assert_eq!(suspects.among(Vec::new()), keys("c"));
        assert_eq!(suspects.among(keys("x")), keys("x"), "a batch without the suspect is another story");
        suspects.narrow(keys("x y"), 2);
        assert_eq!(suspects.among(keys("x y")), keys("x y"));
        assert!(suspects.is_certain(), "two sentences for two records");
    }
}
