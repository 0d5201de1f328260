//! Digests as people compare them by telephone.

use hutong_crypto::{Hash, sha256};
use hutong_protocol::descriptor::SignedDescriptor;
use hutong_protocol::json::canonicalize;

/// Groups of four digits that are read out: 96 bits, which nobody can match on purpose.
const GROUPS: usize = 6;

/// The beginning of a digest in groups of four hexadecimal digits.
pub fn spoken(digest: &Hash) -> String {
    let digits = digest.to_string();
    let groups = (0..GROUPS).filter_map(|group| digits.get(4 * group..4 * group + 4));
    groups.collect::<Vec<_>>().join(" ")
}

/// Digest of all that a descriptor says, its keys above all.
pub fn of_descriptor(descriptor: &SignedDescriptor) -> Hash {
    sha256(&canonicalize(&descriptor.descriptor().to_value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_spoken_in_groups() {
        assert_eq!(spoken(&Hash([0xa1; 32])), "a1a1 a1a1 a1a1 a1a1 a1a1 a1a1");
    }
}
