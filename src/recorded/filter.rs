//! Which hosted zones of an account are read.

use std::collections::BTreeMap;

use crate::model::shard::Shard;
use crate::model::{DomainName, HostedZone, ZoneId};

/// A zone is read when it passes every part; an empty part lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneFilter {
    /// Only these zones; they are read without `ListHostedZones`.
    pub ids: Vec<ZoneId>,
    /// Only zones of these names or below them.
    pub names: Vec<DomainName>,
    /// Only zones that carry all of these.
    pub tags: Vec<TagFilter>,
    /// `Some(true)` for private zones only, `Some(false)` for public ones only.
    pub private: Option<bool>,
    /// Of those that pass, the record sets are read only of those that this shard needs.
    pub shard: Option<Shard>,
}

/// A tag that a zone must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFilter {
    /// Its key.
    pub key: String,
    /// Its value; `None` for any.
    pub value: Option<String>,
}

// === impl ZoneFilter ===

impl ZoneFilter {
    /// Everything but tags, which cost requests of their own.
    pub(crate) fn passes(&self, zone: &HostedZone) -> bool {
        (self.ids.is_empty() || self.ids.contains(&zone.id))
            && (self.names.is_empty() || self.names.iter().any(|name| zone.name.is_within(name)))
            && self.private.is_none_or(|private| private == zone.private)
    }

    /// True if the record sets of a listed zone are to be read.
    pub(crate) fn reads(&self, zone: &HostedZone, listed: &[HostedZone]) -> bool {
        self.shard.as_ref().is_none_or(|shard| shard.reads(zone, listed))
    }

    /// True if the tags are the right ones; those that are not known never are.
    pub(crate) fn passes_tags(&self, tags: Option<&BTreeMap<String, String>>) -> bool {
        self.tags.iter().all(|wanted| {
            let found = tags.and_then(|tags| tags.get(&wanted.key));
            found.is_some_and(|value| wanted.value.as_ref().is_none_or(|wanted| wanted == value))
        })
    }
}

impl std::str::FromStr for TagFilter {
    type Err = std::convert::Infallible;

    /// `key` or `key=value`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('=') {
            Some((key, value)) => Self { key: key.to_owned(), value: Some(value.to_owned()) },
            None => Self { key: text.to_owned(), value: None },
        })
    }
}

impl std::fmt::Display for TagFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key)?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::decode::{RawHostedZone, RawZoneConfig};

    fn zone(id: &str, name: &str, private_zone: bool) -> HostedZone {
        let config = RawZoneConfig { private_zone, ..RawZoneConfig::default() };
        let raw = RawHostedZone { id: id.to_owned(), name: name.to_owned(), config, ..Default::default() };
        raw.decode().expect("a zone")
    }

    #[test]
    fn every_part_must_pass() {
        let filter = ZoneFilter {
            names: vec![DomainName::new("example.com")],
            private: Some(false),
            tags: ["team=web", "prod"].map(|text| text.parse().expect("a tag")).to_vec(),
            ..ZoneFilter::default()
        };
        assert!(filter.passes(&zone("Z1", "example.com.", false)));
        assert!(filter.passes(&zone("Z1", "eu.example.com.", false)), "below it");
        assert!(!filter.passes(&zone("Z1", "notexample.com.", false)));
        assert!(!filter.passes(&zone("Z1", "example.com.", true)));
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert!(filter.passes_tags(Some(&tags(&[("team", "web"), ("prod", "")]))));
        assert!(!filter.passes_tags(Some(&tags(&[("team", "api"), ("prod", "")]))));
        assert!(!filter.passes_tags(Some(&tags(&[("team", "web")]))));
        assert!(!filter.passes_tags(None), "not known is not right");
        assert!(ZoneFilter::default().passes_tags(None));
    }
}
