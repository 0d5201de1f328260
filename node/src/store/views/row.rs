//! What the tables' rows have in common: entries as they are taken in, positions, pages.

use hutong_crypto::keys::PublicKey;
use hutong_protocol::entry::Entry;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::statement::StatementType;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::said::{Said, What};
use super::tables::Table;
use crate::store::core::Held;

/// Where a row's event is recorded and who signed it: what the directory must be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPosition {
    /// The log.
    pub log: ExchangeId,
    /// Index in it.
    pub index: u64,
    /// The key that signed.
    pub key: PublicKey,
    /// The statement's type.
    pub kind: StatementType,
}

/// Whether an event counts, for instance by `Directory::authorizes`.
pub type Counts<'a> = dyn Fn(&EventPosition) -> bool + 'a;

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, at most as many as were asked for.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` on the last. A page may be short, even empty, and still
    /// have a next one, where much was looked through and little fitted.
    pub next: Option<String>,
    /// Entries that are committed and not yet looked through.
    pub behind: u64,
}

/// One entry with what it says.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) index: u64,
    pub(super) id: StatementId,
    pub(super) key: PublicKey,
    pub(super) what: What,
}

impl Recorded {
    /// `None` for an entry that says nothing well formed, speaks for another exchange, or cannot be
    /// verified here.
    pub(super) fn parse(held: &Held, index: u64, entry: &Entry) -> Option<Self> {
        let key = entry.issuer_key().ok()?;
        let Said { issuer, what } = Said::parse(entry.statement_bytes())?;
        let id = entry.id();
        (issuer == held.exchange).then_some(Self { index, id, key, what })
    }
}

/// A row's value as bytes.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let encoded = postcard::to_extend(value, Vec::with_capacity(ROW_BYTES));
    debug_assert!(encoded.is_ok(), "rows are plain values, which can all be encoded");
    encoded.unwrap_or_default()
}

/// The value that [`encode`] made bytes of; `None` for any others.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

/// Whether `text` can be part of a key: 1 to 128 bytes, none of them zero.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.bytes().any(|byte| byte == 0)
}

/// Key of what belongs to a log: table, log number.
pub(super) fn log_key(table: Table, log: u32) -> Vec<u8> {
    key_of(table, log, 0)
}

/// Table and log number, with room for so many bytes more.
fn key_of(table: Table, log: u32, more: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(5 + more);
    key.push(table as u8);
    key.extend_from_slice(&log.to_be_bytes());
    key
}

/// Key of one entry: table, log number, index.
pub(super) fn place_key(table: Table, log: u32, index: u64) -> Vec<u8> {
    let mut key = key_of(table, log, 8);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// Log number and index at the end of a key.
pub(super) fn decode_place(end: &[u8]) -> Option<(u32, u64)> {
    let (log, index) = end.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*log), u64::from_be_bytes(index.try_into().ok()?)))
}

/// Key of what belongs to a name in a log: table, log number, name, zero.
pub(super) fn name_key(table: Table, log: u32, name: &str) -> Vec<u8> {
    let mut key = key_of(table, log, name.len() + 9);
    key.extend_from_slice(name.as_bytes());
    key.push(0);
    key
}

/// Key of an event under a name: table, log number, name, zero, index.
pub(super) fn event_key(table: Table, log: u32, name: &str, index: u64) -> Vec<u8> {
    let mut key = name_key(table, log, name);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// Log number and name of [`name_key`], and the rest of the key.
pub(super) fn decode_name(key: &[u8]) -> Option<(u32, &str, &[u8])> {
    let (log, rest) = key.get(1..)?.split_first_chunk::<4>()?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(&rest[..end]).ok()?;
    Some((u32::from_be_bytes(*log), name, &rest[end + 1..]))
}

/// The index at the end of [`event_key`].
pub(super) fn decode_index(rest: &[u8]) -> Option<u64> {
    rest.try_into().ok().map(u64::from_be_bytes)
}

/// Listing ids and registration numbers are some 20 bytes; this leaves room for any that are not.
const NAME_BYTES_MAX: usize = 128;

/// An ordinary listing's row.
const ROW_BYTES: usize = 192;

/// Rows of one page at most.
pub(super) const PAGE_ROWS_MAX: usize = 1_000;

/// Rows looked through for one page at most: some tenth of a second.
pub(super) const PAGE_SCAN_MAX: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back() {
        let key = event_key(Table::Contract, 7, "nr-1", 1 << 40);
        let (log, name, rest) = decode_name(&key).unwrap_or_default();
        assert_eq!((log, name, decode_index(rest)), (7, "nr-1", Some(1 << 40)));
        assert!(decode_name(&key[..8]).is_none());
        assert_eq!(decode_index(&rest[1..]), None);
    }

    #[test]
    fn values_come_back_and_others_are_refused() {
        let bytes = encode(&(7_u64, Some("x")));
        assert_eq!(decode::<(u64, Option<String>)>(&bytes), Some((7, Some("x".to_owned()))));
        assert_eq!(decode::<(u64, Option<String>)>(&bytes[..bytes.len() - 1]), None);
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(decode::<(u64, Option<String>)>(&longer), None);
    }

    #[test]
    fn names_that_would_break_a_key_are_refused() {
        assert!(is_name("2026330100000001") && is_name(&"x".repeat(128)));
        for name in ["", "a\0b", &"x".repeat(129)] {
            assert!(!is_name(name));
        }
    }
}
