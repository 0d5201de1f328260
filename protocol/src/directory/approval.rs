//! Approvals: how council members put their names to one decision.
//!
//! A council member writes the decision into its log, and the keeper records it; the approvals in the
//! statement's body are what makes it the council's. An approval covers federation, statement type and
//! body, so that it can be used for nothing else; the body's number lets it count once.

use alloc::{string::ToString as _, vec::Vec};

use hutong_crypto::{Signature, SigningKey, dsse};
use serde_json::{Value, json};

use crate::{
    fields::base64,
    id::{ExchangeId, FederationId},
    json::canonicalize,
};

/// DSSE payload type of an approval.
pub const APPROVAL_PAYLOAD_TYPE: &str = "application/vnd.hutong.approval+json";

/// A council member's signature on a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approval {
    /// Who approves.
    pub exchange: ExchangeId,
    /// With the log key that the charter names.
    pub signature: Signature,
}

/// The bytes that an approval is over: the DSSE PAE of
/// `{"body":…,"federation":id,"type":kind}` in canonical form, `body` without its `approvals`.
pub fn approval_message(federation: &FederationId, kind: &str, body: &Value) -> Vec<u8> {
    let body = without_approvals(body);
    let payload = json!({ "body": body, "federation": federation.to_string(), "type": kind });
    dsse::pae(APPROVAL_PAYLOAD_TYPE, &canonicalize(&payload))
}

fn without_approvals(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("approvals");
    }
    body
}

/// Approves the decision `body` of statement type `kind` (such as `hutong/member-admit/v1`).
///
/// `body` carries `charter_version`; its `approvals`, if any, are left out of what is signed.
/// `log_key` is the log key of council member `exchange`.
pub fn approve(
    federation: &FederationId,
    kind: &str,
    body: &Value,
    exchange: &ExchangeId,
    log_key: &SigningKey,
) -> Approval {
    let signature = log_key.sign(&approval_message(federation, kind, body));
    Approval { exchange: exchange.clone(), signature }
}

/// The body of a council decision with its approvals, in the order that readers expect.
///
/// `body` is an object; anything else is returned as it is.
pub fn with_approvals(mut body: Value, mut approvals: Vec<Approval>) -> Value {
    approvals.sort();
    approvals.dedup_by(|a, b| a.exchange == b.exchange);
    let list: Vec<Value> = approvals
        .iter()
        .map(|approval| {
            let signature = base64(approval.signature.as_bytes());
            json!({ "exchange": approval.exchange.as_str(), "signature": signature })
        })
        .collect();
    if let Some(members) = body.as_object_mut() {
        members.insert("approvals".into(), Value::Array(list));
    }
    body
}
