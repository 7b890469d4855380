//! What Route 53 itself would answer for names that matter now. Optional: it tells whether a routing
//! policy or a health check is behind an answer, and decides nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::model::zone::{TestedAnswer, TestedName, ZoneReading};
use crate::model::{DomainName, RecordSet, ZoneId};
use crate::recorded::client::Client;
use crate::recorded::extras::tell_refusal;
use crate::recorded::stats::{Operation, Outcome};
use crate::recorded::urgent::lock;
use crate::recorded::view::View;

/// How long an answer is believed, and how long a failure is left alone.
const KEEP: Duration = Duration::from_mins(1);

/// How long a missing permission, or a service without the operation, is believed.
const KEEP_DENIED: Duration = Duration::from_hours(24);

/// Names that are asked for together: each is one request of the budget that the listing needs too.
const AT_ONCE: usize = 2;

/// Answers that are kept.
const MAX_KEPT: usize = 1_000;

/// When which name is asked for again.
#[derive(Debug, Default)]
pub(crate) struct TestReader {
    due: BTreeMap<TestedName, Instant>,
    refused_until: Option<Instant>,
}

// === impl TestReader ===

impl TestReader {
    /// Asks for some names that are due; true if something was learned.
    pub(crate) async fn refresh(
        &mut self,
        client: &Client,
        clock: &dyn Clock,
        view: &Mutex<View>,
        names: impl IntoIterator<Item = TestedName>,
    ) -> bool {
        let now = Instant::now();
        if self.refused_until.is_some_and(|until| now < until) {
            return false;
        }
        self.due.retain(|_, at| now < *at);
        let due: Vec<TestedName> =
            names.into_iter().filter(|name| !self.due.contains_key(name)).take(AT_ONCE).collect();
        let mut learned = false;
        for name in due {
            self.due.insert(name.clone(), Instant::now() + KEEP);
            match client.test_answer(&name).await {
                Ok((rcode, values)) => {
                    let answer = TestedAnswer { rcode, values, read_at: clock.now() };
                    let mut view = lock(view);
                    if view.tested.len() < MAX_KEPT || view.tested.contains_key(&name) {
                        view.tested.insert(name, answer);
                        learned = true;
                    }
                }
                Err(error) if error.outcome() == Some(Outcome::Denied) => {
                    tell_refusal(Operation::TestDnsAnswer, &error);
                    self.refused_until = Some(Instant::now() + KEEP_DENIED);
                    return learned;
                }
                // The zone is gone, or the service is an emulator without the operation.
                Err(error) if error.outcome() == Some(Outcome::NotFound) => {
                    tracing::debug!(%error, "nothing tested");
                    self.refused_until = Some(Instant::now() + KEEP);
                    return learned;
                }
                Err(error) => tracing::debug!(%error, name = %name.name, "name not tested"),
            }
        }
        learned
    }
}

/// The names among `names` whose answer depends on more than the record, in a public zone: of others
/// the record says all.
pub(crate) fn undecided<'a>(
    reading: &'a ZoneReading,
    names: impl Iterator<Item = &'a DomainName>,
) -> impl Iterator<Item = TestedName> {
    let id: &ZoneId = &reading.zone.id;
    let sets = names.filter(|_| !reading.zone.private).flat_map(|name| reading.at(name));
    sets.filter(|set| set.record_type.is_address() && !set.name.is_wildcard() && depends(set)).map(|set| {
        TestedName { zone_id: id.clone(), name: set.name.clone(), record_type: set.record_type.clone() }
    })
}

fn depends(set: &RecordSet) -> bool {
    set.routing.is_some()
        || set.health_check_id.is_some()
        || set.content.alias().is_some_and(|target| target.evaluate_target_health)
}
