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
    authority::{Authority, TrustedAuthority},
    compact::CompactReceipt,
    findings::{Findings, Grade},
    model::{RECEIPT_BYTES_MAX, Receipt},
    prover::{Notes, Prover},
    report::Report,
    verify::{Ground, check_entry, check_federation},
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
    /// What the verifier has: a bundle, or its charters. Needed for a receipt without charters; adds to any
    /// other later charters, suspensions and rekeys.
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
    Verifier::new(&expected, &policy, &OneByOne).verify_compact(bytes)
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
                findings.report(None, false, None)
            }
        }
    }

    /// As [`verify_compact`](fn@verify_compact), against the policy's authority.
    pub fn verify_compact(&mut self, bytes: &[u8]) -> Report {
        let mut findings = Findings::default();
        let receipt = match CompactReceipt::parse(bytes) {
            Ok(receipt) => receipt,
            Err(error) => {
                let grade = if error.is_unknown() { Grade::Unknown } else { Grade::Invalid };
                let zh = format!("精简凭证无法读取：{error}");
                findings.fail(grade, "format", zh, error.to_string());
                return findings.report(None, false, None);
            }
        };
        findings.pass("format", "精简凭证格式规范", "the compact receipt is in form");
        if receipt.federation != self.expected.hash().as_bytes()[..8] {
            let en = "the compact receipt is of another federation";
            findings.fail(Grade::Invalid, "federation", "精简凭证属于另一联盟", en);
            return findings.report(None, false, None);
        }
        findings.pass("federation", "属于预期的联盟", "it is of the federation expected");
        let now = self.policy.now;
        match self.look_up(None, &mut findings) {
            Some(known) => self.examine(known, findings, |ground, prover, findings| {
                ground.check_compact(&receipt, now, prover, findings)
            }),
            None => findings.report(None, false, None),
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
            None => self.look_up(receipt.authority.as_ref(), &mut findings),
        };
        let now = self.policy.now;
        let Some(known) = known else {
            check_entry(&receipt.entry, self.rule(), &mut findings);
            return findings.report(None, false, None);
        };
        self.examine(known, findings, |ground, prover, findings| {
            ground.check(receipt, now, prover, findings)
        })
    }

    /// Examines a receipt on the ground that is known, which is then remembered as the last.
    fn examine(
        &mut self,
        mut known: Known<'a>,
        mut findings: Findings,
        examine: impl FnOnce(&Ground<'a>, &mut Prover<'_>, Findings) -> Report,
    ) -> Report {
        findings.extend(&known.findings);
        let mut notes = core::mem::take(&mut known.notes);
        if notes.len() > NOTES_MAX {
            notes.clear();
        }
        let mut prover = Prover::new(self.expected, self.rule()).resume(notes);
        let report = examine(&known.ground, &mut prover, findings);
        known.notes = prover.into_notes();
        if self.known.len() == KNOWN_MAX {
            self.known.remove(0);
        }
        self.known.push(known);
        report
    }

    /// What these charters come to; `None`, with findings, where they do not hold.
    fn look_up(
        &mut self,
        authority: Option<&Authority>,
        findings: &mut Findings,
    ) -> Option<Known<'a>> {
        let text = authority.map(|own| canonicalize(&own.to_value())).unwrap_or_default();
        if let Some(place) = self.known.iter().position(|known| known.text == text) {
            return Some(self.known.remove(place));
        }
        let (mut own, trusted) = (Findings::default(), self.policy.authority);
        let mut prover = Prover::new(self.expected, self.rule());
        let ground = Ground::lay(authority, &self.expected, trusted, &mut prover, &mut own);
        let notes = prover.into_notes();
        let Some(ground) = ground else {
            findings.extend(&own);
            return None;
        };
        let assumed = self.assumption.is_some();
        Some(Known { text, ground, findings: own, notes, assumed })
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
