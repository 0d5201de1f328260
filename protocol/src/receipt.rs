//! Receipts: what convinces a stranger, offline, that an exchange said something.
//!
//! One file in canonical JSON: the entry, the proof that it is in its log as an anchor of the register has it,
//! what that anchor says of the issuer, the charters that give the register its authority, and the other events
//! of the same contract or listing. [`build`] makes one and [`verify`] checks it with the federation's id and
//! nothing else.
//!
//! The rules of [`verify`] are strict where nodes are lenient, so that a receipt has one form and a
//! changed bit anywhere never leaves it valid: signatures hold by RFC 8032's strict reading, every
//! signature line is by a known key, every part is checked whether needed or not, and no member is
//! unknown.

mod authority;
mod build;
mod compact;
mod findings;
mod judge;
mod life;
mod model;
mod prover;
mod report;
mod text;
mod verifier;
mod verify;

pub use authority::{
    Authority, AuthorityError, BUNDLE_BYTES_MAX, Bundle, BundleAnchor, ProvenEntry,
    TrustedAuthority,
};
pub use build::{BuildError, Inputs, build};
pub use compact::{COMPACT_BYTES_MAX, CompactError, CompactReceipt};
pub use model::{
    DISCLOSURES_MAX, Disclosure, EVENTS_MAX, Event, Inclusion, Place, RECEIPT_BYTES_MAX,
    RECEIPT_FORMAT, Receipt, ReceiptError,
};
pub use prover::ProofProblem;
pub use report::{Check, Language, Later, Outcome, Report, Summary, Verdict};
pub use verifier::{Claim, OneByOne, Policy, StrictRule, Verifier, verify, verify_compact};

#[cfg(test)]
mod tests;
