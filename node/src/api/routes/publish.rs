//! Own statements: in as JSON, signed and recorded by the driver.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::error::ApiError;
use super::super::model::{PublishBody, Published, PublishedBody, STATEMENTS_MAX};
use super::super::server::Shared;
use super::{Body, json};
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
    let published = shared.node().publish(statements.collect()).await?;
    shared.metrics().published(published.len());
    let published = published.into_iter().map(|published| Published {
        log: published.log.to_string(),
        index: published.index,
        id: published.id.to_string(),
    });
    Ok((StatusCode::CREATED, Json(PublishedBody { published: published.collect() })))
}
