//! What users look things up in: tables folded from the logs, always rebuildable.
//!
//! A worker follows the committed logs with one cursor for each and writes rows, then the cursor; so
//! after a crash some rows are written again, which changes nothing. Rows name the positions and keys
//! that they rest on; whether those had authority is asked of the caller when a query is answered,
//! since the directory may change without any log of the exchange changing.

mod contracts;
mod fresh;
mod ids;
mod listings;
mod row;
mod tables;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use rayon::prelude::*;

pub use self::contracts::{ContractEventRow, ContractQuery, ContractRow};
pub(super) use self::fresh::Fresh;
pub(super) use self::ids::IdSum;
use self::ids::id_key;
pub use self::listings::{ListingQuery, ListingRow};
pub use self::row::{Counts, EventPosition, Page};
use self::row::{Recorded, decode_place, log_key, place_key};
pub(super) use self::tables::Tables;
use self::tables::{Batch, Table};
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
    wakes: u64,
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

    /// Tells the worker that something was committed.
    pub(super) fn wake_views(&self) {
        self.progress().wakes += 1;
        self.progressed.notify_all();
    }

    /// Reads how far the views came before.
    pub(super) fn load_cursors(&self) -> Result<(), StoreError> {
        let mut next = BTreeMap::new();
        for row in self.tables.prefixed(vec![Table::Cursor as u8]) {
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
        loop {
            let wakes = self.progress().wakes;
            if !self.catch_up(&mut |_, _| ()) {
                return;
            }
            let mut progress = self.progress();
            while progress.wakes == wakes && !progress.stop {
                progress = self.progressed.wait(progress).unwrap_or_else(PoisonError::into_inner);
            }
            if progress.stop {
                return;
            }
        }
    }

    /// Takes in everything that is committed; `told(log, next)` after each step. Returns false when
    /// it was asked to stop.
    pub(super) fn catch_up(&self, told: &mut dyn FnMut(&ExchangeId, u64)) -> bool {
        for held in self.all_held() {
            loop {
                let progress = self.progress();
                if progress.stop {
                    return false;
                }
                let next = progress.next.get(&held.number).copied().unwrap_or(0);
                if next >= held.size() || progress.failed.contains_key(&held.number) {
                    break;
                }
                drop(progress);
                let outcome = self.take_in(&held, next);
                let mut progress = self.progress();
                match outcome {
                    Ok(next) => {
                        progress.next.insert(held.number, next);
                        told(&held.exchange, next);
                    }
                    Err(error) => {
                        tracing::error!(log = %held.exchange, %error, "views stopped for a log");
                        progress.failed.insert(held.number, error.to_string());
                    }
                }
                drop(progress);
                self.progressed.notify_all();
            }
        }
        if let Err(error) = self.take_in_refilled() {
            tracing::error!(%error, "views lack entries that became known");
            self.progress().refills_failed = true;
        }
        // Held while the others are told, so that nobody looks just before and waits just after.
        let _progress = self.progress();
        self.progressed.notify_all();
        true
    }

    /// Takes in some leaves from `next` on and returns the index after them.
    fn take_in(&self, held: &Held, next: u64) -> Result<u64, StoreError> {
        let leaves = match self.fresh.take(held.number, next) {
            // They may have been committed since `held` was looked at.
            Some(leaves) if next + leaves.len() as u64 <= held.size() => leaves,
            _ => self.leaves(held, next, next + STEP_ENTRIES, STEP_BYTES)?,
        };
        let end = next + leaves.len() as u64;
        let mut batch = self.tables.batch();
        for (index, leaf) in (next..).zip(&leaves) {
            batch.insert(id_key(&leaf.hash(), held.number, index), []);
        }
        self.record(held, (next..).zip(leaves).collect(), &mut batch)?;
        batch.insert(log_key(Table::Cursor, held.number), end.to_be_bytes());
        batch.commit()?;
        Ok(end)
    }

    /// Parses entries in parallel and adds the rows of each table.
    fn record(
        &self,
        held: &Held,
        leaves: Vec<(u64, Leaf)>,
        batch: &mut Batch<'_>,
    ) -> Result<(), StoreError> {
        let recorded: Vec<Recorded> = leaves
            .into_par_iter()
            .filter(|(index, _)| !held.void.contains(*index))
            .filter_map(|(index, leaf)| match leaf {
                Leaf::Entry(entry) => Recorded::parse(held, index, &entry),
                Leaf::Withheld(_) => None,
            })
            .collect();
        for recorded in recorded.iter().filter(|recorded| recorded.is_admin()) {
            batch.insert(place_key(Table::Admin, held.number, recorded.index), []);
        }
        self.record_contracts(held, &recorded, batch);
        self.record_listings(held, &recorded, batch)
    }

    /// Takes in entries that became known after the cursor had passed them.
    fn take_in_refilled(&self) -> Result<(), StoreError> {
        let prefix = [Kind::Refilled as u8];
        if !self.heads.any(&prefix) {
            return Ok(());
        }
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
                let mut batch = self.tables.batch();
                self.record(&held, vec![(index, leaf)], &mut batch)?;
                batch.commit()?;
            }
            taken.remove(key);
        }
        // No cursor says that they are missing, once their marks are gone.
        self.tables.sync()?;
        self.heads.apply(taken);
        Ok(())
    }

    /// Waits for the views of `log`, or of all logs for none.
    pub(super) fn settle(&self, log: Option<&ExchangeId>, patience: Duration) -> bool {
        let deadline = Instant::now().checked_add(patience);
        let held = self.all_held();
        let chosen = held.iter().filter(|held| log.is_none_or(|log| held.exchange == *log));
        let targets: Vec<(u32, u64)> = chosen.map(|held| (held.number, held.size())).collect();
        let mut progress = self.progress();
        loop {
            let reached = targets.iter().all(|(log, size)| {
                progress.next.get(log).is_some_and(|next| next >= size)
                    || *size == 0
                    || progress.failed.contains_key(log)
            });
            if reached && (progress.refills_failed || !self.refills_wait()) {
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
    pub(super) fn admin_facts(&self) -> Result<Vec<(ExchangeId, u64, Entry)>, StoreError> {
        let (failed, refills) = {
            let progress = self.progress();
            (progress.failed.values().next().cloned(), progress.refills_failed)
        };
        let failed = failed.or_else(|| refills.then(|| "what became known is missing".to_owned()));
        if let Some(why) = failed {
            return Err(StoreError::corrupt(&self.folder.views(), None, why));
        }
        let mut facts = Vec::new();
        for row in self.tables.prefixed(vec![Table::Admin as u8]) {
            let (key, _) = row?;
            let Some((number, index)) = decode_place(&key[1..]) else { continue };
            let Some(held) = self.held_by_number(number) else { continue };
            if let Some(Leaf::Entry(entry)) = self.leaf(&held, index)? {
                facts.push((held.exchange.clone(), index, entry));
            }
        }
        Ok(facts)
    }
}

/// Entries taken in at a time: four bundles, enough for parsing in parallel.
const STEP_ENTRIES: u64 = 4 * TILE_WIDTH;

/// Bytes taken in at a time: four bundles of 8 KiB entries; larger entries make shorter steps.
const STEP_BYTES: usize = 8 << 20;
