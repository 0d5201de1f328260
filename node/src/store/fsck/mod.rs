//! Looking at everything that is stored, and changing nothing.
//!
//! Every file of every log is read: incomplete tiles against the head's root, complete tiles against
//! the tiles above them, entries against their leaf hashes, signatures again, checkpoints against
//! the tree, the index against the files. All findings are reported, each with the file and what to
//! do about it. No key is needed.

mod entries;
mod index;
mod tiles;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use hutong_crypto::keys::PublicKey;
use hutong_protocol::id::ExchangeId;
use serde::Serialize;

use super::StoreOptions;
use super::core::{index_error, open_index, read_heads, read_marks};
use super::error::StoreError;
use super::files::LogFiles;
use super::folder::Folder;
use super::journal;
use super::marks::Marks;
use super::record::{Head, Kind, decode_sequence};
use super::views::{Generations, IdSum, Tables};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Untidy and harmless.
    Note,
    /// Something committed is lost, changed or contradictory.
    Error,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// The log concerned.
    pub log: Option<String>,
    /// The file concerned.
    pub file: Option<PathBuf>,
    /// The entry concerned, counted from 0.
    pub index: Option<u64>,
    /// What was expected and what was met.
    pub what: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// What was looked at in one log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// The log.
    pub log: String,
    /// Leaves committed.
    pub size: u64,
    /// Entries read and found to have their leaf hash.
    pub entries: u64,
    /// Leaves of which only the hash is held.
    pub withheld: u64,
    /// Entries marked void.
    pub void: u64,
    /// Signatures that verified.
    pub signatures: u64,
    /// Whether the checkpoint's log signature was checked; false where the log's key is not known.
    pub checkpoint_signature: bool,
}

/// Everything that was looked at and everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FsckReport {
    /// Each log, by exchange id.
    pub logs: Vec<LogReport>,
    /// What is not as it should be, in no particular order of gravity.
    pub findings: Vec<Finding>,
}

impl FsckReport {
    /// Whether nothing that was committed is lost or changed; notes may remain.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::Error)
    }
}

/// How far the looking has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsckProgress {
    /// The log that is being read.
    pub log: ExchangeId,
    /// Its entries read so far.
    pub entries: u64,
    /// All its entries.
    pub size: u64,
}

/// The key that signs a log's checkpoints, where it is known.
pub type LogKey<'a> = dyn Fn(&ExchangeId) -> Option<PublicKey> + 'a;

/// Looks at everything in the data folder at `path`; no node may work in it meanwhile.
///
/// # Errors
///
/// [`StoreError`] where the folder or its index cannot be opened at all; everything else becomes a
/// finding.
pub fn fsck(
    path: &Path,
    log_key: &LogKey<'_>,
    progress: &mut dyn FnMut(&FsckProgress),
) -> Result<FsckReport, StoreError> {
    let folder = Folder::open_existing(path)?;
    let failed = |action| index_error(action, folder.index());
    // Opening by path would make a new index where there is none.
    if !folder.index().is_dir() {
        let what = "the index is missing; restore it from a backup";
        return Err(StoreError::corrupt(&folder.index(), None, what));
    }
    let db = open_index(&folder, StoreOptions::default().index_cache_bytes)?;
    let heads = db.open_tree("heads").map_err(failed("open"))?;
    let mut report = FsckReport::default();
    let all = read_heads(&heads, &folder)?;
    find_strange_folders(&folder, &all, &mut report)?;
    let sizes: BTreeMap<u32, u64> = all.iter().map(|(_, head)| (head.number, head.size)).collect();
    let views = Views::look(&folder, &sizes, &mut report)?;
    let ids = std::thread::scope(|scope| {
        // What goes through one file after the other has a thread of its own, while others read the logs.
        let journal = scope.spawn(|| examine_journal(&folder, &heads));
        let sums = scope.spawn(|| views.sums(&sizes));
        let mut ids = Vec::new();
        for (exchange, head) in all {
            let examined = Examined {
                files: LogFiles::new(folder.logs().join(exchange.as_str())),
                withheld: read_marks(&heads, &folder, Kind::Withheld, head.number)?,
                void: read_marks(&heads, &folder, Kind::Void, head.number)?,
                index: folder.index(),
                exchange,
                head,
            };
            ids.push(examined.examine(&heads, &views, log_key, progress, &mut report)?);
        }
        report.findings.extend(joined(journal)?);
        let sums = joined(sums)?;
        Ok(sums.map(|sums| (sums, ids)))
    })?;
    match ids {
        Some((sums, ids)) => compare_ids(&folder, &sums, ids, &mut report.findings),
        None => report.findings.push(views_damaged(&folder)),
    }
    Ok(report)
}

/// What a thread came to; a panic of it goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The views, where they are whole.
#[derive(Default)]
struct Views {
    tables: Option<Tables>,
    /// How far they came in each log.
    cursors: BTreeMap<u32, u64>,
}

/// What the ids of one log amount to by its tiles, as far as the views came.
struct LogIds {
    number: u32,
    log: String,
    /// `None` where the tiles do not tell.
    sum: Option<IdSum>,
}

impl Views {
    /// Where they are damaged, that is a note, and they are as good as none: the node makes them anew.
    fn look(
        folder: &Folder,
        sizes: &BTreeMap<u32, u64>,
        report: &mut FsckReport,
    ) -> Result<Self, StoreError> {
        let read = || -> Result<Self, StoreError> {
            let cache = StoreOptions::default().views_cache_bytes;
            let Some(tables) = Generations::open_to_read(&folder.views(), cache)? else {
                return Ok(Self::default());
            };
            let cursors =
                sizes.iter().map(|(log, size)| Ok((*log, tables.cursor(*log)?.min(*size))));
            let cursors = cursors.collect::<Result<_, StoreError>>()?;
            Ok(Self { tables: Some(tables), cursors })
        };
        read().or_else(|error| {
            if !error.is_damage_of_views() {
                return Err(error);
            }
            report.findings.push(views_damaged(folder));
            Ok(Self::default())
        })
    }

    fn cursor(&self, head: &Head) -> u64 {
        self.cursors.get(&head.number).copied().unwrap_or_default()
    }

    /// What the ids in them amount to, by log; `None` where they turn out to be damaged.
    fn sums(&self, sizes: &BTreeMap<u32, u64>) -> Result<Option<BTreeMap<u32, IdSum>>, StoreError> {
        let Some(tables) = &self.tables else { return Ok(Some(BTreeMap::new())) };
        match tables.id_sums(|log| sizes.get(&log).copied().unwrap_or(0)) {
            Err(error) if error.is_damage_of_views() => Ok(None),
            sums => sums.map(Some),
        }
    }
}

fn views_damaged(folder: &Folder) -> Finding {
    Finding {
        severity: Severity::Note,
        log: None,
        file: Some(folder.views()),
        index: None,
        what: "the views are damaged; the logs are not concerned".to_owned(),
        advice: VIEWS_DAMAGED,
    }
}

/// The views must find every statement by its id, and no other.
fn compare_ids(
    folder: &Folder,
    sums: &BTreeMap<u32, IdSum>,
    logs: Vec<LogIds>,
    findings: &mut Vec<Finding>,
) {
    for LogIds { number, log, sum } in logs {
        let met = sums.get(&number).copied().unwrap_or_default();
        if sum.is_some_and(|expected| expected != met) {
            findings.push(Finding {
                severity: Severity::Error,
                log: Some(log),
                file: Some(folder.views()),
                index: None,
                what: "the views do not find every statement by its id".to_owned(),
                advice: REBUILD,
            });
        }
    }
}

/// One log under examination.
struct Examined {
    exchange: ExchangeId,
    head: Head,
    files: LogFiles,
    withheld: Marks,
    void: Marks,
    index: PathBuf,
}

impl Examined {
    fn examine(
        &self,
        heads: &sled::Tree,
        views: &Views,
        log_key: &LogKey<'_>,
        progress: &mut dyn FnMut(&FsckProgress),
        report: &mut FsckReport,
    ) -> Result<LogIds, StoreError> {
        let mut log = LogReport {
            log: self.exchange.to_string(),
            size: self.head.size,
            withheld: self.withheld.count(),
            void: self.void.count(),
            ..LogReport::default()
        };
        let tree = self.examine_tiles(&mut report.findings)?;
        let cursor = views.cursor(&self.head);
        let sum = self.examine_entries(&tree, cursor, progress, &mut log, &mut report.findings);
        self.examine_checkpoints(&tree, heads, log_key, &mut log, &mut report.findings)?;
        self.examine_marks(&mut report.findings);
        let ids = LogIds { number: self.head.number, log: log.log.clone(), sum };
        report.logs.push(log);
        Ok(ids)
    }

    fn error(
        &self,
        file: PathBuf,
        index: Option<u64>,
        what: impl Into<String>,
        advice: &'static str,
    ) -> Finding {
        Finding {
            severity: Severity::Error,
            log: Some(self.exchange.to_string()),
            file: Some(file),
            index,
            what: what.into(),
            advice,
        }
    }

    fn note(&self, file: PathBuf, what: impl Into<String>, advice: &'static str) -> Finding {
        Finding { severity: Severity::Note, ..self.error(file, None, what, advice) }
    }

    /// A failed reading as a finding.
    fn unreadable(&self, error: &StoreError) -> Finding {
        match error {
            StoreError::Corrupt { file, index, what } => {
                self.error(file.clone(), *index, what.clone(), REPLACE_FILE)
            }
            StoreError::Io { file, action, source } => {
                let what = format!("could not {action} it: {source}");
                self.error(file.clone(), None, what, CHECK_DISK)
            }
            other => {
                self.error(self.files.root().to_path_buf(), None, other.to_string(), CHECK_DISK)
            }
        }
    }
}

/// Commits that the next start makes again.
fn examine_journal(folder: &Folder, heads: &sled::Tree) -> Result<Vec<Finding>, StoreError> {
    let path = folder.journal();
    let mut findings = Vec::new();
    let mut find = |severity, what, advice| {
        let file = Some(path.clone());
        findings.push(Finding { severity, log: None, file, index: None, what, advice });
    };
    let applied = heads.get([Kind::Journal as u8]).map_err(index_error("read", folder.index()))?;
    let applied = applied.as_deref().and_then(decode_sequence);
    match journal::read(&path, applied.unwrap_or(0)) {
        Ok(Some(commits)) => {
            let waiting = commits.iter().filter(|c| Some(c.sequence) > applied).count();
            if waiting > 0 {
                let what = format!("{waiting} commits are not in the files and the index yet");
                find(Severity::Note, what, JOURNAL_WAITS);
            }
        }
        Ok(None) if applied.is_some() => {
            find(Severity::Error, "the journal is missing".to_owned(), JOURNAL_LOST);
        }
        Ok(None) => {}
        Err(error) => find(Severity::Error, error.to_string(), JOURNAL_LOST),
    }
    Ok(findings)
}

/// Folders of logs that the index does not know.
fn find_strange_folders(
    folder: &Folder,
    heads: &[(ExchangeId, Head)],
    report: &mut FsckReport,
) -> Result<(), StoreError> {
    let known: BTreeSet<&str> = heads.iter().map(|(log, _)| log.as_str()).collect();
    let logs = folder.logs();
    for entry in fs::read_dir(&logs).map_err(StoreError::io("read folder", &logs))? {
        let entry = entry.map_err(StoreError::io("read folder", &logs))?;
        if !entry.file_name().to_str().is_some_and(|name| known.contains(name)) {
            report.findings.push(Finding {
                severity: Severity::Note,
                log: None,
                file: Some(entry.path()),
                index: None,
                what: "the index knows no such log".to_owned(),
                advice: "left by an interrupted first commit; it may be deleted",
            });
        }
    }
    Ok(())
}

const REPLACE_FILE: &str = "restore this file from a backup, or drop the log so that it is fetched \
                            again from other nodes";
const JOURNAL_WAITS: &str = "the node stopped without notice; its next start puts them there";
const JOURNAL_LOST: &str = "restore the whole data folder from a backup; the last commits are lost \
                            otherwise";
const VIEWS_DAMAGED: &str = "the node makes them anew when it meets the damage, and `hutong rebuild` \
                             does so now; check the disk";
const REBUILD: &str = "run `hutong rebuild`";
const CHECK_DISK: &str = "check the disk, the permissions and the system's messages";
