//! A node of the virtual federation: the real state, a disk, and what it was seen to do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use hutong_protocol::directory::Directory;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{Effect, Notice, RequestId, Ticket};
use hutong_protocol::oracle::Oracle;
use hutong_protocol::persist::Persist;
use hutong_protocol::prepare::Prepared;
use hutong_protocol::region::Scope;
use hutong_protocol::state::{Config, Follow, State};

use crate::clock::Clock;
use crate::disk::{Disk, DiskError};
use crate::federation::Exchange;
use crate::network::Nat;

/// A node's place in the world.
pub type Slot = usize;

/// A peer's request that waits for its answer.
#[derive(Debug, Clone)]
pub(crate) struct Inbound {
    pub(crate) from: Slot,
    pub(crate) life: u64,
    pub(crate) request: RequestId,
    pub(crate) bytes: Bytes,
}

/// One node.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub struct Node {
    /// The place of its exchange in the federation.
    pub exchange: usize,
    /// What decides; none while the node is down.
    pub state: Option<State>,
    /// What outlives a crash.
    pub disk: Disk,
    /// Everything it told its operator, in all its lives.
    pub notices: Vec<Notice>,
    /// Why it refused to start, each time that it did.
    pub refusals: Vec<DiskError>,
    /// Bytes that it sent.
    pub bytes_sent: u64,
    /// Whether it breaks the rules: then no checker asks what it holds.
    pub dishonest: bool,
    /// Whether it hands out leaves that are not in the tree.
    pub corrupt: bool,
    /// How it can be reached.
    pub nat: Nat,
    /// What its clock shows.
    pub clock: Clock,
    /// If not empty, the only nodes that it is connected to.
    pub eclipsed_by: BTreeSet<Slot>,
    /// An old copy of its disk.
    pub backup: Option<Disk>,
    /// Whether its disk was replaced by an old one, or lost its own log, and the operator knows.
    pub(crate) old_disk: bool,
    /// Nodes of different groups cannot reach each other.
    pub(crate) group: u64,
    /// How often it was started.
    pub(crate) life: u64,
    /// Whether it crashes in the middle of the next effects.
    pub(crate) crash_next: bool,
    /// When it has sent all that it was given, in microseconds of virtual time.
    pub(crate) sends_until_us: u64,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) seen: BTreeSet<u64>,
    pub(crate) inbound: BTreeMap<u64, Inbound>,
    pub(crate) waiting: BTreeSet<RequestId>,
    /// Groups of own statements that wait for an answer, and how often they were tried.
    pub(crate) pending: BTreeMap<Ticket, (Vec<Prepared>, u64)>,
    /// Leaves of anchors that it was asked for, and of which logs.
    pub(crate) leaves_wanted: BTreeMap<Ticket, ExchangeId>,
    /// What the state wants and is not carried out yet.
    pub(crate) outbox: VecDeque<Effect>,
    /// What is being written; lost in a crash, but for a part.
    pub(crate) unsynced: Vec<Persist>,
    pub(crate) wake: Option<u64>,
}

impl Node {
    pub(crate) fn new(exchange: usize, disk: Disk) -> Self {
        Self {
            exchange,
            state: None,
            disk,
            notices: Vec::new(),
            refusals: Vec::new(),
            bytes_sent: 0,
            dishonest: false,
            corrupt: false,
            nat: Nat::Open,
            clock: Clock::default(),
            eclipsed_by: BTreeSet::new(),
            backup: None,
            old_disk: false,
            group: 0,
            life: 0,
            crash_next: false,
            sends_until_us: 0,
            scopes: BTreeSet::new(),
            seen: BTreeSet::new(),
            inbound: BTreeMap::new(),
            waiting: BTreeSet::new(),
            pending: BTreeMap::new(),
            leaves_wanted: BTreeMap::new(),
            outbox: VecDeque::new(),
            unsynced: Vec::new(),
            wake: None,
        }
    }

    /// Whether everything that it decided is on its disk and carried out.
    pub fn is_settled(&self) -> bool {
        self.outbox.is_empty() && self.unsynced.is_empty()
    }

    /// What waits to be carried out, to become durable, or to be answered: how much of each.
    pub fn waits(&self) -> (usize, usize, usize) {
        (self.outbox.len(), self.unsynced.len(), self.waiting.len())
    }

    /// Starts from the disk.
    ///
    /// # Errors
    ///
    /// Where the disk is damaged in what a start reads; the node stays down.
    pub(crate) fn boot(
        &mut self,
        exchange: &Exchange,
        founded: &Directory,
        restored: bool,
        oracle: Arc<dyn Oracle>,
    ) -> Result<(), DiskError> {
        let config = Config {
            me: exchange.id.clone(),
            peer: exchange.peer.clone(),
            follow: Follow::All,
            restored,
            own_log_complete: false,
            announce_interval_ms: 200,
            anti_entropy_interval_ms: 2_000,
            quotas: BTreeMap::new(),
            own_log_check_ms: 1_000,
        };
        let read = self.disk.read()?;
        let stored = read.stored(founded);
        self.state = Some(State::with_oracle(config, exchange.keys(), stored, oracle));
        self.life += 1;
        self.wake = None;
        self.scopes.clear();
        self.inbound.clear();
        self.waiting.clear();
        self.leaves_wanted.clear();
        Ok(())
    }

    /// Loses everything but the disk. Returns the groups of statements nobody has answered for.
    pub(crate) fn crash(&mut self) -> Vec<Vec<Prepared>> {
        self.state = None;
        self.crash_next = false;
        self.outbox.clear();
        self.unsynced.clear();
        std::mem::take(&mut self.pending).into_values().map(|(entries, _)| entries).collect()
    }
}
