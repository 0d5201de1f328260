//! Charter and members.

use axum::Json;
use axum::extract::State;
use hutong_protocol::directory::{Member, Parent, Status};
use serde_json::Value;

use super::super::error::ApiError;
use super::super::model::{self, CharterInstalled};
use super::super::server::Shared;
use super::{Body, bytes};

pub(in super::super) async fn members(State(shared): State<Shared>) -> Json<Vec<model::Member>> {
    let view = shared.node().view();
    Json(view.directory.members().map(member).collect())
}

fn member(member: &Member) -> model::Member {
    let descriptor = &member.descriptor;
    model::Member {
        exchange: member.id.to_string(),
        names: descriptor.names.clone(),
        tier: descriptor.tier.to_string(),
        region: descriptor.region.to_string(),
        scope: member.scope.to_string(),
        parent: match &member.parent {
            Parent::Council => "council".to_owned(),
            Parent::Member(id) => id.to_string(),
        },
        status: status_word(&member.status).to_owned(),
        origin: member.origin.to_string(),
        log_key: descriptor.log_key.to_string(),
        witness_key: descriptor.witness_key.to_string(),
        peer_id: descriptor.transport.clone(),
        addresses: descriptor.addresses.clone(),
        website: descriptor.website.clone(),
    }
}

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
