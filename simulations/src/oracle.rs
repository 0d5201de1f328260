//! Answers that all nodes of a process share: each signature, statement and directory once.
//!
//! Every question is kept under all of its input: two questions share an answer only where they are the
//! same bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hutong_crypto::digest::{Hash, blake3};
use hutong_crypto::keys::{PublicKey, Signature};
use hutong_protocol::charter::CharterChain;
use hutong_protocol::check::{self, Outcome};
use hutong_protocol::directory::{AdminFact, Directory, Facts};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::oracle::{Oracle, Plain};

/// Parts of a table, so that threads seldom wait for each other.
const SHARDS: usize = 256;
/// Answers that are kept in one part at most; then it forgets them all.
const ANSWERS_PER_SHARD_MAX: usize = 1_000;
/// Directories that are kept at most.
const DIRECTORIES_MAX: usize = 500;

/// Remembers answers.
#[derive(Debug, Default)]
pub struct Memory {
    /// By BLAKE3 over key, signature and message.
    verdicts: Table<bool>,
    /// By leaf hash.
    facts: Table<Option<Arc<AdminFact>>>,
    /// By BLAKE3 over leaf hash and log.
    outcomes: Table<Outcome>,
    /// By BLAKE3 over the charters, and the facts with their places.
    directories: Mutex<BTreeMap<Hash, Arc<Directory>>>,
    directories_built: AtomicUsize,
}

#[derive(Debug)]
struct Table<T> {
    shards: Vec<Mutex<BTreeMap<Hash, T>>>,
    computed: AtomicUsize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, computed: AtomicUsize::new(0) }
    }
}

impl<T: Clone> Table<T> {
    fn answer(&self, question: Hash, compute: impl FnOnce() -> T) -> T {
        let shard = &self.shards[usize::from(question.as_bytes()[31])];
        let mut known = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(&question) {
            return answer.clone();
        }
        if known.len() >= ANSWERS_PER_SHARD_MAX {
            known.clear();
        }
        let answer = compute();
        self.computed.fetch_add(1, Ordering::Relaxed);
        known.insert(question, answer.clone());
        answer
    }
}

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<Arc<Memory>>> = const { RefCell::new(None) };
}

impl Memory {
    /// What the worlds of this thread share.
    pub fn of_this_thread() -> Arc<Self> {
        OF_THIS_THREAD.with_borrow_mut(|memory| Arc::clone(memory.get_or_insert_default()))
    }

    /// As [`check::entries`].
    pub fn outcomes(&self, log: &ExchangeId, entries: &[Entry]) -> Vec<Outcome> {
        let one = |entry: &Entry| {
            let mut question = Vec::with_capacity(32 + log.as_str().len());
            question.extend_from_slice(entry.leaf_hash().as_bytes());
            question.extend_from_slice(log.as_str().as_bytes());
            self.outcomes.answer(blake3(&question), || {
                check::entries(log, std::slice::from_ref(entry)).pop().unwrap_or(Outcome::Void)
            })
        };
        entries.iter().map(one).collect()
    }

    /// How many signatures were verified, entries checked and directories built.
    pub fn computed(&self) -> (usize, usize, usize) {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let (verdicts, outcomes) = (&self.verdicts.computed, &self.outcomes.computed);
        (of(verdicts), of(outcomes), of(&self.directories_built))
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
        self.verdicts.answer(blake3(&question), verify)
    }

    fn fact(&self, entry: Entry) -> Option<Arc<AdminFact>> {
        self.facts.answer(entry.leaf_hash(), || Plain.fact(entry))
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
        if known.len() >= DIRECTORIES_MAX {
            known.clear();
        }
        let build = || {
            self.directories_built.fetch_add(1, Ordering::Relaxed);
            Plain.directory(before, charters, facts)
        };
        Arc::clone(known.entry(blake3(&question)).or_insert_with(build))
    }
}
