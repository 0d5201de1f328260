//! What readers, the writer and the views share: the folder, the index, and what is committed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hutong_crypto::digest::Hash;
use hutong_protocol::id::ExchangeId;

use super::StoreOptions;
use super::cache::TileCache;
use super::commit::Writer;
use super::edge::Edge;
use super::error::StoreError;
use super::files::LogFiles;
use super::folder::{Folder, Folders};
use super::heads::Heads;
use super::journal::Journal;
use super::marks::Marks;
use super::record::{Head, Kind, decode_marks, decode_sequence, number_key};
use super::room::Bounds;
use super::views::{Fresh, Generations, Progress, TableOptions};

/// What is committed of one log; a snapshot that never changes.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) exchange: ExchangeId,
    pub(super) number: u32,
    pub(super) files: LogFiles,
    pub(super) edge: Edge,
    /// Bytes in the incomplete bundle.
    pub(super) bundle_bytes: u64,
    pub(super) withheld: Arc<Marks>,
    pub(super) void: Arc<Marks>,
    /// Root over the leaves, computed when it is first asked for.
    pub(super) root: OnceLock<Hash>,
}

impl Held {
    pub(super) fn root(&self) -> Hash {
        *self.root.get_or_init(|| self.edge.root())
    }

    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    pub(super) fn head(&self) -> Head {
        Head { number: self.number, size: self.size(), root: self.root() }
    }
}

/// Every log held, by both of its names.
#[derive(Debug, Default)]
struct Logs {
    by_id: BTreeMap<ExchangeId, Arc<Held>>,
    by_number: BTreeMap<u32, ExchangeId>,
}

impl Logs {
    fn insert(&mut self, held: Held) {
        self.by_number.insert(held.number, held.exchange.clone());
        self.by_id.insert(held.exchange.clone(), Arc::new(held));
    }
}

/// The opened store.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) folder: Folder,
    pub(super) heads: Heads,
    pub(super) tables: Generations,
    pub(super) fresh: Fresh,
    /// Started when they are first needed.
    pub(super) parsers: OnceLock<rayon::ThreadPool>,
    _index: sled::Db,
    logs: RwLock<Logs>,
    pub(super) tiles: Mutex<TileCache>,
    pub(super) writer: Mutex<Writer>,
    pub(super) progress: Mutex<Progress>,
    pub(super) progressed: Condvar,
    pub(super) bounds: Bounds,
    pub(super) journal_bytes_max: u64,
}

impl Drop for Core {
    fn drop(&mut self) {
        self.close();
        if let Err(error) = self.tables.now().sync() {
            tracing::warn!(%error, "some of the views are made again at the next start");
        }
    }
}

impl Core {
    /// Opens the folder: locks it, cuts torn tails, and reads what is committed.
    pub(super) fn open(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        Self::open_folder(Folder::open(path)?, options)
    }

    /// As [`Core::open`], for a folder that is locked already.
    pub(super) fn open_folder(folder: Folder, options: &StoreOptions) -> Result<Self, StoreError> {
        folder.settle_names()?;
        let db = open_index(&folder, options.index_cache_bytes)?;
        let heads = db.open_tree("heads").map_err(index_error("open", folder.index()))?;
        let failed = index_error("read", folder.index());
        let applied = heads.get([Kind::Journal as u8]).map_err(&failed)?;
        let applied = applied.as_deref().and_then(decode_sequence);
        // Before any file is cut back to what the index says.
        let (journal, commits) = Journal::open(&folder.journal(), applied)?;
        let mut folders = Folders::default();
        let mut logs = Logs::default();
        for (exchange, head) in read_heads(&heads, &folder)? {
            logs.insert(open_log(&heads, &folder, exchange, head, &mut folders)?);
        }
        folders.sync()?;
        let next_log = logs.by_number.last_key_value().map_or(0, |(last, _)| last + 1);
        let heads = Heads::new(heads);
        let writer = Writer::open(&heads, next_log, folders, journal).map_err(&failed)?;
        let views = TableOptions {
            cache_bytes: options.views_cache_bytes,
            memory_bytes: options.views_memory_bytes,
            open_max: options.views_open_max,
        };
        let core = Self {
            tables: Generations::open(&folder.views(), views)?,
            fresh: Fresh::default(),
            parsers: OnceLock::new(),
            _index: db,
            heads,
            logs: RwLock::new(logs),
            tiles: Mutex::new(TileCache::new(options.tile_cache_tiles)),
            writer: Mutex::new(writer),
            progress: Mutex::default(),
            progressed: Condvar::new(),
            bounds: Bounds { free_min: options.free_bytes_min, reserve: options.reserve_bytes },
            journal_bytes_max: options.journal_bytes_max,
            folder,
        };
        core.recover(&commits)?;
        core.forget_views_ahead()?;
        Ok(core)
    }

    /// Makes the views anew if they tell of entries that no log has, as after a log or the index was
    /// replaced by an older copy.
    fn forget_views_ahead(&self) -> Result<(), StoreError> {
        let tables = self.tables.now();
        for held in self.all_held() {
            let cursor = tables.cursor(held.number);
            if cursor.as_ref().is_err_and(StoreError::is_damage_of_views) {
                tracing::warn!("the views are damaged and are made anew");
                return self.tables.renew();
            }
            if cursor? > held.size() {
                tracing::warn!(log = %held.exchange, "the views are ahead of the log and are made anew");
                return self.tables.renew();
            }
        }
        Ok(())
    }

    /// What is committed of a log at this moment.
    pub(super) fn held(&self, log: &ExchangeId) -> Result<Arc<Held>, StoreError> {
        self.logs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .by_id
            .get(log)
            .cloned()
            .ok_or_else(|| StoreError::UnknownLog(log.clone()))
    }

    /// What is committed of every log at this moment, by exchange id.
    pub(super) fn all_held(&self) -> Vec<Arc<Held>> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).by_id.values().cloned().collect()
    }

    /// The log with this number, `None` when there is none.
    pub(super) fn held_by_number(&self, number: u32) -> Option<Arc<Held>> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.by_number.get(&number).and_then(|log| logs.by_id.get(log)).cloned()
    }

    /// Reads what belongs to a log while no commit changes it.
    pub(super) fn steady<T>(
        &self,
        log: &ExchangeId,
        read: impl FnOnce(&Arc<Held>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        let held = logs.by_id.get(log).ok_or_else(|| StoreError::UnknownLog(log.clone()))?;
        read(held)
    }

    /// Lets readers see these logs as they are now, in one step with what `also` does. That must not wait
    /// for the disk, since readers wait for it.
    pub(super) fn replace_held(
        &self,
        changed: impl IntoIterator<Item = Held>,
        also: impl FnOnce(),
    ) {
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        also();
        changed.into_iter().for_each(|held| logs.insert(held));
    }

    pub(super) fn tiles(&self) -> MutexGuard<'_, TileCache> {
        self.tiles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns a failure of the index into one that names it.
    pub(super) fn index_error(
        &self,
        action: &'static str,
    ) -> impl Fn(sled::Error) -> StoreError + use<> {
        index_error(action, self.folder.index())
    }

    /// Every value of the heads tree whose key starts with `prefix`, in the keys' order.
    pub(super) fn values(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        let found = self.heads.prefixed(prefix).map_err(self.index_error("read"))?;
        Ok(found.into_values().collect())
    }

    /// A value of the heads tree.
    pub(super) fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.heads.get(key).map_err(self.index_error("read"))
    }
}

pub(super) fn index_error(
    action: &'static str,
    folder: PathBuf,
) -> impl Fn(sled::Error) -> StoreError {
    move |source| StoreError::Index { folder: folder.clone(), action, source }
}

/// Opens the index of a folder that is locked.
///
/// A database that this process has just closed stays locked until its threads have ended. The
/// folder's own lock is held here, so whoever still holds the database is on the way out.
pub(super) fn open_index(folder: &Folder, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    // What is written is flushed when it is due: see `Heads`.
    let config =
        sled::Config::new().path(folder.index()).cache_capacity(cache_bytes).flush_every_ms(None);
    let deadline = Instant::now() + CLOSING_MAX;
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock")
                    && Instant::now() < deadline =>
            {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the database does not tell when it is closed"
                )]
                std::thread::sleep(CLOSING_LOOK);
            }
            outcome => return outcome.map_err(index_error("open", folder.index())),
        }
    }
}

/// A closing database writes what it holds, at most its cache.
const CLOSING_MAX: Duration = Duration::from_secs(10);
const CLOSING_LOOK: Duration = Duration::from_millis(5);

/// Every log and its head.
pub(super) fn read_heads(
    heads: &sled::Tree,
    folder: &Folder,
) -> Result<Vec<(ExchangeId, Head)>, StoreError> {
    let mut found = Vec::new();
    for item in heads.scan_prefix([Kind::Head as u8]) {
        let (key, value) = item.map_err(index_error("read", folder.index()))?;
        let exchange = std::str::from_utf8(&key[1..]).ok().and_then(|text| text.parse().ok());
        match (exchange, Head::decode(&value)) {
            (Some(exchange), Some(head)) => found.push((exchange, head)),
            _ => return Err(StoreError::corrupt(&folder.index(), None, "a head is unreadable")),
        }
    }
    Ok(found)
}

/// A log as its head says it is, its files cut back to that.
fn open_log(
    heads: &sled::Tree,
    folder: &Folder,
    exchange: ExchangeId,
    head: Head,
    folders: &mut Folders,
) -> Result<Held, StoreError> {
    let files = LogFiles::new(folder.logs().join(exchange.as_str()));
    let bundle_bytes = files.trim(head.size, folders)?;
    let edge = files.read_edge(head.size)?;
    check_root(&files, &edge, &head.root)?;
    let marks = |kind| read_marks(heads, folder, kind, head.number).map(Arc::new);
    Ok(Held {
        number: head.number,
        files,
        edge,
        bundle_bytes,
        withheld: marks(Kind::Withheld)?,
        void: marks(Kind::Void)?,
        root: OnceLock::from(head.root),
        exchange,
    })
}

/// The incomplete tiles together must have the head's root.
pub(super) fn check_root(files: &LogFiles, edge: &Edge, root: &Hash) -> Result<(), StoreError> {
    let met = edge.root();
    if met == *root {
        return Ok(());
    }
    let what = format!(
        "the incomplete tiles of a log of {} leaves have root {met}, expected {root}",
        edge.size()
    );
    Err(StoreError::corrupt(&files.root().join("tile"), None, what))
}

/// One kind of marks of a log.
pub(super) fn read_marks(
    heads: &sled::Tree,
    folder: &Folder,
    kind: Kind,
    log: u32,
) -> Result<Marks, StoreError> {
    let prefix = number_key(kind, log);
    let mut marks = Marks::default();
    for item in heads.scan_prefix(&prefix) {
        let (key, value) = item.map_err(index_error("read", folder.index()))?;
        let (bundle, bitmap) = decode_marks(&prefix, &key, &value)
            .ok_or_else(|| StoreError::corrupt(&folder.index(), None, "marks are unreadable"))?;
        marks.insert_bundle(bundle, bitmap);
    }
    Ok(marks)
}
