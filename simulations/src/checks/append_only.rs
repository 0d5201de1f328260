//! Logs only grow: an honest owner never signs two roots for one size.

use std::collections::BTreeMap;

use hutong_crypto::checkpoint::Checkpoint;
use hutong_crypto::digest::Hash;
use hutong_crypto::note::Note;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::Persist;

use super::{Checker, Found};
use crate::node::Slot;
use crate::world::World;

/// Every root that was signed or held of honest owners' logs.
#[derive(Debug, Default)]
pub(super) struct AppendOnly {
    roots: BTreeMap<(ExchangeId, u64), Hash>,
}

impl Checker for AppendOnly {
    fn name(&self) -> &'static str {
        "append-only"
    }

    fn stored(&mut self, world: &World, slot: Slot, change: &Persist, found: &mut Found) {
        let Persist::Checkpoint { log, note, size } = change else { return };
        if !world.is_honest(slot) {
            return;
        }
        let note = Note::parse(note).ok();
        let Some(checkpoint) = note.and_then(|note| Checkpoint::parse(&note.text).ok()) else {
            return found.push(format!("{} keeps a checkpoint that is none", world.id(slot)));
        };
        let tree = world.nodes[slot].disk.log(log).and_then(|disk| disk.root_at(*size));
        if tree.is_some_and(|root| root != checkpoint.root) {
            let (name, root) = (world.id(slot), checkpoint.root);
            found.push(format!("{name} keeps root {root} of {log} at {size}, not its tree's"));
        }
        if !world.owner_is_honest(log) {
            return;
        }
        let known = self.roots.entry((log.clone(), *size)).or_insert(checkpoint.root);
        if *known != checkpoint.root {
            found.push(format!("{log} has two roots at size {size}"));
        }
    }
}
