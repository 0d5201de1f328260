//! The threads that write the views' rows out and keep them in order, so that whoever takes rows in
//! does neither.
//!
//! They are bounded by holding the writer back: what waits in memory and on the disk never becomes
//! more than a few parts. Ending in the middle loses nothing that was written out.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::tables::Rows;
use crate::store::error::StoreError;

/// Two threads, one that writes out and one that tidies; they end when this value goes.
#[derive(Debug)]
pub(super) struct Tidier {
    course: Arc<Course>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Course {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Now {
    /// What the threads are asked to do.
    asked: BTreeSet<Work>,
    stop: bool,
    /// What went wrong and was told nobody yet.
    failed: Option<StoreError>,
    /// Threads that ended.
    ended: usize,
    /// Whether the writer waits.
    holding: bool,
}

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Flush,
    Tidy,
}

impl Tidier {
    pub(super) fn start(rows: &Arc<Rows>) -> Result<Self, StoreError> {
        let tidier = Self { course: Arc::default(), threads: Mutex::default() };
        for (work, name) in [(Work::Flush, "views-write"), (Work::Tidy, "views-tidy")] {
            let (course, rows) = (Arc::clone(&tidier.course), Arc::clone(rows));
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || course.run(work, &rows))
                .map_err(StoreError::io("start a thread for", std::path::Path::new("views")))?;
            tidier.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        // What was left in disorder at the last end.
        tidier.course.ask(Work::Tidy);
        Ok(tidier)
    }

    /// Asks for what was sealed to be written.
    pub(super) fn wake(&self) {
        self.course.ask(Work::Flush);
    }

    /// Waits until there is room for more to wait.
    ///
    /// # Errors
    ///
    /// What went wrong in a thread since it was last told.
    pub(super) fn hold_back(&self, rows: &Rows) -> Result<(), StoreError> {
        let mut now = self.course.now();
        loop {
            if let Some(error) = now.failed.take() {
                return Err(error);
            }
            if now.ended > 0 {
                let reason = "a thread of the views was broken off".to_owned();
                return Err(StoreError::Poisoned { reason });
            }
            let (sealed, runs) = rows.waiting();
            now.holding = sealed >= SEALED_MAX || runs >= RUNS_MAX;
            if !now.holding {
                return Ok(());
            }
            // Again, where it was in vain before.
            if sealed >= SEALED_MAX {
                now.asked.insert(Work::Flush);
            }
            if runs >= RUNS_MAX {
                now.asked.insert(Work::Tidy);
            }
            self.course.changed.notify_all();
            now = self.course.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the threads after the step that they are at.
    pub(super) fn stop(&self) {
        self.course.now().stop = true;
        self.course.changed.notify_all();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the views was broken off");
            }
        }
    }

    /// Whether the writer waits at this moment.
    #[cfg(test)]
    pub(super) fn holds_back(&self) -> bool {
        self.course.now().holding
    }
}

impl Drop for Tidier {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Course {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, work: Work) {
        self.now().asked.insert(work);
        self.changed.notify_all();
    }

    fn run(&self, work: Work, rows: &Rows) {
        let _told = Ended(self);
        while self.wait_for(work) {
            let done = match work {
                Work::Flush => rows.flush(),
                Work::Tidy => rows.tidy(|| self.now().stop),
            };
            let mut now = self.now();
            match done {
                Ok(()) if work == Work::Flush => {
                    now.asked.insert(Work::Tidy);
                }
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "rows of the views are not written");
                    now.failed = Some(error);
                }
            }
            drop(now);
            self.changed.notify_all();
        }
    }

    /// Waits for something to do; false where this is the end.
    fn wait_for(&self, work: Work) -> bool {
        let mut now = self.now();
        loop {
            if now.stop {
                return false;
            }
            if now.asked.remove(&work) {
                return true;
            }
            now = self.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Tells a waiting writer that nobody works for it any more, also after a panic.
struct Ended<'a>(&'a Course);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.now().ended += 1;
        self.0.changed.notify_all();
    }
}

/// Parts of memory that wait to be written at most; one more takes rows.
const SEALED_MAX: usize = 2;

/// Runs of tables on the disk that are not in order at most: each is one more place to look.
const RUNS_MAX: usize = 12;
