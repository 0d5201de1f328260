//! The node's disk: every log as C2SP tile and bundle files, an index beside them, and the views.
//!
//! What lies where below the data folder:
//!
//! | path | holds |
//! |---|---|
//! | `format`, `lock` | the folder's format; which process works in it |
//! | `logs/<exchange>/tile/<level>/…` | hash tiles, as C2SP tlog-tiles names them |
//! | `logs/<exchange>/tile/entries/…` | entry bundles; a withheld leaf is an entry of length 0 |
//! | `journal` | commits that are not durable in files and index yet |
//! | `index/` | sled: heads, checkpoints, witness memory, marks |
//! | `views/` | an LSM tree: the views |
//!
//! A path without a suffix is complete and never changes (but for a bundle whose withheld entries
//! become known); a growing file ends in `.partial`. The head in the index decides what is
//! committed: see [`Store::commit`]. Views are derived from the logs and can be rebuilt.
//!
//! Nothing read here is believed: tiles are checked against the head's root, entries against their
//! leaf hashes. Deliberately absent: signature checks on the way in (the protocol has made them;
//! [`fsck()`] repeats them), and any decision about authority (queries take it as a function).

mod bundle;
mod cache;
mod changes;
mod commit;
mod core;
mod edge;
mod error;
mod export;
mod files;
mod folder;
mod fsck;
mod heads;
mod journal;
mod marks;
mod path;
mod read;
mod record;
mod repair;
mod room;
mod stage;
mod views;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests;

use std::path::Path;
use std::sync::Arc;

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::cover;
use hutong_protocol::directory::register_version;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::persist::{Persist, StoredAnchor, StoredLog};

use self::core::{Core, Held};
pub use self::error::StoreError;
pub use self::export::{CheckpointChoice, ExportAudience, ExportReport};
pub use self::fsck::{Finding, FsckProgress, FsckReport, LogKey, LogReport, Severity, fsck};
pub use self::read::StoredTree;
use self::record::{Kind, decode_anchor_key, decode_sized, log_key, number_key};
pub use self::repair::{RebuildReport, drop_log, rebuild};
pub use self::room::{Room, Space};
use self::views::Worker;
pub use self::views::{
    ContractEventRow, ContractQuery, ContractRow, Counts, EventPosition, ListingQuery, ListingRow,
    Page, ViewProgress,
};

/// How much memory a store may use.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Bytes that the index keeps in memory, 16 MiB by default.
    pub index_cache_bytes: u64,
    /// Bytes that the views keep in memory of what lies on the disk, 32 MiB by default.
    pub views_cache_bytes: u64,
    /// Bytes of new rows after which the views write them out, 16 MiB by default. Three times as many are
    /// in memory at most.
    pub views_memory_bytes: u64,
    /// Tables of the views that are open at one time, 224 by default; a descriptor each.
    pub views_open_max: u32,
    /// Bytes that the journal may grow to, 16 MiB by default; it begins with 256 KiB.
    pub journal_bytes_max: u64,
    /// Checked hash tiles kept in memory, 8 KiB each; 1,024 by default.
    pub tile_cache_tiles: usize,
    /// Bytes of the disk that commits leave free, 64 MiB by default: room for the index, which a
    /// full disk would stop until the next start.
    pub free_bytes_min: u64,
    /// Bytes of the disk that are left free for the own log besides, 256 MiB by default; see [`Room`].
    pub reserve_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            index_cache_bytes: 16 << 20,
            views_cache_bytes: 32 << 20,
            views_memory_bytes: 16 << 20,
            views_open_max: 224,
            journal_bytes_max: 16 << 20,
            tile_cache_tiles: 1_024,
            free_bytes_min: 64 << 20,
            reserve_bytes: 256 << 20,
        }
    }
}

/// An opened data folder. Clones share it; the last one that goes closes it.
#[derive(Debug, Clone)]
pub struct Store {
    core: Arc<Core>,
    /// Ends when the last clone of the store goes.
    _worker: Arc<Worker>,
}

/// An entry, with its log and its index there.
pub type PlacedEntry = ((ExchangeId, u64), Entry);

/// What is known of a log besides its leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// The log.
    pub log: ExchangeId,
    /// Leaves committed.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Size and text of the newest checkpoint that is fully held.
    pub checkpoint: Option<(u64, String)>,
    /// Size and text of the newest checkpoint with a witness quorum.
    pub cosigned: Option<(u64, String)>,
    /// Size and root last cosigned by this node as a witness.
    pub witness: Option<(u64, Hash)>,
    /// Size at which the log is frozen.
    pub frozen: Option<u64>,
    /// Leaves of which only the hash is held.
    pub withheld: u64,
    /// Entries whose signature or statement failed.
    pub void: u64,
}

impl Store {
    /// Opens the data folder at `path`, or makes one, and holds it alone.
    ///
    /// Files that an interrupted commit left longer than the index says are cut back to it.
    ///
    /// # Errors
    ///
    /// [`StoreError`], naming the file and what to do: another process works there, another
    /// version wrote it, it cannot be written, or what it holds is damaged.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let core = Arc::new(Core::open(path, options)?);
        let worker = Arc::new(Worker::start(&core)?);
        Ok(Self { core, _worker: worker })
    }

    /// Makes a group of changes durable as one: after a crash either all or none of them are there.
    ///
    /// Idempotent: what is there already is passed over. On return the changes are on disk, and
    /// readers see them; the views follow within moments (see [`Store::settle`]).
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] and [`StoreError::Beyond`] when a change contradicts what is stored,
    /// [`StoreError::NoRoom`], and [`StoreError::Io`] when a file could not be written: nothing is
    /// changed, and the store stays usable. [`StoreError::Poisoned`] once it is unknown what is on disk: reading goes on.
    pub fn commit(&self, changes: &[Persist]) -> Result<(), StoreError> {
        self.core.commit(changes)
    }

    /// What the disk has room for at this moment.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] when the system does not tell.
    pub fn space(&self) -> Result<Space, StoreError> {
        self.core.space()
    }

    /// Every log, as the protocol's state needs it at the start.
    ///
    /// # Errors
    ///
    /// [`StoreError::Index`] or [`StoreError::Corrupt`] when the index cannot be read.
    pub fn restore(&self) -> Result<Vec<StoredLog>, StoreError> {
        self.logs().iter().map(|log| self.restore_log(log)).collect()
    }

    fn restore_log(&self, log: &ExchangeId) -> Result<StoredLog, StoreError> {
        let (held, known) =
            self.core.steady(log, |held| Ok((Arc::clone(held), self.head_of(held)?)))?;
        let frontier = held.edge.frontier().ok_or_else(|| {
            let what = format!("log {} has an impossible size {}", known.log, known.size);
            StoreError::corrupt(&self.core.folder.index(), None, what)
        })?;
        Ok(StoredLog {
            frontier,
            checkpoint: known.checkpoint.map(|(_, note)| note),
            cosigned: known.cosigned.map(|(_, note)| note),
            witness: known.witness,
            frozen: known.frozen,
            evidence: self.evidence(&known.log)?,
            withheld: held.withheld.ranges(),
            log: known.log,
        })
    }

    /// The logs held, by exchange id.
    pub fn logs(&self) -> Vec<ExchangeId> {
        self.core.all_held().iter().map(|held| held.exchange.clone()).collect()
    }

    /// What is known of a log besides its leaves; `None` when there is no such log.
    ///
    /// # Errors
    ///
    /// [`StoreError::Index`] or [`StoreError::Corrupt`] when the index cannot be read.
    pub fn head(&self, log: &ExchangeId) -> Result<Option<LogHead>, StoreError> {
        match self.core.steady(log, |held| self.head_of(held)) {
            Ok(head) => Ok(Some(head)),
            Err(StoreError::UnknownLog(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// No commit may change anything meanwhile: a checkpoint must not be of a size that `held` lacks.
    fn head_of(&self, held: &Held) -> Result<LogHead, StoreError> {
        let log = &held.exchange;
        let frozen = self.core.value(&log_key(Kind::Frozen, log))?;
        Ok(LogHead {
            log: log.clone(),
            size: held.size(),
            root: held.root(),
            checkpoint: self.note(Kind::Checkpoint, log)?,
            cosigned: self.note(Kind::Cosigned, log)?,
            witness: self.core.witness(log)?,
            frozen: frozen.and_then(|value| Some(u64::from_be_bytes(value.try_into().ok()?))),
            withheld: held.withheld.count(),
            void: held.void.count(),
        })
    }

    fn note(&self, kind: Kind, log: &ExchangeId) -> Result<Option<(u64, String)>, StoreError> {
        let Some(value) = self.core.value(&log_key(kind, log))? else { return Ok(None) };
        decode_sized(&value)
            .and_then(|(size, note)| Some((size, String::from_utf8(note.to_vec()).ok()?)))
            .map(Some)
            .ok_or_else(|| {
                let what = format!("a checkpoint of {log} is unreadable");
                StoreError::corrupt(&self.core.folder.index(), None, what)
            })
    }

    /// The leaf at `index`, `None` beyond the end.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownLog`]; [`StoreError::Corrupt`] when the stored entry is not the one
    /// that was committed.
    pub fn leaf(&self, log: &ExchangeId, index: u64) -> Result<Option<Leaf>, StoreError> {
        let held = self.core.held(log)?;
        self.core.leaf(&held, index)
    }

    /// Leaves of the half-open range from `from` to `to`, in order: fewer where the log ends or
    /// `bytes_max` bytes are reached, but at least one where `from` is held.
    ///
    /// # Errors
    ///
    /// As [`Store::leaf`].
    pub fn leaves(
        &self,
        log: &ExchangeId,
        from: u64,
        to: u64,
        bytes_max: usize,
    ) -> Result<Vec<Leaf>, StoreError> {
        let held = self.core.held(log)?;
        self.core.leaves(&held, from, to, bytes_max)
    }

    /// The log's tree as committed now, for proofs and roots.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownLog`].
    pub fn node_reader(&self, log: &ExchangeId) -> Result<StoredTree, StoreError> {
        Ok(StoredTree::new(Arc::clone(&self.core), self.core.held(log)?))
    }

    /// Hashes of the complete subtrees that the half-open range of leaves from `from` to `to` is
    /// made of, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownLog`]; [`StoreError::Beyond`] when the range is not held;
    /// [`StoreError::Corrupt`].
    pub fn range_hashes(
        &self,
        log: &ExchangeId,
        from: u64,
        to: u64,
    ) -> Result<Vec<Hash>, StoreError> {
        let held = self.core.held(log)?;
        if to > held.size() {
            let (log, size) = (log.clone(), held.size());
            return Err(StoreError::Beyond { log, index: size, size });
        }
        cover(from, to)
            .into_iter()
            .map(|(level, index)| self.core.node(&held, level, index))
            .collect()
    }

    /// Whether the entry at `index` was marked void: its signature or its statement failed.
    pub fn void(&self, log: &ExchangeId, index: u64) -> bool {
        self.core.held(log).is_ok_and(|held| held.void.contains(index))
    }

    /// Evidence against a log, in no particular order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Index`] when the index cannot be read.
    pub fn evidence(&self, log: &ExchangeId) -> Result<Vec<Vec<u8>>, StoreError> {
        let held = match self.core.held(log) {
            Ok(held) => held,
            Err(StoreError::UnknownLog(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        self.core.values(&number_key(Kind::Evidence, held.number))
    }

    /// Signed charters, in the order in which they were stored.
    ///
    /// # Errors
    ///
    /// [`StoreError::Index`] when the index cannot be read.
    pub fn charters(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.core.values(&[Kind::Charter as u8])
    }

    /// What anchors of the registers changed, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Index`] or [`StoreError::Corrupt`] when the index cannot be read.
    pub fn anchors(&self) -> Result<Vec<StoredAnchor>, StoreError> {
        let found = self.core.heads.prefixed(&[Kind::Anchor as u8]);
        let found = found.map_err(self.core.index_error("read"))?.into_iter();
        found
            .map(|(key, changes)| {
                let (version, index) = decode_anchor_key(&key).ok_or_else(|| {
                    let what = "the key of an anchor is unreadable";
                    StoreError::corrupt(&self.core.folder.index(), None, what)
                })?;
                Ok(StoredAnchor { version, index, changes: changes.into() })
            })
            .collect()
    }

    /// The registers held, each with its entries from index 0 on, up to the first that is not held.
    ///
    /// # Errors
    ///
    /// As [`Store::leaf`].
    pub fn registers(&self) -> Result<Vec<(ExchangeId, Vec<Entry>)>, StoreError> {
        let registers = self.logs().into_iter().filter(|log| register_version(log).is_some());
        registers.map(|log| self.entries(&log).map(|entries| (log, entries))).collect()
    }

    fn entries(&self, log: &ExchangeId) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        loop {
            let from = entries.len() as u64;
            let leaves = self.leaves(log, from, u64::MAX, REGISTER_BYTES_READ)?;
            let count = leaves.len();
            entries.extend(leaves.into_iter().map_while(|leaf| match leaf {
                Leaf::Entry(entry) => Some(entry),
                Leaf::Withheld(_) => None,
            }));
            if count == 0 || entries.len() as u64 - from < count as u64 {
                return Ok(entries);
            }
        }
    }

    /// Where the statement with this id is recorded: the first place in the order of logs' arrival.
    ///
    /// Waits for the views where they lag behind.
    ///
    /// # Errors
    ///
    /// [`StoreError::Index`] or [`StoreError::Corrupt`].
    pub fn find(&self, id: &StatementId) -> Result<Option<(ExchangeId, u64)>, StoreError> {
        if let Some(place) = self.core.look_up(|tables| self.core.find(tables, id))? {
            return Ok(Some(place));
        }
        self.settle(FIND_WAIT);
        self.core.look_up(|tables| self.core.find(tables, id))
    }

    /// Every decision about a member, of all logs, that is not void, whether it took effect or not. Waits
    /// until the views have caught up, also where they must be rebuilt first.
    ///
    /// # Errors
    ///
    /// As [`Store::leaf`].
    pub fn decisions(&self) -> Result<Vec<PlacedEntry>, StoreError> {
        loop {
            self.settle(std::time::Duration::MAX);
            match self.core.look_up(|tables| self.core.decisions(tables)) {
                // After a few times the views have failed, which is another error.
                Err(error) if error.is_damage_of_views() => {}
                decisions => return decisions,
            }
        }
    }

    /// Listings that fit `query`, ordered by log and listing id, each folded from the events for
    /// which `counts` holds (the directory's authority at this moment).
    ///
    /// Looks at what the views hold now; [`Store::settle`] first to see one's own last commit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Index`] or [`StoreError::Corrupt`].
    pub fn listings(
        &self,
        query: &ListingQuery,
        counts: &Counts<'_>,
    ) -> Result<Page<ListingRow>, StoreError> {
        self.core.look_up(|tables| self.core.listings(tables, query, counts))
    }

    /// One listing, folded from the events that count; `None` where none does.
    ///
    /// # Errors
    ///
    /// As [`Store::listings`].
    pub fn listing(
        &self,
        exchange: &ExchangeId,
        listing_id: &str,
        counts: &Counts<'_>,
    ) -> Result<Option<ListingRow>, StoreError> {
        self.core.look_up(|tables| self.core.listing(tables, exchange, listing_id, counts))
    }

    /// Contracts that fit `query`, ordered by log and registration number, each with the events for
    /// which `counts` holds.
    ///
    /// # Errors
    ///
    /// As [`Store::listings`].
    pub fn contracts(
        &self,
        query: &ContractQuery,
        counts: &Counts<'_>,
    ) -> Result<Page<ContractRow>, StoreError> {
        self.core.look_up(|tables| self.core.contracts(tables, query, counts))
    }

    /// What is recorded under a registration number, a row for each log that uses it.
    ///
    /// # Errors
    ///
    /// As [`Store::listings`].
    pub fn contract(
        &self,
        registration_no: &str,
        counts: &Counts<'_>,
    ) -> Result<Vec<ContractRow>, StoreError> {
        self.core.look_up(|tables| self.core.contract(tables, registration_no, counts))
    }

    /// Waits until the views hold everything that is committed now, at most `patience`; tells
    /// whether they do. A log that cannot be read is not waited for: see [`ViewProgress::failed`].
    pub fn settle(&self, patience: std::time::Duration) -> bool {
        self.core.settle(None, patience)
    }

    /// As [`Store::settle`], for the views of one log; where these stand still they do not hold it.
    pub fn settle_log(&self, log: &ExchangeId, patience: std::time::Duration) -> bool {
        self.core.settle(Some(log), patience)
    }

    /// How far the views have come.
    pub fn view_progress(&self) -> ViewProgress {
        self.core.view_progress()
    }
}

/// Bytes of a register read at a time.
const REGISTER_BYTES_READ: usize = 4 << 20;

/// Long enough for the views to take in one bulk commit, short enough for somebody who waits.
const FIND_WAIT: std::time::Duration = std::time::Duration::from_secs(5);
