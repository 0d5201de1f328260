//! The network: how long messages take, what happens to them, and who reaches whom.

mod links;

use hutong_protocol::region::Region;

pub use links::{Links, Nat};

use crate::rng::Rng;

/// How the network behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The shortest time that a message takes, in milliseconds: within a province.
    pub latency_min_ms: u64,
    /// The longest: to another country, with jitter.
    pub latency_max_ms: u64,
    /// How many of 1,000 messages are lost.
    pub loss_per_mille: u64,
    /// How many of 1,000 messages are overtaken by those sent after them.
    pub reorder_per_mille: u64,
    /// How many of 1,000 messages arrive twice.
    pub duplicate_per_mille: u64,
    /// What a node can send, in bytes for each millisecond; 0 for any number.
    pub bytes_per_ms: u64,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency_min_ms: 5,
            latency_max_ms: 60,
            loss_per_mille: 0,
            reorder_per_mille: 0,
            duplicate_per_mille: 0,
            bytes_per_ms: 0,
        }
    }
}

impl Network {
    /// The same network without its troubles.
    #[must_use]
    pub fn calm(self) -> Self {
        Self {
            latency_min_ms: self.latency_min_ms,
            latency_max_ms: self.latency_max_ms,
            ..Self::default()
        }
    }

    /// How long a message takes between two regions, in milliseconds: a third of the spread for
    /// each border, of province and of country, and up to a third of jitter.
    pub fn latency(&self, a: &Region, b: &Region, rng: &mut Rng) -> u64 {
        let third = self.latency_max_ms.saturating_sub(self.latency_min_ms) / 3;
        let province = |region: &Region| region.division().map(|digits| digits[..2].to_string());
        let borders =
            if a.country() == b.country() { u64::from(province(a) != province(b)) } else { 2 };
        let mut latency = self.latency_min_ms + borders * third + rng.below(third + 1);
        if rng.chance(self.reorder_per_mille) {
            latency += rng.below(3 * self.latency_max_ms + 1);
        }
        latency
    }
}
