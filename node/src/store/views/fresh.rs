//! What was committed a moment ago, so that the views need not read and parse it again.
//!
//! A convenience of bounded size: what is not here is read from the disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::StatementId;
use hutong_protocol::statement::Said;

/// Leaves that the views have not taken in yet, and statements that were parsed on their way in.
#[derive(Debug, Default)]
pub(in crate::store) struct Fresh {
    leaves: Mutex<Leaves>,
    statements: Mutex<Statements>,
}

/// Two generations: when the young one is full it becomes the old one, and what nobody came for,
/// since its entry was never committed, goes.
#[derive(Debug, Default)]
struct Statements {
    young: BTreeMap<StatementId, Said>,
    old: BTreeMap<StatementId, Said>,
}

#[derive(Debug, Default)]
struct Leaves {
    /// Log number → runs of leaves, each with the index of its first, in order.
    runs: BTreeMap<u32, VecDeque<(u64, Vec<Leaf>)>>,
    bytes: usize,
}

impl Fresh {
    fn leaves(&self) -> MutexGuard<'_, Leaves> {
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn statements(&self) -> MutexGuard<'_, Statements> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps leaves that were committed from index `from` on.
    pub(in crate::store) fn keep(&self, log: u32, from: u64, leaves: &[Leaf]) {
        let bytes = leaves.iter().map(bytes_of).sum::<usize>();
        let mut kept = self.leaves();
        if kept.bytes + bytes <= LEAVES_BYTES_MAX {
            kept.bytes += bytes;
            kept.runs.entry(log).or_default().push_back((from, leaves.to_vec()));
        }
    }

    /// The leaves from index `next` on that lie together; `None` where they are not here.
    pub(super) fn take(&self, log: u32, next: u64) -> Option<Vec<Leaf>> {
        let mut kept = self.leaves();
        loop {
            let runs = kept.runs.get_mut(&log)?;
            let Some((from, leaves)) = runs.pop_front_if(|(from, _)| *from <= next) else {
                if runs.is_empty() {
                    kept.runs.remove(&log);
                }
                return None;
            };
            kept.bytes -= leaves.iter().map(bytes_of).sum::<usize>();
            let passed = usize::try_from(next - from).unwrap_or(usize::MAX);
            if passed < leaves.len() {
                return Some(leaves.into_iter().skip(passed).collect());
            }
        }
    }

    /// Keeps what entries say.
    pub(in crate::store) fn remember<'a>(
        &self,
        statements: impl IntoIterator<Item = (&'a Entry, Said)>,
    ) {
        let mut kept = self.statements();
        // Those that would take much room are read again.
        let small = |(entry, _): &(&Entry, Said)| entry.as_bytes().len() <= ENTRY_BYTES_MAX;
        for (entry, said) in statements.into_iter().filter(small) {
            if kept.young.len() >= STATEMENTS_MAX / 2 {
                kept.old = std::mem::take(&mut kept.young);
            }
            kept.young.insert(entry.id(), said);
        }
    }

    /// What the statement with this id says, if that is known.
    pub(super) fn recall(&self, id: &StatementId) -> Option<Said> {
        let mut kept = self.statements();
        kept.young.remove(id).or_else(|| kept.old.remove(id))
    }
}

fn bytes_of(leaf: &Leaf) -> usize {
    leaf.entry().map_or(size_of::<Leaf>(), |entry| size_of::<Leaf>() + entry.as_bytes().len())
}

/// Bytes of leaves kept at most.
const LEAVES_BYTES_MAX: usize = 16 << 20;

/// Statements kept at most; some 2 KB each.
const STATEMENTS_MAX: usize = 8_192;

/// Bytes of an entry whose statement is kept at most: read, it takes up to three times as many.
const ENTRY_BYTES_MAX: usize = 8_192;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use hutong_crypto::digest::Hash;

    use super::*;

    fn leaves(from: u8, to: u8) -> Vec<Leaf> {
        (from..to).map(|number| Leaf::Withheld(Hash([number; 32]))).collect()
    }

    #[test]
    fn leaves_come_back_in_order_and_only_from_where_they_are_wanted() {
        let fresh = Fresh::default();
        fresh.keep(1, 0, &leaves(0, 3));
        fresh.keep(1, 3, &leaves(3, 5));
        fresh.keep(2, 9, &leaves(9, 10));
        assert_eq!(fresh.take(1, 1).unwrap(), leaves(1, 3));
        assert_eq!(fresh.take(1, 2), None, "the next run begins behind what is wanted");
        assert_eq!(fresh.take(1, 3).unwrap(), leaves(3, 5));
        assert_eq!(fresh.take(1, 5), None);
        assert_eq!(fresh.take(2, 9).unwrap(), leaves(9, 10));
        let kept = fresh.leaves();
        assert_eq!((kept.bytes, kept.runs.len()), (0, 1));
    }

    #[test]
    fn it_keeps_no_more_than_its_bound() {
        let fresh = Fresh::default();
        let many = vec![Leaf::Withheld(Hash([1; 32])); LEAVES_BYTES_MAX / size_of::<Leaf>() / 2];
        fresh.keep(1, 0, &many);
        fresh.keep(2, 0, &many);
        fresh.keep(3, 0, &many);
        assert!(fresh.take(1, 0).is_some() && fresh.take(2, 0).is_some());
        assert_eq!(fresh.take(3, 0), None);
    }
}
