//! Sets of indices, kept as disjoint ranges.

use alloc::collections::BTreeMap;

/// A set of indices as disjoint half-open ranges that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    ends: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Whether the set is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many indices the set holds.
    pub(super) fn count(&self) -> u64 {
        self.ends.iter().map(|(from, to)| to - from).sum()
    }

    /// The lowest range.
    pub(super) fn first(&self) -> Option<(u64, u64)> {
        self.ends.first_key_value().map(|(from, to)| (*from, *to))
    }

    /// Adds `[from, to)`.
    pub(super) fn insert(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let (mut low, mut high) = (from, to);
        while let Some((start, end)) = self.ends.range(..=high).next_back() {
            let (start, end) = (*start, *end);
            if end < low {
                break;
            }
            low = low.min(start);
            high = high.max(end);
            self.ends.remove(&start);
        }
        self.ends.insert(low, high);
    }

    /// Takes `[from, to)` out.
    pub(super) fn remove(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        while let Some((start, end)) = self.ends.range(..to).next_back() {
            let (start, end) = (*start, *end);
            if end <= from {
                break;
            }
            self.ends.remove(&start);
            if start < from {
                self.ends.insert(start, from);
            }
            if end > to {
                self.ends.insert(to, end);
            }
        }
    }

    /// The ranges, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ends.iter().map(|(from, to)| (*from, *to))
    }

    /// Moves everything from `other` here.
    pub(super) fn absorb(&mut self, other: &mut Self) {
        for (from, to) in core::mem::take(&mut other.ends) {
            self.insert(from, to);
        }
    }

    /// Takes out all indices below `index`.
    pub(super) fn take_below(&mut self, index: u64) -> Self {
        let mut below = Self { ends: core::mem::take(&mut self.ends) };
        self.ends = below.ends.split_off(&index);
        if let Some(mut last) = below.ends.last_entry()
            && *last.get() > index
        {
            self.ends.insert(index, last.insert(index));
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn members(ranges: &Ranges) -> Vec<u64> {
        ranges.ends.iter().flat_map(|(from, to)| *from..*to).collect()
    }

    proptest! {
        #[test]
        fn ranges_behave_as_a_set(
            steps in prop::collection::vec((any::<bool>(), 0_u64..40, 0_u64..40), 0..60)
        ) {
            let mut ranges = Ranges::default();
            let mut expected = BTreeSet::new();
            for (add, from, to) in steps {
                if add {
                    ranges.insert(from, to);
                    expected.extend(from..to);
                } else {
                    ranges.remove(from, to);
                    expected.retain(|index| *index < from || *index >= to);
                }
                prop_assert_eq!(members(&ranges), expected.iter().copied().collect::<Vec<_>>());
                prop_assert!(ranges.ends.iter().zip(ranges.ends.iter().skip(1))
                    .all(|((_, end), (start, _))| end < start));
            }
            prop_assert_eq!(ranges.count(), expected.len() as u64);
        }

        #[test]
        fn what_is_below_an_index_is_taken_out(
            steps in prop::collection::vec((0_u64..40, 0_u64..40), 0..20), index in 0_u64..45
        ) {
            let mut ranges = Ranges::default();
            for (from, to) in steps {
                ranges.insert(from, to);
            }
            let before = ranges.clone();
            let mut below = ranges.take_below(index);
            prop_assert!(members(&below).iter().all(|member| *member < index));
            prop_assert!(members(&ranges).iter().all(|member| *member >= index));
            ranges.absorb(&mut below);
            prop_assert_eq!(ranges, before);
        }
    }
}
