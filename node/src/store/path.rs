//! Where a log's files lie below its folder: the paths of C2SP tlog-tiles.
//!
//! A growing file is named `<path>.partial` until it is complete, so that a path without a suffix
//! always names an immutable file. Source: c2sp.org/tlog-tiles, "Merkle tree" and "Log entries".

use std::path::{Path, PathBuf};

/// Hashes in a complete tile, and entries in a complete bundle.
pub(super) const TILE_WIDTH: u64 = 256;

/// What a file of a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// Hashes of complete subtrees of 256^level leaves.
    Hashes(u8),
    /// Entries.
    Entries,
}

/// One file of a log: which part, and its number from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TileId {
    pub(super) part: Part,
    pub(super) number: u64,
}

impl TileId {
    pub(super) fn hashes(level: u8, number: u64) -> Self {
        Self { part: Part::Hashes(level), number }
    }

    pub(super) fn entries(number: u64) -> Self {
        Self { part: Part::Entries, number }
    }

    /// Path below the log's folder once complete.
    pub(super) fn path(self) -> PathBuf {
        part_folder(self.part).join(number_path(self.number))
    }

    /// Path below the log's folder while it grows.
    pub(super) fn partial_path(self) -> PathBuf {
        with_suffix(&self.path(), PARTIAL_SUFFIX)
    }

    /// Path of a partial file of `width` hashes or entries in an exported site.
    pub(super) fn site_partial_path(self, width: u64) -> PathBuf {
        with_suffix(&self.path(), ".p").join(width.to_string())
    }
}

/// Folder of a part below the log's folder.
pub(super) fn part_folder(part: Part) -> PathBuf {
    match part {
        Part::Hashes(level) => Path::new("tile").join(level.to_string()),
        Part::Entries => Path::new("tile").join("entries"),
    }
}

/// `number` in groups of three digits, all but the last with an `x` before: `x001/x234/067`.
pub(super) fn number_path(number: u64) -> PathBuf {
    let mut groups = vec![format!("{:03}", number % 1000)];
    let mut rest = number / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.iter().rev().collect()
}

/// The number that `path` stands for, or `None` if it is no such path in canonical form.
pub(super) fn parse_number_path(path: &Path) -> Option<u64> {
    let mut number = 0_u64;
    for group in path {
        let text = group.to_str()?;
        let digits: u64 = text.strip_prefix('x').unwrap_or(text).parse().ok()?;
        number = number.checked_mul(1000)?.checked_add(digits)?;
    }
    (number_path(number) == path).then_some(number)
}

/// `path` without the suffix of growing files, and whether it had one.
pub(super) fn strip_partial(path: &Path) -> (PathBuf, bool) {
    match path.to_str().and_then(|text| text.strip_suffix(PARTIAL_SUFFIX)) {
        Some(base) => (PathBuf::from(base), true),
        None => (path.to_path_buf(), false),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

const PARTIAL_SUFFIX: &str = ".partial";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_as_the_specification_shows() {
        for (number, path) in [
            (0, "000"),
            (67, "067"),
            (999, "999"),
            (1000, "x001/000"),
            (1_234_067, "x001/x234/067"),
            (1_000_000, "x001/x000/000"),
        ] {
            assert_eq!(number_path(number), Path::new(path));
            assert_eq!(parse_number_path(Path::new(path)), Some(number));
        }
    }

    #[test]
    fn other_spellings_of_a_number_are_refused() {
        for path in ["67", "x067", "x000/067", "001/067", "x001/67", "abc", "", "+67"] {
            assert_eq!(parse_number_path(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn growing_files_carry_the_suffix() {
        let tile = TileId::hashes(1, 1005);
        assert_eq!(tile.path(), Path::new("tile/1/x001/005"));
        assert_eq!(tile.partial_path(), Path::new("tile/1/x001/005.partial"));
        assert_eq!(tile.site_partial_path(7), Path::new("tile/1/x001/005.p/7"));
        assert_eq!(strip_partial(Path::new("005.partial")), (PathBuf::from("005"), true));
        assert_eq!(TileId::entries(3).path(), Path::new("tile/entries/003"));
    }
}
