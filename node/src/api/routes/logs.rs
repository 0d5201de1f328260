//! Logs and their entries.

use axum::Json;
use axum::extract::{Path, State};
use base64ct::{Base64, Encoding as _};
use hutong_protocol::entry::Leaf;
use hutong_protocol::id::ExchangeId;

use super::super::error::ApiError;
use super::super::model;
use super::super::server::Shared;
use super::reading;
use super::state::log;

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
        key: entry.map(|entry| entry.issuer_key().to_string()),
        entry: entry.map(|entry| Base64::encode_string(entry.as_bytes())),
        // Statement bytes are canonical JSON; what is not has an id and bytes, but no reading.
        statement: entry.and_then(|entry| serde_json::from_slice(entry.statement_bytes()).ok()),
    }
}

/// Reads an exchange id from a path.
pub(super) fn parse_exchange(text: &str) -> Result<ExchangeId, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(format!("expected an exchange id, met `{text}`")))
}
