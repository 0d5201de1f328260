//! The world: nodes, the network between them, and time.

mod deliver;
mod effects;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use hutong_crypto::digest::{Hash, blake3};
use hutong_protocol::audience::Audience;
use hutong_protocol::check::Outcome;
use hutong_protocol::directory::Prefix;
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{CheckTicket, Effect, Input, Peer, RequestId, Ticket};
use hutong_protocol::prepare::Prepared;
use hutong_protocol::region::Scope;
use hutong_protocol::state::State;
use hutong_protocol::time::{Instant, Now, Timestamp};

use crate::adversary::Adversary;
use crate::checks::{self, Checker, Violation};
use crate::disk::Disk;
use crate::federation::Federation;
use crate::network::{Links, Network};
use crate::node::{Node, Slot};
use crate::oracle::Memory;
use crate::rng::Rng;

/// The time between two looks at everything, in milliseconds.
const LOOK_INTERVAL_MS: u64 = 1_000;

#[derive(Debug)]
pub(crate) enum Event {
    Gossip { to: Slot, from: Slot, message: u64 },
    Request { to: Slot, from: Slot, life: u64, request: RequestId, bytes: Bytes },
    Response { to: Slot, life: u64, from: Slot, request: RequestId, answer: Bytes },
    Unanswered { to: Slot, life: u64, request: RequestId },
    Checked { to: Slot, life: u64, ticket: CheckTicket, outcomes: Vec<Outcome> },
    Append { to: Slot, entries: Vec<Prepared>, tries: u64 },
    Synced { to: Slot, life: u64 },
    Wake { to: Slot, life: u64 },
    Start { to: Slot },
    Adversary { to: Slot, number: usize },
}

#[derive(Debug, Clone)]
pub(crate) struct Gossiped {
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

/// A statement that is not for everybody.
#[derive(Debug, Clone)]
pub struct Restricted {
    /// Whose it is.
    pub log: ExchangeId,
    /// For whom.
    pub audience: Audience,
    /// The signed statement.
    pub entry: Entry,
    /// Text in it that is nowhere else.
    pub secret: String,
}

/// How long a disk takes to write, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskSpeed {
    /// The shortest time.
    pub sync_min_ms: u64,
    /// The longest.
    pub sync_max_ms: u64,
}

/// Nodes, the network between them, and time.
#[derive(Debug)]
pub struct World {
    /// The exchanges.
    pub federation: Arc<Federation>,
    /// Their nodes.
    pub nodes: Vec<Node>,
    /// How the network behaves.
    pub network: Network,
    /// How long disks take.
    pub disks: DiskSpeed,
    /// All chance.
    pub rng: Rng,
    /// Properties that were violated.
    pub violations: Vec<Violation>,
    /// Every statement whose append was acknowledged.
    pub acknowledged: Vec<Acknowledged>,
    /// Every statement that is not for everybody, by its id.
    pub restricted: BTreeMap<Hash, Restricted>,
    /// Exchanges that were suspended or expelled, by place.
    pub removed: BTreeSet<usize>,
    /// Strangers that were admitted after all, by place.
    pub admitted: BTreeSet<usize>,
    /// What of the log of each exchange that was suspended or expelled was to stand, by place.
    pub(crate) stands: BTreeMap<usize, Prefix>,
    /// How many leaves of anchors were asked for and found.
    pub leaves_found: u64,
    /// A node whose inputs are to be recorded, and those so far.
    pub recorded: Option<(Slot, Vec<Input>)>,
    /// What is computed once for all nodes.
    pub(crate) memory: Arc<Memory>,
    pub(crate) checkers: Vec<Box<dyn Checker>>,
    pub(crate) adversaries: BTreeMap<Slot, Vec<Box<dyn Adversary>>>,
    pub(crate) messages: BTreeMap<u64, Gossiped>,
    pub(crate) blocked: BTreeSet<(Slot, Slot)>,
    /// Whether nodes that claim one peer id each meet a part of the others.
    pub(crate) split_views: bool,
    /// Whether those who break the rules have stopped to do so of themselves.
    pub(crate) calm: bool,
    healed_at: Option<u64>,
    links: Links,
    queue: BTreeMap<(u64, u64), Event>,
    now: u64,
    looked_at: u64,
    last_number: u64,
    trace: Hash,
}

impl World {
    /// A node for each exchange, all down, with the `disks` given or empty ones.
    pub fn new(federation: Arc<Federation>, disks: Vec<Disk>, network: Network, seed: u64) -> Self {
        let disks = disks.into_iter().chain(std::iter::repeat_with(Disk::default));
        let nodes = (0..federation.exchanges.len()).zip(disks);
        Self {
            nodes: nodes.map(|(at, disk)| Node::new(at, disk)).collect(),
            federation,
            network,
            disks: DiskSpeed::default(),
            rng: Rng::new(seed),
            violations: Vec::new(),
            acknowledged: Vec::new(),
            restricted: BTreeMap::new(),
            removed: BTreeSet::new(),
            admitted: BTreeSet::new(),
            stands: BTreeMap::new(),
            leaves_found: 0,
            recorded: None,
            memory: Memory::of_this_thread(),
            checkers: checks::all(),
            adversaries: BTreeMap::new(),
            messages: BTreeMap::new(),
            blocked: BTreeSet::new(),
            split_views: false,
            calm: false,
            healed_at: None,
            links: Links::default(),
            queue: BTreeMap::new(),
            now: 0,
            looked_at: 0,
            last_number: 0,
            trace: blake3(&seed.to_le_bytes()),
        }
    }

    /// Virtual time, in milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.now
    }

    /// When the network healed, if it has.
    pub fn healed_at_ms(&self) -> Option<u64> {
        self.healed_at
    }

    /// Time as the node at `slot` sees it.
    pub fn timestamp(&self, slot: Slot) -> Timestamp {
        Timestamp::from_millis(self.nodes[slot].clock.shows(self.now))
    }

    /// What both clocks of the node at `slot` show.
    pub fn now(&self, slot: Slot) -> Now {
        let instant = Instant::from_millis(self.nodes[slot].clock.counts(self.now));
        Now { instant, wall: self.timestamp(slot) }
    }

    /// A digest of everything that happened so far, in order.
    pub fn trace(&self) -> Hash {
        self.trace
    }

    /// The exchange whose node is at `slot`.
    pub fn id(&self, slot: Slot) -> &ExchangeId {
        &self.federation.exchanges[self.nodes[slot].exchange].id
    }

    /// Whether all nodes of the log's owner keep the rules.
    pub fn owner_is_honest(&self, log: &ExchangeId) -> bool {
        let exchange = self.federation.operator(log);
        let of_owner = |slot: &Slot| Some(self.nodes[*slot].exchange) == exchange;
        (0..self.nodes.len()).filter(of_owner).all(|slot| self.is_honest(slot))
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

    pub(crate) fn record(&mut self, slot: Slot, what: &str, bytes: &[u8]) {
        let mut line = Vec::with_capacity(80 + what.len());
        line.extend_from_slice(self.trace.as_bytes());
        line.extend_from_slice(&self.now.to_le_bytes());
        line.extend_from_slice(&(slot as u64).to_le_bytes());
        line.extend_from_slice(what.as_bytes());
        line.extend_from_slice(blake3(bytes).as_bytes());
        self.trace = blake3(&line);
    }

    /// Appends statements at a node, and tries again where that is refused.
    pub fn append(&mut self, slot: Slot, entries: Vec<Prepared>) {
        self.after(0, Event::Append { to: slot, entries, tries: 0 });
    }

    /// Tells a node that a receipt waits for the next anchor.
    pub fn want_anchor(&mut self, slot: Slot) {
        self.feed(slot, Input::AnchorWanted);
    }

    /// Asks a node where a log stands in the newest anchor, as for a receipt.
    pub fn want_leaf(&mut self, slot: Slot, log: ExchangeId) {
        let ticket = Ticket(self.number());
        self.nodes[slot].leaves_wanted.insert(ticket, log.clone());
        self.feed(slot, Input::AnchorLeaf { ticket, log });
    }

    /// Lets everything happen up to `until`, in milliseconds since the start.
    pub fn run_until(&mut self, until: u64) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((time, _), event) = entry.remove_entry();
            self.now = self.now.max(time);
            if self.now >= self.looked_at + LOOK_INTERVAL_MS {
                self.looked_at = self.now;
                self.look();
            }
            self.happen(event);
        }
        self.now = self.now.max(until);
    }

    /// Whether no statements wait to be appended.
    pub fn quiet(&self) -> bool {
        let waits = |event: &Event| matches!(event, Event::Append { .. });
        !self.queue.values().any(waits) && self.nodes.iter().all(|node| node.pending.is_empty())
    }

    /// Whether statements of the node at `slot` wait to be appended.
    pub(crate) fn waits_to_append(&self, slot: Slot) -> bool {
        let waits = |event: &Event| matches!(event, Event::Append { to, .. } if *to == slot);
        !self.nodes[slot].pending.is_empty() || self.queue.values().any(waits)
    }

    pub(crate) fn alive(&self, slot: Slot, life: u64) -> bool {
        self.nodes[slot].state.is_some() && self.nodes[slot].life == life
    }

    /// Gives an input to a node and carries out what it wants.
    pub fn feed(&mut self, slot: Slot, input: Input) {
        let now = self.now(slot);
        let node = &mut self.nodes[slot];
        let Some(state) = &mut node.state else { return };
        if let Some((recorded, inputs)) = &mut self.recorded
            && *recorded == slot
        {
            inputs.push(input.clone());
        }
        let effects = state.handle(now, input);
        let crashes = node.crash_next && !effects.is_empty();
        let kept = if crashes { self.rng.index(effects.len()) } else { effects.len() };
        for effect in effects.into_iter().take(kept) {
            match effect {
                // As the driver does: these rest on nothing that must be durable.
                effect @ (Effect::Check { .. } | Effect::Notice(_)) => self.execute(slot, effect),
                effect => self.nodes[slot].outbox.push_back(effect),
            }
        }
        self.carry_out(slot);
        if crashes {
            return self.crash(slot);
        }
        self.plan_wake(slot);
    }

    /// Plans to wake a node when its state wants to be woken.
    pub(crate) fn plan_wake(&mut self, slot: Slot) {
        let node = &self.nodes[slot];
        let Some(wake) = node.state.as_ref().and_then(State::wake_at) else { return };
        let at = node.clock.reaches(wake.millis(), self.now).max(self.now + 1);
        if node.wake.is_none_or(|planned| planned > at) {
            let life = node.life;
            self.nodes[slot].wake = Some(at);
            self.at(at, Event::Wake { to: slot, life });
        }
    }

    /// Whether two nodes are connected.
    pub fn linked(&self, a: Slot, b: Slot) -> bool {
        self.links.contains(a, b)
    }

    /// Whether a message from one node reaches the other.
    pub(crate) fn reaches(&self, from: Slot, to: Slot) -> bool {
        self.linked(from, to) && !self.blocked.contains(&(from, to))
    }

    /// The connected nodes of `slot`.
    pub(crate) fn neighbours(&self, slot: Slot) -> Vec<Slot> {
        self.links.of(slot).collect()
    }
}
