//! Carrying out what a state wants, and looking at what passes for what must not.

use bytes::Bytes;
use hutong_crypto::digest::sha256;
use hutong_protocol::audience::Viewer;
use hutong_protocol::check;
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{AppendError, Effect, GossipId, InboundId, Input, Ticket, Verdict};
use hutong_protocol::limits::LEAVES_BYTES_MAX;
use hutong_protocol::message::{
    Gossip, Leaves, LeavesRequest, Refusal, Response, ServedLeaf, TailLeaf,
};
use hutong_protocol::region::Scope;
use hutong_protocol::serve::{self, AnswerRange, Owner};
use hutong_protocol::statement::Statement;

use crate::node::Slot;
use crate::world::{Acknowledged, Event, Message, World};

/// How long a node takes to check a batch of entries, in milliseconds at most.
const CHECK_MS_MAX: u64 = 20;
/// How long a refused group of statements waits before it is tried again, in milliseconds.
const RETRY_MS: u64 = 250;

impl World {
    pub(crate) fn execute(&mut self, slot: Slot, effect: Effect) {
        match effect {
            Effect::Check { ticket, log, entries } => {
                let outcomes = check::entries(&log, &entries);
                let (life, delay) = (self.nodes[slot].life, self.rng.below(CHECK_MS_MAX));
                self.after(delay, Event::Checked { to: slot, life, ticket, outcomes });
            }
            Effect::Persist(persist) => {
                if let Err(error) = self.nodes[slot].disk.apply(persist) {
                    let line = format!("{}: {error}", self.id(slot));
                    self.violations.push(line);
                }
            }
            Effect::Appended { ticket, outcome } => self.appended(slot, ticket, outcome),
            Effect::Publish { scope, bytes } => self.publish(slot, scope, bytes),
            Effect::Verdict { id: GossipId(message), verdict } => {
                if verdict == Verdict::Accept {
                    self.send_gossip(slot, message);
                }
            }
            Effect::Send { request, peer, bytes } => self.send_request(slot, &peer, request, bytes),
            Effect::Respond { inbound, bytes } => self.send_response(slot, inbound, bytes),
            Effect::Serve { inbound, range, owner, viewer } => {
                self.serve(slot, inbound, &range, &owner, &viewer);
            }
            Effect::ReadRange { log, old_size, new_size } => {
                let Some(disk) = self.nodes[slot].disk.log(&log) else { return };
                let (left, right) = (disk.cover(0, old_size), disk.cover(old_size, new_size));
                self.feed(slot, Input::RangeRead { log, old_size, new_size, left, right });
            }
            Effect::Members { scopes, .. } => {
                self.nodes[slot].scopes = scopes.into_iter().collect();
            }
            Effect::Penalise { .. } => {}
            Effect::Notice(notice) => {
                self.record(slot, "notice", format!("{notice:?}").as_bytes());
                self.nodes[slot].notices.push(notice);
            }
        }
    }

    /// Spreads a message in the name of a node.
    pub fn publish(&mut self, slot: Slot, scope: Scope, bytes: Bytes) {
        let message = self.number();
        self.nodes[slot].seen.insert(message);
        self.messages.insert(message, Message { author: slot, scope, bytes });
        self.send_gossip(slot, message);
    }

    fn appended(
        &mut self,
        slot: Slot,
        ticket: Ticket,
        outcome: Result<Vec<(u64, hutong_crypto::digest::Hash)>, AppendError>,
    ) {
        let Some(entries) = self.nodes[slot].pending.remove(&ticket) else { return };
        match outcome {
            Ok(places) => {
                let log = self.id(slot).clone();
                for (index, id) in places {
                    self.acknowledged.push(Acknowledged { log: log.clone(), index, id });
                }
            }
            Err(AppendError::OwnLogConflict | AppendError::Full) => {}
            Err(AppendError::OwnLogUnchecked | AppendError::NotAuthorised { .. }) => {
                self.after(RETRY_MS, Event::Append { to: slot, entries });
            }
        }
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

    /// What the node at `slot` answers to a request for leaves; none where it does not hold them.
    pub fn answer(
        &self,
        slot: Slot,
        range: &LeavesRequest,
        owner: &Owner,
        viewer: &Viewer,
    ) -> Option<Response> {
        let disk = self.nodes[slot].disk.log(&range.log)?;
        let (from, to) = (usize::try_from(range.from).ok()?, usize::try_from(range.to).ok()?);
        let leaves = disk.leaves.get(from..to)?.to_vec();
        let bounds =
            AnswerRange { size: range.size, left: range.left, bytes_max: LEAVES_BYTES_MAX };
        let answer = serve::answer(owner, viewer, range.from, leaves, &bounds, &disk.tree);
        let mut answer: Leaves = match answer {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        if let (true, Some(leaf)) = (self.nodes[slot].corrupt, answer.leaves.first_mut()) {
            *leaf = ServedLeaf::Absent(sha256(b"not this leaf"));
        }
        Some(Response::Leaves(answer))
    }

    pub(crate) fn look_at_gossip(&mut self, to: Slot, bytes: &Bytes) {
        let Ok(Gossip::Announcement(news)) = Gossip::decode(bytes.clone()) else { return };
        for leaf in &news.tail {
            if let TailLeaf::Entry(entry) = leaf {
                self.look_at_entry(to, &news.log, entry);
            }
        }
    }

    pub(crate) fn look_at_response(&mut self, to: Slot, bytes: &Bytes) {
        let Ok(Response::Leaves(answer)) = Response::decode(bytes.clone()) else { return };
        for leaf in &answer.leaves {
            let ServedLeaf::Entry(entry) = leaf else { continue };
            let issuer = Statement::parse(entry.statement_bytes()).map(|said| said.issuer);
            if let Ok(issuer) = issuer {
                self.look_at_entry(to, &issuer, entry);
            }
        }
    }

    /// Nobody is sent what is not for them.
    fn look_at_entry(&mut self, to: Slot, log: &ExchangeId, entry: &Entry) {
        if !self.may_see(to, log, entry) {
            let line = format!("{} was sent entry {} of {log}", self.id(to), entry.leaf_hash());
            self.violations.push(line);
        }
    }

    /// Whether the node's exchange, as a member, may see the entry of `log`.
    pub fn may_see(&self, slot: Slot, log: &ExchangeId, entry: &Entry) -> bool {
        let exchange = &self.federation.exchanges[self.nodes[slot].exchange];
        let Some(owner) = self.federation.find(log) else { return true };
        let owner = &self.federation.exchanges[owner];
        let owner = Owner { exchange: log.clone(), region: owner.region.clone() };
        serve::admits(&owner, entry, &Viewer::member(exchange.id.clone(), exchange.region.clone()))
    }
}
