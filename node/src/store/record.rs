//! How the heads tree of the index is keyed and encoded.
//!
//! One tree holds everything that must change in one step, so that one batch is one step. A key is
//! a letter and the log's exchange id or number; integers are big-endian.

use hutong_crypto::digest::Hash;
use hutong_protocol::id::ExchangeId;

use super::marks::BITMAP_BYTES;

/// What a key in the heads tree stands for; its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Exchange id → [`Head`].
    Head = b'h',
    /// Exchange id → size, newest checkpoint.
    Checkpoint = b'c',
    /// Exchange id → size, newest checkpoint with a witness quorum.
    Cosigned = b'q',
    /// Exchange id → size and root last cosigned as a witness.
    Witness = b'w',
    /// Exchange id → size at which the log is frozen.
    Frozen = b'f',
    /// Log number, digest → evidence.
    Evidence = b'e',
    /// Log number, bundle → bitmap of withheld leaves.
    Withheld = b'o',
    /// Log number, bundle → bitmap of void entries.
    Void = b'v',
    /// Log number, index → nothing; an entry that became known and that the views lack.
    Refilled = b'p',
    /// Running number → charter.
    Charter = b'k',
    /// Version of the charter, index in its register → what the anchor there changed.
    Anchor = b'a',
    /// The journal's last commit that is durable without it.
    Journal = b'j',
}

/// Key of what belongs to a log under its name.
pub(super) fn log_key(kind: Kind, log: &ExchangeId) -> Vec<u8> {
    let mut key = vec![kind as u8];
    key.extend_from_slice(log.as_str().as_bytes());
    key
}

/// Prefix of what belongs to a log under its number.
pub(super) fn number_key(kind: Kind, log: u32) -> Vec<u8> {
    let mut key = vec![kind as u8];
    key.extend_from_slice(&log.to_be_bytes());
    key
}

/// Key of one bundle's bitmap, or of one index.
pub(super) fn marks_key(kind: Kind, log: u32, bundle: u64) -> Vec<u8> {
    let mut key = number_key(kind, log);
    key.extend_from_slice(&bundle.to_be_bytes());
    key
}

/// Key of a charter.
pub(super) fn charter_key(number: u64) -> Vec<u8> {
    let mut key = vec![Kind::Charter as u8];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Key of what an anchor changed.
pub(super) fn anchor_key(version: u64, index: u64) -> Vec<u8> {
    let mut key = vec![Kind::Anchor as u8];
    key.extend_from_slice(&version.to_be_bytes());
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// Version and index of [`anchor_key`].
pub(super) fn decode_anchor_key(key: &[u8]) -> Option<(u64, u64)> {
    let (version, index) = key.strip_prefix(&[Kind::Anchor as u8])?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*version), u64::from_be_bytes(index.try_into().ok()?)))
}

/// What is committed of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Number of the log in this store, in the order in which logs were first met.
    pub(super) number: u32,
    /// Leaves committed.
    pub(super) size: u64,
    /// Root over them; everything read from files is checked against it.
    pub(super) root: Hash,
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(self.root.as_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != HEAD_BYTES {
            return None;
        }
        Some(Self {
            number: u32::from_be_bytes(bytes[..4].try_into().ok()?),
            size: u64::from_be_bytes(bytes[4..12].try_into().ok()?),
            root: Hash::try_from(&bytes[12..]).ok()?,
        })
    }
}

/// A size and bytes that belong to it: checkpoint notes, witness memory.
pub(super) fn encode_sized(size: u64, bytes: &[u8]) -> Vec<u8> {
    let mut value = size.to_be_bytes().to_vec();
    value.extend_from_slice(bytes);
    value
}

/// The size and the bytes of [`encode_sized`].
pub(super) fn decode_sized(value: &[u8]) -> Option<(u64, &[u8])> {
    let (size, bytes) = value.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*size), bytes))
}

/// The number of the journal's last commit that is durable without it.
pub(super) fn decode_sequence(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

/// Bundle and bitmap of a marks entry whose key starts with `prefix`.
pub(super) fn decode_marks(
    prefix: &[u8],
    key: &[u8],
    value: &[u8],
) -> Option<(u64, [u8; BITMAP_BYTES])> {
    let bundle = key.strip_prefix(prefix)?.try_into().ok()?;
    Some((u64::from_be_bytes(bundle), value.try_into().ok()?))
}

/// Log number, size and root.
const HEAD_BYTES: usize = 4 + 8 + Hash::LEN;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_any_other_length_is_refused() {
        let head = Head { number: 7, size: 1 << 40, root: Hash([9; 32]) };
        let bytes = head.encode();
        assert_eq!(Head::decode(&bytes).unwrap(), head);
        for cut in 0..bytes.len() {
            assert_eq!(Head::decode(&bytes[..cut]), None);
        }
    }

    #[test]
    fn marks_keys_come_back_and_others_are_refused() {
        let prefix = number_key(Kind::Void, 3);
        let key = marks_key(Kind::Void, 3, 77);
        assert_eq!(decode_marks(&prefix, &key, &[1; 32]), Some((77, [1; 32])));
        assert_eq!(decode_marks(&number_key(Kind::Void, 4), &key, &[1; 32]), None);
        assert_eq!(decode_marks(&prefix, &key, &[1; 31]), None);
        assert_eq!(decode_sized(&encode_sized(5, b"x")), Some((5, &b"x"[..])));
        assert_eq!(decode_sized(b"short"), None);
        let key = anchor_key(2, 1 << 40);
        assert_eq!(decode_anchor_key(&key), Some((2, 1 << 40)));
        assert_eq!(decode_anchor_key(&key[..16]), None);
    }
}
