//! Patent numbers. Chinese application numbers carry a check digit, which is verified; numbers of
//! other offices are kept as they are.
//!
//! Source: ZC 0006-2003 (CNIPA, numbering of patent applications).

use alloc::string::{String, ToString as _};
use core::{fmt, str::FromStr};

/// A patent or patent application number, as its office writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatentNumber {
    text: String,
    kind: Option<PatentKind>,
}

/// What a Chinese application is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatentKind {
    /// An invention (digit 1, or 8 by way of the PCT).
    Invention,
    /// A utility model (digit 2, or 9 by way of the PCT).
    UtilityModel,
    /// A design (digit 3).
    Design,
}

/// Why a text is not a patent number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatentError {
    /// Empty, longer than 40 bytes, with characters that no office uses, or with spaces that are not seen.
    #[error(
        "expected 4 to 40 letters, digits, single spaces inside and `./-,`, at least one a digit"
    )]
    Form,
    /// It looks Chinese, but does not have the digits of an application number.
    #[error(
        "a Chinese number is year, kind (1, 2, 3, 8, 9), serial and check digit, such as \
         `ZL200710308494.X`"
    )]
    Chinese,
    /// The check digit does not fit the others: most likely one was mistyped.
    #[error("the check digit should be `{expected}`, met `{met}`: compare with the certificate")]
    Check {
        /// What the other digits give.
        expected: char,
        /// What the number ends with.
        met: char,
    },
}

/// The longest number seen is a PCT one with its office and dates, below 30 bytes.
const NUMBER_BYTES_MAX: usize = 40;

impl PatentNumber {
    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a Chinese number is for; `None` for those of other offices.
    pub fn kind(&self) -> Option<PatentKind> {
        self.kind
    }
}

impl fmt::Display for PatentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PatentNumber {
    type Err = PatentError;

    /// A number is Chinese if it begins with `ZL`, if it begins with `CN` and its digits end with a
    /// check digit set off by a point, or if it consists of digits as an application number does.
    /// Publication numbers such as `CN107123456A` are kept as they are.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b" ./-,".contains(&byte);
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        // One space between parts is kept as it is written; at an end or doubled it is a slip.
        let spaced = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ");
        let sized = (4..=NUMBER_BYTES_MAX).contains(&text.len());
        if !sized || !text.bytes().all(usual) || digits == 0 || spaced {
            return Err(PatentError::Form);
        }
        let kind = match chinese(text) {
            Some(number) => Some(check_chinese(number)?),
            None => None,
        };
        Ok(Self { text: text.to_string(), kind })
    }
}

/// The part of a Chinese application number that is checked, if `text` is one.
fn chinese(text: &str) -> Option<&str> {
    let rest = |number: &'static str| text.strip_prefix(number).map(without_space);
    if let Some(number) = rest("ZL") {
        return Some(number);
    }
    let number = rest("CN").unwrap_or(text);
    let (serial, check) = number.split_once('.').unwrap_or(number.split_at(number.len() - 1));
    let digits = serial.bytes().all(|byte| byte.is_ascii_digit());
    let check = matches!(check.as_bytes(), [b'0'..=b'9' | b'X']);
    let bare = number.len() == text.len() || number.contains('.');
    (digits && check && bare && matches!(serial.len(), 8 | 12)).then_some(number)
}

/// `text` without the space before it.
fn without_space(text: &str) -> &str {
    text.strip_prefix(' ').unwrap_or(text)
}

/// `YYYY` kind serial(7) `.` check since October 2003, `YY` kind serial(5) `.` check before.
fn check_chinese(number: &str) -> Result<PatentKind, PatentError> {
    let bytes = number.as_bytes();
    let (serial, met) = match bytes {
        [serial @ .., b'.', check] | [serial @ .., check] => (serial, *check),
        [] => return Err(PatentError::Chinese),
    };
    let in_form = serial.iter().all(u8::is_ascii_digit) && matches!(met, b'0'..=b'9' | b'X');
    let kind = match (serial.len(), in_form) {
        (12, true) => serial[4],
        (8, true) => serial[2],
        _ => return Err(PatentError::Chinese),
    };
    let kind = match (kind, serial.len()) {
        (b'1', _) | (b'8', 12) => PatentKind::Invention,
        (b'2', _) | (b'9', 12) => PatentKind::UtilityModel,
        (b'3', _) => PatentKind::Design,
        _ => return Err(PatentError::Chinese),
    };
    // Weights 2 to 9, then from 2 again.
    let weights = (2..=9_u32).cycle();
    let sum: u32 = serial.iter().zip(weights).map(|(b, weight)| u32::from(b - b'0') * weight).sum();
    let expected = b"0123456789X"[(sum % 11) as usize];
    if met == expected {
        Ok(kind)
    } else {
        Err(PatentError::Check { expected: char::from(expected), met: char::from(met) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<PatentKind> {
        text.parse::<PatentNumber>().unwrap_or_else(|error| unreachable!("{text}: {error}")).kind()
    }

    #[test]
    fn chinese_numbers_are_read_with_their_kind() {
        assert_eq!(kind("201710601862.3"), Some(PatentKind::Invention));
        assert_eq!(kind("200710308494.X"), Some(PatentKind::Invention));
        assert_eq!(kind("95115608.X"), Some(PatentKind::Invention));
        assert_eq!(kind("97101765.4"), Some(PatentKind::Invention));
        assert_eq!(kind("200710077832.3"), Some(PatentKind::Invention));
        assert_eq!(kind("200930143483.0"), Some(PatentKind::Design));
        assert_eq!(kind("200480002090.2"), Some(PatentKind::Invention));
        assert_eq!(kind("ZL200710308494.X"), Some(PatentKind::Invention));
        assert_eq!(kind("ZL 200710308494.X"), Some(PatentKind::Invention));
        assert_eq!(kind("CN200710308494.X"), Some(PatentKind::Invention));
        assert_eq!(kind("200710308494X"), Some(PatentKind::Invention));
    }

    #[test]
    fn a_wrong_check_digit_is_refused() {
        let check = |text: &str, expected, met| {
            let error = PatentError::Check { expected, met };
            assert_eq!(text.parse::<PatentNumber>(), Err(error), "{text}");
        };
        check("201710601862.4", '3', '4');
        check("200710308494.0", 'X', '0');
        check("95115608.1", 'X', '1');
        check("ZL201710601862.4", '3', '4');
        check("CN201710601862.4", '3', '4');
        check("2017106018624", '3', '4');
    }

    #[test]
    fn what_looks_chinese_must_have_the_digits() {
        for text in ["ZL2017106018", "ZL", "ZL201740601862.3", "ZL95815608.1", "ZL20171060186a.3"] {
            assert!(text.parse::<PatentNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_offices_are_kept_as_they_write() {
        for text in
            ["PCT/CN2020/123456", "WO2020/123456", "US 9,123,456 B2", "EP1234567", "CN107123456A"]
        {
            let number: PatentNumber = text.parse().unwrap();
            assert_eq!((number.as_str(), number.kind()), (text, None));
        }
        for text in ["", "abc", "abcd", "12", "US;9123456", "专利 201710601862.3", &"1".repeat(41)]
        {
            assert_eq!(text.parse::<PatentNumber>(), Err(PatentError::Form), "{text}");
        }
    }

    #[test]
    fn single_spaces_inside_are_kept_and_no_others() {
        for text in ["ZL 200710308494.X", "CN 200710308494.X", "US 9,123,456 B2"] {
            assert_eq!(text.parse::<PatentNumber>().unwrap().as_str(), text);
        }
        for text in [
            " ZL200710308494.X",
            "ZL200710308494.X ",
            "ZL  200710308494.X",
            "US  9123456",
            "ZL\u{3000}200710308494.X",
            "ZL\t200710308494.X",
            "ZL２００710308494.X",
        ] {
            assert_eq!(text.parse::<PatentNumber>(), Err(PatentError::Form), "{text:?}");
        }
    }
}
