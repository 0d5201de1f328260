//! Ranges of leaves as complete subtrees, and checking that a range belongs to a signed root.

use alloc::vec::Vec;

use super::{frontier::Frontier, verify::VerifyError};
use crate::{digest::Hash, limits::LOG_SIZE_MAX};

/// The fewest complete aligned subtrees that make up leaves `[from, to)`, left to right, each as
/// (level, index on that level); at most [`crate::limits::COVER_SUBTREES_MAX`] for sizes up to
/// [`LOG_SIZE_MAX`], none when `from` is not below `to`.
pub fn cover(from: u64, to: u64) -> Vec<(u8, u64)> {
    let mut subtrees = Vec::new();
    let mut at = from;
    while at < to {
        // As large as both the alignment of its first leaf and the rest of the range allow.
        let level = at.trailing_zeros().min((to - at).ilog2());
        subtrees.push((u8::try_from(level).expect("a level is below 64"), at >> level));
        at += 1 << level;
    }
    subtrees
}

/// Checks that the tree of `frontier`, then `leaves`, then the subtrees of `right`, hash to `root` at
/// `size`, and returns the frontier after `leaves`.
///
/// `frontier` is of a tree already trusted. `leaves` are leaf hashes in order. `right` holds the
/// hashes of `cover(to, size)`, in order, where `to` is the frontier's size plus the number of
/// leaves. When the root is right, so is every leaf: any other would be a SHA-256 collision.
///
/// # Errors
///
/// [`VerifyError::TooLarge`] or [`VerifyError::Sizes`] when the leaves outgrow `size`,
/// [`VerifyError::ProofLength`] when `right` is not as long as the cover, and
/// [`VerifyError::Root`] when the hashes do not lead to `root`.
pub fn verify_extension(
    frontier: &Frontier,
    leaves: &[Hash],
    right: &[Hash],
    size: u64,
    root: &Hash,
) -> Result<Frontier, VerifyError> {
    if size > LOG_SIZE_MAX {
        return Err(VerifyError::TooLarge { size });
    }
    let to = frontier.size().saturating_add(leaves.len() as u64);
    if to > size {
        return Err(VerifyError::Sizes { old: to, new: size });
    }
    let subtrees = cover(to, size);
    if right.len() != subtrees.len() {
        return Err(VerifyError::ProofLength { expected: subtrees.len(), met: right.len() });
    }
    let mut extended = frontier.clone();
    for leaf in leaves {
        extended.append(*leaf);
    }
    let mut whole = extended.clone();
    for ((level, _), hash) in subtrees.into_iter().zip(right) {
        whole.append_subtree(level, *hash);
    }
    VerifyError::compare(root, whole.root())?;
    Ok(extended)
}
