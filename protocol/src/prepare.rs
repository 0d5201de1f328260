//! Own statements, signed and ready for the log.

use hutong_crypto::keys::SigningKey;

use crate::entry::Entry;
use crate::statement::{Draft, Statement, StatementError};

/// A statement that is well formed and signed by a key of ours.
///
/// Made off the loop, in parallel; a [`crate::state::State`] appends nothing else to its own log.
#[derive(Debug, Clone)]
pub struct Prepared {
    entry: Entry,
    statement: Statement,
}

impl Prepared {
    /// Signs canonical statement bytes.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement.
    pub fn sign(statement: &[u8], key: &SigningKey) -> Result<Self, StatementError> {
        let parsed = Statement::parse(statement)?;
        let entry =
            Entry::sign(key, statement).map_err(|_| StatementError::Long(statement.len()))?;
        Ok(Self { entry, statement: parsed })
    }

    /// Makes a statement and signs it.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement.
    pub fn make(draft: Draft, key: &SigningKey) -> Result<Self, StatementError> {
        Self::sign(&draft.into_canonical(), key)
    }

    /// The signed entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// What it says.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The statement type, for instance `hutong/listing/v1`.
    pub fn kind(&self) -> &str {
        self.statement.kind.as_str()
    }

    /// Whether the directory depends on the statement.
    pub fn is_membership(&self) -> bool {
        self.statement.kind.is_membership()
    }
}
