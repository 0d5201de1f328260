//! Messages on their way, and what happens when they arrive.

use bytes::Bytes;
use hutong_protocol::io::{GossipId, InboundId, Input, Peer, RequestId, Ticket};
use hutong_protocol::message::{Gossip, Request, Response};
use hutong_protocol::prepare::Prepared;
use hutong_protocol::region::Scope;

use super::{Event, Gossiped, World};
use crate::adversary::Answer;
use crate::checks::{Message, Said, Violation};
use crate::node::{Inbound, Slot};

/// How long a request waits for an answer, in milliseconds.
pub(crate) const REQUEST_TIMEOUT_MS: u64 = 3_000;
/// How long a refused group of statements waits before it is tried again, in milliseconds.
const RETRY_MS: u64 = 250;
/// How often a refused group of statements is tried again.
const TRIES_MAX: u64 = 240;
/// To how many others a node passes a message on; who wrote it sends it to all.
const PASSED_ON_TO: usize = 6;

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Gossip { to, from, message } => self.gossip_arrives(to, from, message),
            Event::Request { to, from, life, request, bytes } => {
                self.request_arrives(to, Inbound { from, life, request, bytes });
            }
            Event::Response { to, life, from, request, answer } => {
                if !self.reaches(from, to) || !self.alive(to, life) {
                    return;
                }
                self.nodes[to].waiting.remove(&request);
                self.record(to, "response", &answer);
                self.hears(from, to, &answer);
                self.feed(to, Input::Response { request, answer: Some(answer) });
            }
            Event::Unanswered { to, life, request } => {
                if self.alive(to, life) && self.nodes[to].waiting.remove(&request) {
                    self.record(to, "unanswered", &[]);
                    self.feed(to, Input::Response { request, answer: None });
                }
            }
            Event::Checked { to, life, ticket, outcomes } => {
                if self.alive(to, life) {
                    self.feed(to, Input::Checked { ticket, outcomes });
                }
            }
            Event::Append { to, entries, tries } => {
                if self.nodes[to].state.is_none() {
                    return self.retry(to, entries, tries);
                }
                let ticket = Ticket(self.number());
                self.nodes[to].pending.insert(ticket, (entries.clone(), tries));
                self.feed(to, Input::Append { ticket, entries });
            }
            Event::Synced { to, life } => {
                if self.alive(to, life) {
                    self.synced(to);
                }
            }
            Event::Wake { to, life } => {
                if self.alive(to, life) {
                    self.nodes[to].wake = None;
                    self.feed(to, Input::Tick);
                }
            }
            Event::Start { to } => self.start(to, false),
            Event::Adversary { to, number } => self.adversary_acts(to, number),
        }
    }

    /// Tries again to append a group, unless its exchange is out or it was tried for long.
    pub(crate) fn retry(&mut self, slot: Slot, entries: Vec<Prepared>, tries: u64) {
        let out = self.removed.contains(&self.nodes[slot].exchange);
        if !out && tries < TRIES_MAX {
            self.after(RETRY_MS, Event::Append { to: slot, entries, tries: tries + 1 });
        }
    }

    fn hears(&mut self, from: Slot, to: Slot, bytes: &Bytes) {
        self.check(&mut |checker, world, found| checker.heard(world, from, to, bytes, found));
    }

    fn says(&mut self, from: Slot, to: Option<Slot>, bytes: &Bytes, message: &Message) {
        let said = Said { from, to, bytes, message };
        self.check(&mut |checker, world, found| checker.said(world, &said, found));
    }

    fn gossip_arrives(&mut self, to: Slot, from: Slot, message: u64) {
        if self.nodes[to].state.is_none()
            || !self.reaches(from, to)
            || !self.nodes[to].seen.insert(message)
        {
            return;
        }
        let Some(Gossiped { author, scope, bytes }) = self.messages.get(&message).cloned() else {
            return;
        };
        self.record(to, "gossip", &bytes);
        self.hears(from, to, &bytes);
        self.overhear(to, author, &scope, &bytes);
        let (id, from, author) = (GossipId(message), self.peer(from), self.peer(author));
        self.feed(to, Input::Gossip { id, from, author, scope, bytes });
    }

    fn request_arrives(&mut self, to: Slot, waiting: Inbound) {
        if self.nodes[to].state.is_none() || !self.reaches(waiting.from, to) {
            return;
        }
        let (from, bytes) = (waiting.from, waiting.bytes.clone());
        self.record(to, "request", &bytes);
        self.hears(from, to, &bytes);
        let inbound = self.number();
        self.nodes[to].inbound.insert(inbound, waiting);
        let peer = self.peer(from);
        self.feed(to, Input::Request { inbound: InboundId(inbound), peer, bytes });
    }

    /// Spreads a message in the name of a node.
    pub fn publish(&mut self, slot: Slot, scope: Scope, bytes: Bytes) {
        let message = Message::Gossip(Gossip::decode(bytes.clone()).ok());
        self.says(slot, None, &bytes, &message);
        let to = self.neighbours(slot);
        self.publish_to(slot, slot, scope, bytes, &to);
    }

    /// Gives a message of `author` to some neighbours of `slot`.
    pub(crate) fn publish_to(
        &mut self,
        slot: Slot,
        author: Slot,
        scope: Scope,
        bytes: Bytes,
        to: &[Slot],
    ) {
        let message = self.number();
        self.nodes[slot].seen.insert(message);
        self.messages.insert(message, Gossiped { author, scope, bytes });
        self.send_gossip(slot, message, to);
    }

    /// Passes a message on to a few neighbours.
    pub(crate) fn pass_on(&mut self, slot: Slot, message: u64) {
        let mut others = self.neighbours(slot);
        while others.len() > PASSED_ON_TO {
            let dropped = self.rng.index(others.len());
            others.swap_remove(dropped);
        }
        self.send_gossip(slot, message, &others);
    }

    fn send_gossip(&mut self, from: Slot, message: u64, others: &[Slot]) {
        let Some(Gossiped { author, scope, bytes }) = self.messages.get(&message).cloned() else {
            return;
        };
        for to in others.iter().copied() {
            let node = &self.nodes[to];
            if to == author || !node.scopes.contains(&scope) || node.seen.contains(&message) {
                continue;
            }
            for delay in self.transit(from, to, bytes.len()) {
                self.after(delay, Event::Gossip { to, from, message });
            }
        }
    }

    /// How long each copy of a message takes that arrives: none where it is lost.
    fn transit(&mut self, from: Slot, to: Slot, bytes: usize) -> Vec<u64> {
        let network = self.network;
        self.nodes[from].bytes_sent += bytes as u64;
        let queued = self.uplink(from, bytes);
        if self.rng.chance(network.loss_per_mille) || self.blocked.contains(&(from, to)) {
            return Vec::new();
        }
        let copies = if self.rng.chance(network.duplicate_per_mille) { 2 } else { 1 };
        let relay = self.links.relay(from, to);
        let hops: Vec<(Slot, Slot)> = match relay {
            None => vec![(from, to)],
            Some(relay) => vec![(from, relay), (relay, to)],
        };
        let federation = self.federation.clone();
        let mut delays = Vec::with_capacity(copies);
        for _ in 0..copies {
            let mut delay = queued;
            for (a, b) in &hops {
                let region = |slot: &Slot| &federation.exchanges[self.nodes[*slot].exchange].region;
                delay += network.latency(region(a), region(b), &mut self.rng);
            }
            delays.push(delay);
        }
        delays
    }

    /// How long a node takes to get bytes out, after those before them, in milliseconds.
    fn uplink(&mut self, from: Slot, bytes: usize) -> u64 {
        if self.network.bytes_per_ms == 0 {
            return 0;
        }
        let now_us = self.now * 1_000;
        let node = &mut self.nodes[from];
        let begins = node.sends_until_us.max(now_us);
        node.sends_until_us = begins + bytes as u64 * 1_000 / self.network.bytes_per_ms;
        (node.sends_until_us - now_us) / 1_000
    }

    pub(crate) fn send_request(
        &mut self,
        from: Slot,
        peer: &Peer,
        request: RequestId,
        bytes: &Bytes,
    ) {
        let life = self.nodes[from].life;
        let to = self.connected_as(from, peer);
        self.nodes[from].waiting.insert(request);
        let unanswered = Event::Unanswered { to: from, life, request };
        let Some(to) = to else { return self.after(0, unanswered) };
        self.after(REQUEST_TIMEOUT_MS, unanswered);
        let message = Message::Request(Request::decode(bytes.clone()).ok());
        self.says(from, Some(to), bytes, &message);
        for delay in self.transit(from, to, bytes.len()) {
            let bytes = bytes.clone();
            self.after(delay, Event::Request { to, from, life, request, bytes });
        }
    }

    /// The node that `slot` is connected to under a peer id.
    fn connected_as(&self, slot: Slot, peer: &Peer) -> Option<Slot> {
        let place = self.federation.of_peer(peer)?;
        let twins = self.federation.exchanges.len()..self.nodes.len();
        std::iter::once(place)
            .chain(twins)
            .find(|other| self.nodes[*other].exchange == place && self.linked(slot, *other))
    }

    pub(super) fn send_response(&mut self, from: Slot, inbound: InboundId, bytes: Bytes) {
        let Some(waiting) = self.nodes[from].inbound.remove(&inbound.0) else {
            let text = format!("{} answers a request twice", self.id(from));
            return self.violate("driver", text);
        };
        let (bytes, late) = match self.distort(from, &waiting, &bytes) {
            Answer::Honest => (bytes, 0),
            Answer::Silence => return,
            Answer::Instead { bytes, after_ms } => (bytes, after_ms),
        };
        let Inbound { from: to, life, request, .. } = waiting;
        let message = Message::Response(Response::decode(bytes.clone()).ok());
        self.says(from, Some(to), &bytes, &message);
        for delay in self.transit(from, to, bytes.len()) {
            let answer = bytes.clone();
            self.after(late + delay, Event::Response { to, life, from, request, answer });
        }
    }

    /// Keeps a violation that no checker has looked for.
    pub(crate) fn violate(&mut self, checker: &'static str, text: String) {
        let at_ms = self.now_ms();
        self.violations.push(Violation { checker, at_ms, text });
    }
}
