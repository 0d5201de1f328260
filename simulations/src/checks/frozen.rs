//! What is frozen stays frozen, through crashes too, and of two trees one counts.

use std::collections::BTreeMap;

use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::Persist;

use super::{Checker, Found};
use crate::disk::DiskLog;
use crate::node::Slot;
use crate::world::World;

/// Remembers what was written of logs that were frozen.
#[derive(Debug, Default)]
pub(super) struct Frozen {
    /// How far each was written since.
    written: BTreeMap<(Slot, ExchangeId), u64>,
}

/// The logs that honest nodes have frozen, and at which sizes.
fn frozen(world: &World) -> impl Iterator<Item = (Slot, &ExchangeId, u64)> {
    world.honest().into_iter().flat_map(|slot| {
        let logs = world.nodes[slot].disk.logs();
        logs.filter_map(move |(log, disk)| Some((slot, log, disk.frozen()?)))
    })
}

impl Checker for Frozen {
    fn name(&self) -> &'static str {
        "frozen"
    }

    fn stored(&mut self, world: &World, slot: Slot, change: &Persist, found: &mut Found) {
        if !world.is_honest(slot) {
            return;
        }
        let (log, until) = match change {
            Persist::Frozen { log, size } => {
                match world.nodes[slot].disk.log(log).and_then(DiskLog::frozen) {
                    None => drop(self.written.remove(&(slot, log.clone()))),
                    Some(before) if before <= *size => {}
                    Some(before) => {
                        let name = world.id(slot);
                        found.push(format!("{name} freezes {log} at {size}, before at {before}"));
                    }
                }
                return;
            }
            Persist::Thawed { .. }
            | Persist::Evidence { .. }
            | Persist::Charter { .. }
            | Persist::Anchored { .. }
            | Persist::Fill { .. } => return,
            Persist::Leaves { log, from, leaves, .. } => (log, from + leaves.len() as u64),
            Persist::Checkpoint { log, size, .. } | Persist::Cosigned { log, size, .. } => {
                (log, *size)
            }
            Persist::WitnessMemory { log, .. } => (log, u64::MAX),
        };
        if world.nodes[slot].disk.log(log).is_some_and(|disk| disk.frozen().is_some()) {
            let written = self.written.entry((slot, log.clone())).or_default();
            *written = until.max(*written);
        }
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        let mut longest: BTreeMap<&ExchangeId, (u64, Slot)> = BTreeMap::new();
        for (slot, log, size) in frozen(world) {
            let node = &world.nodes[slot];
            if node.disk.log(log).is_some_and(|disk| disk.tree.size() >= size) {
                let one = longest.entry(log).or_default();
                *one = (size, slot).max(*one);
            }
            let Some(state) = node.state.as_ref().filter(|_| node.is_settled()) else { continue };
            let here = state.logs().find(|status| status.log == log).and_then(|it| it.frozen);
            if here != Some(size) {
                found.push(format!("{} has {log} frozen at {here:?}", world.id(slot)));
            }
        }
        for (slot, log, size) in frozen(world) {
            let root = |slot: Slot| world.nodes[slot].disk.log(log)?.root_at(size);
            let Some((_, longest)) = longest.get(log) else { continue };
            if root(slot).is_some_and(|here| root(*longest) != Some(here)) {
                let (one, other) = (world.id(slot), world.id(*longest));
                found.push(format!("{one} and {other} let different trees of {log} count"));
            }
        }
    }

    fn ended(&mut self, world: &World, found: &mut Found) {
        for (slot, log, size) in frozen(world) {
            let written = self.written.get(&(slot, log.clone()));
            // What stands by the register may be fetched under a larger checkpoint that a quorum cosigned.
            let stands = world.nodes[slot].state.as_ref();
            let stands = stands.and_then(|state| state.directory().member(log)?.stands_at());
            let size = size.max(stands.unwrap_or(0));
            if let Some(written) = written.filter(|written| **written > size) {
                let name = world.id(slot);
                found.push(format!("{log}, frozen at {size}, goes on to {written} at {name}"));
            }
        }
    }
}
