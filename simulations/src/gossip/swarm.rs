//! Networks that do nothing but gossip: what is asked of them, and the model's answer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::flight::{Arrival, Flight, Kind, Links, places};
use super::mesh::{Connections, Topic};
use super::params::Params;
use crate::rng::Rng;

/// A network and what is published in it.
#[derive(Debug, Clone)]
pub struct Network {
    /// The seed of everything.
    pub seed: u64,
    /// Who is connected to whom.
    pub connections: Connections,
    /// Gossipsub's parameters.
    pub params: Params,
    /// Shortest and longest time that a link takes one way, in microseconds.
    pub latency_us: (u64, u64),
    /// How long a node takes to judge a message, in microseconds.
    pub judge_us: u64,
    /// How many messages are published, each by another node.
    pub messages: usize,
    /// Their size in bytes.
    pub message_bytes: usize,
}

/// How messages spread, on average over all messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Spread {
    /// Mesh peers of a node.
    pub degree: f64,
    /// Hops to a node.
    pub hops: f64,
    /// Copies beyond the first, by node and message.
    pub duplicates: f64,
    /// Bytes received by node and message, duplicates and frames included.
    pub bytes: f64,
    /// Milliseconds until half of the nodes have a message.
    pub half_ms: f64,
    /// Until 99% have it.
    pub most_ms: f64,
    /// Until all have it.
    pub all_ms: f64,
}

impl Spread {
    /// The mean of `spreads`.
    #[expect(clippy::cast_precision_loss, reason = "spreads are few")]
    pub fn mean(spreads: &[Self]) -> Self {
        let n = spreads.len().max(1) as f64;
        let mean = |of: fn(&Self) -> f64| spreads.iter().map(of).sum::<f64>() / n;
        Self {
            degree: mean(|one| one.degree),
            hops: mean(|one| one.hops),
            duplicates: mean(|one| one.duplicates),
            bytes: mean(|one| one.bytes),
            half_ms: mean(|one| one.half_ms),
            most_ms: mean(|one| one.most_ms),
            all_ms: mean(|one| one.all_ms),
        }
    }
}

impl Network {
    /// `nodes` nodes that each dial `dials` others; links of 50 to 250 ms, so that the
    /// processor's time is little beside them where real swarms run in real time.
    pub fn random(nodes: usize, dials: usize, seed: u64) -> Self {
        let connections = Connections::random(nodes, dials, &mut Rng::new(seed));
        Self {
            seed,
            connections,
            params: Params::HUTONG,
            latency_us: (50_000, 250_000),
            judge_us: 300,
            messages: 40,
            message_bytes: 1_024,
        }
    }

    /// How long the link between two nodes takes one way, in microseconds: the same both ways and
    /// always.
    pub fn latency(&self, a: u32, b: u32) -> u64 {
        let pair = (u64::from(a.min(b)) << 32) | u64::from(a.max(b));
        let (low, high) = self.latency_us;
        Rng::new(self.seed ^ pair.wrapping_mul(0x9e37_79b9_7f4a_7c15)).between(low, high)
    }

    /// Who publishes the message `number`.
    pub fn author(&self, number: usize) -> u32 {
        let nodes = self.connections.nodes();
        u32::try_from(number.wrapping_mul(7_919) % nodes).unwrap_or(0)
    }

    /// What the model says, on average over `meshes` meshes (at least 1) on the same connections.
    pub fn model(&self, meshes: u64) -> Spread {
        let over: Vec<Spread> = (1..=meshes).map(|mesh| self.model_of(mesh)).collect();
        Spread::mean(&over)
    }

    fn model_of(&self, mesh: u64) -> Spread {
        let mut rng = Rng::new(self.seed.wrapping_add(mesh));
        let members = (0..u32::try_from(self.connections.nodes()).unwrap_or(u32::MAX)).collect();
        // All dial at once: the fastest links come up first, and are grafted first.
        let came_up = |a, b| self.latency(a, b);
        let (connections, params) = (&self.connections, &self.params);
        let topic = Topic::form(members, connections, params, TOPIC_BYTES, came_up, &mut rng);
        let messages = (0..self.messages)
            .map(|number| self.carry(&topic, self.author(number), &mut rng).spread());
        let spreads: Vec<Spread> = messages.collect();
        Spread { degree: topic.mean_degree(), ..Spread::mean(&spreads) }
    }

    /// Carries one message to everybody.
    pub fn carry(&self, topic: &Topic, author: u32, rng: &mut Rng) -> Carried {
        let begin = 10 * self.params.heartbeat_us + rng.below(self.params.heartbeat_us);
        let mut links = Wires { network: self, bytes: 0 };
        let mut flight = Flight::new(topic, &self.params, author, self.message_bytes);
        let mut queue: BinaryHeap<Reverse<Arrival>> = BinaryHeap::new();
        let mut out = Vec::new();
        flight.publish(topic, &self.params, begin, &mut links, rng, &mut out);
        flight.begin_to_tell(topic, &self.params, (author, begin), &links, &mut out);
        let mut times = Vec::with_capacity(topic.members().len());
        loop {
            queue.extend(out.drain(..).map(Reverse));
            let Some(Reverse(arrival)) = queue.pop() else { break };
            if let Kind::Beat(beats) = arrival.kind {
                let beat = (arrival.to, arrival.at, beats);
                flight.tell(topic, &self.params, beat, &mut links, rng, &mut out);
            } else if flight.arrive(topic, arrival, &mut links, &mut out) {
                times.push(arrival.at - begin);
                let now = arrival.at + self.judge_us;
                flight.forward(topic, arrival.to, now, &mut links, &mut out);
                flight.begin_to_tell(topic, &self.params, (arrival.to, now), &links, &mut out);
            }
        }
        let others = || places(topic).filter(|place| *place != author);
        Carried {
            times_us: times,
            hops: others().map(|place| u64::from(flight.hops(place))).sum(),
            copies: places(topic).map(|place| flight.copies(place) as u64).sum(),
            bytes: links.bytes,
            nodes: topic.members().len() as u64,
        }
    }
}

/// Bytes of a topic's name: `CN-33`.
pub const TOPIC_BYTES: usize = 5;

/// How one message spread.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// When each node but the author had it, in microseconds from the publication, in order.
    pub times_us: Vec<u64>,
    /// Hops to all nodes together.
    pub hops: u64,
    /// Copies that all nodes received together.
    pub copies: u64,
    /// Bytes that all nodes received together.
    pub bytes: u64,
    /// How many nodes there are.
    pub nodes: u64,
}

impl Carried {
    /// The message as a [`Spread`], without the degree of the meshes.
    #[expect(clippy::cast_precision_loss, reason = "numbers for people")]
    pub fn spread(&self) -> Spread {
        let others = self.nodes.saturating_sub(1).max(1) as f64;
        let reached = self.times_us.len() as f64;
        Spread {
            degree: 0.0,
            hops: self.hops as f64 / reached.max(1.0),
            duplicates: (self.copies as f64 - reached) / others,
            bytes: self.bytes as f64 / others,
            half_ms: at_share(&self.times_us, 50),
            most_ms: at_share(&self.times_us, 99),
            all_ms: at_share(&self.times_us, 100),
        }
    }
}

/// The time, in milliseconds, at which `percent` of the ordered times have passed.
#[expect(clippy::cast_precision_loss, reason = "a time for people")]
pub fn at_share(times_us: &[u64], percent: usize) -> f64 {
    let count = (times_us.len() * percent).div_ceil(100);
    times_us.get(count.saturating_sub(1)).map_or(0.0, |at| *at as f64 / 1_000.0)
}

struct Wires<'a> {
    network: &'a Network,
    bytes: u64,
}

impl Links for Wires<'_> {
    fn send(&mut self, from: u32, to: u32, bytes: usize, now: u64) -> u64 {
        self.bytes += bytes as u64;
        now + self.network.latency(from, to)
    }

    fn heartbeat(&self, node: u32, now: u64) -> u64 {
        let period = self.network.params.heartbeat_us;
        let phase = Rng::new(self.network.seed ^ (u64::from(node) << 20)).below(period);
        now + (period + phase - now % period) % period
    }
}
