//! The two rules by which one Ed25519 signature is valid.
//!
//! [`verify`] is the network's rule, ZIP 215: the cofactored equation, under which one at a time and
//! in a batch give the same verdict on every input, so that all nodes agree. [`verify_strict`] is
//! the rule of receipts: what it accepts, every verifier in the world accepts. Whatever is valid
//! strictly is valid by ZIP 215; crafted signatures may be valid by ZIP 215 alone.

use curve25519_dalek::{
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::IsIdentity as _,
};
use sha2::{Digest as _, Sha512};

use crate::keys::{PublicKey, Signature};

/// Whether `sig` is `key`'s signature on `message` by ZIP 215.
///
/// Encodings of the key and of R may be non-canonical, of small order or with torsion; s must be
/// below the group order; `[8][s]B = [8]R + [8][k]A` must hold.
///
/// Source: ZIP 215.
pub fn verify(key: &PublicKey, message: &[u8], sig: &Signature) -> bool {
    let Some(a) = CompressedEdwardsY(key.0).decompress() else { return false };
    Equation::read(key, &[message], sig).is_some_and(|equation| equation.holds(&a))
}

/// Whether `sig` is `key`'s signature on `message` by the strictest reading of RFC 8032.
///
/// Encodings must be canonical, neither key nor R of small order, and `[s]B = R + [k]A` must hold
/// without the cofactor.
///
/// Source: RFC 8032 §5.1.7.
pub fn verify_strict(key: &PublicKey, message: &[u8], sig: &Signature) -> bool {
    let encoded = CompressedEdwardsY(key.0);
    // The library compares R by its bytes, so that a non-canonical R fails there; the encoding of
    // the key it takes as it comes.
    if encoded.decompress().is_none_or(|a| a.compress() != encoded) {
        return false;
    }
    ed25519_dalek::VerifyingKey::from_bytes(&key.0).is_ok_and(|verifier| {
        let sig = ed25519_dalek::Signature::from_bytes(&sig.0);
        verifier.verify_strict(message, &sig).is_ok()
    })
}

/// What ZIP 215 asks of one signature once its parts are read; the key's point stands beside it, as
/// a batch shares it among signatures.
#[derive(Clone)]
pub(crate) struct Equation {
    pub(crate) r: EdwardsPoint,
    pub(crate) s: Scalar,
    pub(crate) k: Scalar,
}

impl Equation {
    /// Reads R and s and computes k; `None` when R is no point or s is not below the group order.
    pub(crate) fn read(key: &PublicKey, message: &[&[u8]], sig: &Signature) -> Option<Self> {
        let r = CompressedEdwardsY(sig.r_bytes()).decompress()?;
        let s = Option::from(Scalar::from_canonical_bytes(sig.s_bytes()))?;
        Some(Self { r, s, k: challenge(key, message, sig) })
    }

    /// Whether `[8]([s]B - [k]A - R)` is the identity.
    pub(crate) fn holds(&self, a: &EdwardsPoint) -> bool {
        let r = EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &-a, &self.s);
        (r - self.r).mul_by_cofactor().is_identity()
    }
}

/// What ties R, the key and the message, which comes in parts, together, with the encodings as they
/// came.
pub(crate) fn challenge(key: &PublicKey, message: &[&[u8]], sig: &Signature) -> Scalar {
    // SHA-512(R || A || message)
    let mut hasher = Sha512::new();
    hasher.update(sig.r_bytes());
    hasher.update(key.0);
    for part in message {
        hasher.update(part);
    }
    Scalar::from_bytes_mod_order_wide(&hasher.finalize().into())
}
