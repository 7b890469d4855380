//! From values to the checked configuration: one function for each part.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use wildmatch::WildMatch;

use crate::config::section::{Mistake, Mistakes, Section};
use crate::config::{AssumedConfig, ChangesConfig, Config, DnsConfig, LeaderElectionConfig, Route53Config};
use crate::desired::client::KubeSettings;
use crate::finding::Kind;
use crate::limits::MAX_FINDING_SERIES;
use crate::live::endpoint::Endpoint;
use crate::live::servers::ServerMapLine;
use crate::live::settings::{INTERNAL_VIEW, PUBLIC_VIEW, ResolverSettings};
use crate::model::instance::{CommandLine, Flags, Instance, Origin};
use crate::model::shard::{Shard, ShardError};
use crate::model::{DomainName, ZoneId};
use crate::policy::{Inventory, Maintenance, MuteRule, NetworkView, Policy, ZoneFacts};
use crate::recorded::accounts::AccountSettings;
use crate::recorded::budget::{DEFAULT_RATE, MAX_RATE};
use crate::recorded::filter::ZoneFilter;

/// A day in seconds: longer than any useful window.
const DAY: u64 = 86_400;

/// What an unseen ExternalDNS is taken to run with.
const ASSUMED_ARGS: [&str; 2] = ["--source=ingress", "--provider=aws"];

pub(super) fn config(value: &Value) -> Result<Config, Vec<Mistake>> {
    let mistakes = Mistakes::default();
    let root = Section::root(value, &mistakes);
    let listen = root.parsed("listen").unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 9853)));
    let kubernetes = kubernetes(root.section("kubernetes"));
    let route53 = route53(root.section("route53"));
    let changes = changes(root.section("changes"));
    let external_dns = external_dns(root.section("external_dns"));
    let state_dir = root.text("state_dir").map(PathBuf::from);
    let leader_election = leader_election(root.section("leader_election"));
    let pod_name = root.text("pod_name");
    let shard = shard(root.section("sharding"), pod_name.as_deref());
    let web_config_file = root.text("web_config_file").map(PathBuf::from);
    let max_finding_series = root.parsed("max_finding_series").unwrap_or(MAX_FINDING_SERIES);
    let max_record_series = root.parsed("max_record_series").unwrap_or(0);
    let mut policy = policy(&root);
    let dns = dns(root.section("dns"), &policy);
    shown_only(&mut policy, dns.resolvers.as_deref());
    policy.shard.clone_from(&shard);
    root.finish();
    let found = mistakes.into_sorted();
    if found.is_empty() {
        Ok(Config {
            listen,
            kubernetes,
            route53,
            dns,
            changes,
            external_dns,
            state_dir,
            web_config_file,
            leader_election,
            shard,
            pod_name,
            max_finding_series,
            max_record_series,
            policy,
        })
    } else {
        Err(found)
    }
}

/// The machine's own resolvers on private addresses are shown and never judged.
fn shown_only(policy: &mut Policy, resolvers: Option<&[ResolverSettings]>) {
    let used = resolvers.is_none_or(|all| all.iter().any(|resolver| &*resolver.view == INTERNAL_VIEW));
    if used && policy.view(INTERNAL_VIEW).is_none() {
        policy.views.push(NetworkView {
            name: INTERNAL_VIEW.into(),
            vpc_id: None,
            resolves_public: false,
            internal: true,
        });
    }
}

fn kubernetes(section: Section<'_>) -> KubeSettings {
    let settings = KubeSettings {
        kubeconfig: section.text("kubeconfig").map(Into::into),
        context: section.text("context"),
        in_cluster: section.flag("in_cluster"),
        ..KubeSettings::default()
    };
    if settings.in_cluster && (settings.kubeconfig.is_some() || settings.context.is_some()) {
        section.wrong("in_cluster", "excludes kubeconfig and context");
    }
    section.finish();
    settings
}

fn leader_election(section: Section<'_>) -> Option<LeaderElectionConfig> {
    let enabled = section.flag("enabled");
    let config = LeaderElectionConfig {
        lease_name: section.text("lease_name").unwrap_or_else(|| "dns-drift".to_owned()),
        namespace: section.text("namespace"),
    };
    section.finish();
    enabled.then_some(config)
}

/// `NUMBER/TOTAL`, or `auto/TOTAL` where the number is the end of the Pod's name.
fn shard(section: Section<'_>, pod_name: Option<&str>) -> Option<Shard> {
    let text = section.text("shard");
    let split: Vec<ZoneId> = section.texts("split_zones").iter().map(|id| ZoneId::new(id)).collect();
    let shard = text.as_deref().and_then(|text| match (text.strip_prefix("auto/"), pod_name) {
        (None, _) => Some(text.parse()),
        (Some(total), Some(pod)) => {
            let total = total.parse().map_err(|_not_a_number| ShardError::Form);
            Some(total.and_then(|total| Shard::of_pod(pod, total)))
        }
        (Some(_), None) => {
            section.wrong("shard", "auto needs pod_name (POD_NAME)");
            None
        }
    });
    let shard = shard.and_then(|shard| {
        let shown = text.as_deref().unwrap_or_default();
        shard.map_err(|error| section.wrong("shard", &format!("{shown:?}: {error}"))).ok()
    });
    section.finish();
    shard.map(|shard| shard.splitting(split))
}

fn route53(section: Section<'_>) -> Route53Config {
    let requests_per_second = rate(&section, DEFAULT_RATE);
    let filter = zone_filter(&section);
    let accounts: Vec<AccountSettings> =
        section.sections("accounts").into_iter().map(|row| account(row, requests_per_second)).collect();
    if let Some(twice) = twice(&accounts) {
        section.wrong("accounts", &format!("{twice:?} is there twice"));
    }
    let endpoint_url = section.text("endpoint_url");
    if let Some(url) = endpoint_url.as_deref().filter(|url| !is_http(url)) {
        section.wrong("endpoint_url", &format!("{url:?} is no http:// or https:// URL"));
    }
    let region = section.text("region").unwrap_or_else(|| "us-east-1".to_owned()).into();
    section.finish();
    Route53Config { requests_per_second, region, filter, accounts, endpoint_url }
}

fn rate(section: &Section<'_>, default: f64) -> f64 {
    let rate = section.parsed::<f64>("requests_per_second").unwrap_or(default);
    if !(0.0 < rate && rate <= MAX_RATE) {
        section.wrong("requests_per_second", &format!("{rate} must be above 0 and at most {MAX_RATE}"));
    }
    rate
}

fn zone_filter(section: &Section<'_>) -> ZoneFilter {
    let names: Vec<DomainName> =
        section.texts("zone_names").iter().map(|name| DomainName::new(name)).collect();
    for name in names.iter().filter(|name| name.defect().is_some()) {
        section.wrong("zone_names", &format!("{name} is no DNS name"));
    }
    let private = match section.text("zone_type").as_deref() {
        None => None,
        Some("public") => Some(false),
        Some("private") => Some(true),
        Some(other) => {
            section.wrong("zone_type", &format!("{other:?} must be public or private"));
            None
        }
    };
    ZoneFilter {
        ids: section.texts("zone_ids").iter().map(|id| ZoneId::new(id)).collect(),
        names,
        tags: section.parsed_list("zone_tags"),
        private,
        shard: None,
    }
}

fn account(row: Section<'_>, default_rate: f64) -> AccountSettings {
    let role_arn = row.text("role_arn");
    if let Some(arn) = role_arn.as_deref().filter(|arn| !is_role(arn)) {
        row.wrong("role_arn", &format!("{arn:?} is no arn:aws:iam::ACCOUNT:role/NAME"));
    }
    let external_id = row.text("external_id");
    if external_id.is_some() && role_arn.is_none() {
        row.wrong("external_id", "needs a role_arn");
    }
    let requests_per_second = rate(&row, default_rate);
    row.finish();
    AccountSettings { role_arn, external_id, requests_per_second }
}

/// The partition may be another one: `aws-cn`, `aws-us-gov`.
fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, "iam", "", account, resource]
        if partition.starts_with("aws")
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && resource.starts_with("role/"))
}

fn twice(accounts: &[AccountSettings]) -> Option<&str> {
    let mut names = BTreeSet::new();
    accounts.iter().map(AccountSettings::name).find(|name| !names.insert(*name))
}

fn changes(section: Section<'_>) -> ChangesConfig {
    let url = |key: &'static str| {
        let url = section.text(key);
        if let Some(url) = url.as_deref().filter(|url| !is_http(url)) {
            section.wrong(key, &format!("{url:?} is no http:// or https:// URL"));
        }
        url
    };
    let scrape_port = section.parsed::<u16>("scrape_port").unwrap_or(7979);
    if scrape_port == 0 {
        section.wrong("scrape_port", "must be above 0");
    }
    let config = ChangesConfig {
        cloudtrail: section.flag("cloudtrail"),
        cloudtrail_interval: section
            .duration("cloudtrail_interval", 30, DAY)
            .unwrap_or(Duration::from_mins(2)),
        cloudtrail_region: section.text("cloudtrail_region"),
        cloudtrail_endpoint_url: url("cloudtrail_endpoint_url"),
        queue_url: url("queue_url"),
        queue_endpoint_url: url("queue_endpoint_url"),
        scrape: section.flag("scrape"),
        scrape_port,
        events: section.flag("events"),
    };
    section.finish();
    config
}

fn is_http(url: &str) -> bool {
    let parsed = url.parse::<http::Uri>();
    parsed.is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

fn dns(section: Section<'_>, policy: &Policy) -> DnsConfig {
    let mut resolvers = Vec::new();
    let rows = section.sections("resolvers");
    let given = !rows.is_empty();
    for row in rows {
        resolvers.extend(resolver(row, policy));
    }
    let lines = section.texts("server_map");
    let config = DnsConfig {
        resolvers: given.then_some(resolvers),
        server_map: section.parsed_list::<ServerMapLine>("server_map").into_iter().collect(),
        server_map_lines: lines,
        control_name: section.text("control_name").map(|name| DomainName::new(&name)),
        authoritative_per_second: section.parsed("authoritative_per_second"),
        resolver_per_second: section.parsed("resolver_per_second"),
        doubtful_interval: section.duration("doubtful_interval", 1, DAY),
        stable_interval: section.duration("stable_interval", 1, DAY),
        zone_interval: section.duration("zone_interval", 1, DAY),
        authoritative_total_per_second: section.parsed("authoritative_total_per_second"),
        sweep_per_second: section.parsed("sweep_per_second"),
        ca_file: section.text("ca_file").map(PathBuf::from),
    };
    if config.control_name.as_ref().is_some_and(|name| name.defect().is_some()) {
        section.wrong("control_name", "is no DNS name");
    }
    section.finish();
    config
}

fn resolver(row: Section<'_>, policy: &Policy) -> Option<ResolverSettings> {
    let text = row.required::<String>("address");
    let view = row.text("view");
    let control_name = row.text("control_name").map(|name| DomainName::new(&name));
    let endpoint = text.as_ref().and_then(|text| {
        let endpoint = text.parse::<Endpoint>();
        if let Err(error) = &endpoint {
            row.wrong("address", &error.to_string());
        }
        endpoint.ok()
    });
    if let Some(name) = view.as_deref()
        && name != PUBLIC_VIEW
        && name != INTERNAL_VIEW
        && policy.view(name).is_none()
    {
        row.wrong("view", &format!("{name:?} is neither public nor one of views"));
    }
    if control_name.as_ref().is_some_and(|name| name.defect().is_some()) {
        row.wrong("control_name", "is no DNS name");
    }
    row.finish();
    let mut resolver = ResolverSettings::at(endpoint?);
    resolver.view = view.map_or(resolver.view, Into::into);
    resolver.control_name = control_name;
    Some(resolver)
}

fn external_dns(section: Section<'_>) -> Option<AssumedConfig> {
    let there = section.is_there();
    let assumed = AssumedConfig { version: section.parsed("version"), args: section.texts("args") };
    section.finish();
    there.then_some(assumed)
}

pub(super) fn assumed(given: Option<&AssumedConfig>) -> Arc<Instance> {
    let args = match given {
        Some(given) if !given.args.is_empty() => given.args.clone(),
        Some(_) | None => ASSUMED_ARGS.map(str::to_owned).to_vec(),
    };
    let version = given.and_then(|given| given.version);
    let mut flags = Flags::from_args(&args, &BTreeMap::new(), version);
    // Nobody told an owner id or an affix: whose a record is cannot be known.
    flags.txt_encrypt |= given.is_none();
    Arc::new(Instance {
        id: flags.owner_id.as_str().into(),
        origin: if given.is_some() { Origin::Configured } else { Origin::Assumed },
        workload: None,
        container: "".into(),
        version,
        flags,
        command_line: CommandLine { args, env: BTreeMap::new() },
        replicas: None,
        ready_replicas: None,
        service_account: "".into(),
        changed_at: None,
        pods: Vec::new(),
    })
}

fn policy(root: &Section<'_>) -> Policy {
    let default = Policy::default();
    let leftovers = root.section("leftovers");
    let scope = leftovers.text("scope");
    if let Some(other) = scope.as_deref().filter(|scope| !matches!(*scope, "owned" | "zone")) {
        leftovers.wrong("scope", &format!("{other:?} must be owned or zone"));
    }
    leftovers.finish();
    let ownership = root.section("ownership");
    let foreign = ownership.text("foreign");
    if let Some(other) = foreign.as_deref().filter(|word| !matches!(*word, "quiet" | "report")) {
        ownership.wrong("foreign", &format!("{other:?} must be quiet or report"));
    }
    ownership.finish();
    let mut policy = Policy {
        report_foreign_owners: foreign.as_deref() == Some("report"),
        interval: root.duration("interval", 10, 3_600).unwrap_or(default.interval),
        views: root.sections("views").into_iter().filter_map(view).collect(),
        inventory: inventory(root.section("inventory")),
        leftovers_in_zone: scope.as_deref() == Some("zone"),
        maintenance: root.sections("maintenance").into_iter().filter_map(maintenance).collect(),
        mutes: root.sections("mutes").into_iter().map(mute).collect(),
        zones: root.sections("zones").into_iter().filter_map(zone).collect(),
        ..default
    };
    let mut names = BTreeSet::new();
    for (index, view) in policy.views.iter().enumerate() {
        if !names.insert(&view.name) {
            root.wrong(&format!("views[{index}].name"), &format!("{:?} is there twice", view.name));
        }
    }
    windows(root.section("windows"), &mut policy);
    let labels = root.texts("label_allow_list");
    if !root.list("label_allow_list").is_empty() {
        policy.label_allow_list = labels;
    }
    policy.namespace_labels = root.flag("namespace_labels");
    if let Some(base) = root.text("runbook_base") {
        policy.runbook_base = base;
    }
    policy
}

fn windows(section: Section<'_>, policy: &mut Policy) {
    let set = |key: &'static str, place: &mut Duration| {
        if let Some(length) = section.duration(key, 0, DAY) {
            *place = length;
        }
    };
    set("sync_floor", &mut policy.sync_floor);
    set("new_object", &mut policy.new_object);
    set("first_address", &mut policy.first_address);
    set("deleted_floor", &mut policy.deleted_floor);
    set("propagation", &mut policy.propagation);
    set("zone_age", &mut policy.zone_age);
    let count = |key: &'static str, place: &mut u32| match section.parsed::<u32>(key) {
        Some(0) => section.wrong(key, "must be at least 1"),
        Some(cycles) => *place = cycles,
        None => {}
    };
    count("blind_cycles", &mut policy.blind_cycles);
    count("resolve_cycles", &mut policy.resolve_cycles);
    section.finish();
}

fn view(row: Section<'_>) -> Option<NetworkView> {
    let name = row.required::<String>("name");
    if name.as_deref() == Some(PUBLIC_VIEW) {
        row.wrong("name", "public is built in");
    }
    let view = NetworkView {
        name: name.unwrap_or_default().into(),
        vpc_id: row.text("vpc_id").map(Into::into),
        resolves_public: row.flag("resolves_public"),
        internal: row.flag("internal"),
    };
    row.finish();
    (!view.name.is_empty()).then_some(view)
}

fn inventory(section: Section<'_>) -> Option<Inventory> {
    let there = section.is_there();
    let inventory = Inventory {
        complete: section.flag("complete"),
        addresses: section.parsed_list::<IpAddr>("addresses"),
    };
    section.finish();
    there.then_some(inventory)
}

fn maintenance(row: Section<'_>) -> Option<Maintenance> {
    let instance = row.text("instance").map(Into::into);
    let (from, until) = (row.required::<Timestamp>("from"), row.required::<Timestamp>("until"));
    let period = from.zip(until);
    if period.is_some_and(|(from, until)| until <= from) {
        row.wrong("until", "must be after from");
    }
    row.finish();
    period.map(|(from, until)| Maintenance { instance, from, until })
}

fn mute(row: Section<'_>) -> MuteRule {
    let kind = row.text("kind").filter(|word| word != "all");
    let rule = MuteRule {
        name: row.text("name").map(|name| WildMatch::new(name.trim_end_matches('.').to_lowercase().as_str())),
        namespace: row.text("namespace").map(Into::into),
        kind: kind.as_deref().and_then(Kind::from_word),
        until: row.parsed("until"),
        reason: row.text("reason"),
    };
    if let Some(word) = kind.filter(|_| rule.kind.is_none()) {
        row.wrong("kind", &format!("{word:?} is no kind of finding"));
    } else if rule.name.is_none() && rule.namespace.is_none() && rule.kind.is_none() {
        row.wrong("name", "a rule needs a name, a namespace or a kind; else it would mute everything");
    }
    row.finish();
    rule
}

fn zone(row: Section<'_>) -> Option<(ZoneId, ZoneFacts)> {
    let id = row.required::<String>("id").map(|id| ZoneId::new(&id));
    let facts = ZoneFacts { public_dns_fallback: row.flag("public_dns_fallback") };
    row.finish();
    id.map(|id| (id, facts))
}
