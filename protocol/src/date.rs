//! Days, as contracts and listings write them.

use alloc::string::String;
use core::{fmt, str::FromStr};

use jiff::civil;

use crate::time::civil_date;

/// A day of the Gregorian calendar. Text form: `2026-11-23`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

/// A text is no day of the form `2026-11-23`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date of the form 2026-11-23")]
pub struct DateError(String);

impl Date {
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
            let date = date.filter(|date| date.to_string() == text).map(Date);
            prop_assert_eq!(text.parse().ok(), date);
        }
    }

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        assert_eq!("2024-02-29".parse::<Date>().unwrap().parts(), (2024, 2, 29));
        assert!("2026-09-30".parse::<Date>().unwrap() < "2026-10-01".parse().unwrap());
        for text in [
            "",
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
