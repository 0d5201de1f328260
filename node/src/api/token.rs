//! The bearer token that admits a client, and the file that tells it the port.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

/// The secret that a client shows: 64 hexadecimal digits. Not shown by `Debug`.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

/// Why token or address could not be written or read.
#[derive(Debug, Error)]
pub enum TokenError {
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
    /// Others can read the token.
    #[error("{} can be read by others (mode {mode:o}): delete it and start the node again", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold what it should.
    #[error("{} is damaged: delete it and start the node again", .0.display())]
    Damaged(PathBuf),
    /// The system has no randomness to give.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

const TOKEN_DIGITS: usize = 64;

impl Token {
    /// Reads `<data>/api.token`, or makes one of mode 0600 if there is none.
    ///
    /// # Errors
    ///
    /// [`TokenError`] names the file.
    pub fn open_or_create(data: &Path) -> Result<Self, TokenError> {
        let path = token_path(data);
        if path.exists() {
            return Self::open(data);
        }
        let mut bytes = Zeroizing::new([0; TOKEN_DIGITS / 2]);
        getrandom::fill(&mut *bytes).map_err(TokenError::Random)?;
        let token = Zeroizing::new(hex::encode(*bytes));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(disk("create", &path))?;
        file.write_all(token.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(disk("write", &path))?;
        Ok(Self(token))
    }

    /// Reads `<data>/api.token`.
    ///
    /// # Errors
    ///
    /// [`TokenError::Exposed`] if others may read it, [`TokenError::Damaged`] if it is no token.
    pub fn open(data: &Path) -> Result<Self, TokenError> {
        let path = token_path(data);
        let mode = fs::metadata(&path).map_err(disk("read", &path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokenError::Exposed { path, mode });
        }
        let text = fs::read_to_string(&path).map(Zeroizing::new).map_err(disk("read", &path))?;
        let digits = text.trim();
        if digits.len() != TOKEN_DIGITS || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(TokenError::Damaged(path));
        }
        Ok(Self(Zeroizing::new(digits.to_owned())))
    }

    /// Whether `shown` is this token; takes the same time wherever they differ.
    pub fn admits(&self, shown: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), shown.as_bytes());
        // A token's length is no secret.
        ours.len() == theirs.len()
            && ours
                .iter()
                .zip(theirs)
                .fold(0, |differ, (a, b)| differ | std::hint::black_box(a ^ b))
                == 0
    }

    /// The value of an `Authorization` header.
    pub(crate) fn header(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", *self.0))
    }
}

/// Writes the address that the interface listens on to `<data>/api.addr`, for clients to find.
///
/// # Errors
///
/// [`TokenError::Disk`].
pub fn write_address(data: &Path, address: SocketAddr) -> Result<(), TokenError> {
    let path = address_path(data);
    // A reader sees the old or the new address, never half of one.
    let new = path.with_extension("addr.new");
    fs::write(&new, format!("{address}\n"))
        .and_then(|()| fs::rename(&new, &path))
        .map_err(disk("write", &path))
}

/// Reads the address of the node that runs on `data`; `None` if none has written one.
///
/// # Errors
///
/// [`TokenError::Disk`] and [`TokenError::Damaged`].
pub fn read_address(data: &Path) -> Result<Option<SocketAddr>, TokenError> {
    let path = address_path(data);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| TokenError::Damaged(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(disk("read", &path)(source)),
    }
}

/// Removes `<data>/api.addr` at the end of a run; a leftover only makes clients try in vain.
pub fn remove_address(data: &Path) {
    if let Err(error) = fs::remove_file(address_path(data)) {
        tracing::debug!(%error, "could not remove api.addr");
    }
}

fn token_path(data: &Path) -> PathBuf {
    data.join("api.token")
}

fn address_path(data: &Path) -> PathBuf {
    data.join("api.addr")
}

fn disk(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> TokenError {
    let path = path.to_owned();
    move |source| TokenError::Disk { action, path, source }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_token_is_made_once_and_kept() {
        let data = tempfile::tempdir().unwrap();
        let first = Token::open_or_create(data.path()).unwrap();
        let second = Token::open_or_create(data.path()).unwrap();
        assert_eq!(*first.0, *second.0);
        let mode = fs::metadata(token_path(data.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn only_the_whole_token_is_admitted() {
        let data = tempfile::tempdir().unwrap();
        let token = Token::open_or_create(data.path()).unwrap();
        let text = token.0.to_string();
        assert!(token.admits(&text));
        assert!(!token.admits(&text[1..]));
        assert!(!token.admits(""));
        let mut other = text.into_bytes();
        other[63] = if other[63] == b'0' { b'1' } else { b'0' };
        assert!(!token.admits(std::str::from_utf8(&other).unwrap()));
    }

    #[test]
    fn a_token_that_others_can_read_or_that_is_cut_is_refused() {
        let data = tempfile::tempdir().unwrap();
        Token::open_or_create(data.path()).unwrap();
        let path = token_path(data.path());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Token::open(data.path()), Err(TokenError::Exposed { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "abc").unwrap();
        assert!(matches!(Token::open(data.path()), Err(TokenError::Damaged(_))));
    }

    #[test]
    fn the_address_is_found_as_written_and_absent_before() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(read_address(data.path()).unwrap(), None);
        let address = SocketAddr::from(([127, 0, 0, 1], 7410));
        write_address(data.path(), address).unwrap();
        assert_eq!(read_address(data.path()).unwrap(), Some(address));
        fs::write(address_path(data.path()), "soon").unwrap();
        assert!(read_address(data.path()).is_err());
    }
}
