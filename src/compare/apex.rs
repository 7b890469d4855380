//! The ownership of an apex, which lies in the zone above: `a-dev.example.com` speaks for `dev.example.com`.
//! ExternalDNS writes it there if it has that zone, and reads it from wherever it lies. Pure.
//!
//! Source: registry/txt.go (`Records` keeps what all zones say in one map); provider/aws/aws.go
//! (`suitableZones`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::compare::owner::heritage_names;
use crate::model::record::{RecordSet, RecordType};
use crate::model::want::InstanceWants;
use crate::model::zone::{ZoneAbove, ZoneReading, Zones};
use crate::model::{DomainName, ZoneId};
use crate::snapshot::Snapshot;

/// Tells each zone of the ownership records of its apex that lie in another one.
#[must_use]
pub fn with_zones_above<'a>(snapshot: Cow<'a, Snapshot>, wants: &[InstanceWants]) -> Cow<'a, Snapshot> {
    let Some(zones) = snapshot.route53.value() else { return snapshot };
    let found: Vec<(ZoneId, ZoneAbove)> = zones
        .zones
        .values()
        .filter(|zone| zone.record_sets.is_some())
        .filter_map(|zone| Some((zone.zone.id.clone(), zone_above(zones, wants, zone)?)))
        .collect();
    if found.is_empty() {
        return snapshot;
    }
    let mut zones = zones.clone();
    for (id, above) in found {
        if let Some(zone) = zones.zones.get_mut(&id) {
            zone.above = Some(Arc::new(above));
        }
    }
    let mut joined = snapshot.into_owned();
    joined.route53.value = Some(Arc::new(zones));
    Cow::Owned(joined)
}

/// What the zones above hold that an instance of the zone has, too. ExternalDNS writes the ownership into every private
/// zone that its name fits, and the nearest public one.
fn zone_above(zones: &Zones, wants: &[InstanceWants], zone: &ZoneReading) -> Option<ZoneAbove> {
    let readers = || wants.iter().filter(|one| one.zones.contains(&zone.zone.id));
    let others: BTreeSet<&ZoneId> =
        readers().filter(|one| one.instance.flags.shows_ownership()).flat_map(|one| &one.zones).collect();
    let is_above = |other: &&ZoneReading| {
        other.zone.name != zone.zone.name && zone.zone.name.is_within(&other.zone.name)
    };
    let above: Vec<&ZoneReading> =
        others.into_iter().filter_map(|id| zones.zones.get(id)).filter(is_above).collect();
    let by_sort = |one: &&&ZoneReading| (one.zone.private == zone.zone.private, one.zone.name.as_str().len());
    let home = above.iter().max_by_key(by_sort)?;
    let names: BTreeSet<DomainName> = readers().flat_map(|one| names_outside(one, &zone.zone.name)).collect();
    let (mut texts, mut homes): (Vec<RecordSet>, Vec<ZoneId>) = (Vec::new(), Vec::new());
    for name in &names {
        for other in &above {
            for set in other.at(name).iter().filter(|set| set.record_type == RecordType::Txt) {
                if !texts.iter().any(|text| text.key() == set.key()) {
                    texts.push(set.clone());
                    homes.push(other.zone.id.clone());
                }
            }
        }
    }
    let is_unread = !names.is_empty() && above.iter().any(|other| other.record_sets.is_none());
    Some(ZoneAbove { id: home.zone.id.clone(), name: home.zone.name.clone(), texts, homes, is_unread })
}

/// The names of ownership records of an apex that are no names of its zone.
fn names_outside(wants: &InstanceWants, apex: &DomainName) -> Vec<DomainName> {
    let types = wants.instance.flags.managed_types.iter().chain([&RecordType::A, &RecordType::Aaaa]);
    let names = types.flat_map(|record_type| heritage_names(&wants.instance, apex, record_type));
    names.filter(|name| !name.is_within(apex)).collect()
}
