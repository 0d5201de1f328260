//! Many signatures at once, with exactly the verdicts of [`crate::verify()`].
//!
//! One equation stands for all: the sum of the single ZIP 215 equations, each with a coefficient of
//! 128 bits. It is grouped by key, since a log has few issuer keys: `n` signatures under `m` keys
//! cost `n + m + 1` terms. Only when it fails is the batch halved until the culprits are found.
//!
//! The coefficients come from a hash of the whole batch, so that no randomness is needed and the
//! same batch takes the same path everywhere. A forger would have to find a batch whose own hash
//! gives coefficients under which a false sum vanishes: chance 2⁻¹²⁸ a try.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use curve25519_dalek::{
    constants::ED25519_BASEPOINT_POINT,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
    traits::{IsIdentity as _, VartimeMultiscalarMul as _},
};

use crate::{
    keys::{PublicKey, Signature},
    limits::{BATCH_EQUATION_FACTOR_MAX, BATCH_EQUATION_ITEMS_MAX, BATCH_SINGLE_ITEMS_MAX},
    verify::Equation,
};

/// A message with the signature claimed for it.
#[derive(Debug, Clone, Copy)]
pub struct SignedMessage<'a> {
    /// The key claimed to have signed.
    pub key: PublicKey,
    /// What the bytes signed begin with, apart so that it need not be copied to the rest; may be
    /// empty.
    pub head: &'a [u8],
    /// The rest of the bytes signed.
    pub message: &'a [u8],
    /// The signature claimed.
    pub signature: Signature,
}

/// The verdict on each of `items`, in their order: what [`crate::verify()`] says of it.
///
/// Any number of items; they are taken in equations of at most [`BATCH_EQUATION_ITEMS_MAX`]. All
/// valid is the fast case, two to three times as fast as one by one; the worst batch costs about
/// three times as much as one by one.
///
/// Source: ZIP 215, section on batch validation.
pub fn verify_batch(items: &[SignedMessage<'_>]) -> Vec<bool> {
    let mut verdicts = vec![false; items.len()];
    for (items, verdicts) in
        items.chunks(BATCH_EQUATION_ITEMS_MAX).zip(verdicts.chunks_mut(BATCH_EQUATION_ITEMS_MAX))
    {
        let mut keys = Keys::default();
        let terms = read_terms(items, &mut keys);
        let mut terms_left = BATCH_EQUATION_FACTOR_MAX * terms.len();
        judge(&terms, &keys, &mut terms_left, verdicts);
    }
    verdicts
}

/// The distinct keys of a batch, each decompressed once.
#[derive(Default)]
struct Keys {
    places: BTreeMap<PublicKey, Option<usize>>,
    points: Vec<EdwardsPoint>,
}

impl Keys {
    /// The place of `key`'s point, or `None` if it is no point.
    fn place(&mut self, key: &PublicKey) -> Option<usize> {
        *self.places.entry(*key).or_insert_with(|| {
            let point = CompressedEdwardsY(key.0).decompress()?;
            self.points.push(point);
            Some(self.points.len() - 1)
        })
    }
}

/// One signature of the equation.
struct Term {
    /// Index among the items of the chunk.
    item: usize,
    /// Index of its key's point.
    key: usize,
    equation: Equation,
    /// The coefficient, 128 bits.
    z: Scalar,
}

/// Reads what can be read; items that are out of form have no term and stay refused.
fn read_terms(items: &[SignedMessage<'_>], keys: &mut Keys) -> Vec<Term> {
    let mut transcript = ::blake3::Hasher::new_derive_key("hutong 2026 batch coefficients");
    let mut terms: Vec<Term> = Vec::with_capacity(items.len());
    for (item, signed) in items.iter().enumerate() {
        let Some(key) = keys.place(&signed.key) else { continue };
        let message = [signed.head, signed.message];
        let Some(equation) = Equation::read(&signed.key, &message, &signed.signature) else {
            continue;
        };
        // A || R || s || k, where k already binds A, R and the message
        transcript.update(&signed.key.0);
        transcript.update(&signed.signature.0);
        transcript.update(equation.k.as_bytes());
        terms.push(Term { item, key, equation, z: Scalar::ZERO });
    }
    let mut coefficients = transcript.finalize_xof();
    for term in &mut terms {
        let mut bytes = [0; 16];
        coefficients.fill(&mut bytes);
        term.z = Scalar::from(u128::from_le_bytes(bytes));
    }
    terms
}

/// Marks the valid ones among `terms`, halving until the culprits stand alone, or until
/// `terms_left` is spent on equations: then many are bad, and the rest is checked one by one.
///
/// The coefficients of a part are those of the whole: the hash that made them covers the part too.
fn judge(terms: &[Term], keys: &Keys, terms_left: &mut usize, verdicts: &mut [bool]) {
    if terms.len() <= BATCH_SINGLE_ITEMS_MAX || terms.len() > *terms_left {
        for term in terms {
            verdicts[term.item] = term.equation.holds(&keys.points[term.key]);
        }
        return;
    }
    *terms_left -= terms.len();
    if all_hold(terms, keys) {
        for term in terms {
            verdicts[term.item] = true;
        }
    } else {
        let (left, right) = terms.split_at(terms.len() / 2);
        judge(left, keys, terms_left, verdicts);
        judge(right, keys, terms_left, verdicts);
    }
}

/// Whether `[8](-[Σ z s]B + Σ [z]R + Σ over keys [Σ z k]A)` is the identity.
fn all_hold(terms: &[Term], keys: &Keys) -> bool {
    let mut base = Scalar::ZERO;
    let mut of_keys: BTreeMap<usize, Scalar> = BTreeMap::new();
    for Term { key, equation, z, .. } in terms {
        base -= z * equation.s;
        *of_keys.entry(*key).or_insert(Scalar::ZERO) += z * equation.k;
    }
    let scalars = core::iter::once(&base).chain(of_keys.values()).chain(terms.iter().map(|t| &t.z));
    let points = core::iter::once(&ED25519_BASEPOINT_POINT)
        .chain(of_keys.keys().map(|key| &keys.points[*key]))
        .chain(terms.iter().map(|t| &t.equation.r));
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).mul_by_cofactor().is_identity()
}
