//! Logs that exist in two versions.

use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::Hash;
use hutong_crypto::keys::PublicKey;
use hutong_crypto::merkle::Frontier;
use hutong_crypto::note::Note;

use super::State;
use super::replica::{Signed, Suspect};
use crate::evidence::Evidence;
use crate::id::ExchangeId;
use crate::io::{Effect, Notice};
use crate::message::Gossip;
use crate::persist::Persist;

impl State {
    /// Two checkpoints of one size have different roots.
    pub(super) fn convict_at_one_size(&mut self, log: &ExchangeId, a: &Signed, b: &Signed) {
        let evidence = Evidence {
            first: a.note.encode(),
            second: b.note.encode(),
            left: Vec::new(),
            right: Vec::new(),
        };
        self.convict_if_proven(log, &evidence);
    }

    /// The tree of `second`, as `left` and `right` show it, does not extend that of `first`.
    ///
    /// Returns whether that is so; if not, nothing happens.
    pub(super) fn convict_by_range(
        &mut self,
        log: &ExchangeId,
        first: &Signed,
        second: &Signed,
        left: Vec<Hash>,
        right: Vec<Hash>,
    ) -> bool {
        let (first, second) = (first.note.encode(), second.note.encode());
        self.convict_if_proven(log, &Evidence { first, second, left, right })
    }

    /// The answer about a smaller checkpoint that was being compared with the one held.
    pub(super) fn range_read(
        &mut self,
        log: &ExchangeId,
        old_size: u64,
        new_size: u64,
        left: Vec<Hash>,
        right: Vec<Hash>,
    ) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let suspect = replica.suspects.remove(&old_size);
        let Some(Suspect { signed, offered, held }) =
            suspect.filter(|suspect| suspect.held.size() == new_size)
        else {
            return;
        };
        let part = Frontier::from_parts(old_size, left.clone());
        if part.is_ok_and(|part| part.root() == signed.checkpoint.root) {
            // It is part of what is held: its cosignatures count here too.
            replica.remember(signed);
            self.gather_cosignatures(log, old_size, &offered);
        } else {
            self.convict_by_range(log, &signed, &held, left, right);
        }
    }

    /// Whether `evidence` holds; if so, it is acted upon.
    pub(super) fn convict_if_proven(&mut self, log: &ExchangeId, evidence: &Evidence) -> bool {
        let Some(key) = self.log_key_of(log, evidence) else { return false };
        if self.is_closed(log, &key) {
            return false;
        }
        if evidence.verify(self.origin(log).as_str(), &key).is_err() {
            return false;
        }
        self.convict(log, evidence.encode());
        true
    }

    /// Whether evidence is about checkpoints of keys that the log has given up.
    ///
    /// Those may be in strange hands, and that may be why they were given up: what they sign convicts
    /// nobody any more.
    pub(super) fn is_about_closed_keys(&self, log: &ExchangeId, evidence: &Evidence) -> bool {
        self.log_key_of(log, evidence).is_some_and(|key| self.is_closed(log, &key))
    }

    /// The key of the log at the size of the evidence's larger checkpoint.
    fn log_key_of(&self, log: &ExchangeId, evidence: &Evidence) -> Option<PublicKey> {
        let second = Note::parse(&evidence.second).ok()?;
        let size = Checkpoint::parse(&second.text).ok()?.size;
        self.directory.log_key_at(log, size)
    }

    fn is_closed(&self, log: &ExchangeId, key: &PublicKey) -> bool {
        self.directory.member(log).is_some_and(|member| member.descriptor.log_key != *key)
    }

    fn convict(&mut self, log: &ExchangeId, evidence: Bytes) {
        let replica = self.replicas.entry(log.clone()).or_default();
        if replica.frozen.is_some() {
            return;
        }
        let frozen_at = replica.cosigned.as_ref().map_or(0, Signed::size);
        replica.frozen = Some(frozen_at);
        replica.evidence.push(evidence.to_vec());
        replica.target = None;
        replica.staged.clear();
        replica.suspects.clear();
        let (log, bytes) = (log.clone(), evidence.to_vec());
        self.effect(Effect::Persist(Persist::Evidence { log: log.clone(), bytes }));
        self.effect(Effect::Persist(Persist::Frozen { log: log.clone(), size: frozen_at }));
        self.notice(Notice::Equivocation { log: log.clone(), frozen_at });
        if log == self.config.me {
            self.own_log_conflict();
        }
        let scope = self.directory.member(&log).map(|member| member.scope.clone());
        if let Some(scope) = scope {
            let bytes = Gossip::Evidence { log, bytes: evidence }.encode();
            self.effect(Effect::Publish { scope, bytes });
        }
    }
}
