//! The node itself: health, status, peers, metrics, dialling, ending.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::super::error::ApiError;
use super::super::model::{self, DialRequest, Health};
use super::super::server::Shared;
use super::authority::{register_of, waiting};
use super::{Body, bytes, json, reading};
use crate::handle::{LogInfo, NodeView, NoticeLevel};
use crate::store::Room;

pub(in super::super) async fn health(State(shared): State<Shared>) -> (StatusCode, Json<Health>) {
    let ready = shared.node().view().ready;
    let health = Health {
        status: if ready { "ready" } else { "checking" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(health))
}

pub(in super::super) async fn status(
    State(shared): State<Shared>,
) -> Result<Json<model::Status>, ApiError> {
    reading(move || Ok(Json(status_of(&shared)?))).await
}

/// Reads the disk.
fn status_of(shared: &Shared) -> Result<model::Status, ApiError> {
    let view = shared.node().view();
    let register = register_of(&view, shared.node().store())?;
    let now = crate::driver::now();
    let frozen = view.logs.iter().filter(|log| log.frozen.is_some());
    Ok(model::Status {
        exchange: view.me.to_string(),
        exchange_names: super::views::names(&view, &view.me),
        federation: view.charters.federation_id().short(),
        federation_id: view.charters.federation_id().to_string(),
        charter_version: view.charters.latest().version,
        membership: membership(&view),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: view.started.to_string(),
        ready: view.ready,
        restoring: view.restoring,
        peer_id: view.peer_id.clone(),
        listen: view.listen.clone(),
        peers: view.peers.len(),
        members: view.directory.members().count(),
        logs: view.logs.len(),
        entries: view.logs.iter().map(|log| log.size).sum(),
        frozen: frozen.map(|log| log.exchange.to_string()).collect(),
        register,
        waiting: view.waiting.iter().map(|decision| waiting(decision, now)).collect(),
        own_log: view.own_log().map(log),
        bytes_in: view.bytes_in,
        bytes_out: view.bytes_out,
        disk: view.space.map_or("", |space| room_word(space.room)).to_owned(),
        disk_free: view.space.map_or(0, |space| space.free),
        queues: view.queues.all().map(|(queue, length)| (queue.to_owned(), length)).into(),
        notices: view.notices.iter().map(notice).collect(),
    })
}

fn room_word(room: Room) -> &'static str {
    match room {
        Room::All => "ample",
        Room::Own => "low",
        Room::Nothing => "full",
    }
}

fn membership(view: &NodeView) -> String {
    view.directory
        .member(&view.me)
        .map_or("none", |member| super::authority::status_word(&member.status))
        .to_owned()
}

fn notice(line: &crate::handle::NoticeLine) -> model::Notice {
    model::Notice {
        time: line.time.to_string(),
        level: match line.level {
            NoticeLevel::Info => "info",
            NoticeLevel::Warning => "warning",
            NoticeLevel::Alarm => "alarm",
        }
        .to_owned(),
        zh: line.zh.clone(),
        en: line.en.clone(),
    }
}

pub(super) fn log(info: &LogInfo) -> model::Log {
    model::Log {
        exchange: info.exchange.to_string(),
        origin: info.origin.clone(),
        size: info.size,
        root: info.root.to_string(),
        checkpoint_size: info.checkpoint_size,
        cosigned_size: info.cosigned_size,
        cosigners: info.cosigners.iter().map(ToString::to_string).collect(),
        withheld: info.withheld,
        frozen: info.frozen,
    }
}

pub(in super::super) async fn peers(State(shared): State<Shared>) -> Json<Vec<model::Peer>> {
    let view = shared.node().view();
    let peers = view.peers.iter().map(|peer| model::Peer {
        peer_id: peer.peer_id.clone(),
        exchange: peer.exchange.as_ref().map(ToString::to_string),
        address: peer.address.clone(),
        since: peer.since.to_string(),
        bytes_in: peer.bytes_in,
        bytes_out: peer.bytes_out,
    });
    Json(peers.collect())
}

pub(in super::super) async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let text = shared.metrics().encode(&shared.node().view());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text)
}

pub(in super::super) async fn dial(
    State(shared): State<Shared>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let request: DialRequest = json(&bytes(body)?)?;
    // The empty text is a multiaddr by its grammar, and leads nowhere.
    if request.address.is_empty() {
        return Err(ApiError::Invalid {
            detail: "expected a multiaddr, met nothing".to_owned(),
            members: vec!["/address".to_owned()],
        });
    }
    shared.node().dial(request.address).await.map_err(ApiError::Dial)?;
    Ok(StatusCode::ACCEPTED)
}

pub(in super::super) async fn shutdown(State(shared): State<Shared>) -> StatusCode {
    shared.node().shutdown().await;
    StatusCode::ACCEPTED
}
