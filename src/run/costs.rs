//! What the running program costs, gathered from whoever counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::changes::feed::FeedCounts;
use crate::changes::inbox::SourceHealth;
use crate::changes::tally::{Place, Tally};
use crate::desired::contact::KubeStats;
use crate::live::cost::MonthlyCost;
use crate::live::endpoint::Endpoint;
use crate::live::prober::{Prober, Speed};
use crate::live::settings::ResolverSettings;
use crate::publish::convergence::ConvergenceMetrics;
use crate::publish::cost::{
    Allowance, AwsRequests, ChangeCounts, ChangePlace, CostSnapshot, CostSource, DnsQueries,
    KubernetesRequests, LiveCost, RecordStates,
};
use crate::recorded::stats::ApiStats;

/// A cost that grows by this factor is told again.
const WORTH_SAYING: f64 = 1.5;

/// What the tasks tell beside the counters of their clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub(super) feed: FeedCounts,
    pub(super) tally: Arc<Tally>,
    pub(super) rounds: u64,
    pub(super) round_seconds: Option<f64>,
}

/// All counters.
#[derive(Clone)]
pub(super) struct Costs {
    pub(super) kube: KubeStats,
    pub(super) route53: Arc<ApiStats>,
    pub(super) prober: Prober,
    views: BTreeMap<Endpoint, Arc<str>>,
    sources: SourceHealth,
    counted: Arc<Mutex<Counted>>,
    pub(super) convergence: Arc<ConvergenceMetrics>,
    records: Arc<Mutex<Option<Arc<RecordStates>>>>,
    live: watch::Sender<Option<LiveCost>>,
}

impl Costs {
    pub(super) fn new(
        kube: KubeStats,
        route53: Arc<ApiStats>,
        prober: Prober,
        resolvers: &[ResolverSettings],
        sources: SourceHealth,
    ) -> Self {
        let views = resolvers.iter().map(|one| (one.endpoint.clone(), Arc::clone(&one.view))).collect();
        Self {
            kube,
            route53,
            prober,
            views,
            sources,
            counted: Arc::default(),
            convergence: Arc::default(),
            records: Arc::default(),
            live: watch::Sender::new(None),
        }
    }

    /// Takes the cost of a new plan; said in the log when it is the first or a good deal more.
    pub(super) fn set_live(&self, names: usize, cost: MonthlyCost) {
        let MonthlyCost { queries, dollars } = cost;
        let last = self.live.send_replace(Some(LiveCost { names, queries, dollars }));
        if last.is_none_or(|last| last.queries.max(1.0) * WORTH_SAYING < queries) {
            tracing::info!(
                names,
                billed_queries_a_month = format!("{queries:.0}"),
                dollars_a_month = format!("{dollars:.2}"),
                "dns: cost of the questions"
            );
        }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Counted)) {
        change(&mut self.counted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn set_records(&self, records: RecordStates) {
        *self.records.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(records));
    }

    fn dns(&self) -> Vec<DnsQueries> {
        let mut rows = Vec::new();
        let plain = self.prober.stats().into_iter().map(|(address, stats)| (address.into(), stats));
        for (endpoint, stats) in plain.chain(self.prober.encrypted_stats()) {
            let outcomes = [
                ("answer", stats.answers),
                ("timeout", stats.timeouts),
                ("unreachable", stats.refused),
                ("malformed", stats.malformed),
            ];
            rows.extend(outcomes.into_iter().filter(|(_, count)| 0 < *count).map(|(outcome, count)| {
                DnsQueries {
                    server: endpoint.to_string(),
                    view: self.views.get(&endpoint).map(ToString::to_string),
                    outcome: outcome.to_owned(),
                    count,
                }
            }));
        }
        rows
    }

    /// The accounts, all name servers together, the resolvers, and whatever server had to be slowed down.
    fn allowances(&self) -> Vec<Allowance> {
        let accounts = self.route53.standings().into_iter().map(|(account, standing)| Allowance {
            service: "Route 53",
            whom: format!("account {account}"),
            configured: standing.configured,
            allowed: standing.allowed,
            used: standing.used,
            paused_seconds: standing.paused_for.as_secs_f64(),
        });
        let of_dns = |whom: String, speed: Speed| Allowance {
            service: "DNS",
            whom,
            configured: speed.configured,
            allowed: speed.allowed,
            used: speed.used,
            paused_seconds: 0.0,
        };
        let all = of_dns(String::from("all name servers together"), self.prober.total_speed());
        let servers = self.prober.speeds().into_iter().filter_map(|(endpoint, speed)| {
            let is_slowed = speed.allowed < speed.configured;
            match self.views.get(&endpoint) {
                Some(view) => Some(of_dns(format!("resolver {endpoint} ({view})"), speed)),
                None => is_slowed.then(|| of_dns(format!("server {endpoint}"), speed)),
            }
        });
        accounts.chain([all]).chain(servers).collect()
    }
}

impl CostSource for Costs {
    fn snapshot(&self) -> CostSnapshot {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let aws = self.route53.totals().into_iter().map(|(operation, outcome, totals)| AwsRequests {
            operation: operation.as_str().to_owned(),
            outcome: outcome.as_str().to_owned(),
            count: totals.attempts,
        });
        let kube = self.kube.requests().into_iter().map(|(kind, count)| KubernetesRequests {
            resource: kind.resource.to_owned(),
            verb: kind.verb.to_owned(),
            class: kind.status.to_owned(),
            count,
        });
        let feeds = self.sources.requests().into_iter().map(|(operation, outcome, count)| AwsRequests {
            operation: operation.to_owned(),
            outcome: outcome.to_owned(),
            count,
        });
        CostSnapshot {
            aws_requests: aws.chain(feeds).collect(),
            dns_queries: self.dns(),
            kubernetes_requests: kube.collect(),
            allowances: self.allowances(),
            live: *self.live.borrow(),
            log_lines: counted.feed.lines,
            log_lines_dropped: counted.feed.oversize_lines.saturating_add(counted.feed.dropped_lines),
            changes: changes(&counted.tally, self.sources.messages_set_aside()),
            rounds: counted.rounds,
            round_seconds: counted.round_seconds,
        }
    }
    fn convergence(&self) -> Option<&ConvergenceMetrics> {
        Some(&self.convergence)
    }

    fn records(&self) -> Option<Arc<RecordStates>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn changes(tally: &Tally, messages_set_aside: u64) -> ChangeCounts {
    let place = |place: &Place| ChangePlace {
        owner_id: place.owner_id.to_string(),
        zone: tally.zone_name(&place.zone_id).to_owned(),
        zone_id: place.zone_id.to_string(),
    };
    let refused = tally.refused.iter().map(|((at, reason, origin), count)| {
        (place(at), reason.as_str().to_owned(), origin.as_str().to_owned(), *count)
    });
    ChangeCounts {
        refused: refused.collect(),
        last_refused: tally.last_refused.iter().map(|(at, time)| (place(at), *time)).collect(),
        last_applied: tally.last_applied.iter().map(|(at, time)| (place(at), *time)).collect(),
        extra_calls: tally.extra_calls.iter().map(|(at, count)| (place(at), *count)).collect(),
        messages_set_aside,
    }
}
