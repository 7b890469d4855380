//! The newest observations of everything that is planned. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::finding::Reason;
use crate::live::plan::Subject;
use crate::live::probe::{Group, Harvest, Slot};
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::snapshot::Problem;

/// Observations by what they are about.
#[derive(Debug, Default)]
pub(crate) struct Store(BTreeMap<Subject, Kept>);

#[derive(Debug, Default)]
struct Kept {
    groups: BTreeMap<Slot, Vec<Observation>>,
    problems: Vec<Problem>,
}

impl Store {
    /// Takes in what a job brought. What another server said earlier stays; what nobody sent
    /// because the server is unreachable does not replace what it said while it was there.
    pub(crate) fn keep(&mut self, subject: Subject, harvest: Harvest) {
        // A name's harvest may leave servers out whose turn it is not; a zone's never does, and a
        // server that the parent no longer names must go.
        let is_complete = matches!(subject, Subject::Zone(_) | Subject::Control(_));
        // The servers of a foreign name may be others each time.
        let is_foreign = matches!(subject, Subject::Name(_, None));
        let kept = self.0.entry(subject).or_default();
        kept.problems = harvest.problems;
        if is_complete {
            kept.groups.retain(|slot, _| harvest.groups.iter().any(|group| group.slot == *slot));
        }
        if is_foreign {
            kept.groups.retain(|slot, _| {
                let asked = |group: &Group| {
                    group.slot.vantage == slot.vantage && group.slot.record_type == slot.record_type
                };
                slot.vantage != Vantage::Authoritative
                    || harvest.groups.iter().any(|group| group.slot == *slot)
                    || !harvest.groups.iter().any(asked)
            });
        }
        for Group { slot, observations, withheld, .. } in harvest.groups {
            if !(withheld && kept.groups.contains_key(&slot)) {
                kept.groups.insert(slot, observations);
            }
        }
    }

    /// Drops the observations that no question of the present work can replace: of types, servers
    /// and views that are no longer planned.
    pub(crate) fn retain(&mut self, subject: &Subject, still_asked: impl Fn(&Slot) -> bool) {
        if let Some(kept) = self.0.get_mut(subject) {
            kept.groups.retain(|slot, _| still_asked(slot));
        }
    }

    pub(crate) fn forget(&mut self, subject: &Subject) {
        self.0.remove(subject);
    }

    /// The resolver questions about a subject that had an answer the last time.
    pub(crate) fn answered_by_resolvers(&self, subject: &Subject) -> BTreeSet<Slot> {
        let groups = self.0.get(subject).into_iter().flat_map(|kept| &kept.groups);
        groups
            .filter(|(slot, observations)| {
                slot.vantage == Vantage::Recursive
                    && observations.iter().any(|one| one.outcome == Outcome::Answer && !one.cd)
            })
            .map(|(slot, _)| slot.clone())
            .collect()
    }

    /// All observations, in the order of their subjects.
    pub(crate) fn observations(&self) -> Vec<Observation> {
        let groups = self.0.values().flat_map(|kept| kept.groups.values());
        groups.flatten().cloned().collect()
    }

    /// What could not be asked, and the servers that answered nothing at all.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut silent: BTreeMap<(&Arc<str>, &Arc<str>), bool> = BTreeMap::new();
        let groups = self.0.values().flat_map(|kept| kept.groups.values());
        for one in groups.flatten() {
            let is_silent = matches!(one.outcome, Outcome::Timeout | Outcome::Unreachable);
            silent.entry((&one.server, &one.view)).and_modify(|all| *all &= is_silent).or_insert(is_silent);
        }
        let dead = silent.into_iter().filter(|(_, all)| *all).map(|((server, view), _)| Problem {
            scope: server.to_string(),
            code: Reason::Unreachable,
            message: format!("no answer from DNS server {server} (view {view})"),
        });
        let mut problems: Vec<Problem> =
            self.0.values().flat_map(|kept| &kept.problems).cloned().chain(dead).collect();
        problems.sort();
        problems.dedup();
        problems
    }
}
