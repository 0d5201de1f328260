//! Days, as contracts and listings write them.

use alloc::format;
use alloc::string::String;
use core::{fmt, str::FromStr};

use jiff::civil;

use crate::shown::Shown;
use crate::time::{Timestamp, civil_date};

/// A day of the Gregorian calendar, from 0001-01-01 to 9999-12-31. Text form: `2026-11-23`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

/// A text is no day of the form `2026-11-23`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a date of the form 2026-11-23", Shown::new(.0))]
pub struct DateError(String);

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Date {
    /// The day on which the moment lies, in UTC.
    pub fn of(time: Timestamp) -> Self {
        let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
        // The last day that the calendar has, for moments behind it.
        let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        Self(jiff::tz::Offset::UTC.to_datetime(time).date())
    }

    /// The day so many days later; the last day of the calendar where it ends before.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(jiff::Span::new().days(days)))
    }

    /// The day so many days before; the first day of the calendar where it begins after.
    #[must_use]
    pub fn minus_days(self, days: u32) -> Self {
        Self(self.0.saturating_sub(jiff::Span::new().days(days)))
    }

    pub(crate) const fn from_civil(date: civil::Date) -> Self {
        Self(date)
    }

    /// For people, in Chinese: `2026年11月23日`.
    pub fn words_zh(self) -> String {
        let (year, month, day) = self.parts();
        format!("{year}年{month}月{day}日")
    }

    /// For people, in English: `23 November 2026`.
    pub fn words_en(self) -> String {
        let (year, month, day) = self.parts();
        let month = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month));
        format!("{day} {} {year}", month.unwrap_or(&""))
    }

    /// Year, month from 1, day from 1.
    pub fn parts(self) -> (i16, i8, i8) {
        (self.0.year(), self.0.month(), self.0.day())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let date = civil_date(text.as_bytes());
        date.map(Self).ok_or_else(|| DateError(text.chars().take(16).collect()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::string::ToString as _;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_date_is_read_where_it_is_written_so(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]") {
            // As the library reads it, which takes other forms too.
            let date: Option<civil::Date> = text.parse().ok();
            let date = date.filter(|date| date.to_string() == text && date.year() >= 1).map(Date);
            prop_assert_eq!(text.parse().ok(), date);
        }
    }

    #[test]
    fn a_date_is_said_in_words() {
        for (text, zh, en) in [
            ("2026-11-30", "2026年11月30日", "30 November 2026"),
            ("2026-01-01", "2026年1月1日", "1 January 2026"),
            ("2026-12-31", "2026年12月31日", "31 December 2026"),
        ] {
            let date: Date = text.parse().unwrap();
            assert_eq!((date.words_zh(), date.words_en()), (zh.into(), en.into()));
        }
    }

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        assert_eq!("2024-02-29".parse::<Date>().unwrap().parts(), (2024, 2, 29));
        assert!("2026-09-30".parse::<Date>().unwrap() < "2026-10-01".parse().unwrap());
        for text in ["0001-01-01", "1969-12-31", "2000-02-29", "9999-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "0000-12-31",
            "10000-01-01",
            "1900-02-29",
            "２０２６-11-23",
            "2025-02-29",
            "2026-13-01",
            "2026-1-01",
            "20260101",
            "2026-01-01T00:00:00",
            "+002026-01-01",
            "2026-W01-1",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }
}
