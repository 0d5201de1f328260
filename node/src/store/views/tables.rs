//! Where the views' rows lie: one ordered table, an LSM tree without a journal of its own.
//!
//! The rows can be made anew from the logs, and the cursors lie among them, so that nothing here waits
//! for the disk: rows are written in memory and reach it some megabytes at a time, in order, on
//! threads of their own. What a crash takes is taken in again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use lsm_tree::config::{BlockSizePolicy, CompressionPolicy};
use lsm_tree::{
    AbstractTree as _, AnyTree, Cache, CompressionType, DescriptorTable, Guard as _,
    SequenceNumberCounter, UserKey, UserValue, compaction,
};

use super::row::log_key;
use super::tidier::Tidier;
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
    /// Log number, listing id → folded row, with its first event.
    Listing = b'l',
    /// Log number, listing id, index → who signed which type; every event but the first.
    ListingEvent = b'e',
    /// Log number, registration number, index → statement id, event, who signed.
    Contract = b'n',
}

/// How much memory the rows may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct TableOptions {
    /// Bytes of blocks kept after reading.
    pub(in crate::store) cache_bytes: u64,
    /// Bytes of new rows kept before they are written out; at most three times as many are in memory.
    pub(in crate::store) memory_bytes: u64,
    /// Tables that are open at one time.
    pub(in crate::store) open_max: u32,
}

/// The views' rows. Clones share them.
#[derive(Debug, Clone)]
pub(in crate::store) struct Tables {
    rows: Arc<Rows>,
    /// `None` where nothing is to be changed.
    tidier: Option<Arc<Tidier>>,
    memory_bytes: u64,
}

/// The tree, and who reads and writes in it.
pub(super) struct Rows {
    tree: AnyTree,
    /// The number of the next batch, or of the next change of tables.
    next: SequenceNumberCounter,
    /// Batches below this number are whole. The tree has a counter of its own, which would run ahead
    /// of a batch that is being written while tables change.
    visible: SequenceNumberCounter,
    /// Held by readers until the tree knows at which number they read, so that no version which they
    /// need is given up meanwhile.
    reading: RwLock<()>,
    /// Held while a batch is written: memory is never passed on with half of one.
    writing: Mutex<()>,
    folder: PathBuf,
}

/// Rows that readers see in one step.
pub(super) struct Batch<'a> {
    tables: &'a Tables,
    rows: Vec<(UserKey, UserValue)>,
}

impl Tables {
    /// Opens the tree in `folder`, or makes one, and starts the threads that write it out.
    pub(super) fn open(folder: &Path, options: TableOptions) -> Result<Self, StoreError> {
        let rows = Rows::open(folder, options.cache_bytes, options.open_max)?;
        let tidier = Some(Arc::new(Tidier::start(&rows)?));
        Ok(Self { rows, tidier, memory_bytes: options.memory_bytes })
    }

    /// Opens a tree that is only read.
    pub(super) fn open_to_read(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let rows = Rows::open(folder, cache_bytes, OPEN_TO_READ_MAX)?;
        Ok(Self { rows, tidier: None, memory_bytes: u64::MAX })
    }

    /// The folder in which they lie.
    pub(in crate::store) fn folder(&self) -> &Path {
        &self.rows.folder
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { tables: self, rows: Vec::new() }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<UserValue>, StoreError> {
        let Rows { tree, visible, reading, .. } = &*self.rows;
        let _reading = reading.read().unwrap_or_else(PoisonError::into_inner);
        tree.get(key, visible.get()).map_err(self.rows.failed("read"))
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
        let Rows { tree, visible, reading, folder, .. } = &*self.rows;
        let folder = folder.clone();
        let _reading = reading.read().unwrap_or_else(PoisonError::into_inner);
        tree.range(start.max(prefix.clone()).., visible.get(), None)
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

    /// Writes what is in memory to the disk, and waits for it.
    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        self.rows.seal();
        self.rows.flush()
    }

    /// Passes what is in memory on to be written; waits where too much is waiting for that already.
    fn spill(&self) -> Result<(), StoreError> {
        let Some(tidier) = &self.tidier else { return self.sync() };
        tidier.hold_back(&self.rows)?;
        self.rows.seal();
        tidier.wake();
        Ok(())
    }

    /// Ends the threads that write, without writing what is in memory.
    pub(super) fn stop(&self) {
        if let Some(tidier) = &self.tidier {
            tidier.stop();
        }
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> (&Rows, &Tidier) {
        (&self.rows, self.tidier.as_deref().expect("these are written to"))
    }
}

impl Rows {
    fn open(folder: &Path, cache_bytes: u64, open_max: u32) -> Result<Arc<Self>, StoreError> {
        let (next, visible) = (SequenceNumberCounter::default(), SequenceNumberCounter::default());
        let own = SequenceNumberCounter::default();
        let tree = lsm_tree::Config::new(folder, next.clone(), own)
            .use_cache(Arc::new(Cache::with_capacity_bytes(cache_bytes)))
            .use_descriptor_table(Some(Arc::new(DescriptorTable::new(open_max as usize))))
            .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
            .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
            .open()
            .map_err(StoreError::views("open", folder))?;
        if let Some(last) = tree.get_highest_seqno() {
            next.fetch_max(last + 1);
            visible.fetch_max(last + 1);
        }
        let folder = folder.to_path_buf();
        let (reading, writing) = (RwLock::default(), Mutex::default());
        Ok(Arc::new(Self { tree, next, visible, reading, writing, folder }))
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory as it is now takes no more rows.
    fn seal(&self) {
        let _whole = self.writing();
        self.tree.rotate_memtable();
    }

    /// Writes what was sealed.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        let lock = self.tree.get_flush_lock();
        self.tree.flush(&lock, self.settled()).map_err(self.failed("write"))?;
        self.let_go()
    }

    /// Puts tables in order, step by step, until there is nothing to do or `stop` says so.
    pub(super) fn tidy(&self, stop: impl Fn() -> bool) -> Result<(), StoreError> {
        let strategy = compaction::Leveled::default().with_table_target_size(TABLE_BYTES);
        let strategy = Arc::new(strategy);
        let shape = || (self.tree.l0_run_count(), self.tree.table_count(), self.tree.disk_space());
        loop {
            let before = shape();
            self.tree
                .compact(Arc::<compaction::Leveled>::clone(&strategy), self.settled())
                .map_err(self.failed("tidy"))?;
            self.let_go()?;
            if shape() == before || stop() {
                return Ok(());
            }
        }
    }

    /// Sealed parts of memory, and runs of tables that were not put in order yet.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.tree.sealed_memtable_count(), self.tree.l0_run_count())
    }

    /// Shows readers the tables as they are now, and gives up those before.
    fn let_go(&self) -> Result<(), StoreError> {
        {
            // Nobody is in the middle of a batch, so that all up to the last number are whole.
            let _whole = self.writing();
            self.visible.fetch_max(self.next.get());
        }
        let settled = self.settled();
        let mut versions = self.tree.get_version_history_lock();
        versions.maintenance(&self.folder, settled).map_err(self.failed("tidy"))
    }

    /// The number below which nobody reads any more.
    fn settled(&self) -> u64 {
        let _nobody_between = self.reading.write().unwrap_or_else(PoisonError::into_inner);
        self.visible.get()
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(lsm_tree::Error) -> StoreError + use<> {
        StoreError::views(action, &self.folder)
    }

    #[cfg(test)]
    pub(super) fn tree(&self) -> &AnyTree {
        &self.tree
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Batch<'_> {
    pub(super) fn insert(&mut self, key: impl Into<UserKey>, value: impl Into<UserValue>) {
        self.rows.push((key.into(), value.into()));
    }

    /// Lets readers see the rows; of two under one key the later.
    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        // Neighbours are found fast.
        self.rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        let Rows { tree, next, visible, .. } = &*self.tables.rows;
        let mut bytes = 0;
        {
            let _whole = self.tables.rows.writing();
            let number = next.next();
            for (key, value) in self.rows {
                (_, bytes) = tree.insert(key, value, number);
            }
            visible.fetch_max(number + 1);
        }
        if bytes >= self.tables.memory_bytes { self.tables.spill() } else { Ok(()) }
    }
}

/// Rows that lie together compress together.
const BLOCK_BYTES: u32 = 16 << 10;

/// Tables that are open while a stopped node's views are only read.
const OPEN_TO_READ_MAX: u32 = 64;

/// Bytes of a table: what is rewritten in one step stays small, and ending waits for one step.
const TABLE_BYTES: u64 = 16 << 20;
