//! The check of an entry on its own: is it signed, and is its envelope in form?
//!
//! The verdict depends on nothing but the entry's bytes and the log that holds it, so that all
//! nodes agree on it and a driver may compute it in parallel, in any order. It does not depend on
//! what the statement's body says: nodes of different versions know different types.
//!
//! Not here: whether the key may sign for the exchange ([`crate::directory`]), whether the body is
//! as its type prescribes ([`crate::body`]), and whether the statement follows from those before it
//! ([`crate::contract`], [`crate::listing`]).

use alloc::string::String;
use alloc::vec::Vec;

use hutong_crypto::batch::{SignedMessage, verify_batch};
use hutong_crypto::keys::{PublicKey, Signature};

use crate::audience::Audience;
use crate::entry::Entry;
use crate::id::ExchangeId;
use crate::limits::MEMBERSHIP_ENTRY_BYTES_MAX;
use crate::statement::Envelope;

/// What checking one entry found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Signed, with an envelope in form.
    Sound,
    /// The same, public, and about membership: the directory depends on it.
    Membership,
    /// Of a suite or version that is not known here: kept, and shown by its audience where that can
    /// be read, but it counts for nothing.
    Unverifiable,
    /// Of no effect for ever. It keeps its place in the tree.
    Void,
}

/// Checks entries of `log`: one outcome for each, in order.
///
/// Signatures are checked by ZIP 215, as one batch.
pub fn entries(log: &ExchangeId, entries: &[Entry]) -> Vec<Outcome> {
    let verifiable: Vec<(&Entry, String, PublicKey, Signature)> = entries
        .iter()
        .filter_map(|entry| {
            let (key, signature) = entry.key_and_signature().ok()?;
            Some((entry, entry.signed_head(), key, signature))
        })
        .collect();
    let signed: Vec<SignedMessage<'_>> = verifiable
        .iter()
        .map(|(entry, head, key, signature)| SignedMessage {
            key: *key,
            head: head.as_bytes(),
            message: entry.statement_bytes(),
            signature: *signature,
        })
        .collect();
    let mut verdicts = verify_batch(&signed).into_iter();
    entries
        .iter()
        .map(|entry| {
            if !entry.is_verifiable() {
                return Outcome::Unverifiable;
            }
            let signed = verdicts.next().unwrap_or(false);
            let envelope = signed.then(|| Envelope::parse(entry.statement_bytes()).ok()).flatten();
            envelope.map_or(Outcome::Void, |envelope| outcome(log, entry, &envelope))
        })
        .collect()
}

fn outcome(log: &ExchangeId, entry: &Entry, envelope: &Envelope) -> Outcome {
    if envelope.issuer != *log {
        return Outcome::Void;
    }
    // Who is a member is for everybody to know, or nodes would disagree on it. A restricted or large
    // statement about members is an entry like any other, without effect on the directory.
    let for_directory = envelope.kind.is_membership()
        && envelope.audience == Audience::Public
        && entry.as_bytes().len() <= MEMBERSHIP_ENTRY_BYTES_MAX;
    if for_directory { Outcome::Membership } else { Outcome::Sound }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::{format, vec};

    use bytes::Bytes;
    use hutong_crypto::keys::SigningKey;
    use serde_json::{Value, json};

    use super::*;
    use crate::statement::{Draft, Frame, StatementType};
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
    fn what_cannot_be_verified_is_neither_sound_nor_void() {
        let note = entry(StatementType::Unknown("example/note/v1".into()), json!({}));
        // The signature does not cover the suite: one that is good in suite 1 proves nothing in
        // another.
        let relabelled = changed(&note, 1);
        assert_eq!(relabelled.suite(), Ok(3));
        let later = Entry::parse(Bytes::from_static(b"\x02of a later version")).unwrap();
        let found = entries(&exchange("cn-33-zhejiang"), &[relabelled, note, later]);
        assert_eq!(found, [Outcome::Unverifiable, Outcome::Sound, Outcome::Unverifiable]);
    }

    /// An entry whose body nobody has looked at.
    fn unjudged(kind: &StatementType, audience: &Audience, body: &str) -> Entry {
        let issuer = exchange("cn-33-zhejiang");
        let frame = Frame {
            audience,
            issued_at: Timestamp::default(),
            issuer: &issuer,
            salt: [1; 16],
            kind,
        };
        let mut statement = Vec::new();
        frame.append(body.as_bytes(), &mut statement);
        Entry::sign(&SigningKey::from_bytes(&[7; 32]), &statement).unwrap()
    }

    #[test]
    fn a_body_changes_no_verdict() {
        let log = exchange("cn-33-zhejiang");
        let unknown = StatementType::Unknown("example/note/v1".into());
        for kind in StatementType::KNOWN.into_iter().chain([unknown]) {
            let expected = if kind.is_membership() { Outcome::Membership } else { Outcome::Sound };
            for body in ["{}", r#"{"contact":"a person"}"#, r#"{"listing_id":7}"#] {
                let found = entries(&log, &[unjudged(&kind, &Audience::Public, body)]);
                assert_eq!(found, [expected], "{} {body}", kind.as_str());
                let found = entries(&log, &[unjudged(&kind, &Audience::Domestic, body)]);
                assert_eq!(found, [Outcome::Sound], "{} {body}", kind.as_str());
            }
            // No object, a fraction, and no canonical form: for each type alike.
            for body in ["[]", r#"{"a":1.5}"#, r#"{"b":1,"a":1}"#] {
                let found = entries(&log, &[unjudged(&kind, &Audience::Public, body)]);
                assert_eq!(found, [Outcome::Void], "{} {body}", kind.as_str());
            }
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MEMBERSHIP_ENTRY_BYTES_MAX));
        let found =
            entries(&log, &[unjudged(&StatementType::MemberExpel, &Audience::Public, &large)]);
        assert_eq!(found, [Outcome::Sound]);
    }
}
