//! Who owns a record, by the TXT registry. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::heritage::{Heritage, TxtRole};
use crate::model::instance::{Instance, Registry};
use crate::model::record::RecordType;
use crate::model::want::Want;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, RecordSet, Version};

/// What the registry says about one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The instance owns it.
    Own,
    /// Somebody else does.
    Foreign(Arc<str>),
    /// Several owners.
    Conflict(Vec<Arc<str>>),
    /// Nobody.
    Missing,
    /// It cannot be known: encrypted, or kept elsewhere.
    Unknown,
}

/// Reads the ownership of a wanted name and type.
#[must_use]
pub fn ownership(instance: &Instance, want: &Want, zone: &ZoneReading) -> Ownership {
    let flags = &instance.flags;
    if flags.registry != Registry::Txt || flags.txt_encrypt {
        return Ownership::Unknown;
    }
    let sets: Vec<&RecordSet> = read_names(instance, want, zone)
        .iter()
        .flat_map(|name| zone.at(name))
        .filter(|set| set.record_type == RecordType::Txt && set.set_identifier == want.set_identifier)
        .collect();
    let mut owners = BTreeSet::new();
    for set in sets {
        match TxtRole::of(set) {
            TxtRole::Heritage(heritage) => {
                owners.insert(heritage.owner.unwrap_or_default());
            }
            TxtRole::Encrypted => return Ownership::Unknown,
            TxtRole::Other => {}
        }
    }
    let ours = |owner: &Arc<str>| {
        **owner == *flags.owner_id || (!owner.is_empty() && **owner == *flags.migrate_from_owner)
    };
    if owners.len() > 1 {
        return Ownership::Conflict(owners.into_iter().collect());
    }
    match owners.pop_first() {
        None => Ownership::Missing,
        Some(owner) if ours(&owner) => Ownership::Own,
        Some(owner) => Ownership::Foreign(owner),
    }
}

/// From this release the ownership of an alias A is kept, and read, as that of an A.
const ALIAS_AS_A: Version = Version::new(0, 22, 0);

/// The names under which this version looks for the ownership of what stands there: for an alias A
/// as for a CNAME before v0.22.0, and for a plain A never so. Without a record all names count.
fn read_names(instance: &Instance, want: &Want, zone: &ZoneReading) -> Vec<DomainName> {
    let affixes = &instance.flags.affixes;
    let mut names = heritage_names(instance, &want.name, &want.record_type);
    let here = zone.at(&want.name).iter();
    let held = here
        .filter(|set| set.record_type == want.record_type)
        .find(|set| set.set_identifier == want.set_identifier);
    let Some(held) = held.filter(|_| want.record_type == RecordType::A) else { return names };
    let unread = match held.content.alias() {
        None => Some(RecordType::Cname),
        Some(_) if instance.effective_version() < ALIAS_AS_A => Some(RecordType::A),
        Some(_) => None,
    };
    if let Some(unread) = unread {
        let unread = affixes.typed_name(&want.name, &unread);
        // With a template in the affix several of these are one name.
        let plain = affixes.plain_name(&want.name);
        names.retain(|name| *name != unread || *name == plain);
    }
    names
}

/// The ownership records of a wanted name and type, in clear text.
#[must_use]
pub fn heritages(instance: &Instance, want: &Want, zone: &ZoneReading) -> Vec<Heritage> {
    let names = heritage_names(instance, &want.name, &want.record_type);
    let sets = names.iter().flat_map(|name| zone.at(name));
    sets.filter(|set| set.record_type == RecordType::Txt && set.set_identifier == want.set_identifier)
        .filter_map(|set| match TxtRole::of(set) {
            TxtRole::Heritage(heritage) => Some(heritage),
            TxtRole::Encrypted | TxtRole::Other => None,
        })
        .collect()
}

/// Every name under which some release keeps the ownership of this name and type.
#[must_use]
pub fn heritage_names(instance: &Instance, name: &DomainName, record_type: &RecordType) -> Vec<DomainName> {
    let affixes = &instance.flags.affixes;
    let mut names = vec![affixes.typed_name(name, record_type), affixes.plain_name(name)];
    if *record_type == RecordType::A {
        // Aliases of type A carried the prefix of a CNAME from v0.12.0 to v0.21.0.
        names.push(affixes.typed_name(name, &RecordType::Cname));
    }
    names.sort();
    names.dedup();
    names
}

/// True if a heritage record exists for a name that has no record: a left-over that blocks.
#[must_use]
pub fn has_heritage(instance: &Instance, want: &Want, zone: &ZoneReading) -> bool {
    !matches!(ownership(instance, want, zone), Ownership::Missing | Ownership::Unknown)
}
