//! Proof texts: that an entry is in a log, in one text that can be checked offline.
//!
//! Which log and witnesses to believe, the verifier knows from elsewhere.
//!
//! Source: C2SP tlog-proof v1.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use base64ct::{Base64, Encoding as _};

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    digest::Hash,
    limits::{INCLUSION_HASHES_MAX, LOG_SIZE_MAX, PROOF_EXTRA_BYTES_MAX, PROOF_TEXT_BYTES_MAX},
    merkle::{VerifyError, verify_inclusion},
    note::{Note, NoteError, decode_base64, decode_decimal, decode_hash},
};

/// The first line of a proof text.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An entry's place, the hashes from it to the root, and the checkpoint with that root. Form is
/// checked; neither signatures nor hashes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry's index, counted from 0.
    pub index: u64,
    /// From the leaf's sibling up to the root's child; at most [`INCLUSION_HASHES_MAX`].
    pub hashes: Vec<Hash>,
    /// The checkpoint, with the log's signature and its cosignatures.
    pub checkpoint: Note,
    /// Opaque data that nothing vouches for; never `Some` of nothing.
    pub extra: Option<Vec<u8>>,
}

/// Why a text is not a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// The text is longer than [`PROOF_TEXT_BYTES_MAX`].
    #[error("expected a proof of at most {PROOF_TEXT_BYTES_MAX} bytes, met {met}")]
    TooLong {
        /// Its length in bytes.
        met: usize,
    },
    /// The first line is not the one of this format.
    #[error("expected the first line `{HEADER}`")]
    Header,
    /// The extra line is not base64 of 1 to [`PROOF_EXTRA_BYTES_MAX`] bytes.
    #[error("expected extra data as base64 of 1 to {PROOF_EXTRA_BYTES_MAX} bytes")]
    Extra,
    /// The index line is missing or not a decimal without leading zeros.
    #[error("expected `index` and a decimal without leading zeros below {LOG_SIZE_MAX}")]
    Index,
    /// A hash line is not base64 of 32 bytes, or there are too many.
    #[error("expected at most {INCLUSION_HASHES_MAX} lines with base64 of 32 bytes")]
    Hash,
    /// No empty line parts proof and checkpoint.
    #[error("expected an empty line and a checkpoint after the hashes")]
    NoCheckpoint,
    /// What follows the empty line is not a note.
    #[error("the proof's checkpoint is not a note")]
    Note(#[from] NoteError),
    /// The note is not a checkpoint.
    #[error("the proof's note is not a checkpoint")]
    Checkpoint(#[from] CheckpointError),
}

impl TlogProof {
    /// Reads a proof. What is read encodes to `text` again.
    ///
    /// # Errors
    ///
    /// A [`TlogProofError`] that names the part at fault.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        if text.len() > PROOF_TEXT_BYTES_MAX {
            return Err(TlogProofError::TooLong { met: text.len() });
        }
        // The first empty line ends the proof's own lines; the note has its own further on.
        let (head, note) = text.split_once("\n\n").ok_or(TlogProofError::NoCheckpoint)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(TlogProofError::Header);
        }
        let extra =
            lines.next_if(|line| line.starts_with("extra ")).map(parse_extra).transpose()?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(decode_decimal)
            .filter(|index| *index < LOG_SIZE_MAX)
            .ok_or(TlogProofError::Index)?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == INCLUSION_HASHES_MAX {
                return Err(TlogProofError::Hash);
            }
            hashes.push(decode_hash(line).ok_or(TlogProofError::Hash)?);
        }
        let checkpoint = Note::parse(note)?;
        Checkpoint::parse(&checkpoint.text)?;
        Ok(Self { index, hashes, checkpoint, extra })
    }

    /// The proof as one text. Extra data of no bytes is left out.
    pub fn encode(&self) -> String {
        let mut text = format!("{HEADER}\n");
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.is_empty()) {
            text.push_str(&format_line("extra ", &Base64::encode_string(extra)));
        }
        text.push_str(&format_line("index ", &self.index.to_string()));
        for hash in &self.hashes {
            text.push_str(&format_line("", &Base64::encode_string(&hash.0)));
        }
        text.push('\n');
        text.push_str(&self.checkpoint.encode());
        text
    }

    /// Checks that the hashes lead from `leaf` to the root of `checkpoint`.
    ///
    /// `checkpoint` is what [`Checkpoint::verify_log_signature_strict`] returned for the note here.
    ///
    /// # Errors
    ///
    /// As [`verify_inclusion`].
    pub fn verify(&self, leaf: &Hash, checkpoint: &Checkpoint) -> Result<(), VerifyError> {
        verify_inclusion(leaf, self.index, checkpoint.size, &checkpoint.root, &self.hashes)
    }
}

impl core::fmt::Display for TlogProof {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.encode())
    }
}

impl core::str::FromStr for TlogProof {
    type Err = TlogProofError;

    fn from_str(text: &str) -> Result<Self, TlogProofError> {
        Self::parse(text)
    }
}

fn parse_extra(line: &str) -> Result<Vec<u8>, TlogProofError> {
    line.strip_prefix("extra ")
        .filter(|base64| base64.len() <= PROOF_EXTRA_BYTES_MAX.div_ceil(3) * 4)
        .and_then(decode_base64)
        .filter(|bytes| (1..=PROOF_EXTRA_BYTES_MAX).contains(&bytes.len()))
        .ok_or(TlogProofError::Extra)
}

fn format_line(name: &str, value: &str) -> String {
    format!("{name}{value}\n")
}
