//! A token bucket in front of each server.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// A bucket may save up this part of a second, so that a burst never fills a receive buffer.
const BURST_PARTS_OF_A_SECOND: u32 = 20;

/// Lets packets through at a steady rate, in the order in which they came.
pub(crate) struct Pacer {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
    // Whoever waits for a token holds this; the others queue behind, first come first served,
    // so that a thousand waiters cost one timer.
    head: Mutex<()>,
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
        Self { limiter: RateLimiter::direct_with_clock(quota, clock), clock, head: Mutex::new(()) }
    }

    /// Waits for a token and takes it. Dropping the future gives the place in the queue up.
    pub(crate) async fn ready(&self) {
        let _head = self.head.lock().await;
        while let Err(not_yet) = self.limiter.check() {
            let now = Instant::now();
            sleep_until(now + not_yet.wait_time_from(self.clock.now())).await;
        }
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
