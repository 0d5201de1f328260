//! A charter's bytes with the council's signatures, as it travels and lies in a file.

use alloc::{string::ToString as _, vec::Vec};

use hutong_crypto::{Hash, PublicKey, Signature, SigningKey, dsse, sha256, verify_strict};
use serde_json::{Value, json};

use super::model::{COUNCIL_MAX, Charter, CharterError};
use crate::{
    descriptor::read_signature,
    fields::{FieldError, Fields, base64},
    id::ExchangeId,
    json::{JsonError, canonicalize, parse_canonical},
};

/// DSSE payload type of a charter.
pub const CHARTER_PAYLOAD_TYPE: &str = "application/vnd.hutong.charter+json";

/// Bytes of a signed charter at most (PROTOCOL §10): 128 descriptors of up to 8 KiB.
pub const CHARTER_BYTES_MAX: usize = 1 << 20;

/// Signatures at most: each council member of two versions.
const SIGNATURES_MAX: usize = 2 * COUNCIL_MAX;

/// A charter in form, with signatures that nobody has checked yet: see
/// [`CharterChain`](super::CharterChain).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCharter {
    charter: Charter,
    payload: Vec<u8>,
    signatures: Vec<CharterSignature>,
}

/// One council member's signature on a charter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CharterSignature {
    /// Who signed.
    pub exchange: ExchangeId,
    /// With its log key, over the DSSE PAE of the payload.
    pub signature: Signature,
}

/// Why bytes are not a signed charter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedCharterError {
    /// Too many bytes.
    #[error("expected a signed charter of at most {CHARTER_BYTES_MAX} bytes, met {met}")]
    TooLong {
        /// How many bytes.
        met: usize,
    },
    /// The bytes are not canonical JSON.
    #[error("signed charter is not canonical")]
    Json(#[from] JsonError),
    /// A member of the envelope is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The charter inside is refused.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// Signatures are not in strictly ascending order of exchange and signature.
    #[error("expected the signatures in ascending order of exchange id, each once")]
    Order,
}

impl SignedCharter {
    /// A charter that nobody has signed yet.
    ///
    /// # Errors
    ///
    /// A [`CharterError`] when readers would refuse it.
    pub fn unsigned(charter: &Charter) -> Result<Self, CharterError> {
        let value = charter.to_value();
        let charter = Charter::from_value(&value)?;
        Ok(Self { charter, payload: canonicalize(&value), signatures: Vec::new() })
    }

    /// Adds the signature of `exchange` by its log key. Signing twice changes nothing.
    pub fn sign(&mut self, exchange: &ExchangeId, log_key: &SigningKey) {
        let signature = log_key.sign(&self.signed_bytes());
        let signature = CharterSignature { exchange: exchange.clone(), signature };
        if let Err(place) = self.signatures.binary_search(&signature) {
            self.signatures.insert(place, signature);
        }
    }

    /// Reads the file form: canonical JSON `{"charter":{…},"signatures":[{exchange,signature}]}`.
    ///
    /// # Errors
    ///
    /// A [`SignedCharterError`] that names what is wrong; at most [`CHARTER_BYTES_MAX`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignedCharterError> {
        if bytes.len() > CHARTER_BYTES_MAX {
            return Err(SignedCharterError::TooLong { met: bytes.len() });
        }
        let value = parse_canonical(bytes)?;
        Self::from_value(&value)
    }

    /// Reads the JSON form; `value` must come from a canonical text.
    ///
    /// # Errors
    ///
    /// A [`SignedCharterError`] that names what is wrong.
    pub fn from_value(value: &Value) -> Result<Self, SignedCharterError> {
        let fields = Fields::open(value, "signed charter")?;
        fields.only(&["charter", "signatures"])?;
        let inner = fields.value("charter")?;
        let mut signatures = Vec::new();
        for signature in fields.list("signatures", SIGNATURES_MAX)? {
            let fields = Fields::open(signature, "charter signature")?;
            fields.only(&["exchange", "signature"])?;
            signatures.push(CharterSignature {
                exchange: fields.parsed("exchange", "an exchange id")?,
                signature: read_signature(&fields, "signature")?,
            });
        }
        if !signatures.is_sorted_by(|a, b| a < b) {
            return Err(SignedCharterError::Order);
        }
        let charter = Charter::from_value(inner)?;
        Ok(Self { charter, payload: canonicalize(inner), signatures })
    }

    /// The JSON form.
    pub fn to_value(&self) -> Value {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|signed| {
                let signature = base64(signed.signature.as_bytes());
                json!({ "exchange": signed.exchange.as_str(), "signature": signature })
            })
            .collect();
        json!({ "charter": self.charter.to_value(), "signatures": signatures })
    }

    /// The bytes of the file form, which [`SignedCharter::parse`] reads back.
    pub fn encode(&self) -> Vec<u8> {
        canonicalize(&self.to_value())
    }

    /// The DSSE envelope, for other software: payload in base64, one signature per council member.
    pub fn to_dsse_envelope(&self) -> Value {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|signed| {
                let sig = base64(signed.signature.as_bytes());
                json!({ "keyid": signed.exchange.to_string(), "sig": sig })
            })
            .collect();
        json!({
            "payload": base64(&self.payload),
            "payloadType": CHARTER_PAYLOAD_TYPE,
            "signatures": signatures,
        })
    }

    /// What the charter says. Not verified.
    pub fn charter(&self) -> &Charter {
        &self.charter
    }

    /// The signatures, in ascending order. Not verified.
    pub fn signatures(&self) -> &[CharterSignature] {
        &self.signatures
    }

    /// SHA-256 of the payload: the federation id when this is the founding charter.
    pub fn digest(&self) -> Hash {
        sha256(&self.payload)
    }

    /// Whether `signature` is `key`'s on this charter, by the strict rule.
    ///
    /// Charters are verified one by one, never in a batch, so the strict rule has the same outcome
    /// on every node, and a receipt never refuses what a node accepted.
    pub(super) fn is_signed_by(&self, key: &PublicKey, signature: &Signature) -> bool {
        verify_strict(key, &self.signed_bytes(), signature)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        dsse::pae(CHARTER_PAYLOAD_TYPE, &self.payload)
    }
}
