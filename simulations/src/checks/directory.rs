//! Who is a member follows from the register alone: equal sizes of it give equal directories, and whatever is
//! in a directory a quorum has cosigned.

use std::collections::BTreeMap;
use std::sync::Arc;

use hutong_protocol::directory::{Directory, Member};

use super::truth::Truth;
use super::{Checker, Found};
use crate::node::Slot;
use crate::world::World;

/// Folds the register anew, one entry after the other, and compares.
#[derive(Debug, Default)]
pub(super) struct Directories {
    truth: Truth,
    /// What was found to be the same at some node, by size of the register.
    right: BTreeMap<u64, Arc<Directory>>,
}

impl Checker for Directories {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        self.truth.refresh(world);
        for slot in world.honest() {
            let node = &world.nodes[slot];
            let Some(state) = node.state.as_ref().filter(|_| node.is_settled()) else { continue };
            let directory = state.directory();
            let size = directory.register().size;
            if self.right.get(&size).is_some_and(|right| Arc::ptr_eq(right, directory)) {
                continue;
            }
            match self.truth.directory(size) {
                Some(expected) if **expected == **directory => {
                    self.right.insert(size, Arc::clone(directory));
                }
                Some(_) => {
                    found.push(format!(
                        "{} has another directory than its register",
                        world.id(slot)
                    ));
                }
                None => {
                    let name = world.id(slot);
                    found.push(format!("{name} has folded {size} entries that no quorum cosigned"));
                }
            }
        }
    }

    fn ended(&mut self, world: &World, found: &mut Found) {
        let mut first: Option<(Slot, &Arc<Directory>)> = None;
        for slot in world.settling() {
            let Some(state) = &world.nodes[slot].state else { continue };
            let directory = state.directory();
            let (other, agreed) = *first.get_or_insert((slot, directory));
            if agreed.digest() != directory.digest() {
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
