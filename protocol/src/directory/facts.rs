//! The facts that a directory is built from: statements about members, by log and index.

use alloc::{collections::BTreeMap, sync::Arc};

use hutong_crypto::{PublicKey, verify_strict};
use serde_json::Value;

use super::decision::{Decision, DecisionError};
use crate::{
    audience::Audience,
    entry::Entry,
    id::ExchangeId,
    limits::{MEMBERSHIP_BYTES_PER_LOG_MAX, MEMBERSHIP_ENTRY_BYTES_MAX},
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
    issuer: ExchangeId,
    kind: StatementType,
    /// Read once, since a directory is built anew whenever a fact comes. The body is not kept: as
    /// values in memory it may be many times as large as its text.
    decision: Result<Decision, DecisionError>,
}

/// Statements about members whose signatures were checked. Cheap to clone.
///
/// What is in here is not yet authorised: that is what [`Directory::build`](super::Directory::build)
/// finds out. Of each log the first [`MEMBERSHIP_BYTES_PER_LOG_MAX`] of entries are kept, whatever the
/// order in which they come, so that no member can make the others' memory grow without end.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    facts: BTreeMap<FactRef, Arc<AdminFact>>,
    rooms: BTreeMap<ExchangeId, Room>,
}

/// How much of a log's bound is used.
#[derive(Debug, Clone)]
struct Room {
    /// Bytes of the entries kept.
    bytes: usize,
    /// Index from which on nothing is kept: that of the first entry that had no room.
    end: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self { bytes: 0, end: u64::MAX }
    }
}

impl AdminFact {
    /// Reads an entry; `None` when it is no public statement about a member in form, of at most
    /// [`MEMBERSHIP_ENTRY_BYTES_MAX`].
    ///
    /// Its signature is the caller's to check, by the network's rule: see [`Facts::insert`].
    pub fn read(entry: &Entry) -> Option<Self> {
        if entry.as_bytes().len() > MEMBERSHIP_ENTRY_BYTES_MAX {
            return None;
        }
        let statement = Statement::parse(entry.statement_bytes()).ok()?;
        if !statement.kind.is_membership() || statement.audience != Audience::Public {
            return None;
        }
        let decision = Decision::from_body(&statement.kind, &statement.body);
        let (issuer, kind) = (statement.issuer, statement.kind);
        Some(Self { entry: entry.detached(), issuer, kind, decision })
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Who issued the statement, by its own words.
    pub fn issuer(&self) -> &ExchangeId {
        &self.issuer
    }

    /// Its type.
    pub fn kind(&self) -> &StatementType {
        &self.kind
    }

    /// Its body, read from the entry once more; null where it cannot be read, which
    /// [`AdminFact::read`] has ruled out.
    pub(super) fn body(&self) -> Value {
        Statement::parse(self.entry.statement_bytes())
            .map_or(Value::Null, |statement| statement.body)
    }

    /// What it decides.
    ///
    /// # Errors
    ///
    /// Why its body is no decision.
    pub fn decision(&self) -> Result<&Decision, &DecisionError> {
        self.decision.as_ref()
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
    pub fn insert(&mut self, (log, index): (ExchangeId, u64), entry: &Entry) -> bool {
        let Some(fact) = AdminFact::read(entry) else { return false };
        self.insert_fact(FactRef { log, index }, Arc::new(fact))
    }

    /// As [`Facts::insert`], for a fact that was read before.
    pub fn insert_fact(&mut self, place: FactRef, fact: Arc<AdminFact>) -> bool {
        let (log, index) = (place.log.clone(), place.index);
        let room = self.rooms.entry(log.clone()).or_default();
        if index >= room.end {
            return false;
        }
        room.bytes += fact.entry.as_bytes().len();
        if let Some(before) = self.facts.insert(place, fact) {
            room.bytes -= before.entry.as_bytes().len();
            return false;
        }
        index < self.make_room(&log)
    }

    /// Lets go of a log's last facts until the rest is within the bound. What comes behind them has
    /// no room either, so that the order of arrival does not matter. Returns from where on.
    fn make_room(&mut self, log: &ExchangeId) -> u64 {
        let room = self.rooms.entry(log.clone()).or_default();
        while room.bytes > MEMBERSHIP_BYTES_PER_LOG_MAX {
            let from = FactRef { log: log.clone(), index: 0 };
            let to = FactRef { log: log.clone(), index: room.end };
            let Some((last, _)) = self.facts.range(from..to).next_back() else { break };
            let last = last.clone();
            room.end = last.index;
            if let Some(gone) = self.facts.remove(&last) {
                room.bytes -= gone.entry.as_bytes().len();
            }
        }
        room.end
    }

    /// Those of them that count where logs are frozen at these sizes: of a log that exists in two
    /// versions, nothing behind what a quorum of witnesses has seen.
    #[must_use]
    pub fn up_to(&self, frozen: &BTreeMap<ExchangeId, u64>) -> Self {
        let mut counting = self.clone();
        counting
            .facts
            .retain(|place, _| frozen.get(&place.log).is_none_or(|size| place.index < *size));
        counting
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use alloc::vec::Vec;

    use hutong_crypto::keys::SigningKey;
    use serde_json::json;

    use super::*;
    use crate::{audience::Audience, statement::Draft, time::Timestamp};

    fn entry(audience: Audience, reason: usize) -> Entry {
        let statement = Draft {
            audience,
            issued_at: Timestamp::default(),
            issuer: "cn-33-zhejiang".parse().unwrap(),
            salt: [1; 16],
            kind: StatementType::MemberExpel,
            body: json!({
                "log_size_honoured": 0,
                "member": "cn-3301-hangzhou",
                "more": "x".repeat(reason),
            }),
        };
        Entry::sign(&SigningKey::from_bytes(&[7; 32]), &statement.encode().unwrap()).unwrap()
    }

    #[test]
    fn the_first_of_a_log_are_kept_in_whatever_order_they_come() {
        let log: ExchangeId = "cn-33-zhejiang".parse().unwrap();
        // Large ones, and a small one in the end that would find room behind a large one that did not.
        let (large, small) = (entry(Audience::Public, 12_000), entry(Audience::Public, 0));
        let size = large.as_bytes().len();
        let kept = (MEMBERSHIP_BYTES_PER_LOG_MAX / size) as u64;
        let all: Vec<(u64, &Entry)> =
            (0..kept + 3).map(|index| (index, &large)).chain([(kept + 3, &small)]).collect();
        let (mut upwards, mut downwards) = (Facts::new(), Facts::new());
        for (index, entry) in &all {
            assert_eq!(upwards.insert((log.clone(), *index), entry), *index < kept);
        }
        for (index, entry) in all.iter().rev() {
            downwards.insert((log.clone(), *index), entry);
        }
        for facts in [&upwards, &downwards] {
            let found: Vec<u64> = facts.of_log(&log).map(|(place, _)| place.index).collect();
            assert_eq!(found, (0..kept).collect::<Vec<u64>>());
        }
        let other: ExchangeId = "cn-34-anhui".parse().unwrap();
        assert!(upwards.insert((other, kept), &small), "another log has room of its own");
    }

    #[test]
    fn large_and_restricted_statements_about_members_are_none() {
        assert!(AdminFact::read(&entry(Audience::Public, 0)).is_some());
        assert!(AdminFact::read(&entry(Audience::Domestic, 0)).is_none());
        let most = MEMBERSHIP_ENTRY_BYTES_MAX - entry(Audience::Public, 0).as_bytes().len();
        assert!(AdminFact::read(&entry(Audience::Public, most)).is_some());
        assert!(AdminFact::read(&entry(Audience::Public, most + 1)).is_none());
    }
}
