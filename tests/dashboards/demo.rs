//! Data that fills every panel: a morning in a small cluster, told in seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dns_drift::clock::{Clock as _, SystemClock};
use dns_drift::convergence::{Arrival, Stage};
use dns_drift::finding::{Cause, Impact, Kind, Reason, Severity, SilentReason, State};
use dns_drift::model::{DomainName, ObjectRef};
use dns_drift::publish::convergence::ConvergenceMetrics;
use dns_drift::publish::cost::{CostSnapshot, CostSource, RecordStates};
use dns_drift::report::{Finding, Report, Summary};
use dns_drift::snapshot::ViewState;
use jiff::SignedDuration;

use crate::fixture;

/// Steps of the story; each lasts a second.
pub(crate) const STEPS: usize = 45;

/// The step at which the most is wrong.
pub(crate) const WORST: usize = 25;

/// Name, kind, reason, severity, impact, team and object.
type Broken = (&'static str, Kind, Reason, Severity, Impact, &'static str, &'static str);

/// What breaks, in this order.
const BROKEN: [Broken; 9] = [
    (
        "realtime",
        Kind::FailedChange,
        Reason::AliasTargetNotInZone,
        Severity::Critical,
        Impact::Down,
        "shop",
        "realtime",
    ),
    (
        "checkout",
        Kind::MissingRecord,
        Reason::Absent,
        Severity::Critical,
        Impact::Down,
        "payments",
        "checkout",
    ),
    ("api", Kind::StaleTarget, Reason::PreviousLb, Severity::Critical, Impact::WrongPlace, "platform", "api"),
    ("static", Kind::WrongTtl, Reason::None, Severity::Warning, Impact::None, "shop", "static"),
    (
        "search",
        Kind::ResolverStale,
        Reason::Positive,
        Severity::Warning,
        Impact::Degraded,
        "search",
        "search",
    ),
    ("img", Kind::OwnerMissing, Reason::None, Severity::Warning, Impact::None, "shop", "images"),
    ("pay", Kind::MissingRecord, Reason::Absent, Severity::Critical, Impact::Down, "payments", "pay"),
    ("legacy", Kind::StaleRecord, Reason::PolicyKeeps, Severity::Info, Impact::None, "platform", "legacy"),
    ("beta", Kind::Churn, Reason::NoOpUpsert, Severity::Info, Impact::None, "search", "beta"),
];

/// One thing after the other breaks; then most of it is mended, the last first.
pub(crate) fn report(step: usize) -> Arc<Report> {
    let now = SystemClock.now();
    let left = (STEPS.saturating_sub(step) / 2).max(3);
    let broken = step.saturating_sub(5).min(BROKEN.len()).min(left);
    let finding = |(number, row): (usize, &Broken)| {
        let (name, kind, reason, severity, impact, team, object) = *row;
        let refused = kind == Kind::FailedChange;
        Finding {
            kind,
            reason,
            severity,
            impact,
            cause: refused.then_some(Cause::InvalidDesired(Reason::AliasOnIp)),
            // What has just been seen waits for a second look.
            state: if number + 6 < step { State::Open } else { State::Pending },
            object: Some(ObjectRef::new("Ingress", team, object)),
            labels: BTreeMap::from([(String::from("team"), String::from(team))]),
            first_seen: now - SignedDuration::from_mins(7 * i64::try_from(BROKEN.len() - number).unwrap()),
            ..fixture::finding(&format!("{number:016x}"), fixture::record(&format!("{name}.example.com")))
        }
    };
    let findings: Vec<Finding> = BROKEN.iter().take(broken).enumerate().map(finding).collect();
    let mut report = Report { at: now, ..fixture::report() };
    let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    report.summary = Summary {
        names: 120,
        in_sync: 120 - findings.len(),
        pending: count(State::Pending),
        open: count(State::Open),
        unknown: 2,
        silent: BTreeMap::from([(SilentReason::ClassFilter, 3)]),
        ..Summary::default()
    };
    for (zone, wants) in report.zones.iter_mut().zip([104, 16]) {
        (zone.wants, zone.record_sets, zone.read_at) = (wants, Some(3 * wants + 2), Some(now));
    }
    report.zones[0].out_of_sync = findings.len();
    report.instances[0].wants = 120;
    for view in report.views.values_mut().filter(|view| view.state != ViewState::Off) {
        (view.state, view.read_at) = (ViewState::Read, Some(now));
    }
    report.findings = findings;
    Arc::new(report)
}

/// The costs of the fixture, growing with each scrape.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    scrapes: AtomicU64,
    convergence: ConvergenceMetrics,
}

impl CostSource for Growing {
    fn snapshot(&self) -> CostSnapshot {
        let scrapes = self.scrapes.fetch_add(1, Ordering::Relaxed) + 1;
        let arrival = |stage, seconds| Arrival {
            stage,
            name: DomainName::new("new.example.com"),
            took: Some(SignedDuration::from_secs(seconds)),
            decided: true,
        };
        let late = if scrapes.is_multiple_of(10) { 900 } else { 80 };
        self.convergence.record(&[arrival(Stage::Recorded, 40), arrival(Stage::Live, late)]);
        let mut costs = fixture::Costs::new().snapshot();
        for row in &mut costs.aws_requests {
            row.count *= scrapes;
        }
        for row in &mut costs.dns_queries {
            row.count *= scrapes;
        }
        for row in &mut costs.kubernetes_requests {
            row.count *= scrapes;
        }
        for (_, _, _, count) in &mut costs.changes.refused {
            *count *= scrapes;
        }
        for (_, count) in &mut costs.changes.extra_calls {
            *count *= scrapes;
        }
        for (place, _, _, _) in &mut costs.changes.refused {
            if place.zone == fixture::HOSTILE {
                place.zone = String::from("example.com");
            }
        }
        let ago = |seconds| SystemClock.now() - SignedDuration::from_secs(seconds);
        costs.changes.last_refused.iter_mut().for_each(|(_, at)| *at = ago(40));
        costs.changes.last_applied.iter_mut().for_each(|(_, at)| *at = ago(300));
        costs.changes.messages_set_aside *= scrapes;
        costs.log_lines *= scrapes;
        costs.log_lines_dropped *= scrapes;
        costs.rounds *= scrapes;
        costs
    }

    fn records(&self) -> Option<Arc<RecordStates>> {
        fixture::Costs::new().records()
    }

    fn convergence(&self) -> Option<&ConvergenceMetrics> {
        Some(&self.convergence)
    }
}
