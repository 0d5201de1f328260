//! Sends more than anybody wants.

use bytes::Bytes;
use hutong_protocol::audience::Audience;
use hutong_protocol::io::RequestId;
use hutong_protocol::message::{LeavesRequest, Request};

use super::Adversary;
use crate::node::Slot;
use crate::world::World;

/// Publishes noise and the same news again and again, appends, and asks for everything.
#[derive(Debug, Default)]
pub(super) struct Flooder {
    round: u64,
}

impl Flooder {
    fn noise(world: &mut World, me: Slot) {
        let length = world.rng.index(600);
        let bytes: Vec<u8> = (0..length).map(|_| world.rng.bits().to_le_bytes()[0]).collect();
        let (scope, to) = (world.scope(me), world.neighbours(me));
        world.publish_to(me, me, scope, Bytes::from(bytes), &to);
    }

    fn ask(world: &mut World, me: Slot) {
        let neighbours = world.neighbours(me);
        if neighbours.is_empty() {
            return;
        }
        let to = neighbours[world.rng.index(neighbours.len())];
        let log = world.id(to).clone();
        let size = world.own_log(to).0;
        let (from, until) = (world.rng.below(size + 2), world.rng.below(size + 2));
        let request = match world.rng.below(4) {
            0 => Request::Heads { scope: world.scope(to), after: None },
            1 => Request::Leaves(LeavesRequest { log, from, to: until, size, left: true }),
            2 => Request::Charter { digest: world.any_hash() },
            _ => Request::Evidence { after: None },
        };
        // Above all numbers that its own state gives out.
        let number = RequestId(1 << 40 | world.number());
        let peer = world.peer(to);
        world.send_request(me, &peer, number, &request.encode());
    }
}

impl Adversary for Flooder {
    fn act(&mut self, world: &mut World, me: Slot) -> Option<u64> {
        self.round += 1;
        Self::noise(world, me);
        let (size, root) = world.own_log(me);
        let (note, to) = (world.sign(me, size, root), world.neighbours(me));
        world.announce_to(me, &note, size, Vec::new(), &to);
        for _ in 0..4 {
            Self::ask(world, me);
        }
        if self.round % 8 == 1
            && let Ok(entries) = world.statements(me, 20, &Audience::Public)
        {
            world.append(me, entries);
        }
        Some(150)
    }
}
