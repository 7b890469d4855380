//! The plan of the last round, given again while nothing that it was made from has changed. Pure.
//!
//! Most rounds come because a zone was read again or a server has answered. To go through all names and
//! records then costs a good part of a round, only to find the same questions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use jiff::Timestamp;

use crate::live::plan::ProbePlan;
use crate::model::want::InstanceWants;
use crate::model::zone::{HostedZone, RecordSets, ZoneReading, Zones};
use crate::model::{DomainName, ZoneId};
use crate::publish::api::waiters::Waited;
use crate::run::plan::{PlanInput, in_trouble, new_until, probe_plan};

/// The latest plan and what it hangs on. Rules and resolvers never change while the program runs.
#[derive(Debug, Default)]
pub(super) struct Planner(Option<Made>);

#[derive(Debug)]
struct Made {
    /// Weak, as are the records: nothing is kept for this, and no place in memory is used again meanwhile.
    wants: Weak<[InstanceWants]>,
    zones: BTreeMap<ZoneId, (HostedZone, Weak<RecordSets>)>,
    resolved: BTreeMap<DomainName, BTreeSet<IpAddr>>,
    waited: Waited,
    in_trouble: BTreeSet<DomainName>,
    at: Timestamp,
    until: Option<Timestamp>,
    plan: Arc<ProbePlan>,
}

// === impl Planner ===

impl Planner {
    /// What [`probe_plan`] makes of these; `wants` are those of the input.
    pub(super) fn plan(&mut self, wants: &Arc<[InstanceWants]>, input: PlanInput<'_>) -> Arc<ProbePlan> {
        let in_trouble = in_trouble(input.report);
        if let Some(made) = self.0.as_ref().filter(|made| made.holds(wants, &input, &in_trouble)) {
            return Arc::clone(&made.plan);
        }
        let before = self.0.take().map(|made| made.plan).unwrap_or_default();
        let plan = probe_plan(PlanInput { before: &before.names, ..input });
        let plan = if plan == *before { before } else { Arc::new(plan) };
        self.0 = Some(Made {
            wants: Arc::downgrade(wants),
            zones: input.zones.zones.iter().map(|(id, one)| (id.clone(), seen(one))).collect(),
            resolved: input.resolved.clone(),
            waited: input.waited.clone(),
            in_trouble,
            at: input.at,
            until: new_until(wants, input.at),
            plan: Arc::clone(&plan),
        });
        plan
    }
}

// === impl Made ===

impl Made {
    fn holds(
        &self,
        wants: &Arc<[InstanceWants]>,
        input: &PlanInput<'_>,
        in_trouble: &BTreeSet<DomainName>,
    ) -> bool {
        self.wants.ptr_eq(&Arc::downgrade(wants))
            && self.at <= input.at
            && self.until.is_none_or(|until| input.at < until)
            && self.in_trouble == *in_trouble
            && self.waited == *input.waited
            && self.resolved == *input.resolved
            && self.has_seen(input.zones)
    }

    fn has_seen(&self, zones: &Zones) -> bool {
        let mut pairs = self.zones.values().zip(zones.zones.values());
        self.zones.keys().eq(zones.zones.keys())
            && pairs.all(|((zone, records), now)| *zone == now.zone && records.ptr_eq(&records_of(now)))
    }
}

fn seen(reading: &ZoneReading) -> (HostedZone, Weak<RecordSets>) {
    (reading.zone.clone(), records_of(reading))
}

fn records_of(reading: &ZoneReading) -> Weak<RecordSets> {
    reading.record_sets.as_ref().map(Arc::downgrade).unwrap_or_default()
}

#[cfg(test)]
mod tests;
