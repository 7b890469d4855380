//! Keeping the recorded view of one account: zone by zone, old until the new is complete.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::model::zone::Zones;
use crate::model::{HostedZone, ZoneId};
use crate::recorded::client::Client;
use crate::recorded::error::ReadError;
use crate::recorded::extras::Extras;
use crate::recorded::filter::ZoneFilter;
use crate::recorded::stats::{Operation, Outcome};
use crate::recorded::urgent::{UrgentName, UrgentReader, lock};
use crate::recorded::view::View;
use crate::recorded::walk::{self, pages_of};
use crate::snapshot::{Problem, Reading, ViewState};

/// Requests for quotas and signing states after each listing: a few seconds of the budget.
const EXTRAS_PER_LISTING: u32 = 10;

/// Zones that are asked for one by one when the list of zones has become empty.
const ASKED_WHEN_EMPTY: usize = 5;

/// Reads the zones of one account, and remembers them.
pub struct Reader {
    client: Arc<Client>,
    filter: ZoneFilter,
    clock: Arc<dyn Clock>,
    view: Arc<Mutex<View>>,
    extras: Extras,
    /// Zones that were known before a restart, until a list is believed.
    remembered: BTreeSet<ZoneId>,
    /// Zones one after the other without a connection: from the third on it is not the zone.
    unreachable: u32,
}

/// How a zone's turn ended.
enum Turn {
    /// Read.
    Read {
        /// Whether the published view differs now.
        changed: bool,
    },
    /// Not read: the old listing stays, with a problem.
    Kept {
        /// Whether the problem is new.
        changed: bool,
    },
    /// The service says that the zone is gone.
    Gone,
    /// The trouble concerns every zone: the rest of the listing would fail alike.
    GiveUp(ReadError),
}

/// When the zones of a listing have their turns.
#[derive(Clone, Copy)]
struct Spread {
    start: Instant,
    over: Duration,
    pages: usize,
}

// === impl Reader ===

impl Reader {
    /// A reader that has not read anything.
    #[must_use]
    pub fn new(client: Client, filter: ZoneFilter, clock: Arc<dyn Clock>) -> Self {
        Self {
            client: Arc::new(client),
            filter,
            clock,
            view: Arc::new(Mutex::new(View::new())),
            extras: Extras::default(),
            remembered: BTreeSet::new(),
            unreachable: 0,
        }
    }

    /// The same, with the zones that were there before a restart: a list that has become empty meanwhile is as
    /// suspicious as one that becomes empty now.
    #[must_use]
    pub fn remembering(self, zones: BTreeSet<ZoneId>) -> Self {
        Self { remembered: zones, ..self }
    }

    /// Listing after listing, and urgent names beside them; never returns.
    pub(crate) async fn keep_reading(
        mut self,
        interval: Duration,
        urgent: watch::Receiver<Arc<[UrgentName]>>,
        publish: impl Fn(Reading<Zones>),
    ) {
        let (client, view) = (Arc::clone(&self.client), Arc::clone(&self.view));
        let reader = UrgentReader::new(client, Arc::clone(&self.clock), Arc::clone(&view), urgent);
        let reading = reader.keep_reading(|| publish(lock(&view).reading()));
        tokio::join!(self.keep_listing(interval, &publish), reading);
    }

    async fn keep_listing(&mut self, interval: Duration, publish: &impl Fn(Reading<Zones>)) {
        loop {
            let start = Instant::now();
            // A quarter of the interval is left for what takes longer than planned.
            let over = interval.mul_f64(0.75);
            self.list_all(Some(over), publish).await;
            publish(self.reading());
            if self.state() == ViewState::Read && self.read_extras(EXTRAS_PER_LISTING).await {
                publish(self.reading());
            }
            let problems = self.reading().problems.len();
            let zones = lock(&self.view).zones.len();
            let took_ms = start.elapsed().as_millis();
            tracing::info!(zones, problems, took_ms, "route 53 listed");
            sleep_until(start + interval).await;
        }
    }

    /// The view as it stands.
    #[must_use]
    pub fn reading(&self) -> Reading<Zones> {
        lock(&self.view).reading()
    }

    fn state(&self) -> ViewState {
        lock(&self.view).state
    }

    /// One full listing at the pace of the budget. `changed` hears of each zone that changed, from
    /// the second listing on.
    pub async fn read_all(&mut self, changed: impl Fn(Reading<Zones>)) {
        self.list_all(None, &changed).await;
    }

    async fn list_all(&mut self, over: Option<Duration>, changed: &impl Fn(Reading<Zones>)) {
        let (start, began) = (Instant::now(), self.clock.now());
        lock(&self.view).set_back(began);
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(error) => return self.give_up(&error),
        };
        lock(&self.view).common_problem = None;
        self.unreachable = 0;
        self.retain(&listed);
        let (listed, others): (Vec<HostedZone>, Vec<HostedZone>) = {
            let all = listed.clone();
            listed.into_iter().partition(|zone| self.filter.reads(zone, &all))
        };
        let mut others_changed = false;
        for zone in others {
            others_changed |= lock(&self.view).list_only(zone);
        }
        let listed = self.oldest_first(listed);
        let all_is_others = listed.is_empty() && self.filter.shard.is_some();
        // The first listing is wanted at once; so is the next one when a view is not whole.
        let over = over.filter(|_| self.state() == ViewState::Read);
        let pages = listed.iter().map(expected_pages).sum();
        let spread = over.map(|over| Spread { start, over, pages });
        let (mut gone, mut read, mut pages) = (BTreeSet::new(), 0_usize, 0_usize);
        for zone in listed {
            if let Some(spread) = spread {
                sleep_until(spread.turn(pages)).await;
            }
            pages += expected_pages(&zone);
            let id = zone.id.clone();
            let differs = match self.read_zone(zone).await {
                Turn::Read { changed } => {
                    read += 1;
                    changed
                }
                Turn::Kept { changed } => changed,
                Turn::Gone => {
                    gone.insert(id);
                    false
                }
                Turn::GiveUp(error) => return self.give_up(&error),
            };
            let reading = self.reading();
            if (differs || std::mem::take(&mut others_changed)) && reading.value.is_some() {
                changed(reading);
            }
        }
        if !gone.is_empty() {
            self.drop_gone(&gone).await;
        }
        let mut view = lock(&self.view);
        let nothing_to_read = view.zones.is_empty() && view.zone_problems.is_empty();
        if view.common_problem.is_none() && (0 < read || nothing_to_read || all_is_others) {
            view.read_at = Some(began);
            view.state = ViewState::Read;
        } else if view.read_at.is_some() {
            view.state = ViewState::Stale;
        }
    }

    /// Asks for quotas and signing states that are due; true if one changed.
    ///
    /// Apart from the listing, so that a start with many zones is not held up by extras.
    pub(crate) async fn read_extras(&mut self, mut requests: u32) -> bool {
        let zones: Vec<(ZoneId, bool)> = {
            let view = lock(&self.view);
            let all: Vec<HostedZone> = view.zones.values().map(|reading| reading.zone.clone()).collect();
            let own = all.iter().filter(|zone| self.filter.reads(zone, &all));
            own.map(|zone| (zone.id.clone(), zone.private)).collect()
        };
        for (id, private) in zones {
            self.extras.refresh(&self.client, &id, private, &mut requests).await;
        }
        let mut view = lock(&self.view);
        let mut changed = false;
        for reading in view.zones.values_mut() {
            changed |= self.extras.fill(&mut reading.zone);
        }
        changed
    }

    /// The zones to read in this listing.
    async fn list(&mut self) -> Result<Vec<HostedZone>, ReadError> {
        let mut listed =
            if self.filter.ids.is_empty() { self.list_every().await? } else { self.list_named().await? };
        listed.retain(|zone| self.filter.passes(zone));
        let ids: Vec<ZoneId> = listed.iter().map(|zone| zone.id.clone()).collect();
        let answer = self.extras.refresh_tags(&self.client, &ids).await;
        if !self.filter.tags.is_empty() {
            let unknown = ids.iter().any(|id| self.extras.tags(id).is_none());
            answer.or_else(|error| if unknown { Err(error) } else { Ok(()) })?;
            listed.retain(|zone| self.filter.passes_tags(self.extras.tags(&zone.id)));
        }
        Ok(listed)
    }

    /// All zones. An empty list after a full one is believed when the zones themselves are gone.
    async fn list_every(&mut self) -> Result<Vec<HostedZone>, ReadError> {
        let listed = walk::hosted_zones(&self.client).await?;
        let known: BTreeSet<ZoneId> =
            lock(&self.view).zones.keys().chain(&self.remembered).cloned().collect();
        let Some(suspicion) = ReadError::emptied(listed.len(), known.len()) else { return Ok(listed) };
        for id in known.iter().take(ASKED_WHEN_EMPTY) {
            match self.client.hosted_zone(id).await {
                Err(error) if error.outcome() == Some(Outcome::NotFound) => {}
                Ok(_) | Err(_) => return Err(suspicion),
            }
        }
        Ok(listed)
    }

    /// The zones that the configuration names, each asked for by itself.
    async fn list_named(&mut self) -> Result<Vec<HostedZone>, ReadError> {
        let mut listed = Vec::new();
        for id in self.filter.ids.clone() {
            match self.client.hosted_zone(&id).await {
                Ok(zone) => {
                    self.extras.learn(&zone);
                    listed.push(zone);
                }
                Err(error) if matches!(error.outcome(), Some(Outcome::NotFound | Outcome::Denied)) => {
                    lock(&self.view).fail(&id, error.problem());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }

    /// Forgets the zones that a complete list no longer has.
    fn retain(&mut self, listed: &[HostedZone]) {
        let ids = listed.iter().map(|zone| &zone.id).chain(&self.filter.ids);
        let alive: BTreeSet<ZoneId> = ids.cloned().collect();
        self.remembered.clear();
        lock(&self.view).retain(&alive);
        self.extras.retain(&alive);
    }

    /// Whoever waits longest comes first, so that no zone starves behind one that fails.
    fn oldest_first(&self, mut listed: Vec<HostedZone>) -> Vec<HostedZone> {
        let view = lock(&self.view);
        listed.sort_by_key(|zone| view.zones.get(&zone.id).and_then(|known| known.read_at));
        listed
    }

    async fn read_zone(&mut self, listed: HostedZone) -> Turn {
        let id = listed.id.clone();
        let began = self.clock.now();
        lock(&self.view).set_back(began);
        let error = match walk::record_sets(&self.client, &id, listed.record_set_count).await {
            Ok(walk) => {
                self.unreachable = 0;
                let (zone, problem) = self.extras.complete(&self.client, listed).await;
                if 0 < walk.duplicate_rows {
                    tracing::debug!(zone = %id, rows = walk.duplicate_rows, "rows listed twice");
                }
                let changed = lock(&self.view).store(zone, walk.record_sets, began, problem.as_ref());
                return Turn::Read { changed };
            }
            Err(error) => error,
        };
        match error.outcome() {
            Some(Outcome::NotFound) => return Turn::Gone,
            Some(Outcome::Throttled | Outcome::Auth) => return Turn::GiveUp(error),
            Some(Outcome::Connect | Outcome::Timeout) if 1 < self.unreachable => {
                return Turn::GiveUp(error);
            }
            Some(Outcome::Connect | Outcome::Timeout) => self.unreachable += 1,
            _ => {}
        }
        tracing::warn!(zone = %id, %error, "hosted zone not read, the last state is kept");
        Turn::Kept { changed: lock(&self.view).keep(listed, error.problem()) }
    }

    /// Drops the zones that vanished during the listing, if a second list agrees.
    async fn drop_gone(&mut self, gone: &BTreeSet<ZoneId>) {
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(error) => {
                lock(&self.view).common_problem = Some(error.problem());
                return;
            }
        };
        for id in gone {
            if listed.iter().any(|zone| zone.id == *id) {
                let error = ReadError::Answer {
                    operation: Operation::ListResourceRecordSets,
                    zone: Some(id.clone()),
                    text: "the zone is said not to exist, but it is listed".to_owned(),
                };
                lock(&self.view).fail(id, error.problem());
            } else if self.filter.ids.is_empty() {
                lock(&self.view).forget(id);
                self.extras.forget(id);
            }
        }
    }

    fn give_up(&mut self, error: &ReadError) {
        tracing::warn!(%error, "route 53 not read, the last state is kept");
        let mut view = lock(&self.view);
        view.common_problem = Some(Problem { scope: "all".to_owned(), ..error.problem() });
        view.state = if view.read_at.is_some() { ViewState::Stale } else { ViewState::Unread };
    }
}

// === impl Spread ===

impl Spread {
    /// When the zone after so many pages is read: evenly over the time, weighted by pages. One zone
    /// is read in one go, because a slow walk meets more writes and ends with older rows.
    fn turn(self, pages_before: usize) -> Instant {
        let part = |pages: usize| u32::try_from(pages).unwrap_or(u32::MAX);
        let share = f64::from(part(pages_before)) / f64::from(part(self.pages.max(1)));
        self.start + self.over.mul_f64(share.min(1.0))
    }
}

fn expected_pages(zone: &HostedZone) -> usize {
    pages_of(usize::try_from(zone.record_set_count.unwrap_or(0)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
