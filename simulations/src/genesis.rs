//! Federations that stand: everybody admitted, everything replicated and cosigned.
//!
//! Founding one takes longer than what is simulated afterwards, so each is founded once in a
//! process, by a run on a calm network, and its disks are copied.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::checks::Violation;
use crate::disk::Disk;
use crate::federation::Federation;
use crate::layout;
use crate::network::Network;
use crate::world::World;

/// A federation that stands.
#[derive(Debug, Clone)]
pub struct Genesis {
    /// The exchanges.
    pub federation: Arc<Federation>,
    /// The disk of each exchange's node.
    pub disks: Vec<Disk>,
    /// What was violated already while it was founded: then it does not stand.
    pub violations: Vec<Violation>,
}

/// Those founded so far, by size and layout.
static FOUNDED: Mutex<BTreeMap<(usize, u64), Genesis>> = Mutex::new(BTreeMap::new());

impl Genesis {
    /// The federation of `nodes` exchanges that `layout` draws.
    ///
    /// # Errors
    ///
    /// Where it does not come to stand.
    pub fn of(nodes: usize, layout: u64) -> Result<Self> {
        let mut founded = FOUNDED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(genesis) = founded.get(&(nodes, layout)) {
            return Ok(genesis.clone());
        }
        let genesis = Self::found(nodes, layout)?;
        founded.insert((nodes, layout), genesis.clone());
        Ok(genesis)
    }

    fn found(nodes: usize, layout: u64) -> Result<Self> {
        let specs = layout::exchanges(nodes, layout);
        let federation = Arc::new(Federation::found(&specs, layout)?);
        let mut world = World::new(federation.clone(), Vec::new(), Network::default(), layout);
        world.start_all();
        // Who admits comes before whom it admits.
        for tier in ["provincial", "municipal", "county", "international", "industry", "national"] {
            let of_tier = |at: &usize| specs[*at].tier == tier && !specs[*at].stranger;
            let places: Vec<usize> = (0..specs.len()).filter(of_tier).collect();
            world.admit_all(&places)?;
            let limit = world.now_ms() + 60_000;
            let stands = world.settle(limit).is_some();
            if !stands && world.violations.is_empty() {
                let missing = (world.differences(), world.without_quorum());
                world.violate("convergence", format!("never founded: {missing:?}"));
            }
        }
        world.look_in_the_end();
        let disks = world.nodes.into_iter().map(|node| node.disk).collect();
        Ok(Self { federation, disks, violations: world.violations })
    }
}
