//! Own statements: in as JSON, signed and recorded by the driver.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::error::ApiError;
use super::super::model::{PublishBody, Published, PublishedBody, STATEMENTS_MAX};
use super::super::server::Shared;
use super::{Body, json, reading};
use crate::continuity;
use crate::handle::PublishRequest;

pub(in super::super) async fn statements(
    State(shared): State<Shared>,
    body: Body,
) -> Result<(StatusCode, Json<PublishedBody>), ApiError> {
    let body: PublishBody = json(body)?;
    let count = body.statements.len();
    if !(1..=STATEMENTS_MAX).contains(&count) {
        return Err(ApiError::Invalid {
            detail: format!("expected 1 to {STATEMENTS_MAX} statements, met {count}"),
            members: vec!["/statements".to_owned()],
        });
    }
    let statements = body.statements.into_iter().map(|statement| PublishRequest {
        kind: statement.kind,
        audience: statement.audience,
        body: statement.body,
    });
    let statements: Vec<PublishRequest> = statements.collect();
    let reserved = shared.reservations().reserve(&statements)?;
    let node = shared.node().clone();
    let statements = reading(move || {
        continuity::check(&node.view(), node.store(), &statements)?;
        Ok(statements)
    })
    .await?;
    let node = shared.node().clone();
    // On its own, so that the reservation outlives a client that goes away.
    let publishing = tokio::spawn(async move {
        let published = node.publish(statements).await;
        drop(reserved);
        published
    });
    let published = publishing.await.map_err(|error| ApiError::Internal(error.to_string()))??;
    shared.metrics().published(published.len());
    let published = published.into_iter().map(|published| Published {
        log: published.log.to_string(),
        index: published.index,
        id: published.id.to_string(),
    });
    Ok((StatusCode::CREATED, Json(PublishedBody { published: published.collect() })))
}
