//! RFC 6962 Merkle trees: hashes, frontiers, proofs and ranges.
//!
//! Trees are never held here as a whole, but for [`MemoryTree`]: whoever stores one answers
//! [`NodeReader`], and proofs are made from that. A node is named by its level (0 for leaves) and its
//! index on that level, and is only ever the root of a complete subtree of `2^level` leaves.
//!
//! Source: RFC 6962 §2.1, RFC 9162 §2.1.3 and §2.1.4.

mod frontier;
mod hash;
mod memory;
mod proof;
mod range;
mod verify;

pub use frontier::{Frontier, FrontierError};
pub use hash::{empty_root, leaf_hash, node_hash};
pub use memory::MemoryTree;
pub use proof::{NodeReader, ProofError, consistency_proof, inclusion_proof, root_at};
pub use range::{cover, verify_extension};
pub use verify::{VerifyError, verify_consistency, verify_inclusion};
