//! Own statements: made, signed, and ready for the log.

use alloc::vec;
use alloc::vec::Vec;

use hutong_crypto::keys::{PublicKey, SigningKey};

use crate::audience::Audience;
use crate::entry::{Entry, STATEMENT_AT};
use crate::json::canonicalize;
use crate::statement::{Draft, Frame, Said, StatementError, StatementType};

/// A statement that is well formed and has no signature yet.
#[derive(Debug, Clone)]
pub struct Unsigned {
    /// Its entry to be: room for key and signature, then the statement.
    bytes: Vec<u8>,
    said: Said,
}

/// A statement that is well formed and signed by a key of ours.
///
/// Made off the loop, in parallel; a [`crate::state::State`] appends nothing else to its own log.
#[derive(Debug, Clone)]
pub struct Prepared {
    entry: Entry,
    key: PublicKey,
    kind: StatementType,
    public: bool,
}

impl Unsigned {
    /// Takes canonical statement bytes.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where the statement is not fit to be published.
    pub fn read(statement: &[u8]) -> Result<Self, StatementError> {
        Self::written(|out| out.extend_from_slice(statement))
    }

    /// Makes a statement.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where the statement is not fit to be published.
    pub fn make(draft: &Draft) -> Result<Self, StatementError> {
        Self::written(|out| draft.frame().append(&canonicalize(&draft.body), out))
    }

    /// Makes a statement whose body is the text `body`, in canonical form.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where the statement is not fit to be published, so also where `body` is in
    /// another form.
    pub fn frame(frame: &Frame<'_>, body: &str) -> Result<Self, StatementError> {
        Self::written(|out| frame.append(body.as_bytes(), out))
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Result<Self, StatementError> {
        let mut bytes = vec![0; STATEMENT_AT];
        write(&mut bytes);
        let said = Said::parse(&bytes[STATEMENT_AT..])?;
        Ok(Self { bytes, said })
    }

    /// What it says.
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// Signs it.
    pub fn sign(self, key: &SigningKey) -> Prepared {
        let Self { bytes, said } = self;
        let entry =
            Entry::sign_in_place(key, bytes).expect("a statement that was read fits an entry");
        let public = said.audience == Audience::Public;
        Prepared { entry, key: key.public(), kind: said.kind, public }
    }
}

impl Prepared {
    /// Signs canonical statement bytes.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where the statement is not fit to be published.
    pub fn sign(statement: &[u8], key: &SigningKey) -> Result<Self, StatementError> {
        Ok(Unsigned::read(statement)?.sign(key))
    }

    /// Makes a statement and signs it.
    ///
    /// # Errors
    ///
    /// [`StatementError`] where the statement is not fit to be published.
    pub fn make(draft: &Draft, key: &SigningKey) -> Result<Self, StatementError> {
        Ok(Unsigned::make(draft)?.sign(key))
    }

    /// The signed entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The key that signed it.
    pub fn key(&self) -> PublicKey {
        self.key
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
