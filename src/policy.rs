//! What the user may decide about verdicts: windows, views, inventory, maintenance. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use wildmatch::WildMatch;

use crate::finding::{Kind, Subject};
use crate::model::shard::Shard;
use crate::model::want::Want;
use crate::model::{DomainName, ZoneId};

/// The rules of judgement that are in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Time between two full readings; two readings at least half of it apart count as two cycles.
    pub interval: Duration,
    /// Least length of the sync window.
    pub sync_floor: Duration,
    /// Grace of a new object, from its creation.
    pub new_object: Duration,
    /// Grace of a new object, from its first address.
    pub first_address: Duration,
    /// Least length of the grace of a deleted object.
    pub deleted_floor: Duration,
    /// How long Route 53 may take to spread a change.
    pub propagation: Duration,
    /// How old the reading of a hosted zone may be (or three intervals, if that is longer);
    /// findings in an older one are stale.
    pub zone_age: Duration,
    /// Cycles that a view may be blind before it is a finding.
    pub blind_cycles: u32,
    /// Clean cycles that close a finding.
    pub resolve_cycles: u32,
    /// Network views besides `public`.
    pub views: Vec<NetworkView>,
    /// All addresses that are ours; `None` when nobody listed them.
    pub inventory: Option<Inventory>,
    /// True if records without ownership are judged as left-overs too.
    pub leftovers_in_zone: bool,
    /// True if a record of another owner that is as wanted is a finding too.
    pub report_foreign_owners: bool,
    /// Declared maintenance periods.
    pub maintenance: Vec<Maintenance>,
    /// Findings that are muted by rule.
    pub mutes: Vec<MuteRule>,
    /// Facts about zones that no API tells.
    pub zones: BTreeMap<ZoneId, ZoneFacts>,
    /// Labels that are copied from objects to findings.
    pub label_allow_list: Vec<String>,
    /// True if a label that an object lacks is taken from its namespace.
    pub namespace_labels: bool,
    /// Where the pages about the kinds are; the kind's word and `.md` are appended.
    pub runbook_base: String,
    /// The part that is ours to judge; `None` for all of it.
    pub shard: Option<Shard>,
}

/// A named network view: what a group of resolvers is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkView {
    /// Name, as observations carry it.
    pub name: Arc<str>,
    /// The VPC whose private zones it sees; `None` for none.
    pub vpc_id: Option<Arc<str>>,
    /// True if public hosts must work from there too.
    pub resolves_public: bool,
    /// True if it is exported and never judged.
    pub internal: bool,
}

/// Addresses that are ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// True if the list is complete, so that an address outside of it is somebody else's.
    pub complete: bool,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

/// A period in which findings of an instance are muted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Owner id; `None` for all instances.
    pub instance: Option<Arc<str>>,
    /// Start.
    pub from: Timestamp,
    /// End.
    pub until: Timestamp,
}

/// Findings that are muted: every member that is given must fit.
#[derive(Clone, Debug, PartialEq)]
pub struct MuteRule {
    /// Pattern of DNS names, `*` for any text and `?` for one character; lower case. A finding
    /// about several names is muted when all of them fit.
    pub name: Option<WildMatch>,
    /// Namespace of the object.
    pub namespace: Option<Arc<str>>,
    /// Kind of finding; `None` for all.
    pub kind: Option<Kind>,
    /// End; `None` for never.
    pub until: Option<Timestamp>,
    /// Why, for whoever reads the report.
    pub reason: Option<String>,
}

/// What no API tells about a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneFacts {
    /// A private zone whose missing names are looked up in public DNS.
    pub public_dns_fallback: bool,
}

impl Default for Policy {
    /// Source: findings.md section 7.
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(1),
            sync_floor: Duration::from_mins(3),
            new_object: Duration::from_mins(10),
            first_address: Duration::from_mins(3),
            deleted_floor: Duration::from_mins(5),
            propagation: Duration::from_mins(2),
            zone_age: Duration::from_mins(15),
            blind_cycles: 3,
            resolve_cycles: 2,
            views: Vec::new(),
            inventory: None,
            leftovers_in_zone: false,
            report_foreign_owners: false,
            maintenance: Vec::new(),
            mutes: Vec::new(),
            zones: BTreeMap::new(),
            label_allow_list: vec!["team".to_owned()],
            namespace_labels: false,
            runbook_base: "docs/findings/".to_owned(),
            shard: None,
        }
    }
}

impl Policy {
    /// True if a wanted record is ours to judge; one without a zone is the first shard's.
    #[must_use]
    pub fn owns(&self, want: &Want) -> bool {
        self.owns_record(want.zone_id(), &want.name)
    }

    /// True if a record is ours to judge.
    #[must_use]
    pub fn owns_record(&self, zone: Option<&ZoneId>, name: &DomainName) -> bool {
        self.shard.as_ref().is_none_or(|shard| match zone {
            Some(id) => shard.owns_name(id, name),
            None => shard.is_first(),
        })
    }

    /// True if what is said of a subject is ours to say. Every shard speaks of its own views.
    #[must_use]
    pub fn owns_subject(&self, subject: &Subject, zone: Option<&ZoneId>) -> bool {
        let Some(shard) = &self.shard else { return true };
        match subject {
            Subject::Record(key) => self.owns_record(zone, &key.name),
            Subject::Source(_) => true,
            Subject::Zone(_) | Subject::Instance(_) | Subject::Object(_) => {
                zone.map_or(shard.is_first(), |id| shard.owns_zone(id))
            }
        }
    }

    /// True if a complete inventory says that the address is not ours any more.
    #[must_use]
    pub fn is_released(&self, address: &IpAddr) -> bool {
        self.inventory
            .as_ref()
            .is_some_and(|inventory| inventory.complete && !inventory.addresses.contains(address))
    }

    /// The least distance of two readings that count as two cycles.
    #[must_use]
    pub fn cycle(&self) -> jiff::SignedDuration {
        // Shorter than the interval by a margin, so that jitter never loses a cycle.
        jiff::SignedDuration::try_from(self.interval / 4).unwrap_or(jiff::SignedDuration::from_secs(15))
    }

    /// The network view of that name; `None` for `public` and for unknown names.
    #[must_use]
    pub fn view(&self, name: &str) -> Option<&NetworkView> {
        self.views.iter().find(|view| *view.name == *name)
    }

    /// True if what is seen there is shown and never judged.
    #[must_use]
    pub fn is_internal(&self, name: &str) -> bool {
        self.view(name).is_some_and(|view| view.internal)
    }
}
