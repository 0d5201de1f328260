//! Where the views' rows lie: one ordered table, an LSM tree without a journal of its own.
//!
//! The rows can be made anew from the logs, and the cursors lie among them, so that nothing here waits
//! for the disk: rows are written in memory and reach it some megabytes at a time, in order. What a
//! crash takes is taken in again. A tree that cannot be opened is thrown away.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use lsm_tree::config::{BlockSizePolicy, CompressionPolicy};
use lsm_tree::{
    AbstractTree as _, AnyTree, Cache, CompressionType, Guard as _, SequenceNumberCounter,
    UserValue, compaction,
};

use super::row::log_key;
use crate::store::error::StoreError;

/// What a key stands for; its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Table {
    /// Log number → next index to take in.
    Cursor = b'c',
    /// First 8 bytes of the statement id, log number, index → nothing.
    Id = b'i',
    /// Log number, index → nothing, for entries of member types.
    Admin = b'a',
    /// Log number, listing id → folded row.
    Listing = b'l',
    /// Log number, listing id, index → who signed which type.
    ListingEvent = b'e',
    /// Log number, registration number, index → statement id, event, who signed.
    Contract = b'n',
}

/// The views' rows.
#[derive(Clone)]
pub(in crate::store) struct Tables {
    tree: AnyTree,
    /// The number of the next batch.
    next: SequenceNumberCounter,
    /// Batches below this number are whole.
    visible: SequenceNumberCounter,
    /// Held by readers until the tree knows at which number they read, so that no version which they
    /// need is given up meanwhile.
    reading: Arc<RwLock<()>>,
    folder: PathBuf,
}

/// Rows that readers see in one step.
pub(super) struct Batch<'a> {
    tables: &'a Tables,
    rows: Vec<(Vec<u8>, UserValue)>,
}

impl Tables {
    /// Opens the tree in `folder`, or makes one. One that is damaged is made anew, empty.
    pub(in crate::store) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        match Self::try_open(folder, cache_bytes) {
            Err(lsm_tree::Error::Io(error)) if !is_damage(error.kind()) => {
                Err(StoreError::io("open", folder)(error))
            }
            Err(error) => {
                let folder_shown = folder.display();
                tracing::warn!(%error, folder = %folder_shown, "the views are damaged and are made anew");
                Self::remove(folder)?;
                Self::try_open(folder, cache_bytes).map_err(StoreError::views("open", folder))
            }
            Ok(tables) => Ok(tables),
        }
    }

    fn try_open(folder: &Path, cache_bytes: u64) -> lsm_tree::Result<Self> {
        let (next, visible) = (SequenceNumberCounter::default(), SequenceNumberCounter::default());
        let tree = lsm_tree::Config::new(folder, next.clone(), visible.clone())
            .use_cache(Arc::new(Cache::with_capacity_bytes(cache_bytes)))
            .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
            .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
            .open()?;
        if let Some(last) = tree.get_highest_seqno() {
            next.fetch_max(last + 1);
            visible.fetch_max(last + 1);
        }
        let (reading, folder) = (Arc::default(), folder.to_path_buf());
        Ok(Self { tree, next, visible, reading, folder })
    }

    /// As [`Tables::open`], but a damaged tree is refused and left alone.
    pub(in crate::store) fn open_as_it_is(
        folder: &Path,
        cache_bytes: u64,
    ) -> Result<Self, StoreError> {
        Self::try_open(folder, cache_bytes).map_err(StoreError::views("open", folder))
    }

    /// Removes the tree. Under another name first, so that half of it is never taken for a whole.
    pub(in crate::store) fn remove(folder: &Path) -> Result<(), StoreError> {
        let doomed = folder.with_extension("old");
        let gone = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::io("remove", folder)(error))
            }
            _ => Ok(()),
        };
        gone(fs::remove_dir_all(&doomed))?;
        gone(fs::rename(folder, &doomed))?;
        gone(fs::remove_dir_all(&doomed))
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { tables: self, rows: Vec::new() }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<UserValue>, StoreError> {
        let _reading = self.reading.read().unwrap_or_else(PoisonError::into_inner);
        self.tree.get(key, self.visible.get()).map_err(self.failed("read"))
    }

    /// How far the views came in a log.
    pub(in crate::store) fn cursor(&self, log: u32) -> Result<u64, StoreError> {
        let value = self.get(&log_key(Table::Cursor, log))?;
        Ok(value.and_then(|value| value.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    /// The rows from key `start` on whose keys begin with `prefix`, in order.
    pub(super) fn scan(
        &self,
        prefix: Vec<u8>,
        start: Vec<u8>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, UserValue), StoreError>> + use<> {
        let folder = self.folder.clone();
        let _reading = self.reading.read().unwrap_or_else(PoisonError::into_inner);
        self.tree
            .range(start.max(prefix.clone()).., self.visible.get(), None)
            .map(move |row| {
                let (key, value) = row.into_inner().map_err(StoreError::views("read", &folder))?;
                Ok((key.to_vec(), value))
            })
            .take_while(move |row| row.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
    }

    /// Every row whose key begins with `prefix`, in order.
    pub(super) fn prefixed(
        &self,
        prefix: Vec<u8>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, UserValue), StoreError>> + use<> {
        self.scan(prefix.clone(), prefix)
    }

    /// Writes what is in memory to the disk.
    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        let lock = self.tree.get_flush_lock();
        self.tree.rotate_memtable();
        self.tree.flush(&lock, self.settled()).map_err(self.failed("write")).map(|_| ())
    }

    /// As [`Tables::sync`], and keeps what is on the disk in order.
    fn spill(&self) -> Result<(), StoreError> {
        self.sync()?;
        let strategy = Arc::new(compaction::Leveled::default());
        self.tree.compact(strategy, self.settled()).map_err(self.failed("tidy"))
    }

    /// The number below which nobody reads any more.
    fn settled(&self) -> u64 {
        let _nobody_between = self.reading.write().unwrap_or_else(PoisonError::into_inner);
        self.visible.get()
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(lsm_tree::Error) -> StoreError + use<> {
        StoreError::views(action, &self.folder)
    }
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Batch<'_> {
    pub(super) fn insert(&mut self, key: Vec<u8>, value: impl Into<UserValue>) {
        self.rows.push((key, value.into()));
    }

    /// Lets readers see the rows. Only one thread writes at a time.
    pub(super) fn commit(self) -> Result<(), StoreError> {
        let Tables { tree, next, visible, .. } = self.tables;
        let number = next.next();
        let mut bytes = 0;
        for (key, value) in self.rows {
            (_, bytes) = tree.insert(key, value, number);
        }
        visible.fetch_max(number + 1);
        if bytes >= MEMORY_BYTES { self.tables.spill() } else { Ok(()) }
    }
}

/// Whether a failed opening says that files are missing or cut, rather than that the disk is full or
/// may not be read.
fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
}

/// Rows kept in memory before they are written out in order, and so what is taken in again after a
/// crash: some 20,000 entries.
const MEMORY_BYTES: u64 = 8 << 20;

/// Rows that lie together compress together.
const BLOCK_BYTES: u32 = 16 << 10;
