//! The contents of all logs, held once for all nodes.
//!
//! Honest copies of a log have the same leaves, so that a node's disk need only say how much of
//! each log it holds, and which entries it lacks. Each write is compared with what is here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::{Frontier, MemoryTree, NodeReader as _, cover};
use hutong_protocol::entry::{Entry, Leaf};

/// A log's number: that of its exchange.
pub type Log = u32;

/// One log.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Its entries.
    pub entries: Vec<Entry>,
    /// Their tree.
    pub tree: MemoryTree,
    /// Its right edge.
    pub frontier: Frontier,
}

impl Contents {
    /// Appends an entry.
    pub fn push(&mut self, entry: Entry) {
        self.tree.push(entry.leaf_hash());
        self.frontier.append(entry.leaf_hash());
        self.entries.push(entry);
    }

    /// Hashes that cover `[from, to)`.
    pub fn cover(&self, from: u64, to: u64) -> Vec<Hash> {
        let read = |(level, at)| match self.tree.node(level, at) {
            Ok(hash) => hash,
            Err(never) => match never {},
        };
        cover(from, to).into_iter().map(read).collect()
    }
}

/// All logs.
#[derive(Debug, Default)]
pub struct Archive(Vec<RwLock<Contents>>);

impl Archive {
    /// As many logs.
    pub fn new(logs: Vec<Contents>) -> Self {
        Self(logs.into_iter().map(RwLock::new).collect())
    }

    /// A log's contents.
    pub fn log(&self, log: Log) -> RwLockReadGuard<'_, Contents> {
        self.0[log as usize].read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The owner writes leaves of its own log.
    ///
    /// # Errors
    ///
    /// In words, where they do not follow what is there.
    pub fn append(&self, log: Log, from: u64, leaves: &[Leaf]) -> Result<(), String> {
        let mut contents = self.0[log as usize].write().unwrap_or_else(PoisonError::into_inner);
        if contents.entries.len() as u64 != from {
            return Err(format!("log {log}: leaves from {from} after {}", contents.entries.len()));
        }
        for leaf in leaves {
            let entry = leaf.entry().ok_or("an owner writes entries")?;
            contents.push(entry.clone());
        }
        Ok(())
    }
}

/// What a node holds.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    sizes: BTreeMap<Log, u64>,
    withheld: BTreeSet<(Log, u64)>,
}

impl Disk {
    /// How many leaves of a log are here.
    pub fn size(&self, log: Log) -> u64 {
        self.sizes.get(&log).copied().unwrap_or(0)
    }

    /// Whether an entry is here, not its hash alone.
    pub fn has(&self, log: Log, index: u64) -> bool {
        index < self.size(log) && !self.withheld.contains(&(log, index))
    }

    /// Sets how many leaves of a log are here.
    pub fn hold(&mut self, log: Log, size: u64) {
        self.sizes.insert(log, size);
    }

    /// How many entries are not here, only their hashes.
    pub fn withheld(&self) -> usize {
        self.withheld.len()
    }

    /// Writes leaves of another's log; returns the entries among them.
    ///
    /// # Errors
    ///
    /// In words, where they are not what the log holds there.
    pub fn write<'a>(
        &mut self,
        contents: &Contents,
        log: Log,
        from: u64,
        leaves: &'a [Leaf],
    ) -> Result<Vec<(u64, &'a Entry)>, String> {
        if from > self.size(log) {
            return Err(format!("log {log}: leaves from {from} leave a hole"));
        }
        let mut entries = Vec::with_capacity(leaves.len());
        for (index, leaf) in (from..).zip(leaves) {
            let truth = usize::try_from(index).ok().and_then(|at| contents.entries.get(at));
            if truth.map(Entry::leaf_hash) != Some(leaf.hash()) {
                return Err(format!("log {log}: leaf {index} is another's"));
            }
            match leaf {
                Leaf::Entry(entry) => entries.push((index, entry)),
                Leaf::Withheld(_) => {
                    self.withheld.insert((log, index));
                }
            }
        }
        let end = from + leaves.len() as u64;
        self.hold(log, end.max(self.size(log)));
        Ok(entries)
    }

    /// Writes an entry whose hash was there; returns whether it was missing.
    pub fn fill(&mut self, log: Log, index: u64) -> bool {
        self.withheld.remove(&(log, index))
    }

    /// A leaf as it lies on this disk.
    pub fn leaf(&self, log: Log, index: u64, entry: &Entry) -> Leaf {
        if self.withheld.contains(&(log, index)) {
            Leaf::Withheld(entry.leaf_hash())
        } else {
            Leaf::Entry(entry.clone())
        }
    }
}
