//! The text form of a transport key: the libp2p peer id of an Ed25519 key.
//!
//! A peer id is the base58 form of the key's protobuf in an identity multihash. It is here so that a
//! descriptor's `transport` can be checked, and made, without the network library.

use alloc::{string::String, vec, vec::Vec};

use hutong_crypto::PublicKey;

/// Length in characters of an Ed25519 peer id: 38 bytes whose first is 0 and second 0x24.
pub const PEER_ID_CHARS: usize = 52;

/// 0x00 = identity multihash, 0x24 = 36 bytes; then the protobuf: 0x08 0x01 = type Ed25519,
/// 0x12 0x20 = 32 bytes of data.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The peer id of `key`, as libp2p writes it: `12D3KooW…`.
///
/// Source: libp2p specifications, peer ids.
pub fn peer_id(key: &PublicKey) -> String {
    let mut bytes = Vec::with_capacity(PREFIX.len() + PublicKey::LEN);
    bytes.extend_from_slice(&PREFIX);
    bytes.extend_from_slice(key.as_bytes());
    base58(&bytes)
}

/// The Ed25519 key that a peer id names; `None` for any other text.
pub fn peer_key(text: &str) -> Option<PublicKey> {
    if text.len() != PEER_ID_CHARS {
        return None;
    }
    let bytes = base58_decode(text)?;
    let key = bytes.strip_prefix(&PREFIX)?;
    let key = PublicKey::try_from(key).ok()?;
    // One text per key: a decoder that lets leading zeros through would know two.
    (peer_id(&key) == text).then_some(key)
}

fn base58(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut digits: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let mut text = "1".repeat(zeros);
    text.extend(digits.iter().rev().map(|digit| char::from(ALPHABET[usize::from(*digit)])));
    text
}

fn base58_decode(text: &str) -> Option<Vec<u8>> {
    let zeros = text.bytes().take_while(|byte| *byte == b'1').count();
    let mut little: Vec<u8> = Vec::new();
    for letter in text.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        let mut carry = u32::try_from(digit).ok()?;
        for byte in &mut little {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            little.push((carry & 0xff) as u8);
        }
    }
    let mut bytes = vec![0; zeros];
    bytes.extend(little.iter().rev());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_id_and_key_are_inverse() {
        for seed in 0..20 {
            let key = hutong_crypto::SigningKey::from_bytes(&[seed; 32]).public();
            let text = peer_id(&key);
            assert!(text.starts_with("12D3KooW"), "{text}");
            assert_eq!(text.len(), PEER_ID_CHARS);
            assert_eq!(peer_key(&text), Some(key));
        }
    }

    #[test]
    fn peer_id_matches_the_specification() {
        // The Ed25519 key of the test vectors in libp2p's peer id specification (protobuf
        // 08011220 1ed1e8fa…); the text was computed with a separate base58 in Python.
        let key = "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e".parse();
        let text = key.map(|key: PublicKey| peer_id(&key));
        assert_eq!(text.as_deref(), Ok("12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"));
    }

    #[test]
    fn peer_key_refuses_other_texts() {
        let text = peer_id(&hutong_crypto::SigningKey::from_bytes(&[1; 32]).public());
        assert_eq!(peer_key(&text[1..]), None);
        assert_eq!(peer_key(&text.replace("12D3", "12D0")), None);
        assert_eq!(peer_key(&text.replace("12D3Koo", "12D4Koo")), None);
        assert_eq!(peer_key(""), None);
    }
}
