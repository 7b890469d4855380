//! Which part of the hosted zones is one process's own. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::model::{DomainName, HostedZone, ZoneId};

/// Shards at most; each costs a watch of the whole cluster, and the alert adds up powers of two.
pub const MAX_SHARDS: u16 = 32;

/// One of several processes that divide the hosted zones among them.
///
/// A zone belongs to the shard for which the hash of zone id and shard number is highest, so that one
/// more shard moves as few zones as possible. What lives in no zone belongs to the first shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    ordinal: u16,
    total: u16,
    split: BTreeSet<ZoneId>,
}

/// Why a text names no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not of this form.
    #[error("expected NUMBER/TOTAL, for example 0/3")]
    Form,
    /// Too many or none.
    #[error("the total must be between 1 and {MAX_SHARDS}")]
    Total,
    /// Numbers begin with 0.
    #[error("shard {ordinal} is not below the total of {total}: the first one is 0")]
    Ordinal {
        /// As given.
        ordinal: u16,
        /// As given.
        total: u16,
    },
    /// The name of a Pod of a `StatefulSet` ends with one.
    #[error("the Pod's name {0:?} does not end with the number of a replica")]
    Pod(String),
}

impl Shard {
    /// One of so many, counted from 0.
    ///
    /// # Errors
    ///
    /// When there is no such shard.
    pub fn new(ordinal: u16, total: u16) -> Result<Self, ShardError> {
        if total == 0 || MAX_SHARDS < total {
            return Err(ShardError::Total);
        }
        if total <= ordinal {
            return Err(ShardError::Ordinal { ordinal, total });
        }
        Ok(Self { ordinal, total, split: BTreeSet::new() })
    }

    /// The shard of a Pod of a `StatefulSet`, whose name ends with its number.
    ///
    /// # Errors
    ///
    /// When the name does not, or the number is not below the total.
    pub fn of_pod(pod: &str, total: u16) -> Result<Self, ShardError> {
        let number = pod.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
        Self::new(number.ok_or_else(|| ShardError::Pod(pod.to_owned()))?, total)
    }

    /// Divides the names of these zones, and not the zones as a whole.
    #[must_use]
    pub fn splitting(mut self, zones: impl IntoIterator<Item = ZoneId>) -> Self {
        self.split.extend(zones);
        self
    }

    /// The zones whose names are divided.
    #[must_use]
    pub fn split_zones(&self) -> &BTreeSet<ZoneId> {
        &self.split
    }

    /// Its number, from 0.
    #[must_use]
    pub fn ordinal(&self) -> u16 {
        self.ordinal
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u16 {
        self.total
    }

    /// True for the shard that has what lives in no zone, and that therefore reads every zone.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.ordinal == 0
    }

    /// True if what is said about the zone as a whole is this shard's to say.
    #[must_use]
    pub fn owns_zone(&self, id: &ZoneId) -> bool {
        self.is_highest(&[id.as_str()])
    }

    /// True if the name in this zone is this shard's to judge.
    #[must_use]
    pub fn owns_name(&self, id: &ZoneId, name: &DomainName) -> bool {
        if self.split.contains(id) {
            self.is_highest(&[id.as_str(), name.as_str()])
        } else {
            self.owns_zone(id)
        }
    }

    /// True if a zone must be read: it is this shard's, or relates to one that is. A record may stand in
    /// the zone above, below, or in the twin of the same name.
    #[must_use]
    pub fn reads(&self, zone: &HostedZone, all: &[HostedZone]) -> bool {
        let related = |own: &HostedZone| own.name.is_within(&zone.name) || zone.name.is_within(&own.name);
        self.is_first()
            || self.split.contains(&zone.id)
            || self.owns_zone(&zone.id)
            || all.iter().any(|own| (self.owns_zone(&own.id) || self.split.contains(&own.id)) && related(own))
    }

    fn is_highest(&self, key: &[&str]) -> bool {
        let weight = |ordinal: u16| (hash(key, ordinal), ordinal);
        let own = weight(self.ordinal);
        (0..self.total).map(weight).max() == Some(own)
    }
}

/// FNV-1a with a finish that spreads the last bytes: stable over versions and machines, because a
/// half-rolled set of shards must agree.
fn hash(key: &[&str], ordinal: u16) -> u64 {
    let bytes = key.iter().flat_map(|part| part.bytes().chain([0])).chain(ordinal.to_be_bytes());
    let folded = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The finaliser of MurmurHash3.
    let mixed = (folded ^ (folded >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ordinal, total) = text.split_once('/').ok_or(ShardError::Form)?;
        let number = |text: &str| text.parse().map_err(|_not_a_number| ShardError::Form);
        Self::new(number(ordinal)?, number(total)?)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ordinal, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(id: &str, total: u16) -> u16 {
        let id = ZoneId::new(id);
        let owners: Vec<u16> =
            (0..total).filter(|ordinal| Shard::new(*ordinal, total).expect("one").owns_zone(&id)).collect();
        assert_eq!(owners.len(), 1, "{id}: {owners:?}");
        owners[0]
    }

    #[test]
    fn each_zone_and_each_name_has_one_owner_and_few_move() {
        let zones: Vec<String> = (0..3_000).map(|number| format!("Z{number:013}")).collect();
        let mut counts = [0; 3];
        let mut moved = 0;
        for zone in &zones {
            let (three, four) = (owner(zone, 3), owner(zone, 4));
            counts[usize::from(three)] += 1;
            moved += usize::from(three != four);
            assert!(three == four || four == 3, "a zone moves to the new shard or stays");
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        assert!((600..900).contains(&moved), "{moved} of 3000");
        let big = ZoneId::new("Z1");
        for name in ["a.example.com", "b.example.com", "c.example.com"].map(DomainName::new) {
            let owns = |ordinal: &u16| {
                Shard::new(*ordinal, 3).expect("one").splitting([big.clone()]).owns_name(&big, &name)
            };
            assert_eq!((0..3).filter(owns).count(), 1, "{name}");
        }
    }

    #[test]
    fn texts_and_pods() {
        assert_eq!("1/3".parse::<Shard>().map(|shard| shard.to_string()), Ok("1/3".to_owned()));
        assert_eq!("3/3".parse::<Shard>(), Err(ShardError::Ordinal { ordinal: 3, total: 3 }));
        assert_eq!("0/0".parse::<Shard>(), Err(ShardError::Total));
        assert_eq!("one".parse::<Shard>(), Err(ShardError::Form));
        assert_eq!(Shard::of_pod("dns-drift-2", 3), Shard::new(2, 3));
        assert_eq!(
            Shard::of_pod("dns-drift-6d5f7c9b8-x2x4z", 3),
            Err(ShardError::Pod("dns-drift-6d5f7c9b8-x2x4z".to_owned()))
        );
    }
}
