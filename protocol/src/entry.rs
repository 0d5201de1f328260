//! Entries: statements with their signature, as a log records them.
//!
//! ```text
//! version u8 = 1 ‖ suite u8 ‖ key length u16 ‖ key ‖ signature length u16 ‖ signature ‖ statement
//! ```
//!
//! Lengths are big-endian. Whoever does not know the suite still finds the statement, and keeps,
//! relays, withholds and cosigns the entry as any other; whether it counts is not verifiable there.
//! Of an entry of another version nothing is read.
//!
//! Not here: what a statement says ([`crate::statement`]), and who may sign it
//! ([`crate::directory`]).

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_crypto::dsse;
use hutong_crypto::keys::{PublicKey, Signature, SigningKey};
use hutong_crypto::merkle::leaf_hash;
use serde_json::{Value, json};

use crate::id::StatementId;
use crate::limits::ENTRY_BYTES_MAX;
pub use crate::suite::SUITE_ED25519;
use crate::suite::key_text;

/// The DSSE payload type of statements.
pub const STATEMENT_PAYLOAD_TYPE: &str = "application/vnd.hutong.statement+json";

/// The entry format of this version.
pub const ENTRY_VERSION: u8 = 1;

const SUITE_AT: usize = 1;
const KEY_LENGTH_AT: usize = 2;

/// Bytes of a key at most: an ML-DSA-87 key has 2,592.
pub const KEY_BYTES_MAX: usize = 4_096;

/// Bytes of a signature at most: an ML-DSA-87 signature has 4,627.
pub const SIGNATURE_BYTES_MAX: usize = 8_192;

/// Bytes of a key and of a signature of suite 1.
const KEY_BYTES: u16 = 32;
const SIGNATURE_BYTES: u16 = 64;

/// Where an entry of suite 1 has its key and its signature.
const KEY: core::ops::Range<usize> = 4..4 + KEY_BYTES as usize;
const SIGNATURE: core::ops::Range<usize> = KEY.end + 2..KEY.end + 2 + SIGNATURE_BYTES as usize;

/// Bytes of an entry of suite 1 before the statement.
pub(crate) const STATEMENT_AT: usize = SIGNATURE.end;

/// A statement with its signature, as its log records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    bytes: Bytes,
    id: Hash,
    /// The end of the entry where its version is not known.
    statement_at: usize,
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Too short to hold key, signature and a statement.
    #[error("entry of {0} bytes is too short")]
    Short(usize),
    /// Longer than a C2SP entry bundle can hold.
    #[error("entry of {0} bytes is longer than 65535")]
    Long(usize),
    /// Key and signature have no lengths that the suite allows.
    #[error(
        "a key of {key} and a signature of {signature} bytes do not fit suite {suite}: expected 32 and 64 in suite 1, 1 to 4096 and 1 to 8192 in others"
    )]
    Lengths {
        /// The suite.
        suite: u8,
        /// Bytes of the key.
        key: usize,
        /// Bytes of the signature.
        signature: usize,
    },
}

/// Why this version cannot tell whether an entry is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverifiable {
    /// The entry is of a version that is not known.
    #[error("entry version {0} is not known to this version; use newer software")]
    Version(u8),
    /// The signature is of a suite that is not known.
    #[error("signature suite {0} is not known to this version; use newer software")]
    Suite(u8),
}

impl Entry {
    /// Takes bytes as an entry, without copying them. Of any suite and version: what is refused here
    /// is refused by every program, whatever it knows.
    ///
    /// # Errors
    ///
    /// [`EntryError`] where lengths do not fit.
    pub fn parse(bytes: Bytes) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::Long(bytes.len()));
        }
        let statement_at = match bytes.first() {
            None => return Err(EntryError::Short(0)),
            Some(&ENTRY_VERSION) => statement_at(&bytes)?,
            Some(_) => bytes.len(),
        };
        let id = leaf_hash(&bytes);
        Ok(Self { bytes, id, statement_at })
    }

    /// Signs statement bytes.
    ///
    /// # Errors
    ///
    /// [`EntryError::Short`] or [`EntryError::Long`] where there is no statement or too much.
    pub fn sign(key: &SigningKey, statement: &[u8]) -> Result<Self, EntryError> {
        let mut bytes = Vec::with_capacity(STATEMENT_AT + statement.len());
        bytes.resize(STATEMENT_AT, 0);
        bytes.extend_from_slice(statement);
        Self::sign_in_place(key, bytes)
    }

    /// As [`Entry::sign`], of a statement behind [`STATEMENT_AT`] bytes of room for the rest.
    pub(crate) fn sign_in_place(key: &SigningKey, mut bytes: Vec<u8>) -> Result<Self, EntryError> {
        let Some((front, statement)) = bytes.split_at_mut_checked(STATEMENT_AT) else {
            return Err(EntryError::Short(bytes.len()));
        };
        let head = dsse::pae_head(STATEMENT_PAYLOAD_TYPE, statement.len());
        let signature = key.sign_parts(&[head.as_bytes(), statement]);
        let [key_high, key_low] = KEY_BYTES.to_be_bytes();
        let lengths = [ENTRY_VERSION, SUITE_ED25519, key_high, key_low];
        front[..KEY.start].copy_from_slice(&lengths);
        front[KEY].copy_from_slice(key.public().as_bytes());
        front[KEY.end..SIGNATURE.start].copy_from_slice(&SIGNATURE_BYTES.to_be_bytes());
        front[SIGNATURE].copy_from_slice(signature.as_bytes());
        Self::parse(Bytes::from(bytes))
    }

    /// The entry's bytes, at most 65,535 of them; in suite 1 at least 103.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The entry in memory of its own: one that was read from a message keeps all of it alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self.clone() }
    }

    /// The RFC 6962 leaf hash: `SHA-256(0x00 ‖ entry)`.
    pub fn leaf_hash(&self) -> Hash {
        self.id
    }

    /// The statement's id: its leaf hash.
    pub fn id(&self) -> StatementId {
        self.id
    }

    /// The key that is said to have signed, and the signature. Neither is checked.
    ///
    /// # Errors
    ///
    /// [`Unverifiable`] names the suite or version that is not known.
    pub fn key_and_signature(&self) -> Result<(PublicKey, Signature), Unverifiable> {
        let mut signature = [0; Signature::LEN];
        let key = self.issuer_key()?;
        signature.copy_from_slice(&self.bytes[SIGNATURE]);
        Ok((key, Signature::from_bytes(signature)))
    }

    /// The key that is said to have signed.
    ///
    /// # Errors
    ///
    /// As [`Entry::key_and_signature`].
    pub fn issuer_key(&self) -> Result<PublicKey, Unverifiable> {
        match self.suite()? {
            SUITE_ED25519 => {
                let mut key = [0; PublicKey::LEN];
                key.copy_from_slice(&self.bytes[KEY]);
                Ok(PublicKey::from_bytes(key))
            }
            suite => Err(Unverifiable::Suite(suite)),
        }
    }

    /// Whether this version can tell whether the entry is signed.
    pub fn is_verifiable(&self) -> bool {
        self.suite() == Ok(SUITE_ED25519)
    }

    /// The number of the signature suite.
    ///
    /// # Errors
    ///
    /// [`Unverifiable::Version`] where the entry's version is not known.
    pub fn suite(&self) -> Result<u8, Unverifiable> {
        match self.bytes[0] {
            // An entry of version 1 was parsed as far as its statement.
            ENTRY_VERSION => Ok(self.bytes[SUITE_AT]),
            version => Err(Unverifiable::Version(version)),
        }
    }

    /// The statement's bytes, exactly as signed; none where the entry's version is not known.
    pub fn statement_bytes(&self) -> &[u8] {
        &self.bytes[self.statement_at..]
    }

    /// What the signature is over: DSSE's pre-authentication encoding of the statement.
    pub fn signed_message(&self) -> Vec<u8> {
        dsse::pae(STATEMENT_PAYLOAD_TYPE, self.statement_bytes())
    }

    /// What [`Entry::signed_message`] has before the statement, for those who need not join the two.
    pub fn signed_head(&self) -> String {
        dsse::pae_head(STATEMENT_PAYLOAD_TYPE, self.statement_bytes().len())
    }

    /// The entry as a DSSE v1 envelope, for readers of that format.
    ///
    /// # Errors
    ///
    /// As [`Entry::key_and_signature`].
    pub fn to_dsse_envelope(&self) -> Result<Value, Unverifiable> {
        let (key, signature) = self.key_and_signature()?;
        Ok(json!({
            "payload": Base64::encode_string(self.statement_bytes()),
            "payloadType": STATEMENT_PAYLOAD_TYPE,
            "signatures": [{
                "keyid": key_text(&key),
                "sig": Base64::encode_string(signature.as_bytes()),
            }],
        }))
    }
}

/// Where the statement of an entry of version 1 begins.
fn statement_at(bytes: &[u8]) -> Result<usize, EntryError> {
    let short = EntryError::Short(bytes.len());
    let length = |at: usize| -> Result<usize, EntryError> {
        let length = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(short)?;
        Ok(usize::from(u16::from_be_bytes(*length)))
    };
    let suite = *bytes.get(SUITE_AT).ok_or(short)?;
    let key = length(KEY_LENGTH_AT)?;
    let key_end = KEY_LENGTH_AT + 2 + key;
    let signature = length(key_end)?;
    let fits = match suite {
        SUITE_ED25519 => key == PublicKey::LEN && signature == Signature::LEN,
        _ => (1..=KEY_BYTES_MAX).contains(&key) && (1..=SIGNATURE_BYTES_MAX).contains(&signature),
    };
    if !fits {
        return Err(EntryError::Lengths { suite, key, signature });
    }
    let statement_at = key_end + 2 + signature;
    if statement_at < bytes.len() { Ok(statement_at) } else { Err(short) }
}

/// A leaf as a replica keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// The entry.
    Entry(Entry),
    /// Only its hash.
    Withheld(Hash),
}

impl Leaf {
    /// The RFC 6962 leaf hash.
    pub fn hash(&self) -> Hash {
        match self {
            Self::Entry(entry) => entry.leaf_hash(),
            Self::Withheld(hash) => *hash,
        }
    }

    /// The entry, where it is held.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Withheld(_) => None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::vec;

    use hutong_crypto::keys::Seed;
    use hutong_crypto::verify::verify;

    use super::*;

    #[test]
    fn an_entry_is_signed_over_its_statement() {
        let key = Seed::from_bytes([7; 32]).derive(hutong_crypto::Purpose::Issuer);
        let entry = Entry::sign(&key, b"{}").unwrap();
        let (public, signature) = entry.key_and_signature().unwrap();
        assert_eq!(public, key.public());
        assert_eq!(entry.statement_bytes(), b"{}");
        assert!(verify(&public, &entry.signed_message(), &signature));
        assert_eq!(Entry::parse(entry.as_bytes().clone()).unwrap(), entry);
        assert!(matches!(Entry::sign(&key, b""), Err(EntryError::Short(102))));
    }

    /// version ‖ suite ‖ lengths as said ‖ as many bytes as there shall be.
    fn bytes_of(suite: u8, key: u16, signature: u16, statement: usize) -> Vec<u8> {
        let mut bytes = vec![ENTRY_VERSION, suite];
        bytes.extend(key.to_be_bytes());
        bytes.extend(vec![7; key.into()]);
        bytes.extend(signature.to_be_bytes());
        bytes.extend(vec![8; signature.into()]);
        bytes.extend(vec![b' '; statement]);
        bytes
    }

    fn parse(bytes: Vec<u8>) -> Result<Entry, EntryError> {
        Entry::parse(Bytes::from(bytes))
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert!(parse(bytes_of(1, 32, 64, 1)).is_ok());
        assert_eq!(parse(bytes_of(1, 32, 64, 0)), Err(EntryError::Short(102)));
        assert!(parse(bytes_of(1, 32, 64, 65_433)).is_ok());
        assert_eq!(parse(bytes_of(1, 32, 64, 65_434)), Err(EntryError::Long(65_536)));
        for (key, signature) in [(31, 64), (33, 64), (32, 63), (32, 65)] {
            let refused = parse(bytes_of(1, key, signature, 9));
            assert!(matches!(refused, Err(EntryError::Lengths { suite: 1, .. })));
        }
        for (key, signature, fits) in [
            (1, 1, true),
            (4_096, 8_192, true),
            (0, 1, false),
            (1, 0, false),
            (4_097, 1, false),
            (1, 8_193, false),
        ] {
            assert_eq!(parse(bytes_of(2, key, signature, 1)).is_ok(), fits, "{key} {signature}");
            assert!(parse(bytes_of(2, key, signature, 0)).is_err());
        }
        let whole = bytes_of(2, 33, 64, 1);
        for length in 0..whole.len() {
            assert!(parse(whole[..length].to_vec()).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn the_statement_of_an_unknown_suite_is_found() {
        let entry = parse(bytes_of(2, 33, 70, 5)).unwrap();
        assert_eq!(entry.statement_bytes(), b"     ");
        assert_eq!(entry.suite(), Ok(2));
        assert_eq!(entry.key_and_signature(), Err(Unverifiable::Suite(2)));
        assert!(!entry.is_verifiable());
        assert_eq!(entry.to_dsse_envelope(), Err(Unverifiable::Suite(2)));
    }

    #[test]
    fn of_an_unknown_version_nothing_is_read() {
        for bytes in [vec![2], vec![0, 1], vec![255; 65_535]] {
            let entry = parse(bytes.clone()).unwrap();
            assert_eq!(entry.statement_bytes(), b"");
            assert_eq!(entry.suite(), Err(Unverifiable::Version(bytes[0])));
            assert_eq!(entry.issuer_key(), Err(Unverifiable::Version(bytes[0])));
            assert_eq!(entry.as_bytes(), &bytes);
        }
        assert_eq!(parse(vec![]), Err(EntryError::Short(0)));
        assert_eq!(parse(vec![2; 65_536]), Err(EntryError::Long(65_536)));
    }
}
