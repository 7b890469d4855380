//! One round after the other: snapshot in, report out. Pure; the time is the snapshot's.
//!
//! The live program, a check and a replayed recording run this same code.

use crate::desired;
use crate::model::want::InstanceWants;
use crate::past::Past;
use crate::policy::Policy;
use crate::report::Report;
use crate::snapshot::Snapshot;

/// Everything that outlives a round.
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    past: Past,
    wants: Vec<InstanceWants>,
}

impl Engine {
    /// Starts without a past.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, past: Past::default(), wants: Vec::new() }
    }

    /// What the instances wanted in the latest round; the probe plan is made from it.
    #[must_use]
    pub fn wants(&self) -> &[InstanceWants] {
        &self.wants
    }

    /// Judges one snapshot.
    pub fn round(&mut self, snapshot: &Snapshot) -> Report {
        self.wants = match snapshot.kubernetes.value() {
            Some(cluster) => desired::compute(cluster, snapshot.route53.value(), snapshot.at),
            None => Vec::new(),
        };
        self.past.observe(snapshot, &self.wants, self.policy.cycle());
        todo!("compare and history")
    }
}
