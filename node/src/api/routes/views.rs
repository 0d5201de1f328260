//! Listings and contracts as they stand, folded from the events that count.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::statement::Statement;
use serde::Deserialize;

use super::super::error::ApiError;
use super::super::model::{
    Contract, ContractDetail, Event, Listing, ListingDetail, PAGE_DEFAULT, PAGE_MAX, Page,
};
use super::super::server::Shared;
use super::logs::parse_exchange;
use super::reading;
use crate::continuity;
use crate::handle::NodeView;
use crate::receipts::counts;
use crate::store::{
    ContractEventRow, ContractQuery, ContractRow, ListingQuery, ListingRow, Store, StoreError,
};

/// Long enough for the views to take in what was published just before.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(2);

/// Query of `GET /v1/listings`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct ListingParameters {
    query: Option<String>,
    kind: Option<String>,
    region: Option<String>,
    exchange: Option<String>,
    status: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

/// Query of `GET /v1/contracts`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct ContractParameters {
    #[serde(rename = "type")]
    kind: Option<String>,
    number: Option<String>,
    exchange: Option<String>,
    status: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

pub(in super::super) async fn listings(
    State(shared): State<Shared>,
    parameters: Result<Query<ListingParameters>, QueryRejection>,
) -> Result<Json<Page<Listing>>, ApiError> {
    let Query(given) = parameters.map_err(|error| ApiError::invalid(error.body_text()))?;
    let query = ListingQuery {
        exchange: given.exchange.as_deref().map(parse_exchange).transpose()?,
        kind: given.kind,
        status: given.status,
        region: given.region.map(|region| parse_region(&region)).transpose()?,
        text: given.query,
        public_only: false,
        limit: limit(given.limit)?,
        after: check_page_mark(given.after)?,
    };
    reading(move || {
        let (view, store) = (shared.node().view(), shared.node().store());
        store.settle(SETTLE);
        let page = store.listings(&query, &|event| counts(&view, event))?;
        let items = page.rows.iter().map(|row| listing_of(&view, store, row));
        Ok(Json(Page { items: items.collect::<Result<_, _>>()?, next: page.next }))
    })
    .await
}

pub(in super::super) async fn listing(
    State(shared): State<Shared>,
    Path((exchange, id)): Path<(String, String)>,
) -> Result<Json<ListingDetail>, ApiError> {
    let exchange = parse_exchange(&exchange)?;
    reading(move || {
        let (view, store) = (shared.node().view(), shared.node().store());
        store.settle(SETTLE);
        let row = store
            .listing(&exchange, &id, &|event| counts(&view, event))?
            .ok_or_else(|| ApiError::NotFound { what: format!("listing {id} of {exchange}") })?;
        let listing = listing_of(&view, store, &row)?;
        let mut history = Vec::new();
        for event in &row.events {
            history.push(event_at(store, &event.log, event.index)?);
        }
        let newest = statement_at(store, &row.log, row.index)?;
        let effective = continuity::effective(&view, store, &row.log, &newest)?;
        let effective = effective.unwrap_or_default();
        for event in &mut history {
            event.effective = effective.iter().any(|one| one.index == event.index);
        }
        Ok(Json(ListingDetail { listing, history }))
    })
    .await
}

pub(in super::super) async fn contracts(
    State(shared): State<Shared>,
    parameters: Result<Query<ContractParameters>, QueryRejection>,
) -> Result<Json<Page<Contract>>, ApiError> {
    let Query(given) = parameters.map_err(|error| ApiError::invalid(error.body_text()))?;
    let query = ContractQuery {
        exchange: given.exchange.as_deref().map(parse_exchange).transpose()?,
        event: given.status,
        contract_type: given.kind,
        number_prefix: given.number,
        limit: limit(given.limit)?,
        after: check_page_mark(given.after)?,
    };
    reading(move || {
        let (view, store) = (shared.node().view(), shared.node().store());
        store.settle(SETTLE);
        let page = store.contracts(&query, &|event| counts(&view, event))?;
        let items = page.rows.iter().filter_map(|row| contract_of(&view, store, row).transpose());
        Ok(Json(Page { items: items.collect::<Result<_, _>>()?, next: page.next }))
    })
    .await
}

/// One's own contract of that number, or else the first of another exchange.
pub(in super::super) async fn contract(
    State(shared): State<Shared>,
    Path(number): Path<String>,
) -> Result<Json<ContractDetail>, ApiError> {
    reading(move || {
        let (view, store) = (shared.node().view(), shared.node().store());
        store.settle(SETTLE);
        let mut rows = store.contract(&number, &|event| counts(&view, event))?;
        rows.sort_by_key(|row| row.log != view.me);
        for row in &rows {
            if let Some(contract) = contract_of(&view, store, row)? {
                return Ok(Json(ContractDetail {
                    contract,
                    history: contract_history(store, row)?,
                }));
            }
        }
        Err(ApiError::NotFound { what: format!("contract {number}") })
    })
    .await
}

/// What `exchange` calls itself, by language; nothing where it was never a member.
pub(super) fn names(view: &NodeView, exchange: &ExchangeId) -> BTreeMap<String, String> {
    view.directory.member(exchange).map_or_else(BTreeMap::new, |one| one.descriptor.names.clone())
}

fn listing_of(view: &NodeView, store: &Store, row: &ListingRow) -> Result<Listing, ApiError> {
    Ok(Listing {
        exchange: row.log.to_string(),
        exchange_names: names(view, &row.log),
        id: row.listing_id.clone(),
        revision: row.revision,
        status: row.status.clone(),
        newest: event_at(store, &row.log, row.index)?,
    })
}

/// The contract as it stands: its status is the last event's, its content that of the last event that says it.
/// `None` where nothing that is recorded under the number took effect.
fn contract_of(
    view: &NodeView,
    store: &Store,
    row: &ContractRow,
) -> Result<Option<Contract>, ApiError> {
    let effective = || row.events.iter().rev().filter(|event| event.effective);
    let Some(last) = effective().next() else { return Ok(None) };
    let says = effective().find(|event| event.contract_type.is_some()).unwrap_or(last);
    Ok(Some(Contract {
        exchange: row.log.to_string(),
        exchange_names: names(view, &row.log),
        registration: row.registration_no.clone(),
        status: last.event.clone(),
        last: last.statement.to_string(),
        newest: event_at(store, &row.log, says.position.index)?,
    }))
}

fn contract_history(store: &Store, row: &ContractRow) -> Result<Vec<Event>, ApiError> {
    let event = |event: &ContractEventRow| {
        let shown = event_at(store, &row.log, event.position.index)?;
        Ok(Event { effective: event.effective, ..shown })
    };
    row.events.iter().map(event).collect()
}

/// The statement at a place that a view names.
fn event_at(store: &Store, log: &ExchangeId, index: u64) -> Result<Event, ApiError> {
    let entry = entry_at(store, log, index)?;
    let statement = parse(&entry)?;
    Ok(Event {
        statement: entry.id().to_string(),
        index,
        effective: true,
        kind: statement.kind.as_str().to_owned(),
        issued_at: statement.issued_at.to_string(),
        audience: statement.audience.to_value(),
        body: statement.body,
    })
}

fn statement_at(store: &Store, log: &ExchangeId, index: u64) -> Result<Statement, ApiError> {
    parse(&entry_at(store, log, index)?)
}

fn parse(entry: &Entry) -> Result<Statement, ApiError> {
    Statement::parse(entry.statement_bytes())
        .map_err(|error| ApiError::Internal(crate::driver::chain(&error)))
}

fn entry_at(store: &Store, log: &ExchangeId, index: u64) -> Result<Entry, ApiError> {
    if let Some(Leaf::Entry(entry)) = store.leaf(log, index)? {
        return Ok(entry);
    }
    let what = "a view names an entry that is not held; run `hutong rebuild`".to_owned();
    Err(StoreError::Misuse { log: log.clone(), what }.into())
}

fn limit(given: Option<usize>) -> Result<usize, ApiError> {
    match given.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        other => Err(ApiError::invalid(format!("`limit`: expected 1 to {PAGE_MAX}, met {other}"))),
    }
}

/// Refuses an invalid page mark: it would give the first page again, and a harvester would loop forever.
fn check_page_mark(given: Option<String>) -> Result<Option<String>, ApiError> {
    let is_mark = |mark: &String| !mark.is_empty() && hex::decode(mark).is_ok();
    if given.as_ref().is_none_or(is_mark) {
        return Ok(given);
    }
    Err(ApiError::invalid("`after`: expected the `next` value of the previous page, unchanged"))
}

fn parse_region(text: &str) -> Result<hutong_protocol::region::Region, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(format!("expected a region code, met `{text}`")))
}
