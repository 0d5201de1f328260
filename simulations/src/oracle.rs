//! Answers that all nodes of a process share: each signature, statement and directory once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hutong_crypto::digest::{Hash, blake3};
use hutong_crypto::keys::{PublicKey, Signature};
use hutong_protocol::charter::CharterChain;
use hutong_protocol::check::{self, Outcome};
use hutong_protocol::directory::{AdminFact, Directory, Facts};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::oracle::{Oracle, Plain};

/// Answers of each kind that are kept at most; then all are forgotten.
const ANSWERS_MAX: usize = 50_000;
/// Directories that are kept at most.
const DIRECTORIES_MAX: usize = 500;

#[derive(Debug, Default)]
struct Answers {
    /// By BLAKE3 over key, signature and message.
    verdicts: BTreeMap<Hash, bool>,
    /// By leaf hash.
    facts: BTreeMap<Hash, Option<Arc<AdminFact>>>,
    /// By log and leaf hash.
    outcomes: BTreeMap<(ExchangeId, Hash), Outcome>,
    /// By BLAKE3 over the federation, the number of charters (of which no scenario has two of one
    /// version), and the facts with their places.
    directories: BTreeMap<Hash, Arc<Directory>>,
}

/// Remembers answers. A question is remembered by all of its input.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Answers>);

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<Arc<Memory>>> = const { RefCell::new(None) };
}

impl Memory {
    /// What the worlds of this thread share.
    pub fn of_this_thread() -> Arc<Self> {
        OF_THIS_THREAD.with_borrow_mut(|memory| Arc::clone(memory.get_or_insert_default()))
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`check::entries`].
    pub fn outcomes(&self, log: &ExchangeId, entries: &[Entry]) -> Vec<Outcome> {
        let mut answers = self.answers();
        forget_if_full(&mut answers.outcomes, ANSWERS_MAX);
        entries
            .iter()
            .map(|entry| {
                let asked = (log.clone(), entry.leaf_hash());
                *answers.outcomes.entry(asked).or_insert_with(|| {
                    let found = check::entries(log, std::slice::from_ref(entry));
                    found.first().copied().unwrap_or(Outcome::Void)
                })
            })
            .collect()
    }
}

fn forget_if_full<K: Ord, V>(answers: &mut BTreeMap<K, V>, max: usize) {
    if answers.len() >= max {
        answers.clear();
    }
}

impl Oracle for Memory {
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        let mut asked = key.as_bytes().to_vec();
        asked.extend_from_slice(signature.as_bytes());
        asked.extend_from_slice(message);
        let mut answers = self.answers();
        forget_if_full(&mut answers.verdicts, ANSWERS_MAX);
        let find = || hutong_crypto::verify(key, message, signature);
        *answers.verdicts.entry(blake3(&asked)).or_insert_with(find)
    }

    fn fact(&self, entry: Entry) -> Option<Arc<AdminFact>> {
        let mut answers = self.answers();
        forget_if_full(&mut answers.facts, ANSWERS_MAX);
        answers.facts.entry(entry.leaf_hash()).or_insert_with(|| Plain.fact(entry)).clone()
    }

    fn directory(
        &self,
        before: Option<&Directory>,
        charters: &CharterChain,
        facts: &Facts,
    ) -> Arc<Directory> {
        let mut asked = charters.federation_id().hash().as_bytes().to_vec();
        asked.extend_from_slice(&(charters.versions().len() as u64).to_le_bytes());
        for (place, fact) in facts.iter() {
            asked.extend_from_slice(place.log.as_str().as_bytes());
            asked.extend_from_slice(&place.index.to_le_bytes());
            asked.extend_from_slice(fact.entry().leaf_hash().as_bytes());
        }
        let mut answers = self.answers();
        forget_if_full(&mut answers.directories, DIRECTORIES_MAX);
        let find = || Plain.directory(before, charters, facts);
        Arc::clone(answers.directories.entry(blake3(&asked)).or_insert_with(find))
    }
}
