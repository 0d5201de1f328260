//! Who is a member follows from what is recorded, whatever the order in which it came.

use std::collections::BTreeMap;
use std::sync::Arc;

use hutong_protocol::directory::{Directory, Member};

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

/// Digest of the facts, and how many charters.
type Basis = ([u64; 4], usize);

impl Checker for Directories {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        for slot in world.honest() {
            let node = &world.nodes[slot];
            let Some(state) = node.state.as_ref().filter(|_| node.is_settled()) else { continue };
            let (charters, directory) = (state.charters(), state.directory());
            let basis = (node.disk.facts_digest(), charters.versions().len());
            if self.right.get(&basis).is_some_and(|right| Arc::ptr_eq(right, directory)) {
                continue;
            }
            // A damaged fact was read when it was sound.
            let Ok(facts) = node.disk.facts() else { continue };
            let build = || Arc::new(Directory::build(charters, &facts));
            let expected = self.built.entry(basis).or_insert_with(build);
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
