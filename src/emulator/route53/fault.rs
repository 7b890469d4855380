//! What the emulated Route 53 can be told to do wrong.

use std::time::Duration;

/// A fault, for an operation, a zone, a number of requests, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct R53Fault {
    /// What goes wrong.
    pub kind: R53FaultKind,
    /// The API operation it concerns; `None` means every one.
    pub operation: Option<String>,
    /// The zone id it concerns; `None` means every one.
    pub zone: Option<String>,
    /// How many requests it hits; `None` means until cleared.
    pub times: Option<u32>,
    /// True if only requests with a cursor are hit: a listing has begun then.
    pub later_pages: bool,
}

/// The kinds of faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum R53FaultKind {
    /// 400 `Throttling`.
    Throttle,
    /// 400 `PriorRequestNotComplete`.
    PriorRequestNotComplete,
    /// 403 `AccessDenied` with the service's text.
    AccessDenied,
    /// 403 `ExpiredToken`.
    ExpiredToken,
    /// 403 `SignatureDoesNotMatch`, as the service says it to a clock that is ten minutes behind.
    ClockSkew,
    /// 404 `NoSuchHostedZone`.
    NoSuchHostedZone,
    /// The first page works; every further page is 404 `NoSuchHostedZone`.
    ZoneVanishes,
    /// 500 with an XML error.
    ServerError,
    /// 503 with an HTML page, as a proxy would send.
    UnavailableHtml,
    /// 200 with an empty body.
    Empty,
    /// 200 with the first half of the XML and a `Content-Length` that agrees with it.
    HalfBody,
    /// The connection breaks in the middle of the body.
    Cut,
    /// The right answer after a while.
    Delay(Duration),
    /// A page of record sets whose next cursor is its own first row, for ever.
    RepeatCursor,
    /// A page that says it is truncated and names no next cursor.
    TruncatedWithoutCursor,
    /// Every row of a page twice.
    DuplicateRows,
    /// `ResourceRecordSetCount` off by so many.
    CountOff(i64),
}

// === impl R53Fault ===

impl R53Fault {
    /// A fault of every request until cleared.
    #[must_use]
    pub const fn new(kind: R53FaultKind) -> Self {
        Self { kind, operation: None, zone: None, times: None, later_pages: false }
    }

    /// Limits it to one API operation.
    #[must_use]
    pub fn on(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Limits it to one zone.
    #[must_use]
    pub fn in_zone(mut self, zone_id: &str) -> Self {
        self.zone = Some(zone_id.to_owned());
        self
    }

    /// Limits it to so many requests.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Limits it to requests with a cursor.
    #[must_use]
    pub const fn later_pages(mut self) -> Self {
        self.later_pages = true;
        self
    }

    pub(super) fn concerns(&self, operation: &str, zone: Option<&str>) -> bool {
        self.operation.as_deref().is_none_or(|own| own == operation)
            && self.zone.as_deref().is_none_or(|own| Some(own) == zone)
    }
}
