//! A key prepared for many strict checks, with exactly the verdicts of [`verify_strict`].
//!
//! A batch equation decides by ZIP 215. It cannot decide strictly, since parts of small order may
//! cancel out in its sum. Here every signature keeps a verdict of its own, and what a batch saves is
//! saved otherwise: multiples of the key and of the base point are tabled once, so that
//! `[s]B - [k]A` takes 64 additions and no doublings, and R is compared by its bytes and never
//! decompressed.
//!
//! [`verify_strict`]: crate::verify::verify_strict

use alloc::{sync::Arc, vec::Vec};

use curve25519_dalek::{
    constants::ED25519_BASEPOINT_POINT,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::Identity as _,
};

use crate::{
    keys::{PublicKey, Signature},
    verify::challenge,
};

/// A key with a table of its point's multiples: 640 KiB, made in the time of twenty single checks. Cheap
/// to clone.
#[derive(Clone)]
pub struct PreparedKey {
    key: PublicKey,
    multiples: Arc<Multiples>,
    base: Arc<Multiples>,
}

/// What prepares keys: the table of the base point, 640 KiB, which all of them share.
#[derive(Clone)]
pub struct KeyPreparer {
    base: Arc<Multiples>,
}

impl Default for KeyPreparer {
    fn default() -> Self {
        Self { base: Arc::new(Multiples::of(ED25519_BASEPOINT_POINT)) }
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
        Some(PreparedKey { key: *key, multiples, base: Arc::clone(&self.base) })
    }
}

impl PreparedKey {
    /// Whether `sig` is this key's signature on `message`: what
    /// [`verify_strict`](crate::verify::verify_strict) says.
    ///
    /// Source: RFC 8032 §5.1.7.
    pub fn verify_strict(&self, message: &[u8], sig: &Signature) -> bool {
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(sig.s_bytes())) else {
            return false;
        };
        let k = challenge(&self.key, &[message], sig);
        let mut r = EdwardsPoint::identity();
        for (window, (s, k)) in digits(&s).zip(digits(&k)).enumerate() {
            r = self.base.plus(&r, window, s);
            r = self.multiples.plus(&r, window, -k);
        }
        r.compress().0 == sig.r_bytes() && !r.is_small_order()
    }
}

/// Multiples of a digit: 1 to 128, since digits are signed.
const MULTIPLES: usize = 128;

/// `[m · 256^w]P` for every window w and every m from 1 to [`MULTIPLES`].
struct Multiples(Vec<EdwardsPoint>);

impl Multiples {
    fn of(point: EdwardsPoint) -> Self {
        let mut points = Vec::with_capacity(32 * MULTIPLES);
        let mut base = point;
        for _ in 0..32 {
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

    /// `sum + [digit · 256^window]P`, in a time that depends on the digit: nothing here is secret.
    fn plus(&self, sum: &EdwardsPoint, window: usize, digit: i16) -> EdwardsPoint {
        let place = usize::from(digit.unsigned_abs());
        match digit.signum() {
            0 => *sum,
            1 => sum + self.0[window * MULTIPLES + place - 1],
            _ => sum - self.0[window * MULTIPLES + place - 1],
        }
    }
}

/// The 32 digits of a scalar to base 256, from -128 to 127, the least significant first. None is left
/// over: a scalar is below 2^253.
fn digits(scalar: &Scalar) -> impl Iterator<Item = i16> {
    let mut carry = 0;
    scalar.to_bytes().into_iter().map(move |byte| {
        let digit = i16::from(byte) + carry;
        carry = i16::from(digit > 127);
        digit - 256 * carry
    })
}
