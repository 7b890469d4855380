//! What part this process plays among its replicas.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use tokio::sync::watch;

use crate::model::shard::Shard;
use crate::publish::family::{Family, Number};

/// The part of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// There is no election.
    Alone,
    /// Judges.
    Leader,
    /// Waits for the leader to go; has no report of its own that counts.
    Standby,
}

/// The part as it changes.
pub type Roles = watch::Receiver<Role>;

/// Renders `dns_drift_leader`, where there is an election.
#[derive(Debug)]
pub(crate) struct RoleCollector(pub(crate) Roles);

/// The part of a process that has no replicas.
#[must_use]
pub fn alone() -> Roles {
    watch::channel(Role::Alone).1
}

impl Role {
    /// The word in the header of answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Leader => "leader",
            Self::Standby => "standby",
        }
    }
}

impl Collector for RoleCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let leads = match *self.0.borrow() {
            Role::Alone => return Ok(()),
            Role::Leader => 1,
            Role::Standby => 0,
        };
        Family::single("dns_drift_leader", Number::Whole(leads)).encode(&mut encoder).map(|_dropped| ())
    }
}

/// Renders which shard this process is.
#[derive(Debug)]
pub(crate) struct ShardCollector(pub(crate) Shard);

impl Collector for ShardCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let ordinal = Number::Whole(u64::from(self.0.ordinal()));
        Family::single("dns_drift_shard_ordinal", ordinal).encode(&mut encoder)?;
        let total = Number::Whole(u64::from(self.0.total()));
        Family::single("dns_drift_total_shards", total).encode(&mut encoder).map(|_dropped| ())
    }
}
