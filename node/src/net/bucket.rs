//! Token buckets: how much a peer may ask of this node.

use std::time::{Duration, Instant};

/// Refills at a steady rate up to a burst.
#[derive(Debug, Clone)]
pub(super) struct TokenBucket {
    tokens: f64,
    burst: f64,
    per_second: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket of `per_second × burst_seconds` tokens.
    pub(super) fn new(per_second: u32, burst_seconds: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        let burst = per_second * f64::from(burst_seconds);
        Self { tokens: burst, burst, per_second, filled: now }
    }

    /// Takes `amount` tokens if there are so many.
    pub(super) fn take(&mut self, amount: u32, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled);
        self.filled = now;
        self.tokens = (self.tokens + self.gain(passed)).min(self.burst);
        let amount = f64::from(amount);
        let enough = self.tokens >= amount;
        if enough {
            self.tokens -= amount;
        }
        enough
    }

    fn gain(&self, passed: Duration) -> f64 {
        passed.as_secs_f64() * self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_next_is_refused_until_time_passes() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(10, 2, start);
        for _ in 0..20 {
            assert!(bucket.take(1, start));
        }
        assert!(!bucket.take(1, start));
        let later = start + Duration::from_millis(150);
        assert!(bucket.take(1, later));
        assert!(!bucket.take(1, later));
    }
}
