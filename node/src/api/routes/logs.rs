//! Logs and their entries.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use base64ct::{Base64, Encoding as _};
use hutong_crypto::Hash;
use hutong_crypto::merkle::{Frontier, empty_root};
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::suite::key_text;
use serde::Deserialize;

use super::super::error::ApiError;
use super::super::model::{self, LogRoot, LogStanding};
use super::super::server::Shared;
use super::reading;
use super::state::log;
use crate::store::{Store, StoreError};

pub(in super::super) async fn all(State(shared): State<Shared>) -> Json<Vec<model::Log>> {
    Json(shared.node().view().logs.iter().map(log).collect())
}

pub(in super::super) async fn one(
    State(shared): State<Shared>,
    Path(exchange): Path<String>,
) -> Result<Json<model::LogDetail>, ApiError> {
    let exchange = parse_exchange(&exchange)?;
    let view = shared.node().view();
    let info = view
        .logs
        .iter()
        .find(|log| log.exchange == exchange)
        .ok_or_else(|| ApiError::NotFound { what: format!("the log of {exchange}") })?;
    let store = shared.node().store().clone();
    let head = reading(move || Ok(store.head(&exchange)?)).await?;
    let (checkpoint, cosigned) = head.map_or((None, None), |head| {
        (head.checkpoint.map(|(_, note)| note), head.cosigned.map(|(_, note)| note))
    });
    Ok(Json(model::LogDetail { log: log(info), checkpoint, cosigned }))
}

/// Query of `GET /v1/logs/{exchange}/root`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct RootParameters {
    size: u64,
}

/// Query of `GET /v1/logs/{exchange}/standing`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct StandingParameters {
    from: u64,
}

pub(in super::super) async fn root(
    State(shared): State<Shared>,
    Path(exchange): Path<String>,
    parameters: Result<Query<RootParameters>, QueryRejection>,
) -> Result<Json<LogRoot>, ApiError> {
    let Query(given) = parameters.map_err(|error| ApiError::invalid(error.body_text()))?;
    let log = parse_exchange(&exchange)?;
    let store = shared.node().store().clone();
    reading(move || Ok(Json(root_of(&store, &log, given.size)?))).await
}

/// The root over the first `size` entries of a log; a log that is not here has none.
pub(crate) fn root_of(store: &Store, log: &ExchangeId, size: u64) -> Result<LogRoot, ApiError> {
    let root = if size == 0 {
        empty_root()
    } else {
        let hashes = store.range_hashes(log, 0, size).map_err(beyond)?;
        let frontier = Frontier::from_parts(size, hashes);
        frontier.map_err(|error| ApiError::Internal(error.to_string()))?.root()
    };
    Ok(LogRoot { size, root: root.to_string() })
}

pub(in super::super) async fn standing(
    State(shared): State<Shared>,
    Path(exchange): Path<String>,
    parameters: Result<Query<StandingParameters>, QueryRejection>,
) -> Result<Json<LogStanding>, ApiError> {
    let Query(given) = parameters.map_err(|error| ApiError::invalid(error.body_text()))?;
    let log = parse_exchange(&exchange)?;
    let store = shared.node().store().clone();
    reading(move || Ok(Json(standing_of(&store, &log, given.from)?))).await
}

/// Where the log is here, tied to its first `from` entries.
pub(crate) fn standing_of(
    store: &Store,
    log: &ExchangeId,
    from: u64,
) -> Result<LogStanding, ApiError> {
    let head = store.head(log)?;
    let (size, checkpoint) = head
        .and_then(|head| head.checkpoint)
        .ok_or_else(|| ApiError::NotFound { what: format!("a checkpoint of the log of {log}") })?;
    if from > size {
        return Err(ApiError::invalid(format!(
            "`from`: expected at most {size}, the size of the checkpoint, got {from}"
        )));
    }
    let texts = |hashes: Vec<Hash>| hashes.iter().map(ToString::to_string).collect();
    Ok(LogStanding {
        exchange: log.to_string(),
        from,
        checkpoint,
        left: texts(store.range_hashes(log, 0, from)?),
        right: texts(store.range_hashes(log, from, size)?),
    })
}

fn beyond(error: StoreError) -> ApiError {
    match error {
        StoreError::Beyond { log, size, .. } => ApiError::invalid(format!(
            "`size`: expected at most {size}, the entries of {log} that are held here"
        )),
        other => other.into(),
    }
}

pub(in super::super) async fn entry(
    State(shared): State<Shared>,
    Path((exchange, index)): Path<(String, u64)>,
) -> Result<Json<model::Entry>, ApiError> {
    let log = parse_exchange(&exchange)?;
    let store = shared.node().store().clone();
    let leaf = reading(move || Ok(store.leaf(&log, index)?)).await?;
    let leaf =
        leaf.ok_or_else(|| ApiError::NotFound { what: format!("entry {index} of {exchange}") })?;
    Ok(Json(present(exchange, index, &leaf)))
}

/// A leaf as clients read it.
pub(super) fn present(exchange: String, index: u64, leaf: &Leaf) -> model::Entry {
    let entry = match leaf {
        Leaf::Entry(entry) => Some(entry),
        Leaf::Withheld(_) => None,
    };
    model::Entry {
        exchange,
        index,
        id: leaf.hash().to_string(),
        withheld: entry.is_none(),
        key: entry.and_then(|entry| entry.issuer_key().ok()).map(|key| key_text(&key)),
        entry: entry.map(|entry| Base64::encode_string(entry.as_bytes())),
        // Statement bytes are canonical JSON; what is not has an id and bytes, but no reading.
        statement: entry.and_then(|entry| serde_json::from_slice(entry.statement_bytes()).ok()),
    }
}

/// Reads an exchange id from a path.
pub(super) fn parse_exchange(text: &str) -> Result<ExchangeId, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(format!("expected an exchange id, met `{text}`")))
}
