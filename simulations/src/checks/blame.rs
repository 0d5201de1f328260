//! Nobody honest is blamed.

use hutong_protocol::io::Notice;

use super::{Checker, Found};
use crate::node::Slot;
use crate::world::World;

/// Looks at what honest nodes say of others.
#[derive(Debug, Default)]
pub(super) struct Blame;

impl Checker for Blame {
    fn name(&self) -> &'static str {
        "blame"
    }

    fn noticed(&mut self, world: &World, slot: Slot, notice: &Notice, found: &mut Found) {
        if !world.is_honest(slot) {
            return;
        }
        let name = world.id(slot);
        match notice {
            Notice::Equivocation { log, .. } if world.owner_is_honest(log) => {
                found.push(format!("{name} froze the honest {log}"));
            }
            Notice::OwnLogConflict => found.push(format!("the honest {name} may not go on")),
            Notice::PeerMisbehaved { peer, fault } => {
                let blamed = world.federation.of_peer(peer);
                let blamed = blamed.map(|place| &world.federation.exchanges[place]);
                if let Some(blamed) = blamed.filter(|one| world.owner_is_honest(&one.id)) {
                    found.push(format!("{name} blamed the honest {}: {fault:?}", blamed.id));
                }
            }
            _ => {}
        }
    }
}
