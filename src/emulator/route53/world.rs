//! The zones, what is recorded in them and what their name servers already serve.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Change, Refusal, validate};
use crate::emulator::zones::{RecordSet, ServedZone, SortKey, canonical};

/// Batches that are remembered for `GetChange`; the oldest go first.
const MAX_APPLIED: usize = 100_000;

/// How a zone is made.
#[derive(Clone, Debug, Default)]
pub struct ZoneOptions {
    /// A private zone has VPCs and no delegation set.
    pub private: bool,
    /// Id without `/hostedzone/`; `None` makes one up.
    pub id: Option<String>,
    /// Region and id of the VPCs of a private zone.
    pub vpcs: Vec<(String, String)>,
    /// Names of its name servers; `None` makes up four that no other zone has.
    pub delegation_set: Option<Vec<String>>,
    /// The comment of its configuration.
    pub comment: Option<String>,
    /// Only a role of this account finds it in `ListHostedZones`; `None` for everybody.
    pub account: Option<String>,
}

/// An accepted batch.
#[derive(Clone, Debug, PartialEq)]
pub struct AppliedChange {
    /// Id without `/change/`.
    pub id: String,
    /// Zone id.
    pub zone: String,
    /// Who sent it.
    pub principal: String,
    /// When it was accepted.
    pub submitted_at: Timestamp,
    /// True once all name servers serve it.
    pub in_sync: bool,
    /// Its comment.
    pub comment: Option<String>,
    /// The changes, in the spelling of the service.
    pub changes: Vec<Change>,
}

/// The whole state of the service.
pub(super) struct World {
    /// In the order of their creation.
    zones: Vec<Zone>,
    applied: VecDeque<AppliedChange>,
    pending: VecDeque<Pending>,
    made: u64,
    /// Health checks by id, and whether they are healthy.
    pub(super) health_checks: BTreeMap<String, bool>,
    pub(super) propagation: Duration,
    pub(super) record_page: usize,
    pub(super) zone_page: usize,
}

/// A hosted zone.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) id: String,
    /// Canonical, with the trailing dot.
    pub(super) name: String,
    pub(super) caller_reference: String,
    pub(super) comment: Option<String>,
    pub(super) account: Option<String>,
    pub(super) private: bool,
    pub(super) vpcs: Vec<(String, String)>,
    pub(super) name_servers: Vec<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// `ServeSignature`, and the DS record of each key-signing key.
    pub(super) dnssec: (String, Vec<String>),
    pub(super) records: BTreeMap<SortKey, RecordSet>,
    served: Arc<ServedZone>,
}

/// A change that the name servers do not serve yet.
struct Pending {
    change: String,
    zone: String,
    due: Instant,
    changes: Vec<Change>,
}

// === impl World ===

impl Default for World {
    fn default() -> Self {
        Self {
            zones: Vec::new(),
            applied: VecDeque::new(),
            pending: VecDeque::new(),
            made: 0,
            health_checks: BTreeMap::new(),
            propagation: Duration::ZERO,
            record_page: 300,
            zone_page: 100,
        }
    }
}

impl World {
    /// A number that was not given before.
    fn next_number(&mut self) -> u64 {
        self.made = self.made.saturating_add(1);
        self.made
    }

    pub(super) fn zones(&self) -> &[Zone] {
        &self.zones
    }

    pub(super) fn zone(&self, id: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.id == id)
    }

    pub(super) fn zone_mut(&mut self, id: &str) -> Option<&mut Zone> {
        self.zones.iter_mut().find(|zone| zone.id == id)
    }

    pub(super) fn create_zone(&mut self, name: &str, options: ZoneOptions) -> String {
        let number = self.next_number();
        let id = options.id.unwrap_or_else(|| format!("Z{number:020}"));
        let name_servers = match options.delegation_set {
            _ if options.private => Vec::new(),
            Some(names) => names.iter().map(|name| canonical(name)).collect(),
            None => made_up_servers(number),
        };
        let shown: Vec<&str> = name_servers.iter().map(String::as_str).collect();
        let mut served = ServedZone::new(&id, name, &shown, []);
        served.private = options.private;
        self.zones.retain(|zone| zone.id != id);
        self.zones.push(Zone {
            id: id.clone(),
            name: canonical(name),
            caller_reference: format!("emulator-{number}"),
            comment: options.comment,
            account: options.account,
            private: options.private,
            vpcs: options.vpcs,
            name_servers,
            tags: BTreeMap::new(),
            dnssec: ("NOT_SIGNING".to_owned(), Vec::new()),
            records: served.records.clone(),
            served: Arc::new(served),
        });
        id
    }

    pub(super) fn delete_zone(&mut self, id: &str) -> bool {
        let before = self.zones.len();
        self.zones.retain(|zone| zone.id != id);
        self.zones.len() < before
    }

    pub(super) fn fill_zone(&mut self, id: &str, sets: impl IntoIterator<Item = RecordSet>) -> bool {
        let Some(zone) = self.zone_mut(id) else { return false };
        let served = Arc::make_mut(&mut zone.served);
        for set in sets {
            let set = set.normalised();
            served.records.insert(set.sort_key(), set.clone());
            zone.records.insert(set.sort_key(), set);
        }
        true
    }

    pub(super) fn change(
        &mut self,
        zone_id: &str,
        changes: Vec<Change>,
        principal: &str,
        comment: Option<String>,
        at: Timestamp,
        now: Instant,
    ) -> Result<AppliedChange, Refusal> {
        let zone = self.zone(zone_id).ok_or_else(|| no_such_zone(zone_id))?;
        let batch = validate::check(zone, changes)?;
        let number = self.next_number();
        let applied = AppliedChange {
            id: format!("C{number:020}"),
            zone: zone_id.to_owned(),
            principal: principal.to_owned(),
            submitted_at: at,
            in_sync: false,
            comment,
            changes: batch.changes.clone(),
        };
        let due = now.checked_add(self.propagation).unwrap_or(now);
        if let Some(zone) = self.zone_mut(zone_id) {
            zone.records = batch.after;
        }
        self.pending.push_back(Pending {
            change: applied.id.clone(),
            zone: zone_id.to_owned(),
            due,
            changes: batch.changes,
        });
        self.applied.push_back(applied.clone());
        if MAX_APPLIED < self.applied.len() {
            self.applied.pop_front();
        }
        Ok(applied)
    }

    /// Brings the name servers up to the given time.
    fn propagate(&mut self, now: Instant) {
        let (due, later): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|pending| pending.due <= now);
        self.pending = later;
        for pending in due {
            if let Some(change) = self.applied.iter_mut().rev().find(|change| change.id == pending.change) {
                change.in_sync = true;
            }
            if let Some(zone) = self.zone_mut(&pending.zone) {
                let served = Arc::make_mut(&mut zone.served);
                apply(&mut served.records, &pending.changes);
            }
        }
    }

    pub(super) fn served(&mut self, now: Instant) -> Vec<Arc<ServedZone>> {
        self.propagate(now);
        self.zones.iter().map(|zone| Arc::clone(&zone.served)).collect()
    }

    pub(super) fn applied(&mut self, now: Instant) -> Vec<AppliedChange> {
        self.propagate(now);
        self.applied.iter().cloned().collect()
    }

    pub(super) fn applied_change(&mut self, id: &str, now: Instant) -> Option<AppliedChange> {
        self.propagate(now);
        self.applied.iter().rev().find(|change| change.id == id).cloned()
    }
}

/// Carries out changes that were found valid.
pub(super) fn apply(records: &mut BTreeMap<SortKey, RecordSet>, changes: &[Change]) {
    for change in changes {
        let record = &change.resource_record_set;
        if change.action == "DELETE" {
            records.remove(&record.sort_key());
        } else {
            records.insert(record.sort_key(), record.clone());
        }
    }
}

pub(super) fn no_such_zone(id: &str) -> Refusal {
    Refusal::new(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {id}"))
}

/// Four names in the four domains that the service uses.
fn made_up_servers(number: u64) -> Vec<String> {
    let block = number % 100;
    ["com", "net", "org", "co.uk"]
        .iter()
        .zip(0_u64..)
        .map(|(domain, part)| {
            let server = part.saturating_mul(512).saturating_add(number);
            format!("ns-{server}.awsdns-{block:02}.{domain}.")
        })
        .collect()
}
