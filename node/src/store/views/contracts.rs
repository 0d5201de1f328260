//! Contracts: the events under each registration number, as they were recorded.
//!
//! The protocol's fold says which of them take effect: each must name the one before, and none
//! follows an end.

use std::collections::BTreeMap;

use hutong_crypto::digest::Hash;
use hutong_crypto::keys::PublicKey;
use hutong_protocol::codes::ContractEventKind;
use hutong_protocol::contract::{Contract, ContractState};
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::statement::StatementType;
use serde::{Deserialize, Serialize};

use super::row::{
    Counts, EventPosition, PAGE_ROWS_MAX, PAGE_SCAN_MAX, Page, Recorded, decode, decode_index,
    decode_name, encode, event_key, is_name, name_key,
};
use super::said::What;
use super::tables::{Batch, Table, Tables};
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
    id: [u8; 32],
    key: [u8; 32],
    event: String,
    contract_type: Option<String>,
    previous: Option<[u8; 32]>,
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
            let What::Contract(said) = &recorded.what else { continue };
            if !is_name(&said.number) {
                continue;
            }
            let stored = Stored {
                id: recorded.id.0,
                key: *recorded.key.as_bytes(),
                event: said.event.clone(),
                contract_type: said.contract_type.clone(),
                previous: said.previous.map(|previous| previous.0),
            };
            let key = event_key(Table::Contract, held.number, &said.number, recorded.index);
            batch.insert(key, encode(&stored));
        }
    }

    /// The contract under `number` in one log; `None` where no event counts.
    #[expect(clippy::unused_self, reason = "one of the views of this store")]
    fn contract_in(
        &self,
        tables: &Tables,
        held: &Held,
        number: &str,
        counts: &Counts<'_>,
    ) -> Result<Option<ContractRow>, StoreError> {
        let prefix = name_key(Table::Contract, held.number, number);
        let mut events = Vec::new();
        let mut state = None;
        for row in tables.prefixed(prefix.clone()) {
            let (key, value) = row?;
            let (Some(index), Some(stored)) =
                (decode_index(&key[prefix.len()..]), decode::<Stored>(&value))
            else {
                continue;
            };
            let mut event = event_row(held, index, &stored);
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
        tables: &Tables,
        number: &str,
        counts: &Counts<'_>,
    ) -> Result<Vec<ContractRow>, StoreError> {
        let mut rows = Vec::new();
        if is_name(number) {
            for held in self.all_held() {
                rows.extend(self.contract_in(tables, &held, number, counts)?);
            }
        }
        Ok(rows)
    }

    pub(in crate::store) fn contracts(
        &self,
        tables: &Tables,
        query: &ContractQuery,
        counts: &Counts<'_>,
    ) -> Result<Page<ContractRow>, StoreError> {
        let mut page = Page { rows: Vec::new(), next: None, behind: self.view_progress().behind };
        let mut last: Option<(u32, String)> = None;
        let rows =
            self.rows(tables, Table::Contract, query.exchange.as_ref(), query.after.as_deref())?;
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
                && let Some(row) = self.contract_in(tables, &held, number, counts)?
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

fn event_row(held: &Held, index: u64, stored: &Stored) -> ContractEventRow {
    let key = PublicKey::from_bytes(stored.key);
    let (log, kind) = (held.exchange.clone(), StatementType::Contract);
    ContractEventRow {
        position: EventPosition { log, index, key, kind },
        statement: Hash(stored.id),
        event: stored.event.clone(),
        contract_type: stored.contract_type.clone(),
        effective: false,
    }
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
    let previous = stored.previous.map(Hash);
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
