//! Asking for entries that were not handed out at first.

use alloc::vec::Vec;

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::{Frontier, verify_extension};

use super::gaps::{Rank, Step, Turn};
use super::ranges::Ranges;
use super::sync::{Asked, PeerState};
use super::timers::Timer;
use super::{Check, State};
use crate::check::Outcome;
use crate::entry::Entry;
use crate::id::ExchangeId;
use crate::io::{Effect, Peer, PeerFault, RequestId};
use crate::limits::{SEEK_DELAY_MS_MIN, SEEKS_MAX};
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
    /// Remembers which of the leaves that were served are without their entry.
    pub(super) fn note_gaps(&mut self, log: &ExchangeId, from: u64, served: &[ServedLeaf]) {
        let missing = (from..)
            .zip(served)
            .filter(|(_, leaf)| !matches!(leaf, ServedLeaf::Entry(_)))
            .map(|(index, _)| index);
        self.add_gaps(log, from, from + served.len() as u64, missing);
    }

    /// Of the leaves `[from, to)`, which are new here, these are without their entry.
    pub(super) fn add_gaps(
        &mut self,
        log: &ExchangeId,
        from: u64,
        to: u64,
        missing: impl Iterator<Item = u64>,
    ) {
        let mut ranges = Ranges::default();
        missing.for_each(|index| ranges.insert(index, index + 1));
        let now = self.now;
        let Some(replica) = self.replicas.get_mut(log) else { return };
        if !replica.gaps.is_empty() {
            replica.gaps.remove(from, to);
        }
        for (from, to) in ranges.iter() {
            replica.gaps.insert(from, to, now);
        }
        self.schedule_seek(log);
    }

    /// Sees to the gaps that the disk was left with.
    pub(super) fn seek_stored_gaps(&mut self) {
        let logs: Vec<ExchangeId> = self.logs_with_gaps();
        for log in logs {
            self.begin_seek_anew(&log);
        }
    }

    /// What this node may see has changed: asks again soon for all that it does not hold.
    pub(super) fn became_member(&mut self) {
        self.seek_stored_gaps();
    }

    /// The owner of a log is back: it holds what others may not.
    pub(super) fn owner_connected(&mut self, peer: &Peer) {
        let owner = self.directory.by_peer(peer).map(|member| member.id.clone());
        if let Some(log) = owner {
            self.begin_seek_anew(&log);
        }
    }

    fn logs_with_gaps(&self) -> Vec<ExchangeId> {
        let lacking = self.replicas.iter().filter(|(_, replica)| !replica.gaps.is_empty());
        lacking.map(|(log, _)| log.clone()).collect()
    }

    fn begin_seek_anew(&mut self, log: &ExchangeId) {
        let now = self.now;
        if let Some(replica) = self.replicas.get_mut(log) {
            replica.gaps.begin_anew(now);
        }
        self.schedule_seek(log);
    }

    fn schedule_seek(&mut self, log: &ExchangeId) {
        let due = self.replicas.get(log).and_then(|replica| replica.gaps.due());
        if let Some(due) = due {
            self.timers.set(Timer::SeekWithheld(log.clone()), due);
        }
    }

    /// Asks for gaps whose time has come, one request of the log at a time.
    pub(super) fn seek(&mut self, log: &ExchangeId) {
        loop {
            let (seeks, now) = (self.seeks, self.now);
            let Some(replica) = self.replicas.get_mut(log) else { return };
            // Nobody hands out more of a frozen log than was cosigned.
            let Some(held) = replica.shown().cloned() else { return };
            let size = held.size();
            match replica.gaps.step(size, now) {
                Step::Wait => return self.schedule_seek(log),
                Step::Ask { .. } if seeks >= SEEKS_MAX => {
                    // Requests for other logs end first.
                    let at = now.plus_millis(SEEK_DELAY_MS_MIN);
                    return self.timers.set(Timer::SeekWithheld(log.clone()), at);
                }
                Step::Ask { peer, from, to } => {
                    let to = to.min(size);
                    let goal = SeekGoal { from, to, size, root: held.checkpoint.root };
                    return self.ask_for_gap(log, &peer, goal);
                }
                Step::Next { after } => {
                    let (turn, wrapped) = self.next_turn(log, after.as_ref());
                    let Some(replica) = self.replicas.get_mut(log) else { return };
                    replica.gaps.give(turn, wrapped, size, now);
                }
            }
        }
    }

    fn ask_for_gap(&mut self, log: &ExchangeId, peer: &Peer, goal: SeekGoal) {
        let SeekGoal { from, to, size, .. } = goal;
        let range = LeavesRequest { log: log.clone(), from, to, size, left: true };
        let id = self.send(peer, &Request::Leaves(range), Asked::Gap { log: log.clone(), goal });
        self.seeks += 1;
        if let Some(replica) = self.replicas.get_mut(log) {
            replica.gaps.asked(id);
        }
    }

    /// The connected member after `after` in the order in which the log's gaps are asked for, and whether the
    /// order began anew.
    fn next_turn(&self, log: &ExchangeId, after: Option<&Turn>) -> (Option<Turn>, bool) {
        let scope = self.directory.member(log).map(|member| &member.scope);
        let turn = |peer: &Peer| {
            let member = self.directory.by_peer(peer)?;
            let rank = if member.id == *log {
                Rank::Owner
            } else if self.directory.council().contains(&member.id) {
                Rank::Council
            } else {
                Rank::Other
            };
            Some(Turn { rank, peer: peer.clone() })
        };
        let may_follow = |state: &PeerState| scope.is_none_or(|scope| state.may_follow(scope));
        let useful = self.peers.iter().filter(|(_, state)| may_follow(state));
        let mut turns: Vec<Turn> = useful.filter_map(|(peer, _)| turn(peer)).collect();
        turns.sort_unstable();
        let next = turns.iter().find(|turn| after.is_none_or(|after| *turn > after));
        match next {
            Some(next) => (Some(next.clone()), false),
            None => (turns.first().cloned(), true),
        }
    }

    /// A peer could not be asked for gaps.
    pub(super) fn seek_failed(&mut self, log: &ExchangeId, request: RequestId) {
        self.seeks = self.seeks.saturating_sub(1);
        if let Some(replica) = self.replicas.get_mut(log)
            && replica.gaps.awaits(request)
        {
            replica.gaps.unanswered();
        }
        self.seek(log);
    }

    /// The answer to a request for gaps.
    pub(super) fn gap_fetched(
        &mut self,
        peer: &Peer,
        log: &ExchangeId,
        (request, goal): (RequestId, &SeekGoal),
        answer: Leaves,
    ) {
        let count = answer.leaves.len() as u64;
        if answer.from != goal.from || count == 0 || goal.from + count > goal.to {
            self.penalise(peer, PeerFault::WrongAnswer);
            return self.seek_failed(log, request);
        }
        if !belong(goal, &answer) {
            self.penalise(peer, PeerFault::BadLeaves);
            return self.seek_failed(log, request);
        }
        self.seeks = self.seeks.saturating_sub(1);
        let now = self.now;
        let Some(replica) = self.replicas.get_mut(log) else { return };
        if !replica.gaps.awaits(request) {
            return;
        }
        let mut entries = Vec::new();
        let (mut withheld, mut absent) = (Ranges::default(), Ranges::default());
        for (index, leaf) in (goal.from..).zip(answer.leaves) {
            match leaf {
                ServedLeaf::Entry(entry) => {
                    replica.gaps.remove(index, index + 1);
                    entries.push((index, entry));
                }
                ServedLeaf::Withheld(_) => withheld.insert(index, index + 1),
                ServedLeaf::Absent(_) => absent.insert(index, index + 1),
            }
        }
        replica.gaps.answered(&mut withheld, &absent, now);
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
                Outcome::Sound | Outcome::Unverifiable => {}
                Outcome::Void => void.push(*index),
                Outcome::Membership => self.learn_decision(log, *index, entry),
            }
        }
        for (index, entry) in &entries {
            self.register_entry_held(log, *index, entry);
        }
        self.effect(Effect::Persist(Persist::Fill { log: log.clone(), entries, void }));
        self.register_held(log);
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
