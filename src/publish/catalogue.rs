//! The one table of all metrics: names, types, labels and help texts.
//!
//! The exposition takes its help texts from here and `docs/metrics.md` is generated from it, so
//! code and documentation cannot disagree.

use std::fmt::Write as _;

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// May go down.
    Gauge,
    /// Only grows while the program runs.
    Counter,
    /// Always 1; the labels tell.
    Info,
    /// Counts by size; in the classic form, with exemplars in OpenMetrics.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricDoc {
    /// As one writes it in PromQL, suffixes included.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Labels in order. An empty value is left out of the exposition, which is the same to PromQL.
    /// `label_*` stands for the labels copied from the object.
    pub labels: &'static [&'static str],
    /// One sentence: ASCII, without quotes and backslashes.
    pub help: &'static str,
}

/// Labels of a finding's series.
pub const FINDING_LABELS: &[&str] = &[
    "name",
    "record_type",
    "set_identifier",
    "zone",
    "zone_id",
    "owner_id",
    "object_kind",
    "object_namespace",
    "object",
    "view",
    "kind",
    "reason",
    "cause",
    "severity",
    "impact",
    "state",
    "label_*",
];

const FIRST_SEEN_LABELS: &[&str] = &[
    "name",
    "record_type",
    "set_identifier",
    "zone",
    "zone_id",
    "owner_id",
    "object_kind",
    "object_namespace",
    "object",
    "view",
    "kind",
    "reason",
    "cause",
    "label_*",
];

const RECORD: &[&str] = &["name", "record_type", "set_identifier", "zone", "zone_id", "owner_id"];
const STAGE: &[&str] = &["stage"];
const ZONE: &[&str] = &["zone", "zone_id"];
const CHANGE: &[&str] = &["owner_id", "zone", "zone_id"];
const INSTANCE_INFO: &[&str] = &["owner_id", "version", "workload", "policy", "annotation_prefix", "origin"];

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricDoc {
    MetricDoc { name, kind: Type::Gauge, labels, help }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricDoc {
    MetricDoc { name, kind: Type::Counter, labels, help }
}

const fn info(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricDoc {
    MetricDoc { name, kind: Type::Info, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricDoc {
    MetricDoc { name, kind: Type::Histogram, labels, help }
}

/// Every metric, in the order of the exposition.
#[rustfmt::skip]
pub const METRICS: &[MetricDoc] = &[
    info("dns_drift_build_info", &["version", "revision"], "The running program; always there."),
    gauge("dns_drift_finding", FINDING_LABELS, "1 for each finding of the last round, in every state; gone once it is resolved."),
    gauge("dns_drift_finding_first_seen_timestamp_seconds", FIRST_SEEN_LABELS, "When the finding was first seen or had demonstrably begun, Unix time."),
    gauge("dns_drift_finding_series_omitted", &[], "Findings without series of their own because of the limit; the least urgent ones are left out."),
    gauge("dns_drift_finding_series_limit", &[], "Findings that get series of their own at most (max_finding_series)."),
    gauge("dns_drift_findings", &["kind", "state", "severity"], "Findings of the last round; 0 for every kind and severity without an open one."),
    gauge("dns_drift_names", &[], "Records that instances want."),
    gauge("dns_drift_names_in_sync", &[], "Wanted records without any finding."),
    gauge("dns_drift_names_unknown", &[], "Wanted records that could not be judged."),
    gauge("dns_drift_silent", &["reason"], "Comparisons that were not made, or made and kept quiet, by rule."),
    gauge("dns_drift_wanted_records", ZONE, "Records that instances want in the hosted zone."),
    gauge("dns_drift_out_of_sync_records", ZONE, "Wanted records of the hosted zone with an open finding."),
    gauge("dns_drift_zone_findings", &["zone", "zone_id", "state"], "Findings of the hosted zone by state, 0 included; resolved ones are not counted."),
    gauge("dns_drift_zone_record_sets", ZONE, "Record sets that the hosted zone holds; absent until it was read."),
    gauge("dns_drift_zone_last_read_timestamp_seconds", ZONE, "When the hosted zone was last read completely, Unix time; absent until then."),
    gauge("dns_drift_view_up", &["view"], "1 if the view was read in the last round, 0 if not; absent if it is off."),
    gauge("dns_drift_view_last_read_timestamp_seconds", &["view"], "When the view was last complete, Unix time; absent until then."),
    gauge("dns_drift_view_problems", &["view", "code"], "Parts of the view that could not be read in the last round."),
    info("dns_drift_instance_info", INSTANCE_INFO, "An ExternalDNS that runs or was configured."),
    gauge("dns_drift_instance_wanted_records", &["owner_id"], "Records that the instance wants."),
    gauge("dns_drift_instance_findings", &["owner_id", "state"], "Findings of the instance by state, 0 included; resolved ones are not counted."),
    gauge("dns_drift_instance_pods", &["owner_id"], "Pods of the instance."),
    gauge("dns_drift_instance_pods_ready", &["owner_id"], "Pods of the instance that are ready."),
    counter("dns_drift_refused_changes_total", &["owner_id", "zone", "zone_id", "reason", "origin"], "Changes that Route 53 refused, once for each reconcile; origin is log or cloudtrail, and a change that both tell counts in both."),
    gauge("dns_drift_last_refused_change_timestamp_seconds", CHANGE, "When a change was last refused, Unix time; absent until one was."),
    gauge("dns_drift_last_applied_change_timestamp_seconds", CHANGE, "When a change last went through, Unix time; absent until one did."),
    counter("dns_drift_poisoned_batch_calls_total", CHANGE, "Calls to Route 53 that ExternalDNS made only because a refused batch is sent again name by name."),
    counter("dns_drift_queue_messages_set_aside_total", &[], "Messages of the CloudTrail queue that could not be understood."),
    histogram("dns_drift_convergence_duration_seconds", STAGE, "From the address of a new host to its record (recorded) and to the answers of DNS (live); the exemplar names the host."),
    counter("dns_drift_convergences_total", STAGE, "New hosts of which it is decided whether they came in time."),
    counter("dns_drift_slow_convergences_total", STAGE, "Those that took longer than the objective, or have not come yet."),
    gauge("dns_drift_convergence_pending_records", STAGE, "New hosts on their way."),
    gauge("dns_drift_convergence_objective_seconds", &[], "New hosts are meant to be there within this time."),
    gauge("dns_drift_record_in_sync", RECORD, "1 for a wanted record without any finding, 0 for one with; only with max_record_series."),
    gauge("dns_drift_record_series_omitted", &[], "Wanted records beyond max_record_series; only with that."),
    counter("dns_drift_rounds_total", &[], "Rounds that ended."),
    gauge("dns_drift_last_round_timestamp_seconds", &[], "The time of the last round, Unix time."),
    gauge("dns_drift_round_duration_seconds", &[], "How long the last round took."),
    counter("dns_drift_aws_requests_total", &["operation", "outcome"], "Requests to AWS."),
    counter("dns_drift_dns_queries_total", &["server", "view", "outcome"], "Questions to DNS servers."),
    gauge("dns_drift_dns_billable_queries_per_month", &[], "Queries a month that Route 53 bills for the present names and rhythm, estimated."),
    gauge("dns_drift_dns_billable_dollars_per_month", &[], "What they cost in US dollars, estimated."),
    counter("dns_drift_kubernetes_requests_total", &["resource", "verb", "class"], "Requests to the Kubernetes API."),
    counter("dns_drift_log_lines_total", &[], "Lines of ExternalDNS logs that were read."),
    counter("dns_drift_log_lines_dropped_total", &[], "Lines of ExternalDNS logs that were dropped: too long, or too many."),
    gauge("dns_drift_shard_ordinal", &[], "Number of this shard, from 0; absent without shards."),
    gauge("dns_drift_total_shards", &[], "Shards that this one takes to be there; absent without shards."),
    gauge(
        "dns_drift_leader",
        &[],
        "1 for the replica that judges, 0 for one on standby; absent without election.",
    ),
    gauge(
        "dns_drift_web_config_last_reload_successful",
        &[],
        "1 if the web configuration file could be used the last time it was read; absent without one.",
    ),
    gauge(
        "dns_drift_web_config_last_reload_success_timestamp_seconds",
        &[],
        "When the web configuration file could last be used, Unix time; absent without one.",
    ),
    counter("process_cpu_seconds_total", &[], "User and system CPU time; always there, on Linux."),
    gauge("process_resident_memory_bytes", &[], "Resident memory."),
    gauge("process_virtual_memory_bytes", &[], "Virtual memory."),
    gauge("process_open_fds", &[], "Open file descriptors."),
    gauge("process_max_fds", &[], "Limit of open file descriptors; absent if there is none."),
    gauge("process_start_time_seconds", &[], "Start of the process, Unix time."),
    gauge("process_threads", &[], "Threads."),
];

impl Type {
    /// The word of OpenMetrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Info => "info",
            Self::Histogram => "histogram",
        }
    }

    /// What a sample's name has behind the family's name.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Gauge | Self::Histogram => "",
            Self::Counter => "_total",
            Self::Info => "_info",
        }
    }
}

impl MetricDoc {
    /// The metric of a name; `None` for one that is not in the table.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.name == name)
    }

    /// The name of the family: without the suffix that the encoder adds.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.name.strip_suffix(self.kind.suffix()).unwrap_or(self.name)
    }
}

/// The table as `docs/metrics.md` holds it: Markdown, one row for each metric.
#[must_use]
pub fn docs_table() -> String {
    let mut out = String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (metric.name, metric.kind.as_str(), metric.help);
        // Writing to a text cannot fail.
        let _written = writeln!(out, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_helps_need_no_escape() {
        let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            assert!(metric.help.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{metric:?}");
            assert!(!metric.help.contains(['\\', '"', '|']) && metric.help.ends_with('.'), "{metric:?}");
            assert!(metric.name.ends_with(metric.kind.suffix()), "{metric:?}");
        }
    }

    #[test]
    fn no_label_is_one_that_prometheus_sets_itself() {
        for taken in ["instance", "job", "namespace", "pod", "container", "service", "endpoint", "cluster"] {
            assert!(METRICS.iter().all(|metric| !metric.labels.contains(&taken)), "{taken}");
        }
    }
}
