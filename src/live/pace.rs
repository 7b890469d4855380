//! A token bucket in front of each server.

use std::num::NonZeroU32;
use std::sync::PoisonError;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::meter::Meter;

/// A bucket may save up this part of a second, so that a burst never fills a receive buffer.
const BURST_PARTS_OF_A_SECOND: u32 = 20;

/// Whoever has to wait lets the tokens of so much time pile up, and those behind pass without a timer:
/// one for each packet costs more than the packet. Less than what a bucket saves up.
const LEAST_WAIT: Duration = Duration::from_millis(10);

/// The rate goes down to this part of itself, and no further.
const SLOWEST: u32 = 16;

/// Answers in a row after which the rate doubles again.
const ANSWERS_TO_TRUST: u32 = 20;

/// The rate is halved once for all that was lost together.
const SLOW_DOWN_EVERY: Duration = Duration::from_secs(1);

/// Lets packets through at a steady rate, in the order in which they came.
///
/// The rate is halved when the server does not keep up, and doubles again while it answers.
pub(crate) struct Pacer {
    per_second: NonZeroU32,
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
    // Whoever waits for a token holds this; the others queue behind, first come first served,
    // so that a thousand waiters cost one timer.
    head: Mutex<()>,
    slowness: std::sync::Mutex<Slowness>,
}

struct Slowness {
    /// What one packet costs.
    tokens: u32,
    answers: u32,
    slowed_at: Option<Instant>,
    used: Meter,
}

/// How fast a server is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Packets per second that are configured.
    pub configured: f64,
    /// Those that are allowed now: less when the server does not keep up.
    pub allowed: f64,
    /// Those that were sent, as a mean over the last minute or so.
    pub used: f64,
}

/// Time since the bucket was made; tests can pause it.
#[derive(Clone, Copy, Debug)]
struct TokioClock(Instant);

// === impl Pacer ===

impl Pacer {
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        let burst = NonZeroU32::new(per_second.get() / BURST_PARTS_OF_A_SECOND).unwrap_or(NonZeroU32::MIN);
        let clock = TokioClock(Instant::now());
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let slowness = std::sync::Mutex::new(Slowness {
            tokens: 1,
            answers: 0,
            slowed_at: None,
            used: Meter::new(clock.0),
        });
        let limiter = RateLimiter::direct_with_clock(quota, clock);
        Self { per_second, limiter, clock, head: Mutex::new(()), slowness }
    }

    /// The server lost a question, or says that it is asked too much.
    pub(crate) fn slow_down(&self) {
        let now = Instant::now();
        let mut slowness = self.slowness();
        slowness.answers = 0;
        if slowness.slowed_at.is_none_or(|at| at + SLOW_DOWN_EVERY <= now) {
            slowness.slowed_at = Some(now);
            slowness.tokens = slowness.tokens.saturating_mul(2).min(SLOWEST);
        }
    }

    /// The server answered.
    pub(crate) fn answered(&self) {
        let mut slowness = self.slowness();
        slowness.answers = slowness.answers.saturating_add(1);
        if ANSWERS_TO_TRUST <= slowness.answers && 1 < slowness.tokens {
            slowness.answers = 0;
            slowness.tokens /= 2;
        }
    }

    /// How fast packets may go, and go.
    pub(crate) fn speed(&self) -> Speed {
        let slowness = self.slowness();
        let configured = f64::from(self.per_second.get());
        Speed {
            configured,
            allowed: configured / f64::from(slowness.tokens),
            used: slowness.used.per_second(Instant::now()),
        }
    }

    fn slowness(&self) -> std::sync::MutexGuard<'_, Slowness> {
        self.slowness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a token and takes it. Dropping the future gives the place in the queue up.
    pub(crate) async fn ready(&self) {
        let _head = self.head.lock().await;
        let tokens = self.slowness().tokens;
        for _ in 0..tokens {
            while let Err(not_yet) = self.limiter.check() {
                let wait = not_yet.wait_time_from(self.clock.now()).max(LEAST_WAIT);
                sleep_until(Instant::now() + wait).await;
            }
        }
        self.slowness().used.count(Instant::now());
    }
}

// === impl TokioClock ===

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_rate() {
        let pacer = Pacer::new(NonZeroU32::new(100).unwrap());
        let start = Instant::now();
        for _ in 0..301 {
            pacer.ready().await;
        }
        let took = start.elapsed();
        // 300 tokens at 100 a second, five of them saved up at the start.
        assert!(Duration::from_millis(2_900) < took && took < Duration::from_millis(3_400), "{took:?}");
        let speed = pacer.speed();
        assert!((95.0..=105.0).contains(&speed.used), "{speed:?}");
        assert_eq!((speed.configured, speed.allowed), (100.0, 100.0));
    }

    #[tokio::test(start_paused = true)]
    async fn slows_down_with_losses_and_recovers_with_answers() {
        let pacer = Pacer::new(NonZeroU32::new(100).unwrap());
        let took = async |packets: u32| {
            let start = Instant::now();
            for _ in 0..packets {
                pacer.ready().await;
            }
            start.elapsed().as_millis()
        };
        took(100).await;
        pacer.slow_down();
        pacer.slow_down();
        let slow = took(100).await;
        assert!((1_900..2_100).contains(&slow), "losses of one moment halve once: {slow} ms");
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(1)).await;
            pacer.slow_down();
        }
        assert!((pacer.speed().allowed - 6.25).abs() < 1e-9);
        took(1).await;
        let slowest = took(10).await;
        assert!((1_500..1_700).contains(&slowest), "a sixteenth at most: {slowest} ms");
        for _ in 0..4 * ANSWERS_TO_TRUST {
            pacer.answered();
        }
        let fast = took(100).await;
        assert!((900..1_100).contains(&fast), "{fast} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn first_come_first_served() {
        let pacer = std::sync::Arc::new(Pacer::new(NonZeroU32::new(10).unwrap()));
        let (done, mut order) = tokio::sync::mpsc::channel(64);
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..50 {
            let (pacer, done) = (pacer.clone(), done.clone());
            tasks.spawn(async move {
                pacer.ready().await;
                done.send(index).await.unwrap();
            });
            tokio::task::yield_now().await;
        }
        for expected in 0..50 {
            assert_eq!(order.recv().await, Some(expected));
        }
    }
}
