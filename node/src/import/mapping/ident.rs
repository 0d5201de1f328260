//! Listing ids made from a row: readable, stable and unique.

use crate::import::cell;
use hutong_crypto::blake3;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Most characters of a listing id.
pub const ID_CHARS_MAX: usize = 64;

/// Most characters of an id's prefix.
const PREFIX_CHARS_MAX: usize = 16;

/// Most characters of an id's prefix and readable part with their hyphens: what the digest and an occurrence of up to
/// six digits with its hyphen leave.
const READABLE_CHARS_MAX: usize = ID_CHARS_MAX - DIGEST_CHARS - 7;

/// Hexadecimal digits of the digest in an id: 64 bits, so that among a million rows two keys collide
/// with a chance of about 3 in 100 million, and a collision is reported.
const DIGEST_CHARS: usize = 16;

/// How an id is made: from a column of its own, or from a readable part and a digest of key columns.
///
/// Rows with the same key are told apart by a counter in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdRule {
    /// Put before every id, with a `-`.
    pub prefix: Option<String>,
    /// Columns whose words make the readable part.
    #[serde(default)]
    pub slug: Vec<String>,
    /// Columns that tell one item from another; their digest ends the id.
    #[serde(default)]
    pub key: Vec<String>,
    /// A column that already holds an id; then neither `slug` nor `key` is set.
    pub column: Option<String>,
}

impl IdRule {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.column.is_some() && !(self.slug.is_empty() && self.key.is_empty()) {
            return Err("set either column, or key (and slug)".to_owned());
        }
        if self.column.is_none() && self.key.is_empty() {
            return Err("set column to a column that holds ids, or key to the columns that tell items apart".to_owned());
        }
        if self.prefix.as_deref().is_some_and(|prefix| slug(prefix, PREFIX_CHARS_MAX) != prefix) {
            return Err("prefix has at most 16 of a-z, 0-9 and single `-`".to_owned());
        }
        Ok(())
    }

    /// The columns that ids are made from.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        self.slug.iter().chain(&self.key).chain(&self.column)
    }

    /// Identifies what the row is about, the same in every run; none when all key columns are empty.
    pub(in crate::import) fn key_of(&self, row: &Map<String, Value>) -> Option<[u8; 16]> {
        let columns = self.column.as_ref().map_or(self.key.as_slice(), std::slice::from_ref);
        let mut bytes = Vec::new();
        let mut empty = true;
        for column in columns {
            let texts = cell::texts(row, column);
            empty &= texts.is_empty();
            // length of the list ‖ for each text: length ‖ text, so that no two keys share bytes
            bytes.extend_from_slice(&(texts.len() as u64).to_be_bytes());
            for text in texts {
                bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        let digest = blake3(&bytes);
        let mut key = [0; 16];
        key.copy_from_slice(&digest.as_bytes()[..16]);
        (!empty).then_some(key)
    }

    /// The id of the row with this key that is the `occurrence`-th (from 1) with it.
    ///
    /// None when the id column holds nothing that an id can be made of.
    pub(in crate::import) fn id_of(
        &self,
        row: &Map<String, Value>,
        key: &[u8; 16],
        occurrence: u32,
    ) -> Option<String> {
        let mut parts: Vec<String> = self.prefix.iter().cloned().collect();
        if let Some(column) = &self.column {
            let text = cell::texts(row, column).join(" ");
            let own = slug(&text, usize::MAX);
            if own.is_empty() {
                return None;
            }
            let exact = own == text;
            parts.push(own);
            // Texts that differ only in punctuation, case or script have one slug: the digest tells them apart.
            if !exact {
                parts.push(hex::encode(key)[..DIGEST_CHARS].to_owned());
            }
        } else {
            let words: Vec<String> =
                self.slug.iter().flat_map(|column| cell::texts(row, column)).collect();
            let taken: usize = parts.iter().map(|part| part.len() + 1).sum();
            let readable = slug(&words.join(" "), READABLE_CHARS_MAX - taken - 1);
            parts.extend((!readable.is_empty()).then_some(readable));
            let digest = hex::encode(key);
            parts.push(digest[..DIGEST_CHARS].to_owned());
        }
        if occurrence > 1 {
            parts.push(occurrence.to_string());
        }
        Some(parts.join("-"))
    }
}

impl IdRule {
    /// The id column's text as it is, for numbers that were given elsewhere.
    pub(in crate::import) fn own_of(&self, row: &Map<String, Value>) -> Option<String> {
        let texts = cell::texts(row, self.column.as_deref()?);
        texts.into_iter().next()
    }
}

/// `text` in lower-case ASCII letters and digits with single hyphens, at most `chars_max` characters, cut between words if
/// possible. Characters of other scripts are left out.
pub fn slug(text: &str, chars_max: usize) -> String {
    let mut slug = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_ascii_lowercase();
        let joint = usize::from(!slug.is_empty());
        if slug.len() + joint + word.len() > chars_max {
            if slug.is_empty() {
                slug.push_str(&word[..chars_max]);
            }
            break;
        }
        if joint == 1 {
            slug.push('-');
        }
        slug.push_str(&word);
    }
    slug
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn rule() -> IdRule {
        IdRule {
            slug: vec!["name".into()],
            key: vec!["name".into(), "url".into()],
            ..IdRule::default()
        }
    }

    fn row(name: &str, url: &str) -> Map<String, Value> {
        serde_json::json!({"name": name, "url": url}).as_object().unwrap().clone()
    }

    fn id(row: &Map<String, Value>, occurrence: u32) -> String {
        rule().id_of(row, &rule().key_of(row).unwrap(), occurrence).unwrap()
    }

    #[test]
    fn a_slug_is_cut_between_words() {
        assert_eq!(slug("CODE-A Software (v2.0)", 40), "code-a-software-v2-0");
        assert_eq!(slug("alpha beta gamma", 11), "alpha-beta");
        assert_eq!(slug("abcdefghijkl", 5), "abcde");
        assert_eq!(slug("示例成果", 40), "");
    }

    #[test]
    fn ids_differ_by_key_and_occurrence_and_are_stable() {
        let first = row("Delta", "https://a.example");
        assert_eq!(id(&first, 1), id(&first, 1));
        assert_eq!(id(&first, 2), format!("{}-2", id(&first, 1)));
        assert_ne!(id(&first, 1), id(&row("DELTA", "https://a.example"), 1));
        assert_ne!(id(&row("ab", "c"), 1), id(&row("a", "bc"), 1));
        assert!(id(&row("示例", "x"), 1).len() == DIGEST_CHARS);
    }

    #[test]
    fn the_longest_id_fits() {
        let rule = IdRule { prefix: Some("p".repeat(16)), ..rule() };
        rule.check().unwrap();
        let row = row(&"word ".repeat(40), "x");
        let id = rule.id_of(&row, &rule.key_of(&row).unwrap(), 999_999).unwrap();
        assert!((ID_CHARS_MAX - 5..=ID_CHARS_MAX).contains(&id.len()), "{id}");
    }

    #[test]
    fn ids_of_a_column_differ_where_its_texts_differ() {
        let rule = IdRule { column: Some("name".into()), ..IdRule::default() };
        let id = |name: &str| {
            let row = row(name, "");
            rule.id_of(&row, &rule.key_of(&row).unwrap(), 1).unwrap()
        };
        assert_eq!(id("2026-001"), "2026-001");
        assert_eq!(id("浙科成〔2026〕001号"), id("浙科成〔2026〕001号"));
        let names =
            ["浙科成〔2026〕001号", "浙科鉴〔2026〕001号", "2026-001", "2026/001", "2026--001"];
        let ids: std::collections::BTreeSet<String> = names.into_iter().map(id).collect();
        assert_eq!(ids.len(), names.len(), "{ids:?}");
        assert!(ids.iter().all(|id| id.starts_with("2026-001")), "{ids:?}");
    }

    #[test]
    fn an_empty_key_makes_no_id() {
        assert_eq!(rule().key_of(&row("", "")), None);
    }

    #[test]
    fn contradicting_id_rules_are_refused() {
        let both = IdRule { column: Some("id".into()), ..rule() };
        assert!(both.check().is_err());
        assert!(IdRule::default().check().is_err());
        assert!(IdRule { prefix: Some("Ä".into()), ..rule() }.check().is_err());
        assert!(IdRule { prefix: Some("nasa".into()), ..rule() }.check().is_ok());
    }
}
