//! Signatures: what everyone accepts, what crafters make, and that single and batch agree on all.
//!
//! Expected verdicts on crafted signatures follow from how they were made, never from a verifier;
//! `ed25519-zebra` is asked as a second opinion on ZIP 215.
#![expect(clippy::unwrap_used, reason = "a test stops at the first broken vector")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_POINT as B, EIGHT_TORSION},
    edwards::CompressedEdwardsY,
    traits::{Identity as _, IsIdentity as _},
};
use hutong_crypto::{
    KeyPreparer, PreparedKey, PublicKey, Signature, SignedMessage, SigningKey, keys::KeyError,
    verify, verify_batch, verify_strict, verify_strict_each,
};
use sha2::{Digest as _, Sha512};

/// Reproducible values from a name.
struct Draw(blake3::OutputReader);

impl Draw {
    fn new(name: &str) -> Self {
        Self(blake3::Hasher::new().update(name.as_bytes()).finalize_xof())
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(u16::from_le_bytes(self.bytes())) % bound
    }

    fn scalar(&mut self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.bytes())
    }

    fn torsion(&mut self) -> EdwardsPoint {
        EIGHT_TORSION[self.below(8)]
    }
}

/// A signature with the verdicts that its making implies.
#[derive(Clone)]
struct Crafted {
    key: PublicKey,
    message: Vec<u8>,
    signature: Signature,
    zip215: bool,
    strict: bool,
}

impl Crafted {
    fn signed(&self) -> SignedMessage<'_> {
        SignedMessage {
            key: self.key,
            head: &[],
            message: &self.message,
            signature: self.signature,
        }
    }
}

fn challenge(r: &[u8; 32], a: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(a).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

fn signature(r: &[u8; 32], s: &[u8; 32]) -> Signature {
    Signature([*r, *s].concat().try_into().unwrap())
}

/// Signs with key `[a]B + at` and commitment `[r]B + rt`, so that the cofactored equation holds.
fn craft(a: Scalar, at: EdwardsPoint, r: Scalar, rt: EdwardsPoint, message: &[u8]) -> Crafted {
    let key = (a * B + at).compress().0;
    let commitment = (r * B + rt).compress().0;
    let k = challenge(&commitment, &key, message);
    // What the small-order parts leave over in the equation without cofactor.
    let residue = rt + k * at;
    Crafted {
        key: PublicKey(key),
        message: message.to_vec(),
        signature: signature(&commitment, (r + k * a).as_bytes()),
        zip215: true,
        strict: a != Scalar::ZERO && r != Scalar::ZERO && residue.is_identity(),
    }
}

/// The fourteen encodings of points of small order: eight canonical, six not.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut encodings: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|p| p.compress().0).collect();
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut p = minus_one;
    p[0] = 0xed;
    let mut p_plus_one = minus_one;
    p_plus_one[0] = 0xee;
    for (mut encoding, signs) in
        [(one, &[0x80][..]), (minus_one, &[0x80]), (p, &[0, 0x80]), (p_plus_one, &[0, 0x80])]
    {
        let last = encoding[31];
        for sign in signs {
            encoding[31] = last | sign;
            encodings.push(encoding);
        }
    }
    encodings
}

/// The group order, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// `s + order`: the same residue, not below the order.
fn beyond_order(s: &[u8; 32]) -> [u8; 32] {
    let mut carry = 0u16;
    core::array::from_fn(|i| {
        carry += u16::from(s[i]) + u16::from(ORDER[i]);
        let [low, high] = carry.to_le_bytes();
        carry = u16::from(high);
        low
    })
}

fn zebra(item: &Crafted) -> bool {
    let signature = ed25519_zebra::Signature::from_bytes(&item.signature.0);
    ed25519_zebra::VerificationKey::try_from(item.key.0)
        .is_ok_and(|key| key.verify(&signature, &item.message).is_ok())
}

#[track_caller]
fn check(item: &Crafted) {
    let single = verify(&item.key, &item.message, &item.signature);
    assert_eq!(single, item.zip215, "ZIP 215");
    assert_eq!(zebra(item), item.zip215, "ZIP 215, second opinion");
    assert_eq!(verify_batch(&[item.signed()]), [item.zip215], "batch of one");
    assert_eq!(verify_strict(&item.key, &item.message, &item.signature), item.strict, "strict");
    assert_eq!(prepared(item), item.strict, "strict by a prepared key");
}

/// The strict verdict of the item's key, prepared.
fn prepared(item: &Crafted) -> bool {
    prepare(&item.key).is_some_and(|key| key.verify_strict(&item.message, &item.signature))
}

/// Prepares a key, which takes a while; the last few are kept.
fn prepare(key: &PublicKey) -> Option<PreparedKey> {
    type Kept = BTreeMap<PublicKey, Option<PreparedKey>>;
    static PREPARER: LazyLock<KeyPreparer> = LazyLock::new(KeyPreparer::default);
    thread_local!(static KEPT: RefCell<Kept> = const { RefCell::new(BTreeMap::new()) });
    KEPT.with_borrow_mut(|kept| {
        if kept.len() > 24 && !kept.contains_key(key) {
            kept.clear();
        }
        kept.entry(*key).or_insert_with(|| PREPARER.prepare(key)).clone()
    })
}

#[test]
fn rfc_8032_signatures_match_and_their_neighbours_are_refused() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/vectors/ed25519.json")).unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        let bytes = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
        let key = SigningKey::from_bytes(&bytes("secret").try_into().unwrap());
        let message = bytes("message");
        assert_eq!(key.public().to_string(), case["public"].as_str().unwrap());
        assert_eq!(key.sign(&message).to_string(), case["signature"].as_str().unwrap());
        let good = Crafted {
            key: key.public(),
            signature: key.sign(&message),
            message,
            zip215: true,
            strict: true,
        };
        assert_eq!(good.key.check(), Ok(()));
        check(&good);
        let refused = Crafted { zip215: false, strict: false, ..good };
        for bit in 0..512 {
            let mut signature = refused.signature;
            signature.0[bit / 8] ^= 1 << (bit % 8);
            check(&Crafted { signature, ..refused.clone() });
        }
        let message = [&refused.message[..], b"\0"].concat();
        check(&Crafted { message, ..refused.clone() });
        let mut s: [u8; 32] = refused.signature.0[32..].try_into().unwrap();
        s = beyond_order(&s);
        let r: [u8; 32] = refused.signature.0[..32].try_into().unwrap();
        check(&Crafted { signature: signature(&r, &s), ..refused });
    }
}

#[test]
fn all_196_pairs_of_small_order_are_valid_by_zip_215_alone() {
    let encodings = small_order_encodings();
    assert_eq!(encodings.len(), 14);
    let cases: Vec<Crafted> = encodings
        .iter()
        .flat_map(|a| encodings.iter().map(move |r| (a, r)))
        .map(|(a, r)| Crafted {
            key: PublicKey(*a),
            message: b"Zcash".to_vec(),
            signature: signature(r, &[0; 32]),
            zip215: true,
            strict: false,
        })
        .collect();
    assert_eq!(cases.len(), 196);
    cases.iter().for_each(check);
    let signed: Vec<SignedMessage<'_>> = cases.iter().map(Crafted::signed).collect();
    assert_eq!(verify_batch(&signed), vec![true; 196]);
    // The neighbour: any s but 0 leaves a multiple of the base point over.
    for case in cases {
        let mut signature = case.signature;
        signature.0[32] = 1;
        check(&Crafted { signature, zip215: false, ..case });
    }
}

/// The conditions of "Taming the many `EdDSAs`" (Chalkias, Garillot, Nikolaenko, 2020), each made
/// anew: orders of A and R, cofactored against cofactorless, s out of bounds, encodings.
#[test]
fn each_condition_of_taming_the_many_eddsas_has_its_verdict() {
    let draw = &mut Draw::new("taming");
    let (none, zero) = (EdwardsPoint::identity(), Scalar::ZERO);
    let torsion = EIGHT_TORSION[1];
    // (a, torsion of A, r, torsion of R, whether a residue is left)
    let (a, r) = (draw.scalar(), draw.scalar());
    let cases = [
        ("small A and R", zero, torsion, zero, torsion, false),
        ("small A, mixed R", zero, torsion, r, torsion, false),
        ("mixed A, small R", a, torsion, zero, torsion, false),
        ("mixed A and R, no residue", a, torsion, r, torsion, false),
        ("mixed A and R, residue", a, torsion, r, torsion, true),
        ("mixed A, prime-order R, residue", a, torsion, r, none, true),
        ("prime-order A, mixed R, residue", a, none, r, torsion, true),
        ("prime-order A and R", a, none, r, none, false),
    ];
    for (name, a, at, r, rt, residue) in cases {
        let item = (0..1000u32)
            .map(|i| (i, craft(a, at, r, rt, &i.to_le_bytes())))
            .find(|(_, item)| {
                let k = challenge(
                    item.signature.0[..32].try_into().unwrap(),
                    &item.key.0,
                    &item.message,
                );
                (rt + k * at).is_identity() != residue
            })
            .map(|(_, item)| item)
            .unwrap();
        let full = a != zero && r != zero;
        assert_eq!(item.strict, full && !residue, "{name}");
        check(&item);
        // s + order: congruent, but out of bounds.
        let (commitment, s) = item.signature.0.split_at(32);
        let s = beyond_order(s.try_into().unwrap());
        let signature = signature(commitment.try_into().unwrap(), &s);
        check(&Crafted { signature, zip215: false, strict: false, ..item });
    }
}

/// Non-canonical encodings enter the hash as they came; hashing the canonical ones instead would
/// make another k, so that such signatures hold only where k does not matter.
/// A key with a small-order part tells `[k]A` for k as hashed from that for k modulo the group order.
#[test]
fn k_is_reduced_modulo_the_group_order_before_it_multiplies() {
    let mut draw = Draw::new("reduced k");
    let (a, r) = (draw.scalar(), draw.scalar());
    let mut met = BTreeSet::new();
    for number in 0..1_000_u32 {
        let message = number.to_le_bytes();
        let item = craft(a, EIGHT_TORSION[1], r, EdwardsPoint::identity(), &message);
        let commitment: [u8; 32] = item.signature.0[..32].try_into().unwrap();
        let parts = [&commitment[..], &item.key.0, &message].concat();
        let hashed = Sha512::digest(parts)[0] % 8;
        let reduced = challenge(&commitment, &item.key.0, &message).as_bytes()[0] % 8;
        // The order of the small part is 8, so these tell which k leaves nothing over.
        let kind = (hashed == 0, reduced == 0);
        if kind.0 != kind.1 && met.insert(kind) {
            assert_eq!(item.strict, reduced == 0);
            check(&item);
        }
    }
    assert_eq!(met.len(), 2, "one that holds by the reduced k alone, one by the hashed k alone");
}

#[test]
fn encodings_are_hashed_as_they_came() {
    let draw = &mut Draw::new("encodings");
    let mut told_apart = 0;
    for (i, encoding) in small_order_encodings().iter().enumerate() {
        let point = CompressedEdwardsY(*encoding).decompress().unwrap();
        let canonical = point.compress().0;
        let (a, r, message) = (draw.scalar(), draw.scalar(), draw.bytes::<32>());
        let key = (a * B).compress().0;

        // R of small order, in this encoding, under an honest key.
        for (hashed, valid) in [(*encoding, true), (canonical, *encoding == canonical)] {
            let k = challenge(&hashed, &key, &message);
            let signature = signature(encoding, (k * a).as_bytes());
            told_apart += usize::from(!valid);
            check(&Crafted {
                key: PublicKey(key),
                message: message.to_vec(),
                signature,
                zip215: valid,
                strict: false,
            });
        }

        // A of small order, in this encoding: [8][k]A vanishes whatever k is.
        let commitment = (r * B).compress().0;
        check(&Crafted {
            key: PublicKey(*encoding),
            message: message.to_vec(),
            signature: signature(&commitment, r.as_bytes()),
            zip215: true,
            strict: false,
        });
        assert_eq!(canonical == *encoding, i < 8);
    }
    assert_eq!(told_apart, 6);
}

/// A mixture of honest, crafted and broken signatures under few and many keys.
fn mixture(draw: &mut Draw, count: usize) -> Vec<Crafted> {
    let secrets: Vec<(Scalar, EdwardsPoint)> = (0..6)
        .map(|i| (draw.scalar(), if i < 3 { EIGHT_TORSION[0] } else { draw.torsion() }))
        .collect();
    let encodings = small_order_encodings();
    (0..count)
        .map(|_| {
            let message = draw.bytes::<24>();
            let (a, at) = secrets[draw.below(secrets.len())];
            let (r, rt) = (draw.scalar(), draw.torsion());
            let item = match draw.below(8) {
                0 => craft(a, at, Scalar::ZERO, rt, &message),
                1 => craft(Scalar::ZERO, draw.torsion(), r, rt, &message),
                2 => craft(draw.scalar(), draw.torsion(), r, rt, &message),
                3 => Crafted {
                    key: PublicKey(encodings[draw.below(14)]),
                    message: message.to_vec(),
                    signature: signature(&encodings[draw.below(14)], &[0; 32]),
                    zip215: true,
                    strict: false,
                },
                4 => craft(a, EdwardsPoint::identity(), r, EdwardsPoint::identity(), &message),
                _ => craft(a, at, r, rt, &message),
            };
            if draw.below(5) > 0 {
                return item;
            }
            let mut broken = Crafted { zip215: false, strict: false, ..item };
            match draw.below(4) {
                // s is off by one: [8]B is left over.
                0 => {
                    let s =
                        Scalar::from_bytes_mod_order(broken.signature.0[32..].try_into().unwrap())
                            + Scalar::ONE;
                    broken.signature.0[32..].copy_from_slice(s.as_bytes());
                }
                // s is out of bounds.
                1 => broken.signature.0[63] |= 0xe0,
                // R is no point: y = 2 is none.
                2 => {
                    broken.signature.0[..32].fill(0);
                    broken.signature.0[0] = 2;
                }
                // The key is no point.
                _ => {
                    broken.key.0 = [0; 32];
                    broken.key.0[0] = 2;
                }
            }
            broken
        })
        .collect()
}

#[test]
fn single_and_batch_agree_on_thousands_of_crafted_signatures() {
    let draw = &mut Draw::new("mixture");
    let items = mixture(draw, 6_000);
    items.iter().for_each(check);
    let counts = |test: fn(&Crafted) -> bool| items.iter().filter(|item| test(item)).count();
    assert!(counts(|item| !item.zip215) > 500);
    assert!(counts(|item| item.zip215 && !item.strict) > 2_000);
    assert!(counts(|item| item.strict) > 500);
    assert_eq!(counts(|item| item.strict && !item.zip215), 0);

    let expected: Vec<bool> = items.iter().map(|item| item.zip215).collect();
    let signed: Vec<SignedMessage<'_>> = items.iter().map(Crafted::signed).collect();
    assert_eq!(verify_batch(&signed), expected);
    // Cut anywhere, the verdicts stay.
    let mut at = 0;
    while at < signed.len() {
        let to = (at + 1 + draw.below(300)).min(signed.len());
        assert_eq!(verify_batch(&signed[at..to]), expected[at..to]);
        at = to;
    }
    // So they do when none is broken: the batch equation itself accepts torsion.
    let good: Vec<SignedMessage<'_>> =
        items.iter().filter(|item| item.zip215).map(Crafted::signed).collect();
    assert_eq!(verify_batch(&good), vec![true; good.len()]);
}

/// However many share an inversion, each has the verdict that it has alone: good ones beside bad ones,
/// beside an s out of bounds, for which nothing is encoded, and beside an R of small order.
#[test]
fn strict_verdicts_together_are_those_alone() {
    let draw = &mut Draw::new("together");
    let items = mixture(draw, 600);
    let keys: Vec<Option<PreparedKey>> = items.iter().map(|item| prepare(&item.key)).collect();
    let prepared: Vec<(&Crafted, &PreparedKey)> =
        items.iter().zip(&keys).filter_map(|(item, key)| Some((item, key.as_ref()?))).collect();
    let counts = |strict: bool| prepared.iter().filter(|(item, _)| item.strict == strict).count();
    assert!(counts(true) > 50 && counts(false) > 200);
    let mut at = 0;
    while at < prepared.len() {
        let to = (at + draw.below(40)).min(prepared.len());
        let some = &prepared[at..to];
        let claims: Vec<(&PreparedKey, &[u8], &Signature)> = some
            .iter()
            .map(|(item, key)| (*key, item.message.as_slice(), &item.signature))
            .collect();
        let expected: Vec<bool> = some.iter().map(|(item, _)| item.strict).collect();
        assert_eq!(verify_strict_each(&claims), expected);
        at = to;
    }
}

#[test]
fn batch_finds_each_culprit_wherever_it_stands() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let other = SigningKey::from_bytes(&[2; 32]);
    let messages: Vec<[u8; 8]> = (0..1_030u64).map(u64::to_le_bytes).collect();
    let honest: Vec<SignedMessage<'_>> = messages
        .iter()
        .map(|message| SignedMessage {
            key: key.public(),
            head: &[],
            message,
            signature: key.sign(message),
        })
        .collect();
    assert_eq!(verify_batch(&honest), vec![true; honest.len()]);
    assert_eq!(verify_batch(&[]), Vec::<bool>::new());
    for culprits in [&[0][..], &[1_023], &[1_024], &[1_029], &[0, 511, 512, 1_024], &[3, 4, 5, 6]] {
        let mut items = honest.clone();
        for culprit in culprits {
            items[*culprit].signature = other.sign(items[*culprit].message);
        }
        let found: Vec<usize> = verify_batch(&items)
            .iter()
            .enumerate()
            .filter_map(|(index, valid)| (!valid).then_some(index))
            .collect();
        assert_eq!(found, culprits);
    }
}

/// Two errors that cancel out in a plain sum must not pass: that is what coefficients are for.
#[test]
fn batch_refuses_errors_that_cancel_out() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let messages: Vec<[u8; 8]> = (0..32u64).map(u64::to_le_bytes).collect();
    let mut items: Vec<SignedMessage<'_>> = messages
        .iter()
        .map(|message| SignedMessage {
            key: key.public(),
            head: &[],
            message,
            signature: key.sign(message),
        })
        .collect();
    for (index, change) in [(7, Scalar::ONE), (8, -Scalar::ONE)] {
        let s = &mut items[index].signature.0[32..];
        let changed = Scalar::from_bytes_mod_order((&*s).try_into().unwrap()) + change;
        s.copy_from_slice(changed.as_bytes());
    }
    let expected: Vec<bool> = (0..32).map(|index| index != 7 && index != 8).collect();
    assert_eq!(verify_batch(&items), expected);
}

#[test]
fn key_check_accepts_what_an_honest_holder_publishes_and_nothing_else() {
    let honest = SigningKey::from_bytes(&[1; 32]).public();
    assert_eq!(honest.check(), Ok(()));
    for (index, encoding) in small_order_encodings().into_iter().enumerate() {
        let expected = if index < 8 { KeyError::SmallOrder } else { KeyError::NotCanonical };
        assert_eq!(PublicKey(encoding).check(), Err(expected));
    }
    let point = CompressedEdwardsY(honest.0).decompress().unwrap();
    for torsion in &EIGHT_TORSION[1..] {
        let mixed = PublicKey((point + torsion).compress().0);
        assert_eq!(mixed.check(), Err(KeyError::Torsion));
    }
    // y = 2 is no point; y = p + 3 is one of large order, encoded beyond p.
    let mut two = [0; 32];
    two[0] = 2;
    assert_eq!(PublicKey(two).check(), Err(KeyError::NotAPoint));
    let mut beyond = [0xff; 32];
    (beyond[0], beyond[31]) = (0xed + 3, 0x7f);
    assert_eq!(PublicKey(beyond).check(), Err(KeyError::NotCanonical));
    assert!(PublicKey([0xff; 32]).check().is_err());
}

#[test]
fn a_message_in_parts_is_signed_and_verified_as_the_whole() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let message = b"a head and a rest";
    let signature = key.sign(message);
    for at in 0..=message.len() {
        let (head, rest) = message.split_at(at);
        assert_eq!(key.sign_parts(&[head, rest]), signature);
        let signed = SignedMessage { key: key.public(), head, message: rest, signature };
        let other = SignedMessage { head: b"", message: &message[1..], ..signed };
        let swapped = SignedMessage { head: b"b", message, ..signed };
        let items = [signed, other, swapped].repeat(8);
        let verdicts = verify_batch(&items);
        assert!(verdicts.chunks(3).all(|three| three == [true, false, false]));
    }
}
