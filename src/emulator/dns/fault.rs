//! What an emulated name server can be told to do wrong.

use std::net::{IpAddr, SocketAddr};

use crate::emulator::zones::canonical;

/// A fault, for a server, a name, a number of queries, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsFault {
    /// What goes wrong.
    pub kind: DnsFaultKind,
    /// The server it concerns; `None` means every one.
    pub server: Option<SocketAddr>,
    /// The name it concerns, in the spelling of Route 53; `None` means every one.
    pub name: Option<String>,
    /// How many queries it hits; `None` means until cleared.
    pub times: Option<u32>,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsFaultKind {
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
    /// NXDOMAIN, with nothing else.
    NxDomain,
    /// No answer at all.
    Drop,
    /// TC=1 and no records over UDP; TCP works.
    Truncated,
    /// TC=1 over UDP, no answer over TCP.
    TruncatedWithoutTcp,
    /// This address instead of the right data.
    Lie(IpAddr),
    /// This address instead of a denial, as providers do who sell mistyped names; what exists is
    /// answered right.
    RewriteDenials(IpAddr),
    /// The right answer under another message id.
    WrongId,
    /// An address record with three bytes of address.
    Malformed,
    /// A TXT record whose string claims more bytes than there are.
    LyingLength,
}

// === impl DnsFault ===

impl DnsFault {
    /// A fault of every query until cleared.
    #[must_use]
    pub const fn new(kind: DnsFaultKind) -> Self {
        Self { kind, server: None, name: None, times: None }
    }

    /// Limits it to one server.
    #[must_use]
    pub const fn at(mut self, server: SocketAddr) -> Self {
        self.server = Some(server);
        self
    }

    /// Limits it to one name.
    #[must_use]
    pub fn on(mut self, name: &str) -> Self {
        self.name = Some(canonical(name));
        self
    }

    /// Limits it to so many queries.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    pub(super) fn concerns(&self, server: SocketAddr, name: &str) -> bool {
        self.server.is_none_or(|own| own == server) && self.name.as_deref().is_none_or(|own| own == name)
    }
}
