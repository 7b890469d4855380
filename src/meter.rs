//! How often something happens: the mean of the last minute or so, in constant space.

use tokio::time::Instant;

/// What is older counts for less than a third of what is new.
const MEMORY_SECONDS: f64 = 60.0;

/// A mean that forgets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    per_second: f64,
    started_at: Instant,
    counted_at: Instant,
}

// === impl Meter ===

impl Meter {
    /// Nothing has happened yet.
    #[must_use]
    pub(crate) fn new(now: Instant) -> Self {
        Self { per_second: 0.0, started_at: now, counted_at: now }
    }

    /// It happens.
    pub(crate) fn count(&mut self, now: Instant) {
        self.per_second = self.faded(now) + 1.0 / MEMORY_SECONDS;
        self.counted_at = now;
    }

    /// How often a second.
    #[must_use]
    pub(crate) fn per_second(&self, now: Instant) -> f64 {
        // What began a moment ago has not been counted for a minute.
        let age = now.saturating_duration_since(self.started_at).as_secs_f64();
        let filled = 1.0 - (-age.max(1.0) / MEMORY_SECONDS).exp();
        self.faded(now) / filled
    }

    fn faded(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.counted_at).as_secs_f64();
        self.per_second * (-passed / MEMORY_SECONDS).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_mean_follows_what_happens() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let at = |tenths: u32| start + Duration::from_millis(100) * tenths;
        assert!(meter.per_second(at(50)).abs() < 1e-9);
        for tenths in 0..100 {
            meter.count(at(tenths));
        }
        let young = meter.per_second(at(100));
        assert!((9.5..10.5).contains(&young), "ten a second from the start on: {young}");
        for tenths in 100..6_000 {
            meter.count(at(tenths));
        }
        let steady = meter.per_second(at(6_000));
        assert!((9.8..10.2).contains(&steady), "{steady}");
        let quiet = meter.per_second(at(6_000 + 1_200));
        assert!((1.2..1.5).contains(&quiet), "two minutes later: {quiet}");
    }
}
