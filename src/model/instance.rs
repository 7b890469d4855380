//! Running ExternalDNS instances: version, flags, health.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::change::FeedSource;
use crate::model::heritage::TxtAffixes;
use crate::model::{DomainName, ObjectRef, RecordType, Version};

/// The annotation prefix up to v0.21.0.
pub const ALPHA_PREFIX: &str = "external-dns.alpha.kubernetes.io/";
/// The annotation prefix from v0.22.0 on.
pub const GA_PREFIX: &str = "external-dns.kubernetes.io/";

/// One running ExternalDNS with its version and flags.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The owner id: the instance's name in reports.
    pub id: Arc<str>,
    /// How we know of it.
    pub origin: Origin,
    /// The workload (or bare Pod) that runs it; `None` when configured or assumed.
    pub workload: Option<ObjectRef>,
    /// Name of the container; empty when configured or assumed.
    pub container: Arc<str>,
    /// Version; `None` when neither tag nor label tells it, and then the newest known is assumed.
    pub version: Option<Version>,
    /// Flags in force.
    pub flags: Flags,
    /// What the flags were read from, for the question what other ones would do.
    pub command_line: CommandLine,
    /// Wanted replicas; `None` for a kind without the field.
    pub replicas: Option<i32>,
    /// `status.readyReplicas` of the workload; `None` when its status tells nothing.
    pub ready_replicas: Option<i32>,
    /// The service account of its Pods; empty when unknown.
    pub service_account: Arc<str>,
    /// When the workload's spec last changed; `None` when unknown.
    pub changed_at: Option<Timestamp>,
    /// Its Pods, sorted by name; empty when there is none.
    pub pods: Vec<PodHealth>,
}

/// Arguments and environment of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Arguments, without the program's name.
    pub args: Vec<String>,
    /// Environment variables that ExternalDNS reads. One whose value stands elsewhere refers to itself,
    /// `$(NAME)`.
    pub env: BTreeMap<String, String>,
}

/// How an instance became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Found among the cluster's workloads.
    Discovered,
    /// Found among them until its workload was deleted.
    Departed,
    /// Given in the configuration.
    Configured,
    /// Nothing was found or configured: defaults of the newest known version.
    Assumed,
}

/// One Pod of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodHealth {
    /// Pod name.
    pub name: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// The container of ExternalDNS is ready; where its state does not tell, the Pod's condition Ready.
    pub ready: bool,
    /// Restarts of the ExternalDNS container.
    pub restarts: i32,
    /// `state.waiting.reason` of the container, for example `CrashLoopBackOff`.
    pub waiting: Option<Arc<str>>,
    /// `lastState.terminated.exitCode`.
    pub last_exit: Option<i32>,
    /// How long the run before lasted, by `lastState.terminated`.
    pub last_run: Option<SignedDuration>,
    /// Start of the running container, or of the last one.
    pub started_at: Option<Timestamp>,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
}

/// Something that a version of ExternalDNS does and people do not expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// One sentence.
    pub text: &'static str,
    /// Pull request, issue or document that says so.
    pub source: &'static str,
}

/// What the registry keeps where. Source: kubernetes-sigs/external-dns:docs/registry/registry.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Registry {
    /// TXT records in the zone.
    Txt,
    /// No ownership at all.
    Noop,
    /// A `DynamoDB` table.
    Dynamodb,
    /// AWS Cloud Map.
    AwsSd,
    /// `DNSRecord` objects.
    Crd,
    /// A word that we do not know.
    Other,
}

/// What the instance may do to records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Create, update, delete.
    Sync,
    /// Create and update.
    UpsertOnly,
    /// Create.
    CreateOnly,
    /// v0.22.0 or later without `--policy`: the program does not start.
    Missing,
}

/// Which zones the instance handles by type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneType {
    /// Both.
    Any,
    /// Public zones only.
    Public,
    /// Private zones only.
    Private,
}

/// The flags of ExternalDNS that shape its records, with the defaults of its version filled in.
///
/// Source: facts/external-dns.md section 6. Lists keep the order of the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Flags {
    /// `--source`.
    pub sources: Vec<String>,
    /// `--provider`; empty when not given.
    pub provider: String,
    /// `--policy`.
    pub policy: Policy,
    /// `--registry`.
    pub registry: Registry,
    /// `--txt-owner-id`.
    pub owner_id: String,
    /// `--txt-prefix`, `--txt-suffix`, `--txt-wildcard-replacement`.
    pub affixes: TxtAffixes,
    /// True if nobody can tell what the ownership records say: `--txt-encrypt-enabled`, or the owner id or
    /// an affix is among the untold flags.
    pub txt_encrypt: bool,
    /// `--migrate-from-txt-owner`; empty when not given.
    pub migrate_from_owner: String,
    /// The prefix that is read: `--annotation-prefix` or the default of the version.
    pub annotation_prefix: String,
    /// True if `--annotation-prefix` was given.
    pub annotation_prefix_given: bool,
    /// `--annotation-filter`, a label selector over annotations; empty when not given.
    pub annotation_filter: String,
    /// `--label-filter`, a label selector; empty when not given.
    pub label_filter: String,
    /// `--namespace`; empty for all.
    pub namespace: String,
    /// `--ingress-class`; empty for any.
    pub ingress_classes: Vec<String>,
    /// `--ignore-ingress-rules-spec`.
    pub ignore_ingress_rules: bool,
    /// `--ignore-ingress-tls-spec`.
    pub ignore_ingress_tls: bool,
    /// `--ignore-hostname-annotation`.
    pub ignore_hostname_annotation: bool,
    /// `--fqdn-template`, as given: each may hold several, and commas within loops.
    pub fqdn_templates: Vec<String>,
    /// `--combine-fqdn-annotation`.
    pub combine_fqdn: bool,
    /// `--domain-filter`, as given.
    pub domain_filter: Vec<String>,
    /// `--exclude-domains`, as given.
    pub exclude_domains: Vec<String>,
    /// `--regex-domain-filter`; empty when not given.
    pub regex_domain_filter: String,
    /// `--regex-domain-exclusion`; empty when not given.
    pub regex_domain_exclusion: String,
    /// `--zone-id-filter`, as given.
    pub zone_id_filter: Vec<String>,
    /// `--aws-zone-type`.
    pub zone_type: ZoneType,
    /// `--aws-zone-tags`, as given.
    pub zone_tags: Vec<String>,
    /// `--aws-zone-match-parent`.
    pub zone_match_parent: bool,
    /// `--managed-record-types` less `--exclude-record-types`.
    pub managed_types: Vec<RecordType>,
    /// `--target-net-filter`.
    pub target_net_filter: Vec<String>,
    /// `--exclude-target-net`.
    pub exclude_target_net: Vec<String>,
    /// `--default-targets`.
    pub default_targets: Vec<String>,
    /// `--force-default-targets`.
    pub force_default_targets: bool,
    /// `--min-ttl`.
    pub min_ttl: Duration,
    /// `--prefer-alias`.
    pub prefer_alias: bool,
    /// `--aws-prefer-cname`.
    pub prefer_cname: bool,
    /// `--aws-evaluate-target-health`.
    pub evaluate_target_health: bool,
    /// `--publish-internal-services`.
    pub publish_internal_services: bool,
    /// `--service-type-filter`; empty for all.
    pub service_types: Vec<String>,
    /// `--interval`.
    pub interval: Duration,
    /// `--aws-batch-change-interval`.
    pub batch_change_interval: Duration,
    /// `--aws-zones-cache-duration`.
    pub zones_cache_duration: Duration,
    /// `--provider-cache-time`, or `--txt-cache-interval` where it is longer.
    pub cache_time: Duration,
    /// `--dry-run`.
    pub dry_run: bool,
    /// Flags that shape the result in rare cases, or only the way it is written.
    pub details: FlagDetails,
    /// Flags whose value the object does not tell, because it stands in a Secret or a `ConfigMap`: their
    /// names without dashes, sorted.
    pub untold: Vec<&'static str>,
    /// Flags that we do not know, as given; shown to the user, never fatal.
    pub unknown: Vec<String>,
}

/// Flags of ExternalDNS that shape its records in rare cases: sources other than Ingresses and
/// Services, and the way of writing and logging. The defaults are ExternalDNS' own.
#[derive(Clone, Debug, PartialEq)]
pub struct FlagDetails {
    /// `--txt-new-format-only` (v0.16.0 and v0.17.0).
    pub txt_new_format_only: bool,
    /// `--enable-legacy-annotation-prefix`: the alpha prefix is read besides (v0.23.0 and later).
    pub legacy_annotation_prefix: bool,
    /// `--target-template`.
    pub target_templates: Vec<String>,
    /// `--fqdn-target-template`: pairs of a host and a target.
    pub fqdn_target_templates: Vec<String>,
    /// `--unstructured-resource`, as given.
    pub unstructured_resources: Vec<String>,
    /// `--nat64-networks`.
    pub nat64_networks: Vec<String>,
    /// `--create-ptr`.
    pub create_ptr: bool,
    /// `--compatibility`; empty when not given.
    pub compatibility: String,
    /// `--publish-host-ip`.
    pub publish_host_ip: bool,
    /// `--always-publish-not-ready-addresses`.
    pub publish_not_ready: bool,
    /// `--resolve-service-load-balancer-hostname`.
    pub resolve_load_balancer_hostname: bool,
    /// `--exclude-unschedulable`; on by default.
    pub exclude_unschedulable: bool,
    /// `--expose-internal-ipv6`.
    pub expose_internal_ipv6: bool,
    /// `--pod-source-domain`; empty when not given.
    pub pod_source_domain: String,
    /// `--ignore-non-host-network-pods`.
    pub ignore_non_host_network_pods: bool,
    /// `--gateway-name`; empty for all.
    pub gateway_name: String,
    /// `--gateway-namespace`; empty for all.
    pub gateway_namespace: String,
    /// `--gateway-label-filter`, a label selector; empty when not given.
    pub gateway_label_filter: String,
    /// `--gateway-listener-sets`.
    pub gateway_listener_sets: bool,
    /// `--openshift-router-name`; empty when not given.
    pub openshift_router_name: String,
    /// `--traefik-enable-legacy`.
    pub traefik_enable_legacy: bool,
    /// `--traefik-disable-new`.
    pub traefik_disable_new: bool,
    /// `--traefik-disable-legacy` (v0.14.1 to v0.18.0).
    pub traefik_disable_legacy: bool,
    /// `--crd-source-apiversion`.
    pub crd_api_version: String,
    /// `--crd-source-kind`.
    pub crd_kind: String,
    /// `--dynamodb-table`.
    pub dynamodb_table: String,
    /// `--aws-profile`: the accounts whose zones are in view.
    pub aws_profiles: Vec<String>,
    /// `--aws-assume-role`; empty when not given.
    pub assume_role: String,
    /// `--aws-batch-change-size`.
    pub batch_change_size: u32,
    /// `--min-event-sync-interval`.
    pub min_event_sync_interval: Duration,
    /// `--events`: a change of an object starts a reconcile.
    pub events: bool,
    /// `--once`: one reconcile, then the program ends.
    pub once: bool,
    /// `--events-emit`: which Events it writes.
    pub events_emit: Vec<String>,
    /// `--log-format`.
    pub log_format: String,
    /// `--log-level`.
    pub log_level: String,
    /// `--metrics-address`.
    pub metrics_address: String,
}

impl Default for FlagDetails {
    fn default() -> Self {
        Self {
            txt_new_format_only: false,
            legacy_annotation_prefix: false,
            target_templates: Vec::new(),
            fqdn_target_templates: Vec::new(),
            unstructured_resources: Vec::new(),
            nat64_networks: Vec::new(),
            create_ptr: false,
            compatibility: String::new(),
            publish_host_ip: false,
            publish_not_ready: false,
            resolve_load_balancer_hostname: false,
            exclude_unschedulable: true,
            expose_internal_ipv6: false,
            pod_source_domain: String::new(),
            ignore_non_host_network_pods: false,
            gateway_name: String::new(),
            gateway_namespace: String::new(),
            gateway_label_filter: String::new(),
            gateway_listener_sets: false,
            openshift_router_name: String::new(),
            traefik_enable_legacy: false,
            traefik_disable_new: false,
            traefik_disable_legacy: false,
            crd_api_version: "externaldns.k8s.io/v1alpha1".to_owned(),
            crd_kind: "DNSEndpoint".to_owned(),
            dynamodb_table: "external-dns".to_owned(),
            aws_profiles: Vec::new(),
            assume_role: String::new(),
            batch_change_size: 1000,
            min_event_sync_interval: Duration::from_secs(5),
            events: false,
            once: false,
            events_emit: Vec::new(),
            log_format: "text".to_owned(),
            log_level: "info".to_owned(),
            metrics_address: ":7979".to_owned(),
        }
    }
}

// === impl Flags ===

impl Flags {
    /// True for the owner id of the instance, and for the one that it migrates from.
    #[must_use]
    pub fn owns(&self, owner: &str) -> bool {
        owner == self.owner_id || !owner.is_empty() && owner == self.migrate_from_owner
    }

    /// True if the registry keeps ownership in TXT records that can be read.
    #[must_use]
    pub fn shows_ownership(&self) -> bool {
        self.registry == Registry::Txt && !self.txt_encrypt
    }

    /// The second prefix, whose annotations count where the one in force has none; `None` for most.
    ///
    /// Source: kubernetes-sigs/external-dns#6703, from v0.23.0.
    #[must_use]
    pub fn legacy_prefix(&self) -> Option<&'static str> {
        let is_given = self.details.legacy_annotation_prefix && self.annotation_prefix != ALPHA_PREFIX;
        is_given.then_some(ALPHA_PREFIX)
    }

    /// True if annotations under this prefix are read.
    #[must_use]
    pub fn reads_prefix(&self, prefix: &str) -> bool {
        self.annotation_prefix == prefix || self.legacy_prefix() == Some(prefix)
    }
}

// === impl Instance ===

/// The newest release whose behaviour is in our tables; assumed where no version is known.
pub const NEWEST_KNOWN: Version = Version::new(0, 22, 0);

/// The first version whose ownership TXTs tell the type in their names.
pub const TYPED_TXT: Version = Version::new(0, 12, 0);

impl Instance {
    /// The version whose behaviour applies.
    #[must_use]
    pub fn effective_version(&self) -> Version {
        self.version.unwrap_or(NEWEST_KNOWN)
    }

    /// Maps the name of an ownership TXT back to the name and type of its record, as this version writes
    /// it; see [`TxtAffixes::owner_name`] for those of others, whose version nobody knows.
    #[must_use]
    pub fn owner_name(&self, txt: &DomainName) -> Option<(DomainName, Option<RecordType>)> {
        self.owner_text(txt).map(|(name, kind)| (DomainName::new(&name), kind))
    }

    /// The same without a copy of the name, where it is a part of that of the TXT.
    #[must_use]
    pub fn owner_text<'t>(&self, txt: &'t DomainName) -> Option<(Cow<'t, str>, Option<RecordType>)> {
        if self.effective_version() < TYPED_TXT {
            return self.flags.affixes.plain_owner_text(txt).map(|name| (name, None));
        }
        self.flags.affixes.owner_text(txt)
    }

    /// True if its log tells of each reconcile that ends well.
    #[must_use]
    pub fn tells_success(&self) -> bool {
        matches!(self.flags.details.log_level.as_str(), "info" | "debug" | "trace")
    }

    /// True for a log of one of its Pods. A Pod may run several instances, each in a container of its own.
    #[must_use]
    pub fn wrote(&self, source: &FeedSource) -> bool {
        let FeedSource::Log { namespace, pod, container } = source else { return false };
        let is_own = self.container.is_empty() || container.is_empty() || *container == self.container;
        let is_known = self.pods.iter().any(|health| health.namespace == *namespace && health.name == *pod);
        is_own && (is_known || self.pods.is_empty() && self.may_run(namespace, pod))
    }

    /// True for a Pod with a name that the workload gives, where it says that one is ready and nobody may list
    /// its Pods. What a Deployment runs is called after it, its replica set and the Pod.
    fn may_run(&self, namespace: &str, pod: &str) -> bool {
        let Some(workload) =
            self.workload.as_ref().filter(|_| self.ready_replicas.is_none_or(|ready| 0 < ready))
        else {
            return false;
        };
        let parts = if &*workload.kind == "Deployment" { 2 } else { 1 };
        let rest = pod.strip_prefix(&*workload.name).and_then(|rest| rest.strip_prefix('-'));
        self.replicas != Some(0)
            && *workload.namespace == *namespace
            && rest.is_some_and(|rest| rest.split('-').count() == parts)
    }

    /// How long the instance may take to carry a change of an object into Route 53.
    ///
    /// Source: findings.md section 7, the sync window: 2 x interval + batches x batch interval + zone cache,
    /// at least `floor`. `records` is how many changed at once, each with its ownership.
    #[must_use]
    pub fn sync_window(&self, records: usize, floor: Duration) -> Duration {
        let flags = &self.flags;
        let changes = u32::try_from(records.saturating_mul(2)).unwrap_or(u32::MAX);
        let batches = changes.div_ceil(flags.details.batch_change_size.max(1)).max(1);
        let length = flags
            .interval
            .saturating_mul(2)
            .saturating_add(flags.batch_change_interval.saturating_mul(batches))
            .saturating_add(flags.zones_cache_duration)
            .saturating_add(flags.cache_time);
        length.max(floor)
    }
}
