//! The check of an entry on its own: is it signed, and does it say something well formed?
//!
//! The verdict depends on nothing but the entry's bytes and the log that holds it, so that all
//! nodes agree on it and a driver may compute it in parallel, in any order.
//!
//! Not here: whether the key may sign for the exchange ([`crate::directory`]), and whether the
//! statement follows from those before it ([`crate::contract`], [`crate::listing`]).

use alloc::vec::Vec;

use hutong_crypto::batch::{SignedMessage, verify_batch};

use crate::entry::Entry;
use crate::id::ExchangeId;
use crate::statement::{Statement, StatementType};

/// What checking one entry found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Signed and well formed.
    Sound,
    /// Signed and well formed, and about membership: the directory depends on it.
    Membership,
    /// Of no effect for ever. It keeps its place in the tree.
    Void,
}

/// Checks entries of `log`: one outcome for each, in order.
///
/// Signatures are checked by ZIP 215, as one batch.
pub fn entries(log: &ExchangeId, entries: &[Entry]) -> Vec<Outcome> {
    let messages: Vec<Vec<u8>> = entries.iter().map(Entry::signed_message).collect();
    let signed: Vec<SignedMessage<'_>> = entries
        .iter()
        .zip(&messages)
        .map(|(entry, message)| SignedMessage {
            key: entry.issuer_key(),
            message,
            signature: entry.signature(),
        })
        .collect();
    verify_batch(&signed)
        .into_iter()
        .zip(entries)
        .map(|(signed, entry)| if signed { statement(log, entry) } else { Outcome::Void })
        .collect()
}

fn statement(log: &ExchangeId, entry: &Entry) -> Outcome {
    match Statement::parse(entry.statement_bytes()) {
        Ok(statement) if statement.issuer != *log => Outcome::Void,
        Ok(statement) => outcome_of(&statement.kind),
        Err(_) => Outcome::Void,
    }
}

fn outcome_of(kind: &StatementType) -> Outcome {
    match kind {
        StatementType::MemberAdmit
        | StatementType::MemberSuspend
        | StatementType::MemberReinstate
        | StatementType::MemberExpel
        | StatementType::MemberRekey => Outcome::Membership,
        StatementType::Listing
        | StatementType::ListingStatus
        | StatementType::Contract
        | StatementType::Evidence
        | StatementType::Unknown(_) => Outcome::Sound,
    }
}
