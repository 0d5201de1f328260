//! Every acknowledged statement survives, in its place.

use super::{Checker, Found};
use crate::world::World;

/// Looks acknowledged statements up on their owners' disks, and in the end on all others'.
#[derive(Debug, Default)]
pub(super) struct Survival {
    /// How many were reported, so that each is told once.
    told: bool,
}

impl Checker for Survival {
    fn name(&self) -> &'static str {
        "survival"
    }

    fn ended(&mut self, world: &World, found: &mut Found) {
        let honest = world.settling();
        for said in &world.acknowledged {
            let Some(owner) = world.federation.find(&said.log) else { continue };
            if !world.owner_is_honest(&said.log) || world.removed.contains(&owner) {
                continue;
            }
            for slot in &honest {
                let disk = world.nodes[*slot].disk.log(&said.log);
                let held = disk.filter(|disk| said.index < disk.tree.size());
                if held.is_none_or(|disk| disk.leaf_hash(said.index) != said.id) && !self.told {
                    let (name, log, index) = (world.id(*slot), &said.log, said.index);
                    found.push(format!("{name} lacks the acknowledged entry {index} of {log}"));
                    self.told = found.len() > 20;
                }
            }
        }
    }
}
