//! The only place that reads the wall clock.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Knows what time it is. Whatever needs the time takes a `&dyn Clock` or, better, a
/// [`Timestamp`] that its caller read once.
pub trait Clock: Send + Sync {
    /// The current wall-clock time, UTC.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that moves only when told. Clones share the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one permitted reader")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl ManualClock {
    /// Starts at the given time.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves time forward; saturates at the end of time.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
