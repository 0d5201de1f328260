//! Seeds, the purpose keys derived from them, and what others see: public keys and signatures.
//!
//! Secrets are wiped from memory when dropped and never printed. Nothing here is random: a seed
//! comes from the caller.

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::fixed::fixed_bytes;

/// The secret of an exchange, 32 bytes, from which its purpose keys are derived.
///
/// Must be uniformly random: whoever makes it takes it from the operating system. Wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Seed {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Takes the seed's bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The seed's bytes, for writing the backup. Whoever copies them wipes the copy.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The signing key for purpose `p`. The same seed and purpose give the same key.
    pub fn derive(&self, p: Purpose) -> SigningKey {
        let mut bytes = self.derive_bytes(p);
        let key = SigningKey::from_bytes(&bytes);
        bytes.zeroize();
        key
    }

    /// The 32 secret bytes for purpose `p`, for keys that are not used for Ed25519 signatures here
    /// (the transport identity, the sealing key). Whoever holds them wipes them.
    ///
    /// Source: the key derivation mode of BLAKE3.
    pub fn derive_bytes(&self, p: Purpose) -> [u8; 32] {
        ::blake3::derive_key(p.context(), &self.0)
    }
}

/// What a derived key is for. Keys of different purposes are unrelated to whoever lacks the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Signs the checkpoints of the own log.
    Log,
    /// Cosigns checkpoints of other logs.
    Witness,
    /// Signs statements.
    Issuer,
    /// Signs the register, where the exchange is its keeper.
    Register,
    /// Is the identity on the network.
    Transport,
    /// Seals what is stored at rest.
    Sealing,
}

impl Purpose {
    /// Every purpose, in the order of the declaration.
    pub const ALL: [Self; 6] =
        [Self::Log, Self::Witness, Self::Issuer, Self::Register, Self::Transport, Self::Sealing];

    /// The context string of BLAKE3's key derivation; part of the format, never changed.
    pub const fn context(self) -> &'static str {
        match self {
            Self::Log => "hutong 2026 log key",
            Self::Witness => "hutong 2026 witness key",
            Self::Issuer => "hutong 2026 issuer key",
            Self::Register => "hutong 2026 register key",
            Self::Transport => "hutong 2026 transport key",
            Self::Sealing => "hutong 2026 sealing key",
        }
    }
}

/// An Ed25519 private key. Wiped on drop; its `Debug` shows the public key only.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SigningKey(public {})", self.public())
    }
}

impl SigningKey {
    /// Makes the key from its 32-byte secret (RFC 8032 calls it the private key).
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(bytes))
    }

    /// The key by which others verify.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `message`; the same message gives the same signature.
    ///
    /// Source: RFC 8032 §5.1.6.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.sign_parts(&[message])
    }

    /// As [`SigningKey::sign`], of the concatenation of `parts`, without copying them together.
    pub fn sign_parts(&self, parts: &[&[u8]]) -> Signature {
        Signature(self.0.multipart_sign(parts).to_bytes())
    }
}

/// An Ed25519 public key as it came: any 32 bytes. Text form: 64 lower-case hex digits.
///
/// Before a key is trusted (in a charter or a descriptor) it passes [`PublicKey::check`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

fixed_bytes!(PublicKey, 32);

/// Why 32 bytes are not a public key to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes name no point of the curve.
    #[error("public key is not a point of the curve")]
    NotAPoint,
    /// The bytes name a point that has another, canonical encoding.
    #[error("public key is not in canonical encoding")]
    NotCanonical,
    /// The point's order divides eight: anyone can sign for it.
    #[error("public key has small order")]
    SmallOrder,
    /// The point has a component of small order.
    #[error("public key is not free of torsion")]
    Torsion,
}

impl PublicKey {
    /// Checks that the key is what an honest holder would publish: a canonical encoding of a point
    /// in the group of prime order, and not the identity.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that says which of these fails.
    pub fn check(&self) -> Result<(), KeyError> {
        let encoded = CompressedEdwardsY(self.0);
        let point = encoded.decompress().ok_or(KeyError::NotAPoint)?;
        if point.compress() != encoded {
            return Err(KeyError::NotCanonical);
        }
        if point.is_small_order() {
            return Err(KeyError::SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::Torsion);
        }
        Ok(())
    }
}

/// An Ed25519 signature as it came: any 64 bytes. Text form: 128 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 64]);

fixed_bytes!(Signature, 64);

impl Signature {
    /// The encoded point R, the first half.
    pub(crate) fn r_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&self.0[..32]);
        bytes
    }

    /// The scalar s, the second half, little-endian.
    pub(crate) fn s_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&self.0[32..]);
        bytes
    }
}
