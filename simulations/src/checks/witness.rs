//! An honest witness never cosigns two versions of a log.

use std::collections::BTreeMap;

use hutong_crypto::digest::Hash;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::Persist;

use super::{Checker, Found};
use crate::node::Slot;
use crate::world::World;

/// Every root that each witness cosigned.
#[derive(Debug, Default)]
pub(super) struct Witnesses {
    cosigned: BTreeMap<(Slot, ExchangeId, u64), Hash>,
}

impl Checker for Witnesses {
    fn name(&self) -> &'static str {
        "witness"
    }

    fn stored(&mut self, world: &World, slot: Slot, change: &Persist, found: &mut Found) {
        let Persist::WitnessMemory { log, size, root } = change else { return };
        if !world.is_honest(slot) {
            return;
        }
        let known = self.cosigned.entry((slot, log.clone(), *size)).or_insert(*root);
        if known != root {
            let name = world.id(slot);
            found.push(format!("{name} cosigned two roots of {log} at size {size}"));
        }
        let held = world.nodes[slot].disk.log(log).and_then(|disk| disk.root_at(*size));
        if held != Some(*root) {
            found.push(format!("{} cosigns what it does not hold of {log}", world.id(slot)));
        }
    }
}
