//! Contracts: the events under each registration number, as they were recorded.
//!
//! The protocol's fold says which of them take effect: each must name the one before, and none
//! follows an end.

use std::collections::BTreeMap;

use hutong_crypto::keys::PublicKey;
use hutong_protocol::body::Content;
use hutong_protocol::codes::ContractEventKind;
use hutong_protocol::contract::{Contract, ContractState};
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::statement::StatementType;
use serde::{Deserialize, Serialize};

use super::row::{
    Counts, EventPosition, PAGE_ROWS_MAX, PAGE_SCAN_MAX, Page, Recorded, decode_index, decode_name,
    event_key, is_name, name_key,
};
use super::tables::{Batch, Table};
use crate::store::core::{Core, Held};
use crate::store::error::StoreError;

/// Which contracts to look for; what is left out does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContractQuery {
    /// Of this exchange.
    pub exchange: Option<ExchangeId>,
    /// That stand so: `registered`, `amended`, `cancelled`, `revoked`.
    pub event: Option<String>,
    /// Of this contract type.
    pub contract_type: Option<String>,
    /// Whose registration number begins so.
    pub number_prefix: Option<String>,
    /// Rows wanted, 1 to 1,000.
    pub limit: usize,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// One recorded event of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractEventRow {
    /// Where it is recorded, and who signed it.
    pub position: EventPosition,
    /// Statement id.
    pub statement: StatementId,
    /// `registered`, `amended`, `cancelled` or `revoked`.
    pub event: String,
    /// The contract's type, where this event says it.
    pub contract_type: Option<String>,
    /// Whether it follows from the events before it that count, and so changes something.
    pub effective: bool,
}

/// A contract: the events under one number in one log, in order; all of them count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractRow {
    /// The registering exchange.
    pub log: ExchangeId,
    /// The registration number.
    pub registration_no: String,
    /// Its events, at least one.
    pub events: Vec<ContractEventRow>,
    /// What the events amount to: the last one that takes effect; `None` where none does.
    pub standing: Option<ContractEventKind>,
}

/// The stored part of an event.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    id: String,
    key: String,
    event: String,
    #[serde(rename = "type")]
    contract_type: Option<String>,
    previous: Option<String>,
}

impl Core {
    /// Takes contract events in.
    #[expect(clippy::unused_self, reason = "one of the views of this store")]
    pub(super) fn record_contracts(
        &self,
        held: &Held,
        recorded: &[Recorded],
        batch: &mut Batch<'_>,
    ) {
        for recorded in recorded {
            let (Content::Contract(contract), Some(number)) =
                (&recorded.said.content, recorded.subject())
            else {
                continue;
            };
            let description = contract.description.as_ref();
            let stored = Stored {
                id: recorded.id.to_string(),
                key: recorded.key.to_string(),
                event: contract.event.to_string(),
                contract_type: description.map(|said| said.contract_type.to_string()),
                previous: contract.previous.map(|previous| previous.to_string()),
            };
            if let Ok(value) = serde_json::to_vec(&stored) {
                let key = event_key(Table::Contract, held.number, number, recorded.index);
                batch.insert(key, value);
            }
        }
    }

    /// The contract under `number` in one log; `None` where no event counts.
    fn contract_in(
        &self,
        held: &Held,
        number: &str,
        counts: &Counts<'_>,
    ) -> Result<Option<ContractRow>, StoreError> {
        let prefix = name_key(Table::Contract, held.number, number);
        let mut events = Vec::new();
        let mut state = None;
        for row in self.tables.prefixed(prefix.clone()) {
            let (key, value) = row?;
            let (Some(index), Ok(stored)) =
                (decode_index(&key[prefix.len()..]), serde_json::from_slice::<Stored>(&value))
            else {
                continue;
            };
            let Some(mut event) = event_row(held, index, &stored) else { continue };
            if !counts(&event.position) {
                continue;
            }
            if let Some(next) = follow(state.as_ref(), number, &stored, event.statement) {
                state = Some(next);
                event.effective = true;
            }
            events.push(event);
        }
        Ok((!events.is_empty()).then(|| ContractRow {
            log: held.exchange.clone(),
            registration_no: number.to_owned(),
            events,
            standing: state.map(|state| state.event),
        }))
    }

    pub(in crate::store) fn contract(
        &self,
        number: &str,
        counts: &Counts<'_>,
    ) -> Result<Vec<ContractRow>, StoreError> {
        let mut rows = Vec::new();
        if is_name(number) {
            for held in self.all_held() {
                rows.extend(self.contract_in(&held, number, counts)?);
            }
        }
        Ok(rows)
    }

    pub(in crate::store) fn contracts(
        &self,
        query: &ContractQuery,
        counts: &Counts<'_>,
    ) -> Result<Page<ContractRow>, StoreError> {
        let mut page = Page { rows: Vec::new(), next: None, behind: self.view_progress().behind };
        let mut last: Option<(u32, String)> = None;
        let rows = self.rows(Table::Contract, query.exchange.as_ref(), query.after.as_deref())?;
        for (seen, row) in rows.enumerate() {
            let (key, _) = row?;
            let Some((log, number, _)) = decode_name(&key) else { continue };
            // The first event of a number brings them all; the others are passed over.
            if last.as_ref().is_some_and(|(l, n)| *l == log && n == number) {
                continue;
            }
            last = Some((log, number.to_owned()));
            if query.number_prefix.as_ref().is_none_or(|prefix| number.starts_with(prefix))
                && let Some(held) = self.held_by_number(log)
                && let Some(row) = self.contract_in(&held, number, counts)?
                && fits(&row, query)
            {
                page.rows.push(row);
            }
            if page.rows.len() >= query.limit.clamp(1, PAGE_ROWS_MAX) || seen + 1 >= PAGE_SCAN_MAX {
                // Behind every event of this number, whatever their indices.
                page.next = Some(hex::encode(event_key(Table::Contract, log, number, u64::MAX)));
                break;
            }
        }
        Ok(page)
    }
}

fn fits(row: &ContractRow, query: &ContractQuery) -> bool {
    let standing = row.standing.map(|event| event.to_string());
    let mut effective = row.events.iter().rev().filter(|event| event.effective);
    let contract_type = effective.find_map(|event| event.contract_type.as_deref());
    (query.event.is_none() || query.event == standing)
        && query.contract_type.as_deref().is_none_or(|wanted| contract_type == Some(wanted))
}

fn event_row(held: &Held, index: u64, stored: &Stored) -> Option<ContractEventRow> {
    let key: PublicKey = stored.key.parse().ok()?;
    let (log, kind) = (held.exchange.clone(), StatementType::Contract);
    Some(ContractEventRow {
        position: EventPosition { log, index, key, kind },
        statement: stored.id.parse().ok()?,
        event: stored.event.clone(),
        contract_type: stored.contract_type.clone(),
        effective: false,
    })
}

/// The state after one more event, where it takes effect.
///
/// What a contract is about decides nothing about what may follow, so it is not read.
fn follow(
    state: Option<&ContractState>,
    number: &str,
    stored: &Stored,
    id: StatementId,
) -> Option<ContractState> {
    let previous = match &stored.previous {
        Some(previous) => Some(previous.parse().ok()?),
        None => None,
    };
    let contract = Contract {
        registration_no: number.to_owned(),
        event: stored.event.parse().ok()?,
        previous,
        description: None,
        documents: Vec::new(),
        claims: BTreeMap::new(),
    };
    ContractState::apply(state, &contract, id).ok()
}
