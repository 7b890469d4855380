//! The ownership records of a round that need a look: nearly all stand beside a record that their instance
//! wants as it is, and say nothing to any rule about left-overs. Pure.

use std::collections::BTreeSet;

use crate::compare::leftovers::owned_among;
use crate::compare::world::Wished;
use crate::model::by_name::Finger;
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

/// Ownership records by zone and name.
pub type Lent<'a> = BTreeSet<(&'a ZoneId, &'a DomainName)>;

/// All ownership records of a zone and of its apex, read as they come.
pub fn texts(zone: &ZoneReading) -> impl Iterator<Item = Text<'_>> {
    sets(zone).filter_map(|set| text(zone, set))
}

/// One of the record sets by its place among [`sets`], as an ownership record.
#[must_use]
pub fn text_at(zone: &ZoneReading, place: usize) -> Option<Text<'_>> {
    let records: &[RecordSet] = zone.records();
    let above = || zone.texts_above().get(place.checked_sub(records.len())?);
    text(zone, records.get(place).or_else(above)?)
}

/// The record sets of a zone, and what speaks for its apex above.
fn sets(zone: &ZoneReading) -> impl Iterator<Item = &RecordSet> {
    zone.records().iter().chain(zone.texts_above())
}

fn text<'a>(zone: &'a ZoneReading, set: &'a RecordSet) -> Option<Text<'a>> {
    if set.record_type != RecordType::Txt {
        return None;
    }
    match TxtRole::of(set) {
        TxtRole::Heritage(heritage) => Some(Text { zone, set, heritage }),
        TxtRole::Encrypted | TxtRole::Other => None,
    }
}

/// Where among the record sets of a zone those are that may be left over, or that nobody here owns. What speaks for the
/// apex of a zone below is looked at there.
///
/// `wished`: what is wanted in the zone, sorted by name.
#[must_use]
pub fn suspects(
    wants: &[InstanceWants],
    zone: &ZoneReading,
    wished: &[Wished<'_>],
    lent: &Lent<'_>,
) -> Vec<usize> {
    let is_lent = |text: &Text<'_>| !lent.is_empty() && lent.contains(&(&zone.zone.id, &text.set.name));
    // The names that the texts speak for come in the order of the texts.
    let mut fingers: Vec<_> = wants.iter().map(|wants| (wants, Finger::new(wished))).collect();
    let mut is_suspect = |text: &Text<'_>| !is_in_order(&mut fingers, text) && !is_lent(text);
    let places = sets(zone).enumerate();
    places
        .filter(|(_, set)| text(zone, set).is_some_and(|text| is_suspect(&text)))
        .map(|(at, _)| at)
        .collect()
}

/// The ownership records that speak for the apex of a zone below, by the zone that they lie in.
pub fn lent<'a>(zones: impl Iterator<Item = &'a ZoneReading>) -> Lent<'a> {
    let above = zones.filter_map(|zone| zone.above.as_deref());
    above.flat_map(|above| above.homes.iter().zip(above.texts.iter().map(|set| &set.name))).collect()
}

/// True if some instance here owns the record, and each that does wants the name in this zone, where
/// whatever the TXT speaks for is wanted by its very key. Then it is no orphan, what it speaks for is not
/// stale, and its name is managed.
fn is_in_order(fingers: &mut [(&InstanceWants, Finger<'_, Wished<'_>>)], text: &Text<'_>) -> bool {
    let mut owners = 0_usize;
    for (place, (wants, finger)) in fingers.iter_mut().enumerate() {
        if text.heritage.owner != Some(&*wants.instance.flags.owner_id) {
            continue;
        }
        owners = owners.saturating_add(1);
        let Some((name, record_type)) = wants.instance.owner_text(&text.set.name) else { return false };
        let wished = finger.at_text(&name);
        let is_exact = |set: &RecordSet| {
            wished.iter().any(|one| {
                one.want.record_type == set.record_type && one.want.set_identifier == set.set_identifier
            })
        };
        let is_own = wished.iter().any(|one| one.instance == place);
        let here = wished.first().map(|one| one.here).unwrap_or_default();
        if !is_own || !owned_among(here, text.set, record_type.as_ref()).all(is_exact) {
            return false;
        }
    }
    0 < owners
}
