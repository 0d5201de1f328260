//! The clock of one node: it is set wrong, runs fast or slow, and is set anew.

/// The beginning of virtual time, in milliseconds since the Unix epoch.
pub const EPOCH_MS: u64 = 1_800_000_000_000;

/// What a node's clock makes of true time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    /// How far ahead it was at the start, in milliseconds.
    pub offset_ms: i64,
    /// How much faster it runs, in millionths.
    pub drift_ppm: i64,
}

impl Clock {
    /// What it shows when `now` milliseconds of virtual time have passed.
    pub fn shows(&self, now: u64) -> u64 {
        (EPOCH_MS + self.counts(now)).saturating_add_signed(self.offset_ms)
    }

    /// The milliseconds that it has counted by then, whatever it was set to.
    pub fn counts(&self, now: u64) -> u64 {
        let drift =
            i64::try_from(now).unwrap_or(i64::MAX).saturating_mul(self.drift_ppm) / 1_000_000;
        now.saturating_add_signed(drift)
    }

    /// The first moment of virtual time, not before `now`, by which it has counted `time` or more.
    pub fn reaches(&self, time: u64, now: u64) -> u64 {
        let shown = self.counts(now);
        if shown >= time {
            return now;
        }
        // Drift is at most a few thousandths, so that one step more or less corrects the estimate.
        let rate = 1_000_000_u64.saturating_add_signed(self.drift_ppm).max(1);
        let mut at = now + (time - shown).saturating_mul(1_000_000) / rate;
        while self.counts(at) < time {
            at += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_reaches_what_it_counts_whatever_it_is_set_to() {
        for (offset_ms, drift_ppm) in [(0, 0), (5_000, 200), (-90_000, -5_000), (3, 5_000)] {
            let clock = Clock { offset_ms, drift_ppm };
            for now in [0, 1, 999, 50_000] {
                let wanted = clock.counts(now) + 777;
                let at = clock.reaches(wanted, now);
                assert!(clock.counts(at) >= wanted && clock.counts(at - 1) < wanted);
                assert_eq!(clock.reaches(wanted.saturating_sub(800), now), now);
            }
        }
    }
}
