//! What is frozen stays frozen, through crashes too.

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
}

impl Checker for Frozen {
    fn name(&self) -> &'static str {
        "frozen"
    }

    fn stored(&mut self, world: &World, slot: Slot, change: &Persist, found: &mut Found) {
        if !world.is_honest(slot) {
            return;
        }
        let (log, what) = match change {
            Persist::Frozen { log, size } => {
                self.sizes.insert((slot, log.clone()), *size);
                let before = world.nodes[slot].disk.log(log).and_then(DiskLog::frozen);
                if before.is_some_and(|before| before != *size) {
                    found.push(format!("{} freezes {log} at another size", world.id(slot)));
                }
                return;
            }
            Persist::Thawed { log } => {
                self.sizes.remove(&(slot, log.clone()));
                return;
            }
            Persist::Evidence { .. } | Persist::Charter { .. } | Persist::Fill { .. } => return,
            Persist::Leaves { log, .. } => (log, "grows"),
            Persist::Checkpoint { log, .. } => (log, "goes on"),
            Persist::Cosigned { log, .. } => (log, "is confirmed"),
            Persist::WitnessMemory { log, .. } => (log, "is cosigned"),
        };
        if world.nodes[slot].disk.log(log).is_some_and(|disk| disk.frozen().is_some()) {
            found.push(format!("{log} {what} at {} after it was frozen", world.id(slot)));
        }
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        for ((slot, log), size) in &self.sizes {
            let node = &world.nodes[*slot];
            let kept = node.disk.log(log).and_then(DiskLog::frozen);
            if kept.is_none() {
                // The disk is another one.
                continue;
            }
            let Some(state) = &node.state else { continue };
            let frozen = state.logs().find(|status| status.log == log).and_then(|it| it.frozen);
            if frozen != Some(*size) {
                found.push(format!("{} has {log} frozen at {frozen:?}", world.id(*slot)));
            }
        }
    }
}
