//! A model of authority: small machines whose every state is looked at.
//!
//! Each model states one theme of `docs/spec/05` as a state machine over tiny domains (three to five council members, a few
//! log sizes, three days) and the properties that must hold in every state. `explore` walks all of them.
//!
//! - `directory` and `enrolment`: the fold of the register, and who may decide;
//! - `anchors`: heads, states, finality and receipts;
//! - `succession`: charters, the closing of a register, stolen retired keys;
//! - `recovery`: a council that loses its keeper;
//! - `witnesses`: quorums of one log, and a witness that is restored.
//!
//! An [`OldRule`] puts one rule back as it was before, or as it was first proposed; the property that it breaks is named beside it, and a
//! test requires that exactly this is found. Out of scope: bytes, signatures, the network, quotas.

mod anchors;
mod directory;
mod enrolment;
mod explore;
mod quorum;
mod recovery;
mod rules;
mod succession;
mod witnesses;

pub use explore::{Exploration, Trace, explore_models, explore_mutant};
pub use rules::{OldRule, Rules};
