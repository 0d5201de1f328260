//! SHA-256 and BLAKE3, each for its own job.
//!
//! SHA-256 is in everything that a receipt rests on: ids, trees, notes, commitments. BLAKE3 is where
//! speed and streaming matter: documents, checksums, summaries, key derivation.

use sha2::{Digest as _, Sha256};

use crate::fixed::fixed_bytes;

/// A digest of 32 bytes. Text form: 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

fixed_bytes!(Hash, 32);

/// SHA-256 of `bytes`.
///
/// Source: FIPS 180-4.
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

/// SHA-256 of the concatenation of `parts`, without copying them together.
///
/// The borders between parts leave no trace: `["ab"]` and `["a", "b"]` hash alike.
pub fn sha256_parts(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// BLAKE3 of `bytes`, 32 bytes of output.
pub fn blake3(bytes: &[u8]) -> Hash {
    Hash(*::blake3::hash(bytes).as_bytes())
}

/// Both digests of one file, as statements record them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentDigest {
    /// BLAKE3 of the file's bytes.
    pub blake3: Hash,
    /// SHA-256 of the file's bytes.
    pub sha256: Hash,
}

impl DocumentDigest {
    /// Both digests of a document held in memory; for files see [`DocumentHasher`].
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = DocumentHasher::new();
        hasher.update(bytes);
        hasher.finish()
    }
}

/// Computes a [`DocumentDigest`] of a document that arrives in pieces.
#[derive(Clone, Default)]
pub struct DocumentHasher {
    blake3: ::blake3::Hasher,
    sha256: Sha256,
}

impl core::fmt::Debug for DocumentHasher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DocumentHasher")
            .field("bytes", &self.blake3.count())
            .finish_non_exhaustive()
    }
}

impl DocumentHasher {
    /// A hasher that has met no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece; how the document is cut into pieces does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        self.sha256.update(bytes);
    }

    /// The digests of everything that was taken.
    pub fn finish(self) -> DocumentDigest {
        DocumentDigest {
            blake3: Hash(*self.blake3.finalize().as_bytes()),
            sha256: Hash(self.sha256.finalize().into()),
        }
    }
}
