//! Digests, derived keys and commitments against values that other implementations made.
#![expect(clippy::unwrap_used, reason = "a test stops at the first broken vector")]

use hutong_crypto::{
    Hash, PublicKey, Purpose, Seed, Signature, SigningKey, blake3,
    commitment::{Salt, commit, opens},
    digest::{DocumentDigest, DocumentHasher, sha256, sha256_parts},
};
use proptest::prelude::*;
use serde_json::Value;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn digests_match_the_vectors() {
    let vectors = vectors(include_str!("../../tests/vectors/digests.json"));
    let context = vectors["context"].as_str().unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        let input: Vec<u8> =
            (0..case["length"].as_u64().unwrap()).map(|i| u8::try_from(i % 251).unwrap()).collect();
        assert_eq!(sha256(&input), hash(&case["sha256"]));
        assert_eq!(blake3(&input), hash(&case["blake3"]));
        assert_eq!(Hash(::blake3::derive_key(context, &input)), hash(&case["derive_key"]));
        let document = DocumentDigest::of(&input);
        assert_eq!(document.sha256, hash(&case["sha256"]));
        assert_eq!(document.blake3, hash(&case["blake3"]));
    }
}

#[test]
fn purpose_keys_match_the_vectors() {
    let vectors = vectors(include_str!("../../tests/vectors/keys.json"));
    let seed = Seed::from_bytes(bytes(&vectors["seed"]).try_into().unwrap());
    for purpose in Purpose::ALL {
        let name = purpose.context().split(' ').nth(2).unwrap();
        let case = &vectors["purposes"][name];
        assert_eq!(seed.derive_bytes(purpose).as_slice(), bytes(&case["secret"]));
        assert_eq!(seed.derive(purpose).public().to_string(), case["public"].as_str().unwrap());
    }
    assert_eq!(vectors["purposes"].as_object().unwrap().len(), Purpose::ALL.len());
}

#[test]
fn commitments_match_the_vectors() {
    let vectors = vectors(include_str!("../../tests/vectors/commitments.json"));
    let salt = Salt(bytes(&vectors["salt"]).try_into().unwrap());
    for case in vectors["cases"].as_array().unwrap() {
        let (name, value) = (case["name"].as_str().unwrap(), bytes(&case["value"]));
        let commitment = hash(&case["commitment"]);
        assert_eq!(commit(&salt, name, &value), commitment);
        assert!(opens(&commitment, &salt, name, &value));
        assert!(!opens(&commitment, &salt, name, &[&value[..], b" "].concat()));
    }
}

#[test]
fn secrets_do_not_show_in_debug() {
    let seed = Seed::from_bytes([0xab; 32]);
    let key = SigningKey::from_bytes(&[0xab; 32]);
    let salt = Salt([0xab; 32]);
    let shown = format!("{seed:?} {key:?} {salt:?}");
    assert!(!shown.contains("abab") && !shown.contains("171"), "{shown}");
    assert!(shown.contains(&key.public().to_string()));
}

#[test]
fn hex_is_read_in_one_form_only() {
    let text = "0123456789abcdef".repeat(4);
    let hash: Hash = text.parse().unwrap();
    assert_eq!(hash.to_string(), text);
    assert_eq!(format!("{hash:?}"), format!("Hash({text})"));
    for refused in [
        text.to_uppercase(),
        text[1..].to_owned(),
        format!("{text}0"),
        format!(" {}", &text[1..]),
        format!("+{}", &text[1..]),
        format!("g{}", &text[1..]),
        String::new(),
    ] {
        assert!(refused.parse::<Hash>().is_err(), "{refused}");
        assert!(refused.parse::<PublicKey>().is_err(), "{refused}");
        assert!(refused.repeat(2).parse::<Signature>().is_err(), "{refused}");
    }
    assert!(text.repeat(2).parse::<Signature>().is_ok());
}

proptest! {
    #[test]
    fn cuts_do_not_change_digests(
        input in proptest::collection::vec(any::<u8>(), 0..5000),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        places.extend([0, input.len()]);
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
        let mut hasher = DocumentHasher::new();
        for piece in &pieces {
            hasher.update(piece);
        }
        prop_assert_eq!(hasher.finish(), DocumentDigest::of(&input));
        prop_assert_eq!(sha256_parts(&pieces), sha256(&input));
    }
}
