//! A sparse set of entry indices, kept as one bitmap for each bundle of 256.

use std::collections::BTreeMap;

use super::path::TILE_WIDTH;

/// Indices of a log that bear a mark (withheld, void).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    bundles: BTreeMap<u64, [u8; BITMAP_BYTES]>,
}

/// Bytes of one bundle's bitmap: a bit for each of 256 entries.
pub(super) const BITMAP_BYTES: usize = 32;

impl Marks {
    /// Takes a bundle's bitmap as it was stored.
    pub(super) fn insert_bundle(&mut self, bundle: u64, bitmap: [u8; BITMAP_BYTES]) {
        if bitmap == [0; BITMAP_BYTES] {
            self.bundles.remove(&bundle);
        } else {
            self.bundles.insert(bundle, bitmap);
        }
    }

    /// A bundle's bitmap, `None` when no entry of it is marked.
    pub(super) fn bundle(&self, bundle: u64) -> Option<&[u8; BITMAP_BYTES]> {
        self.bundles.get(&bundle)
    }

    /// Whether `index` is marked.
    pub(super) fn contains(&self, index: u64) -> bool {
        let (bundle, byte, bit) = place(index);
        self.bundles.get(&bundle).is_some_and(|bitmap| bitmap[byte] & bit != 0)
    }

    /// Marks `index`.
    pub(super) fn insert(&mut self, index: u64) {
        let (bundle, byte, bit) = place(index);
        self.bundles.entry(bundle).or_insert([0; BITMAP_BYTES])[byte] |= bit;
    }

    /// Takes the mark off `index`.
    pub(super) fn remove(&mut self, index: u64) {
        let (bundle, byte, bit) = place(index);
        if let Some(bitmap) = self.bundles.get_mut(&bundle) {
            bitmap[byte] &= !bit;
            if *bitmap == [0; BITMAP_BYTES] {
                self.bundles.remove(&bundle);
            }
        }
    }

    /// How many indices are marked.
    pub(super) fn count(&self) -> u64 {
        self.bundles.values().flatten().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// Marked indices in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.bundles.iter().flat_map(|(&bundle, bitmap)| {
            (0..TILE_WIDTH).filter_map(move |offset| {
                let (_, byte, bit) = place(offset);
                (bitmap[byte] & bit != 0).then_some(bundle * TILE_WIDTH + offset)
            })
        })
    }

    /// Marked indices as half-open ranges in order, neighbours joined.
    pub(super) fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for index in self.iter() {
            match ranges.last_mut() {
                Some((_, to)) if *to == index => *to += 1,
                _ => ranges.push((index, index + 1)),
            }
        }
        ranges
    }
}

/// Bundle, byte in its bitmap, and bit in that byte.
fn place(index: u64) -> (u64, usize, u8) {
    let offset = index % TILE_WIDTH;
    let byte = usize::try_from(offset / 8).unwrap_or_default();
    (index / TILE_WIDTH, byte, 1 << (offset % 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_and_go() {
        let mut marks = Marks::default();
        for index in [0, 255, 256, 70_000] {
            marks.insert(index);
            assert!(marks.contains(index) && !marks.contains(index + 2));
        }
        assert_eq!(marks.count(), 4);
        for index in [0, 255, 256, 70_000] {
            marks.remove(index);
            marks.remove(index);
            assert!(!marks.contains(index));
        }
        assert_eq!(marks, Marks::default());
    }

    #[test]
    fn ranges_join_across_bundles() {
        let mut marks = Marks::default();
        for index in [3, 254, 255, 256, 257, 600] {
            marks.insert(index);
        }
        assert_eq!(marks.ranges(), [(3, 4), (254, 258), (600, 601)]);
    }
}
