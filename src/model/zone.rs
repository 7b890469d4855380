//! Hosted zones.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::MAX_NAME;
use crate::model::by_name::{ByName, Row};
use crate::model::record::Value;
use crate::model::{DomainName, RecordKey, RecordSet, RecordType};

/// The id of a hosted zone, bare: `Z0123...` without `/hostedzone/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneId(Arc<str>);

/// A hosted zone without its records. Source: Route 53 API, data type `HostedZone`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedZone {
    /// Bare id.
    pub id: ZoneId,
    /// Zone name.
    pub name: DomainName,
    /// `Config.PrivateZone`.
    pub private: bool,
    /// `ResourceRecordSetCount`; `None` when not told.
    pub record_set_count: Option<u64>,
    /// Name servers of the delegation set, sorted; empty for a private zone or when not told.
    pub delegation_set: Vec<DomainName>,
    /// Associated VPCs of a private zone: `None` when `GetHostedZone` was not read.
    pub vpcs: Option<Vec<Vpc>>,
    /// `MAX_RRSETS_BY_ZONE`; `None` when not read.
    pub limit: Option<ZoneLimit>,
    /// `GetDNSSEC`; `None` when not read.
    pub dnssec: Option<Dnssec>,
    /// Tags; `None` when not read.
    pub tags: Option<BTreeMap<String, String>>,
}

/// A VPC that a private zone is associated with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vpc {
    /// `VPCRegion`.
    pub region: Arc<str>,
    /// `VPCId`.
    pub id: Arc<str>,
}

/// How many record sets a zone may hold and holds. Source: Route 53 API, `GetHostedZoneLimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneLimit {
    /// `Limit.Value`.
    pub limit: u64,
    /// `Count`.
    pub count: u64,
}

/// Signing state of a zone. Source: Route 53 API, `GetDNSSEC`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnssec {
    /// `Status.ServeSignature`, for example `SIGNING`.
    pub serve_signature: Arc<str>,
    /// `DSRecord` of each active key-signing key, as written: `tag algorithm digest-type digest`; sorted.
    pub ds_records: Vec<Arc<str>>,
    /// The same of each key that should sign and cannot: its KMS key is out of reach, or Route 53 fails.
    pub failing_ds_records: Vec<Arc<str>>,
}

/// The record sets of one zone, sorted by name, type and set identifier.
pub type RecordSets = ByName<RecordSet>;

/// A hosted zone and what was read of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneReading {
    /// The zone itself.
    pub zone: HostedZone,
    /// Its record sets, sorted by name, type and set identifier; `None` while no complete listing
    /// has succeeded. Never partial.
    pub record_sets: Option<Arc<RecordSets>>,
    /// When the complete listing began: what changed later may be missing from it.
    pub read_at: Option<Timestamp>,
    /// Names that were read alone after the listing began, and when.
    pub names_read: BTreeMap<DomainName, Timestamp>,
    /// True if the latest attempt to list the record sets failed: those of an earlier one stand in.
    pub list_failed: bool,
    /// Where the ownership of the apex is kept. Put here for a comparison; `None` otherwise, and where the
    /// instances of this zone have no zone above.
    pub above: Option<Arc<ZoneAbove>>,
}

/// What lies above an apex: `a-dev.example.com`, the ownership record of `dev.example.com`, is no name of the zone
/// `dev.example.com`.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneAbove {
    /// The zone that the ownership is written into: the nearest of the same sort, else the nearest.
    pub id: ZoneId,
    /// Its name.
    pub name: DomainName,
    /// The TXT record sets in any zone above whose names speak for the apex, sorted by name.
    pub texts: Vec<RecordSet>,
    /// The zone that each of them lies in.
    pub homes: Vec<ZoneId>,
    /// True if the records of a zone above could not be read.
    pub is_unread: bool,
}

/// What the checkers of a health check say. Route 53 takes a check for healthy while more than 18 %
/// of them do. Source: Route 53 API, `GetHealthCheckStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckerVotes {
    /// Checkers that report success.
    pub success: usize,
    /// Checkers that were asked.
    pub all: usize,
    /// When this was read.
    pub read_at: Timestamp,
}

/// A question that Route 53 can be asked without any name server: one of its own names and types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestedName {
    /// The hosted zone.
    pub zone_id: ZoneId,
    /// The name.
    pub name: DomainName,
    /// The type.
    pub record_type: RecordType,
}

/// What Route 53 computes for a name, routing policies and health checks included, for a resolver in
/// us-east-1. Source: Route 53 API, `TestDNSAnswer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestedAnswer {
    /// The DNS response code, for example `NOERROR`.
    pub rcode: Arc<str>,
    /// The values, sorted; the addresses of an alias.
    pub values: Vec<Arc<str>>,
    /// When this was read.
    pub read_at: Timestamp,
}

/// A change that Route 53 accepted. Source: Route 53 API, data type `ChangeInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeInfo {
    /// Bare change id.
    pub id: Arc<str>,
    /// Zone of the change.
    pub zone_id: ZoneId,
    /// `true` when all authoritative servers have it (`INSYNC`), `false` for `PENDING`.
    pub in_sync: bool,
    /// `SubmittedAt`.
    pub submitted_at: Timestamp,
}

/// The recorded view: every hosted zone that could be seen, each on its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zones {
    /// By id.
    pub zones: BTreeMap<ZoneId, ZoneReading>,
    /// Changes whose status is known, if anybody recorded them.
    pub changes: Vec<ChangeInfo>,
    /// Health checks of names that matter now, by id; empty where they may not be read.
    pub health: BTreeMap<Arc<str>, CheckerVotes>,
    /// What Route 53 computes for names that matter now; empty where that may not be asked.
    pub tested: BTreeMap<TestedName, TestedAnswer>,
}

// === impl ZoneId ===

impl ZoneId {
    /// Takes `Z0123` or `/hostedzone/Z0123`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.rsplit('/').next().unwrap_or_default().into())
    }

    /// The bare id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bare id, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Dnssec ===

impl Dnssec {
    /// Takes the key-signing keys by `Status` and `DSRecord`. Those that are inactive or being deleted
    /// have none to publish. Source: Route 53 API, data type `KeySigningKey`.
    #[must_use]
    pub fn new(serve_signature: &str, keys: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut out = Self {
            serve_signature: serve_signature.into(),
            ds_records: Vec::new(),
            failing_ds_records: Vec::new(),
        };
        for (status, ds_record) in keys {
            match status.as_str() {
                "ACTIVE" => out.ds_records.push(ds_record.into()),
                status if is_failing(status) => out.failing_ds_records.push(ds_record.into()),
                _ => {}
            }
        }
        out.ds_records.sort();
        out.failing_ds_records.sort();
        out
    }

    /// The DS records that the parent may hold: those of keys that sign, or should. Signing that is disabled leaves the
    /// keys as they are, and the zone publishes none. Source: Route 53 API, `DisableHostedZoneDNSSEC`.
    pub fn published(&self) -> impl Iterator<Item = &Arc<str>> {
        self.ds_records.iter().chain(&self.failing_ds_records).filter(|_| self.is_signed())
    }

    /// False if Route 53 says that nobody is to sign.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        &*self.serve_signature != "NOT_SIGNING"
    }

    /// True if Route 53 says that it cannot sign.
    #[must_use]
    pub fn cannot_sign(&self) -> bool {
        is_failing(&self.serve_signature)
    }
}

/// The words are the same for a zone and for a key. Source: Route 53 API, data types `DNSSECStatus` and
/// `KeySigningKey`.
fn is_failing(status: &str) -> bool {
    matches!(status, "ACTION_NEEDED" | "INTERNAL_FAILURE")
}

// === impl ZoneReading ===

impl ZoneReading {
    /// A zone of which nothing has been read yet.
    #[must_use]
    pub fn unread(zone: HostedZone) -> Self {
        Self {
            zone,
            record_sets: None,
            read_at: None,
            names_read: BTreeMap::new(),
            list_failed: false,
            above: None,
        }
    }

    /// True if the server is one of the zone's own, by its delegation set or the NS records at its apex, or
    /// neither is known.
    #[must_use]
    pub fn is_served_by(&self, server: &str) -> bool {
        let apex = self.at(&self.zone.name).iter().filter(|set| set.record_type == RecordType::Ns);
        let told = apex.flat_map(|set| set.content.plain_values()).filter_map(Value::host);
        let mut own = self.zone.delegation_set.iter().chain(told).peekable();
        let server = DomainName::new(server);
        own.peek().is_none() || own.any(|name| *name == server)
    }

    /// All record sets; none while the zone has not been read.
    #[must_use]
    pub fn records(&self) -> &[RecordSet] {
        self.record_sets.as_deref().map_or(&[], |sets| sets)
    }

    /// When the record sets at one name were read.
    #[must_use]
    pub fn name_read_at(&self, name: &DomainName) -> Option<Timestamp> {
        self.read_at.max(self.names_read.get(name).copied())
    }

    /// The record sets at one name, the ownership records of the apex among them.
    #[must_use]
    pub fn at(&self, name: &DomainName) -> &[RecordSet] {
        self.at_canonical(name.as_str())
    }

    fn at_canonical(&self, name: &str) -> &[RecordSet] {
        let here = self.record_sets.as_deref().map_or(&[][..], |sets| sets.at_text(name));
        match &self.above {
            Some(above) if here.is_empty() => above.at(name),
            Some(_) | None => here,
        }
    }

    /// The ownership records of the apex that lie in the zone above.
    #[must_use]
    pub fn texts_above(&self) -> &[RecordSet] {
        self.above.as_ref().map_or(&[], |above| &above.texts)
    }

    /// True for a name that holds nothing and exists because a deeper one does: no wildcard answers for it.
    #[must_use]
    pub fn is_empty_non_terminal(&self, name: &DomainName) -> bool {
        self.record_sets.as_deref().is_some_and(|sets| sets.is_empty_non_terminal(name))
    }

    /// The record sets at a name in any spelling. Nearly all are canonical, and are not copied to be found.
    #[must_use]
    pub fn at_text(&self, name: &str) -> &[RecordSet] {
        if DomainName::is_canonical(name) && name.len() <= MAX_NAME {
            return self.at_canonical(name);
        }
        self.at(&DomainName::new(name))
    }
}

// === impl ZoneAbove ===

impl ZoneAbove {
    /// Where a record set lies, or would be written.
    #[must_use]
    pub fn home(&self, set: &RecordKey) -> &ZoneId {
        let place = self.texts.iter().position(|text| text.key() == *set);
        place.and_then(|place| self.homes.get(place)).unwrap_or(&self.id)
    }

    fn at(&self, name: &str) -> &[RecordSet] {
        let from = self.texts.partition_point(|set| set.name.as_str() < name);
        let rest = self.texts.get(from..).unwrap_or_default();
        rest.get(..rest.iter().take_while(|set| set.name.as_str() == name).count()).unwrap_or_default()
    }
}

/// Puts record sets into the order of a zone's listing here: by name, type and set identifier.
pub fn sort_record_sets(records: &mut [RecordSet]) {
    records.sort_by(Row::order);
}

impl Row for RecordSet {
    fn name(&self) -> &DomainName {
        &self.name
    }

    fn order(&self, other: &Self) -> Ordering {
        let mine = (&self.name, &self.record_type, &self.set_identifier);
        mine.cmp(&(&other.name, &other.record_type, &other.set_identifier))
    }
}
