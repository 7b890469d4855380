//! The command line of an instance in advice: what is given, with its value, and what its release has. Pure.

use crate::desired::placement::{ZoneFilter, zone_filters};
use crate::desired::versions::words::knows;
use crate::model::DomainName;
use crate::model::instance::{Flags, Instance, ZoneType};
use crate::model::zone::HostedZone;

/// Those of the flags and annotations that the release of the instance knows. One that nobody knows counts as the
/// newest.
#[must_use]
pub fn known<'a>(instance: &Instance, words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().filter(|word| knows(instance.effective_version(), word)).collect()
}

/// True if the release of the instance knows the flag or annotation.
#[must_use]
pub fn has(instance: &Instance, word: &str) -> bool {
    knows(instance.effective_version(), word)
}

/// A flag once for each value, as ExternalDNS wants it.
#[must_use]
pub fn each(flag: &str, values: &[String]) -> String {
    let words: Vec<String> = values.iter().map(|value| format!("{flag}={value}")).collect();
    words.join(" ")
}

/// The filter as it is given; empty when it is not.
#[must_use]
pub fn given(flags: &Flags, filter: ZoneFilter) -> String {
    match filter {
        ZoneFilter::Type => match flags.zone_type {
            ZoneType::Any => String::new(),
            ZoneType::Public => "--aws-zone-type=public".to_owned(),
            ZoneType::Private => "--aws-zone-type=private".to_owned(),
        },
        ZoneFilter::Id => each("--zone-id-filter", &flags.zone_id_filter),
        ZoneFilter::Tags => each("--aws-zone-tags", &flags.zone_tags),
        ZoneFilter::Names => each("--domain-filter", &flags.domain_filter),
        ZoneFilter::Exclusion => each("--exclude-domains", &flags.exclude_domains),
        ZoneFilter::Expression => {
            let rows = [
                ("--regex-domain-filter", &flags.regex_domain_filter),
                ("--regex-domain-exclusion", &flags.regex_domain_exclusion),
            ];
            let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
            rows.map(|(flag, value)| format!("{flag}={value}")).collect::<Vec<_>>().join(" ")
        }
    }
}

/// All filters on zones that are given.
#[must_use]
pub fn given_filters(flags: &Flags) -> String {
    let all = [
        ZoneFilter::Type,
        ZoneFilter::Id,
        ZoneFilter::Tags,
        ZoneFilter::Names,
        ZoneFilter::Exclusion,
        ZoneFilter::Expression,
    ];
    let given = all.into_iter().map(|filter| given(flags, filter)).filter(|text| !text.is_empty());
    given.collect::<Vec<_>>().join(" ")
}

/// What lets the zone in again, for each filter that leaves it out; empty when none does.
#[must_use]
pub fn letting_in(zone: &HostedZone, instance: &Instance) -> String {
    let flags = &instance.flags;
    let one = |filter: ZoneFilter| {
        let given = given(flags, filter);
        match filter {
            ZoneFilter::Type => {
                let kind = if zone.private { "private" } else { "public" };
                format!("{given} leaves the {kind} zone {} out: take it away", zone.name)
            }
            ZoneFilter::Id => {
                format!("{given} leaves zone {} out: add --zone-id-filter={}", zone.name, zone.id)
            }
            ZoneFilter::Tags => {
                format!("{given} leaves zone {} out: give the zone the tag, or change the flag", zone.name)
            }
            ZoneFilter::Names => {
                let below =
                    |value: &String| !value.starts_with('.') && DomainName::new(value).is_within(&zone.name);
                let is_parent =
                    flags.domain_filter.iter().any(below) && has(instance, "--aws-zone-match-parent");
                let add = if is_parent {
                    "--aws-zone-match-parent".to_owned()
                } else {
                    format!("--domain-filter={}", zone.name)
                };
                format!("{given} leaves zone {} out: add {add}", zone.name)
            }
            ZoneFilter::Exclusion => format!("{given} leaves zone {} out: take it away", zone.name),
            ZoneFilter::Expression => {
                format!("{given} leaves zone {} out: correct the expression", zone.name)
            }
        }
    };
    zone_filters(zone, instance).into_iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{instance, zone_reading};

    #[test]
    fn a_filter_is_told_as_it_is_given_and_with_what_to_add() {
        let zone = zone_reading("Z1", "example.com", Vec::new()).zone;
        let check = |args: &[&str], expected: &str| {
            assert_eq!(letting_in(&zone, &instance(args, "v0.21.0")), expected);
        };
        check(&[], "");
        check(&["--zone-id-filter=Z1", "--domain-filter=example.com"], "");
        check(
            &["--zone-id-filter=Z2", "--zone-id-filter=Z3"],
            "--zone-id-filter=Z2 --zone-id-filter=Z3 leaves zone example.com out: add --zone-id-filter=Z1",
        );
        check(
            &["--aws-zone-type=private", "--domain-filter=example.net"],
            "--aws-zone-type=private leaves the public zone example.com out: take it away; \
             --domain-filter=example.net leaves zone example.com out: add --domain-filter=example.com",
        );
        check(
            &["--domain-filter=app.example.com"],
            "--domain-filter=app.example.com leaves zone example.com out: add --aws-zone-match-parent",
        );
        check(
            &["--exclude-domains=example.com"],
            "--exclude-domains=example.com leaves zone example.com out: take it away",
        );
        check(
            &["--regex-domain-filter=^x$"],
            "--regex-domain-filter=^x$ leaves zone example.com out: correct the expression",
        );
    }

    #[test]
    fn only_what_the_release_has_is_offered() {
        let offer = |version| known(&instance(&[], version), &["--interval", "--provider-cache-time"]);
        assert_eq!(offer("v0.14.2"), ["--interval"]);
        assert_eq!(offer("v0.15.0"), ["--interval", "--provider-cache-time"]);
        assert_eq!(offer("latest").len(), 2);
    }
}
