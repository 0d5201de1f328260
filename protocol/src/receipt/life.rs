//! What later entries say about the one that a receipt is for.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use serde_json::Value;

use super::report::Later;
use crate::{
    id::StatementId,
    statement::{Statement, StatementType},
};

/// How a contract or listing stands after its later events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Nothing later changes it.
    Current,
    /// An amendment or revision replaces it.
    Superseded,
    /// It was cancelled or withdrawn.
    Cancelled,
    /// It was revoked.
    Revoked,
}

/// A statement with its place.
pub(super) struct Placed<'a> {
    pub(super) id: StatementId,
    pub(super) index: u64,
    pub(super) statement: &'a Statement,
}

/// Why later entries do not belong to the receipt's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LifeProblem {
    #[error("the events are not later entries of the same log in ascending order")]
    Order,
    #[error("an event is about another contract or listing, or does not name the event before it")]
    Stranger,
    #[error("an event follows a cancellation or revocation, which are final")]
    AfterTheEnd,
    #[error("statements of this type have no later events")]
    NoLife,
}

impl LifeProblem {
    pub(super) const fn zh(self) -> &'static str {
        match self {
            Self::Order => "后续事件不是同一日志中按序在后的条目",
            Self::Stranger => "后续事件属于另一合同或挂牌，或未指明前一事件",
            Self::AfterTheEnd => "注销或撤销为终态，其后不得再有事件",
            Self::NoLife => "该类型的声明没有后续事件",
        }
    }
}

/// Follows the life of `subject` through `events`.
pub(super) fn follow(
    subject: &Placed<'_>,
    events: &[Placed<'_>],
) -> Result<(Life, Vec<Later>), LifeProblem> {
    let mut index = subject.index;
    for event in events {
        if event.index <= index || event.statement.issuer != subject.statement.issuer {
            return Err(LifeProblem::Order);
        }
        index = event.index;
    }
    match subject.statement.kind {
        StatementType::Contract => contract(subject, events),
        StatementType::Listing => listing(subject, events),
        _ if events.is_empty() => Ok((Life::Current, Vec::new())),
        _ => Err(LifeProblem::NoLife),
    }
}

fn contract(
    subject: &Placed<'_>,
    events: &[Placed<'_>],
) -> Result<(Life, Vec<Later>), LifeProblem> {
    let number = text(subject.statement, "registration_no");
    let mut life = match text(subject.statement, "event") {
        Some("cancelled") => Life::Cancelled,
        Some("revoked") => Life::Revoked,
        _ => Life::Current,
    };
    let mut previous = subject.id.to_string();
    let mut later = Vec::new();
    for placed in events {
        let statement = placed.statement;
        let follows = statement.kind == StatementType::Contract
            && number.is_some()
            && text(statement, "registration_no") == number
            && text(statement, "previous") == Some(&previous);
        if !follows {
            return Err(LifeProblem::Stranger);
        }
        if matches!(life, Life::Cancelled | Life::Revoked) {
            return Err(LifeProblem::AfterTheEnd);
        }
        let event = text(statement, "event").ok_or(LifeProblem::Stranger)?;
        life = match event {
            "amended" => Life::Superseded,
            "cancelled" => Life::Cancelled,
            "revoked" => Life::Revoked,
            _ => return Err(LifeProblem::Stranger),
        };
        previous = placed.id.to_string();
        later.push(noted(placed, event));
    }
    Ok((life, later))
}

fn listing(subject: &Placed<'_>, events: &[Placed<'_>]) -> Result<(Life, Vec<Later>), LifeProblem> {
    let id = text(subject.statement, "listing_id");
    let mut revision = number(subject.statement, "revision");
    let (mut superseded, mut withdrawn) = (false, false);
    let mut later = Vec::new();
    for placed in events {
        let statement = placed.statement;
        if id.is_none() || text(statement, "listing_id") != id {
            return Err(LifeProblem::Stranger);
        }
        match statement.kind {
            StatementType::Listing if number(statement, "revision") > revision => {
                revision = number(statement, "revision");
                superseded = true;
                later.push(noted(placed, "revised"));
            }
            StatementType::ListingStatus => {
                let status = text(statement, "status").ok_or(LifeProblem::Stranger)?;
                withdrawn = status == "withdrawn" || (withdrawn && status != "listed");
                later.push(noted(placed, status));
            }
            _ => return Err(LifeProblem::Stranger),
        }
    }
    let life = match (withdrawn, superseded) {
        (true, _) => Life::Cancelled,
        (false, true) => Life::Superseded,
        (false, false) => Life::Current,
    };
    Ok((life, later))
}

fn noted(placed: &Placed<'_>, event: &str) -> Later {
    Later {
        statement: placed.id,
        index: placed.index,
        event: String::from(event),
        issued_at: placed.statement.issued_at,
    }
}

fn text<'a>(statement: &'a Statement, member: &str) -> Option<&'a str> {
    statement.body.get(member).and_then(Value::as_str)
}

fn number(statement: &Statement, member: &str) -> Option<u64> {
    statement.body.get(member).and_then(Value::as_u64)
}
