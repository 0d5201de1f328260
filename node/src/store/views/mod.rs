//! What users look things up in: tables folded from the logs, always rebuildable.
//!
//! A worker follows the committed logs with one cursor for each and writes rows, then the cursor; so
//! after a crash some rows are written again, which changes nothing. Rows name the positions and keys
//! that they rest on; whether those had authority is asked of the caller when a query is answered,
//! since the directory may change without any log of the exchange changing. Where rows are damaged,
//! the worker makes all of them anew, a few times at most.

mod contracts;
mod fresh;
mod generations;
mod ids;
mod listings;
mod row;
mod said;
mod tables;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests;
mod tidier;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hutong_protocol::directory::register_version;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use rayon::prelude::*;

pub use self::contracts::{ContractEventRow, ContractQuery, ContractRow};
pub(super) use self::fresh::Fresh;
pub(super) use self::generations::Generations;
pub(super) use self::ids::IdSum;
use self::ids::id_key;
pub use self::listings::{ListingQuery, ListingRow};
pub use self::row::{Counts, EventPosition, Page};
use self::row::{Recorded, decode_place, log_key, place_key};
use self::said::What;
use self::tables::{Batch, Table};
pub(super) use self::tables::{TableOptions, Tables};
use super::PlacedEntry;
use super::core::{Core, Held};
use super::error::StoreError;
use super::heads::HeadChanges;
use super::path::TILE_WIDTH;
use super::record::Kind;

/// How far the views have come, shared between the worker and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    next: BTreeMap<u32, u64>,
    failed: BTreeMap<u32, String>,
    refills_failed: bool,
    /// Logs of which something was committed since the worker looked.
    changed: BTreeSet<u32>,
    /// Where damaged rows were met.
    damaged: Option<PathBuf>,
    /// How often all rows were made anew.
    renewals: u32,
    /// Since when, and when it was last told how far that came.
    renewing: Option<(Instant, Instant)>,
    stop: bool,
}

/// How far the views have come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewProgress {
    /// Entries that are committed and not yet in the views.
    pub behind: u64,
    /// Logs that could not be read, and why; their views stay as they were.
    pub failed: Vec<(ExchangeId, String)>,
}

/// The thread that keeps the views; it ends when this value goes.
#[derive(Debug)]
pub(super) struct Worker {
    core: Arc<Core>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(core: &Arc<Core>) -> Result<Self, StoreError> {
        core.load_cursors()?;
        let working = Arc::clone(core);
        let thread = std::thread::Builder::new()
            .name("views".to_owned())
            .spawn(move || working.follow_logs())
            .map_err(StoreError::io("start the views' thread for", core.folder.root()))?;
        Ok(Self { core: Arc::clone(core), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.core.progress().stop = true;
        self.core.progressed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the views' thread was broken off; `hutong rebuild` makes them anew");
        }
    }
}

impl Core {
    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the worker of which logs something was committed.
    pub(super) fn wake_views(&self, changed: impl IntoIterator<Item = u32>) {
        self.progress().changed.extend(changed);
        self.progressed.notify_all();
    }

    /// Reads how far the views came before.
    pub(super) fn load_cursors(&self) -> Result<(), StoreError> {
        let mut next = BTreeMap::new();
        for row in self.tables.now().prefixed(vec![Table::Cursor as u8]) {
            let (key, value) = row?;
            if let (Ok(log), Ok(index)) = (key[1..].try_into(), value.as_ref().try_into()) {
                next.insert(u32::from_be_bytes(log), u64::from_be_bytes(index));
            }
        }
        self.progress().next = next;
        Ok(())
    }

    /// The worker: takes in what is committed, then waits for more.
    fn follow_logs(&self) {
        self.wake_views(self.all_numbers());
        while self.catch_up(&mut |_, _| ()) {
            let mut progress = self.progress();
            while progress.changed.is_empty() && progress.damaged.is_none() && !progress.stop {
                progress = self.progressed.wait(progress).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn all_numbers(&self) -> BTreeSet<u32> {
        self.all_held().iter().map(|held| held.number).collect()
    }

    /// Takes in everything that is committed; `told(log, next)` after each step. Returns false when
    /// it was asked to stop.
    pub(super) fn catch_up(&self, told: &mut dyn FnMut(&ExchangeId, u64)) -> bool {
        loop {
            let damaged = self.progress().damaged.clone();
            if let Some(folder) = damaged {
                self.renew(&folder);
            }
            let changed = std::mem::take(&mut self.progress().changed);
            for log in changed {
                if !self.catch_up_with(log, told) {
                    return false;
                }
            }
            if let Err(error) = self.take_in_refilled() {
                self.meet(&error, || {
                    tracing::error!(%error, "views lack entries that became known");
                    self.progress().refills_failed = true;
                });
            }
            // Held while the others are told, so that nobody looks just before and waits just after.
            let mut progress = self.progress();
            self.progressed.notify_all();
            if progress.changed.is_empty() && progress.damaged.is_none() {
                if let Some((begun, _)) = progress.renewing.take() {
                    let seconds = begun.elapsed().as_secs();
                    tracing::info!(seconds, "the views are whole again");
                }
                return !progress.stop;
            }
        }
    }

    /// As [`Core::catch_up`], for one log.
    fn catch_up_with(&self, log: u32, told: &mut dyn FnMut(&ExchangeId, u64)) -> bool {
        loop {
            let Some(held) = self.held_by_number(log) else { return true };
            let progress = self.progress();
            if progress.stop {
                return false;
            }
            let next = progress.next.get(&log).copied().unwrap_or(0);
            let failed = progress.failed.contains_key(&log);
            let damaged = progress.damaged.is_some();
            drop(progress);
            if next >= held.size() || failed || damaged {
                return true;
            }
            match self.take_in(&held, next) {
                Ok(next) => {
                    self.progress().next.insert(log, next);
                    self.tell_renewal();
                    told(&held.exchange, next);
                }
                Err(error) => self.meet(&error, || {
                    tracing::error!(log = %held.exchange, %error, "views stopped for a log");
                    self.stop_log(log, error.to_string());
                }),
            }
            self.progressed.notify_all();
        }
    }

    /// A log's views stand still from now on.
    fn stop_log(&self, log: u32, why: String) {
        self.fresh.let_go(log);
        self.progress().failed.insert(log, why);
    }

    /// Notes damaged rows, which are made anew; does `otherwise` about any other failure.
    fn meet(&self, error: &StoreError, otherwise: impl FnOnce()) {
        if error.is_damage_of_views() {
            tracing::warn!(%error, "the views are damaged");
            self.progress().damaged = Some(self.tables.now().folder().to_path_buf());
        } else {
            otherwise();
        }
    }

    /// Answers a question by the tables in use. Where they turn out to be damaged, the worker is told.
    pub(super) fn look_up<T>(
        &self,
        answer: impl FnOnce(&Tables) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let tables = self.tables.now();
        answer(&tables).inspect_err(|error| {
            if error.is_damage_of_views() {
                tracing::warn!(%error, "the views are damaged");
                self.progress().damaged = Some(tables.folder().to_path_buf());
                self.progressed.notify_all();
            }
        })
    }

    /// Makes all rows anew, where those in `folder` are still the ones in use. Not more often than a few
    /// times, since a disk that spoils whatever is written would keep the node at it for ever.
    fn renew(&self, folder: &Path) {
        let all = self.all_numbers();
        let renewals = self.progress().renewals;
        let renewed = if self.tables.now().folder() != folder {
            // Told of those before.
            Ok(false)
        } else if renewals < RENEWALS_MAX {
            let attempt = renewals + 1;
            tracing::warn!(attempt, of = RENEWALS_MAX, "all views are made anew from the logs");
            self.tables.renew().map(|()| true).map_err(|error| error.to_string())
        } else {
            Err(format!("they were damaged again after they were made anew {renewals} times"))
        };
        match &renewed {
            Ok(true) => self.fresh.go_on(),
            Ok(false) => {}
            Err(why) => {
                tracing::error!(why, "the views stand still; check the disk, then start again");
                for log in &all {
                    self.stop_log(*log, why.clone());
                }
            }
        }
        // In one step, so that nobody who waits takes the old rows for whole.
        let mut progress = self.progress();
        progress.damaged.take_if(|damaged| damaged == folder);
        if renewed == Ok(true) {
            progress.renewals += 1;
            progress.next.clear();
            progress.failed.clear();
            progress.refills_failed = false;
            progress.renewing = Some((Instant::now(), Instant::now()));
        }
        // What was put off meanwhile goes on.
        progress.changed.extend(all);
    }

    /// Says now and then how far the making anew has come.
    fn tell_renewal(&self) {
        let mut progress = self.progress();
        let Some((_, told)) = &mut progress.renewing else { return };
        if told.elapsed() >= TOLD_EVERY {
            *told = Instant::now();
            drop(progress);
            let behind = self.view_progress().behind;
            tracing::info!(behind, "the views are being made anew");
        }
    }

    /// Takes in some leaves from `next` on and returns the index after them.
    fn take_in(&self, held: &Held, next: u64) -> Result<u64, StoreError> {
        let leaves = match self.fresh.take(held.number, next, held.size()) {
            Some(leaves) => leaves,
            None => self.leaves(held, next, next + STEP_ENTRIES, STEP_BYTES)?,
        };
        let end = next + leaves.len() as u64;
        let tables = self.tables.now();
        let mut batch = tables.batch();
        for (index, leaf) in (next..).zip(&leaves) {
            batch.insert(id_key(&leaf.hash(), held.number, index), []);
        }
        self.record(&tables, held, next, &leaves, &mut batch)?;
        batch.insert(log_key(Table::Cursor, held.number), end.to_be_bytes());
        batch.commit()?;
        Ok(end)
    }

    /// Reads entries, many of them in parallel, and adds the rows of each table.
    fn record(
        &self,
        tables: &Tables,
        held: &Held,
        from: u64,
        leaves: &[Leaf],
        batch: &mut Batch<'_>,
    ) -> Result<(), StoreError> {
        if register_version(&held.exchange).is_some() {
            // A register records nothing that is listed; whatever else it holds takes no effect.
            return Ok(());
        }
        let sound = (from..).zip(leaves).filter(|(index, _)| !held.void.contains(*index));
        let entries: Vec<(u64, &Entry)> =
            sound.filter_map(|(index, leaf)| Some((index, leaf.entry()?))).collect();
        let read = |(index, entry): (u64, &Entry)| Recorded::parse(held, index, entry);
        let recorded: Vec<Recorded> = if entries.len() < PARSED_ALONE_MAX {
            entries.into_iter().filter_map(read).collect()
        } else {
            self.parsers()?.install(|| entries.into_par_iter().filter_map(read).collect())
        };
        for recorded in recorded.iter().filter(|recorded| recorded.what == What::Membership) {
            batch.insert(place_key(Table::Admin, held.number, recorded.index), []);
        }
        self.record_contracts(held, &recorded, batch);
        self.record_listings(tables, held, &recorded, batch)
    }

    /// Threads for parsing. Those that check what comes from peers are busy for long when most comes,
    /// and the views would wait for each group of entries behind them.
    fn parsers(&self) -> Result<&rayon::ThreadPool, StoreError> {
        if let Some(parsers) = self.parsers.get() {
            return Ok(parsers);
        }
        let parsers = rayon::ThreadPoolBuilder::new()
            .thread_name(|number| format!("views-{number}"))
            .build()
            .map_err(std::io::Error::other)
            .map_err(StoreError::io("start threads for", self.folder.root()))?;
        Ok(self.parsers.get_or_init(|| parsers))
    }

    /// Takes in entries that became known after the cursor had passed them.
    fn take_in_refilled(&self) -> Result<(), StoreError> {
        let prefix = [Kind::Refilled as u8];
        if !self.heads.any(&prefix) {
            return Ok(());
        }
        let tables = self.tables.now();
        let mut taken = HeadChanges::default();
        for key in self.heads.prefixed(&prefix).map_err(self.index_error("read"))?.into_keys() {
            if let Some((number, index)) = decode_place(&key[1..])
                && let Some(held) = self.held_by_number(number)
            {
                let Some(leaf @ Leaf::Entry(_)) = self.leaf(&held, index)? else {
                    // The commit that fills it in is not shown yet.
                    continue;
                };
                // One by one: each may be folded into the row that the one before has changed.
                let mut batch = tables.batch();
                self.record(&tables, &held, index, &[leaf], &mut batch)?;
                batch.commit()?;
            }
            taken.remove(key);
        }
        // No cursor says that they are missing, once their marks are gone.
        tables.sync()?;
        self.heads.apply(taken);
        Ok(())
    }

    /// Waits for the views of `log`, or of all logs for none, whose views may stand still then.
    pub(super) fn settle(&self, log: Option<&ExchangeId>, patience: Duration) -> bool {
        let deadline = Instant::now().checked_add(patience);
        let chosen = match log {
            None => self.all_held(),
            Some(log) => self.held(log).into_iter().collect(),
        };
        let targets: Vec<(u32, u64)> =
            chosen.iter().map(|held| (held.number, held.size())).collect();
        let mut progress = self.progress();
        loop {
            let whole = |log: &u32, size: &u64| {
                *size == 0 || progress.next.get(log).is_some_and(|next| next >= size)
            };
            let stands = |log: &u32| progress.failed.contains_key(log);
            if log.is_some() && targets.iter().any(|(log, size)| stands(log) && !whole(log, size)) {
                return false;
            }
            let reached = targets.iter().all(|(log, size)| whole(log, size) || stands(log));
            if reached
                && progress.damaged.is_none()
                && (progress.refills_failed || !self.refills_wait())
            {
                return true;
            }
            progress = match deadline {
                None => self.progressed.wait(progress).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    let waited = self.progressed.wait_timeout(progress, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn refills_wait(&self) -> bool {
        self.heads.any(&[Kind::Refilled as u8])
    }

    pub(super) fn view_progress(&self) -> ViewProgress {
        let held = self.all_held();
        let progress = self.progress();
        let mut told = ViewProgress::default();
        for held in held {
            let next = progress.next.get(&held.number).copied().unwrap_or(0);
            told.behind += held.size().saturating_sub(next);
            if let Some(why) = progress.failed.get(&held.number) {
                told.failed.push((held.exchange.clone(), why.clone()));
            }
        }
        told
    }

    /// Fails where the views of a log could not be made: a decision would be missing.
    pub(super) fn decisions(&self, tables: &Tables) -> Result<Vec<PlacedEntry>, StoreError> {
        let (failed, refills) = {
            let progress = self.progress();
            (progress.failed.values().next().cloned(), progress.refills_failed)
        };
        let failed = failed.or_else(|| refills.then(|| "what became known is missing".to_owned()));
        if let Some(why) = failed {
            return Err(StoreError::corrupt(&self.folder.views(), None, why));
        }
        let mut decisions = Vec::new();
        for row in tables.prefixed(vec![Table::Admin as u8]) {
            let (key, _) = row?;
            let Some((number, index)) = decode_place(&key[1..]) else { continue };
            let Some(held) = self.held_by_number(number) else { continue };
            if let Some(Leaf::Entry(entry)) = self.leaf(&held, index)? {
                decisions.push(((held.exchange.clone(), index), entry));
            }
        }
        Ok(decisions)
    }
}

/// Entries taken in at a time: four bundles, enough for parsing in parallel.
const STEP_ENTRIES: u64 = 4 * TILE_WIDTH;

/// Bytes taken in at a time: four bundles of 8 KiB entries; larger entries make shorter steps.
const STEP_BYTES: usize = 8 << 20;

/// Rows are made anew so often at most between two starts.
const RENEWALS_MAX: u32 = 3;

/// How often the log is told how far the making anew has come.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Entries that are parsed on the views' own thread: fewer are not worth waking others.
const PARSED_ALONE_MAX: usize = 64;
