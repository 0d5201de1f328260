//! The world: nodes, the network between them, and time.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hutong_crypto::digest::{Hash, blake3};
use hutong_protocol::check::Outcome;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{CheckTicket, GossipId, InboundId, Input, Peer, RequestId, Ticket};
use hutong_protocol::prepare::Prepared;
use hutong_protocol::region::Scope;
use hutong_protocol::state::State;
use hutong_protocol::time::Timestamp;

use crate::disk::Disk;
use crate::federation::Federation;
use crate::node::{Node, Slot};
use crate::rng::Rng;

/// The beginning of virtual time, in milliseconds since the Unix epoch.
const EPOCH_MS: u64 = 1_800_000_000_000;
/// How long a request waits for an answer that was lost, in milliseconds.
const REQUEST_TIMEOUT_MS: u64 = 3_000;
/// How long a refused group of statements waits before it is tried again, in milliseconds.
const RETRY_MS: u64 = 250;

/// How the network behaves.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The shortest time that a message takes, in milliseconds.
    pub latency_min_ms: u64,
    /// The longest.
    pub latency_max_ms: u64,
    /// How many of 1,000 messages are lost.
    pub loss_per_mille: u64,
}

impl Default for Network {
    fn default() -> Self {
        Self { latency_min_ms: 5, latency_max_ms: 60, loss_per_mille: 0 }
    }
}

#[derive(Debug)]
pub(crate) enum Event {
    Gossip { to: Slot, from: Slot, message: u64 },
    Request { to: Slot, from: Slot, life: u64, request: RequestId, bytes: Bytes },
    Response { to: Slot, life: u64, from: Slot, request: RequestId, answer: Option<Bytes> },
    Checked { to: Slot, life: u64, ticket: CheckTicket, outcomes: Vec<Outcome> },
    Append { to: Slot, entries: Vec<Prepared> },
    Wake { to: Slot, life: u64 },
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) author: Slot,
    pub(crate) scope: Scope,
    pub(crate) bytes: Bytes,
}

/// A statement whose append was acknowledged.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// Whose log.
    pub log: ExchangeId,
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub id: Hash,
}

/// Nodes, the network between them, and time.
#[derive(Debug)]
pub struct World {
    /// The exchanges.
    pub federation: Federation,
    /// Their nodes.
    pub nodes: Vec<Node>,
    /// How the network behaves.
    pub network: Network,
    /// All chance.
    pub rng: Rng,
    /// Rules that were broken, in words.
    pub violations: Vec<String>,
    /// Every statement whose append was acknowledged.
    pub acknowledged: Vec<Acknowledged>,
    /// A node whose inputs are to be recorded, and those so far.
    pub recorded: Option<(Slot, Vec<Input>)>,
    pub(crate) messages: BTreeMap<u64, Message>,
    links: BTreeSet<(Slot, Slot)>,
    queue: BTreeMap<(u64, u64), Event>,
    now: u64,
    last_number: u64,
    trace: Hash,
}

impl World {
    /// A node for each exchange, all down.
    pub fn new(federation: Federation, network: Network, seed: u64) -> Self {
        let nodes = (0..federation.exchanges.len()).map(|at| Node::new(at, Disk::default()));
        Self {
            nodes: nodes.collect(),
            federation,
            network,
            rng: Rng::new(seed),
            violations: Vec::new(),
            acknowledged: Vec::new(),
            recorded: None,
            messages: BTreeMap::new(),
            links: BTreeSet::new(),
            queue: BTreeMap::new(),
            now: 0,
            last_number: 0,
            trace: blake3(&seed.to_le_bytes()),
        }
    }

    /// Virtual time, in milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.now
    }

    /// Virtual time as nodes see it.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS + self.now)
    }

    /// A digest of everything that happened so far, in order.
    pub fn trace(&self) -> Hash {
        self.trace
    }

    /// The exchange whose node is at `slot`.
    pub fn id(&self, slot: Slot) -> &ExchangeId {
        &self.federation.exchanges[self.nodes[slot].exchange].id
    }

    pub(crate) fn peer(&self, slot: Slot) -> Peer {
        self.federation.exchanges[self.nodes[slot].exchange].peer.clone()
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(crate) fn at(&mut self, time: u64, event: Event) {
        let number = self.number();
        self.queue.insert((time, number), event);
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    fn latency(&mut self) -> u64 {
        self.rng.between(self.network.latency_min_ms, self.network.latency_max_ms)
    }

    pub(crate) fn record(&mut self, slot: Slot, what: &str, bytes: &[u8]) {
        let mut line = Vec::with_capacity(80 + what.len());
        line.extend_from_slice(self.trace.as_bytes());
        line.extend_from_slice(&self.now.to_le_bytes());
        line.extend_from_slice(&(slot as u64).to_le_bytes());
        line.extend_from_slice(what.as_bytes());
        line.extend_from_slice(blake3(bytes).as_bytes());
        self.trace = blake3(&line);
    }

    /// Starts a node from its disk. `restored` says that the disk may be an old copy.
    pub fn start(&mut self, slot: Slot, restored: bool) {
        let founding = self.federation.chain();
        let node = &mut self.nodes[slot];
        if node.state.is_some() {
            return;
        }
        node.boot(&self.federation.exchanges[node.exchange], &founding, restored);
        self.record(slot, "start", &[]);
        self.feed(slot, Input::Started);
        self.connect();
    }

    /// Takes everything from a node but its disk.
    pub fn crash(&mut self, slot: Slot) {
        let unanswered = self.nodes[slot].crash();
        self.record(slot, "crash", &[]);
        for entries in unanswered {
            self.after(RETRY_MS, Event::Append { to: slot, entries });
        }
        self.connect();
    }

    /// Lets a node crash in the middle of the next effects.
    pub fn crash_in_the_middle(&mut self, slot: Slot) {
        let node = &mut self.nodes[slot];
        node.crash_next = node.state.is_some();
    }

    /// Ends all trouble: nothing is lost any more, all nodes are up and reach each other.
    pub fn heal(&mut self) {
        self.network.loss_per_mille = 0;
        for node in &mut self.nodes {
            node.crash_next = false;
        }
        self.partition(&[]);
        for slot in 0..self.nodes.len() {
            self.start(slot, false);
        }
    }

    /// Puts nodes into groups that cannot reach each other; the rest stays in group 0.
    pub fn partition(&mut self, groups: &[Vec<Slot>]) {
        for node in &mut self.nodes {
            node.group = 0;
        }
        for (number, group) in (1..).zip(groups) {
            for slot in group {
                self.nodes[*slot].group = number;
            }
        }
        self.connect();
    }

    /// Adds a second node of the exchange at `slot`, with a copy of its disk: what happens when a
    /// backup is started beside the original. Both count as dishonest from now on.
    pub fn twin(&mut self, slot: Slot) -> Slot {
        let mut twin = Node::new(self.nodes[slot].exchange, self.nodes[slot].disk.clone());
        twin.dishonest = true;
        self.nodes[slot].dishonest = true;
        self.nodes.push(twin);
        self.nodes.len() - 1
    }

    /// Appends statements at a node, and tries again where that is refused.
    pub fn append(&mut self, slot: Slot, entries: Vec<Prepared>) {
        self.after(0, Event::Append { to: slot, entries });
    }

    /// Lets everything happen up to `until`, in milliseconds since the start.
    pub fn run_until(&mut self, until: u64) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((time, _), event) = entry.remove_entry();
            self.now = self.now.max(time);
            self.happen(event);
        }
        self.now = self.now.max(until);
    }

    /// Whether no statements wait to be appended.
    pub fn quiet(&self) -> bool {
        let waits = |event: &Event| matches!(event, Event::Append { .. });
        !self.queue.values().any(waits) && self.nodes.iter().all(|node| node.pending.is_empty())
    }

    fn alive(&self, slot: Slot, life: u64) -> bool {
        self.nodes[slot].state.is_some() && self.nodes[slot].life == life
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Gossip { to, from, message } => self.gossip_arrives(to, from, message),
            Event::Request { to, from, life, request, bytes } => {
                if !self.linked(to, from) {
                    return;
                }
                self.record(to, "request", &bytes);
                let inbound = self.number();
                let waiting = crate::node::Inbound { from, life, request };
                self.nodes[to].inbound.insert(inbound, waiting);
                let peer = self.peer(from);
                self.feed(to, Input::Request { inbound: InboundId(inbound), peer, bytes });
            }
            Event::Response { to, life, from, request, answer } => {
                let arrives = answer.is_none() || self.linked(to, from);
                if !arrives || !self.alive(to, life) {
                    return;
                }
                self.record(to, "response", answer.as_deref().unwrap_or(b"none"));
                if let Some(answer) = &answer {
                    self.look_at_response(to, answer);
                }
                self.feed(to, Input::Response { request, answer });
            }
            Event::Checked { to, life, ticket, outcomes } => {
                if self.alive(to, life) {
                    self.feed(to, Input::Checked { ticket, outcomes });
                }
            }
            Event::Append { to, entries } => {
                if self.nodes[to].state.is_none() {
                    return self.after(RETRY_MS, Event::Append { to, entries });
                }
                let ticket = Ticket(self.number());
                self.nodes[to].pending.insert(ticket, entries.clone());
                self.feed(to, Input::Append { ticket, entries });
            }
            Event::Wake { to, life } => {
                if self.alive(to, life) {
                    self.nodes[to].wake = None;
                    self.feed(to, Input::Tick);
                }
            }
        }
    }

    fn gossip_arrives(&mut self, to: Slot, from: Slot, message: u64) {
        if !self.linked(to, from) || !self.nodes[to].seen.insert(message) {
            return;
        }
        let Some(Message { author, scope, bytes }) = self.messages.get(&message).cloned() else {
            return;
        };
        self.record(to, "gossip", &bytes);
        self.look_at_gossip(to, &bytes);
        let (id, from, author) = (GossipId(message), self.peer(from), self.peer(author));
        self.feed(to, Input::Gossip { id, from, author, scope, bytes });
    }

    /// Gives an input to a node and carries out what it wants.
    pub fn feed(&mut self, slot: Slot, input: Input) {
        let now = self.timestamp();
        let node = &mut self.nodes[slot];
        let Some(state) = &mut node.state else { return };
        if let Some((recorded, inputs)) = &mut self.recorded
            && *recorded == slot
        {
            inputs.push(input.clone());
        }
        let mut effects = state.handle(now, input);
        let crashes = node.crash_next && !effects.is_empty();
        if crashes {
            effects.truncate(self.rng.index(effects.len()));
        }
        for effect in effects {
            self.execute(slot, effect);
        }
        if crashes {
            return self.crash(slot);
        }
        let node = &self.nodes[slot];
        let Some(wake) = node.state.as_ref().and_then(State::wake_at) else { return };
        let at = wake.millis().saturating_sub(EPOCH_MS).max(self.now + 1);
        if node.wake.is_none_or(|planned| planned > at) {
            let life = node.life;
            self.nodes[slot].wake = Some(at);
            self.at(at, Event::Wake { to: slot, life });
        }
    }

    /// Whether two nodes are connected.
    pub fn linked(&self, a: Slot, b: Slot) -> bool {
        self.links.contains(&(a.min(b), a.max(b)))
    }

    /// The connected nodes of `slot`.
    pub(crate) fn neighbours(&self, slot: Slot) -> Vec<Slot> {
        (0..self.nodes.len()).filter(|other| self.linked(slot, *other)).collect()
    }

    /// Connects what can reach each other, and disconnects what cannot.
    pub(crate) fn connect(&mut self) {
        // Of two nodes that claim one peer id, others are connected to the first only.
        let mut wanted: BTreeSet<(Slot, Slot)> = BTreeSet::new();
        let first: Vec<Slot> = (0..self.nodes.len()).filter(|slot| self.is_first(*slot)).collect();
        for (at, a) in first.iter().enumerate() {
            for b in &first[at + 1..] {
                if self.nodes[*a].group == self.nodes[*b].group {
                    wanted.insert((*a, *b));
                }
            }
        }
        let ends: Vec<_> = self.links.difference(&wanted).copied().collect();
        let begins: Vec<_> = wanted.difference(&self.links).copied().collect();
        self.links = wanted;
        // A node may crash on hearing of a change, and that changes the links again.
        for (a, b) in ends {
            for (slot, other) in [(a, b), (b, a)] {
                if !self.linked(a, b) {
                    let peer = self.peer(other);
                    self.feed(slot, Input::PeerDisconnected { peer });
                }
            }
        }
        for (a, b) in begins {
            for (slot, other) in [(a, b), (b, a)] {
                if self.linked(a, b) {
                    let peer = self.peer(other);
                    self.feed(slot, Input::PeerConnected { peer });
                }
            }
        }
    }

    /// Whether the node is up, and the first of its exchange in its group.
    fn is_first(&self, slot: Slot) -> bool {
        let node = &self.nodes[slot];
        let same = |other: &Node| {
            other.state.is_some() && other.exchange == node.exchange && other.group == node.group
        };
        node.state.is_some() && !self.nodes[..slot].iter().any(same)
    }

    pub(crate) fn send_gossip(&mut self, from: Slot, message: u64) {
        let Some(Message { author, scope, bytes }) = self.messages.get(&message).cloned() else {
            return;
        };
        for to in self.neighbours(from) {
            if to == author || !self.nodes[to].scopes.contains(&scope) {
                continue;
            }
            self.nodes[from].bytes_sent += bytes.len() as u64;
            let lost = self.rng.chance(self.network.loss_per_mille);
            let delay = self.latency();
            if !lost {
                self.after(delay, Event::Gossip { to, from, message });
            }
        }
    }

    pub(crate) fn send_request(
        &mut self,
        from: Slot,
        peer: &Peer,
        request: RequestId,
        bytes: Bytes,
    ) {
        let life = self.nodes[from].life;
        let Some(to) = self.neighbours(from).into_iter().find(|to| self.peer(*to) == *peer) else {
            return self.after(0, Event::Response { to: from, life, from, request, answer: None });
        };
        self.nodes[from].bytes_sent += bytes.len() as u64;
        if self.rng.chance(self.network.loss_per_mille) {
            let lost = Event::Response { to: from, life, from: to, request, answer: None };
            return self.after(REQUEST_TIMEOUT_MS, lost);
        }
        let delay = self.latency();
        self.after(delay, Event::Request { to, from, life, request, bytes });
    }

    pub(crate) fn send_response(&mut self, from: Slot, inbound: InboundId, bytes: Bytes) {
        let Some(waiting) = self.nodes[from].inbound.remove(&inbound.0) else {
            self.violations.push(format!("{} answers a request twice", self.id(from)));
            return;
        };
        self.nodes[from].bytes_sent += bytes.len() as u64;
        let crate::node::Inbound { from: to, life, request } = waiting;
        let lost = self.rng.chance(self.network.loss_per_mille);
        let (delay, answer) =
            if lost { (REQUEST_TIMEOUT_MS, None) } else { (self.latency(), Some(bytes)) };
        self.after(delay, Event::Response { to, life, from, request, answer });
    }
}
