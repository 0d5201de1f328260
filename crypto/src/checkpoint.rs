//! Checkpoints: a log's origin, size and root hash as the text of a signed note.
//!
//! Whether two checkpoints can both be true is not decided here.
//!
//! Source: C2SP tlog-checkpoint v1.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString as _},
    vec::Vec,
};

use base64ct::{Base64, Encoding as _};

use crate::{
    digest::Hash,
    keys::{PublicKey, Signature, SigningKey},
    limits::{
        CHECKPOINT_EXTENSIONS_MAX, CHECKPOINT_TEXT_BYTES_MAX, LOG_SIZE_MAX, ORIGIN_BYTES_MAX,
    },
    note::{KeyName, Note, NoteError, decode_decimal, decode_hash},
};

/// What a log says of itself at one size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkpoint {
    /// The log's name: one line, not empty.
    pub origin: String,
    /// How many entries the log has; at most [`LOG_SIZE_MAX`].
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// Further lines, opaque and each not empty; Hutong writes none.
    pub extensions: Vec<String>,
}

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text is longer than [`CHECKPOINT_TEXT_BYTES_MAX`].
    #[error("expected a checkpoint of at most {CHECKPOINT_TEXT_BYTES_MAX} bytes, met {met}")]
    TooLong {
        /// Its length in bytes.
        met: usize,
    },
    /// The text has fewer than three lines, or no final newline.
    #[error("expected the three lines origin, size and root, each with its newline")]
    Lines,
    /// The origin is empty, too long or holds a control character.
    #[error("expected an origin of 1 to {ORIGIN_BYTES_MAX} bytes without control characters")]
    Origin,
    /// The size is not a decimal without leading zeros up to [`LOG_SIZE_MAX`].
    #[error("expected a size as decimal without leading zeros, at most {LOG_SIZE_MAX}")]
    Size,
    /// The root is not base64 of 32 bytes.
    #[error("expected a root hash as base64 of 32 bytes")]
    Root,
    /// An extension line is empty or holds a control character, or there are too many.
    #[error("expected at most {CHECKPOINT_EXTENSIONS_MAX} extension lines, none empty")]
    Extension,
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: impl Into<String>, size: u64, root: Hash) -> Self {
        Self { origin: origin.into(), size, root, extensions: Vec::new() }
    }

    /// Reads a note's text. What is read encodes to `text` again.
    ///
    /// # Errors
    ///
    /// A [`CheckpointError`] that names the line at fault.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        if text.len() > CHECKPOINT_TEXT_BYTES_MAX {
            return Err(CheckpointError::TooLong { met: text.len() });
        }
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        if !is_line(origin) || origin.len() > ORIGIN_BYTES_MAX {
            return Err(CheckpointError::Origin);
        }
        let size = decode_decimal(size)
            .filter(|size| *size <= LOG_SIZE_MAX)
            .ok_or(CheckpointError::Size)?;
        let root = decode_hash(root).ok_or(CheckpointError::Root)?;
        let extensions: Vec<String> = lines.map(ToOwned::to_owned).collect();
        let in_form = extensions.iter().all(|line| is_line(line));
        if extensions.len() > CHECKPOINT_EXTENSIONS_MAX || !in_form {
            return Err(CheckpointError::Extension);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// The size that a note's text states, whether or not the rest of it is in form.
    pub fn size_in(text: &str) -> Option<u64> {
        text.split('\n').nth(1).and_then(decode_decimal).filter(|size| *size <= LOG_SIZE_MAX)
    }

    /// The checkpoint as a note's text.
    pub fn encode(&self) -> String {
        // origin LF size LF base64(root) LF (extension LF)*
        let mut text = String::new();
        let head = [&self.origin, &self.size.to_string(), &Base64::encode_string(&self.root.0)];
        for line in head.into_iter().chain(&self.extensions) {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The checkpoint as a note signed by the log's `key` under the origin as its name.
    ///
    /// The origin must be a valid [`KeyName`], as those of Hutong's logs are: anything else is the
    /// caller's mistake and panics.
    pub fn sign(&self, key: &SigningKey) -> Note {
        let name = KeyName::new(&self.origin).expect("a log signs under an origin that is a name");
        Note::signed(self.encode(), &name, key)
    }

    /// Checks that `note` is a checkpoint of `origin` signed by its log `key`, by ZIP 215.
    ///
    /// # Errors
    ///
    /// [`NoteError::NotSigned`], [`NoteError::BadSignature`], [`NoteError::Checkpoint`] or
    /// [`NoteError::Origin`].
    pub fn verify_log_signature(
        note: &Note,
        origin: &str,
        key: &PublicKey,
    ) -> Result<Self, NoteError> {
        Self::verify_log_signature_by(crate::verify::verify, note, origin, key)
    }

    /// As [`Checkpoint::verify_log_signature`], by `rule`: [`crate::verify()`] itself, or what
    /// remembers its verdicts.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::verify_log_signature`].
    pub fn verify_log_signature_by(
        rule: impl Fn(&PublicKey, &[u8], &Signature) -> bool,
        note: &Note,
        origin: &str,
        key: &PublicKey,
    ) -> Result<Self, NoteError> {
        note.verify_by(rule, origin, key)?;
        Self::of_origin(note, origin)
    }

    /// As [`Checkpoint::verify_log_signature`], by the strict rule of receipts.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::verify_log_signature`].
    pub fn verify_log_signature_strict(
        note: &Note,
        origin: &str,
        key: &PublicKey,
    ) -> Result<Self, NoteError> {
        note.verify_strict(origin, key)?;
        Self::of_origin(note, origin)
    }

    fn of_origin(note: &Note, origin: &str) -> Result<Self, NoteError> {
        let checkpoint = Self::parse(&note.text)?;
        if checkpoint.origin != origin {
            let (expected, met) = (origin.to_owned(), checkpoint.origin);
            return Err(NoteError::Origin { expected, met });
        }
        Ok(checkpoint)
    }
}

/// Whether `line` is not empty and free of control characters.
fn is_line(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|byte| byte >= b' ')
}
