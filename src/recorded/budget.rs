//! How fast we may ask Route 53: one token bucket for the whole account.
//!
//! The account's own bucket is shared with ExternalDNS, Terraform and people at the console, so
//! ours stays far below it and gives way as soon as anybody is throttled.
//! Source: Route 53 Developer Guide, "Throttling for Amazon Route 53 API requests".
//!
//! Written on tokio's clock and not with governor, whose clock a test cannot pause and whose rate
//! cannot change after construction.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::meter::Meter;

/// Requests per second unless configured otherwise.
pub const DEFAULT_RATE: f64 = 2.0;

/// Highest configurable rate: half of the account's documented refill of 10/s.
pub const MAX_RATE: f64 = 5.0;

/// Lowest rate that throttling leads to: one request in ten seconds still makes progress.
const FLOOR: f64 = 0.1;

/// How the budget behaves; only [`Budget::new`] decides it outside tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Configured requests per second.
    pub(crate) rate: f64,
    /// Requests that may follow each other without a pause.
    pub(crate) burst: f64,
    /// First pause after a throttled request; doubles with each further one.
    pub(crate) back_off: Duration,
    /// Longest pause.
    pub(crate) back_off_cap: Duration,
    /// How long without throttling until the rate grows by a tenth.
    pub(crate) recover_every: Duration,
    /// First pause before a failed request (server error, timeout) is tried again.
    pub(crate) retry_after: Duration,
}

/// The budget of one account. Shared by reference; all methods take `&self`.
#[derive(Debug)]
pub struct Budget {
    pace: Pace,
    state: Mutex<State>,
    /// Whoever waits for a token holds this: first come, first served.
    turn: tokio::sync::Mutex<()>,
}

/// A rate that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0} requests per second to Route 53: must be above 0 and at most {MAX_RATE}")]
pub struct BudgetError(pub f64);

#[derive(Debug)]
struct State {
    rate: f64,
    tokens: f64,
    counted_at: Instant,
    changed_at: Instant,
    quiet_until: Option<Instant>,
    throttles_in_a_row: u32,
    used: Meter,
}

/// How a budget stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Requests per second that are configured.
    pub configured: f64,
    /// Those that are allowed now: less after throttling.
    pub allowed: f64,
    /// Those that were sent, as a mean over the last minute or so.
    pub used: f64,
    /// How long nothing is sent, after throttling; zero when there is no pause.
    pub paused_for: Duration,
}

// === impl Budget ===

impl Budget {
    /// A budget of so many requests per second, with a burst of two.
    ///
    /// # Errors
    ///
    /// When the rate is not above 0 and at most [`MAX_RATE`].
    pub fn new(rate: f64) -> Result<Self, BudgetError> {
        if !(rate > 0.0 && rate <= MAX_RATE) {
            return Err(BudgetError(rate));
        }
        Ok(Self::with(Pace {
            rate,
            burst: 2.0,
            back_off: Duration::from_secs(5),
            back_off_cap: Duration::from_mins(1),
            recover_every: Duration::from_secs(10),
            retry_after: Duration::from_secs(1),
        }))
    }

    pub(crate) fn with(pace: Pace) -> Self {
        let now = Instant::now();
        let state = State {
            rate: pace.rate,
            tokens: pace.burst,
            counted_at: now,
            changed_at: now,
            quiet_until: None,
            throttles_in_a_row: 0,
            used: Meter::new(now),
        };
        Self { pace, state: Mutex::new(state), turn: tokio::sync::Mutex::new(()) }
    }

    /// Waits until one request may be sent. Cancel safe: a dropped wait takes no token.
    pub async fn take(&self) {
        let _turn = self.turn.lock().await;
        while let Some(pause) = self.try_take() {
            tokio::time::sleep(pause).await;
        }
    }

    /// A request was throttled: halves the rate and pauses everything, longer each time.
    pub fn throttled(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        state.rate = (state.rate / 2.0).max(FLOOR.min(self.pace.rate));
        state.tokens = state.tokens.min(1.0);
        let pause = self.pace.back_off.saturating_mul(1 << state.throttles_in_a_row.min(5));
        state.throttles_in_a_row = state.throttles_in_a_row.saturating_add(1);
        let until = now + jitter(pause.min(self.pace.back_off_cap));
        state.quiet_until = Some(until);
        // Silence proves nothing: recovery starts when requests do.
        state.changed_at = until;
    }

    /// A request was answered: the next throttling starts with the shortest pause again.
    pub fn answered(&self) {
        self.lock().throttles_in_a_row = 0;
    }

    /// The present rate in requests per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let mut state = self.lock();
        self.advance(&mut state);
        state.rate
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let mut state = self.lock();
        let now = self.advance(&mut state);
        Standing {
            configured: self.pace.rate,
            allowed: state.rate,
            used: state.used.per_second(now),
            paused_for: state
                .quiet_until
                .map_or(Duration::ZERO, |until| until.saturating_duration_since(now)),
        }
    }

    /// How long to wait before a failed request is tried again; grows with each try.
    pub(crate) fn retry_pause(&self, tried: u32) -> Duration {
        jitter(self.pace.retry_after.saturating_mul(1 << tried.min(4)))
    }

    /// Takes a token, or says how long to wait before asking again.
    fn try_take(&self) -> Option<Duration> {
        let mut state = self.lock();
        let now = self.advance(&mut state);
        if let Some(until) = state.quiet_until.filter(|until| now < *until) {
            return Some(until - now);
        }
        state.quiet_until = None;
        if state.tokens >= 1.0 {
            state.tokens -= 1.0;
            state.used.count(now);
            return None;
        }
        let seconds = (1.0 - state.tokens) / state.rate;
        // One millisecond more than computed, or rounding makes the last step spin.
        Some(
            Duration::try_from_secs_f64(seconds).unwrap_or(self.pace.back_off_cap) + Duration::from_millis(1),
        )
    }

    /// Adds the tokens and the recovery that the passed time is worth.
    fn advance(&self, state: &mut State) -> Instant {
        let now = Instant::now();
        let passed = now.saturating_duration_since(state.counted_at).as_secs_f64();
        state.tokens = passed.mul_add(state.rate, state.tokens).min(self.pace.burst);
        state.counted_at = now;
        while state.rate < self.pace.rate && state.changed_at + self.pace.recover_every <= now {
            state.rate = (state.rate * 1.1).min(self.pace.rate);
            state.changed_at += self.pace.recover_every;
        }
        now
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Up to a quarter longer, so that several readers do not come back together.
fn jitter(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + 0.25 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_rates_outside_the_bounds() {
        for rate in [0.0, -1.0, 5.1, f64::NAN, f64::INFINITY] {
            assert!(Budget::new(rate).is_err(), "{rate}");
        }
        assert!(Budget::new(MAX_RATE).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_the_rate_after_the_burst() {
        let budget = Budget::new(2.0).expect("legal");
        let start = Instant::now();
        for _ in 0..22 {
            budget.take().await;
        }
        let took = start.elapsed().as_secs_f64();
        assert!((9.9..10.5).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_pauses_and_recovers() {
        let budget = Budget::new(2.0).expect("legal");
        budget.take().await;
        for (pauses, floor) in
            [(5.0, 1.0), (10.0, 0.5), (20.0, 0.25), (40.0, 0.125), (60.0, 0.1), (60.0, 0.1)]
        {
            let before = Instant::now();
            budget.throttled();
            assert!((budget.rate() - floor).abs() < 1e-9, "{} {floor}", budget.rate());
            budget.take().await;
            let waited = before.elapsed().as_secs_f64();
            assert!(pauses <= waited && waited <= pauses * 1.25 + 0.1, "{waited} {pauses}");
        }
        budget.answered();
        let before = Instant::now();
        budget.throttled();
        budget.take().await;
        assert!(before.elapsed().as_secs_f64() <= 10.0, "an answer makes the pauses short again");
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(budget.rate() < 0.2, "slow recovery: {}", budget.rate());
        tokio::time::advance(Duration::from_secs(400)).await;
        assert!((budget.rate() - 2.0).abs() < 1e-9, "{}", budget.rate());
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_tells_how_it_stands() {
        let budget = Budget::new(2.0).expect("legal");
        let fresh = budget.standing();
        assert_eq!((fresh.configured, fresh.allowed, fresh.used), (2.0, 2.0, 0.0));
        assert_eq!(fresh.paused_for, Duration::ZERO);
        for _ in 0..600 {
            budget.take().await;
        }
        let busy = budget.standing();
        assert!((1.9..=2.1).contains(&busy.used), "{busy:?}");
        budget.throttled();
        let slowed = budget.standing();
        assert!((slowed.allowed - 1.0).abs() < 1e-9 && (slowed.configured - 2.0).abs() < 1e-9, "{slowed:?}");
        assert!(Duration::from_secs(5) <= slowed.paused_for, "{slowed:?}");
        tokio::time::advance(Duration::from_mins(10)).await;
        let rested = budget.standing();
        assert!(rested.used < 0.01 && rested.paused_for.is_zero() && 1.9 < rested.allowed, "{rested:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_wait_takes_nothing() {
        let budget = Budget::new(1.0).expect("legal");
        budget.take().await;
        budget.take().await;
        for _ in 0..5 {
            drop(tokio::time::timeout(Duration::from_millis(10), budget.take()).await);
        }
        let before = Instant::now();
        budget.take().await;
        assert!(before.elapsed() < Duration::from_secs(1));
    }
}
