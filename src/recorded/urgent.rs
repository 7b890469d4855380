//! Names that matter now: read alone and at once, beside the listing, out of the same budget.
//!
//! While a listing runs, the budget lets the two take turns: neither starves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::model::zone::TestedName;
use crate::model::{DomainName, RecordSet, ZoneId};
use crate::recorded::client::Client;
use crate::recorded::error::ReadError;
use crate::recorded::health::HealthReader;
use crate::recorded::tested::{TestReader, undecided};
use crate::recorded::view::View;
use crate::recorded::walk::{self, pages_of};

/// Shortest time between two attempts at one group, however they end.
const REST: Duration = Duration::from_secs(10);

/// A name, together with the names of its ownership records: read and shown as one, because a
/// record without its ownership record would look like somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrgentName {
    /// The zone that holds them.
    pub zone_id: ZoneId,
    /// The names, sorted.
    pub names: Vec<DomainName>,
    /// What was read before this time does not count.
    pub newer_than: Timestamp,
}

/// What is read next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// All urgent names of a zone together cost more requests than its pages.
    Zone(ZoneId),
    Group(UrgentName),
}

/// Reads what is asked for, one group after the other.
pub(crate) struct UrgentReader {
    pub(crate) client: Arc<Client>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) view: Arc<Mutex<View>>,
    pub(crate) wanted: watch::Receiver<Arc<[UrgentName]>>,
    tried: BTreeMap<(ZoneId, Vec<DomainName>), Instant>,
    health: HealthReader,
    tests: TestReader,
}

// === impl UrgentReader ===

impl UrgentReader {
    pub(crate) fn new(
        client: Arc<Client>,
        clock: Arc<dyn Clock>,
        view: Arc<Mutex<View>>,
        wanted: watch::Receiver<Arc<[UrgentName]>>,
    ) -> Self {
        let (health, tests) = (HealthReader::default(), TestReader::default());
        Self { client, clock, view, wanted, tried: BTreeMap::new(), health, tests }
    }

    /// Reads for ever; `publish` hears of each step that succeeded.
    pub(crate) async fn keep_reading(mut self, publish: impl Fn()) {
        loop {
            let wanted = Arc::clone(&self.wanted.borrow_and_update());
            let Some(step) = self.next(&wanted) else {
                tokio::select! {
                    () = changed(&mut self.wanted) => {}
                    () = tokio::time::sleep(REST) => {}
                }
                continue;
            };
            match self.read(&step, &wanted).await {
                Ok(()) => {
                    publish();
                    let healed = self.read_health(&step, &wanted).await;
                    if self.test(&step, &wanted).await || healed {
                        publish();
                    }
                }
                // The listing meets the same trouble and says so.
                Err(error) => tracing::debug!(%error, "urgent names not read"),
            }
        }
    }

    /// The first group that is due, or its whole zone where that is cheaper.
    fn next(&mut self, wanted: &[UrgentName]) -> Option<Step> {
        let now = Instant::now();
        self.tried.retain(|_, at| at.elapsed() < REST);
        let view = lock(&self.view);
        let due: Vec<&UrgentName> = wanted
            .iter()
            .filter(|group| is_due(&view, group) && !self.tried.contains_key(&key(group)))
            .collect();
        let first = due.first()?;
        let together: Vec<&&UrgentName> = due.iter().filter(|group| group.zone_id == first.zone_id).collect();
        let names: BTreeSet<&DomainName> = together.iter().flat_map(|group| &group.names).collect();
        let records = view.zones.get(&first.zone_id).map_or(0, |reading| reading.records().len());
        if pages_of(records) <= names.len() {
            self.tried.extend(together.iter().map(|group| (key(group), now)));
            return Some(Step::Zone(first.zone_id.clone()));
        }
        self.tried.insert(key(first), now);
        Some(Step::Group((**first).clone()))
    }

    /// The health checks at the names of a step.
    async fn read_health(&mut self, step: &Step, wanted: &[UrgentName]) -> bool {
        let id = step.zone();
        let ids: BTreeSet<Arc<str>> = {
            let view = lock(&self.view);
            let reading = view.zones.get(id);
            let names = wanted.iter().filter(|group| group.zone_id == *id).flat_map(|group| &group.names);
            let sets = names.flat_map(|name| reading.map(|reading| reading.at(name)).unwrap_or_default());
            sets.filter_map(|set| set.health_check_id.clone()).collect()
        };
        self.health.refresh(&self.client, &*self.clock, &self.view, ids).await
    }

    /// What Route 53 itself says of the names of a step.
    async fn test(&mut self, step: &Step, wanted: &[UrgentName]) -> bool {
        let id = step.zone();
        let names: Vec<TestedName> = {
            let view = lock(&self.view);
            let names = wanted.iter().filter(|group| group.zone_id == *id).flat_map(|group| &group.names);
            view.zones.get(id).map(|reading| undecided(reading, names).collect()).unwrap_or_default()
        };
        self.tests.refresh(&self.client, &*self.clock, &self.view, names).await
    }

    async fn read(&self, step: &Step, wanted: &[UrgentName]) -> Result<(), ReadError> {
        let began = self.clock.now();
        lock(&self.view).set_back(began);
        match step {
            Step::Zone(id) => {
                let count = lock(&self.view).zones.get(id).map(|reading| reading.records().len());
                let expected = count.and_then(|count| u64::try_from(count).ok());
                let walk = walk::record_sets(&self.client, id, expected).await?;
                lock(&self.view).store_records(id, walk.record_sets, began);
            }
            Step::Group(group) => {
                let mut found: Vec<RecordSet> = Vec::new();
                for name in &group.names {
                    found.extend(walk::read_name(&self.client, &group.zone_id, name).await?);
                }
                lock(&self.view).store_names(&group.zone_id, &group.names, &found, began);
            }
        }
        tracing::debug!(urgent = wanted.len(), "urgent names read");
        Ok(())
    }
}

impl Step {
    fn zone(&self) -> &ZoneId {
        match self {
            Self::Zone(id) => id,
            Self::Group(group) => &group.zone_id,
        }
    }
}

/// Only a zone that was read completely can be corrected.
fn is_due(view: &View, group: &UrgentName) -> bool {
    view.read_at.is_some()
        && view.zones.get(&group.zone_id).is_some_and(|reading| {
            reading.record_sets.is_some()
                && group.names.iter().any(|name| reading.name_read_at(name) < Some(group.newer_than))
        })
}

fn key(group: &UrgentName) -> (ZoneId, Vec<DomainName>) {
    (group.zone_id.clone(), group.names.clone())
}

pub(crate) fn lock(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for other wishes; forever when nobody is left who could have any.
async fn changed(wanted: &mut watch::Receiver<Arc<[UrgentName]>>) {
    if wanted.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
