//! Verifying one receipt, or many of which some share an authority.
//!
//! What a receipt's authority comes to depends on its own bytes, the federation and the verifier's bundle,
//! so that a [`Verifier`] works it out once and remembers it by those bytes, all of them. The same goes for
//! the signatures on a checkpoint. No verdict depends on what is remembered.
//!
//! Signatures cost less together than one after the other. So receipts are first examined on the assumption
//! that every signature holds, and then all signatures that were asked for are judged. Where all hold, the
//! examination was the true one. Where one does not, all of it is forgotten and made again, with each
//! signature judged when it is asked for.

use alloc::{format, string::ToString as _, vec::Vec};
use core::cell::RefCell;

use hutong_crypto::{PublicKey, Signature, verify_strict};

use super::{
    authority::TrustedAuthority,
    life::Life,
    model::{RECEIPT_BYTES_MAX, Receipt},
    prover::{Notes, Prover, Roots},
    report::Report,
    verify::{Findings, Grade, Ground, check_entry, check_federation},
};
use crate::{id::FederationId, json::canonicalize, time::Timestamp};

/// Authorities remembered at most: one with a bundle of a whole country has some 10 MiB.
const KNOWN_MAX: usize = 4;

/// Checkpoints remembered at most for each of them, at about 1 KiB.
const NOTES_MAX: usize = 256;

/// How the file of a receipt with an authority begins: members stand in order.
const AUTHORITY_FIRST: &[u8] = b"{\"authority\":";

/// The strict rule: [`verify_strict`], or what gives its verdicts sooner.
pub trait StrictRule {
    /// Whether `signature` is `key`'s on `message`.
    fn holds(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool;

    /// Whether all of `claims` hold.
    fn all_hold(&self, claims: &[Claim]) -> bool {
        claims.iter().all(|claim| self.holds(&claim.key, &claim.message, &claim.signature))
    }
}

/// A signature that remains to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who is claimed to have signed.
    pub key: PublicKey,
    /// The bytes signed.
    pub message: Vec<u8>,
    /// The signature claimed.
    pub signature: Signature,
}

/// What [`verify_strict`] says, one by one.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneByOne;

impl StrictRule for OneByOne {
    fn holds(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        verify_strict(key, message, signature)
    }
}

/// Takes every signature to hold, and notes which were asked for.
#[derive(Default)]
struct Assumption(RefCell<Vec<Claim>>);

impl StrictRule for Assumption {
    fn holds(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        let claim = Claim { key: *key, message: message.to_vec(), signature: *signature };
        self.0.borrow_mut().push(claim);
        true
    }
}

/// What a verifier knows besides the receipt.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy<'a> {
    /// Authority from a bundle: needed for a receipt without its own, and for any other the later
    /// charters, suspensions and rekeys.
    pub authority: Option<&'a TrustedAuthority>,
    /// The verifier's time, to warn of cosignatures from the future; none where there is no clock.
    pub now: Option<Timestamp>,
}

/// Verifies a receipt for the federation `expected`. Never fails: the report says it all.
///
/// At most [`RECEIPT_BYTES_MAX`] bytes are looked at. The verdict depends on `bytes`, `expected` and
/// `policy.authority` alone.
pub fn verify(bytes: &[u8], expected: &FederationId, policy: &Policy<'_>) -> Report {
    Verifier::new(expected, policy, &OneByOne).verify(bytes)
}

/// Verifies a compact receipt against `authority`, as [`verify`] does a whole one.
pub fn verify_compact(
    bytes: &[u8],
    authority: &TrustedAuthority,
    now: Option<Timestamp>,
) -> Report {
    let expected = authority.charters().federation_id();
    let policy = Policy { authority: Some(authority), now };
    Verifier::new(&expected, &policy, &OneByOne).verify_compact(bytes, authority)
}

/// Verifies receipts one after another, each with the report of [`verify`].
pub struct Verifier<'a> {
    expected: FederationId,
    policy: Policy<'a>,
    rule: &'a (dyn StrictRule + Sync),
    /// In place of the rule, while receipts are examined together.
    assumption: Option<Assumption>,
    /// The one met last stands last.
    known: Vec<Known<'a>>,
}

/// An authority that was worked out.
struct Known<'a> {
    /// Its canonical text; empty for the bundle's own.
    text: Vec<u8>,
    ground: Ground<'a>,
    /// What there is to say of it in every receipt.
    findings: Findings,
    /// Of the checkpoints under which its facts are.
    roots: Roots,
    notes: Notes,
    /// Whether it rests on signatures that are not judged yet.
    assumed: bool,
}

impl<'a> Verifier<'a> {
    /// Verifies receipts of the federation `expected`, with signatures judged by `rule`, whose verdicts
    /// are those of [`verify_strict`].
    pub fn new(
        expected: &FederationId,
        policy: &Policy<'a>,
        rule: &'a (dyn StrictRule + Sync),
    ) -> Self {
        let (expected, policy) = (*expected, *policy);
        Self { expected, policy, rule, assumption: None, known: Vec::new() }
    }

    /// Does what `examine` does, with the signatures of all receipts in it judged together.
    ///
    /// `examine` is done a second time where a signature does not hold, and cosignatures of checkpoints
    /// that were met before are judged once more: a folder with something bad in all its parts takes two to
    /// three times as long as it would one by one, more where a large council cosigned. What it asks for is held in memory, so it is to be a dozen receipts.
    pub fn together<T>(&mut self, examine: impl Fn(&mut Self) -> T) -> T {
        self.assumption = Some(Assumption::default());
        let examined = examine(self);
        let claims = self.assumption.take().unwrap_or_default().0.into_inner();
        if self.rule.all_hold(&claims) {
            self.known.iter_mut().for_each(|known| known.assumed = false);
            return examined;
        }
        // What came to be known meanwhile may rest on what does not hold.
        self.known.retain(|known| !known.assumed);
        self.known.iter_mut().for_each(|known| known.notes.clear());
        examine(self)
    }

    /// As [`verify`].
    pub fn verify(&mut self, bytes: &[u8]) -> Report {
        let mut findings = Findings::default();
        let read = match self.read_known(bytes) {
            Some((receipt, place)) => Ok((receipt, Some(place))),
            None => Receipt::parse(bytes).map(|receipt| (receipt, None)),
        };
        match read {
            Ok((receipt, place)) => {
                let zh = "文件格式规范（RFC 8785）";
                findings.pass("format", zh, "the file is in canonical form");
                self.check(&receipt, place, findings)
            }
            Err(error) => {
                let grade =
                    if error.is_unknown_version() { Grade::Unknown } else { Grade::Invalid };
                let zh = format!("文件格式不成立：{error}");
                findings.fail(grade, "format", zh, error.to_string());
                findings.report(Life::Current, None)
            }
        }
    }

    /// As [`verify_compact`](fn@verify_compact), for receipts against `authority`: that of the policy.
    pub fn verify_compact(&mut self, bytes: &[u8], authority: &TrustedAuthority) -> Report {
        let mut findings = Findings::default();
        match Receipt::parse_compact(bytes, authority) {
            Ok(receipt) => {
                let en = "the compact receipt is in form";
                findings.pass("format", "紧凑凭据格式规范", en);
                self.check(&receipt, None, findings)
            }
            Err(error) => {
                let grade = if error.is_unknown() { Grade::Unknown } else { Grade::Invalid };
                let zh = format!("紧凑凭据无法读取：{error}");
                findings.fail(grade, "format", zh, error.to_string());
                findings.report(Life::Current, None)
            }
        }
    }

    /// What says now whether a signature holds.
    fn rule(&self) -> &dyn StrictRule {
        match &self.assumption {
            Some(assumption) => assumption,
            None => self.rule,
        }
    }

    /// Checks everything in a receipt in form. Its authority is the known one at `place`, or looked up.
    fn check(&mut self, receipt: &Receipt, place: Option<usize>, mut findings: Findings) -> Report {
        check_federation(receipt, &self.expected, &mut findings);
        let known = match place {
            Some(place) => Some(self.known.remove(place)),
            None => self.look_up(receipt, &mut findings),
        };
        let Some(mut known) = known else {
            let statement = check_entry(receipt, self.rule(), &mut findings);
            drop(statement);
            return findings.report(Life::Current, None);
        };
        findings.extend(&known.findings);
        let report = known.check(receipt, &self.policy, self.rule(), findings);
        if self.known.len() == KNOWN_MAX {
            self.known.remove(0);
        }
        self.known.push(known);
        report
    }

    /// What the receipt's authority comes to; `None`, with findings, where it does not hold.
    fn look_up(&mut self, receipt: &Receipt, findings: &mut Findings) -> Option<Known<'a>> {
        let authority = receipt.authority.as_ref();
        let text = authority.map(|own| canonicalize(&own.to_value())).unwrap_or_default();
        if let Some(place) = self.known.iter().position(|known| known.text == text) {
            return Some(self.known.remove(place));
        }
        let mut own = Findings::default();
        let Some(ground) = Ground::lay(receipt, &self.expected, &self.policy, &mut own) else {
            findings.extend(&own);
            return None;
        };
        let mut prover = Prover::new(&ground.charters, &ground.directory, self.rule());
        ground.check_fact_proofs(receipt, &mut prover, &mut own);
        let (notes, roots) = prover.into_parts();
        let assumed = self.assumption.is_some();
        Some(Known { text, ground, findings: own, roots, notes, assumed })
    }

    /// Reads a receipt whose authority is known without reading the authority again; `None` where it is
    /// not known, or the rest is not in form. The receipt is then without it, which is at the place given.
    ///
    /// Canonical JSON has one form, in which the authority stands first: what begins with a known one and
    /// goes on as a receipt without one is in canonical form as a whole.
    fn read_known(&self, bytes: &[u8]) -> Option<(Receipt, usize)> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return None;
        }
        let after = bytes.strip_prefix(AUTHORITY_FIRST)?;
        let (place, rest) = self.known.iter().enumerate().rev().find_map(|(place, known)| {
            let rest = after.strip_prefix(known.text.as_slice())?.strip_prefix(b",")?;
            (!known.text.is_empty()).then_some((place, rest))
        })?;
        let receipt = Receipt::parse(&[b"{", rest].concat()).ok()?;
        receipt.authority.is_none().then_some((receipt, place))
    }
}

impl Known<'_> {
    fn check(
        &mut self,
        receipt: &Receipt,
        policy: &Policy<'_>,
        rule: &dyn StrictRule,
        findings: Findings,
    ) -> Report {
        let mut notes = core::mem::take(&mut self.notes);
        if notes.len() > NOTES_MAX {
            notes.clear();
        }
        let (charters, directory) = (&self.ground.charters, &self.ground.directory);
        let mut prover = Prover::new(charters, directory, rule).resume(notes, self.roots.clone());
        let report = self.ground.check(receipt, policy, &mut prover, findings);
        (self.notes, _) = prover.into_parts();
        report
    }
}
