//! An entry as the views take it in: parsed, of its log's exchange, not void.

use hutong_protocol::entry::Entry;
use hutong_protocol::statement::Statement;

use crate::store::core::Held;

/// One entry with what it says.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) index: u64,
    pub(super) statement: Statement,
}

impl Recorded {
    /// `None` for an entry that says nothing well formed, or speaks for another exchange.
    pub(super) fn parse(held: &Held, index: u64, entry: &Entry) -> Option<Self> {
        let statement = Statement::parse(entry.statement_bytes()).ok()?;
        (statement.issuer == held.exchange).then_some(Self { index, statement })
    }

    /// Whether the directory depends on it.
    pub(super) fn is_admin(&self) -> bool {
        self.statement.kind.is_membership()
    }
}
