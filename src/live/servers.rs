//! Which address serves a name server name, and which servers hold the parent of a zone.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::live::cuts::Cuts;
use crate::live::endpoint::{Endpoint, shown_address};
use crate::live::prober::Prober;
use crate::live::question::Question;
use crate::model::observation::{Outcome, Transport, Vantage};
use crate::model::{DomainName, RecordType};

/// How long a found address or zone cut is believed. Short: a kept zone cut hides a delegation
/// that was made meanwhile (cert-manager#5515).
pub(crate) const KEEP_FOUND: Duration = Duration::from_mins(10);

/// How long nothing found is believed.
pub(crate) const KEEP_MISSING: Duration = Duration::from_secs(30);

/// Remembered names; past it all are forgotten and looked up again.
const MAX_REMEMBERED: usize = 10_000;

/// Servers of a parent zone that are kept; two are asked.
const MAX_PARENTS: usize = 4;

/// One `WHO=ADDRESS[:PORT]` of the server map.
///
/// `WHO` is the name of a name server, `*` for every name server that has no line of its own,
/// `parent:ZONE` for the parent of one zone, or `parent` for the parents of all zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerMapLine {
    who: Who,
    address: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Name(DomainName),
    AnyName,
    ParentOf(DomainName),
    AnyParent,
}

/// Why a line of the server map cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerMapError {
    /// No `=`.
    #[error(
        "server map {0:?}: expected NAME=ADDRESS[:PORT], *=ADDRESS, parent=ADDRESS or parent:ZONE=ADDRESS"
    )]
    Form(String),
    /// The left side is no DNS name.
    #[error("server map {line:?}: {name:?} is no DNS name")]
    Name {
        /// The whole line.
        line: String,
        /// The part that is wrong.
        name: String,
    },
    /// The right side is no IP address.
    #[error("server map {line:?}: {address:?} is no IP address with an optional port")]
    Address {
        /// The whole line.
        line: String,
        /// The part that is wrong.
        address: String,
    },
}

/// Addresses that replace those from DNS: for closed networks, tests and the demo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerMap {
    names: BTreeMap<DomainName, SocketAddr>,
    any_name: Option<SocketAddr>,
    parents: BTreeMap<DomainName, SocketAddr>,
    any_parent: Option<SocketAddr>,
}

/// A server that holds the parent zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParentServer {
    /// Its name, or its address where the server map gives one.
    pub(crate) label: Arc<str>,
    pub(crate) address: SocketAddr,
}

/// Finds servers, and remembers them for a while.
pub(crate) struct Servers {
    map: ServerMap,
    bootstrap: Vec<Endpoint>,
    prober: Prober,
    below: Cuts,
    addresses: Remembered<Option<SocketAddr>>,
    cuts: Remembered<Option<Arc<[DomainName]>>>,
}

// === impl ServerMapLine ===

impl FromStr for ServerMapLine {
    type Err = ServerMapError;

    fn from_str(line: &str) -> Result<Self, ServerMapError> {
        let (who, address) = line.split_once('=').ok_or_else(|| ServerMapError::Form(line.to_owned()))?;
        let name = |text: &str| {
            let name = DomainName::new(text.trim());
            if name.as_str().is_empty() || name.is_wildcard() || name.defect().is_some() {
                return Err(ServerMapError::Name { line: line.to_owned(), name: text.to_owned() });
            }
            Ok(name)
        };
        let who = match who.trim() {
            "*" => Who::AnyName,
            "parent" => Who::AnyParent,
            other => match other.strip_prefix("parent:") {
                Some(zone) => Who::ParentOf(name(zone)?),
                None => Who::Name(name(other)?),
            },
        };
        let address = address.trim();
        let address = address
            .parse::<SocketAddr>()
            .or_else(|_no_port| address.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)))
            .map_err(|_neither| ServerMapError::Address {
                line: line.to_owned(),
                address: address.to_owned(),
            })?;
        Ok(Self { who, address })
    }
}

// === impl ServerMap ===

impl FromIterator<ServerMapLine> for ServerMap {
    /// Of two lines for the same server the later one counts.
    fn from_iter<I: IntoIterator<Item = ServerMapLine>>(lines: I) -> Self {
        let mut map = Self::default();
        for ServerMapLine { who, address } in lines {
            match who {
                Who::Name(name) => drop(map.names.insert(name, address)),
                Who::AnyName => map.any_name = Some(address),
                Who::ParentOf(zone) => drop(map.parents.insert(zone, address)),
                Who::AnyParent => map.any_parent = Some(address),
            }
        }
        map
    }
}

impl ServerMap {
    /// The address that the map gives for a name server; `None` means: ask DNS.
    #[must_use]
    pub fn name_server(&self, name: &DomainName) -> Option<SocketAddr> {
        self.names.get(name).copied().or(self.any_name)
    }

    /// The address that the map gives for the parent of a zone; `None` means: ask DNS.
    #[must_use]
    pub fn parent_of(&self, zone: &DomainName) -> Option<SocketAddr> {
        self.parents.get(zone).copied().or(self.any_parent)
    }
}

// === impl Servers ===

impl Servers {
    pub(crate) fn new(map: ServerMap, bootstrap: Vec<Endpoint>, prober: Prober) -> Self {
        let (addresses, cuts) = (Remembered::default(), Remembered::default());
        Self { map, bootstrap, prober, below: Cuts::default(), addresses, cuts }
    }

    pub(crate) fn prober(&self) -> &Prober {
        &self.prober
    }

    /// The servers that hold a name outside of our zones; empty if they cannot be found.
    pub(crate) async fn own(&self, name: &DomainName) -> Arc<[DomainName]> {
        self.below.servers_of(name, self).await
    }

    /// The same, when those that are known refer further down.
    pub(crate) async fn own_below(&self, name: &DomainName) -> Arc<[DomainName]> {
        self.below.walk(name, self).await
    }

    /// The name servers of a zone that exists beyond doubt, from a resolver.
    pub(crate) async fn name_servers_of(&self, zone: &DomainName) -> Vec<DomainName> {
        let found = self.look_up(zone, RecordType::Ns).await.unwrap_or_default();
        found.iter().map(|text| DomainName::from_route53(text)).collect()
    }

    /// The address of a name server; `None` if it has none that can be found.
    pub(crate) async fn address(&self, name: &DomainName) -> Option<SocketAddr> {
        if let Some(mapped) = self.map.name_server(name) {
            return Some(mapped);
        }
        let look_up = || async {
            for record_type in [RecordType::A, RecordType::Aaaa] {
                let values = self.look_up(name, record_type).await.unwrap_or_default();
                if let Some(ip) = values.iter().find_map(|value| value.parse().ok()) {
                    return Some(SocketAddr::new(ip, 53));
                }
            }
            None
        };
        self.addresses.get(name, Option::is_some, look_up).await
    }

    /// Servers of the zone above; empty if none can be found.
    pub(crate) async fn parents(&self, zone: &DomainName) -> Vec<ParentServer> {
        if let Some(address) = self.map.parent_of(zone) {
            return vec![ParentServer { label: shown_address(address).into(), address }];
        }
        let mut found = Vec::new();
        for name in self.parent_names(zone).await.iter() {
            if let Some(address) = self.address(name).await {
                found.push(ParentServer { label: name.as_str().into(), address });
            }
        }
        found
    }

    /// Walks up from the label above the zone to the first name that has name servers.
    async fn parent_names(&self, zone: &DomainName) -> Arc<[DomainName]> {
        let mut next = zone.parent();
        while let Some(above) = next {
            let look_up = || async {
                let mut names: Vec<DomainName> = self
                    .look_up(&above, RecordType::Ns)
                    .await?
                    .iter()
                    .map(|text| DomainName::from_route53(text))
                    .collect();
                names.sort();
                names.truncate(MAX_PARENTS);
                (!names.is_empty()).then(|| names.into())
            };
            if let Some(names) = self.cuts.get(&above, Option::is_some, look_up).await {
                return names;
            }
            next = above.parent();
        }
        Arc::default()
    }

    /// Asks the bootstrap resolvers in order, until one does not fail. `None` if all fail; empty
    /// if there is no such record.
    async fn look_up(&self, name: &DomainName, record_type: RecordType) -> Option<Vec<Arc<str>>> {
        let question = Question::recursive(name.clone(), record_type);
        for resolver in &self.bootstrap {
            let reply = self.prober.ask_at(resolver, &question, Transport::Udp).await;
            match (reply.outcome(Vantage::Recursive), reply.answer) {
                (Outcome::Answer | Outcome::Nodata | Outcome::Nxdomain, Ok(answer)) => {
                    let wanted = question.record_type.as_str();
                    let of_type =
                        |record: &&crate::model::observation::AnswerRecord| &*record.record_type == wanted;
                    return Some(answer.answers.iter().filter(of_type).map(|one| one.data.clone()).collect());
                }
                _this_one_does_not_know => {}
            }
        }
        None
    }
}

/// Values by name, each looked up once at a time and kept for a while.
struct Remembered<T>(Mutex<HashMap<DomainName, Arc<Memory<T>>>>);

struct Memory<T> {
    since: Instant,
    value: OnceCell<T>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Remembered<T> {
    async fn get<F: Future<Output = T>>(
        &self,
        name: &DomainName,
        is_found: impl Fn(&T) -> bool,
        look_up: impl FnOnce() -> F,
    ) -> T {
        let now = Instant::now();
        let memory = {
            let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if MAX_REMEMBERED <= memories.len() {
                memories.clear();
            }
            let fresh = |memory: &Arc<Memory<T>>| {
                let keep = match memory.value.get() {
                    Some(value) if !is_found(value) => KEEP_MISSING,
                    _found_or_in_work => KEEP_FOUND,
                };
                now < memory.since + keep
            };
            if let Some(memory) = memories.get(name).filter(|memory| fresh(memory)) {
                Arc::clone(memory)
            } else {
                let memory = Arc::new(Memory { since: now, value: OnceCell::new() });
                memories.insert(name.clone(), Arc::clone(&memory));
                memory
            }
        };
        memory.value.get_or_init(look_up).await.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::fake::FakeServer;
    use crate::live::prober::ProberSettings;

    #[test]
    fn lines_of_the_map() {
        let map: ServerMap = [
            "NS-1.example.com.=127.0.53.1:5300",
            "*=127.0.53.2",
            "parent=[::1]:5300",
            "parent:example.com=127.0.53.3",
        ]
        .into_iter()
        .map(|line| line.parse::<ServerMapLine>().unwrap())
        .collect();
        let shown = |address: Option<SocketAddr>| address.unwrap().to_string();
        assert_eq!(shown(map.name_server(&"ns-1.example.com".into())), "127.0.53.1:5300");
        assert_eq!(shown(map.name_server(&"ns-2.example.com".into())), "127.0.53.2:53");
        assert_eq!(shown(map.parent_of(&"example.com".into())), "127.0.53.3:53");
        assert_eq!(shown(map.parent_of(&"example.org".into())), "[::1]:5300");
    }

    #[test]
    fn mistakes_in_the_map() {
        let check = |line: &str, message: &str| {
            let error = line.parse::<ServerMapLine>().unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        check("127.0.0.1", "expected NAME=ADDRESS[:PORT]");
        check("a..b=127.0.0.1", "\"a..b\" is no DNS name");
        check("parent:=127.0.0.1", "\"\" is no DNS name");
        check("ns1.example.com=localhost", "\"localhost\" is no IP address");
        check("ns1.example.com=127.0.0.1:99999", "is no IP address");
    }

    #[tokio::test]
    async fn addresses_come_from_the_bootstrap_resolver_once() {
        let fake = FakeServer::start().await;
        let gone = FakeServer::start().await.address;
        let prober = Prober::new(ProberSettings::default());
        let servers = Servers::new(ServerMap::default(), vec![gone.into(), fake.address.into()], prober);
        let name = DomainName::new("ns1.example.com");
        let (first, second) = tokio::join!(servers.address(&name), servers.address(&name));
        assert_eq!((first, second), (Some("192.0.2.1:53".parse().unwrap()), first));
        assert_eq!(fake.asked_for("ns1.example.com"), ["A/udp"]);
        assert_eq!(servers.address(&"nxdomain.example.com".into()).await, None);
        assert!(fake.asked().iter().all(|asked| asked.rd));
    }

    #[tokio::test]
    async fn the_parent_is_the_first_cut_above() {
        let fake = FakeServer::start().await;
        let prober = Prober::new(ProberSettings::default());
        let servers = Servers::new(ServerMap::default(), vec![fake.address.into()], prober);
        let parents = servers.parents(&"a.nodata.example.com".into()).await;
        assert_eq!(parents.len(), 1);
        assert_eq!(&*parents[0].label, "ns1.example.com");
        assert_eq!(fake.asked_for("nodata.example.com"), ["NS/udp"]);
        assert_eq!(fake.asked_for("example.com"), ["NS/udp"]);
        assert!(fake.asked_for("com").is_empty());
    }
}
