//! Own statements: in as JSON, signed and recorded by the driver.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hutong_protocol::unlisted::Unlisted;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::error::ApiError;
use super::super::model::{Published, PublishedBody, STATEMENTS_MAX, Warning, public};
use super::super::server::Shared;
use super::{Body, bytes, json};
use crate::handle::PublishRequest;

/// A [`PublishBody`](super::super::model::PublishBody) whose statements are left as they were written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group<'a> {
    #[serde(borrow)]
    statements: Vec<Written<'a>>,
}

/// A [`PublishRequest`](super::super::model::PublishRequest) as it was written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    kind: String,
    #[serde(default = "public")]
    audience: Value,
    #[serde(borrow)]
    body: &'a RawValue,
}

pub(in super::super) async fn statements(
    State(shared): State<Shared>,
    body: Body,
) -> Result<(StatusCode, Json<PublishedBody>), ApiError> {
    let bytes = bytes(body)?;
    let Group { statements } = json(&bytes)?;
    let count = statements.len();
    if !(1..=STATEMENTS_MAX).contains(&count) {
        return Err(ApiError::Invalid {
            detail: format!("expected 1 to {STATEMENTS_MAX} statements, met {count}"),
            members: vec!["/statements".to_owned()],
        });
    }
    let statements = statements.into_iter().map(|statement| PublishRequest {
        kind: statement.kind,
        audience: statement.audience,
        body: statement.body.get().to_owned(),
    });
    let published = shared.node().publish(statements.collect()).await?;
    shared.metrics().published(published.len());
    let published = published.into_iter().map(|published| Published {
        log: published.log.to_string(),
        index: published.index,
        id: published.id.to_string(),
        warnings: published.unlisted.iter().map(warning).collect(),
    });
    Ok((StatusCode::CREATED, Json(PublishedBody { published: published.collect() })))
}

fn warning(unlisted: &Unlisted) -> Warning {
    Warning { zh: unlisted.zh(), en: unlisted.en() }
}
