//! Whatever comes in, a state neither panics nor writes nonsense, and two of it do the same.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hutong_crypto::digest::Hash;
use hutong_protocol::audience::{Audience, Viewer};
use hutong_protocol::check::{self, Outcome};
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::io::{
    CheckTicket, Effect, GossipId, InboundId, Input, Notice, Peer, PeerFault, RequestId, Ticket,
};
use hutong_protocol::message::Request;
use hutong_protocol::persist::Persist;
use hutong_protocol::serve::Owner;
use hutong_protocol::state::{Config, Follow, State};
use hutong_protocol::time::{Instant, Now, Timestamp};
use hutong_simulations::disk::Disk;
use hutong_simulations::rng::Rng;
use hutong_simulations::scenario::Scenario;
use hutong_simulations::world::World;

/// The node whose inputs are recorded and mutated: a provincial exchange on the council.
const SLOT: usize = 1;
/// After so many inputs the two states begin anew.
const INPUTS_PER_LIFE: usize = 4_000;

/// What a node met in a federation with restricted statements, splits and a double log.
fn recorded() -> (World, Vec<Input>) {
    let text = include_str!("../scenarios/ten.toml");
    let scenario = Scenario { seed: 77, ..Scenario::parse(text).unwrap() };
    let mut world = scenario.world().unwrap();
    world.recorded = Some((SLOT, Vec::new()));
    for index in 3..10 {
        world.admit(index).unwrap();
    }
    let restricted = [4, 0, 2, 4, 0].map(|slot| (slot, Audience::Domestic));
    for (slot, audience) in restricted.into_iter().chain([(SLOT, Audience::Public)]) {
        world.run_until(world.now_ms() + 2_000);
        let entries = world.statements(slot, 4, &audience).unwrap();
        world.append(slot, entries);
    }
    world.run_until(world.now_ms() + 2_000);
    let twin = world.twin(4);
    world.partition(&[vec![twin, 2, 3, 5]]);
    world.start(twin, false);
    world.run_until(world.now_ms() + 3_000);
    for (slot, count) in [(4, 2), (twin, 5), (7, 3)] {
        let entries = world.statements(slot, count, &Audience::Public).unwrap();
        world.append(slot, entries);
    }
    world.run_until(world.now_ms() + 3_000);
    world.partition(&[]);
    world.run_until(world.now_ms() + 5_000);
    let (_, inputs) = world.recorded.take().unwrap();
    (world, inputs)
}

struct Fuzzer {
    world: World,
    inputs: Vec<Input>,
    bytes: Vec<Bytes>,
    logs: Vec<ExchangeId>,
    peers: Vec<Peer>,
    rng: Rng,
    next: usize,
    sent: Vec<(RequestId, Bytes)>,
    checks: Vec<(CheckTicket, ExchangeId, Vec<Entry>)>,
}

fn bytes_of(input: &Input) -> Option<&Bytes> {
    match input {
        Input::Gossip { bytes, .. }
        | Input::Request { bytes, .. }
        | Input::Response { answer: Some(bytes), .. } => Some(bytes),
        _ => None,
    }
}

impl Fuzzer {
    fn new() -> Self {
        let (world, inputs) = recorded();
        let exchanges = &world.federation.exchanges;
        Self {
            bytes: inputs.iter().filter_map(bytes_of).cloned().collect(),
            logs: exchanges.iter().map(|one| one.id.clone()).collect(),
            peers: exchanges.iter().map(|one| one.peer.clone()).collect(),
            world,
            inputs,
            rng: Rng::new(0xf022),
            next: 0,
            sent: Vec::new(),
            checks: Vec::new(),
        }
    }

    fn state(&self) -> State {
        let exchange = &self.world.federation.exchanges[SLOT];
        let config = Config {
            me: exchange.id.clone(),
            peer: exchange.peer.clone(),
            follow: Follow::All,
            restored: false,
            own_log_complete: false,
            announce_interval_ms: 200,
            anti_entropy_interval_ms: 2_000,
            own_log_check_ms: 1_000,
            quotas: BTreeMap::new(),
        };
        let read = Disk::default().read().unwrap();
        State::new(config, exchange.keys(), read.stored(self.world.federation.founded()))
    }

    fn any_bytes(&mut self) -> Bytes {
        let at = self.rng.index(self.bytes.len());
        let mut bytes = self.bytes[at].to_vec();
        match self.rng.below(8) {
            0..=2 => {}
            3 => bytes.truncate(self.rng.index(bytes.len() + 1)),
            4 => {
                let other = self.rng.index(self.bytes.len());
                let cut = self.rng.index(bytes.len().min(self.bytes[other].len()) + 1);
                bytes.truncate(cut);
                bytes.extend_from_slice(&self.bytes[other][cut..]);
            }
            5 => {
                let length = self.rng.index(200);
                bytes = (0..length).map(|_| self.rng.bits().to_le_bytes()[0]).collect();
            }
            _ => {
                for _ in 0..self.rng.between(1, 4) {
                    let at = self.rng.index(bytes.len().max(1));
                    // Lengths and sizes go to their ends, other bytes anywhere.
                    let value = [0, 1, 0x7f, 0xff, self.rng.bits().to_le_bytes()[0]];
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value[self.rng.index(value.len())];
                    }
                }
            }
        }
        Bytes::from(bytes)
    }

    fn any_size(&mut self) -> u64 {
        match self.rng.below(4) {
            0 => self.rng.bits(),
            1 => u64::MAX - self.rng.below(2),
            _ => self.rng.below(12),
        }
    }

    fn any_hashes(&mut self) -> Vec<Hash> {
        let count = self.rng.index(6);
        (0..count).map(|_| Hash::from_bytes([self.rng.bits().to_le_bytes()[0]; 32])).collect()
    }

    /// An answer to a request that was made, or to one that was not; a true one, or any.
    fn response(&mut self) -> Input {
        let count = self.sent.len();
        if count == 0 || self.rng.chance(100) {
            let answer = self.rng.chance(900).then(|| self.any_bytes());
            return Input::Response { request: RequestId(self.rng.below(5_000)), answer };
        }
        let (request, asked) = self.sent.swap_remove(self.rng.index(count));
        let answer = match self.true_answer(asked) {
            Some(answer) if self.rng.chance(800) => Some(answer),
            _ => self.rng.chance(900).then(|| self.any_bytes()),
        };
        Input::Response { request, answer }
    }

    /// What the owner of a log answers, now and then with a wrong leaf.
    fn true_answer(&mut self, asked: Bytes) -> Option<Bytes> {
        let Ok(Request::Leaves(range)) = Request::decode(asked) else { return None };
        let owner = self.world.federation.find(&range.log)?;
        self.world.nodes[owner].corrupt = self.rng.chance(200);
        let stranger = self.rng.chance(300);
        let me = &self.world.federation.exchanges[SLOT];
        let viewer = if stranger {
            Viewer::stranger()
        } else {
            Viewer::member(me.id.clone(), me.region.clone())
        };
        let region = self.world.federation.exchanges[owner].region.clone();
        let of = Owner { exchange: range.log.clone(), region };
        let fits = range.from <= range.to && range.to <= range.size;
        let held = self.world.nodes[owner].disk.log(&range.log)?.tree.size();
        if !fits || range.size > held {
            return None;
        }
        Some(self.world.answer(owner, &range, &of, &viewer)?.encode())
    }

    fn checked(&mut self) -> Input {
        let count = self.checks.len();
        if count == 0 || self.rng.chance(100) {
            let outcomes = vec![Outcome::Membership; self.rng.index(9)];
            return Input::Checked { ticket: CheckTicket(self.rng.below(9_000)), outcomes };
        }
        let (ticket, log, entries) = self.checks.swap_remove(self.rng.index(count));
        Input::Checked { ticket, outcomes: check::entries(&log, &entries) }
    }

    fn any(&mut self) -> Input {
        let peer = self.peers[self.rng.index(self.peers.len())].clone();
        let author = self.peers[self.rng.index(self.peers.len())].clone();
        let log = self.logs[self.rng.index(self.logs.len())].clone();
        match self.rng.below(24) {
            0 => Input::Tick,
            1 => Input::Started,
            2 | 3 => Input::PeerConnected { peer },
            4 => Input::PeerDisconnected { peer },
            5 | 6 => {
                let scope = ["CN", "CN-33", "CN-44", "KZ"][self.rng.index(4)].parse().unwrap();
                let (id, bytes) = (GossipId(self.rng.bits()), self.any_bytes());
                Input::Gossip { id, from: peer, author, scope, bytes }
            }
            7 | 8 => {
                let (inbound, bytes) = (InboundId(self.rng.bits()), self.any_bytes());
                Input::Request { inbound, peer, bytes }
            }
            9..=13 => self.response(),
            14 => self.checked(),
            15 => {
                let (old_size, new_size) = (self.any_size(), self.any_size());
                let (left, right) = (self.any_hashes(), self.any_hashes());
                Input::RangeRead { log, old_size, new_size, left, right }
            }
            16 => Input::Charter { bytes: self.any_bytes().to_vec() },
            17 => {
                let count = self.rng.below(3);
                let slot = self.rng.index(10);
                let entries = self.world.statements(slot, count, &Audience::Public).unwrap();
                Input::Append { ticket: Ticket(self.rng.bits()), entries }
            }
            18 => self.inputs[self.rng.index(self.inputs.len())].clone(),
            _ => {
                self.next = (self.next + 1) % self.inputs.len();
                self.inputs[self.next].clone()
            }
        }
    }

    fn remember(&mut self, effects: &[Effect], disk: &mut Disk) {
        for effect in effects {
            match effect {
                Effect::Send { request, bytes, .. } => self.sent.push((*request, bytes.clone())),
                Effect::Check { ticket, log, entries } => {
                    self.checks.push((*ticket, log.clone(), entries.clone()));
                }
                Effect::Persist(persist) => disk.apply(persist.clone()).unwrap(),
                _ => {}
            }
        }
    }
}

/// The effects as text. A directory is equal where its members are.
fn text(effects: &[Effect]) -> String {
    effects.iter().fold(String::new(), |text, effect| match effect {
        Effect::Members { directory, scopes } => {
            let ids: Vec<_> = directory.members().map(|member| &member.id).collect();
            format!("{text}{ids:?} {scopes:?};")
        }
        effect => format!("{text}{effect:?};"),
    })
}

#[test]
fn a_state_never_panics_and_depends_on_its_inputs_alone() {
    let wanted = std::env::var("HUTONG_FUZZ_MESSAGES").ok();
    let wanted = wanted.map_or(100_000, |count| count.parse().unwrap());
    let mut fuzzer = Fuzzer::new();
    assert!(fuzzer.bytes.len() > 100, "too little was recorded");
    let (mut reached, mut done) = (BTreeSet::new(), 0);
    while done < wanted {
        let (mut one, mut other) = (fuzzer.state(), fuzzer.state());
        let mut disk = Disk::default();
        let wall = Timestamp::from_seconds(1_800_000_000);
        let mut now = Now { instant: Instant::default(), wall };
        fuzzer.next = 0;
        fuzzer.sent.clear();
        fuzzer.checks.clear();
        for _ in 0..INPUTS_PER_LIFE.min(wanted - done) {
            let input = if fuzzer.next == 0 { fuzzer.inputs[0].clone() } else { fuzzer.any() };
            fuzzer.next = fuzzer.next.max(1);
            // One clock only goes forward; the other is set anew now and then.
            now.instant = now.instant.plus_millis(fuzzer.rng.below(40));
            if fuzzer.rng.chance(20) {
                now.wall = Timestamp::from_seconds(fuzzer.rng.below(2_000_000_000));
            }
            let effects = one.handle(now, input.clone());
            assert_eq!(text(&effects), text(&other.handle(now, input)));
            reached.extend(effects.iter().filter_map(kind));
            fuzzer.remember(&effects, &mut disk);
            done += 1;
        }
        // What was written can be started from.
        drop(one);
        assert!(disk.read().unwrap().logs().iter().all(|log| log.frontier.size() < 1 << 20));
    }
    // The inputs went deep enough to matter.
    let missing: Vec<_> = DEPTHS.iter().filter(|depth| !reached.contains(**depth)).collect();
    assert!(wanted < 20_000 || missing.is_empty(), "never met: {missing:?}");
}

/// What a long run must come to.
const DEPTHS: [&str; 7] =
    ["leaves", "fill", "cosigned", "evidence", "witness memory", "caught up", "bad leaves"];

fn kind(effect: &Effect) -> Option<&'static str> {
    Some(match effect {
        Effect::Persist(Persist::Leaves { .. }) => "leaves",
        Effect::Persist(Persist::Fill { .. }) => "fill",
        Effect::Persist(Persist::Cosigned { .. }) => "cosigned",
        Effect::Persist(Persist::Evidence { .. }) => "evidence",
        Effect::Persist(Persist::WitnessMemory { .. }) => "witness memory",
        Effect::Notice(Notice::CaughtUp { .. }) => "caught up",
        Effect::Penalise { fault: PeerFault::BadLeaves, .. } => "bad leaves",
        _ => return None,
    })
}
