//! Statement id → place: which log records a statement, at which index.
//!
//! Keys hold the first 8 bytes of the id, and a place found is checked against the whole id, so two
//! ids that begin alike cost a second look and nothing else.

use std::collections::BTreeMap;

use hutong_protocol::id::{ExchangeId, StatementId};

use super::tables::{Table, Tables};
use crate::store::core::Core;
use crate::store::error::StoreError;

impl Core {
    /// The first recorded place of a statement.
    pub(in crate::store) fn find(
        &self,
        tables: &Tables,
        id: &StatementId,
    ) -> Result<Option<(ExchangeId, u64)>, StoreError> {
        let prefix = &id_key(id, 0, 0)[..=ID_BYTES];
        for row in tables.prefixed(prefix.to_vec()) {
            let (key, _) = row?;
            let Some((_, number, index)) = decode_id(&key) else { continue };
            let Some(held) = self.held_by_number(number) else { continue };
            if index < held.size() && self.leaf_hash(&held, index)? == *id {
                return Ok(Some((held.exchange.clone(), index)));
            }
        }
        Ok(None)
    }
}

/// What a set of ids at their places amounts to, whatever the order in which they come: how many
/// there are, and a sum that two sets share only by accident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct IdSum {
    count: u64,
    sum: u64,
}

impl IdSum {
    /// Adds the id that begins with `start`, at `index`.
    fn add_start(&mut self, start: [u8; ID_BYTES], index: u64) {
        self.count += 1;
        // Ids are hashes, so that their beginnings need no mixing; places do.
        let place = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.sum = self.sum.wrapping_add(u64::from_be_bytes(start) ^ place);
    }

    /// Adds an id at a place.
    pub(in crate::store) fn add(&mut self, id: &StatementId, index: u64) {
        let mut start = [0; ID_BYTES];
        start.copy_from_slice(&id.as_bytes()[..ID_BYTES]);
        self.add_start(start, index);
    }

    /// Both sets together.
    pub(in crate::store) fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum.wrapping_add(other.sum) }
    }
}

impl Tables {
    /// What the ids of each log amount to, up to `ends(log number)`.
    pub(in crate::store) fn id_sums(
        &self,
        ends: impl Fn(u32) -> u64,
    ) -> Result<BTreeMap<u32, IdSum>, StoreError> {
        let mut sums = BTreeMap::<u32, IdSum>::new();
        for row in self.prefixed(vec![Table::Id as u8]) {
            let (key, _) = row?;
            let Some((start, log, index)) = decode_id(&key) else { continue };
            if index < ends(log) {
                sums.entry(log).or_default().add_start(start, index);
            }
        }
        Ok(sums)
    }
}

/// Key of one id at one place: table, first bytes of the id, log number, index in 7 bytes, which is more
/// than a disk holds. With 20 bytes in all it needs no memory of its own.
pub(super) fn id_key(id: &StatementId, log: u32, index: u64) -> [u8; ID_KEY_BYTES] {
    let mut key = [0; ID_KEY_BYTES];
    key[0] = Table::Id as u8;
    key[1..][..ID_BYTES].copy_from_slice(&id.as_bytes()[..ID_BYTES]);
    key[1 + ID_BYTES..][..4].copy_from_slice(&log.to_be_bytes());
    key[1 + ID_BYTES + 4..].copy_from_slice(&index.to_be_bytes()[1..]);
    key
}

/// First bytes of the id, log number and index of [`id_key`].
fn decode_id(key: &[u8]) -> Option<([u8; ID_BYTES], u32, u64)> {
    let (start, place) = key.get(1..)?.split_first_chunk::<ID_BYTES>()?;
    let (log, end) = place.split_first_chunk::<4>()?;
    let end: [u8; 7] = end.try_into().ok()?;
    let mut index = [0; 8];
    index[1..].copy_from_slice(&end);
    Some((*start, u32::from_be_bytes(*log), u64::from_be_bytes(index)))
}

/// Among 2^32 statements, two begin with the same 8 bytes once in two tries; checking is cheap.
const ID_BYTES: usize = 8;
const ID_KEY_BYTES: usize = 1 + ID_BYTES + 4 + 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_others_are_refused() {
        let id = hutong_crypto::digest::Hash([7; 32]);
        let key = id_key(&id, 3, 1 << 40);
        assert_eq!(key.len(), 20, "what fits into a key without memory of its own");
        assert_eq!(decode_id(&key), Some(([7; ID_BYTES], 3, 1 << 40)));
        assert_eq!(decode_id(&key[..19]), None);
        assert_eq!(decode_id(&[key.as_slice(), &[0]].concat()), None);
    }
}
