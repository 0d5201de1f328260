//! Moments: on the wall clock, which may be set, and on one that only goes forward.
//!
//! In texts, moments lie from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59Z, in UTC and without leap seconds.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use jiff::{ToSpan as _, civil};

use crate::date::Date;
use crate::shown::Shown;

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
#[error("`{}` is not a time of the form 2026-11-23T08:00:00Z", Shown::within(.0, SHOWN_CHARS_MAX))]
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

    /// Its day in UTC; `None` after the year 9999.
    pub fn date(self) -> Option<Date> {
        let days = i32::try_from(self.seconds() / DAY_SECONDS).ok()?;
        EPOCH.checked_add(days.days()).ok().map(Date::from_civil)
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
        let Some(date) = self.date() else { return f.write_str("after the year 9999") };
        let seconds = self.seconds() % DAY_SECONDS;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || TimestampError(text.to_string());
        let bytes: &[u8; TEXT_BYTES] = text.as_bytes().try_into().map_err(|_| error())?;
        let (date, time) = bytes.split_at(DATE_BYTES);
        let [b'T', h0, h1, b':', m0, m1, b':', s0, s1, b'Z'] = time else { return Err(error()) };
        let below = |bound: u64, tens: &u8, ones: &u8| {
            decimal(&[*tens, *ones]).and_then(|two| u64::try_from(two).ok()).filter(|n| *n < bound)
        };
        let read = || {
            let days = EPOCH.until(civil_date(date)?).ok()?.get_days();
            let days = u64::try_from(days).ok()?;
            // There is no second 60: UTC's leap seconds have no number of their own.
            let (hours, minutes) = (below(24, h0, h1)?, below(60, m0, m1)?);
            Some(days * DAY_SECONDS + hours * 3_600 + minutes * 60 + below(60, s0, s1)?)
        };
        read().map(Self::from_seconds).ok_or_else(error)
    }
}

/// Length of `2026-11-23`.
const DATE_BYTES: usize = 10;

/// The day on which moments begin.
const EPOCH: civil::Date = civil::date(1970, 1, 1);

/// Seconds of a day: a leap second has no place of its own.
const DAY_SECONDS: u64 = 86_400;

/// Characters of a wrong text that the error shows.
const SHOWN_CHARS_MAX: usize = 48;

/// A day of the form `2026-11-23`, from `0001-01-01` on: before the year 1, calendars and programs differ.
pub(crate) fn civil_date(text: &[u8]) -> Option<civil::Date> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text else { return None };
    let two = |tens, ones| i8::try_from(decimal(&[tens, ones])?).ok();
    let year = decimal(&[*y0, *y1, *y2, *y3])?;
    let date = civil::Date::new(year, two(*m0, *m1)?, two(*d0, *d1)?).ok()?;
    (year >= 1).then_some(date)
}

/// The number of at most four decimal digits.
fn decimal(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0, |number: i16, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0'))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_moment_round_trips() {
        let time: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        assert_eq!(time.seconds(), 1_795_420_800);
        assert_eq!(time.to_string(), "2026-11-23T08:00:00Z");
        assert_eq!(Timestamp::from_millis(1_999).to_string(), "1970-01-01T00:00:01Z");
    }

    proptest! {
        #[test]
        fn a_moment_is_read_where_it_is_written_so(
            text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z",
        ) {
            // As the library reads it, which takes other forms too.
            let time: Option<jiff::Timestamp> = text.parse().ok();
            let time = time.filter(|time| time.to_string() == text && time.as_second() >= 0);
            let read: Option<Timestamp> = text.parse().ok();
            prop_assert_eq!(
                read.map(|time| i64::try_from(time.seconds()).unwrap()),
                time.map(jiff::Timestamp::as_second)
            );
        }
    }

    #[test]
    fn moments_reach_from_1970_to_the_end_of_9999() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2016-12-31T23:59:59Z", 1_483_228_799),
            ("2017-01-01T00:00:00Z", 1_483_228_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!((time.seconds(), time.to_string()), (seconds, text.to_string()));
        }
        for seconds in [253_402_300_800, u64::MAX / 1_000] {
            assert_eq!(Timestamp::from_seconds(seconds).to_string(), "after the year 9999");
        }
    }

    #[test]
    fn other_forms_of_a_moment_are_refused() {
        for text in [
            "2026-11-23T08:00:00+00:00",
            "2026-11-23t08:00:00z",
            "2026-11-23 08:00:00Z",
            "2026-11-23T08:00:00.5Z",
            "2026-11-23T08:00:60Z",
            "2016-12-31T23:59:60Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T08:60:00Z",
            "2026-02-30T08:00:00Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "+999-12-31T23:59:59Z",
            "２０２６-11-23T08:00:00Z",
            "2026-11-23",
            "",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
