//! The logs that this node signs, its own and as keeper the register: append, announce, never sign below.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hutong_crypto::checkpoint::Checkpoint;

use super::State;
use super::replica::Signed;
use super::sync::Asked;
use super::timers::Timer;
use crate::date::Date;
use crate::directory::{NoEffect, register_version};
use crate::entry::Leaf;
use crate::id::ExchangeId;
use crate::io::{AppendError, Effect, Notice, Peer, Ticket};
use crate::limits::{
    ANNOUNCED_ENTRY_BYTES_MAX, LOG_ENTRIES_MAX, QUORUM_WAIT_MS, SHOWN_PER_PEER_MAX, TAIL_BYTES_MAX,
    TAIL_LEAVES_MAX,
};
use crate::message::{Announcement, Gossip, Request, TailLeaf};
use crate::persist::Persist;
use crate::prepare::Prepared;
use crate::time::Instant;

/// Whether the own log may be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// It has not been compared with a peer's copy yet.
    Unchecked,
    /// Peers hold more of it; that is being fetched back.
    Recovering,
    /// It may.
    Open,
    /// It exists in two versions. It may never be continued.
    Conflict,
}

/// The newest leaves of the own log, those that somebody has not been told of yet.
#[derive(Debug)]
struct Tail {
    /// The index of the first.
    from: u64,
    /// `None` where they have become too many for a message.
    leaves: Option<VecDeque<TailLeaf>>,
    bytes: usize,
}

impl Tail {
    fn at(size: u64) -> Self {
        Self { from: size, leaves: Some(VecDeque::new()), bytes: 0 }
    }

    fn push(&mut self, leaf: TailLeaf) {
        self.bytes += leaf_bytes(&leaf);
        let Some(tail) = &mut self.leaves else { return };
        if tail.len() >= TAIL_LEAVES_MAX || self.bytes > TAIL_BYTES_MAX {
            self.leaves = None;
        } else {
            tail.push_back(leaf);
        }
    }

    /// Takes out the leaves up to `to`, of a log of `size`, with the index of the first; none where they
    /// were too many.
    fn take(&mut self, to: u64, size: u64) -> (u64, Vec<TailLeaf>) {
        let count = to.saturating_sub(self.from);
        self.from = self.from.max(to);
        let Some(tail) = &mut self.leaves else {
            if self.from == size {
                *self = Self::at(size);
            }
            return (to, Vec::new());
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(tail.len());
        let taken: Vec<TailLeaf> = tail.drain(..count).collect();
        self.bytes -= taken.iter().map(leaf_bytes).sum::<usize>();
        (to - taken.len() as u64, taken)
    }
}

/// What a leaf takes in a message: its tag, and a hash or a length and bytes.
fn leaf_bytes(leaf: &TailLeaf) -> usize {
    match leaf {
        TailLeaf::Entry(entry) => entry.as_bytes().len() + 4,
        TailLeaf::Large(_) | TailLeaf::Restricted(_) => 33,
    }
}

/// What there is to a log that this node signs beyond its replica.
#[derive(Debug)]
pub(super) struct Own {
    gate: Gate,
    /// What was not announced yet.
    announced: Tail,
    /// What the council was not shown yet, as far as it is shown anything.
    shown: Tail,
    /// When something was last shown, or announced at once.
    shown_at: Option<Instant>,
    /// Entries up to this size travel with announcements.
    entry_bytes_max: usize,
}

impl Own {
    pub(super) fn at(size: u64, frozen: bool) -> Self {
        Self {
            gate: if frozen { Gate::Conflict } else { Gate::Unchecked },
            announced: Tail::at(size),
            shown: Tail::at(size),
            shown_at: None,
            entry_bytes_max: ANNOUNCED_ENTRY_BYTES_MAX,
        }
    }

    pub(super) fn may_sign(&self) -> bool {
        self.gate == Gate::Open
    }
}

impl State {
    /// Begins to sign a log, once it was compared with what others hold of it.
    pub(super) fn own_log_begins(&mut self, log: &ExchangeId) {
        let replica = self.replicas.entry(log.clone()).or_default();
        let (size, frozen) = (replica.frontier.size(), replica.frozen.is_some());
        self.own.entry(log.clone()).or_insert_with(|| Own::at(size, frozen));
    }

    /// Lets entries of up to `bytes` travel with announcements, instead of
    /// [`ANNOUNCED_ENTRY_BYTES_MAX`]: for measurements of that limit.
    #[must_use]
    pub fn announcing_entries_up_to(mut self, bytes: usize) -> Self {
        for own in self.own.values_mut() {
            own.entry_bytes_max = bytes;
        }
        self
    }

    /// Sets the time after which this node signs although no peer has answered.
    pub(super) fn start_own_log_check(&mut self, log: &ExchangeId) {
        if !self.config.restored {
            let at = self.now.plus_millis(self.config.own_log_check_ms);
            self.timers.set(Timer::OwnLogUnanswered(log.clone()), at);
        }
    }

    pub(super) fn own_log_unanswered(&mut self, log: &ExchangeId) {
        if self.gate(log) == Some(Gate::Unchecked) {
            self.open_gate(log, None);
        }
    }

    /// Enough was seen of what others hold of an own log, last of all by the peer `by`.
    pub(super) fn own_log_compared(&mut self, log: &ExchangeId, by: Option<&Peer>) {
        if self.gate(log) == Some(Gate::Unchecked) {
            self.open_gate(log, by.cloned());
        }
    }

    /// What was seen does not count any more: the council is another one.
    pub(super) fn own_logs_compared_in_vain(&mut self) {
        for own in self.own.values_mut().filter(|own| own.gate == Gate::Open) {
            own.gate = Gate::Unchecked;
        }
    }

    /// An own log, frozen for what former keys signed, may be compared again.
    pub(super) fn own_log_thawed(&mut self, log: &ExchangeId) {
        if let Some(own) = self.own.get_mut(log) {
            own.gate = Gate::Unchecked;
        }
    }

    fn gate(&self, log: &ExchangeId) -> Option<Gate> {
        self.own.get(log).map(|own| own.gate)
    }

    /// Whether this node signs the log.
    pub(super) fn is_own(&self, log: &ExchangeId) -> bool {
        self.own.contains_key(log)
    }

    /// Whether the own log `log` was compared with the peers' copies, so that it may be continued.
    pub(super) fn may_sign_log(&self, log: &ExchangeId) -> bool {
        self.own.get(log).is_some_and(Own::may_sign)
    }

    /// Peers hold more of an own log than is here.
    pub(super) fn own_log_behind(&mut self, log: &ExchangeId, held_by_peer: u64) {
        let size = self.replicas.get(log).map_or(0, |own| own.frontier.size());
        let Some(own) = self.own.get_mut(log) else { return };
        match own.gate {
            // Even where the gate was open: what was signed since contradicts what the peer shows,
            // or is extended by it. The fetch will tell, and meanwhile nothing is signed.
            Gate::Unchecked | Gate::Recovering | Gate::Open => own.gate = Gate::Recovering,
            Gate::Conflict => return,
        }
        self.notice(Notice::OwnLogBehind { size, held_by_peer });
    }

    /// An own log was brought up to what peers hold.
    pub(super) fn own_log_recovered(&mut self, log: &ExchangeId) {
        let size = self.replicas.get(log).map_or(0, |own| own.frontier.size());
        let Some(own) = self.own.get_mut(log) else { return };
        own.announced = Tail::at(size);
        own.shown = Tail::at(size);
        if own.gate != Gate::Recovering {
            return;
        }
        own.gate = Gate::Unchecked;
        self.ask_for_cosignatures(log);
        if !self.is_restoring() {
            self.open_gate(log, None);
        }
    }

    /// What witnesses delivered while the own log was not back was about checkpoints not known here. It
    /// stands beside their copies.
    fn ask_for_cosignatures(&mut self, log: &ExchangeId) {
        let council = self.directory.council().clone();
        let peers: Vec<Peer> = council.iter().filter_map(|member| self.peer_of(member)).collect();
        for peer in peers {
            let log = log.clone();
            let request = Request::Checkpoint { log: log.clone() };
            self.send(&peer, &request, Asked::Checkpoint { log });
        }
    }

    pub(super) fn own_log_conflict(&mut self, log: &ExchangeId) {
        let Some(own) = self.own.get_mut(log) else { return };
        own.gate = Gate::Conflict;
        self.notice(Notice::OwnLogConflict);
    }

    fn open_gate(&mut self, log: &ExchangeId, by: Option<Peer>) {
        let Some(own) = self.own.get_mut(log) else { return };
        own.gate = Gate::Open;
        self.keeper_moved();
        self.timers.clear(&Timer::OwnLogUnanswered(log.clone()));
        let replica = self.replicas.get(log);
        let size = replica.map_or(0, |own| own.frontier.size());
        let unsigned = replica.is_some_and(|own| own.frontier.size() > own.held_size());
        if *log == self.config.me {
            self.notice(Notice::OwnLogChecked { by, size });
        }
        if unsigned {
            // A crash came between the leaves and their checkpoint.
            self.sign_own_log(log);
            self.schedule_announcement(log);
        }
    }

    /// Appends own statements as one group, all or none.
    pub(super) fn append(&mut self, ticket: Ticket, entries: &[Prepared]) {
        let me = self.config.me.clone();
        let outcome = match self.may_append(entries) {
            Ok(()) if entries.is_empty() => Ok(Vec::new()),
            Ok(()) => Ok(self.append_to(&me, entries)),
            Err(error) => Err(error),
        };
        self.effect(Effect::Appended { ticket, outcome });
    }

    fn may_append(&self, entries: &[Prepared]) -> Result<(), AppendError> {
        match self.gate(&self.config.me) {
            Some(Gate::Open) => {}
            None | Some(Gate::Unchecked | Gate::Recovering) => {
                return Err(AppendError::OwnLogUnchecked);
            }
            Some(Gate::Conflict) => return Err(AppendError::OwnLogConflict),
        }
        let size = self.replicas.get(&self.config.me).map_or(0, |own| own.frontier.size());
        if LOG_ENTRIES_MAX - size < entries.len() as u64 {
            return Err(AppendError::Full);
        }
        for (index, prepared) in entries.iter().enumerate() {
            let key = prepared.key();
            self.directory
                .authorizes(&self.config.me, size + index as u64, &key, prepared.kind())
                .map_err(|void| AppendError::NotAuthorised { index, reason: void.to_string() })?;
        }
        Ok(())
    }

    /// The first of own `entries` that decides about a member and could not be recorded now, with its place
    /// in the group and the reason.
    pub fn decision_without_effect(&self, entries: &[Prepared]) -> Option<(usize, NoEffect)> {
        let today = Date::of(self.wall);
        let decides = |(_, prepared): &(usize, &Prepared)| prepared.is_membership();
        entries.iter().enumerate().filter(decides).find_map(|(place, prepared)| {
            let refused = self.directory.would_enrol(today, prepared.entry()).err()?;
            Some((place, refused))
        })
    }

    /// Appends entries to an own log that may be continued, signs its checkpoint, and announces it.
    pub(super) fn append_to(
        &mut self,
        log: &ExchangeId,
        entries: &[Prepared],
    ) -> Vec<(u64, crate::id::StatementId)> {
        let (Some(replica), Some(own)) = (self.replicas.get_mut(log), self.own.get_mut(log)) else {
            return Vec::new();
        };
        let from = replica.frontier.size();
        let mut decisions = Vec::new();
        let mut positions = Vec::with_capacity(entries.len());
        let mut leaves = Vec::with_capacity(entries.len());
        for prepared in entries {
            let entry = prepared.entry();
            let (index, id) = (replica.frontier.size(), entry.leaf_hash());
            replica.frontier.append(id);
            positions.push((index, id));
            leaves.push(Leaf::Entry(entry.clone()));
            if prepared.is_membership() {
                decisions.push((index, entry.clone()));
            }
            let bytes = entry.as_bytes().len();
            let public = prepared.is_public();
            own.announced.push(match (public, bytes <= own.entry_bytes_max) {
                (true, true) => TailLeaf::Entry(entry.clone()),
                (true, false) => TailLeaf::Large(id),
                (false, _) => TailLeaf::Restricted(id),
            });
            own.shown.push(if public {
                TailLeaf::Entry(entry.clone())
            } else {
                TailLeaf::Restricted(id)
            });
        }
        let void = Vec::new();
        for (index, entry) in decisions {
            self.learn_decision(log, index, &entry);
        }
        self.register_grew(log, from, &leaves);
        self.effect(Effect::Persist(Persist::Leaves { log: log.clone(), from, leaves, void }));
        self.sign_own_log(log);
        if register_version(log).is_some() {
            // Where nobody witnesses, what is signed counts.
            self.fold_registers();
        }
        self.schedule_announcement(log);
        positions
    }

    /// Signs a checkpoint of all that the own log holds.
    fn sign_own_log(&mut self, log: &ExchangeId) {
        let log = log.clone();
        let origin = self.origin(&log);
        let key = match (register_version(&log), &self.keys.register) {
            (None, _) => &self.keys.log,
            (Some(_), Some(key)) => key,
            (Some(_), None) => return,
        };
        let Some(replica) = self.replicas.get_mut(&log) else { return };
        let checkpoint = Checkpoint {
            origin: origin.to_string(),
            size: replica.frontier.size(),
            root: replica.frontier.root(),
            extensions: Vec::new(),
        };
        let note = checkpoint.sign(key);
        let signed = Signed::new(checkpoint, note);
        let (size, note) = (signed.size(), signed.encode());
        replica.hold(signed);
        self.summary_changed(&log);
        self.effect(Effect::Persist(Persist::Checkpoint { log, note, size }));
    }

    /// Announces at once where the last announcement is long enough ago, and else as soon as
    /// it is.
    pub(super) fn schedule_announcement(&mut self, log: &ExchangeId) {
        let interval = self.config.announce_interval_ms;
        let shown_at = self.own.get(log).and_then(|own| own.shown_at);
        let at = shown_at.map_or(self.now, |last| last.plus_millis(interval));
        self.timers.set(Timer::Announce(log.clone()), at.max(self.now));
    }

    /// Shows the newest checkpoint to the council and waits for a quorum; announces it at once where those
    /// at hand cannot make one.
    pub(super) fn announce(&mut self, log: &ExchangeId) {
        let replica = self.replicas.get(log);
        let Some(held) = replica.and_then(|own| own.held.clone()) else { return };
        let council = self.council_peers(log);
        let makes_quorum = |peers: &[Peer]| {
            let members = peers.iter().filter_map(|it| self.directory.by_peer(it));
            let members: BTreeSet<ExchangeId> = members.map(|member| member.id.clone()).collect();
            self.directory.is_witnessed(log, |witness| members.contains(witness))
        };
        let wait = makes_quorum(&council) && !makes_quorum(&[]);
        let Some(own) = self.own.get_mut(log) else { return };
        own.shown_at = Some(self.now);
        let (old_size, tail) = own.shown.take(held.size(), held.size());
        if !wait {
            self.publish(log, &held);
            // Where nobody witnesses, the keeper still needs every head for its anchors, and gossip may not
            // have reached it.
            if !self.directory.charters().latest().is_unwitnessed() {
                return;
            }
        }
        let note = Arc::clone(&held.note);
        let announcement = Announcement { log: log.clone(), note, old_size, tail };
        let request = Request::Announcement(announcement);
        for peer in &council {
            let shown = self
                .asked
                .values()
                .filter(|(whom, what)| whom == peer && matches!(what, Asked::Announcement));
            if shown.count() < SHOWN_PER_PEER_MAX {
                self.send(peer, &request, Asked::Announcement);
            }
        }
        if wait {
            self.timers.set(Timer::QuorumLate(log.clone()), self.now.plus_millis(QUORUM_WAIT_MS));
        }
    }

    /// There is a quorum for an own checkpoint: announces it, unless one beyond it was announced.
    pub(super) fn quorum_reached(&mut self, log: &ExchangeId, size: u64) {
        let replica = self.replicas.get(log);
        let Some(signed) = replica.and_then(|own| own.recent.get(&size)).cloned() else { return };
        let Some(own) = self.own.get(log) else { return };
        let more = size < own.shown.from;
        if size < own.announced.from {
            return;
        }
        self.publish(log, &signed);
        self.timers.clear(&Timer::QuorumLate(log.clone()));
        if more {
            let at = self.now.plus_millis(QUORUM_WAIT_MS);
            self.timers.set(Timer::QuorumLate(log.clone()), at);
        }
    }

    /// There is no quorum yet for what the council was shown last: the leaves cannot wait for it.
    pub(super) fn quorum_late(&mut self, log: &ExchangeId) {
        let Some(own) = self.own.get(log) else { return };
        let (shown, announced) = (own.shown.from, own.announced.from);
        let replica = self.replicas.get(log);
        let signed = replica.and_then(|own| own.recent.get(&shown).or(own.held.as_ref())).cloned();
        if let Some(signed) = signed.filter(|signed| signed.size() >= announced) {
            self.publish(log, &signed);
        }
    }

    fn publish(&mut self, log: &ExchangeId, signed: &Signed) {
        let Some(scope) = self.directory.scope_of(log) else { return };
        let size = self.replicas.get(log).map_or(0, |own| own.frontier.size());
        let note = Arc::new(self.note_to_announce(log, signed));
        let Some(own) = self.own.get_mut(log) else { return };
        let (old_size, tail) = own.announced.take(signed.size(), size);
        let announcement = Announcement { log: log.clone(), note, old_size, tail };
        let bytes = Gossip::Announcement(announcement).encode();
        self.effect(Effect::Publish { scope, bytes });
    }
}

#[cfg(test)]
mod tests {
    use hutong_crypto::digest::sha256;

    use super::*;

    fn leaf(number: u64) -> TailLeaf {
        TailLeaf::Large(sha256(&number.to_be_bytes()))
    }

    #[test]
    fn a_tail_is_taken_in_parts_and_begins_anew_after_too_many_leaves() {
        let mut tail = Tail::at(10);
        (10..15).for_each(|number| tail.push(leaf(number)));
        assert_eq!(tail.take(12, 15), (10, alloc::vec![leaf(10), leaf(11)]));
        assert_eq!(tail.take(12, 15), (12, Vec::new()), "nothing is told twice");
        assert_eq!(tail.take(15, 15), (12, alloc::vec![leaf(12), leaf(13), leaf(14)]));
        assert_eq!(tail.bytes, 0);
        (15..2_000).for_each(|number| tail.push(leaf(number)));
        assert_eq!(tail.take(1_900, 2_000), (1_900, Vec::new()));
        tail.push(leaf(2_000));
        assert_eq!(tail.take(2_001, 2_001), (2_001, Vec::new()), "some before it were not kept");
        tail.push(leaf(2_001));
        assert_eq!(tail.take(2_002, 2_002), (2_001, alloc::vec![leaf(2_001)]));
    }
}
