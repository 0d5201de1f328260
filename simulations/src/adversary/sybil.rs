//! Behaves like a member and is none.

use hutong_protocol::io::RequestId;
use hutong_protocol::message::{LeavesRequest, Request};

use super::Adversary;
use crate::node::Slot;
use crate::world::World;

/// Announces a log that nobody asked for, and asks for all that it may not see.
#[derive(Debug, Default)]
pub(super) struct Sybil;

impl Adversary for Sybil {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        let root = world.any_hash();
        let size = 1 + world.rng.below(9);
        let (note, to) = (world.sign(me, size, root), world.neighbours(me));
        world.announce_to(me, &note, size, Vec::new(), &to);
        if !to.is_empty() {
            let asked = to[world.rng.index(to.len())];
            let place = world.rng.index(world.federation.exchanges.len());
            let log = world.federation.exchanges[place].id.clone();
            let size = world.nodes[asked].disk.log(&log).map_or(0, |disk| disk.tree.size());
            let range = LeavesRequest { log, from: 0, to: size, size, left: true };
            let (peer, number) = (world.peer(asked), RequestId(1 << 40 | world.number()));
            world.send_request(me, &peer, number, &Request::Leaves(range).encode());
        }
        Some(300)
    }
}
