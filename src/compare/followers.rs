//! Records that lead to other records of our zones: who takes those away takes down more than one name. Pure.

use crate::compare::wildcard::covering;
use crate::compare::world::World;
use crate::model::DomainName;
use crate::model::record::{RecordKey, RecordSet, RecordType, Value};
use crate::model::table::Table;
use crate::model::zone::ZoneReading;

/// What leads to each name of our zones.
pub type Followers = Table<DomainName, Vec<Follower>>;

/// A record that leads to another one.
#[derive(Clone, Debug)]
pub struct Follower {
    /// Which.
    pub key: RecordKey,
    /// True for an alias, which needs a record of its own type.
    pub is_alias: bool,
}

/// All records that lead to a name of our zones, by that name.
#[must_use]
pub fn followers(world: &World<'_>) -> Followers {
    let mut found = Followers::default();
    for zone in world.zones().into_iter().flat_map(|zones| zones.zones.values()) {
        // A pointer back names a host and leads nobody to it.
        for set in zone.records().iter().filter(|set| set.record_type != RecordType::Ptr) {
            for target in targets(set).filter(|target| world.zones_over(target).next().is_some()) {
                found
                    .entry(target.clone())
                    .or_default()
                    .push(Follower { key: set.key(), is_alias: set.content.alias().is_some() });
            }
        }
    }
    found
}

fn targets(set: &RecordSet) -> impl Iterator<Item = &DomainName> {
    let named = set.content.plain_values().iter().filter_map(|value| match value {
        Value::Host(host) => Some(host),
        Value::Named(named) => Some(named.host()),
        Value::Ip(_) | Value::Text(_) => None,
    });
    named.chain(set.content.alias().map(|target| &target.dns_name))
}

/// A record that led somewhere and would lead nowhere if some record sets of a zone went and others came.
#[must_use]
pub fn bereft<'w>(
    world: &'w World<'_>,
    zone: &ZoneReading,
    going: &[RecordSet],
    coming: &[RecordSet],
) -> Option<&'w Follower> {
    let leads = |set: &RecordSet| set.record_type.is_address();
    going.iter().filter(|set| leads(set)).find_map(|gone| {
        let stays = |set: &&RecordSet| !going.iter().any(|one| one.key() == set.key());
        let left: Vec<&RecordType> = zone
            .at(&gone.name)
            .iter()
            .filter(stays)
            .chain(coming.iter().filter(|set| set.name == gone.name))
            .filter(|set| leads(set))
            .map(|set| &set.record_type)
            .collect();
        // What leads somewhere and goes along stands at the same name.
        let is_bereft = |follower: &&Follower| {
            let kind = &follower.key.record_type;
            follower.key.name != gone.name
                && if follower.is_alias {
                    *kind == gone.record_type && !left.contains(&kind)
                } else {
                    left.is_empty()
                }
        };
        let to_it = world.followers().get(&gone.name);
        to_it.and_then(|to_it| to_it.iter().find(is_bereft)).or_else(|| {
            let all = gone.name.is_wildcard().then(|| world.followers().iter()).into_iter().flatten();
            let covered = all.filter(|(name, _)| answers_for(gone, zone, name));
            covered.flat_map(|(_, all)| all).find(is_bereft)
        })
    })
}

/// A host that an object gives, that no instance writes, and that a wildcard among the record sets answers for.
#[must_use]
pub fn covered<'a>(world: &World<'a>, zone: &ZoneReading, going: &[RecordSet]) -> Option<&'a DomainName> {
    let gone = going.iter().find(|set| set.record_type.is_address() && set.name.is_wildcard())?;
    let mut given = world.wants.iter().flat_map(|one| &one.unwanted).filter_map(|row| row.name.as_ref());
    given.find(|name| answers_for(gone, zone, name))
}

/// True if the wildcard is the one of its zone that answers for a name.
fn answers_for(set: &RecordSet, zone: &ZoneReading, name: &DomainName) -> bool {
    covering(name, zone).iter().any(|one| one.key() == set.key())
}
