//! The door to the node: what it lists already, and what it is asked to publish.

use super::mapping::Kind;
use serde_json::{Map, Value};
use thiserror::Error;

/// A statement that is to be signed and logged by the node.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The statement type, such as `hutong/listing/v1`.
    pub kind: &'static str,
    /// Who may see it.
    pub audience: Value,
    /// The body. A contract's has no `claims`: they are committed to by the node from `confidential`.
    pub body: Map<String, Value>,
    /// Confidential values by claim name, which the node keeps; empty for listings.
    pub confidential: Map<String, Value>,
}

/// What the node has under a listing id or registration number.
#[derive(Debug, Clone, PartialEq)]
pub struct Existing {
    /// The statement's id, hexadecimal.
    pub statement: String,
    /// The newest revision; 1 for contracts.
    pub revision: u64,
    /// The newest statement's audience.
    pub audience: Value,
    /// The newest statement's body.
    pub body: Map<String, Value>,
    /// The confidential values that the node keeps; none when it does not show them.
    pub confidential: Option<Map<String, Value>>,
    /// Whether the listing is withdrawn or traded, or the contract cancelled or revoked.
    pub ended: bool,
}

/// A statement that is in the node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The statement's id, hexadecimal.
    pub statement: String,
    /// Its index in the node's log.
    pub index: u64,
}

/// Why a group was not published. No statement of the group is then in the log.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The node refuses one statement; the others would be taken.
    #[error("statement {position} of the group is refused: {reason}")]
    Refused {
        /// Its place in the group, from 0.
        position: usize,
        /// Why.
        reason: String,
    },
    /// The node cannot be reached, or cannot publish now.
    #[error("the node does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A node, as an import sees it.
pub trait Publisher {
    /// What the node has under each of `subjects` (listing ids or registration numbers), in their order.
    ///
    /// # Errors
    ///
    /// [`PublishError::Unavailable`].
    fn existing(
        &mut self,
        kind: Kind,
        subjects: &[String],
    ) -> Result<Vec<Option<Existing>>, PublishError>;

    /// Publishes a group of at most [`GROUP_STATEMENTS`](super::limits::GROUP_STATEMENTS) statements, all or none, and returns
    /// when they are durable in the log.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; a refusal names the first statement that is refused.
    fn publish(&mut self, group: &[Submission]) -> Result<Vec<Published>, PublishError>;
}
