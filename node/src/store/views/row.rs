//! What the tables' rows have in common: entries as they are taken in, positions, pages.

use hutong_crypto::keys::PublicKey;
use hutong_protocol::body::Content;
use hutong_protocol::entry::Entry;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::statement::{Said, StatementType};

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
    pub(super) said: Said,
}

impl Recorded {
    /// `None` for an entry that says nothing well formed, or speaks for another exchange.
    pub(super) fn parse(held: &Held, index: u64, entry: &Entry) -> Option<Self> {
        let said = Said::parse(entry.statement_bytes()).ok()?;
        let (id, key) = (entry.id(), entry.issuer_key());
        (said.issuer == held.exchange).then_some(Self { index, id, key, said })
    }

    /// Whether the directory depends on it.
    pub(super) fn is_admin(&self) -> bool {
        self.said.kind.is_membership()
    }

    /// The listing or contract that it is about, where its name can be part of a key.
    pub(super) fn subject(&self) -> Option<&str> {
        let name = match &self.said.content {
            Content::Listing(event) => event.listing_id(),
            Content::Contract(contract) => &contract.registration_no,
            Content::Other => return None,
        };
        is_name(name).then_some(name)
    }
}

/// Whether `text` can be part of a key: 1 to 128 bytes, none of them zero.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.bytes().any(|byte| byte == 0)
}

/// Key of what belongs to a log: table, log number.
pub(super) fn log_key(table: Table, log: u32) -> Vec<u8> {
    let mut key = vec![table as u8];
    key.extend_from_slice(&log.to_be_bytes());
    key
}

/// Key of one entry: table, log number, index.
pub(super) fn place_key(table: Table, log: u32, index: u64) -> Vec<u8> {
    let mut key = log_key(table, log);
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
    let mut key = log_key(table, log);
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
    fn names_that_would_break_a_key_are_refused() {
        assert!(is_name("2026330100000001") && is_name(&"x".repeat(128)));
        for name in ["", "a\0b", &"x".repeat(129)] {
            assert!(!is_name(name));
        }
    }
}
