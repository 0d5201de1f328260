//! Own statements, signed and ready for the log.

use alloc::string::String;

use hutong_crypto::keys::SigningKey;

use crate::entry::Entry;
use crate::statement::{Statement, StatementError};

/// A statement that is well formed and signed by a key of ours.
///
/// Made off the loop, in parallel; a [`crate::state::State`] appends nothing else to its own log.
#[derive(Debug, Clone)]
pub struct Prepared {
    entry: Entry,
    kind: String,
    membership: bool,
}

impl Prepared {
    /// Signs canonical statement bytes.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement.
    pub fn sign(statement: &[u8], key: &SigningKey) -> Result<Self, StatementError> {
        let parsed = Statement::parse(statement)?;
        let kind = String::from(parsed.kind.as_str());
        let membership = parsed.kind.is_membership();
        let entry =
            Entry::sign(key, statement).map_err(|_| StatementError::Long(statement.len()))?;
        Ok(Self { entry, kind, membership })
    }

    /// The signed entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The statement type, for instance `hutong/listing/v1`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether the directory depends on the statement.
    pub fn is_membership(&self) -> bool {
        self.membership
    }
}
