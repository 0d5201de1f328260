//! What became of own statements, in the operator's words.

use hutong_protocol::id::{ExchangeId, StatementId};
use hutong_protocol::io::AppendError;

use crate::handle::{PublishError, Published};

/// Where statements were recorded.
pub(super) fn published(me: &ExchangeId, positions: &[(u64, StatementId)]) -> Vec<Published> {
    positions
        .iter()
        .map(|(index, id)| Published {
            log: me.clone(),
            index: *index,
            id: *id,
            unlisted: Vec::new(),
        })
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
