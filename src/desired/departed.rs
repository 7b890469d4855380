//! Instances whose workload is gone: nobody follows the wishes of their objects any more. Pure; time is an
//! argument.
//!
//! A cluster without an ExternalDNS looks like one in which nothing is wanted. Whoever deletes the workload by
//! mistake would hear nothing, so what ran here is remembered for a day and judged as one without a Pod.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::desired::discover::of_command_line;
use crate::model::heritage::TxtRole;
use crate::model::instance::{CommandLine, Instance, Origin};
use crate::model::want::InstanceWants;
use crate::model::zone::{ZoneReading, Zones};
use crate::model::{DomainName, ObjectRef, RecordKey, Version};
use crate::snapshot::Cluster;

/// How long an instance is missed. Longer than anybody sleeps, and not for ever: it may have been meant.
const MISSED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Workloads that stay, and a Pod that stands for itself; Jobs get other names each time.
const LASTING: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "Pod"];

/// The instances that were seen, by workload. Bounded by what a cluster runs in a day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Stored>", into = "Vec<Stored>")]
pub struct Departed {
    known: BTreeMap<Place, Known>,
    /// The cluster that was filled last, who was missing, and the result: equal views stay the same.
    last: Option<(Arc<Cluster>, Vec<Place>, Arc<Cluster>)>,
}

/// A workload, and the container in it.
type Place = (ObjectRef, Arc<str>);

fn place(instance: &Instance) -> Option<Place> {
    Some((instance.workload.clone()?, Arc::clone(&instance.container)))
}

#[derive(Clone, Debug)]
struct Known {
    instance: Arc<Instance>,
    first_at: Timestamp,
    seen_at: Timestamp,
    /// The first round without it; `None` while it is there.
    gone_at: Option<Timestamp>,
}

/// An instance in the state file. Its flags come from its command line again.
#[derive(Serialize, Deserialize)]
struct Stored {
    workload: ObjectRef,
    container: Arc<str>,
    version: Option<Version>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    replicas: Option<i32>,
    service_account: Arc<str>,
    changed_at: Option<Timestamp>,
    first_at: Timestamp,
    seen_at: Timestamp,
    #[serde(default)]
    gone_at: Option<Timestamp>,
}

/// What ExternalDNS reads of its environment.
const OWN_VARIABLES: &str = "EXTERNAL_DNS_";

/// Parts of the names of arguments and variables that hold secrets; lower case.
const SECRETS: [&str; 5] = ["aes-key", "aes_key", "password", "secret", "token"];

/// Fewer names than this are housekeeping. Source: findings.md section 3, rank 5.
const LEAST_NAMES: usize = 5;

/// What stands for a secret in the state file.
const MASKED: &str = "masked";

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|part| name.contains(part))
}

/// Arguments without the secrets among them, which stand behind `=` or in the argument that follows.
fn without_secrets(args: &[String]) -> Vec<String> {
    let mut is_value = false;
    let mut masked = Vec::with_capacity(args.len());
    for arg in args {
        let (name, value) =
            arg.split_once('=').map_or((arg.as_str(), None), |(name, value)| (name, Some(value)));
        let hidden = is_secret(name);
        masked.push(match value {
            _ if is_value => MASKED.to_owned(),
            Some(_) if hidden => format!("{name}={MASKED}"),
            Some(_) | None => arg.clone(),
        });
        is_value = hidden && value.is_none() && name.starts_with("--");
    }
    masked
}

impl From<Departed> for Vec<Stored> {
    fn from(departed: Departed) -> Self {
        let stored = |((workload, _), one): (Place, Known)| {
            let own = |(name, value): &(&String, &String)| {
                name.starts_with(OWN_VARIABLES) || **value == format!("$({name})")
            };
            let value = |name: &str, value: &str| if is_secret(name) { MASKED } else { value }.to_owned();
            let env = one.instance.command_line.env.iter().filter(own);
            Stored {
                workload,
                container: Arc::clone(&one.instance.container),
                version: one.instance.version,
                args: without_secrets(&one.instance.command_line.args),
                env: env.map(|(name, text)| (name.clone(), value(name, text))).collect(),
                replicas: one.instance.replicas,
                service_account: Arc::clone(&one.instance.service_account),
                changed_at: one.instance.changed_at,
                first_at: one.first_at,
                seen_at: one.seen_at,
                gone_at: one.gone_at,
            }
        };
        departed.known.into_iter().map(stored).collect()
    }
}

impl From<Vec<Stored>> for Departed {
    fn from(stored: Vec<Stored>) -> Self {
        let known = |one: Stored| {
            let command_line = CommandLine { args: one.args, env: one.env };
            let instance = Arc::new(Instance {
                replicas: one.replicas,
                service_account: one.service_account,
                changed_at: one.changed_at,
                ..of_command_line(command_line, &one.container, one.version, &one.workload)
            });
            (
                (one.workload, one.container),
                Known { instance, first_at: one.first_at, seen_at: one.seen_at, gone_at: one.gone_at },
            )
        };
        Self { known: stored.into_iter().map(known).collect(), last: None }
    }
}

impl PartialEq for Departed {
    /// What is kept in the state file counts.
    fn eq(&self, other: &Self) -> bool {
        let spans = |one: &Self| -> Vec<(Place, Timestamp, Timestamp)> {
            one.known.iter().map(|(place, one)| (place.clone(), one.first_at, one.seen_at)).collect()
        };
        spans(self) == spans(other)
    }
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
            .filter_map(|one| self.known.get(&place(one)?))
            .map(|one| one.first_at)
            .collect();
        self.known.retain(|_, one| {
            let here = one.seen_at == at;
            let gone_at = if here { at } else { *one.gone_at.get_or_insert(at) };
            // Another one came when this one went.
            let replaced = firsts.iter().any(|first| one.seen_at < *first && *first <= gone_at);
            here || at.duration_since(one.seen_at) < MISSED_FOR && !replaced && worked(&one.instance)
        });
        let gone: Vec<&Known> = self.known.values().filter(|one| one.seen_at < at).collect();
        if gone.is_empty() {
            return None;
        }
        let missing: Vec<Place> = gone.iter().filter_map(|one| place(&one.instance)).collect();
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

    /// The instances that were seen, whether they are still there or missed: what all of them read must go on
    /// being read, or the wishes of one that is gone would seem to have gone too.
    pub fn known(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.known.values().map(|one| &one.instance)
    }

    /// True for an instance that is gone and is not missed: others want all that it wants, and one of them goes
    /// on with its owner id, or what it wanted alone had ended before its workload did (`last_wish` tells when),
    /// or hardly a record is its own. Many records that nobody keeps any more are no leave.
    #[must_use]
    pub fn has_left(
        &self,
        one: &InstanceWants,
        all: &[InstanceWants],
        zones: Option<&Zones>,
        last_wish: impl FnOnce() -> Option<Timestamp>,
    ) -> bool {
        if one.instance.origin != Origin::Departed || !one.without_target.is_empty() {
            return false;
        }
        let known = place(&one.instance).and_then(|place| self.known.get(&place));
        let ended = known.is_none_or(|known| last_wish().is_none_or(|wish| wish < known.seen_at));
        let owns_little = || zones.is_none_or(|zones| owned_names(one, zones) < LEAST_NAMES);
        let is_of = |other: &InstanceWants| other.instance.id == one.instance.id && runs(other);
        is_replaced(one, all) && (all.iter().any(is_of) || ended || owns_little())
    }

    fn note(&mut self, cluster: &Cluster, at: Timestamp) {
        for instance in cluster.instances.iter().filter(|one| one.origin == Origin::Discovered) {
            let Some(workload) = instance.workload.as_ref().filter(|one| LASTING.contains(&&*one.kind))
            else {
                continue;
            };
            let place = (workload.clone(), Arc::clone(&instance.container));
            let first_at = self.known.get(&place).map_or(at, |one| one.first_at);
            let known = Known { instance: Arc::clone(instance), first_at, seen_at: at, gone_at: None };
            self.known.insert(place, known);
        }
    }
}

fn runs(one: &InstanceWants) -> bool {
    one.instance.origin != Origin::Departed
}

/// True if instances that run want all that this one does.
fn is_replaced(one: &InstanceWants, all: &[InstanceWants]) -> bool {
    one.wants.iter().all(|want| is_wanted_by_others(&want.key(), all))
}

/// True if an instance that runs wants the record.
#[must_use]
pub fn is_wanted_by_others(key: &RecordKey, all: &[InstanceWants]) -> bool {
    let mut running = all.iter().filter(|other| runs(other));
    running.any(|other| other.at(&key.name).iter().any(|want| want.is(key)))
}

/// Names whose ownership records name the instance.
fn owned_names(one: &InstanceWants, zones: &Zones) -> usize {
    let sets = one.zones.iter().filter_map(|id| zones.zones.get(id)).flat_map(ZoneReading::records);
    let owned = sets.filter_map(|set| match TxtRole::of(set) {
        TxtRole::Heritage(heritage) if heritage.owner == Some(&one.instance.flags.owner_id) => {
            one.instance.owner_name(&set.name)
        }
        TxtRole::Heritage(_) | TxtRole::Encrypted | TxtRole::Other => None,
    });
    owned.map(|(name, _)| name).collect::<BTreeSet<DomainName>>().len()
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
    fn a_restart_forgets_nobody_and_keeps_no_secret() {
        let mut departed = Departed::default();
        let mut cluster = (*cluster(&[("a", "one")])).clone();
        let mut instance = (*cluster.instances[0]).clone();
        let args = ["--txt-owner-id=one", "--txt-encrypt-aes-key=abc", "--txt-encrypt-aes-key", "def"];
        instance.command_line.args = args.map(str::to_owned).to_vec();
        let env =
            [("EXTERNAL_DNS_POLICY", "sync"), ("EXTERNAL_DNS_TXT_ENCRYPT_AES_KEY", "ghi"), ("OTHER", "jkl")];
        instance.command_line.env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        cluster.instances = vec![Arc::new(instance)];
        departed.fill(&Arc::new(cluster), true, at(0));
        let text = serde_json::to_string(&departed).expect("JSON");
        assert!(["abc", "def", "ghi", "jkl"].iter().all(|secret| !text.contains(secret)), "{text}");
        let mut again: Departed = serde_json::from_str(&text).expect("a value");
        assert_eq!(again, departed);
        let filled = again.fill(&Arc::new(Cluster::default()), true, at(1));
        assert_eq!(missed(filled), ["one"]);
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
