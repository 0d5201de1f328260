//! Salted commitments to confidential fields: hidden until opened, and opened in one way only.

use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::digest::Hash;

/// The secret that hides one committed field, 32 random bytes. Wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Salt(pub [u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

/// Commits to `canonical_value` under `name`.
///
/// `canonical_value` is the field's canonical JSON. `name` holds no NUL, so that the border between
/// name and value is plain; names of fields never do.
///
/// Source: RFC 2104; PROTOCOL, claims.
pub fn commit(salt: &Salt, name: &str, canonical_value: &[u8]) -> Hash {
    Hash(mac(salt, name, canonical_value).finalize().into_bytes().into())
}

/// Whether `commitment` is the one to `name` and `canonical_value` under `salt`.
///
/// Takes the same time wherever the first difference is. A `name` with NUL opens nothing.
pub fn opens(commitment: &Hash, salt: &Salt, name: &str, canonical_value: &[u8]) -> bool {
    !name.contains('\0') && mac(salt, name, canonical_value).verify_slice(&commitment.0).is_ok()
}

/// HMAC-SHA-256(key = salt, name || 0x00 || value)
fn mac(salt: &Salt, name: &str, canonical_value: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&salt.0).expect("HMAC takes a key of any length");
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(canonical_value);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitment_opens_with_its_own_parts_only() {
        let salt = Salt([7; 32]);
        let commitment = commit(&salt, "amount", b"120000");
        assert!(opens(&commitment, &salt, "amount", b"120000"));
        assert!(!opens(&commitment, &salt, "amount", b"120001"));
        assert!(!opens(&commitment, &salt, "amounts", b"120000"));
        assert!(!opens(&commitment, &Salt([8; 32]), "amount", b"120000"));
        assert!(!opens(&Hash([0; 32]), &salt, "amount", b"120000"));
    }

    #[test]
    fn opens_refuses_a_name_that_moves_the_border() {
        let salt = Salt([7; 32]);
        let commitment = commit(&salt, "a", b"b\0c");
        assert!(opens(&commitment, &salt, "a", b"b\0c"));
        assert!(!opens(&commitment, &salt, "a\0b", b"c"));
    }

    #[test]
    fn commitment_is_hmac_over_name_nul_value() {
        // Python: hmac.new(bytes([7]*32), b"amount\0" + b"120000", "sha256").hexdigest()
        let expected = "aa391d2d8326e66a8b1a23635b0335b3f7cc92278be00fb2642dbdd393c3d411";
        assert_eq!(alloc::format!("{}", commit(&Salt([7; 32]), "amount", b"120000")), expected);
    }
}
