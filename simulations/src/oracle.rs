//! Answers that all nodes of a process share: each signature, statement and directory once.
//!
//! Every question is kept under all of its input: two questions share an answer only where they are the
//! same bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_crypto::note::{Note, NoteSignature};
use hutong_protocol::charter::SignedCharter;
use hutong_protocol::check::{self, Outcome};
use hutong_protocol::directory::{Directory, NoteKey};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::message::{Gossip, Response};
use hutong_protocol::oracle::{Oracle, Plain, SignedCheckpoint};
use hutong_protocol::wire::WireError;

/// Parts of a table, so that threads seldom wait for each other.
const SHARDS: u64 = 256;
/// Answers that are kept in one part at most; then it forgets them all.
const ANSWERS_PER_SHARD_MAX: usize = 1_000;
/// Messages that are kept in one part at most: those under way.
const MESSAGES_PER_SHARD_MAX: usize = 16;
/// Answers from this size on are kept: the others are read in no time, and few are asked for twice.
const REMEMBERED_RESPONSE_BYTES_MIN: usize = 1_024;
/// Directories that are kept at most.
const DIRECTORIES_MAX: usize = 500;

/// Remembers answers.
#[derive(Debug)]
pub struct Memory {
    checkpoints: Table<(NoteKey, Note), Option<SignedCheckpoint>>,
    /// By the place of the bytes, where nothing else can be while they are kept.
    messages: Table<Bytes, Result<Arc<Gossip>, WireError>>,
    /// The same.
    responses: Table<Bytes, Result<Response, WireError>>,
    cosignatures: Table<(NoteKey, NoteSignature, Box<str>), Option<Arc<NoteSignature>>>,
    /// By leaf hash and log.
    outcomes: Table<(Hash, ExchangeId), Outcome>,
    /// By the directory's own digest, which is over the founding charter and all that was applied.
    directories: Mutex<BTreeMap<Hash, Arc<Directory>>>,
    directories_built: AtomicUsize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            checkpoints: Table::new(ANSWERS_PER_SHARD_MAX),
            messages: Table::new(MESSAGES_PER_SHARD_MAX),
            responses: Table::new(MESSAGES_PER_SHARD_MAX),
            cosignatures: Table::new(ANSWERS_PER_SHARD_MAX),
            outcomes: Table::new(ANSWERS_PER_SHARD_MAX),
            directories: Mutex::default(),
            directories_built: AtomicUsize::new(0),
        }
    }
}

/// Answers by question. A number that the question comes to finds the few that it is compared with.
#[derive(Debug)]
struct Table<Q, T> {
    shards: Vec<Mutex<Shard<Q, T>>>,
    answers_per_shard_max: usize,
    computed: AtomicUsize,
}

#[derive(Debug)]
struct Shard<Q, T> {
    answers: BTreeMap<u64, Vec<(Q, T)>>,
    count: usize,
}

impl<Q, T: Clone> Table<Q, T> {
    fn new(answers_per_shard_max: usize) -> Self {
        let shard = || Mutex::new(Shard { answers: BTreeMap::new(), count: 0 });
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { shards, answers_per_shard_max, computed: AtomicUsize::new(0) }
    }

    fn answer(
        &self,
        number: u64,
        same: impl Fn(&Q) -> bool,
        compute: impl FnOnce() -> (Q, T),
    ) -> T {
        let shard = usize::try_from(number % SHARDS).unwrap_or(0);
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        let known = shard.answers.get(&number);
        if let Some((_, answer)) = known.and_then(|known| known.iter().find(|it| same(&it.0))) {
            return answer.clone();
        }
        if shard.count >= self.answers_per_shard_max {
            shard.answers.clear();
            shard.count = 0;
        }
        let (question, answer) = compute();
        self.computed.fetch_add(1, Ordering::Relaxed);
        shard.count += 1;
        shard.answers.entry(number).or_default().push((question, answer.clone()));
        answer
    }
}

/// Eight of the bytes, of which those of a hash or a signature are as good as random.
fn number(bytes: &[u8]) -> u64 {
    bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last))
}

/// Where bytes lie.
fn place(bytes: &Bytes) -> (usize, usize) {
    (bytes.as_ptr().addr(), bytes.len())
}

/// A number for where bytes lie; they are set apart by 16 bytes at least.
fn number_at(bytes: &Bytes) -> u64 {
    place(bytes).0 as u64 / 16
}

/// The same of a signature: its last bytes are those of a number below 2^253.
fn number_of(signature: &[u8]) -> u64 {
    number(signature.get(..32).unwrap_or_default())
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
            let leaf = entry.leaf_hash();
            let same = |known: &(Hash, ExchangeId)| known.0 == leaf && known.1 == *log;
            self.outcomes.answer(number(leaf.as_bytes()), same, || {
                let outcome = check::entries(log, std::slice::from_ref(entry)).pop();
                ((leaf, log.clone()), outcome.unwrap_or(Outcome::Void))
            })
        };
        entries.iter().map(one).collect()
    }

    /// How many signatures were verified, entries checked and directories built.
    pub fn computed(&self) -> (usize, usize, usize) {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let signatures = of(&self.checkpoints.computed) + of(&self.cosignatures.computed);
        (signatures, of(&self.outcomes.computed), of(&self.directories_built))
    }
}

impl Oracle for Memory {
    fn gossip(&self, bytes: Bytes) -> Result<Arc<Gossip>, WireError> {
        let same = |known: &Bytes| place(known) == place(&bytes);
        let decode = || (bytes.clone(), Gossip::decode(bytes.clone()).map(Arc::new));
        self.messages.answer(number_at(&bytes), same, decode)
    }

    fn response(&self, bytes: Bytes) -> Result<Response, WireError> {
        if bytes.len() < REMEMBERED_RESPONSE_BYTES_MIN {
            return Response::decode(bytes);
        }
        let same = |known: &Bytes| place(known) == place(&bytes);
        let decode = || (bytes.clone(), Response::decode(bytes.clone()));
        self.responses.answer(number_at(&bytes), same, decode)
    }

    fn cosignature(
        &self,
        text: &str,
        line: &NoteSignature,
        by: &NoteKey,
    ) -> Option<Arc<NoteSignature>> {
        let same = |known: &(NoteKey, NoteSignature, Box<str>)| {
            known.1 == *line && known.0 == *by && *known.2 == *text
        };
        self.cosignatures.answer(number_of(&line.signature), same, || {
            let verdict = Plain.cosignature(text, line, by);
            ((by.clone(), line.clone(), Box::from(text)), verdict)
        })
    }

    fn checkpoint(&self, note: &Note, by: &NoteKey) -> Option<SignedCheckpoint> {
        let line = note.signatures.iter().find(|line| by.is_named_by(line))?;
        // Of the lines, only the first that names the key counts.
        let same = |known: &(NoteKey, Note)| {
            known.0 == *by && known.1.text == note.text && known.1.signatures.first() == Some(line)
        };
        self.checkpoints.answer(number_of(&line.signature), same, || {
            let alone = Note { text: note.text.clone(), signatures: vec![line.clone()] };
            let signed = Plain.checkpoint(&alone, by);
            ((by.clone(), alone), signed)
        })
    }

    fn fold(
        &self,
        before: &Arc<Directory>,
        entries: &[Entry],
        charter: Option<&SignedCharter>,
    ) -> Arc<Directory> {
        let after = |digest, entry| Directory::digest_after(&digest, entry, charter);
        let question = entries.iter().fold(before.digest(), after);
        let mut known = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DIRECTORIES_MAX {
            known.clear();
        }
        let build = || {
            self.directories_built.fetch_add(1, Ordering::Relaxed);
            Plain.fold(before, entries, charter)
        };
        Arc::clone(known.entry(question).or_insert_with(build))
    }
}
