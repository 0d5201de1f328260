//! An entry bundle: up to 256 entries, each after its length as a big-endian `u16`.
//!
//! A withheld leaf is an entry of length 0; no real entry is empty.
//! Source: c2sp.org/tlog-tiles, "Log entries".

use std::ops::Range;

use bytes::Bytes;

use super::path::TILE_WIDTH;

/// Most bytes of a bundle: 256 × (2 + 65,535).
pub(super) const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH * (2 + ENTRY_BYTES_MAX as u64);

/// Most bytes of one entry: what a `u16` counts.
pub(super) const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// A bundle cut into its entries.
pub(super) struct Bundle {
    bytes: Bytes,
    entries: Vec<Range<usize>>,
}

/// The bytes end before the expected number of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShortBundle {
    /// How many entries are whole.
    pub(super) whole: u64,
}

impl Bundle {
    /// Cuts the first `count` entries out of `bytes`; what follows them is not looked at.
    pub(super) fn parse(bytes: Bytes, count: u64) -> Result<Self, ShortBundle> {
        let count = usize::try_from(count.min(TILE_WIDTH)).unwrap_or_default();
        let mut entries = Vec::with_capacity(count);
        let mut at = 0_usize;
        for whole in 0..count {
            let short = ShortBundle { whole: whole as u64 };
            let head = bytes.get(at..at + 2).ok_or(short)?;
            let start = at + 2;
            let end = start + usize::from(u16::from_be_bytes([head[0], head[1]]));
            if end > bytes.len() {
                return Err(short);
            }
            entries.push(start..end);
            at = end;
        }
        Ok(Self { bytes, entries })
    }

    /// Entry `place` of the bundle; `None` when withheld or beyond the end.
    pub(super) fn entry(&self, place: usize) -> Option<Bytes> {
        let range = self.entries.get(place)?.clone();
        (!range.is_empty()).then(|| self.bytes.slice(range))
    }

    /// Bytes up to the end of the last entry.
    pub(super) fn len_bytes(&self) -> u64 {
        self.entries.last().map_or(0, |range| range.end as u64)
    }

    /// How many entries were cut out.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }
}

/// Adds one entry, or a withheld leaf's place, to the bytes of a bundle.
///
/// `entry` is at most [`ENTRY_BYTES_MAX`] bytes, which its parser has seen to; a longer one would
/// be refused here rather than cut.
#[must_use]
pub(super) fn push(bundle: &mut Vec<u8>, entry: Option<&[u8]>) -> bool {
    let entry = entry.unwrap_or_default();
    let Ok(len) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(push(&mut bytes, Some(b"one")));
        assert!(push(&mut bytes, None));
        assert!(push(&mut bytes, Some(b"three")));
        bytes
    }

    #[test]
    fn entries_come_back_and_withheld_ones_are_none() {
        let bytes = Bytes::from(sample());
        let bundle = Bundle::parse(bytes.clone(), 3).unwrap();
        assert_eq!(bundle.entry(0).unwrap(), "one");
        assert_eq!(bundle.entry(1), None);
        assert_eq!(bundle.entry(2).unwrap(), "three");
        assert_eq!(bundle.entry(3), None);
        assert_eq!(bundle.len_bytes(), bytes.len() as u64);
    }

    #[test]
    fn a_bundle_cut_anywhere_is_short() {
        let bytes = Bytes::from(sample());
        for cut in 0..bytes.len() {
            let error = Bundle::parse(bytes.slice(..cut), 3).err().unwrap();
            assert!(error.whole < 3, "cut at {cut}");
        }
    }

    #[test]
    fn an_entry_longer_than_its_length_field_is_refused() {
        let mut bytes = Vec::new();
        assert!(push(&mut bytes, Some(&vec![7; ENTRY_BYTES_MAX])));
        assert!(!push(&mut bytes, Some(&vec![7; ENTRY_BYTES_MAX + 1])));
        assert_eq!(bytes.len(), 2 + ENTRY_BYTES_MAX);
    }
}
