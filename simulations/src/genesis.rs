//! Federations that stand: everybody admitted, everything replicated and cosigned.
//!
//! Founding one takes longer than what is simulated afterwards, so each is founded once in a
//! process, by a run on a calm network, and its disks are copied.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use hutong_protocol::audience::Audience;

use crate::checks::Violation;
use crate::disk::Disk;
use crate::federation::{Federation, Pace};
use crate::layout;
use crate::network::Network;
use crate::world::World;

/// How long before the begin of other worlds they are founded, in milliseconds: what they anchored is final.
const BEFORE_MS: i64 = 2 * 86_400_000;

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
        let federation = Arc::new(Federation::found(&specs, layout, Pace::FAST)?);
        let mut world = World::new(federation.clone(), Vec::new(), Network::default(), layout);
        for node in &mut world.nodes {
            node.clock.offset_ms = -BEFORE_MS;
        }
        world.start_all();
        // Who admits comes before whom it admits.
        for tier in ["provincial", "municipal", "county", "international", "industry", "national"] {
            let of_tier = |at: &usize| specs[*at].tier == tier && !specs[*at].stranger;
            let places: Vec<usize> = (0..specs.len()).filter(of_tier).collect();
            world.admit_all(&places)?;
            let limit = world.now_ms() + 60_000;
            let stands = world.settle(limit).is_some();
            if !stands && world.violations.is_empty() {
                let missing = (world.differences(), world.without_quorum(), world.unrecorded());
                world.violate("convergence", format!("never founded: {missing:?}"));
            }
        }
        for slot in (0..specs.len()).filter(|slot| !specs[*slot].stranger) {
            let entries = world.statements(slot, 1, &Audience::Public)?;
            world.append(slot, entries);
        }
        let limit = world.now_ms() + 60_000;
        if world.settle(limit).is_none() && world.violations.is_empty() {
            world.violate("convergence", "the first statements never spread".into());
        }
        world.want_anchor(federation.keeper());
        world.run_until(world.now_ms() + 2_000);
        world.settle(world.now_ms() + 60_000);
        world.look_in_the_end();
        let federation = world.federation.clone();
        let disks = world.nodes.into_iter().map(|node| node.disk).collect();
        Ok(Self { federation, disks, violations: world.violations })
    }
}
