//! Where a resolver is, and how it is spoken to. Pure.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;

/// Source: RFC 7858 section 3.1.
const TLS_PORT: u16 = 853;

/// Path of a `DoH` service that is written without one. Source: RFC 8484, as all public services have
/// it.
const USUAL_PATH: &str = "/dns-query";

/// A resolver as the configuration names it: `9.9.9.9`, `10.0.0.2:5300`,
/// `tls://9.9.9.9#dns.quad9.net` or `https://dns.quad9.net/dns-query`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// UDP, and TCP where UDP is not enough.
    Plain(SocketAddr),
    /// DNS over TLS.
    Tls {
        /// Where it listens.
        address: SocketAddr,
        /// The name that its certificate must carry; its address when not given.
        name: Arc<str>,
    },
    /// DNS over HTTPS.
    Https {
        /// Host of the URL: a name or an address.
        host: Arc<str>,
        /// Port of the URL.
        port: u16,
        /// Path of the URL, with the leading slash.
        path: Arc<str>,
    },
}

/// Why a text names no resolver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address.
    #[error("{0:?} is no IP address with an optional port")]
    Address(String),
    /// Neither a name nor an address behind the `#`.
    #[error("{0:?} is no name that a certificate could carry")]
    Name(String),
    /// Not a URL of a `DoH` service.
    #[error("{0:?} is no URL of the form https://HOST[:PORT]/PATH")]
    Url(String),
}

// === impl Endpoint ===

impl Endpoint {
    /// The address; `None` for a URL, whose host is looked up when it is asked.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(address) | Self::Tls { address, .. } => Some(*address),
            Self::Https { host, port, .. } => Some(SocketAddr::new(host.parse().ok()?, *port)),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Plain(address)
    }
}

/// As observations and metrics name it: port 53 goes without saying.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) => f.write_str(&shown_address(*address)),
            Self::Tls { address, name } if address.ip().to_string() == **name => write!(f, "tls://{address}"),
            Self::Tls { address, name } => write!(f, "tls://{address}#{name}"),
            Self::Https { host, port: 443, path } => write!(f, "https://{}{path}", bracketed(host)),
            Self::Https { host, port, path } => write!(f, "https://{}:{port}{path}", bracketed(host)),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("tls://") {
            return over_tls(rest);
        }
        if text.starts_with("https://") {
            return over_https(text).ok_or_else(|| EndpointError::Url(text.to_owned()));
        }
        Ok(Self::Plain(address(text, 53)?))
    }
}

fn over_tls(text: &str) -> Result<Endpoint, EndpointError> {
    let (place, name) = text.split_once('#').map_or((text, None), |(place, name)| (place, Some(name)));
    let address = address(place, TLS_PORT)?;
    let name = name.map_or_else(|| address.ip().to_string(), str::to_owned);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    if name.is_empty() || !name.bytes().all(is_host) {
        return Err(EndpointError::Name(name));
    }
    Ok(Endpoint::Tls { address, name: name.into() })
}

fn over_https(text: &str) -> Option<Endpoint> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    let (host, port) = (authority.host(), authority.port_u16().unwrap_or(443));
    let has_user = authority.as_str().contains('@');
    if uri.scheme_str() != Some("https") || host.is_empty() || has_user || uri.query().is_some() {
        return None;
    }
    let path = if uri.path() == "/" { USUAL_PATH } else { uri.path() };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(Endpoint::Https { host: host.into(), port, path: path.into() })
}

fn address(text: &str, port: u16) -> Result<SocketAddr, EndpointError> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse::<SocketAddr>()
        .or_else(|_no_port| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)))
        .map_err(|_neither| EndpointError::Address(text.to_owned()))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// How an address is named in observations: port 53 goes without saying.
#[must_use]
pub fn shown_address(address: SocketAddr) -> String {
    if address.port() == 53 { address.ip().to_string() } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_resolver() {
        let check = |text: &str, shown: &str| {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(shown.parse::<Endpoint>().unwrap(), endpoint, "{shown}");
        };
        check("8.8.8.8", "8.8.8.8");
        check("8.8.8.8:53", "8.8.8.8");
        check("[::1]:5300", "[::1]:5300");
        check("2001:4860:4860::8888", "2001:4860:4860::8888");
        check("tls://9.9.9.9#dns.quad9.net", "tls://9.9.9.9:853#dns.quad9.net");
        check("tls://9.9.9.9", "tls://9.9.9.9:853");
        check("tls://[2620:fe::fe]:8853#dns.quad9.net", "tls://[2620:fe::fe]:8853#dns.quad9.net");
        check("https://dns.quad9.net", "https://dns.quad9.net/dns-query");
        check("https://10.0.0.2:8443/q", "https://10.0.0.2:8443/q");
        check("https://[2620:fe::fe]/dns-query", "https://[2620:fe::fe]/dns-query");
    }

    #[test]
    fn texts_that_name_no_resolver() {
        let check = |text: &str, message: &str| {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        };
        check("dns.google", "\"dns.google\" is no IP address");
        check("8.8.8.8:99999", "is no IP address");
        check("tls://dns.quad9.net", "is no IP address");
        check("tls://9.9.9.9#", "\"\" is no name");
        check("tls://9.9.9.9#a b", "\"a b\" is no name");
        check("https://", "is no URL");
        check("https://user@dns.google/", "is no URL");
        check("https://dns.google/dns-query?dns=x", "is no URL");
        check("http://dns.google/", "is no IP address");
    }
}
