//! The check of an entry on its own: is it signed, and does it say something well formed?
//!
//! The verdict depends on nothing but the entry's bytes and the log that holds it, so that all
//! nodes agree on it and a driver may compute it in parallel, in any order.
//!
//! Not here: whether the key may sign for the exchange ([`crate::directory`]), and whether the
//! statement follows from those before it ([`crate::contract`], [`crate::listing`]).

use alloc::string::String;
use alloc::vec::Vec;

use hutong_crypto::batch::{SignedMessage, verify_batch};

use crate::audience::Audience;
use crate::entry::{Entry, SUITE_ED25519};
use crate::id::ExchangeId;
use crate::limits::MEMBERSHIP_ENTRY_BYTES_MAX;
use crate::statement::{Said, StatementType};

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
    let heads: Vec<String> = entries.iter().map(Entry::signed_head).collect();
    let signed: Vec<SignedMessage<'_>> = entries
        .iter()
        .zip(&heads)
        .map(|(entry, head)| SignedMessage {
            key: entry.issuer_key(),
            head: head.as_bytes(),
            message: entry.statement_bytes(),
            signature: entry.signature(),
        })
        .collect();
    verify_batch(&signed)
        .into_iter()
        .zip(entries)
        .map(|(signed, entry)| {
            // The signature does not cover the suite: one that is good in suite 1 proves nothing in
            // another.
            let readable = signed && entry.suite() == SUITE_ED25519;
            let said = readable.then(|| Said::parse(entry.statement_bytes()).ok()).flatten();
            said.map_or(Outcome::Void, |said| outcome(log, entry, &said))
        })
        .collect()
}

fn outcome(log: &ExchangeId, entry: &Entry, said: &Said) -> Outcome {
    if said.issuer != *log {
        return Outcome::Void;
    }
    match outcome_of(&said.kind) {
        // Who is a member is for everybody to know, or nodes would disagree on it.
        Outcome::Membership
            if said.audience != Audience::Public
                || entry.as_bytes().len() > MEMBERSHIP_ENTRY_BYTES_MAX =>
        {
            Outcome::Void
        }
        outcome => outcome,
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::vec;

    use bytes::Bytes;
    use hutong_crypto::keys::SigningKey;
    use serde_json::{Value, json};

    use super::*;
    use crate::statement::Draft;
    use crate::time::Timestamp;

    fn exchange(text: &str) -> ExchangeId {
        text.parse().unwrap()
    }

    fn entry(kind: StatementType, body: Value) -> Entry {
        let statement = Draft {
            audience: Audience::Public,
            issued_at: Timestamp::default(),
            issuer: exchange("cn-33-zhejiang"),
            salt: [1; 16],
            kind,
            body,
        };
        Entry::sign(&SigningKey::from_bytes(&[7; 32]), &statement.encode().unwrap()).unwrap()
    }

    /// The entry with one byte changed.
    fn changed(entry: &Entry, at: usize) -> Entry {
        let mut bytes = entry.as_bytes().to_vec();
        bytes[at] ^= 2;
        Entry::parse(Bytes::from(bytes)).unwrap()
    }

    #[test]
    fn each_entry_has_its_own_outcome() {
        let other = || StatementType::Unknown("example/note/v1".into());
        let note = entry(other(), json!({}));
        let unsigned = Entry::sign(&SigningKey::from_bytes(&[7; 32]), b"{}").unwrap();
        let recorded = [
            note.clone(),
            entry(StatementType::MemberExpel, json!({"member": "x"})),
            changed(&note, 40),
            unsigned,
            note.clone(),
        ];
        let found = entries(&exchange("cn-33-zhejiang"), &recorded);
        assert_eq!(
            found,
            vec![Outcome::Sound, Outcome::Membership, Outcome::Void, Outcome::Void, Outcome::Sound,]
        );
        assert_eq!(entries(&exchange("cn-34-anhui"), &[note]), vec![Outcome::Void]);
    }

    #[test]
    fn a_signature_that_is_good_in_suite_1_counts_in_no_other() {
        let note = entry(StatementType::Unknown("example/note/v1".into()), json!({}));
        let relabelled = changed(&note, 1);
        assert_eq!((relabelled.suite(), relabelled.signature()), (3, note.signature()));
        let found = entries(&exchange("cn-33-zhejiang"), &[relabelled]);
        assert_eq!(found, vec![Outcome::Void]);
    }
}
