//! Time: windows shorter than the fastest link, so that nodes within one cannot reach each other.
//!
//! In each window all nodes that have something to do are run, in parallel; what they want of the
//! network is then carried out in one order, by time and number. A run is the same on any number of
//! threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use hutong_crypto::digest::{Hash, blake3};
use hutong_protocol::message::Gossip;
use hutong_protocol::region::Scope;
use hutong_protocol::state::{Config, Follow, State};
use hutong_protocol::tier::Tier;
use rayon::prelude::*;

use super::answers::Answers;
use super::archive::{Archive, Disk, Log};
use super::figures::{Ledger, Statement};
use super::founding::{Founded, Start};
use super::load::{self, Stretch};
use super::net::{CAUSES, Cause, Net, connect};
use super::node::{Arrives, Commons, Node, Want, Wants};
use super::places::LATENCY_US_MIN;
use super::plan::Plan;
use crate::gossip::flight::{Arrival, Flight, Kind, Links as _};
use crate::gossip::mesh::{Connections, Topic};
use crate::gossip::params::{Params, wire};
use crate::oracle::Memory;
use crate::rng::Rng;

/// How long nodes meet before the first statement, in seconds.
const MEETING_S: u64 = 60;
/// How long what was published last may take, in seconds.
const ENDING_S: u64 = 60;
/// Nodes of a window from which on threads are worth their while.
const PARALLEL_MIN: usize = 6;

/// What a country is made from.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many exchanges.
    pub nodes: usize,
    /// The seed of everything.
    pub seed: u64,
    /// Which part of the day.
    pub stretch: Stretch,
    /// Gossipsub's parameters.
    pub params: Params,
    /// Whether the last county exchange joins only when the stretch is over.
    pub late: bool,
    /// Entries up to this size travel with announcements; as the protocol has it where none is said.
    pub announced_bytes: Option<usize>,
}

/// A message under way.
#[derive(Debug)]
struct Message {
    flight: Flight,
    topic: usize,
    author: u32,
    bytes: Bytes,
    cause: Cause,
    large: bool,
    judged: usize,
}

/// A node of a window, what reaches it, and what it wants.
type Active = (Box<Node>, Vec<(u64, Arrives)>, Vec<Want>);

/// Something that happens.
#[derive(Debug)]
enum Event {
    /// To a node.
    Node(u32, Arrives),
    /// A copy or an id of a message.
    Copy(u64, Arrival),
}

/// The country on its day.
#[derive(Debug)]
pub struct Country {
    /// What it is made from.
    pub settings: Settings,
    /// Who there is.
    pub plan: Plan,
    /// What all nodes share.
    pub commons: Commons,
    /// The nodes.
    pub nodes: Vec<Option<Box<Node>>>,
    /// The network.
    pub net: Net,
    /// What happened.
    pub ledger: Ledger,
    /// Connections by node.
    pub connections: Connections,
    /// The topics, by scope.
    pub topics: Vec<Topic>,
    by_scope: BTreeMap<Scope, usize>,
    /// The scope of each log.
    scopes: Vec<Scope>,
    /// The scope of each topic.
    topic_scopes: Vec<Scope>,
    /// The last heartbeat for which a frame of message ids was counted, by topic and place.
    told: Vec<Vec<u64>>,
    messages: BTreeMap<u64, Message>,
    last_message: u64,
    queue: BTreeMap<u64, Vec<(u64, Event)>>,
    rng: Rng,
    window: u64,
}

impl Country {
    /// Founds the country. `progress` is told how far that is, of 1,000.
    ///
    /// # Errors
    ///
    /// Where an exchange cannot be.
    pub fn new(plan: Plan, settings: Settings, progress: impl Fn(u64)) -> Result<Self> {
        let seed = settings.seed;
        let mut founded = Founded::new(&plan, seed)?;
        progress(100);
        let connections = connect(&plan, &founded, seed);
        progress(200);
        let memory = Arc::new(Memory::default());
        let nodes = start_nodes(&plan, &founded, &memory, settings.announced_bytes);
        progress(900);
        let mut rng = Rng::new(seed ^ 0x0000_7091);
        let mut by_scope: BTreeMap<Scope, BTreeSet<u32>> = BTreeMap::new();
        let mut scopes = founded.scopes.clone();
        scopes.push(Scope::register());
        for (number, role) in (0..).zip(&plan.roles) {
            for (log, scope) in scopes.iter().enumerate() {
                if founded.follows(&role.follow, log) {
                    by_scope.entry(scope.clone()).or_default().insert(number);
                }
            }
        }
        let topics: Vec<Topic> = by_scope
            .iter()
            .map(|(scope, members)| {
                let name_bytes = scope.as_str().len();
                let members = members.iter().copied().collect();
                // Exchanges join one after the other, in no order that the model would know of.
                let came_up = |_, _| 0;
                Topic::form(members, &connections, &settings.params, name_bytes, came_up, &mut rng)
            })
            .collect();
        let exchanges = &founded.federation.exchanges;
        let numbers = founded.federation.logs().into_iter().zip(0..).collect();
        let peers = exchanges.iter().map(|one| one.peer.clone()).zip(0..).collect();
        let logs = std::mem::take(&mut founded.logs);
        let audiences = audiences(&plan, &founded, &scopes);
        let keeper = u32::try_from(founded.federation.keeper())?;
        Ok(Self {
            net: Net::new(&plan, seed),
            ledger: Ledger::new(audiences),
            told: topics.iter().map(|topic| vec![0; topic.members().len()]).collect(),
            scopes,
            topic_scopes: by_scope.keys().cloned().collect(),
            commons: Commons {
                archive: Archive::new(logs),
                federation: founded.federation,
                memory,
                answers: Answers::default(),
                numbers,
                keeper,
                peers,
            },
            by_scope: by_scope.into_keys().zip(0..).collect(),
            topics,
            connections,
            nodes,
            plan,
            settings,
            messages: BTreeMap::new(),
            last_message: 0,
            queue: BTreeMap::new(),
            rng,
            window: 0,
        })
    }

    /// Lets the stretch pass. `progress` is told the seconds since midnight.
    pub fn run(&mut self, mut progress: impl FnMut(u64)) {
        let Stretch { from, to } = self.settings.stretch;
        let begin = (from + MEETING_S) * 1_000_000;
        self.meet(from * 1_000_000);
        let late = self.ledger.late.map(|(node, ..)| node);
        let stretch = self.settings.stretch;
        let admissions = load::admissions(&self.plan, &self.commons.federation, stretch);
        let day = load::of_day(&self.plan, self.settings.seed, stretch);
        for planned in day.into_iter().chain(admissions) {
            if late == Some(planned.exchange) {
                continue;
            }
            let event = Event::Node(planned.exchange, Arrives::Publish(planned));
            self.at(planned.at_us.max(begin), event);
        }
        let end = (to + ENDING_S) * 1_000_000;
        let mut shown = 0;
        while let Some((&window, _)) = self.queue.first_key_value() {
            let at = window * LATENCY_US_MIN;
            if at >= end {
                break;
            }
            if at / 1_000_000 > shown {
                shown = at / 1_000_000;
                progress(shown);
            }
            let events = self.queue.remove(&window).unwrap_or_default();
            self.window = window;
            self.pass(events, at + LATENCY_US_MIN);
        }
    }

    /// A digest of all that all nodes said and wrote.
    pub fn digest(&self) -> Hash {
        let mut all = Vec::new();
        for node in self.nodes.iter().flatten() {
            all.extend_from_slice(node.digest.as_bytes());
            all.extend_from_slice(&node.inputs.to_be_bytes());
        }
        for bytes in self.net.sent.iter().chain(&self.net.received).flatten() {
            all.extend_from_slice(&bytes.to_be_bytes());
        }
        blake3(&all)
    }

    /// Whether a node lacks an entry that it may see.
    pub fn lacks(&self, node: &Node, log: Log, index: u64, domestic: bool) -> bool {
        let role = &self.plan.roles[node.number as usize];
        let follows = match &role.follow {
            Follow::All => true,
            Follow::Scopes(scopes) => {
                let scope = &self.scopes[log as usize];
                (log as usize) < super::plan::SEATS
                    || *scope == Scope::register()
                    || scopes.contains(scope)
            }
        };
        let may_see = !domestic || role.tier != Tier::International;
        follows && may_see && !node.disk.has(log, index)
    }

    /// The topic in which a log is announced.
    pub fn topic_of(&self, log: Log) -> Option<&Topic> {
        self.topics.get(*self.by_scope.get(&self.scopes[log as usize])?)
    }

    /// Messages that have not reached every subscriber.
    pub fn under_way(&self) -> usize {
        self.messages.values().filter(|message| message.flight.waiting() > 0).count()
    }

    /// All nodes start and connect within the first part of the meeting.
    fn meet(&mut self, begin: u64) {
        let joins = self.settings.stretch.to * 1_000_000 + 1_000_000;
        if self.settings.late {
            let last = self.plan.roles.iter().rposition(|role| role.tier == Tier::County);
            if let Some((at, node)) = last.and_then(|at| Some((at, u32::try_from(at).ok()?))) {
                let follow = &self.plan.roles[at].follow;
                let logs = (0..).zip(&self.scopes).filter(|(_, scope)| match follow {
                    Follow::All => true,
                    Follow::Scopes(scopes) => {
                        **scope == Scope::register() || scopes.contains(*scope)
                    }
                });
                self.ledger.joins_late(node, joins, logs.map(|(log, _)| log));
            }
        }
        let late = self.ledger.late.map(|(node, ..)| node);
        for number in 0..self.nodes.len() {
            let node = u32::try_from(number).unwrap_or(0);
            let starts = if late == Some(node) { joins } else { begin };
            self.at(starts, Event::Node(node, Arrives::Start));
            for other in self.connections.of(number).to_vec() {
                if node < other {
                    let begin = if late == Some(other) { joins } else { starts };
                    let at = begin + 1_000_000 + self.rng.below(MEETING_S * 500_000);
                    self.at(at, Event::Node(node, Arrives::Connected(other)));
                    self.at(at, Event::Node(other, Arrives::Connected(node)));
                }
            }
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        // Nothing happens in a window that has passed.
        let window = (time / LATENCY_US_MIN).max(self.window);
        self.queue.entry(window).or_default().push((time, event));
    }

    /// Lets one window pass.
    fn pass(&mut self, mut events: Vec<(u64, Event)>, until: u64) {
        events.sort_by_key(|(time, _)| *time);
        let mut busy: BTreeMap<u32, Vec<(u64, Arrives)>> = BTreeMap::new();
        for (time, event) in events {
            match event {
                Event::Node(node, arrives) => busy.entry(node).or_default().push((time, arrives)),
                Event::Copy(message, arrival) => {
                    if let Some((node, arrives)) = self.copy_arrives(message, arrival) {
                        busy.entry(node).or_default().push((time, arrives));
                    }
                }
            }
        }
        let mut active: Vec<Active> = busy
            .into_iter()
            .filter_map(|(node, arrivals)| {
                Some((self.nodes[node as usize].take()?, arrivals, Vec::new()))
            })
            .collect();
        let commons = &self.commons;
        let run = |(node, arrivals, wants): &mut Active| {
            node.run(commons, std::mem::take(arrivals), until, wants);
        };
        if active.len() >= PARALLEL_MIN {
            active.par_iter_mut().for_each(run);
        } else {
            active.iter_mut().for_each(run);
        }
        let mut wanted = Vec::new();
        for (node, _, wants) in active {
            let number = node.number;
            let mut node = node;
            if let Some(wake) = node.wake.filter(|wake| *wake != node.woken) {
                node.woken = wake;
                self.at(wake, Event::Node(number, Arrives::Wake));
            }
            wanted.extend(wants.into_iter().map(|(at, want)| (at, number, want)));
            self.nodes[number as usize] = Some(node);
        }
        wanted.sort_by_key(|(at, node, _)| (*at, *node));
        for (at, node, want) in wanted {
            self.fulfil(at, node, want);
        }
    }

    fn copy_arrives(&mut self, number: u64, arrival: Arrival) -> Option<(u32, Arrives)> {
        let message = self.messages.get_mut(&number)?;
        let topic = &self.topics[message.topic];
        self.net.clock = arrival.at;
        self.net.cause = if arrival.kind == Kind::Copy { message.cause } else { Cause::Control };
        let mut out = Vec::new();
        if let Kind::Beat(beats) = arrival.kind {
            let (params, net, rng) = (&self.settings.params, &mut self.net, &mut self.rng);
            let beat = (arrival.to, arrival.at, beats);
            message.flight.tell(topic, params, beat, net, rng, &mut out);
            self.copies(number, out);
            return None;
        }
        let first = message.flight.arrive(topic, arrival, &mut self.net, &mut out);
        let members = topic.members();
        let away = self.ledger.late.is_some_and(|(late, joins, _)| {
            late == members[arrival.to as usize] && arrival.at < joins
        });
        message.judged += usize::from(first && away);
        let arrives = (first && !away).then(|| {
            let gossip = Arrives::Gossip {
                flight: number,
                from: members[arrival.from as usize],
                author: message.author,
                scope: self.topic_scopes[message.topic].clone(),
                bytes: message.bytes.clone(),
            };
            (members[arrival.to as usize], gossip)
        });
        self.copies(number, out);
        arrives
    }

    fn copies(&mut self, number: u64, out: Vec<Arrival>) {
        for arrival in out {
            self.at(arrival.at, Event::Copy(number, arrival));
        }
    }

    fn fulfil(&mut self, at: u64, node: u32, want: Wants) {
        self.net.clock = at;
        match want {
            Wants::Publish { scope, bytes } => self.publish(at, node, &scope, bytes),
            Wants::Judged { flight, accept } => self.judged(at, node, flight, accept),
            Wants::Ask { to, request, bytes } => {
                self.net.cause = asked(&bytes);
                let arrives = self.net.send(node, to, wire::request(bytes.len()), at);
                self.at(arrives, Event::Node(to, Arrives::Request { from: node, request, bytes }));
            }
            Wants::Answer { to, request, bytes } => {
                self.net.cause = answered(&bytes);
                let bytes_sent = wire::request(self.commons.answers.sent_bytes(&bytes));
                if self.net.cause == Cause::Pull {
                    self.ledger.pulled(bytes.len(), bytes_sent);
                }
                let arrives = self.net.send(node, to, bytes_sent, at);
                self.at(arrives, Event::Node(to, Arrives::Response { request, bytes }));
            }
            Wants::Published { log, index, bytes, domestic } => {
                self.ledger.published(log, index, Statement::new(at, bytes, domestic));
            }
            Wants::Holds { log, indices } => {
                for index in indices {
                    self.ledger.held(node, log, index, at);
                }
            }
            Wants::OwnCosigned { size } => self.ledger.cosigned(node, size, at),
            Wants::Admitted(newcomer) => {
                self.ledger.admitted(newcomer, at, self.nodes.len());
            }
            Wants::Knows(newcomer) => self.ledger.known(newcomer, node, at),
            Wants::Again(planned) => {
                self.at(at, Event::Node(node, Arrives::Publish(planned)));
            }
        }
    }

    fn publish(&mut self, at: u64, node: u32, scope: &Scope, bytes: Bytes) {
        let Some(&topic) = self.by_scope.get(scope) else { return };
        let Some(place) = self.topics[topic].place(node) else { return };
        let (cause, large) = self.kind(&bytes);
        self.last_message += 1;
        let number = self.last_message;
        let flight = Flight::new(&self.topics[topic], &self.settings.params, place, bytes.len());
        self.ledger.announced(cause, large);
        let mut message = Message { flight, topic, author: node, bytes, cause, large, judged: 0 };
        let mut out = Vec::new();
        self.net.cause = cause;
        let before = self.net.sent[node as usize][cause as usize];
        let (topic, params) = (&self.topics[topic], &self.settings.params);
        message.flight.publish(topic, params, at, &mut self.net, &mut self.rng, &mut out);
        let sent = self.net.sent[node as usize][cause as usize] - before;
        self.ledger.spread(cause, large, sent);
        self.messages.insert(number, message);
        self.tell(at, number, place, &mut out);
        self.copies(number, out);
    }

    /// Why a message is published, and whether it is about a statement above 2 KiB.
    fn kind(&self, bytes: &Bytes) -> (Cause, bool) {
        let Ok(Gossip::Announcement(news)) = Gossip::decode(bytes.clone()) else {
            return (Cause::Cosigned, false);
        };
        let Some(log) = self.commons.numbers.get(&news.log) else { return (Cause::News, false) };
        let contents = self.commons.archive.log(*log);
        let newest = contents.entries.last().map_or(0, |entry| entry.as_bytes().len());
        let cause = if news.tail.is_empty() { Cause::Cosigned } else { Cause::News };
        (cause, newest > super::figures::LARGE_BYTES)
    }

    fn judged(&mut self, at: u64, node: u32, number: u64, accept: bool) {
        let Some(message) = self.messages.get_mut(&number) else { return };
        let topic = &self.topics[message.topic];
        let Some(place) = topic.place(node) else { return };
        message.judged += 1;
        let mut out = Vec::new();
        if accept {
            let cause = message.cause;
            self.net.cause = cause;
            let before = self.net.sent[node as usize][cause as usize];
            message.flight.forward(topic, place, at, &mut self.net, &mut out);
            let sent = self.net.sent[node as usize][cause as usize] - before;
            self.ledger.spread(cause, message.large, sent);
            self.tell(at, number, place, &mut out);
        } else {
            self.ledger.refused += 1;
        }
        let done = self.messages.get(&number).is_some_and(|message| {
            message.judged + 1 >= self.topics[message.topic].members().len()
        });
        if done {
            self.messages.remove(&number);
        } else {
            self.copies(number, out);
        }
    }

    /// Message ids that are told to peers out of the mesh. Bytes are counted where they are sent and,
    /// since everybody tells as much as it is told, as received by the same node.
    fn tell(&mut self, at: u64, number: u64, place: u32, out: &mut Vec<Arrival>) {
        let Some(message) = self.messages.get_mut(&number) else { return };
        let topic = &self.topics[message.topic];
        let params = &self.settings.params;
        message.flight.begin_to_tell(topic, params, (place, at), &self.net, out);
        let told = params.lazy_peers(topic.peers(place).len() - topic.mesh(place).len());
        let beats = u64::from(params.history_gossip);
        let last = &mut self.told[message.topic][place as usize];
        let beat = at / params.heartbeat_us + 1;
        let frames = (beat + beats).saturating_sub((*last + 1).max(beat));
        *last = (beat + beats - 1).max(*last);
        let frames = usize::try_from(frames).unwrap_or(0) * wire::ihave(topic.name_bytes);
        let ids = usize::try_from(beats).unwrap_or(0) * wire::ID_BYTES;
        let node = topic.members()[place as usize];
        self.net.count(node, node, Cause::Control, told * (ids + frames));
    }
}

/// What a request is for, by its tag: leaves, a checkpoint, a cosignature or an announcement.
fn asked(bytes: &Bytes) -> Cause {
    match bytes.first() {
        Some(2 | 3) => Cause::Pull,
        Some(5 | 7) => Cause::Cosignature,
        _ => Cause::Compare,
    }
}

/// What an answer is to, by its tag: leaves, or an acknowledgement.
fn answered(bytes: &Bytes) -> Cause {
    match bytes.first() {
        Some(2) => Cause::Pull,
        Some(5) => Cause::Cosignature,
        _ => Cause::Compare,
    }
}

/// How many nodes follow each log, and how many of them may see what is for the country only; the
/// owner not counted.
fn audiences(plan: &Plan, founded: &Founded, scopes: &[Scope]) -> Vec<(usize, usize)> {
    let mut by_scope: BTreeMap<(&Scope, bool), (usize, usize)> = BTreeMap::new();
    for (log, scope) in scopes.iter().enumerate() {
        by_scope.entry((scope, log < super::plan::SEATS)).or_insert_with(|| {
            let mut count = (0, 0);
            for role in &plan.roles {
                if founded.follows(&role.follow, log) {
                    count.0 += 1;
                    count.1 += usize::from(role.tier != Tier::International);
                }
            }
            count
        });
    }
    let of = |(log, scope)| {
        let (all, domestic) = by_scope.get(&(scope, log < super::plan::SEATS)).copied()?;
        Some((all - 1, domestic.saturating_sub(1)))
    };
    scopes.iter().enumerate().map(|place| of(place).unwrap_or_default()).collect()
}

fn start_nodes(
    plan: &Plan,
    founded: &Founded,
    memory: &Arc<Memory>,
    announced_bytes: Option<usize>,
) -> Vec<Option<Box<Node>>> {
    let mut starts: BTreeMap<Vec<Scope>, Start> = BTreeMap::new();
    let key = |follow: &Follow| match follow {
        Follow::All => Vec::new(),
        Follow::Scopes(scopes) => scopes.iter().cloned().collect(),
    };
    for role in &plan.roles {
        starts.entry(key(&role.follow)).or_insert_with(|| founded.start(&role.follow));
    }
    let numbers: BTreeMap<_, Log> = founded.federation.logs().into_iter().zip(0..).collect();
    let one = |(number, role): (usize, &super::plan::Role)| {
        let exchange = &founded.federation.exchanges[number];
        let start = starts.get(&key(&role.follow))?;
        let config = config(exchange, role);
        let logs = start.logs_of(&exchange.id);
        let mut disk = Disk::default();
        for log in &logs {
            disk.hold(*numbers.get(&log.log)?, log.frontier.size());
        }
        let memory = Arc::clone(memory) as Arc<_>;
        let stored = start.stored(&exchange.id, &logs);
        let state = State::with_oracle(config, exchange.keys(), stored, memory);
        let state = match announced_bytes {
            Some(bytes) => state.announcing_entries_up_to(bytes),
            None => state,
        };
        let stranger = u32::try_from(plan.newcomers().start).ok()?;
        let mut node = Node::new(u32::try_from(number).ok()?, state, stranger);
        node.disk = disk;
        Some(Box::new(node))
    };
    plan.roles.par_iter().enumerate().map(one).collect()
}

/// As the configurations in `configs/` have it.
fn config(exchange: &crate::federation::Exchange, role: &super::plan::Role) -> Config {
    let (announce_interval_ms, anti_entropy_interval_ms) = match role.tier {
        Tier::County => (1_000, 120_000),
        Tier::International => (100, 60_000),
        Tier::National | Tier::Provincial | Tier::Municipal | Tier::Industry => (100, 30_000),
    };
    Config {
        me: exchange.id.clone(),
        peer: exchange.peer.clone(),
        follow: role.follow.clone(),
        restored: false,
        announce_interval_ms,
        anti_entropy_interval_ms,
        own_log_check_ms: 10_000,
        quotas: BTreeMap::new(),
        own_log_complete: false,
    }
}

/// Bytes of all nodes by cause.
pub fn by_cause(bytes: &[[u64; CAUSES]]) -> [u64; CAUSES] {
    bytes.iter().fold([0; CAUSES], |mut sum, node| {
        for (sum, bytes) in sum.iter_mut().zip(node) {
            *sum += bytes;
        }
        sum
    })
}
