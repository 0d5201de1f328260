//! Text from outside, as a person is shown it: on one line, without characters that cannot be seen.
//!
//! Names, titles, file names, quoted input and messages of other nodes must not pass for lines of this program. So
//! whatever of them reaches a terminal, a table, a log line or an error message goes through [`Shown`].
//!
//! Not here: what a statement may hold. Texts are recorded as they are written, and only shown otherwise.

use alloc::string::String;
use core::fmt::{self, Write as _};

/// A text whose invisible characters are written as `\u{202e}`.
///
/// These are control characters, line and paragraph separators, direction marks, zero-width and other format
/// characters, and blanks that are no spaces (see [`is_invisible`]). Everything else is written as it is, the
/// backslash too: showing twice is the same as showing once.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    text: &'a str,
    chars_max: usize,
}

/// As [`Shown`], of each line: line feeds stay. For texts of this program that quote what is shown already.
#[derive(Debug, Clone, Copy)]
pub struct ShownLines<'a>(pub &'a str);

impl<'a> Shown<'a> {
    /// The whole of `text`.
    pub const fn new(text: &'a str) -> Self {
        Self { text, chars_max: usize::MAX }
    }

    /// The first `chars_max` characters of `text`, and `…` where it is longer. For tables.
    pub const fn within(text: &'a str, chars_max: usize) -> Self {
        Self { text, chars_max }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.text, self.chars_max, is_invisible, f)
    }
}

impl fmt::Display for ShownLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, usize::MAX, |char| char != '\n' && is_invisible(char), f)
    }
}

fn write(
    text: &str,
    chars_max: usize,
    is_escaped: impl Fn(char) -> bool,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (count, char) in text.chars().enumerate() {
        if count == chars_max {
            return f.write_char('…');
        }
        if is_escaped(char) {
            write!(f, "{}", char.escape_unicode())?;
        } else {
            f.write_char(char)?;
        }
    }
    Ok(())
}

/// JSON whose texts have no invisible characters: each is written as its escape, so that the value is the same.
///
/// `json` is a JSON text of any form; only white space of the form itself is left as it is.
pub fn visible_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        // Outside of a text, JSON has no other such characters than these.
        if char.is_ascii_whitespace() || !is_invisible(char) {
            out.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut [0; 2]) {
            // Writing into a string cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// Whether a person who reads a line does not see `char`, or sees the line otherwise because of it.
///
/// Control characters (C0, DEL, C1), U+2028 and U+2029; the direction marks U+061C, U+200E, U+200F, U+202A to U+202E
/// and U+2066 to U+2069; and what Unicode has renderers ignore (`Default_Ignorable_Code_Point`), with U+2800 and the
/// annotation marks U+FFF9 to U+FFFB.
///
/// Source: Unicode 16, `DerivedCoreProperties.txt`; UAX #9.
pub fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString as _;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_of_invisible_character_is_written_out() {
        for (text, expected) in [
            ("a\u{0}\u{7}\u{1b}[2J", r"a\u{0}\u{7}\u{1b}[2J"),
            ("a\tb\r\nverdict: valid", r"a\u{9}b\u{d}\u{a}verdict: valid"),
            ("\u{7f}\u{85}\u{9b}31m", r"\u{7f}\u{85}\u{9b}31m"),
            ("a\u{2028}b\u{2029}c", r"a\u{2028}b\u{2029}c"),
            ("\u{200e}\u{200f}\u{61c}", r"\u{200e}\u{200f}\u{61c}"),
            (
                "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}",
                r"\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}",
            ),
            ("\u{2066}\u{2067}\u{2068}\u{2069}", r"\u{2066}\u{2067}\u{2068}\u{2069}"),
            ("浙\u{200b}江\u{200d}所\u{feff}", r"浙\u{200b}江\u{200d}所\u{feff}"),
            ("\u{ad}\u{3164}\u{fe0f}\u{e0041}", r"\u{ad}\u{3164}\u{fe0f}\u{e0041}"),
        ] {
            assert_eq!(Shown::new(text).to_string(), expected);
        }
    }

    #[test]
    fn what_people_write_is_left_as_it_is() {
        for text in ["浙江技术交易所", "Ω-1 № 7 «Тау»", "a\u{3000}b\u{a0}c", r"C:\n\u{1}", "ﷺ é 😀"]
        {
            assert_eq!(Shown::new(text).to_string(), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(Shown::within("示示示", 2).to_string(), "示示…");
        assert_eq!(Shown::within("示\n", 2).to_string(), r"示\u{a}");
        assert_eq!(Shown::within("", 0).to_string(), "");
    }

    #[test]
    fn lines_keep_their_line_feeds_and_nothing_else() {
        assert_eq!(ShownLines("a\nb\r\u{202e}").to_string(), "a\nb\\u{d}\\u{202e}");
    }

    #[test]
    fn json_says_the_same_where_it_is_made_visible() {
        let value =
            serde_json::json!({"甲\u{202e}": ["\u{7f}\u{85}", "\u{e0041}\u{1b}\n"], "n": 1});
        let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
        let visible = visible_json(&pretty);
        assert!(
            visible.contains(r#""甲\u202e""#) && visible.contains(r"\udb40\udc41"),
            "{visible}"
        );
        assert!(!visible.chars().any(|char| char != '\n' && is_invisible(char)));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&visible).ok(), Some(value));
    }

    proptest! {
        #[test]
        fn a_shown_text_is_one_line_and_shown_again_the_same(text in any::<Vec<char>>()) {
            let text: String = text.into_iter().collect();
            let shown = Shown::new(&text).to_string();
            prop_assert!(!shown.chars().any(is_invisible));
            prop_assert_eq!(Shown::new(&shown).to_string(), shown.clone());
            prop_assert_eq!(shown.lines().count(), usize::from(!text.is_empty()));
            prop_assert_eq!(format!("{}", ShownLines(&shown)), shown);
        }
    }
}
