//! Statement id → place: which log records a statement, at which index.
//!
//! Keys hold the first 8 bytes of the id, and a place found is checked against the whole id, so two
//! ids that begin alike cost a second look and nothing else.

use hutong_protocol::id::{ExchangeId, StatementId};

use super::row::{decode_place, place_key};
use super::tables::Table;
use crate::store::core::Core;
use crate::store::error::StoreError;

impl Core {
    /// The first recorded place of a statement.
    pub(in crate::store) fn find(
        &self,
        id: &StatementId,
    ) -> Result<Option<(ExchangeId, u64)>, StoreError> {
        let mut prefix = id_key(id, 0, 0);
        prefix.truncate(1 + ID_BYTES);
        for row in self.tables.prefixed(prefix) {
            let (key, _) = row?;
            let Some((number, index)) = decode_place(&key[1 + ID_BYTES..]) else { continue };
            let Some(held) = self.held_by_number(number) else { continue };
            if index < held.size() && self.leaf_hash(&held, index)? == *id {
                return Ok(Some((held.exchange.clone(), index)));
            }
        }
        Ok(None)
    }
}

/// Key of one id at one place.
pub(in crate::store) fn id_key(id: &StatementId, log: u32, index: u64) -> Vec<u8> {
    let mut key = place_key(Table::Id, log, index);
    key.splice(1..1, id.as_bytes()[..ID_BYTES].iter().copied());
    key
}

/// Among 2^32 statements, two begin with the same 8 bytes once in two tries; checking is cheap.
const ID_BYTES: usize = 8;
