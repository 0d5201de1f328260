//! A descriptor with the signature of every key in it.

use alloc::vec::Vec;

use hutong_crypto::{PublicKey, Signature, SigningKey, dsse, verify_strict};
use serde_json::{Value, json};

use super::{Descriptor, DescriptorError, ISSUER_KEYS_MAX, KeyRole, read_signature};
use crate::{
    fields::{Fields, base64},
    json::canonicalize,
    suite::{key_text, parse_key},
};

/// DSSE payload type of a descriptor.
pub const DESCRIPTOR_PAYLOAD_TYPE: &str = "application/vnd.hutong.descriptor+json";

/// Signatures that are looked at: of the log key, the witness key, the issuer keys, the transport
/// key, and one too many.
const SIGNATURES_MAX: usize = ISSUER_KEYS_MAX + 4;

/// A descriptor with a signature by each of its keys, as charters and admissions carry it.
///
/// One signature per key, so that nobody can name a key that it does not hold, and thereby keep its
/// holder from using it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDescriptor {
    descriptor: Descriptor,
    /// In the order of [`Descriptor::keys_with_roles`].
    signatures: Vec<Signature>,
}

impl SignedDescriptor {
    /// Signs `descriptor` with each of its keys, which `keys` must hold, in any order. Further keys
    /// are ignored.
    ///
    /// # Errors
    ///
    /// [`DescriptorError::MissingSignature`] names the key that `keys` lacks; others when the
    /// descriptor would be refused by whoever reads it.
    pub fn sign(descriptor: &Descriptor, keys: &[&SigningKey]) -> Result<Self, DescriptorError> {
        let value = descriptor.to_value();
        let descriptor = Descriptor::from_value(&value)?;
        let message = signed_bytes(&value);
        let sign = |(role, public): (KeyRole, PublicKey)| {
            let key = keys.iter().find(|key| key.public() == public);
            let id = || descriptor.id.clone();
            key.map(|key| key.sign(&message))
                .ok_or_else(|| DescriptorError::MissingSignature { id: id(), role })
        };
        let signatures = descriptor.keys_with_roles().map(sign).collect::<Result<_, _>>()?;
        Ok(Self { descriptor, signatures })
    }

    /// Reads `{"descriptor":{…},"signatures":[{"key":…,"signature":base64},…]}` and verifies every
    /// signature strictly: one of each key, in the order log, witness, issuer (as listed), transport.
    ///
    /// # Errors
    ///
    /// A [`DescriptorError`] that names what is wrong.
    pub fn verify(value: &Value) -> Result<Self, DescriptorError> {
        let fields = Fields::open(value, "signed descriptor")?;
        fields.only(&["descriptor", "signatures"])?;
        let signed = fields.value("descriptor")?;
        let descriptor = Descriptor::from_value(signed)?;
        let mut given = fields.list("signatures", SIGNATURES_MAX)?.iter();
        let message = signed_bytes(signed);
        let mut signatures = Vec::new();
        for (role, key) in descriptor.keys_with_roles() {
            let id = || descriptor.id.clone();
            let line =
                given.next().ok_or_else(|| DescriptorError::MissingSignature { id: id(), role })?;
            let line = Fields::open(line, "descriptor signature")?;
            line.only(&["key", "signature"])?;
            if parse_key(line.text("key")?) != Ok(key) {
                return Err(DescriptorError::Signer { id: id(), role });
            }
            let signature = read_signature(&line, "signature")?;
            // Descriptors are verified one by one, never in a batch, so the strict rule has the same
            // outcome on every node, and a receipt never refuses what a node let in.
            if !verify_strict(&key, &message, &signature) {
                return Err(DescriptorError::Signature { id: id(), role });
            }
            signatures.push(signature);
        }
        if given.next().is_some() {
            let expected = signatures.len();
            return Err(DescriptorError::SurplusSignature { id: descriptor.id, expected });
        }
        Ok(Self { descriptor, signatures })
    }

    /// The JSON form that [`SignedDescriptor::verify`] reads.
    pub fn to_value(&self) -> Value {
        let signatures: Vec<Value> = self
            .descriptor
            .keys()
            .zip(&self.signatures)
            .map(|(key, signature)| {
                json!({ "key": key_text(&key), "signature": base64(signature.as_bytes()) })
            })
            .collect();
        json!({ "descriptor": self.descriptor.to_value(), "signatures": signatures })
    }

    /// The verified descriptor.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

/// DSSE PAE over the canonical JSON of the descriptor.
fn signed_bytes(value: &Value) -> Vec<u8> {
    dsse::pae(DESCRIPTOR_PAYLOAD_TYPE, &canonicalize(value))
}
