//! What was committed a moment ago, so that the views need not read it from the disk.
//!
//! A convenience of bounded size: what is not here is read there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hutong_protocol::entry::Leaf;

/// Leaves that the views have not taken in yet.
#[derive(Debug, Default)]
pub(in crate::store) struct Fresh {
    leaves: Mutex<Leaves>,
}

#[derive(Debug, Default)]
struct Leaves {
    /// Log number → runs of leaves, each with the index of its first, in order.
    runs: BTreeMap<u32, VecDeque<(u64, Vec<Leaf>)>>,
    bytes: usize,
    /// Logs whose views stand still: nobody comes for their leaves.
    standing: BTreeSet<u32>,
}

impl Fresh {
    fn leaves(&self) -> MutexGuard<'_, Leaves> {
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps leaves that were committed from index `from` on.
    pub(in crate::store) fn keep(&self, log: u32, from: u64, leaves: &[Leaf]) {
        let bytes = leaves.iter().map(bytes_of).sum::<usize>();
        let mut kept = self.leaves();
        if kept.bytes + bytes <= LEAVES_BYTES_MAX && !kept.standing.contains(&log) {
            kept.bytes += bytes;
            kept.runs.entry(log).or_default().push_back((from, leaves.to_vec()));
        }
    }

    /// The leaves from index `next` on that lie together, and none that a log of `size` leaves lacks: it
    /// may be about to grow. `None` where they are not here.
    pub(super) fn take(&self, log: u32, next: u64, size: u64) -> Option<Vec<Leaf>> {
        let mut kept = self.leaves();
        loop {
            let runs = kept.runs.get_mut(&log)?;
            let wanted = |(from, leaves): &mut (u64, Vec<Leaf>)| {
                *from <= next && *from + leaves.len() as u64 <= size
            };
            let Some((from, leaves)) = runs.pop_front_if(wanted) else {
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

    /// Lets go of a log whose views stand still, and keeps nothing of it from now on.
    pub(super) fn let_go(&self, log: u32) {
        let mut kept = self.leaves();
        let runs = kept.runs.remove(&log).unwrap_or_default();
        kept.bytes -= runs.iter().flat_map(|(_, leaves)| leaves).map(bytes_of).sum::<usize>();
        kept.standing.insert(log);
    }

    /// Every log's views go on.
    pub(super) fn go_on(&self) {
        self.leaves().standing.clear();
    }
}

fn bytes_of(leaf: &Leaf) -> usize {
    leaf.entry().map_or(size_of::<Leaf>(), |entry| size_of::<Leaf>() + entry.as_bytes().len())
}

/// Bytes of leaves kept at most.
const LEAVES_BYTES_MAX: usize = 16 << 20;

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
        assert_eq!(fresh.take(1, 1, u64::MAX).unwrap(), leaves(1, 3));
        assert_eq!(fresh.take(1, 3, 4), None, "the log is not as long yet");
        assert_eq!(fresh.take(1, 2, u64::MAX), None, "the next run begins behind what is wanted");
        assert_eq!(fresh.take(1, 3, u64::MAX).unwrap(), leaves(3, 5));
        assert_eq!(fresh.take(1, 5, u64::MAX), None);
        assert_eq!(fresh.take(2, 9, u64::MAX).unwrap(), leaves(9, 10));
        let kept = fresh.leaves();
        assert_eq!((kept.bytes, kept.runs.len()), (0, 1));
    }

    #[test]
    fn nothing_is_kept_of_a_log_whose_views_stand_still() {
        let fresh = Fresh::default();
        fresh.keep(1, 0, &leaves(0, 3));
        fresh.keep(2, 0, &leaves(3, 4));
        fresh.let_go(1);
        assert_eq!(fresh.leaves().bytes, size_of::<Leaf>());
        fresh.keep(1, 3, &leaves(4, 5));
        assert_eq!(fresh.take(1, 3, u64::MAX), None);
        fresh.go_on();
        fresh.keep(1, 3, &leaves(4, 5));
        assert_eq!(fresh.take(1, 3, u64::MAX).unwrap(), leaves(4, 5));
        assert_eq!(fresh.take(2, 0, u64::MAX).unwrap(), leaves(3, 4));
        assert_eq!(fresh.leaves().bytes, 0);
    }

    #[test]
    fn it_keeps_no_more_than_its_bound() {
        let fresh = Fresh::default();
        let many = vec![Leaf::Withheld(Hash([1; 32])); LEAVES_BYTES_MAX / size_of::<Leaf>() / 2];
        fresh.keep(1, 0, &many);
        fresh.keep(2, 0, &many);
        fresh.keep(3, 0, &many);
        assert!(fresh.take(1, 0, u64::MAX).is_some() && fresh.take(2, 0, u64::MAX).is_some());
        assert_eq!(fresh.take(3, 0, u64::MAX), None);
    }
}
