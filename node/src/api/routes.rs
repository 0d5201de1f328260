//! What each path answers. Reading goes to the view and the store, writing to the driver.

pub(crate) mod authority;
pub(crate) mod logs;
pub(super) mod publish;
pub(super) mod receipts;
pub(super) mod state;
pub(super) mod views;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde::Deserialize;

use super::error::ApiError;

/// The bytes of a body, or why there are none.
type Body = Result<Bytes, BytesRejection>;

/// Unpacks a body; one above the bound is told from a broken one.
fn bytes(body: Body) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            ApiError::TooLarge
        } else {
            ApiError::invalid("the body broke off")
        }
    })
}

/// Reads a JSON body.
fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("the body is not as expected: {error}")))
}

/// Runs `work`, which reads the disk, off the threads that answer requests.
async fn reading<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ApiError::Internal(error.to_string())))
}
