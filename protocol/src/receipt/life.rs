//! What later entries say about the one that a receipt is for, by the same folds as everywhere
//! ([`ContractState::apply`], [`ListingState::apply`]), begun at the receipt's own entry.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::report::Later;
use crate::{
    codes::{ContractEventKind, ListingStatusKind},
    contract::{Contract, ContractState, ContractVoid},
    id::StatementId,
    listing::{Listing, ListingEvent, ListingState, ListingStatus, ListingVoid},
    statement::{Statement, StatementError, StatementType},
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LifeProblem {
    #[error("the events are not later entries of the same log in ascending order")]
    Order,
    #[error("an event is of a type that says nothing about the receipt's")]
    Stranger,
    #[error("a body is not as its type prescribes")]
    Form(#[from] StatementError),
    #[error("an event takes no effect: {0}")]
    Contract(#[from] ContractVoid),
    #[error("an event takes no effect: {0}")]
    Listing(#[from] ListingVoid),
    #[error("statements of this type have no later events")]
    NoLife,
}

impl LifeProblem {
    pub(super) const fn zh(&self) -> &'static str {
        match self {
            Self::Order => "后续事件不是同一日志中按序在后的条目",
            Self::Stranger => "后续事件的类型与凭据所载声明无关",
            Self::Form(_) => "声明正文不符合其类型的规定",
            Self::Contract(_) | Self::Listing(_) => {
                "后续事件不生效：属于另一合同或挂牌、未承接前一事件，或前一状态为终态"
            }
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
    let contract = Contract::from_body(&subject.statement.body)?;
    let mut state = ContractState::from_event(&contract, subject.id);
    let mut later = Vec::new();
    for placed in events {
        if placed.statement.kind != StatementType::Contract {
            return Err(LifeProblem::Stranger);
        }
        let contract = Contract::from_body(&placed.statement.body)?;
        state = ContractState::apply(Some(&state), &contract, placed.id)?;
        later.push(noted(placed, state.event.as_str()));
    }
    let life = match state.event {
        ContractEventKind::Cancelled => Life::Cancelled,
        ContractEventKind::Revoked => Life::Revoked,
        ContractEventKind::Registered | ContractEventKind::Amended if events.is_empty() => {
            Life::Current
        }
        ContractEventKind::Registered | ContractEventKind::Amended => Life::Superseded,
    };
    Ok((life, later))
}

fn listing(subject: &Placed<'_>, events: &[Placed<'_>]) -> Result<(Life, Vec<Later>), LifeProblem> {
    let listing = Arc::new(Listing::from_body(&subject.statement.body)?);
    let mut state = ListingState::from_revision(&listing, subject.id);
    let mut later = Vec::new();
    for placed in events {
        let body = &placed.statement.body;
        let (event, name) = match placed.statement.kind {
            StatementType::Listing => {
                (ListingEvent::Revision(Arc::new(Listing::from_body(body)?)), "revised")
            }
            StatementType::ListingStatus => {
                let status = ListingStatus::from_body(body)?;
                let name = status.status.as_str();
                (ListingEvent::Status(status), name)
            }
            _ => return Err(LifeProblem::Stranger),
        };
        state = ListingState::apply(Some(&state), &event, placed.id)?;
        later.push(noted(placed, name));
    }
    let life = match state.standing {
        ListingStatusKind::Withdrawn => Life::Cancelled,
        ListingStatusKind::Audited
        | ListingStatusKind::Listed
        | ListingStatusKind::Traded
        | ListingStatusKind::Disclosed
        | ListingStatusKind::Objected => {
            if state.revised_by == subject.id {
                Life::Current
            } else {
                Life::Superseded
            }
        }
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
