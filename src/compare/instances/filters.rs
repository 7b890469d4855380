//! Flags that keep an instance from starting or from handling any zone. Pure.

use std::collections::BTreeSet;

use crate::compare::fix::flags::given_filters;
use crate::compare::instances::start;
use crate::compare::live::told_to_users;
use crate::compare::verdict::Candidate;
use crate::compare::wishes::served_elsewhere;
use crate::compare::world::World;
use crate::desired::nearest::nearest;
use crate::finding::{Impact, Kind, Reason, SilentReason};
use crate::model::DomainName;
use crate::model::instance::{Flags, Policy, ZoneType};
use crate::model::observation::Outcome;
use crate::model::text::printable;
use crate::model::want::{InstanceWants, Placement, Want};
use crate::model::zone::Zones;
use crate::report::Fix;
use crate::snapshot::{ViewName, ViewState};

/// For a release that does not start without a policy.
pub(super) const SET_POLICY: &str = "Set --policy; sync was the default up to v0.21.0.";

/// From v0.22.0 the program does not start without `--policy`.
pub(super) fn policy_missing(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let instance = &wants.instance;
    // A Pod that runs must have got its policy from where we cannot look.
    let runs = instance.pods.iter().any(|pod| pod.ready && pod.waiting.is_none());
    if instance.flags.policy != Policy::Missing || runs || instance.workload.is_none() {
        return None;
    }
    let mut candidate =
        start(world, wants, Kind::ControllerMisconfigured, Reason::PolicyMissing, Impact::Latent);
    candidate.summary = format!(
        "ExternalDNS {} {} does not start without --policy.",
        instance.effective_version(),
        instance.id
    );
    candidate.fix = Fix { summary: SET_POLICY.to_owned(), ..Fix::default() };
    Some(candidate)
}

/// A filter value with quotes, or several values in one, which ExternalDNS takes by the letter.
pub(super) fn domain_filter_quoted(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let flags = &wants.instance.flags;
    let lists = [
        ("--domain-filter", &flags.domain_filter),
        ("--exclude-domains", &flags.exclude_domains),
        ("--zone-id-filter", &flags.zone_id_filter),
    ];
    let odd = lists.into_iter().flat_map(|(flag, values)| values.iter().map(move |value| (flag, value)));
    let odd = odd.filter(|(_, value)| value.contains(['"', '\'', ',']));
    // A comma has its own meaning in a regular expression, as in `{1,3}`.
    let expressions = [
        ("--regex-domain-filter", &flags.regex_domain_filter),
        ("--regex-domain-exclusion", &flags.regex_domain_exclusion),
    ];
    let odd = odd.chain(expressions.into_iter().filter(|(_, value)| value.contains(['"', '\''])));
    let odd: Vec<String> = odd.map(|(flag, value)| format!("{flag}={value}")).collect();
    let first = odd.first().map(|text| printable(text))?;
    let impact = unserved(world, wants).unwrap_or(Impact::Latent);
    let mut candidate =
        start(world, wants, Kind::ControllerMisconfigured, Reason::DomainFilterQuoted, impact);
    candidate.onset = wants.instance.changed_at;
    candidate.evidence = odd;
    candidate.summary = format!(
        "The filter {first} of ExternalDNS {} carries quotes or commas, which match no name.",
        wants.instance.id
    );
    candidate.fix = Fix {
        summary: "Write the value without quotes, and the flag once for each value.".to_owned(),
        ..Fix::default()
    };
    Some(candidate)
}

/// The filters leave the instance no zone, although the account has zones.
pub(super) fn zone_filter_matches_nothing(world: &World<'_>, wants: &InstanceWants) -> Option<Candidate> {
    let flags = &wants.instance.flags;
    let zones = world.zones()?;
    // Tags are not read everywhere; a filter on what is unknown matches nothing for us alone.
    let tags_unknown = !flags.zone_tags.is_empty() && zones.zones.values().all(|one| one.zone.tags.is_none());
    // That the account has no zone of the type is the business of each name, `no_zone(wrong_type)`.
    let typed = |private: bool| match flags.zone_type {
        ZoneType::Any => true,
        ZoneType::Public => !private,
        ZoneType::Private => private,
    };
    if !zones.zones.values().any(|one| typed(one.zone.private)) {
        return None;
    }
    // What cannot be read of one zone is no matter of the list.
    let whole = world.snapshot.route53.state == ViewState::Read && world.snapshot.accounts_read();
    if !wants.zones.is_empty() || tags_unknown || !whole || works_elsewhere(world, wants) {
        return None;
    }
    let impact = unserved(world, wants).unwrap_or(Impact::Latent);
    let mut candidate =
        start(world, wants, Kind::ControllerMisconfigured, Reason::ZoneFilterMatchesNothing, impact);
    candidate.onset = wants.instance.changed_at;
    candidate.rests_on = &[ViewName::Kubernetes, ViewName::Route53];
    candidate.evidence =
        zones.zones.values().take(5).map(|one| format!("not handled: {}", one.zone.name)).collect();
    candidate.summary =
        format!("The filters of ExternalDNS {} match none of the account's hosted zones.", wants.instance.id);
    let meant = meant(flags, zones);
    let meant = meant.map(|(typed, zone)| format!(" Is {typed} a typo of {zone}?")).unwrap_or_default();
    candidate.fix = Fix {
        summary: format!("Correct {}: no zone of the account fits.{meant}", given_filters(flags)),
        ..Fix::default()
    };
    Some(candidate)
}

/// A value of `--domain-filter` that is a typo, and the zone that it was meant for.
fn meant<'a>(flags: &'a Flags, zones: &'a Zones) -> Option<(&'a str, &'a DomainName)> {
    flags.domain_filter.iter().find_map(|value| {
        let typed = DomainName::new(value.trim_start_matches('.'));
        let zone = nearest(&typed, zones.zones.values().map(|reading| &reading.zone.name))?;
        Some((value.as_str(), zone))
    })
}

/// What users get of the names that the filters take out although a hosted zone would take them
/// and no other instance does; `None` when there is no such name.
fn unserved(world: &World<'_>, wants: &InstanceWants) -> Option<Impact> {
    let filtered = wants.unwanted.iter().filter(|row| row.reason == SilentReason::DomainFilter);
    let homeless = wants.wants.iter().filter(|want| lacks_zone(want, Reason::FilteredOut));
    let names: BTreeSet<&DomainName> =
        filtered.filter_map(|row| row.name.as_ref()).chain(homeless.map(|want| &want.name)).collect();
    let others = |name: &DomainName| {
        let mut others = world.wants.iter().filter(|other| other.instance != wants.instance);
        others.any(|other| other.at(name).iter().any(|want| want.zone_id().is_some()))
    };
    let names = names.into_iter().filter(|name| !others(name));
    names.map(|name| impact_on(world, wants, name)).max_by_key(|impact| impact.weight())
}

/// True if the instance works in an account that we do not read: Route 53 serves a name of it from a
/// zone that is not there.
fn works_elsewhere(world: &World<'_>, wants: &InstanceWants) -> bool {
    let mut unknown = wants.wants.iter().filter(|want| lacks_zone(want, Reason::NotFound));
    unknown.any(|want| served_elsewhere(world, &want.name))
}

fn lacks_zone(want: &Want, why: Reason) -> bool {
    match &want.placement {
        Placement::NoZone(no_zone) => no_zone.reason == why,
        Placement::Zone(_) | Placement::Unknown => false,
    }
}

fn impact_on(world: &World<'_>, wants: &InstanceWants, name: &DomainName) -> Impact {
    let seen = told_to_users(world, wants, name, None);
    if seen.is_empty() {
        let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
        let recorded =
            zones.into_iter().any(|zone| zone.at(name).iter().any(|set| set.record_type.is_address()));
        return if recorded { Impact::Latent } else { Impact::Down };
    }
    let denied = seen.iter().all(|answer| answer.outcome != Outcome::Answer);
    if denied { Impact::Down } else { Impact::Latent }
}
