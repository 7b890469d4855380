//! The account's request bucket, which all of its clients share.
//!
//! Source: Route 53 Developer Guide, "Throttling for Amazon Route 53 API requests".

use tokio::time::Instant;

/// A token bucket on tokio's clock.
#[derive(Debug)]
pub(super) struct Bucket {
    capacity: f64,
    refill: f64,
    tokens: f64,
    counted_at: Instant,
}

// === impl Bucket ===

impl Bucket {
    /// A full bucket.
    pub(super) fn new(capacity: f64, refill: f64) -> Self {
        Self { capacity, refill, tokens: capacity, counted_at: Instant::now() }
    }

    /// Takes a token; false when there is none, and the request is to be refused.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.counted_at).as_secs_f64();
        self.tokens = passed.mul_add(self.refill, self.tokens).min(self.capacity);
        self.counted_at = now;
        let granted = 1.0 <= self.tokens;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_the_refill() {
        let mut bucket = Bucket::new(5.0, 2.0);
        let granted = |bucket: &mut Bucket| (0..20).filter(|_| bucket.take()).count();
        assert_eq!(granted(&mut bucket), 5);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(granted(&mut bucket), 2);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(granted(&mut bucket), 5, "never more than it holds");
    }
}
