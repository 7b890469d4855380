//! Flags in force as a person would write them. Pure.

use std::time::Duration;

use crate::model::instance::{Flags, Policy, Registry, ZoneType};

/// Name and value of the flags that shape records, defaults of the version included; what is empty
/// or off is left out. Carries no secret: the ones of ExternalDNS are not among them.
#[must_use]
pub fn shown(flags: &Flags) -> Vec<(&'static str, String)> {
    let list = |values: &[String]| values.join(", ");
    let switch = |on: bool| if on { String::from("on") } else { String::new() };
    let rows = [
        ("--source", list(&flags.sources)),
        ("--provider", flags.provider.clone()),
        ("--policy", policy(flags.policy).to_owned()),
        ("--registry", registry(flags.registry).to_owned()),
        ("--txt-owner-id", flags.owner_id.clone()),
        ("--txt-prefix", flags.affixes.prefix.clone()),
        ("--txt-suffix", flags.affixes.suffix.clone()),
        ("--txt-wildcard-replacement", flags.affixes.wildcard_replacement.clone()),
        ("--txt-encrypt-enabled", switch(flags.txt_encrypt && flags.untold.is_empty())),
        ("--migrate-from-txt-owner", flags.migrate_from_owner.clone()),
        ("--annotation-prefix", flags.annotation_prefix.clone()),
        ("--annotation-filter", flags.annotation_filter.clone()),
        ("--label-filter", flags.label_filter.clone()),
        ("--namespace", flags.namespace.clone()),
        ("--ingress-class", list(&flags.ingress_classes)),
        ("--ignore-ingress-rules-spec", switch(flags.ignore_ingress_rules)),
        ("--ignore-ingress-tls-spec", switch(flags.ignore_ingress_tls)),
        ("--ignore-hostname-annotation", switch(flags.ignore_hostname_annotation)),
        ("--fqdn-template", list(&flags.fqdn_templates)),
        ("--combine-fqdn-annotation", switch(flags.combine_fqdn)),
        ("--domain-filter", list(&flags.domain_filter)),
        ("--exclude-domains", list(&flags.exclude_domains)),
        ("--regex-domain-filter", flags.regex_domain_filter.clone()),
        ("--regex-domain-exclusion", flags.regex_domain_exclusion.clone()),
        ("--zone-id-filter", list(&flags.zone_id_filter)),
        ("--aws-zone-type", zone_type(flags.zone_type).to_owned()),
        ("--aws-zone-tags", list(&flags.zone_tags)),
        ("--aws-zone-match-parent", switch(flags.zone_match_parent)),
        ("--managed-record-types", types(flags)),
        ("--target-net-filter", list(&flags.target_net_filter)),
        ("--exclude-target-net", list(&flags.exclude_target_net)),
        ("--default-targets", list(&flags.default_targets)),
        ("--force-default-targets", switch(flags.force_default_targets)),
        ("--min-ttl", span(flags.min_ttl)),
        ("--prefer-alias", switch(flags.prefer_alias)),
        ("--aws-prefer-cname", switch(flags.prefer_cname)),
        ("--aws-evaluate-target-health", switch(flags.evaluate_target_health)),
        ("--publish-internal-services", switch(flags.publish_internal_services)),
        ("--service-type-filter", list(&flags.service_types)),
        ("--interval", span(flags.interval)),
        ("--aws-batch-change-interval", span(flags.batch_change_interval)),
        ("--aws-zones-cache-duration", span(flags.zones_cache_duration)),
        ("--provider-cache-time", span(flags.cache_time)),
        ("--dry-run", switch(flags.dry_run)),
    ];
    rows.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn types(flags: &Flags) -> String {
    flags.managed_types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn span(span: Duration) -> String {
    if span.is_zero() { String::new() } else { format!("{span:?}") }
}

const fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Sync => "sync",
        Policy::UpsertOnly => "upsert-only",
        Policy::CreateOnly => "create-only",
        Policy::Missing => "missing",
    }
}

const fn registry(registry: Registry) -> &'static str {
    match registry {
        Registry::Txt => "txt",
        Registry::Noop => "noop",
        Registry::Dynamodb => "dynamodb",
        Registry::AwsSd => "aws-sd",
        Registry::Crd => "crd",
        Registry::Other => "other",
    }
}

const fn zone_type(zone_type: ZoneType) -> &'static str {
    match zone_type {
        ZoneType::Any => "",
        ZoneType::Public => "public",
        ZoneType::Private => "private",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Version;

    #[test]
    fn what_is_off_is_left_out() {
        let args = ["--source=ingress", "--policy=sync", "--dry-run", "--txt-encrypt-aes-key=secret"];
        let args: Vec<String> = args.map(str::to_owned).into();
        let flags = Flags::from_args(&args, &BTreeMap::new(), Some(Version::new(0, 14, 2)));
        let rows = shown(&flags);
        let value = |name: &str| rows.iter().find(|row| row.0 == name).map(|row| row.1.as_str());
        assert_eq!(value("--source"), Some("ingress"));
        assert_eq!(value("--policy"), Some("sync"));
        assert_eq!(value("--dry-run"), Some("on"));
        assert_eq!(value("--interval"), Some("60s"));
        assert_eq!(value("--txt-prefix"), None);
        assert!(!format!("{rows:?}").contains("secret"));
    }
}
