//! The exchange's seed at rest: sealed by a passphrase, backed up as words or a QR code, restored with care.
//!
//! All of a node's keys derive from one seed of 32 bytes, so this folder holds one secret:
//! `keys/seed.age` (an age file, scrypt passphrase) or, only when asked for, `keys/seed` (64 hexadecimal
//! digits, mode 0600).
//!
//! Out of scope: which keys derive from the seed, see [`hutong_crypto::keys`].

mod backup;
mod descriptor;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use hutong_crypto::keys::Seed;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

pub use backup::{Backup, BackupError, WordList, parse_backup};
pub use descriptor::{DescribeError, describe};

/// The folder of a node's secret: `<data>/keys`.
#[derive(Clone, Debug)]
pub struct KeyFolder(PathBuf);

/// How a seed is kept.
#[derive(Clone, Debug)]
pub enum Sealing {
    /// As an age file under this passphrase.
    Passphrase(Passphrase),
    /// In plain hexadecimal; the folder's permissions are the only protection.
    Plain,
}

/// A passphrase: not shown by `Debug`, wiped when dropped.
#[derive(Clone, Debug)]
pub struct Passphrase {
    /// In the form in which seeds are sealed.
    normal: SecretString,
    /// As it was typed, where that differs: another program may have sealed the file under it.
    as_typed: Option<SecretString>,
}

/// How the seed of a folder is kept, without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// `seed.age`: a passphrase is needed.
    Sealed,
    /// `seed`: none is needed.
    Plain,
    /// There is none.
    Missing,
}

/// Why a seed could not be written or read.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The folder holds a seed already.
    #[error("{} holds a seed already: it is never overwritten; choose another data folder, or move it away yourself after a verified backup", .0.display())]
    Exists(PathBuf),
    /// The folder holds none.
    #[error("{} holds no seed: run `hutong init`, or `hutong keys restore` from a backup", .0.display())]
    Missing(PathBuf),
    /// A passphrase is needed and was not given.
    #[error("{} is sealed: give the passphrase with --passphrase-file or HUTONG_PASSPHRASE", .0.display())]
    PassphraseNeeded(PathBuf),
    /// The passphrase does not open the file.
    #[error("the passphrase does not open {}: check it and try again", .0.display())]
    PassphraseWrong(PathBuf),
    /// A passphrase that would protect nothing.
    #[error("the passphrase has {met} characters: use at least {min}")]
    PassphraseShort {
        /// Characters given.
        met: usize,
        /// Characters needed.
        min: usize,
    },
    /// The file opens, but does not hold a seed.
    #[error("{} is damaged ({detail}): restore it with `hutong keys restore` from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected and met.
        detail: String,
    },
    /// Others can read the file.
    #[error("{} can be read by others (mode {mode:o}): run `chmod 600` on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
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
    /// The sealing itself failed.
    #[error("cannot seal the seed: {0}")]
    Seal(String),
    /// The system has no randomness to give.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Fewer characters are guessed in hours, scrypt or not.
pub const PASSPHRASE_CHARACTERS_MIN: usize = 10;
/// 2^18 rounds: about one second and 256 MiB on a machine of 2026, as age itself chooses.
const WORK_FACTOR: u8 = 18;
/// A file that asks for more than 2^22 rounds would hold a node up for minutes.
const WORK_FACTOR_MAX: u8 = 22;
/// An age file around 32 bytes is about 200.
const SEALED_BYTES_MAX: u64 = 4096;

impl Passphrase {
    /// Takes `text` without its line end and without a byte-order mark, in Unicode's composed form (NFC): two
    /// systems write what a person types in different bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::PassphraseShort`] below [`PASSPHRASE_CHARACTERS_MIN`] characters.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let typed = text.trim_end_matches(['\r', '\n']);
        let normal: Zeroizing<String> =
            Zeroizing::new(typed.trim_start_matches('\u{feff}').nfc().collect());
        let met = normal.chars().count();
        if met < PASSPHRASE_CHARACTERS_MIN {
            return Err(KeyError::PassphraseShort { met, min: PASSPHRASE_CHARACTERS_MIN });
        }
        let as_typed = (*normal != typed).then(|| SecretString::from(typed.to_owned()));
        Ok(Self { normal: SecretString::from(normal.as_str().to_owned()), as_typed })
    }

    /// Reads the first line of the file at `path`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Disk`] if it cannot be read, [`KeyError::PassphraseShort`] as in [`Passphrase::new`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = fs::read_to_string(path).map(Zeroizing::new).map_err(disk("read", path))?;
        Self::new(text.lines().next().unwrap_or_default())
    }
}

/// Returns a new seed from the system's random source.
///
/// # Errors
///
/// [`KeyError::Random`] if the system gives none.
pub fn generate() -> Result<Seed, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(KeyError::Random)?;
    Ok(Seed::from_bytes(*bytes))
}

impl KeyFolder {
    /// The key folder of the data folder `data`; touches nothing.
    pub fn of(data: &Path) -> Self {
        Self(data.join("keys"))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// How the seed is kept, if there is one.
    pub fn kept(&self) -> Kept {
        if self.sealed().exists() {
            Kept::Sealed
        } else if self.plain().exists() {
            Kept::Plain
        } else {
            Kept::Missing
        }
    }

    /// Writes `seed`, durably.
    ///
    /// # Errors
    ///
    /// [`KeyError::Exists`] if the folder holds a seed: none is ever overwritten.
    pub fn store(&self, seed: &Seed, sealing: &Sealing) -> Result<(), KeyError> {
        self.store_with(seed, sealing, WORK_FACTOR)
    }

    /// Writes `seed` from a backup and marks the folder: before a node signs anything, it takes back from its
    /// peers what its log lacks.
    ///
    /// # Errors
    ///
    /// As [`KeyFolder::store`].
    pub fn restore(&self, seed: &Seed, sealing: &Sealing) -> Result<(), KeyError> {
        if self.kept() != Kept::Missing {
            return Err(KeyError::Exists(self.0.clone()));
        }
        // The mark goes first: a crash between the two leaves a mark too many, never one too few.
        self.create_folder()?;
        self.mark_restored()?;
        self.store(seed, sealing)
    }

    /// Marks the folder as [`KeyFolder::restore`] does: the keys may have signed what is not here.
    ///
    /// # Errors
    ///
    /// [`KeyError::Disk`] if the mark cannot be written.
    pub fn mark_restored(&self) -> Result<(), KeyError> {
        write_new(
            &self.mark(),
            b"the keys may have signed more than is here: ask peers for the own log before signing\n",
        )
    }

    /// Whether the seed was restored and the own log not yet checked with peers.
    pub fn restored(&self) -> bool {
        self.mark().exists()
    }

    /// Removes the mark of [`KeyFolder::restore`], after the own log was checked with peers.
    ///
    /// # Errors
    ///
    /// [`KeyError::Disk`] if the mark is there and cannot be removed.
    pub fn clear_restored(&self) -> Result<(), KeyError> {
        match fs::remove_file(self.mark()) {
            Ok(()) => sync_folder(&self.0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(disk("remove", &self.mark())(source)),
        }
    }

    /// Reads the seed. Takes about a second and 256 MiB if it is sealed.
    ///
    /// # Errors
    ///
    /// [`KeyError::Missing`], [`KeyError::PassphraseNeeded`], [`KeyError::PassphraseWrong`],
    /// [`KeyError::Damaged`], and [`KeyError::Exposed`] if others may read a plain seed.
    pub fn open(&self, passphrase: Option<&Passphrase>) -> Result<Seed, KeyError> {
        match self.kept() {
            Kept::Missing => Err(KeyError::Missing(self.0.clone())),
            Kept::Plain => open_plain(&self.plain()),
            Kept::Sealed => {
                let path = self.sealed();
                let passphrase =
                    passphrase.ok_or_else(|| KeyError::PassphraseNeeded(path.clone()))?;
                open_sealed(&path, passphrase)
            }
        }
    }

    fn store_with(&self, seed: &Seed, sealing: &Sealing, work_factor: u8) -> Result<(), KeyError> {
        if self.kept() != Kept::Missing {
            return Err(KeyError::Exists(self.0.clone()));
        }
        self.create_folder()?;
        match sealing {
            Sealing::Plain => {
                let text = Zeroizing::new(format!("{}\n", hex::encode(seed.as_bytes())));
                write_new(&self.plain(), text.as_bytes())
            }
            Sealing::Passphrase(passphrase) => {
                let mut recipient = age::scrypt::Recipient::new(passphrase.normal.clone());
                recipient.set_work_factor(work_factor);
                let sealed = age::encrypt(&recipient, seed.as_bytes())
                    .map_err(|error| KeyError::Seal(error.to_string()))?;
                write_new(&self.sealed(), &sealed)
            }
        }
    }

    fn create_folder(&self) -> Result<(), KeyError> {
        fs::create_dir_all(&self.0).map_err(disk("create", &self.0))?;
        fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700))
            .map_err(disk("protect", &self.0))
    }

    fn sealed(&self) -> PathBuf {
        self.0.join("seed.age")
    }

    fn plain(&self) -> PathBuf {
        self.0.join("seed")
    }

    fn mark(&self) -> PathBuf {
        self.0.join("restored")
    }
}

/// Writes a new file of mode 0600 and makes it and its name durable.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let write = || {
        // A restored mark may be left over from an attempt that a crash ended; it says the same.
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(!path.ends_with("restored"))
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(disk("write", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> Result<(), KeyError> {
    fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(disk("make durable", path))
}

fn open_plain(path: &Path) -> Result<Seed, KeyError> {
    let mode = fs::metadata(path).map_err(disk("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(disk("read", path))?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *bytes).map_err(|_| KeyError::Damaged {
        path: path.to_owned(),
        detail: "expected 64 hexadecimal digits".to_owned(),
    })?;
    Ok(Seed::from_bytes(*bytes))
}

fn open_sealed(path: &Path, passphrase: &Passphrase) -> Result<Seed, KeyError> {
    let opened = open_sealed_by(path, &passphrase.normal);
    match (&opened, &passphrase.as_typed) {
        (Err(KeyError::PassphraseWrong(_)), Some(as_typed)) => open_sealed_by(path, as_typed),
        (Ok(_) | Err(_), _) => opened,
    }
}

fn open_sealed_by(path: &Path, passphrase: &SecretString) -> Result<Seed, KeyError> {
    let bytes = fs::metadata(path).map_err(disk("read", path))?.len();
    let damaged = |detail: String| KeyError::Damaged { path: path.to_owned(), detail };
    if bytes > SEALED_BYTES_MAX {
        return Err(damaged(format!("expected at most {SEALED_BYTES_MAX} bytes, met {bytes}")));
    }
    let sealed = fs::read(path).map_err(disk("read", path))?;
    let mut identity = age::scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let opened =
        age::decrypt(&identity, &sealed).map(Zeroizing::new).map_err(|error| match error {
            age::DecryptError::DecryptionFailed
            | age::DecryptError::KeyDecryptionFailed
            | age::DecryptError::NoMatchingKeys => KeyError::PassphraseWrong(path.to_owned()),
            other => damaged(other.to_string()),
        })?;
    let bytes: &[u8; 32] = opened
        .as_slice()
        .try_into()
        .map_err(|_| damaged(format!("expected 32 bytes inside, met {}", opened.len())))?;
    Ok(Seed::from_bytes(*bytes))
}

fn disk(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Disk { action, path, source }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Cheap enough for a test; a file carries its own factor.
    const WORK_FACTOR_TEST: u8 = 4;

    fn folder() -> (tempfile::TempDir, KeyFolder) {
        let data = tempfile::tempdir().unwrap();
        let keys = KeyFolder::of(data.path());
        (data, keys)
    }

    fn sealing(text: &str) -> Sealing {
        Sealing::Passphrase(Passphrase::new(text).unwrap())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_sealed_seed_opens_with_its_passphrase_and_no_other() {
        let (_data, keys) = folder();
        keys.store_with(&Seed::from_bytes([7; 32]), &sealing("correct horse"), WORK_FACTOR_TEST)
            .unwrap();
        assert_eq!(keys.kept(), Kept::Sealed);
        assert_eq!(mode(&keys.sealed()), 0o600);
        assert_eq!(mode(keys.path()), 0o700);
        let right = Passphrase::new("correct horse\n").unwrap();
        assert_eq!(keys.open(Some(&right)).unwrap().as_bytes(), &[7; 32]);
        let wrong = Passphrase::new("correct h0rse").unwrap();
        assert!(matches!(keys.open(Some(&wrong)), Err(KeyError::PassphraseWrong(_))));
        assert!(matches!(keys.open(None), Err(KeyError::PassphraseNeeded(_))));
    }

    #[test]
    fn a_flipped_byte_never_opens() {
        let (_data, keys) = folder();
        keys.store_with(&Seed::from_bytes([7; 32]), &sealing("correct horse"), WORK_FACTOR_TEST)
            .unwrap();
        let right = Passphrase::new("correct horse").unwrap();
        let whole = fs::read(keys.sealed()).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(keys.sealed(), &bytes).unwrap();
            assert!(keys.open(Some(&right)).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_plain_seed_opens_unless_others_can_read_it() {
        let (_data, keys) = folder();
        keys.store(&Seed::from_bytes([9; 32]), &Sealing::Plain).unwrap();
        assert_eq!(keys.open(None).unwrap().as_bytes(), &[9; 32]);
        fs::set_permissions(keys.plain(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(keys.open(None), Err(KeyError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn a_plain_seed_of_a_wrong_length_is_damaged() {
        let (_data, keys) = folder();
        keys.store(&Seed::from_bytes([9; 32]), &Sealing::Plain).unwrap();
        fs::write(keys.plain(), "09".repeat(31)).unwrap();
        assert!(matches!(keys.open(None), Err(KeyError::Damaged { .. })));
    }

    #[test]
    fn a_seed_is_never_overwritten() {
        let (_data, keys) = folder();
        let seed = Seed::from_bytes([1; 32]);
        keys.store(&seed, &Sealing::Plain).unwrap();
        let other = Seed::from_bytes([2; 32]);
        assert!(matches!(keys.store(&other, &Sealing::Plain), Err(KeyError::Exists(_))));
        assert!(matches!(keys.restore(&other, &Sealing::Plain), Err(KeyError::Exists(_))));
        assert!(!keys.restored());
        assert_eq!(keys.open(None).unwrap().as_bytes(), &[1; 32]);
    }

    #[test]
    fn a_restored_seed_is_marked_until_cleared_and_a_new_one_is_not() {
        let (_data, keys) = folder();
        keys.restore(&Seed::from_bytes([1; 32]), &Sealing::Plain).unwrap();
        assert!(keys.restored());
        keys.clear_restored().unwrap();
        assert!(!keys.restored());
        keys.clear_restored().unwrap();
        let (_data, keys) = folder();
        keys.store(&Seed::from_bytes([1; 32]), &Sealing::Plain).unwrap();
        assert!(!keys.restored());
    }

    #[test]
    fn a_missing_seed_is_told_from_a_damaged_one() {
        let (_data, keys) = folder();
        assert_eq!(keys.kept(), Kept::Missing);
        assert!(matches!(keys.open(None), Err(KeyError::Missing(_))));
    }

    #[test]
    fn a_passphrase_has_ten_characters_or_more() {
        assert!(Passphrase::new("0123456789").is_ok());
        assert!(Passphrase::new("一二三四五六七八九十").is_ok());
        assert!(matches!(
            Passphrase::new("012345678"),
            Err(KeyError::PassphraseShort { met: 9, min: 10 })
        ));
    }

    #[test]
    fn a_passphrase_is_the_same_however_a_system_writes_it() {
        let (_data, keys) = folder();
        let sealed = Passphrase::new("\u{feff}caf\u{e9} cr\u{e8}me 2026\r\n").unwrap();
        let seed = generate().unwrap();
        keys.store_with(&seed, &Sealing::Passphrase(sealed), WORK_FACTOR_TEST).unwrap();
        for same in ["caf\u{e9} cr\u{e8}me 2026", "cafe\u{301} cre\u{300}me 2026\n"] {
            let opened = keys.open(Some(&Passphrase::new(same).unwrap())).unwrap();
            assert_eq!(opened.as_bytes(), seed.as_bytes());
        }
        let other = keys.open(Some(&Passphrase::new("cafe creme 2026").unwrap()));
        assert!(matches!(other, Err(KeyError::PassphraseWrong(_))));
    }

    #[test]
    fn a_file_that_was_sealed_as_it_was_typed_opens_too() {
        let (_data, keys) = folder();
        let typed = "cafe\u{301} cre\u{300}me 2026";
        let normal = SecretString::from(typed.to_owned());
        let by_another = Passphrase { normal, as_typed: None };
        let seed = generate().unwrap();
        keys.store_with(&seed, &Sealing::Passphrase(by_another), WORK_FACTOR_TEST).unwrap();
        let opened = keys.open(Some(&Passphrase::new(typed).unwrap())).unwrap();
        assert_eq!(opened.as_bytes(), seed.as_bytes());
    }

    #[test]
    fn two_generated_seeds_differ() {
        assert_ne!(generate().unwrap().as_bytes(), generate().unwrap().as_bytes());
    }
}
