//! Hash tiles: from the head's root down to the leaves' tiles.

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::NodeReader;

use super::{Examined, Finding};
use crate::store::core::check_root;
use crate::store::edge::{Edge, LEVELS_MAX, subtree_root};
use crate::store::error::StoreError;
use crate::store::files::LogFiles;
use crate::store::path::{Part, TILE_WIDTH, TileId};

/// A log's hashes as they lie on disk. `None` stands for what is unreadable or contradicts the
/// tile above it.
pub(super) struct RawTree {
    files: LogFiles,
    size: u64,
    /// All hashes of the levels above the leaves, `upper[0]` being level 1.
    upper: Vec<Vec<Option<Hash>>>,
    /// The incomplete tile of leaf hashes.
    edge: Vec<Option<Hash>>,
}

impl RawTree {
    /// The hash that the level above keeps for tile `number` of `level`.
    pub(super) fn above(&self, level: u8, number: u64) -> Option<Hash> {
        let place = usize::try_from(number).ok()?;
        self.upper.get(usize::from(level))?.get(place).copied().flatten()
    }

    /// The leaf hashes of bundle `number`: the tile's, and whether the tile above contradicts it.
    pub(super) fn leaves(&self, number: u64) -> Result<(Vec<Option<Hash>>, bool), StoreError> {
        if number == self.size / TILE_WIDTH {
            return Ok((self.edge.clone(), true));
        }
        let hashes = self.files.read_hashes(TileId::hashes(0, number), TILE_WIDTH)?;
        let agrees = self.above(0, number).is_none_or(|above| above == subtree_root(&hashes));
        Ok((hashes.into_iter().map(Some).collect(), agrees))
    }
}

impl NodeReader for RawTree {
    type Error = String;

    fn node(&self, level: u8, index: u64) -> Result<Hash, String> {
        let missing = || format!("the tree's hash at level {level}, index {index} is not readable");
        let (tile_level, first) = (level / 8, index << (level % 8));
        let width = 1 << (level % 8);
        let hashes: Vec<Option<Hash>> = if tile_level == 0 {
            let (hashes, _) = self.leaves(first / TILE_WIDTH).map_err(|error| error.to_string())?;
            let place = usize::try_from(first % TILE_WIDTH).map_err(|_| missing())?;
            hashes.get(place..place + width).ok_or_else(missing)?.to_vec()
        } else {
            let place = usize::try_from(first).map_err(|_| missing())?;
            let row = self.upper.get(usize::from(tile_level) - 1).ok_or_else(missing)?;
            row.get(place..place + width).ok_or_else(missing)?.to_vec()
        };
        let hashes: Option<Vec<Hash>> = hashes.into_iter().collect();
        hashes.map(|hashes| subtree_root(&hashes)).ok_or_else(missing)
    }
}

impl Examined {
    /// Reads every tile above the leaves and the incomplete ones, and looks for strange files.
    pub(super) fn examine_tiles(&self, findings: &mut Vec<Finding>) -> Result<RawTree, StoreError> {
        let size = self.head.size;
        let edge = match self
            .files
            .read_edge(size)
            .and_then(|edge| check_root(&self.files, &edge, &self.head.root).map(|()| edge))
        {
            Ok(edge) => Some(edge),
            Err(error) => {
                findings.push(self.unreadable(&error));
                None
            }
        };
        let edge_hashes = |level: u8| -> Vec<Option<Hash>> {
            let width = usize::try_from(Edge::width(size, level)).unwrap_or_default();
            match &edge {
                Some(edge) => edge.level(level).iter().copied().map(Some).collect(),
                None => vec![None; width],
            }
        };
        let mut tree = RawTree {
            files: self.files.clone(),
            size,
            upper: vec![Vec::new(); usize::from(LEVELS_MAX)],
            edge: edge_hashes(0),
        };
        for level in (1..LEVELS_MAX).rev() {
            let mut row = Vec::new();
            for number in 0..Edge::number(size, level) {
                row.extend(self.examine_tile(&tree, level, number, findings));
            }
            row.extend(edge_hashes(level));
            tree.upper[usize::from(level) - 1] = row;
        }
        for level in 0..LEVELS_MAX {
            let (complete, width) = (Edge::number(size, level), Edge::width(size, level));
            self.find_strange_files(Part::Hashes(level), complete, width > 0, findings)?;
        }
        let (complete, width) = (size / TILE_WIDTH, size % TILE_WIDTH);
        self.find_strange_files(Part::Entries, complete, width > 0, findings)?;
        Ok(tree)
    }

    fn examine_tile(
        &self,
        tree: &RawTree,
        level: u8,
        number: u64,
        findings: &mut Vec<Finding>,
    ) -> Vec<Option<Hash>> {
        let tile = TileId::hashes(level, number);
        match self.files.read_hashes(tile, TILE_WIDTH) {
            Ok(hashes) => {
                let met = subtree_root(&hashes);
                match tree.above(level, number) {
                    Some(expected) if expected != met => {
                        let what =
                            format!("the tile has root {met}, the tile above says {expected}");
                        let path = self.files.path(tile, true);
                        findings.push(self.error(path, None, what, super::REPLACE_FILE));
                        vec![None; hashes.len()]
                    }
                    _ => hashes.into_iter().map(Some).collect(),
                }
            }
            Err(error) => {
                findings.push(self.unreadable(&error));
                vec![None; usize::try_from(TILE_WIDTH).unwrap_or_default()]
            }
        }
    }

    fn find_strange_files(
        &self,
        part: Part,
        complete: u64,
        partial: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<(), StoreError> {
        let listing = self.files.list(part)?;
        for (number, growing) in listing.files {
            let expected = if growing { partial && number == complete } else { number < complete };
            // An interrupted commit may have completed the file that is incomplete by the head.
            if !expected {
                let path = self.files.path(TileId { part, number }, !growing);
                let what = "the file lies beyond what is committed";
                findings.push(self.note(path, what, TIDIED));
            }
        }
        for path in listing.strange {
            findings.push(self.note(path, "no file of a log has this name", MAY_BE_DELETED));
        }
        Ok(())
    }
}

const TIDIED: &str = "left by an interrupted commit; it is tidied away at the next start";
const MAY_BE_DELETED: &str = "it is not used and may be deleted";
