//! The health checks of names that matter now. Optional: they explain a withheld record, and decide
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::model::zone::CheckerVotes;
use crate::recorded::client::Client;
use crate::recorded::extras::tell_refusal;
use crate::recorded::stats::{Operation, Outcome};
use crate::recorded::urgent::lock;
use crate::recorded::view::View;

/// How long an answer is believed, and how long a failure is left alone.
const KEEP: Duration = Duration::from_mins(1);

/// How long a missing permission is believed.
const KEEP_DENIED: Duration = Duration::from_hours(24);

/// Health checks that are asked for together. The operation has a bucket of its own: 4, refilled
/// with one a second. Source: Route 53 Developer Guide, "Throttling for Amazon Route 53 API
/// requests".
const AT_ONCE: usize = 3;

/// Health checks whose answers are kept.
const MAX_KEPT: usize = 1_000;

/// When which health check is asked for again.
#[derive(Debug, Default)]
pub(crate) struct HealthReader {
    due: BTreeMap<Arc<str>, Instant>,
    refused_until: Option<Instant>,
}

// === impl HealthReader ===

impl HealthReader {
    /// Asks for some health checks that are due; true if something was learned.
    pub(crate) async fn refresh(
        &mut self,
        client: &Client,
        clock: &dyn Clock,
        view: &Mutex<View>,
        ids: BTreeSet<Arc<str>>,
    ) -> bool {
        let now = Instant::now();
        if self.refused_until.is_some_and(|until| now < until) {
            return false;
        }
        self.due.retain(|_, at| now < *at);
        let due: Vec<Arc<str>> =
            ids.into_iter().filter(|id| !self.due.contains_key(id)).take(AT_ONCE).collect();
        let mut learned = false;
        for id in due {
            self.due.insert(Arc::clone(&id), Instant::now() + KEEP);
            match client.checker_votes(&id).await {
                Ok((all, success)) => {
                    let mut view = lock(view);
                    if view.health.len() < MAX_KEPT || view.health.contains_key(&id) {
                        view.health.insert(id, CheckerVotes { success, all, read_at: clock.now() });
                        learned = true;
                    }
                }
                Err(error) if error.outcome() == Some(Outcome::Denied) => {
                    tell_refusal(Operation::GetHealthCheckStatus, &error);
                    self.refused_until = Some(Instant::now() + KEEP_DENIED);
                    return learned;
                }
                Err(error) => tracing::debug!(%error, health_check = %id, "health check not read"),
            }
        }
        learned
    }
}
