//! A node's disk, in memory: what is durable, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::{Frontier, MemoryTree, NodeReader as _, cover};
use hutong_protocol::charter::{CharterChain, SignedCharter};
use hutong_protocol::directory::Facts;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::{Persist, StoredLog};

/// One log on the disk.
#[derive(Debug, Clone, Default)]
pub struct DiskLog {
    /// Its leaves.
    pub leaves: Vec<Leaf>,
    /// Their tree.
    pub tree: MemoryTree,
    frontier: Frontier,
    void: BTreeSet<u64>,
    checkpoint: Option<String>,
    cosigned: Option<String>,
    witness: Option<(u64, Hash)>,
    frozen: Option<u64>,
    evidence: Vec<Vec<u8>>,
}

/// What outlives a crash.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    logs: BTreeMap<ExchangeId, DiskLog>,
    charters: Vec<Vec<u8>>,
}

impl Disk {
    /// Makes a change durable.
    ///
    /// # Errors
    ///
    /// What the protocol must never ask for: a hole in a log, or an entry in another's place.
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
                    let slot = usize::try_from(index).ok().and_then(|at| disk.leaves.get_mut(at));
                    match slot {
                        Some(leaf) if leaf.hash() == entry.leaf_hash() => {
                            *leaf = Leaf::Entry(entry);
                        }
                        _ => return Err(format!("{log}: fill of {index} does not fit its leaf")),
                    }
                }
                disk.void.extend(void);
            }
            Persist::Checkpoint { log, note, size } => {
                let disk = self.logs.entry(log.clone()).or_default();
                if size > disk.tree.size() {
                    return Err(format!("{log}: checkpoint of {size} is not held"));
                }
                disk.checkpoint = Some(note);
            }
            Persist::Cosigned { log, note, .. } => {
                self.logs.entry(log).or_default().cosigned = Some(note);
            }
            Persist::WitnessMemory { log, size, root } => {
                let disk = self.logs.entry(log.clone()).or_default();
                if disk
                    .witness
                    .is_some_and(|(before, of)| before > size || (before == size && of != root))
                {
                    return Err(format!("{log}: witness goes back to {size}"));
                }
                disk.witness = Some((size, root));
            }
            Persist::Charter { bytes } => {
                if !self.charters.contains(&bytes) {
                    self.charters.push(bytes);
                }
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

    /// All logs, by id.
    pub fn logs(&self) -> impl Iterator<Item = (&ExchangeId, &DiskLog)> {
        self.logs.iter()
    }

    /// The logs as a starting node finds them.
    pub fn stored(&self) -> Vec<StoredLog> {
        self.logs.iter().map(|(log, disk)| disk.stored(log)).collect()
    }

    /// The statements about members on the disk.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        for (log, disk) in &self.logs {
            for (index, leaf) in (0..).zip(&disk.leaves) {
                if let (Leaf::Entry(entry), false) = (leaf, disk.void.contains(&index)) {
                    facts.insert((log.clone(), index), entry);
                }
            }
        }
        facts
    }

    /// The charters, from the founding one on.
    pub fn charters(&self, founding: &CharterChain) -> CharterChain {
        let mut chain = founding.clone();
        for bytes in &self.charters {
            if let Ok(charter) = SignedCharter::parse(bytes) {
                let _ = chain.extend(charter);
            }
        }
        chain
    }
}

impl DiskLog {
    /// How many entries are not here, only their hashes.
    pub fn withheld(&self) -> u64 {
        self.leaves.iter().filter(|leaf| leaf.entry().is_none()).count() as u64
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

    fn append(&mut self, from: u64, leaves: Vec<Leaf>) -> Result<(), String> {
        let size = self.tree.size();
        if from > size {
            return Err(format!("leaves from {from} leave a hole after {size}"));
        }
        for (index, leaf) in (from..).zip(leaves) {
            match usize::try_from(index).ok().and_then(|at| self.leaves.get(at)) {
                Some(known) if known.hash() != leaf.hash() => {
                    return Err(format!("leaf {index} is written twice, differently"));
                }
                Some(_) => {}
                None => {
                    self.tree.push(leaf.hash());
                    self.frontier.append(leaf.hash());
                    self.leaves.push(leaf);
                }
            }
        }
        Ok(())
    }

    fn stored(&self, log: &ExchangeId) -> StoredLog {
        let mut withheld: Vec<(u64, u64)> = Vec::new();
        for (index, leaf) in (0..).zip(&self.leaves) {
            match (leaf, withheld.last_mut()) {
                (Leaf::Entry(_), _) => {}
                (Leaf::Withheld(_), Some((_, end))) if *end == index => *end += 1,
                (Leaf::Withheld(_), _) => withheld.push((index, index + 1)),
            }
        }
        StoredLog {
            log: log.clone(),
            frontier: self.frontier.clone(),
            checkpoint: self.checkpoint.clone(),
            cosigned: self.cosigned.clone(),
            witness: self.witness,
            frozen: self.frozen,
            evidence: self.evidence.clone(),
            withheld,
        }
    }
}
