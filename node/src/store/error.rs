//! What can go wrong with the data folder, and what the operator can do about it.

use std::io;
use std::path::{Path, PathBuf};

use hutong_protocol::id::ExchangeId;

/// Why the store refused or failed. Every variant names the place and the next step.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused an operation on a file or folder.
    #[error("could not {action} {}: {}", file.display(), advice(source.kind()))]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What was being done to it, as a verb.
        action: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The disk is nearly full; nothing was changed. The index would not survive a full disk
    /// without a restart, so room is kept for it.
    #[error(
        "the disk of {} has {free} bytes free and this needs {needed}; free space, then try again",
        folder.display()
    )]
    NoRoom {
        /// The data folder.
        folder: PathBuf,
        /// Bytes free for this user.
        free: u64,
        /// Bytes that the commit adds and bytes that are kept free.
        needed: u64,
    },
    /// Another process works in this folder.
    #[error(
        "data folder {} is in use by {}; stop it first, or name another folder",
        folder.display(),
        holder.as_deref().unwrap_or("another process")
    )]
    Locked {
        /// The data folder.
        folder: PathBuf,
        /// Process id and name, where they could be found out.
        holder: Option<String>,
    },
    /// The folder was written by another version, or is no data folder.
    #[error(
        "{} says {found:?}, expected {expected:?}; use the version of hutong that wrote it, or \
         name another folder",
        file.display()
    )]
    Format {
        /// The marker file.
        file: PathBuf,
        /// What it says, cut to 64 characters.
        found: String,
        /// What this version writes.
        expected: &'static str,
    },
    /// Stored bytes are not what was written.
    #[error(
        "{} is damaged{}: {what}; run `hutong fsck`, then restore the file from a backup or drop \
         the log so that it is fetched again",
        file.display(),
        index.map(|index| format!(" at index {index}")).unwrap_or_default()
    )]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// The entry concerned, counted from 0, where one is.
        index: Option<u64>,
        /// What was expected and what was met.
        what: String,
    },
    /// The index database failed.
    #[error("could not {action} the index in {}; check the disk, then run `hutong fsck`", folder.display())]
    Index {
        /// The index folder.
        folder: PathBuf,
        /// What was being done, as a verb.
        action: &'static str,
        /// What the database said.
        #[source]
        source: sled::Error,
    },
    /// The views' database failed. The logs are not concerned.
    #[error("could not {action} the views in {}; check the disk, then run `hutong rebuild`", folder.display())]
    Views {
        /// The views' folder.
        folder: PathBuf,
        /// What was being done, as a verb.
        action: &'static str,
        /// What the database said.
        #[source]
        source: lsm_tree::Error,
    },
    /// The log is not in this store.
    #[error("no log of exchange {0} is held here")]
    UnknownLog(ExchangeId),
    /// A place beyond what is held was asked for.
    #[error("log {log}: index {index} is beyond the {size} entries held")]
    Beyond {
        /// The log.
        log: ExchangeId,
        /// The first index that is not held.
        index: u64,
        /// How many entries are held.
        size: u64,
    },
    /// The caller asked for something that would contradict what is stored. Nothing was changed.
    #[error("log {log}: {what}")]
    Misuse {
        /// The log.
        log: ExchangeId,
        /// What was expected and what was met.
        what: String,
    },
    /// Entries that this node does not hold are needed.
    #[error(
        "log {log}: {} entries are held as hashes only, first {}; export from a node that may see \
         them",
        ranges.iter().map(|(from, to)| to - from).sum::<u64>(),
        list_ranges(ranges)
    )]
    Withheld {
        /// The log.
        log: ExchangeId,
        /// Half-open ranges of indices whose entries are not held.
        ranges: Vec<(u64, u64)>,
    },
    /// Entries are not for the audience of an export; nothing was written.
    #[error(
        "log {log}: {restricted} of {size} entries are not for everybody, and a site cannot leave entries out; \
         name the audience with --include-restricted --audience domestic|all, or export what is public \
         with --dsse"
    )]
    Restricted {
        /// The log.
        log: ExchangeId,
        /// Entries that are not for the audience asked for.
        restricted: u64,
        /// Entries that the checkpoint covers.
        size: u64,
    },
    /// An earlier failure left it open what is on disk; reading goes on, writing does not.
    #[error(
        "writing stopped after an earlier failure ({reason}); free space or check the disk, then \
         start again"
    )]
    Poisoned {
        /// The earlier failure.
        reason: String,
    },
}

impl StoreError {
    pub(super) fn io(action: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_path_buf();
        move |source| Self::Io { file, action, source }
    }

    pub(super) fn views(
        action: &'static str,
        folder: &Path,
    ) -> impl FnOnce(lsm_tree::Error) -> Self + use<> {
        let folder = folder.to_path_buf();
        move |source| Self::Views { folder, action, source }
    }

    /// Whether nothing was changed and the same can succeed later, once the disk has room or the process
    /// has descriptors again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NoRoom { .. } => true,
            Self::Io { source, .. } => {
                // EMFILE and ENFILE have no kind of their own.
                let descriptors = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
                    .map(|errno| Some(errno.raw_os_error()));
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                    || descriptors.contains(&source.raw_os_error())
            }
            _ => false,
        }
    }

    /// Whether the views' files are not as they were written, rather than that the disk is full or may
    /// not be read: the views must be made anew.
    pub(super) fn is_damage_of_views(&self) -> bool {
        use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
        match self {
            Self::Views { source: lsm_tree::Error::Io(error), .. } => {
                matches!(error.kind(), NotFound | UnexpectedEof | InvalidData)
            }
            Self::Views { .. } => true,
            _ => false,
        }
    }

    pub(super) fn corrupt(file: &Path, index: Option<u64>, what: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_path_buf(), index, what: what.into() }
    }

    pub(super) fn misuse(log: &ExchangeId, what: impl Into<String>) -> Self {
        Self::Misuse { log: log.clone(), what: what.into() }
    }
}

/// Ranges as people read them, last index included; the first eight only.
pub(super) fn list_ranges(ranges: &[(u64, u64)]) -> String {
    let mut shown: Vec<String> = ranges
        .iter()
        .take(RANGES_SHOWN)
        .map(
            |&(from, to)| {
                if to == from + 1 { from.to_string() } else { format!("{from}–{}", to - 1) }
            },
        )
        .collect();
    if ranges.len() > RANGES_SHOWN {
        shown.push(format!("and {} more ranges", ranges.len() - RANGES_SHOWN));
    }
    shown.join(", ")
}

/// What an operator does next about a failure of this kind.
fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk or quota is full; free space, then try again"
        }
        io::ErrorKind::FileTooLarge => "a file size limit was met; raise it, then try again",
        io::ErrorKind::PermissionDenied => {
            "not permitted; check the owner and permissions of the data folder"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only; check how it is mounted",
        io::ErrorKind::NotFound => "it is missing; run `hutong fsck`, then restore a backup",
        _ => "check the path, the disk and the system's messages",
    }
}

/// Enough to find the place; the error must stay one readable line.
const RANGES_SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_listed_with_their_last_index() {
        assert_eq!(list_ranges(&[(3, 4), (7, 10)]), "3, 7–9");
    }

    #[test]
    fn a_full_disk_and_a_lack_of_descriptors_pass() {
        let failed = |source| StoreError::io("write", Path::new("/data/x"))(source);
        assert!(failed(io::Error::from(io::ErrorKind::StorageFull)).is_passing());
        for errno in [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE] {
            assert!(failed(errno.into()).is_passing());
        }
        assert!(!failed(io::Error::from(io::ErrorKind::PermissionDenied)).is_passing());
        assert!(!StoreError::Poisoned { reason: "x".into() }.is_passing());
    }

    #[test]
    fn a_full_disk_says_free_space() {
        let error = StoreError::io("write", Path::new("/data/x"))(io::Error::from(
            io::ErrorKind::StorageFull,
        ));
        let text = error.to_string();
        assert!(text.contains("/data/x") && text.contains("free space"), "{text}");
    }
}
