//! Every failure of the interface as an RFC 9457 problem; the only place where errors become status codes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hutong_protocol::receipt::CompactError;
use hutong_protocol::shown::visible_json;

use super::model::Problem;
use crate::claims::ClaimsError;
use crate::continuity::ContinuityError;
use crate::handle::{CharterRefused, DialRefused, PublishError};
use crate::receipts::IssueError;
use crate::store::StoreError;

/// Why a request was not answered as asked.
#[derive(Debug)]
pub enum ApiError {
    /// No token, or a wrong one.
    Unauthorized,
    /// There is no such thing here.
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The path exists, but not for this method.
    Method,
    /// The request is not as it should be.
    Invalid {
        /// What was expected and met.
        detail: String,
        /// JSON pointers of the wrong members.
        members: Vec<String>,
    },
    /// The body is larger than allowed.
    TooLarge,
    /// Too many requests at one time.
    Busy,
    /// The request took longer than allowed.
    Slow,
    /// Statements were not published.
    Publish(PublishError),
    /// A charter was not installed.
    Charter(CharterRefused),
    /// An address was not dialled.
    Dial(DialRefused),
    /// The store cannot be read.
    Store(StoreError),
    /// What was asked for exists, but its state does not allow the request yet.
    Conflict {
        /// What stands in the way.
        detail: String,
        /// What to do next.
        advice: String,
    },
    /// The request can be met once witnesses or the keeper of the register have gone on.
    NotWitnessed {
        /// `not-witnessed` or `not-anchored`.
        kind: &'static str,
        /// What is missing.
        detail: String,
    },
    /// This program contradicts itself.
    Internal(String),
}

impl ApiError {
    /// A wrong request without a member to name.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid { detail: detail.into(), members: Vec::new() }
    }

    /// The problem details that a client reads.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Unauthorized => problem(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "not authorised",
                "no bearer token, or a wrong one, was shown",
                "send the content of api.token in the data folder as `Authorization: Bearer …`",
            ),
            Self::NotFound { what } => problem(
                StatusCode::NOT_FOUND,
                "not-found",
                "not found",
                format!("{what} is not held here"),
                "check the spelling; if it is new, wait until this node has caught up",
            ),
            Self::Method => problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "method not allowed",
                "the path exists, but not for this method",
                "look at the list of paths in the manual",
            ),
            Self::Invalid { detail, members } => Problem {
                members: members.clone(),
                ..problem(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid",
                    "invalid request",
                    detail,
                    "correct the members named and send it again; nothing was changed",
                )
            },
            Self::TooLarge => problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "request too large",
                "the body is larger than api.body_bytes_max",
                "send fewer statements at one time",
            ),
            Self::Slow => problem(
                StatusCode::GATEWAY_TIMEOUT,
                "slow",
                "not answered in time",
                "the request took longer than api.request_timeout_ms",
                "look whether it was carried out before you send it again",
            ),
            Self::Publish(error) => publish(error),
            Self::Charter(CharterRefused::Invalid(detail)) => problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "charter-refused",
                "charter refused",
                detail,
                "check it with `hutong charter show FILE`",
            ),
            Self::Dial(DialRefused::Invalid(detail)) => problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "address-refused",
                "address refused",
                detail,
                "write it as `/dns4/node.example.org/tcp/7411`",
            ),
            Self::Busy | Self::Charter(CharterRefused::Busy) | Self::Dial(DialRefused::Busy) => {
                busy()
            }
            Self::Charter(CharterRefused::Stopping) | Self::Dial(DialRefused::Stopping) => {
                stopping()
            }
            Self::Store(error) => store(error),
            Self::Conflict { detail, advice } => {
                problem(StatusCode::CONFLICT, "not-yet", "not possible yet", detail, advice)
            }
            Self::NotWitnessed { kind, detail } => problem(
                StatusCode::SERVICE_UNAVAILABLE,
                kind,
                "not witnessed yet",
                detail,
                "wait, or ask for an anchor with `hutong receipt issue --wait SECONDS`; see `hutong status`",
            ),
            Self::Internal(detail) => problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "internal error",
                detail,
                "report it with the log of this node",
            ),
        }
    }
}

fn publish(error: &PublishError) -> Problem {
    let detail = error.to_string();
    match error {
        PublishError::Invalid { place, member, .. } => Problem {
            members: vec![format!("/statements/{place}{member}")],
            ..problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-statement",
                "invalid statement",
                detail,
                "correct it and send the whole group again; nothing was published",
            )
        },
        PublishError::NotAuthorised { place, .. } => Problem {
            members: vec![format!("/statements/{place}")],
            ..problem(
                StatusCode::FORBIDDEN,
                "not-a-right",
                "not authorised to make this statement",
                detail,
                "look at this exchange's membership with `hutong member show`; nothing was published",
            )
        },
        PublishError::Continuity(error) => continuity(error),
        PublishError::OwnLogUnchecked => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "own-log-unchecked",
            "own log being checked",
            detail,
            "try again in some seconds",
        ),
        PublishError::OwnLogConflict => problem(
            StatusCode::CONFLICT,
            "own-log-conflict",
            "own log in conflict",
            detail,
            "stop publishing and call the parent exchange: the seed may be in use elsewhere",
        ),
        PublishError::Store { .. } => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "disk",
            "disk fault",
            detail,
            "check space and health of the disk, then start the node again",
        ),
        PublishError::NoRoom { .. } => problem(
            StatusCode::INSUFFICIENT_STORAGE,
            "no-room",
            "disk full",
            detail,
            "free space on the disk, then try again; nothing was published",
        ),
        PublishError::Full => problem(
            StatusCode::INSUFFICIENT_STORAGE,
            "log-full",
            "log full",
            detail,
            "ask the parent exchange for a rekey into a new log",
        ),
        PublishError::Busy => busy(),
        PublishError::Stopping => stopping(),
    }
}

fn continuity(error: &ContinuityError) -> Problem {
    let detail = error.to_string();
    match error {
        ContinuityError::NotNext { place, .. } | ContinuityError::UnderWay { place, .. } => {
            Problem {
                members: vec![format!("/statements/{place}")],
                ..problem(
                    StatusCode::CONFLICT,
                    "not-next",
                    "statement does not follow",
                    detail,
                    "look at what is recorded; revise, amend or name the newest statement; nothing was published",
                )
            }
        }
        ContinuityError::Behind => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "catching-up",
            "node is catching up",
            detail,
            "try again in some seconds; where that does not help, the node's own messages say why its views stand still; nothing was published",
        ),
        ContinuityError::Store(error) => store(error),
    }
}

fn store(error: &StoreError) -> Problem {
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "disk",
        "disk fault",
        error.to_string(),
        "check space and health of the disk, then stop the node and run `hutong fsck`",
    )
}

fn busy() -> Problem {
    problem(
        StatusCode::TOO_MANY_REQUESTS,
        "busy",
        "busy",
        "too many requests are waiting",
        "try again in a second",
    )
}

fn stopping() -> Problem {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "stopping",
        "node is stopping",
        "the node is stopping",
        "try again when it runs",
    )
}

fn problem(
    status: StatusCode,
    kind: &str,
    title: &str,
    detail: impl Into<String>,
    advice: impl Into<String>,
) -> Problem {
    Problem {
        kind: format!("urn:hutong:problem:{kind}"),
        title: title.to_owned(),
        status: status.as_u16(),
        detail: detail.into(),
        advice: advice.into(),
        members: Vec::new(),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(kind = problem.kind, detail = problem.detail, "request failed");
        }
        // Read by people too, on terminals: the same texts, with nothing in them that is not seen.
        let body = visible_json(&serde_json::to_string(&problem).unwrap_or_default());
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                // The rest of the body is not read, so the connection cannot be used again.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        Self::Publish(error)
    }
}

impl From<IssueError> for ApiError {
    fn from(error: IssueError) -> Self {
        let detail = crate::driver::chain(&error);
        match error {
            IssueError::NotFound(what) => Self::NotFound { what },
            IssueError::Unwitnessed { .. } | IssueError::LaterUnwitnessed { .. } => {
                Self::NotWitnessed { kind: "not-witnessed", detail }
            }
            IssueError::NoAnchor { .. }
            | IssueError::NotAnchored { .. }
            | IssueError::Compact(CompactError::Provisional) => {
                Self::NotWitnessed { kind: "not-anchored", detail }
            }
            IssueError::NoLeaves => {
                Self::Conflict { detail, advice: "ask a council member for its bundle".to_owned() }
            }
            IssueError::Frozen { .. } => {
                Self::Conflict { detail, advice: "ask the federation's council".to_owned() }
            }
            IssueError::Withheld { .. } => {
                Self::Conflict { detail, advice: "ask the exchange that issued it".to_owned() }
            }
            IssueError::Claims(ClaimsError::NoSuchClaim { .. } | ClaimsError::NotKept { .. }) => {
                Self::Invalid { detail, members: vec!["/disclose".to_owned()] }
            }
            IssueError::Ambiguous { .. } => {
                Self::Invalid { detail, members: vec!["/registration".to_owned()] }
            }
            IssueError::Build(_) | IssueError::Compact(_) => Self::Conflict {
                detail,
                advice: "look at the entry with `hutong log show`".to_owned(),
            },
            IssueError::Ineffective { .. } => Self::Conflict {
                detail,
                advice: "look at what is recorded and ask for the event that took effect"
                    .to_owned(),
            },
            IssueError::Continuity(error) => Self::Publish(PublishError::Continuity(error)),
            IssueError::Store(error) => error.into(),
            IssueError::Claims(_) | IssueError::Proof { .. } => Self::Internal(detail),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UnknownLog(log) => Self::NotFound { what: format!("the log of {log}") },
            other => Self::Store(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(error: ApiError) -> u16 {
        error.into_response().status().as_u16()
    }

    #[test]
    fn each_reason_has_its_status() {
        assert_eq!(status(ApiError::Unauthorized), 401);
        assert_eq!(status(PublishError::OwnLogUnchecked.into()), 503);
        assert_eq!(status(PublishError::Busy.into()), 429);
        assert_eq!(status(PublishError::from(ContinuityError::Behind).into()), 503);
        assert_eq!(status(ApiError::Charter(CharterRefused::Stopping)), 503);
        assert_eq!(status(ApiError::TooLarge), 413);
        let disk = PublishError::Store { file: "/d/x".into(), reason: "full".into() };
        assert_eq!(status(disk.into()), 500);
        assert_eq!(status(PublishError::NoRoom { free: 7 }.into()), 507);
    }

    #[test]
    fn an_invalid_statement_is_named_by_place_and_member() {
        let error = PublishError::Invalid {
            place: 3,
            member: "/body/title".into(),
            detail: "expected a text".into(),
        };
        let problem = ApiError::from(error).problem();
        assert_eq!(problem.status, 422);
        assert_eq!(problem.members, ["/statements/3/body/title"]);
        assert_ne!(problem.advice, "");
    }

    #[test]
    fn a_right_that_is_missing_is_not_an_invalid_statement() {
        let error = PublishError::NotAuthorised { place: 0, reason: "suspended".into() };
        assert_eq!(status(error.into()), 403);
    }

    #[tokio::test]
    async fn a_body_has_nothing_that_is_not_seen() {
        let detail = "`甲\u{202e}\u{9b}\u{7f}\nverdict: valid` is wrong";
        let response = ApiError::invalid(detail).into_response();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap_or_default();
        let text = String::from_utf8(body.to_vec()).unwrap_or_default();
        assert!(
            !text.is_empty() && !text.chars().any(hutong_protocol::shown::is_invisible),
            "{text}"
        );
        let read: Option<Problem> = serde_json::from_str(&text).ok();
        assert_eq!(read.map(|problem| problem.detail).as_deref(), Some(detail));
    }
}
