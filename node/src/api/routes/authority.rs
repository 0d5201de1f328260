//! Charter, members and the register.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hutong_protocol::directory::{Anchor, Member, Status, register_id};
use hutong_protocol::entry::Leaf;
use hutong_protocol::statement::Statement;
use hutong_protocol::suite::key_text;
use hutong_protocol::time::Timestamp;
use serde_json::Value;

use super::super::error::ApiError;
use super::super::model::{self, CharterInstalled};
use super::super::server::Shared;
use super::{Body, bytes, reading};
use crate::handle::{NodeView, WaitingDecision};
use crate::store::Store;

pub(in super::super) async fn members(State(shared): State<Shared>) -> Json<Vec<model::Member>> {
    let view = shared.node().view();
    Json(view.directory.members().map(member).collect())
}

/// A member as the interface shows it.
pub(crate) fn member(member: &Member) -> model::Member {
    let descriptor = &member.descriptor;
    model::Member {
        exchange: member.id.to_string(),
        names: descriptor.names.clone(),
        tier: descriptor.tier.to_string(),
        region: descriptor.region.to_string(),
        scope: member.scope.to_string(),
        parent: member.parent.to_string(),
        status: status_word(&member.status).to_owned(),
        origin: member.origin.to_string(),
        log_key: key_text(&descriptor.log_key),
        witness_key: key_text(&descriptor.witness_key),
        peer_id: descriptor.transport.clone(),
        addresses: descriptor.addresses.clone(),
        website: descriptor.website.clone(),
        stands: match &member.status {
            Status::Active => None,
            Status::Suspended { log_size_honoured, .. }
            | Status::Expelled { log_size_honoured, .. } => Some(*log_size_honoured),
        },
        record: member.status_record(),
    }
}

pub(in super::super) async fn register(
    State(shared): State<Shared>,
) -> Result<Json<model::Register>, ApiError> {
    reading(move || Ok(Json(register_of(&shared.node().view(), shared.node().store())?))).await
}

/// The register in force. Reads the disk.
pub(super) fn register_of(view: &NodeView, store: &Store) -> Result<model::Register, ApiError> {
    let (register, charter) = (view.directory.register(), view.charters.latest());
    let anchor = register.anchor.map(|anchor| anchor_of(store, &anchor)).transpose()?;
    let recorded = anchor.as_ref().and_then(|anchor| anchor.recorded.as_ref()?.parse().ok());
    let next = |recorded: Timestamp| {
        let period = u64::from(charter.anchor_minutes) * MINUTE_MS;
        Timestamp::from_millis(recorded.millis() + period).to_string()
    };
    Ok(model::Register {
        id: register.id.to_string(),
        keeper: charter.keeper.to_string(),
        version: register.version,
        charter: view.charters.latest_digest().to_string(),
        size: register.size,
        day: register.day.map(|day| day.to_string()),
        next_anchor: recorded.map(next),
        anchor,
        anchor_minutes: charter.anchor_minutes,
    })
}

fn anchor_of(store: &Store, anchor: &Anchor) -> Result<model::Anchor, ApiError> {
    let register = register_id(anchor.version);
    let leaf = store.leaf(&register, anchor.index)?;
    let entry = leaf.as_ref().and_then(Leaf::entry);
    let statement = entry.and_then(|entry| Statement::parse(entry.statement_bytes()).ok());
    Ok(model::Anchor {
        register: register.to_string(),
        index: anchor.index,
        day: anchor.day.to_string(),
        recorded: statement.map(|statement| statement.issued_at.to_string()),
        leaves: anchor.leaves,
    })
}

pub(in super::super) async fn want_anchor(State(shared): State<Shared>) -> StatusCode {
    shared.node().want_anchor();
    StatusCode::ACCEPTED
}

/// A decision that waits, as the interface shows it.
pub(super) fn waiting(decision: &WaitingDecision, now: Timestamp) -> model::WaitingDecision {
    model::WaitingDecision {
        log: decision.log.to_string(),
        index: decision.index,
        kind: decision.kind.clone(),
        member: decision.member.to_string(),
        issued_at: decision.issued_at.to_string(),
        reason: decision.reason.clone(),
        overdue: decision.is_overdue(now),
    }
}

/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60_000;

/// A member's state in one word.
pub(super) fn status_word(status: &Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Suspended { .. } => "suspended",
        Status::Expelled { .. } => "expelled",
    }
}

pub(in super::super) async fn charters(
    State(shared): State<Shared>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let view = shared.node().view();
    let versions = view.charters.versions().iter().map(|version| version.signed().to_value());
    Ok(Json(versions.collect()))
}

pub(in super::super) async fn install_charter(
    State(shared): State<Shared>,
    body: Body,
) -> Result<Json<CharterInstalled>, ApiError> {
    let bytes = bytes(body)?;
    let version = shared.node().install_charter(bytes.to_vec()).await.map_err(ApiError::Charter)?;
    let federation_id = shared.node().view().charters.federation_id().to_string();
    Ok(Json(CharterInstalled { federation_id, version }))
}
