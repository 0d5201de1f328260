//! Own statements, made and signed beside the loop.

use hutong_crypto::keys::SigningKey;
use hutong_protocol::audience::Audience;
use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::io::AppendError;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::statement::{Draft, StatementError, StatementType};
use hutong_protocol::time::Timestamp;
use rayon::prelude::*;

use crate::handle::{PublishError, PublishRequest, Published};

/// Signs statements on all cores, in order: all of them, or none.
pub(super) fn sign(
    me: &ExchangeId,
    key: &SigningKey,
    now: Timestamp,
    requests: Vec<PublishRequest>,
) -> Result<Vec<Prepared>, PublishError> {
    let mut salts = vec![[0_u8; 16]; requests.len()];
    for salt in &mut salts {
        getrandom::fill(salt).map_err(|error| PublishError::Invalid {
            place: 0,
            member: "/salt".to_owned(),
            detail: format!("the system gives no random bytes: {error}"),
        })?;
    }
    requests
        .into_par_iter()
        .zip(salts)
        .enumerate()
        .map(|(place, (request, salt))| {
            sign_one(me, key, now, request, salt).map_err(|error| invalid(place, &error))
        })
        .collect()
}

fn sign_one(
    me: &ExchangeId,
    key: &SigningKey,
    now: Timestamp,
    request: PublishRequest,
    salt: [u8; 16],
) -> Result<Prepared, StatementError> {
    let audience = Audience::from_value(&request.audience)
        .map_err(|error| StatementError::member("audience", error.to_string()))?;
    let draft = Draft {
        audience,
        issued_at: now,
        issuer: me.clone(),
        salt,
        kind: StatementType::from_name(&request.kind),
        body: request.body,
    };
    Prepared::make(draft, key)
}

fn invalid(place: usize, error: &StatementError) -> PublishError {
    let member = match error {
        StatementError::Member { path, .. } => format!("/{}", path.replace('.', "/")),
        StatementError::Json(_) | StatementError::Long(_) => String::new(),
    };
    PublishError::Invalid { place, member, detail: crate::driver::chain(error) }
}

/// Where statements were recorded.
pub(super) fn published(me: &ExchangeId, positions: &[(u64, StatementId)]) -> Vec<Published> {
    positions
        .iter()
        .map(|(index, id)| Published { log: me.clone(), index: *index, id: *id })
        .collect()
}

/// Why they were not, in the operator's words.
pub(super) fn refused(error: AppendError) -> PublishError {
    match error {
        AppendError::OwnLogUnchecked => PublishError::OwnLogUnchecked,
        AppendError::OwnLogConflict => PublishError::OwnLogConflict,
        AppendError::NotAuthorised { index, reason } => {
            PublishError::NotAuthorised { place: index, reason }
        }
        AppendError::Full => PublishError::Full,
    }
}
