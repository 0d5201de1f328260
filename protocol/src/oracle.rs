//! The costly pure functions that a state calls, as something that a driver may answer itself.
//!
//! A node computes them: [`Plain`]. Who runs thousands of states in one process is asked the same
//! questions thousands of times, and may remember the answers. A question is its whole input: a
//! memory that is keyed by less than key, message and signature would be a forger's friend.

use alloc::sync::Arc;
use core::fmt;

use bytes::Bytes;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::cosignature::cosigned_at;
use hutong_crypto::keys::Signature;
use hutong_crypto::note::{Note, NoteSignature};

use crate::charter::SignedCharter;
use crate::directory::{Directory, NoteKey};
use crate::entry::Entry;
use crate::message::{Gossip, Response};
use crate::wire::WireError;

/// A checkpoint that a log's key signed, and the note with that signature alone.
#[derive(Debug, Clone)]
pub struct SignedCheckpoint {
    /// What the note says.
    pub checkpoint: Arc<Checkpoint>,
    /// The note's text and the log's line.
    pub note: Arc<Note>,
}

impl SignedCheckpoint {
    /// The checkpoint in `note`, of the log that `by` names, if the first line that names `by` holds by the
    /// network's rule ([`hutong_crypto::verify()`]).
    pub fn read(note: &Note, by: &NoteKey) -> Option<Self> {
        let line = note.signatures.iter().find(|line| by.is_named_by(line))?;
        let signature = Signature::try_from(line.signature.as_slice()).ok()?;
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        let holds = || hutong_crypto::verify(&by.key, note.text.as_bytes(), &signature);
        if checkpoint.origin != *by.name || !holds() {
            return None;
        }
        let bare = Note { text: note.text.clone(), signatures: alloc::vec![line.clone()] };
        Some(Self { checkpoint: Arc::new(checkpoint), note: Arc::new(bare) })
    }
}

/// Answers what depends on nothing but the question. Answers must be those of [`Plain`].
pub trait Oracle: fmt::Debug + Send + Sync {
    /// What a gossip message says ([`Gossip::decode`]).
    ///
    /// # Errors
    ///
    /// As [`Gossip::decode`].
    fn gossip(&self, bytes: Bytes) -> Result<Arc<Gossip>, WireError> {
        Gossip::decode(bytes).map(Arc::new)
    }

    /// The checkpoint in `note` by the log that `by` names ([`SignedCheckpoint::read`]).
    fn checkpoint(&self, note: &Note, by: &NoteKey) -> Option<SignedCheckpoint> {
        SignedCheckpoint::read(note, by)
    }

    /// `line` if it is a cosignature on `text` by `by`, by the network's rule.
    fn cosignature(
        &self,
        text: &str,
        line: &NoteSignature,
        by: &NoteKey,
    ) -> Option<Arc<NoteSignature>> {
        by.is_named_by(line).then_some(())?;
        cosigned_at(hutong_crypto::verify, text, line, &by.key).map(|_| Arc::new(line.clone()))
    }

    /// What an answer says ([`Response::decode`]).
    ///
    /// # Errors
    ///
    /// As [`Response::decode`].
    fn response(&self, bytes: Bytes) -> Result<Response, WireError> {
        Response::decode(bytes)
    }

    /// The directory after the next `entries` of its register ([`Directory::apply`]). Where one of them is an
    /// effective succession it is the last, and `charter` the charter that it names.
    fn fold(
        &self,
        before: &Arc<Directory>,
        entries: &[Entry],
        charter: Option<&SignedCharter>,
    ) -> Arc<Directory> {
        let mut directory = Directory::clone(before);
        for entry in entries {
            // What takes no effect takes none at every node alike.
            let _no_effect = directory.apply(entry, charter);
        }
        Arc::new(directory)
    }
}

/// Computes every answer anew.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Oracle for Plain {}
