//! What falls due, and when.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::id::ExchangeId;
use crate::time::Instant;

/// Something that falls due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Show the council what was appended, or announce it at once.
    Announce(ExchangeId),
    /// Announce without a quorum what the council was shown.
    QuorumLate(ExchangeId),
    /// Compare holdings with the next peer.
    AntiEntropy,
    /// Compare once more with peers that held something else.
    CompareAgain,
    /// Sign although no peer has shown its copy of the own log.
    OwnLogUnanswered(ExchangeId),
    /// Anchor what changed, as keeper of the register.
    AnchorDue,
    /// Look again at decisions that could not be recorded, as keeper of the register.
    EnrolAgain,
    /// Ask again for what the check of the register lacks.
    AuditAgain,
    /// Look for another peer that holds what a log lacks.
    FindSource(ExchangeId),
    /// Fetch on of a log that was over its quota.
    GoOn(ExchangeId),
    /// Ask another peer too for the leaves of a log that others wait for.
    RangeLate(ExchangeId),
    /// Ask again for entries that were not handed out.
    SeekWithheld(ExchangeId),
    /// Cosign what a log has become since the last cosignature.
    Cosign(ExchangeId),
    /// Deliver the newest cosignature of a log once more.
    Deliver(ExchangeId),
}

/// Timers, each set at most once.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Instant, Timer)>,
    due: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets `timer` for `at`, unless it is set for an earlier time already.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(earlier) = self.due.get(&timer) {
            if *earlier <= at {
                return;
            }
            self.queue.remove(&(*earlier, timer.clone()));
        }
        self.due.insert(timer.clone(), at);
        self.queue.insert((at, timer));
    }

    /// Forgets `timer`.
    pub(super) fn clear(&mut self, timer: &Timer) {
        if let Some(at) = self.due.remove(timer) {
            self.queue.remove(&(at, timer.clone()));
        }
    }

    /// How many are set.
    pub(super) fn count(&self) -> usize {
        self.due.len()
    }

    /// When the next timer falls due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out what is due at `now`.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Timer> {
        let mut due = Vec::new();
        while self.next().is_some_and(|at| at <= now) {
            if let Some((_, timer)) = self.queue.pop_first() {
                self.due.remove(&timer);
                due.push(timer);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn the_earlier_of_two_times_holds_and_each_timer_fires_once() {
        let at = Instant::from_millis;
        let mut timers = Timers::default();
        timers.set(Timer::CompareAgain, at(30));
        timers.set(Timer::CompareAgain, at(20));
        timers.set(Timer::CompareAgain, at(40));
        timers.set(Timer::AntiEntropy, at(25));
        assert_eq!(timers.next(), Some(at(20)));
        assert_eq!(timers.take_due(at(19)), vec![]);
        assert_eq!(timers.take_due(at(40)), vec![Timer::CompareAgain, Timer::AntiEntropy]);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_cleared_timer_does_not_fire() {
        let mut timers = Timers::default();
        timers.set(Timer::CompareAgain, Instant::from_millis(1));
        timers.clear(&Timer::CompareAgain);
        assert_eq!(timers.take_due(Instant::from_millis(9)), vec![]);
    }
}
