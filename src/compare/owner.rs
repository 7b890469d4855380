//! Who owns a record, by the TXT registry. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::desired::merge::is_same;
use crate::model::heritage::{Heritage, TxtRole};
use crate::model::instance::{Instance, Registry};
use crate::model::record::RecordType;
use crate::model::want::{InstanceWants, Want};
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
    if owners.len() > 1 {
        return Ownership::Conflict(owners.into_iter().map(Arc::from).collect());
    }
    match owners.pop_first() {
        None => Ownership::Missing,
        Some(owner) if flags.owns(owner) => Ownership::Own,
        Some(owner) => Ownership::Foreign(owner.into()),
    }
}

/// From this release the ownership of an alias A is kept, and read, as that of an A.
const ALIAS_AS_A: Version = Version::new(0, 22, 0);

/// The names under which this version looks for the ownership of what stands there: for an alias A
/// as for a CNAME before v0.22.0, and for a plain A never so. Without a record all names count.
fn read_names(instance: &Instance, want: &Want, zone: &ZoneReading) -> Vec<DomainName> {
    let here = zone.at(&want.name).iter();
    let held = here
        .filter(|set| set.record_type == want.record_type)
        .find(|set| set.set_identifier == want.set_identifier);
    let unread = match held.filter(|_| want.record_type == RecordType::A).map(|set| set.content.alias()) {
        Some(None) => Some(RecordType::Cname),
        Some(Some(_)) if instance.effective_version() < ALIAS_AS_A => Some(RecordType::A),
        Some(Some(_)) | None => None,
    };
    names_by_type(instance, &want.name, &want.record_type, unread.as_ref())
}

/// The ownership records of a wanted name and type, in clear text.
#[must_use]
pub fn heritages<'a>(instance: &Instance, want: &Want, zone: &'a ZoneReading) -> Vec<Heritage<'a>> {
    let names = heritage_names(instance, &want.name, &want.record_type);
    let sets = names.iter().flat_map(|name| zone.at(name));
    sets.filter(|set| set.record_type == RecordType::Txt && set.set_identifier == want.set_identifier)
        .filter_map(|set| match TxtRole::of(set) {
            TxtRole::Heritage(heritage) => Some(heritage),
            TxtRole::Encrypted | TxtRole::Other => None,
        })
        .collect()
}

/// Where the wish's own member is not there: members of its routing set that stand for its object and that
/// the instance no longer wants, the wish under the identifier that it had before.
#[must_use]
pub fn former_members<'a>(wants: &InstanceWants, want: &Want, zone: &'a ZoneReading) -> Vec<&'a RecordSet> {
    if want.set_identifier.is_none() || zone.at(&want.name).iter().any(|set| want.is(&set.key())) {
        return Vec::new();
    }
    let made_for_it = |set: &RecordSet| {
        let former = Want { set_identifier: set.set_identifier.clone(), ..want.clone() };
        heritages(&wants.instance, &former, zone).iter().any(|heritage| {
            let object = heritage.object();
            heritage.owner == Some(&*wants.instance.flags.owner_id)
                && object.is_some_and(|held| want.objects.iter().any(|object| is_same(&held, object)))
        })
    };
    let here = zone.at(&want.name).iter();
    here.filter(|set| set.record_type == want.record_type && set.set_identifier.is_some())
        .filter(|set| !wants.at(&want.name).iter().any(|other| other.is(&set.key())))
        .filter(|set| made_for_it(set))
        .collect()
}

/// Every name under which some release keeps the ownership of this name and type.
#[must_use]
pub fn heritage_names(instance: &Instance, name: &DomainName, record_type: &RecordType) -> Vec<DomainName> {
    names_by_type(instance, name, record_type, None)
}

/// The same without the name that holds this type.
fn names_by_type(
    instance: &Instance,
    name: &DomainName,
    record_type: &RecordType,
    without: Option<&RecordType>,
) -> Vec<DomainName> {
    let affixes = &instance.flags.affixes;
    // Aliases of type A carried the prefix of a CNAME from v0.12.0 to v0.21.0.
    let as_alias = (*record_type == RecordType::A).then_some(&RecordType::Cname);
    let kinds = [Some(record_type), as_alias].into_iter().flatten().filter(|kind| Some(*kind) != without);
    let mut names: Vec<DomainName> = kinds.map(|kind| affixes.typed_name(name, kind)).collect();
    // Records of this type were never kept under a plain name. Source: registry/txt.go, `Records`.
    if *record_type != RecordType::Aaaa {
        let plain = affixes.plain_name(name);
        if !is_read_for_another(instance, name, &plain) {
            names.push(plain);
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The plain name of `a-x` is what every release that knows types reads as that of the A at `x`.
fn is_read_for_another(instance: &Instance, name: &DomainName, plain: &DomainName) -> bool {
    matches!(instance.owner_name(plain), Some((other, Some(_))) if other != *name)
}

/// True if a heritage record exists for a name that has no record: a left-over that blocks.
#[must_use]
pub fn has_heritage(instance: &Instance, want: &Want, zone: &ZoneReading) -> bool {
    !matches!(ownership(instance, want, zone), Ownership::Missing | Ownership::Unknown)
}
