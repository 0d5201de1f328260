//! What stood and has become final stands, unless the council decided otherwise.

use std::collections::BTreeMap;

use hutong_protocol::directory::{AnchorLeaves, Directory};

use super::truth::{Truth, leaves_on};
use super::{Checker, Found};
use crate::world::World;

/// Compares what counts with what counted at the last anchor that is final.
#[derive(Debug, Default)]
pub(super) struct Finality {
    truth: Truth,
    /// Leaves of anchors, by index.
    leaves: BTreeMap<u64, AnchorLeaves>,
    /// The size of the register that was looked at last.
    looked_at: u64,
}

impl Finality {
    /// The leaves of an anchor, as some honest council member has them.
    fn leaves(&mut self, world: &World, index: u64) -> Option<&AnchorLeaves> {
        if !self.leaves.contains_key(&index) {
            let mut disks = world.honest().into_iter().map(|slot| &world.nodes[slot].disk);
            let leaves = disks.find_map(|disk| leaves_on(disk, &self.truth, index))?;
            self.leaves.insert(index, leaves);
        }
        self.leaves.get(&index)
    }

    fn compare(&mut self, world: &World, now: &Directory, found: &mut Found) -> Option<()> {
        let days = now.charters().latest().finality_days;
        let last = now.register().day?.minus_days(days);
        let anchors = self.truth.anchors().values();
        let index = anchors.filter(|anchor| anchor.day <= last).map(|anchor| anchor.index).max()?;
        let then = self.truth.directory(index)?.clone();
        let leaves = self.leaves(world, index)?;
        for leaf in leaves.iter() {
            let (before, after) = (then.member(&leaf.id)?, now.member(&leaf.id)?);
            let void = |at: &u64| before.is_honoured(*at) && !after.is_honoured(*at);
            if !after.extraordinary && (0..leaf.head.size).any(|at| void(&at)) {
                found.push(format!("entries of {} are void that were final", leaf.id));
            }
        }
        Some(())
    }
}

impl Checker for Finality {
    fn name(&self) -> &'static str {
        "finality"
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        self.truth.refresh(world);
        let Some(now) = self.truth.latest().cloned() else { return };
        if now.register().size != self.looked_at {
            self.looked_at = now.register().size;
            self.compare(world, &now, found);
        }
    }
}
