//! A report with one of everything, and with texts that an attacker would choose.

use std::collections::BTreeMap;
use std::sync::Arc;

use dns_drift::convergence::{Arrival, Stage};
use dns_drift::finding::{Cause, Impact, Kind, Reason, Severity, SilentReason, State, Subject};
use dns_drift::model::instance::{Origin, Policy};
use dns_drift::model::{DomainName, ObjectRef, RecordKey, RecordType, Version, ZoneId};
use dns_drift::publish::convergence::ConvergenceMetrics;
use dns_drift::publish::cost::{
    Allowance, AwsRequests, ChangeCounts, ChangePlace, CostSnapshot, CostSource, DnsQueries,
    KubernetesRequests, LiveCost, RecordState, RecordStates,
};
use dns_drift::report::{
    Also, FORMAT, Finding, Fix, InstanceDetails, InstanceReport, Report, Silent, Summary, ViewReport,
    ZoneRef, ZoneReport,
};
use dns_drift::snapshot::{Problem, ViewName, ViewState};
use jiff::Timestamp;
use serde_json::json;

/// What an attacker would write into anything.
pub(crate) const HOSTILE: &str = "a\"b\\c\n<script>alert(1)</script>\u{202e}}";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn record(name: &str) -> Subject {
    Subject::Record(RecordKey {
        name: DomainName::new(name),
        record_type: RecordType::A,
        set_identifier: None,
    })
}

fn zone(id: &str, private: bool) -> ZoneRef {
    ZoneRef { id: ZoneId::new(id), name: DomainName::new("example.com"), private }
}

/// An open finding about a missing record in the public zone.
pub(crate) fn finding(id: &str, subject: Subject) -> Finding {
    Finding {
        id: id.to_owned(),
        kind: Kind::MissingRecord,
        reason: Reason::Absent,
        cause: None,
        state: State::Open,
        severity: Severity::Critical,
        impact: Impact::Down,
        subject,
        zone: Some(zone("Z1", false)),
        instance: Some("gke-prod".into()),
        object: Some(ObjectRef::new("Ingress", "shop", "web")),
        labels: BTreeMap::from([(String::from("team"), String::from("shop"))]),
        first_seen: at("2026-11-23T09:00:00Z"),
        last_seen: at("2026-11-23T10:01:00Z"),
        pending_until: None,
        mute: None,
        desired: json!({"type": "A", "ttl": 300, "values": ["203.0.113.10"]}),
        recorded: json!({}),
        live: json!({"public": "NXDOMAIN"}),
        evidence: Vec::new(),
        also: Vec::new(),
        explained_by: None,
        summary: String::from("the record is missing"),
        fix: Fix { summary: String::from("Create it."), ..Fix::default() },
        runbook: String::from("https://example.com/runbooks/missing_record"),
        steps: Vec::new(),
    }
}

fn findings() -> Vec<Finding> {
    let refused = Finding {
        kind: Kind::FailedChange,
        reason: Reason::AliasTargetNotInZone,
        cause: Some(Cause::InvalidDesired(Reason::AliasOnIp)),
        also: vec![Also { kind: Kind::MissingRecord, reason: Reason::Absent }],
        evidence: vec![String::from("InvalidChangeBatch: [Tried to create an alias ...]")],
        fix: Fix {
            summary: String::from("Remove the alias annotation."),
            commands: vec![String::from("kubectl -n shop annotate ingress web alias-")],
            ..Fix::default()
        },
        ..finding("0000000000000001", record("realtime.example.com"))
    };
    // Same name, type and kind in the private zone: only the zone id tells it apart.
    let twin =
        Finding { zone: Some(zone("Z2", true)), ..finding("0000000000000002", record("twin.example.com")) };
    let hostile = Finding {
        state: State::Pending,
        severity: Severity::Info,
        instance: Some(HOSTILE.into()),
        object: Some(ObjectRef::new("Ingress", HOSTILE, HOSTILE)),
        labels: BTreeMap::from([
            (String::from("a.b/team"), HOSTILE.to_owned()),
            (String::from("a_b_team"), String::from("meets the other one")),
        ]),
        summary: HOSTILE.to_owned(),
        fix: Fix { summary: HOSTILE.to_owned(), commands: vec![HOSTILE.to_owned()], ..Fix::default() },
        evidence: vec![HOSTILE.to_owned()],
        live: json!({HOSTILE: [HOSTILE]}),
        runbook: String::from("javascript:alert(1)"),
        ..finding("0000000000000004", record(HOSTILE))
    };
    let blind = Finding {
        kind: Kind::ObserverBlind,
        reason: Reason::Forbidden,
        severity: Severity::Warning,
        impact: Impact::None,
        zone: None,
        instance: None,
        object: None,
        labels: BTreeMap::new(),
        ..finding("0000000000000005", Subject::Source(ViewName::Dns))
    };
    let of_zone = Finding {
        kind: Kind::DelegationBroken,
        reason: Reason::None,
        zone: None,
        instance: None,
        object: None,
        ..finding("0000000000000006", Subject::Zone(DomainName::new("example.com")))
    };
    let explained = Finding {
        state: State::Explained,
        explained_by: Some(String::from("0000000000000006")),
        ..finding("0000000000000007", record("api.example.com"))
    };
    let resolved =
        Finding { state: State::Resolved, ..finding("0000000000000008", record("old.example.com")) };
    let public = finding("0000000000000003", record("twin.example.com"));
    vec![refused, twin, public, of_zone, blind, hostile, explained, resolved]
}

fn views() -> BTreeMap<ViewName, ViewReport> {
    let read_at = Some(at("2026-11-23T10:01:00Z"));
    let problem = Problem { scope: HOSTILE.to_owned(), code: Reason::Forbidden, message: HOSTILE.to_owned() };
    let view = |state, read_at, problems| ViewReport { state, read_at, problems };
    BTreeMap::from([
        (ViewName::Kubernetes, view(ViewState::Read, read_at, vec![])),
        (ViewName::Route53, view(ViewState::Stale, Some(at("2026-11-23T09:31:00Z")), vec![])),
        (ViewName::Dns, view(ViewState::Unread, None, vec![problem])),
        (ViewName::Changes, view(ViewState::Off, None, vec![])),
    ])
}

pub(crate) fn report() -> Report {
    let read_at = Some(at("2026-11-23T10:01:00Z"));
    let findings = findings();
    let open = findings.iter().filter(|finding| finding.state == State::Open).count();
    Report {
        format: FORMAT,
        at: at("2026-11-23T10:01:00Z"),
        views: views(),
        summary: Summary {
            names: 12,
            in_sync: 6,
            pending: 1,
            open,
            unknown: 1,
            mutes_without_end: 0,
            silent: BTreeMap::from([(SilentReason::ClassFilter, 3)]),
        },
        findings,
        silent: vec![Silent {
            subject: record("static.example.com"),
            reason: SilentReason::ClassFilter,
            detail: String::from("class internal is not one of nginx"),
        }],
        instances: vec![InstanceReport {
            id: "gke-prod".into(),
            origin: Origin::Discovered,
            workload: Some(ObjectRef::new("Deployment", "dns", "external-dns")),
            version: Some(Version::new(0, 14, 2)),
            annotation_prefix: String::from("external-dns.alpha.kubernetes.io/"),
            sources: vec![String::from("ingress")],
            sources_not_modelled: Vec::new(),
            policy: Policy::UpsertOnly,
            wants: 12,
            ready_pods: 1,
            pods: 2,
            details: InstanceDetails::default(),
        }],
        mutes: Vec::new(),
        zones: vec![
            ZoneReport { zone: zone("Z1", false), record_sets: Some(40), read_at, wants: 11, out_of_sync: 3 },
            ZoneReport { zone: zone("Z2", true), record_sets: None, read_at: None, wants: 1, out_of_sync: 1 },
        ],
    }
}

/// Costs with hostile server names and rows that have to be added up.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    convergence: ConvergenceMetrics,
}

impl Costs {
    /// With two hosts that arrived, one of them late, and one that is still missing.
    pub(crate) fn new() -> Self {
        let arrival = |stage, took: Option<i64>| Arrival {
            stage,
            name: DomainName::new("new.example.com"),
            took: took.map(jiff::SignedDuration::from_secs),
            decided: true,
        };
        let costs = Self::default();
        costs.convergence.record(&[
            arrival(Stage::Recorded, Some(40)),
            arrival(Stage::Live, Some(70)),
            arrival(Stage::Recorded, Some(700)),
            arrival(Stage::Live, None),
        ]);
        costs.convergence.set_pending(|stage| usize::from(stage == Stage::Live));
        costs
    }
}

impl CostSource for Costs {
    fn snapshot(&self) -> CostSnapshot {
        let text = |text: &str| text.to_owned();
        let place = |zone: &str| ChangePlace {
            owner_id: text("gke-prod"),
            zone: zone.to_owned(),
            zone_id: text("Z1"),
        };
        let aws = AwsRequests { operation: text("ListHostedZones"), outcome: text("ok"), count: 3 };
        CostSnapshot {
            allowances: vec![
                Allowance {
                    service: "Route 53",
                    whom: text("account 111122223333"),
                    configured: 2.0,
                    allowed: 2.0,
                    used: 0.5,
                    paused_seconds: 0.0,
                },
                Allowance {
                    service: "Route 53",
                    whom: text("account 444455556666"),
                    configured: 2.0,
                    allowed: 1.0,
                    used: 1.5,
                    paused_seconds: 4.2,
                },
                Allowance {
                    service: "DNS",
                    whom: text(HOSTILE),
                    configured: 50.0,
                    allowed: 12.5,
                    used: 3.0,
                    paused_seconds: 0.0,
                },
            ],
            live: Some(LiveCost { names: 10, queries: 1.5e6, dollars: 0.6 }),
            aws_requests: vec![aws.clone(), aws],
            dns_queries: vec![DnsQueries {
                server: text(HOSTILE),
                view: Some(text("public")),
                outcome: text("answer"),
                count: 7,
            }],
            kubernetes_requests: vec![KubernetesRequests {
                resource: text("ingresses"),
                verb: text("list"),
                class: text("2xx"),
                count: 2,
            }],
            log_lines: 100,
            log_lines_dropped: 1,
            changes: ChangeCounts {
                refused: vec![
                    (place(""), text("alias_target_not_in_zone"), text("log"), 5),
                    (place(HOSTILE), text("unknown"), text("cloudtrail"), 1),
                ],
                last_refused: vec![(place(""), at("2026-11-23T10:00:00Z"))],
                last_applied: vec![(place(""), at("2026-11-23T09:59:00Z"))],
                extra_calls: vec![(place(""), 12)],
                messages_set_aside: 2,
            },
            rounds: 9,
            round_seconds: Some(0.25),
        }
    }

    fn convergence(&self) -> Option<&ConvergenceMetrics> {
        Some(&self.convergence)
    }

    fn records(&self) -> Option<Arc<RecordStates>> {
        let row = |name: &str, in_sync| RecordState {
            key: RecordKey { name: DomainName::new(name), record_type: RecordType::A, set_identifier: None },
            zone: Some(DomainName::new("example.com")),
            zone_id: ZoneId::new("Z1"),
            owner_id: "gke-prod".into(),
            in_sync,
        };
        let rows = vec![row("healthy.example.com", true), row("realtime.example.com", false)];
        Some(Arc::new(RecordStates { rows, omitted: 3 }))
    }
}

/// The report as a shared value, the way rounds publish it.
#[allow(dead_code, reason = "not every test file takes it")]
pub(crate) fn shared() -> Arc<Report> {
    Arc::new(report())
}
