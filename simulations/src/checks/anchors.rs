//! What a witness cosigned of the register it has checked: each anchor's leaves are what the fold says, and its
//! heads are of trees that there are.

use std::collections::BTreeSet;

use super::truth::{Truth, leaves_on};
use super::{Checker, Found};
use crate::disk::DiskLog;
use crate::federation::register;
use crate::node::Slot;
use crate::world::World;

/// Compares the anchors on the disks of the council with the fold.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    truth: Truth,
    /// The anchors that were looked at, by node.
    seen: BTreeSet<(Slot, u64)>,
}

impl Anchors {
    fn compare(&self, world: &World, slot: Slot, index: u64) -> Option<String> {
        let (name, node) = (world.id(slot), &world.nodes[slot]);
        let (Some(anchor), Some(before)) =
            (self.truth.anchors().get(&index), self.truth.directory(index))
        else {
            return None;
        };
        let Some(leaves) = leaves_on(&node.disk, &self.truth, index) else {
            return Some(format!("{name} cosigned the anchor at {index} and does not keep it"));
        };
        if leaves.root() != anchor.root {
            return Some(format!("{name} keeps other leaves of the anchor at {index}"));
        }
        for member in before.members() {
            let Some(leaf) = leaves.leaf(&member.id) else {
                return Some(format!("the anchor at {index} lacks {}", member.id));
            };
            if leaf.state != member.state() {
                return Some(format!("the anchor at {index} has another state of {}", member.id));
            }
            // Of a log in two versions either may be on this disk.
            let copy = node.disk.log(&member.id).filter(|_| world.owner_is_honest(&member.id));
            let root = copy.and_then(|disk| disk.root_at(leaf.head.size));
            if root.is_some_and(|root| root != leaf.head.root) {
                return Some(format!("the anchor at {index} has another tree of {}", member.id));
            }
        }
        None
    }
}

impl Checker for Anchors {
    fn name(&self) -> &'static str {
        "anchors"
    }

    fn looked(&mut self, world: &World, found: &mut Found) {
        self.truth.refresh(world);
        for slot in world.honest() {
            let node = &world.nodes[slot];
            if !world.federation.exchanges[node.exchange].council || !node.is_settled() {
                continue;
            }
            let cosigned = node.disk.log(&register()).and_then(DiskLog::witness);
            let Some((size, _)) = cosigned else { continue };
            for index in self.truth.anchors().range(..size).map(|(index, _)| *index) {
                if !self.seen.contains(&(slot, index)) {
                    found.extend(self.compare(world, slot, index));
                }
            }
            self.seen.extend(self.truth.anchors().range(..size).map(|(index, _)| (slot, *index)));
        }
    }
}
