//! Ownership records of clusters that nobody here knows, under affixes of their own. Pure.
//!
//! An instance looks for ownership under its own affixes only, and takes for nobody's what somebody else keeps under
//! others. Whoever replaces such a record takes it from its owner.

use std::sync::Arc;

use crate::compare::texts::Text;
use crate::compare::world::World;
use crate::model::heritage::TxtAffixes;
use crate::model::record::{RecordKey, RecordSet, RecordType};
use crate::model::table::Table;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ZoneId};

/// Who owns what stands there, by the names of ownership records alone.
#[derive(Debug, Default)]
pub struct Strangers(Table<ZoneId, Table<RecordKey, Arc<str>>>);

/// What the registry writes in front of the name of an address or a CNAME, the longest first.
const TYPED: [&str; 3] = ["cname-", "aaaa-", "a-"];

/// Reads the names of all ownership records that no instance here has written.
#[must_use]
pub fn strangers(world: &World<'_>) -> Strangers {
    let mut found = Strangers::default();
    for zone in world.zones().into_iter().flat_map(|zones| zones.zones.values()) {
        for text in world.suspects(zone) {
            let Some(owner) = text.heritage.owner.filter(|owner| !owner.is_empty()) else { continue };
            if world.wants.iter().any(|one| one.instance.flags.owns(owner)) || is_read_plainly(&text) {
                continue;
            }
            if let Some(key) = spoken_for(&text) {
                found.0.entry(zone.zone.id.clone()).or_default().insert(key, owner.into());
            }
        }
    }
    found
}

// === impl Strangers ===

impl Strangers {
    /// The owner id of a record that stands; `None` where no such text speaks for it.
    #[must_use]
    pub fn owner(&self, zone: &ZoneReading, key: &RecordKey) -> Option<Arc<str>> {
        self.0.get(&zone.zone.id)?.get(key).cloned()
    }
}

/// True if the text speaks for something under the names without affixes.
fn is_read_plainly(text: &Text<'_>) -> bool {
    let names = TxtAffixes::default().readings(&text.set.name);
    names.iter().any(|name| text.zone.at(name).iter().any(|set| set.record_type != RecordType::Txt))
}

/// The record that stands and of which the name of a text is made with some prefix or suffix that ends, or begins,
/// with a separator. A name without a type in it fits too many.
fn spoken_for(text: &Text<'_>) -> Option<RecordKey> {
    let name = text.set.name.as_str();
    let breaks = |part: &'_ str| -> Vec<usize> {
        part.char_indices().filter(|(_, one)| matches!(one, '-' | '.' | '_')).map(|(at, _)| at).collect()
    };
    let behind_prefix = breaks(name).into_iter().filter_map(|at| {
        let (kind, host) = typed(name.get(at.checked_add(1)?..)?)?;
        standing(text, host, kind)
    });
    let (first, rest) = name.split_once('.')?;
    let before_suffix = typed(first).into_iter().flat_map(|(kind, bare)| {
        let hosts = breaks(bare).into_iter().filter_map(|at| Some(format!("{}.{rest}", bare.get(..at)?)));
        hosts.filter_map(|host| standing(text, &host, kind)).collect::<Vec<_>>()
    });
    behind_prefix.chain(before_suffix).next()
}

fn typed(text: &str) -> Option<(&'static str, &str)> {
    TYPED.iter().find_map(|kind| Some((*kind, text.strip_prefix(kind)?)))
}

/// The record of that type, or the alias that was kept as a CNAME.
fn standing(text: &Text<'_>, host: &str, kind: &str) -> Option<RecordKey> {
    let host = DomainName::new(host);
    let sets = if host.is_within(&text.zone.zone.name) { text.zone.at(&host) } else { &[] };
    let fits = |record_type: &RecordType, is_alias: bool| match kind {
        "cname-" => *record_type == RecordType::Cname || *record_type == RecordType::A && is_alias,
        "aaaa-" => *record_type == RecordType::Aaaa,
        _ => *record_type == RecordType::A,
    };
    let of_member = sets.iter().filter(|set| set.set_identifier == text.set.set_identifier);
    of_member.filter(|set| fits(&set.record_type, set.content.alias().is_some())).map(RecordSet::key).next()
}
