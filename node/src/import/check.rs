//! Checking a statement as the node will, before it is sent there.

use super::publisher::Submission;
use hutong_protocol::audience::Audience;
use hutong_protocol::body::Content;
use hutong_protocol::contract::claims::check_claims;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::statement::{Draft, StatementType};
use hutong_protocol::time::Timestamp;
use hutong_protocol::unlisted::{Unlisted, in_claims, in_content};
use serde_json::{Map, Value};

/// Checks `submission` by the rules of the protocol. Issuer, time and salt are the node's and stand in
/// as values of the same length; commitments stand in for a contract's confidential values.
///
/// # Errors
///
/// Which member is wrong, what was expected, and what was met.
pub fn check_draft(submission: &Submission) -> Result<(), String> {
    let mut body = submission.body.clone();
    if !submission.confidential.is_empty() {
        let values = submission.confidential.clone().into_iter().collect();
        check_claims(&values).map_err(|error| chain(&error))?;
        let stand_in = || Value::String("0".repeat(64));
        let claims: Map<String, Value> =
            submission.confidential.keys().map(|name| (name.clone(), stand_in())).collect();
        body.insert("claims".to_owned(), Value::Object(claims));
    }
    let audience = Audience::from_value(&submission.audience).map_err(|error| error.to_string())?;
    let issuer: ExchangeId =
        "exchange-of-the-node".parse().map_err(|_| "the stand-in issuer is not valid")?;
    let draft = Draft {
        audience,
        issued_at: Timestamp::default(),
        issuer,
        salt: [0; 16],
        kind: StatementType::from_name(submission.kind),
        body: Value::Object(body),
    };
    draft.encode().map(drop).map_err(|error| chain(&error))
}

/// Codes of `submission` that are on no list of this version; none where it is refused anyhow.
pub fn unlisted(submission: &Submission) -> Vec<Unlisted> {
    let kind = StatementType::from_name(submission.kind);
    let body = Value::Object(submission.body.clone());
    let content = Content::from_body(&kind, &body);
    let mut found = content.map_or_else(|_| Vec::new(), |content| in_content(&content));
    found.extend(in_claims(&submission.confidential.clone().into_iter().collect()));
    found
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::samples;
    use serde_json::json;

    fn refused(mut submission: Submission, member: &str, value: Value, reason: &str) {
        assert_eq!(check_draft(&submission), Ok(()));
        if submission.confidential.contains_key(member) {
            submission.confidential.insert(member.to_owned(), value);
        } else {
            submission.body.insert(member.to_owned(), value);
        }
        let error = check_draft(&submission).unwrap_err();
        assert!(error.contains(member) && error.contains(reason), "{error}");
    }

    #[test]
    fn listings_that_the_protocol_refuses_are_refused_with_the_member() {
        let listing = || samples::listings().unwrap().swap_remove(0);
        refused(listing(), "kind", json!("offer"), "offer");
        refused(listing(), "listing_id", json!("Nr. 1"), "1 to 64");
        refused(listing(), "valid_until", json!("2026-02-30"), "2026-02-30");
        refused(
            listing(),
            "holder",
            json!({"name": {"en": "x"}, "uscc": "12999999DEMA00013D"}),
            "check character",
        );
        refused(listing(), "phone", json!("1"), "natural person");
        let mut elsewhere = listing();
        elsewhere.audience = json!("friends");
        assert!(check_draft(&elsewhere).is_err());
    }

    #[test]
    fn a_code_that_no_list_knows_is_a_warning() {
        let mut listing = samples::listings().unwrap().swap_remove(0);
        assert_eq!(unlisted(&listing), []);
        listing.body.insert("region".into(), json!("XX"));
        assert_eq!(check_draft(&listing), Ok(()));
        assert_eq!(unlisted(&listing)[0].path, "body.region");
        let mut contract = samples::contracts().unwrap().swap_remove(0);
        contract.confidential.insert("currency".into(), json!("RMB"));
        assert_eq!(check_draft(&contract), Ok(()));
        assert_eq!(unlisted(&contract)[0].path, "claims.currency");
    }

    #[test]
    fn contracts_are_checked_with_their_confidential_values() {
        let contract = || samples::contracts().unwrap().swap_remove(0);
        refused(contract(), "technical_amount", json!(1_u64 << 40), "at most total_amount");
        refused(contract(), "buyer_uscc", json!("91999999DEMA00010A"), "check character");
        refused(contract(), "sign_date", json!("yesterday"), "yesterday");
        let mut clear = contract();
        clear.body.insert("project_name".into(), json!("x"));
        assert!(check_draft(&clear).unwrap_err().contains("confidential"));
    }
}
