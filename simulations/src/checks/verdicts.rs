//! All nodes agree which entries are of no effect.

use std::collections::BTreeMap;

use hutong_crypto::digest::Hash;
use hutong_protocol::entry::Entry;
use hutong_protocol::id::ExchangeId;
use hutong_protocol::statement::Statement;

use super::{Checker, Found};
use crate::world::World;

/// Checks entries on disks anew, by rules of its own.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    void: BTreeMap<(ExchangeId, Hash), bool>,
}

/// Whether an entry of `log` is of no effect; where nobody can tell, it is not.
fn is_void(log: &ExchangeId, entry: &Entry) -> bool {
    let Ok((key, signature)) = entry.key_and_signature() else { return false };
    let signed = hutong_crypto::verify(&key, &entry.signed_message(), &signature);
    let statement = Statement::parse(entry.statement_bytes());
    let own = statement.is_ok_and(|statement| statement.issuer == *log);
    !(signed && own)
}

impl Checker for Verdicts {
    fn name(&self) -> &'static str {
        "verdicts"
    }

    fn ended(&mut self, world: &World, found: &mut Found) {
        for slot in world.honest() {
            for (log, disk) in world.nodes[slot].disk.logs() {
                for (index, leaf) in (0..).zip(&disk.leaves) {
                    let Some(entry) = leaf.entry() else { continue };
                    let asked = (log.clone(), entry.leaf_hash());
                    let expected = *self.void.entry(asked).or_insert_with(|| is_void(log, entry));
                    let void = disk.void.contains(&index);
                    if void != expected {
                        let name = world.id(slot);
                        found.push(format!("{name} has entry {index} of {log} as void: {void}"));
                    }
                }
            }
        }
    }
}
