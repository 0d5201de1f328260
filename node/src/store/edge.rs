//! The right edge of a log's hash tiles: every incomplete tile, held in memory.
//!
//! With the edge, appending needs no reading, and what lies on disk can be checked from the head's
//! root down: root ← edge ← complete tiles ← entries.

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::{Frontier, empty_root, node_hash};

use super::path::{TILE_WIDTH, TileId};

/// The incomplete tile of each level, the lowest level first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

/// Levels that a log of 2^63 leaves can have: 8 bits of the size for each.
pub(super) const LEVELS_MAX: u8 = 8;

impl Edge {
    /// An edge read back from disk; `levels[l]` holds as many hashes as [`Edge::width`] says.
    pub(super) fn from_levels(size: u64, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, levels }
    }

    /// How many hashes the incomplete tile of `level` has in a log of `size` leaves.
    pub(super) fn width(size: u64, level: u8) -> u64 {
        tiles_below(size, level) % TILE_WIDTH
    }

    /// Number of the incomplete tile of `level` in a log of `size` leaves.
    pub(super) fn number(size: u64, level: u8) -> u64 {
        tiles_below(size, level) / TILE_WIDTH
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Hashes of the incomplete tile of `level`.
    pub(super) fn level(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// Adds a leaf hash and tells each hash that the addition put into a tile, lowest level first,
    /// as (tile, place in it, hash).
    pub(super) fn append(&mut self, leaf: Hash, mut added: impl FnMut(TileId, u64, Hash)) {
        let mut hash = leaf;
        for level in 0..LEVELS_MAX {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let place = Self::width(self.size, level);
            added(TileId::hashes(level, Self::number(self.size, level)), place, hash);
            let tile = &mut self.levels[usize::from(level)];
            tile.push(hash);
            if tile.len() as u64 != TILE_WIDTH {
                break;
            }
            hash = subtree_root(tile);
            tile.clear();
        }
        self.size += 1;
    }

    /// Hashes of the complete subtrees that the size is made of, largest first.
    pub(super) fn peaks(&self) -> Vec<Hash> {
        let mut peaks = Vec::new();
        for tile in self.levels.iter().rev() {
            let mut rest = tile.as_slice();
            while !rest.is_empty() {
                let (subtree, after) = rest.split_at(1 << rest.len().ilog2());
                peaks.push(subtree_root(subtree));
                rest = after;
            }
        }
        peaks
    }

    /// Root hash over all leaves.
    pub(super) fn root(&self) -> Hash {
        let peaks = self.peaks();
        let Some((last, rest)) = peaks.split_last() else { return empty_root() };
        rest.iter().rev().fold(*last, |right, left| node_hash(left, &right))
    }

    /// The same edge as a frontier; `None` only for a size beyond any log.
    pub(super) fn frontier(&self) -> Option<Frontier> {
        Frontier::from_parts(self.size, self.peaks()).ok()
    }
}

/// How many complete subtrees of 256^level leaves a log of `size` has.
fn tiles_below(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// Root of a complete subtree over `hashes`, whose count is a power of two.
pub(super) fn subtree_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two(), "a complete subtree has 2^n nodes");
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row.first().copied().unwrap_or_else(empty_root)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use hutong_crypto::merkle::leaf_hash;

    use super::*;

    #[test]
    fn edge_and_frontier_agree_at_every_size() {
        let (mut edge, mut frontier) = (Edge::default(), Frontier::new());
        for index in 0..70_000_u64 {
            if index < 1_100 || index % 997 == 0 || index > 65_500 && index < 65_600 {
                assert_eq!(edge.root(), frontier.root(), "at {index}");
                assert_eq!(edge.frontier().unwrap(), frontier, "at {index}");
            }
            let leaf = leaf_hash(&index.to_be_bytes());
            edge.append(leaf, |_, _, _| ());
            frontier.append(leaf);
        }
    }

    #[test]
    fn hashes_go_into_consecutive_places_of_each_level() {
        let mut edge = Edge::default();
        let mut next = [0_u64; 3];
        for index in 0..66_000_u64 {
            edge.append(leaf_hash(&index.to_be_bytes()), |tile, place, _| {
                let super::super::path::Part::Hashes(level) = tile.part else { return };
                let at = &mut next[usize::from(level)];
                assert_eq!(tile.number * TILE_WIDTH + place, *at);
                *at += 1;
            });
        }
        assert_eq!(next, [66_000, 66_000 / 256, 66_000 / 65_536]);
        assert_eq!(Edge::width(66_000, 1), 1);
        assert_eq!(Edge::number(66_000, 0), 257);
        assert_eq!(Edge::width(66_000, 9), 0);
    }
}
