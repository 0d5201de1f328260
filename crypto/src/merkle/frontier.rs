//! The right-edge hashes that suffice to append to a tree.

use alloc::vec::Vec;

use super::hash::{fold, node_hash};
use crate::{digest::Hash, limits::LOG_SIZE_MAX};

/// A tree reduced to what appending needs: its size and the roots of its complete subtrees.
///
/// Invariant: one hash for each bit set in the size, left to right, the largest subtree first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

/// Why parts do not make a frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The number of hashes does not belong to the size.
    #[error("a frontier of size {size} has {expected} hashes, met {met}")]
    Hashes {
        /// The size given.
        size: u64,
        /// Bits set in the size.
        expected: u32,
        /// Hashes given.
        met: usize,
    },
    /// The size is beyond [`LOG_SIZE_MAX`].
    #[error("size {size} is beyond the largest log")]
    Size {
        /// The size given.
        size: u64,
    },
}

impl Frontier {
    /// The frontier of the tree without leaves.
    pub const fn new() -> Self {
        Self { size: 0, hashes: Vec::new() }
    }

    /// Puts together what [`Frontier::size`] and [`Frontier::hashes`] gave.
    ///
    /// # Errors
    ///
    /// [`FrontierError`] when the number of hashes does not belong to `size`, or `size` is beyond
    /// [`LOG_SIZE_MAX`]. That the hashes are the right ones, only a known root can tell.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, FrontierError> {
        if size > LOG_SIZE_MAX {
            return Err(FrontierError::Size { size });
        }
        if hashes.len() != size.count_ones() as usize {
            let (expected, met) = (size.count_ones(), hashes.len());
            return Err(FrontierError::Hashes { size, expected, met });
        }
        Ok(Self { size, hashes })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, left to right, the largest first; at most 63.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends one leaf hash. The size stays at most [`LOG_SIZE_MAX`] + 1.
    pub fn append(&mut self, leaf: Hash) {
        self.append_subtree(0, leaf);
    }

    /// The root of the tree; a few hashes of work.
    pub fn root(&self) -> Hash {
        fold(&self.hashes)
    }

    /// Appends a complete subtree of `2^level` leaves by its root.
    pub(super) fn append_subtree(&mut self, level: u8, root: Hash) {
        assert!(self.size <= LOG_SIZE_MAX, "a log does not outgrow LOG_SIZE_MAX");
        assert!(
            self.size.trailing_zeros() >= u32::from(level),
            "a complete subtree starts at a multiple of its size"
        );
        let mut hash = root;
        let mut left = self.size >> level;
        while left & 1 == 1 {
            let sibling = self.hashes.pop().expect("one hash for each bit set in the size");
            hash = node_hash(&sibling, &hash);
            left >>= 1;
        }
        self.hashes.push(hash);
        self.size += 1 << level;
    }
}
