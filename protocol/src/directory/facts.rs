//! The facts that a directory is built from: statements about members, by log and index.

use alloc::{collections::BTreeMap, sync::Arc};

use hutong_crypto::{PublicKey, verify_strict};
use serde_json::Value;

use super::decision::{Decision, DecisionError};
use crate::{
    entry::Entry,
    id::ExchangeId,
    limits::MEMBERSHIP_ENTRIES_PER_LOG_MAX,
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
    /// Read once, since a directory is built anew whenever a fact comes.
    decision: Result<Decision, DecisionError>,
}

/// Statements about members whose signatures were checked. Cheap to clone.
///
/// What is in here is not yet authorised: that is what [`Directory::build`](super::Directory::build)
/// finds out. Of each log the first [`MEMBERSHIP_ENTRIES_PER_LOG_MAX`] are kept, whatever the order
/// in which they come, so that no member can make the others' memory grow without end.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    facts: BTreeMap<FactRef, Arc<AdminFact>>,
    /// How many there are of each log.
    counts: BTreeMap<ExchangeId, usize>,
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
        let decision = Decision::from_body(&statement.kind, &statement.body);
        Some(Self { entry, statement, decision })
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

    /// What it decides.
    ///
    /// # Errors
    ///
    /// Why its body is no decision.
    pub fn decision(&self) -> Result<&Decision, &DecisionError> {
        self.decision.as_ref()
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
    /// Returns whether it is a statement about a member, new here and within the bound of its log;
    /// any other entry is ignored.
    pub fn insert(&mut self, (log, index): (ExchangeId, u64), entry: Entry) -> bool {
        let Some(fact) = AdminFact::read(entry) else { return false };
        self.insert_fact(FactRef { log, index }, Arc::new(fact))
    }

    /// As [`Facts::insert`], for a fact that was read before.
    pub fn insert_fact(&mut self, place: FactRef, fact: Arc<AdminFact>) -> bool {
        let known = self.facts.contains_key(&place);
        if !known && !self.make_room(&place) {
            return false;
        }
        self.facts.insert(place, fact);
        !known
    }

    /// Counts the fact at `place` in. Where its log is full a later one goes, or this one stays out.
    fn make_room(&mut self, place: &FactRef) -> bool {
        if let Some(count) = self.counts.get_mut(&place.log) {
            if *count < MEMBERSHIP_ENTRIES_PER_LOG_MAX {
                *count += 1;
                return true;
            }
            let last = self.of_log(&place.log).next_back().map(|(last, _)| last.clone());
            return match last {
                Some(last) if *place < last => self.facts.remove(&last).is_some(),
                Some(_) | None => false,
            };
        }
        self.counts.insert(place.log.clone(), 1);
        true
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
    pub fn of_log(
        &self,
        log: &ExchangeId,
    ) -> impl DoubleEndedIterator<Item = (&FactRef, &AdminFact)> {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::vec::Vec;

    use hutong_crypto::keys::SigningKey;
    use serde_json::json;

    use super::*;
    use crate::{audience::Audience, statement::Draft, time::Timestamp};

    #[test]
    fn the_first_of_a_log_are_kept_in_whatever_order_they_come() {
        let log: ExchangeId = "cn-33-zhejiang".parse().unwrap();
        let statement = Draft {
            audience: Audience::Public,
            issued_at: Timestamp::default(),
            issuer: log.clone(),
            salt: [1; 16],
            kind: StatementType::MemberExpel,
            body: json!({"log_size_honoured": 0, "member": "cn-3301-hangzhou"}),
        };
        let key = SigningKey::from_bytes(&[7; 32]);
        let entry = Entry::sign(&key, &statement.encode().unwrap()).unwrap();
        let most = MEMBERSHIP_ENTRIES_PER_LOG_MAX as u64;
        let (mut upwards, mut downwards) = (Facts::new(), Facts::new());
        for index in 0..=most {
            assert_eq!(upwards.insert((log.clone(), index), entry.clone()), index < most);
            assert!(downwards.insert((log.clone(), most - index), entry.clone()));
        }
        for facts in [&upwards, &downwards] {
            let kept: Vec<u64> = facts.of_log(&log).map(|(place, _)| place.index).collect();
            assert_eq!(kept, (0..most).collect::<Vec<u64>>());
        }
        let other: ExchangeId = "cn-34-anhui".parse().unwrap();
        assert!(upwards.insert((other, most), entry), "another log has room of its own");
    }
}
