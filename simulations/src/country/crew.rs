//! Threads that share out the work of a window.
//!
//! A window passes in less time than it takes to wake a thread, so that they look for work all the time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::Backoff;

/// Pieces of work, and those that are done.
#[derive(Debug)]
pub struct Crew<T> {
    todo: Mutex<Vec<T>>,
    done: Mutex<Vec<T>>,
    /// Pieces that are not done.
    left: AtomicUsize,
    closed: AtomicBool,
}

impl<T> Default for Crew<T> {
    fn default() -> Self {
        Self {
            todo: Mutex::default(),
            done: Mutex::default(),
            left: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }
}

/// Closes the crew when it goes out of scope, so that no thread waits for one that has panicked.
#[derive(Debug)]
pub struct Closing<'a, T>(&'a Crew<T>);

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
    }
}

impl<T> Crew<T> {
    /// While this is kept, threads [serve](Self::serve).
    pub fn closing(&self) -> Closing<'_, T> {
        Closing(self)
    }

    /// Hands out pieces of work; the last is taken first.
    pub fn start(&self, work: Vec<T>) {
        self.left.store(work.len(), Ordering::Release);
        *lock(&self.todo) = work;
    }

    /// Does pieces of work until the crew is closed.
    pub fn serve(&self, run: impl Fn(&mut T)) {
        let _closing = self.closing();
        let backoff = Backoff::new();
        while !self.closed.load(Ordering::Acquire) {
            if self.left.load(Ordering::Acquire) > 0 && self.one(&run) {
                backoff.reset();
            } else {
                backoff.snooze();
            }
        }
    }

    /// Does what is left of the work with the others; returns all pieces, in no order.
    pub fn finish(&self, run: impl Fn(&mut T)) -> Vec<T> {
        let backoff = Backoff::new();
        while self.left.load(Ordering::Acquire) > 0 {
            if !self.one(&run) {
                assert!(!self.closed.load(Ordering::Acquire), "another thread has panicked");
                backoff.snooze();
            }
        }
        std::mem::take(&mut *lock(&self.done))
    }

    fn one(&self, run: &impl Fn(&mut T)) -> bool {
        let Some(mut piece) = lock(&self.todo).pop() else { return false };
        run(&mut piece);
        lock(&self.done).push(piece);
        self.left.fetch_sub(1, Ordering::AcqRel);
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_work_is_done_once_on_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let crew = Crew::default();
            let run = |piece: &mut (u64, u64)| piece.1 += piece.0;
            std::thread::scope(|scope| {
                let _closing = crew.closing();
                for _ in 1..threads {
                    scope.spawn(|| crew.serve(run));
                }
                for round in 0..200 {
                    crew.start((0..round % 13).map(|piece| (piece, 1)).collect());
                    let mut done = crew.finish(run);
                    done.sort_unstable();
                    let all: Vec<_> = (0..round % 13).map(|piece| (piece, piece + 1)).collect();
                    assert_eq!(done, all);
                }
            });
        }
    }

    #[test]
    #[should_panic(expected = "panicked")]
    fn a_thread_that_panics_stops_the_others() {
        let crew = Crew::default();
        let of_another = std::thread::current().id();
        let run = |_: &mut ()| assert!(std::thread::current().id() == of_another, "on purpose");
        std::thread::scope(|scope| {
            let _closing = crew.closing();
            scope.spawn(|| crew.serve(run));
            // One of them meets the other thread in the end, which does not come back.
            for _ in 0..10_000_000 {
                crew.start(vec![(); 8]);
                crew.finish(run);
            }
        });
    }
}
