//! What each instance wants: the desired view after every stage of ExternalDNS.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;

use crate::finding::{Reason, SilentReason};
use crate::model::by_name::{ByName, Row};
use crate::model::instance::Instance;
use crate::model::{Content, DomainName, ObjectRef, RecordKey, RecordType, Routing, Value, ZoneId};

/// Everything that one instance wants, and what it leaves alone and why.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceWants {
    /// The instance.
    pub instance: Arc<Instance>,
    /// Hosted zones that the instance handles, sorted.
    pub zones: Vec<ZoneId>,
    /// One for each record set it would write, sorted by key and zone.
    pub wants: ByName<Want>,
    /// Hosts and objects that it leaves alone, with the rule that says so.
    pub unwanted: Vec<Unwanted>,
    /// Objects that name hosts but have nothing to point them at.
    pub without_target: Vec<WithoutTarget>,
    /// Objects whose annotations nobody reads, although they would change something.
    pub unread: Vec<UnreadAnnotations>,
    /// Facts that are worth a line in the list of silent reasons although nothing was left out:
    /// a target annotation in force, several claims with one target.
    pub notes: Vec<Unwanted>,
    /// Why the names of some objects cannot be known, one line each; empty when all are. Names that
    /// are not in `wants` are then not known to be unwanted.
    pub unknown: Vec<String>,
}

/// One record set that an instance would write.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    /// Owner name.
    pub name: DomainName,
    /// Record type after the provider stage (an alias counts as A or AAAA).
    pub record_type: RecordType,
    /// Set identifier; `None` for a simple record.
    pub set_identifier: Option<Arc<str>>,
    /// Where it goes.
    pub placement: Placement,
    /// Values or alias. An alias without a zone id means "the zone of the record".
    pub content: Content,
    /// Routing policy; `None` for a simple record.
    pub routing: Option<Box<Routing>>,
    /// Health check; `None` when not demanded.
    pub health_check_id: Option<Arc<str>>,
    /// TTL that an annotation (or `--min-ttl`) demands; `None` when the default applies.
    pub demanded_ttl: Option<u32>,
    /// `EvaluateTargetHealth` that an annotation demands; `None` when the flag decides.
    pub demanded_health: Option<bool>,
    /// True if an alias annotation demands the alias; false if the target's suffix made it one.
    pub demanded_alias: bool,
    /// True for the AAAA half that versions from v0.16.0 write beside an alias A.
    pub companion: bool,
    /// True if the object spells the name or a target otherwise than here: capitals, a trailing dot,
    /// Unicode.
    pub respelled: bool,
    /// The objects give a target more than once.
    pub repeated: bool,
    /// The object names the zone that the record goes to.
    pub pinned: bool,
    /// The objects behind it, the winner first.
    pub objects: Vec<ObjectRef>,
    /// Claims that do not agree; `None` when all do.
    pub conflict: Option<Box<Conflict>>,
    /// Why Route 53 cannot take it; `None` when it can.
    pub invalid: Option<Reason>,
    /// Newest change of the objects behind it; `None` when unknown.
    pub changed_at: Option<Timestamp>,
    /// Oldest creation among the objects behind it; `None` when unknown.
    pub created_at: Option<Timestamp>,
    /// Newest status change of the objects behind it, or of the spec that gives the targets itself; `None` when unknown.
    pub status_changed_at: Option<Timestamp>,
}

/// Where a wanted record goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placement {
    /// Into this zone.
    Zone(ZoneId),
    /// Nowhere.
    NoZone(NoZone),
    /// Unknown: the zones have not been read.
    Unknown,
}

/// Why no zone takes a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoZone {
    /// In the words of `no_zone`.
    pub reason: Reason,
    /// The zone that would take it but for a filter, or the zone with the most similar name.
    pub nearest: Option<DomainName>,
}

/// Claims that do not agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// In the words of `conflicting_desired`.
    pub reason: Reason,
    /// Each claimant with what it asks for, sorted by object.
    pub claims: Vec<(ObjectRef, Vec<Arc<str>>)>,
}

/// Something that an instance leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unwanted {
    /// The object; `None` for a name that no object asks for.
    pub object: Option<ObjectRef>,
    /// The name; `None` when the whole object is left alone and names no host.
    pub name: Option<DomainName>,
    /// The rule.
    pub reason: SilentReason,
    /// The rule's own words, for a person.
    pub detail: String,
}

/// What keeps an object from having a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// No load balancer has given it an address.
    Address,
    /// It is a route, and its Gateway is not there.
    Gateway,
    /// It is a route, and no Gateway accepts it.
    Acceptance,
}

/// An object that names hosts but has no target.
#[derive(Clone, Debug, PartialEq)]
pub struct WithoutTarget {
    /// The object.
    pub object: ObjectRef,
    /// Its hosts, sorted.
    pub names: Vec<DomainName>,
    /// The member of a routing set that it asks for; `None` for a simple record.
    pub set_identifier: Option<Arc<str>>,
    /// What is missing.
    pub lack: Lack,
    /// Its creation; `None` when unknown.
    pub created_at: Option<Timestamp>,
    /// Newest change of its status; `None` when unknown.
    pub status_changed_at: Option<Timestamp>,
}

/// An object with annotations under a prefix that no known instance reads.
#[derive(Clone, Debug, PartialEq)]
pub struct UnreadAnnotations {
    /// The object.
    pub object: ObjectRef,
    /// `other_prefix` or `typo`.
    pub reason: Reason,
    /// The keys, sorted.
    pub keys: Vec<String>,
    /// What the object would want if they were read: name, type, targets.
    pub if_read: Vec<(DomainName, RecordType, Vec<Arc<str>>)>,
    /// Newest change of the object; `None` when unknown.
    pub changed_at: Option<Timestamp>,
}

impl InstanceWants {
    /// What is wanted at one name.
    #[must_use]
    pub fn at(&self, name: &DomainName) -> &[Want] {
        self.wants.at(name)
    }

    /// The wishes for wildcards. They stand together, because wishes are sorted by name.
    pub fn wildcards(&self) -> impl Iterator<Item = &Want> {
        let before = self.wants.partition_point(|want| want.name.as_str() < "*");
        let of_star = self.wants.get(before..).unwrap_or_default().iter();
        of_star.take_while(|want| want.name.as_str().starts_with('*')).filter(|want| want.name.is_wildcard())
    }
}

impl Row for Want {
    fn name(&self) -> &DomainName {
        &self.name
    }

    fn order(&self, other: &Self) -> Ordering {
        let mine = (&self.name, &self.record_type, &self.set_identifier, &self.placement);
        mine.cmp(&(&other.name, &other.record_type, &other.set_identifier, &other.placement))
    }
}

impl Placement {
    /// The zone; `None` when there is none.
    #[must_use]
    pub fn zone_id(&self) -> Option<&ZoneId> {
        if let Self::Zone(id) = self { Some(id) } else { None }
    }
}

impl Want {
    /// A simple record of no object, of unknown age and without any demand.
    #[must_use]
    pub fn plain(name: DomainName, record_type: RecordType, content: Content, placement: Placement) -> Self {
        Self {
            name,
            record_type,
            set_identifier: None,
            placement,
            content,
            routing: None,
            health_check_id: None,
            demanded_ttl: None,
            demanded_health: None,
            demanded_alias: false,
            companion: false,
            respelled: false,
            repeated: false,
            pinned: false,
            objects: Vec::new(),
            conflict: None,
            invalid: None,
            changed_at: None,
            created_at: None,
            status_changed_at: None,
        }
    }

    /// True if the addresses are those that ExternalDNS finds for a host name: any will do here.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        let host = |value: &Value| value.host().is_some();
        matches!(self.record_type, RecordType::A | RecordType::Aaaa)
            && self.content.plain_values().iter().any(host)
    }

    /// What makes it unique within its zone.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        RecordKey {
            name: self.name.clone(),
            record_type: self.record_type.clone(),
            set_identifier: self.set_identifier.clone(),
        }
    }

    /// True if this is its key.
    #[must_use]
    pub fn is(&self, key: &RecordKey) -> bool {
        self.name == key.name
            && self.record_type == key.record_type
            && self.set_identifier == key.set_identifier
    }

    /// The zone that it goes to; `None` when there is none.
    #[must_use]
    pub fn zone_id(&self) -> Option<&ZoneId> {
        self.placement.zone_id()
    }

    /// Targets as words, for reports: values, or the alias target.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        self.content.targets()
    }
}
