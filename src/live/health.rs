//! Whether a server is worth a packet. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Timeouts in a row after which a server counts as unreachable.
pub(crate) const TIMEOUTS_TO_OPEN: u32 = 20;

/// How often an unreachable server gets one packet to show that it lives.
pub(crate) const TRIAL_EVERY: Duration = Duration::from_secs(5);

/// A circuit breaker.
#[derive(Debug, Default)]
pub(crate) struct Health {
    timeouts_in_a_row: u32,
    last_trial: Option<Instant>,
}

/// What may be done with a server now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Ask, with all tries.
    Ask,
    /// Unreachable so far: ask once, to see whether it is back.
    Trial,
    /// Unreachable: do not ask.
    Refuse,
}

// === impl Health ===

impl Health {
    /// True while the server counts as unreachable.
    pub(crate) fn is_open(&self) -> bool {
        TIMEOUTS_TO_OPEN <= self.timeouts_in_a_row
    }

    /// Asks for permission; a trial that is granted is taken.
    pub(crate) fn admit(&mut self, now: Instant) -> Admission {
        if !self.is_open() {
            return Admission::Ask;
        }
        if self.last_trial.is_some_and(|last| now < last + TRIAL_EVERY) {
            return Admission::Refuse;
        }
        self.last_trial = Some(now);
        Admission::Trial
    }

    /// Something came back, whatever it was.
    pub(crate) fn alive(&mut self) {
        *self = Self::default();
    }

    /// A question ran out of tries. True if the server became unreachable by it.
    pub(crate) fn timed_out(&mut self, now: Instant) -> bool {
        let was_open = self.is_open();
        self.timeouts_in_a_row = self.timeouts_in_a_row.saturating_add(1);
        let opened = !was_open && self.is_open();
        if opened {
            self.last_trial = Some(now);
        }
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn opens_tries_and_closes() {
        let mut health = Health::default();
        let start = Instant::now();
        for _ in 1..TIMEOUTS_TO_OPEN {
            assert!(!health.timed_out(start));
        }
        assert_eq!(health.admit(start), Admission::Ask);
        assert!(health.timed_out(start));
        assert_eq!(health.admit(start), Admission::Refuse);
        let later = start + TRIAL_EVERY;
        assert_eq!(health.admit(later), Admission::Trial);
        assert_eq!(health.admit(later), Admission::Refuse, "one at a time");
        assert!(!health.timed_out(later), "it was unreachable before");
        assert_eq!(health.admit(later + TRIAL_EVERY), Admission::Trial);
        health.alive();
        assert_eq!(health.admit(later), Admission::Ask);
    }
}
