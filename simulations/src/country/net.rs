//! The network between the nodes: latency, jitter, uplinks, and bytes by cause.

use hutong_protocol::tier::Tier;

pub use super::connect::connect;
use super::places::Distances;
use super::plan::Plan;
use crate::gossip::flight::Links;
use crate::rng::Rng;

/// Jitter: up to this part of the latency on top, in thousandths.
const JITTER: u64 = 250;

/// Why bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Announcements of new leaves, with their tails.
    News,
    /// Announcements of cosigned checkpoints without new leaves.
    Cosigned,
    /// Requests for leaves, and the leaves.
    Pull,
    /// Cosignatures on their way to the owner.
    Cosignature,
    /// Comparing holdings: hello and heads.
    Compare,
    /// Message ids told and asked for.
    Control,
}

/// How many causes there are.
pub const CAUSES: usize = 6;

/// The network.
#[derive(Debug)]
pub struct Net {
    distances: Distances,
    place: Vec<usize>,
    /// Nanoseconds for each byte on a node's uplink.
    byte_ns: Vec<u64>,
    /// When each uplink is free, in microseconds.
    free: Vec<u64>,
    rng: Rng,
    seed: u64,
    /// The present, in microseconds.
    pub clock: u64,
    /// What copies are counted as.
    pub cause: Cause,
    /// Bytes sent by node and cause.
    pub sent: Vec<[u64; CAUSES]>,
    /// Bytes received by node and cause.
    pub received: Vec<[u64; CAUSES]>,
    /// The longest that bytes waited for an uplink, in microseconds.
    pub waited_us_max: u64,
}

impl Net {
    /// Between the nodes of `plan`.
    pub fn new(plan: &Plan, seed: u64) -> Self {
        let distances = Distances::new(plan.roles.iter().map(|role| role.place.as_str()));
        let place = plan.roles.iter().map(|role| distances.place(&role.place)).collect();
        let byte_ns = plan.roles.iter().map(|role| 8_000 / uplink_mbit(role.tier)).collect();
        let nodes = plan.roles.len();
        Self {
            distances,
            place,
            byte_ns,
            free: vec![0; nodes],
            rng: Rng::new(seed ^ 0x0000_4e7e),
            seed,
            clock: 0,
            cause: Cause::News,
            sent: vec![[0; CAUSES]; nodes],
            received: vec![[0; CAUSES]; nodes],
            waited_us_max: 0,
        }
    }

    /// Counts bytes that take no time worth telling.
    pub fn count(&mut self, from: u32, to: u32, cause: Cause, bytes: usize) {
        self.sent[from as usize][cause as usize] += bytes as u64;
        self.received[to as usize][cause as usize] += bytes as u64;
    }
}

impl Links for Net {
    fn send(&mut self, from: u32, to: u32, bytes: usize, now: u64) -> u64 {
        self.count(from, to, self.cause, bytes);
        let at = from as usize;
        let takes = bytes as u64 * self.byte_ns[at] / 1_000;
        let sent = if now > self.clock {
            // What will be sent later does not hold up what is sent before it.
            now + takes
        } else {
            let begins = now.max(self.free[at]);
            self.waited_us_max = self.waited_us_max.max(begins - now);
            self.free[at] = begins + takes;
            self.free[at]
        };
        let latency = self.distances.between(self.place[at], self.place[to as usize]);
        sent + latency + latency * self.rng.below(JITTER) / 1_000
    }

    fn heartbeat(&self, node: u32, now: u64) -> u64 {
        let period = crate::gossip::params::Params::HUTONG.heartbeat_us;
        let phase = Rng::new(self.seed ^ (u64::from(node) << 20)).below(period);
        now + (period + phase - now % period) % period
    }
}

/// What a node of a tier can send, in megabits a second. Assumed.
const fn uplink_mbit(tier: Tier) -> u64 {
    match tier {
        Tier::National | Tier::Provincial => 200,
        Tier::Industry | Tier::International | Tier::Municipal => 50,
        Tier::County => 20,
    }
}
