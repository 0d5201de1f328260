//! Who is a member follows from what is recorded, whatever the order in which it came.

use std::collections::BTreeMap;
use std::sync::Arc;

use hutong_protocol::directory::{Directory, Member};
use hutong_protocol::id::ExchangeId;

use super::{Checker, Found};
use crate::node::Slot;
use crate::world::World;

/// Builds each directory anew from a disk and compares.
#[derive(Debug, Default)]
pub(super) struct Directories {
    /// By the facts and the number of charters that they rest on.
    built: BTreeMap<Basis, Arc<Directory>>,
    /// What was found to be the same at some node.
    right: BTreeMap<Basis, Arc<Directory>>,
}

/// Digest of the facts, how many charters, and which logs are frozen at which sizes.
type Basis = ([u64; 4], usize, BTreeMap<ExchangeId, u64>);

impl Checker for Directories {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        for slot in world.honest() {
            let node = &world.nodes[slot];
            let Some(state) = node.state.as_ref().filter(|_| node.is_settled()) else { continue };
            let (charters, directory) = (state.charters(), state.directory());
            let frozen = node.disk.logs().filter_map(|(log, it)| Some((log.clone(), it.frozen()?)));
            let frozen: BTreeMap<_, _> = frozen.collect();
            let basis = (node.disk.facts_digest(), charters.versions().len(), frozen);
            if self.right.get(&basis).is_some_and(|right| Arc::ptr_eq(right, directory)) {
                continue;
            }
            // A damaged fact was read when it was sound.
            let Ok(facts) = node.disk.facts() else { continue };
            let build = || Arc::new(Directory::build(charters, &facts.up_to(&basis.2)));
            let expected = self.built.entry(basis.clone()).or_insert_with(build);
            if expected == directory {
                self.right.insert(basis, Arc::clone(directory));
            } else {
                found.push(format!("{} has another directory than its logs", world.id(slot)));
            }
        }
    }

    fn ended(&mut self, world: &World, found: &mut Found) {
        let mut first: Option<(Slot, &Arc<Directory>)> = None;
        for slot in world.settling() {
            let Some(state) = &world.nodes[slot].state else { continue };
            let directory = state.directory();
            let (other, agreed) = *first.get_or_insert((slot, directory));
            if agreed != directory {
                let (one, other) = (world.id(slot), world.id(other));
                let here: Vec<_> =
                    directory.members().filter(|it| agreed.member(&it.id) != Some(*it)).collect();
                let there: Vec<_> =
                    agreed.members().filter(|it| directory.member(&it.id) != Some(*it)).collect();
                let ids = |members: Vec<&Member>| {
                    members.iter().map(|it| it.id.to_string()).collect::<Vec<_>>().join(" ")
                };
                let (here, there) = (ids(here), ids(there));
                found.push(format!("{one} has as members [{here}], {other} has [{there}]"));
            }
        }
    }
}
