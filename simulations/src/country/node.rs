//! One node: the real state, its disk, and what it asks of the world in a stretch of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hutong_crypto::digest::{Hash, blake3};
use hutong_protocol::audience::Viewer;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{
    Effect, GossipId, InboundId, Input, Notice, Peer, RequestId, Ticket, Verdict,
};
use hutong_protocol::limits::LEAVES_BYTES_MAX;
use hutong_protocol::message::{LeavesRequest, Refusal, Response};
use hutong_protocol::persist::Persist;
use hutong_protocol::region::Scope;
use hutong_protocol::serve::{self, AnswerRange, Owner};
use hutong_protocol::state::State;
use hutong_protocol::time::{Instant, Now, Timestamp};

use super::answers::Answers;
use super::archive::{Archive, Disk, Log};
use super::founding::MIDNIGHT_SECONDS;
use super::load::Planned;
use crate::federation::Federation;
use crate::oracle::Memory;

/// How long it takes to make a change durable, in microseconds (`ENGINEERING.md` measured 160 to
/// 190 for the call alone; a county's disk is slower).
const PERSIST_US: u64 = 1_000;
/// How long it takes to check an entry, in microseconds.
const CHECK_US: u64 = 40;
/// How long a refused statement waits before it is tried again, in microseconds.
const RETRY_US: u64 = 250_000;

/// What all nodes share.
#[derive(Debug)]
pub struct Commons {
    /// Exchanges.
    pub federation: Federation,
    /// All logs.
    pub archive: Archive,
    /// What was computed before.
    pub memory: Arc<Memory>,
    /// What was answered before.
    pub answers: Answers,
    /// Numbers of logs: those of the exchanges, and behind them the register.
    pub numbers: BTreeMap<ExchangeId, Log>,
    /// Number of the keeper.
    pub keeper: u32,
    /// Numbers of peers.
    pub peers: BTreeMap<Peer, u32>,
}

impl Commons {
    /// The number of the node that signs a log.
    pub fn operator(&self, log: Log) -> u32 {
        if (log as usize) < self.federation.exchanges.len() { log } else { self.keeper }
    }
}

/// Something that reaches a node.
#[derive(Debug, Clone)]
pub enum Arrives {
    /// The node starts.
    Start,
    /// A connection.
    Connected(u32),
    /// A statement to publish.
    Publish(Planned),
    /// A gossip message.
    Gossip {
        /// Its number.
        flight: u64,
        /// Who it comes from.
        from: u32,
        /// Who published it.
        author: u32,
        /// The scope of its topic.
        scope: Scope,
        /// Its bytes.
        bytes: Bytes,
    },
    /// A request.
    Request {
        /// Who it comes from.
        from: u32,
        /// The number of the request.
        request: RequestId,
        /// Its bytes.
        bytes: Bytes,
    },
    /// An answer.
    Response {
        /// The number of the request.
        request: RequestId,
        /// Its bytes.
        bytes: Bytes,
    },
    /// A timer.
    Wake,
}

/// Something that a node wants of the world.
#[derive(Debug)]
pub enum Wants {
    /// To publish by gossip.
    Publish {
        /// The scope of its topic.
        scope: Scope,
        /// Its bytes.
        bytes: Bytes,
    },
    /// To pass a message on, or not.
    Judged {
        /// Its number.
        flight: u64,
        /// Whether to pass it on.
        accept: bool,
    },
    /// To ask a peer.
    Ask {
        /// Whom.
        to: u32,
        /// The number of the request.
        request: RequestId,
        /// Its bytes.
        bytes: Bytes,
    },
    /// To answer a peer.
    Answer {
        /// Whom.
        to: u32,
        /// The number of the request.
        request: RequestId,
        /// Its bytes.
        bytes: Bytes,
    },
    /// It published a statement.
    Published {
        /// The log.
        log: Log,
        /// Its index.
        index: u64,
        /// How many bytes it has.
        bytes: usize,
        /// Whether it is for the country only.
        domestic: bool,
    },
    /// It holds entries that it did not hold before.
    Holds {
        /// The log.
        log: Log,
        /// Their indices.
        indices: Vec<u64>,
    },
    /// It knows a checkpoint of its own log to be cosigned.
    OwnCosigned {
        /// The size of the checkpoint.
        size: u64,
    },
    /// It published the admission of a newcomer.
    Admitted(u32),
    /// Its directory has a newcomer.
    Knows(u32),
    /// To publish later.
    Again(Planned),
}

/// One want: when, and what.
pub type Want = (u64, Wants);

/// A node.
#[derive(Debug)]
pub struct Node {
    /// Its number, and that of its log.
    pub number: u32,
    /// What decides.
    pub state: State,
    /// What is durable.
    pub disk: Disk,
    /// When it wants to be woken, in microseconds since midnight.
    pub wake: Option<u64>,
    /// When it will be woken, of all that was last.
    pub woken: u64,
    /// A digest of all effects so far.
    pub digest: Hash,
    /// Rules that were broken, in words.
    pub violations: Vec<String>,
    /// Inputs taken.
    pub inputs: u64,
    /// The next newcomer that its directory does not have.
    stranger: u32,
    waiting: BTreeMap<u64, (u32, RequestId)>,
    publishing: BTreeMap<Ticket, (Planned, usize, bool)>,
    last_number: u64,
}

impl Node {
    /// A node that has not started; `stranger` is the first newcomer.
    pub fn new(number: u32, state: State, stranger: u32) -> Self {
        Self {
            number,
            state,
            stranger,
            disk: Disk::default(),
            wake: None,
            woken: 0,
            digest: Hash::from_bytes([0; 32]),
            violations: Vec::new(),
            inputs: 0,
            waiting: BTreeMap::new(),
            publishing: BTreeMap::new(),
            last_number: 0,
        }
    }

    /// Takes what arrives before `until`, in order of time, and the timers that fall due.
    pub fn run(
        &mut self,
        commons: &Commons,
        arrivals: Vec<(u64, Arrives)>,
        until: u64,
        wants: &mut Vec<Want>,
    ) {
        for (at, arrival) in arrivals {
            self.timers(commons, at, wants);
            if let Some(input) = self.input(commons, at, arrival) {
                self.feed(commons, at, input, wants);
            }
        }
        self.timers(commons, until, wants);
    }

    fn timers(&mut self, commons: &Commons, until: u64, wants: &mut Vec<Want>) {
        while let Some(at) = self.wake.filter(|at| *at < until) {
            self.feed(commons, at, Input::Tick, wants);
        }
    }

    fn input(&mut self, commons: &Commons, at: u64, arrival: Arrives) -> Option<Input> {
        let peer = |number: u32| commons.federation.exchanges[number as usize].peer.clone();
        Some(match arrival {
            Arrives::Start => Input::Started,
            Arrives::Connected(other) => Input::PeerConnected { peer: peer(other) },
            Arrives::Publish(planned) => return self.publish(commons, at, planned),
            Arrives::Gossip { flight, from, author, scope, bytes } => Input::Gossip {
                id: GossipId(flight),
                from: peer(from),
                author: peer(author),
                scope,
                bytes,
            },
            Arrives::Request { from, request, bytes } => {
                self.last_number += 1;
                self.waiting.insert(self.last_number, (from, request));
                Input::Request { inbound: InboundId(self.last_number), peer: peer(from), bytes }
            }
            Arrives::Response { request, bytes } => {
                Input::Response { request, answer: Some(bytes) }
            }
            // Timers are seen to anyhow.
            Arrives::Wake => return None,
        })
    }

    fn publish(&mut self, commons: &Commons, at: u64, planned: Planned) -> Option<Input> {
        let exchange = &commons.federation.exchanges[self.number as usize];
        let prepared = match planned.prepare(&commons.federation, timestamp(at)) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.violations.push(format!("{}: {error}", exchange.id));
                return None;
            }
        };
        self.last_number += 1;
        let ticket = Ticket(self.last_number);
        let entry = prepared.entry();
        let owner = Owner { exchange: exchange.id.clone(), region: exchange.region.clone() };
        let domestic = !serve::admits(&owner, entry, &Viewer::stranger());
        self.publishing.insert(ticket, (planned, entry.as_bytes().len(), domestic));
        Some(Input::Append { ticket, entries: vec![prepared] })
    }

    fn feed(&mut self, commons: &Commons, at: u64, input: Input, wants: &mut Vec<Want>) {
        let mut inputs = vec![(at, input)];
        while let Some((mut at, input)) = inputs.pop() {
            self.inputs += 1;
            for effect in self.state.handle(now(at), input) {
                if matches!(effect, Effect::Persist(Persist::Leaves { .. })) {
                    at += PERSIST_US;
                }
                if let Some(next) = self.carry_out(commons, at, effect, wants) {
                    inputs.push(next);
                }
            }
        }
        self.meet_newcomers(commons, at, wants);
        let wake = self.state.wake_at().map(|at| (at.millis() * 1_000).max(1));
        // What is due in this very millisecond is due in the next one: time must go on.
        self.wake = wake.map(|wake| if wake <= at { (at / 1_000 + 1) * 1_000 } else { wake });
    }

    /// Says which newcomers the directory has now. They are admitted in the order of their numbers.
    fn meet_newcomers(&mut self, commons: &Commons, at: u64, wants: &mut Vec<Want>) {
        while let Some(newcomer) = commons.federation.exchanges.get(self.stranger as usize) {
            if self.state.directory().member(&newcomer.id).is_none() {
                return;
            }
            wants.push((at, Wants::Knows(self.stranger)));
            self.stranger += 1;
        }
    }

    /// Carries out an effect; returns the input that it leads to at once.
    fn carry_out(
        &mut self,
        commons: &Commons,
        at: u64,
        effect: Effect,
        wants: &mut Vec<Want>,
    ) -> Option<(u64, Input)> {
        match effect {
            Effect::Check { ticket, log, entries } => {
                let outcomes = commons.memory.outcomes(&log, &entries);
                let at = at + CHECK_US * entries.len() as u64;
                return Some((at, Input::Checked { ticket, outcomes }));
            }
            Effect::Persist(persist) => self.persist(commons, at, persist, wants),
            Effect::Appended { ticket, outcome } => {
                let (planned, bytes, domestic) = self.publishing.remove(&ticket)?;
                match outcome {
                    Ok(places) => {
                        for (index, id) in places {
                            self.note(b"appended", id.as_bytes());
                            let log = self.number;
                            wants.push((at, Wants::Published { log, index, bytes, domestic }));
                        }
                        wants
                            .extend(planned.admits.map(|newcomer| (at, Wants::Admitted(newcomer))));
                    }
                    Err(_) => wants.push((at + RETRY_US, Wants::Again(planned))),
                }
            }
            Effect::Publish { scope, bytes } => {
                self.note(b"publish", &bytes);
                wants.push((at, Wants::Publish { scope, bytes }));
            }
            Effect::Verdict { id: GossipId(flight), verdict } => {
                let accept = verdict == Verdict::Accept;
                wants.push((at, Wants::Judged { flight, accept }));
            }
            Effect::Send { request, peer, bytes } => {
                let to = commons.peers.get(&peer).copied()?;
                wants.push((at, Wants::Ask { to, request, bytes }));
            }
            Effect::Respond { inbound: InboundId(inbound), bytes } => {
                let (to, request) = self.waiting.remove(&inbound)?;
                wants.push((at, Wants::Answer { to, request, bytes }));
            }
            Effect::Serve { inbound: InboundId(inbound), range, owner, viewer } => {
                let (to, request) = self.waiting.remove(&inbound)?;
                let answer = self.serve(commons, &range, &owner, &viewer);
                let answer = answer.unwrap_or(Response::Refused(Refusal::Fault));
                let bytes = commons.answers.encode(answer);
                wants.push((at, Wants::Answer { to, request, bytes }));
            }
            Effect::ReadRange { log, old_size, new_size } => {
                let contents = commons.archive.log(*commons.numbers.get(&log)?);
                let left = contents.cover(0, old_size);
                let right = contents.cover(old_size, new_size);
                return Some((at, Input::RangeRead { log, old_size, new_size, left, right }));
            }
            // Nobody makes receipts here.
            Effect::Members { .. } | Effect::AnchorLeaf { .. } => {}
            Effect::Penalise { peer, fault } => {
                self.violations.push(format!("{} blames {peer}: {fault:?}", self.number));
            }
            Effect::Notice(notice) => self.notice(&notice),
        }
        None
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::OwnLogChecked { .. } | Notice::CaughtUp { .. } | Notice::Cosigned { .. } => {}
            other => self.violations.push(format!("{}: {other:?}", self.number)),
        }
    }

    fn persist(&mut self, commons: &Commons, at: u64, persist: Persist, wants: &mut Vec<Want>) {
        match persist {
            Persist::Leaves { log, from, leaves, void } => {
                let Some(&log) = commons.numbers.get(&log) else { return };
                let written = if commons.operator(log) == self.number {
                    let size = from + leaves.len() as u64;
                    let written = commons.archive.append(log, from, &leaves);
                    self.disk.hold(log, size);
                    written.map(|()| Vec::new())
                } else {
                    self.write(commons, log, from, &leaves)
                };
                match written {
                    Ok(indices) if indices.is_empty() => {}
                    Ok(indices) => wants.push((at, Wants::Holds { log, indices })),
                    Err(error) => self.violations.push(format!("{}: {error}", self.number)),
                }
                if !void.is_empty() {
                    self.violations.push(format!("{}: void entries of {log}", self.number));
                }
            }
            Persist::Fill { log, entries, .. } => {
                let Some(&log) = commons.numbers.get(&log) else { return };
                let here = entries.iter().filter(|(index, _)| self.disk.fill(log, *index));
                let indices: Vec<u64> = here.map(|(index, _)| *index).collect();
                wants.push((at, Wants::Holds { log, indices }));
            }
            Persist::Cosigned { log, size, .. } => {
                if commons.numbers.get(&log) == Some(&self.number) {
                    wants.push((at, Wants::OwnCosigned { size }));
                }
            }
            Persist::Checkpoint { log, note, size } => {
                let held = commons.numbers.get(&log).map_or(0, |log| self.disk.size(*log));
                if size > held {
                    self.violations.push(format!("{}: checkpoint of {size}", self.number));
                }
                self.note(b"held", note.as_bytes());
            }
            Persist::WitnessMemory { .. } => {}
            Persist::Anchored { changes, .. } => self.note(b"anchored", &changes),
            Persist::Charter { .. }
            | Persist::Evidence { .. }
            | Persist::Frozen { .. }
            | Persist::Thawed { .. } => {
                self.violations.push(format!("{}: {persist:?}", self.number));
            }
        }
    }

    fn write(
        &mut self,
        commons: &Commons,
        log: Log,
        from: u64,
        leaves: &[Leaf],
    ) -> Result<Vec<u64>, String> {
        let contents = commons.archive.log(log);
        let entries = self.disk.write(&contents, log, from, leaves)?;
        Ok(entries.into_iter().map(|(index, _)| index).collect())
    }

    fn serve(
        &self,
        commons: &Commons,
        range: &LeavesRequest,
        owner: &Owner,
        viewer: &Viewer,
    ) -> Option<Response> {
        let log = *commons.numbers.get(&range.log)?;
        let contents = commons.archive.log(log);
        let (from, to) = (usize::try_from(range.from).ok()?, usize::try_from(range.to).ok()?);
        let entries: &[Entry] = contents.entries.get(from..to)?;
        let leaves =
            (range.from..).zip(entries).map(|(index, entry)| self.disk.leaf(log, index, entry));
        let bounds =
            AnswerRange { size: range.size, left: range.left, bytes_max: LEAVES_BYTES_MAX };
        let tree = &contents.tree;
        // Nobody here says what is void.
        let none = |_| false;
        match serve::answer(owner, viewer, range.from, leaves.collect(), &bounds, none, tree) {
            Ok(answer) => Some(Response::Leaves(answer)),
            Err(never) => match never {},
        }
    }

    /// Adds to the digest of the run what this node said or wrote.
    fn note(&mut self, what: &[u8], bytes: &[u8]) {
        let mut line = Vec::with_capacity(32 + what.len() + bytes.len());
        line.extend_from_slice(self.digest.as_bytes());
        line.extend_from_slice(what);
        line.extend_from_slice(bytes);
        self.digest = blake3(&line);
    }
}

/// What the clocks of all nodes show, `at` microseconds after midnight.
fn now(at: u64) -> Now {
    Now { instant: Instant::from_millis(at / 1_000), wall: timestamp(at) }
}

/// The time as nodes see it, `at` microseconds after midnight.
pub fn timestamp(at: u64) -> Timestamp {
    Timestamp::from_millis(MIDNIGHT_SECONDS * 1_000 + at / 1_000)
}
