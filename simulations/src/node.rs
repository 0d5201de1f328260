//! A node of the virtual federation: the real state, a disk, and what it was seen to do.

use std::collections::{BTreeMap, BTreeSet};

use hutong_protocol::charter::CharterChain;
use hutong_protocol::io::{Notice, RequestId, Ticket};
use hutong_protocol::prepare::Prepared;
use hutong_protocol::region::Scope;
use hutong_protocol::state::{Config, Follow, State};

use crate::disk::Disk;
use crate::federation::Exchange;

/// A node's place in the world.
pub type Slot = usize;

/// A peer's request that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inbound {
    pub(crate) from: Slot,
    pub(crate) life: u64,
    pub(crate) request: RequestId,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    /// The place of its exchange in the federation.
    pub exchange: usize,
    /// What decides; none while the node is down.
    pub state: Option<State>,
    /// What outlives a crash.
    pub disk: Disk,
    /// Everything it told its operator, in all its lives.
    pub notices: Vec<Notice>,
    /// Bytes that it sent.
    pub bytes_sent: u64,
    /// Whether it breaks the rules: then no checker asks what it holds.
    pub dishonest: bool,
    /// Whether it hands out leaves that are not in the tree.
    pub corrupt: bool,
    /// Nodes of different groups cannot reach each other.
    pub(crate) group: u64,
    /// How often it was started.
    pub(crate) life: u64,
    /// Whether it crashes in the middle of the next effects.
    pub(crate) crash_next: bool,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) seen: BTreeSet<u64>,
    pub(crate) inbound: BTreeMap<u64, Inbound>,
    pub(crate) pending: BTreeMap<Ticket, Vec<Prepared>>,
    pub(crate) wake: Option<u64>,
}

impl Node {
    pub(crate) fn new(exchange: usize, disk: Disk) -> Self {
        Self {
            exchange,
            state: None,
            disk,
            notices: Vec::new(),
            bytes_sent: 0,
            dishonest: false,
            corrupt: false,
            group: 0,
            life: 0,
            crash_next: false,
            scopes: BTreeSet::new(),
            seen: BTreeSet::new(),
            inbound: BTreeMap::new(),
            pending: BTreeMap::new(),
            wake: None,
        }
    }

    /// Starts from the disk.
    pub(crate) fn boot(&mut self, exchange: &Exchange, founding: &CharterChain, restored: bool) {
        let config = Config {
            me: exchange.id.clone(),
            peer: exchange.peer.clone(),
            follow: Follow::All,
            restored,
            own_log_complete: false,
            announce_interval_ms: 200,
            anti_entropy_interval_ms: 2_000,
            own_log_check_ms: 1_000,
        };
        let charters = self.disk.charters(founding);
        let (stored, facts) = (self.disk.stored(), self.disk.facts());
        self.state = Some(State::new(config, exchange.keys(), charters, &stored, facts));
        self.life += 1;
        self.wake = None;
        self.scopes.clear();
        self.inbound.clear();
    }

    /// Loses everything but the disk. Returns the groups of statements nobody has answered for.
    pub(crate) fn crash(&mut self) -> Vec<Vec<Prepared>> {
        self.state = None;
        self.crash_next = false;
        std::mem::take(&mut self.pending).into_values().collect()
    }
}
