//! Who owns a record, by the TXT registry. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::desired::merge::is_same;
use crate::desired::versions::{Behaviour, does};
use crate::model::heritage::{Heritage, TxtAffixes, TxtRole};
use crate::model::instance::{Instance, Registry};
use crate::model::record::RecordType;
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef, RecordSet, Version};

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

/// The ownership records of a wish in one zone, and what they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Who owns the record, by the names that this version reads.
    pub ownership: Ownership,
    /// True if any record that some release reads stands there.
    pub is_held: bool,
    /// True if one of them names another owner, or none.
    pub is_strange: bool,
    /// True if the owner has several: an older one beside the new one.
    pub has_extra: bool,
}

/// Reads the ownership of a wanted name and type.
#[must_use]
pub fn ownership(instance: &Instance, want: &Want, zone: &ZoneReading) -> Ownership {
    Title::of(instance, want, zone, zone.at(&want.name)).ownership
}

// === impl Title ===

impl Title {
    const UNKNOWN: Self =
        Self { ownership: Ownership::Unknown, is_held: false, is_strange: false, has_extra: false };

    /// Reads the registry. Where it is kept elsewhere or encrypted, nothing is known. `here`: the record sets at
    /// the name of the wish.
    #[must_use]
    pub fn of(instance: &Instance, want: &Want, zone: &ZoneReading, here: &[RecordSet]) -> Self {
        let flags = &instance.flags;
        if !flags.shows_ownership() {
            // A registry beside the zones has no row for what another one holds in plain sight.
            let is_beside = matches!(flags.registry, Registry::Dynamodb | Registry::Crd);
            let owners = if is_beside {
                owners_under(&TxtAffixes::default(), instance, want, zone)
            } else {
                BTreeSet::new()
            };
            return owners.first().map_or(Self::UNKNOWN, |owner| Self {
                ownership: Ownership::Foreign((*owner).into()),
                ..Self::UNKNOWN
            });
        }
        let unread = unread_type(instance, want, here);
        let mut title = Self { ownership: Ownership::Missing, ..Self::UNKNOWN };
        let (mut owners, mut is_opaque, mut own) = (BTreeSet::new(), false, 0_usize);
        let mut unread_owners = BTreeSet::new();
        // The half that was added behind the plan had no ownership record, and was read back as that of the A.
        let is_added = want.companion && !does(instance.effective_version(), Behaviour::AliasBothFamilies);
        for kind in kept_types(if is_added { &RecordType::A } else { &want.record_type }) {
            let text = flags.affixes.txt_text(want.name.as_str(), kind);
            let all = if text == want.name.as_str() { here } else { zone.at_text(&text) };
            let texts = || all.iter().filter(|set| set.record_type == RecordType::Txt);
            // Whose the name is is asked only where something stands.
            if texts().next().is_none()
                || kind.is_none() && is_read_for_another(instance, &want.name, &DomainName::new(&text))
            {
                continue;
            }
            let mut is_own = false;
            for set in texts() {
                let is_of_member = set.set_identifier == want.set_identifier;
                let is_read = kind.is_none() || kind != unread.as_ref();
                let counts = is_read && is_of_member;
                match TxtRole::of(set) {
                    TxtRole::Heritage(heritage) => {
                        // Whoever else owns it does so whether this version reads it or not.
                        if is_of_member && !counts {
                            unread_owners.extend(heritage.owner.filter(|owner| !flags.owns(owner)));
                        }
                        title.is_held = true;
                        is_own |= heritage.owner == Some(&flags.owner_id);
                        title.is_strange |= heritage.owner != Some(&flags.owner_id);
                        // What names no owner is nobody's.
                        if counts {
                            owners.extend(heritage.owner.filter(|owner| !owner.is_empty()));
                        }
                    }
                    TxtRole::Encrypted => is_opaque |= counts,
                    TxtRole::Other => {}
                }
            }
            own += usize::from(is_own);
        }
        title.has_extra = 1 < own;
        if owners.is_empty() {
            let plain = owners_by_default(instance, want, zone);
            owners = if unread_owners.is_empty() { plain } else { unread_owners };
            title.is_strange |= !owners.is_empty();
        }
        title.ownership = match owners.first() {
            _ if is_opaque => Ownership::Unknown,
            // It may lie where nobody could look.
            None if want.name == zone.zone.name
                && zone.above.as_ref().is_some_and(|above| above.is_unread) =>
            {
                Ownership::Unknown
            }
            _ if 1 < owners.len() => Ownership::Conflict(owners.into_iter().map(Arc::from).collect()),
            None => Ownership::Missing,
            Some(owner) if flags.owns(owner) => Ownership::Own,
            Some(owner) => Ownership::Foreign((*owner).into()),
        };
        title
    }
}

/// Other owners that keep a record under the name that every release gives its ownership, where this instance has
/// affixes and never looks.
fn owners_by_default<'a>(instance: &Instance, want: &Want, zone: &'a ZoneReading) -> BTreeSet<&'a str> {
    let default = TxtAffixes::default();
    if instance.flags.affixes == default {
        return BTreeSet::new();
    }
    owners_under(&default, instance, want, zone)
}

/// Other owners that keep a record under these affixes.
fn owners_under<'a>(
    affixes: &TxtAffixes,
    instance: &Instance,
    want: &Want,
    zone: &'a ZoneReading,
) -> BTreeSet<&'a str> {
    let flags = &instance.flags;
    let kinds = kept_types(&want.record_type).flatten();
    let texts = kinds.map(|kind| affixes.txt_text(want.name.as_str(), Some(kind)));
    let sets = texts.flat_map(|text| zone.at_text(&text));
    let texts =
        sets.filter(|set| set.record_type == RecordType::Txt && set.set_identifier == want.set_identifier);
    let owners = texts.filter_map(|set| match TxtRole::of(set) {
        TxtRole::Heritage(heritage) => heritage.owner,
        TxtRole::Encrypted | TxtRole::Other => None,
    });
    owners.filter(|owner| !flags.owns(owner)).collect()
}

/// From this release the ownership of an alias A is kept, and read, as that of an A.
const ALIAS_AS_A: Version = Version::new(0, 22, 0);

/// The type under whose name this version does not look for the ownership of what stands there: for an
/// alias A it looks as for a CNAME before v0.22.0, and for a plain A never so. Without a record all names
/// count.
fn unread_type(instance: &Instance, want: &Want, here: &[RecordSet]) -> Option<RecordType> {
    let held = here
        .iter()
        .filter(|set| set.record_type == want.record_type)
        .find(|set| set.set_identifier == want.set_identifier);
    match held.filter(|_| want.record_type == RecordType::A).map(|set| set.content.alias()) {
        Some(None) => Some(RecordType::Cname),
        Some(Some(_)) if instance.effective_version() < ALIAS_AS_A => Some(RecordType::A),
        Some(Some(_)) | None => None,
    }
}

/// The types under whose names some release keeps the ownership of this one; `None` for the name without a
/// type.
fn kept_types(record_type: &RecordType) -> impl Iterator<Item = Option<&RecordType>> {
    // Aliases of type A carried the prefix of a CNAME from v0.12.0 to v0.21.0.
    let as_alias = (*record_type == RecordType::A).then_some(Some(&RecordType::Cname));
    // Records of this type were never kept under a plain name. Source: registry/txt.go, `Records`.
    let plain = (*record_type != RecordType::Aaaa).then_some(None);
    [Some(Some(record_type)), as_alias, plain].into_iter().flatten()
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

/// True if nothing stands at the name whose ownership lies where that of the wish's own member does: that of the
/// other address family has a name of its own.
#[must_use]
pub fn is_free(want: &Want, zone: &ZoneReading) -> bool {
    let shares = |set: &RecordSet| {
        set.record_type == want.record_type
            || set.record_type == RecordType::Cname
            || want.record_type == RecordType::Cname && set.record_type.is_address()
    };
    let is_member = |set: &RecordSet| shares(set) && set.set_identifier == want.set_identifier;
    !zone.at(&want.name).iter().any(is_member)
}

/// True if what is read as the ownership of a name was written for another object that asks for its own name still:
/// in the old format the TXT of `a-b` has the name of that of an A at `b`.
#[must_use]
pub fn speaks_for_another(wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> bool {
    let held = heritages(&wants.instance, want, zone);
    let mut held = held.iter().filter_map(|heritage| heritage.object()).peekable();
    let asks = |object: &ObjectRef, want: &Want| want.objects.iter().any(|one| is_same(object, one));
    held.peek().is_some()
        && held.all(|object| !asks(&object, want) && wants.wants.iter().any(|other| asks(&object, other)))
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

/// Every name under which some release keeps the ownership of this name and type, sorted.
#[must_use]
pub fn heritage_names(instance: &Instance, name: &DomainName, record_type: &RecordType) -> Vec<DomainName> {
    let affixes = &instance.flags.affixes;
    let named = kept_types(record_type).map(|kind| match kind {
        Some(kind) => (kind.as_str(), affixes.typed_name(name, kind)),
        None => ("", affixes.plain_name(name)),
    });
    let own = named.filter(|(kind, txt)| !kind.is_empty() || !is_read_for_another(instance, name, txt));
    let mut names: Vec<DomainName> = own.map(|(_, txt)| txt).collect();
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
