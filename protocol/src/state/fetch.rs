//! Leaves on their way into a replica.
//!
//! A range is asked for with the hashes that tie it to a signed root, so that each answer is
//! checked on its own: a bad peer costs one range. Of a long log several ranges are asked for at a time, of
//! different peers where there are some. What belongs to the tree is staged while its
//! signatures are checked, and handed over to be made durable in the log's order.

use alloc::collections::btree_map::Entry as Slot;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use hutong_crypto::digest::Hash;
use hutong_crypto::merkle::{Frontier, verify_extension};
use hutong_crypto::note::Note;

use super::replica::{Batch, Early, Range, Signed, Target};
use super::sync::Asked;
use super::timers::Timer;
use super::{Check, State};
use crate::check::Outcome;
use crate::entry::{Entry, Leaf};
use crate::evidence::contradict;
use crate::id::ExchangeId;
use crate::io::{CheckTicket, Effect, Notice, Peer, PeerFault, RequestId};
use crate::limits::{
    CHECKS_MAX, FETCHES_MAX, FETCHES_PER_LOG_MAX, FETCHES_PER_PEER_MAX, FIND_SOURCE_DELAY_MS,
    RANGES_PER_LOG_MAX,
};
use crate::message::{Leaves, LeavesRequest, Request, ServedLeaf};
use crate::persist::Persist;

/// What a request for leaves is to lead to.
#[derive(Debug, Clone)]
pub(super) struct FetchGoal {
    pub(super) signed: Signed,
    pub(super) note: Arc<Note>,
}

impl State {
    /// Asks for the next leaves of a log that is known to be longer, several ranges at a time.
    pub(super) fn pursue(&mut self, log: &ExchangeId) {
        self.complete(log);
        while let Some((from, early)) = self.next_early(log) {
            self.range_fetched(log, from, early);
        }
        while self.ask_for_range(log) {}
        if self.replicas.get(log).is_none_or(|replica| replica.fetching.is_empty()) {
            self.timers.clear(&Timer::RangeLate(log.clone()));
        }
    }

    /// Asks for the first range of a log that is neither here nor under way. Returns whether it did.
    fn ask_for_range(&mut self, log: &ExchangeId) -> bool {
        if self.is_over_quota(log) {
            return false;
        }
        let stands_at = self.stands_at(log);
        let Some(replica) = self.replicas.get_mut(log) else { return false };
        let here = replica.staged_frontier().size();
        // All that stands is here.
        replica
            .target
            .take_if(|it| stands_at.is_some_and(|at| it.signed.size() > at && here >= at));
        let Some(target) = &mut replica.target else { return false };
        target.sources.retain(|peer| self.peers.contains_key(peer));
        let goal = FetchGoal { signed: target.signed.clone(), note: target.offered.clone() };
        let size = goal.signed.size().min(stands_at.unwrap_or(u64::MAX));
        // How much an answer holds, one that was cut short shows.
        let at_a_time = if replica.range_width.is_some() { FETCHES_PER_LOG_MAX } else { 1 };
        if replica.fetching.len() >= at_a_time || replica.ranges() >= RANGES_PER_LOG_MAX {
            return false;
        }
        let Some((from, to)) = replica.next_range(size) else { return false };
        let Some(source) = self.source_for(log) else { return false };
        let request = self.send_for_range(&source, log, (from, to), goal);
        if let Some(replica) = self.replicas.get_mut(log) {
            let now = self.now;
            let range = Range { to, since: now, requests: vec![(source, request, now)] };
            replica.fetching.insert(from, range);
            let at = self.now.plus_millis(replica.late_ms());
            self.timers.set(Timer::RangeLate(log.clone()), at);
        }
        true
    }

    fn send_for_range(
        &mut self,
        source: &Peer,
        log: &ExchangeId,
        (from, to): (u64, u64),
        goal: FetchGoal,
    ) -> RequestId {
        let size = goal.signed.size();
        let range = LeavesRequest { log: log.clone(), from, to, size, left: false };
        let asked = Asked::Leaves { log: log.clone(), from, goal };
        self.fetches += 1;
        if let Some(peer) = self.peers.get_mut(source) {
            peer.fetches += 1;
        }
        self.send(source, &Request::Leaves(range), asked)
    }

    /// Asks another peer too for the first range of a log, for which all others wait, where it is late. What
    /// comes first is taken; the late peer is asked after others from now on, until it gives leaves.
    pub(super) fn range_late(&mut self, log: &ExchangeId) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let late_ms = replica.late_ms();
        let Some((from, range)) = replica.fetching.first_key_value() else { return };
        let due = range.since.plus_millis(late_ms);
        if self.now < due {
            return self.timers.set(Timer::RangeLate(log.clone()), due);
        }
        let (from, to) = (*from, range.to);
        self.timers.set(Timer::RangeLate(log.clone()), self.now.plus_millis(late_ms));
        if self.checks.len() >= CHECKS_MAX {
            // Its answer may be here, and wait for what is being checked.
            return;
        }
        let target = replica.target.as_ref().filter(|target| to <= target.signed.size());
        let (Some(target), [(late, ..)]) = (target, range.requests.as_slice()) else { return };
        let goal = FetchGoal { signed: target.signed.clone(), note: target.offered.clone() };
        replica.tried.insert(late.clone());
        let Some(source) = self.source_for(log) else { return };
        let replica = self.replicas.get(log);
        let range = replica.and_then(|replica| replica.fetching.get(&from));
        if range.is_some_and(|range| !range.is_asked_of(&source)) {
            let request = self.send_for_range(&source, log, (from, to), goal);
            let replica = self.replicas.get_mut(log);
            if let Some(range) = replica.and_then(|replica| replica.fetching.get_mut(&from)) {
                range.requests.push((source, request, self.now));
            }
        }
    }

    /// Whom to ask for a range of a log: who was not asked in vain and is not asked for another one, if there
    /// is such a peer. Where all are busy the log waits; where there is none, one is looked for.
    fn source_for(&mut self, log: &ExchangeId) -> Option<Peer> {
        let replica = self.replicas.get(log)?;
        let sources = &replica.target.as_ref()?.sources;
        let free = |peer: &&Peer| {
            self.peers.get(*peer).is_some_and(|it| it.fetches < FETCHES_PER_PEER_MAX)
        };
        let idle = |peer: &&Peer| !replica.fetching.values().any(|range| range.is_asked_of(peer));
        let untried = |peer: &&Peer| !replica.tried.contains(*peer);
        let in_order = || sources.iter().filter(free);
        let source = in_order().filter(untried).find(idle).or_else(|| in_order().find(untried));
        let source = source.or_else(|| in_order().next()).cloned();
        if sources.is_empty() && replica.fetching.is_empty() {
            let at = self.now.plus_millis(FIND_SOURCE_DELAY_MS);
            self.timers.set(Timer::FindSource(log.clone()), at);
        } else if !sources.is_empty() && (source.is_none() || self.fetches >= FETCHES_MAX) {
            self.waiting.insert(log.clone());
            return None;
        }
        source
    }

    /// `peer` has answered a request for leaves of `log`, or will not: the next of the logs that wait and can
    /// be asked for has its turn.
    pub(super) fn fetch_ended(&mut self, log: &ExchangeId, peer: &Peer) {
        self.fetches -= 1;
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.fetches = peer.fetches.saturating_sub(1);
        }
        let mut waiting = core::mem::take(&mut self.waiting);
        let mut first = waiting.split_off(log);
        let itself = first.take(log);
        let before = self.fetches;
        for next in first.into_iter().chain(waiting).chain(itself) {
            if self.fetches > before {
                self.waiting.insert(next);
            } else {
                self.pursue(&next);
            }
        }
    }

    /// Where a crash came between the leaves and their checkpoint, the leaves are here already.
    fn complete(&mut self, log: &ExchangeId) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        if !replica.staged.is_empty() {
            return;
        }
        let frontier = &replica.frontier;
        let here = |target: &mut Target| {
            target.signed.size() == frontier.size()
                && target.signed.checkpoint.root == frontier.root()
        };
        if let Some(target) = replica.target.take_if(here) {
            self.reached(log, &target.signed, &target.offered);
        }
    }

    /// Asks the next peer how far it holds a log that nobody at hand can continue.
    pub(super) fn find_source(&mut self, log: &ExchangeId) {
        let wanted = self.replicas.get(log).is_some_and(|replica| {
            replica.target.as_ref().is_some_and(|target| target.sources.is_empty())
        });
        if !wanted {
            return;
        }
        if let Some(peer) = self.peer_to_find(log) {
            let request = Request::Checkpoint { log: log.clone() };
            self.send(&peer, &request, Asked::Checkpoint { log: log.clone() });
        }
        let at = self.now.plus_millis(FIND_SOURCE_DELAY_MS);
        self.timers.set(Timer::FindSource(log.clone()), at);
    }

    /// Whom to ask where a log goes on: its owner, then each other peer, then all of them anew. An owner
    /// may be silent, or hand out what is not in its tree.
    fn peer_to_find(&mut self, log: &ExchangeId) -> Option<Peer> {
        let owner = self.directory.operator(log).and_then(|owner| self.peer_of(owner));
        let replica = self.replicas.get_mut(log)?;
        replica.tried.retain(|peer| self.peers.contains_key(peer));
        if replica.tried.len() == self.peers.len() {
            replica.tried.clear();
        }
        let tried = replica.tried.clone();
        let owner = owner.filter(|owner| !tried.contains(owner));
        let chosen = owner.or_else(|| self.next_peer(|peer| !tried.contains(peer)))?;
        self.replicas.get_mut(log)?.tried.insert(chosen.clone());
        Some(chosen)
    }

    /// A request for leaves will not be answered.
    pub(super) fn range_failed(
        &mut self,
        peer: &Peer,
        log: &ExchangeId,
        from: u64,
        request: RequestId,
    ) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let Slot::Occupied(mut range) = replica.fetching.entry(from) else { return };
        if range.get().asked_by(request).is_some() {
            range.get_mut().requests.retain(|(_, other, _)| *other != request);
            if range.get().requests.is_empty() {
                range.remove();
            }
            self.source_failed(log, peer);
        }
    }

    /// A peer will not or cannot continue the log.
    fn source_failed(&mut self, log: &ExchangeId, peer: &Peer) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        replica.tried.retain(|peer| self.peers.contains_key(peer));
        replica.tried.insert(peer.clone());
        if let Some(target) = &mut replica.target {
            target.sources.remove(peer);
        }
        self.pursue(log);
    }

    /// The answer to [`Request::Leaves`].
    pub(super) fn leaves_fetched(
        &mut self,
        peer: &Peer,
        log: &ExchangeId,
        (from, request): (u64, RequestId),
        goal: FetchGoal,
        answer: Leaves,
    ) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        // Nothing more may be taken of the log, or the range was asked for anew.
        let Slot::Occupied(range) = replica.fetching.entry(from) else { return };
        let Some(since) = range.get().asked_by(request) else { return };
        let asked = range.get().to - from;
        let leaves = answer.leaves.len() as u64;
        if answer.from != from || leaves == 0 || leaves > asked {
            self.penalise(peer, PeerFault::WrongAnswer);
            // Another peer may have been asked too.
            return self.range_failed(peer, log, from, request);
        }
        range.remove();
        // How late others were says nothing about the log.
        replica.learn_time(self.now.millis().saturating_sub(since.millis()));
        replica.early.insert(from, Early { peer: peer.clone(), asked, goal, answer });
        self.pursue(log);
    }

    /// The answer that goes on from what is here, if it came. What others have brought meanwhile is let go.
    fn next_early(&mut self, log: &ExchangeId) -> Option<(u64, Early)> {
        let replica = self.replicas.get_mut(log)?;
        let size = replica.staged_frontier().size();
        replica.early = replica.early.split_off(&size);
        replica.early.remove(&size).map(|early| (size, early))
    }

    fn range_fetched(&mut self, log: &ExchangeId, from: u64, early: Early) {
        let Early { peer, asked, goal, answer } = early;
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let target = replica.target.as_ref().map(|target| target.signed.checkpoint.root);
        if replica.frozen.is_some() && target != Some(goal.signed.checkpoint.root) {
            return;
        }
        let hashes: Vec<Hash> = answer.leaves.iter().map(leaf_hash).collect();
        if self.is_beyond_standing(log, from + hashes.len() as u64) {
            // It was asked for before that was known.
            return;
        }
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let size = goal.signed.size();
        let root = &goal.signed.checkpoint.root;
        let extended =
            verify_extension(replica.staged_frontier(), &hashes, &answer.right, size, root);
        if extended.is_ok() {
            replica.learn_width(hashes.len() as u64, asked);
        }
        match extended {
            Ok(frontier) => self.leaves_belong(&peer, log, from, goal, answer.leaves, frontier),
            Err(_) => self.leaves_do_not_belong(&peer, log, goal),
        }
    }

    fn leaves_belong(
        &mut self,
        peer: &Peer,
        log: &ExchangeId,
        from: u64,
        goal: FetchGoal,
        served: Vec<ServedLeaf>,
        frontier: Frontier,
    ) {
        self.note_gaps(log, from, &served);
        let leaves = served.into_iter().map(ServedLeaf::into_leaf).collect();
        let complete = frontier.size() == goal.signed.size();
        let Some(replica) = self.replicas.get_mut(log) else { return };
        replica.tried.remove(peer);
        // A range may have been asked for before the log was known to be as long as others that came.
        if replica.basis.as_ref().is_none_or(|basis| basis.size() < goal.signed.size()) {
            replica.basis = Some(goal.signed.clone());
        }
        if complete && replica.target.as_ref().is_some_and(|t| t.signed.size() <= frontier.size()) {
            replica.target = None;
        }
        let reaches = complete.then_some((goal.signed, goal.note));
        let ticket = self.check_ticket();
        self.stage(log, Batch { ticket, from, leaves, frontier, outcomes: None, reaches });
    }

    /// Either the peer lies about the leaves, or the log exists in two versions. The peer is
    /// asked to show how the tree here is part of the one it shows.
    fn leaves_do_not_belong(&mut self, peer: &Peer, log: &ExchangeId, goal: FetchGoal) {
        let replica = self.replicas.get(log);
        let basis = replica.and_then(|replica| replica.basis.clone());
        let frozen = replica.is_some_and(|replica| replica.frozen.is_some());
        match basis {
            Some(basis) if basis.size() > 0 && basis.size() < goal.signed.size() => {
                let (from, size) = (basis.size(), goal.signed.size());
                let range = LeavesRequest { log: log.clone(), from, to: from, size, left: true };
                let asked = Asked::Proof { log: log.clone(), basis, goal };
                self.send(peer, &Request::Leaves(range), asked);
            }
            // Of two trees of a frozen log the peer may hold the other one; and what was asked for before
            // more of the log was known is no lie where that more is of another tree.
            Some(_) | None if frozen => {}
            Some(basis) if basis.size() >= goal.signed.size() => {}
            Some(_) | None => self.penalise(peer, PeerFault::BadLeaves),
        }
        self.source_failed(log, peer);
    }

    /// The answer to a request for proof.
    pub(super) fn proof_fetched(
        &mut self,
        peer: &Peer,
        log: &ExchangeId,
        basis: &Signed,
        goal: &FetchGoal,
        answer: Leaves,
    ) {
        let (left, right) = (answer.left, answer.right);
        let (ours, theirs) = (&basis.checkpoint, &goal.signed.checkpoint);
        let present = self.is_present_key(log, &goal.signed);
        let frozen = self.replicas.get(log).is_some_and(|replica| replica.frozen.is_some());
        if frozen {
            // It may have been asked for before the freeze, about a tree that nobody has cosigned.
            let cosigned = self.has_quorum(log, &goal.signed, &goal.note);
            if cosigned && contradict(ours, theirs, &left, &right).is_ok() {
                self.diverged(log, theirs.size);
            }
            return;
        }
        let one_key = basis.key_id() == goal.signed.key_id();
        if !one_key && contradict(ours, theirs, &left, &right).is_ok() {
            // What a key that was given up shows beyond the tree here says nothing about the log.
            if present {
                self.diverged(log, ours.size);
            }
        } else if !self.convict_by_range(log, basis, &goal.signed, left, right) {
            self.penalise(peer, PeerFault::BadLeaves);
        }
    }

    /// What counts of the log does not go on from what is here. Under new keys that convicts nobody,
    /// since the old ones may have been in strange hands; where the log is frozen, a quorum cosigned the
    /// other tree. Nothing of it is taken any more.
    pub(super) fn diverged(&mut self, log: &ExchangeId, size: u64) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        let (frozen, of) = (replica.frozen.is_some(), log.clone());
        let notice = if frozen {
            Notice::OtherTreeCosigned { log: of, size }
        } else {
            Notice::Diverged { log: of, size }
        };
        self.stop_following(log, notice);
    }

    fn stop_following(&mut self, log: &ExchangeId, notice: Notice) {
        let Some(replica) = self.replicas.get_mut(log) else { return };
        replica.target = None;
        replica.forget_ranges();
        if !core::mem::replace(&mut replica.diverged, true) {
            self.judge_none(log);
            self.notice(notice);
        }
    }

    pub(super) fn check_ticket(&mut self) -> CheckTicket {
        CheckTicket(self.number())
    }

    /// Queues a batch whose leaves belong to the tree, and has its entries checked.
    pub(super) fn stage(&mut self, log: &ExchangeId, mut batch: Batch) {
        let entries: Vec<Entry> = batch.leaves.iter().filter_map(Leaf::entry).cloned().collect();
        let ticket = batch.ticket;
        if entries.is_empty() {
            batch.outcomes = Some(Vec::new());
        }
        let Some(replica) = self.replicas.get_mut(log) else { return };
        if let Some(size) = replica.cosigned_otherwise(&batch) {
            return self.stop_following(log, Notice::OtherThanCosigned { log: log.clone(), size });
        }
        replica.staged.push_back(batch);
        if entries.is_empty() {
            self.commit_checked(log);
        } else {
            self.checks.insert(ticket, Check::Batch { log: log.clone() });
            self.effect(Effect::Check { ticket, log: log.clone(), entries });
        }
    }

    /// The outcomes of a check.
    pub(super) fn checked(&mut self, ticket: CheckTicket, outcomes: Vec<Outcome>) {
        match self.checks.remove(&ticket) {
            None => {}
            Some(Check::Fill { log, entries }) => self.filled(&log, entries, &outcomes),
            Some(Check::Batch { log }) => {
                let replica = self.replicas.get_mut(&log);
                let batch = replica.and_then(|replica| {
                    replica.staged.iter_mut().find(|batch| batch.ticket == ticket)
                });
                if let Some(batch) = batch {
                    batch.outcomes = Some(outcomes);
                }
                self.commit_checked(&log);
                self.pursue(&log);
            }
        }
    }

    /// Hands over, in order, every batch whose entries are checked.
    fn commit_checked(&mut self, log: &ExchangeId) {
        loop {
            let Some(replica) = self.replicas.get_mut(log) else { return };
            if replica.staged.front().is_none_or(|batch| batch.outcomes.is_none()) {
                return;
            }
            if let Some(batch) = replica.staged.pop_front() {
                self.commit(log, batch);
            }
        }
    }

    fn commit(&mut self, log: &ExchangeId, batch: Batch) {
        let mut void = Vec::new();
        let entries = (batch.from..).zip(&batch.leaves).filter_map(with_entry);
        for ((index, entry), outcome) in entries.zip(batch.outcomes.unwrap_or_default()) {
            match outcome {
                Outcome::Sound | Outcome::Unverifiable => {}
                Outcome::Void => void.push(index),
                Outcome::Membership => self.learn_decision(log, index, entry),
            }
        }
        let (from, leaves) = (batch.from, batch.leaves);
        self.count_taken(log, &leaves);
        self.register_grew(log, from, &leaves);
        self.effect(Effect::Persist(Persist::Leaves { log: log.clone(), from, leaves, void }));
        let Some(replica) = self.replicas.get_mut(log) else { return };
        replica.frontier = batch.frontier;
        self.summary_changed(log);
        if let Some((signed, note)) = batch.reaches {
            self.reached(log, &signed, &note);
        }
    }

    /// What was shown while the leaves up to `held` were being checked is not ahead any more.
    fn passed(&mut self, log: &ExchangeId, held: &Signed, target: Target) {
        if target.signed.size() < held.size() {
            self.offered_old(log, target.signed, target.offered);
        } else if target.signed.checkpoint.root == held.checkpoint.root {
            self.gather_cosignatures(log, held.size(), &target.offered);
        } else {
            self.convict_at_one_size(log, held, &target.signed);
        }
    }

    /// A checkpoint is held in full.
    pub(super) fn reached(&mut self, log: &ExchangeId, signed: &Signed, note: &Note) {
        let (size, bare) = (signed.size(), signed.encode());
        let Some(replica) = self.replicas.get_mut(log) else { return };
        replica.hold(signed.clone());
        let passed = replica.target.take_if(|target| target.signed.size() <= size);
        let caught_up = replica.target.is_none();
        self.summary_changed(log);
        self.effect(Effect::Persist(Persist::Checkpoint { log: log.clone(), note: bare, size }));
        self.judge_held(log, size);
        self.gather_cosignatures(log, size, note);
        if let Some(passed) = passed {
            self.passed(log, signed, passed);
        }
        if self.is_own(log) {
            if caught_up {
                self.own_log_recovered(log);
            }
        } else {
            self.cosign(log);
        }
        self.register_held(log);
        self.restoration_moved();
        if caught_up {
            self.notice(Notice::CaughtUp { log: log.clone(), size });
        }
        self.seek(log);
    }
}

fn leaf_hash(leaf: &ServedLeaf) -> Hash {
    match leaf {
        ServedLeaf::Entry(entry) => entry.leaf_hash(),
        ServedLeaf::Withheld(hash) | ServedLeaf::Absent(hash) => *hash,
    }
}

fn with_entry((index, leaf): (u64, &Leaf)) -> Option<(u64, &Entry)> {
    leaf.entry().map(|entry| (index, entry))
}
