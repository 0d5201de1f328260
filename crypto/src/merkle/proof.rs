//! Making proofs and roots from stored nodes.

use alloc::vec::Vec;

use super::{hash::fold, range::cover};
use crate::{digest::Hash, limits::LOG_SIZE_MAX};

/// Whoever stores a tree's nodes.
pub trait NodeReader {
    /// Why a node could not be read.
    type Error;

    /// The root of the complete subtree of `2^level` leaves whose first leaf is `index << level`.
    ///
    /// Asked only for subtrees complete within the size that the caller named.
    ///
    /// # Errors
    ///
    /// Whatever keeps the node from being read.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// The leaf is not in a tree of this size.
    #[error("index {index} is not below size {size}")]
    Index {
        /// The index asked for.
        index: u64,
        /// The size asked for.
        size: u64,
    },
    /// The older tree is not a beginning of the newer.
    #[error("old size {old} is beyond new size {new}")]
    Sizes {
        /// The older size asked for.
        old: u64,
        /// The newer size asked for.
        new: u64,
    },
    /// The size is beyond [`LOG_SIZE_MAX`].
    #[error("size {size} is beyond the largest log")]
    TooLarge {
        /// The size asked for.
        size: u64,
    },
    /// A node could not be read.
    #[error("a tree node could not be read")]
    Read(#[from] E),
}

/// The root of the first `size` leaves.
///
/// # Errors
///
/// The reader's.
pub fn root_at<R: NodeReader>(size: u64, reader: &R) -> Result<Hash, R::Error> {
    range_root(0, size, reader)
}

/// The hashes that connect leaf `index` to the root of the first `size` leaves, from the leaf's
/// sibling up; at most [`crate::limits::INCLUSION_HASHES_MAX`].
///
/// # Errors
///
/// [`ProofError::Index`] when the leaf is not in the tree, [`ProofError::TooLarge`], or
/// [`ProofError::Read`].
///
/// Source: RFC 6962 §2.1.1.
pub fn inclusion_proof<R: NodeReader>(
    index: u64,
    size: u64,
    reader: &R,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    if size > LOG_SIZE_MAX {
        return Err(ProofError::TooLarge { size });
    }
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(range_root(middle, to, reader)?);
            to = middle;
        } else {
            proof.push(range_root(from, middle, reader)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show the first `old` leaves to be the beginning of the first `new`; at most
/// [`crate::limits::CONSISTENCY_HASHES_MAX`], none when `old` is 0 or `new`.
///
/// # Errors
///
/// [`ProofError::Sizes`] when `old` is beyond `new`, [`ProofError::TooLarge`], or
/// [`ProofError::Read`].
///
/// Source: RFC 6962 §2.1.2.
pub fn consistency_proof<R: NodeReader>(
    old: u64,
    new: u64,
    reader: &R,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    if new > LOG_SIZE_MAX {
        return Err(ProofError::TooLarge { size: new });
    }
    if old > new {
        return Err(ProofError::Sizes { old, new });
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let (mut from, mut to) = (0, new);
    while to > old {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(range_root(middle, to, reader)?);
            to = middle;
        } else {
            proof.push(range_root(from, middle, reader)?);
            from = middle;
        }
    }
    // The old root itself is known to the verifier and left out.
    if from > 0 {
        proof.push(range_root(from, to, reader)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The largest power of two below `leaves`, which is at least 2.
const fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The root over leaves `[from, to)`, where `from` is a multiple of a power of two not below
/// `to - from`, as all ranges of RFC 6962 are: their cover then falls in size from left to right.
fn range_root<R: NodeReader>(from: u64, to: u64, reader: &R) -> Result<Hash, R::Error> {
    let peaks: Result<Vec<Hash>, R::Error> =
        cover(from, to).into_iter().map(|(level, index)| reader.node(level, index)).collect();
    Ok(fold(&peaks?))
}
