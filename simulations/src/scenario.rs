//! Scenarios: who there is, what befalls them when, and what must be so in the end.

mod act;
mod run;

use std::sync::Arc;

use anyhow::{Context as _, Result};

pub use self::act::{Act, Decision};
pub use self::run::Outcome;
use crate::adversary::Kind;
use crate::federation::{ExchangeSpec, Federation, Pace};
use crate::genesis::Genesis;
use crate::network::{Nat, Network};
use crate::world::{DiskSpeed, World};

/// A scenario, as its TOML file says it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Where all chance comes from.
    pub seed: u64,
    /// How long it may take, in milliseconds of virtual time.
    pub limit_ms: u64,
    /// When all trouble ends; never of itself where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal_ms: Option<u64>,
    /// A federation that stands, instead of exchanges that come to be admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation: Option<Standing>,
    /// How the network behaves.
    #[serde(default)]
    pub network: Network,
    /// How long disks take.
    #[serde(default)]
    pub disk: DiskSpeed,
    /// The exchanges.
    #[serde(default, rename = "exchange", skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<ExchangeSpec>,
    /// Clocks that are wrong.
    #[serde(default, rename = "clock", skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<ClockSpec>,
    /// Nodes that are behind a NAT.
    #[serde(default, rename = "nat", skip_serializing_if = "Vec::is_empty")]
    pub nats: Vec<NatSpec>,
    /// Who breaks the rules.
    #[serde(default, rename = "adversary", skip_serializing_if = "Vec::is_empty")]
    pub adversaries: Vec<AdversarySpec>,
    /// What happens.
    #[serde(default, rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// A federation that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// How many exchanges.
    pub nodes: usize,
    /// Which: see [`crate::layout`].
    pub layout: u64,
}

/// A clock that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSpec {
    /// Whose.
    pub node: String,
    /// How far ahead, in milliseconds.
    #[serde(default)]
    pub offset_ms: i64,
    /// How much too fast, in millionths.
    #[serde(default)]
    pub drift_ppm: i64,
}

/// A node behind a NAT.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatSpec {
    /// Whose.
    pub node: String,
    /// Which kind.
    pub class: Nat,
}

/// Who breaks the rules.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdversarySpec {
    /// Whose node.
    pub node: String,
    /// How.
    pub kind: Kind,
    /// From when on, in milliseconds from the start.
    #[serde(default)]
    pub from_ms: u64,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// When, in milliseconds from the start.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub act: Act,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// Where the text is none.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("scenario")
    }

    /// The scenario as the text of its file.
    ///
    /// # Errors
    ///
    /// Where a number does not fit TOML.
    pub fn encode(&self) -> Result<String> {
        toml::to_string(self).context("scenario as text")
    }

    /// The federation, founded and with all nodes up; admissions happen as they fall due.
    ///
    /// # Errors
    ///
    /// Where the federation cannot be founded, or a node is named that there is not.
    pub fn world(&self) -> Result<World> {
        let (federation, disks, violations) =
            if let Some(Standing { nodes, layout }) = self.federation {
                let Genesis { federation, disks, violations } = Genesis::of(nodes, layout)?;
                (federation, disks, violations)
            } else {
                let federation = Federation::found(&self.exchanges, self.seed, Pace::FAST)?;
                (Arc::new(federation), Vec::new(), Vec::new())
            };
        let mut world = World::new(federation, disks, self.network, self.seed);
        world.violations = violations;
        world.disks = self.disk;
        for clock in &self.clocks {
            let slot = world.slot(&clock.node)?;
            world.nodes[slot].clock.offset_ms = clock.offset_ms;
            world.nodes[slot].clock.drift_ppm = clock.drift_ppm;
        }
        for nat in &self.nats {
            let slot = world.slot(&nat.node)?;
            world.nodes[slot].nat = nat.class;
        }
        for exchange in 0..world.federation.exchanges.len() {
            // Who was never admitted keeps no rule that anybody could count on.
            if world.federation.exchanges[exchange].stranger {
                world.nodes[exchange].dishonest = true;
            }
        }
        world.start_all();
        Ok(world)
    }
}
