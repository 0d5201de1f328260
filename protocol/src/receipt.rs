//! Receipts: what convinces a stranger, offline, that an exchange said something.
//!
//! One file in canonical JSON: the entry, the proof that it is in its log under a checkpoint that a
//! quorum of witnesses cosigned, the charters and admissions that give its issuer authority, each
//! with its own proof, and what was said later about the same contract or listing. [`build`] makes
//! one and [`verify`] checks it with the federation's id and nothing else, by the same directory
//! that nodes use.
//!
//! The rules of [`verify`] are strict where nodes are lenient, so that a receipt has one form and a
//! changed bit anywhere never leaves it valid: signatures hold by RFC 8032's strict reading, every
//! signature line is by a known key, every part is checked whether needed or not, and no member is
//! unknown.

mod authority;
mod build;
mod compact;
mod life;
mod model;
mod prover;
mod report;
mod text;
mod verifier;
mod verify;

pub use authority::{Authority, AuthorityError, BUNDLE_BYTES_MAX, ProvenEntry, TrustedAuthority};
pub use build::{BuildError, Inputs, build};
pub use compact::{COMPACT_BYTES_MAX, CompactError};
pub use model::{
    DISCLOSURES_MAX, Disclosure, EVENTS_MAX, FACTS_MAX, RECEIPT_BYTES_MAX, RECEIPT_FORMAT, Receipt,
    ReceiptError,
};
pub use prover::ProofProblem;
pub use report::{Check, Language, Later, Outcome, Report, Summary, Verdict, Voucher};
pub use verifier::{Claim, OneByOne, Policy, StrictRule, Verifier, verify, verify_compact};

#[cfg(test)]
mod tests;
