//! The configuration: one tree of values from the file, flags and environment, checked as a whole.
//!
//! Everything has a default. All mistakes are reported at once, each with its path.

mod effective;
mod read;
mod section;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::desired::client::KubeSettings;
use crate::live::servers::ServerMap;
use crate::live::settings::ResolverSettings;
use crate::model::instance::Instance;
use crate::model::shard::Shard;
use crate::model::text::printable;
use crate::model::{DomainName, Version};
use crate::policy::Policy;
use crate::recorded::accounts::AccountSettings;
use crate::recorded::filter::ZoneFilter;

pub(crate) use self::effective::{MASKED, is_secret};
pub use self::section::Mistake;

/// Largest configuration file that is read, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// The Kubernetes API.
    pub kubernetes: KubeSettings,
    /// Route 53.
    pub route53: Route53Config,
    /// Live DNS.
    pub dns: DnsConfig,
    /// What else tells of changes.
    pub changes: ChangesConfig,
    /// The instance to take for granted when the cluster shows none.
    pub external_dns: Option<AssumedConfig>,
    /// Where `serve` keeps its state; `None` to forget at the end.
    pub state_dir: Option<PathBuf>,
    /// TLS, logins and headers of `serve`; `None` for plain HTTP and everybody.
    pub web_config_file: Option<PathBuf>,
    /// How a leader among replicas is chosen; `None` for no election.
    pub leader_election: Option<LeaderElectionConfig>,
    /// Which part of the hosted zones is ours; `None` for all.
    pub shard: Option<Shard>,
    /// What this replica is called; `None` outside of a Pod.
    pub pod_name: Option<String>,
    /// Findings with series of their own on `/metrics`.
    pub max_finding_series: usize,
    /// Wanted records with series of their own on `/metrics`; 0 for none.
    pub max_record_series: usize,
    policy: Policy,
}

/// How a leader among replicas is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderElectionConfig {
    /// The Lease.
    pub lease_name: String,
    /// Its namespace; `None` for that of the kubeconfig or the Pod.
    pub namespace: Option<String>,
}

/// How Route 53 is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Route53Config {
    /// Requests per second for the whole account.
    pub requests_per_second: f64,
    /// Region that requests are signed for.
    pub region: Arc<str>,
    /// Which zones are read.
    pub filter: ZoneFilter,
    /// The accounts; empty for the one of the default credentials.
    pub accounts: Vec<AccountSettings>,
    /// Instead of the real service; `None` leaves it to the environment.
    pub endpoint_url: Option<String>,
}

/// How DNS is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsConfig {
    /// Resolvers; `None` for those of this machine.
    pub resolvers: Option<Vec<ResolverSettings>>,
    /// Addresses that replace those from DNS.
    pub server_map: ServerMap,
    /// The same, as written.
    pub server_map_lines: Vec<String>,
    /// A name outside of our zones; `None` for the default.
    pub control_name: Option<DomainName>,
    /// Packets a second to one authoritative server; `None` for the default.
    pub authoritative_per_second: Option<NonZeroU32>,
    /// Packets a second to one resolver; `None` for the default.
    pub resolver_per_second: Option<NonZeroU32>,
    /// How often names in doubt are asked; `None` for the default.
    pub doubtful_interval: Option<Duration>,
    /// How often stable names are asked; `None` for the default.
    pub stable_interval: Option<Duration>,
    /// How often delegations are checked; `None` for the default.
    pub zone_interval: Option<Duration>,
    /// Packets a second to all authoritative servers together; `None` for the default.
    pub authoritative_total_per_second: Option<NonZeroU32>,
    /// The same while everything is asked at once; `None` for the default.
    pub sweep_per_second: Option<NonZeroU32>,
    /// Further certificate authorities for resolvers over TLS and HTTPS.
    pub ca_file: Option<PathBuf>,
}

/// What tells of changes beside the logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesConfig {
    /// Ask CloudTrail.
    pub cloudtrail: bool,
    /// Time between two questions.
    pub cloudtrail_interval: Duration,
    /// Region of CloudTrail; `None` for the one where the events of Route 53 are.
    pub cloudtrail_region: Option<String>,
    /// Instead of the real CloudTrail; `None` leaves it to the environment.
    pub cloudtrail_endpoint_url: Option<String>,
    /// URL of the queue that an `EventBridge` rule fills; `None` for no queue.
    pub queue_url: Option<String>,
    /// Instead of the real SQS; `None` leaves it to the environment.
    pub queue_endpoint_url: Option<String>,
    /// Read `/metrics` of the Pods of ExternalDNS.
    pub scrape: bool,
    /// Port of their `--metrics-address`.
    pub scrape_port: u16,
    /// Read the Events of ExternalDNS.
    pub events: bool,
}

/// An ExternalDNS that the cluster does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedConfig {
    /// Its version; `None` for the newest known.
    pub version: Option<Version>,
    /// Its arguments.
    pub args: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text is no YAML.
    #[error("parse configuration {place}: {text}")]
    Yaml {
        /// The file, or what stands for it.
        place: String,
        /// Where and why, printable.
        text: String,
    },
    /// Values that make no sense.
    #[error("configuration{}: {}", of_file(file.as_deref()), listed(mistakes))]
    Mistakes {
        /// The file that was read; `None` where there is none.
        file: Option<PathBuf>,
        /// What is wrong, by path.
        mistakes: Vec<Mistake>,
    },
}

fn of_file(file: Option<&Path>) -> String {
    file.map(|path| format!(" {}", path.display())).unwrap_or_default()
}

fn listed(mistakes: &[Mistake]) -> String {
    let count = mistakes.len();
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect();
    format!("{count} mistake{}{}", if count == 1 { "" } else { "s" }, lines.concat())
}

// === impl Config ===

impl Config {
    /// Checks a tree of values, for example the `config:` of a recording.
    ///
    /// # Errors
    ///
    /// Every mistake at once.
    pub fn from_value(value: &Value) -> Result<Self, ConfigError> {
        read::config(value).map_err(|mistakes| ConfigError::Mistakes { file: None, mistakes })
    }

    /// Reads the file, lays the overrides (dotted path and value) over it and checks the result.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or parsed, and every mistake at once.
    pub fn load(file: Option<&Path>, overrides: Vec<(&str, Value)>) -> Result<Self, ConfigError> {
        Self::from_value(&value(file, overrides)?).map_err(|error| error.of(file))
    }

    /// The rules of judgement.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// Everything that is in force, as YAML, with secrets masked.
    #[must_use]
    pub fn effective_yaml(&self) -> String {
        serde_saphyr::to_string(&effective::config(self))
            .unwrap_or_else(|error| format!("# the configuration has no YAML form: {error}\n"))
    }

    /// The keys that decide about verdicts, for the `config:` of a recording.
    #[must_use]
    pub fn verdict_keys(&self) -> Value {
        effective::policy(&self.policy)
    }

    /// The instance to take for granted when the cluster shows none.
    #[must_use]
    pub fn assumed(&self) -> Arc<Instance> {
        read::assumed(self.external_dns.as_ref())
    }
}

// === impl ConfigError ===

impl ConfigError {
    /// The same, with the file that the values come from.
    #[must_use]
    pub fn of(self, file: Option<&Path>) -> Self {
        match self {
            Self::Mistakes { mistakes, .. } => Self::Mistakes { file: file.map(Path::to_owned), mistakes },
            other @ (Self::Read { .. } | Self::Yaml { .. }) => other,
        }
    }
}

/// What the user said, not checked: the file with the overrides (dotted path and value) over it.
///
/// # Errors
///
/// When the file cannot be read or parsed.
pub fn value(file: Option<&Path>, overrides: Vec<(&str, Value)>) -> Result<Value, ConfigError> {
    let mut value = match file {
        Some(path) => file_value(path)?,
        None => Value::Object(Map::new()),
    };
    for (path, new) in overrides {
        lay_over(&mut value, path, new);
    }
    Ok(value)
}

/// Lays one tree of values over another: maps meet key by key, anything else is replaced, and
/// nothing (`null`) replaces nothing.
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(over)) => {
            for (key, new) in over {
                merge(base.entry(key.as_str()).or_insert(Value::Null), new);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

fn file_value(path: &Path) -> Result<Value, ConfigError> {
    let unreadable = |source| ConfigError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    let invalid = |text: &str| ConfigError::Yaml { place: path.display().to_string(), text: printable(text) };
    if MAX_FILE < size {
        return Err(invalid("larger than 4 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Object(Map::new()));
    }
    serde_saphyr::from_str(&text).map_err(|error| invalid(&error.to_string()))
}

/// Sets the value at a dotted path; what stands in the way is replaced.
fn lay_over(value: &mut Value, path: &str, new: Value) {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Some(map) = value.as_object_mut() else { return };
    match rest {
        None => drop(map.insert(head.to_owned(), new)),
        Some(rest) => lay_over(map.entry(head).or_insert(Value::Null), rest, new),
    }
}

#[cfg(test)]
mod tests;
