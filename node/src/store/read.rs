//! Reading leaves and tree nodes, each checked before it is returned.

use std::sync::Arc;

use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::NodeReader;
use hutong_protocol::entry::{Entry, Leaf};

use super::core::{Core, Held};
use super::edge::{Edge, subtree_root};
use super::error::StoreError;
use super::path::{Part, TILE_WIDTH, TileId};

/// A log's tree as it was committed at one moment, for proofs.
///
/// Every hash comes from a tile that was checked against the head's root. Keeps the store open.
#[derive(Debug, Clone)]
pub struct StoredTree {
    core: Arc<Core>,
    held: Arc<Held>,
}

impl StoredTree {
    pub(super) fn new(core: Arc<Core>, held: Arc<Held>) -> Self {
        Self { core, held }
    }

    /// Leaves committed when this view of the tree was taken.
    pub fn size(&self) -> u64 {
        self.held.size()
    }

    /// Whether the entry at `index` was found to be void.
    pub fn is_void(&self, index: u64) -> bool {
        self.held.void.contains(index)
    }

    /// Root over them.
    pub fn root(&self) -> Hash {
        self.held.root()
    }
}

impl NodeReader for StoredTree {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
        self.core.node(&self.held, level, index)
    }
}

impl Core {
    /// Hash of the complete subtree of 2^level leaves at `index`.
    pub(super) fn node(&self, held: &Held, level: u8, index: u64) -> Result<Hash, StoreError> {
        let beyond = index
            .checked_add(1)
            .and_then(|next| next.checked_mul(1_u64.checked_shl(level.into())?))
            .is_none_or(|end| end > held.size());
        if beyond {
            let index = index.saturating_mul(1_u64.checked_shl(level.into()).unwrap_or(0));
            return Err(self.beyond(held, index));
        }
        let (tile_level, below) = (level / 8, level % 8);
        let first = index << below;
        let tile = self.tile(held, tile_level, first / TILE_WIDTH)?;
        let place = usize::try_from(first % TILE_WIDTH).unwrap_or_default();
        tile.get(place..place + (1 << below))
            .map(subtree_root)
            .ok_or_else(|| self.beyond(held, first))
    }

    #[expect(clippy::unused_self, reason = "reads as a refusal of this store")]
    fn beyond(&self, held: &Held, index: u64) -> StoreError {
        StoreError::Beyond {
            log: held.exchange.clone(),
            index: index.max(held.size()),
            size: held.size(),
        }
    }

    /// The hashes of a tile, complete or at the edge, checked against the head's root.
    pub(super) fn tile(
        &self,
        held: &Held,
        level: u8,
        number: u64,
    ) -> Result<Arc<[Hash]>, StoreError> {
        if number >= Edge::number(held.size(), level) {
            return Ok(Arc::from(held.edge.level(level)));
        }
        let tile = TileId::hashes(level, number);
        let key = (held.number, tile);
        if let Some(hashes) = self.tiles().find(&key) {
            return Ok(hashes);
        }
        // Complete tiles hang from the tile above; that one is checked first, up to the edge.
        let above = self.tile(held, level + 1, number / TILE_WIDTH)?;
        let place = usize::try_from(number % TILE_WIDTH).unwrap_or_default();
        let expected = above.get(place).ok_or_else(|| self.beyond(held, held.size()))?;
        let hashes = held.files.read_hashes(tile, TILE_WIDTH)?;
        if subtree_root(&hashes) != *expected {
            let what = "the tile's hashes do not belong to the log's root";
            return Err(StoreError::corrupt(&held.files.path(tile, true), None, what));
        }
        let hashes: Arc<[Hash]> = Arc::from(hashes);
        self.tiles().insert(key, Arc::clone(&hashes));
        Ok(hashes)
    }

    /// Leaves from `from` up to `to`, fewer where `bytes_max` of entry bytes are reached or the log
    /// ends; at least one where `from` is held and below `to`.
    pub(super) fn leaves(
        &self,
        held: &Held,
        from: u64,
        to: u64,
        bytes_max: usize,
    ) -> Result<Vec<Leaf>, StoreError> {
        let to = to.min(held.size());
        let (mut leaves, mut at, mut bytes) = (Vec::new(), from, 0_usize);
        while at < to {
            let end = to.min((at / TILE_WIDTH + 1) * TILE_WIDTH);
            for leaf in self.bundle_leaves(held, at, end)? {
                let leaf = leaf?;
                let len = match &leaf {
                    Leaf::Entry(entry) => entry.as_bytes().len(),
                    Leaf::Withheld(_) => Hash::LEN,
                };
                bytes = bytes.saturating_add(len);
                if bytes > bytes_max && !leaves.is_empty() {
                    return Ok(leaves);
                }
                leaves.push(leaf);
            }
            at = end;
        }
        Ok(leaves)
    }

    /// The leaves `[from, to)` of one bundle, one by one.
    fn bundle_leaves<'a>(
        &self,
        held: &'a Held,
        from: u64,
        to: u64,
    ) -> Result<impl Iterator<Item = Result<Leaf, StoreError>> + use<'a>, StoreError> {
        let number = from / TILE_WIDTH;
        let count = (held.size() - number * TILE_WIDTH).min(TILE_WIDTH);
        let tile = self.tile(held, 0, number)?;
        // The snapshot's marks are older than the file that is opened now, so a leaf that is being
        // filled in meanwhile is either still withheld or already there.
        let bundle = if (from..to).all(|index| held.withheld.contains(index)) {
            None
        } else {
            Some(held.files.read_bundle(number, count)?)
        };
        Ok((from..to).map(move |index| {
            let place = usize::try_from(index % TILE_WIDTH).unwrap_or_default();
            let hash = tile[place];
            if held.withheld.contains(index) {
                return Ok(Leaf::Withheld(hash));
            }
            let bytes = bundle.as_ref().and_then(|bundle| bundle.entry(place));
            checked_entry(bytes, &hash)
                .map(Leaf::Entry)
                .map_err(|what| StoreError::corrupt(&bundle_path(held, number), Some(index), what))
        }))
    }

    /// One leaf; its bytes keep nothing else in memory. `None` beyond the end.
    pub(super) fn leaf(&self, held: &Held, index: u64) -> Result<Option<Leaf>, StoreError> {
        if index >= held.size() {
            return Ok(None);
        }
        let leaf = self.bundle_leaves(held, index, index + 1)?.next().transpose()?;
        Ok(match leaf {
            Some(Leaf::Entry(entry)) => {
                let bytes = Bytes::copy_from_slice(entry.as_bytes());
                Entry::parse(bytes).ok().map(Leaf::Entry)
            }
            other => other,
        })
    }

    /// Hash of the leaf at `index`, which must be held.
    pub(super) fn leaf_hash(&self, held: &Held, index: u64) -> Result<Hash, StoreError> {
        self.node(held, 0, index)
    }
}

/// The entry that `bytes` are, if their hash is `expected`; else what is wrong with them.
pub(super) fn checked_entry(bytes: Option<Bytes>, expected: &Hash) -> Result<Entry, String> {
    let bytes = bytes.ok_or("the entry is missing, though it is not marked as withheld")?;
    let entry =
        Entry::parse(bytes).map_err(|error| format!("the entry cannot be read: {error}"))?;
    let met = entry.leaf_hash();
    if met != *expected {
        return Err(format!("the entry has leaf hash {met}, expected {expected}"));
    }
    Ok(entry)
}

/// Path of a bundle under the name that it bears for a log of this size.
pub(super) fn bundle_path(held: &Held, number: u64) -> std::path::PathBuf {
    held.files.path(TileId { part: Part::Entries, number }, number < held.size() / TILE_WIDTH)
}
