//! One round's views with the indexes that judging needs. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::{ZoneReading, Zones};
use crate::model::{DomainName, ZoneId};
use crate::past::Past;
use crate::policy::Policy;
use crate::snapshot::Snapshot;

/// Everything that a rule may look at.
#[derive(Debug)]
pub struct World<'a> {
    /// The round.
    pub snapshot: &'a Snapshot,
    /// What the instances want.
    pub wants: &'a [InstanceWants],
    /// Earlier rounds.
    pub past: &'a Past,
    /// The rules in force.
    pub policy: &'a Policy,
    /// Observations by question name.
    pub answers: BTreeMap<&'a DomainName, Vec<&'a Observation>>,
    /// Resolvers whose control name works, by view and server.
    controls: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> World<'a> {
    /// Indexes a round.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        wants: &'a [InstanceWants],
        past: &'a Past,
        policy: &'a Policy,
    ) -> Self {
        let mut answers: BTreeMap<&DomainName, Vec<&Observation>> = BTreeMap::new();
        let mut controls = BTreeSet::new();
        for observation in snapshot.dns.value().into_iter().flatten() {
            if observation.vantage == Vantage::Control && observation.outcome == Outcome::Answer {
                controls.insert((&*observation.view, &*observation.server));
            }
            answers.entry(&observation.name).or_default().push(observation);
        }
        Self { snapshot, wants, past, policy, answers, controls }
    }

    /// The time of the round.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.snapshot.at
    }

    /// True if the control name works at the resolver that was asked; without that a resolver says
    /// nothing about any other name.
    #[must_use]
    pub fn control_works(&self, seen: &Observation) -> bool {
        self.controls.contains(&(&*seen.view, &*seen.server))
    }

    /// The recorded view.
    #[must_use]
    pub fn zones(&self) -> Option<&'a Zones> {
        self.snapshot.route53.value()
    }

    /// One zone that has been read completely.
    #[must_use]
    pub fn zone(&self, id: &ZoneId) -> Option<&'a ZoneReading> {
        self.zones()?.zones.get(id).filter(|reading| reading.record_sets.is_some())
    }

    /// All wants of a name in a zone, over all instances.
    pub fn wants_at(&self, zone: &'a ZoneId, name: &'a DomainName) -> impl Iterator<Item = &'a Want> {
        self.wants
            .iter()
            .flat_map(|one| &one.wants)
            .filter(move |want| want.zone_id() == Some(zone) && want.name == *name)
    }
}
