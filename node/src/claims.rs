//! Confidential values of contracts with their salts: `<data>/claims/<registration>.json`, mode 0600.
//!
//! A statement carries only commitments. Whoever registers a contract keeps here what opens them, written
//! durably before the statement is published, so that a receipt can show any of them later. Nothing in this
//! folder ever leaves the machine by itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hutong_crypto::Hash;
use hutong_crypto::commitment::{Salt, commit, opens};
use hutong_protocol::contract::ClaimError;
use hutong_protocol::contract::claims::check_claims;
use hutong_protocol::json::canonicalize;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Values of one contract's events at most: a contract is amended a few times.
const SETS_MAX: usize = 256;
/// Each set stays below an entry's 64 KiB.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The folder of confidential values.
#[derive(Clone, Debug)]
pub struct ClaimsFolder(PathBuf);

/// What opens the commitments of one statement: by claim name, salt and value. Not shown by `Debug`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimSet(BTreeMap<String, Opening>);

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Opening {
    /// 32 bytes, base64url without padding.
    salt: String,
    value: Value,
}

/// One claim, opened, as a receipt shows it.
#[derive(Clone, PartialEq)]
pub struct OpenedClaim {
    /// Its name.
    pub name: String,
    /// The salt.
    pub salt: [u8; 32],
    /// The value.
    pub value: Value,
}

/// Why claims could not be kept or opened.
#[derive(Debug, Error)]
pub enum ClaimsError {
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
    /// The file does not hold claims.
    #[error("{} is damaged: restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A value is not what its claim promises.
    #[error(transparent)]
    Value(#[from] ClaimError),
    /// A contract has been amended more often than is kept.
    #[error("{} holds {SETS_MAX} sets of values, the most that are kept", .0.display())]
    Full(PathBuf),
    /// The statement commits to no such claim.
    #[error("the statement has no claim `{name}`: it has {}", has.join(", "))]
    NoSuchClaim {
        /// The name asked for.
        name: String,
        /// The names there are.
        has: Vec<String>,
    },
    /// Nothing kept here opens the commitment.
    #[error(
        "no value kept here opens claim `{name}` of contract {registration}: it was registered elsewhere, or claims/ was not restored"
    )]
    NotKept {
        /// The claim.
        name: String,
        /// The contract.
        registration: String,
    },
    /// The system has no randomness to give.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

#[derive(Serialize, Deserialize)]
struct ClaimsFile {
    registration: String,
    /// Oldest first.
    sets: Vec<ClaimSet>,
}

impl ClaimSet {
    /// Checks `values` as the protocol does and salts them afresh.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::Value`] names the claim that is wrong; [`ClaimsError::Random`].
    pub fn new(values: impl IntoIterator<Item = (String, Value)>) -> Result<Self, ClaimsError> {
        let values: BTreeMap<String, Value> = values.into_iter().collect();
        check_claims(&values)?;
        let mut openings = BTreeMap::new();
        for (name, value) in values {
            let mut salt = [0; 32];
            getrandom::fill(&mut salt).map_err(ClaimsError::Random)?;
            let salt = Base64UrlUnpadded::encode_string(&salt);
            openings.insert(name, Opening { salt, value });
        }
        Ok(Self(openings))
    }

    /// The commitments that a statement carries, by name.
    pub fn commitments(&self) -> BTreeMap<String, String> {
        self.0
            .iter()
            .filter_map(|(name, opening)| {
                let salt = Salt(opening.salt()?);
                let commitment = commit(&salt, name, &canonicalize(&opening.value));
                Some((name.clone(), commitment.to_string()))
            })
            .collect()
    }

    /// The values by name.
    pub fn values(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().map(|(name, opening)| (name, &opening.value))
    }
}

impl Opening {
    fn salt(&self) -> Option<[u8; 32]> {
        Base64UrlUnpadded::decode_vec(&self.salt).ok()?.try_into().ok()
    }
}

impl ClaimsFolder {
    /// The claims of the data folder `data`; touches nothing.
    pub fn of(data: &Path) -> Self {
        Self(data.join("claims"))
    }

    /// Keeps another set of values for a contract, durably.
    ///
    /// # Errors
    ///
    /// [`ClaimsError`]; what was kept before stays.
    pub fn keep(&self, registration: &str, set: &ClaimSet) -> Result<(), ClaimsError> {
        let path = self.path(registration);
        let mut sets = self.read(registration)?;
        if sets.contains(set) {
            return Ok(());
        }
        if sets.len() >= SETS_MAX {
            return Err(ClaimsError::Full(path));
        }
        sets.push(set.clone());
        let file = ClaimsFile { registration: registration.to_owned(), sets };
        let bytes = serde_json::to_vec_pretty(&file)
            .map_err(|source| ClaimsError::Damaged { path: path.clone(), source })?;
        fs::create_dir_all(&self.0)
            .and_then(|()| fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700)))
            .map_err(disk("create", &self.0))?;
        write_private(&path, &bytes).map_err(disk("write", &path))
    }

    /// Reads the sets of values of a contract, oldest first; none if it is not known here.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::Disk`] and [`ClaimsError::Damaged`].
    pub fn read(&self, registration: &str) -> Result<Vec<ClaimSet>, ClaimsError> {
        let path = self.path(registration);
        match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(disk("read", &path)(source)),
            Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
                let error = std::io::Error::other(format!(
                    "expected at most {FILE_BYTES_MAX} bytes, met {}",
                    metadata.len()
                ));
                return Err(disk("read", &path)(error));
            }
            Ok(_) => {}
        }
        let bytes = fs::read(&path).map_err(disk("read", &path))?;
        let file: ClaimsFile = serde_json::from_slice(&bytes)
            .map_err(|source| ClaimsError::Damaged { path, source })?;
        Ok(file.sets)
    }

    /// Opens the claims `names` of a contract's statement that carries `commitments`.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::NoSuchClaim`] and [`ClaimsError::NotKept`] name the claim.
    pub fn open(
        &self,
        registration: &str,
        commitments: &BTreeMap<String, Hash>,
        names: &[String],
    ) -> Result<Vec<OpenedClaim>, ClaimsError> {
        let sets = self.read(registration)?;
        let mut opened = Vec::new();
        for name in names {
            let commitment = commitments.get(name).ok_or_else(|| ClaimsError::NoSuchClaim {
                name: name.clone(),
                has: commitments.keys().cloned().collect(),
            })?;
            let claim =
                sets.iter().rev().find_map(|set| set.opening(name, commitment)).ok_or_else(
                    || ClaimsError::NotKept {
                        name: name.clone(),
                        registration: registration.to_owned(),
                    },
                )?;
            opened.push(claim);
        }
        Ok(opened)
    }

    /// Registration numbers are digits; whatever else arrives cannot leave the folder or collide.
    fn path(&self, registration: &str) -> PathBuf {
        let plain = !registration.is_empty()
            && registration.len() <= 64
            && registration.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        let name = if plain {
            registration.to_owned()
        } else {
            format!("x{}", hutong_crypto::sha256(registration.as_bytes()))
        };
        self.0.join(format!("{name}.json"))
    }
}

impl ClaimSet {
    fn opening(&self, name: &str, commitment: &Hash) -> Option<OpenedClaim> {
        let opening = self.0.get(name)?;
        let salt = opening.salt()?;
        opens(commitment, &Salt(salt), name, &canonicalize(&opening.value)).then(|| OpenedClaim {
            name: name.to_owned(),
            salt,
            value: opening.value.clone(),
        })
    }
}

/// The commitments in a contract's body, by claim name.
pub fn commitments(body: &Value) -> BTreeMap<String, Hash> {
    let claims = body.get("claims").and_then(Value::as_object);
    claims
        .into_iter()
        .flatten()
        .filter_map(|(name, hex)| Some((name.clone(), hex.as_str()?.parse().ok()?)))
        .collect()
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

fn disk(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ClaimsError {
    let path = path.to_owned();
    move |source| ClaimsError::Disk { action, path, source }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    const NUMBER: &str = "2026330100000001";

    fn set(amount: u64) -> ClaimSet {
        ClaimSet::new([
            ("total_amount".to_owned(), json!(amount)),
            ("seller_name".to_owned(), json!("浙江大学")),
        ])
        .unwrap()
    }

    fn commitments(set: &ClaimSet) -> BTreeMap<String, Hash> {
        set.commitments().into_iter().map(|(name, hex)| (name, hex.parse().unwrap())).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_kept_claim_opens_the_statement_that_commits_to_it() {
        let data = tempfile::tempdir().unwrap();
        let folder = ClaimsFolder::of(data.path());
        let (first, second) = (set(100), set(200));
        folder.keep(NUMBER, &first).unwrap();
        folder.keep(NUMBER, &second).unwrap();
        for (set, amount) in [(&first, 100), (&second, 200)] {
            let opened = folder.open(NUMBER, &commitments(set), &names(&["total_amount"])).unwrap();
            assert_eq!(opened[0].value, amount);
        }
        let mode = fs::metadata(folder.path(NUMBER)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn keeping_the_same_set_twice_keeps_it_once() {
        let data = tempfile::tempdir().unwrap();
        let folder = ClaimsFolder::of(data.path());
        let set = set(100);
        folder.keep(NUMBER, &set).unwrap();
        folder.keep(NUMBER, &set).unwrap();
        assert_eq!(folder.read(NUMBER).unwrap().len(), 1);
    }

    #[test]
    fn a_value_that_no_verifier_would_accept_is_not_committed_to() {
        let refused = |name: &str, value: Value| {
            matches!(ClaimSet::new([(name.to_owned(), value)]), Err(ClaimsError::Value(_)))
        };
        assert!(!refused("total_amount", json!(100)));
        assert!(refused("total_amount", json!(0)));
        assert!(refused("total_amount", json!("100")));
        assert!(refused("favourite_colour", json!("red")));
    }

    #[test]
    fn a_claim_that_is_not_committed_to_or_not_kept_is_told_apart() {
        let data = tempfile::tempdir().unwrap();
        let folder = ClaimsFolder::of(data.path());
        let (kept, other) = (set(100), set(100));
        folder.keep(NUMBER, &kept).unwrap();
        let none = folder.open(NUMBER, &commitments(&kept), &names(&["terms"]));
        assert!(matches!(none, Err(ClaimsError::NoSuchClaim { .. })));
        // The same values under other salts do not open another statement.
        let foreign = folder.open(NUMBER, &commitments(&other), &names(&["seller_name"]));
        assert!(matches!(foreign, Err(ClaimsError::NotKept { .. })));
    }

    #[test]
    fn a_registration_number_cannot_leave_the_folder() {
        let folder = ClaimsFolder::of(Path::new("/data"));
        let path = folder.path("../../etc/passwd");
        assert!(path.starts_with("/data/claims"), "{}", path.display());
        assert_eq!(path.components().count(), 4);
        assert_ne!(folder.path("a"), folder.path("A"));
    }

    #[test]
    fn a_cut_file_is_damaged_and_not_overwritten() {
        let data = tempfile::tempdir().unwrap();
        let folder = ClaimsFolder::of(data.path());
        folder.keep(NUMBER, &set(1)).unwrap();
        fs::write(folder.path(NUMBER), "{\"regis").unwrap();
        assert!(matches!(folder.keep(NUMBER, &set(2)), Err(ClaimsError::Damaged { .. })));
        assert_eq!(fs::read_to_string(folder.path(NUMBER)).unwrap(), "{\"regis");
    }
}
