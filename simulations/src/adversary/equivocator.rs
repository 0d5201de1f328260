//! Signs two trees of one size.

use hutong_protocol::audience::Audience;

use super::Adversary;
use crate::node::Slot;
use crate::world::World;

/// Shows the tree that it has to half of the others, and one of the same size to the rest.
#[derive(Debug, Default)]
pub(super) struct Equivocator {
    done: bool,
}

impl Adversary for Equivocator {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        let (size, root) = world.own_log(me);
        if size == 0 {
            if let (true, Ok(entries)) = (world.quiet(), world.statements(me, 2, &Audience::Public))
            {
                world.append(me, entries);
            }
            return Some(300);
        }
        if self.done || world.nodes[me].state.is_none() {
            return (!self.done).then_some(300);
        }
        self.done = true;
        let other = world.any_hash();
        let (one, another) = (world.sign(me, size, root), world.sign(me, size, other));
        let others = world.neighbours(me);
        let (left, right) = others.split_at(others.len() / 2);
        world.announce_to(me, &one, size, Vec::new(), left);
        world.announce_to(me, &another, size, Vec::new(), right);
        None
    }
}
