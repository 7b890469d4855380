//! The ownership records of a round that need a look: nearly all stand beside a record that their instance
//! wants as it is, and say nothing to any rule about left-overs. Pure.

use crate::compare::leftovers::owned_sets;
use crate::compare::world::World;
use crate::model::heritage::{Heritage, TxtRole};
use crate::model::record::{RecordSet, RecordType};
use crate::model::want::InstanceWants;
use crate::model::zone::ZoneReading;

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

/// All ownership records of a zone, read as they come.
pub fn texts(zone: &ZoneReading) -> impl Iterator<Item = Text<'_>> {
    let sets = zone.records().iter().filter(|set| set.record_type == RecordType::Txt);
    sets.filter_map(move |set| match TxtRole::of(set) {
        TxtRole::Heritage(heritage) => Some(Text { zone, set, heritage }),
        TxtRole::Encrypted | TxtRole::Other => None,
    })
}

/// Those of a zone that may be left over, or that nobody here owns.
#[must_use]
pub fn suspects<'a>(world: &World<'a>, zone: &'a ZoneReading) -> Vec<Text<'a>> {
    texts(zone).filter(|text| !is_in_order(world, text)).collect()
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
    let Some((name, record_type)) = wants.instance.owner_name(&text.set.name) else { return false };
    let exactly = |set: &RecordSet| {
        world.wanted(&set.name).any(|want| {
            want.zone_id() == Some(id)
                && want.record_type == set.record_type
                && want.set_identifier == set.set_identifier
        })
    };
    wants.at(&name).iter().any(|want| want.zone_id() == Some(id))
        && owned_sets(text.zone, text.set, &name, record_type.as_ref()).all(exactly)
}
