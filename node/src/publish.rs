//! Own statements, on their way to the driver: made, looked at, signed.
//!
//! Each is read once; what it says goes with it. Runs on a blocking thread, large groups on all cores.

use hutong_crypto::keys::SigningKey;
use hutong_protocol::audience::Audience;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::prepare::{Prepared, Unsigned};
use hutong_protocol::statement::{Draft, Frame, StatementError, StatementType};
use hutong_protocol::time::Timestamp;
use rayon::prelude::*;

use crate::handle::{PublishError, PublishRequest};

/// Statements that one thread makes or signs before another is woken for the rest.
const STATEMENTS_PER_THREAD: usize = 16;

/// Makes statements from what was asked for, in order: all of them, or none.
pub(crate) fn make(
    me: &ExchangeId,
    now: Timestamp,
    requests: &[PublishRequest],
) -> Result<Vec<Unsigned>, PublishError> {
    let salts = salts(requests.len())?;
    let make = |(place, (request, salt)): (usize, (&PublishRequest, [u8; 16]))| {
        make_one(me, now, request, salt).map_err(|refused| match refused {
            Refused::Statement(error) => invalid(place, &error),
            Refused::Json(error) => PublishError::Invalid {
                place,
                member: "/body".to_owned(),
                detail: format!("expected JSON: {error}"),
            },
        })
    };
    if requests.len() <= STATEMENTS_PER_THREAD {
        return requests.iter().zip(salts).enumerate().map(make).collect();
    }
    let requests = requests.par_iter().zip(salts).enumerate();
    requests.with_min_len(STATEMENTS_PER_THREAD).map(make).collect()
}

/// Signs statements, in order.
pub(crate) fn sign(key: &SigningKey, statements: Vec<Unsigned>) -> Vec<Prepared> {
    if statements.len() <= STATEMENTS_PER_THREAD {
        return statements.into_iter().map(|statement| statement.sign(key)).collect();
    }
    let statements = statements.into_par_iter().with_min_len(STATEMENTS_PER_THREAD);
    statements.map(|statement| statement.sign(key)).collect()
}

/// Random bytes for each statement.
fn salts(count: usize) -> Result<Vec<[u8; 16]>, PublishError> {
    let mut salts = vec![[0_u8; 16]; count];
    getrandom::fill(salts.as_flattened_mut()).map_err(|error| PublishError::Invalid {
        place: 0,
        member: "/salt".to_owned(),
        detail: format!("the system gives no random bytes: {error}"),
    })?;
    Ok(salts)
}

enum Refused {
    Statement(StatementError),
    Json(serde_json::Error),
}

fn make_one(
    me: &ExchangeId,
    now: Timestamp,
    request: &PublishRequest,
    salt: [u8; 16],
) -> Result<Unsigned, Refused> {
    let audience = Audience::from_value(&request.audience).map_err(|error| {
        Refused::Statement(StatementError::member("audience", error.to_string()))
    })?;
    let kind = StatementType::from_name(&request.kind);
    let frame = Frame { audience: &audience, issued_at: now, issuer: me, salt, kind: &kind };
    // Most programs write the one canonical form already, and then the body is taken as it is.
    let first = Unsigned::frame(&frame, &request.body);
    let Err(StatementError::Json(_) | StatementError::Long(_)) = first else {
        return first.map_err(Refused::Statement);
    };
    let body = serde_json::from_str(&request.body).map_err(Refused::Json)?;
    let draft = Draft { audience, issued_at: now, issuer: me.clone(), salt, kind, body };
    Unsigned::make(&draft).map_err(Refused::Statement)
}

fn invalid(place: usize, error: &StatementError) -> PublishError {
    let member = match error {
        StatementError::Member { path, .. } => format!("/{}", path.replace('.', "/")),
        StatementError::Json(_) | StatementError::Long(_) => String::new(),
    };
    PublishError::Invalid { place, member, detail: crate::driver::chain(error) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use serde_json::json;

    use super::*;

    const CANONICAL: &str = r#"{"a":[1,true],"b":{"text":"\n涂层"}}"#;

    fn made(body: &str) -> Result<Unsigned, PublishError> {
        let request = PublishRequest {
            kind: "example/note/v1".to_owned(),
            audience: json!("public"),
            body: body.to_owned(),
        };
        let me = "cn-33-zhejiang".parse().unwrap();
        make(&me, Timestamp::default(), &[request]).map(|mut made| made.remove(0))
    }

    fn body(statement: Unsigned) -> String {
        let prepared = statement.sign(&SigningKey::from_bytes(&[7; 32]));
        let bytes = prepared.entry().statement_bytes();
        hutong_protocol::statement::Statement::parse(bytes).unwrap().body.to_string()
    }

    #[test]
    fn a_body_in_any_form_is_recorded_in_the_canonical_one() {
        for written in [
            CANONICAL,
            r#" { "b" : {"text":"\u000a\u6d82层"}, "a" : [1, true] } "#,
            r#"{"a":0,"b":{"text":"\n涂层"},"a":[1,true]}"#,
        ] {
            assert_eq!(body(made(written).unwrap()), CANONICAL, "{written}");
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_refused_with_its_place() {
        let deep = |levels| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(made(&deep(14)).is_ok());
        for (written, wanted) in [
            ("[]", "/body"),
            (r#"{"a":1.5}"#, "/body/a"),
            (r#"{"a":"\ud800"}"#, "/body"),
            (&deep(15), ""),
            // A body that would close the statement itself.
            (r#"{},"issued_at":"2026-11-23T08:00:00Z""#, "/body"),
        ] {
            let Err(PublishError::Invalid { place: 0, member, .. }) = made(written) else {
                unreachable!("{written} was taken")
            };
            assert_eq!(member, wanted, "{written}");
        }
    }

    #[test]
    fn a_large_group_keeps_its_order_and_names_what_is_wrong() {
        let request = |number: usize| PublishRequest {
            kind: "example/note/v1".to_owned(),
            audience: json!("public"),
            body: format!("{{\"number\":{number}}}"),
        };
        let mut group: Vec<PublishRequest> = (0..100).map(request).collect();
        let me = "cn-33-zhejiang".parse().unwrap();
        let statements = make(&me, Timestamp::default(), &group).unwrap();
        let numbered = (0..100).map(|number| format!("{{\"number\":{number}}}"));
        assert!(statements.into_iter().map(body).eq(numbered));
        group[70].audience = json!("nobody");
        let met = make(&me, Timestamp::default(), &group).err();
        assert!(matches!(met, Some(PublishError::Invalid { place: 70, .. })), "{met:?}");
    }
}
