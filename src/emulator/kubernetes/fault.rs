//! What the emulated API server can be told to do wrong.

use std::time::Duration;

/// A fault, for one plural or for all, for a number of requests or until cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeFault {
    /// What goes wrong.
    pub kind: KubeFaultKind,
    /// The resource it concerns (`ingresses`); `None` means every one.
    pub plural: Option<String>,
    /// How many requests it hits; `None` means until cleared.
    pub times: Option<u32>,
}

/// The kinds of faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeFaultKind {
    /// Lists are answered 403.
    ForbidList,
    /// Watches are answered 403; lists work.
    ForbidWatch,
    /// Log requests are answered 403.
    ForbidLogs,
    /// Every request is answered 401.
    Unauthorized,
    /// Lists, watches, gets and logs get this code, for instance 429, 500 or 503.
    Status {
        /// The HTTP status code.
        code: u16,
        /// Seconds of a `Retry-After` header; `None` leaves it out.
        retry_after: Option<u32>,
    },
    /// A list is never answered.
    HangList,
    /// Watches, open ones included, send neither events nor bookmarks nor an end.
    SilentWatch,
    /// All open watches lose their connection, once, now.
    CutWatches,
    /// A watch request is answered with HTTP 410.
    GoneAtWatchStart,
    /// A watch begins with an ERROR event 410 and ends.
    GoneInStream,
    /// The first object of a list cannot be decoded.
    UnparsableInList,
    /// The object of a watch event cannot be decoded.
    UnparsableInWatch,
    /// A continue token is answered with HTTP 410 `Expired`.
    ExpireContinue,
    /// Every answer waits first.
    Slow(Duration),
    /// Log streams, open ones included, send nothing and do not end.
    SilentLogs,
}

// === impl KubeFault ===

impl KubeFault {
    /// A fault of every resource until cleared.
    #[must_use]
    pub const fn new(kind: KubeFaultKind) -> Self {
        Self { kind, plural: None, times: None }
    }

    /// Limits it to one resource, named by its plural.
    #[must_use]
    pub fn on(mut self, plural: &str) -> Self {
        self.plural = Some(plural.to_owned());
        self
    }

    /// Limits it to so many requests.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    pub(super) fn concerns(&self, plural: &str) -> bool {
        self.plural.as_deref().is_none_or(|own| own == plural)
    }
}
