//! Logs that exist in two versions.

use alloc::vec::Vec;

use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::Frontier;
use hutong_crypto::note::{Note, SIGNATURE_TYPE_ED25519, key_id};

use super::State;
use super::replica::{Signed, Suspect};
use crate::directory::Extension;
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
        let extension = Extension { left, right };
        let sizes = (old_size, new_size);
        let Some(Extension { left, right }) = self.tie_read(log, sizes, extension) else { return };
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let suspect = replica.suspects.remove(&old_size);
        let Some(Suspect { signed, offered, held }) =
            suspect.filter(|suspect| suspect.held.size() == new_size)
        else {
            return;
        };
        let part = Frontier::from_parts(old_size, left.clone());
        let frozen = replica.frozen.is_some();
        if part.is_ok_and(|part| part.root() == signed.checkpoint.root) {
            // It is part of what is held: its cosignatures count here too.
            if old_size > replica.held_size() {
                return self.reached(log, &signed, &offered);
            }
            replica.remember(signed);
            self.gather_cosignatures(log, old_size, &offered);
        } else if frozen || self.is_present_key(log, &signed) && !self.is_present_key(log, &held) {
            self.diverged(log, old_size);
        } else {
            self.convict_by_range(log, &signed, &held, left, right);
        }
    }

    /// Whether the log's present key signed the checkpoint.
    pub(super) fn is_present_key(&self, log: &ExchangeId, signed: &Signed) -> bool {
        let origin = self.origin(log);
        self.directory.log_key_at(log, u64::MAX).is_some_and(|key| {
            signed.key_id() == Some(key_id(origin.as_str(), SIGNATURE_TYPE_ED25519, &key))
        })
    }

    /// Whether `evidence` holds against the log's present key; if so, it is acted upon.
    pub(super) fn convict_if_proven(&mut self, log: &ExchangeId, evidence: &Evidence) -> bool {
        let Some(key) = self.directory.log_key_at(log, u64::MAX) else { return false };
        if evidence.verify(self.origin(log).as_str(), &key).is_err() {
            return false;
        }
        self.convict(log, evidence.encode());
        true
    }

    /// Whether a checkpoint of a frozen log may be taken although the log is frozen: a witness quorum
    /// cosigned it, and none that is known here is as large.
    ///
    /// Witnesses cosign one tree, and none of a log that they have frozen. So whoever meets comes to
    /// hold the same part of the log, and newcomers learn whom its owner had admitted.
    pub(super) fn may_follow_frozen(&self, log: &ExchangeId, signed: &Signed, note: &Note) -> bool {
        let cosigned = self.replicas.get(log).and_then(|replica| replica.cosigned.as_ref());
        let larger = signed.size() > cosigned.map_or(0, Signed::size);
        larger && self.follows(log) && self.has_quorum(log, signed, note)
    }

    /// Whether both checkpoints of `evidence` carry a line by the log's present key, as far as that
    /// is known here.
    ///
    /// Others convict nobody, and blame nobody who passes them on: keys that were given up may be in
    /// strange hands, and new ones may not have been heard of yet.
    pub(super) fn is_by_present_key(&self, log: &ExchangeId, evidence: &Evidence) -> bool {
        let Some(key) = self.directory.log_key_at(log, u64::MAX) else { return false };
        let origin = self.origin(log);
        let id = key_id(origin.as_str(), SIGNATURE_TYPE_ED25519, &key);
        [&evidence.first, &evidence.second].into_iter().all(|text| {
            let note = Note::parse(text).ok();
            note.is_some_and(|note| {
                note.signatures.iter().any(|it| it.name == origin.as_str() && it.key_id == id)
            })
        })
    }

    /// Lifts the freeze of logs whose keys were changed since: what the former keys signed convicts
    /// nobody, whether it became known before the change or after.
    pub(super) fn thaw(&mut self) {
        let frozen = self.replicas.iter().filter(|(_, replica)| replica.frozen.is_some());
        let thawed: Vec<ExchangeId> = frozen
            .filter(|(log, replica)| {
                let proven = replica.evidence.iter().any(|bytes| {
                    Evidence::decode(Bytes::copy_from_slice(bytes))
                        .is_ok_and(|evidence| self.is_by_present_key(log, &evidence))
                });
                !proven && !replica.evidence.is_empty() && self.directory.operator(log).is_some()
            })
            .map(|(log, _)| log.clone())
            .collect();
        for log in thawed {
            if let Some(replica) = self.replicas.get_mut(&log) {
                replica.frozen = None;
                replica.evidence.clear();
            }
            self.effect(Effect::Persist(Persist::Thawed { log: log.clone() }));
            self.own_log_thawed(&log);
            self.notice(Notice::Thawed { log });
        }
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
        replica.forget_ranges();
        replica.suspects.clear();
        // What was staged may have been of another tree than what follows.
        replica.basis.clone_from(&replica.held);
        self.summaries_changed();
        self.judge_none(log);
        let (log, bytes) = (log.clone(), evidence.to_vec());
        self.effect(Effect::Persist(Persist::Evidence { log: log.clone(), bytes }));
        self.effect(Effect::Persist(Persist::Frozen { log: log.clone(), size: frozen_at }));
        self.notice(Notice::Equivocation { log: log.clone(), frozen_at });
        if self.is_own(&log) {
            self.own_log_conflict(&log);
        }
        self.keeper_moved();
        if let Some(scope) = self.directory.scope_of(&log) {
            let bytes = Gossip::Evidence { log, bytes: evidence }.encode();
            self.effect(Effect::Publish { scope, bytes });
        }
    }
}
