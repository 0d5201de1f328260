//! Where the views' rows lie: one ordered table in a database of its own.
//!
//! The rows can be made anew from the logs, so that nothing here waits for the disk: what a power
//! failure takes away, it takes from the end, and the cursors with it. A database that cannot be
//! opened is thrown away.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, UserValue};

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
    database: Database,
    rows: Keyspace,
    folder: PathBuf,
}

/// Rows that are written in one step.
pub(super) struct Batch<'a> {
    tables: &'a Tables,
    batch: OwnedWriteBatch,
}

impl Tables {
    /// Opens the database in `folder`, or makes one. One that is damaged is made anew, empty.
    pub(in crate::store) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        match Self::try_open(folder, cache_bytes) {
            Err(error @ (fjall::Error::Io(_) | fjall::Error::Locked)) => {
                Err(StoreError::views("open", folder)(error))
            }
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "the views are damaged and are made anew");
                Self::remove(folder)?;
                Self::try_open(folder, cache_bytes).map_err(StoreError::views("open", folder))
            }
            Ok(tables) => Ok(tables),
        }
    }

    fn try_open(folder: &Path, cache_bytes: u64) -> fjall::Result<Self> {
        let database =
            Database::builder(folder).cache_size(cache_bytes).worker_threads(1).open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let rows = database.keyspace("rows", options)?;
        Ok(Self { database, rows, folder: folder.to_path_buf() })
    }

    /// Removes the database; nobody may have it open.
    pub(in crate::store) fn remove(folder: &Path) -> Result<(), StoreError> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StoreError::io("remove", folder)(error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { tables: self, batch: self.database.batch() }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<UserValue>, StoreError> {
        self.rows.get(key).map_err(self.failed("read"))
    }

    /// How far the views came in a log.
    pub(in crate::store) fn cursor(&self, log: u32) -> Result<u64, StoreError> {
        let value = self.get(&log_key(Table::Cursor, log))?;
        Ok(value.and_then(|value| value.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    /// Whether there is a row under `key`.
    pub(in crate::store) fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        self.rows.contains_key(key).map_err(self.failed("read"))
    }

    /// The rows from key `start` on whose keys begin with `prefix`, in order.
    pub(super) fn scan(
        &self,
        prefix: Vec<u8>,
        start: Vec<u8>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, UserValue), StoreError>> + use<> {
        let folder = self.folder.clone();
        self.rows
            .range(start.max(prefix.clone())..)
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

    /// Makes what was written durable.
    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        self.database.persist(PersistMode::SyncData).map_err(self.failed("sync"))
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(fjall::Error) -> StoreError + use<> {
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
        self.batch.insert(&self.tables.rows, key, value);
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.batch.commit().map_err(self.tables.failed("write"))
    }
}

/// Rows kept in memory before they are written out in order, and so the journal that is read at the
/// next start.
const MEMTABLE_BYTES: u64 = 8 << 20;
