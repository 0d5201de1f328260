//! A node's disk, in memory: what is durable, and nothing else.
//!
//! As in the node's store, nothing is read as true that does not fit: leaves are compared with the
//! tree's hashes, and what lies in the index (checkpoints, the witness's memory) with a checksum.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::{Hash, blake3};
use hutong_crypto::merkle::{Frontier, MemoryTree, NodeReader as _, cover};
use hutong_protocol::charter::SignedCharter;
use hutong_protocol::directory::{Directory, Prefix, register_version};
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::{Persist, Stored, StoredAnchor, StoredLog};

/// What part of a disk was found changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// An entry is not what its leaf hash says.
    #[error("entry {index} of {log} is damaged")]
    Entry {
        /// The log.
        log: ExchangeId,
        /// Its index.
        index: u64,
    },
    /// What the index holds of a log does not fit its checksum.
    #[error("the {what} of {log} is damaged")]
    Index {
        /// The log.
        log: ExchangeId,
        /// Which part.
        what: &'static str,
    },
}

/// A part of a disk that can be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// An entry.
    Entry,
    /// The newest checkpoint of a log.
    Checkpoint,
    /// What the node last cosigned of a log.
    Witness,
}

/// Something with the checksum that it was written with.
#[derive(Debug, Clone)]
struct Kept {
    bytes: Vec<u8>,
    sum: Hash,
}

impl Kept {
    fn new(bytes: Vec<u8>) -> Self {
        Self { sum: blake3(&bytes), bytes }
    }

    fn read(&self) -> Option<&[u8]> {
        (blake3(&self.bytes) == self.sum).then_some(&self.bytes)
    }

    fn flip(&mut self, at: usize) {
        let at = at % self.bytes.len().max(1);
        if let Some(byte) = self.bytes.get_mut(at) {
            *byte ^= 0x10;
        }
    }
}

/// One log on the disk.
#[derive(Debug, Clone, Default)]
pub struct DiskLog {
    /// Its leaves.
    pub leaves: Vec<Leaf>,
    /// Their tree.
    pub tree: MemoryTree,
    /// Its root.
    root: Option<Hash>,
    frontier: Frontier,
    /// Indices of entries that failed their check.
    pub void: BTreeSet<u64>,
    /// Indices of entries about members.
    decisions: BTreeSet<u64>,
    /// Indices of leaves whose entries are not here.
    pub withheld: BTreeSet<u64>,
    checkpoint: Option<Kept>,
    cosigned: Option<Kept>,
    witness: Option<Kept>,
    frozen: Option<u64>,
    evidence: Vec<Vec<u8>>,
}

/// What outlives a crash.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    logs: BTreeMap<ExchangeId, DiskLog>,
    charters: BTreeMap<Hash, Vec<u8>>,
    /// What anchors changed, by charter version and index.
    anchors: BTreeMap<(u64, u64), Bytes>,
}

/// What a starting node finds, read from a disk.
#[derive(Debug)]
pub struct Read {
    logs: Vec<StoredLog>,
    charters: Vec<SignedCharter>,
    registers: Vec<(ExchangeId, Vec<Entry>)>,
    decisions: Vec<((ExchangeId, u64), Entry)>,
    anchors: Vec<StoredAnchor>,
}

impl Read {
    /// The logs.
    pub fn logs(&self) -> &[StoredLog] {
        &self.logs
    }

    /// The same for a state of a federation that was founded so.
    pub fn stored<'a>(&'a self, founded: &'a Directory) -> Stored<'a> {
        Stored {
            founded,
            charters: self.charters.clone(),
            logs: &self.logs,
            registers: self.registers.clone(),
            decisions: self.decisions.clone(),
            anchors: self.anchors.clone(),
        }
    }
}

impl Disk {
    /// Makes a change durable.
    ///
    /// # Errors
    ///
    /// What the protocol must never ask for: a hole in a log, an entry in another's place, or a
    /// checkpoint that is not the tree's.
    pub fn apply(&mut self, persist: Persist) -> Result<(), String> {
        match persist {
            Persist::Leaves { log, from, leaves, void } => {
                let disk = self.logs.entry(log.clone()).or_default();
                disk.append(from, leaves).map_err(|error| format!("{log}: {error}"))?;
                disk.void.extend(void);
            }
            Persist::Fill { log, entries, void } => {
                let disk = self.logs.entry(log.clone()).or_default();
                for (index, entry) in entries {
                    // As in the node: by the hash in the tree, whatever became of the entry since.
                    let fits =
                        index < disk.tree.size() && disk.leaf_hash(index) == entry.leaf_hash();
                    let slot = usize::try_from(index).ok().and_then(|at| disk.leaves.get_mut(at));
                    match slot.filter(|_| fits) {
                        Some(leaf) => {
                            if is_about_members(&entry) {
                                disk.decisions.insert(index);
                            }
                            disk.withheld.remove(&index);
                            *leaf = Leaf::Entry(entry);
                        }
                        None => {
                            return Err(format!("{log}: fill of {index} does not fit its leaf"));
                        }
                    }
                }
                disk.void.extend(void);
            }
            Persist::Checkpoint { log, note, size } => {
                let disk = self.logs.entry(log.clone()).or_default();
                if size > disk.tree.size() {
                    return Err(format!("{log}: checkpoint of {size} is not held"));
                }
                disk.checkpoint = Some(Kept::new(note.into_bytes()));
            }
            Persist::Cosigned { log, note, .. } => {
                let disk = self.logs.entry(log).or_default();
                disk.cosigned = Some(Kept::new(note.into_bytes()));
            }
            Persist::WitnessMemory { log, size, root } => {
                let disk = self.logs.entry(log.clone()).or_default();
                if disk
                    .witness()
                    .is_some_and(|(before, of)| before > size || (before == size && of != root))
                {
                    return Err(format!("{log}: witness goes back to {size}"));
                }
                let mut bytes = size.to_le_bytes().to_vec();
                bytes.extend_from_slice(root.as_bytes());
                disk.witness = Some(Kept::new(bytes));
            }
            Persist::Charter { bytes } => {
                let charter = SignedCharter::parse(&bytes);
                let digest = charter.map_err(|error| format!("charter: {error}"))?.digest();
                self.charters.insert(digest, bytes);
            }
            Persist::Anchored { version, index, changes } => {
                self.anchors.insert((version, index), changes);
            }
            Persist::Evidence { log, bytes } => {
                let disk = self.logs.entry(log).or_default();
                if !disk.evidence.contains(&bytes) {
                    disk.evidence.push(bytes);
                }
            }
            Persist::Frozen { log, size } => {
                self.logs.entry(log).or_default().frozen = Some(size);
            }
            Persist::Thawed { log } => {
                self.logs.entry(log).or_default().frozen = None;
            }
        }
        Ok(())
    }

    /// The log, if there is anything of it.
    pub fn log(&self, log: &ExchangeId) -> Option<&DiskLog> {
        self.logs.get(log)
    }

    /// The log, to be written without the protocol: by who breaks the rules.
    pub fn log_mut(&mut self, log: &ExchangeId) -> &mut DiskLog {
        self.logs.entry(log.clone()).or_default()
    }

    /// All logs, by id.
    pub fn logs(&self) -> impl Iterator<Item = (&ExchangeId, &DiskLog)> {
        self.logs.iter()
    }

    /// All that a starting node finds.
    ///
    /// # Errors
    ///
    /// The first part that is damaged.
    pub fn read(&self) -> Result<Read, DiskError> {
        let logs = self.logs.iter().map(|(log, disk)| disk.stored(log));
        let logs = logs.collect::<Result<_, _>>()?;
        let (mut registers, mut decisions) = (Vec::new(), Vec::new());
        for (log, disk) in &self.logs {
            if register_version(log).is_some() {
                registers.push((log.clone(), disk.entries(log)?));
                continue;
            }
            for index in disk.decisions.difference(&disk.void) {
                if let Leaf::Entry(entry) = disk.leaf(log, *index)? {
                    decisions.push(((log.clone(), *index), entry.clone()));
                }
            }
        }
        let charters = self.charters.values().filter_map(|it| SignedCharter::parse(it).ok());
        let anchors = self.anchors.iter().map(|((version, index), changes)| StoredAnchor {
            version: *version,
            index: *index,
            changes: changes.clone(),
        });
        let (charters, anchors) = (charters.collect(), anchors.collect());
        Ok(Read { logs, charters, registers, decisions, anchors })
    }

    /// What anchors changed, by charter version and index.
    pub fn anchors(&self) -> &BTreeMap<(u64, u64), Bytes> {
        &self.anchors
    }

    /// Flips a bit of an entry of a log that is none of `own`, at a place that `choice` decides.
    /// Returns whether there was one.
    pub fn damage_entry(&mut self, own: &[ExchangeId], choice: u64) -> bool {
        let at = usize::try_from(choice >> 16).unwrap_or(0);
        let others = |log: &&ExchangeId| !own.contains(log);
        let logs: Vec<ExchangeId> = self.logs.keys().filter(others).cloned().collect();
        let skip = usize::try_from(choice).unwrap_or(0).checked_rem(logs.len()).unwrap_or(0);
        let mut logs = logs.iter().cycle().skip(skip).take(logs.len());
        logs.any(|log| self.logs.get_mut(log).is_some_and(|disk| disk.damage_entry(at)))
    }

    /// Flips a bit of what the index holds of a log. Returns whether there was one.
    pub fn damage_index(&mut self, part: Part, choice: u64) -> bool {
        let at = usize::try_from(choice >> 16).unwrap_or(0);
        let kept = self.logs.values_mut().filter_map(|disk| match part {
            Part::Entry => None,
            Part::Checkpoint => disk.checkpoint.as_mut(),
            Part::Witness => disk.witness.as_mut(),
        });
        let mut kept: Vec<&mut Kept> = kept.collect();
        let chosen = at.checked_rem(kept.len()).unwrap_or(0);
        kept.get_mut(chosen).map(|kept| kept.flip(at)).is_some()
    }

    /// Looks at everything, as `hutong fsck` does.
    ///
    /// # Errors
    ///
    /// The first part that is damaged.
    pub fn examine(&self) -> Result<(), DiskError> {
        for (log, disk) in &self.logs {
            disk.stored(log)?;
            for index in 0..disk.tree.size() {
                disk.leaf(log, index)?;
            }
        }
        Ok(())
    }

    /// Forgets the leaves and checkpoints of one log, so that they are fetched again. What the
    /// witness remembers, evidence and a freeze stay.
    pub fn drop_log(&mut self, log: &ExchangeId) {
        if let Some(disk) = self.logs.get_mut(log) {
            let (witness, frozen) = (disk.witness.take(), disk.frozen);
            let evidence = std::mem::take(&mut disk.evidence);
            *disk = DiskLog { witness, frozen, evidence, ..DiskLog::default() };
        }
    }
}

impl DiskLog {
    /// How many entries are not here, only their hashes.
    pub fn withheld(&self) -> u64 {
        self.withheld.len() as u64
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        self.root.unwrap_or_else(|| self.tree.root())
    }

    /// The root at a size that is held.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        if size == self.tree.size() {
            return Some(self.root());
        }
        if size > self.tree.size() {
            return None;
        }
        Frontier::from_parts(size, self.cover(0, size)).ok().map(|frontier| frontier.root())
    }

    /// The size up to which this log and `other` are the same, of the smaller of their sizes.
    pub fn is_part_of(&self, other: &Self) -> bool {
        let size = self.tree.size().min(other.tree.size());
        self.root_at(size) == other.root_at(size)
    }

    /// Size and root that the node last cosigned; none where that is damaged.
    pub fn witness(&self) -> Option<(u64, Hash)> {
        let bytes = self.witness.as_ref()?.read()?;
        let (size, root) = bytes.split_first_chunk::<8>()?;
        Some((u64::from_le_bytes(*size), Hash::from_bytes(root.try_into().ok()?)))
    }

    /// Whether there is something that the node cosigned, and it cannot be read.
    pub fn witness_is_damaged(&self) -> bool {
        self.witness.is_some() && self.witness().is_none()
    }

    /// The newest checkpoint held, as a note's text.
    pub fn checkpoint(&self) -> Option<&str> {
        std::str::from_utf8(self.checkpoint.as_ref()?.read()?).ok()
    }

    /// The newest checkpoint held that a quorum cosigned, as a note's text.
    pub fn cosigned(&self) -> Option<&str> {
        std::str::from_utf8(self.cosigned.as_ref()?.read()?).ok()
    }

    /// What of the log a quorum cosigned, as far as it is held.
    pub fn witnessed(&self) -> Option<Prefix> {
        let size = Checkpoint::size_in(self.cosigned()?)?.min(self.tree.size());
        Some(Prefix { size, root: self.root_at(size)? })
    }

    /// The entries from index 0 up to the first that is not here.
    ///
    /// # Errors
    ///
    /// The first that is not what the tree says.
    pub fn entries(&self, log: &ExchangeId) -> Result<Vec<Entry>, DiskError> {
        let leaves = (0..self.tree.size()).map(|index| self.leaf(log, index));
        let entries = leaves.map(|leaf| leaf.map(|leaf| leaf.entry().cloned()));
        entries.map_while(Result::transpose).collect()
    }

    /// The size at which the log is frozen.
    pub fn frozen(&self) -> Option<u64> {
        self.frozen
    }

    /// Evidence against the log.
    pub fn evidence(&self) -> &[Vec<u8>] {
        &self.evidence
    }

    /// The leaf at `index`.
    ///
    /// # Errors
    ///
    /// Where it is not what the tree says, or not here.
    pub fn leaf(&self, log: &ExchangeId, index: u64) -> Result<&Leaf, DiskError> {
        let at = usize::try_from(index).ok();
        let leaf = at.and_then(|at| self.leaves.get(at));
        leaf.filter(|leaf| index < self.tree.size() && leaf.hash() == self.leaf_hash(index))
            .ok_or_else(|| DiskError::Entry { log: log.clone(), index })
    }

    /// The hash of the leaf at an index that is held.
    pub fn leaf_hash(&self, index: u64) -> Hash {
        match self.tree.node(0, index) {
            Ok(hash) => hash,
            Err(never) => match never {},
        }
    }

    /// Hashes that cover `[from, to)`.
    pub fn cover(&self, from: u64, to: u64) -> Vec<Hash> {
        cover(from, to)
            .into_iter()
            .map(|(level, at)| match self.tree.node(level, at) {
                Ok(hash) => hash,
                Err(never) => match never {},
            })
            .collect()
    }

    /// Appends leaves from index `from` on.
    ///
    /// # Errors
    ///
    /// Where they leave a hole, or one is another than the one there.
    pub fn append(&mut self, from: u64, leaves: Vec<Leaf>) -> Result<(), String> {
        let size = self.tree.size();
        if from > size {
            return Err(format!("leaves from {from} leave a hole after {size}"));
        }
        for (index, leaf) in (from..).zip(leaves) {
            if index < self.tree.size() {
                if self.leaf_hash(index) != leaf.hash() {
                    return Err(format!("leaf {index} is written twice, differently"));
                }
                continue;
            }
            self.tree.push(leaf.hash());
            self.frontier.append(leaf.hash());
            match leaf.entry() {
                None => {
                    self.withheld.insert(index);
                }
                Some(entry) if is_about_members(entry) => {
                    self.decisions.insert(index);
                }
                Some(_) => {}
            }
            self.leaves.push(leaf);
        }
        self.root = Some(self.frontier.root());
        Ok(())
    }

    /// Makes a note the newest checkpoint.
    pub fn hold(&mut self, note: &str) {
        self.checkpoint = Some(Kept::new(note.as_bytes().to_vec()));
    }

    fn damage_entry(&mut self, at: usize) -> bool {
        let skip = at.checked_rem(self.leaves.len()).unwrap_or(0);
        let places = (skip..self.leaves.len()).chain(0..skip);
        for place in places {
            let Leaf::Entry(entry) = &self.leaves[place] else { continue };
            let mut bytes = entry.as_bytes().to_vec();
            let last = bytes.len() - 1;
            bytes[last] ^= 0x10;
            if let Ok(damaged) = Entry::parse(Bytes::from(bytes)) {
                self.leaves[place] = Leaf::Entry(damaged);
                return true;
            }
        }
        false
    }

    fn stored(&self, log: &ExchangeId) -> Result<StoredLog, DiskError> {
        let text = |kept: &Option<Kept>, what| match kept {
            None => Ok(None),
            Some(kept) => {
                let bytes = kept.read().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
                bytes.map(Some).ok_or_else(|| DiskError::Index { log: log.clone(), what })
            }
        };
        if self.witness_is_damaged() {
            return Err(DiskError::Index { log: log.clone(), what: "witness's memory" });
        }
        let mut withheld: Vec<(u64, u64)> = Vec::new();
        for index in &self.withheld {
            match withheld.last_mut() {
                Some((_, end)) if end == index => *end += 1,
                _ => withheld.push((*index, index + 1)),
            }
        }
        Ok(StoredLog {
            log: log.clone(),
            frontier: self.frontier.clone(),
            checkpoint: text(&self.checkpoint, "checkpoint")?,
            cosigned: text(&self.cosigned, "cosigned checkpoint")?,
            witness: self.witness(),
            frozen: self.frozen,
            evidence: self.evidence.clone(),
            withheld,
        })
    }
}

/// Whether an entry may decide about a member: its type is somewhere in its bytes.
fn is_about_members(entry: &Entry) -> bool {
    memchr::memmem::find(entry.statement_bytes(), b"\"hutong/member-").is_some()
}
