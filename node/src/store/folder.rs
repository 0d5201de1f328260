//! The data folder as a whole: its format marker, its lock, and making folders durable.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::StoreError;

/// What the marker file of this version says.
pub(super) const FORMAT: &str = "hutong data folder, format 1\n";

/// A data folder that no other process works in, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Unlocked by the system when it is closed, also after a crash.
    lock: File,
    /// Whether the last one that worked here was broken off, and what it did may not be durable.
    unsettled: AtomicBool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.unsettled.load(Ordering::Acquire)
            && let Err(error) = self.lock.set_len(0)
        {
            tracing::debug!(%error, "the next start takes this end for a crash");
        }
    }
}

impl Folder {
    /// Locks the folder and makes it where it does not exist.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(StoreError::io("create folder", root))?;
        let lock = lock(root)?;
        let marker = root.join("format");
        if let Some(text) = read_start(&marker)? {
            check_format(&marker, &text)?;
        } else {
            refuse_unmarked(root)?;
            write_durably(&marker, FORMAT.as_bytes())?;
        }
        let logs = root.join("logs");
        fs::create_dir_all(&logs).map_err(StoreError::io("create folder", &logs))?;
        sync_folder(root)?;
        Ok(Self::locked(root, lock))
    }

    fn locked(root: &Path, (lock, unsettled): (File, bool)) -> Self {
        Self { root: root.to_path_buf(), lock, unsettled: AtomicBool::new(unsettled) }
    }

    /// Makes durable whatever a process that was broken off has left in files and folders. What it had
    /// made can be seen now and may still be lost with the power, so nothing can rest on it before.
    pub(super) fn settle_names(&self) -> Result<(), StoreError> {
        if !self.unsettled.load(Ordering::Acquire) {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&self.lock)
            .map_err(|error| StoreError::io("sync the disk of", &self.root)(error.into()))?;
        #[cfg(not(target_os = "linux"))]
        rustix::fs::sync();
        self.unsettled.store(false, Ordering::Release);
        Ok(())
    }

    /// Locks a folder that must exist already and bear the marker.
    pub(super) fn open_existing(root: &Path) -> Result<Self, StoreError> {
        let marker = root.join("format");
        let text = fs::read_to_string(&marker).map_err(StoreError::io("read", &marker))?;
        check_format(&marker, &text)?;
        Ok(Self::locked(root, lock(root)?))
    }

    /// Not everything became durable: the next to open the folder must see to it.
    pub(super) fn leave_unsettled(&self) {
        self.unsettled.store(true, Ordering::Release);
    }

    /// The data folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that holds a folder for each log.
    pub(super) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The folder of the views' database.
    pub(super) fn views(&self) -> PathBuf {
        self.root.join("views")
    }

    /// The journal.
    pub(super) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// The folder of the index database.
    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index")
    }
}

/// Folders known to exist, and what must be synced before commits are durable without the journal.
#[derive(Debug, Default)]
pub(super) struct Folders {
    known: BTreeSet<PathBuf>,
    unsynced: BTreeSet<PathBuf>,
    unsynced_files: BTreeSet<PathBuf>,
}

impl Folders {
    /// Makes `folder` and what is missing above it; remembers which folders gained a name.
    pub(super) fn ensure(&mut self, folder: &Path) -> Result<(), StoreError> {
        if self.known.contains(folder) {
            return Ok(());
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        match fs::create_dir(folder) {
            Ok(()) => self.changed_parent(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if let Some(parent) = folder.parent() {
                    self.ensure(parent)?;
                }
                fs::create_dir(folder).map_err(StoreError::io("create folder", folder))?;
                self.changed_parent(folder);
            }
            Err(error) => return Err(StoreError::io("create folder", folder)(error)),
        }
        self.known.insert(folder.to_path_buf());
        Ok(())
    }

    /// Remembers that the folder of `path` gained or changed a name.
    pub(super) fn changed_parent(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.unsynced.insert(parent.to_path_buf());
        }
    }

    /// Remembers that a file was written to.
    pub(super) fn changed_file(&mut self, path: &Path) {
        self.unsynced_files.insert(path.to_path_buf());
    }

    /// Remembers that a file bears another name.
    pub(super) fn renamed(&mut self, from: &Path, to: &Path) {
        if self.unsynced_files.remove(from) {
            self.unsynced_files.insert(to.to_path_buf());
        }
        self.changed_parent(to);
    }

    /// Remembers that a file is gone.
    pub(super) fn removed(&mut self, path: &Path) {
        self.unsynced_files.remove(path);
        self.changed_parent(path);
    }

    /// Forgets that folders exist; after a failure they are looked at again.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Makes every remembered change durable: first what is in files, then their names.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        let files: Vec<PathBuf> = self.unsynced_files.iter().cloned().collect();
        together(&files, |file| {
            File::open(file).and_then(|file| file.sync_data()).map_err(StoreError::io("sync", file))
        })?;
        self.unsynced_files.clear();
        let folders: Vec<PathBuf> = self.unsynced.iter().cloned().collect();
        together(&folders, |folder| sync_folder(folder))?;
        self.unsynced.clear();
        Ok(())
    }
}

/// Does work that waits for the disk, several items at a time: the disk takes a handful of syncs for
/// the price of one. Every thread has ended when this returns, also after a failure.
pub(super) fn together<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), StoreError> + Sync,
) -> Result<(), StoreError> {
    if items.len() <= 2 {
        return items.iter().try_for_each(work);
    }
    let share = items.len().div_ceil(items.len().min(SYNC_THREADS_MAX));
    let work = &work;
    std::thread::scope(|scope| {
        let running: Vec<_> = items
            .chunks(share)
            .map(|chunk| scope.spawn(move || chunk.iter().try_for_each(work)))
            .collect();
        let outcomes: Vec<_> =
            running.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        outcomes.into_iter().try_for_each(|outcome| {
            outcome.unwrap_or_else(|_| {
                let reason = "a writing thread was broken off".to_owned();
                Err(StoreError::Poisoned { reason })
            })
        })
    })
}

/// More threads only wait.
const SYNC_THREADS_MAX: usize = 8;

/// Makes the names in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(StoreError::io("sync folder", folder))
}

/// Writes a whole file so that after a crash it is there in full or not at all.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut temporary = path.as_os_str().to_os_string();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_data()))
        .map_err(StoreError::io("write", &temporary))
        .and_then(|()| fs::rename(&temporary, path).map_err(StoreError::io("replace", path)));
    if written.is_err() {
        // The half-written file is of no use; that it may stay does no harm either.
        drop(fs::remove_file(&temporary));
    }
    written
}

/// Takes the lock, unless another process holds it. A command that checks the lock shares it for a moment: this
/// waits for it.
fn take_lock(file: &File) -> Result<(), TryLockError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) if file.try_lock_shared().is_ok() => {
            file.lock().map_err(TryLockError::Error)
        }
        outcome => outcome,
    }
}

/// The lock, and whether whoever held it before was broken off: its id is still there.
fn lock(root: &Path) -> Result<(File, bool), StoreError> {
    let path = root.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(StoreError::io("open", &path))?;
    match take_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked {
                folder: root.to_path_buf(),
                holder: holder(&mut file),
            });
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &path)(error)),
    }
    let broken_off = file.metadata().map_err(StoreError::io("read", &path))?.len() > 0;
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(StoreError::io("write", &path))?;
    Ok((file, broken_off))
}

/// The process that wrote its id into the lock file, with its name where the system tells it.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(MARKER_BYTES_MAX).read_to_string(&mut text).ok()?;
    let id: u32 = text.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    let name = name.trim();
    Some(if name.is_empty() { format!("process {id}") } else { format!("process {id} ({name})") })
}

fn check_format(marker: &Path, text: &str) -> Result<(), StoreError> {
    if text == FORMAT {
        return Ok(());
    }
    Err(StoreError::Format {
        file: marker.to_path_buf(),
        found: text.trim_end().chars().take(64).collect(),
        expected: FORMAT.trim_end(),
    })
}

/// A folder that holds logs or an index but no marker was not made by this program.
fn refuse_unmarked(root: &Path) -> Result<(), StoreError> {
    for name in ["logs", "index"] {
        if root.join(name).exists() {
            return Err(StoreError::Format {
                file: root.join("format"),
                found: format!("nothing, beside a folder {name:?}"),
                expected: FORMAT.trim_end(),
            });
        }
    }
    Ok(())
}

/// The first bytes of a small text file, `None` where there is no such file.
fn read_start(path: &Path) -> Result<Option<String>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(MARKER_BYTES_MAX).read_to_end(&mut bytes).map_err(StoreError::io("read", path))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Marker and lock file are one short line each.
const MARKER_BYTES_MAX: u64 = 256;

/// Known folders kept: 3,400 logs × some five folders each.
const KNOWN_MAX: usize = 32_768;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_second_opening_is_refused_and_names_the_process() {
        let place = tempfile::tempdir().unwrap();
        let first = Folder::open(place.path()).unwrap();
        let error = Folder::open(place.path()).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        Folder::open(place.path()).unwrap();
    }

    #[test]
    fn who_only_looks_at_the_lock_is_waited_for() {
        let place = tempfile::tempdir().unwrap();
        drop(Folder::open(place.path()).unwrap());
        let looking = File::open(place.path().join("lock")).unwrap();
        looking.lock_shared().unwrap();
        let path = place.path().to_path_buf();
        let opening = std::thread::spawn(move || Folder::open(&path).map(drop));
        drop(looking);
        opening.join().unwrap().unwrap();
    }

    #[test]
    fn what_a_broken_off_process_left_is_made_durable_once() {
        let place = tempfile::tempdir().unwrap();
        let open = || Folder::open(place.path()).unwrap();
        let unsettled = |folder: &Folder| folder.unsettled.load(Ordering::Acquire);
        assert!(!unsettled(&open()));
        assert!(!unsettled(&open()), "it ended in order");
        fs::write(place.path().join("lock"), "4711\n").unwrap();
        assert!(unsettled(&open()));
        assert!(unsettled(&open()), "nobody has made it durable yet");
        open().settle_names().unwrap();
        assert!(!unsettled(&open()));
    }

    #[test]
    fn another_format_is_refused() {
        let place = tempfile::tempdir().unwrap();
        drop(Folder::open(place.path()).unwrap());
        fs::write(place.path().join("format"), "hutong data folder, format 2\n").unwrap();
        let error = Folder::open(place.path()).unwrap_err();
        assert!(matches!(error, StoreError::Format { .. }), "{error}");
        assert!(Folder::open_existing(place.path()).is_err());
    }

    #[test]
    fn a_folder_with_foreign_logs_is_refused_and_left_alone() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("logs")).unwrap();
        assert!(matches!(Folder::open(place.path()), Err(StoreError::Format { .. })));
        assert!(!place.path().join("format").exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let error = Folder::open(Path::new("/proc/hutong")).unwrap_err().to_string();
        assert!(error.contains("/proc/hutong"), "{error}");
    }

    #[test]
    fn a_file_is_replaced_in_full() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        write_durably(&path, b"one").unwrap();
        write_durably(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
