//! Cosignatures, given and gathered.
//!
//! A node cosigns what it holds, when it is the parent or a child of the log's owner or sits on
//! the council, and sends the cosignature to the owner, who shows its checkpoints to the council
//! first, gathers cosignatures until the charter's quorum is reached, and announces the cosigned
//! checkpoint to everybody. What a node cosigned is on disk before the cosignature leaves.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use hutong_crypto::cosignature::cosign;
use hutong_crypto::note::{Note, NoteSignature};

use super::State;
use super::replica::{Replica, Signed, witness_of};
use super::sync::Asked;
use super::timers::Timer;
use crate::directory::Directory;
use crate::id::ExchangeId;
use crate::io::{Effect, Notice, Peer, PeerFault};
use crate::limits::{COSIGN_INTERVAL_MS, COSIGNATURES_MAX, DELIVER_DELAY_MS};
use crate::message::Request;
use crate::persist::Persist;

/// A cosignature that holds, and whose it is.
type New = (ExchangeId, Arc<NoteSignature>);

impl State {
    /// Cosigns the newest checkpoint held of another's log, if this node is its witness.
    pub(super) fn cosign(&mut self, log: &ExchangeId) {
        let me = self.config.me.clone();
        let witness = !self.is_own(log) && self.directory.is_witness_of(&me, log);
        if !witness || !self.may_cosign(log) || !self.is_sound_register(log) {
            return;
        }
        let name = self.origin(&me).witness_name();
        let stands_at = self.stands_at(log);
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let Some(held) = replica.held.clone() else { return };
        if stands_at.is_some_and(|at| held.size() > at) {
            return;
        }
        let wanted = replica.witnessed.is_none_or(|(size, root)| {
            // The same once more where a crash came before the cosignature was delivered.
            let again = held.size() == size
                && held.checkpoint.root == root
                && !held.cosignatures.contains_key(&me);
            held.size() > size || again
        });
        if replica.frozen.is_some() || replica.has_cosigned_more() {
            return;
        }
        if !wanted {
            // Its line came back from others, and may never have reached the owner.
            let newest = replica.witnessed.is_some_and(|(size, _)| size == held.size());
            if newest && replica.witnessed_at.is_none() {
                replica.witnessed_at = Some(self.now);
                self.deliver_cosignature(log);
            }
            return;
        }
        let not_before =
            replica.witnessed_at.map_or(self.now, |last| last.plus_millis(COSIGN_INTERVAL_MS));
        if not_before > self.now {
            return self.timers.set(Timer::Cosign(log.clone()), not_before);
        }
        let (size, root) = (held.size(), held.checkpoint.root);
        let line = cosign(&held.note.text, &name, &self.keys.witness, self.wall.seconds());
        replica.witnessed = Some((size, root));
        replica.witnessed_at = Some(self.now);
        self.effect(Effect::Persist(Persist::WitnessMemory { log: log.clone(), size, root }));
        self.add_cosignatures(log, size, alloc::vec![(me, Arc::new(line))]);
        self.deliver_cosignature(log);
    }

    /// Sends this node's newest cosignature of a log to the log's owner, if it is connected.
    pub(super) fn deliver_cosignature(&mut self, log: &ExchangeId) {
        let owner = self.directory.operator(log).and_then(|owner| self.peer_of(owner));
        let Some(owner) = owner else { return };
        let Some(replica) = self.replicas.get(log) else { return };
        let Some((size, _)) = replica.witnessed else { return };
        let Some(recent) = replica.recent.get(&size) else { return };
        let Some(line) = recent.cosignatures.get(&self.config.me) else { return };
        let request = Request::Cosignature { log: log.clone(), size, line: line.encode() };
        self.send(&owner, &request, Asked::Acknowledgement { log: log.clone() });
    }

    /// The log's owner did not say that it has the cosignature.
    pub(super) fn deliver_again(&mut self, log: &ExchangeId) {
        let at = self.now.plus_millis(DELIVER_DELAY_MS);
        self.timers.set(Timer::Deliver(log.clone()), at);
    }

    /// A witness delivers its cosignature of an own log. Returns whether it holds.
    pub(super) fn cosignature_delivered(
        &mut self,
        peer: &Peer,
        log: &ExchangeId,
        size: u64,
        line: &str,
    ) -> bool {
        if !self.is_own(log) {
            return false;
        }
        let own = self.replicas.get(log);
        let Some(recent) = own.and_then(|own| own.recent.get(&size)) else { return true };
        let line = NoteSignature::parse_line(line).ok();
        let directory = &self.directory;
        let new = line.as_ref().and_then(|line| self.cosigned_by(directory, log, recent, line));
        let Some(new) = new else {
            let by_known_key = line.as_ref().is_none_or(|line| self.is_by_known_key(line));
            if !by_known_key {
                // Its admission, or its change of keys, may not have come here or there yet.
                return false;
            }
            self.penalise(peer, PeerFault::BadSignature);
            return false;
        };
        if self.add_cosignatures(log, size, alloc::vec![new]) {
            self.quorum_reached(log, size);
        }
        true
    }

    /// Whether a line is by its own words signed with the key that its witness has.
    fn is_by_known_key(&self, line: &NoteSignature) -> bool {
        let witness = witness_of(&line.name).and_then(|id| self.directory.member_named(id));
        witness.is_some_and(|witness| line.key_id == witness.witness_note_key().id)
    }

    /// Takes from `note` the cosignatures of a known checkpoint that hold and are not at hand.
    pub(super) fn gather_cosignatures(&mut self, log: &ExchangeId, size: u64, note: &Note) {
        let Some(recent) = self.replicas.get(log).and_then(|r| r.recent.get(&size)) else { return };
        let new = note.signatures.iter().filter_map(|line| {
            let at_hand = recent.cosignatures.contains_key(witness_of(&line.name)?);
            if at_hand { None } else { self.cosigned_by(&self.directory, log, recent, line) }
        });
        let new = new.collect();
        if self.add_cosignatures(log, size, new) && self.is_own(log) {
            self.quorum_reached(log, size);
        }
    }

    /// Whether the cosignatures of `signed` in `note` that hold satisfy the charter's quorum, if it asks
    /// for any.
    pub(super) fn has_quorum(&self, log: &ExchangeId, signed: &Signed, note: &Note) -> bool {
        self.has_quorum_by(&self.directory, log, signed, note)
    }

    /// As [`State::has_quorum`], by `directory`.
    pub(super) fn has_quorum_by(
        &self,
        directory: &Directory,
        log: &ExchangeId,
        signed: &Signed,
        note: &Note,
    ) -> bool {
        let council = directory.council();
        let council_lines = note
            .signatures
            .iter()
            .filter(|line| witness_of(&line.name).is_some_and(|witness| council.contains(witness)));
        let witnesses =
            council_lines.filter_map(|line| self.cosigned_by(directory, log, signed, line));
        let witnesses: BTreeSet<ExchangeId> = witnesses.map(|(witness, _)| witness).collect();
        let unwitnessed = directory.charters().latest().is_unwitnessed();
        !unwitnessed && directory.is_witnessed(log, |witness| witnesses.contains(witness))
    }

    /// `line` with the member that validly cosigned by it, if one did; nobody cosigns its own log.
    pub(super) fn cosigned_by(
        &self,
        directory: &Directory,
        log: &ExchangeId,
        signed: &Signed,
        line: &NoteSignature,
    ) -> Option<New> {
        let member = directory.member_named(witness_of(&line.name)?)?;
        if directory.operator(log) == Some(&member.id) {
            return None;
        }
        let by = member.witness_note_key();
        let line = self.oracle.cosignature(&signed.note.text, line, by)?;
        Some((member.id.clone(), line))
    }

    /// Adds cosignatures that hold. Returns whether a newer checkpoint than before has a quorum now: by them, or
    /// because more is known of the log's owner than when the others came.
    fn add_cosignatures(&mut self, log: &ExchangeId, size: u64, new: Vec<New>) -> bool {
        let Some(replica) = self.replicas.get_mut(log) else { return false };
        if !new.is_empty() {
            replica.add_cosignatures(size, new, self.directory.council());
        }
        let Some(recent) = replica.recent.get(&size) else { return false };
        let newer = replica.cosigned.as_ref().is_none_or(|cosigned| size > cosigned.size());
        if !newer {
            return false;
        }
        let has_cosigned = |witness: &ExchangeId| recent.cosignatures.contains_key(witness);
        if !self.directory.is_witnessed(log, has_cosigned) {
            return false;
        }
        let cosigned = recent.clone();
        let (note, witnesses) = (cosigned.encode(), cosigned.cosignatures.len());
        replica.cosigned = Some(cosigned);
        replica.forget_settled();
        let frozen = replica.frozen.as_mut();
        let stands = frozen.map(|frozen| core::mem::replace(frozen, size.max(*frozen)).max(size));
        self.summary_changed(log);
        if let Some(size) = stands {
            // The size first: a cosigned checkpoint beyond it would be looked at no more.
            self.effect(Effect::Persist(Persist::Frozen { log: log.clone(), size }));
        }
        self.effect(Effect::Persist(Persist::Cosigned { log: log.clone(), note, size }));
        self.notice(Notice::Cosigned { log: log.clone(), size, witnesses });
        self.register_cosigned(log);
        true
    }

    /// The note of an own checkpoint with as many cosignatures as make the quorum, and no more; with
    /// none where they do not make it yet: each line travels to every follower, several times.
    pub(super) fn note_to_announce(&self, log: &ExchangeId, signed: &Signed) -> Note {
        let mut needed: BTreeSet<ExchangeId> = signed.cosignatures.keys().cloned().collect();
        let enough = |needed: &BTreeSet<ExchangeId>| {
            self.directory.is_witnessed(log, |witness| needed.contains(witness))
        };
        if enough(&needed) {
            for witness in signed.cosignatures.keys() {
                needed.remove(witness);
                if !enough(&needed) {
                    needed.insert(witness.clone());
                }
            }
        } else {
            needed.clear();
        }
        let mut note = Note::clone(&signed.note);
        let lines = signed.cosignatures.iter().filter(|(witness, _)| needed.contains(*witness));
        note.signatures.extend(lines.map(|(_, line)| NoteSignature::clone(line)));
        note
    }

    /// Cosignatures for a peer that has just connected, where it owns logs cosigned here.
    pub(super) fn greet_as_witness(&mut self, peer: &Peer) {
        let Some(owner) = self.directory.by_peer(peer).map(|member| member.id.clone()) else {
            return;
        };
        let register = self.directory.register().id.clone();
        let keeps = self.directory.operator(&register) == Some(&owner);
        for log in core::iter::once(owner).chain(keeps.then_some(register)) {
            self.cosign(&log);
            self.deliver_cosignature(&log);
        }
    }
}

impl Replica {
    /// Adds cosignatures of the checkpoint of that size.
    fn add_cosignatures(&mut self, size: u64, new: Vec<New>, council: &BTreeSet<ExchangeId>) {
        let Some(recent) = self.recent.get_mut(&size) else { return };
        let mut held = self.held.as_mut().filter(|held| held.size() == size);
        // The two are of one checkpoint, and have the same cosignatures.
        if let Some(held) = &mut held {
            held.cosignatures = Arc::default();
        }
        let cosignatures = Arc::make_mut(&mut recent.cosignatures);
        for (witness, line) in new {
            if make_room_for(&witness, cosignatures, council) {
                cosignatures.insert(witness, line);
            }
        }
        if let Some(held) = held {
            held.cosignatures = Arc::clone(&recent.cosignatures);
        }
    }
}

/// Makes room for a cosignature by `witness`, and says whether there is: the council's count, and take
/// the place of others'.
fn make_room_for(
    witness: &ExchangeId,
    kept: &mut BTreeMap<ExchangeId, Arc<NoteSignature>>,
    council: &BTreeSet<ExchangeId>,
) -> bool {
    if kept.len() < COSIGNATURES_MAX || kept.contains_key(witness) {
        return true;
    }
    let other = kept.keys().find(|other| !council.contains(*other)).cloned();
    let Some(other) = other.filter(|_| council.contains(witness)) else { return false };
    kept.remove(&other);
    true
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    fn id(text: &str) -> ExchangeId {
        text.parse().unwrap()
    }

    fn line() -> Arc<NoteSignature> {
        let (name, key_id, signature) = ("name".into(), [0; 4], [0; 64].into());
        Arc::new(NoteSignature { name, key_id, signature })
    }

    #[test]
    fn the_councils_cosignatures_take_the_place_of_others() {
        let council = BTreeSet::from([id("cn-33"), id("cn-44")]);
        let mut kept: BTreeMap<ExchangeId, Arc<NoteSignature>> = (0..COSIGNATURES_MAX - 1)
            .map(|at| (id(&alloc::format!("other-{at}")), line()))
            .collect();
        kept.insert(id("cn-33"), line());
        assert!(!make_room_for(&id("one-more"), &mut kept, &council));
        assert!(make_room_for(&id("other-1"), &mut kept, &council), "it is kept already");
        assert_eq!(kept.len(), COSIGNATURES_MAX);
        assert!(make_room_for(&id("cn-44"), &mut kept, &council));
        assert_eq!(kept.len(), COSIGNATURES_MAX - 1);
        assert!(kept.contains_key(&id("cn-33")), "the council's own stay");
    }
}
