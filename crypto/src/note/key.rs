//! Names and ids of note keys, and verifier keys, their text form.

use alloc::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, str::FromStr};

use base64ct::{Base64, Encoding as _};

use super::decode_base64;
use crate::{digest::sha256_parts, fixed::parse_hex, keys::PublicKey, limits::KEY_NAME_BYTES_MAX};

/// Signature type of Ed25519 signatures on the note's text.
pub const SIGNATURE_TYPE_ED25519: u8 = 0x01;

/// Signature type of dated Ed25519 cosignatures on a checkpoint.
pub const SIGNATURE_TYPE_COSIGNATURE: u8 = 0x04;

/// The name of a note key: not empty, without Unicode spaces, `+` and control characters, at most
/// [`KEY_NAME_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// Why a text is not a key name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyNameError {
    /// The name is empty.
    #[error("key name is empty")]
    Empty,
    /// The name is longer than [`KEY_NAME_BYTES_MAX`].
    #[error("expected a key name of at most {KEY_NAME_BYTES_MAX} bytes, met {met}")]
    TooLong {
        /// Its length in bytes.
        met: usize,
    },
    /// The name holds a space, `+` or a control character.
    #[error("met {met:?} in a key name")]
    Character {
        /// The character.
        met: char,
    },
}

impl KeyName {
    /// Checks `name` and takes it.
    ///
    /// # Errors
    ///
    /// A [`KeyNameError`] that says what is wrong.
    pub fn new(name: &str) -> Result<Self, KeyNameError> {
        if name.is_empty() {
            return Err(KeyNameError::Empty);
        }
        if name.len() > KEY_NAME_BYTES_MAX {
            return Err(KeyNameError::TooLong { met: name.len() });
        }
        let refused = |c: &char| c.is_whitespace() || *c == '+' || *c < ' ';
        if let Some(met) = name.chars().find(refused) {
            return Err(KeyNameError::Character { met });
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(name: &str) -> Result<Self, KeyNameError> {
        Self::new(name)
    }
}

/// The short id by which a note names the key beside its name. It tells keys apart; it binds
/// nothing.
///
/// Source: C2SP signed-note, "Signatures".
pub fn key_id(name: &str, sig_type: u8, key: &PublicKey) -> [u8; 4] {
    // SHA256(name || 0x0A || signature type || public key)[:4]
    let hash = sha256_parts(&[name.as_bytes(), b"\n", &[sig_type], &key.0]);
    let [a, b, c, d, ..] = hash.0;
    [a, b, c, d]
}

/// A key with its name and signature type, as others are told of it.
///
/// Text form: `name+key id in hex+base64(type ‖ public key)`, which C2SP calls a vkey.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifierKey {
    /// The name under which the key signs.
    pub name: KeyName,
    /// [`SIGNATURE_TYPE_ED25519`] or [`SIGNATURE_TYPE_COSIGNATURE`].
    pub signature_type: u8,
    /// The key.
    pub key: PublicKey,
}

/// Why a text is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// The text does not consist of three parts joined by `+`.
    #[error("expected a verifier key as `name+id+key`")]
    Parts,
    /// The name is not in form.
    #[error("verifier key has no valid name")]
    Name(#[from] KeyNameError),
    /// The id is not eight lower-case hex digits.
    #[error("expected a key id of eight lower-case hex digits")]
    Id,
    /// The id is not the one of name and key.
    #[error("expected key id {}, met {}", hex::encode(expected), hex::encode(met))]
    WrongId {
        /// The id that name and key have.
        expected: [u8; 4],
        /// The id given.
        met: [u8; 4],
    },
    /// The key is not base64 of a type byte and 32 bytes.
    #[error("expected base64 of a type byte and 32 bytes of Ed25519 key")]
    Key,
    /// The signature type is none of those known here.
    #[error("expected signature type 1 or 4, met {met}")]
    Type {
        /// The type given.
        met: u8,
    },
}

impl VerifierKey {
    /// The id by which notes name this key.
    pub fn key_id(&self) -> [u8; 4] {
        key_id(self.name.as_str(), self.signature_type, &self.key)
    }

    /// Reads the text form. The point of the key is not checked: see [`PublicKey::check`].
    ///
    /// # Errors
    ///
    /// A [`VerifierKeyError`] that names the part at fault.
    pub fn parse(text: &str) -> Result<Self, VerifierKeyError> {
        // The base64 part may hold `+` too, the first two parts never.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VerifierKeyError::Parts);
        };
        let name = KeyName::new(name)?;
        let met = parse_hex::<4>(id).map_err(|_| VerifierKeyError::Id)?;
        if key.len() != 44 {
            return Err(VerifierKeyError::Key);
        }
        let bytes = decode_base64(key).ok_or(VerifierKeyError::Key)?;
        let (&signature_type, key) = bytes.split_first().ok_or(VerifierKeyError::Key)?;
        if ![SIGNATURE_TYPE_ED25519, SIGNATURE_TYPE_COSIGNATURE].contains(&signature_type) {
            return Err(VerifierKeyError::Type { met: signature_type });
        }
        let key = PublicKey::try_from(key).map_err(|_| VerifierKeyError::Key)?;
        let expected = key_id(name.as_str(), signature_type, &key);
        if met != expected {
            return Err(VerifierKeyError::WrongId { expected, met });
        }
        Ok(Self { name, signature_type, key })
    }

    /// The text form.
    pub fn encode(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&verifier_key(self.name.as_str(), self.signature_type, &self.key))
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        Self::parse(text)
    }
}

/// The text form of a verifier key from its parts; `name` is a valid [`KeyName`].
pub fn verifier_key(name: &str, signature_type: u8, key: &PublicKey) -> String {
    let mut bytes = Vec::with_capacity(1 + PublicKey::LEN);
    bytes.push(signature_type);
    bytes.extend_from_slice(&key.0);
    let id = hex::encode(key_id(name, signature_type, key));
    format!("{name}+{id}+{}", Base64::encode_string(&bytes))
}
