//! Carrying out what a state wants, in order, and nothing after a `Persist` before it is durable.

use hutong_crypto::digest::{Hash, sha256};
use hutong_protocol::audience::{Audience, Viewer};
use hutong_protocol::directory::{Anchor, AnchoredLeaf};
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{
    AppendError, Effect, GossipId, InboundId, Input, Notice, Ticket, Verdict,
};
use hutong_protocol::limits::LEAVES_BYTES_MAX;
use hutong_protocol::message::{Leaves, LeavesRequest, Refusal, Response, ServedLeaf};
use hutong_protocol::persist::Persist;
use hutong_protocol::serve::{self, AnswerRange, Owner};

use super::{Acknowledged, Event, World};
use crate::disk::DiskError;
use crate::node::Slot;

/// How long a node takes to check a batch of entries, in milliseconds at most.
const CHECK_MS_MAX: u64 = 20;

impl World {
    /// Carries out what is in a node's outbox, up to a change that is not durable yet.
    pub(super) fn carry_out(&mut self, slot: Slot) {
        while self.nodes[slot].unsynced.is_empty() {
            match self.nodes[slot].outbox.pop_front() {
                None => return,
                Some(Effect::Persist(change)) => self.write(slot, change),
                Some(effect) => self.execute(slot, effect),
            }
        }
    }

    /// Begins to make a change durable, with those that follow it at once.
    fn write(&mut self, slot: Slot, change: Persist) {
        let node = &mut self.nodes[slot];
        node.unsynced.push(change);
        while let Some(Effect::Persist(_)) = node.outbox.front() {
            if let Some(Effect::Persist(next)) = node.outbox.pop_front() {
                node.unsynced.push(next);
            }
        }
        let delay = self.rng.between(self.disks.sync_min_ms, self.disks.sync_max_ms);
        if delay == 0 {
            return self.sync(slot);
        }
        let life = self.nodes[slot].life;
        self.after(delay, Event::Synced { to: slot, life });
    }

    pub(super) fn synced(&mut self, slot: Slot) {
        self.sync(slot);
        self.carry_out(slot);
    }

    fn sync(&mut self, slot: Slot) {
        for change in std::mem::take(&mut self.nodes[slot].unsynced) {
            self.make_durable(slot, change);
        }
    }

    pub(super) fn make_durable(&mut self, slot: Slot, change: Persist) {
        self.check(&mut |checker, world, found| checker.stored(world, slot, &change, found));
        if let Err(error) = self.nodes[slot].disk.apply(change) {
            self.violate("disk", format!("{}: {error}", self.id(slot)));
        }
    }

    pub(super) fn execute(&mut self, slot: Slot, effect: Effect) {
        match effect {
            Effect::Check { ticket, log, entries } => {
                let outcomes = self.memory.outcomes(&log, &entries);
                let (life, delay) = (self.nodes[slot].life, self.rng.below(CHECK_MS_MAX));
                self.after(delay, Event::Checked { to: slot, life, ticket, outcomes });
            }
            Effect::Persist(change) => self.write(slot, change),
            Effect::Appended { ticket, outcome } => self.appended(slot, ticket, outcome),
            Effect::Publish { scope, bytes } => self.publish(slot, scope, bytes),
            Effect::Verdict { id: GossipId(message), verdict } => {
                if verdict == Verdict::Accept {
                    self.pass_on(slot, message);
                }
            }
            Effect::Send { request, peer, bytes } => {
                self.send_request(slot, &peer, request, &bytes);
            }
            Effect::Respond { inbound, bytes } => self.send_response(slot, inbound, bytes),
            Effect::Serve { inbound, range, owner, viewer } => {
                self.serve(slot, inbound, &range, &owner, &viewer);
            }
            Effect::ReadRange { log, old_size, new_size } => {
                self.read_range(slot, log, old_size, new_size);
            }
            Effect::Members { scopes, .. } => {
                self.nodes[slot].scopes = scopes.into_iter().collect();
            }
            Effect::AnchorLeaf { ticket, leaf } => self.leaf_found(slot, ticket, leaf),
            Effect::Penalise { .. } => {}
            Effect::Notice(notice) => {
                self.record(slot, "notice", format!("{notice:?}").as_bytes());
                self.check(&mut |checker, world, found| {
                    checker.noticed(world, slot, &notice, found);
                });
                if matches!(notice, Notice::Restored) {
                    self.nodes[slot].old_disk = false;
                }
                self.nodes[slot].notices.push(notice);
            }
        }
    }

    /// A node was told where a log stands in an anchor: what a receipt would rest on.
    fn leaf_found(&mut self, slot: Slot, ticket: Ticket, leaf: Option<(Anchor, AnchoredLeaf)>) {
        let Some(log) = self.nodes[slot].leaves_wanted.remove(&ticket) else {
            let text = format!("{} is told of a leaf it did not ask for", self.id(slot));
            return self.violate("driver", text);
        };
        let Some((anchor, leaf)) = leaf else { return };
        if leaf.leaf.id != log || !leaf.is_under(anchor.leaves, &anchor.root) {
            let text = format!("{} is given a false leaf of {log}", self.id(slot));
            self.violate("anchors", text);
        }
        self.leaves_found += 1;
    }

    fn serve(
        &mut self,
        slot: Slot,
        inbound: InboundId,
        range: &LeavesRequest,
        owner: &Owner,
        viewer: &Viewer,
    ) {
        let answer = self.answer(slot, range, owner, viewer);
        let answer = answer.unwrap_or(Response::Refused(Refusal::Fault));
        self.send_response(slot, inbound, answer.encode());
    }

    fn read_range(&mut self, slot: Slot, log: ExchangeId, old_size: u64, new_size: u64) {
        let Some(disk) = self.nodes[slot].disk.log(&log) else { return };
        if new_size > disk.tree.size() {
            let text = format!("{} reads {log} beyond its disk", self.id(slot));
            return self.violate("driver", text);
        }
        let (left, right) = (disk.cover(0, old_size), disk.cover(old_size, new_size));
        self.feed(slot, Input::RangeRead { log, old_size, new_size, left, right });
    }

    fn appended(
        &mut self,
        slot: Slot,
        ticket: Ticket,
        outcome: Result<Vec<(u64, Hash)>, AppendError>,
    ) {
        let Some((entries, tries)) = self.nodes[slot].pending.remove(&ticket) else { return };
        match outcome {
            Ok(places) => {
                let log = self.id(slot).clone();
                for (index, id) in places {
                    let held = self.nodes[slot].disk.log(&log);
                    if held.is_none_or(|disk| disk.tree.size() <= index) {
                        let text = format!("{log} acknowledges entry {index} before it holds it");
                        self.violate("durable", text);
                    }
                    self.acknowledged.push(Acknowledged { log: log.clone(), index, id });
                }
            }
            Err(AppendError::OwnLogConflict | AppendError::Full) => {}
            Err(AppendError::OwnLogUnchecked | AppendError::NotAuthorised { .. }) => {
                self.retry(slot, entries, tries);
            }
        }
    }

    /// What the node at `slot` answers to a request for leaves; none where its disk does not
    /// hold them as they were.
    pub fn answer(
        &self,
        slot: Slot,
        range: &LeavesRequest,
        owner: &Owner,
        viewer: &Viewer,
    ) -> Option<Response> {
        let disk = self.nodes[slot].disk.log(&range.log)?;
        let leaves: Result<Vec<Leaf>, DiskError> =
            (range.from..range.to).map(|index| disk.leaf(&range.log, index).cloned()).collect();
        if range.size > disk.tree.size() {
            return None;
        }
        let bounds =
            AnswerRange { size: range.size, left: range.left, bytes_max: LEAVES_BYTES_MAX };
        let is_void = |index| disk.void.contains(&index);
        let (leaves, tree) = (leaves.ok()?, &disk.tree);
        let answer = serve::answer(owner, viewer, range.from, leaves, &bounds, is_void, tree);
        let mut answer: Leaves = match answer {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        if let (true, Some(leaf)) = (self.nodes[slot].corrupt, answer.leaves.first_mut()) {
            *leaf = ServedLeaf::Absent(sha256(b"not this leaf"));
        }
        Some(Response::Leaves(answer))
    }

    /// Whether the node's exchange may see an entry: as the member that it is, was or will be, or
    /// as a stranger. Decided here without asking the protocol, which is on trial.
    pub fn may_see(&self, slot: Slot, entry: &Entry) -> bool {
        let Some(restricted) = self.restricted.get(&entry.leaf_hash()) else { return true };
        let place = self.nodes[slot].exchange;
        let exchange = &self.federation.exchanges[place];
        if exchange.id == restricted.log {
            return true;
        }
        if exchange.stranger && !self.admitted.contains(&place) {
            return false;
        }
        let owner = self.federation.find(&restricted.log);
        match &restricted.audience {
            Audience::Public => true,
            Audience::Members(members) => members.contains(&exchange.id),
            Audience::Domestic => owner.is_some_and(|owner| {
                let owner = self.federation.exchanges[owner].region.as_str();
                owner[..2] == exchange.region.as_str()[..2]
            }),
        }
    }
}
