//! The facts that a directory is built from: statements about members, by log and index.

use alloc::{collections::BTreeMap, sync::Arc};

use hutong_crypto::{PublicKey, verify_strict};
use serde_json::Value;

use crate::{
    entry::Entry,
    id::ExchangeId,
    statement::{Statement, StatementType},
};

/// Where a fact stands: a place in a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FactRef {
    /// Whose log.
    pub log: ExchangeId,
    /// At which index, counted from 0.
    pub index: u64,
}

/// A statement about a member, as an entry of a log.
#[derive(Debug)]
pub struct AdminFact {
    entry: Entry,
    statement: Statement,
}

/// Statements about members whose signatures were checked. Cheap to clone.
///
/// What is in here is not yet authorised: that is what [`Directory::build`](super::Directory::build)
/// finds out.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    facts: BTreeMap<FactRef, Arc<AdminFact>>,
}

impl AdminFact {
    /// Reads an entry; `None` when it is no statement about a member in form.
    ///
    /// Its signature is the caller's to check, by the network's rule: see [`Facts::insert`].
    pub fn read(entry: Entry) -> Option<Self> {
        let statement = Statement::parse(entry.statement_bytes()).ok()?;
        if !statement.kind.is_membership() {
            return None;
        }
        Some(Self { entry, statement })
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Who issued the statement, by its own words.
    pub fn issuer(&self) -> &ExchangeId {
        &self.statement.issuer
    }

    /// Its type.
    pub fn kind(&self) -> &StatementType {
        &self.statement.kind
    }

    /// Its body, in form as far as every statement of its type must be.
    pub fn body(&self) -> &Value {
        &self.statement.body
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The key that signed it.
    pub fn key(&self) -> PublicKey {
        self.entry.issuer_key()
    }

    /// Whether its signature holds by the strict rule of receipts.
    pub fn is_strictly_signed(&self) -> bool {
        let message = self.entry.signed_message();
        verify_strict(&self.entry.issuer_key(), &message, &self.entry.signature())
    }
}

impl Facts {
    /// No facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the entry at `index` of `log`, whose signature the caller has found to hold.
    ///
    /// Returns whether it is a statement about a member and new here; any other entry is ignored.
    pub fn insert(&mut self, (log, index): (ExchangeId, u64), entry: Entry) -> bool {
        let Some(fact) = AdminFact::read(entry) else { return false };
        self.insert_fact(FactRef { log, index }, fact)
    }

    /// As [`Facts::insert`], for a fact that was read before.
    pub fn insert_fact(&mut self, place: FactRef, fact: AdminFact) -> bool {
        self.facts.insert(place, Arc::new(fact)).is_none()
    }

    /// The fact at `place`.
    pub fn fact(&self, place: &FactRef) -> Option<&AdminFact> {
        self.facts.get(place).map(Arc::as_ref)
    }

    /// All facts, by log and then index.
    pub fn iter(&self) -> impl Iterator<Item = (&FactRef, &AdminFact)> {
        self.facts.iter().map(|(place, fact)| (place, fact.as_ref()))
    }

    /// The facts of one log, by index.
    pub fn of_log(&self, log: &ExchangeId) -> impl Iterator<Item = (&FactRef, &AdminFact)> {
        let from = FactRef { log: log.clone(), index: 0 };
        let to = FactRef { log: log.clone(), index: u64::MAX };
        self.facts.range(from..=to).map(|(place, fact)| (place, fact.as_ref()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}
