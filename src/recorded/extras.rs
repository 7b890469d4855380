//! What is asked less often than the records: delegation sets, VPCs, quotas, signing states, tags.
//!
//! Only the records are needed. Whatever else is refused costs some kinds of findings, and makes no
//! other wrong; the refusal is told once, with the permission that is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::zone::{Dnssec, ZoneLimit};
use crate::model::{HostedZone, ZoneId};
use crate::recorded::client::{Client, TAGGED_PER_CALL};
use crate::recorded::error::ReadError;
use crate::recorded::stats::{Operation, Outcome};
use crate::snapshot::Problem;

/// How long delegation set and VPCs of a zone are believed; they change by hand, seldom.
const KEEP_ZONE: Duration = Duration::from_mins(5);

/// How long quota, signing state and tags of a zone are believed.
const KEEP_FACTS: Duration = Duration::from_hours(1);

/// How long a missing permission for an optional fact is believed.
const KEEP_DENIED: Duration = Duration::from_hours(24);

/// When a fact is asked for again.
#[derive(Clone, Copy, Debug, Default)]
struct Due(Option<Instant>);

/// Facts of all zones of an account.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    facts: BTreeMap<ZoneId, Facts>,
    /// Operations whose refusal has been told.
    told: BTreeSet<Operation>,
}

/// Each fact with the time of the next question.
#[derive(Debug, Default)]
struct Facts {
    zone: Option<HostedZone>,
    zone_due: Due,
    limit: Option<ZoneLimit>,
    limit_due: Due,
    dnssec: Option<Dnssec>,
    dnssec_due: Due,
    tags: Option<BTreeMap<String, String>>,
    tags_due: Due,
}

// === impl Extras ===

impl Extras {
    /// Takes over a zone that was just read by itself.
    pub(crate) fn learn(&mut self, zone: &HostedZone) {
        let facts = self.of(&zone.id);
        facts.zone = Some(zone.clone());
        facts.zone_due = Due::after(KEEP_ZONE);
    }

    pub(crate) fn retain(&mut self, alive: &BTreeSet<ZoneId>) {
        self.facts.retain(|id, _| alive.contains(id));
    }

    pub(crate) fn forget(&mut self, id: &ZoneId) {
        self.facts.remove(id);
    }

    /// Adds what the list does not tell; a problem if that cannot be had.
    pub(crate) async fn complete(
        &mut self,
        client: &Client,
        mut listed: HostedZone,
    ) -> (HostedZone, Option<Problem>) {
        let facts = self.of(&listed.id);
        let error = facts.refresh_zone(client, &listed.id).await;
        // The old facts serve until the next listing asks again.
        let never = facts.zone.is_none();
        if let Some(zone) = &facts.zone {
            listed.delegation_set.clone_from(&zone.delegation_set);
            listed.vpcs.clone_from(&zone.vpcs);
        }
        self.fill(&mut listed);
        let Some(error) = error else { return (listed, None) };
        self.tell(Operation::GetHostedZone, &error);
        let is_optional = error.outcome() == Some(Outcome::Denied);
        let problem = (never && !is_optional).then(|| error.problem());
        (listed, problem)
    }

    /// Puts the optional facts into a zone; true if one of them differs.
    pub(crate) fn fill(&self, zone: &mut HostedZone) -> bool {
        let Some(facts) = self.facts.get(&zone.id) else { return false };
        let differs = zone.limit != facts.limit || zone.dnssec != facts.dnssec || zone.tags != facts.tags;
        zone.limit = facts.limit;
        zone.dnssec.clone_from(&facts.dnssec);
        zone.tags.clone_from(&facts.tags);
        differs
    }

    /// Asks for quota and signing state where they are due, within so many requests.
    pub(crate) async fn refresh(&mut self, client: &Client, id: &ZoneId, private: bool, requests: &mut u32) {
        let mut failed = Vec::new();
        let facts = self.of(id);
        if facts.limit_due.is_now() && 0 < *requests {
            *requests -= 1;
            let answer = client.limit(id).await;
            facts.limit_due = Due::after(keep(&answer));
            match answer {
                Ok(limit) => facts.limit = limit.or(facts.limit),
                Err(error) => failed.push((Operation::GetHostedZoneLimit, error)),
            }
        }
        if !private && facts.dnssec_due.is_now() && 0 < *requests {
            *requests -= 1;
            let answer = client.dnssec(id).await;
            facts.dnssec_due = Due::after(keep(&answer));
            match answer {
                Ok(dnssec) => facts.dnssec = dnssec.or_else(|| facts.dnssec.take()),
                Err(error) => failed.push((Operation::GetDnssec, error)),
            }
        }
        for (operation, error) in failed {
            self.tell(operation, &error);
        }
    }

    /// Reads the tags that are due, ten zones at a time.
    ///
    /// # Errors
    ///
    /// The last refusal; what could be read is there all the same.
    pub(crate) async fn refresh_tags(&mut self, client: &Client, ids: &[ZoneId]) -> Result<(), ReadError> {
        let due: Vec<ZoneId> = ids.iter().filter(|id| self.of(id).tags_due.is_now()).cloned().collect();
        let mut outcome = Ok(());
        for chunk in due.chunks(TAGGED_PER_CALL) {
            let answer = client.tags(chunk).await;
            let next = Due::after(keep(&answer));
            let mut found = match answer {
                Ok(found) => found,
                Err(error) => {
                    self.tell(Operation::ListTagsForResources, &error);
                    outcome = Err(error);
                    BTreeMap::new()
                }
            };
            for id in chunk {
                let tags = found.remove(id);
                let facts = self.of(id);
                facts.tags_due = next;
                facts.tags = tags.or_else(|| facts.tags.take());
            }
        }
        outcome
    }

    /// The tags of a zone, if they are known.
    pub(crate) fn tags(&self, id: &ZoneId) -> Option<&BTreeMap<String, String>> {
        self.facts.get(id)?.tags.as_ref()
    }

    fn of(&mut self, id: &ZoneId) -> &mut Facts {
        self.facts.entry(id.clone()).or_default()
    }

    fn tell(&mut self, operation: Operation, error: &ReadError) {
        if error.outcome() == Some(Outcome::Denied) && self.told.insert(operation) {
            tell_refusal(operation, error);
        }
    }
}

/// Says which permission is missing. Once is enough.
pub(crate) fn tell_refusal(operation: Operation, error: &ReadError) {
    tracing::warn!(
        action = %operation.action(),
        %error,
        "an optional permission is missing; add the action, or live without what it tells"
    );
}

// === impl Facts ===

impl Facts {
    /// Asks again for delegation set and VPCs when that is due.
    async fn refresh_zone(&mut self, client: &Client, id: &ZoneId) -> Option<ReadError> {
        if !self.zone_due.is_now() {
            return None;
        }
        match client.hosted_zone(id).await {
            Ok(zone) => {
                self.zone = Some(zone);
                self.zone_due = Due::after(KEEP_ZONE);
                None
            }
            Err(error) => {
                if error.outcome() == Some(Outcome::Denied) {
                    self.zone_due = Due::after(KEEP_DENIED);
                }
                Some(error)
            }
        }
    }
}

// === impl Due ===

impl Due {
    fn after(pause: Duration) -> Self {
        Self(Some(Instant::now() + pause))
    }

    fn is_now(self) -> bool {
        self.0.is_none_or(|at| at <= Instant::now())
    }
}

/// How long to wait before the next question for an optional fact.
fn keep<T>(answer: &Result<T, ReadError>) -> Duration {
    match answer.as_ref().err().and_then(ReadError::outcome) {
        Some(Outcome::Denied) => KEEP_DENIED,
        _ => KEEP_FACTS,
    }
}
