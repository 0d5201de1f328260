//! The costly pure functions that a state calls, as something that a driver may answer itself.
//!
//! A node computes them: [`Plain`]. Who runs thousands of states in one process is asked the same
//! questions thousands of times, and may remember the answers. A question is its whole input: a
//! memory that is keyed by less than key, message and signature would be a forger's friend.

use alloc::sync::Arc;
use core::fmt;

use hutong_crypto::keys::{PublicKey, Signature};

use crate::charter::CharterChain;
use crate::directory::{AdminFact, Directory, Facts};
use crate::entry::Entry;

/// Answers what depends on nothing but the question. Answers must be those of [`Plain`].
pub trait Oracle: fmt::Debug + Send + Sync {
    /// Whether `signature` is `key`'s on `message`, by the network's rule
    /// ([`hutong_crypto::verify()`]).
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        hutong_crypto::verify(key, message, signature)
    }

    /// What an entry says of a member, if it does ([`AdminFact::read`]).
    fn fact(&self, entry: Entry) -> Option<Arc<AdminFact>> {
        AdminFact::read(&entry).map(Arc::new)
    }

    /// The directory by these charters and facts ([`Directory::build`]); `before` is an earlier one,
    /// from which work may be taken over.
    fn directory(
        &self,
        before: Option<&Directory>,
        charters: &CharterChain,
        facts: &Facts,
    ) -> Arc<Directory> {
        Arc::new(before.map_or_else(
            || Directory::build(charters, facts),
            |before| before.rebuild(charters, facts),
        ))
    }
}

/// Computes every answer anew.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Oracle for Plain {}
