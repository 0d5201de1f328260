//! `<data>/charter.json`: the charters that a node begins with, verified whenever they are read.
//!
//! The file is canonical JSON: a list of signed charters from version 1 on. What arrives at run time lies in the
//! store; this file is how the first charter comes into a data folder.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use hutong_protocol::charter::{
    CHARTER_BYTES_MAX, CharterChain, Extend, ExtendError, SignedCharter, SignedCharterError,
};
use hutong_protocol::json::{JsonError, canonicalize, parse_canonical};
use serde_json::Value;
use thiserror::Error;

/// Versions in one file at most: one a month for twenty years.
const VERSIONS_MAX: usize = 240;

/// Why charters could not be read, verified or written.
#[derive(Debug, Error)]
pub enum CharterFileError {
    /// The disk.
    #[error("cannot {action} {}", path.display())]
    Disk {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The bytes are no list of charters and no charter.
    #[error("{} is not canonical JSON: fetch the file again, unchanged", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it differs.
        source: JsonError,
    },
    /// A charter in it is not in form.
    #[error("{} holds no signed charter", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: SignedCharterError,
    },
    /// A charter does not hold, or does not follow the one before it.
    #[error("the charter in {} does not hold", path.display())]
    Chain {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ExtendError,
    },
}

/// Where the charters of the data folder `data` lie.
pub fn path(data: &Path) -> PathBuf {
    data.join("charter.json")
}

/// Reads and verifies the charters of `data`; `None` if there are none yet.
///
/// # Errors
///
/// [`CharterFileError`] names the file and what is wrong with it.
pub fn read(data: &Path) -> Result<Option<CharterChain>, CharterFileError> {
    let path = path(data);
    if path.exists() { add(None, &path).map(Some) } else { Ok(None) }
}

/// Adds the charters of the file at `path`, a signed charter or a list of them, to `chain`.
///
/// # Errors
///
/// [`CharterFileError`]; what the chain has already is no error.
pub fn add(chain: Option<CharterChain>, path: &Path) -> Result<CharterChain, CharterFileError> {
    let mut chain = chain;
    for signed in parse(path)? {
        let wrong = |source| CharterFileError::Chain { path: path.to_owned(), source };
        match &mut chain {
            None => chain = Some(CharterChain::found(signed).map_err(wrong)?),
            Some(chain) => {
                let (Extend::Added | Extend::Known) = chain.extend(signed).map_err(wrong)?;
            }
        }
    }
    chain.ok_or_else(|| CharterFileError::Chain {
        path: path.to_owned(),
        source: ExtendError::NotFounding { met: 0 },
    })
}

/// Reads the signed charters of a file, oldest first, without verifying a signature.
///
/// # Errors
///
/// [`CharterFileError::Disk`], [`CharterFileError::Json`] and [`CharterFileError::Form`].
pub fn parse(path: &Path) -> Result<Vec<SignedCharter>, CharterFileError> {
    let disk = |source| CharterFileError::Disk { action: "read", path: path.to_owned(), source };
    let bytes_max = CHARTER_BYTES_MAX * VERSIONS_MAX;
    let length = fs::metadata(path).map_err(disk)?.len();
    if length > bytes_max as u64 {
        let error = format!("expected at most {bytes_max} bytes, met {length}");
        return Err(disk(std::io::Error::other(error)));
    }
    let bytes = fs::read(path).map_err(disk)?;
    // Editors and shells end a file with a line end; signatures do not cover it.
    let value = parse_canonical(bytes.trim_ascii_end())
        .map_err(|source| CharterFileError::Json { path: path.to_owned(), source })?;
    let charters = match &value {
        Value::Array(charters) => charters.as_slice(),
        one => std::slice::from_ref(one),
    };
    charters
        .iter()
        .map(SignedCharter::from_value)
        .collect::<Result<_, _>>()
        .map_err(|source| CharterFileError::Form { path: path.to_owned(), source })
}

/// Writes the chain into `data`, durably, instead of the one there.
///
/// # Errors
///
/// [`CharterFileError::Disk`].
pub fn write(data: &Path, chain: &CharterChain) -> Result<(), CharterFileError> {
    let charters = chain.versions().iter().map(|version| version.signed().to_value()).collect();
    write_bytes(&path(data), &canonicalize(&Value::Array(charters)))
}

/// Writes one signed charter to `path`, durably.
///
/// # Errors
///
/// [`CharterFileError::Disk`].
pub fn write_one(path: &Path, charter: &SignedCharter) -> Result<(), CharterFileError> {
    write_bytes(path, &charter.encode())
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), CharterFileError> {
    let disk = |source| CharterFileError::Disk { action: "write", path: path.to_owned(), source };
    let new = path.with_extension("json.new");
    let write = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(disk)
}
