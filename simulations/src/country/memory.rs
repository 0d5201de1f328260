//! What all nodes of a process compute in common, computed once.
//!
//! Every question is kept under a digest of all of it: key, message and signature; all facts and
//! charters; log and entry. Two questions share an answer only where they are the same bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hutong_crypto::digest::{Hash, blake3};
use hutong_crypto::keys::{PublicKey, Signature};
use hutong_protocol::charter::CharterChain;
use hutong_protocol::check::{self, Outcome};
use hutong_protocol::directory::{Directory, Facts};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::oracle::{Oracle, Plain};

/// Answers to questions that were asked before.
#[derive(Debug, Default)]
pub struct Memory {
    signatures: Shards<bool>,
    entries: Shards<Outcome>,
    directories: Mutex<BTreeMap<Hash, Arc<Directory>>>,
}

/// A map in parts, so that threads seldom wait for each other.
#[derive(Debug)]
struct Shards<T>(Vec<Mutex<BTreeMap<Hash, T>>>);

impl<T> Default for Shards<T> {
    fn default() -> Self {
        Self((0..=u8::MAX).map(|_| Mutex::default()).collect())
    }
}

impl<T: Copy> Shards<T> {
    fn answer(&self, question: Hash, compute: impl FnOnce() -> T) -> T {
        let shard = &self.0[usize::from(question.as_bytes()[31])];
        let mut known = shard.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(question).or_insert_with(compute)
    }

    fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

impl Memory {
    /// The outcomes of [`check::entries`].
    pub fn check(&self, log: &ExchangeId, entries: &[Entry]) -> Vec<Outcome> {
        let one = |entry: &Entry| {
            let mut question = Vec::with_capacity(32 + log.as_str().len());
            question.extend_from_slice(entry.leaf_hash().as_bytes());
            question.extend_from_slice(log.as_str().as_bytes());
            self.entries.answer(blake3(&question), || {
                check::entries(log, std::slice::from_ref(entry)).pop().unwrap_or(Outcome::Void)
            })
        };
        entries.iter().map(one).collect()
    }

    /// How many signatures were verified, entries checked and directories built.
    pub fn computed(&self) -> (usize, usize, usize) {
        let directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        (self.signatures.len(), self.entries.len(), directories.len())
    }
}

impl Oracle for Memory {
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        // Key and signature have fixed lengths, so that no two questions have the same bytes.
        let mut question = Vec::with_capacity(96 + message.len());
        question.extend_from_slice(key.as_bytes());
        question.extend_from_slice(signature.as_bytes());
        question.extend_from_slice(message);
        let verify = || hutong_crypto::verify(key, message, signature);
        self.signatures.answer(blake3(&question), verify)
    }

    fn directory(
        &self,
        before: Option<&Directory>,
        charters: &CharterChain,
        facts: &Facts,
    ) -> Arc<Directory> {
        let mut question = Vec::with_capacity(64 * facts.len() + 64);
        for version in charters.versions() {
            question.extend_from_slice(version.digest().as_bytes());
        }
        for (place, fact) in facts.iter() {
            question.extend_from_slice(place.log.as_str().as_bytes());
            question.push(0);
            question.extend_from_slice(&place.index.to_be_bytes());
            question.extend_from_slice(fact.entry().leaf_hash().as_bytes());
        }
        let mut known = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        let build = || Plain.directory(before, charters, facts);
        Arc::clone(known.entry(blake3(&question)).or_insert_with(build))
    }
}
