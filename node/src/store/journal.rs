//! The journal: commits that do not lie durably in files and index yet.
//!
//! A commit is durable once its record is here: one write and one sync. Files and index follow
//! without waiting; from time to time a checkpoint makes them durable and the journal begins anew.
//! The file keeps its length and is written over, since a file that grows costs the file system a
//! commit of its own with each sync.
//!
//! The file begins with a random key and its digest (32 and 16 bytes). Record: digest of all that
//! follows (BLAKE3 under that key, 16 bytes), sequence number (8 bytes), length of the changes (4
//! bytes), the changes. Numbers are big-endian, sequence numbers consecutive: what is left of the round
//! before ends the reading. Changes are made of others' bytes; nobody who does not know the key can make
//! some that pass for a record.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hutong_protocol::persist::Persist;

use super::changes;
use super::error::StoreError;

/// The opened journal.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    key: Key,
    /// Bytes of the file.
    capacity: u64,
    /// Where the next record begins.
    at: u64,
    /// The next record's number.
    next: u64,
}

/// A commit as the journal holds it.
#[derive(Debug)]
pub(super) struct Record {
    bytes: Vec<u8>,
}

/// A commit that was read back.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) sequence: u64,
    pub(super) changes: Vec<Persist>,
}

impl Journal {
    /// Opens the journal at `path`, or makes one where nothing was `applied` from one before.
    /// Returns the commits in it that follow number `applied`, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] where it is missing, or damaged other than by a torn last write.
    pub(super) fn open(
        path: &Path,
        applied: Option<u64>,
    ) -> Result<(Self, Vec<Recovered>), StoreError> {
        let records = match (read(path, applied.unwrap_or(0))?, applied) {
            (Some(records), _) => records,
            (None, None) => {
                create(path)?;
                Vec::new()
            }
            (None, Some(_)) => {
                let what = "the journal, which holds the last commits, is missing";
                return Err(StoreError::corrupt(path, None, what));
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(StoreError::io("open", path))?;
        let capacity = file.metadata().map_err(StoreError::io("read", path))?.len();
        let applied = applied.unwrap_or(0);
        let last = records.last().map_or(0, |record| record.sequence).max(applied);
        let missing: Vec<Recovered> =
            records.into_iter().filter(|record| record.sequence > applied).collect();
        if let Some(first) = missing.first().filter(|first| first.sequence != applied + 1) {
            let what = format!(
                "the index ends with commit {applied} and the journal begins with {}",
                first.sequence
            );
            return Err(StoreError::corrupt(path, None, what));
        }
        let mut start = [0; START];
        file.read_exact_at(&mut start, 0).map_err(StoreError::io("read", path))?;
        let (key, path) = (key_of(&start, path)?, path.to_path_buf());
        // What is recovered is made durable before the first record is written over it.
        let at = START as u64;
        Ok((Self { file, path, key, capacity, at, next: last + 1 }, missing))
    }

    /// Whether `record` fits behind those that are there.
    pub(super) fn has_room(&self, record: &Record) -> bool {
        self.at + record.len() <= self.capacity
    }

    /// Makes a commit durable; [`Journal::has_room`] must hold.
    pub(super) fn append(&mut self, record: Record) -> Result<(), StoreError> {
        let bytes = record.sealed(self.next, &self.key);
        self.file
            .write_all_at(&bytes, self.at)
            .and_then(|()| self.file.sync_data())
            .map_err(StoreError::io("sync", &self.path))?;
        self.at += bytes.len() as u64;
        self.next += 1;
        Ok(())
    }

    /// The number of the last record.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// Whether anything was written since the last [`Journal::restart`].
    pub(super) fn is_empty(&self) -> bool {
        self.at == START as u64
    }

    /// Begins anew: every record is durable elsewhere. A journal that was found too small, or does not
    /// hold `needed` bytes, grows, up to `bytes_max`.
    pub(super) fn restart(&mut self, bytes_max: u64, needed: u64) {
        let wanted = if self.at > self.capacity / 2 { 2 * self.capacity } else { self.capacity };
        let needed = (START as u64).saturating_add(needed).next_multiple_of(BYTES_MIN);
        let grown = bytes_max.min(wanted.max(needed));
        if grown > self.capacity {
            match fill(&self.file, self.capacity, grown) {
                Ok(()) => self.capacity = grown,
                // It serves as it is.
                Err(error) => tracing::warn!(%error, "the journal does not grow"),
            }
        }
        self.at = START as u64;
    }
}

impl Record {
    pub(super) fn new(changes: &[Persist]) -> Self {
        Self { bytes: changes::encode(vec![0; HEADER_BYTES], changes) }
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The record's bytes under a sequence number.
    fn sealed(mut self, sequence: u64, key: &Key) -> Vec<u8> {
        // Far below 4 GiB: a longer record fits no journal.
        let len = u32::try_from(self.bytes.len() - HEADER_BYTES).unwrap_or(u32::MAX);
        self.bytes[DIGEST_BYTES..][..8].copy_from_slice(&sequence.to_be_bytes());
        self.bytes[DIGEST_BYTES + 8..][..4].copy_from_slice(&len.to_be_bytes());
        let digest = digest(key, &self.bytes[DIGEST_BYTES..]);
        self.bytes[..DIGEST_BYTES].copy_from_slice(&digest);
        self.bytes
    }
}

/// Every record of the journal at `path`, also those up to number `applied` that were not written
/// over yet; `None` where there is none.
///
/// # Errors
///
/// [`StoreError::Corrupt`] where a record is damaged though another follows it: those that were
/// acknowledged would be lost.
pub(super) fn read(path: &Path, applied: u64) -> Result<Option<Vec<Recovered>>, StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    let key = key_of(&bytes, path)?;
    let (mut records, mut at, mut expected) = (Vec::new(), START, None);
    while let Some(found) = Found::at(&bytes, at, &key) {
        if !found.whole {
            // What a torn write leaves behind itself is of the round before, which was applied.
            let later = |next: &Found| next.whole && next.sequence > applied;
            if Found::at(&bytes, found.end, &key).is_some_and(|next| later(&next)) {
                let what = format!("commit {} at byte {at} is damaged", found.sequence);
                return Err(StoreError::corrupt(path, None, what));
            }
            break;
        }
        if expected.is_some_and(|expected| found.sequence != expected) {
            break;
        }
        let changes =
            changes::decode(bytes.slice(at + HEADER_BYTES..found.end)).map_err(|error| {
                StoreError::corrupt(path, None, format!("commit {}: {error}", found.sequence))
            })?;
        records.push(Recovered { sequence: found.sequence, changes });
        (at, expected) = (found.end, Some(found.sequence + 1));
    }
    let next = expected.unwrap_or(applied + 1);
    if let Some((at, sequence)) = whole_record_behind(&bytes, at, next, &key) {
        let what = format!("commit {sequence} at byte {at} is whole, but not what is before it");
        return Err(StoreError::corrupt(path, None, what));
    }
    Ok(Some(records))
}

/// Where the reading ended at `from`, a whole record of the same round behind it, commit `next` or one
/// of the few after it: what is between was damaged, since records are written in order.
fn whole_record_behind(bytes: &[u8], from: usize, next: u64, key: &Key) -> Option<(usize, u64)> {
    let most = next + (bytes.len() / HEADER_BYTES) as u64;
    let sequences = bytes.get(from + 1 + DIGEST_BYTES..).unwrap_or_default().array_windows::<8>();
    (from + 1..)
        .zip(sequences)
        .filter(|(_, sequence)| (next..=most).contains(&u64::from_be_bytes(**sequence)))
        .find_map(|(at, _)| {
            Found::at(bytes, at, key).filter(|it| it.whole).map(|it| (at, it.sequence))
        })
}

/// Writes every commit anew, without the changes that are not to be kept.
pub(super) fn rewrite(
    path: &Path,
    applied: u64,
    keep: impl Fn(&Persist) -> bool,
) -> Result<(), StoreError> {
    let Some(records) = read(path, applied)? else { return Ok(()) };
    let mut bytes = std::fs::read(path).map_err(StoreError::io("read", path))?;
    let key = key_of(&bytes, path)?;
    let len = bytes.len();
    bytes.truncate(START);
    for Recovered { sequence, mut changes } in records {
        changes.retain(&keep);
        bytes.extend(Record::new(&changes).sealed(sequence, &key));
    }
    bytes.resize(bytes.len().max(len), 0);
    super::folder::write_durably(path, &bytes)?;
    path.parent().map_or(Ok(()), super::folder::sync_folder)
}

/// A record where one may begin.
struct Found {
    sequence: u64,
    /// Where the next one would begin.
    end: usize,
    /// Whether its digest is right.
    whole: bool,
}

impl Found {
    /// `None` where not even a header with a possible length is.
    fn at(bytes: &[u8], at: usize, key: &Key) -> Option<Self> {
        let header = bytes.get(at..at.checked_add(HEADER_BYTES)?)?;
        let (expected, rest) = header.split_at(DIGEST_BYTES);
        let sequence = u64::from_be_bytes(rest[..8].try_into().ok()?);
        let len = u32::from_be_bytes(rest[8..].try_into().ok()?);
        let end = (at + HEADER_BYTES).checked_add(usize::try_from(len).ok()?)?;
        let covered = bytes.get(at + DIGEST_BYTES..end)?;
        let whole = digest(key, covered) == *expected;
        // Zeros are no record.
        (sequence > 0).then_some(Self { sequence, end, whole })
    }
}

type Key = [u8; KEY_BYTES];

fn digest(key: &Key, bytes: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&blake3::keyed_hash(key, bytes).as_bytes()[..DIGEST_BYTES]);
    digest
}

/// The key at the start of a journal's bytes.
fn key_of(bytes: &[u8], path: &Path) -> Result<Key, StoreError> {
    let start = bytes.get(..START).map(|start| start.split_at(KEY_BYTES));
    let found = start.and_then(|(key, check)| Some((Key::try_from(key).ok()?, check)));
    match found {
        Some((key, check)) if digest(&key, &[]) == *check => Ok(key),
        _ => Err(StoreError::corrupt(path, None, "the start of the journal is damaged")),
    }
}

fn create(path: &Path) -> Result<(), StoreError> {
    let mut temporary = path.as_os_str().to_os_string();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key)
        .map_err(|error| StoreError::io("make a key for", path)(std::io::Error::other(error)))?;
    let start = [key.as_slice(), &digest(&key, &[])].concat();
    File::create(&temporary)
        .and_then(|file| {
            fill(&file, 0, BYTES_MIN)?;
            file.write_all_at(&start, 0)?;
            file.sync_all()
        })
        .map_err(StoreError::io("write", &temporary))?;
    std::fs::rename(&temporary, path).map_err(StoreError::io("rename", path))?;
    path.parent().map_or(Ok(()), super::folder::sync_folder)
}

/// Writes zeros, so that no later write changes the file's length or its place on the disk.
fn fill(mut file: &File, from: u64, to: u64) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom};
    file.seek(SeekFrom::Start(from))?;
    let zeros = vec![0; 1 << 16];
    let mut left = to - from;
    while left > 0 {
        let part = zeros.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(&zeros[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

const KEY_BYTES: usize = 32;
const DIGEST_BYTES: usize = 16;

/// Where records begin.
const START: usize = KEY_BYTES + DIGEST_BYTES;
const HEADER_BYTES: usize = DIGEST_BYTES + 8 + 4;

/// A new journal; it grows when commits come fast.
const BYTES_MIN: u64 = 256 << 10;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    fn frozen(size: u64) -> Vec<Persist> {
        vec![Persist::Frozen { log: "cn-33-zhejiang".parse().unwrap(), size }]
    }

    fn sizes(records: &[Recovered]) -> Vec<(u64, Vec<Persist>)> {
        records.iter().map(|record| (record.sequence, record.changes.clone())).collect()
    }

    /// A journal of three commits, as a crash leaves it.
    fn written() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let (mut journal, found) = Journal::open(&path, None).unwrap();
        assert!(found.is_empty());
        for size in 1..=3 {
            let record = Record::new(&frozen(size));
            assert!(journal.has_room(&record));
            journal.append(record).unwrap();
        }
        (place, path)
    }

    /// Bytes of each of the commits of [`written`].
    fn first_len(bytes: &[u8]) -> usize {
        let key = key_of(bytes, Path::new("journal")).unwrap();
        Found::at(bytes, START, &key).unwrap().end - START
    }

    #[test]
    fn a_damaged_key_and_records_under_another_key_are_refused() {
        let (_place, path) = written();
        let whole = std::fs::read(&path).unwrap();
        for at in [0, KEY_BYTES - 1, KEY_BYTES, START - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert!(matches!(read(&path, 0), Err(StoreError::Corrupt { .. })), "byte {at}");
        }
        let mut forged = whole;
        let record = Record::new(&frozen(7)).sealed(4, &[7; KEY_BYTES]);
        let end = START + 3 * first_len(&forged);
        forged[end..end + record.len()].copy_from_slice(&record);
        std::fs::write(&path, &forged).unwrap();
        assert_eq!(read(&path, 0).unwrap().unwrap().len(), 3);
    }

    #[test]
    fn commits_come_back_in_order_but_for_those_that_were_applied() {
        let (_place, path) = written();
        let all: Vec<_> = (1..=3).map(|size| (size, frozen(size))).collect();
        for applied in 0..=3_u64 {
            let (_, found) = Journal::open(&path, Some(applied)).unwrap();
            assert_eq!(sizes(&found), all[usize::try_from(applied).unwrap()..]);
        }
    }

    #[test]
    fn a_new_round_ends_where_the_old_one_shows() {
        let (_place, path) = written();
        let (mut journal, _) = Journal::open(&path, Some(3)).unwrap();
        journal.restart(1 << 20, 0);
        journal.append(Record::new(&frozen(9))).unwrap();
        assert_eq!(sizes(&read(&path, 0).unwrap().unwrap()), [(4, frozen(9))]);
    }

    #[test]
    fn a_write_torn_at_any_byte_takes_only_the_last_commit() {
        let (_place, path) = written();
        let whole = std::fs::read(&path).unwrap();
        let len = first_len(&whole);
        for cut in START + 2 * len..START + 3 * len {
            let mut torn = whole.clone();
            torn[cut..START + 3 * len].fill(0);
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(read(&path, 0).unwrap().unwrap().len(), 2, "cut at {cut}");
        }
    }

    #[test]
    fn damage_before_the_last_commit_is_refused() {
        let (_place, path) = written();
        let whole = std::fs::read(&path).unwrap();
        let len = first_len(&whole);
        for at in [0, 17, 24, 26, 27, HEADER_BYTES, len - 1, len + 17, 2 * len - 1] {
            let mut damaged = whole.clone();
            damaged[START + at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert!(matches!(read(&path, 0), Err(StoreError::Corrupt { .. })), "byte {at}");
        }
    }

    #[test]
    fn a_journal_that_is_missing_is_refused_where_there_was_one() {
        let place = tempfile::tempdir().unwrap();
        let met = Journal::open(&place.path().join("journal"), Some(0));
        assert!(matches!(met, Err(StoreError::Corrupt { .. })));
    }

    #[test]
    fn it_grows_when_it_was_found_too_small_and_not_beyond_its_bound() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let (mut journal, _) = Journal::open(&path, None).unwrap();
        let big = || Record::new(&[Persist::Charter { bytes: vec![7; 200 << 10] }]);
        for expected in [512_u64 << 10, 600 << 10, 600 << 10] {
            assert!(journal.has_room(&big()));
            while journal.has_room(&big()) {
                journal.append(big()).unwrap();
            }
            journal.restart(600 << 10, 0);
            assert_eq!(std::fs::metadata(&path).unwrap().len(), expected);
        }
        assert!(!journal.has_room(&Record::new(&[Persist::Charter { bytes: vec![7; 700 << 10] }])));
    }
}
