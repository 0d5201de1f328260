//! A bounded cache of complete hash tiles that were checked against the head's root.

use std::collections::BTreeMap;
use std::sync::Arc;

use hutong_crypto::digest::Hash;

use super::path::TileId;

/// A log's number and a tile of it.
pub(super) type TileKey = (u32, TileId);

/// Tiles in two generations: when the young one is full it becomes the old one, and what was not
/// used since is dropped. Nearly as good as strict order of use, with no order to keep.
#[derive(Debug)]
pub(super) struct TileCache {
    young: BTreeMap<TileKey, Arc<[Hash]>>,
    old: BTreeMap<TileKey, Arc<[Hash]>>,
    young_max: usize,
}

impl TileCache {
    /// A cache of at most `tiles_max` tiles of 8 KiB.
    pub(super) fn new(tiles_max: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), young_max: (tiles_max / 2).max(1) }
    }

    pub(super) fn find(&mut self, key: &TileKey) -> Option<Arc<[Hash]>> {
        if let Some(tile) = self.young.get(key) {
            return Some(Arc::clone(tile));
        }
        let tile = self.old.remove(key)?;
        self.insert(*key, Arc::clone(&tile));
        Some(tile)
    }

    pub(super) fn insert(&mut self, key: TileKey, tile: Arc<[Hash]>) {
        if self.young.len() >= self.young_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, tile);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_stays_bounded_and_keeps_what_is_used() {
        let mut cache = TileCache::new(8);
        let key = |number| (1, TileId::hashes(0, number));
        cache.insert(key(0), Arc::from([]));
        for number in 1..100 {
            cache.insert(key(number), Arc::from([]));
            assert!(cache.find(&key(0)).is_some(), "after {number}");
            assert!(cache.young.len() + cache.old.len() <= 8);
        }
        assert!(cache.find(&key(1)).is_none());
    }
}
