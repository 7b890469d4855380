//! How the live view is configured.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::system_conf::read_system_conf;

use crate::live::endpoint::Endpoint;
use crate::live::prober::{ProberSettings, is_public};
use crate::live::servers::ServerMap;
use crate::model::{DomainName, RecordType};

/// The view of resolvers that see what the internet sees.
pub const PUBLIC_VIEW: &str = "public";

/// The view of the machine's own resolvers where these sit on a private address: a cluster's DNS
/// service, a VPC resolver, an office router. What they answer may be meant for insiders only, so
/// it is shown and never judged against public records unless the configuration says otherwise.
pub const INTERNAL_VIEW: &str = "internal";

/// All settings of the live view.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// Resolvers whose answers are observed.
    pub resolvers: Vec<ResolverSettings>,
    /// Resolvers that find the addresses of name servers and the servers of parent zones, in order
    /// of preference. Empty means that only the server map knows addresses.
    pub bootstrap: Vec<Endpoint>,
    /// Addresses that replace those from DNS.
    pub server_map: ServerMap,
    /// Rates, timeouts and limits of the questions.
    pub prober: ProberSettings,
    /// How often things are asked.
    pub intervals: Intervals,
    /// A name outside of our zones that every resolver knows: tells a broken resolver from a
    /// broken name.
    pub control_name: DomainName,
    /// Type that is asked of the control name.
    pub control_type: RecordType,
    /// Stable names that each resolver is asked for within one stable interval, roughly; of more
    /// names, a changing sample. Names in doubt are always asked.
    pub recursive_budget: usize,
    /// Names that are in work at once.
    pub concurrency: usize,
    /// Packets a second to all authoritative servers together, and to each of them, in a sweep that
    /// somebody asked for.
    pub sweep_per_second: NonZeroU32,
    /// True if a stable name is asked at one server from the start. Else the first pass asks all.
    pub one_server: bool,
}

/// [`PUBLIC_VIEW`], shared by all observations.
pub(crate) fn public_view() -> Arc<str> {
    static VIEW: LazyLock<Arc<str>> = LazyLock::new(|| PUBLIC_VIEW.into());
    Arc::clone(&VIEW)
}

/// One resolver that is observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverSettings {
    /// Where it is, and how it is spoken to.
    pub endpoint: Endpoint,
    /// The network view that it belongs to.
    pub view: Arc<str>,
    /// A name that this resolver knows for sure; `None` for that of [`LiveSettings`]. A resolver of
    /// a closed network may know no name of the internet.
    pub control_name: Option<DomainName>,
}

/// How long until something is asked again. All vary by a tenth, so that nothing marches in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// Names that are new or in doubt, and control names.
    pub doubtful: Duration,
    /// Names that somebody waits for.
    pub waited: Duration,
    /// Names that were right for a while.
    pub stable: Duration,
    /// Delegation and SOA of each zone.
    pub zone: Duration,
    /// After this time a first plan that is not answered completely is published as it is: what
    /// was not asked yet is not judged.
    pub first_publish: Duration,
}

/// Why the machine's resolvers are not known.
#[derive(Debug, thiserror::Error)]
#[error("read resolvers from /etc/resolv.conf")]
pub struct SystemResolversError(#[source] NetError);

// === impl LiveSettings ===

impl LiveSettings {
    /// Defaults around the given resolvers, which also serve as bootstrap.
    #[must_use]
    pub fn new(resolvers: Vec<ResolverSettings>) -> Self {
        Self {
            bootstrap: resolvers.iter().map(|resolver| resolver.endpoint.clone()).collect(),
            resolvers,
            server_map: ServerMap::default(),
            prober: ProberSettings::default(),
            intervals: Intervals::default(),
            control_name: DomainName::new("example.com"),
            control_type: RecordType::A,
            recursive_budget: 2_000,
            concurrency: 256,
            sweep_per_second: NonZeroU32::new(2_000).unwrap_or(NonZeroU32::MIN),
            one_server: false,
        }
    }
}

impl LiveSettings {
    /// For one full picture in a hurry: the rates to name servers are those of a sweep, each name is
    /// asked at one server unless its answer is not as expected, and more names are in work at once. Resolvers are asked as politely as always.
    #[must_use]
    pub fn for_sweep(mut self) -> Self {
        self.prober.authoritative_per_second = self.sweep_per_second;
        self.prober.authoritative_total_per_second = self.sweep_per_second;
        self.concurrency = self.concurrency.max(1_024);
        self.one_server = true;
        self
    }
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            doubtful: Duration::from_mins(1),
            waited: Duration::from_secs(10),
            stable: Duration::from_mins(15),
            zone: Duration::from_mins(5),
            first_publish: Duration::from_mins(1),
        }
    }
}

// === impl ResolverSettings ===

impl ResolverSettings {
    /// The resolvers that this machine uses: [`PUBLIC_VIEW`] for those on a public address,
    /// [`INTERNAL_VIEW`] for all others. Blocking: reads one small file.
    ///
    /// # Errors
    ///
    /// If `/etc/resolv.conf` cannot be read or understood.
    pub fn system() -> Result<Vec<Self>, SystemResolversError> {
        let (config, _options) = read_system_conf().map_err(SystemResolversError)?;
        let mut resolvers: Vec<Self> = Vec::new();
        for server in config.name_servers() {
            let resolver = Self::on(server.ip);
            if !resolvers.contains(&resolver) {
                resolvers.push(resolver);
            }
        }
        Ok(resolvers)
    }

    /// A resolver with the default control name.
    #[must_use]
    pub fn new(endpoint: impl Into<Endpoint>, view: &str) -> Self {
        Self { endpoint: endpoint.into(), view: view.into(), control_name: None }
    }

    /// A resolver on port 53 with the view that its address suggests.
    #[must_use]
    pub fn on(address: IpAddr) -> Self {
        Self::at(SocketAddr::new(address, 53).into())
    }

    /// A resolver with the view that its address suggests; one behind a host name is public.
    #[must_use]
    pub fn at(endpoint: Endpoint) -> Self {
        let outside = endpoint.address().is_none_or(|address| is_public(address.ip()));
        Self::new(endpoint, if outside { PUBLIC_VIEW } else { INTERNAL_VIEW })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_of_addresses() {
        let check = |address: &str, view: &str| {
            assert_eq!(&*ResolverSettings::on(address.parse().unwrap()).view, view, "{address}");
        };
        check("8.8.8.8", "public");
        check("2001:4860:4860::8888", "public");
        check("10.8.0.10", "internal");
        check("169.254.169.253", "internal");
        check("127.0.0.53", "internal");
        check("100.64.0.2", "internal");
        check("fd00:ec2::253", "internal");
    }
}
