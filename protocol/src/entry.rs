//! Entries: statements with their signature, as a log records them.
//!
//! ```text
//! version u8 = 1 ‖ suite u8 ‖ issuer public key [32] ‖ signature [64] ‖ statement bytes
//! ```
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

/// The DSSE payload type of statements.
pub const STATEMENT_PAYLOAD_TYPE: &str = "application/vnd.hutong.statement+json";

/// The entry format of this version.
pub const ENTRY_VERSION: u8 = 1;

/// Signature suite 1: Ed25519.
pub const SUITE_ED25519: u8 = 1;

const KEY_AT: usize = 2;
const SIGNATURE_AT: usize = KEY_AT + 32;
/// Bytes of an entry before the statement.
pub(crate) const STATEMENT_AT: usize = SIGNATURE_AT + 64;

/// A statement with its signature, as its log records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    bytes: Bytes,
    id: Hash,
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
    /// Of another version of the format.
    #[error("entry version {0} is not known; expected 1")]
    Version(u8),
}

impl Entry {
    /// Takes bytes as an entry, without copying them. Of any suite.
    ///
    /// # Errors
    ///
    /// [`EntryError`] where length or version do not fit.
    pub fn parse(bytes: Bytes) -> Result<Self, EntryError> {
        if bytes.len() <= STATEMENT_AT {
            return Err(EntryError::Short(bytes.len()));
        }
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::Long(bytes.len()));
        }
        if bytes[0] != ENTRY_VERSION {
            return Err(EntryError::Version(bytes[0]));
        }
        let id = leaf_hash(&bytes);
        Ok(Self { bytes, id })
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
        front[..KEY_AT].copy_from_slice(&[ENTRY_VERSION, SUITE_ED25519]);
        front[KEY_AT..SIGNATURE_AT].copy_from_slice(key.public().as_bytes());
        front[SIGNATURE_AT..].copy_from_slice(signature.as_bytes());
        Self::parse(Bytes::from(bytes))
    }

    /// The entry's bytes, 99 to 65,535 of them.
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

    /// The number of the signature suite.
    pub fn suite(&self) -> u8 {
        self.bytes[1]
    }

    /// The key that signed, in suite 1.
    pub fn issuer_key(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(&self.bytes[KEY_AT..SIGNATURE_AT]);
        PublicKey::from_bytes(key)
    }

    /// The signature, in suite 1.
    pub fn signature(&self) -> Signature {
        let mut signature = [0; 64];
        signature.copy_from_slice(&self.bytes[SIGNATURE_AT..STATEMENT_AT]);
        Signature::from_bytes(signature)
    }

    /// The statement's bytes, exactly as signed.
    pub fn statement_bytes(&self) -> &[u8] {
        &self.bytes[STATEMENT_AT..]
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
    pub fn to_dsse_envelope(&self) -> Value {
        json!({
            "payload": Base64::encode_string(self.statement_bytes()),
            "payloadType": STATEMENT_PAYLOAD_TYPE,
            "signatures": [{
                "keyid": alloc::format!("{}", self.issuer_key()),
                "sig": Base64::encode_string(self.signature().as_bytes()),
            }],
        })
    }
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
        assert_eq!(entry.issuer_key(), key.public());
        assert_eq!(entry.statement_bytes(), b"{}");
        assert!(verify(&entry.issuer_key(), &entry.signed_message(), &entry.signature()));
        assert_eq!(Entry::parse(entry.as_bytes().clone()).unwrap(), entry);
    }

    #[test]
    fn lengths_and_versions_that_do_not_fit_are_refused() {
        let parse = |bytes: Vec<u8>| Entry::parse(Bytes::from(bytes));
        let with = |version: u8, length: usize| {
            let mut bytes = vec![0; length];
            bytes[0] = version;
            bytes
        };
        assert_eq!(parse(with(1, 98)), Err(EntryError::Short(98)));
        assert!(parse(with(1, 99)).is_ok());
        assert!(parse(with(1, 65_535)).is_ok());
        assert_eq!(parse(with(1, 65_536)), Err(EntryError::Long(65_536)));
        assert_eq!(parse(with(2, 99)), Err(EntryError::Version(2)));
    }
}
