//! What counts as cosigned was cosigned by more than half of the council without the log's owner.

use std::collections::BTreeSet;

use hutong_crypto::cosignature::verify_cosignature;
use hutong_crypto::note::Note;
use hutong_protocol::persist::Persist;

use super::{Checker, Found};
use crate::node::Slot;
use crate::world::World;

/// Counts cosignatures by rules of its own.
#[derive(Debug, Default)]
pub(super) struct Quorum;

impl Checker for Quorum {
    fn name(&self) -> &'static str {
        "quorum"
    }

    fn stored(&mut self, world: &World, slot: Slot, change: &Persist, found: &mut Found) {
        let Persist::Cosigned { log, note, size } = change else { return };
        let (Some(owner), true) = (world.federation.operator(log), world.is_honest(slot)) else {
            return;
        };
        let Ok(note) = Note::parse(note) else {
            return found.push(format!("{} keeps a checkpoint that is none", world.id(slot)));
        };
        let council = world.federation.exchanges.iter().enumerate().filter(|(_, one)| one.council);
        let others = council.clone().filter(|(place, _)| *place != owner);
        let signed = others.filter(|(_, one)| {
            let (name, key) = (world.federation.origin(&one.id).witness_name(), one.keys().witness);
            let holds = |line| verify_cosignature(&note.text, line, &name, &key.public()).is_ok();
            note.signatures.iter().filter(|line| line.name == name).any(holds)
        });
        let signed: BTreeSet<usize> = signed.map(|(place, _)| place).collect();
        let all = council.count();
        let others = if world.federation.exchanges[owner].council { all - 1 } else { all };
        // Any two quorums share a witness, by whom a fork is found out.
        if all > 1 && 2 * signed.len() <= others {
            let (name, count) = (world.id(slot), signed.len());
            found.push(format!("{name} counts {size} leaves of {log} that {count} cosigned"));
        }
    }
}
