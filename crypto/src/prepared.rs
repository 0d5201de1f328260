//! A key prepared for many strict checks, with exactly the verdicts of [`verify_strict`].
//!
//! A batch equation decides by ZIP 215. It cannot decide strictly, since parts of small order may
//! cancel out in its sum. Here every signature keeps a verdict of its own, and what a batch saves is
//! saved otherwise: multiples of the key and of the base point are tabled once, so that
//! `[s]B - [k]A` takes 52 additions and no doublings; R is compared by its bytes and never
//! decompressed; and the inversion that encodes what it is compared with is shared by many.
//!
//! [`verify_strict`]: crate::verify::verify_strict

use alloc::{sync::Arc, vec::Vec};

use curve25519_dalek::{
    constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::Identity as _,
};

use crate::{
    keys::{PublicKey, Signature},
    verify::challenge,
};

/// A key with a table of its point's multiples: 2.1 MB, made in the time of sixty single checks. Cheap
/// to clone.
#[derive(Clone)]
pub struct PreparedKey {
    key: PublicKey,
    multiples: Arc<Multiples>,
    common: Arc<Common>,
}

/// What prepares keys: the table of the base point, 2.1 MB, which all of them share.
#[derive(Clone)]
pub struct KeyPreparer {
    common: Arc<Common>,
}

/// What has nothing to do with any key.
struct Common {
    base: Multiples,
    /// The canonical encodings of the points of small order.
    small_order: [[u8; 32]; 8],
}

impl Default for KeyPreparer {
    fn default() -> Self {
        let small_order = EdwardsPoint::compress_batch(&EIGHT_TORSION).map(|encoded| encoded.0);
        let base = Multiples::of(ED25519_BASEPOINT_POINT);
        Self { common: Arc::new(Common { base, small_order }) }
    }
}

impl KeyPreparer {
    /// Prepares `key`; `None` where no signature by it is valid strictly, since its encoding is not
    /// canonical or its order small.
    pub fn prepare(&self, key: &PublicKey) -> Option<PreparedKey> {
        let encoded = CompressedEdwardsY(key.0);
        let point = encoded.decompress()?;
        if point.compress() != encoded || point.is_small_order() {
            return None;
        }
        let multiples = Arc::new(Multiples::of(point));
        Some(PreparedKey { key: *key, multiples, common: Arc::clone(&self.common) })
    }
}

impl PreparedKey {
    /// Whether `sig` is this key's signature on `message`: what
    /// [`verify_strict`](crate::verify::verify_strict) says.
    ///
    /// Source: RFC 8032 §5.1.7.
    pub fn verify_strict(&self, message: &[u8], sig: &Signature) -> bool {
        self.commitment(message, sig).is_some_and(|r| self.is_commitment(&r.compress(), sig))
    }

    /// `[s]B - [k]A`, which must be R; `None` when s is not below the group order.
    fn commitment(&self, message: &[u8], sig: &Signature) -> Option<EdwardsPoint> {
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(sig.s_bytes()))?;
        let k = challenge(&self.key, &[message], sig);
        // All are fetched before the first is added: tables are larger than a core's own cache, and
        // additions one after the other would wait for each.
        let of_base = self.common.base.picks(&s);
        let of_key = self.multiples.picks(&k);
        let mut r = EdwardsPoint::identity();
        for (multiple, digit) in &of_base {
            r = if *digit < 0 { r - multiple } else { r + multiple };
        }
        for (multiple, digit) in &of_key {
            r = if *digit < 0 { r + multiple } else { r - multiple };
        }
        Some(r)
    }

    /// Whether `encoded` is R, and R not of small order.
    fn is_commitment(&self, encoded: &CompressedEdwardsY, sig: &Signature) -> bool {
        encoded.0 == sig.r_bytes() && !self.common.small_order.contains(&encoded.0)
    }
}

/// The verdict on each of `claims`, in their order: what [`PreparedKey::verify_strict`] says of it.
///
/// Any number of claims; a dozen share nearly all that can be shared.
pub fn verify_strict_each(claims: &[(&PreparedKey, &[u8], &Signature)]) -> Vec<bool> {
    let commitments = claims.iter().map(|(key, message, sig)| key.commitment(message, sig));
    // The identity, which stands for none, is of small order and so never R.
    let points: Vec<EdwardsPoint> = commitments.map(Option::unwrap_or_default).collect();
    let encoded = EdwardsPoint::compress_batch_alloc(&points);
    let verdicts = claims.iter().zip(&encoded);
    verdicts.map(|((key, _, sig), encoded)| key.is_commitment(encoded, sig)).collect()
}

/// Bits of a digit.
const DIGIT_BITS: usize = 10;

/// Digits of a scalar. None is left over: a scalar is below 2^253.
const DIGITS: usize = 26;

/// Multiples of a digit: 1 to 512, since digits are signed.
const MULTIPLES: usize = 1 << (DIGIT_BITS - 1);

/// `[m · 1024^w]P` for every digit w and every m from 1 to [`MULTIPLES`].
struct Multiples(Vec<EdwardsPoint>);

impl Multiples {
    fn of(point: EdwardsPoint) -> Self {
        let mut points = Vec::with_capacity(DIGITS * MULTIPLES);
        let mut base = point;
        for _ in 0..DIGITS {
            let mut multiple = base;
            for _ in 1..MULTIPLES {
                points.push(multiple);
                multiple += base;
            }
            points.push(multiple);
            base = multiple + multiple;
        }
        Self(points)
    }

    /// For each digit of `scalar` the multiple of its size, and the digit; in a time that depends on
    /// the scalar: nothing here is secret.
    fn picks(&self, scalar: &Scalar) -> [(EdwardsPoint, i16); DIGITS] {
        let digits = digits(scalar);
        core::array::from_fn(|place| {
            let size = usize::from(digits[place].unsigned_abs());
            let multiple = match size.checked_sub(1) {
                Some(before) => self.0[place * MULTIPLES + before],
                None => EdwardsPoint::identity(),
            };
            (multiple, digits[place])
        })
    }
}

/// The digits of a scalar to base 1024, from -511 to 512, the least significant first.
fn digits(scalar: &Scalar) -> [i16; DIGITS] {
    let mut bytes = [0; 34];
    bytes[..32].copy_from_slice(scalar.as_bytes());
    let mut carry = 0;
    core::array::from_fn(|place| {
        let (byte, bit) = (place * DIGIT_BITS / 8, place * DIGIT_BITS % 8);
        let two = u16::from_le_bytes([bytes[byte], bytes[byte + 1]]);
        let digit = ((two >> bit) & 0x3ff).cast_signed() + carry;
        carry = i16::from(digit > 512);
        digit - 1024 * carry
    })
}
