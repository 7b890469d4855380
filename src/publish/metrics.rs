//! Metrics: collectors that render the last report at the time of a scrape.
//!
//! No gauge is ever set by hand. Before the first report there are only the metrics of the build
//! and of the process: zeros would resolve alerts that a restart must not resolve.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::finding::{Kind, Reason, Severity, SilentReason, State};
use crate::limits::MAX_COST_ROWS;
use crate::model::DomainName;
use crate::publish::cost::{AwsRequests, ChangeCounts, ChangePlace, CostSnapshot, CostSource, RecordStates};
use crate::publish::family::{Family, Number};
use crate::publish::labels::{self, LabelSet};
use crate::publish::process::ProcessCollector;
use crate::publish::role::{Role, RoleCollector, Roles, alone};
use crate::publish::words;
use crate::report::{Finding, Report, ZoneReport};
use crate::snapshot::{ViewName, ViewState};

/// The last report, as the rounds publish it; `None` before the first.
pub type Latest = watch::Receiver<Option<Arc<Report>>>;

/// Renders the last report and the costs.
pub struct ReportCollector {
    latest: Latest,
    costs: Arc<dyn CostSource>,
    max_finding_series: usize,
    roles: Roles,
}

#[derive(Debug)]
struct BuildCollector;

/// Codes that every view shows, with 0 where there is no such problem.
const PROBLEM_CODES: [Reason; 5] =
    [Reason::Forbidden, Reason::Throttled, Reason::Unreachable, Reason::Parse, Reason::EmptySuspicious];

/// The states of findings that are there.
const PRESENT: [State; 5] = [State::Pending, State::Open, State::Muted, State::Explained, State::Stale];

/// A registry with everything that `/metrics` shows.
///
/// `max_finding_series` bounds how many findings get series of their own
/// ([`MAX_FINDING_SERIES`](crate::limits::MAX_FINDING_SERIES) by default); the counts stay exact.
#[must_use]
pub fn registry(latest: Latest, costs: Arc<dyn CostSource>, max_finding_series: usize) -> Registry {
    registry_of(latest, costs, max_finding_series, alone())
}

/// As [`registry`], for one of several replicas: on standby only the process is shown, so that
/// nothing counts twice.
#[must_use]
pub fn registry_of(
    latest: Latest,
    costs: Arc<dyn CostSource>,
    max_finding_series: usize,
    roles: Roles,
) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(BuildCollector));
    registry.register_collector(Box::new(RoleCollector(roles.clone())));
    registry.register_collector(Box::new(ReportCollector { latest, costs, max_finding_series, roles }));
    registry.register_collector(Box::new(ProcessCollector::of_this_process()));
    registry
}

// === impl BuildCollector ===

impl Collector for BuildCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let labels = LabelSet::default()
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("revision", option_env!("DNS_DRIFT_REVISION").unwrap_or("unknown"));
        let mut family = Family::new("dns_drift_build_info");
        family.add(labels, Number::Whole(1));
        family.encode(&mut encoder).map(|_dropped| ())
    }
}

// === impl ReportCollector ===

impl fmt::Debug for ReportCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportCollector")
            .field("max_finding_series", &self.max_finding_series)
            .finish_non_exhaustive()
    }
}

impl Collector for ReportCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if *self.roles.borrow() == Role::Standby {
            return Ok(());
        }
        // Cloned out of the lock: a slow scrape must not hold up the next round.
        let Some(report) = self.latest.borrow().clone() else { return Ok(()) };
        self.encode_findings(&report, &mut encoder)?;
        let families = [summary(&report), zones(&report), views(&report), instances(&report)];
        if let Some(convergence) = self.costs.convergence() {
            convergence.encode(&mut encoder)?;
        }
        if let Some(records) = self.costs.records() {
            for family in all_records(&records) {
                family.encode(&mut encoder)?;
            }
        }
        let costs = self.costs.snapshot();
        let changes = changes(&report, &costs.changes);
        let costs = changes.into_iter().chain(rounds(&report, &costs)).chain(requests(costs));
        for family in families.into_iter().flatten().chain(costs) {
            family.encode(&mut encoder)?;
        }
        Ok(())
    }
}

impl ReportCollector {
    fn encode_findings(&self, report: &Report, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut present = Family::new("dns_drift_finding");
        let mut first_seen = Family::new("dns_drift_finding_first_seen_timestamp_seconds");
        // The report is sorted by urgency, so the limit cuts off what matters least.
        let shown: Vec<&Finding> = unresolved(report).take(self.max_finding_series).collect();
        for finding in &shown {
            present.add_row(labels::of_finding(finding), Number::Whole(1));
            first_seen.add_row(labels::of_first_seen(finding), finding.first_seen.into());
        }
        let twins = present.encode(encoder)?;
        first_seen.encode(encoder)?;
        let omitted = unresolved(report).count() - shown.len() + twins;
        Family::single("dns_drift_finding_series_omitted", omitted.into()).encode(encoder)?;
        Family::single("dns_drift_finding_series_limit", self.max_finding_series.into()).encode(encoder)?;
        counts(report).encode(encoder).map(|_dropped| ())
    }
}

fn all_records(records: &RecordStates) -> [Family; 2] {
    let mut in_sync = Family::new("dns_drift_record_in_sync");
    for record in &records.rows {
        let labels = LabelSet::default()
            .with("name", record.key.name.as_str())
            .with("record_type", record.key.record_type.as_str())
            .with("set_identifier", record.key.set_identifier.as_deref().unwrap_or_default())
            .with("zone", record.zone.as_ref().map_or("", DomainName::as_str))
            .with("zone_id", record.zone_id.as_str())
            .with("owner_id", &record.owner_id);
        in_sync.add(labels, u64::from(record.in_sync).into());
    }
    [in_sync, Family::single("dns_drift_record_series_omitted", records.omitted.into())]
}

fn rounds(report: &Report, costs: &CostSnapshot) -> Vec<Family> {
    let mut families = vec![
        Family::single("dns_drift_rounds_total", costs.rounds.into()),
        Family::single("dns_drift_last_round_timestamp_seconds", report.at.into()),
    ];
    if let Some(live) = costs.live {
        let rows = [
            ("dns_drift_dns_billable_queries_per_month", live.queries),
            ("dns_drift_dns_billable_dollars_per_month", live.dollars),
        ];
        families.extend(rows.map(|(name, value)| Family::single(name, Number::Real(value))));
    }
    if let Some(seconds) = costs.round_seconds {
        families.push(Family::single("dns_drift_round_duration_seconds", Number::Real(seconds)));
    }
    families
}

/// Refused and applied changes. CloudTrail tells no zone name; the report knows it.
fn changes(report: &Report, counts: &ChangeCounts) -> Vec<Family> {
    let place = |place: &ChangePlace| {
        let known = || report.zones.iter().find(|zone| zone.zone.id.as_str() == place.zone_id);
        let zone = Some(place.zone.clone()).filter(|name| !name.is_empty());
        let zone = zone.or_else(|| known().map(|zone| zone.zone.name.to_string())).unwrap_or_default();
        [place.owner_id.clone(), zone, place.zone_id.clone()]
    };
    let labels = |at: &ChangePlace| {
        let [owner_id, zone, zone_id] = place(at);
        LabelSet::default().with("owner_id", &owner_id).with("zone", &zone).with("zone_id", &zone_id)
    };
    let refused = counts.refused.iter().map(|(at, reason, origin, count)| {
        let [owner_id, zone, zone_id] = place(at);
        ([owner_id, zone, zone_id, reason.clone(), origin.clone()], *count)
    });
    let times = |name: &str, rows: &[(ChangePlace, Timestamp)]| {
        let mut family = Family::new(name);
        for (at, time) in rows {
            family.add(labels(at), (*time).into());
        }
        family
    };
    let calls = counts.extra_calls.iter().map(|(at, count)| (place(at), *count));
    vec![
        counters(
            "dns_drift_refused_changes_total",
            ["owner_id", "zone", "zone_id", "reason", "origin"],
            refused,
        ),
        times("dns_drift_last_refused_change_timestamp_seconds", &counts.last_refused),
        times("dns_drift_last_applied_change_timestamp_seconds", &counts.last_applied),
        counters("dns_drift_poisoned_batch_calls_total", ["owner_id", "zone", "zone_id"], calls),
        Family::single("dns_drift_queue_messages_set_aside_total", counts.messages_set_aside.into()),
    ]
}

fn requests(costs: CostSnapshot) -> [Family; 5] {
    // A counter that appears with its first count shows no increase.
    let throttled = |row: &AwsRequests| ([row.operation.clone(), String::from("throttled")], 0);
    let zeros: Vec<_> = costs.aws_requests.iter().map(throttled).collect();
    let aws =
        costs.aws_requests.into_iter().map(|row| ([row.operation, row.outcome], row.count)).chain(zeros);
    let dns = costs
        .dns_queries
        .into_iter()
        .map(|row| ([row.server, row.view.unwrap_or_default(), row.outcome], row.count));
    let kubernetes =
        costs.kubernetes_requests.into_iter().map(|row| ([row.resource, row.verb, row.class], row.count));
    [
        counters("dns_drift_aws_requests_total", ["operation", "outcome"], aws),
        counters("dns_drift_dns_queries_total", ["server", "view", "outcome"], dns),
        counters("dns_drift_kubernetes_requests_total", ["resource", "verb", "class"], kubernetes),
        Family::single("dns_drift_log_lines_total", costs.log_lines.into()),
        Family::single("dns_drift_log_lines_dropped_total", costs.log_lines_dropped.into()),
    ]
}

/// A resolved finding may stay in the report for a while; as a metric it is gone.
fn unresolved(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|finding| finding.state != State::Resolved)
}

fn counts(report: &Report) -> Family {
    let mut counts: BTreeMap<(Kind, State, Severity), u64> = BTreeMap::new();
    for kind in Kind::ALL {
        for severity in Severity::ALL {
            counts.insert((*kind, State::Open, *severity), 0);
        }
    }
    for finding in unresolved(report) {
        *counts.entry((finding.kind, finding.state, finding.severity)).or_default() += 1;
    }
    let mut family = Family::new("dns_drift_findings");
    for ((kind, state, severity), count) in counts {
        let labels = LabelSet::default()
            .with("kind", kind.as_str())
            .with("state", state.as_str())
            .with("severity", severity.as_str());
        family.add(labels, count.into());
    }
    family
}

fn summary(report: &Report) -> Vec<Family> {
    let summary = &report.summary;
    let mut silent = Family::new("dns_drift_silent");
    for reason in SilentReason::ALL {
        let count = summary.silent.get(reason).copied().unwrap_or_default();
        silent.add(LabelSet::default().with("reason", reason.as_str()), count.into());
    }
    vec![
        Family::single("dns_drift_names", summary.names.into()),
        Family::single("dns_drift_names_in_sync", summary.in_sync.into()),
        Family::single("dns_drift_names_unknown", summary.unknown.into()),
        silent,
    ]
}

fn zones(report: &Report) -> Vec<Family> {
    type Sample = fn(&ZoneReport) -> Option<Number>;
    let families: [(&str, Sample); 4] = [
        ("dns_drift_wanted_records", |zone| Some(zone.wants.into())),
        ("dns_drift_out_of_sync_records", |zone| Some(zone.out_of_sync.into())),
        ("dns_drift_zone_record_sets", |zone| zone.record_sets.map(Number::from)),
        ("dns_drift_zone_last_read_timestamp_seconds", |zone| zone.read_at.map(Number::from)),
    ];
    let family = |(name, sample): (&str, Sample)| {
        let mut family = Family::new(name);
        for zone in &report.zones {
            if let Some(number) = sample(zone) {
                let labels = LabelSet::default()
                    .with("zone", zone.zone.name.as_str())
                    .with("zone_id", zone.zone.id.as_str());
                family.add(labels, number);
            }
        }
        family
    };
    let mut families: Vec<Family> = families.into_iter().map(family).collect();
    let counts = by_state(report, |finding| finding.zone.as_ref().map(|zone| &zone.id));
    let mut findings = Family::new("dns_drift_zone_findings");
    for zone in &report.zones {
        for state in PRESENT {
            let labels = LabelSet::default()
                .with("zone", zone.zone.name.as_str())
                .with("zone_id", zone.zone.id.as_str())
                .with("state", state.as_str());
            let count = counts.get(&(Some(&zone.zone.id), state)).copied().unwrap_or_default();
            findings.add(labels, count.into());
        }
    }
    families.push(findings);
    families
}

/// Findings by what they belong to, and state.
fn by_state<'a, K: Ord>(report: &'a Report, of: impl Fn(&'a Finding) -> K) -> BTreeMap<(K, State), u64> {
    let mut counts = BTreeMap::new();
    for finding in unresolved(report) {
        *counts.entry((of(finding), finding.state)).or_default() += 1;
    }
    counts
}

fn views(report: &Report) -> Vec<Family> {
    let mut up = Family::new("dns_drift_view_up");
    let mut read_at = Family::new("dns_drift_view_last_read_timestamp_seconds");
    let mut problems = Family::new("dns_drift_view_problems");
    for (name, view) in report.views.iter().filter(|(_, view)| view.state != ViewState::Off) {
        let labels = || LabelSet::default().with("view", name.as_str());
        up.add(labels(), u64::from(view.state == ViewState::Read).into());
        if let Some(at) = view.read_at {
            read_at.add(labels(), at.into());
        }
        for (code, count) in problem_counts(report, *name) {
            problems.add(labels().with("code", code.as_str()), count.into());
        }
    }
    vec![up, read_at, problems]
}

fn problem_counts(report: &Report, view: ViewName) -> BTreeMap<Reason, u64> {
    let mut counts: BTreeMap<Reason, u64> = PROBLEM_CODES.into_iter().map(|code| (code, 0)).collect();
    for problem in report.views.get(&view).iter().flat_map(|view| &view.problems) {
        *counts.entry(problem.code).or_default() += 1;
    }
    counts
}

fn instances(report: &Report) -> Vec<Family> {
    let mut about = Family::new("dns_drift_instance_info");
    let mut wants = Family::new("dns_drift_instance_wanted_records");
    let counts = by_state(report, |finding| finding.instance.as_deref());
    let mut findings = Family::new("dns_drift_instance_findings");
    let mut pods = Family::new("dns_drift_instance_pods");
    let mut ready = Family::new("dns_drift_instance_pods_ready");
    for instance in &report.instances {
        let labels = || LabelSet::default().with("owner_id", &instance.id);
        let text = |value: Option<String>| value.unwrap_or_default();
        let described = labels()
            .with("version", &text(instance.version.map(|version| version.to_string())))
            .with("workload", &text(instance.workload.as_ref().map(ToString::to_string)))
            .with("policy", words::policy(instance.policy))
            .with("annotation_prefix", &instance.annotation_prefix)
            .with("origin", words::origin(instance.origin));
        about.add(described, Number::Whole(1));
        wants.add(labels(), instance.wants.into());
        for state in PRESENT {
            let count = counts.get(&(Some(&*instance.id), state)).copied().unwrap_or_default();
            findings.add(labels().with("state", state.as_str()), count.into());
        }
        pods.add(labels(), instance.pods.into());
        ready.add(labels(), instance.ready_pods.into());
    }
    vec![about, wants, findings, pods, ready]
}

/// A family of counters: rows with equal labels are added up, and so are those beyond the limit,
/// under `other`.
fn counters<const N: usize>(
    name: &str,
    labels: [&'static str; N],
    rows: impl Iterator<Item = ([String; N], u64)>,
) -> Family {
    let mut sums: BTreeMap<[String; N], u64> = BTreeMap::new();
    for (values, count) in rows {
        let known = sums.contains_key(&values) || sums.len() < MAX_COST_ROWS;
        let values = if known { values } else { std::array::from_fn(|_| String::from("other")) };
        let sum = sums.entry(values).or_default();
        *sum = sum.saturating_add(count);
    }
    let mut family = Family::new(name);
    for (values, count) in sums {
        let set = labels
            .iter()
            .zip(&values)
            .fold(LabelSet::default(), |set, (label, value)| set.with(label, value));
        family.add(set, count.into());
    }
    family
}
