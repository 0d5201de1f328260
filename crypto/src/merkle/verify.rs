//! Checking inclusion and consistency proofs against known roots.

use super::hash::{empty_root, node_hash};
use crate::{digest::Hash, limits::LOG_SIZE_MAX};

/// Why a proof does not show what it was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The leaf cannot be in a tree of this size.
    #[error("index {index} is not below size {size}")]
    Index {
        /// The index claimed.
        index: u64,
        /// The size claimed.
        size: u64,
    },
    /// The older tree is larger than the newer.
    #[error("old size {old} is beyond new size {new}")]
    Sizes {
        /// The older size claimed.
        old: u64,
        /// The newer size claimed.
        new: u64,
    },
    /// The size is beyond [`LOG_SIZE_MAX`].
    #[error("size {size} is beyond the largest log")]
    TooLarge {
        /// The size claimed.
        size: u64,
    },
    /// The number of hashes does not belong to the sizes.
    #[error("expected {expected} hashes, met {met}")]
    ProofLength {
        /// Hashes that the sizes ask for.
        expected: usize,
        /// Hashes given.
        met: usize,
    },
    /// The hashes lead elsewhere than to the (newer) root.
    #[error("expected root {expected}, met {met}")]
    Root {
        /// The root known.
        expected: Hash,
        /// The root that the hashes make.
        met: Hash,
    },
    /// The hashes lead elsewhere than to the older root.
    #[error("expected old root {expected}, met {met}")]
    OldRoot {
        /// The older root known.
        expected: Hash,
        /// The older root that the hashes make.
        met: Hash,
    },
}

impl VerifyError {
    /// An error unless `met` is the `expected` root.
    pub(super) fn compare(expected: &Hash, met: Hash) -> Result<(), Self> {
        if *expected == met { Ok(()) } else { Err(Self::Root { expected: *expected, met }) }
    }
}

/// Checks that `leaf` is at `index` in the tree of `size` leaves under `root`.
///
/// # Errors
///
/// [`VerifyError::Index`], [`VerifyError::TooLarge`], [`VerifyError::ProofLength`] or
/// [`VerifyError::Root`].
///
/// Source: RFC 9162 §2.1.3.2.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if size > LOG_SIZE_MAX {
        return Err(VerifyError::TooLarge { size });
    }
    if index >= size {
        return Err(VerifyError::Index { index, size });
    }
    let mut walk = Walk::new(index, size - 1);
    check_length(walk.count(), proof.len())?;
    let mut hash = *leaf;
    for sibling in proof {
        hash = match walk.step() {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    VerifyError::compare(root, hash)
}

/// Checks that the tree of `old_size` leaves under `old_root` is the beginning of the tree of
/// `new_size` leaves under `new_root`.
///
/// The empty tree begins every tree, by an empty proof and the empty root; so does a tree itself.
///
/// # Errors
///
/// [`VerifyError::Sizes`], [`VerifyError::TooLarge`], [`VerifyError::ProofLength`],
/// [`VerifyError::OldRoot`] or [`VerifyError::Root`].
///
/// Source: RFC 9162 §2.1.4.2.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if new_size > LOG_SIZE_MAX {
        return Err(VerifyError::TooLarge { size: new_size });
    }
    if old_size > new_size {
        return Err(VerifyError::Sizes { old: old_size, new: new_size });
    }
    if old_size == 0 || old_size == new_size {
        check_length(0, proof.len())?;
        let known = if old_size == 0 { empty_root() } else { *new_root };
        compare_old(old_root, known)?;
        return if new_size == 0 { VerifyError::compare(new_root, empty_root()) } else { Ok(()) };
    }
    // The last leaf of the old tree, raised to the largest complete subtree that it ends.
    let raised = old_size.trailing_zeros();
    let mut walk = Walk::new((old_size - 1) >> raised, (new_size - 1) >> raised);
    // Where the old tree is one complete subtree its root is that node, and the proof leaves it out.
    let left_out = old_size.is_power_of_two();
    check_length(walk.count() + usize::from(!left_out), proof.len())?;
    let (first, rest) = if left_out { (*old_root, proof) } else { (proof[0], &proof[1..]) };
    let (mut old, mut new) = (first, first);
    for sibling in rest {
        match walk.step() {
            Side::Left => {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            }
            Side::Right => new = node_hash(&new, sibling),
        }
    }
    compare_old(old_root, old)?;
    VerifyError::compare(new_root, new)
}

fn check_length(expected: usize, met: usize) -> Result<(), VerifyError> {
    if expected == met { Ok(()) } else { Err(VerifyError::ProofLength { expected, met }) }
}

fn compare_old(expected: &Hash, met: Hash) -> Result<(), VerifyError> {
    if *expected == met { Ok(()) } else { Err(VerifyError::OldRoot { expected: *expected, met }) }
}

/// On which side of the node at hand its sibling stands.
enum Side {
    Left,
    Right,
}

/// The way from a node to the root: `at` is the node's index on its level, `last` that of the
/// level's last node. A node that is last without a sibling rises as it is.
#[derive(Clone)]
struct Walk {
    at: u64,
    last: u64,
}

impl Walk {
    const fn new(at: u64, last: u64) -> Self {
        Self { at, last }
    }

    /// How many siblings the way meets.
    fn count(&self) -> usize {
        let mut walk = self.clone();
        let mut count = 0;
        while walk.last > 0 {
            walk.step();
            count += 1;
        }
        count
    }

    /// Rises to the next node that has a sibling and past it; says where the sibling stands.
    fn step(&mut self) -> Side {
        let lone = self.at == self.last;
        while lone && self.at & 1 == 0 && self.at > 0 {
            self.rise();
        }
        let side = if self.at & 1 == 1 { Side::Left } else { Side::Right };
        self.rise();
        side
    }

    fn rise(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }
}
