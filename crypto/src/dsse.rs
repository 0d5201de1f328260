//! The pre-authentication encoding of DSSE v1: the bytes that an envelope's signature is over.

use alloc::{format, string::String, vec::Vec};

/// Joins payload type and payload so that no two pairs give the same bytes.
///
/// `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`, lengths in bytes, in ASCII decimal.
///
/// Source: DSSE v1, protocol, "PAE definition".
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = pae_head(payload_type, payload.len());
    let mut bytes = Vec::with_capacity(head.len() + payload.len());
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// What [`pae`] puts before a payload of `payload_bytes` bytes, for those who need not join the two.
pub fn pae_head(payload_type: &str, payload_bytes: usize) -> String {
    format!("DSSEv1 {} {payload_type} {payload_bytes} ", payload_type.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pae_joins_lengths_and_bytes() {
        // The example of the DSSE protocol page.
        let bytes = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn pae_counts_bytes_not_characters() {
        assert_eq!(pae("通", "胡同".as_bytes()), "DSSEv1 3 通 6 胡同".as_bytes());
    }

    #[test]
    fn pae_keeps_a_moved_border_apart() {
        assert_ne!(pae("a", b"b c"), pae("a b", b"c"));
    }
}
