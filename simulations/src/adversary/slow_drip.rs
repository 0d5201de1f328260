//! Answers just before nobody waits any more, one leaf at a time.

use bytes::Bytes;
use hutong_protocol::audience::Viewer;
use hutong_protocol::message::{LeavesRequest, Request};
use hutong_protocol::serve::Owner;

use super::{Adversary, Answer};
use crate::node::Slot;
use crate::world::World;

/// How late it answers, in milliseconds: with the way there and back just in time.
const LATE_MS: u64 = 2_400;

/// Holds every answer back, and hands out the first leaf only.
#[derive(Debug, Default)]
pub(super) struct SlowDrip;

impl Adversary for SlowDrip {
    fn answer(
        &mut self,
        world: &mut World,
        me: Slot,
        _asker: Slot,
        request: &Request,
        honest: &Bytes,
    ) -> Answer {
        let bytes = match request {
            Request::Leaves(range) => one_leaf(world, me, range).unwrap_or(honest.clone()),
            _ => honest.clone(),
        };
        Answer::Instead { bytes, after_ms: LATE_MS }
    }
}

/// The first leaf of a range, as a stranger may have it.
fn one_leaf(world: &World, me: Slot, range: &LeavesRequest) -> Option<Bytes> {
    if range.from >= range.to {
        return None;
    }
    let place = world.federation.find(&range.log)?;
    let region = world.federation.exchanges[place].region.clone();
    let owner = Owner { exchange: range.log.clone(), region };
    let first = LeavesRequest { to: range.from + 1, ..range.clone() };
    Some(world.answer(me, &first, &owner, &Viewer::stranger())?.encode())
}
