//! Writing a log as a static C2SP tlog-tiles site that any web server can serve.
//!
//! The checkpoint comes last, so that a site is never served that promises more than it has. An
//! export into the folder of an earlier one extends it; what was complete stays as it is.
//!
//! The format knows entries, and no leaf without its entry. A log with entries beyond the audience
//! asked for is therefore refused as a whole. What is for everybody becomes readable for every user
//! of the machine, such as a web server's; all else stays private.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::root_at;
use hutong_protocol::audience::Audience;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::json::parse_canonical;
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

/// Whose statements an export may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExportAudience {
    /// Statements for everybody.
    Public,
    /// Those, and statements for members of the issuer's country.
    Domestic,
    /// Every statement, also for members by name, and entries that are no statement.
    All,
}

impl ExportAudience {
    /// Whether `entry` may be in the export. What says nothing valid of its audience is for nobody but
    /// [`ExportAudience::All`].
    pub fn admits(self, entry: &Entry) -> bool {
        let statement = parse_canonical(entry.statement_bytes()).ok();
        let audience = statement.as_ref().and_then(|statement| statement.get("audience"));
        match audience.map(Audience::from_value) {
            Some(Ok(Audience::Public)) => true,
            Some(Ok(Audience::Domestic)) => self >= Self::Domestic,
            Some(Ok(Audience::Members(_)) | Err(_)) | None => self == Self::All,
        }
    }
}

/// What an export wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Leaves that the site's checkpoint covers.
    pub size: u64,
    /// Cosignatures of witnesses that the checkpoint carries.
    pub cosignatures: usize,
    /// Files written.
    pub files_written: u64,
    /// Files that an earlier export had written already.
    pub files_kept: u64,
    /// Bytes written.
    pub bytes_written: u64,
}

impl Store {
    /// Writes `log` as a static site into the folder `target`, up to the chosen checkpoint, with its
    /// cosignatures. Nothing is written where an entry is not for `audience`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Restricted`] where entries are not for `audience`;
    /// [`StoreError::Withheld`] with the ranges when entries are not held here;
    /// [`StoreError::Misuse`] when there is no such checkpoint or its root is not the log's;
    /// [`StoreError::UnknownLog`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn export(
        &self,
        log: &ExchangeId,
        choice: CheckpointChoice,
        audience: ExportAudience,
        target: &Path,
    ) -> Result<ExportReport, StoreError> {
        let held = self.core.held(log)?;
        let known = self.head_of(&held)?;
        let is_cosigned = |newest: &(u64, String)| {
            known.cosigned.as_ref().is_some_and(|cosigned| cosigned.0 == newest.0)
        };
        let (size, note) = match choice {
            CheckpointChoice::Newest if known.checkpoint.as_ref().is_some_and(is_cosigned) => {
                known.cosigned
            }
            CheckpointChoice::Newest => known.checkpoint,
            CheckpointChoice::Cosigned => known.cosigned,
        }
        .ok_or_else(|| StoreError::misuse(log, "there is no such checkpoint to export yet"))?;
        self.check_exportable(&held, size, &note)?;
        self.check_audience(&held, size, audience)?;
        let cosignatures = cosignatures(&note);
        let report = ExportReport { size, cosignatures, ..ExportReport::default() };
        let is_public = audience == ExportAudience::Public;
        let mut output = Site { target, is_public, report };
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

    /// Counts the entries that are not for `audience`, before anything is written.
    fn check_audience(
        &self,
        held: &Held,
        size: u64,
        audience: ExportAudience,
    ) -> Result<(), StoreError> {
        if audience == ExportAudience::All {
            return Ok(());
        }
        let mut restricted = 0;
        for number in 0..size.div_ceil(TILE_WIDTH) {
            let from = number * TILE_WIDTH;
            let to = size.min(from + TILE_WIDTH);
            let leaves = self.core.leaves(held, from, to, usize::MAX)?;
            restricted += leaves
                .iter()
                .filter(|leaf| matches!(leaf, Leaf::Entry(entry) if !audience.admits(entry)))
                .count() as u64;
        }
        if restricted == 0 {
            return Ok(());
        }
        Err(StoreError::Restricted { log: held.exchange.clone(), restricted, size })
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
    /// Whether every user of the machine may read it.
    is_public: bool,
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
            self.create_folder(folder)?;
        }
        write_durably(&path, bytes)?;
        self.share(&path, 0o644)?;
        self.report.files_written += 1;
        self.report.bytes_written += bytes.len() as u64;
        Ok(())
    }
}

impl Site<'_> {
    fn create_folder(&self, folder: &Path) -> Result<(), StoreError> {
        if folder.is_dir() {
            return Ok(());
        }
        if folder != self.target
            && let Some(above) = folder.parent()
        {
            self.create_folder(above)?;
        }
        fs::create_dir_all(folder).map_err(StoreError::io("create folder", folder))?;
        self.share(folder, 0o755)
    }

    fn share(&self, path: &Path, mode: u32) -> Result<(), StoreError> {
        if !self.is_public {
            return Ok(());
        }
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(path, permissions).map_err(StoreError::io("set the mode of", path))
    }
}

/// Cosignatures on a checkpoint.
fn cosignatures(note: &str) -> usize {
    let note = hutong_crypto::note::Note::parse(note).ok();
    let lines = note.iter().flat_map(|note| &note.signatures);
    lines.filter(|line| line.name.ends_with("/witness")).count()
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
