//! What the events of a contract or listing amount to, by the same folds as everywhere
//! ([`ContractState::apply`], [`ListingState::apply`]), from the first event on.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::report::Later;
use crate::{
    codes::{ContractEventKind, ListingStatusKind},
    contract::{Contract, ContractState, ContractVoid},
    id::StatementId,
    listing::{Listing, ListingEvent, ListingState, ListingStatus, ListingVoid},
    statement::{Statement, StatementError, StatementType},
};

/// How a contract or listing stands after its events, as far as the receipt's own entry is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Nothing later changes it.
    Current,
    /// An amendment, a revision or another status replaces it.
    Superseded,
    /// It was cancelled or withdrawn.
    Cancelled,
    /// It was revoked.
    Revoked,
    /// It took no effect at its place.
    Idle,
}

/// An entry with its index.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) id: StatementId,
    pub(super) index: u64,
    pub(super) statement: &'a Statement,
    /// Whether its issuer was entitled to say it there.
    pub(super) counts: bool,
}

/// What came of folding the events.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) life: Life,
    /// The registration number or listing id.
    pub(super) subject: Option<String>,
    /// Later events that took effect.
    pub(super) later: Vec<Later>,
    /// Why entries took no effect, by index.
    pub(super) idle: Vec<(u64, LifeVoid)>,
}

/// Why the events do not belong to the receipt's entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LifeProblem {
    #[error("the events are not in ascending order, or the receipt's own entry is among them")]
    Order,
    #[error(
        "an event is about another contract or listing, or of a type that says nothing about it"
    )]
    Stranger,
    #[error("a body is not as its type prescribes")]
    Form(#[from] StatementError),
    #[error("statements of this type have no events")]
    NoLife,
    #[error(
        "whether a decision about a member took effect is for the register to say, and no receipt shows it"
    )]
    Membership,
    #[error(
        "only a register records statements of this type: in a member's log it takes no effect"
    )]
    OfRegister,
}

/// Why an entry changes nothing at its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LifeVoid {
    #[error("its issuer was not entitled to say it there")]
    NotEntitled,
    #[error(transparent)]
    Contract(#[from] ContractVoid),
    #[error(transparent)]
    Listing(#[from] ListingVoid),
}

impl LifeProblem {
    pub(super) const fn zh(&self) -> &'static str {
        match self {
            Self::Order => "事件未按位置升序排列，或含凭证自身的条目",
            Self::Stranger => "有事件属于另一合同或挂牌，或其类型与之无关",
            Self::Form(_) => "声明正文不符合其类型的规定",
            Self::NoLife => "该类型的声明没有其他事件",
            Self::Membership => "成员决定是否生效由名册认定，凭证不能证明",
            Self::OfRegister => "该类型的声明只由名册记录，在成员日志中不生效",
        }
    }
}

/// Folds `events`, the others about the same contract or listing, with `entry` at its place.
pub(super) fn follow(entry: &Placed<'_>, events: &[Placed<'_>]) -> Result<Course, LifeProblem> {
    let mut all: Vec<Placed<'_>> = events.to_vec();
    let at = events.partition_point(|event| event.index < entry.index);
    all.insert(at, *entry);
    if !all.is_sorted_by(|a, b| a.index < b.index) {
        return Err(LifeProblem::Order);
    }
    let kind = &entry.statement.kind;
    match kind {
        StatementType::Contract => fold::<ContractState>(&all, entry.index),
        StatementType::Listing | StatementType::ListingStatus => {
            fold::<ListingState>(&all, entry.index)
        }
        StatementType::MemberAdmit
        | StatementType::MemberSuspend
        | StatementType::MemberReinstate
        | StatementType::MemberExpel
        | StatementType::MemberRekey => Err(LifeProblem::Membership),
        StatementType::Enrolment
        | StatementType::Freeze
        | StatementType::Anchors
        | StatementType::Succession => Err(LifeProblem::OfRegister),
        StatementType::Evidence | StatementType::Unknown(_) if events.is_empty() => {
            let (life, later, idle) = (Life::Current, Vec::new(), Vec::new());
            Ok(Course { life, subject: None, later, idle })
        }
        StatementType::Evidence | StatementType::Unknown(_) => Err(LifeProblem::NoLife),
    }
}

/// A state that events lead to.
trait Fold: Sized {
    type Event;

    fn read(statement: &Statement) -> Result<Self::Event, LifeProblem>;
    fn subject(event: &Self::Event) -> &str;
    /// What the event is called in a list of later ones.
    fn name(event: &Self::Event) -> &'static str;
    fn apply(state: Option<&Self>, event: &Self::Event, id: StatementId) -> Result<Self, LifeVoid>;
    /// Whether `later`, which led to this state, replaces what `entry` says.
    fn replaces(&self, entry: &Self::Event, later: &Self::Event) -> bool;
    /// What the state ends, if anything.
    fn end(&self) -> Option<Life>;
}

fn fold<F: Fold>(all: &[Placed<'_>], own: u64) -> Result<Course, LifeProblem> {
    let events = all.iter().map(|placed| F::read(placed.statement));
    let events: Vec<F::Event> = events.collect::<Result<_, _>>()?;
    let entry = all.iter().position(|placed| placed.index == own);
    let entry = entry.and_then(|place| events.get(place)).ok_or(LifeProblem::Order)?;
    if events.iter().any(|event| F::subject(event) != F::subject(entry)) {
        return Err(LifeProblem::Stranger);
    }
    let (mut state, mut replaced, mut took_effect): (Option<F>, bool, bool) = (None, false, false);
    let (mut later, mut idle) = (Vec::new(), Vec::new());
    for (placed, event) in all.iter().zip(&events) {
        let next = if placed.counts {
            F::apply(state.as_ref(), event, placed.id)
        } else {
            Err(LifeVoid::NotEntitled)
        };
        let next = match next {
            Ok(next) => next,
            Err(void) => {
                idle.push((placed.index, void));
                continue;
            }
        };
        took_effect |= placed.index == own;
        if placed.index > own {
            replaced |= next.replaces(entry, event);
            later.push(noted(placed, F::name(event)));
        }
        state = Some(next);
    }
    let life = match state.as_ref().and_then(F::end) {
        _ if !took_effect => Life::Idle,
        Some(end) => end,
        None if replaced => Life::Superseded,
        None => Life::Current,
    };
    Ok(Course { life, subject: Some(String::from(F::subject(entry))), later, idle })
}

impl Fold for ContractState {
    type Event = Contract;

    fn read(statement: &Statement) -> Result<Contract, LifeProblem> {
        match statement.kind {
            StatementType::Contract => Ok(Contract::from_body(&statement.body)?),
            _ => Err(LifeProblem::Stranger),
        }
    }

    fn subject(event: &Contract) -> &str {
        &event.registration_no
    }

    fn name(event: &Contract) -> &'static str {
        event.event.as_str()
    }

    fn apply(state: Option<&Self>, event: &Contract, id: StatementId) -> Result<Self, LifeVoid> {
        Ok(Self::apply(state, event, id)?)
    }

    fn replaces(&self, _: &Contract, _: &Contract) -> bool {
        true
    }

    fn end(&self) -> Option<Life> {
        match self.event {
            ContractEventKind::Cancelled => Some(Life::Cancelled),
            ContractEventKind::Revoked => Some(Life::Revoked),
            ContractEventKind::Registered | ContractEventKind::Amended => None,
        }
    }
}

impl Fold for ListingState {
    type Event = ListingEvent;

    fn read(statement: &Statement) -> Result<ListingEvent, LifeProblem> {
        let body = &statement.body;
        match statement.kind {
            StatementType::Listing => {
                Ok(ListingEvent::Revision(Arc::new(Listing::from_body(body)?)))
            }
            StatementType::ListingStatus => {
                Ok(ListingEvent::Status(ListingStatus::from_body(body)?))
            }
            _ => Err(LifeProblem::Stranger),
        }
    }

    fn subject(event: &ListingEvent) -> &str {
        event.listing_id()
    }

    fn name(event: &ListingEvent) -> &'static str {
        match event {
            ListingEvent::Revision(_) => "revised",
            ListingEvent::Status(status) => status.status.as_str(),
        }
    }

    fn apply(
        state: Option<&Self>,
        event: &ListingEvent,
        id: StatementId,
    ) -> Result<Self, LifeVoid> {
        Ok(Self::apply(state, event, id)?)
    }

    fn replaces(&self, entry: &ListingEvent, later: &ListingEvent) -> bool {
        match (entry, later) {
            (ListingEvent::Revision(_), ListingEvent::Revision(_))
            | (ListingEvent::Status(_), ListingEvent::Status(_)) => true,
            (ListingEvent::Revision(_), ListingEvent::Status(_)) => false,
            // A revision does not settle an objection.
            (ListingEvent::Status(_), ListingEvent::Revision(_)) => {
                self.standing != ListingStatusKind::Objected
            }
        }
    }

    fn end(&self) -> Option<Life> {
        match self.standing {
            ListingStatusKind::Withdrawn => Some(Life::Cancelled),
            ListingStatusKind::Audited
            | ListingStatusKind::Listed
            | ListingStatusKind::Traded
            | ListingStatusKind::Disclosed
            | ListingStatusKind::Objected => None,
        }
    }
}

fn noted(placed: &Placed<'_>, event: &str) -> Later {
    Later {
        statement: placed.id,
        index: placed.index,
        event: String::from(event),
        issued_at: placed.statement.issued_at,
    }
}
