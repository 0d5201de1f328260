//! Proof that a log was shown in two versions.
//!
//! Evidence is a value: two checkpoints signed by one log key that cannot both be true. Either
//! they have one size and different roots, or hashes that make up the root of the larger one
//! make up another root at the smaller size. Anybody can check it with the log's
//! origin and key alone, so it is stored, passed on and shown.
//!
//! The hashes are the complete subtrees left and right of the smaller size, and not an RFC 6962
//! consistency proof: for a size that is a power of two such a proof takes the older root from
//! the verifier, so that a false one shows only as a proof that fails, which convicts nobody.
//!
//! Not here: what a node does about it ([`crate::state`]).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::Hash;
use hutong_crypto::keys::PublicKey;
use hutong_crypto::merkle::{Frontier, verify_extension};
use hutong_crypto::note::Note;

use crate::limits::{NOTE_BYTES_MAX, RANGE_HASHES_MAX};
use crate::wire::{Reader, WireError, Writer};

/// Two checkpoints of one log, as signed notes, and what ties them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The checkpoint of the smaller size, or either where the sizes are equal.
    pub first: String,
    /// The other checkpoint.
    pub second: String,
    /// Hashes that cover `[0, first size)`, left to right; empty where the sizes are equal.
    pub left: Vec<Hash>,
    /// Hashes that cover `[first size, second size)`, left to right.
    pub right: Vec<Hash>,
}

/// A checked fact: the holder of a log key signed two checkpoints that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivocation {
    /// The smaller checkpoint.
    pub first: Checkpoint,
    /// The larger one, or the other one of the same size.
    pub second: Checkpoint,
}

/// Why something offered as evidence is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// One of the two notes is not a checkpoint signed by the log's key.
    #[error("the {0} checkpoint is not signed by the log's key")]
    Unsigned(&'static str),
    /// The two checkpoints agree.
    #[error("the two checkpoints agree at size {0}")]
    Consistent(u64),
    /// The first checkpoint is larger than the second.
    #[error("the checkpoints are out of order: {first} before {second}")]
    Order {
        /// Size of the first.
        first: u64,
        /// Size of the second.
        second: u64,
    },
    /// The hashes do not make up the larger checkpoint's root.
    #[error("the hashes do not make up the root at size {0}")]
    Proof(u64),
}

impl Evidence {
    /// The evidence's one byte string.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.text(&self.first).text(&self.second).hashes(&self.left).hashes(&self.right);
        writer.finish()
    }

    /// The evidence in `bytes`, unchecked.
    ///
    /// # Errors
    ///
    /// [`WireError`] for anything but the one encoding.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let first = reader.text("checkpoint note", NOTE_BYTES_MAX)?;
        let second = reader.text("checkpoint note", NOTE_BYTES_MAX)?;
        let left = reader.hashes("left hashes", RANGE_HASHES_MAX)?;
        let right = reader.hashes("right hashes", RANGE_HASHES_MAX)?;
        reader.finish()?;
        Ok(Self { first, second, left, right })
    }

    /// Checks the evidence against the log's origin and key.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] says which part proves nothing.
    pub fn verify(&self, origin: &str, key: &PublicKey) -> Result<Equivocation, EvidenceError> {
        let first = signed(&self.first, origin, key).ok_or(EvidenceError::Unsigned("first"))?;
        let second = signed(&self.second, origin, key).ok_or(EvidenceError::Unsigned("second"))?;
        contradict(&first, &second, &self.left, &self.right)?;
        Ok(Equivocation { first, second })
    }
}

/// Checks that two checkpoints cannot both be true, whoever signed them. The hashes are those of
/// [`Evidence`].
///
/// # Errors
///
/// [`EvidenceError`] says why they may.
pub(crate) fn contradict(
    first: &Checkpoint,
    second: &Checkpoint,
    left: &[Hash],
    right: &[Hash],
) -> Result<(), EvidenceError> {
    if first.size > second.size {
        return Err(EvidenceError::Order { first: first.size, second: second.size });
    }
    let root_at_first_size = if first.size == second.size {
        second.root
    } else {
        let proof = EvidenceError::Proof(second.size);
        let at_first =
            Frontier::from_parts(first.size, left.to_vec()).map_err(|_| proof.clone())?;
        verify_extension(&at_first, &[], right, second.size, &second.root).map_err(|_| proof)?;
        at_first.root()
    };
    if root_at_first_size == first.root {
        return Err(EvidenceError::Consistent(first.size));
    }
    Ok(())
}

fn signed(note: &str, origin: &str, key: &PublicKey) -> Option<Checkpoint> {
    let note = Note::parse(note).ok()?;
    Checkpoint::verify_log_signature(&note, origin, key).ok()
}
