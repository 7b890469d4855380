//! Authoritative name servers, their parent and a resolver, on loopback addresses.
//!
//! One address per name of a delegation set, one for the parent of all zones, one for a resolver;
//! all share one port. What they answer is computed from the zones at the moment of the query, so a
//! change of Route 53 becomes visible here when it is in sync.

mod answer;
mod authority;
mod fault;
mod handler;
mod rdata;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_server::Server;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::handler::Responder;
use super::fault::Faults;
use super::zones::{ServedZone, ZoneSource, canonical};

pub use self::fault::{DnsFault, DnsFaultKind};

/// Address of the server of all parents.
const PARENT: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 1);
/// Address of the resolver.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 2);
/// Addresses of the name servers of delegation sets; more names than these share them.
const POOL: std::ops::RangeInclusive<u8> = 11..=34;

/// Name of the parents' server.
pub const PARENT_NAME: &str = "a.parent-servers.test.";
/// A name that the resolver always answers, to tell a dead resolver from a dead zone.
pub const CONTROL_NAME: &str = "control.example.org.";
/// The address of [`CONTROL_NAME`].
pub const CONTROL_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 250);

/// Ports that are tried until one is free at all addresses, in UDP and TCP.
const PORT_TRIES: usize = 50;
/// How long an idle TCP connection is kept.
const TCP_IDLE: Duration = Duration::from_secs(30);
/// Answers that may wait in one TCP connection.
const TCP_BUFFER: usize = 64;
/// Distinct (server, name, type) that are counted; further ones are not.
const MAX_COUNTED: usize = 200_000;

/// The emulated DNS. Clones share it; it serves until its token is cancelled.
#[derive(Clone)]
pub struct Dns {
    port: u16,
    shared: Arc<Shared>,
}

/// Which server an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Parent,
    Resolver,
    /// The name servers that were given this address.
    Authority(Ipv4Addr),
}

struct Shared {
    source: Arc<dyn ZoneSource>,
    faults: Faults<DnsFault>,
    foreign: Mutex<BTreeMap<String, Vec<IpAddr>>>,
    delegations: Mutex<BTreeMap<String, Option<Vec<String>>>>,
    assigned: Mutex<BTreeMap<String, Ipv4Addr>>,
    queries: Mutex<BTreeMap<(SocketAddr, String, String), u64>>,
    turn: std::sync::atomic::AtomicU64,
}

// === impl Dns ===

impl Dns {
    /// Starts all servers. Call inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When no port is free at all loopback addresses; only Linux has `127.0.53.x` without setup.
    pub fn start(
        tasks: &mut JoinSet<()>,
        stop: CancellationToken,
        source: Arc<dyn ZoneSource>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            source,
            faults: Faults::default(),
            foreign: Mutex::default(),
            delegations: Mutex::default(),
            assigned: Mutex::default(),
            queries: Mutex::default(),
            turn: std::sync::atomic::AtomicU64::new(0),
        });
        let (port, sockets) = bind_all()?;
        for (role, address, udp, tcp) in sockets {
            let server = SocketAddr::from((address, port));
            let mut serving = Server::new(Responder { role, server, shared: Arc::clone(&shared) });
            serving.register_socket(udp);
            serving.register_listener(tcp, TCP_IDLE, TCP_BUFFER);
            let stopped = stop.clone().cancelled_owned();
            tasks.spawn(async move {
                stopped.await;
                // Open TCP connections are dropped with the server; nobody waits for them.
                serving.shutdown_token().cancel();
            });
        }
        drop(stop);
        Ok(Self { port, shared })
    }

    /// Address of the server that is the parent of every zone.
    #[must_use]
    pub fn parent(&self) -> SocketAddr {
        SocketAddr::from((PARENT, self.port))
    }

    /// Address of the resolver.
    #[must_use]
    pub fn resolver(&self) -> SocketAddr {
        SocketAddr::from((RESOLVER, self.port))
    }

    /// All addresses that are served: parent, resolver, name servers.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        all_addresses().map(|(_, address)| SocketAddr::from((address, self.port))).collect()
    }

    /// Where each name server of the present delegation sets is served, and the parents' server.
    /// Names are without trailing dots.
    #[must_use]
    pub fn server_map(&self) -> Vec<(String, SocketAddr)> {
        self.shared.zones();
        let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).to_owned();
        let mut map: Vec<_> = lock(&self.shared.assigned)
            .iter()
            .map(|(name, address)| (bare(name), SocketAddr::from((*address, self.port))))
            .collect();
        map.push((bare(PARENT_NAME), self.parent()));
        map
    }

    /// The address of a name server of a delegation set; `None` for a name in none.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<SocketAddr> {
        self.shared.zones();
        let address = lock(&self.shared.assigned).get(&canonical(name)).copied()?;
        Some(SocketAddr::from((address, self.port)))
    }

    /// Gives addresses to a name outside all zones, for aliases and CNAMEs that point there.
    pub fn set_foreign(&self, name: &str, addresses: &[IpAddr]) {
        lock(&self.shared.foreign).insert(canonical(name), addresses.to_vec());
    }

    /// Changes what the parent delegates a zone to; `None` means it does not delegate it.
    pub fn set_delegation(&self, zone: &str, name_servers: Option<&[&str]>) {
        let servers = name_servers.map(|names| names.iter().map(|name| canonical(name)).collect());
        lock(&self.shared.delegations).insert(canonical(zone), servers);
    }

    /// Puts a fault in force; the most recent one that concerns a query wins.
    pub fn set_fault(&self, fault: DnsFault) {
        let times = fault.times;
        self.shared.faults.set(fault, times);
    }

    /// Lifts all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// How often each (server, name with trailing dot, type) was asked.
    #[must_use]
    pub fn queries(&self) -> BTreeMap<(SocketAddr, String, String), u64> {
        lock(&self.shared.queries).clone()
    }
}

// === impl Shared ===

impl Shared {
    /// The zones of now; new name servers get their addresses on the way.
    fn zones(&self) -> Vec<Arc<ServedZone>> {
        let zones = self.source.zones();
        let mut assigned = lock(&self.assigned);
        for name in zones.iter().flat_map(|zone| &zone.name_servers) {
            if !assigned.contains_key(name) {
                let size = POOL.len().max(1);
                let last = u8::try_from(assigned.len().rem_euclid(size)).unwrap_or(0);
                let address = Ipv4Addr::new(127, 0, 53, POOL.start().saturating_add(last));
                assigned.insert(name.clone(), address);
            }
        }
        drop(assigned);
        zones
    }

    /// The address of a name server.
    fn address_of(&self, name_server: &str) -> Option<Ipv4Addr> {
        if name_server == PARENT_NAME {
            return Some(PARENT);
        }
        lock(&self.assigned).get(name_server).copied()
    }

    /// What the parent says about a zone; `None` if it does not delegate it.
    fn delegation(&self, zone: &ServedZone) -> Option<Vec<String>> {
        let ordered = lock(&self.delegations).get(&zone.name).cloned();
        ordered.unwrap_or_else(|| Some(zone.name_servers.clone()))
    }

    fn foreign(&self, name: &str) -> Option<Vec<IpAddr>> {
        let foreign = lock(&self.foreign);
        foreign.get(name).or_else(|| foreign.get(name.strip_prefix("dualstack.")?)).cloned()
    }

    /// A number that rises with each call, to take turns in a weighted group.
    fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    fn count(&self, server: SocketAddr, name: &str, kind: &str) {
        let mut queries = lock(&self.queries);
        let key = (server, name.to_owned(), kind.to_owned());
        if queries.len() < MAX_COUNTED || queries.contains_key(&key) {
            let count = queries.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }
}

// === sockets ===

type Bound = (Role, Ipv4Addr, tokio::net::UdpSocket, tokio::net::TcpListener);

fn all_addresses() -> impl Iterator<Item = (Role, Ipv4Addr)> {
    let pool =
        POOL.map(|last| Ipv4Addr::new(127, 0, 53, last)).map(|address| (Role::Authority(address), address));
    [(Role::Parent, PARENT), (Role::Resolver, RESOLVER)].into_iter().chain(pool)
}

/// Binds every address at one port that is free at all of them.
fn bind_all() -> io::Result<(u16, Vec<Bound>)> {
    let mut last = io::Error::other("no port was tried");
    for _ in 0..PORT_TRIES {
        let probe = std::net::TcpListener::bind((PARENT, 0))?;
        let port = probe.local_addr()?.port();
        drop(probe);
        match all_addresses().map(|(role, address)| bind(role, address, port)).collect() {
            Ok(sockets) => return Ok((port, sockets)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind(role: Role, address: Ipv4Addr, port: u16) -> io::Result<Bound> {
    let udp = std::net::UdpSocket::bind((address, port))?;
    let tcp = std::net::TcpListener::bind((address, port))?;
    udp.set_nonblocking(true)?;
    tcp.set_nonblocking(true)?;
    Ok((role, address, tokio::net::UdpSocket::from_std(udp)?, tokio::net::TcpListener::from_std(tcp)?))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
