//! Cosignatures: a witness's dated signature on a log's checkpoint.
//!
//! A cosignature says that at its time the checkpoint was the largest that the witness had seen of
//! that log, and consistent with all before.
//!
//! Source: C2SP tlog-cosignature v1, the Ed25519 kind.

use alloc::{borrow::ToOwned as _, format, string::String};

use crate::{
    keys::{PublicKey, Signature, SigningKey},
    limits::COSIGNATURE_TIMESTAMP_MAX,
    note::{KeyName, NoteError, NoteSignature, SIGNATURE_TYPE_COSIGNATURE, key_id},
};

/// A cosignature that was checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cosignature {
    /// The name of the witness's key.
    pub name: String,
    /// When it was given: seconds since the Unix epoch, as the witness says.
    pub timestamp: u64,
    /// The Ed25519 signature.
    pub signature: Signature,
}

/// Cosigns `checkpoint_text` as witness `name` at `timestamp` (seconds since the Unix epoch).
///
/// The caller has checked that the checkpoint extends what it cosigned before. A `name` that is no
/// [`KeyName`] or a `timestamp` beyond [`COSIGNATURE_TIMESTAMP_MAX`] is the caller's mistake and
/// panics.
pub fn cosign(
    checkpoint_text: &str,
    name: &str,
    key: &SigningKey,
    timestamp: u64,
) -> NoteSignature {
    assert!(timestamp <= COSIGNATURE_TIMESTAMP_MAX, "a cosignature's time fits 63 bits");
    let name = KeyName::new(name).expect("a witness signs under a valid key name");
    let signed = key.sign(message(checkpoint_text, timestamp).as_bytes());
    // u64 big-endian time || Ed25519 signature
    let mut signature = timestamp.to_be_bytes().to_vec();
    signature.extend_from_slice(&signed.0);
    let key_id = key_id(name.as_str(), SIGNATURE_TYPE_COSIGNATURE, &key.public());
    NoteSignature { name: name.into_string(), key_id, signature }
}

/// Checks that `sig` is a cosignature on `checkpoint_text` by witness `name` with `key`, by ZIP 215.
///
/// Whether its time is plausible is for the caller to judge.
///
/// # Errors
///
/// [`NoteError::NotSigned`] when name or key id are another's, [`NoteError::BadSignature`] when the
/// signature is out of form or does not hold.
pub fn verify_cosignature(
    checkpoint_text: &str,
    sig: &NoteSignature,
    name: &str,
    key: &PublicKey,
) -> Result<Cosignature, NoteError> {
    verify_cosignature_by(crate::verify::verify, checkpoint_text, sig, name, key)
}

/// As [`verify_cosignature`], by the strict rule of receipts.
///
/// # Errors
///
/// As [`verify_cosignature`].
pub fn verify_cosignature_strict(
    checkpoint_text: &str,
    sig: &NoteSignature,
    name: &str,
    key: &PublicKey,
) -> Result<Cosignature, NoteError> {
    verify_cosignature_by(crate::verify::verify_strict, checkpoint_text, sig, name, key)
}

/// As [`verify_cosignature`], by `rule`: [`crate::verify()`] itself, or what remembers its verdicts.
///
/// # Errors
///
/// As [`verify_cosignature`].
pub fn verify_cosignature_by(
    rule: impl Fn(&PublicKey, &[u8], &Signature) -> bool,
    checkpoint_text: &str,
    sig: &NoteSignature,
    name: &str,
    key: &PublicKey,
) -> Result<Cosignature, NoteError> {
    let key_id = key_id(name, SIGNATURE_TYPE_COSIGNATURE, key);
    if sig.name != name || sig.key_id != key_id {
        return Err(NoteError::NotSigned { name: name.to_owned(), key_id });
    }
    cosigned_at(rule, checkpoint_text, sig, key)
        .map(|(timestamp, signature)| Cosignature { name: name.to_owned(), timestamp, signature })
        .ok_or_else(|| NoteError::BadSignature { name: name.to_owned() })
}

/// When `key` cosigned `checkpoint_text` by the signature in `sig` (seconds since the Unix epoch), and the
/// signature, if it holds by `rule`. Name and key id are not looked at.
pub fn cosigned_at(
    rule: impl Fn(&PublicKey, &[u8], &Signature) -> bool,
    checkpoint_text: &str,
    sig: &NoteSignature,
    key: &PublicKey,
) -> Option<(u64, Signature)> {
    read(&sig.signature).filter(|(timestamp, signature)| {
        rule(key, message(checkpoint_text, *timestamp).as_bytes(), signature)
    })
}

/// Time and signature, or `None` when the bytes are out of form.
fn read(bytes: &[u8]) -> Option<(u64, Signature)> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let timestamp = u64::from_be_bytes(*time);
    let signature = Signature::try_from(signature).ok()?;
    (timestamp <= COSIGNATURE_TIMESTAMP_MAX).then_some((timestamp, signature))
}

/// `"cosignature/v1" LF "time " decimal LF checkpoint text`
fn message(checkpoint_text: &str, timestamp: u64) -> String {
    format!("cosignature/v1\ntime {timestamp}\n{checkpoint_text}")
}
