//! The ownership records of a round that need a look: nearly all stand beside a record that their instance
//! wants as it is, and say nothing to any rule about left-overs. Pure.

use std::collections::BTreeSet;

use crate::compare::leftovers::owned_sets;
use crate::compare::world::World;
use crate::model::heritage::{Heritage, TxtRole};
use crate::model::record::{RecordSet, RecordType};
use crate::model::want::InstanceWants;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ZoneId};

/// An ownership record in clear text.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Where it stands.
    pub zone: &'a ZoneReading,
    /// The record set.
    pub set: &'a RecordSet,
    /// What it says.
    pub heritage: Heritage<'a>,
}

/// All ownership records of a zone and of its apex, read as they come.
pub fn texts(zone: &ZoneReading) -> impl Iterator<Item = Text<'_>> {
    let all = zone.records().iter().chain(zone.texts_above());
    let sets = all.filter(|set| set.record_type == RecordType::Txt);
    sets.filter_map(move |set| match TxtRole::of(set) {
        TxtRole::Heritage(heritage) => Some(Text { zone, set, heritage }),
        TxtRole::Encrypted | TxtRole::Other => None,
    })
}

/// Those of a zone that may be left over, or that nobody here owns. What speaks for the apex of a zone below is
/// looked at there.
#[must_use]
pub fn suspects<'a>(
    world: &World<'a>,
    zone: &'a ZoneReading,
    lent: &BTreeSet<(&ZoneId, &DomainName)>,
) -> Vec<Text<'a>> {
    let is_lent = |text: &Text<'_>| !lent.is_empty() && lent.contains(&(&zone.zone.id, &text.set.name));
    texts(zone).filter(|text| !is_in_order(world, text) && !is_lent(text)).collect()
}

/// The ownership records that speak for the apex of a zone below, by the zone that they lie in.
pub fn lent<'a>(zones: impl Iterator<Item = &'a ZoneReading>) -> BTreeSet<(&'a ZoneId, &'a DomainName)> {
    let above = zones.filter_map(|zone| zone.above.as_deref());
    above.flat_map(|above| above.homes.iter().zip(above.texts.iter().map(|set| &set.name))).collect()
}

/// True if some instance here owns the record, and each that does wants the name in this zone, where
/// whatever the TXT speaks for is wanted by its very key. Then it is no orphan, what it speaks for is not
/// stale, and its name is managed.
fn is_in_order(world: &World<'_>, text: &Text<'_>) -> bool {
    let owns = |one: &&InstanceWants| text.heritage.owner == Some(&*one.instance.flags.owner_id);
    let mut owners = world.wants.iter().filter(owns).peekable();
    owners.peek().is_some() && owners.all(|one| is_wanted(world, one, text))
}

fn is_wanted(world: &World<'_>, wants: &InstanceWants, text: &Text<'_>) -> bool {
    let id = &text.zone.zone.id;
    let Some((name, record_type)) = wants.instance.owner_text(&text.set.name) else { return false };
    let exactly = |set: &RecordSet| {
        world.wanted(&set.name).any(|want| {
            want.zone_id() == Some(id)
                && want.record_type == set.record_type
                && want.set_identifier == set.set_identifier
        })
    };
    wants.wants.at_text(&name).iter().any(|want| want.zone_id() == Some(id))
        && owned_sets(text.zone, text.set, &name, record_type.as_ref()).all(exactly)
}
