//! What is to be done with a mapped row, given what the node has and what the journal remembers.

use super::journal::JournalEntry;
use super::mapper::Mapped;
use super::mapping::Kind;
use super::publisher::{Existing, Submission};
use hutong_crypto::Hash;
use serde_json::{Map, Value, json};

/// The decision for one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// The node does not have it.
    New(Submission),
    /// The node has it with other content: publish this as the given revision.
    Revise { submission: Submission, revision: u64, warning: Option<&'static str> },
    /// The node has it as it is.
    Unchanged { warning: Option<&'static str> },
    /// It differs, and the node's is kept, for this reason.
    Kept(&'static str),
    /// It cannot be published, for this reason.
    Refused(&'static str),
}

/// BLAKE3 over audience, body and confidential values, without revision.
pub(super) fn digest(submission: &Submission) -> Hash {
    let content = json!([submission.audience, submission.body, submission.confidential]);
    hutong_crypto::blake3(&hutong_protocol::json::canonicalize(&content))
}

/// Decides for one row.
pub(super) fn plan(
    kind: Kind,
    amend: bool,
    mapped: Mapped,
    existing: Option<&Existing>,
    journal: Option<&JournalEntry>,
) -> Plan {
    let digest = digest(&mapped.submission).to_string();
    let remembered = journal.is_some_and(|entry| entry.digest == digest);
    match (kind, existing) {
        (Kind::Listing, None) => Plan::New(with(mapped.submission, "revision", 1.into())),
        (Kind::Contract, None) => Plan::New(with(mapped.submission, "event", "registered".into())),
        (Kind::Listing, Some(existing)) => {
            listing(mapped.submission, existing, journal, remembered)
        }
        (Kind::Contract, Some(existing)) => {
            contract(mapped.submission, existing, amend, remembered)
        }
    }
}

fn listing(
    submission: Submission,
    existing: &Existing,
    journal: Option<&JournalEntry>,
    remembered: bool,
) -> Plan {
    let same = without(&existing.body, &["revision"]) == submission.body
        && existing.audience == submission.audience;
    if existing.ended {
        return Plan::Kept("the listing is withdrawn or traded at the node");
    }
    if same {
        return Plan::Unchanged { warning: None };
    }
    if remembered {
        return Plan::Kept(
            "the listing was revised at the node after its import, the source is unchanged",
        );
    }
    let overwritten = journal.is_some_and(|entry| entry.revision < existing.revision);
    let revision = existing.revision + 1;
    Plan::Revise {
        submission: with(submission, "revision", revision.into()),
        revision,
        warning: overwritten.then_some("replaces a revision that was made at the node"),
    }
}

fn contract(submission: Submission, existing: &Existing, amend: bool, remembered: bool) -> Plan {
    let public = without(&existing.body, &["claims", "event", "previous"]) == submission.body
        && existing.audience == submission.audience;
    let confidential = match &existing.confidential {
        Some(values) => *values == submission.confidential,
        None => remembered,
    };
    if public && confidential {
        return Plan::Unchanged { warning: None };
    }
    if public && existing.confidential.is_none() {
        return Plan::Unchanged {
            warning: Some("registered already; its confidential values could not be compared"),
        };
    }
    if existing.ended {
        return Plan::Refused(
            "the contract is cancelled or revoked at the node: its content is final",
        );
    }
    if !amend {
        return Plan::Refused(
            "the contract is registered with other content: set amend = true in the mapping to amend it",
        );
    }
    let submission = with(submission, "event", "amended".into());
    let submission = with(submission, "previous", existing.statement.clone().into());
    Plan::Revise { submission, revision: existing.revision + 1, warning: None }
}

fn with(mut submission: Submission, member: &str, value: Value) -> Submission {
    submission.body.insert(member.to_owned(), value);
    submission
}

fn without(body: &Map<String, Value>, members: &[&str]) -> Map<String, Value> {
    body.iter()
        .filter(|(name, _)| !members.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
