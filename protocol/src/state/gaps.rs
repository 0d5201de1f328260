//! Entries that were not handed out at first.
//!
//! A leaf whose entry a peer did not hand out is a gap. The owner of the log knows all its
//! entries, and the council all members: what they decline is settled until the next time, ever more
//! rarely, since they may not have known yet that this node is a member. An owner of the same country
//! that declines may follow too little ever to know it; then the council is asked. What another peer
//! does not hand out, or a member of the council before the owner, is asked of the next one.

use alloc::vec::Vec;

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::{Frontier, verify_extension};

use super::sync::Asked;
use super::timers::Timer;
use super::{Check, State};
use crate::check::Outcome;
use crate::entry::Entry;
use crate::id::ExchangeId;
use crate::io::{Effect, Peer, PeerFault};
use crate::limits::{LEAVES_PER_ANSWER_MAX, SEEK_DELAY_MS_MAX, SEEK_DELAY_MS_MIN};
use crate::message::{Leaves, LeavesRequest, Request, ServedLeaf};
use crate::persist::Persist;

/// What a request for entries that are not held rests on.
#[derive(Debug, Clone)]
pub(super) struct SeekGoal {
    from: u64,
    to: u64,
    size: u64,
    root: Hash,
}

impl State {
    /// Remembers which of the leaves that `peer` served are without their entry.
    pub(super) fn note_gaps(
        &mut self,
        peer: &Peer,
        log: &ExchangeId,
        from: u64,
        served: &[ServedLeaf],
    ) {
        if served.iter().all(|leaf| matches!(leaf, ServedLeaf::Entry(_))) {
            return;
        }
        let settles = self.settles(log, peer);
        let Some(replica) = self.replicas.get_mut(log) else { return };
        for (index, leaf) in (from..).zip(served) {
            match leaf {
                ServedLeaf::Entry(_) => {}
                ServedLeaf::Withheld(_) if settles => replica.declined.insert(index, index + 1),
                ServedLeaf::Withheld(_) | ServedLeaf::Absent(_) => {
                    replica.gaps.insert(index, index + 1);
                }
            }
        }
        self.schedule_seek(log);
    }

    /// Whether what `peer` withholds of the log need not be asked of others now.
    fn settles(&self, log: &ExchangeId, peer: &Peer) -> bool {
        let Some(member) = self.directory.by_peer(peer) else { return false };
        if member.id == *log {
            // The owner may not follow the log that admitted this node.
            return !self.may_be_shown_restricted(log) || self.council_peers(log).is_empty();
        }
        // While the owner is out of reach, nobody's word is the last: a member of the council may be
        // the one that withholds.
        let owner_declined = self.peer_of(log).is_some_and(|owner| {
            self.replicas.get(log).is_some_and(|replica| replica.asked.contains(&owner))
        });
        self.directory.council().contains(&member.id) && owner_declined
    }

    /// Sees to the gaps that the disk was left with.
    pub(super) fn seek_stored_gaps(&mut self) {
        let lacking = self.replicas.iter().filter(|(_, replica)| !replica.gaps.is_empty());
        let logs: Vec<ExchangeId> = lacking.map(|(log, _)| log.clone()).collect();
        for log in logs {
            self.schedule_seek(&log);
        }
    }

    pub(super) fn schedule_seek(&mut self, log: &ExchangeId) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let delay = replica.seek_delay_ms.clamp(SEEK_DELAY_MS_MIN, SEEK_DELAY_MS_MAX);
        self.timers.set(Timer::SeekWithheld(log.clone()), self.now.plus_millis(delay));
    }

    /// Starts over with all peers, and with what the owner declined where that may have changed.
    pub(super) fn seek_again(&mut self, log: &ExchangeId) {
        let concerns_me = self.may_be_shown_restricted(log);
        let Some(replica) = self.replicas.get_mut(log) else { return };
        replica.asked.clear();
        // Ever more rarely, unless it helps.
        let delay = replica.seek_delay_ms.clamp(SEEK_DELAY_MS_MIN, SEEK_DELAY_MS_MAX);
        replica.seek_delay_ms = delay.saturating_mul(2);
        if concerns_me {
            let mut declined = core::mem::take(&mut replica.declined);
            replica.gaps.absorb(&mut declined);
        }
        self.seek(log);
        let replica = self.replicas.get(log);
        let lacking =
            replica.is_some_and(|r| !r.gaps.is_empty() || (concerns_me && !r.declined.is_empty()));
        if lacking {
            self.schedule_seek(log);
        }
    }

    /// What this node may see has changed: asks again soon for all that it does not hold.
    pub(super) fn became_member(&mut self) {
        let logs: Vec<ExchangeId> = self.replicas.keys().cloned().collect();
        for log in logs {
            let Some(replica) = self.replicas.get_mut(&log) else { continue };
            replica.seek_delay_ms = 0;
            let mut declined = core::mem::take(&mut replica.declined);
            replica.gaps.absorb(&mut declined);
            if !replica.gaps.is_empty() {
                self.schedule_seek(&log);
            }
        }
    }

    /// Asks for the first gap, if nothing is under way and somebody is left to ask.
    pub(super) fn seek(&mut self, log: &ExchangeId) {
        let Some(replica) = self.replicas.get(log) else { return };
        let None = replica.seeking else { return };
        // Nobody hands out more of a frozen log than was cosigned.
        let frozen = replica.frozen.is_some();
        let held = if frozen { &replica.cosigned } else { &replica.held };
        let Some(held) = held else { return };
        let Some((from, to)) = replica.gaps.first() else { return };
        let (size, root) = (held.size(), held.checkpoint.root);
        let to = to.min(size).min(from + LEAVES_PER_ANSWER_MAX as u64);
        if from >= to {
            return;
        }
        let asked = replica.asked.clone();
        let directory = self.directory.clone();
        let useful = |peer: &Peer| !asked.contains(peer) && directory.by_peer(peer).is_some();
        let owner = self.peer_of(log).filter(|owner| useful(owner));
        let knows_members = || self.council_peers(log).into_iter().find(|peer| useful(peer));
        let first = owner.or_else(knows_members);
        let Some(peer) = first.or_else(|| self.next_peer(useful)) else { return };
        let range = LeavesRequest { log: log.clone(), from, to, size, left: true };
        let goal = SeekGoal { from, to, size, root };
        let id = self.send(&peer, &Request::Leaves(range), Asked::Gap { log: log.clone(), goal });
        if let Some(replica) = self.replicas.get_mut(log) {
            replica.seeking = Some(id);
        }
    }

    /// A peer could not be asked for gaps.
    pub(super) fn seek_failed(&mut self, log: &ExchangeId, peer: &Peer) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        replica.seeking = None;
        replica.asked.insert(peer.clone());
        self.seek(log);
    }

    /// The answer to a request for gaps.
    pub(super) fn gap_fetched(
        &mut self,
        peer: &Peer,
        log: &ExchangeId,
        goal: &SeekGoal,
        answer: Leaves,
    ) {
        let count = answer.leaves.len() as u64;
        if answer.from != goal.from || count == 0 || goal.from + count > goal.to {
            self.penalise(peer, PeerFault::WrongAnswer);
            return self.seek_failed(log, peer);
        }
        if !belong(goal, &answer) {
            self.penalise(peer, PeerFault::BadLeaves);
            return self.seek_failed(log, peer);
        }
        let settles = self.settles(log, peer);
        let Some(replica) = self.replicas.get_mut(log) else { return };
        replica.seeking = None;
        let mut entries = Vec::new();
        let mut unhelpful = false;
        for (index, leaf) in (goal.from..).zip(answer.leaves) {
            match leaf {
                ServedLeaf::Entry(entry) => {
                    replica.gaps.remove(index, index + 1);
                    entries.push((index, entry));
                }
                ServedLeaf::Withheld(_) if settles => {
                    replica.gaps.remove(index, index + 1);
                    replica.declined.insert(index, index + 1);
                }
                ServedLeaf::Withheld(_) | ServedLeaf::Absent(_) => unhelpful = true,
            }
        }
        if !entries.is_empty() {
            replica.seek_delay_ms = 0;
        }
        if unhelpful {
            replica.asked.insert(peer.clone());
        }
        self.check_fill(log, entries);
        self.seek(log);
    }

    fn check_fill(&mut self, log: &ExchangeId, entries: Vec<(u64, Entry)>) {
        if entries.is_empty() {
            return;
        }
        let ticket = self.check_ticket();
        let bare = entries.iter().map(|(_, entry)| entry.clone()).collect();
        self.checks.insert(ticket, Check::Fill { log: log.clone(), entries });
        self.effect(Effect::Check { ticket, log: log.clone(), entries: bare });
    }

    /// Entries for gaps were checked.
    pub(super) fn filled(
        &mut self,
        log: &ExchangeId,
        entries: Vec<(u64, Entry)>,
        outcomes: &[Outcome],
    ) {
        let mut void = Vec::new();
        for ((index, entry), outcome) in entries.iter().zip(outcomes) {
            match outcome {
                Outcome::Sound => {}
                Outcome::Void => void.push(*index),
                Outcome::Membership => self.learn_decision(log, *index, entry.clone()),
            }
        }
        self.effect(Effect::Persist(Persist::Fill { log: log.clone(), entries, void }));
    }
}

/// Whether the answer's leaves and hashes make up the tree that is held.
fn belong(goal: &SeekGoal, answer: &Leaves) -> bool {
    let Ok(before) = Frontier::from_parts(goal.from, answer.left.clone()) else { return false };
    let hashes: Vec<Hash> = answer
        .leaves
        .iter()
        .map(|leaf| match leaf {
            ServedLeaf::Entry(entry) => entry.leaf_hash(),
            ServedLeaf::Withheld(hash) | ServedLeaf::Absent(hash) => *hash,
        })
        .collect();
    verify_extension(&before, &hashes, &answer.right, goal.size, &goal.root).is_ok()
}
