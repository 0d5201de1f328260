//! The three hashes that make a tree.

use crate::digest::{Hash, sha256, sha256_parts};

/// The hash of an entry as a leaf; a prefix keeps leaves and nodes apart.
///
/// Source: RFC 6962 §2.1.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    // SHA256(0x00 || entry)
    sha256_parts(&[&[0x00], entry])
}

/// The hash of the node over `l` and `r`.
///
/// Source: RFC 6962 §2.1.
pub fn node_hash(l: &Hash, r: &Hash) -> Hash {
    // SHA256(0x01 || left || right)
    sha256_parts(&[&[0x01], &l.0, &r.0])
}

/// The root of the tree without leaves.
///
/// Source: RFC 6962 §2.1.
pub fn empty_root() -> Hash {
    sha256(b"")
}

/// The root over the roots of neighbouring complete subtrees, given left to right by falling size.
pub(super) fn fold(peaks: &[Hash]) -> Hash {
    let Some((last, rest)) = peaks.split_last() else { return empty_root() };
    rest.iter().rev().fold(*last, |right, left| node_hash(left, &right))
}
