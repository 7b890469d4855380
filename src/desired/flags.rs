//! From an ExternalDNS command line and environment to its [`Flags`]. Pure.
//!
//! Total: what is not understood lands in `unknown` and the default applies, because the
//! arguments of a running instance are valid for *its* version, which may be newer than ours.
//!
//! Source: facts/external-dns.md section 6; kubernetes-sigs/external-dns:pkg/apis/externaldns/types.go.

mod parse;
mod shown;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::desired::flags::parse::Given;
use crate::desired::versions::{Behaviour, does};
use crate::model::heritage::TxtAffixes;
use crate::model::instance::{
    ALPHA_PREFIX, FlagDetails, Flags, GA_PREFIX, NEWEST_KNOWN, Policy, Registry, ZoneType,
};
use crate::model::{RecordType, Version};

pub use shown::shown;

impl Flags {
    /// Reads a command line (without the program's name) and the environment.
    ///
    /// A variable that refers to itself, `NAME=$(NAME)`, has its value elsewhere: a flag that hangs on
    /// one is untold, and its default applies. Other `$(NAME)` references stay as text.
    /// Without a version the defaults of the newest known release apply, except that a missing
    /// `--policy` is then taken for the old default: it would be an accusation without evidence.
    #[must_use]
    pub fn from_args(args: &[String], env: &BTreeMap<String, String>, version: Option<Version>) -> Self {
        let mut given = Given::read(args, env);
        let untold = given.take_untold(env);
        let is_untold = |names: &[&str]| untold.iter().any(|name| names.contains(name));
        let applied = version.unwrap_or(NEWEST_KNOWN);
        let prefix = given.optional("annotation-prefix");
        // Which of its two prefixes an unknown version reads nobody can tell.
        let reads_legacy =
            given.switch("enable-legacy-annotation-prefix", false) || version.is_none() && prefix.is_none();
        // Nobody is called late by an interval that is not known.
        let interval = Duration::from_mins(if is_untold(&["interval"]) { 10 } else { 1 });
        let cache = given.duration("provider-cache-time", Duration::ZERO);
        Self {
            sources: given.list("source"),
            provider: given.text("provider"),
            // The policy that never deletes accuses nobody of a left-over.
            policy: if is_untold(&["policy"]) {
                Policy::UpsertOnly
            } else {
                policy(given.optional("policy").as_deref(), version)
            },
            registry: registry(given.optional("registry").as_deref()),
            owner_id: given.optional("txt-owner-id").unwrap_or_else(|| "default".to_owned()),
            affixes: TxtAffixes {
                prefix: given.text("txt-prefix").to_lowercase(),
                suffix: given.text("txt-suffix").to_lowercase(),
                wildcard_replacement: given.text("txt-wildcard-replacement").to_lowercase(),
            },
            txt_encrypt: given.switch("txt-encrypt-enabled", false) || is_untold(&OWNERSHIP),
            migrate_from_owner: given.text("migrate-from-txt-owner"),
            annotation_prefix_given: prefix.is_some(),
            annotation_prefix: prefix.unwrap_or_else(|| default_prefix(applied).to_owned()),
            annotation_filter: given.text("annotation-filter"),
            label_filter: given.text("label-filter"),
            namespace: given.text("namespace"),
            ingress_classes: given.list("ingress-class"),
            ignore_ingress_rules: given.switch("ignore-ingress-rules-spec", false),
            ignore_ingress_tls: given.switch("ignore-ingress-tls-spec", false),
            ignore_hostname_annotation: given.switch("ignore-hostname-annotation", false),
            fqdn_templates: given
                .list("fqdn-template")
                .into_iter()
                .filter(|text| !text.trim().is_empty())
                .collect(),
            combine_fqdn: given.switch("combine-fqdn-annotation", false),
            domain_filter: given.list("domain-filter"),
            exclude_domains: given.list("exclude-domains"),
            regex_domain_filter: given.text("regex-domain-filter"),
            regex_domain_exclusion: given.text("regex-domain-exclusion"),
            zone_id_filter: given.list("zone-id-filter"),
            zone_type: zone_type(&given.text("aws-zone-type")),
            zone_tags: given.list("aws-zone-tags"),
            zone_match_parent: given.switch("aws-zone-match-parent", false),
            managed_types: managed_types(
                &given.list("managed-record-types"),
                &given.list("exclude-record-types"),
                applied,
            ),
            target_net_filter: given.list("target-net-filter"),
            exclude_target_net: given.list("exclude-target-net"),
            default_targets: given.list("default-targets"),
            force_default_targets: given.switch("force-default-targets", false),
            min_ttl: given.duration("min-ttl", Duration::ZERO),
            prefer_alias: given.switch("prefer-alias", false),
            prefer_cname: given.switch("aws-prefer-cname", false),
            evaluate_target_health: given.switch("aws-evaluate-target-health", true),
            publish_internal_services: given.switch("publish-internal-services", false),
            service_types: given.list("service-type-filter"),
            interval: given.duration("interval", interval),
            batch_change_interval: given.duration("aws-batch-change-interval", Duration::from_secs(1)),
            zones_cache_duration: given.duration("aws-zones-cache-duration", Duration::ZERO),
            cache_time: given.duration("txt-cache-interval", Duration::ZERO).max(cache),
            dry_run: given.switch("dry-run", false),
            details: FlagDetails { legacy_annotation_prefix: reads_legacy, ..details(&mut given) },
            untold,
            unknown: given.into_unknown(),
        }
    }
}

/// Flags without which nobody can tell what the ownership records say.
const OWNERSHIP: [&str; 6] = [
    "registry",
    "txt-encrypt-enabled",
    "txt-owner-id",
    "txt-prefix",
    "txt-suffix",
    "txt-wildcard-replacement",
];

/// The names of variables that a text refers to with `$(NAME)`.
pub(crate) fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("$(").skip(1).filter_map(|rest| rest.split_once(')')).map(|(name, _)| name)
}

fn details(given: &mut Given) -> FlagDetails {
    let defaults = FlagDetails::default();
    let or = |text: Option<String>, default: String| text.unwrap_or(default);
    FlagDetails {
        txt_new_format_only: given.switch("txt-new-format-only", false),
        legacy_annotation_prefix: false,
        target_templates: given.list("target-template"),
        fqdn_target_templates: given.list("fqdn-target-template"),
        unstructured_resources: given.list("unstructured-resource"),
        nat64_networks: given.list("nat64-networks"),
        create_ptr: given.switch("create-ptr", false),
        compatibility: given.text("compatibility"),
        publish_host_ip: given.switch("publish-host-ip", false),
        publish_not_ready: given.switch("always-publish-not-ready-addresses", false),
        resolve_load_balancer_hostname: given.switch("resolve-service-load-balancer-hostname", false),
        exclude_unschedulable: given.switch("exclude-unschedulable", true),
        expose_internal_ipv6: given.switch("expose-internal-ipv6", false),
        pod_source_domain: given.text("pod-source-domain"),
        ignore_non_host_network_pods: given.switch("ignore-non-host-network-pods", false),
        gateway_name: given.text("gateway-name"),
        gateway_namespace: given.text("gateway-namespace"),
        gateway_label_filter: given.text("gateway-label-filter"),
        gateway_listener_sets: given.switch("gateway-listener-sets", false),
        openshift_router_name: given.text("openshift-router-name"),
        traefik_enable_legacy: given.switch("traefik-enable-legacy", false),
        traefik_disable_new: given.switch("traefik-disable-new", false),
        traefik_disable_legacy: given.switch("traefik-disable-legacy", false),
        crd_api_version: or(given.optional("crd-source-apiversion"), defaults.crd_api_version),
        crd_kind: or(given.optional("crd-source-kind"), defaults.crd_kind),
        dynamodb_table: or(given.optional("dynamodb-table"), defaults.dynamodb_table),
        aws_profiles: given.list("aws-profile"),
        assume_role: given.text("aws-assume-role"),
        batch_change_size: given.number("aws-batch-change-size", defaults.batch_change_size),
        min_event_sync_interval: given.duration("min-event-sync-interval", defaults.min_event_sync_interval),
        events: given.switch("events", false),
        once: given.switch("once", false),
        events_emit: given.list("events-emit"),
        log_format: or(given.optional("log-format"), defaults.log_format),
        log_level: or(given.optional("log-level"), defaults.log_level),
        metrics_address: or(given.optional("metrics-address"), defaults.metrics_address),
    }
}

/// Source: facts/external-dns.md section 9, annotation prefix default.
fn default_prefix(version: Version) -> &'static str {
    if does(version, Behaviour::GaPrefix) { GA_PREFIX } else { ALPHA_PREFIX }
}

/// Source: facts/external-dns.md section 9, policy default. An unknown word would not have
/// started; it is read as the default.
fn policy(word: Option<&str>, version: Option<Version>) -> Policy {
    match word {
        Some("sync") => Policy::Sync,
        Some("upsert-only") => Policy::UpsertOnly,
        Some("create-only") => Policy::CreateOnly,
        Some(_) | None if version.is_some_and(|version| does(version, Behaviour::PolicyRequired)) => {
            Policy::Missing
        }
        Some(_) | None => Policy::Sync,
    }
}

fn registry(word: Option<&str>) -> Registry {
    match word {
        None | Some("txt") => Registry::Txt,
        Some("noop") => Registry::Noop,
        Some("dynamodb") => Registry::Dynamodb,
        Some("aws-sd") => Registry::AwsSd,
        Some("crd") => Registry::Crd,
        Some(_) => Registry::Other,
    }
}

fn zone_type(word: &str) -> ZoneType {
    match word {
        "public" => ZoneType::Public,
        "private" => ZoneType::Private,
        _ => ZoneType::Any,
    }
}

/// Source: facts/external-dns.md section 9, managed types default.
fn managed_types(given: &[String], excluded: &[String], version: Version) -> Vec<RecordType> {
    let types: Vec<RecordType> = if !given.is_empty() {
        given.iter().map(|text| RecordType::new(text)).collect()
    } else if does(version, Behaviour::AaaaManaged) {
        vec![RecordType::A, RecordType::Aaaa, RecordType::Cname]
    } else {
        vec![RecordType::A, RecordType::Cname]
    };
    let excluded: Vec<RecordType> = excluded.iter().map(|text| RecordType::new(text)).collect();
    types.into_iter().filter(|kind| !excluded.contains(kind)).collect()
}

#[cfg(test)]
mod tests;
