//! What watching costs: requests, queries, lines and rounds, counted by whoever makes them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{DomainName, RecordKey, ZoneId};
use crate::publish::convergence::ConvergenceMetrics;

/// Knows the counters of the running program.
pub trait CostSource: Send + Sync {
    /// The counters now. Cheap: called at each scrape.
    fn snapshot(&self) -> CostSnapshot;

    /// How long new hosts take; `None` where nobody watches over time.
    fn convergence(&self) -> Option<&ConvergenceMetrics> {
        None
    }

    /// The state of every wanted record; `None` unless series for all of them are wanted.
    fn records(&self) -> Option<Arc<RecordStates>> {
        None
    }
}

/// The state of wanted records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordStates {
    /// As many as may have series.
    pub rows: Vec<RecordState>,
    /// Those beyond the limit.
    pub omitted: usize,
}

/// One wanted record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordState {
    /// Which.
    pub key: RecordKey,
    /// Name of its zone; `None` if that is not known.
    pub zone: Option<DomainName>,
    /// Its zone.
    pub zone_id: ZoneId,
    /// Who wants it.
    pub owner_id: Arc<str>,
    /// True without any finding.
    pub in_sync: bool,
}

/// What the DNS questions of the present rhythm cost a month, estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveCost {
    /// Names that are asked for.
    pub names: usize,
    /// Queries that Route 53 bills.
    pub queries: f64,
    /// US dollars.
    pub dollars: f64,
}

/// What may be sent to somebody in a second, and how much of it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    /// The service: `Route 53` or `DNS`.
    pub service: &'static str,
    /// The account or server, or several in words.
    pub whom: String,
    /// As configured.
    pub configured: f64,
    /// Now: less after the other end asked for it.
    pub allowed: f64,
    /// What was sent, as a mean over the last minute or so.
    pub used: f64,
    /// Seconds in which nothing is sent at all; 0 without a pause.
    pub paused_seconds: f64,
}

/// Counters since the start of the program. Lists may come in any order; rows with the same
/// labels are added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CostSnapshot {
    /// Requests to AWS.
    pub aws_requests: Vec<AwsRequests>,
    /// Questions to DNS servers.
    pub dns_queries: Vec<DnsQueries>,
    /// Requests to the Kubernetes API.
    pub kubernetes_requests: Vec<KubernetesRequests>,
    /// The budgets, how they stand now.
    pub allowances: Vec<Allowance>,
    /// What the DNS questions cost; `None` before they are planned.
    pub live: Option<LiveCost>,
    /// Lines of ExternalDNS logs that were read.
    pub log_lines: u64,
    /// Those that were dropped unread: too long, or too many.
    pub log_lines_dropped: u64,
    /// Changes that were refused and applied.
    pub changes: ChangeCounts,
    /// Rounds that ended.
    pub rounds: u64,
    /// How long the last round took, in seconds; `None` before the first.
    pub round_seconds: Option<f64>,
}

/// Changes that were refused and applied, since the start of the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeCounts {
    /// Refused changes: place, reason, origin (`log` or `cloudtrail`), count.
    pub refused: Vec<(ChangePlace, String, String, u64)>,
    /// The last refusal.
    pub last_refused: Vec<(ChangePlace, Timestamp)>,
    /// The last change that went through.
    pub last_applied: Vec<(ChangePlace, Timestamp)>,
    /// Calls that were only needed because refused batches were sent again group by group.
    pub extra_calls: Vec<(ChangePlace, u64)>,
    /// Queue messages that nobody could understand.
    pub messages_set_aside: u64,
}

/// Whose change, and where. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangePlace {
    /// Owner id of the instance.
    pub owner_id: String,
    /// Zone name.
    pub zone: String,
    /// Bare zone id.
    pub zone_id: String,
}

/// Requests of one AWS operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsRequests {
    /// As the API spells it, for example `ListResourceRecordSets`.
    pub operation: String,
    /// `ok`, or a word of a short list: `throttled`, `forbidden`, `timeout`, ...
    pub outcome: String,
    /// How many.
    pub count: u64,
}

/// Questions to one DNS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsQueries {
    /// Name or address.
    pub server: String,
    /// The network view that it belongs to; `None` where views make no sense.
    pub view: Option<String>,
    /// A word of [`Outcome`](crate::model::observation::Outcome).
    pub outcome: String,
    /// How many.
    pub count: u64,
}

/// Requests to the Kubernetes API for one kind of resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesRequests {
    /// Plural, lower case, for example `ingresses`.
    pub resource: String,
    /// `list`, `watch` or `get`.
    pub verb: String,
    /// Class of the status code: `2xx`, `4xx`, `5xx`, or `error` when there was none.
    pub class: String,
    /// How many.
    pub count: u64,
}

/// Costs nothing: for programs that render a report without running anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCosts;

impl CostSource for NoCosts {
    fn snapshot(&self) -> CostSnapshot {
        CostSnapshot::default()
    }
}
