//! How a contract's events follow each other: registered, amended any number of times, then
//! cancelled or revoked.

use alloc::string::String;

use super::Contract;
use crate::codes::ContractEventKind;
use crate::id::StatementId;

/// What the events of one registration number in one log amount to.
///
/// Whether the log may carry on another's contracts is for the directory to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractState {
    /// The registration number.
    pub registration_no: String,
    /// The newest event.
    pub event: ContractEventKind,
    /// The newest event that describes the contract, with its claims and documents.
    pub contract: Contract,
    /// The statement of [`ContractState::contract`].
    pub described_by: StatementId,
    /// The registration's statement; after [`ContractState::from_event`] the event's.
    pub first: StatementId,
    /// The newest event's statement.
    pub last: StatementId,
    /// How many events there were.
    pub events: u64,
}

/// Why an event changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractVoid {
    /// It has another registration number.
    #[error("event is about contract `{met}`, not `{expected}`")]
    OtherContract {
        /// The contract whose state was given.
        expected: String,
        /// The contract of the event.
        met: String,
    },
    /// Nothing was registered that it could change.
    #[error("contract `{number}` was not registered, so it cannot be {event}")]
    Unregistered {
        /// The registration number.
        number: String,
        /// What was to happen.
        event: ContractEventKind,
    },
    /// A number is registered once.
    #[error("contract `{0}` is registered already: amend it instead")]
    Registered(String),
    /// It does not follow the newest event, so that the contract would have two histories.
    #[error("event does not follow the newest one: expected previous {expected}, met {}", .met.map_or_else(|| "none".into(), |met| alloc::format!("{met}")))]
    Previous {
        /// The newest event's statement.
        expected: StatementId,
        /// What the event names.
        met: Option<StatementId>,
    },
    /// The contract has ended.
    #[error("contract was {0}, which is final")]
    Ended(ContractEventKind),
}

impl ContractState {
    /// The state after `contract`, the statement `id`, where `state` came before it.
    ///
    /// # Errors
    ///
    /// [`ContractVoid`] says why the event changes nothing; the state is then as before.
    pub fn apply(
        state: Option<&Self>,
        contract: &Contract,
        id: StatementId,
    ) -> Result<Self, ContractVoid> {
        match (state, contract.event) {
            (None, ContractEventKind::Registered) => Ok(Self::from_event(contract, id)),
            (None, event) => {
                let number = contract.registration_no.clone();
                Err(ContractVoid::Unregistered { number, event })
            }
            (Some(state), event) => {
                state.check(contract)?;
                let mut next = Self { event, last: id, events: state.events + 1, ..state.clone() };
                if contract.description.is_some() {
                    next.contract = contract.clone();
                    next.described_by = id;
                }
                Ok(next)
            }
        }
    }

    /// Whether the registration stands.
    pub fn is_in_force(&self) -> bool {
        !self.event.is_final()
    }

    /// The state just after `contract`, the statement `id`, for a reader who holds nothing earlier and takes it
    /// that the event took effect. What is counted and remembered begins with it.
    pub fn from_event(contract: &Contract, id: StatementId) -> Self {
        Self {
            registration_no: contract.registration_no.clone(),
            event: contract.event,
            contract: contract.clone(),
            described_by: id,
            first: id,
            last: id,
            events: 1,
        }
    }

    fn check(&self, contract: &Contract) -> Result<(), ContractVoid> {
        if contract.registration_no != self.registration_no {
            return Err(ContractVoid::OtherContract {
                expected: self.registration_no.clone(),
                met: contract.registration_no.clone(),
            });
        }
        if self.event.is_final() {
            return Err(ContractVoid::Ended(self.event));
        }
        if contract.event == ContractEventKind::Registered {
            return Err(ContractVoid::Registered(self.registration_no.clone()));
        }
        if contract.previous != Some(self.last) {
            return Err(ContractVoid::Previous { expected: self.last, met: contract.previous });
        }
        Ok(())
    }
}
