//! Reading the members that listings and contracts have: texts for people, codes and lists of them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::ops::RangeInclusive;
use core::str::FromStr;

use super::{Object, Path};
use crate::json::Node;
use crate::statement::StatementError;

/// Languages in one text at most.
const LANGUAGES_MAX: usize = 16;

/// Bytes of a language tag at most: the longest that RFC 5646 says a field must hold.
const LANGUAGE_BYTES_MAX: usize = 35;

impl<'a> Object<'a, '_> {
    /// An error about member `name`.
    pub(crate) fn problem(&self, name: &str, problem: impl Into<String>) -> StatementError {
        StatementError::member(self.path().member(name).to_string(), problem)
    }

    /// The object `name`, which must be there.
    pub(crate) fn inner<'q>(&'q self, name: &'q str) -> Result<Object<'a, 'q>, StatementError> {
        match self.get(name) {
            Some(value) => Object::open(value, self.path().member(name)),
            None => Err(self.problem(name, "missing")),
        }
    }

    /// What `read` makes of member `name`, if it is there.
    pub(crate) fn if_there<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, StatementError>,
    ) -> Result<Option<T>, StatementError> {
        self.get(name).map(|_| read(self, name)).transpose()
    }

    /// The text `name`.
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, StatementError> {
        match self.get(name) {
            Some(value) => value.as_text().ok_or_else(|| self.error(name, "a text")),
            None => Err(self.problem(name, "missing")),
        }
    }

    /// The text `name` of 1 to `chars_max` characters, in the sense of [`check_words`].
    pub(crate) fn words(&self, name: &str, chars_max: usize) -> Result<String, StatementError> {
        let text = self.text(name)?;
        check_words(text, chars_max).map_err(|problem| self.problem(name, problem))?;
        Ok(text.to_string())
    }

    /// The text `name` as a `T`, whose error says what is wrong with it.
    pub(crate) fn read<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, StatementError> {
        self.text(name)?.parse().map_err(|error: T::Err| self.problem(name, error.to_string()))
    }

    /// The whole number `name`, within `bounds`.
    pub(crate) fn whole(
        &self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<u64, StatementError> {
        let Some(value) = self.get(name) else { return Err(self.problem(name, "missing")) };
        value.as_u64().filter(|number| bounds.contains(number)).ok_or_else(|| {
            let (from, to) = (bounds.start(), bounds.end());
            self.error(name, format_args!("a whole number from {from} to {to}"))
        })
    }

    /// Whether `name` is true.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, StatementError> {
        self.required(name, "true or false", Node::as_bool)
    }

    /// The list `name` of at most `len_max` different texts, each read with `read`; empty where it
    /// is missing.
    pub(crate) fn texts<T: PartialEq>(
        &self,
        name: &str,
        len_max: usize,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, StatementError> {
        let expected = format_args!("a list of at most {len_max} texts");
        let items = self.list(name, len_max, expected, |value, path| {
            let text = value.as_text().ok_or_else(|| path.error("a text", value))?;
            read(text).map_err(|problem| StatementError::member(path.to_string(), problem))
        })?;
        let repeated = (1..items.len()).find(|index| items[..*index].contains(&items[*index]));
        match repeated {
            Some(index) => {
                let path = self.path().member(name);
                let path = Path::Element(&path, index).to_string();
                Err(StatementError::member(path, "expected nothing twice"))
            }
            None => Ok(items),
        }
    }

    /// The list `name` of at most `len_max` different `T`.
    pub(crate) fn read_list<T: FromStr<Err: Display> + PartialEq>(
        &self,
        name: &str,
        len_max: usize,
    ) -> Result<Vec<T>, StatementError> {
        self.texts(name, len_max, |text| text.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// The text `name` in one or more languages, each of at most `chars_max` characters.
    pub(crate) fn languages(
        &self,
        name: &str,
        chars_max: usize,
    ) -> Result<BTreeMap<String, String>, StatementError> {
        let texts = self.inner(name)?;
        let met = texts.members().len();
        if !(1..=LANGUAGES_MAX).contains(&met) {
            let problem = format!("expected 1 to {LANGUAGES_MAX} languages, met {met}");
            return Err(self.problem(name, problem));
        }
        let mut read = BTreeMap::new();
        for (tag, _) in texts.members() {
            if !is_language(tag) {
                return Err(texts.problem(tag, "expected a language tag such as zh, en or zh-Hant"));
            }
            read.insert(tag.to_string(), texts.words(tag, chars_max)?);
        }
        Ok(read)
    }
}

/// Checks that `text` has 1 to `chars_max` characters, not all blank, and no control characters but
/// line breaks and tabs.
pub(crate) fn check_words(text: &str, chars_max: usize) -> Result<(), String> {
    let is_control = |char: char| char.is_control() && char != '\n' && char != '\t';
    let chars = text.chars().count();
    if chars > chars_max || text.trim_start().is_empty() {
        return Err(format!("expected 1 to {chars_max} characters, not all blank, met {chars}"));
    }
    // A control is below the blank, or DEL, or of the 32 behind it, which begin with C2. Bytes are
    // looked at together.
    let suspect =
        |byte: u8| u8::from(byte < b' ') | u8::from(byte == 0x7f) | u8::from(byte == 0xc2);
    let suspicious = text.bytes().fold(0, |found, byte| found | suspect(byte)) != 0;
    if suspicious && text.chars().any(is_control) {
        return Err("expected no control characters but line breaks and tabs".to_string());
    }
    Ok(())
}

/// Whether `tag` has the shape of an RFC 5646 language tag: a language of 2 to 8 letters, then
/// subtags of 1 to 8 letters and digits.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let language = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    let subtag = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    tag.len() <= LANGUAGE_BYTES_MAX && language && parts.all(subtag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_but_line_breaks_and_tabs_is_found() {
        for code in 0..0x100 {
            let char = char::from_u32(code).unwrap_or_default();
            let text = format!("涂层{char}é and more of it, so that bytes are looked at together");
            let refused = char.is_control() && char != '\n' && char != '\t';
            assert_eq!(check_words(&text, 100).is_err(), refused, "{code:x}");
        }
        for blank in ["", " ", "\u{3000}\t\n"] {
            assert!(check_words(blank, 100).is_err());
        }
        assert!(check_words("涂层涂", 2).is_err() && check_words("涂层", 2).is_ok());
    }

    #[test]
    fn language_tags_keep_to_their_shape() {
        for tag in ["zh", "en", "kk", "zh-Hant", "zh-Hans-CN", "sr-Latn", "de-1996", "en-x-a"] {
            assert!(is_language(tag), "{tag}");
        }
        for tag in ["", "z", "zh-", "-zh", "zh_CN", "中文", "1a", "zh--CN", "zh-abcdefghi"] {
            assert!(!is_language(tag), "{tag}");
        }
    }
}
