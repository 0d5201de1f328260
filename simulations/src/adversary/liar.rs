//! Hands out leaves that are not in the tree, and announces others than it signed.

use bytes::Bytes;
use hutong_protocol::message::{Request, Response, ServedLeaf, TailLeaf};

use super::{Adversary, Answer};
use crate::node::Slot;
use crate::world::World;

/// Garbles answers about leaves, in one of several ways each time.
#[derive(Debug, Default)]
pub(super) struct Liar {
    rounds: usize,
}

impl Adversary for Liar {
    /// Announces a larger tree of its own with leaves that do not make it up.
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        let (size, _) = world.own_log(me);
        let id = world.id(me);
        let parent = world.federation.exchanges.iter().any(|one| one.parent.as_ref() == Some(id));
        if parent {
            // Two such would be two versions of the log: see the equivocator.
            return None;
        }
        if self.rounds >= 2 || world.nodes[me].state.is_none() {
            return (self.rounds < 2).then_some(400);
        }
        self.rounds += 1;
        let (root, leaf) = (world.any_hash(), world.any_hash());
        let note = world.sign(me, size + 1, root);
        let to = world.neighbours(me);
        world.announce_to(me, &note, size, vec![TailLeaf::Restricted(leaf)], &to);
        Some(1_500)
    }

    fn answer(
        &mut self,
        world: &mut World,
        _me: Slot,
        _asker: Slot,
        request: &Request,
        honest: &Bytes,
    ) -> Answer {
        let (Request::Leaves(_), Ok(Response::Leaves(mut leaves))) =
            (request, Response::decode(honest.clone()))
        else {
            return Answer::Honest;
        };
        let hash = world.any_hash();
        match world.rng.below(5) {
            0 => leaves.from += 1,
            1 => leaves.leaves.clear(),
            2 if !leaves.right.is_empty() => leaves.right[0] = hash,
            3 if !leaves.left.is_empty() => leaves.left[0] = hash,
            _ => {
                let at = world.rng.index(leaves.leaves.len());
                if let Some(leaf) = leaves.leaves.get_mut(at) {
                    *leaf = ServedLeaf::Absent(hash);
                }
            }
        }
        Answer::Instead { bytes: Response::Leaves(leaves).encode(), after_ms: 0 }
    }
}
