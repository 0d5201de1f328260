//! Making a receipt.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use hutong_crypto::{checkpoint::Checkpoint, note::Note, proof::TlogProof};

use super::{
    authority::{Authority, ProvenEntry},
    model::{DISCLOSURES_MAX, Disclosure, EVENTS_MAX, FACTS_MAX, RECEIPT_BYTES_MAX, Receipt},
    report::{Report, Verdict},
    verifier::{Policy, verify},
};
use crate::{charter::CharterChain, entry::Entry, id::Origin};

/// What a receipt is made from. Every proof's checkpoint carries a witness quorum.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// The federation's charters.
    pub charters: &'a CharterChain,
    /// What was said.
    pub entry: Entry,
    /// That it is in its log.
    pub proof: TlogProof,
    /// Committed fields to show, by name.
    pub disclosures: BTreeMap<String, Disclosure>,
    /// The facts that [`Directory::chain_of`](crate::directory::Directory::chain_of) the issuer
    /// names, in any order.
    pub facts: Vec<ProvenEntry>,
    /// Later events of the same contract or listing up to the checkpoint of `proof`, in any order.
    pub events: Vec<ProvenEntry>,
    /// Leaves charters and facts out: for verifiers that hold an authority bundle.
    pub without_authority: bool,
}

/// Why no receipt is made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// More parts than a receipt holds.
    #[error("expected at most {max} {what}, met {met}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        max: usize,
        /// How many there are.
        met: usize,
    },
    /// The receipt is too large: make it without authority, for use with an authority bundle.
    #[error(
        "expected at most {RECEIPT_BYTES_MAX} bytes, met {met}; leave the authority to a bundle"
    )]
    TooLong {
        /// How many bytes.
        met: usize,
    },
    /// The proof's checkpoint is out of form.
    #[error("the proof's checkpoint is not in form")]
    Checkpoint,
    /// It would not verify: the report says why.
    #[error("the receipt would not verify: {}", .0.verdict.as_str())]
    Refused(Box<Report>),
}

/// Makes the file of a receipt.
///
/// Signature lines that a receipt does not need are left out: cosignatures of others than the council,
/// and those after the quorum was complete. The result was verified, so that no node hands out a
/// receipt that is invalid. One without authority is the exception: its proofs are checked when the
/// bundle is at hand.
///
/// # Errors
///
/// A [`BuildError`] that says what to change.
pub fn build(inputs: Inputs<'_>) -> Result<Vec<u8>, BuildError> {
    at_most("disclosures", DISCLOSURES_MAX, inputs.disclosures.len())?;
    at_most("facts", FACTS_MAX, inputs.facts.len())?;
    at_most("events", EVENTS_MAX, inputs.events.len())?;
    let charters = inputs.charters;
    let checkpoint = Checkpoint::parse(&inputs.proof.checkpoint.text);
    let as_of = checkpoint.map_err(|_| BuildError::Checkpoint)?.size;
    let slim = |proven: ProvenEntry| {
        let proof = slim(charters, proven.proof);
        ProvenEntry { entry: proven.entry, proof }
    };
    let mut events: Vec<ProvenEntry> = inputs.events.into_iter().map(slim).collect();
    events.sort_by_key(|event| event.proof.index);
    let authority = (!inputs.without_authority).then(|| Authority {
        charters: charters.versions().iter().map(|version| version.signed().clone()).collect(),
        facts: inputs.facts.into_iter().map(slim).collect(),
    });
    let receipt = Receipt {
        federation: charters.federation_id(),
        entry: inputs.entry,
        proof: self::slim(charters, inputs.proof),
        disclosures: inputs.disclosures,
        authority,
        events,
        as_of,
    };
    let bytes = receipt.encode();
    if bytes.len() > RECEIPT_BYTES_MAX {
        return Err(BuildError::TooLong { met: bytes.len() });
    }
    let report = verify(&bytes, &charters.federation_id(), &Policy::default());
    match report.verdict {
        Verdict::NotVerifiableHere if inputs.without_authority => Ok(bytes),
        Verdict::Invalid | Verdict::NotVerifiableHere => Err(BuildError::Refused(Box::new(report))),
        _ => Ok(bytes),
    }
}

fn at_most(what: &'static str, max: usize, met: usize) -> Result<(), BuildError> {
    if met > max { Err(BuildError::TooMany { what, max, met }) } else { Ok(()) }
}

/// Keeps what a receipt needs of a proof: no extra line, the log's signature, and the earliest
/// cosignatures that make a quorum of the charter in force.
fn slim(charters: &CharterChain, mut proof: TlogProof) -> TlogProof {
    proof.extra = None;
    proof.checkpoint = slim_note(charters, &proof.checkpoint);
    proof
}

fn slim_note(charters: &CharterChain, note: &Note) -> Note {
    let charter = charters.latest();
    let origin = note.text.lines().next().unwrap_or_default();
    let mut kept: Vec<_> =
        note.signatures.iter().filter(|line| line.name == origin).take(1).cloned().collect();
    let mut cosigned: Vec<_> = note
        .signatures
        .iter()
        .filter_map(|line| {
            let name: Origin = line.name.strip_suffix("/witness")?.parse().ok()?;
            let seat = charter.council_member(name.exchange())?;
            let cosignature = hutong_crypto::cosignature::verify_cosignature_strict(
                &note.text,
                line,
                &line.name,
                &seat.witness_key,
            );
            Some((cosignature.ok()?.timestamp, name.exchange().clone(), line))
        })
        .collect();
    cosigned.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut witnesses = alloc::collections::BTreeSet::new();
    for (_, witness, line) in cosigned {
        if charter.witness_quorum.satisfied(&witnesses) {
            break;
        }
        if witnesses.insert(witness) {
            kept.push(line.clone());
        }
    }
    if !charter.witness_quorum.satisfied(&witnesses) {
        // No quorum of the charter in force; one of an earlier version may be in it.
        return note.clone();
    }
    Note { text: note.text.clone(), signatures: kept }
}
