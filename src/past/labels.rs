//! Which wanted name an answer is about: a wildcard is asked by labels that are made up. Pure.
//!
//! Source: findings.md section 8, rule 10; RFC 4592 section 2.2.

use crate::model::DomainName;
use crate::model::observation::Observation;
use crate::model::table::Table;
use crate::model::want::InstanceWants;
use crate::model::zone::Zones;
use crate::past::names::Names;

/// The wanted wildcards of a round.
pub(super) struct Labels<'a> {
    /// Wildcards by the name that they stand under.
    wildcards: Table<&'a str, &'a DomainName>,
    names: &'a Names,
    zones: Option<&'a Zones>,
}

// === impl Labels ===

impl<'a> Labels<'a> {
    /// `names`: with the wishes of this round.
    pub(super) fn of(wants: &'a [InstanceWants], names: &'a Names, zones: Option<&'a Zones>) -> Self {
        let wildcards = wants.iter().flat_map(InstanceWants::wildcards).map(|want| &want.name);
        let wildcards = wildcards.filter_map(|name| Some((name.as_str().split_once('.')?.1, name)));
        Self { wildcards: wildcards.collect(), names, zones }
    }

    /// The name that was asked for, or the wanted wildcard that answers for it: nobody wants the name itself, and no
    /// zone has it.
    pub(super) fn name_of<'s>(&'s self, seen: &'s Observation) -> &'s DomainName {
        if self.wildcards.is_empty() {
            return &seen.name;
        }
        let parent = seen.name.as_str().split_once('.').map(|(_, rest)| rest);
        let wildcard = parent.and_then(|parent| self.wildcards.get(parent)).copied();
        wildcard.filter(|_| !self.exists(&seen.name)).unwrap_or(&seen.name)
    }

    fn exists(&self, name: &DomainName) -> bool {
        let mut zones = self.zones.into_iter().flat_map(|zones| zones.zones.values());
        self.names.contains(name)
            || zones.any(|zone| name.is_within(&zone.zone.name) && !zone.at(name).is_empty())
    }
}
