//! What our calls to Route 53 cost: so that an operator can prove that it is not us who
//! exhausts the account's bucket.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::recorded::budget::{Budget, Standing};

/// The operations that the reader calls, all of them reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `ListHostedZones`.
    ListHostedZones,
    /// `GetHostedZone`.
    GetHostedZone,
    /// `ListResourceRecordSets`.
    ListResourceRecordSets,
    /// `GetHostedZoneLimit`.
    GetHostedZoneLimit,
    /// `GetDNSSEC`.
    GetDnssec,
    /// `ListTagsForResources`.
    ListTagsForResources,
    /// `GetHealthCheckStatus`.
    GetHealthCheckStatus,
    /// `TestDNSAnswer`.
    TestDnsAnswer,
}

/// How one attempt ended. Source: Route 53 API Reference, "Common Errors", and the SDK's own
/// failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Answered.
    Ok,
    /// Refused because of the rate.
    Throttled,
    /// No permission.
    Denied,
    /// No such zone.
    NotFound,
    /// The request was wrong.
    Invalid,
    /// Credentials missing, expired or wrong.
    Auth,
    /// No answer in time.
    Timeout,
    /// No connection.
    Connect,
    /// 5xx.
    Server,
    /// An answer that is no answer.
    Parse,
    /// Anything else.
    Other,
}

/// Totals of the attempts of one operation that ended in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// HTTP attempts.
    pub attempts: u64,
    /// Sum of their durations in seconds, waiting for the budget not included.
    pub seconds: f64,
}

/// Counters of one Route 53 client since the start of the program. Shared by reference.
#[derive(Debug, Default)]
pub struct ApiStats {
    attempts: Mutex<BTreeMap<(Operation, Outcome), Totals>>,
    duplicate_rows: AtomicU64,
    /// The budget of each account, by its id or by `default`.
    budgets: Mutex<Vec<(String, Arc<Budget>)>>,
}

// === impl Operation ===

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 8] = [
        Self::ListHostedZones,
        Self::GetHostedZone,
        Self::ListResourceRecordSets,
        Self::GetHostedZoneLimit,
        Self::GetDnssec,
        Self::ListTagsForResources,
        Self::GetHealthCheckStatus,
        Self::TestDnsAnswer,
    ];

    /// The API's own name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ListHostedZones => "ListHostedZones",
            Self::GetHostedZone => "GetHostedZone",
            Self::ListResourceRecordSets => "ListResourceRecordSets",
            Self::GetHostedZoneLimit => "GetHostedZoneLimit",
            Self::GetDnssec => "GetDNSSEC",
            Self::ListTagsForResources => "ListTagsForResources",
            Self::GetHealthCheckStatus => "GetHealthCheckStatus",
            Self::TestDnsAnswer => "TestDNSAnswer",
        }
    }

    /// The permission that the operation needs.
    #[must_use]
    pub fn action(self) -> String {
        format!("route53:{}", self.as_str())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Outcome ===

impl Outcome {
    /// The word in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Auth => "auth",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Server => "server",
            Self::Parse => "parse",
            Self::Other => "other",
        }
    }
}

// === impl ApiStats ===

impl ApiStats {
    /// Counts one attempt.
    pub fn count(&self, operation: Operation, outcome: Outcome, took: Duration) {
        let mut all = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let totals = all.entry((operation, outcome)).or_default();
        totals.attempts = totals.attempts.saturating_add(1);
        totals.seconds += took.as_secs_f64();
    }

    /// Counts rows that a listing repeated.
    pub(crate) fn count_duplicate_rows(&self, rows: u64) {
        self.duplicate_rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Takes the budgets of the accounts that are read from now on.
    pub(crate) fn set_budgets(&self, budgets: Vec<(String, Arc<Budget>)>) {
        *self.budgets.lock().unwrap_or_else(PoisonError::into_inner) = budgets;
    }

    /// How the budget of each account stands; empty before anything is read.
    #[must_use]
    pub fn standings(&self) -> Vec<(String, Standing)> {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.iter().map(|(account, budget)| (account.clone(), budget.standing())).collect()
    }

    /// Rows that were listed more than once within one listing, and dropped.
    #[must_use]
    pub fn duplicate_rows(&self) -> u64 {
        self.duplicate_rows.load(Ordering::Relaxed)
    }

    /// All counters so far, sorted by operation and outcome.
    #[must_use]
    pub fn totals(&self) -> Vec<(Operation, Outcome, Totals)> {
        let all = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|((operation, outcome), totals)| (*operation, *outcome, *totals)).collect()
    }

    /// Attempts that were throttled.
    #[must_use]
    pub fn throttles(&self) -> u64 {
        self.totals()
            .into_iter()
            .filter(|(_, outcome, _)| *outcome == Outcome::Throttled)
            .map(|(_, _, totals)| totals.attempts)
            .sum()
    }
}
