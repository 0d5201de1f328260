//! Receipts and authority bundles.

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;

use super::super::error::ApiError;
use super::super::model::{ANCHORED, PROVISIONAL, ReceiptRequest, STANDING_HEADER};
use super::super::server::Shared;
use super::{Body, bytes, json, reading};
use crate::receipts::{Form, Issuer, Subject, Wanted};

/// Says whether an anchor covers the receipt.
const STANDING: HeaderName = HeaderName::from_static(STANDING_HEADER);
/// Media type of a receipt.
const RECEIPT: &str = "application/vnd.hutong.receipt+json";
/// Media type of a compact receipt.
const COMPACT: &str = "application/octet-stream";
/// Media type of an authority bundle.
const AUTHORITY: &str = "application/vnd.hutong.authority+json";

pub(in super::super) async fn issue(
    State(shared): State<Shared>,
    body: Body,
) -> Result<impl IntoResponse, ApiError> {
    let request: ReceiptRequest = json(&bytes(body)?)?;
    let subject = subject(&request)?;
    let (form, kind) =
        if request.compact { (Form::Compact, COMPACT) } else { (Form::Whole, RECEIPT) };
    let (asked, node) = (shared.clone(), shared.node().clone());
    let place = reading(move || {
        let view = asked.node().view();
        let issuer = Issuer { view: &view, store: asked.node().store(), data: asked.data() };
        Ok(issuer.find(&subject)?)
    })
    .await?;
    let leaf = node.anchor_leaf(place.0.clone()).await;
    let issued = reading(move || {
        let view = shared.node().view();
        let issuer = Issuer { view: &view, store: shared.node().store(), data: shared.data() };
        let (disclose, provisional) = (request.disclose, request.provisional);
        Ok(issuer.issue(&place, leaf, &Wanted { disclose, form, provisional })?)
    })
    .await?;
    let standing = if issued.provisional { PROVISIONAL } else { ANCHORED };
    Ok(([(header::CONTENT_TYPE, kind), (STANDING, standing)], issued.bytes))
}

fn subject(request: &ReceiptRequest) -> Result<Subject, ApiError> {
    let wrong = |detail: &str| ApiError::Invalid {
        detail: detail.to_owned(),
        members: vec!["/statement".to_owned(), "/registration".to_owned()],
    };
    match (&request.statement, &request.registration) {
        (Some(id), None) => {
            let id = id.parse().map_err(|_| wrong("expected a statement id of 64 digits"))?;
            Ok(Subject::Statement(id))
        }
        (None, Some(number)) => Ok(Subject::Contract(number.clone())),
        _ => Err(wrong("expected `statement` or `registration`, and not both")),
    }
}

pub(in super::super) async fn authority(
    State(shared): State<Shared>,
) -> Result<impl IntoResponse, ApiError> {
    let bytes = reading(move || {
        let view = shared.node().view();
        let issuer = Issuer { view: &view, store: shared.node().store(), data: shared.data() };
        Ok(issuer.authority()?)
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, AUTHORITY)], bytes))
}
