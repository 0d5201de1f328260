//! Statement id → place: which log records a statement, at which index.
//!
//! Keys hold the first 8 bytes of the id, and a place found is checked against the whole id, so two
//! ids that begin alike cost a second look and nothing else.

use hutong_protocol::id::{ExchangeId, StatementId};

use super::{decode_place, place_key};
use crate::store::core::{Core, Held};
use crate::store::error::StoreError;

impl Core {
    /// Records the ids of the leaves from `from` up to `to`, withheld and void ones too.
    pub(super) fn index_ids(&self, held: &Held, from: u64, to: u64) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for index in from..to {
            let id = self.leaf_hash(held, index)?;
            batch.insert(id_key(&id, held.number, index), &[]);
        }
        self.trees.ids.apply_batch(batch).map_err(self.index_error("write"))
    }

    /// The first recorded place of a statement.
    pub(in crate::store) fn find(
        &self,
        id: &StatementId,
    ) -> Result<Option<(ExchangeId, u64)>, StoreError> {
        for key in self.trees.ids.scan_prefix(&id.as_bytes()[..ID_BYTES]).keys() {
            let key = key.map_err(self.index_error("read"))?;
            let Some((number, index)) = decode_place(&key[ID_BYTES..]) else { continue };
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
    let mut key = id.as_bytes()[..ID_BYTES].to_vec();
    key.extend(place_key(log, index));
    key
}

/// Among 2^32 statements, two begin with the same 8 bytes once in two tries; checking is cheap.
const ID_BYTES: usize = 8;
