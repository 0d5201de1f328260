//! Signed notes: a text and the signatures of named keys on it, as one text.
//!
//! Parsing is strict, so that a note has one byte string. Nothing in a note may be believed before a
//! signature of a known key was checked.
//!
//! Source: C2SP signed-note v1.

mod key;

use alloc::{borrow::ToOwned as _, string::String, vec::Vec};

use base64ct::{Base64, Encoding as _};

pub use key::{
    KeyName, KeyNameError, SIGNATURE_TYPE_COSIGNATURE, SIGNATURE_TYPE_ED25519, VerifierKey,
    VerifierKeyError, key_id, verifier_key,
};

use crate::{
    checkpoint::CheckpointError,
    digest::Hash,
    keys::{PublicKey, Signature, SigningKey},
    limits::{NOTE_BYTES_MAX, NOTE_SIGNATURE_BYTES_MAX, NOTE_SIGNATURES_MAX},
};

/// A text with the signatures on it. Form is checked, signatures are not.
///
/// A note made by hand is in form when its text ends in a newline, has no other control characters,
/// and it has at least one signature; [`Note::parse`] of its encoding tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The signed text with its final newline.
    pub text: String,
    /// The signatures in the order in which they stand.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoteSignature {
    /// The name of the key, a valid [`KeyName`].
    pub name: String,
    /// The id of the key: see [`key_id`].
    pub key_id: [u8; 4],
    /// What the key signed, in the form of its signature type; 1 to
    /// [`NOTE_SIGNATURE_BYTES_MAX`] bytes.
    pub signature: Vec<u8>,
}

/// Why a text is not a note, or a note not what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is longer than [`NOTE_BYTES_MAX`].
    #[error("expected a note of at most {NOTE_BYTES_MAX} bytes, met {met}")]
    TooLong {
        /// Its length in bytes.
        met: usize,
    },
    /// The note holds a control character other than newline.
    #[error("met control character {met:#04x} in a note")]
    Control {
        /// The character.
        met: u8,
    },
    /// No empty line parts text and signatures.
    #[error("expected an empty line between the text and the signatures of a note")]
    NoSignatures,
    /// The note has more than [`NOTE_SIGNATURES_MAX`] signatures.
    #[error("expected at most {NOTE_SIGNATURES_MAX} signatures on a note")]
    TooManySignatures,
    /// A signature line is not in form.
    #[error("signature line {line} is not `— name base64`")]
    SignatureLine {
        /// Which one, counted from 1.
        line: usize,
    },
    /// The name of the key is not in form.
    #[error("signature line {line} has no valid key name")]
    Name {
        /// Which one, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: KeyNameError,
    },
    /// The key did not sign the note.
    #[error("no signature by key {name}+{}", hex::encode(key_id))]
    NotSigned {
        /// The name of the key looked for.
        name: String,
        /// The id of the key looked for.
        key_id: [u8; 4],
    },
    /// A signature that carries the key's name and id is not the key's.
    #[error("the signature of {name} does not hold")]
    BadSignature {
        /// The name of the key.
        name: String,
    },
    /// The note is another log's.
    #[error("expected the checkpoint of {expected}, met that of {met}")]
    Origin {
        /// The origin looked for.
        expected: String,
        /// The origin met.
        met: String,
    },
    /// The text is signed but is no checkpoint.
    #[error("the note's text is not a checkpoint")]
    Checkpoint(#[from] CheckpointError),
}

/// Room for the signature lines of most notes, so that they need not be copied as they grow.
const ENCODED_SIGNATURES_BYTES: usize = 640;

impl Note {
    /// Reads a note. What is read encodes to `text` again.
    ///
    /// # Errors
    ///
    /// A [`NoteError`] that names the line at fault.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { met: text.len() });
        }
        if let Some(met) = text.bytes().find(|byte| *byte < 0x20 && *byte != b'\n') {
            return Err(NoteError::Control { met });
        }
        // The last empty line parts text and signatures; the text keeps its final newline.
        let border = text.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = (&text[..=border], &text[border + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        if lines.split('\n').count() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let signatures: Result<Vec<_>, _> = lines
            .split('\n')
            .zip(1..)
            .map(|(line, number)| NoteSignature::parse(line, number))
            .collect();
        Ok(Self { text: text.to_owned(), signatures: signatures? })
    }

    /// The note as one text.
    pub fn encode(&self) -> String {
        self.encode_with([])
    }

    /// The note as one text, with `more` signatures at its end.
    pub fn encode_with<'a>(&'a self, more: impl IntoIterator<Item = &'a NoteSignature>) -> String {
        let mut text = String::with_capacity(self.text.len() + ENCODED_SIGNATURES_BYTES);
        text.push_str(&self.text);
        text.push('\n');
        for signature in self.signatures.iter().chain(more) {
            signature.encode_onto(&mut text);
        }
        text
    }

    /// A note with `text` signed by `key` under `name`, signature type 0x01.
    pub fn signed(text: String, name: &KeyName, key: &SigningKey) -> Self {
        let signature = NoteSignature::sign(&text, name, key);
        Self { text, signatures: [signature].into() }
    }

    /// Checks that `key` signed the text under `name` (signature type 0x01), by ZIP 215.
    ///
    /// Signatures by other names and ids are ignored.
    ///
    /// # Errors
    ///
    /// [`NoteError::NotSigned`] when no signature carries the key's name and id, and
    /// [`NoteError::BadSignature`] when one does and does not hold.
    pub fn verify(&self, name: &str, key: &PublicKey) -> Result<(), NoteError> {
        self.verify_by(crate::verify::verify, name, key)
    }

    /// As [`Note::verify`], by the strict rule of receipts.
    ///
    /// # Errors
    ///
    /// As [`Note::verify`].
    pub fn verify_strict(&self, name: &str, key: &PublicKey) -> Result<(), NoteError> {
        self.verify_by(crate::verify::verify_strict, name, key)
    }

    /// As [`Note::verify`], by `rule`: [`crate::verify()`] itself, or what remembers its verdicts.
    ///
    /// # Errors
    ///
    /// As [`Note::verify`].
    pub fn verify_by(
        &self,
        rule: impl Fn(&PublicKey, &[u8], &Signature) -> bool,
        name: &str,
        key: &PublicKey,
    ) -> Result<(), NoteError> {
        let id = key_id(name, SIGNATURE_TYPE_ED25519, key);
        let mut signed = false;
        for signature in self.signatures.iter().filter(|s| s.name == name && s.key_id == id) {
            let valid = Signature::try_from(signature.signature.as_slice())
                .is_ok_and(|signature| rule(key, self.text.as_bytes(), &signature));
            if !valid {
                return Err(NoteError::BadSignature { name: name.to_owned() });
            }
            signed = true;
        }
        if signed {
            Ok(())
        } else {
            Err(NoteError::NotSigned { name: name.to_owned(), key_id: id })
        }
    }
}

impl core::fmt::Display for Note {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.encode())
    }
}

impl core::str::FromStr for Note {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        Self::parse(text)
    }
}

impl NoteSignature {
    /// `key`'s signature of type 0x01 on `text` under `name`.
    pub fn sign(text: &str, name: &KeyName, key: &SigningKey) -> Self {
        Self {
            name: name.as_str().to_owned(),
            key_id: key_id(name.as_str(), SIGNATURE_TYPE_ED25519, &key.public()),
            signature: key.sign(text.as_bytes()).0.to_vec(),
        }
    }

    /// Reads one signature line with its final newline, as witnesses answer with.
    ///
    /// # Errors
    ///
    /// [`NoteError::SignatureLine`] or [`NoteError::Name`].
    pub fn parse_line(line: &str) -> Result<Self, NoteError> {
        let line = line.strip_suffix('\n').ok_or(NoteError::SignatureLine { line: 1 })?;
        Self::parse(line, 1)
    }

    /// The signature line with its final newline.
    pub fn encode(&self) -> String {
        let mut line = String::with_capacity(ENCODED_SIGNATURES_BYTES);
        self.encode_onto(&mut line);
        line
    }

    fn encode_onto(&self, text: &mut String) {
        let mut bytes = Vec::with_capacity(4 + self.signature.len());
        bytes.extend_from_slice(&self.key_id);
        bytes.extend_from_slice(&self.signature);
        // U+2014 SP name SP base64(key id || signature) LF
        text.push_str("— ");
        text.push_str(&self.name);
        text.push(' ');
        text.push_str(&Base64::encode_string(&bytes));
        text.push('\n');
    }

    fn parse(line: &str, number: usize) -> Result<Self, NoteError> {
        let malformed = NoteError::SignatureLine { line: number };
        let Some((name, base64)) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' '))
        else {
            return Err(malformed);
        };
        let name = KeyName::new(name)
            .map_err(|source| NoteError::Name { line: number, source })?
            .into_string();
        if base64.len() > (4 + NOTE_SIGNATURE_BYTES_MAX).div_ceil(3) * 4 {
            return Err(malformed);
        }
        let bytes = decode_base64(base64).ok_or_else(|| malformed.clone())?;
        match bytes.split_first_chunk::<4>() {
            Some((key_id, signature))
                if (1..=NOTE_SIGNATURE_BYTES_MAX).contains(&signature.len()) =>
            {
                Ok(Self { name, key_id: *key_id, signature: signature.to_vec() })
            }
            _ => Err(malformed),
        }
    }
}

/// Reads standard base64 with padding; only what encodes to `text` again.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let bytes = Base64::decode_vec(text).ok()?;
    (Base64::encode_string(&bytes) == text).then_some(bytes)
}

/// Reads the base64 of a hash.
pub(crate) fn decode_hash(text: &str) -> Option<Hash> {
    if text.len() != 44 {
        return None;
    }
    Hash::try_from(decode_base64(text)?.as_slice()).ok()
}

/// Reads an ASCII decimal without sign or leading zeros.
pub(crate) fn decode_decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    if digits && plain { text.parse().ok() } else { None }
}
