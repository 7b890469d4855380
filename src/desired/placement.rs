//! Which zones an instance handles, and which of them take a name. Pure.
//!
//! Source: kubernetes-sigs/external-dns:endpoint/domain_filter.go, provider/aws/aws.go (`zones`,
//! `suitableZones`).

use regex::Regex;

use crate::desired::nearest::nearest;
use crate::desired::versions::{Behaviour, does};
use crate::finding::{Reason, SilentReason};
use crate::model::heritage::TxtRole;
use crate::model::instance::{Flags, Instance, Registry, ZoneType};
use crate::model::table::Table;
use crate::model::want::NoZone;
use crate::model::zone::{HostedZone, ZoneReading, Zones};
use crate::model::{DomainName, ZoneId};

/// The zones of an account as one instance sees them.
#[derive(Debug)]
pub struct ZoneView<'a> {
    zones: &'a Zones,
    filter: DomainFilter,
    in_view: Vec<&'a HostedZone>,
    /// The zones in view by name; of one name in the order of their ids.
    by_name: Table<&'a str, Vec<&'a HostedZone>>,
    zone_type: ZoneType,
    /// True if the zone filters are not known: the zones in view are those that hold records of the
    /// instance, and any other may be its, too.
    untold: bool,
}

/// Flags that choose zones or names.
const FILTERS: [&str; 7] = [
    "aws-zone-tags",
    "aws-zone-type",
    "domain-filter",
    "exclude-domains",
    "regex-domain-exclusion",
    "regex-domain-filter",
    "zone-id-filter",
];

/// Where a name goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    /// Into these zones.
    Zones(Vec<ZoneId>),
    /// Nowhere, and the instance's own domain filter says so: the rule in its own words.
    FilteredName(String),
    /// Nowhere, and nobody would expect it: a bare host, a special-use suffix, a foreign domain.
    Outside(String),
    /// Nowhere, and that is a fault.
    NoZone(NoZone),
}

/// `--domain-filter` and its companions.
#[derive(Debug)]
struct DomainFilter {
    include: Vec<String>,
    exclude: Vec<String>,
    regex: Option<Regex>,
    regex_exclude: Option<Regex>,
    /// Exclusions alone keep names out, and not only zones.
    excludes_names: bool,
}

/// Suffixes under which nobody can have a public hosted zone that matters: special-use names, the
/// reverse names of private addresses, and the wildcard-IP services that developers use. A hosted zone
/// that takes the name comes first all the same. Source: RFC 6761, RFC 6762, RFC 7686, RFC 8375, facts
/// of the services.
const OUTSIDE: [&str; 30] = [
    "local",
    "localhost",
    "invalid",
    "test",
    "example",
    "internal",
    "onion",
    "home.arpa",
    "10.in-addr.arpa",
    "16.172.in-addr.arpa",
    "17.172.in-addr.arpa",
    "18.172.in-addr.arpa",
    "19.172.in-addr.arpa",
    "20.172.in-addr.arpa",
    "21.172.in-addr.arpa",
    "22.172.in-addr.arpa",
    "23.172.in-addr.arpa",
    "24.172.in-addr.arpa",
    "25.172.in-addr.arpa",
    "26.172.in-addr.arpa",
    "27.172.in-addr.arpa",
    "28.172.in-addr.arpa",
    "29.172.in-addr.arpa",
    "30.172.in-addr.arpa",
    "31.172.in-addr.arpa",
    "168.192.in-addr.arpa",
    "nip.io",
    "sslip.io",
    "xip.io",
    "traefik.me",
];

// === impl ZoneView ===

impl<'a> ZoneView<'a> {
    /// Applies the zone filters of an instance.
    #[must_use]
    pub fn new(zones: &'a Zones, instance: &Instance) -> Self {
        let (flags, filter) = (&instance.flags, DomainFilter::new(instance));
        let untold = has_untold_filters(flags);
        let in_view: Vec<&HostedZone> = zones
            .zones
            .values()
            .map(|reading| &reading.zone)
            .filter(|zone| {
                type_matches(zone, flags.zone_type) && id_matches(zone, flags) && tags_match(zone, flags)
            })
            .filter(|zone| {
                filter.matches(&zone.name) || (flags.zone_match_parent && filter.has_child_of(&zone.name))
            })
            .filter(|zone| !untold || holds_own(zones, zone, flags))
            .collect();
        let mut by_name: Table<&str, Vec<&HostedZone>> = Table::default();
        for zone in &in_view {
            by_name.entry(zone.name.as_str()).or_default().push(zone);
        }
        Self { zones, filter, in_view, by_name, zone_type: flags.zone_type, untold }
    }

    /// Ids of the zones in view, sorted.
    #[must_use]
    pub fn ids(&self) -> Vec<ZoneId> {
        self.in_view.iter().map(|zone| zone.id.clone()).collect()
    }

    /// Chooses the zones of a name: all matching private zones and the longest public one.
    #[must_use]
    pub fn destination(&self, name: &DomainName, pinned: Option<&ZoneId>) -> Destination {
        if let Some(rule) = self.filter.excludes_name(name) {
            return self.filtered(name, rule);
        }
        let suitable = self.suitable(name);
        match pinned {
            Some(pin) if suitable.contains(pin) => return Destination::Zones(vec![pin.clone()]),
            Some(_) => {
                return Destination::NoZone(NoZone { reason: Reason::FilteredOut, nearest: None });
            }
            None => {}
        }
        if suitable.is_empty() { self.nowhere(name) } else { Destination::Zones(suitable) }
    }

    /// The zones in view that take a name, whatever the filters on names say: ownership records go
    /// where they fit.
    #[must_use]
    pub fn suitable(&self, name: &DomainName) -> Vec<ZoneId> {
        // The longest first.
        let over = || name.suffixes().filter_map(|suffix| self.by_name.get(suffix)).flatten();
        let private = over().filter(|zone| zone.private);
        // Two public zones of one name: ExternalDNS takes one at random; the smaller id is ours, so
        // that the verdict does not flicker.
        let public = over().find(|zone| !zone.private);
        let mut chosen: Vec<ZoneId> = private.chain(public).map(|zone| zone.id.clone()).collect();
        chosen.sort();
        chosen
    }

    /// The filter takes the name out: by design where a zone would take it, else it is foreign.
    fn filtered(&self, name: &DomainName, rule: String) -> Destination {
        let managed = self.zones.zones.values().any(|reading| name.is_within(&reading.zone.name));
        if managed { Destination::FilteredName(rule) } else { Destination::Outside(rule) }
    }

    fn nowhere(&self, name: &DomainName) -> Destination {
        let readable = self.zones.zones.values().map(|reading| &reading.zone);
        let candidate =
            readable.filter(|zone| name.is_within(&zone.name)).max_by_key(|zone| zone.name.as_str().len());
        // Somebody's own zone may have any name.
        if let Some(why) = outside(name).filter(|_| candidate.is_none()) {
            return Destination::Outside(why);
        }
        if self.untold {
            return Destination::Outside("the filters of the instance are not told by its object".to_owned());
        }
        let found = match candidate {
            Some(zone) if !type_matches(zone, self.zone_type) => (Reason::WrongType, Some(zone.name.clone())),
            Some(zone) => (Reason::FilteredOut, Some(zone.name.clone())),
            None => (Reason::NotFound, self.most_similar(name)),
        };
        Destination::NoZone(NoZone { reason: found.0, nearest: found.1 })
    }

    /// The zone that a misspelt name was meant for: one in view, else one that a filter with the same slip
    /// takes out of it.
    fn most_similar(&self, name: &DomainName) -> Option<DomainName> {
        let typed = self.zones.zones.values().map(|reading| &reading.zone);
        let typed = typed.filter(|zone| type_matches(zone, self.zone_type)).map(|zone| &zone.name);
        let in_view = self.in_view.iter().map(|zone| &zone.name);
        nearest(name, in_view).or_else(|| nearest(name, typed)).cloned()
    }
}

/// A filter of an instance that leaves a hosted zone out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneFilter {
    /// `--aws-zone-type`.
    Type,
    /// `--zone-id-filter`.
    Id,
    /// `--aws-zone-tags`.
    Tags,
    /// `--domain-filter`.
    Names,
    /// `--exclude-domains`.
    Exclusion,
    /// `--regex-domain-filter` or its exclusion.
    Expression,
}

/// The filters that leave a zone out of what the instance handles; empty when it handles it.
#[must_use]
pub fn zone_filters(zone: &HostedZone, instance: &Instance) -> Vec<ZoneFilter> {
    let (flags, filter) = (&instance.flags, DomainFilter::new(instance));
    let is_parent = || flags.zone_match_parent && filter.has_child_of(&zone.name);
    let by_name = filter.excludes(&zone.name).filter(|_| !is_parent());
    let by_name = by_name.map(|rule| match rule.split_once('=') {
        Some(("--domain-filter", _)) => ZoneFilter::Names,
        Some(("--exclude-domains", _)) => ZoneFilter::Exclusion,
        Some(_) | None => ZoneFilter::Expression,
    });
    let rows = [
        (!type_matches(zone, flags.zone_type)).then_some(ZoneFilter::Type),
        (!id_matches(zone, flags)).then_some(ZoneFilter::Id),
        (!tags_match(zone, flags)).then_some(ZoneFilter::Tags),
        by_name,
    ];
    rows.into_iter().flatten().collect()
}

/// The rule by which an instance leaves a name alone, in its own words; `None` when it would write it
/// or should.
///
/// Without zones the filters on names alone decide: whether a zone would take the name is unknown.
#[must_use]
pub fn leaves_alone(
    name: &DomainName,
    instance: &Instance,
    view: Option<&ZoneView<'_>>,
) -> Option<(SilentReason, String)> {
    let Some(view) = view else {
        return DomainFilter::new(instance)
            .excludes_name(name)
            .map(|rule| (SilentReason::DomainFilter, rule));
    };
    match view.destination(name, None) {
        Destination::FilteredName(rule) => Some((SilentReason::DomainFilter, rule)),
        Destination::Outside(why) => Some((SilentReason::OutsideManagedZones, why)),
        Destination::Zones(_) | Destination::NoZone(_) => None,
    }
}

/// False if the filters of the instance, on names or on zones, leave the name to others.
#[must_use]
pub fn takes(name: &DomainName, instance: &Instance, view: Option<&ZoneView<'_>>) -> bool {
    let Some(view) = view else { return leaves_alone(name, instance, None).is_none() };
    match view.destination(name, None) {
        Destination::Zones(_) => true,
        Destination::NoZone(none) => !matches!(none.reason, Reason::FilteredOut | Reason::WrongType),
        Destination::FilteredName(_) | Destination::Outside(_) => false,
    }
}

/// Why nobody expects a zone for this name; `None` when somebody may.
fn outside(name: &DomainName) -> Option<String> {
    if name.labels().count() < 2 {
        return Some("a bare host name lies in no zone".to_owned());
    }
    OUTSIDE
        .iter()
        .find(|suffix| name.is_within(&DomainName::new(suffix)))
        .map(|suffix| format!("names under .{suffix} lie in no hosted zone"))
}

/// True if nobody can tell which zones and names the instance leaves alone.
#[must_use]
pub fn has_untold_filters(flags: &Flags) -> bool {
    flags.untold.iter().any(|name| FILTERS.contains(name))
}

/// True if the instance has written into the zone, as far as its ownership can be told.
fn holds_own(zones: &Zones, zone: &HostedZone, flags: &Flags) -> bool {
    let records = zones.zones.get(&zone.id).map(ZoneReading::records).unwrap_or_default();
    flags.registry != Registry::Txt
        || flags.txt_encrypt
        || records.iter().any(|set| match TxtRole::of(set) {
            TxtRole::Heritage(heritage) => heritage.owner == Some(&flags.owner_id),
            TxtRole::Encrypted | TxtRole::Other => false,
        })
}

fn type_matches(zone: &HostedZone, wanted: ZoneType) -> bool {
    match wanted {
        ZoneType::Any => true,
        ZoneType::Public => !zone.private,
        ZoneType::Private => zone.private,
    }
}

fn id_matches(zone: &HostedZone, flags: &Flags) -> bool {
    let full = format!("/hostedzone/{}", zone.id);
    flags.zone_id_filter.is_empty()
        || flags.zone_id_filter.iter().any(|wanted| full.ends_with(wanted.as_str()))
}

/// Tags that nobody may read cannot rule a zone out.
fn tags_match(zone: &HostedZone, flags: &Flags) -> bool {
    let Some(tags) = &zone.tags else { return true };
    flags.zone_tags.iter().filter(|tag| !tag.is_empty()).all(|tag| match tag.split_once('=') {
        Some((key, value)) => tags.get(key).is_some_and(|found| found == value),
        None => tags.contains_key(tag),
    })
}

// === impl DomainFilter ===

impl DomainFilter {
    fn new(instance: &Instance) -> Self {
        let flags = &instance.flags;
        let does = |behaviour| does(instance.effective_version(), behaviour);
        let clean = |list: &[String]| -> Vec<String> {
            let text = |value: &String| value.trim().strip_suffix('.').unwrap_or(value.trim()).to_lowercase();
            list.iter().map(text).collect()
        };
        let (mut included, mut excluded) = (clean(&flags.domain_filter), clean(&flags.exclude_domains));
        if !does(Behaviour::EmptyFiltersSkipped) {
            // An empty value ended the search as an empty list does: all pass, and none is left out.
            if included.iter().any(String::is_empty) {
                included.clear();
            }
            excluded = excluded.into_iter().take_while(|value| !value.is_empty()).collect();
        }
        included.retain(|value| !value.is_empty());
        excluded.retain(|value| !value.is_empty());
        // A regular expression that does not compile keeps ExternalDNS from starting; matching
        // everything keeps the names visible meanwhile.
        let regex = |text: &str| if text.is_empty() { None } else { Regex::new(text).ok() };
        let (mut include, mut exclude) =
            (regex(&flags.regex_domain_filter), regex(&flags.regex_domain_exclusion));
        if !does(Behaviour::BothRegexes) {
            // One that is given counts alone, and the exclusion only beside the other.
            exclude = exclude.filter(|_| !flags.regex_domain_filter.is_empty());
            include = include.filter(|_| exclude.is_none());
        }
        Self {
            include: included,
            exclude: excluded,
            regex: include,
            regex_exclude: exclude,
            excludes_names: does(Behaviour::ExclusionOfNames),
        }
    }

    fn matches(&self, name: &DomainName) -> bool {
        self.excludes(name).is_none()
    }

    /// As [`Self::excludes`] for a name that is not that of a zone.
    fn excludes_name(&self, name: &DomainName) -> Option<String> {
        let has_regex = self.regex.is_some() || self.regex_exclude.is_some();
        let is_configured = has_regex || !self.include.is_empty() || self.excludes_names;
        if is_configured { self.excludes(name) } else { None }
    }

    /// The rule that takes the name out, in its own words; `None` when it stays.
    fn excludes(&self, name: &DomainName) -> Option<String> {
        if self.regex.is_some() || self.regex_exclude.is_some() {
            if let Some(regex) = self.regex_exclude.as_ref().filter(|regex| regex.is_match(name.as_str())) {
                return Some(format!("--regex-domain-exclusion={regex}"));
            }
            let regex = self.regex.as_ref()?;
            return (!regex.is_match(name.as_str())).then(|| format!("--regex-domain-filter={regex}"));
        }
        if let Some(value) = self.exclude.iter().find(|value| covers(value, name)) {
            return Some(format!("--exclude-domains={value}"));
        }
        let kept = self.include.is_empty() || self.include.iter().any(|value| covers(value, name));
        (!kept).then(|| format!("--domain-filter={}", self.include.join(",")))
    }

    /// As `MatchParent` does, which knows the lists alone: a regular expression keeps no zone out.
    fn has_child_of(&self, zone: &DomainName) -> bool {
        if self.exclude.iter().any(|value| covers(value, zone)) {
            return false;
        }
        let mut names = self.include.iter().filter(|value| !value.starts_with('.'));
        self.include.is_empty() || names.any(|value| DomainName::new(value).is_within(zone))
    }
}

/// A value with a leading dot covers only names below it.
fn covers(value: &str, name: &DomainName) -> bool {
    match value.strip_prefix('.') {
        Some(_) => name.as_str().ends_with(value),
        None => name.is_within(&DomainName::new(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_expects_a_zone_for_special_names() {
        let check = |name: &str, expected: bool| {
            assert_eq!(outside(&DomainName::new(name)).is_some(), expected, "{name}");
        };
        for name in ["web", "x.local", "x.onion", "x.home.arpa", "10.0.0.1.nip.io"] {
            check(name, true);
        }
        for name in ["1.2.3.10.in-addr.arpa", "1.0.16.172.in-addr.arpa", "1.1.168.192.in-addr.arpa"] {
            check(name, true);
        }
        check("app.example.com", false);
        check("onion.example.com", false);
        check("x.arpa", false);
        check("1.0.15.172.in-addr.arpa", false);
        check("1.0.32.172.in-addr.arpa", false);
        check("1.2.0.192.in-addr.arpa", false);
    }
}
