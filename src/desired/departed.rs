//! Instances whose workload is gone: nobody follows the wishes of their objects any more. Pure; time is an
//! argument.
//!
//! A cluster without an ExternalDNS looks like one in which nothing is wanted. Whoever deletes the workload by
//! mistake would hear nothing, so what ran here is remembered for a day and judged as one without a Pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::ObjectRef;
use crate::model::instance::{Instance, Origin};
use crate::snapshot::Cluster;

/// How long an instance is missed. Longer than anybody sleeps, and not for ever: it may have been meant.
const MISSED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Workloads that stay; Pods and Jobs get other names each time.
const LASTING: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// The instances that were seen, by workload. Bounded by what a cluster runs in a day.
#[derive(Clone, Debug, Default)]
pub struct Departed {
    known: BTreeMap<ObjectRef, Known>,
    /// The cluster that was filled last, who was missing, and the result: equal views stay the same.
    last: Option<(Arc<Cluster>, Vec<ObjectRef>, Arc<Cluster>)>,
}

#[derive(Clone, Debug)]
struct Known {
    instance: Arc<Instance>,
    first_at: Timestamp,
    seen_at: Timestamp,
}

impl Departed {
    /// The cluster with the instances that have gone from it; `None` when none has. Only a list that `is_whole`
    /// shows that something is gone.
    pub fn fill(&mut self, cluster: &Arc<Cluster>, is_whole: bool, at: Timestamp) -> Option<Arc<Cluster>> {
        self.note(cluster, at);
        if !is_whole {
            return None;
        }
        let firsts: Vec<Timestamp> = cluster
            .instances
            .iter()
            .filter_map(|one| self.known.get(one.workload.as_ref()?))
            .map(|one| one.first_at)
            .collect();
        self.known.retain(|_, one| {
            let here = one.seen_at == at;
            // The same owner id runs elsewhere, or another one came when this one went.
            let replaced = cluster.instances.iter().any(|other| other.id == one.instance.id)
                || firsts.iter().any(|first| one.seen_at < *first);
            here || at.duration_since(one.seen_at) < MISSED_FOR && !replaced && worked(&one.instance)
        });
        let gone: Vec<&Known> = self.known.values().filter(|one| one.seen_at < at).collect();
        if gone.is_empty() {
            return None;
        }
        let missing: Vec<ObjectRef> = gone.iter().filter_map(|one| one.instance.workload.clone()).collect();
        if let Some((from, who, filled)) = &self.last
            && Arc::ptr_eq(from, cluster)
            && *who == missing
        {
            return Some(Arc::clone(filled));
        }
        // Whoever ran here is known, so that nobody has to be assumed.
        let found = cluster.instances.iter().filter(|one| one.origin != Origin::Assumed).cloned();
        let mut instances: Vec<Arc<Instance>> =
            found.chain(gone.iter().map(|one| Arc::new(without_pods(&one.instance)))).collect();
        instances.sort_by(|left, right| left.id.cmp(&right.id));
        let filled = Arc::new(Cluster { instances, ..(**cluster).clone() });
        self.last = Some((Arc::clone(cluster), missing, Arc::clone(&filled)));
        Some(filled)
    }

    fn note(&mut self, cluster: &Cluster, at: Timestamp) {
        for instance in cluster.instances.iter().filter(|one| one.origin == Origin::Discovered) {
            let Some(workload) = instance.workload.as_ref().filter(|one| LASTING.contains(&&*one.kind))
            else {
                continue;
            };
            let first_at = self.known.get(workload).map_or(at, |one| one.first_at);
            let known = Known { instance: Arc::clone(instance), first_at, seen_at: at };
            self.known.insert(workload.clone(), known);
        }
    }
}

/// True if the instance was to do something: one that was scaled to nothing first was taken out of service.
fn worked(instance: &Instance) -> bool {
    instance.replicas != Some(0) && !instance.flags.dry_run && !instance.flags.details.once
}

fn without_pods(instance: &Instance) -> Instance {
    Instance {
        origin: Origin::Departed,
        replicas: Some(0),
        ready_replicas: Some(0),
        pods: Vec::new(),
        ..instance.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(60 * minutes).expect("a time")
    }

    fn cluster(workloads: &[(&str, &str)]) -> Arc<Cluster> {
        let instance = |(name, id): &(&str, &str)| {
            let mut instance = fixture::instance(&[], "v0.22.0");
            instance.id = Arc::from(*id);
            instance.origin = Origin::Discovered;
            instance.replicas = Some(1);
            instance.workload = Some(ObjectRef::new("Deployment", "dns", name));
            Arc::new(instance)
        };
        Arc::new(Cluster { instances: workloads.iter().map(instance).collect(), ..Cluster::default() })
    }

    fn missed(filled: Option<Arc<Cluster>>) -> Vec<String> {
        let instances = filled.map(|cluster| cluster.instances.clone()).unwrap_or_default();
        let gone = instances.iter().filter(|one| one.origin == Origin::Departed);
        gone.map(|one| one.id.to_string()).collect()
    }

    #[test]
    fn who_is_gone_from_a_whole_list_is_missed_for_a_day() {
        let mut departed = Departed::default();
        assert_eq!(missed(departed.fill(&cluster(&[("a", "one"), ("b", "two")]), true, at(0))), [""; 0]);
        let left = cluster(&[("b", "two")]);
        assert_eq!(missed(departed.fill(&left, false, at(1))), [""; 0], "a list that is not whole");
        let first = departed.fill(&left, true, at(2)).expect("one is gone");
        let again = departed.fill(&left, true, at(3)).expect("one is gone");
        assert!(Arc::ptr_eq(&first, &again), "equal views stay the same");
        assert_eq!(missed(Some(again)), ["one"]);
        assert_eq!(missed(departed.fill(&left, true, at(24 * 60 + 1))), [""; 0]);
    }

    #[test]
    fn who_is_replaced_is_not_missed() {
        for now in [[("c", "one")], [("c", "three")]] {
            let mut departed = Departed::default();
            departed.fill(&cluster(&[("a", "one")]), true, at(0));
            assert_eq!(missed(departed.fill(&cluster(&now), true, at(1))), [""; 0], "{now:?}");
            assert_eq!(missed(departed.fill(&cluster(&now), true, at(2))), [""; 0], "{now:?}");
        }
    }
}
