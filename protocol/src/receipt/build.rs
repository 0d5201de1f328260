//! Making a receipt.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use hutong_crypto::{cosignature::verify_cosignature_strict, note::Note, proof::TlogProof};

use super::{
    authority::{Authority, AuthorityError, Bundle, ProvenEntry, TrustedAuthority},
    model::{DISCLOSURES_MAX, Disclosure, EVENTS_MAX, Event, Place, RECEIPT_BYTES_MAX, Receipt},
    report::{Report, Verdict},
    verifier::{Policy, verify},
};
use crate::{
    charter::{Charter, CharterChain},
    directory::{AnchoredLeaf, OpenedState, register_version},
    entry::Entry,
    id::{ExchangeId, Origin},
    statement::Statement,
};

/// What a receipt is made from. Every checkpoint carries a witness quorum.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The federation's charters in effect.
    pub charters: CharterChain,
    /// For each version but the last, the entry of its register by which the next one took effect, as the last
    /// leaf of the proof's checkpoint.
    pub successions: Vec<ProvenEntry>,
    /// What was said.
    pub entry: Entry,
    /// Where.
    pub place: Place,
    /// The issuer's leaf in the anchor.
    pub leaf: AnchoredLeaf,
    /// The anchor; of a closed register under its closing checkpoint.
    pub register: ProvenEntry,
    /// The issuer's state by the leaf, with the epochs of the entry and of all events
    /// ([`Member::open`](crate::directory::Member::open)).
    pub state: OpenedState,
    /// Committed fields to show, by name.
    pub disclosures: BTreeMap<String, Disclosure>,
    /// The other events of the same contract or listing that took effect, from the first on up to the size of
    /// the tree that `place` is in, in any order.
    pub events: Vec<Event>,
    /// That size.
    pub as_of: u64,
    /// Leaves the charters out: for verifiers that have them.
    pub without_authority: bool,
}

/// Why no receipt is made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// More parts than a receipt holds.
    #[error("expected at most {max} {what}, got {met}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        max: usize,
        /// How many there are.
        met: usize,
    },
    /// The receipt is too large: make it without charters, for verifiers that have them.
    #[error(
        "expected at most {RECEIPT_BYTES_MAX} bytes, got {met}; leave the charters to a bundle"
    )]
    TooLong {
        /// How many bytes.
        met: usize,
    },
    /// The charters are not shown to be in effect.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The statement decides about a member.
    #[error(
        "no receipt shows whether a decision about a member took effect: the register does, which every node has"
    )]
    Membership,
    /// It would not verify: the report says why.
    #[error("the receipt would not verify: {}", .0.verdict.as_str())]
    Refused(Box<Report>),
}

/// Makes the file of a receipt.
///
/// Signature lines that a receipt does not need are left out: cosignatures of others than the council,
/// and those after the quorum was complete. The result was verified, so that no node hands out a
/// receipt that is invalid.
///
/// # Errors
///
/// A [`BuildError`] that says what to change.
pub fn build(inputs: Inputs) -> Result<Vec<u8>, BuildError> {
    at_most("disclosures", DISCLOSURES_MAX, inputs.disclosures.len())?;
    at_most("events", EVENTS_MAX, inputs.events.len())?;
    let statement = Statement::parse(inputs.entry.statement_bytes());
    if statement.is_ok_and(|statement| statement.kind.is_membership()) {
        return Err(BuildError::Membership);
    }
    let (charters, expected) = (&inputs.charters, inputs.charters.federation_id());
    let successions = inputs.successions.into_iter();
    let authority = Authority {
        charters: charters.versions().iter().map(|version| version.signed().clone()).collect(),
        successions: successions.map(|proven| slim_entry(charters, proven)).collect(),
    };
    let mut events = inputs.events;
    events.sort_by_key(|event| event.inclusion.index);
    let mut receipt = Receipt {
        federation: expected,
        entry: inputs.entry,
        place: match inputs.place {
            Place::Provisional { proof, extension } => {
                Place::Provisional { proof: slim(charters, proof), extension }
            }
            anchored @ Place::Anchored(_) => anchored,
        },
        leaf: inputs.leaf,
        register: slim_entry(charters, inputs.register),
        state: inputs.state,
        authority: None,
        disclosures: inputs.disclosures,
        events,
        as_of: inputs.as_of,
    };
    let trusted = if inputs.without_authority {
        let (anchors, states) = (Vec::new(), Vec::new());
        Some(TrustedAuthority::verify(&Bundle { authority, anchors, states }, &expected)?)
    } else {
        receipt.authority = Some(authority);
        None
    };
    let bytes = receipt.encode();
    if bytes.len() > RECEIPT_BYTES_MAX {
        return Err(BuildError::TooLong { met: bytes.len() });
    }
    let report = verify(&bytes, &expected, &Policy { authority: trusted.as_ref(), now: None });
    match report.verdict {
        Verdict::Invalid | Verdict::NotVerifiableHere => Err(BuildError::Refused(Box::new(report))),
        Verdict::Valid
        | Verdict::ValidSuperseded
        | Verdict::ValidThenCancelled
        | Verdict::Provisional
        | Verdict::Void => Ok(bytes),
    }
}

fn at_most(what: &'static str, max: usize, met: usize) -> Result<(), BuildError> {
    if met > max { Err(BuildError::TooMany { what, max, met }) } else { Ok(()) }
}

fn slim_entry(charters: &CharterChain, proven: ProvenEntry) -> ProvenEntry {
    ProvenEntry { entry: proven.entry, proof: slim(charters, proven.proof) }
}

/// Keeps what a receipt needs of a proof: no extra line, the log's signature, and the earliest
/// cosignatures that make a quorum of the charter by which the log is judged.
fn slim(charters: &CharterChain, mut proof: TlogProof) -> TlogProof {
    proof.extra = None;
    proof.checkpoint = slim_note(charters, &proof.checkpoint).unwrap_or(proof.checkpoint);
    proof
}

fn slim_note(charters: &CharterChain, note: &Note) -> Option<Note> {
    let origin: Origin = note.text.lines().next()?.parse().ok()?;
    let (charter, owner) = match register_version(origin.exchange()) {
        Some(version) => {
            let charter = charters.version_at(version)?.charter();
            (charter, &charter.keeper)
        }
        None => (charters.latest(), origin.exchange()),
    };
    let own = note.signatures.iter().filter(|line| line.name == origin.as_str()).take(1);
    let mut kept: Vec<_> = own.cloned().collect();
    let mut cosigned: Vec<_> = note
        .signatures
        .iter()
        .filter_map(|line| Some((cosigned_by(charter, owner, &note.text, line)?, line)))
        .collect();
    cosigned.sort_by(|(a, _), (b, _)| a.cmp(b));
    cosigned.dedup_by(|(a, _), (b, _)| a.1 == b.1);
    let needed = charter.quorum_without(owner) as usize;
    kept.extend(cosigned.into_iter().take(needed).map(|(_, line)| line.clone()));
    Some(Note { text: note.text.clone(), signatures: kept })
}

/// When and by which seat of the charter the line cosigns, if it counts.
fn cosigned_by(
    charter: &Charter,
    owner: &ExchangeId,
    text: &str,
    line: &hutong_crypto::note::NoteSignature,
) -> Option<(u64, ExchangeId)> {
    let name: Origin = line.name.strip_suffix("/witness")?.parse().ok()?;
    let witness = name.exchange();
    let seat = charter.council_member(witness).filter(|_| witness != owner)?;
    let cosignature = verify_cosignature_strict(text, line, &line.name, &seat.witness_key).ok()?;
    Some((cosignature.timestamp, witness.clone()))
}
