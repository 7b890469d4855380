//! Record sets: what a hosted zone holds under one name, type and set identifier.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::DomainName;
use crate::model::values::Values;
use crate::model::zone::ZoneId;

/// The type of a record, as DNS and the Route 53 API name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Canonical name.
    Cname,
    /// Text; carries the ownership records of ExternalDNS.
    Txt,
    /// Name server.
    Ns,
    /// Start of authority.
    Soa,
    /// Delegation signer.
    Ds,
    /// Mail exchange.
    Mx,
    /// Service location.
    Srv,
    /// Pointer.
    Ptr,
    /// Naming authority pointer.
    Naptr,
    /// Certification authority authorisation.
    Caa,
    /// Any other type: kept for wildcard and conflict reasoning, never judged. Upper case. Boxed, because it is
    /// rare and a type is held with every record, wish and answer.
    Other(Box<Arc<str>>),
}

/// One value of a record, parsed as far as its type has a canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// The address of an A or AAAA record.
    Ip(IpAddr),
    /// The name in a CNAME, NS or PTR record.
    Host(DomainName),
    /// Numbers and a name, as in an MX, SRV or NAPTR record.
    Named(Box<NamedValue>),
    /// Anything else, and values that do not parse as their type, as written and trimmed.
    Text(Arc<str>),
}

/// A value that ends in a host name: numbers compare as they are written, the name as DNS compares it.
#[derive(Clone, Debug)]
pub struct NamedValue {
    /// As written.
    text: Arc<str>,
    /// What stands before the name, with single blanks.
    before: String,
    /// The name.
    host: DomainName,
}

/// What stands behind an alias record. Source: Route 53 API, data type `AliasTarget`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AliasTarget {
    /// `DNSName`, canonical, its `dualstack.` prefix kept.
    pub dns_name: DomainName,
    /// `HostedZoneId`, the zone of the *target*. `None` in a desired record means "the zone that
    /// the record itself goes to".
    pub hosted_zone_id: Option<ZoneId>,
    /// `EvaluateTargetHealth`.
    pub evaluate_target_health: bool,
}

/// What a record set answers with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Plain values.
    Values {
        /// Time to live in seconds.
        ttl: u32,
        /// Sorted, without duplicates.
        #[serde(with = "stored_values")]
        values: Values,
    },
    /// An alias; it has no TTL of its own. Many names lead to one target, which is then held once.
    Alias(Arc<AliasTarget>),
    /// A traffic policy instance; its answers are not known to us. Holds its id.
    TrafficPolicy(Arc<str>),
}

/// How Route 53 chooses among the record sets of one name and type.
/// Source: Route 53 API, data type `ResourceRecordSet`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Routing {
    /// Share of the traffic, 0 to 255; 0 means none unless all members have 0.
    Weighted(i64),
    /// The region nearest to the asker.
    Latency(Arc<str>),
    /// `true` for PRIMARY, `false` for SECONDARY.
    Failover(bool),
    /// A role that Route 53 does not know, as an object gives it. No record has one.
    FailoverWord(Arc<str>),
    /// The asker's place.
    Geolocation {
        /// Continent code, for example `EU`.
        continent: Option<Arc<str>>,
        /// Country code; `*` is the default location.
        country: Option<Arc<str>>,
        /// Subdivision code, for example a US state.
        subdivision: Option<Arc<str>>,
    },
    /// Distance with a bias. The text is the canonical form of the location.
    Geoproximity(Arc<str>),
    /// The asker's network: collection id and location name.
    Cidr(Arc<str>),
    /// Up to eight healthy values in random order.
    Multivalue,
}

/// One record set of a hosted zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Owner name.
    pub name: DomainName,
    /// Record type.
    pub record_type: RecordType,
    /// Set identifier; `None` for a simple record.
    pub set_identifier: Option<Arc<str>>,
    /// Routing policy; `None` for a simple record.
    pub routing: Option<Box<Routing>>,
    /// Values or alias.
    pub content: Content,
    /// `HealthCheckId`.
    pub health_check_id: Option<Arc<str>>,
}

/// What makes a record set unique within its zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    /// Owner name.
    pub name: DomainName,
    /// Record type.
    pub record_type: RecordType,
    /// Set identifier; `None` for a simple record.
    pub set_identifier: Option<Arc<str>>,
}

// === impl RecordType ===

impl RecordType {
    /// Reads the type's name in any case. Total: an unknown one becomes [`RecordType::Other`].
    #[must_use]
    pub fn new(text: &str) -> Self {
        let upper = text.trim().to_ascii_uppercase();
        match upper.as_str() {
            "A" => Self::A,
            "AAAA" => Self::Aaaa,
            "CNAME" => Self::Cname,
            "TXT" => Self::Txt,
            "NS" => Self::Ns,
            "SOA" => Self::Soa,
            "DS" => Self::Ds,
            "MX" => Self::Mx,
            "SRV" => Self::Srv,
            "PTR" => Self::Ptr,
            "NAPTR" => Self::Naptr,
            "CAA" => Self::Caa,
            other => Self::other(other),
        }
    }

    /// A type that has no name here.
    #[must_use]
    pub fn other(text: &str) -> Self {
        Self::Other(Box::new(text.into()))
    }

    /// The type's name in upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Ds => "DS",
            Self::Mx => "MX",
            Self::Srv => "SRV",
            Self::Ptr => "PTR",
            Self::Naptr => "NAPTR",
            Self::Caa => "CAA",
            Self::Other(text) => text,
        }
    }

    /// A, AAAA or CNAME: the types that lead a user somewhere and that the record ladder judges.
    #[must_use]
    pub fn is_address(&self) -> bool {
        matches!(self, Self::A | Self::Aaaa | Self::Cname)
    }

    /// True if the two types cannot stand at one name. Source: RFC 1034 section 3.6.2.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        self != other && (*self == Self::Cname || *other == Self::Cname)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RecordType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RecordType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::new(&text))
    }
}

/// Values as they are kept: what each was parsed as must survive.
mod stored_values {
    use super::{Arc, Deserialize, Deserializer, DomainName, IpAddr, Serialize, Serializer, Value, Values};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Stored {
        Ip(IpAddr),
        Host(DomainName),
        Named(Arc<str>),
        Text(Arc<str>),
    }

    pub(super) fn serialize<S: Serializer>(values: &Values, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| match value.clone() {
            Value::Ip(ip) => Stored::Ip(ip),
            Value::Host(host) => Stored::Host(host),
            Value::Named(named) => Stored::Named(named.text),
            Value::Text(text) => Stored::Text(text),
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        let stored = Vec::<Stored>::deserialize(deserializer)?;
        let value = |stored| match stored {
            Stored::Ip(ip) => Value::Ip(ip),
            Stored::Host(host) => Value::Host(host),
            Stored::Named(text) => Value::named(&text),
            Stored::Text(text) => Value::Text(text),
        };
        Ok(stored.into_iter().map(value).collect())
    }
}

// === impl Value ===

impl Value {
    /// Parses a value as its type wants it; what does not parse stays text.
    #[must_use]
    pub fn new(record_type: &RecordType, text: &str) -> Self {
        let text = text.trim();
        match record_type {
            RecordType::A | RecordType::Aaaa => {
                text.parse().map_or_else(|_not_an_address| Self::Text(text.into()), Self::Ip)
            }
            RecordType::Cname | RecordType::Ns | RecordType::Ptr => {
                Self::Host(DomainName::from_route53(text))
            }
            RecordType::Mx | RecordType::Srv | RecordType::Naptr => Self::named(text),
            RecordType::Txt | RecordType::Soa | RecordType::Ds | RecordType::Caa | RecordType::Other(_) => {
                Self::Text(text.into())
            }
        }
    }

    /// The name is the last word; a value of one word is none.
    fn named(text: &str) -> Self {
        let Some((before, host)) = text.rsplit_once(char::is_whitespace) else {
            return Self::Text(text.into());
        };
        let before = before.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::Named(Box::new(NamedValue { text: text.into(), before, host: DomainName::from_route53(host) }))
    }

    /// The address, for an A or AAAA value.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        if let Self::Ip(ip) = self { Some(*ip) } else { None }
    }

    /// The name, for a CNAME, NS or PTR value.
    #[must_use]
    pub fn host(&self) -> Option<&DomainName> {
        if let Self::Host(host) = self { Some(host) } else { None }
    }
}

impl NamedValue {
    /// The name at the end of the value.
    #[must_use]
    pub fn host(&self) -> &DomainName {
        &self.host
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Host(host) => host.fmt(f),
            Self::Named(named) => f.write_str(&named.text),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === impl NamedValue ===

impl NamedValue {
    fn parts(&self) -> (&str, &DomainName) {
        (&self.before, &self.host)
    }
}

impl PartialEq for NamedValue {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for NamedValue {}

impl PartialOrd for NamedValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NamedValue {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl Hash for NamedValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

// === impl AliasTarget ===

impl AliasTarget {
    /// The target's name without the `dualstack.` prefix that the console puts before ELB names.
    ///
    /// Both spellings reach the same load balancer. Source: findings.md section 8 rule 5.
    #[must_use]
    pub fn bare_name(&self) -> DomainName {
        self.dns_name
            .as_str()
            .strip_prefix("dualstack.")
            .map_or_else(|| self.dns_name.clone(), DomainName::new)
    }
}

// === impl Content ===

impl Content {
    /// Plain values, sorted and without duplicates.
    #[must_use]
    pub fn values(ttl: u32, values: impl IntoIterator<Item = Value>) -> Self {
        Self::Values { ttl, values: values.into_iter().collect() }
    }

    /// The host names that it leads to, an alias by its bare name; empty for addresses and texts.
    #[must_use]
    pub fn hosts(&self) -> BTreeSet<DomainName> {
        let values = self.plain_values().iter().filter_map(Value::host).cloned();
        values.chain(self.alias().map(AliasTarget::bare_name)).collect()
    }

    /// Targets as words, as a feed or a report writes them: values, or the alias target.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        match self {
            Self::Values { values, .. } => values.iter().map(ToString::to_string).collect(),
            Self::Alias(target) => vec![target.dns_name.to_string()],
            Self::TrafficPolicy(id) => vec![id.to_string()],
        }
    }

    /// The plain values; empty for an alias or a traffic policy.
    #[must_use]
    pub fn plain_values(&self) -> &[Value] {
        if let Self::Values { values, .. } = self { values } else { &[] }
    }

    /// The alias target, if this is an alias.
    #[must_use]
    pub fn alias(&self) -> Option<&AliasTarget> {
        if let Self::Alias(target) = self { Some(target) } else { None }
    }

    /// The TTL in seconds; `None` for an alias or a traffic policy.
    #[must_use]
    pub fn ttl(&self) -> Option<u32> {
        if let Self::Values { ttl, .. } = self { Some(*ttl) } else { None }
    }
}

// === impl RecordSet, RecordKey ===

impl RecordSet {
    /// What makes it unique within its zone.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        RecordKey {
            name: self.name.clone(),
            record_type: self.record_type.clone(),
            set_identifier: self.set_identifier.clone(),
        }
    }
}

impl fmt::Display for RecordKey {
    /// The subject form of recording.md: `<fqdn>/<TYPE>`, with `#<set identifier>` where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.record_type)?;
        match &self.set_identifier {
            Some(identifier) => write!(f, "#{}", crate::model::text::printable(identifier)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_compare_by_meaning() {
        let same = |kind: RecordType, left: &str, right: &str| {
            assert_eq!(Value::new(&kind, left), Value::new(&kind, right));
        };
        same(RecordType::Aaaa, "2600:1901:0:0::1", "2600:1901::1");
        same(RecordType::Cname, "LB.Example.net.", "lb.example.net");
        same(RecordType::Mx, "10  Mail.Example.net", "10 mail.example.net.");
        same(RecordType::Srv, "0 5 443 lb.example.net.", "0 5 443 LB.example.net");
        assert_ne!(
            Value::new(&RecordType::Mx, "10 mail.example.net"),
            Value::new(&RecordType::Mx, "20 mail.example.net")
        );
        assert_eq!(Value::new(&RecordType::Mx, "10 Mail.example.net").to_string(), "10 Mail.example.net");
        assert_eq!(Value::new(&RecordType::A, "74.17.111.38."), Value::Text("74.17.111.38.".into()));
    }

    #[test]
    fn content_is_a_set() {
        let value = |text: &str| Value::new(&RecordType::A, text);
        let left = Content::values(300, [value("192.0.2.2"), value("192.0.2.1"), value("192.0.2.2")]);
        let right = Content::values(300, [value("192.0.2.1"), value("192.0.2.2")]);
        assert_eq!(left, right);
    }

    #[test]
    fn alias_prefix_is_ignored() {
        let target = AliasTarget {
            dns_name: DomainName::new("dualstack.lb-1.us-east-1.elb.amazonaws.com."),
            hosted_zone_id: None,
            evaluate_target_health: true,
        };
        assert_eq!(target.bare_name().as_str(), "lb-1.us-east-1.elb.amazonaws.com");
    }
}
