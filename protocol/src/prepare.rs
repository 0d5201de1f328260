//! Own statements: made, signed, and ready for the log.

use alloc::vec::Vec;

use hutong_crypto::keys::SigningKey;

use crate::audience::Audience;
use crate::entry::Entry;
use crate::statement::{Draft, Frame, Said, StatementError, StatementType};

/// A statement that is well formed and has no signature yet.
#[derive(Debug, Clone)]
pub struct Unsigned {
    bytes: Vec<u8>,
    said: Said,
}

/// A statement that is well formed and signed by a key of ours.
///
/// Made off the loop, in parallel; a [`crate::state::State`] appends nothing else to its own log.
#[derive(Debug, Clone)]
pub struct Prepared {
    entry: Entry,
    kind: StatementType,
    public: bool,
}

impl Unsigned {
    /// Takes canonical statement bytes.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement.
    pub fn read(bytes: Vec<u8>) -> Result<Self, StatementError> {
        let said = Said::parse(&bytes)?;
        Ok(Self { bytes, said })
    }

    /// Makes a statement.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement.
    pub fn make(draft: &Draft) -> Result<Self, StatementError> {
        Self::read(draft.to_canonical())
    }

    /// Makes a statement whose body is the text `body`, in canonical form.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement, so also where `body` is in
    /// another form.
    pub fn frame(frame: &Frame<'_>, body: &str) -> Result<Self, StatementError> {
        Self::read(frame.around(body.as_bytes()))
    }

    /// What it says.
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// Signs it; what it says comes back for those who keep it.
    pub fn sign(self, key: &SigningKey) -> (Prepared, Said) {
        let Self { bytes, said } = self;
        let entry = Entry::sign(key, &bytes).expect("a statement that was read fits an entry");
        let public = said.audience == Audience::Public;
        (Prepared { entry, kind: said.kind.clone(), public }, said)
    }
}

impl Prepared {
    /// Signs canonical statement bytes.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement.
    pub fn sign(statement: &[u8], key: &SigningKey) -> Result<Self, StatementError> {
        Ok(Unsigned::read(statement.to_vec())?.sign(key).0)
    }

    /// Makes a statement and signs it.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where other nodes would refuse the statement.
    pub fn make(draft: &Draft, key: &SigningKey) -> Result<Self, StatementError> {
        Ok(Unsigned::make(draft)?.sign(key).0)
    }

    /// The signed entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The statement type, for instance `hutong/listing/v1`.
    pub fn kind(&self) -> &str {
        self.kind.as_str()
    }

    /// Whether everybody may see it.
    pub fn is_public(&self) -> bool {
        self.public
    }

    /// Whether the directory depends on the statement.
    pub fn is_membership(&self) -> bool {
        self.kind.is_membership()
    }
}
