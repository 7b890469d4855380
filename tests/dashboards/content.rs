//! The four dashboards: the one source from which the files in `dashboards/` come.

use serde_json::Value as Json;

use crate::model::{Panel, Query, Thresholds, dashboard, lines, stat, table, text, timeline, variable};

/// Labels of a finding that a table shows, in this order.
const COLUMNS: &[&str] = &[
    "name",
    "record_type",
    "severity",
    "impact",
    "kind",
    "reason",
    "cause",
    "object_kind",
    "object_namespace",
    "object",
    "label_team",
    "zone",
    "owner_id",
    "view",
    "state",
];

const KIND_PAGE: &str = "https://dns-drift.example.com/docs/findings/${__value.raw}.md";
const HOST_PAGE: &str = "/d/dns-drift-host?${datasource:queryparam}&${cluster:queryparam}&var-name=${__value.raw}&${__url_time_range}";

/// Each with the name of its file.
pub(crate) fn all() -> [(&'static str, Json); 4] {
    [("overview", overview()), ("host", host()), ("health", health()), ("cost", cost())]
}

/// Adds the selectors of all dashboards to a metric.
fn of(metric: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!("{metric}{{cluster=~\"$cluster\",job=~\"$job\"{comma}{more}}}")
}

/// One value where two Pods report during a roll-out.
fn once(metric: &str, more: &str) -> String {
    format!("max without (instance, pod) ({})", of(metric, more))
}

/// Findings with the time since when, in milliseconds, the oldest first.
fn findings(more: &str) -> String {
    let by = COLUMNS.join(", ");
    let since = of("dns_drift_finding_first_seen_timestamp_seconds", "");
    format!(
        "bottomk(200, max by ({by}) ({} * ignoring (severity, impact, state) group_left () {since})) * 1000",
        of("dns_drift_finding", more)
    )
}

fn overview() -> Json {
    let zone = variable(
        "zone",
        "Hosted zone",
        "dns_drift_wanted_records{cluster=~\"$cluster\",job=~\"$job\"}",
        "zone",
        ".*",
    );
    let team = variable(
        "team",
        "Team",
        "dns_drift_finding{cluster=~\"$cluster\",job=~\"$job\"}",
        "label_team",
        ".*",
    );
    let open = "state=\"open\",zone=~\"$zone\",label_team=~\"$team\"";
    let list = table(
        "Open findings",
        "What is wrong now, the oldest first, at most 200. A name leads to its story, a kind to its page.",
        "dateTimeFromNow",
        &findings(open),
        COLUMNS,
        "since",
    )
    .link("name", "The story of this host", HOST_PAGE)
    .link("kind", "What this kind means", KIND_PAGE);
    let team_page = "/d/dns-drift-overview?${datasource:queryparam}&${cluster:queryparam}&var-team=${__value.raw}&${__url_time_range}";
    let teams = table(
        "By team",
        "Open findings by the team label that was copied from the object. A team leads to its own list.",
        "short",
        &format!("count by (label_team, severity) ({})", once("dns_drift_finding", open)),
        &["label_team", "severity"],
        "findings",
    )
    .sized(12, 8)
    .link("label_team", "Only this team", team_page);
    let panels = overview_numbers().into_iter().chain([list, teams]).chain(overview_lines()).collect();
    let about = "What is wrong with DNS now, for the platform team.";
    dashboard("dns-drift-overview", "dns-drift / Overview", about, vec![zone, team], panels)
}

fn overview_numbers() -> [Panel; 6] {
    let sum = |metric: &str, more: &str| format!("sum({})", once(metric, more));
    let of_findings = |more: &str| sum("dns_drift_findings", more);
    let in_sync = format!("{} / ({} > 0)", sum("dns_drift_names_in_sync", ""), sum("dns_drift_names", ""));
    let age = format!("time() - max({})", of("dns_drift_last_round_timestamp_seconds", ""));
    // Only open findings have a sample where there is none; a panel without data would look broken.
    let pending = format!("{} or 0 * {}", of_findings("state=\"pending\""), sum("dns_drift_names", ""));
    [
        stat(
            "Users harmed",
            "Open findings of severity critical: users get no answer or a wrong one. These page.",
            "short",
            &of_findings("state=\"open\",severity=\"critical\""),
            Thresholds::High(1.0, 1.0),
        ),
        stat(
            "Open",
            "All open findings, of any severity.",
            "short",
            &of_findings("state=\"open\""),
            Thresholds::High(1.0, 100.0),
        ),
        stat(
            "Pending",
            "Findings that wait for a window or a second look.",
            "short",
            &pending,
            Thresholds::None,
        ),
        stat(
            "Wanted names",
            "Records that ExternalDNS is asked for.",
            "short",
            &sum("dns_drift_names", ""),
            Thresholds::None,
        ),
        stat(
            "In sync",
            "Share of the wanted records without any finding.",
            "percentunit",
            &in_sync,
            Thresholds::Low(0.95, 0.999),
        ),
        stat(
            "Age of the last round",
            "If this grows, nothing on this page is current.",
            "s",
            &age,
            Thresholds::High(300.0, 900.0),
        ),
    ]
}

fn overview_lines() -> Vec<Panel> {
    let by = |label: &str| format!("sum by ({label}) ({}) > 0", once("dns_drift_findings", "state=\"open\""));
    let zones =
        format!("sum by (zone, zone_id) ({}) > 0", once("dns_drift_out_of_sync_records", "zone=~\"$zone\""));
    let bucket = of("dns_drift_convergence_duration_seconds_bucket", "");
    let quantile = |part: &str| {
        format!("histogram_quantile({part}, sum by (le, stage) (rate({bucket}[$__rate_interval])))")
    };
    let increase = |metric: &str| format!("sum by (stage) (increase({}[$__range]))", of(metric, ""));
    let share = format!(
        "1 - {} / ({} > 0)",
        increase("dns_drift_slow_convergences_total"),
        increase("dns_drift_convergences_total")
    );
    let pending = format!("sum by (stage) ({})", once("dns_drift_convergence_pending_records", ""));
    let silent = format!("sum by (reason) ({}) > 0", once("dns_drift_silent", ""));
    vec![
        lines(
            "Out of sync by zone",
            "Wanted records with a finding, by hosted zone.",
            "short",
            &[Query(&zones, "{{zone}} {{zone_id}}")],
        ),
        lines(
            "Open findings by kind",
            "A name is judged once, so the kinds add up to the names.",
            "short",
            &[Query(&by("kind"), "{{kind}}")],
        )
        .stacked(),
        lines(
            "Open findings by severity",
            "critical pages, warning is a ticket, info is only shown.",
            "short",
            &[Query(&by("severity"), "{{severity}}")],
        )
        .stacked(),
        lines(
            "How long new hosts take",
            "From the address of the load balancer to the record (recorded) and to the answer of DNS (live). Exemplars name the host.",
            "s",
            &[
                Query(&quantile("0.5"), "{{stage}} median"),
                Query(&quantile("0.99"), "{{stage}} 99th percentile"),
            ],
        ),
        lines(
            "New hosts in time",
            "Share of the new hosts within 10 minutes; the objective is 99 % of those that are live.",
            "percentunit",
            &[Query(&share, "{{stage}}")],
        ),
        lines(
            "New hosts on their way",
            "Hosts with an address that have not arrived.",
            "short",
            &[Query(&pending, "{{stage}}")],
        ),
        lines(
            "Kept quiet by rule",
            "Comparisons that were not made, or made and kept quiet, and by which rule.",
            "short",
            &[Query(&silent, "{{reason}}")],
        ),
    ]
}

fn host() -> Json {
    let name =
        variable("name", "Host", "dns_drift_finding{cluster=~\"$cluster\",job=~\"$job\"}", "name", ".+");
    let its = "name=~\"$name\"";
    let open = format!("count({}) or vector(0)", once("dns_drift_finding", &format!("{its},state=\"open\"")));
    let since = format!("min({}) * 1000", of("dns_drift_finding_first_seen_timestamp_seconds", its));
    let levels = format!(
        "max by (name, record_type, kind, reason) ({} * on (severity) group_left () (label_replace(vector(3), \"severity\", \"critical\", \"\", \"\") \
         or label_replace(vector(2), \"severity\", \"warning\", \"\", \"\") or label_replace(vector(1), \"severity\", \"info\", \"\", \"\")))",
        of("dns_drift_finding", its)
    );
    let zones = format!("count by (zone_id) ({})", of("dns_drift_finding", its));
    let zone = |metric: &str| format!("{} and on (zone_id) {zones}", once(metric, ""));
    let age = format!("time() - ({})", zone("dns_drift_zone_last_read_timestamp_seconds"));
    let instance = format!(
        "max by (owner_id, version, workload, policy) ({}) and on (owner_id) count by (owner_id) ({})",
        of("dns_drift_instance_info", ""),
        of("dns_drift_finding", its)
    );
    let alerts = "count by (alertname, severity, alertstate, zone) (ALERTS{alertname=~\"DNSDrift.+\",cluster=~\"$cluster\"})";
    let synced = format!("min by (name, record_type, zone_id) ({})", of("dns_drift_record_in_sync", its));
    let commands = "`dns-drift explain HOST` puts the four views side by side and prints the command that mends it.\n\n\
                    A host without any finding is not in the list on top: then nothing is wrong with it, or nobody wants it; `explain` says which.";
    let panels = vec![
        stat("Open findings", "Of the chosen host.", "short", &open, Thresholds::High(1.0, 1.0)),
        stat(
            "First seen",
            "The oldest finding that is still there.",
            "dateTimeFromNow",
            &since,
            Thresholds::None,
        )
        .sized(8, 4),
        table(
            "Findings in any state",
            "Also those that wait, are muted, or are explained by another one.",
            "dateTimeFromNow",
            &findings(its),
            COLUMNS,
            "since",
        )
        .link("kind", "What this kind means", KIND_PAGE),
        timeline(
            "Story",
            "When which finding was there, and how loud it was.",
            &Query(&levels, "{{name}} {{record_type}} {{kind}} {{reason}}"),
            &[(1, "info", "blue"), (2, "warning", "yellow"), (3, "critical", "red")],
        )
        .sized(24, 8),
        lines(
            "Its zones: out of sync",
            "Whether the host is alone with its trouble.",
            "short",
            &[Query(&zone("dns_drift_out_of_sync_records"), "{{zone}} {{zone_id}}")],
        ),
        lines(
            "Its zones: age of the reading",
            "Verdicts are never newer than this.",
            "s",
            &[Query(&age, "{{zone}} {{zone_id}}")],
        ),
        table(
            "Its ExternalDNS",
            "Version, workload and policy of the instance that is responsible.",
            "short",
            &instance,
            &["owner_id", "version", "workload", "policy"],
            "up",
        )
        .sized(12, 8),
        table(
            "Alerts",
            "All alerts of dns-drift that are pending or firing.",
            "short",
            alerts,
            &["alertname", "severity", "alertstate", "zone"],
            "alerts",
        )
        .sized(12, 8),
        timeline(
            "In sync",
            "Healthy hosts too; needs max_record_series in the configuration of dns-drift.",
            &Query(&synced, "{{name}} {{record_type}}"),
            &[(0, "out of sync", "red"), (1, "in sync", "green")],
        )
        .sized(24, 5),
        text("Next", commands),
    ];
    dashboard("dns-drift-host", "dns-drift / One host", "The story of one host.", vec![name], panels)
}

fn health() -> Json {
    let zone = variable(
        "zone",
        "Hosted zone",
        "dns_drift_wanted_records{cluster=~\"$cluster\",job=~\"$job\"}",
        "zone",
        ".*",
    );
    let by = |labels: &str, metric: &str, more: &str| format!("sum by ({labels}) ({})", once(metric, more));
    let zones = "zone=~\"$zone\"";
    let up = format!("max by (view) ({})", of("dns_drift_view_up", ""));
    let age = |metric: &str, more: &str| format!("time() - ({})", once(metric, more));
    let problems = by("view, code", "dns_drift_view_problems", "");
    let unknown =
        format!("sum({}) / (sum({}) > 0)", once("dns_drift_names_unknown", ""), once("dns_drift_names", ""));
    let info = format!(
        "max by (owner_id, version, workload, policy, annotation_prefix, origin) ({})",
        of("dns_drift_instance_info", "")
    );
    let record_sets = by("zone, zone_id", "dns_drift_zone_record_sets", zones);
    let panels = [
        timeline(
            "Views",
            "Whether each of the four views could be read. What cannot be read is not judged.",
            &Query(&up, "{{view}}"),
            &[(0, "not read", "red"), (1, "read", "green")],
        ),
        lines(
            "Age of the views",
            "Since the last complete reading.",
            "s",
            &[Query(&age("dns_drift_view_last_read_timestamp_seconds", ""), "{{view}}")],
        ),
        lines(
            "Problems of the views",
            "Parts that could not be read, by code.",
            "short",
            &[Query(&problems, "{{view}} {{code}}")],
        ),
        lines(
            "Names that cannot be judged",
            "Share of the wanted records.",
            "percentunit",
            &[Query(&unknown, "unknown")],
        ),
        table(
            "Instances",
            "Each ExternalDNS that was found or configured.",
            "short",
            &info,
            &["owner_id", "version", "workload", "policy", "annotation_prefix", "origin"],
            "up",
        )
        .sized(24, 6),
        lines(
            "Pods of the instances",
            "Pods, and those that are ready.",
            "short",
            &[
                Query(&by("owner_id", "dns_drift_instance_pods", ""), "{{owner_id}}"),
                Query(&by("owner_id", "dns_drift_instance_pods_ready", ""), "{{owner_id}} ready"),
            ],
        ),
        lines(
            "Findings by instance",
            "By state.",
            "short",
            &[Query(&by("owner_id, state", "dns_drift_instance_findings", ""), "{{owner_id}} {{state}}")],
        )
        .stacked(),
        lines(
            "Wanted records by instance",
            "A sudden fall precedes a deletion.",
            "short",
            &[Query(&by("owner_id", "dns_drift_instance_wanted_records", ""), "{{owner_id}}")],
        ),
        lines(
            "Wanted records by zone",
            "What the objects ask for.",
            "short",
            &[Query(&by("zone, zone_id", "dns_drift_wanted_records", zones), "{{zone}} {{zone_id}}")],
        ),
        lines(
            "Findings by zone",
            "By state.",
            "short",
            &[Query(
                &by("zone, zone_id, state", "dns_drift_zone_findings", zones),
                "{{zone}} {{zone_id}} {{state}}",
            )],
        )
        .stacked(),
        lines(
            "Record sets by zone",
            "A zone holds 10,000 by default.",
            "short",
            &[Query(&record_sets, "{{zone}} {{zone_id}}")],
        ),
        lines(
            "Age of the zones",
            "Since the last complete listing.",
            "s",
            &[Query(&age("dns_drift_zone_last_read_timestamp_seconds", zones), "{{zone}} {{zone_id}}")],
        )
        .sized(24, 8),
    ];
    let panels = panels.into_iter().chain(refused_changes()).collect();
    let about = "Whether the views, the hosted zones and the instances are well.";
    dashboard("dns-drift-health", "dns-drift / Zones and instances", about, vec![zone], panels)
}

/// What Route 53 refuses, whether anything gets through, and what the refusals cost everybody else.
fn refused_changes() -> [Panel; 3] {
    let by = |labels: &str, metric: &str| {
        format!(
            "sum by ({labels}) (max without (instance, pod, origin) (increase({}[$__rate_interval]))) > 0",
            of(metric, "")
        )
    };
    let age = |metric: &str| {
        format!("time() - max by (owner_id, zone, zone_id) ({})", of(metric, "zone=~\"$zone\""))
    };
    let calls = format!(
        "sum by (owner_id, zone) (max without (instance, pod) (rate({}[$__rate_interval])))",
        of("dns_drift_poisoned_batch_calls_total", "zone=~\"$zone\"")
    );
    [
        lines(
            "Refused changes",
            "Changes that Route 53 refused, by reason; one that log and CloudTrail both tell counts once.",
            "short",
            &[Query(&by("owner_id, zone, reason", "dns_drift_refused_changes_total"), "{{owner_id}} {{zone}} {{reason}}")],
        )
        .stacked()
        .sized(8, 8),
        lines(
            "Since the last change",
            "Refused ones again and again, and none that goes through: one bad record holds the others up.",
            "s",
            &[
                Query(&age("dns_drift_last_refused_change_timestamp_seconds"), "{{owner_id}} {{zone}} refused"),
                Query(&age("dns_drift_last_applied_change_timestamp_seconds"), "{{owner_id}} {{zone}} applied"),
            ],
        )
        .sized(8, 8),
        lines(
            "Calls that refused batches cost",
            "A refused batch is sent again name by name, out of the five requests a second that the account shares.",
            "reqps",
            &[Query(&calls, "{{owner_id}} {{zone}}")],
        )
        .sized(8, 8),
    ]
}

fn cost() -> Json {
    let rate = |labels: &str, metric: &str, more: &str| {
        format!("sum by ({labels}) (rate({}[$__rate_interval]))", of(metric, more))
    };
    let aws = rate("operation, outcome", "dns_drift_aws_requests_total", "");
    let aws_all = rate("job", "dns_drift_aws_requests_total", "");
    let throttled = rate("job", "dns_drift_aws_requests_total", "outcome=\"throttled\"");
    let dns = rate("view, outcome", "dns_drift_dns_queries_total", "");
    let kubernetes = rate("resource, verb, class", "dns_drift_kubernetes_requests_total", "");
    let one = |metric: &str| of(metric, "");
    let lines_of = |title: &str, about: &str, unit: &str, expr: &str, legend: &str| {
        lines(title, about, unit, &[Query(expr, legend)])
    };
    let panels = vec![
        stat(
            "Route 53 requests",
            "All attempts; the account shares 5 a second.",
            "reqps",
            &aws_all,
            Thresholds::High(2.5, 4.5),
        ),
        stat(
            "Throttled",
            "Attempts that Route 53 refused because of the rate.",
            "reqps",
            &throttled,
            Thresholds::High(0.01, 0.1),
        ),
        stat(
            "Round",
            "How long the last round took.",
            "s",
            &format!("max({})", one("dns_drift_round_duration_seconds")),
            Thresholds::High(1.0, 10.0),
        ),
        stat(
            "Memory",
            "Resident memory.",
            "bytes",
            &format!("max({})", one("process_resident_memory_bytes")),
            Thresholds::None,
        ),
        stat(
            "Series",
            "Samples of the last scrape.",
            "short",
            &format!("max({})", one("scrape_samples_scraped")),
            Thresholds::High(50000.0, 100_000.0),
        ),
        stat(
            "Findings without series",
            "Because of max_finding_series; the counts are exact all the same.",
            "short",
            &format!("max({})", one("dns_drift_finding_series_omitted")),
            Thresholds::High(1.0, 1000.0),
        ),
        lines_of(
            "Route 53 requests by outcome",
            "Attempts by operation and outcome.",
            "reqps",
            &aws,
            "{{operation}} {{outcome}}",
        ),
        lines_of(
            "DNS questions by outcome",
            "To all servers; the view is empty for authoritative ones.",
            "reqps",
            &dns,
            "{{view}} {{outcome}}",
        ),
        lines_of(
            "Kubernetes requests",
            "By resource, verb and class of the answer.",
            "reqps",
            &kubernetes,
            "{{resource}} {{verb}} {{class}}",
        ),
        lines(
            "Log lines",
            "Lines of ExternalDNS logs that were read, and those that were dropped.",
            "cps",
            &[
                Query(&rate("job", "dns_drift_log_lines_total", ""), "read"),
                Query(&rate("job", "dns_drift_log_lines_dropped_total", ""), "dropped"),
            ],
        ),
        lines_of(
            "Queue messages set aside",
            "Messages of the CloudTrail queue that could not be understood; another rule feeds it.",
            "cps",
            &rate("job", "dns_drift_queue_messages_set_aside_total", ""),
            "{{job}}",
        ),
        lines_of(
            "Rounds",
            "How often everything is judged.",
            "cps",
            &rate("job", "dns_drift_rounds_total", ""),
            "{{job}}",
        ),
        lines_of(
            "Duration of a round",
            "Comparing and remembering; reading goes on beside it.",
            "s",
            &one("dns_drift_round_duration_seconds"),
            "{{instance}}",
        ),
        lines_of(
            "CPU",
            "Cores used.",
            "short",
            &rate("instance", "process_cpu_seconds_total", ""),
            "{{instance}}",
        ),
        lines(
            "Memory over time",
            "Resident and virtual.",
            "bytes",
            &[
                Query(&one("process_resident_memory_bytes"), "resident"),
                Query(&one("process_virtual_memory_bytes"), "virtual"),
            ],
        ),
        lines(
            "File descriptors",
            "Open ones, and the limit.",
            "short",
            &[Query(&one("process_open_fds"), "open"), Query(&one("process_max_fds"), "limit")],
        ),
        lines_of("Threads", "Of the process.", "short", &one("process_threads"), "{{instance}}"),
        lines_of(
            "Duration of a scrape",
            "As Prometheus sees it.",
            "s",
            &one("scrape_duration_seconds"),
            "{{instance}}",
        ),
    ];
    let about = "What watching costs: requests, questions, CPU, memory, series.";
    dashboard("dns-drift-cost", "dns-drift / Cost", about, Vec::new(), panels)
}
