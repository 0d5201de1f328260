//! Unified social credit codes: 18 characters that identify a Chinese organisation.
//!
//! Checked here: the form, the registration authority and category, and the check character. Not
//! checked: whether the code was ever issued.
//!
//! Source: GB 32100-2015.

use alloc::string::{String, ToString as _};
use core::{fmt, str::FromStr};

/// A unified social credit code (统一社会信用代码) whose check character is right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uscc(String);

/// Why a text is not a unified social credit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsccError {
    /// Not 18 characters.
    #[error("expected 18 characters, met {0}")]
    Length(usize),
    /// A character that the code does not use: `I`, `O`, `S`, `V`, `Z`, lower case and others.
    #[error("character {at} is not a digit or one of ABCDEFGHJKLMNPQRTUWXY")]
    Character {
        /// Which, from 1.
        at: usize,
    },
    /// Characters 1 and 2 name no registration authority and category.
    #[error("the first two characters name no registration authority and category")]
    Category,
    /// Characters 3 to 8 are not the digits of an administrative division.
    #[error("characters 3 to 8 are not the six digits of an administrative division")]
    Division,
    /// The last character does not fit the others: most likely one was mistyped.
    #[error(
        "the check character should be `{expected}`, met `{met}`: compare with the certificate"
    )]
    Check {
        /// What the other 17 give.
        expected: char,
        /// What the code ends with.
        met: char,
    },
}

/// Values 0 to 30, in order.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// `3^(i-1) mod 31` for characters 1 to 17.
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// Registration authorities (character 1) and the categories of each (character 2).
const CATEGORIES: [(u8, &[u8]); 12] = [
    (b'1', b"1239"),
    (b'2', b"19"),
    (b'3', b"123459"),
    (b'4', b"19"),
    (b'5', b"1239"),
    (b'6', b"129"),
    (b'7', b"129"),
    (b'8', b"19"),
    (b'9', b"123"),
    (b'A', b"19"),
    (b'N', b"1239"),
    (b'Y', b"1"),
];

impl Uscc {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The six digits of the division of the office that first registered the organisation;
    /// `100000` is the national level. Kept when boundaries change.
    pub fn division(&self) -> &str {
        &self.0[2..8]
    }

    /// Whether the organisation code inside (characters 9 to 17) has its own check character right.
    /// Some issued codes do not.
    ///
    /// Source: GB 11714-1997.
    pub fn has_sound_organisation_code(&self) -> bool {
        const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
        let code = &self.0.as_bytes()[8..17];
        let value = |byte: u8| char::from(byte).to_digit(36).unwrap_or(0);
        let sum: u32 = code.iter().zip(WEIGHTS).map(|(byte, weight)| value(*byte) * weight).sum();
        let expected = match 11 - sum % 11 {
            10 => b'X',
            11 => b'0',
            digit => b"0123456789"[digit as usize],
        };
        code[8] == expected
    }
}

impl fmt::Display for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Uscc {
    type Err = UsccError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        if bytes.len() != 18 {
            return Err(UsccError::Length(text.chars().count()));
        }
        let mut values = [0_u32; 18];
        for ((at, byte), value) in (1..).zip(bytes).zip(&mut values) {
            let found = (0..).zip(ALPHABET).find(|(_, letter)| *letter == byte);
            *value = found.map(|(index, _)| index).ok_or(UsccError::Character { at })?;
        }
        if !CATEGORIES.iter().any(|(head, kinds)| *head == bytes[0] && kinds.contains(&bytes[1])) {
            return Err(UsccError::Category);
        }
        if !bytes[2..8].iter().all(u8::is_ascii_digit) {
            return Err(UsccError::Division);
        }
        let sum: u32 = values.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
        // The second remainder makes 31 a 0: a code whose sum divides by 31 ends with `0`.
        let expected = ALPHABET[((31 - sum % 31) % 31) as usize];
        if bytes[17] != expected {
            let (expected, met) = (char::from(expected), char::from(bytes[17]));
            return Err(UsccError::Check { expected, met });
        }
        Ok(Self(text.to_string()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn issued_codes_are_read() {
        for text in [
            "91350100M000100Y43",
            "91110000101623741K",
            "911101066976941872",
            "91110000600037341L",
            "9144030071526726XG",
        ] {
            let code: Uscc = text.parse().unwrap();
            assert_eq!(code.as_str(), text);
            assert!(code.has_sound_organisation_code(), "{text}");
        }
        assert_eq!("91350100M000100Y43".parse::<Uscc>().unwrap().division(), "350100");
    }

    #[test]
    fn a_remainder_of_zero_gives_the_check_character_zero() {
        assert!("91110108MA00000070".parse::<Uscc>().unwrap().has_sound_organisation_code());
    }

    #[test]
    fn an_unsound_organisation_code_is_told_but_read() {
        let Err(UsccError::Check { expected, .. }) = "91110108MA00000080".parse::<Uscc>() else {
            unreachable!("the check character of the neighbour is another")
        };
        let code: Uscc = alloc::format!("91110108MA0000008{expected}").parse().unwrap();
        assert!(!code.has_sound_organisation_code());
    }

    #[test]
    fn wrong_codes_are_refused_with_the_reason() {
        let check =
            |text: &str, expected| assert_eq!(text.parse::<Uscc>(), Err(expected), "{text}");
        check("91350100M000100Y4A", UsccError::Check { expected: '3', met: 'A' });
        check("9135010OM000100Y43", UsccError::Character { at: 8 });
        check("91350100m000100y43", UsccError::Character { at: 9 });
        check("A1110000600037341L", UsccError::Check { expected: 'K', met: 'L' });
        check("99350100M000100Y43", UsccError::Category);
        check("B1350100M000100Y43", UsccError::Category);
        check("913501A0M000100Y43", UsccError::Division);
        check("91350100M000100Y4", UsccError::Length(17));
        check("91350100M000100Y433", UsccError::Length(19));
        check("", UsccError::Length(0));
        for text in ["91310115MA1H8R7C6D", "91350211M0000XUF46"] {
            assert!(matches!(text.parse::<Uscc>(), Err(UsccError::Check { .. })), "{text}");
        }
    }

    #[test]
    fn every_single_mistyped_character_is_found() {
        let text = "91350100M000100Y43";
        for at in 0..18 {
            for letter in ALPHABET {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = *letter;
                let mistyped = String::from_utf8(bytes).unwrap();
                assert_eq!(mistyped.parse::<Uscc>().is_ok(), mistyped == text, "{mistyped}");
            }
        }
    }
}
