//! The import journal: what was published from which mapping, so that a run goes on where another ended.
//!
//! A journal is `<name>.json`, written whole at the end of a run, and `<name>.tail.jsonl`, to which every
//! published group is appended. The node's own listings have the last word: the journal only tells a
//! change in the source from a change made at the node.

use super::limits::JOURNAL_BYTES_MAX;
use hutong_crypto::Hash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

const VERSION: u32 = 1;

/// What was last published for a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// BLAKE3 over the content without its revision, hexadecimal.
    pub digest: String,
    /// The revision under which it was published.
    pub revision: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Snapshot {
    version: u32,
    mapping: String,
    entries: BTreeMap<String, JournalEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TailLine {
    subject: String,
    #[serde(flatten)]
    entry: JournalEntry,
}

/// Why a journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// A file cannot be read or written.
    #[error("cannot use the import journal {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The journal is not what this program writes.
    #[error("the import journal {} is damaged ({reason}): move it away, the next run compares with the node alone", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another import with this mapping is running.
    #[error("another import with this mapping is running ({} is locked): wait for it", .0.display())]
    Busy(PathBuf),
}

/// An open journal, locked against other imports of the same name.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    tail_path: PathBuf,
    name: String,
    entries: BTreeMap<String, JournalEntry>,
    tail: Option<File>,
    _lock: File,
}

impl Journal {
    /// Opens the journal of the mapping `name` in `folder`, which is created if need be.
    ///
    /// # Errors
    ///
    /// [`JournalError`]. A torn last line of the tail, as a crash leaves it, is no error.
    pub fn open(folder: &Path, name: &str) -> Result<Self, JournalError> {
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |source| JournalError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(fault(folder))?;
        let lock_path = folder.join(format!("{name}.lock"));
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(fault(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy(lock_path)),
            Err(TryLockError::Error(source)) => return Err(fault(&lock_path)(source)),
        }
        let mut journal = Self {
            path: folder.join(format!("{name}.json")),
            tail_path: folder.join(format!("{name}.tail.jsonl")),
            name: name.to_owned(),
            entries: BTreeMap::new(),
            tail: None,
            _lock: lock,
        };
        journal.read_snapshot()?;
        journal.read_tail()?;
        Ok(journal)
    }

    /// What was last published for `subject`.
    pub fn entry(&self, subject: &str) -> Option<&JournalEntry> {
        self.entries.get(subject)
    }

    /// How many subjects the journal has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was published yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Records a published group; returns when it is on disk.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`].
    pub fn record(
        &mut self,
        published: impl IntoIterator<Item = (String, JournalEntry)>,
    ) -> Result<(), JournalError> {
        let mut lines = Vec::new();
        for (subject, entry) in published {
            let line = TailLine { subject, entry };
            serde_json::to_writer(&mut lines, &line).map_err(|error| self.fault(error.into()))?;
            lines.push(b'\n');
            self.entries.insert(line.subject, line.entry);
        }
        if lines.is_empty() {
            return Ok(());
        }
        if self.tail.is_none() {
            let tail = OpenOptions::new().create(true).append(true).open(&self.tail_path);
            self.tail = Some(tail.map_err(|error| self.fault(error))?);
        }
        let Some(tail) = &mut self.tail else { return Ok(()) };
        let written = tail.write_all(&lines).and_then(|()| tail.sync_data());
        written.map_err(|error| self.fault(error))
    }

    /// Writes the whole journal and drops its tail.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`]; the old journal and its tail are then still there.
    pub fn finish(mut self) -> Result<(), JournalError> {
        let snapshot = Snapshot {
            version: VERSION,
            mapping: self.name.clone(),
            entries: std::mem::take(&mut self.entries),
        };
        let fresh = self.path.with_extension("json.new");
        let write = || -> io::Result<()> {
            let mut output = BufWriter::new(File::create(&fresh)?);
            serde_json::to_writer(&mut output, &snapshot)?;
            output.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            std::fs::rename(&fresh, &self.path)?;
            match std::fs::remove_file(&self.tail_path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        };
        write().map_err(|error| self.fault(error))
    }

    fn fault(&self, source: io::Error) -> JournalError {
        JournalError::Io { path: self.path.clone(), source }
    }

    fn damaged(path: &Path, reason: impl Into<String>) -> JournalError {
        JournalError::Damaged { path: path.to_owned(), reason: reason.into() }
    }

    fn open_bounded(path: &Path) -> Result<Option<File>, JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io)?,
        };
        let bytes = file.metadata().map_err(io)?.len();
        if bytes > JOURNAL_BYTES_MAX {
            let reason = format!("{bytes} bytes, at most {JOURNAL_BYTES_MAX} are read");
            return Err(Self::damaged(path, reason));
        }
        Ok(Some(file))
    }

    fn read_snapshot(&mut self) -> Result<(), JournalError> {
        let Some(file) = Self::open_bounded(&self.path)? else { return Ok(()) };
        let snapshot: Snapshot = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| Self::damaged(&self.path, error.to_string()))?;
        if snapshot.version != VERSION {
            let reason = format!("version {}, expected {VERSION}", snapshot.version);
            return Err(Self::damaged(&self.path, reason));
        }
        if snapshot.mapping != self.name {
            let reason = format!("it is of the mapping `{}`", snapshot.mapping);
            return Err(Self::damaged(&self.path, reason));
        }
        self.entries = snapshot.entries;
        Ok(())
    }

    fn read_tail(&mut self) -> Result<(), JournalError> {
        let Some(file) = Self::open_bounded(&self.tail_path)? else { return Ok(()) };
        let mut input = BufReader::new(file);
        let mut whole_bytes = 0;
        loop {
            let mut line = Vec::new();
            let bytes = input.read_until(b'\n', &mut line).map_err(|error| self.fault(error))?;
            if line.last() != Some(&b'\n') {
                break;
            }
            whole_bytes += bytes as u64;
            let line: TailLine = serde_json::from_slice(&line)
                .map_err(|error| Self::damaged(&self.tail_path, error.to_string()))?;
            self.entries.insert(line.subject, line.entry);
        }
        // A crash may have torn the last line: what follows must not be glued to it.
        let tail = OpenOptions::new().write(true).open(&self.tail_path);
        tail.and_then(|tail| tail.set_len(whole_bytes)).map_err(|error| self.fault(error))
    }
}

impl JournalEntry {
    /// The entry for content with this digest.
    pub fn new(digest: &Hash, revision: u64) -> Self {
        Self { digest: digest.to_string(), revision }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn entry(revision: u64) -> JournalEntry {
        JournalEntry::new(&hutong_crypto::blake3(&revision.to_be_bytes()), revision)
    }

    #[test]
    fn entries_survive_with_and_without_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), "a").unwrap();
        assert!(journal.is_empty());
        journal.record([("x".into(), entry(1)), ("y".into(), entry(1))]).unwrap();
        journal.record([("x".into(), entry(2))]).unwrap();
        drop(journal);
        let journal = Journal::open(folder.path(), "a").unwrap();
        assert_eq!(journal.entry("x"), Some(&entry(2)));
        journal.finish().unwrap();
        assert!(!folder.path().join("a.tail.jsonl").exists());
        let journal = Journal::open(folder.path(), "a").unwrap();
        assert_eq!((journal.len(), journal.entry("y")), (2, Some(&entry(1))));
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_not_glued_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), "a").unwrap();
        journal.record([("x".into(), entry(1)), ("y".into(), entry(1))]).unwrap();
        drop(journal);
        let tail = folder.path().join("a.tail.jsonl");
        let bytes = std::fs::read(&tail).unwrap();
        std::fs::write(&tail, &bytes[..bytes.len() - 5]).unwrap();
        let mut journal = Journal::open(folder.path(), "a").unwrap();
        assert_eq!((journal.entry("x").is_some(), journal.entry("y")), (true, None));
        journal.record([("z".into(), entry(3))]).unwrap();
        drop(journal);
        assert_eq!(Journal::open(folder.path(), "a").unwrap().entry("z"), Some(&entry(3)));
    }

    #[test]
    fn a_second_import_a_damaged_and_a_foreign_journal_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "a").unwrap();
        assert!(matches!(Journal::open(folder.path(), "a"), Err(JournalError::Busy(_))));
        assert!(Journal::open(folder.path(), "b").is_ok());
        journal.finish().unwrap();
        std::fs::copy(folder.path().join("a.json"), folder.path().join("b.json")).unwrap();
        assert!(matches!(Journal::open(folder.path(), "b"), Err(JournalError::Damaged { .. })));
        std::fs::write(folder.path().join("c.json"), "{").unwrap();
        assert!(matches!(Journal::open(folder.path(), "c"), Err(JournalError::Damaged { .. })));
        std::fs::write(folder.path().join("d.tail.jsonl"), "{}\n").unwrap();
        assert!(matches!(Journal::open(folder.path(), "d"), Err(JournalError::Damaged { .. })));
    }
}
