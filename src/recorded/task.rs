//! Keeping the recorded view: zone by zone, old until the new is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::model::zone::{Dnssec, ZoneLimit, ZoneReading, Zones};
use crate::model::{HostedZone, ZoneId};
use crate::recorded::client::Client;
use crate::recorded::error::ReadError;
use crate::recorded::stats::{Operation, Outcome};
use crate::recorded::walk;
use crate::snapshot::{Problem, Reading, ViewState};

/// How long delegation set and VPCs of a zone are believed; they change by hand, seldom.
const KEEP_ZONE: Duration = Duration::from_mins(5);

/// How long quota and signing state of a zone are believed.
const KEEP_FACTS: Duration = Duration::from_hours(1);

/// How long a missing permission for an optional fact is believed.
const KEEP_DENIED: Duration = Duration::from_hours(24);

/// Requests for quotas and signing states after each listing: a few seconds of the budget.
const EXTRAS_PER_LISTING: u32 = 10;

/// Bumps that follow each other within this time start one listing.
const COALESCE: Duration = Duration::from_secs(2);

/// The reader and all it knows.
pub struct Reader {
    client: Client,
    only: Vec<ZoneId>,
    clock: Arc<dyn Clock>,
    zones: BTreeMap<ZoneId, ZoneReading>,
    facts: BTreeMap<ZoneId, Facts>,
    zone_problems: BTreeMap<ZoneId, Problem>,
    /// What kept the last listing from ending: belongs to no single zone.
    common_problem: Option<Problem>,
    /// When a listing last came to its end with at least one zone read.
    read_at: Option<Timestamp>,
    state: ViewState,
}

/// What is asked less often than the records, each with the time of the next question.
#[derive(Debug)]
struct Facts {
    zone: Option<HostedZone>,
    zone_due: Instant,
    limit: Option<ZoneLimit>,
    limit_due: Instant,
    dnssec: Option<Dnssec>,
    dnssec_due: Instant,
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

// === impl Reader ===

impl Reader {
    /// A reader that has not read anything; `only` names the zones to read, empty means all.
    #[must_use]
    pub fn new(client: Client, only: Vec<ZoneId>, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            only,
            clock,
            zones: BTreeMap::new(),
            facts: BTreeMap::new(),
            zone_problems: BTreeMap::new(),
            common_problem: None,
            read_at: None,
            state: ViewState::Unread,
        }
    }

    /// The client, for reading single names.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Listing after listing; never returns.
    pub(crate) async fn keep_reading(
        mut self,
        interval: Duration,
        mut wake: watch::Receiver<u64>,
        publish: watch::Sender<Reading<Zones>>,
    ) {
        loop {
            let start = Instant::now();
            wake.mark_unchanged();
            self.read_all(|reading| {
                publish.send_replace(reading);
            })
            .await;
            publish.send_replace(self.reading());
            if self.state == ViewState::Read && self.read_extras(EXTRAS_PER_LISTING).await {
                publish.send_replace(self.reading());
            }
            tracing::info!(
                zones = self.zones.len(),
                problems = self.zone_problems.len() + usize::from(self.common_problem.is_some()),
                took_ms = start.elapsed().as_millis(),
                "route 53 listed"
            );
            tokio::select! {
                () = tokio::time::sleep_until(start + interval) => {}
                () = bumped(&mut wake) => tokio::time::sleep(COALESCE).await,
            }
        }
    }

    /// The view as it stands.
    #[must_use]
    pub fn reading(&self) -> Reading<Zones> {
        let problems = self.common_problem.iter().chain(self.zone_problems.values()).cloned().collect();
        let value = self.read_at.map(|_| Arc::new(Zones { zones: self.zones.clone(), changes: Vec::new() }));
        Reading { state: self.state, read_at: self.read_at, value, problems }
    }

    /// One full listing. `changed` hears of each zone that changed, from the second listing on.
    pub async fn read_all(&mut self, mut changed: impl FnMut(Reading<Zones>)) {
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(error) => return self.give_up(&error),
        };
        self.common_problem = None;
        self.retain(&listed);
        let mut gone = BTreeSet::new();
        let mut read = 0_usize;
        for zone in self.oldest_first(listed) {
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
            if differs && self.read_at.is_some() {
                changed(self.reading());
            }
        }
        if !gone.is_empty() {
            self.drop_gone(&gone).await;
        }
        self.finish(read);
    }

    /// Asks for quotas and signing states that are due; true if one changed.
    ///
    /// Apart from the listing, so that a start with many zones is not held up by extras.
    pub(crate) async fn read_extras(&mut self, mut requests: u32) -> bool {
        let mut changed = false;
        for (id, reading) in &mut self.zones {
            let Some(facts) = self.facts.get_mut(id) else { continue };
            facts.refresh_extras(&self.client, id, reading.zone.private, &mut requests).await;
            changed |= reading.zone.limit != facts.limit || reading.zone.dnssec != facts.dnssec;
            reading.zone.limit = facts.limit;
            reading.zone.dnssec.clone_from(&facts.dnssec);
        }
        changed
    }

    /// The zones to read in this listing.
    async fn list(&mut self) -> Result<Vec<HostedZone>, ReadError> {
        if self.only.is_empty() {
            let listed = walk::hosted_zones(&self.client).await?;
            if listed.is_empty() && !self.zones.is_empty() {
                return Err(ReadError::NoZones { known: self.zones.len() });
            }
            return Ok(listed);
        }
        let mut listed = Vec::new();
        for id in self.only.clone() {
            match self.client.hosted_zone(&id).await {
                Ok(zone) => {
                    let facts = self.facts.entry(id).or_insert_with(Facts::nothing);
                    facts.zone = Some(zone.clone());
                    facts.zone_due = Instant::now() + KEEP_ZONE;
                    listed.push(zone);
                }
                Err(error) if matches!(error.outcome(), Some(Outcome::NotFound | Outcome::Denied)) => {
                    self.zone_problems.insert(id, error.problem());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }

    /// Forgets the zones that a complete list no longer has.
    fn retain(&mut self, listed: &[HostedZone]) {
        let alive: BTreeSet<&ZoneId> = listed.iter().map(|zone| &zone.id).chain(&self.only).collect();
        self.zones.retain(|id, _| alive.contains(id));
        self.facts.retain(|id, _| alive.contains(id));
        self.zone_problems.retain(|id, _| alive.contains(id));
    }

    /// Whoever waits longest comes first, so that no zone starves behind one that fails.
    fn oldest_first(&self, mut listed: Vec<HostedZone>) -> Vec<HostedZone> {
        listed.sort_by_key(|zone| self.zones.get(&zone.id).and_then(|known| known.read_at));
        listed
    }

    async fn read_zone(&mut self, listed: HostedZone) -> Turn {
        let id = listed.id.clone();
        let walked = walk::record_sets(&self.client, &id, listed.record_set_count).await;
        let error = match walked {
            Ok(walk) => {
                let (zone, problem) = self.with_facts(listed).await;
                return Turn::Read { changed: self.store(zone, walk, problem.as_ref()) };
            }
            Err(error) => error,
        };
        match error.outcome() {
            Some(Outcome::NotFound) => return Turn::Gone,
            Some(Outcome::Throttled | Outcome::Auth | Outcome::Connect) => return Turn::GiveUp(error),
            _ => {}
        }
        tracing::warn!(zone = %id, %error, "hosted zone not read, the last state is kept");
        self.zones.entry(id.clone()).or_insert(ZoneReading {
            zone: listed,
            record_sets: None,
            read_at: None,
        });
        let problem = error.problem();
        let changed = self.zone_problems.insert(id, problem.clone()) != Some(problem);
        Turn::Kept { changed }
    }

    /// Takes over a complete listing; true if it differs from what was known.
    fn store(&mut self, zone: HostedZone, walk: walk::Walk, problem: Option<&Problem>) -> bool {
        let id = zone.id.clone();
        if 0 < walk.duplicate_rows {
            tracing::debug!(zone = %id, rows = walk.duplicate_rows, "rows listed twice");
        }
        let old = self.zones.remove(&id);
        // An unchanged listing keeps its place in memory, so that readers can compare by address.
        let kept = old
            .as_ref()
            .and_then(|old| old.record_sets.as_ref())
            .filter(|records| ***records == walk.record_sets)
            .map(Arc::clone);
        let same = kept.is_some() && old.is_some_and(|old| old.zone == zone);
        let records = kept.unwrap_or_else(|| Arc::new(walk.record_sets));
        let read_at = Some(self.clock.now());
        self.zones.insert(id.clone(), ZoneReading { zone, record_sets: Some(records), read_at });
        let before = match problem {
            Some(problem) => self.zone_problems.insert(id, problem.clone()),
            None => self.zone_problems.remove(&id),
        };
        !same || before.as_ref() != problem
    }

    /// Adds what the list does not tell; a problem if that is not permitted.
    async fn with_facts(&mut self, mut listed: HostedZone) -> (HostedZone, Option<Problem>) {
        let facts = self.facts.entry(listed.id.clone()).or_insert_with(Facts::nothing);
        let problem = facts.refresh(&self.client, &listed).await;
        if let Some(zone) = &facts.zone {
            listed.delegation_set.clone_from(&zone.delegation_set);
            listed.vpcs.clone_from(&zone.vpcs);
        }
        listed.limit = facts.limit;
        listed.dnssec.clone_from(&facts.dnssec);
        (listed, problem)
    }

    /// Drops the zones that vanished during the listing, if a second list agrees.
    async fn drop_gone(&mut self, gone: &BTreeSet<ZoneId>) {
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(error) => {
                self.common_problem = Some(error.problem());
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
                self.zone_problems.insert(id.clone(), error.problem());
            } else if self.only.is_empty() {
                self.zones.remove(id);
                self.facts.remove(id);
                self.zone_problems.remove(id);
            }
        }
    }

    fn give_up(&mut self, error: &ReadError) {
        tracing::warn!(%error, "route 53 not read, the last state is kept");
        self.common_problem = Some(Problem { scope: "all".to_owned(), ..error.problem() });
        self.state = if self.read_at.is_some() { ViewState::Stale } else { ViewState::Unread };
    }

    /// The listing came to its end with so many zones read.
    fn finish(&mut self, read: usize) {
        let nothing_to_read = self.zones.is_empty() && self.zone_problems.is_empty();
        if self.common_problem.is_none() && (0 < read || nothing_to_read) {
            self.read_at = Some(self.clock.now());
            self.state = ViewState::Read;
        } else if self.read_at.is_some() {
            self.state = ViewState::Stale;
        }
    }
}

// === impl Facts ===

impl Facts {
    fn nothing() -> Self {
        let now = Instant::now();
        Self { zone: None, zone_due: now, limit: None, limit_due: now, dnssec: None, dnssec_due: now }
    }

    /// Asks again for delegation set and VPCs when that is due.
    async fn refresh(&mut self, client: &Client, listed: &HostedZone) -> Option<Problem> {
        let now = Instant::now();
        let mut problem = None;
        if self.zone_due <= now {
            match client.hosted_zone(&listed.id).await {
                Ok(zone) => {
                    self.zone = Some(zone);
                    self.zone_due = now + KEEP_ZONE;
                }
                // The old facts serve until the next listing asks again.
                Err(error) => problem = self.zone.is_none().then(|| error.problem()),
            }
        }
        problem
    }

    /// Asks for quota and signing state where they are due, within so many requests. Whatever
    /// fails is no problem: without them two kinds of findings are missing, and no other is wrong.
    async fn refresh_extras(&mut self, client: &Client, id: &ZoneId, private: bool, requests: &mut u32) {
        let now = Instant::now();
        if self.limit_due <= now && 0 < *requests {
            *requests -= 1;
            let answer = client.limit(id).await;
            self.limit_due = now + keep(&answer);
            self.limit = answer.ok().flatten().or(self.limit);
        }
        if !private && self.dnssec_due <= now && 0 < *requests {
            *requests -= 1;
            let answer = client.dnssec(id).await;
            self.dnssec_due = now + keep(&answer);
            self.dnssec = answer.ok().flatten().or_else(|| self.dnssec.take());
        }
    }
}

/// How long to wait before the next question for an optional fact.
fn keep<T>(answer: &Result<T, ReadError>) -> Duration {
    match answer.as_ref().err().and_then(ReadError::outcome) {
        Some(Outcome::Denied) => KEEP_DENIED,
        _ => KEEP_FACTS,
    }
}

/// Waits for a bump; forever when nobody is left who could give one.
async fn bumped(wake: &mut watch::Receiver<u64>) {
    if wake.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
