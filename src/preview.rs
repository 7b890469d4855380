//! The stages of the desired view as something to look at, and the difference between two of them.
//! Pure.

mod difference;
mod rows;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;

use crate::desired::plan::plan;
use crate::desired::record_sets::record_sets;
use crate::desired::submit::submit;
use crate::desired::{provider, sources, zone_view};
use crate::model::instance::{Flags, Instance};
use crate::model::zone::{HostedZone, ZoneReading, Zones};
use crate::model::{DomainName, Version, ZoneId};
use crate::snapshot::Cluster;

pub use difference::{Difference, difference};
pub use table::{differences, listing};

/// How far the endpoints have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// What the sources yield.
    Source,
    /// What the AWS provider makes of it.
    Provider,
    /// The record sets of each zone, with the ownership records.
    Route53,
}

/// What is supposed in the place of what runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The version.
    pub version: Option<Version>,
    /// Flags, each in the place of all of its name.
    pub args: Vec<String>,
}

/// What the computation rests on.
#[derive(Clone, Debug)]
pub struct Input {
    /// Objects and instances.
    pub cluster: Cluster,
    /// Hosted zones; `None` when nobody read them.
    pub zones: Option<Arc<Zones>>,
    /// The time.
    pub at: Timestamp,
}

/// Why nothing can be computed.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// There is no such instance.
    #[error("no ExternalDNS with the owner id {wanted:?}; there is: {known}")]
    NoInstance {
        /// As asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// Without zones there are no record sets.
    #[error("the hosted zones are not known: name them with --zone, or ask for --stage=provider")]
    NoZones,
    /// The objects cannot be read.
    #[error("the objects cannot be read: {0}")]
    NoObjects(String),
}

/// The rows of a stage over the instances, and the lines that say what cannot be known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The rows, in the shapes of ExternalDNS' own endpoints, or of record sets.
    pub rows: Vec<Value>,
    /// Why names of some objects cannot be known.
    pub unknown: Vec<String>,
}

/// Computes a stage for the instances.
///
/// # Errors
///
/// Record sets need zones.
pub fn listing_of(input: &Input, instances: &[Arc<Instance>], stage: Stage) -> Result<Listing, PreviewError> {
    let mut out = Listing::default();
    for instance in instances {
        let first = sources(&input.cluster, instance, input.at);
        out.unknown.extend(first.unknown);
        let endpoints = match stage {
            Stage::Source => first.endpoints,
            Stage::Provider => provider(first.endpoints, instance),
            Stage::Route53 => {
                let view = zone_view(input.zones.as_deref(), instance);
                if view.is_none() {
                    return Err(PreviewError::NoZones);
                }
                let submitted =
                    provider(first.endpoints, instance).into_iter().map(|one| submit(one, instance));
                let plan = plan(submitted.collect(), instance, &view);
                out.rows.extend(rows::records(record_sets(&plan.records, instance, &view)));
                continue;
            }
        };
        out.rows.extend(rows::endpoints(&endpoints));
    }
    Ok(out)
}

/// The instances to compute for, as they would be with the overrides.
///
/// # Errors
///
/// When none has the owner id.
pub fn instances(
    cluster: &Cluster,
    owner: Option<&str>,
    overrides: &[&Overrides],
) -> Result<Vec<Arc<Instance>>, PreviewError> {
    let chosen: Vec<&Arc<Instance>> =
        cluster.instances.iter().filter(|one| owner.is_none_or(|owner| *one.id == *owner)).collect();
    if let Some(wanted) = owner.filter(|_| chosen.is_empty()) {
        let known: Vec<&str> = cluster.instances.iter().map(|one| &*one.id).collect();
        return Err(PreviewError::NoInstance { wanted: wanted.to_owned(), known: known.join(", ") });
    }
    let changed = |one: &Instance| overrides.iter().fold(one.clone(), |one, change| change.on(one));
    Ok(chosen.into_iter().map(|one| Arc::new(changed(one))).collect())
}

/// Hosted zones that are supposed to exist: public, empty, with their name as id.
#[must_use]
pub fn supposed_zones(names: &[String], at: Timestamp) -> Option<Arc<Zones>> {
    let zone = |name: &String| {
        let name = DomainName::new(name);
        let id = ZoneId::new(name.as_str());
        let zone = HostedZone {
            id: id.clone(),
            name,
            private: false,
            vpcs: None,
            delegation_set: Vec::new(),
            record_set_count: None,
            limit: None,
            dnssec: None,
            tags: Some(BTreeMap::new()),
        };
        let record_sets = Some(Arc::default());
        let reading = ZoneReading { record_sets, read_at: Some(at), ..ZoneReading::unread(zone) };
        (id, reading)
    };
    let zones: BTreeMap<ZoneId, ZoneReading> = names.iter().map(zone).collect();
    (!zones.is_empty()).then(|| Arc::new(Zones { zones, ..Zones::default() }))
}

// === impl Overrides ===

impl Overrides {
    /// The instance with this version and these flags.
    fn on(&self, mut instance: Instance) -> Instance {
        if self == &Self::default() {
            return instance;
        }
        instance.version = self.version.or(instance.version);
        let names: Vec<&str> = self.args.iter().map(|arg| flag_name(arg)).collect();
        let mut kept = Vec::new();
        let mut old = instance.command_line.args.iter().peekable();
        while let Some(arg) = old.next() {
            if !names.contains(&flag_name(arg)) {
                kept.push(arg.clone());
            } else if !arg.contains('=') {
                // `--flag value`: the value goes with its flag.
                old.next_if(|next| !next.starts_with("--"));
            }
        }
        instance.command_line.env.retain(|name, _| {
            let flag = name.trim_start_matches("EXTERNAL_DNS_").to_ascii_lowercase().replace('_', "-");
            !names.contains(&flag.as_str())
        });
        kept.extend(self.args.iter().cloned());
        instance.command_line.args = kept;
        let line = &instance.command_line;
        instance.flags = Flags::from_args(&line.args, &line.env, instance.version);
        instance
    }
}

/// `--no-x=y` and `x` alike are `x`.
fn flag_name(arg: &str) -> &str {
    let bare = arg.trim_start_matches("--");
    let name = bare.split_once('=').map_or(bare, |(name, _)| name);
    name.strip_prefix("no-").unwrap_or(name)
}
