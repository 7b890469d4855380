//! Worlds of any size with known faults: clusters, hosted zones and instances of ExternalDNS, made
//! from a seed, and poured into the emulators.
//!
//! The same seed and size give the same world. What stands in it is what ExternalDNS of the given
//! releases would have left behind, but for the faults; each of these says which verdict it is worth.

#[path = "worlds/faults.rs"]
mod faults;
#[path = "worlds/instances.rs"]
mod instances;
#[allow(dead_code, reason = "a measurement looks at a world that stands still")]
#[path = "worlds/later.rs"]
mod later;
#[path = "worlds/mixture.rs"]
mod mixture;
#[path = "worlds/objects.rs"]
mod objects;
#[path = "worlds/pour.rs"]
mod pour;
#[path = "worlds/program.rs"]
mod program;
#[path = "worlds/random.rs"]
mod random;
#[path = "worlds/zones.rs"]
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dns_drift::emulator::zones::RecordSet;
use jiff::Timestamp;
use serde_json::Value;

use self::instances::{Instance, Role};
use self::later::Later;
use self::random::Random;

#[allow(unused_imports, reason = "not every user asks for all of it")]
pub(crate) use self::faults::Fault;
pub(crate) use self::pour::Poured;
pub(crate) use self::program::Program;

/// How large a world is to be.
#[derive(Clone, Debug)]
pub(crate) struct Size {
    pub(crate) seed: u64,
    /// Hosts that are well, over all clusters.
    pub(crate) names: usize,
    pub(crate) clusters: usize,
    /// Hosts in each public zone.
    pub(crate) names_in_zone: usize,
    /// Which faults, so many of each in each cluster.
    pub(crate) faults: Vec<(Fault, usize)>,
    /// Everything is two days older than this.
    pub(crate) at: Timestamp,
}

pub(crate) struct World {
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) zones: Vec<Zone>,
    /// Load balancers and the like: names outside of all hosted zones.
    pub(crate) targets: BTreeMap<String, Vec<IpAddr>>,
    /// Zones that their parent delegates to somebody else.
    pub(crate) lame: Vec<String>,
    at: Timestamp,
}

/// One cluster with its instances, and what is to be said of it.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) objects: Vec<Value>,
    pub(crate) expected: BTreeSet<Verdict>,
    instances: Vec<Instance>,
    /// Lines that its instances have logged: which instance, and the text.
    logs: Vec<(Role, String)>,
}

/// A hosted zone; all clusters share the account.
#[derive(Clone)]
pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) private: bool,
    servers: Vec<String>,
    pub(crate) sets: Vec<RecordSet>,
}

/// An open finding, as far as a fault fixes it. The words are those of the report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Verdict {
    pub(crate) subject: String,
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) cause: String,
}

/// A host that is to be: its number makes it unlike all others.
#[derive(Clone)]
struct Host {
    number: usize,
    name: String,
    /// Index of its zone.
    zone: usize,
    /// Index of the cluster that wants it.
    cluster: usize,
    namespace: String,
    object: String,
}

struct Builder {
    world: World,
    random: Random,
    /// Indices of the public zones that hosts are spread over.
    public: Vec<usize>,
    /// Indices of the private zones of the internal instances.
    private: Vec<usize>,
    made: usize,
}

impl World {
    /// The world of a seed and a size.
    pub(crate) fn generate(size: &Size) -> Self {
        Self::with_later(size).0
    }

    /// The same, and what may happen to some more hosts of it afterwards.
    pub(crate) fn with_later(size: &Size) -> (Self, Later) {
        let mut builder = Builder::new(size);
        for _ in 0..size.names {
            builder.add_healthy();
        }
        for cluster in 0..size.clusters {
            for (fault, count) in &size.faults {
                for _ in 0..*count {
                    builder.add_fault(*fault, cluster);
                }
            }
        }
        let later = builder.later();
        builder.add_unmanaged();
        (builder.world, later)
    }

    #[allow(dead_code, reason = "a measurement counts, a test does not")]
    pub(crate) fn record_sets(&self) -> usize {
        // Each zone has its NS and SOA besides.
        self.zones.iter().map(|zone| zone.sets.len() + 2).sum()
    }
}

impl Verdict {
    fn new(subject: String, kind: &str, reason: &str, cause: &str) -> Self {
        Self { subject, kind: kind.to_owned(), reason: reason.to_owned(), cause: cause.to_owned() }
    }

    /// The open findings of a report.
    pub(crate) fn open_in(report: &Value) -> BTreeSet<Self> {
        let findings = report["findings"].as_array().into_iter().flatten();
        let open = findings.filter(|one| one["state"] == "open");
        open.map(|one| {
            let text = |member: &str| one[member].as_str().unwrap_or_default();
            Self::new(text("subject").to_owned(), text("kind"), text("reason"), text("cause"))
        })
        .collect()
    }
}

impl Builder {
    fn new(size: &Size) -> Self {
        let (zones, public, private) = zones::lay_out(size.names.div_ceil(size.names_in_zone).max(1));
        let clusters = (0..size.clusters).map(|cluster| instances::cluster(cluster, size.at)).collect();
        let world = World { clusters, zones, targets: BTreeMap::new(), lame: Vec::new(), at: size.at };
        Self { world, random: Random::new(size.seed), public, private, made: 0 }
    }

    /// A host like no other, in one of the public zones.
    fn host(&mut self, cluster: usize) -> Host {
        let zone = self.public[self.made % self.public.len()];
        self.host_in(zone, cluster)
    }

    fn host_in(&mut self, zone: usize, cluster: usize) -> Host {
        let number = self.made;
        self.made += 1;
        let word = self.random.of(&["api", "app", "auth", "cart", "docs", "img", "pay", "shop", "web"]);
        let name = format!("{word}-{number}.{}", self.world.zones[zone].name);
        let namespace = format!("team-{}", number % 40);
        Host { number, name, zone, cluster, namespace, object: format!("{word}-{number}") }
    }

    fn put(&mut self, zone: usize, sets: impl IntoIterator<Item = RecordSet>) {
        self.world.zones[zone].sets.extend(sets);
    }

    fn expect(&mut self, cluster: usize, subject: String, kind: &str, reason: &str, cause: &str) {
        let verdict = Verdict::new(subject, kind, reason, cause);
        self.world.clusters[cluster].expected.insert(verdict);
    }

    /// An address that users can reach. Source: RFC 5737.
    fn address(&mut self) -> String {
        format!("203.0.113.{}", 1 + self.random.below(200))
    }

    /// A load balancer; fifty hosts share one.
    fn balancer(&mut self, number: usize) -> String {
        let name = format!("k8s-{:06}.us-east-1.elb.amazonaws.com", number / 50);
        if !self.world.targets.contains_key(&name) {
            let addresses = [self.address(), self.address()].map(|ip| ip.parse().expect("an address"));
            self.world.targets.insert(name.clone(), addresses.to_vec());
        }
        name
    }
}
