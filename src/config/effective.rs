//! The configuration that is in force, as a tree of values; secrets are masked.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::live::settings::ResolverSettings;
use crate::model::shard::Shard;
use crate::policy::Policy;
use crate::recorded::accounts::AccountSettings;

/// What stands in the place of a secret.
pub(crate) const MASKED: &str = "***";

pub(super) fn config(config: &Config) -> Value {
    let mut all = Map::new();
    all.insert("listen".to_owned(), json!(config.listen.to_string()));
    let kube = &config.kubernetes;
    all.insert(
        "kubernetes".to_owned(),
        json!({"kubeconfig": kube.kubeconfig, "context": kube.context, "in_cluster": kube.in_cluster}),
    );
    let route53 = &config.route53;
    let url = route53.endpoint_url.as_deref().map(without_user);
    all.insert(
        "route53".to_owned(),
        json!({"requests_per_second": route53.requests_per_second, "region": route53.region,
               "zone_ids": route53.filter.ids, "zone_names": texts(&route53.filter.names),
               "zone_tags": texts(&route53.filter.tags),
               "zone_type": route53.filter.private.map(|private| if private { "private" } else { "public" }),
               "accounts": route53.accounts.iter().map(account).collect::<Vec<_>>(), "endpoint_url": url}),
    );
    let dns = &config.dns;
    let resolvers: Option<Vec<Value>> = dns.resolvers.as_ref().map(|all| all.iter().map(resolver).collect());
    let seconds = |length: Option<std::time::Duration>| length.map(|length| length.as_secs());
    all.insert(
        "dns".to_owned(),
        json!({"resolvers": resolvers, "server_map": dns.server_map_lines,
               "control_name": dns.control_name.as_ref().map(ToString::to_string),
               "authoritative_per_second": dns.authoritative_per_second,
               "resolver_per_second": dns.resolver_per_second,
               "doubtful_interval": seconds(dns.doubtful_interval),
               "stable_interval": seconds(dns.stable_interval),
               "zone_interval": seconds(dns.zone_interval),
               "authoritative_total_per_second": dns.authoritative_total_per_second,
               "sweep_per_second": dns.sweep_per_second, "ca_file": dns.ca_file}),
    );
    let changes = &config.changes;
    let shown = |url: &Option<String>| url.as_deref().map(without_user);
    all.insert(
        "changes".to_owned(),
        json!({"cloudtrail": changes.cloudtrail, "cloudtrail_interval": changes.cloudtrail_interval.as_secs(),
               "cloudtrail_region": changes.cloudtrail_region,
               "cloudtrail_endpoint_url": shown(&changes.cloudtrail_endpoint_url),
               "queue_url": shown(&changes.queue_url),
               "queue_endpoint_url": shown(&changes.queue_endpoint_url),
               "scrape": changes.scrape, "scrape_port": changes.scrape_port,
               "events": changes.events}),
    );
    let assumed = config.external_dns.as_ref().map(|assumed| {
        json!({"version": assumed.version.map(|version| version.to_string()),
               "args": arguments(&assumed.args)})
    });
    all.insert("external_dns".to_owned(), json!(assumed));
    all.insert("state_dir".to_owned(), json!(config.state_dir));
    all.insert("web_config_file".to_owned(), json!(config.web_config_file));
    let election = config.leader_election.as_ref();
    all.insert(
        "leader_election".to_owned(),
        json!({"enabled": election.is_some(), "lease_name": election.map(|one| &one.lease_name),
               "namespace": election.map(|one| &one.namespace)}),
    );
    all.insert(
        "sharding".to_owned(),
        json!({"shard": config.shard.as_ref().map(ToString::to_string),
               "split_zones": config.shard.as_ref().map(Shard::split_zones)}),
    );
    all.insert("pod_name".to_owned(), json!(config.pod_name));
    all.insert("max_finding_series".to_owned(), json!(config.max_finding_series));
    all.insert("max_record_series".to_owned(), json!(config.max_record_series));
    if let Value::Object(keys) = policy(&config.policy) {
        all.extend(keys);
    }
    Value::Object(all)
}

pub(super) fn policy(policy: &Policy) -> Value {
    let views: Vec<Value> = policy
        .views
        .iter()
        .map(|view| {
            json!({"name": view.name, "vpc_id": view.vpc_id, "resolves_public": view.resolves_public,
                   "internal": view.internal})
        })
        .collect();
    let inventory = policy
        .inventory
        .as_ref()
        .map(|inventory| json!({"complete": inventory.complete, "addresses": inventory.addresses}));
    let maintenance: Vec<Value> = policy
        .maintenance
        .iter()
        .map(|period| {
            json!({"instance": period.instance, "from": period.from.to_string(),
                   "until": period.until.to_string()})
        })
        .collect();
    let mutes: Vec<Value> = policy
        .mutes
        .iter()
        .map(|rule| {
            json!({"name": rule.name.as_ref().map(ToString::to_string), "namespace": rule.namespace,
                   "kind": rule.kind, "until": rule.until.map(|until| until.to_string()),
                   "reason": rule.reason})
        })
        .collect();
    let zones: Vec<Value> = policy
        .zones
        .iter()
        .map(|(id, facts)| json!({"id": id, "public_dns_fallback": facts.public_dns_fallback}))
        .collect();
    json!({
        "interval": policy.interval.as_secs(),
        "views": views,
        "inventory": inventory,
        "ownership": {"foreign": if policy.report_foreign_owners { "report" } else { "quiet" }},
        "leftovers": {"scope": if policy.leftovers_in_zone { "zone" } else { "owned" }},
        "maintenance": maintenance,
        "mutes": mutes,
        "zones": zones,
        "windows": {
            "sync_floor": policy.sync_floor.as_secs(),
            "new_object": policy.new_object.as_secs(),
            "first_address": policy.first_address.as_secs(),
            "deleted_floor": policy.deleted_floor.as_secs(),
            "propagation": policy.propagation.as_secs(),
            "zone_age": policy.zone_age.as_secs(),
            "blind_cycles": policy.blind_cycles,
            "resolve_cycles": policy.resolve_cycles,
        },
        "label_allow_list": policy.label_allow_list,
        "namespace_labels": policy.namespace_labels,
        "runbook_base": policy.runbook_base,
    })
}

fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// The external id is no secret to AWS, but there is no need to show it to everybody.
fn account(account: &AccountSettings) -> Value {
    json!({"role_arn": account.role_arn, "external_id": account.external_id.as_ref().map(|_| MASKED),
           "requests_per_second": account.requests_per_second})
}

fn resolver(resolver: &ResolverSettings) -> Value {
    json!({"address": resolver.endpoint.to_string(), "view": resolver.view,
           "control_name": resolver.control_name.as_ref().map(ToString::to_string)})
}

/// A URL may carry user and password.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return MASKED.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_user, host)) => format!("{scheme}://{MASKED}@{host}{path}"),
        None => url.to_owned(),
    }
}

/// `--txt-encrypt-aes-key=...` and the like.
/// A secret may stand behind its flag, in the same word or in the next one.
fn arguments(args: &[String]) -> Vec<String> {
    let mut after_secret = false;
    let shown = args.iter().map(|arg| {
        let masked = after_secret && !arg.starts_with('-');
        after_secret = arg.starts_with('-') && !arg.contains('=') && is_secret(arg);
        if masked { MASKED.to_owned() } else { argument(arg) }
    });
    shown.collect()
}

fn argument(arg: &str) -> String {
    match arg.split_once('=') {
        Some((name, _value)) if is_secret(name) => format!("{name}={MASKED}"),
        Some(_) | None => arg.to_owned(),
    }
}

/// True for a name that promises a secret. Better once too often.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["secret", "token", "password", "passwd", "key", "credential", "auth"]
        .iter()
        .any(|word| name.contains(word))
}
