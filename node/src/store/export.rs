//! Writing a log as a static C2SP tlog-tiles site that any web server can serve.
//!
//! The checkpoint comes last, so that a site is never served that promises more than it has. An
//! export into the folder of an earlier one extends it; what was complete stays as it is.

use std::fs;
use std::path::Path;

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::root_at;
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::ExchangeId;
use serde::Serialize;

use super::Store;
use super::bundle;
use super::core::Held;
use super::edge::{Edge, LEVELS_MAX};
use super::error::StoreError;
use super::folder::write_durably;
use super::path::{TILE_WIDTH, TileId};
use super::read::StoredTree;

/// Which checkpoint an exported site shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointChoice {
    /// The newest that is fully held.
    Newest,
    /// The newest with a witness quorum.
    Cosigned,
}

/// What an export wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Leaves that the site's checkpoint covers.
    pub size: u64,
    /// Files written.
    pub files_written: u64,
    /// Files that an earlier export had written already.
    pub files_kept: u64,
    /// Bytes written.
    pub bytes_written: u64,
}

impl Store {
    /// Writes `log` as a static site into the folder `target`, up to the chosen checkpoint.
    ///
    /// # Errors
    ///
    /// [`StoreError::Withheld`] with the ranges when entries are not held here;
    /// [`StoreError::Misuse`] when there is no such checkpoint or its root is not the log's;
    /// [`StoreError::UnknownLog`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn export(
        &self,
        log: &ExchangeId,
        choice: CheckpointChoice,
        target: &Path,
    ) -> Result<ExportReport, StoreError> {
        let held = self.core.held(log)?;
        let known = self.head_of(&held)?;
        let (size, note) = match choice {
            CheckpointChoice::Newest => known.checkpoint,
            CheckpointChoice::Cosigned => known.cosigned,
        }
        .ok_or_else(|| StoreError::misuse(log, "there is no such checkpoint to export yet"))?;
        self.check_exportable(&held, size, &note)?;
        let mut output = Site { target, report: ExportReport { size, ..ExportReport::default() } };
        self.export_hashes(&held, size, &mut output)?;
        self.export_entries(&held, size, &mut output)?;
        output.write(Path::new("checkpoint"), note.as_bytes())?;
        Ok(output.report)
    }

    fn check_exportable(&self, held: &Held, size: u64, note: &str) -> Result<(), StoreError> {
        let log = &held.exchange;
        if size > held.size() {
            return Err(StoreError::Beyond { log: log.clone(), index: held.size(), size });
        }
        let withheld: Vec<(u64, u64)> = held
            .withheld
            .ranges()
            .into_iter()
            .filter(|(from, _)| *from < size)
            .map(|(from, to)| (from, to.min(size)))
            .collect();
        if !withheld.is_empty() {
            return Err(StoreError::Withheld { log: log.clone(), ranges: withheld });
        }
        let tree =
            StoredTree::new(std::sync::Arc::clone(&self.core), std::sync::Arc::new(held.clone()));
        let root = root_at(size, &tree)?;
        let (noted_size, noted_root) = noted(note)
            .ok_or_else(|| StoreError::misuse(log, "the checkpoint held cannot be read"))?;
        if (noted_size, noted_root) != (size, root) {
            let what = format!(
                "the checkpoint says size {noted_size} root {noted_root}, the log has size {size} \
                 root {root}"
            );
            return Err(StoreError::misuse(log, what));
        }
        Ok(())
    }

    fn export_hashes(
        &self,
        held: &Held,
        size: u64,
        output: &mut Site<'_>,
    ) -> Result<(), StoreError> {
        for level in 0..LEVELS_MAX {
            let (complete, width) = (Edge::number(size, level), Edge::width(size, level));
            for number in 0..complete {
                let path = TileId::hashes(level, number).path();
                output
                    .write_once(&path, || Ok(hash_bytes(&self.core.tile(held, level, number)?)))?;
            }
            if width > 0 {
                let tile = self.core.tile(held, level, complete)?;
                let hashes = tile.iter().copied().take(usize::try_from(width).unwrap_or(0));
                let path = TileId::hashes(level, complete).site_partial_path(width);
                output.write(&path, &hash_bytes(&hashes.collect::<Vec<_>>()))?;
            }
        }
        Ok(())
    }

    fn export_entries(
        &self,
        held: &Held,
        size: u64,
        output: &mut Site<'_>,
    ) -> Result<(), StoreError> {
        for number in 0..size.div_ceil(TILE_WIDTH) {
            let from = number * TILE_WIDTH;
            let to = size.min(from + TILE_WIDTH);
            if to == from + TILE_WIDTH {
                let path = TileId::entries(number).path();
                output.write_once(&path, || self.bundle_bytes(held, from, to))?;
            } else {
                let path = TileId::entries(number).site_partial_path(to - from);
                output.write(&path, &self.bundle_bytes(held, from, to)?)?;
            }
        }
        Ok(())
    }

    /// A bundle of entries, each checked against its leaf hash.
    fn bundle_bytes(&self, held: &Held, from: u64, to: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        for leaf in self.core.leaves(held, from, to, usize::MAX)? {
            let Leaf::Entry(entry) = leaf else { continue };
            let fits = bundle::push(&mut bytes, Some(entry.as_bytes()));
            debug_assert!(fits, "an entry that was parsed fits its length field");
        }
        Ok(bytes)
    }
}

/// The folder that is being written.
struct Site<'a> {
    target: &'a Path,
    report: ExportReport,
}

impl Site<'_> {
    fn write_once(
        &mut self,
        path: &Path,
        bytes: impl FnOnce() -> Result<Vec<u8>, StoreError>,
    ) -> Result<(), StoreError> {
        if self.target.join(path).exists() {
            self.report.files_kept += 1;
            return Ok(());
        }
        self.write(path, &bytes()?)
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.target.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::io("create folder", folder))?;
        }
        write_durably(&path, bytes)?;
        self.report.files_written += 1;
        self.report.bytes_written += bytes.len() as u64;
        Ok(())
    }
}

fn hash_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Size and root in the text of a signed checkpoint.
pub(super) fn noted(note: &str) -> Option<(u64, Hash)> {
    let note = hutong_crypto::note::Note::parse(note).ok()?;
    let checkpoint = hutong_crypto::checkpoint::Checkpoint::parse(&note.text).ok()?;
    Some((checkpoint.size, checkpoint.root))
}
