//! What is frozen stays frozen, through crashes too, and of two trees one counts.

use std::collections::BTreeMap;

use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::Persist;

use super::{Checker, Found};
use crate::disk::DiskLog;
use crate::node::Slot;
use crate::world::World;

/// Remembers who has frozen what, and where.
#[derive(Debug, Default)]
pub(super) struct Frozen {
    sizes: BTreeMap<(Slot, ExchangeId), u64>,
    /// How far each log was written since.
    written: BTreeMap<(Slot, ExchangeId), u64>,
}

impl Frozen {
    /// The log is frozen at `size` on a node's disk.
    fn froze(&mut self, world: &World, slot: Slot, log: &ExchangeId, size: u64) -> Option<String> {
        self.sizes.insert((slot, log.clone()), size);
        let before = world.nodes[slot].disk.log(log).and_then(DiskLog::frozen);
        let Some(before) = before else {
            self.written.remove(&(slot, log.clone()));
            return None;
        };
        let name = world.id(slot);
        (size < before).then(|| format!("{name} freezes {log} at {size}, before at {before}"))
    }
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
                found.extend(self.froze(world, slot, log, *size));
                return;
            }
            Persist::Thawed { log } => {
                self.sizes.remove(&(slot, log.clone()));
                return;
            }
            Persist::Evidence { .. } | Persist::Charter { .. } | Persist::Fill { .. } => return,
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
        let mut longest: BTreeMap<&ExchangeId, (Slot, u64)> = BTreeMap::new();
        for ((slot, log), size) in &self.sizes {
            let node = &world.nodes[*slot];
            let disk = node.disk.log(log);
            let Some(disk) = disk.filter(|disk| disk.frozen().is_some()) else {
                // The disk is another one.
                continue;
            };
            if disk.tree.size() >= *size {
                let one = longest.entry(log).or_insert((*slot, *size));
                *one = if one.1 < *size { (*slot, *size) } else { *one };
            }
            let Some(state) = node.state.as_ref().filter(|_| node.is_settled()) else { continue };
            let frozen = state.logs().find(|status| status.log == log).and_then(|it| it.frozen);
            if frozen != Some(*size) {
                found.push(format!("{} has {log} frozen at {frozen:?}", world.id(*slot)));
            }
        }
        for ((slot, log), size) in &self.sizes {
            let root = |slot: Slot| world.nodes[slot].disk.log(log)?.root_at(*size);
            let Some((longest, _)) = longest.get(log) else { continue };
            if root(*slot).is_some_and(|here| root(*longest) != Some(here)) {
                let (one, other) = (world.id(*slot), world.id(*longest));
                found.push(format!("{one} and {other} let different trees of {log} count"));
            }
        }
    }

    fn ended(&mut self, world: &World, found: &mut Found) {
        for ((slot, log), size) in &self.sizes {
            let written = self.written.get(&(*slot, log.clone()));
            if let Some(written) = written.filter(|written| *written > size) {
                let name = world.id(*slot);
                found.push(format!("{log}, frozen at {size}, goes on to {written} at {name}"));
            }
        }
    }
}
