//! Moments: on the wall clock, which may be set, and on one that only goes forward.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z without leap seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

/// A moment on a clock that nobody sets, in milliseconds from some beginning that stays the same while
/// a node runs. Timers go by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

/// What a node's two clocks show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// For timers.
    pub instant: Instant,
    /// For what is signed. It may have been set back since it was last asked.
    pub wall: Timestamp,
}

/// A text is not a moment of the form `2026-11-23T08:00:00Z`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of the form 2026-11-23T08:00:00Z")]
pub struct TimestampError(String);

/// Length of `2026-11-23T08:00:00Z`.
const TEXT_BYTES: usize = 20;

impl Timestamp {
    /// The moment so many milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment so many seconds after the epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000
    }
}

impl Instant {
    /// The moment so many milliseconds after the beginning.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the beginning.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The moment so many milliseconds later.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with whole seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.seconds()).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_second(seconds) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => f.write_str("after the year 9999"),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || TimestampError(text.to_string());
        if text.len() != TEXT_BYTES || !text.ends_with('Z') {
            return Err(error());
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| error())?;
        let parsed =
            u64::try_from(time.as_second()).map(Self::from_seconds).map_err(|_| error())?;
        // One moment has one text: this refuses lower-case letters and second 60.
        if parsed.to_string() == text { Ok(parsed) } else { Err(error()) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn a_moment_round_trips() {
        let time: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        assert_eq!(time.seconds(), 1_795_420_800);
        assert_eq!(time.to_string(), "2026-11-23T08:00:00Z");
        assert_eq!(Timestamp::from_millis(1_999).to_string(), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn other_forms_of_a_moment_are_refused() {
        for text in [
            "2026-11-23T08:00:00+00:00",
            "2026-11-23t08:00:00z",
            "2026-11-23 08:00:00Z",
            "2026-11-23T08:00:00.5Z",
            "2026-11-23T08:00:60Z",
            "2026-02-30T08:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-23",
            "",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
